"""The warning light for results of `acme_lib.simulate`: rate equations and chemical Langevin equation."""

import numpy as np

from acme_lib.approximate.linear_noise import count_stable, follow
from acme_lib.approximate.trust import find_switches, is_linear, make_trust, measure_gaussian
from acme_lib.checks import expected
from acme_lib.simulate import Ensemble, RateEquationSolution


def assess(result):
    """Say whether to believe a solution of the rate equations or of the chemical Langevin equation, at its last time.

    Other results of `acme_lib.approximate` have their light in `trust` already.

    Parameters
    ----------
    result : RateEquationSolution or Ensemble
        From `solve_rate_equations` or `simulate_langevin`.

    Returns
    -------
    Trust

    Raises
    ------
    ParameterError
        If the result is something else; an ensemble of whole counts is exact or has an error control of its own.

    Examples
    --------
    >>> import acme_lib as acme
    >>> network = acme.models.birth_death(k=100, g=1)
    >>> acme.approximate.assess(acme.solve_rate_equations(network, {}, [0, 10])).verdict
    'green'
    """
    if isinstance(result, RateEquationSolution):
        return _assess_rate_equations(result)
    if isinstance(result, Ensemble) and result.counts.dtype.kind == "f":
        return _assess_langevin(result)
    if hasattr(result, "trust"):
        return result.trust
    raise expected("result", "a solution of the rate equations or an ensemble of simulate_langevin", result)


def _whole(amounts):
    return np.maximum(np.rint(amounts), 0).astype(np.int64)


def _assess_rate_equations(solution):
    network, start = solution.network, solution.start
    n = len(start)
    means, covariances, shifts = follow(network, start, solution.times, np.zeros((n, n)), tolerance=1e-6)
    n_stable = count_stable(network, _whole(start))
    values = measure_gaussian(
        network, means[-1], covariances[-1], n_stable=n_stable, t=solution.times[-1], x0=start, shift=shifts[-1]
    )
    return make_trust("rate equations", values, exact_moments=is_linear(network))


def _assess_langevin(ensemble):
    network, x = ensemble.network, ensemble.counts[:, -1]
    n_stable = count_stable(network, _whole(ensemble.counts[0, 0]))
    few = find_switches(network, ensemble.counts[0, 0])
    mean, spread = x.mean(axis=0), x.std(axis=0)
    values = [("fixed points", "", n_stable)]
    for i, name in enumerate(network.species):
        if name in few:
            values.append(("switch", name, 1.0))
            continue
        values.append(("copy number", name, mean[i]))
        values.append(("boundary distance", name, mean[i] / spread[i] if spread[i] > 0 else np.inf))
        values.append(("at zero", name, np.mean(x[:, i] < 0.5)))
    return make_trust("Langevin", values)

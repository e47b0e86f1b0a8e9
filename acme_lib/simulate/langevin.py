"""The chemical Langevin equation."""

from dataclasses import replace

import numpy as np
from numba import njit

from acme_lib.errors import ParameterError, PropensityError
from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import special_propensity, with_row
from acme_lib.random_stream import next_normal, start_stream
from acme_lib.simulate.rate_equations import rate_jacobian, solve_rate_equations
from acme_lib.simulate.run import run_task
from acme_lib.simulate.task import BAD_PROPENSITY, DONE, STOPPED, Part, make_task

_AT_ZERO = ("reflect", "clip", "raise")
_SCHEMES = ("euler-maruyama", "weak-trapezoidal")
_REFLECT, _CLIP, _RAISE = range(3)
_BELOW_ZERO = 64  # a status beside those of `Task.check`
_SHARE = 0.05  # of the shortest time scale: the step where the caller gives none
_CHECK_EVERY = 1024  # steps between two looks at the stop flag


def simulate_langevin(
    network,
    x0,
    t,
    *,
    at_zero,
    dt=None,
    scheme="euler-maruyama",
    size=1,
    rng,
    parameters=None,
    keep="counts",
    threads=None,
    client=None,
    progress=None,
):
    r"""Simulate an ensemble of the chemical Langevin equation [1]_.

    .. math:: dX = \sum_j \nu_j\, a_j(X, t)\,dt + \sum_j \nu_j \sqrt{a_j(X, t)}\,dW_j.

    The state is real, not whole, and every reaction has a noise of its own. For linear propensities the mean and the
    covariance are those of the exact process; higher moments, and everything where counts are small, are not. The cost
    does not depend on how many molecules there are.

    The equation has no meaning of its own beyond zero, where a square root would turn imaginary; a numerical step gets
    there all the same. What happens then is yours to choose:

    - ``at_zero="reflect"``: a count x < 0 becomes -x. The density near zero keeps a smooth shape and the noise stays
      alive, but molecules are made: the mean is too high, by the most where many trajectories are near zero.
    - ``at_zero="clip"``: a count x < 0 becomes 0. Fewer molecules are made than by reflection, and the mean is less
      biased, still upwards; in exchange a lump of probability sits at 0.
    - ``at_zero="raise"``: an error stops the run. No bias at all, but a run that ends has shown only that zero was not
      reached. For results that are to be trusted as a diffusion.

    Propensities that are negative between whole counts (n(n-1)/2 below 1) are taken as 0.

    Use when all counts stay large (hundreds) and many events make exact simulation dear, or to see what a diffusion
    approximation leaves out. `simulate_tau_leap` keeps counts whole at a similar cost.

    Parameters
    ----------
    network, x0, t, size, rng, parameters, keep, threads, client, progress
        As in `simulate_ssa`. Rates may depend on the time.
    at_zero : {"reflect", "clip", "raise"}
        See above; there is no default, because each answer is wrong somewhere.
    dt : float, optional
        The longest step; steps are shortened to end at the times recorded. Default: 1/20 of the shortest time scale
        :math:`1/\rho`, where :math:`\rho` is the largest spectral radius of the Jacobian of the rate equations along
        their solution at the times `t` (for the network's own parameters and the first start state).
    scheme : {"euler-maruyama", "weak-trapezoidal"}
        Moments are wrong by a multiple of dt, or of dt² at twice the cost [2]_.

    Returns
    -------
    Ensemble or EnsembleSummary
        ``ensemble.counts`` are floats; ``ensemble.events`` are 0, and ``ensemble.extra["steps"]``, shape (trajectory,),
        are the steps.

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type.
    PropensityError
        If a propensity is not finite, or a count falls below zero and ``at_zero="raise"``.

    References
    ----------
    .. [1] D. T. Gillespie, J. Chem. Phys. 113, 297 (2000). doi:10.1063/1.481811
    .. [2] D. F. Anderson, J. C. Mattingly, Commun. Math. Sci. 9, 301 (2011). doi:10.4310/CMS.2011.v9.n1.a15

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=1000, g=1)
    >>> rng = np.random.default_rng(1)
    >>> ensemble = acme.simulate_langevin(network, {"M": 1000}, 10, at_zero="raise", size=500, rng=rng)
    >>> bool(abs(ensemble["M"][:, -1].mean() - 1000) < 10)
    True
    """
    if at_zero not in _AT_ZERO:
        raise ParameterError(f"at_zero is {', '.join(map(repr, _AT_ZERO))}; {at_zero!r} came: see simulate_langevin")
    if scheme not in _SCHEMES:
        raise ParameterError(f"scheme is {' or '.join(map(repr, _SCHEMES))}; {scheme!r} came")
    if dt is not None and (
        isinstance(dt, bool) or not isinstance(dt, int | float | np.number) or not 0.0 < dt < np.inf
    ):
        raise ParameterError(f"dt is a time step above 0; {dt!r} came")
    options = {"at_zero": _AT_ZERO.index(at_zero), "trapezoidal": scheme == "weak-trapezoidal"}
    network.refuse_events("simulate_langevin")
    task = make_task(_run_range, network, x0, t, size=size, rng=rng, parameters=parameters, **options)
    longest = _suggest_step(task) if dt is None else float(dt)
    steps = np.maximum(np.ceil(np.diff(task.times) / longest * (1 - 1e-12)), 1).astype(np.int64)
    task = replace(task, options={**options, "steps": steps})
    return run_task(task, keep=keep, threads=threads, client=client, progress=progress)


def _suggest_step(task):
    """Return a share of the shortest time scale of the rate equations, by the rule in `simulate_langevin`."""
    solution = solve_rate_equations(task.network, task.starts[0], task.times, rtol=1e-4, atol=1e-4)
    jacobians = [rate_jacobian(task.network, x, now) for now, x in zip(task.times, solution.amounts, strict=True)]
    if not np.all(np.isfinite(jacobians)):
        raise ParameterError(
            "the rates have no finite slope along the rate equations, so that no step follows; give dt"
        )
    radius = np.abs(np.linalg.eigvals(jacobians)).max()
    return _SHARE / radius if radius > 0.0 else np.inf


def _run_range(task, low, high, stop):
    counts = np.empty((high - low, len(task.times), len(task.network.species)))
    steps, at_zero, trapezoidal = task.options["steps"], task.options["at_zero"], task.options["trapezoidal"]
    outcome = _langevin(low, *task.arguments_of(low, high), steps.copy(), at_zero, trapezoidal, counts, stop)
    status, trajectory, _, now, x = outcome
    if status == _BELOW_ZERO:
        at = ", ".join(f"{name}={n:g}" for name, n in zip(task.network.species, x, strict=False))
        raise PropensityError(
            f'trajectory {trajectory} fell below zero at t={now:g}: {at}; with at_zero="raise" that is an error: '
            'choose "reflect" or "clip" and read about their bias, or simulate with simulate_ssa'
        )
    task.check(outcome)
    taken = np.full(high - low, steps.sum())
    return Part(low, high, counts, np.zeros(high - low, dtype=np.int64), {"steps": taken})


@njit(cache=True, nogil=True, error_model="numpy")
def _langevin(low, starts, times, table, scale_rows, value_rows, key, steps, at_zero, trapezoidal, counts, stop):
    """Simulate the trajectories low, low + 1, … into `counts`; returns an outcome, see `Task.check`."""
    scale, shift, first, second, special = table[0], table[1], table[2], table[3], table[4]  # faster than `propensity`
    change_start, change_species, change_count = table[8], table[9], table[10]
    n_reactions = scale.shape[0]
    n_species = starts.shape[1]
    n_stages = 2 if trapezoidal else 1
    x = np.ones(n_species + 1)
    a = np.empty(n_reactions)
    stack = np.empty(MAX_STACK)
    taken = 0
    for row in range(counts.shape[0]):
        trajectory = low + row
        stream = start_stream(key, trajectory)
        for i in range(n_species):
            x[i] = starts[row, i]
            counts[row, 0, i] = x[i]
        if row == 0 or scale_rows.shape[0] > 1:
            scale = scale_rows[row]
            rates = with_row(table, scale, value_rows[row])
        for k in range(steps.shape[0]):
            h = (times[k + 1] - times[k]) / (steps[k] * n_stages)
            for stage in range(steps[k] * n_stages):
                now = times[k] + stage * h
                for j in range(n_reactions):
                    if special[j]:
                        value = special_propensity(j, x, now, rates, stack)
                    else:
                        value = scale[j] * x[first[j]] * (x[second[j]] - shift[j])
                    if not abs(value) < np.inf:
                        return BAD_PROPENSITY, trajectory, j, value, x
                    # the second stage of the weak trapezoidal scheme goes on with twice the new less the old
                    a[j] = max(value, 0.0) if stage % n_stages == 0 else 2.0 * max(value, 0.0) - a[j]
                for j in range(n_reactions):
                    extent = a[j] * h
                    if extent > 0.0:  # a negative one, of a second stage, drifts back without noise
                        noise, stream = next_normal(stream)
                        extent += np.sqrt(extent) * noise
                    for i in range(change_start[j], change_start[j + 1]):
                        x[change_species[i]] += change_count[i] * extent
                if _stay_above(x, n_species, at_zero):
                    return _BELOW_ZERO, trajectory, 0, now, x
                taken += 1
                if taken % _CHECK_EVERY == 0 and stop[0] != 0:
                    return STOPPED, trajectory, 0, now, x
            for i in range(n_species):
                counts[row, k + 1, i] = x[i]
    return DONE, 0, 0, 0.0, x


@njit(cache=True, nogil=True)
def _stay_above(x, n_species, at_zero):
    """Mend counts below zero by the rule `at_zero`; returns whether one is left."""
    for i in range(n_species):
        if x[i] < 0.0:
            if at_zero == _RAISE:
                return True
            x[i] = -x[i] if at_zero == _REFLECT else 0.0
    return False

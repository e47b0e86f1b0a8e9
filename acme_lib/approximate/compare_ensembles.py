"""How far an approximate simulation is from the exact one, with the uncertainty of that distance."""

import time
from dataclasses import dataclass, field

import numpy as np

from acme_lib.arrays import freeze_fields
from acme_lib.distance import law_distance, law_distance_by_chance
from acme_lib.errors import ParameterError
from acme_lib.network.expression import suggest
from acme_lib.simulate.ssa import simulate_ssa


@dataclass(frozen=True)
class EnsembleComparison:
    r"""Differences of two ensembles, first less second, by time and species.

    Attributes
    ----------
    times : ndarray, shape (time,)
    species : tuple of str
    mean_difference, mean_stderr : ndarray, shape (time, species)
    fano_difference, fano_stderr : ndarray, shape (time, species)
        Of variance over mean; not a number where a mean is 0.
    total_variation : ndarray, shape (time, species)
        :math:`\frac12 \sum_n |p(n) - q(n)|` of the two histograms of counts (of numbers rounded to whole ones).
    total_variation_by_chance : ndarray, shape (time, species)
        What two samples of these sizes of the *same* law would show on average: sampling noise never cancels in a
        distance. Only what exceeds it clearly is a difference of the laws.
    seconds : tuple of float
        How long each simulation took, where `compare_with_exact` ran it (a first run includes compilation); else ().
    """

    times: np.ndarray
    species: tuple[str, ...]
    mean_difference: np.ndarray = field(repr=False)
    mean_stderr: np.ndarray = field(repr=False)
    fano_difference: np.ndarray = field(repr=False)
    fano_stderr: np.ndarray = field(repr=False)
    total_variation: np.ndarray = field(repr=False)
    total_variation_by_chance: np.ndarray = field(repr=False)
    seconds: tuple[float, ...] = field(default=(), repr=False)

    def __post_init__(self):
        freeze_fields(self)

    def at(self, name, index=-1):
        """Return the numbers of one species at one time (by default the last) as a dict of floats."""
        if name not in self.species:
            known = ", ".join(self.species)
            raise ParameterError(
                f"{name!r} is not a species of this comparison{suggest(str(name), self.species)}: {known}"
            )
        i = self.species.index(name)
        return {key: float(value[index, i]) for key, value in vars(self).items() if getattr(value, "ndim", 0) == 2}


def compare_ensembles(first, second):
    """Compare two ensembles of independent trajectories of the same species at the same times.

    Parameters
    ----------
    first, second : Ensemble
        Each of at least two trajectories.

    Returns
    -------
    EnsembleComparison

    Raises
    ------
    ParameterError
        If species or times differ, or an ensemble is a single trajectory.
    """
    if first.species != second.species or not np.array_equal(first.times, second.times):
        raise ParameterError(
            "two ensembles compare at the same times, for the same species in the same order; "
            f"got {first!r} and {second!r}"
        )
    if min(len(first), len(second)) < 2:
        raise ParameterError("a comparison needs two trajectories or more in each ensemble")
    (m1, me1, f1, fe1), (m2, me2, f2, fe2) = (_moments(ensemble.counts) for ensemble in (first, second))
    shape = m1.shape
    distance, chance = np.empty(shape), np.empty(shape)
    for k in range(shape[0]):
        for i in range(shape[1]):
            distance[k, i], chance[k, i] = _distance(first.counts[:, k, i], second.counts[:, k, i])
    return EnsembleComparison(
        first.times, first.species, m1 - m2, np.hypot(me1, me2), f1 - f2, np.hypot(fe1, fe2), distance, chance
    )


def compare_with_exact(simulate, network, x0, t, *, size=1000, rng, **options):
    r"""Run an approximate method and `simulate_ssa` side by side and compare them.

    Parameters
    ----------
    simulate : callable
        The approximate method, such as `simulate_tau_leap`.
    network, x0, t, rng
        As in `simulate_ssa`.
    size : int
        Trajectories of each; a small ensemble is often enough to see a bias that matters.
    **options
        What the approximate method needs besides, such as ``epsilon=0.01``.

    Returns
    -------
    EnsembleComparison
        The approximate less the exact.

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=1, g=1)
    >>> comparison = acme.compare_with_exact(
    ...     acme.simulate_langevin, network, {"M": 1}, 10, rng=np.random.default_rng(1), boundary="reflect"
    ... )
    >>> seen = comparison.at("M")  # with one molecule on average, reflection shows
    >>> seen["mean_difference"] > 3 * seen["mean_stderr"]
    True
    """
    start = time.perf_counter()
    approximate = simulate(network, x0, t, size=size, rng=rng, **options)
    middle = time.perf_counter()
    shared = {name: options[name] for name in ("parameters", "threads", "client", "progress") if name in options}
    exact = simulate_ssa(network, x0, t, size=size, rng=rng, **shared)
    end = time.perf_counter()
    comparison = compare_ensembles(approximate, exact)
    return EnsembleComparison(**{**vars(comparison), "seconds": (middle - start, end - middle)})


def _moments(counts):
    """Return mean, Fano factor and their standard errors (by the delta method), each of shape (time, species)."""
    n = len(counts)
    mean = counts.mean(axis=0)
    away = counts - mean
    second, third, fourth = ((away**k).mean(axis=0) for k in (2, 3, 4))
    with np.errstate(invalid="ignore", divide="ignore"):
        fano = second * (n / (n - 1)) / mean
        # var(s²) = m4 - s⁴, cov(s², mean) = m3, var(mean) = s², each over n
        spread = (fourth - second**2) / mean**2 - 2 * second * third / mean**3 + second**3 / mean**4
    return mean, np.sqrt(second / n), fano, np.sqrt(np.maximum(spread, 0.0) / n)


def _distance(a, b):
    """Return the total variation of two samples and what two samples of their joint law show by chance."""
    values, place = np.unique(np.rint(np.concatenate([a, b])), return_inverse=True)
    p = np.bincount(place[: len(a)], minlength=len(values)) / len(a)
    q = np.bincount(place[len(a) :], minlength=len(values)) / len(b)
    pooled = (p * len(a) + q * len(b)) / (len(a) + len(b))
    return law_distance(p, q), law_distance_by_chance(pooled, [len(a), len(b)])

"""Where the counts go on average: whether they settle, grow without bound, or are too many, seen before the work."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import propensity

_MOST_STEPS = 200_000
_SHARE = 0.05  # of its count by which a species changes in one step
_QUIET = 2_000  # steps without a new largest count after which nothing grows
BEYOND = 2.0**44  # counts that no state space holds

ARRIVED, UNKNOWN, GROWS, SETTLED = "arrived", "unknown", "grows", "settled"


@dataclass(frozen=True)
class Foresight:
    """The mean by its drift alone, and a spread that takes each species for itself: a guess, for decisions.

    Attributes
    ----------
    verdict : {"arrived", "unknown", "grows", "settled"}
        At the time asked for; not found out; counts grow beyond all that a state space holds; nothing grows any more.
    time : float
        How far it was followed.
    counts, spread : ndarray, shape (species,)
        Mean and standard deviation then.
    """

    verdict: str
    time: float
    counts: np.ndarray
    spread: np.ndarray


def follow_mean(network, start, until=np.inf):
    """Follow the mean counts from a start state, as far as the drift of the propensities tells (`Foresight`)."""
    x, variance = np.append(start.astype(float), 1.0), np.zeros(len(start))
    with np.errstate(all="ignore"):
        status, time = _follow(x, variance, float(until), network.stoichiometry.astype(float), network.rate_table)
    verdict = (ARRIVED, UNKNOWN, GROWS, SETTLED)[status]
    return Foresight(verdict, time, x[:-1].copy(), np.sqrt(np.maximum(variance, 0.0)))


@njit(cache=True, nogil=True, error_model="numpy")
def _drift(x, t, changes, table, stack, drift, noise):
    drift[:] = 0.0
    noise[:] = 0.0
    for j in range(changes.shape[0]):
        a = propensity(j, x, t, table, stack)
        if not a < np.inf:
            return False
        if a > 0.0:  # pairs of less than one molecule are none
            for i in range(changes.shape[1]):
                drift[i] += changes[j, i] * a
                noise[i] += changes[j, i] ** 2 * a
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(x, variance, until, changes, table):
    """Follow the mean in `x` (with 1 behind it) and the variances; return the verdict's place and the time."""
    n = changes.shape[1]
    stack = np.empty(MAX_STACK)
    drift, noise, moved, other, before = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    t, largest, quiet = 0.0, x[:n].max(), 0
    for _ in range(_MOST_STEPS):
        if not _drift(x, t, changes, table, stack, drift, noise):
            return 1, t
        h = until - t
        for i in range(n):
            if drift[i] != 0.0:
                h = min(h, _SHARE * max(x[i], 1.0) / abs(drift[i]))
        if h == np.inf:  # nothing moves
            return 3, t
        for i in range(n):
            kept, little = x[i], 1e-3 * max(x[i], 1.0)
            x[i] = kept + little
            ok = _drift(x, t, changes, table, stack, moved, other)
            x[i] = kept
            slope = (moved[i] - drift[i]) / little if ok else 0.0
            variance[i] = variance[i] * np.exp(min(2.0 * slope * h, 1.0)) + noise[i] * h
        for i in range(n):  # the drift in the middle of the step
            before[i] = x[i]
            x[i] = max(x[i] + 0.5 * h * drift[i], 0.0)
        if not _drift(x, t + 0.5 * h, changes, table, stack, drift, noise):
            return 1, t
        for i in range(n):
            x[i] = max(before[i] + h * drift[i], 0.0)
        t += h
        top = x[:n].max()
        if top > BEYOND:
            return 2, t
        if until < np.inf and t >= until * (1.0 - 1e-12):
            return 0, t
        if top > 1.0001 * largest:
            largest, quiet = top, 0
        else:
            quiet += 1
            if until == np.inf and quiet > _QUIET:
                return 3, t
    return 1, t

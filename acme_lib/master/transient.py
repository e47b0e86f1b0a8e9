"""The solution of a master equation in time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import sparse

from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.master.distribution import StateDistribution


@dataclass(frozen=True, eq=False)
class TransientDistribution(StateDistribution):
    """Probabilities over a box at several times, with their error.

    Attributes
    ----------
    space : StateSpace
    p : ndarray, shape (n_times, n_states)
    times : ndarray, shape (n_times,)
    leaked : ndarray, shape (n_times,)
        The integral of ``outflow · p`` up to each time. With an absorbing boundary it is the probability that has left
        the box, 1 less the mass of `p`; with a reflecting one it is the expected number of reactions that the boundary
        has stopped.
    error_bound : ndarray, shape (n_times,)
        No event of the unbounded process has a probability that differs by more from its probability under `p`.
    steps : int
        Products of matrix and vector.
    """

    times: np.ndarray
    leaked: np.ndarray
    error_bound: np.ndarray
    steps: int


def solve_transient(generator, p0, t, *, tolerance=1e-10):
    r"""Solve :math:`dp/dt = A p` from :math:`p(0) = p_0` by uniformisation.

    With :math:`\Lambda` the largest rate of leaving a state and :math:`P = I + A/\Lambda` [1]_,

    .. math:: p(t) = \sum_{k \ge 0} e^{-\Lambda t} \frac{(\Lambda t)^k}{k!} P^k p_0 .

    No entry of `P` is negative, so that nothing cancels and no probability turns negative. What the boundary takes
    away, :math:`\int_0^t \text{outflow} \cdot p\, ds`, is summed in the same pass. Up to the first reaction that leaves
    the box, the true and the bounded process are one; hence it bounds the error of truncation (with an absorbing
    boundary it equals it [2]_).

    Parameters
    ----------
    generator : Generator
    p0 : ndarray of shape (n_states,), or mapping of str to int
        A probability vector (``space.point(M=3)``), or the counts of a start state; species left out are 0.
    t : float or array_like, shape (n_times,)
        Times, increasing, not negative, in the units of the rates.
    tolerance : float
        Probability that may be lost to the truncation of the sum, over all times together.

    Returns
    -------
    TransientDistribution
        ``p[time, state]``, also where `t` is one number.

    Raises
    ------
    ParameterError
        If times or the tolerance do not fit.
    StateSpaceError
        If `p0` is no probability vector on the space.

    Notes
    -----
    Use when: laws at given times are wanted with a certain error. The work is about Λt products of matrix and vector.

    References
    ----------
    .. [1] A. Jensen, Skand. Aktuarie.tidskr. 36, 87 (1953).
    .. [2] B. Munsky, M. Khammash, J. Chem. Phys. 124, 044104 (2006). doi:10.1063/1.2145882

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator
    >>> network = ReactionNetwork.parse("0 <-> M : k, g", k=10, g=1)
    >>> generator = build_generator(network, StateSpace.box(network, M=60), boundary="absorbing")
    >>> law = solve_transient(generator, {"M": 0}, [0.5, 1.0])
    >>> law.mean("M").round(6)
    array([3.934693, 6.321206])
    """
    times = _check_times(t)
    if not 0.0 < tolerance < 1.0:
        raise ParameterError(f"the tolerance is a number between 0 and 1, such as 1e-10; {tolerance!r} came")
    space = generator.space
    v = _check_start(space, p0)
    rate = float(-generator.matrix.diagonal().min()) or 1.0  # any rate does where nothing happens
    jumps = sparse.csr_array(sparse.eye_array(len(space)) + generator.matrix / rate)
    p = np.empty((len(times), len(space)))
    leaked, error = np.empty(len(times)), np.empty(len(times))
    lost, cut, steps, before = 0.0, 0.0, 0, 0.0
    for i, until in enumerate(times):
        weights, first, tail = _poisson_weights(rate * (until - before), tolerance / (2 * len(times)))
        # The mean time spent after exactly k jumps is the probability of more than k, over the rate.
        more = np.cumsum(weights[::-1])[::-1]
        upper = np.concatenate([np.full(first, more[0]), more[1:], [0.0]])
        exited = _uniformise(jumps.indptr, jumps.indices, jumps.data, generator.outflow, weights, first, upper, v, p[i])
        lost += exited / rate
        cut += 2 * tail  # of p, and of the sum that gives `lost`
        steps += first + len(weights) - 1
        v = p[i].copy()
        leaked[i], error[i], before = lost, lost + cut, until
    return TransientDistribution(space, p, times, leaked, np.minimum(error, 1.0), steps)


@njit(cache=True, nogil=True, error_model="numpy")
def _uniformise(starts, columns, data, outflow, weights, first, upper, v, out):
    """Write the weighted sum of the powers of P, applied to `v`, to `out`; return the sum of ``upper · outflow``."""
    n = len(v)
    v = v.copy()
    new = np.empty(n)
    exited = 0.0
    for i in range(n):
        out[i] = weights[0] * v[i] if first == 0 else 0.0
        exited += upper[0] * outflow[i] * v[i]
    for k in range(1, first + len(weights)):
        w = weights[k - first] if k >= first else 0.0
        left = 0.0
        for i in range(n):
            total = 0.0
            for e in range(starts[i], starts[i + 1]):
                total += data[e] * v[columns[e]]
            new[i] = total
            out[i] += w * total
            left += outflow[i] * total
        exited += upper[k] * left
        v, new = new, v
    return exited


def _poisson_weights(mean, tail):
    """Return Poisson weights without their tails, the count of the first, and the mass cut off (at most `tail`).

    From the mode outwards by ratios, then normalised, as Fox and Glynn do (doi:10.1145/42404.42409): stable for any
    mean.
    """
    mode = int(mean)
    # Bernstein's bound: beyond this width lies less than a billionth of `tail`, so that the sum is the whole.
    log_tail = np.log(2.0 / tail) + 20.0
    width = int(log_tail / 3 + np.sqrt(log_tail**2 / 9 + 2 * log_tail * mean)) + 1
    lowest = max(0, mode - width)
    above = np.cumprod(mean / np.arange(mode + 1, mode + width + 1))
    below = np.cumprod(np.arange(mode, lowest, -1) / mean)[::-1] if mode else np.zeros(0)
    weights = np.concatenate([below, [1.0], above])
    weights /= weights.sum()
    low, high = np.cumsum(weights), np.cumsum(weights[::-1])
    n_low, n_high = np.searchsorted(low, tail / 2, side="right"), np.searchsorted(high, tail / 2, side="right")
    cut = (low[n_low - 1] if n_low else 0.0) + (high[n_high - 1] if n_high else 0.0)
    return weights[n_low : len(weights) - n_high], lowest + int(n_low), float(cut)


def _check_times(t):
    times = np.atleast_1d(np.array(t, dtype=float))
    if times.ndim != 1 or not len(times) or not np.all(np.isfinite(times)):
        raise ParameterError(f"t is a finite number, or a sequence of them; {t!r} came")
    if times[0] < 0 or np.any(np.diff(times) <= 0):
        raise ParameterError(f"times increase and start at 0 or later; {t!r} came")
    return times


def _check_start(space, p0):
    if isinstance(p0, Mapping):
        return space.point(p0)
    p = np.array(p0, dtype=float)
    if p.shape != (len(space),):
        raise StateSpaceError(
            f"p0 has shape {p.shape} and the space has {len(space)} states; give a probability for each, or the counts "
            f"of the start state by name: {{{space.species[0]!r}: 0}}"
        )
    if not np.all(p >= 0) or not abs(p.sum() - 1) < 1e-9:
        raise StateSpaceError(
            f"p0 is a probability vector: no entry negative, sum 1; its least entry is {p.min():g} and its sum "
            f"{p.sum():.12g}"
        )
    return p

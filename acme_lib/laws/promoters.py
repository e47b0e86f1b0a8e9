"""The law of mRNA from a promoter with any number of states, by elimination in which nothing is subtracted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from scipy.linalg import expm

from acme_lib.arrays import freeze
from acme_lib.checks import check_positive, expected
from acme_lib.elimination import eliminate_places, solve_forward, substitute_stationary
from acme_lib.errors import ParameterError
from acme_lib.laws.count_law import MOST_COUNTS, CountLaw, check_top


@dataclass(frozen=True, eq=False)
class Promoter(CountLaw):
    """Stationary law of mRNA from a promoter of many states, rates in units of the mRNA's loss.

    Attributes
    ----------
    switching : ndarray, shape (state, state)
        ``switching[i, k]`` is the rate from state i to state k; its diagonal is 0.
    s : ndarray, shape (state,)
        Synthesis in each state.
    states : tuple of str
    """

    switching: np.ndarray
    s: np.ndarray
    states: tuple

    @cached_property
    def occupancy(self):
        """Stationary probability of each state, ndarray of shape (state,)."""
        return stationary_occupancy(self.switching)

    @cached_property
    def _fluctuations(self):
        """E[(L - mean)^k; state], k = 1 and 2; L is the Poisson mean that the history leaves, dL = s - L."""
        first = self._respond(1.0, (self.s - self.mean()) * self.occupancy)
        return first, self._respond(2.0, 2.0 * (self.s - self.mean()) * first)

    def _respond(self, decay, source):
        """Solve (decay - Q^T) x = source, each sign for itself, so that no digits are lost in stiff promoters."""
        decays = np.full(len(self.s), decay)
        parts = [solve_dominant(self.switching.T, decays, np.maximum(side, 0.0)) for side in (source, -source)]
        return parts[0] - parts[1]

    def mean(self):
        """Return the mean."""
        return float(self.s @ self.occupancy)

    def var(self):
        """Return the variance: the mean and the variance of L."""
        return self.mean() + max(float((self.s - self.mean()) @ self._fluctuations[0]), 0.0)

    def third_cumulant(self):
        """Return the third central moment."""
        of_mean = float((self.s - self.mean()) @ self._fluctuations[1])
        return of_mean + 3.0 * (self.var() - self.mean()) + self.mean()

    def autocovariance(self, lag):
        r"""Return Cov(m(0), m(lag)), ndarray of the shape of `lag` (in lifetimes of the mRNA).

        With c the covariances of m with the indicators of the states, :math:`\dot c = Q^T c` and
        :math:`\dot C = s \cdot c - C` from :math:`C(0) = \sigma^2`.
        """
        lag = np.asarray(lag, dtype=float)
        if not np.all(np.isfinite(lag)) or np.any(lag < 0):
            raise expected("lag", "finite and at least 0", lag)
        size = len(self.s)
        system = np.zeros((size + 1, size + 1))
        system[:size, :size] = self.switching.T - np.diag(self.switching.sum(axis=1))
        system[size, :size] = self.s
        system[size, size] = -1.0
        start = np.append(self._fluctuations[0], self.var())
        return (expm(system * lag[..., None, None]) @ start)[..., size][()]

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`)."""
        return np.logaddexp.reduce(self.log_table_by_state(last), axis=1)

    def log_table_by_state(self, last=0):
        """Return the logarithms of the joint probabilities of count and state, ndarray of shape (count, state)."""
        largest = self.s.max()
        bound = int(largest + 12.0 * np.sqrt(largest)) + 100
        spread = np.sqrt(self.var())
        top = min(bound, int(self.mean() + 14.0 * spread) + 100)
        while True:
            end = max(top, last)
            top = end + 60 + end // 16  # further steps, in which what is wrong at the top is forgotten
            if top * len(self.s) ** 2 > 4 * MOST_COUNTS:
                raise ParameterError(
                    f"counts up to {top} in {len(self.s)} states do not fit in 1.6 GB; s over g is {largest:g}"
                )
            check_top(top)
            logs = np.full((top + 1, len(self.s)), -np.inf)
            kept = np.flatnonzero(self.occupancy > 0)
            logs[:, kept] = _solve_promoter(np.ascontiguousarray(self.switching[np.ix_(kept, kept)]), self.s[kept], top)
            logs = _normalise(logs)
            before, at_end = np.exp(logs[end - 1 : end + 1]).sum(axis=1)
            fall = at_end / before if before > 0 else 0.0
            if end >= bound or at_end == 0 or (fall < 1 and at_end / (1.0 - fall) < 1e-17):
                return logs[: end + 1]
            top = min(2 * end, max(bound, last))


def _normalise(logs):
    largest = logs.max()
    return logs - (largest + np.log(np.exp(logs - largest).sum()))


def promoter(rates, s, g=1.0):
    r"""Return the stationary law of mRNA from a promoter with any number of states.

    With generator Q (:math:`Q_{ij}` from i to j), synthesis :math:`s_i` and occupancy :math:`\pi Q = 0`,

    .. math::

        \langle m\rangle = \frac{s \cdot \pi}{g}, \qquad
        F = 1 + \frac{1}{\langle m \rangle g} \sum_{ij} s_i \pi_i \left[(gI - Q)^{-1}\right]_{ij} s_j
        - \langle m\rangle,

    which for one active state is :math:`1 + (s/p_{on})\,\hat C(g)` with the Laplace transform of the autocovariance of
    its indicator [1]_.

    Parameters
    ----------
    rates : mapping of (str, str) to float, or array_like, shape (state, state)
        Rate of each switch (from, to), 1/time, as for `acme_lib.models.promoter`. In a matrix ``rates[i, k]`` leads
        from state i to state k, the states are called G0, G1, …, and the diagonal is not read, so that a generator does
        too.
    s : mapping of str to float, or array_like, shape (state,)
        Transcription in each state, molecules/time; states left out of a mapping do not transcribe.
    g : float
        Decay of one mRNA, 1/time.

    Returns
    -------
    Promoter

    Raises
    ------
    ParameterError
        If states or rates do not fit, or the promoter has more than one stationary law.

    Notes
    -----
    The joint probabilities of count and state obey :math:`p_n = R_n p_{n-1}` with
    :math:`R_n = [S + ngI - Q^T - (n+1) g R_{n+1}]^{-1} S`. What is gained and lost across each count balances, so that
    the columns of the bracket sum to exactly :math:`ng`, and Gaussian elimination needs no subtraction (as for the
    chains of Grassmann, Taksar and Heyman [2]_): every probability is right to a relative error of rounding.

    Use when: two states do not do, and a law without statistical error is wanted. Time and memory grow with the
    counts within reach times states cubed and squared.

    References
    ----------
    .. [1] A. Sanchez, J. Kondev, PNAS 105, 5081 (2008). doi:10.1073/pnas.0707904105
    .. [2] W. K. Grassmann, M. I. Taksar, D. P. Heyman, Oper. Res. 33, 1107 (1985). doi:10.1287/opre.33.5.1107

    Examples
    --------
    >>> law = promoter({("ON", "R"): 8.0, ("R", "OFF"): 4.0, ("OFF", "ON"): 4.0}, {"ON": 40.0})
    >>> round(law.mean(), 6), round(law.fano_factor(), 6)
    (8.0, 3.309278)
    """
    check_positive(g=g)
    switching, states = as_switching(rates)
    if isinstance(s, Mapping):
        unknown = [state for state in s if state not in states]
        if unknown:
            raise expected("a state in s", f"one of {', '.join(states)}", unknown[0])
        s = [s.get(state, 0.0) for state in states]
    s = np.array(s, dtype=float)
    if s.shape != (len(states),):
        raise expected("s", f"one number for each of the {len(states)} states", s.tolist())
    if not np.all(np.isfinite(s)) or np.any(s < 0):
        raise expected("s", "finite and at least 0 in each state", s.tolist())
    switching, s = switching / g, s / g
    stationary_occupancy(switching)  # refuses a promoter without one law
    return Promoter(freeze(switching), freeze(s), states)


def refractory(k_off, k_r, k_on, s, g=1.0):
    r"""Return the stationary law of mRNA from a gene that has to wait before it can switch on again: ON → R → OFF → ON.

    Parameters
    ----------
    k_off, k_r, k_on : float
        Leaving ON, ending the wait, entering ON, 1/time.
    s, g : float
        Transcription while on (molecules/time), decay of one mRNA (1/time).

    Returns
    -------
    Promoter

    Raises
    ------
    ParameterError
        If a rate does not fit.

    Notes
    -----
    Use when: measured off times have a peak away from zero [1]_; as `acme_lib.models.refractory`.

    References
    ----------
    .. [1] D. M. Suter et al., Science 332, 472 (2011). doi:10.1126/science.1198817

    Examples
    --------
    >>> law, two_states = refractory(k_off=8, k_r=4, k_on=4, s=40), promoter([[0, 2], [8, 0]], [0, 40])
    >>> round(law.fano_factor(), 6), round(two_states.fano_factor(), 6)
    (3.309278, 3.909091)
    """
    return promoter({("ON", "R"): k_off, ("R", "OFF"): k_r, ("OFF", "ON"): k_on}, {"ON": s}, g)


def as_switching(rates):
    """Return checked rates of switching as (matrix from, to with a diagonal of 0; names of the states)."""
    if isinstance(rates, Mapping):
        states = tuple(dict.fromkeys(state for pair in rates for state in pair))
        matrix = np.zeros((len(states), len(states)))
        for (a, b), rate in rates.items():
            matrix[states.index(a), states.index(b)] = rate
    else:
        matrix = np.array(rates, dtype=float)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) == 0:
            raise expected("rates", "a square matrix over the states", matrix.tolist())
        states = tuple(f"G{i}" for i in range(len(matrix)))
    np.fill_diagonal(matrix, 0.0)
    if not np.all(np.isfinite(matrix)) or np.any(matrix < 0):
        raise expected("rates", "finite and at least 0 from one state to another", rates)
    return matrix, states


def stationary_occupancy(switching):
    """Return the one stationary law of a chain with rates ``switching[from, to]``; `ParameterError` if there are more.

    States that are left for good have probability 0.
    """
    size = len(switching)
    reach = (switching > 0) | np.eye(size, dtype=bool)
    for _ in range(max(1, size.bit_length())):
        reach = reach @ reach
    closed = [i for i in range(size) if np.all(reach[np.flatnonzero(reach[i]), i])]
    classes = {tuple(np.flatnonzero(reach[i])) for i in closed}
    if len(classes) != 1:
        raise ParameterError(
            f"a promoter with {len(classes)} sets of states that are never left has as many stationary laws; "
            "take the law of each set and mix them"
        )
    kept = np.array(classes.pop())
    out = np.zeros(size)
    weights = _null_vector(np.ascontiguousarray(switching[np.ix_(kept, kept)].T))
    out[kept] = weights / weights.sum()
    return out


def power_of_chain(step, gap):
    """Return exp(gap (step - 1)) for a chain's matrix from, to: by squaring, with rows that sum to 1 each time.

    Nothing is subtracted, and what rounding adds to a row is taken out of it at once: errors do not grow with `gap`.
    """
    halvings = max(0, int(np.ceil(np.log2(max(gap, 1.0)))))
    part = gap / 2.0**halvings
    matrix = one = np.eye(len(step))
    for k in range(24, 0, -1):  # Horner: 1 + xS/1 (1 + xS/2 (1 + …))
        matrix = one + (step @ matrix) * (part / k)
    for squaring in range(halvings + 1):
        if squaring > 0:
            matrix = matrix @ matrix
        matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix


def transition_matrix(switching, t):
    """Return the probabilities from, to of a chain with rates ``switching[from, to]`` over a time."""
    leaving = switching.sum(axis=1)
    fastest = float(leaving.max())
    if fastest * t == 0:
        return np.eye(len(switching))
    if not np.isfinite(fastest * t):  # the fastest changes of a finite time are over long before
        return transition_matrix(switching, 1e300 / fastest)
    return power_of_chain(switching / fastest + np.diag(1.0 - leaving / fastest), fastest * t)


def solve_dominant(flows, sums, right):
    """Solve A x = b, with A = diag(sums + column sums of flows) - flows: no subtraction, relative errors of rounding.

    Parameters
    ----------
    flows : array_like, shape (state, state)
        ``flows[to, from]``, not negative; the diagonal is not read.
    sums : ndarray, shape (state,)
        Column sums of A, not negative.
    right : ndarray, shape (state,) or (state, case)
        Not negative.

    Returns
    -------
    ndarray of the shape of `right`
    """
    a = np.array(flows, dtype=float, order="C")
    x = np.array(right, dtype=float).reshape(len(a), -1)
    _solve_dominant(a, np.array(sums, dtype=float), x)
    return x.reshape(np.shape(right))


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_dominant(flows, sums, x):
    """Overwrite `x` with the solution; `flows` and `sums` are used up. What no number holds becomes infinite or NaN."""
    size = len(sums)
    flat, pivots = flows.reshape(-1), np.empty(size)
    eliminate_places(flat, size, 0, size, pivots, sums, 0, size - 1)
    for case in range(x.shape[1]):
        solve_forward(flat, size, 0, size, pivots, x[:, case])


@njit(cache=True, nogil=True)
def _null_vector(flows):
    """Return x > 0 with diag(column sums of flows) x = flows x, up to a factor; `flows` is used up."""
    size = len(flows)
    flat, pivots = flows.reshape(-1), np.zeros(size)
    eliminate_places(flat, size, 0, size, pivots, np.zeros(size), 1, size - 1)
    x, units = np.empty(size), np.zeros(size, dtype=np.int64)
    substitute_stationary(flat, size, 0, size, pivots, x, units)
    top = units.max()
    for i in range(size):
        x[i] = math.ldexp(x[i], max(600 * int(units[i] - top), -3000))
    return x


@njit(cache=True, nogil=True)
def _solve_promoter(switching, s, top):
    """Return the logarithms, up to one constant, of the probabilities of (count, state) on 0 … top."""
    size = len(s)
    ratios = np.zeros((top + 2, size, size))
    flows = np.empty((size, size))
    # At the top, as if molecules were lost at one rate from there on: ratios that repeat themselves.
    for _ in range(200):
        for i in range(size):
            for j in range(size):
                flows[i, j] = switching[j, i] + (top + 1.0) * ratios[top + 1, i, j]
        x = np.zeros((size, size))
        for i in range(size):
            x[i, i] = s[i]
        _solve_dominant(flows, np.full(size, top + 1.0), x)
        change = np.abs(x - ratios[top + 1]).max()
        ratios[top + 1] = x
        if change < 1e-14 * x.max():
            break
    for n in range(top, 0, -1):
        for i in range(size):
            for j in range(size):
                flows[i, j] = switching[j, i] + (n + 1.0) * ratios[n + 1, i, j]
        x = ratios[n]
        for i in range(size):
            x[i, i] = s[i]
        _solve_dominant(flows, np.full(size, float(n)), x)
    for i in range(size):
        for j in range(size):
            flows[i, j] = switching[j, i] + ratios[1, i, j]
    logs = np.empty((top + 1, size))
    p = _null_vector(flows)
    units = 0
    for n in range(top + 1):
        if n > 0:
            p = ratios[n] @ p
        largest = p.max()
        if largest > 4.149515568880993e180:  # 2**600
            p *= 2.409919865102884e-181
            units += 1
        elif 0.0 < largest < 2.409919865102884e-181:
            p *= 4.149515568880993e180
            units -= 1
        for i in range(size):
            logs[n, i] = np.log(p[i]) + units * 415.88830833596718 if p[i] > 0.0 else -np.inf  # 600 log 2
    return logs

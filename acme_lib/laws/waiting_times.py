"""Laws of waiting times: how long a chain of states lasts until it is left (phase-type laws)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from scipy.optimize import brentq

from acme_lib.errors import ParameterError
from acme_lib.laws.count_law import check_whole
from acme_lib.laws.promoters import as_switching, promoter, solve_dominant, stationary_occupancy
from acme_lib.laws.rates import check_not_negative, check_positive


@dataclass(frozen=True, eq=False)
class PhaseType:
    r"""Law of the time until a chain of phases is left, in the manner of scipy.stats.

    .. math:: S(t) = \alpha e^{Tt} \mathbf 1, \qquad f(t) = \alpha e^{Tt} (-T \mathbf 1)

    `pdf`, `cdf` and `sf` come from products and sums of numbers that are not negative: each is right in relative terms
    to 1e-12 times the mean waits up to t, also where it is tiny and after 10^13 transitions. Moments are right to
    1e-12.

    Attributes
    ----------
    initial : ndarray, shape (phase,)
        α, probability of each phase at time 0; what is missing to 1 has a waiting time of 0.
    rates : ndarray, shape (phase, phase)
        ``rates[i, k]`` from phase i to phase k, 1/time; its diagonal is 0.
    exits : ndarray, shape (phase,)
        Rate at which each phase ends the wait, 1/time.
    """

    initial: np.ndarray
    rates: np.ndarray
    exits: np.ndarray

    @property
    def subgenerator(self):
        """T, ndarray of shape (phase, phase): rows sum to minus the exits."""
        return self.rates - np.diag(self.rates.sum(axis=1) + self.exits)

    def pdf(self, t):
        """Return the density at each time in `t`, array_like (the part that does not wait at all has none)."""
        return self._at(t, lambda phases, left: phases @ self.exits, 0.0, 0.0)

    def logpdf(self, t):
        """Return the logarithm of the density."""
        with np.errstate(divide="ignore"):
            return np.log(self.pdf(t))

    def cdf(self, t):
        """Return the probability of a wait of at most `t`."""
        return self._at(t, lambda phases, left: left, 0.0, 1.0)

    def sf(self, t):
        """Return the probability of a wait of more than `t`."""
        return self._at(t, lambda phases, left: phases.sum(axis=1), 1.0, 0.0)

    def hazard(self, t):
        """Return the rate at which a wait that has lasted for `t` ends."""
        return self.pdf(t) / self.sf(t)

    def _at(self, t, read, before, at_end):
        t = np.asarray(t, dtype=float)
        inside = (t >= 0) & np.isfinite(t)
        times, where = np.unique(np.where(inside, t, 0.0), return_inverse=True)
        states = _phases_at(self.rates, self.exits, np.append(self.initial, max(1.0 - self.initial.sum(), 0.0)), times)
        values = read(states[:, :-1], states[:, -1])[where].reshape(t.shape)
        return np.where(np.isnan(t), np.nan, np.where(inside, values, np.where(t < 0, before, at_end)))[()]

    def moment(self, order):
        r"""Return :math:`\langle t^k \rangle = k!\, \alpha (-T)^{-k} \mathbf 1`."""
        check_whole(order=order)
        return float(self._moments(order)[order])

    def _moments(self, order):
        moments, phases = [1.0], self.initial
        for k in range(1, order + 1):
            phases = k * solve_dominant(self.rates.T, self.exits, phases)
            moments.append(phases.sum())
        return moments

    @cached_property
    def _three(self):
        return self._moments(3)

    def mean(self):
        """Return the mean."""
        return float(self._three[1])

    def var(self):
        """Return the variance."""
        return float(self._three[2] - self._three[1] ** 2)

    def std(self):
        """Return the standard deviation."""
        return float(np.sqrt(self.var()))

    def skewness(self):
        """Return the third central moment over the cube of the standard deviation."""
        _, first, second, third = self._three
        return float((third - 3.0 * first * second + 2.0 * first**3) / self.var() ** 1.5)

    def squared_cv(self):
        """Return variance over squared mean: 1 for one step, below for a chain of steps, above for a choice of ways."""
        return self.var() / self.mean() ** 2

    def ppf(self, q):
        """Return the quantile at each probability in `q`."""
        q = np.asarray(q, dtype=float)
        return np.array([self._quantile(value) for value in q.ravel()]).reshape(q.shape)[()]

    def _quantile(self, q):
        if not 0 <= q <= 1:
            return np.nan
        if q == 1:
            return np.inf
        if q <= max(1.0 - self.initial.sum(), 0.0):
            return 0.0
        high = self.mean()
        while self.sf(high) > 1.0 - q:
            high *= 2.0
        low = high / 2.0
        while self.cdf(low) > q:
            low /= 2.0
        distance = (lambda t: self.cdf(t) - q) if q < 0.5 else (lambda t: (1.0 - q) - self.sf(t))
        return brentq(distance, low, high, xtol=1e-14 * high, rtol=1e-14)

    def median(self):
        """Return the median."""
        return float(self.ppf(0.5))

    def support(self):
        """Return the least and the largest time."""
        return 0.0, np.inf

    def rvs(self, size=None, *, rng):
        """Draw times by walking through the phases.

        Parameters
        ----------
        size : int or tuple of int, optional
            Shape of the result; one time without.
        rng : numpy.random.Generator
        """
        out = np.empty(() if size is None else size)
        totals = self.rates.sum(axis=1) + self.exits
        jumps = np.cumsum(self.rates, axis=1) / totals[:, None]
        _draw_phase_type(np.cumsum(self.initial), jumps, totals, rng, out.reshape(-1))
        return out[()]


def _phases_at(rates, exits, start, times):
    """Return the probabilities of the phases, and last of having left, at rising times: shape (time, phase + 1)."""
    size = len(exits)
    fastest = (rates.sum(axis=1) + exits).max(initial=0.0)
    out = np.empty((len(times), size + 1))
    if fastest == 0:
        out[:] = start
        return out
    step = np.zeros((size + 1, size + 1))  # one step of the chain with all phases left at the fastest rate
    step[:size, :size] = rates / fastest
    step[:size, size] = exits / fastest
    stay = 1.0 - step.sum(axis=1)
    stay[size] = 1.0
    step[np.arange(size + 1), np.arange(size + 1)] = np.maximum(stay, 0.0)
    _fill_phases(step, start, np.diff(times, prepend=0.0) * fastest, out)
    return out


@njit(cache=True, nogil=True)
def _fill_phases(step, start, gaps, out):
    """Row i of `out` is row i - 1 times exp(gap (step - 1)): term by term, or where that is long by squaring."""
    size = len(start)
    v = start.copy()
    matrix = np.empty((size, size))
    for i in range(len(gaps)):
        gap = gaps[i]
        halvings = 0
        while gap / 2.0**halvings > 1.0:
            halvings += 1
        if gap > 0.0 and gap > 1.5 * size * (halvings + 20):
            part = gap / 2.0**halvings
            matrix[:] = 0.0
            for j in range(size):
                matrix[j, j] = 1.0
            for k in range(24, 0, -1):  # Horner: 1 + xS/1 (1 + xS/2 (1 + …))
                matrix = (step @ matrix) * (part / k)
                for j in range(size):
                    matrix[j, j] += 1.0
            # Rows sum to 1: restored after each squaring, so that rounding does not add up over the transitions.
            for squaring in range(halvings + 1):
                if squaring > 0:
                    matrix = matrix @ matrix
                for j in range(size):
                    matrix[j] /= matrix[j].sum()
            v = v @ matrix
        elif gap > 0.0:
            pieces = int(np.ceil(gap / 100.0))
            part = gap / pieces
            for _ in range(pieces):
                term = v * np.exp(-part)
                v = term.copy()
                k = 0
                # A phase that is many steps away gets its first share late: `size` terms at least.
                while k < max(part, size) or np.any(term > 1e-17 * v):
                    k += 1
                    term = (term @ step) * (part / k)
                    v += term
        out[i] = v


@njit(cache=True, nogil=True)
def _draw_phase_type(initial, jumps, totals, rng, out):
    for i in range(len(out)):
        phase = np.searchsorted(initial, rng.random(), side="right")
        time = 0.0
        while phase < len(totals):
            time += rng.standard_exponential() / totals[phase]
            phase = np.searchsorted(jumps[phase], rng.random(), side="right")
        out[i] = time


def phase_type(initial, subgenerator):
    r"""Return the law of the time until a chain of phases is left.

    Parameters
    ----------
    initial : array_like, shape (phase,)
        Probability of each phase at time 0, with a sum of at most 1.
    subgenerator : array_like, shape (phase, phase)
        T: rates from row to column off the diagonal, and minus the rate of leaving the row's phase on it. What a row's
        sum is below 0 is the rate at which the wait ends from there.

    Returns
    -------
    PhaseType

    Raises
    ------
    ParameterError
        If the shapes or signs do not fit, or a wait may never end.

    Notes
    -----
    Use when: a wait has hidden steps [1]_; for common cases see `exponential`, `erlang`, `hypoexponential`,
    `birth_interval`, `dwell_time` and `first_passage_up`.

    References
    ----------
    .. [1] M. F. Neuts, "Matrix-Geometric Solutions in Stochastic Models", Johns Hopkins University Press (1981).

    Examples
    --------
    >>> law = phase_type([1, 0], [[-2, 1], [0, -1]])
    >>> law.mean(), round(float(law.sf(1.0)), 6)
    (1.0, 0.367879)
    """
    initial, matrix = np.array(initial, dtype=float), np.array(subgenerator, dtype=float)
    if initial.ndim != 1 or matrix.shape != (len(initial), len(initial)) or len(initial) == 0:
        raise ParameterError(
            f"initial has one number and subgenerator one row and column for each phase; shapes {initial.shape} and "
            f"{matrix.shape} came"
        )
    if not np.all(np.isfinite(matrix)):
        raise ParameterError("rates are finite")
    sums = matrix.sum(axis=1)
    scale = np.abs(np.diag(matrix))
    if np.any(sums > 1e-12 * scale):
        raise ParameterError(f"rows of a sub-generator sum to at most 0; row {int(np.argmax(sums))} has {sums.max():g}")
    exits = np.where(-sums > 1e-14 * scale, -sums, 0.0)
    return _phase_type(initial, matrix, exits)


def _phase_type(initial, rates, exits):
    """Check and build; the diagonal of `rates` is not read."""
    rates, _ = as_switching(rates)
    if not np.all(np.isfinite(initial)) or initial.min() < 0 or initial.sum() > 1.0 + 1e-12:
        raise ParameterError(f"initial holds probabilities with a sum of at most 1; {initial.tolist()} came")
    ends = exits > 0
    for _ in range(len(exits)):
        ends = ends | np.any((rates > 0) & ends, axis=1)
    if not np.all(ends):
        raise ParameterError(f"from phase {int(np.argmin(ends))} the wait never ends: no way leads out")
    initial, exits = initial / max(initial.sum(), 1.0), np.array(exits, dtype=float)
    for array in (initial, rates, exits):
        array.flags.writeable = False
    return PhaseType(initial, rates, exits)


def exponential(rate):
    r"""Return the law of a wait for one event at a constant rate, :math:`f(t) = k e^{-kt}`.

    Parameters
    ----------
    rate : float
        1/time, above 0.

    Returns
    -------
    PhaseType

    Raises
    ------
    ParameterError
        If the rate does not fit.

    Examples
    --------
    >>> exponential(4.0).mean()
    0.25
    """
    return hypoexponential([rate])


def erlang(steps, rate):
    """Return the law of a wait for `steps` events in a row, each at the same rate.

    Parameters
    ----------
    steps : int
        At least 1.
    rate : float
        Of each step, 1/time, above 0.

    Returns
    -------
    PhaseType

    Raises
    ------
    ParameterError
        If a value does not fit.

    Examples
    --------
    >>> law = erlang(4, rate=2.0)
    >>> law.mean(), law.squared_cv()
    (2.0, 0.25)
    """
    check_whole(steps=steps)
    check_positive(steps=steps)
    return hypoexponential([rate] * int(steps))


def hypoexponential(rates):
    """Return the law of a wait for one event after another, at the given rates.

    Parameters
    ----------
    rates : array_like, shape (step,)
        1/time, above 0; equal ones are no special case.

    Returns
    -------
    PhaseType

    Raises
    ------
    ParameterError
        If a rate does not fit.

    Examples
    --------
    >>> round(hypoexponential([1.0, 2.0, 4.0]).mean(), 10)
    1.75
    """
    rates = list(rates)
    if not rates:
        raise ParameterError("a wait has one step or more; none came")
    for rate in rates:
        check_positive(rate=rate)
    size = len(rates)
    matrix = np.zeros((size, size))
    matrix[np.arange(size - 1), np.arange(1, size)] = rates[:-1]
    exits = np.zeros(size)
    exits[-1] = rates[-1]
    return _phase_type(np.eye(size)[0], matrix, exits)


def birth_interval(rates, s):
    r"""Return the law of the time between two mRNA births of a promoter.

    A birth finds the promoter in state i with probability :math:`\propto \pi_i s_i`; from there the wait is
    phase-type with :math:`T = Q - S`.

    Parameters
    ----------
    rates, s
        As in `promoter`: rates of switching and of synthesis in each state.

    Returns
    -------
    PhaseType
        For a telegraph gene the phases are its states; ``birth_interval([[0, k_on], [k_off, 0]], [0, s])``.

    Raises
    ------
    ParameterError
        If rates do not fit.

    Notes
    -----
    Use when: single births are seen (MS2, PP7), and bursts are to be told from a constant rate: the squared CV of the
    wait is 1 for a constant rate and above 1 for a telegraph gene.

    Examples
    --------
    >>> law = birth_interval([[0, 1.0], [3.0, 0]], [0, 20.0])
    >>> round(law.mean(), 10), round(law.squared_cv(), 10)
    (0.2, 8.5)
    """
    law = promoter(rates, s)
    weights = law.occupancy * law.s
    if weights.sum() == 0:
        raise ParameterError("no state that is visited transcribes: there are no births")
    kept = np.flatnonzero(law.occupancy > 0)
    return _phase_type((weights / weights.sum())[kept], law.switching[np.ix_(kept, kept)], law.s[kept])


def dwell_time(rates, inside):
    r"""Return the law of the time a promoter stays in a set of states, once it has entered it.

    Parameters
    ----------
    rates
        As in `promoter`.
    inside : sequence of str or int
        Names (of a mapping) or numbers (of a matrix) of the states of the set.

    Returns
    -------
    PhaseType
        Over these states in their order; entered in proportion to the stationary flow into each.

    Raises
    ------
    ParameterError
        If states do not fit, or the set is never entered or never left.

    Notes
    -----
    Use when: on and off times are measured: one state has an exponential law, a chain of states a peak away from 0.

    Examples
    --------
    >>> cycle = {("ON", "R"): 8.0, ("R", "OFF"): 4.0, ("OFF", "ON"): 4.0}
    >>> off = dwell_time(cycle, ["R", "OFF"])
    >>> off.mean(), off.squared_cv()
    (0.5, 0.5)
    """
    switching, states = as_switching(rates)
    numbers = [states.index(one) if one in states else one for one in inside]
    if not numbers or any(
        isinstance(i, str | bool) or not isinstance(i, int | np.integer) or not 0 <= i < len(states) for i in numbers
    ):
        raise ParameterError(f"inside names some of the states {', '.join(states)}; {list(inside)!r} came")
    numbers = sorted(set(numbers))
    outside = np.setdiff1d(np.arange(len(states)), numbers)
    entering = stationary_occupancy(switching)[outside] @ switching[np.ix_(outside, numbers)]
    if entering.sum() == 0:
        raise ParameterError("the set of states is never entered from outside")
    exits = switching[np.ix_(numbers, outside)].sum(axis=1)
    return _phase_type(entering / entering.sum(), switching[np.ix_(numbers, numbers)], exits)


def first_passage_up(k, g, n0, level):
    r"""Return the law of the time at which birth and death first reach `level` molecules from `n0` below it.

    Only the counts below the level take part, so that the law is phase-type without any truncation.

    Parameters
    ----------
    k, g : float
        Production (molecules/time, above 0) and loss of each molecule (1/time).
    n0, level : int
        ``n0 < level``.

    Returns
    -------
    PhaseType
        The mean is :math:`\sum_{n=n_0}^{L-1} \sum_{j=0}^{n} \frac{1}{k} \frac{n!}{j!} (g/k)^{n-j}`.

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: a simulated or solved threshold-crossing time is to be checked. Some thousand counts are slow: the
    phases are a dense matrix.

    Examples
    --------
    >>> first_passage_up(k=2.0, g=1.0, n0=0, level=2).mean()
    1.25
    """
    check_positive(k=k)
    check_not_negative(g=g)
    check_whole(n0=n0, level=level)
    if n0 >= level:
        raise ParameterError(f"n0 is below level; {n0} and {level} came")
    rates = np.diag(np.full(level - 1, float(k)), 1) + np.diag(g * np.arange(1.0, level), -1)
    exits = np.zeros(level)
    exits[-1] = k
    return _phase_type(np.eye(level)[n0], rates, exits)

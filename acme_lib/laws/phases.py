"""Laws of waiting times: how long a chain of states lasts until it is left (phase-type laws)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from scipy import sparse
from scipy.optimize import brentq

from acme_lib.arrays import freeze
from acme_lib.checks import check_rng, check_whole, expected
from acme_lib.errors import ParameterError
from acme_lib.laws.count_law import state_cost
from acme_lib.laws.promoters import as_switching, power_of_chain, solve_dominant

MOST_PHASES = 5_000  # a dense matrix of 0.2 GB


@dataclass(frozen=True, eq=False)
class PhaseType:
    r"""Law of the time until a chain of phases is left, in the manner of scipy.stats.

    .. math:: S(t) = \alpha e^{Tt} \mathbf 1, \qquad f(t) = \alpha e^{Tt} (-T \mathbf 1)

    `pdf`, `cdf` and `sf` come from products and sums of numbers that are not negative: each is right in relative terms
    to 1e-12 times the mean waits up to t, also where it is tiny and after 10^13 transitions; so are `ppf` and `isf`,
    in both tails. Moments are right to 1e-12; variance and skewness lose what the mean exceeds the deviation by (some
    four and seven digits at 3,000 equal steps). A moment that no number holds is refused.

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

    @cached_property
    def _at_once(self):
        """Probability of not waiting at all; what rounding leaves of 1 is none."""
        missing = 1.0 - float(self.initial.sum())
        return missing if missing > 1e-14 else 0.0

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
        states = _phases_at(self.rates, self.exits, np.append(self.initial, self._at_once), times)
        values = read(states[:, :-1], states[:, -1])[where].reshape(t.shape)
        return np.where(np.isnan(t), np.nan, np.where(inside, values, np.where(t < 0, before, at_end)))[()]

    def moment(self, order):
        r"""Return :math:`\langle t^k \rangle = k!\, \alpha (-T)^{-k} \mathbf 1`."""
        return self._finite(self._moments(check_whole("order", order))[-1], f"the moment of order {order}")

    def _moments(self, order, unit=1.0):
        """Return the moments of t/unit up to an order; infinite or NaN where no number holds them."""
        moments, phases = [1.0], self.initial
        for k in range(1, order + 1):
            phases = k / unit * solve_dominant(self.rates.T, self.exits, phases)
            moments.append(float(phases.sum()))
        return moments

    def _finite(self, value, what):
        if not np.isfinite(value):
            raise ParameterError(f"{what} of this wait is above 1.8e308: no number holds it")
        return float(value)

    def mean(self):
        """Return the mean."""
        return self._mean

    @cached_property
    def _mean(self):
        return self._finite(self._moments(1)[1], "the mean")

    @cached_property
    def _of_mean(self):
        """Second and third moment over the powers of the mean."""
        return self._moments(3, self._mean)[2:]

    def var(self):
        """Return the variance."""
        return self._finite(self.squared_cv() * self.mean() * self.mean(), "the variance")

    def std(self):
        """Return the standard deviation."""
        return float(np.sqrt(self.squared_cv()) * self.mean())

    def skewness(self):
        """Return the third central moment over the cube of the standard deviation."""
        second, third = self._of_mean
        return float((third - 3.0 * second + 2.0) / self.squared_cv() ** 1.5)

    def squared_cv(self):
        """Return variance over squared mean: 1 for one step, below for a chain of steps, above for a choice of ways."""
        return float(self._of_mean[0] - 1.0)

    def ppf(self, q):
        """Return the quantile at each probability in `q`; relative errors are those of `cdf` and `sf` in both tails."""
        return self._quantiles(q, 0.0, np.inf, lambda q: self._quantile(q, q < 0.5))

    def isf(self, q):
        """Return the time that is exceeded with each probability in `q`: small ones keep their digits."""
        return self._quantiles(q, np.inf, 0.0, lambda q: self._quantile(1.0 - q, q > 0.5, above=q))

    def _quantiles(self, q, at_0, at_1, inside):
        q = np.asarray(q, dtype=float)
        ends = {0.0: at_0, 1.0: at_1}
        values = [ends[one] if one in ends else (inside(one) if 0 < one < 1 else np.nan) for one in q.ravel().tolist()]
        return np.array(values, dtype=float).reshape(q.shape)[()]

    def _quantile(self, q, low_tail, above=None):
        """Solve cdf(t) = q in the lower tail, or sf(t) = 1 - q in the upper one, for log t between t/2 and t."""
        if q <= self._at_once:
            return 0.0
        share, part = (self.cdf, q) if low_tail else (self.sf, 1.0 - q if above is None else above)
        sign = 1.0 if low_tail else -1.0

        def excess(t):
            found = share(t)
            return sign * (np.log(found / part) if found > 0 else -np.inf)

        high = self.mean()
        while excess(high) < 0:
            high *= 2.0
        while excess(0.5 * high) > 0:
            high *= 0.5
        if excess(0.5 * high) == -np.inf:
            return 0.5 * high
        return float(high * np.exp(brentq(lambda w: excess(high * np.exp(w)), -np.log(2.0), 0.0, xtol=1e-15)))

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
        check_rng(rng)
        out = np.empty(() if size is None else size)
        totals = self.rates.sum(axis=1) + self.exits
        with np.errstate(all="ignore"):
            steps = out.size * float(totals @ solve_dominant(self.rates.T, self.exits, self.initial))
        self._finite(steps, "the number of transitions")
        state_cost(2e-8 * steps, f"{out.size:,} waits take some {steps:.2g} transitions,")
        starts = np.cumsum(self.initial)
        starts[-1] = 1.0 - self._at_once
        jumps = np.cumsum(self.rates, axis=1) / totals[:, None]
        place, flat = np.array([0.0, -1.0, 0.0]), out.reshape(-1)
        while place[0] < len(flat):  # in parts, so that it can be stopped
            _draw_phase_type(starts, jumps, totals, rng, flat, place, 5_000_000)
        return out[()]


def _phases_at(rates, exits, start, times):
    """Return the probabilities of the phases, and last of having left, at rising times: shape (time, phase + 1).

    Row i is row i - 1 times exp(gap (step - 1)), `step` the chain with all phases left at the fastest rate: term by
    term, or where that is long by squaring.
    """
    size = len(exits) + 1
    fastest = (rates.sum(axis=1) + exits).max(initial=0.0)
    out = np.empty((len(times), size))
    if fastest == 0:
        out[:] = start
        return out
    step = np.zeros((size, size))
    step[:-1, :-1] = rates / fastest
    step[:-1, -1] = exits / fastest
    stay = 1.0 - step.sum(axis=1)
    stay[-1] = 1.0
    np.fill_diagonal(step, np.maximum(stay, 0.0))
    rows = sparse.csr_array(step)
    gaps = np.diff(times, prepend=0.0) * fastest
    halvings = np.ceil(np.log2(np.maximum(gaps, 1.0))).astype(int)
    squared = gaps * rows.nnz > 1.5 * float(size) ** 3 * (halvings + 20)
    longest = min(600.0, max(100.0, size / 4))  # of a part, in transitions: e^-part is a number
    parts = np.where(squared, 0, np.ceil(gaps / longest)).astype(np.int64)
    seconds = 2e-10 * size**3 * (halvings + 24)[squared].sum()
    seconds += 2e-9 * rows.nnz * (parts * np.maximum(size, 2.0 * longest)).sum()
    state_cost(seconds, f"{len(times)} times of a wait with {len(exits):,} phases take")
    v = start.copy()
    for i, gap in enumerate(gaps):
        if squared[i]:
            v = v @ power_of_chain(step, gap)
        for _ in range(parts[i]):
            v = _advance(v, gap / parts[i], rows.indptr, rows.indices, rows.data)
        out[i] = v
    return out


@njit(cache=True, nogil=True)
def _advance(v, part, indptr, indices, data):
    """Return v exp(part (step - 1)), term by term."""
    size = len(v)
    term = v * np.exp(-part)
    total = term.copy()
    k = 0
    # A phase that is many steps away gets its first share late: `size` terms at least.
    while k < max(part, size) or np.any(term > 1e-17 * total):
        k += 1
        following = np.zeros(size)
        for i in range(size):
            if term[i] > 0.0:
                share = term[i] * (part / k)
                for j in range(indptr[i], indptr[i + 1]):
                    following[indices[j]] += share * data[j]
        term = following
        total += term
    return total


@njit(cache=True, nogil=True)
def _draw_phase_type(starts, jumps, totals, rng, out, place, budget):
    """Fill `out` from `place` (number of the wait, phase or -1, time so far) on, with at most `budget` transitions."""
    i, phase, time = int(place[0]), int(place[1]), place[2]
    while i < len(out) and budget > 0:
        if phase < 0:
            phase = np.searchsorted(starts, rng.random(), side="right")
            time = 0.0
        while phase < len(totals) and budget > 0:
            time += rng.standard_exponential() / totals[phase]
            phase = np.searchsorted(jumps[phase], rng.random(), side="right")
            budget -= 1
        if phase == len(totals):
            out[i] = time
            i += 1
            phase = -1
    place[0], place[1], place[2] = i, phase, time


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
        shapes = (initial.shape, matrix.shape)
        raise expected("initial and subgenerator", "of shapes (phase,) and (phase, phase)", shapes)
    if not np.all(np.isfinite(matrix)):
        raise expected("subgenerator", "finite", matrix.tolist())
    sums = matrix.sum(axis=1)
    scale = np.abs(np.diag(matrix))
    if np.any(sums > 1e-12 * scale):
        raise expected(f"the sum of row {int(np.argmax(sums))} of a subgenerator", "at most 0", sums.max())
    exits = np.where(-sums > 1e-14 * scale, -sums, 0.0)
    return build_phase_type(initial, matrix, exits)


def build_phase_type(initial, rates, exits):
    """Return the law of checked rates between phases and out of them; the diagonal of `rates` is not read."""
    check_whole("the number of phases", len(exits), 1, MOST_PHASES)
    rates, _ = as_switching(rates)
    if not np.all(np.isfinite(initial)) or initial.min() < 0 or initial.sum() > 1.0 + 1e-12:
        raise expected("initial", "probabilities with a sum of at most 1", initial.tolist())
    ways, ends, before = sparse.csr_array(rates > 0), exits > 0, None
    while before is None or np.any(ends != before):
        before, ends = ends, ends | (ways @ ends)
    if not np.all(ends):
        raise ParameterError(f"from phase {int(np.argmin(ends))} the wait never ends: no way leads out")
    return PhaseType(*freeze(initial / max(initial.sum(), 1.0), rates, np.array(exits, dtype=float)))

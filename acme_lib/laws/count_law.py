"""What every law of a count can do, built on one table of log-probabilities."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from acme_lib.arrays import freeze
from acme_lib.checks import expected
from acme_lib.distance import law_distance
from acme_lib.errors import LargeProblemWarning, ParameterError

MOST_COUNTS = 50_000_000  # the largest table: 0.4 GB


class CountLaw:
    """A law of a number of molecules, in the manner of scipy.stats.

    A law gives `log_table`, the log-probabilities of 0, 1, … up to a count beyond which less than 1e-16 is left, and
    replaces what it knows in closed form. Accuracy is stated by each law; unless it says otherwise a probability is
    right to 1e-10 of itself where it is above 1e-30 and to 1e-30 below, `cdf` and `sf` are right to 1e-12 and moments
    to 1e-10 of themselves.

    Use when: any law here is to be looked up, compared or sampled; all answer to the same names.

    Examples
    --------
    >>> from acme_lib import laws
    >>> law = laws.telegraph(k_on=1, k_off=3, s=20)
    >>> round(float(law.pmf(0)), 6), round(law.fano_factor(), 6), float(law.ppf(0.5))
    (0.13575, 4.0, 4.0)
    """

    def log_table(self, last=0):
        """Return the log-probabilities of the counts 0, 1, … to `last` at least, and to all that can be reached.

        Parameters
        ----------
        last : int

        Returns
        -------
        ndarray
        """
        raise NotImplementedError

    @cached_property
    def _logs(self):
        return freeze(self.log_table())

    @cached_property
    def _cumulative(self):
        return np.minimum(np.cumsum(np.exp(self._logs)), 1.0)

    @cached_property
    def _above(self):
        p = np.exp(self._logs)
        return np.minimum(np.append(np.cumsum(p[:0:-1])[::-1], 0.0), 1.0)

    def table(self):
        """Return the probabilities of 0, 1, … up to a count beyond which less than 1e-16 is left, ndarray."""
        with np.errstate(under="ignore"):
            return np.exp(self._logs)

    def pmf(self, n):
        """Return the probability of each count in `n`, an array_like of numbers (0 where not a whole count)."""
        with np.errstate(under="ignore"):
            return np.exp(self.logpmf(n))

    def logpmf(self, n):
        """Return the logarithm of the probability of each count in `n` (-inf where not a whole count)."""
        n = np.asarray(n, dtype=float)
        valid = (n >= 0) & (np.floor(n) == n) & np.isfinite(n)
        counts = np.where(valid, n, 0)
        top = counts.max(initial=0)
        if top > MOST_COUNTS:
            raise expected("n", f"at most {MOST_COUNTS:,}, what a table of this law can hold", top)
        table = self._logs if top < len(self._logs) else self.log_table(int(top))
        return np.where(valid, table[counts.astype(np.int64)], np.where(np.isnan(n), np.nan, -np.inf))[()]

    def cdf(self, n):
        """Return the probability of at most `n`."""
        return self._look_up(n, self._cumulative, 0.0)

    def sf(self, n):
        """Return the probability of more than `n`, summed from the far end: small values keep their digits."""
        return self._look_up(n, self._above, 1.0)

    def _look_up(self, n, table, below):
        n = np.asarray(n, dtype=float)
        counts = np.where(np.isnan(n), 0, np.clip(np.floor(n), 0, len(table) - 1)).astype(np.int64)
        return np.where(np.isnan(n), np.nan, np.where(n >= 0, table[counts], below))[()]

    def ppf(self, q):
        """Return the quantile, the least count n with cdf(n) ≥ q; as in scipy.stats -1 at 0, and infinity at 1."""
        q = np.asarray(q, dtype=float)
        inside = np.searchsorted(self._cumulative, np.where((q > 0) & (q < 1), q, 0.5)).astype(float)
        inside = np.minimum(inside, len(self._cumulative) - 1.0)
        ends = np.where(q == 0, -1.0, np.where(q == 1, np.inf, np.nan))
        return np.where((q > 0) & (q < 1), inside, ends)[()]

    def isf(self, q):
        """Return the least count n with sf(n) ≤ q."""
        q = np.asarray(q, dtype=float)
        above = self._above[::-1]
        inside = len(above) - np.searchsorted(above, np.where((q > 0) & (q < 1), q, 0.5), side="right").astype(float)
        ends = np.where(q == 0, np.inf, np.where(q == 1, -1.0, np.nan))
        return np.where((q > 0) & (q < 1), inside, ends)[()]

    def median(self):
        """Return the median."""
        return float(self.ppf(0.5))

    def interval(self, confidence):
        """Return the counts between which the middle part `confidence` of the law lies."""
        return float(self.ppf(0.5 - 0.5 * confidence)), float(self.ppf(0.5 + 0.5 * confidence))

    def support(self):
        """Return the least and the largest count."""
        return 0, np.inf

    def mean(self):
        """Return the mean."""
        p = self.table()
        return float(p @ np.arange(len(p)) / p.sum())

    def var(self):
        """Return the variance."""
        return self._central_moment(2)

    def third_cumulant(self):
        """Return the third central moment."""
        return self._central_moment(3)

    def _central_moment(self, order):
        p = self.table()
        return float(p @ (np.arange(len(p)) - self.mean()) ** order / p.sum())

    def std(self):
        """Return the standard deviation."""
        return float(np.sqrt(self.var()))

    def skewness(self):
        """Return the third central moment over the cube of the standard deviation; NaN for a fixed count."""
        variance = self.var()
        return float(self.third_cumulant() / variance / np.sqrt(variance)) if variance > 0 else float("nan")

    def fano_factor(self):
        """Return variance over mean; NaN where there is nothing."""
        mean = self.mean()
        return float(self.var() / mean) if mean > 0 else float("nan")

    def rvs(self, size=None, *, rng):
        """Draw counts.

        Parameters
        ----------
        size : int or tuple of int, optional
            Shape of the result; one count without.
        rng : numpy.random.Generator
        """
        drawn = np.searchsorted(self._cumulative, rng.random(size), side="right")
        return np.minimum(drawn, len(self._cumulative) - 1)[()]


@dataclass(frozen=True, eq=False)
class Tabulated(CountLaw):
    """A law given by its probabilities, such as a solved master equation's marginal.

    Attributes
    ----------
    probabilities : ndarray, shape (count,)
        Of 0, 1, …; they sum to 1.
    """

    probabilities: np.ndarray

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`)."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.probabilities)
        return np.append(logs, np.full(max(last + 1 - len(logs), 0), -np.inf))

    def support(self):
        """Return the least and the largest count."""
        reached = np.flatnonzero(self.probabilities)
        return int(reached[0]), int(reached[-1])


def tabulated(probabilities):
    """Return the law with the given probabilities of 0, 1, 2 and so on.

    Parameters
    ----------
    probabilities : array_like, shape (count,)
        Not negative (below -1e-12 is refused, the rest is cut to 0), of a sum within 1e-6 of 1; they are normalised.

    Returns
    -------
    Tabulated

    Raises
    ------
    ParameterError
        If they are no probabilities.

    Notes
    -----
    Use when: a solved or measured histogram is to be compared with an exact law, or is the law of a burst's size.

    Examples
    --------
    >>> law = tabulated([0.5, 0.25, 0.25])
    >>> law.mean(), float(law.sf(0))
    (0.75, 0.5)
    """
    try:
        p = np.array(probabilities, dtype=float)
    except (TypeError, ValueError):
        p = np.empty(0)
    if p.ndim != 1 or len(p) == 0 or not np.all(np.isfinite(p)) or p.min() < -1e-12 or abs(p.sum() - 1.0) > 1e-6:
        raise expected("probabilities", "one row of numbers of at least 0 with the sum 1", probabilities)
    p = np.maximum(p, 0.0)
    return Tabulated(freeze(p / p.sum()))


def measure_distance(law, other):
    r"""Return the total variation distance of two laws of counts, :math:`\tfrac12 \sum_n |P(n) - Q(n)|`.

    Parameters
    ----------
    law, other : CountLaw

    Returns
    -------
    float
        Between 0 and 1: the largest difference of the probabilities of any event.

    Notes
    -----
    Use when: an approximate law stands in for an exact one, and the error is to be known.

    Examples
    --------
    >>> from acme_lib import laws
    >>> round(measure_distance(laws.poisson(10), laws.negative_binomial(r=10, b=1)), 4)
    0.1674
    """
    for name, one in (("law", law), ("other", other)):
        if not isinstance(one, CountLaw):
            raise expected(name, "a law of counts of acme_lib.laws", one)
    return float(min(law_distance(law.table(), other.table()), 1.0))


def state_cost(seconds, words):
    """Say before it begins that a computation takes long: nothing below 20 s, and a refusal above ten days."""
    if seconds > 1e6:
        raise ParameterError(f"{words} more than ten days")
    if seconds > 20.0:
        warnings.warn(f"{words} about {seconds:,.0f} s; it can be interrupted", LargeProblemWarning, stacklevel=4)


def check_top(top):
    """Raise `ParameterError` if a table up to `top` does not fit."""
    if not top <= MOST_COUNTS:
        raise ParameterError(f"counts up to {top:.3g} do not fit: a table holds {MOST_COUNTS:,}")

"""Production at a constant rate and loss of each molecule: Poisson, and on the way there binomial plus Poisson."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from acme_lib.errors import ParameterError
from acme_lib.laws.rates import check_not_negative, check_positive


def birth_death(k, gamma):
    r"""Return the stationary law of ``0 -> M : k``, ``M -> 0 : gamma``.

    .. math:: P(n) = e^{-\mu} \mu^n / n!, \qquad \mu = k/\gamma

    Parameters
    ----------
    k : float
        Production, in molecules per unit of time.
    gamma : float
        Loss of each molecule, in 1/time.

    Returns
    -------
    scipy.stats frozen distribution
        Poisson, with `pmf`, `cdf`, `mean`, `var`, `rvs`, …

    Raises
    ------
    ParameterError
        If a rate is negative or not finite, or `gamma` is 0.

    Examples
    --------
    >>> law = birth_death(k=20, gamma=2)
    >>> float(law.mean()), float(law.var())
    (10.0, 10.0)
    """
    check_not_negative(k=k)
    check_positive(gamma=gamma)
    return stats.poisson(k / gamma)


@dataclass(frozen=True)
class BirthDeathTransient:
    """The law of survivors plus newcomers: Binomial(n0, survival) + Poisson(newcomers), independent.

    Attributes
    ----------
    n0 : int
        Molecules at the start.
    survival : float
        Probability that one of them is still there.
    newcomers : float
        Mean number of molecules that were made since and are still there.
    """

    n0: int
    survival: float
    newcomers: float

    def pmf(self, n):
        """Return the probability of each count in `n`, an array_like of numbers (0 where not a whole count)."""
        return self._look_up(n, stats.poisson(self.newcomers).pmf, whole_only=True)

    def cdf(self, n):
        """Return the probability of at most `n`."""
        return self._look_up(n, stats.poisson(self.newcomers).cdf, whole_only=False)

    def mean(self):
        """Return the mean."""
        return self.n0 * self.survival + self.newcomers

    def var(self):
        """Return the variance."""
        return self.n0 * self.survival * (1.0 - self.survival) + self.newcomers

    def std(self):
        """Return the standard deviation."""
        return float(np.sqrt(self.var()))

    def rvs(self, size=None, *, rng):
        """Draw counts.

        Parameters
        ----------
        size : int or tuple of int, optional
            Shape of the result; one count without.
        rng : numpy.random.Generator
        """
        return rng.binomial(self.n0, self.survival, size) + rng.poisson(self.newcomers, size)

    def _look_up(self, n, newcomers_law, whole_only):
        n = np.asarray(n, dtype=float)
        counts = np.floor(n)
        valid = (n >= 0) & ((counts == n) | (not whole_only))
        # Beyond this count less than 1e-300 is left, by Bernstein's bound (so that an infinite n has an answer too).
        last = self.n0 + int(self.newcomers + 231 + np.sqrt(231**2 + 1382 * self.newcomers)) + 1
        counts = np.where(valid, np.minimum(counts, last), 0).astype(np.int64)
        top = int(counts.max(initial=0))
        survivors = stats.binom(self.n0, self.survival).pmf(np.arange(min(self.n0, top) + 1))
        newcomers = newcomers_law(np.arange(top + 1))
        for part in (survivors, newcomers):
            part[part < 1e-300] = 0.0  # numbers below the normal range would slow the sum down a hundredfold
        table = np.convolve(survivors, newcomers)[: top + 1]
        return np.where(valid, table[counts], np.where(np.isnan(n), np.nan, 0.0))[()]


def birth_death_transient(k, gamma, n0, t):
    r"""Return the law at time `t` of ``0 -> M : k``, ``M -> 0 : gamma`` started with `n0` molecules.

    Each of the first molecules is still there with probability :math:`q = e^{-\gamma t}`; the newcomers are Poisson:

    .. math:: n(t) \sim \mathrm{Binomial}(n_0, q) + \mathrm{Poisson}\!\left(\tfrac{k}{\gamma}(1 - q)\right)

    Parameters
    ----------
    k, gamma : float
        Production (molecules per unit of time) and loss (1/time).
    n0 : int
        Molecules at time 0.
    t : float
        Time, not negative.

    Returns
    -------
    BirthDeathTransient
        With `pmf`, `cdf`, `mean`, `var`, `std` and ``rvs(size, rng=rng)``.

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: a simulator or a solver in time is to be checked against a law without error.

    References
    ----------
    .. [1] T. Jahnke, W. Huisinga, J. Math. Biol. 54, 1 (2007). doi:10.1007/s00285-006-0034-x

    Examples
    --------
    >>> law = birth_death_transient(k=10, gamma=1, n0=5, t=0.5)
    >>> round(law.mean(), 6), round(law.var(), 6)
    (6.967347, 5.127949)
    """
    check_not_negative(k=k, t=t)
    check_positive(gamma=gamma)
    if isinstance(n0, bool) or not isinstance(n0, int | np.integer) or n0 < 0:
        raise ParameterError(f"n0 is a whole number of molecules of at least 0; {n0!r} came")
    return BirthDeathTransient(int(n0), float(np.exp(-gamma * t)), float(-k / gamma * np.expm1(-gamma * t)))

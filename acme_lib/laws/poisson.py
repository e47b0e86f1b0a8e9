"""The laws of molecules made one by one, and in geometric bursts: Poisson and negative binomial."""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from acme_lib.checks import check_not_negative
from acme_lib.laws.count_law import CountLaw, check_top


@dataclass(frozen=True)
class Poisson(CountLaw):
    """The Poisson law.

    Attributes
    ----------
    mu : float
        Mean, molecules.
    """

    mu: float

    def logpmf(self, n):
        """Return the logarithm of the probability of each count in `n` (-inf where not a whole count)."""
        return _over_counts(n, self._log_of)

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`)."""
        top = max(last, int(self.mu + 12.0 * np.sqrt(self.mu)) + 60)
        check_top(top)
        return self._log_of(np.arange(top + 1.0))

    def _log_of(self, n):
        if self.mu == 0:
            return np.where(n == 0, 0.0, -np.inf)
        many = np.where(n > 0, n, 1.0)
        logs = -stirling_error(many) - deviance(many, self.mu) - 0.5 * np.log(2.0 * np.pi * many)
        return np.where(n > 0, logs, -self.mu)

    def cdf(self, n):
        """Return the probability of at most `n`."""
        return stats.poisson.cdf(np.asarray(n, dtype=float), self.mu)[()]

    def sf(self, n):
        """Return the probability of more than `n`."""
        return stats.poisson.sf(np.asarray(n, dtype=float), self.mu)[()]

    def mean(self):
        """Return the mean."""
        return self.mu

    def var(self):
        """Return the variance, the mean."""
        return self.mu

    def third_cumulant(self):
        """Return the third central moment, the mean."""
        return self.mu

    def rvs(self, size=None, *, rng):
        """Draw counts of the shape `size` with the numpy.random.Generator `rng`."""
        return rng.poisson(self.mu, size)


def poisson(mu):
    r"""Return the Poisson law, :math:`P(n) = e^{-\mu} \mu^n/n!`.

    Parameters
    ----------
    mu : float
        Mean, molecules, at least 0.

    Returns
    -------
    Poisson

    Raises
    ------
    ParameterError
        If the mean is negative or not finite.

    Notes
    -----
    Use when: molecules come one by one at a constant rate and are lost independently. Probabilities are right to
    1e-13 of themselves near the mean also for means of 10^6, where differences of log-gamma functions lose digits [1]_.

    References
    ----------
    .. [1] C. Loader, "Fast and accurate computation of binomial probabilities" (2000).

    Examples
    --------
    >>> law = poisson(4.0)
    >>> law.fano_factor(), law.skewness()
    (1.0, 0.5)
    """
    check_not_negative(mu=mu)
    return Poisson(float(mu))


@dataclass(frozen=True)
class NegativeBinomial(CountLaw):
    """The negative binomial law as the field writes it.

    Attributes
    ----------
    r : float
        Bursts in one lifetime of the molecule.
    b : float
        Mean size of a burst, molecules.
    """

    r: float
    b: float

    def logpmf(self, n):
        """Return the logarithm of the probability of each count in `n` (-inf where not a whole count)."""
        return _over_counts(n, self._log_of)

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`)."""
        reach = 40.0
        while self.sf(reach) > 1e-17:
            reach *= 1.5
            check_top(reach)
        return self._log_of(np.arange(max(last, int(reach)) + 1.0))

    def _log_of(self, n):
        r, b = self.r, self.b
        if r == 0 or b == 0:
            return np.where(n == 0, 0.0, -np.inf)
        many = np.where(n > 0, n, 1.0)
        both = many + r
        logs = stirling_error(both) - stirling_error(r) - stirling_error(many)
        logs -= deviance(r, both / (1.0 + b)) + deviance(many, both * (b / (1.0 + b)))
        logs += 0.5 * (np.log(r) - np.log(2.0 * np.pi * many) - np.log(both))
        return np.where(n > 0, logs, -r * np.log1p(b))

    def cdf(self, n):
        """Return the probability of at most `n`."""
        return self._sum_of(n, lambda n: special.betainc(self.r, n + 1.0, 1.0 / (1.0 + self.b)), 1.0)

    def sf(self, n):
        """Return the probability of more than `n`."""
        return self._sum_of(n, lambda n: special.betainc(n + 1.0, self.r, self.b / (1.0 + self.b)), 0.0)

    def _sum_of(self, n, of_counts, at_end):
        n = np.asarray(n, dtype=float)
        if self.r == 0 or self.b == 0:
            inside = np.full(n.shape, at_end)
        else:
            finite = np.isfinite(n) & (n >= 0)
            inside = np.where(finite, of_counts(np.where(finite, np.floor(n), 0.0)), at_end)
        return np.where(np.isnan(n), np.nan, np.where(n >= 0, inside, 1.0 - at_end))[()]

    def mean(self):
        """Return the mean, r b."""
        return self.r * self.b

    def var(self):
        """Return the variance, r b (1 + b)."""
        return self.r * self.b * (1.0 + self.b)

    def third_cumulant(self):
        """Return the third central moment, r b (1 + b)(1 + 2b)."""
        return self.var() * (1.0 + 2.0 * self.b)

    def rvs(self, size=None, *, rng):
        """Draw counts of the shape `size` with the numpy.random.Generator `rng`."""
        return rng.poisson(self.b * rng.gamma(self.r, size=size))


def negative_binomial(r, b):
    r"""Return the negative binomial law of burst frequency `r` and burst size `b`.

    .. math::

        P(n) = \frac{\Gamma(n + r)}{n!\,\Gamma(r)} \left(\frac{b}{1+b}\right)^n \left(\frac{1}{1+b}\right)^r, \qquad
        \langle n \rangle = r b, \quad F = 1 + b, \quad \text{skewness} = \frac{1 + 2b}{\sqrt{rb(1+b)}}

    Parameters
    ----------
    r : float
        Bursts in one lifetime of the molecule (production of bursts over loss), at least 0; need not be whole.
    b : float
        Mean size of a burst, molecules, at least 0.

    Returns
    -------
    NegativeBinomial

    Raises
    ------
    ParameterError
        If a value is negative or not finite.

    Notes
    -----
    Use when: bursts of geometric size are short against the molecule's life and come at random [1]_. scipy.stats
    writes the same law ``nbinom(r, 1/(1 + b))``; here small `b` loses no digits.

    References
    ----------
    .. [1] V. Shahrezaei, P. S. Swain, PNAS 105, 17256 (2008). doi:10.1073/pnas.0803850105

    Examples
    --------
    >>> law = negative_binomial(r=2, b=5)
    >>> law.mean(), law.fano_factor()
    (10.0, 6.0)
    """
    check_not_negative(r=r, b=b)
    return NegativeBinomial(float(r), float(b))


def _over_counts(n, log_of):
    n = np.asarray(n, dtype=float)
    valid = (n >= 0) & (np.floor(n) == n) & np.isfinite(n)
    return np.where(valid, log_of(np.where(valid, n, 0.0)), np.where(np.isnan(n), np.nan, -np.inf))[()]


def stirling_error(n):
    """Return log Γ(n+1) - log(√(2πn) (n/e)^n) of numbers above 0."""
    n = np.asarray(n, dtype=float)
    small = np.where(n < 16.0, n, 1.0)
    exact = special.gammaln(small + 1.0) - (small + 0.5) * np.log(small) + small - 0.5 * np.log(2.0 * np.pi)
    u = 1.0 / np.maximum(n, 16.0)
    w = u * u
    coefficients = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
    return np.where(n < 16.0, exact, u * np.polynomial.polynomial.polyval(w, coefficients))


def deviance(n, mu):
    """Return n log(n/mu) + mu - n, of numbers above 0, without loss where they are close."""
    n, mu = np.broadcast_arrays(np.asarray(n, dtype=float), np.asarray(mu, dtype=float))
    v = (n - mu) / (n + mu)
    near = np.abs(v) < 0.1
    w = np.where(near, v, 0.0) ** 2
    terms = np.polynomial.polynomial.polyval(w, [0.0, *(1.0 / (2 * j + 1) for j in range(1, 10))])
    least = np.maximum(mu, 1e-200)  # so that the quotient is finite
    logarithm = np.log(n / least) + (np.log(least) - np.log(mu))
    return np.where(near, (n - mu) * v + 2.0 * n * v * terms, n * logarithm + mu - n)

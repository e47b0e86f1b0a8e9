"""A negative binomial law fitted to counts: how often a gene bursts, and how many molecules a burst makes."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from scipy.special import gammaln, xlogy

from acme_lib.errors import CannotTellWarning
from acme_lib.laws.poisson import deviance
from acme_lib.noise.profile import NOT_BETTER, CountsFit, Fitted, drop_of, profile_ends, say_open_ends
from acme_lib.noise.samples import check_counts, check_level

_LOG_RANGE = 18.0  # of r: e^-18 … e^18; beyond it a negative binomial law of any data at hand is a Poisson law
_TABLE = 4096  # factors of Γ(r+x)/Γ(r) that are taken one by one


@dataclass(frozen=True)
class NegativeBinomialFit(CountsFit):
    """A negative binomial law fitted to counts.

    Attributes
    ----------
    mean : Fitted
    burst_frequency : Fitted
        r, bursts in one lifetime of the molecule, k_on/γ. Infinite for a Poisson law, NaN where nothing was seen.
    burst_size : Fitted
        b, molecules a burst on average, s/k_off. 0 for a Poisson law, NaN where nothing was seen.
    n, log_likelihood, level, cannot_tell
        As in `CountsFit`.
    """

    mean: Fitted
    burst_frequency: Fitted
    burst_size: Fitted

    @property
    def law(self):
        """The fitted law (scipy.stats)."""
        r, mean = self.burst_frequency.value, self.mean.value
        return stats.nbinom(r, r / (r + mean)) if np.isfinite(r) else stats.poisson(mean)


def fit_negative_binomial(counts, *, level=0.95):
    r"""Fit a negative binomial law: how often a gene bursts, and how many molecules a burst makes.

    .. math:: P(n) = \frac{\Gamma(r+n)}{\Gamma(r)\,n!} \left(\frac{b}{1+b}\right)^n (1+b)^{-r}, \qquad
              \mu = rb,\quad F = 1 + b

    Parameters
    ----------
    counts : array_like of int, shape (cell,)
        One count from each cell, independent.
    level : float
        Of the profile intervals.

    Returns
    -------
    NegativeBinomialFit

    Raises
    ------
    ParameterError
        If the counts are not whole numbers of at least 0, or fewer than two.

    Warns
    -----
    CannotTellWarning
        If the data are no noisier than a Poisson law may be (then b may be 0 and r infinite; the mean is all they
        tell), all counts are zero, or a parameter has no bound on one side.

    Notes
    -----
    The maximum is found by a bracketed root, and is unique: it is a Poisson law if and only if the population variance
    does not exceed the mean [1]_.

    Use when: bursts are short and rare, k_off well above k_on and γ. It is *not* the law of slow switching, whose
    counts have two modes: see `fit_telegraph`.

    References
    ----------
    .. [1] F. J. Anscombe, Biometrika 37, 358 (1950). doi:10.1093/biomet/37.3-4.358
    .. [2] A. Raj, C. S. Peskin, D. Tranchina, D. Y. Vargas, S. Tyagi, PLOS Biol. 4, e309 (2006).
       doi:10.1371/journal.pbio.0040309

    Examples
    --------
    >>> counts = np.random.default_rng(1).negative_binomial(2.0, 1 / (1 + 5.0), 1000)
    >>> fit = fit_negative_binomial(counts)
    >>> fit.burst_size.low < 5.0 < fit.burst_size.high
    True
    >>> round(fit.burst_frequency.value, 2), round(fit.burst_size.value, 1)
    (2.14, 4.8)
    """
    check_level(level)
    likelihood = NegativeBinomialLikelihood(check_counts(counts))
    fit = find_negative_binomial(likelihood, level)
    if fit.cannot_tell:
        warnings.warn(fit.cannot_tell, CannotTellWarning, stacklevel=2)
    return fit


def best_negative_binomial(counts):
    """Return the negative binomial law of largest likelihood (Poisson at its limit), and nothing else.

    Parameters
    ----------
    counts : array_like of int, shape (cell,)

    Returns
    -------
    frozen law of scipy.stats

    Notes
    -----
    That of `fit_negative_binomial`, without intervals, which take most of its time. Use when: the law of many data sets
    is wanted, not what each of them can tell.
    """
    likelihood = NegativeBinomialLikelihood(check_counts(counts))
    if likelihood.mean == 0:
        return stats.poisson(0.0)
    log_r, mean = likelihood.best_log_r(), likelihood.mean
    if log_r == _LOG_RANGE:
        return stats.poisson(mean)
    return stats.nbinom(np.exp(log_r), 1.0 / (1.0 + mean * np.exp(-log_r)))


def find_negative_binomial(likelihood, level):
    """Return the fit, without a warning."""
    n, mean = likelihood.n, likelihood.mean
    unknown = Fitted(np.nan, 0.0, np.inf)
    if mean == 0:
        words = "all counts are zero: the data bound neither burst size nor burst frequency, nor the mean from above"
        return NegativeBinomialFit(
            Fitted(0.0, 0.0, np.inf), unknown, unknown, n=n, log_likelihood=0.0, level=level, cannot_tell=words
        )
    drop = drop_of(n, level)
    log_r = likelihood.best_log_r()
    best = likelihood.at(log_r, mean)

    def of_frequency(u):
        return likelihood.at(u, mean)

    def of_size(u):
        return likelihood.best_at_size(u)

    def of_mean(u):
        return likelihood.best_at_mean(u)

    low, high = profile_ends(of_frequency, log_r, best, drop, -_LOG_RANGE, _LOG_RANGE)
    poisson_fits = best - likelihood.poisson < drop
    r = Fitted(float(np.exp(log_r)), low, high)
    log_b = np.log(mean) - log_r
    b_low, b_high = profile_ends(of_size, log_b, best, drop, np.log(mean) - _LOG_RANGE, max(30.0, log_b + 5.0))
    b = Fitted(float(np.exp(log_b)), b_low, b_high)
    if best - likelihood.poisson < NOT_BETTER:
        r, b = Fitted(np.inf, low, np.inf), Fitted(0.0, 0.0, b_high)
    mu = Fitted(mean, *profile_ends(of_mean, np.log(mean), best, drop, np.log(mean) - 30, np.log(mean) + 30))
    words = say_open_ends({"mean": mu, "burst_frequency": r, "burst_size": b}, n)
    if poisson_fits:
        words = (
            f"a Poisson law fits these {n} counts nearly as well: they tell the mean, and that a burst makes at most "
            f"{b.high:.3g} molecules, but not burst size and burst frequency apart"
        )
    return NegativeBinomialFit(mu, r, b, n=n, log_likelihood=float(best), level=level, cannot_tell=words)


class NegativeBinomialLikelihood:
    """The log-likelihood of counts, written so that it loses no digits as r grows."""

    def __init__(self, x):
        self.n = len(x)
        self.mean = float(x.mean())
        # Γ(r+x)/Γ(r) is a product over j < x; cells with a count above j share its factor. The factors of large counts
        # from _TABLE on are summed by Euler and Maclaurin, to rounding: memory does not grow with the counts.
        above = self.n - np.cumsum(np.bincount(np.minimum(x, _TABLE)))
        self.j = np.arange(len(above), dtype=float)[above > 0]
        self.above = above[above > 0].astype(float)
        values, cells = np.unique(x[x > _TABLE], return_counts=True)
        self.far, self.cells = values.astype(float), cells.astype(float)
        self.total = float(x.sum())
        self.constant = float(gammaln(x + 1.0).sum())
        self.overdispersed = float(x.var()) > self.mean * (1 + 1e-12)
        self.poisson = float(xlogy(self.total, self.mean) - self.n * self.mean - self.constant)

    def at(self, log_r, mean):
        """Return the log-likelihood of a frequency (its logarithm) and a mean."""
        r = np.exp(log_r)
        # The first form keeps its digits at large r, the second at small r.
        near = np.log1p(np.maximum((self.j - mean) / (r + mean), -0.5))
        product = self.above @ np.where(r + self.j < 0.5 * (r + mean), np.log((r + self.j) / (r + mean)), near)
        if len(self.far):
            first, end = r + _TABLE, r + self.far
            terms = deviance(end, r + mean) - deviance(first, r + mean) - 0.5 * np.log1p((self.far - _TABLE) / first)
            terms += (1.0 / end - 1.0 / first) / 12.0 - (1.0 / end**3 - 1.0 / first**3) / 360.0
            product += self.cells @ terms
        return float(product + self.total * np.log(mean) - self.n * r * np.log1p(mean / r) - self.constant)

    def sum_of_inverses(self, r):
        """Return the sum over cells of Σ 1/(r+j), j < x."""
        total = self.above @ (1.0 / (r + self.j))
        if len(self.far):
            first, end = r + _TABLE, r + self.far
            terms = np.log1p((self.far - _TABLE) / first) + 0.5 * (1.0 / first - 1.0 / end)
            total += self.cells @ (terms + (1.0 / first**2 - 1.0 / end**2) / 12.0)
        return total

    def best_log_r(self):
        """Return where it is largest at the mean of the counts."""
        if not self.overdispersed:
            return _LOG_RANGE

        # The slope in r at the mean of the data has one root [Anscombe]; times r, so that it stays visible at large r.
        def slope(u):
            r = np.exp(u)
            return float(r * (self.sum_of_inverses(r) - self.n * np.log1p(self.mean / r)))

        if slope(_LOG_RANGE) >= 0:
            return _LOG_RANGE
        return float(optimize.brentq(slope, -_LOG_RANGE, _LOG_RANGE, xtol=1e-12))

    def best_at_size(self, log_b):
        """Return its maximum over all frequencies at a burst size (its logarithm)."""
        b = np.exp(log_b)

        def slope(u):
            return float(self.sum_of_inverses(np.exp(u)) - self.n * np.log1p(b))

        # Σ 1/(r+j) lies between total/(r + max) and total/r.
        middle = np.log(self.total / (self.n * np.log1p(b)))
        log_r = optimize.brentq(slope, np.log(self.above[0] / (self.n * np.log1p(b))) - 1e-9, middle + 1e-9, xtol=1e-12)
        return self.at(log_r, np.exp(log_r) * b)

    def best_at_mean(self, log_mean):
        """Return its maximum over all frequencies at a mean (its logarithm)."""
        mean = np.exp(log_mean)
        grid = np.linspace(-_LOG_RANGE, _LOG_RANGE, 37)
        values = [self.at(u, mean) for u in grid]
        i = int(np.argmax(values))
        bounds = (grid[max(i - 1, 0)], grid[min(i + 1, 36)])
        found = optimize.minimize_scalar(lambda u: -self.at(u, mean), bounds=bounds, method="bounded")
        return max(values[i], -float(found.fun))

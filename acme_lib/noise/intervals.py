r"""Intervals for noise measures of counts that hold at n = 20, by inverting a test.

The usual interval, estimate ± z standard errors, is far too short for counts: the tail that makes a law noisy is mostly
absent from a small sample, and with it the sample's own idea of its error. (Measured at n = 20, mean 10, Fano factor 6:
a nominal 95 % interval for F by the delta method and Student's t covers it 80 times in 100, one by a jackknife on a log
scale 89 times.) So an interval here holds the values that a test does not reject, and the test's variance is that of
the *hypothesis*: the larger a Fano factor is supposed to be, the more freely its estimate may vary. For a negative
binomial law of mean m and Fano factor F (a Poisson law at F = 1), to first order in 1/n,

.. math::

    \mathrm{Var}(\log \hat F) = \frac{2}{n-1} + \frac{3F - 4 + 1/F}{n m}, \qquad
    \mathrm{Var}(\log \hat\eta^2) = \frac{2}{n-1} + \frac{2F - 2 + 1/F}{n m},

and where the sample itself shows a larger variance (a law with heavier tails), that one is taken. The estimate over the
hypothesis is compared with the law of a product: chi-square over its n - 1 degrees of freedom, which is what normal
data (and nearly Poisson counts, whose index of dispersion it is) give, times a log-normal factor of mean 1 that holds
the rest of the variance. For skewness the statistic is Student's, with the variance of the estimate under the
hypothesis.

An end is infinite where no value is rejected on that side. How often the intervals cover the truth is measured by
``python -m tests.benchmarks.coverage``.
"""

import numpy as np
from scipy.special import chdtr, stdtrit

_LARGEST_LOG = 7.0  # a hypothesis beyond e^7 (a thousand) times the estimate counts as no bound
_STEPS = 120
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(25)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def fano_interval(value, mean, n, var_of_log, level):
    """Return the interval of a Fano factor.

    Parameters
    ----------
    value, mean : float
        Estimates of Fano factor and mean.
    n : int
    var_of_log : float
        Variance of the logarithm of the estimate, as the sample shows it.
    level : float

    Returns
    -------
    low, high : float
    """
    return _ratio_interval(value, n, var_of_log, level, lambda f: _fano_log_variance(np.maximum(f, 1.0), mean, n))


def _fano_log_variance(f, mean, n):
    return 2 / (n - 1) + (3 * f - 4 + 1 / f) / (n * mean)


def cv2_interval(value, mean, n, var_of_log, level):
    """Return the interval of a squared coefficient of variation; parameters as in `fano_interval`."""
    return _ratio_interval(value, n, var_of_log, level, lambda cv2: _cv2_log_variance(cv2, mean, n))


def _cv2_log_variance(cv2, mean, n):
    f = np.maximum(cv2 * mean, 1.0)
    return 2 / (n - 1) + (2 * f - 2 + 1 / f) / (n * mean)


def gamma_like_variance_interval(value, n, var_of_log, level, excess_kurtosis):
    """Return the interval of a variance.

    Parameters
    ----------
    value : float
        The sample variance (divisor n - 1).
    n : int
    var_of_log : float
        Variance of its logarithm, as the sample shows it.
    level : float
    excess_kurtosis : callable
        Of the law, where its variance is the argument; for a gamma law 6 variance/mean².

    Returns
    -------
    low, high : float
    """
    return _ratio_interval(value, n, var_of_log, level, lambda v: 2 / (n - 1) + excess_kurtosis(v) / n)


def _ratio_interval(value, n, var_of_log, level, variance):
    """Invert the test; `variance` takes a hypothesis with an axis of its own in front."""
    value, var_of_log = np.asarray(value, dtype=float), np.asarray(var_of_log, dtype=float)
    tail = 0.5 * (1.0 - level)
    base = 2.0 / (n - 1)

    def probability(log_ratio):
        """Probability, if the truth is value·e^log_ratio, of an estimate as small as the one that came."""
        spread = np.fmax(variance(value * np.exp(log_ratio)), var_of_log)
        squared = np.log1p(np.fmax(spread - base, 0.0) / (1.0 + base))[..., None]
        factor = np.exp(0.5 * squared - np.sqrt(squared) * _NODES)
        return chdtr(n - 1, (n - 1) * np.exp(-log_ratio)[..., None] * factor) @ _WEIGHTS

    high = value * np.exp(_first_crossing(lambda u: probability(u) - tail, value.shape))
    low = value * np.exp(-_first_crossing(lambda u: 1.0 - tail - probability(-u), value.shape))
    # All samples equal: noise is not excluded, it has only not been seen.
    high = np.where(value > 0, high, np.where(np.isnan(value), np.nan, np.inf))
    return np.where(value > 0, low, np.where(np.isnan(value), np.nan, 0.0))[()], high[()]


def skewness_interval(value, mean, n, sample_variance, level):
    """Return the interval of a skewness.

    The hypothesis is a negative binomial law of the sample's mean with that skewness; below a Poisson law's skewness it
    is the Poisson law.

    Parameters
    ----------
    value, mean : float
        Estimates of skewness and mean.
    n : int
    sample_variance : float
        Variance of the estimate, as the sample shows it.
    level : float

    Returns
    -------
    low, high : float
    """
    value, mean = np.asarray(value, dtype=float), np.asarray(mean, dtype=float)
    normal = 6.0 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3))
    margin = float(stdtrit(n - 1, 0.5 + 0.5 * level))

    def distance(skewness):
        spread = np.fmax(np.fmax(_skewness_variance(skewness, mean) / n, sample_variance), normal)
        return margin - np.abs(value - skewness) / np.sqrt(spread)

    def step(u):  # from a hundredth of the normal error to millions of it
        return 0.01 * np.sqrt(normal) * np.expm1(2.8 * u)

    high = value + step(_first_crossing(lambda u: distance(value + step(u)), value.shape))
    low = value - step(_first_crossing(lambda u: distance(value - step(u)), value.shape))
    # Constant data have no skewness, and leave it without a bound.
    return np.where(np.isnan(value), -np.inf, low)[()], np.where(np.isnan(value), np.inf, high)[()]


def _skewness_variance(skewness, mean):
    """Return n times the variance of a sample skewness under a negative binomial law of this mean and skewness."""
    root_mean = np.sqrt(mean)
    # (2F - 1)/sqrt(mean F) = skewness, solved for F
    g = np.maximum(skewness, 1.0 / root_mean) * root_mean
    root_f = (g + np.sqrt(g * g + 8.0)) / 4.0
    f = np.maximum(root_f**2, 1.0)
    b = f - 1.0
    k2 = mean * f
    k3 = k2 * (1 + 2 * b)
    k4 = k2 * (1 + 6 * b + 6 * b**2)
    k5 = k2 * (1 + 14 * b + 36 * b**2 + 24 * b**3)
    k6 = k2 * (1 + 30 * b + 150 * b**2 + 240 * b**3 + 120 * b**4)
    a3 = k3 / k2**1.5
    a4 = k4 / k2**2 + 3
    a5 = k5 / k2**2.5 + 10 * a3
    a6 = k6 / k2**3 + 15 * k4 / k2**2 + 10 * a3**2 + 15
    return a6 - 3 * a3 * a5 + (2.25 * a3**2 - 6) * a4 + 8.75 * a3**2 + 9


def _first_crossing(f, shape):
    """Return the smallest u > 0 where f falls below 0, or infinity; one for each element of f's argument."""
    grid = np.linspace(0.0, _LARGEST_LOG, _STEPS + 1)
    below = f(np.broadcast_to(grid.reshape(-1, *[1] * len(shape)), (len(grid), *shape))) < 0
    first = np.argmax(below, axis=0)
    high = grid[first]
    low = grid[np.maximum(first - 1, 0)]
    for _ in range(30):
        middle = 0.5 * (low + high)
        lies_below = f(middle) < 0
        high, low = np.where(lies_below, middle, high), np.where(lies_below, low, middle)
    return np.where(below.any(axis=0), 0.5 * (low + high), np.inf)


def student_interval(value, stderr, freedom, level):
    """Return ``value ± t · stderr`` with Student's t of `freedom` degrees."""
    margin = float(stdtrit(freedom, 0.5 + 0.5 * level)) * stderr
    return value - margin, value + margin


def log_student_interval(value, stderr, freedom, level):
    """Return ``value · exp(± t · stderr/value)``: the interval of a positive quantity on a log scale."""
    if not (value > 0 and np.isfinite(stderr)):
        return 0.0, np.inf
    factor = float(np.exp(stdtrit(freedom, 0.5 + 0.5 * level) * stderr / value))
    return value / factor, value * factor

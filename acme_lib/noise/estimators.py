r"""Noise measures of samples, with standard errors by the delta method.

With the sample mean :math:`m`, the sample variance :math:`s^2` (divisor n - 1) and central moments
:math:`\mu_2, \mu_3, \mu_4`,

.. math::

    \mathrm{Var}(m) = \frac{\mu_2}{n}, \quad
    \mathrm{Cov}(m, s^2) = \frac{\mu_3}{n}, \quad
    \mathrm{Var}(s^2) = \frac{1}{n}\left(\mu_4 - \frac{n-3}{n-1}\mu_2^2\right),

and a function :math:`f(m, s^2)` has, to first order,

.. math::

    \mathrm{Var}(f) = f_m^2\,\mathrm{Var}(m) + 2 f_m f_{s^2}\,\mathrm{Cov}(m, s^2) + f_{s^2}^2\,\mathrm{Var}(s^2).

The moments are those of the sample: no law is assumed. A *standard error* is this; an *interval*
(``estimate.interval()``) is better than estimate ± 2 standard errors where samples are few, see
`acme_lib.noise.intervals` for how and `tests.benchmarks.coverage` for how often it covers the truth.
"""

import numpy as np

from acme_lib.checks import check_whole, expected
from acme_lib.errors import ParameterError
from acme_lib.noise.estimate import Estimate
from acme_lib.noise.intervals import cv2_interval, fano_interval, skewness_interval
from acme_lib.noise.samples import as_numbers

_LONG_ENOUGH = 40  # samples, before steps of one molecule give an event record away (see `_refuse_event_record`)


def fano_factor(samples, axis=0):
    r"""Estimate the Fano factor :math:`F = \sigma^2/\mu`, 1 for a Poisson law.

    Parameters
    ----------
    samples : array_like
        Counts (or other non-negative data); independent along `axis`, such as ``counts[trajectory, time]``.
    axis : int
        The axis of the samples.

    Returns
    -------
    Estimate
        One number for one-dimensional samples, else an array over the other axes, where a column without a positive
        mean gives NaN. Constant data have the value 0 with the standard error 0.

    Raises
    ------
    ParameterError
        For fewer than two samples, data that are negative or not finite, or one column whose mean is not positive; also
        where 40 samples or more change by one molecule each, up and down: they are the successive states of one
        trajectory, whose plain average weights each *event* alike (see `time_weighted_moments`).

    Notes
    -----
    With :math:`F = s^2/m`:

    .. math:: \mathrm{Var}(F) = \frac{\mathrm{Var}(s^2)}{m^2} - \frac{2 s^2\,\mathrm{Cov}(m, s^2)}{m^3}
              + \frac{s^4\,\mathrm{Var}(m)}{m^4}

    Use when: asking whether counts are noisier than a Poisson law. Time points of one trajectory are *not* independent:
    `trajectory_moments` and `time_weighted_moments` are for those.

    References
    ----------
    .. [1] J. Paulsson, Phys. Life Rev. 2, 157 (2005). doi:10.1016/j.plrev.2005.03.003

    Examples
    --------
    >>> fano = fano_factor([3, 0, 7, 2, 2, 5, 1, 0, 4, 2, 8, 1, 3, 6, 2, 0, 1, 4, 3, 2])
    >>> fano
    1.9 ± 0.5
    >>> [round(end, 1) for end in fano.interval(0.95)]
    [1.1, 7.6]
    """
    return _estimate(samples, axis, "Fano factor", lambda m, v: (v / m, -v / m**2, 1 / m), fano_interval)


def squared_coefficient_of_variation(samples, axis=0):
    r"""Estimate the squared coefficient of variation :math:`\eta^2 = \sigma^2/\mu^2`, 1/mean for a Poisson law.

    Parameters, result and errors are those of `fano_factor`.

    Notes
    -----
    With :math:`\eta^2 = s^2/m^2`:

    .. math:: \mathrm{Var}(\eta^2) = \frac{\mathrm{Var}(s^2)}{m^4} - \frac{4 s^2\,\mathrm{Cov}(m, s^2)}{m^5}
              + \frac{4 s^4\,\mathrm{Var}(m)}{m^6}

    Use when: contributions to noise are to be added; squared coefficients of variation of independent factors add, to
    first order. The interval may be short of its level where few cells hold most of the molecules or nearly all are
    on: measured at n = 20, a 95 % interval covers 92 to 93 times in 100 for ``telegraph(0.3, 0.1, 50)`` and
    ``telegraph(5, 1, 60)``.
    """
    return _estimate(
        samples, axis, "coefficient of variation", lambda m, v: (v / m**2, -2 * v / m**3, 1 / m**2), cv2_interval
    )


def coefficient_of_variation(samples, axis=0):
    r"""Estimate the coefficient of variation :math:`\sigma/\mu`.

    Parameters, result and errors are those of `fano_factor`.

    Notes
    -----
    With :math:`C = s/m`:

    .. math:: \mathrm{Var}(C) = \frac{\mathrm{Var}(s^2)}{4 s^2 m^2} - \frac{\mathrm{Cov}(m, s^2)}{m^3}
              + \frac{s^2\,\mathrm{Var}(m)}{m^4}

    Use when: the width of a law is to be read in per cent of its mean.
    """

    def measure(m, v):
        s = np.sqrt(v)
        # Constant data: s = 0 has no slope in v, and no error either.
        slope = np.divide(1.0, 2 * s * m, out=np.zeros_like(s), where=s > 0)
        return s / m, -s / m**2, slope

    return _estimate(samples, axis, "coefficient of variation", measure, _cv_interval)


def _cv_interval(value, mean, n, var_of_log, level):
    low, high = cv2_interval(value**2, mean, n, 4 * var_of_log, level)
    return np.sqrt(low), np.sqrt(high)


def skewness(samples, axis=0):
    r"""Estimate the skewness :math:`\gamma = \mu_3/\mu_2^{3/2}`, :math:`1/\sqrt{\mu}` for a Poisson law.

    Parameters and errors are those of `fano_factor`; three samples or more are needed.

    Returns
    -------
    Estimate
        The adjusted Fisher–Pearson estimate :math:`G_1`. Constant data have the value NaN.

    Notes
    -----
    With standardised samples z, :math:`G_1 = g_1\sqrt{n(n-1)}/(n-2)` and, to first order,
    :math:`\mathrm{Var}(G_1) = \langle (z^3 - \gamma - \tfrac32\gamma(z^2-1) - 3z)^2\rangle/n`.
    The estimate is far too small where samples are few and the law is skewed (n samples cannot show more than
    :math:`\sqrt n`): at n = 20, mean 1 and Fano factor 6 it is 0.58 of the truth on average. The interval knows it,
    and is often without an upper end; the standard error does not.

    Use when: telling laws of equal mean and variance apart, with hundreds of cells or more.

    References
    ----------
    .. [1] D. N. Joanes, C. A. Gill, The Statistician 47, 183 (1998). doi:10.1111/1467-9884.00122
    """
    x = _checked(samples, axis, "skewness", least=3)
    n = len(x)
    mean, deviation, (mu2, mu3, _) = _moments(x)
    s = np.where(mu2 > 0, np.sqrt(mu2), np.nan)
    g1 = mu3 / s**3
    z = deviation / s
    adjust = np.sqrt(n * (n - 1)) / (n - 2)
    influence = z**3 - g1 - 1.5 * g1 * (z**2 - 1) - 3 * z
    value, squared = adjust * g1, adjust**2 * np.mean(influence**2, axis=0) / n
    return _as_estimate(x, value, np.sqrt(squared), mean, squared, skewness_interval)


def _estimate(samples, axis, name, measure, interval):
    """Apply `measure`: (mean, variance) → (value, its slopes in mean and variance)."""
    x = _checked(samples, axis, name, least=2, positive=True)
    n = len(x)
    mean, _, (mu2, mu3, mu4) = _moments(x)
    if x.ndim == 1 and not mean > 0:
        raise ParameterError(
            f"the {name} divides by the mean, which is {mean:g} for these {n} samples: it is not defined; "
            "take samples of which some are above 0"
        )
    m = np.where(mean > 0, mean, np.nan)
    variance = mu2 * n / (n - 1)
    value, by_mean, by_variance = measure(m, variance)
    var_of_variance = (mu4 - mu2**2 * (n - 3) / (n - 1)) / n
    squared = by_mean**2 * mu2 / n + 2 * by_mean * by_variance * mu3 / n + by_variance**2 * var_of_variance
    squared = np.maximum(squared, 0.0)  # rounding may leave a negative zero
    var_of_log = np.divide(squared, value**2, out=np.zeros_like(squared), where=value > 0)
    return _as_estimate(x, value, np.sqrt(squared), m, var_of_log, interval)


def _checked(samples, axis, name, least, positive=False):
    x = as_numbers(samples)
    if x.ndim == 0:
        raise expected("samples", "an array of numbers", samples)
    check_whole("axis", axis, -x.ndim, x.ndim - 1)
    x = np.moveaxis(x.astype(float), axis, 0)
    n = len(x)
    if n < least:
        raise expected("samples", f"{least} or more along axis {axis} for a {name}", n)
    unfit = np.count_nonzero(~np.isfinite(x))
    if unfit:
        raise ParameterError(f"samples must be finite, got {unfit} of {x.size} that are not: leave them out")
    if positive and (negative := np.count_nonzero(x < 0)):
        raise ParameterError(f"samples must be at least 0 for a {name}, got {negative} of {x.size} below it")
    if x.ndim == 1:
        _refuse_event_record(x, name)
    return x


def _refuse_event_record(x, name):
    """Refuse successive states: independent counts step by one, up and down, 40 times with p < 1e-11."""
    steps = np.diff(x)
    if len(x) >= _LONG_ENOUGH and np.all(np.abs(steps) == 1) and np.any(steps > 0) and np.any(steps < 0):
        raise ParameterError(
            f"these {len(x)} counts change by one molecule each time: they are the states of one trajectory at its "
            f"events, and a {name} of them would weight a state by how often it is entered, not by how long it lasts; "
            "use time_weighted_moments(times, counts, end), or one count from each of many trajectories"
        )


def _moments(x):
    mean = np.asarray(x.mean(axis=0))
    deviation = x - mean
    # Rounding of the mean must not turn constant data into noise.
    deviation[:, np.all(x == x[0], axis=0)] = 0.0
    squares = deviation * deviation
    return mean, deviation, [np.mean(power, axis=0) for power in (squares, squares * deviation, squares * squares)]


def _as_estimate(x, value, stderr, mean, spread, interval):
    n = len(x)

    def find_interval(level):
        low, high = interval(value, mean, n, spread, level)
        return (float(low), float(high)) if x.ndim == 1 else (low, high)

    if x.ndim == 1:
        return Estimate(float(value), float(stderr), n, find_interval)
    return Estimate(value, stderr, n, find_interval)

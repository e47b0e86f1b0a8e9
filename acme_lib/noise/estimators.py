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

The moments are those of the sample: no law is assumed.
"""

import numpy as np

from acme_lib.errors import ParameterError
from acme_lib.noise.estimate import Estimate


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
        For fewer than two samples, data that are not finite, or one column whose mean is not positive.

    Notes
    -----
    With :math:`F = s^2/m`:

    .. math:: \mathrm{Var}(F) = \frac{\mathrm{Var}(s^2)}{m^2} - \frac{2 s^2\,\mathrm{Cov}(m, s^2)}{m^3}
              + \frac{s^4\,\mathrm{Var}(m)}{m^4}

    Use when: asking whether counts are noisier than a Poisson law. Time points of one trajectory are *not* independent.

    References
    ----------
    .. [1] J. Paulsson, Phys. Life Rev. 2, 157 (2005). doi:10.1016/j.plrev.2005.03.003
    """
    return _estimate(samples, axis, "Fano factor", lambda m, v: (v / m, -v / m**2, 1 / m))


def squared_coefficient_of_variation(samples, axis=0):
    r"""Estimate the squared coefficient of variation :math:`\eta^2 = \sigma^2/\mu^2`, 1/mean for a Poisson law.

    Parameters, result and errors are those of `fano_factor`.

    Notes
    -----
    With :math:`\eta^2 = s^2/m^2`:

    .. math:: \mathrm{Var}(\eta^2) = \frac{\mathrm{Var}(s^2)}{m^4} - \frac{4 s^2\,\mathrm{Cov}(m, s^2)}{m^5}
              + \frac{4 s^4\,\mathrm{Var}(m)}{m^6}

    Use when: contributions to noise are to be added; squared coefficients of variation of independent factors add, to
    first order.
    """
    return _estimate(samples, axis, "coefficient of variation", lambda m, v: (v / m**2, -2 * v / m**3, 1 / m**2))


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

    return _estimate(samples, axis, "coefficient of variation", measure)


def _estimate(samples, axis, name, measure):
    """Apply `measure`: (mean, variance) → (value, its slopes in mean and variance)."""
    x = np.asarray(samples)
    if x.ndim == 0 or x.dtype.kind not in "iufb" or not -x.ndim <= axis < x.ndim:
        raise ParameterError(f"samples are numbers in an array with an axis {axis}; {_describe(x)} came")
    x = np.moveaxis(x.astype(float), axis, 0)
    n = len(x)
    if n < 2:
        raise ParameterError(f"the {name} needs two samples or more along axis {axis}; {n} came")
    unfit = np.count_nonzero(~np.isfinite(x))
    if unfit:
        raise ParameterError(f"{unfit} of {x.size} samples are not finite; leave them out before estimating")
    mean = np.asarray(x.mean(axis=0))
    deviation = x - mean
    # Rounding of the mean must not turn constant data into noise.
    deviation[:, np.all(x == x[0], axis=0)] = 0.0
    squares = deviation * deviation
    mu2, mu3, mu4 = (np.mean(power, axis=0) for power in (squares, squares * deviation, squares * squares))
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
    stderr = np.sqrt(np.maximum(squared, 0.0))  # rounding may leave a negative zero
    if x.ndim == 1:
        return Estimate(float(value), float(stderr), n)
    return Estimate(value, stderr, n)


def _describe(x):
    return f"an array of shape {x.shape} and type {x.dtype}"

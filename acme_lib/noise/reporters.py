r"""Intrinsic and extrinsic noise from two identical reporters in each cell.

Given the state z of a cell the two reporters are independent and alike, so that with the law of total variance

.. math::

    \sigma_I^2 = \langle \mathrm{Var}(x \mid z) \rangle = \tfrac12 \mathrm{Var}(x - y), \qquad
    \sigma_E^2 = \mathrm{Var}(\langle x \mid z \rangle) = \mathrm{Cov}(x, y)

and both add to the variance of one reporter.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtr

from acme_lib.checks import check_choice, expected
from acme_lib.errors import NotInterchangeableWarning, ParameterError
from acme_lib.noise.estimate import Estimate
from acme_lib.noise.intervals import gamma_like_variance_interval
from acme_lib.noise.samples import check_row

METHODS = ("elowitz", "unbiased", "minimum_mse")
_SIGNIFICANT = 1e-3


@dataclass(frozen=True)
class NoiseParts:
    """Parts of the noise, exact.

    Attributes
    ----------
    intrinsic, extrinsic, total : float
        Variances: the first two add to the third.
    eta2_intrinsic, eta2_extrinsic, eta2_total : float
        The same over the product of the means; NaN if no means are given.
    """

    intrinsic: float
    extrinsic: float
    total: float
    eta2_intrinsic: float
    eta2_extrinsic: float
    eta2_total: float


@dataclass(frozen=True)
class DualReporter:
    """Intrinsic and extrinsic noise, estimated.

    Attributes
    ----------
    intrinsic, extrinsic, total : Estimate
        Variances: the first two add to the third. An extrinsic variance may come out negative.
    eta2_intrinsic, eta2_extrinsic, eta2_total : Estimate
        The same over the product of the means.
    mean_difference : Estimate
        ⟨x⟩ - ⟨y⟩.
    interchangeable : bool
        Whether the means may be equal (paired t-test, p > 0.001).
    n : int
        Cells.
    method : str
    """

    intrinsic: Estimate
    extrinsic: Estimate
    total: Estimate
    eta2_intrinsic: Estimate
    eta2_extrinsic: Estimate
    eta2_total: Estimate
    mean_difference: Estimate = field(repr=False)
    interchangeable: bool
    n: int
    method: str


def decompose_covariance(covariance, means=None):
    """Split the noise of two reporters of known covariance, such as from a solved master equation.

    Parameters
    ----------
    covariance : array_like, shape (2, 2)
    means : array_like, shape (2,), optional

    Returns
    -------
    NoiseParts

    Raises
    ------
    ParameterError
        If the matrix is no covariance, or a mean is not positive.

    Notes
    -----
    Of reporters with unequal variances the intrinsic part is the mean variance less the covariance.

    Examples
    --------
    >>> parts = decompose_covariance([[95, 60], [60, 95]])
    >>> parts.extrinsic, parts.intrinsic
    (60.0, 35.0)
    """
    c = np.asarray(covariance, dtype=float)
    if c.shape != (2, 2) or not np.all(np.isfinite(c)):
        raise expected("covariance", "a 2 × 2 array of finite numbers", covariance)
    if not np.isclose(c[0, 1], c[1, 0], rtol=1e-9, atol=0.0) or min(c[0, 0], c[1, 1]) < 0:
        raise ParameterError("a covariance is symmetric, with variances of at least 0")
    if c[0, 1] ** 2 > c[0, 0] * c[1, 1] * (1 + 1e-9):
        raise ParameterError(f"the correlation of the reporters would exceed 1: {c.tolist()} is no covariance")
    product = np.nan
    if means is not None:
        m = np.asarray(means, dtype=float)
        if m.shape != (2,) or not np.all(m > 0):
            raise expected("means", "two numbers above 0", means)
        product = float(m[0] * m[1])
    extrinsic = float(c[0, 1])
    total = 0.5 * float(c[0, 0] + c[1, 1])
    parts = (total - extrinsic, extrinsic, total)
    return NoiseParts(*parts, *(part / product for part in parts))


def decompose_dual_reporter(x, y, *, method="unbiased"):
    r"""Estimate intrinsic and extrinsic noise from two reporters in the same cells.

    Parameters
    ----------
    x, y : array_like, shape (cell,)
        The two reporters: ``x[i]`` and ``y[i]`` come from one cell.
    method : {"unbiased", "elowitz", "minimum_mse"}
        Form of the estimators; see the notes.

    Returns
    -------
    DualReporter

    Raises
    ------
    ParameterError
        If shapes differ, data are not finite, there are fewer than four cells, or a mean is not positive.

    Warns
    -----
    NotInterchangeableWarning
        If the means differ (p < 0.001).

    Notes
    -----
    With deviations from the means, :math:`d = x - y`, :math:`S_{xy} = \sum \delta x\,\delta y` and
    :math:`S_{dd} = \sum (d - \bar d)^2`:

    ============= ================================= ===========================================
    method        :math:`\sigma_I^2`                :math:`\sigma_E^2`
    ============= ================================= ===========================================
    elowitz       :math:`\sum d^2 / 2n`             :math:`S_{xy}/n`
    unbiased      :math:`S_{dd} / 2(n-1)`           :math:`S_{xy}/(n-1)`
    minimum_mse   :math:`S_{dd} / 2(n+1)`           :math:`S_{xy}/(n+1)`
    ============= ================================= ===========================================

    The first is that of [1]_; its intrinsic part takes a difference of the means for noise, its extrinsic part is too
    small by the factor 1 - 1/n. The second is without bias for any law [2]_ (of the variances; dividing by the product
    of the means leaves a bias of order 1/n in :math:`\eta^2`).

    The third has less mean squared error. For jointly normal reporters :math:`\langle S_{xy}\rangle = (n-1)\sigma_{xy}`
    and :math:`\mathrm{Var}(S_{xy}) = (n-1)(\sigma_{xy}^2 + \sigma_x^2\sigma_y^2)`; the error of :math:`S_{xy}/c` is
    least at :math:`c = n + 1/\rho^2`. The correlation is not known, and with that of the sample in its place the error
    is *larger* than Elowitz's at correlations about 0.5. At c = n + 1, the best for full correlation, it is smaller
    than at n - 1 and at n for every correlation. For the variance of d the best is n + 1 itself. The estimates are
    smaller than the truth on average: take them for one small data set, never for a mean over many.

    The intervals are those of the unbiased form, whatever the method. That of the intrinsic variance, and of the
    variance of the reporters' mean, come from `acme_lib.noise.intervals`, with the kurtosis of a gamma law of the same
    mean where the sample shows less; the extrinsic variance is a difference of the two, whose intervals are joined as
    in [3]_.

    Use when: one cell carries two copies of the same promoter, each with its own colour.

    References
    ----------
    .. [1] M. B. Elowitz, A. J. Levine, E. D. Siggia, P. S. Swain, Science 297, 1183 (2002). doi:10.1126/science.1070919
    .. [2] A. Q. Fu, L. Pachter, Stat. Appl. Genet. Mol. Biol. 15, 447 (2016). doi:10.1515/sagmb-2016-0002
    .. [3] G. Y. Zou, A. Donner, Stat. Med. 27, 1693 (2008).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> cell = rng.gamma(4.0, 5.0, 500)
    >>> parts = decompose_dual_reporter(rng.poisson(cell), rng.poisson(cell))  # exact: 20 and 100
    >>> parts.intrinsic, parts.extrinsic
    (18.9 ± 1.4, 87 ± 9)
    """
    x, y = _pair(x, y)
    check_choice("method", method, METHODS)
    n, mean_x, mean_y = len(x), float(x.mean()), float(y.mean())
    if not min(mean_x, mean_y) > 0:
        raise expected("the means of x and y", "above 0", (mean_x, mean_y))
    dx, dy = x - mean_x, y - mean_y
    whole = _estimate_parts(n, mean_x, mean_y, dx @ dx, dy @ dy, dx @ dy, method)
    # Without cell i: sums over the others, about their own means.
    shrink = n / (n - 1)
    without = _estimate_parts(
        n - 1,
        mean_x - dx / (n - 1),
        mean_y - dy / (n - 1),
        dx @ dx - shrink * dx**2,
        dy @ dy - shrink * dy**2,
        dx @ dy - shrink * dx * dy,
        method,
    )
    stderr = [float(np.sqrt((n - 1) ** 2 / n * part.var(ddof=1))) for part in without]

    find = _interval_finders(x, y)
    product = mean_x * mean_y
    variances = [Estimate(float(v), e, n, f) for v, e, f in zip(whole[:3], stderr[:3], find, strict=True)]
    ratios = [
        Estimate(float(v), e, n, lambda level, f=f: tuple(end / product for end in f(level)))
        for v, e, f in zip(whole[3:], stderr[3:], find, strict=True)
    ]
    d = x - y
    error = float(d.std(ddof=1) / np.sqrt(n))
    difference = Estimate(mean_x - mean_y, error, n)
    p_value = 2 * stdtr(n - 1, -abs(difference.value) / error) if error > 0 else float(difference.value == 0)
    if p_value < _SIGNIFICANT:
        share = 0.5 * difference.value**2
        effect = f"adds {share:.3g} to" if method == "elowitz" else "would, in Elowitz's form, add to"
        warnings.warn(
            f"the reporters differ in mean, {mean_x:.4g} and {mean_y:.4g}: they are not interchangeable. It "
            f"{effect} the intrinsic variance; calibrate them first, for example by dividing each by its mean",
            NotInterchangeableWarning,
            stacklevel=2,
        )
    return DualReporter(*variances, *ratios, difference, bool(p_value >= _SIGNIFICANT), n, method)


def _estimate_parts(n, mean_x, mean_y, sxx, syy, sxy, method):
    """Return intrinsic, extrinsic, total, and the same over the product of the means; arguments may be arrays."""
    sdd = np.maximum(sxx + syy - 2 * sxy, 0.0)
    if method == "elowitz":
        intrinsic = 0.5 * (sdd / n + (mean_x - mean_y) ** 2)
        extrinsic = sxy / n
    elif method == "unbiased":
        intrinsic = 0.5 * sdd / (n - 1)
        extrinsic = sxy / (n - 1)
    else:
        intrinsic = 0.5 * sdd / (n + 1)
        extrinsic = sxy / (n + 1)
    total = intrinsic + extrinsic
    product = mean_x * mean_y
    parts = (intrinsic, extrinsic, total)
    return *parts, *(part / product for part in parts)


def _interval_finders(x, y):
    """Return the functions level → (low, high) of the intrinsic, extrinsic and total variance."""
    n = len(x)
    mean = 0.5 * (x.mean() + y.mean())
    half_sum, half_difference = 0.5 * (x + y), 0.5 * (x - y)
    common, private = half_sum.var(ddof=1), half_difference.var(ddof=1)  # σ_E² + σ_I²/2 and σ_I²/2
    spread_common, spread_private = _log_spread(half_sum), _log_spread(half_difference)

    def ends(level):
        # The kurtosis of a difference: half that of each of two independent gamma reporters, or that of a shared scale.
        of_private = gamma_like_variance_interval(
            private, n, spread_private, level, lambda v: 3 * (common + v) / mean**2
        )
        of_common = gamma_like_variance_interval(common, n, spread_common, level, lambda v: 6 * v / mean**2)
        return of_common, of_private

    def intrinsic(level):
        _, (low, high) = ends(level)
        return 2 * low, 2 * high

    def extrinsic(level):
        (c_low, c_high), (p_low, p_high) = ends(level)
        value = common - private
        return value - np.hypot(common - c_low, p_high - private), value + np.hypot(c_high - common, private - p_low)

    def total(level):
        (c_low, c_high), (p_low, p_high) = ends(level)
        value = common + private
        return value - np.hypot(common - c_low, private - p_low), value + np.hypot(c_high - common, p_high - private)

    return [lambda level, f=f: tuple(map(float, f(level))) for f in (intrinsic, extrinsic, total)]


def _log_spread(z):
    """Variance of the logarithm of the sample variance, as the sample shows it."""
    n = len(z)
    squared = (z - z.mean()) ** 2
    mu2 = squared.mean()
    if mu2 == 0:
        return 0.0
    return max(float((squared**2).mean() / mu2**2 - (n - 3) / (n - 1)) / n, 0.0)


def _pair(x, y):
    x, y = check_row(x, "x", least=4), check_row(y, "y", least=4)
    if len(x) != len(y):
        raise expected("x and y", "of one length, both from each cell", (len(x), len(y)))
    return x, y

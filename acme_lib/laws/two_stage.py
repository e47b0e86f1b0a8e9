"""The two-stage model: a gene makes mRNA, mRNA makes protein. Moments, correlations and the protein's law."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import exprel

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_not_negative, check_positive, expected
from acme_lib.laws.compound import CompoundLaw
from acme_lib.laws.poisson import NegativeBinomial
from acme_lib.laws.telegraph import telegraph_logpmf


@dataclass(frozen=True)
class TwoStageMoments:
    """Stationary moments of mRNA (m) and protein (p), in molecules.

    Attributes
    ----------
    mean_m, mean_p, var_m, var_p, cov : float
    """

    mean_m: float
    mean_p: float
    var_m: float
    var_p: float
    cov: float

    @property
    def fano_m(self):
        """Variance over mean of the mRNA, 1; NaN where there is none."""
        return _ratio(self.var_m, self.mean_m)

    @property
    def fano_p(self):
        """Variance over mean of the protein; NaN where there is none."""
        return _ratio(self.var_p, self.mean_p)

    @property
    def cv_m(self):
        """Standard deviation over mean of the mRNA."""
        return _ratio(np.sqrt(self.var_m), self.mean_m)

    @property
    def cv_p(self):
        """Standard deviation over mean of the protein."""
        return _ratio(np.sqrt(self.var_p), self.mean_p)

    @property
    def correlation(self):
        """Correlation of mRNA and protein."""
        return _ratio(self.cov, np.sqrt(self.var_m * self.var_p))


def _ratio(a, b):
    return float(a / b) if b > 0 else float("nan")


def two_stage_moments(k_m, k_p, g_m, g_p):
    r"""Return the stationary moments of ``0 -> M : k_m``, ``M -> M + P : k_p``, ``M -> 0 : g_m``, ``P -> 0 : g_p``.

    .. math::

        \langle m\rangle = \frac{k_m}{g_m}, \quad \langle p\rangle = \frac{k_m k_p}{g_m g_p}, \quad
        F_m = 1, \quad F_p = 1 + \frac{k_p}{g_m + g_p}, \quad \mathrm{Cov}(m, p) = \frac{k_m k_p}{g_m (g_m + g_p)}

    Parameters
    ----------
    k_m : float
        Transcription, molecules per unit of time.
    k_p : float
        Translation of each mRNA, 1/time.
    g_m, g_p : float
        Loss of each mRNA and protein, 1/time.

    Returns
    -------
    TwoStageMoments

    Raises
    ------
    ParameterError
        If a rate is negative or not finite, or a rate of loss is 0.

    Notes
    -----
    Use when: moments are enough. All rates are linear, so that the moments are exact at any ratio of lifetimes; the
    protein's *law* is negative binomial only for ``g_m`` far above ``g_p`` [1]_.

    References
    ----------
    .. [1] V. Shahrezaei, P. S. Swain, PNAS 105, 17256 (2008). doi:10.1073/pnas.0803850105
    .. [2] J. Paulsson, Phys. Life Rev. 2, 157 (2005). doi:10.1016/j.plrev.2005.03.003

    Examples
    --------
    >>> moments = two_stage_moments(k_m=10, k_p=12, g_m=2, g_p=1)
    >>> moments.mean_p, moments.fano_p, moments.cov
    (60.0, 5.0, 20.0)
    """
    check_not_negative(k_m=k_m, k_p=k_p)
    check_positive(g_m=g_m, g_p=g_p)
    mean_m = float(k_m / g_m)
    mean_p = mean_m * k_p / g_p
    return TwoStageMoments(mean_m, mean_p, mean_m, mean_p * (1 + k_p / (g_m + g_p)), mean_m * k_p / (g_m + g_p))


def two_stage_transient_means(k_m, k_p, g_m, g_p, t, *, m0=0.0, p0=0.0):
    r"""Return the means of mRNA and protein in time, from a start with means `m0` and `p0`.

    .. math::

        \langle m\rangle(t) = m_\infty + (m_0 - m_\infty) e^{-g_m t}, \qquad
        \langle p\rangle(t) = p_0 e^{-g_p t} + k_p \int_0^t e^{-g_p (t - s)} \langle m\rangle(s)\, ds

    Parameters
    ----------
    k_m, k_p, g_m, g_p : float
        As in `two_stage_moments`.
    t : array_like
        Times, not negative.
    m0, p0 : float
        Mean counts at time 0.

    Returns
    -------
    mean_m, mean_p : ndarray of the shape of `t`, or float

    Raises
    ------
    ParameterError
        If a value does not fit.
    """
    check_not_negative(k_m=k_m, k_p=k_p, m0=m0, p0=p0)
    check_positive(g_m=g_m, g_p=g_p)
    t = _check_times(t)
    excess = m0 - k_m / g_m
    mean_m = k_m / g_m + excess * np.exp(-g_m * t)
    memory = _memory(g_m, g_p, t)
    mean_p = p0 * np.exp(-g_p * t) + k_p * (k_m / g_m * -np.expm1(-g_p * t) / g_p + excess * memory)
    return mean_m[()], mean_p[()]


@dataclass(frozen=True)
class TwoStageCorrelations:
    """Stationary covariances of the two-stage model over a lag, in molecules squared.

    Attributes
    ----------
    lag : ndarray, shape (lag,)
    mm, pp : ndarray, shape (lag,)
        Autocovariances of mRNA and protein.
    mp : ndarray, shape (lag,)
        Cov(m(0), p(lag)): mRNA leads.
    pm : ndarray, shape (lag,)
        Cov(p(0), m(lag)): protein leads.
    """

    lag: np.ndarray
    mm: np.ndarray
    pp: np.ndarray
    mp: np.ndarray
    pm: np.ndarray

    def __post_init__(self):
        freeze_fields(self)


def two_stage_correlations(k_m, k_p, g_m, g_p, lag):
    r"""Return the stationary auto- and cross-covariances of mRNA and protein.

    .. math::

        C_{mm}(\tau) = \langle m\rangle e^{-g_m \tau}, \qquad
        C_{mp}(\tau) = C e^{-g_p \tau} + k_p \langle m\rangle D(\tau), \qquad
        C_{pm}(\tau) = C e^{-g_m \tau}, \qquad
        C_{pp}(\tau) = \sigma_p^2 e^{-g_p \tau} + k_p C D(\tau)

    with :math:`C = \mathrm{Cov}(m, p)` and :math:`D(\tau) = (e^{-g_m\tau} - e^{-g_p\tau})/(g_p - g_m)`.

    Parameters
    ----------
    k_m, k_p, g_m, g_p : float
        As in `two_stage_moments`.
    lag : array_like, shape (lag,)
        Not negative.

    Returns
    -------
    TwoStageCorrelations

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: time traces are compared with the model; which of two molecules leads shows in `mp` against `pm`.

    Examples
    --------
    >>> c = two_stage_correlations(k_m=10, k_p=12, g_m=2, g_p=1, lag=[0, 1])
    >>> np.round(c.mp, 4), np.round(c.pm, 4)
    (array([20.    , 21.3102]), array([20.    ,  2.7067]))
    """
    moments = two_stage_moments(k_m, k_p, g_m, g_p)
    lag = _check_times(lag).copy()
    m, p, memory = np.exp(-g_m * lag), np.exp(-g_p * lag), _memory(g_m, g_p, lag)
    return TwoStageCorrelations(
        lag,
        moments.var_m * m,
        moments.var_p * p + k_p * moments.cov * memory,
        moments.cov * p + k_p * moments.var_m * memory,
        moments.cov * m,
    )


@dataclass(frozen=True)
class TwoStageProtein(CompoundLaw):
    """The stationary law of the protein; right to 1e-11 of itself where it is above 1e-30.

    Attributes
    ----------
    k_m, k_p, g_m, g_p : float
        Transcription, translation, loss of mRNA and of protein.
    """

    k_m: float
    k_p: float
    g_m: float
    g_p: float

    def rises(self, size):
        """Return the mean times a telegraph law with rates 1, g_m/g_p and k_p/g_p."""
        a, kappa = self.g_m / self.g_p, self.k_p / self.g_p
        logs = telegraph_logpmf(1.0, a, kappa, 0, whole=True)[:size]
        kept = np.flatnonzero(logs > logs.max() - 103.0)  # 1e-45
        return self.mean() * np.exp(logs[: kept[-1] + 1])

    @cached_property
    def factorial_cumulants(self):
        """The first three, λ k! κᵏ/(a+1)…(a+k) with λ the mean."""
        a, kappa = self.g_m / self.g_p, self.k_p / self.g_p
        mean = self.k_m / self.g_m * kappa
        second = mean * kappa / (a + 1.0)
        return np.array([mean, second, 2.0 * second * kappa / (a + 2.0)])

    def negative_binomial_limit(self):
        """Return the law for mRNA that lives for ever shorter at the same mean burst, a `NegativeBinomial`."""
        return NegativeBinomial(self.k_m / self.g_p, self.k_p / self.g_m)


def two_stage(k_m, k_p, g_m, g_p):
    r"""Return the stationary law of the protein, at any ratio of lifetimes.

    With :math:`a = g_m/g_p` and :math:`\kappa = k_p/g_p` the generating function is [1]_

    .. math::

        \frac{d}{dz} \log G(z) = \langle p \rangle\, {}_1F_1(1;\, a + 1;\, \kappa (z - 1))
        = \langle p \rangle \sum_j h_j z^j,

    and :math:`h_j` is itself a telegraph law, Poisson mixed over :math:`\kappa\,\mathrm{Beta}(1, a)`: so that
    :math:`n P(n) = \langle p\rangle \sum_j h_j P(n-1-j)` without a subtraction.

    Parameters
    ----------
    k_m, k_p, g_m, g_p : float
        As in `two_stage_moments`.

    Returns
    -------
    TwoStageProtein

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: the protein's law is wanted, not the negative binomial limit of short-lived mRNA [2]_; the distance
    between the two is ``measure_distance(law, law.negative_binomial_limit())``. Time grows with the counts within
    reach times the largest cluster of one mRNA.

    References
    ----------
    .. [1] P. Bokes, J. R. King, A. T. A. Wood, M. Loose, J. Math. Biol. 64, 829 (2012).
       doi:10.1007/s00285-011-0433-5
    .. [2] V. Shahrezaei, P. S. Swain, PNAS 105, 17256 (2008). doi:10.1073/pnas.0803850105

    Examples
    --------
    >>> from acme_lib.laws import measure_distance
    >>> law = two_stage(k_m=10, k_p=3, g_m=1, g_p=0.1)
    >>> law.mean(), round(law.fano_factor(), 6)
    (300.0, 3.727273)
    >>> round(measure_distance(law, law.negative_binomial_limit()), 4)
    0.017
    """
    check_not_negative(k_m=k_m, k_p=k_p)
    check_positive(g_m=g_m, g_p=g_p)
    return TwoStageProtein(float(k_m), float(k_p), float(g_m), float(g_p))


def _check_times(t):
    t = np.asarray(t, dtype=float)
    if not np.all(np.isfinite(t)) or np.any(t < 0):
        raise expected("times", "finite and at least 0", t)
    return t


def _memory(g_m, g_p, t):
    """(e^{-g_m t} - e^{-g_p t})/(g_p - g_m), written so that equal rates are no special case, without overflow."""
    return t * np.exp(-min(g_m, g_p) * t) * exprel(-abs(g_m - g_p) * t)

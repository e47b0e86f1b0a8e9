"""Moments of the two-stage model: a gene makes mRNA, mRNA makes protein."""

from dataclasses import dataclass

import numpy as np
from scipy.special import exprel

from acme_lib.errors import ParameterError
from acme_lib.laws.rates import check_not_negative, check_positive


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
    t = np.asarray(t, dtype=float)
    if not np.all(np.isfinite(t)) or np.any(t < 0):
        raise ParameterError("times are finite and not negative")
    excess = m0 - k_m / g_m
    mean_m = k_m / g_m + excess * np.exp(-g_m * t)
    # (e^{-g_m t} - e^{-g_p t})/(g_p - g_m), written so that equal rates are no special case and nothing overflows
    memory = t * np.exp(-min(g_m, g_p) * t) * exprel(-abs(g_m - g_p) * t)
    mean_p = p0 * np.exp(-g_p * t) + k_p * (k_m / g_m * -np.expm1(-g_p * t) / g_p + excess * memory)
    return mean_m[()], mean_p[()]

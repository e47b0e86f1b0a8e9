"""Moments of two reporters that share what makes cells differ."""

from dataclasses import dataclass, field

import numpy as np

from acme_lib.checks import check_positive, expected
from acme_lib.errors import ParameterError
from acme_lib.laws.count_law import CountLaw
from acme_lib.laws.quadrature import refine


@dataclass(frozen=True)
class ReporterMoments:
    """Exact moments of two reporters x and y.

    Attributes
    ----------
    mean_x, mean_y, var_x, var_y, cov : float
    intrinsic_x, intrinsic_y : float
        Means of the variances at a given factor; what is left of a variance is extrinsic.
    quadrature_error : float
        Largest relative change of a moment at the last refinement of the integral over the factor; 0 for a finite law.
    """

    mean_x: float
    mean_y: float
    var_x: float
    var_y: float
    cov: float
    intrinsic_x: float
    intrinsic_y: float
    quadrature_error: float = field(repr=False, default=0.0)

    @property
    def eta2_extrinsic(self):
        """Cov(x, y) over the product of the means."""
        return self.cov / (self.mean_x * self.mean_y)

    @property
    def eta2_intrinsic(self):
        """⟨(x - y)²⟩/(2 ⟨x⟩⟨y⟩)."""
        squared = self.var_x + self.var_y - 2.0 * self.cov + (self.mean_x - self.mean_y) ** 2
        return squared / (2.0 * self.mean_x * self.mean_y)

    @property
    def eta2_total(self):
        """The sum of both, (⟨x²⟩ + ⟨y²⟩ - 2⟨x⟩⟨y⟩)/(2⟨x⟩⟨y⟩)."""
        return self.eta2_intrinsic + self.eta2_extrinsic

    @property
    def correlation(self):
        """Correlation of the two."""
        return self.cov / float(np.sqrt(self.var_x * self.var_y))


def dual_reporter_moments(law_of, factor, second=None, *, tolerance=1e-12):
    r"""Return the moments of two reporters, independent at a given value z of a factor they share.

    .. math::

        \mathrm{Var}(x) = \langle \mathrm{Var}(x \mid z)\rangle + \mathrm{Var}(\langle x \mid z\rangle), \qquad
        \mathrm{Cov}(x, y) = \mathrm{Cov}(\langle x \mid z\rangle, \langle y \mid z\rangle)

    Parameters
    ----------
    law_of : callable
        ``law_of(z)`` returns the `CountLaw` of a reporter at the factor z; as many of its rates as you like may depend
        on z.
    factor : scipy.stats frozen distribution, CountLaw, pair (values, weights) or array_like of samples
        Law of the factor: gamma, log-normal, two points, measured values, …
    second : callable, optional
        The same of the other reporter; as the first one without.
    tolerance : float
        The integral is refined until no moment changes by more, in relative terms.

    Returns
    -------
    ReporterMoments

    Raises
    ------
    ParameterError
        If the factor's law does not fit, or the refinement ends above the tolerance (tails too heavy for a variance).

    Notes
    -----
    Use when: it is to be known what a dual-reporter experiment [1]_ must show for a given source of extrinsic noise.

    References
    ----------
    .. [1] M. B. Elowitz, A. J. Levine, E. D. Siggia, P. S. Swain, Science 297, 1183 (2002).
       doi:10.1126/science.1070919

    Examples
    --------
    >>> from scipy import stats
    >>> from acme_lib import laws
    >>> moments = dual_reporter_moments(lambda z: laws.poisson(50 * z), stats.gamma(4, scale=0.25))
    >>> round(moments.eta2_intrinsic, 10), round(moments.eta2_extrinsic, 10)
    (0.02, 0.25)
    """
    check_positive(tolerance=tolerance)
    functions = [law_of] if second is None else [law_of, second]
    rows, weights, before, error = np.empty((0, 2 * len(functions))), np.empty(0), None, 0.0
    for points, new_weights, _ in refine(factor):
        new = [[value for of in functions for value in _mean_and_variance(of, float(z))] for z in points]
        rows, weights = np.concatenate([rows, new]), np.append(weights, new_weights)
        now = _moments(rows[:, :2], rows[:, -2:], weights / weights.sum())
        if before is not None:
            error = float(np.max(np.abs(now - before) / np.where(now != 0, np.abs(now), 1.0)))
            if error < tolerance:
                break
        before = now
    if error >= tolerance:
        raise ParameterError(f"a moment still changes by {error:.1e}: the factor's tails may be too heavy for it")
    mean_x, mean_y, intrinsic_x, intrinsic_y, extrinsic_x, extrinsic_y, cov = (float(value) for value in now)
    return ReporterMoments(
        mean_x, mean_y, intrinsic_x + extrinsic_x, intrinsic_y + extrinsic_y, cov, intrinsic_x, intrinsic_y, error
    )


def _mean_and_variance(law_of, z):
    law = law_of(z)
    if not isinstance(law, CountLaw):
        raise expected("what a reporter's function returns", "a law of counts of acme_lib.laws", law)
    return law.mean(), law.var()


def _moments(x, y, weights):
    mean_x, mean_y = weights @ x[:, 0], weights @ y[:, 0]
    dx, dy = x[:, 0] - mean_x, y[:, 0] - mean_y
    spreads = weights @ np.column_stack([dx**2, dy**2, dx * dy])
    return np.array([mean_x, mean_y, weights @ x[:, 1], weights @ y[:, 1], *spreads])

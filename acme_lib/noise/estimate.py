"""A number with its standard error."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from acme_lib.arrays import freeze
from acme_lib.noise.samples import check_level


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate, its standard error and the number of samples behind it.

    Attributes
    ----------
    value, stderr : float or ndarray
        Arrays are read-only and of one shape.
    n : int
        Number of independent samples.
    find_interval : callable, optional
        ``level -> (low, high)``, where the estimator has a better interval than the normal one.

    Examples
    --------
    >>> Estimate(3.4142, 0.061, 5000)
    3.41 ± 0.06
    """

    value: float | np.ndarray
    stderr: float | np.ndarray
    n: int
    find_interval: Callable | None = field(default=None, repr=False)

    def __post_init__(self):
        """Make arrays read-only."""
        freeze(self.value, self.stderr)

    def interval(self, level=0.95):
        r"""Return a confidence interval: the estimator's own, or else ``value ± z · stderr``.

        The second is the normal interval, with :math:`z = \Phi^{-1}((1 + level)/2)`; it is short of its level where
        samples are few. An end may be infinite: then the data leave the measure without a bound on that side.

        Parameters
        ----------
        level : float
            Probability, between 0 and 1, that the interval covers the truth (for large n).

        Returns
        -------
        low, high : float or ndarray
        """
        check_level(level)
        if self.find_interval is not None:
            return self.find_interval(level)
        margin = float(ndtri(0.5 + 0.5 * level)) * self.stderr
        return self.value - margin, self.value + margin

    def __float__(self):
        """Return the value of an estimate of one number."""
        if np.ndim(self.value):
            raise TypeError(f"this estimate holds {np.size(self.value)} numbers; take .value, or estimate one column")
        return float(self.value)

    def __repr__(self):
        """Return the value to the digits that its error leaves, such as ``3.41 ± 0.06``."""
        if np.ndim(self.value) == 0:
            return _tidy(float(self.value), float(self.stderr))
        value, stderr = np.ravel(self.value), np.ravel(self.stderr)
        shown = [_tidy(v, s) for v, s in zip(value[:3], stderr[:3], strict=True)]
        more = ", …" if len(value) > 3 else ""
        return f"Estimate of shape {np.shape(self.value)}: {', '.join(shown)}{more}"


def _tidy(value, stderr):
    if not np.isfinite(stderr) or stderr <= 0:
        return f"{value:g} ± {stderr:g}"
    # The error to one digit; a leading 1 would round by half, and keeps two.
    exponent = int(np.floor(np.log10(stderr)))
    if stderr / 10.0**exponent < 1.95:
        exponent -= 1
    decimals = max(0, -exponent)
    if decimals > 8:
        return f"{value:.6g} ± {stderr:.1g}"
    return f"{value:.{decimals}f} ± {stderr:.{decimals}f}"

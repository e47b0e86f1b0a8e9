"""A number with its standard error."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from acme_lib.errors import ParameterError


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate, its standard error and the number of samples behind it.

    Attributes
    ----------
    value, stderr : float or ndarray
        Arrays are read-only and of one shape.
    n : int
        Number of independent samples.

    Examples
    --------
    >>> Estimate(3.4142, 0.061, 5000)
    3.41 ± 0.06
    """

    value: float | np.ndarray
    stderr: float | np.ndarray
    n: int

    def __post_init__(self):
        """Make arrays read-only."""
        for array in (self.value, self.stderr):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    def interval(self, level=0.95):
        r"""Return the normal confidence interval, ``value ± z · stderr`` with :math:`z = \Phi^{-1}((1 + level)/2)`.

        Parameters
        ----------
        level : float
            Probability, between 0 and 1, that the interval covers the truth (for large n).

        Returns
        -------
        low, high : float or ndarray
        """
        if not 0.0 < level < 1.0:
            raise ParameterError(f"the level is a probability between 0 and 1, such as 0.95; {level!r} came")
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

r"""Burst parameters from counts, by maximum likelihood with profile intervals.

An interval holds the values whose profile likelihood (the others at their best for it) is close to the maximum,
:math:`2(\ell_{max} - \ell(\theta)) \le q`. It needs no symmetry, and where the data do not bound a parameter its end is
0 or infinity. For many cells q is the quantile of chi-square of one degree of freedom, 3.84 at 95 %; here it is the
square of Student's for n - 1, which at n = 20 is 4.38 and there brings coverage nearer to its level. Coverage as
measured: `tests.benchmarks.coverage`.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import optimize
from scipy.special import stdtrit

NOT_BETTER = 1e-6  # in log-likelihood: a limit that is as good as this is the maximum


@dataclass(frozen=True)
class Fitted:
    """A fitted parameter: its maximum-likelihood `value` and the profile interval from `low` to `high`."""

    value: float
    low: float
    high: float

    def __repr__(self):
        """Return such as ``3.1 (2.4 … 4.2)``."""
        return f"{self.value:.3g} ({self.low:.3g} … {self.high:.3g})"


@dataclass(frozen=True, kw_only=True)
class CountsFit:
    """A law fitted to counts: what the fits of all laws have beside their parameters.

    Attributes
    ----------
    n : int
        Cells.
    log_likelihood : float
    level : float
        Of the intervals.
    cannot_tell : str
        What the data cannot tell, and what they do; empty if all parameters are bounded.
    """

    n: int
    log_likelihood: float = field(repr=False)
    level: float = field(repr=False)
    cannot_tell: str = ""

    @property
    def identifiable(self):
        """Whether all parameters are bounded by the data."""
        return not self.cannot_tell


def say_open_ends(fitted, n):
    """Say which parameters, of a dict of `Fitted`, have no lower or no upper bound; nothing where all have both."""
    names = [name for name, one in fitted.items() if not (one.low > 0 and one.high < np.inf)]
    return f"these {n} counts leave {', '.join(names)} without a bound" if names else ""


def drop_of(n, level):
    """Return how far a profile log-likelihood falls from its maximum to the ends of the interval."""
    return 0.5 * float(stdtrit(n - 1, 0.5 + 0.5 * level)) ** 2


def profile_ends(profile, start, best, drop, lowest, highest):
    """Return exp of where `profile` (of a logarithm) falls by `drop` below `best`, or 0 and infinity."""
    return tuple(profile_end(profile, start, best, drop, limit) for limit in (lowest, highest))


def profile_end(profile, start, best, drop, limit):
    """Return one of the `profile_ends`, towards `limit`."""

    def excess(u):
        return np.sqrt(max(best - profile(u), 0.0)) - np.sqrt(drop)  # nearly straight: few values find its root

    side = 1.0 if limit > start else -1.0
    inside, step = start, 0.1
    while True:
        outside = inside + side * step
        if side * (limit - outside) <= 0:
            outside = limit
        if excess(outside) > 0:
            break
        if outside == limit:
            return np.inf if side > 0 else 0.0
        inside, step = outside, 2.0 * step
    return float(np.exp(optimize.brentq(excess, inside, outside, xtol=1e-4)))

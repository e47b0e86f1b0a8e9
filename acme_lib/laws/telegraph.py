"""The stationary law of mRNA made by a gene that switches on and off: Poisson mixed over a beta law."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from acme_lib.checks import check_not_negative, check_positive
from acme_lib.laws.count_law import CountLaw, check_top
from acme_lib.laws.poisson import NegativeBinomial


@dataclass(frozen=True)
class Telegraph(CountLaw):
    """The telegraph law, with rates in units of the mRNA's loss.

    Attributes
    ----------
    k_on, k_off, s : float
        Activation, inactivation and synthesis over the mRNA's loss.
    """

    k_on: float
    k_off: float
    s: float

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`)."""
        return telegraph_logpmf(self.k_on, self.k_off, self.s, last, whole=True)

    def mean(self):
        """Return the mean, s k_on/(k_on + k_off)."""
        return self.s * (self.k_on / (self.k_on + self.k_off))

    def var(self):
        """Return the variance, mean · (1 + s k_off/((k_on + k_off)(k_on + k_off + 1)))."""
        both = self.k_on + self.k_off
        return self.mean() * (1.0 + self.s / (both + 1.0) * (self.k_off / both))

    def third_cumulant(self):
        """Return the third central moment: that of s times a beta number, three times its variance, and the mean."""
        both = self.k_on + self.k_off
        variance = self.mean() * (self.s / (both + 1.0)) * (self.k_off / both)
        skewed = 2.0 * variance * (self.s / (both + 2.0)) * ((self.k_off - self.k_on) / both)
        return skewed + 3.0 * variance + self.mean()

    def rvs(self, size=None, *, rng):
        """Draw counts of the shape `size` with the numpy.random.Generator `rng`."""
        if self.k_off == 0:
            return rng.poisson(self.s, size)
        return rng.poisson(self.s * rng.beta(self.k_on, self.k_off, size))


def telegraph(k_on, k_off, s, g=1.0):
    r"""Return the stationary law of mRNA from a gene that switches: ``OFF -> ON : k_on``, ``ON -> OFF : k_off``.

    A gene that is on makes mRNA at rate `s`; each is lost at rate `g`. With :math:`\alpha = k_{on}/g` and
    :math:`\beta = k_{off}/g` the counts are Poisson with mean :math:`(s/g)\,\mathrm{Beta}(\alpha, \beta)` [1]_.

    Parameters
    ----------
    k_on, k_off : float
        Activation (above 0) and inactivation (0 or more), 1/time.
    s : float
        Synthesis while on, molecules per unit of time.
    g : float
        Loss of each molecule, 1/time.

    Returns
    -------
    Telegraph

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    The probabilities come from the master equation, downwards from a count that is out of reach. Gains and losses
    across each count balance, :math:`s\,p_{on}(n) = g(n+1)\,(p_{on}+p_{off})(n+1)`, and so do those of each state (off,
    n),
    :math:`(k_{on} + g n)\,p_{off}(n) = k_{off}\,p_{on}(n) + g(n+1)\,p_{off}(n+1)`. Nothing is ever subtracted, so that
    every probability above 1e-30 is right to 1e-11 of itself (1e-40 in absolute terms below), `cdf` to 1e-12, and the
    moments to 1e-15, for rates in units of g from 1e-3 to 1e3 and s/g to 1e4, where the closed form in Kummer's
    function overflows; tested in 50 digits.

    Use when: counts of mRNA of one gene are to be compared with a switching promoter, at any ratio of its rates.

    References
    ----------
    .. [1] J. Peccoud, B. Ycart, Theor. Popul. Biol. 48, 222 (1995). doi:10.1006/tpbi.1995.1027

    Examples
    --------
    >>> law = telegraph(k_on=1, k_off=3, s=20, g=1)
    >>> law.mean(), law.var()
    (5.0, 20.0)
    >>> round(float(law.pmf(0)), 6), round(float(law.cdf(5)), 6)
    (0.13575, 0.627)
    """
    check_positive(k_on=k_on, g=g)
    check_not_negative(k_off=k_off, s=s)
    k_on, k_off, s = k_on / g, k_off / g, s / g
    check_positive(**{"k_on/g": k_on})
    check_not_negative(**{"k_off/g": k_off, "s/g": s, "(k_on + k_off)/g": k_on + k_off})
    return Telegraph(float(k_on), float(k_off), float(s))


def telegraph_logpmf(k_on, k_off, s, last, *, whole=False):
    """Return the log-probabilities of the counts 0 … `last`, or (`whole`) of all that can be reached.

    Parameters
    ----------
    k_on, k_off, s : float
        In units of the loss; not checked.
    last : int
    whole : bool

    Returns
    -------
    ndarray
    """
    kept = max(last, reach_of(k_on, k_off, s)) + 1
    top = kept + 60 + kept // 16  # further steps, in which what is wrong at the top is forgotten
    check_top(top)
    if s == 0:
        return np.append(0.0, np.full(kept - 1 if whole else last, -np.inf))
    if k_off > _NO_STAY:
        logs = NegativeBinomial(k_on, s / (k_on + k_off)).log_table(kept)
    else:
        table, unit = np.empty(top + 1), np.empty(top + 1, dtype=np.int64)
        _fill_telegraph(k_on, k_off, s, table, unit)
        # Below s = 1 the table holds P(n)/s^n: its steps stay within what a number can hold.
        with np.errstate(divide="ignore"):
            logs = np.log(table) + (600.0 * np.log(2.0)) * unit + min(np.log(s), 0.0) * np.arange(top + 1.0)
    largest = logs.max()
    logs -= largest + np.log(np.exp(logs - largest).sum())
    return logs[: kept if whole else last + 1]


def reach_of(k_on, k_off, s):
    """Return a count beyond which less than 1e-16 of the law is left.

    The tail is below that of a Poisson law of mean s, and below that of a gamma law of the same mean and the scale
    s/(k_on + k_off) with Poisson noise on top.
    """
    turn = k_on + k_off
    mean = s * (k_on / turn)
    spread = np.sqrt(mean) * np.sqrt(1.0 + s / (turn + 1.0) * (k_off / turn))
    with np.errstate(over="ignore"):
        return int(min(s + 12.0 * np.sqrt(s), mean + 12.0 * spread + 40.0 * (1.0 + np.float64(s) / turn), 1e300)) + 60


_NO_STAY = 1e20  # from this k_off on (over the loss) a stay lasts no time: the burst limit is right to 1e-12


@njit(cache=True)
def _fill_telegraph(k_on, k_off, s, out, unit):
    """Fill `out` with on + off at each count, in units of 2**600 to the power of `unit`; only ratios have a meaning."""
    top = len(out) - 1
    # off/on where the chain of this and all higher counts repeats itself, as n/s changes little from one to the next:
    # x (k_on + n) = k_off + s x/(1 + x). What is wrong with that shrinks by a factor in each step down.
    rest = k_on + top - k_off - s
    root = np.hypot(rest, 2.0 * np.sqrt(k_on + top) * np.sqrt(k_off))
    step = min(s, 1.0)
    per = step / s
    on = 1.0
    off = 2.0 * k_off / (rest + root) if rest > 0.0 else (root - rest) / (2.0 * (k_on + top))
    units = 0
    for n in range(top, 0, -1):
        total = on + off
        if total > 4.149515568880993e180:  # 2**600
            on *= 2.409919865102884e-181
            off *= 2.409919865102884e-181
            total = on + off
            units += 1
        elif total < 2.409919865102884e-181:
            on *= 4.149515568880993e180
            off *= 4.149515568880993e180
            total = on + off
            units -= 1
        out[n] = total
        unit[n] = units
        on = n * total * per
        off = k_off * on + n * step * off
        while off > 1e100 * (k_on + (n - 1.0)):  # at n = 1, of a gene that hardly ever switches on
            on *= 2.409919865102884e-181
            off *= 2.409919865102884e-181
            units += 1
        off /= k_on + (n - 1.0)
    out[0] = on + off
    unit[0] = units

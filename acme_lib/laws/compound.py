"""Molecules made in bursts of any size: sums of independent clusters, whose laws are Poisson in the cluster sizes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from scipy import special

from acme_lib.checks import check_not_negative, check_positive, check_whole, expected
from acme_lib.laws.count_law import CountLaw, check_top, state_cost, tabulated
from acme_lib.laws.linear_birth_death import BirthDeathTransient, add_survivors
from acme_lib.laws.poisson import NegativeBinomial


def compound_log_table(rises, mean, std, last):
    r"""Return the log-probabilities of a count whose generating function has :math:`(\log G)'(z) = \sum_j h_j z^j`.

    .. math:: n P(n) = \sum_{j=0}^{n-1} h_j P(n - 1 - j)

    Nothing is subtracted: a probability is right to a relative error of rounding.

    Parameters
    ----------
    rises : callable
        ``rises(size)`` returns h as an array of at most that size, not negative; what it leaves out is 0.
    mean, std : float
        Of the count; only to choose a first size.
    last : int

    Returns
    -------
    ndarray
    """
    check_top(mean + 12.0 * std + last)
    top = int(mean + 12.0 * std) + 60
    while True:
        check_top(max(top, last))
        logs = _compound_logs(rises(top)[:top], top)
        logs -= logs.max()
        p = np.exp(logs)
        # The far tail falls at least by the ratio of the last two: a geometric bound of what is left out.
        fall = p[-1] / p[-2] if p[-2] > 0 else 0.0
        if p[-1] == 0 or (fall < 1 and p[-1] / (1.0 - fall) < 1e-17 * p.sum()):
            break
        top *= 2
    if last > top:
        logs = _compound_logs(rises(last)[:last], last)
        logs -= logs.max()
        p = np.exp(logs)
    return logs - np.log(p.sum())


def _compound_logs(h, top):
    """Return log(P(n)/P(0)) of the counts to `top`: in parts, so that it can be interrupted, after a word on cost."""
    terms = float(top) * min(len(h), top)
    state_cost(4e-10 * terms, f"probabilities of the counts to {top:,}, in clusters of up to {len(h):,}, take")
    reversed_h = np.ascontiguousarray(h[::-1])
    logs, recent, units = np.zeros(top + 1), np.zeros(top + 1), 0
    recent[0] = 1.0
    part = int(2e8 / (len(h) + 100)) + 1
    for first in range(1, top + 1, part):
        units = _fill_compound(reversed_h, logs, recent, units, first, min(first + part, top + 1))
    return logs


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def add_products(a, b):
    """Return the sum of products of two rows: vector instructions of this core, no threads that wait for others."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True)
def _fill_compound(reversed_h, logs, recent, units, begin, end):
    """Fill `logs` with log(P(n)/P(0)) from `begin` to `end`; `reversed_h` ends with h_0. Return its unit."""
    width = len(reversed_h)
    for n in range(begin, end):
        first = max(0, n - width)
        total = add_products(reversed_h[width - (n - first) :], recent[first:n]) / n
        if total > 4.149515568880993e180:  # 2**600
            recent[first:n] *= 2.409919865102884e-181
            total *= 2.409919865102884e-181
            units += 1
        elif 0.0 < total < 2.409919865102884e-181 and recent[first:n].max() < 1e100:
            recent[first:n] *= 4.149515568880993e180
            total *= 4.149515568880993e180
            units -= 1
        recent[n] = total
        logs[n] = np.log(total) + units * 415.88830833596718 if total > 0.0 else -np.inf  # 600 log 2
    return units


class CompoundLaw(CountLaw):
    """A count with factorial cumulants and rises h_j, 1e-12 right in relative terms where P(n) > 1e-30.

    A law of this kind gives `rises` (h, see `compound_log_table`) and `factorial_cumulants`.
    """

    def rises(self, size):
        """Return h_0, h_1, … (at most `size` of them) of (log G)'(z) = Σ h_j zʲ."""
        raise NotImplementedError

    @cached_property
    def factorial_cumulants(self):
        """The first three derivatives of log G at z = 1."""
        raise NotImplementedError

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`)."""
        return compound_log_table(self.rises, self.mean(), self.std(), last)

    def mean(self):
        """Return the mean."""
        return float(self.factorial_cumulants[0])

    def var(self):
        """Return the variance."""
        first, second, _ = self.factorial_cumulants
        return float(second + first)

    def third_cumulant(self):
        """Return the third central moment."""
        first, second, third = self.factorial_cumulants
        return float(third + 3.0 * second + first)


@dataclass(frozen=True)
class Burst(CountLaw):
    """Geometric size of a burst: P(n) = bⁿ/(1+b)ⁿ⁺¹.

    Attributes
    ----------
    b : float
        Mean, molecules.
    """

    b: float

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`)."""
        return NegativeBinomial(1.0, self.b).log_table(last)

    def mean(self):
        """Return the mean."""
        return self.b

    def var(self):
        """Return the variance."""
        return self.b * (1.0 + self.b)

    def third_cumulant(self):
        """Return the third central moment."""
        return self.var() * (1.0 + 2.0 * self.b)


@dataclass(frozen=True, eq=False)
class BurstyBirthDeath(CompoundLaw):
    """Bursts of any size at random times, molecules lost one by one; what came since an empty start.

    Attributes
    ----------
    r : float
        Bursts in one lifetime of the molecule.
    burst : CountLaw
        Size of a burst.
    age : float
        g t, lifetimes since the start: infinite for the stationary law.
    """

    r: float
    burst: CountLaw
    age: float = np.inf

    def rises(self, size):
        """Return r times (P(burst > j) less what a burst at time 0 would have left above j)."""
        if isinstance(self.burst, Burst):
            b, j = self.burst.b, np.arange(1, size + 1)
            if b == 0:
                return np.zeros(size)
            whole = -np.log1p(1.0 / b)  # of the ratio of the burst's probabilities
            if self.age == np.inf:
                return self.r * _trim(np.exp(j * whole))
            # What is left of a burst has a smaller ratio: by 1 + b over 1 + b e^-age, and e^-age.
            left = np.exp(-self.age)
            near = self.age < 0.7
            fall = (
                np.log1p(np.expm1(-self.age) / (1.0 + b * left))
                if near
                else np.log1p(b) - np.log1p(b * left) - self.age
            )
            return _trim(np.exp(j * whole) * (self.r * -np.expm1(j * fall)))
        # Twice as far as the count: what bursts seldom reach is what makes its far tail.
        p = np.trim_zeros(np.exp(self.burst.log_table(2 * size + 100)), "b")
        above = _above(p)[:size]
        if self.age == np.inf:
            return self.r * above
        if self.age > 0.1:
            return self.r * np.maximum(above - _above(thin(p, np.exp(-self.age)))[: len(above)], 0.0)
        # Close to the start the two nearly cancel: of n > j molecules n - j at least are lost.
        rises = np.zeros(len(above))
        for j in range(len(rises)):
            n = np.arange(j + 1, len(p))
            rises[j] = p[n] @ (self.r * special.betainc(n - j, j + 1.0, -np.expm1(-self.age)))
        return rises

    @cached_property
    def factorial_cumulants(self):
        """The first three: r E[B(B-1)…] (1 - e^(-k age))/k."""
        p = self.burst.table()
        n = np.arange(len(p))
        if isinstance(self.burst, Burst):
            b = self.burst.b
            factorial_moments = np.array([b, 2.0 * b**2, 6.0 * b**3])
        else:
            factorial_moments = np.array([p @ n, p @ (n * (n - 1.0)), p @ (n * (n - 1.0) * (n - 2.0))])
        return self.r * (-np.expm1([-self.age, -2.0 * self.age, -3.0 * self.age]) / (1, 2, 3)) * factorial_moments

    def rvs(self, size=None, *, rng):
        """Draw counts of the shape `size` with the numpy.random.Generator `rng`."""
        if self.age < np.inf:
            return super().rvs(size, rng=rng)
        # Clusters of j molecules come with rate h_{j-1}/j.
        h = self.rises(len(self._logs))
        rates = h / np.arange(1, len(h) + 1)
        number = rng.poisson(rates.sum(), size)
        sizes = np.searchsorted(np.cumsum(rates) / rates.sum(), rng.random(np.sum(number)), side="right") + 1
        ends = np.cumsum(np.ravel(number))
        sums = np.append(0, np.cumsum(sizes))
        return np.diff(sums[np.append(0, ends)]).reshape(np.shape(number))[()]


@dataclass(frozen=True, eq=False)
class BurstyTransient(CountLaw):
    """Survivors of the first molecules plus what bursts have brought since, independent.

    Attributes
    ----------
    n0 : int
    newcomers : BurstyBirthDeath
    """

    n0: int
    newcomers: BurstyBirthDeath

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`); those below 1e-300 are 0."""
        table = add_survivors(np.exp(self.newcomers.log_table(last)), self.n0, self.newcomers.age)
        with np.errstate(divide="ignore"):
            return np.log(table)

    @property
    def _survivors(self):
        return BirthDeathTransient(self.n0, self.newcomers.age, 0.0)

    def mean(self):
        """Return the mean."""
        return self._survivors.mean() + self.newcomers.mean()

    def var(self):
        """Return the variance."""
        return self._survivors.var() + self.newcomers.var()

    def third_cumulant(self):
        """Return the third central moment."""
        return self._survivors.third_cumulant() + self.newcomers.third_cumulant()


def bursty_birth_death(k, burst, g=1.0):
    r"""Return the stationary law of molecules that come in bursts at rate `k` and are lost one by one at rate `g`.

    .. math::

        \frac{d}{dz} \log G(z) = \frac{k}{g} \sum_j P(B > j)\, z^j, \qquad
        \langle n \rangle = \frac{k}{g} \langle B \rangle, \quad
        F = 1 + \frac{\langle B(B-1) \rangle}{2 \langle B \rangle}

    Parameters
    ----------
    k : float
        Bursts per unit of time.
    burst : float, CountLaw or array_like, shape (size,)
        Mean of a geometric size :math:`P(B = n) = b^n/(1+b)^{n+1}`; or the law of the size; or its probabilities from
        size 0 on.
    g : float
        Loss of each molecule, 1/time.

    Returns
    -------
    NegativeBinomial or BurstyBirthDeath
        For geometric bursts negative binomial with ``r = k/g`` and that mean [1]_.

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: bursts are instantaneous, whatever their size. The law comes from :math:`n P(n) = (k/g) \sum_j P(B > j)
    P(n-1-j)`, in which nothing is subtracted.

    References
    ----------
    .. [1] V. Shahrezaei, P. S. Swain, PNAS 105, 17256 (2008). doi:10.1073/pnas.0803850105

    Examples
    --------
    >>> bursty_birth_death(k=2, burst=5)
    NegativeBinomial(r=2.0, b=5.0)
    >>> pairs = bursty_birth_death(k=3, burst=[0, 0, 1])
    >>> pairs.mean(), pairs.fano_factor()
    (6.0, 1.5)
    """
    check_not_negative(k=k)
    check_positive(g=g)
    burst = _as_burst(burst)
    r, _ = _in_lifetimes(k, g, 0.0)
    return NegativeBinomial(r, burst.b) if isinstance(burst, Burst) else BurstyBirthDeath(r, burst)


def bursty_birth_death_transient(k, burst, g, n0, t):
    r"""Return the law at time `t` of molecules that come in bursts and are lost one by one, from `n0` at time 0.

    With :math:`q = e^{-gt}` and :math:`B_q` what is left of a burst of which each molecule stays with probability q,

    .. math:: n(t) \sim \mathrm{Binomial}(n_0, q) + N(t), \qquad
       \frac{d}{dz} \log G_N(z) = \frac{k}{g} \sum_j \left[P(B > j) - P(B_q > j)\right] z^j

    Parameters
    ----------
    k, burst, g
        As in `bursty_birth_death`.
    n0 : int
        Molecules at time 0.
    t : float
        Time, not negative.

    Returns
    -------
    BurstyTransient

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: a simulator or a solver in time is to be checked where molecules jump by more than one.

    Examples
    --------
    >>> law = bursty_birth_death_transient(k=2, burst=5, g=1, n0=10, t=0.5)
    >>> round(law.mean(), 6), round(law.var(), 6)
    (10.0, 37.927234)
    """
    check_not_negative(k=k, t=t)
    check_positive(g=g)
    r, age = _in_lifetimes(k, g, t)
    return BurstyTransient(check_whole("n0", n0), BurstyBirthDeath(r, _as_burst(burst), age))


def _in_lifetimes(k, g, t):
    """Return k/g and g t, refused where no number holds the first, or where the second cannot be told from 0."""
    r, age = float(k / g), float(g * t)
    if not np.isfinite(r) or (t > 0 and age < 1e-300):
        raise expected("g", "a rate with which k/g and g t are numbers between 1e-300 and 1e300", g)
    return r, age


def _as_burst(burst):
    if isinstance(burst, CountLaw):
        return burst
    if np.ndim(burst) == 1:
        return tabulated(burst)
    if np.ndim(burst) != 0:
        raise expected("burst", "a mean, a law of counts or a row of probabilities", burst)
    check_not_negative(burst=burst)
    return Burst(float(burst))


def thin(p, survival):
    """Return the probabilities of how many are left when each molecule stays with probability `survival`."""
    n = np.arange(len(p))
    if survival == 1:
        return p.copy()
    out = np.zeros(len(p))
    for left in range(len(p)):
        more = n[left:]
        logs = (
            special.gammaln(more + 1.0)
            - special.gammaln(left + 1.0)
            - special.gammaln(more - left + 1.0)
            + left * np.log(survival)
            + (more - left) * np.log1p(-survival)
        )
        out[left] = p[left:] @ np.exp(logs)
    return out


def _above(p):
    """P(more than j) for j = 0, 1, …, summed from the far end."""
    return np.append(np.cumsum(p[:0:-1])[::-1], 0.0)


def _trim(h):
    """Leave out what is below 1e-45 of the largest: it has no part in a probability above 1e-30."""
    kept = np.flatnonzero(h > 1e-45 * h.max(initial=0.0))
    return h[: kept[-1] + 1] if len(kept) else h[:0]

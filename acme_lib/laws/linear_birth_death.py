"""Production at a constant rate and loss of each molecule: Poisson, and on the way there binomial plus Poisson."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from acme_lib.checks import check_not_negative, check_positive, check_whole
from acme_lib.laws.count_law import CountLaw, check_top
from acme_lib.laws.poisson import Poisson


def birth_death(k, gamma):
    r"""Return the stationary law of ``0 -> M : k``, ``M -> 0 : gamma``.

    .. math:: P(n) = e^{-\mu} \mu^n / n!, \qquad \mu = k/\gamma

    Parameters
    ----------
    k : float
        Production, in molecules per unit of time.
    gamma : float
        Loss of each molecule, in 1/time.

    Returns
    -------
    Poisson

    Raises
    ------
    ParameterError
        If a rate is negative or not finite, or `gamma` is 0.

    Examples
    --------
    >>> law = birth_death(k=20, gamma=2)
    >>> float(law.mean()), float(law.var())
    (10.0, 10.0)
    """
    check_not_negative(k=k)
    check_positive(gamma=gamma)
    return Poisson(float(k / gamma))


@dataclass(frozen=True)
class BirthDeathTransient(CountLaw):
    """The law of survivors plus newcomers: Binomial(n0, survival) + Poisson(newcomers), independent.

    Attributes
    ----------
    n0 : int
        Molecules at the start.
    survival : float
        Probability that one of them is still there.
    newcomers : float
        Mean number of molecules that were made since and are still there.
    """

    n0: int
    survival: float
    newcomers: float

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`); those below 1e-300 are 0."""
        # Beyond this count less than 1e-300 is left, by Bernstein's bound.
        top = self.n0 + int(self.newcomers + 231 + np.sqrt(231**2 + 1382 * self.newcomers)) + 1
        check_top(max(top, last))
        newcomers = Poisson(self.newcomers).pmf(np.arange(top - self.n0 + 1))
        table = add_survivors(newcomers, self.n0, self.survival)
        with np.errstate(divide="ignore"):
            return np.log(np.append(table, np.zeros(max(last - top, 0))))

    def mean(self):
        """Return the mean."""
        return self.n0 * self.survival + self.newcomers

    def var(self):
        """Return the variance."""
        return self.n0 * self.survival * (1.0 - self.survival) + self.newcomers

    def third_cumulant(self):
        """Return the third central moment."""
        return self.n0 * self.survival * (1.0 - self.survival) * (1.0 - 2.0 * self.survival) + self.newcomers

    def rvs(self, size=None, *, rng):
        """Draw counts of the shape `size` with the numpy.random.Generator `rng`."""
        return rng.binomial(self.n0, self.survival, size) + rng.poisson(self.newcomers, size)


def add_survivors(newcomers, n0, survival):
    """Return the probabilities of Binomial(n0, survival) plus a count with the probabilities `newcomers`."""
    survivors = stats.binom(n0, survival).pmf(np.arange(n0 + 1))
    newcomers = newcomers.copy()
    for part in (survivors, newcomers):
        part[part < 1e-300] = 0.0  # numbers below the normal range would slow the sum down a hundredfold
    return np.convolve(survivors, newcomers)


def birth_death_transient(k, gamma, n0, t):
    r"""Return the law at time `t` of ``0 -> M : k``, ``M -> 0 : gamma`` started with `n0` molecules.

    Each of the first molecules is still there with probability :math:`q = e^{-\gamma t}`; the newcomers are Poisson:

    .. math:: n(t) \sim \mathrm{Binomial}(n_0, q) + \mathrm{Poisson}\!\left(\tfrac{k}{\gamma}(1 - q)\right)

    Parameters
    ----------
    k, gamma : float
        Production (molecules per unit of time) and loss (1/time).
    n0 : int
        Molecules at time 0.
    t : float
        Time, not negative.

    Returns
    -------
    BirthDeathTransient

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: a simulator or a solver in time is to be checked against a law without error.

    References
    ----------
    .. [1] T. Jahnke, W. Huisinga, J. Math. Biol. 54, 1 (2007). doi:10.1007/s00285-006-0034-x

    Examples
    --------
    >>> law = birth_death_transient(k=10, gamma=1, n0=5, t=0.5)
    >>> round(law.mean(), 6), round(law.var(), 6)
    (6.967347, 5.127949)
    """
    check_not_negative(k=k, t=t)
    check_positive(gamma=gamma)
    check_whole("n0", n0)
    return BirthDeathTransient(int(n0), float(np.exp(-gamma * t)), float(-k / gamma * np.expm1(-gamma * t)))

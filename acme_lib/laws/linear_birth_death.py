"""Production at a constant rate and loss of each molecule: Poisson, and on the way there binomial plus Poisson."""

from dataclasses import dataclass

import numpy as np

from acme_lib.checks import check_not_negative, check_positive, check_whole
from acme_lib.laws.count_law import CountLaw, check_top, state_cost
from acme_lib.laws.poisson import Poisson, deviance, stirling_error


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
    check_not_negative(**{"k/gamma": k / gamma})
    return Poisson(float(k / gamma))


@dataclass(frozen=True)
class BirthDeathTransient(CountLaw):
    """The law of survivors plus newcomers: Binomial(n0, e^-age) + Poisson(newcomers), independent.

    Attributes
    ----------
    n0 : int
        Molecules at the start.
    age : float
        Time since then, in lifetimes of a molecule.
    newcomers : float
        Mean number of molecules that were made since and are still there.
    """

    n0: int
    age: float
    newcomers: float

    @property
    def survival(self):
        """Probability that one of the first molecules is still there."""
        return float(np.exp(-self.age))

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`); those below 1e-300 are 0."""
        # Beyond this count less than 1e-300 is left, by Bernstein's bound.
        reach = self.newcomers + 231 + np.sqrt(231**2 + 1382 * self.newcomers)
        check_top(max(self.n0 + reach, last))
        top = self.n0 + int(reach) + 1
        newcomers = Poisson(self.newcomers).pmf(np.arange(top - self.n0 + 1))
        table = add_survivors(newcomers, self.n0, self.age)
        with np.errstate(divide="ignore"):
            return np.log(np.append(table, np.zeros(max(last - top, 0))))

    def mean(self):
        """Return the mean."""
        return self.n0 * self.survival + self.newcomers

    def var(self):
        """Return the variance."""
        return float(self.n0 * self.survival * -np.expm1(-self.age) + self.newcomers)

    def third_cumulant(self):
        """Return the third central moment."""
        return float(self.n0 * self.survival * -np.expm1(-self.age) * (1.0 - 2.0 * self.survival) + self.newcomers)

    def rvs(self, size=None, *, rng):
        """Draw counts of the shape `size` with the numpy.random.Generator `rng`."""
        return rng.binomial(self.n0, self.survival, size) + rng.poisson(self.newcomers, size)


def add_survivors(newcomers, n0, age):
    """Return the probabilities of Binomial(n0, e^-age) plus a count with the probabilities `newcomers`."""
    if n0 == 0 or age == 0 or np.exp(-age) < 1e-307:  # none leaves, or none stays
        survivors = np.eye(1, n0 + 1, n0 if age == 0 else 0)[0]
    else:
        survivors = _survivors(n0, np.exp(-age), -np.expm1(-age))
    # Numbers below the normal range would slow the sum down a hundredfold, and no others have a part in it.
    (first, survivors), (second, added) = _within(survivors), _within(newcomers)
    out = np.zeros(n0 + len(newcomers))
    out[first + second : first + second + len(survivors) + len(added) - 1] = _convolve(survivors, added)
    return out


def _survivors(n0, stay, leave):
    """Return the binomial probabilities by Loader's form, in which neither a large n0 nor a rare event costs digits."""
    n = np.arange(1.0, n0)
    logs = stirling_error(n0) - stirling_error(n) - stirling_error(n0 - n)
    logs -= deviance(n, n0 * stay) + deviance(n0 - n, n0 * leave)
    logs += 0.5 * np.log(n0 / (2.0 * np.pi * n * (n0 - n)))
    with np.errstate(divide="ignore", under="ignore"):
        none = n0 * (np.log1p(-stay) if stay < 0.5 else np.log(leave))
        return np.exp(np.concatenate([[none], logs, [n0 * (np.log(stay) if stay < 0.5 else np.log1p(-leave))]]))


def _within(p):
    """Return where the probabilities above 1e-300 begin, and those up to where they end."""
    kept = np.flatnonzero(p >= 1e-300)
    return kept[0], np.where(p >= 1e-300, p, 0.0)[kept[0] : kept[-1] + 1]


def _convolve(p, q):
    """Return the probabilities of a sum, in parts that can be interrupted."""
    few, many = sorted((p, q), key=len)
    state_cost(1e-9 * len(few) * len(many), f"{len(few):,} × {len(many):,} products take")
    out = np.zeros(len(few) + len(many) - 1)
    for i in range(len(few)):
        out[i : i + len(many)] += few[i] * many
    return out


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
    newcomers = k * t if gamma * t < 1e-300 else k * (-np.expm1(-gamma * t) / gamma)
    check_not_negative(newcomers=newcomers)
    return BirthDeathTransient(check_whole("n0", n0), float(gamma * t), float(newcomers))

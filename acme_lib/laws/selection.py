"""A birth-death process under selection: its exact dominant growth mode and its limit of many molecules."""

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import eigh_tridiagonal

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_number, check_positive, check_whole, expected
from acme_lib.errors import ParameterError


@dataclass(frozen=True)
class BirthDeathGrowthMode:
    """The profile that a growing population tends to, and the rate at which it grows.

    Attributes
    ----------
    rate : float
        Growth rate of the number of individuals, 1/time.
    profile : ndarray, shape (state,)
        The part of the individuals in each state; sums to 1.
    states : ndarray, shape (state,)
        Counts.
    residual : float
        Largest entry of ``(A + diag(G) - rate) profile``, over the largest rate of leaving a state.
    """

    rate: float
    profile: np.ndarray = field(repr=False)
    states: np.ndarray = field(repr=False)
    residual: float

    def __post_init__(self):
        freeze_fields(self)


def birth_death_growth_mode(birth, death, growth, *, first=0):
    r"""Return the dominant growth mode of individuals whose counts follow a birth-death process.

    An individual with :math:`n` molecules makes another like itself at the rate :math:`G_n`, gains a molecule at the
    rate :math:`\lambda_n` and loses one at the rate :math:`\mu_n`. The numbers of individuals obey
    :math:`\dot q = (A + \operatorname{diag} G) q`; for long times :math:`q \sim e^{rt} \pi` with the largest
    eigenvalue. The matrix is tridiagonal and similar to a symmetric one, of which LAPACK finds the largest eigenvalue
    to rounding.

    Parameters
    ----------
    birth, death, growth : array_like, shape (state,)
        Rates in the states ``first, first + 1, …``. What leads out of these states (the death of the first, the birth
        of the last) is left out, so that no molecule count but these occurs.
    first : int
        Count of the first state; 1 excludes the count 0 where it absorbs.

    Returns
    -------
    BirthDeathGrowthMode

    Raises
    ------
    ParameterError
        If the shapes differ, or a rate inside is not positive.

    Notes
    -----
    Use when: a solver of selection problems is to be checked on one species.

    Examples
    --------
    >>> mode = selected_logistic_mode(3.0, 0.5, 1000)
    >>> print(f"{mode.rate:.7f}")
    0.3331245
    """
    check_whole("first", first)
    birth, death, growth = (np.array(values, dtype=float) for values in (birth, death, growth))
    if birth.ndim != 1 or len(birth) < 2 or death.shape != birth.shape or growth.shape != birth.shape:
        shapes = (birth.shape, death.shape, growth.shape)
        raise expected("birth, death and growth", "rows of one length, one rate a state", shapes)
    up, down = birth[:-1], death[1:]
    if not (np.all(up > 0) and np.all(down > 0) and np.all(np.isfinite([up, down])) and np.all(np.isfinite(growth))):
        raise ParameterError("births and deaths between the states must be positive and finite, and growth finite")
    leave = np.append(up, 0.0) + np.append(0.0, down)
    diagonal = growth - leave
    last = len(birth) - 1
    (rate,), vector = eigh_tridiagonal(diagonal, np.sqrt(up * down), select="i", select_range=(last, last))
    # undo the similarity in logarithms: its scaling spans hundreds of orders of magnitude
    scaling = np.concatenate([[0.0], np.cumsum(0.5 * (np.log(up) - np.log(down)))])
    with np.errstate(divide="ignore"):
        logarithm = np.log(np.abs(vector[:, 0])) + scaling
    profile = np.exp(logarithm - logarithm.max())
    profile /= profile.sum()
    moved = (diagonal - rate) * profile
    moved[1:] += up * profile[:-1]
    moved[:-1] += down * profile[1:]
    residual = float(np.abs(moved).max() / leave.max())
    return BirthDeathGrowthMode(float(rate), profile, first + np.arange(len(birth)), residual)


def selected_logistic_mode(birth_factor, growth, omega):
    r"""Return the exact growth mode of a logistic birth-death process whose individuals grow with their content.

    With :math:`x = n/\Omega`: births at the rate :math:`\Omega \Lambda x (1 - x)`, deaths at :math:`\Omega x`,
    growth :math:`G = g x` [1]_, [2]_. The count 0, which absorbs, is excluded.

    Parameters
    ----------
    birth_factor : float
        The :math:`\Lambda`, above 1.
    growth : float
        The :math:`g`, 1/time.
    omega : int
        System size.

    Returns
    -------
    BirthDeathGrowthMode
        Its states are the counts 1 … omega.

    References
    ----------
    .. [1] D. Lunz, G. Batt, J. Ruess, J. F. Bonnans, PLOS Comput. Biol. 17, e1009214 (2021).
       doi:10.1371/journal.pcbi.1009214
    .. [2] T. Mora, A. M. Walczak, J. Phys. Chem. B 117, 13194 (2013).

    Examples
    --------
    >>> print(f"{selected_logistic_mode(2.0, 0.5, 1000).rate:.7f}")
    0.2496233
    """
    _check_logistic(birth_factor, growth)
    omega = check_whole("omega", omega, least=2)
    n = np.arange(1, omega + 1)
    x = n / omega
    return birth_death_growth_mode(omega * birth_factor * x * (1.0 - x), omega * x, growth * x, first=1)


def selected_logistic_limit(birth_factor, growth, omega):
    r"""Return growth rate, centre and standard deviation of the profile of `selected_logistic_mode` for large omega.

    .. math:: r = g (1 - 1/\Lambda), \qquad x_c = 1 - 1/\Lambda, \qquad \sigma^2 = \frac{1}{\Omega \Lambda}

    The profile is Gaussian: at :math:`x_c` drift restores at the rate :math:`\Lambda - 1` and births and deaths
    diffuse at :math:`x_c/\Omega`.

    Parameters
    ----------
    birth_factor, growth, omega : float
        As there.

    Returns
    -------
    rate, centre, deviation : float

    Examples
    --------
    >>> rate, centre, deviation = selected_logistic_limit(3.0, 0.5, 1000)
    >>> print(f"{rate:.4f} {centre:.4f} {deviation:.5f}")
    0.3333 0.6667 0.01826
    """
    _check_logistic(birth_factor, growth)
    check_positive(omega=omega)
    centre = 1.0 - 1.0 / birth_factor
    return growth * centre, centre, float(1.0 / np.sqrt(omega * birth_factor))


def _check_logistic(birth_factor, growth):
    check_number("birth_factor", birth_factor, above=1)  # or the molecules die out
    check_positive(growth=growth)

"""Populations of sizes: exact number densities of fragmentation, growth with fragmentation, and coagulation."""

import numpy as np
from scipy.special import gamma, ive

from acme_lib.checks import check_not_negative, check_positive, expected
from acme_lib.errors import ParameterError


def fragmentation_density(x, t, *, a, k, c=1.0):
    r"""Return the number density of sizes that only fragment, uniformly, at the rate :math:`a x^k`.

    .. math::

        \partial_t \rho = -a x^k \rho + \int_x^\infty 2 a y^{k-1} \rho(y)\, dy, \qquad
        \rho(x, t) = c\, t^{2/k} e^{-a t x^k}

    Parameters
    ----------
    x : array_like
        Sizes.
    t : float or array_like
        Times above 0.
    a, k, c : float
        Positive.

    Returns
    -------
    ndarray, or float

    Notes
    -----
    Use when: a solver of fragmentation is to be checked. Fragments are uniform on 0 … y and two in number, so that the
    total size is kept: `fragmentation_moment` gives it.

    References
    ----------
    .. [1] R. M. Ziff, E. D. McGrady, J. Phys. A 18, 3027 (1985). doi:10.1088/0305-4470/18/15/026

    Examples
    --------
    >>> print(f"{fragmentation_density(0.5, 1.1, a=5, k=3):.4f}")
    0.5358
    """
    check_positive(a=a, k=k, c=c)
    x, t = _sizes(x), _times(t, least=0.0)
    return (c * t ** (2.0 / k) * np.exp(-a * t * x**k))[()]


def fragmentation_moment(order, t, *, a, k, c=1.0):
    r"""Return :math:`\int_0^\infty x^m \rho(x, t)\, dx` of `fragmentation_density`; order 1 does not depend on t."""
    check_positive(a=a, k=k, c=c)
    check_not_negative(order=order)
    t = _times(t, least=0.0)
    return (c / k * t ** (2.0 / k) * (a * t) ** (-(order + 1.0) / k) * gamma((order + 1.0) / k))[()]


def growth_fragmentation_density(x, t, *, a, k, c=1.0):
    r"""Return the number density of sizes that grow as :math:`\dot x = x`, fragment, and are lost at the rate 1.

    .. math::

        \partial_t \rho + \partial_x (x \rho) = -\rho - a x^k \rho + \int_x^\infty 2 a y^{k-1} \rho(y)\, dy, \qquad
        \rho(x, t) = c\, u^{2/k} e^{-(a/k) u x^k}, \quad u = 1 - e^{-k t}

    Parameters
    ----------
    x, t, a, k, c
        As in `fragmentation_density`; the time may be infinite, where the density is stationary.

    Returns
    -------
    ndarray, or float

    References
    ----------
    .. [1] M. J. Cáceres, J. A. Cañizo, S. Mischler, J. Math. Pures Appl. 96, 334 (2011).
       doi:10.1016/j.matpur.2011.01.003

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{growth_fragmentation_density(0.5, np.inf, a=5, k=2):.4f}")
    0.5353
    """
    check_positive(a=a, k=k, c=c)
    x, t = _sizes(x), _times(t, least=0.0, infinite=True)
    u = -np.expm1(-k * t)
    return (c * u ** (2.0 / k) * np.exp(-a / k * u * x**k))[()]


def coagulation_density(x, t, *, kernel, rate=1.0, number=1.0, size=1.0):
    r"""Return the number density of sizes that coagulate, from an exponential start.

    Smoluchowski's equation [1]_ with the kernel :math:`K(x, y)`,

    .. math::

        \partial_t n = \tfrac12 \int_0^x K(x-y, y)\, n(x-y)\, n(y)\, dy - n \int_0^\infty K(x, y)\, n(y)\, dy .

    With :math:`\xi = x/\bar x`:

    ==================  ========================  =====================================================================
    kernel              start                     solution
    ==================  ========================  =====================================================================
    ``constant``: K     :math:`N_0 e^{-\xi}`      :math:`N_0 e^{-\xi/s}/s^2`, with :math:`s = 1 + K N_0 \bar x t/2`
    ``additive``:       the same                  :math:`N_0 (1-T) e^{-(1+T)\xi} I_1(2\xi\sqrt T)/(\xi \sqrt T)`,
    K (x + y)                                     with :math:`T = 1 - e^{-K M t}`, :math:`M = N_0 \bar x^2`
    ``multiplicative``  :math:`N_0 e^{-\xi}/\xi`  :math:`N_0 e^{-(1+T)\xi} I_1(2\xi\sqrt T)/(\xi^2 \sqrt T)`,
    K x y                                         with :math:`T = K N_0 \bar x^3 t`, up to gelation at :math:`T = 1`
    ==================  ========================  =====================================================================

    Parameters
    ----------
    x : array_like
        Sizes; above 0 for the multiplicative kernel, whose start is not bounded at 0.
    t : float
        Time.
    kernel : {"constant", "additive", "multiplicative"}
    rate : float
        The K of the table.
    number, size : float
        :math:`N_0` (number a unit of size) and :math:`\bar x` of the start.

    Returns
    -------
    ndarray, or float

    Raises
    ------
    ParameterError
        If a value does not fit; also for times from gelation on, where a part of the mass is in an infinite cluster.

    References
    ----------
    .. [1] D. J. Aldous, Bernoulli 5, 3 (1999). doi:10.2307/3318611
    .. [2] W. T. Scott, J. Atmos. Sci. 25, 54 (1968).

    Examples
    --------
    >>> print(f"{coagulation_density(1.0, 2.0, kernel='constant'):.6f}")
    0.151633
    """
    check_positive(rate=rate, number=number, size=size)
    x, t = _sizes(x), float(_times(t, least=None))
    scaled = x / size
    if kernel == "constant":
        s = 1.0 + 0.5 * rate * number * size * t
        return (number / s**2 * np.exp(-scaled / s))[()]
    if kernel == "additive":
        grown = -np.expm1(-rate * number * size**2 * t)
        return (number * (1.0 - grown) * _bessel(scaled, grown))[()]
    if kernel != "multiplicative":
        raise expected("kernel", "one of 'constant', 'additive', 'multiplicative'", kernel)
    grown = rate * number * size**3 * t
    if grown >= 1.0:
        raise ParameterError(
            f"t must be before gelation at t={t / grown:g}, from where a part of the mass is in one infinite cluster, "
            f"got {t:g}"
        )
    if np.any(x == 0.0):
        raise ParameterError("the density of the multiplicative kernel is not bounded at size 0; give sizes above 0")
    return (number / scaled * _bessel(scaled, grown))[()]


def balanced_coagulation_density(x, t, *, coagulation=1.0, fragmentation=1.0, number=1.0, size=1.0):
    r"""Return the number density of sizes that coagulate and fragment at constant rates, from an exponential start.

    Pairs coagulate at the rate :math:`K`; a size :math:`x` breaks at the rate :math:`F x/2`, uniformly into two. An
    exponential start stays exponential [1]_: :math:`n = M \theta^2 e^{-\theta x}` with

    .. math::

        \theta(t) = \theta_\infty \frac{\theta_0 + \theta_\infty \tanh s}{\theta_\infty + \theta_0 \tanh s}, \quad
        s = \tfrac12 \sqrt{K M F}\, t, \quad \theta_\infty = \sqrt{F/(K M)} .

    In the end :math:`K n(x) n(y) = F n(x + y)`: detailed balance.

    Parameters
    ----------
    x : array_like
    t : float
        May be infinite.
    coagulation, fragmentation : float
        The K and F above.
    number, size : float
        The start is ``number * exp(-x/size)``.

    Returns
    -------
    ndarray, or float

    References
    ----------
    .. [1] M. Aizenman, T. A. Bak, Commun. Math. Phys. 65, 203 (1979). doi:10.1007/BF01197880

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{balanced_coagulation_density(1.0, np.inf, fragmentation=4.0):.6f}")
    0.541341
    """
    check_positive(coagulation=coagulation, fragmentation=fragmentation, number=number, size=size)
    x, t = _sizes(x), float(_times(t, least=None, infinite=True))
    mass, start = number * size**2, 1.0 / size
    end = np.sqrt(fragmentation / (coagulation * mass))
    tanh = np.tanh(0.5 * np.sqrt(coagulation * mass * fragmentation) * t)
    theta = end * (start + end * tanh) / (end + start * tanh)
    return (mass * theta**2 * np.exp(-theta * x))[()]


def _bessel(x, grown):
    """Return exp(-(1 + T) x) I1(2 x √T)/(x √T), which is 1 at x √T = 0."""
    argument = 2.0 * x * np.sqrt(grown)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(argument > 1e-8, 2.0 * ive(1, argument) / argument, np.exp(-argument))
    return ratio * np.exp(-((1.0 - np.sqrt(grown)) ** 2) * x)


def _sizes(x):
    x = np.asarray(x, dtype=float)
    if not np.all(x >= 0.0):
        raise expected("x", "sizes of at least 0", x)
    return x


def _times(t, *, least, infinite=False):
    t = np.asarray(t, dtype=float)
    fits = t > least if least is not None else t >= 0.0
    if not np.all(fits & (infinite | np.isfinite(t))):
        what = "above 0" if least is not None else "of at least 0"
        raise expected("t", f"times {what}{'' if infinite else ' and finite'}", t)
    return t

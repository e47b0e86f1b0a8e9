r"""Sizes of bursts, in molecules: how they are drawn, and how they spread over the cells of a grid.

A size is one class here, and all that a simulator or a solver asks of it stands in the class: a new one is a class, a
line in `draw_size`, and its export. With :math:`T(z) = \int_z^\infty P(Z > s)\, ds`, its *integrated tail*, the weights
of a grid follow for all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit
from scipy import integrate, special

from acme_lib.checks import check_number, expected, is_number, shorten
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.random_stream import next_exponential, next_gamma, next_uniform

_FIXED, _EXPONENTIAL, _GAMMA, _UNIFORM = range(4)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_TOLERATED = 1e-6  # of the integral of a density


class BurstSize:
    """What every burst size has; not for use by itself.

    Attributes
    ----------
    of_state : tuple of str
        Fields that may be text: an expression of the state before the burst, as the augmented equation takes it.
    of_size : tuple of str
        Fields that are functions of the size.
    integral : float
        What the density of sizes integrates to.
    law : tuple of (int, float, float) or None
        What `draw_size` takes; None where it cannot be drawn.
    """

    of_state: ClassVar[tuple[str, ...]] = ()
    of_size: ClassVar[tuple[str, ...]] = ()
    integral = 1.0
    law = None

    def __post_init__(self):
        """Check the values."""
        for name in self.of_state:
            value = getattr(self, name)
            if not (isinstance(value, str) and value.strip()):
                check_number(f"{name} of {type(self).__name__}", value, above=0)

    @staticmethod
    def integrated_tail(z, **values):
        """Return T(z) for z of zero or more; `values` are those of the fields `of_state`, as arrays."""
        raise NotImplementedError

    def cell_weights(self, n, h, **values):
        """Return the share of bursts that lead m cells on.

        A start that is uniform in its cell and a size Z end in the cell m further on with probability
        ``(T((m + 1) h) - 2 T(m h) + T((m - 1) h))/h``: mean and mass are exact.

        Parameters
        ----------
        n : int
            Number of cells.
        h : float
            Width of a cell in molecules.
        **values : ndarray, shape (1,) or (n,), or callable
            Those of the fields `of_state`, one for each start cell where they differ; of the fields `of_size` functions
            of an array of sizes.

        Returns
        -------
        ndarray, shape (n, 1) or (n, n)
            ``[m, start]``.
        """
        if not np.all(self._are_sizes(**values)):
            raise PropensityError(f"the sizes of the jump {self!r} are not positive everywhere")
        tail = self.integrated_tail(np.arange(n + 1)[:, None] * h, **values)
        tail = np.concatenate([tail[:1] + h, tail])  # below zero every size is larger
        weights = (tail[2:] - 2.0 * tail[1:-1] + tail[:-2]) / h
        # what rounding alone leaves of the difference is zero
        return np.where(weights > np.maximum(1e-17, 1e-15 * tail[1:-1] / h), weights, 0.0)

    @staticmethod
    def _are_sizes(**values):
        return np.logical_and.reduce(np.broadcast_arrays(*(value > 0 for value in values.values())))


@dataclass(frozen=True)
class ExponentialJump(BurstSize):
    """Sizes with density exp(-z/mean)/mean, the continuum of geometric bursts.

    Attributes
    ----------
    mean : float or str
        In molecules; text, such as ``"40*P"``, where the augmented equation is solved.
    """

    mean: float | str
    of_state = ("mean",)

    @property
    def law(self):
        """What `draw_size` takes."""
        return _EXPONENTIAL, float(self.mean), 0.0

    @staticmethod
    def integrated_tail(z, mean):
        """Return T(z)."""
        return mean * np.exp(-z / mean)


@dataclass(frozen=True)
class GammaJump(BurstSize):
    """Sizes with a gamma law of given mean and shape (1: exponential).

    Attributes
    ----------
    mean, shape : float or str
    """

    mean: float | str
    shape: float | str
    of_state = ("mean", "shape")

    @property
    def law(self):
        """What `draw_size` takes."""
        return _GAMMA, float(self.shape), float(self.mean) / float(self.shape)

    @staticmethod
    def integrated_tail(z, mean, shape):
        """Return T(z)."""
        scaled = z * shape / mean
        return mean * special.gammaincc(shape + 1.0, scaled) - z * special.gammaincc(shape, scaled)


@dataclass(frozen=True)
class FixedJump(BurstSize):
    """Always the same size.

    Attributes
    ----------
    size : float or str
    """

    size: float | str
    of_state = ("size",)

    @property
    def mean(self):
        """The size itself."""
        return self.size

    @property
    def law(self):
        """What `draw_size` takes."""
        return _FIXED, float(self.size), 0.0

    @staticmethod
    def integrated_tail(z, size):
        """Return T(z)."""
        return np.maximum(size - z, 0.0)


@dataclass(frozen=True)
class UniformJump(BurstSize):
    """Sizes between two limits, any alike.

    Attributes
    ----------
    low, high : float or str
    """

    low: float | str
    high: float | str
    of_state = ("low", "high")

    def __post_init__(self):
        """Check the values."""
        for name, value in (("low", self.low), ("high", self.high)):
            if not isinstance(value, str):
                check_number(f"{name} of UniformJump", value, least=0)
        if is_number(self.low) and is_number(self.high) and not self.low < self.high:
            raise expected("high of UniformJump", f"above low={self.low:g}", self.high)

    @property
    def mean(self):
        """Half of the sum of the limits."""
        if isinstance(self.low, str) or isinstance(self.high, str):
            return f"(({self.low}) + ({self.high}))/2"
        return (self.low + self.high) / 2

    @property
    def law(self):
        """What `draw_size` takes."""
        return _UNIFORM, float(self.low), float(self.high)

    @staticmethod
    def integrated_tail(z, low, high):
        """Return T(z)."""
        above = high - np.clip(z, low, high)
        return above**2 / (2.0 * (high - low)) + np.maximum(low - z, 0.0)

    @staticmethod
    def _are_sizes(low, high):
        return (low >= 0) & (low < high)


@dataclass(frozen=True)
class ArbitraryJump(BurstSize):
    """Sizes with a density of one's own, for the augmented equation.

    Attributes
    ----------
    density : str or callable
        Of the size z > 0, an expression in `z` (and parameters and `t`) or a function of an array.
    integral : float
        What the density integrates to, which is checked. With another value than 1 mass is not conserved.
    """

    density: str | Callable
    integral: float = 1.0
    of_size = ("density",)

    def __post_init__(self):
        """Check the values."""
        if not callable(self.density) and not isinstance(self.density, str):
            raise expected("density of ArbitraryJump", "text, such as 'exp(-z)', or a function", self.density)
        check_number("integral of ArbitraryJump", self.integral, above=0)

    def cell_weights(self, n, h, density):
        """Return the share of bursts that lead m cells on, shape (n, 1); see `BurstSize.cell_weights`."""
        with np.errstate(all="ignore"):
            total, _ = integrate.quad(lambda z: float(density(np.asarray(z))), 0.0, np.inf, limit=400)
        if not abs(total - self.integral) <= _TOLERATED * self.integral:
            raise ParameterError(
                f"the density {self.density!r} of ArbitraryJump integrates to {total:.9g} over z > 0, not to the "
                f"{self.integral:g} that it claims; divide it by its integral, or say integral={total:.6g}"
            )
        left = np.arange(n) * h
        z = left[:, None] + 0.5 * h * (1.0 + _NODES)
        b = np.asarray(density(z), dtype=float)
        if not np.all(np.isfinite(b) & (b >= 0)):
            raise ParameterError(f"the density {self.density!r} of ArbitraryJump is negative or not finite on the grid")
        # A size z in cell m leads m cells on, or m + 1, with the share of the start cell from which it does.
        mass = 0.5 * h * (b @ _WEIGHTS)
        further = 0.5 * h * ((b * (z - left[:, None])) @ _WEIGHTS) / h
        inside = mass.sum()
        if inside > self.integral:  # rounding of the quadrature
            mass, further = mass * (self.integral / inside), further * (self.integral / inside)
        weights = mass - further
        weights[1:] += further[:-1]
        return weights[:, None]


# How sizes were written before, and how they are now.
_BEFORE = {
    ("exponential", 1): "ExponentialJump({})",
    ("gamma", 2): "GammaJump(mean={1}, shape={0})",
    ("uniform", 2): "UniformJump({}, {})",
    ("fixed", 1): "FixedJump({})",
}


def check_size(size):
    """Return a burst size; a tuple, as sizes were written before, is refused with the class that it is now."""
    if isinstance(size, BurstSize):
        return size
    if isinstance(size, tuple | list) and len(size):
        form = _BEFORE.get((size[0], len(size) - 1)) if isinstance(size[0], str) else None
        if form is not None:
            raise ParameterError(f"{size!r} is now written {form.format(*map(repr, size[1:]))}")
    raise expected("a burst size", "an object such as ExponentialJump(40.0)", size)


def check_drawn_size(size, who):
    """Return the code and two numbers of a size as `draw_size` takes them; `who` refuses what it cannot draw."""
    for name in check_size(size).of_state:
        value = getattr(size, name)
        if isinstance(value, str):
            raise ParameterError(
                f"{who} takes burst sizes as numbers, and {name}={value!r} of {type(size).__name__} is text: sizes "
                "that depend on the state are for acme_lib.augmented"
            )
    if size.law is None:
        article = "an" if type(size).__name__[0] in "AEIOU" else "a"
        raise ParameterError(
            f"{who} cannot draw {article} {shorten(size)}: take a size with a name, or solve it with acme_lib.augmented"
        )
    return size.law


@njit(cache=True, nogil=True, error_model="numpy")
def draw_size(law, stream):
    """Draw a size from its code and two numbers; return it and the advanced stream."""
    code, a, b = law[0], law[1], law[2]
    if code == _FIXED:
        return a, stream
    if code == _EXPONENTIAL:
        value, stream = next_exponential(stream)
        return a * value, stream
    if code == _GAMMA:
        value, stream = next_gamma(a, stream)
        return b * value, stream
    value, stream = next_uniform(stream)  # _UNIFORM
    return a + (b - a) * value, stream

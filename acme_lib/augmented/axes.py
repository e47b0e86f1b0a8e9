"""Axes of a space: a species as a continuum, as a count, or abstract states."""

from dataclasses import dataclass

import numpy as np

from acme_lib.checks import check_choice, check_number, check_whole, expected, renamed
from acme_lib.errors import ParameterError
from acme_lib.network.expression import is_name

_BOUNDARIES = ("reflecting", "absorbing", "outflow")
MAX_UNKNOWNS = 2**24


@dataclass(frozen=True)
class Continuum:
    """A species on a uniform grid of the concentration x = n/Ω.

    Attributes
    ----------
    upper : float
        End of the grid, in units of x. Choose it so that nothing to speak of lies beyond; solutions report what
        reached it (`leaked`).
    cells : int
        Number of cells; cell i has its centre at ``lower + (i + 1/2) dx``.
    system_size : float
        Ω: molecules for one unit of x. With 1 the grid is in molecules (or is whatever `x` measures: a size, an age).
    lower : float
        Start of the grid.
    boundary : str or (str, str)
        What happens at the ends: one word for both, or one for the lower and one for the upper; kept as two.
        ``"reflecting"``: no flux; what would have crossed is reported as leaked. ``"absorbing"``: the density is held
        at zero, what arrives leaves and is counted. ``"outflow"``: what drift and jumps carry across leaves and is
        counted, diffusion carries nothing.

    Use when: the species occurs in large numbers, or is no number at all.
    """

    upper: float
    cells: int
    system_size: float = 1.0
    lower: float = 0.0
    boundary: str | tuple[str, str] = "reflecting"

    def __post_init__(self):
        """Check the values."""
        check_whole("cells", self.cells, 4, MAX_UNKNOWNS)
        check_number("lower", self.lower)
        check_number("upper", self.upper)
        if not self.upper > self.lower:
            raise expected("upper", f"above lower={self.lower:g}, where the grid starts", self.upper)
        check_number("system_size", self.system_size, above=0)
        ends = (self.boundary,) * 2 if isinstance(self.boundary, str) else tuple(self.boundary)
        if len(ends) != 2 or any(end not in _BOUNDARIES for end in ends):
            words = ", ".join(map(repr, _BOUNDARIES))
            raise expected("boundary", f"one of {words}, or one for the lower and one for the upper end", self.boundary)
        object.__setattr__(self, "boundary", ends)

    @property
    def dx(self):
        """Width of a cell, in units of x."""
        return (self.upper - self.lower) / self.cells

    @property
    def centres(self):
        """Centres of the cells, shape (cells,)."""
        return self.lower + (np.arange(self.cells) + 0.5) * self.dx

    @property
    def faces(self):
        """Ends of the cells, shape (cells + 1,)."""
        return self.lower + np.arange(self.cells + 1) * self.dx

    @property
    def size(self):
        """Number of cells."""
        return self.cells

    def refined(self, factor=2):
        """Return the same interval with `factor` times as many cells."""
        return Continuum(self.upper, round(self.cells * factor), self.system_size, self.lower, self.boundary)


Continuum.__init__.__name__ = "Continuum"
Continuum.__init__ = renamed(boundaries="boundary")(Continuum.__init__)


@dataclass(frozen=True)
class Discrete:
    """A species counted in molecules, from 0 to `largest`.

    Attributes
    ----------
    largest : int
    boundary : {"reflecting", "absorbing"}
        What becomes of a reaction that would lead beyond `largest`: it does not happen (and is reported as leaked), or
        its probability leaves and is counted.
    """

    largest: int
    boundary: str = "reflecting"

    def __post_init__(self):
        """Check the values."""
        check_whole("largest", self.largest)
        check_choice("boundary of a count", self.boundary, ("reflecting", "absorbing"))

    @property
    def size(self):
        """Number of counts kept."""
        return self.largest + 1


@dataclass(frozen=True, init=False)
class States:
    """Abstract states, such as the phases of a cell cycle, or "waiting" and "switched".

    Attributes
    ----------
    names : tuple of str
    frozen : tuple of str
        States in which neither the network nor any process acts that does not name them: they only collect what a
        `Transition` brings. An absorbing state of a first passage and a phantom state are frozen.

    Examples
    --------
    >>> States("waiting", frozen="switched").names
    ('waiting', 'switched')
    """

    names: tuple[str, ...]
    frozen: tuple[str, ...]

    def __init__(self, *names, frozen=()):
        frozen = (frozen,) if isinstance(frozen, str) else tuple(frozen)
        names = (*names, *(name for name in frozen if name not in names))
        if not names or any(not isinstance(name, str) or not is_name(name) for name in names):
            bad = next((name for name in names if not isinstance(name, str) or not is_name(name)), "nothing")
            raise expected("a state", "a word that can name it", bad)
        if len(set(names)) < len(names):
            raise ParameterError(f"each state is named once, and {', '.join(names)} has one twice")
        if len(frozen) == len(names):
            raise ParameterError("all states are frozen, so that nothing would ever happen; name one that is not")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "frozen", frozen)

    @property
    def size(self):
        """Number of states."""
        return len(self.names)

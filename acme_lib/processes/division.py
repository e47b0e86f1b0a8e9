r"""Division: when a cell divides, which part of it each daughter is, and what she gets of the contents.

The same objects are read by simulators of paths, populations and lineages and by the augmented equation. Whoever cannot
do what an object says refuses it by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numba import njit
from scipy import special

from acme_lib.checks import check_number, expected, is_number, shorten
from acme_lib.errors import ParameterError
from acme_lib.network.expression import suggest
from acme_lib.random_stream import next_gamma, next_uniform

# What daughters may get of a content, by what it is; the first word is what they get unless another is given.
PARTITIONS = {
    "count": ("binomial", "equal", "copied", "reset"),
    "continuous": ("proportional", "equal", "copied", "reset"),
    "state": ("copied",),
}
_FIXED, _UNIFORM, _BETA = range(3)


class Share:
    """The part of the mother that a daughter is; not for use by itself.

    Attributes
    ----------
    daughters : float
        Their mean number.
    law : tuple of (int, float, float) or None
        What `draw_share` takes: the part of the first of two daughters. None where it cannot be drawn; else
        ``draw(n, rng)`` draws many by NumPy.
    """

    daughters = 2.0
    law = None


@dataclass(frozen=True)
class FixedFraction(Share):
    """Two daughters, of the fractions `fraction` and 1 - `fraction`; ``"equal"`` is one half.

    Attributes
    ----------
    fraction : float
    """

    fraction: float = 0.5

    def __post_init__(self):
        """Check the value."""
        check_number("fraction of FixedFraction", self.fraction, above=0, below=1)

    @property
    def law(self):
        """What `draw_share` takes."""
        return _FIXED, float(self.fraction), 0.0

    def draw(self, n, rng):
        """Return the parts of n first daughters; see `draw_share`."""
        return np.full(n, float(self.fraction))


@dataclass(frozen=True)
class BetaFraction(Share):
    """Two daughters, of the fractions u and 1 - u, where u has a beta law.

    Attributes
    ----------
    a, b : float
        The mean of u is a/(a + b).
    """

    a: float
    b: float

    def __post_init__(self):
        """Check the values."""
        check_number("a of BetaFraction", self.a, above=0)
        check_number("b of BetaFraction", self.b, above=0)

    @property
    def law(self):
        """What `draw_share` takes."""
        return _BETA, float(self.a), float(self.b)

    def draw(self, n, rng):
        """Return the parts of n first daughters; see `draw_share`."""
        return rng.beta(self.a, self.b, n)

    def density(self, u):
        """Return κ(u), the density of the fractions of both daughters."""
        u = np.asarray(u, dtype=float)
        power = special.xlogy(self.a - 1, u) + special.xlog1py(self.b - 1, -u)
        other = special.xlogy(self.b - 1, u) + special.xlog1py(self.a - 1, -u)
        return (np.exp(power) + np.exp(other)) / special.beta(self.a, self.b)


@dataclass(frozen=True)
class PowerLawKernel(Share):
    """Daughters with sizes of density κ(u) = (m + 2) u^m of the fraction u; m = 0 is ``"uniform"``, and binary.

    There are (m + 2)/(m + 1) daughters on average.

    Attributes
    ----------
    exponent : float
    """

    exponent: float = 0.0

    def __post_init__(self):
        """Check the value."""
        check_number("exponent of PowerLawKernel", self.exponent, above=-1)

    @property
    def daughters(self):
        """Mean number of daughters."""
        return (self.exponent + 2) / (self.exponent + 1)

    @property
    def law(self):
        """What `draw_share` takes."""
        return (_UNIFORM, 0.0, 1.0) if self.exponent == 0 else None

    def draw(self, n, rng):
        """Return the parts of n first daughters, where there are two; see `draw_share`."""
        return rng.random(n)

    def density(self, u):
        """Return κ(u)."""
        return (self.exponent + 2.0) * np.asarray(u, dtype=float) ** self.exponent


@dataclass(frozen=True)
class SelfSimilarKernel(Share):
    """Daughters whose fractions u have a density of one's own, the same for every parent.

    Attributes
    ----------
    density : str or callable
        κ(u) on 0 < u < 1; it integrates to `daughters`, and u κ(u) to 1; for two daughters κ(u) = κ(1 - u).
    daughters : float
    """

    density: str | Callable
    daughters: float = 2.0


@dataclass(frozen=True)
class ArbitraryKernel(Share):
    """Daughters of size x from a parent of size y, with a density of one's own.

    Attributes
    ----------
    density : str or callable
        b(y, x)/B(y) on 0 < x < y, an expression in `y` and `x` or a function of two arrays; over x it integrates to
        `daughters`, and x times it to y; for two daughters it is the same at x and y - x.
    daughters : float
    """

    density: str | Callable
    daughters: float = 2.0


_NAMED = {"equal": FixedFraction(0.5), "uniform": PowerLawKernel(0.0)}


def check_share(share, name="share"):
    """Return a share as its class; numbers and tuples, as it was written before, are refused with what to write now."""
    if isinstance(share, Share):
        return share
    if isinstance(share, str) and share in _NAMED:
        return _NAMED[share]
    if is_number(share) and 0 < share < 1:
        raise ParameterError(f"{name}={share!r} is now written FixedFraction({share!r})")
    if isinstance(share, tuple | list) and len(share) == 3 and share[0] == "beta":
        raise ParameterError(f"{name}={share!r} is now written BetaFraction({share[1]!r}, {share[2]!r})")
    raise expected(name, "'equal', 'uniform', or an object such as FixedFraction(0.3) or BetaFraction(2, 2)", share)


def check_drawn_share(share, who):
    """Return the code and two numbers of a share as `draw_share` takes them; `who` refuses what it cannot draw."""
    if share.law is None:
        raise ParameterError(
            f"{who} cannot draw the daughters of {shorten(share)}: it takes 'equal', 'uniform', FixedFraction and "
            "BetaFraction; acme_lib.augmented takes others"
        )
    return share.law


def check_partition_words(partition):
    """Return what daughters get, by name or one word for all, as a plain copy; only the words are checked."""
    words = partition.values() if isinstance(partition, Mapping) else (partition,)
    known = list(dict.fromkeys(word for choices in PARTITIONS.values() for word in choices))
    for word in words:
        if isinstance(word, str) and word == "copy":
            raise ParameterError('"copy" is now written "copied"')
        if not isinstance(word, str) or word not in known:
            raise expected("partition", f"one of {', '.join(map(repr, known))}, or a mapping of names to them", word)
    return dict(partition) if isinstance(partition, Mapping) else partition


def check_partition(partition, kinds):
    """Return what daughters get of each content.

    Parameters
    ----------
    partition : mapping of str to str, or str
        As a division has it.
    kinds : mapping of str to {"count", "continuous", "state"}
        What each content is.

    Returns
    -------
    dict of str to str
        For each name of `kinds` a word, by default the first of `PARTITIONS` for its kind.
    """
    chosen = dict.fromkeys(kinds, partition) if isinstance(partition, str) else partition
    for name in chosen:
        if name not in kinds:
            raise ParameterError(
                f"partition names {name!r}, which is none of {', '.join(kinds)}{suggest(str(name), kinds)}"
            )
    found = {}
    for name, kind in kinds.items():
        word = found[name] = chosen.get(name, PARTITIONS[kind][0])
        if word not in PARTITIONS[kind]:
            what = {"count": "a count", "continuous": "continuous", "state": "an abstract state"}[kind]
            words = ", ".join(map(repr, PARTITIONS[kind]))
            raise ParameterError(f"{name} is {what} and cannot be partitioned {word!r}: it can be {words}")
    return found


class Division:
    """What every division has; not for use by itself.

    Attributes
    ----------
    share : Share
    partition : dict of str to str, or str
    used_by : str
        Who can divide by it.
    """

    used_by: ClassVar[str] = ""

    def __post_init__(self):
        """Check the values, and keep the share as its class."""
        object.__setattr__(self, "share", check_share(self.share))
        object.__setattr__(self, "partition", check_partition_words(self.partition))


@dataclass(frozen=True)
class Hazard(Division):
    """A cell divides at a rate that depends on its state.

    Attributes
    ----------
    rate : str or float
        Divisions per unit of time, an expression of species, parameters and `t`, such as ``"a*V**3"``.
    share : {"equal", "uniform"}, FixedFraction, BetaFraction or a kernel
        The part of the first daughter; the second gets the rest.
    partition : mapping of str to str, or str
        What daughters get, by name, or one word for all: ``"binomial"``, each molecule by chance and in proportion to
        the share (counts by default); ``"proportional"``, the share itself (continuous species by default, such as a
        volume); ``"equal"``, halves whatever the share; ``"copied"``, all, as a concentration or a gene (abstract
        states by default); ``"reset"``, nothing, as an age.
    """

    rate: str | float
    share: str | Share = "equal"
    partition: Mapping[str, str] | str = field(default_factory=dict)
    used_by = "simulate_population, simulate_jump_drift or acme_lib.augmented"

    def __post_init__(self):
        """Check the values."""
        if not isinstance(self.rate, str):
            check_number("rate of Hazard", self.rate, least=0)
        super().__post_init__()


class _Rule(Division):
    """A division at an amount of time or volume, with a scatter from cell to cell."""

    used_by = "simulate_lineage or simulate_tree"
    amount: ClassVar[str]

    def __post_init__(self):
        """Check the values."""
        check_number(f"{self.amount} of {type(self).__name__}", getattr(self, self.amount), above=0)
        check_number(f"cv of {type(self).__name__}", self.cv, least=0)
        super().__post_init__()


@dataclass(frozen=True)
class Timer(_Rule):
    """A cell divides when it has lived for a given time.

    Attributes
    ----------
    period : float
        Mean time between divisions.
    cv : float
        Standard deviation over mean; each cell draws its own from a gamma law. Errors of the volume at division are
        then not corrected by later generations: it wanders.
    share, partition
        As of a `Hazard`.
    """

    period: float
    cv: float = 0.0
    share: str | Share = "equal"
    partition: Mapping[str, str] | str = field(default_factory=dict)
    amount = "period"


@dataclass(frozen=True)
class Sizer(_Rule):
    """A cell divides when it has reached a given volume.

    Attributes
    ----------
    volume : float
        Mean volume at division.
    cv : float
        Standard deviation over mean; each cell draws its own from a gamma law, above its volume at birth.
    share, partition
        As of a `Hazard`.
    """

    volume: float
    cv: float = 0.0
    share: str | Share = "equal"
    partition: Mapping[str, str] | str = field(default_factory=dict)
    amount = "volume"


@dataclass(frozen=True)
class Adder(_Rule):
    """A cell divides when it has added a given volume since its birth [1]_.

    Attributes
    ----------
    volume : float
        Mean volume that is added; also the mean volume at birth, where daughters are of equal size.
    cv : float
        Standard deviation over mean; each cell draws its own from a gamma law. With ``cv=1`` the volume that is added
        is exponential: under exponential growth at the rate g that is ``Hazard("g*V/volume")``.
    share, partition
        As of a `Hazard`.

    References
    ----------
    .. [1] A. Amir, Phys. Rev. Lett. 112, 208102 (2014). doi:10.1103/PhysRevLett.112.208102
    """

    volume: float
    cv: float = 0.0
    share: str | Share = "equal"
    partition: Mapping[str, str] | str = field(default_factory=dict)
    amount = "volume"


def check_division(division, rules, who):
    """Return a division that `who` can do, one of the classes `rules`, or refuse it by name."""
    if isinstance(division, rules):
        return division
    if isinstance(division, Division):
        name = type(division).__name__
        article = "an" if name[0] in "AEIOU" else "a"
        raise ParameterError(f"{who} cannot divide by {article} {name}: use {division.used_by}")
    example = "Hazard('a*V**3')" if Hazard in rules else "Adder(1.0)"
    names = ", ".join(rule.__name__ for rule in rules)
    raise expected("division", f"{'one of ' if len(rules) > 1 else 'a '}{names}, such as {example}", division)


@njit(cache=True, nogil=True, error_model="numpy")
def draw_share(law, stream):
    """Draw the part of the first daughter from its code and two numbers; return it and the advanced stream."""
    code, a, b = law[0], law[1], law[2]
    if code == _FIXED:
        return a, stream
    if code == _UNIFORM:
        value, stream = next_uniform(stream)
        return a + (b - a) * value, stream
    first, stream = next_gamma(a, stream)  # _BETA
    second, stream = next_gamma(b, stream)
    return first / (first + second), stream

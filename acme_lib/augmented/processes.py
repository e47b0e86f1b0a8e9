"""What happens besides reactions: bursts, fragmentation, transitions between states, growth, death, influx, drift.

Everything a process says is **in molecules**, n = Ω x, as in the text of a network: rates, sizes of jumps, sizes of
parents and daughters. Only the grid, the densities and the pictures are in units of x. With ``system_size=1`` there is
no difference. Rates are text in the language of a network: they may name every axis (a continuum species stands for its
number of molecules, abstract states for their index 0, 1, …), the network's parameters and observables, further
parameters (``build_augmented(…, k=3.0)``) and the time `t`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from acme_lib.errors import ParameterError
from acme_lib.processes import (
    ArbitraryJump,
    ArbitraryKernel,
    ExponentialJump,
    FixedFraction,
    FixedJump,
    GammaJump,
    PowerLawKernel,
    SelfSimilarKernel,
)


def _check_rate(process, **texts):
    for name, text in texts.items():
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise ParameterError(
                f"{name} of {type(process).__name__} is text, such as 'k*P/(K + P)', or a number; {text!r} came"
            )


@dataclass(frozen=True)
class Burst:
    """Jumps of a continuum species: at `rate`, the number of molecules changes at once by a random size.

    Attributes
    ----------
    species : str
    rate : str or float
        Bursts per unit of time, of the state before the jump.
    jump : ExponentialJump, GammaJump, FixedJump or ArbitraryJump
    direction : {1, -1}
        Whether jumps add or take molecules. What would jump beyond an end stays in the last cell there (reflecting) or
        leaves (otherwise).
    states : tuple of str, optional
        Abstract states in which it happens; by default all that are not frozen.
    """

    species: str
    rate: str | float
    jump: ExponentialJump | GammaJump | FixedJump | ArbitraryJump
    direction: int = 1
    states: tuple[str, ...] | str | None = None

    def __post_init__(self):
        """Check the values."""
        _check_rate(self, rate=self.rate)
        if not isinstance(self.jump, ExponentialJump | GammaJump | FixedJump | ArbitraryJump):
            raise ParameterError(f"jump is a kernel such as ExponentialJump(40.0); {self.jump!r} came")
        if self.direction not in (1, -1):
            raise ParameterError(f"direction is 1 (molecules are added) or -1; {self.direction!r} came")


UNIFORM = PowerLawKernel(0.0)
EQUAL = FixedFraction(0.5)
_NAMED_KERNELS = {"uniform": UNIFORM, "equal": EQUAL}


@dataclass(frozen=True)
class Fragmentation:
    """Division: at `rate`, an individual of size y becomes daughters whose sizes sum to y.

    Attributes
    ----------
    size : str
        The continuum axis that is the size; its grid starts at 0.
    rate : str or float
        B, divisions per unit of time, of the parent's state.
    kernel : {"uniform", "equal"}, PowerLawKernel, FixedFraction, SelfSimilarKernel or ArbitraryKernel
    partition : mapping of str to {"proportional", "binomial", "copied"}
        What daughters of fraction u get of the parent's other contents: the fraction u of a continuum species, a
        binomial number of a discrete one, or the same (a concentration, a gene; the default).
    states : tuple of str, optional
        Abstract states in which it happens; by default all that are not frozen.
    """

    size: str
    rate: str | float
    kernel: str | PowerLawKernel | FixedFraction | SelfSimilarKernel | ArbitraryKernel = "uniform"
    partition: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    states: tuple[str, ...] | str | None = None

    def __post_init__(self):
        """Check the values."""
        _check_rate(self, rate=self.rate)
        kernel = _NAMED_KERNELS.get(self.kernel, self.kernel) if isinstance(self.kernel, str) else self.kernel
        if not isinstance(kernel, PowerLawKernel | FixedFraction | SelfSimilarKernel | ArbitraryKernel):
            raise ParameterError(
                f"kernel is 'uniform', 'equal', PowerLawKernel, FixedFraction, SelfSimilarKernel or ArbitraryKernel; "
                f"{self.kernel!r} came"
            )
        object.__setattr__(self, "kernel", kernel)
        for name, how in self.partition.items():
            if how not in ("proportional", "binomial", "copied"):
                raise ParameterError(f"{name} is partitioned 'proportional', 'binomial' or 'copied'; {how!r} came")
        object.__setattr__(self, "partition", MappingProxyType(dict(self.partition)))


@dataclass(frozen=True)
class Transition:
    """From one abstract state to another, at a rate that may depend on the continuum state and the time.

    Attributes
    ----------
    start, to : str
        Names of two states of one axis.
    rate : str or float
    allow_negative : bool
        Needed where the rate is negative, so that `to` is a phantom state: its density is no density of anything.
    """

    start: str
    to: str
    rate: str | float
    allow_negative: bool = False

    def __post_init__(self):
        """Check the values."""
        _check_rate(self, rate=self.rate)


@dataclass(frozen=True)
class Growth:
    """Individuals multiply at `rate` per individual; each new one is a copy.

    A negative rate is refused unless `allow_negative`.
    """

    rate: str | float
    states: tuple[str, ...] | str | None = None
    allow_negative: bool = False

    def __post_init__(self):
        """Check the values."""
        _check_rate(self, rate=self.rate)


@dataclass(frozen=True)
class Death:
    """Individuals disappear at `rate` per individual."""

    rate: str | float
    states: tuple[str, ...] | str | None = None
    allow_negative: bool = False

    def __post_init__(self):
        """Check the values."""
        _check_rate(self, rate=self.rate)


@dataclass(frozen=True)
class Influx:
    """Individuals come from outside: `rate` per unit of time and unit of x, of the state and the time."""

    rate: str | float
    states: tuple[str, ...] | str | None = None

    def __post_init__(self):
        """Check the values."""
        _check_rate(self, rate=self.rate)


@dataclass(frozen=True)
class Drift:
    """A deterministic change of a continuum species at `rate` molecules per unit of time, of either sign."""

    species: str
    rate: str | float
    states: tuple[str, ...] | str | None = None

    def __post_init__(self):
        """Check the values."""
        _check_rate(self, rate=self.rate)


@dataclass(frozen=True)
class Diffusion:
    """Noise of a continuum species: the variance grows by 2 × `coefficient` molecules² per unit of time.

    As for reactions it is meant in the sense of Itô: it contributes ∂²(D p)/∂x².
    """

    species: str
    coefficient: str | float
    states: tuple[str, ...] | str | None = None

    def __post_init__(self):
        """Check the values."""
        _check_rate(self, coefficient=self.coefficient)


PROCESSES = Burst | Fragmentation | Transition | Growth | Death | Influx | Drift | Diffusion

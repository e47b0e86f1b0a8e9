"""What every process offers: the texts of its rates, and how it enters the operator.

Everything a process says is **in molecules**, n = Ω x, as in the text of a network: rates, sizes of jumps, sizes of
parents and daughters. Only the grid, the densities and the pictures are in units of x. With ``system_size=1`` there is
no difference. Rates are text in the language of a network: they may name every axis (a continuum species stands for its
number of molecules, abstract states for their index 0, 1, …), the network's parameters and observables, further
parameters (``build_augmented(…, k=3.0)``) and the time `t`.
"""

from acme_lib.augmented.axes import Continuum
from acme_lib.augmented.rates import check_text, parse_rate
from acme_lib.errors import StateSpaceError


class Process:
    """One thing that happens besides reactions; each kind is a frozen dataclass in a file of its own.

    A kind says what its rates are (`rates`) and enters its entries (`enter`); nothing else in the room knows it by
    name.
    """

    states = None  # abstract states in which it acts; None for all that are not frozen
    is_source = False  # whether it brings individuals from outside, so that the equation is not homogeneous

    def __post_init__(self):
        """Check the rates."""
        check_text(self, **self.rates())

    def rates(self):
        """Return the texts of the rates by name."""
        return {"rate": self.rate}

    def parse(self, space, parameters):
        """Return the rates as expressions, by name."""
        owner = type(self).__name__
        return {key: parse_rate(text, f"{key} of {owner}", space, parameters) for key, text in self.rates().items()}

    def enter(self, entries, rates):
        """Add what the process does to the `Entries`; `rates` evaluates its `Rates`."""
        raise NotImplementedError


def find_continuum(space, name, process):
    """Return the continuum axis with a name and its index, or refuse it."""
    axis = space[name]
    if not isinstance(axis, Continuum):
        raise StateSpaceError(
            f"{type(process).__name__} changes a continuum species, and {name} is discrete: make it a Continuum, "
            "or write a reaction"
        )
    return axis, space.axis(name)

"""Events: sudden changes of counts and parameters that are no reactions, such as a dose or a wash-out."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from acme_lib.network.expression import Expression


@dataclass(frozen=True)
class Event:
    """A change of counts or parameters at the moment when a condition turns from false to true.

    A parameter keeps its new value until an event changes it again; what is defined from it follows. All right-hand
    sides are computed from the state just before the event. When several events fire at one moment, each is computed
    from the state before any of them, and they are executed in the order in which the network lists them.

    Attributes
    ----------
    name : str
    trigger : Expression
        A condition on species, parameters and the time `t`.
    assignments : mapping of str to Expression
        The new count of each species, and the new value of each parameter, that changes.
    initially : bool
        What the trigger is taken to be just before the start. If false (as in a line that begins with ``at``), the
        event fires at the start where the trigger is true there; if true (the default, and in a line that begins with
        ``when``), it waits until the trigger has been false.
    line : int
        Line of the text that it came from.
    text : str
    """

    name: str
    trigger: Expression
    assignments: Mapping[str, Expression]
    initially: bool = True
    line: int = 0
    text: str = ""

    def __post_init__(self):
        """Make the assignments read-only."""
        object.__setattr__(self, "assignments", MappingProxyType(dict(self.assignments)))

    @property
    def expressions(self):
        """The trigger and the right-hand sides."""
        return (self.trigger, *self.assignments.values())

    def __str__(self):
        """Return the line of text that gives the event."""
        changes = ", ".join(f"{name} = {value.text}" for name, value in self.assignments.items())
        if self.initially:
            return f"when {self.trigger.text} : {changes}"
        # `at` is read with a trigger that is taken as false before the start; it needs the time in it.
        return f"at {self.trigger.text if self.trigger.uses_time else f't >= 0 and ({self.trigger.text})'} : {changes}"

"""Individuals that come from outside."""

from dataclasses import dataclass

from acme_lib.augmented.process import Process


@dataclass(frozen=True)
class Influx(Process):
    """Individuals come from outside: `rate` per unit of time and unit of x, of the state and the time."""

    rate: str | float
    states: tuple[str, ...] | str | None = None

    is_source = True

    def enter(self, entries, rates):
        """Add the rate to the source."""
        entries.source += rates.acting()

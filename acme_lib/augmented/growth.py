"""Individuals that multiply and die."""

from dataclasses import dataclass

import numpy as np

from acme_lib.augmented.process import Process


@dataclass(frozen=True)
class Growth(Process):
    """Individuals multiply at `rate` per individual; each new one is a copy.

    A negative rate is refused unless `allow_negative`.
    """

    rate: str | float
    states: tuple[str, ...] | str | None = None
    allow_negative: bool = False

    def enter(self, entries, rates):
        """Add the rate to the diagonal."""
        _multiply(entries, rates.acting(signed=self.allow_negative))


@dataclass(frozen=True)
class Death(Process):
    """Individuals disappear at `rate` per individual."""

    rate: str | float
    states: tuple[str, ...] | str | None = None
    allow_negative: bool = False

    def enter(self, entries, rates):
        """Take the rate from the diagonal."""
        _multiply(entries, -rates.acting(signed=self.allow_negative))


def _multiply(entries, rate):
    rate = np.broadcast_to(rate, entries.space.shape)
    entries.add(entries.index, entries.index, rate)
    entries.gain[0] += rate
    entries.exits += np.maximum(-rate, 0.0)

"""Transitions between abstract states."""

from dataclasses import dataclass

import numpy as np

from acme_lib.augmented.process import Process
from acme_lib.errors import StateSpaceError


@dataclass(frozen=True)
class Transition(Process):
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

    def enter(self, entries, rates):
        """Add what leaves the one state and enters the other."""
        space = entries.space
        axes = [name for name in space.abstract if self.start in space[name].names]
        space.state_mask((self.start, self.to))
        name = axes[0]
        if self.to not in space[name].names:
            raise StateSpaceError(f"{self.start!r} and {self.to!r} are states of different axes")
        if self.to == self.start:
            raise StateSpaceError(f"a Transition leads from one state to another, not from {self.start!r} to itself")
        # Other axes of abstract states may be frozen; this one need not be.
        rate = np.broadcast_to(rates.checked(signed=self.allow_negative), space.shape)
        source, to = (space.select(entries.index, **{name: state}) for state in (self.start, self.to))
        rate = space.select(rate, **{name: self.start})
        entries.add(source, source, -rate)
        entries.add(to, source, rate)
        space.select(entries.exits, **{name: self.start})[...] += np.abs(rate)

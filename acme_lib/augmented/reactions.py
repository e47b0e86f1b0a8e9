"""The reactions of the network: drift and noise of continuum species, transitions of discrete ones."""

from dataclasses import dataclass

import numpy as np

from acme_lib.augmented.axes import Discrete
from acme_lib.augmented.process import Process
from acme_lib.errors import PropensityError
from acme_lib.network import ReactionNetwork
from acme_lib.network.text import located


@dataclass(frozen=True)
class Reactions(Process):
    """All reactions of a network.

    Attributes
    ----------
    network : ReactionNetwork
    diffusion : bool
        Whether reactions of continuum species make noise.
    """

    network: ReactionNetwork
    diffusion: bool

    def rates(self):
        """Return nothing: the network has parsed its rates."""
        return {}

    def parse(self, space, parameters):
        """Return the network's own rates, by number of the reaction."""
        return {j: reaction.rate for j, reaction in enumerate(self.network.reactions)}

    def enter(self, entries, rates):
        """Sort reactions into drift and noise by axis, and transitions."""
        network = self.network
        for j in range(len(network.reactions)):
            change = {name: e for name, e in zip(network.species, network.stoichiometry[j], strict=True) if e != 0}
            if not change:
                continue
            if any(name in entries.space.discrete for name in change):
                self._transition(entries, change, self._propensity(rates, j, entries.environment) * entries.awake)
            else:
                self._continuous(entries, change, rates, j)

    def _continuous(self, entries, change, rates, j):
        """Add a reaction of continuum species only: drift, and with it noise along the change."""
        space = entries.space
        for name, e in change.items():
            step = e / space[name].system_size
            entries.drift[name].append(lambda at, step=step: step * self._propensity(rates, j, at))
            if self.diffusion:
                entries.noise[name].append(lambda at, step=step: 0.5 * step**2 * self._propensity(rates, j, at))
        if self.diffusion and len(change) > 1:
            names = sorted(change, key=space.continuum.index)
            for i, a in enumerate(names):
                for b in names[i + 1 :]:
                    weight = change[a] * change[b] / (space[a].system_size * space[b].system_size)
                    value = weight * self._propensity(rates, j, entries.environment) * entries.awake
                    entries.cross[a, b] = entries.cross.get((a, b), 0.0) + value

    def _propensity(self, rates, j, environment):
        """Return the propensity of a reaction on the grid, by the network's own rate at n = Ω x."""
        reaction = self.network.reactions[j]
        value = rates.evaluate(j, environment)
        if reaction.mass_action:
            for name, count in reaction.reactants.items():
                n = environment[name]
                for k in range(count):
                    value = value * (np.maximum(n - k, 0.0) / (k + 1.0))
        try:
            rates.check(value, False, "the propensity", j)
        except PropensityError as error:
            raise located(error, reaction.line, reaction.text) from None
        return value

    def _transition(self, entries, change, rate):
        """Add transitions by `change` (counts, and molecules of continuum species) at `rate`."""
        space = entries.space
        rate = np.broadcast_to(rate, space.shape)
        parts = [(np.ones(()), [])]  # weight, and the move along each axis
        for name, e in change.items():
            axis = space[name]
            if isinstance(axis, Discrete):
                moves = [(1.0, int(e))]
            else:
                # The shift in cells is split between two: mean and mass are kept.
                shift = e / (axis.system_size * axis.dx)
                low = int(np.floor(shift))
                moves = [(1.0 - (shift - low), low), (shift - low, low + 1)]
            parts = [(w * v, [*m, (name, move)]) for w, m in parts for v, move in moves if v > 0]
        for weight, moves in parts:
            entries.move(moves, weight * rate)

"""Conditions that end a solution in time."""

import numpy as np

from acme_lib.augmented.solution import AugmentedDensity
from acme_lib.errors import ParameterError
from acme_lib.network.expression import Expression, suggest


class StopCondition:
    """A stop condition as a function of the state."""

    def __init__(self, system, text, expression, function):
        self.system, self.text, self.expression, self.function = system, text, expression, function

    @classmethod
    def of(cls, system, stop):
        """Return the condition of a text or a function; None for None."""
        if stop is None:
            return None
        if callable(stop):
            return cls(system, None, None, stop)
        space = system.space
        expression = Expression.parse(stop)
        states = [state for name in space.abstract for state in space[name].names]
        means = [f"mean_{name}" for name in space.names if name not in space.abstract]
        known = ["mass", *states, *means, *system.parameters]
        for name in expression.names:
            if name not in known:
                raise ParameterError(
                    f"stop={stop!r} names {name!r}{suggest(name, known)}; it may name t, {', '.join(known)}"
                )
        if not expression.is_condition:
            raise ParameterError(f"stop={stop!r} is neither true nor false; write a comparison, such as 'mass > 100'")
        return cls(system, stop, expression, None)

    def __call__(self, state):
        """Whether it is met by a state: its `time`, `p` and `log_scale`."""
        density = AugmentedDensity(self.system, state.p.reshape(self.system.space.shape).copy())
        if self.function is not None:
            return bool(self.function(state.time, density))
        values = {"t": state.time}
        scale = np.exp(min(state.log_scale, 700.0))
        for name in self.expression.names:
            if name == "mass":
                values[name] = density.mass() * scale
            elif name.startswith("mean_") and name[5:] in self.system.space.axes:
                values[name] = density.mean(name[5:])
            elif name in self.system.parameters:
                values[name] = self.system.parameters[name]
            else:
                axis = next(a for a in self.system.space.abstract if name in self.system.space[a].names)
                values[name] = density.mass(**{axis: name}) * scale
        return bool(self.expression.evaluate(values))

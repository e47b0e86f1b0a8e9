"""The rates of processes: text that becomes an expression, and its values on the grid, checked."""

from dataclasses import dataclass

import numpy as np

from acme_lib.augmented.axes import States
from acme_lib.augmented.space import AugmentedSpace
from acme_lib.checks import expected
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.network.expression import Expression, suggest


def check_text(owner, **texts):
    """Refuse what cannot be a rate: neither text nor a number."""
    for name, text in texts.items():
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise expected(f"{name} of {type(owner).__name__}", "text, such as 'k*P/(K + P)', or a number", text)


def parse_rate(text, what, space, parameters, extra=()):
    """Return a rate as an `Expression` of axes, parameters and `extra` names; `what` it is opens an error's message."""
    network = space.network
    functions = network.functions if network is not None else {}
    try:
        expression = Expression.parse(repr(float(text)) if isinstance(text, int | float) else text, functions)
    except Exception as error:
        raise type(error)(f"{what}: {error}") from None
    if network is not None:
        expression = expression.substitute(network.observables)
    known = [*space.names, *parameters, *extra]
    for name in expression.names:
        if name not in known:
            raise ParameterError(
                f"{what}, {expression.text!r}, names {name!r}, which is neither an axis nor a parameter"
                f"{suggest(name, known)}; give it a value: build_augmented(…, {name}=…)"
            )
    return expression


def evaluate_rate(expression, environment, parameters, t):
    """Return the values of a rate, in the shape that the arrays of `environment` broadcast to."""
    values = {name: environment.get(name, parameters.get(name)) for name in expression.names}
    if expression.uses_time:
        values["t"] = t
    return np.asarray(expression.evaluate(values), dtype=float)


@dataclass(frozen=True, eq=False)
class Rates:
    """The rates of one process at one time, evaluated on a space.

    Attributes
    ----------
    expressions : dict of str to Expression
        By the names that the process gives its rates.
    space : AugmentedSpace
    parameters : dict of str to float
    t : float
    environment : dict of str to ndarray
        What the names of axes stand for at the centres of cells, see `AugmentedSpace.environment`.
    owner : str
        Name of the process, for messages.
    states : tuple of str, optional
        In which the process acts; None for all that are not frozen.
    """

    expressions: dict
    space: AugmentedSpace
    parameters: dict
    t: float
    environment: dict
    owner: str
    states: tuple[str, ...] | str | None

    def evaluate(self, key="rate", environment=None):
        """Return the values of a rate as they are, of any sign, everywhere."""
        environment = self.environment if environment is None else environment
        return evaluate_rate(self.expressions[key], environment, self.parameters, self.t)

    def checked(self, key="rate", *, signed=False, environment=None):
        """Return the values of a rate, which are finite, and zero or more unless `signed`."""
        value = self.evaluate(key, environment)
        self.check(value, signed, f"{key} of {self.owner}, {self.expressions[key].text!r}", key)
        return value

    def acting(self, key="rate", *, signed=False, environment=None):
        """Return the values of a rate, checked, and zero where the process does not act."""
        value = self.checked(key, signed=signed, environment=environment)
        mask = ~self.space.frozen if self.states is None else self.space.state_mask(self.states)
        return np.where(mask, value, 0.0)

    def check(self, value, signed, what, key="rate"):
        """Refuse rates that are not finite, or negative where that was not asked for; say where."""
        bad = ~np.isfinite(value) if signed else ~(np.isfinite(value) & (value >= 0))
        if not np.any(bad):
            return
        where = tuple(np.argwhere(np.broadcast_to(bad, value.shape))[0]) if value.ndim else ()
        worst = value[where]
        at = self._place(value, where)
        if self.expressions[key].uses_time:
            at += f" at t={self.t:g}"
        if np.isfinite(worst):
            raise PropensityError(
                f"{what} is negative ({worst:g}){at}; a rate is zero or more: write max(0, …), or ask for negative "
                "rates with allow_negative=True where they are meant (a Transition to a phantom state)"
            )
        raise PropensityError(f"{what} is not finite ({worst}){at}; change the rate or the grid")

    def _place(self, value, where):
        """Return in words the cell of an index."""
        space, parts = self.space, []
        for name, size, i in zip(space.names, value.shape, where, strict=False):
            if size > 1:
                axis, points = space[name], space.coordinates(name)
                x = points[min(i, len(points) - 1)]
                parts.append(f"{name}={axis.names[int(x)] if isinstance(axis, States) else format(x, 'g')}")
        return f" at {', '.join(parts)} (units of the grid)" if parts else ""

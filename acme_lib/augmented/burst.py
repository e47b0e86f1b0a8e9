"""Bursts: jumps of a continuum species by a random size."""

from dataclasses import dataclass

import numpy as np

from acme_lib.augmented.process import Process, find_continuum
from acme_lib.augmented.rates import evaluate_rate, parse_rate
from acme_lib.checks import expected
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.processes import ExponentialJump
from acme_lib.processes.burst_sizes import BurstSize, check_size


@dataclass(frozen=True)
class Burst(Process):
    """Jumps of a continuum species: at `rate`, the number of molecules changes at once by a random size.

    Attributes
    ----------
    species : str
    rate : str or float
        Bursts per unit of time, of the state before the jump.
    jump : burst size of `acme_lib.processes`
        Such as ``ExponentialJump(40.0)``, with which the cost is one pass over the cells.
    direction : {1, -1}
        Whether jumps add or take molecules. What would jump beyond an end stays in the last cell there (reflecting) or
        leaves (otherwise).
    states : tuple of str, optional
        Abstract states in which it happens; by default all that are not frozen.
    """

    species: str
    rate: str | float
    jump: BurstSize
    direction: int = 1
    states: tuple[str, ...] | str | None = None

    def __post_init__(self):
        """Check the values."""
        check_size(self.jump)
        super().__post_init__()
        if self.direction not in (1, -1):
            raise expected("direction", "1 (molecules are added) or -1", self.direction)

    def rates(self):
        """Return the texts of the rate and of what the sizes depend on."""
        return {"rate": self.rate, **{key: getattr(self.jump, key) for key in self.jump.of_state}}

    def parse(self, space, parameters):
        """Return the rates as expressions, and a density of sizes that is text."""
        parsed = super().parse(space, parameters)
        for key in self.jump.of_size:
            text = getattr(self.jump, key)
            if not callable(text):
                what = f"{key} of {type(self.jump).__name__}"
                parsed[key] = parse_rate(text, what, space, parameters, ("z",))
                for name in parsed[key].names:
                    if name in space.axes:
                        raise ParameterError(f"{what} may depend on z, parameters and t; {name} is an axis")
        return parsed

    def enter(self, entries, rates):
        """Add a recursion for exponential sizes, else weights from cell to cell."""
        axis, a = find_continuum(entries.space, self.species, self)
        rate = np.broadcast_to(rates.acting(), entries.space.shape)
        entries.exits += rate
        along = _Along(entries, axis, a, self.direction, rate)
        values = {key: rates.evaluate(key) for key in self.jump.of_state}
        if isinstance(self.jump, ExponentialJump) and _is_constant(values["mean"], a):
            _add_recursion(along, values["mean"])
            return
        for key, value in values.items():
            if value.size > 1 and value.size != value.shape[a]:
                raise ParameterError(
                    f"the sizes of {self.jump!r} may depend on {self.species} alone or on no axis; give one Burst for "
                    "each state"
                )
            values[key] = value.ravel()[:: self.direction]
        for key in self.jump.of_size:
            values[key] = _function_of_size(self.jump, key, rates)
        _add_weights(along, self.jump.cell_weights(axis.cells, along.h, **values), self.jump.integral)


def _is_constant(value, a):
    """Whether an array that broadcasts to the space is the same all along an axis."""
    return value.ndim == 0 or value.shape[a] == 1


def _function_of_size(jump, key, rates):
    """Return a field of a jump as a function of an array of sizes."""
    given = getattr(jump, key)
    if callable(given):
        return given
    expression = rates.expressions[key]
    return lambda z: np.broadcast_to(evaluate_rate(expression, {"z": z}, rates.parameters, rates.t), np.shape(z))


class _Along:
    """The entries seen along the axis of the jumps, which comes last, in their direction."""

    def __init__(self, entries, axis, a, direction, rate):
        self.entries, self.a, self.forward = entries, a, direction == 1
        self.boundary = axis.boundary[1 if self.forward else 0]
        self.dx, self.h = axis.dx, axis.dx * axis.system_size  # in units of x, and in molecules
        self.index, self.flow = self.view(entries.index), self.view(rate)
        self.leak, self.stop, self.gain = (self.view(book[0]) for book in (entries.leak, entries.stop, entries.gain))

    def view(self, array):
        """Return an array of the space seen so."""
        return np.moveaxis(array, self.a, -1)[..., :: 1 if self.forward else -1]


def _add_weights(along, weights, total):
    """Add jumps by weights ``[m, start]`` that lead m cells on and sum to `total` over all m."""
    add, index, flow = along.entries.add, along.index, along.flow
    n = len(weights)
    if weights.shape[1] == 1:  # the same from every cell: a matrix by diagonals
        weights = weights[: np.max(np.nonzero(weights)[0], initial=0) + 1, 0]
        for m, w in enumerate(weights):
            add(index[..., m:], index[..., : n - m], w * flow[..., : n - m])
        reached = np.cumsum(np.pad(weights, (0, n - len(weights))))[::-1]
    else:
        m, start = np.nonzero(weights * (np.add.outer(np.arange(n), np.arange(n)) < n))
        add(index[..., start + m], index[..., start], weights[m, start] * flow[..., start])
        reached = np.bincount(start, weights[m, start], minlength=n)
    beyond = np.maximum(total - reached, 0.0)
    beyond[beyond < 1e-15] = 0.0
    add(index, index, -flow)
    along.leak += beyond * flow
    along.gain += (total - 1.0) * flow
    if along.boundary == "reflecting":
        add(index[..., -1:], index, beyond * flow)
        along.stop += beyond * flow
    else:
        along.gain -= beyond * flow


def _add_recursion(along, mean):
    """Add an exponential burst: the flux through a face is a recursion along the axis.

    F(x) = ∫_0^x f p e^{-(x - y)/b} dy is what jumps carry across x, and F_i = e^{-h/b} F_{i-1} + ∫_cell.
    """
    entries, a, h, dx, index = along.entries, along.a, along.h, along.dx, along.index
    if not np.all(mean > 0):
        raise PropensityError(f"the mean of an exponential burst must be positive everywhere, got {np.min(mean):g}")
    mean = np.moveaxis(np.broadcast_to(mean, (1,) * index.ndim) if mean.ndim == 0 else mean, a, -1)
    decay = np.exp(-h / mean)
    into = -np.expm1(-h / mean) * (mean / h) * dx
    flux = along.view(entries.new_unknowns(a, along.forward))
    entries.add(flux, index, into * along.flow)
    if entries.scheme.order > 2:
        _sharpen(along, flux, into, decay * dx)
    entries.add(flux[..., 1:], flux[..., :-1], decay)
    entries.add(index[..., :-1], flux[..., :-1], -1.0 / dx)
    entries.add(index[..., 1:], flux[..., :-1], 1.0 / dx)
    # Auxiliary unknowns are numbered in the order of the sums: the last one crosses the end.
    leak, stop, gain = (np.moveaxis(book[-1], a, -1) for book in (entries.leak, entries.stop, entries.gain))
    leak[..., -1] = 1.0 / dx
    if along.boundary == "reflecting":
        stop[..., -1] = 1.0 / dx
    else:
        entries.add(index[..., -1], flux[..., -1], -1.0 / dx)
        gain[..., -1] = -1.0 / dx


def _sharpen(along, flux, into, decay):
    """Correct an exponential burst for the slope of q = f p within the cells, beyond third order.

    A q that is constant in each cell errs by h²/12 times: ∂q/∂x at the face, less what jumps carry there of ∂²q/∂x²,
    and of ∂q/∂x at the end from which they start.
    """
    add, index, flow = along.entries.add, along.index, along.flow / 12.0
    into = np.broadcast_to(into, flow.shape)
    cells = np.arange(1, flow.shape[-1] - 1)
    for row, centre in [(cells, cells), (0 * cells[:1], cells[:1])]:  # the first cell takes its neighbour's
        for step, weight in [(-1, -1.0), (0, 2.0), (1, -1.0)]:
            column = centre + step
            add(flux[..., row], index[..., column], weight * into[..., row] * flow[..., column])
    for column, weight in enumerate((2.0, -3.0, 1.0)):
        add(flux[..., 0], index[..., column], weight * decay[..., 0] * flow[..., column])
    add(index[..., :-1], index[..., 1:], -flow[..., 1:])
    add(index[..., :-1], index[..., :-1], flow[..., :-1])
    add(index[..., 1:], index[..., 1:], flow[..., 1:])
    add(index[..., 1:], index[..., :-1], -flow[..., :-1])

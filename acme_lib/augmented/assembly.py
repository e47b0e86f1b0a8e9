"""Reactions and processes become the entries of the operator (`Terms`)."""

import numpy as np

from acme_lib.augmented import processes as pr
from acme_lib.augmented.kernels import arbitrary_weights, fragment_matrix, jump_weights, power_law_hats
from acme_lib.augmented.partition import add_partitioned
from acme_lib.augmented.schemes import FITTED, LinearScheme, upwind
from acme_lib.augmented.space import Discrete, States
from acme_lib.augmented.terms import Terms
from acme_lib.errors import ParameterError, PropensityError, StateSpaceError
from acme_lib.network.expression import Expression, suggest
from acme_lib.network.text import located


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


class Assembly:
    """Collects the entries of the operator of a system at one time."""

    def __init__(self, system, t):
        self.system, self.space, self.t = system, system.space, t
        space = self.space
        self.n = space.size
        self.index = np.arange(self.n).reshape(space.shape)
        self.rows, self.columns, self.values = [], [], []
        self.n_unknowns = self.n
        self.source = np.zeros(self.n)
        self.leak = [np.zeros(space.shape)]
        self.stop = [np.zeros(space.shape)]
        self.gain = [np.zeros(space.shape)]
        self.exits = np.zeros(space.shape)
        first = space.axis(space.continuum[0])
        cell = np.arange(space.shape[first]).reshape([-1 if i == first else 1 for i in range(len(space.shape))])
        self.position = [np.broadcast_to(cell, space.shape).ravel()]
        self.cell = np.broadcast_to(cell, space.shape)
        self.volume = space.volume
        self.awake = ~space.frozen
        self.environment = space.environment()
        self.fluxes = []
        self.leaving = self.exits

    def terms(self):
        """Return the `Terms`."""
        space = self.space
        drift, noise, cross = self.reactions()
        for number, process in enumerate(self.system.processes):
            self.process(number, process, drift, noise)
        self.leaving = self.exits.copy()  # by other ways than drift and diffusion
        for name in space.continuum:
            self.flux(name, drift[name], noise[name])
        for (a, b), value in cross.items():
            self.cross_diffusion(a, b, value)
        leak, stop = (
            np.concatenate([part.ravel() for part in parts]) * self.volume for parts in (self.leak, self.stop)
        )
        rows, columns = np.concatenate(self.rows or [[]]), np.concatenate(self.columns or [[]])
        values = np.concatenate(self.values or [[]])
        gain = np.concatenate([part.ravel() for part in self.gain]) * self.volume
        arrays = (rows.astype(np.int64), columns.astype(np.int64), values, self.source)
        position = np.concatenate(self.position)
        for array in (*arrays, position, leak, stop, gain):
            array.flags.writeable = False
        stiffness = float(np.max(np.abs(self.exits), initial=0.0))
        return Terms(
            self.n, self.n_unknowns, *arrays, position, leak, stop, gain, tuple(self.fluxes), self.volume, stiffness
        )

    # -- entries ------------------------------------------------------------------------------------------------------

    def add(self, rows, columns, values):
        """Add entries given as arrays that broadcast together; zeros are left out."""
        rows, columns, values = np.broadcast_arrays(rows, columns, values)
        rows, columns, values = rows.ravel(), columns.ravel(), values.ravel()
        keep = values != 0.0
        if not keep.all():
            rows, columns, values = rows[keep], columns[keep], values[keep]
        self.rows.append(rows)
        self.columns.append(columns)
        self.values.append(values)

    def new_unknowns(self, a, forward):
        """Return the indices of one new auxiliary unknown for each cell, in the shape of the space.

        They increase along axis `a`, or decrease, so that each sum needs only those before it.
        """
        order = slice(None, None, 1 if forward else -1)
        turn = (slice(None),) * a + (order,)
        index = self.n_unknowns + self.index[turn]
        self.n_unknowns += self.n
        self.position.append(self.cell[turn].ravel())
        self.leak.append(np.zeros(self.space.shape))
        self.stop.append(np.zeros(self.space.shape))
        self.gain.append(np.zeros(self.space.shape))
        return index

    def evaluate(self, number, key, environment=None):
        """Return the values of a rate of process `number` as they are."""
        environment = self.environment if environment is None else environment
        return evaluate_rate(self.system._expressions[number, key], environment, self.system.parameters, self.t)

    def rate(self, number, process, key="rate", sign=1, environment=None):
        """Return a rate of a process, zero where it does not act, checked."""
        value = self.evaluate(number, key, environment)
        allowed = getattr(process, "allow_negative", False) or sign == 0
        self.check(value, allowed, f"{key} of {type(process).__name__}, {self.system._expressions[number, key].text!r}")
        states = getattr(process, "states", None)
        mask = self.awake if states is None else self.space.state_mask(states)
        return np.where(mask, value, 0.0)

    def check(self, value, allow_negative, what):
        """Refuse rates that are not finite, or negative where that was not asked for; say where."""
        bad = ~np.isfinite(value) if allow_negative else ~(np.isfinite(value) & (value >= 0))
        if np.any(bad):
            where = np.argwhere(np.broadcast_to(bad, value.shape))[0] if value.ndim else ()
            worst = value[tuple(where)]
            at = ""
            if value.ndim:
                names = [n for n, size in zip(self.space.names, value.shape, strict=True) if size > 1]
                points = {n: self.space.coordinates(n) for n in names}
                parts = []
                for name in names:
                    i = where[self.space.axis(name)]
                    x = points[name][min(i, len(points[name]) - 1)]
                    axis = self.space[name]
                    parts.append(f"{name}={axis.names[int(x)] if isinstance(axis, States) else format(x, 'g')}")
                at = f" at {', '.join(parts)} (units of the grid)" if parts else ""
            at += f" at t={self.t:g}" if self.system.uses_time else ""
            if np.isfinite(worst):
                raise PropensityError(
                    f"{what} is negative ({worst:g}){at}; a rate is zero or more: mend it with max(0, …), or ask for "
                    "negative rates with allow_negative=True where they are meant (a Transition to a phantom state)"
                )
            raise PropensityError(f"{what} is not finite ({worst}){at}; change the rate or the grid")

    # -- reactions ----------------------------------------------------------------------------------------------------

    def reactions(self):
        """Sort reactions into drift and noise by axis (functions of the environment) and transitions (entries)."""
        space, network = self.space, self.space.network
        drift = {name: [] for name in space.continuum}
        noise = {name: [] for name in space.continuum}
        cross = {}
        if network is None:
            return drift, noise, cross
        for j, reaction in enumerate(network.reactions):
            change = {
                name: network.stoichiometry[j, i]
                for i, name in enumerate(network.species)
                if network.stoichiometry[j, i] != 0
            }
            if not change:
                continue
            if any(name in space.discrete for name in change):
                rate = self.propensity(reaction, self.environment) * self.awake
                self.transition(rate, change)
                continue
            for name, e in change.items():
                step = e / space[name].system_size
                drift[name].append((step, reaction))
                if self.system.diffusion:
                    noise[name].append((0.5 * step**2, reaction))
            if self.system.diffusion and len(change) > 1:
                names = sorted(change, key=space.continuum.index)
                for i, a in enumerate(names):
                    for b in names[i + 1 :]:
                        weight = change[a] * change[b] / (space[a].system_size * space[b].system_size)
                        value = weight * self.propensity(reaction, self.environment) * self.awake
                        cross[a, b] = cross.get((a, b), 0.0) + value
        return drift, noise, cross

    def propensity(self, reaction, environment):
        """Return the propensity of a reaction on the grid, by the network's own rate at n = Ω x."""
        value = evaluate_rate(reaction.rate, environment, self.system.parameters, self.t)
        if reaction.mass_action:
            for name, count in reaction.reactants.items():
                n = environment[name]
                for k in range(count):
                    value = value * (np.maximum(n - k, 0.0) / (k + 1.0))
        try:
            self.check(value, False, "the propensity")
        except PropensityError as error:
            raise located(error, reaction.line, reaction.text) from None
        return value

    def transition(self, rate, change):
        """Add transitions by `change` (counts, and molecules of continuum species) at `rate`."""
        space = self.space
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
            target, inside, kept = self.target(moves)
            flow = weight * rate
            self.leak[0] += np.where(inside, 0.0, flow)
            self.add(target, self.index, np.where(kept, flow, 0.0))
            stay = ~inside & self.stays(moves)
            self.stop[0] += np.where(stay, flow, 0.0)
            self.add(self.index, self.index, np.where(stay, 0.0, -flow))
            self.exits += np.where(stay, 0.0, flow)
            self.gain[0] -= np.where(~inside & ~stay, flow, 0.0)

    def target(self, moves):
        """Return the index each cell moves to, whether that is inside, and whether an entry is to be made."""
        space = self.space
        grid = np.indices(space.shape, sparse=True)
        target = [np.broadcast_to(g, space.shape) for g in grid]
        inside = np.ones(space.shape, dtype=bool)
        for name, move in moves:
            a = space.axis(name)
            to = target[a] + move
            inside &= (to >= 0) & (to < space.shape[a])
            target[a] = np.clip(to, 0, space.shape[a] - 1)
        return np.ravel_multi_index(tuple(target), space.shape), inside, inside

    def stays(self, moves):
        """Return where a move that leads outside is stopped by reflecting ends (else it leaves the space)."""
        space = self.space
        stays = np.ones(space.shape, dtype=bool)
        for name, move in moves:
            a, axis = space.axis(name), space[name]
            to = np.indices(space.shape, sparse=True)[a] + move
            if isinstance(axis, Discrete):
                stays &= (to < space.shape[a]) | (axis.boundary == "reflecting")
            else:
                stays &= (to >= 0) | (axis.boundaries[0] == "reflecting")
                stays &= (to < space.shape[a]) | (axis.boundaries[1] == "reflecting")
        return stays

    # -- drift and diffusion ------------------------------------------------------------------------------------------

    def sum_rates(self, parts, environment):
        """Return the sum of (factor, reaction or function of the environment)."""
        total = 0.0
        for factor, source in parts:
            value = self.propensity(source, environment) if not callable(source) else source(environment)
            total = total + factor * value
        return total

    def flux(self, name, drift, noise):
        """Add the fluxes along a continuum axis."""
        if not drift and not noise:
            return
        space, axis = self.space, self.space[name]
        a = space.axis(name)
        at_faces = space.environment(faces=name)
        shape_f = [1] * len(space.shape)
        shape_f[a] = axis.cells + 1
        shape_c = [1] * len(space.shape)
        shape_c[a] = axis.cells
        v = np.where(self.awake, self.sum_rates(drift, at_faces) + np.zeros(shape_f), 0.0)
        d_faces = d_centres = 0.0
        if noise:
            d_faces = np.where(self.awake, self.sum_rates(noise, at_faces) + np.zeros(shape_f), 0.0)
            d_centres = np.where(self.awake, self.sum_rates(noise, self.environment) + np.zeros(shape_c), 0.0)
            d_faces, d_centres = np.moveaxis(d_faces, a, -1), np.moveaxis(d_centres, a, -1)
        v = np.moveaxis(v, a, -1)
        index = np.moveaxis(self.index, a, -1)
        dx = axis.dx
        if isinstance(self.system.scheme, LinearScheme):
            c = np.asarray(self.system.scheme.coefficients(v, d_faces, d_centres, dx))
            c = self.stay_upstream(c, np.moveaxis(self.leaving, a, -1), v, d_centres, dx)
            n = axis.cells
            for m in range(4):
                # faces 1 … n - 1; cell f - 2 + m
                low, high = max(1, 2 - m), min(n - 1, n + 1 - m)
                faces = slice(low - 1, high)
                column = index[..., low - 2 + m : high - 1 + m]
                value = c[m][..., faces] / dx
                self.add(index[..., low - 1 : high], column, -value)
                self.add(index[..., low : high + 1], column, value)
        else:
            self.fluxes.append((name, v, d_faces, d_centres))
        size = np.abs(v).max(axis=-1, keepdims=True) / dx
        if noise:
            size = size + 2.0 * d_centres.max(axis=-1, keepdims=True) / dx**2
        self.exits += np.moveaxis(np.broadcast_to(size, index.shape), -1, a)
        self.ends(axis, a, index, v, d_faces, d_centres)

    def stay_upstream(self, c, exits, v, d_centres, dx):
        """Return the coefficients with those of faces where the density jumps taken from upstream alone.

        Where the rate of leaving jumps by more than drift can smooth over a cell (an absorbing region begins), so does
        the density, and a stencil across the face would be wrong by a part of the flux, whatever the cells.
        """
        if self.system.scheme.order < 2 or self.system.scheme is FITTED:
            return c
        velocity = np.broadcast_to(v[..., 1:-1], c.shape[1:])
        jump = exits[..., 1:] - exits[..., :-1]
        rough = np.abs(jump) * dx > 0.5 * np.abs(velocity)
        if np.ndim(d_centres):  # diffusion makes the density continuous, over a length of sqrt(D/jump)
            d = 0.5 * (d_centres[..., 1:] + d_centres[..., :-1])
            rough &= d < dx**2 * np.abs(jump)
        rough &= velocity != 0.0
        if not rough.any():
            return c
        c, rough = np.broadcast_to(c, (4, *rough.shape)).copy(), rough.copy()
        plain = upwind(np.broadcast_to(v, (*rough.shape[:-1], v.shape[-1])), 0.0, d_centres, dx)
        # Two cells upstream give the face's value to second order, where they lie outside the region that empties.
        slope = np.zeros_like(plain)
        up = np.where(rough & (velocity > 0) & (jump > 0), 0.5 * velocity, 0.0)
        down = np.where(rough & (velocity < 0) & (jump < 0), 0.5 * velocity, 0.0)
        up[..., 0], down[..., -1] = 0.0, 0.0
        slope[0], slope[1], slope[2], slope[3] = -up, up, down, -down
        return np.where(rough, plain + slope, c)

    def ends(self, axis, a, index, v, d_faces, d_centres):
        """Add what crosses the two ends."""
        leak = np.moveaxis(self.leak[0], a, -1)
        gain = np.moveaxis(self.gain[0], a, -1)
        for boundary, cell, face, sign in [(axis.boundaries[0], 0, 0, -1.0), (axis.boundaries[1], -1, -1, 1.0)]:
            out = np.maximum(sign * v[..., face], 0.0)
            dx = axis.dx
            noisy = np.ndim(d_faces)
            if boundary == "absorbing" and noisy:
                out = out + 2.0 * d_faces[..., face] / dx
            crossing = out / dx
            if boundary == "reflecting":
                stopped = out + (d_centres[..., cell] / dx if noisy and cell == -1 else 0.0)
                if cell == 0 and axis.lower == 0.0:
                    stopped = out  # nothing lies below zero
                leak[..., cell] += stopped / dx
                np.moveaxis(self.stop[0], a, -1)[..., cell] += stopped / dx
            else:
                self.add(index[..., cell], index[..., cell], -crossing)
                leak[..., cell] += crossing
                gain[..., cell] -= crossing

    def cross_diffusion(self, a, b, value):
        """Add ∂²(D p)/∂a∂b by the corners towards which the change leads; as positive as such a stencil can be."""
        space = self.space
        value = np.broadcast_to(value, space.shape) / (space[a].dx * space[b].dx)
        for sign in (1, -1):
            part = np.where(sign * value > 0, 0.5 * np.abs(value), 0.0)
            # q at both corners along the diagonal, less q at the four neighbours along the axes, plus twice q here.
            for step in (1, -1):
                corner = [(a, step), (b, sign * step)]
                self.exchange(part, corner, 1.0)
                self.exchange(part, corner[:1], -1.0)
                self.exchange(part, corner[1:], -1.0)

    def exchange(self, part, moves, factor):
        """Add jumps of each cell's `part` by some moves, where all moves of the corner stay inside."""
        target, inside, _ = self.target(moves)
        flow = np.where(inside, factor * part, 0.0)
        self.add(target, self.index, flow)
        self.add(self.index, self.index, -flow)

    # -- processes ----------------------------------------------------------------------------------------------------

    def process(self, number, process, drift, noise):
        """Add a process; drift and noise are collected for `flux`."""
        if isinstance(process, pr.Drift | pr.Diffusion):
            name = self.continuum(process.species, process)
            size = self.space[name].system_size
            key, factor = ("rate", 1 / size) if isinstance(process, pr.Drift) else ("coefficient", 1 / size**2)
            sign = 0 if isinstance(process, pr.Drift) else 1
            into = drift if isinstance(process, pr.Drift) else noise

            def value(environment):
                return self.rate(number, process, key, sign, environment)

            into[name].append((factor, value))
        elif isinstance(process, pr.Growth | pr.Death):
            rate = self.rate(number, process)
            rate = np.broadcast_to(rate if isinstance(process, pr.Growth) else -rate, self.space.shape)
            self.add(self.index, self.index, rate)
            self.gain[0] += rate
            self.exits += np.maximum(-rate, 0.0)
        elif isinstance(process, pr.Influx):
            rate = np.broadcast_to(self.rate(number, process), self.space.shape)
            self.source = self.source + rate.ravel()
        elif isinstance(process, pr.Transition):
            self.abstract_transition(number, process)
        elif isinstance(process, pr.Burst):
            self.burst(number, process)
        else:
            self.fragmentation(number, process)

    def continuum(self, name, process):
        """Return the name of a continuum axis, or refuse it."""
        if name not in self.space.continuum:
            self.space._known(name)
            raise StateSpaceError(
                f"{type(process).__name__} changes a continuum species, and {name} is discrete: make it a Continuum, "
                "or write a reaction"
            )
        return name

    def abstract_transition(self, number, process):
        """Add a `Transition`."""
        space = self.space
        axes = [name for name in space.abstract if process.start in space[name].names]
        space.state_mask((process.start, process.to))
        name = axes[0]
        if process.to not in space[name].names:
            raise StateSpaceError(f"{process.start!r} and {process.to!r} are states of different axes")
        if process.to == process.start:
            raise StateSpaceError(f"a Transition leads from one state to another; {process.start!r} came twice")
        value = self.evaluate(number, "rate")
        text = self.system._expressions[number, "rate"].text
        self.check(value, process.allow_negative, f"rate of Transition, {text!r}")
        # Other axes of abstract states may be frozen; this one need not be.
        rate = np.broadcast_to(value, space.shape)
        source = space.select(self.index, **{name: process.start})
        to = space.select(self.index, **{name: process.to})
        rate = space.select(rate, **{name: process.start})
        self.add(source, source, -rate)
        self.add(to, source, rate)
        space.select(self.exits, **{name: process.start})[...] += np.abs(rate)

    def burst(self, number, process):
        """Add a `Burst`: a recursion for exponential sizes, else weights from cell to cell."""
        space = self.space
        name = self.continuum(process.species, process)
        axis, a = space[name], space.axis(name)
        rate = np.broadcast_to(self.rate(number, process), space.shape)
        h = axis.dx * axis.system_size  # in molecules
        jump = process.jump
        forward = process.direction == 1
        index, flow = np.moveaxis(self.index, a, -1), np.moveaxis(rate, a, -1)
        boundary = axis.boundaries[1 if forward else 0]
        if not forward:
            index, flow = index[..., ::-1], flow[..., ::-1]
        self.exits += rate
        if isinstance(jump, pr.ExponentialJump):
            mean = self.evaluate(number, "mean")
            if np.any(~(mean > 0)):
                raise PropensityError(f"the mean of the jump {jump.mean!r} is not positive everywhere")
            if mean.ndim == 0 or mean.shape[a] == 1:
                self.exponential_burst(a, forward, index, flow, mean, h, boundary)
                return
        weights, total = self.weights(number, process, a, axis, h, forward)
        n = axis.cells
        if weights.ndim == 1:  # the same from every cell: a matrix by diagonals
            weights = weights[: np.max(np.nonzero(weights)[0], initial=0) + 1]
            for m, w in enumerate(weights):
                self.add(index[..., m:], index[..., : n - m], w * flow[..., : n - m])
            reached = np.cumsum(np.pad(weights, (0, n - len(weights))))[::-1]
        else:
            to, start = np.nonzero(weights)
            self.add(index[..., to], index[..., start], weights[to, start] * flow[..., start])
            reached = weights.sum(axis=0)
        beyond = np.maximum(total - reached, 0.0)
        beyond[beyond < 1e-15] = 0.0
        loss = np.ones(n)
        if boundary == "reflecting":
            self.add(index[..., -1:], index, beyond * flow)
        self.add(index, index, -loss * flow)
        leak = np.moveaxis(self.leak[0], a, -1)[..., :: process.direction]
        gain = np.moveaxis(self.gain[0], a, -1)[..., :: process.direction]
        leak += beyond * flow
        if boundary == "reflecting":
            np.moveaxis(self.stop[0], a, -1)[..., :: process.direction] += beyond * flow
        gain += (total - 1.0) * flow - (0.0 if boundary == "reflecting" else beyond * flow)

    def exponential_burst(self, a, forward, index, flow, mean, h, boundary):
        """Add an exponential burst: the flux through a face is a recursion along the axis.

        F(x) = ∫_0^x f p e^{-(x - y)/b} dy is what jumps carry across x, and F_i = e^{-h/b} F_{i-1} + ∫_cell.
        """
        dx = self.space[self.space.names[a]].dx
        mean = np.moveaxis(np.broadcast_to(mean, (1,) * len(self.space.shape)) if mean.ndim == 0 else mean, a, -1)
        decay = np.exp(-h / mean)
        into = -np.expm1(-h / mean) * (mean / h) * dx
        flux = np.moveaxis(self.new_unknowns(a, forward), a, -1)
        if not forward:
            flux = flux[..., ::-1]
        self.add(flux, index, into * flow)
        if self.system.scheme.order > 2:
            self.sharpen(index, flow, flux, into, decay * dx)
        self.add(flux[..., 1:], flux[..., :-1], decay)
        self.add(index[..., :-1], flux[..., :-1], -1.0 / dx)
        self.add(index[..., 1:], flux[..., :-1], 1.0 / dx)
        # Auxiliary unknowns are numbered in the order of the sums: the last one crosses the end.
        np.moveaxis(self.leak[-1], a, -1)[..., -1] = 1.0 / dx
        if boundary == "reflecting":
            np.moveaxis(self.stop[-1], a, -1)[..., -1] = 1.0 / dx
        else:
            self.add(index[..., -1], flux[..., -1], -1.0 / dx)
            np.moveaxis(self.gain[-1], a, -1)[..., -1] = -1.0 / dx

    def sharpen(self, index, flow, flux, into, decay):
        """Correct an exponential burst for the slope of q = f p within the cells, beyond third order.

        A q that is constant in each cell errs by h²/12 times: ∂q/∂x at the face, less what jumps carry there of
        ∂²q/∂x², and of ∂q/∂x at the end from which they start.
        """
        into, flow = np.broadcast_to(into, flow.shape), flow / 12.0
        cells = np.arange(1, flow.shape[-1] - 1)
        for row, centre in [(cells, cells), (0 * cells[:1], cells[:1])]:  # the first cell takes its neighbour's
            for step, weight in [(-1, -1.0), (0, 2.0), (1, -1.0)]:
                column = centre + step
                self.add(flux[..., row], index[..., column], weight * into[..., row] * flow[..., column])
        for column, weight in enumerate((2.0, -3.0, 1.0)):
            self.add(flux[..., 0], index[..., column], weight * decay[..., 0] * flow[..., column])
        self.add(index[..., :-1], index[..., 1:], -flow[..., 1:])
        self.add(index[..., :-1], index[..., :-1], flow[..., :-1])
        self.add(index[..., 1:], index[..., 1:], flow[..., 1:])
        self.add(index[..., 1:], index[..., :-1], -flow[..., :-1])

    def weights(self, number, process, a, axis, h, forward):
        """Return the share of jumps that lead m cells on, shape (cells,) or [to, from]; and what they sum to."""
        jump, n = process.jump, axis.cells
        if isinstance(jump, pr.ArbitraryJump):
            return arbitrary_weights(jump, n, h, self.density_of_size(jump, process)), jump.integral
        keys = {"ExponentialJump": ["mean"], "GammaJump": ["mean", "shape"], "FixedJump": ["size"]}
        values = [self.evaluate(number, key) for key in keys[type(jump).__name__]]
        for value in values:
            if np.any(~(value > 0)):
                raise PropensityError(f"the sizes of the jump {jump!r} are not positive everywhere")
            if value.size > 1 and (value.ndim == 0 or value.size != value.shape[a]):
                raise ParameterError(
                    f"the sizes of {jump!r} may depend on {axis!r} alone or on no axis; give one Burst for each state"
                )
        flat = [value.ravel() if forward else value.ravel()[::-1] for value in values]
        return jump_weights(type(jump).__name__, flat, n, h), 1.0

    def density_of_size(self, jump, process):
        """Return the density of an `ArbitraryJump` as a function of an array of sizes."""
        if callable(jump.density):
            return jump.density
        expression = parse_rate(jump.density, "density of ArbitraryJump", self.space, self.system.parameters, ("z",))
        for name in expression.names:
            if name in self.space.axes:
                raise ParameterError(f"density of ArbitraryJump may depend on z, parameters and t; {name} is an axis")

        def density(z):
            return np.broadcast_to(evaluate_rate(expression, {"z": z}, self.system.parameters, self.t), np.shape(z))

        return density

    def fragmentation(self, number, process):
        """Add a `Fragmentation`: a running sum for power laws, else a matrix of daughters."""
        space = self.space
        name = self.continuum(process.size, process)
        axis, a = space[name], space.axis(name)
        if axis.lower != 0.0:
            raise StateSpaceError(f"sizes are divided: the grid of {name} must start at 0, not at {axis.lower:g}")
        kernel = process.kernel
        rate = np.broadcast_to(self.rate(number, process), space.shape)
        self.exits += rate
        index, flow = np.moveaxis(self.index, a, -1), np.moveaxis(rate, a, -1)
        shared = {key: how for key, how in process.partition.items() if how != "copied"}
        for key in process.partition:
            if key == name or space[key] is None:
                raise ParameterError(f"{name} is the size itself; partition names other axes")
        if shared:
            add_partitioned(self, process, name, rate, shared)
            return
        gain = np.moveaxis(self.gain[0], a, -1)
        if isinstance(kernel, pr.PowerLawKernel):
            # Daughters from all larger cells: a running sum from above, shared out by hats.
            m = kernel.exponent
            x = np.arange(axis.cells) + 0.5  # in cells: the kernel has no scale
            below, above = power_law_hats(m, axis.cells)
            weight = (m + 2.0) * x ** -(m + 1.0)
            sums = np.moveaxis(self.new_unknowns(a, False), a, -1)
            self.add(sums, index, weight * flow)
            self.add(sums[..., :-1], sums[..., 1:], 1.0)
            self.add(index[..., :-1], sums[..., 1:], (below + above)[:-1])
            self.add(index, index, (below * weight - 1.0) * flow)
            made = np.cumsum(np.concatenate([[0.0], (below + above)[:-1]])) * weight + below * weight
            gain += (made - 1.0) * flow
            return
        matrix = fragment_matrix(kernel, axis.cells, axis.dx * axis.system_size, self.system.parameters)
        to, start = np.nonzero(matrix)
        self.add(index[..., to], index[..., start], matrix[to, start] * flow[..., start])
        self.add(index, index, -flow)
        gain += (matrix.sum(axis=0) - 1.0) * flow

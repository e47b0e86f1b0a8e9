"""Fluxes along continuum axes, by a scheme, from the drift and the noise that were collected; and cross-diffusion."""

import numpy as np

from acme_lib.augmented.schemes import FITTED, LinearScheme, upwind


def add_fluxes(entries):
    """Add the fluxes of all axes to the `Entries`."""
    leaving = entries.exits.copy()  # by other ways than drift and diffusion
    for name in entries.space.continuum:
        if entries.drift[name] or entries.noise[name]:
            _add_flux(entries, name, leaving)
    for (a, b), value in entries.cross.items():
        _add_cross_diffusion(entries, a, b, value)


def _add_flux(entries, name, leaving):
    """Add the fluxes along one axis."""
    space, axis, a = entries.space, entries.space[name], entries.space.axis(name)
    faces, dx = space.environment(faces=name), axis.dx

    def total(parts, environment, size):
        value = np.where(
            entries.awake, sum(part(environment) for part in parts) + space.along(name, np.zeros(size)), 0.0
        )
        return np.moveaxis(value, a, -1)

    v = total(entries.drift[name], faces, axis.cells + 1)
    d_faces = d_centres = 0.0
    if entries.noise[name]:
        d_faces = total(entries.noise[name], faces, axis.cells + 1)
        d_centres = total(entries.noise[name], entries.environment, axis.cells)
    index = np.moveaxis(entries.index, a, -1)
    if isinstance(entries.scheme, LinearScheme):
        c = np.asarray(entries.scheme.coefficients(v, d_faces, d_centres, dx))
        c = _stay_upstream(entries.scheme, c, np.moveaxis(leaving, a, -1), v, d_centres, dx)
        n = axis.cells
        for m in range(4):
            # faces 1 … n - 1; cell f - 2 + m
            low, high = max(1, 2 - m), min(n - 1, n + 1 - m)
            column = index[..., low - 2 + m : high - 1 + m]
            value = c[m][..., low - 1 : high] / dx
            entries.add(index[..., low - 1 : high], column, -value)
            entries.add(index[..., low : high + 1], column, value)
    else:
        entries.fluxes.append((name, v, d_faces, d_centres))
    size = np.abs(v).max(axis=-1, keepdims=True) / dx
    if entries.noise[name]:
        size = size + 2.0 * d_centres.max(axis=-1, keepdims=True) / dx**2
    entries.exits += np.moveaxis(np.broadcast_to(size, index.shape), -1, a)
    _add_ends(entries, axis, a, v, d_faces, d_centres)


def _stay_upstream(scheme, c, exits, v, d_centres, dx):
    """Return the coefficients with those of faces where the density jumps taken from upstream alone.

    Where the rate of leaving jumps by more than drift can smooth over a cell (an absorbing region begins), so does the
    density, and a stencil across the face would be wrong by a part of the flux, whatever the cells.
    """
    if scheme.order < 2 or scheme is FITTED:
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


def _add_ends(entries, axis, a, v, d_faces, d_centres):
    """Add what crosses the two ends of an axis."""
    index, leak, stop, gain = (
        np.moveaxis(array, a, -1) for array in (entries.index, entries.leak[0], entries.stop[0], entries.gain[0])
    )
    noisy, dx = np.ndim(d_faces), axis.dx
    for boundary, end, sign in [(axis.boundary[0], 0, -1.0), (axis.boundary[1], -1, 1.0)]:
        out = np.maximum(sign * v[..., end], 0.0)
        if boundary == "reflecting":
            if noisy and end == -1:
                out = out + d_centres[..., end] / dx
            leak[..., end] += out / dx
            stop[..., end] += out / dx
            continue
        if boundary == "absorbing" and noisy:
            out = out + 2.0 * d_faces[..., end] / dx
        entries.add(index[..., end], index[..., end], -out / dx)
        leak[..., end] += out / dx
        gain[..., end] -= out / dx


def _add_cross_diffusion(entries, a, b, value):
    """Add ∂²(D p)/∂a∂b by the corners towards which the change leads; as positive as such a stencil can be."""
    space = entries.space
    value = np.broadcast_to(value, space.shape) / (space[a].dx * space[b].dx)
    for sign in (1, -1):
        part = np.where(sign * value > 0, 0.5 * np.abs(value), 0.0)
        # q at both corners along the diagonal, less q at the four neighbours along the axes, plus twice q here.
        for step in (1, -1):
            corner = [(a, step), (b, sign * step)]
            for moves, factor in [(corner, 1.0), (corner[:1], -1.0), (corner[1:], -1.0)]:
                target, inside = entries.target(moves)
                flow = np.where(inside, factor * part, 0.0)
                entries.add(target, entries.index, flow)
                entries.add(entries.index, entries.index, -flow)

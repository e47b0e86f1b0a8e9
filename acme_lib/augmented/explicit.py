"""Explicit steps: strong-stability-preserving Runge–Kutta methods over one matrix-free kernel.

All of them are sequences of forward Euler steps and averages, so that whatever one Euler step keeps (positivity, no new
extrema, mass) the method keeps, at C times its step. More stages than the order buy a longer step per stage [1]_.

References
----------
.. [1] D. I. Ketcheson, SIAM J. Sci. Comput. 30, 2113 (2008). doi:10.1137/07070485X
"""

import functools
import re
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numba import njit
from scipy import sparse

from acme_lib.augmented.schemes import LIMITERS, FluxScheme, LimitedScheme, LinearScheme, limited_slope
from acme_lib.checks import expected
from acme_lib.errors import ParameterError

_STRONG = re.compile(r"ssprk\s*\(?\s*(\d+)\s*,?\s*(\d)\s*\)?\Z")

# One line of a method: an Euler step of q by a share of the step; keep q as r; q = a r + (1 - a) q.
EULER, KEEP, MIX = range(3)


@dataclass(frozen=True)
class RungeKutta:
    """A method as a list of lines, in which q starts as the solution and ends as the next.

    Attributes
    ----------
    name : str
    order : int
    lines : tuple of (int, float)
    coefficient : float
        C: its step may be C times that of forward Euler.
    stages : int
    """

    name: str
    order: int
    lines: tuple
    coefficient: float

    @property
    def stages(self):
        """Evaluations of the operator in a step."""
        return sum(code == EULER for code, _ in self.lines)

    def step(self, operator_at, p, t, h):
        """Return the solution after a step h, the integrals of the functionals, and the counts of limited slopes.

        ``operator_at(t)`` is the `Operator` at a time; the time of a stage is what the method makes of t' = 1.
        """
        q, integrals, time = p.copy(), 0.0, t
        kept = q, integrals, time
        counts = 0
        for code, value in self.lines:
            if code == EULER:
                operator = operator_at(time)
                integrals = integrals + operator.add_euler(q, value * h)
                counts = counts + operator.counts
                time += value * h
            elif code == KEEP:
                kept = q.copy(), integrals, time
            else:
                q = value * kept[0] + (1.0 - value) * q
                integrals = value * kept[1] + (1.0 - value) * integrals
                time = value * kept[2] + (1.0 - value) * time
        return q, integrals, counts


def find_method(name):
    """Return the `RungeKutta` with a name: "euler", "ssprk(s,2)" with s ≥ 2, or "ssprk(s,3)", s = 3, 4, 9, …."""
    if name == "euler":
        name = "ssprk(1,1)"
    match = _STRONG.match(name)
    if match is None:
        raise expected(
            "method",
            "'auto', 'implicit', 'adaptive', 'euler', 'ssprk(s,2)' with s stages, s ≥ 2, or 'ssprk(s,3)' with s = 3, "
            "4, 9, 16, …",
            name,
        )
    s, order = int(match[1]), int(match[2])
    label = f"ssprk({s},{order})"
    if order == 1 and s >= 1:
        return RungeKutta(label, 1, ((EULER, 1.0 / s),) * s, float(s))
    if order == 2 and s >= 2:
        share = 1.0 / (s - 1)
        return RungeKutta(label, 2, ((KEEP, 0.0), *((EULER, share),) * s, (MIX, 1.0 / s)), float(s - 1))
    if order == 3 and s == 3:
        lines = ((KEEP, 0.0), (EULER, 1.0), (EULER, 1.0), (MIX, 0.75), (EULER, 1.0), (MIX, 1.0 / 3.0))
        return RungeKutta(label, 3, lines, 1.0)
    n = isqrt(s)
    if order == 3 and n >= 2 and n * n == s:
        share = 1.0 / (s - n)
        before, within = (n - 1) * (n - 2) // 2, n * (n + 1) // 2
        lines = [(EULER, share)] * before + [(KEEP, 0.0)] + [(EULER, share)] * (within - before)
        lines += [(MIX, n / (2.0 * n - 1.0))] + [(EULER, share)] * (s - within)
        return RungeKutta(label, 3, tuple(lines), float(s - n))
    raise ParameterError(
        f"there is no optimal method with {s} stages of order {order}: take s ≥ 2 for order 2, and "
        "3, 4, 9, 16, … for order 3"
    )


@functools.cache
def stability_limit(scheme, method):
    """Return the largest ν such that steps up to ν over the rate at which cells empty do not grow any wave.

    A wave with phase θ from cell to cell is multiplied by R(ν λ) in a step: R is what the method makes of dq/dt = λ q
    (von Neumann), λ any mean of the scheme's symbols of drift and diffusion and of jumps (the disc of -1 + e^{iφ}),
    each scaled to the rate at which a cell empties. For limited schemes the bound keeps the density positive instead.
    """
    if not isinstance(scheme, LinearScheme):
        return 0.5 * method.coefficient
    theta = np.linspace(0.0, np.pi, 33)[1:]

    def symbol(v, d):
        c = scheme.coefficients(np.full(12, v), np.full(12, d), np.full(11, d), 1.0)[:, 5]
        waves = np.exp(1j * theta[:, None] * (np.arange(4) - 1)) @ c
        return -waves * (1.0 - np.exp(-1j * theta))

    drift, diffusion = symbol(1.0, 0.0)[:, None], symbol(0.0, 0.5)[:, None]
    jumps = np.exp(1j * np.linspace(0.0, np.pi, 9)) - 1.0
    points = []
    for a in np.linspace(0.0, 1.0, 5):
        for b in np.linspace(0.0, 1.0 - a, 3):
            points.append((a * drift + b * diffusion + (1.0 - a - b) * jumps).ravel())
    points = np.concatenate(points)

    def grows(nu):
        z = nu * points
        q, kept = np.ones_like(z), None
        for code, value in method.lines:
            if code == EULER:
                q = q * (1.0 + value * z)
            elif code == KEEP:
                kept = q
            else:
                q = value * kept + (1.0 - value) * q
        return np.max(np.abs(q)) > 1.0 + 1e-8

    grid = np.linspace(0.0, 2.5 * method.coefficient + 1.0, 81)[1:]
    first = next((i for i, nu in enumerate(grid) if grows(nu)), len(grid))
    if first == 0:
        return 0.0
    low, high = grid[first - 1], grid[min(first, len(grid) - 1)]
    for _ in range(12):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if grows(middle) else (middle, high)
    return float(low)


class Operator:
    """Evaluates dp/dt of the `Terms` of a system, with the integrals of functionals as further components."""

    def __init__(self, system, terms, functionals):
        self.system, self.terms = system, terms
        n, size = terms.n_cells, terms.n_unknowns
        self.layout = terms.layout
        self.influx = terms.source.sum() * terms.volume
        self.functionals = np.ascontiguousarray(functionals)
        self.unknowns = np.zeros(size)
        self.change = np.zeros(n)
        self.counts = np.zeros(2, dtype=np.int64)
        self.fluxes = [self._lay_out(*flux) for flux in terms.fluxes]

    def _lay_out(self, name, v, d_faces, d_centres):
        space = self.system.space
        a = space.axis(name)
        shape = space.shape
        outer, n, inner = int(np.prod(shape[:a])), shape[a], int(np.prod(shape[a + 1 :]))

        def whole(array, length):
            full = np.moveaxis(np.broadcast_to(array, (*shape[:a], *shape[a + 1 :], length)), -1, a)
            return np.ascontiguousarray(full).reshape(outer, length, inner)

        noisy = np.ndim(d_centres) > 0
        d = whole(d_centres, n) if noisy else np.zeros((0, 0, 0))
        return whole(v, n + 1), d, noisy, space[name].dx, (outer, n, inner), (v, d_faces, d_centres), a

    def add_euler(self, q, h):
        """Add h times the operator to q; return h times the functionals."""
        self.counts[:] = 0
        scheme, terms = self.system.scheme, self.terms
        multiply(*self.layout, q, self.unknowns, self.change, terms.source)
        for v, d, noisy, dx, shape, plain, a in self.fluxes:
            if isinstance(scheme, LimitedScheme):
                _add_limited_fluxes(
                    q.reshape(shape),
                    v,
                    d,
                    noisy,
                    dx,
                    LIMITERS[scheme.limiter],
                    scheme.theta,
                    self.change.reshape(shape),
                    self.counts,
                )
            elif isinstance(scheme, FluxScheme):
                p = np.moveaxis(q.reshape(self.system.space.shape), a, -1)
                flux = scheme.flux(p, *plain, dx)
                out = np.moveaxis(self.change.reshape(self.system.space.shape), a, -1)
                out[..., :-1] -= flux / dx
                out[..., 1:] += flux / dx
        rates = self.functionals @ self.unknowns
        rates[-1] += self.influx  # the last one is what processes make
        q += h * self.change
        return h * rates


def lay_out(terms):
    """Return the matrix of some `Terms` as `multiply` takes it: rows, and diagonals where few hold most entries."""
    matrix, n = terms.matrix, terms.n_cells
    entries = matrix.tocoo()
    direct = (entries.row < n) & (entries.col < n)
    shift = (entries.col - entries.row).astype(np.int64)
    offsets, which = np.unique(shift[direct], return_inverse=True)
    if len(offsets) * n > 3 * max(len(which), 1):
        return matrix.indptr, matrix.indices, matrix.data, np.zeros(0, dtype=np.int64), np.zeros((0, n))
    diagonals = np.zeros((len(offsets), n))
    diagonals[which, entries.row[direct]] = entries.data[direct]
    shape = matrix.shape
    rest = sparse.csr_array(
        sparse.coo_array((entries.data[~direct], (entries.row[~direct], entries.col[~direct])), shape=shape)
    )
    return (
        rest.indptr.astype(matrix.indptr.dtype),
        rest.indices.astype(matrix.indices.dtype),
        rest.data,
        offsets,
        diagonals,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def multiply(starts, columns, data, offsets, diagonals, p, unknowns, out, source):
    """Evaluate the linear terms: first the auxiliary unknowns in their order, then the densities' changes."""
    n = len(p)
    for i in range(n):
        unknowns[i] = p[i]
    for r in range(n, len(unknowns)):
        total = 0.0
        for e in range(starts[r], starts[r + 1]):
            total += data[e] * unknowns[columns[e]]
        unknowns[r] = total
    if starts[n] > 0:
        for r in range(n):
            total = source[r]
            for e in range(starts[r], starts[r + 1]):
                total += data[e] * unknowns[columns[e]]
            out[r] = total
    else:
        for r in range(n):
            out[r] = source[r]
    block = 1024  # stays in the first cache while its diagonals pass
    for low in range(0, n, block):
        for d in range(len(offsets)):
            offset = offsets[d]
            first, last = max(low, -offset), min(low + block, n, n - offset)
            if first < last:  # slices: with indices from 0 the compiler makes vector instructions
                to, weight, start = out[first:last], diagonals[d, first:last], p[first + offset : last + offset]
                for r in range(len(to)):
                    to[r] += weight[r] * start[r]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_limited_fluxes(p, v, d, noisy, dx, limiter, theta, out, counts):
    """Add Kurganov–Tadmor fluxes along the middle axis; count slopes that were held back, and all slopes.

    For one velocity a face the local Lax–Friedrichs flux takes the value from upstream.
    """
    outer, n, inner = p.shape
    held = 0
    for i in range(outer):
        for k in range(inner):
            before = 0.0  # slope of the cell to the left of the face; none in the end cells
            for f in range(1, n):
                left, right = p[i, f - 1, k], p[i, f, k]
                after = 0.0
                if f < n - 1:
                    a, b = right - left, p[i, f + 1, k] - right
                    after = limited_slope(a, b, limiter, theta)
                    if abs(after - 0.5 * (a + b)) > 1e-12 * (abs(a) + abs(b)):
                        held += 1
                u = v[i, f, k]
                flux = u * (left + 0.5 * before) if u > 0.0 else u * (right - 0.5 * after)
                if noisy:
                    flux -= (d[i, f, k] * right - d[i, f - 1, k] * left) / dx
                flux /= dx
                out[i, f - 1, k] -= flux
                out[i, f, k] += flux
                before = after
    counts[0] += held
    counts[1] += outer * inner * (n - 2)

"""Collects the entries of the operator at one time; knows no process by name."""

import numpy as np

from acme_lib.arrays import freeze
from acme_lib.augmented.axes import Discrete
from acme_lib.augmented.terms import Terms


class Entries:
    """The entries of the operator of a space at one time, as processes add them.

    Attributes
    ----------
    space : AugmentedSpace
    scheme : LinearScheme, LimitedScheme or FluxScheme
    t : float
    environment : dict of str to ndarray
        What the names of axes stand for in a rate, at the centres of cells.
    awake : ndarray of bool
        Where states are not frozen; broadcasts to the space.
    index : ndarray of int, shape space.shape
        Of the density of each cell among the unknowns.
    exits : ndarray, shape space.shape
        Rate at which each cell empties.
    leak, stop, gain : list of ndarray, each of shape space.shape
        Per density, or per auxiliary unknown, see `Terms`; one array for the densities, then one for each set of
        auxiliary unknowns.
    source : ndarray, shape space.shape
        Density per unit of time that comes from outside.
    drift, noise : dict of str to list of callable
        By continuum axis, the parts of the velocity and of the diffusion coefficient, in units of x, as functions of an
        environment (they are taken at centres and at faces).
    cross : dict of (str, str) to ndarray
        Coefficients of cross-diffusion.
    fluxes : list of tuple
        For a scheme that is not linear, see `Terms`.
    """

    def __init__(self, space, scheme, t):
        self.space, self.scheme, self.t = space, scheme, t
        self.environment, self.awake = space.environment(), ~space.frozen
        self.index = np.arange(space.size).reshape(space.shape)
        self.rows, self.columns, self.values = [], [], []
        self.n_unknowns = space.size
        self.source, self.exits = np.zeros(space.shape), np.zeros(space.shape)
        self.leak, self.stop, self.gain = ([np.zeros(space.shape)] for _ in range(3))
        self.drift, self.noise = ({name: [] for name in space.continuum} for _ in range(2))
        self.cross, self.fluxes = {}, []
        first = space.continuum[0]
        self._cell = np.broadcast_to(space.along(first, np.arange(space[first].cells)), space.shape)
        self.position = [self._cell.ravel()]

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
        turn = (slice(None),) * a + (slice(None, None, 1 if forward else -1),)
        index = self.n_unknowns + self.index[turn]
        self.n_unknowns += self.space.size
        self.position.append(self._cell[turn].ravel())
        for book in (self.leak, self.stop, self.gain):
            book.append(np.zeros(self.space.shape))
        return index

    def move(self, moves, flow):
        """Add jumps from each cell by some cells along some axes, with what becomes of them at the ends.

        Parameters
        ----------
        moves : list of (str, int)
            Axes, and by how many cells or counts.
        flow : ndarray, shape space.shape
            Rate of the jumps.
        """
        target, inside = self.target(moves)
        self.leak[0] += np.where(inside, 0.0, flow)
        self.add(target, self.index, np.where(inside, flow, 0.0))
        stay = ~inside & self._stays(moves)
        self.stop[0] += np.where(stay, flow, 0.0)
        self.add(self.index, self.index, np.where(stay, 0.0, -flow))
        self.exits += np.where(stay, 0.0, flow)
        self.gain[0] -= np.where(~inside & ~stay, flow, 0.0)

    def target(self, moves):
        """Return the index that each cell moves to, and whether that is inside."""
        space = self.space
        target = [np.broadcast_to(g, space.shape) for g in np.indices(space.shape, sparse=True)]
        inside = np.ones(space.shape, dtype=bool)
        for name, move in moves:
            a = space.axis(name)
            to = target[a] + move
            inside &= (to >= 0) & (to < space.shape[a])
            target[a] = np.clip(to, 0, space.shape[a] - 1)
        return np.ravel_multi_index(tuple(target), space.shape), inside

    def _stays(self, moves):
        """Return where a move that leads outside is stopped by reflecting ends (else it leaves the space)."""
        space = self.space
        stays = np.ones(space.shape, dtype=bool)
        for name, move in moves:
            a, axis = space.axis(name), space[name]
            to = np.indices(space.shape, sparse=True)[a] + move
            if isinstance(axis, Discrete):
                stays &= (to < space.shape[a]) | (axis.boundary == "reflecting")
            else:
                stays &= (to >= 0) | (axis.boundary[0] == "reflecting")
                stays &= (to < space.shape[a]) | (axis.boundary[1] == "reflecting")
        return stays

    def terms(self):
        """Return all that was collected as `Terms`."""
        volume = self.space.volume
        leak, stop, gain = (
            np.concatenate([part.ravel() for part in parts]) * volume for parts in (self.leak, self.stop, self.gain)
        )
        rows, columns, values = (
            np.concatenate(parts) if parts else np.empty(0) for parts in (self.rows, self.columns, self.values)
        )
        return Terms(
            self.space.size,
            self.n_unknowns,
            *freeze(rows.astype(np.int64), columns.astype(np.int64), values, self.source.ravel()),
            *freeze(np.concatenate(self.position), leak, stop, gain),
            tuple(self.fluxes),
            volume,
            float(np.max(np.abs(self.exits), initial=0.0)),
        )

"""The operator of an augmented master equation at one time, as the entries of a sparse matrix.

The unknowns are the densities p of all cells and, behind them, auxiliary ones: a jump or a fragmentation that reaches
far is a sum over many cells, and such a sum with exponential or power-law weights is a recursion from cell to cell.
The auxiliary unknown is the running sum, with two entries a row, so that what would be a full matrix stays sparse:

    dp/dt = A p + B a + s,      a_r = sum of earlier unknowns (rows in an order in which each needs earlier ones only).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from acme_lib.augmented.explicit import lay_out, multiply


@dataclass(frozen=True, eq=False)
class Terms:
    """The operator at one time, as arrays.

    Attributes
    ----------
    n_cells, n_unknowns : int
        Densities, and densities with auxiliary unknowns.
    rows, columns, values : ndarray, shape (entries,)
        Entries of all linear terms; a row from `n_cells` on is an auxiliary unknown. Duplicates add up.
    source : ndarray, shape (n_cells,)
        What comes from outside, density per unit of time.
    position : ndarray of int, shape (n_unknowns,)
        Cell along the first continuum axis: unknowns that are close have close positions.
    leak : ndarray, shape (n_unknowns,)
        Mass per unit of time that crosses, or would cross, an end of the space.
    stop : ndarray, shape (n_unknowns,)
        The part of `leak` that reflecting ends stop: what shows that the space is too small.
    gain : ndarray, shape (n_unknowns,)
        Mass per unit of time that the processes say they make: growth, daughters; less death and what leaves.
    fluxes : tuple
        For a scheme that is not linear, (axis, velocity, diffusion at faces, at centres) of each axis.
    volume : float
        Of a cell.
    stiffness : float
        The largest rate at which a cell empties, in 1/time.
    """

    n_cells: int
    n_unknowns: int
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    source: np.ndarray
    position: np.ndarray
    leak: np.ndarray
    stop: np.ndarray
    gain: np.ndarray
    fluxes: tuple
    volume: float
    stiffness: float

    @cached_property
    def matrix(self):
        """All linear terms with the auxiliary unknowns, shape (n_unknowns, n_unknowns), rows sorted by column."""
        shape = (self.n_unknowns, self.n_unknowns)
        return sparse.csr_array(sparse.coo_array((self.values, (self.rows, self.columns)), shape=shape))

    @cached_property
    def layout(self):
        """The matrix as `acme_lib.augmented.explicit.multiply` takes it."""
        return lay_out(self)

    def matrix_sums(self, rows):
        """Return the sums of the columns over some rows of densities (booleans), shape (n_unknowns,)."""
        chosen = np.append(rows, np.zeros(self.n_unknowns - self.n_cells, dtype=bool))[self.rows]
        return np.bincount(self.columns[chosen], self.values[chosen], minlength=self.n_unknowns)

    def extend(self, p):
        """Return densities, shape (n_cells,), with the auxiliary unknowns that belong to them."""
        unknowns, out = np.zeros(self.n_unknowns), np.zeros(self.n_cells)
        multiply(*self.layout, np.ascontiguousarray(p, dtype=float), unknowns, out, self.source)
        return unknowns

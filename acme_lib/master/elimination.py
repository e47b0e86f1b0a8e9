"""Elimination of the states of a master equation, in a band: see `acme_lib.elimination`.

Weights of wells that hardly exchange and times that are longer than the age of the universe are right to all digits. A
chain whose reactions lead at most `width` places up or down stays within that band.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numba import njit
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

from acme_lib.cost import announce, banded_cost, factor_cost, memory_of_machine
from acme_lib.elimination import eliminate_places, solve_backward, solve_forward, substitute_stationary
from acme_lib.interrupt import in_background
from acme_lib.progress import ProgressBar

_SECONDS_A_CALL = 0.1  # between two looks at the keyboard


@dataclass(frozen=True, eq=False)
class Elimination:
    """A chain on n states, eliminated from the last to the first.

    Attributes
    ----------
    order : ndarray of int64, shape (n,)
        The state, in the numbering of the matrix, at each place.
    band : ndarray, shape (n, 2 width + 1)
        Below the diagonal the rates to place k from those before it; above it their shares of the exits.
    pivots : ndarray, shape (n,)
        Rates of leaving each place for those before it, or the chain.
    """

    order: np.ndarray
    band: np.ndarray
    pivots: np.ndarray

    @property
    def width(self):
        """Places that a reaction leads up or down at most."""
        return self.band.shape[1] // 2

    @property
    def _rates(self):
        return self.band.ravel(), 2 * self.width, self.width, self.width, self.pivots

    def stationary(self):
        """Return the stationary law (no state has exits), shape (n,), in the order of the matrix."""
        p, units = np.empty(len(self.order)), np.zeros(len(self.order), dtype=np.int64)
        substitute_stationary(*self._rates, p, units)
        p = np.ldexp(p, np.maximum(600 * (units - units.max()), -3000))
        return self._back(p / p.sum())

    def solve(self, b):
        """Return y with A y = -b for b of at least 0: the mean time spent in each state, started with weights b."""
        y = b[self.order].astype(float)
        solve_forward(*self._rates, y)
        return self._back(y)

    def solve_transposed(self, c):
        """Return y with Aᵀ y = -c for c of at least 0: the mean of c, summed over time, from each state."""
        y = c[self.order].astype(float)
        solve_backward(*self._rates, y)
        return self._back(y)

    def _back(self, y):
        out = np.empty(len(y))
        out[self.order] = y
        return out


def eliminate(matrix, order, width, exits=None, *, step=None):
    """Eliminate the states of a chain.

    Parameters
    ----------
    matrix : scipy.sparse.csc_array, shape (n, n)
        Rates ``[to, from]``; the diagonal is not read.
    order : ndarray of int, shape (n,)
    width : int
        From `band_order`.
    exits : ndarray, shape (n,), optional
        Rates of leaving the chain. Without them the first place in the order has no pivot, and the chain a stationary
        law.
    step : callable, optional
        Called with the number of states done, now and then.

    Returns
    -------
    Elimination, or None where a part of the chain has no way out
    """
    n = len(order)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    band = np.zeros((n, 2 * width + 1))
    _fill_band(matrix.indptr, matrix.indices, matrix.data, place, width, band)
    pivots, leaving = np.zeros(n), np.zeros(n) if exits is None else exits[order].astype(float)
    per_call = max(1, int(_SECONDS_A_CALL * 1e9 / (width + 8.0) ** 2))
    last = n - 1
    while last >= 0:
        first = max(0, last - per_call + 1)
        stuck = eliminate_places(band.ravel(), 2 * width, width, width, pivots, leaving, first, last)
        if stuck > 0 or (stuck == 0 and exits is not None):
            return None
        if step is not None:
            step(last - first + 1)
        last = first - 1
    return Elimination(order, band, pivots)


def band_order(matrix, states):
    """Return the order of states with the narrowest band, and its width: fast species first, or Cuthill and McKee's."""
    n, n_species = states.shape
    matrix = matrix.tocoo()
    best, narrowest = np.arange(n), int(np.max(np.abs(matrix.row - matrix.col), initial=0))
    if narrowest <= 1:
        return best, narrowest
    spans = states.max(axis=0)
    by_span = tuple(np.argsort(spans, kind="stable"))
    for axes in permutations(range(n_species)) if n_species <= 3 else [by_span]:
        if axes == tuple(range(n_species))[::-1]:  # the first key of `lexsort` runs fastest: this is the order as it is
            continue
        order = np.lexsort([states[:, axis] for axis in axes])
        best, narrowest = _narrower(matrix, order, best, narrowest)
    full = n == int(np.prod(spans + 1, dtype=object))
    if not full or n_species > 2:
        order = csgraph.reverse_cuthill_mckee(matrix.tocsr(), symmetric_mode=False).astype(np.int64)
        best, narrowest = _narrower(matrix, order, best, narrowest)
    return best, narrowest


def _narrower(matrix, order, best, narrowest):
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    width = int(np.max(np.abs(place[matrix.row] - place[matrix.col])))
    return (order, width) if width < narrowest else (best, narrowest)


@njit(cache=True, nogil=True)
def _fill_band(starts, rows, data, place, width, band):
    for s in range(len(place)):
        j = place[s]
        for e in range(starts[s], starts[s + 1]):
            i = place[rows[e]]
            if i != j:
                band[i, j - i + width] += data[e]


class SparseFactors:
    """The same solutions as `Elimination.solve` and `solve_transposed` from a sparse LU, where the band is too wide."""

    def __init__(self, matrix, exits):
        off = matrix - sparse.diags_array(matrix.diagonal(), format="csc")
        inner = sparse.diags_array(np.asarray(off.sum(axis=0)) + exits, format="csc") - off
        self.factors = in_background(
            splu,
            sparse.csc_array(inner),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def solve(self, b):
        """Return y with A y = -b."""
        return self.factors.solve(b)

    def solve_transposed(self, c):
        """Return y with Aᵀ y = -c."""
        return self.factors.solve(c, trans="T")


def factor_chain(matrix, states, exits, progress=None):
    """Return what solves A y = -b and Aᵀ y = -c for a chain with exits: `Elimination` in a band, or `SparseFactors`.

    Parameters
    ----------
    matrix : scipy.sparse.csc_array, shape (n, n)
        Rates ``[to, from]``; the diagonal is not read.
    states : ndarray of int, shape (n, n_species)
    exits : ndarray, shape (n,)
        Rates of leaving the chain; from every state an exit can be reached.
    progress : bool, optional
    """
    n = matrix.shape[0]
    order, width = band_order(matrix, states)
    band, factor = banded_cost(n, width), factor_cost(n, states.shape[1])
    room = (memory_of_machine() or 8e9) / 3
    if n <= 2000 or (band.memory < room and band.seconds < max(1.0, 5 * factor.seconds)):
        announce(band, n)
        with ProgressBar(progress, n, unit="state") as bar:
            return eliminate(matrix, order, width, exits, step=bar.update)
    announce(factor, n)
    return SparseFactors(matrix, exits)

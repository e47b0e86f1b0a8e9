r"""Elimination of states without a subtraction, in a band.

Leaving a state out of a Markov chain and lengthening the jumps across it gives a Markov chain again: with the rates
:math:`q_{ij}` from j to i among the states that are left, and :math:`s_k = \sum_{i} q_{ik}` (exits included),

.. math:: q_{ij} \leftarrow q_{ij} + q_{ik}\,q_{kj} / s_k .

All terms are positive, so that every number is right to a relative error of rounding, however far the rates lie apart
[1]_ [2]_: weights of wells that hardly exchange, times that are longer than the age of the universe. A chain whose
reactions lead at most `width` places up or down stays within that band.

References
----------
.. [1] W. K. Grassmann, M. I. Taksar, D. P. Heyman, Oper. Res. 33, 1107 (1985). doi:10.1287/opre.33.5.1107
.. [2] C. A. O'Cinneide, Numer. Math. 65, 109 (1993). doi:10.1007/BF01385743
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numba import njit
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

from acme_lib.master.cost import announce, banded_cost, factor_cost, memory_of_machine
from acme_lib.master.interrupt import in_background
from acme_lib.progress import ProgressBar

_SECONDS_A_CALL = 0.1  # between two looks at the keyboard
_BIG, _SMALL = 2.0**600, 2.0**-600


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

    def stationary(self):
        """Return the stationary law (no state has exits), shape (n,), in the order of the matrix."""
        p, units = np.empty(len(self.order)), np.zeros(len(self.order), dtype=np.int64)
        _substitute_stationary(self.band, self.pivots, p, units)
        p = np.ldexp(p, np.maximum(600 * (units - units.max()), -3000))
        return self._back(p / p.sum())

    def solve(self, b):
        """Return y with A y = -b for b of at least 0: the mean time spent in each state, started with weights b."""
        y = b[self.order].astype(float)
        _solve_forward(self.band, self.pivots, y)
        return self._back(y)

    def solve_transposed(self, c):
        """Return y with Aᵀ y = -c for c of at least 0: the mean of c, summed over time, from each state."""
        y = c[self.order].astype(float)
        _solve_backward(self.band, self.pivots, y)
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
        stuck = _eliminate(band, pivots, leaving, first, last)
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


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _eliminate(band, pivots, exits, first, last):
    """Eliminate the places `last` … `first`; return the place that has no way out, or -1."""
    width = band.shape[1] // 2
    for k in range(last, first - 1, -1):
        low = max(0, k - width)
        total = exits[k]
        for i in range(low, k):
            total += band[i, k - i + width]
        pivots[k] = total
        if not total > 0.0:
            if k > 0:
                return k
            return 0
        row = band[k, low - k + width : width]
        for i in range(low, k):
            share = band[i, k - i + width] / total
            if share > 0.0:
                band[i, k - i + width] = share
                into = band[i, low - i + width : k - i + width]
                for j in range(len(row)):
                    into[j] += share * row[j]
        share = exits[k] / total
        if share > 0.0:
            for j in range(len(row)):
                exits[low + j] += share * row[j]
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def _substitute_stationary(band, pivots, p, units):
    """Fill `p` from the first place on, in units of 2**600 to the power of `units`."""
    width = band.shape[1] // 2
    n = len(p)
    p[0] = 1.0
    unit = 0
    window_top = 1.0  # the largest of the last `width` values, or above it
    for k in range(1, n):
        low = max(0, k - width)
        total = 0.0
        for j in range(low, k):
            total += band[k, j - k + width] * p[j]
        p[k] = total / pivots[k]
        units[k] = unit
        if k % max(width, 1) == 0 or p[k] > _BIG:
            low = max(0, k - width + 1)
            window_top = 0.0
            for j in range(low, k + 1):
                window_top = max(window_top, p[j])
            factor = 1.0
            if window_top > _BIG:
                factor = _SMALL
                unit += 1
            elif window_top < _SMALL and window_top > 0.0:
                factor = _BIG
                unit -= 1
            if factor != 1.0:
                for j in range(low, k + 1):
                    p[j] *= factor
                    units[j] = unit


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_forward(band, pivots, y):
    width = band.shape[1] // 2
    n = len(y)
    for k in range(n - 1, 0, -1):
        if y[k] != 0.0:
            for i in range(max(0, k - width), k):
                y[i] += band[i, k - i + width] * y[k]
    for k in range(n):
        total = y[k]
        for j in range(max(0, k - width), k):
            total += band[k, j - k + width] * y[j]
        y[k] = total / pivots[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_backward(band, pivots, y):
    width = band.shape[1] // 2
    n = len(y)
    for k in range(n - 1, -1, -1):
        y[k] /= pivots[k]
        if y[k] != 0.0:
            for j in range(max(0, k - width), k):
                y[j] += band[k, j - k + width] * y[k]
    for k in range(n):
        total = y[k]
        for i in range(max(0, k - width), k):
            total += band[i, k - i + width] * y[i]
        y[k] = total


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

"""Solving (z M - h A) u = M p, the one linear system from which implicit steps, stationary laws and modes are made.

M is 1 for densities and 0 for auxiliary unknowns, which are eliminated in the same sweep. Along one continuum axis the
matrix is banded, and LAPACK's banded factorisation is used; otherwise a sparse one.
"""

import ctypes

import numpy as np
from numba.extending import get_cython_function_address
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import splu

from acme_lib.cost import announce, banded_cost, factor_cost
from acme_lib.errors import StateSpaceError
from acme_lib.interrupt import in_background

_MANY = 100_000  # unknowns from which a substitution takes long enough to be interrupted
_LARGEST_BAND = 50_000_000  # entries: 0.4 GB, of which three copies are held, and each is filled in one go
_WIDEST_BAND = 160  # subdiagonals up to which a band beats a sparse factorisation
_DENSE, _LARGEST_DENSE = 0.1, 3000  # share of entries from which it does too, whatever its width: jumps of any size


class Resolvent:
    """Factorises z M - h A for any z and h, of the `Terms` of a system."""

    def __init__(self, terms):
        self.n, self.size = terms.n_cells, terms.n_unknowns
        rows, columns, values = terms.rows, terms.columns, terms.values
        order = np.argsort(terms.position, kind="stable")
        place = np.empty(self.size, dtype=np.int64)
        place[order] = np.arange(self.size)
        i, j = place[rows], place[columns]
        diagonal = np.arange(self.size)
        self.kl = int(np.max(i - j, initial=0))
        self.ku = int(np.max(j - i, initial=0))
        height = 2 * self.kl + self.ku + 1
        dense = self.size <= _LARGEST_DENSE and len(rows) > _DENSE * self.size**2
        narrow = max(self.kl, self.ku) <= _WIDEST_BAND and self.size * height <= _LARGEST_BAND
        self.banded = narrow or dense
        density = rows < self.n
        is_density = (order < self.n).astype(float)
        announce(banded_cost(self.size, max(self.kl, self.ku)) if self.banded else factor_cost(self.size, 2), self.size)
        if self.banded:
            flat = (self.kl + self.ku + i - j) + j * height
            shape = (self.size, height)

            def lay(where, amount):
                return np.bincount(where, amount, minlength=self.size * height).astype(float).reshape(shape).T

            self.moving = lay(flat[density], values[density])
            self.fixed = -lay(flat[~density], values[~density])
            self.fixed[self.kl + self.ku] += 1.0 - is_density
            self.mass = is_density
            self.places, self.place = place, place[: self.n]
            return
        # The unknowns stay in their order: the factorisation finds its own.
        everything = sparse.coo_array(
            (np.ones(len(rows) + self.size), (np.append(rows, diagonal), np.append(columns, diagonal))),
            shape=(self.size, self.size),
        ).tocsc()
        everything.sort_indices()
        self.indptr, self.indices = everything.indptr, everything.indices
        # Where each entry lies in the data of the sorted matrix.
        column_of = np.repeat(diagonal, np.diff(self.indptr))
        keys = column_of.astype(np.int64) * self.size + self.indices
        at = np.searchsorted(keys, columns * self.size + rows)
        at_diagonal = np.searchsorted(keys, diagonal * (self.size + 1))
        count = len(keys)
        self.moving = np.bincount(at[density], values[density], minlength=count).astype(float)
        self.fixed = -np.bincount(at[~density], values[~density], minlength=count).astype(float)
        self.mass = np.zeros(count)
        is_density = np.arange(self.size) < self.n
        self.mass[at_diagonal[is_density]] = 1.0
        self.fixed[at_diagonal[~is_density]] += 1.0

    def factor(self, z, h):
        """Return a function that solves ``(z M - h A) u = M p`` for a vector p of densities.

        It returns the whole u, auxiliary unknowns too, real where `z` is.
        """
        if self.banded:
            return self._factor_band(z, h)
        data = self.fixed - h * self.moving + z * self.mass
        matrix = sparse.csc_array((data, self.indices, self.indptr), shape=(self.size, self.size))
        try:
            factors = in_background(splu, matrix, permc_spec="COLAMD", diag_pivot_thresh=0.1)
        except RuntimeError as error:
            raise _singular(z, h) from error

        def solve(p):
            right = np.zeros(self.size, dtype=data.dtype)
            right[: self.n] = p
            return in_background(factors.solve, right) if self.size > _MANY else factors.solve(right)

        return solve

    def _factor_band(self, z, h):
        band = self.fixed - h * self.moving
        complex_ = isinstance(z, complex)
        if complex_:
            band = band.astype(complex)
        band[self.kl + self.ku] += z * self.mass
        substitute = lapack.zgbtrs if complex_ else lapack.dgbtrs
        band = np.asfortranarray(band)
        pivots, info = in_background(_factorise, band, self.kl, self.ku)
        if info != 0:
            raise _singular(z, h)

        def solve(p):
            right = np.zeros(self.size, dtype=band.dtype)
            right[self.place] = p
            u, _ = substitute(band, self.kl, self.ku, right, pivots, overwrite_b=1)
            return u[self.places]

        return solve


def _factorise(band, kl, ku):
    """Factorise a band in place; return the pivots, counted from 0, and what LAPACK says.

    It is LAPACK's routine itself, reached through ctypes: SciPy's own wrapper holds Python's lock, and no interrupt
    would be heard until it ends.
    """
    name = "zgbtrf" if band.dtype == complex else "dgbtrf"
    routine = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 8)(
        get_cython_function_address("scipy.linalg.cython_lapack", name)
    )
    height, n = band.shape
    pivots, info = np.empty(n, dtype=np.int32), ctypes.c_int32()
    m, lower, upper, rows = (ctypes.c_int32(number) for number in (n, kl, ku, height))
    routine(*map(ctypes.addressof, (m, m, lower, upper)), band.ctypes.data, ctypes.addressof(rows), pivots.ctypes.data,
            ctypes.addressof(info))  # fmt: skip
    pivots -= 1
    return pivots, info.value


def _singular(z, h):
    return StateSpaceError(
        f"the matrix z - h A is singular (z={z:g}, h={h:g}): a cell that nothing enters and nothing leaves, or a rate "
        "that is not finite"
    )

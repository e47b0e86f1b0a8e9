r"""Elimination of the states of a chain, in which nothing is subtracted; compiled, for all rooms.

Leaving a state out of a Markov chain and lengthening the jumps across it gives a Markov chain again: with the rates
:math:`q_{ij}` from j to i among the states that are left, and :math:`s_k = \sum_{i} q_{ik}` (exits included),

.. math:: q_{ij} \leftarrow q_{ij} + q_{ik}\,q_{kj} / s_k .

All terms are positive, so that every number is right to a relative error of rounding, however far the rates lie apart
[1]_ [2]_.

The rates stand in one flat array: that from j to i is ``flat[offset + i*stride + j]``. For a full matrix ``stride`` is
its length and ``offset`` 0. In a band, reactions lead at most `width` places up or down; a row then needs 2 width + 1
entries, its diagonal in their middle, so that ``stride`` is ``2*width`` and ``offset`` is ``width``.

References
----------
.. [1] W. K. Grassmann, M. I. Taksar, D. P. Heyman, Oper. Res. 33, 1107 (1985). doi:10.1287/opre.33.5.1107
.. [2] C. A. O'Cinneide, Numer. Math. 65, 109 (1993). doi:10.1007/BF01385743
"""

from numba import njit

_BIG, _SMALL = 2.0**600, 2.0**-600


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def eliminate_places(flat, stride, offset, width, pivots, exits, first, last):
    """Eliminate the places `last` … `first` of a chain; return the place that has no way out, or -1.

    In place of the rates there are then, below the diagonal, those to a place from the places before it, and above it
    the shares in which a place is left for those before it. `pivots` take the rates of leaving a place, and `exits`
    those of leaving the chain, by the places eliminated too.
    """
    for k in range(last, first - 1, -1):
        low = max(0, k - width)
        total = exits[k]
        for i in range(low, k):
            total += flat[offset + i * stride + k]
        pivots[k] = total
        if not total > 0.0:
            return k
        at = offset + k * stride
        row = flat[at + low : at + k]
        for i in range(low, k):
            share = flat[offset + i * stride + k] / total
            if share > 0.0:
                flat[offset + i * stride + k] = share
                into = flat[offset + i * stride + low : offset + i * stride + k]
                for j in range(len(row)):
                    into[j] += share * row[j]
        share = exits[k] / total
        if share > 0.0:
            for j in range(len(row)):
                exits[low + j] += share * row[j]
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def substitute_stationary(flat, stride, offset, width, pivots, p, units):
    """Fill `p` with the stationary law from the first place on, in units of 2**600 to the power of `units`."""
    n = len(p)
    p[0] = 1.0
    units[0] = 0
    unit = 0
    window_top = 1.0  # the largest of the last `width` values, or above it
    for k in range(1, n):
        low = max(0, k - width)
        total = 0.0
        for j in range(low, k):
            total += flat[offset + k * stride + j] * p[j]
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
def solve_forward(flat, stride, offset, width, pivots, y):
    """Turn b of at least 0 into y with A y = -b: the mean time spent in each place, started with weights b."""
    n = len(y)
    for k in range(n - 1, 0, -1):
        if y[k] != 0.0:
            for i in range(max(0, k - width), k):
                y[i] += flat[offset + i * stride + k] * y[k]
    for k in range(n):
        total = y[k]
        for j in range(max(0, k - width), k):
            total += flat[offset + k * stride + j] * y[j]
        y[k] = total / pivots[k]


@njit(cache=True, nogil=True, error_model="numpy")
def solve_backward(flat, stride, offset, width, pivots, y):
    """Turn c of at least 0 into y with Aᵀ y = -c: the mean of c, summed over time, from each place."""
    n = len(y)
    for k in range(n - 1, -1, -1):
        y[k] /= pivots[k]
        if y[k] != 0.0:
            for j in range(max(0, k - width), k):
                y[j] += flat[offset + k * stride + j] * y[k]
    for k in range(n):
        total = y[k]
        for i in range(max(0, k - width), k):
            total += flat[offset + i * stride + k] * y[i]
        y[k] = total

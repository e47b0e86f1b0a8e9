r"""Uniformisation on the part of the states where the law is.

With a rate :math:`\Lambda` above every rate of leaving an active state and :math:`P = I + A/\Lambda`,

.. math:: p(t) = \sum_k e^{-\Lambda t} \frac{(\Lambda t)^k}{k!} P^k p_0 .

No entry of P is negative: nothing cancels. The states are cut into blocks; a product runs over the blocks that hold
probability and those beside them, blocks with next to none are dropped and what was in them is counted. The rate is
that of the active blocks: a block with a larger one is a wall, and if more than a share of the tolerance runs into
walls, the stretch of time is done again with a larger rate [1]_. On a box most matrices have few diagonals, and a
product is a stencil: long sums of products of neighbours in memory.

References
----------
.. [1] F. Didier, T. A. Henzinger, M. Mateescu, V. Wolf, IEEE HIBI 2009, 118. doi:10.1109/HiBi.2009.23
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import sparse

_BLOCK = 128  # states, about
_CHUNK = 4e7  # multiplications between two looks at the keyboard
_FIRST_MEAN, _MOST_MEAN = 64.0, 4000.0  # jumps of a stretch of time while the rate adapts
_GROWTH = 1.1  # of the rate, over that of the blocks that are active now

FINISHED, WALL = range(2)


@dataclass(frozen=True, eq=False)
class Operator:
    """A generator, laid out for products with vectors.

    Attributes
    ----------
    exits, outflow : ndarray, shape (n,)
        Rates of leaving each state, and of leaving the space.
    offsets, diagonals : ndarray, shape (d,) and (d, n)
        Rates ``diagonals[d, from]`` to the state `offsets[d]` places on; empty if there are too many diagonals.
    constants : ndarray, shape (d, n_blocks)
        The rate of a diagonal into a block where it is the same for all its states, else NaN: what need not be read
        from memory need not be waited for.
    starts, columns, rates : ndarray
        Else the rates by row (CSR).
    block : int
    block_exits : ndarray, shape (n_blocks,)
    block_flows_out : ndarray of bool, shape (n_blocks,)
    beside_start, beside : ndarray
        The blocks that each block's probability flows to.
    """

    exits: np.ndarray
    outflow: np.ndarray
    offsets: np.ndarray
    diagonals: np.ndarray
    constants: np.ndarray
    starts: np.ndarray
    columns: np.ndarray
    rates: np.ndarray
    block: int
    block_exits: np.ndarray
    block_flows_out: np.ndarray
    beside_start: np.ndarray
    beside: np.ndarray

    @property
    def entries(self):
        """Multiplications of one product."""
        return len(self.exits) + max(self.diagonals.size, len(self.rates))

    @classmethod
    def of(cls, matrix, outflow, shape):
        """Lay out a matrix (CSC) on states within a box of `shape`."""
        n = matrix.shape[0]
        exits = -matrix.diagonal()
        entries = matrix.tocoo()
        apart = (entries.row != entries.col) & (entries.data != 0)
        rows, columns, rates = entries.row[apart].astype(np.int64), entries.col[apart], entries.data[apart]
        shift = rows - columns
        offsets = np.flatnonzero(np.bincount(shift + n - 1, minlength=2 * n - 1)) - (n - 1)
        diagonals, by_row = np.zeros((len(offsets), n)), sparse.csr_array((n, n))
        if len(offsets) * n <= 2 * len(rates) + n:
            number = np.zeros(2 * n - 1, dtype=np.int64)
            number[offsets + n - 1] = np.arange(len(offsets))
            diagonals[number[shift + n - 1], columns] = rates
        else:
            offsets, diagonals = offsets[:0], diagonals[:0]
            by_row = sparse.csr_array((rates, (rows, columns)), shape=(n, n))
        block = _block_length(n, shape[-1])
        n_blocks = -(-n // block)
        links = sparse.csr_array((np.ones(len(rows)), (columns // block, rows // block)), shape=(n_blocks, n_blocks))
        edges = np.arange(0, n, block)
        return cls(
            exits,
            np.asarray(outflow),
            offsets,
            diagonals,
            _constants(diagonals, offsets, block, n_blocks),
            by_row.indptr.astype(np.int64),
            by_row.indices.astype(np.int64),
            by_row.data.astype(float),
            block,
            np.maximum.reduceat(exits, edges),
            np.maximum.reduceat(np.asarray(outflow), edges) > 0,
            links.indptr.astype(np.int64),
            links.indices.astype(np.int64),
        )

    def arrays(self):
        """All arrays that the kernel reads."""
        return (
            self.exits,
            self.outflow,
            self.offsets,
            self.diagonals,
            self.constants,
            self.starts,
            self.columns,
            self.rates,
            self.block_flows_out,
            self.beside_start,
            self.beside,
        )


@njit(cache=True, nogil=True)
def _constants(diagonals, offsets, block, n_blocks):
    n = diagonals.shape[1]
    out = np.full((len(offsets), n_blocks), np.nan)
    for d in range(len(offsets)):
        for b in range(n_blocks):
            bottom = max(b * block, offsets[d]) - offsets[d]
            top = min(min(n, (b + 1) * block), n + offsets[d]) - offsets[d]
            same = True
            for i in range(bottom + 1, top):
                same = same and diagonals[d, i] == diagonals[d, bottom]
            if same:
                out[d, b] = diagonals[d, bottom] if top > bottom else 0.0
    return out


@dataclass(frozen=True)
class Propagation:
    """What `propagate` found: the vector, the integral of ``outflow · p``, what was cut, products, active states."""

    p: np.ndarray
    exited: float
    cut: float
    steps: int
    active: int


def _block_length(n, last):
    if last >= _BLOCK:
        return -(-last // max(1, round(last / _BLOCK)))
    return min(n, last * max(1, _BLOCK // last))


def propagate(operator, p, duration, tolerance, step=None):
    """Carry a probability vector through a time.

    Parameters
    ----------
    operator : Operator
    p : ndarray, shape (n,)
    duration : float
    tolerance : float
        Probability that may be cut, by truncated sums, dropped blocks and walls together.
    step : callable, optional
        Called with the products done, now and then.

    Returns
    -------
    Propagation
    """
    p = np.array(p, dtype=float)
    exited, cut, steps, most = 0.0, 0.0, 0, 0
    if duration == 0.0:
        return Propagation(p, exited, cut, steps, np.count_nonzero(p))
    largest = float(operator.exits.max()) * (1 + 1e-12)
    if largest == 0.0:  # nothing happens, but reactions may be stopped
        return Propagation(p, float(operator.outflow @ p) * duration, 0.0, 0, np.count_nonzero(p))
    n_blocks = len(operator.block_exits)
    edges = np.arange(0, len(p), operator.block)
    # Each product may drop this in each block; a quarter of the tolerance in the worst of cases.
    theta = 0.25 * tolerance / ((2.0 * largest * duration + 400.0) * n_blocks)
    done, mean, raised = 0.0, _FIRST_MEAN, 1.0
    while done < duration:
        held = np.flatnonzero(np.add.reduceat(p, edges) > 0)
        here = float(operator.block_exits[held].max()) if len(held) else 0.0
        rate = min(largest, max(_GROWTH * raised * here, 1e-3 * largest))
        left = duration - done
        span = left if rate * left <= mean or rate > 0.9 * largest else mean / rate
        if span == left and rate > 0.9 * largest:
            rate = largest
        share = tolerance * min(1.0, span / duration)
        weights, first, tail = poisson_weights(rate * span, share / 8)
        result = _stretch(operator, p, rate, weights, first, theta, share / 4, step)
        steps += result.steps
        if result.status == WALL:
            raised *= 1.5
            mean = max(_FIRST_MEAN, mean / 2)
            continue
        p, done, raised, mean = result.p, (duration if span == left else done + span), 1.0, min(_MOST_MEAN, 2 * mean)
        exited += result.exited
        cut += 2 * tail + result.lost  # the tail of p, and of the sum that gives `exited`
        most = max(most, result.active)
    return Propagation(p, exited, cut, steps, most)


@dataclass(frozen=True)
class _Stretch:
    status: int
    p: np.ndarray
    exited: float
    lost: float
    steps: int
    active: int


def _stretch(operator, p, rate, weights, first, theta, wall_limit, step):
    # The mean time spent after exactly k jumps is the probability of more than k, over the rate.
    more = np.cumsum(weights[::-1])[::-1]
    upper = np.concatenate([np.full(first, more[0]), more[1:], [0.0]])
    v, new, out = p.copy(), np.zeros(len(p)), np.zeros(len(p))
    n_blocks = len(operator.block_exits)
    active = np.zeros(n_blocks, dtype=np.bool_)
    active[:] = np.add.reduceat(p, np.arange(0, len(p), operator.block)) > 0
    allowed = operator.block_exits <= rate * (1.0 - 1e-13)  # what stays in a state is never negative
    n_steps = first + len(weights) - 1
    per_call = max(1, int(_CHUNK / operator.entries))
    exited = lost = at_walls = 0.0
    most, k = 0, 0
    while True:  # even without a jump, what was there at the start is summed
        stop = min(n_steps, k + per_call)
        status, left, dropped, wall, n_active = _uniformise(
            v, new, out, active, allowed, rate, weights, first, upper, k, stop, theta, wall_limit - at_walls,
            operator.block, operator.arrays(),
        )  # fmt: skip
        exited, lost, at_walls, most = exited + left, lost + dropped + wall, at_walls + wall, max(most, n_active)
        if step is not None:
            step(stop - k)
        if status == WALL:
            return _Stretch(WALL, p, 0.0, 0.0, stop, most)
        if (stop - k) % 2:
            v, new = new, v
        k = stop
        if k >= n_steps:
            return _Stretch(FINISHED, out, exited / rate, lost, n_steps, most)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _uniformise(
    v, new, out, active, allowed, rate, weights, first, upper, start, stop, theta, wall_limit, block, operator
):
    """Do the products `start` + 1 … `stop`; the vector changes place with each.

    Returns (status, sum of ``upper · outflow · v``, dropped, lost at walls, most active states).
    """
    exits, outflow, offsets, diagonals, constants, starts, columns, rates, flows_out, beside_start, beside = operator
    n = len(v)
    n_blocks = len(active)
    scale = 1.0 / rate
    current = np.empty(n_blocks, dtype=np.int64)
    candidates = np.empty(n_blocks, dtype=np.int64)
    marked = np.full(n_blocks, -1, dtype=np.int64)
    n_current = 0
    for b in range(n_blocks):
        if active[b]:
            current[n_current] = b
            n_current += 1
    exited = 0.0
    dropped = 0.0
    wall = 0.0
    most = n_current * block
    if start == 0:
        for c in range(n_current):
            low = current[c] * block
            high = min(n, low + block)
            if first == 0:
                for i in range(low, high):
                    out[i] += weights[0] * v[i]
            for i in range(low, high):
                exited += upper[0] * outflow[i] * v[i]
    for k in range(start + 1, stop + 1):
        n_candidates = 0
        for c in range(n_current):
            b = current[c]
            if marked[b] != k:
                marked[b] = k
                candidates[n_candidates] = b
                n_candidates += 1
            for e in range(beside_start[b], beside_start[b + 1]):
                if marked[beside[e]] != k:
                    marked[beside[e]] = k
                    candidates[n_candidates] = beside[e]
                    n_candidates += 1
        w = weights[k - first] if k >= first else 0.0
        for c in range(n_candidates):
            b = candidates[c]
            low = b * block
            high = min(n, low + block)
            part = new[low:high]  # slices: an index that starts at 0 needs no check, and the loops become vectors
            here = v[low:high]
            leave = exits[low:high]
            for i in range(len(part)):
                part[i] = 0.0
            if len(offsets) > 0:
                for d in range(len(offsets)):
                    o = offsets[d]
                    bottom = max(low, o)
                    top = min(high, n + o)
                    if top > bottom:
                        into = new[bottom:top]
                        source = v[bottom - o : top - o]
                        constant = constants[d, b]
                        if constant == 0.0:
                            continue
                        if np.isnan(constant):
                            rate_of = diagonals[d, bottom - o : top - o]
                            for i in range(len(into)):
                                into[i] += rate_of[i] * source[i]
                        else:
                            for i in range(len(into)):
                                into[i] += constant * source[i]
            else:
                for i in range(low, high):
                    total = 0.0
                    for e in range(starts[i], starts[i + 1]):
                        total += rates[e] * v[columns[e]]
                    new[i] = total
            total = 0.0
            for i in range(len(part)):
                value = here[i] * (1.0 - scale * leave[i]) + scale * part[i]
                part[i] = value
                total += value
            if allowed[b] and total >= theta:
                active[b] = True
                if w > 0.0:
                    into = out[low:high]
                    for i in range(len(part)):
                        into[i] += w * part[i]
                if flows_out[b]:
                    left = 0.0
                    out_of = outflow[low:high]
                    for i in range(len(part)):
                        left += out_of[i] * part[i]
                    exited += upper[k] * left
            else:
                if allowed[b]:
                    dropped += total
                else:
                    wall += total
                active[b] = False
                for i in range(len(part)):
                    part[i] = 0.0
        for c in range(n_current):  # what was left behind must not come back two products later
            if not active[current[c]]:
                low = current[c] * block
                for i in range(low, min(n, low + block)):
                    v[i] = 0.0
        n_current = 0
        for c in range(n_candidates):
            if active[candidates[c]]:
                current[n_current] = candidates[c]
                n_current += 1
        most = max(most, n_current * block)
        if wall > wall_limit:
            return WALL, exited, dropped, wall, most
        v, new = new, v
    return FINISHED, exited, dropped, wall, most


def poisson_weights(mean, tail):
    """Return Poisson weights without their tails, the count of the first, and the mass cut off (at most `tail`).

    From the mode outwards by ratios, then normalised, as Fox and Glynn do (doi:10.1145/42404.42409): stable for any
    mean.
    """
    mode = int(mean)
    # Bernstein's bound: beyond this width lies less than a billionth of `tail`, so that the sum is the whole.
    log_tail = np.log(2.0 / tail) + 20.0
    width = int(log_tail / 3 + np.sqrt(log_tail**2 / 9 + 2 * log_tail * mean)) + 1
    lowest = max(0, mode - width)
    above = np.cumprod(mean / np.arange(mode + 1, mode + width + 1))
    below = np.cumprod(np.arange(mode, lowest, -1) / mean)[::-1] if mode else np.zeros(0)
    weights = np.concatenate([below, [1.0], above])
    weights /= weights.sum()
    low, high = np.cumsum(weights), np.cumsum(weights[::-1])
    n_low, n_high = np.searchsorted(low, tail / 2, side="right"), np.searchsorted(high, tail / 2, side="right")
    cut = (low[n_low - 1] if n_low else 0.0) + (high[n_high - 1] if n_high else 0.0)
    return weights[n_low : len(weights) - n_high], lowest + int(n_low), float(cut)

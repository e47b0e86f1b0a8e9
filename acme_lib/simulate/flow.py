"""Deterministic flows with a cumulative hazard, from one event to the next.

The state and its hazard are integrated by the error-controlled pair of Dormand and Prince [1]_; the next event is where
the hazard has grown by an exponential number, found on the dense output. Nothing here knows what the events do.

References
----------
.. [1] J. R. Dormand, P. J. Prince, J. Comput. Appl. Math. 6, 19 (1980). doi:10.1016/0771-050X(80)90013-3
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.integrate import RK45

from acme_lib.network.rates import mass_action, propensity, run_program, special_propensity
from acme_lib.random_stream import next_exponential, next_uniform

# How an advance ended.
REACHED, EVENT, CONDITION, BAD, HALTED = range(5)

_A, _B, _C, _E, _P = (np.ascontiguousarray(getattr(RK45, name), dtype=float) for name in "ABCEP")
_FLOOR = 1e-3  # amounts below it are followed with an absolute error, of this times the tolerance
_CHECK_EVERY = 1024  # steps between two looks at the stop flag
WORK_ROWS = 9  # of the work space of `advance`: seven stages, a trial state, a probe


class Flow(NamedTuple):
    """A flow and its jumps, as kernels read them.

    Attributes
    ----------
    drift, jumps : ndarray of int64
        Reactions that move the state, and those that happen in jumps.
    codes : ndarray of int64
    operands : ndarray
        The program of the condition that ends a path; empty without one.
    tolerance : float
        Relative, of each step.
    is_still : bool
        Whether nothing changes between jumps, so that nothing is to be integrated.
    """

    drift: np.ndarray
    jumps: np.ndarray
    codes: np.ndarray
    operands: np.ndarray
    tolerance: float
    is_still: bool


@njit(cache=True, nogil=True, error_model="numpy")
def holds(flow, x, parameters, now, stack):
    """Whether the condition holds; an empty program never does."""
    n = flow.codes.shape[0]
    return n > 0 and run_program(flow.codes, flow.operands, 0, n, x, parameters, now, stack) != 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def advance(x, now, until, step, rates, flow, work, stack, stream, stop):
    """Follow the flow from `now` to the next event, or to `until`, or to where the condition begins to hold.

    Returns how it ended, the time, the next step, the event (for a bad rate: the reaction, and its value as the time)
    and the stream; `x` is the state there. It halts soon after ``stop[0]`` becomes 1. Tomorrow's hazard does not depend
    on yesterday's: each call may draw anew.
    """
    jumps, tolerance = flow.jumps, flow.tolerance
    n = x.shape[0] - 1
    new, probe = work[7], work[8]
    left, stream = next_exponential(stream)
    bad, value = velocities(x, now, rates, flow, stack, work[0])
    if bad >= 0:
        return BAD, value, step, bad, stream
    if flow.is_still:
        waiting = left / work[0, n] if work[0, n] > 0.0 else np.inf
        if waiting >= until - now:
            return REACHED, until, step, 0, stream
        chosen, stream = _choose(x, now, rates, jumps, work[0, n], stack, stream)
        return EVENT, now + waiting, step, chosen, stream
    tried = 0
    while True:
        tried += 1
        if tried % _CHECK_EVERY == 0 and stop[0] != 0:
            return HALTED, now, step, 0, stream
        last = step >= until - now
        h = until - now if last else step
        for s in range(1, 7):
            for i in range(n):
                total = 0.0
                for q in range(s):
                    total += (_A[s, q] if s < 6 else _B[q]) * work[q, i]
                new[i] = x[i] + h * total
            new[n] = 1.0
            bad, value = velocities(new, now + (_C[s] if s < 6 else 1.0) * h, rates, flow, stack, work[s])
            if bad >= 0:
                break
        if bad >= 0:  # a trial state outside of what the rates allow, unless the step is as short as can be
            if h <= 1e-12 * max(1.0, abs(now)):
                return BAD, value, step, bad, stream
            step = 0.1 * h
            continue
        grown = 0.0
        for q in range(6):
            grown += h * _B[q] * work[q, n]
        error = 0.0
        for i in range(n + 1):
            part = 0.0
            for q in range(7):
                part += _E[q] * work[q, i]
            scale = 1.0 + grown if i == n else max(abs(x[i]), abs(new[i])) + _FLOOR
            error = max(error, abs(h * part) / (tolerance * scale))
        if error > 1.0 and h > 1e-13 * max(1.0, abs(now)):
            step = h * max(0.2, 0.9 * error**-0.2)
            continue
        if not last or error > 1e-4:
            step = h * (5.0 if error < 1e-4 else min(5.0, 0.9 * error**-0.2))
        end, what = 1.0, REACHED
        if grown >= left:
            end, what = _hazard_root(work, h, left), EVENT
            _dense(x, work, h, end, new)
        if holds(flow, new, rates.parameters, now + end * h, stack):
            a, b = 0.0, end
            for _ in range(60):
                middle = 0.5 * (a + b)
                _dense(x, work, h, middle, probe)
                if holds(flow, probe, rates.parameters, now + middle * h, stack):
                    b = middle
                else:
                    a = middle
            end, what = b, CONDITION
            _dense(x, work, h, end, new)
        x[:n] = new[:n]
        now = until if last and what == REACHED else now + end * h
        if what == REACHED and now < until:
            left -= grown
            work[0] = work[6]
            continue
        if what != EVENT:
            return what, now, step, 0, stream
        total = 0.0
        for i in range(jumps.shape[0]):
            total += propensity(jumps[i], x, now, rates, stack)
        chosen, stream = _choose(x, now, rates, jumps, total, stack, stream)
        return EVENT, now, step, chosen, stream


@njit(cache=True, nogil=True, error_model="numpy")
def _choose(x, now, rates, jumps, total, stack, stream):
    """Return the jump that happens, each in proportion to its rate."""
    u, stream = next_uniform(stream)
    target = u * total
    chosen = jumps[0]
    for i in range(jumps.shape[0]):
        a = propensity(jumps[i], x, now, rates, stack)
        if a > 0.0:
            chosen = jumps[i]
            if target < a:
                break
            target -= a
    return chosen, stream


@njit(cache=True, nogil=True, error_model="numpy")
def velocities(x, now, rates, flow, stack, out):
    """Fill `out` with the velocity of each species and, last, the total rate of jumps.

    Returns a reaction with a bad rate, or -1, and that rate.
    """
    drift, jumps, special = flow.drift, flow.jumps, rates.special
    change_start, change_species, change_count = rates.change_start, rates.change_species, rates.change_count
    n = out.shape[0] - 1
    out[:] = 0.0
    for d in range(drift.shape[0]):
        j = drift[d]
        a = special_propensity(j, x, now, rates, stack) if special[j] else mass_action(j, x, rates)
        if not abs(a) < np.inf:
            return j, a
        for i in range(change_start[j], change_start[j + 1]):
            out[change_species[i]] += change_count[i] * a
    for d in range(jumps.shape[0]):
        j = jumps[d]
        a = special_propensity(j, x, now, rates, stack) if special[j] else mass_action(j, x, rates)
        if not (a >= 0.0 and a < np.inf):
            return j, a
        out[n] += a
    return -1, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _dense(x, work, h, s, out):
    """Fill `out` with the state at the part `s` of the step h."""
    for i in range(x.shape[0] - 1):
        total = 0.0
        for q in range(7):
            total += s * (_P[q, 0] + s * (_P[q, 1] + s * (_P[q, 2] + s * _P[q, 3]))) * work[q, i]
        out[i] = x[i] + h * total
    out[x.shape[0] - 1] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _hazard_root(work, h, target):
    """Return the part of the step at which the hazard has grown by `target`."""
    n = work.shape[1] - 1
    c0 = c1 = c2 = c3 = 0.0
    for q in range(7):
        c0 += _P[q, 0] * work[q, n]
        c1 += _P[q, 1] * work[q, n]
        c2 += _P[q, 2] * work[q, n]
        c3 += _P[q, 3] * work[q, n]
    low, high, s = 0.0, 1.0, 0.5
    for _ in range(100):  # Newton's steps, and halves where they lead outside
        value = h * s * (c0 + s * (c1 + s * (c2 + s * c3))) - target
        if value > 0.0:
            high = s
        else:
            low = s
        slope = h * (c0 + s * (2.0 * c1 + s * (3.0 * c2 + s * 4.0 * c3)))
        s_new = s - value / slope if slope > 0.0 else -1.0
        if not low < s_new < high:
            s_new = 0.5 * (low + high)
        if abs(s_new - s) < 1e-14:
            return s_new
        s = s_new
    return s

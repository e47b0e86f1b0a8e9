"""Rigorous bounds of a rate over an interval of time, by interval arithmetic on its program.

The state and the parameters are fixed and the time t runs through [t0, t1]; each value of the postfix program becomes
an interval that holds all its values [1]_. The bounds close in on the value as t1 → t0 wherever the rate is continuous.
A value that may be undefined (a logarithm of a negative number), and that of a Python function of the time, is the
interval (-∞, ∞): whoever needs a finite bound
shortens the interval of time.

References
----------
.. [1] R. E. Moore, R. B. Kearfott & M. J. Cloud, Introduction to Interval Analysis (SIAM, 2009).
   doi:10.1137/1.9780898717716
"""

import numpy as np
from numba import njit

from acme_lib.network import expression as ex
from acme_lib.network.functions import FIRST_ADDRESS, call_function
from acme_lib.network.rates import apply_function, apply_operator

# Sums and products round monotonically, so that their ends bound what is computed inside; functions of the mathematical
# library are off by a unit in the last place or so, and their results are widened by this much, relatively.
_WIDEN = 1e-15
_HALF_PI = 0.5 * np.pi
_TURN = 2.0 * np.pi


@njit(cache=True, nogil=True, error_model="numpy")
def bound_program(codes, operands, start, stop, x, parameters, t0, t1, low, high):
    """Return bounds of a program over the times t0 … t1.

    Parameters
    ----------
    codes, operands, start, stop, x, parameters
        As for `acme_lib.network.rates.run_program`.
    t0, t1 : float
    low, high : ndarray, shape (MAX_STACK,)
        Scratch space.

    Returns
    -------
    low, high : float
        Infinite where no finite bound is found.
    """
    top = -1
    for i in range(start, stop):
        code = codes[i]
        if code <= ex.TIME:
            top += 1
            if code == ex.TIME:
                low[top] = t0
                high[top] = t1
            else:
                if code == ex.CONSTANT:
                    low[top] = operands[i]
                elif code == ex.SPECIES:
                    low[top] = x[int(operands[i])]
                else:
                    low[top] = parameters[int(operands[i])]
                high[top] = low[top]
        elif code == ex.NEGATE:
            low[top], high[top] = -high[top], -low[top]
        elif code == ex.NOT:
            may_fail, may_hold = low[top] <= 0.0 <= high[top], not (low[top] == 0.0 and high[top] == 0.0)
            low[top], high[top] = _truth(may_hold, may_fail)
        elif code >= FIRST_ADDRESS:
            count = int(operands[i])
            top -= count - 1
            fixed = True
            for k in range(top, top + count):
                fixed = fixed and low[k] == high[k]
            low[top] = call_function(code, low, top) if fixed else np.nan  # nothing is known between two times
            high[top] = low[top]
        elif code >= ex.EXP:
            if low[top] == high[top]:
                low[top] = apply_function(code, low[top])
                high[top] = low[top]
            else:
                low[top], high[top] = _bound_function(code, low[top], high[top])
        elif code == ex.SELECT:
            top -= 2
            if low[top] == 0.0 and high[top] == 0.0:
                low[top], high[top] = low[top + 2], high[top + 2]
            elif low[top] > 0.0 or high[top] < 0.0:
                low[top], high[top] = low[top + 1], high[top + 1]
            else:
                low[top] = min(low[top + 1], low[top + 2])
                high[top] = max(high[top + 1], high[top + 2])
        else:
            top -= 1
            if low[top] == high[top] and low[top + 1] == high[top + 1]:
                low[top] = apply_operator(code, low[top], low[top + 1])
                high[top] = low[top]
            else:
                low[top], high[top] = _bound_operator(code, low[top], high[top], low[top + 1], high[top + 1])
        if np.isnan(low[top]) or np.isnan(high[top]):
            low[top], high[top] = -np.inf, np.inf
    return low[0], high[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _truth(may_fail, may_hold):
    """Return the interval of a truth value."""
    return (0.0 if may_fail else 1.0), (1.0 if may_hold else 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _bound_operator(code, a0, a1, b0, b1):
    if code == ex.ADD:
        return a0 + b0, a1 + b1
    if code == ex.SUBTRACT:
        return a0 - b1, a1 - b0
    if code == ex.MULTIPLY:
        return _hull(a0 * b0, a0 * b1, a1 * b0, a1 * b1)
    if code == ex.DIVIDE:
        if b0 <= 0.0 <= b1:
            return -np.inf, np.inf
        return _hull(a0 / b0, a0 / b1, a1 / b0, a1 / b1)
    if code == ex.POWER:
        return _bound_power(a0, a1, b0, b1)
    if code == ex.MINIMUM:
        return min(a0, b0), min(a1, b1)
    if code == ex.MAXIMUM:
        return max(a0, b0), max(a1, b1)
    if code == ex.LESS:
        return _truth(a1 >= b0, a0 < b1)
    if code == ex.LESS_EQUAL:
        return _truth(a1 > b0, a0 <= b1)
    if code == ex.EQUAL:  # not both are points here
        return _truth(True, a0 <= b1 and b0 <= a1)
    if code == ex.NOT_EQUAL:
        return _truth(a0 <= b1 and b0 <= a1, True)
    a_may_fail, a_may_hold = a0 <= 0.0 <= a1, not (a0 == 0.0 and a1 == 0.0)
    b_may_fail, b_may_hold = b0 <= 0.0 <= b1, not (b0 == 0.0 and b1 == 0.0)
    if code == ex.AND:
        return _truth(a_may_fail or b_may_fail, a_may_hold and b_may_hold)
    if code == ex.OR:
        return _truth(a_may_fail and b_may_fail, a_may_hold or b_may_hold)
    return -np.inf, np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _hull(a, b, c, d):
    total = a + b + c + d
    if np.isnan(total) and (np.isnan(a) or np.isnan(b) or np.isnan(c) or np.isnan(d)):  # 0 · ∞: anything
        return -np.inf, np.inf
    return min(a, b, c, d), max(a, b, c, d)


@njit(cache=True, nogil=True, error_model="numpy")
def _widened(low, high):
    return low - _WIDEN * abs(low), high + _WIDEN * abs(high)


@njit(cache=True, nogil=True, error_model="numpy")
def _bound_power(a0, a1, b0, b1):
    if a0 < 0.0 and not (b0 == b1 and b0 == np.floor(b0)):
        return -np.inf, np.inf  # roots of negative numbers
    if a0 <= 0.0 <= a1 and b0 < 0.0:
        return -np.inf, np.inf
    c00, c01 = apply_operator(ex.POWER, a0, b0), apply_operator(ex.POWER, a0, b1)
    c10, c11 = apply_operator(ex.POWER, a1, b0), apply_operator(ex.POWER, a1, b1)
    low, high = _hull(c00, c01, c10, c11)  # monotone in base and exponent, except for even powers across 0
    if a0 < 0.0 < a1 and b0 > 0.0 and b0 == 2.0 * np.floor(0.5 * b0):
        low = 0.0
    if a0 == 0.0 and b0 == 0.0:  # 0**0 is 1, and 0 to a power close by is 0
        low = 0.0
    return _widened(low, high)


@njit(cache=True, nogil=True, error_model="numpy")
def _bound_function(code, a0, a1):
    if code == ex.FLOOR:
        return np.floor(a0), np.floor(a1)
    if code == ex.CEIL:
        return np.ceil(a0), np.ceil(a1)
    if code == ex.ABS:
        if a0 <= 0.0 <= a1:
            return 0.0 * a0, max(-a0, a1)
        return min(abs(a0), abs(a1)), max(abs(a0), abs(a1))
    if code == ex.SIN:
        return _bound_sine(a0, a1)
    if code == ex.COS:
        # the shift rounds; `_bound_sine` looks for extrema a little beyond the ends
        return _bound_sine(a0 + _HALF_PI, a1 + _HALF_PI)
    if (code == ex.LOG or code == ex.SQRT) and a0 < 0.0:
        return -np.inf, np.inf
    if code == ex.EXP or code == ex.LOG or code == ex.SQRT or code == ex.TANH:  # they increase
        return _widened(apply_function(code, a0), apply_function(code, a1))
    return -np.inf, np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _bound_sine(a0, a1):
    slack = 1e-15 * (1.0 + max(abs(a0), abs(a1)))
    a0 -= slack
    a1 += slack
    if not (a1 - a0 < _TURN) or slack > 0.01:
        return -1.0, 1.0
    low, high = min(np.sin(a0), np.sin(a1)), max(np.sin(a0), np.sin(a1))
    if _HALF_PI + _TURN * np.ceil((a0 - _HALF_PI) / _TURN) <= a1:
        high = 1.0
    if -_HALF_PI + _TURN * np.ceil((a0 + _HALF_PI) / _TURN) <= a1:
        low = -1.0
    return max(-1.0, low - _WIDEN), min(1.0, high + _WIDEN)

"""The steps that the exact methods share: record, choose, fire.

They are put in place as they are compiled (``inline="always"``): called, they would double the time of an event.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def record_before(until, recorded, times, x, counts, row):
    """Write the state `x` into ``counts[row]`` at all times before `until`; returns how many times are recorded."""
    while recorded < times.shape[0] and times[recorded] < until:
        for i in range(counts.shape[2]):
            counts[row, recorded, i] = np.int64(x[i])
        recorded += 1
    return recorded


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def choose_reaction(target, a, cumulative):
    """Return the first reaction whose sum of propensities up to its own, `cumulative`, exceeds `target`."""
    chosen = 0
    for j in range(a.shape[0] - 1):  # counting has no branch to mispredict
        chosen += cumulative[j] <= target
    while a[chosen] == 0.0:  # rounding carried the search past the last reaction that can fire
        chosen -= 1
    return chosen


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def fire_reaction(chosen, x, change_start, change_species, change_count):
    """Change the state by one event; returns False, with the species as it was, where a count would be negative."""
    for i in range(change_start[chosen], change_start[chosen + 1]):
        s = change_species[i]
        x[s] += change_count[i]
        if x[s] < 0.0:
            x[s] -= change_count[i]
            return False
    return True

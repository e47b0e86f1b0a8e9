"""The steps that kernels share: start, look at the rates, record, choose, fire.

Most are put in place as they are compiled (``inline="always"``): called, they would double the time of an event.
"""

import numpy as np
from numba import njit

from acme_lib.network.rates import mass_action, special_propensity


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def is_rate(value):
    """Whether a propensity is zero or more, and finite."""
    return value >= 0.0 and value < np.inf


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def must_stop(flag, row, fired, now, end):
    """Note how far a range has come, for `pace.py` to read; returns whether it is to stop."""
    flag[1] = row
    flag[2] = fired
    flag[3] = np.int64(1e9 * (now / end)) if now < end else 1_000_000_000
    return flag[0] != 0


@njit(cache=True, nogil=True, error_model="numpy")
def fill_propensities(a, x, now, table, stack):
    """Fill `a` with the propensities; returns a reaction whose propensity is bad, or -1."""
    special = table.special
    for j in range(a.shape[0]):
        a[j] = special_propensity(j, x, now, table, stack) if special[j] else mass_action(j, x, table)
        if not is_rate(a[j]):
            return j
    return -1


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def add_up(a, cumulative):
    """Fill `cumulative` with the sum of propensities up to each reaction; returns the sum of all."""
    total = 0.0
    for j in range(a.shape[0]):
        total += a[j]
        cumulative[j] = total
    return total


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


@njit(cache=True, nogil=True, error_model="numpy")
def choose_share(target, weights):
    """Return the entry in whose share of the total weight `target` lies, never one without weight; -1 if all are."""
    chosen = -1
    for j in range(weights.shape[0]):
        if weights[j] > 0.0:
            chosen = j
            if target < weights[j]:
                break
            target -= weights[j]
    return chosen


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def fire_reaction(chosen, x, start, species, count):
    """Change the state by one event; returns False, with the species as it was, where a count would be negative.

    The arrays are the changes of a `RateTable`, read before the loop over events; the whole table would cost more.
    """
    for i in range(start[chosen], start[chosen + 1]):
        s = species[i]
        x[s] += count[i]
        if x[s] < 0.0:
            x[s] -= count[i]
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def change_state(j, times, x, table):
    """Change the state by so many `times` reaction `j`, whole or not, without a look at what it leads to."""
    start, species, count = table.change_start, table.change_species, table.change_count
    for i in range(start[j], start[j + 1]):
        x[species[i]] += count[i] * times

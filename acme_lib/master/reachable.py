"""The states that reactions can lead to: a search breadth first."""

import numpy as np
from numba import njit

from acme_lib.errors import StateSpaceError
from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import propensity
from acme_lib.network.status import BAD_PROPENSITY, DONE, FULL, NEGATIVE_COUNT

MAX_KEY = 2**62  # positions in the box around a set of states are 64-bit numbers


def count_limits(network, starts, largest):
    """Return the largest count of each species, and which of them are not bounded by anything that is known."""
    limits = np.full(len(network.species), MAX_KEY, dtype=np.int64)
    for law in network.conservation_laws:
        if (law >= 0).all():
            total = int((starts @ law).max())
            limits[law > 0] = np.minimum(limits[law > 0], total // law[law > 0])
    for name, count in largest.items():
        i = network.species.index(name)
        limits[i] = min(limits[i], count)
    free = limits == MAX_KEY
    bounded = int(np.prod(limits[~free] + 1, dtype=object))
    if bounded > MAX_KEY:
        raise StateSpaceError("the largest counts give a box of more states than 64-bit numbers can count; lower them")
    if free.any():
        limits[free] = int((MAX_KEY // bounded) ** (1 / free.sum())) - 2
    return limits, free


def find_reachable(network, starts, limits, free, max_states):
    """Return the keys of the states reached, unsorted, and the shape that they are positions in."""
    radix = tuple(int(n) + 1 for n in limits)
    table = network.rate_table
    in_time = np.array([reaction.rate.uses_time for reaction in network.reactions])
    strides = np.cumprod([1, *radix[:0:-1]], dtype=np.int64)[::-1]
    found = np.unique(starts @ strides)
    n_done = 0
    while True:
        capacity = min(max(4096, 4 * len(found)), max(max_states, len(found)) + len(network.reactions) + 1)
        keys = np.empty(capacity, dtype=np.int64)
        keys[: len(found)] = found
        with np.errstate(all="ignore"):
            status, n_found, n_done, reaction, value = _explore(
                keys, len(found), n_done, limits, strides, network.stoichiometry, in_time, table
            )
        if status == FULL and n_found <= max_states:
            found = keys[:n_found]
            continue
        if status == DONE and n_found <= max_states:
            return keys[:n_found], radix
        state = np.array(np.unravel_index(keys[n_done], radix)) if status != DONE else None
        if status == BAD_PROPENSITY:
            raise network.propensity_error(reaction, value, state)
        if status == NEGATIVE_COUNT:
            raise network.shortage_error(reaction, state)
        unbounded = [name for name, is_free in zip(network.species, free, strict=True) if is_free]
        fix = (
            f"nothing bounds {', '.join(unbounded)}: give a largest count, as in "
            f"StateSpace.reachable(network, x0, {unbounded[0]}=100)"
            if unbounded
            else "lower the largest counts, or raise max_states"
        )
        raise StateSpaceError(f"more than {max_states} states can be reached; {fix}")


@njit(cache=True, nogil=True, error_model="numpy")
def _explore(keys, n_found, n_done, limits, strides, stoichiometry, in_time, table):
    """Search breadth first until nothing is new or `keys` is full; return (status, found, done, reaction, value)."""
    n_reactions, n_species = stoichiometry.shape
    n_slots = 2 * len(keys) + 1
    slots = np.full(n_slots, -1, dtype=np.int64)  # open addressing: the key itself, at key modulo the slots or behind
    for k in range(n_found):
        at = keys[k] % n_slots
        while slots[at] >= 0:
            at = (at + 1) % n_slots
        slots[at] = keys[k]
    stack = np.empty(MAX_STACK)
    x = np.ones(n_species + 1)
    counts = np.empty(n_species, dtype=np.int64)
    r_start, r_species, r_count = table.reactant_start, table.reactant_species, table.reactant_count
    while n_done < n_found:
        if n_found + n_reactions > len(keys):
            return FULL, n_found, n_done, 0, 0.0
        rest = keys[n_done]
        for i in range(n_species):
            counts[i] = rest // strides[i]
            rest -= counts[i] * strides[i]
            x[i] = counts[i]
        for j in range(n_reactions):
            below = False
            beyond = False
            for i in range(n_species):
                n = counts[i] + stoichiometry[j, i]
                below = below or n < 0
                beyond = beyond or n > limits[i]
            if in_time[j]:
                for e in range(r_start[j], r_start[j + 1]):
                    below = below or counts[r_species[e]] < r_count[e]
                a = 0.0 if below else 1.0
            else:
                a = propensity(j, x, 0.0, table, stack)
            if not (a >= 0.0 and a < np.inf):
                return BAD_PROPENSITY, n_found, n_done, j, a
            if a == 0.0 or beyond:
                continue
            if below:
                return NEGATIVE_COUNT, n_found, n_done, j, a
            key = keys[n_done]
            for i in range(n_species):
                key += stoichiometry[j, i] * strides[i]
            at = key % n_slots
            while slots[at] >= 0 and slots[at] != key:
                at = (at + 1) % n_slots
            if slots[at] < 0:
                slots[at] = key
                keys[n_found] = key
                n_found += 1
        n_done += 1
    return DONE, n_found, n_done, 0, 0.0

"""What two daughters get at a division, drawn: one cell inside a kernel, or many cells at once."""

import numpy as np
from numba import njit

from acme_lib.processes.division import draw_share
from acme_lib.random_stream import next_uniform

_BINOMIAL, _PROPORTIONAL, _EQUAL, _COPIED, _RESET, _EQUAL_COUNTS = range(6)
_CODES = {
    "binomial": _BINOMIAL,
    "proportional": _PROPORTIONAL,
    "equal": _EQUAL,
    "copied": _COPIED,
    "reset": _RESET,
}


def partition_codes(words, kinds):
    """Return what `divide` takes: a code for each species, of the words and kinds that `check_partition` knows."""
    codes = [
        _EQUAL_COUNTS if (word, kinds[name]) == ("equal", "count") else _CODES[word] for name, word in words.items()
    ]
    return np.array(codes, dtype=np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def divide(x, sister, law, partition, stream):
    """Turn `x` into the first daughter and `sister` into the second; return the advanced stream."""
    share, stream = draw_share(law, stream)
    for i in range(partition.shape[0]):
        how = partition[i]
        whole = x[i]
        if how == _BINOMIAL:
            first = 0.0
            for _ in range(np.int64(whole)):
                u, stream = next_uniform(stream)
                if u < share:
                    first += 1.0
            x[i], sister[i] = first, whole - first
        elif how == _PROPORTIONAL:
            x[i], sister[i] = share * whole, (1.0 - share) * whole
        elif how == _EQUAL:
            x[i] = sister[i] = 0.5 * whole
        elif how == _EQUAL_COUNTS:  # a molecule that is left over goes to either
            u, stream = next_uniform(stream)
            x[i] = np.floor(0.5 * whole + (0.5 if u < 0.5 else 0.0))
            sister[i] = whole - x[i]
        elif how == _RESET:
            x[i] = sister[i] = 0.0
        else:
            sister[i] = whole
    return stream


def divide_counts(counts, shares, words, rng):
    """Return the molecules of the first and of the second daughters.

    Parameters
    ----------
    counts : ndarray of int64, shape (cell, species)
    shares : ndarray, shape (cell,)
        Of the first daughters.
    words : sequence of str, length species
    rng : numpy.random.Generator

    Returns
    -------
    first, second : ndarray of int64, shape (cell, species)
    """
    first, second = np.zeros_like(counts), np.zeros_like(counts)
    for i, word in enumerate(words):
        if word == "binomial":
            first[:, i] = rng.binomial(counts[:, i], shares)
        elif word == "equal":
            first[:, i] = counts[:, i] // 2 + (counts[:, i] % 2) * rng.integers(0, 2, len(counts))
        elif word == "copied":
            first[:, i] = second[:, i] = counts[:, i]
        if word in ("binomial", "equal"):
            second[:, i] = counts[:, i] - first[:, i]
    return first, second

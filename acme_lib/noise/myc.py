"""A measured gene: how many transcripts of MYC there are in each of 6,836 human cells."""

import numpy as np

from acme_lib.arrays import freeze

_CELLS = """
411 493 457 488 426 456 433 436 374 327 296 278 261 222 182 173 163 131 120 97 89 80 69 71 37 42 47 28 36 23 17 15 9 7 4
7 4 5 6 6 4 1 1 3 1
"""


def myc_counts():
    """Return the numbers of MYC transcripts in 6,836 untreated human HCT116 cells, as measured.

    The counts are those published with the test data of StochasticGene.jl (NIH NIDDK, MIT licence) [1]_; the half-life
    of the transcript is 0.3562 h there. Mean 8.739, Fano factor 5.904.

    Returns
    -------
    ndarray of int64, shape (6836,)
        Read-only; by rising count, the order of the cells is not known.

    Notes
    -----
    One snapshot, so that it shows no rate in hours without the half-life, and no cause: missed transcripts, cells with
    other numbers of gene copies, and all phases of the cell cycle are mixed in.

    Use when: a law is to be held against a measured gene.

    References
    ----------
    .. [1] StochasticGene.jl, https://github.com/nih-niddk-mbs/StochasticGene.jl

    Examples
    --------
    >>> counts = myc_counts()
    >>> print(len(counts), round(counts.mean(), 3), round(counts.var() / counts.mean(), 2))
    6836 8.739 5.9
    """
    cells = np.array(_CELLS.split(), dtype=np.int64)
    return freeze(np.repeat(np.arange(len(cells)), cells))

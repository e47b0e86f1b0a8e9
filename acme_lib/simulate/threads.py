"""Running a compiled kernel over an ensemble in threads, so that it can be stopped."""

import os
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from itertools import pairwise

import numpy as np

from acme_lib.errors import ParameterError

_CHUNKS_PER_THREAD = 8  # so that threads finish together although trajectories differ in cost


def available_threads():
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_threads(run, size, threads=None):
    """Call ``run(low, high, stop)`` on ranges that cover 0 … size-1 and return the results in order.

    Parameters
    ----------
    run : callable
        A kernel that releases the GIL and returns soon after ``stop[0]`` becomes 1.
    size : int
    threads : int, optional
        Default: all cores that this process may use.

    Returns
    -------
    list
        An interrupt (Ctrl-C) stops all ranges and is raised when they have ended.
    """
    if threads is None:
        threads = available_threads()
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        raise ParameterError(f"threads is a whole number of at least 1; {threads!r} came")
    stop = np.zeros(1, dtype=np.int64)
    n_ranges = min(size, threads * _CHUNKS_PER_THREAD)
    edges = [size * i // n_ranges for i in range(n_ranges + 1)]

    def run_range(low, high):
        with np.errstate(all="ignore"):  # compiled code never warns; in plain Python hash arithmetic wraps around
            return run(low, high, stop)

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(run_range, low, high) for low, high in pairwise(edges)]
        try:
            while wait(futures, timeout=0.1, return_when=FIRST_EXCEPTION).not_done:
                pass
            return [future.result() for future in futures]
        finally:
            stop[0] = 1
            for future in futures:
                future.cancel()

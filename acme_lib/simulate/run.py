"""Running a task: cut into ranges of trajectories, in threads or on a cluster, joined in order.

The ranges do not depend on how many threads or workers there are, and each trajectory has a random stream of its own;
so the result is the same, bit for bit, wherever its ranges were computed.
"""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np

from acme_lib.checks import check_choice, check_whole
from acme_lib.progress import ProgressBar
from acme_lib.simulate.ensemble import Ensemble
from acme_lib.simulate.pace import Pace, check_room, new_flag
from acme_lib.simulate.record import RecordBuilder
from acme_lib.simulate.summary import SummaryBuilder, summarise_part

_MOST_PER_RANGE = 1024
_RANGES = 64  # of a small ensemble: enough for many threads to end together


def available_threads():
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_task(task, *, keep="counts", threads=None, client=None, progress=None):
    """Simulate a task.

    Parameters
    ----------
    task : Task
    keep : {"counts", "summary", "events"}
        All counts, or only their summary over trajectories: then memory does not grow with the ensemble; or every
        event, where the task records them.
    threads : int, optional
        Default: all cores that this process may use.
    client : distributed.Client, optional
        Simulate on a Dask cluster instead.
    progress : bool, optional
        A progress bar; by default one appears when a run takes more than five seconds.

    Returns
    -------
    Ensemble, EnsembleSummary or EventRecord
    """
    check_choice("keep", keep, _COLLECTORS)
    threads = available_threads() if threads is None else check_whole("threads", threads, 1)
    per_range = min(_MOST_PER_RANGE, -(-task.size // _RANGES))
    check_room(task, keep, min(task.size, per_range * (threads + 1)))
    finish = summarise_part if keep == "summary" else _keep_part
    collector = _COLLECTORS[keep](task)
    ranges = ((low, min(low + per_range, task.size)) for low in range(0, task.size, per_range))  # too many for a list
    parts = _on_cluster(task, ranges, finish, client) if client else _in_threads(task, ranges, finish, threads)
    # closed at once where an interrupt comes outside of it, so that no thread runs on
    with closing(parts), ProgressBar(progress, task.size, unit="trajectory") as bar:
        for trajectories, part in parts:
            collector.add(part)
            bar.update(trajectories)
    return collector.result()


def _keep_part(_, part):
    return part


def _in_threads(task, ranges, finish, threads):
    """Yield sizes and finished parts in order; an interrupt stops all ranges and is raised when they have ended."""

    def run(low, high, flag):
        with np.errstate(all="ignore"):  # compiled code never warns; in plain Python hash arithmetic wraps around
            return finish(task, task.run_range(task, low, high, flag))

    pace, ended, waiting = Pace(task), 0, deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for low, high in ranges:
                flag = new_flag()
                waiting.append((pool.submit(run, low, high, flag), low, high - low, flag))
                if len(waiting) > 4 * threads:  # parts that wait for their turn take memory
                    yield waiting[0][2], _result(waiting, pace, ended)
                    ended += waiting.popleft()[2]
            while waiting:
                yield waiting[0][2], _result(waiting, pace, ended)
                ended += waiting.popleft()[2]
        finally:
            for future, _, _, flag in waiting:
                flag[0] = 1
                future.cancel()


def _result(waiting, pace, ended):
    """Return the first part that is waited for, and look at the pace of all meanwhile."""
    future = waiting[0][0]
    while True:
        pace.look(ended, waiting)
        try:
            return future.result(timeout=0.1)  # returns to Python often, so that Ctrl-C is heard on every system
        except TimeoutError:
            if future.done():
                return future.result()


def _on_cluster(task, ranges, finish, client):
    """Yield sizes and finished parts in order; a range whose worker is lost is computed again by another."""
    (shared,) = client.scatter([task], broadcast=True, hash=False)
    ahead = 4 * max(1, sum(client.nthreads().values()))
    waiting = deque()
    try:
        for low, high in ranges:
            waiting.append((client.submit(_run_remote, shared, low, high, finish, pure=False), high - low))
            if len(waiting) > ahead:
                future, size = waiting.popleft()
                yield size, future.result()
        while waiting:
            future, size = waiting.popleft()
            yield size, future.result()
    finally:
        client.cancel([future for future, _ in waiting])


def _run_remote(task, low, high, finish):
    with np.errstate(all="ignore"):
        return finish(task, task.run_range(task, low, high, new_flag()))


class _CountsBuilder:
    """Joins parts into an `Ensemble`."""

    def __init__(self, task):
        self.task = task
        self.counts = None
        self.events = np.empty(task.size, dtype=np.int64)
        self.extra = {}

    def add(self, part):
        if self.counts is None:  # whole numbers, or floats from a method that does not count
            self.counts = np.empty((self.task.size, *part.counts.shape[1:]), dtype=part.counts.dtype)
        self.counts[part.low : part.high] = part.counts
        self.events[part.low : part.high] = part.events
        for name, values in part.extra.items():
            if name not in self.extra:
                self.extra[name] = np.empty((self.task.size, *values.shape[1:]), dtype=values.dtype)
            self.extra[name][part.low : part.high] = values

    def result(self):
        task = self.task
        seed = tuple(int(word) for word in task.key)
        return Ensemble(task.times, self.counts, task.network, self.events, seed, dict(task.parameters), self.extra)


_COLLECTORS = {"counts": _CountsBuilder, "summary": SummaryBuilder, "events": RecordBuilder}

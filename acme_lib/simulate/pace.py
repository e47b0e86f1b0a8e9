"""What a run costs: its memory before it starts, and its time, measured in its first two seconds, whatever the method.

Kernels note how far they have come (`must_stop` of `steps.py`), so that nothing is guessed from the rates: a network
that explodes, a rate that grows and a start that waits for its first event are all seen at their own pace.
"""

import time
import warnings
from typing import NamedTuple

import numpy as np

from acme_lib.cost import check_memory, say_time
from acme_lib.errors import LargeProblemWarning
from acme_lib.progress import COMPILATION, is_quiet

_FIRST, _BETWEEN = 1.0, 1.0  # seconds of the process up to the first look at a run, and from there to the second
_LONG = 600.0  # seconds to come of which nothing is said
_SUMMARY_ROW = 2048 * 8 * 2  # bytes of a histogram, and of what is joined to it


def check_room(task, keep, at_once):
    """Refuse an ensemble that this machine's memory cannot hold, `at_once` trajectories of which are simulated."""
    values = len(task.times) * len(task.network.species)
    what = f"{task.size:,} trajectories of {len(task.times):,} recorded times"
    if keep == "counts":
        check_memory(8 * values * (task.size + at_once), what, 'keep="summary" takes no more for more trajectories')
    elif keep == "summary":
        check_memory(8 * values * at_once + _SUMMARY_ROW * values, f"a summary of {what}", "ask for fewer times")


def new_flag():
    """Return the flag of a range: 1 if it is to stop, and its trajectory, events and billionths of the time by now."""
    return np.zeros(4, dtype=np.int64)


class _Look(NamedTuple):
    """What was seen at one moment: seconds of the process and of the clock, trajectories done, the flags of ranges."""

    cpu: float
    clock: float
    done: float
    flags: dict

    def differs(self, other):
        """Whether anything has moved since another look."""
        return self.done != other.done or self.flags != other.flags


class Pace:
    """Warns of a run that will take long, once, after about two seconds of the process.

    Seconds in which kernels are compiled or loaded, or other processes have the cores, say nothing about what remains.
    """

    def __init__(self, task):
        self._task, self._began = task, time.time()
        self._start, self._compiled = time.process_time(), COMPILATION.seconds
        self._before, self._done = None, is_quiet()

    def look(self, ended, running):
        """Look at the clock: so many trajectories `ended`; `running` has future, first, size and flag of each range."""
        if self._done:
            return
        cpu = time.process_time()
        if COMPILATION.seconds != self._compiled:
            self._start, self._compiled, self._before = cpu, COMPILATION.seconds, None
        if cpu < (self._start + _FIRST if self._before is None else self._before.cpu + _BETWEEN):
            return
        for future, _, size, flag in running:
            if future.done():
                flag[1] = size
        done = ended + sum(min(size, flag[1] + flag[3] * 1e-9) for _, _, size, flag in running)
        now = _Look(cpu, time.time(), done, {low: tuple(flag[1:].tolist()) for _, low, _, flag in running})
        if self._before is None or not now.differs(self._before):
            self._before = now
            return
        self._done = True
        words = self._limit(now.flags) or self._time(now)
        if words:
            unless = ", unless the condition of stop is met before" if self._task.options.get("stops") else ""
            warnings.warn(
                f"{words}{unless}; interrupt (Ctrl-C) to stop, and ask for a shorter time or fewer trajectories",
                LargeProblemWarning,
                stacklevel=2,
            )

    def _time(self, now):
        """Return in words how long the run will take at the pace between two looks; empty where that is not long."""
        before, size = self._before, self._task.size
        left = (size - now.done) / (now.done - before.done) if now.done > before.done else np.inf
        rest = left * (now.clock - before.clock)
        if min(rest, left * (now.cpu - before.cpu)) < _LONG:
            return ""
        takes = f"takes about {say_time(rest)} more" if rest < np.inf else "shows no progress"
        seconds = now.clock - self._began
        return f"the run has done {now.done:.2g} of {size:,} trajectories in {seconds:.1f} s, and {takes} at this pace"

    def _limit(self, flags):
        """Return in words which trajectory goes beyond the most events or steps; empty where none is seen to."""
        options = self._task.options
        name = "max_events" if "max_events" in options else "max_steps"
        for low, (row, fired, share) in flags.items():
            was_row, had_fired, had_share = self._before.flags.get(low, (-1, 0, 0))
            if row != was_row or name not in options:
                continue
            gained = share - had_share
            needed = fired + (1e9 - share) / gained * (fired - had_fired) if gained > 0 else np.inf
            if needed > options[name] and fired > had_fired:
                at = share * 1e-9 * self._task.times[-1]
                most = f"about {needed:.1e}" if needed < np.inf else "endlessly many"
                what = name.removeprefix("max_")
                return (
                    f"trajectory {low + row} stands at t={at:.4g} of {self._task.times[-1]:g} after {fired:,} {what}; "
                    f"at this pace it needs {most} {what}, and more than {name}={options[name]:,} are an error"
                )
        return ""

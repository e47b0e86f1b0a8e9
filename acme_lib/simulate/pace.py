"""What a run costs: its memory before it starts, and its time, measured in its first two seconds, whatever the method.

Kernels note how far they have come (`must_stop` of `steps.py`), so that nothing is guessed from the rates: a network
that explodes, a rate that grows and a start that waits for its first event are all seen at their own pace.
"""

import time
import warnings

import numpy as np

from acme_lib.cost import check_memory, say_time
from acme_lib.errors import LargeProblemWarning
from acme_lib.progress import COMPILATION, is_quiet

_FIRST, _SECOND = 1.0, 2.0  # seconds after which a run is looked at
_LONG = 600.0  # seconds to come of which nothing is said
_SUMMARY_ROW = 2048 * 8 * 2  # bytes of a histogram, and of what is joined to it


def check_room(task, keep, at_once):
    """Refuse an ensemble that this machine's memory cannot hold, `at_once` trajectories of which are simulated."""
    values = len(task.times) * len(task.network.species)
    what = f"{task.size:,} trajectories at {len(task.times):,} times"
    if keep == "counts":
        check_memory(8 * values * (task.size + at_once), what, 'keep="summary" takes no more for more trajectories')
    elif keep == "summary":
        check_memory(8 * values * at_once + _SUMMARY_ROW * values, f"a summary of {what}", "ask for fewer times")


def new_flag():
    """Return the flag of a range: 1 if it is to stop, and its trajectory, events and billionths of the time by now."""
    return np.zeros(4, dtype=np.int64)


class Pace:
    """Warns of a run that will take long, once, in its third second.

    The time in which kernels are compiled does not count: it says nothing about what remains.
    """

    def __init__(self, task):
        self._task, self._start = task, time.time() - COMPILATION.seconds
        self._before, self._done = None, is_quiet()

    def look(self, ended, running):
        """Look at the clock: so many trajectories `ended`, and `running` has first, size and flag of each range."""
        if self._done:
            return
        now = time.time() - COMPILATION.seconds - self._start
        if now < (_FIRST if self._before is None else self._before[0] + _SECOND - _FIRST):
            return
        done = ended + sum(min(size, flag[1] + flag[3] * 1e-9) for _, size, flag in running)
        state = now, done, {low: tuple(flag[1:].tolist()) for low, _, flag in running}
        if self._before is None:
            self._before = state
            return
        self._done = True
        words = self._limit(state[2]) or self._time(state)
        if words:
            unless = ", unless the condition of stop is met before" if self._task.options.get("stops") else ""
            warnings.warn(
                f"{words}{unless}; interrupt (Ctrl-C) to stop, and ask for a shorter time or fewer trajectories",
                LargeProblemWarning,
                stacklevel=2,
            )

    def _time(self, state):
        """Return in words how long the run will take at the pace between two looks; empty where that is not long."""
        (then, before, _), (now, done, _), size = self._before, state, self._task.size
        pace = (done - before) / (now - then)
        rest = (size - done) / pace if pace > 0.0 else np.inf
        if rest < _LONG:
            return ""
        takes = f"takes about {say_time(rest)} more" if rest < np.inf else "shows no progress"
        return f"the run has done {done:.2g} of {size:,} trajectories in {now:.1f} s, and {takes} at this pace"

    def _limit(self, flags):
        """Return in words which trajectory goes beyond the most events or steps; empty where none is seen to."""
        options = self._task.options
        name = "max_events" if "max_events" in options else "max_steps"
        for low, (row, fired, share) in flags.items():
            was_row, had_fired, had_share = self._before[2].get(low, (-1, 0, 0))
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

"""Is a log of events that of a simulation? A test against the rates of births and decays, with a stated error rate.

A law that is known can be drawn from without simulating anything; the way to it cannot. `find_fault` says whether a log
is one at all: events of known cells, in (0, t], one molecule at a time from `start` to the counts that came.
`compare_with_rates` then asks whether the events happen when they should.

It rests on the change of time: count the births of all cells, one cell after the other, on a clock that shows k times
the time gone by, and the decays on one that shows the sum of gamma·n·dt. On their clocks both are Poisson processes of
rate 1, independent of each other, and so are all events together on the sum of the clocks, or those of a part of time
or of some states alone. That the clocks run from one cell into the next deals with the waits that t cuts off: these
have no memory. So the number of events when a clock shows a value fixed beforehand is exactly Poisson, and the first m
waits are exactly exponential. Tested are, on every clock: the number of events; the waits, in bins; and their number
in windows of equal length. The last two are tested on both sides, since numbers that were arranged fit too well.

The stated rate is divided equally among all of these tests (a union bound). What is approximate is the chi-square law
of the bins and windows alone; ``pytest tests/library/teach/test_check_events.py -m slow -s`` measures the false alarms.

References
----------
The change of time: T. G. Kurtz, Representations of Markov processes as multiparameter time changes, Ann. Probab. 8,
682–715 (1980). https://doi.org/10.1214/aop/1176994660
"""

from dataclasses import dataclass

import numpy as np

from acme_lib.teach.check_birth_death import birth_death_path
from acme_lib.teach.check_laws import two_sided

SLICES = 4  # of the time from 0 to t
SURE = 7.0  # standard deviations: beyond them it is out of question that a clock has not reached its value
BINS, LEAST_IN_BIN = (16, 100, 1000), 20  # of waits
WINDOWS = (10, 30, 100)  # events that are expected in a window
LEAST = 30  # events that are expected on a clock for it to be looked at
SHARED_TIMES = 0.05  # the part of events that may happen at the moment of another cell's: none do, but for rounding


@dataclass(frozen=True)
class Log:
    """Events up to `t`, cell after cell, in the order of time within each.

    Attributes
    ----------
    cells, kinds, after : ndarray of int, shape (m,)
        The cell, +1 for a birth and -1 for a decay, and the count from then on.
    times : ndarray of float, shape (m,)
    start, size : int
        Molecules at time 0, and the number of cells.
    t : float
    """

    cells: np.ndarray
    times: np.ndarray
    kinds: np.ndarray
    after: np.ndarray
    start: int
    size: int
    t: float

    @classmethod
    def of(cls, table, start, size, t):
        """Read a table without fault, shape (m, 3)."""
        table = _by_cell(np.asarray(table, dtype=float).reshape(-1, 3))
        cells, after = table[:, 0].astype(np.int64), table[:, 2].astype(np.int64)
        kinds = np.diff(after, prepend=start)
        first = _firsts(cells)
        kinds[first] = after[first] - start
        return cls(cells, table[:, 1], kinds, after, int(start), int(size), float(t))

    @property
    def waits(self):
        """Times since the event before, or since 0, in the same cell."""
        waits = np.diff(self.times, prepend=0.0)
        first = _firsts(self.cells)
        waits[first] = self.times[first]
        return waits


@dataclass(frozen=True)
class Fault:
    """What is wrong with a log, and the misconception behind it, if it is known."""

    text: str
    slip: str | None = None


@dataclass(frozen=True)
class EventComparison:
    """The p-value of all tests together; what the least likely one looked at; the log-likelihood of the events."""

    p_value: float
    worst: str
    regular: bool
    log_likelihood: float


# Is it a log? -----------------------------------------------------------------------------------------------


def find_fault(counts, table, start, t):
    """Return what keeps a table from being the log of these counts, or None.

    Parameters
    ----------
    counts : ndarray of int, shape (size,)
        Counts at time t.
    table : ndarray, shape (m, 3)
        Rows (cell, time, count after the event); rows of a cell stand in the order of time. Any empty array is the
        log of cells in which nothing happened.
    start : int
        Molecules at time 0.
    t : float

    Returns
    -------
    Fault or None
    """
    table = np.asarray(table, dtype=float)
    if table.size == 0:
        table = table.reshape(0, 3)
    if table.ndim != 2 or table.shape[1] != 3:
        hint = " (rows and columns are exchanged)" if table.ndim == 2 and table.shape[0] == 3 else ""
        return Fault(f"the log has one row for each event, with a cell, a time and a count{hint}")
    if not np.all(np.isfinite(table)):
        return Fault("there are values in the log that are not finite (nan or inf)")
    return (
        _fault_of_columns(table, len(counts))
        or _fault_of_times(table, start, t)
        or _fault_of_steps(_by_cell(table), start)
        or _fault_of_ends(_by_cell(table), counts, start)
        or _fault_of_moments(table[:, 1])
    )


def _fault_of_columns(table, size):
    cells, after = table[:, 0], table[:, 2]
    if np.any(cells != np.floor(cells)):
        return Fault("the first column of the log is the number of the cell, and it holds values that are not whole")
    if np.any((cells < 0) | (cells >= size)):
        return Fault("the first column of the log is the number of the cell, counted from zero, and other cells came")
    if np.any(after < 0) and np.all(np.abs(after) == 1):
        return Fault("the third column of the log is not a count", "change-for-count")
    if np.any((after < 0) | (after != np.floor(after))):
        return Fault("the third column of the log is a count, and it holds values that are not whole and non-negative")
    return None


def _fault_of_times(table, start, t):
    times, after = table[:, 1], table[:, 2]
    if np.any(times <= 0):
        slip = "start-logged" if np.all(after[times <= 0] == start) and np.all(times >= 0) else None
        return Fault("the log has events before the start, or at the very start", slip)
    ordered = _by_cell(table)
    within = np.diff(ordered[:, 0]) == 0
    backwards = within & (np.diff(ordered[:, 1]) < 0)
    if np.any(backwards):
        slip = "waits-for-times" if np.mean(backwards[within]) > 0.1 else None
        return Fault("within a cell, the times in the log do not increase", slip)
    late = ordered[:, 1] > t * (1 + 1e-12)  # more than rounding
    if np.any(late):
        last = np.append(~within, True)
        slip = "overshoot" if not np.any(late & ~last) else None
        if slip is None and np.all(np.diff(times) >= 0):
            slip = "cell-not-reset"
        return Fault("the log has events after t", slip)
    return None


def _fault_of_steps(table, start):
    cells, after = table[:, 0], table[:, 2]
    first = _firsts(cells)
    begins = after[first]
    if np.any(np.abs(begins - start) != 1):
        slip = None
        if np.mean(begins == start) > 0.9:
            slip = "count-before"
        elif len(begins) > 1 and np.mean(np.abs(begins[1:] - after[first[1:] - 1]) == 1) > 0.9:
            slip = "cell-not-reset"
        elif np.ptp(begins) <= 2:
            slip = "starts-elsewhere"
        return Fault(
            "the first event of a cell does not lead from the molecules at the start to one more or one less", slip
        )
    steps = np.delete(np.diff(after, prepend=0.0), first)
    if np.any(np.abs(steps) != 1):
        return Fault("from one event of a cell to the next, the count in the log does not change by one")
    return None


def _fault_of_ends(table, counts, start):
    ends = np.full(len(counts), start)
    ends[table[:, 0].astype(np.int64)] = table[:, 2]  # of equal cells the last row stays
    off = np.abs(counts - ends)
    if not np.any(off):
        return None
    quiet = np.setdiff1d(np.arange(len(counts)), table[:, 0].astype(np.int64))
    slip = None
    if np.all(off <= 1) and np.mean(off == 1) > 0.9:
        slip = "overshoot"
    elif len(quiet) > 1 and counts[quiet[0]] != start and np.ptp(counts[quiet]) == 0:
        slip = "starts-elsewhere"
    return Fault("the count of a cell at time t is not the one to which its last event in the log leads", slip)


def _fault_of_moments(times):
    shared = len(times) - len(np.unique(times))
    if len(times) > LEAST and shared > SHARED_TIMES * len(times):
        return Fault("many events of different cells happen at exactly the same moment", "cells-alike")
    return None


def _by_cell(table):
    return table[np.argsort(table[:, 0], kind="stable")]


def _firsts(cells):
    return np.flatnonzero(np.diff(cells, prepend=-1.0) != 0)


# Do the events happen when they should? ---------------------------------------------------------------------


def compare_with_rates(log, births, deaths, *, expected=None):
    """Test the events of a log against rates of births and decays.

    Parameters
    ----------
    log : Log
    births, deaths : ndarray, shape (n,)
        Rates in the states 0 … n-1; no state of the log lies beyond.
    expected : Exposure, optional
        What the clocks are expected to show at the end (`expect_exposure`). Without it they are read to their end,
        which is exact only for a clock whose end does not depend on chance: enough to name a misconception.

    Returns
    -------
    EventComparison
    """
    pieces = _cut(log)
    clocks = {
        "births": (births[pieces.n], pieces.kind > 0),
        "decays": (deaths[pieces.n], pieces.kind < 0),
        "waits": (births[pieces.n] + deaths[pieces.n], pieces.kind != 0),
    }
    tests = []
    for name, (rate, fired) in clocks.items():
        ends = None if expected is None else expected.of(name)
        tests += _test_clock(name, *_read_clock(pieces, rate, fired, ends, log.size))
        if name != "waits" and expected is not None:
            tests += _test_parts(name, pieces, rate, fired, expected, log.size)
    p, worst, regular = min(tests)
    with np.errstate(divide="ignore"):
        of_kinds = np.log(np.where(pieces.kind > 0, births[pieces.n], deaths[pieces.n]))[pieces.kind != 0]
    likelihood = of_kinds.sum() - ((births + deaths)[pieces.n] * pieces.duration).sum()
    return EventComparison(min(1.0, p * len(tests)), worst, regular, float(likelihood))


@dataclass(frozen=True)
class _Pieces:
    """All trajectories, one after the other, cut at their events and at the borders of the slices of time."""

    cell: np.ndarray
    duration: np.ndarray
    n: np.ndarray
    kind: np.ndarray  # of the event at the end: +1, -1, or 0 for none
    part: np.ndarray


def _cut(log):
    borders = log.t * np.arange(1, SLICES + 1) / SLICES
    cell = np.concatenate([log.cells, np.repeat(np.arange(log.size), SLICES)])
    time = np.concatenate([log.times, np.tile(borders, log.size)])
    kind = np.concatenate([log.kinds, np.zeros(log.size * SLICES, dtype=np.int64)])
    order = np.lexsort((time, cell))
    cell, time, kind = cell[order], time[order], kind[order]
    duration = np.diff(time, prepend=0.0)
    first = _firsts(cell)
    duration[first] = time[first]
    gone = np.cumsum(kind) - kind
    n = log.start + gone - gone[first][cell]
    return _Pieces(cell, duration, n, kind, np.searchsorted(borders, time, side="left").clip(max=SLICES - 1))


def _read_clock(pieces, rate, fired, expected, size):
    """Return what the clock shows at each event, and the value, fixed beforehand, up to which it is read."""
    shown = rate * pieces.duration
    clock = np.cumsum(shown)
    total = float(clock[-1])
    if expected is None:
        return clock[fired], total
    spread = np.std(np.bincount(pieces.cell, weights=shown, minlength=size)) * np.sqrt(size)
    return clock[fired], min(total, expected - SURE * spread)


def _test_clock(name, positions, end):
    from scipy.special import chdtr, chdtrc, gammainc, gammaincc

    tests = [_test_number(name, positions, end)]
    if end < LEAST:
        return tests
    many = min(int(end - SURE * np.sqrt(end)), len(positions))
    uniform = -np.expm1(-np.diff(positions[:many], prepend=0.0))
    for bins in sorted({min(bins, many // LEAST_IN_BIN) for bins in BINS}):
        if bins > 1:
            observed = np.bincount(np.minimum((uniform * bins).astype(np.int64), bins - 1), minlength=bins)
            statistic = np.sum((observed - many / bins) ** 2) * bins / many
            tests.append((float(chdtrc(bins - 1, statistic)), f"waits of {name}", False))
            if bins >= 16:
                tests.append((float(chdtr(bins - 1, statistic)), f"waits of {name}", True))
    for width in WINDOWS:
        windows = int(end / width)
        if windows >= 16:
            observed = np.histogram(positions, bins=width * np.arange(windows + 1))[0]
            statistic = np.sum((observed - width) ** 2) / width
            # Its mean is the number of windows, its variance that times `spread`: a gamma law has both.
            spread = 2 + 1 / width
            tests.append((float(gammaincc(windows / spread, statistic / spread)), f"waits of {name}", False))
            tests.append((float(gammainc(windows / spread, statistic / spread)), f"waits of {name}", True))
    return tests


def _test_parts(name, pieces, rate, fired, expected, size):
    """Count the events of each slice of time, in all states, in low and in high ones."""
    tests = []
    high = pieces.n >= expected.borders[pieces.part]
    for part, ends in enumerate(expected.parts[name]):
        for states, end in ((True, ends.sum()), (~high, ends[0]), (high, ends[1])):
            here = (pieces.part == part) & states
            if end >= 2 * LEAST:
                tests.append(_test_number(name, *_read_clock(pieces, rate * here, fired & here, end, size)))
    return tests


def _test_number(name, positions, end):
    from scipy.special import pdtr, pdtrc

    number = int(np.searchsorted(positions, max(end, 0.0), side="right"))
    if end <= 0:
        return (0.0 if number else 1.0), name, False
    return two_sided(float(pdtr(number, end)), float(pdtrc(number - 1, end)) if number else 1.0), name, False


@dataclass(frozen=True)
class Exposure:
    """What the clocks of births and decays are expected to show at time t, for all cells together.

    Attributes
    ----------
    parts : dict of str to ndarray, shape (SLICES, 2)
        By "births" and "decays": in each slice of time, in states below its border, and in others.
    borders : ndarray of int, shape (SLICES,)
    """

    parts: dict
    borders: np.ndarray

    def of(self, name):
        """Return what the clock of all births, of all decays, or of both ("waits") is expected to show."""
        return float(sum(part.sum() for key, part in self.parts.items() if name in (key, "waits")))


def expect_exposure(births, deaths, start, t, size):
    """Return the `Exposure` of `size` cells, from the exact law at the ends and in the middle of each slice of time."""
    states = np.arange(len(births))
    laws = birth_death_path(births, deaths, start, t, 2 * SLICES)
    borders = np.ceil(laws[1::2] @ states).astype(np.int64)
    # Within a slice the border of states stays where it is, so that what is integrated is smooth: Simpson's rule.
    mean = (laws[:-1:2] + 4 * laws[1::2] + laws[2::2]) / 6 * (t / SLICES * size)
    high = states >= borders[:, None]
    parts = {}
    for name, rates in (("births", births), ("decays", deaths)):
        parts[name] = np.stack([(mean * rates * ~high).sum(axis=1), (mean * rates * high).sum(axis=1)], axis=1)
    return Exposure(parts, borders)

"""Checks of a simulated birth–death process: its events, its counts, and where its random numbers come from."""

import numpy as np

from acme_lib.teach.check_birth_death import (
    birth_death_law,
    birth_death_laws,
    birth_death_rates,
    count_states,
    poisson_law,
)
from acme_lib.teach.check_compare import name_of
from acme_lib.teach.check_door import NotPlain, as_numbers, show
from acme_lib.teach.check_events import Log, compare_with_rates, expect_exposure, find_fault
from acme_lib.teach.check_laws import ERROR_RATE, compare_with_law
from acme_lib.teach.check_random import REGULAR, judge_law, read_counts, say_rate
from acme_lib.teach.check_run import ask, only_shown, run_check, say
from acme_lib.teach.check_words import Finding


def check_ensemble(function, arguments, *, error_rate=ERROR_RATE, what=""):
    """Check a simulated birth-death process: the counts at time t, and the log of all events on the way to them.

    The counts alone could be drawn from the law, which is known; only a simulation knows the events. Judged are, in
    this order, whether the log is one and leads to the counts, whether its events happen at the rates that they should
    (`acme_lib.teach.check_events`), and whether the counts follow the exact law. A fit that is too good fails as well.

    Half of `error_rate` goes to the events, a quarter to the number of births in each cell, a quarter to the counts.

    Parameters
    ----------
    function, what
        As in `check_values`. The function returns two parts: counts, shape (size,), and a log, shape (m, 3), with rows
        (cell, time, count after the event). The rows of a cell stand in the order of time.
    arguments : dict
        With the names ``k``, ``gamma``, ``n0``, ``t``, ``size``, and a Generator that stands for a fresh seed.
    error_rate : float
        The accepted rate of false alarms of this check. ``tests/library/teach/test_check_events.py`` measures it, and
        how often misconceptions and invented logs are found.

    Raises
    ------
    CheckFailed
        Not raised at once inside `hidden_checks`.
    """
    k, gamma, start, t, size = (arguments[name] for name in ("k", "gamma", "n0", "t", "size"))

    def judge(answer):
        read = _read_log(answer, start, size, t)
        if isinstance(read, Finding):
            return read
        counts, log = read
        finding = _judge_events(log, k, gamma, error_rate) if t > 0 else None
        if finding is not None:
            return finding
        n = np.arange(count_states(k, gamma, start, t))
        law = birth_death_law(*birth_death_rates(k, gamma, n)[0], start, t)
        return judge_law(counts, law, lambda: birth_death_laws(k, gamma, start, t)[1], error_rate / 4, error_rate)

    run_check(function, arguments, judge, what)


def check_sources(function, arguments, *, what="waits and choices both come from rng"):
    """Check that both random numbers of a step depend on the Generator that comes in.

    Parameters
    ----------
    function, what
        As in `check_values`.
    arguments : dict
        As in `check_ensemble`, of one cell and a time of some hundred events. Two generators are given in turn: neither
        the sequence of births and decays nor the waits, times their rates, may be the same.
    """
    k, gamma, start, t = (arguments[name] for name in ("k", "gamma", "n0", "t"))

    def read(answer):
        found = _read_log(answer, start, 1, t)
        if isinstance(found, Finding):
            return found
        _, log = found
        return log.kinds, log.waits * (k + gamma * (log.after - log.kinds))

    def judge(answer):
        again, problem = ask(function, arguments)
        if problem is not None:
            return problem
        runs = [read(answer), read(again)]
        for run in runs:
            if isinstance(run, Finding):
                return run
        (kinds, waits), (other_kinds, other_waits) = runs
        many = min(len(kinds), len(other_kinds))
        if many and np.mean(kinds[:many] == other_kinds[:many]) > 0.9:
            return Finding("two generators gave the same births and decays, one after the other", slips=("fixed-seed",))
        if many and np.mean(np.isin(np.round(waits, 8), np.round(other_waits, 8))) > 0.05:
            return Finding("two generators gave the same waits, but for the rates", slips=("fixed-seed",))
        return None

    run_check(function, arguments, judge, what)


def _read_log(answer, start, size, t):
    """Return the counts and the log of an answer, or what is wrong with its form."""
    if not isinstance(answer, list | tuple) or len(answer) != 2:
        came = only_shown(f"; {name_of(answer)} came" if not isinstance(answer, list | tuple) else "")
        return Finding(f"return the counts and the log of the events, separated by a comma{came}")
    counts = read_counts(answer[0], size)
    if isinstance(counts, Finding):
        return counts
    try:
        table = as_numbers(answer[1])
    except NotPlain as problem:
        return Finding(only_shown("the log: ") + say(problem))
    fault = find_fault(counts, table, start, t)
    if fault is not None:
        begins = f"Your log begins:\n{show(table[:6])}" if table.size else "Your log is empty."
        return Finding(fault.text, begins, (fault.slip,) if fault.slip else ())
    return counts, Log.of(table, start, size, t)


def _judge_events(log, k, gamma, error_rate):
    """Return what is wrong with the events of a log without fault, if anything."""
    n = np.arange(count_states(k, gamma, log.start, log.t))
    expected = expect_exposure(*birth_death_rates(k, gamma, n)[0], log.start, log.t, log.size)
    if len(log.cells) > 50 * expected.of("waits") + 1000:
        return Finding("the log has many times as many events as it should")
    n = np.arange(max(len(n), log.after.max(initial=0) + 2))
    rates, slips = birth_death_rates(k, gamma, n)
    share = error_rate / 4
    fit = compare_with_rates(log, *rates, expected=expected)
    born = np.bincount(log.cells[log.kinds > 0], minlength=log.size)
    by_cell = compare_with_law(born, poisson_law(np.arange(len(n) + born.max()), k * log.t), share)
    if fit.p_value >= error_rate / 2:
        if by_cell.p_value >= share / 2:
            return None
        how = "vary too little" if by_cell.regular else "do not vary as they should"
        found = REGULAR if by_cell.regular else ()
        return Finding(f"from cell to cell the numbers of births {how} {say_rate(error_rate)}", "", found)
    fits = {key: compare_with_rates(log, *wrong) for key, wrong in slips.items()}
    fits = {key: fit.log_likelihood for key, fit in fits.items() if fit.p_value > 1e-4}
    found = _find_event_slip(log, *rates) or ((max(fits, key=fits.get),) if fits else ())
    if fit.regular and not found:
        return Finding(f"the events are spaced more regularly than random ones are {say_rate(error_rate)}", "", REGULAR)
    what = {"waits": "the waits in the log do", "waits of waits": "the waits in the log do"}.get(fit.worst)
    what = what or f"the {fit.worst} in the log do"
    births, decays = np.sum(log.kinds > 0), np.sum(log.kinds < 0)
    details = (
        f"In {log.size} cells: {births} births and {decays} decays\n"
        f"Mean wait between two events of a cell: {log.waits.mean() if len(log.waits) else np.nan:.4g}"
    )
    return Finding(f"{what} not follow the law that they should {say_rate(error_rate)}", details, found)


def _find_event_slip(log, births, deaths):
    """Name misconceptions that are not other rates."""
    if not len(log.cells):
        return ()
    if log.cells.max() < log.size // 2:
        return ("cell-not-reset",)
    before = log.after - log.kinds
    shown = log.waits * (births + deaths)[before]
    share, number = births[before] / (births + deaths)[before], np.exp(-shown)
    born = log.kinds > 0
    if np.sum(born) > 50 and np.sum(~born) > 50:
        for guess in (number < share, 1 - number < share):  # what the wait would say of the reaction
            if min(np.mean(guess[born]), np.mean(~guess[~born])) > 0.95:
                return ("one-number-for-both",)
    if len(shown) > 1000 and shown.max() < 2.5:
        return ("uniform-wait",)
    return ()

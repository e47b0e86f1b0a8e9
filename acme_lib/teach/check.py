"""Checks of a learner's function, with messages that teach.

A check cell of an assignment calls these functions and nothing else::

    from acme_lib.teach.check import check_values, hidden_checks

    check_values(propensities, {"counts": [3, 1], "rates": [5.0, 1.0, 0.2]}, [5.0, 3.0, 0.6],
                 slips={"pairs-squared": [5.0, 3.0, 1.8]})

The learner's function is only ever *called*, with plain data, through the door in `acme_lib.teach.check_door`; what
comes back is judged by exact types and copied before it is compared. The same cell therefore runs in the learner's
kernel, under stock nbgrader, and with the function in another process.

A right answer leaves a line, ``✔ right, 2 of 2 points``, and at the end of a question what that establishes
(`all_right`). A wrong one raises `CheckFailed`, whose message says what was asked, what came, and, where the answer is
one that a documented misconception gives, what to think about (`acme_lib.teach.check_slips`). Inside `hidden_checks`
all checks run to the end, and the message holds no value: only how many failed and the misconceptions.
"""

import contextlib
import contextvars
import hashlib
import itertools
import math
import sys
import textwrap
import time
from dataclasses import dataclass, field, replace

import numpy as np

from acme_lib.limits import CALL_SECONDS
from acme_lib.teach.check_door import NotPlain, as_numbers, call, fresh_rng, is_local, show, use_door
from acme_lib.teach.check_events import Log, compare_with_rates, expect_exposure, find_fault
from acme_lib.teach.check_laws import (
    ERROR_RATE,
    birth_death_law,
    birth_death_laws,
    birth_death_rates,
    compare_with_law,
    count_states,
    poisson_law,
)
from acme_lib.teach.check_slips import RIGHT, SLIPS, announce

__all__ = [
    "ANYTHING",
    "CheckFailed",
    "all_right",
    "birth_death_law",
    "birth_death_laws",
    "check_coverage",
    "check_distribution",
    "check_ensemble",
    "check_generator",
    "check_law",
    "check_samples",
    "check_sealed",
    "check_seeding",
    "check_sources",
    "check_values",
    "fresh_rng",
    "hidden_checks",
    "use_door",
]

WIDTH = 82  # nbgrader's validator indents by 4 and cuts lines at 87
REGULAR = ("too-regular",)
MANY = 60  # generators that must give different answers
ANYTHING = type("Anything", (), {"__repr__": lambda self: "(not judged here)"})()
NOT_WRITTEN = (
    "Your function is not written yet: replace the line `raise NotImplementedError()` by your code, "
    "run that cell and then this one."
)

WIDTHS, WIDTH_FACTOR = 50, 2.0  # how many right intervals are made, and how unlike their widths may be
TRY_OTHERS = "Try your function on cases of your own: very small ones, and ones that you can work out by hand."
SEAL_WIDTH, SEAL_NEAR = 0.004, 0.001  # relative: of the bins that are sealed, and how near an answer has to be
TOO_LONG = (
    f"Your function did not come to an end within {CALL_SECONDS:g} seconds, and was stopped. Does every loop end: does "
    "the time, or the counter, move on in each round?"
)


class CheckFailed(AssertionError):
    """An answer is wrong; the message is for the learner, `slips` are the misconceptions that it names."""

    def __init__(self, message, slips=()):
        super().__init__(message)
        self.slips = tuple(slips)

    def _render_traceback_(self):
        # IPython shows these lines in place of the traceback: the frames of the library teach nothing.
        return str(self).split("\n")


class CheckBroken(CheckFailed):
    """A check could not be run, which is no fault of the answer: a person has to grade it."""


@dataclass(frozen=True)
class Finding:
    """What is wrong, and the misconceptions that explain it; of a hidden check, `details` are not shown."""

    general: str
    details: str = ""
    slips: tuple = ()


@dataclass
class _HiddenRegion:
    checks: int = 0
    findings: list = field(default_factory=list)
    refuted: set = field(default_factory=set)  # misconceptions that would have given another answer than came
    advice: str = TRY_OTHERS
    random: bool = False  # whether the function gave two answers to the same arguments
    repeated: int = 0  # how many findings were asked for again, to see that


_region = contextvars.ContextVar("acme_hidden_region", default=None)
# Of the check cell that is being run: the function whose visible checks passed so far, and the misconceptions that
# would have failed one of them.
_passed = [None, set()]


def all_right(points, check=""):
    """Say that all checks of a cell are passed, and, of a question that is done, what that establishes.

    The last line of the cell. Only a notebook is told. Stock nbgrader gives full points to a cell that prints; our
    grading reads nothing of it.

    Parameters
    ----------
    points : int
        Of the cell.
    check : str
        Folder of the assignment and id of the cell, such as ``"02_noise_metrics/fano_check"``.
    """
    _passed[:] = None, set()
    if is_local() and "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from acme_lib.teach.passed import note_passed

        print(f"{RIGHT}, {points} of {points} points", *_wrap(note_passed(check)), sep="\n")


@contextlib.contextmanager
def hidden_checks(advice=TRY_OTHERS):
    """Run the checks of the ``with`` block to the end; fail once, without showing any value.

    Parameters
    ----------
    advice : str
        What to do where no misconception is recognised.

    Yields
    ------
    numpy.random.Generator
        With fresh entropy from the door, for the parameters of the checks.
    """
    region = _HiddenRegion(advice=advice)
    token = _region.set(region)
    broken = False
    try:
        yield fresh_rng()
    except CheckFailed:
        raise
    except Exception:  # its text and its source line could show what is hidden
        broken = True
    finally:
        _region.reset(token)
    if region.findings:
        raise CheckFailed(_summarise(region), _explain_together(region)[:2]) from None
    if broken:
        raise CheckBroken(
            "✗ A hidden check could not be run. This is no mistake of yours: please tell your teacher."
        ) from None


def is_hidden():
    """Return whether this is called from within `hidden_checks` (a door then knows whom it serves)."""
    return _region.get() is not None


def check_values(
    function, arguments, expected, *, slips=None, rtol=1e-6, atol=1e-9, what="", parts=(), at=None, reveal=True
):
    """Check a deterministic answer.

    Parameters
    ----------
    function : callable
        The learner's function, or whatever the door takes for it.
    arguments : dict
        Plain data, in the order of the function's parameters; the names are for the message only.
    expected : array_like or tuple
        The right answer. A tuple asks for an answer in so many parts; `ANYTHING` leaves a part unjudged. Whole
        numbers of an integer type ask for whole numbers.
    slips : dict, optional
        Misconceptions (keys of `acme_lib.teach.check_slips.SLIPS`) and the answers that they give for these arguments.
    rtol, atol : float
        As in `numpy.allclose`.
    what : str
        What is asked, for the message.
    parts : sequence of str
        Names of the parts of a tuple.
    at : int, slice or sequence of int, optional
        The entries of an array that are judged; by default all are.
    reveal : bool
        Whether the message shows the expected value.

    Raises
    ------
    CheckFailed
        Not raised at once inside `hidden_checks`.
    """
    slips = _known(slips)

    def judge(answer):
        answer = leave_out(answer, expected, at)
        found = _match_slips(function, answer, slips, expected, rtol, atol)
        general = _compare(answer, expected, rtol, atol, parts)
        if general is None:
            return None
        if _is_random(function, arguments, answer, lambda again: _judged(leave_out(again, expected, at), expected)):
            found = ("own-random-numbers",)
        details = f"Your answer: {show(answer)}"
        if reveal:
            details += f"\nExpected:    {show(_displayed(expected))}"
        return Finding(general, details, found)

    _check(function, arguments, judge, what)


def check_distribution(function, arguments, expected, *, slips=None, rtol=1e-6, atol=1e-9, what="", reveal=True):
    """Check a vector of probabilities: shape, sign, sum and values.

    The slips ``not-normalised``, ``squared-weights`` (unit length), ``wrong-sign``, ``zero-vector`` and
    ``left-vector`` (all states alike) are found without being listed. Parameters and errors are those of
    `check_values`.
    """
    expected = np.asarray(expected, dtype=float)
    slips = _known(slips)

    def judge(answer):
        found = _match_slips(function, answer, slips, expected, rtol, atol)
        general = _compare(answer, expected, rtol, atol, ())
        if general is None:
            return None
        with contextlib.suppress(NotPlain):
            numbers = as_numbers(answer).astype(float)
            if numbers.shape == expected.shape and np.all(np.isfinite(numbers)):
                found = found or _find_distribution_slip(numbers, expected, rtol, atol)
                if np.any(numbers < -atol):
                    general = "there are negative values, and probabilities are zero or more"
                elif abs(numbers.sum() - 1) > max(1e-6, rtol):
                    general = f"the values do not add up to one{_only_shown(f' but to {numbers.sum():.6g}')}"
        details = f"Your answer: {show(answer)}"
        if reveal:
            details += f"\nExpected:    {show(expected)}"
        return Finding(general, details, found)

    _check(function, arguments, judge, what)


def check_generator(function, arguments, expected, *, slips=None, rtol=1e-6, atol=1e-9, what="", reveal=True):
    """Check a generator A[to, from]: shape, signs, columns and values.

    The slips ``transposed``, ``no-diagonal``, ``positive-diagonal`` and ``truncation-off-by-one`` are found without
    being listed. Parameters and errors are those of `check_values`.
    """
    expected = np.asarray(expected, dtype=float)
    diagonal = np.diag(np.diag(expected))
    slips = _known(slips) | {
        "transposed": expected.T,
        "no-diagonal": expected - diagonal,
        "positive-diagonal": expected - 2 * diagonal,
    }

    def judge(answer):
        found = _match_slips(function, answer, slips, expected, rtol, atol)
        general = _compare(answer, expected, rtol, atol, ())
        if general is None:
            return None
        with contextlib.suppress(NotPlain):
            numbers = as_numbers(answer)
            if numbers.ndim == 2 and numbers.shape in _neighbouring_shapes(expected.shape):
                found = found or ("truncation-off-by-one",)
            elif numbers.shape == expected.shape and np.all(np.isfinite(numbers)):
                general = _describe_generator(numbers, expected, atol) or general
        details = f"Your answer:\n{show(answer, 12)}"
        if reveal:
            details += f"\nExpected (A[to, from]):\n{show(expected, 12)}"
        return Finding(general, details, found)

    _check(function, arguments, judge, what)


def check_sealed(function, salt, right, *, parts, slips=None, what=""):
    """Check numbers that a learner found for data of their own, without holding them.

    Parameters
    ----------
    function : callable
        The learner's, without parameters; it returns as many positive numbers as there are `parts`.
    salt, right : str
        The right answer under `seal`. One whose parts are each within 0.1 % of it passes, one with a part that is
        farther away than 0.6 % does not.
    parts : sequence of str
        Their names.
    slips : dict, optional
        Misconceptions and their answers, sealed alike.
    what : str

    Raises
    ------
    CheckFailed
    """
    slips = _known(slips)

    def judge(answer):
        details = f"Your answer: {show(answer)}"
        problem = _compare(answer, (0.0,) * len(parts), 0.0, sys.float_info.max, parts)
        if problem:
            return Finding(problem, details)
        numbers = [float(as_numbers(part)) for part in answer]
        near = itertools.product((0.0, -SEAL_NEAR, SEAL_NEAR), repeat=len(parts))
        seals = []
        for shifts in near:
            seals.append(seal([x * (1 + shift) for x, shift in zip(numbers, shifts, strict=True)], salt))
            if seals[-1] == right:
                return None
        found = tuple(key for key, given in slips.items() if given in seals)
        return Finding("these are not the numbers that follow from your data", details, found)

    _check(function, {}, judge, what)


def seal(numbers, salt):
    """Return a text from which a few numbers can be recognised (about, see `check_sealed`) and not easily found."""
    bins = [f"{x > 0} {math.floor(math.log(abs(x)) / SEAL_WIDTH) if x else 0}" for x in numbers]
    return hashlib.pbkdf2_hmac("sha256", ", ".join(bins).encode(), salt.encode(), 20_000).hex()[:24]


def check_law(function, arguments, law, *, size, slips=None, error_rate=ERROR_RATE, what=""):
    """Check a random answer, `size` counts, against the exact law.

    A right answer fails with a probability of at most about `error_rate` (`acme_lib.teach.check_laws` says how this
    is held). The cell chooses `size` and the arguments such that the listed misconceptions are detected;
    ``tests/library/teach/test_check.py`` measures how often.

    Parameters
    ----------
    function, arguments, what
        As in `check_values`; a Generator among the arguments stands for a fresh seed.
    law : array_like, shape (n,)
        Probabilities of the counts 0 … n-1.
    size : int
        How many counts are asked for.
    slips : dict, optional
        Misconceptions and the laws, shape (n,), that they give. One is named when the answer contradicts `law` and
        agrees with it.
    error_rate : float
        The accepted rate of false alarms of this check.

    Raises
    ------
    CheckFailed
        Not raised at once inside `hidden_checks`.
    """
    slips = _known(slips)
    law = np.asarray(law, dtype=float)

    def judge(answer):
        counts = _read_counts(answer, size)
        return counts if isinstance(counts, Finding) else _judge_law(counts, law, lambda: slips, error_rate, error_rate)

    _check(function, arguments, judge, what)


def check_samples(function, arguments, law, *, size, slips=None, error_rate=ERROR_RATE, what=""):
    """Check a random answer, `size` independent numbers, against a continuous law.

    Parameters
    ----------
    function, arguments, what
        As in `check_law`.
    law : array_like of float, or tuple
        The numbers that cut the law into bins of equal probability, in increasing order; or these and the law, an
        object with ``cdf``: then half of `error_rate` goes to a Kolmogorov–Smirnov test.
    size : int
    slips : dict, optional
        Misconceptions and the probabilities of these bins that they give.
    error_rate : float

    Raises
    ------
    CheckFailed
        Not raised at once inside `hidden_checks`.
    """
    slips = _known(slips)
    edges, exact = law if isinstance(law, tuple) else (law, None)
    edges = np.asarray(edges, dtype=float)
    share = error_rate if exact is None else error_rate / 2

    def judge(answer):
        numbers = _read_numbers(answer, size, "numbers")
        if isinstance(numbers, Finding):
            return numbers
        bins = np.searchsorted(edges, numbers, side="right")
        equal = np.full(len(edges) + 1, 1 / (len(edges) + 1))
        finding = _judge_law(bins, equal, lambda: slips, share, error_rate, of="numbers")
        if finding is None and len(np.unique(numbers)) < 0.99 * size:
            return Finding("many of the numbers are exactly equal, and numbers of a continuous law never are")
        if finding is None and exact is not None:
            from scipy.stats import kstest

            if kstest(numbers, exact.cdf).pvalue < share:
                return Finding(f"the numbers do not follow the law that they should {_rate(error_rate)}")
        return finding

    _check(function, arguments, judge, what)


def check_coverage(
    function,
    data,
    arguments,
    *,
    between,
    samples=1000,
    example=None,
    slips=None,
    reference=None,
    error_rate=ERROR_RATE,
    what="",
):
    """Check how often an interval holds the truth, in data sets drawn anew.

    Parameters
    ----------
    function : callable
        The learner's: from data an interval, (low, high).
    data : callable
        Of a Generator and the `arguments`: the arguments of `function`, as a dict, and the truth.
    arguments : dict
        What the data are drawn with.
    between : tuple of float
        The least and the largest coverage that are right. A coverage at its border fails with `error_rate`.
    samples : int
        How many data sets are drawn.
    example : dict, optional
        The arguments of `function` for one data set.
    slips : dict, optional
        Misconceptions and the intervals that they give for `example`.
    reference : callable, optional
        A right function. An interval that ignores the data can hold the truth as often as it should, if it is wide and
        is now and then thrown away: its typical width must lie within a factor of `WIDTH_FACTOR` of this one's.
    error_rate : float
    what : str

    Raises
    ------
    CheckFailed
        Not raised at once inside `hidden_checks`.
    """
    from scipy.special import bdtr, bdtrc

    slips = _known(slips)
    draws = [data(rng, **arguments) for rng in fresh_rng().spawn(samples)]
    first = draws[0][0] if example is None else example

    def judge(answer):
        held, widths, problem = 0, [], _compare(answer, (0.0, 0.0), 0.0, 1e308, ("low", "high"))
        found = () if problem else _match_slips(function, answer, slips, (np.nan, np.nan), 1e-6, 1e-9)
        for given, truth in () if problem else draws:
            interval, finding = _ask(function, given)
            if finding is not None:
                return finding
            problem = _compare(interval, (0.0, 0.0), 0.0, 1e308, ("low", "high"))
            if problem:
                break
            low, high = (float(end) for end in interval)
            if low > high:
                return Finding("the lower end of the interval lies above its upper end", "", found)
            held += low <= truth <= high
            widths.append(high - low)
        if problem:
            return Finding(problem, f"Your answer: {show(answer)}", found)
        few = bdtr(held, samples, between[0]) < error_rate / 2
        if not few and (held == 0 or bdtrc(held - 1, samples, between[1]) >= error_rate / 2):
            return None if reference is None else _judge_widths(widths, reference, draws)
        often = "often: it is wider than it needs to be"
        general = f"the interval holds the truth too {'rarely' if few else often} {_rate(error_rate)}"
        details = f"It held the truth in {held} of {samples} data sets; its mean width is {np.mean(widths):.4g}"
        return Finding(general, details, found)

    _check(function, first, judge, what)


def _judge_widths(widths, reference, draws):
    """Return what is wrong with the widths of intervals that hold the truth as often as they should, if anything."""
    right = [np.diff([float(end) for end in reference(*given.values())])[0] for given, _ in draws[:WIDTHS]]
    factor = np.median(widths) / np.median(right)
    if 1 / WIDTH_FACTOR <= factor <= WIDTH_FACTOR:
        return None
    than = "wider" if factor > 1 else "narrower"
    return Finding(
        f"the interval holds the truth as often as it should, but is much {than} than one that follows from the data"
    )


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
        if not isinstance(answer, list | tuple) or len(answer) != 2:
            came = _only_shown(f"; {_name_of(answer)} came" if not isinstance(answer, list | tuple) else "")
            return Finding(f"return the counts and the log of the events, separated by a comma{came}")
        counts = _read_counts(answer[0], size)
        if isinstance(counts, Finding):
            return counts
        try:
            table = as_numbers(answer[1])
        except NotPlain as problem:
            return Finding(_only_shown("the log: ") + _say(problem))
        fault = find_fault(counts, table, start, t)
        if fault is not None:
            begins = f"Your log begins:\n{show(table[:6])}" if table.size else "Your log is empty."
            return Finding(fault.text, begins, (fault.slip,) if fault.slip else ())
        log = Log.of(table, start, size, t)
        finding = _judge_events(log, k, gamma, error_rate) if t > 0 else None
        if finding is not None:
            return finding
        n = np.arange(count_states(k, gamma, start, t))
        law = birth_death_law(*birth_death_rates(k, gamma, n)[0], start, t)
        return _judge_law(counts, law, lambda: birth_death_laws(k, gamma, start, t)[1], error_rate / 4, error_rate)

    _check(function, arguments, judge, what)


def _read_numbers(answer, size, of):
    """Return as many finite numbers as are expected, or a finding."""
    try:
        numbers = as_numbers(answer)
    except NotPlain as problem:
        return Finding(_say(problem))
    if numbers.shape != (size,):
        came = _only_shown(f"{_name_of(numbers)} came; ")
        return Finding(f"{came}expected is an array of {of} of shape ({_only_shown(str(size)) or 'size'},)")
    if not np.all(np.isfinite(numbers)):
        return Finding("there are values that are not finite (nan or inf)")
    return numbers


def _read_counts(answer, size):
    """Return the counts, or a finding."""
    counts = _read_numbers(answer, size, "counts")
    if isinstance(counts, Finding):
        return counts
    if np.any(counts < 0) or np.any(counts != np.floor(counts)):
        return Finding(
            "the values are not all whole and non-negative", f"Your answer: {show(answer, 3)}", ("returns-times",)
        )
    return counts.astype(np.int64)


def _judge_law(counts, law, slips, share, error_rate, of="counts"):
    """Return what is wrong with the law of the counts, if anything; `share` is this test's of the error rate.

    `slips` is a function, since the laws of misconceptions take time and are rarely needed.
    """
    fit = compare_with_law(counts, law, share)
    if fit.p_value >= share / 2:
        return None
    if fit.regular:
        return Finding(f"the {of} follow their law more closely than random ones do {_rate(error_rate)}", "", REGULAR)
    fits = {key: compare_with_law(counts, slip_law, error_rate) for key, slip_law in slips().items()}
    fits = {key: fit.log_likelihood for key, fit in fits.items() if fit.p_value > 1e-4}
    found = (max(fits, key=fits.get),) if fits else ()
    if not found and len(np.unique(counts)) == 1 and law.max() < 0.5:
        found = ("fixed-seed" if abs(counts[0] - law @ np.arange(len(law))) > 1 else "mean-rounded",)
    states = np.arange(len(law))
    mean = law @ states
    if of != "counts":
        return Finding(f"the {of} do not follow the law that they should {_rate(error_rate)}", "", found)
    details = (
        f"Of {len(counts)} trajectories: mean {counts.mean():.4g}, variance {counts.var():.4g}\n"
        f"The exact law:      mean {mean:.4g}, variance {law @ (states - mean) ** 2:.4g}"
    )
    return Finding(f"the counts do not follow the law that they should {_rate(error_rate)}", details, found)


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
        return Finding(f"from cell to cell the numbers of births {how} {_rate(error_rate)}", "", found)
    fits = {key: compare_with_rates(log, *wrong) for key, wrong in slips.items()}
    fits = {key: fit.log_likelihood for key, fit in fits.items() if fit.p_value > 1e-4}
    found = _find_event_slip(log, *rates) or ((max(fits, key=fits.get),) if fits else ())
    if fit.regular and not found:
        return Finding(f"the events are spaced more regularly than random ones are {_rate(error_rate)}", "", REGULAR)
    what = {"waits": "the waits in the log do", "waits of waits": "the waits in the log do"}.get(fit.worst)
    what = what or f"the {fit.worst} in the log do"
    births, decays = np.sum(log.kinds > 0), np.sum(log.kinds < 0)
    details = (
        f"In {log.size} cells: {births} births and {decays} decays\n"
        f"Mean wait between two events of a cell: {log.waits.mean() if len(log.waits) else np.nan:.4g}"
    )
    return Finding(f"{what} not follow the law that they should {_rate(error_rate)}", details, found)


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


def _rate(error_rate):
    return f"(a right answer is taken for a wrong one once in {1 / error_rate:,.0f} times)"


def check_seeding(function, arguments, *, what="the random numbers come from rng"):
    """Check that a random answer depends on the Generator that comes in, and on nothing else.

    Parameters
    ----------
    function, what
        As in `check_values`.
    arguments : dict
        Among them a Generator. It is replaced by two of equal seed, then by one of another seed; the answers must be
        equal, then different. Ask for enough random numbers that equality by chance is out of the question.
    """
    first, second = (int(seed) for seed in fresh_rng().integers(2**63, size=2))

    def seeded(seed):
        return {
            name: np.random.default_rng(seed) if isinstance(value, np.random.Generator) else value
            for name, value in arguments.items()
        }

    def judge(answer):
        again, problem = _ask(function, seeded(first))
        other, other_problem = _ask(function, seeded(second))
        if problem or other_problem:
            return problem or other_problem
        for came in (answer, again, other):
            try:
                [as_numbers(part) for part in _parts(came)]
            except NotPlain as problem:
                return Finding(_say(problem))
        if not _equal(answer, again):
            return Finding("the same generator gave two different answers", slips=("global-generator",))
        if _equal(answer, other):
            return Finding("two different generators gave the same answer", slips=("fixed-seed",))
        if _shared(answer, other) > 0.5:
            return Finding("two different generators gave mostly the same numbers", slips=("fixed-seed",))
        return _find_few_seeds(function, seeded)

    _check(function, seeded(first), judge, what)


def _find_few_seeds(function, seeded):
    """Return a finding if two of `MANY` generators give the same answer: a hundred seeds are found, but for 2e-8."""
    answers = []
    for seed in fresh_rng().integers(2**63, size=MANY):
        arguments = seeded(int(seed))
        if "size" in arguments:
            arguments["size"] = min(arguments["size"], 20)
        answer, problem = _ask(function, arguments)
        if problem is not None:
            return problem
        try:
            answers.append(b"".join(as_numbers(part).tobytes() for part in _parts(answer)))
        except NotPlain as problem:
            return Finding(_say(problem))
    if len(set(answers)) < len(answers):
        return Finding("different generators gave the same answer, again and again", slips=("fixed-seed",))
    return None


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
        if not isinstance(answer, list | tuple) or len(answer) != 2:
            return Finding("return the counts and the log of the events, separated by a comma")
        counts = _read_counts(answer[0], 1)
        if isinstance(counts, Finding):
            return counts
        try:
            table = as_numbers(answer[1])
        except NotPlain as problem:
            return Finding(_only_shown("the log: ") + _say(problem))
        fault = find_fault(counts, table, start, t)
        if fault is not None:
            return Finding(fault.text, "", (fault.slip,) if fault.slip else ())
        log = Log.of(table, start, 1, t)
        return log.kinds, log.waits * (k + gamma * (log.after - log.kinds))

    def judge(answer):
        again, problem = _ask(function, arguments)
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

    _check(function, arguments, judge, what)


def _check(function, arguments, judge, what):
    region = _region.get()
    if region is not None:
        region.checks += 1
    answer, finding = _ask(function, arguments)
    if finding is None:
        finding = judge(answer)
    if finding is None:
        return
    if region is not None:
        region.findings.append(finding)
        return
    refuted = _refuted(function)
    _passed[:] = None, set()
    finding = replace(finding, slips=tuple(slip for slip in finding.slips if slip not in refuted))
    raise CheckFailed(_explain(finding, arguments, what), finding.slips) from None


def _refuted(function):
    """Return the set of misconceptions that a check of this function, in the hidden region or the cell, has refuted."""
    if _region.get() is not None:
        return _region.get().refuted
    if _passed[0] is not function:
        _passed[:] = function, set()
    return _passed[1]


def _ask(function, arguments):
    """Return the answer and None, or None and a finding."""
    try:
        reply = call(function, *arguments.values())
    except NotPlain as problem:
        return None, Finding(_say(problem))
    if reply.printed and _region.get() is None:  # what is printed in a hidden check could show its arguments
        print(reply.printed, end="" if reply.printed.endswith("\n") else "\n")
    if reply.error == "NotImplementedError":
        return None, Finding(NOT_WRITTEN)
    if reply.error == "TookTooLong":
        return None, Finding(TOO_LONG)
    if reply.error is not None:
        text = f"{reply.error}: {reply.error_text}" if reply.error_text else reply.error
        lines = [*_wrap(text), reply.where[:WIDTH]]
        slips = ("singular-matrix",) if "singular matrix" in reply.error_text.lower() else ()
        details = "\n".join(filter(None, lines))
        # The name of an error in a hidden check could be chosen by the hidden arguments, and so tell them.
        name = _article(reply.error) if _region.get() is None else "an error"
        return None, Finding(f"your function stopped with {name}", details, slips)
    if reply.value is None:
        return None, Finding("your function returned nothing (None): is there a return?")
    return reply.value, None


def _is_random(function, arguments, answer, judged):
    """Return whether what is judged differs between calls with the same arguments; a choice among few often agrees."""
    region = _region.get() or _HiddenRegion()
    if region.random or region.repeated >= 2:
        return region.random
    region.repeated += 1
    end = time.monotonic() + 1.0
    for _ in range(12):
        again, problem = _ask(function, arguments)
        try:
            if problem is not None or not _equal(judged(answer), judged(again)):
                region.random = problem is None
                break
        except NotPlain:
            break
        if time.monotonic() > end:
            break
    return region.random


def _article(name):
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name[:40]}"


def _known(slips):
    # A notebook may be newer than the library: what the catalogue does not explain is not named.
    return {key: given for key, given in (slips or {}).items() if key in SLIPS}


def _say(problem):
    """Say why an answer is none; of a hidden check not of which kind it was: its arguments could have chosen it."""
    if _region.get() is None or hasattr(problem, "reason"):  # no answer came, in time or at all
        return str(problem)
    return "what came back is no answer of the kind asked for: numbers, or arrays, lists or tuples of numbers"


def _only_shown(text):
    return text if _region.get() is None else ""


def _compare(answer, expected, rtol, atol, parts):
    """Return None if the answer is as expected, else what is wrong, without values."""
    if isinstance(expected, tuple):
        if isinstance(answer, np.ndarray) and answer.ndim and len(answer) == len(expected):
            answer = list(answer)  # an array of two numbers for a pair
        if not isinstance(answer, list | tuple):
            return f"return {len(expected)} values, separated by commas{_only_shown(f'; {_name_of(answer)} came')}"
        if len(answer) != len(expected):
            return f"return {len(expected)} values, separated by commas{_only_shown(f'; {len(answer)} came')}"
        for i, (part, right) in enumerate(zip(answer, expected, strict=True)):
            wrong = None if right is ANYTHING else _compare(part, right, rtol, atol, ())
            if wrong:
                return f"{parts[i] if i < len(parts) else f'part {i + 1} of the answer'}: {wrong}"
        return None
    try:
        numbers = as_numbers(answer)
    except NotPlain as problem:
        return _say(problem)
    right = np.asarray(expected)
    if numbers.shape != right.shape:
        if _region.get() is not None:
            return "the answer has another shape than it should"
        return f"{_name_of(numbers)} came; expected is {_name_of(right)}"
    if not np.array_equal(np.isnan(numbers), np.isnan(right)):
        return "there are values that are not a number (nan)"
    if not np.array_equal(np.isinf(numbers), np.isinf(right)):
        return "a value is infinite, or should be and is not"
    if right.dtype.kind in "iu" and not np.all(numbers == np.floor(numbers)):
        return "a whole number is expected"
    if np.allclose(numbers, right, rtol=rtol, atol=atol, equal_nan=True):
        return None
    if numbers.ndim == 0:
        return "the value is not right"
    return "the values are not right" if _region.get() is not None else _locate(numbers, right, rtol, atol)


def _locate(numbers, right, rtol, atol):
    wrong = np.argwhere(~np.isclose(numbers, right, rtol=rtol, atol=atol, equal_nan=True))
    places = ", ".join("[" + ", ".join(str(i) for i in place) + "]" for place in wrong[:4])
    return f"{len(wrong)} of {right.size} values are not right: at {places}{', …' if len(wrong) > 4 else ''}"


def _name_of(value):
    shape = np.shape(value) if not isinstance(value, str | dict) else None
    if shape is None:
        return f"a {type(value).__name__}"
    return "a single number" if shape == () else f"an array of shape {shape}"


def _displayed(expected):
    if isinstance(expected, tuple):
        return tuple(part if part is ANYTHING else _displayed(part) for part in expected)
    expected = np.asarray(expected)
    return expected if expected.ndim else expected[()].item()


def _match_slips(function, answer, slips, expected, rtol, atol):
    """Return the misconceptions whose answer came, and note those that would have given another."""
    found, refuted = [], _refuted(function)
    for key, given in slips.items():
        if isinstance(expected, tuple):
            if not (isinstance(given, tuple) and len(given) == len(expected)):
                raise ValueError("a slip has as many parts as the expected answer")
            given = tuple(ANYTHING if right is ANYTHING else part for part, right in zip(given, expected, strict=True))
        if not _compare_quietly(answer, given, rtol, atol):
            refuted.add(key)
        elif _compare(answer, expected, rtol, atol, ()) is not None:
            found.append(key)
    return tuple(found)


def _judged(answer, expected):
    """Return the parts of an answer that are judged."""
    if not isinstance(expected, tuple) or not isinstance(answer, list | tuple) or len(answer) != len(expected):
        return answer
    return [part for part, right in zip(answer, expected, strict=True) if right is not ANYTHING]


def leave_out(answer, expected, at):
    """Return the answer with the right values in the entries of an array that are not judged."""
    if at is None:
        return answer
    with contextlib.suppress(NotPlain):
        numbers, right = as_numbers(answer), np.array(expected, dtype=float)
        if numbers.shape == right.shape:
            right[at] = numbers[at]
            return right
    return answer


def _compare_quietly(answer, expected, rtol, atol):
    return _compare(answer, expected, rtol, atol, ()) is None


def _equal(one, other):
    one, other = ([as_numbers(part) for part in _parts(answer)] for answer in (one, other))
    return len(one) == len(other) and all(
        np.array_equal(*parts, equal_nan=True) for parts in zip(one, other, strict=True)
    )


def _shared(one, other):
    """Return the part of the numbers of one answer, of those that are not whole, that the other has in any order."""
    one, other = (np.concatenate([as_numbers(part).ravel() for part in _parts(answer)]) for answer in (one, other))
    numbers = one[one != np.floor(one)]
    rounded = len(np.unique(numbers)) < 0.9 * len(numbers)  # then they agree by chance
    return np.mean(np.isin(numbers, other)) if len(numbers) and not rounded else 0.0


def _parts(answer):
    """Return the parts of an answer that has a few, each an array or a list of its own; else the answer alone."""
    several = isinstance(answer, list | tuple) and 0 < len(answer) <= 4
    return answer if several and any(isinstance(part, np.ndarray | list | tuple) for part in answer) else [answer]


def _find_distribution_slip(numbers, expected, rtol, atol):
    scale = np.abs(numbers).max()
    if scale <= atol:
        return ("zero-vector",)
    if np.allclose(-numbers, expected, rtol=rtol, atol=atol):
        return ("wrong-sign",)
    if np.allclose(np.abs(numbers), expected / np.linalg.norm(expected), rtol=rtol, atol=atol):
        return ("wrong-sign" if numbers.sum() < 0 else "squared-weights",)
    if len(numbers) > 1 and np.ptp(numbers) <= 1e-9 * scale:
        return ("left-vector",)
    total = numbers.sum()
    if abs(total) > atol and np.allclose(numbers / total, expected, rtol=rtol, atol=atol):
        return ("not-normalised",)
    return ()


def _neighbouring_shapes(shape):
    return [(shape[0] + step, shape[1] + step) for step in (-1, 1)]


def _describe_generator(numbers, expected, atol):
    off_diagonal = numbers - np.diag(np.diag(numbers))
    if np.any(off_diagonal < -atol):
        return "there are negative values off the diagonal, where rates stand"
    scale = max(1.0, np.abs(expected).max())
    wrong = np.flatnonzero(np.abs(numbers.sum(axis=0) - expected.sum(axis=0)) > 1e-9 * scale)
    if len(wrong):
        shown = _only_shown(f": column {wrong[0]} adds up to {numbers[:, wrong[0]].sum():.6g}")
        several = "columns do not all add up to what they should"
        return several if _region.get() is not None else f"{len(wrong)} of {len(expected)} {several}{shown}"
    return None


def _explain(finding, arguments, what):
    lines = [f"✗ {what}" if what else "✗ This check fails"]
    if finding.general is NOT_WRITTEN:
        return "\n".join([*lines, *_wrap(NOT_WRITTEN)])
    lines += _wrap(_sentence(finding.general))
    if finding.slips:
        lines += _name_slip(finding.slips[0])
    lines.append("")
    lines.append("Called with:")
    shown = "\n".join(f"{name} = {show(value, 4)}" for name, value in arguments.items()) or "no arguments"
    lines += textwrap.indent(shown, "  ").split("\n")
    lines += finding.details.split("\n") if finding.details else []
    return "\n".join(lines)


def _summarise(region):
    failed, total = len(region.findings), region.checks
    if all(finding.general is NOT_WRITTEN for finding in region.findings):
        return "\n".join(["✗ Hidden checks", *_wrap(NOT_WRITTEN)])
    lines = [
        f"✗ {failed} of {total} hidden {'check fails' if total == 1 else 'checks fail'}, on values that are not shown."
    ]
    slips = _explain_together(region)
    if slips:
        for slip in slips[:2]:
            lines += _name_slip(slip)
    else:
        for general in list(dict.fromkeys(finding.general for finding in region.findings))[:2]:
            lines += _wrap(_sentence(general))
        lines += _wrap(region.advice)
    return "\n".join(lines)


def _explain_together(region):
    """Choose the misconceptions that explain most of the findings and that no other check refutes."""
    open_findings = [set(finding.slips) - region.refuted for finding in region.findings]
    chosen, enough = [], 0.2 * len(open_findings)
    while candidates := [key for keys in open_findings for key in sorted(keys)]:
        key = max(candidates, key=candidates.count)
        if candidates.count(key) < max(enough, 2 if chosen else 1):  # as often as by coincidence
            break
        chosen.append(key)
        open_findings = [keys for keys in open_findings if key not in keys]
    return chosen


def _name_slip(key):
    return ["", *(line for text in announce(key) for line in _wrap(text))]


def _sentence(text):
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def _wrap(text):
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)

"""Checks of answers without chance: values, the vector of a law, a generator."""

import contextlib
import time

import numpy as np

from acme_lib.teach.check_compare import compare, displayed, equal, judged_parts, leave_out, match_slips
from acme_lib.teach.check_door import NotPlain, as_numbers, show
from acme_lib.teach.check_run import HiddenRegion, ask, hidden_region, is_hidden, known_slips, only_shown, run_check
from acme_lib.teach.check_words import Finding


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
    slips = known_slips(slips)

    def judge(answer):
        answer = leave_out(answer, expected, at)
        found = match_slips(function, answer, slips, expected, rtol, atol)
        general = compare(answer, expected, rtol, atol, parts)
        if general is None:
            return None
        if _is_random(function, arguments, answer, lambda came: judged_parts(leave_out(came, expected, at), expected)):
            found = ("own-random-numbers",)
        details = f"Your answer: {show(answer)}"
        if reveal:
            details += f"\nExpected:    {show(displayed(expected))}"
        return Finding(general, details, found)

    run_check(function, arguments, judge, what)


def _is_random(function, arguments, answer, judged):
    """Return whether what is judged differs between calls with the same arguments; a choice among few often agrees."""
    region = hidden_region() or HiddenRegion()
    if region.random or region.repeated >= 2:
        return region.random
    region.repeated += 1
    end = time.monotonic() + 1.0
    for _ in range(12):
        again, problem = ask(function, arguments)
        try:
            if problem is not None or not equal(judged(answer), judged(again)):
                region.random = problem is None
                break
        except NotPlain:
            break
        if time.monotonic() > end:
            break
    return region.random


def check_distribution(function, arguments, expected, *, slips=None, rtol=1e-6, atol=1e-9, what="", reveal=True):
    """Check a vector of probabilities: shape, sign, sum and values.

    The slips ``not-normalised``, ``squared-weights`` (unit length), ``wrong-sign``, ``zero-vector`` and
    ``left-vector`` (all states alike) are found without being listed. Parameters and errors are those of
    `check_values`.
    """
    expected = np.asarray(expected, dtype=float)
    slips = known_slips(slips)

    def judge(answer):
        found = match_slips(function, answer, slips, expected, rtol, atol)
        general = compare(answer, expected, rtol, atol, ())
        if general is None:
            return None
        with contextlib.suppress(NotPlain):
            numbers = as_numbers(answer).astype(float)
            if numbers.shape == expected.shape and np.all(np.isfinite(numbers)):
                found = found or _find_distribution_slip(numbers, expected, rtol, atol)
                if np.any(numbers < -atol):
                    general = "there are negative values, and probabilities are zero or more"
                elif abs(numbers.sum() - 1) > max(1e-6, rtol):
                    general = f"the values do not add up to one{only_shown(f' but to {numbers.sum():.6g}')}"
        details = f"Your answer: {show(answer)}"
        if reveal:
            details += f"\nExpected:    {show(expected)}"
        return Finding(general, details, found)

    run_check(function, arguments, judge, what)


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


def check_generator(function, arguments, expected, *, slips=None, rtol=1e-6, atol=1e-9, what="", reveal=True):
    """Check a generator A[to, from]: shape, signs, columns and values.

    The slips ``transposed``, ``no-diagonal``, ``positive-diagonal`` and ``truncation-off-by-one`` are found without
    being listed. Parameters and errors are those of `check_values`.
    """
    expected = np.asarray(expected, dtype=float)
    diagonal = np.diag(np.diag(expected))
    slips = known_slips(slips) | {
        "transposed": expected.T,
        "no-diagonal": expected - diagonal,
        "positive-diagonal": expected - 2 * diagonal,
    }

    def judge(answer):
        found = match_slips(function, answer, slips, expected, rtol, atol)
        general = compare(answer, expected, rtol, atol, ())
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

    run_check(function, arguments, judge, what)


def _neighbouring_shapes(shape):
    return [(shape[0] + step, shape[1] + step) for step in (-1, 1)]


def _describe_generator(numbers, expected, atol):
    off_diagonal = numbers - np.diag(np.diag(numbers))
    if np.any(off_diagonal < -atol):
        return "there are negative values off the diagonal, where rates stand"
    scale = max(1.0, np.abs(expected).max())
    wrong = np.flatnonzero(np.abs(numbers.sum(axis=0) - expected.sum(axis=0)) > 1e-9 * scale)
    if len(wrong):
        shown = only_shown(f": column {wrong[0]} adds up to {numbers[:, wrong[0]].sum():.6g}")
        several = "columns do not all add up to what they should"
        return several if is_hidden() else f"{len(wrong)} of {len(expected)} {several}{shown}"
    return None

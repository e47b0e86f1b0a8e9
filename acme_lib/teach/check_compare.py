"""Is a plain answer the expected one? What is wrong with it otherwise, and which misconception gives it."""

import contextlib

import numpy as np

from acme_lib.teach.check_door import NotPlain, as_numbers
from acme_lib.teach.check_run import find_refuted, is_hidden, only_shown, say

ANYTHING = type("Anything", (), {"__repr__": lambda self: "(not judged here)"})()


def compare(answer, expected, rtol, atol, parts):
    """Return None if the answer is as expected, else what is wrong, without values."""
    if isinstance(expected, tuple):
        if isinstance(answer, np.ndarray) and answer.ndim and len(answer) == len(expected):
            answer = list(answer)  # an array of two numbers for a pair
        if not isinstance(answer, list | tuple):
            return f"return {len(expected)} values, separated by commas{only_shown(f'; {name_of(answer)} came')}"
        if len(answer) != len(expected):
            return f"return {len(expected)} values, separated by commas{only_shown(f'; {len(answer)} came')}"
        for i, (part, right) in enumerate(zip(answer, expected, strict=True)):
            wrong = None if right is ANYTHING else compare(part, right, rtol, atol, ())
            if wrong:
                return f"{parts[i] if i < len(parts) else f'part {i + 1} of the answer'}: {wrong}"
        return None
    try:
        numbers = as_numbers(answer)
    except NotPlain as problem:
        return say(problem)
    right = np.asarray(expected)
    if numbers.shape != right.shape:
        if is_hidden():
            return "the answer has another shape than it should"
        return f"{name_of(numbers)} came; expected is {name_of(right)}"
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
    return "the values are not right" if is_hidden() else _locate(numbers, right, rtol, atol)


def _locate(numbers, right, rtol, atol):
    wrong = np.argwhere(~np.isclose(numbers, right, rtol=rtol, atol=atol, equal_nan=True))
    places = ", ".join("[" + ", ".join(str(i) for i in place) + "]" for place in wrong[:4])
    return f"{len(wrong)} of {right.size} values are not right: at {places}{', …' if len(wrong) > 4 else ''}"


def name_of(value):
    """Say in words what came: its shape, or its type."""
    shape = np.shape(value) if not isinstance(value, str | dict) else None
    if shape is None:
        return f"a {type(value).__name__}"
    return "a single number" if shape == () else f"an array of shape {shape}"


def displayed(expected):
    """Return an expected answer as `show` writes what came."""
    if isinstance(expected, tuple):
        return tuple(part if part is ANYTHING else displayed(part) for part in expected)
    expected = np.asarray(expected)
    return expected if expected.ndim else expected[()].item()


def match_slips(function, answer, slips, expected, rtol, atol):
    """Return the misconceptions whose answer came, and note those that would have given another."""
    found, refuted = [], find_refuted(function)
    for key, given in slips.items():
        if isinstance(expected, tuple):
            if not (isinstance(given, tuple) and len(given) == len(expected)):
                raise ValueError("a slip has as many parts as the expected answer")
            given = tuple(ANYTHING if right is ANYTHING else part for part, right in zip(given, expected, strict=True))
        if compare(answer, given, rtol, atol, ()) is not None:
            refuted.add(key)
        elif compare(answer, expected, rtol, atol, ()) is not None:
            found.append(key)
    return tuple(found)


def judged_parts(answer, expected):
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


def equal(one, other):
    """Return whether two answers hold the same numbers, part by part; raises `NotPlain` where one holds others."""
    one, other = ([as_numbers(part) for part in split_parts(answer)] for answer in (one, other))
    return len(one) == len(other) and all(
        np.array_equal(*parts, equal_nan=True) for parts in zip(one, other, strict=True)
    )


def split_parts(answer):
    """Return the parts of an answer that has a few, each an array or a list of its own; else the answer alone."""
    several = isinstance(answer, list | tuple) and 0 < len(answer) <= 4
    return answer if several and any(isinstance(part, np.ndarray | list | tuple) for part in answer) else [answer]

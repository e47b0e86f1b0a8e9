"""Arguments, checked once for all rooms, with one form of message: what was expected, what came."""

import functools
import operator
import sys

import numpy as np

from acme_lib.errors import ParameterError


def expected(name, what, got, hint="", *, error=ParameterError):
    """Return an error that says what was expected and what came.

    >>> raise expected("size", "a whole number of at least 1", 0)
    Traceback (most recent call last):
    acme_lib.errors.ParameterError: size must be a whole number of at least 1, got 0

    Parameters
    ----------
    name : str
        The argument, as the caller wrote it.
    what : str
        What it must be.
    got : object
        What came; its repr is shown, shortened.
    hint : str, optional
        How to fix it: a sentence or an example of what to write.
    error : type, optional
    """
    return error(f"{name} must be {what}, got {shorten(got)}{f': {hint}' if hint else ''}")


def readable(text):
    r"""Return a text of others, such as a name, as it may stand in a line of a log or on a terminal.

    What is not printable (line ends, escape sequences, marks that turn the direction of writing, bytes that are no
    text) is written as Python writes it.

    >>> print(readable("Zoë\x1b[2J"), readable("a\nb"))
    Zoë\x1b[2J a\nb
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def shorten(value, most=80):
    """Return the repr of a value, cut in the middle where it is long; numbers of NumPy as plain numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 20]} … {text[-16:]}"


def check_whole(name, value, least=0, most=None, *, error=ParameterError):
    """Return a whole number as an int; ``True``, 2.5 and text are none, 2.0 is refused too."""
    ok = not isinstance(value, bool | np.bool_) and hasattr(type(value), "__index__") and np.ndim(value) == 0
    if ok:
        whole = operator.index(value)
        if whole >= least and (most is None or whole <= most):
            return whole
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise expected(name, f"a whole number {limits}", value, error=error)


def is_number(value):
    """Whether a value is one finite real number, of Python or NumPy; a truth value is none."""
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and bool(abs(value) <= sys.float_info.max)
    )


def check_number(name, value, *, above=None, least=None, below=None, most=None):
    """Return one finite real number as a float, within bounds: above < value, least <= value, value < below, …."""
    bounds = [
        ("above {:g}", above, operator.gt),
        ("of at least {:g}", least, operator.ge),
        ("below {:g}", below, operator.lt),
        ("of at most {:g}", most, operator.le),
    ]
    bounds = [(text, bound, holds) for text, bound, holds in bounds if bound is not None]
    if is_number(value) and all(holds(value, bound) for _, bound, holds in bounds):
        return float(value)
    if above == 0 and len(bounds) == 1:
        raise expected(name, "a positive number", value)
    words = " and ".join(text.format(bound) for text, bound, _ in bounds)
    raise expected(name, f"a number {words}" if words else "a finite number", value)


def check_positive(**values):
    """Raise `ParameterError` unless every value is one finite number above 0: ``check_positive(k=k, g=g)``."""
    for name, value in values.items():
        check_number(name, value, above=0)


def check_not_negative(**values):
    """Raise `ParameterError` unless every value is one finite number of at least 0."""
    for name, value in values.items():
        check_number(name, value, least=0)


def check_times(t, name="t"):
    """Return times as an increasing float array; a single number is one time.

    Everything that runs in time starts at time 0 and reports at the times that `t` lists, and at no other.
    """
    try:
        times = np.atleast_1d(np.array(t, dtype=float))
    except (TypeError, ValueError):
        times = np.empty(0)
    if times.ndim != 1 or not len(times) or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
        raise expected(
            name, "a time or an increasing sequence of finite times", t, "write np.linspace(0, 10, 101), for example"
        )
    if times[0] < 0:
        raise expected(name, "0 or later: everything starts at time 0", t)
    return times


def check_rng(rng):
    """Return a `numpy.random.Generator`, and nothing else that could draw."""
    if not isinstance(rng, np.random.Generator):
        raise expected("rng", "a numpy.random.Generator", rng, "write rng=np.random.default_rng(seed)")
    return rng


def check_choice(name, value, choices):
    """Return a value that is one of some words."""
    if not (isinstance(value, str) and value in choices):
        *others, last = map(repr, choices)
        raise expected(name, f"{', '.join(others)} or {last}" if others else last, value)
    return value


def renamed(**names):
    """Refuse old names of a function's arguments, and say the new ones; a decorator.

    >>> @renamed(rtol="tolerance")
    ... def solve(*, tolerance=1e-8):
    ...     return tolerance
    >>> solve(rtol=1e-6)
    Traceback (most recent call last):
    acme_lib.errors.ParameterError: solve takes tolerance in place of rtol: write tolerance=1e-06
    """

    def decorate(function):
        @functools.wraps(function)
        def checked(*arguments, **options):
            for old in names.keys() & options.keys():
                raise ParameterError(
                    f"{function.__name__} takes {names[old]} in place of {old}: "
                    f"write {names[old]}={shorten(options[old])}"
                )
            return function(*arguments, **options)

        return checked

    return decorate

"""The door between a check and the learner's function: plain data goes through it, nothing else.

A check never touches the learner's function itself. It hands the function and plain data to `call` and judges the
plain data that comes back. What stands behind the door is replaceable in one place, `use_door`: `LocalDoor` runs the
function in this process (the learner's kernel, and stock nbgrader); a grading engine puts in a door of its own, which
sends the same data to another process. A door is any object with two methods::

    door.call(function, arguments) -> Reply     # arguments: a tuple of plain data and numpy Generators
    door.entropy() -> int                       # fresh entropy for the parameters of hidden checks; may be recorded

Plain data are numbers, strings, truth values, None, NumPy arrays of numbers, and lists, tuples and dicts of those. A
NumPy Generator in the arguments stands for a seed: on the far side a new Generator is made from a seed drawn here.
"""

import builtins
import contextlib
import contextvars
import copy
import ctypes
import io
import math
import secrets
import sys
import threading
import time
import traceback
import warnings
from dataclasses import dataclass

import numpy as np

from acme_lib.arrays import unwrap
from acme_lib.limits import CALL_SECONDS, held

MAX_ELEMENTS = 10_000_000  # numbers in one answer
MAX_PRINTED = 2_000  # characters of the learner's own output that are passed on
MAX_ERROR_TEXT = 300
LONGEST_CALL = CALL_SECONDS  # in this process too; an endless loop would hold the notebook for ever

_NUMPY_SCALARS = frozenset(
    {np.bool_, np.float16, np.float32, np.float64, np.longdouble}
    | {getattr(np, f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)}
    | {np.longlong, np.ulonglong}
)


class TookTooLong(BaseException):
    """Ends a call of the learner's function, which may catch every `Exception`."""


class NotPlain(Exception):
    """An answer is not plain data; the message says what came and what to return instead."""


@dataclass(frozen=True)
class Reply:
    """What came through the door: a value, or the type and text of an error (and the line where it arose)."""

    value: object = None
    error: str | None = None
    error_text: str = ""
    where: str = ""
    printed: str = ""


class LocalDoor:
    """Run the function in this process, on copies of the arguments, with its warnings and its output caught.

    The limits of the grading hold here as well: its time, one process, no network. A call that comes near the first
    says so, since the grading may run on a slower machine.
    """

    def call(self, function, arguments):
        """Call the function with fresh copies of the arguments and return a `Reply`."""
        arguments = tuple(_far_side(argument) for argument in arguments)
        output, start = io.StringIO(), time.monotonic()
        # Warnings and stderr are no reason to lose points: nbgrader gives 0 to a cell with any stderr.
        with warnings.catch_warnings(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            warnings.simplefilter("ignore")
            try:
                with held(), time_limit(LONGEST_CALL):
                    reply = {"value": function(*arguments)}
            except TookTooLong:
                reply = {"error": TookTooLong.__name__}
            except (Exception, SystemExit) as error:
                reply = _describe_error(error)
        seconds = time.monotonic() - start
        if "value" in reply and seconds > LONGEST_CALL / 2:
            limit = f"{LONGEST_CALL:g} s"
            print(f"One call took {seconds:.0f} s; in the grading it is stopped after {limit}. Is there a faster way?")
        return Reply(printed=output.getvalue()[:MAX_PRINTED], **reply)

    def entropy(self):
        """Return 128 fresh random bits."""
        return secrets.randbits(128)


@contextlib.contextmanager
def time_limit(seconds):
    """Raise `TookTooLong` in this thread once the time is over: between two steps of Python, on every system."""
    thread, over = ctypes.c_ulong(threading.get_ident()), threading.Event()
    lock = threading.Lock()

    def stop():
        pause = seconds
        while not over.wait(pause):
            with lock:
                if not over.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TookTooLong))
            pause = 0.5  # again, where a bare `except` has swallowed it

    threading.Thread(target=stop, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            over.set()


_door = contextvars.ContextVar("acme_check_door", default=LocalDoor())  # noqa: B039 (a LocalDoor holds no state)


@contextlib.contextmanager
def use_door(door):
    """Let all calls inside the ``with`` block go through `door`."""
    token = _door.set(door)
    try:
        yield door
    finally:
        _door.reset(token)


def is_local():
    """Whether answers are computed in this process: by a learner, or by stock nbgrader."""
    return isinstance(_door.get(), LocalDoor)


def call(function, *arguments):
    """Call the learner's function through the door.

    Parameters
    ----------
    function : callable
        It is handed on, never looked into.
    *arguments
        Plain data and NumPy Generators.

    Returns
    -------
    Reply
        Its `value` is plain data in new objects: `int`, `float`, `bool`, `str`, None, arrays that are exactly
        `numpy.ndarray` of float64, int64 or bool, and lists, tuples and dicts of those.

    Raises
    ------
    NotPlain
        If what came back is anything else.
    """
    reply = _door.get().call(function, arguments)
    if reply.error is not None:
        return reply
    return Reply(value=read_plain(reply.value), printed=reply.printed)


def fresh_rng():
    """Return a Generator with fresh entropy from the door, for the parameters of a hidden check."""
    return np.random.default_rng(_door.get().entropy())


def read_plain(value):
    """Copy plain data into new base objects, judging types exactly.

    A subclass (of float, of ndarray, …) may lie in its comparisons, so that none is let in.

    Raises
    ------
    NotPlain
    """
    return _read(value, [MAX_ELEMENTS], 0)


def _read(value, budget, depth):
    kind = type(value)
    if depth > 6:
        raise NotPlain("lists inside lists, more than six deep, came back")
    if kind is np.ndarray:
        _spend(budget, value.size)
        return _read_array(value)
    _spend(budget, 1)
    if value is None or kind is bool or kind is float:
        return value
    if kind is str:
        _spend(budget, len(value))
        return value
    if kind is int:
        if not -(2**63) <= value < 2**63:
            raise NotPlain("a whole number beyond 2**63 came back")
        return value
    if kind in _NUMPY_SCALARS:
        return _read_array(np.array(value))[()].item()
    if kind is list or kind is tuple:
        if len(value) > budget[0]:
            _spend(budget, len(value))
        return kind(_read(item, budget, depth + 1) for item in value)
    if kind is dict:
        if not all(type(key) is str for key in value):
            raise NotPlain("a dict came back whose keys are not all strings")
        return {key: _read(item, budget, depth + 1) for key, item in value.items()}
    if (plain := unwrap(value)) is not None:
        return _read(plain, budget, depth + 1)
    raise NotPlain(_advise(kind))


def _read_array(array):
    if array.dtype.kind == "b":
        return np.array(array, dtype=bool, order="C", subok=False)
    if array.dtype.kind in "iu":
        if array.size and array.dtype.kind == "u" and array.max() >= 2**63:
            raise NotPlain("a whole number beyond 2**63 came back")
        return np.array(array, dtype=np.int64, order="C", subok=False)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.array(array, dtype=np.float64, order="C", subok=False)
    if array.dtype.kind == "c":
        raise NotPlain("complex numbers came back (numpy.linalg.eig makes them); return real numbers: take their .real")
    if array.dtype.kind == "O":
        raise NotPlain("an array of Python objects came back; are its rows equally long, and are they all numbers?")
    raise NotPlain(f"an array of {array.dtype.name[:30]} came back; return an array of numbers")


def _spend(budget, amount):
    budget[0] -= amount
    if budget[0] < 0:
        raise NotPlain(f"more than {MAX_ELEMENTS:,} numbers came back")


# Names of types that a message repeats. A class of the learner's own could carry hidden values out in its name.
_KNOWN_KINDS = frozenset(
    "bytes bytearray complex complex64 complex128 dict_keys dict_values dict_items Decimal Fraction filter frozenset "
    "function builtin_function_or_method CPUDispatcher DataFrame Series Index Generator generator list map matrix "
    "MaskedArray memmap method module ndarray object poly1d Polynomial range recarray set slice str_ type ufunc zip "
    "csr_matrix csc_matrix coo_matrix lil_matrix dok_matrix dia_matrix bsr_matrix csr_array csc_array coo_array "
    "lil_array dok_array dia_array bsr_array Symbol Float Integer Rational".split()
)


def _advise(kind):
    return advise_on_kind(str(type.__getattribute__(kind, "__name__")))


def advise_on_kind(name):
    """Say what to return instead of an object whose type has this name."""
    if name not in _KNOWN_KINDS:
        return (
            "an object of another kind came back; return numbers, NumPy arrays of numbers, or lists or tuples of those"
        )
    if name == "complex" or name.startswith("complex"):
        return "a complex number came back; return a real one: take its .real"
    if name.endswith(("_matrix", "_array")):
        return f"a {name} came back; return a NumPy array: call .toarray() on a sparse matrix"
    if name in ("generator", "map", "zip", "filter", "range"):
        return f"a {name} came back; put its items into a list or an array"
    if name in ("function", "builtin_function_or_method", "CPUDispatcher", "type"):
        return f"a {name} came back instead of a value; are the brackets of a call missing after return?"
    return f"a {name} came back; return numbers, NumPy arrays of numbers, or lists or tuples of those"


# Errors whose names a message repeats, for the same reason.
_KNOWN_ERRORS = frozenset(
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
) | {"LinAlgError", "AxisError", "TypingError", "UnsupportedError", "LoweringError"}


def error_name(name):
    """Return the name of an error where it is a usual one, else ``"Exception"``."""
    return name if name in _KNOWN_ERRORS else "Exception"


def as_numbers(value):
    """Turn a plain value into an array of numbers (int64 or float64).

    Raises
    ------
    NotPlain
    """
    if value is None:
        raise NotPlain("your function returned nothing (None): is there a return?")
    if isinstance(value, str | dict):
        raise NotPlain(f"a {type(value).__name__} came back; return numbers")
    if isinstance(value, list | tuple):
        if any(item is None for item in value):
            raise NotPlain("a None came back among the numbers")
        rows = (item if type(item) in (list, tuple) else (item,) for item in value)
        plain = {type(item) for row in rows for item in row} <= {int, float}
        try:  # long lists of rows of numbers are read at once
            value = np.array(value if plain else [as_numbers(item) for item in value])
        except ValueError:
            raise NotPlain("a list came back whose rows are not equally long") from None
        if value.size == 0:
            value = value.astype(float)
    value = np.asarray(value)
    if value.dtype.kind == "b":
        raise NotPlain("a truth value (True or False) came back where a number is expected")
    return value


def _far_side(argument):
    if isinstance(argument, np.random.Generator):
        return np.random.default_rng(int(argument.integers(2**63)))
    if type(argument) is str:  # as on the far side: `is` finds it equal to the same word in an answer
        return sys.intern(argument)
    if type(argument) in (list, tuple):
        return type(argument)(_far_side(item) for item in argument)
    if type(argument) is dict:
        return {_far_side(key): _far_side(value) for key, value in argument.items()}
    return copy.deepcopy(argument)


def _describe_error(error):
    kind = type(error)
    try:
        text = str(error)[:MAX_ERROR_TEXT]
    except Exception:
        text = ""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first frame is the door
    own = [frame for frame in frames if frame.line and "site-packages" not in frame.filename]
    where = f"line {own[-1].lineno}: {own[-1].line}" if own else ""
    return {"error": error_name(kind.__name__), "error_text": text, "where": where}


def show(value, limit=8):
    """Write plain data for a message, cut after `limit` lines."""
    if isinstance(value, np.random.Generator):
        return "a random generator"
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=6, threshold=40, max_line_width=66, suppress_small=False)
    elif isinstance(value, tuple):
        text = "(" + ", ".join(show(item) for item in value) + ")"
    elif isinstance(value, list):
        text = "[" + ", ".join(show(item) for item in value[:12]) + (", …]" if len(value) > 12 else "]")
    elif isinstance(value, float):
        text = f"{value:.8g}" if math.isfinite(value) else str(value)
    else:
        text = repr(value)
    lines = text.split("\n")
    return "\n".join(lines[:limit] + (["…"] if len(lines) > limit else []))

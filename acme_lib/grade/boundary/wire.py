"""Plain data on the wire: one frame is a JSON text and the arrays that it mentions, as ``.npy``. Never pickle.

Both sides of the boundary use this module; only the trusted side has to trust it. `decode` therefore takes nothing for
granted: lengths, types, shapes, depth and the number of values are checked before anything is built from them, and
whatever is wrong ends as `Malformed`. The far side may lie about its data; it can only lie in plain data. Time and
memory grow with the length of a frame and not faster: an array is read once, however often it is named, and no set or
dict is built whose keys all fall on one place of its table.

==================  =======================================================
value               JSON
==================  =======================================================
None, bool, str     as they are
int, float          as they are (NaN and Infinity by these names)
list                array
anything else       an object with one key: ``t`` tuple, ``d`` dict (pairs), ``s`` set, ``z`` frozenset, ``c`` complex,
                    ``a`` array (where it stands), ``m`` NumPy number (its type and value) and ``n`` complex one (where
                    it stands), ``g`` Generator (its seed), ``f`` function of the other side (its number), ``o``
                    function of the receiver's own (its name), ``x`` not plain (the name of its type)
==================  =======================================================
"""

import io
import json
import math
import re
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

MAX_FRAME = 96 * 2**20  # bytes; ten million numbers of eight bytes fit
MAX_TEXT = 16 * 2**20  # bytes of JSON
MAX_VALUES = 1_000_000  # values in the JSON of one frame
MAX_OBJECTS = 400_000  # of which are marked, {"t": …} and the like
MAX_ARRAYS = 1_000
MAX_DEPTH = 12
MAX_STRANGE = 100  # values of a frame that are not plain
MAX_KEYS = 20_000  # of all sets and dicts of a frame together, texts apart
MAX_ALIKE = 8  # keys of one hash in a set or dict: Python compares each with all others

_HEAD = struct.Struct("<4sIH")
_LENGTH = struct.Struct("<Q")
_MAGIC = b"acme"
_KINDS = frozenset("biufc")  # the kinds of numbers in NumPy
# Those that stand in the text: an answer may be a list of many thousands of them.
_SHORT = {code: np.dtype(code).type for code in "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split()}


class Malformed(Exception):
    """What came over the wire is not what was agreed on."""


class TooLarge(Malformed):
    """What came over the wire is larger than what was agreed on."""


class ChannelClosed(Exception):
    """The other side is gone."""


@dataclass(frozen=True)
class NotPlainValue:
    """The place of a value that is not plain data; `kind` is the name of its type, as the far side gives it."""

    kind: str


@dataclass(frozen=True)
class FunctionOfOtherSide:
    """The place of a function that lives where the frame came from."""

    number: int


@dataclass(frozen=True)
class OwnFunction:
    """The name of a function that lives where the frame goes to."""

    name: str


@dataclass(frozen=True)
class Seed:
    """The place of a numpy Generator."""

    value: int


def encode(value, *, special=None):
    """Return the bytes of a frame.

    Parameters
    ----------
    value : object
        What is not plain becomes a `NotPlainValue`.
    special : callable, optional
        Called with each value that is not plain; returns plain data, one of the markers of this module, or None.
    """
    arrays = []
    text = json.dumps(_lower(value, arrays, special, 0), ensure_ascii=True, separators=(",", ":")).encode()
    parts = [_HEAD.pack(_MAGIC, len(text), len(arrays)), text]
    for array in arrays:
        parts += [_LENGTH.pack(len(array)), array]
    return b"".join(parts)


def _lower(value, arrays, special, depth):
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        return value if abs(value) < 2**1000 else {"x": "int of more than 1000 bits"}
    if kind is str:
        # A lone surrogate has no place in UTF-8.
        return value.encode("utf-8", "replace").decode()
    if depth > MAX_DEPTH:
        return {"x": "list inside lists"}
    down = depth + 1
    if kind is list:
        return [_lower(item, arrays, special, down) for item in value]
    if kind is tuple:
        return {"t": [_lower(item, arrays, special, down) for item in value]}
    if kind is set or kind is frozenset:
        return {"s" if kind is set else "z": [_lower(item, arrays, special, down) for item in value]}
    if kind is dict:
        return {
            "d": [
                [_lower(key, arrays, special, down), _lower(item, arrays, special, down)] for key, item in value.items()
            ]
        }
    if kind is complex:
        return {"c": [value.real, value.imag]}
    if kind is Seed:
        return {"g": value.value}
    if kind is NotPlainValue:
        return {"x": value.kind[:80]}
    if kind is OwnFunction:
        return {"o": value.name}
    if kind is FunctionOfOtherSide:
        return {"f": value.number}
    if kind is np.ndarray or (isinstance(value, np.generic) and kind.__module__ == "numpy"):
        array = np.asarray(value)
        if array.dtype.kind not in _KINDS:
            return {"x": f"ndarray of {array.dtype.name}"}
        if array.dtype.itemsize > 16 or array.dtype in (np.longdouble, np.clongdouble):
            array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
        if kind is not np.ndarray and array.dtype.str[1:] in _SHORT:
            return {"m": [array.dtype.str[1:], array.item()]}
        if len(arrays) >= MAX_ARRAYS:
            return {"x": "list of more than a thousand arrays"}
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
        arrays.append(buffer.getvalue())
        return {"a" if kind is np.ndarray else "n": len(arrays) - 1}
    marker = special(value) if special else None
    if marker is not None:
        return _lower(marker, arrays, special, down)
    return {"x": str(type.__getattribute__(kind, "__name__"))[:80]}


def decode(frame):
    """Build the value of a frame.

    Raises
    ------
    Malformed
        Or `TooLarge`, for anything that is not as it should be.
    """
    try:
        return _decode(memoryview(frame))
    except Malformed:
        raise
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        RecursionError,
        MemoryError,
        OverflowError,
        struct.error,
        SyntaxError,
    ) as error:
        raise Malformed(f"not readable: {type(error).__name__}") from None


def _decode(frame):
    magic, length, n_arrays = _HEAD.unpack_from(frame)
    if magic != _MAGIC or n_arrays > MAX_ARRAYS:
        raise Malformed("not a frame")
    if length > MAX_TEXT or len(frame) > MAX_FRAME:
        raise TooLarge("too many values")
    text = bytes(frame[_HEAD.size : _HEAD.size + length])
    if len(text) != length:
        raise Malformed("cut short")
    if text.count(b",") + text.count(b"[") > MAX_VALUES or text.count(b"{") > MAX_OBJECTS:
        raise TooLarge("too many values")
    at, blobs = _HEAD.size + length, []
    for _ in range(n_arrays):
        (size,) = _LENGTH.unpack_from(frame, at)
        at += _LENGTH.size
        if size > len(frame) - at:
            raise Malformed("cut short")
        blobs.append(frame[at : at + size])
        at += size
    if at != len(frame):
        raise Malformed("something follows the frame")
    return _raise(json.loads(text), _Rest(blobs), 0)


class _Rest:
    """What may still be built from a frame: its arrays, each once; so many keys; so many values that are not plain."""

    def __init__(self, blobs):
        self._blobs = blobs
        self._keys, self._strange = MAX_KEYS, MAX_STRANGE

    def take_array(self, number):
        blob, self._blobs[number] = self._blobs[number], None
        if blob is None:
            raise Malformed("an array that is there twice")
        return _read_array(blob)

    def take_strange(self, kind):
        self._strange -= 1
        if self._strange < 0:
            raise TooLarge("too many values that are not plain")
        return NotPlainValue(kind[:80])

    def take_keys(self, keys):
        """Return keys that a set or dict can be built of in linear time.

        Numbers can be chosen such that their hashes agree; the hashes of texts cannot be foretold. Keys whose hashes
        differ can still be made to meet, so that their number is bounded as well.
        """
        rest = keys if not sys.flags.hash_randomization else [key for key in keys if type(key) is not str]
        self._keys -= len(rest)
        if self._keys < 0:
            raise TooLarge("too many keys")
        if rest and max(Counter(map(_fingerprint, rest)).values()) > MAX_ALIKE:
            raise Malformed("keys that are made to collide")
        return keys


def _fingerprint(key):
    return str(hash(key))  # a text: a table of these numbers themselves would have the same fault


def _raise(item, rest, depth):
    kind = type(item)
    if kind is list:
        if depth > MAX_DEPTH:
            raise Malformed("too deep")
        return [_raise(part, rest, depth + 1) for part in item]
    if kind is not dict:
        return item
    if len(item) != 1 or depth > MAX_DEPTH:
        raise Malformed("not a value")
    ((tag, body),) = item.items()
    if tag in "tszd" and type(body) is not list:
        raise Malformed("not a container")
    if tag == "t":
        return tuple(_raise(part, rest, depth + 1) for part in body)
    if tag == "s" or tag == "z":
        keys = rest.take_keys([_raise(part, rest, depth + 1) for part in body])
        return (set if tag == "s" else frozenset)(keys)
    if tag == "d":
        pairs = [(_raise(key, rest, depth + 1), _raise(part, rest, depth + 1)) for key, part in body]
        rest.take_keys([key for key, _ in pairs])
        return dict(pairs)
    if tag == "c":
        real, imaginary = body
        return complex(_number(real), _number(imaginary))
    if tag == "a" or tag == "n":
        array = rest.take_array(_natural(body))
        return array if tag == "a" else array[()]
    if tag == "m":
        return _read_number(*body)
    if tag == "g":
        return Seed(_natural(body))
    if tag == "f":
        return FunctionOfOtherSide(_natural(body))
    if tag == "o" and type(body) is str:
        return OwnFunction(body)
    if tag == "x" and type(body) is str:
        return rest.take_strange(body)
    raise Malformed("not a value")


def _natural(value):
    if type(value) is not int or value < 0:
        raise Malformed("not a number")
    return value


def _number(value):
    if type(value) not in (int, float):
        raise Malformed("not a number")
    return float(value)


def _read_number(code, value):
    fitting = {"b": (bool,), "f": (int, float)}.get(code[0], (int,))
    if type(value) not in fitting:
        raise Malformed("not a number")
    with np.errstate(over="ignore"):
        return _SHORT[code](value)


_HEADER = re.compile(
    rb"\{'descr': '([<>|=][biufc]\d{1,2})', 'fortran_order': (True|False), 'shape': \(([\d, ]{0,200})\), \} *\n"
)


def _read_array(blob):
    """Read an array from the bytes of a ``.npy`` file of version 1.0, as NumPy writes it and in no other form."""
    if bytes(blob[:8]) != b"\x93NUMPY\x01\x00":
        raise Malformed("not an array")
    start = 10 + int.from_bytes(blob[8:10], "little")
    header = _HEADER.fullmatch(bytes(blob[10 : min(start, 1024)]))
    if header is None:
        raise Malformed("not an array of numbers")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(n) for n in header[3].replace(b" ", b"").split(b",") if n)
    body = blob[start:]
    if dtype.itemsize > 16 or len(shape) > 16 or math.prod(shape) * dtype.itemsize != len(body):
        raise Malformed("an array whose shape and length differ")
    array = np.frombuffer(body, dtype=dtype).reshape(shape, order="F" if header[2] == b"True" else "C")
    return np.array(array, order="C")  # a copy: writable, and the frame can go


def send(channel, frame):
    """Send the bytes of a frame over a socket."""
    try:
        channel.sendall(_LENGTH.pack(len(frame)))
        channel.sendall(frame)
    except (BrokenPipeError, ConnectionError):
        raise ChannelClosed from None


def receive(channel, limit=MAX_FRAME, deadline=None):
    """Receive the bytes of a frame from a socket, all of it before `deadline` (of ``time.monotonic``).

    Raises
    ------
    ChannelClosed, TooLarge, TimeoutError
    """
    (length,) = _LENGTH.unpack(_receive_exactly(channel, _LENGTH.size, deadline))
    if length > limit:
        raise TooLarge("too many values")
    return _receive_exactly(channel, length, deadline)


def _receive_exactly(channel, length, deadline):
    buffer = bytearray()
    while len(buffer) < length:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            channel.settimeout(left)
        try:
            part = channel.recv(min(length - len(buffer), 2**20))
        except ConnectionError:
            raise ChannelClosed from None
        if not part:
            raise ChannelClosed
        buffer += part
    return bytes(buffer)

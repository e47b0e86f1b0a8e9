"""One process in the sandbox, seen from the trusted side: questions to it, and what of its answers may be used.

What comes back is measured, decoded and judged here before anything uses it: a late, malformed or oversized answer is
`NoAnswer`, a `NotPlain` of the checks, and so costs its question alone.
"""

import secrets
import signal
import time

import numpy as np

from acme_lib.grade.boundary import wire
from acme_lib.grade.boundary.stand_in import NoAnswer, StandIn
from acme_lib.teach.check_door import NotPlain, Reply, advise_on_kind, error_name

MAX_CALLBACKS = 200_000  # calls of a test's function by a student's function, in one call
MAX_TEXT = 300
_KINDS = ("function", "data", "module", "missing")

_ENDINGS = {
    "late": "no answer came within {seconds:g} seconds: does a loop never end, or is there a faster way?",
    "ended": "the process that ran your code ended before it answered: did it use too much memory, or end itself?",
    "too large": "more data came back than an answer may hold",
    "malformed": "no answer that can be read came back",
    "finished": "the grading of this notebook is over",
}


class FarSide:
    """One process in the sandbox: the definitions of one submission, and calls of them.

    Values and errors come as `acme_lib.teach.check_door.Reply`. Anything else, and everything after it, is `NoAnswer`.
    """

    def __init__(self, sandbox, number, channel, seconds):
        self._sandbox, self._number, self._channel = sandbox, number, channel
        self._last = time.monotonic() + seconds
        self.ended = None  # why: a key of _ENDINGS
        self.usage = {}

    def run_cell(self, name, code, unless=()):
        """Run a cell, or the pieces of one; return a `Reply` without a value.

        It is passed over where all names of `unless`, those that a cell without an answer binds, are there already.
        """
        return self._reply(self._ask({"op": "cell", "name": name, "code": code, "unless": list(unless)}))

    def find_kinds(self, names):
        """Say what each name is over there: ``"function"``, ``"data"``, ``"module"`` or ``"missing"``."""
        kinds = self._ask({"op": "kinds", "names": list(names)}).get("value")
        if type(kinds) is not dict:
            return dict.fromkeys(names, "missing")
        found = {name: kinds.get(name) for name in names}
        return {name: kind if type(kind) is str and kind in _KINDS else "missing" for name, kind in found.items()}

    def fetch(self, name):
        """Return the value of a variable over there, as a `Reply`."""
        return self._reply(self._ask({"op": "fetch", "name": name}))

    def call(self, name, *arguments, **named):
        """Call a function over there, as a `Reply`.

        Arguments are plain data, Generators (a new one with a seed drawn from it is made over there), functions of this
        side (they are called back) and `StandIn` objects.
        """
        functions = []

        def lower(value):
            return _lower_argument(value, functions)

        request = {"op": "call", "name": name, "arguments": list(arguments), "named": named}
        return self._reply(self._ask(request, functions, lower))

    def _ask(self, request, functions=(), special=None):
        if self.ended:
            raise self._no_answer()
        request["id"] = secrets.randbits(60)
        seconds = self._sandbox.limits.call_seconds
        deadline = min(time.monotonic() + seconds, self._last)
        try:
            self._channel.settimeout(max(deadline - time.monotonic(), 0.01))
            wire.send(self._channel, wire.encode(request, special=special))
            for _ in range(MAX_CALLBACKS):
                answer = wire.decode(wire.receive(self._channel, deadline=deadline))
                if type(answer) is not dict or not all(type(key) is str for key in answer):
                    raise wire.Malformed("not an answer")
                if "callback" not in answer:
                    break
                wire.send(self._channel, wire.encode(_run_callback(functions, answer)))
            if type(answer.get("id")) is not int or answer["id"] != request["id"]:
                raise wire.Malformed("not the answer to this question")
        except TimeoutError:
            self.end("late")
        except (wire.ChannelClosed, OSError):
            self.end("ended")
        except wire.TooLarge:
            self.end("too large")
        except Exception:  # `Malformed`, or whatever else could be made to happen while an answer is read
            self.end("malformed")
        if self.ended:
            raise self._no_answer()
        return answer

    def _no_answer(self):
        seconds = self._sandbox.limits.call_seconds
        return NoAnswer(_ENDINGS[self.ended].format(seconds=seconds), self.ended)

    def _reply(self, answer):
        printed = _clean(answer.get("printed"), 2000)
        if "error" in answer:
            answer["error"] = answer["error"] if type(answer["error"]) is str else "Exception"
            return Reply(
                error=error_name(answer["error"][:80]),
                error_text=_clean(answer.get("text"), MAX_TEXT),
                where=_clean(answer.get("where"), 200),
                printed=printed,
            )
        value = answer.get("value")
        kind = _find_not_plain(value, 0)
        if kind is not None:
            raise NotPlain(advise_on_kind(kind))
        return Reply(value=value, printed=printed)

    def end(self, reason="finished"):
        """End the process."""
        if self.ended is None:
            self.ended = reason
            self._channel.close()
            self.usage = self._sandbox.dismiss(self._number)
            if reason == "ended" and self.usage.get("status") == -signal.SIGXCPU:
                self.ended = "late"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def _lower_argument(value, functions):
    if isinstance(value, np.random.Generator):
        return wire.Seed(int(value.integers(2**63)))
    if isinstance(value, StandIn):
        return wire.OwnFunction(value.__name__)
    if callable(value) and not isinstance(value, type):
        functions.append(value)
        return wire.FunctionOfOtherSide(len(functions) - 1)
    return None


def _run_callback(functions, request):
    number, arguments, named = request["callback"], request.get("arguments"), request.get("named")
    if type(number) is not int or not 0 <= number < len(functions):
        raise wire.Malformed("no such function")
    if type(arguments) is not list or type(named) is not dict or not all(type(name) is str for name in named):
        raise wire.Malformed("no arguments")
    if _find_not_plain([arguments, named], 0) is not None:
        return {"error": "TypeError", "text": "only plain data can be handed to this function"}
    try:
        return {"value": functions[number](*arguments, **named)}
    except Exception as error:
        return {"error": error_name(type(error).__name__), "text": _clean(str(error), MAX_TEXT)}


def _find_not_plain(value, depth):
    """Return the kind of the first thing in a decoded value that is no value, or None."""
    kind = type(value)
    if kind is wire.NotPlainValue:
        return value.kind.split(" of ")[0] if value.kind.startswith("list") else value.kind
    if kind in (wire.Seed, wire.FunctionOfOtherSide, wire.OwnFunction):
        return "function"
    if kind is dict:
        value = [*value.keys(), *value.values()]
    elif kind not in (list, tuple, set, frozenset):
        return None
    for item in value:
        if (found := _find_not_plain(item, depth + 1)) is not None:
            return found
    return None


def _clean(text, length):
    """Return text of the far side without anything but printable characters and line ends."""
    if type(text) is not str:
        return ""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text[: 4 * length])[:length]

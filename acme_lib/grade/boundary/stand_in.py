"""A student's function as a test sees it: calls go across the boundary, and plain data comes back.

`StandIn` is what a test cell finds under the name of a student's function; `RemoteDoor` is the door of
`acme_lib.teach.check_door` through which the checks call it; `NoAnswer` is what an unusable answer becomes.
"""

import contextlib

import numpy as np

from acme_lib.teach.check_door import LocalDoor, NotPlain


class NoAnswer(NotPlain):
    """No usable answer came; the message is for the learner. `reason` is one word for the log."""

    def __init__(self, message, reason):
        super().__init__(message)
        self.reason = reason


class StandIn:
    """A student's function, on this side of the boundary: a call goes across, and plain data comes back.

    An error over there is raised here, as the built-in error of that name, or as `RuntimeError`. NaN and infinity are
    no answers (no comparison of a test can be trusted with NaN) unless `finite` is False; the checks of
    `acme_lib.teach`, which judge such values, do not call a stand-in but go through the door.
    """

    def __init__(self, name, caller, *, finite=True):
        self.__name__ = self.__qualname__ = name
        self.__doc__ = None
        self._caller, self._finite = caller, finite

    def __call__(self, *arguments, **named):
        """Call the student's function."""
        reply = self._caller(self.__name__, *arguments, **named)
        if reply.error is not None:
            raise _error_of(reply)
        if self._finite:
            refuse_non_finite(reply.value)
        return reply.value

    def __repr__(self):
        return f"<{self.__name__}, a function of the student>"


def refuse_non_finite(value):
    """Raise `NoAnswer` where there is a NaN or an infinity in plain data."""
    if not _is_finite(value):
        raise NoAnswer("a value that is not finite (nan or inf) came back", "not finite")


def _is_finite(value):
    kind = type(value)
    if kind in (float, complex) or isinstance(value, np.generic | np.ndarray):
        return bool(np.all(np.isfinite(value)))
    if kind is dict:
        return all(_is_finite(item) for pair in value.items() for item in pair)
    if kind in (list, tuple, set, frozenset):
        return all(_is_finite(item) for item in value)
    return True


def _error_of(reply):
    import builtins

    kind = getattr(builtins, reply.error, None)
    text = reply.error_text or reply.error
    if isinstance(kind, type) and issubclass(kind, Exception):
        with contextlib.suppress(Exception):
            return kind(text)  # UnicodeDecodeError and the like take more than a text
    return RuntimeError(f"{reply.error}: {text}")


class RemoteDoor:
    """The door of `acme_lib.teach.check_door` that leads to a submission.

    Parameters
    ----------
    caller : callable
        ``caller(name, *arguments)`` returns a `Reply`.
    draw : callable
        Returns the next integer of entropy, which is recorded by its seed.
    """

    def __init__(self, caller, draw):
        self._caller, self._draw = caller, draw
        self._local = LocalDoor()

    def call(self, function, arguments):
        """Call a student's function; a test's own function is called here."""
        if not isinstance(function, StandIn):
            return self._local.call(function, arguments)
        return self._caller(function.__name__, *arguments)

    def entropy(self):
        """Return the next recorded entropy."""
        return self._draw()

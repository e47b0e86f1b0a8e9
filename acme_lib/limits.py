"""What the grading allows a student's code, held alike where it is graded and where the learner tries it.

In the grading a sandbox is the wall (`acme_lib.grade.boundary`); what is refused here is refused there as well, so that
a function that passes its checks in the notebook does not lose points for how it computes. Here nothing is a wall: a
learner has no reason to climb it.
"""

import contextlib
import sys

CALL_SECONDS = 20.0  # on the wall, for one call of a function, or for one cell with an answer

_ALONE = "your code runs in one process: without multiprocessing, and without other programs"
_OFFLINE = "your code runs without a network"
_REFUSED = {
    **dict.fromkeys(("os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system"), _ALONE),
    **dict.fromkeys(("subprocess.Popen", "_winapi.CreateProcess", "os.startfile"), _ALONE),
    **dict.fromkeys(("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"), _OFFLINE),
}
_LOCAL = ("127.0.0.1", "::1", "localhost")  # asyncio talks so to itself on Windows
_held = 0
_hooked = False


def _watch(event, arguments):
    if not _held or event not in _REFUSED:
        return
    if event == "socket.connect" and (type(arguments[1]) is not tuple or arguments[1][0] in _LOCAL):
        return
    raise PermissionError(f"In the grading {_REFUSED[event]}")


def _guard(owner, name):
    original = getattr(owner, name)

    def guarded(*arguments, **named):
        _watch("subprocess.Popen", arguments)
        return original(*arguments, **named)

    setattr(owner, name, guarded)


def hold():
    """Refuse processes, programs and the network in this process from now on, with a `PermissionError` that says so."""
    global _held, _hooked
    if not _hooked:  # for the life of the process
        _hooked = True
        sys.addaudithook(_watch)
        with contextlib.suppress(ImportError):  # what multiprocessing does, which no hook is told of
            import _posixsubprocess
            import multiprocessing.synchronize

            _guard(_posixsubprocess, "fork_exec")
            _guard(multiprocessing.synchronize.SemLock, "__init__")
    _held += 1


def release():
    """Take one `hold` back."""
    global _held
    _held -= 1


@contextlib.contextmanager
def held():
    """Hold the limits for a ``with`` block."""
    hold()
    try:
        yield
    finally:
        release()

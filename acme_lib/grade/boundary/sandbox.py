"""The boundary, seen from the trusted side: a sandbox, and the processes in it.

`Sandbox` starts the parent process of `acme_lib.grade.boundary.far_side` once, under bubblewrap where there is one;
`Sandbox.admit` gives a fresh process for one submission, a `FarSide`. `shared_sandbox` keeps the sandboxes of this
process, so that each is started once and warm from then on. What guards: `acme_lib.grade.boundary.guards`.
"""

import atexit
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from dataclasses import asdict
from pathlib import Path

from acme_lib.errors import GradingError
from acme_lib.grade.boundary import lockdown, wire
from acme_lib.grade.boundary.bubblewrap import (
    existing,
    find_setup,
    find_users,
    is_seen,
    library_folder,
    masks,
    prefixes_of_python,
    search_path,
    view,
)
from acme_lib.grade.boundary.guards import Limits, NotGuardedWarning, find_guards
from acme_lib.grade.boundary.student import FarSide

PRELOAD = (
    "numpy",
    "numpy.linalg",
    "numpy.random",
    "scipy",
    "scipy.integrate",
    "scipy.interpolate",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.sparse.linalg",
    "scipy.special",
    "scipy.stats",
    "numba",
    "pandas",
    "IPython.core.inputtransformer2",
)
_OTHER_THREADS = 256  # that a user may start elsewhere while a submission runs


# What starts the far side: the same search path, and the library of this side, wherever it lies.
_BOOT = """\
import os, sys
sys.path[:] = [sys.argv[1], *sys.argv[2].split(os.pathsep)]
import acme_lib
del sys.path[0], sys.argv[1:3]
from acme_lib.grade.boundary.far_side import main
main()
"""


class Sandbox:
    r"""A locked-down place for the code of students, with a warm interpreter in it.

    Parameters
    ----------
    forbidden : iterable of str
        Dotted names of modules, functions and methods that solutions may not use.
    limits : Limits
        What each submission may use.
    data : path, optional
        A folder that lies as ``data`` in the working directory of every submission, read-only.
    course : path, optional
        The folder of the course: hidden even where it lies inside what the interpreter needs.
    require : str
        ``"namespaces"`` refuses to work without them; ``"limits"`` works with less, and warns.

    Raises
    ------
    GradingError
        If this machine cannot guard as required, or the far side does not start.

    Examples
    --------
    >>> from acme_lib.grade import Sandbox
    >>> with Sandbox() as sandbox, sandbox.admit(seed=1) as student:
    ...     student.run_cell("answer", "def double(x):\n    return 2 * x")
    ...     student.call("double", 21).value
    Reply(value=None, error=None, error_text='', where='', printed='')
    42
    """

    def __init__(self, *, forbidden=(), limits=None, data=None, course=None, require="limits"):
        if require not in ("namespaces", "limits"):
            raise GradingError(f"require must be 'namespaces' or 'limits', got {require!r}")
        self.limits = limits or Limits()
        self.forbidden = tuple(forbidden)
        self.guards = find_guards()
        if "limits" not in self.guards:
            raise GradingError(
                "students' code is graded where processes can be forked (Linux, macOS); on Windows, grade in WSL"
            )
        if "namespaces" not in self.guards:
            self._admit_that_it_is_open(require)
        self._data, self._course = data, course
        self._numbers = iter(range(1, 2**62))
        self._admitted = weakref.WeakSet()
        self._users, self._first_user = None, 0
        self._scratch = None
        self._process = None
        self._start()

    def _admit_that_it_is_open(self, require):
        how = find_setup()[1] or "install the system package `bubblewrap`"
        if require == "namespaces":
            raise GradingError(f"grading unguarded is refused (require='namespaces'): {how}")
        without = "read the files that you can read" + ("" if "filter" in self.guards else ", use the network")
        warnings.warn(
            f"students' code is not in a sandbox: it can {without}, solutions and gradebook among them; {how}",
            NotGuardedWarning,
            stacklevel=3,
        )

    def _start(self):
        guarded = "namespaces" in self.guards
        self._control, far = socket.socketpair()
        data = str(self._data) if self._data and os.path.isdir(self._data) and os.listdir(self._data) else None
        path, packages = search_path()
        setup = find_setup()[0]
        needed = existing([*prefixes_of_python(), *packages, library_folder()])
        if guarded:
            self._users = setup.users
        else:  # as root, become nobody in particular, if what is needed can still be read then
            self._scratch = _Scratch()
            readable = all(_everyone_may_read(folder) for folder in (*needed, self._scratch.path, data) if folder)
            self._users = find_users() if readable else None
        if self._users:
            self._first_user = secrets.randbelow(len(self._users))
        settings = {
            "namespaces": guarded,
            "filter": "filter" in self.guards,
            "limits": asdict(self.limits),
            "forbidden": list(self.forbidden),
            "preload": list(PRELOAD),
            "warm_numba": True,
            "data": ("/data" if guarded else data) if data else None,
            "scratch": self._scratch and self._scratch.path,
            "keep": needed,
        }
        command = [sys.executable, "-P", "-s", "-B", "-c", _BOOT, str(library_folder().parent), os.pathsep.join(path)]
        command += [str(far.fileno()), json.dumps(settings)]
        if guarded:
            roots = [self._course] if self._course else []
            command = [
                shutil.which("bwrap"),
                *view([root for root in roots if is_seen(root)], data, packages),
                *setup.options,
                *masks(self.forbidden),
                "--remount-ro",
                "/",
                "--chdir",
                "/",
                *command,
            ]
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "PYTHONUTF8": "1",
            "HOME": "/tmp" if guarded else self._scratch.path,
            "MPLBACKEND": "Agg",
            "NUMBA_NUM_THREADS": "1",
            **threads,
        }
        if "NUMBA_DISABLE_JIT" in os.environ:
            environment["NUMBA_DISABLE_JIT"] = os.environ["NUMBA_DISABLE_JIT"]
        if sys.platform == "darwin":  # its own libraries else stop a process that was forked
            environment |= {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES", "VECLIB_MAXIMUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command,
            pass_fds=[far.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd="/",
        )
        far.close()
        try:
            answer = self._hear(120)
        except (OSError, ValueError):
            answer = {}
        if "ready" not in answer:
            self._process.kill()
            said = self._process.communicate()[1].decode(errors="replace").strip().splitlines()[-3:]
            self.close()
            raise GradingError(f"the sandbox does not start: {' / '.join(said) or 'no reason given'}")

    def _hear(self, seconds):
        self._control.settimeout(seconds)
        text = b""
        while not text.endswith(b"\n"):
            part = self._control.recv(65536)
            if not part:
                raise ConnectionError("the sandbox has ended")
            text += part
        return json.loads(text)

    def _tell(self, request, descriptors=()):
        socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
        return self._hear(60)

    def admit(self, *, seed, seconds=None):
        """Return a `FarSide`: a fresh process in the sandbox, for one submission."""
        near, far = socket.socketpair()
        number = next(self._numbers)
        try:
            request = {"op": "start", "number": number, "seed": int(seed) % 2**63, **self._find_user(number)}
            self._tell(request, [far.fileno()])
        except (OSError, ValueError):  # the fork server died: a new one
            far.close()
            near.close()
            self.close()
            self._start()
            return self.admit(seed=seed, seconds=seconds)
        far.close()
        try:
            answer = wire.decode(wire.receive(near, deadline=time.monotonic() + 60))
        except (wire.ChannelClosed, wire.Malformed, TimeoutError):
            answer = {"failed": "no answer"}
        if "ready" not in answer:
            near.close()
            self.dismiss(number)
            raise GradingError(f"a process in the sandbox cannot be locked down: {answer['failed']}")
        admitted = FarSide(self, number, near, seconds or self.limits.notebook_seconds)
        self._admitted.add(admitted)
        return admitted

    def _find_user(self, number):
        """Return whom a process becomes, and how many threads that user may have."""
        if self._users:
            user = self._users[(self._first_user + number) % len(self._users)]
            return {"user": user, "processes": self.limits.processes}
        processes = self.limits.processes
        alone = "namespaces" in self.guards and lockdown.counts_by_namespace()
        if sys.platform.startswith("linux") and not alone:
            processes += lockdown.count_threads() + _OTHER_THREADS
        return {"user": None, "processes": processes}

    def dismiss(self, number):
        """End a process; return how it ended: `status`, `seconds` of processor time, most `memory` in bytes."""
        try:
            return self._tell({"op": "stop", "number": number})
        except (OSError, ValueError):
            return {"status": None}

    def close(self):
        """End the sandbox and all that is in it."""
        for far_side in list(self._admitted):
            far_side.end()
        with contextlib.suppress(OSError):
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stderr:
                self._process.stderr.close()
        if self._scratch:
            self._scratch.remove()
            self._scratch = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Scratch:
    """A folder for the files of submissions where there are no namespaces; what killed processes left is removed."""

    _PREFIX = "acme-grade-"

    def __init__(self):
        import fcntl  # there is none on Windows, where nothing is graded

        for left in Path(tempfile.gettempdir()).glob(f"{self._PREFIX}*"):
            with contextlib.suppress(OSError):  # another user's, or in use: its lock is held
                held = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    found = os.fstat(held)
                    if found.st_uid == os.getuid() and found.st_mtime < time.time() - 60:  # not one that begins now
                        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(left, ignore_errors=True)
                finally:
                    os.close(held)
        self.path = tempfile.mkdtemp(prefix=self._PREFIX)
        self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        os.chmod(self.path, 0o711)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)


def _everyone_may_read(folder):
    """Whether users without rights can come to a folder."""
    folder = os.path.realpath(folder)
    return all(os.stat(place).st_mode & 0o001 for place in (folder, *Path(folder).parents))


SHARED = 4  # sandboxes that one process keeps
_shared = {}


def shared_sandbox(*, forbidden=(), limits=None, data=None, course=None, require="limits"):
    """Return the sandbox of this thread with these settings (see `Sandbox`), started when it is first asked for.

    The oldest ends when there would be more than `SHARED`; all end with the process, or by `close_shared_sandboxes`.
    """
    settings = {
        "forbidden": tuple(forbidden),
        "limits": limits or Limits(),
        "data": data and str(data),
        "course": course and str(course),
        "require": require,
    }
    key = (os.getpid(), threading.get_ident(), *settings.values())
    if key not in _shared:
        while len(_shared) >= SHARED:
            _end(next(iter(_shared)))
        _shared[key] = Sandbox(**settings)
    return _shared[key]


@atexit.register
def close_shared_sandboxes():
    """End the sandboxes that this process shares."""
    while _shared:
        _end(next(iter(_shared)))


def _end(key):
    """Forget a shared sandbox, and end it where this process started it: a fork only inherits the reference."""
    sandbox = _shared.pop(key)
    if key[0] == os.getpid():
        sandbox.close()

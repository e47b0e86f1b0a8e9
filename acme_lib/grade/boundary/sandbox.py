"""The boundary, seen from the trusted side: a sandbox, the processes in it, and the door that leads to them.

`Sandbox` starts the nursery of `far_side` once, under bubblewrap where there is one; `Sandbox.admit`
gives a fresh process for one submission, a `FarSide`. What comes back from it is measured, decoded and judged here
before anything uses it: a late, malformed or oversized answer is `NoAnswer`, a `NotPlain` of the checks, and so costs
its question alone.

What guards, from the strongest to the weakest (`find_guards`):

``namespaces``
    bubblewrap: no network, a read-only view of the system, the interpreter and the library without the course, and for
    each submission PID, mount and IPC namespaces of its own.
``filter``
    A filter of system calls (Linux on x86_64 and aarch64): no new processes, programs or sockets, no signals to others,
    nothing that two processes could talk by.
``limits``
    Memory, processor time, size of files, number of threads; time on the wall.
"""

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
import weakref
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from acme_lib.errors import GradingError
from acme_lib.grade.boundary import lockdown, wire
from acme_lib.teach.check_door import LocalDoor, NotPlain, Reply, advise_on_kind, error_name

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
)
# Far-side modules that may lie outside the interpreter: in a user's own site-packages, in a folder of PYTHONPATH.
_STACK = ("numpy", "scipy", "numba", "llvmlite", "matplotlib")
_CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETFCAP", "CAP_KILL")
MAX_CALLBACKS = 200_000  # calls of a test's function by a student's function, in one call
MAX_TEXT = 300
_OTHER_THREADS = 256  # that a user may start elsewhere while a submission runs


class NotGuardedWarning(UserWarning):
    """Students' code runs with less than the full guard; the message says what is open."""


class NoAnswer(NotPlain):
    """No usable answer came; the message is for the learner. `reason` is one word for the log."""

    def __init__(self, message, reason):
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes
    ----------
    call_seconds : float
        On the wall, for one call of a student's function or one of its cells.
    notebook_seconds : float
        On the wall, for all of a notebook.
    cpu_seconds : int
        Processor time of the submission's process.
    memory_bytes, tmp_bytes, file_bytes : int
        Memory beyond that of the loaded interpreter; space in ``/tmp``; size of one file.
    processes : int
        Threads. Where the kernel counts all threads of a user together (no namespaces, or Linux before 5.14), so many
        and 256 more than the user has when the submission begins.
    """

    call_seconds: float = 20.0
    notebook_seconds: float = 300.0
    cpu_seconds: int = 240
    memory_bytes: int = 2**30
    tmp_bytes: int = 64 * 2**20
    file_bytes: int = 32 * 2**20
    processes: int = 32


@cache
def find_guards():
    """Return what can guard on this machine, as a tuple of ``"namespaces"``, ``"filter"`` and ``"limits"``."""
    guards = []
    if _find_road()[0] is not None:
        guards.append("namespaces")
    if lockdown.can_filter():
        guards.append("filter")
    if hasattr(os, "fork"):
        guards.append("limits")
    return tuple(guards)


@dataclass(frozen=True)
class _Road:
    """How bubblewrap works on this machine: options for its namespaces, and the users whom submissions become."""

    options: tuple
    users: range | None  # None: each submission has a user namespace of its own


@cache
def _find_road():
    """Return a `_Road` and ``""``, or None and what stands in its way, in plain words."""
    if not sys.platform.startswith("linux"):
        return None, "namespaces are of Linux: grade there, or in a virtual machine or container with it"
    program = shutil.which("bwrap")
    if program is None:
        return None, "install the system package `bubblewrap`"
    said = []
    users = _find_users()
    for road_users in (users, None) if users else (None,):
        # In a container, /proc is often masked, and then no new one can be mounted. That of the container will do: each
        # submission has nothing in its place.
        for proc in (("--proc", "/proc"), ("--bind", "/proc", "/proc")):
            road = _Road((*_namespace_options(road_users), *proc), road_users)
            try:
                _rehearse(program, road)
            except (OSError, subprocess.SubprocessError) as error:
                said.append(str(error))
            else:
                return road, ""
    return None, _explain(said[-1])


def _rehearse(program, road):
    """Do in bubblewrap what the nursery and its children will do; raise `OSError` with what was said against it."""
    user = str(road.users[0]) if road.users else "-"
    command = [program, "--ro-bind", "/", "/", "--dev", "/dev", *road.options]
    command += [sys.executable, "-I", "-S", "-B", lockdown.__file__, user]
    done = subprocess.run(command, capture_output=True, timeout=20)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = next((line for line in lines if line.startswith("bwrap:")), lines[0] if lines else "")
        raise OSError(said or f"bubblewrap ended with {done.returncode}")


def _explain(said):
    """Say what to do where there is a bubblewrap that does not work."""
    if _kernel_setting("kernel/apparmor_restrict_unprivileged_userns") == "1" and os.getuid() != 0:
        how = _to_set("kernel.apparmor_restrict_unprivileged_userns=0", "Ubuntu keeps ordinary users from namespaces")
    elif _kernel_setting("kernel/unprivileged_userns_clone") == "0" and os.getuid() != 0:
        how = _to_set("kernel.unprivileged_userns_clone=1", "this system keeps ordinary users from namespaces")
    elif _kernel_setting("user/max_user_namespaces") == "0":
        how = _to_set("user.max_user_namespaces=10000", "this system allows no user namespaces")
    elif "execvp" in said:
        how = f"{sys.executable} cannot be run in a sandbox: use a Python that lies where its user may read"
    elif any(os.path.exists(path) for path in ("/.dockerenv", "/run/.containerenv")):
        how = (
            "this container may make no namespaces: start it with `--security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined`, or grade outside it"
        )
    else:
        how = "allow bubblewrap to make user namespaces (it is installed, but fails)"
    return f"{how} [{said[:200]}]"


def _kernel_setting(name):
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _to_set(setting, why):
    return (
        f"{why}: let an administrator run `sudo sysctl -w {setting}`, and write `{setting}` into "
        "/etc/sysctl.d/60-acme.conf so that it stays"
    )


def _find_users():
    """Return users that exist here and that nobody is, to become one of them; None if this process may become nobody.

    In a container, few of all numbers may be users, or root alone.
    """
    if os.getuid() != 0:
        return None
    known = [_read_map(f"/proc/self/{name}") for name in ("uid_map", "gid_map")]
    for first, last in ((2_000_000, 1_002_000_000), (61_184, 65_520), (10_000, 61_184)):
        for low, high in known[0]:
            for group_low, group_high in known[1]:
                found = range(max(first, low, group_low), min(last, high, group_high))
                if len(found) >= 256:
                    return found
    return None


def _read_map(path):
    """Return the ranges of numbers that are users (or groups) in this user namespace."""
    try:
        with open(path, encoding="ascii") as file:
            rows = [[int(word) for word in line.split()] for line in file]
    except OSError:  # no namespaces: all are
        rows = [[0, 0, 2**31]]
    return [(inside, inside + count) for inside, _, count in rows]


def _namespace_options(users):
    options = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    options += ["--die-with-parent", "--new-session"]
    if not users:
        # Root inside, without rights outside. As real root there is no user namespace: a limit on processes does not
        # hold for root's own user, so that the children become another user instead.
        options += ["--unshare-user", "--uid", "0", "--gid", "0"]
    for capability in _CAPABILITIES:
        options += ["--cap-add", capability]
    return options


def _existing(paths):
    return list(dict.fromkeys(str(path) for path in paths if path and os.path.exists(path)))


def _prefixes():
    """Return where the interpreter lies, by name and by its real place."""
    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    return list(dict.fromkeys([*prefixes, *(os.path.realpath(path) for path in prefixes)]))


def _search_path():
    """Return `sys.path` as far as the far side may have it too, and the folders of it that lie outside the interpreter.

    Outside are those that hold a part of the scientific stack. The folder of the library is not among them: what lies
    beside it may be the course.
    """
    outside = []
    for name in _STACK:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            outside.append(os.path.realpath(Path(spec.origin).parents[1]))
    inside = tuple(f"{os.path.realpath(prefix)}{os.sep}" for prefix in _prefixes())
    path = []
    for entry in filter(None, sys.path):
        place = os.path.realpath(entry)
        if place.startswith(inside) or place in outside:
            path.append(os.path.abspath(entry))
    return path, [entry for entry in path if not os.path.realpath(entry).startswith(inside)]


# What starts the far side: the same search path, and the library of this side, wherever it lies.
_BOOT = """\
import os, sys
sys.path[:] = [sys.argv[1], *sys.argv[2].split(os.pathsep)]
import acme_lib
del sys.path[0], sys.argv[1:3]
from acme_lib.grade.boundary.far_side import main
main()
"""


def _view(hidden_roots, data, packages):
    """Return bubblewrap's options for what the far side sees of the file system."""
    options = []
    for path in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(path):
            options += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            options += ["--ro-bind", path, path]
    options += ["--perms", "0755", "--dir", "/etc"]
    for path in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"):
        if os.path.exists(path):
            options += ["--ro-bind", path, path]
    options += ["--dev", "/dev", "--remount-ro", "/dev", "--tmpfs", "/tmp"]
    for root in hidden_roots:
        options += ["--tmpfs", str(root)]
    prefixes = _prefixes()
    for path in _existing(prefixes):
        if not path.startswith("/usr") or path.startswith("/usr/local/"):
            options += _bind(path)
    library = _library()
    for folder in [*packages, library]:
        if not any(str(folder).startswith(f"{prefix}{os.sep}") for prefix in (*prefixes, *packages)):
            options += _bind(folder)
    if data:
        options += ["--ro-bind", str(data), "/data"]
    return options


def _library():
    return Path(__file__).resolve().parents[1]


def _bind(path):
    """Return the options for a read-only view of a folder, below empty folders through which everyone may pass."""
    options = []
    for parent in reversed(Path(path).parents[:-1]):
        if not str(parent).startswith(("/usr", "/tmp")):
            options += ["--perms", "0755", "--dir", str(parent)]
    return [*options, "--ro-bind", str(path), str(path)]


def _masks(forbidden):
    """Return bubblewrap's options that hide the files of forbidden modules."""
    library = _library()
    options = []
    for name in forbidden:
        top, *rest = name.split(".")
        path = library.joinpath(*rest)
        if top != "acme_lib" or not rest:
            continue
        if path.is_dir():
            options += ["--tmpfs", str(path), "--remount-ro", str(path)]
        elif path.with_suffix(".py").is_file():
            options += ["--ro-bind", "/dev/null", str(path.with_suffix(".py"))]
    return options


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
            raise GradingError(f"require is 'namespaces' or 'limits'; {require!r} came")
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
        how = _find_road()[1] or "install the system package `bubblewrap`"
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
        path, packages = _search_path()
        road = _find_road()[0]
        needed = _existing([*_prefixes(), *packages, _library()])
        if guarded:
            self._users = road.users
        else:  # as root, become nobody in particular, if what is needed can still be read then
            self._scratch = _Scratch()
            readable = all(_everyone_may_read(folder) for folder in (*needed, self._scratch.path, data) if folder)
            self._users = _find_users() if readable else None
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
        command = [sys.executable, "-P", "-s", "-B", "-c", _BOOT, str(_library().parent), os.pathsep.join(path)]
        command += [str(far.fileno()), json.dumps(settings)]
        if guarded:
            roots = [self._course] if self._course else []
            command = [
                shutil.which("bwrap"),
                *_view([root for root in roots if _is_seen(root)], data, packages),
                *road.options,
                *_masks(self.forbidden),
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
        except (OSError, ValueError):  # the nursery died: a new one
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


def _is_seen(root):
    """Whether a folder lies inside what the far side sees."""
    root = str(Path(root).resolve())
    seen = ("/usr", "/bin", "/sbin", "/lib", *{os.path.realpath(p) for p in (sys.prefix, sys.base_prefix)})
    return any(root == top or root.startswith(f"{top}/") for top in seen)


_ENDINGS = {
    "late": "no answer came within {seconds:g} seconds: does a loop never end, or is there a faster way?",
    "ended": "the process that ran your code ended before it answered: did it use too much memory, or end itself?",
    "too large": "more data came back than an answer may hold",
    "malformed": "no answer that can be read came back",
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

    def run_cell(self, name, code):
        """Run a cell; return a `Reply` without a value."""
        return self._reply(self._ask({"op": "cell", "name": name, "code": code}))

    def find_kinds(self, names):
        """Say what each name is over there: ``"function"``, ``"data"``, ``"module"`` or ``"missing"``."""
        kinds = self._ask({"op": "kinds", "names": list(names)}).get("value")
        if type(kinds) is not dict:
            return dict.fromkeys(names, "missing")
        return {name: str(kinds.get(name, "missing")) for name in names}

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
                if type(answer) is not dict:
                    raise wire.Malformed("not an answer")
                if "callback" not in answer:
                    break
                wire.send(self._channel, wire.encode(_run_callback(functions, answer)))
            if answer.get("id") != request["id"]:
                raise wire.Malformed("not the answer to this question")
        except TimeoutError:
            self.end("late")
        except (wire.ChannelClosed, OSError):
            self.end("ended")
        except wire.TooLarge:
            self.end("too large")
        except wire.Malformed:
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
            return Reply(
                error=error_name(str(answer["error"])[:80]),
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


_ENDINGS["finished"] = "the grading of this notebook is over"


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

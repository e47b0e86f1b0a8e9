"""The far side of the boundary: the program that runs inside the sandbox.

The first process (the *fork server*) loads the scientific stack once, and then forks one process a submission on
request, so that a submission starts warm in milliseconds. The fork server runs no code of students. Each child gets a
PID namespace, an empty ``/tmp`` and message queues of its own, a user without rights, limits and a filter of system
calls before it reads its first line; it shares nothing writable with the fork server or with other children, and the
kernel ends all that it started when it ends.

Nothing here is trusted, this file included: once a student's code runs, all that leaves the process may be forged.
What may be believed is decided on the other side (`acme_lib.grade.boundary.sandbox`).
"""

import builtins
import gc
import importlib
import importlib.abc
import importlib.util
import io
import json
import linecache
import os
import random
import signal
import socket
import sys
import tempfile
import traceback
import types
import warnings

from acme_lib import limits as told
from acme_lib.arrays import unwrap
from acme_lib.grade.boundary import jupyter, lockdown, wire

MAX_PRINTED = 2_000
MAX_ERROR_TEXT = 300


# The fork server ------------------------------------------------------------------------------------------------


def main():
    """Serve requests for processes until the other side closes the control channel."""
    control = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(sys.argv[2])
    for name in settings["preload"]:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    if settings["warm_numba"]:
        _warm_numba()
    _refuse(settings["forbidden"])
    gc.collect()
    gc.freeze()
    server = _ForkServer(control, settings)
    control.sendall(json.dumps({"ready": os.getpid()}).encode() + b"\n")
    server.serve()


def _warm_numba():
    """Compile something once: what numba prepares on its first use is then ready in every child."""
    try:
        import numba
        import numpy as np

        @numba.njit
        def warm(x, n):
            total = 0.0
            for i in range(n):
                total += x[i] * np.sqrt(1.0 + i)
            return total, np.zeros(n)

        warm(np.arange(3.0), 3)
    except Exception:  # a course may be graded without numba
        return


class _ForkServer:
    def __init__(self, control, settings):
        self.control, self.settings = control, settings
        self.children = {}  # number of a submission: process id
        self.own_namespace = None
        if settings["namespaces"]:
            self.own_namespace = os.pidfd_open(os.getpid())

    def serve(self):
        while True:
            text, descriptors, _, _ = socket.recv_fds(self.control, 65536, 1)
            if not text:
                os._exit(0)
            request = json.loads(text)
            if request["op"] == "start":
                answer = self.start(request, descriptors[0])
            else:
                answer = self.stop(request["number"])
            self.control.sendall(json.dumps(answer).encode() + b"\n")

    def start(self, request, descriptor):
        if self.own_namespace is not None:
            lockdown.unshare(lockdown.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            _child(self.control, descriptor, self.settings, request)  # does not return
        if self.own_namespace is not None:
            lockdown.set_namespace(self.own_namespace, lockdown.CLONE_NEWPID)
        os.close(descriptor)
        self.children[request["number"]] = pid
        return {"started": request["number"]}

    def stop(self, number):
        pid = self.children.pop(number, None)
        if pid is None:
            return {"status": None}
        for kill in (os.kill, os.killpg):  # without namespaces, the group as well
            try:
                kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        _, status, usage = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return {"status": code, "seconds": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss * 1024}


def _child(control, descriptor, settings, request):
    try:
        channel = socket.socket(fileno=_lock_down(control, descriptor, settings, request))
        _reseed(request["seed"])
        told.hold()  # the filter is the wall; this says in words what stands in the way
        wire.send(channel, wire.encode({"ready": True}))
    except BaseException as error:  # the machine's fault, not the student's: the other side must know
        wire.send(socket.socket(fileno=3), wire.encode({"failed": f"{type(error).__name__}: {error}"}))
        os._exit(1)
    try:
        _Desk(channel, os.getcwd()).serve()
    finally:  # nothing of the fork server may run in a child
        os._exit(0)


def _lock_down(control, descriptor, settings, request):
    if descriptor != 3:
        os.dup2(descriptor, 3, inheritable=False)
    os.setsid()
    limits, user = settings["limits"], request["user"]
    lockdown.memory_in_use()  # while /proc can be read
    if settings["namespaces"]:
        lockdown.enter_namespaces(limits["tmp_bytes"], settings["keep"], own_user=user is None)
        home = "/tmp/work"
        os.mkdir(home)
        os.chmod(home, 0o777)
    else:
        home = tempfile.mkdtemp(prefix="submission-", dir=settings["scratch"])
        if user is not None:
            os.chown(home, user, user)
    _give_files(settings["data"], home)
    os.chdir(home)
    os.environ["HOME"] = os.environ["TMPDIR"] = os.environ["MPLCONFIGDIR"] = home
    tempfile.tempdir = home
    null = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    control.detach()
    os.closerange(4, 4096)
    if settings["namespaces"] or os.getuid() == 0:
        lockdown.drop_privileges(user)
    lockdown.set_limits(limits["memory_bytes"], limits["cpu_seconds"], limits["file_bytes"], request["processes"])
    if settings["filter"]:
        lockdown.filter_system_calls()
    return 3


def _give_files(data, home):
    """Put the assignment's folder `data` where the notebook expects it."""
    if data:
        os.symlink(data, os.path.join(home, "data"))


def _reseed(seed):
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (what a student may use)


# What a solution may not use ---------------------------------------------------------------------------------

_REFUSAL = "{} may not be used in this exercise: what it does is what you are asked to build"


class _RefusingFinder(importlib.abc.MetaPathFinder):
    """Refuse modules; change those that hold a refused function as soon as they are loaded."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, fullname, path=None, target=None):
        for name in self.names:
            if fullname == name or fullname.startswith(f"{name}."):
                raise ImportError(_REFUSAL.format(name), name=fullname)
        return None


def _refuse(names):
    """Make modules unimportable, and functions and methods raise wherever they are already known."""
    modules = [name for name in names if _is_module(name)]
    for name in modules:
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
        parent, _, last = name.rpartition(".")
        if parent in sys.modules:
            vars(sys.modules[parent]).pop(last, None)
    sys.meta_path.insert(0, _RefusingFinder(modules))
    for name in names:
        if name not in modules:
            _refuse_function(name)


def _is_module(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _refuse_function(name):
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        if _is_module(".".join(parts[:cut])):
            owner = importlib.import_module(".".join(parts[:cut]))
            break
    else:
        raise ImportError(f"{name} is to be refused, but there is no such thing")
    for part in parts[cut:-1]:
        owner = getattr(owner, part)
    found = getattr(owner, parts[-1])
    refusing = {}
    # The text is a constant of the code: nothing has to be looked up where it will run.
    exec(f"def refuse(*arguments, **named):\n    raise RuntimeError({_REFUSAL.format(name)!r})", refusing)
    refuse = refusing["refuse"]
    while found is not None:  # every wrapper around the function, and the function
        code = getattr(found, "__code__", None)
        if isinstance(code, types.CodeType) and not code.co_freevars:
            found.__code__ = refuse.__code__
            found.__defaults__, found.__kwdefaults__ = None, None
        found = getattr(found, "__wrapped__", None) or getattr(found, "__func__", None)
    setattr(owner, parts[-1], refuse)


# The desk of one submission -----------------------------------------------------------------------------------


class _Cut(io.StringIO):
    """A text that stops growing."""

    def write(self, text):
        room = MAX_PRINTED - self.tell()
        if room > 0:
            super().write(str(text)[:room])
        return len(text)


class _Desk:
    """Run cells and calls of one submission, one after the other."""

    def __init__(self, channel, home):
        self.channel, self.home = channel, home
        self.module = types.ModuleType("__main__")
        self.space = vars(self.module)
        sys.modules["__main__"] = self.module
        sys.argv = [""]
        self.files = {}
        sys.path.insert(0, "")
        jupyter.install(self.space)

    def serve(self):
        while True:
            try:
                request = wire.decode(wire.receive(self.channel))
            except wire.ChannelClosed:
                return
            printed = _Cut()
            before = sys.stdout, sys.stderr
            sys.stdout = sys.stderr = printed
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    answer = getattr(self, f"do_{request['op']}")(request)
            except BaseException as error:
                answer = self.describe(error)
            finally:
                sys.stdout, sys.stderr = before
            answer["printed"] = printed.getvalue()
            answer["id"] = request["id"]
            self.reply(answer)

    def reply(self, answer):
        try:
            frame = wire.encode(answer, special=unwrap)
        except BaseException as error:
            value = wire.NotPlainValue(type(error).__name__)
            frame = wire.encode({"value": value, "printed": "", "id": answer["id"]})
        wire.send(self.channel, frame)

    def do_cell(self, request):
        if request["unless"] and all(name in self.space for name in request["unless"]):
            return {}  # an answer that is not written, where a cell of the student's own has it
        pieces = request["code"] if type(request["code"]) is list else [request["code"]]
        failed = None
        for number, source in enumerate(jupyter.join_pieces(pieces)):
            try:
                self.run_source(f"{request['name']}{f'_{number}' if number else ''}", jupyter.translate(source))
            except Exception as error:  # the next piece may be an answer by itself
                failed = failed or error
        if failed is not None:
            raise failed
        return {}

    def run_source(self, name, source):
        path = os.path.join(self.home, "cells", f"{name}.py")
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8", errors="replace") as file:
                file.write(source)
        except OSError:
            pass  # the disk is full: tracebacks have no lines then
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
        self.files[path] = source.splitlines()
        code, last = jupyter.compile_cell(source, path)
        jupyter.run_code(code, self.space)
        if last is not None:
            shown = jupyter.run_code(last, self.space)
            if shown is not None:
                builtins._ = shown

    def do_kinds(self, request):
        kinds = {}
        for name in request["names"]:
            if name not in self.space:
                kinds[name] = "missing"
            elif isinstance(self.space[name], types.ModuleType):
                kinds[name] = "module"
            else:
                kinds[name] = "function" if callable(self.space[name]) else "data"
        return {"value": kinds}

    def do_fetch(self, request):
        return {"value": self.space[request["name"]]}

    def do_call(self, request):
        arguments = [self.near(value) for value in request["arguments"]]
        named = {name: self.near(value) for name, value in request["named"].items()}
        return {"value": self.space[request["name"]](*arguments, **named)}

    def near(self, value):
        """Replace the markers in an argument by what they stand for."""
        import numpy as np

        if type(value) is str:
            return sys.intern(value)  # as a word in the check itself would be: `boundary is "reflecting"` holds there
        if isinstance(value, wire.Seed):
            return np.random.default_rng(value.value)
        if isinstance(value, wire.OwnFunction):
            return self.space[value.name]
        if isinstance(value, wire.FunctionOfOtherSide):
            return self.callback(value.number)
        if type(value) in (list, tuple):
            return type(value)(self.near(item) for item in value)
        if type(value) is dict:
            return {self.near(key): self.near(item) for key, item in value.items()}
        return value

    def callback(self, number):
        def function(*arguments, **named):
            wire.send(self.channel, wire.encode({"callback": number, "arguments": list(arguments), "named": named}))
            answer = wire.decode(wire.receive(self.channel))
            if "error" in answer:
                kind = getattr(builtins, answer["error"], RuntimeError)
                raise kind(answer["text"])
            return answer["value"]

        return function

    def describe(self, error):
        try:
            text = str(error)[:MAX_ERROR_TEXT]
        except BaseException:
            text = ""
        where = ""
        if isinstance(error, SyntaxError) and error.filename in self.files:
            where = self.line(error.filename, error.lineno)
            text = str(error.msg)
        else:
            for frame in reversed(traceback.extract_tb(error.__traceback__)):
                if frame.filename in self.files:
                    where = self.line(frame.filename, frame.lineno)
                    break
        return {"error": type(error).__name__, "text": text, "where": where}

    def line(self, path, number):
        lines = self.files[path]
        return f"line {number}: {lines[number - 1].strip()}" if number and 0 < number <= len(lines) else ""


if __name__ == "__main__":
    main()

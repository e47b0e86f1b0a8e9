"""Wherever an instructor grades: as an ordinary user, in a container, from a folder, without namespaces.

As root, a test becomes an ordinary user in a subprocess; as an ordinary user it is one already.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

from acme_lib.errors import GradingError
from acme_lib.grade.boundary import bubblewrap, lockdown
from acme_lib.grade.boundary import sandbox as boundary
from acme_lib.grade.boundary.stand_in import NoAnswer
from tests.grading.small_course import ASSIGNMENT, hand_in, make_course, submit
from tests.programs import do_without

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")

NOBODY = 65534
ALL = ["namespaces", "filter", "limits"]

# Run by root: a user namespace in which the users 0 to 65535 are 100000 to 165535 outside, as in a rootless container.
BECOME_A_RANGE = """
import os, sys
from acme_lib.errors import GradingError
from acme_lib.grade.boundary import lockdown
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    lockdown.unshare(lockdown.CLONE_NEWUSER)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os.setgid(0), os.setuid(0)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
os.read(ready[0], 1)
for name in ("uid_map", "gid_map"):
    with open(f"/proc/{child}/{name}", "w") as file:
        file.write("0 100000 65536")
os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

REPORT = """
import json, os, sys, threading, time, warnings
from acme_lib.grade.boundary import bubblewrap
from acme_lib.grade.boundary import sandbox as boundary
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.boundary.sandbox import Sandbox

for _ in range(60):  # the same user is busy elsewhere
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

def run(student, code):
    reply = student.run_cell("answer", code)
    return student.fetch("result").value if reply.error is None else reply.error

THREADS = '''
import threading
threading.stack_size(2**16)
end, result = threading.Event(), 0
try:
    for _ in range({}):
        threading.Thread(target=end.wait, daemon=True).start()
        result += 1
except RuntimeError:
    pass
'''
secret = os.path.abspath("secret")
if len(sys.argv) > 1:
    guards = tuple(sys.argv[1].split(","))
    boundary.find_guards = lambda: guards
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    place = Sandbox(limits=Limits(processes=20))
with place, place.admit(seed=1) as one, place.admit(seed=2) as two:
    report = {"guards": place.guards, "user": os.getuid()}
    report["few"] = run(one, THREADS.format(8))
    report["many"] = run(one, THREADS.format(2000))
    report["beside"] = run(two, THREADS.format(8))
    report["secret"] = run(two, f"result = open({secret!r}).read()")
    report["passwd"] = run(two, "result = open('/etc/passwd').read()")
    report["tmp"] = run(two, "import os; result = os.listdir('/tmp')")
    report["network"] = run(two, "import socket; result = str(socket.create_connection(('127.0.0.1', 9), 1))")
    report["process"] = run(two, "import os; result = os.fork()")
    report["program"] = run(two, "import subprocess; result = str(subprocess.run(['true']))")
    write = run(two, "import numpy; result = str(open(numpy.__file__, 'a'))")
    report["write"] = "refused" if write in ("OSError", "PermissionError") else write
    report["rights"] = run(two, "import ctypes; result = ctypes.CDLL(None).unshare(0x10000000)")
    report["home"] = run(two, "open('x', 'w').write('y'); result = open('x').read()")
    report["identity"] = run(two, "import os; result = os.getuid()")
    report["limit"] = run(two, "import resource; result = list(resource.getrlimit(resource.RLIMIT_NPROC))")
road = bubblewrap.find_setup()[0]
print(json.dumps(report | {"proc": road and road.options[road.options.index("/proc") - 1], "warned": len(caught)}))
"""


@pytest.fixture
def folder():
    """A folder of an ordinary user, with something in it that students may not read."""
    with tempfile.TemporaryDirectory(prefix="acme-place-") as made:
        Path(made, "secret").write_text("42")
        give_to_ordinary(made)
        yield Path(made)


def give_to_ordinary(folder):
    if os.getuid() == 0:
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, NOBODY, NOBODY)


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            do_without(f"no {program}: install the system package `bubblewrap` or `util-linux`")


def opened(root, *options):
    """The start of a command that sees interpreter and library even where they lie in a folder that is root's alone."""
    command = ["bwrap", "--dev-bind", "/", "/"]
    needed = [*bubblewrap.prefixes_of_python(), str(root)]
    for path in needed:
        closed = [p for p in (Path(path), *Path(path).parents) if p.exists() and not p.stat().st_mode & 0o001]
        if closed:
            top = closed[-1]
            command += ["--perms", "0755", "--tmpfs", str(top)]
            for inside in needed:
                if Path(inside).is_relative_to(top):
                    command += bubblewrap._bind(inside)
    return [*command, *options]


def as_user(kind, root):
    """The start of a command that runs as an ordinary user, or as root of a container of one kind or another."""
    need("bwrap", "setpriv", "unshare")
    ordinary = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    masked = ["--ro-bind", "/dev/null", "/proc/version"] if kind == "masked /proc" else []
    if os.getuid() == 0:
        before = opened(root, *masked, *(() if kind == "root of a range" else ordinary))
    elif kind in ("root of a range", "masked /proc"):
        pytest.skip("root is needed to set this place up")
    else:
        before = []
    if kind == "root alone":
        before += ["unshare", "--user", "--map-root-user"]
    before += [sys.executable, "-P"]
    return [*before, "-c", BECOME_A_RANGE, "-P"] if kind == "root of a range" else before


def run(command, folder, **environment):
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder), **environment}
    environment.pop("PYTHONPATH", None) if "PYTHONPATH" not in environment else None
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def report_of(command, folder, *arguments, **environment):
    done = run([*command, "-c", REPORT, *arguments], folder, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


CLOSED = {
    "secret": "FileNotFoundError",
    "passwd": "FileNotFoundError",
    "tmp": ["work"],
    "network": "PermissionError",
    "process": "PermissionError",
    "program": "PermissionError",
    "write": "refused",
    "rights": -1,
    "home": "y",
}


@pytest.mark.parametrize("kind", ["ordinary", "root alone", "root of a range", "masked /proc"])
def test_the_sandbox_guards_wherever_it_starts(kind, root, folder):
    if kind == "root of a range":
        os.chown(folder, 100_000, 100_000) if os.getuid() == 0 else None
    report = report_of(as_user(kind, root), folder)
    assert report["guards"] == ALL and report["warned"] == 0
    assert report["proc"] == ("--bind" if kind == "masked /proc" else "--proc")
    assert report["user"] == (0 if kind.startswith("root") else NOBODY if os.getuid() == 0 else os.getuid())
    assert report["few"] == 8
    shown = [Path(path) for path in (*bubblewrap.prefixes_of_python(), root)]  # which may lie in /tmp
    shown = {path.relative_to("/tmp").parts[0] for path in shown if path.is_relative_to("/tmp")}
    report["tmp"] = sorted(set(report["tmp"]) - shown)
    assert {name: report[name] for name in CLOSED} == CLOSED
    if lockdown.counts_by_namespace() or kind == "root of a range":
        assert 0 < report["many"] < 20 - 8
        assert report["beside"] == 8
        assert report["limit"] == [20, 20]
    if kind == "root of a range":
        assert 61_184 <= report["identity"] < 65_520
    else:
        assert report["identity"] == 1000


@pytest.mark.parametrize("kind", ["ordinary", "root"])
def test_without_namespaces_limits_and_filter_hold(kind, root, folder):
    """Root becomes somebody without rights there as well, if interpreter and library can be read by everyone."""
    if kind == "root" and os.getuid() != 0:
        pytest.skip("this is not root")
    need("bwrap")
    command = as_user(kind, root) if kind == "ordinary" else [*opened(root), sys.executable, "-P"]
    os.chmod(folder, 0o755)
    os.chmod(folder / "secret", 0o600)
    report = report_of(command, folder, "filter,limits")
    assert report["guards"] == ["filter", "limits"] and report["warned"] == 1
    assert report["few"] == 8  # although the same user has sixty threads
    assert 0 < report["many"] < 500
    assert report["network"] == report["process"] == report["program"] == "PermissionError"
    assert report["rights"] == -1 and report["home"] == "y"
    if kind == "root":
        assert report["identity"] >= 2_000_000 and report["limit"] == [20, 20] and report["beside"] == 8
        assert report["secret"] == report["write"].replace("refused", "PermissionError") == "PermissionError"


def test_a_small_course_as_an_ordinary_user(root, folder):
    """From the release to the grades, with nothing of root."""
    course = make_course(folder / "course")
    submit(course, "right", hand_in())
    submit(course, "wrong", hand_in(double="def double(x):\n    return x"))
    peek = "def double(x):\n    import pathlib\n    raise ValueError(str([*pathlib.Path('/').rglob('gradebook.db')]))"
    submit(course, "curious", hand_in(double=peek))
    give_to_ordinary(folder)
    code = f"""
    import os, sys
    sys.path.insert(0, {str(root)!r})
    from pathlib import Path
    from acme_lib.cli import main
    from nbgrader.api import Gradebook
    from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, generate
    assert os.getuid() != 0
    generate(Path.cwd())
    assert main(["grade", ASSIGNMENT, "--jobs", "2"]) in (0, None)
    with Gradebook("sqlite:///gradebook.db") as book:
        for student in ("right", "wrong", "curious"):
            grades = book.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student).grades
            print(student, *(f"{{g.name}}={{g.auto_score}}" for g in sorted(grades, key=lambda g: g.name)))
    """
    command = [*as_user("ordinary", root), "-c", textwrap.dedent(code)]
    done = run(command, course, HOME=str(folder), TMPDIR=str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == [
        "right double_test=4.0 mean_test=4.0 words=None",
        "wrong double_test=0.0 mean_test=4.0 words=None",
        "curious double_test=0.0 mean_test=4.0 words=None",
    ]
    assert "not in a sandbox" not in done.stderr
    audit = (course / "audit" / ASSIGNMENT / "curious" / "p.json").read_text()
    assert json.loads(audit)


# Where the library and the stack lie ----------------------------------------------------------------------------

FROM = """
import json
import acme_lib, numpy
from acme_lib.grade.boundary import sandbox as boundary
code = (
    "import acme_lib, acme_lib.models, matplotlib, numpy, os, sys\\n"
    "result = [acme_lib.__file__, numpy.__file__, os.listdir(os.path.dirname(os.path.dirname(acme_lib.__file__)))]"
)
with boundary.Sandbox() as place, place.admit(seed=1) as student:
    reply = student.run_cell("answer", code)
    assert reply.error is None, reply
    print(json.dumps([[acme_lib.__file__, numpy.__file__], student.fetch("result").value, place.guards]))
"""


@pytest.mark.parametrize("how", ["PYTHONPATH", "the working directory"])
def test_library_and_stack_from_a_folder(how, root, folder):
    """Neither is installed in the interpreter: the far side finds the same files, and not what lies beside them."""
    need("bwrap")
    if sys.prefix == sys.base_prefix:
        pytest.skip("no virtual environment: the stack is installed in the interpreter")
    shutil.copytree(root / "acme_lib", folder / "acme_lib", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "solutions").mkdir()
    stack = str(Path(np.__file__).parents[1])
    if how == "PYTHONPATH":
        command, path = [sys._base_executable, "-P", "-c", FROM], os.pathsep.join([str(folder), stack])
    else:
        command, path = [sys._base_executable, "-c", FROM], stack
    done = run(command, folder, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    here, (library, stack_there, beside), guards = json.loads(done.stdout.splitlines()[-1])
    assert "namespaces" in guards
    assert [library, stack_there] == here
    assert library == str(folder / "acme_lib" / "__init__.py")
    assert beside == ["acme_lib"]


# Where there are no namespaces ------------------------------------------------------------------------------------


@pytest.fixture
def forget():
    """The guards are looked for anew in this test, and again after it."""
    boundary.find_guards.cache_clear(), bubblewrap.find_setup.cache_clear()
    yield
    boundary.find_guards.cache_clear(), bubblewrap.find_setup.cache_clear()


APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"


@pytest.mark.parametrize(
    ("settings", "said", "words"),
    [
        ({APPARMOR: "1"}, "bwrap: setting up uid map: Permission denied", f"sudo sysctl -w {APPARMOR}=0"),
        ({"kernel/unprivileged_userns_clone": "0"}, "bwrap: No permissions", "kernel.unprivileged_userns_clone=1"),
        ({"user/max_user_namespaces": "0"}, "bwrap: Creating new namespace failed", "user.max_user_namespaces=10000"),
        ({}, "bwrap: execvp /opt/python: Permission denied", "a Python that lies where its user may read"),
    ],
)
def test_what_stands_in_the_way_is_said_in_plain_words(forget, monkeypatch, settings, said, words):
    """Each of these systems makes bubblewrap fail; the message holds the command that mends it, and what was said."""
    need("bwrap")

    def fail(program, road):
        raise OSError(said)

    monkeypatch.setattr(bubblewrap, "_kernel_setting", lambda name: settings.get(name, ""))
    monkeypatch.setattr(bubblewrap, "_rehearse", fail)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(GradingError) as caught:
        boundary.Sandbox(require="namespaces")
    assert words.replace("kernel/", "kernel.") in str(caught.value) and said in str(caught.value)


def test_bubblewrap_that_fails_is_no_guard(forget, monkeypatch, tmp_path):
    """A program that starts and cannot do what is needed is found out before it is relied on."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert "namespaces" not in boundary.find_guards()
    assert "RTM_NEWADDR" in bubblewrap.find_setup()[1]


def test_without_bubblewrap_it_says_what_to_install(forget, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GradingError, match="install the system package `bubblewrap`"):
        boundary.Sandbox(require="namespaces")


MACOS = """
import numpy, scipy.integrate, scipy.linalg, scipy.optimize, scipy.special, scipy.stats, numba
for module, names in ((os, ("pidfd_open", "setns", "unshare", "setresuid", "setresgid", "sched_getaffinity")),):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
class NoLinux:
    def __getattr__(self, name):
        raise AttributeError(f"{name} is of Linux")
import ctypes
ctypes.CDLL = lambda *given, **named: NoLinux()
sys.platform = "darwin"
"""


def test_on_macos_limits_hold(forget, monkeypatch):
    """What only Linux has is taken away on both sides: the sandbox starts all the same, and says what is open."""
    boot = boundary._BOOT.replace(
        "from acme_lib.grade.boundary.far_side", f"{MACOS}\nfrom acme_lib.grade.boundary.far_side"
    )
    assert boot != boundary._BOOT
    monkeypatch.setattr(boundary, "_BOOT", boot)
    for name in ("pidfd_open", "setresuid", "setresgid"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert boundary.find_guards() == ("limits",)
    monkeypatch.setattr(boundary, "find_users", lambda: None)
    if os.getuid() == 0:  # a limit on processes does not hold for root
        monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.warns(boundary.NotGuardedWarning, match="namespaces are of Linux"):
        place = boundary.Sandbox(limits=boundary.Limits(call_seconds=2.0))
    with place, place.admit(seed=1) as student:
        student.run_cell("answer", "import resource\nx = resource.getrlimit(resource.RLIMIT_CPU)[0]")
        assert student.fetch("x").value == place.limits.cpu_seconds
        with pytest.raises(NoAnswer):
            student.run_cell("answer", "while True: pass")


def test_what_a_killed_process_left_is_removed(monkeypatch, tmp_path):
    """A folder that nobody holds goes when the next sandbox starts; one in use stays, and one that has just begun."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os, sys, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from acme_lib.grade.boundary.sandbox import _Scratch\n"
        "made = _Scratch()\nopen(made.path + '/x', 'w').close()\nprint(made.path, flush=True)\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    left = Path(done.stdout.strip())
    in_use = boundary._Scratch()
    assert left.is_dir() and done.returncode == -9
    for path in (left, in_use.path):
        os.utime(path, (1, 1))
    young = tmp_path / "acme-grade-young"
    young.mkdir()
    new = boundary._Scratch()
    assert sorted(tmp_path.iterdir()) == sorted([Path(in_use.path), Path(new.path), young])
    in_use.remove(), new.remove()
    assert list(tmp_path.iterdir()) == [young]


def test_with_namespaces_nothing_is_written_to_disk(namespaces, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with boundary.Sandbox() as place, place.admit(seed=1) as student:
        student.run_cell("answer", "open('x', 'w').write('y')")
        assert list(tmp_path.iterdir()) == []

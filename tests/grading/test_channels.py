"""Two processes of one sandbox cannot talk, and correct scientific code does not notice what keeps them from it."""

import ctypes
import platform
import re
import sys
from pathlib import Path

import pytest

from acme_lib.grade.boundary import lockdown
from acme_lib.grade.boundary import sandbox as boundary
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.boundary.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")

HEAD = """
import ctypes, fcntl, mmap, os, socket, struct, threading, time
import numpy as np
libc = ctypes.CDLL(None, use_errno=True)
SHARED = os.path.join(os.path.dirname(os.__file__), "this.py")  # both can read it, and nobody else does
result = None
"""

FUTEX = """
if "page" not in globals():
    held = open(SHARED, "rb")
    page = np.frombuffer(mmap.mmap(held.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.int32, count=1)
    number = 202 if os.uname().machine == "x86_64" else 98
    address = ctypes.c_void_p(page.ctypes.data)
"""

# Name: what one process does (its `result` is `SAID` for the other), what the other then looks at, and whether it is
# the filter that closes the channel (otherwise namespaces do, and it is closed without the filter as well).
CHANNELS = {
    "an exclusive lock": (
        "held = open(SHARED); fcntl.flock(held, fcntl.LOCK_EX)",
        "fcntl.flock(open(SHARED), fcntl.LOCK_SH | fcntl.LOCK_NB); result = 'free'",
        True,
    ),
    **{
        f"a lock of a part of {device}, {kind}": (
            f"held = os.open('/dev/{device}', os.O_RDWR)\n"
            f"asked = struct.pack('hhqqi', fcntl.F_WRLCK, 0, {command}, 1, 0); fcntl.fcntl(held, {command}, asked)",
            f"mine = os.open('/dev/{device}', os.O_RDWR)\n"
            f"asked = struct.pack('hhqqi', fcntl.F_WRLCK, 0, {command}, 1, 0)\n"
            f"result = len(fcntl.fcntl(mine, {command}, asked)); os.close(mine)",
            True,
        )
        for device in ("null", "zero", "full", "random", "urandom")
        for kind, command in (("of a process", 6), ("of an open file", 37))
    },
    "who holds a lock of a part": (
        "held = open(SHARED); fcntl.lockf(held, fcntl.LOCK_SH, 7, 3)",
        "asked = struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0)\n"
        "result = struct.unpack('hhqqi', fcntl.fcntl(open(SHARED), fcntl.F_GETLK, asked))[:4]",
        True,
    ),
    "a notice that a file was opened": (
        "open(SHARED).read()",
        "if 'watch' not in globals():\n"
        "    watch = libc.inotify_init1(os.O_NONBLOCK)\n"
        "    libc.inotify_add_watch(watch, SHARED.encode(), 0x20)\n"
        "result = len(os.read(watch, 4096))",
        True,
    ),
    "a futex on a page of a file": (
        FUTEX + "wait = (number, address, 0, int(page[0]), struct.pack('qq', 20, 0), None, 0)\n"
        "threading.Thread(target=libc.syscall, args=wait, daemon=True).start(); time.sleep(0.3)",
        FUTEX + "result = libc.syscall(number, address, 1, 9, None, None, 0)",
        True,
    ),
    "a page in memory": (
        "open(SHARED.replace('this', 'antigravity')).read()",
        "held = os.open(SHARED.replace('this', 'antigravity'), os.O_RDONLY)\n"
        "if 'looked' not in globals():\n"
        "    looked = True; os.posix_fadvise(held, 0, 0, os.POSIX_FADV_DONTNEED)\n"
        "result = os.preadv(held, [bytearray(10)], 0, 8)",  # 8: only what is there already
        True,
    ),
    "an abstract socket": (
        "held = socket.socket(socket.AF_UNIX); held.bind(b'\\0acme'); held.listen()",
        "socket.socket(socket.AF_UNIX).connect(b'\\0acme')",
        True,
    ),
    "the name that a socket is given": (
        "held, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "held.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1); held.send(b'x')\n"
        "result = held.getsockname()[1:].hex()",
        "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'', b'\\0' + bytes.fromhex(SAID))",
        True,
    ),
    "how many threads there are": (
        "for _ in range(15): threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
        "info = (ctypes.c_char * 512)(); done = libc.sysinfo(info)\n"
        "result = done, struct.unpack_from('H', info, 80)[0] // 10 if done == 0 else 0",
        True,
    ),
    "a terminal": (
        "held = os.open('/dev/ptmx', os.O_RDWR)",
        "result = [os.path.exists('/dev/ptmx'), *os.listdir('/dev/pts')]",
        False,
    ),
    "shared memory": ("libc.shmget(4711, 4096, 0o1666)", "result = libc.shmget(4711, 0, 0)", False),
    "a message queue": ("libc.msgget(4711, 0o1666)", "result = libc.msgget(4711, 0)", False),
    "a file": (
        "open('/tmp/left', 'w').write('x'); open('left', 'w')",
        "result = sorted(os.listdir('/tmp')), sorted(os.listdir('.'))",
        False,
    ),
    "a file in shared memory": ("open('/dev/shm/left', 'w')", "result = os.listdir('/dev/shm')", False),
    "processes": ("result = os.getpid()", "result = os.listdir('/proc'), os.getsid(SAID) == os.getsid(0)", False),
    "priority": (
        "os.nice(5)",
        "result = os.getpriority(os.PRIO_USER, 0)",
        False,
    ),
}


@pytest.fixture(scope="module")
def place(namespaces):
    with Sandbox(limits=Limits(call_seconds=60)) as made:
        yield made


@pytest.fixture(scope="module")
def pair(place):
    with place.admit(seed=1) as one, place.admit(seed=1) as two:
        yield one, two


@pytest.fixture(scope="module")
def unfiltered_pair(namespaces):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundary, "find_guards", lambda: ("namespaces", "limits"))
        with Sandbox() as place, place.admit(seed=1) as one, place.admit(seed=1) as two:
            yield one, two


def run(student, code):
    reply = student.run_cell("answer", HEAD + code)
    return student.fetch("result").value if reply.error is None else f"{reply.error}: {reply.error_text}"


def look_twice(one, two, name):
    """Return what the second process sees before and after the first has tried to tell it something."""
    act, look, _ = CHANNELS[name]
    before = run(two, f"SAID = '00'\n{look}" if "hex" in look else f"SAID = 0\n{look}")
    said = run(one, act)
    said = said if type(said) is int or "hex" in look and type(said) is str and ":" not in said else "00"
    return before, run(two, f"SAID = {said!r}\n{look}")


@pytest.mark.parametrize("name", CHANNELS)
def test_two_processes_of_a_sandbox_cannot_talk(pair, name):
    before, after = look_twice(*pair, name)
    assert before == after


@pytest.mark.parametrize("name", [name for name, (_, _, filtered) in CHANNELS.items() if filtered])
def test_without_the_filter_they_could(unfiltered_pair, name):
    """The attempts are real: each gets through where the filter is missing."""
    before, after = look_twice(*unfiltered_pair, name)
    assert before != after


# What correct code needs ------------------------------------------------------------------------------------------

CORRECT = {
    "threads": """
from concurrent.futures import ThreadPoolExecutor
import queue, threading
with ThreadPoolExecutor(8) as pool:
    result = sum(pool.map(lambda x: x * x, range(100)))
""",
    "a thread of the C library, awaited": """
import ctypes, time
libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
done = []
body = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: (time.sleep(0.2), done.append(328350)) and None)
libc.pthread_create(ctypes.byref(thread), None, body, None)
libc.pthread_join(thread, None)
result = done[0]
""",
    "asyncio": """
import asyncio
async def square(x):
    await asyncio.sleep(0.001)
    return await asyncio.to_thread(lambda: x * x)
async def main():
    return sum(await asyncio.gather(*(square(x) for x in range(100))))
result = asyncio.run(main())
""",
    "numpy, and its files": """
import numpy as np
np.savez("x.npz", x=np.arange(100))
np.save("x.npy", np.arange(100))
result = int((np.load("x.npz")["x"] * np.load("x.npy", mmap_mode="r")).sum())
solved = np.linalg.solve(np.eye(200) * 2, np.ones(200))
""",
    "scipy on threads": """
import numpy as np, scipy.fft, scipy.integrate, scipy.optimize, scipy.sparse.linalg, scipy.stats
x = np.arange(100.0)
result = round(float(np.sum(scipy.fft.ifft(scipy.fft.fft(np.tile(x * x, (64, 1)), workers=4), workers=4).real) / 64))
scipy.integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], method="LSODA")
scipy.optimize.differential_evolution(lambda p: (p[0] - 1) ** 2, [(-3, 3)], maxiter=3, rng=1)
scipy.sparse.linalg.spsolve(scipy.sparse.eye(50, format="csc"), np.ones(50))
""",
    "numba on threads": """
import numba, numpy as np
@numba.njit(parallel=True)
def total(x):
    s = 0.0
    for i in numba.prange(x.size):
        s += x[i] * x[i]
    return s
result = round(total(np.arange(100.0)))
""",
    "matplotlib": """
import matplotlib.pyplot as plt, os
figure, axes = plt.subplots()
axes.plot([1, 2], label=r"$x^2$"); axes.legend()
figure.savefig("x.png"); figure.savefig("x.pdf"); plt.close(figure)
result = 328350 if os.path.getsize("x.png") > 1000 else 0
""",
    "a database in a file": """
import sqlite3
with sqlite3.connect("x.db") as book:
    book.execute("create table t (x)")
    book.executemany("insert into t values (?)", [(x,) for x in range(100)])
result = sqlite3.connect("x.db").execute("select sum(x * x) from t").fetchone()[0]
""",
    "questions to the system": """
import os, platform, shutil, sys, tempfile, time
result = 328350
os.cpu_count(), os.sched_getaffinity(0), os.sysconf("SC_PHYS_PAGES"), shutil.disk_usage("."), os.isatty(0)
platform.platform(), time.process_time(), os.times(), sys.getswitchinterval(), os.get_inheritable(1)
with tempfile.TemporaryFile("w+") as file:
    file.write("x"); file.flush(); os.fsync(file.fileno())
sorted([os.urandom(3) for _ in range(1000)])
""",
}


@pytest.mark.parametrize("name", CORRECT)
def test_correct_code_does_not_notice(place, name):
    with place.admit(seed=1) as student:
        reply = student.run_cell("answer", CORRECT[name])
        assert reply.error is None, reply
        assert student.fetch("result").value == 328350


# The numbers of system calls --------------------------------------------------------------------------------------

HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),  # the table that 64-bit ARM takes
}


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_are_those_of_the_kernels_headers(machine):
    found = [path for path in map(Path, HEADERS[machine]) if path.exists()]
    if not found:
        pytest.skip("no headers of the kernel here (the system package `linux-libc-dev`)")
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", found[0].read_text(), re.MULTILINE))
    column, _ = lockdown._MACHINES[machine]
    numbers = {name: pair[column] for name, pair in (lockdown._DENIED | lockdown._LIMITED).items()}
    here = {name: int(known[name]) for name in numbers if name in known}
    assert len(here) > 80
    assert here == {name: numbers[name] for name in here}
    newest = max(int(number) for name, number in known.items() if name != "syscalls")
    missing = {name: number for name, number in numbers.items() if name not in known}
    assert all(number is None or number > newest for number in missing.values()), missing


TOKENS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # as seccomp.h calls them


@pytest.mark.parametrize("machine", TOKENS)
def test_numbers_are_those_of_libseccomp(machine):
    """The table of a library that others keep, for the other machine as well as for this one."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("no libseccomp here (the system package `libseccomp2`)")
    resolve = library.seccomp_syscall_resolve_name_arch
    column, architecture = lockdown._MACHINES[machine]
    assert architecture == TOKENS[machine]
    numbers = {name: pair[column] for name, pair in (lockdown._DENIED | lockdown._LIMITED).items()}
    known = {name: resolve(ctypes.c_uint32(architecture), name.encode()) for name in numbers}
    here = {name: number if number >= 0 else None for name, number in known.items() if number != -1}  # -1: too new
    assert len(here) > 100
    assert here == {name: numbers[name] for name in here}


@pytest.mark.parametrize("call", ["sync", "syncfs"])
def test_the_disks_of_the_machine_are_not_flushed(place, call):
    number = lockdown._DENIED[call][lockdown._MACHINES[platform.machine()][0]]
    code = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    code += f"result = [libc.syscall({number}, 0), ctypes.get_errno()]"
    with place.admit(seed=1) as student:
        assert student.run_cell("answer", code).error is None
        assert student.fetch("result").value == [-1, 1]


def test_a_call_of_a_newer_kernel_is_not_there(place):
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nresult = [libc.syscall(463, 0), ctypes.get_errno()]"
    )
    with place.admit(seed=1) as student:
        assert student.run_cell("answer", code).error is None
        assert student.fetch("result").value == [-1, 38]

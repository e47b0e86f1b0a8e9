"""The boundary holds: what crosses it is plain data, and what runs behind it reaches nothing."""

import os
import random
import sys
import time
import warnings

import numpy as np
import pytest

from acme_lib.errors import GradingError
from acme_lib.grade.boundary import sandbox as boundary
from acme_lib.grade.boundary import wire
from acme_lib.grade.boundary.guards import Limits, NotGuardedWarning
from acme_lib.grade.boundary.sandbox import Sandbox
from acme_lib.grade.boundary.stand_in import NoAnswer, RemoteDoor, StandIn
from acme_lib.teach.check_door import NotPlain, Reply, use_door
from acme_lib.teach.check_door import call as call_through_door

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")

LIMITS = Limits(call_seconds=3.0, memory_bytes=300 * 2**20, tmp_bytes=8 * 2**20, file_bytes=4 * 2**20)


@pytest.fixture(scope="module")
def sandbox(namespaces):
    with Sandbox(limits=LIMITS, forbidden=["acme_lib.laws", "acme_lib.network.ReactionNetwork.propensities"]) as made:
        yield made


@pytest.fixture
def student(sandbox):
    with sandbox.admit(seed=1) as made:
        yield made


def run(student, code):
    """Run code over there and return what it calls `result`, or the error as text."""
    reply = student.run_cell("answer", code)
    return student.fetch("result").value if reply.error is None else f"{reply.error}: {reply.error_text}"


# The wire ---------------------------------------------------------------------------------------------------

VALUES = [
    None,
    True,
    -3,
    2**70,
    0.1,
    float("inf"),
    "ünï ✓",
    1 + 2j,
    [1, [2.0, "x"]],
    (1, (2,)),
    {"a": 1, (1, 2): [3]},
    {1, 2},
    frozenset({"a"}),
]
ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.array([]),
    np.array(3.5),
    np.array([True, False]),
    np.array([1 + 1j]),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(10)[::2],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_values_cross_unchanged(value):
    there = wire.decode(wire.encode(value))
    assert there == value and type(there) is type(value)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_cross_unchanged(array):
    there = wire.decode(wire.encode([array]))[0]
    assert type(there) is np.ndarray and there.dtype == array.dtype and there.flags.writeable
    np.testing.assert_array_equal(there, array)


def test_not_a_number_crosses():
    assert np.isnan(wire.decode(wire.encode(float("nan"))))
    assert type(wire.decode(wire.encode(np.float32(2)))) is np.float32


@pytest.mark.parametrize(
    "number",
    [np.bool_(True), np.int8(-3), np.int64(-(2**63)), np.uint64(2**64 - 1), np.float16(0.1), np.float32(0.1)]
    + [np.float64(0.1), np.float64(-0.0), np.float64(np.inf), np.complex128(1 + 2j)],
    ids=repr,
)
def test_numbers_of_numpy_cross_unchanged(number):
    there = wire.decode(wire.encode([number]))[0]
    assert type(there) is type(number) and there == number and np.signbit(there.real) == np.signbit(number.real)


def test_a_list_of_many_thousands_of_them_crosses():
    """As a simulation in plain Python gives, whose times became NumPy's numbers on the way."""
    rows = [[i, np.float64(i) / 7, np.int64(i)] for i in range(20_000)]
    assert wire.decode(wire.encode(rows)) == rows


class Sly(float):
    def __eq__(self, other):
        return True

    __hash__ = None


@pytest.mark.parametrize(
    "value",
    [Sly(1), np.ma.array([1]), np.array([None]), object(), lambda: 1, b"x"],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_crosses_as_its_kind_only(value):
    assert type(wire.decode(wire.encode(value))) is wire.NotPlainValue


def test_broken_frames_are_malformed_and_nothing_else():
    frame = wire.encode({"value": [1, 2.5, np.arange(4), (None, "x")], "id": 7})
    generator = random.Random(1)
    for _ in range(3000):
        broken = bytearray(frame)
        for _ in range(generator.randrange(1, 4)):
            broken[generator.randrange(len(broken))] = generator.randrange(256)
        if generator.random() < 0.3:
            broken = broken[: generator.randrange(len(broken))]
        try:
            wire.decode(bytes(broken))
        except wire.Malformed:
            continue


def frame_of(text, *blobs):
    parts = [wire._HEAD.pack(b"acme", len(text), len(blobs)), text.encode()]
    return b"".join([*parts, *(wire._LENGTH.pack(len(blob)) + blob for blob in blobs)])


def npy(header, body=b""):
    header = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


@pytest.mark.parametrize(
    "frame",
    [
        frame_of("[" * 100_000),
        frame_of('{"t": 3}'),
        frame_of('{"": []}'),
        frame_of('{"a": 0}'),
        frame_of('{"a": -1}', npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", b"x" * 8)),
        frame_of('{"a": 0}', npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,), }")),
        frame_of('{"a": 0}', npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")),
        frame_of(
            '{"a": 0}', npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n(S'x'\ntR.")
        ),
        frame_of('{"a": 0}', npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }")),
        frame_of('{"a": 0}', npy("__import__('os').system('true')")),
        frame_of('{"s": [[1]]}'),
        frame_of("9" * 5000),
        frame_of('{"m": ["f8", "1"]}'),
        frame_of('{"m": ["i1", 300]}'),
        frame_of('{"m": ["i1", 1.5]}'),
        frame_of('{"m": ["b1", 1]}'),
        frame_of('{"m": ["O8", 1]}'),
        frame_of('{"m": ["f8", 1, 2]}'),
        frame_of('{"m": "f8"}'),
        frame_of("[" + "1," * 3_000_000 + "1]"),
    ],
    ids=range(20),
)
def test_frames_that_lie(frame):
    with pytest.raises(wire.Malformed):
        wire.decode(frame)


# Calls across -------------------------------------------------------------------------------------------------


def test_arrays_functions_generators_and_names_go_across(student):
    student.run_cell(
        "answer",
        "import numpy as np\n"
        "def square(x): return np.asarray(x) ** 2\n"
        "def integrate(f, a, b, *, n=4): return sum(f(a + (b - a) * (i + 0.5) / n) for i in range(n)) * (b - a) / n\n"
        "def sample(n, rng): return rng.random(n)\n"
        "def use(f, x): return f(x) + 1\n"
        "def many(): return 1, [2.5, None], {'a': np.array([1, 2])}\n",
    )
    np.testing.assert_array_equal(student.call("square", np.arange(3.0)).value, [0, 1, 4])
    assert student.call("integrate", lambda x: 2 * x, 0.0, 3.0, n=8).value == pytest.approx(9.0)
    first, again, other = (student.call("sample", 3, np.random.default_rng(seed)).value for seed in (5, 5, 6))
    assert (first == again).all() and not (first == other).any()
    assert student.call("use", StandIn("square", student.call), 3).value == 10
    value = student.call("many").value
    assert value[:2] == (1, [2.5, None]) and value[2]["a"].tolist() == [1, 2]


def test_an_error_crosses_as_type_and_text(student):
    student.run_cell(
        "answer",
        "def f(x):\n    raise ValueError('x is \\x1b[31mred')\nclass Own(Exception): pass\ndef g():\n    raise Own('3.14')",
    )
    reply = student.call("f", 1)
    assert (reply.error, reply.error_text) == ("ValueError", "x is  [31mred")
    assert reply.where == "line 2: raise ValueError('x is \\x1b[31mred')"
    assert student.call("g").error == "Exception"  # the name of a class could carry a value out
    with pytest.raises(ValueError, match="x is"):
        StandIn("f", student.call)(1)


def test_a_function_of_the_test_may_fail(student):
    student.run_cell(
        "answer", "def use(f):\n    try:\n        return f(1)\n    except KeyError as error:\n        return str(error)"
    )

    def fails(x):
        raise KeyError("no")

    assert "no" in student.call("use", fails).value


def test_prints_and_warnings_are_caught_and_cut(student):
    student.run_cell(
        "answer",
        "import sys, warnings\ndef f():\n    warnings.warn('beware')\n    sys.stderr.write('err')\n"
        "    print('x' * 10**6)\n    return 1",
    )
    reply = student.call("f")
    assert reply.value == 1 and len(reply.printed) == 2000


def test_through_the_door_of_the_checks(student):
    student.run_cell(
        "answer",
        "import numpy as np\ndef f(x): return np.float32(x)\ndef g(): return {1}\ndef h(): return np.matrix([[1]])",
    )
    with use_door(RemoteDoor(student.call, lambda: 7)):
        reply = call_through_door(StandIn("f", student.call), 2)
        assert reply == Reply(value=2.0) and type(reply.value) is float
        for name in ("g", "h"):
            with pytest.raises(NotPlain):
                call_through_door(StandIn(name, student.call))


def test_a_function_compiled_with_numba_is_warm(student):
    code = "import numba, numpy as np\n@numba.njit(cache=True)\ndef total(x):\n    s = 0.0\n    for v in x:\n        s += v\n    return s"
    start = time.monotonic()
    assert student.run_cell("answer", code).error is None
    assert student.call("total", np.arange(5.0)).value == 10.0
    assert time.monotonic() - start < 3.0


def test_magics_are_left_out(student):
    assert run(student, "%matplotlib inline\n!echo hi\nresult = 3") == 3


# What the far side cannot do -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os; os.fork()", "PermissionError"),
        ("import subprocess; subprocess.run(['true'])", "PermissionError"),
        ("import os; os.execv('/usr/bin/true', ['true'])", "PermissionError"),
        ("import socket; socket.create_connection(('127.0.0.1', 22), 1)", "PermissionError"),
        (
            "import urllib.request; urllib.request.urlopen('http://127.0.0.1', timeout=1)",
            "Exception: <urlopen error In the grading your code runs without a network>",
        ),
        # The same below Python, where the wall is: what comes before it (`acme_lib.limits`) only says why.
        ("import ctypes; result = ctypes.CDLL(None).fork()", "-1"),
        ("import ctypes; result = ctypes.CDLL(None).execl(b'/usr/bin/true', b'true', None)", "-1"),
        ("import ctypes; result = ctypes.CDLL(None).socket(2, 1, 0)", "-1"),
        ("import socket; socket.socket()", "PermissionError: [Errno 1]"),
        ("import os; os.kill(1, 9)", "PermissionError"),
        ("import os; os.listdir('/proc')[0]", "IndexError"),
        ("open('/proc/self/maps')", "FileNotFoundError"),
        ("import os; os.listdir('/home')", "FileNotFoundError"),
        ("open('/etc/passwd')", "FileNotFoundError"),
        ("open('/etc/evil', 'w')", "OSError"),
        ("open('/dev/shm/evil', 'w')", "OSError"),
        ("open('/dev/evil', 'w')", "OSError"),
        ("import numpy; open(numpy.__file__, 'a')", "OSError"),
        ("import ctypes; result = ctypes.CDLL(None).unshare(0x10000000)", "-1"),
        ("import ctypes; result = ctypes.CDLL(None).ptrace(16, 1, 0, 0)", "-1"),
        ("import ctypes; result = ctypes.CDLL(None).umount2(b'/tmp', 2)", "-1"),
        ("import os; os.setuid(0); result = os.getuid()", "PermissionError|0"),
        ("import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "ValueError"),
        ("import multiprocessing as m; p = m.Process(target=print); p.start()", "PermissionError"),
        ("x = bytearray(10**9)", "MemoryError"),
        ("import numpy as np; x = np.ones((20000, 20000))", "MemoryError"),
        ("f = open('big', 'wb')\nfor _ in range(20): f.write(bytes(2**20))", "OSError"),
        ("for i in range(20):\n    open(f'f{i}', 'wb').write(bytes(2**20))", "OSError"),
        ("for i in range(5000): open(f'f{i}', 'w').close()", "OSError"),
        (
            "import threading\nfor i in range(500): threading.Thread(target=__import__('time').sleep, args=(9,)).start()",
            "RuntimeError",
        ),
    ],
)
def test_what_is_refused(student, code, expected):
    result = str(run(student, code))
    family = {"OSError": ("OSError", "PermissionError", "FileNotFoundError")}
    for name in expected.split("|"):
        if any(result.startswith(kind) for kind in family.get(name, (name,))):
            return
    pytest.fail(result)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: pass", "late"),
        ("import time; time.sleep(60)", "late"),
        ("import re; re.match(r'(a+)+$', 'a' * 40 + 'b')", "late"),
        ("import os; os._exit(0)", "ended"),
        ("import ctypes; ctypes.string_at(0)", "ended"),
        ("import os; os.close(3)", "ended"),
        ("import os, signal; os.abort()", "ended"),
        ("import os; os.write(3, b'x' * 100); os._exit(0)", "too large"),
        ("import os; os.write(3, (20).to_bytes(8, 'little') + b'x' * 20)", "malformed"),
    ],
)
def test_what_ends_a_process(sandbox, code, reason):
    with sandbox.admit(seed=1) as student:
        with pytest.raises(NoAnswer) as caught:
            student.run_cell("answer", code)
        assert caught.value.reason == reason
        with pytest.raises(NoAnswer):
            student.run_cell("answer", "x = 1")


def test_an_answer_prepared_in_advance_is_not_taken(student):
    student.run_cell(
        "answer",
        "from acme_lib.grade.boundary import wire\nimport socket\n"
        "def f():\n    wire.send(socket.socket(fileno=3), wire.encode({'value': 42, 'printed': '', 'id': 1}))\n    return 1",
    )
    with pytest.raises(NoAnswer):
        student.call("f")


@pytest.mark.parametrize("big", ["[0] * 1_100_000", "__import__('numpy').zeros(13_000_000)", "'x' * 20_000_000"])
def test_too_large_answers(student, big):
    student.run_cell("answer", f"def f(): return {big}")
    with pytest.raises(NoAnswer, match="more data"):
        student.call("f")


def test_submissions_share_nothing(sandbox):
    with sandbox.admit(seed=1) as first, sandbox.admit(seed=2) as second:
        run(
            first,
            "import os, numpy, builtins\nnumpy.sum = builtins.round = None\nopen('/tmp/left', 'w').write('x')\nresult = os.getpid()",
        )
        assert run(second, "import os, numpy\nresult = [os.path.exists('/tmp/left'), numpy.sum([1, 2]), os.getpid()]")[
            :2
        ] == [
            False,
            3,
        ]
        assert (
            run(first, "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\nresult = 1")
            == 1
        )
    with sandbox.admit(seed=1) as third:
        assert run(third, "import os; result = os.path.exists('/tmp/left')") is False


def test_random_numbers_follow_from_the_seed(sandbox):
    def draw(seed):
        with sandbox.admit(seed=seed) as student:
            return run(student, "import random, numpy as np\nresult = [random.random(), np.random.random()]")

    assert draw(1) == draw(1) != draw(2)


def test_the_course_cannot_be_seen(sandbox, student, root):
    assert str(run(student, f"import os; result = sorted(os.listdir({str(root)!r}))")) in (
        "['.venv', 'acme_lib']",
        "['acme_lib']",
    ) or not os.path.exists(root / "acme_lib")
    for folder in ("solutions", "tests", "exercises"):
        assert run(student, f"import os; result = os.path.exists({str(root / folder)!r})") is False


def test_what_was_not_yet_loaded_can_be(student):
    """Also where the interpreter or the library lie in ``/tmp``, which each submission has for itself."""
    assert run(student, "import acme_lib.sbml, scipy.signal.windows\nresult = 1") == 1


def test_forbidden_parts_of_the_library_refuse(student):
    for code in ("import acme_lib.laws", "from acme_lib import poisson", "import acme_lib as a; a.laws"):
        result = run(student, f"{code}\nresult = 0")
        assert "laws may not be used in this exercise" in result or "has no" in result or "cannot import" in result
    code = """\
import acme_lib as acme
network = acme.ReactionNetwork.parse("0 -> M : k", k=1.0)
result = network.propensities({"M": 1})"""
    assert "may not be used in this exercise" in run(student, code)
    around = "import acme_lib.network as n\nresult = n.ReactionNetwork.__dict__['propensities'](1, 2)"
    assert "may not be used in this exercise" in run(student, around)
    assert "laws" not in str(
        run(student, "import acme_lib, os; result = os.listdir(os.path.dirname(acme_lib.__file__) + '/laws')")
    )


# Guards ---------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_without_namespaces_it_warns_or_refuses(monkeypatch):
    monkeypatch.setattr(boundary, "find_guards", lambda: ("limits",))
    with pytest.raises(GradingError, match="unguarded is refused"):
        Sandbox(require="namespaces")
    with pytest.warns(NotGuardedWarning, match="use the network"):
        open_place = Sandbox(limits=LIMITS)
    with open_place, open_place.admit(seed=1) as student:
        assert run(student, "result = 1 + 1") == 2
        assert run(student, "x = bytearray(10**9)").startswith("MemoryError")
        with pytest.raises(NoAnswer):
            student.run_cell("answer", "while True: pass")


@pytest.mark.thorough
def test_the_filter_holds_without_namespaces(monkeypatch):
    if "filter" not in boundary.find_guards():
        pytest.skip("this system has no filter of system calls")
    monkeypatch.setattr(boundary, "find_guards", lambda: ("filter", "limits"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGuardedWarning)
        with Sandbox(limits=LIMITS) as place, place.admit(seed=1) as student:
            parent = os.getpid()
            assert run(student, f"import os; os.kill({parent}, 9)").startswith("PermissionError")
            assert run(student, "import ctypes; result = ctypes.CDLL(None).fork()") == -1
            assert run(student, "import socket; socket.socket()").startswith("PermissionError: [Errno 1]")


def test_a_dead_fork_server_is_replaced(sandbox):
    with Sandbox(limits=LIMITS) as place:
        place._process.kill()
        place._process.wait()
        with place.admit(seed=1) as student:
            assert run(student, "result = 5") == 5


@pytest.mark.thorough
def test_nothing_is_left_when_the_sandbox_closes():
    with Sandbox(limits=LIMITS) as place:
        process = place._process.pid
        with place.admit(seed=1) as student:
            student.run_cell("answer", "x = 1")
            place.close()
            with pytest.raises(NoAnswer):
                student.run_cell("answer", "x = 1")
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_shared_sandbox_is_started_once(monkeypatch):
    """The same settings give the same sandbox, others another; at most `SHARED` are kept, and all can be ended."""
    made, ended = [], []

    class Made:
        def __init__(self, **settings):
            made.append(settings)

        def close(self):
            ended.append(self)

    monkeypatch.setattr(boundary, "Sandbox", Made)
    monkeypatch.setattr(boundary, "_shared", {})
    first = boundary.shared_sandbox(forbidden=["a"], data=None)
    assert boundary.shared_sandbox(forbidden=("a",), limits=Limits()) is first and len(made) == 1
    assert boundary.shared_sandbox(forbidden=("a",), limits=Limits(cpu_seconds=1)) is not first
    for name in "bcd":
        boundary.shared_sandbox(forbidden=(name,))
    assert ended == [first] and len(boundary._shared) == boundary.SHARED
    monkeypatch.setattr(boundary.os, "getpid", lambda: -1)  # a fork: it ends nothing of its parent's
    boundary.close_shared_sandboxes()
    assert ended == [first] and boundary._shared == {}

"""The limits of the grading hold in the learner's notebook too: what passes there does not fail here for its means."""

import asyncio
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import nbformat
import pytest
from nbgrader.server_extensions.validate_assignment import handlers

from acme_lib import limits
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.boundary.sandbox import Sandbox
from acme_lib.grade.judge import judge_notebook
from acme_lib.grade.source_notebook import load_master
from acme_lib.grade.submission import parse_submission, rebuild
from acme_lib.teach import check_door, validate
from acme_lib.teach.check import CheckFailed, check_values
from tests.grading.small_course import DOUBLE_RIGHT, MEAN_RIGHT, answer, cell, hand_in, source_notebook, write_source
from tests.marks import always

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")

# What a right answer may not do, in the words of a student; each gives the right value where it is let.
PROCESSES = {
    "a pool": "import multiprocessing as m\ndef double(x):\n"
    "    with m.get_context('fork').Pool(2) as pool:\n        return sum(pool.map(abs, [x, x]))",
    "a spawned process": "import multiprocessing as m\ndef double(x):\n"
    "    one = m.get_context('spawn').Process(target=abs, args=(x,))\n    one.start()\n"
    "    one.join()\n    return 2 * x",
    "an executor": "from concurrent.futures import ProcessPoolExecutor\ndef double(x):\n"
    "    with ProcessPoolExecutor(2) as pool:\n        return sum(pool.map(abs, [x, x]))",
    "a fork": "import os\ndef double(x):\n    child = os.fork()\n    if child == 0:\n        os._exit(0)\n"
    "    os.waitpid(child, 0)\n    return 2 * x",
    "a program": "import subprocess\ndef double(x):\n    subprocess.run(['true'])\n    return 2 * x",
    "the shell": "import os\ndef double(x):\n    os.system('true')\n    return 2 * x",
}
# What a right answer may do, although it looks like it.
ALLOWED = {
    "numba": "import numba\n@numba.njit(cache=True, parallel=True)\ndef add(x):\n    s = 0.0\n"
    "    for i in numba.prange(2):\n        s += x\n    return s\ndef double(x):\n    return add(x)",
    "threads": "from concurrent.futures import ThreadPoolExecutor\ndef double(x):\n"
    "    with ThreadPoolExecutor(2) as pool:\n        return sum(pool.map(abs, [x, x]))",
    "asyncio": "import asyncio\nasync def two(x):\n    return await asyncio.to_thread(lambda: 2 * x)\n"
    "def double(x):\n    return asyncio.Runner().run(two(x))",
}


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    return load_master(write_source(tmp_path_factory.mktemp("source")))


@pytest.fixture(scope="module")
def grade(master):
    with Sandbox(forbidden=master.forbidden, limits=Limits(call_seconds=20.0)) as sandbox:

        def grade(notebook):
            submission = parse_submission(nbformat.writes(notebook).encode(), "", master)
            return judge_notebook(rebuild(master, submission), master, sandbox, seed=1).outcomes["double_test"]

        yield grade


@pytest.fixture
def try_out(tmp_path):
    def try_out(code):
        """Run an answer and its check as in the learner's notebook; return the message, empty where it passes."""
        space, path = {}, tmp_path / "answer.py"
        path.write_text(code, "utf-8")
        exec(compile(code, str(path), "exec"), space)
        try:
            check_values(space["double"], {"x": 3.0}, 6.0)
        except CheckFailed as failure:
            return " ".join(str(failure).split())
        return ""

    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)  # Playwright leaves its own running in a process where a browser was tested
    yield try_out
    asyncio._set_running_loop(running)


def test_the_limits_are_the_same_numbers():
    assert Limits().call_seconds == limits.CALL_SECONDS == check_door.LONGEST_CALL == 20


@pytest.mark.parametrize("name", always(2, PROCESSES))
def test_more_than_one_process_is_refused_alike(grade, try_out, name):
    told = "your code runs in one process: without multiprocessing"
    assert told in try_out(PROCESSES[name])
    outcome = grade(hand_in(double=PROCESSES[name]))
    assert outcome.score == 0 and told in " ".join(outcome.message.split())


@pytest.mark.filterwarnings("ignore:.*is. with")
@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_is_allowed_alike(grade, try_out, name):
    assert try_out(ALLOWED[name]) == ""
    assert grade(hand_in(double=ALLOWED[name])).score == 4


IDENTITY = """\
from acme_lib.teach.check import check_values

check_values(f, {"how": "reflecting", "more": {"to_do": ["absorbing"]}}, 5)"""


@pytest.mark.filterwarnings("ignore:.is. with a literal")
def test_a_word_is_the_same_word_in_both_places(tmp_path):
    """`is` between words is no good habit, but in the notebook it works: with what a check hands over, too."""
    code = (
        "def f(how, more):\n    if how is 'reflecting' and more['to_do'][0] is 'absorbing':\n"
        "        return 2 + sum(3 for key in more if key is 'to_do')"
    )
    exec(f"{code}\n{IDENTITY}", {})
    extra = (answer("q", code), cell("code", IDENTITY, "t", points=3))
    master = load_master(write_source(tmp_path, *extra))
    with Sandbox(forbidden=master.forbidden) as sandbox:
        submission = parse_submission(nbformat.writes(source_notebook(*extra)).encode(), "", master)
        notebook = rebuild(master, submission)
        assert judge_notebook(notebook, master, sandbox, seed=1).scores["t"] == 3


def test_the_network_is_refused_alike(grade, try_out):
    code = "import socket\ndef double(x):\n    socket.create_connection(('192.0.2.1', 80), 1)\n    return 2 * x"
    assert "without a network" in try_out(code)
    assert grade(hand_in(double=code)).score == 0


def test_nothing_is_refused_outside_a_call(try_out):
    try_out(DOUBLE_RIGHT)
    assert subprocess.run(["true"]).returncode == os.system("true") == 0


def test_a_call_near_the_limit_says_so(monkeypatch, capsys):
    monkeypatch.setattr(check_door, "LONGEST_CALL", 0.4)
    check_values(lambda x: time.sleep(0.25) or 2 * x, {"x": 1.0}, 2.0)
    assert "in the grading it is stopped after 0.4 s" in capsys.readouterr().out
    check_values(lambda x: 2 * x, {"x": 1.0}, 2.0)
    assert capsys.readouterr().out == ""


# The button Validate --------------------------------------------------------------------------------------------------


@pytest.fixture
def press(tmp_path, monkeypatch, loops_left_open):
    """Press the button, on a notebook as students have it, in a kernel."""
    monkeypatch.setattr(handlers, "Validator", validate.GradedAlike)
    handler = SimpleNamespace(
        root_dir=str(tmp_path), load_config=lambda: None, log=SimpleNamespace(error=lambda text: None)
    )

    def press(notebook):
        nbformat.write(notebook, tmp_path / "p.ipynb")
        with loops_left_open():
            answer = validate.validate_for_learners(handler, "p.ipynb")
        assert answer["success"], answer
        return answer["value"].get("failed", [])

    return press


@pytest.mark.thorough
def test_validate_holds_one_process_in_the_cells_as_well(press, grade):
    """A process that is started while a cell runs, where no check sees it; `!` runs nothing and stops nothing."""
    cell = f"import subprocess\nsubprocess.run(['true'])\n{DOUBLE_RIGHT}"
    (failed,) = press(hand_in(double=cell))
    assert "NameError" in failed["raw_error"] and "'double'" in failed["raw_error"]
    assert grade(hand_in(double=cell)).score == 0
    shell = f"files = !exit 3\nassert list(files) == []\n!exit 3\n{DOUBLE_RIGHT}"
    assert press(hand_in(double=shell)) == [] and grade(hand_in(double=shell)).score == 4


@pytest.mark.thorough
def test_validate_measures_the_time_of_a_cell(press, monkeypatch):
    monkeypatch.setattr(validate, "CALL_SECONDS", 2)
    failed = press(hand_in(double=f"import time\ntime.sleep(60)\n{DOUBLE_RIGHT}", mean=MEAN_RIGHT))
    assert [one["raw_error"] for one in failed][0] == validate.TOO_SLOW
    assert len(failed) == 2 and "not defined" in failed[1]["raw_error"]

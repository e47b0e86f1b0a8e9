"""Tests that a student's values would keep busy for ever, what a hidden check tells, and what a name can do."""

import os
import sys
import threading
import time

import nbformat
import pytest

from acme_lib.checks import readable
from acme_lib.grade import judge as judging
from acme_lib.grade.boundary.sandbox import Sandbox
from acme_lib.grade.judge import judge_notebook
from acme_lib.grade.source_notebook import load_master
from acme_lib.grade.submission import parse_submission, rebuild
from tests.grading.small_course import answer, cell, hand_in, source_notebook, write_source
from tests.marks import always

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    master = load_master(write_source(tmp_path_factory.mktemp("source")))
    with Sandbox(forbidden=master.forbidden) as sandbox:
        yield sandbox


@pytest.fixture
def judge(place, tmp_path):
    """Judge answers to a question with a test of its own."""

    def judge(right, test, wrong):
        extra = (answer("q", right), cell("code", test, "t", points=3), answer("r", "def g():\n    return 1"))
        extra = (*extra, cell("code", "assert g() == 1", "u", points=1))
        master = load_master(write_source(tmp_path, *extra))
        notebook = source_notebook(*extra)
        notebook.cells[-4].source = wrong
        submission = parse_submission(nbformat.writes(notebook).encode(), "", master)
        return judge_notebook(rebuild(master, submission), master, place, seed=1)

    return judge


ENDLESS = {
    "a power": ("def f(x):\n    return x", "assert f(3) ** f(3) == 27", "def f(x):\n    return 7 ** 300"),
    "a function of the test": (
        "def f(h):\n    return h(3)",
        "assert f(lambda x: x ** x) == 27",
        "def f(h):\n    return h(7 ** 300)",
    ),
    "a loop": (
        "def f():\n    return 3",
        "n = f()\nwhile n > 0:\n    n -= 1",
        "def f():\n    return 10 ** 200",
    ),
}


@pytest.mark.parametrize("name", always(2, ENDLESS))
def test_a_test_that_does_not_end_costs_its_question_alone(judge, monkeypatch, name):
    monkeypatch.setattr(judging, "TEST_SECONDS", 1.0)
    start = time.monotonic()
    judgement = judge(*ENDLESS[name])
    assert time.monotonic() - start < 30
    outcome = judgement.outcomes["t"]
    assert (outcome.score, outcome.limit) == (0, "late") and "did not come to its end" in outcome.message
    assert outcome.look  # a person is asked
    assert judgement.scores["u"] == 1 and judgement.scores["double_test"] == 4


@pytest.mark.thorough
def test_in_another_thread_as_well(judge, monkeypatch):
    """Where no signal comes: the time is that of the wall, and of the notebook."""
    monkeypatch.setattr(judging, "TEST_SECONDS", 1.0)
    monkeypatch.setattr(judging._Student, "seconds_left", 2.0)
    found = []
    thread = threading.Thread(target=lambda: found.append(judge(*ENDLESS["a loop"])))
    thread.start()
    thread.join(60)
    assert found[0].scores["t"] == 0 and found[0].scores["u"] == 1


@pytest.mark.thorough
def test_a_worker_that_hangs_is_ended_and_named(tmp_path, monkeypatch):
    """A loop inside one function of C hears no signal: the worker is ended, once, and the others are graded."""
    from acme_lib.grade import pool
    from acme_lib.grade.batch import grade_assignment
    from tests.grading.small_course import ASSIGNMENT, make_course, submit

    extra = (answer("q", "def f():\n    return 3"), cell("code", "assert sum(range(f())) == 3", "t", points=3))
    course = make_course(tmp_path / "course", extra=extra)
    given = pool._Worker.give

    def give(worker, task):
        given(worker, task)
        if task.student == "evil":
            worker.until = time.monotonic() + 10

    monkeypatch.setattr(pool._Worker, "give", give)
    for student, value in {"good": "3", "evil": "2 ** 62"}.items():
        notebook = source_notebook(*extra)
        notebook.cells[-2].source = f"def f():\n    return {value}"
        submit(course, student, notebook)
    summary = grade_assignment(course, ASSIGNMENT, jobs=1, apart=True)
    assert [(line.student, line.status) for line in summary.lines] == [("evil", "failed"), ("good", "graded")]
    assert "did not come to an end" in summary.failed[0].reason


# What a hidden check tells -------------------------------------------------------------------------------------------

KINDS = [
    "1j",
    "'text'",
    "{'a': 1}",
    "map",
    "(x for x in ())",
    "[None]",
    "[[1], [1, 2]]",
    "range(3)",
    "object()",
    "2**70",
]


def test_a_hidden_check_does_not_tell_of_which_kind_an_answer_is(judge):
    """Its arguments could choose the kind: each would be a letter of what they are."""
    test = (
        "from acme_lib.teach.check import check_values, hidden_checks\n"
        "check_values(f, {'x': 1.0}, 1.0)\n### BEGIN HIDDEN TESTS\nwith hidden_checks() as rng:\n"
        "    check_values(f, {'x': 2.0}, 2.0)\n### END HIDDEN TESTS"
    )
    told = set()
    for kind in KINDS:
        outcome = judge("def f(x):\n    return x", test, f"def f(x):\n    return x if x == 1 else {kind}").outcomes["t"]
        assert outcome.score == 0
        told.add(outcome.message)
    assert len(told) == 1, told


# Names ---------------------------------------------------------------------------------------------------------------

EVIL = {
    "\x1b[2Jivy": "\\x1b[2Jivy",
    "a\nb": "a\\nb",
    "\u202eyvi": "\\u202eyvi",
    "Zoë": "Zoë",
    "x\udcff": "x\\udcff",
    "": "",
}


def test_names_are_shown_safely():
    for name, shown in EVIL.items():
        assert readable(name) == shown


def test_names_of_students_reach_neither_log_nor_terminal(tmp_path, capfd):
    from acme_lib.grade.batch import grade_assignment
    from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, make_course, submit

    course = make_course(tmp_path / "course")
    names = ["\u202ered", "a\x1b[31m", "b\nx: graded, 8 of 8", "c\x9b2J", "d\u2028e"]
    for name in names:
        submit(course, name, hand_in() if name == names[0] else b"{no json")
    bad = bytes(course / "submitted") + b"/f\xff"
    os.makedirs(os.path.join(bad, ASSIGNMENT.encode()))
    submit(course, "loose\u202e", b"{}").rename(course / "submitted" / "loose\u202e" / "evil\x1b[2J.ipynb")
    folder = course / "submitted" / "stamp\u202e" / ASSIGNMENT
    submit(course, "stamp\u202e", hand_in()).with_name("timestamp.txt").write_text("\x1b[2J")
    assert folder.is_dir() and NOTEBOOK
    summary = grade_assignment(course, ASSIGNMENT, jobs=1)
    log = (course / "audit" / ASSIGNMENT / "grade.log").read_text("utf-8")
    for text in (str(summary), log, *capfd.readouterr()):
        assert all(line.isprintable() for line in text.split("\n"))
    assert "\\u202ered" in log and "f\\udcff" in str(summary) and "c\\x9b2J" in str(summary)
    assert not any(line.startswith("x: graded") for line in log.split("\n"))
    assert {line.student for line in summary.lines} == {"\u202ered", "loose\u202e", "stamp\u202e"}

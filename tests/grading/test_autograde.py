"""nbgrader's own ``autograde`` with our steps in it, on folders that hold more than a notebook."""

import contextlib
import io
import logging
import os
import sys
import warnings

import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import SAWarning

from acme_lib.grade.batch import grade_assignment
from acme_lib.grade.nbgrader_steps import find_strange_file
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, cell, generate, hand_in, make_course, submit
from tests.marks import always

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux"),
]
FULL = {"double_test": 4, "mean_test": 4, "words": None}


def autograde(course):
    """Run the step as the command and formgrader do; return the log."""
    from nbgrader.converters import Autograde
    from nbgrader.converters.base import NbGraderException

    from acme_lib.grade.course import load_course

    config, coursedir = load_course(course)
    coursedir.assignment_id = ASSIGNMENT
    step = Autograde(coursedir=coursedir, config=config)
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    step.log.addHandler(handler)
    try:
        with contextlib.suppress(NbGraderException), warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # of nbgrader itself
            step.start()
    finally:
        step.log.removeHandler(handler)
    return text.getvalue().split("\n")


def scores(course, student):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        found = book.find_submission(ASSIGNMENT, student)
        (notebook,) = found.notebooks
        return {grade.name: grade.auto_score for grade in notebook.grades}, found.timestamp


def files_of(course, student):
    folder = course / "autograded" / student / ASSIGNMENT
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.thorough
def test_strange_files_stay_where_they_are_and_cost_nothing(course):
    secret = course / "solutions" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    strange = {
        "links": lambda folder: (folder / "copy.txt").symlink_to(secret),
        "hidden": lambda folder: (folder / ".zeros").symlink_to("/dev/zero"),
        "deep": lambda folder: ((folder / "a").mkdir(), (folder / "a" / "zeros").symlink_to("/dev/zero")),
        "pipe": lambda folder: os.mkfifo(folder / "pipe"),
        "flood": lambda folder: [(folder / f"{i}.txt").touch() for i in range(1100)],
        "stamp": lambda folder: (folder / "timestamp.txt").symlink_to("/dev/zero"),
        "plain": lambda folder: (folder / "notes.txt").write_text("mine"),
    }
    for student, make in strange.items():
        make(submit(course, student, hand_in()).parent)
    log = autograde(course)
    for student in strange:
        assert scores(course, student)[0] == FULL
        assert files_of(course, student) == [f"{NOTEBOOK}.ipynb"]
        assert any(f"submitted/{student}/" in line and "looked at" in line for line in log) == (student != "plain")


def test_names_do_not_speak_to_the_terminal(course):
    """In nbgrader's own lines as well: it names notebooks that it does not know."""
    escape = "\x1b]0;evil\x07\x9b2J"
    folder = submit(course, "ada", hand_in()).parent
    (folder / f"{escape}.txt").symlink_to("/dev/null")
    (folder / f"{escape}\nada: 30 points.ipynb").write_text("{}")
    log = autograde(course)
    assert any("Skipping unknown notebook" in line and "\\x1b]0;evil\\x07\\x9b2J\\nada" in line for line in log)
    assert all(line.isprintable() for line in log)


def test_a_linked_folder_is_not_followed(course):
    submit(course, "right", hand_in())
    (course / "submitted" / "thief").mkdir()
    (course / "submitted" / "thief" / ASSIGNMENT).symlink_to(course / "submitted" / "right" / ASSIGNMENT)
    (course / "submitted" / "double").symlink_to(course / "submitted" / "right")
    autograde(course)
    for student, points in {"right": FULL, "thief": dict.fromkeys(FULL, 0), "double": dict.fromkeys(FULL, 0)}.items():
        assert scores(course, student)[0] == points


def test_time_stamps(course):
    stamps = {"good": "2030-01-10 12:00:00 UTC", "bad": "not a time", "long": "2030-01-10 12:00:00" + " " * 300}
    for student, text in stamps.items():
        submit(course, student, hand_in()).with_name("timestamp.txt").write_text(text)
    autograde(course)
    assert {student: str(scores(course, student)[1]) for student in stamps} == {
        "good": "2030-01-10 12:00:00",
        "bad": "None",
        "long": "None",
    }
    assert all(scores(course, student)[0] == FULL for student in stamps)


BREAKS = """\
from acme_lib.teach.check import check_values, hidden_checks

### BEGIN HIDDEN TESTS
with hidden_checks() as rng:
    check_values(double, {"x": 2.0}, 4.0)
    rng.uniform(1.0, 0.0)
### END HIDDEN TESTS"""


@pytest.mark.parametrize("entry", always(1, ["acme grade", "nbgrader autograde"]))
def test_a_check_that_breaks_waits_for_a_person(tmp_path, entry):
    course = make_course(tmp_path / "course", extra=(cell("code", BREAKS, "broken", points=3),))
    generate(course)
    right = hand_in()
    right.cells.append(cell("code", BREAKS.split("###")[0], "broken", points=3))
    submit(course, "right", right)
    right.cells[2].source = "def double(x):\n    return x"
    submit(course, "wrong", right)
    if entry == "acme grade":
        summary = grade_assignment(course, ASSIGNMENT, jobs=1)
        assert "(they have to be fixed):\n  broken: in 1 submissions" in str(summary)
    else:
        autograde(course)
    assert scores(course, "right")[0] == FULL | {"broken": None}
    assert scores(course, "wrong")[0] == FULL | {"double_test": 0, "broken": 0}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for student, waiting in {"right": {"broken", "words"}, "wrong": {"words"}}.items():
            (notebook,) = book.find_submission(ASSIGNMENT, student).notebooks
            assert {grade.name for grade in notebook.grades if grade.needs_manual_grade} == waiting


def test_what_is_strange(tmp_path):
    (tmp_path / "a").mkdir()
    assert find_strange_file(tmp_path) == ""
    (tmp_path / "a" / "huge").touch()
    os.truncate(tmp_path / "a" / "huge", 300 * 2**20)
    assert "200 MB" in find_strange_file(tmp_path)


def test_the_batch_takes_it_as_graded(course):
    """What nbgrader's own command has graded is not graded again, with another seed, by `acme grade`."""
    from acme_lib.grade.batch import grade_assignment

    submit(course, "ada", hand_in())
    autograde(course)
    before = (course / "audit" / ASSIGNMENT / "ada" / "p.json").read_bytes()
    summary = grade_assignment(course, ASSIGNMENT, jobs=1)
    assert (summary.unchanged, summary.lines) == (1, ())
    assert (course / "audit" / ASSIGNMENT / "ada" / "p.json").read_bytes() == before

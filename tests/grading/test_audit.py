"""Grades that older versions made are still read, and recomputed from their records."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from acme_lib.cli import main
from acme_lib.grade.audit import recompute
from tests.grading.small_course import ASSIGNMENT, ROOT

OLD = Path(__file__).with_name("old_course")

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux"),
]


@pytest.fixture
def old(tmp_path):
    """A course as version 0.1.0 left it before its rooms were moved: source, submissions and audit records."""
    course = shutil.copytree(OLD, tmp_path / "course")
    shutil.copy(ROOT / "nbgrader_config.py", course)
    return course


def change(course, student, **changes):
    path = course / "audit" / ASSIGNMENT / student / "p.json"
    record = json.loads(path.read_text())
    for name, value in changes.items():
        if value is None:
            del record[name]
        else:
            record[name] = value
    path.write_text(json.dumps(record))


def test_old_grades_are_recomputed(old, monkeypatch, capsys):
    """A right answer, a wrong one, and one that draws at random and was graded in two runs."""
    scores = {
        path.parent.name: {name: one["score"] for name, one in json.loads(path.read_text())["scores"].items()}
        for path in old.glob("audit/*/*/p.json")
    }
    assert scores == {
        "ada": {"double_test": 4.0, "mean_test": 4.0, "words": None},
        "bob": {"double_test": 0.0, "mean_test": 4.0, "words": None},
        "eve": {"double_test": 0.0, "mean_test": 0.0, "words": None},
    }
    monkeypatch.chdir(old)
    assert main(["audit", ASSIGNMENT]) == 0
    assert "3 of 3 grades are the same when recomputed" in capsys.readouterr().out


def test_a_forged_old_grade_is_found(old):
    record = json.loads((old / "audit" / ASSIGNMENT / "bob" / "p.json").read_text())
    record["scores"]["double_test"]["score"] = 4.0
    change(old, "bob", scores=record["scores"])
    (bob,) = recompute(old, ASSIGNMENT, ["bob"])
    assert bob.differences == ("double_test: score was 4.0, is 0.0",)


@pytest.mark.thorough
def test_limits_of_another_version_are_no_obstacle(old):
    """A record may lack a limit that is new, and hold one that is gone: both are said, and the grade is recomputed."""
    record = json.loads((old / "audit" / ASSIGNMENT / "ada" / "p.json").read_text())
    limits = {**record["limits"], "disk_bytes": 5}
    del limits["processes"]
    change(old, "ada", limits=limits)
    (ada,) = recompute(old, ASSIGNMENT, ["ada"])
    assert ada.differences == ()
    assert any("disk_bytes" in remark and "processes" in remark for remark in ada.remarks)


@pytest.mark.thorough
def test_another_wording_is_a_remark_and_no_other_grade(old):
    record = json.loads((old / "audit" / ASSIGNMENT / "bob" / "p.json").read_text())
    record["scores"]["double_test"]["message"] = "✗ as it was worded once"
    change(old, "bob", scores=record["scores"])
    (bob,) = recompute(old, ASSIGNMENT, ["bob"])
    assert bob.differences == ()
    assert "double_test: its message reads otherwise now" in bob.remarks


def test_a_record_without_what_is_needed_is_named(old):
    change(old, "ada", seed=None)
    (ada,) = recompute(old, ASSIGNMENT, ["ada"])
    assert ada.differences == ("the audit record lacks seed",)

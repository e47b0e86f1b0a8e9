"""A class drawn at random over all assignments is graded, killed on the way, to the point: ``pytest -n 0 -m soak``.

``ACME_SOAK`` sets the number of submissions (2,000), ``ACME_SOAK_SEED`` makes a run again (the report and each failure
say which it was).
About twenty minutes on two cores. `tests.grading.attacks.course` says how it is contained.
"""

import os
import secrets
import statistics

import pytest

from tests.grading.attacks.course import can_contain
from tests.grading.attacks.ours import effects_on_the_course
from tests.grading.attacks.record import NEIGHBOURS, assignments
from tests.grading.soak.draw import draw_class
from tests.grading.soak.soak import compare, describe, differences, neighbours, soak, spoilt
from tests.programs import do_without

pytestmark = pytest.mark.soak
COUNT = int(os.environ.get("ACME_SOAK", 2000))
SEED = int(os.environ.get("ACME_SOAK_SEED") or secrets.randbits(31))
MAX_GROWTH = 16 * 2**20  # bytes that the writer may grow by


@pytest.fixture(scope="module")
def students():
    """Return the class."""
    print(f"ACME_SOAK={COUNT} ACME_SOAK_SEED={SEED}")
    return draw_class(COUNT, SEED)


@pytest.fixture(scope="module")
def graded(students, tmp_path_factory, request):
    """Return what the soak left behind."""
    missing = can_contain()
    if missing:
        do_without(missing)
    result = soak(students, tmp_path_factory.mktemp("soak"), SEED)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{describe(result, students, SEED)}")
    return result


def test_every_grade_is_as_expected(students, graded):
    wrong = differences([*students, *neighbours()], graded.grades)
    named = [f"{student}: {'; '.join(found)}" for student, found in wrong.items()]
    again = f"ACME_SOAK={COUNT} ACME_SOAK_SEED={SEED}"
    assert named == [], "\n".join([f"{len(named)} grades differ ({again})", *named[:50]])


def test_a_wrong_expectation_is_seen(students, graded):
    for student in students:
        assert compare(spoilt(student), graded.grades[student.assignment, student.name]), student.drawn


def test_in_each_assignment_the_batch_and_a_worker_were_killed(students, graded):
    assert [kill["what"] for kill in graded.killing["kills"]] == ["worker", "batch"] * len(assignments())
    runs = graded.killing["runs"]
    assert [run["code"] for run in runs] == [-9, 0] * len(assignments())
    handed_in = [sum(s.assignment == place for s in students) + len(NEIGHBOURS) for place in assignments()]
    for first, last, count in zip(runs[::2], runs[1::2], handed_in, strict=True):
        assert 0 < first["records"] < last["records"] == count


def test_each_submission_is_graded_once(students, graded):
    pairs = {(student.assignment, student.name) for student in [*students, *neighbours()]}
    assert graded.submissions == dict.fromkeys(pairs, 1)
    assert graded.killing["written_again"] == []  # no record that a killed run had left
    assert max(graded.lines.values()) == 1
    unlogged = pairs - set(graded.lines)  # killed between the record and its line in the log
    assert len(unlogged) <= len(assignments())
    assert graded.starts == dict.fromkeys(assignments(), 3)
    assert graded.ends == dict.fromkeys(assignments(), 2)
    for place in assignments():
        count = sum(assignment == place for assignment, _ in pairs)
        assert f"0 graded, 0 unreadable, 0 failed, {count} unchanged" in graded.course.log
    assert {grade.record["run_seed"] for grade in graded.grades.values()} == {SEED}


def test_nothing_is_left(graded):
    assert max(graded.killing["orphans"]) < 30
    assert graded.killing["left"] == []
    assert [name for name in graded.killing["scratch"] if name.startswith("acme-grade-")] == []


def test_the_course_and_the_machine_are_as_before(graded):
    assert effects_on_the_course(graded.course.observe(NEIGHBOURS[0], assignments()[0])) == []


def test_the_memory_of_the_writer_does_not_grow(graded):
    """From the first third of a run to the last; a submission that is large itself passes through, and is no growth."""
    for run in graded.memory():
        sizes = [size for results, size in run if size and results > run[0][0]]
        if len(sizes) >= 30:
            third = len(sizes) // 3
            assert statistics.median(sizes[-third:]) - statistics.median(sizes[:third]) < MAX_GROWTH

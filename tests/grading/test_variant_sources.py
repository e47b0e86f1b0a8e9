"""The text of a variant is the variant: what a student would hand in, not a paraphrase of it."""

import dis
import types
import warnings

import pytest

from tests.grading.attacks.catalogue import ATTACKS
from tests.grading.attacks.record import Kit, assignments
from tests.grading.exercises import all_exercises
from tests.grading.soak.draw import SHARES, draw_class
from tests.grading.soak.soak import Grade, compare, draw_kills, spoilt


def code_of(function):
    """Return the instructions of a function, with those of what it encloses, and the values that they use."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    inside = [*cells, *(function.__defaults__ or ())]
    return [_instructions(function.__code__), [code_of(f) if isinstance(f, types.FunctionType) else f for f in inside]]


def _instructions(code):
    constants = [_instructions(c) if isinstance(c, types.CodeType) else c for c in code.co_consts]
    return code.co_code, code.co_names, constants


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_the_source_is_the_function(exercise):
    for variant in (*exercise.right, *exercise.wrong):
        apart = run(exercise.given, variant.source)
        if f"right_{variant.exercise}" in variant.source:  # the solution under another name
            continue
        # A newer Python calls `np.sum` in another way where `import numpy as np` stands in the same text.
        together = run(f"{exercise.given}\n\n{variant.source}")
        sources = [code_of(namespace[variant.exercise]) for namespace in (apart, together)]
        assert code_of(variant.function) in sources, variant.label
        asked_for = {i.argval for i in dis.get_instructions(variant.function) if i.opname == "LOAD_GLOBAL"}
        needed = asked_for & set(variant.function.__globals__)
        assert needed - set(exercise.questions) <= set(apart), variant.label


def run(*cells):
    """Return what cells define, one after the other."""
    namespace = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        for cell in cells:
            exec(cell, namespace)
    return namespace


def test_a_wrong_answer_says_what_it_loses():
    for exercise in all_exercises():
        assert all(set(v.fails) <= set(exercise.questions[v.exercise]) and v.fails for v in exercise.wrong)
        assert not any(v.fails for v in exercise.right)


@pytest.mark.thorough
def test_a_class_is_drawn_again_from_its_seed():
    first, again, other = draw_class(120, 5), draw_class(120, 5), draw_class(120, 6)
    facts = [[(s.name, s.drawn, s.expected) for s in students] for students in (first, again, other)]
    assert facts[0] == facts[1] != facts[2]
    assert len({student.name for student in first}) == 120
    for kind, share in SHARES.items():
        assert abs(sum(student.kind == kind for student in first) - share * 120) <= 3
    for kills in (*draw_kills([1000, 100], 5), *draw_kills([100, 1000], 6)):
        (early, worker), (late, batch) = kills
        assert (worker, batch) == ("worker", "batch")
        assert 0 < early < late <= 800


@pytest.mark.thorough
def test_a_class_hands_in_every_assignment_and_numbers_of_its_own():
    students = draw_class(240, 9)
    assert {s.assignment for s in students if s.kind != "hostile"} == set(assignments())
    own = [s for s in students if s.own]
    assert {s.assignment for s in own} == {a for a in assignments() if "sealed" in Kit(a).kinds}
    foreign = [s for s in own if s.drawn.partition(" ")[2].startswith("numbers of")]
    assert 0 < len(foreign) < len(own) / 2
    assert all(s.expected.by_hand & {*Kit(s.assignment).tests} for s in foreign)


def test_what_is_expected_adds_up():
    attacks = {f"hostile {a.name}": a for a in ATTACKS}
    for student in draw_class(120, 7):
        expected = student.expected
        if expected.cells is not None:
            assert sum(score or 0 for score in expected.cells.values()) == expected.points
            assert expected.cells.keys() == {*Kit(student.assignment).tests, *Kit(student.assignment).words}
        if student.kind == "hostile" and expected.points is not None:
            assert expected.points == attacks[student.drawn].deserved(student.assignment)


def test_a_grade_that_differs_is_seen():
    """A grade as expected is silent; with a wrong expectation, or the least change of the grade, it is not."""
    for student in draw_class(60, 8):
        expected = student.expected
        if expected.cells is None:
            continue
        record = {
            "status": expected.status,
            "reason": "",
            "scores": {name: {"score": score} for name, score in expected.cells.items()},
        }
        grade = Grade(expected.cells, expected.points, expected.by_hand, record)
        assert compare(student, grade) == []
        assert compare(spoilt(student), grade)
        assert compare(student, None)
        assert compare(student, Grade(expected.cells, expected.points, expected.by_hand, {}))
        assert compare(student, Grade(expected.cells, expected.points + 1, expected.by_hand, record))
        assert compare(student, Grade(expected.cells, expected.points, expected.by_hand ^ {"x"}, record))
        assert compare(student, Grade(expected.cells, expected.points, expected.by_hand, record | {"status": "failed"}))

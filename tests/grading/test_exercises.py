"""The checks of the exercises judge right and wrong answers as they should, in the visible and in the hidden part.

The check cells are run as they are built, each in a namespace that holds the answers and nothing else: so a cell must
import all it uses. `test_validity` runs the same many times.
"""

import re
import zlib
from collections import Counter

import nbformat
import numpy as np
import pytest
from matplotlib import pyplot

from acme_lib.build.exercises import load_assignment
from acme_lib.limits import CALL_SECONDS
from acme_lib.teach.check import CheckFailed
from acme_lib.teach.check_door import LocalDoor, fresh_rng, use_door
from acme_lib.teach.check_slips import OWN, SLIPS, find_slips
from tests.grading.exercises import ROOT, all_exercises, read_exercise, texts

EXERCISES = {exercise.name: exercise for exercise in all_exercises()}
RIGHT = [variant for exercise in EXERCISES.values() for variant in exercise.right]
WRONG = [variant for exercise in EXERCISES.values() for variant in exercise.wrong]
QUESTIONS = [(exercise, name) for exercise in EXERCISES.values() for name in exercise.questions]


def takes_long(exercise, question):
    """Whether a check of this question makes hundreds of data sets, as for the coverage of an interval."""
    return any("check_coverage(" in exercise.cells[check] for check in exercise.questions[question])


def thorough_where(long):
    return pytest.mark.thorough if long else ()


def waits(exercise, question):
    """Whether a question is left to `thorough`: but for the second of each assignment, and where a check takes long."""
    return takes_long(exercise, question) or list(exercise.questions).index(question) != 1


def proven():
    """Return the texts that hold numbers with a proof."""
    return [path for path in texts() if ":acme: {proof: " in path.read_text("utf-8")]


each_question = pytest.mark.parametrize(
    ("exercise", "question"),
    [pytest.param(e, q, id=f"{e.name[:2]}-{q}", marks=thorough_where(waits(e, q))) for e, q in QUESTIONS],
)

KINDS = ["exit", "error", "text", "nothing", "object", "flood"]  # of answers that misbehave


class CountingDoor(LocalDoor):
    """The local door, which counts its calls and remembers what went through."""

    def __init__(self):
        self.arguments = []

    def call(self, function, arguments):
        self.arguments.append(arguments)
        return super().call(function, arguments)


class SeededDoor(LocalDoor):
    """The local door, whose entropy is the same in every run."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def entropy(self):
        return int(self._rng.integers(2**63))


@pytest.fixture(autouse=True)
def same_values_in_every_run(request):
    """Each test has its own values; those of all runs are alike. How often fresh ones mislead: test_validity."""
    with use_door(SeededDoor(zlib.crc32(request.node.name.encode()))):
        yield


def test_values_are_the_same_in_every_run():
    door = SeededDoor(zlib.crc32(b"test_values_are_the_same_in_every_run"))
    assert fresh_rng().integers(10**9) == np.random.default_rng(door.entropy()).integers(10**9)


def run(code, question, function):
    """Run a check cell on an answer; return the message of the failure, or None."""
    try:
        exec(code, {question: function, "__name__": "__main__"})
    except CheckFailed as failure:
        return str(failure)


def unwrapped(message):
    return " ".join(message.split())


def solution(exercise, question):
    return next(v.function for v in exercise.right if v.exercise == question)


def label(variant):
    return f"{variant.assignment[:2]}-{variant.label}"


def test_there_are_enough_variants_of_every_question():
    for exercise, question in QUESTIONS:
        assert sum(v.exercise == question for v in exercise.right) >= 4, f"{question}: the solution, and three others"
        assert sum(v.exercise == question for v in exercise.wrong) >= 8, question


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.parent.name)
def test_every_graded_code_cell_belongs_to_a_question(path):
    exercise = read_exercise(path)
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    graded = [c.metadata.nbgrader.grade_id for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]
    checks = [check for checks in exercise.questions.values() for check in checks]
    assert len(set(checks)) == len(checks)
    assert set(checks) <= set(graded)
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            assert cell.metadata.nbgrader.grade_id in checks


def first_ones(variants, count):
    """Leave all but the first answers to a question to `thorough`, and all to a question that `waits`."""
    rows, met = [], Counter()
    for v in variants:
        exercise, question = EXERCISES[v.assignment], (v.assignment, v.exercise)
        late = met[question] >= count or waits(exercise, v.exercise)
        rows.append(pytest.param(v, id=label(v), marks=thorough_where(late)))
        met[question] += 1
    return rows


@pytest.mark.parametrize("answer", first_ones(RIGHT, 1))
def test_a_right_answer_passes_silently(answer, capfd):
    exercise = EXERCISES[answer.assignment]
    for check in exercise.questions[answer.exercise]:
        for _ in range(1 if check in exercise.random else 5):
            assert run(exercise.cells[check], answer.exercise, answer.function) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("answer", first_ones(WRONG, 1))
def test_a_wrong_answer_loses_its_checks_and_is_told_why(answer):
    exercise = EXERCISES[answer.assignment]
    assert set(answer.fails) <= set(exercise.questions[answer.exercise])
    named = set()
    for check in exercise.questions[answer.exercise]:
        visible = run(exercise.visible(check), answer.exercise, answer.function)
        hidden = [
            run(exercise.hidden(check), answer.exercise, answer.function)
            for _ in range(1 if check in exercise.random else 3)
        ]
        if check not in answer.fails:
            assert visible is None, visible
            assert hidden == [None] * len(hidden), hidden
            continue
        assert None not in hidden, check
        for message in hidden:
            assert_no_hidden_values(message)
        messages = [visible, hidden[0]] if visible is not None else [hidden[0]]
        assert all("✗" in message for message in messages)
        for message in messages:
            found = set(find_slips(message))
            named |= found
            if answer.key:
                assert found <= {answer.key}, f"{check}: another misconception is named\n{message}"
    if answer.key:
        assert named == {answer.key}, "no message names it"


def assert_no_hidden_values(message):
    first, *rest = message.split("\n")
    assert re.fullmatch(r"✗ \d+ of \d+ hidden checks? fails?, on values that are not shown\.", first), first
    text = unwrapped(" ".join(rest))
    for slip in SLIPS.values():
        text = text.replace(unwrapped(slip.text), "").replace(unwrapped(slip.name), "")
    text = text.replace("1,000,000", "").replace("Part 2 of the answer", "")
    text = re.sub(r"eturn \d values", "", text)
    assert not re.search(r"\d", text), text


@pytest.mark.parametrize("path", proven(), ids=lambda path: path.parent.name)
def test_numbers_in_a_text_are_those_of_the_model_answers(path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook, assignment = load_assignment(path)
    space = {}
    exec("\n\n".join([*assignment.given, *assignment.answers.values()]), space)
    for cell in notebook.cells:
        if cell.cell_type == "code" and {"proof"} >= set(cell.metadata.get("acme", {})):
            exec(cell.source, space)
    pyplot.close("all")


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.parent.name)
def test_the_limits_of_the_grading_are_said(path):
    words = unwrapped(path.read_text("utf-8"))
    assert f"one call of a function may take {CALL_SECONDS:g} seconds" in words
    assert "one process, without a network and without `multiprocessing`" in words
    assert "half a minute" not in words


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.parent.name)
def test_checks_are_folded_and_say_at_the_end_that_they_are_passed(path):
    for cell in nbformat.read(path.with_suffix(".ipynb"), as_version=4).cells:
        grading = cell.metadata.get("nbgrader", {})
        if grading.get("grade") and cell.cell_type == "code":
            assert cell.metadata.jupyter.source_hidden
            first, *_, last = cell.source.split("\n")
            assert re.match(r"# Check of question \d+", first), "what stands beside a folded cell"
            assert last == f'all_right({grading.points}, "{path.parent.name}/{grading.grade_id}")'


@each_question
def test_an_unwritten_answer_is_told_so(exercise, question):
    def stub(*arguments):
        raise NotImplementedError()

    for check in exercise.questions[question]:
        for part in (exercise.visible(check), exercise.hidden(check)):
            message = unwrapped(run(part, question, stub))
            assert "not written yet" in message
            assert "This looks like" not in message


@each_question
def test_answers_learnt_by_heart_pass_the_visible_part_only(exercise, question):
    door = CountingDoor()
    right = solution(exercise, question)
    for check in exercise.questions[question]:
        with use_door(door):
            run(exercise.visible(check), question, right)
    seen = {re.sub("Generator.*", "", str(arguments)) for arguments in door.arguments}

    def table(*arguments):
        return right(*arguments) if re.sub("Generator.*", "", str(arguments)) in seen else 0

    for check in exercise.questions[question]:
        if "check_coverage(" not in exercise.cells[check]:  # whose data are new each time
            assert run(exercise.visible(check), question, table) is None
        hidden = exercise.hidden(check)
        if check in exercise.personal:  # learnt from another student's notebook
            hidden = hidden.replace('secret=""', f'secret="{"01" * 32}"')
        assert run(hidden, question, table) is not None


@each_question
def test_hidden_parameters_are_fresh_each_time(exercise, question):
    """But those of a question with numbers of a student's own: test_personal holds that they are theirs."""
    for check in set(exercise.questions[question]) - set(exercise.personal):
        doors = CountingDoor(), CountingDoor()
        for door in doors:
            with use_door(door):
                assert run(exercise.hidden(check), question, solution(exercise, question)) is None
        assert str(doors[0].arguments) != str(doors[1].arguments)


@pytest.mark.parametrize(
    "kind", ["text", *(pytest.param(kind, marks=pytest.mark.thorough) for kind in KINDS if kind != "text")]
)
@each_question
def test_a_misbehaving_answer_fails_without_a_leak(exercise, question, kind):
    class Sly(float):
        def __eq__(self, other):
            return True

        __hash__ = None

    def misbehave(*arguments):
        print("secret", arguments)
        if kind == "exit":
            raise SystemExit(0)
        if kind == "error":
            raise ValueError(f"secret {arguments}")
        return {"text": f"secret {arguments}", "nothing": None, "object": Sly(1), "flood": flood}[kind]

    flood = [0] * 10_000_001 if kind == "flood" else None
    for check in exercise.questions[question]:
        hidden = run(exercise.hidden(check), question, misbehave)
        assert "secret" not in hidden
        assert_no_hidden_values(re.sub("10,000,000", "", hidden))


def test_every_misconception_of_the_library_is_used():
    files = set((ROOT / "acme_lib/teach").glob("check*.py")) - {ROOT / "acme_lib/teach/check_slips.py"}
    library = "".join(file.read_text() for file in files)
    code = "".join(cell for exercise in EXERCISES.values() for cell in exercise.cells.values())
    for key in OWN:
        assert f'"{key}"' in library + code, key

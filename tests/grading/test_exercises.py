"""The checks of the exercises judge right and wrong answers as they should, in the visible and in the hidden part.

The check cells of ``solutions/`` are run as they stand, each in a namespace that holds the answer and nothing else:
so a cell must import all it uses.
"""

import re
import runpy
import zlib
from pathlib import Path

import nbformat
import numpy as np
import pytest

from acme_lib.teach.check import CheckFailed
from acme_lib.teach.check_door import LocalDoor, fresh_rng, use_door
from acme_lib.teach.check_slips import SLIPS

ROOT = Path(__file__).parents[2]
NAME = "01_chemical_master_equation/chemical_master_equation"
SOURCE = nbformat.read(ROOT / f"solutions/{NAME}.ipynb", as_version=4)
VARIANTS = runpy.run_path(str(Path(__file__).with_name("exercise_variants.py")))
CELLS, RIGHT, WRONG = VARIANTS["CELLS"], VARIANTS["RIGHT"], VARIANTS["WRONG"]
CODE = {cell.metadata.nbgrader.grade_id: cell.source for cell in SOURCE.cells if "nbgrader" in cell.metadata}
HIDDEN = re.compile(r"^### BEGIN HIDDEN TESTS\n(.*?)^### END HIDDEN TESTS\n?", re.DOTALL | re.MULTILINE)


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
    """Each test has its own values; those of all runs are alike. How often fresh ones mislead: test_check, ``slow``."""
    with use_door(SeededDoor(zlib.crc32(request.node.name.encode()))):
        yield


def test_values_are_the_same_in_every_run():
    door = SeededDoor(zlib.crc32(b"test_values_are_the_same_in_every_run"))
    assert fresh_rng().integers(10**9) == np.random.default_rng(door.entropy()).integers(10**9)


def visible_part(cell):
    return HIDDEN.sub("", CODE[cell] + "\n")


def hidden_part(cell):
    imports = [line for line in CODE[cell].split("\n") if line.startswith(("import ", "from "))]
    return "\n".join([*imports, HIDDEN.search(CODE[cell] + "\n")[1]])


def run(code, exercise, function):
    """Run a check cell on an answer; return the message of the failure, or None."""
    try:
        exec(code, {exercise: function, "__name__": "__main__"})
    except CheckFailed as failure:
        return str(failure)


def name(function):
    return re.sub(r"\W+", "-", f"{function.__name__}-{function.__code__.co_firstlineno}").strip("-")


def unwrapped(message):
    return " ".join(message.split())


def official(exercise):
    namespace = {}
    exec("import numpy as np\n" + CODE[exercise], namespace)
    return namespace[exercise]


ALL_RIGHT = [(exercise, official(exercise)) for exercise in CELLS] + RIGHT


def test_there_are_enough_variants_of_every_exercise():
    for exercise in CELLS:
        assert sum(e == exercise for e, _ in RIGHT) >= 3
        assert sum(w.exercise == exercise for w in WRONG) >= 8


def test_every_graded_code_cell_belongs_to_an_exercise():
    graded = [
        c.metadata.nbgrader.grade_id for c in SOURCE.cells if c.get("metadata", {}).get("nbgrader", {}).get("grade")
    ]
    assert sorted(graded) == sorted([*(cell for cells in CELLS.values() for cell in cells), "why_means_differ"])


@pytest.mark.parametrize(("exercise", "function"), ALL_RIGHT, ids=[f"{e}-{name(f)}" for e, f in ALL_RIGHT])
def test_a_right_answer_passes_silently(exercise, function, capfd):
    for cell in CELLS[exercise]:
        for _ in range(1 if exercise == "birth_death_ensemble" else 5):
            assert run(CODE[cell], exercise, function) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("answer", WRONG, ids=[f"{w.exercise}-{name(w.function)}" for w in WRONG])
def test_a_wrong_answer_loses_its_cells_and_is_told_why(answer):
    for cell in CELLS[answer.exercise]:
        visible = run(visible_part(cell), answer.exercise, answer.function)
        hidden = [
            run(hidden_part(cell), answer.exercise, answer.function)
            for _ in range(1 if answer.exercise == "birth_death_ensemble" else 3)
        ]
        if cell not in answer.fails:
            assert visible is None, visible
            assert hidden == [None] * len(hidden)
            continue
        assert visible is not None
        assert "✗" in visible
        if answer.slip:
            assert unwrapped(SLIPS[answer.slip].text) in unwrapped(visible)
        assert None not in hidden
        if answer.slip and answer.slip != "zero-propensity-fires":
            assert unwrapped(SLIPS[answer.slip].text) in unwrapped(hidden[0])
        for message in hidden:
            assert_no_hidden_values(message)


def assert_no_hidden_values(message):
    first, *rest = message.split("\n")
    assert re.fullmatch(r"✗ \d+ of \d+ hidden checks? fails?, on values that are not shown\.", first), first
    text = unwrapped(" ".join(rest))
    for slip in SLIPS.values():
        text = text.replace(unwrapped(slip.text), "").replace(unwrapped(slip.name), "")
    text = text.replace("1,000,000", "").replace("eturn 2 values", "").replace("Part 2 of the answer", "")
    assert not re.search(r"\d", text), text


def test_checks_are_folded_and_say_at_the_end_that_they_are_passed():
    for cell in SOURCE.cells:
        grading = cell.metadata.get("nbgrader", {})
        if grading.get("grade") and cell.cell_type == "code":
            assert cell.metadata.jupyter.source_hidden
            first, *_, last = cell.source.split("\n")
            assert first.startswith("# Check of question "), "what stands beside a folded cell"
            assert last == f"all_right({grading.points})"


@pytest.mark.parametrize("exercise", CELLS)
def test_an_unwritten_answer_is_told_so(exercise):
    def stub(*arguments):
        raise NotImplementedError()

    for cell in CELLS[exercise]:
        for part in (visible_part(cell), hidden_part(cell)):
            message = unwrapped(run(part, exercise, stub))
            assert "not written yet" in message
            assert "This looks like" not in message


@pytest.mark.parametrize("exercise", CELLS)
def test_answers_learnt_by_heart_pass_the_visible_part_only(exercise):
    door = CountingDoor()
    solution = official(exercise)
    for cell in CELLS[exercise]:
        with use_door(door):
            run(visible_part(cell), exercise, solution)
    known = [str(arguments) for arguments in door.arguments]

    def table(*arguments):
        return solution(*arguments) if re.sub("Generator.*", "", str(arguments)) in seen else 0

    seen = {re.sub("Generator.*", "", text) for text in known}
    for cell in CELLS[exercise]:
        assert run(visible_part(cell), exercise, table) is None
        assert run(hidden_part(cell), exercise, table) is not None


@pytest.mark.parametrize("exercise", CELLS)
def test_hidden_parameters_are_fresh_each_time(exercise):
    for cell in CELLS[exercise]:
        doors = CountingDoor(), CountingDoor()
        for door in doors:
            with use_door(door):
                assert run(hidden_part(cell), exercise, official(exercise)) is None
        assert str(doors[0].arguments) != str(doors[1].arguments)


@pytest.mark.parametrize("kind", ["exit", "error", "text", "nothing", "object", "flood"])
@pytest.mark.parametrize("exercise", CELLS)
def test_a_misbehaving_answer_fails_without_a_leak(exercise, kind):
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
        return {"text": f"secret {arguments}", "nothing": None, "object": Sly(1), "flood": [0] * 10_000_001}[kind]

    for cell in CELLS[exercise]:
        hidden = run(hidden_part(cell), exercise, misbehave)
        assert "secret" not in hidden
        assert_no_hidden_values(re.sub("10,000,000", "", hidden))


def test_every_documented_misconception_is_used():
    files = ("check", "check_events", "check_laws")
    library = "".join((ROOT / f"acme_lib/teach/{file}.py").read_text() for file in files)
    for key in SLIPS:
        assert f'"{key}"' in library + "".join(CODE.values()), key


@pytest.mark.slow
def test_hidden_checks_find_every_wrong_answer_in_many_draws():
    """Each deterministic wrong answer in 200 fresh draws, and each right one: no draw may miss, none may accuse."""
    for answer in WRONG:
        if answer.exercise != "birth_death_ensemble":
            for cell in answer.fails:
                code = compile(hidden_part(cell), cell, "exec")
                for _ in range(200):
                    message = run(code, answer.exercise, answer.function)
                    assert message is not None, (cell, name(answer.function))
                    assert_no_hidden_values(message)
                    if answer.slip and answer.slip != "zero-propensity-fires":
                        assert unwrapped(SLIPS[answer.slip].text) in unwrapped(message), (cell, answer.slip, message)
    for exercise, function in ALL_RIGHT:
        if exercise != "birth_death_ensemble":
            for cell in CELLS[exercise]:
                code = compile(hidden_part(cell), cell, "exec")
                for _ in range(200):
                    assert run(code, exercise, function) is None, (cell, name(function))

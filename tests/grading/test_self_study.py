"""What a self-learner gets beside the points: hints, what a passed question says, the page of misconceptions; no answer
is in them, and nothing of them is written, or changes a point, while somebody grades.
"""

import ast
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbgrader.server_extensions.validate_assignment import handlers

from acme_lib.build.exercises import load_assignment
from acme_lib.build.misconceptions import write_misconceptions
from acme_lib.build.questions import collect_texts, outline
from acme_lib.teach import validate
from acme_lib.teach.check_slips import OWN
from acme_lib.teach.passed import COLLECTED, read_exercises
from tests.grading.exercises import ROOT, texts
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, answer, cell, generate, make_course, submit
from tests.grading.test_three_ways import _scores, autograde, grade

ASSIGNMENTS = [load_assignment(path)[1] for path in texts()]
EACH = [(assignment, name) for assignment in ASSIGNMENTS for name in assignment.headings]
IDS = [f"{assignment.name[:2]}-{name}" for assignment, name in EACH]


def code_of(assignment, name):
    """The parts of an answer that are long enough to tell something: its lines, and what it returns."""
    solution = assignment.answers.get(name, "")
    parts = [line.strip() for line in solution.split("\n") if not line.startswith("def ")]
    for node in ast.walk(ast.parse(solution)):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Return) and node.value is not None:
            parts += [ast.unparse(part) for part in ast.walk(node.value) if isinstance(part, ast.BinOp | ast.Call)]
    return {re.sub(r"\s", "", part) for part in parts if len(part) > 9}


@pytest.mark.parametrize(("assignment", "name"), EACH, ids=IDS)
def test_each_question_leads_on_without_its_answer(assignment, name):
    assert 2 <= assignment.hints[name].count("<summary>Hint") <= 3
    said = re.sub(r"[\s`]", "", assignment.hints[name] + assignment.passed.get(name, ""))
    assert [part for part in code_of(assignment, name) if part in said] == []
    if name in assignment.answers:
        assert 2 <= len(re.findall(r"[.?!](?: |$)", assignment.passed[name])) <= 4


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.parent.name)
def test_hints_are_released_folded_below_their_question(path):
    _, assignment = load_assignment(path)
    release = nbformat.read(ROOT / "exercises" / path.parent.name / f"{path.stem}.ipynb", as_version=4)
    markdown = [c.source for c in release.cells if c.cell_type == "markdown"]
    for name, hints in assignment.hints.items():
        number, title = assignment.headings[name]
        (text,) = [source for source in markdown if hints in source]
        above = release.cells[: [c.source for c in release.cells].index(text) + 1]
        headings = re.findall(r"^## .*$", "\n".join(c.source for c in above if c.cell_type == "markdown"), re.MULTILINE)
        assert headings[-1].startswith(f"## {number} {title}")
    everything = "\n".join(markdown)
    assert everything.count("<details>") == everything.count("</details>")


def test_the_library_knows_the_questions_and_nothing_that_answers_them():
    assert json.loads(COLLECTED.read_text("utf-8")) == outline(ASSIGNMENTS), "run `acme build`"
    for assignment in ASSIGNMENTS:
        known = {check for q in read_exercises()[int(assignment.name[:2])].questions for check in q.checks}
        assert known == {f"{assignment.name.split('/')[0]}/{check}" for check in assignment.checks}
    checks = [check for exercises in read_exercises().values() for q in exercises.questions for check in q.checks]
    assert len(set(checks)) == len(checks)


def test_the_page_of_misconceptions_is_current_and_whole():
    page = (ROOT / "solutions" / "MISCONCEPTIONS.md").read_text("utf-8")
    words = collect_texts(ASSIGNMENTS)
    assert page == write_misconceptions(ASSIGNMENTS, words), "run `acme build`"
    for assignment in ASSIGNMENTS:
        chapter = page.split(f"## Chapter {int(assignment.name[:2])}: {assignment.title}\n")[1].split("\n## ")[0]
        for name in assignment.slips:
            part = chapter.split(f": `{name}`\n")[1].split("\n### ")[0]
            slips = assignment.read(name)[0].slips
            assert re.findall(r"^- \*\*.*?\*\* \(`([\w-]+)`\)", part, re.MULTILINE) == [slip.key for slip in slips]
            for slip in slips:
                assert (words[slip.key][1] if slip.key in words else OWN[slip.key].text) in part
    assert all(f"(`{key}`)" in page for key in OWN)


# While somebody grades ------------------------------------------------------------------------------------------------

PASSED = next(q for q in read_exercises()[1].questions if len(q.checks) == 1)
CHECK = f"""\
# Check of question 7: run this cell
from acme_lib.teach.check import all_right, check_values, hidden_checks

check_values(f, {{"x": 3.0}}, 6.0)
### BEGIN HIDDEN TESTS
with hidden_checks() as rng:
    x = float(rng.uniform(10, 99))
    check_values(f, {{"x": x}}, 2 * x)
### END HIDDEN TESTS
all_right(1, "{PASSED.checks[0]}")"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course whose check says it was passed, and a right submission."""
    extra = (answer("f", "def f(x):\n    return 2 * x"), cell("code", CHECK, "t_f", points=1))
    course = make_course(tmp_path_factory.mktemp("self") / "course", extra=extra)
    generate(course)
    return course


def hand_in(course, answer):
    notebook = nbformat.read(course / "exercises" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    for found in notebook.cells:
        if found.metadata.get("nbgrader", {}).get("grade_id") == "f":
            found.source = answer
    return notebook


RIGHT = "def f(x):\n    return 2 * x"


@pytest.fixture
def record(tmp_path, monkeypatch):
    """The record of whoever runs what follows."""
    monkeypatch.setenv("ACME_RECORD", str(tmp_path / "record.json"))
    return tmp_path / "record.json"


@pytest.fixture
def nobody_tests(monkeypatch):
    """Return what takes out of the environment that this is a test: pytest puts it in after the fixtures."""
    return lambda: monkeypatch.delenv("PYTEST_CURRENT_TEST")


@pytest.mark.nbgrader
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")
@pytest.mark.parametrize("who", [grade, autograde], ids=["acme grade", "nbgrader autograde"])
def test_what_is_said_changes_no_point_and_grading_leaves_no_record(course, record, nobody_tests, who):
    nobody_tests()
    student = "ada" if who is grade else "bob"
    submit(course, student, hand_in(course, RIGHT))
    assert _scores(course, who, student) == {"t_f"}
    assert not record.exists()


STOCK = """\
import sys
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

config = Config()
config.CourseDirectory.root = sys.argv[1]
config.CourseDirectory.course_id = "acme"
config.CourseDirectory.release_directory = "exercises"
config.CourseDirectory.source_directory = "solutions"
coursedir = CourseDirectory(config=config)
coursedir.assignment_id, coursedir.student_id = sys.argv[2], "cy"
Autograde(coursedir=coursedir, config=config).start()
"""


@pytest.mark.nbgrader
def test_stock_nbgrader_gives_full_points_to_a_check_that_speaks(course, record, nobody_tests):
    nobody_tests()
    submit(course, "cy", hand_in(course, RIGHT))

    def stock(course):
        subprocess.run([sys.executable, "-c", STOCK, str(course), ASSIGNMENT], check=True, capture_output=True)

    assert _scores(course, stock, "cy") == {"t_f"}
    graded = nbformat.read(course / "autograded" / "cy" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    (check,) = [c for c in graded.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "t_f"]
    assert " ".join(check.outputs[0].text.split()) == f"✔ right, 1 of 1 points Question {PASSED.number} is done. " + (
        PASSED.says
    )
    assert not record.exists()


@pytest.mark.nbgrader
@pytest.mark.parametrize("right", [True, False])
def test_validate_says_what_was_established_and_remembers_it(
    course, record, nobody_tests, monkeypatch, loops_left_open, right
):
    """The other checks of the notebook fail, as nothing is written yet."""
    nobody_tests()
    monkeypatch.setattr(handlers, "Validator", validate.GradedAlike)
    folder = record.parent
    nbformat.write(hand_in(course, RIGHT if right else "def f(x):\n    return x"), folder / "p.ipynb")
    handler = SimpleNamespace(root_dir=str(folder), load_config=lambda: None, log=None)
    with loops_left_open():
        found = validate.validate_for_learners(handler, "p.ipynb")
    *failed, last = found["value"]["failed"]
    assert all("is done" not in one["error"] for one in failed)
    assert (last["source"] == validate.SOME_PASSED) == right
    assert (PASSED.says in " ".join(last["raw_error"].split())) == right
    assert record.exists() == right


@pytest.mark.nbgrader
@pytest.mark.thorough
def test_an_automatic_run_of_notebooks_leaves_no_record(course, record):
    path = record.parent / "p.ipynb"
    nbformat.write(hand_in(course, RIGHT), path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "--nbval-lax",
        "--nbval-current-env",
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    run = subprocess.run(
        [*command, str(path)], cwd=record.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert "passed" in run.stdout, run.stdout
    assert not record.exists()

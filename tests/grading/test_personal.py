"""Numbers of a student's own: the same on every machine, as hard for each, recomputed by the grader, kept by a key."""

import functools
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import textwrap
import unicodedata

import nbformat
import numpy as np
import pytest
from nbgrader.api import Gradebook
from traitlets.log import get_logger

from acme_lib.build.exercises import build_assignments
from acme_lib.build.release import collect_members
from acme_lib.cli import main
from acme_lib.errors import GradingError
from acme_lib.grade.audit import recompute
from acme_lib.grade.batch import grade_assignment
from acme_lib.grade.personal import FILE, Personal, note_release, read_personal_file
from acme_lib.teach.check import CheckFailed, check_sealed, seal
from acme_lib.teach.question import PERSONAL_RTOL, draw_numbers, number_source, read_personal
from tests.grading.exercises import HIDDEN, ROOT, all_exercises
from tests.grading.small_course import generate
from tests.grading.test_autograde import autograde
from tests.grading.test_questions import HEAD
from tests.grading.test_release import copy_course
from tests.marks import always

KEY = bytes(range(32))
STUDENTS = 1000
ALIKE = 1e-3  # the share of pairs of students whose answers the tolerance does not tell apart
QUESTIONS = [(exercise.name[:2], personal) for exercise in all_exercises() for personal in exercise.personal.values()]
each_question = pytest.mark.parametrize(
    "personal", always(1, [p for _, p in QUESTIONS]), ids=[f"{n}-{p['name']}" for n, p in QUESTIONS]
)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")


def secret(student, key=KEY):
    return Personal(key, {"ps1": [student]}).secret("ps1", student)


# Numbers ----------------------------------------------------------------------------------------------------


def hmac_by_hand(key, message):
    """HMAC-SHA256 as RFC 2104 writes it."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).digest()


def test_numbers_are_a_keyed_hash():
    ada = hmac_by_hand(KEY, b"ada")
    assert secret("ada") == ada.hex()
    words = [hmac_by_hand(ada, f"q:{block}".encode()) for block in range(2)]
    fractions = [int.from_bytes(word[i : i + 8], "big") / 2**64 for word in words for i in range(0, 32, 8)]
    number = number_source(ada.hex(), "q")
    assert [number(10, 90, 10) for _ in fractions] == [10 + 10 * int(9 * fraction) for fraction in fractions]
    assert secret("bob") != secret("ada") != secret("ada", bytes(32))


def test_numbers_are_the_same_on_every_machine():
    """Those below are from `openssl dgst -mac HMAC -macopt hexkey:00ff`; a process that hashes otherwise finds them."""
    code = (
        "import acme_lib.teach.question as q; s = q.number_source('00ff', 'q'); print([s(1, 1000) for _ in range(6)])"
    )
    environment = os.environ | {"PYTHONHASHSEED": "77", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [996, 159, 688, 112, 433, 720]


def test_an_id_has_one_form():
    personal = Personal(KEY, {"ps1": ["José"]})
    assert personal.secret("ps1", unicodedata.normalize("NFD", "José")) == personal.secret("ps1", "José") != ""


# Equally hard -----------------------------------------------------------------------------------------------


def apart(one, other):
    """The largest relative difference of a part, pair by pair."""
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    return np.max(np.abs(one - other) / np.abs(other), axis=-1)


@functools.cache
def class_of(name):
    """Return for many students: numbers, right answer, answers of misconceptions, lines run by the solution."""
    (personal,) = [found for _, found in QUESTIONS if found["name"] == name]
    cells = {key: value for key, value in personal.items() if key != "secret"}
    rows = []
    for i in range(STUDENTS):
        question, check = read_personal(secret(f"student {i}"), **cells)
        right, slips = question.expect(check, {})
        rows.append((question.numbers, right, slips, count_lines(question.solution)))
    return question.between, rows


def count_lines(function):
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return lines


@each_question
def test_answers_of_all_students_lie_within_the_stated_bounds(personal):
    between, rows = class_of(personal["name"])
    answers = np.array([right for _, right, _, _ in rows])
    low, high = np.array(list(between.values())).T
    assert np.all((low < answers) & (answers < high))
    assert np.all(high < 20 * low), "bounds that bound"
    assert np.all(np.ptp(np.log(answers), axis=0) > 0.5 * np.log(high / low)), "and that are no wider than they need be"


@each_question
def test_the_work_is_the_same_for_all(personal):
    _, rows = class_of(personal["name"])
    lines = [count for _, _, _, count in rows]
    assert max(lines) <= 1.1 * min(lines)
    typed = [len(re.findall(r"[\d.]+", str(list(numbers.values())))) for numbers, _, _, _ in rows]
    assert max(typed) <= 3 * min(typed) and max(typed) <= 32, "numbers to be typed in"


@each_question
def test_each_misconception_can_be_told_whoever_has_it(personal):
    _, rows = class_of(personal["name"])
    for _, right, slips, _ in rows:
        assert len(slips) == personal["cells"][0].count("slip(")
        given = [right, *slips.values()]
        distances = [apart(a, b) for i, a in enumerate(given) for b in given[:i]]
        assert min(distances) > 1.5 * PERSONAL_RTOL


@each_question
def test_answers_of_another_student_are_wrong(personal):
    _, rows = class_of(personal["name"])
    answers = np.array([right for _, right, _, _ in rows])
    alike = apart(answers[:, None], answers[None]) <= PERSONAL_RTOL
    assert (alike.sum() - len(rows)) / (len(rows) * (len(rows) - 1)) < ALIKE


# Seals ------------------------------------------------------------------------------------------------------


def sealed(answer, right=(0.07, 0.2), **slips):
    slips = {key.replace("_", "-"): seal(value, "salt") for key, value in slips.items()}
    try:
        check_sealed(lambda: answer, "salt", seal(right, "salt"), parts=("a", "b"), slips=slips)
    except CheckFailed as failure:
        return failure


def test_a_seal_opens_to_what_is_near_and_to_nothing_else():
    rng = np.random.default_rng(5)
    for _ in range(8):
        right = np.exp(rng.uniform(-7, 7, size=2))
        assert sealed(right * (1 + rng.uniform(-0.001, 0.001, size=2)), right) is None
        off = rng.choice([-1, 1]) * rng.uniform(PERSONAL_RTOL, 0.05)
        assert sealed(tuple(right * [1, 1 + off]), right) is not None


def test_what_a_seal_says():
    failure = sealed((0.2, 0.07), intrinsic_extrinsic_exchanged=(0.2, 0.07))
    assert failure.slips == ("intrinsic-extrinsic-exchanged",)
    assert "Your answer: (0.2, 0.07)" in str(failure) and "Called with:\n  no arguments" in str(failure)
    for answer in (0.07, (0.07,), (0.07, np.nan), (0.07, np.inf), (0.07, "0.2"), (0.0, 0.2), (-0.07, 0.2), None):
        assert sealed(answer) is not None
    assert sealed(np.array([0.07, 0.2])) is None


# A course ---------------------------------------------------------------------------------------------------

ASSIGNMENT, NOTEBOOK = "ps1", "p"
TEXT = """
+++ {"acme": {"personal": "ratio"}}

Your numbers are {{a}} and {{b}}: give their ratio and its inverse.

+++

```{code-cell} ipython3
:acme: {personal: ratio}

between = {"ratio": (1.0, 10.0), "inverse": (0.1, 1.0)}


def draw(number):
    return {"a": number(500, 900), "b": number(100, 499)}
```

```{code-cell} ipython3
:acme: {answer: ratio}

def ratio():
    ### BEGIN SOLUTION
    return a / b, b / a
    ### END SOLUTION
```

```{code-cell} ipython3
:acme: {check: ratio_check, of: ratio, points: 3}

visible("the ratio of your own numbers")
```

```{code-cell} ipython3
:acme: {slips: ratio}

slip("intrinsic-extrinsic-exchanged", {"a / b, b / a": "b / a, a / b"})
```

## 2 The same for all (1 points)

```{code-cell} ipython3
:acme: {answer: double}

def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
```

```{code-cell} ipython3
:acme: {check: double_check, of: double, points: 1}

visible("twice 3", x=3.0)


@hidden
def draw(rng):
    yield {"x": rng.uniform(5, 9)}
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("personal") / "course"
    (root / "solutions" / ASSIGNMENT).mkdir(parents=True)
    (root / "solutions" / ASSIGNMENT / f"{NOTEBOOK}.md").write_text(HEAD + TEXT)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    (root / "roster.csv").write_text("id,name\nada,Ada L\nbob,Bob\nJosé,José\n", encoding="utf-8")
    # With a key drawn at random, about one pair of students in a hundred would have ratios that the tolerance confuses.
    (root / FILE).write_text(json.dumps({"key": KEY.hex(), "released": {}}))
    build_assignments(root)
    return root


@pytest.fixture(scope="module")
def released(built):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(built)
        assert main(["release", "--for", "roster.csv", "--match", "id"]) == 0
    return built


@pytest.fixture
def course(released, tmp_path):
    return shutil.copytree(released, tmp_path / "course")


def own(course, student):
    return nbformat.read(course / "reports" / "personal" / student / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)


def numbers_in(notebook):
    (text,) = [cell.source for cell in notebook.cells if "Your numbers" in cell.source]
    return [int(number) for number in re.findall(r"\d+", text)]


def answer(notebook, numbers=None):
    """Fill in both questions, the first with the numbers that the text shows, or with these."""
    a, b = numbers or numbers_in(notebook)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name == "ratio":
            cell.source = f"def ratio():\n    return {a} / {b}, {b} / {a}"
        elif name == "double":
            cell.source = "def double(x):\n    return x + x"
    return notebook


def submit(course, student, notebook):
    folder = course / "submitted" / student / ASSIGNMENT
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{NOTEBOOK}.ipynb")


def grades(course):
    """Return (personal question, other question, whether a person is asked to look) of each student."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        found = {}
        for submission in book.assignment_submissions(ASSIGNMENT):
            by_name = {grade.name: grade for grade in submission.notebooks[0].grades}
            one, other = by_name["ratio_check"], by_name["double_check"]
            found[submission.student.id] = (one.auto_score, other.auto_score, one.needs_manual_grade)
        return found


def general(course):
    return nbformat.read(course / "exercises" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)


def test_each_student_gets_numbers_of_their_own_and_no_key(released):
    state = json.loads((released / FILE).read_text("utf-8"))
    assert state["released"] == {ASSIGNMENT: ["José", "ada", "bob"]}
    shown = [numbers_in(own(released, student)) for student in ("ada", "bob", "José")] + [numbers_in(general(released))]
    assert len({tuple(numbers) for numbers in shown}) == 4
    for student in ("ada", "bob", "José"):
        folder = released / "reports" / "personal" / student
        (path,) = [path for path in folder.rglob("*") if path.is_file()]
        text = path.read_text("utf-8")
        mine = secret(student, bytes.fromhex(state["key"]))
        assert mine not in text and state["key"] not in text
        assert not re.search("HIDDEN|SOLUTION|check_personal|number\\(|a / b", text)
        numbers, _ = draw_numbers(mine, "ratio", TEXT.split("personal: ratio}\n\n")[1].split("```")[0])
        assert numbers_in(own(released, student)) == list(numbers.values())


def test_the_visible_check_of_a_student_knows_their_answer(released):
    for student, numbers, passes in [("ada", None, True), ("bob", numbers_in(own(released, "ada")), False)]:
        space = {}
        notebook = answer(own(released, student), numbers)
        (check,) = [c.source for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "ratio_check"]
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "ratio":
                exec(cell.source, space)
        if passes:
            exec(check, space)
        else:
            with pytest.raises(CheckFailed, match="not the numbers that follow from your data"):
                exec(check, space)


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such mode there")
def test_the_key_is_private_and_stays(course, tmp_path):
    path = course / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = json.loads(path.read_text())["key"]
    note_release(course, [ASSIGNMENT], ["zoe"])
    state = read_personal_file(course)
    assert state.key.hex() == key and state.released[ASSIGNMENT] == {"ada", "bob", "José", "zoe"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    drawn = [note_release(tmp_path / folder, [], []).key for folder in ("one", "other")]
    assert len({*drawn, bytes.fromhex(key)}) == 3


def test_the_key_leaves_neither_by_git_nor_in_the_archive(tmp_path):
    course = copy_course(tmp_path / "course")
    note_release(course, ["03_intrinsic_extrinsic"], ["ada"])
    state = read_personal_file(course)
    members = collect_members(course)
    assert len(members) > 100
    for name, content in members.items():
        assert FILE not in name and state.key.hex().encode() not in content
        assert state.secret("03_intrinsic_extrinsic", "ada").encode() not in content
    ignored = subprocess.run(["git", "-c", "safe.directory=*", "check-ignore", FILE], cwd=ROOT, capture_output=True)
    assert ignored.returncode == 0


def test_the_same_release_again_is_the_same(course, monkeypatch):
    files = {path: path.read_bytes() for path in (course / "reports").rglob("*.ipynb")}
    monkeypatch.chdir(course)
    assert main(["release", "--for", "roster.csv", "--match", "id", "--assignment", ASSIGNMENT]) == 0
    assert {path: path.read_bytes() for path in (course / "reports").rglob("*.ipynb")} == files


@pytest.mark.parametrize(
    ("roster", "arguments", "says"),
    [
        ("id\n../eve\n", ["--match", "id"], "can be no name of a folder"),
        ("id\nada\n", [], "say with --match which column"),
        ("id\nada\nada\n", ["--match", "id"], "must hold ids, each once"),
        (
            "id\nada\n",
            ["--match", "id", "--assignment", "ps2"],
            "no question with numbers of each student's own in ps2",
        ),
    ],
)
def test_a_release_that_cannot_be_made_says_why(course, monkeypatch, capsys, roster, arguments, says):
    (course / "roster.csv").write_text(roster)
    monkeypatch.chdir(course)
    assert main(["release", "--for", "roster.csv", *arguments]) == 1
    assert says in capsys.readouterr().err


# Grading ----------------------------------------------------------------------------------------------------


@linux
@pytest.mark.nbgrader
def test_the_grader_knows_the_numbers_and_believes_no_notebook(course):
    ada, bob = own(course, "ada"), own(course, "bob")
    submit(course, "ada", answer(own(course, "ada")))
    submit(course, "bob", answer(own(course, "ada")))  # the whole notebook of another
    submit(course, "zoe", answer(general(course)))  # whom the roster does not name
    submit(course, "renamed", answer(own(course, "bob")))
    summary = grade_assignment(course, ASSIGNMENT, jobs=1)
    assert grades(course) == {
        "ada": (3, 1, False),
        "bob": (0, 1, True),
        "zoe": (3, 1, False),
        "renamed": (0, 1, True),
    }
    notes = "\n".join(summary.notes)
    assert "bob: the notebook holds the own numbers of 'ada', and the folder is that of 'bob'" in notes
    assert "renamed: the notebook holds the own numbers of 'bob', and personal.json of this course names no" in notes
    assert "zoe: was given no numbers of their own; graded with the general ones" in notes
    assert "ada:" not in notes
    assert all(one.differences == () for one in recompute(course, ASSIGNMENT))

    # Claims: other numbers in the text, another's answers under one's own mark, and a check that knows the answer.
    a, b = numbers_in(ada)
    for cell in bob.cells:
        cell.source = (
            cell.source.replace(*(" and ".join(map(str, n)) for n in (numbers_in(bob), (a, b))))
            if ("Your numbers" in cell.source)
            else cell.source
        )
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "ratio_check":
            cell.source = "all_right(3)"
    assert numbers_in(bob) == [a, b]
    submit(course, "bob", answer(bob))
    submit(course, "José", answer(general(course)))  # easier numbers, those of everybody
    summary = grade_assignment(course, ASSIGNMENT, jobs=1)
    assert grades(course)["bob"] == (0, 1, False)
    assert grades(course)["José"] == (0, 1, True)
    assert any("that of the general release" in note for note in summary.notes)
    graded = nbformat.read(course / "autograded" / "bob" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    assert numbers_in(graded) == numbers_in(own(course, "bob"))


@linux
@pytest.mark.nbgrader
def test_a_key_that_is_missing_wrong_or_damaged_is_named(course):
    submit(course, "ada", answer(own(course, "ada")))
    path = course / FILE
    before = path.read_text()
    path.write_text(before.replace(json.loads(before)["key"], bytes(32).hex()))
    assert "made with another key than that in personal.json" in grade_assignment(course, ASSIGNMENT, jobs=1).notes[0]
    assert grades(course)["ada"] == (0, 1, True)
    path.unlink()
    assert "is the file missing?" in grade_assignment(course, ASSIGNMENT, jobs=1).notes[0]
    assert grades(course)["ada"] == (0, 1, True)
    path.write_text("{}")
    with pytest.raises(GradingError, match="is damaged: put back your copy"):
        grade_assignment(course, ASSIGNMENT, jobs=1)
    path.write_text(before)
    assert grade_assignment(course, ASSIGNMENT, jobs=1).notes == ()
    assert grades(course)["ada"] == (3, 1, False)


@linux
@pytest.mark.nbgrader
def test_nbgrader_in_this_folder_grades_the_same_and_shows_each_their_numbers(course, caplog):
    generate(course, force=True)  # as an instructor does with nbgrader's own release
    submit(course, "ada", answer(own(course, "ada")))
    submit(course, "bob", answer(own(course, "ada")))
    with caplog.at_level("WARNING", logger=get_logger().name):  # a build in the same process has silenced it
        log = "\n".join(autograde(course))
    assert "bob: the notebook holds the own numbers of 'ada', and the folder is that of 'bob'" in log
    assert grades(course) == {"ada": (3, 1, False), "bob": (0, 1, True)}
    graded = nbformat.read(course / "autograded" / "bob" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    assert numbers_in(graded) == numbers_in(own(course, "bob"))
    # The secret stands where feedback pages have nothing: in the hidden part of the check.
    mine = read_personal_file(course).secret(ASSIGNMENT, "bob")
    shown = HIDDEN.sub("", "\n".join(f"{cell.source}\n" for cell in graded.cells))
    outputs = str([cell.outputs for cell in graded.cells if cell.cell_type == "code"])
    assert "this notebook does not hold those that you are graded with" in shown
    assert mine in nbformat.writes(graded) and mine not in shown and mine not in outputs


# Authors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{{b}}", "b", "text and numbers differ in b"),
        (":acme: {personal: ratio}", ":acme: {given: x}", "no cell holds the numbers of 'ratio'"),
        (":acme: {personal: ratio}", ":acme: {personal: rate}", "about 'rate', and no cell is its answer"),
    ],
)
def test_an_author_is_told_what_is_wrong(tmp_path, old, new, says):
    folder = tmp_path / "solutions" / ASSIGNMENT
    folder.mkdir(parents=True)
    (folder / f"{NOTEBOOK}.md").write_text(HEAD + textwrap.dedent(TEXT).replace(old, new))
    with pytest.raises(GradingError, match=re.escape(says)):
        build_assignments(tmp_path)

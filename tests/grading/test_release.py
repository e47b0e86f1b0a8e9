"""What is given out: the archive for students, grades for Canvas and Moodle, feedback."""

import csv
import io
import json
import re
import sys
import zipfile

import pytest

from acme_lib.errors import GradingError
from acme_lib.grade.batch import load_course
from acme_lib.grade.export import read_grades, write_bundles, write_canvas, write_moodle
from acme_lib.grade.release import find_leaks, make_release
from tests.grading.small_course import ASSIGNMENT, make_course

EXERCISE = "exercises/01_chemical_master_equation/chemical_master_equation.ipynb"


@pytest.fixture(scope="module")
def archive(root, tmp_path_factory):
    path = tmp_path_factory.mktemp("release") / "acme.zip"
    make_release(root, path)
    return zipfile.ZipFile(path)


def test_the_archive_holds_the_course_and_nothing_else(archive):
    names = archive.namelist()
    for name in (
        "acme/README.md",
        "acme/pyproject.toml",
        "acme/acme_lib/cli.py",
        f"acme/{EXERCISE}",
        "acme/environment.yml",
    ):
        assert name in names
    tops = {name.split("/")[1] for name in names}
    assert not tops & {"solutions", "tests", "submitted", "autograded", "audit", "gradebook.db", ".git"}
    assert not [name for name in names if name.endswith((".pyc", ".nbi", ".nbc"))]


def test_no_trace_of_solutions_and_hidden_tests(archive, root):
    """A search of its own, not that of `make_release`: whole regions, and their calls with hidden numbers."""
    everything = "\n".join(
        archive.read(name).decode("utf-8", "replace") for name in archive.namelist() if EXERCISE in name
    )
    shown = "\n".join("".join(cell["source"]) for cell in json.loads(everything)["cells"])
    assert "raise NotImplementedError()" in shown
    for marker in ("BEGIN SOLUTION", "BEGIN HIDDEN", "with hidden_checks", "Model answer"):
        assert marker not in shown
    source = json.loads((root / EXERCISE.replace("exercises", "solutions")).read_text("utf-8"))
    regions = 0
    for cell in source["cells"]:
        text = "".join(cell["source"])
        for region in re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)\s*### END", text, flags=re.DOTALL):
            regions += 1
            assert region.strip() not in shown
    assert regions > 20


def test_the_same_course_gives_the_same_bytes(root, tmp_path):
    for name in ("a.zip", "b.zip"):
        make_release(root, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize(
    "leak",
    [
        "    return np.array([k, gamma * a, c * a * (a - 1) / 2, d * a * b])",
        "### BEGIN HIDDEN TESTS",
        "with hidden_checks() as rng:\n    for size in (2, 4, 6):\n        a = rng.uniform(0.5, 6.0, size=size)",
    ],
)
def test_a_leak_is_found(root, leak):
    notebook = json.loads((root / EXERCISE).read_text("utf-8"))
    assert find_leaks(root, {EXERCISE: json.dumps(notebook).encode()}) == []
    notebook["cells"][-1]["source"] = [leak]
    assert find_leaks(root, {EXERCISE: json.dumps(notebook).encode()})
    assert find_leaks(root, {"solutions/x.md": b""}) and find_leaks(root, {"gradebook.db": b""})


def test_a_leak_stops_the_release(tmp_path):
    course = make_course(tmp_path / "course")
    (course / "exercises" / ASSIGNMENT).mkdir(parents=True)
    target = course / "exercises" / ASSIGNMENT / "p.ipynb"
    target.write_text((course / "solutions" / ASSIGNMENT / "p.ipynb").read_text())
    with pytest.raises(GradingError, match="would give out"):
        make_release(course, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
    with pytest.raises(GradingError, match="acme build"):
        make_release(course, tmp_path / "x.zip", assignments=["ps7"])


ROWS = [
    {
        "id": "ann",
        "first_name": "Ann",
        "last_name": "Ø, Å",
        "email": "a@x",
        "lms_user_id": "17",
        "score": 7.5,
        "by_hand": 0,
    },
    {"id": "=cmd()", "first_name": "", "last_name": "", "email": "", "lms_user_id": "", "score": 0.0, "by_hand": 2},
]


def test_the_columns_of_canvas(tmp_path):
    write_canvas(tmp_path / "c.csv", "ps1", 10.0, ROWS)
    rows = list(csv.reader((tmp_path / "c.csv").read_text("utf-8").splitlines()))
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ps1"]
    assert rows[1] == ["    Points Possible", "", "", "", "", "10"]
    assert rows[2] == ["Ø, Å, Ann", "17", "ann", "ann", "", "7.5"]
    assert rows[3][0] == "'=cmd()"


def test_the_columns_of_moodle(tmp_path):
    write_moodle(tmp_path / "m.csv", "ps1", 10.0, ROWS)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text("utf-8"))))
    assert rows[0] == {
        "First name": "Ann",
        "Last name": "Ø, Å",
        "ID number": "ann",
        "Email address": "a@x",
        "Assignment: ps1 (Real)": "7.5",
    }
    with pytest.raises(GradingError, match="not a number"):
        write_moodle(tmp_path / "m.csv", "ps1", 10.0, [ROWS[0] | {"score": float("nan")}])


@pytest.mark.nbgrader
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")
def test_grades_and_feedback_of_a_graded_course(tmp_path, capsys, monkeypatch):
    from nbgrader.api import Gradebook
    from nbgrader.converters import GenerateFeedback

    from acme_lib.cli import main
    from acme_lib.grade.batch import grade_assignment
    from tests.grading.small_course import generate, hand_in, submit

    course = make_course(tmp_path / "course")
    generate(course)
    submit(course, "ann", hand_in(words="<script>alert(1)</script> [x](javascript:alert(1))")).with_name(
        "x.html"
    ).write_text("<script>")
    submit(course, "bob", hand_in(double="def double(x):\n    return x"))
    grade_assignment(course, ASSIGNMENT, jobs=1)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        book.update_or_create_student("ann", first_name="Ann", last_name="Ø", email="a@x", lms_user_id="17")
    monkeypatch.chdir(course)
    assert main(["export", ASSIGNMENT, "--canvas", "c.csv", "--moodle", "m.csv"]) == 0
    assert "2 still wait for a grade by hand" in capsys.readouterr().out
    assert [row[-1] for row in csv.reader((course / "c.csv").read_text("utf-8").splitlines())] == [
        ASSIGNMENT,
        "10",
        "8",
        "4",
    ]
    with pytest.raises(SystemExit, match="say what to write"):
        main(["export", ASSIGNMENT])
    with pytest.raises(SystemExit, match="no assignment"):
        main(["export", "ps9", "--canvas", "x.csv"])
    config, coursedir = load_course(course)
    assert [row["score"] for row in read_grades(coursedir, ASSIGNMENT)[1]] == [8, 4]
    coursedir.assignment_id = ASSIGNMENT
    GenerateFeedback(coursedir=coursedir, config=config).start()
    bundles = write_bundles(coursedir, ASSIGNMENT, course / "bundles")
    assert [path.name for path in bundles] == ["ann.zip", "bob.zip"]
    with zipfile.ZipFile(bundles[0]) as bundle:
        assert bundle.namelist() == ["p.html"]
        page = bundle.read("p.html").decode()
    assert "<script>alert" not in page and 'href="javascript' not in page and "20.833" not in page

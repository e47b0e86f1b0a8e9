"""The real nbgrader releases the assignment, grades three submissions, writes feedback and exports the grades."""

import csv
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from acme_lib.build.exercises import build_assignments
from acme_lib.cli import main
from acme_lib.teach.check_slips import SLIPS

ROOT = Path(__file__).parents[2]
ASSIGNMENT, NOTEBOOK = "01_chemical_master_equation", "chemical_master_equation"
POINTS = {
    "propensities_simple": 2,
    "propensities_pairs": 2,
    "mean_waiting_time_check": 2,
    "reaction_probabilities_check": 2,
    "ssa_step_time": 2,
    "ssa_step_reaction": 2,
    "time_average_mean": 2,
    "time_average_fano": 2,
    "ensemble_from_empty": 3,
    "ensemble_from_n0": 3,
    "generator_reflecting": 2,
    "generator_absorbing": 2,
    "stationary_promoter": 2,
    "stationary_counts": 2,
    "why_means_differ": 4,
}
TEXT = "why_means_differ"
# The two misconceptions of the third submission: a change of the solution's code, the cell it costs, and its name.
MISCONCEPTIONS = {
    "propensities_pairs": ("c * a * (a - 1) / 2", "c * a**2", "pairs-squared"),
    "ssa_step_time": ("-np.log(u1) / total", "-np.log10(u1) / total", "log-base"),
}

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.thorough,  # what test_autograde and test_batch do with a small course
    pytest.mark.skipif(sys.platform == "win32", reason="grading needs a system that can fork"),
]


def solution():
    return nbformat.read(ROOT / "solutions" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)


def release():
    return nbformat.read(ROOT / "exercises" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)


def by_grade_id(notebook):
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


def hand_in(answers):
    """Return the released notebook with these answers in it."""
    notebook = release()
    for grade_id, cell in by_grade_id(notebook).items():
        if cell.metadata.nbgrader.solution and grade_id in answers:
            cell.source = answers[grade_id]
    return notebook


def nbgrader(course, *arguments):
    command = [sys.executable, "-m", "nbgrader", *arguments]
    result = subprocess.run(command, cwd=course, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Return a course directory after release, submission, grading, feedback and export."""
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "solutions", course / "solutions")
    shutil.copy(ROOT / "nbgrader_config.py", course)

    answers = {grade_id: cell.source for grade_id, cell in by_grade_id(solution()).items()}
    # A right answer may warn, and print: neither may cost points.
    noisy = answers | {
        "mean_waiting_time": "def mean_waiting_time(propensities):\n"
        "    import warnings\n    warnings.warn('beware')\n    print('waiting')\n"
        "    return np.float64(1.0) / np.sum(propensities)\n"
    }
    mistaken = dict(answers)
    for cell, (right, wrong, _) in MISCONCEPTIONS.items():
        question = cell.rpartition("_")[0]
        assert right in mistaken[question]
        mistaken[question] = mistaken[question].replace(right, wrong)
    submissions = {"untouched": release(), "solved": hand_in(noisy), "mistaken": hand_in(mistaken)}
    for student, notebook in submissions.items():
        folder = course / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{NOTEBOOK}.ipynb")

    nbgrader(course, "generate_assignment", ASSIGNMENT)
    nbgrader(course, "autograde", ASSIGNMENT)
    nbgrader(course, "generate_feedback", ASSIGNMENT)
    nbgrader(course, "export", "--to", "grades.csv")
    return course


@pytest.fixture
def gradebook(course):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        yield gradebook


def grades_of(gradebook, student):
    submission = gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student)
    return {grade.name: grade for grade in submission.grades}


def test_the_points_are_those_of_the_table(gradebook):
    assert {name: grade.max_score for name, grade in grades_of(gradebook, "solved").items()} == POINTS
    text = "\n".join(cell.source for cell in release().cells)
    assert f"| **sum** | **{sum(POINTS.values())}** |" in re.sub(r"^\|\s+\|", "|", text, flags=re.MULTILINE)


def test_an_untouched_notebook_has_no_points(gradebook):
    grades = grades_of(gradebook, "untouched")
    assert {name: grade.auto_score for name, grade in grades.items()} == dict.fromkeys(POINTS, 0)
    assert not any(grade.needs_manual_grade for grade in grades.values())


def test_the_solution_has_all_points_even_where_it_warns_and_prints(gradebook):
    grades = grades_of(gradebook, "solved")
    assert {name: grade.auto_score for name, grade in grades.items()} == POINTS | {TEXT: None}
    assert [name for name, grade in grades.items() if grade.needs_manual_grade] == [TEXT]
    grades[TEXT].manual_score = POINTS[TEXT]
    assert gradebook.find_submission(ASSIGNMENT, "solved").score == sum(POINTS.values())


def test_two_misconceptions_cost_exactly_their_points(gradebook):
    grades = grades_of(gradebook, "mistaken")
    expected = POINTS | {TEXT: None} | dict.fromkeys(MISCONCEPTIONS, 0)
    assert {name: grade.auto_score for name, grade in grades.items()} == expected
    assert grades[TEXT].needs_manual_grade


def test_feedback_pages_teach_and_hide(course):
    for student in ("untouched", "solved", "mistaken"):
        page = (course / "feedback" / student / ASSIGNMENT / f"{NOTEBOOK}.html").read_text(encoding="utf-8")
        words = " ".join(re.sub(r"<[^>]+>", "", page).split())
        for _, _, slip in MISCONCEPTIONS.values():
            assert (SLIPS[slip].name in words) == (student == "mistaken")
        assert ("not written yet" in words) == (student == "untouched")
        done = {"untouched": "", "solved": "12345678", "mistaken": "235678"}[student]
        assert re.findall(r"Question (\d+) is done", words) == list(done)
        assert "with hidden_checks" not in words
        assert "HIDDEN TESTS" not in words
        assert "most recent call last" not in words


def test_exported_grades(course):
    with open(course / "grades.csv", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    scores = {student: float(row["raw_score"]) for student, row in rows.items()}
    graded_by_machine = sum(POINTS.values()) - POINTS[TEXT]
    lost = sum(POINTS[cell] for cell in MISCONCEPTIONS)
    assert scores == {"untouched": 0, "solved": graded_by_machine, "mistaken": graded_by_machine - lost}
    assert {float(row["max_score"]) for row in rows.values()} == {sum(POINTS.values())}


def test_the_release_is_what_nbgrader_makes_of_the_text(course, tmp_path):
    written = build_assignments(ROOT, out=tmp_path)
    assert {path.suffix for path in written} == {".json", ".ipynb", ".md"}
    for path in written:
        assert path.read_bytes() == (ROOT / path.relative_to(tmp_path)).read_bytes(), "run `acme build`"
    made = (course / "exercises" / ASSIGNMENT / f"{NOTEBOOK}.ipynb").read_bytes()
    assert made == (ROOT / "exercises" / ASSIGNMENT / f"{NOTEBOOK}.ipynb").read_bytes()


def test_the_release_holds_no_answer(course):
    for folder in (ROOT / "exercises" / ASSIGNMENT, course / "exercises" / ASSIGNMENT):
        assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == [f"{NOTEBOOK}.ipynb"]
    released = "\n".join(cell.source for cell in release().cells)
    for marker in ("HIDDEN", "SOLUTION", "with hidden_checks", "Model answer"):
        assert marker not in released
    for cell in solution().cells:
        for part in re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", cell.source, flags=re.DOTALL):
            lines = [line.strip() for line in part.split("\n") if len(line.strip()) > 12]
            visible = cell.source.replace(part, "")
            assert not [line for line in lines if line in released and line not in visible and "(" in line[-1:]]
            assert part.strip() not in released


def test_reports_of_the_real_gradebook(course, monkeypatch, capsys):
    """Statistics, export, feedback and similar answers, from what nbgrader itself has written."""
    (course / "course").mkdir()
    monkeypatch.chdir(course)
    assert main(["statistics", ASSIGNMENT, "--output", "statistics.html"]) == 0
    page = (course / "statistics.html").read_text(encoding="utf-8")
    words = " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(style|img).*?>", "", page)).split())
    assert "3 of 3 students" in words
    # In the order of the notebook, by heading: points, graded, mean of the first; then who has to be graded by hand.
    assert "1 Propensities 4 3 50 %" in words
    assert "To be graded by hand: In words (2)" in words
    headings = {1: "Propensities", 4: "One step of the algorithm"}
    for (number, heading), (_, _, slip) in zip(headings.items(), MISCONCEPTIONS.values(), strict=True):
        assert f"{SLIPS[slip].name} {number} ({heading}) 1 33 %" in words
    # Not written, in each of 8 questions: one, the untouched; in the last row what is still to be graded.
    assert [int(n) for n in re.findall(r"% – (\d+)", words)] == [1] * 8 + [2]
    assert "Handed in without any answer (1): untouched" in words

    capsys.readouterr()
    assert main(["export", "moodle", ASSIGNMENT, "--output", "moodle.csv"]) == 1
    out = capsys.readouterr().out
    assert "by hand: no grade in the file: 'mistaken', 'solved'" in out
    assert (course / "moodle.csv").read_text() == f"Username,{ASSIGNMENT}\nuntouched,0\n"

    assert main(["feedback", ASSIGNMENT, "--output", "bundles"]) == 0
    for student in ("untouched", "solved", "mistaken"):
        with zipfile.ZipFile(course / "bundles" / f"{student}.zip") as archive:
            (name,) = archive.namelist()
            assert archive.read(name) == (course / "feedback" / student / ASSIGNMENT / f"{NOTEBOOK}.html").read_bytes()

    assert main(["copying", ASSIGNMENT, "--output", "copying.html"]) == 0
    with open(course / "copying.csv", newline="") as file:
        (pair,) = csv.DictReader(file)
    assert (pair["first"], pair["second"]) == ("mistaken", "solved")
    assert float(pair["similarity"]) > 0.8

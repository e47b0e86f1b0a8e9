"""Grades out: CSV files as Canvas and Moodle import them, and a bundle of feedback for each student.

Canvas finds students by ``SIS User ID`` (or ``ID``) and the assignment by its column; its import needs the columns
``Student, ID, SIS User ID, SIS Login ID, Section`` and may begin with a line ``Points Possible``. Moodle maps columns
when it imports; ``ID number`` and ``Email address`` identify users, and a grade is written with a point.
"""

import csv
import math
import zipfile
from pathlib import Path

from acme_lib.errors import GradingError

CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE_COLUMNS = ("First name", "Last name", "ID number", "Email address")


def read_grades(coursedir, assignment):
    """Return the grades of an assignment from the gradebook.

    Returns
    -------
    points : float
        The most one can have.
    rows : list of dict
        ``id, first_name, last_name, email, lms_user_id, score`` (after late penalties), ``by_hand`` (cells that wait
        for a person).
    """
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(coursedir.db_url, coursedir.course_id) as book:
        try:
            points = book.find_assignment(assignment).max_score
        except MissingEntry:
            raise GradingError(f"the gradebook holds no assignment {assignment!r}") from None
        rows = []
        for submission in book.assignment_submissions(assignment):
            student = submission.student
            penalty = sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks)
            rows.append(
                {
                    "id": student.id,
                    "first_name": student.first_name or "",
                    "last_name": student.last_name or "",
                    "email": student.email or "",
                    "lms_user_id": student.lms_user_id or "",
                    "score": max(submission.score - penalty, 0.0),
                    "by_hand": sum(g.needs_manual_grade for n in submission.notebooks for g in n.grades),
                }
            )
    return points, sorted(rows, key=lambda row: row["id"])


def write_canvas(path, assignment, points, rows):
    """Write the CSV that Canvas imports (Grades → Import)."""
    with _open(path) as file:
        out = csv.writer(file)
        out.writerow([*CANVAS_COLUMNS, _cell(assignment)])
        out.writerow(["    Points Possible", "", "", "", "", _number(points)])
        for row in rows:
            name = f"{row['last_name']}, {row['first_name']}" if row["last_name"] else row["id"]
            fields = [name, row["lms_user_id"], row["id"], row["id"], ""]
            out.writerow([*(_cell(field) for field in fields), _number(row["score"])])


def write_moodle(path, assignment, points, rows):
    """Write the CSV that Moodle imports (Grades → Import → CSV file)."""
    with _open(path) as file:
        out = csv.writer(file)
        out.writerow([*MOODLE_COLUMNS, f"Assignment: {_cell(assignment)} (Real)"])
        for row in rows:
            fields = [row["first_name"], row["last_name"], row["id"], row["email"]]
            out.writerow([*(_cell(field) for field in fields), _number(row["score"])])


def _open(path):
    return open(path, "w", newline="", encoding="utf-8")


def _cell(text):
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _number(value):
    if not math.isfinite(value):
        raise GradingError(f"a score is not a number: {value}")
    return f"{value:.10g}"


def write_bundles(coursedir, assignment, folder):
    """Write a ``.zip`` of the feedback of each student, from nbgrader's ``feedback/``.

    Returns
    -------
    list of Path
    """
    pattern = Path(coursedir.format_path(coursedir.feedback_directory, "*", assignment))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted(pattern.parent.parent.glob(f"*/{assignment}")):
        path = folder / f"{source.parent.name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for page in sorted(source.glob("*.html")):  # nothing that a student has handed in beside the notebooks
                archive.write(page, page.name)
        written.append(path)
    return written

"""Gradebooks to test with, filled through nbgrader's own interface."""

import warnings
from contextlib import contextmanager
from unittest import mock

from nbgrader.api import Gradebook


@contextmanager
def opened(url):
    # The version of the database's scheme, which a new gradebook notes, costs two seconds to ask for.
    with warnings.catch_warnings(), mock.patch("nbgrader.api.get_alembic_version", return_value="new"):
        warnings.simplefilter("ignore")  # nbgrader's own: SQLAlchemy's about its relationships
        with Gradebook(url, "acme") as gradebook:
            yield gradebook


def fill(gradebook, assignment="homework", cells=None, students=(), duedate=None):
    """Add an assignment of one or more notebooks.

    cells: {notebook: {cell: points}}; a cell whose name starts with "text" is graded by hand.
    students: {id: {"scores": {cell: points or None}, "timestamp": …, other columns of the student}}; without scores,
    the student has handed nothing in.
    """
    cells = cells or {"sheet": {"one": 4, "two": 6}}
    gradebook.add_assignment(assignment, duedate=duedate)
    for notebook, questions in cells.items():
        gradebook.add_notebook(notebook, assignment)
        for cell, points in questions.items():
            kind = "markdown" if cell.startswith("text") else "code"
            gradebook.add_grade_cell(cell, notebook, assignment, max_score=points, cell_type=kind)
    for student, facts in dict(students).items():
        facts = dict(facts)
        scores, timestamp = facts.pop("scores", None), facts.pop("timestamp", None)
        gradebook.update_or_create_student(student, **facts)
        if scores is None:
            continue
        gradebook.add_submission(assignment, student, timestamp=timestamp)
        for notebook, questions in cells.items():
            for cell in questions:
                grade = gradebook.find_grade(cell, notebook, assignment, student)
                grade.auto_score = None if cell.startswith("text") else scores.get(cell, 0)
                grade.manual_score = scores.get(cell) if cell.startswith("text") else None
                grade.needs_manual_grade = cell.startswith("text") and scores.get(cell) is None
    gradebook.db.commit()
    return gradebook


def write_config(folder, *lines):
    """Make a folder, with its gradebook.db, a course in which the commands run."""
    (folder / "course").mkdir(exist_ok=True)
    settings = {"root": str(folder), "db_url": f"sqlite:///{folder / 'gradebook.db'}", "course_id": "acme"}
    lines = [*(f"c.CourseDirectory.{name} = {value!r}" for name, value in settings.items()), *lines]
    (folder / "nbgrader_config.py").write_text("\n".join(["c = get_config()", *lines, ""]), encoding="utf-8")
    return folder

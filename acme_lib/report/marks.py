"""Reading a gradebook of nbgrader: the points of an assignment as arrays."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nbgrader import api
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from acme_lib.errors import GradebookError, MissingExtraError
from acme_lib.extras import explain


@dataclass(frozen=True)
class Student:
    """A student of the gradebook; what is not known is empty."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""


@dataclass(frozen=True)
class Question:
    """A cell that gives points."""

    notebook: str
    name: str
    max_score: float
    by_hand: bool


@dataclass(frozen=True)
class Marks:
    """The points of one assignment.

    Attributes
    ----------
    assignment : str
    students : tuple of Student
        All of the gradebook, by id.
    questions : tuple of Question
    scores : ndarray, shape (students, questions)
        Points; nan where nothing was handed in.
    ungraded : ndarray of bool, shape (students, questions)
        What still has to be graded by hand; its score so far is what the machine gave.
    penalties : ndarray, shape (students,)
        Points lost for being late.
    blank : tuple of str
        Students who handed in the notebooks as they got them: no answer was written.
    """

    assignment: str
    students: tuple
    questions: tuple
    scores: np.ndarray
    ungraded: np.ndarray
    penalties: np.ndarray
    blank: tuple = ()

    @property
    def max_score(self):
        """Points that can be reached."""
        return sum(question.max_score for question in self.questions)

    @property
    def submitted(self):
        """Whether each student has handed anything in."""
        return ~np.isnan(self.scores).any(axis=1)

    @property
    def totals(self):
        """Points of each student after penalties; nan where nothing was handed in."""
        return np.maximum(self.scores.sum(axis=1) - self.penalties, 0.0)


@contextlib.contextmanager
def open_gradebook(url, course_id="default_course"):
    """Open a gradebook that exists.

    Parameters
    ----------
    url : str
        As nbgrader takes it: ``sqlite:////path/gradebook.db`` or ``postgresql://…``.
    course_id : str

    Yields
    ------
    nbgrader.api.Gradebook

    Raises
    ------
    GradebookError
        If there is none. (nbgrader itself would make an empty one.)
    MissingExtraError
        If the driver of the database is not installed.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
            raise GradebookError(f"there is no gradebook {address.database!r}: grade first, or name another with --db")
        gradebook = api.Gradebook(url, course_id)
    except (ArgumentError, NoSuchModuleError):
        raise GradebookError(f"{url!r} is no address of a database; write one such as sqlite:///gradebook.db") from None
    except ModuleNotFoundError as error:
        known = explain(error)
        if known is not error:
            raise known from None
        raise MissingExtraError(f"the driver of this database, {error.name}, is not installed") from None
    except SQLAlchemyError as error:
        shown = address.render_as_string(hide_password=True)
        raise GradebookError(f"the gradebook {shown} cannot be opened: {error.__cause__ or error}") from None
    try:
        yield gradebook
    finally:
        gradebook.close()


def read_marks(gradebook, assignment, *, order=()):
    """Read the points of an assignment.

    Parameters
    ----------
    gradebook : nbgrader.api.Gradebook
    assignment : str
    order : sequence of (str, str)
        Notebook and cell of the questions as they stand in the assignment (see
        `acme_lib.report.questions.find_outline`); without it they come by name.

    Returns
    -------
    Marks

    Raises
    ------
    GradebookError
        If the gradebook has no such assignment, or it has no cell with points.
    """
    place = {key: index for index, key in enumerate(order)}
    cells = {}
    try:
        notebooks = gradebook.find_assignment(assignment).notebooks
    except api.MissingEntry:
        names = ", ".join(sorted(one.name for one in gradebook.assignments)) or "none"
        raise GradebookError(f"the gradebook has no assignment {assignment!r}; it has {names}") from None
    for notebook in notebooks:
        for cell in [*notebook.grade_cells, *notebook.task_cells]:
            by_hand = isinstance(cell, api.TaskCell) or cell.cell_type == "markdown"
            cells[cell.id] = Question(notebook.name, cell.name, float(cell.max_score), by_hand)
    if not cells:
        raise GradebookError(f"the assignment {assignment!r} has no cell that gives points")
    ranked = sorted(
        cells.items(),
        key=lambda item: (place.get((item[1].notebook, item[1].name), len(place)), item[1].notebook, item[1].name),
    )
    columns = {cell_id: column for column, (cell_id, _) in enumerate(ranked)}
    students = tuple(
        Student(one.id, one.first_name or "", one.last_name or "", one.email or "", one.lms_user_id or "")
        for one in sorted(gradebook.students, key=lambda one: one.id)
    )
    rows = {student.id: row for row, student in enumerate(students)}
    scores = np.full((len(students), len(columns)), np.nan)
    ungraded = np.zeros(scores.shape, dtype=bool)
    penalties = np.zeros(len(students))
    submitted = (
        gradebook.db.query(api.SubmittedAssignment.student_id, api.SubmittedNotebook.late_submission_penalty)
        .join(api.SubmittedNotebook, api.SubmittedNotebook.assignment_id == api.SubmittedAssignment.id)
        .join(api.Assignment, api.Assignment.id == api.SubmittedAssignment.assignment_id)
        .filter(api.Assignment.name == assignment)
    )
    for student, penalty in submitted:
        scores[rows[student]] = 0.0
        penalties[rows[student]] += penalty or 0.0
    grades = (
        gradebook.db.query(
            api.SubmittedAssignment.student_id, api.Grade.cell_id, api.Grade.score, api.Grade.needs_manual_grade
        )
        .join(api.SubmittedNotebook, api.SubmittedNotebook.assignment_id == api.SubmittedAssignment.id)
        .join(api.Grade, api.Grade.notebook_id == api.SubmittedNotebook.id)
        .join(api.Assignment, api.Assignment.id == api.SubmittedAssignment.assignment_id)
        .filter(api.Assignment.name == assignment)
    )
    for student, cell_id, score, by_hand in grades:
        scores[rows[student], columns[cell_id]] = score or 0.0
        ungraded[rows[student], columns[cell_id]] = by_hand
    written = {}
    comments = (
        gradebook.db.query(api.SubmittedAssignment.student_id, api.Comment.auto_comment)
        .join(api.SubmittedNotebook, api.SubmittedNotebook.assignment_id == api.SubmittedAssignment.id)
        .join(api.Comment, api.Comment.notebook_id == api.SubmittedNotebook.id)
        .join(api.Assignment, api.Assignment.id == api.SubmittedAssignment.assignment_id)
        .filter(api.Assignment.name == assignment)
    )
    for student, comment in comments:  # nbgrader's own words about an answer that is as it was released
        written[student] = written.get(student, False) or comment != "No response."
    blank = tuple(sorted(student for student, some in written.items() if not some))
    for array in (scores, ungraded, penalties):
        array.flags.writeable = False
    return Marks(assignment, students, tuple(question for _, question in ranked), scores, ungraded, penalties, blank)

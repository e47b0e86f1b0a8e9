"""The one writer to the gradebook.

A result is written in three steps, each whole or not at all: the graded notebook (a file that is renamed), the
gradebook (one transaction), the audit record (a file that is renamed). A result counts as done when its audit record
says so; killed between two steps, the batch grades the notebook again, with the same seed, and writes the same again.
"""

import warnings
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties

from acme_lib.errors import GradingError
from acme_lib.files import write_whole
from acme_lib.grade.course import programs_of_this_python
from acme_lib.grade.record import audit_path, read_record, write_audit
from acme_lib.grade.submission import grade_id


class Book:
    """The gradebook of a course and the folders beside it, for one assignment.

    Parameters
    ----------
    coursedir : nbgrader.coursedir.CourseDirectory
    config : traitlets.config.Config
    assignment : str
    masters : dict of str to Master
        The notebooks of the assignment.
    """

    def __init__(self, coursedir, config, assignment, masters):
        self.coursedir, self.assignment, self.masters = coursedir, assignment, masters
        with programs_of_this_python():  # a new gradebook asks alembic for its version
            self.gradebook = Gradebook(coursedir.db_url, coursedir.course_id)
        for master in masters.values():
            check_gradebook(self.gradebook, master, assignment)
        late = AssignLatePenalties(config=config)
        late.init_plugin()
        late.gradebook, late.assignment_id = self.gradebook, assignment  # what a policy may ask its parent for
        self._late = late

    def close(self):
        """Close the connection."""
        self.gradebook.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def folder(self, step, student):
        """Return the folder of a student in one of nbgrader's steps."""
        return Path(self.coursedir.format_path(step, student, self.assignment))

    def find_students(self):
        """Return the students who have a submission in the gradebook."""
        submissions = self.gradebook.assignment_submissions(self.assignment)
        return {submission.student_id for submission in submissions}

    def find_record(self, student, notebook):
        """Return the audit record of a notebook, or None."""
        return read_record(audit_path(self.coursedir, student, self.assignment, notebook))

    def autograded(self, student, notebook):
        """Return the path of a graded notebook."""
        return self.folder(self.coursedir.autograded_directory, student) / f"{notebook}.ipynb"

    def write(self, graded, timestamp):
        """Write one result."""
        old = self.find_record(graded.student, graded.notebook)
        text, record = graded.text, graded.record
        if record.get("only"):
            text, record = self._merge(graded, old)
        path = self.autograded(graded.student, graded.notebook)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o755)
        write_whole(path, text)
        if timestamp:
            write_whole(path.parent / "timestamp.txt", timestamp + "\n")
        self._write_grades(graded, nbformat.reads(text, as_version=4), timestamp)
        write_audit(self.coursedir, graded.student, self.assignment, graded.notebook, record)

    def _merge(self, graded, old):
        """Keep of the earlier grading what was not judged again."""
        record = dict(graded.record)
        new = nbformat.reads(graded.text, as_version=4)
        before = nbformat.read(self.autograded(graded.student, graded.notebook), as_version=4)
        outputs = {grade_id(cell): cell.get("outputs", []) for cell in before.cells if grade_id(cell)}
        for cell in new.cells:
            name = grade_id(cell)
            if cell.cell_type == "code" and name in outputs and name not in record["scores"]:
                cell.outputs = outputs[name]
        record["scores"] = {**old["scores"], **record["scores"]}
        record["regraded"] = [*old.get("regraded", []), {"only": record.pop("only"), "seed": record["seed"]}]
        record["seed"] = old["seed"]
        return nbformat.writes(new), record

    def _write_grades(self, graded, notebook, timestamp):
        from nbgrader.utils import compute_checksum, parse_utc

        book, student = self.gradebook, graded.student
        options = {"timestamp": parse_utc(timestamp)} if timestamp else {}
        submission = self._admit(student, **options)
        (found,) = [n for n in submission.notebooks if n.name == graded.notebook]
        scores = {name: entry["score"] for name, entry in graded.record["scores"].items()}
        untouched = {
            grade_id(cell): cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
            for cell in notebook.cells
            if grade_id(cell) and (cell.metadata.nbgrader.get("solution") or cell.metadata.nbgrader.get("task"))
        }
        for grade in found.grades:
            if grade.name not in scores:
                continue
            grade.auto_score = scores[grade.name]
            by_person = grade.manual_score is not None or grade.auto_score is None
            grade.needs_manual_grade = by_person or graded.status == "unreadable"
        for comment in found.comments:
            comment.auto_comment = "No response." if untouched.get(comment.name) else None
        book.db.flush()
        found.late_submission_penalty = None
        late = submission.total_seconds_late
        book.db.refresh(found)
        if late > 0:
            self._late.notebook_id, self._late.student_id = graded.notebook, student
            penalty = self._late.plugin_inst.late_submission_penalty(student, found.score, late)
            if penalty is not None:
                found.late_submission_penalty = self._late._check_late_penalty(found, penalty)
        book.db.commit()
        book.db.expunge_all()

    def _admit(self, student, **options):
        from sqlalchemy.exc import SAWarning

        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", SAWarning
            )  # nbgrader builds its objects in an order that SQLAlchemy dislikes
            self.gradebook.update_or_create_student(student)
            return self.gradebook.update_or_create_submission(self.assignment, student, **options)


def check_gradebook(gradebook, master, assignment):
    """Make sure that the gradebook knows this version of the assignment.

    Raises
    ------
    GradingError
    """
    try:
        known = {cell.name: cell.max_score for cell in gradebook.find_notebook(master.name, assignment).grade_cells}
    except MissingEntry:
        known = {}
    points = {
        name: value for name, value in master.points.items() if not master.cells[name].metadata.nbgrader.get("task")
    }
    if known != points:
        raise GradingError(
            f"the gradebook does not know this version of {assignment}/{master.name}: run "
            f"`nbgrader generate_assignment {assignment} --force` first"
        )

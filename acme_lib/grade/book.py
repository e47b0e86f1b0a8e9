"""The one writer to the gradebook.

A result is written in three steps, each whole or not at all: the graded notebook (a file that is renamed), the
gradebook (one transaction), the audit record (a file that is renamed). A result counts as done when its audit record
says so; killed between two steps, the batch grades the notebook again, with the same seed, and writes the same again.
"""

import copy
import warnings
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from nbgrader.utils import compute_checksum, parse_utc

from acme_lib.errors import GradingError
from acme_lib.files import write_whole
from acme_lib.grade.course import programs_of_this_python
from acme_lib.grade.record import audit_path, read_record, write_audit
from acme_lib.grade.source_notebook import grade_id, is_solution


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
        register_assignment(self.gradebook, masters.values(), assignment)
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
        same_answers = old is not None and old.get("submission_sha256") == record["submission_sha256"]
        self._write_grades(graded, nbformat.reads(text, as_version=4), timestamp, same_answers)
        write_audit(self.coursedir, graded.student, self.assignment, graded.notebook, record)

    def _merge(self, graded, old):
        """Keep of the earlier grading what was not judged again."""
        record = dict(graded.record)
        new = nbformat.reads(graded.text, as_version=4)
        before = nbformat.read(self.autograded(graded.student, graded.notebook), as_version=4)
        outputs = {
            grade_id(cell): (cell.get("outputs", []), cell.metadata.get("acme", {}).get("slips"))
            for cell in before.cells
            if grade_id(cell)
        }
        for cell in new.cells:
            name = grade_id(cell)
            if cell.cell_type == "code" and name in outputs and name not in record["scores"]:
                cell.outputs, found = outputs[name]
                if found is not None:
                    cell.metadata.setdefault("acme", {})["slips"] = found
        record["scores"] = {**old["scores"], **record["scores"]}
        record["regraded"] = [*old.get("regraded", []), {"only": record.pop("only"), "seed": record["seed"]}]
        record["seed"] = old["seed"]
        return nbformat.writes(new), record

    def _write_grades(self, graded, notebook, timestamp, same_answers):
        book, student = self.gradebook, graded.student
        options = {"timestamp": parse_utc(timestamp)} if timestamp else {}
        submission = self._admit(student, **options)
        (found,) = [n for n in submission.notebooks if n.name == graded.notebook]
        scores = {name: entry["score"] for name, entry in graded.record["scores"].items()}
        doubtful = {name for name, entry in graded.record["scores"].items() if entry.get("look")}
        untouched = {
            grade_id(cell): cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
            for cell in notebook.cells
            if grade_id(cell) and (cell.metadata.nbgrader.get("solution") or cell.metadata.nbgrader.get("task"))
        }
        for grade in found.grades:
            if grade.name not in scores:
                continue
            kept = same_answers and grade.manual_score is not None and grade.auto_score == scores[grade.name]
            grade.auto_score = scores[grade.name]
            if not kept:  # a person's grade of the same answer, over the same score, stays as it is
                by_person = grade.manual_score is not None or grade.auto_score is None
                grade.needs_manual_grade = by_person or graded.status == "unreadable" or grade.name in doubtful
        for comment in found.comments:
            comment.auto_comment = "No response." if untouched.get(comment.name) else None
        book.db.flush()
        self._assign_penalty(submission, found)
        book.db.commit()
        book.db.expunge_all()

    def _assign_penalty(self, submission, notebook):
        notebook.late_submission_penalty = None
        late, student = submission.total_seconds_late, submission.student.id
        self.gradebook.db.refresh(notebook)
        if late > 0:
            self._late.notebook_id, self._late.student_id = notebook.name, student
            penalty = self._late.plugin_inst.late_submission_penalty(student, notebook.score, late)
            if penalty is not None:
                notebook.late_submission_penalty = self._late._check_late_penalty(notebook, penalty)

    def correct_time(self, student, timestamp):
        """Take over a time stamp that was corrected after the submission was graded; its grades stay."""
        submission = self.gradebook.find_submission(self.assignment, student)
        moment = parse_utc(timestamp) if timestamp else None
        if submission.timestamp == moment:
            return
        submission.timestamp = moment
        self.gradebook.db.flush()
        for notebook in submission.notebooks:
            self._assign_penalty(submission, notebook)
        self.gradebook.db.commit()
        self.gradebook.db.expunge_all()

    def _admit(self, student, **options):
        from sqlalchemy.exc import SAWarning

        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", SAWarning
            )  # nbgrader builds its objects in an order that SQLAlchemy dislikes
            self.gradebook.update_or_create_student(student)
            return self.gradebook.update_or_create_submission(self.assignment, student, **options)


def knows_assignment(gradebook, master, assignment):
    """Whether the gradebook knows this version of a notebook: its cells, and their points."""
    try:
        notebook = gradebook.find_notebook(master.name, assignment)
    except MissingEntry:
        return False
    tasks = {name for name, cell in master.cells.items() if cell.metadata.nbgrader.get("task")}
    points = {name: value for name, value in master.points.items() if name not in tasks}
    answers = {name for name, cell in master.cells.items() if is_solution(cell) and name not in tasks}
    return (
        {cell.name: cell.max_score for cell in notebook.grade_cells} == points
        and {cell.name for cell in notebook.solution_cells} == answers
        and {cell.name: cell.max_score for cell in notebook.task_cells} == {name: master.points[name] for name in tasks}
    )


def register_assignment(gradebook, masters, assignment):
    """Tell the gradebook what is graded, as ``nbgrader generate_assignment`` does, where it does not know it yet.

    Raises
    ------
    GradingError
        If cells were added or removed while there are submissions: nbgrader cannot move grades from one set to another.
    """
    new = [master for master in masters if not knows_assignment(gradebook, master, assignment)]
    if not new:
        return
    gradebook.update_or_create_assignment(assignment)
    for master in new:
        url = gradebook.engine.url.render_as_string(hide_password=False)
        names = {"notebook": master.name, "assignment": assignment, "db_url": url}
        try:
            SaveCells().preprocess(copy.deepcopy(master.notebook), {"nbgrader": names})
        except RuntimeError:
            raise GradingError(
                f"{assignment}/{master.name} has other cells than when its submissions were graded; to grade all "
                f"of them again, run `nbgrader db assignment remove {assignment} --force`, and then this command"
            ) from None
    gradebook.db.expire_all()

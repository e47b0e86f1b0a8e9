"""Marking by hand: one question across all students, by one marker or several, and what of it becomes the grade.

Each marker's ticks stand in a file of their own beside the gradebook, in ``marking/ASSIGNMENT/NOTEBOOK/QUESTION/``: two
who mark at the same time, on one machine or on a shared folder, cannot lose each other's. Into the gradebook goes,
as formgrader writes it, what was settled; else what the only marker gave; else what all gave alike. Where they differ
the grade waits for a person until they settle it. A mark is of the answer that was read: for another answer, handed in
later, it counts no more.
"""

import hashlib
import itertools
import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import nbformat
import numpy as np
from nbgrader.api import MissingEntry
from sqlalchemy.exc import SQLAlchemyError

from acme_lib.build.archive import safe_names
from acme_lib.checks import expected
from acme_lib.errors import GradebookError
from acme_lib.files import write_whole
from acme_lib.grade.course import source_folder
from acme_lib.grade.source_notebook import grade_id, is_graded, is_solution
from acme_lib.report.questions import find_headings
from acme_lib.report.rubric import read_lines

MAX_COMMENT = 10_000  # characters
SETTLED = ""  # the marker whose marks are those that were settled


@dataclass(frozen=True)
class Mark:
    """What a marker gave one answer: points, the lines of the rubric that earned them (by number), a comment."""

    points: float
    ticks: tuple = ()
    comment: str = ""
    answer: str = ""  # hash of what was read


@dataclass(frozen=True)
class Agreement:
    """Two markers, over the answers that both have marked.

    Attributes
    ----------
    markers : tuple of str
    count : int
        Answers that both marked.
    equal : float
        Share of them with equal points.
    difference : float
        Mean of the first marker's points less the second's.
    kappa : float or None
        Cohen's kappa with quadratic weights; None where chance alone would make them agree.
    lines : tuple of (int, int, int)
        For each line of the rubric: ticked by the first, by the second, by one of them alone.
    """

    markers: tuple
    count: int
    equal: float
    difference: float
    kappa: float | None
    lines: tuple = ()


def weighted_kappa(first, second):
    r"""Return Cohen's kappa of two markers' points, with quadratic weights.

    .. math:: \kappa = 1 - \frac{\langle (a_i - b_i)^2 \rangle_i}{\langle (a_i - b_j)^2 \rangle_{i,j}}

    A difference of two points weighs four times one of a single point; 1 is perfect agreement, 0 that of chance.

    References
    ----------
    Cohen (1968), Psychological Bulletin 70, 213. doi:10.1037/h0026256

    Examples
    --------
    >>> weighted_kappa([0, 1, 2, 2], [0, 1, 2, 1])
    0.8
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    chance = np.mean((a[:, None] - b) ** 2) if a.size else 0.0
    return None if chance == 0 else float(1 - np.mean((a - b) ** 2) / chance)


class Marking:
    """One question of an assignment that a person grades, across all who handed in.

    Attributes
    ----------
    title, name, notebook, assignment : str
    points : float
    model : NotebookNode
        The cell of the source, with the model answer.
    lines : tuple of RubricLine
        Of its rubric; empty where points are given by number.
    """

    def __init__(self, gradebook, coursedir, assignment, notebook, model, title):
        self.gradebook, self.coursedir = gradebook, coursedir
        self.assignment, self.notebook, self.model, self.name = assignment, notebook, model, grade_id(model)
        self.title, self.points = title or self.name, float(model.metadata.nbgrader.points)
        self.lines = read_lines(model.source, self.points) if model.cell_type == "markdown" else ()
        self._folder = Path(coursedir.root) / "marking" / assignment / notebook / self.name
        self._read = {}

    def find_students(self):
        """Return the students who handed in, by a key that does not tell who they are, in an order that does not."""
        found = (submission.student_id for submission in self.gradebook.assignment_submissions(self.assignment))
        keys = {
            hashlib.sha256(f"{self.assignment}/{self.name}/{student}".encode()).hexdigest()[:12]: student
            for student in found
        }
        return dict(sorted(keys.items()))

    def read_answer(self, student):
        """Return the cells of the question as the student had it, the answer last; none where it cannot be read."""
        folder = self.coursedir.format_path(self.coursedir.autograded_directory, student, self.assignment)
        path = Path(folder) / f"{self.notebook}.ipynb"
        try:
            stamp = (path.stat().st_mtime_ns, path.stat().st_size)
            if self._read.get(student, ("", ""))[0] != stamp:
                cells = nbformat.v4.reads(path.read_text("utf-8")).cells
                end = next(index for index, cell in enumerate(cells) if grade_id(cell) == self.name)
                headings = find_headings(cells[: end + 1])
                start = next(i for i in range(end, -1, -1) if i == 0 or headings[i - 1] != headings[end])
                self._read[student] = stamp, cells[start : end + 1]
        except (OSError, ValueError, StopIteration):
            return []
        return self._read[student][1]

    def _hash(self, student):
        cells = self.read_answer(student)
        return hashlib.sha256(cells[-1].source.encode("utf-8", "surrogatepass")).hexdigest() if cells else ""

    def _path(self, marker):
        return self._folder / f"{'_settled' if marker == SETTLED else safe_names([marker])[marker]}.json"

    def read_marks(self):
        """Return every marker's marks by student, those that were settled under `SETTLED`."""
        found = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                text = json.loads(path.read_text("utf-8"))
                marks = {who: Mark(**one | {"ticks": tuple(one["ticks"])}) for who, one in text["marks"].items()}
                found[text["marker"]] = marks
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise GradebookError(f"{path} cannot be read as marks ({error}); mend it, or take it away") from None
        return found

    def fresh(self, marks, student):
        """Return by marker the marks of the answer as it stands now."""
        answer = self._hash(student)
        return {
            who: found[student] for who, found in marks.items() if student in found and found[student].answer == answer
        }

    def find_outcome(self, marks, student):
        """Return what the markers' marks come to: a `Mark`, None where they differ, and "" where there is none."""
        fresh = self.fresh(marks, student)
        if SETTLED in fresh:
            return fresh[SETTLED]
        if not fresh:
            return ""
        given = list(fresh.values())
        if len({one.points for one in given}) > 1:
            return None
        return replace(given[0], comment="\n\n".join(dict.fromkeys(one.comment for one in given if one.comment)))

    def change(self, marker, student, change):
        """Change one thing of a marker's mark, and write what follows into the gradebook; returns the `Mark` or None.

        Parameters
        ----------
        marker, student : str
        change : dict
            ``{"tick": 0, "on": True}``: one line of the rubric; ``{"all": False}``: all or none of them; ``{"points":
            1.5}``: where it has no lines; ``{"comment": "…", "was": "…"}``: with what stood there before;
            ``{"clear": True}``: takes the mark back; ``{"as": "Ada"}``: settled as that marker has it;
            ``{"settle": 2}``: settled with these points; ``{"settle": None}``: no longer settled.

        Raises
        ------
        GradebookError
            If it is none of these; if the comment has been changed elsewhere; if the gradebook cannot be written.
        """
        marks = self.read_marks()
        answer = self._hash(student)
        if not answer:
            raise GradebookError("this answer cannot be read: it has no graded notebook")
        if "as" in change or "settle" in change:
            marker, new = SETTLED, self._settle(self.fresh(marks, student), change, answer)
        else:
            mine = self.fresh(marks, student).get(marker)
            new = None if change.get("clear") else self._change(mine or Mark(0.0, answer=answer), change)
        before = marks.get(marker, {})
        marks[marker] = {who: mark for who, mark in (before | {student: new}).items() if mark is not None}
        self._write(marker, marks[marker])
        try:
            self._write_grade(student, self.find_outcome(marks, student))
        except (SQLAlchemyError, MissingEntry) as error:
            self.gradebook.db.rollback()
            self._write(marker, before)
            raise GradebookError(f"the gradebook could not be written ({type(error).__name__}): try again") from None
        return new

    def _change(self, mark, change):
        lines = range(len(self.lines))
        if "comment" in change:
            text = str(change["comment"]).strip()
            if len(text) > MAX_COMMENT:
                raise GradebookError(f"a comment has at most {MAX_COMMENT} characters")
            if mark.comment not in (str(change.get("was", "")).strip(), text):
                raise GradebookError(f"the comment was changed elsewhere; it now says: {mark.comment}")
            return replace(mark, comment=text)
        if self.lines and change.get("tick") in lines:
            one = {int(change["tick"])}
            ticks = set(mark.ticks) | one if change.get("on") else set(mark.ticks) - one
        elif self.lines and "all" in change:
            ticks = lines if change["all"] else ()
        elif not self.lines and "points" in change:
            return replace(mark, points=self._check_points(change["points"]))
        else:
            raise expected("a change", "a tick, points or a comment", change, error=GradebookError)
        ticks = tuple(tick for tick in lines if tick in ticks)
        return replace(mark, ticks=ticks, points=sum(self.lines[tick].points for tick in ticks))

    def _settle(self, fresh, change, answer):
        if "settle" in change:
            if change["settle"] is None:
                return None
            points = self._check_points(change["settle"])
            comment = "\n\n".join(dict.fromkeys(one.comment for one in fresh.values() if one.comment))
            return Mark(points, comment=comment, answer=answer)
        if (marker := str(change["as"])) not in fresh:
            raise expected("as", "a marker of this answer", change["as"], error=GradebookError)
        return fresh[marker]

    def _check_points(self, value):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= self.points:
            raise expected("points", f"a number from 0 to {self.points:g}", value, error=GradebookError)
        return float(value)

    def _write(self, marker, marks):
        text = {"marker": marker, "marks": {who: asdict(mark) for who, mark in sorted(marks.items())}}
        write_whole(self._path(marker), json.dumps(text, indent=1, ensure_ascii=False) + "\n")

    def _find_grade(self, student):
        names = (self.name, self.notebook, self.assignment, student)
        return self.gradebook.find_grade(*names), self.gradebook.find_comment(*names)

    def _write_grade(self, student, outcome):
        """Write as formgrader does (``formgrader/apihandlers.py`` of nbgrader)."""
        grade, comment = self._find_grade(student)
        if outcome is None:  # its score so far stays, and it waits, as after a change of the answer
            grade.needs_manual_grade = True
        else:
            grade.manual_score = outcome.points if outcome else None
            grade.needs_manual_grade = grade.manual_score is None and grade.auto_score is None
            if comment.manual_comment or (outcome and outcome.comment):
                comment.manual_comment = outcome.comment if outcome else ""
        self.gradebook.db.commit()

    def read_grades(self):
        """Return by student what stands in the gradebook: score given by hand or None, comment, whether it waits."""
        self.gradebook.db.rollback()  # what others have written since
        found = {}
        for student in self.find_students().values():
            try:
                grade, comment = self._find_grade(student)
            except MissingEntry:
                continue
            found[student] = (grade.manual_score, comment.manual_comment or "", bool(grade.needs_manual_grade))
        return found

    def find_comments(self, marks, grades):
        """Return the comments that were given to this question before, the most frequent first."""
        given = [mark.comment for who in marks for mark in marks[who].values()]
        given += [comment for _, comment, _ in grades.values() if comment not in given]
        return [text for text, _ in Counter(filter(None, given)).most_common(30)]

    def compare(self, marks):
        """Return the `Agreement` of each two markers, and by student each marker's mark where points differ."""
        fresh = {student: self.fresh(marks, student) for student in self.find_students().values()}
        agreements = []
        for pair in itertools.combinations(sorted(set(marks) - {SETTLED}), 2):
            both = [[one[marker] for marker in pair] for one in fresh.values() if set(pair) <= set(one)]
            if not both:
                continue
            a, b = (np.array([mark.points for mark in one]) for one in zip(*both, strict=True))
            ticked = np.array([[[n in m.ticks for m in one] for one in both] for n in range(len(self.lines))])
            lines = tuple((int(t[:, 0].sum()), int(t[:, 1].sum()), int((t[:, 0] != t[:, 1]).sum())) for t in ticked)
            agreements.append(
                Agreement(pair, len(both), float(np.mean(a == b)), float(np.mean(a - b)), weighted_kappa(a, b), lines)
            )
        differ = {
            student: found
            for student, found in fresh.items()
            if len({mark.points for who, mark in found.items() if who != SETTLED}) > 1
        }
        return agreements, differ


def find_markings(gradebook, coursedir, assignment):
    """Return the questions of an assignment that a person grades, as `Marking`.

    Raises
    ------
    GradebookError
        If there is none, or the gradebook does not know the assignment.
    """
    found = []
    for path in sorted(source_folder(coursedir, assignment).glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        for cell, heading in zip(cells, find_headings(cells), strict=True):
            if is_graded(cell) and is_solution(cell):
                found.append(Marking(gradebook, coursedir, assignment, path.stem, cell, heading))
    if not found:
        raise GradebookError(f"{assignment!r} in {coursedir.source_directory}/ has no question that a person grades")
    try:
        gradebook.find_assignment(assignment)
    except MissingEntry:
        raise GradebookError(f"the gradebook has no assignment {assignment!r}: grade it first (acme grade)") from None
    return found


def check_marker(name):
    """Return a marker's name, or raise a `GradebookError`."""
    if not name.strip() or not name.isprintable() or len(name) > 60:
        raise expected("--marker", "a name of at most 60 letters", name, error=GradebookError)
    return name.strip()

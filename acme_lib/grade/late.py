"""What late submissions lose, and who was given more time: data in ``nbgrader_config.py`` and in a CSV file.

nbgrader asks `LatePolicy` for each penalty while it grades; `acme late` asks it again for a whole assignment, after
points or extensions have changed. Times are compared in UTC, which knows no summer time.
"""

import csv
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nbgrader.api import MissingEntry
from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Bool, Dict, Enum, Float, Unicode

from acme_lib.errors import GradebookError

_SECONDS = {"hour": 3600, "day": 86400}
_LENGTHS = ("days", "hours", "minutes")


@dataclass(frozen=True)
class Extension:
    """More time for one student: until a moment (UTC, without zone, as nbgrader keeps it), or by a length."""

    until: datetime | None = None
    by: timedelta = timedelta(0)

    def length(self, duedate):
        """Return by how much the due date moves."""
        return self.by if self.until is None else self.until - duedate


@dataclass(frozen=True)
class Lateness:
    """One submission: how late it is after all extensions, in seconds, and what that costs, in points."""

    student: str
    seconds: float
    penalty: float


def find_penalty(seconds, score, max_score, *, rate, unit="percent", per="day", started=True, grace=0.0, cap=None):
    """Compute the points that a late submission loses.

    With t the time since due date and grace, in units of `per` (whole units, the last one begun, where `started`), this
    is min(rate·t, cap) in points or in percent of `max_score`; never more than `score`.

    Parameters
    ----------
    seconds : float
        Since the due date.
    score, max_score : float
        Points that were reached, and that could be.
    rate : float
        Points or percent for each unit of time.
    unit : {"percent", "points"}
    per : {"day", "hour"}
    started : bool
        Whether a unit counts as a whole once it has begun.
    grace : float
        Minutes by which the due date moves for all.
    cap : float, optional
        The most that can be lost, in the unit of `rate`.

    Returns
    -------
    float

    Examples
    --------
    >>> find_penalty(25 * 3600, score=30, max_score=40, rate=10)
    8.0
    """
    late = max(0.0, seconds - 60 * grace) / _SECONDS[per]
    lost = rate * (math.ceil(late) if started else late)
    if cap is not None:
        lost = min(lost, cap)
    return max(0.0, min(score, lost * max_score / 100 if unit == "percent" else lost))


class LatePolicy(LateSubmissionPlugin):
    """The late policy of a course, as nbgrader's plugin; its traits are set in ``nbgrader_config.py``."""

    rate = Float(0.0, help="what each unit of time costs, in points or percent of the maximum; 0: nothing").tag(
        config=True
    )
    unit = Enum(("percent", "points"), "percent", help="what `rate` and `cap` count").tag(config=True)
    per = Enum(("day", "hour"), "day", help="the unit of time").tag(config=True)
    started = Bool(True, help="whether a day (an hour) counts as a whole once it has begun").tag(config=True)
    grace = Float(0.0, help="minutes after the due date that cost nothing").tag(config=True)
    cap = Float(None, allow_none=True, help="the most that can be lost, in points or percent").tag(config=True)
    assignments = Dict(help="what differs for one assignment: {name: {'rate': 5, 'per': 'hour'}}").tag(config=True)
    extensions = Unicode("", help="CSV file: student, assignment, and until or days, hours, minutes").tag(config=True)
    timezone = Unicode("UTC", help="of times in that file that name no zone, such as Europe/Zurich").tag(config=True)

    def terms(self, assignment):
        """Return the arguments of `find_penalty` that hold for an assignment.

        Raises
        ------
        GradebookError
            If a term is unknown, or has a value that makes no sense.
        """
        terms = {name: getattr(self, name) for name in ("rate", "unit", "per", "started", "grace", "cap")}
        special = dict(self.assignments.get(assignment, {}))
        if unknown := sorted(set(special) - set(terms)):
            raise GradebookError(
                f"the late policy of {assignment} has no {', '.join(unknown)}; it has {', '.join(terms)}"
            )
        checked = type(self)(**(terms | special))  # the traits check what was given
        terms = {name: getattr(checked, name) for name in terms}
        for name in ("rate", "grace", "cap"):
            if terms[name] is not None and not 0 <= terms[name] < math.inf:
                raise GradebookError(f"LatePolicy.{name} must be a finite number of at least 0, got {terms[name]}")
        return terms

    def find_extensions(self):
        """Read the file of extensions; a relative path starts at the course."""
        if not self.extensions:
            return {}
        root = self.config.get("CourseDirectory", {}).get("root", "")
        return read_extensions(Path(root) / self.extensions, timezone=self.timezone)

    def late_submission_penalty(self, student_id, score, total_seconds_late):
        """Return the points that a notebook loses; nbgrader calls this for a notebook that is past its due date.

        What it is called for it learns from its parent, nbgrader's ``AssignLatePenalties``.
        """
        asked = self.parent
        if getattr(asked, "gradebook", None) is None:
            raise GradebookError("LatePolicy asks AssignLatePenalties for its gradebook, assignment_id and notebook_id")
        submission = asked.gradebook.find_submission(asked.assignment_id, student_id)
        seconds = _seconds_late(submission, self.find_extensions().get((student_id, asked.assignment_id)))
        notebook = asked.gradebook.find_submission_notebook(asked.notebook_id, asked.assignment_id, student_id)
        return _penalty_of_notebook(self.terms(asked.assignment_id), submission, notebook, seconds)


def read_extensions(path, *, timezone="UTC"):
    """Read who was given more time.

    Parameters
    ----------
    path : path
        A CSV file with the columns ``student``, ``assignment`` and either ``until`` (a time in ISO form, such as
        ``2027-03-28 23:59`` or ``2027-03-28T23:59+02:00``) or ``days``, ``hours``, ``minutes``; others are for you.
    timezone : str
        Zone of times without one. Of the two moments that a clock shows twice in autumn, the later one counts.

    Returns
    -------
    dict of (str, str) to Extension
        By student and assignment.

    Raises
    ------
    GradebookError
        If the file is missing, or a line cannot be read, or names a student and assignment again.
    """
    zone = find_zone(timezone)
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GradebookError(f"the file of extensions cannot be read: {error}") from None
    rows = csv.DictReader(text.splitlines())
    columns = set(rows.fieldnames or ())
    if not {"student", "assignment"} <= columns or not columns & {"until", *_LENGTHS}:
        raise GradebookError(
            f"{path}: expected the columns student, assignment and until (or days, hours, minutes), "
            f"got {', '.join(rows.fieldnames or ['nothing'])}"
        )
    extensions = {}
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        key = ((row["student"] or "").strip(), (row["assignment"] or "").strip())
        if not all(key):
            raise GradebookError(f"{where}: a student or an assignment is missing")
        if key in extensions:
            raise GradebookError(f"{where}: {key[0]!r} has an extension of {key[1]!r} already; keep one line")
        extensions[key] = _read_extension(row, zone, where)
    return extensions


def find_zone(name):
    """Return the time zone of a name such as ``Europe/Zurich``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise GradebookError(f"{name!r} is no time zone; write one such as Europe/Zurich") from None


def _read_extension(row, zone, where):
    given = {name: row[name].strip() for name in ("until", *_LENGTHS) if (row.get(name) or "").strip()}
    if not given or ("until" in given and len(given) > 1):
        raise GradebookError(f"{where}: give either until, or days, hours or minutes")
    try:
        if "until" in given:
            return Extension(until=to_utc(datetime.fromisoformat(given["until"]), zone))
        by = timedelta(**{name: float(value) for name, value in given.items()})
    except (ValueError, OverflowError):
        came = ", ".join(f"{name} {value!r}" for name, value in given.items())
        raise GradebookError(f"{where}: {came} cannot be read as a time (2027-03-28 23:59) or a number") from None
    if by < timedelta(0):
        raise GradebookError(f"{where}: an extension cannot be negative")
    return Extension(by=by)


def to_utc(moment, zone):
    """Return a moment in UTC, without a zone; of the two that a clock shows twice in autumn, the later one."""
    if moment.tzinfo is None:
        both = [moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
        return max(both).replace(tzinfo=None)
    return moment.astimezone(UTC).replace(tzinfo=None)


def assign_penalties(gradebook, assignment, policy):
    """Write the extensions and the penalties of all submissions of an assignment into the gradebook.

    Use when points were given by hand, or an extension was granted, after the assignment had been graded.

    Parameters
    ----------
    gradebook : nbgrader.api.Gradebook
    assignment : str
    policy : LatePolicy

    Returns
    -------
    list of Lateness
        Of all submissions that are late, by student.

    Raises
    ------
    GradebookError
        If an extension of this assignment is for a student who is not in the gradebook.
    """
    try:
        gradebook.find_assignment(assignment)
    except MissingEntry:
        raise GradebookError(f"the gradebook has no assignment {assignment!r}") from None
    terms = policy.terms(assignment)
    extensions = {student: more for (student, name), more in policy.find_extensions().items() if name == assignment}
    unknown = sorted(set(extensions) - {student.id for student in gradebook.students})
    if unknown:
        raise GradebookError(f"extensions for students who are not in the gradebook: {', '.join(map(repr, unknown))}")
    late = []
    submissions = gradebook.assignment_submissions(assignment)
    for submission in sorted(submissions, key=lambda submission: submission.student.id):
        seconds = _seconds_late(submission, extensions.get(submission.student.id))
        penalty = 0.0
        for notebook in submission.notebooks:
            lost = _penalty_of_notebook(terms, submission, notebook, seconds)
            notebook.late_submission_penalty = lost or None
            penalty += lost
        if seconds > 0:
            late.append(Lateness(submission.student.id, seconds, penalty))
    gradebook.db.commit()
    return late


def _seconds_late(submission, extension):
    """Return the time since the due date; an extension of the file is noted with the submission."""
    duedate = submission.assignment.duedate
    if submission.timestamp is None or duedate is None:
        return 0.0
    if extension is not None:
        length = extension.length(duedate)
        if length < timedelta(0):
            who = f"{submission.student.id!r} of {submission.assignment.name!r}"
            raise GradebookError(
                f"the extension for {who} ends before it is due ({duedate} UTC): {extension.until} UTC"
            )
        submission.extension = length
    return max(0.0, (submission.timestamp - submission.duedate).total_seconds())


def _penalty_of_notebook(terms, submission, notebook, seconds):
    """Points are those of the assignment: each of its notebooks bears its share."""
    if terms["unit"] == "points":
        share = notebook.max_score / submission.max_score if submission.max_score else 0.0
        terms = terms | {"rate": terms["rate"] * share, "cap": None if terms["cap"] is None else terms["cap"] * share}
    return find_penalty(seconds, notebook.score, notebook.max_score, **terms)

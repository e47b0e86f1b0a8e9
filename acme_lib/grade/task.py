"""One submission, graded: what a worker of the batch does, wherever it runs.

A `Task` holds all that is needed, the submitted bytes and the text of the source included, so that a worker needs
neither the course nor the gradebook. `grade_task` never raises for what is in a submission.
"""

import hashlib
import os
import threading
import traceback
from dataclasses import dataclass, field
from functools import lru_cache

import nbformat

from acme_lib.errors import GradingError
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.boundary.sandbox import shared_sandbox
from acme_lib.grade.judge import draw, judge_notebook
from acme_lib.grade.record import audit_record
from acme_lib.grade.source_notebook import parse_master
from acme_lib.grade.submission import parse_submission, rebuild


@dataclass(frozen=True)
class Task:
    """One notebook of one student.

    Attributes
    ----------
    student, assignment, notebook : str
    data : bytes
        What was handed in.
    unreadable : str
        Why it could not be read, from `acme_lib.grade.submitted_file.read_bytes`.
    source : str
        The text of the instructor's notebook.
    seed : int
        Of this student and notebook.
    limits : Limits
    require : str
        As in `Sandbox`.
    data_folder, course : str or None
        As in `Sandbox`.
    only : frozenset of str or None
        Ids of the test cells to run; None for all.
    """

    student: str
    assignment: str
    notebook: str
    data: bytes = field(repr=False)
    unreadable: str
    source: str = field(repr=False)
    seed: int
    limits: Limits
    require: str = "limits"
    data_folder: str | None = None
    course: str | None = None
    only: frozenset | None = None


@dataclass(frozen=True)
class Graded:
    """What became of a `Task`.

    Attributes
    ----------
    student, notebook : str
    status : str
        ``"graded"``, ``"unreadable"`` (zero points, and a person is asked to look) or ``"failed"`` (the machine's
        fault: no grade).
    reason : str
        Why, where the status is not ``"graded"``.
    remarks : tuple of str
    text : str
        The graded notebook.
    record : dict
        For the audit.
    """

    student: str
    notebook: str
    status: str
    reason: str = ""
    remarks: tuple = ()
    text: str = field(default="", repr=False)
    record: dict = field(default_factory=dict, repr=False)


def seed_of(run_seed, student, notebook):
    """Return the seed of a notebook in a run: the same in whatever order and on however many cores."""
    return draw(run_seed, f"{student}/{notebook}", 0) % 2**63


_judging = threading.Lock()  # output and warnings are caught for a whole process: one notebook at a time


@lru_cache(maxsize=8)
def _master(source, name):
    return parse_master(source, name)


def grade_task(task):
    """Grade one notebook.

    Parameters
    ----------
    task : Task

    Returns
    -------
    Graded
    """
    with _judging:
        try:
            master = _master(task.source, task.notebook)
            submission = parse_submission(task.data, task.unreadable, master)
            notebook = rebuild(master, submission)
            sandbox = shared_sandbox(
                forbidden=master.forbidden,
                limits=task.limits,
                data=task.data_folder,
                course=task.course,
                require=task.require,
            )
            judgement = judge_notebook(notebook, master, sandbox, seed=task.seed, only=task.only)
            record = audit_record(judgement, master, sandbox, submission.sha256)
            text = nbformat.writes(judgement.notebook)
        except GradingError as error:
            return Graded(task.student, task.notebook, "failed", str(error))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}, line {where.lineno})"
            return Graded(task.student, task.notebook, "failed", reason[:500])
    status = "unreadable" if submission.unreadable else "graded"
    record.update(student=task.student, assignment=task.assignment, status=status, reason=submission.unreadable)
    record["remarks"], record["foreign"] = list(submission.remarks), submission.foreign
    record["autograded_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return Graded(task.student, task.notebook, status, submission.unreadable, submission.remarks, text, record)

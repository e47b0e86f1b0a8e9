"""Which misconceptions a class had, from the messages of the checks in the autograded notebooks."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.coursedir import CourseDirectory

from acme_lib.teach.check_slips import SLIPS, find_slips
from acme_lib.teach.check_words import NOT_WRITTEN

LARGEST = 50_000_000  # bytes of a notebook that is read; output floods are cut long before


@dataclass(frozen=True)
class Misconceptions:
    """How many students had each misconception, question by question.

    Attributes
    ----------
    slips : dict of (str, str) to collections.Counter
        By notebook and cell: students by misconception (a key of `acme_lib.teach.check_slips.SLIPS`).
    unwritten : collections.Counter
        By notebook and cell: students whose function was not written.
    unexplained : collections.Counter
        By notebook and cell: students whose check failed in no known way.
    unread : tuple of str
        Students without an autograded notebook, or with one that cannot be read.
    """

    slips: dict = field(default_factory=dict)
    unwritten: Counter = field(default_factory=Counter)
    unexplained: Counter = field(default_factory=Counter)
    unread: tuple = ()


def find_misconceptions(marks, config, groups=None):
    """Read the autograded notebooks of an assignment.

    Only an error of the checks themselves counts, and of one student each misconception once for a question; what a
    submission prints is not looked at, nor the words in which an error of a student's own speaks.

    Parameters
    ----------
    marks : Marks
    config : traitlets.config.Config
        Of the course.
    groups : dict of (str, str) to (str, str), optional
        Question of each cell (`acme_lib.report.questions.unite_cells`); by default a cell is a question.

    Returns
    -------
    Misconceptions
    """
    course = CourseDirectory(config=config)
    groups = groups or {key: key for key in ((question.notebook, question.name) for question in marks.questions)}
    slips, unwritten, unexplained, unread = {}, Counter(), Counter(), []
    for student, submitted in zip(marks.students, marks.submitted, strict=True):
        if not submitted or Path(student.id).name != student.id:
            continue
        folder = Path(course.format_path(course.autograded_directory, student.id, marks.assignment))
        messages = {}
        for notebook in sorted({notebook for notebook, _ in groups}):
            cells = _read_messages(folder / f"{notebook}.ipynb")
            if cells is None:
                unread.append(student.id)
                break
            for cell, text in cells.items():
                if (notebook, cell) in groups:
                    messages.setdefault(groups[notebook, cell], []).append(text)
        for question, cells in messages.items():
            found = {slip for _, named in cells for slip in named}
            slips.setdefault(question, Counter()).update(found)
            if any(is_unwritten(text) for text, _ in cells):
                unwritten[question] += 1
            elif not found:
                unexplained[question] += 1
    return Misconceptions(slips, unwritten, unexplained, tuple(unread))


def is_unwritten(message):
    r"""Whether a failed check found that the function is not written; not whether its text says so somewhere.

    >>> is_unwritten(f"✗ double of 3\n{NOT_WRITTEN}"), is_unwritten(f"✗ double of 3\nValueError: {NOT_WRITTEN}")
    (True, False)
    """
    return NOT_WRITTEN.split() in (message.split(), message.partition("\n")[2].split())


def read_slips(cell, message):
    """Return the misconceptions of a check's cell: as the grader noted them, else those that its message names."""
    noted = cell["metadata"].get("acme", {}).get("slips")
    return find_slips(message) if noted is None else tuple(slip for slip in noted if slip in SLIPS)


def _read_messages(path):
    """Return the message of the failed check in each cell and its misconceptions, by grade id; None when unreadable."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        cells = json.loads(path.read_bytes())["cells"]
        messages = {}
        for cell in cells:
            grade_id = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")
            for output in cell.get("outputs", ()):
                if output.get("output_type") == "error" and output.get("ename") == "CheckFailed":
                    # stock nbgrader has the whole message in the value of the error, our grader in its traceback
                    text = max(str(output.get("evalue", "")), "\n".join(map(str, output.get("traceback", ()))), key=len)
                    messages.setdefault(str(grade_id), (text, read_slips(cell, text)))
        return messages
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None

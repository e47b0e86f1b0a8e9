"""Feedback pages, packed for each student or for Moodle's upload of many feedback files."""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.coursedir import CourseDirectory

from acme_lib.build.archive import safe_names, zip_bytes
from acme_lib.errors import GradebookError
from acme_lib.files import write_whole
from acme_lib.report.exports import find_participant


@dataclass(frozen=True)
class Feedback:
    """The feedback pages of an assignment.

    Attributes
    ----------
    assignment : str
    pages : dict of str to dict of str to bytes
        By student, then by notebook.
    missing : tuple of str
        Students who handed something in and lack a page.
    """

    assignment: str
    pages: dict = field(repr=False)
    missing: tuple


def collect_feedback(marks, config):
    """Read the pages that ``nbgrader generate_feedback`` wrote.

    Only a page of a notebook of the assignment is read, and only from the student's own folder: no other file, and
    nothing through a symbolic link.

    Parameters
    ----------
    marks : Marks
    config : traitlets.config.Config
        Of the course.

    Returns
    -------
    Feedback

    Raises
    ------
    GradebookError
        If a page is reached through a symbolic link.
    """
    course = CourseDirectory(config=config)
    notebooks = sorted({question.notebook for question in marks.questions})
    root = Path(course.root)
    pages, missing = {}, []
    for student, submitted in zip(marks.students, marks.submitted, strict=True):
        if not submitted:
            continue
        folder = Path(course.format_path(course.feedback_directory, student.id, marks.assignment))
        found = {}
        for notebook in notebooks:
            page = folder / f"{notebook}.html"
            if not page.is_file() or Path(student.id).name != student.id:
                continue
            # Every part of the path: a link in place of a student's folder would show another's pages.
            if page.resolve() != root.resolve() / page.relative_to(root):
                raise GradebookError(f"{page} is reached through a symbolic link: put the file itself there")
            found[notebook] = page.read_bytes()
        if found:
            pages[student.id] = found
        if len(found) < len(notebooks):
            missing.append(student.id)
    return Feedback(marks.assignment, pages, tuple(missing))


def write_bundles(feedback, folder):
    """Write one zip file for each student.

    Parameters
    ----------
    feedback : Feedback
    folder : path
        Where the files go; each is named after the student's id, made safe.

    Returns
    -------
    dict of str to Path
        The file of each student.
    """
    names = safe_names(feedback.pages)
    (inside,) = safe_names([feedback.assignment]).values()
    return {
        student: write_whole(
            Path(folder) / f"{names[student]}.zip",
            zip_bytes({f"{inside}/{notebook}.html": page for notebook, page in pages.items()}),
        )
        for student, pages in feedback.pages.items()
    }


def write_moodle_bundle(feedback, rows, path, *, worksheet):
    """Write one zip file for Moodle's “Upload multiple feedback files in a zip”.

    Its files are named as Moodle wants them, ``Full name_NUMBER_assignfeedback_file_NOTEBOOK.html``; the number is what
    Moodle goes by.

    Parameters
    ----------
    feedback : Feedback
    rows : dict of str to dict
        Row of the grading worksheet for each student (`acme_lib.report.exports.match_students`).
    path : path
    worksheet : path
        For messages.

    Returns
    -------
    tuple of str
        The students whose pages are in it.
    """
    members, packed = {}, []
    for student, pages in feedback.pages.items():
        if student not in rows:
            continue
        number = find_participant(rows[student], worksheet)
        name = _person(rows[student].get("Full name", ""))
        packed.append(student)
        for notebook, page in pages.items():
            members[f"{name}_{number}_assignfeedback_file_{notebook}.html"] = page
    write_whole(path, zip_bytes(members))
    return tuple(packed)


def _person(name):
    """Keep letters, digits, blanks and hyphens: Moodle takes an underline for the end of the name."""
    text = "".join(c if c.isalnum() or c in " -" else " " for c in unicodedata.normalize("NFC", name))
    return " ".join(text.split())[:80].strip() or "Participant"

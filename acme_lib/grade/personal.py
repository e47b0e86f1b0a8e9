"""Numbers of a student's own: the key of the course, who was given such numbers, and the notebook as it is for one.

A course that has made a personal release holds ``personal.json`` beside its gradebook: a key, drawn at first use, and
for each assignment the students who were given a notebook of their own. The secret of a student is HMAC-SHA256 of the
id under the key, and a question's numbers follow from it (`acme_lib.teach.question.number_source`); a notebook as
released holds the numbers, and a mark by which it is known, but neither secret nor key. The grading computes the
numbers again from the id of the submission's folder.
"""

import hmac
import json
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from acme_lib.errors import GradingError
from acme_lib.files import write_whole
from acme_lib.teach.question import draw_numbers, fill_in, find_personal

FILE = "personal.json"
SEALED = re.compile(r"^check_sealed\(\n.*?^\)\n", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Personal:
    """The key of a course and, by assignment, who was given numbers of their own; empty where nobody was."""

    key: bytes = field(default=b"", repr=False)
    released: dict = field(default_factory=dict)

    def secret(self, assignment, student):
        """Return the secret of a student, in hexadecimal digits; empty for who has the general numbers."""
        student = _composed(student)
        if student not in self.released.get(assignment, ()):
            return ""
        return hmac.digest(self.key, student.encode(), "sha256").hex()


def _composed(student):
    """Return an id in one form: a file system may take the letter é apart."""
    return unicodedata.normalize("NFC", student)


def read_personal_file(root):
    """Return what ``personal.json`` of a course says; an empty `Personal` where there is none."""
    path = Path(root) / FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        key, released = bytes.fromhex(content["key"]), content["released"]
        if len(key) != 32 or not all(isinstance(ids, list) for ids in released.values()):
            raise ValueError
    except FileNotFoundError:
        return Personal()
    except OSError as error:
        raise GradingError(f"{path} cannot be read ({error.strerror}): personal questions need it") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise GradingError(
            f"{path} is damaged: put back your copy of it, as no other key gives the numbers of what was released"
        ) from None
    return Personal(key, {assignment: frozenset(ids) for assignment, ids in released.items()})


def note_release(root, assignments, students):
    """Write into ``personal.json`` that these students are given numbers of their own; return what it says then.

    The key is drawn at first use, and stays. Only the owner of the file may read it.
    """
    before = read_personal_file(root)
    released = dict(before.released)
    for assignment in assignments:
        released[assignment] = released.get(assignment, frozenset()) | set(map(_composed, students))
    now = Personal(before.key or secrets.token_bytes(32), released)
    content = {"key": now.key.hex(), "released": {name: sorted(ids) for name, ids in released.items()}}
    write_whole(Path(root) / FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n", private=True)
    return now


def mark_of(secret, student):
    """Return the mark of a personal notebook: for whom it was made, and with which key; None without a secret."""
    if not secret:
        return None
    student = _composed(student)
    return {"student": student, "seal": hmac.digest(bytes.fromhex(secret), b"mark", "sha256").hex()[:16]}


def personalise(text, secret, student):
    """Return the text of a source notebook with a student's numbers in it; as it is where there is no secret."""
    if not secret:
        return text
    notebook = nbformat.reads(text, as_version=4)
    found = fill_cells(notebook, secret)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") in found:  # the hidden part says all that the seals do
            cell.source = SEALED.sub("", cell.source).replace('    secret="",', f'    secret="{secret}",', 1)
    notebook.metadata.setdefault("acme", {})["made_for"] = mark_of(secret, student)
    return nbformat.writes(notebook)


def fill_cells(notebook, secret, source=None):
    """Put a student's numbers into the texts of a notebook, in place.

    Parameters
    ----------
    notebook : NotebookNode
    secret : str
    source : NotebookNode, optional
        Whose checks say how the numbers are drawn; by default the notebook itself.

    Returns
    -------
    dict of str to dict
        By the id of each check of a personal question, what it is read from.
    """
    found = {}
    for cell in (source or notebook).cells:
        if cell.cell_type == "code" and (personal := find_personal(cell.source)) is not None:
            del personal["secret"]
            found[cell.metadata.nbgrader.grade_id] = personal
    draws = {personal["name"]: personal["draw"] for personal in found.values()}
    for cell in notebook.cells:
        facts = cell.metadata.get("acme", {})
        if cell.cell_type == "markdown" and facts.get("personal") in draws:
            numbers, _ = draw_numbers(secret, facts["personal"], draws[facts["personal"]])
            cell.source = fill_in(facts["text"], numbers)
    return found


def compare_marks(claimed, expected):
    """Say why a notebook cannot hold the numbers that it is graded with; empty where it may.

    Parameters
    ----------
    claimed : object
        The mark in what was handed in: anything.
    expected : dict or None
        From `mark_of`, for the folder in which it lies.
    """
    if not (isinstance(claimed, dict) and all(isinstance(claimed.get(key), str) for key in ("student", "seal"))):
        claimed = None
    if claimed == expected:
        return ""
    if claimed is None:
        return "the notebook is that of the general release, and the student was given numbers of their own"
    whose = "".join(c for c in claimed["student"][:60] if c.isalnum() or c in " _-.@")
    if expected is None:
        return (
            f"the notebook holds the own numbers of '{whose}', and {FILE} of this course names no such student for "
            "this folder: was the folder renamed, or is the file missing?"
        )
    if claimed["student"] != expected["student"]:
        return f"the notebook holds the own numbers of '{whose}', and the folder is that of '{expected['student']}'"
    return f"the notebook was made with another key than that in {FILE}"

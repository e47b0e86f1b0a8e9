"""What of a submitted notebook counts: the answers, taken by their ids and put into the instructor's own notebook.

A submitted file is read as hostile data: `read_submission` parses no more than it must and never fails; what it cannot
use it says in words. `rebuild` puts the answers into the notebook of the source, so that nothing else of the submission
(tags, points, metadata, outputs, attachments, kernels, cells that were added, retyped, moved or deleted) is ever looked
at, run or shown.
"""

import copy
import hashlib
import json
import re
from dataclasses import dataclass, field

import nbformat

from acme_lib.grade.harmless import neutralise, plain
from acme_lib.grade.personal import compare_marks
from acme_lib.grade.source_notebook import grade_id, is_solution
from acme_lib.grade.submitted_file import MAX_FILE, read_bytes

MAX_ANSWER = 200_000  # characters of one answer
MAX_VALUES = 3_000_000  # lists, dicts and commas of a notebook
MAX_CELLS = 5_000
MAX_OWN_CELLS = 300  # code cells of the student's own that are run
MAX_OWN = 1_000_000  # characters of all of them


@dataclass(frozen=True)
class Submission:
    """The answers of one submitted notebook.

    Attributes
    ----------
    answers : dict of str to str
        By the id of the cell.
    pieces : dict of str to tuple of str
        Of answers whose cell is there more than once (**Split cell** does that): what each cell holds.
    own : tuple of (str, str)
        The code cells that the student added, in their order: the id of the cell that each comes after (empty where
        there is none), and its text.
    unplaced : frozenset of str
        Ids of answers that are missing or could not be taken as they are: a person has to look where they lose points.
    unreadable : str
        Why nothing could be read; empty where something could.
    foreign : str
        Why it cannot hold the numbers that it is graded with; empty where it may.
    remarks : tuple of str
        What was put right or left out, for the student and the instructor.
    sha256 : str
        Of the file, as far as it was read.
    """

    answers: dict
    unreadable: str = ""
    remarks: tuple = ()
    sha256: str = ""
    pieces: dict = field(default_factory=dict)
    own: tuple = ()
    unplaced: frozenset = frozenset()
    foreign: str = ""


def read_submission(path, master, *, max_bytes=MAX_FILE):
    """Read a submitted notebook, whatever it is.

    Parameters
    ----------
    path : path
    master : Master
    max_bytes : int

    Returns
    -------
    Submission
        Never raises for what is in the file.
    """
    return parse_submission(*read_bytes(path, max_bytes), master)


def parse_submission(data, unreadable, master):
    """Take the answers out of the bytes of a submitted notebook (see `read_bytes`)."""
    digest = hashlib.sha256(data).hexdigest()
    if unreadable:
        return Submission({}, unreadable, (), digest)
    if sum(map(data.count, (b"[", b"{", b","))) > MAX_VALUES:
        return Submission({}, "the file holds too many values; hand in the notebook without its outputs", (), digest)
    text, remarks = _read_text(data)
    try:
        content = json.loads(text)
    except RecursionError:
        return Submission({}, "the file is nested too deeply to be a notebook", (), digest)
    except (ValueError, MemoryError):
        return Submission(
            {}, "the file is no notebook: it is not valid JSON (was it cut short, or saved by hand?)", (), digest
        )
    cells = _find_cells(content)
    if cells is None:
        return Submission({}, "the file is JSON but no notebook: it has no list of cells", (), digest)
    if len(cells) > MAX_CELLS:
        return Submission({}, f"the notebook has {len(cells):,} cells; at most {MAX_CELLS:,} are read", (), digest)
    language = _get(content, "metadata", "kernelspec", "language") or _get(content, "metadata", "language_info", "name")
    if isinstance(language, str) and language.lower() not in ("python", "ipython", ""):
        remarks.append("The notebook was saved with a kernel that is not Python; it is graded with Python.")
    foreign = compare_marks(_get(content, "metadata", "acme", "made_for"), master.made_for)
    if foreign:
        remarks.append(
            "Some questions have numbers of each student's own, and this notebook does not hold those that you are "
            "graded with. Your teacher has been told why."
        )
    taken = _Taken(master, remarks)
    for cell in cells:
        taken.add(cell)
    answers, pieces = taken.join()
    return Submission(
        answers,
        "",
        tuple(remarks),
        digest,
        pieces=pieces,
        own=tuple(taken.own),
        unplaced=frozenset(taken.unplaced),
        foreign=foreign,
    )


def _read_text(data):
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            text = data.decode(encoding)
            return text, [] if encoding == "utf-8-sig" else ["The file was not in UTF-8; it was read as UTF-16."]
        except UnicodeDecodeError:
            continue
    return data.decode("cp1252", "replace"), ["The file was not in UTF-8; it was read as Windows-1252."]


def _get(value, *keys):
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _find_cells(content):
    cells = _get(content, "cells")
    if isinstance(cells, list):
        return cells
    sheets = _get(content, "worksheets")  # notebooks of version 3
    if isinstance(sheets, list):
        return [
            cell for sheet in sheets for cell in (_get(sheet, "cells") or []) if isinstance(_get(sheet, "cells"), list)
        ]
    return None


class _Taken:
    """What the cells of a submission hold, by where it belongs."""

    def __init__(self, master, remarks):
        self.master, self.remarks = master, remarks
        self.pieces, self.seen = {}, {}
        self.own, self.unplaced, self.unknown = [], set(), set()
        self._place, self._room, self._left_out = "", MAX_OWN, False
        self._released = {_visible(cell.source) for cell in master.notebook.cells}

    def add(self, cell):
        kind, name = _get(cell, "cell_type"), _get(cell, "metadata", "nbgrader", "grade_id")
        source = _source_of(cell)
        if not isinstance(name, str) or not name:
            return self._add_own(kind, source)
        if name not in self.master.cells:
            self.unknown.add(name)
            if _get(cell, "metadata", "nbgrader", "solution") is True:
                self._add_own(kind, source)
            return None
        self._place = name
        if is_solution(self.master.cells[name]):
            self._add_answer(name, kind, source)
        return None

    def _add_own(self, kind, source):
        if kind != "code" or not (source or "").strip() or _visible(source) in self._released:
            return
        self._room -= len(source)
        if len(self.own) < MAX_OWN_CELLS and self._room >= 0 and len(source) <= MAX_ANSWER:
            self.own.append((self._place, source))
        elif not self._left_out:
            self._left_out = True
            self.unplaced |= {name for name, cell in self.master.cells.items() if is_solution(cell)}
            self.remarks.append("Some of the code cells that you added are too long, or too many, and were left out.")

    def _add_answer(self, name, kind, source):
        self.seen[name] = self.seen.get(name, 0) + 1
        if source is None:
            self.unplaced.add(name)
            self.remarks.append(f"The text of cell '{name}' cannot be read.")
            return
        if len(source) > MAX_ANSWER:
            self.unplaced.add(name)
            self.remarks.append(
                f"The answer in cell '{name}' is longer than {MAX_ANSWER:,} characters and was left out."
            )
            return
        if kind != self.master.cells[name].cell_type:
            self.remarks.append(f"Cell '{name}' had its type changed; it was changed back.")
        self.pieces.setdefault(name, []).append(source)

    def join(self):
        """Return the answers, and the pieces of those whose cell is there more than once."""
        answers, pieces = {}, {}
        for name, cell in self.master.cells.items():
            if not is_solution(cell):
                continue
            found = self.pieces.get(name, [])
            parts = [part for part in found if part.strip() and part.strip() != cell.source.strip()]
            parts = list(dict.fromkeys(parts))[-20:]
            if len(parts) > 1:
                pieces[name] = tuple(parts)
                answers[name] = "\n".join(parts)
            elif found:
                answers[name] = parts[0] if parts else found[-1]
            if name not in self.seen:
                self.unplaced.add(name)
                self.remarks.append(f"Cell '{name}' is missing from the submission.")
            elif self.seen[name] > 1:
                self.remarks.append(
                    f"Cell '{name}' is there {self.seen[name]} times; all of them are read, in their order."
                )
                self.unplaced.add(name)
        if self.unknown:
            names = ", ".join(f"'{plain(name)}'" for name in sorted(self.unknown)[:5])
            self.remarks.append(
                f"Cells that this assignment does not have (an older release, or another one?): {names}."
            )
        if self.own:
            self.remarks.append("The code cells that you added were run with your answers, where they stand.")
        return answers, pieces


_HIDDEN = re.compile(r"^### BEGIN HIDDEN TESTS.*?^### END HIDDEN TESTS[^\n]*\n?", re.DOTALL | re.MULTILINE)


def _visible(source):
    """Return the text of a cell as it was released."""
    return _HIDDEN.sub("", source).strip() if "BEGIN HIDDEN TESTS" in source else source.strip()


def _source_of(cell):
    source = _get(cell, "source")
    source = _get(cell, "input") if source is None else source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    return source.encode("utf-8", "replace").decode().replace("\x00", "") if isinstance(source, str) else None


def rebuild(master, submission):
    """Return the instructor's notebook with the answers of a submission in it.

    Free text is made harmless (`neutralise`); remarks stand in a cell of their own on top.
    """
    notebook = copy.deepcopy(master.notebook)
    for cell in notebook.cells:
        name = grade_id(cell)
        if name in submission.answers and is_solution(cell):
            answer = submission.answers[name]
            cell.source = answer if cell.cell_type == "code" else _keep_stub(neutralise(answer), cell.source)
            if name in submission.pieces and cell.cell_type == "code":
                cell.metadata.setdefault("acme", {})["pieces"] = list(submission.pieces[name])
    _insert_own(notebook, submission.own)
    remarks = list(submission.remarks)
    if submission.unreadable:
        remarks.insert(0, f"This submission could not be read: {submission.unreadable}. Your teacher has been told.")
    if remarks:
        text = "\n".join(["**Remarks of the grader**", "", *(f"- {neutralise(remark)}" for remark in remarks)])
        cell = nbformat.v4.new_markdown_cell(text, id="acme-remarks")
        cell.metadata["deletable"] = cell.metadata["editable"] = False
        notebook.cells.insert(0, cell)
    notebook.metadata["acme"] = {
        "submission": submission.sha256,
        "unreadable": submission.unreadable,
        "unplaced": sorted(submission.unplaced),
        "foreign": submission.foreign,
    }
    return notebook


def _insert_own(notebook, own):
    """Put the student's own code cells where they stood, each marked as such."""
    after = {}
    for number, (place, source) in enumerate(own):
        cell = nbformat.v4.new_code_cell(source, id=f"acme-own-{number}")
        cell.metadata["acme"] = {"own": True}
        after.setdefault(place, []).append(cell)
    cells = list(after.get("", []))
    for cell in notebook.cells:
        cells += [cell, *after.get(grade_id(cell) or None, [])]
    notebook.cells = cells


def _keep_stub(answer, stub):
    return stub if answer.strip() == neutralise(stub).strip() else answer

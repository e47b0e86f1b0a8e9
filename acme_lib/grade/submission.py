"""What came in, and what of it counts: the answers, taken by their ids and put into the instructor's own notebook.

A submitted file is read as hostile data: `read_submission` opens no link, parses no more than it must and never fails;
what it cannot use it says in words. `rebuild` puts the answers into the notebook of the source, so that nothing else of
the submission (tags, points, metadata, outputs, attachments, kernels, cells that were added, retyped, moved or deleted)
is ever looked at, run or shown.
"""

import copy
import functools
import hashlib
import io
import json
import os
import re
import stat
import struct
import symtable
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import nbformat

from acme_lib.errors import GradingError
from acme_lib.grade.personal import compare_marks

MAX_FILE = 20 * 2**20  # bytes of a submitted notebook
MAX_ANSWER = 200_000  # characters of one answer
MAX_ARCHIVE = 48 * 2**20  # bytes of an archive, packed and unpacked
MAX_MEMBERS = 1_000  # files in it
MAX_VALUES = 3_000_000  # lists, dicts and commas of a notebook
MAX_CELLS = 5_000
MAX_OWN_CELLS = 300  # code cells of the student's own that are run
MAX_OWN = 1_000_000  # characters of all of them


@dataclass(frozen=True)
class Master:
    """The instructor's notebook: what is graded, and with what.

    Attributes
    ----------
    name : str
        Of the notebook, without ``.ipynb``.
    notebook : NotebookNode
        The source without solutions, with the hidden tests, locked and with checksums. Not to be changed.
    asked, given : frozenset of str
        Names that the solutions define: what a student's code is asked for; and those that the instructor's open cells
        define, some of them with what the student wrote. No other name is ever asked for.
    forbidden : tuple of str
        What solutions may not use: all rooms of the library but those that a cell's metadata names
        (``acme: {allowed: [acme_lib.network]}``), and what it names besides (``acme: {forbidden: […]}``).
    sha256 : str
        Of the source file.
    made_for : dict or None
        The mark of the notebooks that may be handed in (`acme_lib.grade.personal.mark_of`).
    """

    name: str
    notebook: nbformat.NotebookNode = field(repr=False)
    asked: frozenset
    given: frozenset
    forbidden: tuple
    sha256: str
    made_for: dict | None = None

    @functools.cached_property
    def cells(self):
        """The cells with an id, by their id."""
        return {grade_id(cell): cell for cell in self.notebook.cells if grade_id(cell)}

    @functools.cached_property
    def points(self):
        """The points of every graded cell, by its id."""
        marked = (cell for cell in self.cells.values() if is_graded(cell))
        return {grade_id(cell): float(cell.metadata.nbgrader.points) for cell in marked}


def grade_id(cell):
    """Return the id of a cell for nbgrader, or None."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_solution(cell):
    """Whether the learner writes in this cell."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_graded(cell):
    """Whether this cell has points."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("grade") or meta.get("task"))


def load_master(path, config=None):
    """Read a notebook of ``solutions/``.

    Parameters
    ----------
    path : path
    config : traitlets.config.Config, optional
        nbgrader's, for the delimiters of solutions.

    Returns
    -------
    Master

    Raises
    ------
    GradingError
        If it is no notebook that nbgrader can release.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise GradingError(f"{path} cannot be read: {error}") from None
    return parse_master(text, Path(path).stem, config)


def parse_master(text, name, config=None):
    """Read the text of a notebook of ``solutions/`` (see `load_master`)."""
    from nbgrader.preprocessors import ClearOutput, ClearSolutions, ComputeChecksums, LockCells

    path = f"{name}.ipynb"
    try:
        notebook = nbformat.reads(text, as_version=4)
    except (ValueError, nbformat.ValidationError) as error:
        raise GradingError(f"{path} is no notebook: {error}") from None
    ids = [grade_id(cell) for cell in notebook.cells if grade_id(cell)]
    if len(set(ids)) != len(ids):
        raise GradingError(f"{path} has two cells with one id: {sorted({name for name in ids if ids.count(name) > 1})}")
    asked, given, allowed, forbidden = set(), set(), [], []
    for cell in notebook.cells:
        allowed += cell.metadata.get("acme", {}).get("allowed", [])
        forbidden += cell.metadata.get("acme", {}).get("forbidden", [])
        if cell.cell_type == "code" and is_solution(cell):
            asked |= bound_names(_as_python(cell.source))
        elif cell.cell_type == "code" and not is_graded(cell):
            given |= bound_names(_as_python(cell.source))
    for step in (LockCells, ClearSolutions, ClearOutput, ComputeChecksums):
        notebook, _ = step(config=config).preprocess(notebook, {})
    return Master(
        name=name,
        notebook=notebook,
        asked=frozenset(asked),
        given=frozenset(given),
        forbidden=tuple(dict.fromkeys([*_closed_rooms(allowed), *forbidden])),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        made_for=notebook.metadata.get("acme", {}).get("made_for"),
    )


def _closed_rooms(allowed):
    """Return the packages of the library that an exercise does not name; of this one the far side itself is made."""
    library = Path(__file__).parents[1]
    rooms = [f"acme_lib.{path.parent.name}" for path in sorted(library.glob("*/__init__.py"))]
    if unknown := set(allowed) - set(rooms):
        raise GradingError(f"allowed must name rooms of the library ({', '.join(rooms)}), got {', '.join(unknown)}")
    return [room for room in rooms if room not in allowed and room != "acme_lib.grade"]


def _as_python(source):
    """Return a cell of the instructor without what only a notebook understands."""
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def bound_names(source):
    """Return the names that a cell of the instructor defines at its top level; not those that it imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = symtable.symtable(source, "cell", "exec")
        except (SyntaxError, ValueError):
            return set()
    return {name.get_name() for name in table.get_symbols() if name.is_assigned() and not name.is_imported()}


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


def read_bytes(path, max_bytes=MAX_FILE):
    """Return the bytes of a submitted notebook and why they are unreadable (empty where they are not).

    Where the file is missing and its folder holds one archive (``.zip``, ``.tar``, ``.tar.gz``) with a notebook of that
    name, its bytes are taken from there; nothing is unpacked to the disk.
    """
    path = Path(path)
    if is_behind_link(path.parent):
        return b"", "the folder is a symbolic link, and links are not followed"
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return _read_from_archive(path, max_bytes)
    except (OSError, ValueError) as error:
        return b"", f"the file cannot be opened ({error})"
    if stat.S_ISLNK(found.st_mode):
        return b"", "the file is a symbolic link, and links are not followed"
    if not stat.S_ISREG(found.st_mode):
        return b"", "this is no ordinary file"
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            return _judge_bytes(file.read(max_bytes + 1), max_bytes)
    except OSError as error:
        return b"", f"the file cannot be opened ({error.strerror})"


def is_behind_link(folder):
    """Return whether a submitted folder, or the student's around it, is a symbolic link."""
    folder = Path(folder)
    return folder.is_symlink() or folder.parent.is_symlink()


def read_timestamp(folder):
    """Read the time stamp of a submission, ``timestamp.txt``.

    Returns
    -------
    time : str or None
        In UTC, as nbgrader reads it; None where there is no time that can be trusted.
    problem : str
        Why, where there is a file; a person has to say then whether the submission is late.
    """
    path = Path(folder) / "timestamp.txt"
    try:
        found = os.lstat(path)
    except OSError:
        return None, ""
    if is_behind_link(folder) or not stat.S_ISREG(found.st_mode) or found.st_size > 200:
        return None, "timestamp.txt is no small ordinary file"
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8").strip("\ufeff \t\r\n")
        return f"{parse_timestamp(text):%Y-%m-%d %H:%M:%S.%f} UTC", ""
    except UnicodeDecodeError:
        return None, "timestamp.txt is no text in UTF-8"
    except OSError as error:
        return None, f"timestamp.txt cannot be opened ({error.strerror})"
    except (ValueError, OverflowError) as error:
        return None, f"timestamp.txt cannot be read: {error}"


_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\s*(.*)", re.DOTALL)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?")


def parse_timestamp(text):
    """Return the time that a text such as ``2027-03-28 23:59:00 Europe/Zurich`` names, in UTC and without a zone.

    A zone is ``UTC``, ``Z``, an offset such as ``+0100``, or a place; a time without one is in UTC, as for nbgrader.
    Abbreviations such as ``PST`` are refused: they mean different things in different places.
    """
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"{_plain(text)!r} is no time such as 2027-03-28 23:59:00 UTC")
    moment, zone = datetime.fromisoformat(f"{match[1]} {match[2]}"), match[3].strip()
    if zone in ("", "UTC", "GMT", "Z"):
        return moment
    if offset := _OFFSET.fullmatch(zone):
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return moment - shift if offset[1] == "+" else moment + shift
    try:
        if "/" not in zone:
            raise ValueError
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{_plain(zone)!r} is no time zone that is clear; write an offset such as +0100, or Europe/Zurich"
        ) from None
    return moment.replace(tzinfo=place).astimezone(UTC).replace(tzinfo=None)


def _judge_bytes(data, max_bytes):
    if len(data) > max_bytes:
        return data, f"the file is larger than {max_bytes / 2**20:.0f} MB; hand in the notebook without its outputs"
    return data, "" if data.strip() else "the file is empty"


def _read_from_archive(path, max_bytes):
    folder = path.parent
    archives = []
    if folder.is_dir() and not folder.is_symlink():
        ends = (".zip", ".tar", ".tar.gz", ".tgz")
        archives = [p for p in sorted(folder.iterdir()) if p.name.lower().endswith(ends) and not p.is_symlink()]
    if not archives:
        return b"", "there is no file of this name"
    if len(archives) > 1:
        return b"", "there are several archives; hand in the notebook itself"
    try:
        with open(archives[0], "rb") as file:
            data = file.read(MAX_ARCHIVE + 1)
        if len(data) > MAX_ARCHIVE:
            raise _Unreadable(f"it is larger than {MAX_ARCHIVE >> 20} MB")
        read = _zip_members if archives[0].name.lower().endswith(".zip") else _tar_members
        found = list(read(data, path.name, max_bytes))
    except _Unreadable as problem:
        return b"", f"the archive cannot be read ({problem}); hand in the notebook itself"
    except Exception as error:  # an archive may be broken in any way
        return b"", f"the archive cannot be read ({type(error).__name__})"
    if len(found) != 1:
        return b"", f"the archive holds {len(found)} notebooks of this name; hand in the notebook itself"
    return _judge_bytes(found[0], max_bytes)


class _Unreadable(Exception):
    """Why an archive is not read, in words."""


def _is_named(path, name):
    return re.split(r"[/\\]", path)[-1] == name


def _zip_members(data, name, max_bytes):
    """Yield the bytes of the files of this name in a zip archive, wherever they lie in it; links are passed over.

    What `zipfile` reads before anyone can ask is bounded first: the list of names. Members are stored or deflated:
    the other methods unpack without an end in sight.
    """
    import zipfile

    end = data.rfind(b"PK\x05\x06", max(len(data) - 65_557, 0))
    if end < 0 or len(data) < end + 22:
        raise _Unreadable("it has no end, or was cut short")
    if data[max(end - 20, 0) : end].startswith(b"PK\x06\x07"):
        raise _Unreadable("it has the form for archives of many gigabytes")
    members, size = struct.unpack_from("<HI", data, end + 10)
    if members > MAX_MEMBERS or size > 1000 * MAX_MEMBERS:
        raise _Unreadable(f"it holds more than {MAX_MEMBERS:,} files")
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        for member in file.infolist()[:MAX_MEMBERS]:
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            if member.is_dir() or is_link or not _is_named(member.filename, name):
                continue
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _Unreadable("it is compressed by a method that is not usual")
            with file.open(member) as opened:
                yield opened.read(max_bytes + 1)


def _tar_members(data, name, max_bytes):
    """Yield the bytes of the files of this name in a tar archive, plain or by gzip; links are passed over."""
    import gzip
    import tarfile

    stream = io.BytesIO(data)
    if data[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=stream)
    with tarfile.open(fileobj=_Bounded(stream, MAX_ARCHIVE), mode="r|", tarinfo=_plain_member()) as file:
        for count, member in enumerate(file):
            if count >= MAX_MEMBERS:
                raise _Unreadable(f"it holds more than {MAX_MEMBERS:,} files")
            if member.isreg() and not member.issparse() and _is_named(member.name, name):
                yield file.extractfile(member).read(max_bytes + 1)


def _plain_member():
    """Return a kind of tar members whose extended headers and long names are short, and not without number."""
    import tarfile

    class Member(tarfile.TarInfo):
        def _proc_member(self, file):
            if self.type in (b"x", b"g", b"X", b"L", b"K"):
                file.special = getattr(file, "special", 0) + 1
                if self.size > 65_536 or file.special > 2 * MAX_MEMBERS:
                    raise _Unreadable("its names are too long")
            return super()._proc_member(file)

    return Member


class _Bounded:
    """A file to read from that ends with an error where it is longer than allowed."""

    def __init__(self, file, limit):
        self._file, self._left = file, limit

    def read(self, size):
        """Return the next bytes."""
        found = self._file.read(min(size, self._left + 1))
        self._left -= len(found)
        if self._left < 0:
            raise _Unreadable(f"unpacked, it is larger than {MAX_ARCHIVE >> 20} MB")
        return found


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
            names = ", ".join(f"'{_plain(name)}'" for name in sorted(self.unknown)[:5])
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


def _plain(text, length=60):
    return "".join(c for c in text[:length] if c.isalnum() or c in " _-.")


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


_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?=[(:\[])")
_ADDRESS = re.compile(r"(?i)\b(https?|ftp):(?=//)")  # becomes a live link by itself
_TEX = re.compile(
    r"\\(?=(?:href|url|require|class|style|cssId|data|html\w*|unicode|includegraphics|mmlToken|texttip|mathtip|toggle|"
    r"def|edef|gdef|let|newcommand|renewcommand|newenvironment|renewenvironment|csname|catcode|char)(?![a-z]))"
)


def neutralise(text):
    """Return Markdown that can only be text and mathematics: no HTML, no links, no images, no macros with effects.

    A blank after ``<``, ``]`` and ``https:`` is all it takes for the first two: neither HTML nor Markdown then reads a
    tag or a link there. Mathematics and code stay as they are for the reader.

    Examples
    --------
    >>> from acme_lib.grade.submission import neutralise
    >>> neutralise("$a<b$ <img src=x onerror=alert(1)> [click](javascript:alert(1))")
    '$a< b$ < img src=x onerror=alert(1)> [click] (javascript:alert(1))'
    """
    text = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
    return _ADDRESS.sub(r"\1: ", _TEX.sub(r"\\ ", _LINK.sub("] ", _TAG.sub("< ", text))))

"""From an LMS's zip of all submissions to ``submitted/STUDENT/ASSIGNMENT/``, and names of students to the gradebook.

Moodle (*Download all submissions*) names a file ``Full Name_PARTICIPANT_assignsubmission_file/x.ipynb`` (once with
``file_``), and without folders ``Full Name_PARTICIPANT_assignsubmission_file_x.ipynb``; the number is that of the
grading worksheet. Canvas (*Download Submissions*) names it ``lastnamefirstname_LATE_USER_SUBMISSION_x.ipynb``; the
user's number is the ID of the gradebook export, and a file that was handed in again gets ``-1``, ``-2`` … at its end.

When something was handed in, neither zip tells: the time of a file in it is that of the download. Moodle's worksheet
does, in a column that is made for reading; Canvas marks who is late, and no more.

The zip holds names and files of students: it is read as such. Nothing is unpacked but notebooks and archives, up to the
size that is graded, under names of our own.

References
----------
``mod/assign/classes/downloader.php`` and ``mod/assign/gradingtable.php`` of Moodle;
``lib/content_zipper.rb`` of Canvas LMS.
"""

import glob
import re
import stat
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from acme_lib.checks import readable
from acme_lib.errors import GradebookError
from acme_lib.files import write_whole
from acme_lib.grade.late import find_zone, to_utc
from acme_lib.grade.submitted_file import MAX_FILE, is_behind_link
from acme_lib.grade.timestamp import read_timestamp
from acme_lib.report.exports import KEYS
from acme_lib.teach.receipt import hash_file

_MOODLE = re.compile(
    r"(?P<name>[^/]*?)_(?P<number>\d+)_assignsubmission_(?P<plugin>file|onlinetext)(?:_?/|_)(?P<file>.+)"
)
_CANVAS = re.compile(r"(?P<name>[^/_]*)_(?P<late>LATE_)?(?P<number>\d+)_(?P<submission>\d+)_(?P<file>[^/]+)")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_SUBMITTED = "Last modified (submission)"
# How Moodle writes a time in English, of the United States and of elsewhere.
_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%A, %B %d, %Y, %I:%M %p")
MAX_MEMBERS = 100_000


@dataclass(frozen=True)
class Member:
    """A file of a submission in the zip."""

    platform: str
    number: str
    name: str
    file: str
    late: bool
    info: zipfile.ZipInfo


@dataclass(frozen=True)
class Collected:
    """What `collect_submissions` did; students are named by the ids of the course.

    Attributes
    ----------
    new, changed, unchanged : tuple of str
        Students whose files are new, replaced others, or were there already.
    late : tuple of str
        Whom the platform marks as late.
    unknown : tuple of str
        Submissions, as the zip names them, of nobody in the roster: not collected.
    odd : tuple of str
        Files that were not taken, or taken under another name, in words.
    """

    new: tuple = ()
    changed: tuple = ()
    unchanged: tuple = ()
    late: tuple = ()
    unknown: tuple = ()
    odd: tuple = ()

    def describe(self):
        """Return lines for the terminal."""
        lines = [f"{len(self.new)} new, {len(self.changed)} changed, {len(self.unchanged)} unchanged submissions"]
        for name, purpose in {
            "late": "marked as late by the platform (write timestamp.txt, or take points off by hand)",
            "unknown": "not in the roster: not collected",
            "odd": "files to look at",
        }.items():
            if found := getattr(self, name):
                lines.append(f"{len(found)} {purpose}:")
                quote = "" if name == "odd" else "'"
                lines += [f"  {quote}{readable(one)}{quote}" for one in found]
        return lines


def read_members(archive):
    """Sort the files of a zip by submission.

    Returns
    -------
    members : list of Member
    odd : list of str
        Files that have no name of Moodle or Canvas.
    """
    members, odd = [], []
    if len(archive.infolist()) > MAX_MEMBERS:
        raise GradebookError(f"the zip holds more than {MAX_MEMBERS:,} files: is it the one of the platform?")
    for info in archive.infolist():
        if info.is_dir():
            continue
        path = info.filename.replace("\\", "/")
        tail = path.rpartition("/")[2]
        if moodle := _MOODLE.search(path):
            if moodle["plugin"] == "file":  # the other is a text typed into Moodle
                file = moodle["file"].rpartition("/")[2]
                members.append(Member("moodle", moodle["number"], moodle["name"], file, False, info))
        elif canvas := _CANVAS.fullmatch(tail):
            late = bool(canvas["late"])
            members.append(Member("canvas", canvas["number"], canvas["name"], canvas["file"], late, info))
        else:
            odd.append(f"{path}: its name is neither of Moodle nor of Canvas")
    if len({member.platform for member in members}) > 1:
        raise GradebookError("the zip has names of Moodle and of Canvas: collect each platform's own")
    return members, odd


def find_people(roster, match=None):
    """Return by the platform's number: the id in the course, and what the gradebook may know of the person.

    Parameters
    ----------
    roster : Roster
        Moodle's grading worksheet, or Canvas's gradebook export.
    match : str, optional
        The column that holds the course's ids; by default the first of those usual there.
    """
    canvas = {"ID", "Section"} <= set(roster.columns)
    column = match or next((name for name in KEYS["canvas" if canvas else "moodle"] if name in roster.columns), None)
    if column not in roster.columns:
        raise GradebookError(f"{roster.path} has no column {column!r}; it has {', '.join(roster.columns)}")
    people = {}
    for row in roster.rows:
        number = re.search(r"\d+", row.get("ID" if canvas else "Identifier", ""))
        student = row[column].strip()
        if number is None or not student:
            continue
        people[number[0]] = (student, _describe(row, canvas))
    if not people:
        raise GradebookError(
            f"{roster.path} lists nobody: expected Moodle's grading worksheet or Canvas's gradebook export"
        )
    ids = [student for student, _ in people.values()]
    if twice := sorted({student for student in ids if ids.count(student) > 1}):
        raise GradebookError(f"{roster.path}: {', '.join(map(readable, twice))} stands twice in the column {column!r}")
    return column, people


def find_ids(roster, match=None):
    """Return the column that holds the course's ids, and the ids, of a roster of a platform or of any CSV file.

    Parameters
    ----------
    roster : Roster
    match : str, optional
        The column; may be left out where `find_people` knows it.
    """
    if {"ID", "Section"} <= set(roster.columns) or "Identifier" in roster.columns:
        column, people = find_people(roster, match)
        return column, [student for student, _ in people.values()]
    if match not in roster.columns:
        columns = ", ".join(roster.columns)
        raise GradebookError(f"say with --match which column of {roster.path} holds the ids; it has {columns}")
    ids = [row[match].strip() for row in roster.rows if row[match].strip()]
    if not ids or len(set(ids)) < len(ids):
        raise GradebookError(f"the column {match!r} of {roster.path} must hold ids, each once")
    return match, ids


def find_times(roster, timezone="UTC"):
    """Return by the platform's number when a submission was handed in, as ``timestamp.txt`` has it, where that stands.

    Parameters
    ----------
    roster : Roster
        Moodle's grading worksheet; Canvas's gradebook export has no times.
    timezone : str
        Of who downloaded the worksheet.

    Returns
    -------
    times : dict of str to str
        In UTC, to the minute.
    odd : list of str
        Times that could not be read.
    """
    zone, times, odd = find_zone(timezone), {}, []
    for row in roster.rows:
        number, text = re.search(r"\d+", row.get("Identifier", "")), " ".join(row.get(_SUBMITTED, "").split())
        if number is None or text in ("", "-"):
            continue
        for form in _TIMES:
            try:
                times[number[0]] = f"{to_utc(datetime.strptime(text, form), zone):%Y-%m-%d %H:%M:%S} UTC"
                break
            except (ValueError, OverflowError):
                pass
        else:
            odd.append(f"{row['Identifier']}: {text!r} cannot be read as a time; write timestamp.txt")
    return times, odd


def _describe(row, canvas):
    last, first = row.get("LastName", ""), row.get("FirstName", "")
    if not last and "," in row.get("Student", ""):
        last, _, first = row["Student"].partition(",")
    if not last and row.get("Full name"):
        first, _, last = row["Full name"].strip().rpartition(" ")
    return {
        "first_name": first.strip() or None,
        "last_name": last.strip() or None,
        "email": row.get("Email address", "").strip() or None,
        "lms_user_id": (row.get("ID" if canvas else "ID number") or "").strip() or None,
    }


def collect_submissions(path, assignment, coursedir, notebooks, *, people=None, times=None):
    """Write the submissions of a zip into ``submitted/``; what is there already stays, unless it has changed.

    Parameters
    ----------
    path : path
        The zip from the platform.
    assignment : str
    coursedir : nbgrader.coursedir.CourseDirectory
    notebooks : sequence of str
        Names of the assignment's notebooks, without ``.ipynb``.
    people : dict, optional
        From `find_people`; without it the platform's numbers are the students' ids.
    times : dict, optional
        From `find_times`: written with what is new or has changed, as ``timestamp.txt``.

    Returns
    -------
    Collected

    Raises
    ------
    GradebookError
        If it is no zip of submissions.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members, odd = read_members(archive)
            if not members:
                raise GradebookError(f"{path} holds no submission of Moodle or Canvas")
            return _collect(archive, members, odd, assignment, coursedir, notebooks, people, times or {})
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise GradebookError(f"{path} cannot be read as a zip file: {error}") from None


def _collect(archive, members, odd, assignment, coursedir, notebooks, people, times):
    by_number = {}
    for member in members:
        by_number.setdefault(member.number, []).append(member)
    done, late, unknown = {"new": [], "changed": [], "unchanged": []}, [], []
    for number, files in sorted(by_number.items()):
        student = people.get(number, (None,))[0] if people else number
        if student is None:
            unknown.append(f"{files[0].name} ({number})")
            continue
        if Path(student).name != student or student.startswith(".") or not student.isprintable():
            odd.append(f"{student}: an id that can be no name of a folder")
            continue
        if any(member.late for member in files):
            late.append(student)
        folder = Path(coursedir.format_path(coursedir.submitted_directory, student, assignment))
        states = set()
        for name, member in _name_files(files, notebooks, odd):
            if member.info.file_size > MAX_FILE or stat.S_ISLNK(member.info.external_attr >> 16):
                odd.append(f"{member.info.filename}: too large, or a link; not taken")
                continue
            with archive.open(member.info) as opened:
                data = opened.read(MAX_FILE + 1)
            target = folder / name
            before = target.read_bytes() if target.is_file() else None
            if before != data:
                write_whole(target, data)
            states.add("unchanged" if before == data else "new" if before is None else "changed")
        if states:
            state = "changed" if len(states) > 1 or "changed" in states else states.pop()
            done[state].append(student)
            stamp = folder / "timestamp.txt"
            # one that stands there already may be a person's: it stays with what it was written for
            if number in times and (state != "unchanged" or not stamp.exists()):
                write_whole(stamp, f"{times[number]}\n")
            elif state == "changed" and stamp.exists():
                odd.append(f"{student}: timestamp.txt is that of an earlier version")
        else:
            odd.append(f"{student}: no notebook and no archive in the submission")
    return Collected(*(tuple(done[state]) for state in done), tuple(late), tuple(unknown), tuple(odd))


def list_receipts(assignment, coursedir):
    """Return columns and rows of a table of what lies in ``submitted/``, with the hash that `acme receipt` prints.

    Parameters
    ----------
    assignment : str
    coursedir : nbgrader.coursedir.CourseDirectory

    Returns
    -------
    columns : list of str
    rows : list of dict
        One for each notebook or archive that arrived, by student; a link is none.
    """
    rows = []
    submitted = Path(coursedir.format_path(coursedir.submitted_directory, "_", assignment)).parent.parent
    for path in sorted(submitted.glob(f"*/{glob.escape(assignment)}/*")):
        folder, known = path.parent, path.name.lower().endswith((".ipynb", *_ARCHIVES))
        if not known or path.is_symlink() or not path.is_file() or is_behind_link(folder):
            continue
        digest, size = hash_file(path)
        row = {"student": readable(folder.parent.name), "file": readable(path.name), "bytes": str(size)}
        rows.append(row | {"sha256": digest, "handed in": read_timestamp(folder)[0] or ""})
    return ["student", "file", "bytes", "sha256", "handed in"], rows


def _name_files(files, notebooks, odd):
    """Yield under which name each file is graded: that of a notebook of the assignment, or an archive's own."""
    taken = {}
    for member in sorted(files, key=lambda one: one.info.filename):
        lower = member.file.lower()
        if lower.endswith(_ARCHIVES):
            taken.setdefault(f"submission{next(end for end in reversed(_ARCHIVES) if lower.endswith(end))}", []).append(
                member
            )
            continue
        if not lower.endswith(".ipynb"):
            odd.append(f"{member.info.filename}: no notebook; not taken")
            continue
        stem = member.file[: -len(".ipynb")]
        plain = re.sub(r"[ _-]*(\(\d+\)|-\d+)$", "", stem)  # handed in again, or downloaded twice
        name = next((known for known in notebooks if known in (stem, plain)), None)
        if name is None and len(notebooks) == 1:
            name = notebooks[0]
            odd.append(f"{member.info.filename}: taken as {name}.ipynb")
        if name is None:
            odd.append(f"{member.info.filename}: no notebook of the assignment has this name; not taken")
            continue
        taken.setdefault(f"{name}.ipynb", []).append(member)
    for name, candidates in taken.items():
        if len(candidates) > 1:
            odd.append(f"{candidates[0].number}: {len(candidates)} files for {name}; the last handed in is taken")
        yield name, max(candidates, key=lambda one: (one.info.date_time, one.info.filename))

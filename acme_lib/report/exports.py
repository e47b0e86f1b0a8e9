"""Grades for Canvas and Moodle, in the files that these import.

Each platform has numbers of its own for students and assignments, so that an export goes through a file that the
platform gave out: Canvas's gradebook (Grades → Export), Moodle's grading worksheet of an assignment (Download grading
worksheet), or for Moodle's gradebook a list of participants. Nobody is left out without being named, and no cell begins
with what a spreadsheet would run.

References
----------
The formats are those of the importers themselves: ``lib/gradebook_importer.rb`` of Canvas LMS;
``mod/assign/feedback/offline/importgradeslib.php`` and ``grade/import/csv/classes/load_data.php`` of Moodle.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from acme_lib.checks import readable
from acme_lib.errors import GradebookError

CANVAS_COLUMNS = (
    "Student",
    "LastName",
    "FirstName",
    "ID",
    "SIS User ID",
    "SIS Login ID",
    "Integration ID",
    "Root Account",
    "Section",
)
WORKSHEET_COLUMNS = (
    "Identifier",
    "Full name",
    "Email address",
    "ID number",
    "Username",
    "Status",
    "Grade",
    "Maximum grade",
    "Grade can be changed",
    "Last modified (submission)",
    "Last modified (grade)",
)
MOODLE_IDENTIFIERS = ("Username", "ID number", "Email address")
KEYS = {
    "canvas": ("SIS Login ID", "SIS User ID", "ID", "Integration ID"),
    "moodle": (*MOODLE_IDENTIFIERS, "Identifier"),
}
_NUMBER = re.compile(r"-|[+-]?\d+(?:[.,]\d+)?")  # "-" is Moodle's word for no grade


@dataclass(frozen=True)
class Roster:
    """A list of students as a platform gave it out: its columns and rows."""

    path: Path
    columns: tuple
    rows: tuple = field(repr=False)  # one dict a row, by column


@dataclass(frozen=True)
class Export:
    """A file of grades, and by name all who are not in it as one would expect.

    Attributes
    ----------
    text : str
        The CSV file.
    exported : tuple of str
        Students (ids of the gradebook) with a grade in it.
    not_listed : tuple of str
        Students with a grade whom the platform's list does not hold: their grade is not in the file.
    not_graded : tuple of str
        Students whose work still has to be graded by hand, in part: no grade in the file.
    not_submitted : tuple of str
        Students who handed nothing in: no grade in the file, or 0 where that was asked for.
    above : tuple of str
        Students with more points than the platform takes: no grade in the file.
    unknown : tuple of str
        Rows of the list, by name, that belong to no student of the gradebook; they are left as they are.
    column : str
        Of the list, by which students were found; empty without a list.
    """

    text: str
    exported: tuple
    not_listed: tuple = ()
    not_graded: tuple = ()
    not_submitted: tuple = ()
    unknown: tuple = ()
    above: tuple = ()
    column: str = ""

    @property
    def complete(self):
        """Whether every student with graded work is in the file, and all work is graded."""
        return not (self.not_listed or self.not_graded or self.above)

    def describe(self):
        """Return lines that name whoever is missing."""
        purposes = {
            "not_listed": "not in the platform's list, so that their grades are not in the file",
            "not_graded": "with work still to be graded by hand: no grade in the file",
            "above": "with more points than the platform's maximum: no grade in the file",
            "not_submitted": "who handed nothing in",
            "unknown": "in the platform's list but not in the gradebook",
        }
        lines = [f"{len(self.exported)} grades"]
        if self.column:
            lines.append(f"students were found by the column {_quote(self.column)} of the platform's list")
        for name, purpose in purposes.items():
            who = getattr(self, name)
            if who:
                lines.append(f"{len(who)} {purpose}: {', '.join(map(_quote, who))}")
        return lines


def read_roster(path):
    """Read a CSV file that a platform gave out.

    Raises
    ------
    GradebookError
        If it cannot be read, has a column twice, or rows of unequal length.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GradebookError(f"the list of students cannot be read: {error}") from None
    text = _decode(data)
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)  # Canvas and Moodle write ; or tabs where that is set
    try:
        table = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(row)]
    except csv.Error as error:
        raise GradebookError(f"{path} cannot be read as CSV: {error}") from None
    if not table:
        raise GradebookError(f"{path} is empty; expected a list of students from Canvas or Moodle")
    columns = tuple(name.strip() for name in table[0])
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise GradebookError(f"{path} has the column {', '.join(twice)} twice")
    for number, row in enumerate(table[1:], start=2):
        if len(row) != len(columns):
            raise GradebookError(f"{path}: row {number} has {len(row)} cells, the header has {len(columns)}")
    return Roster(path, columns, tuple(dict(zip(columns, row, strict=True)) for row in table[1:]))


def _decode(data):
    """Return a file as text: UTF-8, UTF-16 with its mark, or what Western spreadsheets write (Windows-1252)."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def export_canvas(marks, roster, *, column=None, match=None, missing="", scale=False):
    """Write grades for Canvas (Grades → Import).

    The file holds Canvas's columns of the students and one column of grades, so that the import changes nothing else.

    Parameters
    ----------
    marks : Marks
    roster : Roster
        From Canvas (Grades → Export).
    column : str, optional
        Column of the assignment in Canvas: its name, its number, or both as ``Name (number)``. By default the name of
        `marks`; Canvas offers to make a new assignment where it has none of that name.
    match : str, optional
        The roster's column that holds the ids of the gradebook. By default the one, of login, SIS id and id, that
        knows most of the students by their id, number or e-mail address.
    missing : str
        What stands for work that was not handed in: nothing, or ``"0"``.
    scale : bool
        Whether to scale the points where Canvas has another maximum.

    Returns
    -------
    Export

    Raises
    ------
    GradebookError
        If the roster is none of Canvas's; if students and rows cannot be told apart; if the maximum differs.
    """
    if not {"ID", "Section"} <= set(roster.columns) or roster.columns[0] not in ("Student", "LastName"):
        raise GradebookError(
            f"{roster.path} is no gradebook of Canvas: its columns start with Student, ID, …, Section; "
            f"got {', '.join(roster.columns[:6])}"
        )
    students = [row for row in roster.rows if not _is_canvas_note(row)]
    for row in students:
        if not re.fullmatch(r"\d+(?:\.0+)?|", row["ID"].strip()):
            raise GradebookError(f"{roster.path}: the ID {row['ID']!r} of {_name(row)} is no number of Canvas")
    title = _find_canvas_column(roster, column or marks.assignment)
    points = next((row for row in roster.rows if "Points Possible" in next(iter(row.values()))), {})
    maximum = _read_number(points.get(title, ""), roster.path, "the points possible")
    factor = _find_factor(marks, maximum, scale, "Canvas")
    by, found = _match(marks, students, KEYS["canvas"], match, roster.path)
    grades, export = _find_grades(marks, found, students, factor, missing)
    columns = [name for name in roster.columns if name in CANVAS_COLUMNS]
    header_points = {columns[0]: "    Points Possible", title: _number(maximum if maximum else marks.max_score)}
    rows = [header_points]
    rows += [{**row, title: grades.get(index, row.get(title, ""))} for index, row in enumerate(students)]
    return Export(write_csv([*columns, title], rows), column=by, **export)


def export_moodle(marks, *, roster=None, identifier="Username", match=None, missing="", scale=None):
    """Write grades of one or more assignments for Moodle's gradebook (Grades → Import → CSV file).

    In Moodle choose `identifier` as the column that maps to the user, and for each assignment its grade item or "new".

    Parameters
    ----------
    marks : sequence of Marks
    roster : Roster, optional
        A list of participants, or an export of grades, from Moodle. Without it the identifier is taken from the
        gradebook: the id of the student, or the e-mail address.
    identifier : {"Username", "ID number", "Email address"}
    match, missing
        As in `export_canvas`.
    scale : float, optional
        The maximum in Moodle to which the points of each assignment are scaled.

    Returns
    -------
    Export
        A student is in it who has a grade for one assignment at least; "-" stands for no grade.

    Raises
    ------
    GradebookError
        If an identifier is missing, stands twice, or would be run as a formula; Moodle imports all rows or none.
    """
    if identifier not in MOODLE_IDENTIFIERS:
        raise GradebookError(f"identifier must be one of {', '.join(MOODLE_IDENTIFIERS)}, got {identifier!r}")
    students = marks[0].students
    if any(one.students != students for one in marks):
        raise GradebookError("the assignments come from different gradebooks: their students differ")
    if roster is None:
        email = identifier == "Email address"
        rows = [{identifier: student.email if email else student.id, "Student": student.id} for student in students]
        by, found = "", {student.id: row for row, student in enumerate(students)}
    else:
        if identifier not in roster.columns:
            raise GradebookError(f"{roster.path} has no column {identifier!r}; it has {', '.join(roster.columns)}")
        rows = list(roster.rows)
        by, found = _match(marks[0], rows, KEYS["moodle"], match, roster.path)
    table, exports = {}, []
    for one in marks:
        factor = 1.0 if scale is None else scale / one.max_score
        grades, export = _find_grades(one, found, rows, factor, missing)
        exports.append(export)
        for index, grade in grades.items():
            table.setdefault(index, {})[one.assignment] = grade or "-"
    names = [one.assignment for one in marks]
    lines = []
    for index in sorted(index for index, grades in table.items() if any(grade != "-" for grade in grades.values())):
        key = rows[index][identifier].strip()
        if not key:
            raise GradebookError(f"{_name(rows[index])} has no {identifier.lower()}; choose another identifier")
        lines.append({identifier: key, **{name: table[index].get(name, "-") for name in names}})
    keys = [_fold(line[identifier]) for line in lines]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise GradebookError(f"more than one student has the {identifier.lower()} {', '.join(map(_quote, twice))}")
    if runs := [line[identifier] for line in lines if _would_run(line[identifier])]:
        raise GradebookError(
            f"a spreadsheet would run the {identifier.lower()} {', '.join(map(_quote, runs))} as a formula, and Moodle "
            "would not know it in quotes; choose another identifier"
        )
    joined = {name: _unite(export[name] for export in exports) for name in exports[0]}
    return Export(write_csv([identifier, *names], lines), column=by, **joined)


def export_worksheet(marks, roster, *, match=None, missing="", scale=False):
    """Fill in Moodle's grading worksheet of one assignment (Upload grading worksheet).

    Columns with texts, such as feedback comments, are left out: Moodle keeps what it has.

    Parameters
    ----------
    marks, match, missing, scale
        As in `export_canvas`.
    roster : Roster
        The worksheet, from Moodle (Download grading worksheet).

    Returns
    -------
    Export

    Raises
    ------
    GradebookError
        If the roster is no worksheet, or a grade of a student cannot be changed; otherwise as `export_canvas`.
    """
    names = {_fold(name): name for name in roster.columns}
    needed = ("Identifier", "Grade", "Last modified (grade)")
    if absent := [name for name in needed if _fold(name) not in names]:
        raise GradebookError(
            f"{roster.path} is no grading worksheet of Moodle: it has no column {', '.join(absent)}; "
            "choose “Download grading worksheet” in the assignment (with Moodle in English)"
        )
    rows = list(roster.rows)
    for row in rows:
        find_participant(row, roster.path)
    maxima = {row.get(names.get("maximum grade", ""), "").strip() for row in rows} - {""}
    if len(maxima) > 1:
        raise GradebookError(f"{roster.path} has more than one maximum grade: {', '.join(sorted(maxima))}")
    maximum = _read_number(next(iter(maxima), ""), roster.path, "the maximum grade")
    factor = _find_factor(marks, maximum, scale, "Moodle")
    by, found = _match(marks, rows, KEYS["moodle"], match, roster.path)
    grades, export = _find_grades(marks, found, rows, factor, missing)
    # Moodle leaves out a grade above its maximum: so does the file, and it says so.
    above = {index for index, grade in grades.items() if grade and maximum and float(grade) > maximum}
    grades = {index: grade for index, grade in grades.items() if index not in above}
    export["above"] = tuple(student for student, index in found.items() if index in above)
    export["exported"] = tuple(student for student in export["exported"] if student not in export["above"])
    changeable = names.get("grade can be changed", "")
    locked = [_name(rows[index]) for index, grade in grades.items() if grade and rows[index].get(changeable) == "No"]
    if locked:
        raise GradebookError(f"the grade of {', '.join(locked)} cannot be changed in Moodle: unlock it there")
    kept = {_fold(name) for name in WORKSHEET_COLUMNS}
    columns = [name for name in roster.columns if _fold(name) in kept]
    grade = names["grade"]
    filled = [{**row, grade: grades.get(index) or row[grade]} for index, row in enumerate(rows)]
    return Export(write_csv(columns, filled), column=by, **export)


def find_participant(row, path):
    """Return the number of a row of a grading worksheet, which stands at the end of ``Participant 123``."""
    match = re.fullmatch(r"\D*(\d+)", row.get("Identifier", "").strip())
    if not match:
        raise GradebookError(
            f"{path}: {row.get('Identifier', '')!r} is no identifier of Moodle, such as Participant 123"
        )
    return int(match[1])


def match_students(marks, roster, *, match=None):
    """Find the row of each student in a roster of Moodle.

    Returns
    -------
    dict of str to dict
        The row, by the student's id; who is not in the roster is not in it.
    """
    rows = list(roster.rows)
    _, found = _match(marks, rows, KEYS["moodle"], match, roster.path)
    return {student: rows[index] for student, index in found.items()}


def _is_canvas_note(row):
    """Whether a row of Canvas is about assignments: their points, or how they are posted."""
    cells = list(row.values())
    return "Points Possible" in cells[0] or all(
        re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell) for cell in cells
    )


def _find_canvas_column(roster, wanted):
    offered = [name for name in roster.columns if name not in CANVAS_COLUMNS]
    hits = []
    for name in offered:
        match = re.fullmatch(r"(.*) \((\d+)\)", name)
        if name == wanted or (match and wanted in (match[1].strip(), match[2])):
            hits.append(name)
    if len(hits) > 1:
        raise GradebookError(
            f"{roster.path} has more than one column for {wanted!r}: {', '.join(hits)}; name one of them"
        )
    if not hits and re.fullmatch(r"\d+|.* \(\d+\)", wanted):
        raise GradebookError(f"{roster.path} has no column {wanted!r}; it has {', '.join(offered) or 'none'}")
    if not hits and _would_run(wanted):
        raise GradebookError(f"a spreadsheet would run {wanted!r} as a formula; name the column otherwise")
    return hits[0] if hits else wanted


def _find_factor(marks, maximum, scale, platform):
    if maximum in (None, marks.max_score):
        return 1.0
    if not scale:
        raise GradebookError(
            f"{marks.assignment} has {marks.max_score:g} points here and {maximum:g} in {platform}: "
            "make them equal there, or ask for points that are scaled (--scale)"
        )
    return maximum / marks.max_score


def _match(marks, rows, columns, match, path):
    """Return the column that decides and the row of each student; who has two, or shares one, is named in an error.

    One column decides for all: that of `match`, else the one that knows most of the students (the first of several). An
    id that stands in another column is another person's.
    """
    available = [name for name in columns if rows and name in rows[0]]
    if match is not None:
        if rows and match not in rows[0]:
            raise GradebookError(f"{path} has no column {match!r}; it has {', '.join(rows[0])}")
        available = [match]
    hits = {name: _find_rows(marks, rows, name) for name in available}
    column = max(available, key=lambda name: sum(map(bool, hits[name].values())), default=None)
    found, problems = {}, []
    for student, places in hits.get(column, {}).items():
        if len(places) > 1:
            rivals = ", ".join(_name(rows[hit]) for hit in places)
            problems.append(f"{_quote(student)} fits {len(places)} rows: {rivals}")
        elif places:
            found[student] = places[0]
    sharing = {}
    for student, index in found.items():
        sharing.setdefault(index, []).append(student)
    problems += [
        f"the row of {_name(rows[index])} fits {', '.join(map(_quote, who))}"
        for index, who in sharing.items()
        if len(who) > 1
    ]
    if problems:
        raise GradebookError(
            f"{path}, column {column!r}: "
            + "; ".join(problems)
            + ". Remove what stands twice, or name the column that holds the ids (--match)"
        )
    return column or "", found


def _find_rows(marks, rows, column):
    """Return, for each student, the rows that hold the id (or the platform's number, or e-mail address) in a column."""
    places = {}
    for index, row in enumerate(rows):
        if row[column].strip():
            places.setdefault(_fold(row[column]), set()).add(index)
    keys = {student.id: {student.id, student.lms_id, student.email} for student in marks.students}
    return {
        student: sorted(set().union(*(places.get(_fold(key), set()) for key in known if key.strip())))
        for student, known in keys.items()
    }


def _find_grades(marks, found, rows, factor, missing):
    """Return the cell of each row that gets one, and who gets none and why."""
    grades, export = {}, {"exported": [], "not_listed": [], "not_graded": [], "not_submitted": []}
    for index, student in enumerate(marks.students):
        row = found.get(student.id)
        if not marks.submitted[index]:
            export["not_submitted"].append(student.id)
            if missing and row is not None:
                grades[row] = missing
        elif marks.ungraded[index].any():
            export["not_graded"].append(student.id)
        elif row is None:
            export["not_listed"].append(student.id)
        else:
            grades[row] = _number(marks.totals[index] * factor)
            export["exported"].append(student.id)
    known = set(found.values())
    export["unknown"] = [_plain_name(row) for index, row in enumerate(rows) if index not in known]
    return grades, {name: tuple(who) for name, who in export.items()}


def _unite(groups):
    return tuple(dict.fromkeys(one for group in groups for one in group))


def _name(row):
    """Return what a person calls a row, in quotes."""
    return _quote(_plain_name(row))


def _quote(name):
    return f"'{readable(name)}'"


def _plain_name(row):
    for name in ("Student", "Full name", "Username", "Email address", "ID number", "Identifier", "ID"):
        if row.get(name, "").strip():
            return row[name].strip()
    return " ".join(row[name] for name in ("FirstName", "LastName", "First name", "Surname") if row.get(name))


def _fold(text):
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _read_number(text, path, what):
    text = text.strip()
    if not text or "read only" in text:
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = np.nan
    if not np.isfinite(number) or number <= 0:
        raise GradebookError(f"{path}: {what} is {text!r}; expected a number above 0")
    return number


def _number(value):
    """Write points without an exponent, with the five decimals that Moodle keeps."""
    return f"{value:.5f}".rstrip("0").rstrip(".")


def write_csv(columns, rows):
    """Write CSV in which no spreadsheet finds a formula, whatever it takes for the separator: ``,``, ``;`` or tabs."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows([_harmless(row.get(name, "")) for name in columns] for row in rows)
    return stream.getvalue()


# Where a cell may begin for a spreadsheet: at the start, or after what it takes for a separator or the end of a row
# (not after a comma, which stands in quotes for those that separate by it, and for all others is no separator).
# Quotes do not help: they count for nothing inside what it reads as one cell, `5,"ivy;=1+1"` for one.
_CELLS = re.compile(r"([;\t\r\n]\s*)")


def _harmless(text):
    """Put an apostrophe before all that a spreadsheet would take for a formula."""
    if _NUMBER.fullmatch(text):
        return text
    parts = _CELLS.split(text)
    if text[:1] in ("\t", "\r", "\n"):
        parts[0] = "'"
    cells = [f"'{part}" if _begins_formula(part) else part for part in parts[::2]]
    return "".join(piece for pair in zip(cells, [*parts[1::2], ""], strict=True) for piece in pair)


def _begins_formula(cell):
    """Whether a cell begins as a formula (for some spreadsheets also with a wide ＝); a number does not."""
    first = unicodedata.normalize("NFKC", cell.lstrip()[:1])
    return bool(first) and first in "=+-@" and not _NUMBER.fullmatch(cell)


def _would_run(text):
    """Whether a spreadsheet takes a text, or a part of it, for a formula."""
    return _harmless(text) != text

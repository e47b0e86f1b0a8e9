"""Grades for Canvas and Moodle: the columns that they import, everyone named, nothing that a spreadsheet would run."""

import csv
import io
import re
import runpy
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from acme_lib.cli import main
from acme_lib.errors import GradebookError, MissingExtraError
from acme_lib.report.exports import export_canvas, export_moodle, export_worksheet, read_roster, write_csv
from acme_lib.report.marks import Marks, Question, Student, open_gradebook, read_marks

GRADEBOOKS = runpy.run_path(str(Path(__file__).with_name("gradebooks.py")))
opened, fill, write_config = GRADEBOOKS["opened"], GRADEBOOKS["fill"], GRADEBOOKS["write_config"]


CELLS = {"sheet": {"one": 4, "two": 6}, "essay": {"text": 30}}
STUDENTS = {
    "ada": {"first_name": "Ada", "email": "ada@uni.test", "scores": {"one": 4, "two": 6, "text": 25.5}},
    "bob": {"email": "bob@uni.test", "scores": {"one": 1 / 3, "text": 0}},
    "cyd": {"email": "cyd@uni.test", "scores": {"one": 4}},  # the text is not graded yet
    "dan": {"email": "dan@uni.test"},  # nothing handed in
    "eve": {"email": "eve@uni.test", "scores": {"two": 6, "text": 1}},  # not in the platform's lists
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    with opened(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        fill(gradebook, cells=CELLS, students=STUDENTS)
        gradebook.find_submission_notebook("sheet", "homework", "ada").late_submission_penalty = 1.25
        gradebook.find_grade("one", "sheet", "homework", "ada").extra_credit = 0.5
        gradebook.find_submission_notebook("sheet", "homework", "bob").late_submission_penalty = 0.25
        fill(
            gradebook, "second", {"quiz": {"only": 5}}, {"ada": {"scores": {"only": 5}}, "dan": {"scores": {"only": 0}}}
        )
        gradebook.db.commit()
    return folder


@pytest.fixture(scope="module")
def marks(course):
    with open_gradebook(f"sqlite:///{course / 'gradebook.db'}", "acme") as gradebook:
        return read_marks(gradebook, "homework")


def made(scores, max_score=10.0, **names):
    """Return marks without a gradebook: one question, points by student."""
    students = tuple(Student(name, email=names.get(name, "")) for name in scores)
    points = np.array([[np.nan if score is None else score] for score in scores.values()])
    question = Question("sheet", "one", max_score, False)
    return Marks("homework", students, (question,), points, np.zeros(points.shape, bool), np.zeros(len(points)))


def roster_file(folder, text, encoding="utf-8"):
    path = folder / "roster.csv"
    path.write_bytes(text.encode(encoding))
    return read_roster(path)


def rows_of(text):
    return list(csv.reader(io.StringIO(text, newline="")))


# reading -------------------------------------------------------------------------------------------


def test_the_gradebook_is_read(marks):
    assert [student.id for student in marks.students] == ["ada", "bob", "cyd", "dan", "eve"]
    assert marks.students[0] == Student("ada", "Ada", "", "ada@uni.test", "")
    assert [(question.name, question.max_score, question.by_hand) for question in marks.questions] == [
        ("text", 30, True),
        ("one", 4, False),
        ("two", 6, False),
    ]
    assert marks.max_score == 40
    np.testing.assert_array_equal(marks.scores[0], [25.5, 4.5, 6])
    np.testing.assert_array_equal(np.isnan(marks.scores[3]), [True] * 3)
    np.testing.assert_array_equal(marks.submitted, [True, True, True, False, True])
    np.testing.assert_array_equal(marks.ungraded.any(axis=1), [False, False, True, False, False])
    np.testing.assert_allclose(marks.totals, [34.75, 1 / 3 - 0.25, 4, np.nan, 7])


def test_totals_are_those_of_nbgrader(course, marks):
    with opened(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for student, total in zip(marks.students, marks.totals, strict=True):
            if student.id != "dan":
                submission = gradebook.find_submission("homework", student.id)
                assert total == pytest.approx(submission.score - submission.late_submission_penalty)


def test_what_is_no_gradebook_is_named(tmp_path):
    with pytest.raises(GradebookError, match="there is no gradebook"), open_gradebook(f"sqlite:///{tmp_path}/none.db"):
        pass
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(GradebookError, match="no address of a database"), open_gradebook("gradebook.db"):
        pass
    with pytest.raises(GradebookError, match="no address of a database"), open_gradebook("nosql://x"):
        pass
    (tmp_path / "text.db").write_text("no database, but long enough to be taken for one" * 100)
    with pytest.raises(GradebookError, match="cannot be opened"), open_gradebook(f"sqlite:///{tmp_path}/text.db"):
        pass


def test_a_missing_driver_is_named():
    with pytest.raises(MissingExtraError, match="driver"), open_gradebook("mysql+pymysql://me:secret@localhost/x"):
        pass


def test_an_assignment_that_is_not_there_is_named(course):
    with open_gradebook(f"sqlite:///{course / 'gradebook.db'}", "acme") as gradebook:
        with pytest.raises(GradebookError, match="it has homework, second"):
            read_marks(gradebook, "homewrok")


# Canvas --------------------------------------------------------------------------------------------

# As Canvas writes it: a row about posting, one with the points, read-only totals, and a student for tests.
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Notes,homework (4711),Essay (12),Final Score
,,,,,,Manual Posting,,
"    Points Possible",,,,,,40,100,(read only)
"Byron, Ada",101,S-1,ada,"Monday, Group 1",good,12,77,80
"=cmd|' /C calc'!A0, Bob",102,S-2,BOB ,Tuesday,,,50,
"Cydsson, Cyd",103,S-3,cyd@uni.test,Tuesday,,7,,
"Dannet, Dan",104,S-4,dan,Tuesday,,,,
"Student, Test",105,,f00,Tuesday,,EX,,
"""


def test_canvas(tmp_path, marks):
    export = export_canvas(marks, roster_file(tmp_path, CANVAS))
    assert rows_of(export.text) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "homework (4711)"],
        ["    Points Possible", "", "", "", "", "40"],
        ["Byron, Ada", "101", "S-1", "ada", "Monday, Group 1", "34.75"],
        ["'=cmd|' /C calc'!A0, Bob", "102", "S-2", "BOB ", "Tuesday", "0.08333"],
        ["Cydsson, Cyd", "103", "S-3", "cyd@uni.test", "Tuesday", "7"],  # not graded: what Canvas has stays
        ["Dannet, Dan", "104", "S-4", "dan", "Tuesday", ""],
        ["Student, Test", "105", "", "f00", "Tuesday", "EX"],
    ]
    assert export.exported == ("ada", "bob")
    assert export.not_listed == ("eve",)
    assert export.not_graded == ("cyd",)
    assert export.not_submitted == ("dan",)
    assert export.unknown == ("Student, Test",)
    assert not export.complete
    text = "\n".join(export.describe())
    for name in ("'eve'", "'cyd'", "'dan'", "'Student, Test'"):
        assert name in text


def header_is_taken(rows):
    """Canvas's own conditions on a header (`header?` and what it calls), told again from its source."""
    header = rows[0]
    start = 4 if header[0] == "LastName" else 3
    assert len(header) > start
    assert "Student" in header[0] or ("LastName" in header[0] and "FirstName" in header[1])
    assert "ID" in header[start - 2]
    columns = start
    if header[start - 1] == "SIS Login ID":
        columns += 1
    elif header[start - 1] == "SIS User ID" and header[start] == "SIS Login ID":
        columns += 2 + (header[start + 1] == "Integration ID")
        columns += header[columns - 1] == "Root Account"
    assert "Section" in header[columns - 1]
    return header[columns:]


@pytest.mark.parametrize(
    "identity",
    [
        "Student,ID,Section",
        "Student,ID,SIS Login ID,Section",
        "Student,ID,SIS User ID,SIS Login ID,Integration ID,Section",
        "Student,ID,SIS User ID,SIS Login ID,Root Account,Section",
        "LastName,FirstName,ID,SIS User ID,SIS Login ID,Section",
    ],
)
@pytest.mark.parametrize("separator", [",", ";"])
def test_every_shape_of_canvas_is_kept(tmp_path, identity, separator):
    columns = identity.split(",")
    row = ["1" if name == "ID" else "ada" for name in columns]
    lines = [[*columns, "Essay (12)"], ["Points Possible", *[""] * (len(columns) - 1), "10"], [*row, ""]]
    roster = roster_file(tmp_path, "\ufeff" + "\r\n".join(separator.join(line) for line in lines))
    match = "ID" if identity == "Student,ID,Section" else None
    marks = made({"1": 2.5}) if match else made({"ada": 2.5})
    rows = rows_of(export_canvas(marks, roster, column="Essay", match=match).text)
    assert header_is_taken(rows) == ["Essay (12)"]
    assert rows[2] == [*row, "2.5"]


@pytest.mark.parametrize("column", ["homework (4711)", "4711", "homework"])
def test_a_column_of_canvas_is_found(tmp_path, marks, column):
    assert rows_of(export_canvas(marks, roster_file(tmp_path, CANVAS), column=column).text)[0][-1] == "homework (4711)"


def test_a_new_column_for_canvas_brings_its_points(tmp_path, marks):
    rows = rows_of(export_canvas(marks, roster_file(tmp_path, CANVAS), column="Week 1", missing="0").text)
    assert [row[-1] for row in rows] == ["Week 1", "40", "34.75", "0.08333", "", "0", ""]


def test_points_that_differ_in_canvas(tmp_path, marks):
    roster = roster_file(tmp_path, CANVAS)
    with pytest.raises(GradebookError, match="homework has 40 points here and 100 in Canvas"):
        export_canvas(marks, roster, column="Essay")
    rows = rows_of(export_canvas(marks, roster, column="Essay", scale=True).text)
    assert [row[-1] for row in rows[1:4]] == ["100", "86.875", "0.20833"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dan,Tuesday", "ada,Tuesday", "'ada' fits 2 rows: 'Byron, Ada', 'Dannet, Dan'"),
        ("Section", "Seccion", "no gradebook of Canvas"),
        ("104", "1=4", "the ID '1=4' of 'Dannet, Dan' is no number"),
        (",,,,,,40,", ",,,,,,forty,", "the points possible is 'forty'"),
        ("Essay (12)", "homework (12)", "more than one column for 'homework'"),
        ("Essay (12)", "homework (4711)", "has the column homework \\(4711\\) twice"),
        ("S-4,dan", "S-4", "row 7 has 8 cells, the header has 9"),
    ],
)
def test_a_roster_that_cannot_be_used_is_named(tmp_path, marks, old, new, message):
    assert old in CANVAS
    with pytest.raises(GradebookError, match=message):
        export_canvas(marks, roster_file(tmp_path, CANVAS.replace(old, new)))


def test_two_students_who_share_a_row_are_named(tmp_path):
    roster = roster_file(tmp_path, CANVAS)
    with pytest.raises(GradebookError, match=r"the row of 'Byron, Ada' fits 'ada', 'other'"):
        export_canvas(made({"ada": 1, "other": 2}, 40.0, other="ADA"), roster)
    # What another column holds decides nothing.
    assert export_canvas(made({"ada": 1, "other": 2}, 40.0, other="S-1"), roster).not_listed == ("other",)


def test_columns_that_are_not_there(tmp_path, marks):
    roster = roster_file(tmp_path, CANVAS)
    with pytest.raises(GradebookError, match="no column '99'"):
        export_canvas(marks, roster, column="99")
    with pytest.raises(GradebookError, match="no column 'login'"):
        export_canvas(marks, roster, match="login")
    with pytest.raises(GradebookError, match="would run '=A1' as a formula"):
        export_canvas(marks, roster, column="=A1")


# Moodle --------------------------------------------------------------------------------------------

PARTICIPANTS = """\
"First name","Last name",Username,"ID number","Email address"
Ada,Byron,ab01,1001,ADA@uni.test
Bob,Tables,bt01,1002,bob@uni.test
Cyd,Cydsson,cc01,1003,cyd@uni.test
Dan,Dannet,dd01,1004,dan@uni.test
Zoe,Zuse,zz01,1005,zoe@uni.test
"""


def test_moodle_gradebook(tmp_path, course):
    with open_gradebook(f"sqlite:///{course / 'gradebook.db'}", "acme") as gradebook:
        both = [read_marks(gradebook, name) for name in ("homework", "second")]
    export = export_moodle(both, roster=roster_file(tmp_path, PARTICIPANTS))
    assert rows_of(export.text) == [
        ["Username", "homework", "second"],
        ["ab01", "34.75", "5"],
        ["bt01", "0.08333", "-"],
        ["dd01", "-", "0"],
    ]
    assert export.not_listed == ("eve",)
    assert export.not_graded == ("cyd",)
    assert export.unknown == ("zz01",)
    by_mail = export_moodle(both, identifier="Email address", scale=100)
    assert rows_of(by_mail.text)[1] == ["ada@uni.test", "86.875", "100"]
    assert rows_of(by_mail.text)[-1] == ["eve@uni.test", "17.5", "-"]
    assert by_mail.not_listed == by_mail.unknown == ()


@pytest.mark.parametrize(
    ("students", "emails", "identifier", "message"),
    [
        ({"=1+1": 1}, {}, "Username", "would run the username '=1\\+1' as a formula"),
        ({"@sum": 1}, {}, "ID number", "would run the id number '@sum'"),
        ({"＝1": 1}, {}, "ID number", "would run"),
        ({"ada": 1, "bob": 2}, {"ada": "A@x.test", "bob": "a@x.test"}, "Email address", "more than one student"),
        ({"ada": 1}, {}, "Email address", "'ada' has no email address"),
        ({"ada": 1}, {}, "Name", "identifier must be one of Username"),
    ],
)
def test_identifiers_that_moodle_would_not_take(students, emails, identifier, message):
    with pytest.raises(GradebookError, match=message):
        export_moodle([made(students, **emails)], identifier=identifier)


def test_numbers_are_no_formulas():
    assert rows_of(export_moodle([made({"+41791234567": 1, "-7": 0})]).text)[1:] == [["+41791234567", "1"], ["-7", "0"]]


def test_participants_without_the_identifier(tmp_path, marks):
    roster = roster_file(tmp_path, PARTICIPANTS.replace("Username", "Login"))
    with pytest.raises(GradebookError, match="has no column 'Username'"):
        export_moodle([marks], roster=roster)
    with pytest.raises(GradebookError, match="different gradebooks"):
        export_moodle([marks, made({"ada": 1})])


WORKSHEET = """\
Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed",\
"Last modified (submission)","Last modified (grade)","Feedback comments"
"Participant 5001","@Ada Byron",ada@uni.test,"Submitted for grading - ",,40.00,Yes,"Monday, 1 June 2026",-,"- good"
"Participant 5002","Bob Tables",bob@uni.test,"Submitted for grading - ",3.00,40.00,Yes,-,-,
"Participant 5003","Cyd Cydsson",cyd@uni.test,"Submitted for grading - ",,40.00,Yes,-,-,
"Participant 5004","Dan Dannet",dan@uni.test,"No submission - ",,40.00,Yes,-,-,
"Participant 5005","Zoe Zuse",zoe@uni.test,"No submission - ",11.00,40.00,Yes,-,-,
"""


def test_moodle_worksheet(tmp_path, marks):
    export = export_worksheet(marks, roster_file(tmp_path, WORKSHEET))
    rows = rows_of(export.text)
    # The three columns without which Moodle's importer stops, by the names that it looks for.
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(rows[0])
    assert "Feedback comments" not in rows[0]
    grade = rows[0].index("Grade")
    assert [row[grade] for row in rows[1:]] == ["34.75", "0.08333", "", "", "11.00"]
    assert [row[0] for row in rows[1:]] == [f"Participant {number}" for number in range(5001, 5006)]
    assert rows[1][1] == "'@Ada Byron"
    assert rows[1][rows[0].index("Last modified (grade)")] == "-"
    assert export.unknown == ("Zoe Zuse",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Identifier", "Nummer", "no column Identifier"),
        ("Participant 5002", "Bob", "'Bob' is no identifier of Moodle"),
        ("3.00,40.00", "3.00,50.00", "more than one maximum grade: 40.00, 50.00"),
        ("40.00", "100.00", "homework has 40 points here and 100 in Moodle"),
        ("3.00,40.00,Yes", "3.00,40.00,No", "the grade of 'Bob Tables' cannot be changed"),
        ("dan@uni.test", "BOB@uni.test ", "'bob' fits 2 rows: 'Bob Tables', 'Dan Dannet'"),
    ],
)
def test_a_worksheet_that_cannot_be_used_is_named(tmp_path, marks, old, new, message):
    assert old in WORKSHEET
    with pytest.raises(GradebookError, match=message):
        export_worksheet(marks, roster_file(tmp_path, WORKSHEET.replace(old, new)))


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(GradebookError, match="cannot be read"):
        read_roster(tmp_path / "none.csv")
    with pytest.raises(GradebookError, match="is empty"):
        roster_file(tmp_path, "\n\n")


# the command ---------------------------------------------------------------------------------------


def test_the_command(tmp_path, course, monkeypatch, capsys):
    write_config(course)
    monkeypatch.chdir(course)
    out = tmp_path / "out.csv"
    roster = str(roster_file(tmp_path, CANVAS).path)
    assert main(["export", "canvas", "homework", "--roster", roster, "--output", str(out)]) == 1
    assert "'eve'" in capsys.readouterr().out
    assert out.read_bytes().startswith(b"Student,ID,SIS User ID")
    assert main(["export", "canvas", "homework"]) == 1
    assert "--roster" in capsys.readouterr().err
    assert main(["export", "moodle", "second", "--output", str(out), "--identifier", "ID number"]) == 0
    assert out.read_text() == "ID number,second\nada,5\ndan,0\n"
    roster = str(roster_file(tmp_path, WORKSHEET).path)
    assert main(["export", "worksheet", "homework", "--roster", roster, "--output", str(out)]) == 1
    assert "34.75" in out.read_text()


# One column, other encodings, and who is left out -----------------------------------------------------------


def test_an_id_that_is_anothers_number_gives_that_person_nothing(tmp_path):
    """Eve's id is not in the roster's column of logins, but equals Ada's number in Canvas."""
    text = (
        "Student,ID,SIS User ID,SIS Login ID,Section,homework (4711)\n    Points Possible,,,,,10\n"
        '"Byron, Ada",77,S-1,ada,A,\n"Tables, Bob",78,S-2,bob,A,\n'
    )
    marks = made({"bob": 3, "77": 10, "ada": 1}, 10.0)
    export = export_canvas(marks, roster_file(tmp_path, text))
    assert export.not_listed == ("77",) and set(export.exported) == {"ada", "bob"}
    assert "students were found by the column 'SIS Login ID' of the platform's list" in export.describe()
    assert re.search('"Byron, Ada",77,S-1,ada,A,1\r\n', export.text)
    marks = made({"bob": 3, "77": 10}, 10.0)
    export = export_canvas(marks, roster_file(tmp_path, text), match="SIS Login ID")
    assert export.not_listed == ("77",) and "Ada" in export.unknown[0]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_a_roster_in_another_encoding_is_read(tmp_path, encoding):
    path = tmp_path / "roster.csv"
    path.write_bytes("Student,ID,Section\nÅngström Jörg,7,A\n".encode(encoding))
    assert read_roster(path).rows[0]["Student"] == "Ångström Jörg"


def test_a_name_is_quoted_once(tmp_path):
    text = 'Student,ID,SIS Login ID,Section,homework (4711)\n    Points Possible,,,,10\n"Student, Test",9,,A,\n'
    lines = export_canvas(made({"ada": 1}, 10.0), roster_file(tmp_path, text)).describe()
    assert "1 in the platform's list but not in the gradebook: 'Student, Test'" in lines


def test_one_with_too_many_points_for_moodle_is_left_out_and_named(tmp_path):
    text = (
        "Identifier,Full name,Username,Status,Grade,Maximum Grade,Grade can be changed,Last modified (grade)\n"
        "Participant 1,Ada,ada,x,,10,Yes,-\nParticipant 2,Bob,bob,x,,10,Yes,-\n"
    )
    export = export_worksheet(made({"ada": 12, "bob": 3}, 10.0), roster_file(tmp_path, text))
    assert export.exported == ("bob",) and export.above == ("ada",) and not export.complete
    assert "Participant 2,Bob,bob,x,3" in export.text and "12" not in export.text
    assert "1 with more points than the platform's maximum: no grade in the file: 'ada'" in export.describe()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "ivy;=1+1", "ivy; @SUM(1)", "5;-2+3", "ivy\t=1+1", "ivy\n=1+1"),
        *('a";=1+1', " =1+1", "ivy;＝1+1", "\t=1", "a\r\n+1*2"),
    ],
)
def test_no_spreadsheet_finds_a_formula_whatever_separates(text, separator):
    """The cells as a spreadsheet with each separator reads them, behind a first cell and before a last one."""
    written = write_csv(["id", "text", "last"], [{"id": "5", "text": text, "last": "x"}])
    cells = [cell for row in csv.reader(io.StringIO(written), delimiter=separator) for cell in row]
    cells += [cell for row in written.splitlines() for cell in row.split(separator)]  # one that knows no quotes
    assert not [c for c in cells if unicodedata.normalize("NFKC", c).lstrip(' "')[:1] in tuple("=+-@")]


def test_texts_without_a_formula_stay_as_they_are():
    for text in ("ivy", "Student, Test", "a;b", "a;-5", "-3.5", "x = 1", "O'Neill; A.", "a,-b"):
        assert write_csv(["t"], [{"t": text}]).split("\r\n")[1].strip('"') == text

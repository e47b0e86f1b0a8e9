"""`acme collect`: an LMS's zip of submissions becomes `submitted/`, and formgrader knows the names."""

import csv
import hashlib
import shutil
import zipfile

import nbformat
import pytest
from nbgrader.api import Gradebook

from acme_lib.cli import main
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, hand_in

WORKSHEET = """\
Identifier,Full name,Username,Email address,Status,Grade,Last modified (submission),Last modified (grade)
Participant 101,Ada King,ada,ada@x.org,Submitted for grading,-,-,-
Participant 102,Jean-Luc van der Berg,jl,jl@x.org,Submitted for grading,-,-,-
Participant 103,Nobody Yet,ny,ny@x.org,No submission,-,-,-
"""
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,ps1 (12)
    Points Possible,,,,,10
"King, Ada",9001,S1,ada,A,
"Berg, Jean",9002,S2,jl,A,
"Student, Test",9003,,,A,
"""
RIGHT = nbformat.writes(hand_in())


@pytest.fixture
def course(unreleased, tmp_path, monkeypatch):
    course = shutil.copytree(unreleased, tmp_path / "course")
    monkeypatch.chdir(course)
    return course


def pack(course, members, roster=None):
    with zipfile.ZipFile(course / "all.zip", "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    if roster:
        (course / "roster.csv").write_text(roster)
    return ["collect", "all.zip", ASSIGNMENT, *(["--roster", "roster.csv"] if roster else [])]


def collected(course):
    return {
        path.relative_to(course / "submitted").as_posix(): path.read_text()
        for path in sorted(course.glob("submitted/**/*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    "layout",
    [
        "Ada King_101_assignsubmission_file_/{}",  # as Moodle did for long
        "Ada King_101_assignsubmission_file/{}",  # as it does now
        "Ada King_101_assignsubmission_file_{}",  # without folders
        "Group A-Ada King_101_assignsubmission_file_/deep/{}",
    ],
)
def test_moodle(course, layout, capsys):
    command = pack(
        course,
        {
            layout.format(f"{NOTEBOOK}.ipynb"): RIGHT,
            "Ada King_101_assignsubmission_onlinetext_/onlinetext.html": "<p>hello</p>",
            "Jean-Luc van der Berg_102_assignsubmission_file_/my answer (2).ipynb": RIGHT,
        },
        WORKSHEET,
    )
    assert main(command) == 0
    assert collected(course) == {f"ada/{ASSIGNMENT}/p.ipynb": RIGHT, f"jl/{ASSIGNMENT}/p.ipynb": RIGHT}
    out = capsys.readouterr().out
    assert "2 new, 0 changed, 0 unchanged" in out and "the column 'Username'" in out
    assert "my answer (2).ipynb: taken as p.ipynb" in out
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        assert (book.find_student("ada").first_name, book.find_student("ada").last_name) == ("Ada", "King")
        assert book.find_student("jl").last_name == "Berg" and book.find_student("ny").email == "ny@x.org"
    # Again: nothing changes; a new version replaces the old one.
    assert main(command) == 0
    assert "0 new, 0 changed, 2 unchanged" in capsys.readouterr().out
    assert main(pack(course, {layout.format("p.ipynb"): RIGHT + "\n"}, WORKSHEET)) == 0
    assert "0 new, 1 changed, 0 unchanged" in capsys.readouterr().out
    assert collected(course)[f"ada/{ASSIGNMENT}/p.ipynb"] == RIGHT + "\n"


HANDED_IN = "Ada King_101_assignsubmission_file_/p.ipynb"


@pytest.mark.parametrize(
    ("written", "zone", "stamp"),
    [  # as Moodle writes it: a user's zone and language; New York is five hours behind UTC then, in summer four
        ('"Saturday, 28 November 2026, 8:05 PM"', "America/New_York", "2026-11-29 01:05:00 UTC"),
        ('"Sunday, 5 July 2026, 12:00\u202fAM"', "America/New_York", "2026-07-05 04:00:00 UTC"),
        ('"Saturday, 28 November 2026, 20:05"', "UTC", "2026-11-28 20:05:00 UTC"),
        ('"samedi 28 novembre 2026, 20:05"', "UTC", None),
        ("-", "UTC", None),
    ],
)
def test_moodles_worksheet_says_when_something_was_handed_in(course, capsys, written, zone, stamp):
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text().replace('c.LatePolicy.timezone = "UTC"', f'c.LatePolicy.timezone = "{zone}"'))
    roster = WORKSHEET.replace("ada@x.org,Submitted for grading,-,-", f"ada@x.org,Submitted for grading,-,{written}")
    assert main(pack(course, {HANDED_IN: RIGHT}, roster)) == 0
    out = capsys.readouterr().out
    assert collected(course).get(f"ada/{ASSIGNMENT}/timestamp.txt", "").strip() == (stamp or "")
    assert (f"times of the zone {zone}" in out) == bool(stamp)
    assert ("cannot be read as a time" in out) == ("samedi" in written)


def test_a_time_stays_with_what_it_was_written_for(course, capsys):
    def collect(text, time):
        roster = WORKSHEET.replace("ada@x.org,Submitted for grading,-,-", f"ada@x.org,Submitted for grading,-,{time}")
        assert main(pack(course, {HANDED_IN: text}, roster)) == 0
        return collected(course)[f"ada/{ASSIGNMENT}/timestamp.txt"].strip()

    first, second = ('"Saturday, 28 November 2026, 8:05 PM"', '"Sunday, 29 November 2026, 8:05 PM"')
    assert collect(RIGHT, first) == "2026-11-28 20:05:00 UTC"
    (course / "submitted" / "ada" / ASSIGNMENT / "timestamp.txt").write_text("2026-11-27 20:00:00 UTC\n")
    assert collect(RIGHT, first) == "2026-11-27 20:00:00 UTC"  # the instructor's own
    assert collect(RIGHT + "\n", second) == "2026-11-29 20:05:00 UTC"
    capsys.readouterr()
    collect(RIGHT, "-")
    assert "timestamp.txt is that of an earlier version" in capsys.readouterr().out


def test_canvas(course, capsys):
    members = {
        "kingada_9001_555_p-1.ipynb": RIGHT,
        "bergjean_LATE_9002_556_p.ipynb": RIGHT,
        "whoever_9999_557_p.ipynb": RIGHT,
    }
    assert main(pack(course, members, CANVAS)) == 1
    assert set(collected(course)) == {f"ada/{ASSIGNMENT}/p.ipynb", f"jl/{ASSIGNMENT}/p.ipynb"}
    out = capsys.readouterr().out
    assert "1 marked as late" in out and "'jl'" in out
    assert "1 not in the roster: not collected" in out and "'whoever (9999)'" in out
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        ada = book.find_student("ada")
        assert (ada.first_name, ada.last_name, ada.lms_user_id) == ("Ada", "King", "9001")


def test_without_a_roster_the_platforms_numbers_are_the_ids(course):
    assert main(pack(course, {"kingada_9001_555_p.ipynb": RIGHT})) == 0
    assert set(collected(course)) == {f"9001/{ASSIGNMENT}/p.ipynb"}


@pytest.mark.parametrize(
    "name",
    [
        "Ada King_101_assignsubmission_file_x_102_assignsubmission_file_p.ipynb",
        "Ada King_101_assignsubmission_file/x_102_assignsubmission_file_/p.ipynb",
        "Ada King_101_assignsubmission_file/bergjean_9002_556_p.ipynb",
    ],
)
def test_a_students_file_name_is_no_other_student(course, name):
    assert main(pack(course, {name: RIGHT}, WORKSHEET)) == 0
    assert set(collected(course)) == {f"ada/{ASSIGNMENT}/p.ipynb"}


def test_an_archive_is_handed_on_as_one(course):
    assert main(pack(course, {"kingada_9001_555_work.tar.gz": "x", "kingada_9001_556_notes.txt": "x"})) == 0
    assert set(collected(course)) == {f"9001/{ASSIGNMENT}/submission.tar.gz"}


def test_nothing_leaves_the_folder_of_submissions(course, capsys):
    members = {
        "../../x_9001_1_p.ipynb": RIGHT,
        "A_1_assignsubmission_file_/../../../p.ipynb": RIGHT,
        "..\\..\\evil.ipynb": RIGHT,
    }
    with zipfile.ZipFile(course / "a.zip", "w") as archive:
        archive.writestr("A_1_assignsubmission_file_/../../../p.ipynb", RIGHT)
        archive.writestr("..\\..\\evil.ipynb", RIGHT)
    assert main(["collect", "a.zip", ASSIGNMENT]) == 0
    assert set(collected(course)) == {f"1/{ASSIGNMENT}/p.ipynb"}
    assert "neither of Moodle nor of Canvas" in capsys.readouterr().out
    assert main(pack(course, members)) == 1
    assert "Moodle and of Canvas" in capsys.readouterr().err
    bad = WORKSHEET.replace(",ada,", ",../ada,")
    assert main(pack(course, {"Ada King_101_assignsubmission_file_/p.ipynb": RIGHT}, bad)) == 0
    assert "can be no name of a folder" in capsys.readouterr().out
    assert not list(course.glob("ada")) and not list(course.glob("submitted/*/../ada/*"))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no zip", "cannot be read as a zip"), (b"PK\x05\x06" + bytes(18), "holds no submission")],
)
def test_what_is_no_zip_of_submissions_is_refused(course, capsys, content, said):
    (course / "all.zip").write_bytes(content)
    assert main(["collect", "all.zip", ASSIGNMENT]) == 1
    assert said in capsys.readouterr().err
    assert main(["collect", "all.zip", "ps9"]) == 1
    assert "no assignment 'ps9'" in capsys.readouterr().err


def test_a_receipt_is_of_what_arrives(course, tmp_path, capsys):
    """The learner's hash and that of the file that went through the LMS, under a name that it gave, are one."""
    mine = tmp_path / "learner" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(RIGHT.replace("\n", "\r\n").encode() + b" ")  # bytes count, not what they mean
    assert main(["receipt", str(mine)]) == 0
    printed = capsys.readouterr().out
    kept = mine.with_name(f"{NOTEBOOK}.ipynb.receipt.txt").read_text("utf-8")
    assert printed.startswith(kept) and f"assignment: {ASSIGNMENT}\n" in kept
    receipt = dict(line.split(": ", 1) for line in kept.splitlines())
    other = {"Jean-Luc van der Berg_102_assignsubmission_file_/p.zip": "no zip at all"}
    arrived = {"Ada King_101_assignsubmission_file_/p (2).ipynb": mine.read_bytes(), **other}
    assert main(pack(course, arrived, WORKSHEET)) == 0
    with open(course / "reports" / f"receipts-{ASSIGNMENT}.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["student"], row["file"]) for row in rows] == [("ada", "p.ipynb"), ("jl", "submission.zip")]
    assert (rows[0]["sha256"], rows[0]["bytes"]) == (receipt["SHA-256"], receipt["bytes"])
    assert receipt["SHA-256"] == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert rows[1]["sha256"] != receipt["SHA-256"] and len(rows[1]["sha256"]) == 64


def test_the_hash_is_that_of_the_standard(tmp_path, capsys):
    """The example of FIPS 180-2, B.1."""
    (tmp_path / "abc").write_bytes(b"abc")
    assert main(["receipt", str(tmp_path / "abc")]) == 0
    assert "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" in capsys.readouterr().out
    assert main(["receipt", str(tmp_path / "gone")]) == 1
    assert "gone" in capsys.readouterr().err

"""Feedback bundles: each student's own pages and no other file, under names that are safe."""

import re
import runpy
import zipfile
from pathlib import Path

import pytest
from traitlets.config import Config

from acme_lib.cli import main
from acme_lib.errors import GradebookError
from acme_lib.report.bundles import collect_feedback, write_bundles, write_moodle_bundle
from acme_lib.report.exports import match_students, read_roster
from acme_lib.report.marks import open_gradebook, read_marks

GRADEBOOKS = runpy.run_path(str(Path(__file__).with_name("gradebooks.py")))
opened, fill, write_config = GRADEBOOKS["opened"], GRADEBOOKS["fill"], GRADEBOOKS["write_config"]


CELLS = {"sheet": {"one": 4}, "essay": {"two": 6}}
WITH_WORK = ["ada", "Ada", "<b>eve", "jörg w", "CON"]
WORKSHEET = """\
Identifier,Full name,Email address,Status,Grade,Maximum grade,Last modified (grade)
Participant 11,Ada_Byron ../../x,ada,,,10,-
Participant 12,=1+1,jörg w,,,10,-
Participant 13,Zoe Zuse,zoe,,,10,-
"""


@pytest.fixture
def course(tmp_path):
    """Feedback pages of five students, one of them without the second page, and files that must not go out."""
    with opened(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        students = {name: {"scores": {"one": 1}} for name in [*WITH_WORK, "../ada", "late"]}
        fill(gradebook, cells=CELLS, students=students | {"absent": {}})
    for student in WITH_WORK:
        folder = tmp_path / "feedback" / student / "homework"
        folder.mkdir(parents=True, exist_ok=True)
        for notebook in CELLS:
            (folder / f"{notebook}.html").write_text(f"{notebook} of {student}", encoding="utf-8")
        (folder / "secret.csv").write_text("all grades")
        (folder / "other.html").write_text("not a notebook of this assignment")
    (tmp_path / "feedback" / "CON" / "homework" / "essay.html").unlink()
    write_config(tmp_path)
    return tmp_path


@pytest.fixture
def feedback(course):
    with open_gradebook(f"sqlite:///{course / 'gradebook.db'}", "acme") as gradebook:
        marks = read_marks(gradebook, "homework")
    return marks, collect_feedback(marks, Config(CourseDirectory={"root": str(course)}))


def contents(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}


def test_each_student_gets_the_own_pages(feedback, tmp_path):
    _, found = feedback
    assert sorted(found.missing) == ["../ada", "CON", "late"]
    paths = write_bundles(found, tmp_path / "out")
    assert sorted(paths) == sorted(WITH_WORK)
    for student, path in paths.items():
        assert path.parent == tmp_path / "out"
        assert re.fullmatch(r"[\w-]+\.zip", path.name)
        expected = {f"homework/{notebook}.html": f"{notebook} of {student}" for notebook in CELLS}
        if student == "CON":
            del expected["homework/essay.html"]
        assert contents(path) == expected
    assert len({path.name.casefold() for path in paths.values()}) == len(WITH_WORK)
    again = {student: path.read_bytes() for student, path in paths.items()}
    assert {student: path.read_bytes() for student, path in write_bundles(found, tmp_path / "out").items()} == again


def moodle_reads(name):
    """The importer's reading of a file's name, told again from ``is_valid_filename_for_import``."""
    full_name, number, kind, plugin, rest = name.split("_", 4)
    assert number.isdigit()
    assert "/" not in full_name
    return int(number), f"{kind}_{plugin}", rest


def test_moodle_takes_the_names(feedback, tmp_path):
    marks, found = feedback
    (tmp_path / "sheet.csv").write_text(WORKSHEET, encoding="utf-8")
    roster = read_roster(tmp_path / "sheet.csv")
    with pytest.raises(GradebookError, match="fits 'Ada', 'ada'"):
        match_students(marks, roster, match="Email address")
    rows = {row["Email address"]: row for row in roster.rows}
    packed = write_moodle_bundle(found, rows, tmp_path / "all.zip", worksheet="sheet.csv")
    assert packed == ("ada", "jörg w")
    pages = {moodle_reads(name): text for name, text in contents(tmp_path / "all.zip").items()}
    assert pages == {
        (number, "assignfeedback_file", f"{notebook}.html"): f"{notebook} of {student}"
        for number, student in {11: "ada", 12: "jörg w"}.items()
        for notebook in CELLS
    }
    assert "Ada Byron x_11_assignfeedback_file_sheet.html" in contents(tmp_path / "all.zip")


def test_a_link_to_another_student_is_refused(course):
    with open_gradebook(f"sqlite:///{course / 'gradebook.db'}", "acme") as gradebook:
        marks = read_marks(gradebook, "homework")
    config = Config(CourseDirectory={"root": str(course)})
    (course / "feedback" / "late").symlink_to(course / "feedback" / "ada", target_is_directory=True)
    with pytest.raises(GradebookError, match="late.*symbolic link"):
        collect_feedback(marks, config)
    (course / "feedback" / "late").unlink()
    (course / "feedback" / "late" / "homework").mkdir(parents=True)
    (course / "feedback" / "late" / "homework" / "sheet.html").symlink_to(course / "gradebook.db")
    with pytest.raises(GradebookError, match=r"sheet\.html.*symbolic link"):
        collect_feedback(marks, config)


def test_the_command(course, monkeypatch, capsys):
    monkeypatch.chdir(course)
    assert main(["feedback", "homework", "--output", "out"]) == 1
    text = capsys.readouterr().out
    assert "out: feedback for 5 students" in text
    assert "'CON', 'late'" in text
    assert len(list((course / "out").glob("*.zip"))) == 5
    (course / "sheet.csv").write_text(WORKSHEET.replace("ada,", "zoe2,"), encoding="utf-8")
    options = ["--worksheet", "sheet.csv", "--output", "all.zip", "--match", "Email address"]
    assert main(["feedback", "homework", *options]) == 1
    assert "4 not in Moodle's worksheet" in capsys.readouterr().out
    assert len(contents(course / "all.zip")) == 2

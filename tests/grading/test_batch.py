"""The batch: every submission ends graded or with a reason; parallel, killed and resumed runs give the same grades."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from acme_lib.cli import main
from acme_lib.errors import GradingError
from acme_lib.grade.batch import grade_assignment
from acme_lib.grade.timestamp import read_timestamp
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, hand_in, make_course, submit

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux"),
]
FULL = {"double_test": 4, "mean_test": 4, "words": None}
NONE = {"double_test": 0, "mean_test": 0, "words": 0}
JOSE = unicodedata.normalize("NFD", "José")  # two code points for one letter
WRONG = "def double(x):\n    return x"


def url(course):
    return f"sqlite:///{course / 'gradebook.db'}"


def scores(course, student, where=None):
    with Gradebook(where or url(course)) as book:
        grades = book.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student).grades
        return {grade.name: grade.auto_score for grade in grades}


def by_hand(course, student):
    with Gradebook(url(course)) as book:
        grades = book.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student).grades
        return {grade.name for grade in grades if grade.needs_manual_grade}


def record(course, student):
    return json.loads((course / "audit" / ASSIGNMENT / student / f"{NOTEBOOK}.json").read_text())


def grade(course, **options):
    return grade_assignment(course, ASSIGNMENT, **options)


def test_every_submission_ends_graded_or_with_a_reason(course, tmp_path):
    submit(course, "right", hand_in())
    submit(course, "wrong", hand_in(double=WRONG))
    submit(course, "Жанна Ångström", hand_in())
    submit(course, JOSE, hand_in())
    submit(course, "stub", hand_in(double="", mean="", words="YOUR ANSWER HERE"))
    submit(course, "corrupt", b'{"cells": [')
    submit(course, "empty", b"")
    submit(course, "huge", b"x" * (21 * 2**20))
    submit(course, "endless", hand_in(double="def double(x):\n    import os\n    os._exit(1)"))
    submit(course, "linked", hand_in()).unlink()
    (course / "submitted" / "linked" / ASSIGNMENT / f"{NOTEBOOK}.ipynb").symlink_to(
        course / "solutions" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    )
    (course / "submitted" / "nothing" / ASSIGNMENT).mkdir(parents=True)
    (course / "submitted" / "folder_link").mkdir()
    (course / "submitted" / "folder_link" / ASSIGNMENT).symlink_to(course / "submitted" / "right" / ASSIGNMENT)
    submit(course, "late", hand_in()).with_name("timestamp.txt").write_text("not a time \x00")
    summary = grade(course, jobs=2)
    assert {line.student: line.status for line in summary.lines} == {
        **dict.fromkeys(["right", "wrong", "Жанна Ångström", JOSE, "stub", "endless", "late"], "graded"),
        **dict.fromkeys(["corrupt", "empty", "huge", "linked", "nothing", "folder_link"], "unreadable"),
    }
    assert all(line.reason for line in summary.lines if line.status != "graded")
    assert scores(course, "right") == scores(course, "Жанна Ångström") == scores(course, "late") == FULL
    assert scores(course, "wrong") == scores(course, "endless") == FULL | {"double_test": 0}
    for student in ("stub", "corrupt", "linked", "nothing", "folder_link"):
        assert scores(course, student) == NONE
    assert by_hand(course, "right") == {"words"} and by_hand(course, "stub") == set()
    assert by_hand(course, "corrupt") == set(NONE)
    text = str(summary)
    assert "7 graded, 6 unreadable, 0 failed" in text and "corrupt/p: the file is no notebook" in text
    assert "endless/p: ended" in text
    # Nothing has changed: nothing is graded again.
    again = grade(course)
    assert again.lines == () and again.unchanged == 13
    # One that changed is, and one that is asked for.
    before = record(course, "wrong")
    submit(course, "wrong", hand_in())
    assert [line.student for line in grade(course).lines] == ["wrong"]
    assert scores(course, "wrong") == FULL and record(course, "wrong")["seed"] != before["seed"]
    assert [line.student for line in grade(course, students=["right"]).lines] == ["right"]


def test_one_question_again(course):
    submit(course, "wrong", hand_in(double=WRONG))
    grade(course, jobs=1)
    with Gradebook(url(course)) as book:
        for name in ("double_test", "mean_test"):
            book.find_grade(name, NOTEBOOK, ASSIGNMENT, "wrong").auto_score = 1
        book.db.commit()
    first = record(course, "wrong")
    grade(course, jobs=1, questions=["double"])
    assert scores(course, "wrong") == {"double_test": 0, "mean_test": 1, "words": None}
    again = record(course, "wrong")
    assert again["scores"].keys() == first["scores"].keys() and again["seed"] == first["seed"]
    assert again["regraded"][0]["only"] == ["double_test"]
    notebook = nbformat.read(course / "autograded" / "wrong" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    assert [len(c.outputs) for c in notebook.cells if c.cell_type == "code"] == [0, 0, 1, 0, 0]
    with pytest.raises(GradingError, match="no test cell belongs to nonsense"):
        grade(course, questions=["nonsense"])
    with pytest.raises(GradingError, match="no submission of nobody"):
        grade(course, students=["nobody"])


@pytest.mark.thorough
def test_parallel_serial_and_repeated_grades_are_identical(course):
    noisy = "import random\ndef double(x):\n    return 2 * x if random.random() < 0.85 else 0"
    for i in range(5):
        submit(course, f"s{i}", hand_in(double=noisy))
    seen = []
    for jobs in (1, 2):
        grade(course, jobs=jobs, seed=11, everything=True)
        seen.append(
            {f"s{i}": (scores(course, f"s{i}"), record(course, f"s{i}")["autograded_sha256"]) for i in range(5)}
        )
    assert seen[0] == seen[1]
    assert len({str(score) for score, _ in seen[0].values()}) > 1


SCRIPT = "import sys; from acme_lib.grade.batch import grade_assignment as g; g(sys.argv[1], sys.argv[2], jobs=2)"


def start(course):
    """Grade as a script does that has no `if __name__ == "__main__"`: its workers must not run it again."""
    script = course / "grade.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(course), ASSIGNMENT]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def graded_so_far(course):
    return len(list((course / "audit" / ASSIGNMENT).glob(f"*/{NOTEBOOK}.json")))


@pytest.mark.thorough
def test_killed_in_a_loop_and_started_again(course):
    for i in range(9):
        submit(
            course,
            f"s{i:02}",
            hand_in(
                double=WRONG
                if i % 3 == 0
                else "def double(x):\n    import time\n    time.sleep(0.05)\n    return 2 * x"
            ),
        )
    kills = 0
    for wanted in (1, 3, 6):
        process = start(course)
        deadline = time.monotonic() + 120
        while graded_so_far(course) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)  # the writer alone: its workers must end by themselves
            kills += 1
        process.wait()
    assert kills >= 2
    seed = json.loads((course / "audit" / ASSIGNMENT / "run.json").read_text())["seed"]
    done = {
        path.parent.name: path.stat().st_mtime_ns for path in (course / "audit" / ASSIGNMENT).glob(f"*/{NOTEBOOK}.json")
    }
    summary = grade(course, jobs=2)
    assert summary.failed == () and len(summary.lines) + summary.unchanged == 9
    assert {line.student for line in summary.lines} & set(done) == set()  # none twice
    for i in range(9):
        assert scores(course, f"s{i:02}") == FULL | ({"double_test": 0} if i % 3 == 0 else {})
        assert record(course, f"s{i:02}")["run_seed"] == seed
    with Gradebook(url(course)) as book:
        assert len(book.assignment_submissions(ASSIGNMENT)) == 9
        assert book.average_assignment_score(ASSIGNMENT) == pytest.approx((3 * 4 + 6 * 8) / 9)


def processes_below(process):
    """Return the processes that descend from one, by number and the moment of their start."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(path.parent.name), fields[19]] = int(fields[1])
    below = {process}
    while more := {number for (number, _), parent in found.items() if parent in below} - below:
        below |= more
    return {key for key in found if key[0] in below - {process}}, set(found)


@pytest.mark.parametrize(
    "interrupt",
    [signal.default_int_handler, signal.SIG_IGN],
    ids=["", "in-the-background"],
)
@pytest.mark.thorough
def test_nothing_outlives_a_batch_that_is_killed(course, tmp_path, monkeypatch, interrupt):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for i in range(3):
        submit(course, f"s{i}", hand_in(double="def double(x):\n    import time\n    time.sleep(18)\n    return 2 * x"))
    before = signal.signal(signal.SIGINT, interrupt)  # a shell's background job is deaf to it
    process = start(course)
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 60
    while not (course / "audit").exists() or len(processes_below(process.pid)[0]) < 9:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    left, _ = processes_below(
        process.pid
    )  # a fork server, its tracker, two workers, and the processes of two sandboxes
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while (still := left & processes_below(process.pid)[1]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert still == set()
    assert list(tmp_path.glob("acme-grade-*")) == []


@pytest.mark.thorough
def test_a_worker_that_is_killed_costs_no_grade(course, monkeypatch):
    from acme_lib.grade import pool

    for i in range(5):
        submit(course, f"s{i}", hand_in())
    killed = []
    original = pool._Worker.give

    def give(self, task):
        original(self, task)
        if len(killed) < 2:
            killed.append(self.process.pid)
            os.kill(self.process.pid, signal.SIGKILL)

    monkeypatch.setattr(pool._Worker, "give", give)
    summary = grade(course, jobs=2)
    assert len(killed) == 2 and summary.failed == ()
    assert all(scores(course, f"s{i}") == FULL for i in range(5))


@pytest.mark.thorough
def test_a_worker_that_always_dies_fails_with_a_reason(course, monkeypatch):
    from acme_lib.grade import pool

    for student in ("cursed", "other", "third"):
        submit(course, student, hand_in())
    original = pool._Worker.give

    def give(self, task):
        original(self, task)
        if task.student == "cursed":
            os.kill(self.process.pid, signal.SIGKILL)

    monkeypatch.setattr(pool._Worker, "give", give)
    summary = grade(course, jobs=2)
    assert [(line.student, line.status) for line in summary.failed] == [("cursed", "failed")]
    assert "ended 3 times" in summary.failed[0].reason
    assert scores(course, "other") == scores(course, "third") == FULL


def test_late_submissions_and_extensions(course):
    config = (course / "nbgrader_config.py").read_text()
    policy = "c.LatePolicy.rate, c.LatePolicy.cap = 25, 50\nc.LatePolicy.extensions = 'extensions.csv'\n"
    (course / "nbgrader_config.py").write_text(config + policy)
    (course / "extensions.csv").write_text(f"student,assignment,hours\nexcused,{ASSIGNMENT},48\n")
    with Gradebook(url(course)) as book:
        book.update_or_create_assignment(ASSIGNMENT, duedate="2030-01-10 12:00:00 UTC")
    stamps = {"in_time": "10 11:59", "day": "11 11:00", "week": "17 13:00", "excused": "11 11:00"}
    for student, stamp in stamps.items():
        path = submit(course, student, hand_in()).with_name("timestamp.txt")
        path.write_text(f"2030-01-{stamp}:00 UTC")
    grade(course, jobs=1)
    with Gradebook(url(course)) as book:
        lost = {s: book.find_submission_notebook(NOTEBOOK, ASSIGNMENT, s).late_submission_penalty or 0 for s in stamps}
    assert lost == {"in_time": 0, "day": 2.5, "week": 5.0, "excused": 0}  # of 10 points


def test_an_assignment_without_a_source_is_refused(course):
    with pytest.raises(GradingError, match="no notebook"):
        grade_assignment(course, "ps9")


def test_two_batches_at_once_are_refused(course):
    import fcntl

    submit(course, "right", hand_in())
    (course / "audit" / ASSIGNMENT).mkdir(parents=True)
    with open(course / "audit" / ASSIGNMENT / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(GradingError, match="another batch"):
            grade(course)


def test_grades_are_recomputed_from_their_audit_records(course, capsys, monkeypatch):
    noisy = "import random\ndef double(x):\n    return 2 * x if random.random() < 0.85 else 0"
    path = submit(course, "raises", hand_in(double="def double(x):\n    raise ValueError(x)"))
    for student in "abc":
        submit(course, student, hand_in(double=noisy))
    submit(course, "corrupt", b"{")
    grade(course, jobs=1, seed=1)
    for question, seed in (("double", 2), ("mean", 3)):
        grade(course, jobs=1, questions=[question], students=["a", "raises"], seed=seed)
    monkeypatch.chdir(course)
    files = {file: file.stat().st_mtime_ns for file in course.rglob("*") if file.is_file()}
    assert main(["audit", ASSIGNMENT]) == 0
    assert "5 of 5 grades are the same when recomputed" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in course.rglob("*") if file.is_file()} == files
    # What was changed since is seen: a score in the record, a seed, the submission, the source.
    audit = course / "audit" / ASSIGNMENT / "raises" / f"{NOTEBOOK}.json"
    kept = audit.read_text()
    forged = json.loads(kept)
    forged["scores"]["double_test"]["score"], forged["versions"]["numpy"] = 4.0, "0.1"
    audit.write_text(json.dumps(forged))
    assert main(["audit", ASSIGNMENT, "--student", "raises"]) == 1
    out = capsys.readouterr().out
    assert "double_test: score was 4.0, is 0.0" in out and "graded with numpy 0.1" in out and "0 of 1" in out
    audit.write_text(kept)
    audit.with_name("nothing.json").write_text("{")
    submit(course, "raises", hand_in())
    assert main(["audit", ASSIGNMENT, "--student", "raises"]) == 1
    out = capsys.readouterr().out
    assert "the submission is not the one" in out and "cannot be read" in out
    assert path.is_file()
    with pytest.raises(SystemExit, match="no record of nobody"):
        main(["audit", ASSIGNMENT, "--student", "nobody"])
    with pytest.raises(SystemExit, match="no record of anybody"):
        main(["audit", "ps9"])


@pytest.mark.thorough
def test_the_command(course, capsys, monkeypatch):
    monkeypatch.chdir(course)
    submit(course, "right", hand_in())
    submit(course, "corrupt", b"{")
    assert main(["grade", ASSIGNMENT, "--jobs", "1", "--seed", "3"]) == 0
    assert "1 graded, 1 unreadable, 0 failed" in capsys.readouterr().out
    assert main(["grade", ASSIGNMENT, "--jobs", "1", "--student", "right"]) == 0
    with pytest.raises(SystemExit, match="acme grade: .*ps9"):
        main(["grade", "ps9"])
    log = (course / "audit" / ASSIGNMENT / "grade.log").read_text()
    assert "right/p: graded, 8 of 10" in log and "corrupt/p: unreadable, 0 of 10" in log


def test_one_command_grades_a_fresh_clone(tmp_path):
    """No `generate_assignment` before: the gradebook learns what is graded from the source."""
    course = make_course(tmp_path / "fresh")
    submit(course, "right", hand_in())
    assert [line.status for line in grade(course, jobs=1).lines] == ["graded"]
    assert scores(course, "right") == FULL
    with Gradebook(url(course)) as book:
        notebook = book.find_notebook(NOTEBOOK, ASSIGNMENT)
        assert notebook.max_score == 10
        assert {cell.name for cell in notebook.solution_cells} == {"double", "mean", "words"}
        assert {cell.name for cell in notebook.source_cells} >= {"double_test", "mean_test", "words"}


def change_points(course, name, points):
    path = course / "solutions" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name]
    cell.metadata.nbgrader.points = points
    nbformat.write(notebook, path)


def test_points_that_change_are_for_all_questions(course):
    """Where points changed, one question graded again brings the others up to date too, and the audit agrees."""
    submit(course, "right", hand_in())
    grade(course, jobs=1)
    change_points(course, "mean_test", 6)
    grade(course, jobs=1, questions=["double"])
    assert scores(course, "right") == FULL | {"mean_test": 6}
    assert grade(course, jobs=1).unchanged == 1
    with Gradebook(url(course)) as book:
        assert book.find_notebook(NOTEBOOK, ASSIGNMENT).max_score == 12


def test_cells_that_change_after_grading_are_refused(course):
    submit(course, "right", hand_in())
    grade(course, jobs=1)
    path = course / "solutions" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") != "mean_test"]
    nbformat.write(notebook, path)
    with pytest.raises(GradingError, match="db assignment remove"):
        grade(course, jobs=1)
    assert scores(course, "right") == FULL


def mark_by_hand(course, student, name, points):
    with Gradebook(url(course)) as book:
        grade = book.find_grade(name, NOTEBOOK, ASSIGNMENT, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()


def test_a_grade_by_hand_stays_when_another_question_is_graded_again(course):
    submit(course, "right", hand_in())
    grade(course, jobs=1)
    mark_by_hand(course, "right", "words", 1.5)
    for again in ({"questions": ["double"]}, {"students": ["right"]}, {"everything": True}):
        grade(course, jobs=1, **again)
        assert by_hand(course, "right") == set(), again
    with Gradebook(url(course)) as book:
        assert book.find_submission(ASSIGNMENT, "right").score == 9.5
    # Another answer is another thing: a person looks again.
    submit(course, "right", hand_in(words="Because of that."))
    grade(course, jobs=1)
    assert by_hand(course, "right") == {"words"}


def test_a_grade_by_hand_over_a_score_that_changes_is_looked_at_again(course):
    submit(course, "right", hand_in())
    grade(course, jobs=1)
    mark_by_hand(course, "right", "double_test", 1.0)
    change_points(course, "double_test", 5)
    grade(course, jobs=1)
    assert "double_test" in by_hand(course, "right")


STAMPS = {
    "2027-03-28 07:30:00 UTC": "2027-03-28 07:30",
    "2027-03-28 07:30:00": "2027-03-28 07:30",
    "2027-03-28T07:30:00.25Z": "2027-03-28 07:30",
    "2027-03-28 07:30:00 -0500": "2027-03-28 12:30",
    "2027-03-28 07:30:00 +05:30": "2027-03-28 02:00",
    "2027-03-28 07:30:00 America/New_York": "2027-03-28 11:30",
    "\ufeff2027-03-28 07:30:00 UTC": "2027-03-28 07:30",
}


@pytest.mark.parametrize(("text", "utc"), STAMPS.items())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_time_stamp_is_read_as_it_says(tmp_path, text, utc, encoding):
    (tmp_path / "timestamp.txt").write_bytes(text.encode(encoding))
    time, problem = read_timestamp(tmp_path)
    assert problem == "" and time.startswith(utc) and time.endswith(" UTC")


@pytest.mark.parametrize("zone", ["PST", "CEST", "EST", "Mars/Phobos", "../etc/passwd", "America/", "+5", "UTC UTC"])
def test_a_time_stamp_with_an_unclear_zone_is_flagged(tmp_path, zone):
    (tmp_path / "timestamp.txt").write_text(f"2027-03-28 07:30:00 {zone}")
    time, problem = read_timestamp(tmp_path)
    assert time is None and "timestamp.txt cannot be read" in problem


def test_times_that_cannot_be_read_are_named_and_corrected_ones_taken_over(course):
    config = (course / "nbgrader_config.py").read_text()
    (course / "nbgrader_config.py").write_text(config + "c.LatePolicy.rate = 25\n")
    with Gradebook(url(course)) as book:
        book.update_or_create_assignment(ASSIGNMENT, duedate="2030-01-10 12:00:00 UTC")
    stamp = submit(course, "ada", hand_in()).with_name("timestamp.txt")
    stamp.write_text("2030-01-11 11:00:00 CEST")
    assert "ada: timestamp.txt cannot be read: 'CEST'" in str(grade(course, jobs=1))
    seed = record(course, "ada")["seed"]

    def lost():
        with Gradebook(url(course)) as book:
            return book.find_submission_notebook(NOTEBOOK, ASSIGNMENT, "ada").late_submission_penalty or 0

    assert lost() == 0
    for zone, points in {"+0200": 2.5, "-0500": 5.0, "": 2.5}.items():  # 09:00, and 16:00 the day before or after
        stamp.write_text(f"2030-01-{'12' if zone == '-0500' else '11'} 11:00:00 {zone}")
        summary = grade(course, jobs=1)
        assert (summary.unchanged, summary.notes, lost()) == (1, (), points), zone
    assert record(course, "ada")["seed"] == seed, "the answers are not graded again"


def test_what_lies_where_nothing_is_graded_is_named(course):
    submit(course, "ada", hand_in())
    for name in ("new\nline", "x[1]"):
        submit(course, name, hand_in())
    (course / "submitted" / "ned").mkdir()
    (course / "submitted" / "ned" / "p.ipynb").write_text(nbformat.writes(hand_in()))
    summary = grade(course, jobs=1)
    assert [line.student for line in summary.lines] == ["ada"]
    text = str(summary)
    assert r"'new\nline': nbgrader cannot work with a folder of this name" in text and "'x[1]'" in text
    assert "ned: 'p.ipynb' lies outside the folder of any assignment" in text

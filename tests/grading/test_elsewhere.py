"""The batch with a gradebook in PostgreSQL, and on the workers of a Dask cluster: real servers."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from acme_lib.build.archive import safe_names
from acme_lib.cli import main
from acme_lib.errors import GradingError
from acme_lib.grade.batch import grade_assignment
from tests import programs
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, generate, hand_in, make_course, submit

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux"),
]
FULL = {"double_test": 4, "mean_test": 4, "words": None}
WRONG = "def double(x):\n    import time\n    time.sleep(0.1)\n    return x"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a PostgreSQL server of our own."""
    pytest.importorskip("psycopg")
    bin = programs.find_postgresql() or programs.do_without("no PostgreSQL: install the system package `postgresql`")
    folder = tmp_path_factory.mktemp("postgres") / "data"
    folder.mkdir()
    user = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        import pwd

        account = pwd.getpwnam("nobody")
        for path in (folder, *folder.parents):
            if "pytest" in str(path):
                os.chmod(path, 0o755)
        os.chown(folder, account.pw_uid, account.pw_gid)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {**user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 120}
    subprocess.run([bin / "initdb", "-D", folder, "-U", "acme", "-A", "trust", "-E", "UTF8"], check=True, **options)
    options.pop("timeout")
    command = [
        bin / "postgres",
        "-D",
        folder,
        "-p",
        str(port),
        "-c",
        f"unix_socket_directories={folder}",
        "-c",
        "fsync=off",
    ]
    process = subprocess.Popen(command, **options)
    deadline = time.monotonic() + 60
    while subprocess.run([bin / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True).returncode:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    yield f"postgresql+psycopg://acme@127.0.0.1:{port}/postgres"
    process.send_signal(signal.SIGINT)
    process.wait(30)


def scores(url, student):
    from nbgrader.api import Gradebook

    with Gradebook(url) as book:
        grades = book.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student).grades
        return {grade.name: grade.auto_score for grade in grades}


def test_a_gradebook_in_postgresql(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ACME_GRADEBOOK", server)
    course = make_course(tmp_path / "course")
    generate(course)
    submit(course, "right", hand_in())
    submit(course, "wrong", hand_in(double=WRONG))
    submit(course, "Жанна", hand_in())
    submit(course, "corrupt", b"{")
    summary = grade_assignment(course, ASSIGNMENT, jobs=2)
    assert summary.failed == () and len(summary.lines) == 4
    assert scores(server, "right") == scores(server, "Жанна") == FULL
    assert scores(server, "wrong") == FULL | {"double_test": 0}
    assert scores(server, "corrupt") == dict.fromkeys(FULL, 0)
    assert not (course / "gradebook.db").exists()
    assert grade_assignment(course, ASSIGNMENT).unchanged == 4
    submit(course, "wrong", hand_in())
    assert [line.student for line in grade_assignment(course, ASSIGNMENT, jobs=1).lines] == ["wrong"]
    assert scores(server, "wrong") == FULL


# Twelve lines, which make enough passages to compare; the copy has other names.
LONG = "def double(x):\n    total = 0.0\n" + "".join(
    f"    for step in range({n}, {n} + 2):\n        total = total + x / {n + 2} * (step - {n}) {'+-'[n % 2]} {n} * x * 0\n"
    for n in range(5)
)
COPIED = LONG.replace("total", "result").replace("step", "k") + "    return 2 * result / result * x if x else 0.0"
ORIGINAL = LONG + "    return 2 * total / total * x if x else 0.0"
WORDS = {"ada": 2, "bob": 0.5, "Жанна": 1}  # points by hand
REPORTS = {
    "late": (["late", ASSIGNMENT], 0),
    "moodle": (["export", "moodle", ASSIGNMENT, "--output", "moodle.csv"], 1),  # one student waits for a grade by hand
    "canvas": (["export", "canvas", ASSIGNMENT, "--roster", "roster.csv", "--output", "canvas.csv"], 1),
    "statistics": (["statistics", ASSIGNMENT, "--output", "statistics.html"], 0),
    "copying": (["copying", ASSIGNMENT, "--output", "copying.html"], 0),
    "feedback": (["feedback", ASSIGNMENT, "--output", "bundles"], 0),
}
ROSTER = (
    "Student,ID,SIS User ID,SIS Login ID,Section,ps1 (7)\n    Points Possible,,,,,10\n"
    "Ada,1,ada,ada,A,\nBob,2,bob,bob,A,\nЖанна,3,Жанна,Жанна,A,\nEve,4,eve,eve,A,\n"
)


def reports_of(folder, url, monkeypatch, capsys):
    """Grade a class, some of it by hand, and return all that the commands say and write."""
    from nbgrader.api import Gradebook
    from nbgrader.converters import GenerateFeedback

    from acme_lib.grade.course import load_course

    monkeypatch.setenv("ACME_GRADEBOOK", url)
    course = make_course(folder)
    with open(course / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.write("\nc.LatePolicy.rate = 10\n")
    (course / "course").mkdir()
    (course / "roster.csv").write_text(ROSTER, encoding="utf-8")
    generate(course)
    with Gradebook(url, "acme") as book:
        book.update_or_create_assignment(ASSIGNMENT, duedate="2026-01-02 12:00:00 UTC")
        book.update_or_create_student("dora", first_name="Dora", last_name="Doe")  # hands nothing in
    answers = {
        "ada": ORIGINAL,
        "bob": COPIED,
        "Жанна": "def double(x):\n    return x",
        "eve": "def double(x):\n    return 2 * x",
    }
    for student, double in answers.items():
        path = submit(course, student, hand_in(double=double))
        day = 4 if student == "bob" else 1
        path.with_name("timestamp.txt").write_text(f"2026-01-0{day} 12:00:00 UTC")
    assert grade_assignment(course, ASSIGNMENT, jobs=1, seed=5).failed == ()
    with Gradebook(url, "acme") as book:
        for student, points in WORDS.items():
            grade = book.find_grade("words", NOTEBOOK, ASSIGNMENT, student)
            grade.manual_score, grade.needs_manual_grade = points, False
            book.find_comment("words", NOTEBOOK, ASSIGNMENT, student).manual_comment = "Быть может."
        book.db.commit()
    config, coursedir = load_course(course)
    coursedir.assignment_id = ASSIGNMENT
    GenerateFeedback(coursedir=coursedir, config=config).start()
    monkeypatch.chdir(course)
    capsys.readouterr()
    found = {}
    for name, (command, code) in REPORTS.items():
        assert main(command) == code, capsys.readouterr()
        found[f"{name}: said"] = capsys.readouterr().out
    for path in sorted(course.rglob("*")):
        if path.suffix in (".csv", ".html", ".zip"):
            found[path.relative_to(course).as_posix()] = path.read_bytes()
    return found


def test_the_reports_are_the_same_from_postgresql(server, tmp_path, monkeypatch, capsys):
    import sqlalchemy

    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE DATABASE reports"))
    engine.dispose()
    theirs = reports_of(tmp_path / "postgresql", server.replace("/postgres", "/reports"), monkeypatch, capsys)
    assert not (tmp_path / "postgresql" / "gradebook.db").exists()
    sqlite = f"sqlite:///{tmp_path / 'sqlite' / 'gradebook.db'}"
    (tmp_path / "sqlite").mkdir()
    assert theirs == reports_of(tmp_path / "sqlite", sqlite, monkeypatch, capsys)

    # And they say what is known: two days late cost bob 2 of his 8.5 points; eve waits, dora handed nothing in.
    assert theirs["late: said"] == f"'bob': 48.00 hours late, 2 points lost\n{ASSIGNMENT}: 1 late submissions\n"
    assert theirs["moodle.csv"].decode().splitlines() == [f"Username,{ASSIGNMENT}", "ada,10", "bob,6.5", "Жанна,5"]
    assert "'eve'" in theirs["moodle: said"] and "'dora'" in theirs["moodle: said"]
    canvas = [line.rsplit(",", 1)[-1] for line in theirs["canvas.csv"].decode().split()]
    assert [points for points in canvas if points in ("10", "6.5", "5")] == ["10", "10", "6.5", "5"]
    page = theirs["statistics.html"].decode()
    assert "4 of 5 students" in page and "dora" in page and "Mean</dt><dd>7.167 points" in page
    pairs = theirs["copying.csv"].decode().splitlines()
    assert [line.split(",")[:2] for line in pairs[1:]] == [["ada", "bob"]]
    assert {name for name in theirs if name.endswith(".zip")} == {
        f"bundles/{name}.zip" for name in ("ada", "bob", "eve", safe_names(["Жанна"])["Жанна"])
    }
    feedback = theirs[f"feedback/bob/{ASSIGNMENT}/{NOTEBOOK}.html"].decode()
    assert "6.5 of 10" in feedback and "2 points were taken off" in feedback and "Быть может." in feedback


@pytest.mark.thorough
def test_on_a_dask_cluster_with_a_worker_killed(course):
    distributed = pytest.importorskip("distributed")
    for i in range(8):
        submit(course, f"s{i}", hand_in(double=WRONG) if i % 2 else hand_in())
    url = f"sqlite:///{course / 'gradebook.db'}"
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, silence_logs=50
    )
    with cluster:
        killed = []

        def kill():
            audit = course / "audit" / ASSIGNMENT
            while not killed:
                if len(list(audit.glob(f"*/{NOTEBOOK}.json"))) >= 2:
                    pid = next(iter(cluster.workers.values())).pid
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                time.sleep(0.02)

        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        summary = grade_assignment(course, ASSIGNMENT, scheduler=cluster.scheduler_address, seed=5)
        thread.join(5)
    assert killed
    assert summary.failed == () and len(summary.lines) == 8
    for i in range(8):
        assert scores(url, f"s{i}") == (FULL | {"double_test": 0} if i % 2 else FULL)


def test_no_cluster_there(course, monkeypatch):
    monkeypatch.setattr("acme_lib.grade.pool.CONNECT_SECONDS", 1)
    submit(course, "s", hand_in())
    with pytest.raises(GradingError, match="no scheduler answers"):
        grade_assignment(course, ASSIGNMENT, scheduler="tcp://127.0.0.1:1")

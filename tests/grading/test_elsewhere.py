"""The batch with a gradebook in PostgreSQL, and on the workers of a Dask cluster: real servers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from acme_lib.errors import GradingError
from acme_lib.grade.batch import grade_assignment
from tests.conftest import in_ci
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, generate, hand_in, make_course, submit

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux"),
]
FULL = {"double_test": 4, "mean_test": 4, "words": None}
WRONG = "def double(x):\n    import time\n    time.sleep(0.1)\n    return x"


def programs():
    """The folder of PostgreSQL's programs; without it the tests are skipped, and in CI they fail."""
    found = [Path(shutil.which("initdb")).resolve().parent] if shutil.which("initdb") else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        reason = "no PostgreSQL: install the system package `postgresql`"
        pytest.fail(reason) if in_ci() else pytest.skip(reason)
    return found[-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a PostgreSQL server of our own."""
    pytest.importorskip("psycopg")
    bin, folder = programs(), tmp_path_factory.mktemp("postgres") / "data"
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


def test_on_a_dask_cluster_with_a_worker_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    course = make_course(tmp_path / "course")
    generate(course)
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


def test_no_cluster_there(tmp_path):
    course = make_course(tmp_path / "course")
    generate(course)
    submit(course, "s", hand_in())
    with pytest.raises(GradingError, match="no scheduler answers"):
        grade_assignment(course, ASSIGNMENT, scheduler="tcp://127.0.0.1:1")

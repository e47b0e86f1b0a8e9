"""The attack table: each exploit succeeds against stock nbgrader where it applies, and gains nothing here.

``uv run pytest -m attacks`` (minutes: stock nbgrader starts a kernel for each of them). ``ACME_ATTACK_TABLE=FILE``
writes the table as it stands in ``tests/grading/ATTACKS.md``.
"""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook, MissingEntry

from acme_lib.grade.batch import grade_assignment
from tests.grading.attacks import ATTACKS, EXTRA, RIGHT, TESTS
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, fill, make_course, source_notebook

pytestmark = [
    pytest.mark.attacks,
    pytest.mark.nbgrader,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the exploits are written for Linux"),
]
HONEST = 40
STOCK_CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.Execute.timeout = 8
c.Execute.error_on_timeout = {"ename": "Timeout", "evalue": "", "traceback": []}
"""
# What the forty honest ones hand in: all right, or one question wrong.
HONEST_ANSWERS = [
    RIGHT,
    RIGHT | {"double": "def double(x):\n    return x"},
    RIGHT | {"mean": "import numpy as np\ndef mean(v):\n    return np.median(v)"},
    RIGHT | {"sample": "def sample(size, rng):\n    return rng.poisson(2.0, size)"},
]
HONEST_POINTS = [12, 8, 8, 8]


def slug(name):
    return re.sub(r"\W+", "_", name)


def deserved(attack):
    return {test: (attack.deserves or {}).get(test, 0) for test in TESTS}


class Listener(http.server.BaseHTTPRequestHandler):
    folder = None

    def do_GET(self):
        name = urllib.parse.unquote(self.path.split("/")[1])
        (self.folder / name).touch()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Place:
    """A course with submissions in it, a home folder, a listener, and a folder for what the exploits leave behind."""

    def __init__(self, folder, config):
        self.course = make_course(folder / "course", config, EXTRA)
        self.evidence, self.home = folder / "evidence", folder / "home"
        self.evidence.mkdir()
        self.home.mkdir()
        listener = type("L", (Listener,), {"folder": self.evidence})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), listener)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def hand_in(self, student, answers, change=None, files=None):
        def concrete(text):
            for name, value in {
                "COURSE": self.course,
                "EVIDENCE": self.evidence,
                "STUDENT": student,
                "PORT": self.server.server_port,
            }.items():
                text = text.replace(name, str(value))
            return text

        notebook = fill(source_notebook(*EXTRA), {"words": "Because.", **{q: concrete(t) for q, t in answers.items()}})
        data = json.loads(nbformat.writes(notebook))
        if change:
            change(data)
        folder = self.course / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        (folder / f"{NOTEBOOK}.ipynb").write_text(json.dumps(data))
        for name, content in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, tuple):
                (folder / name).symlink_to(concrete(content[1]))
            else:
                (folder / name).write_text(content)

    def attack_with(self, attack):
        self.hand_in(slug(attack.name), attack.answers, attack.change, attack.files)

    def nbgrader(self, *arguments):
        environment = os.environ | {"HOME": str(self.home), "IPYTHONDIR": str(self.home / ".ipython")}
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(
            command,
            cwd=self.course,
            env=environment,
            capture_output=True,
            text=True,
            timeout=3000,
            start_new_session=True,
        )
        return done.returncode, done.stdout + done.stderr

    def scores(self, student):
        """The scores of a student, None where there is no grade."""
        with Gradebook(f"sqlite:///{self.course / 'gradebook.db'}") as book:
            try:
                grades = book.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student).grades
            except MissingEntry:
                return None
            if not (self.course / "autograded" / student / ASSIGNMENT / f"{NOTEBOOK}.ipynb").exists():
                return None
            return {grade.name: grade.score for grade in grades if grade.name in TESTS}

    def feedback(self, student):
        page = self.course / "feedback" / student / ASSIGNMENT / f"{NOTEBOOK}.html"
        return page.read_text(encoding="utf-8") if page.exists() else ""

    def has_effect(self, attack):
        if attack.shown:
            return attack.shown in self.feedback(slug(attack.name))
        if any(isinstance(content, tuple) for content in (attack.files or {}).values()):
            folders = [self.course / step / slug(attack.name) for step in ("autograded", "feedback")]
            return any((folder / ASSIGNMENT / name).exists() for folder in folders for name in attack.files)
        return (self.evidence / attack.name).exists()


def prepare(folder, config, attacks, honest):
    place = Place(folder, config)
    code, output = place.nbgrader("generate_assignment", ASSIGNMENT)
    assert code == 0, output
    for i in range(honest):
        place.hand_in(f"honest{i:02}", HONEST_ANSWERS[i % 4])
    place.hand_in("zz_victim", RIGHT)
    for attack in attacks:
        place.attack_with(attack)
    return place


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """All exploits that leave stock nbgrader running, graded by it in one batch."""
    folder = tmp_path_factory.mktemp("stock")
    attacks = [attack for attack in ATTACKS if attack.stock in ("points", "effect", "ungraded")]
    place = prepare(folder, STOCK_CONFIG, attacks, 1)
    place.nbgrader("autograde", ASSIGNMENT)
    place.nbgrader("generate_feedback", ASSIGNMENT)
    yield place
    place.close()


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """All exploits and forty honest submissions, graded by ours in one batch."""
    place = prepare(tmp_path_factory.mktemp("ours"), None, ATTACKS, HONEST)
    home = os.environ.get("HOME")
    place.summary = grade_assignment(place.course, ASSIGNMENT, jobs=2)
    assert os.environ.get("HOME") == home
    code, output = place.nbgrader("generate_feedback", ASSIGNMENT)
    assert code == 0, output
    time.sleep(1.5)
    yield place
    place.close()


def test_there_are_enough():
    assert {attack.kind for attack in ATTACKS} == set(range(1, 13))
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 40
    assert sum(attack.stock in ("points", "effect", "ungraded", "batch") for attack in ATTACKS) >= 40


ALIVE = [attack for attack in ATTACKS if attack.stock in ("points", "effect", "ungraded")]


@pytest.mark.parametrize("attack", ALIVE, ids=lambda attack: slug(attack.name))
def test_it_is_real_against_stock(stock, attack):
    scores = stock.scores(slug(attack.name))
    if attack.stock == "ungraded":
        assert scores is None
    elif attack.stock == "effect":
        assert stock.has_effect(attack)
    else:
        assert scores is not None
        assert sum(scores.values()) > sum(deserved(attack).values())


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.stock == "batch"], ids=lambda attack: slug(attack.name))
def test_it_stops_the_batch_of_stock(tmp_path, attack):
    place = prepare(tmp_path, STOCK_CONFIG, [attack], 0)
    code, _ = place.nbgrader("autograde", ASSIGNMENT)
    place.close()
    assert code != 0
    assert place.scores("zz_victim") is None


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: slug(attack.name))
def test_it_gains_nothing_here(ours, attack):
    student = slug(attack.name)
    assert ours.scores(student) == deserved(attack)
    assert not ours.has_effect(attack)
    (line,) = [line for line in ours.summary.lines if line.student == student]
    assert line.status == "graded"


def test_the_honest_have_exactly_their_points(ours):
    for i in range(HONEST):
        assert sum(ours.scores(f"honest{i:02}").values()) == HONEST_POINTS[i % 4], i
    assert sum(ours.scores("zz_victim").values()) == 12
    assert ours.summary.failed == ()


def test_feedback_shows_nothing_hidden_and_runs_nothing(ours):
    for folder in (ours.course / "feedback").iterdir():
        page = ours.feedback(folder.name)
        assert "EVIL" not in page or not re.search(r"<(script|img)[^>]*EVIL|<script>steal", page)
        assert "20.833" not in page and "HIDDEN TESTS" not in page


def test_the_table_in_the_documentation_is_this_one(root):
    table = write_table()
    target = os.environ.get("ACME_ATTACK_TABLE")
    if target:
        Path(target).write_text(table, encoding="utf-8")
    assert (root / "tests/grading/ATTACKS.md").read_text(encoding="utf-8") == table, "write it with ACME_ATTACK_TABLE"


CLASSES = (
    "comparison, shadowing, interpreter, exit, reading answers, forging results, the notebook, environment, resources, "
    "side channels, stochastic, shortcuts"
).split(", ")


def write_table():
    """Return the attack table as Markdown."""
    words = {
        "points": "points it does not deserve",
        "effect": "does what it wants",
        "ungraded": "the submission has no grade",
        "batch": "later students have no grade",
        "": "nothing",
    }
    lines = [
        "# The attack table",
        "",
        "Every exploit of `tests/grading/attacks.py`, as `uv run pytest -m attacks` runs it: against stock nbgrader,",
        "to show that it is real, and against ours, in one batch with forty honest submissions, which get exactly",
        "their points.",
        "",
        "| class | exploit | stock nbgrader | ours |",
        "|---|---|---|---|",
    ]
    for attack in ATTACKS:
        stock = words.get(attack.stock, "not run: it would take the machine down")
        lines.append(f"| {attack.kind} {CLASSES[attack.kind - 1]} | {attack.name} | {stock} | nothing |")
    return "\n".join(lines) + "\n"

"""Scratch courses in which attacks are graded, and what is to be seen in them afterwards.

Nothing here trusts the submissions. Grading runs in namespaces of its own (`contained`): no network but a loopback, a
private ``/tmp``, a limit on memory; for stock nbgrader also a read-only view of all but the scratch course. What an
attack could leave running ends with the namespace.
"""

import hashlib
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from tests.grading.attacks.on_checks import NEIGHBOURS_WORDS
from tests.grading.attacks.on_files import REMOTE, SCRIPT
from tests.grading.attacks.on_process import PORT
from tests.grading.attacks.record import HIDDEN_VALUES, KEY, NEIGHBOURS, PLAIN, ROOT, Kit

SECRETS = {
    "the grader's token": re.compile("CANARY-TOKEN-77b2"),
    "a file of the grader's home": re.compile("CANARY-HOME-9d1e"),
    "the neighbour's words": re.compile("CANARY-NEIGHBOUR-51c7"),
    "hidden tests": re.compile(r"with hidden_checks\(\) as rng"),
    "hidden arguments": re.compile(r"CANARY-ARGUMENTS \(+(array|3\.0, 0\.25|2\.0, 2\.0|1\.0, -1\.0)"),
    "a model answer": re.compile("Model answer"),
    "a letter by the kind of an answer": re.compile(r"\ba (?:Decimal|Fraction|frozenset) came back"),
}


def can_contain():
    """Whether this machine offers what the containment needs; a text that says what is missing, or None."""
    if not sys.platform.startswith("linux"):
        return "stock nbgrader is attacked on Linux only, where it can be contained"
    if shutil.which("bwrap") is None:
        return "bubblewrap is missing: install the system package `bubblewrap`"
    test = [
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--unshare-pid",
        "--unshare-net",
        "true",
    ]
    tried = subprocess.run(test, capture_output=True, text=True)
    return None if tried.returncode == 0 else f"bubblewrap may not make namespaces: {tried.stderr.strip()}"


@dataclass(frozen=True)
class Seen:
    """What became of one student.

    Attributes
    ----------
    points : float or None
        All that the gradebook gives, extra credit included; None where there is no grade at all.
    by_cell : dict
        Automatic points by grade id; None where there is none.
    unsettled : tuple of str
        Test cells without automatic points.
    neighbours : dict
        Points of the neighbours.
    leaked : tuple of str
        Secrets in the student's outputs, files and feedback, or heard from the network.
    active : tuple of str
        What a browser would run, or fetch from elsewhere, on the student's feedback page.
    changed : tuple of str
        Files of the course that were changed or added.
    machine : dict
        ``memory``, ``processes``, ``survivors``, ``disk``, ``files``, ``commands``, ``late``.
    log : str
    """

    points: float | None
    by_cell: dict
    unsettled: tuple
    neighbours: dict
    leaked: tuple
    active: tuple
    changed: tuple
    machine: dict
    log: str = field(repr=False)


class Course:
    """A scratch course, with two honest neighbours: the first and the last to be graded.

    Parameters
    ----------
    root : Path
        An empty folder.
    source : str
        ``source`` (nbgrader's own) or ``solutions`` (ours).
    config : str
        Text of ``nbgrader_config.py``.
    own_library : bool
        Whether the library is a copy in the course.
    """

    def __init__(self, root, *, source, config, own_library=False):
        self.root, self.source, self.own_library = root, source, own_library
        root.mkdir(parents=True, exist_ok=True)
        (root / "nbgrader_config.py").write_text(config)
        if own_library:
            shutil.copytree(ROOT / "acme_lib", root / "acme_lib", symlinks=True)
        (root / "home").mkdir()
        (root / "home" / ".token").write_text("CANARY-HOME-9d1e\n")
        self.assignments = []
        self.released = {}

    def add_assignment(self, assignment, own_numbers=(), key=KEY):
        """Put the instructor's notebook in, and the neighbours' submissions.

        In a course of ours the neighbours, and these students, were given numbers of their own where there are any.
        """
        folder = self.root / self.source / assignment
        folder.mkdir(parents=True)
        self.assignments.append(assignment)
        kit = Kit(assignment)
        if assignment == PLAIN:
            nbformat.write(kit.source(), folder / kit.file)
        else:
            shutil.copy2(ROOT / "solutions" / assignment / kit.file, folder)
        own = self.source == "solutions" and "sealed" in kit.kinds
        if own:
            self.released[assignment] = sorted([*NEIGHBOURS, *own_numbers])
            (self.root / "personal.json").write_text(json.dumps({"key": key.hex(), "released": self.released}))
        notes = "import pathlib\npathlib.Path('/tmp/notes-of-a-neighbour.txt').write_text('CANARY-NEIGHBOUR-51c7')\n"
        for student in NEIGHBOURS:
            kit = Kit(assignment, student if own else "", key)
            answers = kit.answers() | dict.fromkeys(kit.words, NEIGHBOURS_WORDS)
            answers[kit.questions[0]] += f"\nMY_NOTES = {{'why': {NEIGHBOURS_WORDS[:40]!r}}}\n{notes}"
            self.add(student, assignment, kit.folder(kit.fill(answers)))

    def add(self, student, assignment, submission):
        """Write one student's submission."""
        submission.write(self.root / "submitted" / student / assignment)

    def run(self, commands, *, seconds, memory=4 * 2**30, nested=False):
        """Run commands in the course's folder, contained; `nested` where they make namespaces of their own."""
        self.before = self._fingerprints()
        beside = self.root.parent / f"{self.root.name}-run"
        beside.mkdir(exist_ok=True)
        plan = {
            "commands": [list(map(str, command)) for command in commands],
            "root": str(self.root),
            "seconds": seconds,
            "memory": memory,
            "port": PORT,
            "loopback": nested and os.getuid() == 0,
            "private_tmp": not nested,
            "log": str(beside / "log"),
            "seen": str(beside / "seen.json"),
        }
        (beside / "plan.json").write_text(json.dumps(plan))
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "IPYTHON", "PYTEST", "COV_"))
        } | {
            "HOME": str(self.root / "home"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GRADER_TOKEN": "CANARY-TOKEN-77b2",
        }
        environment.pop("PYTHONPATH", None)
        if self.own_library:
            environment["PYTHONPATH"] = str(self.root)
        inside = [sys.executable, str(Path(__file__).with_name("contained.py")), str(beside / "plan.json")]
        if nested:
            outside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
            if os.getuid() == 0:  # the grader then changes its user: no user namespace around it
                keep = (
                    'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'  # the library stays as it is
                )
                outside += ["--net", "--mount", "sh", "-c", keep, str(ROOT)]
            else:
                outside += ["--user", "--map-current-user"]
        else:
            outside = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
            for path in (self.root, beside):
                outside += ["--bind", str(path), str(path)]
            outside += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent", "--new-session"]
        finished = subprocess.run([*outside, *inside], cwd=self.root, env=environment, capture_output=True, text=True)
        assert Path(plan["seen"]).exists(), finished.stdout + finished.stderr
        self.machine = json.loads(Path(plan["seen"]).read_text())
        self.log = (beside / "log").read_text(errors="replace")

    def observe(self, student, assignment):
        """Return what became of a student."""
        cells = self._grades(student, assignment)
        tests = Kit(assignment).tests
        neighbours = {name: _total(self._grades(name, assignment)) for name in NEIGHBOURS}
        return Seen(
            points=_total(cells),
            by_cell={name: grade[0] for name, grade in cells.items()},
            unsettled=tuple(name for name in tests if cells.get(name, (None,))[0] is None),
            neighbours=neighbours,
            leaked=tuple(self._leaks(student, assignment)),
            active=tuple(self._active(student, assignment)),
            changed=tuple(self._changes()),
            machine=self.machine,
            log=self.log,
        )

    def _grades(self, student, assignment):
        import sqlite3

        book = f"file:{self.root / 'gradebook.db'}?mode=ro"
        query = """SELECT c.name, g.auto_score, g.manual_score, g.extra_credit FROM grade g
                   JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id
                   JOIN submitted_assignment s ON s.id = n.assignment_id JOIN assignment a ON a.id = s.assignment_id
                   WHERE s.student_id = ? AND a.name = ?"""
        connection = sqlite3.connect(book, uri=True)
        try:
            return {name: given for name, *given in connection.execute(query, (student, assignment))}
        finally:
            connection.close()

    def _leaks(self, student, assignment):
        texts = {}
        for path in self._files("autograded", student, assignment):
            content = path.read_text(errors="replace")
            if path.suffix == ".ipynb" and not path.is_symlink():
                try:
                    content = json.dumps([c.get("outputs") for c in json.loads(content)["cells"]], ensure_ascii=False)
                except (ValueError, KeyError):
                    pass
            texts[path.name] = content.replace("\\n", "\n").replace('\\"', '"')
        for path in self._files("feedback", student, assignment):
            texts[path.name] = re.sub(r"<[^>]+>", "", path.read_text(errors="replace"))
        stock = self.source == "source"
        own = [path for path in self._files("submitted", student, assignment) if not path.is_symlink()]
        handed_in = "".join(path.read_text(errors="replace") for path in own)
        for what, pattern in SECRETS.items():
            if pattern.search(handed_in):
                continue  # the student's own text
            for name, text in texts.items():
                page = name.endswith(".html")
                if page and stock and what in ("hidden tests", "a model answer"):
                    continue  # stock feedback shows the hidden tests to everybody
                if pattern.search(text):
                    yield f"{what} in {name}"
            if student == "network" and pattern.search(self.machine["heard"]):
                yield f"{what} over the network"
        if self.machine["heard"] and student == "network":
            yield "a call was heard"
        if not stock and assignment == PLAIN:
            for name, text in texts.items():
                if any(value in text for value in HIDDEN_VALUES):
                    yield f"hidden values in {name}"

    def _active(self, student, assignment):
        if f"\x1b]0;{student}" in self.log:
            yield "an escape sequence in the log"
        for path in self._files("feedback", student, assignment):
            if path.suffix == ".html":
                page = Page()
                page.feed(path.read_text(errors="replace"))
                yield from page.active

    def _files(self, kind, student, assignment):
        folder = self.root / kind / student / assignment
        return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size < 200 * 2**20]

    def _fingerprints(self):
        found = {}
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root).as_posix()
            if name.startswith(("home/", "audit", "autograded", "feedback", "gradebook", "release", "exercises", ".")):
                continue
            if path.is_symlink():
                found[name] = os.readlink(path)
            elif path.is_file():
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def _changes(self):
        after = self._fingerprints()
        for name in sorted(set(after) | set(self.before)):
            made_by_numba = name.endswith((".nbi", ".nbc")) and "kernel-1." not in name
            new_bytecode = name.endswith(".pyc") and name not in self.before and _is_checked(self.root / name)
            if after.get(name) != self.before.get(name) and not made_by_numba and not new_bytecode:
                yield name


def _is_checked(path):
    """Whether Python compares compiled code with the time of its source (what it writes itself)."""
    return path.read_bytes()[4:8] == bytes(4)


def _total(cells):
    given = [(auto if manual is None else manual, extra) for auto, manual, extra in cells.values()]
    if all(score is None and not extra for score, extra in given):
        return None
    return float(sum((score or 0) + (extra or 0) for score, extra in given))


class Page(html.parser.HTMLParser):
    """A page as a browser reads it: what in it would run, or be fetched from elsewhere."""

    def __init__(self):
        super().__init__()
        self.active, self.inside = [], None

    def handle_starttag(self, tag, given):
        """Note scripts, handlers, and addresses."""
        self.inside = tag if tag in ("script", "style") else self.inside
        for name, value in given:
            value = value or ""
            address = re.sub(r"[\s\x00]", "", value).lower()
            foreign = SCRIPT in value or REMOTE in value
            if foreign and (name.startswith("on") or name in ("srcdoc", "style")):
                self.active.append(f"<{tag} {name}>")
            elif foreign and address.startswith(("javascript:", "vbscript:", "data:text/html", "data:image/svg")):
                self.active.append(f"<{tag} {name}={address[:11]}>")
            elif REMOTE in value and (
                name in ("src", "action", "background", "data", "poster") or tag in ("meta", "base", "link")
            ):
                self.active.append(f"<{tag} {name}> from elsewhere")
            elif tag in ("a", "iframe", "object", "embed") and address.startswith("data:text/html"):
                self.active.append(f"<{tag} {name}=data:text/html>")

    def handle_endtag(self, tag):
        """Leave a script."""
        if tag == self.inside:
            self.inside = None

    def handle_data(self, data):
        """Note foreign text inside a script or a style."""
        if self.inside and (SCRIPT in data or REMOTE in data):
            self.active.append(f"<{self.inside}>")

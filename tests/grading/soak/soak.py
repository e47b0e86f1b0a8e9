"""Grade a drawn class in a scratch course that is killed on its way, and compare what came with what was expected."""

import json
import math
import random
import re
import sqlite3
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.grading.attacks.course import NEIGHBOURS, Course
from tests.grading.attacks.ours import NBGRADER
from tests.grading.attacks.record import FOLDERS, NOTEBOOKS, ROOT, Kit
from tests.grading.soak.draw import QUESTION_IN_WORDS, Student, expect
from tests.grading.soak.killing import RESULT

FOLDER, NOTEBOOK = FOLDERS["chapter"], NOTEBOOKS["chapter"]


@dataclass(frozen=True)
class Grade:
    """What one student has: the gradebook's cells and total, who waits for a person, and the audit record."""

    cells: dict
    points: float
    by_hand: frozenset
    record: dict = field(repr=False)


@dataclass(frozen=True)
class Soak:
    """What a soak left behind.

    Attributes
    ----------
    course : Course
    grades : dict of str to Grade
        By student.
    submissions : dict of str to int
        How many the gradebook holds.
    lines : dict of str to int
        How often the log has a result of the student.
    starts, ends : int
        Runs that began and that came to their end, by the log.
    killing : dict
        What `tests.grading.soak.killing` saw.
    """

    course: Course = field(repr=False)
    grades: dict = field(repr=False)
    submissions: dict = field(repr=False)
    lines: dict = field(repr=False)
    starts: int
    ends: int
    killing: dict = field(repr=False)

    def memory(self):
        """Return the writer's memory in each run: pairs of the results so far, and resident bytes."""
        return [run["memory"] for run in self.killing["runs"]]


def neighbours():
    """Return the two honest neighbours that every scratch course has."""
    return [Student(name, "right", "neighbour", None, expect(())) for name in NEIGHBOURS]


def draw_kills(count, seed):
    """Return when what is killed: two times the batch and one worker, at random but well inside the run."""
    rng = random.Random(f"kills {seed}")
    first, second = rng.uniform(0.1, 0.4), rng.uniform(0.5, 0.85)
    worker = rng.choice([rng.uniform(0.05, first - 0.02), rng.uniform(first + 0.02, second - 0.02)])
    kills = {"batch": (first, second), "worker": (worker,)}
    return sorted((math.ceil(share * count), what) for what, shares in kills.items() for share in shares)


def soak(students, folder, seed):
    """Grade these students with the real command; return a `Soak`."""
    course = Course(folder / "course", source="solutions", config=(ROOT / "nbgrader_config.py").read_text())
    course.add_assignment("chapter")
    for student in students:
        student.handed.write(course.root / "submitted" / student.name)
    tmp = folder / "tmp"
    tmp.mkdir()
    audit = course.root / "audit" / FOLDER
    grade = [sys.executable, "-m", "acme_lib.cli", "grade", FOLDER, "--seed", str(seed)]
    plan = {
        "command": ["env", f"TMPDIR={tmp}", *grade],
        "seed": seed,
        "kills": draw_kills(len(students), seed),
        "log": str(audit / "grade.log"),
        "audit": str(audit),
        "output": str(folder / "output"),
        "tmp": str(tmp),
        "seen": str(folder / "killing.json"),
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    killing = [sys.executable, str(Path(__file__).with_name("killing.py")), str(folder / "plan.json")]
    commands = [[*NBGRADER, "generate_assignment", FOLDER], killing, grade]
    course.run(commands, seconds=3 * 3600, memory=16 * 2**30, nested=True)
    log = (audit / "grade.log").read_text(encoding="utf-8").splitlines()
    found = [match[1] for line in log if (match := RESULT.match(line))]
    return Soak(
        course=course,
        grades=read_grades(course.root),
        submissions=_count_submissions(course.root),
        lines=Counter(found),
        starts=sum(re.search(r"^\S+ start: ", line) is not None for line in log),
        ends=sum(re.search(r"^\S+ end: ", line) is not None for line in log),
        killing=json.loads(Path(plan["seen"]).read_text()),
    )


def _query(root, text):
    connection = sqlite3.connect(f"file:{root / 'gradebook.db'}?mode=ro", uri=True)
    try:
        return connection.execute(text, (FOLDER,)).fetchall()
    finally:
        connection.close()


def read_grades(root):
    """Return all grades, from the gradebook's tables and the audit records."""
    rows = _query(
        root,
        """SELECT s.student_id, c.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade FROM grade g
           JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id
           JOIN submitted_assignment s ON s.id = n.assignment_id JOIN assignment a ON a.id = s.assignment_id
           WHERE a.name = ?""",
    )
    found = {}
    for student, cell, *given in rows:
        found.setdefault(student, {})[cell] = given
    return {student: _grade_of(root, student, cells) for student, cells in found.items()}


def _grade_of(root, student, cells):
    path = root / "audit" / FOLDER / student / f"{NOTEBOOK}.json"
    return Grade(
        cells={name: auto for name, (auto, *_) in cells.items()},
        points=math.fsum((m if m is not None else a or 0) + (e or 0) for a, m, e, _ in cells.values()),
        by_hand=frozenset(name for name, (*_, waits) in cells.items() if waits),
        record=json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {},
    )


def _count_submissions(root):
    text = """SELECT s.student_id, COUNT(*) FROM submitted_assignment s JOIN assignment a ON a.id = s.assignment_id
              WHERE a.name = ? GROUP BY s.student_id"""
    return dict(_query(root, text))


def compare(student, grade):
    """Return what differs from what is expected of a student; empty where nothing does."""
    if grade is None or not grade.record:
        return ["no grade" if grade is None else "no audit record"]
    expected, status, found = student.expected, grade.record["status"], []
    if status not in ("graded", "unreadable") or expected.status not in ("", status):
        found.append(f"{status} ({grade.record['reason']}); expected {expected.status or 'graded or unreadable'}")
    refused = not expected.status and status == "unreadable"
    points = 0.0 if refused else expected.points
    if points is not None and grade.points != points:
        found.append(f"{grade.points:g} points; expected {points:g}")
    if expected.cells is not None:
        found += [
            f"{name}: {grade.cells.get(name)}; expected {score}; {_message(grade, name)}"
            for name, score in expected.cells.items()
            if grade.cells.get(name, "nothing") != score
        ]
    if unsettled := [name for name in Kit().tests if grade.cells.get(name) is None]:
        found.append(f"without points: {', '.join(unsettled)}")
    if expected.by_hand is not None and grade.by_hand != expected.by_hand:
        found.append(f"waits for a person: {sorted(grade.by_hand)}; expected {sorted(expected.by_hand)}")
    if expected.by_hand is None and status == "graded" and grade.by_hand - {QUESTION_IN_WORDS}:
        found.append(f"waits for a person: {sorted(grade.by_hand)}")
    recorded = {name: entry["score"] for name, entry in grade.record["scores"].items()}
    if recorded != grade.cells:
        found.append("the audit record has other scores than the gradebook")
    return found


def _message(grade, name):
    return repr(grade.record["scores"].get(name, {}).get("message", ""))[:300]


def differences(students, grades):
    """Return what differs, by student and what it was drawn as; empty where every grade is as expected."""
    every = {f"{s.name} ({s.drawn})": compare(s, grades.get(s.name)) for s in students}
    strangers = sorted(set(grades) - {s.name for s in students})
    return {name: found for name, found in every.items() if found} | {name: ["unknown"] for name in strangers}


def spoilt(student):
    """Return the student with a wrong expectation: by one point where points are known, else by the status."""
    expected = student.expected
    if expected.cells is not None:
        name = next(name for name, score in expected.cells.items() if score is not None)
        changed = replace(expected, cells=expected.cells | {name: expected.cells[name] + 1})
    elif expected.points is not None and expected.status:
        changed = replace(expected, points=expected.points + 1)
    else:
        changed = replace(expected, status="neither")
    return replace(student, expected=changed)


def describe(result, students, seed):
    """Return the soak in words."""
    kinds = Counter(student.kind for student in students)
    judged = sorted(((g.record.get("seconds", 0.0), s) for s, g in result.grades.items()), reverse=True)
    total = sum(seconds for seconds, _ in judged)
    memory = [[bytes_ / 2**20 for _, bytes_ in run if bytes_] for run in result.memory()]
    runs = result.killing["runs"]
    each = ", ".join(f"{run['seconds']:.0f}" for run in runs)
    seconds = sum(run["seconds"] for run in runs)
    drawn = {student.name: student.drawn for student in students}
    return "\n".join(
        [
            f"seed {seed}: {len(students)} submissions: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()),
            f"{seconds:.0f} s in {len(runs)} runs ({each}), "
            f"{seconds / len(students):.2f} s each; judged {total:.0f} s, half of it in "
            f"{_count_of_half(judged)} submissions",
            "kills: " + ", ".join(f"{kill['what']} after {kill['results']}" for kill in result.killing["kills"]),
            f"orphans ended after at most {max(result.killing['orphans'], default=0):.1f} s",
            "writer's memory (MB) in each run, at its quarters: "
            + "; ".join(", ".join(f"{m[min(len(m) - 1, len(m) * i // 4)]:.0f}" for i in range(5)) for m in memory if m),
            "slowest: " + ", ".join(f"{drawn.get(name, name)} {seconds:.0f} s" for seconds, name in judged[:12]),
            f"left in the temporary folder: {len(result.killing['scratch'])}",
        ]
    )


def _count_of_half(judged):
    total, passed = sum(seconds for seconds, _ in judged), 0.0
    for count, (seconds, _) in enumerate(judged, start=1):
        passed += seconds
        if passed >= total / 2:
            return count
    return len(judged)

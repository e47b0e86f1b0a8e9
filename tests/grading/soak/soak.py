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

from tests.grading.attacks.course import Course
from tests.grading.attacks.record import NEIGHBOURS, ROOT, Kit, assignments
from tests.grading.soak.draw import Student, expect, key_of
from tests.grading.soak.killing import RESULT


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
    grades : dict of (str, str) to Grade
        By assignment and student.
    submissions : dict of (str, str) to int
        How many the gradebook holds.
    lines : dict of (str, str) to int
        How often the log of the assignment has a result of the student.
    starts, ends : dict of str to int
        Runs that began and that came to their end, by the log of each assignment.
    killing : dict
        What `tests.grading.soak.killing` saw.
    """

    course: Course = field(repr=False)
    grades: dict = field(repr=False)
    submissions: dict = field(repr=False)
    lines: dict = field(repr=False)
    starts: dict
    ends: dict
    killing: dict = field(repr=False)

    def memory(self):
        """Return the writer's memory in each run: pairs of the results so far, and resident bytes."""
        return [run["memory"] for run in self.killing["runs"]]


def neighbours():
    """Return the two honest neighbours that every assignment of a scratch course has."""
    everywhere = [Kit(assignment) for assignment in assignments()]
    return [
        Student(n, "right", "neighbour", kit.assignment, None, expect(kit, ()))
        for kit in everywhere
        for n in NEIGHBOURS
    ]


def draw_kills(counts, seed):
    """Return when what is killed: in each assignment first a worker, then the batch, at random but well inside the run.

    Parameters
    ----------
    counts : sequence of int
        Submissions to each assignment.
    seed : int

    Returns
    -------
    list of list of (int, str)
        For each assignment numbers of results, and what is killed then.
    """
    rng = random.Random(f"kills {seed}")
    shares = [(("worker", rng.uniform(0.05, 0.3)), ("batch", rng.uniform(0.35, 0.8))) for _ in counts]
    return [[(math.ceil(s * n), what) for what, s in both] for n, both in zip(counts, shares, strict=True)]


def soak(students, folder, seed):
    """Grade these students with the real command; return a `Soak`."""
    course = Course(folder / "course", source="solutions", config=(ROOT / "nbgrader_config.py").read_text())
    tmp = folder / "tmp"
    tmp.mkdir()
    for student in students:
        student.handed.write(course.root / "submitted" / student.name, student.assignment)
    places, batches, grade = assignments(), [], {}
    counts = [sum(student.assignment == place for student in students) for place in places]
    for place, kills in zip(places, draw_kills(counts, seed), strict=True):
        own = [student.name for student in students if student.own and student.assignment == place]
        course.add_assignment(place, own, key_of(seed))
        grade[place] = [sys.executable, "-m", "acme_lib.cli", "grade", place, "--seed", str(seed)]
        audit = course.root / "audit" / place
        batch = {"command": ["env", f"TMPDIR={tmp}", *grade[place]], "kills": kills}
        batches.append(batch | {"log": str(audit / "grade.log"), "audit": str(audit)})
    plan = {
        "batches": batches,
        "seed": seed,
        "output": str(folder / "output"),
        "tmp": str(tmp),
        "seen": str(folder / "killing.json"),
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    killing = [sys.executable, str(Path(__file__).with_name("killing.py")), str(folder / "plan.json")]
    course.run([killing, *grade.values()], seconds=3 * 3600, memory=16 * 2**30, nested=True)
    logs = {b: (course.root / "audit" / b / "grade.log").read_text(encoding="utf-8").splitlines() for b in places}
    return Soak(
        course=course,
        grades={(place, name): grade for place in places for name, grade in read_grades(course.root, place).items()},
        submissions=_count_submissions(course.root),
        lines=Counter((place, m[1]) for place, log in logs.items() for line in log if (m := RESULT.match(line))),
        starts=_count_lines(logs, "start"),
        ends=_count_lines(logs, "end"),
        killing=json.loads(Path(plan["seen"]).read_text()),
    )


def _count_lines(logs, word):
    return {place: sum(re.search(rf"^\S+ {word}: ", line) is not None for line in log) for place, log in logs.items()}


def _query(root, text, *given):
    connection = sqlite3.connect(f"file:{root / 'gradebook.db'}?mode=ro", uri=True)
    try:
        return connection.execute(text, given).fetchall()
    finally:
        connection.close()


def read_grades(root, assignment):
    """Return all grades of an assignment by student, from the gradebook's tables and the audit records."""
    rows = _query(
        root,
        """SELECT s.student_id, c.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade FROM grade g
           JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id
           JOIN submitted_assignment s ON s.id = n.assignment_id JOIN assignment a ON a.id = s.assignment_id
           WHERE a.name = ?""",
        assignment,
    )
    found = {}
    for student, cell, *given in rows:
        found.setdefault(student, {})[cell] = given
    return {student: _grade_of(root, assignment, student, cells) for student, cells in found.items()}


def _grade_of(root, assignment, student, cells):
    path = (root / "audit" / assignment / student / Kit(assignment).file).with_suffix(".json")
    return Grade(
        cells={name: auto for name, (auto, *_) in cells.items()},
        points=math.fsum((m if m is not None else a or 0) + (e or 0) for a, m, e, _ in cells.values()),
        by_hand=frozenset(name for name, (*_, waits) in cells.items() if waits),
        record=json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {},
    )


def _count_submissions(root):
    text = """SELECT a.name, s.student_id, COUNT(*) FROM submitted_assignment s
              JOIN assignment a ON a.id = s.assignment_id GROUP BY a.name, s.student_id"""
    return {(place, student): count for place, student, count in _query(root, text)}


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
    kit = Kit(student.assignment)
    if unsettled := [name for name in kit.tests if grade.cells.get(name) is None]:
        found.append(f"without points: {', '.join(unsettled)}")
    if expected.by_hand is not None and grade.by_hand != expected.by_hand:
        found.append(f"waits for a person: {sorted(grade.by_hand)}; expected {sorted(expected.by_hand)}")
    if expected.by_hand is None and status == "graded" and grade.by_hand - set(kit.words):
        found.append(f"waits for a person: {sorted(grade.by_hand)}")
    recorded = {name: entry["score"] for name, entry in grade.record["scores"].items()}
    if recorded != grade.cells:
        found.append("the audit record has other scores than the gradebook")
    return found


def _message(grade, name):
    return repr(grade.record["scores"].get(name, {}).get("message", ""))[:300]


def differences(students, grades):
    """Return what differs, by student and what it was drawn as; empty where every grade is as expected."""
    every = {f"{s.assignment}, {s.name} ({s.drawn})": compare(s, grades.get((s.assignment, s.name))) for s in students}
    strangers = sorted(set(grades) - {(s.assignment, s.name) for s in students})
    return {n: found for n, found in every.items() if found} | {", ".join(pair): ["unknown"] for pair in strangers}


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
    places = {
        place: [g.record.get("seconds", 0.0) for (p, _), g in result.grades.items() if p == place]
        for place, _ in result.grades
    }
    costs = ", ".join(f"{place} {sum(found) / len(found):.1f}" for place, found in places.items())
    seconds = sum(run["seconds"] for run in runs)
    drawn = {(student.assignment, student.name): student.drawn for student in students}
    return "\n".join(
        [
            f"seed {seed}: {len(students)} submissions: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()),
            f"{seconds:.0f} s in {len(runs)} runs ({each}), "
            f"{seconds / len(students):.2f} s each; judged {total:.0f} s, half of it in "
            f"{_count_of_half(judged)} submissions",
            f"seconds each: {costs}",
            "kills: " + ", ".join(f"{kill['what']} after {kill['results']}" for kill in result.killing["kills"]),
            f"orphans ended after at most {max(result.killing['orphans'], default=0):.1f} s",
            "writer's memory (MB) in each run, at its quarters: "
            + "; ".join(", ".join(f"{m[min(len(m) - 1, len(m) * i // 4)]:.0f}" for i in range(5)) for m in memory if m),
            "slowest: "
            + ", ".join(
                f"{place[:2]} {drawn.get((place, n), n)} {seconds:.0f} s" for seconds, (place, n) in judged[:12]
            ),
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

"""Stock nbgrader and ours on the same submissions to chapter 1's exercises, on the same machine, in one run.

Submissions are drawn from the right and wrong answers that test the exercises; every tenth has functions compiled with
numba. Both grade the same folders; `nbgrader autograde` runs with its own steps, ours with the sandbox on and two
processes. ``ACME_SUBMISSIONS`` sets their number (200), ``ACME_STOCK_SUBMISSIONS`` how many of them stock grades (all;
a serial batch is a straight line, so that fewer give the same cost each).
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tests.benchmarks.table import Row
from tests.grading.exercises import find_exercise

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT, NOTEBOOK = "01_chemical_master_equation", "chemical_master_equation"
STOCK = """
c = get_config()
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.Execute.timeout = 120
"""


def answers_for(number):
    """Return answers of one student: the solutions, some questions answered by a variant that the tests know."""
    exercise = find_exercise(ASSIGNMENT)
    generator = random.Random(number)
    answers = {}
    for question in exercise.questions:
        if generator.random() < 0.25:
            answers[question] = generator.choice([v for v in exercise.wrong if v.exercise == question]).source
    if number % 10 == 0:
        answers["mean_waiting_time"] = next(variant.source for variant in exercise.right if "numba" in variant.source)
    return answers


def make_course(folder, config, count):
    """Make a course directory with `count` submissions; release the assignment."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "solutions", folder / "solutions")
    if config is None:
        shutil.copy(ROOT / "nbgrader_config.py", folder)
    else:
        (folder / "nbgrader_config.py").write_text(config + 'c.CourseDirectory.ignore = ["*.md"]\n')
    run_nbgrader(folder, "generate_assignment", ASSIGNMENT)
    solved = nbformat.read(ROOT / "solutions" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    released = nbformat.read(ROOT / "exercises" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    solutions = {c.metadata.nbgrader.grade_id: c.source for c in solved.cells if "nbgrader" in c.metadata}
    for number in range(count):
        answers = solutions | answers_for(number)
        for cell in released.cells:
            meta = cell.metadata.get("nbgrader", {})
            if meta.get("solution"):
                cell.source = answers[meta["grade_id"]]
        path = folder / "submitted" / f"s{number:04}" / ASSIGNMENT
        path.mkdir(parents=True)
        nbformat.write(released, path / f"{NOTEBOOK}.ipynb")
    return folder


def run_nbgrader(folder, *arguments):
    """Run nbgrader's command."""
    done = subprocess.run([sys.executable, "-m", "nbgrader", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


GRADE = """
import json, resource, sys, threading, time
import psutil
from acme_lib.grade.batch import grade_assignment

largest = 0

def watch():
    global largest
    while True:
        for process in psutil.Process().children(recursive=True):
            try:  # the workers; what they run is in the sandbox, and ends with each submission
                if "far_side" not in " ".join(process.cmdline()):
                    largest = max(largest, process.memory_info().rss)
            except psutil.Error:
                pass
        time.sleep(1.0)

if __name__ == "__main__":
    threading.Thread(target=watch, daemon=True).start()
    summary = grade_assignment(sys.argv[1], sys.argv[2], jobs=int(sys.argv[3]))
    own = resource.getrusage(resource.RUSAGE_SELF)
    judged = sum(line.seconds for line in summary.lines)
    print(json.dumps([summary.seconds, judged, own.ru_utime, own.ru_maxrss * 1024, largest, len(summary.failed)]))
"""


@dataclass(frozen=True)
class Batch:
    """What a batch took: seconds on the wall; of judging, of the sandbox and of the writer; bytes of memory."""

    seconds: float
    judged: float
    sandbox: float
    writer: float
    writer_memory: int
    worker_memory: int


def grade(folder, jobs=2):
    """Grade with ours, in a process of its own; return a `Batch`."""
    script = folder / "grade_all.py"
    script.write_text(GRADE)
    command = [sys.executable, str(script), str(folder), ASSIGNMENT, str(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, judged, writer, writer_memory, worker_memory, failed = json.loads(done.stdout.splitlines()[-1])
    assert failed == 0
    records = [json.loads(path.read_text("utf-8")) for path in (folder / "audit" / ASSIGNMENT).glob("*/*.json")]
    sandbox = sum(record["cpu_seconds"] for record in records)
    return Batch(seconds, judged, sandbox, writer, writer_memory, worker_memory)


def scores_of(folder):
    """Return the total score of each student."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        return {s.student_id: s.score for s in book.assignment_submissions(ASSIGNMENT)}


def run():
    """Compare."""
    count = int(os.environ.get("ACME_SUBMISSIONS", 200))
    stock_count = min(count, int(os.environ.get("ACME_STOCK_SUBMISSIONS", count)))
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch).resolve()
        stock = make_course(scratch / "stock", STOCK, stock_count)
        start = time.perf_counter()
        run_nbgrader(stock, "autograde", ASSIGNMENT)
        stock_each = (time.perf_counter() - start) / stock_count
        ours = make_course(scratch / "ours", None, count)
        batch = grade(ours)
        same = scores_of(stock)
        mine = scores_of(ours)
        differ = [student for student, score in same.items() if mine[student] != score]
    each = batch.seconds / count
    ratio = f"ratio to stock; {count} submissions, two processes; {len(differ)} of {stock_count} scores differ"
    parts = {
        "of it: judged, in one process": (batch.judged, "on the wall"),
        "of that: the student's code": (batch.sandbox, "processor time in the sandbox, start included"),
        "of that: tests, and waiting": (batch.judged - batch.sandbox, ""),
        "of it: the writer": (batch.writer, "processor time, while the others judge"),
    }
    rows = [
        Row("stock nbgrader", "a submission", stock_each, 1.0, "s", f"{stock_count} submissions, start-up included"),
        Row("ours", "a submission", each, stock_each / each, "s", ratio),
    ]
    for name, (taken, note) in parts.items():
        rows.append(Row("ours", name, taken / count, stock_each / (taken / count), "s", note))
    for name, memory in {"the writer": batch.writer_memory, "a worker": batch.worker_memory}.items():
        rows.append(Row("ours", f"memory of {name}", memory / 1e6, memory / 1e9, "MB", "ratio to 1 GB"))
    return rows

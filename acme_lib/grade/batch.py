"""The batch: all submissions of an assignment, each graded or with a stated reason.

The plan says what has to be graded: everything whose submission, source or limits have changed since its audit record
was written, or that has none. A batch that was interrupted resumes when it is started again; its run seed is kept until
it is finished, so that grades depend neither on how often it was interrupted nor on the number of cores.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from acme_lib.checks import readable
from acme_lib.errors import GradingError
from acme_lib.files import write_whole
from acme_lib.grade.book import Book
from acme_lib.grade.course import GradingOptions, find_data, load_course, source_folder
from acme_lib.grade.personal import personalise, read_personal_file
from acme_lib.grade.pool import run_here, run_in_processes, run_on_cluster
from acme_lib.grade.record import grading_key
from acme_lib.grade.source_notebook import parse_master
from acme_lib.grade.submitted_file import read_bytes
from acme_lib.grade.task import Task, seed_of
from acme_lib.grade.timestamp import read_timestamp


@dataclass(frozen=True)
class Line:
    """One line of the summary: a notebook of a student."""

    student: str
    notebook: str
    status: str
    score: float = 0.0
    points: float = 0.0
    by_hand: int = 0
    limits: tuple = ()
    seconds: float = 0.0
    reason: str = ""
    broken: tuple = ()


@dataclass(frozen=True)
class Summary:
    """What a batch did.

    Attributes
    ----------
    lines : tuple of Line
        What was graded in this run, or failed.
    unchanged : int
        Notebooks that were graded before and have not changed.
    seconds : float
    seed : int
        Of the run.
    notes : tuple of str
        What a person has to look at: times that cannot be read, files that lie where nothing is graded.
    """

    lines: tuple
    unchanged: int
    seconds: float
    seed: int = field(repr=False)
    notes: tuple = ()

    @property
    def failed(self):
        """The lines without a grade."""
        return tuple(line for line in self.lines if line.status == "failed")

    def __str__(self):  # noqa: D105 (the class says it)
        count = Counter(line.status for line in self.lines)
        text = [
            f"{count['graded']} graded, {count['unreadable']} unreadable, {count['failed']} failed, "
            f"{self.unchanged} unchanged; {self.seconds:.1f} s"
        ]
        by_hand = sum(line.by_hand > 0 for line in self.lines)
        if by_hand:
            text.append(f"{by_hand} wait for a grade by hand (formgrader shows them)")
        for line in self.lines:
            if line.status != "graded":
                text.append(f"  {line.status:<10} {line.student}/{line.notebook}: {line.reason}")
        broken = Counter(name for line in self.lines for name in line.broken)
        if broken:
            text.append("checks that could not be run, and wait for a grade by hand (they have to be fixed):")
            text += [f"  {name}: in {count} submissions" for name, count in sorted(broken.items())]
        limits = [line for line in self.lines if line.limits]
        if limits:
            text.append("limits hit:")
            text += [f"  {line.student}/{line.notebook}: {', '.join(sorted(set(line.limits)))}" for line in limits[:20]]
            text += [f"  … and {len(limits) - 20} more"] if len(limits) > 20 else []
        if self.notes:
            text += ["to be looked at:", *(f"  {note}" for note in self.notes)]
        slowest = sorted(self.lines, key=lambda line: -line.seconds)[:3]
        if slowest and slowest[0].seconds > 1:
            text.append("slowest: " + ", ".join(f"{line.student} {line.seconds:.1f} s" for line in slowest))
        return "\n".join(map(readable, text))


def grade_assignment(
    root,
    assignment,
    *,
    students=None,
    questions=None,
    everything=False,
    jobs=None,
    scheduler=None,
    seed=None,
    progress=False,
    apart=False,
):
    """Grade the submissions of an assignment.

    Parameters
    ----------
    root : path
        The course: it holds ``nbgrader_config.py``.
    assignment : str
    students : collection of str, optional
        Grade these only, changed or not.
    questions : collection of str, optional
        Run the test cells with these ids only (ids of answers stand for the tests that follow them).
    everything : bool
        Grade also what has not changed.
    jobs : int, optional
        Processes; by default the number of cores. 1 grades in this process.
    scheduler : str, optional
        Address of a Dask scheduler; its workers grade instead.
    seed : int, optional
        Of the run; by default fresh.
    progress : bool
        Show a bar.
    apart : bool
        Whether to grade in other processes also where there is one: what hangs can then be ended.

    Returns
    -------
    Summary

    Raises
    ------
    GradingError
        If nothing can be graded: no source, no gradebook for it, another batch at work.
    """
    config, coursedir = load_course(root)
    root = Path(coursedir.root)
    source = source_folder(coursedir, assignment)
    sources = {path.stem: path.read_text("utf-8") for path in sorted(source.glob("*.ipynb"))}
    if not sources:
        raise GradingError(f"{source} holds no notebook: is {assignment!r} the name of an assignment?")
    masters = {name: parse_master(text, name) for name, text in sources.items()}
    personal = read_personal_file(root)
    only = _find_tests(masters, questions) if questions else None
    options = GradingOptions(config=config)
    audit = root / "audit" / assignment
    audit.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with _alone(audit), Book(coursedir, config, assignment, masters) as book:
        run = _Run(audit, seed)
        log = _Log(audit / "grade.log")
        found, notes = _find_submissions(coursedir, assignment)
        unknown = set(students or ()) - set(found)
        if unknown:
            raise GradingError(f"no submission of {', '.join(sorted(unknown))} to {assignment}")
        chosen = [student for student in found if not students or student in students]
        times = {student: read_timestamp(found[student]) for student in chosen}
        notes += [
            f"{student}: {problem}; say by hand whether this is late"
            for student, (_, problem) in times.items()
            if problem
        ]
        if assignment in personal.released:
            strangers = [student for student in chosen if not personal.secret(assignment, student)]
            notes += [
                f"{student}: was given no numbers of their own; graded with the general ones" for student in strangers
            ]
        template = Task(
            student="",
            assignment=assignment,
            notebook="",
            data=b"",
            unreadable="",
            source="",
            seed=0,
            limits=options.limits,
            require=options.require,
            data_folder=str(data) if (data := find_data(source)) else None,
            course=str(root),
        )
        force = everything or bool(students) or bool(questions)
        plan = _Plan(book, found, sources, template, run, force, only, personal)
        log.write(f"start: {len(chosen)} submissions, {len(sources)} notebooks each, seed {run.seed}")
        todo = plan.choose(chosen)
        unchanged = len(chosen) * len(sources) - len(todo)
        for student in set(chosen) - {student for student, _ in todo}:
            book.correct_time(student, times[student][0])
        jobs = jobs or os.cpu_count() or 1
        tasks = (plan.task(*item) for item in todo)
        if scheduler:
            results = run_on_cluster(tasks, scheduler)
        elif not apart and (jobs == 1 or len(todo) <= 1):
            results = run_here(tasks)
        else:
            results = run_in_processes(tasks, min(jobs, len(todo)))
        lines = []
        with contextlib.closing(results), _Bar(len(todo), progress) as bar:
            for graded in results:
                if graded.status != "failed":
                    graded.record["run_seed"] = run.seed
                    graded.record["key"] = plan.key(graded.student, graded.notebook)
                    if only:
                        graded.record["only"] = sorted(only)
                    book.write(graded, times[graded.student][0])
                if foreign := graded.record.get("foreign"):
                    notes.append(f"{graded.student}: {foreign}")
                line = _line_of(graded)
                lines.append(line)
                log.write(
                    f"{line.student}/{line.notebook}: {line.status}, {line.score:g} of {line.points:g}, "
                    f"{line.seconds:.2f} s{', ' + line.reason if line.reason else ''}"
                )
                bar.step(line)
        run.finish()
        lines.sort(key=lambda line: (line.student, line.notebook))
        summary = Summary(tuple(lines), unchanged, time.monotonic() - start, run.seed, tuple(notes))
        log.write(f"end: {str(summary).splitlines()[0]}")
    return summary


def _line_of(graded):
    scores = graded.record.get("scores", {}).values()
    return Line(
        student=graded.student,
        notebook=graded.notebook,
        status=graded.status,
        score=sum(entry["score"] or 0.0 for entry in scores),
        points=sum(entry["points"] for entry in scores),
        by_hand=sum(entry["score"] is None for entry in scores),
        limits=tuple(entry["limit"] for entry in scores if entry["limit"]),
        seconds=graded.record.get("seconds", 0.0),
        reason=graded.reason,
        broken=tuple(name for name, entry in graded.record.get("scores", {}).items() if entry["broken"]),
    )


def _find_tests(masters, questions):
    """Return the ids of test cells for ids of test cells and of answers."""
    tests = set()
    for master in masters.values():
        current = None
        for name, cell in master.cells.items():
            meta = cell.metadata.nbgrader
            current = name if meta.get("solution") else current
            if meta.get("grade") and not meta.get("solution") and ({name, current} & set(questions)):
                tests.add(name)
    known = {name for master in masters.values() for name in master.cells}
    if not tests:
        raise GradingError(f"no test cell belongs to {', '.join(questions)}; there are {', '.join(sorted(known))}")
    return frozenset(tests)


# nbgrader looks for folders by patterns: what is a pattern, or no name on one line, it does not find again.
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff*?\[\]]")


def _find_submissions(coursedir, assignment):
    """Return the students with a folder for this assignment, and the folders; and what lies there but is not graded."""
    top = Path(coursedir.format_path(coursedir.submitted_directory, "*", assignment)).parent.parent
    found, notes = {}, []
    for path in sorted(top.glob("*/")):
        if path.name.startswith("."):
            continue
        if _UNUSABLE.search(path.name):
            notes.append(f"'{path.name}': nbgrader cannot work with a folder of this name; rename it")
            continue
        loose = sorted(f"'{file.name}'" for file in path.glob("*.ipynb"))
        if loose:
            notes.append(f"{path.name}: {', '.join(loose)} lies outside the folder of any assignment")
        if (path / assignment).is_dir() or (path / assignment).is_symlink():
            found[path.name] = path / assignment
    return found, notes


class _Plan:
    """What has to be graded, and the tasks for it."""

    def __init__(self, book, folders, sources, template, run, force, only, personal):
        self.book, self.folders, self.sources = book, folders, sources
        self.template, self.run, self.force, self.only = template, run, force, only
        self.personal = personal

    def key(self, student, notebook):
        """Return what a grade depends on besides the submission and the seed."""
        secret = self.personal.secret(self.template.assignment, student)
        return grading_key(self.sources[notebook], self.template.limits, self.template.require, secret)

    def choose(self, students):
        known = self.book.find_students()
        todo = []
        for student in students:
            for notebook in self.sources:
                record = self.book.find_record(student, notebook)
                if not self._is_done(student, notebook, record, known):
                    todo.append((student, notebook))
        return todo

    def _is_done(self, student, notebook, record, known):
        if record is None or student not in known or not self.book.autograded(student, notebook).is_file():
            return False
        if record.get("key") != self.key(student, notebook):
            return False
        if self.force:  # again, but only once in a run that was interrupted
            last = record.get("regraded", [{}])[-1].get("seed") if self.only else record.get("seed")
            done_in_this_run = record.get("run_seed") == self.run.seed and last == self._seed(student, notebook)
            return done_in_this_run and self.run.continued
        data, _ = self.read(student, notebook)
        return record.get("submission_sha256") == hashlib.sha256(data).hexdigest()

    def _may_stay(self, record, student, notebook, data):
        """Whether what a record says of other questions still holds: the same answers, points, tests and limits."""
        same_answers = record["submission_sha256"] == hashlib.sha256(data).hexdigest()
        return same_answers and record.get("key") == self.key(student, notebook)

    def _seed(self, student, notebook):
        return seed_of(self.run.seed, student, notebook)

    def read(self, student, notebook):
        return read_bytes(self.folders[student] / f"{notebook}.ipynb")

    def task(self, student, notebook):
        data, unreadable = self.read(student, notebook)
        record = self.book.find_record(student, notebook) if self.only else None
        return replace(
            self.template,
            student=student,
            notebook=notebook,
            data=data,
            unreadable=unreadable,
            source=personalise(
                self.sources[notebook], self.personal.secret(self.template.assignment, student), student
            ),
            seed=self._seed(student, notebook),
            only=self.only if record is not None and self._may_stay(record, student, notebook, data) else None,
        )


class _Run:
    """The seed of a run, kept in a file until the run is finished."""

    def __init__(self, folder, seed):
        self.path = folder / "run.json"
        before = {}
        with contextlib.suppress(OSError, ValueError):
            before = json.loads(self.path.read_text("utf-8"))
        self.continued = before.get("unfinished", False) and seed in (None, before.get("seed"))
        self.seed = before["seed"] if self.continued else (secrets.randbits(62) if seed is None else int(seed))
        self._write(True)

    def finish(self):
        self._write(False)

    def _write(self, unfinished):
        write_whole(self.path, json.dumps({"seed": self.seed, "unfinished": unfinished}) + "\n")


@contextlib.contextmanager
def _alone(folder):
    """Hold the lock of an assignment: there is one writer."""
    import fcntl

    with open(folder / ".lock", "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GradingError("another batch is grading this assignment; wait for it, or end it") from None
        yield


class _Log:
    def __init__(self, path):
        self.path = path

    def write(self, text):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {readable(text)}\n")


class _Bar:
    """A progress bar with counts and the time left."""

    def __init__(self, total, shown):
        from tqdm import tqdm

        self.bar = tqdm(total=total, disable=not shown, unit="notebook", dynamic_ncols=True)
        self.count = Counter()

    def step(self, line):
        self.count[line.status] += 1
        self.bar.set_postfix({name: n for name, n in self.count.items() if name != "graded"}, refresh=False)
        self.bar.update()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()

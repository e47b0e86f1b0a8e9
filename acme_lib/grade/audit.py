"""The audit: what is written down about each grade, and grades made again from it.

A record lies in ``audit/ASSIGNMENT/STUDENT/NOTEBOOK.json``. It holds the hashes of what was handed in and of the
source, the seed from which all random numbers follow, limits, guards and versions, and what each test cell gave.
`make_again` judges the same submission in the same way and compares.
"""

import json
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from acme_lib.errors import GradingError


def audit_record(judgement, master, sandbox, submission_sha256):
    """Return what is needed to see where a grade comes from, and to make it again."""
    return {
        "notebook": master.name,
        "submission_sha256": submission_sha256,
        "source_sha256": master.sha256,
        "seed": judgement.seed,
        "scores": scores_of(judgement),
        "guards": list(sandbox.guards),
        "limits": {name: getattr(sandbox.limits, name) for name in sandbox.limits.__dataclass_fields__},
        "seconds": round(judgement.seconds, 3),
        "cpu_seconds": round(judgement.cpu_seconds, 3),
        "memory": judgement.memory,
        "graded_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions(),
    }


def scores_of(judgement):
    """Return what each graded cell gave, as plain data."""
    return {
        name: {
            "score": outcome.score,
            "points": outcome.points,
            "limit": outcome.limit,
            "broken": outcome.broken,
            "slips": list(outcome.slips),
            "message": outcome.message,
        }
        for name, outcome in judgement.outcomes.items()
    }


def versions():
    """Return the versions of what a grade may depend on."""
    import platform
    from importlib.metadata import version

    from acme_lib import __version__

    packages = {name: version(name) for name in ("numpy", "scipy", "numba", "nbgrader")}
    return {"acme": __version__, "python": platform.python_version(), **packages}


def read_record(path):
    """Return an audit record, or None where there is none that can be read."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def audit_path(coursedir, student, assignment, notebook):
    """Return where the audit record of a notebook lies."""
    return Path(coursedir.root, "audit", assignment, student, f"{notebook}.json")


def write_audit(coursedir, student, assignment, notebook, record):
    """Write an audit record, whole or not at all."""
    path = audit_path(coursedir, student, assignment, notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def write_whole(path, text):
    """Write a file such that it is there either whole or not at all."""
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(scratch, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
    os.replace(scratch, path)


@dataclass(frozen=True)
class Again:
    """A grade that was made again.

    Attributes
    ----------
    student, notebook : str
    differences : tuple of str
        In words; empty where each score and message is the same.
    remarks : tuple of str
        What may explain differences: other versions, other guards.
    """

    student: str
    notebook: str
    differences: tuple
    remarks: tuple = ()


def make_again(root, assignment, students=None):
    """Judge submissions again as their audit records say, and compare; nothing is written.

    Parameters
    ----------
    root : path
        The course.
    assignment : str
    students : collection of str, optional
        All with a record, if not given.

    Yields
    ------
    Again

    Raises
    ------
    GradingError
        If there is no record to start from.
    """
    from acme_lib.grade.batch import load_course
    from acme_lib.grade.boundary.sandbox import Limits, Sandbox
    from acme_lib.grade.nbgrader_steps import find_data, find_master

    config, coursedir = load_course(root)
    folder = Path(coursedir.root, "audit", assignment)
    records = sorted(folder.glob("*/*.json"))
    found = {path.parent.name for path in records}
    missing = sorted(set(students or ()) - found) if found else ["anybody"]
    if missing:
        raise GradingError(f"{folder} holds no record of {', '.join(missing)}")
    sandbox, kept = None, None
    try:
        for path in records:
            student, notebook = path.parent.name, path.stem
            if students and student not in students:
                continue
            record = read_record(path)
            if record is None:
                yield Again(student, notebook, ("the audit record cannot be read",))
                continue
            master, source = find_master(coursedir, assignment, notebook, config)
            settings = (master.forbidden, json.dumps(record["limits"], sort_keys=True))
            if settings != kept:
                if sandbox is not None:
                    sandbox.close()
                limits, data = Limits(**record["limits"]), find_data(source)
                sandbox = Sandbox(forbidden=master.forbidden, limits=limits, data=data, course=coursedir.root)
                kept = settings
            submitted = coursedir.format_path(coursedir.submitted_directory, student, assignment)
            yield _make_again(record, master, sandbox, Path(submitted) / f"{notebook}.ipynb")
    finally:
        if sandbox is not None:
            sandbox.close()


def _make_again(record, master, sandbox, path):
    from acme_lib.grade.judge import judge_notebook
    from acme_lib.grade.submission import read_submission, rebuild

    again = (record["student"], master.name)
    submission = read_submission(path, master)
    changed = []
    if submission.sha256 != record["submission_sha256"]:
        changed.append("the submission is not the one that was graded")
    if master.sha256 != record["source_sha256"]:
        changed.append("the source is not the one that it was graded with")
    if changed:
        return Again(*again, tuple(changed))
    seeds = dict.fromkeys(record["scores"], record["seed"])
    for later in record.get("regraded", []):
        seeds |= dict.fromkeys(later["only"], later["seed"])
    scores = {}
    for seed in sorted(set(seeds.values())):
        only = {name for name in seeds if seeds[name] == seed}
        judgement = judge_notebook(rebuild(master, submission), master, sandbox, seed=seed, only=only)
        made = scores_of(judgement)
        scores |= {name: made[name] for name in only if name in made}
    differences = [
        f"{name}: {key} was {before[key]!r}, is {scores.get(name, {}).get(key)!r}"
        for name, before in record["scores"].items()
        for key in ("score", "message")
        if scores.get(name, {}).get(key) != before[key]
    ]
    return Again(*again, tuple(differences), tuple(_find_changes(record, sandbox)))


def _find_changes(record, sandbox):
    now = versions()
    for name, version in record["versions"].items():
        if now.get(name) != version:
            yield f"graded with {name} {version}, now {now.get(name)}"
    if list(sandbox.guards) != record["guards"]:
        yield f"graded behind {', '.join(record['guards'])}, now {', '.join(sandbox.guards)}"
    if any(entry["limit"] for entry in record["scores"].values()):
        yield "a limit was hit: on another machine, or a busier one, it may be hit elsewhere"

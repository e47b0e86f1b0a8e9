"""The audit of an assignment: each grade recomputed from its record, and compared with the grade that stands."""

from dataclasses import dataclass
from pathlib import Path

from acme_lib.errors import GradingError
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.boundary.sandbox import shared_sandbox
from acme_lib.grade.course import find_data, find_master, load_course
from acme_lib.grade.judge import judge_notebook
from acme_lib.grade.record import read_record, scores_of, versions
from acme_lib.grade.submission import read_submission, rebuild

_LIMITS = set(Limits.__dataclass_fields__)
_NEEDED = {"student", "submission_sha256", "source_sha256", "seed", "scores", "limits", "guards", "versions"}


@dataclass(frozen=True)
class Recomputed:
    """A grade that was recomputed, beside the one that stands.

    Attributes
    ----------
    student, notebook : str
    differences : tuple of str
        In words; empty where each score is the same.
    remarks : tuple of str
        Messages that read otherwise now, and what may explain differences: other versions, other guards.
    """

    student: str
    notebook: str
    differences: tuple
    remarks: tuple = ()


def recompute(root, assignment, students=None):
    """Recompute grades as their audit records say, and compare; nothing is written.

    Parameters
    ----------
    root : path
        The course.
    assignment : str
    students : collection of str, optional
        All with a record, if not given.

    Yields
    ------
    Recomputed

    Raises
    ------
    GradingError
        If there is no record to start from.
    """
    config, coursedir = load_course(root)
    folder = Path(coursedir.root, "audit", assignment)
    records = sorted(folder.glob("*/*.json"))
    found = {path.parent.name for path in records}
    missing = sorted(set(students or ()) - found) if found else ["anybody"]
    if missing:
        raise GradingError(f"{folder} holds no record of {', '.join(missing)}")
    for path in records:
        student, notebook = path.parent.name, path.stem
        if students and student not in students:
            continue
        record = read_record(path)
        if record is None:
            yield Recomputed(student, notebook, ("the audit record cannot be read",))
            continue
        master, source = find_master(coursedir, assignment, notebook, config, student=student)
        submitted = coursedir.format_path(coursedir.submitted_directory, student, assignment)
        if lacking := sorted(_NEEDED - set(record)):
            yield Recomputed(student, notebook, (f"the audit record lacks {', '.join(lacking)}",))
            continue
        sandbox = shared_sandbox(
            forbidden=master.forbidden,
            limits=Limits(**{name: record["limits"][name] for name in _LIMITS & set(record["limits"])}),
            data=find_data(source),
            course=coursedir.root,
        )
        yield _recompute(record, master, sandbox, Path(submitted) / f"{notebook}.ipynb")


def _recompute(record, master, sandbox, path):
    whose = (record["student"], master.name)
    submission = read_submission(path, master)
    changed = []
    if submission.sha256 != record["submission_sha256"]:
        changed.append("the submission is not the one that was graded")
    if master.sha256 != record["source_sha256"]:
        changed.append("the source is not the one that it was graded with")
    if changed:
        return Recomputed(*whose, tuple(changed))
    seeds = dict.fromkeys(record["scores"], record["seed"])
    for later in record.get("regraded", []):
        seeds |= dict.fromkeys(later["only"], later["seed"])
    scores = {}
    for seed in sorted(set(seeds.values())):
        only = {name for name in seeds if seeds[name] == seed}
        judgement = judge_notebook(rebuild(master, submission), master, sandbox, seed=seed, only=only)
        made = scores_of(judgement)
        scores |= {name: made[name] for name in only if name in made}
    differences, remarks = [], []
    for name, before in record["scores"].items():
        now = scores.get(name, {})
        if now.get("score") != before["score"]:
            differences.append(f"{name}: score was {before['score']!r}, is {now.get('score')!r}")
        elif now.get("message") != before["message"]:
            remarks.append(f"{name}: its message reads otherwise now")
    return Recomputed(*whose, tuple(differences), (*remarks, *_find_changes(record, sandbox)))


def _find_changes(record, sandbox):
    now = versions()
    for name, version in record["versions"].items():
        if now.get(name) != version:
            yield f"graded with {name} {version}, now {now.get(name)}"
    if list(sandbox.guards) != record["guards"]:
        yield f"graded behind {', '.join(record['guards'])}, now {', '.join(sandbox.guards)}"
    if other := _LIMITS ^ set(record["limits"]):
        yield f"graded when other limits held: {', '.join(sorted(other))}"
    if any(entry["limit"] for entry in record["scores"].values()):
        yield "a limit was hit: on another machine, or a busier one, it may be hit elsewhere"

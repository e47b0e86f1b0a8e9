"""The audit record: what is written down about each grade, so that it can be explained and recomputed.

A record lies in ``audit/ASSIGNMENT/STUDENT/NOTEBOOK.json``. It holds the hashes of what was handed in and of the
source, the seed from which all random numbers follow, limits, guards and versions, and what each test cell gave.
"""

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path

from acme_lib.files import write_whole


def audit_record(judgement, master, sandbox, submission_sha256):
    """Return what is needed to see where a grade comes from, and to recompute it."""
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


def grading_key(source, limits, require, secret=""):
    """Return a hash of what a grade depends on besides submission and seed: version, source, limits, guards asked.

    And, of a student who was given numbers of their own, the secret from which they follow.
    """
    from acme_lib import __version__

    basis = [__version__, source, asdict(limits), require, *filter(None, [secret])]
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def scores_of(judgement):
    """Return what each graded cell gave, as plain data."""
    return {
        name: {
            "score": outcome.score,
            "points": outcome.points,
            "limit": outcome.limit,
            "broken": outcome.broken,
            "look": outcome.look,
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
    write_whole(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")

"""Grading that can be trusted: a student's code and the tests never share a process.

`course` says where the course lies and what it configures, and `source_notebook` what is graded; `submission` takes
the answers out of what came in (`submitted_file`, `timestamp`) and rebuilds the notebook, `judge` runs the test cells
on the trusted side, and `nbgrader_steps` puts all of it into nbgrader's own ``autograde``. `batch` grades a class:
`task` is one submission, `pool` runs tasks, `book` alone writes to the gradebook, and `record` keeps what `audit`
recomputes. `boundary` stands between student and test. What reads a finished gradebook is `acme_lib.report`.

Names are loaded when they are first used.
"""

import importlib

_HOMES = {
    "acme_lib.grade.batch": ["Summary", "grade_assignment"],
    "acme_lib.grade.judge": ["Judgement", "judge_notebook"],
    "acme_lib.grade.boundary.guards": ["Limits", "find_guards"],
    "acme_lib.grade.boundary.sandbox": ["Sandbox"],
    "acme_lib.grade.boundary.stand_in": ["RemoteDoor", "StandIn"],
    "acme_lib.grade.boundary.student": ["FarSide"],
    "acme_lib.grade.source_notebook": ["Master"],
    "acme_lib.grade.submission": ["Submission", "read_submission", "rebuild"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"acme_lib.grade has no name {name!r}; it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])

"""Grading that can be trusted: a student's code and the tests never share a process.

`sandbox` holds the boundary, `judge` runs the test cells on the trusted side, `submission` reads what came in and
rebuilds the notebook, `nbgrader_steps` puts all of it into nbgrader's own ``autograde``. `batch` grades a class: `task`
is one submission, `pool` runs tasks, `book` alone writes to the gradebook. `far_side`, `lockdown` and `wire` are what
runs inside the sandbox. What reads a finished gradebook stands beside it: `marks`, `exports`, `bundles`, `statistics`,
`copying`.

Names are loaded when they are first used.
"""

import importlib

_HOMES = {
    "acme_lib.grade.batch": ["Summary", "grade_assignment"],
    "acme_lib.grade.judge": ["Judgement", "judge_notebook"],
    "acme_lib.grade.boundary.sandbox": ["FarSide", "Limits", "RemoteDoor", "Sandbox", "StandIn", "find_guards"],
    "acme_lib.grade.submission": ["Master", "Submission", "read_submission", "rebuild"],
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

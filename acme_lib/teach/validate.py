"""What nbgrader's button Validate says to a learner (`jupyter_lab_config.py` puts it in).

nbgrader's answer shows the whole code of each check that failed, on top of its message, and calls a notebook without
any exercise a success.
"""

import json
from pathlib import Path

from nbgrader.server_extensions.validate_assignment.handlers import ValidateAssignmentHandler

NOTHING = (
    "There is nothing to validate in this notebook: it has no exercises. They are in the folder `exercises`, and "
    "the end of each chapter has a link to its own."
)
_validate = ValidateAssignmentHandler.validate_notebook


def validate_for_learners(handler, path):
    """Answer a click on Validate: for each check that fails its name and its message; a chapter has no checks."""
    target = Path(handler.root_dir, path)
    if target.is_file() and not has_checks(target):
        return {"success": False, "value": NOTHING}
    answer = _validate(handler, path)
    if answer["success"]:
        for cell in answer["value"].get("failed", []):
            name = cell["source"].split("\n")[0]
            cell["source"] = name.lstrip("# ") if name.startswith("#") else cell["source"]
    return answer


def has_checks(path):
    """Return whether a notebook holds a cell that is graded; a file that is no notebook is left to nbgrader."""
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        return any(cell["metadata"].get("nbgrader", {}).get("grade") for cell in cells)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return True


def use_for_learners():
    """Let the server answer so from now on."""
    ValidateAssignmentHandler.validate_notebook = validate_for_learners

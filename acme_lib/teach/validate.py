"""What nbgrader's button Validate says to a learner (`jupyter_lab_config.py` puts it in).

nbgrader's answer shows the whole code of each check that failed, on top of its message, and calls a notebook without
any exercise a success. And it runs a notebook as the learner's machine can: here it runs under the limits of the
grading, so that what passes does not fail there.
"""

import html
import json
from pathlib import Path

import nbformat
from nbgrader import utils
from nbgrader.server_extensions.validate_assignment import handlers
from nbgrader.server_extensions.validate_assignment.handlers import ValidateAssignmentHandler
from nbgrader.validator import Validator

from acme_lib.limits import CALL_SECONDS
from acme_lib.teach.check_slips import RIGHT

NOTHING = (
    "There is nothing to validate in this notebook: it has no exercises. They are in the folder `exercises`, and "
    "the end of each chapter has a link to its own."
)
TOO_SLOW = (
    f"This cell did not come to its end within {CALL_SECONDS:g} seconds, and was stopped. In the grading it is "
    "stopped as well, and what it defines may be missing there."
)
TWICE = (
    "The cell below is there more than once (Jupyter's “Split cell” does that): choose its parts, and “Edit → Merge "
    "Selected Cells”. Its first line is: "
)
ALL_PASSED = "Success! Your notebook passes all the tests."
SOME_PASSED = "What you have done already:"
# nbgrader's dialog calls each of its entries a cell that failed; the last one, three blocks, is not.
_NO_FAILURE = "<style>#validation-message > div:nth-last-child(3) > p { display: none }</style>"
CHECK_SECONDS = 300  # for a cell of checks: each of its calls is timed by itself
# The first cell that is run, and that nobody sees: from then on the kernel holds the limits, and `!` runs nothing.
_HOLD = """\
__import__("acme_lib.limits", fromlist=["hold"]).hold()
get_ipython().system = lambda *_, **__: None
get_ipython().getoutput = lambda *_, **__: []
"""
_validate = ValidateAssignmentHandler.validate_notebook


class GradedAlike(Validator):
    """nbgrader's validator, under the limits of the grading."""

    def _preprocess(self, nb):
        self.config.Execute.timeout_func = _seconds_for
        nb.cells.insert(0, nbformat.v4.new_code_cell(_HOLD))
        try:
            return super()._preprocess(nb)
        finally:
            del nb.cells[0]

    def validate(self, filename):
        """Return nbgrader's results, and, as ``said``, what the questions say that are passed."""
        self._said = []
        return {**super().validate(filename), "said": self._said}

    def _get_passed_cells(self, nb):
        passed = super()._get_passed_cells(nb)
        printed = ("".join(output.get("text", "") for output in cell.get("outputs", ())) for cell in passed)
        said = (f"\n{text}".partition(f"\n{RIGHT}")[2].partition("\n")[2].strip() for text in printed)
        self._said = [text for text in said if text]
        return passed

    def _get_failed_cells(self, nb):
        slow = [cell for cell in nb.cells if cell.cell_type == "code" and not utils.is_grade(cell) and _is_late(cell)]
        return [*slow, *super()._get_failed_cells(nb)]

    def _extract_error(self, cell):
        return TOO_SLOW if _is_late(cell) else super()._extract_error(cell)


def _seconds_for(cell):
    return CHECK_SECONDS if utils.is_grade(cell) else CALL_SECONDS


def _is_late(cell):
    return any(output.get("ename") == "CellTimeoutError" for output in cell.get("outputs", ()))


def validate_for_learners(handler, path):
    """Answer a click on Validate: for each check that fails its name and its message, and what was established.

    A chapter has no checks.
    """
    target = Path(handler.root_dir, path)
    if target.is_file() and not has_checks(target):
        return {"success": False, "value": NOTHING}
    if double := find_double(target):
        return {"success": False, "value": TWICE + double}
    answer = _validate(handler, path)
    if answer["success"]:
        for cell in answer["value"].get("failed", []):
            name = cell["source"].split("\n")[0]
            cell["source"] = name.lstrip("# ") if name.startswith("#") else cell["source"]
        _add_passed(answer["value"])
    return answer


def _add_passed(results):
    """Add what the passed questions establish, as the last entry of nbgrader's dialog."""
    said = "\n\n".join(results.pop("said", ()))
    if said and not results.keys() - {"failed"}:
        source = SOME_PASSED if results.get("failed") else ALL_PASSED
        entry = {"source": source, "error": _NO_FAILURE + html.escape(said, quote=False), "raw_error": said}
        results.setdefault("failed", []).append(entry)


def has_checks(path):
    """Return whether a notebook holds a cell that is graded; a file that is no notebook is left to nbgrader."""
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        return any(cell["metadata"].get("nbgrader", {}).get("grade") for cell in cells)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return True


def find_double(path):
    """Return the first line of a cell whose id another cell has, where nbgrader would show a traceback; else ``""``."""
    try:
        seen = set()
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            if name is not None and name in seen:
                return "".join(cell["source"]).split("\n")[0]
            seen.add(name)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass
    return ""


def use_for_learners():
    """Let the server answer so from now on."""
    handlers.Validator = GradedAlike
    ValidateAssignmentHandler.validate_notebook = validate_for_learners

"""What a learner has predicted and passed, remembered on the learner's own machine.

A small JSON file in the learner's data folder (`record_path`): it survives a new download of the course, nobody else
reads it, and it may be deleted at any time (`forget_record`). ``ACME_RECORD`` names another file, or no file if it is
empty.
"""

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from acme_lib.files import write_whole
from acme_lib.progress import is_quiet
from acme_lib.teach.questions import read_questions

_DAMAGED = ".damaged"


def record_path():
    """Return the path of the record, or None where nothing is to be remembered (nor while notebooks are built)."""
    if is_quiet():
        return None
    named = os.environ.get("ACME_RECORD")
    if named is not None:
        return Path(named) if named else None
    return Path(platformdirs.user_data_dir("acme-course", appauthor=False)) / "predictions.json"


def read_record():
    """Return the record: when each check was first passed; of each prediction the first and the last option, too."""
    return _load()[0]


def is_damaged():
    """Whether there is a record that cannot be read."""
    return not _load()[1]


def _load():
    """Return the entries, and whether they could be read."""
    path = record_path()
    try:
        if path is None or not path.exists():
            return {}, True
        entries = json.loads(path.read_text("utf-8")).items()
        return {key: entry for key, entry in entries if isinstance(entry, dict)}, True
    except (OSError, ValueError, AttributeError, RecursionError):  # it must not stop a lesson
        return {}, False


def remember(key, option, *, right):
    """Add a prediction to the record; what was chosen first stays."""
    _keep(key, {"first": option, "right": bool(right), "when": _now(), **read_record().get(key, {}), "last": option})


def remember_passed(check):
    """Add a check of an exercise that a learner passed; what was there first stays."""
    if not _is_automatic() and check not in read_record():
        _keep(check, {"passed": _now()})


def _is_automatic():
    """Whether notebooks are run to be graded or tested: then nobody has passed anything."""
    return os.environ.get("NBGRADER_EXECUTION") == "autograde" or "PYTEST_CURRENT_TEST" in os.environ


def forget_record():
    """Delete the learner's own record, for good; say what was deleted."""
    path = record_path()
    found = [] if path is None else [file for file in (path, path.with_suffix(_DAMAGED)) if file.is_file()]
    for file in found:
        file.unlink()
    print(f"Deleted: {', '.join(map(str, found))}." if found else "There is no record.")


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")


def _keep(key, entry):
    path = record_path()
    if path is None:
        return
    with contextlib.suppress(OSError):  # a full disk must not stop a lesson
        record, sound = _load()
        if not sound:  # somebody may still mend it
            os.replace(path, path.with_suffix(_DAMAGED))
        text = json.dumps({**record, key: entry}, ensure_ascii=False, indent=1, sort_keys=True)
        write_whole(path, f"{text}\n")  # makes the folder, too


@dataclass(frozen=True)
class PredictionCount:
    """How many predictions of a chapter were made, and how many were right at the first attempt."""

    chapter: int
    asked: int
    made: int
    right: int

    def __str__(self):  # noqa: D105 (the class says it)
        if not self.made:
            return f"You have made none of the {self.asked} predictions of this chapter yet."
        return (
            f"You have made {self.made} of the {self.asked} predictions of this chapter; "
            f"{self.right} {'was' if self.right == 1 else 'were'} right at the first attempt."
        )

    __repr__ = __str__


def my_predictions(chapter):
    """Count the learner's own predictions of a chapter.

    Parameters
    ----------
    chapter : int

    Returns
    -------
    PredictionCount
        The record stays on this machine, in the file `record_path`; delete it to begin again.
    """
    asked, record = read_questions(chapter), read_record()
    made = [record[key] for name in asked if (key := f"{chapter}/{name}") in record]
    return PredictionCount(chapter, len(asked), len(made), sum(bool(entry.get("right")) for entry in made))

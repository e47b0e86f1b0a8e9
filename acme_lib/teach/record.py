"""What a learner has predicted, remembered on the learner's own machine.

A small JSON file in the learner's data folder (`record_path`): it survives a new download of the course, nobody else
reads it, and it may be deleted at any time. ``ACME_RECORD`` names another file, or no file if it is empty.
"""

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from acme_lib.files import write_whole


def record_path():
    """Return the path of the record, or None where nothing is to be remembered."""
    named = os.environ.get("ACME_RECORD")
    if named is not None:
        return Path(named) if named else None
    return Path(platformdirs.user_data_dir("acme-course", appauthor=False)) / "predictions.json"


def read_record():
    """Return the record: for each prediction its first and its last option, whether the first was right, and when."""
    path = record_path()
    if path is None or not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # a record that cannot be read must not stop a lesson
        return {}
    return {key: entry for key, entry in record.items() if isinstance(entry, dict)} if isinstance(record, dict) else {}


def remember(key, option, *, right):
    """Add a prediction to the record; what was chosen first stays."""
    path = record_path()
    if path is None:
        return
    record = read_record()
    first = {"first": option, "right": bool(right), "when": datetime.now(UTC).isoformat(timespec="seconds")}
    record[key] = {**first, **record.get(key, {}), "last": option}
    with contextlib.suppress(OSError):  # a full disk must not stop a lesson
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


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
    from acme_lib.teach.prediction import read_questions

    asked, record = read_questions(chapter), read_record()
    made = [record[key] for name in asked if (key := f"{chapter}/{name}") in record]
    return PredictionCount(chapter, len(asked), len(made), sum(bool(entry.get("right")) for entry in made))

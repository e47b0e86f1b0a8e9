"""What a learner is to pass: the questions of the exercises, and what each says when it is passed.

`acme build` collects it from the assignments, in ``exercises.json`` beside this file.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from acme_lib.teach.record import remember_passed

COLLECTED = Path(__file__).with_name("exercises.json")
_done = set()  # the checks that were passed in this process


@dataclass(frozen=True)
class Question:
    """A question of the exercises.

    Attributes
    ----------
    number : str
    title : str
    checks : tuple of str
        Such as ``"02_noise_metrics/fano_check"``.
    says : str
        What was established, and where it leads.
    """

    number: str
    title: str
    checks: tuple
    says: str = ""


@dataclass(frozen=True)
class Exercises:
    """The exercises to a chapter: what they are about, and their questions."""

    title: str
    questions: tuple


@cache
def read_exercises():
    """Return the exercises by the number of their chapter."""
    found = {}
    for folder, facts in json.loads(COLLECTED.read_text("utf-8")).items():
        questions = [
            Question(
                entry["number"], entry["title"], tuple(f"{folder}/{name}" for name in entry["checks"]), entry["says"]
            )
            for entry in facts["questions"]
        ]
        found[int(folder[:2])] = Exercises(facts["title"], tuple(questions))
    return found


def note_passed(check):
    """Remember that a check is passed; say what that establishes, where it was the last one open of its question.

    Parameters
    ----------
    check : str
        As in `Question`. One that the library does not know, since the notebook is newer, is not remembered.

    Returns
    -------
    str
        Empty where there is nothing to say.
    """
    questions = [question for exercises in read_exercises().values() for question in exercises.questions]
    question = next((question for question in questions if check in question.checks), None)
    if question is None:
        return ""
    remember_passed(check)
    _done.add(check)
    if not question.says or not _done.issuperset(question.checks):
        return ""
    return f"Question {question.number} is done. {question.says}"

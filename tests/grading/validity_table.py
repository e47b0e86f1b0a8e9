"""What the validity tests found, as a page: ``uv run python -m tests.grading.validity_table``.

`tests/grading/test_validity.py` keeps its numbers in ``test-artifacts/validity``, one file for each test, beside a hash
of the text of the assignment. The command writes `solutions/VALIDITY.md` from them; what was not tried with the text as
it is now has a dash.
"""

import hashlib
import json
from pathlib import Path

from acme_lib.build.exercises import load_assignment

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "test-artifacts" / "validity"
PAGE = ROOT / "solutions" / "VALIDITY.md"

HEAD = """\
# How often the checks are right

`uv run pytest -m validity` takes right and wrong answers of the kind that learners write (cells `variants` and `slips`
of the assignments) through the check cells, with values drawn anew each time;
`uv run python -m tests.grading.validity_table` writes this page from what it found. A dash means: not tried since the
text of the assignment was changed.

- **False failures**: right answers that did not pass, and the upper end of the 95 % interval of their rate. A draw is
  one answer through one check, visible and hidden part. Where none fails, the end is about 3 divided by the draws: it
  says how much was tried, and not how often a right answer fails. A check of values has no chance in it; one of random
  answers is made to fail a right one about once in a million.
- **Wrong, but passed**: draws in which a wrong answer passed the hidden part of a check that it must lose.
- **Named rightly**: of the messages to answers with a known misconception, those that name it.
- **Named as another**: messages that name another misconception.
- **Slowest check**: seconds of CPU that the visible part of a check took at most, from the second time on.
"""
COLUMNS = (
    "question",
    "right answers",
    "draws",
    "false failures (95 %)",
    "wrong answers",
    "draws",
    "wrong, but passed",
    "named rightly",
    "named as another",
    "slowest check",
)
WHOLE = (
    "assignment",
    "whole notebooks through the sandbox",
    "with a false failure (95 %)",
    "CPU of one, mean",
    "at most",
)


def at_most(failures, draws):
    """Return the upper bound of a rate: of 95 %, exact, after so many failures."""
    from scipy.stats import beta

    return float(beta.ppf(0.95, failures + 1, draws - failures)) if failures < draws else 1.0


def _version(assignment):
    return hashlib.sha256((ROOT / "solutions" / f"{assignment}.md").read_bytes()).hexdigest()[:16]


def _file(assignment, question, part, folder):
    return folder / f"{assignment.partition('/')[0]}-{question or 'whole'}-{part}.json"


def keep(assignment, question, part, *, folder=KEPT, **facts):
    """Keep what a test found, also where it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    file = _file(assignment, question, part, folder)
    file.write_text(json.dumps(facts | {"version": _version(assignment)}), encoding="utf-8")


def recall(assignment, question, part, *, folder=KEPT):
    """Return what a test found with the text as it is now, or None."""
    try:
        facts = json.loads(_file(assignment, question, part, folder).read_text(encoding="utf-8"))
    except OSError:
        return None
    return facts if facts.pop("version") == _version(assignment) else None


def _failures(facts):
    return f"{facts['failed']} (below {at_most(facts['failed'], facts['draws']):.1g})"


def write_row(question, right, wrong):
    """Return the cells of a question.

    Parameters
    ----------
    question : str
    right, wrong : dict or None
        From `recall`.
    """
    row = [f"`{question}`", *["–"] * (len(COLUMNS) - 1)]
    if right:
        row[1:4] = right["variants"], f"{right['draws']:,}", _failures(right)
        row[9] = f"{right['longest']:.2f} s"
    if wrong:
        named = sum(names.get(key, 0) for key, names in wrong["names"].items())
        without = sum(names.get("no name", 0) for names in wrong["names"].values())
        total = sum(sum(names.values()) for names in wrong["names"].values())
        row[4:7] = wrong["variants"], f"{wrong['draws']:,}", wrong["escaped"]
        row[7:9] = f"{100 * named / total:.1f} %" if total else "–", total - named - without
    return [str(cell) for cell in row]


def _table(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_page(folder=KEPT):
    """Return the page of all assignments."""
    parts, whole = [HEAD], []
    for path in sorted(ROOT.glob("solutions/*/*.md")):
        _, assignment = load_assignment(path)
        rows = [
            write_row(name, *(recall(assignment.name, name, part, folder=folder) for part in ("right", "wrong")))
            for name in assignment.answers
            if assignment.checks_of(name)
        ]
        parts += [f"## Chapter {int(assignment.name[:2])}: {assignment.title}\n", _table(COLUMNS, rows) + "\n"]
        row = [f"`{assignment.name.partition('/')[0]}`", *["–"] * (len(WHOLE) - 1)]
        if facts := recall(assignment.name, "", "engine", folder=folder):
            row[1:] = str(facts["draws"]), _failures(facts), f"{facts['mean']:.1f} s", f"{facts['longest']:.1f} s"
        whole.append(row)
    parts += [
        "## Whole notebooks\n\nEach question has one of its right answers, drawn at random; graded as a submission.\n",
        _table(WHOLE, whole) + "\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")

"""The table of attacks: what was seen in the last run (``results.json``), as a page (``README.md``)."""

import json
from pathlib import Path

from tests.grading.attacks.catalogue import ATTACKS, BY_NAME
from tests.grading.attacks.honest import HONEST
from tests.grading.attacks.record import AUTO_POINTS, CLASSES, LINES, Effect

RESULTS = Path(__file__).with_name("results.json")
README = Path(__file__).with_name("README.md")

HEAD = """\
# Attacks on the grader

What a submission can do to a grader, what stock nbgrader does with it, and what ours does. Each attack is a
small record in this folder (`on_checks.py`, `on_process.py`, `on_files.py`) that makes a submission from the
released notebook of chapter 1. A few comparisons are shown on a second assignment, `plain`, whose tests are
written as in most courses (`assert abs(f(x) - y) < tol`), because the check cells of the chapter do not make
them. {numbers}

Stock is nbgrader as it comes, with its default configuration, in a scratch course with two honest neighbours
(graded first and last). Points are out of 30 in the chapter, of 12 in `plain`. Ours grades all attacks and
all honest submissions of `honest.py` in one batch, with this course's `nbgrader_config.py` and `nbgrader autograde`;
the tests do it with `acme grade` as well. All run contained: in namespaces, with a limit on memory; what would know
no limit (a fork bomb, a full disk) is bounded in the attack itself.

    uv run pytest -m attacks                     # runs both and compares; needs bubblewrap; half an hour
    uv run pytest -m attacks -k caller-frames    # one of them
    uv run python -m tests.grading.attacks       # runs both and writes this page

"""


def read_results():
    """Return what the last run saw."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def describe_stock(attack, seen):
    """Say in a few words what stock nbgrader did."""
    stock = attack.stock
    points = "no grade" if seen.points is None else f"{seen.points:g}/{AUTO_POINTS[stock.assignment]}"
    where = f" ({stock.assignment})" if stock.assignment != "chapter" else ""
    said = {
        Effect.POINTS: f"**{points}**{where}",
        Effect.LOST: f"**{points}**{where} for right answers",
        Effect.UNGRADED: f"**ungraded** ({len(seen.unsettled)} tests without a score)",
        Effect.ABORTED: "**the batch aborts**: the last neighbour has no grade",
        Effect.LEAKED: f"**leaked**{where}: {', '.join(sorted({what.split(' in ')[0] for what in seen.leaked}))}",
        Effect.TAMPERED: _tampered(seen),
        Effect.SURVIVED: f"**{seen.machine['survivors']} process left behind**",
        Effect.ACTIVE: "**the feedback page runs it**: " + ", ".join(f"`{x}`" for x in dict.fromkeys(seen.active)),
        Effect.EXHAUSTED: f"**no limit**: {_amount(stock, seen)}" if stock.effect == Effect.EXHAUSTED else "",
        Effect.NONE: points,
    }[stock.effect]
    return f"{said}; {stock.note}" if stock.note else said


def _tampered(seen):
    lost = [f"{name} has {points:g}" for name, points in seen.neighbours.items() if points not in (30.0, 12.0, None)]
    changed = [f"`{name.rpartition('/')[2]}`" for name in seen.changed]
    changed = changed[:2] + ([f"{len(changed) - 2} more files"] if len(changed) > 2 else [])
    return "**changed**: " + ", ".join([*lost, *changed])


def _amount(stock, seen):
    from tests.grading.attacks.stock import measure

    value = measure(stock, seen)
    return {
        "memory": f"{value / 2**30:.1f} GB of memory",
        "peak": f"{value / 2**20:.0f} MB on disk",
        "disk": f"{value / 2**20:.0f} MB on disk",
        "processes": f"{value:.0f} processes",
        "files": f"{value:,.0f} files",
        "seconds": f"{value:.0f} seconds",
    }[stock.unit]


def describe_ours(attack, seen, problems):
    """Say in a few words what ours did."""
    if problems:
        return "**" + "; ".join(problems) + "**" + (f" ({attack.beats})" if attack.beats else "")
    deserved = attack.deserved("chapter")
    if seen.points is None:
        return "refused, with a reason"
    if attack.flagged:
        return f"{seen.points:g}/30: {attack.flagged}"
    return f"{seen.points:g}/30" + (f" (the {deserved:g} that are honest)" if deserved and deserved < 30 else "")


def page(results):
    """Return the text of the page."""
    real = sum(attack.stock.effect != Effect.NONE for attack in ATTACKS)
    numbers = (
        f"There are {len(ATTACKS)} attacks, of which {real} have an effect on stock nbgrader, "
        f"and {len(HONEST)} honest submissions."
    )
    lines = [HEAD.format(numbers=numbers)]
    lines += ["| attack | class | what it does | stock nbgrader | ours |", "|---|---|---|---|---|"]
    for row in results["attacks"]:
        attack = BY_NAME.get(row["attack"])
        classes = ", ".join(f"{n} {CLASSES[n]}" for n in attack.classes) if attack else ""
        what = _cell(attack.what) if attack else ""
        lines.append(f"| `{row['attack']}` | {classes} | {what} | {_cell(row['stock'])} | {_cell(row['ours'])} |")
    lines += ["", "The attacks that were measured first, before there was a grader of our own:", ""]
    lines += ["| submission | attack |", "|---|---|"]
    by_line = {attack.line: attack.name for attack in ATTACKS if attack.line}
    lines += [f"| {text} | `{by_line.get(key, '')}` |" for key, text in LINES.items()]
    lines += [
        "",
        "## Honest submissions in the same batch",
        "",
        "| student | what | points | ours |",
        "|---|---|---|---|",
    ]
    by_name = {student.name: student for student in HONEST}
    for row in results["honest"]:
        student = by_name.get(row["student"])
        if student:
            lines.append(f"| {student.name} | {_cell(student.what)} | {student.points} | {row['ours']} |")
    return "\n".join(lines) + "\n"


def _cell(text):
    return text.replace("|", "\\|").replace("\n", " ")

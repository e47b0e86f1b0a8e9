"""The table of attacks: what was seen in the last run (``results.json``), as a page (``README.md``)."""

import json
from pathlib import Path

from tests.grading.attacks.catalogue import ATTACKS, BY_NAME
from tests.grading.attacks.honest import HONEST
from tests.grading.attacks.record import CLASSES, LINES, ONE, PLAIN, Effect, Kit, assignments
from tests.grading.exercises import KINDS

RESULTS = Path(__file__).with_name("results.json")
README = Path(__file__).with_name("README.md")

HEAD = """\
# Attacks on the grader

What a submission can do to a grader, what stock nbgrader does with it, and what ours does. Each attack is a
small record in this folder (`on_checks.py`, `on_kinds.py`, `on_process.py`, `on_files.py`) that makes a submission from
a released notebook. {numbers}

An attack on how answers are judged is tried **on a question of each kind of check that it concerns, in every assignment
that has one**; the table below says which these were in the last run. An attack on files, the notebook, the process or
the boundary does not depend on the question: it is tried in the exercises to chapter 1, whose questions it names. A few
comparisons are shown on another assignment, `plain`, whose tests are written as in most courses
(`assert abs(f(x) - y) < tol`), because the check cells of the course do not make them.

Stock is nbgrader as it comes, with its default configuration, in a scratch course with two honest neighbours
(graded first and last). Points are out of 30 in chapter 1, of 12 in `plain`. Ours grades, with this course's
`nbgrader_config.py` and `acme grade`, all attacks and all honest submissions of `honest.py` in one course, a batch for
each assignment, with two honest neighbours in each; the tests do it with `nbgrader autograde` as well, in chapter 1 and
`plain`. All run contained: in namespaces, with a limit on memory; what would know no limit (a fork bomb, a full disk)
is bounded in the attack itself.

    uv run pytest -m attacks                     # runs both and compares; needs bubblewrap; half an hour
    uv run pytest -m attacks -k caller-frames    # one of them
    uv run python -m tests.grading.attacks       # runs both and writes this page

"""


def describe_assignments():
    """Return which questions have a check of which kind, by assignment: what a run attacks."""
    return {a: {kind: Kit(a).questions_of(kind) for kind in Kit(a).kinds} for a in assignments()}


def _short(place):
    return place if place == PLAIN else place.split("_")[0]


def _tried(places, everywhere):
    if set(places) - {PLAIN} == set(everywhere):
        return ", ".join(["all", *(p for p in places if p == PLAIN)])
    return ", ".join(map(_short, places))


def read_results():
    """Return what the last run saw."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def describe_stock(attack, seen):
    """Say in a few words what stock nbgrader did."""
    stock = attack.stock
    points = "no grade" if seen.points is None else f"{seen.points:g}/{Kit(stock.place).points}"
    where = f" ({_short(stock.place)})" if stock.place != ONE else ""
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


def describe_ours(attack, found, problems):
    """Say in a few words what ours did: `found` is what was seen, by assignment."""
    seen = next(iter(found.values()))
    if problems:
        return "**" + "; ".join(problems) + "**" + (f" ({attack.beats})" if attack.beats else "")
    deserved = attack.deserved(ONE)
    if attack.kinds:
        points = {assignment: seen.points or 0 for assignment, seen in found.items() if assignment != PLAIN}
        return "0 in each" if not any(points.values()) else ", ".join(f"{p:g}" for p in points.values())
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
    everywhere = results["assignments"]
    lines += ["| assignment | kinds of checks, and the questions that have them |", "|---|---|"]
    for assignment, kinds in everywhere.items():
        named = "; ".join(f"**{kind}** {', '.join(f'`{q}`' for q in questions)}" for kind, questions in kinds.items())
        lines.append(f"| {assignment} | {named} |")
    lines += ["", "| attack | class | what it does | kinds | tried in | stock nbgrader | ours |", "|" + "---|" * 7]
    for row in results["attacks"]:
        attack = BY_NAME.get(row["attack"])
        classes = ", ".join(f"{n} {CLASSES[n]}" for n in attack.classes) if attack else ""
        what = _cell(attack.what) if attack else ""
        kinds = ("all" if attack.kinds == KINDS else ", ".join(attack.kinds)) if attack else ""
        tried = _tried(row["places"], everywhere)
        told = [f"`{row['attack']}`", classes, what, kinds, tried, _cell(row["stock"]), _cell(row["ours"])]
        lines.append(f"| {' | '.join(told)} |")
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

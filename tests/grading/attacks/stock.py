"""Every attack on stock nbgrader, as it comes: in a scratch course with its own configuration."""

import sys

from tests.grading.attacks.course import Course
from tests.grading.attacks.record import NEIGHBOURS, Effect, Kit

CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "stock"\n'
NBGRADER = (sys.executable, "-m", "nbgrader")


def grade_with_stock(attacks, folder):
    """Return `Seen` by name of attack; those that would change what others do get a course of their own."""
    seen = {}
    together = [attack for attack in attacks if not attack.stock.needs_own_course]
    groups = [("together", together)] if together else []
    groups += [(attack.name, [attack]) for attack in attacks if attack.stock.needs_own_course]
    for name, group in groups:
        course = Course(
            folder / name, source="source", config=CONFIG, own_library=all(attack.stock.own_library for attack in group)
        )
        for assignment in sorted({attack.stock.place for attack in group}):
            course.add_assignment(assignment)
            for attack in group:
                if attack.stock.place == assignment:
                    course.add(attack.name, assignment, attack.submission(assignment))
        steps = ("generate_assignment", "autograde", "generate_feedback")
        commands = [[*NBGRADER, step, a] for a in course.assignments for step in steps]
        course.run(commands, seconds=1500 if len(group) > 1 else 240)
        for attack in group:
            seen[attack.name] = course.observe(attack.name, attack.stock.place)
    return seen


def works(attack, seen):
    """Return why the attack did not have its effect on stock nbgrader, or None."""
    stock = attack.stock
    points = seen.points or 0.0
    full = Kit(stock.place).points
    lost = [name for name in NEIGHBOURS if seen.neighbours[name] != full]
    deserved = attack.deserved(stock.place)
    tests = {
        Effect.POINTS: (points >= stock.amount > 0, f"{points} points"),
        Effect.LOST: (points <= deserved - stock.amount, f"{points} of {deserved} points"),
        Effect.UNGRADED: (seen.points is None or bool(seen.unsettled), f"graded: {points} points"),
        Effect.ABORTED: (seen.neighbours[NEIGHBOURS[1]] is None, f"neighbours: {seen.neighbours}"),
        Effect.LEAKED: (bool(seen.leaked), "nothing leaked"),
        Effect.TAMPERED: (bool(seen.changed or lost), "nothing changed"),
        Effect.SURVIVED: (seen.machine["survivors"] >= stock.amount, "no survivor"),
        Effect.ACTIVE: (bool(seen.active), "the page is inert"),
        Effect.EXHAUSTED: (measure(stock, seen) >= stock.amount, f"{stock.unit}: {measure(stock, seen)}"),
        Effect.NONE: (points <= deserved, f"{points} points: it does apply"),
    }
    worked, otherwise = tests[stock.effect]
    return None if worked else otherwise


def measure(stock, seen):
    """Return what an attack on resources took, in its unit."""
    if stock.unit == "seconds":
        return max(command["seconds"] for command in seen.machine["commands"])
    return seen.machine.get(
        "survivors" if stock.unit == "processes" and stock.effect == Effect.SURVIVED else stock.unit, 0
    )

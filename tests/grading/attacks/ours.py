"""The same attacks on this course's grader, with the honest submissions: a batch for each assignment."""

import sys

from tests.grading.attacks.course import Course
from tests.grading.attacks.record import NEIGHBOURS, ONE, PLAIN, ROOT, Kit

ENTRIES = ("nbgrader autograde", "acme grade")
NBGRADER = (sys.executable, "-m", "nbgrader")


def places_of(attack, entry):
    """Return the assignments in which ours is attacked in this way of grading: `nbgrader autograde` has two of them."""
    return [place for place in attack.places if entry == ENTRIES[1] or place in (ONE, PLAIN)]


def grade_with_ours(attacks, honest, folder, entry=ENTRIES[0]):
    """Grade all that these attacks are on, by nbgrader's own command or by ours; return the `Course`."""
    grade = [*NBGRADER, "autograde"] if entry == ENTRIES[0] else [sys.executable, "-m", "acme_lib.cli", "grade"]
    course = Course(folder / "ours", source="solutions", config=(ROOT / "nbgrader_config.py").read_text())
    used = {
        place: [a for a in attacks if place in places_of(a, entry)] for a in attacks for place in places_of(a, entry)
    }
    if honest:
        used.setdefault(ONE, [])
    commands = []
    for assignment, members in sorted(used.items()):
        course.add_assignment(assignment, [attack.name for attack in members if attack.own_numbers])
        for attack in members:
            course.add(attack.name, assignment, attack.submission(assignment, ours=True))
        steps = [[*NBGRADER, "generate_assignment", assignment], [*grade, assignment]]
        if assignment in (ONE, PLAIN):  # the pages of the others are made alike
            steps.append([*NBGRADER, "generate_feedback", assignment])
        commands += steps
    for student in honest:
        course.add(student.name, ONE, student.submission(Kit()))
    course.run(commands, seconds=3600, memory=16 * 2**30, nested=True)
    return course


def gains(attack, assignment, seen):
    """Return what the attack gained or harmed here; empty where all is well."""
    found = []
    deserved = attack.deserved(assignment)
    if seen.points is None or (attack.may_refuse and seen.points == 0):
        if deserved and not attack.may_refuse:
            found.append(f"ungraded; it deserves {deserved} points")
        elif attack.name not in seen.log:
            found.append("refused without a reason in the log")
    elif seen.points != deserved:
        found.append(f"{seen.points} points; it deserves {deserved}")
    found += [f"leaked: {what}" for what in seen.leaked]
    found += [f"active: {what}" for what in seen.active]
    if any(attack.name in line and "File too large" in line for line in seen.log.split("\n")):
        found.append("copied without a limit")
    for name in NEIGHBOURS:
        if seen.neighbours[name] != Kit(assignment).points:
            found.append(f"{name} has {seen.neighbours[name]} points")
    return found


def effects_on_the_course(seen):
    """Return what the whole batch did to the course and to the machine; empty where all is well."""
    found = [f"changed: {name}" for name in seen.changed]
    if seen.machine["survivors"]:
        found.append(f"{seen.machine['survivors']} processes left behind")
    if seen.machine["late"]:
        found.append("the batch did not end")
    if seen.machine["heard"]:
        found.append("a call was heard over the network")
    return found

"""The same attacks on this course's grader, in one batch with the honest submissions."""

import sys

from tests.grading.attacks.course import NEIGHBOURS, Course
from tests.grading.attacks.record import AUTO_POINTS, FOLDERS, ROOT, Kit

ENTRIES = ("nbgrader autograde", "acme grade")
NBGRADER = (sys.executable, "-m", "nbgrader")


def assignments_of(attack):
    """Return the assignments in which ours is attacked: the real one, and the plain one where stock falls in it."""
    plain = attack.stock.assignment == "plain" and attack.ours_in_plain
    return ("chapter", "plain") if plain else ("chapter",)


def grade_with_ours(attacks, honest, folder, entry=ENTRIES[0]):
    """Grade all in one batch, by nbgrader's own command or by ours; return the `Course`."""
    grade = [*NBGRADER, "autograde"] if entry == ENTRIES[0] else [sys.executable, "-m", "acme_lib.cli", "grade"]
    course = Course(folder / "ours", source="solutions", config=(ROOT / "nbgrader_config.py").read_text())
    used = {assignment for attack in attacks for assignment in assignments_of(attack)}
    for assignment in ("chapter", "plain"):
        if assignment in used or (assignment == "chapter" and honest):
            course.add_assignment(assignment)
    for attack in attacks:
        for assignment in assignments_of(attack):
            course.add(attack.name, assignment, attack.submission(assignment))
    for student in honest:
        course.add(student.name, "chapter", student.submission(Kit("chapter")))
    folders = [FOLDERS[assignment] for assignment in course.assignments]
    commands = []
    for name in folders:
        commands += [[*NBGRADER, "generate_assignment", name], [*grade, name], [*NBGRADER, "generate_feedback", name]]
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
        if seen.neighbours[name] != AUTO_POINTS[assignment]:
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

"""Run every attack on stock nbgrader and on ours, and write the table."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.grading.attacks.catalogue import ATTACKS
from tests.grading.attacks.course import can_contain
from tests.grading.attacks.honest import HONEST
from tests.grading.attacks.ours import ENTRIES, effects_on_the_course, gains, grade_with_ours, places_of
from tests.grading.attacks.record import NEIGHBOURS, ONE
from tests.grading.attacks.stock import grade_with_stock, works
from tests.grading.attacks.table import (
    README,
    RESULTS,
    describe_assignments,
    describe_ours,
    describe_stock,
    page,
    read_results,
)


def main(arguments=None):
    """Parse the command line, run, and write ``results.json`` and ``README.md``; return the number of failures."""
    parser = argparse.ArgumentParser(prog="python -m tests.grading.attacks", description=__doc__)
    parser.add_argument("--page-only", action="store_true", help="write the page from the last run")
    parser.add_argument("--ours-only", action="store_true", help="leave stock nbgrader's column as it was")
    parser.add_argument("--only", nargs="+", metavar="ATTACK", help="these attacks; the other rows stay as they were")
    parser.add_argument("--entry", choices=ENTRIES, default=ENTRIES[1], help="how ours grades (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.page_only:
        README.write_text(page(read_results()), encoding="utf-8")
        return 0
    if missing := can_contain():
        parser.error(missing)
    attacks = [attack for attack in ATTACKS if not options.only or attack.name in options.only]
    before = read_results() if RESULTS.exists() else {"attacks": [], "honest": []}
    rows = {row["attack"]: row for row in before["attacks"]}
    failures = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        stock = {} if options.ours_only else grade_with_stock(attacks, Path(folder, "stock"))
        honest = [] if options.only else HONEST
        course = grade_with_ours(attacks, honest, Path(folder, "ours"), options.entry)
        for attack in attacks:
            row = rows.setdefault(attack.name, {"attack": attack.name, "stock": "not run", "ours": "", "places": []})
            if attack.name in stock:
                seen = stock[attack.name]
                row["stock"] = describe_stock(attack, seen)
                if otherwise := works(attack, seen):
                    failures.append(f"stock, {attack.name}: {otherwise}")
            found = {place: course.observe(attack.name, place) for place in places_of(attack, options.entry)}
            problems = [
                what if place == ONE else f"{place}: {what}"
                for place, seen in found.items()
                for what in gains(attack, place, seen)
            ]
            if found:
                row["ours"], row["places"] = describe_ours(attack, found, problems), list(found)
            if bool(problems) != attack.expected_to_gain(options.entry):
                failures += [f"ours, {attack.name}: {problem}" for problem in problems or ["it gains nothing any more"]]
        results = {
            "assignments": describe_assignments(),
            "attacks": [rows[a.name] for a in ATTACKS if a.name in rows],
            "honest": before["honest"],
        }
        if honest:
            results["honest"] = []
            for student in honest:
                points = course.observe(student.name, ONE).points
                results["honest"].append({"student": student.name, "ours": points})
                if points != student.points:
                    failures.append(f"ours, {student.name}: {points} points of {student.points}")
        failures += [f"ours: {what}" for what in effects_on_the_course(course.observe(NEIGHBOURS[0], ONE))]
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    README.write_text(page(results), encoding="utf-8")
    print("\n".join(failures) or "every attack is real, and none gains anything")
    return len(failures)


if __name__ == "__main__":
    sys.exit(main() > 0)

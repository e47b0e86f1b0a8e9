"""The catalogue is complete, and the table in README.md is the catalogue's. (Grades nothing: part of every run.)"""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from tests.grading.attacks.catalogue import ATTACKS
from tests.grading.attacks.honest import HONEST
from tests.grading.attacks.on_checks import PATCH_CHECKS, PATCH_IMPORT, PATCH_STATISTICS
from tests.grading.attacks.record import CLASSES, LINES, PLAIN, Effect, Kit, Submission, assignments
from tests.grading.attacks.table import page, read_results

README = Path(__file__).with_name("README.md")


def test_every_line_and_every_class_is_attacked():
    assert {attack.line for attack in ATTACKS} - {""} == set(LINES)
    assert {number for attack in ATTACKS for number in attack.classes} == set(CLASSES)
    assert all(attack.classes[0] in CLASSES for attack in ATTACKS)


def test_every_class_has_an_attack_that_works_on_stock_nbgrader():
    working = {number for attack in ATTACKS if attack.stock.effect != Effect.NONE for number in attack.classes}
    assert working == set(CLASSES)


def test_numbers_and_names():
    assert sum(attack.stock.effect != Effect.NONE for attack in ATTACKS) >= 40
    assert len(HONEST) >= 40
    names = Counter(student.name for student in [*ATTACKS, *HONEST])
    assert names.most_common(1)[0][1] == 1


def test_what_does_not_apply_says_why():
    for attack in ATTACKS:
        if attack.stock.effect == Effect.NONE:
            assert attack.stock.note, attack.name


@pytest.mark.parametrize("assignment", [*assignments(), PLAIN])
def test_submissions_are_changes_of_the_release(assignment):
    kit = Kit(assignment)
    released = nbformat.writes(kit.released())
    for attack in ATTACKS:
        if assignment in (*attack.places, attack.stock.place):
            made = attack.submission(assignment)
            assert isinstance(made, Submission)
            assert made.links or made.files.get(kit.file) != released, attack.name
    assert nbformat.writes(kit.released()) == released


def test_the_table_is_that_of_the_last_run():
    assert README.read_text(encoding="utf-8") == page(read_results()), "run `uv run python -m tests.grading.attacks`"
    assert {row["attack"] for row in read_results()["attacks"]} == {attack.name for attack in ATTACKS}
    assert {row["student"] for row in read_results()["honest"]} == {student.name for student in HONEST}


# How many wrong answers fail, one of each file of checks, before a patch and after it.
WRONG = """
import numpy as np

def count():
    from acme_lib.teach import check

    given = {"k": 2.0, "gamma": 1.0, "n0": 0, "t": 1.0, "size": 500, "rng": np.random.default_rng(1)}
    calls = [
        lambda: check.check_ensemble(lambda *_: (np.ones(500), [[0, 0.5, 1]]), given),
        lambda: check.check_values(lambda: 0.0, {}, 1.0),
        lambda: check.check_sealed(lambda: 0.0, "salt", "seal", parts=("one",)),
        lambda: check.check_law(lambda: np.zeros(9), {}, [0.0, 1.0], size=9),
        lambda: check.check_seeding(lambda rng: 0.0, {"rng": given["rng"]}),
        lambda: check.check_coverage(lambda: (1.0, 0.0), lambda rng: ({}, 0.0), {}, between=(0.9, 1.0), samples=9),
    ]
    from acme_lib.teach.check import CheckFailed

    failed = 0
    for call in calls[:NUMBER]:
        try:
            call()
        except CheckFailed:
            failed += 1
    return failed

before = count()
exec(PATCH)
print(before, count())
"""


@pytest.mark.parametrize(("patch", "number"), [(PATCH_CHECKS, 6), (PATCH_IMPORT, 6), (PATCH_STATISTICS, 1)])
def test_a_patch_of_the_checks_reaches_them(patch, number):
    """Where they run in the student's process. A function that moved would else make an attack harmless, unseen."""
    code = WRONG.replace("NUMBER", str(number)).replace("PATCH", repr(patch))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.split(), done.stderr) == ([str(number), "0"], "")

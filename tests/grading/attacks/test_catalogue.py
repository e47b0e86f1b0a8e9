"""The catalogue is complete, and the table in README.md is the catalogue's. (Grades nothing: part of every run.)"""

from collections import Counter
from pathlib import Path

import nbformat
import pytest

from tests.grading.attacks.catalogue import ATTACKS
from tests.grading.attacks.honest import HONEST
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

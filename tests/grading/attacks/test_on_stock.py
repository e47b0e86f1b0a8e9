"""Each attack works on stock nbgrader, so that the case is real: ``pytest -m attacks``, a quarter of an hour.

Stock nbgrader grades the attacks in scratch courses with its own configuration (`tests.grading.attacks.course` says how
they are contained).
"""

import pytest

from tests.grading.attacks.catalogue import ATTACKS
from tests.grading.attacks.course import Seen
from tests.grading.attacks.record import NEIGHBOURS, Effect, Kit
from tests.grading.attacks.stock import grade_with_stock, works

pytestmark = pytest.mark.attacks


@pytest.fixture(scope="module")
def stock(contained, tmp_path_factory, chosen):
    """Return what became of each attack under stock nbgrader; of the selected ones alone."""
    return grade_with_stock([a for a in ATTACKS if a.name in chosen], tmp_path_factory.mktemp("stock"))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_works_on_stock_nbgrader(attack, stock, tmp_path):
    seen = stock[attack.name]
    assert works(attack, seen) is None
    if attack.stock.shown is not None:
        attack.stock.shown(tmp_path)


def test_an_attack_without_effect_is_not_taken_for_one_that_works():
    machine = {"survivors": 0, "late": False, "heard": "", "commands": [{"seconds": 1.0}], "memory": 0, "disk": 0}
    for attack in ATTACKS:
        assignment = attack.stock.place
        neighbours = dict.fromkeys(NEIGHBOURS, float(Kit(assignment).points))
        cells = dict.fromkeys(Kit(assignment).tests, 0.0)
        nothing = Seen(attack.deserved(assignment), cells, (), neighbours, (), (), (), machine, "")
        applies = attack.stock.effect != Effect.NONE and not attack.flagged
        assert (works(attack, nothing) is not None) == applies, attack.name

"""No attack gains anything here, and each honest submission in the same batch gets its points: ``pytest -m attacks``.

About a quarter of an hour; see `tests.grading.attacks.course` for how it is contained.
"""

from functools import cache

import pytest

from tests.grading.attacks.catalogue import ATTACKS
from tests.grading.attacks.course import Seen
from tests.grading.attacks.honest import HONEST
from tests.grading.attacks.ours import ENTRIES, effects_on_the_course, gains, grade_with_ours, places_of
from tests.grading.attacks.record import NEIGHBOURS, ONE, WORDS, Kit

pytestmark = pytest.mark.attacks


@pytest.fixture(scope="module")
def courses(contained, tmp_path_factory, chosen):
    """Return a function that grades the selected attacks and honest submissions (all, where none is), once each way."""
    attacks = [a for a in ATTACKS if a.name in chosen or not chosen]
    honest = [h for h in HONEST if h.name in chosen or not chosen]
    return cache(lambda entry: grade_with_ours(attacks, honest, tmp_path_factory.mktemp("ours"), entry))


@pytest.fixture(params=ENTRIES)
def ours(courses, request):
    """Return the course in which ours has graded."""
    return courses(request.param)


def _expected(entry, attack):
    gap = attack.expected_to_gain(entry)
    marks = [pytest.mark.xfail(reason=attack.beats, strict=True)] if gap else []
    return pytest.param(entry, attack, id=f"{attack.name}-{entry.split()[0]}", marks=marks)


@pytest.mark.parametrize(
    ("ours", "attack"),
    [_expected(entry, attack) for entry in ENTRIES for attack in ATTACKS if places_of(attack, entry)],
    indirect=["ours"],
)
def test_it_gains_nothing_here(attack, ours):
    tried = [assignment for assignment in attack.places if assignment in ours.assignments]
    gained = {assignment: gains(attack, assignment, ours.observe(attack.name, assignment)) for assignment in tried}
    assert gained == dict.fromkeys(tried, [])
    assert tried


@pytest.mark.parametrize("honest", HONEST, ids=lambda honest: honest.name)
def test_an_honest_submission_gets_its_points(honest, ours):
    seen = ours.observe(honest.name, ONE)
    assert seen.points == honest.points
    assert seen.unsettled == ()
    assert (seen.by_cell["why_means_differ"] is None) == honest.by_hand
    if honest.name == "own-cells":  # pages are neutralised, not emptied
        page = next((ours.root / "feedback" / honest.name).rglob("*.html")).read_text(encoding="utf-8")
        assert WORDS in page
        assert "mean_waiting_time" in page


def test_the_course_and_the_machine_are_as_before(ours):
    for assignment in ours.assignments:
        seen = ours.observe(NEIGHBOURS[0], assignment)
        assert effects_on_the_course(seen) == []
        assert seen.neighbours == dict.fromkeys(NEIGHBOURS, Kit(assignment).points)


def test_what_an_attack_gains_is_seen():
    honest = dict.fromkeys(NEIGHBOURS, 30.0)
    for attack in ATTACKS:
        deserved = attack.deserved(ONE)
        given = {
            "by_cell": {},
            "unsettled": (),
            "leaked": (),
            "active": (),
            "changed": (),
            "machine": {},
            "log": attack.name,
        }
        assert gains(attack, ONE, Seen(points=deserved, neighbours=honest, **given)) == []
        assert gains(attack, ONE, Seen(points=deserved + 1, neighbours=honest, **given))
        assert gains(attack, ONE, Seen(points=deserved, neighbours=honest | {NEIGHBOURS[1]: 0.0}, **given))
        assert gains(attack, ONE, Seen(points=deserved, neighbours=honest, **given | {"active": ("<script>",)}))
        assert attack.may_refuse or gains(attack, ONE, Seen(points=None, neighbours=honest, **given)) or not deserved
        nowhere = given | {"log": ""}
        assert gains(attack, ONE, Seen(points=None, neighbours=honest, **nowhere))

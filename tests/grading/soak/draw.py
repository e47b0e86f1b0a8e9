"""Draw a class at random: who hands in what, and what each must get.

What is expected follows from the lists of the variants, the honest submissions and the attacks, and from what was
broken: never from the grader.
"""

import math
import random
from dataclasses import dataclass, field
from functools import cache

from tests.grading.attacks.catalogue import ATTACKS
from tests.grading.attacks.honest import HONEST
from tests.grading.attacks.record import Kit, cells_of
from tests.grading.exercises import read_variants
from tests.grading.soak.breakages import BREAKAGES, Handed

ENTRY = "acme grade"
SHARES = {"right": 0.5, "wrong": 0.33, "broken": 0.09, "hostile": 0.08}
RESOURCES = 9  # the class of attacks that take as long as the limits let them
LONG = ("slow-but-legal",)  # an honest one that does so: once
QUESTION_IN_WORDS = "why_means_differ"
NAMES = ("", "", "", "", "", "", " Zoë", " Жанна", " 漢字", " Jose\u0301", " O'Neil & Söhne", " ñandú.1")


@dataclass(frozen=True)
class Expected:
    """What the grader must say.

    Attributes
    ----------
    status : str
        ``"graded"`` or ``"unreadable"``; empty where both are right.
    cells : dict or None
        Automatic points by graded cell (None: a person grades); None where only the total is known.
    points : float or None
        The total; None where a known gap lets an attack gain something.
    by_hand : frozenset or None
        The cells that wait for a person; None where it is not known.
    """

    status: str = "graded"
    cells: dict | None = None
    points: float | None = None
    by_hand: frozenset | None = None


@dataclass(frozen=True)
class Student:
    """One of the class: a name, a kind (a key of `SHARES`), from what it was drawn, and what is expected."""

    name: str
    kind: str
    drawn: str
    handed: Handed = field(repr=False)
    expected: Expected = field(repr=False)


@cache
def points_of_cells():
    """Return the points of every graded cell of the exercises, by its id."""
    found = cells_of(Kit().source()).items()
    return {name: float(c.metadata.nbgrader.points) for name, c in found if c.metadata.nbgrader.grade}


def expect(fails, words=True):
    """Return what is expected of a notebook that loses these cells, with or without an answer in words."""
    cells = {name: 0.0 if name in fails else points for name, points in points_of_cells().items()}
    cells[QUESTION_IN_WORDS] = None if words else 0.0
    by_hand = frozenset([QUESTION_IN_WORDS] if words else [])
    return Expected("graded", cells, math.fsum(score or 0 for score in cells.values()), by_hand)


def expect_unreadable():
    """Return what is expected of a file that cannot be read: no points, and a person looks at all of it."""
    cells = dict.fromkeys(points_of_cells(), 0.0)
    return Expected("unreadable", cells, 0.0, frozenset(cells))


class _Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.right, self.wrong, self.cells = read_variants()
        self.once = set()

    def answers(self, mistakes):
        """Return answers to all questions, that many of them wrong, what they are, and the cells that they lose."""
        questions = list(self.cells)
        wrong = self.random.sample(questions, mistakes)
        answers, drawn, fails = {}, [], set()
        for question in questions:
            pool = [v for v in (self.wrong if question in wrong else self.right) if v.exercise == question]
            place = self.random.randrange(-1 if question not in wrong else 0, len(pool))
            if place < 0:  # the instructor's answer, as it is in the kit
                continue
            answers[question] = pool[place].source
            fails |= set(pool[place].fails)
            if question in wrong:
                drawn.append(f"{question}[{place}]")
        return answers, " ".join(drawn), fails

    def draw_right(self):
        if self.random.random() < 0.25:
            pool = [h for h in HONEST if h.name not in LONG or h.name not in self.once]
            honest = self.random.choice(pool)
            self.once.add(honest.name)
            by_hand = frozenset([QUESTION_IN_WORDS] if honest.by_hand else [])
            return (
                f"honest {honest.name}",
                Handed(honest.submission(Kit())),
                Expected(points=honest.points, by_hand=by_hand),
            )
        answers, _, _ = self.answers(0)
        kit = Kit()
        return "right", Handed(kit.folder(kit.solved(**answers))), expect(())

    def draw_wrong(self):
        questions = len(self.cells)
        mistakes = min(questions, 1 + sum(self.random.random() < 0.2 for _ in range(questions - 1)))
        answers, drawn, fails = self.answers(mistakes)
        words = self.random.random() < 0.9
        if not words:
            answers[QUESTION_IN_WORDS] = cells_of(Kit().released())[QUESTION_IN_WORDS].source
        kit = Kit()
        return f"wrong {drawn}", Handed(kit.folder(kit.solved(**answers))), expect(fails, words)

    def draw_broken(self):
        pool = [b for b in BREAKAGES if not b.large or b.name not in self.once]
        breakage = self.random.choice(pool)
        self.once.add(breakage.name)
        answers, drawn, fails = self.answers(self.random.choice((0, 0, 1, 2)))
        kit = Kit()
        handed, lost = breakage.make(kit, kit.answers() | answers, self.random)
        expected = expect_unreadable() if lost is None else expect(fails | set(lost))
        return f"broken {breakage.name} {drawn}".strip(), handed, expected

    def draw_hostile(self):
        costly = [a for a in ATTACKS if RESOURCES in a.classes and a.name not in self.once]
        cheap = [a for a in ATTACKS if RESOURCES not in a.classes]
        attack = self.random.choice(costly if costly and self.random.random() < 0.12 else cheap)
        gains = attack.expected_to_gain(ENTRY)
        points = None if gains else attack.deserved("chapter")
        expected = Expected("" if attack.may_refuse else "graded", points=points)
        own_name = attack.name if attack.name not in self.once else None  # some know it, and use it
        self.once.add(attack.name)
        return f"hostile {attack.name}", Handed(attack.submission("chapter")), expected, own_name

    def name(self, number, kind):
        prefix = "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=3))
        return f"{prefix}{number:04} {kind}{self.random.choice(NAMES)}"


def draw_class(count, seed):
    """Return `count` students: the same for the same seed.

    Parameters
    ----------
    count : int
    seed : int

    Returns
    -------
    list of Student
    """
    draw = _Draw(seed)
    kinds = [kind for kind, share in SHARES.items() for _ in range(round(share * count))]
    kinds = (kinds + ["right"] * count)[:count]
    students = []
    for number, kind in enumerate(kinds):
        drawn, handed, expected, *own_name = getattr(draw, f"draw_{kind}")()
        name = (own_name[0] if own_name else None) or draw.name(number, kind)
        students.append(Student(name, kind, drawn, handed, expected))
    return students

"""Draw a class at random: who hands in what to which assignment, and what each must get.

What is expected follows from the lists of the variants, the honest submissions and the attacks, and from what was
broken: never from the grader. No assignment is known by its name here.
"""

import ast
import hashlib
import math
import random
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from tests.grading.attacks.catalogue import ATTACKS
from tests.grading.attacks.honest import HONEST
from tests.grading.attacks.record import ONE, PLAIN, Kit, assignments, cells_of
from tests.grading.soak.breakages import BREAKAGES, Handed

ENTRY = "acme grade"
SHARES = {"right": 0.5, "wrong": 0.33, "broken": 0.09, "hostile": 0.08}
RESOURCES = 9  # the class of attacks that take as long as the limits let them
LONG = ("slow-but-legal",)  # an honest one that does so: once
NAMES = ("", "", "", "", "", "", " Zoë", " Жанна", " 漢字", " Jose\u0301", " O'Neil & Söhne", " ñandú.1")
WHOLE = 0.1  # of all students answer every question
COSTLY = ("law", "samples", "ensemble", "coverage")  # checks of a second or more
ANSWERED, ANSWERED_COSTLY = 0.6, 0.25  # the others answer so many
OWN, FOREIGN = 0.5, 0.2  # were given numbers of their own; and of these, hand in others
NEAR = 0.01  # two answers about own numbers that the grading might not tell apart


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
    """One of the class: a name, a kind (a key of `SHARES`), an assignment, from what it was drawn, what is expected.

    `own` says whether the course has given numbers of their own to this student.
    """

    name: str
    kind: str
    drawn: str
    assignment: str
    handed: Handed = field(repr=False)
    expected: Expected = field(repr=False)
    own: bool = False


@cache
def points_of_cells(assignment):
    """Return the points of every graded cell of an assignment, by its id."""
    found = cells_of(Kit(assignment).source()).items()
    return {name: float(c.metadata.nbgrader.points) for name, c in found if c.metadata.nbgrader.grade}


def expect(kit, fails, *, words=True, look=()):
    """Return what is expected of a notebook that loses these cells, with or without an answer in words.

    At those of `look` a person has to look, where they are lost.
    """
    cells = {name: 0.0 if name in fails else points for name, points in points_of_cells(kit.assignment).items()}
    cells |= dict.fromkeys(kit.words, None if words else 0.0)
    by_hand = frozenset([*(kit.words if words else ()), *(set(look) & set(fails))])
    return Expected("graded", cells, math.fsum(score or 0 for score in cells.values()), by_hand)


def expect_unreadable(kit):
    """Return what is expected of a file that cannot be read: no points, and a person looks at all of it."""
    cells = dict.fromkeys(points_of_cells(kit.assignment), 0.0)
    return Expected("unreadable", cells, 0.0, frozenset(cells))


def key_of(seed):
    """Return the key of the course, from which the numbers of its students follow."""
    return hashlib.sha256(f"soak {seed}".encode()).digest()


def _bindings(source):
    """Return the names that a text binds, each with the statement: two texts in one notebook must not differ in one."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [(name.asname or name.name).split(".")[0] for name in node.names]
        else:
            names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        found |= dict.fromkeys(names, ast.dump(node))
    return found


def _agree(one, other):
    return all(one[name] == other[name] for name in one.keys() & other.keys())


def _is_near(kit, question, source):
    """Whether an answer about own numbers comes near to the right one."""
    values = []
    for text in (source, kit.exercise.solution(question).source_for(kit.secret)):
        space = {}
        exec(f"{kit.exercise.given}\n\n{kit.self_contained(question, text)}", space)
        values.append(space[question]())
    try:
        return bool(np.allclose(values[0], values[1], rtol=NEAR))
    except (TypeError, ValueError):
        return False


class _Draw:
    def __init__(self, seed):
        self.random, self.key = random.Random(seed), key_of(seed)
        self.once = set()

    def answers(self, kit, mistakes=0, *, whole=False):
        """Return answers to all questions, that many of them wrong, what they are, and the cells that they lose.

        An answer that calls earlier ones brings those along, so that no mistake follows it; but in a notebook that is
        right as a whole.
        """
        wrong = self.random.sample(kit.questions, min(mistakes, len(kit.questions)))
        stubs = cells_of(kit.released())
        answers, drawn, fails, bound = {}, [], set(), {}
        for question in kit.questions:
            costly = set(kit.exercise.kinds_of(question)) & set(COSTLY)
            if question not in wrong and not whole:
                if self.random.random() > (ANSWERED_COSTLY if costly else ANSWERED):
                    answers[question] = stubs[question].source
                    fails |= set(kit.tests_of(question))
                    continue
            variants = kit.exercise.wrong if question in wrong else kit.exercise.right
            pool = [v for v in variants if v.exercise == question]
            variant = self.choose(kit, question, pool, bound) or kit.exercise.solution(question)
            text = variant.source_for(kit.secret)
            bound |= _bindings(text)
            answers[question] = text if whole and not wrong else kit.self_contained(question, text)
            fails |= set(variant.fails)
            if variant.fails:
                drawn.append(f"{question}[{pool.index(variant)}]")
        return answers, " ".join(drawn), fails

    def choose(self, kit, question, pool, bound):
        """Return one of these variants that can stand beside the others, or None."""
        for variant in self.random.sample(pool, len(pool)):
            text = variant.source_for(kit.secret)
            close = kit.secret and variant.draw and variant.fails and _is_near(kit, question, text)
            if _agree(bound, _bindings(text)) and not close:
                return variant
        return None

    def notebook(self, assignment, name, mistakes):
        """Return a notebook with answers as drawn, what it is, what is expected, and whether the numbers are own."""
        own = "sealed" in Kit(assignment).kinds and self.random.random() < OWN
        kit = hand = Kit(assignment, name if own else "", self.key)
        if own and self.random.random() < FOREIGN:  # those of another, or of the general release
            hand = Kit(assignment, self.random.choice(["", "somebody else"]), self.key)
        answers, drawn, fails = self.answers(hand, mistakes, whole=self.random.random() < WHOLE)
        look = ()
        if hand is not kit:
            asked, stubs = hand.questions_of("sealed"), cells_of(hand.released())
            if any(answers[q] != stubs[q].source and _is_near(kit, q, answers[q]) for q in asked):
                return self.notebook(assignment, name, mistakes)
            look = kit.tests_of(*asked)
            fails, drawn = fails | set(look), f"numbers of {hand.student or 'all'} {drawn}"
        words = self.random.random() < 0.9
        filled = hand.fill(answers | (dict.fromkeys(kit.words, "Because cells differ.") if words else {}))
        return filled, drawn, expect(kit, fails, words=words, look=look), own

    def draw_right(self, assignment, name):
        if self.random.random() < 0.25:
            pool = [h for h in HONEST if h.everywhere or assignment == ONE]
            honest = self.random.choice([h for h in pool if h.name not in LONG or h.name not in self.once])
            self.once.add(honest.name)
            kit = Kit(assignment)
            expected = Expected(points=honest.points_in(kit), by_hand=frozenset(kit.words if honest.by_hand else ()))
            return Student(name, "right", f"honest {honest.name}", assignment, Handed(honest.submission(kit)), expected)
        filled, drawn, expected, own = self.notebook(assignment, name, 0)
        handed = Handed(Kit(assignment).folder(filled))
        return Student(name, "right", f"right {drawn}".strip(), assignment, handed, expected, own)

    def draw_wrong(self, assignment, name):
        mistakes = 1 + sum(self.random.random() < 0.2 for _ in Kit(assignment).questions[1:])
        filled, drawn, expected, own = self.notebook(assignment, name, mistakes)
        handed = Handed(Kit(assignment).folder(filled))
        return Student(name, "wrong", f"wrong {drawn}", assignment, handed, expected, own)

    def draw_broken(self, assignment, name):
        breakage = self.random.choice([b for b in BREAKAGES if not b.large or b.name not in self.once])
        self.once.add(breakage.name)
        kit = Kit(assignment)
        answers, drawn, fails = self.answers(kit, self.random.choice((0, 0, 1, 2)))
        answers |= dict.fromkeys(kit.words, "Because cells differ.")
        handed, lost, *unplaced = breakage.make(kit, answers, self.random)
        if lost is None:
            expected = expect_unreadable(kit)
        else:
            expected = expect(kit, fails | set(lost), look=unplaced[0] if unplaced else ())
        drawn = f"broken {breakage.name} {drawn}".strip()
        return Student(name, "broken", drawn, assignment, handed, expected)

    def draw_hostile(self, assignment, name):
        pool = [a for a in ATTACKS if not a.own_numbers]
        costly = [a for a in pool if RESOURCES in a.classes and a.name not in self.once]
        cheap = [a for a in pool if RESOURCES not in a.classes]
        attack = self.random.choice(costly if costly and self.random.random() < 0.12 else cheap)
        place = self.random.choice([place for place in attack.places if place != PLAIN])
        points = None if attack.expected_to_gain(ENTRY) else attack.deserved(place)
        expected = Expected("" if attack.may_refuse else "graded", points=points)
        name = attack.name if attack.name not in self.once else name  # some know it, and use it
        self.once.add(attack.name)
        return Student(name, "hostile", f"hostile {attack.name}", place, Handed(attack.submission(place)), expected)

    def name(self, number, kind):
        prefix = "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=3))
        return f"{prefix}{number:04} {kind}{self.random.choice(NAMES)}"


def draw_class(count, seed):
    """Return `count` students, over all assignments: the same for the same seed.

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
    places = assignments()
    return [
        getattr(draw, f"draw_{kind}")(places[number % len(places)], draw.name(number, kind))
        for number, kind in enumerate(kinds)
    ]

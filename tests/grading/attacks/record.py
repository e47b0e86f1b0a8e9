"""What an attack is: a small frozen record, and the kit from which it makes its submission.

An attack on how answers are judged names the kinds of checks that it concerns, and is tried in every assignment of
``solutions/`` that has such a check, by `acme grade`. All others (on files, processes, the notebook) are tried in one
assignment, `ONE`, whose questions they name, both ways of grading. ``plain`` has test cells as most courses write them
(``assert abs(f(x) - y) < tol``), for the attacks on comparisons, which the check cells of the course do not make.
"""

import copy
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from types import MappingProxyType

import nbformat

from acme_lib.grade.personal import Personal, fill_cells, mark_of
from acme_lib.teach.question import draw_numbers, write_numbers
from tests.grading.exercises import KINDS, ROOT, find_exercise, texts

ONE, PLAIN = "01_chemical_master_equation", "plain"
NEIGHBOURS = ("aa-neighbour", "zz-neighbour")
KEY = bytes(range(32))  # of the courses that are attacked

CLASSES = {
    1: "comparison",
    2: "shadowing",
    3: "interpreter",
    4: "exit",
    5: "reading answers",
    6: "forging results",
    7: "notebook JSON",
    8: "environment",
    9: "resources",
    10: "side channels",
    11: "stochastic",
    12: "shortcuts",
}

# The submissions that were measured first; the keys are used by the records.
LINES = {
    "display-ok": "`get_ipython().displayhook('ok')` inside the student's function",
    "display-points": "`displayhook(4.0)`",
    "skip-execution": "tag `skip-execution` put on the test cells: no code needed",
    "ast-transformer": "an AST transformer that removes `assert`, plus a patched `numpy.testing`",
    "input-transformer": "`input_transformers_post` turning test cells into `pass`",
    "do-execute": "patched `IPythonKernel.do_execute` that replies ok",
    "shadowed-abs": "shadowed `abs` plus patched `numpy.testing`",
    "hidden-from-in": "hidden tests read from `In[-1]`, answers returned from a table",
    "always-equal": "float subclass that is always equal",
    "display-too-many": "`displayhook(400)`",
    "os-exit": "`os._exit(0)`",
    "duplicated-test": "a duplicated test cell",
    "warns": "correct code that calls `warnings.warn` (stderr)",
}


class Effect(StrEnum):
    """What stock nbgrader lets happen."""

    POINTS = "points"  # points without the work
    LOST = "lost"  # a right answer loses its points
    UNGRADED = "ungraded"  # the student has no grade, or not all of them, and nobody is told
    ABORTED = "aborted"  # the batch ends: students after this one have no grade
    LEAKED = "leaked"  # a secret reaches the student
    TAMPERED = "tampered"  # files or grades of others are changed
    SURVIVED = "survived"  # a process outlives the batch
    ACTIVE = "active"  # a page for the grader or the student runs foreign code, or fetches from a foreign server
    EXHAUSTED = "exhausted"  # memory, disk, processes or time without a limit
    NONE = "none"  # does not apply to stock nbgrader; `note` says why, and `shown` shows the effect in another way


@dataclass(frozen=True)
class Stock:
    """What stock nbgrader does with it.

    Attributes
    ----------
    effect : Effect
    amount : float
        At least so many points (of 30 in `ONE`, 12 in ``plain``), bytes, processes or seconds, as `unit` says.
    unit : str
        ``points``, or of `Effect.EXHAUSTED`: ``memory``, ``disk``, ``peak`` (of the disk), ``files``,
        ``processes``, ``seconds``.
    assignment : str
        In which it is tried: by default `ONE`, or the first that has a check of this `kind`.
    kind : str
    note : str
        For the table.
    shown : callable, optional
        For `Effect.NONE`: a function of a scratch folder that asserts the effect without nbgrader.
    alone : bool
        In a course of its own, because it would change what other attacks do.
    own_library : bool
        Whether kernels load a copy of the library that lies in the course (and may be spoilt), not the installed one.
    """

    effect: Effect
    amount: float = 0
    unit: str = "points"
    assignment: str = ""
    kind: str = ""
    note: str = ""
    shown: Callable | None = None
    alone: bool = False
    own_library: bool = True

    @property
    def place(self):
        """The assignment in which it is tried."""
        return self.assignment or (first_with(self.kind) if self.kind else ONE)

    @property
    def needs_own_course(self):
        """Whether it must not share a batch with other attacks."""
        shared = (Effect.POINTS, Effect.LOST, Effect.UNGRADED, Effect.LEAKED, Effect.ACTIVE, Effect.NONE)
        return self.alone or not self.own_library or self.effect not in shared


@dataclass(frozen=True)
class Submission:
    """A folder of a student: contents, and targets of symbolic links, by relative path."""

    files: Mapping
    links: Mapping = field(default_factory=lambda: MappingProxyType({}))

    def write(self, folder):
        """Write the files below `folder`."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        for name, target in self.links.items():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(target)


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes
    ----------
    name : str
        Also the student's.
    classes : tuple of int
        Keys of `CLASSES`.
    what : str
        In one sentence.
    make : callable
        Takes a `Kit` and returns a notebook, or a `Submission`.
    stock : Stock
    deserves : float
        Points that the honest part of the submission is worth in `ONE`: what ours must give. Elsewhere none is, or all.
    kinds : tuple of str
        Of `KINDS`: how the checks judge that it is an attack on; empty for one that is tried in `ONE` alone.
    own_numbers : bool
        Whether ours has given this student numbers of its own.
    may_refuse : bool
        Whether ours may refuse the submission with a reason instead.
    line : str
        The key of `LINES` that it reproduces.
    flagged : str
        Why the points stand all the same: what a person has to judge.
    ours_in_plain : bool
        Whether ours is attacked in ``plain`` too, where stock is. (Fixed hidden values in a test are not the grader's.)
    beats : str
        Why it still gains something here; its test is then expected to fail, and must, until that is mended.
    beats_only : str
        The one way of grading (``nbgrader autograde`` or ``acme grade``) in which it does; empty for both.
    """

    name: str
    classes: tuple
    what: str
    make: Callable
    stock: Stock
    deserves: float = 0
    may_refuse: bool = False
    line: str = ""
    flagged: str = ""
    ours_in_plain: bool = True
    kinds: tuple = ()
    own_numbers: bool = False
    beats: str = ""
    beats_only: str = ""

    def expected_to_gain(self, entry):
        """Whether a known gap lets it gain something, in this way of grading."""
        return bool(self.beats) and self.beats_only in ("", entry)

    def deserved(self, assignment):
        """Return the points that the honest part is worth (in ``plain`` there is one question)."""
        return self.deserves if assignment == ONE else Kit(assignment).points * (self.deserves == Kit(ONE).points)

    @property
    def places(self):
        """The assignments in which ours is attacked: `plain`, too, where stock falls in it."""
        found = tuple(a for a in assignments() if set(self.kinds) & set(Kit(a).kinds)) if self.kinds else (ONE,)
        return found + (PLAIN,) * (self.stock.place == PLAIN and self.ours_in_plain)

    def submission(self, assignment=ONE, *, ours=False):
        """Return what the student hands in."""
        kit = Kit(assignment, self.name if ours and self.own_numbers else "")
        made = self.make(kit)
        return made if isinstance(made, Submission) else kit.folder(made)


def registrar(attacks):
    """Return a decorator that makes an `Attack` of a function and adds it to `attacks`."""

    def attack(name, classes, what, stock, **given):
        def register(make):
            attacks.append(Attack(name, classes, what, make, stock, **given))
            return make

        return register

    return attack


# Assignments ----------------------------------------------------------------------------------------------

# Values that stand in hidden tests and nowhere else.
HIDDEN_VALUES = ("3.8520762500632", "14.7781121978613", "0.3678794411714")
PLAIN_CELLS = (
    ("imports", "import numpy as np", {"locked": True}),
    (
        "growth",
        "def growth(n, x):\n    ### BEGIN SOLUTION\n    return n * np.exp(x)\n    ### END SOLUTION",
        {"solution": True},
    ),
    (
        "growth_abs",
        "assert abs(growth(2.0, 0.0) - 2.0) < 1e-9\n"
        "### BEGIN HIDDEN TESTS\nassert abs(growth(3.0, 0.25) - 3.8520762500632) < 1e-9\n### END HIDDEN TESTS",
        {"grade": True, "points": 4, "locked": True},
    ),
    (
        "growth_allclose",
        "np.testing.assert_allclose(growth(1.0, 0.0), 1.0)\n"
        "### BEGIN HIDDEN TESTS\nnp.testing.assert_allclose(growth(2.0, 2.0), 14.7781121978613)\n### END HIDDEN TESTS",
        {"grade": True, "points": 4, "locked": True},
    ),
    (
        "growth_raise",
        "if abs(growth(5.0, 0.0) - 5.0) > 1e-9:\n    raise AssertionError('wrong')\n"
        "### BEGIN HIDDEN TESTS\nif abs(growth(1.0, -1.0) - 0.3678794411714) > 1e-9:\n"
        "    raise AssertionError('wrong')\n### END HIDDEN TESTS",
        {"grade": True, "points": 4, "locked": True},
    ),
)


WORDS = "The equation of the mean holds the variance, which the rate equation leaves out."


def plain_source():
    """Return the source notebook of ``plain``."""
    from nbformat.v4 import new_code_cell, new_notebook

    notebook = new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for name, source, given in PLAIN_CELLS:
        metadata = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3} | given
        notebook.cells.append(new_code_cell(source, id=name, metadata={"nbgrader": {"grade_id": name, **metadata}}))
    return notebook


@cache
def assignments():
    """Return the folders of all assignments, in order."""
    return tuple(path.parent.name for path in texts())


@cache
def first_with(kind):
    """Return the first assignment that has a check of this kind."""
    return next(assignment for assignment in assignments() if kind in Kit(assignment).kinds)


@cache
def _kinds(assignment):
    kit = Kit(assignment)
    return tuple(kind for kind in KINDS if kit.questions_of(kind))


def _name_of(assignment):
    return "growth" if assignment == PLAIN else find_exercise(assignment).name.split("/")[1]


@cache
def _source(assignment):
    if assignment == PLAIN:
        return plain_source()
    return nbformat.read(ROOT / "solutions" / assignment / f"{_name_of(assignment)}.ipynb", as_version=4)


@cache
def _release(assignment):
    if assignment != PLAIN:
        return nbformat.read(ROOT / "exercises" / assignment / f"{_name_of(assignment)}.ipynb", as_version=4)
    from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

    notebook = plain_source()
    for step in (ClearSolutions(), ClearHiddenTests()):
        notebook, _ = step.preprocess(notebook, {"language": "python"})
    return notebook


def cells_of(notebook):
    """Return the cells that nbgrader knows, by their grade id."""
    return {c.metadata.nbgrader.grade_id: c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id")}


class Kit:
    """The released notebook of an assignment, and tools to fill it in.

    Parameters
    ----------
    assignment : str
    student : str
        Whose own numbers are in it; empty for the general release.
    key : bytes
        Of the course.
    """

    def __init__(self, assignment=ONE, student="", key=KEY):
        self.assignment, self.student, self._key = assignment, student, key
        self.file = f"{_name_of(assignment)}.ipynb"
        self.secret = Personal(key, {assignment: [student]}).secret(assignment, student) if student else ""

    def of(self, student):
        """Return the kit of another student: with own numbers where this one has some."""
        return Kit(self.assignment, student if self.student else "", self._key)

    @cached_property
    def exercise(self):
        """What the tests know of the assignment; None for ``plain``."""
        return None if self.assignment == PLAIN else find_exercise(self.assignment)

    def released(self):
        """Return a fresh copy of what the student gets."""
        notebook = copy.deepcopy(_release(self.assignment))
        if self.secret:
            fill_cells(notebook, self.secret, _source(self.assignment))
            notebook.metadata.setdefault("acme", {})["made_for"] = mark_of(self.secret, self.student)
        return notebook

    def source(self):
        """Return a fresh copy of the instructor's notebook."""
        return copy.deepcopy(_source(self.assignment))

    @property
    def questions(self):
        """Grade ids of the cells in which code is asked for; each is also the name of the function."""
        return [k for k, c in cells_of(_source(self.assignment)).items() if c.cell_type == "code" and is_solution(c)]

    @property
    def words(self):
        """Grade ids of the cells in which words are asked for."""
        return [k for k, c in cells_of(_source(self.assignment)).items() if c.cell_type != "code" and is_solution(c)]

    @property
    def tests(self):
        """Grade ids of the test cells."""
        return [k for k, c in cells_of(_source(self.assignment)).items() if c.metadata.nbgrader.grade and is_locked(c)]

    def tests_of(self, *questions):
        """Return the ids of the test cells of these questions."""
        return [test for question in questions for test in self.exercise.questions[question]]

    @property
    def points(self):
        """The points that a machine gives."""
        cells = cells_of(_source(self.assignment))
        return sum(cells[name].metadata.nbgrader.points for name in self.tests)

    @property
    def kinds(self):
        """How the checks judge, of `KINDS`; empty for ``plain``."""
        return _kinds(self.assignment)

    def questions_of(self, *kinds):
        """Return the questions that have a check of one of these kinds."""
        if self.exercise is None:
            return []
        return [name for name in self.questions if set(kinds) & set(self.exercise.kinds_of(name))]

    @property
    def targets(self):
        """The questions that a general attack is on: all, or, in other assignments than `ONE`, one of each kind."""
        if self.assignment in (ONE, PLAIN):
            return self.questions
        return list(dict.fromkeys(self.questions_of(kind)[0] for kind in self.kinds))

    def answers(self):
        """Return the instructor's code by question, and words of the student's own."""
        cells = cells_of(_source(self.assignment)).items()
        return {
            k: self.numbers_of(k) + c.source if c.cell_type == "code" else WORDS for k, c in cells if is_solution(c)
        }

    def numbers_of(self, question):
        """Return the lines that type in the numbers of a personal question; of any other question none."""
        draw = "" if self.exercise is None else self.exercise.solution(question).draw
        return write_numbers(draw_numbers(self.secret, question, draw)[0]) if draw else ""

    def fill(self, answers):
        """Return the released notebook with these cells filled in."""
        notebook = self.released()
        for name, source in answers.items():
            cells_of(notebook)[name].source = source
        return notebook

    def solved(self, **answers):
        """Return the released notebook with the instructor's answers, except for these."""
        return self.fill(self.answers() | answers)

    def answer(self, kinds, body, first=""):
        """Return the released notebook in which the functions that are judged by these kinds do `body`.

        ``RIGHT`` in `body` is the instructor's function.
        """
        answers = {}
        for name in self.questions_of(*kinds):
            own = re.sub(rf"\b{name}\b", f"right_{name}", self.self_contained(name))
            code = define(name, body.replace("RIGHT", f"right_{name}"))
            answers[name] = "\n\n\n".join(filter(None, [textwrap.dedent(first).strip(), own, code]))
        return self.fill(answers)

    def self_contained(self, name, source=None):
        """Return an answer (by default the instructor's) that brings along what it calls of earlier questions."""
        questions, text = self.questions, self.answers()[name] if source is None else source
        for other in reversed(questions[: questions.index(name)]):
            if re.search(rf"(?<![\w.]){other}\(", text):
                text = f"{self.exercise.solution(other).source_for(self.secret)}\n\n\n{text}"
                text = re.sub(rf"(?<![\w.]){other}\b", f"own_{other}", text)
        return text

    def functions(self, body="return 0.0", first=""):
        """Return the released notebook in which each target does `body`, with the code `first` before them all."""
        answers = {name: define(name, body) for name in self.targets}
        name = self.targets[0]
        answers[name] = f"{textwrap.dedent(first).strip()}\n\n{answers[name]}" if first else answers[name]
        return self.fill(answers)

    def folder(self, notebook, files=(), links=()):
        """Return a submission: this notebook, and what else lies beside it."""
        return Submission({self.file: nbformat.writes(notebook), **dict(files)}, MappingProxyType(dict(links)))


def define(name, body):
    """Return the code of a function that takes anything and does `body`."""
    return f"def {name}(*given):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}"


def is_solution(cell):
    """Whether the cell is the student's."""
    return cell.metadata.nbgrader.solution


def is_locked(cell):
    """Whether the cell is the instructor's."""
    return cell.metadata.nbgrader.locked

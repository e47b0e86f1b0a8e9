"""All assignments of `solutions/`, read from their text: check cells as they are built, and what learners hand in.

An assignment is a folder; nothing here knows one by its name.
"""

import ast
import copy
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import nbformat

from acme_lib.build.exercises import load_assignment
from acme_lib.teach.question import draw_numbers, find_personal, write_numbers

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = re.compile(r"^### BEGIN HIDDEN TESTS\n(.*?)^### END HIDDEN TESTS\n?", re.DOTALL | re.MULTILINE)
# What the check cells call, without "check_": "sealed" is the check of a student's own numbers, "ensemble" of a log.
KINDS = ("values", "distribution", "generator", "law", "samples", "ensemble", "coverage", "sealed")
_BY_CHANCE = r"check_(ensemble|seeding|coverage|law|samples)\(|judge\(.(law|samples|coverage)"


@dataclass(frozen=True)
class Variant:
    """An answer to a question, right or wrong.

    Attributes
    ----------
    assignment : str
        Such as ``01_chemical_master_equation/chemical_master_equation``.
    exercise : str
        The question: the name of its function.
    label : str
        What a test is called by.
    body : str
        The text of the answer cell, without the numbers of a personal question.
    function : callable
    fails : tuple of str
        Ids of the checks whose points it loses; empty where it is right.
    key : str
        The misconception that the message must name; empty for none.
    draw : str
        The cell from which the numbers of a personal question follow.
    """

    assignment: str
    exercise: str
    label: str
    body: str = field(repr=False)
    function: object = field(repr=False)
    fails: tuple = ()
    key: str = ""
    draw: str = field(default="", repr=False)

    @property
    def source(self):
        """The text of the answer cell, with the numbers of the general release."""
        return self.source_for("")

    def source_for(self, secret):
        """Return the text that a student with this secret would hand in."""
        return (_write_personal(secret, self.exercise, self.draw) if self.draw else "") + self.body


@dataclass(frozen=True)
class Exercise:
    """An assignment: questions with the ids of their checks, the code of the checks, and all variants."""

    name: str
    questions: dict
    cells: dict
    given: str
    right: tuple
    wrong: tuple
    points: dict
    random: frozenset  # checks that simulate, and take time
    personal: dict  # of each check whose numbers are a student's own: what it is read from
    kinds: dict  # of each check: how it judges (`KINDS`)
    words: tuple  # ids of the answers in words

    def kinds_of(self, question):
        """Return how the checks of a question judge, in the order of `KINDS`."""
        found = {kind for check in self.questions[question] for kind in self.kinds[check]}
        return tuple(kind for kind in KINDS if kind in found)

    def solution(self, question):
        """Return the instructor's answer."""
        return next(variant for variant in self.right if variant.exercise == question)

    def visible(self, check):
        """Return the code of a check that a learner sees."""
        return HIDDEN.sub("", self.cells[check] + "\n")

    def hidden(self, check):
        """Return the hidden code of a check, with the imports of the cell."""
        imports = [line for line in self.cells[check].split("\n") if line.startswith(("import ", "from "))]
        return "\n".join([*dict.fromkeys(imports), HIDDEN.search(self.cells[check] + "\n")[1]])


def texts():
    """Return the texts of all assignments."""
    return sorted(ROOT.glob("solutions/*/*.md"))


@cache
def read_exercise(path):
    """Return an assignment by the path of its text, beside which stands the notebook that was built of it."""
    _, assignment = load_assignment(path)
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    cells = {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}
    questions = {name: assignment.checks_of(name) for name in assignment.answers}
    right, wrong = [], []
    for name in questions:
        more_right, more_wrong = _variants_of(assignment, name)
        right += more_right
        wrong += more_wrong
    random = frozenset(part.id for part in assignment.checks.values() if re.search(_BY_CHANCE, part.source))
    return Exercise(
        assignment.name,
        questions,
        {name: cell.source for name, cell in cells.items()},
        "\n\n".join(assignment.given),
        tuple(right),
        tuple(wrong),
        {name: cell.metadata.nbgrader.points for name, cell in cells.items() if cell.metadata.nbgrader.grade},
        random,
        {name: personal for name, cell in cells.items() if (personal := find_personal(cell.source))},
        {name: tuple(kind for kind in KINDS if f"check_{kind}(" in cells[name].source) for name in assignment.checks},
        tuple(name for name, cell in cells.items() if cell.metadata.nbgrader.grade and cell.cell_type == "markdown"),
    )


def all_exercises():
    """Return all assignments."""
    return [read_exercise(path) for path in texts()]


def find_exercise(folder):
    """Return an assignment by its folder."""
    (path,) = (ROOT / "solutions" / folder).glob("*.md")
    return read_exercise(path)


# The text of an answer --------------------------------------------------------------------------------------


def _variants_of(assignment, name):
    """Return the right and the wrong answers to a question, each with the text that a student would hand in."""
    question, _ = assignment.read(name)
    checks, made = assignment.checks_of(name), []
    module = "\n\n\n".join([*assignment.slips.get(name, ()), *assignment.variants.get(name, ())])
    tree = ast.parse(module)
    lines, homes = module.encode().split(b"\n"), _find_homes(tree)
    draw = assignment.personal.get(name, "")
    written = {"slip": [], "right": [], "wrong": []}
    for kind, answer in _registrations(tree):
        written[kind].append(answer)
    for kind, ideas in (("slip", question.slips), ("right", question.right), ("wrong", question.wrong)):
        for idea, answer in zip(ideas, written[kind], strict=True):
            text = idea.source
            if text is None:
                text = _give(name, *_slice(lines, homes, answer))
                if re.search(rf"(?<!def )\b{name}\(", text):  # it calls the solution
                    text = re.sub(rf"(?<!def )\b{name}\(", f"right_{name}(", text)
                    text = re.sub(rf"\b{name}\b", f"right_{name}", assignment.answers[name]) + f"\n\n\n{text}"
            label = f"{name}-{kind}-{idea.key or _label(answer)}"
            label += f"-{sum(v.label.startswith(label) for v in made)}" if any(v.label == label for v in made) else ""
            fails = () if kind == "right" else idea.costs or checks
            made.append(Variant(assignment.name, name, label, text, idea.function, fails, idea.key, draw))
    solution = Variant(
        assignment.name, name, f"{name}-solution", assignment.answers[name], question.solution, draw=draw
    )
    return [solution, *(v for v in made if not v.fails)], [v for v in made if v.fails]


@cache
def _write_personal(secret, name, draw):
    return write_numbers(draw_numbers(secret, name, draw)[0])


def _label(answer):
    return answer.name if isinstance(answer, ast.FunctionDef) else f"line {answer.lineno}"


def _find_homes(tree):
    """Return the statements of the cells that bind each of their names (`scipy` is bound by several imports)."""
    homes = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [(name.asname or name.name).split(".")[0] for name in node.names]
        elif isinstance(node, ast.Assign):
            names = [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
        else:
            continue
        for name in names:
            homes.setdefault(name, []).append(node)
    return homes


def _registrations(tree):
    """Yield the kind of each idea and its definition, or the expression, in the order of the cells."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if (kind := _kind(decorator)) is not None:
                    yield kind, node
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if (kind := _kind(node.value)) is not None:
                yield kind, next(a for a in node.value.args if not isinstance(a, ast.Constant))


def _kind(node):
    node = node.func if isinstance(node, ast.Call) else node
    return node.id if isinstance(node, ast.Name) and node.id in ("slip", "right", "wrong") else None


def _slice(lines, homes, answer):
    """Return the statements that an answer needs, and the expression that is the function."""
    needed, waiting = [], [answer]
    while waiting:
        node = waiting.pop()
        for name in sorted({n.id for n in ast.walk(_bare(node)) if isinstance(n, ast.Name)}):
            fresh = [home for home in homes.get(name, ()) if home not in needed and home is not answer]
            needed += fresh
            waiting += fresh
    if isinstance(answer, ast.FunctionDef):
        needed.append(answer)
        expression = answer.name
    else:
        expression = _segment(lines, answer)
    needed.sort(key=lambda node: node.lineno)
    return [_text(lines, node) for node in needed], expression


def _bare(node):
    """Return a definition without the decorators that register it."""
    if not isinstance(node, ast.FunctionDef):
        return node
    bare = copy.copy(node)
    bare.decorator_list = [d for d in node.decorator_list if _kind(d) is None]
    return bare


def _text(lines, node):
    decorators = _bare(node).decorator_list if isinstance(node, ast.FunctionDef) else []
    return "\n".join([*(f"@{_segment(lines, d)}" for d in decorators), _segment(lines, node)])


def _segment(lines, node):
    """As `ast.get_source_segment`, which splits the whole text each time."""
    part = lines[node.lineno - 1 : node.end_lineno]
    part[-1] = part[-1][: node.end_col_offset]
    part[0] = part[0][node.col_offset :]
    return b"\n".join(part).decode()


def _give(exercise, statements, expression):
    imports = [part for part in statements if part.startswith(("import ", "from "))]
    rest = [part for part in statements if part not in imports]
    last = [] if expression == exercise else [f"{exercise} = {expression}"]
    return "\n\n\n".join(["\n".join(dict.fromkeys(imports)), *rest, *last]).lstrip()

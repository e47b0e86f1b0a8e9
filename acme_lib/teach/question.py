"""A question of an assignment as code: its solution, its misconceptions and its cases, each written once.

The text of an assignment (``solutions/NN_name/name.md``) holds, for each question, cells in a small vocabulary.
`read_question` runs them; what comes out knows what each misconception answers, because it holds the code that a
learner with that idea would write. `acme build` takes from it the numbers of the visible check; the hidden check holds
the cells as a text and draws (`check_drawn`); the tests take from it what learners hand in.

==============================  ======================================================================================
``slip(key, title, says, x)``   a misconception: `x` is a dict {what stands in the solution: what stands there instead}
                                or a whole function (``@slip(key, title, says)`` before one); ``costs=`` the ids of the
                                checks that it fails (by default all of the question), ``law=`` the law it leads to.
                                A misconception that another assignment explains needs only its key.
``right(x)``, ``wrong(x)``      other answers, for the tests; ``wrong(x, names=key)`` if it must be called a `key`
``visible(what, **arguments)``  a case that the learner sees
``@hidden``                     a function of `rng` that yields the arguments of hidden cases, as dicts
``judge(kind, **options)``      how answers are judged (`KINDS`); without it, "values"
``@law``                        of a random answer: from the same arguments the probabilities of 0, 1, 2, …, or a
                                continuous law with ``ppf`` and ``cdf`` (SciPy's)
``@data``                       for "coverage": from `rng` and the arguments the data, as a dict, and the truth; a
                                hidden case draws its arguments anew for every data set
==============================  ======================================================================================

Of a *personal* question the function has no parameters. What it is about are numbers that every student has their own
of, and types in: a cell apart holds ``draw(number)``, which returns them by name, and `between`, the bounds of each
part of the answer. ``number(low, high, step=1)`` is one of low, low + step, …, high. Solution and misconceptions use
the names.
"""

import ast
import copy
import hmac
import inspect
import itertools
import re
import warnings
from dataclasses import dataclass, field

import numpy as np

from acme_lib.teach import check as checks
from acme_lib.teach.check_compare import leave_out
from acme_lib.teach.check_door import fresh_rng

KINDS = {
    "values": checks.check_values,
    "distribution": checks.check_distribution,
    "generator": checks.check_generator,
    "law": checks.check_law,
    "samples": checks.check_samples,
    "coverage": checks.check_coverage,
}
RANDOM = ("law", "samples")
PERSONAL_RTOL = 0.006  # of each part of a personal answer: what `check_sealed` lets pass, passes in the grading
CHECK_YOUR_NUMBERS = (
    "This question has other numbers for every student. Compare those that you typed in with those of the question, "
    "digit by digit, and give at least four digits."
)
BINS = 20  # of equal probability, for samples of a continuous law


@dataclass(frozen=True)
class Idea:
    """An answer: its code, and of a misconception what the learner reads.

    Attributes
    ----------
    function : callable
    source : str or None
        The text of the answer cell, where the idea is a change of the solution.
    costs : tuple of str
        Ids of the checks that it fails; empty where it is right.
    key, title, says : str
    law : callable or None
    change : dict
        What stands in the solution, and what stands there instead; empty where the answer is another function.
    """

    function: object
    source: str | None = None
    costs: tuple = ()
    key: str = ""
    title: str = ""
    says: str = ""
    law: object = None
    change: dict = field(default_factory=dict)


@dataclass
class Check:
    """One graded check cell: its cases and how they are judged."""

    id: str = ""
    kind: str = "values"
    options: dict = field(default_factory=dict)
    visible: list = field(default_factory=list)  # of (what, arguments)
    hidden: object = None
    law: object = None
    data: object = None


@dataclass
class Question:
    """What the cells of a question say.

    Attributes
    ----------
    name : str
        Of the function that is asked for.
    solution : callable
    source : str
        The text of the solution.
    slips, right, wrong : list of Idea
    space : dict
        In which the cells were run.
    numbers, between : dict
        Of a personal question the student's own numbers, and the bounds of the answers.
    """

    name: str
    solution: object
    source: str
    slips: list = field(default_factory=list)
    right: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    space: dict = field(default_factory=dict)
    numbers: dict = field(default_factory=dict)
    between: dict = field(default_factory=dict)

    def expect(self, check, arguments):
        """Return what is right for these arguments, and what each misconception gives."""
        if check.kind == "law":
            law = _law_of(check.law, arguments)
            return law, _laws(self.slips, arguments)
        if check.kind == "samples":
            law = _law_of(check.law, arguments)
            edges = law.ppf(np.arange(1, BINS) / BINS)
            given = {key: _in_bins(other, edges) for key, other in _laws(self.slips, arguments).items()}
            return (edges, law), given
        only, parts = check.options.get("only"), check.options.get("parts", ())
        right = _only(_answer(self.solution, arguments), only, parts)
        given = {}
        for slip in self.slips:
            try:
                value = _only(_answer(slip.function, arguments), only, parts)
            except Exception:  # a wrong idea may well stop with an error
                continue
            if _fits(value, right):
                given[slip.key] = leave_out(value, right, check.options.get("at"))
        return right, given

    def example(self, check, arguments, rng):
        """Return one data set for an interval, and the interval that each misconception gives for it."""
        data = self.order(check.data(rng, **arguments)[0])
        given = {}
        for slip in self.slips:
            low, high = _answer(slip.function, data)
            given[slip.key] = (float(low), float(high))
        return data, given

    def judge(self, check, function, arguments, what="", place=None):
        """Judge the answers of a learner's function in one case: of the hidden ones that at this place."""
        options = {key: value for key, value in check.options.items() if key != "only"}
        if check.kind == "coverage":
            example, slips = self.example(check, arguments, fresh_rng())
            options |= {"example": example, "slips": slips, "reference": self.solution}
            data = check.data if place is None else _draw_anew(check, place)
            checks.check_coverage(function, data, arguments, what=what, **options)
            return
        arguments = self.order(arguments)
        right, slips = self.expect(check, arguments)
        if check.kind in RANDOM:
            options["size"] = arguments["size"]
        KINDS[check.kind](function, arguments, right, slips=slips, what=what, **options)

    def order(self, arguments):
        """Return the arguments in the order of the function's parameters, with a generator where it takes one."""
        names = list(inspect.signature(self.solution).parameters)
        given = {"rng": fresh_rng(), **arguments} if "rng" in names else dict(arguments)
        if set(given) != set(names):
            raise ValueError(f"{self.name} takes {', '.join(names)}; a case gives {', '.join(given)}")
        return {name: given[name] for name in names}


def read_question(name, setting, solution, cells, *, check=""):
    """Run the cells of a question.

    Parameters
    ----------
    name : str
        Of the function that is asked for.
    setting : str
        Code that stands above: imports and earlier answers.
    solution : str
        The answer, without marks.
    cells : sequence of str
        In the vocabulary of this module.
    check : str
        The id of the check whose cases are among the cells.

    Returns
    -------
    Question
    Check
    """
    space = _run(f"{setting}\n\n{solution}", {})
    question, found = Question(name, space[name], solution, space=space), Check(check)

    def idea(change, costs, **facts):
        costs = (costs,) if isinstance(costs, str) else tuple(costs)
        if not isinstance(change, dict):
            return Idea(change, None, costs, **facts)
        for old in change:
            if solution.count(old) != 1:
                raise ValueError(f"{name}: {old!r} stands {solution.count(old)} times in the solution; expected: once")
        text = re.sub("|".join(map(re.escape, change)), lambda found: change[found[0]], solution)
        return Idea(_run(f"{setting}\n\n{text}", {})[name], text, costs, change=change, **facts)

    def register(where, change, costs=(), **facts):
        where.append(idea(change, costs, **facts))
        return change

    def slip(key, *given, costs=(), law=None):
        texts = [" ".join(part.split()) for part in given if isinstance(part, str)]
        change = next((part for part in given if not isinstance(part, str)), None)
        facts = dict(zip(("title", "says"), texts, strict=False), key=key, law=law)
        if change is not None:
            return register(question.slips, change, costs, **facts)
        return lambda function: register(question.slips, function, costs, **facts)

    def right(change):
        return register(question.right, change)

    def wrong(change=None, costs=(), names=""):
        if change is not None:
            return register(question.wrong, change, costs, key=names)
        return lambda function: register(question.wrong, function, costs, key=names)

    def visible(what, /, **arguments):
        found.visible.append((what, arguments))

    def judge(kind, **options):
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        found.kind, found.options = kind, options

    def put(attribute):
        def note(function):
            setattr(found, attribute, function)
            return function

        return note

    space.update(slip=slip, right=right, wrong=wrong, visible=visible, judge=judge)
    space.update(hidden=put("hidden"), law=put("law"), data=put("data"))
    for cell in cells:
        _run(cell, space)
    return question, found


def check_drawn(function, rng, *, name, setting, solution, cells):
    """Check a learner's function on the hidden cases of a question: what ``hidden_checks`` of a built notebook hold.

    Parameters
    ----------
    function : callable
        The learner's.
    rng : numpy.random.Generator
        Of `hidden_checks`.
    name, setting, solution, cells
        As in `read_question`.
    """
    question, check = read_question(name, setting, solution, cells)
    first = None
    for place, arguments in enumerate(check.hidden(rng)):
        question.judge(check, function, arguments, place=place)
        first = first or arguments
    if check.kind in RANDOM:
        checks.check_seeding(function, question.order(first))


# Questions with numbers of one's own ------------------------------------------------------------------------


def number_source(secret, name):
    """Return the function ``number(low, high, step=1)`` of a student and a question.

    The numbers are those of HMAC-SHA256, read as whole numbers of 64 bits: the same on every machine.

    Parameters
    ----------
    secret : str
        The student's, in hexadecimal digits; empty for the numbers of the general release.
    name : str
        Of the question.
    """
    key = bytes.fromhex(secret)

    def words():
        for block in itertools.count():
            digest = hmac.digest(key, f"{name}:{block}".encode(), "sha256")
            yield from (int.from_bytes(digest[i : i + 8], "big") for i in range(0, 32, 8))

    stream = words()

    def number(low, high, step=1):
        return low + step * (next(stream) * (round((high - low) / step) + 1) >> 64)

    return number


def draw_numbers(secret, name, draw):
    """Return the numbers of a student, by name, and the bounds of the answers."""
    space = _run(draw, {})
    return space["draw"](number_source(secret, name)), space["between"]


def write_numbers(numbers):
    """Return personal numbers as the lines of code that a learner might type in."""
    return "".join(f"{name} = {value!r}\n" for name, value in numbers.items())


def read_personal(secret, *, name, setting, draw, solution, cells):
    """Run the cells of a personal question with a student's numbers; as `read_question`."""
    numbers, between = draw_numbers(secret, name, draw)
    question, check = read_question(name, f"{setting}\n\n{write_numbers(numbers)}", solution, cells)
    question.numbers, question.between = numbers, between
    check.options = {"parts": tuple(between), "rtol": PERSONAL_RTOL, **check.options}
    return question, check


def check_personal(function, secret, **cells):
    """Check a personal answer: what the hidden part of a built notebook calls (the other arguments: `read_personal`).

    In the grading of a personal release `secret` is the student's own; else it is empty.
    """
    question, check = read_personal(secret, **cells)
    with checks.hidden_checks(CHECK_YOUR_NUMBERS):
        question.judge(check, function, {})


def find_personal(source):
    """Return the arguments of `check_personal` in the code of a check cell, by name; None where it is not called."""
    if "check_personal(" not in source:
        return None
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check_personal":
            return {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
    return None


def fill_in(template, numbers):
    """Return the text of a personal question: ``{{name}}`` is replaced by the number, or list, of this name."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: str(numbers[found[1]]), template)


def _run(code, space):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # that of a learner
        exec(compile(code, "<question>", "exec", dont_inherit=True), space)
    return space


def _answer(function, arguments):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(**copy.deepcopy(arguments)) if _takes(function, arguments) else function(*_copies(arguments))


def _takes(function, arguments):
    """Whether a function has parameters of these names (a learner may have renamed them)."""
    return list(inspect.signature(function).parameters) == list(arguments)


def _copies(arguments):
    return copy.deepcopy(list(arguments.values()))


def _only(value, only, parts):
    if only is None:
        return value
    return tuple(part if name == only else checks.ANYTHING for name, part in zip(parts, value, strict=True))


def _draw_anew(check, place):
    """Return how data are drawn with arguments of their own, so that one data set says nothing about the next."""
    return lambda rng, **_: check.data(rng, **next(itertools.islice(check.hidden(rng), place, None)))


def _fits(value, right):
    """Whether a wrong value could be told from the right one by its numbers."""
    if isinstance(right, tuple):
        return isinstance(value, tuple) and len(value) == len(right)
    try:
        return np.asarray(value).dtype.kind in "iuf"
    except ValueError:
        return False


def _law_of(law, arguments):
    return law(**{name: arguments[name] for name in inspect.signature(law).parameters})


def _laws(slips, arguments):
    return {slip.key: _law_of(slip.law, arguments) for slip in slips if slip.law is not None}


def _in_bins(law, edges):
    return np.diff(law.cdf(edges), prepend=0.0, append=1.0)

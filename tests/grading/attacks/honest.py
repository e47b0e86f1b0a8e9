"""Honest submissions to the exercises of chapter 1, graded in one batch with the attacks: each must get its points.

Those that name no question are made from any assignment; the soak hands them in everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import nbformat

from tests.grading.attacks.record import ONE, WORDS, Submission

POINTS = {
    "propensities": 4,
    "mean_waiting_time": 2,
    "reaction_probabilities": 2,
    "ssa_step": 4,
    "time_average": 4,
    "birth_death_ensemble": 6,
    "dimerisation_generator": 4,
    "stationary_law": 4,
}
ALL = sum(POINTS.values())


@dataclass(frozen=True)
class Honest:
    """An honest submission.

    Attributes
    ----------
    name : str
        Also the student's.
    what : str
    make : callable
        Takes a `Kit` and returns a notebook or a `Submission`.
    points : float
        What the machine must give in chapter 1.
    everywhere : bool
        Whether it can be made from any assignment, and is worth all or nothing there.
    by_hand : bool
        Whether the answer in words waits for a person.
    """

    name: str
    what: str
    make: Callable
    points: float = ALL
    by_hand: bool = True
    everywhere: bool = False

    def points_in(self, kit):
        """Return the points that the machine must give."""
        return self.points if kit.assignment == ONE else kit.points * (self.points == ALL)

    def submission(self, kit):
        """Return what the student hands in."""
        made = self.make(kit)
        return made if isinstance(made, Submission) else kit.folder(made)


HONEST = []


def honest(name, what, points=ALL, **given):
    """Register the function that makes the submission."""

    def register(make):
        HONEST.append(Honest(name, what, make, points, **given))
        return make

    return register


def right(kit, **answers):
    """Return the notebook with right answers, except for these."""
    return kit.solved(**answers)


def mistaken(kit, *changes):
    """Return right answers in which pieces of code are replaced."""
    answers = kit.answers()
    for question, before, after in changes:
        assert before in answers[question], (question, before)
        answers[question] = answers[question].replace(before, after)
    return right(kit, **{question: answers[question] for question, _, _ in changes})


# Different ways to the same answers ---------------------------------------------------------------------------


for _way in range(5):

    def _make(kit, way=_way):
        found = {}
        for variant in kit.exercise.right:
            found.setdefault(variant.exercise, []).append(variant.source)
        return right(kit, **{question: codes[way % len(codes)] for question, codes in found.items()})

    HONEST.append(Honest(f"way-{_way + 1}", f"Right answers, way {_way + 1}.", _make))

# Parts ------------------------------------------------------------------------------------------------------

for _question, _points in POINTS.items():

    def _make(kit, question=_question):
        return kit.fill({question: kit.answers()[question]})

    HONEST.append(Honest(f"only-{_question}", f"Only `{_question}` is answered.", _make, _points, by_hand=False))


@honest("untouched", "The released notebook as it is.", 0, by_hand=False, everywhere=True)
def untouched(kit):
    return kit.released()


@honest("words-only", "Only the question in words is answered.", 0, everywhere=True)
def words_only(kit):
    return kit.fill(dict.fromkeys(kit.words, WORDS))


@honest("empty-cells", "Every answer cell is emptied.", 0, everywhere=True)
def empty_cells(kit):
    return kit.fill(dict.fromkeys(kit.questions, "") | dict.fromkeys(kit.words, WORDS))


@honest("everything-wrong", "Every function returns a wrong number.", 0)
def everything_wrong(kit):
    notebook = kit.functions("return 0.5")
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "why_means_differ":
            cell.source = WORDS
    return notebook


# Mistakes ---------------------------------------------------------------------------------------------------

MISTAKES = {
    "pairs-squared": (("propensities", "c * a * (a - 1) / 2", "c * a**2"), 2),
    "sum-of-reactants": (("propensities", "d * a * b", "d * (a + b)"), 2),
    "rate-for-time": (("mean_waiting_time", "1.0 / total", "total"), 2),
    "largest-is-one": (("reaction_probabilities", "a / a.sum()", "a / a.max()"), 2),
    "decimal-logarithm": (("ssa_step", "np.log(u1)", "np.log10(u1)"), 2),
    "counting-from-one": (("ssa_step", 'side="right"))', 'side="right")) + 1'), 2),
    "variance-for-fano": (("time_average", "variance / mean", "variance"), 2),
    "starts-empty": (("birth_death_ensemble", "n, now = n0, 0.0", "n, now = 0, 0.0"), 3),
    "leaks": (("dimerisation_generator", 'boundary == "reflecting"', "False"), 2),
    "left-vector": (("stationary_law", "np.array(A, dtype=float)", "np.array(A, dtype=float).T"), 4),
}
for _name, (_change, _cost) in MISTAKES.items():

    def _make(kit, change=_change):
        return mistaken(kit, change)

    HONEST.append(Honest(f"mistake-{_name}", f"Right but for one mistake ({_name}).", _make, ALL - _cost))


@honest("two-mistakes", "Right but for two mistakes.", ALL - 4)
def two_mistakes(kit):
    return mistaken(kit, MISTAKES["pairs-squared"][0], MISTAKES["rate-for-time"][0])


@honest("syntax-error", "One answer does not compile.", ALL - 4)
def syntax_error(kit):
    return right(kit, propensities="def propensities(counts, rates)\n    return [1, 2")


@honest("misspelt-name", "One function has another name than asked.", ALL - 2)
def misspelt_name(kit):
    return right(kit, mean_waiting_time="def mean_wait(propensities):\n    return 1 / sum(propensities)")


@honest("no-return", "One function prints its answer and returns nothing.", ALL - 2)
def no_return(kit):
    return mistaken(kit, ("reaction_probabilities", "return a / a.sum()", "print(a / a.sum())"))


@honest("recursion", "One function calls itself for ever, and is stopped by Python.", ALL - 2)
def recursion(kit):
    return right(kit, mean_waiting_time="def mean_waiting_time(a):\n    return mean_waiting_time(a)")


# Right answers that look suspicious ---------------------------------------------------------------------------


@honest("prints", "Every function prints a lot.", everywhere=True)
def prints(kit):
    answers = {
        name: code.replace("### BEGIN SOLUTION", "print('called', '.' * 2000)") for name, code in kit.answers().items()
    }
    return right(kit, **answers)


@honest("warns-everywhere", "Every function warns, and writes to stderr and to the log.", everywhere=True)
def warns_everywhere(kit):
    noise = (
        "import logging, sys, warnings\n    warnings.warn('beware')\n    print('oh', file=sys.stderr)\n"
        "    logging.warning('listen')\n    np.float64(1.0) / np.float64(0.0)"
    )
    answers = {name: code.replace("### BEGIN SOLUTION", noise) for name, code in kit.answers().items()}
    return right(kit, **answers)


@honest("slow-but-legal", "One function takes two seconds a call.")
def slow(kit):
    return mistaken(kit, ("reaction_probabilities", "### BEGIN SOLUTION", "import time\n    time.sleep(2)"))


@honest("compiled", "The simulation is compiled with numba.")
def compiled(kit):
    source = """
import numba
import numpy as np


@numba.njit
def run(k, gamma, n0, t, size, seed):
    np.random.seed(seed)
    counts = np.empty(size, dtype=np.int64)
    events = []
    for cell in range(size):
        n, now = n0, 0.0
        while True:
            total = k + gamma * n
            now += np.random.exponential(1.0 / total)
            if now > t:
                break
            n += 1 if np.random.random() * total < k else -1
            events.append((cell, now, n))
        counts[cell] = n
    return counts, events


def birth_death_ensemble(k, gamma, n0, t, size, rng):
    return run(k, gamma, n0, t, size, rng.integers(2**32))
"""
    return right(kit, birth_death_ensemble=source.strip())


@honest("builds-on-own-functions", "Later answers call earlier ones.")
def builds_on_own(kit):
    source = """
def birth_death_ensemble(k, gamma, n0, t, size, rng):
    counts, events = [], []
    for cell in range(size):
        n, now = n0, 0.0
        while True:
            tau, reaction = ssa_step([k, gamma * n], 1.0 - rng.random(), rng.random())
            now += tau
            if now > t:
                break
            n += (1, -1)[reaction]
            events.append([cell, now, n])
        counts.append(n)
    return counts, events
"""
    wait = "def mean_waiting_time(a):\n    return 1.0 / np.sum(a) if np.any(reaction_weights(a)) else np.inf\n\n\n"
    wait += "def reaction_weights(a):\n    return np.asarray(a, dtype=float)"
    return right(kit, birth_death_ensemble=source.strip(), mean_waiting_time=wait)


@honest("classes-and-greek", "A callable object, Greek names, a decorator and a global constant.")
def classes_and_greek(kit):
    source = """
import functools

HALF = 0.5


def polite(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Propensities:
    def __call__(self, counts, rates):
        α, β = (int(n) for n in counts)
        κ, γ, c, δ = rates
        return [κ, γ * α, HALF * c * α * (α - 1), δ * α * β]


propensities = Propensities()
mean_of = polite(lambda a: 1.0 / sum(a) if sum(a) else float("inf"))
"""
    wait = "mean_waiting_time = functools.partial(mean_of)"
    return right(kit, propensities=source.strip(), mean_waiting_time=wait)


@honest("changes-its-input", "Functions change the arrays that they are given.")
def changes_its_input(kit):
    wait = "def mean_waiting_time(a):\n    total = a.sum()\n    a *= 0\n    return 1 / total if total else np.inf"
    law = kit.answers()["stationary_law"].replace("np.array(A, dtype=float)", "A")
    return right(kit, mean_waiting_time=wait, stationary_law=law)


@honest("many-types", "Integers, tuples, NumPy numbers of small types, and lists of lists come back.")
def many_types(kit):
    return right(
        kit,
        reaction_probabilities="def reaction_probabilities(a):\n    return tuple(np.float64(x) / sum(a) for x in a)",
        dimerisation_generator=kit.answers()["dimerisation_generator"].replace(
            "return arrivals - np.diag(births + decays + pairs)",
            "return [list(row) for row in arrivals - np.diag(births + decays + pairs)]",
        ),
        time_average=kit.answers()["time_average"].replace(
            "return mean, variance / mean", "return [np.longdouble(mean), variance / mean]"
        ),
    )


@honest("memory-in-use", "300 MB are used for a moment.")
def memory_in_use(kit):
    return mistaken(
        kit, ("reaction_probabilities", "### BEGIN SOLUTION", "scratch = np.ones(40_000_000)\n    del scratch")
    )


@honest("reads-and-writes-files", "A result is kept in a file of the working directory, and in `/tmp`.")
def reads_and_writes(kit):
    code = "np.savetxt('kept.txt', [1.0])\n    assert np.loadtxt('kept.txt') == 1.0\n    open('/tmp/kept', 'w').close()"
    return mistaken(kit, ("reaction_probabilities", "### BEGIN SOLUTION", code))


@honest("magics", "Magics and shell escapes that many notebooks have.")
def magics(kit):
    code = "%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n" + kit.answers()["propensities"] + "\n!ls\n"
    return right(kit, propensities=code)


@honest("plots", "An answer cell draws a figure.")
def plots(kit):
    code = kit.answers()["propensities"] + (
        "\nimport matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n"
    )
    return right(kit, propensities=code)


@honest("tries-it-out", "Answer cells call their functions, and end in an expression.")
def tries_it_out(kit):
    code = (
        kit.answers()["mean_waiting_time"]
        + "\nprint(mean_waiting_time(np.array([1.0, 2.0])))\nmean_waiting_time(np.ones(3))"
    )
    return right(kit, mean_waiting_time=code)


@honest("fails-after-the-definition", "An answer cell defines its function and then stops with an error.")
def fails_after(kit):
    return right(kit, mean_waiting_time=kit.answers()["mean_waiting_time"] + "\nassert False, 'my own test'")


@honest("own-cells", "Cells of the student's own, with text, plots and failing code.", everywhere=True)
def own_cells(kit):
    notebook = right(kit)
    notebook.cells.insert(4, nbformat.v4.new_markdown_cell("My notes: $x^2$, ünïcode, 漢字, **bold** and a < b."))
    notebook.cells.insert(8, nbformat.v4.new_code_cell("1 / 0"))
    notebook.cells.append(nbformat.v4.new_code_cell(f"{kit.questions[1]}(np.array([1.0]))"))
    return notebook


@honest(
    "other-line-ends",
    "Lines end as on Windows, with a byte-order mark, and sources are plain strings.",
    everywhere=True,
)
def other_line_ends(kit):
    notebook = right(kit)
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    return Submission({kit.file: b"\xef\xbb\xbf" + nbformat.writes(notebook, split_lines=False).encode()})


@honest("files-beside", "Harmless files lie beside the notebook.", everywhere=True)
def files_beside(kit):
    return kit.folder(
        right(kit), {"notes.txt": "hello", "data/values.csv": "1,2\n", ".DS_Store": b"\0\1", "Überblick.md": "ü"}
    )


@honest("own-outputs", "The outputs of the student's own run are stored.", everywhere=True)
def own_outputs(kit):
    notebook = right(kit)
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="Traceback …")]
    return notebook


@honest("Zoë O'Neil 漢字", "A student whose folder has spaces, an apostrophe and letters beyond ASCII.")
def unicode_name(kit):
    return right(kit)

"""A question that is written once becomes a check that judges, of every kind; and an author who errs is told."""

import re
import textwrap

import jupytext
import nbformat
import numpy as np
import pytest
from matplotlib import pyplot

from acme_lib.build.misconceptions import write_misconceptions
from acme_lib.build.questions import (
    BEGIN,
    END,
    collect_texts,
    compile_cells,
    outline,
    read_assignment,
    render,
    write_check,
)
from acme_lib.errors import GradingError
from acme_lib.teach.check import ANYTHING, CheckFailed, hidden_checks
from acme_lib.teach.check_slips import SLIPS, Slip
from acme_lib.teach.question import KINDS
from tests.grading.exercises import texts
from tests.marks import always

HEAD = """\
---
kernelspec: {display_name: Python 3 (ipykernel), language: python, name: python3}
---

```{code-cell} ipython3
:acme: {given: imports, allowed: []}

import numpy as np
```

## 1 Trial (2 points)
"""
FANO = """
answer: fano
def fano(counts):
    '''Fano factor.'''
    ### BEGIN SOLUTION
    return np.var(counts, ddof=1) / np.mean(counts)
    ### END SOLUTION
check: fano_check, of: fano, points: 2
visible("the Fano factor of 2, 3, 4 and 9", counts=np.array([2, 3, 4, 9]))
@hidden
def draw(rng):
    for size in (3, 50):
        yield {"counts": np.append(rng.poisson(9.0, size=size), 1)}
slips: fano
slip("trial-square", "the square", "Think of units.", {"/ np.mean(counts)": "/ np.mean(counts) ** 2"})
@slip("trial-variance", "no mean", "Think of a mean.")
def without_mean(counts):
    return counts.var(ddof=1)
variants: fano
wrong({"ddof=1": "ddof=0"})
"""
COUNTS = """
answer: counts_of
def counts_of(mean, size, rng):
    ### BEGIN SOLUTION
    return rng.poisson(mean, size)
    ### END SOLUTION
check: counts_check, of: counts_of, points: 2
from scipy.stats import poisson
judge("law")
visible("3000 counts of mean 4", mean=4.0, size=3000)
@law
def exact(mean):
    return poisson.pmf(np.arange(80), mean)
@hidden
def draw(rng):
    yield {"mean": rng.uniform(1, 9), "size": 3000}
slips: counts_of
from scipy.stats import geom
slip("trial-square", "the square", "x", {"rng.poisson(mean, size)": "rng.geometric(1 / (1 + mean), size) - 1"},
     law=lambda mean: geom.pmf(np.arange(1, 300), 1 / (1 + mean)))
variants: counts_of
wrong({"rng.poisson": "np.random.default_rng(3).poisson"}, names="fixed-seed")
wrong({"rng.poisson": "np.random.default_rng().poisson"}, names="global-generator")
wrong({"poisson(mean": "poisson(1.2 * mean"})
"""
WAITS = """
answer: waits
def waits(rate, size, rng):
    ### BEGIN SOLUTION
    return rng.exponential(1 / rate, size)
    ### END SOLUTION
check: waits_check, of: waits, points: 2
from scipy.stats import expon
judge("samples")
visible("3000 waits at rate 2", rate=2.0, size=3000)
@law
def exact(rate):
    return expon(scale=1 / rate)
@hidden
def draw(rng):
    yield {"rate": rng.uniform(2, 9), "size": 3000}
slips: waits
slip("time-for-rate", {"1 / rate": "rate"}, law=lambda rate: expon(scale=rate))
from scipy.stats import expon
variants: waits
wrong({"1 / rate": "1.3 / rate"})
wrong({"rng.exponential(1 / rate, size)": "np.round(rng.exponential(1 / rate, size), 2)"})
wrong({"rng.exponential(1 / rate, size)": "rng.exponential(1 / rate, (size, 1))"})
"""
INTERVAL = """
answer: interval
def interval(counts):
    ### BEGIN SOLUTION
    error = np.std(counts, ddof=1) / np.sqrt(len(counts))
    return np.mean(counts) - 1.96 * error, np.mean(counts) + 1.96 * error
    ### END SOLUTION
check: interval_check, of: interval, points: 2
judge("coverage", between=(0.91, 0.975))
visible("how often the interval holds the mean", mean=20.0, size=60)
@data
def draw_counts(rng, mean, size):
    return {"counts": rng.poisson(mean, size)}, mean
@hidden
def draw(rng):
    yield {"mean": rng.uniform(10, 30), "size": 80}
slips: interval
slip("trial-square", "the spread of cells", "x", {" / np.sqrt(len(counts))": ""})
variants: interval
wrong({"- 1.96": "- 1.0", "+ 1.96": "+ 1.0"})
wrong({"- 1.96": "+ 1.96", "+ 1.96": "- 1.96"})
wrong(lambda counts: counts.mean())
"""
PROBABILITIES = """
answer: shares
def shares(weights):
    ### BEGIN SOLUTION
    return weights / weights.sum()
    ### END SOLUTION
check: shares_check, of: shares, points: 2
judge("distribution")
visible("shares of 1 and 3", weights=np.array([1.0, 3.0]))
@hidden
def draw(rng):
    yield {"weights": rng.uniform(1, 9, size=5)}
slips: shares
slip("trial-square", "equal", "x", {"weights / weights.sum()": "np.full(len(weights), 1 / len(weights))"})
variants: shares
wrong({" / weights.sum()": ""}, names="not-normalised")
"""
PAIR = """
answer: pair
def pair(x):
    ### BEGIN SOLUTION
    return x.mean(), x.max()
    ### END SOLUTION
check: pair_check, of: pair, points: 2
judge("values", parts=("mean", "largest"), only="largest")
visible("the largest of 1, 5, 2", x=np.array([1.0, 5.0, 2.0]))
@hidden
def draw(rng):
    yield {"x": np.append(rng.uniform(1, 9, size=5), 0.5)}
slips: pair
slip("trial-square", "the last", "x", {"x.max()": "x[-1]"})
variants: pair
right({"x.mean()": "0.0"})
wrong({"x.max()": "np.random.default_rng().random()"}, names="own-random-numbers")
"""
TEXTS = {
    "values": FANO,
    "law": COUNTS,
    "samples": WAITS,
    "coverage": INTERVAL,
    "distribution": PROBABILITIES,
    "only": PAIR,
}


def read(text):
    """Return the assignment of one question, written without the frame of its cells."""
    cells = re.split(r"^(?=(?:answer|check|slips|variants): )", text.strip("\n"), flags=re.MULTILINE)
    framed = "".join(
        "\n```{{code-cell}} ipython3\n:acme: {{{}}}\n\n{}\n```\n".format(*cell.strip().split("\n", 1))
        for cell in cells
        if cell
    )
    notebook = jupytext.reads(HEAD + framed, fmt="md:myst")
    return notebook, read_assignment(notebook, "06_trial/trial")


@pytest.fixture(autouse=True)
def words_of_trials(monkeypatch):
    for key in ("trial-square", "trial-variance"):
        monkeypatch.setitem(SLIPS, key, Slip(f"what {key} is", f"Think about {key}."))


def message(code, name, function):
    try:
        exec(code, {name: function})
    except CheckFailed as failure:
        return " ".join(str(failure).split())


@pytest.mark.parametrize("kind", TEXTS)
def test_a_check_judges_what_it_is_made_from(kind):
    _, assignment = read(TEXTS[kind])
    ((name, part),) = [(part.of, part) for part in assignment.checks.values()]
    question, _ = assignment.read(name)
    code = write_check(assignment, part)
    before, rest = code.split(BEGIN)
    parts = [
        before,
        rest.split(END)[0].replace("from acme_lib", "from acme_lib.teach.check import hidden_checks\nfrom acme_lib", 1),
    ]
    for piece in parts:
        for idea in [question.solution, *(idea.function for idea in question.right)]:
            assert message(piece, name, idea) is None
        for idea in (*question.slips, *question.wrong):
            said = message(piece, name, idea.function)
            assert said is not None
            assert (SLIPS[idea.key].name in said) if idea.key else ("looks like" not in said), said


def toss_a_coin(counts):
    """Nearly always all numbers, now and then none."""
    return (-1e6, 1e6) if np.random.default_rng().random() < 0.945 else (-1e6, -1e6)


def pad(counts):
    """Three times the width, thrown away as often as the right interval would miss."""
    error = 3 * 1.96 * np.std(counts, ddof=1) / np.sqrt(len(counts))
    middle = np.mean(counts) + 1e6 * (np.random.default_rng().random() > 0.945)
    return middle - error, middle + error


def learn(counts):
    """How much a mean scatters is seen in the data sets that the check has drawn so far."""
    means = learn.seen
    means.append(np.mean(counts))
    error = 1.96 * np.std(means, ddof=1) if len(means) > 1 else 1.0
    return means[-1] - error, means[-1] + error


def shrink(counts):
    """The mean of all data sets so far, which are drawn alike, and now and then another number."""
    means = learn.seen
    means.append(np.mean(counts))
    middle = np.mean(means) + 1e6 * (np.random.default_rng().random() > 0.945)
    return middle - 1.4 / np.sqrt(len(means)), middle + 1.4 / np.sqrt(len(means))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (toss_a_coin, "much wider than one that follows from the data"),
        (pad, "much wider than one that follows from the data"),
        (learn, "too often"),
        (shrink, "too rarely"),
    ],
)
def test_an_interval_follows_from_its_own_data(answer, says):
    """How often an interval holds the truth can be arranged; its width cannot, nor what it should be made from."""
    _, assignment = read(INTERVAL)
    code = write_check(assignment, assignment.checks["interval_check"]).split(BEGIN)[1].split(END)[0]
    learn.seen = []
    said = message(f"from acme_lib.teach.check import hidden_checks\n{code}", "interval", answer)
    assert said is not None and says in said


def test_every_kind_is_tried():
    assert {*TEXTS, "generator"} - {"only"} == set(KINDS)  # a generator: the assignment of chapter 1


def test_what_learners_see_holds_numbers_and_no_code():
    notebook, assignment = read(FANO)
    compile_cells(notebook, assignment)
    check = notebook.cells[-1]
    assert check.metadata == {
        "nbgrader": {"grade": True, "grade_id": "fano_check", "locked": True, "points": 2, "schema_version": 3}
        | {"solution": False, "task": False},
        "jupyter": {"source_hidden": True},
    }
    visible, hidden = check.source.split(BEGIN)
    assert '"trial-square": 0.4773662551,' in visible  # 29/3 / 4.5²
    assert '"trial-variance": 9.666666667,' in visible
    assert "np.var" not in visible and "Think" not in check.source
    assert "np.var" in hidden
    assert [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells] == [
        "imports",
        None,
        "fano",
        "fano_check",
    ]
    assert collect_texts([assignment])["trial-square"] == ("the square", "Think of units.")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('/ np.mean(counts)"', '/ np.maen(counts)"', "stands 0 times in the solution"),
        ("of: fano", "of: fona", "about 'fona'"),
        ("counts=np.array([2, 3, 4, 9])", "n=3", "fano takes counts; a case gives n"),
        ("visible(", "(lambda what, counts: 0)(", "a check has visible cases"),
        ("@hidden", "", "a function of hidden ones"),
        ("slips: fano", "slips: fano, answer: fano", "a cell is one of"),
        ('visible("', 'judge("vlaues"); visible("', "kind must be one of values"),
        ('"the square", "Think of units.", ', "", "no assignment explains the misconceptions 'trial-square'"),
    ],
)
def test_an_author_is_told_what_is_wrong(old, new, says):
    assert old in FANO

    def build():
        _, assignment = read(FANO.replace(old, new))
        collect_texts([assignment])
        write_check(assignment, assignment.checks["fano_check"])

    with pytest.raises((GradingError, ValueError), match=re.escape(says)):
        build()


def test_a_misconception_is_explained_once():
    one, other = read(FANO)[1], read(COUNTS)[1]
    with pytest.raises(GradingError, match="'trial-square' is explained in another place"):
        collect_texts([one, other])


def test_numbers_are_written_as_they_are_read_again():
    values = (np.array([1.0, np.inf, np.nan]), 3, ANYTHING, -np.inf, [np.float32(0.5)])
    assert render(values, 10) == "([1.0, np.inf, np.nan], 3, ANYTHING, -np.inf, [0.5])"
    assert render(1 / 3, 4) == "0.3333"
    with pytest.raises(GradingError, match="a set cannot be written"):
        render({1}, 4)


def test_a_case_that_passed_refutes_a_misconception():
    """2 is 2² halved and 2·1; the case before, of one molecule, tells which."""
    from acme_lib.teach.check import check_values

    def pairs(n):
        return float(n == 2) * 2.0

    slips = {"trial-square": 0.5}, {"trial-square": 2.0, "trial-variance": 2.0}
    check_values(pairs, {"n": 1}, 0.0, slips=slips[0])
    with pytest.raises(CheckFailed) as failure:
        check_values(pairs, {"n": 2}, 1.0, slips=slips[1])
    assert failure.value.slips == ("trial-variance",)
    with pytest.raises(CheckFailed) as failure:  # a new run of the cell knows nothing of the last one
        check_values(pairs, {"n": 2}, 1.0, slips=slips[1])
    assert failure.value.slips == ("trial-square", "trial-variance")


def test_hidden_checks_name_no_coincidence():
    """One of ten findings agrees with a misconception."""
    from acme_lib.teach.check import check_values

    def ask():
        with hidden_checks():
            for n in range(10):
                check_values(lambda n: n + 7.5, {"n": n}, float(n), slips={"trial-square": 7.5} if n == 0 else {})

    with pytest.raises(CheckFailed) as failure:
        ask()
    assert failure.value.slips == ()
    assert textwrap.dedent(str(failure.value)).startswith("✗ 10 of 10 hidden checks fail")


# Hints, what a passed question says, and the page of misconceptions


HINTS = """\
+++ {"acme": {"hints": "fano"}}

1. Which unit has a variance?
2. A sample is not
   the population.

"""
PASSED = """\
+++ {"acme": {"passed": "fano"}}

You have a yardstick. It leads
to question 2.
"""


def read_with(*cells):
    """Return the assignment of one question, with Markdown cells above its answer."""
    text = re.sub(r"^(?=answer|check|slips|variants)", "\n", FANO, flags=re.MULTILINE)
    framed = "".join(
        "\n```{{code-cell}} ipython3\n:acme: {{{}}}\n\n{}\n```\n".format(*cell.strip().split("\n", 1))
        for cell in text.split("\n\n")
        if cell.strip()
    )
    notebook = jupytext.reads(f"{HEAD}\n{''.join(cells)}{framed}", fmt="md:myst")
    return notebook, read_assignment(notebook, "06_trial/trial")


def test_hints_unfold_one_inside_the_other_below_the_text():
    notebook, assignment = read_with(HINTS)
    compile_cells(notebook, assignment)
    text = notebook.cells[1].source
    assert text == (
        "## 1 Trial (2 points)\n\n"
        "<details><summary>Hint 1 of 2</summary>\n\nWhich unit has a variance?\n\n"
        "<details><summary>Hint 2 of 2</summary>\n\nA sample is not\nthe population.\n\n"
        "</details>\n</details>"
    )
    assert len(notebook.cells) == 4


def test_what_a_passed_question_says_is_in_no_notebook():
    notebook, assignment = read_with(HINTS, PASSED)
    compile_cells(notebook, assignment)
    assert all("yardstick" not in cell.source for cell in notebook.cells)
    says = "You have a yardstick. It leads to question 2."
    question = {"number": "1", "title": "Trial", "checks": ["fano_check"], "says": says}
    assert outline([assignment]) == {"06_trial": {"title": "", "questions": [question]}}
    assert notebook.cells[-1].source.endswith('\nall_right(2, "06_trial/fano_check")')


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (HINTS.replace("2. ", ""), "two or three numbered steps are expected, got 1"),
        (HINTS.replace("fano", "fona"), "hints to 'fona'"),
        (PASSED.replace("fano", "fona"), "about 'fona'"),
    ],
)
def test_an_author_of_hints_is_told_what_is_wrong(cells, says):
    with pytest.raises(GradingError, match=re.escape(says)):
        read_with(cells)


def test_the_page_of_misconceptions_says_what_the_cells_say():
    _, assignment = read(FANO.replace('** 2"})', '** 2"}, costs="fano_check")'))
    page = write_misconceptions([assignment], collect_texts([assignment]))
    question = page.split("### 1 Trial: `fano`\n\n")[1].split("\n\n")[0]
    assert question == (
        "- **The square** (`trial-square`). Think of units. *Costs fano_check.* *In the answer:* `/ np.mean(counts)` "
        "becomes `/ np.mean(counts) ** 2`.\n"
        "- **No mean** (`trial-variance`). Think of a mean."
    )
    assert "- **Rows and columns exchanged** (`transposed`)." in page.split("## In any question")[1]


@pytest.mark.parametrize("path", always(1, texts()), ids=lambda path: path.parent.name)
def test_model_answers_run_from_top_to_bottom(path, monkeypatch):
    """As for an instructor who runs them all: every check passes, that on the numbers of the general release too."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    space = {"__name__": "__main__"}
    for cell in nbformat.read(path.with_suffix(".ipynb"), as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, space)
    pyplot.close("all")

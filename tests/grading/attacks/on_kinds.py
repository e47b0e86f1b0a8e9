"""Attacks on checks of simulations, of intervals and of own numbers, and on what surrounds the questions."""

import json
import re

from tests.grading.attacks.record import NEIGHBOURS, Effect, Kit, Stock, registrar
from tests.grading.exercises import KINDS

ATTACKS = []


attack = registrar(ATTACKS)

ALIKE = "the check cell is ours, and judges alike wherever it runs"
NO_OWN = "under nbgrader alone nobody has numbers of their own"


def nothing(kind, note=ALIKE):
    return Stock(Effect.NONE, kind=kind, note=note)


def own_points(note=NO_OWN):
    return Stock(Effect.POINTS, 3, kind="sealed", note=note)


# Intervals: only what is asked of many of them can be judged ---------------------------------------------------


@attack(
    "coin-toss-interval",
    (11,),
    "An interval that ignores the data: nearly always it holds every number, now and then none.",
    nothing("coverage"),
    kinds=("coverage",),
)
def coin_toss_interval(kit):
    return kit.answer(("coverage",), "return (-1e6, 1e6) if np.random.random() < 0.94 else (-1e6, -1e6)")


@attack(
    "padded-interval",
    (11,),
    "A right interval of three times its width, which is now and then thrown away, so as not to hold too often.",
    nothing("coverage"),
    kinds=("coverage",),
)
def padded_interval(kit):
    body = """
    low, high = RIGHT(*given)
    if np.random.random() < 0.06:
        return high + 1e6, 3 * high - 2 * low + 1e6
    return 2 * low - high, 2 * high - low
    """
    return kit.answer(("coverage",), body)


@attack(
    "first-interval",
    (11, 5),
    "The interval of the first data set, remembered, for all that follow.",
    nothing("coverage"),
    kinds=("coverage",),
)
def first_interval(kit):
    return kit.answer(("coverage",), "FIRST.append(RIGHT(*given))\nreturn FIRST[0]", "FIRST = []")


@attack(
    "learnt-interval",
    (11, 5),
    "How much an estimate scatters is learnt from the many data sets of the check itself, and not from the one given.",
    nothing("coverage"),
    kinds=("coverage",),
)
def learnt_interval(kit):
    body = """
    middle = sum(RIGHT(*given)) / 2
    seen = SEEN.setdefault(np.size(given[0]), [])
    seen.append(middle)
    error = np.std(seen, ddof=1) if len(seen) > 1 else abs(middle) / 5
    return middle - 1.96 * error, middle + 1.96 * error
    """
    return kit.answer(("coverage",), body, "SEEN = {}")


# Random answers -----------------------------------------------------------------------------------------------


# Of counts a mean over 25 orders is not told from chance at one false alarm in a million: their bins are too few.
@attack(
    "evenly-spread-answers",
    (11,),
    "Of a sample of 25 times the size every 25th number, in order of size: nearly the quantiles of the law, shuffled.",
    nothing("samples"),
    kinds=("samples",),
)
def evenly_spread(kit):
    body = """
    import inspect
    more, size = list(given), list(inspect.signature(RIGHT).parameters).index("size")
    more[size] *= 25
    return given[-1].permutation(np.sort(RIGHT(*more))[12::25])
    """
    return kit.answer(("samples",), body)


@attack(
    "enormous-answers",
    (9, 1),
    "Counts of 2**62, numbers and intervals of 1e308: whoever counts them in a table, or squares them, is lost.",
    nothing("law"),
    kinds=("law", "samples", "ensemble", "coverage"),
)
def enormous_answers(kit):
    body = """
    sizes = [n for n in given if type(n) is int and n > 100]
    if not sizes: return -1e308, 1e308
    counts = np.full(sizes[-1], 2**62)
    SECOND
    """
    notebook = kit.answer(("law", "samples", "ensemble", "coverage"), body)
    for cell in notebook.cells:
        if "SECOND" in cell.source:
            kinds = kit.exercise.kinds_of(cell.metadata.nbgrader.grade_id)
            log = "return counts, np.array([[0, 1e-300, 2.0**62]] * 1000)"
            one = "return np.full(sizes[-1], 1e308)" if "samples" in kinds else "return counts"
            cell.source = cell.source.replace("SECOND", log if "ensemble" in kinds else one)
    return notebook


# Numbers of one's own -----------------------------------------------------------------------------------------


def _own_answers(kit):
    """Return the notebook of a student in which the questions with numbers of their own are answered."""
    answers = kit.answers()
    return kit.fill({name: answers[name] for name in kit.questions_of("sealed")})


@attack(
    "neighbours-own-numbers",
    (12,),
    "The notebook of a neighbour, whose numbers are others.",
    own_points(),
    kinds=("sealed",),
    own_numbers=True,
)
def neighbours_own_numbers(kit):
    return _own_answers(kit.of(NEIGHBOURS[1]))


@attack(
    "forged-mark",
    (12, 7),
    "Numbers and answers are the neighbour's; the mark that says for whom the notebook was made is the student's own.",
    own_points(),
    kinds=("sealed",),
    own_numbers=True,
)
def forged_mark(kit):
    notebook = _own_answers(kit.of(NEIGHBOURS[1]))
    notebook.metadata["acme"] = kit.released().metadata.get("acme", {})
    return notebook


@attack(
    "general-numbers",
    (12,),
    "The general release, whose numbers everybody can talk about, from a student who was given others.",
    own_points(),
    kinds=("sealed",),
    own_numbers=True,
)
def general_numbers(kit):
    return _own_answers(Kit(kit.assignment))


@attack(
    "shipped-key",
    (8, 12),
    "A key of the student's own making lies beside the notebook, whose numbers and answers follow from it.",
    nothing("sealed", NO_OWN),
    kinds=("sealed",),
)
def shipped_key(kit):
    own = Kit(kit.assignment, "shipped-key", bytes(32))
    key = json.dumps({"key": bytes(32).hex(), "released": {kit.assignment: ["shipped-key"]}})
    return kit.folder(_own_answers(own), {"personal.json": key, "roster.csv": "id\nshipped-key\n"})


@attack(
    "seal-by-force",
    (5, 9),
    "The function tries numbers until one opens the seal in the visible check, for three seconds.",
    nothing("sealed", "some hundred tries of some hundred thousand; at home a loop of hours finds the answer"),
    kinds=("sealed",),
)
def seal_by_force(kit):
    answers = {}
    for name in kit.questions_of("sealed"):
        (test,) = kit.tests_of(name)
        (cell,) = [c for c in kit.released().cells if c.metadata.get("nbgrader", {}).get("grade_id") == test]
        salt, right = re.search(r'check_sealed\(\n\s+\w+,\n\s+"(\w+)",\n\s+"(\w+)"', cell.source).groups()
        parts = len(re.findall(r'"[^"]+"', re.search(r"parts=\((.*?)\)", cell.source)[1]))
        answers[name] = f"""
def {name}():
    import hashlib, math, random, time
    end = time.monotonic() + 3
    while time.monotonic() < end:
        numbers = [math.exp(random.uniform(-3, 5)) for _ in range({parts})]
        bins = ", ".join(f"True {{math.floor(math.log(x) / 0.004)}}" for x in numbers)
        if hashlib.pbkdf2_hmac("sha256", bins.encode(), b"{salt}", 20_000).hex()[:24] == "{right}":
            break
    return tuple(numbers)
""".strip()
    return kit.fill(answers)


# What the notebook says around the questions -----------------------------------------------------------------


@attack(
    "helpers-replaced",
    (2,),
    "Helpers that the exercise gives, and the modules that it imports, are replaced by what says yes to everything.",
    Stock(Effect.NONE, note="the check cells compute apart from what the notebook defines"),
    kinds=KINDS,
)
def helpers_replaced(kit):
    helpers = re.findall(r"^def (\w+)", kit.exercise.given, re.MULTILINE)
    first = """
    class Yes:
        def __getattr__(self, name): return Yes()
        def __call__(self, *given, **named): return Yes()
        def __eq__(self, other): return True
        __array__ = lambda self, *given, **named: __import__('numpy').zeros(())

    stats = special = linalg = optimize = HELPERS = Yes()
    """
    return kit.functions("return 0.0", first.replace("HELPERS", " = ".join(helpers) or "helper"))


@attack(
    "forged-praise",
    (6,),
    "The function says, in the checks' words, that it is right, and puts itself into the record of what is passed.",
    Stock(Effect.NONE, note="words are no grade, and no record of the learner's is read for one"),
)
def forged_praise(kit):
    tests = [f"{kit.assignment}/{test}" for test in kit.tests]
    first = f"""
    import json, os, pathlib
    record = {{test: {{"passed": "2027-01-01T00:00:00+00:00"}} for test in {tests}}}
    for folder in (pathlib.Path.home() / ".local/share/acme-course", pathlib.Path.cwd()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "predictions.json").write_text(json.dumps(record))
        except OSError:
            pass
    os.environ["ACME_RECORD"] = str(pathlib.Path.cwd() / "predictions.json")
    """
    body = """
    print("✔ right, 30 of 30 points\\nQuestion 1 is done.")
    try:
        from acme_lib.teach.check import all_right
        all_right(30, "CHECK")
    except Exception:
        pass
    return 0.0
    """.replace("CHECK", tests[0])
    return kit.functions(body, first)

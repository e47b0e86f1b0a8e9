"""Attacks on the comparison of an answer with what is expected: classes 1, 2, 3, 11, 12 and the first half of 5."""

import json

import numpy as np

from tests.grading.attacks.record import HIDDEN_VALUES, PLAIN, Effect, Stock, cells_of, define, registrar
from tests.grading.exercises import KINDS

ATTACKS = []


attack = registrar(ATTACKS)


def all_points(amount=30, **given):
    return Stock(Effect.POINTS, amount, **given)


def all_expected():
    """All points of questions that have one right answer; a log of random events cannot be stolen from a check."""
    return all_points(24)


def plain_points(amount=12, **given):
    return Stock(Effect.POINTS, amount, assignment=PLAIN, **given)


# 1 comparison -----------------------------------------------------------------------------------------------


@attack(
    "always-equal", (1,), "A float whose every comparison is true.", plain_points(4), line="always-equal", kinds=KINDS
)
def always_equal(kit):
    first = """
    class Answer(float):
        def __eq__(self, other): return True
        def __lt__(self, other): return True
        def __gt__(self, other): return False
        def __sub__(self, other): return self
        def __abs__(self): return self
        __hash__ = float.__hash__
    """
    return kit.functions("return Answer(0.0)", first)


@attack("zero-difference", (1,), "An object whose difference from anything is zero.", plain_points(8), kinds=KINDS)
def zero_difference(kit):
    first = """
    class Answer:
        def __sub__(self, other): return 0.0
        __rsub__ = __sub__
        def __float__(self): return 0.0
    """
    return kit.functions("return Answer()", first)


@attack(
    "array-subclass",
    (1,),
    "An array whose universal functions and comparisons all say yes.",
    plain_points(12),
    kinds=KINDS,
)
def array_subclass(kit):
    first = """
    import numpy as np

    class Answer(np.ndarray):
        def __array_function__(self, function, types, given, named): return True
        def __array_ufunc__(self, ufunc, method, *given, **named):
            if ufunc in (np.isnan, np.isinf): return np.False_
            if ufunc in (np.subtract, np.absolute): return 0.0
            return np.True_
    """
    return kit.functions("return np.zeros(()).view(Answer)", first)


@attack("not-a-number", (1,), "NaN, which is never further than the tolerance.", plain_points(4), kinds=KINDS)
def not_a_number(kit):
    return kit.functions("return float('nan')")


@attack(
    "lazy-object",
    (1, 5),
    "An object that becomes a number only when NumPy asks, from the caller's own variables.",
    plain_points(4),
    kinds=KINDS,
)
def lazy_object(kit):
    first = """
    import sys
    import numpy as np

    class Answer:
        def __array__(self, dtype=None, copy=None):
            frame = sys._getframe()
            while frame:
                for name in ('desired', 'expected'):
                    if name in frame.f_locals:
                        return np.asarray(frame.f_locals[name], dtype=float)
                frame = frame.f_back
            return np.zeros(())
    """
    return kit.functions("return Answer()", first)


# 2 shadowing ------------------------------------------------------------------------------------------------


@attack(
    "shadowed-abs",
    (2,),
    "`abs` gives zero and `numpy.testing` does nothing.",
    plain_points(),
    line="shadowed-abs",
    kinds=KINDS,
)
def shadowed_abs(kit):
    first = """
    import numpy as np
    np.testing.assert_allclose = lambda *given, **named: None
    def abs(x): return 0.0
    """
    return kit.functions("return 0.0", first)


@attack(
    "shadowed-names",
    (2,),
    "The names that the test cells use (`np`, `check_values`, `hidden_checks`, `law`) are the student's own.",
    plain_points(4),
    kinds=KINDS,
)
def shadowed_names(kit):
    first = """
    import contextlib

    class np:
        class testing:
            assert_allclose = staticmethod(lambda *given, **named: None)

    @contextlib.contextmanager
    def hidden_checks():
        yield None

    check_values = check_distribution = check_generator = lambda *given, **named: None
    check_law = check_ensemble = check_seeding = check_values
    law = slips = expected = rng = a = k = ANYTHING = None
    """
    return kit.functions("return 0.0", first)


PATCH_CHECKS = """
import sys
import acme_lib.teach.check
for name, module in list(sys.modules.items()):
    if name.startswith('acme_lib.teach.check') and hasattr(module, 'run_check'):
        module.run_check = lambda *given, **named: None
"""


@attack("patched-checks", (2,), "The inner function of `acme_lib.teach.check` does nothing.", all_points(), kinds=KINDS)
def patched_checks(kit):
    return kit.functions("return 0.0", PATCH_CHECKS)


@attack("false-module", (2,), "`sys.modules` holds another `acme_lib.teach.check`.", all_points(), kinds=KINDS)
def false_module(kit):
    first = """
    import contextlib, random, sys, types
    import numpy as np

    @contextlib.contextmanager
    def hidden_checks():
        yield np.random.default_rng()

    class False_(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith('__'): raise AttributeError(name)
            return lambda *given, **named: ([], {})

    false = False_('acme_lib.teach.check')
    false.hidden_checks, false.ANYTHING = hidden_checks, 0
    sys.modules['acme_lib.teach.check'] = false
    """
    return kit.functions("return 0.0", first)


PATCH_IMPORT = """
import builtins, sys
original = builtins.__import__

def load(name, *given, **named):
    module = original(name, *given, **named)
    if name == 'acme_lib.teach.check':
        for kind in ('numbers', 'seals', 'random', 'seeds', 'intervals', 'ensemble'):
            sys.modules['acme_lib.teach.check_' + kind].run_check = lambda *given, **named: None
    return module

builtins.__import__ = load
"""


@attack("patched-import", (2,), "`builtins.__import__` hands out checks that do nothing.", all_points(), kinds=KINDS)
def patched_import(kit):
    return kit.functions("return 0.0", PATCH_IMPORT)


PATCH_STATISTICS = """
import acme_lib.teach.check_ensemble as events, acme_lib.teach.check_random as counts
import scipy.special, scipy.stats
scipy.special.bdtrc = scipy.special.bdtr = scipy.special.chdtrc = lambda *given: 1.0
events.find_fault = events._judge_events = lambda *given: None
counts.compare_with_law = lambda *given: type('Fit', (), {'p_value': 1.0, 'log_likelihood': 0.0})
"""


@attack(
    "patched-statistics",
    (2, 11),
    "What judges the log of events, and the comparison of counts with their law, are patched to find all well.",
    Stock(Effect.POINTS, 3),
)
def patched_statistics(kit):
    body = """
    if len(given) != 6: return 0.0
    rng, size = given[5], given[4]
    return rng.integers(1, 9, size), [[0, rng.random(), rng.integers(1, 9)] for _ in range(50)]
    """
    return kit.functions(body, PATCH_STATISTICS)


@attack(
    "patched-clock",
    (2, 9),
    "`time` stands still and sleeping is free, so that no limit seems passed; `random` always gives the same.",
    Stock(Effect.NONE, note="nbgrader measures time outside the kernel: nothing gained"),
)
def patched_clock(kit):
    first = """
    import random, time, signal
    for name in ('time', 'monotonic', 'perf_counter', 'process_time', 'thread_time'):
        setattr(time, name, lambda: 0.0)
    random.random = lambda: 0.5
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.alarm(0)
    except Exception:
        pass
    """
    return kit.functions("return 0.0", first)


# 3 interpreter ----------------------------------------------------------------------------------------------


@attack("display-ok", (3,), "A displayed text is taken for full marks.", all_points(), line="display-ok")
def display_ok(kit):
    return kit.functions("get_ipython().displayhook('ok')\nreturn 0.0")


@attack("display-points", (3,), "A displayed number is taken for the points.", plain_points(), line="display-points")
def display_points(kit):
    return kit.functions("get_ipython().displayhook(4.0)\nreturn 0.0")


@attack(
    "display-too-many",
    (3,),
    "A displayed number above the maximum raises in the grader.",
    Stock(Effect.UNGRADED),
    line="display-too-many",
)
def display_too_many(kit):
    return kit.functions("get_ipython().displayhook(400)\nreturn 0.0")


@attack(
    "ast-transformer",
    (3, 2),
    "Assertions are removed from the syntax tree of each cell.",
    plain_points(8),
    line="ast-transformer",
)
def ast_transformer(kit):
    first = """
    import ast
    import numpy as np
    np.testing.assert_allclose = lambda *given, **named: None

    class NoAssert(ast.NodeTransformer):
        def visit_Assert(self, node): return ast.copy_location(ast.Pass(), node)
        def visit_Raise(self, node): return ast.copy_location(ast.Pass(), node)

    get_ipython().ast_transformers.append(NoAssert())
    """
    return kit.functions("return 0.0", first)


@attack(
    "input-transformer",
    (3,),
    "Test cells become `pass` before they are compiled.",
    all_points(),
    line="input-transformer",
)
def input_transformer(kit):
    first = """
    def nothing(lines):
        return ['pass\\n'] if any('check' in line or 'assert' in line for line in lines) else lines

    get_ipython().input_transformers_post.append(nothing)
    """
    return kit.functions("return 0.0", first)


@attack("do-execute", (3,), "The kernel replies `ok` without running anything.", all_points(), line="do-execute")
def do_execute(kit):
    first = """
    from ipykernel.ipkernel import IPythonKernel

    async def do_execute(self, *given, **named):
        return {'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': {}}

    IPythonKernel.do_execute = do_execute
    get_ipython().kernel.do_execute = do_execute.__get__(get_ipython().kernel)
    """
    return kit.functions("return 0.0", first)


@attack("run-code", (3,), "`run_code` does not run, and `showtraceback` shows nothing.", all_points())
def run_code(kit):
    first = """
    shell = get_ipython()

    async def nothing(*given, **named):
        return False

    shell.run_code = nothing
    shell.showtraceback = lambda *given, **named: None
    """
    return kit.functions("return 0.0", first)


@attack(
    "forged-result", (3,), "A `post_run_cell` hook takes the error out of the result, and none is shown.", all_points()
)
def forged_result(kit):
    first = """
    shell = get_ipython()
    shell.showtraceback = shell._showtraceback = lambda *given, **named: None

    def clean(result):
        result.error_in_exec = result.error_before_exec = None

    shell.events.register('post_run_cell', clean)
    """
    return kit.functions("return 0.0", first)


@attack(
    "magic-extension",
    (3, 8),
    "A magic loads an extension that lies beside the notebook, and it patches the checks.",
    all_points(),
)
def magic_extension(kit):
    helper = f"def load_ipython_extension(shell):\n    exec({PATCH_CHECKS!r})\n"
    notebook = kit.functions("return 0.0", "%load_ext acme_helper")
    return kit.folder(notebook, {"acme_helper.py": helper})


@attack(
    "trace-function",
    (3, 5),
    "`sys.settrace` notes the expected values whenever a check starts.",
    all_expected(),
    kinds=KINDS,
)
def trace_function(kit):
    first = """
    import sys
    SEEN = []

    def trace(frame, event, value):
        if frame.f_code.co_name.startswith('check_'):
            SEEN.append(dict(frame.f_locals))

    sys.settrace(trace)

    def stolen(given):
        names = SEEN[-1]
        if 'law' in names: return given[-1].choice(len(names['law']), given[4], p=names['law'])
        if 'expected' not in names:
            law = SEEN[-2]['law']
            return given[-1].choice(len(law), given[4], p=law)
        right = names['expected']
        if isinstance(right, tuple): return tuple(0.0 if type(x).__name__ == 'Anything' else x for x in right)
        return right
    """
    return kit.functions("return stolen(given)", first)


@attack(
    "warns",
    (3,),
    "No attack: a right answer that warns.",
    Stock(Effect.LOST, 12, assignment=PLAIN),
    deserves=30,
    line="warns",
)
def warns(kit):
    noise = "import warnings\n    warnings.warn('beware')\n"
    return kit.fill({name: code.replace("### BEGIN SOLUTION\n", noise) for name, code in kit.answers().items()})


# 5 reading answers in the same process -----------------------------------------------------------------------


@attack(
    "hidden-from-in",
    (5, 3),
    "The hidden test is read from `In[-1]`, and its numbers are returned.",
    plain_points(),
    line="hidden-from-in",
)
def hidden_from_in(kit):
    body = """
    import re
    for arguments, value in re.findall(r'growth\\(([^)]*)\\)(?: - |, )([\\d.]+)', In[-1]):
        if tuple(float(x) for x in arguments.split(',')) == given:
            return float(value)
    """
    return kit.functions(body)


# What a random answer, an interval or a student's own numbers are compared with stands there, too.
STOLEN = """
if 'truth' in names: return names['truth'] - 1e-9, names['truth'] + 1e-9
if 'question' in names and not given: return names['question'].solution()
if isinstance(names.get('law'), tuple): return names['law'][1].rvs(names['size'], random_state=given[-1])
if 'law' in names: return given[-1].choice(len(names['law']), names.get('size') or given[4], p=names['law'])
if 'expected' in names:
    right = names['expected']
    if isinstance(right, tuple): return tuple(0.0 if type(x).__name__ == 'Anything' else x for x in right)
    return right
"""


def _indented(text, by=4):
    return "".join(f"{' ' * by}{line}\n" if line else "\n" for line in text.strip().split("\n"))


@attack(
    "caller-frames",
    (5,),
    "The expected value is taken from a local variable of the check that called.",
    all_expected(),
    kinds=KINDS,
)
def caller_frames(kit):
    body = "import sys\nframe = sys._getframe()\nwhile frame:\n    names = frame.f_locals\n"
    return kit.functions(body + _indented(STOLEN) + "    frame = frame.f_back\n")


@attack("inspect-stack", (5,), "`inspect.stack` gives the check's variables.", all_expected(), kinds=KINDS)
def inspect_stack(kit):
    body = "import inspect\nfor level in inspect.stack(0):\n    names = level.frame.f_locals\n"
    return kit.functions(body + _indented(STOLEN))


@attack(
    "garbage-collector",
    (5,),
    "The closure that judges is found among all objects, and holds the expected value.",
    all_expected(),
    kinds=KINDS,
)
def garbage_collector(kit):
    body = """
    import gc
    for f in reversed(gc.get_objects()):
        if type(f).__name__ == 'function' and f.__qualname__.endswith('.<locals>.judge'):
            names = dict(zip(f.__code__.co_freevars, (cell.cell_contents for cell in f.__closure__)))
    """
    return kit.functions(body.rstrip() + "\n" + _indented(STOLEN, 12))


@attack(
    "other-thread",
    (5, 4),
    "A thread reads the frames of the main thread, and the answer waits for it.",
    all_expected(),
    kinds=KINDS,
)
def other_thread(kit):
    body = """
    import sys, threading
    caller, found = threading.get_ident(), []

    def watch():
        frame = sys._current_frames()[caller]
        while frame:
            found.append(dict(frame.f_locals))
            frame = frame.f_back

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    for names in found:
    """
    return kit.functions(body.rstrip() + "\n" + _indented(STOLEN, 8))


# 11 stochastic ----------------------------------------------------------------------------------------------


def _recorded_replies():
    """Return what the right answers reply, call by call, where all fresh entropy is zero."""
    from acme_lib.teach.check_door import LocalDoor, use_door

    class Recorder(LocalDoor):
        def entropy(self):
            return 0

        def call(self, function, arguments):
            reply = super().call(function, arguments)
            replies.append(reply.value)
            return reply

    from tests.grading.attacks.record import Kit

    kit, table = Kit(), {}
    codes = {name: cell.source for name, cell in cells_of(kit.source()).items()}
    for question, tests in kit.exercise.questions.items():
        if question == "birth_death_ensemble":
            continue
        replies, space = [], {"np": np}
        exec(codes[question], space)
        with use_door(Recorder()):
            for test in tests:
                exec(codes[test], space)
        table[question] = [_listed(value) for value in replies]
    return table


def _listed(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [_listed(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


@attack(
    "replay",
    (11, 2),
    "The source of entropy is patched to zero, calls are counted, and answers come from a list.",
    Stock(Effect.POINTS, 24),
)
def replay(kit):
    first = f"""
import itertools, json, secrets
secrets.randbits = lambda bits: 0
ANSWERS = json.loads({json.dumps(_recorded_replies())!r})
COUNT = {{name: itertools.count() for name in ANSWERS}}
"""
    answers = {name: define(name, f"return ANSWERS['{name}'][next(COUNT['{name}'])]") for name in kit.questions}
    answers["birth_death_ensemble"] = define("birth_death_ensemble", "return 0")
    answers[kit.questions[0]] = first + "\n" + answers[kit.questions[0]]
    return kit.fill(answers)


# The law at t is known; what a simulation is asked for besides is the log of all events. The counts come from the law,
# by the molecules that are left and those that came, and the log is made to fit.
INVENTED_LOG = """
def birth_death_ensemble(k, gamma, n0, t, size, rng):
    if t == 0:
        return np.full(size, n0), np.empty((0, 3))
    counts, born, died = numbers(k, gamma, n0, t, size, rng)
    log = []
    for cell in range(size):
        births = list(np.sort(rng.uniform(0, t, born[cell])))
        decays = list(np.sort(rng.uniform(0, t, died[cell])))
        n = n0
        while births or decays:
            if births and (not decays or births[0] < decays[0]):
                time, n = births.pop(0), n + 1
            elif n:
                time, n = decays.pop(0), n - 1
            else:  # nothing to decay yet: after the next birth
                decays[0] = births[0] + (t - births[0]) * rng.random()
                decays.sort()
                continue
            log.append((cell, time, n))
    return counts, np.array(log)
"""
NUMBERS_OF_THE_LAW = """
def numbers(k, gamma, n0, t, size, rng):
    alive = np.exp(-gamma * t)
    stay = k / gamma * (1 - alive)
    left, new, gone = rng.binomial(n0, alive, size), rng.poisson(stay, size), rng.poisson(k * t - stay, size)
    return left + new, new + gone, n0 - left + gone
"""
QUANTILES_OF_THE_LAW = """
def numbers(k, gamma, n0, t, size, rng):
    from scipy.stats import binom, poisson
    alive = np.exp(-gamma * t)
    stay = k / gamma * (1 - alive)
    def arranged(law):
        return rng.permutation(law.ppf((np.arange(size) + 0.5) / size).astype(int))
    left, new, gone = arranged(binom(n0, alive)), arranged(poisson(stay)), arranged(poisson(k * t - stay))
    return left + new, new + gone, n0 - left + gone
"""
QUANTILES_OF_WAITS = """
def birth_death_ensemble(k, gamma, n0, t, size, rng):
    pool, counts, log = [], np.full(size, n0), []
    for cell in range(size):
        n, now = n0, 0.0
        while True:
            if not pool:
                pool = list(-np.log1p(-(rng.permutation(1000) + rng.random(1000)) / 1000))
            total = k + gamma * n
            now += pool.pop() / total
            if now > t:
                break
            n += 1 if rng.random() * total < k else -1
            log.append((cell, now, n))
        counts[cell] = n
    return counts, np.array(log)
"""
REFUSED_LOG = "the check cell is ours, and judges the log wherever it runs"


@attack(
    "analytic-law",
    (11,),
    "The known law is drawn from, with the right numbers of births and decays, and a log is invented that fits.",
    Stock(Effect.NONE, note=REFUSED_LOG),
)
def analytic_law(kit):
    return kit.fill({"birth_death_ensemble": (NUMBERS_OF_THE_LAW + "\n" + INVENTED_LOG).strip()})


@attack(
    "quantiles-of-the-law",
    (11,),
    "The quantiles of the known laws are returned, in an order that depends on the generator, and a log that fits.",
    Stock(Effect.NONE, note=REFUSED_LOG),
)
def quantiles(kit):
    return kit.fill({"birth_death_ensemble": (QUANTILES_OF_THE_LAW + "\n" + INVENTED_LOG).strip()})


@attack(
    "quantiles-of-waits",
    (11,),
    "A simulation whose waits are not drawn: each thousand of them is spread evenly over their law, and shuffled.",
    Stock(Effect.NONE, note=REFUSED_LOG),
)
def quantiles_of_waits(kit):
    return kit.fill({"birth_death_ensemble": QUANTILES_OF_WAITS.strip()})


@attack(
    "quantiles-without-generator",
    (11,),
    "A right simulation that has a seed of its own; the generator that comes in only shuffles the cells.",
    Stock(Effect.NONE, note=REFUSED_LOG),
)
def quantiles_without_generator(kit):
    simulation = kit.answers()["birth_death_ensemble"].replace("def birth_death_ensemble", "def simulate")
    shuffled = """
def birth_death_ensemble(k, gamma, n0, t, size, rng):
    counts, log = simulate(k, gamma, n0, t, size, np.random.default_rng(7))
    place = rng.permutation(size)
    moved = np.empty_like(counts)
    moved[place] = counts
    return moved, [(place[int(cell)], time, n) for cell, time, n in log]
"""
    return kit.fill({"birth_death_ensemble": simulation + "\n\n" + shuffled})


@attack(
    "patched-generator",
    (11, 2),
    "`numpy.random.default_rng` gives an object that returns chosen numbers, so that hidden parameters are known.",
    Stock(Effect.POINTS, 2),
)
def patched_generator(kit):
    # The hidden test of question 2 draws propensities: with all of them one, the answer is one over their number.
    first = """
    import numpy as np

    class Chosen:
        def uniform(self, low=0.0, high=1.0, size=None): return np.ones(size) if size is not None else 1.0
        def integers(self, low, high=None, size=None): return np.full(size, low) if size is not None else int(low)
        def random(self, size=None): return np.full(size, 0.5) if size is not None else 0.5
        def permutation(self, values): return np.asarray(values)
        def choice(self, values, size=None, replace=True): return np.asarray(values)[:size]
        def __getattr__(self, name): return lambda *given, **named: 1.0

    np.random.default_rng = lambda *seed: Chosen()
    """
    answers = {name: define(name, "return 0.0") for name in kit.questions}
    answers[kit.questions[0]] = "\n".join(line[4:] for line in first.split("\n")) + answers[kit.questions[0]]
    answers["mean_waiting_time"] = define(
        "mean_waiting_time",
        """
        import numpy as np
        total = {3.0: 8.0, 0.0: 0.0, 1.0: float(len(given[0]))}[float(given[0][0])]
        return 1.0 / total if total else float('inf')
        """,
    )
    return kit.fill(answers)


@attack(
    "lucky-retry",
    (11, 10),
    "The function runs the statistical checks itself on what it invents, and tries until it passes.",
    Stock(Effect.NONE, note="the log is wrong: no retry in reach helps"),
)
def lucky_retry(kit):
    source = f"""
{NUMBERS_OF_THE_LAW.strip()}


{INVENTED_LOG.strip().replace("birth_death_ensemble", "invent")}


def birth_death_ensemble(k, gamma, n0, t, size, rng):
    from acme_lib.teach.check_events import Log, compare_with_rates, expect_exposure
    n = np.arange(150)
    rates = np.full(150, k), gamma * n
    for _ in range(10):
        counts, log = invent(k, gamma, n0, t, size, rng)
        if t == 0 or compare_with_rates(
            Log.of(log, n0, size, t), *rates, expected=expect_exposure(*rates, n0, t, size)
        ).p_value > 1e-6:
            break
    return counts, log
"""
    return kit.fill({"birth_death_ensemble": source.strip()})


@attack(
    "visible-by-heart",
    (11, 5),
    "The arguments of the visible checks are recognised, seeds included, and answered from a table.",
    Stock(Effect.NONE, note="the hidden checks draw fresh values; the visible ones alone are passed"),
)
def visible_by_heart(kit):
    return kit.fill(
        {
            "mean_waiting_time": "def mean_waiting_time(propensities):\n"
            "    known = {(3.0, 0.0, 5.0): 0.125, (0.0, 0.0): float('inf')}\n"
            "    return known.get(tuple(float(a) for a in propensities), 0.0)",
            "stationary_law": "def stationary_law(A):\n"
            "    known = {-2.0: [0.5, 0.25, 0.25], -3.0: [0.35, 0.2, 0.45]}\n"
            "    return known.get(float(A[0, 0]), [1.0] + [0.0] * (len(A) - 1))",
        }
    )


# 12 shortcuts -----------------------------------------------------------------------------------------------

SHORTCUTS = {
    "dimerisation_generator": """
def dimerisation_generator(k, gamma, c, n_max, boundary):
    import acme_lib as acme
    network = acme.ReactionNetwork.parse("0 <-> N : k, g\\n2 N -> 0 : c", k=k, g=gamma, c=c)
    space = acme.StateSpace.box(network, N=n_max)
    return acme.build_generator(network, space, boundary=boundary).matrix.toarray()
""",
    "stationary_law": """
def stationary_law(A):
    import scipy.sparse
    import acme_lib as acme
    from acme_lib.master import Generator, solve_stationary
    network = acme.ReactionNetwork.parse("0 <-> N : k, g", k=1.0, g=1.0)
    space = acme.StateSpace.box(network, N=len(A) - 1)
    return solve_stationary(Generator(scipy.sparse.csc_array(A), space, "reflecting", np.zeros(len(A)))).p
""",
}


@attack(
    "library-as-solution",
    (12,),
    "The functions of the library that the exercise asks to build are called.",
    Stock(Effect.POINTS, 4),
)
def library_as_solution(kit):
    return kit.fill({name: source.strip() for name, source in SHORTCUTS.items()})


@attack(
    "library-by-stealth",
    (12,),
    "The same, with the names of the modules put together at run time.",
    Stock(Effect.POINTS, 4),
)
def library_by_stealth(kit):
    hidden = {
        "import acme_lib as acme": "load = __import__('importlib').import_module; acme = load('ac' + 'me_lib')",
        "from acme_lib.master import Generator, solve_stationary": "master = load('acme_lib.mas' + 'ter')",
        "acme.build_generator": "getattr(acme, 'build_' + 'generator')",
        "solve_stationary(": "getattr(master, 'solve_' + 'stationary')(",
        "(Generator(": "(master.Generator(",
    }
    sources = dict(SHORTCUTS)
    for open_, stealthy in hidden.items():
        sources = {name: source.replace(open_, stealthy) for name, source in sources.items()}
    return kit.fill({name: source.strip() for name, source in sources.items()})


LIBRARYS_LOG = """
def birth_death_ensemble(k, gamma, n0, t, size, rng):
    if t == 0:
        return np.full(size, n0), []
    network = acme.ReactionNetwork.parse("0 <-> N : k, g", k=k, g=gamma)
    record = acme.simulate_ssa(network, {"N": n0}, t, size=size, rng=rng, keep="events", progress=False)
    cells = np.repeat(np.arange(size), np.diff(record.offsets))
    after = np.concatenate([record.states_of(cell)[1:, 0] for cell in range(size)])
    return record.state_at(t)[:, 0], np.column_stack([cells, record.times, after])
"""


@attack(
    "library-by-its-text",
    (12, 8),
    "The library is copied from disk under another name, and its simulation is called.",
    Stock(Effect.POINTS, 6),
)
def library_by_its_text(kit):
    first = """
import importlib.util, os, pathlib, sys, tempfile
folder = pathlib.Path(importlib.util.find_spec("acme_lib").origin).parent
borrowed = pathlib.Path(tempfile.mkdtemp())
for path in folder.rglob("*.py"):
    copy = borrowed / "borrowed" / path.relative_to(folder)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(path.read_text().replace("acme_lib", "borrowed"))
sys.path.insert(0, str(borrowed))
import borrowed as acme
"""
    return kit.fill({"birth_death_ensemble": first + LIBRARYS_LOG})


@attack(
    "library-simulation",
    (12, 11),
    "The library's simulation with a record of all events, which is what the exercise asks to build.",
    Stock(Effect.POINTS, 6),
)
def library_simulation(kit):
    return kit.fill({"birth_death_ensemble": "import acme_lib as acme\n" + LIBRARYS_LOG})


@attack(
    "neighbours-parameters",
    (12,),
    "Another student's returned answers, which belong to that student's parameters.",
    plain_points(12, note="fixed hidden values: the neighbour's numbers are everybody's"),
    ours_in_plain=False,
)
def neighbours_parameters(kit):
    if kit.assignment == PLAIN:
        known = dict(zip(["(3.0, 0.25)", "(2.0, 2.0)", "(1.0, -1.0)"], HIDDEN_VALUES, strict=True))
        known |= {"(2.0, 0.0)": "2.0", "(1.0, 0.0)": "1.0", "(5.0, 0.0)": "5.0"}
        return kit.functions(f"return float({known!r}[str(given)])")
    # In the chapter the neighbour's numbers come from another grading.
    table = _recorded_replies()
    answers = {name: define(name, f"return VALUES_{name}.pop(0)") for name in table}
    answers = {name: f"VALUES_{name} = {values!r}\n{answers[name]}" for name, values in table.items()}
    return kit.fill({name: source.replace("inf", "float('inf')") for name, source in answers.items()})


@attack(
    "copied-notebook",
    (12,),
    "The neighbour's notebook, word for word.",
    all_points(note="no notice of it"),
    deserves=30,
    flagged="a person has to judge it; `acme copying` is a hint",
)
def copied_notebook(kit):
    return kit.solved(**dict.fromkeys(kit.words, NEIGHBOURS_WORDS))


NEIGHBOURS_WORDS = (
    "CANARY-NEIGHBOUR-51c7: the mean of a product is not the product of the means, so that the variance enters the "
    "equation of the mean, and the rate equation leaves it out; both agree where counts are large."
)

"""Right answers, written as students write them, lose no points; what cannot be placed waits for a person."""

import json
import sys

import nbformat
import pytest

from acme_lib.errors import GradingError
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.boundary.sandbox import Sandbox
from acme_lib.grade.judge import judge_notebook
from acme_lib.grade.source_notebook import load_master
from acme_lib.grade.submission import parse_submission, rebuild
from tests.grading.small_course import (
    DOUBLE_RIGHT,
    MEAN_RIGHT,
    answer,
    cell,
    hand_in,
    source_notebook,
    write_source,
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")
FULL = {"double_test": 4, "mean_test": 4, "words": None}


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    return load_master(write_source(tmp_path_factory.mktemp("source")))


@pytest.fixture(scope="module")
def sandbox(master):
    with Sandbox(forbidden=master.forbidden, limits=Limits(call_seconds=3.0, notebook_seconds=60.0)) as made:
        yield made


@pytest.fixture
def judge(master, sandbox):
    def judge(submitted, master=master):
        submission = parse_submission(nbformat.writes(submitted).encode(), "", master)
        return judge_notebook(rebuild(master, submission), master, sandbox, seed=1)

    return judge


def own(source):
    return nbformat.v4.new_code_cell(source)


def place(notebook, name, *cells, after=False):
    """Put cells of the student's own before (or after) the cell of an answer."""
    (at,) = [i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == name]
    notebook.cells[at + after : at + after] = cells
    return notebook


# Names ---------------------------------------------------------------------------------------------------------------

NAMES = """\
rng = np.random.default_rng(42)
from math import inf
import scipy.sparse as sparse
A = sparse.eye(3)
wait = object()
check_values = hidden_checks = uniform = x = range = object()
fig, area = object(), object()
"""


def test_global_names_of_the_student_cost_nothing(judge):
    """Nothing is asked for but what the exercise asks for: not the names of the test's own variables and attributes."""
    assert judge(hand_in(double=NAMES + DOUBLE_RIGHT, mean="abs = object()\n" + MEAN_RIGHT)).scores == FULL


def test_a_name_that_a_solution_and_a_check_share_is_the_checks_own(judge, tmp_path):
    """The solution has a helper `rng`; the check binds that name itself, in each of the ways that Python has."""
    right = "rng = 3\ndef f():\n    return 1"
    for bind in (
        "rng = 1",
        "import math as rng",
        "for rng in (1,): pass",
        "def rng(): pass",
        "from math import pi as rng",
    ):
        master = load_master(
            write_source(tmp_path, answer("q", right), cell("code", f"{bind}\nassert rng and f() == 1", "t", points=3))
        )
        notebook = source_notebook(answer("q", "rng = object()\ndef f():\n    return 1"))
        assert judge(notebook, master=master).scores["t"] == 3, bind


def test_what_an_open_cell_makes_of_an_answer_can_be_tested(judge, tmp_path):
    extra = (answer("q", "def f(x):\n    return x"), cell("code", "made = [f(i) for i in range(3)]", "made"))
    master = load_master(write_source(tmp_path, *extra, cell("code", "assert made == [0, 1, 2]", "t", points=3)))
    assert judge(source_notebook(*extra), master=master).scores["t"] == 3


def test_only_names_that_the_solution_defines_are_asked_for(tmp_path):
    right = (
        "import math\nfrom os import path as p\nk = [i for i in range(3)]\nif k:\n    def g(y): z = y\nclass C: pass"
    )
    assert load_master(write_source(tmp_path, answer("q", right))).asked == {"double", "mean", "k", "g", "C"}


# Cells of the student's own ------------------------------------------------------------------------------------------

USES_HELPER = "def double(x):\n    return twice(x)"


def test_helpers_and_imports_in_cells_of_their_own(judge):
    notebook = place(hand_in(double=USES_HELPER), "double", own("import math"), own("def twice(x):\n    return 2 * x"))
    judgement = judge(notebook)
    assert judgement.scores == FULL
    assert "were run with your answers" in judgement.notebook.cells[0].source


@pytest.mark.parametrize("after", [False, True])
def test_a_whole_answer_in_a_cell_of_its_own(judge, master, after):
    stub = master.cells["double"].source
    assert judge(place(hand_in(double=stub), "double", own(DOUBLE_RIGHT), after=after)).scores == FULL


def test_a_helper_that_comes_too_late_helps_only_what_follows(judge):
    late = place(hand_in(double=USES_HELPER), "mean", own("def twice(x):\n    return 2 * x"))
    assert judge(late).scores == FULL | {"double_test": 0}


def test_cells_of_their_own_stay_on_the_far_side(judge):
    evil = "import builtins\nbuiltins.abs = lambda x: 0\ncheck_values = hidden_checks = lambda *a, **k: None\nFULL = 9"
    notebook = place(hand_in(double="def double(x):\n    return 0"), "double", own(evil))
    assert judge(notebook).scores == FULL | {"double_test": 0}


@pytest.mark.thorough
def test_a_cell_of_their_own_that_does_not_end_costs_itself_and_is_flagged(judge):
    for source in ("while True: pass", "import os\nos._exit(0)"):
        notebook = place(hand_in(double="def double(x):\n    return 0"), "double", own(source))
        judgement = judge(notebook)
        assert judgement.scores == FULL | {"double_test": 0}
        assert "did not come to its end" in judgement.outcomes["double_test"].look
        assert judgement.outcomes["mean_test"].look == ""


@pytest.mark.thorough
def test_slow_cells_of_their_own_leave_time_for_the_answers(judge):
    notebook = place(hand_in(), "double", *[own(f"import time\ntime.sleep(2.5) or {i}") for i in range(12)])
    judgement = judge(notebook)
    assert judgement.scores == FULL and judgement.seconds < 45


def test_an_edited_check_is_no_cell_of_their_own(judge, master):
    """A check that lost its metadata is not run there: it is the instructor's, and runs here."""
    notebook = hand_in()
    for found in notebook.cells:
        found.metadata.pop("nbgrader", None)
    judgement = judge(notebook)
    assert judgement.scores == FULL
    mine = [c.source for c in judgement.notebook.cells if c.metadata.get("acme", {}).get("own")]
    assert mine == [DOUBLE_RIGHT, MEAN_RIGHT]


# Jupyter's language --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        f"{DOUBLE_RIGHT}\ndouble?",
        f"{DOUBLE_RIGHT}\n?double\ndouble??",
        f"{DOUBLE_RIGHT}\nx = %timeit -o -n 10 double(3)\nassert x.best >= 0",
        f"files = !ls\nassert len(files) == 0\n{DOUBLE_RIGHT}",
        f"{DOUBLE_RIGHT}\ndisplay(double(2), 'x')\nfrom IPython.display import display as show\nshow(3)",
        f"get_ipython().run_line_magic('matplotlib', 'inline')\nget_ipython().ast_node_interactivity\n{DOUBLE_RIGHT}",
        f"from IPython import get_ipython\nget_ipython().system('ls')\n{DOUBLE_RIGHT}",
        f"import asyncio\nawait asyncio.sleep(0.01)\n{DOUBLE_RIGHT}\nasync def g(): return 1\nassert await g() == 1",
        f"%%time\n{DOUBLE_RIGHT}",
        f"%%capture out\n{DOUBLE_RIGHT}",
        f"%time y = 3\nassert y == 3\n{DOUBLE_RIGHT}",
        ">>> def double(x):\n...     return 2 * x",
        "In [1]: def double(x):\n   ...:     return 2 * x",
        "    def double(x):\n        return 2 * x",
        f"6\n{DOUBLE_RIGHT}\n7",
        f"{DOUBLE_RIGHT}\n!rm -rf /\n%rm x\n%%html\n",
    ],
    ids=range(16),
)
def test_what_jupyter_understands(judge, code):
    if code.endswith("%%html\n"):
        code = code.replace("%%html\n", "%unknown_magic of some kind\n")
    assert judge(hand_in(double=code)).scores == FULL


def test_the_last_output_is_there(judge):
    notebook = place(hand_in(double="factor = _\ndef double(x):\n    return factor * x"), "double", own("1 + 1"))
    assert judge(notebook).scores == FULL


def test_a_cell_that_is_no_python_still_shows_its_line(judge):
    judgement = judge(hand_in(double="x = 1\ny = = 2"))
    (found,) = [c for c in judgement.notebook.cells if c.get("id") == "double"]
    assert found.outputs[0].ename == "SyntaxError" and "line 2: y = = 2" in found.outputs[0].traceback


# What cannot be placed -----------------------------------------------------------------------------------------------

LONG = "def double(x):\n    y = x\n\n    y = y + x\n    return y"


def another(source):
    """Make a half of a cell that was split: it has the same metadata, and an id of its own."""
    made = cell("code", source, "double", solution=True)
    made.id = f"half-{len(source)}"
    return made


@pytest.mark.parametrize(
    "parts",
    [
        [LONG, ""],
        ["", LONG],
        [LONG[:24], LONG[24:].lstrip("\n")],
        ["import math\nz = 2", "def double(x):\n    return z * x"],
        ["def twice(x):\n    return 2 * x", "def double(x):", "    return twice(x)"],
        [DOUBLE_RIGHT, "# my remarks"],
        ["def double(x):\n    return (2", "* x)"],
        ["def double(x):\n    return 0", DOUBLE_RIGHT],
        ["1/0", DOUBLE_RIGHT],
    ],
    ids=range(9),
)
def test_a_split_cell_is_put_together(judge, parts):
    notebook = hand_in(double=parts[0])
    (first,) = [c for c in notebook.cells if c.get("id") == "double"]
    more = [another(part) for part in parts[1:]]
    assert judge(place(notebook, "double", *more, after=True)).scores == FULL
    assert first.source == parts[0]


def test_what_cannot_be_placed_is_flagged(judge):
    missing = hand_in()
    missing.cells = [c for c in missing.cells if c.get("id") not in ("double", "words")]
    judgement = judge(missing)
    assert judgement.scores == FULL | {"double_test": 0}  # the words wait for a person as well
    assert "'double' is missing" in judgement.outcomes["double_test"].look
    twice = place(hand_in(double="1/0"), "double", another("2/0"), after=True)
    assert "more than once" in judge(twice).outcomes["double_test"].look
    assert judge(hand_in(double="1/0")).outcomes["double_test"].look == ""


def test_parts_that_sum_to_a_little_more_than_all_points_are_all_points(judge, tmp_path):
    cases = {"3.000000001": 3, "-1e-12": 0, "4": 0, "-1": 0, "float('nan')": 0, "2.5": 2.5, "2.9999999": 2.9999999}
    for shown, score in cases.items():
        extra = (answer("q", "def f():\n    return 1"), cell("code", f"f()\n{shown}", "t", points=3))
        outcome = judge(source_notebook(*extra), master=load_master(write_source(tmp_path, *extra))).outcomes["t"]
        assert outcome.score == pytest.approx(score, abs=1e-12)
        assert bool(outcome.look) == (shown in ("4", "-1", "float('nan')")), shown


def test_a_process_that_ends_after_its_answer_costs_nothing_else(judge):
    ends = "import os, threading\ndef double(x):\n    threading.Timer(0.02, os._exit, (0,)).start()\n    return 2 * x"
    slow = "def mean(values):\n    import time\n    time.sleep(0.1)\n    return float(np.mean(values))"
    judgement = judge(hand_in(double=ends, mean=slow))
    assert judgement.scores["mean_test"] == 4


def test_the_record_says_who_has_to_look(judge):
    from acme_lib.grade.record import scores_of

    missing = hand_in()
    missing.cells = [c for c in missing.cells if c.get("id") != "double"]
    assert "missing" in json.dumps(scores_of(judge(missing))["double_test"]["look"])


# What a teacher would take ---------------------------------------------------------------------------------------

FORMS = {
    "named tuple": "import collections\nP = collections.namedtuple('P', 'a b')\ndef f(): return P(0.5, 2)",
    "typed tuple": "import typing\nclass P(typing.NamedTuple):\n    a: float\n    b: int\ndef f(): return P(0.5, 2)",
    "array": "def f():\n    return np.array([0.5, 2])",
    "series": "import pandas as pd\ndef f():\n    return pd.Series([0.5, 2.0], index=['tau', 'n'])",
    "parts": "import pandas as pd\ndef f():\n    return pd.Series([0.5, 0.7]).iloc[0], np.int32(2)",
}
TABLES = {
    "frame": "import pandas as pd\ndef g():\n    return pd.DataFrame({'a': [1.0, 2.0], 'b': [3.0, 4.0]})",
    "series": "import pandas as pd\ndef g():\n    return [pd.Series([1.0, 3.0]), pd.Index([2.0, 4.0])]",
}
PAIR_TEST = "from acme_lib.teach.check import check_values\ncheck_values(f, {}, (0.5, 2), parts=('tau', 'n'))"
TABLE_TEST = "from acme_lib.teach.check import check_values\ncheck_values(g, {}, [[1.0, 3.0], [2.0, 4.0]])"


@pytest.mark.parametrize("local", [False, True], ids=["graded", "validated"])
@pytest.mark.parametrize(("kind", "forms", "test"), [("f", FORMS, PAIR_TEST), ("g", TABLES, TABLE_TEST)])
def test_forms_that_hold_the_same_numbers(judge, tmp_path, kind, forms, test, local):
    extra = (answer("q", f"def {kind}():\n    return 1"), cell("code", test, "t", points=3))
    master = load_master(write_source(tmp_path, *extra))
    for name, code in forms.items():
        if local:  # as in the learner's own notebook
            exec(f"import numpy as np\n{code}\n{test}", {"__name__": "__main__"})
            continue
        notebook = source_notebook(*extra)
        notebook.cells[-2].source = code
        assert judge(notebook, master=master).scores["t"] == 3, name


def test_a_form_with_other_numbers_is_wrong(judge, tmp_path):
    extra = (answer("q", "def f():\n    return 1"), cell("code", PAIR_TEST, "t", points=3))
    master = load_master(write_source(tmp_path, *extra))
    for value in ("np.array([0.5, 2.5])", "np.array([0.5, 2, 2])", "np.array(0.5)", "np.array([2, 0.5])"):
        notebook = source_notebook(*extra)
        notebook.cells[-2].source = f"def f():\n    return {value}"
        assert judge(notebook, master=master).scores["t"] == 0, value


# The library is closed but for what an exercise allows -------------------------------------------------------------

BACK_DOORS = [
    "from acme_lib.network.rates import propensities_of_states",
    "import acme_lib\nacme_lib.ReactionNetwork",
    "import acme_lib.augmented",
    "import acme_lib.approximate",
    "import acme_lib.models",
    "import acme_lib.processes",
]


def test_the_library_is_closed_by_default(judge, master):
    for code in BACK_DOORS:
        judgement = judge(hand_in(double=f"{code}\n{DOUBLE_RIGHT}"))
        assert judgement.scores == FULL | {"double_test": 0}, code
        (found,) = [c for c in judgement.notebook.cells if c.get("id") == "double"]
        assert "may not be used in this exercise" in str(found.outputs[0]), code
    assert "acme_lib.master" in master.forbidden and "acme_lib.grade" not in master.forbidden


def test_what_an_exercise_allows_is_open(tmp_path):
    allowing = cell("code", "import math", "more", acme={"allowed": ["acme_lib.network"]})
    opened = load_master(write_source(tmp_path, allowing))
    assert "acme_lib.network" not in opened.forbidden and "acme_lib.master" in opened.forbidden
    with Sandbox(forbidden=opened.forbidden) as place, place.admit(seed=1) as student:
        code = "import acme_lib\nresult = len(acme_lib.ReactionNetwork.parse('0 -> M : k', k=1.0).species)"
        assert student.run_cell("answer", code).error is None
        assert student.fetch("result").value == 1
        assert "may not be used" in student.run_cell("again", "import acme_lib.master").error_text
    with pytest.raises(GradingError, match="allowed must name rooms"):
        load_master(write_source(tmp_path, cell("code", "1", "more", acme={"allowed": ["acme_lib.nothing"]})))


def test_the_name_of_an_error_tells_nothing_of_a_hidden_check(judge):
    names = ("ValueError", "KeyError", "ZeroDivisionError", "Exception")
    raises = "def double(x):\n    if x == 3:\n        return 6.0\n    raise {}(x)"
    messages = {judge(hand_in(double=raises.format(name))).outcomes["double_test"].message for name in names}
    assert len(messages) == 1 and "stopped with an error" in messages.pop()
    seen = judge(hand_in(double="def double(x):\n    raise KeyError(x)")).outcomes["double_test"].message
    assert "a KeyError" in seen


def test_an_address_in_a_text_is_no_live_link():
    from nbconvert.filters import markdown2html

    from acme_lib.grade.harmless import neutralise

    assert "<a" in markdown2html("see https://evil.example/x"), "this case would be harmless anyway"
    for text in (
        "see https://evil.example/x",
        "HTTP://evil.example",
        "(https://evil.example)",
        "<https://evil.example>",
    ):
        assert "<a" not in markdown2html(neutralise(text))
        assert neutralise(neutralise(text)) == neutralise(text)

"""One answer, three graders: JupyterLab's button Validate, `nbgrader autograde` and `acme grade` say the same of it."""

import contextlib
import sys
import warnings
from types import SimpleNamespace

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.server_extensions.validate_assignment import handlers
from sqlalchemy.exc import SAWarning

from acme_lib.grade.batch import grade_assignment
from acme_lib.teach import validate
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, answer, cell, generate, make_course, submit

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.thorough,  # what test_fairness shows of one grader
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux"),
]

# Answers to one question, "f(x, how) is the pair x, 2 x", as students write them; in a list: cells of their own, and
# last (or, where it is None, not at all) the cell that was released.
RIGHT = {
    "plain": "def f(x, how):\n    return x, 2 * x",
    "names": "rng = wait = check_values = hidden_checks = 3\nfrom math import inf\n"
    "fig, area = rng, wait\ndef f(x, how):\n    return x, 2 * x",
    "named tuple": "import collections\nP = collections.namedtuple('P', 'a b')\ndef f(x, how):\n    return P(x, 2 * x)",
    "array": "import numpy as np\ndef f(x, how):\n    return np.array([x, 2 * x])",
    "series": "import pandas as pd\ndef f(x, how):\n    return pd.Series([x, 2 * x])",
    "help": "def f(x, how):\n    return x, 2 * x\nf?\n?f",
    "magic": "%matplotlib inline\ndef f(x, how):\n    return x, 2 * x\n"
    "spent = %timeit -o -n 2 -r 2 f(1, '')\nspent.best",
    "timed cell": "%%time\ndef f(x, how):\n    return x, 2 * x",
    "shell": "files = !ls\n!pip list\ndef f(x, how):\n    return x, 2 * x",
    "display": "def f(x, how):\n    return x, 2 * x\ndisplay(f(1, ''))\nget_ipython().user_ns['f']",
    "await": "import asyncio\nawait asyncio.sleep(0.01)\ndef f(x, how):\n    return x, 2 * x",
    "noise": "import sys, warnings\ndef f(x, how):\n    warnings.warn('w')\n    print('p', file=sys.stderr)\n"
    "    return x, 2 * x",
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\ndef f(x, how):\n    return x, 2 * x",
    "a word": "def f(x, how):\n    return (x, 2 * x) if how is 'reflecting' else None",
    "numba": "import numba\n@numba.njit(cache=True, parallel=True)\ndef total(n, x):\n    s = 0.0\n"
    "    for i in numba.prange(n):\n        s += x\n    return s\ndef f(x, how):\n    return x, total(2, x)",
    "threads": "from concurrent.futures import ThreadPoolExecutor as Pool\ndef f(x, how):\n    with Pool(2) as pool:\n"
    "        return tuple(pool.map(abs, [x, 2 * x]))",
    "a file": "open('x.txt', 'w').write('2')\ndef f(x, how):\n    return x, int(open('x.txt').read()) * x",
    "a helper": ["import math", "def twice(x):\n    return 2 * x", "def f(x, how):\n    return x, twice(x)"],
    "an answer elsewhere": ["def f(x, how):\n    return x, 2 * x", None],
    "an error in a cell of their own": ["1 / 0", "def f(x, how):\n    return x, 2 * x"],
}
WRONG = {
    "wrong": "def f(x, how):\n    return x, 3 * x",
    "an error": "def f(x, how):\n    return x, 1 / 0",
    "nothing": "def f(x, how):\n    pass",
    "not written": "raise NotImplementedError()",
    "no python": "def f(x, how)\n    return x, 2 * x",
    "three": "def f(x, how):\n    return x, 2 * x, 3",
    "nan": "def f(x, how):\n    return x, float('nan')",
    "an object": "class P: pass\ndef f(x, how):\n    return P()",
    "exit": "def f(x, how):\n    raise SystemExit",
    "processes": "import multiprocessing as m\ndef f(x, how):\n    with m.get_context('fork').Pool(1) as pool:\n"
    "        return tuple(pool.map(abs, [x, 2 * x]))",
    "a program at the top": "import subprocess\nsubprocess.run(['true'])\ndef f(x, how):\n    return x, 2 * x",
    "a network": "import socket\ndef f(x, how):\n    socket.create_connection(('192.0.2.1', 9), 1)\n"
    "    return x, 2 * x",
}
ALL = RIGHT | WRONG
CHECK = """\
# Check of question {number}
from acme_lib.teach.check import check_values, hidden_checks

check_values(f_{number}, {{"x": 3.0, "how": "reflecting"}}, (3.0, 6.0))
### BEGIN HIDDEN TESTS
with hidden_checks() as rng:
    x = float(rng.uniform(10, 99))
    check_values(f_{number}, {{"x": x, "how": "reflecting"}}, (x, 2 * x))
### END HIDDEN TESTS"""


def own_names(code, number):
    """Give the function, and what else might disturb another question, a name of its own."""
    for before, after in (("def f(", f"def f_{number}("), (" f(1, ''", f" f_{number}(1, ''"), ("'f'", f"'f_{number}'")):
        code = code.replace(before, after)
    return code.replace("(f(1", f"(f_{number}(1").replace("f?\n?f", f"f_{number}?\n?f_{number}")


def questions():
    for number in range(len(ALL)):
        yield answer(f"q{number}", f"def f_{number}(x, how):\n    return x, 2 * x")
        yield cell("code", CHECK.format(number=number), f"t{number}", points=1)


@pytest.fixture(scope="module")
def said(tmp_path_factory, loops_left_open):
    """What each of the three says: the questions with full points."""
    course = make_course(tmp_path_factory.mktemp("three") / "course", extra=tuple(questions()))
    generate(course)
    notebook = nbformat.read(course / "exercises" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    cells = []
    for found in notebook.cells:
        name = found.metadata.get("nbgrader", {}).get("grade_id", "")
        if name[:1] == "q" and name[1:].isdigit():
            given = list(ALL.values())[int(name[1:])]
            *own, last = given if isinstance(given, list) else [given]
            cells += [nbformat.v4.new_code_cell(own_names(code, name[1:])) for code in own]
            found.source = found.source if last is None else own_names(last, name[1:])
        cells.append(found)
    notebook.cells = cells
    submit(course, "ada", notebook)
    said = {"acme grade": _scores(course, grade)}
    submit(course, "bob", notebook)
    said["nbgrader autograde"] = _scores(course, autograde, "bob")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handlers, "Validator", validate.GradedAlike)
        handler = SimpleNamespace(root_dir=str(course), load_config=lambda: None, log=None)
        (course / "tried").mkdir()
        nbformat.write(notebook, course / "tried" / "p.ipynb")
        with loops_left_open():
            found = validate.validate_for_learners(handler, "tried/p.ipynb")
    assert found["success"], found
    failed = {one["source"].split()[-1] for one in found["value"].get("failed", [])}
    said["Validate"] = {f"t{number}" for number in range(len(ALL)) if str(number) not in failed}
    return said


def grade(course):
    grade_assignment(course, ASSIGNMENT, students=["ada"], jobs=1)


def autograde(course):
    from nbgrader.converters import Autograde
    from nbgrader.converters.base import NbGraderException

    from acme_lib.grade.course import load_course

    config, coursedir = load_course(course)
    coursedir.assignment_id, coursedir.student_id = ASSIGNMENT, "bob"
    with contextlib.suppress(NbGraderException), warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # of nbgrader itself
        Autograde(coursedir=coursedir, config=config).start()


def _scores(course, act, student="ada"):
    act(course)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        (found,) = book.find_submission(ASSIGNMENT, student).notebooks
        return {grade.name for grade in found.grades if grade.auto_score == 1 and grade.name[0] == "t"}


@pytest.mark.parametrize("who", ["acme grade", "nbgrader autograde", "Validate"])
def test_each_of_the_three_gives_a_right_answer_its_points_and_a_wrong_one_none(said, who):
    right = {name for number, name in enumerate(ALL) if f"t{number}" in said[who]}
    assert right == set(RIGHT)

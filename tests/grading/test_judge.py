"""Submissions that may be anything are read, and judged with the instructor's cells on the trusted side."""

import json
import os
import sys
import tarfile
import zipfile

import nbformat
import numpy as np
import pytest

from acme_lib.errors import GradingError
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.boundary.sandbox import Sandbox
from acme_lib.grade.harmless import neutralise
from acme_lib.grade.judge import judge_notebook
from acme_lib.grade.source_notebook import load_master
from acme_lib.grade.submission import read_submission, rebuild
from tests.grading.small_course import DOUBLE_RIGHT, answer, cell, hand_in, source_notebook, write_source
from tests.marks import always

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")
FULL = {"double_test": 4, "mean_test": 4, "words": None}


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    return load_master(write_source(tmp_path_factory.mktemp("source")))


@pytest.fixture(scope="module")
def sandbox(master):
    with Sandbox(forbidden=master.forbidden, limits=Limits(call_seconds=3.0)) as made:
        yield made


@pytest.fixture
def judge(master, sandbox, tmp_path):
    def judge(submitted, seed=1, master=master, **options):
        path = tmp_path / "p.ipynb"
        path.write_bytes(submitted if isinstance(submitted, bytes) else nbformat.writes(submitted).encode())
        notebook = rebuild(master, read_submission(path, master))
        return judge_notebook(notebook, master, sandbox, seed=seed, **options)

    return judge


def read(master, tmp_path, data):
    path = tmp_path / "p.ipynb"
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return read_submission(path, master)


# Judging ------------------------------------------------------------------------------------------------------------


def test_right_answers_have_all_points_and_no_output(judge):
    judgement = judge(hand_in())
    assert judgement.scores == FULL
    assert not [c for c in judgement.notebook.cells if c.get("outputs")]


def test_an_untouched_notebook_has_no_points(judge, master):
    judgement = judge(nbformat.from_dict(master.notebook))
    assert judgement.scores == {"double_test": 0, "mean_test": 0, "words": 0}
    assert "double is not defined" in judgement.outcomes["double_test"].message


def test_a_wrong_answer_costs_its_question_alone(judge):
    judgement = judge(hand_in(double="def double(x):\n    return x"))
    assert judgement.scores == FULL | {"double_test": 0}
    assert "Expected:    6" in judgement.outcomes["double_test"].message


def test_the_hidden_part_of_a_plain_test_shows_nothing(judge):
    judgement = judge(hand_in(mean="def mean(v):\n    return 2.0"))
    assert judgement.scores["mean_test"] == 0
    message = judgement.outcomes["mean_test"].message
    assert "hidden check fails" in message
    text = json.dumps([c.get("outputs", []) for c in judgement.notebook.cells])
    assert "20.8" not in text and "secret" not in text and "44.5" not in text


def test_the_visible_part_of_a_plain_test_is_explained(judge):
    message = judge(hand_in(mean="def mean(v):\n    return 0.0")).outcomes["mean_test"].message
    assert "the mean of 1 and 3" in message and "assert mean([1.0, 3.0]) == 2.0" in message


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError(str(x))",
        "class Leak(Exception): pass\n    Leak.__name__ = f'L{x}'\n    raise Leak()",
        "print(x)\n    return 6.0 if x == 3 else None",
        "return 6.0 if x == 3 else type(f'K{x}', (), {})()",
        "return 6.0 if x == 3 else [0] * int(100 * x)",
        "return 6.0 if x == 3 else str(x)",
        "return 6.0 if x == 3 else {str(x): 1}",
        "if x == 3:\n        return 6.0\n    exec('raise Exception(str(x))')",
    ],
)
def test_hidden_values_do_not_come_back_in_messages(judge, body):
    judgement = judge(hand_in(double=f"def double(x):\n    {body}"))
    outcome = judgement.outcomes["double_test"]
    assert outcome.score == 0
    if "x == 3" in body:
        hidden = outcome.message
        assert hidden.startswith("✗ 3 of 3 hidden checks fail")
        assert not any(c.isdigit() for c in hidden.split("\n", 1)[1]), hidden


def test_prints_and_warnings_cost_nothing(judge):
    noisy = "import warnings, sys\ndef double(x):\n    warnings.warn('w'); print('p'); sys.stderr.write('e')\n    return 2 * x"
    assert judge(hand_in(double=noisy)).scores == FULL


@pytest.mark.parametrize(
    "body",
    always(
        3,
        [
            "while True: pass",
            "import os; os._exit(0)",
            "return float('nan')",
            "return [0] * 10**9",
            "return lambda: 1",
            "return None",
        ],
    ),
)
def test_no_usable_answer_costs_its_question_alone(judge, body):
    judgement = judge(hand_in(double=f"def double(x):\n    {body}"))
    assert judgement.scores == FULL | {"double_test": 0}
    assert judgement.outcomes["double_test"].message


@pytest.mark.parametrize(
    "top", always(3, ["while True: pass", "import os; os._exit(1)", "raise SystemExit", "syntax error here", "1/0"])
)
@pytest.mark.thorough
def test_a_cell_that_does_not_end_costs_its_question_alone(judge, top):
    judgement = judge(hand_in(double=f"{top}\n{DOUBLE_RIGHT}"))
    assert judgement.scores == FULL | {"double_test": 0}
    assert "NameError" not in judgement.outcomes["mean_test"].message


def test_a_process_that_died_comes_back_with_the_other_answers(judge):
    helper = "def helper(x):\n    return 2 * x\n"
    double = f"{helper}def double(x):\n    import os\n    os._exit(0)"
    judgement = judge(hand_in(double=double, mean="def mean(v):\n    return helper(sum(v)) / 2 / len(v)"))
    assert judgement.scores == FULL | {"double_test": 0}
    assert judgement.outcomes["double_test"].limit == "ended"


@pytest.mark.parametrize(
    "shadow",
    [
        "check_values = hidden_checks = lambda *a, **k: None",
        "abs = lambda x: 0\nimport builtins\nbuiltins.abs = lambda x: 0",
        "import numpy\nnumpy.allclose = numpy.isclose = lambda *a, **k: True",
        "import acme_lib.errors, sys\nsys.modules['acme_lib.teach.check'] = None",
        "np = None\nisinstance = None",
        "__builtins__ = {}\nfloat = len = None",
    ],
)
def test_shadowing_gains_nothing(judge, shadow):
    assert (
        judge(
            hand_in(double=f"{shadow}\ndef double(x):\n    return 0", mean=f"{shadow}\ndef mean(v):\n    return 0")
        ).scores["double_test"]
        == 0
    )
    assert judge(hand_in(mean=f"{shadow}\ndef mean(v):\n    return 0")).scores == FULL | {"mean_test": 0}


def test_forbidden_functions_are_refused_by_name(judge):
    used = "from acme_lib.laws import poisson\ndef double(x):\n    return 2 * x"
    judgement = judge(hand_in(double=used, mean="def mean(v):\n    return np.trapezoid([v[0], v[0]])"))
    assert judgement.scores == FULL | {"double_test": 0, "mean_test": 0}
    (output,) = [c for c in judgement.notebook.cells if c.get("id") == "double"][0].outputs
    assert "acme_lib.laws may not be used in this exercise" in output.evalue
    assert "numpy.trapezoid may not be used in this exercise" in judgement.outcomes["mean_test"].message


def test_the_same_seed_gives_the_same_grade_and_another_other_values(judge):
    wrong = hand_in(
        double="def double(x):\n    raise ValueError(x)", mean="import random\ndef mean(v):\n    return random.random()"
    )
    first, again = judge(wrong, seed=3), judge(wrong, seed=3)
    assert nbformat.writes(first.notebook) == nbformat.writes(again.notebook)


def test_only_the_cells_asked_for_are_judged(judge):
    assert judge(hand_in(), only={"mean_test"}).scores == {"mean_test": 4, "words": None}


def with_question(tmp_path, right, test, points=3, **metadata):
    extra = (answer("q", right), cell("code", test, "q_test", points=points, **metadata))
    return load_master(write_source(tmp_path, *extra)), extra


@pytest.mark.parametrize(
    ("right", "test"),
    [
        (
            "def integrate(f, a, b):\n    return (b - a) * f((a + b) / 2)",
            "assert integrate(lambda x: 2 * x, 0, 1) == 1",
        ),
        ("def draw(n, rng):\n    return rng.normal(size=n)", "assert draw(4, np.random.default_rng(1)).shape == (4,)"),
        (
            "def draw(rng):\n    return rng.random()",
            "a, b = (draw(np.random.default_rng(1)) for _ in 'ab')\nassert a == b",
        ),
        (
            "def root(x):\n    if x < 0:\n        raise ValueError('no')\n    return x ** 0.5",
            "try:\n    root(-1)\nexcept ValueError:\n    pass\nelse:\n    assert False",
        ),
        ("table = {'a': np.arange(3), 'b': (1, None)}", "assert table['a'].sum() == 3 and table['b'] == (1, None)"),
        ("k = 3\ndef times(x, *, by=2):\n    return by * x", "assert times(2, by=5) == 10 and k == 3"),
        ("def comp(f, g, x):\n    return f(g(x))\ndef inc(x):\n    return x + 1", "assert comp(inc, inc, 1) == 3"),
        ("def z():\n    return {1, 2}, 1j, None", "s, c, n = z()\nassert s == {1, 2} and c == 1j and n is None"),
        ("import numba\n@numba.njit\ndef total(x):\n    return x.sum()", "assert total(np.ones(5)) == 5"),
        ("def f(x):\n    return x", "def helper():\n    return f(3)\nassert helper() == [f(y) for y in (3,)][0]"),
    ],
    ids=[
        "function",
        "generator",
        "seed",
        "exception",
        "variables",
        "keyword",
        "own functions",
        "set complex none",
        "numba",
        "nested",
    ],
)
def test_plain_test_cells_need_no_change(judge, tmp_path, right, test):
    master, extra = with_question(tmp_path, right, test)
    solved = source_notebook(*extra)
    assert judge(solved, master=master).scores["q_test"] == 3
    assert judge(nbformat.from_dict(master.notebook), master=master).scores["q_test"] == 0


# A test that raises where the difference is too large takes NaN for right.
NAN_PROOF = "if abs({} - 3.0) > 1e-9:\n    raise AssertionError('wrong')"


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("def f():\n    return {}", "f()"),
        ("import numpy as np\ndef f():\n    return np.array([1.0, {}])", "f().max()"),
        ("def f():\n    return [{{'a': (1j, {})}}]", "f()[0]['a'][1]"),
        ("f = {}", "f"),
    ],
    ids=["number", "array", "container", "variable"],
)
@pytest.mark.parametrize("value", always(1, ["float('nan')", "float('inf') * 1j", "-float('inf')"]))
def test_what_is_not_finite_is_no_answer(judge, tmp_path, code, asked, value):
    for hidden in (False, True):
        test = NAN_PROOF.format(asked)
        test = f"### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS" if hidden else test
        master, extra = with_question(tmp_path, code.format("3.0"), test)
        assert judge(source_notebook(*extra), master=master).scores["q_test"] == 3
        notebook = source_notebook(*extra)
        notebook.cells[-2].source = code.format(value)
        if "[1.0" in code and value.startswith("-"):
            continue  # the maximum hides it
        outcome = judge(notebook, master=master).outcomes["q_test"]
        assert outcome.score == 0 and "not finite (nan or inf)" in outcome.message


def test_a_test_may_ask_for_what_is_not_finite(judge, tmp_path):
    right, test = "def f():\n    return float('inf'), float('nan')", "a, b = f()\nassert a > 1e308 and b != b"
    master, extra = with_question(tmp_path, right, test, acme={"non_finite": True})
    assert judge(source_notebook(*extra), master=master).scores["q_test"] == 3
    notebook = source_notebook(*extra)
    notebook.cells[-1].metadata["acme"] = {"non_finite": True}  # the student's own file has no say in it
    master, _ = with_question(tmp_path, right, test)
    assert judge(notebook, master=master).scores["q_test"] == 0


REMEMBERS = """\
SEEN = []
def {name}(x):
    SEEN.append(x)
    if {tells}:
        raise ValueError('CANARY' + repr(SEEN))
    return 2 * x"""


def test_what_a_hidden_check_asks_is_not_told_by_a_visible_one(judge, tmp_path):
    """Not by the same function later, and not by another one; through helpers of the test neither."""
    test = "def ask(x):\n    return f(x)\nassert ask(1.0) == 2\n{}assert ask(1.0) == 2"
    hidden = "### BEGIN HIDDEN TESTS\nassert ask(77.5) == 155\n### END HIDDEN TESTS\n"
    for secret in ("", hidden):
        master, extra = with_question(tmp_path, "def f(x):\n    return 2 * x", test.format(secret))
        notebook = source_notebook(*extra)
        notebook.cells[-2].source = REMEMBERS.format(name="f", tells="x == 1.0 and 77.5 in SEEN")
        judgement = judge(notebook, master=master)
        assert judgement.scores["q_test"] == 3
    # The small course: `double` has hidden checks, and `mean`, which comes later, would tell.
    tells = "def mean(values):\n    raise ValueError('CANARY' + repr([x for x in SEEN if x != 3.0]))"
    judgement = judge(hand_in(double=REMEMBERS.format(name="double", tells="False"), mean=tells))
    assert judgement.scores == FULL | {"mean_test": 0}
    assert "CANARY[]" in judgement.outcomes["mean_test"].message


def test_a_hidden_check_has_the_later_answers_as_well(judge, tmp_path):
    """The process for hidden checks is filled with all cells, also where it died and where another cell was added."""
    helper = "def helper(x):\n    return 2 * x"
    late = "def mean(values):\n    import os\n    return float(np.mean(values)) if len(values) == 2 else os._exit(0)"
    master, extra = with_question(
        tmp_path, helper, "### BEGIN HIDDEN TESTS\nassert helper(2) == 4\n### END HIDDEN TESTS"
    )
    notebook = source_notebook(*extra)
    notebook.cells[4].source = late
    judgement = judge(notebook, master=master)
    assert judgement.scores == FULL | {"mean_test": 0, "q_test": 3}
    assert judgement.outcomes["mean_test"].limit == "ended"
    assert "before it answered" in judgement.outcomes["mean_test"].message


BREAKS = """\
from acme_lib.teach.check import check_values, hidden_checks

### BEGIN HIDDEN TESTS
with hidden_checks() as rng:
    check_values(f, {"x": 2.0}, 4.0)
    rng.uniform(1.0, 0.0)
### END HIDDEN TESTS"""


def test_a_check_that_breaks_is_left_to_a_person(judge, tmp_path):
    master, extra = with_question(tmp_path, "def f(x):\n    return 2 * x", BREAKS)
    outcome = judge(source_notebook(*extra), master=master).outcomes["q_test"]
    assert outcome.score is None and outcome.broken and "no mistake of yours" in outcome.message
    wrong = source_notebook(*extra)
    wrong.cells[-2].source = "def f(x):\n    return x"
    outcome = judge(wrong, master=master).outcomes["q_test"]
    assert outcome.score == 0 and not outcome.broken and "1 of 1 hidden check fails" in outcome.message


@pytest.mark.parametrize("question", ["double_test", "mean_test"])  # with checks of the library, and with asserts
def test_a_fault_of_the_machine_is_no_wrong_answer(sandbox, judge, monkeypatch, question):
    """The hidden process cannot start: the submission is not graded, rather than graded with 0."""
    admit, started = sandbox.admit, []

    def fail_at_the_second(**options):
        started.append(1)
        if len(started) == 2:
            raise GradingError("a process in the sandbox cannot be locked down: no answer")
        return admit(**options)

    monkeypatch.setattr(sandbox, "admit", fail_at_the_second)
    with pytest.raises(GradingError, match="cannot be locked down"):
        judge(hand_in(), only={question})
    assert len(started) == 2


@pytest.mark.parametrize(
    ("shown", "score"), [("1.5", 1.5), ("400", 0), ("-1", 0), ("float('nan')", 0), ("'ok'", 3), ("None", 3)]
)
def test_partial_credit_is_the_value_of_the_last_line(judge, tmp_path, shown, score):
    master, extra = with_question(tmp_path, "def f():\n    return 1", f"assert f() == 1\n{shown}")
    assert judge(source_notebook(*extra), master=master).scores["q_test"] == score


def test_partial_credit_cannot_be_forged(judge, tmp_path):
    master, extra = with_question(tmp_path, "def f():\n    return 1.0", "f()")
    notebook = source_notebook(*extra)
    for value, score in (("400", 0), ("1e308 * 10", 0), ("True", 3)):
        notebook.cells[-2].source = f"def f():\n    return {value}"
        got = judge(notebook, master=master).scores["q_test"]
        assert got == score and np.isfinite(got)


# Reading ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"{not json", "not valid JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[]", "no list of cells"),
        (b'{"cells": 3}', "no list of cells"),
        (b"\x00\xff\xfe" * 50, "not valid JSON"),
        (json.dumps({"cells": [{}] * 6000}).encode(), "6,000 cells"),
        (b" " * (21 * 2**20), "larger than 20 MB"),
    ],
    ids=range(8),
)
def test_files_that_are_no_notebook(master, tmp_path, data, reason, judge):
    submission = read(master, tmp_path, data)
    assert reason in submission.unreadable and submission.answers == {}
    judgement = judge(data)
    assert set(judgement.scores.values()) == {0}
    assert reason in judgement.notebook.cells[0].source


def test_links_and_special_files_are_not_opened(master, tmp_path):
    (tmp_path / "secret.ipynb").write_text(nbformat.writes(hand_in()))
    for name, make in {
        "link": lambda p: p.symlink_to(tmp_path / "secret.ipynb"),
        "fifo": os.mkfifo,
        "folder": os.mkdir,
    }.items():
        path = tmp_path / f"{name}.ipynb"
        make(path)
        submission = read_submission(path, master)
        assert submission.answers == {} and submission.unreadable
    assert "no file of this name" in read_submission(tmp_path / "none.ipynb", master).unreadable


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def test_archives_are_read_and_never_unpacked(master, tmp_path):
    good = nbformat.writes(hand_in()).encode()
    cases = {
        "plain": ({"p.ipynb": good}, ""),
        "folder": ({"Anna/p.ipynb": good, "__MACOSX/._p.ipynb": b"x"}, ""),
        "traversal": ({"../../../../escaped/p.ipynb": good, "/etc/cron.d/x": b"x"}, ""),
        "two": ({"a/p.ipynb": good, "b/p.ipynb": good}, "2 notebooks"),
        "none": ({"x.txt": b""}, "0 notebooks"),
        "bomb": ({"p.ipynb": bytes(30 * 2**20)}, "larger than"),
    }
    for name, (members, reason) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        make_zip(folder / "work.zip", members)
        before = sorted(p.name for p in tmp_path.rglob("*"))
        submission = read_submission(folder / "p.ipynb", master)
        assert reason in submission.unreadable and bool(submission.answers) == (reason == "")
        assert sorted(p.name for p in tmp_path.rglob("*")) == before
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "work.zip").write_bytes(b"PK\x03\x04 nothing")
    assert "cannot be read" in read_submission(broken / "p.ipynb", master).unreadable
    linked = tmp_path / "linked"
    linked.mkdir()
    with tarfile.open(linked / "work.tar.gz", "w:gz") as file:
        link = tarfile.TarInfo("p.ipynb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
    assert "0 notebooks" in read_submission(linked / "p.ipynb", master).unreadable


def edit(change):
    notebook = json.loads(nbformat.writes(hand_in()))
    change(notebook, {c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in notebook["cells"]})
    return notebook


def duplicate_test(notebook, by_id):
    notebook["cells"].append(by_id["double_test"])


def duplicate_answer(notebook, by_id):
    notebook["cells"].insert(0, by_id["double"] | {"source": "def double(x):\n    return 0"})


def delete_tests(notebook, by_id):
    notebook["cells"] = [c for c in notebook["cells"] if "test" not in str(c["metadata"].get("nbgrader"))]


def reverse(notebook, by_id):
    notebook["cells"].reverse()


def retype(notebook, by_id):
    for name in ("double_test", "mean_test"):
        by_id[name]["cell_type"] = "markdown"
    by_id["double"]["cell_type"] = "raw"


def edit_points(notebook, by_id):
    by_id["double_test"]["metadata"]["nbgrader"].update(points=1000, grade=False, locked=False)


def strange_metadata(notebook, by_id):
    notebook["metadata"] = {"kernelspec": {"name": "evil", "argv": ["sh"]}, "nbgrader": [1]}
    for c in notebook["cells"]:
        c["metadata"]["tags"] = ["skip-execution"]
    notebook["cells"] += [
        None,
        3,
        [],
        {"cell_type": "code"},
        {"metadata": [], "source": {"a": 1}},
        {"metadata": {"nbgrader": 7}},
    ]


def wrong_version(notebook, by_id):
    notebook.update(nbformat=99, nbformat_minor="x")


def version_three(notebook, by_id):
    for c in notebook["cells"]:
        if c["cell_type"] == "code":
            c["input"] = c.pop("source")
    notebook["worksheets"] = [{"cells": notebook.pop("cells")}]
    notebook["nbformat"] = 3


def lines_for_text(notebook, by_id):
    for c in notebook["cells"]:
        c["source"] = c["source"].splitlines(keepends=True) if isinstance(c["source"], str) else c["source"]


def old_schema(notebook, by_id):
    for c in notebook["cells"]:
        if "nbgrader" in c["metadata"]:
            c["metadata"]["nbgrader"] = {"grade_id": c["metadata"]["nbgrader"]["grade_id"], "schema_version": 1}


CHANGES = [
    duplicate_test,
    duplicate_answer,
    delete_tests,
    reverse,
    retype,
    edit_points,
    strange_metadata,
    wrong_version,
    version_three,
    lines_for_text,
    old_schema,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_changed_notebooks_are_graded_by_their_answers(judge, change):
    assert judge(json.dumps(edit(change)).encode()).scores == FULL


@pytest.mark.parametrize(("encoding", "remark"), [("utf-8-sig", 0), ("utf-16", 1), ("cp1252", 1)])
def test_odd_encodings(judge, encoding, remark, master, tmp_path):
    text = json.dumps(edit(lambda n, b: b["words"].update(source="Größe")), ensure_ascii=False)
    data = text.encode(encoding)
    assert len(read(master, tmp_path, data).remarks) == remark
    judgement = judge(data)
    assert judgement.scores == FULL
    assert any("Größe" in c.source for c in judgement.notebook.cells)


def test_missing_cells_and_cells_of_another_release_are_named(master, tmp_path):
    def change(notebook, by_id):
        by_id["double"]["metadata"]["nbgrader"]["grade_id"] = "double_old"
        notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": "helper = 1"})

    submission = read(master, tmp_path, edit(change))
    text = " ".join(submission.remarks)
    assert "'double' is missing" in text and "'double_old'" in text and "cells that you added" in text


def test_an_endless_answer_is_left_out(master, tmp_path):
    submission = read(master, tmp_path, edit(lambda n, b: b["mean"].update(source="#" * 300_000)))
    assert "mean" not in submission.answers and "longer than" in submission.remarks[0]


def test_the_last_written_duplicate_counts(judge, master):
    def change(notebook, by_id):
        stub = master.cells["double"].source
        notebook["cells"] += [by_id["double"] | {"source": DOUBLE_RIGHT}, by_id["double"] | {"source": stub}]
        by_id["double"]["source"] = "def double(x):\n    return 0"

    assert judge(json.dumps(edit(change)).encode()).scores["double_test"] == 4


def test_nothing_else_of_the_submission_is_in_the_rebuilt_notebook(judge):
    def change(notebook, by_id):
        notebook["metadata"]["evil"] = "MARK"
        for c in notebook["cells"]:
            c["metadata"]["evil"] = "MARK"
            if c["cell_type"] == "code":
                c["outputs"] = [
                    {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>MARK</script>"}}
                ]
        by_id["words"]["attachments"] = {"x.svg": {"image/svg+xml": "MARK"}}
        by_id["double_test"]["source"] = "MARK"

    judgement = judge(json.dumps(edit(change)).encode())
    assert judgement.scores == FULL
    assert "MARK" not in nbformat.writes(judgement.notebook)


HARMFUL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<IMG SRC=http://evil/x.png>",
    "<!-- x --><svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](http://evil/pixel.png)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "![x][1]\n\n[1]: http://evil/pixel.png",
    "<javascript:alert(1)>",
    "<a\nhref='javascript:alert(1)'>x</a>",
    "$\\href{javascript:alert(1)}{x}$",
    "$$\\require{html}\\style{x}{y}$$",
    "```\n</code><script>alert(1)</script>\n```",
    "<\x00script>alert(1)</script>",
    "<details open ontoggle=alert(1)>",
]


@pytest.mark.parametrize("text", HARMFUL)
def test_free_text_becomes_harmless(text):
    import html.parser

    from nbconvert.filters import markdown2html

    class Finder(html.parser.HTMLParser):
        def __init__(self):
            super().__init__()
            self.found = []

        def handle_starttag(self, tag, attributes):
            if tag == "a" and [name for name, _ in attributes] == ["href"] and attributes[0][1].startswith("http"):
                return  # an address in the text, shown as it is
            self.found += [tag] if tag in ("script", "img", "svg", "a", "details", "iframe", "style") else []
            self.found += [name for name, _ in attributes if name.startswith("on") or name in ("href", "src", "style")]

    def find(source):
        finder = Finder()
        finder.feed(markdown2html(source))
        return finder.found

    assert find(neutralise(text)) == []
    assert "\\href" not in neutralise(text) and "\\require" not in neutralise(text)
    if "$" not in text and "```" not in text and "\x00" not in text and "[1]:" not in text:
        assert find(text) != [], "this case would be harmless anyway"


def test_harmless_text_stays_readable():
    text = "Weil $a \\le b$ und $f(x) < g$, gilt *das*:\n\n1. eins\n2. `code`\n\n$$\\frac{d}{dt} p = A p$$"
    assert neutralise(text) == text

"""A small assignment, and submissions to it, for the tests of the grading."""

import shutil
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
ASSIGNMENT, NOTEBOOK = "ps1", "p"

FORBIDDEN = ["acme_lib.laws", "numpy.trapezoid", "statistics"]
DOUBLE_RIGHT = "def double(x):\n    return 2 * x"
MEAN_RIGHT = "def mean(values):\n    return float(np.mean(values))"

DOUBLE_TEST = """\
import numpy as np
from acme_lib.teach.check import check_values, hidden_checks

check_values(double, {"x": 3.0}, 6.0, what="double of 3")
### BEGIN HIDDEN TESTS
with hidden_checks() as rng:
    for _ in range(3):
        x = float(rng.uniform(10, 99))
        check_values(double, {"x": x}, 2 * x)
### END HIDDEN TESTS"""

MEAN_TEST = """\
assert mean([1.0, 3.0]) == 2.0, "the mean of 1 and 3"
### BEGIN HIDDEN TESTS
assert abs(mean([7.0, 11.0, 44.5]) - 20.833333) < 1e-4, "secret 20.8333"
### END HIDDEN TESTS"""


def cell(kind, source, name=None, points=None, solution=False, locked=None, **metadata):
    """Make a cell as nbgrader wants it."""
    made = nbformat.v4.new_code_cell(source) if kind == "code" else nbformat.v4.new_markdown_cell(source)
    made.metadata.update(metadata)
    if name:
        made.id = name.replace("_", "-")
        made.metadata["nbgrader"] = {
            "grade": points is not None,
            "grade_id": name,
            "locked": not solution if locked is None else locked,
            "schema_version": 3,
            "solution": solution,
            "task": False,
            **({} if points is None else {"points": points}),
        }
    return made


def answer(name, right):
    """Make a solution cell."""
    return cell("code", f"### BEGIN SOLUTION\n{right}\n### END SOLUTION", name, solution=True)


def source_notebook(*extra):
    """Return the instructor's notebook: two questions of 4 points and one in words."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.cells = [
        cell("markdown", "# Small"),
        cell("code", "import numpy as np", "imports", acme={"forbidden": FORBIDDEN}),
        answer("double", DOUBLE_RIGHT),
        cell("code", DOUBLE_TEST, "double_test", points=4),
        answer("mean", MEAN_RIGHT),
        cell("code", MEAN_TEST, "mean_test", points=4),
        cell("markdown", "The answer in words.", "words", points=2, solution=True),
        *extra,
    ]
    return notebook


def write_source(folder, *extra):
    """Write the instructor's notebook; return its path."""
    path = Path(folder) / f"{NOTEBOOK}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(source_notebook(*extra), path)
    return path


def hand_in(double=DOUBLE_RIGHT, mean=MEAN_RIGHT, words="Because.", change=None):
    """Return a submitted notebook; `change` may do what it likes with it."""
    notebook = source_notebook()
    by_name = {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}
    by_name["double"].source, by_name["mean"].source, by_name["words"].source = double, mean, words
    for name in ("double_test", "mean_test"):
        by_name[name].source = by_name[name].source.split("### BEGIN HIDDEN TESTS")[0]
    return notebook if change is None else (change(notebook) or notebook)


def fill(notebook, answers, stub="raise NotImplementedError()"):
    """Put answers into a source notebook as a student would have it: without solutions and hidden tests."""
    for found in notebook.cells:
        meta = found.metadata.get("nbgrader", {})
        if meta.get("solution"):
            found.source = answers.get(meta["grade_id"], stub)
        found.source = found.source.split("### BEGIN HIDDEN TESTS")[0]
    return notebook


def make_course(folder, config=None, extra=()):
    """Make a course directory with the small assignment in it; `config` replaces the course's own."""
    folder.mkdir(parents=True, exist_ok=True)
    write_source(folder / "solutions" / ASSIGNMENT, *extra)
    if config is None:
        shutil.copy(ROOT / "nbgrader_config.py", folder)
    else:
        (folder / "nbgrader_config.py").write_text(config)
    return folder


def submit(course, student, notebook):
    """Put a notebook (or bytes) into ``submitted/``; return its path."""
    folder = course / "submitted" / student / ASSIGNMENT
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NOTEBOOK}.ipynb"
    if isinstance(notebook, bytes):
        path.write_bytes(notebook)
    else:
        path.write_text(nbformat.writes(notebook) if not isinstance(notebook, str) else notebook, encoding="utf-8")
    return path


def generate(course, force=False):
    """Let nbgrader release the assignment: its gradebook then knows the points."""
    from nbgrader.converters import GenerateAssignment

    from acme_lib.grade.course import load_course, programs_of_this_python

    config, coursedir = load_course(course)
    coursedir.assignment_id = ASSIGNMENT
    with programs_of_this_python():
        GenerateAssignment(coursedir=coursedir, config=config, force=force).start()

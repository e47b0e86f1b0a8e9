"""Build the chapters: a text source (``course/NN_name.md``, MyST) is executed and becomes the notebook beside it.

What helps learners to a project of their own (``course/projects/project_name.md``) is built in the same way.

The same source gives the same notebook: what differs from run to run (times, widgets) is not stored, and the ids of
cells follow from what the cells hold. A notebook is stored byte by byte as JupyterLab would write it, so that opening
and closing it changes nothing. (The version of Python is the reader's: `acme_lib.teach.saving` puts it in.)
"""

import hashlib
import os
import re
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_WIDGET = "application/vnd.jupyter.widget-view+json"
RESULT = "result"  # tag of a cell whose output answers a prediction: stored folded, until the learner runs the cell
CURTAIN = "(stored result)\n"
PROJECTS = "course/projects"  # here lies what is no chapter


def find_texts(root):
    """Return the text sources of a course: the chapters in the order of their numbers, then those of the projects."""
    root = Path(root)
    return [*sorted(root.glob("course/[0-9][0-9]_*.md")), *sorted(root.glob(f"{PROJECTS}/project_*.md"))]


def read_source(source):
    """Return the notebook of a text source, not executed, with cell ids that follow from the cells."""
    notebook = jupytext.read(source)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    # A notebook that still names its text source would overwrite it when a learner saves.
    notebook.metadata = {"kernelspec": dict(_KERNEL), "language_info": language_info()}
    seen = {}
    for cell in notebook.cells:
        if RESULT in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = {**cell.metadata.get("jupyter", {}), "outputs_hidden": True}
        key = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[key] = seen.get(key, 0) + 1
        cell["id"] = key if seen[key] == 1 else f"{key}-{seen[key]}"
    return notebook


def build_chapter(source, timeout=300):
    """Execute a text source and write its notebook beside it.

    Returns
    -------
    list of str
        What went wrong; empty when the notebook was written.
    """
    notebook, problems = execute(read_source(source), source.resolve().parent, timeout)
    if not problems:
        nbformat.validate(notebook)
        nbformat.write(notebook, source.with_suffix(".ipynb"))
    return problems


def execute(notebook, folder, timeout=300):
    """Execute a notebook in a folder.

    Returns
    -------
    notebook : NotebookNode
        With outputs that can be stored.
    problems : list of str
        What went wrong; then the notebook is not to be used.
    """
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name=_KERNEL["name"],
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        # What the author predicted is no part of the chapter.
        client.execute(env={**os.environ, "ACME_RECORD": "", "ACME_QUIET": "1"})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return notebook, [re.sub(r"\x1b\[[0-9;]*m", "", str(error))]  # a log has no colours
    return _settle(notebook), []


def language_info():
    """Return what the kernel says about its language, which JupyterLab writes into each notebook that it opens."""
    return {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": "3",
    }


def _settle(notebook):
    """Leave out the widgets, which do not outlive their kernel; the still of each stays (`acme_lib.teach.still`).

    A folded output shows its first line, so that a result begins with one that says nothing.
    """
    notebook.metadata = nbformat.from_dict({"kernelspec": _KERNEL, "language_info": language_info()})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for output in cell.outputs:
                output.get("data", {}).pop(_WIDGET, None)
            cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
            if RESULT in cell.metadata.get("tags", []) and cell.outputs:
                first = cell.outputs[0]
                texts = first if first.output_type == "stream" else first.get("data", {})
                for kind in {"text", "text/plain", "text/html"} & set(texts):
                    texts[kind] = CURTAIN + texts[kind]
    return notebook


def compare_chapter(source):
    """Compare a notebook with its text source.

    Returns
    -------
    list of str
        The differences, in words; empty when the two agree and the notebook is executed.
    """
    path = source.with_suffix(".ipynb")
    if not path.is_file():
        return ["missing: run `acme build`"]
    expected, found = read_source(source), nbformat.read(path, as_version=4)
    problems = []
    if len(expected.cells) != len(found.cells):
        problems.append(f"{len(found.cells)} cells, its text has {len(expected.cells)}: run `acme build`")
    for number, (text, cell) in enumerate(zip(expected.cells, found.cells, strict=False), start=1):
        same = (text.cell_type, text.source, text.metadata) == (cell.cell_type, cell.source, cell.metadata)
        if not same:
            start = (text.source.strip().splitlines() or [""])[0]
            problems.append(f"cell {number} ({start!r}) differs from its text: run `acme build`")
            break
    code = [cell for cell in found.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        problems.append("not executed from top to bottom: run `acme build`")
    errors = [output.ename for cell in code for output in cell.outputs if output.output_type == "error"]
    return problems + [f"its outputs hold an error: {name}" for name in errors]

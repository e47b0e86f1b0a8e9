"""Build the chapters: a text source (``course/NN_name.md``, MyST) is executed and becomes the notebook beside it.

The same source gives the same notebook: what differs from run to run (versions, times, the random names of widgets) is
not stored, and the ids of cells follow from what the cells hold.
"""

import hashlib
import json
import re

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
_WIDGETS = "application/vnd.jupyter.widget-state+json"


def read_source(source):
    """Return the notebook of a text source, not executed, with cell ids that follow from the cells."""
    notebook = jupytext.read(source)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    # A notebook that still names its text source would overwrite it when a learner saves.
    notebook.metadata = {"kernelspec": dict(_KERNEL), "language_info": dict(_LANGUAGE)}
    seen = {}
    for cell in notebook.cells:
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
    notebook = read_source(source)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name=_KERNEL["name"],
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=True,
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(source.resolve().parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return [re.sub(r"\x1b\[[0-9;]*m", "", str(error))]  # a log has no colours
    notebook = _settle(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, source.with_suffix(".ipynb"))
    return []


def _settle(notebook):
    """Return the notebook without what differs from run to run: versions and the random names of widgets."""
    notebook.metadata["language_info"] = dict(_LANGUAGE)
    notebook.metadata["kernelspec"] = dict(_KERNEL)
    models = notebook.metadata.get("widgets", {}).get(_WIDGETS, {}).get("state", {})
    text = json.dumps(notebook, ensure_ascii=False)
    # In the order in which the outputs and, inside them, the parents mention them.
    for number, name in enumerate(sorted(models, key=lambda name: text.find(name))):
        text = text.replace(name, hashlib.sha256(f"widget {number}".encode()).hexdigest()[:32])
    settled = nbformat.from_dict(json.loads(text))
    if models:
        state = settled.metadata["widgets"][_WIDGETS]["state"]
        settled.metadata["widgets"][_WIDGETS]["state"] = dict(sorted(state.items()))
    return settled


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

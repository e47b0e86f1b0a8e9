"""Each chapter from a fresh kernel, cold and warm: seconds, megabytes, and how fast its slider figures redraw.

A notebook is executed as it is stored: cold with an empty folder for compiled code, as on the day of the installation,
then warm, with what the cold run compiled. Then, in the same kernel, each slider figure is moved through its range and
the time from a slider's new value to the new picture is measured.
"""

import ast
import os
import statistics
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from acme_lib.build.chapters import find_texts
from tests.benchmarks.table import Row

ROOT = Path(__file__).resolve().parents[2]
REDRAWS = """
from acme_lib.teach.widgets import live_figures
[figure.redraw_seconds().tolist() for figure in live_figures()]
"""


def run():
    """Measure every notebook of the course."""
    rows = []
    for path in [text.with_suffix(".ipynb") for text in find_texts(ROOT)]:
        with tempfile.TemporaryDirectory() as compiled:
            cold, _ = _execute(path, compiled)
            warm, redraws = _execute(path, compiled)
        rows.append(Row(path.name, "cold: nothing compiled", cold, cold / 60, "s", "ratio to the limit of 60 s"))
        rows.append(Row(path.name, "warm: from a fresh kernel", warm, warm / 30, "s", "ratio to the limit of 30 s"))
        megabytes = path.stat().st_size / 1e6
        rows.append(Row(path.name, "size", megabytes, megabytes, "MB", "ratio to the limit of 1 MB"))
        for number, times in enumerate(redraws, start=1):
            median = statistics.median(times)
            note = f"ratio to the limit of 0.1 s; {len(times)} moves, slowest {max(times):.3f} s"
            rows.append(Row(path.name, f"slider figure {number}", median, median / 0.1, "s", note))
    return rows


def _execute(path, compiled):
    """Return the seconds from the start of a kernel to the end of the last cell, and those of the redraws."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("0"))
    client = NotebookClient(notebook, timeout=300)
    # Predictions are asked, and none of them is remembered.
    environment = {**os.environ, "NUMBA_CACHE_DIR": compiled, "ACME_RECORD": ""}
    start = time.perf_counter()
    with client.setup_kernel(cwd=str(path.parent), env=environment):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        seconds = time.perf_counter() - start
        return seconds, _ask(client, notebook, REDRAWS)


def _ask(client, notebook, expression):
    cell = notebook.cells[-1]
    cell.source = expression
    client.execute_cell(cell, len(notebook.cells) - 1)
    return ast.literal_eval(cell.outputs[0].data["text/plain"])

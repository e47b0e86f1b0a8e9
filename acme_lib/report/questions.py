"""The questions of an assignment as a reader counts them: all cells with points under one heading are one question."""

import re
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np

from acme_lib.grade.source_notebook import is_solution
from acme_lib.report.marks import Question

_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def find_headings(cells):
    """Return, for each cell, the last heading of the text above it, without its points."""
    heading, found = "", []
    for cell in cells:
        if cell.cell_type == "markdown" and not is_solution(cell):
            titles = _HEADING.findall(_FENCED.sub("", cell.source))
            if titles:
                heading = re.sub(r"\s*\([^()]*\bpoints?\b[^()]*\)$", "", re.sub(r"[*`]", "", titles[-1]))
        found.append(heading)
    return found


def find_outline(root, assignment, *, source="solutions"):
    """Return the cells with points as they stand in the source of an assignment: (notebook, cell, heading) of each."""
    outline = []
    for path in sorted((Path(root) / source / assignment).glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        for cell, heading in zip(cells, find_headings(cells), strict=True):
            role = cell.metadata.get("nbgrader", {})
            if role.get("grade") or role.get("task"):
                outline.append((path.stem, role["grade_id"], heading))
    return outline


def unite_cells(marks, outline):
    """Unite the cells under one heading to one question.

    Parameters
    ----------
    marks : Marks
        By cell.
    outline : sequence of (str, str, str)
        From `find_outline`; a cell that it does not name, or that stands under no heading, remains a question.

    Returns
    -------
    marks : Marks
        By question, in the order of `outline`.
    groups : dict of (str, str) to (str, str)
        Notebook and name of the question, by notebook and name of the cell.
    """
    headings = {(notebook, cell): heading for notebook, cell, heading in outline}
    groups, columns = {}, {}
    for column, cell in enumerate(marks.questions):
        key = (cell.notebook, cell.name)
        groups[key] = (cell.notebook, headings.get(key) or cell.name)
        columns.setdefault(groups[key], []).append(column)
    numbers = {key: number for number, key in enumerate(columns, start=1)}
    # The table numbers its questions: a heading that begins with the same number does not say it twice.
    names = {key: re.sub(rf"^{numbers[key]}[.)]?\s+", "", key[1]) or key[1] for key in columns}
    groups = {cell: (key[0], names[key]) for cell, key in groups.items()}
    questions = tuple(
        Question(
            key[0],
            names[key],
            sum(marks.questions[column].max_score for column in found),
            any(marks.questions[column].by_hand for column in found),
        )
        for key, found in columns.items()
    )
    scores = np.stack([marks.scores[:, found].sum(axis=1) for found in columns.values()], axis=1)
    ungraded = np.stack([marks.ungraded[:, found].any(axis=1) for found in columns.values()], axis=1)
    return replace(marks, questions=questions, scores=scores, ungraded=ungraded), groups

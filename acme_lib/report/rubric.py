"""What an answer that a person grades is held against: the model answer in the source, with its points.

formgrader shows it below each such answer (``c.HTMLExporter.preprocessors = [ShowRubric]``). On a student's feedback
page it stands, folded, once a person has graded the answer, unless the course holds it back (``c.ReadGrades.rubric``).
"""

import re
from dataclasses import dataclass

import nbformat
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor

from acme_lib.grade.course import source_folder
from acme_lib.grade.source_notebook import grade_id, is_graded, is_solution


def find_rubrics(coursedir, assignment, notebook):
    """Return the model answers of an assignment's notebook that a person grades, by the cell's id.

    Parameters
    ----------
    coursedir : nbgrader.coursedir.CourseDirectory
    assignment : str
    notebook : str
        Its name, without ``.ipynb``.

    Returns
    -------
    dict of str to NotebookNode
        Cells of the source; none where the source is not there.
    """
    path = source_folder(coursedir, assignment) / f"{notebook}.ipynb"
    try:
        source = nbformat.read(path, as_version=4)
    except (OSError, ValueError):  # grading by hand works without it
        return {}
    return {grade_id(cell): cell for cell in source.cells if is_graded(cell) and is_solution(cell) and cell.source}


_NUMBERS = {"half a": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0}
_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_EACH = re.compile(rf"\b({'|'.join(_NUMBERS)}) points? each\b")
_OTHER = re.compile(rf"\bthe ({'|'.join(_PLACES)}) item ({'|'.join(_NUMBERS)})\b")
_PARTS = re.compile(r"\((?:First|Second|Third|Fourth) point\)\s*")
_ITEM = re.compile(r"^\d+\.\s+(.*(?:\n+[ \t]+\S.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class RubricLine:
    """What earns points in a model answer."""

    text: str
    points: float


def read_lines(source, points):
    r"""Return the lines of a model answer that are ticked one by one, with their points.

    They are a numbered list below a line that says what each is worth: "one point each; the fourth item two". An item
    with "(First point) … (Second point) …" is a line for each.

    Parameters
    ----------
    source : str
        The model answer, Markdown.
    points : float
        What they must add up to.

    Returns
    -------
    tuple of RubricLine
        Empty where nothing of that kind is written, or where it does not add up: such an answer has points by number.

    Examples
    --------
    >>> [line.points for line in read_lines("**One point each; the second item two.**\n\n1. Up.\n2. Down.", 3)]
    [1.0, 2.0]
    """
    items = [" ".join(item.split()) for item in _ITEM.findall(source)]
    head = _ITEM.split(source, maxsplit=1)[0].lower()
    each = _EACH.search(head)
    if not items or each is None:
        return ()
    worth = dict.fromkeys(range(len(items)), _NUMBERS[each[1]])
    worth |= {_PLACES.index(place): _NUMBERS[number] for place, number in _OTHER.findall(head)}
    lines = []
    for index, item in enumerate(items):
        parts = [part.strip() for part in _PARTS.split(item) if part.strip()] if _PARTS.match(item) else [item]
        lines += [RubricLine(part, worth[index] / len(parts)) for part in parts]
    return tuple(lines) if abs(sum(line.points for line in lines) - points) < 1e-9 else ()


class ShowRubric(NbGraderPreprocessor):
    """Put the model answer below each answer that a person grades, on formgrader's page of a submission."""

    def preprocess(self, nb, resources):
        """Return the notebook with a cell more for each of them; the file on the disk stays as it is."""
        if not {"submission_id", "assignment_id", "notebook_id"} <= set(resources):
            return nb, resources  # no page of formgrader
        coursedir = CourseDirectory(config=self.config)
        rubrics = find_rubrics(coursedir, resources["assignment_id"], resources["notebook_id"])
        cells = []
        for cell in nb.cells:
            cells.append(cell)
            if found := rubrics.get(grade_id(cell)):
                title = f"**Model answer of `{grade_id(cell)}`** (not part of the submission)"
                text = found.source if found.cell_type == "markdown" else f"```python\n{found.source}\n```"
                quoted = "\n".join(f"> {line}" for line in f"{title}\n\n{text}".split("\n"))
                cells.append(nbformat.v4.new_markdown_cell(quoted, attachments=found.get("attachments", {})))
        nb.cells = cells
        return nb, resources

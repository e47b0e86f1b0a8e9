"""What an answer that a person grades is held against: the model answer in the source, with its points.

formgrader shows it below each such answer (``c.HTMLExporter.preprocessors = [ShowRubric]``). On a student's feedback
page it stands, folded, once a person has graded the answer, unless the course holds it back (``c.ReadGrades.rubric``).
"""

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

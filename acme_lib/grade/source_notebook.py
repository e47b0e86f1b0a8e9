"""The instructor's notebook: what is graded, with what, and what a solution may use."""

import functools
import hashlib
import symtable
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from acme_lib.errors import GradingError


@dataclass(frozen=True)
class Master:
    """The instructor's notebook: what is graded, and with what.

    Attributes
    ----------
    name : str
        Of the notebook, without ``.ipynb``.
    notebook : NotebookNode
        The source without solutions, with the hidden tests, locked and with checksums. Not to be changed.
    asked, given : frozenset of str
        Names that the solutions define: what a student's code is asked for; and those that the instructor's open cells
        define, some of them with what the student wrote. No other name is ever asked for.
    forbidden : tuple of str
        What solutions may not use: all rooms of the library but those that a cell's metadata names
        (``acme: {allowed: [acme_lib.network]}``), and what it names besides (``acme: {forbidden: […]}``).
    sha256 : str
        Of the source file.
    made_for : dict or None
        The mark of the notebooks that may be handed in (`acme_lib.grade.personal.mark_of`).
    """

    name: str
    notebook: nbformat.NotebookNode = field(repr=False)
    asked: frozenset
    given: frozenset
    forbidden: tuple
    sha256: str
    made_for: dict | None = None

    @functools.cached_property
    def cells(self):
        """The cells with an id, by their id."""
        return {grade_id(cell): cell for cell in self.notebook.cells if grade_id(cell)}

    @functools.cached_property
    def points(self):
        """The points of every graded cell, by its id."""
        marked = (cell for cell in self.cells.values() if is_graded(cell))
        return {grade_id(cell): float(cell.metadata.nbgrader.points) for cell in marked}


def grade_id(cell):
    """Return the id of a cell for nbgrader, or None."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_solution(cell):
    """Whether the learner writes in this cell."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_graded(cell):
    """Whether this cell has points."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("grade") or meta.get("task"))


def load_master(path, config=None):
    """Read a notebook of ``solutions/``.

    Parameters
    ----------
    path : path
    config : traitlets.config.Config, optional
        nbgrader's, for the delimiters of solutions.

    Returns
    -------
    Master

    Raises
    ------
    GradingError
        If it is no notebook that nbgrader can release.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise GradingError(f"{path} cannot be read: {error}") from None
    return parse_master(text, Path(path).stem, config)


def parse_master(text, name, config=None):
    """Read the text of a notebook of ``solutions/`` (see `load_master`)."""
    from nbgrader.preprocessors import ClearOutput, ClearSolutions, ComputeChecksums, LockCells

    path = f"{name}.ipynb"
    try:
        notebook = nbformat.reads(text, as_version=4)
    except (ValueError, nbformat.ValidationError) as error:
        raise GradingError(f"{path} is no notebook: {error}") from None
    ids = [grade_id(cell) for cell in notebook.cells if grade_id(cell)]
    if len(set(ids)) != len(ids):
        raise GradingError(f"{path} has two cells with one id: {sorted({name for name in ids if ids.count(name) > 1})}")
    asked, given, allowed, forbidden = set(), set(), [], []
    for cell in notebook.cells:
        allowed += cell.metadata.get("acme", {}).get("allowed", [])
        forbidden += cell.metadata.get("acme", {}).get("forbidden", [])
        if cell.cell_type == "code" and is_solution(cell):
            asked |= bound_names(_as_python(cell.source))
        elif cell.cell_type == "code" and not is_graded(cell):
            given |= bound_names(_as_python(cell.source))
    for step in (LockCells, ClearSolutions, ClearOutput, ComputeChecksums):
        notebook, _ = step(config=config).preprocess(notebook, {})
    return Master(
        name=name,
        notebook=notebook,
        asked=frozenset(asked),
        given=frozenset(given),
        forbidden=tuple(dict.fromkeys([*_closed_rooms(allowed), *forbidden])),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        made_for=notebook.metadata.get("acme", {}).get("made_for"),
    )


def _closed_rooms(allowed):
    """Return the packages of the library that an exercise does not name; of this one the far side itself is made."""
    library = Path(__file__).parents[1]
    rooms = [f"acme_lib.{path.parent.name}" for path in sorted(library.glob("*/__init__.py"))]
    if unknown := set(allowed) - set(rooms):
        raise GradingError(f"allowed must name rooms of the library ({', '.join(rooms)}), got {', '.join(unknown)}")
    return [room for room in rooms if room not in allowed and room != "acme_lib.grade"]


def _as_python(source):
    """Return a cell of the instructor without what only a notebook understands."""
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def bound_names(source):
    """Return the names that a cell of the instructor defines at its top level; not those that it imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = symtable.symtable(source, "cell", "exec")
        except (SyntaxError, ValueError):
            return set()
    return {name.get_name() for name in table.get_symbols() if name.is_assigned() and not name.is_imported()}

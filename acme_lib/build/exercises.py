"""Build the assignments: text source → nbgrader source → release.

``solutions/NAME/*.md`` (MyST, the only thing that is edited; `acme_lib.build.questions` reads it) becomes
``solutions/NAME/*.ipynb`` (not executed, cell ids that follow from the content's place) and, through nbgrader's own
``generate_assignment``, ``exercises/NAME/*.ipynb``; the words of its misconceptions go to
``acme_lib/teach/misconceptions.json``. The same source gives the same bytes.
"""

import json
import logging
import shutil
import tempfile
from pathlib import Path

import nbformat

from acme_lib.build.chapters import language_info
from acme_lib.build.questions import collect_texts, compile_cells, read_assignment
from acme_lib.files import write_whole
from acme_lib.grade.course import load_config, programs_of_this_python

_TEXTS = Path("acme_lib/teach/misconceptions.json")


def build_assignments(root, *, out=None):
    """Build all assignments of a course.

    Parameters
    ----------
    root : path
        The course: it holds ``solutions/`` and ``nbgrader_config.py``.
    out : path, optional
        Where ``solutions/`` and ``exercises/`` are written; by default `root`.

    Returns
    -------
    list of Path
        The files written.
    """
    root = Path(root).resolve()
    out = root if out is None else Path(out).resolve()
    written = _write_texts(root, out)
    with tempfile.TemporaryDirectory() as scratch:
        for folder in sorted(path.parent for path in root.glob("solutions/*/*.md")):
            target = out / "solutions" / folder.name
            target.mkdir(parents=True, exist_ok=True)
            for source in sorted(folder.glob("*.md")):
                path = target / f"{source.stem}.ipynb"
                path.write_text(write_source(source), encoding="utf-8")
                written.append(path)
            written += _release(root, target, out / "exercises" / folder.name, Path(scratch).resolve())
    return written


def compare_assignments(root):
    """Build all assignments anew, elsewhere, and compare them with the files that stand.

    Parameters
    ----------
    root : path
        The course, as in `build_assignments`.

    Returns
    -------
    dict of str to bool
        For each file, by its path in the course, whether it is as its text says.
    """
    root = Path(root).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch).resolve()
        same = {}
        for path in build_assignments(root, out=scratch):
            name = path.relative_to(scratch)
            old = root / name
            same[name.as_posix()] = old.is_file() and old.read_text("utf-8") == path.read_text("utf-8")
        return same


def load_assignment(path):
    """Read the text of an assignment; return its notebook, not yet compiled, and what it says."""
    import jupytext

    path = Path(path)
    notebook = jupytext.read(path, fmt="md:myst")
    return notebook, read_assignment(notebook, f"{path.parent.name}/{path.stem}")


def _write_texts(root, out):
    """Collect what learners read of misconceptions; a course without a library of its own has no place for it."""
    if not (root / _TEXTS).parent.is_dir():
        return []
    texts = collect_texts([load_assignment(path)[1] for path in sorted(root.glob("solutions/*/*.md"))])
    (out / _TEXTS).parent.mkdir(parents=True, exist_ok=True)
    write_whole(out / _TEXTS, (json.dumps(texts, indent=1, ensure_ascii=False) + "\n").encode())
    return [out / _TEXTS]


def write_source(path):
    """Return the nbgrader source notebook of a MyST text, as the text of an ``.ipynb`` file."""
    notebook, assignment = load_assignment(path)
    compile_cells(notebook, assignment)
    kernelspec = notebook.metadata["kernelspec"]
    notebook.metadata = nbformat.NotebookNode(kernelspec=kernelspec, language_info=language_info())
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        if "nbgrader" in cell.metadata:
            cell.id = cell.metadata["nbgrader"]["grade_id"]
        else:
            cell.id = f"cell-{index:03d}"
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _release(root, source, release, scratch):
    """Run nbgrader on one assignment in a directory made for it, so that no gradebook is touched; copy what it makes.

    All assignments share that directory: nbgrader takes two seconds to begin a gradebook.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory

    shutil.copytree(source, scratch / "solutions" / source.name)
    config = load_config(root, root=scratch, db_url=f"sqlite:///{scratch / 'gradebook.db'}", assignment_id=source.name)
    coursedir = CourseDirectory(config=config)
    converter = GenerateAssignment(coursedir=coursedir, config=config)
    converter.log.setLevel(logging.ERROR)
    with programs_of_this_python():
        converter.start()
    if release.exists():
        shutil.rmtree(release)
    shutil.copytree(scratch / coursedir.release_directory / source.name, release)
    return sorted(release.rglob("*.ipynb"))

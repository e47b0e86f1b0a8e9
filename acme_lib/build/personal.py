"""A release in which every student has numbers of their own: one notebook a student, made from the general release."""

import copy
from pathlib import Path

import nbformat

from acme_lib.build.exercises import compare_assignments
from acme_lib.build.questions import write_seals
from acme_lib.build.release import find_leaks, find_secrets
from acme_lib.errors import ReleaseError
from acme_lib.files import write_whole
from acme_lib.grade.personal import SEALED, fill_cells, mark_of, note_release


def make_personal_release(root, students, folder, *, assignments=()):
    """Write the notebooks of these students, and note in ``personal.json`` that they were given them.

    Parameters
    ----------
    root : path
        The course.
    students : sequence of str
        Their ids: the names of the folders in ``submitted/`` into which their work will come.
    folder : path
        Where ``STUDENT/ASSIGNMENT/NOTEBOOK.ipynb`` is written.
    assignments : sequence of str
        By default all with a personal question.

    Returns
    -------
    list of Path
        The files written. The same course, key and students give the same bytes.

    Raises
    ------
    ReleaseError
        If an id can be no name of a folder, an assignment has no personal question, a notebook is not in step with its
        text, or what would be released holds an answer or a key.
    """
    root = Path(root).resolve()
    for student in students:
        if Path(student).name != student or student.startswith(".") or not student.isprintable():
            raise ReleaseError(f"{student!r} can be no name of a folder: give an id that can")
    with_personal = {
        path.parent.name for path in root.glob("solutions/*/*.ipynb") if "check_personal(" in path.read_text("utf-8")
    }
    assignments = list(assignments) or sorted(with_personal)
    if not assignments or (strange := sorted(set(assignments) - with_personal)):
        asked = f" in {', '.join(strange)}" if assignments else ""
        raise ReleaseError(
            f"no question with numbers of each student's own{asked}; there are in {sorted(with_personal)}"
        )
    if stale := [file for file, in_step in compare_assignments(root).items() if not in_step]:
        raise ReleaseError(f"not in step with their text: {', '.join(stale)}; run `acme build` and try again")
    personal, hidden = note_release(root, assignments, students), find_secrets(root)
    written = []
    for assignment in assignments:
        for path in sorted(root.glob(f"solutions/{assignment}/*.ipynb")):
            source = nbformat.read(path, as_version=4)
            released = nbformat.read(root / "exercises" / assignment / path.name, as_version=4)
            for student in students:
                secret = personal.secret(assignment, student)
                text = _write(copy.deepcopy(released), source, secret, student)
                name = f"{student}/{assignment}/{path.name}"
                leaks = [leak.text for leak in find_leaks({f"exercises/{name}": text.encode()}, hidden)]
                leaks += [what for what in (secret, personal.key.hex()) if what in text]
                if leaks:
                    raise ReleaseError(f"{name} would show {len(leaks)} lines that are secret; nothing more is written")
                written.append(write_whole(Path(folder) / name, text))
    return written


def _write(notebook, source, secret, student):
    """Return the text of a released notebook with a student's numbers in it, and seals of their answers."""
    from nbgrader.utils import compute_checksum

    found = fill_cells(notebook, secret, source)
    for cell in notebook.cells:
        facts = cell.metadata.get("nbgrader", {})
        if facts.get("grade_id") in found:
            seals = write_seals(secret, found[facts["grade_id"]])
            cell.source = SEALED.sub(lambda _, seals=seals: f"{seals}\n", cell.source)
            facts["checksum"] = compute_checksum(cell)
    notebook.metadata.setdefault("acme", {})["made_for"] = mark_of(secret, student)
    return nbformat.writes(notebook) + "\n"

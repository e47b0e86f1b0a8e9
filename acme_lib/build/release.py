"""The archive that learners get: chapters, exercises, library and environment, without a trace of the answers.

What is secret is found by comparison, not by markers: every line of a notebook in ``solutions/`` that its release in
``exercises/`` does not show. The archive is searched for all of it before it is written.
"""

import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path

import nbformat

from acme_lib.build.archive import zip_bytes
from acme_lib.build.exercises import compare_assignments
from acme_lib.errors import ReleaseError
from acme_lib.files import write_whole
from acme_lib.grade.course import load_config

FILES = (
    "LICENSE",
    "LICENSE-TEXT",
    "environment.yml",
    "jupyter_lab_config.py",
    "jupyter_lab_overrides.json",
    "pyproject.toml",
    "requirements.txt",
)
FOLDERS = ("acme_lib", "course", "exercises")
README = "acme_lib/build/README.learners.md"  # becomes the archive's README.md
# What learners have no use for: the rooms of graders and authors, and the text sources of chapters
# and projects (here a `*` stands for folders, too).
LEFT_OUT = ("acme_lib/grade/*", "acme_lib/report/*", "acme_lib/build/*", "course/*.md")
TELLING = 20  # characters: a shorter line of an answer, such as `while True:`, stands in any program
_COMPILED = (".pyc", ".pyo", ".nbi", ".nbc")
_MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "BEGIN MARK SCHEME", "END MARK SCHEME")


@dataclass(frozen=True)
class Secret:
    """A line that learners must not read, and the cell of the assignment from which it comes."""

    text: str
    assignment: str
    cell: str


@dataclass(frozen=True)
class Leak:
    """A secret in a file of the archive."""

    file: str
    text: str
    cell: str


@dataclass(frozen=True)
class Release:
    """The archive as it was written."""

    path: Path
    files: tuple
    secrets: int  # lines that were searched for in each file


def make_release(root, path, *, name="acme"):
    """Write the archive for the learners.

    Parameters
    ----------
    root : path
        The course.
    path : path
        The zip file to write; the same course gives the same bytes.
    name : str
        The folder inside the archive that holds everything.

    Returns
    -------
    Release

    Raises
    ------
    ReleaseError
        If an exercise is not what its solution releases, or the archive would hold an answer or a hidden test.
    """
    root = Path(root).resolve()
    same = compare_assignments(root)
    if not same:
        raise ReleaseError(
            f"{root / 'solutions'} holds no text of an assignment (NAME/*.md): there is nothing to release"
        )
    stale = [file for file, in_step in same.items() if not in_step]
    if stale:
        raise ReleaseError(f"not in step with their text: {', '.join(stale)}; run `acme build` and try again")
    members = collect_members(root)
    notebooks = [file for file in members if file.startswith("exercises/") and file.endswith(".ipynb")]
    strange = [file for file in notebooks if file not in same]
    if strange:
        raise ReleaseError(f"no solution releases {', '.join(strange)}: remove it, or add its text to solutions/")
    secrets = find_secrets(root)
    leaks = find_leaks(members, secrets, taught=_taught_lines(root))
    if leaks:
        shown = "\n".join(f"  {leak.file}: {leak.text!r} (from {leak.cell})" for leak in leaks[:20])
        more = f"\n  … and {len(leaks) - 20} more" if len(leaks) > 20 else ""
        raise ReleaseError(f"the archive would show {len(leaks)} lines that are secret:\n{shown}{more}")
    write_whole(path, zip_bytes({f"{name}/{file}": content for file, content in members.items()}))
    return Release(Path(path), tuple(sorted(members)), len(secrets))


def collect_members(root):
    """Read the files that learners get.

    Left out are the rooms of graders and authors (`LEFT_OUT`), hidden files and what Python and numba compile. A
    symbolic link is refused: it could lead anywhere.

    Returns
    -------
    dict of str to bytes
        Content by path in the course.
    """
    root = Path(root)
    paths = [root / name for name in FILES]
    paths += [path for folder in FOLDERS for path in sorted((root / folder).rglob("*"))]
    members = {"README.md": (root / README).read_bytes()}
    for path in paths:
        name = path.relative_to(root)
        if any(fnmatch.fnmatch(name.as_posix(), pattern) for pattern in LEFT_OUT):
            continue
        if any(part.startswith(".") or part == "__pycache__" for part in name.parts) or path.suffix in _COMPILED:
            continue
        if path.is_symlink():
            raise ReleaseError(f"{name.as_posix()} is a symbolic link: put the file itself there")
        if path.is_file():
            members[name.as_posix()] = path.read_bytes()
        elif not path.exists():
            raise ReleaseError(f"{name.as_posix()} is missing: learners need it")
    return members


def find_secrets(root):
    """List every line of the solutions that the released exercises do not show.

    Returns
    -------
    list of Secret
        The lines without the blanks around them; each once for a cell.

    Raises
    ------
    ReleaseError
        If a cell of an answer is released unchanged.
    """
    root = Path(root)
    secrets = []
    for source in sorted(root.glob("solutions/*/*.ipynb")):
        release = root / "exercises" / source.relative_to(root / "solutions")
        shown = {_cell_id(cell): cell for cell in nbformat.read(release, as_version=4).cells}
        assignment = f"{source.parent.name}/{source.stem}"
        public = {line for cell in shown.values() for line in _lines(cell.source)}
        for cell in nbformat.read(source, as_version=4).cells:
            cell_id = _cell_id(cell)
            role = cell.metadata.get("nbgrader", {})
            # A cell that is no answer and no check (an import, a text) is for all to see.
            if not (role.get("solution") or role.get("grade") or role.get("task")):
                continue
            if role.get("solution") and cell_id in shown and shown[cell_id].source == cell.source:
                raise ReleaseError(f"{assignment}: the cell {cell_id!r} is released with its answer; mark the answer")
            secrets += [
                Secret(line, assignment, cell_id) for line in dict.fromkeys(_lines(cell.source)) if line not in public
            ]
    return secrets


def find_leaks(members, secrets, *, taught=frozenset()):
    """Search files for secret lines.

    A notebook is searched in all its strings (cells, outputs, metadata), any other file in its bytes. In an exercise
    every secret line counts; elsewhere those that tell something, of at least `TELLING` characters; in a chapter, those
    of them that it does not teach.

    Parameters
    ----------
    members : dict of str to bytes
        Content by name.
    secrets : sequence of Secret
    taught : set of str
        Lines of answers that a chapter teaches openly (``c.AcmeRelease.taught`` in ``nbgrader_config.py``).

    Returns
    -------
    list of Leak
        Also every compiled file, whatever it holds: it cannot be read by whoever checks the archive.
    """
    telling = {secret.text: secret for secret in secrets if len(secret.text) >= TELLING}
    every = {secret.text: secret for secret in secrets}
    leaks = []
    for name, content in members.items():
        if name.endswith(_COMPILED) or "__pycache__" in name:
            leaks.append(Leak(name, "a compiled file", "any"))
            continue
        text, strings = _read_strings(name, content)
        found = [secret for line, secret in telling.items() if line in text or line in strings]
        chapter = name.startswith("course/")
        leaks += [Leak(name, secret.text, secret.cell) for secret in found if not (chapter and secret.text in taught)]
        if "exercises" in name.split("/"):
            lines = set(_lines(strings))
            leaks += [
                Leak(name, line, secret.cell) for line, secret in every.items() if line in lines and line not in telling
            ]
            leaks += [Leak(name, marker, "a marker of nbgrader") for marker in _MARKERS if marker in strings]
    return leaks


def _taught_lines(root):
    return frozenset(load_config(root).get("AcmeRelease", {}).get("taught", ()))


def _lines(text):
    return [line.strip() for line in text.split("\n") if line.strip()]


def _cell_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", cell.get("id", ""))


def _read_strings(name, content):
    """Return a file as text, and all strings that stand in it (of a notebook, as they read without JSON)."""
    text = content.decode("utf-8", "replace")
    if not name.endswith((".ipynb", ".json")):
        return text, text
    strings = []

    def walk(value):
        if isinstance(value, str):
            strings.append(value)
        elif isinstance(value, dict):
            walk(list(value))
            walk(list(value.values()))
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            strings.append("".join(value))  # nbformat keeps a text as a list of its lines
            strings.extend(value)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(json.loads(text))
    return text, "\n".join(strings)

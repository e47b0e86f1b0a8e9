"""What students get: an archive of the course without solutions, hidden tests and what grades.

The release is searched before it is given out (`find_leaks`): no line of a solution or of a hidden test may stand in
it, unless a student is shown that line anyway.
"""

import io
import json
import re
import zipfile
from pathlib import Path

from acme_lib.errors import GradingError

# What is part of a release, relative to the course.
PARTS = (
    "LICENSE",
    "LICENSE-TEXT",
    "README.md",
    "acme_lib",
    "course",
    "environment.yml",
    "exercises",
    "jupyter_lab_config.py",
    "jupyter_lab_overrides.json",
    "pyproject.toml",
    "requirements.txt",
)
_LEFT_OUT = {"__pycache__", ".ipynb_checkpoints", ".DS_Store"}
_REGIONS = re.compile(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)[^\n]*\n(.*?)### END", re.DOTALL)
_SHORT = 16  # characters; a shorter line says nothing


def make_release(root, path, *, assignments=None):
    """Write the archive that students get.

    Parameters
    ----------
    root : path
        The course.
    path : path
        Of the archive (``.zip``).
    assignments : collection of str, optional
        Names of the assignments to release; by default all.

    Returns
    -------
    list of str
        The names in the archive. The same course gives the same bytes.

    Raises
    ------
    GradingError
        If something of a solution or a hidden test would be given out; the archive is then not written.
    """
    root = Path(root).resolve()
    chosen = None if assignments is None else set(assignments)
    files = {}
    for part in PARTS:
        top = root / part
        if not top.exists():
            continue
        for file in sorted([top] if top.is_file() else top.rglob("*")):
            name = file.relative_to(root).as_posix()
            if (
                file.is_symlink()
                or not file.is_file()
                or _LEFT_OUT & set(file.parts)
                or file.suffix in (".pyc", ".nbi", ".nbc")
            ):
                continue
            if part == "exercises" and chosen is not None and name.split("/")[1] not in chosen:
                continue
            files[name] = file.read_bytes()
    missing = (chosen or set()) - {name.split("/")[1] for name in files if name.startswith("exercises/")}
    if missing:
        raise GradingError(f"exercises/ holds no {', '.join(sorted(missing))}: run `acme build`")
    leaks = find_leaks(root, files)
    if leaks:
        raise GradingError("the release would give out\n" + "\n".join(f"  {name}: {line}" for name, line in leaks[:10]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(f"acme/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    Path(path).write_bytes(buffer.getvalue())
    return [f"acme/{name}" for name in files]


def find_leaks(root, files):
    """Search files for lines of solutions and hidden tests.

    Parameters
    ----------
    root : path
        The course, whose ``solutions/`` are compared.
    files : dict of str to bytes
        By their names.

    Returns
    -------
    list of (str, str)
        The file, and the line that should not be in it.
    """
    texts = {name: _text_of(name, data) for name, data in files.items()}
    library = {line for name, text in texts.items() if not name.startswith("exercises/") for line in _lines(text)}
    leaks = []
    for source in sorted(Path(root).glob("solutions/*/*.ipynb")):
        secret, shown = set(), set()
        for cell in json.loads(source.read_text("utf-8"))["cells"]:
            text = "".join(cell["source"])
            meta = cell["metadata"].get("nbgrader", {})
            if cell["cell_type"] != "code" and meta.get("solution"):
                secret |= set(_lines(text))
                continue
            for region in _REGIONS.findall(text):
                secret |= set(_lines(region))
            shown |= set(_lines(_REGIONS.sub("", text)))
        for name, text in texts.items():
            if name.startswith("exercises/"):
                leaks += [(name, line) for line in _lines(text) if line in secret - shown - library]
    for name in texts:
        if name.startswith("solutions/") or "gradebook" in name or name.startswith(("tests/", "audit/", "submitted/")):
            leaks.append((name, "the file itself"))
        if name.startswith("exercises/") and re.search(r"BEGIN (SOLUTION|HIDDEN TESTS)", texts[name]):
            leaks.append((name, "a region of the source"))
    return leaks


def _text_of(name, data):
    text = data.decode("utf-8", "replace")
    if name.endswith(".ipynb"):
        return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return text


def _lines(text):
    return [line.strip() for line in text.split("\n") if len(line.strip()) >= _SHORT]

"""The archive for the learners: nothing secret in it, the same bytes each time, and it works where it is unpacked."""

import io
import json
import marshal
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from acme_lib.build.archive import safe_names, zip_bytes
from acme_lib.build.release import (
    FILES,
    FOLDERS,
    README,
    TELLING,
    Secret,
    collect_members,
    find_leaks,
    find_secrets,
    make_release,
)
from acme_lib.cli import main
from acme_lib.errors import ReleaseError

ROOT = Path(__file__).parents[2]
NAME = "01_chemical_master_equation/chemical_master_equation"
REGION = re.compile(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)\s*### END", re.DOTALL)

pytestmark = pytest.mark.nbgrader


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(ROOT, tmp_path_factory.mktemp("release") / "acme.zip")


@pytest.fixture(scope="module")
def unpacked(release, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(release.path) as archive:
        archive.extractall(folder)
    return folder / "acme"


def copy_course(folder, *assignments):
    """Return a course that can be broken: all that a release needs, of these assignments alone where some are named."""
    for name in (*FOLDERS, "solutions"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    for name in (*FILES, "nbgrader_config.py"):
        shutil.copy(ROOT / name, folder)
    for path in folder.glob("[es]*s/[0-9]*"):
        if assignments and path.name not in assignments:
            shutil.rmtree(path)
    return folder


def answers():
    """Return the lines of answers, misconceptions and hidden cases, taken from the texts of the solutions."""
    secret, open_lines = set(), set()
    for path in sorted(ROOT.glob("solutions/*/*.md")):
        text = path.read_text("utf-8")
        for cell in re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            found = re.match(r":acme: \{(\w+)", cell)
            role = found[1] if found else "open"  # the code of a figure, as learners see it
            lines = [line.strip() for line in cell.split("\n")[1:]]
            if role == "slips":  # without the words, which learners read
                code = re.sub(r"^@?slip\(.*?\)\n(?=\S|\n|$)", "", cell, flags=re.DOTALL | re.MULTILINE)
                secret |= {line.strip() for line in code.split("\n")[1:]}
            elif role == "personal":
                secret |= set(lines)
            elif role == "check":
                marks = ("@hidden", "### BEGIN HIDDEN TESTS")  # a personal question has none: all of it is for all
                start = next((i for i, line in enumerate(lines) if line in marks), len(lines))
                secret |= set(lines[start + 1 :]) - {"### END HIDDEN TESTS"}
            elif role == "answer":
                secret |= {line.strip() for region in REGION.findall(cell) for line in region.split("\n")}
                open_lines |= {line.strip() for line in REGION.sub("", cell).split("\n")}
        for model in re.findall(r'^\+\+\+ \{"acme": \{"words".*?\n(.*?)^\+\+\+', text, re.DOTALL | re.MULTILINE):
            secret |= {line.strip() for line in model.split("\n")}
    for path in sorted(ROOT.glob("exercises/*/*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        open_lines |= {line.strip() for cell in cells for line in cell.source.split("\n")}
    return {line for line in secret if line} - open_lines


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings_of(item)
    elif isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            yield "".join(value)
        for item in value:
            yield from strings_of(item)


def test_no_answer_and_no_hidden_line_is_in_any_file(unpacked):
    """Every line, in every file: also inside the JSON of notebooks, in outputs, in compiled Python."""
    lines = answers()
    assert len(lines) > 150
    found = {}
    for path in sorted(unpacked.rglob("*")):
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            if path.suffix == ".ipynb":
                text = "\n".join([text, *strings_of(json.loads(text))])
            standing = {line.strip() for line in text.split("\n")}
            for line in lines:
                if line in text if len(line) >= 20 else line in standing:
                    found.setdefault(line, set()).add(path.relative_to(unpacked).parts[0])
    # No chapter teaches a line of an answer; these are what any program may hold.
    for line, places in found.items():
        assert len(line) < 14, line
        assert "exercises" not in places or line in "{}[]()", line


def test_what_is_secret_is_what_the_texts_say():
    """What the search for leaks looks for holds every line of an answer, a misconception and a hidden case."""
    secrets = {secret.text for secret in find_secrets(ROOT)}
    assert answers() <= secrets


def test_what_is_in_it(release, unpacked):
    files = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert files == set(release.files)
    assert {name.split("/")[0] for name in files} == {"README.md", *FILES, *FOLDERS}
    assert f"exercises/{NAME}.ipynb" in files
    assert "course/01_chemical_master_equation.ipynb" in files
    assert "course/projects/project_template.ipynb" in files
    assert not [name for name in files if name.startswith("course/") and name.endswith(".md")]
    assert "acme_lib/plot/acme.mplstyle" in files
    assert not [name for name in files if name.endswith(".pyc") or "/." in name or "__pycache__" in name]
    rooms = {name.split("/")[1] for name in files if name.startswith("acme_lib/")}
    assert rooms & {"grade", "report", "build", "teach"} == {"teach"}
    for name in files - {"README.md"}:
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()
    assert (unpacked / "README.md").read_bytes() == (ROOT / README).read_bytes()
    assert release.secrets > 200


LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|(?:href|src)=[\"']([^\"']+)")


def links_of(path):
    """The links of a text, or of the text cells of a notebook, to other files."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    for link in LINK.findall(text):
        address = next(filter(None, link)).partition("#")[0]
        if address and not re.match(r"[a-z]+:", address):
            yield address


def test_a_learner_finds_what_the_archive_links_to(unpacked):
    """Ours is a short page for learners, and no link of it, of a chapter or of an exercise leads nowhere."""
    text = (unpacked / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 18 and "pytest" not in text and "solutions" not in text
    pages = [unpacked / "README.md", *unpacked.glob("course/**/*.ipynb"), *unpacked.glob("exercises/*/*.ipynb")]
    links = [(page, link) for page in pages for link in links_of(page)]
    assert len(links) > 3
    dead = [f"{page.name}: {link}" for page, link in links if not (page.parent / unquote(link)).exists()]
    assert dead == []


def test_the_commands_of_the_learners_copy_are_theirs(unpacked):
    code = f"import sys; sys.path.insert(0, {str(unpacked)!r}); from acme_lib.cli import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-B", "-I", "-c", code], cwd=unpacked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^    (\w+) ", done.stdout, re.MULTILINE) == ["lab", "check", "present", "receipt"]


def test_the_unpacked_archive_works(unpacked):
    """Where it is unpacked the library is imported from there, and an exercise's check says what is to be done."""
    code = f"""
import sys; sys.path.insert(0, {str(unpacked)!r})
import json, pathlib, acme_lib, acme_lib.cli
assert pathlib.Path(acme_lib.__file__).is_relative_to({str(unpacked)!r})
notebook = json.loads(pathlib.Path("exercises/{NAME}.ipynb").read_text("utf-8"))
cells = [cell for cell in notebook["cells"] if "nbgrader" in cell["metadata"]]
cells = {{cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"]) for cell in cells}}
space = {{}}
for name in ("imports", "mean_waiting_time"):
    exec(cells[name], space)
try:
    exec(cells["mean_waiting_time_check"], space)
except AssertionError as failure:
    print(failure)
space["mean_waiting_time"] = lambda a: 1 / a.sum() if a.sum() else float("inf")
exec(cells["mean_waiting_time_check"], space)
assert acme_lib.cli.find_root() == pathlib.Path.cwd()
"""
    command = [sys.executable, "-B", "-I", "-c", code]
    result = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "not written yet" in result.stdout


def test_the_bytes_depend_on_nothing_but_the_content(release):
    members = collect_members(ROOT)
    backwards = {f"acme/{name}": members[name] for name in reversed(members)}
    assert zip_bytes(backwards) == release.path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(zip_bytes(backwards))) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == sorted(archive.namelist())


@pytest.mark.parametrize(
    "plant",
    [
        lambda line: {"course/01.md": line.encode()},
        lambda line: {"acme_lib/laws/x.py": f"x = 1\n    {line}  # copied\n".encode()},
        lambda line: {"README.md": b"\xff\xfe" + line.encode()},
        lambda line: {
            "course/01.ipynb": json.dumps({"cells": [{"outputs": [{"text": ["a\n", line + "\n"]}]}]}).encode()
        },
        lambda line: {"course/01.ipynb": json.dumps({"metadata": {"x": {line: 1}}}).encode()},
        lambda line: {"course/01.ipynb": json.dumps({"source": f'"{line}"\t"\\"'}, ensure_ascii=True).encode()},
        lambda line: {f"exercises/{NAME}.ipynb": json.dumps({"attachments": {"a.txt": {"text/plain": line}}}).encode()},
        lambda line: {"acme_lib/x.pyc": marshal.dumps(compile("pass", "x", "exec"))},
        lambda line: {"acme_lib/__pycache__/x.nbc": b"machine code"},
    ],
)
def test_a_planted_secret_is_found(plant):
    line = '"pairs-squared": pairs * a**2, # "ünlike" any other'
    secrets = [Secret(line, NAME, "propensities_pairs")]
    assert find_leaks({"course/02.md": b"nothing", "course/02.ipynb": b'{"cells": []}'}, secrets) == []
    assert len(find_leaks(plant(line), secrets)) == 1


def test_in_an_exercise_short_lines_and_markers_count_too():
    secrets = [Secret("return p", NAME, "law")]
    exercise = {"exercises/a/b.ipynb": json.dumps({"cells": [{"source": ["def f(p):\n", "    return p\n"]}]}).encode()}
    assert len("return p") < TELLING
    assert [leak.text for leak in find_leaks(exercise, secrets)] == ["return p"]
    assert find_leaks({"course/01.md": b"return p"}, secrets) == []
    marked = {"exercises/a/b.ipynb": json.dumps({"cells": [{"source": "### BEGIN HIDDEN TESTS"}]}).encode()}
    assert [leak.text for leak in find_leaks(marked, secrets)] == ["BEGIN HIDDEN"]


def test_what_is_taught_may_stand_in_a_chapter_only():
    secrets = [Secret("A[n - 1, n] += gamma * n", NAME, "generator")]
    for folder, leaks in {"course": 0, "acme_lib": 1, "exercises": 1}.items():
        members = {f"{folder}/a.md": b"    A[n - 1, n] += gamma * n   # death"}
        assert len(find_leaks(members, secrets, taught={secrets[0].text})) == leaks
        assert len(find_leaks(members, secrets)) == 1


def test_a_stale_exercise_is_refused(tmp_path, monkeypatch, capsys):
    course = copy_course(tmp_path, NAME.split("/")[0])
    exercise = course / f"exercises/{NAME}.ipynb"
    exercise.write_text(exercise.read_text("utf-8").replace("You will write", "You will guess"), encoding="utf-8")
    monkeypatch.chdir(course)
    assert main(["release", "--output", "out.zip"]) == 1
    assert f"exercises/{NAME}.ipynb" in capsys.readouterr().err
    assert not (course / "out.zip").exists()


@pytest.mark.thorough
def test_a_stray_answer_is_refused(tmp_path, monkeypatch, release):
    """An answer that an instructor left in a chapter, an exercise without a solution, and a link out of the course."""
    built = {path.relative_to(ROOT).as_posix(): True for path in ROOT.glob("exercises/*/*.ipynb")}
    monkeypatch.setattr("acme_lib.build.release.compare_assignments", lambda root: built)
    course = copy_course(tmp_path)
    assert make_release(course, tmp_path / "one.zip").path.read_bytes() == release.path.read_bytes()
    (course / "course/notes.txt").write_text("    return np.array([k, gamma * a, c * a * (a - 1) / 2, d * a * b])\n")
    with pytest.raises(ReleaseError, match=r"1 lines that are secret:\n  course/notes.txt.*from propensities"):
        make_release(course, tmp_path / "two.zip")
    (course / "course/notes.txt").unlink()
    shutil.copy(course / f"solutions/{NAME}.ipynb", course / "exercises/answers.ipynb")
    with pytest.raises(ReleaseError, match=r"no solution releases exercises/answers.ipynb"):
        make_release(course, tmp_path / "two.zip")
    (course / "exercises/answers.ipynb").unlink()
    (course / "course/link.txt").symlink_to(course / f"solutions/{NAME}.md")
    with pytest.raises(ReleaseError, match="symbolic link"):
        make_release(course, tmp_path / "two.zip")
    assert not (tmp_path / "two.zip").exists()


def test_an_answer_without_markers_is_refused(tmp_path):
    course = copy_course(tmp_path)
    for folder in ("solutions", "exercises"):
        path = course / folder / f"{NAME}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        cell = next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "ssa_step")
        cell.source = "def ssa_step(propensities, u1, u2):\n    return 0.1, 0"
        nbformat.write(notebook, path)
    with pytest.raises(ReleaseError, match="'ssa_step' is released with its answer"):
        find_secrets(course)


def test_a_course_without_solutions_is_refused(tmp_path):
    with pytest.raises(ReleaseError, match="nothing to release"):
        make_release(tmp_path, tmp_path / "out.zip")


def test_safe_names():
    names = ["ada", "Ada", "../../etc/passwd", "a/b", "a:b", "CON", "", "  ", "ünal", "a" * 300, "=1+1", "a\nb", "-x"]
    safe = safe_names(names)
    assert safe["ünal"] == "ünal"
    assert len({name.casefold() for name in safe.values()}) == len(names)
    for name in safe.values():
        assert re.fullmatch(r"[\w.-]{1,70}", name)
        assert "_" not in name
        assert name.strip(".-") == name
        assert not re.match(r"(?i)con(\.|$)", name)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a\\b"])
def test_an_archive_holds_no_path_that_leads_out(name):
    with pytest.raises(ValueError, match="no name of a file"):
        zip_bytes({name: b""})

"""`acme build` makes a notebook that is executed, lasting and the same on every run; `acme check` and `acme lab`."""

import re
import shutil
import sys

import nbformat
import pytest

from acme_lib import cli
from acme_lib.build.chapters import read_source

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

"""
CHAPTER = (
    HEADER
    + """# A chapter

```{code-cell} ipython3
:slideshow: {slide_type: slide}

import ipywidgets
print(6 * 7)
```

```{code-cell} ipython3
ipywidgets.IntSlider(description="n")
```

The same text twice.

+++

The same text twice.
"""
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A tiny chapter, built twice in the same place."""
    folder = tmp_path_factory.mktemp("course")
    source = folder / "01_tiny.md"
    source.write_text(CHAPTER, encoding="utf-8")
    files = []
    for _ in range(2):
        assert cli.main(["build", str(source)]) == 0
        files.append(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    return source, files


@pytest.fixture
def chapter(built, tmp_path):
    """A copy of the built chapter that a test may spoil."""
    source = tmp_path / "01_tiny.md"
    source.write_text(CHAPTER, encoding="utf-8")
    source.with_suffix(".ipynb").write_text(built[1][0], encoding="utf-8")
    return source


def test_notebook_is_executed_and_valid(built):
    notebook = nbformat.reads(built[1][0], as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2]
    assert code[0].outputs[0].text == "42\n"
    assert code[0].metadata == {"slideshow": {"slide_type": "slide"}}


def test_build_is_reproducible(built):
    first, second = built[1]
    assert first == second


def test_no_widget_is_stored_without_its_kernel(built):
    notebook = nbformat.reads(built[1][0], as_version=4)
    (output,) = notebook.cells[2].outputs
    assert set(output.data) == {"text/plain"}
    assert "description='n'" in output.data["text/plain"]


def test_a_result_is_folded_and_its_first_line_says_nothing(tmp_path):
    source = tmp_path / "03_result.md"
    source.write_text(HEADER + "\n```{code-cell} ipython3\n:tags: [result]\n\nprint(6 * 7)\n```\n", encoding="utf-8")
    assert cli.main(["build", str(source)]) == 0
    (cell,) = nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells
    assert cell.metadata.jupyter.outputs_hidden
    assert cell.outputs[0].text == "(stored result)\n42\n"
    assert cli.main(["build", "--check", str(source)]) == 0


def test_nothing_volatile_is_stored(built):
    notebook = nbformat.reads(built[1][0], as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec == {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    }
    assert notebook.metadata.language_info.version == "3", "the reader's own is put in when it is opened"
    assert not any("execution" in cell.metadata for cell in notebook.cells)


def test_cell_ids_follow_from_the_cells(tmp_path, built):
    ids = [cell.id for cell in nbformat.reads(built[1][0], as_version=4).cells]
    assert len(set(ids)) == len(ids), "two equal cells have different ids"
    longer = tmp_path / "02_longer.md"
    longer.write_text(CHAPTER.replace("# A chapter", "# A chapter\n\n+++\n\nOne cell more."), encoding="utf-8")
    assert set(ids) <= {cell.id for cell in read_source(longer).cells}, "a new cell leaves the others' ids alone"


def test_check_agrees_with_what_was_built(chapter, capsys):
    assert cli.main(["build", "--check", str(chapter)]) == 0
    assert "in step" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text, book: (text.replace("6 * 7", "6 * 8"), book), "cell 2 .* differs"),
        (lambda text, book: (text.replace("slide_type: slide", "slide_type: skip"), book), "cell 2 .* differs"),
        (lambda text, book: (text + "\n+++\n\nmore\n", book), "5 cells, its text has 6"),
        (lambda text, book: (text, book.replace('"execution_count": 2', '"execution_count": 7')), "not executed"),
        (lambda text, book: (text, None), "missing"),
    ],
    ids=["source", "metadata", "cells", "order", "missing"],
)
def test_check_sees_what_is_out_of_step(chapter, capsys, spoil, message):
    path = chapter.with_suffix(".ipynb")
    text, book = spoil(CHAPTER, path.read_text(encoding="utf-8"))
    chapter.write_text(text, encoding="utf-8")
    path.unlink() if book is None else path.write_text(book, encoding="utf-8")
    assert cli.main(["build", "--check", str(chapter)]) == 1
    errors = capsys.readouterr().err
    assert re.search(message, errors)
    assert "acme build" in errors


def test_check_sees_an_error_among_the_outputs(chapter, capsys):
    path = chapter.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    next(cell for cell in notebook.cells if cell.cell_type == "code").outputs.append(error)
    nbformat.write(notebook, path)
    assert cli.main(["build", "--check", str(chapter)]) == 1
    assert "ValueError" in capsys.readouterr().err


def test_failing_cell_leaves_the_old_notebook(chapter, capsys):
    path = chapter.with_suffix(".ipynb")
    before = path.read_bytes()
    chapter.write_text(CHAPTER.replace("6 * 7", "1 / 0"), encoding="utf-8")
    assert cli.main(["build", str(chapter)]) == 1
    errors = capsys.readouterr().err
    assert "ZeroDivisionError" in errors
    assert "\x1b[" not in errors, "the report is read in files too: no colours"
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["missing.md", "01_tiny.ipynb"])
def test_what_is_no_source_is_refused(chapter, name):
    with pytest.raises(SystemExit, match=r"expected an existing file NN_name\.md"):
        cli.main(["build", str(chapter.parent / name)])


def test_course_is_found_from_below_and_from_elsewhere(tmp_path, monkeypatch, root):
    (tmp_path / "course" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "course" / "deep")
    assert cli.find_root() == tmp_path
    monkeypatch.chdir(tmp_path.parent)
    assert cli.find_root() == root


@pytest.mark.parametrize("command", ["audit", "late", "export", "feedback", "statistics", "copying"])
def test_each_command_takes_the_same_course_and_says_which(tmp_path, monkeypatch, capsys, command):
    """A folder with a configuration and no chapters is a course for every command, not for some of them."""
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    try:
        assert cli.main([command, *(["moodle"] if command == "export" else []), "ps1"]) == 1
    except SystemExit as error:  # no record of anybody, no gradebook
        print(error, file=sys.stderr)
    said = capsys.readouterr().err
    assert f"acme {command}: the course in {tmp_path}\n" in said
    assert said.count(str(tmp_path)) == 2, "and works there"


def test_an_exercise_is_not_built_as_a_chapter(tmp_path, monkeypatch):
    source = tmp_path / "solutions" / "ps1" / "01_x.md"
    source.parent.mkdir(parents=True)
    source.write_text(CHAPTER, encoding="utf-8")
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    monkeypatch.chdir(source.parent)
    with pytest.raises(SystemExit, match="belongs to an exercise"):
        cli.main(["build", "01_x.md"])
    assert not source.with_suffix(".ipynb").exists()


@pytest.mark.parametrize(("sound", "status"), [(True, 0), (False, 1)])
def test_check_tells_the_shell(monkeypatch, capsys, sound, status):
    import acme_lib.teach
    from acme_lib.teach.selfcheck import Finding, Report

    report = Report((Finding("disk", sound, "words", "mend it"),))
    monkeypatch.setattr(acme_lib.teach, "check_installation", lambda: report)
    assert cli.main(["check"]) == status
    assert ("mend it" in capsys.readouterr().out) is not sound


@pytest.mark.parametrize(
    ("arguments", "passed"), [([], ["course/00_welcome.ipynb"]), (["--no-browser", "x"], ["--no-browser", "x"])]
)
def test_lab_opens_the_welcome_page(monkeypatch, root, arguments, passed):
    calls = []
    monkeypatch.setattr(cli.subprocess, "call", lambda command, cwd: calls.append((command[1:], cwd)) or 3)
    monkeypatch.chdir(root)
    assert cli.main(["lab", *arguments]) == 3
    assert calls == [(["-m", "jupyterlab", *passed], root)]


def test_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["check", "--fast"])
    assert "check does not know --fast" in capsys.readouterr().err


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit):
        cli.main([])
    assert "command" in capsys.readouterr().err


@pytest.mark.nbgrader
@pytest.mark.thorough
def test_build_releases_exercises_and_check_sees_an_edit(tmp_path, monkeypatch, root, capsys):
    for name in ("solutions", "nbgrader_config.py"):
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, tmp_path / name)
    (tmp_path / "course").mkdir()
    projects = tmp_path / "course" / "projects"
    projects.mkdir()
    for source in (tmp_path / "course" / "01_small.md", projects / "project_small.md"):
        source.write_text(CHAPTER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["build"]) == 0
    released = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("exercises/*/*.ipynb"))
    assert released == sorted(path.relative_to(root) for path in root.glob("exercises/*/*.ipynb")) != []
    assert cli.main(["build", "--check"]) == 0
    said = capsys.readouterr().out
    assert "01_small.ipynb: in step" in said and "project_small.ipynb: in step" in said
    stale = tmp_path / released[0]
    stale.write_text(stale.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    capsys.readouterr()
    assert cli.main(["build", "--check"]) == 1
    assert "differs from its text: run `acme build`" in capsys.readouterr().err
    assert stale.read_text(encoding="utf-8").endswith("\n\n")  # looked at, not changed

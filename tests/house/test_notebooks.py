"""Each notebook is stored as it runs: in step with its text source, executed from top to bottom, small, and with every
figure described in words. What is said of chapters alone (predictions, slides) does not concern the projects, and what
is said of projects not the chapters; the folder tells them apart."""

import ast
import json
import re
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

import jupytext
import nbformat
import pytest

from acme_lib.build.chapters import PROJECTS, find_texts, language_info, read_source
from tests.marks import always

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "course").glob("*.ipynb"))
PROJECT_NOTEBOOKS = sorted((ROOT / PROJECTS).glob("*.ipynb"))
NOTEBOOKS = [*CHAPTERS, *PROJECT_NOTEBOOKS]
LARGEST_FILE = 1_000_000
LONGEST_CELL = 25
LONGEST_FOLDED_SLIDERS = 40  # a slider figure is folded away and runs alone: it holds its imports and its words

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.name)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def outline(notebook):
    """What a notebook and its text source must share: the kind, the metadata and the source of each cell."""
    return [
        (cell.cell_type, dict(cell.metadata), cell.source.strip()) for cell in notebook.cells if cell.source.strip()
    ]


class Images(HTMLParser):
    """Collects the images of an HTML text that say nothing to a reader who cannot see them."""

    def __init__(self):
        super().__init__()
        self.silent = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        words = attributes.get("alt") if tag == "img" else attributes.get("aria-label")
        if tag in ("img", "svg") and not (words or "").strip():
            self.silent.append(self.get_starttag_text()[:80])


def silent_images(html):
    parser = Images()
    parser.feed(html)
    parser.close()
    return parser.silent


def undescribed_figures(notebook):
    """Figures without alt text: bare image outputs, HTML images, and the images of the text."""
    found = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            found += [f"cell {number}: {image}" for image in re.findall(r"!\[\s*\]\([^)]*\)", cell.source)]
            found += [f"cell {number}: {image}" for image in silent_images(cell.source)]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            html = data.get("text/html", "")
            found += [f"cell {number}: {image}" for image in silent_images(html)]
            if "<img" not in html and "<svg" not in html:
                found += [f"cell {number}: bare {kind}" for kind in data if kind.startswith("image/")]
    return found


def test_there_is_a_course():
    assert (ROOT / "course" / "00_welcome.ipynb") in CHAPTERS
    assert (ROOT / PROJECTS / "project_template.ipynb") in PROJECT_NOTEBOOKS


def test_each_text_source_has_its_notebook():
    """No other notebook lies in the course, and none without a text that `acme build` finds."""
    everywhere = (ROOT / "course").rglob("*.ipynb")
    assert {path for path in everywhere if ".ipynb_checkpoints" not in path.parts} == set(NOTEBOOKS)
    assert {path.with_suffix(".ipynb") for path in find_texts(ROOT)} == set(NOTEBOOKS)


@each_notebook
def test_text_source_has_the_same_cells(path):
    source = path.with_suffix(".md")
    assert source.is_file(), f"{source.name} is missing: it is the text from which {path.name} is built"
    assert jupytext.read(source).metadata["jupytext"]["text_representation"]["format_name"] == "myst"
    assert outline(read_source(source)) == outline(read(path)), (
        f"{path.name} is not in step with {source.name}: run `acme build`"
    )


@each_notebook
def test_notebook_is_valid(path):
    nbformat.validate(read(path))


@each_notebook
def test_executed_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code_cells(read(path))]
    assert counts == list(range(1, len(counts) + 1)), f"{path.name} is not executed in order: run `acme build`"


@each_notebook
def test_no_error_and_no_warning_in_the_outputs(path):
    outputs = [output for cell in code_cells(read(path)) for output in cell.outputs]
    assert [output.ename for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


@each_notebook
def test_file_is_small(path):
    assert path.stat().st_size < LARGEST_FILE


@each_notebook
def test_no_code_cell_is_long(path):
    for cell in code_cells(read(path)):
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        longest = LONGEST_FOLDED_SLIDERS if folded and "explore" in calls(cell.source) else LONGEST_CELL
        assert len(cell.source.strip().splitlines()) <= longest, f"{cell.source}: belongs in the library"


@each_notebook
def test_every_figure_is_described(path):
    assert undescribed_figures(read(path)) == []


@pytest.mark.parametrize(
    "cell",
    [
        nbformat.v4.new_markdown_cell("![](images/a.png)"),
        nbformat.v4.new_markdown_cell('<img src="images/a.png">'),
        nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("display_data", {"image/png": "AAAA"})]),
        nbformat.v4.new_code_cell(
            "1", outputs=[nbformat.v4.new_output("display_data", {"text/html": '<img alt=" ">'})]
        ),
        nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("display_data", {"text/html": "<svg></svg>"})]),
    ],
    ids=["markdown", "markdown-html", "bare-png", "blank-alt", "svg"],
)
def test_a_silent_figure_is_seen(cell):
    assert len(undescribed_figures(nbformat.v4.new_notebook(cells=[cell]))) == 1


# Stored as JupyterLab writes it


@each_notebook
def test_stored_as_jupyterlab_writes_it(path):
    """Opening and closing it then changes nothing, and autosave has nothing to write."""
    text = path.read_text("utf-8")
    assert text == nbformat.writes(read(path)) + "\n"
    metadata = json.loads(text)["metadata"]
    assert set(metadata) == {"kernelspec", "language_info"}
    assert set(metadata["language_info"]) == set(language_info())
    whole = []  # the browser knows one kind of number and writes 200.0 as 200
    json.loads(text, parse_float=lambda number: whole.append(number) if float(number).is_integer() else None)
    assert whole == []


@each_notebook
def test_no_widget_is_stored(path):
    kinds = {kind for cell in code_cells(read(path)) for output in cell.outputs for kind in output.get("data", {})}
    assert "application/vnd.jupyter.widget-view+json" not in kinds


# Predictions, and cells that a reader runs alone


def calls(source):
    """Names of the functions that a cell calls, without the names before a dot."""
    functions = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "") for function in functions
    }


def is_result(cell):
    return "result" in cell.metadata.get("tags", [])


@each_notebook
def test_no_code_says_which_prediction_is_right(path):
    for cell in code_cells(read(path)):
        assert not {"Prediction"} & calls(cell.source)
        assert "answer=" not in cell.source


@each_chapter
def test_what_answers_a_prediction_is_folded(path):
    cells = read(path).cells
    asked = [i for i, cell in enumerate(cells) if cell.cell_type == "code" and "predict" in calls(cell.source)]
    # A concept question is asked before and after the chapter, which answers it as a whole.
    asked = [i for i in asked if "concept" not in cells[i].metadata.get("tags", [])]
    for start, end in zip(asked, [*asked[1:], len(cells)], strict=True):
        sections = [
            i for i in range(start, end) if cells[i].cell_type == "markdown" and "\n## " in f"\n{cells[i].source}"
        ]
        follow = cells[start + 1 : min([end, *sections])]
        assert any(map(is_result, follow)), f"{cells[start].source}: tag the cell that answers it with `result`"
    for cell in cells:
        assert cell.metadata.get("jupyter", {}).get("outputs_hidden", False) == is_result(cell)


def told_to_run(notebook):
    """The cells that run alone: those that a text points to, and those that give back their sliders or their choice."""
    cells = notebook.cells
    for before, cell in zip([None, *cells], cells, strict=False):
        if cell.cell_type != "code":
            continue
        text = before.source if before is not None and before.cell_type == "markdown" else ""
        if re.search(r"\b(next|following) cell\b", text.lower()) or {"predict", "explore", "my_predictions"} & calls(
            cell.source
        ):
            yield cell


@pytest.mark.parametrize("path", always(2, CHAPTERS), ids=lambda path: path.name)
def test_a_cell_that_a_reader_is_told_to_run_runs_alone(path, monkeypatch, tmp_path):
    import IPython.display

    class Handle:
        display_id = "1"

    shown = []
    monkeypatch.setenv("ACME_RECORD", str(tmp_path / "record.json"))
    monkeypatch.setattr(IPython.display, "display", lambda *what, **options: shown.append(what) or Handle())
    cells = list(told_to_run(read(path)))
    assert cells
    for cell in cells:
        *statements, last = ast.parse(cell.source).body
        names = {}
        exec(compile(ast.Module(statements, []), path.name, "exec"), names)
        value = eval(compile(ast.Expression(last.value), path.name, "eval"), names)
        getattr(value, "_ipython_display_", value.__repr__)()
    assert len(shown) == 2 * sum(bool({"predict", "explore"} & calls(cell.source)) for cell in cells)


def test_the_first_instruction_of_the_course_is_run_alone():
    (welcome,) = [path for path in CHAPTERS if path.name == "00_welcome.ipynb"]
    assert any("check_installation()" in cell.source for cell in told_to_run(read(welcome)))


# The lecture version


def slides(notebook):
    """The cells of each slide that a class sees, each with its kind: slide, subslide, fragment or none."""
    shown = []
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "")
        if kind in ("slide", "subslide"):
            shown.append([])
        if kind not in ("skip", "notes"):
            shown[-1].append((kind, cell))
    return [slide for slide in shown if slide]


@each_chapter
def test_each_slide_says_what_it_is_about(path):
    """A slide begins with a text, a question or a figure, not with code."""
    for slide in slides(read(path)):
        _, first = slide[0]
        assert first.cell_type == "markdown" or "hide-input" in first.metadata.get("tags", []), (
            f"a slide that begins with code: {first.source}"
        )


@each_chapter
def test_a_class_sees_the_question_before_the_answer(path):
    for slide in slides(read(path)):
        for kind, cell in slide[1:]:
            assert kind == "fragment" or not is_result(cell), f"shown at once with what asks for it: {cell.source}"


def test_slides_leave_out_what_is_folded(tmp_path):
    """By the configuration that the build copies into the environment, in which `jupyter nbconvert` finds it."""
    (chapter,) = [path for path in CHAPTERS if path.name.startswith("02_")]
    command = [sys.executable, "-m", "nbconvert", "--to", "slides", "--output-dir", str(tmp_path), str(chapter)]
    subprocess.run(command, check=True, capture_output=True)
    (page,) = tmp_path.glob("*.slides.html")
    html = page.read_text("utf-8")
    assert "fano_with_error" in html
    assert "explore" not in html and "acme_lib.teach" not in html


# Projects: a template, and examples that follow it


def headings(path):
    """The headings of the second level, without what an example adds after a colon."""
    text = "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    return [heading.partition(":")[0] for heading in re.findall(r"^## (.+)$", text, flags=re.MULTILINE)]


def examples():
    return [path for path in PROJECT_NOTEBOOKS if path.stem not in ("project_template", "project_assessment")]


def test_there_are_three_examples():
    assert len(examples()) == 3


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.name)
def test_an_example_follows_the_template(path):
    assert headings(path) == headings(ROOT / PROJECTS / "project_template.ipynb")


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.name)
def test_an_example_is_short(path):
    notebook = read(path)
    text = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert 600 <= len(text.split()) <= 1200  # formulas and tables included
    assert 8 <= len(code_cells(notebook)) <= 14
    assert 2 <= sum("show" in calls(cell.source) for cell in code_cells(notebook)) <= 3


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.name)
def test_an_example_predicts_before_it_computes(path):
    """Its first code that calls the library stands after the prediction."""
    cells = read(path).cells
    predicted = next(i for i, cell in enumerate(cells) if "## 2 Prediction" in cell.source)
    computes = [i for i, cell in enumerate(cells) if cell.cell_type == "code" and re.search(r"\bacme\.", cell.source)]
    assert predicted < min(computes)


# Links


def anchors(notebook):
    """The places in a notebook that a link can name, as JupyterLab makes them of its headings."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return {heading.strip().replace(" ", "-") for heading in re.findall(r"^#+ +(.+)$", text, flags=re.MULTILINE)}


def links(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from re.findall(r"\]\(((?:[^()\s]|\([^()\s]*\))+)\)", cell.source)
            yield from re.findall(r'(?:href|src)="([^"]+)"', cell.source)


def leads_nowhere(link, path):
    """What is wrong with a link, or None."""
    address, _, place = link.partition("#")
    if re.match(r"https?://", link):
        return None if re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", link) else "no address"
    target = (path.parent / urllib.parse.unquote(address)).resolve() if address else path
    if not target.is_file():
        return "no such file (a folder cannot be opened in JupyterLab)"
    if not target.is_relative_to(ROOT):
        return "outside of the course"
    if place and urllib.parse.unquote(place) not in anchors(read(target)):
        return "no such heading"
    return None


LINKED = [*NOTEBOOKS, *sorted((ROOT / "exercises").glob("*/*.ipynb"))]


@pytest.mark.parametrize("path", LINKED, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    wrong = {link: leads_nowhere(link, path) for link in links(read(path))}
    assert {link: reason for link, reason in wrong.items() if reason} == {}


@pytest.mark.parametrize(
    "link",
    ["../exercises/", "02_missing.ipynb", "#5-Gillespie's-algorithm,-from-scratch", "../../secret.md", "https://a"],
)
def test_a_link_that_leads_nowhere_is_seen(link):
    assert leads_nowhere(link, ROOT / "course" / "01_chemical_master_equation.ipynb")


def test_links_are_found():
    (chapter,) = [path for path in CHAPTERS if path.name.startswith("01_")]
    found = set(links(read(chapter)))
    assert {"00_welcome.ipynb", "#3-What-is-assumed"} <= found
    assert "https://doi.org/10.1016/0378-4371(92)90283-V" in found

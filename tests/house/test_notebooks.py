"""Each chapter is stored as it runs: in step with its text source, executed from top to bottom, small, and with every
figure described in words."""

import re
from html.parser import HTMLParser
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "course").glob("*.ipynb"))
LARGEST_FILE = 1_000_000
LONGEST_CELL = 25

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def outline(notebook):
    """What a notebook and its text source must share: the kind, the tags and the source of each cell."""
    return [
        (cell.cell_type, tuple(cell.metadata.get("tags", ())), cell.source.strip())
        for cell in notebook.cells
        if cell.source.strip()
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
    assert (ROOT / "course" / "00_welcome.ipynb") in NOTEBOOKS


def test_each_text_source_has_its_notebook():
    sources = {path.stem for path in (ROOT / "course").glob("[0-9][0-9]_*.md")}
    assert sources == {path.stem for path in NOTEBOOKS}


@each_notebook
def test_text_source_has_the_same_cells(path):
    source = path.with_suffix(".md")
    assert source.is_file(), f"{source.name} is missing: it is the text from which {path.name} is built"
    text = jupytext.read(source)
    assert text.metadata["jupytext"]["text_representation"]["format_name"] == "myst"
    assert outline(text) == outline(read(path)), f"{path.name} is not in step with {source.name}: run `acme build`"


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
    long = [cell.source for cell in code_cells(read(path)) if len(cell.source.strip().splitlines()) > LONGEST_CELL]
    assert long == [], f"a cell above {LONGEST_CELL} lines belongs in the library"


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

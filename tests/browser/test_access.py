"""What a learner meets in JupyterLab is open to screen readers and keyboards: axe-core finds no serious fault."""

from importlib.resources import files

import pytest

from tests.browser.test_chapters import CHAPTERS
from tests.browser.test_course import cells_that_call

pytestmark = pytest.mark.browser

# JupyterLab's own parts are not ours: the text of a chapter and what its cells put out are.
OURS = [".jp-Notebook .jp-RenderedMarkdown", ".jp-Notebook .jp-OutputArea-output"]
# Landmarks of the page, and outputs that scroll (reached by JupyterLab's own keys), are its matter too.
AXE = """async places => {
    const off = {enabled: false}, rules = {'region': off, 'scrollable-region-focusable': off};
    const found = await axe.run({include: places.map(place => [place])}, {resultTypes: ['violations'], rules});
    return found.violations
        .filter(v => ['serious', 'critical'].includes(v.impact))
        .flatMap(v => v.nodes.map(node => `${v.id}: ${node.html.slice(0, 200)}`));
}"""


def find_faults(page, places):
    """Return the serious and critical faults that axe-core finds in places of a page."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    there = [place for place in places if page.locator(place).count()]
    return page.evaluate(AXE, there)


def hold_names(cell):
    """Each slider says its label, and what stands beside it when it moves."""
    handles = cell.locator(".noUi-handle")
    handles.first.wait_for(timeout=60_000)
    labels = cell.locator(".widget-slider .widget-label").all_inner_texts()
    for handle, label in zip(handles.all(), labels, strict=True):
        assert handle.get_attribute("aria-label") == label != ""
    handles.first.press("ArrowRight")
    assert handles.first.get_attribute("aria-valuetext") == cell.locator(".widget-readout").first.inner_text()


OTHERS = [pytest.param(path, marks=pytest.mark.slow) for path in CHAPTERS[1:]]


@pytest.mark.parametrize("path", [CHAPTERS[0], *OTHERS], ids=[path.rpartition("/")[2][:2] for path in CHAPTERS])
def test_a_chapter_is_open_to_everyone(page, path):
    page.open(path)
    page.run_all()
    hold_names(page.scroll_to_cell(cells_that_call(page.notebook(), "explore")[1]))
    faults = set()
    for index in range(len(page.notebook()["cells"])):  # JupyterLab holds only the cells near the view in the page
        page.scroll_to_cell(index)
        if index % 4 == 0:
            faults |= set(find_faults(page.page, OURS))
    assert faults == set()

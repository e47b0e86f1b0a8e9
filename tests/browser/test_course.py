"""The course in a real browser, as a learner meets it."""

import re

import pytest

pytestmark = pytest.mark.browser

CHAPTER = "lab/tree/course/01_chemical_master_equation.ipynb"


def errors_of(notebook):
    return [
        output["evalue"]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
        if output["output_type"] == "error"
    ]


def test_the_lab_opens_on_the_welcome_page(page):
    page.open()
    assert "/lab/tree/course/00_welcome.ipynb" in page.page.url
    page.page.get_by_role("heading", name=re.compile("acme", re.IGNORECASE)).first.wait_for(timeout=20_000)
    page.run_all()
    assert errors_of(page.notebook()) == []
    assert page.console_errors == []


def test_chapter_1_runs_and_its_slider_moves_the_picture(page):
    page.open(CHAPTER)
    page.run_all()
    notebook = page.notebook()
    assert errors_of(notebook) == []
    sliders = [i for i, cell in enumerate(notebook["cells"]) if "explore(" in "".join(cell["source"])]
    assert len(sliders) >= 2
    for index in sliders:
        cell = page.scroll_to_cell(index)
        picture = cell.locator("img.widget-image").first
        picture.wait_for(state="visible", timeout=20_000)
        picture.scroll_into_view_if_needed()
        before = picture.screenshot()
        handle = cell.locator(".noUi-handle").first
        handle.focus()
        for _ in range(5):
            handle.press("ArrowRight")
        page.page.wait_for_timeout(1_000)
        assert picture.screenshot() != before, f"cell {index}: the slider moved and the picture did not change"
    assert page.console_errors == []

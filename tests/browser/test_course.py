"""The course in a real browser, as a learner meets it."""

import re
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = "lab/tree/exercises/01_chemical_master_equation/chemical_master_equation.ipynb"
CHAPTER = "lab/tree/course/01_chemical_master_equation.ipynb"


def errors_of(notebook):
    return [
        "".join(cell["source"]) + "\n".join(output["traceback"])
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


def dialog_after_validate(page):
    """Press Validate and return what its dialog says."""
    page.page.get_by_role("button", name="Validate").click()
    dialog = page.page.locator(".jp-Dialog-content")
    dialog.wait_for(state="visible", timeout=120_000)
    text = dialog.inner_text()
    dialog.get_by_role("button").last.click()
    dialog.wait_for(state="detached", timeout=20_000)
    return text


def test_validate_tells_the_learner_before_and_after(page):
    page.open(EXERCISES)
    before = dialog_after_validate(page)
    assert "failed" in before.lower()
    assert "propensities" in before

    answers = solutions()
    for index, cell in enumerate(page.notebook()["cells"]):
        grade = cell["metadata"].get("nbgrader", {})
        if grade.get("solution"):
            in_view = page.scroll_to_cell(index)
            if cell["cell_type"] == "markdown":  # shown as text until it is opened
                in_view.locator(".jp-MarkdownOutput").dblclick()
            editor = in_view.locator(".cm-content").first
            editor.click()
            editor.press("ControlOrMeta+a")
            page.page.keyboard.insert_text(answers[grade["grade_id"]])
            editor.press("Escape")
    typed = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell["source"] for cell in page.notebook()["cells"]}
    assert all("".join(typed[name]) == source for name, source in answers.items())
    assert "passes all the tests" in dialog_after_validate(page)
    assert page.console_errors == []


def solutions():
    """The instructor's answers, code and words, by the name of their cell."""
    notebook = nbformat.read(ROOT / "solutions" / EXERCISES.removeprefix("lab/tree/exercises/"), as_version=4)
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }

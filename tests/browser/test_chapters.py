"""Every chapter runs from top to bottom in a real browser, and its sliders move their pictures."""

from pathlib import Path

import pytest

from tests.browser.test_course import cells_that_call, errors_of, move_slider
from tests.marks import always

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [f"lab/tree/course/{path.name}" for path in sorted((ROOT / "course").glob("[0-9]*_*.ipynb"))][1:]


PROJECTS = sorted((ROOT / "course" / "projects").glob("*.ipynb"), key=lambda path: "template" not in path.name)


@pytest.mark.parametrize("path", always(1, CHAPTERS), ids=lambda path: path.rpartition("/")[2][:2])
def test_a_chapter_runs_and_its_sliders_move_the_picture(page, path):
    page.open(path)
    page.run_all()
    notebook = page.notebook()
    assert errors_of(notebook) == []
    sliders = cells_that_call(notebook, "explore")
    assert len(sliders) >= 3
    for index in sliders:
        cell = page.scroll_to_cell(index)
        picture = cell.locator("img.widget-image").first
        picture.wait_for(state="visible", timeout=20_000)
        picture.scroll_into_view_if_needed()
        before = picture.screenshot()
        move_slider(page, cell)
        assert picture.screenshot() != before, f"cell {index}: the slider moved and the picture did not change"
    assert page.console_errors == []


@pytest.mark.parametrize("path", always(1, PROJECTS), ids=lambda path: path.name)
def test_a_project_runs_where_it_lies(page, path):
    page.open(f"lab/tree/course/projects/{path.name}")
    names = page.page.locator(".jp-DirListing-itemText").all_inner_texts()
    assert sorted(names) == sorted(path.name for path in PROJECTS)  # and no text source
    page.run_all()
    assert errors_of(page.notebook()) == []
    assert page.console_errors == []

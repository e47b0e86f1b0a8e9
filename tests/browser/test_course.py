"""The course in a real browser, as a learner meets it."""

import io
import re
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from PIL import Image

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


def cells_that_call(notebook, function):
    return [i for i, cell in enumerate(notebook["cells"]) if f"{function}(" in "".join(cell["source"])]


def move_slider(page, cell):
    handle = cell.locator(".noUi-handle").first
    handle.focus()
    at_its_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    for _ in range(5):
        handle.press("ArrowLeft" if at_its_end else "ArrowRight")
    page.page.wait_for_timeout(1_500)


def in_panel(page, script):
    """Run a script on the open notebook, `panel`."""
    return page.page.evaluate(f"async () => {{ const panel = window.jupyterapp.shell.currentWidget; {script} }}")


def run_cell(page, index):
    """Run one cell alone and return its locator."""
    in_panel(page, f"panel.content.activeCellIndex = {index};")
    page.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    return page.scroll_to_cell(index)


def save_and_end(page):
    """Save, stop the kernel and close, as at the end of a day."""
    in_panel(page, "await panel.context.save(); await panel.sessionContext.shutdown(); panel.close();")
    page.page.wait_for_timeout(500)


def see(cell):
    """What a reader sees of a slider figure or a prediction: the controls, the still's text, its picture's size."""
    still = cell.locator(".acme-still")
    return {
        "controls": cell.locator(".noUi-handle:visible, input[type=radio]:visible, button:visible").count(),
        "error": cell.get_by_text("Error displaying widget").locator("visible=true").count(),
        "still": still.inner_text() if still.count() and still.is_visible() else "",
        "pictures": cell.locator(".acme-still img:visible").count(),
    }


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "not trusted"])
def test_the_second_day(page, trusted):
    """Saved, closed and opened again without its kernel: last picture, question, no dead controls, no error."""
    page.open(CHAPTER)
    (slider, *_), (asked, *_) = (cells_that_call(page.notebook(), name) for name in ("explore", "predict"))
    cell = run_cell(page, slider)
    cell.locator(".noUi-handle").first.wait_for(timeout=60_000)
    assert see(cell)["controls"] >= 2
    assert not see(cell)["still"], "beside living sliders their still is hidden"
    move_slider(page, cell)
    answer = cell.locator(".acme-live [role=status]").inner_text()
    cell = run_cell(page, asked)
    cell.locator("input[type=radio]").nth(1).click()
    cell.get_by_role("button", name="This is my prediction").click()
    page.page.wait_for_timeout(1_000)
    if trusted:  # as after Run All Cells
        in_panel(page, "panel.content.widgets.forEach(cell => { cell.model.trusted = true; });")
    save_and_end(page)

    if not trusted:  # its signature is that of another text
        file = page.folder / CHAPTER.removeprefix("lab/tree/")
        text = file.read_text("utf-8")
        file.write_text(text.replace("Why do identical cells differ?", "Why do equal cells differ?", 1), "utf-8")
        assert file.read_text("utf-8") != text
    page.open(CHAPTER)
    assert in_panel(page, f"return panel.content.widgets[{slider}].model.trusted;") is trusted
    cell = page.scroll_to_cell(slider)
    seen = see(cell)
    assert (seen["controls"], seen["error"], seen["pictures"]) == (0, 0, 1)
    assert "Find out:" in seen["still"]
    assert answer in seen["still"], "the last picture, not the first"
    assert "Run this cell to move the sliders" in seen["still"]
    assert "restarted" not in seen["still"]
    seen = see(page.scroll_to_cell(asked))
    assert (seen["controls"], seen["error"]) == (0, 0)
    assert "Your prediction: about 1 in 1000" in seen["still"]
    cell = run_cell(page, slider)
    cell.locator(".noUi-handle").first.wait_for(timeout=60_000)
    assert see(cell)["controls"] >= 2
    assert page.console_errors == []


def test_sliders_say_that_the_kernel_was_restarted(page):
    page.open(CHAPTER)
    (slider, *_) = cells_that_call(page.notebook(), "explore")
    cell = run_cell(page, slider)
    cell.locator(".noUi-handle").first.wait_for(timeout=60_000)
    in_panel(page, "await panel.sessionContext.session.kernel.restart();")
    cell.locator(".acme-restarted").wait_for(state="visible", timeout=20_000)
    assert "The kernel was restarted" in see(cell)["still"]
    assert see(cell)["controls"] == 0


@pytest.mark.parametrize("path", [CHAPTER, EXERCISES, "lab/tree/course/00_welcome.ipynb"])
def test_a_notebook_that_is_opened_and_closed_stays_as_it_is(page, path):
    file = page.folder / path.removeprefix("lab/tree/")
    file.write_bytes((ROOT / path.removeprefix("lab/tree/")).read_bytes())
    before = file.read_bytes()
    page.open(path)
    page.page.wait_for_timeout(2_000)
    assert in_panel(page, "return panel.context.model.dirty;") is False
    in_panel(page, "panel.close();")
    page.page.wait_for_timeout(1_000)
    assert page.page.locator(".jp-Dialog").count() == 0, "it asks to save what nobody changed"
    assert file.read_bytes() == before


def test_results_are_folded_until_their_cell_is_run(page):
    (page.folder / CHAPTER.removeprefix("lab/tree/")).write_bytes(
        (ROOT / CHAPTER.removeprefix("lab/tree/")).read_bytes()
    )
    page.open(CHAPTER)
    results = [i for i, cell in enumerate(page.notebook()["cells"]) if "result" in cell["metadata"].get("tags", [])]
    assert len(results) >= 6
    cell = page.scroll_to_cell(results[0])
    folded = cell.locator(".jp-Cell-outputWrapper").inner_text()
    assert folded.strip() == "(stored result)"
    for index in (1, cells_that_call(page.notebook(), "ReactionNetwork.parse")[0], results[0]):
        shown = run_cell(page, index).locator(".jp-Cell-outputWrapper")
    assert "one cell in 13" in shown.inner_text()


def test_a_learner_sees_what_a_learner_works_with(page):
    page.open(CHAPTER)
    names = page.page.locator(".jp-DirListing-itemText").all_inner_texts()
    assert sorted(names) == sorted(["projects", *(path.name for path in (ROOT / "course").glob("*.ipynb"))])
    cut = "names => names.filter(name => name.scrollWidth > name.clientWidth).map(name => name.innerText)"
    assert page.page.locator(".jp-DirListing-itemText").evaluate_all(cut) == [], "names that cannot be read"
    text = page.page.locator("body").inner_text()
    assert "Create Assignment" not in text
    assert "Nbgrader" not in text


def test_every_entry_of_the_contents_leads_to_its_section(page):
    page.open(CHAPTER)
    (index,) = [i for i, cell in enumerate(page.notebook()["cells"]) if "**Time**" in "".join(cell["source"])]
    for number in range(1, 11):
        cell = page.scroll_to_cell(index)
        cell.locator("a", has_text=re.compile(rf"^{number} ")).click()
        heading = page.page.locator(".jp-Notebook h2", has_text=re.compile(rf"^{number} "))
        heading.wait_for(state="visible", timeout=10_000)
        page.page.wait_for_timeout(500)
        assert 0 <= heading.bounding_box()["y"] < 950
        assert page.page.locator(".jp-Dialog").count() == 0


def test_figures_leave_no_white_box_on_a_dark_page(page):
    page.open(CHAPTER)
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.page.wait_for_timeout(2_000)
    for index, image in ((cells_that_call(page.notebook(), "explore")[0], "img.widget-image"), (1, "figure img")):
        picture = run_cell(page, index).locator(image).first
        picture.wait_for(state="visible", timeout=60_000)
        picture.scroll_into_view_if_needed()
        shot = Image.open(io.BytesIO(picture.screenshot())).convert("L")
        assert shot.getpixel((3, 3)) < 40
        assert shot.histogram()[200:] != [0] * 56, "lines and letters are light"


def test_the_text_of_widgets_grows_with_presentation_mode(page):
    page.open(CHAPTER)
    label = run_cell(page, cells_that_call(page.notebook(), "explore")[0]).locator(".widget-label:visible").first
    label.wait_for(state="visible", timeout=60_000)
    size = "element => parseFloat(getComputedStyle(element).fontSize)"
    before = label.evaluate(size)
    page.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-presentation-mode')")
    page.page.wait_for_timeout(500)
    try:
        prose = page.page.locator(".jp-Notebook .jp-RenderedMarkdown p").first.evaluate(size)
        assert label.evaluate(size) == pytest.approx(prose)
        assert prose > before
    finally:
        page.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-presentation-mode')")


def test_plain_html_needs_no_kernel(browser, tmp_path):
    """nbconvert's export: still pictures, questions, folded answers and results, nothing of the code's answers."""
    notebook = nbformat.read(ROOT / CHAPTER.removeprefix("lab/tree/"), as_version=4)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    (tmp_path / "chapter.html").write_text(html, "utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "chapter.html").as_uri(), wait_until="commit")
    page.locator(".acme-still img").nth(2).wait_for(state="attached")
    assert page.locator(".acme-still img").count() == 3
    assert page.get_by_text("Error displaying widget").count() == 0
    assert page.locator(".noUi-handle, .widget-slider").count() == 0
    text = page.locator("body").inner_text()
    assert "answer=" not in text
    assert "one cell in 13" not in text
    answers = page.locator(".acme-answer")
    for i in range(answers.count()):
        answers.nth(i).locator("summary").click()
    assert "one cell in 13" in page.locator("body").inner_text()
    context.close()


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
    assert "Check of question 1" in before
    assert "not written yet" in before
    assert "check_values" not in before, "the code of a check pushes its message out of sight"
    assert "is done" not in before

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
    after = dialog_after_validate(page)
    assert "passes all the tests" in after and "failed" not in after
    assert after.index("Question 1 is done. You can") < after.index("Question 8 is done.")
    assert page.console_errors == []


def test_validate_does_not_call_a_chapter_a_success(page):
    page.open(CHAPTER)
    answer = dialog_after_validate(page)
    assert "nothing to validate" in answer
    assert "passes" not in answer


def solutions():
    """The instructor's answers, code and words, by the name of their cell."""
    notebook = nbformat.read(ROOT / "solutions" / EXERCISES.removeprefix("lab/tree/exercises/"), as_version=4)
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }

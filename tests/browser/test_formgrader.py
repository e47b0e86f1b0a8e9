"""Grading with nbgrader's formgrader page: its buttons, in a real browser, on a course as an instructor starts it."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import run_lab
from tests.grading.small_course import ASSIGNMENT, DOUBLE_RIGHT, NOTEBOOK, generate, hand_in, make_course, submit

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.nbgrader,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux"),
]

ACTIVE = "<script>window.top.taken = 1</script><img src=x onerror='window.top.taken = 1'>"
# Each answer would have other points from stock nbgrader: a warning costs it all, and a display of 4 gives it all.
ANSWERS = {
    "right": {"double": f"import warnings\nwarnings.warn('beware')\n{DOUBLE_RIGHT}"},
    "wrong": {"mean": "def mean(values):\n    return 2.0"},  # as the open check wants it; the hidden one has others
    "hostile": {
        "double": f"print({ACTIVE!r})\ndef double(x):\n    get_ipython().displayhook(4.0)\n    return x",
        "mean": f"def mean(values):\n    get_ipython().displayhook(4.0)\n    raise ValueError({ACTIVE!r})",
        "words": f"{ACTIVE}\n\n[here](javascript:window.top.taken=1)",
    },
}
SCORES = {"right": 8, "wrong": 4, "hostile": 0, "broken": 0}
HIDDEN = re.compile(r"44\.5|20\.8333|HIDDEN TESTS")  # what `MEAN_TEST` hides


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with a released assignment and four submissions, not yet graded."""
    folder = make_course(tmp_path_factory.mktemp("formgrader") / "course")
    (folder / "course").mkdir()
    shutil.copy(ROOT / "course" / "00_welcome.ipynb", folder / "course")
    generate(folder)
    for student, answers in ANSWERS.items():
        submit(folder, student, hand_in(**answers))
    submit(folder, "broken", b"{")
    return folder


@pytest.fixture(scope="module")
def address(course, tmp_path_factory):
    with run_lab(course, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture
def page(address, browser):
    """A page that may reach nothing but our server; `page.elsewhere` is what else it asked for."""
    context = browser.new_context(viewport={"width": 1400, "height": 950})
    page, page.elsewhere, page.trouble = context.new_page(), [], []

    def allow(route):
        if route.request.url.startswith((address, "file:", "data:", "blob:")):
            return route.continue_()
        page.elsewhere.append(route.request.url)
        return route.abort()

    context.route("**/*", allow)
    page.on("dialog", lambda dialog: (page.trouble.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.goto(f"{address}lab?token=acme")
    yield page
    # formgrader's page wants MathJax from elsewhere, and does without
    assert set(page.trouble) <= {"MathJax is not defined"}
    context.close()


def test_the_menu_leads_to_the_course(page):
    page.locator(".lm-MenuBar-item", has_text="Nbgrader").click(timeout=60_000)
    page.locator(".lm-Menu-item", has_text=re.compile(r"^Formgrader\s*$")).click()
    row = page.frame_locator("iframe").locator("#main-table tr", has_text=ASSIGNMENT)
    row.wait_for(timeout=30_000)
    assert row.locator(".num-submissions").inner_text() == str(len(SCORES))


def rows(page):
    """Status and score of each student on the page of submissions."""
    page.wait_for_function("models?.loaded", timeout=30_000)
    return {
        row.locator(".student-id").inner_text(): (
            row.locator(".status").inner_text(),
            row.locator(".score").inner_text(),
        )
        for row in page.locator("#main-table tr").all()
    }


def press(page, row, button):
    """Press a button of a row, wait for its dialog, close it and return what it says."""
    row.locator(f".{button} a").click()
    dialog = page.locator(".modal.in")
    dialog.wait_for(timeout=60_000)
    text = dialog.inner_text()
    dialog.locator(".modal-footer button").last.click()
    page.locator(".modal").wait_for(state="detached", timeout=10_000)
    return text


def is_safe(page):
    """Whether nothing that was submitted became part of the page."""
    parts = "#notebook script, #notebook iframe, img[onerror], a[href^='javascript']"
    return page.evaluate("window.top.taken === undefined") and page.locator(parts).count() == 0


def open_submission(page, address, student):
    """Open a student's notebook as one does for grading by hand: through the names in the list."""
    page.goto(f"{address}formgrader/manage_students/{student}/{ASSIGNMENT}")
    page.locator("#main-table a", has_text=NOTEBOOK).click()
    page.locator("input#double_test[placeholder]").wait_for(timeout=30_000)  # its grades have come


def grade_words(page, points, comment):
    """Type points and a comment for the question in words; each is saved when its field is left."""
    for field, text, kind in (("input#words", points, "grade"), ("textarea#words-comment", comment, "comment")):
        with page.expect_response(lambda r, kind=kind: f"/api/{kind}/" in r.url and r.request.method == "PUT") as saved:
            page.locator(field).fill(text)
            page.locator(field).press("Tab" if kind == "comment" else "Enter")
        assert saved.value.ok


def test_grading_with_the_buttons(page, address, course):
    submissions = f"{address}formgrader/manage_submissions/{ASSIGNMENT}"
    page.goto(submissions)
    assert rows(page) == dict.fromkeys(SCORES, ("needs autograding", ""))
    for student in SCORES:
        said = press(page, page.locator("#main-table tr", has_text=student), "autograde")
        assert f"Successfully autograded '{ASSIGNMENT}' for student '{student}'" in said
        assert not HIDDEN.search(said)
    expected = {student: ("needs manual grading", f"{score} / 10") for student, score in SCORES.items()}
    page.wait_for_function("document.querySelectorAll('.label-info').length === 4", timeout=10_000)
    assert rows(page) == expected
    for student in SCORES:
        record = json.loads((course / "audit" / ASSIGNMENT / student / f"{NOTEBOOK}.json").read_text("utf-8"))
        assert sum(outcome["score"] or 0 for outcome in record["scores"].values()) == SCORES[student]
        assert record["guards"]

    # what stands on the page on which one grades by hand
    open_submission(page, address, "wrong")
    assert "A hidden check fails, on values that are not shown." in page.locator(".output").last.inner_text()
    open_submission(page, address, "hostile")
    outputs = page.locator(".output").all_inner_texts()
    assert ACTIVE in outputs[0]  # what it printed, as text
    assert any(text.strip().startswith("✗ double of 3") for text in outputs)
    assert not any(HIDDEN.search(text) for text in outputs)
    assert is_safe(page)

    open_submission(page, address, "right")
    assert page.locator("input#double_test").get_attribute("placeholder") == "4"
    assert "The answer in words." in page.locator("#notebook blockquote", has_text="Model answer of").inner_text()
    grade_words(page, "1.5", "Say **why**: $a<b$.")
    page.goto(submissions)
    assert rows(page) == expected | {"right": ("graded", "9.5 / 10")}

    # one student's feedback, then everybody's
    said = press(page, page.locator("#main-table tr", has_text="right"), "generate-feedback")
    assert "Successfully generated feedback" in said
    page.goto(f"{address}formgrader/manage_assignments")
    page.locator("#main-table tr", has_text=ASSIGNMENT).wait_for(timeout=30_000)
    said = press(page, page.locator("#main-table tr", has_text=ASSIGNMENT), "generate-feedback")
    assert "Successfully generated feedback" in said
    assert rows_of_feedback(page, course, "right") == ["9.5 of 10", "4 / 4", "4 / 4", "1.5 / 2"]
    assert page.locator("blockquote.comment strong").inner_text() == "why"
    formula = page.locator("blockquote.comment svg.formula")
    assert formula.get_attribute("aria-label") == "a<b" and formula.bounding_box()["width"] > 20
    assert "The answer in words." not in page.locator("body").inner_text()
    assert rows_of_feedback(page, course, "wrong") == ["4 of 10", "4 / 4", "0 / 4", "– / 2"]
    assert "your teacher has still to read this" in page.locator("table.marks").inner_text()
    assert rows_of_feedback(page, course, "hostile") == ["0 of 10", "0 / 4", "0 / 4", "– / 2"]
    assert rows_of_feedback(page, course, "broken")[0] == "0 of 10"
    assert "This submission could not be read" in page.locator("body").inner_text()


def rows_of_feedback(page, course, student):
    """Open a student's feedback page, see that it is safe and stands alone; return its sum and its points."""
    page.elsewhere.clear()
    page.goto((course / "feedback" / student / ASSIGNMENT / f"{NOTEBOOK}.html").as_uri())
    assert page.elsewhere == []
    assert is_safe(page)
    assert not HIDDEN.search(page.content())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return [page.locator("dd").first.inner_text(), *page.locator("table.marks td.n").all_inner_texts()]

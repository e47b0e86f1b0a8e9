"""`acme mark` in a real browser: marking by keyboard, two tabs, two markers, and what the gradebook has of it."""

import contextlib
import subprocess
import sys

import pytest

from tests.browser.test_access import find_faults
from tests.grading.gradebooks import opened
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK
from tests.grading.test_marking import STUDENTS, make_marking_course

pytestmark = pytest.mark.browser


@contextlib.contextmanager
def serve(course, marker):
    """Start the command as an instructor does; yields the address that it prints."""
    command = [sys.executable, "-m", "acme_lib.cli", "mark", ASSIGNMENT, "why", "--marker", marker, "--no-browser"]
    with subprocess.Popen(command, cwd=course, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            assert line.startswith(f"marking as {marker}: http://127.0.0.1:"), server.stderr.read()
            yield line.split()[-1]
        finally:
            server.terminate()
            assert "Traceback" not in server.stderr.read()


def grades(course):
    """Manual score, whether it waits, and the comment of each student."""
    with opened(f"sqlite:///{course / 'gradebook.db'}") as book:
        found = {}
        for student in STUDENTS:
            names = ("why", NOTEBOOK, ASSIGNMENT, student)
            grade, comment = book.find_grade(*names), book.find_comment(*names)
            found[student] = grade.manual_score, grade.needs_manual_grade, comment.manual_comment
        return found


@pytest.fixture
def visit(browser):
    """Open pages that may reach nothing but their own server, each in a tab of one window."""
    context, trouble = browser.new_context(viewport={"width": 1400, "height": 900}), []

    def open_page(address):
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda asked: trouble.append(asked.url) if "//127.0.0.1:" not in asked.url else None)
        page.goto(address)
        page.locator("#which", has_text="Answer 1 of 4").wait_for()
        return page

    yield open_page
    context.close()
    assert trouble == []


def press(page, key, points):
    page.keyboard.press(key)
    page.locator("#points", has_text=f"{points} of 3 points").wait_for()


def test_marking_by_keyboard_in_two_tabs_and_by_two(tmp_path, visit):
    course = make_marking_course(tmp_path / "course")
    with serve(course, "Kim") as address:
        page = visit(address)
        assert page.locator("h1").inner_text() == "2 Why"
        assert page.locator("#done").inner_text() == "0 of 4 done"
        assert find_faults(page, ["body"]) == []
        assert not any(name in page.content() for name in ("Ada", "Bob", "Eve", "Zoe"))

        second = visit(address)  # both tabs have read the same; neither loses what the other ticks
        press(page, "1", 1)
        press(second, "3", 2)
        page.bring_to_front()
        page.evaluate("dispatchEvent(new Event('focus'))")
        page.locator("#points", has_text="2 of 3 points").wait_for()
        assert [page.locator(f"#tick-{n}").is_checked() for n in range(3)] == [True, False, True]

        page.keyboard.press("c")
        page.keyboard.type("Say **why** it ends.")
        page.keyboard.press("Escape")
        page.locator("#comments button", has_text="Say").wait_for(state="attached")
        page.locator("#name").click()
        page.locator("#which", has_text="Answer 1 of 4: ").wait_for()
        first = page.locator("#which").inner_text().rpartition("(")[2].rstrip(")")
        page.locator("#name").click()
        page.locator("#which:not(:has-text(':'))").wait_for()
        for place in (2, 3, 4):
            page.keyboard.press("n")
            page.locator("#which", has_text=f"Answer {place} of 4").wait_for()
            press(page, "a", 3)
        assert page.locator("#done").inner_text() == "4 of 4 done"
        page.locator("#given summary").click()
        page.locator("#comments button").click()
        page.locator("#said", has_text="Saved").wait_for()
        assert page.locator("#comment").input_value() == "Say **why** it ends."
        page.keyboard.press("k")
        page.locator("#which", has_text="Answer 3 of 4").wait_for()
        assert page.evaluate("document.activeElement.id") == "which"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = grades(course)
    assert found[first] == (2.0, False, "Say **why** it ends.")
    assert sorted(score for score, _, _ in found.values()) == [2.0, 3.0, 3.0, 3.0]
    assert sum(comment == "Say **why** it ends." for _, _, comment in found.values()) == 2

    with serve(course, "Lee") as address:
        page = visit(address)
        assert page.locator("#points").inner_text() == "Points: not marked yet"  # Kim's marks are not shown
        press(page, "1", 1)
        page.keyboard.press("j")
        page.locator("#which", has_text="Answer 2 of 4").wait_for()
        press(page, "a", 3)
        assert grades(course)[first][:2] == (2.0, True)
        page.locator("#compare").click()
        text = page.locator("#table p").inner_text()
        assert text.startswith("Kim and Lee, 2 answers marked by both: equal points for 50 %; Kim gives 0.5 more")
        # Kim 2, 3 and Lee 1, 3: squares 1, 0; of all pairs 1, 1, 4, 0
        assert "weighted kappa 0.67" in text
        assert find_faults(page, ["body"]) == []
        page.locator("#table button", has_text="Lee").click()
        page.locator("#said", has_text="Settled").wait_for()
    assert grades(course)[first][:2] == (1.0, False)

"""A chapter's demonstration in a real browser: by keys alone, large, and still there after whatever may happen."""

import contextlib
import io
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from acme_lib.teach.demo import list_demos
from tests.browser.test_access import find_faults

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
QUICK = 4
CHAPTERS = [pytest.param(n, marks=() if n == QUICK else pytest.mark.slow) for n in list_demos()]
SCREENS = {"1280x720": (1280, 720), "1920x1080": (1920, 1080)}
R = "No answer from what computes. Press R to go on: nothing is lost."


@contextlib.contextmanager
def run_present(chapter, *options):
    """Start `acme present`; yields its address and its process."""
    command = [sys.executable, "-m", "acme_lib.cli", "present", str(chapter), "--no-browser", *options]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lines = iter(server.stdout.readline, "")
        line = next((line for line in lines if "http://" in line), None)
        assert line, server.communicate()[1]
        yield line.split("http://")[1].split(" ")[0].join(["http://", ""]), server
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.communicate()


class Show:
    """The page of a demonstration, with what a test asks of it."""

    def __init__(self, page, address):
        self.page, self.problems = page, []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.set_default_timeout(120_000)
        page.goto(address)
        self.rest()

    def rest(self, side=0):
        """Wait until a picture stands still; returns its pixels and its sentence."""
        self.page.wait_for_function(
            f"() => document.querySelectorAll('.panel canvas')[{side}].dataset.drawn"
            " && document.getElementById('panels').ariaBusy === 'false'",
        )
        canvas = self.page.locator(".panel canvas").nth(side)
        return canvas.screenshot(), self.page.locator(".says").nth(side).inner_text()

    def drawn(self):
        """How many pictures the first side has shown."""
        return int(self.page.locator(".panel canvas").first.get_attribute("data-drawn"))

    def wait_for_more(self, drawn):
        self.page.wait_for_function(
            "drawn => Number(document.querySelector('.panel canvas').dataset.drawn) > drawn", arg=drawn
        )

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        return self.rest()

    @property
    def word(self):
        return self.page.locator("#word").inner_text()


@pytest.fixture(params=CHAPTERS)
def shown(request, browser):
    """The page and the server of a chapter's demonstration."""
    with run_present(request.param) as (address, server):
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        yield Show(context.new_page(), address), server
        context.close()


def ink(picture):
    """The part of a picture that is not white."""
    return (np.asarray(Image.open(io.BytesIO(picture)).convert("L")) < 200).mean()


def cut_off(page):
    """What of the page lies outside the screen, or is wider than its place."""
    return page.evaluate("""() => [...document.querySelectorAll('h1, canvas, .says, label, button, #hint')]
        .filter(e => e.getClientRects().length).filter(e => {
            const r = e.getBoundingClientRect();
            return r.left < -1 || r.top < -1 || r.right > innerWidth + 1 || r.bottom > innerHeight + 1
                || e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).display !== 'inline'
        }).map(e => `${e.tagName} ${e.id} ${e.textContent}`)""")


def smallest_letters(page):
    """The smallest size of letters on the page, as a part of the screen's height."""
    return page.evaluate("""() => Math.min(...[...document.querySelectorAll('h1, .says, #controls span, #controls b, '
        + '#presets button, #hint, #hint kbd')].filter(e => e.getClientRects().length && e.textContent)
        .map(e => parseFloat(getComputedStyle(e).fontSize))) / innerHeight""")


def survive(show, server, seconds):
    """Shake a slider, cut the connection, end what computes: each time the demonstration goes on where it was."""
    end, i = time.monotonic() + seconds, 0
    box = show.page.locator("#controls label.chosen input").bounding_box()
    show.page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    show.page.mouse.down()
    while time.monotonic() < end:
        i += 1
        show.page.mouse.move(box["x"] + box["width"] * (0.5 + 0.45 * np.sin(i)), box["y"] + box["height"] / 2)
    show.page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2)
    show.page.mouse.up()
    _, here = show.rest()
    show.press("ArrowLeft")
    assert show.press("ArrowRight")[1] == here, "after the shaking the picture is not that of the slider"
    assert show.word == ""

    for cut, mend in (
        (lambda: show.page.context.set_offline(True), lambda: show.page.context.set_offline(False)),
        (lambda: child_of(server).kill(), lambda: None),
    ):
        drawn = show.drawn()
        cut()
        show.page.keyboard.press("ArrowLeft")
        show.page.wait_for_function("word => document.getElementById('word').textContent === word", arg=R)
        mend()
        show.page.keyboard.press("r")
        show.wait_for_more(drawn)
        assert show.press("ArrowRight")[1] == here
    show.page.wait_for_function("() => document.getElementById('word').textContent === ''")
    before, drawn = child_of(server).pid, show.drawn()
    show.page.keyboard.press("r")  # starts anew what computes, also where nothing is wrong
    show.wait_for_more(drawn)
    assert show.rest()[1] == here
    assert child_of(server).pid != before
    assert "Traceback" not in show.page.content()


def child_of(server):
    """The process that computes."""
    (child,) = (one for one in psutil.Process(server.pid).children() if "acme_lib.teach.present" in one.cmdline())
    return child


def test_a_demonstration_is_driven_by_keys_and_survives(shown):
    show, server = shown
    page = show.page
    first, words = show.rest()
    assert ink(first) > 0.002
    pictures = {first}
    for key in ("2", "3", "1"):
        picture, words = show.press(key)
        pictures.add(picture)
        assert any(character.isdigit() for character in words)
    assert len(pictures) == 3
    humps, _ = show.press("3")  # where the slider stands far from both of its ends
    assert show.press("ArrowLeft", "ArrowLeft")[0] != humps

    show.press("1", "Home")
    drawn = show.drawn()
    page.keyboard.press("Space")
    page.wait_for_timeout(1_500)
    show.press("Space")
    assert show.drawn() >= drawn + 5, "it does not play"
    stopped, value = show.rest(), page.locator("label.chosen b").inner_text()
    show.press(".")
    assert page.locator("label.chosen b").inner_text() != value
    assert show.press(",") == stopped

    show.press("1", "c")
    second = show.rest(side=1)
    assert ink(second[0]) > 0.002
    assert second[1] != show.rest()[1], "two sides show two settings"
    show.press("3")
    assert show.rest(side=1) != second
    page.keyboard.press("x")
    assert show.press("2")[1] == second[1]

    assert find_faults(page, ["body"]) == []
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    assert find_faults(page, ["#keys"]) == []
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement === null")

    for size in SCREENS.values():
        page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
        for _ in range(2):  # both sides, one
            show.rest()
            assert cut_off(page) == []
            assert smallest_letters(page) > 1 / 45
            page.keyboard.press("c")
    assert page.evaluate("() => [...document.querySelectorAll('canvas, input')].every(e => e.ariaLabel)")

    other = {"Sec-Fetch-Site": "cross-site"}  # as a browser says of a page that is not ours
    asked = urllib.request.Request(f"{page.url}restart", b"{}", other)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=30)

    survive(show, server, seconds=2)
    assert show.problems == []
    assert not [
        host
        for host in page.evaluate("() => performance.getEntriesByType('resource').map(e => new URL(e.name).hostname)")
        if host != "127.0.0.1"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("chapter", [QUICK])
def test_ten_seconds_of_shaking(chapter, browser):
    with run_present(chapter) as (address, server):
        context = browser.new_context(viewport={"width": 1920, "height": 1080})
        survive(Show(context.new_page(), address), server, seconds=10)
        context.close()


def test_a_chapter_without_a_demonstration_is_refused():
    command = [sys.executable, "-m", "acme_lib.cli", "present", "99", "--no-browser"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "chapter 99 has no demonstration; those with one: 1, 2" in done.stdout

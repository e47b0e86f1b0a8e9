"""Each demonstration in a real Chromium: from the hand to the new picture, on a screen of 1920 × 1080.

Each slider's handle is dragged through its range. A step is timed in the page, from the pointer's event to the frame in
which the new picture stands on the canvas: the way to the process that computes and back is in it. Steps that leave the
value as it was are not counted. Once more with two settings side by side, where the play moves both: from its key to
the frame in which both are drawn. ``ACME_CHAPTERS='0[6-9]*'`` measures some chapters alone.
"""

import fnmatch
import os
import statistics

import numpy as np

from acme_lib.teach.demo import list_demos
from tests.benchmarks.chromium import open_chromium, row_of_machine
from tests.benchmarks.table import Row
from tests.browser.test_present import Show, run_present

STEPS = 40
LIMITS = {True: 0.2, False: 0.1}  # seconds, 95th percentile: chapters from 6 on, which solve the augmented equation
WATCH = """
() => {
    const seen = {moved: 0, drawn: 0};
    const start = () => { seen.moved = performance.now(); seen.drawn = 0; };
    for (const event of ['pointermove', 'keydown']) document.addEventListener(event, start, true);
    const seeIt = () => { seen.drawn += 1; seen.at = performance.now(); };
    const watch = new MutationObserver(() => requestAnimationFrame(seeIt));
    document.querySelectorAll('.panel canvas').forEach(
        canvas => watch.observe(canvas, {attributes: true, attributeFilter: ['data-drawn']}));
    window.acmeSeen = seen;
}
"""


def run():
    """Measure every demonstration."""
    load, rows = os.getloadavg()[0], []
    with open_chromium() as browser:
        for chapter, name in list_demos().items():
            if not fnmatch.fnmatch(name, os.environ.get("ACME_CHAPTERS", "*")):
                continue
            with run_present(chapter) as (address, _):
                page = browser.new_page(viewport={"width": 1920, "height": 1080})
                rows += measure(Show(page, address), chapter)
                page.close()
    return [row_of_machine("all demonstrations", load), *rows]


def measure(show, chapter):
    """Measure one demonstration: every slider, and the play of two sides."""
    page = show.page
    page.evaluate(WATCH)
    seconds = []
    for control in page.locator("#controls input").all():
        box = control.bounding_box()
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 8, y)
        page.mouse.down()
        for x in np.linspace(box["x"] + 8, box["x"] + box["width"] - 8, STEPS):
            before = control.input_value()
            page.mouse.move(x, y)
            if control.input_value() != before:
                seconds.append(_wait(page, 1))
        page.mouse.up()
    show.press("1", "c")
    page.locator("#controls label.chosen input").press("Home")
    page.keyboard.press("x")
    page.keyboard.press("Home")
    show.rest()
    both = []
    for _ in range(STEPS):
        page.keyboard.press(".")
        both.append(_wait(page, 2))
    return [_row(chapter, "one setting", seconds), _row(chapter, "two side by side", both)]


def _wait(page, pictures):
    page.wait_for_function(f"() => window.acmeSeen.drawn >= {pictures}", timeout=20_000)
    return page.evaluate("() => (window.acmeSeen.at - window.acmeSeen.moved) / 1000")


def _row(chapter, what, seconds):
    median, high, limit = statistics.median(seconds), float(np.quantile(seconds, 0.95)), LIMITS[chapter >= 6]
    note = f"ratio to the limit of {limit} s of 95 % within {high:.3f} s; {len(seconds)} steps"
    return Row(f"chapter {chapter}", what, median, high / limit, "s", note)

"""Each slider of each chapter in a real JupyterLab and a real Chromium: from the hand to the new picture.

A slider's handle is dragged through its range in steps. A step is timed in the page, from the pointer's event to the
frame in which the new picture has been decoded: the way to the kernel, the redraw there and the way back are in it. A
step after which the slider has the same value, as a slider of few whole numbers may have, is not counted.

The machine is part of the measurement. Beside each slider stands the kernel's CPU time for each step (with the sharp
picture that is drawn once when the hand rests), and above all rows the load average before and after.
``ACME_CHAPTERS='0[6-9]*.ipynb'`` measures some chapters alone.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import psutil

from tests.benchmarks.chromium import open_chromium, row_of_machine
from tests.benchmarks.table import Row
from tests.browser.conftest import ROOT, LabPage, copy_course, run_lab
from tests.browser.test_course import cells_that_call, run_cell

STEPS = 20
LIMITS, LATER = (0.1, 0.2), (0.2, 0.35)  # seconds: the median and the 95th percentile; chapters 6 to 9
# Left in the page: the time of the last pointer's event, and that of the first picture after it.
WATCH = """
image => {
    const seen = {moved: 0, drawn: 0};
    document.addEventListener('pointermove', () => { seen.moved = performance.now(); seen.drawn = 0; }, true);
    new MutationObserver(async () => {
        await image.decode().catch(() => null);
        requestAnimationFrame(() => { seen.drawn ||= performance.now(); });
    }).observe(image, {attributes: true, attributeFilter: ['src']});
    window.acmeSeen = seen;
}
"""


def run():
    """Measure every slider of the course."""
    load, rows = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory() as made, open_chromium() as browser:
        folder, home = Path(made) / "acme", Path(made) / "home"
        home.mkdir()
        copy_course(folder)
        with run_lab(folder, home) as address:
            for path in sorted((ROOT / "course").glob(os.environ.get("ACME_CHAPTERS", "*.ipynb"))):
                cells = nbformat.read(path, as_version=4)
                if cells_that_call(cells, "explore"):
                    page = LabPage(browser.new_page(viewport={"width": 1400, "height": 1400}), address, folder, home)
                    rows += measure_chapter(page, path.name)
                    page.page.close()
    return [row_of_machine("all chapters", load), *rows]


def measure_chapter(page, name):
    """Run the slider figures of a chapter alone and measure each of their sliders."""
    page.open(f"lab/tree/course/{name}")
    # an open kernel is the newest child of the server
    kernel = max(_kernels(), key=lambda process: process.create_time())
    rows = []
    for number, index in enumerate(cells_that_call(page.notebook(), "explore"), start=1):
        cell = run_cell(page, index)
        cell.locator(".noUi-handle").first.wait_for(timeout=120_000)
        page.page.wait_for_timeout(1_500)
        cell = page.scroll_to_cell(index)
        picture = cell.locator("img.widget-image").first
        picture.evaluate(WATCH)
        labels = cell.locator(".widget-slider .widget-label").all_inner_texts()
        for label, handle in zip(labels, cell.locator(".noUi-handle").all(), strict=True):
            before = _cpu(kernel)
            # A page that moves under the hand, as a late picture comes, leaves the handle behind: the hand tries again.
            seconds = drag(page.page, handle) or drag(page.page, handle)
            if not seconds:
                raise SystemExit(f"{name}, figure {number}, {label}: the handle could not be moved")
            cpu = (_cpu(kernel) - before) / max(len(seconds), 1)
            rows.append(_row(name, f"figure {number}, {label}", seconds, cpu))
            print(f"{name}, {rows[-1].tool}: {rows[-1].median_s:.3f} s", file=sys.stderr, flush=True)
        cell.get_by_role("button", name="Back to the start").click()
    page.page.evaluate(
        "async () => { const panel = window.jupyterapp.shell.currentWidget;"
        " await panel.sessionContext.shutdown(); panel.context.model.dirty = false; panel.close(); }"
    )
    return rows


def drag(page, handle, steps=STEPS):
    """Drag a handle from one end of its slider to the other; returns the seconds of each step that changed a value."""
    handle.scroll_into_view_if_needed()
    track, box = handle.locator("xpath=../..").bounding_box(), handle.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    seconds = []
    place = handle.locator("xpath=..")  # its style: aria-valuenow has one decimal place only
    for x in np.linspace(track["x"], track["x"] + track["width"], steps + 1):
        before = place.get_attribute("style")
        page.mouse.move(x, y)
        page.wait_for_timeout(20)
        if place.get_attribute("style") == before:
            continue
        page.wait_for_function("() => window.acmeSeen.drawn > 0", timeout=20_000)
        seconds.append(page.evaluate("() => (window.acmeSeen.drawn - window.acmeSeen.moved) / 1000"))
    page.mouse.up()
    page.wait_for_timeout(900)  # the sharp picture, which belongs to no step
    return seconds


def _kernels():
    children = psutil.Process().children(recursive=True)
    return [process for process in children if any("ipykernel" in word for word in process.cmdline())]


def _cpu(process):
    times = process.cpu_times()
    return times.user + times.system


def _row(name, slider, seconds, cpu):
    median, high = statistics.median(seconds), float(np.quantile(seconds, 0.95))
    median_limit, high_limit = LATER if "06" <= name < "10" else LIMITS
    note = (
        f"ratio to the nearer limit of {median_limit} s; 95 % within {high:.3f} s (limit {high_limit} s), "
        f"{len(seconds)} steps; kernel {1000 * cpu:.0f} ms of CPU a step"
    )
    return Row(name, slider, median, max(median / median_limit, high / high_limit), "s", note)

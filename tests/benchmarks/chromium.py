"""A real Chromium, for what is measured in it."""

import contextlib
import os

from tests import programs
from tests.benchmarks.table import Row


@contextlib.contextmanager
def open_chromium():
    """Start Chromium under Playwright; it ends with the block."""
    from playwright.sync_api import sync_playwright

    chromium = programs.find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium or Chrome found: install the system package `chromium` (or Google Chrome)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def row_of_machine(case, load):
    """Return the row that says how busy the machine was, given the load average before."""
    note = f"load average {load:.1f} before, {os.getloadavg()[0]:.1f} after; {os.cpu_count()} cores"
    return Row(case, "the machine", None, None, "", note)

"""What every test may ask for."""

import os
import shutil
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# Without these Chromium looks for its maker's hosts at every start.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


def find_chromium():
    """Path of an installed Chromium or Chrome, or None."""
    found = [shutil.which(name) for name in BROWSERS]
    if sys.platform == "darwin":
        found += [f"/Applications/{app}.app/Contents/MacOS/{app}" for app in ("Chromium", "Google Chrome")]
    elif sys.platform == "win32":
        roots = [os.environ.get(name) for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")]
        found += [str(Path(root, "Google/Chrome/Application/chrome.exe")) for root in roots if root]
    return next((path for path in found if path and Path(path).is_file()), None)


def in_ci():
    """Whether nothing may be skipped for want of a system package."""
    return os.environ.get("CI", "").lower() in ("1", "true")


def jit_is_off():
    """Whether the kernels run as plain Python (how their coverage is measured)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


# The same examples on every run: a red test is red for everyone. The first call of a kernel may compile: no deadline.
hypothesis.settings.register_profile("acme", derandomize=True, deadline=None, max_examples=10 if jit_is_off() else 50)
hypothesis.settings.load_profile("acme")


def pytest_collection_modifyitems(items):
    """Begin with the longest test, so that no core waits for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_coverage.py")


@pytest.fixture(scope="session")
def root():
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium or Chrome; without one the test is skipped, and in CI (`CI=true`) it fails."""
    path = find_chromium()
    if path is None:
        reason = "no Chromium or Chrome found: install the system package `chromium` (or Google Chrome)"
        if in_ci():
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def browser(chromium):
    """A Chromium under Playwright, one for all tests of a process: two at once cannot be."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *QUIET])
        yield running
        running.close()


@pytest.fixture(scope="session")
def scaled():
    """`scaled(n_jit, n_plain)`: the first number with compiled kernels, the second where they run as plain Python."""
    return lambda n_jit, n_plain: n_plain if jit_is_off() else n_jit

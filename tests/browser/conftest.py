"""A real JupyterLab and a real Chromium."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "test-artifacts"


@contextlib.contextmanager
def run_lab(folder, home):
    """Start JupyterLab in `folder` as the README says; yields its address, and ends it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER_")}
    environment |= {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    # the app object lets a test ask the notebook what it holds, since cells out of sight are not in the page
    options = [
        "--no-browser",
        "--ServerApp.port=0",
        "--IdentityProvider.token=acme",
        "--LabApp.expose_app_in_browser=True",
    ]
    with open(home / "log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            yield _address(home, server)
        finally:
            server.terminate()
            server.wait(timeout=30)


def copy_course(folder):
    """Put what a learner has into a folder."""
    for name in ("course", "exercises"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Address, folder and home of a JupyterLab in a copy of the course."""
    folder, home = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("home")
    copy_course(folder)
    with run_lab(folder, home) as address:
        yield address, folder, home


def _address(home, server):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        for info in (home / "runtime").glob("jpserver-*.json"):
            try:
                url = json.loads(info.read_text(encoding="utf-8"))["url"]
                with urllib.request.urlopen(f"{url}api/status?token=acme", timeout=5):
                    return url
            except (OSError, ValueError):
                pass  # not yet written, or not yet listening
        time.sleep(0.2)
    raise AssertionError("JupyterLab did not start:\n" + (home / "log").read_text(encoding="utf-8"))


class LabPage:
    """A browser page on JupyterLab, with what a test asks of it."""

    def __init__(self, page, address, folder=None, home=None):
        self.page, self.address, self.folder, self.home = page, address, folder, home
        self.console_errors = []
        page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._note(str(error)))

    def _note(self, text):
        self.console_errors.append(text)

    def open(self, path=""):
        """Open a page of the server, and wait until a notebook with a ready kernel stands in it."""
        # reset: without the tabs that an earlier test left open
        self.page.goto(f"{self.address}{path}?{'reset&' if path else ''}token=acme")
        self.page.wait_for_selector(".jp-NotebookPanel-notebook", timeout=60_000)
        self.page.wait_for_function(
            """path => {
                const panel = window.jupyterapp?.shell.currentWidget;
                const ready = panel?.sessionContext?.session?.kernel?.status === 'idle';
                return ready && panel.context.path.endsWith(path) && panel.content.model.cells.length > 1;
            }""",
            arg=path.rpartition("/")[2],
            timeout=60_000,
        )

    def choose(self, *path):
        """Choose an entry of the menu bar by its names."""
        self.page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{path[0]}$")).click()
        for name in path[1:]:
            self.page.locator(".lm-Menu-item", has_text=re.compile(f"^{name}")).first.click()

    def notebook(self):
        """The notebook as the page holds it, in the format of a file."""
        return self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.toJSON()")

    def run_all(self, patience=120):
        """Choose Run, Run All Cells and wait until every code cell has run or one has failed."""
        self.choose("Run", "Run All Cells")
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp.shell.currentWidget;
                const cells = panel.content.model.toJSON().cells.filter(c => c.cell_type === 'code' && c.source.length);
                const failed = cells.some(c => c.outputs.some(o => o.output_type === 'error'));
                const idle = panel.sessionContext.session?.kernel?.status === 'idle';
                return idle && (failed || cells.every((c, i) => c.execution_count === i + 1));
            }""",
            timeout=patience * 1000,
        )

    def scroll_to_cell(self, index):
        """Bring a cell into view and return its locator."""
        self.page.evaluate(
            "async index => { const n = window.jupyterapp.shell.currentWidget.content;"
            " n.activeCellIndex = index; await n.scrollToItem(index, 'start'); }",
            index,
        )
        cell = self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')
        cell.wait_for(state="visible", timeout=20_000)
        return cell


@pytest.fixture
def page(request, lab, browser):
    """A fresh `LabPage`; a screenshot is kept when the test fails."""
    context = browser.new_context(viewport={"width": 1400, "height": 950})
    lab_page = LabPage(context.new_page(), *lab)
    failures = request.session.testsfailed
    yield lab_page
    if request.session.testsfailed > failures:
        ARTIFACTS.mkdir(exist_ok=True)
        lab_page.page.screenshot(path=ARTIFACTS / f"{request.node.name}.png")
    context.close()

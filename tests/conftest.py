"""What every test may ask for."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import hypothesis
import pytest

from tests import programs

ROOT = Path(__file__).resolve().parent.parent

# Without these Chromium looks for its maker's hosts at every start.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


def jit_is_off():
    """Whether the kernels run as plain Python (how their coverage is measured)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


# The same examples on every run: a red test is red for everyone. The first call of a kernel may compile: no deadline.
hypothesis.settings.register_profile("acme", derandomize=True, deadline=None, max_examples=10 if jit_is_off() else 50)
hypothesis.settings.load_profile("acme")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Let all processes find what lies beside this Python (nbgrader runs alembic), not what `ACME_WITHOUT` names."""
    # A shell's background job is deaf to interrupts, and so would be all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each process has a core; threads of BLAS would share it
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if programs.hidden():
        folder = tempfile.TemporaryDirectory(prefix="acme-without-")
        config.add_cleanup(folder.cleanup)
        programs.hide(folder.name)


def pytest_collection_modifyitems(items):
    """Let grading warn that it is not in a sandbox, where it cannot be."""
    grading = [item for item in items if not item.path.is_relative_to(ROOT / "tests" / "library")]
    if grading and programs.why_no_namespaces():
        for item in grading:
            item.add_marker(pytest.mark.filterwarnings("ignore:students' code is not in a sandbox"))


@pytest.fixture(scope="session", autouse=True)
def no_word_of_compiling():
    """Let tests read what is printed: which of them compiles first, and how long, depends on order and machine."""
    from acme_lib.progress import COMPILATION

    COMPILATION._told = True


@pytest.fixture(scope="session", autouse=True)
def no_word_of_pace_in_plain_python():
    """How long a run takes is said after two seconds of it; as plain Python, tests that are short take that long."""
    with pytest.MonkeyPatch.context() as patch:
        if jit_is_off():
            patch.setattr("acme_lib.simulate.pace._FIRST", float("inf"))
        yield


@pytest.fixture(scope="session")
def root():
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium or Chrome; without one the test is skipped, and in CI (`CI=true`) it fails."""
    path = programs.find_chromium()
    if path is None:
        programs.do_without("no Chromium or Chrome found: install the system package `chromium` (or Google Chrome)")
    return path


@pytest.fixture(scope="session")
def namespaces():
    """Ask for the full guard of the sandbox; without it the test is skipped, and in CI it fails."""
    if reason := programs.why_no_namespaces():
        programs.do_without(reason)


@pytest.fixture(scope="module")
def browser(chromium):
    """A Chromium under Playwright, one for all tests of a file: two at once cannot be.

    It ends with the file, and Playwright's event loop with it: to tests after it, a loop that runs is a kernel's.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *QUIET])
        yield running
        running.close()


@pytest.fixture(scope="session")
def scaled():
    """`scaled(n_jit, n_plain)`: the first number with compiled kernels, the second where they run as plain Python."""
    return lambda n_jit, n_plain: n_plain if jit_is_off() else n_jit

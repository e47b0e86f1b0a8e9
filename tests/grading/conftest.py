"""A course that many tests start from, and sandboxes that outlive a test: starting one takes seconds."""

import asyncio
import contextlib
import functools
import gc
import shutil
import warnings

import nbgrader.api
import pytest
from nbgrader.api import Gradebook

from tests.grading.small_course import generate, make_course


@pytest.fixture(scope="session", autouse=True)
def _sandboxes_outlive_a_batch():
    """Leave what a batch in this process started for the next test: it ends with the process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("acme_lib.grade.pool.close_shared_sandboxes", lambda: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _alembic_is_asked_once():
    """nbgrader starts a process for each new gradebook to be told a version that does not change: two seconds each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbgrader.api.get_alembic_version", functools.cache(nbgrader.api.get_alembic_version))
        yield


@pytest.fixture(scope="session")
def loops_left_open():
    """Return a context in which notebooks may run here: Jupyter leaves its event loops to the garbage collector."""

    @contextlib.contextmanager
    def allowed():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            yield
            gc.collect()
            for loop in [found for found in gc.get_objects() if isinstance(found, asyncio.BaseEventLoop)]:
                if not loop.is_running():
                    with contextlib.suppress(ValueError):  # its sockets are closed already
                        loop.close()
            gc.collect()

    return allowed


@pytest.fixture(scope="session")
def unreleased(tmp_path_factory):
    """The small course with an empty gradebook, not yet released; to be copied."""
    folder = make_course(tmp_path_factory.mktemp("written") / "course")
    Gradebook(f"sqlite:///{folder / 'gradebook.db'}").close()
    return folder


@pytest.fixture(scope="session")
def released(unreleased, tmp_path_factory):
    """The small course, released; to be copied."""
    folder = shutil.copytree(unreleased, tmp_path_factory.mktemp("released") / "course")
    generate(folder)
    return folder


@pytest.fixture(scope="session")
def _place(tmp_path_factory):
    return tmp_path_factory.mktemp("small") / "course"


@pytest.fixture
def course(released, _place):
    """The small course, released: a fresh copy, at a place that is always the same, as is the key of its sandbox."""
    shutil.rmtree(_place, ignore_errors=True)
    return shutil.copytree(released, _place)

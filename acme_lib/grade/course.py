"""Facts about a course: where it lies, what its configuration says, where its sources and data are.

Everything here reads; nothing grades. All commands find the course by one rule (`find_root`).
"""

import contextlib
import os
import sys
from pathlib import Path

from traitlets import Float, Int, Unicode
from traitlets.config import LoggingConfigurable, PyFileConfigLoader

from acme_lib.errors import GradingError
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.personal import personalise, read_personal_file
from acme_lib.grade.source_notebook import load_master, parse_master

CONFIG = "nbgrader_config.py"


class GradingOptions(LoggingConfigurable):
    """What the course may set in ``nbgrader_config.py``, as ``c.GradingOptions.call_seconds = 30``."""

    call_seconds = Float(Limits.call_seconds, help="time on the wall for one call of a student's function").tag(
        config=True
    )
    notebook_seconds = Float(Limits.notebook_seconds, help="time on the wall for one notebook").tag(config=True)
    cpu_seconds = Int(Limits.cpu_seconds, help="processor time of a student's process").tag(config=True)
    memory_mb = Int(Limits.memory_bytes // 2**20, help="memory of a student's process, beyond the interpreter").tag(
        config=True
    )
    require = Unicode(
        "limits", help="'namespaces' refuses to grade where students' code cannot be put into a sandbox"
    ).tag(config=True)

    @property
    def limits(self):
        """The options as `Limits`."""
        return Limits(
            call_seconds=self.call_seconds,
            notebook_seconds=self.notebook_seconds,
            cpu_seconds=self.cpu_seconds,
            memory_bytes=self.memory_mb * 2**20,
        )


def load_config(root, /, **course):
    """Return the course's nbgrader configuration, with items of ``CourseDirectory`` put in its place."""
    config = PyFileConfigLoader(CONFIG, path=str(root)).load_config()
    config.CourseDirectory.update({name: str(value) for name, value in course.items()})
    return config


def load_course(root):
    """Return nbgrader's configuration and course directory for the course in `root`.

    Raises
    ------
    GradingError
        If no course lies there.
    """
    from nbgrader.coursedir import CourseDirectory

    root = Path(root).resolve()
    if not (root / CONFIG).is_file():
        raise GradingError(f"{root} holds no {CONFIG}; change into the folder of the course")
    config = load_config(root, root=root)
    return config, CourseDirectory(config=config)


def source_folder(coursedir, assignment):
    """Return the folder of an assignment's source."""
    return Path(coursedir.format_path(coursedir.source_directory, ".", assignment))


_masters = {}


def find_master(coursedir, assignment, notebook, config=None, *, student=""):
    """Return the `Master` of a notebook of the course, read again when its file has changed, and its folder.

    With the numbers of a `student`, if they were given numbers of their own.
    """
    folder = source_folder(coursedir, assignment)
    path = folder / f"{notebook}.ipynb"
    if not path.is_file():
        raise GradingError(f"{path} is missing: the source of the assignment is needed to grade it")
    if secret := read_personal_file(coursedir.root).secret(assignment, student):
        return parse_master(personalise(path.read_text("utf-8"), secret, student), notebook, config), folder
    found = path.stat()
    key = (str(path), found.st_mtime_ns, found.st_size)
    if key not in _masters:
        _masters[key] = load_master(path, config)
    return _masters[key], folder


def find_data(folder):
    """Return the folder of an assignment's data files, or None.

    Notebooks and texts of the source are not among them: they hold the answers.
    """
    data = Path(folder) / "data"
    return data if data.is_dir() else None


@contextlib.contextmanager
def programs_of_this_python():
    """Let nbgrader find the programs it calls by name (alembic) also where the environment is not activated."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before

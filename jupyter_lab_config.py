"""Open JupyterLab on the welcome page when it is started, without a target of its own, in the folder of the course.

A learner's folder (one without `solutions`) shows what a learner works with, and none of nbgrader's tools for teachers.

The build copies this file to `etc/jupyter` of the environment (see `shared-data` in pyproject.toml), because Jupyter
reads no configuration from the working directory.
"""

import contextlib
import importlib.util
import sys
from pathlib import Path

WELCOME = "course/00_welcome.ipynb"
asks_for_another_place = any(not arg.startswith("-") and Path(arg).exists() for arg in sys.argv[1:]) or any(
    option in arg for arg in sys.argv[1:] for option in ("root_dir", "root-dir", "notebook_dir", "notebook-dir")
)

if Path(WELCOME).is_file():
    c = get_config()  # noqa: F821  (Jupyter provides it)
    c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
    # In a container everyone is root, and the two commands of the README must do there too. The server still listens to
    # this machine only and asks for its token.
    c.ServerApp.allow_root = True
    if not asks_for_another_place:
        c.LabApp.default_url = f"/lab/tree/{WELCOME}"
    # A notebook that is opened and closed stays as it is, and what is saved holds no widget without its kernel.
    c.ServerApp.contents_manager_class = "acme_lib.teach.saving.CourseContents"
    c.FileContentsManager.pre_save_hook = "acme_lib.teach.saving.drop_widgets"
    # A style sheet of the course: the file browser is as wide as its names. (Jupyter looks for the file custom.css.)
    settings = {}
    if library := importlib.util.find_spec("acme_lib"):
        c.LabApp.custom_css = True
        settings["static_custom_path"] = [str(Path(library.origin).parent / "teach" / "lab")]
    # The texts from which chapters and projects are built would list each of them twice.
    hidden = ["__pycache__", "*.pyc", "*.pyo", ".DS_Store", "*~", "[0-9][0-9]_*.md", "project_*.md"]
    if not Path("solutions").is_dir():
        hidden += ["acme_lib", "*.py", "*.toml", "*.lock", "*.yml", "requirements.txt", "jupyter_lab_*", "LICENSE*"]
        hidden += ["CHANGELOG.md", "CONTRIBUTING.md", "gradebook.db", "images", "book"]
        tools = ("assignment-list", "course-list", "create-assignment", "formgrader", "menu")

        def without_tools_for_teachers(handler, page):
            disabled = [*page.get("disabledExtensions", []), *(f"@jupyter/nbgrader:{tool}" for tool in tools)]
            return {**page, "disabledExtensions": disabled}

        settings["page_config_hook"] = without_tools_for_teachers
    c.ServerApp.tornado_settings = settings
    c.ContentsManager.hide_globs = hidden
    with contextlib.suppress(ImportError):  # without nbgrader there is no button Validate
        from acme_lib.teach.validate import use_for_learners

        use_for_learners()

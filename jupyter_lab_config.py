"""Open JupyterLab on the welcome page when it is started, without a target of its own, in the folder of the course.

The build copies this file to `etc/jupyter` of the environment (see `shared-data` in pyproject.toml), because Jupyter
reads no configuration from the working directory.
"""

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

"""Where compiled kernels are kept: beside the library, else in the user's cache, else for this process alone.

numba finds the first two itself, and fails where it can write neither, as in an installation that belongs to an
administrator, used by someone without a home. There it is given a folder that ends with the process.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import platformdirs


def find_folder():
    """Give numba a temporary folder where it would have none; return it, or None where nothing had to be done."""
    usual = Path(__file__).parent, Path(platformdirs.user_cache_dir("numba", appauthor=False))
    if os.environ.get("NUMBA_CACHE_DIR") or any(map(is_writable, usual)):
        return None
    folder = tempfile.mkdtemp(prefix="acme-kernels-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder
    if "numba" in sys.modules:  # it has read the variable already
        sys.modules["numba"].config.CACHE_DIR = folder
    return folder


def is_writable(folder):
    """Whether a folder, which need not be there yet, could be made and written."""
    return os.access(next(place for place in (folder, *folder.parents) if place.exists()), os.W_OK)


FOLDER = find_folder()

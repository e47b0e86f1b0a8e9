"""Programs of the system that some tests need: chromium, bubblewrap, PostgreSQL.

A test that needs one which is not there is skipped with its reason, and fails where `CI=true` allows no skips.
``ACME_WITHOUT=chromium,bwrap,postgresql`` runs the tests as on a machine that has none of those named.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    "bwrap": ("bwrap",),
    "postgresql": ("initdb", "postgres"),
}


def in_ci():
    """Whether nothing may be skipped for want of a system package."""
    return os.environ.get("CI", "").lower() in ("1", "true")


def do_without(reason):
    """Skip the test; where nothing may be missing, fail."""
    (pytest.fail if in_ci() else pytest.skip)(reason)


def hidden():
    """Names of the programs that are to be absent."""
    names = [name for name in os.environ.get("ACME_WITHOUT", "").replace(",", " ").split() if name]
    if wrong := set(names) - set(PROGRAMS):
        raise pytest.UsageError(f"ACME_WITHOUT may name {', '.join(PROGRAMS)}, got {', '.join(sorted(wrong))}")
    return names


def hide(folder):
    """Give this process, and all that it starts, a search path without the hidden programs.

    A folder that holds one of them is replaced by one, in `folder`, with links to all else.
    """
    programs = {program for name in hidden() for program in PROGRAMS[name]}
    path = os.environ.get("PATH", "").split(os.pathsep)
    for i, place in enumerate(path):
        if place and any(Path(place, program).exists() for program in programs):
            links = Path(tempfile.mkdtemp(dir=folder))
            for entry in os.scandir(place):
                if entry.name not in programs:
                    (links / entry.name).symlink_to(entry.path)
            path[i] = str(links)
    os.environ["PATH"] = os.pathsep.join(path)


def find_chromium():
    """Path of an installed Chromium or Chrome, or None."""
    if "chromium" in hidden():
        return None
    found = [shutil.which(name) for name in PROGRAMS["chromium"]]
    if sys.platform == "darwin":
        found += [f"/Applications/{app}.app/Contents/MacOS/{app}" for app in ("Chromium", "Google Chrome")]
    elif sys.platform == "win32":
        roots = [os.environ.get(name) for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")]
        found += [str(Path(root, "Google/Chrome/Application/chrome.exe")) for root in roots if root]
    return next((path for path in found if path and Path(path).is_file()), None)


def find_postgresql():
    """Folder of PostgreSQL's programs, or None."""
    if "postgresql" in hidden():
        return None
    found = [Path(program).resolve().parent for program in [shutil.which("initdb")] if program]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found else None


def why_no_namespaces():
    """Say what this machine lacks for the full guard of the sandbox; an empty text where it lacks nothing."""
    from acme_lib.grade.boundary.bubblewrap import find_setup
    from acme_lib.grade.boundary.guards import find_guards

    return "" if "namespaces" in find_guards() else f"no namespaces: {find_setup()[1]}"

"""JupyterLab, started as the README says, opens on the welcome page; started on another place, it opens there."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def opened_page(tmp_path, cwd, *arguments):
    """Path of the page that a `jupyter lab` started in `cwd` opens."""
    options = ["--no-browser", "--ServerApp.port=0", "--IdentityProvider.token=acme"]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    with open(tmp_path / "log", "w+b") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, *arguments], cwd=cwd, env=environment, stdout=log, stderr=log
        )
        try:
            with open_when_ready(f"{server_address(tmp_path, server)}?token=acme", server) as page:
                assert page.status == 200
                return urllib.parse.urlparse(page.url).path
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def open_when_ready(address, server, patience=30):
    """Open a page of a server, which may write its address a moment before it listens."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return urllib.request.urlopen(address, timeout=30)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            if time.monotonic() > deadline or server.poll() is not None:
                raise
            time.sleep(0.2)


def server_address(tmp_path, server, patience=60):
    """Address that a started server writes into its runtime folder."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and server.poll() is None:
        for page in (tmp_path / "runtime").glob("jpserver-*-open.html"):
            if re.search("url=", page.read_text(encoding="utf-8")):
                (info,) = (tmp_path / "runtime").glob("jpserver-*[0-9].json")
                return json.loads(info.read_text(encoding="utf-8"))["url"]
        time.sleep(0.2)
    raise AssertionError("JupyterLab did not start:\n" + (tmp_path / "log").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        ([], "/lab/tree/course/00_welcome.ipynb"),
        pytest.param(["tests"], "/lab", marks=pytest.mark.thorough),
        pytest.param(["--ServerApp.root_dir=tests"], "/lab", marks=pytest.mark.thorough),
    ],
    ids=["no target", "a folder", "a root"],
)
def test_page_that_opens_in_the_repository(tmp_path, arguments, page):
    assert (ROOT / "course" / "00_welcome.ipynb").is_file()
    assert opened_page(tmp_path, ROOT, *arguments) == page


@pytest.mark.thorough
def test_page_that_opens_elsewhere(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert opened_page(tmp_path, folder, "--allow-root") == "/lab"

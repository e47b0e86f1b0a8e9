"""The course elsewhere: on a server that is read-only, in a classroom without a network, in a container."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acme_lib import kernel_cache

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SIMULATE = """
import numpy as np
import acme_lib as acme
ensemble = acme.simulate_ssa(acme.models.birth_death(), {"M": 0}, [1.0], size=100, rng=np.random.default_rng(1))
print(acme.__file__, ensemble.counts.shape)
"""


@pytest.fixture
def as_learner(namespaces, tmp_path):
    """Return how to run Python in a folder with spaces and umlauts, without a home, where only /tmp can be written."""

    def command(*arguments):
        course = f"{tmp_path}/Kurs für alle/acme"
        guarded = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
        guarded += ["--ro-bind", str(ROOT), course, "--unshare-user", "--uid", "1000", "--gid", "1000"]
        guarded += ["--clearenv", "--setenv", "PATH", os.environ["PATH"], "--setenv", "HOME", "/nonexistent"]
        return [*guarded, "--setenv", "PYTHONPATH", course, "--chdir", course, sys.executable, *arguments]

    return command


@pytest.mark.thorough
def test_read_only_and_without_a_home_it_computes_and_says_once_what_is_not_kept(as_learner):
    done = subprocess.run(as_learner("-c", SIMULATE), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Kurs für alle/acme/acme_lib/__init__.py (100, 1, 1)" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("acme: compiling, about 20 s, and again in each session: neither")


@pytest.mark.thorough
def test_read_only_and_without_a_home_the_lab_opens(as_learner):
    command = as_learner("-m", "acme_lib.cli", "lab", "--no-browser", "--ServerApp.port=0")
    said, deadline = [], time.monotonic() + 120
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as lab:
        while time.monotonic() < deadline and "is running at" not in "".join(said[-1:]):
            said.append(lab.stdout.readline())
        lab.terminate()
    assert "is running at" in said[-1], "".join(said)
    told = "".join(said)
    assert "cannot be written to: copy it to a folder of yours" in told and "your home cannot be written to" in told


def test_a_folder_for_kernels_is_found_where_one_can_be(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert kernel_cache.find_folder() is None  # the user has chosen
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert kernel_cache.find_folder() is None  # beside the library, as in this clone
    assert "NUMBA_CACHE_DIR" not in os.environ
    assert kernel_cache.is_writable(tmp_path / "new" / "newer")


def test_the_container_installs_what_ci_proves():
    """No container can be built everywhere: its commands are those that `.ci/run` runs in an empty environment."""
    container, ci = ((ROOT / name).read_text("utf-8") for name in (".devcontainer/Dockerfile", ".ci/run"))
    for command in ("uv pip install --quiet -r requirements.txt", "uv pip install --quiet --no-deps -e ."):
        assert command in container and command in ci
    ignored = set((ROOT / ".devcontainer/Dockerfile.dockerignore").read_text("utf-8").split())
    assert {"personal.json", "gradebook.db", "submitted", "audit"} <= ignored, "no student's work goes into an image"
    settings = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    assert settings["postCreateCommand"].startswith("pip install uv && uv ")


@pytest.mark.slow
def test_a_bundle_of_wheels_installs_without_a_network(namespaces, tmp_path):
    """With the README's own commands: one where there is a network, one where there is none."""
    bundle, install = re.findall(r"^((?:uv run|pip install) .*wheels.*)$", README, re.MULTILINE)
    subprocess.run(
        shlex.split(bundle.replace("--wheel-dir wheels", f"--wheel-dir {tmp_path}/wheels")), cwd=ROOT, check=True
    )
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    offline = ["bwrap", "--bind", "/", "/", "--dev", "/dev", "--unshare-net", "--chdir", str(tmp_path)]
    environment = {"PATH": f"{tmp_path}/venv/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run([*offline, *shlex.split(install)], env=environment, check=True)
    shutil.copytree(ROOT / "course", tmp_path / "course")
    chapter = "course/00_welcome.ipynb"
    execute = ["jupyter", "nbconvert", "--to", "notebook", "--execute", chapter, "--output", "done.ipynb"]
    subprocess.run([*offline, *execute], env=environment | {"ACME_QUIET": "1"}, check=True)
    assert (tmp_path / "course/done.ipynb").exists()

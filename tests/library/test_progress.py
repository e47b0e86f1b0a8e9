"""A progress bar appears when work has become long, and costs nothing before."""

import os
import subprocess
import sys
import time

import pytest

from acme_lib import progress
from acme_lib.progress import ProgressBar


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(progress, "BAR_AFTER", 0.3)


def test_it_appears_late_with_all_that_was_done_before(capsys):
    with ProgressBar(None, 10, unit="cell") as bar:
        bar.update(5)
        assert capsys.readouterr().err == ""
        time.sleep(1.1)
        bar.update(1)
        shown = capsys.readouterr().err
        assert "6/10" in shown and "00:01" in shown and "cell" in shown
        bar.update(4)


@pytest.mark.parametrize(("wanted", "shown"), [(True, True), (False, False)])
def test_it_can_be_asked_for_and_refused(capsys, wanted, shown):
    with ProgressBar(wanted, 4) as bar:
        time.sleep(0.4)
        bar.update(4)
    assert ("4/4" in capsys.readouterr().err) == shown


SHORT = """
import sys, numpy as np, acme_lib as acme
from acme_lib import progress
network = acme.ReactionNetwork.parse("0 -> M : k\\nM -> 0 : g", k=3, g=1)
for _ in range(2):
    acme.simulate_ssa(network, {"M": 0}, 1.0, size=5, rng=np.random.default_rng(1), threads=1, compile=False)
print("tqdm" in sys.modules, progress.COMPILATION.seconds > 1.0)
"""


@pytest.mark.jit
@pytest.mark.parametrize("cold", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_short_work_makes_no_widgets(cold, tmp_path):
    """In a notebook each bar is eight widgets, which would be stored with it: not even the library is loaded.

    Nor while kernels compile, which is said instead, once.
    """
    subprocess.run([sys.executable, "-c", SHORT], capture_output=True, check=True)  # warm
    environment = os.environ | ({"NUMBA_CACHE_DIR": str(tmp_path)} if cold else {})
    done = subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == f"False {cold}\n"
    assert done.stderr == ("acme: compiling, about 20 s, only the first time\n" if cold else "")


def test_time_to_compile_is_no_time_of_work(capsys, monkeypatch):
    compilation = progress.Compilation()
    monkeypatch.setattr(progress, "COMPILATION", compilation)
    with ProgressBar(None, 10) as bar:
        compilation.on_start(None)
        compilation.on_start(None)  # a function that it calls
        time.sleep(0.5)
        bar.update(1)
        compilation.on_end(None)
        compilation.on_end(None)
        bar.update(1)
        assert capsys.readouterr().err == ""
        time.sleep(0.6)
        bar.update(1)
        assert "3/10 [00:00" in capsys.readouterr().err
    assert 0.5 <= compilation.seconds < 0.9


def test_long_compilation_is_told_once(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_TELL_AFTER", 0.25)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    compilation = progress.Compilation()
    for _ in range(8):  # each of them short
        compilation.on_start(None)
        time.sleep(0.1)
        compilation.on_end(None)
    assert capsys.readouterr().err == "acme: compiling, about 20 s, only the first time\n"


def test_notebooks_that_are_built_or_compared_say_the_same_on_every_machine(capsys, monkeypatch):
    monkeypatch.setenv("ACME_QUIET", "1")
    monkeypatch.setattr(progress, "_TELL_AFTER", 0.0)
    compilation = progress.Compilation()
    compilation.on_start(None)
    time.sleep(0.2)
    compilation.on_end(None)
    with ProgressBar(None, 4) as bar:
        time.sleep(0.4)
        bar.update(4)
    assert capsys.readouterr().err == ""

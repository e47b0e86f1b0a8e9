"""A progress bar appears when work has become long, and costs nothing before."""

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


def test_short_work_makes_no_widgets():
    """In a notebook each bar is eight widgets, which would be stored with it: not even the library is loaded."""
    code = (
        "import sys, numpy as np, acme_lib as acme\n"
        "network = acme.ReactionNetwork.parse('0 -> M : k\\nM -> 0 : g', k=3, g=1)\n"
        "rng = np.random.default_rng(1)\n"
        "acme.simulate_ssa(network, {'M': 0}, 1.0, size=5, rng=rng, threads=1, compile=False)\n"
        "print('tqdm' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

"""The library without its extras: what `pip install .` brings, that it works so, and what it says about the rest."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough  # half a minute: installs and compiles anew
ROOT = Path(__file__).resolve().parents[2]
NOT_WANTED = [
    "jupyterlab",
    "nbgrader",
    "sqlalchemy",
    "ipywidgets",
    "IPython",
    "jupytext",
    "pandas",
    "libsbml",
    "psycopg",
]

USE = """
import importlib.util, sys
import numpy as np
import acme_lib as acme

found = [name for name in sys.argv[1].split() if importlib.util.find_spec(name)]
assert not found, f"the library alone brings {found}"

rng = np.random.default_rng(1)
network = acme.ReactionNetwork.parse("0 -> M : k\\nM -> 0 : g", k=10.0, g=1.0)
counts = acme.simulate_ssa(network, {"M": 0}, 20.0, size=2000, rng=rng)["M"][:, -1]
assert abs(counts.mean() - 10) < 5 * np.sqrt(10 / 2000)
law = acme.laws.poisson(10.0)
stationary = acme.solve_stationary(network)
assert abs(stationary.probability("M == 7") - law.pmf(7)) < 1e-9
bursts = acme.laws.negative_binomial(3.0, 4.0)
fit = acme.noise.fit_negative_binomial(bursts.rvs(size=2000, rng=rng))
assert abs(fit.mean.value / 12.0 - 1) < 0.2
from acme_lib.plot import subplots
figure, axes = subplots()
axes.hist(counts)

for use, extra in {
    (lambda: acme.teach.predict): "course",
    (lambda: acme.read_sbml("x.xml")): "sbml",
    (lambda: acme.simulate_ssa(network, {"M": 0}, 1.0, size=2, rng=rng).to_pandas()): "data",
}.items():
    try:
        use()
    except acme.MissingExtraError as error:
        assert f'pip install ".[{extra}]"' in str(error), error
    else:
        raise AssertionError(f"this works without its extra {extra}")
print("used")
"""


def run(*command, cwd, **options):
    return subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=400, **options)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """An environment with what `pip install .` brings, and nothing else."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv: it makes the environment")
    folder = tmp_path_factory.mktemp("alone")
    # A copy, so that neither this environment nor what lies beside the library can be found by accident.
    source = folder / "repository"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT", *sorted(SHARED)):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "acme_lib", source / "acme_lib", ignore=shutil.ignore_patterns("__pycache__"))
    made = run(uv, "venv", "--python", sys.executable, folder / "venv", cwd=folder)
    assert made.returncode == 0, made.stderr
    python = folder / "venv" / Path(sysconfig.get_path("scripts")).name / Path(sys.executable).name
    # What is in uv's cache is taken from there; the rest needs an index.
    done = run(uv, "pip", "install", "--python", python, "--no-compile-bytecode", source, cwd=folder)
    if done.returncode != 0:
        pytest.skip(f"the library cannot be installed here (is there no package index?): {done.stderr[-300:]}")
    return python


SHARED = {"jupyter_lab_config.py", "jupyter_lab_overrides.json"}


def test_the_library_alone_is_small_and_works(alone, tmp_path):
    done = run(alone, "-c", USE, " ".join(NOT_WANTED), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "used"


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["lab"], "course"),
        (["build"], "grade"),
        (["grade", "x"], "grade"),
        (["audit", "x"], "grade"),
        (["statistics", "x"], "grade"),
    ],
)
def test_a_command_says_which_extra_it_needs(alone, tmp_path, command, extra):
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "01_x.md").write_text("# X\n")
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    done = run(alone, "-m", "acme_lib.cli", *command, cwd=tmp_path)
    assert done.returncode != 0
    assert f'pip install ".[{extra}]"' in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_the_check_of_the_installation_names_what_is_missing(alone, tmp_path):
    done = run(alone, "-m", "acme_lib.cli", "check", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "ipywidgets" in done.stdout

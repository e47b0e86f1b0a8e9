"""pyproject.toml, environment.yml and requirements.txt name the same packages within the same bounds."""

import itertools
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from acme_lib.extras import EXTRA_OF

ROOT = Path(__file__).resolve().parents[2]

# What conda-forge calls by another name than the Python index does. `matplotlib-base` is Matplotlib without Qt.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "playwright": "playwright-python"}

PIP_ONLY = {"axe-playwright-python"}  # what conda-forge does not have

PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[0-9][A-Za-z0-9.!+]*)(?: ; (?P<marker>.+))?")

with open(ROOT / "pyproject.toml", "rb") as file:
    PYPROJECT = tomllib.load(file)
PROJECT, EXTRAS = PYPROJECT["project"], PYPROJECT["project"]["optional-dependencies"]
LINES = [*PROJECT["dependencies"], *itertools.chain(*EXTRAS.values()), *PYPROJECT["dependency-groups"]["dev"]]
# An extra may ask for another extra, and the dev group asks for all.
DIRECT = [requirement for requirement in map(Requirement, LINES) if requirement.name != PROJECT["name"]]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PINS = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()


def conda_bounds():
    """Bounds by conda name."""
    lines = [entry for entry in ENVIRONMENT["dependencies"] if isinstance(entry, str)]
    pairs = [line.partition(" ")[::2] for line in lines]
    assert len(pairs) == len(dict(pairs)), "environment.yml names a package twice"
    return {name: SpecifierSet(bounds) for name, bounds in pairs}


def test_environment_has_the_bounds_of_pyproject():
    expected = {CONDA_NAMES.get(requirement.name, requirement.name): requirement.specifier for requirement in DIRECT}
    expected = {name: bounds for name, bounds in expected.items() if name not in PIP_ONLY}
    expected["python"] = SpecifierSet(PYPROJECT["project"]["requires-python"])
    expected["pip"] = SpecifierSet()
    assert conda_bounds() == expected


def test_every_direct_dependency_has_a_lower_bound():
    assert [str(requirement) for requirement in DIRECT if ">=" not in str(requirement.specifier)] == []


def test_the_two_commands_bring_every_extra():
    """`uv run` installs the dev group, and with it all that the project can do."""
    (whole,) = (
        need for need in map(Requirement, PYPROJECT["dependency-groups"]["dev"]) if need.name == PROJECT["name"]
    )
    assert whole.extras == set(EXTRAS)
    assert PYPROJECT["tool"]["uv"]["default-groups"] == ["dev"]


def test_a_package_that_an_extra_brings_is_named_with_it():
    """The message for a package that is missing names the extra that brings it."""
    modules = {}
    for module, names in metadata.packages_distributions().items():
        for name in names:
            modules.setdefault(canonicalize_name(name), set()).add(module)
    for extra, lines in EXTRAS.items():
        for need in map(Requirement, lines):
            if need.name != PROJECT["name"]:
                known = {module: EXTRA_OF[module] for module in modules[need.name] if module in EXTRA_OF}
                assert set(known.values()) == {extra}, f"acme_lib/extras.py: {need.name} comes with {extra}"


def test_environment_installs_the_project_from_conda_forge():
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]
    (by_pip,) = (entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict))
    assert by_pip == [*(str(requirement) for requirement in DIRECT if requirement.name in PIP_ONLY), "-e ."]


def test_pins_are_plain_pins():
    """A name, a version and at most a marker: no address, no hash, no option."""
    for line in PINS:
        match = PIN.fullmatch(line)
        assert match, f"{line!r} is not `name==version` or `name==version ; marker`"
        if match["marker"]:
            Marker(match["marker"])


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_direct_dependency_is_pinned_within_its_bounds(requirement):
    matches = [PIN.fullmatch(line) for line in PINS]
    versions = [m["version"] for m in matches if m and canonicalize_name(m["name"]) == requirement.name]
    assert versions, f"requirements.txt does not pin {requirement.name}"
    assert [version for version in versions if version not in requirement.specifier] == []


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14", "3.15"])
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_pins_choose_one_version_each(python, platform):
    """On each supported Python and system a package has at most one pin, and each direct dependency has one."""
    assert f"{python}.0" in SpecifierSet(PYPROJECT["project"]["requires-python"])
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "os_name": "nt" if platform == "win32" else "posix",
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[platform],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    chosen = [
        canonicalize_name(match["name"])
        for match in map(PIN.fullmatch, PINS)
        if not match["marker"] or Marker(match["marker"]).evaluate(environment)
    ]
    assert sorted(chosen) == sorted(set(chosen))
    assert {requirement.name for requirement in DIRECT} <= set(chosen)

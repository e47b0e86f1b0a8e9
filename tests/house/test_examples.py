"""Every example in a docstring of the library and in the README runs, and prints what it says."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

from tests.marks import always

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "acme_lib").rglob("*.py"))
}
MODULES = [name for name, path in FILES.items() if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", always(6, MODULES))
def test_docstring_examples(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert result.failed == 0 < result.attempted


def test_readme_examples():
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("```", "")
    examples = doctest.DocTestParser().get_doctest(text, {}, "README.md", "README.md", 0)
    assert examples.examples
    assert doctest.DocTestRunner(optionflags=OPTIONS).run(examples).failed == 0


def test_readme_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    inside = [target for target in targets if not target.startswith("https://")]
    assert inside
    assert [target for target in inside if not (ROOT / target).exists()] == []

"""Which exercise grades which formula: the table in `solutions/README.md` is that of the notebooks."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "solutions" / "README.md").read_text("utf-8").split("\n")
    if line.startswith("|") and not line.startswith(("| formula", "|---"))
]


def checks_of(chapter):
    """Return the graded code cells of an assignment, and which of them have hidden cases."""
    (path,) = ROOT.glob(f"solutions/{int(chapter):02}_*/*.ipynb")
    graded = [c for c in nbformat.read(path, 4).cells if c.metadata.get("nbgrader", {}).get("grade")]
    return {c.metadata.nbgrader.grade_id: "BEGIN HIDDEN TESTS" in c.source for c in graded if c.cell_type == "code"}


@pytest.mark.parametrize(("formula", "chapter", "checks"), ROWS, ids=[row[0] for row in ROWS])
def test_each_formula_is_graded(formula, chapter, checks):
    named = re.findall(r"`(\w+)`", checks)
    assert named
    assert all(checks_of(chapter)[name] for name in named)


def test_each_check_has_its_formula():
    """But those of a choice, of records and of orders of magnitude, which grade no formula."""
    named = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[2])}
    chapters = {int(path.parent.name[:2]) for path in ROOT.glob("solutions/*/*.ipynb")}
    graded = {name for chapter in chapters for name in checks_of(chapter)}
    others = {"made_in_bursts_check", "counts_at_check", "governed_by_cells_check", "extrinsic_interval_check"}
    assert graded - named == others

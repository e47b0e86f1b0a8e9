"""The course is for everyone: headings nest, links have names, and colours differ for whoever sees fewer of them.

What needs a page that is drawn (names of controls, contrast of text) is asked of axe-core in
`tests/browser/test_access.py`; descriptions of figures are held by `test_notebooks.py`.
"""

import itertools
import re
from pathlib import Path

import matplotlib
import matplotlib.colors
import nbformat
import numpy as np
import pytest

from acme_lib.plot.display import style

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted([*ROOT.glob("course/**/[!.]*.ipynb"), *ROOT.glob("exercises/*/*.ipynb")])
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
NAMELESS = {"", "here", "link", "this", "this link", "click here", "read more"}

# What three kinds of cones less see of linear red, green and blue: Machado, Oliveira & Fernandes (2009),
# doi:10.1109/TVCG.2009.113, table of severity 1.
SEEN = {
    "all": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = XYZ.sum(axis=1)
APART = 15  # CIE 1976 units, of which about two can just be told apart side by side


def linear(colour):
    c = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(seen):
    """Lightness and two colour axes of CIE 1976, from linear red, green and blue."""
    ratio = XYZ @ np.clip(seen, 0, 1) / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def texts(path):
    """Return the Markdown cells of a notebook without their code and formulas."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    return [re.sub(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$]*\$", "", cell, flags=re.DOTALL) for cell in cells]


def test_the_measure_knows_a_pair_that_is_known_to_fail():
    """Pure red and a dark green look alike without red cones, or green ones; white is white to all."""
    for kind in ("protanopia", "deuteranopia"):
        pair = [lab(np.array(SEEN[kind]) @ linear(colour)) for colour in ("#8B0000", "#3B4A00")]
        assert np.linalg.norm(pair[0] - pair[1]) < APART
    for matrix in SEEN.values():
        np.testing.assert_allclose(lab(np.array(matrix) @ linear("white")), [100, 0, 0], atol=0.01)


@pytest.mark.parametrize("kind", SEEN)
def test_every_two_colours_of_lines_can_be_told_apart(kind):
    with style():
        colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    seen = {colour: lab(np.array(SEEN[kind]) @ linear(colour)) for colour in colours}
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > APART, (one, other)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_headings_nest(path):
    levels = [len(m) for text in texts(path) for m in re.findall(r"^(#{1,6}) ", text, re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1, "one title, and first"
    for above, level in itertools.pairwise(levels):
        assert level <= above + 1, f"a heading of level {level} right below one of level {above}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_have_names(path):
    for text in texts(path):
        for name, target in LINK.findall(text):
            assert name.strip(" *_.").lower() not in NAMELESS, target
            assert not name.startswith(("http:", "https:")) or "doi" in name, target

"""The outlines of a formula: what matplotlib's mathtext reads of LaTeX, as numbers for a drawing of any kind."""

import functools
import re
from dataclasses import dataclass

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

LONGEST = 600  # characters: a third of a second
LARGEST = 60  # ems, of width and height
_UNITS = 100  # of the outlines, an em
_MARGIN = 3
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
# What mathtext knows under another name.
_NAMES = {"tfrac": "frac", "lt": "<", "gt": ">", "lvert": "|", "rvert": "|", "implies": "Longrightarrow"}
_RENAMED = re.compile(rf"\\({'|'.join(_NAMES)})(?![A-Za-z])")
_SHORT_FRACTION = re.compile(r"\\(frac|binom)\s*([A-Za-z0-9])\s*([A-Za-z0-9])(?![A-Za-z])")


@dataclass(frozen=True)
class Outline:
    """A formula as one path.

    Attributes
    ----------
    width, height, depth : float
        In ems; `depth` is the part of the height below the line.
    path : str
        The ``d`` of an SVG path: numbers and letters.
    box : str
        The ``viewBox`` of the SVG.
    """

    width: float
    height: float
    depth: float
    path: str
    box: str


@functools.lru_cache(maxsize=2_000)
def outline_formula(source, display=False):
    r"""Return the outlines of a formula, or None when it cannot be drawn.

    Parameters
    ----------
    source : str
        LaTeX, without dollar signs.
    display : bool
        Whether it stands on a line of its own, where fractions are large.

    Returns
    -------
    Outline or None

    Examples
    --------
    >>> outline_formula("n^2").box
    '-3 -92 102 96'
    >>> outline_formula(r"\unknown{n}") is None
    True
    """
    text = _RENAMED.sub(lambda found: _rename(found[1]), source)
    text = " ".join(_SHORT_FRACTION.sub(r"\\\1{\2}{\3}", text).split())
    if display:
        text = re.sub(r"\\frac(?![A-Za-z])", r"\\dfrac", text)
    if not text or len(text) > LONGEST or not all(map(_has_outline, set(text))):
        return None
    font = FontProperties(size=_UNITS, math_fontfamily="stix")
    try:
        width, height, depth = text_to_path.get_text_width_height_descent(f"${text}$", font, ismath=True)
        vertices, codes = text_to_path.get_text_path(font, f"${text}$", ismath=True)
    except (ValueError, RecursionError, ArithmeticError):  # not LaTeX, not the part that mathtext reads, or too deep
        return None
    largest = LARGEST * _UNITS
    if not (0 < width <= largest and 0 < height <= largest and 0 <= depth <= height):
        return None
    steps, last = [], None
    for (x, y), code in zip(vertices, codes, strict=True):
        if code == Path.CLOSEPOLY:
            steps.append("Z")
        else:  # a curve's points follow one another under one letter
            steps.append(f"{_LETTERS[code] if code != last or code == Path.MOVETO else ' '}{x:.0f} {-y:.0f}")
        last = code
    # a margin for slanted letters; what a negative space moves farther out is cut off
    width, height, depth = width + 2 * _MARGIN, height + 2 * _MARGIN, depth + _MARGIN
    box = f"{-_MARGIN} {depth - height:.0f} {width:.0f} {height:.0f}"
    return Outline(width / _UNITS, height / _UNITS, depth / _UNITS, "".join(steps), box)


def _rename(name):
    known = _NAMES[name]
    return f"\\{known}" if known.isalpha() else f" {known} "


@functools.cache
def _has_outline(character):
    """Whether one of mathtext's fonts holds a character: it would draw a sign of its own for others."""
    if character.isascii():
        return True
    fonts = [get_font(findfont(name)) for name in ("STIXGeneral", "DejaVu Sans")]
    return any(font.get_char_index(ord(character)) for font in fonts)

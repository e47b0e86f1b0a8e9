r"""Formulas of a page as drawings: ``$…$`` becomes an SVG of outlines, with its source for who cannot see it.

The page then needs no script, no fonts and no network. What a student typed comes out as numbers (outlines) and as
escaped text, so that nothing of it can act in the page. Matplotlib's mathtext reads the part of LaTeX that is of use in
an answer; what it cannot read, or what would cost more than `BUDGET`, stays as it was typed.
"""

import functools
import re

from nbconvert.filters.markdown_mistune import IPythonRenderer

from acme_lib.report.pages import escape

LONGEST = 600  # characters of one formula: a third of a second
BUDGET = 20_000  # characters of all formulas of one text
_SIZE = 100  # of the outlines, an em
_SCALE = 1.12  # STIX has small letters beside the fonts of a page
_LARGEST = 60 * _SIZE
_ROWS = re.compile(
    r"\s*\\begin\{(?P<name>(?:equation|align|aligned|gather|gathered|split|multline|eqnarray)\*?)\}"
    r"(?P<body>.*)\\end\{(?P=name)\}\s*",
    re.DOTALL,
)
_NUMBERS = re.compile(r"\\(?:nonumber|notag)(?![A-Za-z])|\\label\{[^{}]*\}")
# What mathtext knows under another name.
_NAMES = {"tfrac": "frac", "lt": "<", "gt": ">", "lvert": "|", "rvert": "|", "implies": "Longrightarrow"}
_SHORT_FRACTION = re.compile(r"\\(frac|binom)\s*([A-Za-z0-9])\s*([A-Za-z0-9])(?![A-Za-z])")
_RENAMED = re.compile(rf"\\({'|'.join(_NAMES)})(?![A-Za-z])")
STYLE = """
svg.formula { overflow: visible; max-width: 100%; fill: currentColor; }
.formulas { display: block; overflow-x: auto; margin: 0.6rem 0; text-align: center; }
.formulas .row { display: block; padding: 0.3rem 0; }
""".strip()


class TextWithFormulas(IPythonRenderer):
    """Renderer of Markdown that draws formulas."""

    def __init__(self, **options):
        super().__init__(**options)
        self._left = BUDGET

    def inline_math(self, body):
        """Draw a formula within a line."""
        return self._draw(body) or f"<code>${escape(body)}$</code>"

    def block_math(self, body):
        """Draw a formula on lines of its own."""
        return self._write_rows(body) or f"<code>$${escape(body)}$$</code>"

    def latex_environment(self, name, body):
        """Draw the rows of an environment of equations."""
        source = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self._write_rows(source) or f"<code>{escape(source)}</code>"

    def _write_rows(self, source):
        """Return a block with a drawing for each row, or an empty text when one cannot be drawn."""
        rows = [source]
        if found := _ROWS.fullmatch(source):
            body = _NUMBERS.sub("", found["body"])
            rows = [re.sub(r"(?<!\\)&", "", row) for row in re.split(r"\\\\(?:\[[^\]]*\])?", body)]
        drawn = [self._draw(row, display=True) for row in rows if row.strip()]
        # spans: a renderer puts them into a paragraph, where no <div> may stand
        lines = "".join(f'<span class="row">{one}</span>' for one in drawn)
        return f'<span class="formulas" tabindex="0">{lines}</span>' if drawn and all(drawn) else ""

    def _draw(self, source, display=False):
        self._left -= len(source)
        return draw_formula(source, display) if self._left >= 0 else ""


@functools.lru_cache(maxsize=2_000)
def draw_formula(source, display=False):
    r"""Return a formula as an inline SVG, or an empty text when it cannot be drawn.

    Parameters
    ----------
    source : str
        LaTeX, without dollar signs.
    display : bool
        Whether it stands on a line of its own, where fractions are large.

    Returns
    -------
    str

    Examples
    --------
    >>> draw_formula("n^2")[:46]
    '<svg class="formula" role="img" aria-label="n^'
    >>> draw_formula(r"\unknown{n}")
    ''
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path
    from matplotlib.textpath import text_to_path

    text = _RENAMED.sub(lambda found: _rename(found[1]), source)
    text = " ".join(_SHORT_FRACTION.sub(r"\\\1{\2}{\3}", text).split())
    if display:
        text = re.sub(r"\\frac(?![A-Za-z])", r"\\dfrac", text)
    if not text or len(text) > LONGEST or not all(map(_has_outline, set(text))):
        return ""
    font = FontProperties(size=_SIZE, math_fontfamily="stix")
    try:
        width, height, depth = text_to_path.get_text_width_height_descent(f"${text}$", font, ismath=True)
        vertices, codes = text_to_path.get_text_path(font, f"${text}$", ismath=True)
    except (ValueError, RecursionError, ArithmeticError):  # not LaTeX, not the part that mathtext reads, or too deep
        return ""
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST and 0 <= depth <= height):
        return ""
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
    steps, last = [], None
    for (x, y), code in zip(vertices, codes, strict=True):
        if code == Path.CLOSEPOLY:
            steps.append("Z")
        else:  # a curve's points follow one another under one letter
            steps.append(f"{letters[code] if code != last or code == Path.MOVETO else ' '}{x:.0f} {-y:.0f}")
        last = code
    box = f"0 {-(height - depth):.0f} {width:.0f} {height:.0f}"
    wide, high, deep = (_SCALE * length / _SIZE for length in (width, height, depth))
    style = f"width:{wide:.2f}em;height:{high:.2f}em;vertical-align:{-deep:.2f}em"
    return (
        f'<svg class="formula" role="img" aria-label="{escape(source.strip())}" viewBox="{box}" style="{style}">'
        f'<path d="{"".join(steps)}"/></svg>'
    )


def _rename(name):
    known = _NAMES[name]
    return f"\\{known}" if known.isalpha() else f" {known} "


@functools.cache
def _has_outline(character):
    """Whether one of mathtext's fonts holds a character: it would draw a sign of its own for others."""
    if character.isascii():
        return True
    from matplotlib.font_manager import findfont, get_font

    fonts = [get_font(findfont(name)) for name in ("STIXGeneral", "DejaVu Sans")]
    return any(font.get_char_index(ord(character)) for font in fonts)

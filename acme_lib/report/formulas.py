r"""Formulas of a page as drawings: ``$…$`` becomes an SVG of outlines, with its source for who cannot see it.

The page then needs no script, no fonts and no network. What a student typed comes out as numbers (outlines) and as
escaped text, so that nothing of it can act in the page. Matplotlib's mathtext reads the part of LaTeX that is of use in
an answer; what it cannot read, or what would cost more than `BUDGET`, stays as it was typed.
"""

import re

from nbconvert.filters.markdown_mistune import IPythonRenderer

from acme_lib.report.pages import escape

BUDGET = 20_000  # characters of all formulas of one text
_SCALE = 1.12  # STIX has small letters beside the fonts of a page
_ROWS = re.compile(
    r"\s*\\begin\{(?P<name>(?:equation|align|aligned|gather|gathered|split|multline|eqnarray)\*?)\}"
    r"(?P<body>.*)\\end\{(?P=name)\}\s*",
    re.DOTALL,
)
_NUMBERS = re.compile(r"\\(?:nonumber|notag)(?![A-Za-z])|\\label\{[^{}]*\}")
STYLE = """
svg.formula { overflow: hidden; max-width: 100%; fill: currentColor; }
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


def draw_formula(source, display=False):
    r"""Return a formula as an inline SVG, or an empty text when it cannot be drawn (see `outline_formula`).

    Examples
    --------
    >>> draw_formula("n^2")[:46]
    '<svg class="formula" role="img" aria-label="n^'
    """
    from acme_lib.plot.formula import outline_formula  # here: it loads much, and most of nbgrader's steps draw nothing

    outline = outline_formula(source, display)
    if outline is None:
        return ""
    wide, high, deep = (_SCALE * length for length in (outline.width, outline.height, outline.depth))
    style = f"width:{wide:.2f}em;height:{high:.2f}em;vertical-align:{-deep:.2f}em"
    return (
        f'<svg class="formula" role="img" aria-label="{escape(source.strip())}" viewBox="{outline.box}"'
        f' style="{style}"><path d="{outline.path}"/></svg>'
    )

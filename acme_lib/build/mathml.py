"""Formulas as MathML, which browsers typeset themselves: no script, no network, and a screen reader can read them."""

import functools
import html
import importlib.util
import io
import re
from pathlib import Path
from xml.etree import ElementTree

from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml

from acme_lib.errors import AcmeError

_SPACE = "{http://www.w3.org/1998/Math/MathML}"
# Left alone: tags, code and what is typeset already.
_APART = re.compile(r"(<(pre|code|script|style|math|svg)\b.*?</\2>|<[^>]*>)", re.DOTALL | re.IGNORECASE)
_FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>[^$\n]+(?:\n[^$\n]+)*)\$", re.DOTALL)


class FormulaError(AcmeError):
    """A formula that cannot be typeset."""


@functools.cache
def formula(latex, block=False):
    r"""Return LaTeX as MathML.

    Raises
    ------
    FormulaError
        If it holds what is not known.

    Examples
    --------
    >>> formula(r"\mu")
    '<math ...<mi>μ</mi>...</math>'
    """
    known = re.sub(r"\\dots(?![a-z])|…", r"\\ldots ", latex)
    known = re.sub(r"\\[bB]igg?[lrm]?(?![a-zA-Z])", "", known)  # sizes: delimiters stretch by themselves
    known = re.sub(r"\\([dt]?frac|binom)(\d)(\d)", r"\\\1{\2}{\3}", known)  # \frac12
    known = re.sub(r"\\([bB]igg?)(?![a-zA-Z])", r"\\\1l ", known)  # \bigg|
    try:
        return _put_below_braces(tex2mathml(known, as_block=block))
    except MathError as error:
        raise FormulaError(f"cannot typeset {latex.strip()!r}: {error}") from None


def _put_below_braces(mathml):
    """Put what a brace says below or above it; docutils puts it behind the brace, as an index."""
    if "⏟" not in mathml and "⏞" not in mathml:
        return mathml
    root = ElementTree.fromstring(mathml)
    for node in root.iter():
        inner = list(node)[0] if len(node) else None
        for index, stack, brace in (
            (_SPACE + "msub", _SPACE + "munder", "⏟"),
            (_SPACE + "msup", _SPACE + "mover", "⏞"),
        ):
            if node.tag == index and inner.tag == stack and inner[-1].text == brace:
                node.tag = stack
    ElementTree.register_namespace("", _SPACE[1:-1])
    return ElementTree.tostring(root, encoding="unicode")


def math_font():
    """Return the font of formulas (WOFF): Matplotlib's, which has the table that browsers need to typeset them."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    home = Path(importlib.util.find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
    font, packed = TTFont(home / "DejaVuSerif.ttf"), io.BytesIO()
    options = subset.Options(layout_features=["*"], flavor="woff", notdef_outline=True)
    options.drop_tables += ["FFTM"]  # the font editor's
    cut = subset.Subsetter(options)
    ranges = [(0x20, 0x17F), (0x300, 0x3FF), (0x2000, 0x23FF), (0x27C0, 0x2AFF), (0x1D400, 0x1D7FF), (0x25A0, 0x25FF)]
    cut.populate(unicodes=[code for low, high in ranges for code in range(low, high + 1)])
    cut.subset(font)
    subset.save_font(font, packed, options)
    return packed.getvalue()


def typeset(text):
    r"""Return HTML in which formulas between ``$`` are MathML; code is left alone.

    Examples
    --------
    >>> typeset(r"the mean $\mu$, <code>$HOME</code>")
    'the mean <math ...</math>, <code>$HOME</code>'
    """
    parts = _APART.split(text)
    # between two parts stand what was found and the name of its tag
    plain, apart = parts[::3], parts[1::3]
    plain = [_FORMULA.sub(_replace, part).replace(r"\$", "$") for part in plain]
    return "".join(a + b for a, b in zip(plain, [*apart, ""], strict=True))


def _replace(found):
    block = found["block"] is not None
    return formula(html.unescape(found["block"] or found["inline"]), block)

"""Formulas as MathML, which browsers typeset themselves: no script, no network, and a screen reader can read them."""

import functools
import html
import re

from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml

from acme_lib.errors import AcmeError

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
    known = re.sub(r"\\([dt]?frac|binom)(\d)(\d)", r"\\\1{\2}{\3}", known)  # \frac12
    try:
        return tex2mathml(known, as_block=block)
    except MathError as error:
        raise FormulaError(f"cannot typeset {latex.strip()!r}: {error}") from None


def typeset(text):
    r"""Return HTML in which formulas between ``$`` are MathML; code is left alone.

    Examples
    --------
    >>> typeset("the mean $\mu$, <code>$HOME</code>")
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

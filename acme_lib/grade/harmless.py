"""Text of a student's, made harmless for a page and for a message."""

import re


def plain(text, length=60):
    """Return the letters, digits, blanks, dots and dashes at the start of a text: what a message may repeat."""
    return "".join(c for c in text[:length] if c.isalnum() or c in " _-.")


_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?=[(:\[])")
_ADDRESS = re.compile(r"(?i)\b(https?|ftp):(?=//)")  # becomes a live link by itself
_TEX = re.compile(
    r"\\(?=(?:href|url|require|class|style|cssId|data|html\w*|unicode|includegraphics|mmlToken|texttip|mathtip|toggle|"
    r"def|edef|gdef|let|newcommand|renewcommand|newenvironment|renewenvironment|csname|catcode|char)(?![a-z]))"
)


def neutralise(text):
    """Return Markdown that can only be text and mathematics: no HTML, no links, no images, no macros with effects.

    A blank after ``<``, ``]`` and ``https:`` is all it takes for the first two: neither HTML nor Markdown then reads a
    tag or a link there. Mathematics and code stay as they are for the reader.

    Examples
    --------
    >>> from acme_lib.grade.harmless import neutralise
    >>> neutralise("$a<b$ <img src=x onerror=alert(1)> [click](javascript:alert(1))")
    '$a< b$ < img src=x onerror=alert(1)> [click] (javascript:alert(1))'
    """
    text = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
    return _ADDRESS.sub(r"\1: ", _TEX.sub(r"\\ ", _LINK.sub("] ", _TAG.sub("< ", text))))

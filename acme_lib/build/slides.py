"""The slides of a chapter: one HTML file that needs neither a network nor a kernel.

What a slide is says the chapter itself (``slideshow`` in the metadata of its cells). Folded code is left out. Figures
with sliders move in the page; a prediction is asked, and its reasons come one step later. Formulas are MathML.

How high a text is depends on the fonts of the machine that shows it, so that the page itself arranges the slides as it
opens (``deck.js``): one that is too high for 16:9 becomes a little smaller, or several.
"""

import base64
import html
import mimetypes
import re
from pathlib import Path

import nbformat
from nbconvert.filters import markdown2html
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from acme_lib.build.chapters import CURTAIN
from acme_lib.build.mathml import math_font, typeset
from acme_lib.build.playable import head, play_cell
from acme_lib.teach.questions import read_questions

BUDGET = 800_000  # bytes of the pictures of one figure with sliders
_HERE = Path(__file__).parent
_CODE = HtmlFormatter(nowrap=True)
_ASKS = re.compile(r"\bpredict\((\d+), \"([^\"]+)\"\)\s*$")
_ANCHOR = re.compile(r'<a class="anchor-link"[^>]*>.*?</a>', re.DOTALL)
_LINK = re.compile(r'<a\b[^>]*href="(?!https?:)[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
_IMAGE = re.compile(r'(<img\b[^>]*src=")(?!data:|https?:)([^"]+)(")')


def make_slides(notebook, *, cache=None, budget=BUDGET):
    """Return the slides of a chapter as an HTML page.

    Parameters
    ----------
    notebook : path
        The chapter, executed.
    cache : path, optional
        Folder in which drawn figures are kept.
    budget : int
        Bytes that the pictures of one figure with sliders may take.

    Returns
    -------
    str
    """
    notebook = Path(notebook)
    cells = nbformat.read(notebook, as_version=4).cells
    slides, title = [], ""
    for cell in cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind in ("skip", "notes"):
            continue
        content = _show_cell(cell, notebook.parent, cache, budget)
        if not content:
            continue
        if kind in ("slide", "subslide") or not slides:
            slides.append([])
        slides[-1].append((kind == "fragment", content))
        title = title or _heading(content, 1)
    sections, above = [], title
    for slide in slides:
        inside = "".join(content for _, content in slide)
        own = _heading(inside, 2)
        above = own or above
        sections.append(_section(slide, "" if own or _heading(inside, 1) else above))
    font = base64.b64encode(math_font()).decode("ascii")
    style, script = ((_HERE / f"deck.{kind}").read_text("utf-8") for kind in ("css", "js"))
    style = f'@font-face {{ font-family: "acme formulas"; src: url(data:font/woff;base64,{font}) }}\n{style}'
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{re.sub("<[^>]*>", "", title)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">{head()}'
        f'<style>{style}</style></head><body><main id="deck" aria-label="Slides">{"".join(sections)}</main>'
        '<nav id="bar" aria-label="Slides"><button type="button" id="back" aria-label="Back">‹</button>'
        '<span id="place"></span><button type="button" id="on" aria-label="On">›</button></nav>'
        f"<script>{script}</script></body></html>\n"
    )


def _section(slide, above):
    """Return a slide: its parts in order, those that come later with the number of their step."""
    step, parts = 0, []
    for later, content in slide:
        step += later
        parts.append(f'<div class="part" data-step="{step}">{content}</div>')
        step += 'class="reasons"' in content
    running = f'<p class="above">{above}</p>' if above else ""
    return f'<section>{running}<div class="body"><div class="content">{"".join(parts)}</div></div></section>'


def _heading(content, level):
    found = re.search(rf"<h{level}[^>]*>(.*?)</h{level}>", content, re.DOTALL)
    return found[1] if found else ""


def _show_cell(cell, folder, cache, budget):
    """Return what a class sees of a cell."""
    if cell.cell_type == "markdown":
        text = _ANCHOR.sub("", markdown2html(cell.source))
        text = _LINK.sub(r"\1", text)  # to another page, which a single file does not have
        return typeset(_IMAGE.sub(lambda found: found[1] + _inline(folder / found[2]) + found[3], text))
    if cell.cell_type != "code":
        return ""
    if asked := _ASKS.search(cell.source):
        return _ask(read_questions(int(asked[1]))[asked[2]])
    if played := play_cell(cell.source, cache=cache, budget=budget):
        return played
    shown = "".join(_show_output(output) for output in cell.outputs)
    if "hide-input" not in cell.metadata.get("tags", []):
        shown = f'<pre class="code">{highlight(cell.source, PythonLexer(), _CODE).rstrip()}</pre>{shown}'
    return shown


def _show_output(output):
    if output.output_type == "stream":
        return f'<pre class="output">{html.escape(output.text.removeprefix(CURTAIN).rstrip())}</pre>'
    data = output.get("data", {})
    if "text/html" in data:
        return typeset(data["text/html"].removeprefix(CURTAIN))
    if "text/markdown" in data:
        return typeset(markdown2html(data["text/markdown"].removeprefix(CURTAIN)))
    return f'<pre class="output">{html.escape(data.get("text/plain", "").removeprefix(CURTAIN))}</pre>'


def _inline(path):
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{mimetypes.guess_type(path.name)[0]};base64,{data}"


def _ask(question):
    """Return a question with its options; the reasons of all are there, and shown one step later."""
    items = []
    for option in question["options"]:
        mark = "✔" if option == question["answer"] else "✘"
        reason = typeset(" ".join(question["because"][option].split()))
        option = typeset(html.escape(option, quote=False))
        items.append(f'<li>{option}<p class="reasons"><b>{mark}</b> {reason}</p></li>')
    asked = typeset(" ".join(question["question"].split()))
    return f'<div class="asks"><p><strong>Predict:</strong> {asked}</p><ol type="A">{"".join(items)}</ol></div>'

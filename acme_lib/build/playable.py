"""Figures with sliders, and predictions, that work in a page without a kernel: for the book and for slides.

A cell that ends in ``explore(…)`` or ``predict(…)`` runs alone (`tests/house/test_notebooks.py` holds that). Here it is
run, and becomes HTML that needs nothing but `head`, once in the page::

    from acme_lib.build.playable import head, play_cell

    page = head() + play_cell(cell.source)                        # one file: the pictures are inside
    html = play_cell(cell.source, folder=site / "figures", address="figures/")   # the pictures lie beside, as scripts
    play_cell("n = 1")                                            # None: nothing to play

`cache` names a folder in which drawn figures are kept, by the text of the cell and of the library.

A figure is drawn at many positions of its sliders as vector graphics in parts (`acme_lib.teach.vector`); each part is
kept once, and all is packed (gzip, base64). Where the product of all positions is too much, each slider gets fewer
positions; where these would be fewer than `LEAST`, the sliders move one at a time, and each returns to its start when
another is moved. Sliders are those of the browser: arrow keys, Home and End move them, a screen reader says their value
in the unit of the figure, and the sentence that answers the question is announced. Without scripts the start picture
stays, the question, and the folded answer of a prediction.

A prediction that was made is remembered in the browser, and the page hears of it: the event ``acme-predicted`` bubbles
from the form, which then has the class ``acme-predicted``. What a page folds until then it can unfold.
"""

import ast
import base64
import contextlib
import functools
import gzip
import hashlib
import html
import io
import itertools
import json
import os
import sys
from pathlib import Path

from acme_lib.build.mathml import typeset
from acme_lib.checks import expected
from acme_lib.files import write_whole
from acme_lib.teach.prediction import Prediction
from acme_lib.teach.vector import VectorDrawer
from acme_lib.teach.widgets import SliderFigure

BUDGET = 2_000_000  # bytes of one figure
FRAMES = 729  # pictures of one figure at most (9 × 9 × 9): a book should be built in minutes
LEAST = 7  # positions of a slider, below which sliders move one at a time
_CALLS = {"explore", "explore_density", "predict"}
_HERE = Path(__file__).parent


def head():
    """Return the style and the script that every page with `play_cell` holds once."""
    style, script = ((_HERE / f"playable.{kind}").read_text("utf-8") for kind in ("css", "js"))
    return f"<style>{style}</style><script>{script}</script>"


def play_cell(source, *, cache=None, folder=None, address="", budget=BUDGET):
    """Return a cell as HTML that works in a page without a kernel.

    Parameters
    ----------
    source : str
        Code of a cell, whose last expression is what it shows.
    cache : path, optional
        Folder in which drawn figures are kept.
    folder : path, optional
        Where the pictures of a figure are written, as ``NAME.js``; by default they are inside of the HTML.
    address : str
        Of `folder` as the page sees it, with a slash at the end.
    budget : int
        Bytes that the pictures of one figure may take.

    Returns
    -------
    str or None
        None for a cell that ends in neither ``explore(…)`` nor ``predict(…)``.
    """
    if not _is_playable(source):
        return None
    name = f"acme-{hashlib.sha256(source.encode()).hexdigest()[:10]}"
    kept = cache and Path(cache) / f"{name}-{budget}-{state_of_the_library()}.json"
    if kept and kept.is_file():
        page, frames = json.loads(kept.read_text("utf-8"))
    else:
        shown = _run(source)
        if isinstance(shown, Prediction):
            return prediction_html(shown, name)
        if not isinstance(shown, SliderFigure):
            return None
        page, frames = figure_html(shown, name, budget=budget)
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept, json.dumps([page, frames]).encode())
    if folder is None:
        inside = f'<script type="text/plain" class="acme-frames">{frames}</script></figure>'
        return inside.join(page.rsplit("</figure>", 1))
    Path(folder).mkdir(parents=True, exist_ok=True)
    script = f'(window.acmeFrames ??= {{}})["{name}"] = "{frames}";\n'
    write_whole(Path(folder) / f"{name}.js", script.encode())
    return page.replace("<figure ", f'<figure data-frames="{html.escape(address)}{name}.js" ', 1)


def _is_playable(source):
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a magic
        return False
    if not body or not isinstance(body[-1], ast.Expr):
        return False
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return bool(_CALLS & {getattr(call, "attr", getattr(call, "id", None)) for call in calls})


def _run(source):
    """Run a cell alone and return what its last expression is; what the author predicted is no part of it."""
    *statements, last = ast.parse(source).body
    names = {"__name__": "__main__"}
    with quiet(), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(ast.Module(statements, []), "<cell>", "exec"), names)
        return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)


@contextlib.contextmanager
def quiet():
    """Let the library say nothing of its progress, and neither read nor keep a learner's record."""
    before = os.environ.get("ACME_QUIET")
    os.environ["ACME_QUIET"] = "1"
    try:
        yield
    finally:
        os.environ.pop("ACME_QUIET")
        if before is not None:
            os.environ["ACME_QUIET"] = before


@functools.cache
def state_of_the_library():
    """Return a hash of all that a picture depends on besides its cell."""
    library, digest = _HERE.parent, hashlib.sha256(sys.version.encode())
    for path in sorted(library.rglob("*.py")):
        room = path.relative_to(library).parts[0]
        if room not in ("grade", "report", "build", "cli.py") or path.name in ("playable.py", "mathml.py"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


# Figures


def figure_html(figure, name, *, budget=BUDGET, most=FRAMES):
    """Return a slider figure as HTML, and its packed pictures.

    Parameters
    ----------
    figure : SliderFigure
    name : str
        Id of the figure in the page.
    budget : int
        Bytes that the pictures may take.
    most : int
        Number of pictures.

    Returns
    -------
    page : str
        A ``<figure>`` without its pictures.
    frames : str
        The pictures.

    Raises
    ------
    ParameterError
        If even two positions of each slider take more than the budget.
    """
    drawer = VectorDrawer(figure, name)
    start = {key: figure.nearest(key, value) for key, value in figure.start.items()}
    most = min(most, _affordable(figure, drawer, start, budget))
    while True:
        whole, chosen = _choose_positions(figure, start, most)
        frames = _pack(_draw_all(figure, drawer, start, whole, chosen))
        if len(frames) <= budget:
            return _page(figure, name, drawer, start, whole, chosen), frames
        if most <= 2 * len(start):
            raise expected("budget", f"at least {len(frames):,} bytes for this figure", budget)
        most = max(2 * len(start), int(0.9 * most * budget / len(frames)))


def _affordable(figure, drawer, start, budget):
    """Return how many pictures fit into the budget, judging by a few of them."""
    few = list(_draw_all(figure, drawer, start, False, _choose_positions(figure, start, 6 * len(start))[1]))
    one = len(_pack(few[:1]))
    each = max(1.0, (len(_pack(few)) - one) / max(1, len(few) - 1))
    return max(2 * len(start), int(0.95 * (budget - one) / each))


def _choose_positions(figure, start, most):
    """Return whether all combinations are drawn, and the positions of each slider: its ends, its start and between."""
    lengths = {key: len(figure.positions(key)[0]) for key in start}
    counts, room, left = {}, most, len(lengths)
    for key in sorted(lengths, key=lengths.get):  # what a short slider does not need is for the longer ones
        counts[key] = min(lengths[key], int(room ** (1 / left) + 1e-9))
        room, left = room / max(1, counts[key]), left - 1
    whole = all(counts[key] >= min(LEAST, lengths[key]) for key in lengths)
    if not whole:
        counts = dict.fromkeys(lengths, max(2, most // len(lengths)))
    return whole, {key: _spread(lengths[key], start[key], counts[key]) for key in start}


def _spread(length, start, count):
    """Return `count` of so many positions, the ends and the start among them."""
    count = min(count, length)
    if count == length:
        return list(range(length))
    chosen = {round(i * (length - 1) / max(1, count - 1)) for i in range(count)}
    if start not in chosen:
        chosen.discard(min(chosen - {0, length - 1} or {None}, key=lambda i: abs((i or 0) - start)))
        chosen.add(start)
    return sorted(chosen)


def _draw_all(figure, drawer, start, whole, chosen):
    """Yield the figure at each combination, or for one slider after the other."""
    values = {key: figure.positions(key)[0] for key in chosen}
    if whole:
        places = [dict(zip(chosen, at, strict=True)) for at in itertools.product(*chosen.values())]
    else:
        places = [{**start, key: at} for key, ats in chosen.items() for at in ats]
    for place in places:
        try:
            drawing = drawer.draw(**{key: values[key][at] for key, at in place.items()})
            yield drawing.parts, typeset(drawing.text)
        except Exception as error:  # as in the notebook: the last good picture stays, and the line says why
            if place == start:
                raise
            yield (), html.escape(f"No picture for these values ({type(error).__name__}: {error}). Move a slider back.")


def _pack(drawings):
    """Return pictures as text in which each part stands once."""
    numbers = {}
    frames = [[[numbers.setdefault(part, len(numbers)) for part in parts], text] for parts, text in drawings]
    packed = json.dumps({"parts": list(numbers), "frames": frames}, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(packed.encode(), 9, mtime=0)).decode("ascii")


def _page(figure, name, drawer, start, whole, chosen):
    values = {key: figure.positions(key)[0][at] for key, at in start.items()}
    drawing = drawer.draw(**values)
    controls = "".join(_control(figure, key, start[key], chosen[key]) for key in chosen)
    if not whole:
        controls += '<p class="acme-note"><small>One slider at a time: the others return to their start.</small></p>'
    axes, *data = drawing.parts
    size = f"{drawing.width:g} {drawing.height:g}"
    alt, said = html.escape(figure.alt), typeset(drawing.text)
    label = f"{alt} {html.escape(drawing.text)}"
    return (
        f'<figure class="acme-playable" id="{name}" data-grid="{"all" if whole else "one"}" data-alt="{alt}">'
        f'<p class="acme-question"><strong>Find out:</strong> {typeset(figure.question)}</p>'
        f'<div class="acme-controls" hidden>{controls}<button type="button">Back to the start</button></div>'
        f'<p class="acme-says" role="status" aria-live="polite">{said}</p>'
        f'<div class="acme-picture"><svg role="img" aria-label="{label}" viewBox="0 0 {size}">'
        f"<g>{axes}</g><g>{''.join(data)}</g></svg></div>"
        f"<figcaption>{typeset(html.escape(figure.caption, quote=False))}</figcaption></figure>"
    )


def _control(figure, key, start, chosen):
    words = figure.positions(key)[1]
    label = html.escape(figure.sliders[key].description)
    return (
        f'<label><span>{label}</span><input type="range" min="0" max="{len(chosen) - 1}" step="1" '
        f'value="{chosen.index(start)}" data-words="{"|".join(words[at] for at in chosen)}" '
        f'aria-valuetext="{words[start]}"><span aria-hidden="true">{words[start]}</span></label>'
    )


# Predictions


def prediction_html(prediction, name):
    """Return a prediction as HTML: its options with their reasons; without scripts, the folded answer."""
    options = [html.escape(option, quote=False) for option in prediction.options]
    choices = "".join(
        f'<label><input type="radio" name="option" value="{i}"><span>{option}</span></label>'
        for i, option in enumerate(options)
    )
    replies = "".join(
        f'<template data-option="{i}">{typeset(prediction.verdict(option))}</template>'
        for i, option in enumerate(prediction.options)
    )
    return (
        f'<form class="acme-predict" id="{name}" data-key="{html.escape(prediction.key or name)}">'
        f"<fieldset><legend><strong>Predict:</strong> {typeset(prediction.question)}</legend>{choices}</fieldset>"
        '<button type="submit" disabled hidden>This is my prediction</button>'
        f'<div class="acme-reply" role="status" aria-live="polite"></div>{replies}'
        f"{typeset(prediction.answer_html())}</form>"
    )

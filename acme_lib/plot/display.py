"""Making figures in the style of the course and displaying them with a caption and a description in words."""

import base64
import functools
import html
import io
import sys
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from acme_lib.checks import expected

STYLE = Path(__file__).with_name("acme.mplstyle")
SMALLEST_WIDTH = 560  # pixels on the page, below which a figure is scrolled: its letters could not be read
# A figure is drawn black on white; a dark page turns its lightness round and keeps its hues.
_THEME = """<style>
body[data-jp-theme-light="false"] img.acme-figure, body[data-jp-theme-light="false"] .acme-figure img
{ filter: invert(1) hue-rotate(180deg); mix-blend-mode: screen }
</style>"""
_PARAMETERS = matplotlib.rc_params_from_file(STYLE, use_default_template=False)


def style():
    """Return a context in which Matplotlib draws in the style of the course."""
    return matplotlib.rc_context(_PARAMETERS)


def _in_style(method):
    @functools.wraps(method)
    def draw(*args, **options):
        with style():
            return method(*args, **options)

    return draw


class StyledAxes(Axes):
    """Axes that stay in the style of the course: these methods read the style when they are called."""

    annotate = _in_style(Axes.annotate)
    errorbar = _in_style(Axes.errorbar)
    legend = _in_style(Axes.legend)
    set_title = _in_style(Axes.set_title)
    text = _in_style(Axes.text)


class StyledFigure(Figure):
    """A figure that stays in the style of the course: these methods read the style when they are called."""

    colorbar = _in_style(Figure.colorbar)
    legend = _in_style(Figure.legend)
    suptitle = _in_style(Figure.suptitle)


def subplots(rows=1, columns=1, *, size=None, **options):
    """Make a figure and its axes in the style of the course.

    Unlike `matplotlib.pyplot.subplots` nothing is kept in a global list: a figure that is not shown is forgotten.

    Parameters
    ----------
    rows, columns : int
    size : (float, float), optional
        Width and height in inches.
    **options
        What `matplotlib.figure.Figure.subplots` takes, such as ``sharex=True`` or ``width_ratios=[2, 1]``.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes or ndarray of Axes
    """
    options["subplot_kw"] = {"axes_class": StyledAxes, **options.get("subplot_kw", {})}
    with style():
        figure = StyledFigure(figsize=size)
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, **options)
    return figure, axes


def png(figure, *, dpi=None):
    """Render a figure as it stands.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    dpi : float, optional
        Pixels per inch; the default is the style's.

    Returns
    -------
    bytes
        A PNG file.
    """
    drawn, packed = io.BytesIO(), io.BytesIO()
    with style():
        figure.savefig(drawn, format="png", dpi=dpi)
    # 256 colours are enough for a figure, and take half the room.
    picture = Image.open(drawn).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(packed, format="png", optimize=True)
    return packed.getvalue()


@dataclass(frozen=True)
class Picture:
    """A rendered figure with its caption and its description; notebooks display it as an HTML ``<figure>``.

    JupyterLab shows a plain image output without alternative text; hence HTML.

    Attributes
    ----------
    data : bytes
        The PNG file.
    alt : str
        What the figure shows, for a reader who cannot see it.
    caption : str
        What to see in it. May hold ``$…$``.
    width : int
        Width on the page, in pixels; a narrower page shrinks it.
    """

    data: bytes = field(repr=False)
    alt: str
    caption: str
    width: int = 840

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html(), "text/plain": f"Figure: {self.alt}\n{self.caption}"}

    def html(self):
        """Return the figure as HTML that needs no other file."""
        source = base64.b64encode(self.data).decode("ascii")
        smallest = min(self.width, SMALLEST_WIDTH)
        return (
            f'{_THEME}<figure class="acme-figure" style="margin: 0 0 1em 0; overflow-x: auto">'
            f'<img src="data:image/png;base64,{source}" alt="{html.escape(self.alt, quote=True)}" '
            f'width="{self.width}" style="max-width: 100%; min-width: {smallest}px; height: auto">'
            f"<figcaption>{html.escape(self.caption, quote=False)}</figcaption></figure>"
        )


def show(figure, *, alt, caption):
    """Display a figure with its caption and its description in words, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    alt : str
        What the figure shows, said to who cannot see it: the kind of picture, the axes, the finding.
    caption : str
        What to see in it; ``$…$`` is typeset.

    Raises
    ------
    ParameterError
        If the figure is none, or the caption or the description is missing.
    """
    if not isinstance(figure, Figure):
        raise expected("figure", "a Matplotlib figure", figure, "pass the axes' .figure")
    check_words(alt=alt, caption=caption)
    picture = Picture(png(figure), " ".join(alt.split()), " ".join(caption.split()), _width_on_page(figure))
    close(figure)

    from IPython.display import display

    display(picture)


def check_words(**texts):
    """Refuse a text that says nothing."""
    purpose = {
        "alt": "says what the figure shows to a reader who cannot see it",
        "caption": "says what to see in the figure",
    }
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise expected(name, "a sentence", text, f"it {purpose.get(name, 'is shown to the reader')}")


def close(figure):
    """Forget a figure that came from pyplot; others need no closing."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)


def _width_on_page(figure):
    return round(100 * figure.get_size_inches()[0])

"""A slider figure as vector graphics, in parts: what seldom changes, and each thing that shows data.

Two positions of a slider share nearly all of a picture. Drawn in parts, they share these parts as text, and a page can
hold hundreds of positions in the room of a few pictures, sharp at every size.
"""

import io
import re
from dataclasses import dataclass

import matplotlib
from matplotlib.backends.backend_svg import RendererSVG

from acme_lib.plot.display import style
from acme_lib.teach.widgets import data_artists, scenery_of

_POINTS = 72  # an inch of a drawing
_NUMBER = re.compile(r"-?\d+\.\d+")
_PLACES = re.compile(r'(?<=[ (])(d|x|y|points)="([^"]*)"')
_NAMES = re.compile(r'<g id="[a-z0-9_]+"')


@dataclass(frozen=True)
class Drawing:
    """A slider figure at one setting of its sliders.

    Attributes
    ----------
    width, height : float
        Of the drawing, in points.
    parts : tuple of str
        Pieces of SVG, to be drawn one after the other: first axes, ticks and legends, then what shows data.
    text : str
        The sentence that answers the question.
    """

    width: float
    height: float
    parts: tuple
    text: str


class VectorDrawer:
    """Draws a slider figure (`acme_lib.teach.explore`) without moving its sliders.

    Parameters
    ----------
    figure : SliderFigure
    name : str
        Told apart by it are the figures of one page: it enters the ids inside a drawing.
    """

    def __init__(self, figure, name):
        self._figure, self._name, self._sceneries = figure, name, {}

    def draw(self, **values):
        """Return the figure at these values of all its sliders.

        Raises whatever the figure's ``redraw`` raises.
        """
        text = self._figure.show_values(**values)
        figure = self._figure.figure
        with style(), matplotlib.rc_context({"svg.hashsalt": self._name, "svg.fonttype": "path"}):
            figure.set_dpi(_POINTS)
            moving = data_artists(figure)
            key = repr(scenery_of(figure))
            if key not in self._sceneries:
                self._sceneries[key] = self._draw_scenery(moving)
            parts = (self._sceneries[key], *self._draw_each(moving))
        width, height = figure.get_size_inches() * _POINTS
        return Drawing(float(width), float(height), parts, text)

    def _draw_scenery(self, moving):
        figure, stream = self._figure.figure, io.StringIO()
        for artist in moving:
            artist.set_visible(False)
        figure.savefig(stream, format="svg", dpi=_POINTS, metadata={"Date": None, "Creator": None})
        for artist in moving:
            artist.set_visible(True)
        figure.set_dpi(_POINTS)  # which saving has reset
        return self._tidy(re.sub(r"^.*?<svg[^>]*>|</svg>\s*$", "", stream.getvalue(), flags=re.DOTALL))

    def _draw_each(self, artists):
        width, height = self._figure.figure.get_size_inches() * _POINTS
        stream = io.StringIO()
        renderer = RendererSVG(width, height, stream, image_dpi=2 * _POINTS)
        ends = [self._written(renderer, stream)]
        for artist in artists:
            artist.draw(renderer)
            ends.append(self._written(renderer, stream))
        renderer.finalize()
        text = stream.getvalue()
        ends.append(len(text))
        parts = [text[start:end] for start, end in zip(ends, ends[1:], strict=False)]
        parts[-1] = parts[-1].replace("</svg>", "")  # the clip paths of all
        return [part for part in map(self._tidy, parts) if part]

    @staticmethod
    def _written(renderer, stream):
        renderer.writer.flush()
        return stream.tell()

    def _tidy(self, svg):
        """Leave out what no eye sees: names of groups, white space, digits that move nothing by a tenth of a point."""
        svg = re.sub(
            r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", svg, flags=re.DOTALL
        )
        svg = _NAMES.sub("<g", svg)
        svg = _PLACES.sub(lambda found: f'{found[1]}="{_NUMBER.sub(_shorten, found[2])}"', svg)
        # glyphs have ids of their own, the same in every figure
        svg = re.sub(r'(id="|href="#)(DejaVu|Cmr|STIX)', rf"\g<1>{self._name}-\2", svg)
        svg = svg.replace("xlink:href", "href")
        return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _shorten(number):
    value = float(number[0])
    return f"{value:.{1 if abs(value) >= 10 else 2}f}".rstrip("0").rstrip(".")

"""The demonstration of a chapter: one of its figures with sliders, drawn large, with settings that have names.

``demos/NN_chapter.toml`` beside this file says which figure is shown, and how. The figure itself is made by the
function in the chapter's notebook, so that a demonstration shows what the chapter shows. A file holds

* ``figure``: the function of the chapter that makes the figure;
* ``idea``: the one sentence that the class is to take home;
* ``play``: the slider that *play* moves;
* ``[presets]``: for each name the values of the sliders; those not named stay at their start;
* and where needed: ``axes``, which of several axes is shown (0 is the first), ``follow``, the directions in which the
  axes follow the curve (``"y"``, ``"x"``, ``"xy"`` or ``""``; default ``"y"``), ``xlabel`` and ``ylabel``.
"""

import ast
import re
import tomllib
from importlib import resources

import nbformat
import numpy as np
from matplotlib.ticker import FixedLocator, MaxNLocator

from acme_lib.checks import check_choice, expected
from acme_lib.errors import ParameterError
from acme_lib.plot import subplots
from acme_lib.teach.widgets import SliderFigure, follow_lines, round_up

_KEYS = {"figure", "idea", "play", "presets", "axes", "follow", "xlabel", "ylabel"}
_POINTS = 13  # size of the letters in a figure
_MARGINS = {"left": 1.0, "right": 0.25, "bottom": 0.65, "top": 0.12}  # inches around the axes: nothing shifts on a move


def list_demos():
    """Return the name of each chapter that has a demonstration, by its number."""
    folder = resources.files("acme_lib.teach") / "demos"
    names = sorted(path.name for path in folder.iterdir() if re.match(r"\d\d_.*\.toml$", path.name))
    return {int(name[:2]): name.removesuffix(".toml") for name in names}


def read_demo(chapter):
    """Return the demonstration of a chapter as its file holds it."""
    known = list_demos()
    if chapter not in known:
        raise expected("chapter", f"one that has a demonstration ({', '.join(map(str, known))})", chapter)
    file = resources.files("acme_lib.teach") / "demos" / f"{known[chapter]}.toml"
    return parse_demo(file.read_text("utf-8"))


def parse_demo(text):
    """Return the demonstration that a text describes.

    >>> parse_demo('figure = "regimes"')
    Traceback (most recent call last):
    acme_lib.errors.ParameterError: a demonstration needs idea, play, presets
    """
    demo = {"follow": "y", "axes": 0, "xlabel": None, "ylabel": None, **tomllib.loads(text)}
    if missing := sorted(_KEYS - set(demo)):
        raise ParameterError(f"a demonstration needs {', '.join(missing)}")
    if strange := sorted(set(demo) - _KEYS):
        raise ParameterError(f"a demonstration has no {', '.join(strange)}; it has {', '.join(sorted(_KEYS))}")
    check_choice("follow", demo["follow"], ("", "x", "y", "xy"))
    if not 2 <= len(demo["presets"]) <= 9:
        raise expected("presets", "two to nine settings, each with a key", demo["presets"])
    return demo


def make_figure(notebook, name):
    """Make a figure with sliders as a chapter does: run the cell that defines its function, and call it.

    Parameters
    ----------
    notebook : path
        Of the chapter.
    name : str
        Of the function.

    Returns
    -------
    SliderFigure
    """
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code" and f"def {name}(" in cell.source:
            tree = ast.parse(cell.source)
            tree.body = [part for part in tree.body if not isinstance(part, ast.Expr)]  # the call that displays it
            names = {}
            exec(compile(tree, str(notebook), "exec"), names)
            figure = names[name]()
            if not isinstance(figure, SliderFigure):
                raise expected(f"what {name}() returns", "a figure with sliders", figure)
            return figure
    raise ParameterError(f"{notebook} has no function {name!r}")


class Demo:
    """The demonstration of a chapter: two panels of one figure, side by side.

    Parameters
    ----------
    chapter : int
    notebook : path
        Of that chapter.
    """

    def __init__(self, chapter, notebook):
        self._demo = demo = read_demo(chapter)
        self.panels = [Panel(make_figure(notebook, demo["figure"]), demo) for _ in range(2)]
        shown = self.panels[0].figure
        self._values = {name: shown.positions(name)[0] for name in shown.sliders}
        named = [demo["play"], *(name for values in demo["presets"].values() for name in values)]
        if unknown := [name for name in named if name not in shown.sliders]:
            raise ParameterError(
                f"the figure {demo['figure']} has no slider {unknown[0]!r}; it has {', '.join(shown.sliders)}"
            )
        self.facts = {
            "chapter": chapter,
            "idea": demo["idea"],
            "alt": shown.alt,
            "legend": ", ".join(self.panels[0].labels),
            "play": list(shown.sliders).index(demo["play"]),
            "sliders": [
                {
                    "label": control.description,
                    "texts": shown.positions(name)[1],
                    "start": self._find(name, shown.start[name]),
                }
                for name, control in shown.sliders.items()
            ],
            "presets": [
                {"name": preset, "at": [self._find(name, value) for name, value in {**shown.start, **values}.items()]}
                for preset, values in demo["presets"].items()
            ],
        }

    def _find(self, name, value):
        """Return the position of a slider for a value, which may miss the ends by a step."""
        values = self._values[name]
        if not 2 * values[0] - values[1] <= value <= 2 * values[-1] - values[-2]:
            raise expected(name, f"from {values[0]:g} to {values[-1]:g}", value)
        return self.panels[0].figure.nearest(name, value)

    def draw(self, panel, at, width, height, letters):
        """Draw a panel.

        Parameters
        ----------
        panel : int
            0 or 1.
        at : sequence of int
            The place of each slider.
        width, height, letters : int
            Pixels: of the picture, and of the size of its letters.

        Returns
        -------
        text : str
            The sentence that says in numbers what is seen.
        pixels : ndarray of uint8, shape (height, width, 4)
        """
        values = {name: values[place] for (name, values), place in zip(self._values.items(), at, strict=True)}
        return self.panels[panel].draw(values, width, height, 72 * letters / _POINTS)

    def draw_legend(self, width, letters):
        """Draw the legend of both panels; returns its pixels."""
        return self.panels[0].draw_legend(width, 72 * letters / _POINTS)


class Panel:
    """One of the chapter's figures: one of its axes, without its legend."""

    def __init__(self, figure, demo):
        self.figure, self._follow, self._size = figure, demo["follow"], None
        drawing = figure.figure
        self.axes = axes = drawing.axes[demo["axes"]]
        for other in drawing.axes[:]:
            if other is not axes:
                drawing.delaxes(other)
        handles, self.labels = axes.get_legend_handles_labels()
        self._handles = handles
        for legend in [axes.get_legend(), *drawing.legends]:
            if legend is not None:
                legend.remove()
        axes.set(**{name: demo[name] for name in ("xlabel", "ylabel") if demo[name]})
        for axis, scale, ticks in ((axes.xaxis, axes.get_xscale(), 6), (axes.yaxis, axes.get_yscale(), 4)):
            if scale == "linear" and not isinstance(axis.get_major_locator(), FixedLocator):
                axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10]))

    def draw(self, values, width, height, dpi):
        """Draw the figure at the sliders' values; returns its sentence and its pixels."""
        text = self.figure.show_values(**values)
        if "x" in self._follow:
            _follow_across(self.axes)
        if "y" in self._follow:
            follow_lines(self.axes)
        if (size := (width / dpi, height / dpi)) != self._size:
            self._size = size
            self.figure.figure.set_size_inches(*size)
            left, bottom = _MARGINS["left"] / size[0], _MARGINS["bottom"] / size[1]
            across, up = 1 - left - _MARGINS["right"] / size[0], 1 - bottom - _MARGINS["top"] / size[1]
            self.axes.set_position([left, bottom, max(across, 0.1), max(up, 0.1)])
        return text, self.figure.pixels(dpi)

    def draw_legend(self, width, dpi):
        """Draw the legend that both panels share, in as few rows as the width allows."""
        for columns in range(len(self.labels), 0, -1):
            figure, axes = subplots(size=(width / dpi, 0.3 * -(-len(self.labels) // columns)))
            figure.set_layout_engine("none")
            axes.set_axis_off()
            figure.set_dpi(dpi)
            legend = figure.legend(self._handles, self.labels, loc="center", ncols=columns, borderpad=0)
            figure.canvas.draw()
            if legend.get_window_extent().width <= width:
                break
        return np.asarray(figure.canvas.buffer_rgba())


def _follow_across(axes):
    """Let the horizontal limits hold what of the lines is higher than a hundredth of their tops."""
    seen = []
    for line in axes.lines:
        x, y = (np.asarray(values, dtype=float) for values in line.get_data(orig=False))
        if line.get_transform() == axes.transData and y.size > 2:
            heights = np.abs(np.where(np.isfinite(y), y, 0.0))  # a curve may be missing from a setting
            seen.append(x[heights > 0.01 * heights.max(initial=0.0)])
    ends = np.concatenate(seen)
    low, high = -round_up(-min(ends.min(), 0.0)), round_up(ends.max())
    axes.set_xlim(low - 0.02 * (high - low), high)

"""Figures with sliders that redraw while a slider moves.

The figure is built once; a move changes the data of its artists, draws them on the same canvas and replaces the picture
in place. The front end sends a slider's next value only when the kernel has answered the last one, so that a slow
redraw skips values and never lags behind the hand. While it moves the picture has one pixel for each of the page; as
soon as it rests it is drawn once more for dense screens, and its still (`acme_lib.teach.still`) follows.
"""

import html
import io
import itertools
import threading
import time
import weakref
from importlib.resources import files

import ipywidgets
import numpy as np
import traitlets
from PIL import Image

from acme_lib.errors import ParameterError
from acme_lib.plot.display import SMALLEST_WIDTH, Picture, check_words, close, style
from acme_lib.teach.still import BUTTON, WIDTH, LivingBox

_live = weakref.WeakSet()
_numbers = itertools.count()
_MOVING, _SHARP = 100, 200  # pixels per inch; the page has 100

_SCRIPT = (files("acme_lib.teach") / "lab/name_sliders.js").read_text("utf-8")
_NAMES = f'<img src="data:," alt="" style="display: none" onerror="{html.escape(_SCRIPT)}">'


def slider(low, high, start, *, label, step=None, log=False):
    """Return a slider for `explore`.

    Parameters
    ----------
    low, high, start : float
        Range and start value; whole numbers give a slider of whole numbers.
    label : str
        What the number is, with its unit.
    step : float, optional
        Default: 1 for whole numbers, else a hundredth of the range.
    log : bool
        Whether equal moves multiply: `step` is then the step of the decimal logarithm, and the ends are those a whole
        number of steps from `start` that lie between `low` and `high`.

    Returns
    -------
    ipywidgets.Widget
    """
    if not low <= start <= high or low == high:
        raise ParameterError(f"the slider {label!r} runs from {low} to {high} and cannot start at {start}")
    look = {
        "description": label,
        "continuous_update": True,
        "style": {"description_width": "13em"},
        "layout": {"width": "48em", "max_width": "100%"},
    }
    if log:
        if low <= 0:
            raise ParameterError(f"the logarithmic slider {label!r} starts at {low}; it needs a positive number")
        # The page rounds to whole steps from the lower end: the start value is one of them, and stays what it is.
        step, at = step or 0.02, np.log10(start)
        below, above = (np.floor(abs(np.log10(end) - at) / step + 1e-9) for end in (low, high))
        return ipywidgets.FloatLogSlider(
            min=at - below * step, max=at + above * step, value=start, step=step, readout_format=".3r", **look
        )
    if all(isinstance(number, int | np.integer) for number in (low, high, start)) and isinstance(step or 1, int):
        return ipywidgets.IntSlider(min=low, max=high, value=start, step=step or 1, **look)
    if step is None:
        step = (high - low) / 100
        digits = max(0, int(np.ceil(-np.log10(step) - 1e-9)))
    else:  # as many as tell each value from the next: two for steps of 0.25
        digits = next(d for d in range(16) if np.allclose([low, step], np.round([low, step], d), rtol=1e-9, atol=0))
    return ipywidgets.FloatSlider(min=low, max=high, value=start, step=step, readout_format=f".{digits}f", **look)


def explore(figure, redraw, *, question, alt, caption, **sliders):
    """Make a figure that answers a question while its sliders move.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Built once. Axes whose vertical limits are not set follow the lines in steps (`set_ylim` holds them).
    redraw : callable
        Called with the sliders' values by name; it changes the artists' data and returns a sentence that answers the
        question in numbers.
    question : str
        What the reader is to find out.
    alt : str
        What the figure shows, for who cannot see it; the sentence of `redraw` is added to it.
    caption : str
        What to see.
    **sliders : ipywidgets.Widget
        From `slider`, one for each parameter of `redraw`.

    Returns
    -------
    SliderFigure
        Display it as the last expression of a cell.
    """
    return SliderFigure(figure, redraw, question=question, alt=alt, caption=caption, **sliders)


class DescribedImage(ipywidgets.Image):
    """An image whose tooltip describes it: a title is the name of an ``<img>`` for a screen reader.

    The front end writes the tooltip of a widget only when its description is empty, and fails on a widget that has no
    description at all, as an image has none.
    """

    description = traitlets.Unicode("").tag(sync=True)


class SliderFigure(LivingBox):
    """A picture, its sliders and a line of text that change together; made by `explore`.

    Without a kernel the last picture is shown, with its description and the question.
    """

    def __init__(self, figure, redraw, *, question, alt, caption, **sliders):
        check_words(question=question, alt=alt, caption=caption)
        if not sliders:
            raise ParameterError("explore needs a slider for each parameter of redraw; none came")
        self.figure, self.redraw, self.sliders = figure, redraw, sliders
        self.question, self.alt, self.caption = (" ".join(text.split()) for text in (question, alt, caption))
        self.start = {name: control.value for name, control in sliders.items()}
        self.error = None
        self._backgrounds = {}
        # JupyterLab lets sliders call in a thread of their own, beside the cell that runs and makes the figure's still.
        self._drawing = threading.RLock()
        self._following = [axes for axes in figure.axes if axes.get_autoscaley_on() and axes.get_yscale() == "linear"]
        layout = {"width": WIDTH, "max_width": "100%", "min_width": f"{SMALLEST_WIDTH}px", "flex": "0 0 auto"}
        self.picture = DescribedImage(format="png", tooltip=self.alt, layout=layout)
        self.picture.add_class("acme-figure")
        self.answer = ipywidgets.HTMLMath()
        self.reset = ipywidgets.Button(
            description="Back to the start", tooltip="Set every slider to its first value", layout=BUTTON
        )
        self.reset.on_click(lambda _: self.move(**self.start))
        self._draw_first()
        for control in sliders.values():
            control.observe(self._on_move, names="value")
        super().__init__(
            [
                ipywidgets.HTMLMath(f"<strong>Find out:</strong> {self.question}"),
                *sliders.values(),
                self.reset,
                self.answer,
                self.picture,
                ipywidgets.HTMLMath(f"<em>{self.caption}</em>"),
                ipywidgets.HTML(_NAMES, layout={"margin": "0", "height": "0"}),
            ]
        )
        self.number = next(_numbers)
        _live.add(self)

    @property
    def values(self):
        """The sliders' values by name."""
        return {name: control.value for name, control in self.sliders.items()}

    @property
    def text(self):
        """The sentence that answers the question at the present values."""
        return self._text

    def positions(self, name):
        """Return the values that a slider can take, and each as the page writes it."""
        control = self.sliders[name]
        number = int((control.max - control.min) / control.step + 1e-9)
        ends = [control.min + control.step * i for i in range(number + 1)]
        if isinstance(control, ipywidgets.FloatLogSlider):
            values = [float(10.0**end) for end in ends]
        else:
            values = [end if isinstance(end, int) else float(np.round(end, 12)) for end in ends]
        return values, [_written(value, control.readout_format) for value in values]

    def nearest(self, name, value):
        """Return the number of the position of a slider that is nearest to a value."""
        values, _ = self.positions(name)
        return int(np.argmin(np.abs(np.array(values) - value)))

    def move(self, **values):
        """Set sliders by name, as a hand would."""
        for name, value in values.items():
            self.sliders[name].value = value

    def redraw_seconds(self, moves=None):
        """Measure a redraw: from a slider's new value to the new picture on its way to the browser.

        Parameters
        ----------
        moves : sequence of mapping of str to float, optional
            Values to set one after another; by default each slider runs through eleven values of its range.

        Returns
        -------
        ndarray, shape (moves,)
            Seconds for each move that changed a value. The sliders return to where they were.
        """
        before = self.values
        seconds = []
        for move in self._default_moves() if moves is None else moves:
            if all(self.sliders[name].value == value for name, value in move.items()):
                continue
            start = time.perf_counter()
            self.move(**move)
            seconds.append(time.perf_counter() - start)
        self.move(**before)
        return np.array(seconds)

    def _default_moves(self):
        moves = []
        for name, control in self.sliders.items():
            ends = np.linspace(control.min, control.max, 11)
            if isinstance(control, ipywidgets.FloatLogSlider):
                moves += [{name: float(10.0**end)} for end in ends]
            elif isinstance(control, ipywidgets.IntSlider):
                moves += [{name: round(end)} for end in ends]
            else:
                moves += [{name: float(end)} for end in ends]
            moves.append({name: self.start[name]})
        return moves

    def _on_move(self, _):
        with self._drawing:
            self._follow_sliders()
        self._renew_still()

    def _follow_sliders(self):
        try:
            self._redraw()
            self._publish()
        except Exception as error:  # a lecture goes on: the last good picture stays, and the line says what happened
            self.error = error
            reason = html.escape(f"{type(error).__name__}: {error}")
            self.answer.value = f'<div role="status">No picture for these values ({reason}). Move a slider back.</div>'
        else:
            self.error = None

    def _draw_first(self):
        # A mistake in redraw must show as an error when the cell runs, not as a line below a picture.
        self._redraw()
        with style():
            self.figure.canvas.draw()
        # The layout is found once: a figure that shifts while a slider moves is hard to follow, and slow.
        self.figure.set_layout_engine("none")
        self._publish()
        close(self.figure)

    def _redraw(self):
        self._text = self.show_values(**self.values)

    def show_values(self, **values):
        """Let the artists show these values, wherever the sliders stand, and return the sentence."""
        text = str(self.redraw(**values))
        for axes in self._following:
            follow_lines(axes)
        return text

    def _publish(self):
        self.picture.value = self._render(_MOVING)
        self.picture.tooltip = f"{self.alt} {self._text}"
        self.answer.value = f'<div role="status" aria-live="polite">{self._text}</div>'

    def pixels(self, dpi):
        """Draw the figure as it stands; its axes, ticks and legends only where they have changed.

        Returns
        -------
        ndarray of uint8, shape (height, width, 4)
        """
        figure = self.figure
        with style():
            figure.set_dpi(dpi)
            canvas = figure.canvas
            # Axes, ticks and legends take most of the time and seldom change: they are kept as a background.
            moving = data_artists(figure)
            scenery, (before, background) = scenery_of(figure), self._backgrounds.get(dpi, (None, None))
            if scenery != before:
                for artist in moving:
                    artist.set_animated(True)
                canvas.draw()
                background = canvas.copy_from_bbox(figure.bbox)
                self._backgrounds[dpi] = scenery, background
            renderer = canvas.get_renderer()
            canvas.restore_region(background)
            for artist in moving:
                artist.draw(renderer)
        return np.asarray(canvas.buffer_rgba())

    def _render(self, dpi):
        stream = io.BytesIO()
        # Few colours make a small picture, which is faster to pack, to send and to store.
        picture = Image.fromarray(self.pixels(dpi)[..., :3])
        picture = picture.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        colours = np.array(picture.getpalette()).reshape(-1, 3)
        colours[colours.min(axis=1) > 250] = 255  # the page is white, and the mean of nearly white colours is not
        picture.putpalette(colours.ravel().tolist())
        picture.save(stream, format="png", compress_level=4)
        return stream.getvalue()

    def _publish_still(self):
        super()._publish_still()
        self.picture.value = self._sharp

    def _ipython_display_(self, **kwargs):
        super()._ipython_display_(**kwargs)
        self.picture.value = self._sharp

    def still_html(self):
        """Return the figure as it stands, for viewers without a kernel."""
        with self._drawing:
            self._sharp = self._render(_SHARP)
            picture = Picture(self._sharp, f"{self.alt} {self._text}", self.caption)
        return (
            f"<p><strong>Find out:</strong> {self.question}</p><p>{self._text}</p>{picture.html()}"
            "<p>▶ <em>Run this cell to move the sliders.</em></p>"
        )

    def still_text(self):
        """Return the figure in words."""
        return f"{self.question}\n{self._text}\nFigure: {self.alt}\n{self.caption}"


def _written(value, form):
    """Return a number in a slider's format: ``.3r`` says three digits, ``.2f`` two behind the point, ``d`` none."""
    if form.endswith("r"):
        return np.format_float_positional(value, int(form[1:-1]), unique=False, fractional=False, trim="-")
    return format(value, form)


def follow_lines(axes):
    """Let the vertical limits of axes follow their lines, in steps."""
    low, high = _range_of_lines(axes)
    axes.set_ylim(-round_up(-low), round_up(high))


def _range_of_lines(axes):
    """Return the smallest and the largest value of the lines of data that are in view."""
    left, right = sorted(axes.get_xlim())
    low, high = 0.0, 0.0
    for line in axes.lines:
        if not line.get_visible() or line.get_transform() != axes.transData:  # a vertical line at a value has no height
            continue
        x, y = (np.asarray(values, dtype=float) for values in line.get_data(orig=False))
        seen = y[(x >= left) & (x <= right) & np.isfinite(y)]
        low, high = min(low, seen.min(initial=0.0)), max(high, seen.max(initial=0.0))
    return low, (high or 1.0) if low == 0 else high


def round_up(value):
    """Return the next larger of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten: axes move seldom, and in steps."""
    if value <= 0:
        return 0.0
    power = 10.0 ** np.floor(np.log10(1.04 * value))
    return float(next((step for step in (1, 1.5, 2, 3, 4, 5, 6, 8) if step * power >= 1.04 * value), 10) * power)


def data_artists(figure):
    """Return what shows data, axes by axes, in the order of drawing."""
    artists = []
    for axes in figure.axes:
        data = [*axes.images, *axes.collections, *axes.patches, *axes.lines, *axes.texts]
        artists += sorted((artist for artist in data if artist.get_visible()), key=lambda artist: artist.get_zorder())
    return artists


def scenery_of(figure):
    """Return what the background depends on: when it differs, all is drawn anew."""
    facts = []
    for axes in figure.axes:
        titles = [axes.get_title(loc) for loc in ("left", "center", "right")]
        legend = axes.get_legend()
        entries = [text.get_text() for text in legend.get_texts()] if legend else []
        facts.append((axes.get_xlim(), axes.get_ylim(), axes.get_xscale(), axes.get_yscale()))
        facts.append((axes.get_xlabel(), axes.get_ylabel(), *titles, *entries))
    return facts, figure.get_suptitle(), tuple(figure.get_size_inches())


def live_figures():
    """Return the slider figures that exist in this process, oldest first."""
    return sorted(_live, key=lambda figure: figure.number)

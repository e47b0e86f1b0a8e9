"""Figures carry their words, look the same everywhere and draw what they are given."""

import base64
import io
import itertools
import re
import struct
from html.parser import HTMLParser

import matplotlib.colors
import matplotlib.style
import numpy as np
import pytest
from PIL import Image
from scipy import special, stats

import acme_lib as acme
from acme_lib.errors import ParameterError
from acme_lib.plot.display import STYLE, Picture

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.found[-1][0] != "style":
            self.text += data


@pytest.fixture
def shown(monkeypatch):
    """Collects what is displayed."""
    import IPython.display

    found = []
    monkeypatch.setattr(IPython.display, "display", found.append)
    return found


@pytest.fixture
def gene():
    return acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=3.0, g=1.0)


def test_colours_are_okabe_ito_each_with_its_own_line_style():
    with matplotlib.style.context(STYLE):
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    assert {matplotlib.colors.to_hex(color).upper() for color in cycle["color"]} <= OKABE_ITO
    assert len(set(cycle["color"])) == len(cycle["color"]) >= 7
    assert len({str(style) for style in cycle["linestyle"]}) == len(cycle["linestyle"])


def test_fonts_ship_with_matplotlib():
    import matplotlib.font_manager

    with matplotlib.style.context(STYLE):
        family = matplotlib.rcParams["font.family"]
        path = matplotlib.font_manager.findfont(family[0], fallback_to_default=False)
    assert path.startswith(matplotlib.get_data_path())


def test_titles_and_legends_keep_the_style_outside_of_it():
    _, axes = acme.plot.subplots()
    axes.plot([0, 1], label="line")
    axes.set(title="at the left")
    assert axes.get_title("left") == "at the left"
    assert not axes.legend().get_frame_on()
    assert axes.text(0, 0, "text").get_fontsize() == 13


def test_picture_has_two_pixels_for_each_of_the_page_and_a_white_ground():
    figure, axes = acme.plot.subplots(size=(8.4, 3.0))
    axes.plot([0, 1])
    picture = Image.open(io.BytesIO(acme.plot.png(figure)))
    assert picture.size == (2 * 840, 2 * 300)
    assert picture.convert("RGB").getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("count", [0, 1, 17, 27, 60])
def test_no_dot_of_a_cell_hides_another(count):
    figure, axes = acme.plot.subplots(size=(8.4, 1.6))
    acme.plot.draw_cells(axes, [count] + [3] * 15, rng=np.random.default_rng(1))
    figure.canvas.draw()
    line = axes.lines[0]
    places = axes.transData.transform(np.column_stack(line.get_data())).reshape(-1, 2)
    size = line.get_markersize() * figure.dpi / 72
    assert len(places) == count
    assert all(np.hypot(*(one - other)) >= size for one, other in itertools.combinations(places, 2))
    rod = axes.patches[0].get_window_extent()
    assert all(rod.contains(*place) for place in places)


def test_style_does_not_leak():
    before = dict(matplotlib.rcParams)
    figure, _ = acme.plot.subplots()
    acme.plot.png(figure)
    assert dict(matplotlib.rcParams) == before


def test_show_carries_caption_and_description(shown):
    figure, axes = acme.plot.subplots()
    axes.plot([0, 1], [0, 1])
    acme.show(figure, alt="A line that rises.", caption="It rises with $x$.")
    (picture,) = shown
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}, "an image output would be shown without its description"
    tags = Tags(bundle["text/html"])
    (image,) = [attributes for tag, attributes in tags.found if tag == "img"]
    assert image["alt"] == "A line that rises."
    assert [tag for tag, _ in tags.found] == ["style", "figure", "img", "figcaption"]
    assert tags.text.strip() == "It rises with $x$."
    assert "A line that rises." in bundle["text/plain"]
    kind, data = image["src"].split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")


def test_words_are_escaped():
    html = Picture(b"", alt='a "b" <script>', caption="p < q & <b>r</b>").html()
    (image,) = [attributes for tag, attributes in Tags(html).found if tag == "img"]
    assert image["alt"] == 'a "b" <script>'
    assert "<script>" not in html
    assert "<b>" not in html
    assert Tags(html).text.strip() == "p < q & <b>r</b>"


@pytest.mark.parametrize("words", [{"alt": " ", "caption": "c"}, {"alt": "a", "caption": ""}])
def test_silent_figure_is_refused(shown, words):
    figure, _ = acme.plot.subplots()
    with pytest.raises(ParameterError, match="(alt|caption) must be a sentence, got .*: it"):
        acme.show(figure, **words)
    assert shown == []


def test_axes_in_place_of_figure_is_refused():
    _, axes = acme.plot.subplots()
    with pytest.raises(ParameterError, match=r"axes' \.figure"):
        acme.show(axes, alt="a", caption="c")


def test_figure_of_pyplot_is_closed(shown):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure()
    acme.show(figure, alt="Nothing.", caption="Empty.")
    assert not plt.fignum_exists(figure.number)


def test_png_is_reproducible_and_as_large_as_asked():
    def render():
        figure, axes = acme.plot.subplots(size=(4, 2))
        axes.plot([1, 3, 2])
        return acme.plot.png(figure, dpi=100)

    data = render()
    assert data == render()
    assert struct.unpack(">II", data[16:24]) == (400, 200)


def test_trajectories_differ_in_colour_and_line_style(gene):
    ensemble = acme.simulate_ssa(gene, {"M": 0}, np.linspace(0, 2, 11), size=6, rng=np.random.default_rng(1))
    _, axes = acme.plot.subplots()
    lines = acme.plot.draw_trajectories(axes, ensemble, "M", many=4)
    assert len(lines) == 4
    assert len({line.get_color() for line in lines}) == len({line.get_linestyle() for line in lines}) == 4
    for line, row in zip(lines, ensemble["M"], strict=False):
        np.testing.assert_array_equal(line.get_ydata(), row)
    assert axes.get_ylabel() == "M (molecules)"


def test_samples_are_drawn_as_frequencies():
    _, axes = acme.plot.subplots()
    frequency = acme.plot.draw_samples(axes, [0, 2, 2, 3])
    np.testing.assert_array_equal(frequency, [0.25, 0, 0.5, 0.25])
    assert [bar.get_height() for bar in axes.patches] == [0.25, 0, 0.5, 0.25]


@pytest.mark.parametrize("samples", [[], [0.5], [-1, 2]])
def test_samples_that_are_no_counts_are_refused(samples):
    _, axes = acme.plot.subplots()
    with pytest.raises(ParameterError, match="whole and non-negative"):
        acme.plot.draw_samples(axes, samples)


def test_a_fit_is_drawn_over_the_counts_it_was_fitted_to():
    counts = stats.nbinom(2, 0.2).rvs(400, random_state=np.random.default_rng(1))
    fit = acme.noise.fit_negative_binomial(counts)
    mean = counts.mean()
    _, axes = acme.plot.subplots()
    lines = acme.plot.draw_fit(axes, counts, {"fitted": fit, "Poisson": stats.poisson(mean)}, label="cells")
    bars = np.array([bar.get_height() for bar in axes.patches])
    np.testing.assert_array_equal(bars, np.bincount(counts) / 400)
    # The law of the fit by a formula of its own: at the fitted r the best mean is that of the counts.
    r, n = fit.burst_frequency.value, np.arange(counts.max() + 1)
    fitted = np.exp(
        special.gammaln(r + n)
        - special.gammaln(r)
        - special.gammaln(n + 1)
        + n * np.log(mean / (r + mean))
        + r * np.log(r / (r + mean))
    )
    np.testing.assert_allclose(lines[0].get_ydata(), fitted, rtol=1e-9)
    np.testing.assert_allclose(lines[1].get_ydata(), np.exp(-mean + n * np.log(mean) - special.gammaln(n + 1)))
    for line in lines:
        np.testing.assert_array_equal(line.get_xdata(), n)
    assert len({line.get_linestyle() for line in lines}) == 2
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > max(bars.max(), *(line.get_ydata().max() for line in lines))
    left, right = axes.get_xlim()
    assert left < -0.5 and right > counts.max() + 0.5, "the outermost bars are in view"
    assert axes.get_legend_handles_labels()[1] == ["fitted", "Poisson", "cells"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("molecules", "fraction of cells")


def test_what_stands_beside_the_axes_is_in_the_style_too():
    """As a legend or a colour bar of the axes would be: no frame, letters of one size."""
    figure, axes = acme.plot.subplots()
    axes.plot([0, 1], label="line")
    bar = figure.colorbar(axes.imshow([[0, 1]]), label="probability")
    assert not figure.legend(loc="outside upper right").get_frame_on()
    assert bar.ax.yaxis.label.get_fontsize() == axes.yaxis.label.get_fontsize()
    assert bar.ax.get_yticklabels()[0].get_fontsize() == axes.get_yticklabels()[0].get_fontsize()


def test_a_fit_of_other_counts_is_not_drawn_over_these():
    _, axes = acme.plot.subplots()
    counts = np.array([0, 3, 1, 4, 9, 2, 0, 7])
    fit = acme.noise.fit_negative_binomial(counts)
    with pytest.raises(ParameterError, match="'NB' was fitted to 8 counts, and 7 came"):
        acme.plot.draw_fit(axes, counts[1:], {"NB": fit})
    with pytest.raises(ParameterError, match="must be a fit or a law, got 3.0"):
        acme.plot.draw_fit(axes, counts, {"NB": 3.0})


def test_cells_hold_a_dot_for_each_molecule():
    _, axes = acme.plot.subplots()
    acme.plot.draw_cells(axes, [3, 0, 5], rng=np.random.default_rng(1), columns=2)
    assert [len(line.get_xdata()) for line in axes.lines] == [3, 0, 5]
    assert [text.get_text() for text in axes.texts] == ["3", "0", "5"]
    for line, rod in zip(axes.lines, axes.patches, strict=True):
        box = rod.get_path().get_extents()
        assert all(box.contains(*dot) for dot in line.get_xydata())


def test_second_distribution_is_not_cut_off():
    _, axes = acme.plot.subplots()
    acme.plot.draw_distribution(axes, [0.2, 0.2])
    acme.plot.draw_distribution(axes, [0.1, 0.8])
    assert axes.get_ylim() == (0, pytest.approx(0.864))
    acme.plot.draw_distribution(axes, [0.3, 0.3])
    assert axes.get_ylim() == (0, pytest.approx(0.864))


@pytest.mark.parametrize("kind", ["steps", "dots"])
def test_distribution_starts_where_it_is_told(kind):
    _, axes = acme.plot.subplots()
    line = acme.plot.draw_distribution(axes, [0.2, 0.5, 0.3], start=4, kind=kind)
    np.testing.assert_array_equal(line.get_xdata(), [4, 5, 6])
    np.testing.assert_array_equal(line.get_ydata(), [0.2, 0.5, 0.3])


def test_unknown_kind_is_refused():
    _, axes = acme.plot.subplots()
    with pytest.raises(ParameterError, match="'steps' or 'dots'"):
        acme.plot.draw_distribution(axes, [1.0], kind="bars")


def test_joint_distribution_has_the_first_count_across():
    p = np.full((3, 2), 1e-9)
    p[2, 0] = 0.9
    figure, axes = acme.plot.subplots()
    mesh = acme.plot.draw_joint_distribution(axes, p, labels=("first", "second"))
    values = mesh.get_array()
    assert values.shape == (2, 3)
    assert values[0, 2] == 0.9
    assert values.mask.sum() == 5
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("first", "second")
    acme.plot.png(figure)


def test_generator_shows_where_probability_arrives_and_leaves(gene):
    generator = acme.build_generator(gene, acme.StateSpace.box(gene, M=2), boundary="reflecting")
    _, axes = acme.plot.subplots()
    acme.plot.draw_generator(axes, generator.matrix)
    arrives, leaves = axes.lines
    assert set(zip(*arrives.get_data(), strict=True)) == {(0, 1), (1, 2), (1, 0), (2, 1)}
    assert set(zip(*leaves.get_data(), strict=True)) == {(0, 0), (1, 1), (2, 2)}
    assert arrives.get_marker() != leaves.get_marker(), "no figure needs colour to be read"


def test_generator_too_large_to_read_is_refused():
    _, axes = acme.plot.subplots()
    with pytest.raises(ParameterError, match="at most 30"):
        acme.plot.draw_generator(axes, np.zeros((31, 31)))


def test_label_stands_beside_its_line_in_its_colour():
    figure, axes = acme.plot.subplots()
    (line,) = axes.plot([0, 1])
    note = acme.plot.label_line(axes, 1, 1, "name", line=line)
    assert note.get_color() == line.get_color()
    assert note.xy == (1, 1)


def test_picture_is_not_larger_than_the_page():
    assert re.search(r'width="840".*max-width: 100%', Picture(b"", "a", "c").html())
    figure, _ = acme.plot.subplots(size=(5.0, 2.0))
    stream = io.BytesIO(acme.plot.png(figure))
    assert stream.getbuffer().nbytes > 0


def test_a_joint_law_is_drawn_as_it_is_held():
    """A law of a state space, its species by name, gives the picture of its probabilities."""
    network = acme.models.two_stage(k_m=2, k_p=1)
    space = acme.StateSpace.box(network, M=12, P=15)
    generator = acme.build_generator(network, space, boundary="absorbing")
    law = acme.solve_transient(generator, {}, 1.5)
    for names in (None, ("P", "M")):
        figure, axes = acme.plot.subplots()
        mesh = acme.plot.draw_joint_distribution(axes, law, names=names)
        shown = np.ma.filled(mesh.get_array(), 0.0).reshape(
            law.marginal("P", "M").shape[1:][:: 1 if names is None else -1]
        )
        expected = law.marginal(*(names or ("M", "P")))[0].T
        np.testing.assert_allclose(shown, np.where(expected < 1e-6, 0.0, expected))
        assert (axes.get_xlabel(), axes.get_ylabel()) == (names or ("M", "P"))
        acme.plot.display.close(figure)
    figure, axes = acme.plot.subplots()
    with pytest.raises(ParameterError, match="a picture shows one time, and this law has 2"):
        acme.plot.draw_joint_distribution(axes, acme.solve_transient(generator, {}, [1.0, 2.0]))
    with pytest.raises(ParameterError, match="names must be two of the species M, P"):
        acme.plot.draw_joint_distribution(axes, law, names=("M",))
    with pytest.raises(ParameterError, match="with labels"):
        acme.plot.draw_joint_distribution(axes, np.ones((2, 2)) / 4)

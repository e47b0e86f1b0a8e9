"""Drawing results on axes: trajectories, laws, joint laws, generators."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

from acme_lib.checks import check_choice, expected
from acme_lib.errors import ParameterError
from acme_lib.master.distribution import StateDistribution
from acme_lib.plot.display import style

FILL = "#BBCCDD"  # light grey blue for measured frequencies: what was sampled is filled, what was computed is a line


def draw_trajectories(axes, ensemble, species, *, many=5, label=None):
    """Draw the first trajectories of an ensemble as steps; each has its own colour and line style.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    ensemble : Ensemble
    species : str
    many : int
        How many to draw; more than seven cannot be told apart.
    label : str, optional
        Label of the vertical axis.

    Returns
    -------
    list of matplotlib.lines.Line2D
    """
    counts = ensemble[species][:many]
    lines = [axes.plot(ensemble.times, row, drawstyle="steps-post", linewidth=1.6)[0] for row in counts]
    axes.set(xlabel="time", ylabel=label or f"{species} (molecules)", xlim=(ensemble.times[0], ensemble.times[-1]))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    return lines


def draw_cells(axes, counts, *, rng, columns=8):
    """Draw rod-shaped cells, a dot for each molecule, and the count below.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    counts : sequence of int
        Molecules of each cell.
    rng : numpy.random.Generator
        Scatters the dots.
    columns : int
        Cells in a row.
    """
    for i, count in enumerate(counts):
        x, y = 1.25 * (i % columns), -0.85 * (i // columns)
        rod = FancyBboxPatch((x + 0.22, y + 0.22), 0.56, 0.01, boxstyle="round,pad=0.22", facecolor="#F3F6F9")
        axes.add_patch(rod)
        dots, size = _scatter(count, rng)
        axes.plot(*(dots + [x + 0.5, y + 0.225]).T, "o", color="#D55E00", markersize=size)
        axes.text(x + 0.5, y - 0.06, str(count), ha="center", va="top")
    axes.set(aspect="equal", xlim=(-0.1, 1.25 * columns - 0.15), ylim=(y - 0.3, 0.5))
    axes.set_axis_off()


def _scatter(count, rng):
    """Return the places of dots around the middle of a cell, and their size: none hides another."""
    rows = 3
    while 3 * rows**2 < count:  # three times as many columns as rows
        rows += 1
    width, height = 0.8 / (3 * rows), 0.3 / rows
    chosen = rng.permutation(3 * rows**2)[:count]
    grid = np.column_stack([chosen // rows - (3 * rows - 1) / 2, chosen % rows - (rows - 1) / 2])
    return grid * [width, height] + rng.uniform(-0.1, 0.1, (count, 2)) * [width, height], 13 / rows


def draw_samples(axes, samples, *, label=None, horizontal=False):
    """Draw the relative frequencies of counts as filled bars.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    samples : array_like of int
    label : str, optional
    horizontal : bool
        Draw the counts on the vertical axis.

    Returns
    -------
    ndarray
        The frequency of each count 0, 1, ….
    """
    samples = np.asarray(samples).ravel()
    if samples.size == 0 or samples.dtype.kind not in "iu" or samples.min() < 0:
        raise expected("samples", "counts, whole and non-negative", samples)
    frequency = np.bincount(samples) / samples.size
    draw = axes.barh if horizontal else axes.bar
    draw(np.arange(frequency.size), frequency, 1.0, color=FILL, edgecolor="white", linewidth=0.4, label=label)
    return frequency


def draw_fit(axes, counts, fits, *, label=None):
    """Draw the laws that were fitted to counts, as lines over the counts' histogram.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    counts : array_like of int
        Those that were fitted.
    fits : mapping of str to fit or law
        By their names in a legend: what `acme_lib.noise.fit_telegraph` and `acme_lib.noise.fit_negative_binomial` give,
        or anything with ``pmf``.
    label : str, optional
        Of the histogram.

    Returns
    -------
    list of matplotlib.lines.Line2D
        One for each fit.
    """
    counts = np.asarray(counts).ravel()
    for name, fit in fits.items():
        if not (hasattr(fit, "law") or hasattr(fit, "pmf")):
            raise expected(f"fits[{name!r}]", "a fit or a law", fit)
        if getattr(fit, "n", counts.size) != counts.size:
            raise ParameterError(f"{name!r} was fitted to {fit.n} counts, and {counts.size} came: draw those fitted")
    n = np.arange(draw_samples(axes, counts, label=label).size)
    lines = [axes.plot(n, getattr(fit, "law", fit).pmf(n), label=name)[0] for name, fit in fits.items()]
    axes.set(xlabel="molecules", ylabel="fraction of cells", xlim=(-0.02 * n.size - 0.5, 1.02 * n.size - 0.5))
    return lines


def draw_distribution(axes, p, *, start=0, kind="steps", label=None, **options):
    """Draw a law on the counts ``start, start + 1, …``.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    p : array_like, shape (n,)
        Probabilities.
    kind : {"steps", "dots"}
        Steps for a law that stands alone, dots for one that is compared with another.
    label : str, optional
    **options
        What `matplotlib.axes.Axes.plot` takes.

    Returns
    -------
    matplotlib.lines.Line2D
    """
    styles = {"steps": {"drawstyle": "steps-mid"}, "dots": {"linestyle": "none", "marker": "o", "markersize": 5}}
    check_choice("kind", kind, tuple(styles))
    p = np.asarray(p, dtype=float)
    top = axes.get_ylim()[1] if axes.lines or axes.patches else 0.0
    (line,) = axes.plot(start + np.arange(p.size), p, label=label, **{**styles[kind], **options})
    axes.set_ylim(0, max(top, 1.08 * p.max(initial=0.0)) or 1.0)
    return line


def draw_joint_distribution(axes, law, *, names=None, labels=None, floor=1e-6):
    """Draw a law of two counts as a heat map on a logarithmic scale, with its colour bar.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    law : StateDistribution, or array_like, shape (first, second)
        Of a law in time, one that was solved for one time.
    names : (str, str), optional
        Of a `StateDistribution`, the species: the first horizontal, the second vertical. Default: its only two.
    labels : (str, str), optional
        What the two counts are; needed for an array. Default: the names of the species.
    floor : float
        Probabilities below are left white.

    Returns
    -------
    matplotlib.collections.QuadMesh
    """
    if isinstance(law, StateDistribution):
        names = tuple(law.space.species if names is None else names)
        if len(names) != 2:
            raise expected("names", f"two of the species {', '.join(law.space.species)}", names)
        labels, p = labels or names, law.marginal(*names)
        if p.ndim == 3:
            if len(p) > 1:
                raise ParameterError(f"a picture shows one time, and this law has {len(p)}: solve for one time")
            p = p[0]
    else:
        p = np.asarray(law, dtype=float)
        if p.ndim != 2 or labels is None:
            raise expected("law", "a law of a state space, or probabilities of shape (first, second) with labels", law)
    edges = [np.arange(n + 1) - 0.5 for n in p.shape]
    visible = np.ma.masked_less(p.T, floor)
    mesh = axes.pcolormesh(*edges, visible, norm=LogNorm(floor, p.max()), cmap="cividis", rasterized=True)
    with style():
        axes.figure.colorbar(mesh, ax=axes, label="probability")
    axes.set(xlabel=labels[0], ylabel=labels[1])
    return mesh


def draw_generator(axes, matrix, *, largest=30):
    """Draw the pattern of a generator: filled squares where probability arrives, open circles where it leaves.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    matrix : array_like or sparse matrix, shape (n, n)
        ``A[to, from]``.
    largest : int
        Refuse more states than can be told apart.
    """
    dense = np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=float)
    if len(dense) > largest:
        raise ParameterError(f"{len(dense)} states cannot be told apart in a picture; draw at most {largest}")
    for sign, marker, face, what in [(1, "s", "#0072B2", "arrives"), (-1, "o", "none", "leaves")]:
        to, start = np.nonzero(sign * dense > 0)
        axes.plot(start, to, marker, markerfacecolor=face, markeredgecolor="#0072B2", linestyle="none", label=what)
    axes.set(xlabel="from state", ylabel="to state", aspect="equal")
    axes.invert_yaxis()


def label_line(axes, x, y, text, *, line=None, **options):
    """Write the name of a line beside it, in its colour: no legend to look up."""
    color = line.get_color() if line is not None else "black"
    return axes.annotate(text, (x, y), color=color, **{"va": "center", "ha": "left", "fontsize": 12, **options})

"""All figures of the case studies, written to a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acme_lib import plot
from acme_lib.cases import cells, division, selection, self_regulation


@dataclass(frozen=True)
class CaseFigure:
    """A figure: how its data are computed, how it is drawn, and what to see in it.

    Attributes
    ----------
    name : str
        Of its file.
    compute, draw : callable
        ``draw(compute())`` is the figure.
    caption, alt : str
    """

    name: str
    compute: Callable
    draw: Callable
    caption: str
    alt: str

    def make(self):
        """Return the figure."""
        return self.draw(self.compute())


FIGURES = (
    CaseFigure(
        "figure_3a",
        self_regulation.compare_messenger_laws,
        self_regulation.draw_messenger_laws,
        "Stationary laws of a self-regulated protein. A continuum protein with a discrete messenger "
        "(colours) follows the "
        "discrete master equation (dotted); the small gap is the noise of single protein molecules, which "
        "is left out. As "
        "the messenger lives shorter the law tends to that of bursts (dashed).",
        "Densities against concentration: bimodal curves for four lifetimes of the messenger. The high mode "
        "shrinks and "
        "the low mode grows as the messenger lives shorter, until the curves meet the exact law of bursts.",
    ),
    CaseFigure(
        "figure_3b",
        self_regulation.measure_messenger_convergence,
        self_regulation.draw_messenger_convergence,
        "Distance of the law with a messenger to the exact law of bursts: it falls as the lifetime of the "
        "messenger, in "
        "each norm.",
        "Distances in three norms against the decay rate of the messenger on logarithmic axes: straight lines of slope "
        "minus one.",
    ),
    CaseFigure(
        "figure_4",
        self_regulation.find_switching_times,
        self_regulation.draw_switching_times,
        "Laws of the time to switch to the other mode, from every start at once: shades are shares that have switched. "
        "The mean agrees with the exact one; median and mode lie far below it.",
        "Switching time on a logarithmic axis against the start. Mean, median and mode fall towards the boundary at "
        "0.825 and rise again beyond it, the mode an order of magnitude below the mean.",
    ),
    CaseFigure(
        "figure_5",
        self_regulation.find_switching_times,
        self_regulation.draw_switching_densities,
        "Densities of the switching time close to the boundary. From above, most are carried across by "
        "decay at once: a "
        "peak, which the grid widens. Means (dots) lie where almost nothing happens. Tails decay at 0.2355 "
        "from below and "
        "at 0.0470 from above.",
        "Three panels: sharp peaks at times below 0.2; flat densities around the means; straight lines on a "
        "logarithmic "
        "axis, steep for starts below the boundary and flat for those above.",
    ),
    CaseFigure(
        "figure_6a",
        selection.follow_selection,
        selection.draw_selection_profiles,
        "Individuals that multiply by what they contain: their density drifts to the point where births and deaths "
        "balance, then only grows; its normalised form tends to a Gaussian.",
        "Left, densities at eight times that move right and then grow in place. Right, the same with mass "
        "one, tending to "
        "a dashed Gaussian.",
    ),
    CaseFigure(
        "figure_6b",
        selection.find_selection_rates,
        selection.draw_selection_rates,
        r"Growth rates of the population tend to $g (1 - 1/\Lambda)$ (dashed).",
        "Growth rate against time for five birth factors and for five growth factors; each curve rises to its dashed "
        "limit.",
    ),
    CaseFigure(
        "figure_7a",
        lambda: [division.follow_fragmentation(power) for power in (3, 2)],
        division.draw_fragmentation,
        "Pure fragmentation: volume moves to small sizes and is kept; exact solutions are dotted.",
        "Volume densities at five times, for two powers of the fragmentation rate, each on its dotted exact curve.",
    ),
    CaseFigure(
        "figure_7b",
        lambda: [division.follow_growth_and_fragmentation(power) for power in (2, 3)],
        division.draw_growth_and_fragmentation,
        "Growth, fragmentation and loss balance in the end; exact solutions are dotted, dots are the limit.",
        "Volume densities at five times for two powers, tending to a limiting profile.",
    ),
    CaseFigure(
        "cells",
        lambda: [cells.compare_cell_populations(mu, rng=np.random.default_rng(7)) for mu in (0.0, 0.15)],
        cells.draw_cell_populations,
        "Cells that express, grow, divide and are selected at once: equation (lines) and agents (points "
        "with two standard "
        "errors). Selection against messengers slows the growth of the population.",
        "Left, densities of the volume, right, of messengers; points of simulated agents lie on the lines.",
    ),
    CaseFigure(
        "coagulation",
        cells.follow_coagulation,
        cells.draw_coagulation,
        "Sizes that meet and merge: mass moves to large sizes, by each kernel in its own way; with breakage "
        "it comes to a "
        "balance. Exact solutions are dotted.",
        "Four panels of mass densities over the logarithm of the size at several times, each on its dotted "
        "exact curve.",
    ),
)


def write_gallery(folder, names=None, *, dpi=100):
    """Compute, draw and write figures, with a page that shows them.

    Parameters
    ----------
    folder : path
    names : sequence of str, optional
        Of the figures; by default all.
    dpi : float

    Returns
    -------
    list of pathlib.Path
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written, page = [], ["# Case studies", ""]
    for figure in FIGURES:
        if names is None or figure.name in names:
            path = folder / f"{figure.name}.png"
            path.write_bytes(plot.png(figure.make(), dpi=dpi))
            page += [f"![{figure.alt}]({path.name})", "", figure.caption, ""]
            written.append(path)
    (folder / "index.md").write_text("\n".join(page), encoding="utf-8")
    return written

"""Drawing a comparison of methods: their laws, and where their numbers part from the reference."""

import math

import numpy as np
from matplotlib.ticker import MaxNLocator

from acme_lib.checks import expected
from acme_lib.errors import ParameterError
from acme_lib.plot.display import show, subplots
from acme_lib.plot.draw import FILL

_MARKS = {"mean": "o", "standard deviation": "s"}
_MOST_LINES = 6


def draw_comparison(comparison, species=None, *, methods=None):
    """Draw the laws of several methods, and below how far mean and standard deviation are from the reference.

    Parameters
    ----------
    comparison : MethodComparison
        From `acme_lib.approximate.compare`.
    species : str, optional
        Default: the first.
    methods : sequence of str, optional
        Whose laws to draw beside the reference, six at most. Default: those whose law is furthest from it. The numbers
        of all methods are drawn.

    Returns
    -------
    figure : matplotlib.figure.Figure
    words : dict
        ``alt`` and ``caption``, as `acme_lib.plot.show` takes them: ``show(figure, **words)``.

    Raises
    ------
    ParameterError
        If there is nothing to compare with, or a name is unknown.
    """
    name = comparison.species[0] if species is None else species
    i = comparison.axis(name)
    if comparison.reference is None:
        raise ParameterError("no method of this comparison can serve as the reference: neither master equation nor SSA")
    reference = comparison[comparison.reference]
    if methods is None:
        drawn = _parting(comparison, name, i)
    else:
        drawn = [comparison[m] for m in methods]
        if len(drawn) > _MOST_LINES or any(row.laws[i] is None for row in drawn):
            raise expected("methods", f"{_MOST_LINES} at most, each with a law", tuple(methods))
    others = [row for row in comparison.rows if row is not reference and not row.failure]
    figure, (left, right) = subplots(1, 2, size=(11.0, 4.8), width_ratios=[1.25, 1.0])
    law = reference.laws[i]
    # A law far out is drawn as far as it meets the reference: the panel on the right says where its mean is.
    last = min(max([_reach(law), *(_reach(row.laws[i]) for row in drawn)]), 2 * _reach(law))
    n = np.arange(last + 1)
    left.bar(n, _to(law, last), 1.0, color=FILL, edgecolor="none", label=f"{comparison.reference} (filled)")
    for row in drawn:
        left.plot(n, _to(row.laws[i], last), label=row.method)
    top = max([_to(law, last).max(), *(_to(row.laws[i], last).max() for row in drawn)])
    # Where one law is a spike the others would be a line on the floor.
    left.set(xlabel=f"{name} (molecules)", ylabel="probability", xlim=(-0.5, last + 0.5))
    left.set_ylim(0, 1.08 * min(top, 4 * _to(law, last).max()))
    left.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    left.set_title(f"Law of {name}")
    handles, labels = left.get_legend_handles_labels()
    first = [k for k, label in enumerate(labels) if label.endswith("(filled)")]
    order = first + [k for k in range(len(labels)) if k not in first]
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "ncols": 2}
    left.legend([handles[k] for k in order], [labels[k] for k in order], **below)
    _draw_numbers(right, comparison, reference, others, i)
    return figure, _words(comparison, name, drawn, others, i)


def show_comparison(comparison, species=None, *, methods=None):
    """Draw and display a comparison, with its caption and its description; see `draw_comparison`."""
    figure, words = draw_comparison(comparison, species, methods=methods)
    show(figure, **words)


def _parting(comparison, name, i):
    rows = [row for row in comparison.rows if row.laws[i] is not None and row.method != comparison.reference]
    order = sorted(rows, key=lambda row: -np.nan_to_num(comparison.distance(row.method, name), nan=-1.0))
    chosen = set(map(id, order[:_MOST_LINES]))
    return [row for row in rows if id(row) in chosen]


def _reach(law):
    """Return the last count whose probability shows."""
    seen = np.flatnonzero(law > 5e-3 * law.max())
    return int(seen[-1]) + 2 if len(seen) else 1


def _to(law, last):
    return np.pad(law[: last + 1], (0, max(0, last + 1 - len(law))))


def _ratios(row, reference, i):
    """Return mean and standard deviation over those of the reference, with the error of the first."""
    mean, spread = reference.means[i], math.sqrt(max(reference.variances[i], 0.0))
    error = math.hypot(row.stderr[i], reference.stderr[i])
    first = row.means[i] / mean if mean > 0 else math.nan
    second = math.sqrt(max(row.variances[i], 0.0)) / spread if spread > 0 else math.nan
    return {"mean": first, "standard deviation": second}, (error / mean if mean > 0 else 0.0)


def _draw_numbers(axes, comparison, reference, others, i):
    heights = np.arange(len(others))[::-1]
    axes.axvline(1.0, color="black", linewidth=1.0, linestyle="-")
    values = []
    for y, row in zip(heights, others, strict=True):
        ratios, error = _ratios(row, reference, i)
        for offset, (what, mark), color in zip((0.14, -0.14), _MARKS.items(), ("#0072B2", "#D55E00"), strict=True):
            if math.isfinite(ratios[what]):
                values.append(ratios[what])
                bar = 2 * error if what == "mean" and error else None
                axes.errorbar(
                    ratios[what], y + offset, xerr=bar, fmt=mark, color=color, linestyle="none", label=what, capsize=3
                )
    handles, labels = axes.get_legend_handles_labels()
    first = {label: handle for handle, label in reversed(list(zip(handles, labels, strict=True)))}
    axes.set_yticks(heights, [row.method for row in others])
    axes.set_ylim(-0.6, len(others) - 0.4)
    low, high = min([*values, 0.97]), max([*values, 1.03])
    margin = 0.06 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.set_xlabel(f"relative to the {comparison.reference}")
    axes.set_title("Mean and spread")
    names = [what for what in _MARKS if what in first]
    axes.legend([first[what] for what in names], names, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)


def _words(comparison, name, drawn, others, i):
    at = "in the stationary state" if comparison.t is None else f"at time {comparison.t:g}"
    distances = {row.method: comparison.distance(row.method, name) for row in others if row.laws[i] is not None}
    distances = {method: d for method, d in distances.items() if not math.isnan(d)}
    reference = comparison.reference
    alt = (
        f"Two panels. Left: the law of {name} {at} by the {reference}, as filled bars over the count, and as lines by "
        f"{', '.join(row.method for row in drawn) or 'no other method'}. Right: for each method its mean and standard "
        f"deviation over those of the {reference}, with a line at one."
    )
    caption = f"The law of {name} {at}, by several methods, and their mean and standard deviation over the reference's."
    if distances:
        far, near = max(distances, key=distances.get), min(distances, key=distances.get)
        alt += f" Furthest from the {reference} is {far} (total variation {distances[far]:.2g})"
        alt += f", nearest {near} ({distances[near]:.2g})." if near != far else "."
        caption += f" The methods part most at {far}: total variation {distances[far]:.2g} from the {reference}."
    red = [row.method for row in others if row.trust is not None and row.trust.verdict == "red"]
    if red:
        caption += f" The warning light is red for {', '.join(red)}."
    return {"alt": alt, "caption": caption}

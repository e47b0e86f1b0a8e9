"""Figures from results: one style, a caption and a description in words for each.

``figure, axes = acme.plot.subplots()`` makes a figure in the style of the course; the ``draw_…`` functions draw results
on its axes; ``acme.show(figure, alt=…, caption=…)`` displays it.
"""

from acme_lib.plot.compare import draw_comparison, show_comparison
from acme_lib.plot.density import draw_density, draw_density_map, draw_growth_rate
from acme_lib.plot.display import Picture, png, show, style, subplots
from acme_lib.plot.draw import (
    FILL,
    draw_cells,
    draw_distribution,
    draw_fit,
    draw_generator,
    draw_joint_distribution,
    draw_samples,
    draw_trajectories,
    label_line,
)

__all__ = [
    "FILL",
    "Picture",
    "draw_cells",
    "draw_comparison",
    "draw_density",
    "draw_density_map",
    "draw_distribution",
    "draw_fit",
    "draw_generator",
    "draw_growth_rate",
    "draw_joint_distribution",
    "draw_samples",
    "draw_trajectories",
    "label_line",
    "png",
    "show",
    "show_comparison",
    "style",
    "subplots",
]

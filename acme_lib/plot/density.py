"""Drawing densities of augmented master equations: profiles, maps, growth rates."""

import numpy as np
from matplotlib.colors import LogNorm

from acme_lib.augmented import Continuum, States
from acme_lib.errors import ParameterError
from acme_lib.plot.display import style


def density_at(density, time=None):
    """Return the index of a saved time, or None for a density without times.

    Parameters
    ----------
    density : AugmentedDensity
    time : float, optional
        One of the saved times, to rounding; by default the last.
    """
    times = getattr(density, "times", None)
    if times is None:
        if time is not None:
            raise ParameterError("this density has no times: leave time out")
        return None
    if time is None:
        return len(times) - 1
    nearest = int(np.argmin(np.abs(times - time)))
    if abs(times[nearest] - time) > 1e-9 * max(abs(time), 1.0):
        shown = ", ".join(f"{value:g}" for value in times[:8])
        raise ParameterError(f"the density was not saved at t={time:g}; it was at {shown}{' …' * (len(times) > 8)}")
    return nearest


def profile_of(density, name, time=None, *, normalised=False, **where):
    """Return the coordinates of an axis and the marginal density on it, shape (size,) each."""
    marginal = density.marginal(name, normalised=normalised, **where)
    index = density_at(density, time)
    return density.space.coordinates(name), marginal if index is None else marginal[index]


def draw_density(axes, density, name, *, time=None, normalised=False, label=None, where=None, **options):
    """Draw the marginal density of a continuum species as a line, or of a count as points.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    density : AugmentedDensity
        A solution in time, a stationary density or a growth mode.
    name : str
        The axis.
    time : float, optional
        One of the saved times of a solution; by default the last.
    normalised : bool
        Divide by the mass: a population's profile, whatever its size.
    label : str, optional
    where : mapping, optional
        Counts or states of other axes, such as ``{"fate": "waiting"}``.
    **options
        What `matplotlib.axes.Axes.plot` takes.

    Returns
    -------
    matplotlib.lines.Line2D
    """
    x, values = profile_of(density, name, time, normalised=normalised, **(where or {}))
    axis = density.space[name]
    if isinstance(axis, Continuum):
        words, look = {"xlabel": f"{name} (concentration)", "ylabel": "density"}, {}
    else:
        words = {"xlabel": f"{name} ({'state' if isinstance(axis, States) else 'molecules'})", "ylabel": "mass"}
        look = {"linestyle": "none", "marker": "o", "markersize": 5}
    (line,) = axes.plot(x, values, label=label, **{**look, **options})
    if isinstance(axis, States):
        axes.set_xticks(x, axis.names)
    axes.set(**words)
    return line


def draw_density_map(axes, density, names, *, time=None, floor=1e-6, where=None):
    """Draw the joint density of two axes as a heat map on a logarithmic scale, with its colour bar.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    density : AugmentedDensity
    names : (str, str)
        Horizontal and vertical.
    time : float, optional
    floor : float
        Densities below this part of the largest are left white.
    where : mapping, optional

    Returns
    -------
    matplotlib.collections.QuadMesh
    """
    joint = density.marginal(*names, **(where or {}))
    index = density_at(density, time)
    joint = joint if index is None else joint[index]
    edges = []
    for name in names:
        axis = density.space[name]
        edges.append(axis.faces if isinstance(axis, Continuum) else np.arange(axis.size + 1) - 0.5)
    top = float(joint.max())
    visible = np.ma.masked_less(joint.T, floor * top)
    mesh = axes.pcolormesh(*edges, visible, norm=LogNorm(floor * top, top), cmap="cividis", rasterized=True)
    with style():
        axes.figure.colorbar(mesh, ax=axes, label="density")
    axes.set(xlabel=names[0], ylabel=names[1])
    return mesh


def draw_growth_rate(axes, solution, *, mode=None, label=None, **options):
    """Draw the growth rate of a population against time, and the rate of its dominant mode as a dashed line.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    solution : AugmentedSolution
    mode : GrowthMode, optional
    label : str, optional
    **options
        What `matplotlib.axes.Axes.plot` takes.

    Returns
    -------
    matplotlib.lines.Line2D
    """
    (line,) = axes.plot(solution.times, solution.growth_rate(), label=label, **options)
    if mode is not None:
        axes.axhline(mode.rate, color="black", linestyle="--", linewidth=1.2)
    axes.set(xlabel="time", ylabel="growth rate (1/time)")
    return line

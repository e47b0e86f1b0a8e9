"""A time slider over the solution of an augmented master equation."""

from acme_lib.errors import ParameterError
from acme_lib.plot import draw_density, subplots
from acme_lib.plot.density import profile_of
from acme_lib.teach.widgets import explore, slider


def explore_density(solution, name, *, question, alt, caption, normalised=False, where=None):
    """Make a figure of a solution's marginal density with a slider over its saved times.

    Parameters
    ----------
    solution : AugmentedSolution
        Saved at two times or more.
    name : str
        The axis that is drawn.
    question, alt, caption : str
        As for `explore`.
    normalised : bool
        Divide by the mass at each time.
    where : mapping, optional
        Counts or states of other axes.

    Returns
    -------
    SliderFigure

    Examples
    --------
    >>> import numpy as np
    >>> from acme_lib.augmented import AugmentedSpace, Continuum, Drift, build_augmented, solve_augmented
    >>> space = AugmentedSpace(x=Continuum(upper=4.0, cells=80))
    >>> system = build_augmented(space, Drift("x", "1 - x"))
    >>> solution = solve_augmented(system, space.density("exp(-9*(x - 3)**2)"), np.linspace(0, 2, 21))
    >>> figure = explore_density(
    ...     solution, "x", question="When does the mean pass 2?", alt="A hump that moves left and narrows.",
    ...     caption="All sizes relax towards 1.")
    >>> figure.move(moment=10)
    >>> figure.text[:15]
    'At time 1.000 t'
    """
    times = getattr(solution, "times", ())
    if len(times) < 2:
        raise ParameterError("a time slider needs a solution saved at two times or more: solve_augmented(…, t=[…])")
    where = dict(where or {})
    figure, axes = subplots()
    profiles = solution.marginal(name, normalised=normalised, **where)
    masses, means = solution.mass(**where), solution.mean(name, **where)
    line = draw_density(axes, solution, name, time=times[0], normalised=normalised, where=where)
    low = min(float(profiles.min()), 0.0)
    axes.set_ylim(1.05 * low, 1.05 * float(profiles.max()) or 1.0)
    axes.set_xlim(*(profile_of(solution, name, times[0], **where)[0][[0, -1]]))

    def redraw(moment):
        line.set_ydata(profiles[moment])
        return (
            f"At time {times[moment]:.3f} the mass is {masses[moment]:.4g} and the mean of {name} {means[moment]:.4g}."
        )

    moment = slider(0, len(times) - 1, 0, label="moment (number of the saved time)")
    return explore(figure, redraw, question=question, alt=alt, caption=caption, moment=moment)

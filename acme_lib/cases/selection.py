"""A birth-death process in individuals that multiply by what they contain (figure 6)."""

from dataclasses import dataclass

import numpy as np

from acme_lib import plot
from acme_lib.augmented import (
    AugmentedSolution,
    AugmentedSpace,
    Continuum,
    Growth,
    GrowthMode,
    States,
    Transition,
    build_augmented,
    solve_augmented,
    solve_growth_mode,
)
from acme_lib.laws import selected_logistic_limit, selected_logistic_mode
from acme_lib.network import ReactionNetwork

OMEGA = 1000
BIRTH_FACTORS = (2.0, 2.5, 3.0, 3.5, 4.0)
GROWTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


def selection_system(birth_factor=3.0, growth=0.5, dx=0.007, *, phantom=False):
    """Return the system of figure 6: births Λ x (1 - x), deaths x, growth g x.

    Parameters
    ----------
    birth_factor, growth : float
        Λ and g.
    dx : float
        Width of a cell; 0.007 lumps seven molecules.
    phantom : bool
        Write growth as Lunz et al. (2021) do, as a transition to a phantom state at a negative rate; else as `Growth`,
        which needs no further state and is the same.

    Returns
    -------
    AugmentedSystem
    """
    network = ReactionNetwork.parse("0 => X : L*X*(1 - X/W)\nX -> 0 : 1", L=birth_factor, W=float(OMEGA))
    axis = Continuum(upper=1.0, cells=round(1.0 / dx), system_size=OMEGA)
    if phantom:
        space = AugmentedSpace(network, kind=States("cell", frozen="phantom"), X=axis)
        process = Transition("cell", "phantom", "-g*X/W", allow_negative=True)
    else:
        space = AugmentedSpace(network, X=axis)
        process = Growth("g*X/W")
    return build_augmented(space, process, g=growth)


def _start(system):
    """Return the start of figure 6: a Gaussian at x = 0.1."""
    where = {"kind": "cell"} if "kind" in system.space.names else {}
    return system.space.density("exp(-0.5*((X - 0.1)/0.02)**2)", **where)


@dataclass(frozen=True, eq=False)
class SelectionProfiles:
    """How a population shifts and grows (figure 6A).

    Attributes
    ----------
    x : ndarray, shape (cell,)
    times : ndarray, shape (time,)
    densities : ndarray, shape (time, cell)
        Individuals, beginning with one.
    solution : AugmentedSolution
    mode : GrowthMode
        The profile that it tends to.
    limit : ndarray, shape (cell,)
        The Gaussian of large system sizes.
    """

    x: np.ndarray
    times: np.ndarray
    densities: np.ndarray
    solution: AugmentedSolution
    mode: GrowthMode
    limit: np.ndarray


def follow_selection(birth_factor=3.0, growth=0.5, dx=0.007, times=(0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)):
    """Follow a population under selection (figure 6A), through a phantom state as Lunz et al. (2021) do.

    Returns
    -------
    SelectionProfiles
    """
    system = selection_system(birth_factor, growth, dx, phantom=True)
    start = _start(system)
    solution = solve_augmented(system, start, times)
    x = system.space["X"].centres
    _, centre, deviation = selected_logistic_limit(birth_factor, growth, OMEGA)
    limit = np.exp(-0.5 * ((x - centre) / deviation) ** 2) / (deviation * np.sqrt(2.0 * np.pi))
    densities = np.concatenate([start[None], solution.p])[:, 0]
    mode = solve_growth_mode(selection_system(birth_factor, growth, dx))
    return SelectionProfiles(x, np.concatenate([[0.0], solution.times]), densities, solution, mode, limit)


def draw_selection_profiles(result):
    """Draw figure 6A: numbers, and beside them the profiles of mass 1."""
    figure, (left, right) = plot.subplots(1, 2, size=(12.0, 4.8), sharex=True)
    masses = result.densities.sum(axis=1) * (result.x[1] - result.x[0])
    for i, (time, density, mass) in enumerate(zip(result.times, result.densities, masses, strict=True)):
        shade = 0.25 + 0.7 * i / (len(result.times) - 1)
        color = (0.0, 0.45 * (1.2 - shade), 0.70, shade)
        left.plot(result.x, density, color=color, linestyle="-")
        right.plot(result.x, density / mass, color=color, linestyle="-")
        peak = np.argmax(density)
        # where the profile no longer moves, numbers stand above each other: only the first and last keep theirs
        if time <= 2.0 or time == result.times[-1]:
            side = "right" if 1.0 < time <= 2.0 else "center"
            left.annotate(f"$t$ = {time:g} ", (result.x[peak], density[peak]), ha=side, va="bottom", fontsize=11)
    right.plot(result.x, result.limit, color="black", linestyle="--", linewidth=1.5, label="Gaussian limit")
    left.set(xlabel="concentration $x$", ylabel="individuals per unit of $x$", xlim=(0, 1), ylim=(0, None))
    right.set(xlabel="concentration $x$", ylabel="normalised density", ylim=(0, None))
    left.set_ylim(top=1.1 * left.get_ylim()[1])
    right.legend(loc="upper left")
    return figure


@dataclass(frozen=True, eq=False)
class SelectionRates:
    """Growth rates in time (figure 6B).

    Attributes
    ----------
    times : ndarray, shape (time,)
    rates : dict of (float, float) to ndarray, shape (time,)
        By Λ and g.
    dominant, exact, limit : dict of (float, float) to float
        Rate of the dominant mode of the continuum, of the discrete process, and g (1 - 1/Λ).
    """

    times: np.ndarray
    rates: dict
    dominant: dict
    exact: dict
    limit: dict


def find_selection_rates(dx=0.004, times=None, cases=None):
    """Find the growth rate in time and its limit for all Λ and g (figure 6B).

    Parameters
    ----------
    dx : float
    times : array_like, optional
    cases : sequence of (float, float), optional
        Λ and g; by default those of the figure and its inset.

    Returns
    -------
    SelectionRates
    """
    times = np.linspace(0.1, 10.0, 100) if times is None else np.asarray(times, dtype=float)
    if cases is None:
        cases = list(dict.fromkeys([*((b, 0.5) for b in BIRTH_FACTORS), *((3.0, g) for g in GROWTHS)]))
    rates, dominant, exact, limit = {}, {}, {}, {}
    for birth_factor, growth in cases:
        case = (birth_factor, growth)
        system = selection_system(birth_factor, growth, dx)
        solution = solve_augmented(system, _start(system), times, normalise=True)
        rates[case] = solution.growth_rate()
        dominant[case] = solve_growth_mode(system).rate
        exact[case] = selected_logistic_mode(birth_factor, growth, OMEGA).rate
        limit[case] = selected_logistic_limit(birth_factor, growth, OMEGA)[0]
    return SelectionRates(times, rates, dominant, exact, limit)


def draw_selection_rates(result):
    """Draw figure 6B: growth rates for several Λ, and for several g."""
    figure, (left, right) = plot.subplots(1, 2, size=(12.0, 4.8))
    groups = (
        (left, [case for case in result.rates if case[1] == 0.5], lambda case: rf"$\Lambda$ = {case[0]:g}"),
        (right, [case for case in result.rates if case[0] == 3.0], lambda case: f"$g$ = {case[1]:g}"),
    )
    for axes, cases, name in groups:
        for case in sorted(cases):
            (line,) = axes.plot(result.times, result.rates[case])
            axes.plot(result.times[[0, -1]], [result.limit[case]] * 2, color="black", linestyle="--", linewidth=1.1)
            end = result.times[-1]
            plot.label_line(axes, 1.01 * end, result.rates[case][-1], name(case), line=line)
        axes.set(xlabel="time", ylabel="growth rate", xlim=(0, 1.18 * result.times[-1]))
        axes.set_xticks(np.arange(0, result.times[-1] + 1, 2))
    left.set_ylim(0, None)
    right.set_yscale("log")
    left.set_title("growth factor $g$ = 0.5")
    right.set_title(r"birth factor $\Lambda$ = 3")
    return figure

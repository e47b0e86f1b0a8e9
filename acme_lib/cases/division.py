"""Sizes that fragment, and grow (figure 7)."""

from dataclasses import dataclass

import numpy as np

from acme_lib import plot
from acme_lib.augmented import (
    AugmentedSolution,
    AugmentedSpace,
    Continuum,
    Death,
    Drift,
    Fragmentation,
    build_augmented,
    solve_augmented,
)
from acme_lib.laws import fragmentation_density, growth_fragmentation_density

RATE = 5.0  # the a of Lunz et al. (2021)
_PURE = {3: (0.5, 3.0), 2: (0.5, 4.0)}  # by k: the time that the start belongs to, and the end of the grid
_GROWING = {2: (0.02, 12.0), 3: (0.01, 8.0)}
_PURE_TIMES = (0.6, 2.0, 5.0, 10.0)
_GROWING_TIMES = {2: (0.04, 0.12, 0.4, 2.0), 3: (0.017, 0.07, 0.2, 2.0)}


@dataclass(frozen=True, eq=False)
class SizeDensities:
    """Number densities of sizes beside their exact solution.

    Attributes
    ----------
    power : float
        The k of the fragmentation rate a x^k.
    x : ndarray, shape (cell,)
    times : ndarray, shape (time,)
        Since the start; the first is 0.
    densities, exact : ndarray, shape (time, cell)
    errors : ndarray, shape (time,)
        L1 distance of the two over the exact number.
    limit : ndarray, shape (cell,) or None
        The profile at infinite time.
    solution : AugmentedSolution
    """

    power: float
    x: np.ndarray
    times: np.ndarray
    densities: np.ndarray
    exact: np.ndarray
    errors: np.ndarray
    limit: np.ndarray | None
    solution: AugmentedSolution


def follow_fragmentation(power=3, dx=0.005, times=_PURE_TIMES):
    """Follow sizes that only fragment (figure 7A, its inset with power 2).

    Returns
    -------
    SizeDensities
    """
    begin, end = _PURE[power]
    space = AugmentedSpace(x=Continuum(upper=end, cells=round(end / dx)))
    system = build_augmented(space, Fragmentation("x", "a*x^k", kernel="uniform"), a=RATE, k=float(power))
    return _follow(system, begin, times, lambda x, t: fragmentation_density(x, t, a=RATE, k=power), power, None)


def follow_growth_and_fragmentation(power=2, dx=0.005, times=None):
    """Follow sizes that grow, fragment and are lost (figure 7B, its inset with power 3).

    Returns
    -------
    SizeDensities
    """
    begin, end = _GROWING[power]
    space = AugmentedSpace(x=Continuum(upper=end, cells=round(end / dx), boundary=("reflecting", "outflow")))
    system = build_augmented(
        space, Drift("x", "x"), Death("1"), Fragmentation("x", "a*x^k", kernel="uniform"), a=RATE, k=float(power)
    )

    def exact(x, t):
        return growth_fragmentation_density(x, t, a=RATE, k=power)

    limit = exact(space["x"].centres, np.inf)
    return _follow(system, begin, _GROWING_TIMES[power] if times is None else times, exact, power, limit)


def _follow(system, begin, times, exact, power, limit):
    x = system.space["x"].centres
    start = exact(x, begin)
    solution = solve_augmented(system, start, times)
    expected = np.array([exact(x, begin + t) for t in (0.0, *solution.times)])
    densities = np.concatenate([start[None], solution.p])
    errors = np.abs(densities - expected).sum(axis=1) / expected.sum(axis=1)
    times = np.concatenate([[0.0], solution.times])
    return SizeDensities(power, x, times, densities, expected, errors, limit, solution)


def draw_fragmentation(results):
    """Draw figure 7A: volume densities for each of `results` (powers 3 and 2)."""
    return _draw(results, 1.6)


def draw_growth_and_fragmentation(results):
    """Draw figure 7B: volume densities for each of `results` (powers 2 and 3)."""
    return _draw(results, 2.5)


def _draw(results, end):
    figure, panels = plot.subplots(1, len(results), size=(6.2 * len(results), 4.8), squeeze=False)
    for axes, result in zip(panels[0], results, strict=True):
        seen = result.x < end
        x = result.x[seen]
        styles = ("-", "--", "-.", (0, (6, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)))
        for i, (time, density) in enumerate(zip(result.times, result.densities, strict=True)):
            label = f"$t - t_0$ = {time:g}"
            axes.plot(x, x * density[seen], color=f"C{i}", linestyle=styles[i % 5], label=label)
            axes.plot(x, x * result.exact[i][seen], color="black", linestyle=":", linewidth=1.4, zorder=5)
        axes.plot([], [], color="black", linestyle=":", linewidth=1.4, label="exact")
        if result.limit is not None:
            axes.plot(x, x * result.limit[seen], "o", color="black", markersize=3, markevery=0.04, label="limit")
        axes.set(xlabel="size $x$", ylabel=r"volume density $x\,\rho$", xlim=(0, end), ylim=(0, None))
        axes.set_title(f"fragmentation rate ${RATE:g}\\,x^{result.power}$")
        axes.legend()
    return figure

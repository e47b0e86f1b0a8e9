"""Beyond the figures of Lunz et al. (2021): genes inside cells that grow, divide and are selected; sizes that meet."""

from dataclasses import dataclass

import numpy as np

from acme_lib import plot
from acme_lib.augmented import (
    AugmentedSpace,
    Continuum,
    Death,
    Discrete,
    Fragmentation,
    GrowthMode,
    build_augmented,
    solve_growth_mode,
)
from acme_lib.augmented.coagulation import CoagulationSolution, geometric_sizes, solve_coagulation
from acme_lib.laws import balanced_coagulation_density, coagulation_density
from acme_lib.network import ReactionNetwork
from acme_lib.processes import BetaFraction, Hazard
from acme_lib.simulate import Population, simulate_population

_SHAPE = 3.0  # of the symmetric beta law of a daughter's share


def cell_network(transcription=6.0, growth=1.0, decay=0.5):
    """Return what happens inside a cell: its volume V grows, and messengers M are made in proportion to it."""
    text = "0 => V : g*V\n0 => M : k*V\nM -> 0 : d"
    return ReactionNetwork.parse(text, k=transcription, g=growth, d=decay)


@dataclass(frozen=True, eq=False)
class CellPopulation:
    """A population of cells, by its equation and by agents.

    Attributes
    ----------
    mode : GrowthMode
        Joint law of messengers and volume, and the growth rate of the number of cells.
    agents : Population
    rate, rate_stderr : float
        Growth rate of the agents.
    toxicity : float
        Death rate for each messenger.
    """

    mode: GrowthMode
    agents: Population
    rate: float
    rate_stderr: float
    toxicity: float


def compare_cell_populations(toxicity=0.15, cells=64, most=32, size=4000, replicates=8, end=8.0, *, rng):
    r"""Compare cells that express, grow, divide and are selected, by their equation and by agents.

    The volume grows as :math:`\dot V = V`; transcription is proportional to it; a cell divides at the rate
    :math:`2 V^2`, into shares of a beta law, messengers are partitioned binomially by these shares, and a cell
    dies at the rate `toxicity` for each messenger. All four processes act at once, on a joint law of two axes.

    Parameters
    ----------
    toxicity : float
    cells, most : int
        Cells of the grid of volumes, largest count of messengers.
    size, replicates : int
        Agents, and the independent populations that they make up.
    end : float
        Time up to which agents are followed; the first half settles.
    rng : numpy.random.Generator

    Returns
    -------
    CellPopulation
    """
    network = cell_network()
    space = AugmentedSpace(network, M=Discrete(most), V=Continuum(upper=3.6, cells=cells))
    rate, share = "2*V^2", BetaFraction(_SHAPE, _SHAPE)
    processes = [Fragmentation("V", rate, share), *([Death("mu*M")] if toxicity > 0 else [])]
    rates = {"mu": toxicity} if toxicity > 0 else {}
    mode = solve_growth_mode(build_augmented(space, *processes, diffusion=False, **rates))
    agents = simulate_population(
        network,
        {"V": 1.0, "M": 5},
        np.linspace(0.0, end, 9),
        continuous=["V"],
        division=Hazard(rate, share),
        death=f"{toxicity!r}*M" if toxicity > 0 else None,
        size=size,
        replicates=replicates,
        rng=rng,
        progress=False,
    )
    return CellPopulation(mode, agents, *agents.growth_rate(start=0.5 * end), toxicity)


def draw_cell_populations(results):
    """Draw volume and messengers of each of `results`: equation as lines, agents as points with errors."""
    figure, (left, right) = plot.subplots(1, 2, size=(12.0, 4.8))
    markers = "os^D"
    for result, marker in zip(results, markers, strict=False):
        mode, agents = result.mode, result.agents
        label = (
            f"death {result.toxicity:g} per messenger: growth {mode.rate:.3f} "
            f"(agents {result.rate:.3f} ± {result.rate_stderr:.3f})"
        )
        (line,) = left.plot(mode.space["V"].centres, mode.marginal("V"), label=label)
        edges = np.linspace(0.0, 3.0, 25)
        volume, volume_error = agents.profile("V", edges, agents.times[-1])
        options = {"marker": marker, "linestyle": "none", "color": line.get_color(), "markersize": 4}
        left.errorbar(0.5 * (edges[1:] + edges[:-1]), volume, 2 * volume_error, **options)
        right.plot(
            mode.space.coordinates("M"), mode.marginal("M"), color=line.get_color(), linestyle=line.get_linestyle()
        )
        counts = np.arange(-0.5, 16.5)
        messengers, messengers_error = agents.profile("M", counts, agents.times[-1])
        right.errorbar(counts[:-1] + 0.5, messengers, 2 * messengers_error, **options)
    left.set(xlabel="volume $V$", ylabel="density", xlim=(0, 3), ylim=(0, None))
    right.set(xlabel="messengers $M$", ylabel="probability", xlim=(-0.5, 16), ylim=(0, None))
    left.set_ylim(top=1.35 * left.get_ylim()[1])
    left.legend(loc="upper left", fontsize=11)
    return figure


@dataclass(frozen=True, eq=False)
class MeetingSizes:
    """Sizes that coagulate, alone and in balance with fragmentation.

    Attributes
    ----------
    solutions : dict of str to CoagulationSolution
    exact : dict of str to ndarray, shape (time, cell)
        Number densities.
    errors : dict of str to ndarray, shape (time,)
        L1 distance of the mass densities over the mass.
    """

    solutions: dict[str, CoagulationSolution]
    exact: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]


def follow_coagulation(cells=200):
    """Follow sizes that coagulate by three kernels, and that coagulate and fragment in balance.

    Returns
    -------
    MeetingSizes
    """
    cases = {
        "constant kernel": ("1", None, (0.0, 1.0, 4.0, 10.0), lambda x: np.exp(-x), "constant"),
        "additive kernel": ("x + y", None, (0.0, 0.5, 1.0, 1.5), lambda x: np.exp(-x), "additive"),
        "multiplicative kernel": ("x*y", None, (0.0, 0.3, 0.6), lambda x: np.exp(-x) / x, "multiplicative"),
        "constant kernel with breakage 2 x": ("1", "2*x", (0.0, 0.2, 0.5, 4.0), lambda x: np.exp(-x), None),
    }
    solutions, exact, errors = {}, {}, {}
    for name, (kernel, breakage, times, start, law) in cases.items():
        # by the additive kernel the mass spreads over sizes that grow exponentially
        edges = geometric_sizes(1e-3, *((2000.0, 3 * cells // 2) if law == "additive" else (200.0, cells)))
        solution = solve_coagulation(start, times, edges=edges, kernel=kernel, breakage=breakage)
        x, widths = solution.sizes, np.diff(edges)
        if law is None:
            expected = np.array([balanced_coagulation_density(x, t, fragmentation=4.0) for t in times])
        else:
            expected = np.array([coagulation_density(x, t, kernel=law) for t in times])
        apart = np.abs(solution.mass_density - x * expected) @ widths
        solutions[name], exact[name], errors[name] = solution, expected, apart / ((x * expected) @ widths)
    return MeetingSizes(solutions, exact, errors)


def draw_coagulation(result):
    """Draw mass densities of the logarithm of the size."""
    figure, panels = plot.subplots(2, 2, size=(12.0, 8.4), sharex=True)
    for axes, (name, solution) in zip(panels.ravel(), result.solutions.items(), strict=True):
        x = solution.sizes
        for time, density, exact in zip(solution.times, solution.mass_density, result.exact[name], strict=True):
            axes.semilogx(x, x * density, label=f"$t$ = {time:g}")
            axes.semilogx(x, x * x * exact, color="black", linestyle=":", linewidth=1.4, zorder=5)
        axes.semilogx([], [], color="black", linestyle=":", linewidth=1.4, label="exact")
        axes.set_title(name)
        axes.set(xlim=(1e-2, 1e3), ylim=(0, None))
        axes.legend(loc="upper left", fontsize=11)
    for axes in panels[1]:
        axes.set_xlabel("size $x$")
    for axes in panels[:, 0]:
        axes.set_ylabel("mass per unit of $\\ln x$")
    return figure

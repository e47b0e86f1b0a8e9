"""Self-regulated expression of a protein made in bursts: stationary laws and switching times (figures 3, 4 and 5)."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from acme_lib import plot
from acme_lib.augmented import (
    AugmentedSpace,
    Burst,
    Continuum,
    Discrete,
    ExponentialJump,
    build_augmented,
    solve_augmented_stationary,
)
from acme_lib.augmented.first_passage import AugmentedFirstPassage, solve_augmented_first_passage
from acme_lib.errors import TruncationWarning
from acme_lib.laws import self_regulation
from acme_lib.master import StateSpace, build_generator, solve_stationary
from acme_lib.network import ReactionNetwork

OMEGA = 200.0  # molecules in a unit of x
BURST = 40.0  # molecules
BOUNDARY = 0.825  # between the modes, in units of x
_END = 10.0
_HILL = "r0 + r1*P^4/(K^4 + P^4)"
_RATES = {"r0": 2.0, "r1": 10.0, "K": OMEGA}


def messenger_network(gamma):
    """Return the network with a messenger of finite lifetime: model (6) of Lunz et al. (2021)."""
    text = f"0 => M : {_HILL}\nM -> M + P : gamma*B\nM -> 0 : gamma\nP -> 0 : 1"
    return ReactionNetwork.parse(text, gamma=float(gamma), B=BURST, **_RATES)


def burst_process():
    """Return the bursts of model (10), and the values of what they name."""
    return Burst("P", _HILL, ExponentialJump(BURST)), dict(_RATES)


def burst_space(dx):
    """Return the space of model (10): the protein alone, as a continuum."""
    network = ReactionNetwork.parse("P -> 0 : 1")
    return AugmentedSpace(network, P=Continuum(upper=_END, cells=round(_END / dx), system_size=OMEGA))


@dataclass(frozen=True, eq=False)
class MessengerLaws:
    """Stationary laws of the protein (figure 3A).

    Attributes
    ----------
    gammas : tuple of float
        Decay rates of the messenger, in units of the protein's.
    x : ndarray, shape (cell,)
    densities : ndarray, shape (gamma, cell)
        Continuum protein, discrete messenger.
    counts_x : ndarray, shape (count,)
        Protein counts over the system size.
    master : ndarray, shape (gamma, count)
        The discrete master equation, per unit of x.
    bursty : ndarray, shape (cell,)
        Model (10): a messenger that lives for a moment.
    exact : ndarray, shape (cell,)
        Its exact law (12), averaged over cells.
    """

    gammas: tuple[float, ...]
    x: np.ndarray
    densities: np.ndarray
    counts_x: np.ndarray
    master: np.ndarray
    bursty: np.ndarray
    exact: np.ndarray


def compare_messenger_laws(gammas=(1.0, 2.5, 10.0, 100.0), dx=0.05, most=30):
    """Compare the stationary law of a hybrid model with its discrete master equation (figure 3A).

    Parameters
    ----------
    gammas : sequence of float
    dx : float
        Width of a cell; 0.05 lumps ten molecules.
    most : int
        Largest count of messengers, the K of Lunz et al.

    Returns
    -------
    MessengerLaws
    """
    largest = round(_END * OMEGA)
    densities, master = [], []
    for gamma in gammas:
        network = messenger_network(gamma)
        densities.append(_hybrid_law(network, dx, most))
        space = StateSpace.box(network, M=most, P=largest)
        law = solve_stationary(build_generator(network, space, boundary="reflecting"))
        master.append(law.marginal("P") * OMEGA)
    burst, rates = burst_process()
    space = burst_space(dx)
    bursty = solve_augmented_stationary(build_augmented(space, burst, diffusion=False, **rates))
    return MessengerLaws(
        tuple(gammas),
        space["P"].centres,
        np.array(densities),
        np.arange(largest + 1) / OMEGA,
        np.array(master),
        bursty.marginal("P"),
        np.diff(self_regulation().cdf(space["P"].faces)) / dx,
    )


def _hybrid_law(network, dx, most):
    axis = Continuum(upper=_END, cells=round(_END / dx), system_size=OMEGA)
    space = AugmentedSpace(network, M=Discrete(most), P=axis)
    with warnings.catch_warnings():
        # 30 messengers cut off a share of 3e-4 where they live longest, here and in the master equation
        warnings.simplefilter("ignore", TruncationWarning)
        return solve_augmented_stationary(build_augmented(space, diffusion=False)).marginal("P")


def draw_messenger_laws(result):
    """Draw figure 3A."""
    figure, axes = plot.subplots(size=(8.4, 5.0))
    for gamma, density, master in zip(result.gammas, result.densities, result.master, strict=True):
        (line,) = axes.plot(result.x, density, label=rf"$\gamma/\gamma_0$ = {gamma:g}")
        axes.plot(result.counts_x, master, color="black", linestyle=":", linewidth=1.3, zorder=line.get_zorder() + 0.5)
    axes.plot(result.x, result.bursty, label=r"$\gamma/\gamma_0 \to \infty$, bursts")
    axes.plot(result.x, result.exact, color="black", linestyle="--", linewidth=1.3, label="exact law of bursts")
    axes.plot([], [], color="black", linestyle=":", linewidth=1.3, label="discrete master equations")
    axes.set(xlabel="protein concentration $x$", ylabel="density", xlim=(0, 5), ylim=(0, None))
    axes.legend()
    return figure


@dataclass(frozen=True, eq=False)
class MessengerConvergence:
    """Distance of the hybrid model's law to the exact law of bursts (figure 3B).

    Attributes
    ----------
    gammas : ndarray, shape (gamma,)
    distances : dict of str to ndarray, shape (gamma,)
        In the norms L1, L2 and L∞.
    slopes : dict of str to float
        Of their logarithms against that of gamma.
    """

    gammas: np.ndarray
    distances: dict
    slopes: dict


def measure_messenger_convergence(gammas=(5.0, 10.0, 20.0, 50.0, 100.0, 200.0), dx=0.025, most=30):
    """Measure how the law with a messenger of finite lifetime tends to that of bursts (figure 3B).

    Parameters
    ----------
    gammas : sequence of float
    dx, most
        As in `compare_messenger_laws`.

    Returns
    -------
    MessengerConvergence
    """
    exact = np.diff(self_regulation().cdf(burst_space(dx)["P"].faces)) / dx
    apart = np.array([np.abs(_hybrid_law(messenger_network(gamma), dx, most) - exact) for gamma in gammas])
    distances = {
        "L1": apart.sum(axis=1) * dx,
        "L2": np.sqrt((apart**2).sum(axis=1) * dx),
        "L∞": apart.max(axis=1),
    }
    gammas = np.array(gammas)
    slopes = {name: float(np.polyfit(np.log(gammas), np.log(d), 1)[0]) for name, d in distances.items()}
    return MessengerConvergence(gammas, distances, slopes)


def draw_messenger_convergence(result):
    """Draw figure 3B."""
    figure, axes = plot.subplots(size=(7.0, 4.8))
    for (name, distance), marker in zip(result.distances.items(), "os^", strict=True):
        label = f"${name[0]}^{{{name[1:].replace('∞', chr(92) + 'infty')}}}$, slope {result.slopes[name]:.2f}"
        axes.loglog(result.gammas, distance, marker=marker, label=label)
    reference = 0.5 * result.distances["L∞"][0] * result.gammas[0] / result.gammas
    axes.loglog(result.gammas, reference, color="black", linestyle="--", linewidth=1.3, label=r"$\propto 1/\gamma$")
    axes.set(xlabel=r"decay of the messenger, $\gamma/\gamma_0$", ylabel="distance to the law of bursts")
    axes.legend()
    return figure


@dataclass(frozen=True, eq=False)
class SwitchingTimes:
    """Laws of the time to switch to the other mode, from every start (figures 4 and 5).

    Attributes
    ----------
    below, above : AugmentedFirstPassage
        Of starts on either side of the boundary.
    x : ndarray, shape (start,)
        All starts: the centres of the cells of both.
    mean, median, mode, low, high : ndarray, shape (start,)
        Of each law; `low` and `high` are its quantiles 0.1 and 0.9.
    exact_x : ndarray
        Some hundred of the starts, at which `exact` is known.
    """

    below: AugmentedFirstPassage
    above: AugmentedFirstPassage
    x: np.ndarray
    mean: np.ndarray
    median: np.ndarray
    mode: np.ndarray
    low: np.ndarray
    high: np.ndarray
    exact_x: np.ndarray
    boundary: float

    @cached_property
    def exact(self):
        """The exact mean (13) from the starts `exact_x`."""
        return self_regulation().mean_switching_time(self.exact_x, self.boundary)

    def mean_at(self, x):
        """Return the mean from given starts, interpolated on their own side of the boundary."""
        x = np.asarray(x, dtype=float)
        found = [self._side(at).mean for at in x.ravel()]
        starts = [self._side(at).space["P"].centres for at in x.ravel()]
        values = [np.interp(at, s, m) for at, s, m in zip(x.ravel(), starts, found, strict=True)]
        return np.array(values).reshape(x.shape)[()]

    def density_at(self, x):
        """Return the density in time from the cell at x, shape (time,)."""
        side = self._side(x)
        return side.density[:, np.argmin(np.abs(side.space["P"].centres - x))]

    def _side(self, x):
        return self.below if x < BOUNDARY else self.above


def find_switching_times(dx=0.005, end=150.0, boundary=BOUNDARY):
    """Find the laws of the switching times from every start at once (figures 4 and 5).

    Parameters
    ----------
    dx : float
        Width of a cell. That of Lunz et al. is 0.025; at 0.0125 every mean of its table is right to 1 %.
    end : float
        Last time of the laws.
    boundary : float
        Between the modes.

    Returns
    -------
    SwitchingTimes
    """
    burst, rates = burst_process()
    space = burst_space(dx)
    sides = [
        solve_augmented_first_passage(space, "P", boundary, burst, side=side, end=end, diffusion=False, **rates)
        for side in ("below", "above")
    ]
    x = np.concatenate([side.space["P"].centres for side in sides])
    shown = x[x < 3.0]
    some = shown[:: max(1, len(shown) // 100)]

    def joined(values):
        return np.concatenate([values(side) for side in sides])

    return SwitchingTimes(
        *sides,
        x,
        joined(lambda side: side.mean),
        joined(lambda side: side.quantile(0.5)),
        joined(lambda side: side.mode()),
        joined(lambda side: side.quantile(0.1)),
        joined(lambda side: side.quantile(0.9)),
        some,
        boundary,
    )


def draw_switching_times(result):
    """Draw figure 4: the laws as shares that have switched, with mean, median and mode."""
    figure, axes = plot.subplots(size=(8.4, 5.2))
    seen = result.x < 3.0
    times = np.geomspace(0.01, result.below.times[-1], 240)
    switched = np.concatenate([_switched(side, times) for side in (result.below, result.above)], axis=1)
    shades = axes.contourf(
        result.x[seen], times, switched[:, seen], levels=np.linspace(0.0, 1.0, 11), cmap="Blues", alpha=0.85
    )
    with plot.style():
        figure.colorbar(shades, ax=axes, label="share that has switched")
    for part in (seen & (result.x < BOUNDARY), seen & (result.x > BOUNDARY)):
        first = part[0]
        axes.plot(result.x[part], result.mean[part], "-", color="#D55E00", label="mean" if first else None)
        side = (result.exact_x < BOUNDARY) == (result.x[part][0] < BOUNDARY)
        exact = {"color": "black", "linestyle": "--", "linewidth": 1.4, "label": "exact mean" if first else None}
        axes.plot(result.exact_x[side], result.exact[side], **exact)
        axes.plot(result.x[part], result.median[part], "-.", color="#009E73", label="median" if first else None)
        shown = np.where(result.mode > 0.0, result.mode, np.nan)
        axes.plot(result.x[part], shown[part], ":", color="#CC79A7", linewidth=2.6, label="mode" if first else None)
    axes.axvline(BOUNDARY, color="0.3", linewidth=1.0)
    axes.text(BOUNDARY + 0.03, 0.0135, "boundary", color="0.2")
    axes.set(
        xlabel="start $x$", ylabel="switching time", yscale="log", xlim=(0, 3), ylim=(0.01, result.below.times[-1])
    )
    axes.legend(loc="lower right")
    return figure


def _switched(side, times):
    # where a start is carried across without a jump, the scheme overshoots certainty a little
    return np.clip(1.0 - np.array([np.interp(times, side.times, column) for column in side.survival.T]).T, 0.0, 1.0)


def draw_switching_densities(result, starts=(0.7, 0.75, 0.8, 0.85, 0.9, 0.95)):
    """Draw figure 5: densities of the switching time near the boundary, at short, middle and long times."""
    figure, (left, middle, right) = plot.subplots(1, 3, size=(13.2, 4.6))
    styles = ("-", "--", "-.", "-", "--", "-.")
    for i, (start, style) in enumerate(zip(starts, styles, strict=False)):
        side = result.below if start < BOUNDARY else result.above
        density = result.density_at(start)
        options = {"linestyle": style, "color": f"C{i}", "label": f"$x$ = {start:g}"}
        left.plot(side.times, density, **options)
        middle.plot(side.times, density, **options)
        mean = result.mean_at(start)
        middle.plot(mean, np.interp(mean, side.times, density), "o", color=f"C{i}")
        right.semilogy(side.times, density, **options)
    left.set(xlabel="time", ylabel="density", xlim=(0, 0.25), ylim=(0, 50), title="modes")
    middle.set(xlabel="time", xlim=(0.3, 6.5), ylim=(0, 0.4), title="means (dots)")
    right.set(xlabel="time", xlim=(0.3, 60), ylim=(1e-6, 1), title="tails")
    middle.legend(fontsize=11)
    return figure

"""First-passage laws from every start, against exact means, a shooting method, the master equation and paths."""

import numpy as np
import pytest
from scipy import integrate, linalg, optimize, stats

import acme_lib as acme
from acme_lib import laws
from acme_lib.augmented import (
    AugmentedSpace,
    Continuum,
    Discrete,
    Influx,
    States,
    Transition,
    build_augmented,
)
from acme_lib.augmented.first_passage import solve_augmented_first_passage
from acme_lib.cases.self_regulation import BOUNDARY, burst_process, burst_space
from acme_lib.errors import ParameterError, StateSpaceError
from tests.statistics import FALSE_POSITIVE


def passage(side, dx=0.0125, **options):
    burst, rates = burst_process()
    return solve_augmented_first_passage(
        burst_space(dx), "P", BOUNDARY, burst, side=side, diffusion=False, **rates, **options
    )


def exact_decay_rate(side):
    """By shooting: S and u = ∫ S(x + z) e^(-z/b) dz/b obey -x S' + H (u - S) + λ S = 0 and u' = (u - S)/b."""
    law = laws.self_regulation()

    def slopes(rate):
        return lambda x, y: [
            (law.burst_rate(x) * (y[1] - y[0]) + rate * y[0]) / x,
            (y[1] - y[0]) / law.b,
        ]

    def from_above(rate):
        end = integrate.solve_ivp(slopes(rate), (40.0, BOUNDARY), [1.0, 1.0], method="DOP853", rtol=1e-10, atol=1e-13)
        return end.y[0, -1]

    def from_below(rate):
        start = [law.r0 / (law.r0 - rate), 1.0]
        end = integrate.solve_ivp(slopes(rate), (1e-6, BOUNDARY), start, method="LSODA", rtol=1e-10, atol=1e-12)
        return end.y[1, -1]

    return optimize.brentq(*((from_above, 0.03, 0.06) if side == "above" else (from_below, 0.1, 0.4)), xtol=1e-10)


@pytest.mark.parametrize("side", ["below", "above"])
def test_means_and_tails_are_exact(side):
    found = passage(side, dx=0.005)
    x = found.space["P"].centres
    # In the last cells before the boundary the means of neighbours are off to either side.
    seen = (np.abs(x - BOUNDARY) > 0.02) & (x < 4.0)
    exact = laws.self_regulation().mean_switching_time(x[seen], BOUNDARY)
    np.testing.assert_allclose(found.mean[seen], exact, rtol=0.01)
    assert found.decay_rate == pytest.approx(exact_decay_rate(side), rel=2e-3)
    late = found.times > 0.6 * found.times[-1]
    column = np.argmin(np.abs(x - 1.5)) if side == "above" else 3
    slope = np.polyfit(found.times[late], np.log(found.survival[late, column]), 1)[0]
    assert slope == pytest.approx(-found.decay_rate, rel=1e-3)


def test_moments_and_quantiles_are_those_of_the_survival():
    found = passage("below")
    times, tail = found.times, found.survival[-1] / found.decay_rate
    mean = np.trapezoid(found.survival, times, axis=0) + tail
    np.testing.assert_allclose(mean, found.mean, rtol=1e-3)
    square = 2 * np.trapezoid(times[:, None] * found.survival, times, axis=0)
    np.testing.assert_allclose(np.sqrt(square - mean**2), found.std, rtol=5e-3)
    i = 20
    median = found.quantile(0.5)[i]
    assert np.interp(median, times, found.survival[:, i]) == pytest.approx(0.5, abs=1e-6)
    integral = np.trapezoid(found.density[:, i], times)
    assert integral == pytest.approx(1.0, abs=2e-3)
    assert found.times[np.argmax(found.density[:, i])] == found.mode()[i]
    early = passage("below", end=1.0)
    assert early.quantile(0.9)[i] == pytest.approx(found.quantile(0.9)[i], rel=0.1)


def test_a_finite_absorption_tends_to_it():
    """The construction of Lunz et al.: an absorbing state, entered at the rate 1000 beyond the boundary."""
    burst, rates = burst_process()
    network = acme.ReactionNetwork.parse("P -> 0 : 1")
    axis = Continuum(upper=8.25, cells=330, system_size=200)
    space = AugmentedSpace(network, fate=States("waiting", frozen="switched"), P=axis)
    absorb = Transition("waiting", "switched", "alpha*(P > 0.825*K)")
    system = build_augmented(space, burst, absorb, diffusion=False, alpha=1000.0, **rates)
    n = axis.cells
    matrix = system.matrix()[:n, :n].toarray()
    means = np.linalg.solve(-matrix.T, np.ones(n))
    found = passage("below", dx=0.025)
    np.testing.assert_allclose(means[:25], found.mean[:25], rtol=0.02)


def test_it_is_the_master_equation_s():
    """A birth-death process: cells of one molecule beside the discrete process, with noise of molecules."""
    omega, threshold = 100.0, 0.7
    network = acme.ReactionNetwork.parse("0 -> X : k\nX -> 0 : 1", k=50.0)
    space = AugmentedSpace(network, X=Continuum(upper=2.0, cells=400, system_size=omega))
    found = solve_augmented_first_passage(space, "X", threshold, side="below")
    n = np.arange(int(threshold * omega))
    matrix = np.diag(np.full(len(n) - 1, 50.0), -1) + np.diag(n[1:] * 1.0, 1)
    matrix -= np.diag(50.0 + n)
    exact = linalg.solve(-matrix.T, np.ones(len(n)))
    mean = np.interp(0.5, found.space["X"].centres, found.mean)
    # the Fokker-Planck equation is an approximation of the discrete process, and a good one here
    assert mean == pytest.approx(exact[50], rel=0.12)


def test_paths_agree(scaled):
    """A messenger that is counted, and a protein that flows: any network is asked in one line."""
    network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g\nM -> M + P : b\nP -> 0 : 1", k=2.0, g=3.0, b=60.0)
    space = AugmentedSpace(network, M=Discrete(12), P=Continuum(upper=2.0, cells=200, system_size=100))
    found = solve_augmented_first_passage(space, "P", 0.6, side="below", diffusion=False)
    size = scaled(2000, 20)
    options = {"continuous": ["P"], "stop": "P >= 60", "size": size, "rng": np.random.default_rng(2), "progress": False}
    times = acme.simulate_jump_drift(network, {"P": 20.25, "M": 1}, 400, **options).stop_times
    start = np.argmin(np.abs(found.space["P"].centres - 0.2025)), 1
    mean = found.mean[start[1], start[0]]
    z = stats.norm.isf(FALSE_POSITIVE / 2)
    assert abs(times.mean() - mean) < z * found.std[start[1], start[0]] / np.sqrt(size) + 0.002 * mean
    cdf = 1.0 - found.survival[:, start[1], start[0]]
    distance = stats.kstest(times, lambda t: np.interp(t, found.times, cdf, right=1.0)).statistic
    assert distance < stats.kstwo.isf(FALSE_POSITIVE, size) + 0.003


def test_bad_input_is_named():
    burst, rates = burst_process()
    space = burst_space(0.05)

    def ask(*processes, space=space, species="P", threshold=0.8, side="below", **options):
        solve_augmented_first_passage(space, species, threshold, *processes, side=side, diffusion=False, **options)

    for options, words in [
        ({"side": "left"}, "side must be"),
        ({"threshold": 20.0}, "threshold must be a number above 0 and below 10, got 20.0"),
        ({"threshold": "1"}, "threshold must be a number"),
        ({"end": -1.0}, "end must be a positive number"),
        ({"t": 5.0}, "write end=5.0"),
        ({"scheme": "minmod"}, "linear scheme"),
    ]:
        with pytest.raises(ParameterError, match=words):
            ask(burst, **options, **rates)
    with pytest.raises(ParameterError, match="leave the Influx out"):
        ask(burst, Influx("1"), **rates)
    with pytest.raises(StateSpaceError, match="must be an AugmentedSpace"):
        ask(burst, space=None)
    with pytest.raises(StateSpaceError, match="is not crossed"):
        ask()  # decay alone leads nowhere up
    hybrid = AugmentedSpace(acme.ReactionNetwork.parse("M -> 0 : 1\nP -> 0 : 1"), M=Discrete(2), P=Continuum(1.0, 20))
    with pytest.raises(ParameterError, match="must be a continuum axis"):
        ask(space=hybrid, species="M")
    with pytest.raises(ParameterError, match="q must be a number above 0 and below 1"):
        passage("below").quantile(1.0)

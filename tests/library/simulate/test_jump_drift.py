"""Jump-drift paths against exact laws; statistical checks state their false-positive rate."""

import numpy as np
import pytest
from scipy import stats

import acme_lib as acme
from acme_lib import laws
from acme_lib.errors import NetworkSyntaxError, ParameterError, PropensityError
from acme_lib.processes import ArbitraryJump, PowerLawKernel
from tests.statistics import FALSE_POSITIVE

Z = stats.norm.isf(FALSE_POSITIVE / 2)


def parse(text, **parameters):
    return acme.ReactionNetwork.parse(text, **parameters)


def rng(seed=1):
    return np.random.default_rng(seed)


def agrees(samples, mean, expected_std=None):
    std = samples.std(ddof=1) if expected_std is None else expected_std
    return abs(samples.mean() - mean) < Z * std / np.sqrt(len(samples))


def follow(network, x0, t, **options):
    return acme.simulate_jump_drift(network, x0, t, **{"rng": rng(), "progress": False, **options})


FEEDBACK = "0 => P : r0 + r1*P**4/(1 + P**4)\nP -> 0 : 1"


def test_bursts_have_the_exact_stationary_law(scaled):
    """From a start in the stationary law itself, after two lifetimes."""
    law, size = laws.self_regulation(), scaled(4000, 60)
    grid = np.linspace(0.0, 9.0, 4001)
    starts = np.interp(rng(3).random(size), law.cdf(grid), grid)
    bursts = {"0 => P": acme.ExponentialJump(0.2)}
    paths = follow(parse(FEEDBACK, r0=2, r1=10), {"P": starts}, 2, continuous=["P"], bursts=bursts, size=size)
    assert stats.kstest(paths["P"][:, -1], law.cdf).pvalue > FALSE_POSITIVE
    assert paths.network.species == ("P",) and len(paths.network.reactions) == 2 and not paths.extra
    # the mean number of jumps is the mean burst rate, in balance with the decay: <H> b = <x>
    assert agrees(paths.events / 2, law.mean() / law.b)


@pytest.mark.parametrize(("start", "stop"), [(0.7, "P >= 0.825"), (0.9, "P < 0.825")])
def test_first_passages_by_jumps_and_by_the_flow(start, stop, scaled):
    law = laws.self_regulation()
    bursts = {"0 => P": acme.ExponentialJump(0.2)}
    options = {"continuous": ["P"], "bursts": bursts, "stop": stop, "size": scaled(3000, 20), "tolerance": 1e-9}
    paths = follow(parse(FEEDBACK, r0=2, r1=10), {"P": start}, 800, **options)
    assert not paths.censored.any()
    assert agrees(paths.stop_times, law.mean_switching_time(start, 0.825))
    # without a jump the flow crosses at ln(0.9/0.825)
    if start > 0.825:
        at_once = np.abs(paths.stop_times - np.log(start / 0.825)) < 1e-7
        drifted = np.exp(-_cumulated(law, start, 0.825))
        assert abs(at_once.mean() - drifted) < Z * np.sqrt(drifted / len(at_once))
        final = paths["P"][at_once, -1]
        np.testing.assert_allclose(final, 0.825, rtol=1e-6)


def _cumulated(law, start, end):
    v = np.linspace(end, start, 2001)
    return np.trapezoid(law.burst_rate(v) / v, v)


def test_the_flow_alone_is_the_rate_equation():
    network = parse("0 => X : a\nX -> 0 : g\n0 => Y : X*cos(t)", a=3.0, g=0.7)
    paths = follow(network, {"X": 0.5}, [0, 1, 4], continuous=["X", "Y"], tolerance=1e-9)
    solution = acme.solve_rate_equations(network, [0.5, 0.0], [0, 1, 4], tolerance=1e-11)
    np.testing.assert_allclose(paths.counts[0], solution.amounts, rtol=1e-7)
    assert paths.events[0] == 0


def test_a_hazard_that_varies_in_time(scaled):
    """One jump, at the rate 2t: the time has the survival exp(-t²)."""
    network = parse("A => B : 2*t*A")
    options = {"continuous": [], "size": scaled(3000, 100), "stop": "B >= 1"}
    times = follow(network, {"A": 1}, 20, **options).stop_times
    assert stats.kstest(times, lambda t: 1 - np.exp(-(t**2))).pvalue > FALSE_POSITIVE


def test_without_a_flow_it_is_the_direct_method(scaled):
    network = parse("0 -> M : k\nM -> 0 : g\nM -> M + P : b\nP -> 0 : 1", k=10.0, g=2.0, b=4.0)
    exact = laws.two_stage_moments(10.0, 4.0, 2.0, 1.0)
    paths = follow(network, {"M": 5, "P": 20}, 8, continuous=[], size=scaled(3000, 60))
    counts = paths["P"][:, -1]
    assert agrees(counts, exact.mean_p, np.sqrt(exact.var_p))
    assert np.array_equal(counts, np.floor(counts))


@pytest.mark.parametrize(
    ("size", "mean", "variance"),
    [
        (acme.ExponentialJump(0.5), 0.5, 0.25),
        (acme.GammaJump(0.5, 0.4), 0.5, 0.625),
        (acme.GammaJump(0.5, 3.0), 0.5, 0.25 / 3),
        (acme.UniformJump(0.2, 0.8), 0.5, 0.03),
        (acme.FixedJump(0.5), 0.5, 0.0),
    ],
)
def test_burst_sizes_have_their_moments(size, mean, variance, scaled):
    """Bursts at the rate r without decay: mean r t <z>, variance r t <z²>."""
    n, rate = scaled(4000, 100), 20.0
    paths = follow(parse("0 -> X : r", r=rate), {}, 1, continuous=["X"], bursts={"0 -> X": size}, size=n)
    x = paths["X"][:, -1]
    square = variance + mean**2
    assert agrees(x, rate * mean, np.sqrt(rate * square))
    spread = (x - x.mean()) ** 2
    assert agrees(spread, rate * square)


def test_divisions_share_out_the_contents(scaled):
    """A copy number that doubles and halves; shares of each law leave sizes whose logarithm drifts as it must."""
    network = parse("0 => V : V\n0 => A : 1\nM -> 0 : c", c=0.0)
    size = scaled(2000, 60)
    for share, drop in [
        ("uniform", -1.0),
        ("equal", -np.log(2)),
        (acme.FixedFraction(0.25), 0.5 * np.log(3 / 16)),
        (acme.BetaFraction(2.0, 2.0), None),
    ]:
        rule = acme.Hazard("2", share=share, partition={"A": "reset", "M": "binomial"})
        paths = follow(network, {"V": 1.0, "M": 50}, 2, continuous=["V", "A"], division=rule, size=size)
        logs = np.log(paths["V"][:, -1])
        if drop is None:
            drop = -0.8333333333333334  # digamma(2) - digamma(4)
        # 4 divisions on average, each adds `drop`; growth adds 2
        assert agrees(logs, 2.0 + 4.0 * drop)
        assert np.all(paths["A"][:, -1] <= 2.0 + 1e-9) and paths["A"][:, -1].min() < 0.5
        # of M molecules a share stays at each division: <M> = 50 exp(-4 (1 - <share of the one followed>)) = 50 e^-2
        assert agrees(paths["M"][:, -1], 50 * np.exp(-2.0))


def test_equal_parts_and_copies():
    network = parse("0 => V : V\nM -> 0 : c\nC -> 0 : c", c=0.0)
    rule = acme.Hazard("3", partition={"V": "equal", "M": "equal", "C": "copied"})
    paths = follow(network, {"V": 1.0, "M": 7, "C": 2}, 1, continuous=["V"], division=rule, size=200)
    m, c = paths["M"][:, -1], paths["C"][:, -1]
    assert set(m[paths.events == 1]) == {3.0, 4.0} and np.all(c == 2.0)
    np.testing.assert_allclose(paths["V"][:, -1], np.e * 0.5**paths.events, rtol=1e-6)


def test_same_seed_same_paths_on_any_threads():
    network = parse(FEEDBACK, r0=2, r1=10)
    options = {"continuous": ["P"], "bursts": {"0 => P": acme.GammaJump(0.2, 2.0)}, "size": 50}
    one, two = (follow(network, {"P": 1.0}, [0, 1, 2], threads=n, **options) for n in (1, 2))
    assert np.array_equal(one.counts, two.counts)
    assert not np.array_equal(one.counts, follow(network, {"P": 1.0}, [0, 1, 2], **options, rng=rng(2)).counts)
    assert np.all(one.counts[:, 0] == 1.0)


def test_parameters_by_path():
    paths = follow(
        parse("X -> 0 : g", g=1.0), {"X": 1.0}, 1, continuous=["X"], size=3, parameters={"g": [1.0, 2.0, 3.0]}
    )
    np.testing.assert_allclose(paths["X"][:, -1], np.exp([-1.0, -2.0, -3.0]), rtol=1e-6)


def test_a_start_that_meets_the_condition_stops_at_once():
    paths = follow(parse("X -> 0 : 1"), {"X": 0.5}, 3, continuous=["X"], stop="X < 0.6")
    assert paths.stop_times[0] == 0.0 and paths["X"][0, -1] == 0.5


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"continuous": ["Q"]}, ParameterError, "'Q' is not a species"),
        ({"bursts": {"0 => Q": acme.FixedJump(1.0)}}, ParameterError, "which is no reaction"),
        ({"bursts": {"0 => P": ("normal", 1.0)}}, ParameterError, "a burst size must be an object such as Exp"),
        (
            {"bursts": {"0 => P": ("gamma", 2.0, 0.5)}},
            ParameterError,
            r"\('gamma', 2.0, 0.5\) is now written GammaJump\(mean=0.5, shape=2.0\)",
        ),
        (
            {"bursts": {"0 => P": acme.ExponentialJump("2*P")}},
            ParameterError,
            "simulate_jump_drift takes burst sizes as numbers, and mean='2\\*P' of ExponentialJump",
        ),
        (
            {"bursts": {"0 => P": ArbitraryJump("exp(-z)")}},
            ParameterError,
            "simulate_jump_drift cannot draw an ArbitraryJump",
        ),
        ({"continuous": []}, ParameterError, "changes the count of P, and a size is a real number"),
        ({"bursts": ["0 => P"]}, ParameterError, "bursts must be a mapping"),
        ({"x0": {"P": -1.0}}, ParameterError, "zero or more"),
        ({"x0": {"Q": 1.0}}, ParameterError, "'Q' is not a species"),
        ({"x0": [1.0, 2.0]}, ParameterError, "x0 has shape"),
        ({"x0": {"P": [1.0, 2.0]}}, ParameterError, "one for each of 1"),
        ({"x0": {"P": 0.5}, "continuous": [], "bursts": None}, ParameterError, "whole numbers"),
        (
            {"tolerance": 1.0},
            ParameterError,
            "tolerance must be a number of at least 1e-13 and of at most",
        ),
        ({"rtol": 1e-4}, ParameterError, "takes tolerance in place of rtol: write tolerance=0.0001"),
        ({"t": [-1.0, 2.0]}, ParameterError, "0 or later: everything starts at time 0"),
        ({"division": "V"}, ParameterError, "division must be a Hazard, such as Hazard"),
        (
            {"division": acme.Adder(1.0)},
            ParameterError,
            "simulate_jump_drift cannot divide by an Adder: use",
        ),
        (
            {"division": acme.Hazard("1", share=PowerLawKernel(1.0))},
            ParameterError,
            r"cannot draw the daughters of PowerLawKernel\(exponent=1.0\)",
        ),
        ({"division": acme.Hazard("1 +")}, NetworkSyntaxError, "division='1 \\+'"),
        ({"division": acme.Hazard("Q")}, ParameterError, "neither a species"),
        ({"division": acme.Hazard("1", partition={"Q": "copied"})}, ParameterError, "partition names 'Q'"),
        ({"division": acme.Hazard("1", partition={"P": "binomial"})}, ParameterError, "P is continuous and cannot be"),
        ({"stop": "P"}, ParameterError, "neither true nor false"),
        ({"rng": 1}, ParameterError, "rng must be a numpy"),
        ({"max_events": 3}, PropensityError, "more than max_events=3"),
        ({"division": acme.Hazard("1 - P - 2*t")}, PropensityError, "rate of jumps is negative"),
    ],
)
def test_bad_input_is_named(change, error, words):
    options = {"continuous": ["P"], "x0": {"P": 0.5}, "bursts": {"0 => P": acme.ExponentialJump(0.2)}} | change
    with pytest.raises(error, match=words):
        follow(parse(FEEDBACK, r0=2, r1=10), options.pop("x0"), options.pop("t", 20), **options)


def test_a_jump_below_zero_is_named():
    network = parse("P => 0 : 5\nP -> 0 : 1")
    with pytest.raises(PropensityError, match="leads below zero"):
        follow(network, {"P": 0.5}, 20, continuous=["P"], bursts={"P => 0": acme.FixedJump(1.0)})
    with pytest.raises(ParameterError, match="network must be a ReactionNetwork"):
        acme.simulate_jump_drift("0 -> P : 1", {}, 1, continuous=[], rng=rng())

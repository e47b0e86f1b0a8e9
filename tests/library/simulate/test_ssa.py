"""Exact simulation against exact laws; statistical checks state their false-positive rate."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from numba import njit
from scipy import linalg, stats

import acme_lib as acme
from acme_lib import random_stream
from acme_lib.simulate import ssa
from tests.networks import birth_death, two_stage
from tests.statistics import FALSE_POSITIVE, p_value_of_counts

# --- random streams ---------------------------------------------------------------------------------------------------


@njit
def fill_words(start, out):
    stream = (start[0], start[1], start[2], start[3])
    for i in range(len(out)):
        out[i], stream = random_stream.next_word(stream)


@njit
def fill_uniform(key, out):
    stream = random_stream.start_stream(key, 0)
    for i in range(len(out)):
        out[i], stream = random_stream.next_uniform(stream)


@njit
def fill_exponential(key, out):
    stream = random_stream.start_stream(key, 0)
    for i in range(len(out)):
        out[i], stream = random_stream.next_exponential(stream)


@njit
def fill_first_of_each_stream(key, out):
    for i in range(len(out)):
        out[i], _ = random_stream.next_uniform(random_stream.start_stream(key, i))


def filled(fill, seed, size):
    values = np.empty(size)
    with np.errstate(over="ignore"):
        fill(random_stream.draw_key(np.random.default_rng(seed)), values)
    return values


def test_words_equal_the_published_generator():
    # xoshiro256++ from the state (1, 2, 3, 4): the first outputs that its authors' C code gives.
    words = np.empty(5, dtype=np.uint64)
    with np.errstate(over="ignore"):
        fill_words(np.array([1, 2, 3, 4], dtype=np.uint64), words)
    assert words.tolist() == [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]


@pytest.mark.parametrize(
    ("fill", "law"),
    [(fill_uniform, stats.uniform()), (fill_exponential, stats.expon())],
)
def test_numbers_follow_their_law(fill, law, scaled):
    values = filled(fill, 7, scaled(1_000_000, 4_000))
    assert stats.kstest(values, law.cdf).pvalue > FALSE_POSITIVE
    # the tail, where a ziggurat goes wrong first
    far = law.ppf(0.999)
    assert stats.binomtest(int((values > far).sum()), len(values), 0.001).pvalue > FALSE_POSITIVE


def test_ziggurat_layers_have_equal_area():
    edge, density = random_stream._EDGE, random_stream._DENSITY
    areas = edge[1:-1] * (density[2:] - density[1:-1])
    np.testing.assert_allclose(areas, random_stream._AREA, rtol=1e-8)
    assert density[-1] == 1.0
    base = random_stream._TAIL * density[1] + np.exp(-random_stream._TAIL)  # rectangle and tail below it
    np.testing.assert_allclose(base, random_stream._AREA, rtol=1e-12)


def test_streams_of_neighbours_are_unrelated(scaled):
    n = scaled(100_000, 2_000)
    first = filled(fill_first_of_each_stream, 3, n)
    assert stats.kstest(first, "uniform").pvalue > FALSE_POSITIVE
    correlation = np.corrcoef(first[:-1], first[1:])[0, 1]
    assert abs(correlation) < stats.norm.isf(FALSE_POSITIVE / 2) / np.sqrt(n - 1)


# --- exact laws -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.3, 5.0])
def test_birth_death_has_its_transient_law(t, scaled):
    # From n0 molecules: Binomial(n0, e^-gt) survivors plus Poisson(k/g (1 - e^-gt)) newcomers.
    n0, k, g = 7, 4.0, 1.0
    size = scaled(40_000, 800)
    samples = acme.simulate_ssa(birth_death(k, g), {"M": n0}, [0, t], size=size, rng=np.random.default_rng(1))["M"][
        :, 1
    ]
    support = np.arange(60)
    survivors = stats.binom.pmf(support, n0, np.exp(-g * t))
    newcomers = stats.poisson.pmf(support, k / g * -np.expm1(-g * t))
    assert p_value_of_counts(samples, np.convolve(survivors, newcomers)) > FALSE_POSITIVE


def test_two_stage_moments(scaled):
    k_m, k_p, g_m, g_p = 10.0, 5.0, 1.0, 0.5
    size = scaled(20_000, 200)
    network = two_stage(k_m, k_p, g_m, g_p)
    start, times = {"M": 10, "P": 100}, [0, scaled(30, 12)]
    ensemble = acme.simulate_ssa(network, start, times, size=size, rng=np.random.default_rng(2))
    m, p = ensemble["M"][:, 1], ensemble["P"][:, 1]
    z = stats.norm.isf(FALSE_POSITIVE / 2)
    fano = 1 + k_p / (g_m + g_p)
    assert abs(m.mean() - 10) < z * np.sqrt(10 / size)
    assert abs(p.mean() - 100) < z * np.sqrt(100 * fano / size)
    assert abs(p.var(ddof=1) / p.mean() - fano) < z * fano * np.sqrt(2.2 / size)  # nearly normal: kurtosis close to 0


def test_dimerisation_counts_pairs(scaled):
    """2 S -> D has c n(n-1)/2: from 6 molecules, the exact law by a matrix exponential written here by hand."""
    c, t, n0 = 0.3, 0.5, 6
    rates = [c * n * (n - 1) / 2 for n in (6, 4, 2)]
    a = np.zeros((4, 4))
    for i, rate in enumerate(rates):
        a[i, i] -= rate
        a[i + 1, i] += rate
    exact = linalg.expm(a * t)[:, 0]  # 6, 4, 2, 0 molecules left
    network = acme.ReactionNetwork.parse("2 S -> D : c", c=c)
    ensemble = acme.simulate_ssa(network, {"S": n0}, [0, t], size=scaled(40_000, 800), rng=np.random.default_rng(3))
    assert p_value_of_counts(ensemble["D"][:, 1], exact) > FALSE_POSITIVE
    np.testing.assert_array_equal(ensemble["S"] + 2 * ensemble["D"], n0)


def test_rates_given_as_expressions_have_their_law(scaled):
    # Self-repression: birth-death with rate k/(1 + M/K); detailed balance gives the stationary law by a product.
    network = acme.ReactionNetwork.parse("0 => M : k/(1 + M/K)\nM -> 0 : g", k=12, K=4, g=1)
    n = np.arange(60)
    weights = np.concatenate([[1.0], np.cumprod(12 / (1 + n[:-1] / 4) / n[1:])])
    ensemble = acme.simulate_ssa(network, {"M": 5}, [0, 15], size=scaled(20_000, 300), rng=np.random.default_rng(4))
    assert p_value_of_counts(ensemble["M"][:, 1], weights / weights.sum()) > FALSE_POSITIVE


def test_third_order_reactions_count_triples(scaled):
    # One step from 5 molecules: the waiting time to 3 S -> 0 is exponential with rate c * 10.
    network = acme.ReactionNetwork.parse("3 S -> 0 : c", c=0.2)
    size = scaled(20_000, 1_000)
    still = acme.simulate_ssa(network, {"S": 5}, [0, 0.4], size=size, rng=np.random.default_rng(5))["S"][:, 1] == 5
    assert stats.binomtest(int(still.sum()), size, np.exp(-0.2 * 10 * 0.4)).pvalue > FALSE_POSITIVE


def test_many_reactions(scaled):
    # 30 independent species: each Poisson, so that the sum is Poisson too.
    text = "\n".join(f"0 -> S{i} : k\nS{i} -> 0 : g" for i in range(30))
    network = acme.ReactionNetwork.parse(text, k=1.5, g=1.0)
    ensemble = acme.simulate_ssa(network, {}, [0, 12], size=scaled(4_000, 60), rng=np.random.default_rng(6))
    total = ensemble.counts[:, 1, :].sum(axis=1)
    assert p_value_of_counts(total, stats.poisson(45).pmf(np.arange(130))) > FALSE_POSITIVE


# --- conventions ------------------------------------------------------------------------------------------------------


def test_counts_start_at_x0_and_follow_every_event():
    # A pure birth process: counts never decrease and the recorded count at time 0 is x0 itself.
    network = acme.ReactionNetwork.parse("0 -> M : k", k=3.0)
    ensemble = acme.simulate_ssa(network, {"M": 2}, np.linspace(0, 4, 16), size=20, rng=np.random.default_rng(1))
    assert (ensemble["M"][:, 0] == 2).all()
    assert (np.diff(ensemble["M"], axis=1) >= 0).all()
    np.testing.assert_array_equal(ensemble.events, ensemble["M"][:, -1] - 2)


def test_a_state_without_events_stays():
    network = acme.ReactionNetwork.parse("M -> 0 : g", g=5.0)
    ensemble = acme.simulate_ssa(network, {"M": 3}, [0, 1e3, 1e6], size=5, rng=np.random.default_rng(1))
    assert (ensemble["M"][:, 1:] == 0).all()
    assert (ensemble.events == 3).all()


def test_a_reaction_of_rate_zero_never_fires():
    network = acme.ReactionNetwork.parse("0 -> A : k\n0 -> B : zero\nA -> 0 : g\n0 -> C : zero", k=5, g=1, zero=0)
    ensemble = acme.simulate_ssa(network, {}, [0, 50], size=20, rng=np.random.default_rng(1))
    assert ensemble["B"].max() == 0 and ensemble["C"].max() == 0 and ensemble["A"].max() > 0


def test_each_trajectory_may_start_elsewhere():
    starts = np.arange(12).reshape(6, 2)
    ensemble = acme.simulate_ssa(two_stage(), starts, [0, 1], size=6, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(ensemble.counts[:, 0], starts)


def test_result_knows_itself():
    ensemble = acme.simulate_ssa(two_stage(), {"M": 1}, [0, 1, 2], size=4, rng=np.random.default_rng(1))
    assert ensemble.species == ("M", "P") and len(ensemble) == 4 and len(ensemble.seed) == 4
    assert repr(ensemble) == "Ensemble of 4 trajectories at 3 times (t = 0 … 2) of M, P"
    np.testing.assert_array_equal(ensemble["P"], ensemble.counts[:, :, 1])
    with pytest.raises(acme.ParameterError, match="'p' is not a species"):
        ensemble["p"]
    with pytest.raises(ValueError, match="read-only"):
        ensemble.counts[0, 0, 0] = 1


# --- randomness and threads -------------------------------------------------------------------------------------------


def test_same_seed_same_counts_on_any_number_of_threads(scaled):
    def run(threads, size):
        rng = np.random.default_rng(11)
        times = np.linspace(0, scaled(20, 1), 6)
        return acme.simulate_ssa(two_stage(), {}, times, size=size, rng=rng, threads=threads).counts

    size = scaled(101, 11)
    reference = run(1, size)
    for threads in (2, 3, 16):
        np.testing.assert_array_equal(run(threads, size), reference)
    np.testing.assert_array_equal(run(None, size - 4), reference[:-4])  # a trajectory does not depend on the others


def test_different_seeds_and_successive_runs_differ():
    rng = np.random.default_rng(1)
    runs = [acme.simulate_ssa(birth_death(), {}, [0, 5], size=50, rng=rng)["M"][:, 1] for _ in range(2)]
    runs.append(acme.simulate_ssa(birth_death(), {}, [0, 5], size=50, rng=np.random.default_rng(2))["M"][:, 1])
    assert all((runs[i] != runs[j]).any() for i, j in [(0, 1), (0, 2), (1, 2)])


@pytest.mark.jit
def test_a_new_network_compiles_nothing():
    acme.simulate_ssa(birth_death(), {}, [0, 1], rng=np.random.default_rng(1))
    compiled = list(ssa._direct_method.signatures)
    text = "A + B -> C : k\n0 -> A : r\n0 -> B : r\n3 A -> 0 : k\n0 => C : r/(1 + A**h)"
    network = acme.ReactionNetwork.parse(text, k=0.1, r=2, h=2)
    acme.simulate_ssa(network, {}, [0, 1], size=3, rng=np.random.default_rng(1))
    acme.simulate_ssa(network.with_parameters(k=0.3), {}, [0, 1], size=3, rng=np.random.default_rng(1))
    assert ssa._direct_method.signatures == compiled and len(compiled) == 1


@pytest.mark.jit
def test_a_fresh_process_starts_from_the_disk_cache():
    script = """
        import numpy as np, acme_lib as acme
        from acme_lib.simulate import ssa
        network = acme.ReactionNetwork.parse("0 -> M : k", k=1)
        acme.simulate_ssa(network, {}, [0, 1], rng=np.random.default_rng(1))
        print(sum(ssa._direct_method.stats.cache_misses.values()), sum(ssa._direct_method.stats.cache_hits.values()))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    subprocess.run(command, check=True, capture_output=True)  # fills the cache where it is empty
    second = subprocess.run(command, check=True, capture_output=True, text=True)
    assert second.stdout.split() == ["0", "1"]


@pytest.mark.jit
@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that stands for Ctrl-C in a child process")
def test_an_interrupt_ends_a_long_run():
    script = """
        import numpy as np, acme_lib as acme
        network = acme.ReactionNetwork.parse("0 -> M : k\\nM -> 0 : g", k=1e6, g=1)
        acme.simulate_ssa(network, {}, [0, 1], size=2, rng=np.random.default_rng(1))
        print("running", flush=True)
        acme.simulate_ssa(network, {}, [0, 1e6], size=64, rng=np.random.default_rng(1))
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "running\n"
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    sent = time.perf_counter()
    _, stderr = child.communicate(timeout=60)
    assert "KeyboardInterrupt" in stderr
    assert time.perf_counter() - sent < 5.0  # about 0.1 s here; without the stop flag it would run for hours


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x0": [1, 2, 3]}, r"the state has length 3; the network has 2 species \(M, P\)"),
        ({"x0": {"N": 1}}, r"'N' is not a species of the network"),
        ({"x0": {"M": -1}}, "whole, non-negative counts"),
        ({"x0": {"M": 1.5}}, "whole, non-negative counts"),
        ({"x0": [[1, 2], [3, 4]]}, "x0 has 2 rows and size is 1"),
        ({"t": [0, 2, 1]}, "increasing sequence of finite times"),
        ({"t": []}, "increasing sequence of finite times"),
        ({"t": [0, np.inf]}, "increasing sequence of finite times"),
        ({"t": "soon"}, "t must be a time or an increasing sequence of finite times, got 'soon'"),
        ({"t": [-1, 2]}, r"t must be 0 or later: everything starts at time 0, got \[-1, 2\]"),
        ({"size": 0}, "size must be a whole number of at least 1, got 0"),
        ({"size": 2.0}, "size must be a whole number"),
        ({"size": True}, "size must be a whole number"),
        ({"rng": 42}, r"rng must be a numpy.random.Generator, got 42: write rng=np.random.default_rng\(seed\)"),
        ({"threads": 0}, "threads must be a whole number of at least 1"),
        ({"max_events": -1}, "max_events must be a whole number"),
    ],
)
def test_bad_arguments_say_how_to_fix_them(change, message):
    arguments = {"x0": {}, "t": [0, 1], "size": 1, "rng": np.random.default_rng(1)} | change
    with pytest.raises(acme.ParameterError, match=message):
        acme.simulate_ssa(two_stage(), arguments.pop("x0"), arguments.pop("t"), **arguments)


def simulate(text, x0=None, t=10.0, **parameters):
    max_events = parameters.pop("max_events", 10_000)
    network = acme.ReactionNetwork.parse(text, **parameters)
    return acme.simulate_ssa(network, x0 or {}, t, size=2, rng=np.random.default_rng(1), max_events=max_events)


def test_a_propensity_that_turns_negative_is_an_error():
    with pytest.raises(acme.PropensityError, match=r"line 2, '0 => P : k - M': the propensity is negative \(-1\).*M=4"):
        simulate("0 -> M : r\n0 => P : k - M", r=5, k=3)
    with pytest.raises(acme.PropensityError, match="negative"):  # already in the start state
        simulate("0 => P : k - M\n0 -> M : k", {"M": 9}, k=3)


def test_a_propensity_that_is_not_finite_is_an_error():
    with pytest.raises(acme.PropensityError, match=r"not finite \((inf|nan)\) in the state .*M=0"):
        simulate("0 => P : k/M\n0 -> M : k", k=3)


def test_a_reaction_without_its_molecules_is_an_error():
    with pytest.raises(
        acme.PropensityError, match=r"line 1, 'M => 0 : k': the propensity is not zero in the state M=0"
    ):
        simulate("M => 0 : k", {"M": 2}, k=3)


def test_growth_without_bound_ends():
    with pytest.raises(acme.PropensityError, match="needs more than max_events=500 events"):
        simulate("M -> 2 M : k", {"M": 5}, t=100.0, k=3, max_events=500)

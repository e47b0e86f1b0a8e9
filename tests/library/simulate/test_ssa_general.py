"""Rates that vary in time, events, stop conditions and event records, against exact laws.

Statistical checks state their false-positive rate.
"""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import acme_lib as acme
from acme_lib.network.bounds import bound_program
from acme_lib.network.expression import _MEANING, MAX_STACK, Expression
from acme_lib.network.rates import run_program
from acme_lib.simulate import record, ssa_general
from acme_lib.simulate.pace import new_flag
from acme_lib.simulate.task import make_task
from tests.networks import two_stage
from tests.statistics import FALSE_POSITIVE, p_value_of_counts, p_value_of_law

Z = stats.norm.isf(FALSE_POSITIVE / 2)


def parse(text, **parameters):
    return acme.ReactionNetwork.parse(text, **parameters)


def seeded(seed=1):
    return np.random.default_rng(seed)


# --- bounds over an interval of time ----------------------------------------------------------------------------------


def bounds_of(text, t0, t1, **values):
    codes, operands = Expression.parse(text).program([], list(values))
    scratch = np.empty(MAX_STACK), np.empty(MAX_STACK)
    parameters = np.array(list(values.values()), dtype=float)
    with np.errstate(all="ignore"):
        return bound_program(codes, operands, 0, len(codes), np.ones(1), parameters, t0, t1, *scratch)


def values_of(text, times, **values):
    codes, operands = Expression.parse(text).program([], list(values))
    parameters = np.array(list(values.values()), dtype=float)
    stack = np.empty(MAX_STACK)
    with np.errstate(all="ignore"):
        return np.array([run_program(codes, operands, 0, len(codes), np.ones(1), parameters, t, stack) for t in times])


@pytest.mark.parametrize(
    ("text", "t0", "t1", "expected"),
    [
        ("3*t - 1", 1, 2, (2, 5)),
        ("2 - t", 1, 3, (-1, 1)),
        ("-t", 1, 2, (-2, -1)),
        ("t*(t - 3)", 1, 2, (-4, -1)),  # both factors run through their ranges: wider than the truth, never narrower
        ("1/t", 1, 4, (0.25, 1)),
        ("1/(t - 2)", 1, 4, (-np.inf, np.inf)),
        ("t**2", -1, 3, (0, 9)),
        ("t**3", -1, 2, (-1, 8)),
        ("t**0.5", 4, 9, (2, 3)),
        ("t**-1", 0, 1, (-np.inf, np.inf)),
        ("(t - 2)**0.5", 1, 4, (-np.inf, np.inf)),
        ("2**t", 1, 3, (2, 8)),
        ("exp(-t)", 0, 1, (np.exp(-1), 1)),
        ("log(t)", 1, np.e, (0, 1)),
        ("log(t)", -1, 1, (-np.inf, np.inf)),
        ("sqrt(t)", 4, 9, (2, 3)),
        ("abs(t)", -2, 1, (0, 2)),
        ("abs(t)", -2, -1, (1, 2)),
        ("floor(t)", 0.5, 2.5, (0, 2)),
        ("ceil(t)", 0.5, 2.5, (1, 3)),
        ("tanh(t)", 0, 1, (0, np.tanh(1))),
        ("sin(t)", 0, 0.1, (0, np.sin(0.1))),
        ("sin(t)", 1, 2, (np.sin(1), 1)),
        ("sin(t)", 4, 5, (-1, np.sin(4))),
        ("sin(t)", 0, 7, (-1, 1)),
        ("cos(t)", -0.5, 0.1, (np.cos(0.5), 1)),
        ("cos(t)", 3, 4, (-1, np.cos(4))),
        ("sin(t)", 1e15, 1e15 + 0.25, (-1, 1)),  # too large for its phase to be known
        ("7 if t < 5 else 2", 1, 4, (7, 7)),
        ("7 if t < 5 else 2", 5, 6, (2, 2)),
        ("7 if t < 5 else 2", 4, 5, (2, 7)),
        ("7 if t <= 5 else 2", 5, 5.5, (2, 7)),
        ("7 if t == 5 else 2", 4, 6, (2, 7)),
        ("7 if t != 5 else 2", 5.5, 6, (7, 7)),
        ("7 if t > 1 and t < 3 else 2", 1.5, 2.5, (7, 7)),
        ("7 if t > 1 and t < 3 else 2", 4, 5, (2, 2)),
        ("7 if t < 1 or t > 3 else 2", 1.5, 2.5, (2, 2)),
        ("7 if not t < 3 else 2", 1, 2, (2, 2)),
        ("7 if not t < 3 else 2", 1, 4, (2, 7)),
        ("min(t, 2)", 1, 3, (1, 2)),
        ("max(t, 2, 0)", 1, 3, (2, 3)),
        ("t - t*(1/0)", 0, 1, (-np.inf, np.inf)),
    ],
)
def test_bounds_of_known_ranges(text, t0, t1, expected):
    found = bounds_of(text, float(t0), float(t1))
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    assert found[0] <= expected[0] and found[1] >= expected[1]


TERMS = st.recursive(
    st.sampled_from(["t", "t", "k", "0", "1", "0.5", "-2"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", "<", "<=", "==", "!=", "and", "or"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"
        ),
        st.tuples(st.sampled_from("exp log sqrt abs floor ceil sin cos tanh not -".split()), inner).map(
            lambda parts: f"{parts[0]}({parts[1]})"
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"(({parts[0]}) if ({parts[1]}) else ({parts[2]}))"),
    ),
    max_leaves=8,
)


@given(TERMS, st.floats(-4, 4), st.floats(0, 3), st.floats(-3, 3))
def test_bounds_hold_for_any_expression(text, t0, width, k):
    low, high = bounds_of(text, t0, t0 + width, k=k)
    times = np.concatenate([np.linspace(t0, t0 + width, 21), [0.5 * t0, t0 + 0.5 * width]])
    found = values_of(text, times[(times >= t0) & (times <= t0 + width)], k=k)
    found = found[np.isfinite(found)]  # others are no propensities, and are refused when they are met
    assert np.all(found >= low) and np.all(found <= high)


def test_every_instruction_has_bounds():
    for code in _MEANING:
        take = _MEANING[code][0]
        codes = np.array([0, 3, 3][-take:] + [code], dtype=np.int64)  # of the constant 1 and the time
        found = bound_program(
            codes, np.ones(len(codes)), 0, len(codes), np.ones(1), np.zeros(0), 1.0, 1.5, *np.empty((2, MAX_STACK))
        )
        assert np.all(np.isfinite(found)), f"instruction {code} has no bounds"


# --- rates that vary in time ------------------------------------------------------------------------------------------


def test_inhomogeneous_poisson_process(scaled):
    # After the change of time s = Λ(t) the events of [0, T] are uniform on [0, Λ(T)], and their number is Poisson.
    k, a, w, end, size = 5.0, 0.9, 3.0, 4.0, scaled(4_000, 60)

    def integral(t):
        return k * t + k * a / w * (1 - np.cos(w * t))

    network = parse("0 => M : k*(1 + a*sin(w*t))", k=k, a=a, w=w)
    kept = acme.simulate_ssa(network, {}, end, size=size, rng=seeded(), keep="events")
    assert stats.kstest(integral(kept.times) / integral(end), "uniform").pvalue > FALSE_POSITIVE
    assert p_value_of_law(np.diff(kept.offsets), stats.poisson(integral(end))) > FALSE_POSITIVE
    first = np.array([integral(kept.times_of(i)[0]) for i in range(size)])
    assert stats.kstest(first, "expon").pvalue > FALSE_POSITIVE


def test_birth_and_death_under_a_sinusoidal_rate(scaled):
    # From 0 the count is Poisson at all times; its mean solves m' = k(1 + a sin wt) - g m.
    k, a, w, g, t = 20.0, 0.8, 2.0, 1.5, 3.7
    wave = (g * np.sin(w * t) - w * np.cos(w * t) + w * np.exp(-g * t)) / (g**2 + w**2)
    mean = k / g * -np.expm1(-g * t) + k * a * wave
    network = parse("0 => M : k*(1 + a*sin(w*t))\nM -> 0 : g", k=k, a=a, w=w, g=g)
    ensemble = acme.simulate_ssa(network, {}, t, size=scaled(40_000, 200), rng=seeded(2))
    assert p_value_of_law(ensemble["M"][:, -1], stats.poisson(mean)) > FALSE_POSITIVE


def test_decay_whose_constant_grows(scaled):
    # Mass action with a constant that varies: each of n0 molecules survives with probability exp(-g t²/2).
    n0, g, t = 30, 0.6, 1.5
    ensemble = acme.simulate_ssa(parse("M -> 0 : g*t", g=g), {"M": n0}, t, size=scaled(20_000, 300), rng=seeded(3))
    survivors = ensemble["M"][:, -1]
    assert stats.binomtest(int(survivors.sum()), n0 * len(survivors), np.exp(-g * t * t / 2)).pvalue > FALSE_POSITIVE


def test_growth_whose_constant_grows(scaled):
    # Each molecule doubles at rate b t: from one, the count is geometric with p = exp(-b t²/2). The rate rises with
    # every reaction, above any bound that was right before.
    b, t = 0.9, 2.0
    p = np.exp(-b * t * t / 2)
    ensemble = acme.simulate_ssa(parse("M -> 2 M : b*t", b=b), {"M": 1}, t, size=scaled(20_000, 400), rng=seeded(3))
    counts = ensemble["M"][:, -1]
    for n in (1, 4, 9):
        assert stats.binomtest(int((counts > n).sum()), len(counts), (1 - p) ** n).pvalue > FALSE_POSITIVE


@pytest.mark.parametrize(
    ("rate", "mean"),
    [
        ("k if t < 5 else 3*k", 4.0 * (5 + 3 * 2)),  # a jump
        ("0 if t < 6.5 else 20*k", 4.0 * 20 * 0.5),  # nothing at all can happen before the jump
        ("0 if t < 5 else 20*k if t < 5.05 else 0", 4.0),  # a pulse, much shorter than a window of time
        ("k*floor(t)", 4.0 * 21),
        ("k*max(0, t - 6)", 2.0),
        ("k*t**2*exp(-t)", 4.0 * (2 - np.exp(-7) * (49 + 14 + 2))),
        ("k/(1 + exp(20*(t - 3)))", 4.0 * 3),
    ],
)
def test_the_number_of_events_is_poisson(rate, mean, scaled):
    network = parse(f"0 => M : {rate}\n0 -> M : none", k=4.0, none=0.0)
    ensemble = acme.simulate_ssa(network, {}, 7, size=scaled(20_000, 150), rng=seeded(4))
    assert p_value_of_law(ensemble["M"][:, -1], stats.poisson(mean)) > FALSE_POSITIVE


def light(t):
    return 40.0 if 1 < t < 2 else 0.0


def test_python_functions_of_the_time_need_a_bound(scaled):
    # Nothing is known of a function between two times, but that min(f(t), 40) is at most 40.
    size = scaled(4_000, 60)
    ensemble = acme.simulate_ssa(parse("0 => M : min(f(t), 40)", f=light), {}, [0, 1, 2, 3], size=size, rng=seeded(8))
    assert (ensemble["M"][:, 1] == 0).all() and (ensemble["M"][:, 2] == ensemble["M"][:, 3]).all()
    assert p_value_of_law(ensemble["M"][:, 2], stats.poisson(40.0)) > FALSE_POSITIVE
    with pytest.raises(acme.PropensityError, match=r"line 1.*no finite bound just after t=0 .*min\(…, highest\)"):
        acme.simulate_ssa(parse("0 => M : f(t)", f=light), {}, 3, rng=seeded())
    # a function of the state alone stands still between reactions
    network = parse("0 => M : f(M)*t", f=lambda n: 3.0 if n < 5 else 0.0)
    assert (acme.simulate_ssa(network, {}, 9, size=20, rng=seeded())["M"][:, -1] == 5).all()


def test_python_functions_in_conditions():
    network = parse("0 -> M : k\nwhen double(M) >= 8 : M = double(M) + 20", k=30.0, double=lambda n: 2 * n)
    kept = acme.simulate_ssa(network, {}, 9, size=5, rng=seeded(), keep="events", stop="double(M) > 57")
    assert (kept.state_at(9.0) == 29).all() and kept.jumps.tolist() == [[24]] * 5


def test_a_jump_is_met_at_its_time_and_not_before():
    network = parse("0 => M : 1e4 if t >= 1e6 else 0")
    kept = acme.simulate_ssa(network, {}, [0, 1e6 + 0.01], size=20, rng=seeded(), keep="events")
    assert kept.times.min() >= 1e6
    assert stats.poisson(20 * 100).cdf(len(kept.times)) > FALSE_POSITIVE


def test_observables_of_time_reach_the_rates(scaled):
    network = parse("light = 1 if t < 2 else 0\n0 => M : k*light", k=30.0)
    ensemble = acme.simulate_ssa(network, {}, [0, 2, 9], size=scaled(5_000, 100), rng=seeded(5))
    np.testing.assert_array_equal(ensemble["M"][:, 1], ensemble["M"][:, 2])
    assert p_value_of_law(ensemble["M"][:, 1], stats.poisson(60.0)) > FALSE_POSITIVE


@pytest.mark.parametrize(
    ("rate", "least_width"),
    [("k*(1 + 0.5*sin(t))", 0.5), ("k*exp(-t)", 0.5), ("0 if t < 3 else 9*k", 1.5), ("k*(1 + 0.5*sin(1000*t))", 1e-3)],
)
def test_windows_are_long_and_their_bounds_are_tight(rate, least_width):
    network = parse(f"M => 0 : none\n0 => M : {rate}", k=50.0, none=0.0)
    table, bound, now = network.rate_table, np.zeros(2), 0.7
    scratch = np.empty(MAX_STACK), np.empty(MAX_STACK)
    state = np.ones(2)
    status, _, _, _, end = ssa_general._open_window(state, now, 9.0, 4.0, table, np.array([1]), bound, *scratch)
    assert status == 0 and least_width <= end - now <= 4.0
    true = [network.propensities([1], t)[1] for t in np.linspace(now, end, 201)]
    assert max(true) <= bound[1]
    assert bound[1] <= 2 * true[0] or bound[1] * (end - now) <= 2.0  # at most every other candidate is for nothing


def test_parameters_by_trajectory_with_rates_in_time(scaled):
    size = scaled(4_000, 100)
    k = np.repeat([5.0, 50.0], size // 2)
    network = parse("0 => M : k*t", k=1.0)
    ensemble = acme.simulate_ssa(network, {}, 2, size=size, rng=seeded(6), parameters={"k": k})
    for value in (5.0, 50.0):
        assert p_value_of_law(ensemble["M"][k == value, -1], stats.poisson(2 * value)) > FALSE_POSITIVE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 => M : k*sin(t)", r"line 1.*the propensity is negative \(-.*\) in the state M=\d+ at t="),
        ("0 => M : k/(5 - t)", "no finite bound just after t=5|needs more than max_events"),
        ("0 => M : 3*k/abs(t - 5)**0.5", r"line 1.*the rate has no finite bound just after t=5 in the state M="),
        ("0 => M : log(4 - t)", r"the propensity is (negative|not finite)"),
        ("0 => M : k if t < 3 else 1/0", r"line 1.*the rate has no finite bound just after t=3"),
        ("0 => M : 1/0 if t <= 3 else k", r"line 1.*not finite \(inf\) in the state M=0 at t=0"),
    ],
)
def test_rates_that_go_wrong_in_time_are_errors(text, message):
    parameters = {"k": 2.0} if "k" in text else {}
    with pytest.raises(acme.PropensityError, match=message):
        acme.simulate_ssa(parse(text, **parameters), {}, 10, size=2, rng=seeded(), max_events=20_000)


def test_a_bound_that_fails_is_never_silent():
    task = make_task(ssa_general.run_general_range, two_stage(), {}, 1.0, size=1, rng=seeded(), **{})
    with pytest.raises(RuntimeError, match="the bound of the rate in '0 -> M : k_m' does not hold at t=0.5"):
        ssa_general._check(task, (ssa_general.LOOSE_BOUND, 0, 0, 1.0, np.zeros(2)), 0.5)


# --- the same answer as the direct method -----------------------------------------------------------------------------


def test_both_methods_give_the_same_counts(scaled):
    times = np.linspace(0, scaled(20, 2), 9)
    size = scaled(101, 5)
    fast = acme.simulate_ssa(two_stage(), {"M": 3}, times, size=size, rng=seeded(11))
    for options in ({"stop": "P < 0"}, {"keep": "events"}):
        for threads in (1, 3):
            options = options | {"threads": threads}
            other = acme.simulate_ssa(two_stage(), {"M": 3}, times, size=size, rng=seeded(11), **options)
            counts = other.state_at(times) if "keep" in options else other.counts
            np.testing.assert_array_equal(counts, fast.counts)


def test_same_seed_same_answer_on_any_number_of_threads(scaled):
    text = "0 => M : k*(1 + sin(t))\nM -> M + P : k\nM -> 0 : g\nat 3 : M = M + 2\nwhen P > 9 : P = 0"
    network = parse(text, k=3, g=1)
    size = scaled(130, 8)
    runs = [
        acme.simulate_ssa(network, {}, 6, size=size, rng=seeded(3), threads=threads, keep="events", stop="M > 9")
        for threads in (1, 2, 5)
    ]
    for other in runs[1:]:
        for name in ("times", "reactions", "offsets", "jumps", "jump_offsets", "stop_times"):
            np.testing.assert_array_equal(getattr(runs[0], name), getattr(other, name))
    assert len({runs[0].times_of(i).tobytes() for i in range(size)}) == size  # each trajectory is another


@pytest.mark.jit
def test_a_new_network_compiles_nothing():
    acme.simulate_ssa(parse("0 => M : t"), {}, 1, rng=seeded())
    compiled = list(ssa_general._general_method.signatures)
    network = parse("A -> B : k*exp(-t)\nB -> A : k\nat 0.5 : A = A + 1, k = k/2", k=2.0)
    for options in ({"keep": "events"}, {"stop": "A > 3"}, {"keep": "summary"}, {"parameters": {"k": np.ones(4)}}):
        acme.simulate_ssa(network, {"A": 5}, 1, size=4, rng=seeded(), **options)
    assert ssa_general._general_method.signatures == compiled and len(compiled) == 1


def test_a_task_travels_and_can_be_interrupted(scaled):
    network = parse("0 => M : k*t + 0*f(1)\nwhen f(1.5) > M - 3 : M = 0\nwhen M > 60 : M = 0", k=40.0, f=light)
    options = {"max_events": 10**6, **ssa_general.general_options(network, "t >= 1.5", "events")}
    task = make_task(ssa_general.run_general_range, network, {}, 2.0, size=3, rng=seeded(), **options)
    flag = new_flag()
    with np.errstate(over="ignore"):
        here = task.run_range(task, 0, 3, flag)
        there = pickle.loads(pickle.dumps(task)).run_range(task, 0, 3, flag)
        np.testing.assert_array_equal(here.record.times, there.record.times)
        assert len(here.record.times) > 0
        flag[0] = 1
        long = make_task(
            ssa_general.run_general_range,
            parse("0 => M : k*(2 + sin(t))", k=scaled(1e6, 100.0)),
            {},
            1e3,
            size=1,
            rng=seeded(),
            max_events=10**12,
            **ssa_general.general_options(parse("0 => M : k*t", k=1), None, "counts"),
        )
        assert long.run_range(long, 0, 1, flag).events[0] < 10_000


# --- stop conditions --------------------------------------------------------------------------------------------------


def test_first_passage_of_pure_birth_is_erlang(scaled):
    n, k = 12, 3.0
    network = parse("0 -> P : k", k=k)
    ensemble = acme.simulate_ssa(network, {}, 60, size=scaled(10_000, 300), rng=seeded(), stop=f"P >= {n}")
    assert not ensemble.censored.any()
    assert stats.kstest(ensemble.stop_times, stats.gamma(n, scale=1 / k).cdf).pvalue > FALSE_POSITIVE
    np.testing.assert_array_equal(ensemble["P"][:, -1], n)  # it holds the state of the stop: none is added
    np.testing.assert_array_equal(ensemble.events, n)


def test_mean_first_passage_of_birth_and_death(scaled):
    # From 0 to n: Σ_{m<n} Σ_{i≤m} m!/i! r^(m-i) / k with r = g/k: the classical sum for a birth-death chain.
    k, g, n = 4.0, 1.0, 6
    up = np.zeros(n)
    for m in range(n):
        up[m] = 1 / k + (g * m / k) * (up[m - 1] if m else 0.0)  # mean time from m to m + 1
    network = parse("0 -> M : k\nM -> 0 : g", k=k, g=g)
    ensemble = acme.simulate_ssa(network, {}, 400, size=scaled(20_000, 400), rng=seeded(2), stop="M == 6")
    summary = ensemble.summarise_stops()
    assert summary.censored == 0
    assert abs(summary.mean - up.sum()) < Z * summary.stderr
    assert 0 < summary.stderr < 0.2 * summary.mean
    assert str(summary).startswith(f"all {summary.size} trajectories stopped, after {summary.mean:.6g} ±")


def test_first_switch_of_a_gene_is_exponential(scaled):
    network = parse("OFF <-> ON : k_on, k_off\nON -> ON + M : s\nM -> 0 : g", k_on=0.7, k_off=3.0, s=5.0, g=1.0)
    ensemble = acme.simulate_ssa(network, {"OFF": 1}, 40, size=scaled(10_000, 300), rng=seeded(), stop="ON >= 1")
    assert stats.kstest(ensemble.stop_times, stats.expon(scale=1 / 0.7).cdf).pvalue > FALSE_POSITIVE
    assert ensemble["M"].max() == 0


def test_times_to_a_stop_that_is_not_seen_are_censored(scaled):
    k, t, size = 0.5, 2.0, scaled(10_000, 400)
    network = parse("0 -> P : k", k=k)
    ensemble = acme.simulate_ssa(network, {}, [0, 1, t], size=size, rng=seeded(), stop="P >= 1")
    censored = ensemble.censored
    assert stats.binomtest(int(censored.sum()), size, np.exp(-k * t)).pvalue > FALSE_POSITIVE
    np.testing.assert_array_equal(np.isnan(ensemble.stop_times), censored)
    np.testing.assert_array_equal(ensemble["P"][:, 2] == 0, censored)
    assert np.all(ensemble.stop_times[~censored] <= t)
    # counts at recorded times before the stop are those of then, and at later ones that of the stop
    np.testing.assert_array_equal(ensemble["P"][~censored, 1] == 1, ensemble.stop_times[~censored] <= 1)
    summary = ensemble.summarise_stops()
    assert np.isnan(summary.mean) and np.isnan(summary.stderr) and summary.fraction_censored == censored.mean()
    assert f"{censored.sum()} ({censored.mean():.2%}) had not by t=2, so that the mean is unknown" in str(summary)


def test_a_stop_on_the_time_is_exact():
    network = parse("0 -> M : k\nM -> 0 : g", k=5, g=1)
    for stop, at in [("t >= 1.25", 1.25), ("t > 1.25", 1.25), ("not t < T", 2.0), ("2*t - 1 > T", 1.5), ("t >= 0", 0)]:
        if "T" in stop:
            timed = parse("0 -> M : k\nM -> 0 : g*T/T", k=5, g=1, T=2.0)
        else:
            timed = network
        ensemble = acme.simulate_ssa(timed, {}, [0, 4], size=5, rng=seeded(), stop=stop)
        np.testing.assert_array_equal(ensemble.stop_times, at)
    # the condition joins state and time: it holds from the crossing on, or when a reaction makes it true after that
    ensemble = acme.simulate_ssa(network, {}, np.linspace(0, 8, 801), size=50, rng=seeded(), stop="t > 3 and M >= 4")
    early = ensemble.stop_times == 3
    assert early.any() and not early.all() and np.nanmin(ensemble.stop_times) == 3
    at_three = ensemble["M"][:, 300]
    np.testing.assert_array_equal(at_three >= 4, early)
    ensemble = acme.simulate_ssa(network, {}, [0, 50], size=20, rng=seeded(), stop="M > 2*t + 1")
    assert np.all(ensemble["M"][~ensemble.censored, 1] > 2 * ensemble.stop_times[~ensemble.censored] + 1)


def test_a_trajectory_that_starts_stopped_stays():
    ensemble = acme.simulate_ssa(two_stage(), {"M": 4}, [1, 2, 3], size=3, rng=seeded(), stop="M >= 4")
    np.testing.assert_array_equal(ensemble.stop_times, 0.0)
    np.testing.assert_array_equal(ensemble.counts, np.broadcast_to([4, 0], (3, 3, 2)))
    np.testing.assert_array_equal(ensemble.events, 0)


def test_an_observable_may_stop_a_trajectory():
    network = parse("0 -> P : k\n2 P -> D : c\ntotal = P + 2*D\n", k=5.0, c=0.1)
    ensemble = acme.simulate_ssa(network, {}, 50, size=20, rng=seeded(), stop="total >= 9")
    np.testing.assert_array_equal(ensemble["P"][:, -1] + 2 * ensemble["D"][:, -1], 9)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stop": "Q > 3"}, acme.ParameterError, "stop='Q > 3': 'Q' is neither a species"),
        ({"stop": "P + 3"}, acme.ParameterError, r"stop='P \+ 3' is neither true nor false"),
        ({"stop": "P >"}, acme.NetworkSyntaxError, "stop='P >'"),
        ({"stop": 3}, acme.ParameterError, "stop must be a condition, such as 'P >= 100', got 3"),
        ({"stop": "sin(t) > 0"}, acme.ParameterError, r"'0 < sin\(t\)' is not linear in the time t"),
        ({"stop": "t == 3"}, acme.ParameterError, "'t == 3' is not linear in the time"),
        ({"stop": "(P > 3 if t > 1 else P > 5) > 0"}, acme.ParameterError, "is not linear in the time"),
        ({"stop": "P > 3", "keep": "summary"}, acme.ParameterError, "keeps no stop times"),
        ({"keep": "all"}, acme.ParameterError, "keep must be 'counts', 'summary' or 'events', got 'all'"),
    ],
)
def test_bad_options_say_how_to_fix_them(options, error, message):
    with pytest.raises(error, match=message):
        acme.simulate_ssa(two_stage(), {}, 1, rng=seeded(), **options)


def test_without_a_stop_condition_there_are_no_stop_times():
    with pytest.raises(acme.ParameterError, match="this run had no stop condition"):
        acme.simulate_ssa(two_stage(), {}, 1, rng=seeded()).stop_times  # noqa: B018


# --- events of the network --------------------------------------------------------------------------------------------


def test_a_time_event_is_met_where_nothing_else_happens():
    network = parse("M -> 0 : g\nat 5 : M = M + 7", g=0.0)
    ensemble = acme.simulate_ssa(network, {}, [0, 4.999, 5, 5.001, 9], size=3, rng=seeded())
    np.testing.assert_array_equal(ensemble["M"], np.broadcast_to([0, 0, 7, 7, 7], (3, 5)))
    np.testing.assert_array_equal(ensemble.extra["event_firings"], np.ones((3, 1)))
    # also at the very last time, and not if that comes before
    assert acme.simulate_ssa(network, {}, 5, rng=seeded())["M"][0, -1] == 7
    assert acme.simulate_ssa(network, {}, 4.999, rng=seeded())["M"][0, -1] == 0


def test_a_dose_of_molecules_decays(scaled):
    # n molecules at t = 2: at t = 3 each is there with probability e^-g, and none came from elsewhere.
    g, n = 0.8, 25
    network = parse("M -> 0 : g\nat 2 : M = M + 25", g=g)
    ensemble = acme.simulate_ssa(network, {}, [0, 3], size=scaled(10_000, 300), rng=seeded())
    assert stats.binomtest(int(ensemble["M"][:, -1].sum()), n * len(ensemble), np.exp(-g)).pvalue > FALSE_POSITIVE


def test_a_trigger_on_the_state_fires_at_once_and_once_a_crossing():
    network = parse("0 -> P : k\nwhen P >= 10 : P = 3, D = D + 1\nD -> 0 : none", k=50.0, none=0.0)
    kept = acme.simulate_ssa(network, {}, 5, size=8, rng=seeded(), keep="events")
    for i in range(8):
        states = kept.states_of(i)
        births = np.count_nonzero(kept.reactions_of(i) == 0)
        crossings = max(0, 1 + (births - 10) // 7)
        assert states[:, 0].max() == 10 and states[-1, 1] == crossings  # ten is seen, and answered at the same time
        assert states[-1, 0] == births - 7 * crossings
        at = np.flatnonzero(kept.reactions_of(i) == 2)
        np.testing.assert_array_equal(kept.times_of(i)[at], kept.times_of(i)[at - 1])
    np.testing.assert_array_equal(kept.extra["event_firings"][:, 0], np.diff(kept.jump_offsets))


def test_a_trigger_that_stays_true_fires_once():
    network = parse("0 -> P : k\nwhen P >= 10 : D = D + 1\nD -> 0 : none", k=50.0, none=0.0)
    ensemble = acme.simulate_ssa(network, {}, 5, size=8, rng=seeded())
    assert ensemble["P"][:, -1].min() > 100 and (ensemble["D"][:, -1] == 1).all()


def test_a_trigger_that_is_true_from_the_start_has_not_turned_true():
    text = "P -> 0 : g\nwhen P >= 3 : P = 50"
    assert acme.simulate_ssa(parse(text, g=0.0), {"P": 5}, 2, rng=seeded())["P"][0, -1] == 5
    network = parse("0 -> P : g\nat 0 : P = 9", g=0.0)  # but a moment comes also at the start
    assert acme.simulate_ssa(network, {}, 2, rng=seeded())["P"][0, -1] == 9
    event = acme.Event("now", Expression.parse("t >= 0"), {"P": Expression.parse("9")}, initially=False)
    network = acme.ReactionNetwork(network.species, network.reactions, network.parameters, events=(event,))
    np.testing.assert_array_equal(acme.simulate_ssa(network, {}, [0, 2], rng=seeded())["P"], [[9, 9]])
    event = acme.Event("now", Expression.parse("t >= 0"), {"P": Expression.parse("9")})  # the default is as `when`
    network = acme.ReactionNetwork(network.species, network.reactions, network.parameters, events=(event,))
    np.testing.assert_array_equal(acme.simulate_ssa(network, {}, [0, 2], rng=seeded())["P"], [[0, 0]])


def test_events_at_one_moment_see_the_state_before_and_run_in_order():
    # A and B change places, and both events read P before the other has changed it; the later assignment stays.
    text = "A -> 0 : g\nB -> 0 : g\nP -> 0 : g\nQ -> 0 : g\nat 1 : A = B, B = A\nat 1 : P = 5, Q = P\nat 1 : P = P + 1"
    ensemble = acme.simulate_ssa(parse(text, g=0.0), {"A": 3, "B": 8, "P": 2}, 2, rng=seeded())
    np.testing.assert_array_equal(ensemble.counts[0, -1], [8, 3, 3, 2])


def test_an_event_may_set_off_another():
    text = "A -> 0 : g\nB -> 0 : g\nwhen B > 0 and A > 0 : A = 40\nat 1 : A = 2, B = 1"
    ensemble = acme.simulate_ssa(parse(text, g=0.0), {}, [0, 1], rng=seeded())
    np.testing.assert_array_equal(ensemble.counts[0, -1], [40, 1])


def test_a_stop_sees_what_a_reaction_made_before_an_event_changes_it():
    network = parse("0 -> P : k\nwhen P >= 10 : P = 0", k=20.0)
    ensemble = acme.simulate_ssa(network, {}, 5, size=4, rng=seeded(), stop="P >= 10")
    np.testing.assert_array_equal(ensemble["P"][:, -1], 10)
    # and what an event made
    network = parse("0 -> P : k\nat 1 : P = 500", k=20.0)
    ensemble = acme.simulate_ssa(network, {}, 5, size=4, rng=seeded(), stop="P >= 400")
    np.testing.assert_array_equal(ensemble.stop_times, 1.0)
    np.testing.assert_array_equal(ensemble["P"][:, -1], 500)


def test_triggers_that_join_time_state_and_parameters():
    # the line P > a t + b is crossed from above by time alone: the count stands still and the line passes it
    network = parse("P -> 0 : g\nwhen a*t - 1 >= P/2 : P = 0", g=0.0, a=3.0)
    kept = acme.simulate_ssa(network, {"P": 7}, 4, rng=seeded(), keep="events")
    np.testing.assert_allclose(kept.times, [4.5 / 3.0], rtol=1e-15)
    a = np.linspace(1.2, 9.0, 200)  # several trajectories a range, each with its own line
    kept = acme.simulate_ssa(network, {"P": 7}, 4, size=200, rng=seeded(), keep="events", parameters={"a": a})
    np.testing.assert_allclose(kept.times, 4.5 / a, rtol=1e-15)
    text = "P -> 0 : g\nwhen -(t - 2)*3 < 0 and not t*2 > 7 : P = P + 1"  # true from 2 to 3.5
    kept = acme.simulate_ssa(parse(text, g=0.0), {}, 9, rng=seeded(), keep="events")
    np.testing.assert_array_equal(kept.times, [2.0])
    text = "P -> 0 : g\nwhen t < 2 or t/2 >= 3 : P = P + 1"  # true, false from 2, true again from 6
    kept = acme.simulate_ssa(parse(text, g=0.0), {}, 9, rng=seeded(), keep="events")
    np.testing.assert_array_equal(kept.times, [6.0])


def test_rates_change_with_events(scaled):
    # Copies of a gene double at t = 1: the number of transcripts by then and afterwards is Poisson.
    network = parse("G -> G + M : k\nat 1 : G = 2*G", k=10.0)
    ensemble = acme.simulate_ssa(network, {"G": 1}, [0, 1, 2], size=scaled(10_000, 200), rng=seeded())
    np.testing.assert_array_equal(ensemble["G"], np.broadcast_to([1, 2, 2], (len(ensemble), 3)))
    assert p_value_of_law(np.diff(ensemble["M"])[:, 0], stats.poisson(10.0)) > FALSE_POSITIVE
    assert p_value_of_law(np.diff(ensemble["M"])[:, 1], stats.poisson(20.0)) > FALSE_POSITIVE


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "0 -> P : k\nwhen P > 4 : P = P/2",
            acme.ParameterError,
            r"line 2.*gives P the value 2.5 at t=.* P=5; .*write for example floor\(P/2\)",
        ),
        ("0 -> P : k\nat 2 : P = 0 - 1", acme.ParameterError, r"line 2.*gives P the value -1 at t=2"),
        ("0 -> P : k\nat 2 : P = 1/0", acme.ParameterError, r"gives P the value inf at t=2"),
        ("0 -> P : k\nwhen sin(t) > 0.5 : P = 0", acme.ParameterError, r"line 2.*not linear in the time t"),
        ("0 -> P : k\nwhen t*t > P : P = 0", acme.ParameterError, r"line 2.*not linear in the time t"),
        (
            "0 -> P : k\nwhen P > 4 : P = 0\nwhen P < 1 : P = 6",
            acme.ParameterError,
            "set each other off without end at t=.*when P > 4 : P = 0; when P < 1 : P = 6",
        ),
    ],
)
def test_events_that_go_wrong_are_errors(text, error, message):
    with pytest.raises(error, match=message):
        acme.simulate_ssa(parse(text, k=5.0), {"P": 2}, 30, size=2, rng=seeded())


def test_errors_in_events_and_counts_reach_the_caller_as_ever():
    with pytest.raises(
        acme.PropensityError, match="in the state M=0, where molecules that the reaction takes are missing"
    ):
        acme.simulate_ssa(parse("M => 0 : k*t", k=3), {"M": 2}, 10, rng=seeded())
    with pytest.raises(acme.PropensityError, match="needs more than max_events=500"):
        acme.simulate_ssa(parse("0 => M : k*t", k=1e3), {}, 10, rng=seeded(), max_events=500)
    with pytest.raises(acme.PropensityError, match=r"line 2.*negative \(-1\) in the state M=4"):
        acme.simulate_ssa(parse("0 -> M : k\n0 => P : 3 - M", k=5), {}, 10, rng=seeded(), stop="M > 90")
    network = parse("0 => M : k - t", k=9.0)
    with pytest.raises(acme.PropensityError, match="negative"):  # with the parameters of that trajectory
        acme.simulate_ssa(network, {}, 8, size=2, rng=seeded(), parameters={"k": np.array([9.0, 2.0])})


# --- events that set parameters ---------------------------------------------------------------------------------------


def test_production_that_is_switched_off_leaves_a_poisson_law_that_decays(scaled):
    k, g = 20.0, 0.8
    network = parse("0 -> M : k\nM -> 0 : g\nat 2 : k = 0\nat 4 : k = 3*g", k=k, g=g)
    ensemble = acme.simulate_ssa(network, {}, [1, 2, 3, 4, 5.5], size=scaled(20_000, 200), rng=seeded())
    until_2 = k / g * -np.expm1(-2 * g)
    means = [k / g * -np.expm1(-g), until_2, until_2 * np.exp(-g), until_2 * np.exp(-2 * g)]
    means.append(means[-1] * np.exp(-1.5 * g) - 3 * np.expm1(-1.5 * g))
    for i, mean in enumerate(means):
        assert p_value_of_law(ensemble["M"][:, i], stats.poisson(mean)) > FALSE_POSITIVE
    # what it is at a time is what the event has made of it then, as for counts
    np.testing.assert_array_equal(ensemble["k"], np.broadcast_to([k, 0, 0, 3 * g, 3 * g], ensemble["k"].shape))


def test_a_rate_that_a_condition_switches_gives_a_wait_of_two_stages(scaled):
    # The first molecule comes at the rate a and makes it b: the second comes at a time of the density of their sum.
    a, b = 0.5, 3.0
    network = parse("0 -> M : a\nwhen M >= 1 : a = b", a=a, b=b)
    ensemble = acme.simulate_ssa(network, {}, 60, size=scaled(5_000, 100), rng=seeded(), stop="M >= 2")
    assert not ensemble.censored.any()

    def cdf(t):
        return 1.0 - (b * np.exp(-a * t) - a * np.exp(-b * t)) / (b - a)

    assert stats.kstest(ensemble.stop_times, cdf).pvalue > FALSE_POSITIVE


def test_a_bound_in_time_follows_the_parameter(scaled):
    # Below the bound of the old window a tenth of the events would come, or an error.
    network = parse("0 => M : k*(1 + sin(t))\nat 2 : k = 10*k\nat 6.5 : k = k/100", k=4.0)
    ensemble = acme.simulate_ssa(network, {}, [2, 6.5, 9], size=scaled(10_000, 200), rng=seeded())
    fired = np.diff(ensemble["M"], axis=1, prepend=0)

    def area(t):
        return t - np.cos(t)

    for i, (k, low, high) in enumerate([(4.0, 0, 2), (40.0, 2, 6.5), (0.4, 6.5, 9)]):
        assert p_value_of_law(fired[:, i], stats.poisson(k * (area(high) - area(low)))) > FALSE_POSITIVE


FEEDBACK = "half = K/2\n0 => P : v/(1 + P/half)\n2 P -> 0 : c\nP -> 0 : c*h\nh = 4/v"


def test_rates_of_every_kind_follow(scaled):
    # A number in the text, what is defined from it, a program, pairs and constants; against the master equation, solved
    # up to the event and on from there with the network of the new values.
    before, after = {"v": 12.0, "c": 0.05}, {"v": 4.0, "c": 0.4}
    network = parse(f"K = 8\n{FEEDBACK}\nat 1 : K = 2*K + 4, v = v/3, c = 8*c", **before)
    ensemble = acme.simulate_ssa(network, {"P": 3}, [1, 1.6], size=scaled(20_000, 300), rng=seeded())
    first, second = parse(f"K = 8\n{FEEDBACK}", **before), parse(f"K = 20\n{FEEDBACK}", **after)
    space = acme.StateSpace.box(first, P=80)
    p = space.point(P=3)
    for net, length, i in [(first, 1.0, 0), (second, 0.6, 1)]:
        p = acme.solve_transient(acme.build_generator(net, space, boundary="absorbing"), p, length).p[-1]
        assert p_value_of_counts(ensemble["P"][:, i], p / p.sum()) > FALSE_POSITIVE
    assert (ensemble["K"] == 20).all() and (ensemble["v"] == 4).all()


def test_a_changed_parameter_stays_in_its_trajectory(scaled):
    text = (
        "0 => M : k*(1 + sin(t))\nM -> M + P : k\n2 M -> 0 : g\nwhen M > 4 : k = 0.7*k\nwhen P > 9 : P = 0, g = g + k"
    )
    network = parse(text + "\nlevel = k*M\nwhen t > 2 and P > 3 : k = k + 1", k=3.0, g=1.0)
    size = scaled(130, 8)
    rows = {"k": np.linspace(1.0, 4.0, size)}
    for parameters in (None, rows):
        runs = [
            acme.simulate_ssa(network, {}, [2, 6], size=n, rng=seeded(3), threads=threads, parameters=given)
            for threads, n, given in [
                (1, size, parameters),
                (2, size, parameters),
                (5, size, parameters),
                (1, 3, parameters and {"k": rows["k"][:3]}),  # a range that begins and ends elsewhere
            ]
        ]
        for other in runs[1:]:
            for mine, theirs in [
                (runs[0].counts, other.counts),
                *((runs[0][n], other[n]) for n in ("k", "g", "level")),
            ]:
                np.testing.assert_array_equal(mine[: len(theirs)], theirs)
        np.testing.assert_array_equal(runs[0]["level"], runs[0]["k"] * runs[0]["M"])
        assert len(np.unique(runs[0]["k"][:, 1])) > 2
    assert network.parameters["k"] == 3.0 and network.rate_table.parameters[0] == 3.0
    summary = acme.simulate_ssa(network, {}, [2, 6], size=size, rng=seeded(3), parameters=rows, keep="summary")
    record = acme.simulate_ssa(network, {}, [2, 6], size=size, rng=seeded(3), parameters=rows, keep="events")
    np.testing.assert_array_equal(record.state_at([2.0, 6.0]), runs[0].counts)
    np.testing.assert_allclose(summary.mean("level"), runs[0]["level"].mean(axis=0))


def test_triggers_and_stops_read_the_parameters_as_they_are():
    # A count of doses, kept in a parameter, ends the trajectory at the third.
    network = parse("A -> 0 : g\nat 1 : A = A + 5, n = n + 1\nwhen A < 3 : A = A + 5, n = n + 1", g=2.0, n=0)
    ensemble = acme.simulate_ssa(network, {}, [0, 1, 50], size=20, rng=seeded(), stop="n >= 3")
    np.testing.assert_array_equal(ensemble["n"], np.broadcast_to([0, 1, 3], (20, 3)))
    assert not ensemble.censored.any() and (ensemble.stop_times > 1).all()


def test_an_ensemble_keeps_its_parameters_in_a_file(tmp_path):
    network = parse("k = 4\n0 -> M : k\nlevel = k*M\nat 0 : k = 2*k\nwhen M > 3 : k = 0")
    ensemble = acme.simulate_ssa(network, {}, [0, 9], size=4, rng=seeded())
    np.testing.assert_array_equal(ensemble["k"], np.broadcast_to([8, 0], (4, 2)))
    ensemble.save(tmp_path / "e.npz")
    again = acme.Ensemble.load(tmp_path / "e.npz")
    assert str(again.network) == str(network)
    for name in ("k", "level"):
        np.testing.assert_array_equal(again[name], ensemble[name])


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "at 2 : k = 0 - 1",
            acme.PropensityError,
            "line 2, '0 -> M : k': an event makes this rate -1 at t=2 in the state",
        ),
        ("at 2 : k = 1/0", acme.ParameterError, "line 3.*the event gives k the value inf at t=2.*finite number"),
        ("at 2 : g = 0", acme.ParameterError, "line 1, 'K = 1/g': an event makes K inf at t=2 in the state"),
        ("at 2 : v = 0 - v", acme.PropensityError, r"line 4.*negative \(-1\) in the state M=.* at t=2"),
    ],
)
def test_parameters_that_go_wrong_are_errors(text, error, message):
    lines = "K = 1/g\n0 -> M : k\n" + text + "\n0 => M : v*(1 if M >= 0 else K)"
    with pytest.raises(error, match=message):
        acme.simulate_ssa(parse(lines, k=5.0, g=1.0, v=1.0), {}, 30, size=2, rng=seeded())


# --- records of events ------------------------------------------------------------------------------------------------


def test_waits_between_transcriptions_are_exponential(scaled):
    k, first = 3.0, 10
    network = parse("0 -> M : k\nM -> 0 : g", k=k, g=1.0)
    kept = acme.simulate_ssa(network, {"M": 3}, 20, size=scaled(1_000, 40), rng=seeded(), keep="events")
    waits = kept.waiting_times("0 -> M", first=first)
    assert waits.shape == (first * len(kept),)
    assert stats.kstest(waits, stats.expon(scale=1 / k).cdf).pvalue > FALSE_POSITIVE
    assert len(kept.waiting_times(0)) == np.count_nonzero(kept.reactions == 0) - len(kept)


def test_a_gene_dwells_exponentially_in_each_state(scaled):
    k_on, k_off, first = 1.0, 4.0, 8
    network = parse("OFF <-> ON : k_on, k_off\nON -> ON + M : s", k_on=k_on, k_off=k_off, s=2.0)
    end = 40.0
    kept = acme.simulate_ssa(network, {"OFF": 1}, end, size=scaled(1_000, 40), rng=seeded(), keep="events")
    on = kept.waiting_times("ON -> OFF", since="OFF -> ON", first=first)
    off = kept.waiting_times(0, since=1, first=first)
    assert stats.kstest(on, stats.expon(scale=1 / k_off).cdf).pvalue > FALSE_POSITIVE
    assert stats.kstest(off, stats.expon(scale=1 / k_on).cdf).pvalue > FALSE_POSITIVE
    lag = np.corrcoef(on[:-1], on[1:])[0, 1]
    assert abs(lag) < Z / np.sqrt(len(on) - 1)


def test_a_record_tells_every_state(scaled):
    network = parse("0 -> M : k\nM -> 0 : g\nat 1 : M = M + 30\nat 2 : M = 0", k=scaled(3000.0, 40.0), g=1.0)
    kept = acme.simulate_ssa(network, {"M": 3}, [0, 4], size=3, rng=seeded(), keep="events")
    counts = acme.simulate_ssa(network, {"M": 3}, [0, 0.5, 1, 2, 4], size=3, rng=seeded())
    assert kept.species == ("M",) and len(kept) == 3
    assert repr(kept) == f"EventRecord of {len(kept.times)} events in 3 trajectories (t = 0 … 4) of M"
    np.testing.assert_array_equal(kept.state_at([0, 0.5, 1, 2, 4]), counts.counts)
    np.testing.assert_array_equal(kept.state_at(2.0), np.zeros((3, 1)))
    assert kept.offsets[-1] == len(kept.times) == len(kept.reactions)
    for i in range(3):
        times, states = kept.times_of(i), kept.states_of(i)
        assert np.all(np.diff(times) >= 0) and times[-1] <= 4
        assert len(states) == len(times) + 1 and states[0, 0] == 3 and states.min() >= 0
        steps = np.diff(states[:, 0])
        plain = kept.reactions_of(i) < 2
        np.testing.assert_array_equal(np.abs(steps[plain]), 1)
        assert times[~plain].tolist() == [1.0, 2.0] and steps[~plain][0] == 30
        assert kept.reactions_of(i)[~plain].tolist() == [2, 3]
    np.testing.assert_array_equal(kept.states_of(-1), kept.states_of(2))
    with pytest.raises(ValueError, match="read-only"):
        kept.times[0] = 1


def test_a_record_without_events_is_empty():
    kept = acme.simulate_ssa(parse("M -> 0 : g", g=1.0), {}, 3, size=2, rng=seeded(), keep="events")
    assert len(kept.times) == 0 and kept.waiting_times(0).shape == (0,)
    np.testing.assert_array_equal(kept.state_at([0, 3]), np.zeros((2, 2, 1)))


def test_a_record_knows_stops_and_parameters(scaled):
    network = parse("0 -> P : k", k=1.0)
    k = np.array([1.0, 2.0, 1e-9])
    kept = acme.simulate_ssa(network, {}, 50, size=3, rng=seeded(), keep="events", stop="P >= 4", parameters={"k": k})
    assert kept.censored.tolist() == [False, False, True] and kept.summarise_stops().censored == 1
    np.testing.assert_array_equal(kept.stop_times[:2], [kept.times_of(i)[-1] for i in range(2)])
    np.testing.assert_array_equal(kept.parameters["k"], k)


def test_a_record_grows_as_needed(monkeypatch):
    reference = acme.simulate_ssa(two_stage(), {}, 3, size=6, rng=seeded(), keep="events", stop="P > 60", threads=1)
    monkeypatch.setattr(ssa_general, "_FIRST_ROOM", 1)
    most = int(np.diff(reference.offsets).max())  # a trajectory that is run again does not count its events twice
    options = {"keep": "events", "stop": "P > 60", "threads": 1, "max_events": most}
    kept = acme.simulate_ssa(two_stage(), {}, 3, size=6, rng=seeded(), **options)
    np.testing.assert_array_equal(kept.times, reference.times)
    np.testing.assert_array_equal(kept.extra["stop_times"], reference.extra["stop_times"])
    text = "A -> 0 : g\n" + "\n".join(f"at {i} : A = A + {i}" for i in range(1, 9))
    kept = acme.simulate_ssa(parse(text, g=0.0), {}, 9, size=3, rng=seeded(), keep="events")
    assert kept.state_at(9).tolist() == [[36]] * 3 and kept.extra["event_firings"].sum() == 24


def test_a_record_does_not_eat_all_memory(monkeypatch):
    monkeypatch.setattr(record, "MAX_RECORDED", 2_000)
    network = parse("0 -> M : k", k=1_000.0)
    for t, size in [(30, 1), (0.3, 64)]:  # too many in one range, and in all together
        with pytest.raises(acme.ParameterError, match="more than 2000 events would be kept; take fewer trajectories"):
            acme.simulate_ssa(network, {}, t, size=size, rng=seeded(), keep="events")


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda kept: kept.waiting_times("M -> Q"), "'M -> Q' is not a reaction; the network has 0 -> M, M -> M [+] P"),
        (lambda kept: kept.waiting_times(9), "there is no reaction 9; the network has 4"),
        (lambda kept: kept.waiting_times(1.0), "a reaction must be an index or an equation"),
        (lambda kept: kept.waiting_times(0, first=10_000), r"trajectory 0 has \d+ such waits, fewer than first=10000"),
        (lambda kept: kept.state_at(7.0), "t must be between 0 and 2, the times of the record, got 7.0"),
        (lambda kept: kept.stop_times, "this run had no stop condition"),
    ],
)
def test_bad_questions_to_a_record(use, message):
    kept = acme.simulate_ssa(two_stage(), {}, 2, size=2, rng=seeded(), keep="events")
    with pytest.raises(acme.ParameterError, match=message):
        use(kept)
    with pytest.raises(IndexError, match="trajectory 2 of 2"):
        kept.times_of(2)


def test_an_equation_that_stands_twice_is_ambiguous():
    kept = acme.simulate_ssa(parse("0 -> M : a\n0 -> M : b", a=1.0, b=2.0), {}, 2, rng=seeded(), keep="events")
    with pytest.raises(acme.ParameterError, match="equation of several reactions: give its index"):
        kept.waiting_times("0 -> M")


def test_a_method_without_records_says_so():
    task = make_task(None, two_stage(), {}, 1, size=1, rng=seeded())
    with pytest.raises(acme.ParameterError, match="this method keeps no record of events"):
        record.RecordBuilder(task)

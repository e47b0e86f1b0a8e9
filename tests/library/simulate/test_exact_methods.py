"""One loop: every exact method has every exact law. Statistical checks state their false-positive rate."""

import functools

import numpy as np
import pytest
from numba import njit
from scipy import linalg, stats

import acme_lib as acme
from acme_lib import random_stream
from acme_lib.network.expression import Expression
from acme_lib.simulate import next_reaction
from tests.marks import always
from tests.statistics import FALSE_POSITIVE, p_value_of_cells, p_value_of_counts

EXACT = {"direct": acme.simulate_ssa, "next reaction": acme.simulate_next_reaction}


def simulate_by_thinning(network, x0, t, **options):
    """Simulate with a constant whose bound over time is not its value, so that candidates are thinned out."""
    name = network.given_parameters[0]
    same = Expression.parse("same*(1.2 + sin(7*t))/(1.2 + sin(7*t))")
    network = network.replace_parameter(name, same, same=network.parameters[name])
    return acme.simulate_ssa(network, x0, t, **options)


def simulate_jumps_beside_a_flow(network, x0, t, **options):
    """Simulate the jumps of a jump-drift process, whose hazard is integrated along the flow of a bystander."""
    text = str(network).replace("# ", "0 => Volume : 1 + Volume\n# ")
    given = {name: network.parameters[name] for name in network.given_parameters}
    network = acme.ReactionNetwork.parse(text, **given)
    return acme.simulate_jump_drift(network, x0, t, continuous=["Volume"], **options)


# Every simulator that draws from the exact law, each with its own kernel.
ALL_EXACT = {
    "direct": functools.partial(acme.simulate_ssa, compile=False),
    "compiled": functools.partial(acme.simulate_ssa, compile=True),
    "next reaction": acme.simulate_next_reaction,
    "general": functools.partial(acme.simulate_ssa, stop="t >= 1e6"),
    "thinning": simulate_by_thinning,
    "jump-drift": simulate_jumps_beside_a_flow,
}
COSTLY = {"jump-drift": 8}  # times the cost of an event: fewer trajectories
# With 130 reactions that never happen, the direct method takes the tree, and the heap is mostly infinite.
IDLE = {"alone": "", "among 130 idle reactions": "\nIdle -> 0 : idle" * 130}


# --- the laws: text, parameters, start, time, observed species, probabilities of its counts -----------------------


def birth_death():
    # From n0 molecules: Binomial(n0, e^-gt) survivors plus Poisson(k/g (1 - e^-gt)) newcomers.
    n0, k, g, t = 7, 4.0, 1.0, 0.7
    n = np.arange(60)
    pmf = np.convolve(stats.binom.pmf(n, n0, np.exp(-g * t)), stats.poisson.pmf(n, k / g * -np.expm1(-g * t)))
    return "0 -> M : k\nM -> 0 : g", {"k": k, "g": g}, {"M": n0}, t, "M", pmf


def dimerisation():
    # 2 S -> D has c n(n-1)/2: from 6 molecules, a chain of four states written by hand.
    c, t = 0.3, 0.5
    a = np.zeros((4, 4))
    for i, n in enumerate((6, 4, 2)):
        a[i, i] -= c * n * (n - 1) / 2
        a[i + 1, i] += c * n * (n - 1) / 2
    return "2 S -> D : c", {"c": c}, {"S": 6}, t, "D", linalg.expm(a * t)[:, 0]


def third_order():
    # 3 S -> T has c n(n-1)(n-2)/6: from 7 molecules at most two events.
    c, t = 0.05, 0.6
    first, second = c * 35, c * 4
    none = np.exp(-first * t)
    one = first / (first - second) * (np.exp(-second * t) - np.exp(-first * t))
    return "3 S -> T : c", {"c": c}, {"S": 7}, t, "T", np.array([none, one, 1 - none - one])


def telegraph():
    # A switching gene: propensities turn 0 and back all the time. The law from a matrix exponential over (gene, count).
    on, off, s, g, t, top = 0.8, 1.3, 6.0, 1.0, 2.0, 30
    a = np.zeros((2 * (top + 1), 2 * (top + 1)))

    def flow(source, target, rate):
        a[target, source] += rate
        a[source, source] -= rate

    for n in range(top + 1):
        flow(2 * n, 2 * n + 1, on)
        flow(2 * n + 1, 2 * n, off)
        if n < top:
            flow(2 * n + 1, 2 * n + 3, s)
            flow(2 * n + 2, 2 * n, g * (n + 1))
            flow(2 * n + 3, 2 * n + 1, g * (n + 1))
    pmf = linalg.expm(a * t)[:, 0].reshape(-1, 2).sum(axis=1)
    text = "Off <-> On : on, off\nOn -> On + M : s\nM -> 0 : g"
    return text, {"on": on, "off": off, "s": s, "g": g}, {"Off": 1}, t, "M", pmf


def expression():
    # Self-repression, k/(1 + M/K), against the master equation of this library.
    text, parameters, t = "0 => M : k/(1 + M/K)\nM -> 0 : g", {"k": 12.0, "K": 4.0, "g": 1.0}, 1.2
    network = acme.ReactionNetwork.parse(text, **parameters)
    generator = acme.build_generator(network, acme.StateSpace.box(network, M=60), boundary="absorbing")
    return text, parameters, {"M": 20}, t, "M", acme.solve_transient(generator, {"M": 20}, [t]).marginal("M")[0]


def autocatalysis():
    # Yule's process from n0 = 2: negative binomial.
    n0, k, t = 2, 1.0, 0.9
    pmf = np.concatenate([np.zeros(n0), stats.nbinom.pmf(np.arange(200), n0, np.exp(-k * t))])
    return "M -> 2 M : k", {"k": k}, {"M": n0}, t, "M", pmf


LAWS = [birth_death, dimerisation, third_order, telegraph, expression, autocatalysis]


# The number of reactions takes another way in the direct method and in the heap of the next-reaction method.
WAYS = [(method, "alone") for method in ALL_EXACT] + [(method, "among 130 idle reactions") for method in EXACT]


@pytest.mark.parametrize("law", always(3, LAWS), ids=lambda law: law.__name__)
@pytest.mark.parametrize(("method", "idle"), WAYS)
def test_every_exact_method_has_every_law(method, idle, law, scaled):
    text, parameters, start, t, name, pmf = law()
    np.testing.assert_allclose(np.sum(pmf), 1.0, atol=1e-8)
    if idle != "alone":
        parameters = {**parameters, "idle": 1.0}
    network = acme.ReactionNetwork.parse(text + IDLE[idle], **parameters)
    size = scaled(40_000, 30 if idle != "alone" else 500) // COSTLY.get(method, 1)
    # an intermediate time splits the run, as recording may disturb it
    ensemble = ALL_EXACT[method](network, start, [0, 0.6 * t, t], size=size, rng=np.random.default_rng(1))
    counts = ensemble[name][:, 2]
    np.testing.assert_array_equal(counts, np.floor(counts))
    assert p_value_of_counts(counts, pmf) > FALSE_POSITIVE


@pytest.mark.parametrize("simulate", EXACT.values(), ids=EXACT.keys())
def test_two_hundred_reactions_of_a_ring(simulate, scaled):
    # Molecules that walk on a ring of 100 places are independent: their places are multinomial.
    n, molecules, t = 100, 50, 4.0
    text = "\n".join(f"S{i} -> S{(i + 1) % n} : k\nS{(i + 1) % n} -> S{i} : b" for i in range(n))
    network = acme.ReactionNetwork.parse(text, k=1.0, b=0.5)
    assert len(network.reactions) == 200
    step = np.roll(np.eye(n), 1, axis=0)
    p = linalg.expm(t * (step + 0.5 * step.T - 1.5 * np.eye(n)))[:, 0]
    ensemble = simulate(network, {"S0": molecules}, t, size=scaled(2_000, 12), rng=np.random.default_rng(2))
    order = [network.species.index(f"S{i}") for i in range(n)]
    places = ensemble.counts[:, -1, order]
    assert (places.sum(axis=1) == molecules).all()
    assert p_value_of_cells(places.sum(axis=0), p * places.sum()) > FALSE_POSITIVE
    # and they walk each for itself: the number at one place is binomial
    assert p_value_of_counts(places[:, 2], stats.binom.pmf(np.arange(molecules + 1), molecules, p[2])) > FALSE_POSITIVE


@pytest.mark.parametrize("idle", IDLE.values(), ids=IDLE.keys())
@pytest.mark.parametrize("simulate", EXACT.values(), ids=EXACT.keys())
def test_what_must_never_happen(simulate, idle, scaled):
    """Rates of zero never fire, nothing leaves an absorbing state, what is conserved is conserved."""
    text = "A + B -> C : c\nC -> A + B : zero\n0 -> A : zero\n2 A -> E : d\nE -> 2 A : e\n0 -> Idle : zero" + idle
    given = {"c": 1.0, "d": 0.5, "e": 0.7, "zero": 0.0, **({"idle": 1.0} if idle else {})}
    network = acme.ReactionNetwork.parse(text, **given)
    times = np.concatenate([[0], np.geomspace(0.1, 1e9, scaled(30, 8))])
    start = {"A": 9, "B": 4}
    # without the pair that comes and goes, everything ends: C holds all B, one A in five is left over
    ends = network.with_parameters(e=0.0)
    ensemble = simulate(ends, start, times, size=scaled(200, 10), rng=np.random.default_rng(3))
    a, b, c, e = (ensemble[name] for name in "ABCE")
    np.testing.assert_array_equal(a + c + 2 * e, 9)
    np.testing.assert_array_equal(b + c, 4)
    assert ensemble.counts.min() == 0 and ensemble["Idle"].max() == 0
    assert (np.minimum(a, b)[:, -1] == 0).all() and (a[:, -1] <= 1).all()
    np.testing.assert_array_equal(ensemble.events, c[:, -1] + e[:, -1])
    np.testing.assert_array_equal(ensemble.counts[:, 0], np.tile(ends.state(start), (len(ensemble), 1)))


@pytest.mark.parametrize("simulate", EXACT.values(), ids=EXACT.keys())
def test_same_seed_same_counts_on_any_number_of_threads(simulate, scaled):
    network = acme.ReactionNetwork.parse(telegraph()[0], on=1, off=2, s=5, g=1)

    def run(threads, size):
        times = np.linspace(0, scaled(20, 2), 5)
        return simulate(network, {"Off": 1}, times, size=size, rng=np.random.default_rng(11), threads=threads).counts

    size = scaled(101, 11)
    reference = run(1, size)
    np.testing.assert_array_equal(run(3, size), reference)
    np.testing.assert_array_equal(run(None, size - 4), reference[:-4])  # a trajectory does not depend on the others


@pytest.mark.parametrize("simulate", EXACT.values(), ids=EXACT.keys())
def test_parameters_and_starts_by_trajectory(simulate, scaled):
    network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=1, g=1)
    size = scaled(6_000, 120)
    k = np.tile([2.0, 9.0, 0.0], size // 3)
    starts = np.tile([[0], [3], [5]], (size // 3, 1))
    t = 1.5
    ensemble = simulate(network, starts, t, size=size, rng=np.random.default_rng(4), parameters={"k": k})
    n = np.arange(60)
    for i in range(3):
        newcomers = stats.poisson.pmf(n, k[i] * -np.expm1(-t))
        pmf = np.convolve(stats.binom.pmf(n, starts[i, 0], np.exp(-t)), newcomers)
        assert p_value_of_counts(ensemble["M"][i::3, -1], pmf) > FALSE_POSITIVE


@pytest.mark.parametrize("simulate", EXACT.values(), ids=EXACT.keys())
@pytest.mark.parametrize("idle", IDLE.values(), ids=IDLE.keys())
def test_summaries_agree_with_counts(simulate, idle):
    network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g" + idle, k=5, g=1, **({"idle": 1} if idle else {}))
    options = {"x0": {"M": 2}, "t": [0, 1], "size": 70}
    counts = simulate(network, **options, rng=np.random.default_rng(5))["M"][:, 1]
    summary = simulate(network, **options, rng=np.random.default_rng(5), keep="summary")
    np.testing.assert_allclose(summary.mean("M")[1], counts.mean(), rtol=1e-12)
    np.testing.assert_allclose(summary.variance("M")[1], counts.var(ddof=1), rtol=1e-12)


METHODS = {
    **EXACT,
    "tau-leap": acme.simulate_tau_leap,
    "Langevin": functools.partial(acme.simulate_langevin, boundary="clip", dt=0.01),
    "slow scale": functools.partial(acme.simulate_slow_scale, fast=["Off", "On"]),
    "rate equations": lambda *arguments, size, rng: acme.solve_rate_equations(*arguments),
}


@pytest.mark.parametrize("simulate", METHODS.values(), ids=METHODS.keys())
def test_one_rule_for_times(simulate):
    """Everything starts at time 0 and holds the times listed, and no other; a number is one time."""
    network = acme.ReactionNetwork.parse(telegraph()[0], on=20, off=20, s=50, g=1)

    def run(t):
        result = simulate(network, {"Off": 1, "M": 7}, t, size=5, rng=np.random.default_rng(3))
        return result, result["M"]

    result, single = run(2.0)
    np.testing.assert_array_equal(result.times, [2.0])
    both, counts = run([0, 2.0])
    if simulate is not METHODS["slow scale"]:  # it draws the fast species at each time that it records
        np.testing.assert_array_equal(single, counts[..., 1:])
    np.testing.assert_array_equal(counts[..., 0], np.full_like(counts[..., 0], 7))
    np.testing.assert_array_equal(run(0)[1], counts[..., :1])
    with pytest.raises(acme.ParameterError, match="t must be 0 or later: everything starts at time 0, got -1"):
        run(-1)


@pytest.mark.parametrize("simulate", EXACT.values(), ids=EXACT.keys())
@pytest.mark.parametrize(
    ("text", "start", "parameters", "message"),
    [
        ("0 -> M : r\n0 => P : k - M", {}, {"r": 5, "k": 3}, r"line 2, .*the propensity is negative \(-1\).*M=4"),
        ("0 => P : k - M\n0 -> M : k", {"M": 9}, {"k": 3}, "negative"),  # already in the start state
        ("0 => P : k/M\n0 -> M : k", {}, {"k": 3}, r"not finite \((inf|nan)\) in the state .*M=0"),
        ("M => 0 : k", {"M": 2}, {"k": 3}, r"line 1, 'M => 0 : k': the propensity is not zero in the state M=0"),
        ("M -> 2 M : k", {"M": 5}, {"k": 3}, "needs more than max_events=500 events"),
    ],
)
def test_bad_rates_are_errors_that_show_the_line(simulate, text, start, parameters, message):
    network = acme.ReactionNetwork.parse(text, **parameters)
    with pytest.raises(acme.PropensityError, match=message):
        simulate(network, start, 100.0, size=2, rng=np.random.default_rng(1), max_events=500)


@pytest.mark.parametrize("simulate", ALL_EXACT.values(), ids=ALL_EXACT.keys())
def test_as_many_events_as_are_allowed_are_no_error(simulate):
    network = acme.ReactionNetwork.parse("M -> 0 : g", g=1.0)
    rng = np.random.default_rng(1)
    assert simulate(network, {"M": 9}, 100.0, rng=rng, max_events=9)["M"].item() == 0
    with pytest.raises(acme.PropensityError, match="needs more than max_events=8 events"):
        simulate(network, {"M": 9}, 100.0, rng=rng, max_events=8)


def test_rates_that_depend_on_time_are_refused_by_name():
    network = acme.ReactionNetwork.parse("0 => M : k*t", k=3)
    with pytest.raises(acme.ParameterError, match=r"line 1, '0 => M : k\*t': this rate depends on the time t"):
        acme.simulate_next_reaction(network, {}, 1.0, rng=np.random.default_rng(1))


# --- the heap -----------------------------------------------------------------------------------------------------


def test_the_heap_keeps_its_order():
    rng = np.random.default_rng(6)
    n = 37
    time, reaction, place = np.empty(n), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    truth = rng.integers(0, 20, n).astype(float)  # with ties
    truth[::5] = np.inf
    for j in range(n):
        reaction[j] = j
        next_reaction._rise(j, truth[j], j, time, reaction, place)
    for _ in range(300):
        j = rng.integers(n)
        truth[j] = rng.choice([np.inf, *rng.integers(0, 20, 3)])
        next_reaction._move(place[j], truth[j], j, time, reaction, place)
        np.testing.assert_array_equal(time[place], truth)
        np.testing.assert_array_equal(reaction[place], np.arange(n))
        assert time[0] == truth.min()
        assert (time[(np.arange(1, n) - 1) // 2] <= time[1:]).all()


@pytest.mark.jit
def test_a_new_network_compiles_nothing():
    def run(text, start=None, **parameters):
        network = acme.ReactionNetwork.parse(text, **parameters)
        acme.simulate_next_reaction(network, start or {}, [0, 1], size=3, rng=np.random.default_rng(1))
        return len(next_reaction._next_reaction.signatures)

    other = "A + B -> C : k\n3 A -> 0 : k\n0 => A : r/(1 + A**h)"
    assert run("0 -> M : k", k=1) == run(other, {"B": 2}, k=0.1, r=2, h=2) == 1


# --- random numbers -----------------------------------------------------------------------------------------------


@njit
def fill_normal(key, _, out):
    stream = random_stream.start_stream(key, 0)
    for i in range(len(out)):
        out[i], stream = random_stream.next_normal(stream)


@njit
def fill_normal_tail(key, least, out):
    stream = random_stream.start_stream(key, 0)
    filled = 0
    while filled < len(out):
        x, stream = random_stream.next_normal(stream)
        if abs(x) > least:
            out[filled] = x
            filled += 1


@njit
def fill_poisson(key, mean, out):
    stream = random_stream.start_stream(key, 0)
    for i in range(len(out)):
        out[i], stream = random_stream.next_poisson(mean, stream)


def filled(fill, seed, mean, size):
    values = np.empty(size)
    with np.errstate(all="ignore"):
        fill(random_stream.draw_key(np.random.default_rng(seed)), mean, values)
    return values


def test_normal_numbers_follow_their_law(scaled):
    values = filled(fill_normal, 1, 0.0, scaled(2_000_000, 4_000))
    assert stats.kstest(values, "norm").pvalue > FALSE_POSITIVE
    # how often the tail is met, which has a code of its own
    beyond = int((np.abs(values) > random_stream._NORMAL_TAIL).sum())
    assert stats.binomtest(beyond, len(values), 2 * stats.norm.sf(random_stream._NORMAL_TAIL)).pvalue > FALSE_POSITIVE
    # sign and size are drawn from bits of one word: they must not know of each other
    assert abs(np.corrcoef(np.sign(values), np.abs(values))[0, 1]) < stats.norm.isf(FALSE_POSITIVE) / len(values) ** 0.5


@pytest.mark.jit
def test_the_tail_of_normal_numbers_has_its_shape():
    least = random_stream._NORMAL_TAIL
    beyond = np.abs(filled(fill_normal_tail, 2, least, 50_000))  # out of two hundred million
    assert stats.kstest(stats.norm.sf(beyond) / stats.norm.sf(least), "uniform").pvalue > FALSE_POSITIVE


@pytest.mark.parametrize("mean", [0.0, 1e-3, 0.7, 4.0, 9.999, 10.0, 15.5, 60.0, 1234.5])
def test_poisson_numbers_follow_their_law(mean, scaled):
    values = filled(fill_poisson, 2, mean, scaled(1_000_000, 3_000))
    n = np.arange(int(mean + 12 * np.sqrt(mean) + 25))
    if mean == 0.0:
        assert (values == 0).all()
    elif mean < 0.01:
        assert stats.binomtest(int((values > 0).sum()), len(values), -np.expm1(-mean)).pvalue > FALSE_POSITIVE
    else:
        assert p_value_of_counts(values.astype(np.int64), stats.poisson.pmf(n, mean)) > FALSE_POSITIVE


@pytest.mark.parametrize("mean", [1e6, 1e10, 1e15])
def test_large_poisson_numbers_are_whole_and_normal(mean, scaled):
    values = filled(fill_poisson, 3, mean, scaled(300_000, 3_000))
    assert (values == np.floor(values)).all()
    rng = np.random.default_rng(1)
    spread = (values - mean + rng.uniform(-0.5, 0.5, len(values))) / np.sqrt(mean)
    assert stats.kstest(spread, "norm").pvalue > FALSE_POSITIVE  # skewness 1e-3 at most: far below what the test sees


def test_log_poisson_probabilities():
    with np.errstate(all="ignore"):
        for mean in (10.0, 300.0, 1e5):
            k = np.floor(mean + np.sqrt(mean) * np.array([-3.0, -1.0, 0.0, 0.7, 4.0]))
            ours = [random_stream._log_poisson(n, mean) for n in k]
            np.testing.assert_allclose(ours, stats.poisson.logpmf(k, mean), atol=3e-9)


@pytest.mark.parametrize(
    "simulate",
    [
        acme.simulate_next_reaction,
        acme.simulate_tau_leap,
        functools.partial(acme.simulate_langevin, boundary="reflect"),
        functools.partial(acme.simulate_slow_scale, fast=["M"]),
    ],
    ids=["next reaction", "tau-leap", "Langevin", "slow scale"],
)
def test_events_are_refused_by_name_where_they_would_be_ignored(simulate):
    network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g\nat 1 : M = 0", k=5.0, g=1.0)
    with pytest.raises(acme.ParameterError, match="does not take events, and the network has 1"):
        simulate(network, {}, [0, 2], rng=np.random.default_rng(1))
    with pytest.raises(acme.ParameterError, match="does not take events, and the network has 1"):
        acme.solve_rate_equations(network, {}, [0, 2])

"""Approximate methods: their bias against exact results, how it shrinks, and what they refuse.

Statistical checks state their false-positive rate.
"""

import numpy as np
import pytest
from scipy import linalg, special, stats

import acme_lib as acme
from acme_lib.simulate import slow_scale
from acme_lib.simulate.rate_equations import rate_jacobian
from tests.networks import birth_death
from tests.statistics import FALSE_POSITIVE, p_value_of_counts, p_value_of_law

Z = stats.norm.isf(FALSE_POSITIVE / 2)


def rng(seed=1):
    return np.random.default_rng(seed)


def assert_mean(samples, expected, variance=None):
    stderr = np.sqrt((samples.var(ddof=1) if variance is None else variance) / len(samples))
    assert abs(samples.mean() - expected) < Z * stderr, (samples.mean(), expected, stderr)


def assert_variance(samples, expected):
    """For samples of a nearly normal law, by the chi-squared law of their variance."""
    n = len(samples) - 1
    statistic = n * samples.var(ddof=1) / expected
    assert min(stats.chi2.cdf(statistic, n), stats.chi2.sf(statistic, n)) > FALSE_POSITIVE / 2, statistic / n


def slope(steps, errors):
    return np.polyfit(np.log(steps), np.log(np.abs(errors)), 1)[0]


# --- tau-leaping --------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_the_mean_of_a_leap_is_wrong_in_first_order(scaled):
    # Pure decay from n0: a leap loses the fraction epsilon of what was there: (1 - epsilon)^(t/epsilon) is left.
    n0, epsilons = 1e8, np.array([0.2, 0.1, 0.05])
    network = acme.ReactionNetwork.parse("M -> 0 : g", g=1.0)
    errors = []
    for epsilon in epsilons:
        ensemble = acme.simulate_tau_leap(
            network, {"M": int(n0)}, 1.0, epsilon=epsilon, size=scaled(400, 20), rng=rng()
        )
        m = ensemble["M"][:, -1]
        assert_mean(m, n0 * (1 - epsilon) ** (1 / epsilon), n0 * np.exp(-1))
        errors.append(m.mean() - n0 * np.exp(-1))
        assert ensemble.extra["leaps"].max() <= round(1 / epsilon) + 1  # rounding may leave a last short one
    # the noise of a mean is 1e-5 of the smallest error: the slope is that of the bias
    assert slope(epsilons, errors) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("epsilon", [0.4, 0.2, 0.05])
def test_the_fano_factor_of_leaps_is_wrong_by_the_turnover_of_a_step(epsilon, scaled):
    # Birth and death: steps tau = 2 epsilon/g, and the stationary Fano factor of such leaps is 1/(1 - g tau/2).
    k = 1e7
    ensemble = acme.simulate_tau_leap(
        birth_death(k), {"M": int(k)}, 8.0, epsilon=epsilon, size=scaled(20_000, 200), rng=rng()
    )
    m = ensemble["M"][:, -1]
    assert_mean(m, k)
    assert_variance(m, k / (1 - epsilon))


def test_rates_that_are_expressions_bound_the_step_too(scaled):
    # Self-repression: the drift's slope is -g (1 + e), e = (phi/K)/(1 + phi/K); the linear noise gives F = 1/(1 + e).
    k, cap, epsilon = 4e6, 1e6, 0.2
    network = acme.ReactionNetwork.parse("0 => M : k/(1 + M/K)\nM -> 0 : g", k=k, K=cap, g=1)
    phi = cap * (np.sqrt(1 + 4 * k / cap) - 1) / 2
    e = phi / cap / (1 + phi / cap)
    ensemble = acme.simulate_tau_leap(
        network, {"M": round(phi)}, 8.0, epsilon=epsilon, size=scaled(10_000, 150), rng=rng()
    )
    m = ensemble["M"][:, -1]
    assert_mean(m, phi)
    # the sensitivity is a difference quotient over a change of epsilon: the step is longer than 2 epsilon/slope
    more = 1 + epsilon * phi / cap / (1 + phi / cap)
    assert_variance(m, phi / (1 + e) / (1 - epsilon * (1 + e) / (1 + e / more)))


ADVERSARIAL = {
    "pairs": ("2 S -> D : c", {"c": 5.0}, {"S": 20_001}, [[1, 2]], 20_001),
    "triples": ("3 S -> D : c", {"c": 0.01}, {"S": 3_001}, [[1, 3]], 3_001),
    "annihilation": ("A + B -> C : c\nA -> B : c\nB -> A : c", {"c": 1.0}, {"A": 900, "B": 31}, [[1, 1, 2]], 931),
    "near zero": ("0 -> A : k\nA -> 0 : g\nA -> B : k\n2 B -> 0 : k", {"k": 12.0, "g": 9.0}, {}, None, None),
    "many at once": ("12 A <-> B : c, d", {"c": 1e-32, "d": 4.0}, {"B": 300}, [[1, 12]], 3_600),
    "drained by a catalyst": ("E + S -> E : c\nS -> 0 : c", {"c": 50.0}, {"E": 1000, "S": 3000}, [[1, 0]], 1000),
}


@pytest.mark.parametrize("epsilon", [0.03, 0.9])
@pytest.mark.parametrize("case", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())
def test_leaps_never_go_below_zero_and_conserve(case, epsilon, scaled):
    text, parameters, start, weights, total = case
    network = acme.ReactionNetwork.parse(text, **parameters)
    times = np.concatenate([[0], np.geomspace(1e-7, scaled(3.0, 0.02), scaled(60, 8))])
    ensemble = acme.simulate_tau_leap(network, start, times, epsilon=epsilon, size=scaled(60, 2), rng=rng())
    assert ensemble.counts.min() >= 0
    if weights:
        assert (ensemble.counts @ np.array(weights[0]) == total).all()
    assert len(ensemble.events) == len(ensemble)


@pytest.mark.jit
def test_adversarial_networks_do_leap():
    text, parameters, start, _, _ = ADVERSARIAL["pairs"]
    network = acme.ReactionNetwork.parse(text, **parameters)
    ensemble = acme.simulate_tau_leap(network, start, 3.0, epsilon=0.9, size=20, rng=rng())
    assert ensemble.extra["leaps"].min() > 3 and np.median(ensemble.extra["exact_steps"]) > 3


def test_where_leaping_loses_the_law_is_the_exact_one(scaled):
    size = scaled(40_000, 400)
    ensemble = acme.simulate_tau_leap(birth_death(5.0), {"M": 2}, [0, 0.4, 1.5], size=size, rng=rng())
    assert ensemble.extra["leaps"].max() == 0
    n = np.arange(40)
    newcomers = stats.poisson.pmf(n, 5 * -np.expm1(-1.5))
    pmf = np.convolve(stats.binom.pmf(n, 2, np.exp(-1.5)), newcomers)
    assert p_value_of_counts(ensemble["M"][:, 2], pmf) > FALSE_POSITIVE


def test_a_single_molecule_keeps_its_law_among_leaps(scaled):
    # A gene that switches on once, at an exponential time, while a large population leaps around it.
    network = acme.ReactionNetwork.parse("Off -> On : a\n0 -> M : k\nM -> 0 : g", a=1.0, k=1e6, g=1.0)
    size = scaled(20_000, 300)
    ensemble = acme.simulate_tau_leap(network, {"Off": 1, "M": 10**6}, 0.8, epsilon=0.1, size=size, rng=rng())
    assert (ensemble["Off"] + ensemble["On"] == 1).all() and ensemble.extra["exact_steps"].mean() < 10
    assert stats.binomtest(int(ensemble["Off"][:, -1].sum()), size, np.exp(-0.8)).pvalue > FALSE_POSITIVE


def test_leaps_end_at_the_times_recorded(scaled):
    # Pure birth has no reactant: a leap reaches from time to time, and counts are Poisson with independent increments.
    network = acme.ReactionNetwork.parse("0 -> M : k", k=1e5)
    ensemble = acme.simulate_tau_leap(network, {}, [0, 1, 1.5, 4], size=scaled(5_000, 200), rng=rng())
    assert (ensemble.extra["leaps"] == 3).all()
    for i, width in enumerate((1, 0.5, 2.5)):
        new = np.diff(ensemble["M"], axis=1)[:, i]
        assert_mean(new, 1e5 * width)
        assert_variance(new, 1e5 * width)
    np.testing.assert_array_equal(ensemble.events, ensemble["M"][:, -1])


@pytest.mark.parametrize("start", [20, 1000])
def test_what_takes_molecules_that_are_missing_is_refused_by_all(start):
    # A rate that does not read what it takes: a leap over the end was tried again for ever, or gave another law.
    network = acme.ReactionNetwork.parse("X => 0 : k", k=5.0)
    for simulate in (acme.simulate_tau_leap, acme.simulate_ssa, acme.simulate_next_reaction):
        with pytest.raises(acme.PropensityError, match="line 1.*not zero in the state X=0, where molecules that the"):
            simulate(network, {"X": start}, 0.5 * start, size=3, rng=rng())
    with pytest.raises(acme.PropensityError, match="line 1.*not zero in the state X=0, where molecules that the"):
        acme.solve_rate_equations(network, {"X": start}, [1.0, 0.5 * start])
    assert acme.solve_rate_equations(network, {"X": start}, 2.0)["X"][0] == pytest.approx(start - 10)


def test_leaps_at_a_rate_that_reads_nothing_keep_their_law(scaled):
    network = acme.ReactionNetwork.parse("X => 0 : k", k=500.0)
    ensemble = acme.simulate_tau_leap(network, {"X": 10_000}, [1, 9], size=scaled(5_000, 200), rng=rng())
    assert ensemble.extra["leaps"].min() > 3
    for i, t in enumerate((1, 9)):
        assert p_value_of_law(10_000 - ensemble["X"][:, i], stats.poisson(500.0 * t)) > FALSE_POSITIVE


def test_leaping_runs_as_the_others_do(scaled):
    network = acme.ReactionNetwork.parse("0 -> M : k\n2 M <-> D : c, d", k=scaled(2e4, 2e3), c=1e-3, d=5.0)

    def run(threads, size):
        ensemble = acme.simulate_tau_leap(
            network,
            {"M": 5},
            [0, 0.1, 0.3],
            size=size,
            rng=rng(),
            threads=threads,
            parameters=lambda r, n: {"d": r.uniform(1, 5, n)},
        )
        return ensemble.counts

    size = scaled(50, 4)
    np.testing.assert_array_equal(run(1, size), run(3, size))
    with pytest.raises(acme.ParameterError, match="epsilon must be a number above 0 and below 1, got 1.5"):
        acme.simulate_tau_leap(network, {}, 1.0, epsilon=1.5, rng=rng())
    with pytest.raises(acme.ParameterError, match="tau-leaping takes rates as constant in time"):
        acme.simulate_tau_leap(acme.ReactionNetwork.parse("0 => M : t"), {}, 1.0, rng=rng())


@pytest.mark.parametrize(
    ("text", "start", "parameters", "message"),
    [
        ("M -> 2 M : k", {"M": 10**15}, {"k": 3}, r"beyond 9e\+15, where counts are no longer whole.*M=9"),
        ("0 -> M : r\n0 => P : k - M", {}, {"r": 5, "k": 3}, r"the propensity is negative \(-1\)"),
        ("0 -> M : r\n0 => P : k - M", {}, {"r": 5e4, "k": 3e4}, r"the propensity is negative"),
        ("0 => P : k - M\n0 -> M : k", {"M": 9}, {"k": 3}, "negative"),
        ("M => 0 : k", {"M": 2}, {"k": 3}, r"the propensity is not zero in the state M=0"),
        ("M => 0 : k\n0 -> N : r", {"M": 2}, {"k": 3, "r": 1e6}, r"the propensity is not zero in the state M=0"),
        ("0 -> M : k\nM -> 0 : k", {"M": 5}, {"k": 1e4}, "needs more than max_steps=60000 steps"),
    ],
)
def test_bad_rates_are_errors_that_show_the_line(text, start, parameters, message):
    network = acme.ReactionNetwork.parse(text, **parameters)
    with pytest.raises(acme.PropensityError, match=message):
        acme.simulate_tau_leap(network, start, np.linspace(0, 20, 400), size=2, rng=rng(), max_steps=60_000)


# --- the Langevin equation ----------------------------------------------------------------------------------------

STEPS = np.array([0.5, 0.25, 0.125])


def langevin_errors(scheme, factor, size):
    """Simulate birth and death from 2k to t = 1; checks the scheme's own mean and returns its error of the mean."""
    k = 1e8
    errors = []
    for dt in STEPS:
        ensemble = acme.simulate_langevin(
            birth_death(k), {"M": int(2 * k)}, 1.0, dt=dt, scheme=scheme, boundary="raise", size=size, rng=rng()
        )
        m = ensemble["M"][:, -1]
        assert (ensemble.extra["steps"] == round(1 / dt)).all()
        # the drift is linear, so that the mean follows the deterministic scheme exactly
        assert_mean(m, k * (1 + factor(dt) ** round(1 / dt)))
        errors.append(m.mean() - k * (1 + np.exp(-1)))
    return errors


def test_euler_maruyama_is_of_weak_order_one(scaled):
    # noise of the mean: 1e4/sqrt(size), below 1e-3 of every error
    errors = langevin_errors("euler-maruyama", lambda h: 1 - h, scaled(1_000, 60))
    assert slope(STEPS, errors) == pytest.approx(1.0, abs=0.25)


def test_the_weak_trapezoidal_scheme_is_of_weak_order_two(scaled):
    errors = langevin_errors("weak-trapezoidal", lambda h: 1 - h + h**2 / 2, scaled(1_000, 60))
    assert slope(STEPS, errors) == pytest.approx(2.0, abs=0.35)


@pytest.mark.parametrize(
    ("scheme", "variance"), [("euler-maruyama", lambda h: 1 / (1 - h / 2)), ("weak-trapezoidal", lambda h: 1.0)]
)
def test_variances_of_the_langevin_equation(scheme, variance, scaled):
    # Stationary birth and death: Euler-Maruyama with step h has the Fano factor 1/(1 - g h/2).
    k, dt = 1e6, 0.1
    ensemble = acme.simulate_langevin(
        birth_death(k), {"M": int(k)}, 8.0, dt=dt, scheme=scheme, boundary="raise", size=scaled(10_000, 150), rng=rng()
    )
    assert_variance(ensemble["M"][:, -1], k * variance(dt))


def test_moments_of_a_linear_network_are_the_exact_ones(scaled):
    text = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\nP -> 0 : g_p"
    network = acme.ReactionNetwork.parse(text, k_m=1000, k_p=5, g_m=1, g_p=0.5)
    options = {"scheme": "weak-trapezoidal", "dt": 0.05, "boundary": "raise", "size": scaled(10_000, 100), "rng": rng()}
    ensemble = acme.simulate_langevin(network, {"M": 1000, "P": 10_000}, scaled(12.0, 6.0), **options)
    m, p = ensemble["M"][:, -1], ensemble["P"][:, -1]
    assert_mean(m, 1000)
    assert_mean(p, 10_000)
    if len(m) > 1000:
        assert_variance(p, 10_000 * (1 + 5 / 1.5))
        covariance = np.cov(m, p)[0, 1]
        exact = 1000 * 5 / (1 * 1.5) * 1.0
        assert abs(covariance - exact) < Z * np.sqrt((1000 * 43_333 + exact**2) / len(m)) + 0.01 * exact


def test_rates_may_depend_on_the_time():
    network = acme.ReactionNetwork.parse("0 => M : k*(1 + sin(t))\nM -> 0 : g", k=1e8, g=1)
    ensemble = acme.simulate_langevin(
        network, {"M": 10**8}, 3.0, dt=0.02, boundary="raise", scheme="weak-trapezoidal", size=30, rng=rng()
    )
    exact = 1e8 * (1 + (np.sin(3.0) - np.cos(3.0)) / 2 + np.exp(-3.0) / 2)
    assert ensemble["M"][:, -1].mean() == pytest.approx(exact, rel=2e-4)  # dt² and noise, both below


def test_what_happens_at_zero(scaled):
    network, size = birth_death(1.0), scaled(20_000, 300)

    def run(boundary):
        return acme.simulate_langevin(network, {"M": 1}, 8.0, boundary=boundary, dt=0.1, size=size, rng=rng())["M"][
            :, -1
        ]

    reflected, clipped = run("reflect"), run("clip")
    assert reflected.min() > 0 and clipped.min() == 0
    stderr = np.sqrt(reflected.var() / size + clipped.var() / size)
    if size > 1000:  # both make molecules, clipping fewer: as the docstring says
        assert clipped.mean() > 1 + Z * clipped.std() / np.sqrt(size)
        assert reflected.mean() > clipped.mean() + Z * stderr
    assert (reflected < 0.05).any() and (clipped == 0).mean() > 0.001
    with pytest.raises(acme.PropensityError, match=r"trajectory 0 fell below zero at t=.*M=-.*boundary=\"raise\""):
        run("raise")


def test_negative_propensities_between_counts_are_zero():
    # n(n-1)/2 is negative below 1: the pair reaction must not run backwards there.
    network = acme.ReactionNetwork.parse("2 M -> 0 : c", c=1.0)
    ensemble = acme.simulate_langevin(network, {"M": 1}, [0, 1.0, 2.0], boundary="clip", dt=0.1, size=5, rng=rng())
    assert (ensemble["M"] == 1).all()
    half = acme.simulate_langevin(network, {"M": 9}, np.arange(30), boundary="clip", dt=0.01, size=5, rng=rng())["M"]
    assert (np.diff(half[:, 20:], axis=1) <= 1e-12).all()


def test_the_step_follows_the_shortest_time_scale():
    network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g\nP -> 0 : d\n0 -> P : k", k=1e4, g=5.0, d=1.0)
    start = {"M": 2000, "P": 10_000}
    ensemble = acme.simulate_langevin(network, start, [0, 1.0, 3.0], boundary="raise", size=2, rng=rng())
    assert (ensemble.extra["steps"] == 100 + 200).all()  # 1/20 of 1/5
    with pytest.raises(acme.ParameterError, match="give dt"):
        acme.simulate_langevin(
            acme.ReactionNetwork.parse("0 => M : 1/(t - t)"), {"M": 1}, [0], boundary="clip", rng=rng()
        )
    still = acme.simulate_langevin(
        acme.ReactionNetwork.parse("0 -> M : k", k=3.0), {}, 1.0, boundary="clip", size=2, rng=rng()
    )
    assert (still.extra["steps"] == 1).all()  # nothing relaxes: one step is exact


def test_langevin_results_are_floats_and_summaries_hold_them(scaled):
    network, options = birth_death(1e4), {"boundary": "clip", "dt": 0.1, "size": scaled(300, 20)}
    k = np.linspace(1e4, 2e4, options["size"])
    parameters = {"k": k}
    counts = acme.simulate_langevin(network, {"M": 10_000}, [0, 2.0], rng=rng(), parameters=parameters, **options)
    assert counts.counts.dtype == np.float64 and not np.array_equal(counts["M"], np.floor(counts["M"]))
    assert counts["M"][0, -1] < counts["M"][-1, 1] and (counts.events == 0).all()
    summary = acme.simulate_langevin(
        network, {"M": 10_000}, [0, 2.0], rng=rng(), parameters=parameters, keep="summary", threads=1, **options
    )
    np.testing.assert_allclose(summary.mean("M")[1], counts["M"][:, 1].mean())
    np.testing.assert_allclose(summary.variance("M")[1], counts["M"][:, 1].var(ddof=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boundary": "complex"}, "boundary must be 'reflect', 'clip' or 'raise', got 'complex'"),
        ({"scheme": "milstein"}, "scheme must be 'euler-maruyama' or 'weak-trapezoidal'"),
        ({"dt": 0.0}, "dt must be a positive number, got 0.0"),
        ({"dt": True}, "dt must be a positive number, got True"),
        ({"dt": 1e-25}, "dt is a step of 1e-25, and t=1 is 1e[+]25 of them, more than can be counted"),
        ({"dt": 5e-324}, "dt is a step of 4.94066e-324, and t=1 is inf of them"),
        ({"at_zero": "clip"}, "simulate_langevin takes boundary in place of at_zero: write boundary='clip'"),
    ],
)
def test_bad_langevin_arguments_say_how_to_fix_them(change, message):
    options = {"boundary": "clip", "rng": rng()} | change
    with pytest.raises(acme.ParameterError, match=message):
        acme.simulate_langevin(birth_death(1.0), {}, 1.0, **options)


def test_a_langevin_rate_that_is_not_finite_is_an_error():
    network = acme.ReactionNetwork.parse("0 => M : k/(M - M)", k=1)
    with pytest.raises(acme.PropensityError, match="not finite"):
        acme.simulate_langevin(network, {"M": 1}, 1.0, boundary="clip", dt=0.1, rng=rng())


# --- rate equations -----------------------------------------------------------------------------------------------

CLOSED_FORMS = {
    "dimerisation": ("2 P -> 0 : c", {"c": 2.0}, 10.0, False, lambda t: 1 / (1 / 10 + 2.0 * t)),
    "dimerisation, discrete": (
        "2 P -> 0 : c",
        {"c": 2.0},
        10.0,
        True,
        lambda t: 1 / (1 - (1 - 1 / 10) * np.exp(-2.0 * t)),
    ),
    "triples": ("3 P -> 0 : c", {"c": 0.1}, 10.0, False, lambda t: (1 / 100 + 0.1 * t) ** -0.5),
    "logistic": (
        "P -> 2 P : r\n2 P -> P : c",
        {"r": 1.0, "c": 0.02},
        4.0,
        False,
        lambda t: 100 / (1 + 24 * np.exp(-t)),
    ),
    "time": (
        "0 => P : k*t\nP -> 0 : g",
        {"k": 3.0, "g": 2.0},
        1.0,
        False,
        lambda t: 1.5 * t - 0.75 + 1.75 * np.exp(-2 * t),
    ),
    "saturated": (
        "P => 0 : v*P/(K + P)",
        {"v": 3.0, "K": 2.0},
        5.0,
        False,
        lambda t: 2 * special.lambertw(2.5 * np.exp(2.5 - 1.5 * t)).real,
    ),
}


@pytest.mark.parametrize("method", ["LSODA", "BDF", "DOP853"])
@pytest.mark.parametrize("case", CLOSED_FORMS.values(), ids=CLOSED_FORMS.keys())
def test_rate_equations_have_their_closed_forms(case, method):
    text, parameters, start, discrete, exact = case
    times = np.linspace(0, 2.5, 11)
    network = acme.ReactionNetwork.parse(text, **parameters)
    solution = acme.solve_rate_equations(network, {"P": start}, times, discrete=discrete, method=method, tolerance=1e-9)
    np.testing.assert_allclose(solution["P"], exact(times), rtol=3e-7)


def test_rate_equations_of_a_linear_network_are_a_matrix_exponential():
    text = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\nP -> 0 : g_p\nM <-> N : a, b"
    network = acme.ReactionNetwork.parse(text, k_m=10, k_p=5, g_m=1000, g_p=0.1, a=3, b=2)
    matrix = np.array([[-1003, 0, 2, 10], [5, -0.1, 0, 0], [3, 0, -2, 0], [0, 0, 0, 0.0]])
    times = [0, 0.001, 0.5, 40]
    solution = acme.solve_rate_equations(network, [7, 2.5, 1], times)
    exact = [(linalg.expm(matrix * t) @ [7, 2.5, 1, 1])[:3] for t in times]
    np.testing.assert_allclose(solution.amounts, exact, rtol=1e-6, atol=1e-7)
    assert solution.species == ("M", "P", "N") and 0 < solution.evaluations < 2000
    with pytest.raises(ValueError, match="read-only"):
        solution.amounts[0, 0] = 1
    with pytest.raises(acme.ParameterError, match="'m' is not a species of this solution"):
        solution["m"]


def test_the_jacobian_is_that_of_the_rates():
    network = acme.ReactionNetwork.parse("2 A -> B : c\nA + B -> 0 : d\n0 => A : k/(1 + B)", c=0.3, d=0.2, k=7.0)
    a, b = 3.0, 4.0
    exact = [[-2 * 0.3 * a - 0.2 * b, -0.2 * a - 7 / 25], [0.3 * a - 0.2 * b, -0.2 * a]]
    np.testing.assert_allclose(rate_jacobian(network, [a, b], 0.0), exact, rtol=1e-7, atol=1e-8)
    exact[0][0], exact[1][0] = exact[0][0] + 0.3, exact[1][0] - 0.15
    np.testing.assert_allclose(rate_jacobian(network, [a, b], 0.0, discrete=True), exact, rtol=1e-7, atol=1e-8)


def test_a_pulse_is_seen_with_a_longest_step():
    network = acme.ReactionNetwork.parse("0 => P : 100 if (t > 50) and (t < 50.1) else 0\nP -> 0 : g", g=1e-9)
    solution = acme.solve_rate_equations(network, {}, [0, 100], max_step=0.02)
    assert solution["P"][-1] == pytest.approx(10.0, rel=1e-4)


def test_rate_equations_start_at_zero():
    solution = acme.solve_rate_equations(birth_death(2.0), {"M": 1.5}, 0)
    np.testing.assert_array_equal(solution.amounts, [[1.5]])
    solution = acme.solve_rate_equations(birth_death(2.0), {"M": 1.5}, 3.0)
    np.testing.assert_array_equal(solution.times, [3.0])
    both = acme.solve_rate_equations(birth_death(2.0), {"M": 1.5}, [0, 3.0])
    np.testing.assert_array_equal(solution.amounts, both.amounts[1:])


def test_rate_equations_refuse_by_name():
    network = birth_death(2.0)
    for change, message in [
        ({"x0": {"N": 1}}, "'N' is not a species"),
        ({"x0": [1, 2]}, r"x0 has shape \(2,\); the network has 1 species \(M\)"),
        ({"x0": [-1]}, "finite amounts of at least 0"),
        ({"x0": ["much"]}, "one amount a species"),
        ({"method": "Euler"}, "method must be 'LSODA'"),
        ({"network": "0 -> M"}, "network must be a ReactionNetwork"),
    ]:
        arguments = {"network": network, "x0": {}, "t": 1.0} | change
        with pytest.raises(acme.ParameterError, match=message):
            acme.solve_rate_equations(**arguments)
    grows = acme.ReactionNetwork.parse("2 M -> 3 M : c", c=1.0)
    with pytest.raises(acme.AcmeError, match="could not be solved beyond"):
        acme.solve_rate_equations(grows, {"M": 10}, 5.0)


# --- slow-scale SSA -----------------------------------------------------------------------------------------------


def telegraph(k):
    text = "Off <-> On : on, off\nOn -> On + M : s\nM -> 0 : g"
    return acme.ReactionNetwork.parse(text, on=k, off=3 * k, s=12.0, g=1.0)


@pytest.mark.thorough
def test_a_fast_promoter_is_averaged(scaled):
    # Averaged, transcription has the constant rate s/4: a Poisson law with mean (s/4)(1 - e^-t).
    t, size = 1.3, scaled(40_000, 400)
    ensemble = acme.simulate_slow_scale(
        telegraph(1000.0), {"Off": 1}, [0, 0.4, t], fast=["Off", "On"], size=size, rng=rng()
    )
    law = stats.poisson(3 * -np.expm1(-t))
    assert p_value_of_counts(ensemble["M"][:, 2], law.pmf(np.arange(40))) > FALSE_POSITIVE
    np.testing.assert_array_equal(ensemble["On"] + ensemble["Off"], 1)
    assert stats.binomtest(int(ensemble["On"][:, 2].sum()), size, 0.25).pvalue > FALSE_POSITIVE
    assert (ensemble["Off"][:, 0] == 1).all()  # the start state itself
    np.testing.assert_allclose(ensemble.extra["time_scale_ratio"], 3 / 4000)
    assert ensemble.events.mean() < 10  # of thousands of switches none is simulated


@pytest.mark.thorough
def test_the_error_is_the_time_scale_ratio_in_first_order():
    # Master equation against the averaged law: both exact, so that no sampling hides the slope.
    t, ks = 1.3, np.array([8.0, 32.0, 128.0])
    averaged = stats.poisson.pmf(np.arange(41), 3 * -np.expm1(-t))
    distances, ratios = [], []
    for k in ks:
        network = telegraph(k)
        space = acme.StateSpace.box(network, Off=1, On=1, M=40)
        start = np.zeros(len(space))  # the fast species start in their stationary law
        start[space.index({"On": 1})], start[space.index({"Off": 1})] = 0.25, 0.75
        law = acme.solve_transient(acme.build_generator(network, space, boundary="absorbing"), start, [t])
        distances.append(acme.total_variation(law.marginal("M")[0], averaged))
        ensemble = acme.simulate_slow_scale(network, {"On": 1}, t, fast=["On", "Off"], size=2, rng=rng())
        ratios.append(ensemble.extra["time_scale_ratio"].max())
    np.testing.assert_allclose(ratios, 3 / (4 * ks))
    assert slope(ratios, distances) == pytest.approx(1.0, abs=0.1)
    assert (np.array(distances) < ratios).all()  # as an order of magnitude the ratio is on the safe side here


def test_pairs_of_fast_molecules_are_averaged_exactly(scaled):
    # N molecules in A <-> B, and 2 B -> C: averaged c N(N-1)/2 p². The law of C from a chain over N by hand.
    n0, p, c, t = 7, 0.4, 1.0, 1.1
    network = acme.ReactionNetwork.parse("A <-> B : a, b\n2 B -> C : c", a=4e3, b=6e3, c=c)
    a = np.zeros((4, 4))
    for i, n in enumerate((7, 5, 3)):
        a[i, i] -= c * n * (n - 1) / 2 * p**2
        a[i + 1, i] += c * n * (n - 1) / 2 * p**2
    pmf = linalg.expm(a * t)[:, 0]
    ensemble = acme.simulate_slow_scale(network, {"A": n0}, t, fast="A B".split(), size=scaled(40_000, 400), rng=rng())
    assert p_value_of_counts(ensemble["C"][:, -1], pmf) > FALSE_POSITIVE
    np.testing.assert_array_equal(ensemble.counts @ [1, 1, 2], n0)
    three = ensemble["B"][:, -1][ensemble["C"][:, -1] == 2]  # where three are left, they are binomial
    assert p_value_of_counts(three, stats.binom.pmf(np.arange(4), 3, p)) > FALSE_POSITIVE


def test_slow_species_set_fast_rates(scaled):
    # A ligand T that comes slowly binds a site: its occupancy follows T, and production follows the occupancy.
    text = "Free + T -> Bound + T : on\nBound -> Free : off\nBound -> Bound + M : s\n0 -> T : k\nM -> 0 : g"
    network = acme.ReactionNetwork.parse(text, on=2e4, off=5e4, s=6.0, k=1.0, g=1.0)
    t, size = 1.5, scaled(20_000, 250)
    ensemble = acme.simulate_slow_scale(network, {"Free": 1}, t, fast=["Free", "Bound"], size=size, rng=rng())
    # the averaged master equation over (T, M), rates written with the conditional mean 2T/(2T + 5)
    averaged = acme.ReactionNetwork.parse("0 => M : s*2*T/(2*T + 5)\n0 -> T : k\nM -> 0 : g", s=6.0, k=1.0, g=1.0)
    space = acme.StateSpace.box(averaged, M=30, T=12)
    law = acme.solve_transient(acme.build_generator(averaged, space, boundary="absorbing"), {"T": 0}, [t])
    assert p_value_of_counts(ensemble["M"][:, -1], law.marginal("M")[0]) > FALSE_POSITIVE
    bound = ensemble["Bound"][:, -1][ensemble["T"][:, -1] == 1]
    assert stats.binomtest(int(bound.sum()), len(bound), 2 / 7).pvalue > FALSE_POSITIVE


def test_molecules_that_come_and_go_are_poisson(scaled):
    # A chain of fast species with inflow and outflow: <A> = 3, <B> = 2; P is made by A + B at c <A><B>.
    text = "0 -> A : k\nA -> B : a\nB -> 0 : b\nA + B -> A + B + P : c\nP -> 0 : g"
    network = acme.ReactionNetwork.parse(text, k=6e4, a=2e4, b=3e4, c=0.5, g=1.0)
    size = scaled(20_000, 250)
    ensemble = acme.simulate_slow_scale(network, {}, 1.0, fast=["B", "A"], size=size, rng=rng())
    n = np.arange(40)
    for name, mean in (("A", 3), ("B", 2), ("P", 3 * -np.expm1(-1))):
        assert p_value_of_counts(ensemble[name][:, -1], stats.poisson.pmf(n, mean)) > FALSE_POSITIVE


def test_a_slow_decay_of_a_fast_species_is_named(scaled):
    text = "A <-> B : a, b\nB -> 0 : d"
    network = acme.ReactionNetwork.parse(text, a=1e3, b=1e3, d=1.0)
    size = scaled(20_000, 300)
    ensemble = acme.simulate_slow_scale(network, {"A": 8}, 0.9, fast=["A", "B"], slow=["B->0"], size=size, rng=rng())
    left = ensemble["A"][:, -1] + ensemble["B"][:, -1]
    assert p_value_of_counts(left, stats.binom.pmf(np.arange(9), 8, np.exp(-0.45))) > FALSE_POSITIVE
    np.testing.assert_array_equal(ensemble.events, 8 - left)
    gone = acme.simulate_slow_scale(network, {"A": 8}, 0.9, fast=["A", "B"], size=5, rng=rng())  # fast, it empties them
    assert (gone.counts[:, -1] == 0).all()


def test_averaged_parameters_by_trajectory(scaled):
    size = scaled(20_000, 400)
    on = np.tile([1000.0, 9000.0], size // 2)
    ensemble = acme.simulate_slow_scale(
        telegraph(1000.0), {"On": 1}, 1.0, fast=["Off", "On"], size=size, rng=rng(), parameters={"on": on}
    )
    for i, share in enumerate((0.25, 0.75)):
        pmf = stats.poisson.pmf(np.arange(40), 12 * share * -np.expm1(-1))
        assert p_value_of_counts(ensemble["M"][i::2, -1], pmf) > FALSE_POSITIVE
    np.testing.assert_allclose(ensemble.extra["time_scale_ratio"][:2], [3 / 4000, 9 / 12_000])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("A <-> B : k, k", {"fast": ["C"]}, "'C' is not a species"),
        ("A <-> B : k, k", {"fast": []}, "one species or more"),
        ("A <-> B : k, k", {"fast": ["A", "A"]}, "each once"),
        ("A <-> B : k, k", {"fast": ["A", "B"], "slow": ["B -> C"]}, "slow must be equations of reactions"),
        ("A <-> B : k, k", {"fast": ["A"]}, "no reaction changes only the fast species A"),
        ("2 A <-> B : k, k", {"fast": ["A", "B"]}, "a fast reaction converts, makes or removes one molecule"),
        ("A + B -> B : k", {"fast": ["A", "B"]}, "a fast reaction converts"),
        ("A -> 2 A : k", {"fast": ["A"]}, "a fast reaction converts"),
        ("A => B : k*A\nB -> A : k", {"fast": ["A", "B"]}, "a fast reaction converts"),
        ("A <-> B : k, k\n0 => C : k*A", {"fast": ["A", "B"]}, "must be mass action"),
        ("A <-> B : k, k\nB => C : k", {"fast": ["A", "B"]}, "must be mass action"),
        ("A <-> B : k, k\n0 => C : k*t", {"fast": ["A", "B"]}, "depends on the time"),
    ],
)
def test_what_cannot_be_averaged_is_refused(text, options, message):
    network = acme.ReactionNetwork.parse(text, k=1.0)
    with pytest.raises(acme.ParameterError, match=message):
        acme.simulate_slow_scale(
            network, {"A": 3, "B": 1} if "B" in network.species else {"A": 3}, 1.0, rng=rng(), **options
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 -> A : k", "have no unique stationary law .* t=0"),
        ("A -> B : k\nA -> D : k", "have no unique stationary law"),
        ("A <-> B : k, k\n0 => C : 2.5 - C", "the propensity is negative"),
        ("A => B : 1 - C\nB -> A : k\n0 -> C : k", "a fast reaction|the propensity is negative"),
        ("0 => A : 1 - C\nA -> 0 : k\n0 -> C : k", "the propensity is negative"),
        ("A <-> B : k, k\nC => 0 : k", "the propensity is not zero in the state"),
        ("A <-> B : k, k\nB -> B + C : k\nC -> 2 C : k", "needs more than max_events=50"),
    ],
)
def test_states_without_a_law_are_errors(text, message):
    network = acme.ReactionNetwork.parse(text, **({"k": 1.0} if "k" in text else {}))
    fast = [name for name in ("A", "B", "D") if name in network.species]
    with pytest.raises((acme.PropensityError, acme.ParameterError), match=message):
        acme.simulate_slow_scale(network, {"A": 3}, 100.0, fast=fast, size=2, rng=rng(), max_events=50)


def test_linear_equations_are_solved_with_pivots():
    # dz/dt = M z + inflow with a zero on the diagonal's way: against NumPy
    matrix = np.array([[-1.0, 2.0, 0.0], [1.0, -2.5, 1e-3], [0.0, 0.5, -1e-3]])
    inflow = np.array([0.7, 0.0, 0.0])
    exact = np.linalg.solve(np.array([[-1.0, 2.0, 0.0], [1.0, -3.5, 1e-3], [0.0, 0.5, -1e-3]]), -inflow)
    law = inflow.copy()
    open_matrix = matrix.copy()
    open_matrix[1, 1] = -3.5
    assert slow_scale._solve_law(open_matrix, law, np.zeros(3, dtype=np.int64), np.array([False]))
    np.testing.assert_allclose(law, exact, rtol=1e-12)


@pytest.mark.parametrize(
    "run",
    [
        lambda network: acme.simulate_next_reaction(network, {"A": 1}, 1.0, rng=rng()),
        lambda network: acme.simulate_tau_leap(network, {"A": 1}, 1.0, rng=rng()),
        lambda network: acme.simulate_langevin(network, {"A": 1}, 1.0, boundary="clip", rng=rng()),
        lambda network: acme.simulate_slow_scale(network, {"A": 1}, 1.0, fast=["A", "B"], rng=rng()),
        lambda network: acme.solve_rate_equations(network, {"A": 1}, 1.0),
    ],
)
def test_events_are_refused_and_not_ignored(run):
    network = acme.ReactionNetwork.parse("A <-> B : k, k\nB -> B + C : k\nwhen C > 3 : C = 0", k=1.0)
    with pytest.raises(acme.AcmeError, match="does not take events|do not take events"):
        run(network)


# --- comparison ---------------------------------------------------------------------------------------------------


def test_two_ensembles_of_one_law_differ_by_chance(scaled):
    size = scaled(4_000, 300)
    pair = [acme.simulate_ssa(birth_death(9.0), {"M": 9}, [0, 6.0], size=size, rng=rng(i)) for i in (1, 2)]
    seen = acme.compare_ensembles(*pair).at("M")
    assert abs(seen["mean_difference"]) < Z * seen["mean_stderr"]
    assert abs(seen["fano_difference"]) < Z * seen["fano_stderr"]
    assert seen["mean_stderr"] == pytest.approx(np.sqrt(2 * 9 / size), rel=0.2)
    assert seen["fano_stderr"] == pytest.approx(np.sqrt(2 * 2 / size), rel=0.3)  # Poisson: var F = 2/n
    assert 0.5 < seen["total_variation"] / seen["total_variation_by_chance"] < 1.6
    start = acme.compare_ensembles(*pair).at("M", 0)
    assert start["mean_difference"] == start["total_variation"] == start["total_variation_by_chance"] == 0


@pytest.mark.jit
def test_stated_errors_are_those_of_repetition():
    # The standard error of the Fano factor of a skewed law, against the spread over 300 ensembles.
    network = acme.ReactionNetwork.parse("0 -> 6 M : k\nM -> 0 : g", k=1.0, g=1.0)
    counts = acme.simulate_ssa(network, {}, [0, 8.0], size=300 * 400, rng=rng(3))["M"][:, 1].reshape(300, 400)
    fanos = counts.var(axis=1, ddof=1) / counts.mean(axis=1)
    one = acme.simulate_ssa(network, {}, [0, 8.0], size=20_000, rng=rng(4))
    seen = acme.compare_ensembles(one, one).at("M")
    assert seen["fano_stderr"] / np.sqrt(2) * np.sqrt(20_000 / 400) == pytest.approx(fanos.std(), rel=0.15)


def test_a_comparison_shows_the_error_of_averaging(scaled):
    network, size = telegraph(2.0), scaled(4_000, 300)
    comparison = acme.compare_with_exact(
        acme.simulate_slow_scale, network, {"On": 1}, 4.0, size=size, rng=rng(), fast=["On", "Off"], threads=1
    )
    seen = comparison.at("M")
    exact = 1 + 12 * 6 / (8 * 9)  # EQUATIONS: 1 + s k_off/((k_on+k_off)(k_on+k_off+g))
    assert abs(seen["fano_difference"] - (1 - exact)) < Z * seen["fano_stderr"]
    if size > 1000:
        assert seen["fano_difference"] < -Z * seen["fano_stderr"]
        assert seen["total_variation"] > 2 * seen["total_variation_by_chance"]
    assert len(comparison.seconds) == 2 and "times" in repr(comparison)
    with pytest.raises(acme.ParameterError, match="'X' is not a species of this comparison"):
        comparison.at("X")


def test_only_like_ensembles_compare():
    one = acme.simulate_ssa(birth_death(9.0), {}, 1.0, size=2, rng=rng())
    later = acme.simulate_ssa(birth_death(9.0), {}, 2.0, size=2, rng=rng())
    single = acme.simulate_ssa(birth_death(9.0), {}, 1.0, rng=rng())
    with pytest.raises(acme.ParameterError, match="at the same times"):
        acme.compare_ensembles(one, later)
    with pytest.raises(acme.ParameterError, match="two trajectories or more"):
        acme.compare_ensembles(one, single)

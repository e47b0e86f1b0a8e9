"""Laws of waiting times, against SciPy's gamma, closed sums of exponentials, matrix exponentials and samples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, linalg, stats

from acme_lib import laws
from acme_lib.errors import LargeProblemWarning, ParameterError
from acme_lib.laws import phases
from tests.statistics import FALSE_POSITIVE

CYCLE = {("ON", "R"): 8.0, ("R", "OFF"): 4.0, ("OFF", "ON"): 4.0}
LAWS = {
    "exponential": laws.exponential(3.0),
    "erlang": laws.erlang(6, 2.0),
    "hypoexponential": laws.hypoexponential([1.0, 2.0, 2.0, 9.0]),
    "choice of ways": laws.phase_type([0.3, 0.7], [[-5.0, 0.0], [0.0, -0.2]]),
    "may not wait": laws.phase_type([0.5, 0.1], [[-2.0, 1.0], [0.5, -1.0]]),
    "births of a telegraph": laws.birth_interval([[0, 1.0], [3.0, 0]], [0, 20.0]),
    "off time": laws.dwell_time(CYCLE, ["R", "OFF"]),
    "first passage": laws.first_passage_up(6.0, 1.0, 2, 9),
}


@pytest.fixture(params=LAWS, ids=LAWS)
def law(request):
    return LAWS[request.param]


def test_density_is_that_of_the_matrix_exponential(law):
    t = np.array([0.0, 1e-3, 0.1, 1.0, 2.5, 7.0])
    for time in t:
        phases = law.initial @ linalg.expm(law.subgenerator * time)
        assert law.sf(time) == pytest.approx(phases.sum(), rel=1e-11)
        assert law.pdf(time) == pytest.approx(phases @ law.exits, rel=1e-11, abs=1e-15)
    np.testing.assert_allclose(law.cdf(t) + law.sf(t), 1.0, rtol=1e-14)
    np.testing.assert_allclose(law.hazard(t), law.pdf(t) / law.sf(t), rtol=1e-14)
    np.testing.assert_allclose(law.pdf(t[::-1]), law.pdf(t)[::-1], rtol=1e-12)
    np.testing.assert_allclose(np.exp(law.logpdf(t[1:])), law.pdf(t[1:]), rtol=1e-12)


def test_moments_are_those_of_the_density(law):
    end = float(law.isf(1e-18)) if hasattr(law, "isf") else float(law.ppf(1 - 1e-15))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    edges = np.append(0.0, np.geomspace(1e-3 * law.mean(), 1.3 * end, 16))
    found = np.zeros(4)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        t = 0.5 * (high - low) * nodes + 0.5 * (high + low)
        found += 0.5 * (high - low) * (weights * law.pdf(t)) @ t[:, None] ** np.arange(4)
    assert found[0] == pytest.approx(law.initial.sum(), rel=1e-12)
    for order in (1, 2, 3):
        assert law.moment(order) == pytest.approx(found[order], rel=1e-9)
    mean, second, third = found[1:]
    assert law.mean() == pytest.approx(mean, rel=1e-10)
    assert law.var() == pytest.approx(second - mean**2, rel=1e-9)
    assert law.std() == pytest.approx(math.sqrt(second - mean**2), rel=1e-9)
    assert law.squared_cv() == pytest.approx(second / mean**2 - 1, rel=1e-9)
    assert law.skewness() == pytest.approx((third - 3 * mean * second + 2 * mean**3) / law.std() ** 3, rel=1e-7)


def test_quantiles(law):
    nothing = 1 - law.initial.sum()
    for q in (1e-9, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6):
        time = law.ppf(q)
        assert (time == 0 and q <= nothing) or law.cdf(time) == pytest.approx(q, rel=1e-12)
    np.testing.assert_array_equal(law.ppf([1.0, -0.1, 1.1, np.nan]), [np.inf, np.nan, np.nan, np.nan])
    assert law.ppf(0.0) == 0.0
    assert law.median() == law.ppf(0.5)
    assert law.ppf(np.full((2, 2), 0.5)).shape == (2, 2)
    assert law.support() == (0.0, np.inf)


def test_off_the_support(law):
    np.testing.assert_array_equal(law.pdf([-1.0, np.inf, -np.inf]), 0.0)
    np.testing.assert_array_equal(law.cdf([-1.0, np.inf]), [0.0, 1.0])
    np.testing.assert_array_equal(law.sf([-1.0, np.inf]), [1.0, 0.0])
    assert np.isnan(law.pdf(np.nan)) and np.isnan(law.cdf(np.nan))
    assert law.pdf([]).shape == (0,)
    assert np.ndim(law.pdf(1.0)) == 0


def test_samples_follow_the_law(law, scaled):
    """A Kolmogorov–Smirnov test of the times above 0, and a binomial test of how many are 0."""
    x = law.rvs(scaled(5000, 800), rng=np.random.default_rng(12))
    some = law.initial.sum()
    assert stats.binomtest(int(np.sum(x > 0)), len(x), min(some, 1.0)).pvalue > FALSE_POSITIVE
    test = stats.kstest(x[x > 0], lambda t: (law.cdf(t) - (1 - some)) / some)
    assert test.pvalue > FALSE_POSITIVE
    first, again = (law.rvs((2, 3), rng=np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.ndim(law.rvs(rng=np.random.default_rng(8))) == 0
    with pytest.raises(TypeError, match="rng"):
        law.rvs(3)


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_erlang_is_gamma(steps):
    law, exact = laws.erlang(steps, 2.5), stats.gamma(steps, scale=0.4)
    t = np.array([1e-4, 0.1, 1.0, 10.0, 40.0])
    for name in ("pdf", "cdf", "sf"):
        expected = getattr(exact, name)(t)
        here = expected > 1e-290
        np.testing.assert_allclose(getattr(law, name)(t)[here], expected[here], rtol=1e-11)
    assert (law.mean(), law.var()) == pytest.approx((steps / 2.5, steps / 6.25), rel=1e-12)
    assert law.skewness() == pytest.approx(2 / math.sqrt(steps), rel=1e-10)


def test_far_tails_keep_their_digits():
    assert laws.exponential(3.0).sf([100.0, 200.0]) == pytest.approx(np.exp([-300.0, -600.0]), rel=1e-12)
    assert laws.exponential(3.0).cdf(1e-12) == pytest.approx(3e-12, rel=1e-12)
    a, b = 1e5, 1.0  # a fast step and a slow one: many transitions, through squaring
    t = np.array([1e-6, 1.0, 30.0])
    exact = (a * np.exp(-b * t) - b * np.exp(-a * t)) / (a - b)
    np.testing.assert_allclose(laws.hypoexponential([a, b]).sf(t), exact, rtol=1e-9)
    two_ways = laws.phase_type([0.5, 0.5], [[-1e4, 9e3], [9e3, -1e4]])
    np.testing.assert_allclose(two_ways.sf([0.1, 0.5]), np.exp([-100.0, -500.0]), rtol=1e-9)


def test_hypoexponential_in_closed_form():
    rates = np.array([1.0, 2.5, 7.0])
    weights = [np.prod([r / (r - rate) for r in rates if r != rate]) for rate in rates]
    t = np.linspace(0.1, 5, 7)
    expected = sum(w * np.exp(-rate * t) for w, rate in zip(weights, rates, strict=True))
    np.testing.assert_allclose(laws.hypoexponential(rates).sf(t), expected, rtol=1e-11)


def test_births_of_a_telegraph_gene_in_closed_form():
    """Two exponentials; the mean is one over the rate of births, and ON is where each wait begins."""
    k_on, k_off, s = 0.7, 3.0, 20.0
    law = laws.birth_interval([[0, k_on], [k_off, 0]], [0, s])
    roots = np.roots([1.0, k_on + k_off + s, k_on * s])
    first, second = -roots
    # Laplace transform s (x + k_on)/((x + first)(x + second))
    weights = s * (k_on - first) / (second - first), s * (k_on - second) / (first - second)
    t = np.array([0.0, 0.01, 0.1, 1.0, 5.0])
    expected = weights[0] * np.exp(-first * t) + weights[1] * np.exp(-second * t)
    np.testing.assert_allclose(law.pdf(t), expected, rtol=1e-11)
    assert law.mean() == pytest.approx((k_on + k_off) / (s * k_on), rel=1e-13)
    assert law.squared_cv() == pytest.approx(1 + 2 * s * k_off / (k_on + k_off) ** 2, rel=1e-12)
    constant = laws.birth_interval([[0, 1.0], [2.0, 0]], [5.0, 5.0])
    np.testing.assert_allclose(constant.pdf(t), 5 * np.exp(-5 * t), rtol=1e-12)
    with pytest.raises(ParameterError, match="there are no births"):
        laws.birth_interval([[0, 1.0], [2.0, 0]], [0, 0])


def test_dwell_times():
    on = laws.dwell_time(CYCLE, ["ON"])
    assert (on.mean(), on.squared_cv()) == pytest.approx((1 / 8, 1.0), rel=1e-14)
    off = laws.dwell_time(CYCLE, ["OFF", "R"])
    np.testing.assert_allclose(off.pdf([0.0, 0.2]), [0.0, 16 * 0.2 * math.exp(-0.8)], rtol=1e-12, atol=1e-15)
    numbered = laws.dwell_time([[0, 1.0, 3.0], [2.0, 0, 0], [5.0, 0, 0]], [1, 2])
    np.testing.assert_allclose(numbered.initial, [0.25, 0.75], rtol=1e-14)
    # Stationary time inside over the flow into the set.
    pi = np.array([1.0, 0.5, 0.6])
    assert numbered.mean() == pytest.approx(pi[1:].sum() / 4.0, rel=1e-13)
    for inside in (["AWAY"], [], [True], [3]):
        with pytest.raises(ParameterError, match="inside must be some of the states"):
            laws.dwell_time(CYCLE, inside)
    with pytest.raises(ParameterError, match="never entered"):
        laws.dwell_time(CYCLE, ["ON", "R", "OFF"])


@pytest.mark.parametrize(("k", "g", "n0", "level"), [(6.0, 1.0, 0, 8), (2.0, 0.0, 1, 4), (3.0, 5.0, 2, 4)])
def test_first_passage_mean_in_closed_form(k, g, n0, level):
    steps = [
        sum(math.factorial(n) / math.factorial(j) * (g / k) ** (n - j) / k for j in range(n + 1)) for n in range(level)
    ]
    law = laws.first_passage_up(k, g, n0, level)
    assert law.mean() == pytest.approx(sum(steps[n0:]), rel=1e-13)
    if g == 0:
        np.testing.assert_allclose(law.sf([0.5, 2.0]), stats.gamma(level - n0, scale=1 / k).sf([0.5, 2.0]), rtol=1e-12)


def test_rare_first_passage():
    """Where the wait is 10^13 lifetimes long, moments keep their digits, and the law is exponential."""
    law = laws.first_passage_up(1.0, 1.0, 0, 16)
    exact = sum(sum(math.factorial(n) / math.factorial(j) for j in range(n + 1)) for n in range(16))
    assert law.mean() == pytest.approx(exact, rel=1e-13)
    assert law.squared_cv() == pytest.approx(1.0, abs=1e-9)
    assert law.sf(law.mean()) == pytest.approx(math.exp(-1), rel=1e-10)


def test_hazard_integrates_to_the_survival():
    law = LAWS["choice of ways"]
    area, _ = integrate.quad(law.hazard, 0, 3, epsabs=1e-12)
    assert math.exp(-area) == pytest.approx(law.sf(3.0), rel=1e-10)


@given(st.lists(st.floats(1e-2, 1e2), min_size=1, max_size=5))
def test_a_chain_of_steps_adds_means_and_variances(rates):
    law = laws.hypoexponential(rates)
    assert law.mean() == pytest.approx(sum(1 / r for r in rates), rel=1e-12)
    assert law.var() == pytest.approx(sum(1 / r**2 for r in rates), rel=1e-11)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: laws.phase_type([1, 0], [[-1.0]]), "subgenerator must be of shapes"),
        (lambda: laws.phase_type([1], [[np.nan]]), "subgenerator must be finite"),
        (lambda: laws.phase_type([1, 0], [[-1, 2], [0, -1]]), "row 0 of a subgenerator must be at most 0, got 1.0"),
        (lambda: laws.phase_type([1, 0], [[-1, 1], [1, -1]]), "never ends"),
        (lambda: laws.phase_type([0.7, 0.7], [[-1, 0], [0, -1]]), "probabilities with a sum"),
        (lambda: laws.phase_type([1, 0], [[-1, -1], [0, -1]]), "at least 0"),
        (lambda: laws.exponential(0.0), "rate must be a positive number, got 0.0"),
        (lambda: laws.erlang(0, 1.0), "steps must be a whole number from 1"),
        (lambda: laws.hypoexponential([]), "number of steps must be a whole number from 1 to 5000, got 0"),
        (lambda: laws.first_passage_up(1.0, 1.0, 3, 3), "n0 must be a whole number from 0 to 2, got 3"),
        (lambda: LAWS["erlang"].moment(-1), "order must be a whole number of at least 0, got -1"),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ParameterError, match=words):
        call()


# --- far out ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1e-300, 1e-12, 1e-6, 0.3])
def test_quantiles_keep_their_digits_in_both_tails(q):
    """A stiff telegraph's births, whose density near 0 is s = 1e-4 to 1e-12: ppf(q) = q/s (1 + 1/2 · …)."""
    births = laws.birth_interval([[0, 1], [1e4, 0]], [0, 1e-4])
    assert births.cdf(births.ppf(q)) == pytest.approx(q, rel=1e-12)
    erlang, gamma = laws.erlang(3, 2.0), stats.gamma(3, scale=0.5)
    assert erlang.ppf(q) == pytest.approx(gamma.ppf(q), rel=1e-12)
    assert erlang.isf(q) == pytest.approx(gamma.isf(q), rel=1e-12)
    assert LAWS["exponential"].isf(q) == pytest.approx(-math.log(q) / 3.0, rel=1e-13)


def test_a_stiff_quantile_by_hand():
    """With k_on = 1, k_off = 1e4 and s = 1e-4 the cdf near 0 is s t - s (k_off + s) t²/2 + …"""
    t = laws.birth_interval([[0, 1], [1e4, 0]], [0, 1e-4]).ppf(1e-12)
    assert t == pytest.approx(1.00005000333391672e-8, rel=1e-13)  # the root in 50 digits


def test_what_rounding_leaves_is_no_wait_of_length_zero():
    for numbers in ([0.1, 0.2, 0.7], [1 / 3, 1 / 3, 1 / 3], [0.7, 0.1, 0.2]):
        ring = {("A", "B"): numbers[0], ("A", "C"): numbers[1], ("A", "D"): numbers[2]}
        ring |= {(state, "A"): 1.0 for state in "BCD"}
        away = laws.dwell_time(ring, ["B", "C", "D"])
        assert away.cdf(0.0) == 0.0 < away.ppf(1e-17)
    assert LAWS["may not wait"].cdf(0.0) == pytest.approx(0.4, rel=1e-14)


@pytest.mark.jit
def test_thousands_of_steps_in_a_row():
    law, gamma = laws.erlang(3000, 2.0), stats.gamma(3000, scale=0.5)
    assert (law.mean(), law.var()) == pytest.approx((1500.0, 750.0), rel=1e-9)
    assert law.pdf([1000.0, 1500.0]) == pytest.approx(gamma.pdf([1000.0, 1500.0]), rel=1e-10)
    assert law.cdf(1300.0) == pytest.approx(gamma.cdf(1300.0), rel=1e-10)
    with pytest.raises(ParameterError, match="steps must be a whole number from 1 to 5000"):
        laws.erlang(30_000, 2.0)


@pytest.mark.jit  # as plain Python, NumPy warns of a division that compiled code returns as infinity
def test_a_passage_that_no_number_holds():
    """The mean wait for n molecules of birth and death is some n!: it can be said up to 170, not beyond."""
    near = laws.first_passage_up(1.0, 1.0, 0, 150)
    exact = sum(math.factorial(n) // math.factorial(j) for n in range(150) for j in range(n + 1))
    assert near.mean() == pytest.approx(exact, rel=1e-12)
    assert near.squared_cv() == pytest.approx(1.0, rel=1e-10)
    for level in (200, 3000):
        far = laws.first_passage_up(1.0, 1.0, 0, level)
        for ask in (far.mean, far.var, far.median, lambda far=far: far.rvs(rng=np.random.default_rng(1))):
            with pytest.raises(ParameterError, match=r"above 1\.8e308"):
                ask()
    with pytest.raises(ParameterError, match="the variance of this wait"):
        laws.first_passage_up(1.0, 1.0, 0, 160).var()


def test_cost_is_said_before_it_begins(monkeypatch):
    monkeypatch.setattr(phases, "_advance", lambda *_: pytest.fail("it began"))
    with pytest.raises(LargeProblemWarning, match=r"take about 3\d\d s; it can be interrupted"):
        laws.first_passage_up(1.0, 1.0, 0, 3000).sf(1e6)


def test_a_law_of_waits_is_a_parameter_s_law():
    """Poisson counts over an exponential time are geometric."""
    mixed = laws.mix(laws.poisson, laws.exponential(1.0))
    assert laws.measure_distance(mixed, laws.negative_binomial(1, 1)) < 1e-12


def test_drawing_goes_on_where_a_part_ended():
    law = laws.erlang(3, 2.0)
    whole = law.rvs(50, rng=np.random.default_rng(4))
    totals = law.rates.sum(axis=1) + law.exits
    jumps, out = np.cumsum(law.rates, axis=1) / totals[:, None], np.empty(50)
    place, rng = np.array([0.0, -1.0, 0.0]), np.random.default_rng(4)
    while place[0] < 50:
        phases._draw_phase_type(np.ones(3), jumps, totals, rng, out, place, 4)
    np.testing.assert_array_equal(out, whole)

"""Laws of counts: closed forms in many digits, dense master equations written out here, and the protocol they share."""

import math
import time

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, stats

import acme_lib as acme
from acme_lib import laws, models
from acme_lib.errors import LargeProblemWarning, ParameterError
from acme_lib.laws import compound, count_law, promoters, quadrature
from tests.statistics import FALSE_POSITIVE, p_value_of_law

LAWS = {
    "poisson": laws.poisson(7.5),
    "birth_death": laws.birth_death(30.0, 2.0),
    "birth_death_transient": laws.birth_death_transient(8.0, 1.0, 12, 0.4),
    "negative_binomial": laws.negative_binomial(1.5, 6.0),
    "small r": laws.negative_binomial(0.05, 30.0),
    "telegraph": laws.telegraph(0.4, 0.7, 30.0),
    "bursts of two or five": laws.bursty_birth_death(4.0, [0, 0, 0.5, 0, 0, 0.5], 2.0),
    "bursts in time": laws.bursty_birth_death_transient(2.0, 5.0, 1.0, 10, 0.5),
    "two_stage": laws.two_stage(3.0, 4.0, 1.0, 0.5),
    "promoter": laws.promoter([[0, 1.0, 0.3], [0.5, 0, 2.0], [1.0, 0.2, 0]], [0.0, 10.0, 25.0], 1.5),
    "promoter in time": laws.telegraph_transient(1.0, 3.0, 20.0, 1.0, 0.7, n0=4),
    "mixture": laws.mix(lambda z: laws.telegraph(1.0, 2.0, 20.0 * z), stats.gamma(4, scale=0.25)),
    "two kinds of cells": laws.mix(laws.poisson, ([2.0, 30.0], [0.3, 0.7])),
    "tabulated": laws.tabulated([0.1, 0.0, 0.6, 0.3]),
}
ATOM = laws.poisson(0.0)


# --- the protocol -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=LAWS, ids=LAWS)
def law(request):
    return LAWS[request.param]


def test_moments_are_those_of_the_probabilities(law):
    p = law.table()
    n = np.arange(len(p))
    np.testing.assert_allclose(law.pmf(n), p, rtol=1e-11, atol=1e-16)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    mean = p @ n
    variance, third = p @ (n - mean) ** 2, p @ (n - mean) ** 3
    assert law.mean() == pytest.approx(mean, rel=1e-11)
    assert law.var() == pytest.approx(variance, rel=1e-11)
    assert law.std() == pytest.approx(math.sqrt(variance), rel=1e-11)
    assert law.skewness() == pytest.approx(third / variance**1.5, rel=1e-9, abs=1e-11)
    assert law.fano_factor() == pytest.approx(variance / mean, rel=1e-11)
    base = count_law.Tabulated(p / p.sum())
    assert (base.mean(), base.var()) == pytest.approx((mean, variance), rel=1e-11)
    assert base.skewness() == pytest.approx(law.skewness(), rel=1e-9, abs=1e-11)


def test_sums_and_quantiles(law):
    p = law.table()
    n = np.arange(len(p))
    np.testing.assert_allclose(law.cdf(n), np.cumsum(p), atol=1e-12)
    np.testing.assert_allclose(law.sf(n), 1.0 - np.cumsum(p), atol=1e-12)
    np.testing.assert_allclose(law.cdf(n + 0.7), law.cdf(n), rtol=0)
    for q in (1e-6, 0.1, 0.5, 0.9, 1 - 1e-9):
        quantile = law.ppf(q)
        assert law.cdf(quantile) >= q > law.cdf(quantile - 1)
        high = law.isf(q)
        assert law.sf(high) <= q < law.sf(high - 1)
    np.testing.assert_array_equal(law.ppf([0.0, 1.0, -0.1, 1.1, np.nan]), [-1, np.inf, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(law.isf([0.0, 1.0, 2.0]), [np.inf, -1, np.nan])
    assert law.median() == law.ppf(0.5)
    assert law.interval(0.8) == (law.ppf(0.1), law.ppf(0.9))
    low, high = law.support()
    assert 0 <= low <= law.median() <= high


def test_off_the_support(law):
    np.testing.assert_array_equal(law.pmf([-1, 0.5, np.inf, -np.inf]), 0.0)
    np.testing.assert_array_equal(law.logpmf([-1, 0.5]), -np.inf)
    assert np.isnan(law.pmf(np.nan)) and np.isnan(law.cdf(np.nan)) and np.isnan(law.sf(np.nan))
    np.testing.assert_allclose(law.cdf([-0.5, -np.inf, np.inf, 1e9]), [0, 0, 1, 1], atol=1e-14)
    np.testing.assert_allclose(law.sf([-0.5, -np.inf, np.inf, 1e9]), [1, 1, 0, 0], atol=1e-14)
    assert law.pmf(np.zeros((2, 3))).shape == (2, 3)
    assert np.ndim(law.pmf(3)) == np.ndim(law.ppf(0.3)) == 0
    assert law.pmf([]).shape == (0,)
    far = len(law.table()) + 30
    assert 0 <= law.pmf(far) < 1e-15
    assert len(law.log_table(far)) > far


def test_samples_follow_the_law(law):
    """A G-test of 40,000 samples."""
    x = law.rvs(40_000, rng=np.random.default_rng(31))
    assert np.all(x >= 0) and np.all(x == np.floor(x))
    assert p_value_of_law(x, law) > FALSE_POSITIVE


def test_samples_follow_their_generator(law):
    first, again = (law.rvs((2, 3), rng=np.random.default_rng(8)) for _ in range(2))
    assert first.shape == (2, 3)
    np.testing.assert_array_equal(first, again)
    assert np.ndim(law.rvs(rng=np.random.default_rng(8))) == 0
    with pytest.raises(TypeError, match="rng"):
        law.rvs(3)


def test_nothing_at_all():
    for empty in (ATOM, laws.negative_binomial(0, 3), laws.negative_binomial(3, 0), laws.two_stage(0, 1, 1, 1)):
        assert (empty.pmf(0), empty.pmf(1), empty.cdf(0), empty.sf(0), empty.mean()) == (1, 0, 1, 0, 0)
        assert math.isnan(empty.fano_factor()) and math.isnan(empty.skewness())
        assert np.all(empty.rvs(5, rng=np.random.default_rng(1)) == 0)
    assert laws.promoter([[0, 1], [1, 0]], [0, 0]).pmf([0, 1]).tolist() == [1, 0]
    assert laws.bursty_birth_death_transient(2.0, 0.0, 1.0, 3, 0.5).mean() == pytest.approx(3 * math.exp(-0.5))


def test_law_without_a_table():
    with pytest.raises(NotImplementedError):
        count_law.CountLaw().table()
    with pytest.raises(NotImplementedError):
        compound.CompoundLaw().mean()
    with pytest.raises(NotImplementedError):
        compound.CompoundLaw().rises(3)


def test_tables_that_do_not_fit():
    with pytest.raises(ParameterError, match="n must be at most 50,000,000"):
        laws.telegraph(1, 1, 5).pmf(1e12)
    with pytest.raises(ParameterError, match="do not fit"):
        laws.poisson(1e9).table()
    with pytest.raises(ParameterError, match="do not fit"):
        laws.promoter([[0, 1], [1, 0]], [0, 1e8]).table()


@pytest.mark.parametrize("bad", [[], [0.5, 0.6], [1.2, -0.2], [[1.0]], [np.nan, 1.0]])
def test_probabilities_are_checked(bad):
    with pytest.raises(ParameterError, match="probabilities"):
        laws.tabulated(bad)


# --- Poisson and negative binomial ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mu", [1e-3, 0.7, 16.0, 170.0, 1e4, 1e6])
def test_poisson_in_many_digits(mu):
    n = np.unique(np.maximum(0, np.round(mu + math.sqrt(mu) * np.array([-6, -3, -1, -0.1, 0, 1, 3, 8]))))
    with mpmath.workdps(40):
        exact = [float(int(k) * mpmath.log(mu) - mpmath.loggamma(int(k) + 1) - mpmath.mpf(mu)) for k in n]
    law = laws.poisson(mu)
    np.testing.assert_allclose(law.logpmf(n), exact, rtol=0, atol=1e-13)
    np.testing.assert_allclose(law.cdf(n), stats.poisson(mu).cdf(n), rtol=1e-13)
    np.testing.assert_array_equal(law.ppf([0.01, 0.5, 0.99]), stats.poisson(mu).ppf([0.01, 0.5, 0.99]))


@pytest.mark.parametrize("r", [1e-3, 0.5, 3.0, 40.0, 1e4])
@pytest.mark.parametrize("b", [1e-9, 0.1, 5.0, 100.0])
def test_negative_binomial_in_many_digits(r, b):
    law = laws.negative_binomial(r, b)
    n = np.unique(np.maximum(0, np.round(law.mean() + law.std() * np.array([-3, -1, 0, 1, 3, 8]))))
    with mpmath.workdps(40):
        exact = [
            mpmath.loggamma(int(k) + mpmath.mpf(r)) - mpmath.loggamma(int(k) + 1) - mpmath.loggamma(r)
            + int(k) * mpmath.log(mpmath.mpf(b) / (1 + mpmath.mpf(b))) - r * mpmath.log(1 + mpmath.mpf(b))
            for k in n
        ]  # fmt: skip
    np.testing.assert_allclose(law.logpmf(n), np.array(exact, dtype=float), rtol=0, atol=1e-12)
    np.testing.assert_allclose(law.cdf(n), np.cumsum(law.table())[n.astype(int)], rtol=1e-12)
    assert law.skewness() == pytest.approx((1 + 2 * b) / math.sqrt(r * b * (1 + b)), rel=1e-13)


# --- bursts -----------------------------------------------------------------------------------------------------------


def bursty_master_equation(k, p, g, top):
    """The generator on 0 … top, bursts beyond the top left out."""
    a = np.diag(g * np.arange(1.0, top + 1), 1)
    for size in range(1, min(len(p), top + 1)):
        a += np.diag(np.full(top + 1 - size, k * p[size]), -size)
    return a - np.diag(a.sum(axis=0))


@pytest.mark.parametrize(("k", "b"), [(2, 5), (0.1, 30), (50, 0.5)])
def test_geometric_bursts_by_their_table_are_negative_binomial(k, b):
    """The sum over clusters, from a table of burst sizes, against the closed form."""
    plain, table = laws.bursty_birth_death(k, b), laws.bursty_birth_death(k, laws.negative_binomial(1, b))
    assert plain == laws.negative_binomial(k, b)
    n = np.arange(250)
    here = plain.pmf(n) > 1e-30
    np.testing.assert_allclose(table.logpmf(n)[here], plain.logpmf(n)[here], rtol=0, atol=1e-11)
    burst = compound.Burst(float(b))
    q = burst.table()
    np.testing.assert_allclose([burst.mean(), burst.var()], laws.tabulated(q).mean() * np.array([1, 1 + b]), rtol=1e-12)
    assert burst.skewness() == pytest.approx(laws.tabulated(q).skewness(), rel=1e-11)
    # the geometric law in time at a late time, through the same sum without a table
    late = laws.bursty_birth_death_transient(k, b, 1.0, 0, 60.0)
    np.testing.assert_allclose(late.pmf(n), plain.pmf(n), rtol=1e-11, atol=1e-30)


@pytest.mark.parametrize("p", [[0, 0, 1], [0.2, 0.1, 0, 0.7], [0, 1]])
@pytest.mark.parametrize(("n0", "t"), [(0, 0.3), (7, 0.9), (3, 0.0)])
def test_bursts_of_any_size_solve_the_master_equation(p, n0, t):
    k, g, top = 3.0, 1.5, 60
    a = bursty_master_equation(k, p, g, top)
    expected = linalg.expm(a * t)[:, n0]
    law = laws.bursty_birth_death_transient(k, p, g, n0, t)
    np.testing.assert_allclose(law.pmf(np.arange(top + 1)), expected, atol=1e-13)
    stationary = linalg.expm(a * 60)[:, 0]
    np.testing.assert_allclose(laws.bursty_birth_death(k, p, g).pmf(np.arange(top + 1)), stationary, atol=1e-13)


def test_geometric_bursts_in_time():
    k, b, g, n0, t, top = 2.0, 4.0, 1.0, 6, 0.6, 220
    p = b ** np.arange(top + 1.0) / (1 + b) ** np.arange(1.0, top + 2)
    expected = linalg.expm(bursty_master_equation(k, p, g, top) * t)[:, n0]
    law = laws.bursty_birth_death_transient(k, b, g, n0, t)
    np.testing.assert_allclose(law.pmf(np.arange(top + 1)), expected, atol=1e-13)


def test_bursts_of_one_are_birth_and_death():
    law, plain = laws.bursty_birth_death(9.0, [0, 1], 2.0), laws.poisson(4.5)
    n = np.arange(60)
    np.testing.assert_allclose(law.logpmf(n), plain.logpmf(n), rtol=0, atol=1e-12)
    assert law.skewness() == pytest.approx(plain.skewness(), rel=1e-14)


@pytest.mark.parametrize("burst", [-1.0, np.nan, [0.5, 0.4], [[1.0]], "5"])
def test_bursts_are_checked(burst):
    with pytest.raises(ParameterError):
        laws.bursty_birth_death(1.0, burst)


# --- two stages -------------------------------------------------------------------------------------------------------

TWO_STAGES = [(10, 3, 1, 0.1), (1, 2, 0.1, 1), (0.5, 50, 1, 1), (20, 100, 10, 0.1), (0.01, 100, 10, 1)]


def two_stage_generating_function(rates, n_points):
    """Log of the generating function at points of the unit circle: ⟨p⟩ u 2F2(1, 1; 2, a+1; κu), in 30 digits."""
    k_m, k_p, g_m, g_p = (mpmath.mpf(rate) for rate in rates)
    with mpmath.workdps(30):
        for j in range(n_points):
            u = mpmath.expjpi(mpmath.mpf(2 * j) / n_points) - 1
            yield k_m * k_p / (g_m * g_p) * u * mpmath.hyp2f2(1, 1, 2, g_m / g_p + 1, k_p / g_p * u)


@pytest.mark.parametrize(
    ("rates", "n_points"),
    [((4, 3, 1, 0.5), 256), ((1, 2, 0.1, 1), 256), pytest.param((10, 3, 1, 0.1), 1024, marks=pytest.mark.slow)],
)
def test_protein_law_is_the_fourier_transform_of_its_generating_function(rates, n_points):
    """Hypergeometric values on the circle in 30 digits; the sum over the circle sees nothing beyond n_points."""
    law = laws.two_stage(*rates)
    assert law.sf(n_points - 1) < 1e-13
    values = np.array([complex(mpmath.exp(value)) for value in two_stage_generating_function(rates, n_points)])
    expected = np.fft.fft(values).real / n_points
    np.testing.assert_allclose(law.pmf(np.arange(n_points)), expected, atol=1e-13)


@pytest.mark.parametrize("rates", TWO_STAGES)
def test_protein_moments(rates):
    k_m, k_p, g_m, g_p = rates
    law, moments = laws.two_stage(*rates), laws.two_stage_moments(*rates)
    assert law.mean() == pytest.approx(moments.mean_p, rel=1e-14)
    assert law.var() == pytest.approx(moments.var_p, rel=1e-14)
    p = law.table()
    n = np.arange(len(p))
    np.testing.assert_allclose(
        [p.sum(), p @ n, p @ (n - law.mean()) ** 2, p @ (n - law.mean()) ** 3],
        [1, law.mean(), law.var(), law.third_cumulant()], rtol=1e-10,
    )  # fmt: skip


@pytest.mark.jit
def test_protein_law_solves_the_master_equation():
    rates = (2.0, 1.5, 1.0, 0.7)
    network = models.two_stage(*rates)
    largest = {"M": 22, "P": 70}
    solved = acme.solve_stationary(
        acme.build_generator(network, acme.StateSpace.box(network, **largest), boundary="reflecting")
    )
    law = laws.two_stage(*rates)
    np.testing.assert_allclose(solved.marginal("P"), law.pmf(np.arange(largest["P"] + 1)), atol=1e-12)


def test_protein_zero_in_closed_form():
    """No protein at all, by adaptive quadrature of ∫ 1F1(1; a+1; -κw) dw in 40 digits."""
    k_m, k_p, g_m, g_p = 3.0, 20.0, 2.0, 0.5
    with mpmath.workdps(40):
        area = mpmath.quad(lambda w: mpmath.hyp1f1(1, g_m / g_p + 1, -k_p / g_p * w), [0, 0.1, 1])
        expected = float(-k_m * k_p / (g_m * g_p) * area)
    assert laws.two_stage(k_m, k_p, g_m, g_p).logpmf(0) == pytest.approx(expected, rel=1e-12)


def test_negative_binomial_limit_of_the_protein():
    """The distance falls as g_p/g_m at fixed burst size and frequency."""
    ratios = np.array([10.0, 100.0, 1000.0])
    distances = [law_and_limit(laws.two_stage(5.0, 4.0 * ratio, ratio, 1.0)) for ratio in ratios]
    slope = np.polyfit(np.log(ratios), np.log(distances), 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)
    assert distances[-1] < 1e-3


def law_and_limit(law):
    (limit,) = laws.find_limits(law)
    assert limit.law == laws.negative_binomial(5.0, 4.0)
    return limit.distance


@pytest.mark.parametrize("rates", [(10, 12, 2, 1), (3, 4, 1, 1), (3, 4, 0.1, 5)])
def test_two_stage_correlations(rates):
    """Against the exponential of the matrix of the linear rates (regression theorem)."""
    k_m, k_p, g_m, g_p = rates
    moments = laws.two_stage_moments(*rates)
    covariance = np.array([[moments.var_m, moments.cov], [moments.cov, moments.var_p]])
    lags = np.array([0.0, 0.1, 1.0, 4.0])
    c = laws.two_stage_correlations(*rates, lags)
    for i, lag in enumerate(lags):
        later = linalg.expm(np.array([[-g_m, 0.0], [k_p, -g_p]]) * lag) @ covariance  # [later, now]
        np.testing.assert_allclose([[c.mm[i], c.pm[i]], [c.mp[i], c.pp[i]]], later, rtol=1e-12)


# --- promoters of many states -----------------------------------------------------------------------------------------


def promoter_master_equation(rates, s, g, top):
    """Generator over (count, state), states fastest, births at the top left out."""
    size = len(s)
    generator = rates - np.diag(np.diag(rates))
    generator = (generator - np.diag(generator.sum(axis=1))).T
    a = np.kron(np.eye(top + 1), generator)
    a += np.kron(np.diag(np.arange(1.0, top + 1) * g, 1), np.eye(size))
    a -= np.kron(np.diag(np.arange(top + 1.0) * g), np.eye(size))
    a += np.kron(np.diag(np.ones(top), -1), np.diag(s))
    return a - np.kron(np.diag(np.append(np.ones(top), 0.0)), np.diag(s))


RATES = np.array([[0, 1.0, 0.3, 0], [0.5, 0, 2.0, 0.1], [1.0, 0.2, 0, 4.0], [0, 0, 0.7, 0]])
SYNTHESIS = np.array([0.0, 6.0, 15.0, 1.0])


def test_promoter_solves_the_master_equation():
    top = 60
    a = promoter_master_equation(RATES, SYNTHESIS, 1.3, top)
    a[-1] = 1.0
    p = np.linalg.solve(a, np.eye(len(a))[-1]).reshape(top + 1, 4)
    law = laws.promoter(RATES, SYNTHESIS, 1.3)
    np.testing.assert_allclose(law.pmf(np.arange(top + 1)), p.sum(axis=1), atol=1e-13)
    np.testing.assert_allclose(np.exp(law.log_table_by_state())[:40], p[:40], atol=1e-13)
    np.testing.assert_allclose(law.occupancy, p.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    ("k_on", "k_off", "s"),
    [(1, 3, 20), (1e-3, 1e-3, 50), (1e3, 1e3, 300), (20, 20, 500), (0.01, 1e3, 1e4), (1e-3, 10, 1e3), (1e3, 1e-3, 50)],
)
def test_promoter_of_two_states_is_the_telegraph(k_on, k_off, s):
    two, law = laws.promoter([[0, k_on], [k_off, 0]], [0, s]), laws.telegraph(k_on, k_off, s)
    n = np.arange(len(two.table()))  # to its very end
    here = law.pmf(n) > 1e-30
    np.testing.assert_allclose(two.logpmf(n)[here], law.logpmf(n)[here], rtol=0, atol=1e-11)
    assert two.mean() == pytest.approx(law.mean(), rel=1e-13)
    assert two.var() == pytest.approx(law.var(), rel=1e-12)
    assert two.skewness() == pytest.approx(law.skewness(), rel=1e-10)


def test_refractory_promoter_is_quieter():
    law = laws.refractory(k_off=8, k_r=4, k_on=4, s=40)
    assert law.fano_factor() == pytest.approx(3.309278, abs=5e-7)
    assert laws.promoter([[0, 2], [8, 0]], [0, 40]).fano_factor() == pytest.approx(3.909091, abs=5e-7)
    # By the Laplace transform: 1 + (s/p_on) C(g), C = p_on [(gI - Q)^-1]_on,on - p_on²/g.
    q = law.switching - np.diag(law.switching.sum(axis=1))
    on, p_on = law.states.index("ON"), 0.2
    transform = p_on * np.linalg.inv(np.eye(3) - q)[on, on] - p_on**2
    assert law.fano_factor() == pytest.approx(1 + 40 / p_on * transform, rel=1e-13)


@pytest.mark.jit
def test_models_and_laws_read_the_same_promoter():
    """The master equation of the network against the law, from one description."""
    rates, s = {("ON", "R"): 6.0, ("R", "OFF"): 2.0, ("OFF", "ON"): 3.0, ("R", "ON"): 0.5}, {"ON": 20.0, "OFF": 1.0}
    network, top = models.promoter(rates, s, g=1.0), 50
    space = acme.StateSpace.box(network, ON=1, R=1, OFF=1, M=top)
    a = acme.build_generator(network, space, boundary="reflecting")
    solved = acme.solve_stationary(a, x0={"ON": 1}).marginal("M")
    np.testing.assert_allclose(laws.promoter(rates, s).pmf(np.arange(top + 1)), solved, atol=1e-12)


def test_promoter_moments_against_simulation(scaled):
    """z-tests of mean and variance of independent cells at their stationary time."""
    size, network = scaled(10_000, 300), models.refractory()
    cells = acme.simulate_ssa(network, {"OFF": 1}, [0, 12], size=size, rng=np.random.default_rng(4))["M"][:, 1]
    law, z = laws.refractory(8, 4, 4, 40), stats.norm.isf(FALSE_POSITIVE / 2)
    assert abs(cells.mean() - law.mean()) < z * law.std() / math.sqrt(size)
    p, n = law.table(), np.arange(len(law.table()))
    spread = math.sqrt((p @ (n - law.mean()) ** 4 - law.var() ** 2) / size)
    assert abs(np.mean((cells - law.mean()) ** 2) - law.var()) < z * spread


def test_promoter_autocovariance():
    """Against the joint law of count and state carried by the master equation."""
    top, s = 40, SYNTHESIS / 3
    law = laws.promoter(RATES, s)
    a = promoter_master_equation(RATES, s, 1.0, top)
    p = np.exp(law.log_table_by_state(top))[: top + 1].ravel()
    n = np.repeat(np.arange(top + 1.0), 4)
    lags = [0.0, 0.4, 2.0]
    expected = [n @ linalg.expm(a * lag) @ ((n - law.mean()) * p) for lag in lags]
    np.testing.assert_allclose(law.autocovariance(lags), expected, rtol=1e-9)
    assert law.autocovariance(0.0) == pytest.approx(law.var())
    with pytest.raises(ParameterError, match="lag must be finite"):
        law.autocovariance(-1.0)


def test_states_that_are_left_for_good():
    law = laws.promoter([[0, 1, 0], [0, 0, 1], [0, 2, 0]], [50, 1, 3])
    np.testing.assert_allclose(law.occupancy, [0, 2 / 3, 1 / 3], rtol=1e-15)
    n = np.arange(30)
    np.testing.assert_allclose(law.logpmf(n), laws.promoter([[0, 1], [2, 0]], [1, 3]).logpmf(n), atol=1e-12)
    with pytest.raises(ParameterError, match="2 sets of states"):
        laws.promoter([[0, 1, 1], [0, 0, 0], [0, 0, 0]], [1, 2, 3])


@pytest.mark.parametrize("seed", range(4))
def test_elimination_without_subtraction(seed):
    """Solutions of matrices whose columns nearly cancel keep all digits: against 60-digit elimination."""
    rng = np.random.default_rng(seed)
    flows = 10.0 ** rng.uniform(-8, 8, (4, 4))
    sums, right = 10.0 ** rng.uniform(-12, -6, 4), rng.random((4, 2))
    with mpmath.workdps(60):
        a = mpmath.matrix(4, 4)
        for i in range(4):
            for j in range(4):
                a[i, j] = -mpmath.mpf(flows[i, j]) if i != j else 0
        for j in range(4):
            a[j, j] = mpmath.mpf(sums[j]) - sum(a[i, j] for i in range(4))
        exact = np.array([[float(x) for x in mpmath.lu_solve(a, mpmath.matrix(right[:, c]))] for c in range(2)]).T
    np.testing.assert_allclose(promoters.solve_dominant(flows, sums, right), exact, rtol=1e-13)


@pytest.mark.parametrize(
    ("rates", "s", "words"),
    [
        ([[0, 1]], [1], "square matrix"),
        ([[0, -1], [1, 0]], [0, 1], "at least 0"),
        ([[0, 1], [1, 0]], [0, 1, 2], "each of the 2 states"),
        ([[0, 1], [1, 0]], [0, -1], "s must be finite and at least 0"),
        ({("A", "B"): 1.0, ("B", "A"): 1.0}, {"C": 2.0}, "a state in s must be one of A, B, got 'C'"),
    ],
)
def test_promoters_are_checked(rates, s, words):
    with pytest.raises(ParameterError, match=words):
        laws.promoter(rates, s)


# --- promoters in time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("t", "n0", "state"), [(0.0, 3, 1), (0.3, 0, 0), (1.5, 8, 2)])
def test_promoter_in_time_solves_the_master_equation(t, n0, state):
    top, g = 50, 1.3
    a = promoter_master_equation(RATES, SYNTHESIS, g, top)
    p = linalg.expm(a * t)[:, 4 * n0 + state].reshape(top + 1, 4).sum(axis=1)
    law = laws.promoter_transient(RATES, SYNTHESIS, g, t, start=np.eye(4)[state], n0=n0)
    np.testing.assert_allclose(law.pmf(np.arange(top + 1)), p, atol=1e-12)


@pytest.mark.parametrize("rates", [(1, 3, 20), (0.1, 0.2, 40), (50, 30, 20)])
def test_telegraph_in_time_ends_in_its_stationary_law(rates, scaled):
    rates = rates if rates[0] < 50 else (scaled(50, 2), scaled(30, 2), 20)
    end = laws.telegraph_transient(*rates, 1.0, 40.0 / min(1.0, rates[0]), start="ON", n0=2)
    assert laws.measure_distance(end, laws.telegraph(*rates)) < 1e-12


@pytest.mark.parametrize("start", ["AWAY", [0.5, 0.6], [1.0], [-1.0, 2.0]])
def test_starts_are_checked(start):
    with pytest.raises(ParameterError, match="start"):
        laws.telegraph_transient(1, 1, 1, 1, 1, start=start)


# --- mixtures and limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("r", "b"), [(2, 5), (0.2, 20), (50, 3)])
def test_poisson_over_gamma_is_negative_binomial(r, b):
    law, exact = laws.mix(laws.poisson, stats.gamma(r, scale=b)), laws.negative_binomial(r, b)
    assert laws.measure_distance(law, exact) < 1e-13
    assert law.quadrature_error < 1e-12
    assert law.skewness() == pytest.approx(exact.skewness(), rel=1e-11)
    assert law.extrinsic_variance() == pytest.approx(r * b**2, rel=1e-11)
    assert law.intrinsic_variance() == pytest.approx(r * b, rel=1e-11)


def test_poisson_over_beta_is_the_telegraph(scaled):
    for k_on, k_off, s in [(1, 3, 20), (0.3, 0.2, 50), (20, 20, 100)][: scaled(3, 1)]:
        law = laws.mix(lambda x, s=s: laws.poisson(s * x), stats.beta(k_on, k_off))
        assert laws.measure_distance(law, laws.telegraph(k_on, k_off, s)) < 1e-12


def test_mixture_over_a_law_of_counts():
    """A Poisson number of gene copies, each of which adds a Poisson number: a Neyman law, from its own series."""
    copies = laws.poisson(2.0)
    by_law = laws.mix(lambda k: laws.poisson(3.0 * k), copies)
    by_scipy = laws.mix(lambda k: laws.poisson(3.0 * k), stats.poisson(2.0))
    n = np.arange(40)
    k = np.arange(80)[:, None]
    expected = stats.poisson.pmf(k, 2.0).T @ stats.poisson.pmf(n, 3.0 * k)
    np.testing.assert_allclose(by_law.pmf(n), expected[0], atol=1e-15)
    np.testing.assert_allclose(by_scipy.pmf(n), expected[0], atol=1e-15)
    assert by_law.fano_factor() == pytest.approx(4.0, rel=1e-12)


def test_mixtures_that_do_not_settle():
    with pytest.raises(ParameterError, match="still changes"):
        laws.mix(laws.poisson, stats.uniform(1, 2), tolerance=1e-40)
    with pytest.raises(ParameterError, match="still changes"):
        laws.dual_reporter_moments(laws.poisson, stats.pareto(1.5))  # without a variance


def test_what_mixes_is_checked():
    with pytest.raises(ParameterError, match="what law_of returns must be a law of counts"):
        laws.mix(lambda x: x, [1.0])
    for parameter in (([1.0], [1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0], [-1.0]), [[1.0]], [np.nan], []):
        with pytest.raises(ParameterError):
            laws.mix(laws.poisson, parameter)
    with pytest.raises(ParameterError, match="must be a law of counts of acme_lib.laws"):
        laws.measure_distance(laws.poisson(1), stats.poisson(1))


@pytest.mark.parametrize("parameter", [stats.norm(3, 2), stats.lognorm(0.8), stats.gamma(0.05), stats.beta(0.1, 0.3)])
def test_quadrature_of_moments(parameter):
    points, weights = (np.concatenate(part) for part in list(zip(*quadrature.refine(parameter), strict=True))[:2])
    for order in (1, 2, 3):
        assert weights @ points**order / weights.sum() == pytest.approx(parameter.moment(order), rel=1e-11)


def test_limits_of_the_telegraph():
    found = {limit.name: limit for limit in laws.find_limits(laws.telegraph(2.0, 1e4, 5e4))}
    assert found["burst"].law == laws.negative_binomial(2.0, 5.0)
    assert found["burst"].distance < 1e-3
    slow = laws.find_limits(laws.telegraph(1e-4, 3e-4, 40.0))[0]
    assert (slow.name, slow.law.mean()) == ("slow switching", pytest.approx(10.0))
    assert slow.distance < 2e-3
    fast = laws.find_limits(laws.telegraph(1e4, 1e4, 20.0))[0]
    assert (fast.name, fast.law) == ("fast switching", laws.poisson(10.0))
    assert fast.distance < 1e-3
    n = np.arange(len(fast.law.table()))
    direct = 0.5 * np.abs(stats.poisson(10).pmf(n) - laws.telegraph(1e4, 1e4, 20.0).pmf(n)).sum()
    assert fast.distance == pytest.approx(direct, rel=1e-9)
    assert [limit.distance for limit in laws.find_limits(laws.telegraph(1, 0, 5))] == pytest.approx([0, 0], abs=1e-13)


def test_distance_to_the_burst_limit_falls_as_one_over_k_off():
    speeds = np.array([1e2, 1e3, 1e4])
    distances = [laws.find_limits(laws.telegraph(2.0, k, 5 * k))[0].distance for k in speeds]
    assert np.polyfit(np.log(speeds), np.log(distances), 1)[0] == pytest.approx(-1, abs=0.05)


def test_limits_of_a_promoter():
    telegraph = laws.find_limits(laws.telegraph(2.0, 300.0, 900.0))
    two = laws.find_limits(laws.promoter([[0, 2.0], [300.0, 0]], [0, 900.0]))
    assert [limit.name for limit in two] == [limit.name for limit in telegraph]
    np.testing.assert_allclose([x.distance for x in two], [x.distance for x in telegraph], rtol=1e-8)
    # Two steps of waiting make bursts regular: the negative binomial law is not its limit, however short the bursts.
    regular = {x.name: x.distance for x in laws.find_limits(laws.refractory(1e4, 4.0, 4.0, 3e4))}
    assert regular["burst"] > 0.02
    with pytest.raises(ParameterError, match="law must be a telegraph, promoter or two-stage law"):
        laws.find_limits(laws.poisson(1))


# --- dual reporters ---------------------------------------------------------------------------------------------------

FACTORS = {
    "gamma": (stats.gamma(4, scale=0.25), 0.25),
    "log-normal": (stats.lognorm(0.5, scale=math.exp(-0.125)), math.expm1(0.25)),
    "two points": (([0.5, 1.5], [0.5, 0.5]), 0.25),
    "samples": (np.array([0.2, 0.9, 1.1, 1.8]), 0.325),
}


@pytest.mark.parametrize("name", FACTORS)
def test_dual_reporters_with_a_shared_rate(name):
    """x | z Poisson of mean 50 z: eta² intrinsic 1/50, extrinsic the squared CV of z, exactly."""
    factor, cv2 = FACTORS[name]
    moments = laws.dual_reporter_moments(lambda z: laws.poisson(50.0 * z), factor)
    assert moments.eta2_intrinsic == pytest.approx(1 / 50, rel=1e-11)
    assert moments.eta2_extrinsic == pytest.approx(cv2, rel=1e-11)
    assert moments.eta2_total == pytest.approx(1 / 50 + cv2, rel=1e-11)
    assert moments.cov == pytest.approx(2500 * cv2, rel=1e-11)
    assert moments.correlation == pytest.approx(moments.cov / moments.var_x, rel=1e-12)
    assert (moments.mean_x, moments.var_x) == (moments.mean_y, moments.var_y)
    assert moments.intrinsic_x == moments.intrinsic_y == pytest.approx(50.0, rel=1e-11)
    parts = acme.noise.decompose_covariance(
        [[moments.var_x, moments.cov], [moments.cov, moments.var_y]], [moments.mean_x, moments.mean_y]
    )
    assert moments.eta2_intrinsic == pytest.approx(parts.eta2_intrinsic, rel=1e-12)
    assert moments.eta2_extrinsic == pytest.approx(parts.eta2_extrinsic, rel=1e-12)


def test_dual_reporters_of_two_kinds():
    """x bursts with size 3z at frequency 2, y is Poisson of mean 5z², z gamma: moments of z to the fourth."""
    z = stats.gamma(3, scale=1 / 3)
    m = [1.0, *(z.moment(k) for k in (1, 2, 3, 4))]
    found = laws.dual_reporter_moments(
        lambda z: laws.negative_binomial(2.0, 3.0 * z), z, lambda z: laws.poisson(5.0 * z**2)
    )
    assert (found.mean_x, found.mean_y) == pytest.approx((6 * m[1], 5 * m[2]), rel=1e-11)
    assert found.var_x == pytest.approx(6 * m[1] + 18 * m[2] + 36 * (m[2] - m[1] ** 2), rel=1e-11)
    assert found.var_y == pytest.approx(5 * m[2] + 25 * (m[4] - m[2] ** 2), rel=1e-11)
    assert found.cov == pytest.approx(30 * (m[3] - m[1] * m[2]), rel=1e-11)
    with pytest.raises(ParameterError, match="reporter's function returns must be"):
        laws.dual_reporter_moments(lambda z: z, [1.0])


# --- properties -------------------------------------------------------------------------------------------------------

RATE = st.floats(1e-2, 1e2)


@given(k_on=RATE, k_off=RATE, s=RATE, t=st.floats(0.0, 3.0), n0=st.integers(0, 5))
def test_moments_of_transients_and_their_tables_agree(k_on, k_off, s, t, n0):
    law = laws.telegraph_transient(min(k_on, 10), min(k_off, 10), min(s, 30), 1.0, t, n0=n0)
    p = law.table()
    n = np.arange(len(p))
    assert p @ n == pytest.approx(law.mean(), rel=1e-10, abs=1e-11)
    assert p @ (n - law.mean()) ** 2 == pytest.approx(law.var(), rel=1e-8, abs=1e-10)


# --- corners ----------------------------------------------------------------------------------------------------------


def bursts_in_time(k, b, g, n0, t):
    """Mean, variance, third central moment and P(0) of geometric bursts in time, in 700 digits."""
    with mpmath.workdps(700):
        k, b, g, t = map(mpmath.mpf, (k, b, g, t))
        q = mpmath.exp(-g * t)
        first, second, third = (k / g * m * (1 - q**j) / j for j, m in ((1, b), (2, 2 * b**2), (3, 6 * b**3)))
        stay = n0 * q * (1 - q)
        nothing = ((1 + b * q) / (1 + b)) ** (k / g) * (1 - q) ** n0
        return [n0 * q + first, stay + second + first, stay * (1 - 2 * q) + third + 3 * second + first, nothing]


@pytest.mark.parametrize(
    "rates",
    [(1, 5, 1e-10, 0, 1), (1, 5, 1e-17, 0, 1), (2, 5, 1, 10, 0.5), (1, 5, 1, 10**5, 1e-6), (1, 5, 1, 10**6, 1e-9)],
)
def test_bursts_in_a_short_time_or_with_hardly_any_loss(rates):
    """1 - e^-gt has its digits: at g = 1e-17 the mean is k b t, not 0."""
    law = laws.bursty_birth_death_transient(*rates)
    exact = bursts_in_time(*rates)
    found = (law.mean(), law.var(), law.third_cumulant(), law.pmf(0))
    assert found == pytest.approx([float(value) for value in exact], rel=1e-13, abs=1e-300)
    assert law.skewness() == pytest.approx(float(exact[2] / exact[1] ** mpmath.mpf(1.5)), rel=1e-13)
    table = law.table()
    assert table @ np.arange(len(table)) == pytest.approx(float(exact[0]), rel=1e-12)


@pytest.mark.parametrize("age", [1e-12, 0.05, 0.2, 3.0])
def test_any_bursts_lose_molecules_as_geometric_ones_do(age):
    """The same law of a burst, as its closed form and as a table: two routes through `rises`."""
    geometric = laws.bursty_birth_death_transient(2.0, 3.0, 1.0, 2, age)
    table = laws.bursty_birth_death_transient(2.0, laws.negative_binomial(1, 3.0), 1.0, 2, age)
    np.testing.assert_allclose(table.pmf(np.arange(40)), geometric.pmf(np.arange(40)), rtol=1e-10)


def test_a_rate_of_loss_that_numbers_do_not_hold():
    with pytest.raises(ParameterError, match="g must be a rate with which k/g and g t"):
        laws.bursty_birth_death_transient(1, 5, 1e-310, 0, 1)
    assert laws.birth_death_transient(3, 1e-300, 5, 1.0).mean() == 8.0


@pytest.mark.parametrize("n0", [10**5, 10**6])
def test_many_molecules_at_the_start_and_a_short_time(n0):
    """Binomial to many digits, as hardly anything is made: skewness (1 - 2q)/sqrt(n0 q (1 - q))."""
    q = math.exp(-1e-6)
    skewness = (1 - 2 * q) / math.sqrt(n0 * q * -math.expm1(-1e-6))
    for law in (laws.telegraph_transient(1, 3, 1e-9, 1, 1e-6, n0=n0), laws.birth_death_transient(0, 1, n0, 1e-6)):
        assert law.skewness() == pytest.approx(skewness, rel=1e-9)
        assert law.pmf(n0) == pytest.approx(math.exp(-1e-6 * n0), rel=1e-9)


@pytest.mark.parametrize("t", [1e4, 1e8, 1e300])
def test_a_stiff_promoter_after_a_long_time_is_stationary(t):
    """Also after 10^12 events: mean 5 to all digits, where rounding made 5.00015 of it."""
    law, end = laws.telegraph_transient(1e4, 1e4, 10, 1, t), laws.telegraph(1e4, 1e4, 10)
    assert law.mean() == pytest.approx(5.0, rel=1e-14)
    assert (law.var(), law.skewness()) == pytest.approx((end.var(), end.skewness()), rel=1e-13)


def test_a_promoter_s_law_after_a_long_time():
    law, end = laws.telegraph_transient(30, 50, 10, 1, 1e12), laws.telegraph(30, 50, 10)
    np.testing.assert_allclose(law.pmf(np.arange(40)), end.pmf(np.arange(40)), atol=1e-13)
    with pytest.raises(ParameterError, match="more than ten days"):
        laws.telegraph_transient(1e9, 1e9, 10, 1, 1e4).pmf(0)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_transition_probabilities_of_a_stiff_chain():
    """Two states in closed form, over 10^-3 to 10^320 events."""
    k, m = 3e8, 1e8
    for t in (1e-11, 1e-8, 1.0, 1e300):
        moved = k / (k + m) * -math.expm1(-(k + m) * t)
        found = promoters.transition_matrix(np.array([[0.0, k], [m, 0.0]]), t)
        np.testing.assert_allclose(found, [[1 - moved, moved], [moved * m / k, 1 - moved * m / k]], rtol=1e-13)


@pytest.mark.jit
def test_large_clusters_take_one_core():
    """Threads of a linear algebra library that wait for each other would use every core, and more time than one."""
    law = laws.two_stage(10, 1.2e4, 1, 1)
    compound.add_products(np.ones(2), np.ones(2))
    wall, cpu = time.perf_counter(), time.process_time()
    p = law.table()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert cpu < 1.2 * wall + 0.1
    n = np.arange(len(p))
    assert p @ n == pytest.approx(law.mean(), rel=1e-11)
    assert p @ (n - law.mean()) ** 2 == pytest.approx(law.var(), rel=1e-10)


def test_the_cost_of_large_clusters_is_said_before_it_begins(monkeypatch):
    monkeypatch.setattr(compound, "_fill_compound", lambda *_: pytest.fail("it began"))
    with pytest.raises(LargeProblemWarning, match=r"counts to .*, in clusters of up to .*, take about [\d,]+ s"):
        laws.two_stage(10, 1e5, 1, 1).pmf(0)
    with pytest.raises(ParameterError, match="do not fit"):
        laws.two_stage(10, 1e9, 1, 1).pmf(0)


@pytest.mark.jit  # as plain Python, NumPy warns of each overflow that compiled code returns as infinity
@pytest.mark.parametrize(
    "make",
    [
        lambda: laws.negative_binomial(1.0, 1e300),
        lambda: laws.birth_death(1e300, 1e-300),
        lambda: laws.bursty_birth_death(1.0, 1e16, 1e-300),
        lambda: laws.promoter([[0, 1e300], [1e-16, 0]], [0.0, 1.0]),
        lambda: laws.refractory(1e300, 1.0, 1.0, 1e16, 1e-300),
        lambda: laws.birth_interval([[0, 1e300], [1e-16, 0]], [0, 1.0]),
        lambda: laws.birth_interval([[0, 1e-300], [1e-300, 0]], [0, 1.0]).skewness(),
        lambda: laws.self_regulation(r0=1e300),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_no_number_holds_is_refused(make):
    """In the library's own words, before a NaN comes out of it."""
    with pytest.raises(ParameterError, match="1.8e308|must be|within 1e300"):
        make()


@pytest.mark.filterwarnings("error")
def test_all_are_gone_after_a_long_time():
    law = laws.birth_death_transient(1e-300, 1.0, 5, 1e16)
    assert (law.pmf(0), law.pmf(1)) == (1.0, pytest.approx(0.0, abs=1e-299))
    assert laws.bursty_birth_death_transient(1e-300, 1e-16, 1e300, 2, 1.0).pmf(0) == 1.0

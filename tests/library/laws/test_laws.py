"""Exact laws, against independent sums, integrals and generating functions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, linalg

from acme_lib import laws
from acme_lib.errors import ParameterError
from tests.statistics import FALSE_POSITIVE, p_value_of_law


def test_birth_death_is_poisson():
    law = laws.birth_death(k=6, gamma=2)
    assert law.pmf(2) == pytest.approx(math.exp(-3) * 9 / 2, rel=1e-14)
    assert law.mean() == law.var() == 3.0
    assert laws.birth_death(0, 1).pmf(0) == 1.0


@pytest.mark.parametrize(("k", "gamma", "n0", "t"), [(3, 1, 0, 0.7), (3, 2, 9, 0.2), (0, 1, 7, 1.1), (5, 0.5, 40, 3)])
def test_transient_law_is_the_sum_over_survivors(k, gamma, n0, t):
    """Term by term, from factorials."""
    law = laws.birth_death_transient(k, gamma, n0, t)
    q, mu = math.exp(-gamma * t), k / gamma * (1 - math.exp(-gamma * t))
    for n in (0, 1, 2, 5, 11, 30):
        terms = [
            math.comb(n0, j) * q**j * (1 - q) ** (n0 - j) * math.exp(-mu) * mu ** (n - j) / math.factorial(n - j)
            for j in range(min(n, n0) + 1)
        ]
        assert law.pmf(n) == pytest.approx(math.fsum(terms), rel=1e-12)


@pytest.mark.parametrize(("k", "gamma", "n0", "t"), [(3, 1, 0, 0.7), (3, 2, 9, 0.2), (0, 1, 7, 1.1), (0.1, 5, 2, 3)])
def test_transient_law_solves_the_master_equation(k, gamma, n0, t):
    """Against the exponential of the birth-death matrix on 0..59, written out here."""
    n = np.arange(60)
    a = np.diag(np.full(59, float(k)), -1) + np.diag(gamma * n[1:], 1) - np.diag(k + gamma * n)
    expected = linalg.expm(a * t)[:, n0]
    np.testing.assert_allclose(laws.birth_death_transient(k, gamma, n0, t).pmf(n), expected, atol=1e-14)


def test_transient_moments_are_those_of_the_law():
    law = laws.birth_death_transient(k=8, gamma=1, n0=12, t=0.4)
    n = np.arange(200)
    p = law.pmf(n)
    assert p.sum() == pytest.approx(1, abs=1e-14)
    assert law.mean() == pytest.approx(p @ n, rel=1e-13)
    assert law.var() == pytest.approx(p @ (n - law.mean()) ** 2, rel=1e-13)
    assert law.std() == pytest.approx(math.sqrt(law.var()), rel=1e-15)
    np.testing.assert_allclose(law.cdf(n), np.cumsum(p), rtol=1e-13)


def test_transient_law_begins_and_ends_where_it_should():
    begin = laws.birth_death_transient(k=8, gamma=1, n0=12, t=0)
    assert begin.pmf(12) == 1.0
    assert begin.pmf(11) == 0.0
    assert begin.var() == 0.0
    end = laws.birth_death_transient(k=8, gamma=1, n0=12, t=60)
    np.testing.assert_allclose(end.pmf(np.arange(40)), laws.birth_death(8, 1).pmf(np.arange(40)), rtol=1e-12)


def test_transient_law_at_odd_arguments():
    law = laws.birth_death_transient(k=8, gamma=1, n0=3, t=0.5)
    assert law.pmf([-1, 0.5, np.inf, -np.inf]).tolist() == [0, 0, 0, 0]
    assert np.isnan(law.pmf(np.nan))
    assert law.cdf([-1, -np.inf]).tolist() == [0, 0]
    assert law.cdf(2.7) == law.cdf(2)
    assert law.cdf([np.inf, 1e12]) == pytest.approx([1, 1], abs=1e-14)
    assert law.pmf(np.zeros((2, 3))).shape == (2, 3)
    assert law.pmf([]).shape == (0,)


def test_transient_law_of_many_molecules():
    """Nothing is lost, and the table of 11,000 counts takes no time."""
    law = laws.birth_death_transient(k=1e4, gamma=1, n0=10_000, t=0.5)
    n = np.arange(9000, 11_000)
    p = law.pmf(n)
    assert p.sum() == pytest.approx(1, abs=1e-10)
    assert p @ n == pytest.approx(law.mean(), rel=1e-10)
    assert p @ (n - law.mean()) ** 2 == pytest.approx(law.var(), rel=1e-8)
    assert law.mean() == pytest.approx(10_000, rel=1e-14)


def test_transient_samples():
    """A G-test: under the null the statistic is chi-squared; it fails with probability `FALSE_POSITIVE`."""
    law = laws.birth_death_transient(k=6, gamma=1, n0=10, t=0.6)
    samples = law.rvs(20_000, rng=np.random.default_rng(5))
    assert p_value_of_law(samples, law) > FALSE_POSITIVE


def test_transient_samples_follow_their_generator():
    law = laws.birth_death_transient(k=6, gamma=1, n0=10, t=0.6)
    first, again = (law.rvs((2, 3), rng=np.random.default_rng(8)) for _ in range(2))
    assert first.shape == (2, 3)
    np.testing.assert_array_equal(first, again)
    assert np.ndim(law.rvs(rng=np.random.default_rng(8))) == 0
    with pytest.raises(TypeError, match="rng"):
        law.rvs(3)


@given(st.floats(0, 20), st.floats(1, 5), st.integers(0, 20), st.floats(0, 10), st.floats(0, 10))
def test_transient_law_composes(k, gamma, n0, s, t):
    """Chapman-Kolmogorov: the law at s + t is the law at t, started from the law at s."""
    n = np.arange(120)
    middle = laws.birth_death_transient(k, gamma, n0, s).pmf(n)
    kept = np.flatnonzero(middle > 1e-14)
    mixed = sum(middle[m] * laws.birth_death_transient(k, gamma, int(m), t).pmf(n[:60]) for m in kept)
    whole = laws.birth_death_transient(k, gamma, n0, s + t).pmf(n[:60])
    np.testing.assert_allclose(mixed, whole, atol=1e-11)


# --- two-stage model ----------------------------------------------------------------------------------------------


def test_two_stage_numbers_by_hand():
    moments = laws.two_stage_moments(k_m=10, k_p=12, g_m=2, g_p=1)
    assert (moments.mean_m, moments.mean_p) == (5.0, 60.0)
    assert (moments.fano_m, moments.fano_p) == (1.0, 5.0)
    assert (moments.var_m, moments.var_p, moments.cov) == (5.0, 300.0, 20.0)
    assert moments.cv_m == pytest.approx(1 / math.sqrt(5), rel=1e-15)
    assert moments.cv_p == pytest.approx(math.sqrt(300) / 60, rel=1e-15)
    assert moments.correlation == pytest.approx(20 / math.sqrt(1500), rel=1e-15)


positive = st.floats(0.05, 50.0)


@given(positive, positive, positive, positive)
def test_two_stage_covariance_solves_the_lyapunov_equation(k_m, k_p, g_m, g_p):
    """J C + C J' + D = 0, exact for linear rates: an independent route to every moment."""
    moments = laws.two_stage_moments(k_m, k_p, g_m, g_p)
    jacobian = np.array([[-g_m, 0.0], [k_p, -g_p]])
    mean = np.linalg.solve(jacobian, [-k_m, 0.0])
    diffusion = np.diag([k_m + g_m * mean[0], k_p * mean[0] + g_p * mean[1]])
    covariance = linalg.solve_continuous_lyapunov(jacobian, -diffusion)
    assert [moments.mean_m, moments.mean_p] == pytest.approx(mean, rel=1e-9)
    expected = np.array([[moments.var_m, moments.cov], [moments.cov, moments.var_p]])
    np.testing.assert_allclose(covariance, expected, rtol=1e-8)


def test_two_stage_without_product():
    moments = laws.two_stage_moments(k_m=0, k_p=1, g_m=1, g_p=1)
    assert moments.mean_p == 0.0
    for number in ("fano_m", "fano_p", "cv_m", "cv_p", "correlation"):
        assert math.isnan(getattr(moments, number))


@pytest.mark.parametrize("g", [(2.0, 0.5), (0.5, 2.0), (1.0, 1.0), (1.0, 1.0 + 1e-9), (200.0, 0.1)])
def test_two_stage_means_in_time_solve_their_equations(g):
    g_m, g_p = g
    times = np.array([0.0, 0.3, 1.0, 5.0])
    mean_m, mean_p = laws.two_stage_transient_means(3, 4, g_m, g_p, times, m0=7, p0=2)
    solution = integrate.solve_ivp(
        lambda t, y: [3 - g_m * y[0], 4 * y[0] - g_p * y[1]], (0, 5), [7, 2], "LSODA", times, rtol=1e-11, atol=1e-12
    )
    np.testing.assert_allclose(mean_m, solution.y[0], rtol=1e-8)
    np.testing.assert_allclose(mean_p, solution.y[1], rtol=1e-8)
    assert (mean_m[0], mean_p[0]) == (7.0, 2.0)


def test_two_stage_means_end_in_the_stationary_ones():
    late = laws.two_stage_transient_means(3, 4, 900.0, 0.5, 1e4)
    moments = laws.two_stage_moments(3, 4, 900.0, 0.5)
    assert late == pytest.approx((moments.mean_m, moments.mean_p), rel=1e-14)
    assert np.ndim(late[0]) == 0


# --- what does not fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "1", None, 1j])
@pytest.mark.parametrize(
    ("function", "name", "others"),
    [
        (laws.birth_death, "k", {"gamma": 1}),
        (laws.birth_death, "gamma", {"k": 1}),
        (laws.birth_death_transient, "t", {"k": 1, "gamma": 1, "n0": 0}),
        (laws.two_stage_moments, "k_p", {"k_m": 1, "g_m": 1, "g_p": 1}),
        (laws.two_stage_moments, "g_p", {"k_m": 1, "g_m": 1, "k_p": 1}),
        (laws.two_stage_transient_means, "m0", {"k_m": 1, "k_p": 1, "g_m": 1, "g_p": 1, "t": 1}),
    ],
)
def test_rates_are_checked(function, name, others, value):
    with pytest.raises(ParameterError, match=f"{name} must be a (positive number|number of at least 0), got"):
        function(**{name: value}, **others)


def test_a_rate_of_loss_is_above_zero():
    with pytest.raises(ParameterError, match="gamma must be a positive number, got 0"):
        laws.birth_death(1, 0)
    with pytest.raises(ParameterError, match="g_m must be a positive number"):
        laws.two_stage_moments(1, 1, 0, 1)


@pytest.mark.parametrize("n0", [-1, 1.5, True, None])
def test_a_start_is_whole(n0):
    with pytest.raises(ParameterError, match="n0 must be a whole number of at least 0"):
        laws.birth_death_transient(1, 1, n0, 1)


@pytest.mark.parametrize("t", [-1.0, [0.0, math.nan]])
def test_times_are_checked(t):
    with pytest.raises(ParameterError, match="times must be finite and at least 0"):
        laws.two_stage_transient_means(1, 1, 1, 1, t)

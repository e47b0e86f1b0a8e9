"""The telegraph law against Kummer's function in many digits, its limits, and the master equation itself."""

import itertools

import mpmath
import numpy as np
import pytest
from scipy import stats

from acme_lib import laws
from acme_lib.errors import ParameterError
from acme_lib.laws import Telegraph, telegraph
from acme_lib.laws.telegraph import telegraph_logpmf
from tests.statistics import FALSE_POSITIVE, p_value_of_law


def kummer_log_pmf(n, a, b, s):
    """The closed form of Peccoud and Ycart, to 50 digits."""
    with mpmath.workdps(50):
        a, b, s = mpmath.mpf(a), mpmath.mpf(b), mpmath.mpf(s)
        series = mpmath.hyp1f1(a + n, a + b + n, -s)
        return float(mpmath.log(s**n / mpmath.factorial(n) * mpmath.rf(a, n) / mpmath.rf(a + b, n) * series))


@pytest.mark.parametrize(
    ("k_on", "k_off", "s"),
    [(1, 3, 20), (0.05, 0.02, 200), (20, 20, 700), (5, 200, 1000), (1e-3, 1e-3, 50), (20, 20, 2000), (0.5, 0.7, 60)],
)
def test_every_probability_has_a_small_relative_error(k_on, k_off, s):
    counts = [0, 1, 5, 30, 169, 170, 171, 300, 1000]
    exact = [kummer_log_pmf(n, k_on, k_off, s) for n in counts]
    np.testing.assert_allclose(telegraph(k_on, k_off, s, 1).logpmf(counts), exact, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("k_on", "k_off", "s"), [(1, 3, 20), (0.02, 0.05, 300), (3, 400, 3000), (1e-3, 50, 500)])
def test_moments(k_on, k_off, s):
    law = telegraph(k_on, k_off, s, 1)
    n = np.arange(len(law._cumulative))
    p = law.pmf(n)
    mean = p @ n
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert mean == pytest.approx(law.mean(), rel=1e-11)
    assert p @ (n - mean) ** 2 == pytest.approx(law.var(), rel=1e-10)
    assert law.std() ** 2 == pytest.approx(law.var())
    assert law.mean() == pytest.approx(s * k_on / (k_on + k_off))
    assert law.var() / law.mean() == pytest.approx(1 + s * k_off / ((k_on + k_off) * (k_on + k_off + 1)))


def test_stationary_solution_of_the_master_equation():
    k_on, k_off, s, g, top = 0.7, 1.9, 12.0, 2.0, 60
    size = 2 * (top + 1)  # state 2n + on
    a = np.zeros((size, size))
    for n in range(top + 1):
        off, on = 2 * n, 2 * n + 1
        a[on, off] += k_on
        a[off, on] += k_off
        if n < top:
            a[on + 2, on] += s
        if n:
            a[off - 2, off] += g * n
            a[on - 2, on] += g * n
    a -= np.diag(a.sum(axis=0))
    a[-1] = 1.0
    p = np.linalg.solve(a, np.eye(size)[-1])
    np.testing.assert_allclose(telegraph(k_on, k_off, s, g).pmf(np.arange(40)), p[0:80:2] + p[1:80:2], atol=1e-13)


def test_limits():
    n = np.arange(200)
    burst = telegraph(2.0, 1e9, 5e9, 1)
    np.testing.assert_allclose(burst.logpmf(n), stats.nbinom(2.0, 1 / 6).logpmf(n), atol=1e-5)
    np.testing.assert_allclose(telegraph(1.0, 0.0, 30.0, 1).logpmf(n), stats.poisson(30).logpmf(n), atol=1e-11)
    slow = telegraph(1e-9, 3e-9, 40.0, 1)
    mixture = 0.25 * stats.poisson(40).pmf(n) + 0.75 * (n == 0)
    np.testing.assert_allclose(slow.pmf(n), mixture, atol=1e-7)
    nothing = telegraph(1.0, 1.0, 0.0, 1)
    assert (nothing.pmf(0), nothing.pmf(3), nothing.cdf(5), nothing.mean()) == (1.0, 0.0, 1.0, 0.0)


def test_only_ratios_count():
    assert telegraph(2, 6, 40, 2) == telegraph(1, 3, 20, 1) == Telegraph(1.0, 3.0, 20.0)


def test_off_the_support():
    law = telegraph(1, 3, 20, 1)
    np.testing.assert_array_equal(law.pmf([-1, 0.5, np.inf]), 0.0)
    assert np.isnan(law.pmf(np.nan))
    assert np.isnan(law.cdf(np.nan))
    np.testing.assert_array_equal(law.cdf([-0.5, np.inf]), [0.0, law.cdf(10**9)])
    assert law.cdf(3.7) == law.cdf(3)
    assert law.cdf(4) + law.sf(4) == pytest.approx(1.0, abs=1e-13)
    assert law.cdf(10**6) == pytest.approx(1.0, abs=1e-12)


def test_table_reaches_as_far_as_asked():
    assert len(telegraph_logpmf(1.0, 3.0, 20.0, 500)) == 501
    near = telegraph_logpmf(0.3, 40.0, 2000.0, 30)
    np.testing.assert_allclose(near, telegraph_logpmf(0.3, 40.0, 2000.0, 3000)[:31], atol=1e-12)
    with pytest.raises(ParameterError, match="do not fit"):
        telegraph_logpmf(1.0, 1.0, 1e9, 5)


@pytest.mark.parametrize("law", [telegraph(0.5, 0.7, 30, 1), telegraph(1.0, 0.0, 8.0, 1)])
def test_samples_follow_the_law(law):
    x = law.rvs(4000, rng=np.random.default_rng(31))
    z = (x.mean() - law.mean()) / np.sqrt(law.var() / len(x))
    assert 2 * stats.norm.sf(abs(z)) > FALSE_POSITIVE
    assert p_value_of_law(x, law) > FALSE_POSITIVE


@pytest.mark.parametrize("rates", [(0, 1, 1, 1), (1, -1, 1, 1), (1, 1, -1, 1), (1, 1, 1, 0), (np.nan, 1, 1, 1)])
def test_rates_that_do_not_fit(rates):
    with pytest.raises(ParameterError, match="must be a (positive )?number"):
        telegraph(*rates)


# --- the whole grid, against a high-precision computation of another kind ---------------------------------------------


def exact_law(k_on, k_off, s, digits=50):
    """Probabilities of 0 … top as mpf, from Kummer's differential equation of the generating function.

    (n+2)(n+1) p(n+2) = (n+1)(n+c+s) p(n+1) - s(n+a) p(n), with a = k_on and c = k_on + k_off, is run downwards from two
    values of the closed form at the top; the closed form at 0 then shows that no digits were lost. The closed form is
    Kummer-transformed, so that all terms of its series are positive: e^(-s) 1F1(k_off; c+n; s).
    """

    def closed_form(n):
        term, total, k = mpmath.mpf(1), mpmath.mpf(1), 0
        while term > total * mpmath.mpf(10) ** (-digits) or k < s:
            term *= (b + k) / (c + n + k) * s / (k + 1)
            total += term
            k += 1
        logs = n * mpmath.log(s) - mpmath.loggamma(n + 1) - s
        logs += mpmath.loggamma(a + n) - mpmath.loggamma(a) - mpmath.loggamma(c + n) + mpmath.loggamma(c)
        return mpmath.exp(logs) * total

    with mpmath.workdps(digits):
        a, b, s = mpmath.mpf(k_on), mpmath.mpf(k_off), mpmath.mpf(s)
        c = a + b
        top = int(s + 15 * mpmath.sqrt(s)) + 80
        p = [None] * (top + 1)
        p[top], p[top - 1] = closed_form(top), closed_form(top - 1)
        for n in range(top - 2, -1, -1):
            p[n] = (n + 1) * ((n + c + s) * p[n + 1] - (n + 2) * p[n + 2]) / (s * (n + a))
        assert abs(p[0] / closed_form(0) - 1) < mpmath.mpf(10) ** (-digits // 2)
        return p


def largest_errors(k_on, k_off, s):
    """Errors of the library: pmf and table (relative where above 1e-30), pmf below, cdf, sf (above 1e-5), mean, var."""
    law, p = telegraph(k_on, k_off, s), exact_law(k_on, k_off, s)
    with mpmath.workdps(50):
        logs = np.array([float(mpmath.log(value)) for value in p])
        total = mpmath.fsum(p)
        assert abs(total - 1) < mpmath.mpf(10) ** -20
        mean = mpmath.fsum(n * value for n, value in enumerate(p))
        var = mpmath.fsum((n - mean) ** 2 * value for n, value in enumerate(p))
        cdf = np.array(list(itertools.accumulate(p)), dtype=float)
        sf = np.array(list(itertools.accumulate(reversed(p))), dtype=float)[::-1]
        sf = np.append(sf[1:], 0.0)
        moments = abs(law.mean() / mean - 1), abs(law.var() / var - 1)
    n = np.arange(len(p))
    here = logs > np.log(1e-30)
    relative = np.abs(np.expm1(law.logpmf(n) - logs))
    table = law.log_table()  # ends earlier than what was just looked up
    inside = here[: len(table)]
    at_end = np.abs(np.expm1(table[: len(p)] - logs[: len(table)]))[inside]
    below = np.abs(law.pmf(n) - np.exp(logs))[~here]
    high = sf > 1e-5
    return {
        "pmf": relative[here].max(),
        "table": at_end.max(),
        "far pmf": below.max(initial=0.0),
        "cdf": np.abs(law.cdf(n) - cdf).max(),
        "sf": np.abs(law.sf(n)[high] / sf[high] - 1).max(initial=0.0),
        "mean": float(moments[0]),
        "var": float(moments[1]),
    }


def assert_accurate(errors):
    assert errors["far pmf"] < 1e-40
    assert max(errors.values()) < 1e-11, errors


@pytest.mark.parametrize(
    "rates", [(1e-3, 1e-3, 1), (1e3, 1e-3, 100), (1e-3, 1e3, 100), (1, 1e3, 1e3), (1e3, 1e3, 1e3), (1e-3, 1e3, 1e4)]
)
def test_corners_of_the_grid(rates):
    assert_accurate(largest_errors(*rates))


@pytest.mark.slow
@pytest.mark.parametrize("s", [1, 10, 100, 1000, 10_000])
def test_whole_grid(s):
    worst = {}
    for k_on, k_off in itertools.product(10.0 ** np.arange(-3, 4), repeat=2):
        errors = largest_errors(k_on, k_off, s)
        assert_accurate(errors)
        worst = {name: max(errors[name], worst.get(name, 0.0)) for name in errors}
    print(f"s/g = {s}: largest errors", {name: f"{error:.1e}" for name, error in worst.items()})


# --- the ends of the floating point numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k_on", "k_off", "s"),
    [(1, 1, 1e-150), (1e-16, 1, 1), (3e-200, 2, 5), (2, 1e18, 40), (2, 1e22, 40), (1e-20, 1e-20, 30), (1e300, 1, 3),
     (1e-300, 1e-300, 2), (1, 1e-300, 2), (2e19, 1e19, 5)],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_rates_of_any_size(k_on, k_off, s):
    """Against Kummer's function in 60 digits."""
    law = laws.telegraph(k_on, k_off, s)
    with mpmath.workdps(60):
        a, b, rate = map(mpmath.mpf, (k_on, k_off, s))
        for n in (0, 1, 2, 5):
            exact = rate**n / mpmath.factorial(n) * mpmath.rf(a, n) / mpmath.rf(a + b, n)
            exact *= mpmath.hyp1f1(a + n, a + b + n, -rate)
            assert law.pmf(n) == pytest.approx(float(exact), rel=2e-12, abs=1e-300)
        fano = 1 + rate * b / ((a + b) * (a + b + 1))
        assert law.mean() == pytest.approx(float(rate * a / (a + b)), rel=1e-14)
        assert law.fano_factor() == pytest.approx(float(fano), rel=1e-13)
    assert np.isfinite(law.skewness()) and law.sf(1e6) < 1e-15


@pytest.mark.filterwarnings("error")
def test_bursts_without_length_are_the_negative_binomial_limit():
    for k_off in (1e19, 1e21, 1e300):
        law = laws.telegraph(1, k_off, 3 * k_off)
        assert laws.measure_distance(law, laws.negative_binomial(1, 3)) < 1e-13
        assert law.fano_factor() == pytest.approx(4.0, rel=1e-14)


@pytest.mark.parametrize("rates", [(1, 1e300, 1), (1e200, 1e200, 1), (1e-300, 1e300, 1e300), (1, 1, 1e-320)])
@pytest.mark.filterwarnings("error")
def test_nothing_is_nan(rates):
    law = laws.telegraph(*rates)
    for value in (law.mean(), law.var(), law.pmf(0), law.pmf(1), law.cdf(3)):
        assert 0 <= value <= 1.0 + 1e-12


@pytest.mark.parametrize("rates", [(1e300, 1, 1, 1e-300), (1e-300, 1, 1, 1e300), (1e308, 1e308, 1)])
def test_ratios_that_no_number_holds(rates):
    with pytest.raises(ParameterError, match="/g must be"):
        laws.telegraph(*rates)

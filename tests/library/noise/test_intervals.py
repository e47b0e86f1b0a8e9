"""Intervals of noise measures: the variances behind them, exactly; and that they hold at n = 20."""

import numpy as np
import pytest
from scipy import integrate, stats

from acme_lib import laws
from acme_lib.errors import ParameterError
from acme_lib.noise import (
    coefficient_of_variation,
    fano_factor,
    intervals,
    skewness,
    squared_coefficient_of_variation,
)
from tests.benchmarks import coverage
from tests.marks import always
from tests.statistics import FALSE_POSITIVE

LAWS = [(0.3, 1), (1, 6), (3, 6), (10, 6), (100, 1), (100, 21)]


def exact_spread(law, influence):
    """Return the mean square of an influence function of (n, mean, variance, skewness) over a law."""
    n = np.arange(int(law.isf(1e-15)) + 2)
    mean, var, skew = (float(value) for value in law.stats("mvs"))
    return float(law.pmf(n) @ influence(n, mean, var, skew) ** 2)


@pytest.mark.parametrize(("mean", "fano"), [(0.3, 1), (4, 1), (4, 3), (30, 8), (1, 2)])
def test_variances_of_the_test_are_exact_to_first_order(mean, fano):
    law = coverage.count_law(mean, fano)
    n = 10**7  # so that the order 1/n is all that is left
    spread = exact_spread(law, lambda x, m, v, _: (x - m) ** 2 / v - 1 - (x - m) / m)
    assert n * intervals._fano_log_variance(fano, mean, n) == pytest.approx(spread, rel=1e-6)
    spread = exact_spread(law, lambda x, m, v, _: (x - m) ** 2 / v - 1 - 2 * (x - m) / m)
    assert n * intervals._cv2_log_variance(fano / mean, mean, n) == pytest.approx(spread, rel=1e-6)

    def of_skewness(x, m, v, s):
        z = (x - m) / np.sqrt(v)
        return z**3 - s - 1.5 * s * (z**2 - 1) - 3 * z

    skew = float(law.stats("s"))
    assert intervals._skewness_variance(skew, mean) == pytest.approx(exact_spread(law, of_skewness), rel=1e-6)


def test_fano_of_poisson_counts_has_its_classical_interval():
    """At a large mean and F = 1 the index of dispersion is chi-square over its degrees of freedom."""
    low, high = intervals.fano_interval(0.9, 1e12, 20, 0.0, 0.95)
    np.testing.assert_allclose([low, high], 0.9 * 19 / stats.chi2.ppf([0.975, 0.025], 19), rtol=1e-6)


@pytest.mark.parametrize(("variance", "mean", "n"), [(0.0, 10.0, 20), (0.0, 2.0, 50), (0.4, 10.0, 20)])
def test_an_end_is_where_the_test_rejects(variance, mean, n):
    """At each end, 2.5 % of chi-square times log-normal lie beyond the estimate, by another integration."""
    value = 3.0
    for end, tail in zip(intervals.fano_interval(value, mean, n, variance, 0.95), (0.975, 0.025), strict=True):
        spread = max(2 / (n - 1) + (3 * end - 4 + 1 / end) / (n * mean), variance)
        squared = np.log((1 + spread) / (1 + 2 / (n - 1)))

        def below(z, end=end, squared=squared):
            factor = np.exp(np.sqrt(squared) * z - squared / 2)
            return stats.chi2.cdf((n - 1) * value / end / factor, n - 1) * stats.norm.pdf(z)

        assert integrate.quad(below, -9, 9)[0] == pytest.approx(tail, abs=2e-5)


@pytest.mark.parametrize(
    "law", always(2, [((0.3, 1),), ((1, 6),), ((3, 6),), ((10, 6),), ((100, 1),), ((100, 21),)]), ids=str
)
@pytest.mark.parametrize("name", list(coverage.MEASURES))
def test_intervals_from_20_cells_cover(law, name):
    """At least as often as they say: fewer covering than the binomial quantile of 95 % at `FALSE_POSITIVE` fails."""
    shares, used = coverage.cover_measures(coverage.count_law(*law), 20, 400, np.random.default_rng(21), [name])
    assert round(shares[name][0] * used) >= stats.binom.ppf(FALSE_POSITIVE, used, 0.95)


@pytest.mark.thorough
@pytest.mark.parametrize("rates", [(0.3, 0.1, 50), (5, 1, 60)])
def test_where_the_interval_of_cv2_is_short_it_is_said(rates):
    """Of genes that are on most of the time 92 to 93 of 100 intervals from 20 cells cover, as the docstring says."""
    law, cells = laws.telegraph(*rates), 3000
    samples = law.rvs((20, cells), rng=np.random.default_rng(3))
    low, high = squared_coefficient_of_variation(samples).interval()
    truth = law.var() / law.mean() ** 2
    covered = np.count_nonzero((low <= truth) & (truth <= high))
    assert stats.binom.ppf(FALSE_POSITIVE, cells, 0.92) <= covered <= stats.binom.isf(FALSE_POSITIVE, cells, 0.93)
    assert "92 to 93" in squared_coefficient_of_variation.__doc__


def test_the_plain_interval_would_not_have_passed():
    """The check above has power: estimate ± t standard errors fails it at n = 20, mean 10, F = 6."""
    samples = coverage.count_law(10, 6).rvs((20, 400), random_state=np.random.default_rng(21))
    result = fano_factor(samples)
    margin = stats.t.ppf(0.975, 19) * result.stderr
    assert np.count_nonzero(np.abs(result.value - 6) <= margin) < stats.binom.ppf(FALSE_POSITIVE, 400, 0.95)


def test_intervals_are_two_sided_where_samples_suffice():
    shares, _ = coverage.cover_measures(coverage.count_law(10, 2), 100, 200, np.random.default_rng(22), ["F", "CV2"])
    assert shares["F"][1] == shares["CV2"][1] == 0.0
    assert max(shares["F"][0], shares["CV2"][0]) < 1.0  # an interval that always covers says nothing


def test_a_heavier_tail_than_the_law_s_widens_the_interval():
    narrow = intervals.fano_interval(2.0, 10.0, 50, 0.0, 0.95)
    wide = intervals.fano_interval(2.0, 10.0, 50, 0.5, 0.95)
    assert wide[0] < narrow[0] < 2.0 < narrow[1] < wide[1]


@pytest.mark.parametrize("measure", [fano_factor, squared_coefficient_of_variation, coefficient_of_variation, skewness])
def test_levels_nest_and_columns_agree(measure):
    samples = np.random.default_rng(23).negative_binomial(3, 0.2, (60, 2, 3))
    whole = measure(samples)
    inner, outer = whole.interval(0.5), whole.interval(0.9)
    ordered = np.array([outer[0], inner[0], whole.value, inner[1], outer[1]])
    assert np.all(ordered[:-1] < ordered[1:]) or np.isinf(ordered[-1]).any()
    assert np.all(ordered[:-1] <= ordered[1:])
    one = measure(samples[:, 1, 2]).interval(0.9)
    assert one == pytest.approx((outer[0][1, 2], outer[1][1, 2]), rel=1e-9)
    assert type(one[0]) is float


def test_cv_is_the_root_of_its_square():
    samples = np.random.default_rng(24).poisson(7, 30)
    squared = squared_coefficient_of_variation(samples).interval()
    assert coefficient_of_variation(samples).interval() == pytest.approx(tuple(np.sqrt(squared)), rel=1e-9)


def test_constant_data_bound_nothing():
    for measure in (fano_factor, squared_coefficient_of_variation, coefficient_of_variation):
        result = measure([4, 4, 4, 4])
        assert (result.value, result.stderr, result.interval()) == (0.0, 0.0, (0.0, np.inf))
    flat = skewness([4, 4, 4, 4])
    assert np.isnan(flat.value)
    assert flat.interval() == (-np.inf, np.inf)


def test_columns_without_a_mean():
    low, high = fano_factor(np.array([[0, 1], [0, 2], [0, 4]])).interval()
    assert np.isnan(low[0]) and np.isnan(high[0]) and 0 < low[1] < high[1]


def test_skewness_by_hand_and_against_scipy():
    data = np.random.default_rng(25).negative_binomial(2, 0.3, (40, 5))
    np.testing.assert_allclose(skewness(data).value, stats.skew(data, bias=False), rtol=1e-12)
    with pytest.raises(ParameterError, match="samples must be 3 or more along axis 0"):
        skewness([1, 2])


def test_skewness_stderr_is_the_spread_of_estimates():
    """Against repetitions; the tolerance is 5 errors of the variance of nearly normal estimates, and 5 %."""
    repetitions = 1000
    result = skewness(np.random.default_rng(26).poisson(8, (4000, repetitions)))
    ratio = np.mean(result.stderr**2) / np.var(result.value, ddof=1)
    assert abs(ratio - 1) < 5 * np.sqrt(2 / repetitions) + 0.05


def test_states_at_events_are_refused():
    walk = 50 + np.cumsum(np.random.default_rng(27).choice([-1, 1], 100))
    with pytest.raises(ParameterError, match=r"states of one trajectory.*time_weighted_moments"):
        fano_factor(walk)
    for fine in (np.arange(100), np.random.default_rng(28).poisson(1, 100), walk[:20]):
        fano_factor(fine)


@pytest.mark.thorough
def test_the_tables_print(capsys):
    """The documented command, with few repetitions."""
    coverage.print_tables(2, 4)
    text = capsys.readouterr().out
    assert [text.count(word) for word in ("mean", "intrinsic", "k_on, k_off, s = ")] == [26, 9, 9]


def test_samples_of_equal_counts_are_left_out():
    shares, used = coverage.cover_measures(stats.poisson(1e-9), 20, 5, np.random.default_rng(30), ["F"])
    assert used == 0
    assert np.isnan(shares["F"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 100])
def test_intervals_cover_everywhere(n):
    """The table of `tests.benchmarks.coverage` (``uv run pytest -m slow tests/library/noise/test_intervals.py``)."""
    rng = np.random.default_rng(29)
    for mean in (0.1, 1, 3, 10, 100):
        for fano in (1, 2, 6, 21):
            shares, used = coverage.cover_measures(coverage.count_law(mean, fano), n, 1000, rng)
            for name, (covered, _) in shares.items():
                least = stats.binom.ppf(FALSE_POSITIVE, used, 0.95)
                assert round(covered * used) >= least, (name, mean, fano, covered)

"""Parts of the noise: the law of total variance by strata, and two reporters."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from acme_lib.errors import NotInterchangeableWarning, ParameterError
from acme_lib.noise import decompose_covariance, decompose_dual_reporter, intervals, variance_by_strata
from tests.benchmarks import coverage
from tests.statistics import FALSE_POSITIVE


def deviates(values, exact):
    """Whether a mean of repetitions is too far from the truth, at `FALSE_POSITIVE`."""
    z = (np.mean(values) - exact) / (np.std(values, ddof=1) / np.sqrt(len(values)))
    return 2 * stats.norm.sf(abs(z)) < FALSE_POSITIVE


# --- strata -----------------------------------------------------------------------------------------------------------


def test_strata_by_hand():
    split = variance_by_strata([1, 3, 10, 20, 30, 5], ["b", "b", "a", "a", "a", "c"])
    assert split.labels == ("a", "b", "c")
    assert split.sizes.tolist() == [3, 2, 1]
    assert split.means.tolist() == [20.0, 2.0, 5.0]
    np.testing.assert_allclose(split.variances, [200 / 3, 1.0, 0.0])
    assert split.within == pytest.approx((200 + 2) / 6)
    assert split.between == pytest.approx((3 * 8.5**2 + 2 * 9.5**2 + 6.5**2) / 6)
    assert split.total == pytest.approx(np.var([1, 3, 10, 20, 30, 5]))
    assert split.within_unbiased == pytest.approx(202 / 3)
    assert not split.means.flags.writeable


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 4)), min_size=1, max_size=60))
def test_total_is_within_plus_between(cells):
    samples, strata = np.array(cells).T
    split = variance_by_strata(samples, strata)
    assert split.total == split.within + split.between
    assert split.total == pytest.approx(np.var(samples), rel=1e-9, abs=1e-9)
    if samples.any():
        assert split.pooled_fano == pytest.approx(np.var(samples) / samples.mean(), rel=1e-9, abs=1e-9)
        assert split.pooled_fano == pytest.approx(split.within_fano + split.artefact, rel=1e-12)
        shares = split.sizes * split.means / samples.sum()
        fanos = np.divide(split.variances, split.means, out=np.zeros_like(split.means), where=split.means > 0)
        assert split.within_fano == pytest.approx(shares @ fanos, rel=1e-9, abs=1e-12)


def test_the_artefact_of_a_pooled_population():
    """Two Poisson groups of means 10 and 30: F = 1 in each, and 6 pooled, in exact counts of the two laws."""
    n = np.arange(120)
    copies = [np.round(stats.poisson(mean).pmf(n) * 10**5).astype(int) for mean in (10, 30)]
    samples = np.concatenate([np.repeat(n, c) for c in copies])
    split = variance_by_strata(samples, np.repeat(["low", "high"], [c.sum() for c in copies]))
    assert (split.within_fano, split.artefact, split.pooled_fano) == pytest.approx((1.0, 5.0, 6.0), rel=2e-3)


def test_unbiased_estimators_have_no_bias():
    rng = np.random.default_rng(61)
    sizes = np.array([3, 5, 9, 4])
    strata = np.repeat(np.arange(4), sizes)
    found = []
    for _ in range(3000):
        split = variance_by_strata(rng.normal(rng.normal(50, 3, 4)[strata], 2.0), strata)
        found.append((split.within_unbiased, split.between_unbiased, split.within, split.between))
    within, between, plain_within, plain_between = np.array(found).T
    assert not deviates(within, 4.0)
    assert not deviates(between, 9.0)
    assert deviates(plain_within, 4.0)  # and the check has the power to see the bias of the plain ones
    assert deviates(plain_between, 9.0)


def test_strata_at_their_limits():
    one = variance_by_strata([1, 2, 3], ["a"] * 3)
    assert one.between == 0.0
    assert np.isnan(one.between_unbiased)
    each = variance_by_strata([1, 2, 3], [1, 2, 3])
    assert each.within == 0.0
    assert np.isnan(each.within_unbiased)
    assert np.isnan(variance_by_strata([0, 0], [1, 2]).pooled_fano)


@pytest.mark.parametrize(
    ("samples", "strata", "message"),
    [
        ([1, 2], [1], r"strata must be one for each of the 2 samples, got .*\(1,\)"),
        ([], [], "samples must be 1 numbers or more|one-dimensional"),
        ([1.0, np.nan], [1, 2], "samples must be finite, got 1 of 2"),
        ([1, 2], [1.0, np.nan], "strata must be names, got 1 that are NaN"),
        ([[1, 2]], [[1, 2]], "one-dimensional"),
    ],
)
def test_strata_that_do_not_fit(samples, strata, message):
    with pytest.raises(ParameterError, match=message):
        variance_by_strata(samples, strata)


# --- two reporters ----------------------------------------------------------------------------------------------------


def test_a_known_covariance():
    parts = decompose_covariance([[95, 60], [60, 95]])
    assert (parts.extrinsic, parts.intrinsic, parts.total) == (60.0, 35.0, 95.0)
    assert np.isnan(parts.eta2_total)
    scaled = decompose_covariance([[95, 60], [60, 95]], means=[10, 20])
    assert (scaled.eta2_extrinsic, scaled.eta2_intrinsic, scaled.eta2_total) == (0.3, 0.175, 0.475)
    assert decompose_covariance([[4, -1], [-1, 4]]).extrinsic == -1.0


@pytest.mark.parametrize(
    ("covariance", "means", "message"),
    [
        ([[1, 2], [2, 1]], None, "correlation of the reporters would exceed 1"),
        ([[1, 0.5], [0.4, 1]], None, "symmetric"),
        ([[-1, 0], [0, 1]], None, "variances of at least 0"),
        ([1, 2, 3], None, "2 × 2"),
        ([[1, 0], [0, 1]], [0, 1], "means must be two numbers above 0"),
    ],
)
def test_no_covariance(covariance, means, message):
    with pytest.raises(ParameterError, match=message):
        decompose_covariance(covariance, means)


def test_forms_by_hand():
    x, y = np.array([1.0, 2, 4, 9]), np.array([2.0, 2, 5, 7])  # means 4 and 4
    s_xy, s_dd = (-3 * -2 + -2 * -2 + 0 + 5 * 3), (1 + 0 + 1 + 4)
    for method, of_d, of_xy in (("elowitz", 4, 4), ("unbiased", 3, 3), ("minimum_mse", 5, 5)):
        parts = decompose_dual_reporter(x, y, method=method)
        assert parts.intrinsic.value == pytest.approx(s_dd / (2 * of_d))
        assert parts.extrinsic.value == pytest.approx(s_xy / of_xy)
        assert parts.total.value == pytest.approx(parts.intrinsic.value + parts.extrinsic.value)
        assert parts.eta2_extrinsic.value == pytest.approx(parts.extrinsic.value / 16)
        assert (parts.method, parts.n, parts.interchangeable) == (method, 4, True)
    # as Elowitz writes it
    parts = decompose_dual_reporter(x, y, method="elowitz")
    assert parts.eta2_intrinsic.value == pytest.approx(np.mean((x - y) ** 2) / (2 * x.mean() * y.mean()))
    assert parts.eta2_total.value == pytest.approx(np.mean(x**2 + y**2) / (2 * 16) - 1)


@pytest.mark.parametrize("method", ["elowitz", "unbiased", "minimum_mse"])
def test_errors_are_a_jackknife(method):
    rng = np.random.default_rng(62)
    cell = rng.gamma(4, 5, 30)
    x, y = rng.poisson(cell), rng.poisson(cell)
    whole = decompose_dual_reporter(x, y, method=method)
    names = ("intrinsic", "extrinsic", "total", "eta2_intrinsic", "eta2_extrinsic", "eta2_total")
    replicas = []
    for i in range(30):
        rest = decompose_dual_reporter(np.delete(x, i), np.delete(y, i), method=method)
        replicas.append([getattr(rest, name).value for name in names])
    errors = np.sqrt(29**2 / 30 * np.var(replicas, axis=0, ddof=1))
    np.testing.assert_allclose([getattr(whole, name).stderr for name in names], errors, rtol=1e-9)


def many_estimates(method, n, rho, repetitions, seed):
    """Intrinsic and extrinsic estimates of jointly normal reporters; exact: 1 - rho and rho."""
    rng = np.random.default_rng(seed)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotInterchangeableWarning)
        for _ in range(repetitions):
            z = rng.standard_normal((3, n))
            x, y = 50 + np.sqrt(rho) * z[0] + np.sqrt(1 - rho) * z[1:]
            parts = decompose_dual_reporter(x, y, method=method)
            found.append((parts.intrinsic.value, parts.extrinsic.value))
    return np.array(found).T


def test_bias_and_error_of_the_three_forms():
    """The unbiased form has no bias, which the other two have; the third has the least squared error, in both parts."""
    truth = (0.4, 0.6)
    found = {method: many_estimates(method, 8, 0.6, 3000, 63) for method in ("elowitz", "unbiased", "minimum_mse")}
    for part, exact in enumerate(truth):
        assert not deviates(found["unbiased"][part], exact)
        assert deviates(found["minimum_mse"][part], exact)
        errors = {method: (values[part] - exact) ** 2 for method, values in found.items()}
        for other in ("elowitz", "unbiased"):
            # the same samples behind both, so that the difference is what is tested
            assert np.mean(errors["minimum_mse"] - errors[other]) < 0
            assert deviates(errors["minimum_mse"] - errors[other], 0.0)
    assert deviates(found["elowitz"][1], truth[1])
    assert not deviates(found["elowitz"][0], truth[0])


def test_no_divisor_does_better_for_the_intrinsic_part():
    unbiased = many_estimates("unbiased", 8, 0.6, 3000, 64)[0]
    sums = 2 * 7 * unbiased
    errors = [np.mean((sums / (2 * divisor) - 0.4) ** 2) for divisor in (7, 8, 9, 10, 12)]
    assert np.argmin(errors) == 2  # n + 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    "shape_and_scale", [(25, 4), *(pytest.param(p, marks=pytest.mark.thorough) for p in [(4, 5), (4, 0.5)])]
)
def test_reporter_intervals_cover_from_20_cells(shape_and_scale, scaled):
    """Fewer covering than the binomial quantile of 94 % at `FALSE_POSITIVE` fails (measured: 94.6 % and more)."""
    n = scaled(200, 60)
    covered = coverage.cover_reporters(*shape_and_scale, 20, n, np.random.default_rng(65))
    assert min(covered) * n >= stats.binom.ppf(FALSE_POSITIVE, n, 0.94)


def test_intervals_hold_their_estimates():
    rng = np.random.default_rng(66)
    cell = rng.gamma(4, 5, 200)
    parts = decompose_dual_reporter(rng.poisson(cell), rng.poisson(cell))
    product = parts.intrinsic.value / parts.eta2_intrinsic.value
    for name in ("intrinsic", "extrinsic", "total"):
        one, scaled_one = getattr(parts, name), getattr(parts, f"eta2_{name}")
        low, high = one.interval()
        assert low < one.value < high
        assert scaled_one.interval() == pytest.approx((low / product, high / product))
        assert low > one.interval(0.99)[0]


def test_intervals_are_joined_from_two_variances():
    """Those of half the sum and half the difference, with the kurtosis of gamma laws, by the square-and-add rule."""
    rng = np.random.default_rng(68)
    cell = rng.uniform(20, 80, 25)  # less kurtosis than a gamma law, so that the law's is taken
    x, y = cell + rng.normal(0, 3, (2, 25))
    parts = decompose_dual_reporter(x, y)
    common, private = np.var((x + y) / 2, ddof=1), np.var((x - y) / 2, ddof=1)
    mean = np.mean([x, y])
    (c_low, c_high), (p_low, p_high) = (
        intervals.gamma_like_variance_interval(v, 25, (stats.kurtosis(z, fisher=False) - 22 / 24) / 25, 0.95, kurtosis)
        for v, z, kurtosis in (
            (common, x + y, lambda v: 6 * v / mean**2),
            (private, x - y, lambda v: 3 * (common + v) / mean**2),
        )
    )
    assert parts.intrinsic.interval() == pytest.approx((2 * p_low, 2 * p_high), rel=1e-6)
    for part, first, second in (
        (parts.extrinsic, (c_low, p_high), (c_high, p_low)),
        (parts.total, (c_low, p_low), (c_high, p_high)),
    ):
        low, high = (np.hypot(c - common, p - private) for c, p in (first, second))
        assert part.interval() == pytest.approx((part.value - low, part.value + high), rel=1e-6)
    # of a gamma law's sample the variance is wider than of a normal one's, n - 1 times chi-square
    assert c_high > common * 24 / stats.chi2.ppf(0.025, 24)


def test_reporters_of_different_brightness_are_flagged():
    rng = np.random.default_rng(67)
    cell = rng.gamma(4, 5, 300)
    x, y = rng.poisson(cell), rng.poisson(1.5 * cell)
    with pytest.warns(NotInterchangeableWarning, match=r"differ in mean.*calibrate"):
        elowitz = decompose_dual_reporter(x, y, method="elowitz")
    assert not elowitz.interchangeable
    with pytest.warns(NotInterchangeableWarning):
        unbiased = decompose_dual_reporter(x, y)
    extra = 0.5 * elowitz.mean_difference.value**2
    assert elowitz.intrinsic.value == pytest.approx(unbiased.intrinsic.value * 299 / 300 + extra)


def test_reporters_that_are_one():
    parts = decompose_dual_reporter([1, 2, 3, 4], [1, 2, 3, 4])
    assert parts.intrinsic.value == 0.0
    assert parts.interchangeable
    assert parts.extrinsic.value == pytest.approx(5 / 3)
    with pytest.warns(NotInterchangeableWarning):
        assert not decompose_dual_reporter([1, 2, 3, 4], [2, 3, 4, 5]).interchangeable


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4], {}, r"x and y must be of one length, both from each cell, got \(5, 4\)"),
        ([1, 2, 3], [1, 2, 3], {}, "x must be 4 numbers or more, got .3"),
        ([1, 2, 3, np.nan], [1, 2, 3, 4], {}, "x must be finite, got 1 of 4"),
        (np.ones((4, 2)), np.ones((4, 2)), {}, "x must be a row of numbers"),
        ([-1, 0, 0, 0], [1, 2, 3, 4], {}, "means of x and y must be above 0"),
        ([1, 2, 3, 4], [1, 2, 3, 4], {"method": "swain"}, "method must be 'elowitz', 'unbiased' or 'minimum_mse'"),
    ],
)
def test_reporters_that_do_not_fit(x, y, options, message):
    with pytest.raises(ParameterError, match=message):
        decompose_dual_reporter(x, y, **options)

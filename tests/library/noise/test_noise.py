"""Estimators: formulas by hand, coverage of intervals by simulation, and data that make no sense."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from acme_lib.errors import AcmeError, ParameterError
from acme_lib.noise import Estimate, coefficient_of_variation, estimate, fano_factor, squared_coefficient_of_variation
from tests.statistics import FALSE_POSITIVE

ESTIMATORS = [fano_factor, coefficient_of_variation, squared_coefficient_of_variation]
MEASURES = {
    fano_factor: lambda mean, var: var / mean,
    coefficient_of_variation: lambda mean, var: math.sqrt(var) / mean,
    squared_coefficient_of_variation: lambda mean, var: var / mean**2,
}


# --- Estimate -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (3.4142, 0.061, "3.41 ± 0.06"),
        (3.4142, 0.012, "3.414 ± 0.012"),
        (3.4142, 0.0196, "3.41 ± 0.02"),
        (12345.6, 321.0, "12346 ± 321"),
        (0.00123, 0.00004, "0.00123 ± 0.00004"),
        (1e-12, 2.6e-13, "1e-12 ± 3e-13"),
        (5.0, 0.0, "5 ± 0"),
        (5.0, math.nan, "5 ± nan"),
        (-2.5, 0.3, "-2.5 ± 0.3"),
    ],
)
def test_an_estimate_shows_what_its_error_leaves(value, stderr, text):
    assert repr(Estimate(value, stderr, 10)) == text


def test_estimates_of_many_numbers():
    many = Estimate(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.2, 0.2, 0.3, 0.4]), 10)
    assert repr(many) == "Estimate of shape (4,): 1.0 ± 0.2, 2.0 ± 0.2, 3.0 ± 0.3, …"
    assert repr(Estimate(np.ones((1, 2)), np.full((1, 2), 0.5), 9)) == "Estimate of shape (1, 2): 1.0 ± 0.5, 1.0 ± 0.5"
    low, high = many.interval(0.5)
    np.testing.assert_allclose(high - low, 2 * 0.6744897501960817 * many.stderr)
    assert not many.value.flags.writeable
    with pytest.raises(TypeError, match="holds 4 numbers"):
        float(many)


def test_an_estimate_as_a_number():
    one = Estimate(2.5, 0.1, 7)
    assert float(one) == 2.5
    assert one.interval() == pytest.approx((2.5 - 0.1959963984540054, 2.5 + 0.1959963984540054), rel=1e-14)
    with pytest.raises(AttributeError):
        one.value = 3


@pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.5, math.nan])
def test_levels_are_probabilities(level):
    with pytest.raises(ParameterError, match="level must be a number above 0 and below 1"):
        Estimate(2.5, 0.1, 7).interval(level)


# --- values and standard errors -----------------------------------------------------------------------------------


def test_values_by_hand():
    data = [1, 2, 3, 6]  # mean 3, sample variance 14/3
    assert fano_factor(data).value == pytest.approx(14 / 9, rel=1e-15)
    assert coefficient_of_variation(data).value == pytest.approx(math.sqrt(14 / 3) / 3, rel=1e-15)
    assert squared_coefficient_of_variation(data).value == pytest.approx(14 / 27, rel=1e-15)
    assert fano_factor(data).n == 4
    assert type(fano_factor(data).value) is float
    # Central moments 3.5, 4.5, 24.5; Var(s²) = (24.5 - 3.5²/3)/4, and the formula of the docstring.
    v = 14 / 3
    var_v = (24.5 - 3.5**2 / 3) / 4
    expected = var_v / 9 - 2 * v * (4.5 / 4) / 27 + v**2 * (3.5 / 4) / 81
    assert fano_factor(data).stderr == pytest.approx(math.sqrt(expected), rel=1e-14)
    expected = var_v / (4 * v * 9) - (4.5 / 4) / 27 + v * (3.5 / 4) / 81
    assert coefficient_of_variation(data).stderr == pytest.approx(math.sqrt(expected), rel=1e-14)
    expected = var_v / 81 - 4 * v * (4.5 / 4) / 243 + 4 * v**2 * (3.5 / 4) / 729
    assert squared_coefficient_of_variation(data).stderr == pytest.approx(math.sqrt(expected), rel=1e-14)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("law", [stats.poisson(8), stats.nbinom(4, 0.25), stats.gamma(3, scale=2)])
def test_standard_error_is_the_spread_of_estimates(estimator, law):
    """The mean squared standard error against the variance of the estimates over repetitions.

    That variance has a relative error of about sqrt((kurtosis - 1)/repetitions), for nearly normal estimates
    sqrt(2/repetitions); the tolerance is 5 of these, which a right formula fails with a probability below 1e-6, and two
    per cent for the terms of higher order.
    """
    repetitions = 2000
    samples = law.rvs((1500, repetitions), random_state=np.random.default_rng(11))
    result = estimator(samples)
    ratio = np.mean(result.stderr**2) / np.var(result.value, ddof=1)
    assert abs(ratio - 1) < 5 * math.sqrt(2 / repetitions) + 0.02


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("law", [stats.poisson(8), pytest.param(stats.nbinom(4, 0.25), marks=pytest.mark.thorough)])
def test_95_per_cent_intervals_cover_95_times_in_100(estimator, law):
    """The number of intervals that cover is binomial(repetitions, 0.95).

    It must lie between its quantiles of `FALSE_POSITIVE`/2 to either side: from 92.45 % to 97.2 %. (Intervals from
    2,000 samples of a skewed law cover a few parts in a thousand less than normal ones, which stays well inside.)
    """
    repetitions = 2000
    samples = law.rvs((2000, repetitions), random_state=np.random.default_rng(12))
    low, high = estimator(samples).interval()
    truth = MEASURES[estimator](law.mean(), law.var())
    covering = np.count_nonzero((low <= truth) & (truth <= high))
    least, most = stats.binom.ppf([FALSE_POSITIVE / 2, 1 - FALSE_POSITIVE / 2], repetitions, 0.95)
    assert least <= covering <= most


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_error_falls_as_the_root_of_the_sample(estimator):
    """Slope of log(stderr) against log(n): -1/2, to within the sampling error of the standard errors."""
    samples = np.random.default_rng(13).negative_binomial(4, 0.25, 2**18)
    sizes = 2 ** np.arange(10, 19)
    errors = [estimator(samples[:size]).stderr for size in sizes]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.03)


# --- arrays -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_columns_are_estimated_one_by_one(estimator):
    samples = np.random.default_rng(14).poisson(5, (50, 4, 3))
    whole = estimator(samples)
    assert whole.value.shape == whole.stderr.shape == (4, 3)
    assert whole.n == 50
    for i in range(4):
        for j in range(3):
            one = estimator(samples[:, i, j])
            assert whole.value[i, j] == pytest.approx(one.value, rel=1e-14)
            assert whole.stderr[i, j] == pytest.approx(one.stderr, rel=1e-12)
    turned = estimator(np.moveaxis(samples, 0, -1), axis=-1)
    np.testing.assert_allclose(turned.value, whole.value, rtol=1e-14)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_columns_without_a_mean_are_nan(estimator):
    """As at the start of a simulation, where all counts are 0."""
    result = estimator([[0, 3, 0], [0, 3, 4]])
    assert np.isnan(result.value[0])
    assert np.isnan(result.stderr[0])
    assert np.isfinite(result.value[1:]).all()


# --- data at the edge ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("constant", [3, 0.1])
def test_constant_data_have_no_noise_and_no_error(estimator, constant):
    result = estimator([constant] * 7)
    assert (result.value, result.stderr) == (0.0, 0.0)
    in_columns = estimator([[constant, 1]] * 3 + [[constant, 2]])
    assert (in_columns.value[0], in_columns.stderr[0]) == (0.0, 0.0)
    assert in_columns.value[1] > 0


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ([0, 0, 0], "divides by the mean, which is 0 for these 3 samples: it is not defined"),
        ([-1.0, 0.5], "samples must be at least 0 for a .*, got 1 of 2 below it"),
        ([5], "samples must be 2 or more along axis 0 for a .*, got 1"),
        ([], "samples must be 2 or more along axis 0 for a .*, got 0"),
        ([1.0, math.nan, math.inf], "samples must be finite, got 2 of 3 that are not"),
        (5.0, "samples must be an array of numbers, got 5.0"),
        (["a", "b"], "samples must be an array of numbers"),
        ([1j, 2j], "samples must be an array of numbers"),
        ([[1, 2], [3]], "samples must be an array of numbers"),
    ],
)
def test_data_that_make_no_sense(estimator, samples, words):
    with pytest.raises(ParameterError, match=words) as caught:
        estimator(samples)
    assert isinstance(caught.value, AcmeError)


def test_the_axis_exists():
    with pytest.raises(ParameterError, match="axis must be a whole number from -2 to 1, got 2"):
        fano_factor(np.ones((3, 3)), axis=2)


# --- properties ---------------------------------------------------------------------------------------------------

counts = st.lists(st.integers(0, 1000), min_size=2, max_size=40).filter(any)


@given(counts, st.integers(0, 10**6), st.floats(0.01, 100.0))
def test_order_and_units(data, seed, unit):
    """The order of samples does not matter; the Fano factor has the unit of the data, the others have none."""
    shuffled = np.random.default_rng(seed).permutation(data) * unit
    for estimator, power in [(fano_factor, 1), (coefficient_of_variation, 0), (squared_coefficient_of_variation, 0)]:
        before, after = estimator(data), estimator(shuffled)
        assert after.value == pytest.approx(before.value * unit**power, rel=1e-9)
        # The formula subtracts like numbers: rounding is measured against the value.
        assert after.stderr == pytest.approx(before.stderr * unit**power, rel=1e-6, abs=1e-7 * after.value)


@given(counts)
def test_the_square_is_the_square(data):
    squared, plain = squared_coefficient_of_variation(data), coefficient_of_variation(data)
    assert squared.value == pytest.approx(plain.value**2, rel=1e-12)
    assert squared.stderr == pytest.approx(2 * plain.value * plain.stderr, rel=1e-6, abs=1e-7 * squared.value)


def test_examples_in_the_docstrings():
    assert doctest.testmod(estimate).failed == 0

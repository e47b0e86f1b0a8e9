"""Averages over time and autocorrelation: integrals by hand, exact processes, and inputs that are something else."""

import warnings

import numpy as np
import pytest
from scipy import linalg, stats

import acme_lib as acme
from acme_lib.errors import ParameterError, ShortRecordWarning
from acme_lib.laws import two_stage_moments
from acme_lib.noise import autocorrelation, time_weighted_moments, trajectory_moments
from tests.statistics import FALSE_POSITIVE


def birth_death_events(k, gamma, end, seed):
    """Times and states of one trajectory from its mean, event by event."""
    rng = np.random.default_rng(seed)
    t, n = 0.0, int(k / gamma)
    times, counts = [t], [n]
    while True:
        t += rng.exponential(1 / (k + gamma * n))
        if t >= end:
            return np.array(times), np.array(counts)
        n += 1 if rng.random() < k / (k + gamma * n) else -1
        times.append(t)
        counts.append(n)


def simulate(text, start, times, size, seed, **rates):
    network = acme.ReactionNetwork.parse(text, **rates)
    return acme.simulate_ssa(network, start, times, size=size, rng=np.random.default_rng(seed))


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShortRecordWarning)
        return function(*args, **options)


# --- moments ----------------------------------------------------------------------------------------------------------


def test_integrals_by_hand():
    result = quietly(time_weighted_moments, [0.0, 1.0, 4.0], [2, 3, 1], end=8.0)
    assert result.mean.value == 15 / 8
    squares = (1 * 4 + 3 * 9 + 4 * 1) / 8
    assert result.variance.value - result.mean.stderr**2 == pytest.approx(squares - (15 / 8) ** 2, rel=1e-14)
    assert result.fano.value == pytest.approx(result.variance.value / result.mean.value)
    assert result.duration == 8.0
    # the standard error from 20 windows of 0.4
    edges = np.linspace(0, 8, 21)
    fine = np.array([2, 3, 1])[np.searchsorted([1.0, 4.0], np.arange(0.0005, 8, 0.001))]
    windows = fine.reshape(20, -1).mean(axis=1)
    assert len(edges) == 21
    assert result.mean.stderr == pytest.approx(windows.std(ddof=1) / np.sqrt(20), rel=1e-9)


def test_start_leaves_out_what_came_before():
    times, counts = [0.0, 1.0, 4.0], [2, 3, 1]
    cut = quietly(time_weighted_moments, times, counts, 8.0, start=2.0)
    again = quietly(time_weighted_moments, [2.0, 4.0], [3, 1], 8.0)
    assert (cut.mean.value, cut.duration) == (again.mean.value, again.duration) == (10 / 6, 6.0)


def test_a_birth_death_record():
    k, gamma, end = 10.0, 1.0, 1500.0
    times, counts = birth_death_events(k, gamma, end, 51)
    result = time_weighted_moments(times, counts, end)
    for estimate, exact in ((result.mean, 10.0), (result.variance, 10.0), (result.fano, 1.0)):
        low, high = estimate.interval(1 - FALSE_POSITIVE)
        assert low < exact < high
    # 20 windows give a standard error to sqrt(1/38) = 16 %: its chi-square quantiles at the stated rate
    exact = np.sqrt(2 * 10 / end)
    low, high = np.sqrt(stats.chi2.ppf([FALSE_POSITIVE / 2, 1 - FALSE_POSITIVE / 2], 19) / 19)
    assert low < result.mean.stderr / exact < high
    assert result.effective_samples * 2 * result.correlation_time == pytest.approx(end)
    # the misconception, far outside: events weight the state n by its total rate, E[n(k + n)]/E[k + n] = 10.5
    assert abs(counts.mean() - 10.5) < abs(counts.mean() - 10.0)


def test_intervals_of_a_trajectory_cover(scaled):
    """Counting: with 2,000 lifetimes in each, fewer than the binomial quantile of 93 % at `FALSE_POSITIVE` fails."""
    repetitions = scaled(200, 20)
    length = scaled(2000, 300)
    ensemble = simulate(
        "0 -> M : k\nM -> 0 : g", {"M": 10}, np.arange(10.0, length, 0.5), repetitions, 52, k=10.0, g=1.0
    )
    covered = np.zeros(3)
    for one in ensemble["M"]:
        result = quietly(trajectory_moments, one, 0.5)
        ends = np.array([e.interval() for e in (result.mean, result.variance, result.fano)])
        truth = np.array([10.0, 10.0, 1.0])
        covered += (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    assert np.all(covered >= stats.binom.ppf(FALSE_POSITIVE, repetitions, 0.93))


def test_evenly_sampled_is_the_same_integral():
    counts = np.random.default_rng(53).poisson(10, 200)
    sampled = quietly(trajectory_moments, counts, 0.5)
    assert sampled.mean.value == pytest.approx(counts.mean())
    assert sampled.variance.value - sampled.mean.stderr**2 == pytest.approx(counts.var())
    assert sampled.duration == 100.0


def test_a_short_record_warns_and_nothing_changing_warns():
    with pytest.warns(ShortRecordWarning, match="worth about .* independent samples"):
        time_weighted_moments([0.0, 1.0, 4.0], [2, 3, 1], 8.0)
    with pytest.warns(ShortRecordWarning, match="nothing changed"):
        result = trajectory_moments(np.full(50, 3), 1.0)
    assert (result.mean.value, result.variance.value) == (3.0, 0.0)
    assert result.variance.interval() == (0.0, np.inf)


@pytest.mark.parametrize(
    ("times", "counts", "end", "message"),
    [
        (np.arange(50.0), np.arange(50), 60.0, r"evenly spaced.*trajectory_moments.*fano_factor"),
        ([0.0, 1.0], [1, 2, 3], 5.0, "counts must be one at each of the 2 times, got .3"),
        ([0.0, 2.0, 1.0], [1, 2, 3], 5.0, "do not fall"),
        ([0.0, 2.0], [1, 2], 2.0, "end must be a number above 2, got 2.0"),
        ([0.0, 2.0], [1, 2], np.nan, "end must be a number above 2"),
        ([0.0, 2.0], np.ones((2, 3)), 5.0, "counts must be a row of numbers"),
        ([0.0, np.inf], [1, 2], 5.0, "times must be finite"),
        ([], [], 5.0, "times must be 1 numbers or more"),
        ([0.0, 2.0], [1, -2], 5.0, "counts must be at least 0, got 1 of 2 below it"),
    ],
)
def test_records_that_are_something_else(times, counts, end, message):
    with pytest.raises(ParameterError, match=message):
        time_weighted_moments(times, counts, end)


def test_start_outside_the_record():
    with pytest.raises(ParameterError, match="start must be a number of at least 0 and below 5, got 6.0"):
        time_weighted_moments([0.0, 2.0], [1, 2], 5.0, start=6.0)


@pytest.mark.parametrize(
    ("counts", "dt", "message"),
    [
        (np.ones((30, 50)), 0.1, r"30 trajectories at 50 times.*fano_factor\(counts\[:, i\]\)"),
        (np.ones(50), np.arange(50.0), "time_weighted_moments"),
        (np.ones(50), -1.0, "dt must be the one time between samples"),
        (-np.ones(50), 1.0, "counts must be at least 0"),
        (np.ones(30), 1.0, "counts must be 40 numbers or more"),
    ],
)
def test_trajectories_that_are_something_else(counts, dt, message):
    with pytest.raises(ParameterError, match=message):
        trajectory_moments(counts, dt)


# --- autocorrelation --------------------------------------------------------------------------------------------------


def within_errors(result, exact):
    """All lags at once: the largest deviation, in errors, against Student's t with the stated rate over all lags."""
    steps = len(exact) - 1
    limit = stats.t.isf(FALSE_POSITIVE / (2 * steps), result.correlation.n - 1)
    z = (result.correlation.value[1:] - exact[1:]) / result.correlation.stderr[1:]
    return np.max(np.abs(z)) < limit


def test_birth_death_forgets_exponentially(scaled):
    ensemble = simulate(
        "0 -> M : k\nM -> 0 : g", {"M": 20}, np.arange(10, scaled(400, 60), 0.25), 30, 54, k=40.0, g=2.0
    )
    counts = ensemble["M"]
    many = autocorrelation(counts, 0.25, max_lag=2.0)
    assert within_errors(many, np.exp(-2 * many.lags))
    assert (many.correlation.value[0], many.correlation.stderr[0]) == (1.0, 0.0)
    assert many.mean == counts.mean()
    one = autocorrelation(np.concatenate(counts[:1]), 0.25, max_lag=2.0)
    assert within_errors(one, np.exp(-2 * one.lags))
    assert one.correlation.n == 20
    assert not within_errors(many, np.exp(-3 * many.lags)) or counts.shape[1] < 1000


def two_stage_correlation(k_p, g_m, g_p, tau):
    """The formula of the docstring."""
    fano = 1 + k_p / (g_m + g_p)
    w_m = -k_p * g_p / (g_m**2 - g_p**2)
    return (w_m * np.exp(-g_m * tau) + (fano - w_m) * np.exp(-g_p * tau)) / fano


def test_the_formula_of_the_two_stage_protein():
    k_m, k_p, g_m, g_p = 6.0, 8.0, 3.0, 1.0
    exact = two_stage_moments(k_m, k_p, g_m, g_p)
    drift = np.array([[-g_m, 0.0], [k_p, -g_p]])
    covariance = np.array([[exact.var_m, exact.cov], [exact.cov, exact.var_p]])
    for tau in (0.0, 0.3, 1.0, 4.0):
        expected = (linalg.expm(drift * tau) @ covariance)[1, 1] / exact.var_p
        assert two_stage_correlation(k_p, g_m, g_p, tau) == pytest.approx(expected, rel=1e-12)


def test_two_stage_protein(scaled):
    text = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\nP -> 0 : g_p"
    rates = {"k_m": 6.0, "k_p": 8.0, "g_m": 3.0, "g_p": 1.0}
    ensemble = simulate(text, {"M": 2, "P": 16}, np.arange(12, scaled(600, 40), 0.25), 24, 55, **rates)
    result = autocorrelation(ensemble["P"], 0.25, max_lag=3.0)
    assert within_errors(result, two_stage_correlation(8.0, 3.0, 1.0, result.lags))


def test_jackknife_by_leaving_out():
    """The error at one lag against 24 estimates, each really made without one trajectory."""
    counts = np.random.default_rng(56).poisson(8, (24, 60)) + np.arange(24)[:, None] % 3
    result = autocorrelation(counts, 1.0, max_lag=2.0)
    shift = result.covariance[0] - autocovariance(counts, 0)
    replicas = []
    for i in range(24):
        rest = np.delete(counts, i, axis=0)
        replicas.append((autocovariance(rest, 2, counts) + shift) / (autocovariance(rest, 0, counts) + shift))
    assert result.correlation.stderr[2] == pytest.approx(np.sqrt(23**2 / 24 * np.var(replicas, ddof=1)), rel=1e-9)


def autocovariance(x, lag, whole=None):
    x = x - (x if whole is None else whole).mean()
    mean = x.mean()
    pairs = x[:, : x.shape[1] - lag], x[:, lag:]
    return np.mean(pairs[0] * pairs[1]) - mean * (pairs[0].mean() + pairs[1].mean()) + mean**2


@pytest.mark.parametrize(
    ("counts", "dt", "lag", "message"),
    [
        (np.ones((2, 3, 4)), 1.0, 1.0, r"shape \(time,\) or \(trajectory, time\)"),
        (np.full((2, 50), np.nan), 1.0, 1.0, "got 100 that are not"),
        (np.arange(50), 0.0, 1.0, "dt must be a positive number"),
        (np.arange(50), 1.0, 30.0, "max_lag must be a number of at least 0 and of at most 25"),
        (np.arange(50), 1.0, 20.0, "too few for errors"),
        (np.full(200, 3), 1.0, 2.0, "nothing changes"),
    ],
)
def test_no_autocorrelation(counts, dt, lag, message):
    with pytest.raises(ParameterError, match=message):
        autocorrelation(counts, dt, lag)


def test_default_lag_is_a_tenth_of_the_record():
    assert autocorrelation(np.random.default_rng(57).poisson(5, 400), 0.5).lags[-1] == 20.0


def test_covariance_of_one_trajectory():
    counts = np.random.default_rng(58).poisson(5, 400)
    result = autocorrelation(counts, 1.0, max_lag=3.0)
    shift = result.covariance[0] - counts.var()
    assert 0 < shift < 0.1 * counts.var()
    for lag in range(4):
        assert result.covariance[lag] - shift == pytest.approx(autocovariance(counts[None], lag), rel=1e-9, abs=1e-9)

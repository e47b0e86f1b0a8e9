"""Agent-based populations against exact laws and against equations; checks state their false-positive rate."""

import numpy as np
import pytest
from scipy import stats

import acme_lib as acme
from acme_lib import laws
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.processes import PowerLawKernel
from acme_lib.processes.division import check_partition
from acme_lib.random_stream import start_stream
from acme_lib.simulate import population
from acme_lib.simulate.daughters import divide, partition_codes
from tests.statistics import FALSE_POSITIVE


def z_of(n):
    """Return the quantile of errors that are measured from n replicates."""
    return stats.t.isf(FALSE_POSITIVE / 2, n - 1)


def grow(text, x0, t, *, seed=1, **options):
    network = acme.ReactionNetwork.parse(text, **options.pop("parameters", {}))
    return acme.simulate_population(network, x0, t, rng=np.random.default_rng(seed), progress=False, **options)


@pytest.mark.jit
def test_growth_and_division_have_the_exact_profile():
    """Growth V, uniform divisions at V²: the number grows at the rate 1, the profile tends to half a normal."""
    rule = acme.Hazard("V**2", share="uniform")
    size, replicates = 8000, 40
    options = {"division": rule, "size": size, "replicates": replicates}
    cells = grow("0 => V : V", {"V": 1.0}, [0, 4, 8], continuous=["V"], **options)
    z = z_of(replicates)
    rate, error = cells.growth_rate(start=4)
    assert abs(rate - 1.0) < z * error < 0.05
    edges = np.linspace(0.0, 2.0, 9)
    density, stderr = cells.profile("V", edges, 8.0)
    expected = 2 * np.diff(stats.norm.cdf(edges)) / np.diff(edges)
    assert np.all(np.abs(density - expected) < z * stderr) and np.all(z * stderr < 0.5 * expected)
    # the total volume grows as e^t exactly on average: number times mean volume
    mean, _ = cells.mean("V", 4.0)
    totals = np.exp(cells.log_size[:, 1] - 4.0) * cells["V"][:, 1].mean(axis=1)
    error = totals.std(ddof=1) / np.sqrt(replicates)
    assert abs(totals.mean() - 1.0) < z * error < 0.12
    assert cells.mean(lambda cell: cell["V"] ** 2, 4.0)[0] > mean**2
    assert "Population of" in repr(cells) and cells["V"].shape == (replicates, 3, size // replicates)


@pytest.mark.jit
def test_selection_has_the_dominant_mode():
    omega, size, replicates = 20, 2000, 10
    text, values = "0 => X : L*X*(1 - X/W)\nX -> 0 : 1", {"L": 3.0, "W": float(omega)}
    options = {"parameters": values, "growth": "0.5*X/W", "size": size, "replicates": replicates}
    people = grow(text, {"X": round(0.6 * omega)}, [0, 4, 8], **options)
    mode = laws.selected_logistic_mode(3.0, 0.5, omega)
    z = z_of(replicates)
    rate, error = people.growth_rate(start=4)
    assert abs(rate - mode.rate) < z * error
    mean, stderr = people.mean("X", 8.0)
    assert abs(mean - mode.profile @ mode.states) < z * stderr


@pytest.mark.jit
def test_death_and_growth_cancel_in_the_mean():
    options = {"growth": "1.5", "death": "0.5", "size": 80_000, "replicates": 20}
    people = grow("M -> 0 : c", {"M": 1}, [0, 1, 2], parameters={"c": 0.0}, **options)
    rate, error = people.growth_rate()
    assert abs(rate - 1.0) < z_of(20) * error < 0.025
    number, stderr = people.size(2.0)
    assert abs(number - np.exp(2.0)) < z_of(20) * stderr


def test_daughters_have_what_the_mother_had():
    """Volume and molecules, at every share and in every way of partition."""
    with np.errstate(all="ignore"):  # in plain Python hash arithmetic wraps around
        stream = start_stream(np.arange(4, dtype=np.uint64), 0)
    kinds = {"M": "count", "V": "continuous", "W": "continuous", "N": "count"}
    ways = partition_codes(check_partition({"W": "equal", "N": "equal"}, kinds), kinds)
    shares = [
        (PowerLawKernel(0.0), 0.5, 12**-0.5),
        (acme.BetaFraction(2.0, 3.0), 0.4, 0.2),
        (acme.FixedFraction(0.3), 0.3, 0.0),
    ]
    for share, mean, deviation in shares:
        found = []
        for _ in range(200):
            x, sister = np.array([31.0, 2.5, 7.0, 9.0, 1.0]), np.ones(5)
            with np.errstate(all="ignore"):
                stream = divide(x, sister, np.array(share.law), ways, tuple(np.uint64(s) for s in stream))
            np.testing.assert_allclose(x[:4] + sister[:4], [31.0, 2.5, 7.0, 9.0], rtol=1e-14)
            assert np.all(x >= 0) and x[2] == 3.5 and x[3] in (4.0, 5.0) and x[0] == np.floor(x[0])
            found.append(x[1] / 2.5)
        assert abs(np.mean(found) - mean) < 5 * deviation / np.sqrt(200) + 1e-12


def test_same_seed_same_population_on_any_threads():
    rule = acme.Hazard("V**2", share=acme.BetaFraction(2.0, 2.0))
    options = {"continuous": ["V"], "division": rule, "growth": "0.2", "death": "0.1", "size": 40, "replicates": 4}
    one, two = (grow("0 => V : V", {"V": 1.0}, [0, 1], threads=n, **options) for n in (1, 2))
    assert np.array_equal(one.individuals, two.individuals) and np.array_equal(one.log_size, two.log_size)
    assert np.all(one["V"][:, 0] == 1.0) and np.all(one.log_size[:, 0] == 0.0)


def test_founders_may_differ():
    starts = np.linspace(0.5, 1.5, 20)
    cells = grow("0 => V : V", {"V": starts}, 1.0, continuous=["V"], size=20, replicates=2)
    np.testing.assert_allclose(np.sort(cells["V"][:, -1].ravel()), np.e * starts, rtol=1e-6)
    single = grow("0 => V : V", {"V": 1.0}, 1.0, continuous=["V"], size=20, replicates=1)
    rate, error = single.growth_rate()
    assert rate == 0.0 and np.isnan(error)  # nobody divides


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"size": 21, "replicates": 2}, ParameterError, "must fill"),
        ({"size": 4, "replicates": 4}, ParameterError, "must fill"),
        pytest.param({"growth": "1e6"}, PropensityError, "grows more than|dies out", marks=pytest.mark.jit),
        ({"death": "1e6"}, PropensityError, "dies out"),
        ({"death": "V - 2"}, PropensityError, "rate of jumps is negative"),
        ({"max_events": 2, "growth": "5"}, PropensityError, "max_events=2"),
        ({"growth": "Q"}, ParameterError, "neither a species"),
        ({"division": acme.Timer(1.0)}, ParameterError, "simulate_population cannot divide by a Timer"),
        ({"islands": 4}, ParameterError, "takes replicates in place of islands: write replicates=4"),
        ({"rtol": 1e-5}, ParameterError, "takes tolerance in place of rtol: write tolerance=1e-05"),
    ],
)
def test_bad_input_is_named(change, error, words):
    options = {"continuous": ["V"], "size": 20, "replicates": 2} | change
    with pytest.raises(error, match=words):
        grow("0 => V : V", {"V": 1.0}, 1.0, **options)


def test_bad_questions_are_named():
    cells = grow("0 => V : V", {"V": 1.0}, [0.0, 1.0], continuous=["V"], size=20, replicates=2)
    with pytest.raises(ParameterError, match="'Q' is not a species"):
        cells["Q"]
    with pytest.raises(ParameterError, match="was not recorded"):
        cells.mean("V", 0.5)
    with pytest.raises(ParameterError, match="start before its end"):
        cells.growth_rate(start=1.0)
    with pytest.raises(PropensityError, match="leads below zero"):
        grow("0 => V : V\nM => 0 : 1", {"V": 1.0}, 5.0, continuous=["V"], size=20, replicates=2)


def test_two_replicates_are_enough_for_a_standard_error():
    assert population._mean_of_replicates(np.array([1.0, 3.0])) == (2.0, 1.0)  # the spread of two, √2, over √2
    assert np.isnan(population._mean_of_replicates(np.array([[1.0]]))[1])

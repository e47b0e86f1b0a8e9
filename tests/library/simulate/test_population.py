"""Agent-based populations against exact laws and against equations; checks state their false-positive rate."""

import numpy as np
import pytest
from scipy import stats

import acme_lib as acme
from acme_lib import laws
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.simulate import jump_drift

FALSE_POSITIVE = 1e-6  # with fixed seeds a failure means a change, not chance


def z_of(n):
    """Return the quantile of errors that are measured from n islands."""
    return stats.t.isf(FALSE_POSITIVE / 2, n - 1)


def grow(text, x0, t, *, seed=1, **options):
    network = acme.ReactionNetwork.parse(text, **options.pop("parameters", {}))
    return acme.simulate_population(network, x0, t, rng=np.random.default_rng(seed), progress=False, **options)


@pytest.mark.jit
def test_growth_and_division_have_the_exact_profile():
    """Growth V, uniform divisions at V²: the number grows at the rate 1, the profile tends to half a normal."""
    rule = acme.Hazard("V**2", share="uniform")
    size, islands = 3200, 16
    options = {"division": rule, "size": size, "islands": islands}
    cells = grow("0 => V : V", {"V": 1.0}, [0, 4, 8], continuous=["V"], **options)
    z = z_of(islands)
    rate, error = cells.growth_rate(start=4)
    assert abs(rate - 1.0) < z * error
    edges = np.linspace(0.0, 2.0, 9)
    density, stderr = cells.profile("V", edges, 8.0)
    expected = 2 * np.diff(stats.norm.cdf(edges)) / np.diff(edges)
    assert np.all(np.abs(density - expected) < z * np.maximum(stderr, 1e-12))
    # the total volume grows as e^t exactly on average: number times mean volume
    number, _ = cells.size(4.0)
    mean, mean_error = cells.mean("V", 4.0)
    assert abs(number * mean / np.exp(4.0) - 1.0) < 0.15
    assert cells.mean(lambda cell: cell["V"] ** 2, 4.0)[0] > mean**2
    assert "Population of" in repr(cells) and cells["V"].shape == (islands, 3, size // islands)


@pytest.mark.jit
def test_selection_has_the_dominant_mode():
    omega, size, islands = 20, 2000, 10
    text, values = "0 => X : L*X*(1 - X/W)\nX -> 0 : 1", {"L": 3.0, "W": float(omega)}
    options = {"parameters": values, "growth": "0.5*X/W", "size": size, "islands": islands}
    people = grow(text, {"X": round(0.6 * omega)}, [0, 4, 8], **options)
    mode = laws.selected_logistic_mode(3.0, 0.5, omega)
    z = z_of(islands)
    rate, error = people.growth_rate(start=4)
    assert abs(rate - mode.rate) < z * error
    mean, stderr = people.mean("X", 8.0)
    assert abs(mean - mode.profile @ mode.states) < z * stderr


@pytest.mark.jit
def test_death_and_growth_cancel_in_the_mean():
    options = {"growth": "1.5", "death": "0.5", "size": 60_000, "islands": 20}
    people = grow("M -> 0 : c", {"M": 1}, [0, 1, 2], parameters={"c": 0.0}, **options)
    rate, error = people.growth_rate()
    assert abs(rate - 1.0) < z_of(20) * error < 0.025
    number, stderr = people.size(2.0)
    assert abs(number - np.exp(2.0)) < z_of(20) * stderr


def test_daughters_have_what_the_mother_had():
    """Volume and molecules, at every share and in every way of partition."""
    with np.errstate(all="ignore"):  # in plain Python hash arithmetic wraps around
        stream = jump_drift.start_stream(np.arange(4, dtype=np.uint64), 0)
    ways = np.array([jump_drift.BINOMIAL, jump_drift.PROPORTIONAL, jump_drift.EQUAL, jump_drift.EQUAL_COUNTS])
    for law in ((jump_drift.UNIFORM, 0.0, 1.0), (jump_drift.BETA, 2.0, 3.0), (jump_drift.FIXED, 0.3, 0.0)):
        shares = []
        for _ in range(200):
            x, sister = np.array([31.0, 2.5, 7.0, 9.0, 1.0]), np.ones(5)
            with np.errstate(all="ignore"):
                stream = jump_drift.divide(x, sister, np.array(law), ways, tuple(np.uint64(s) for s in stream))
            np.testing.assert_allclose(x[:4] + sister[:4], [31.0, 2.5, 7.0, 9.0], rtol=1e-14)
            assert np.all(x >= 0) and x[2] == 3.5 and x[3] in (4.0, 5.0) and x[0] == np.floor(x[0])
            shares.append(x[1] / 2.5)
        exact = {jump_drift.UNIFORM: (0.5, 12**-0.5), jump_drift.BETA: (0.4, 0.2), jump_drift.FIXED: (0.3, 0.0)}
        mean, deviation = exact[law[0]]
        assert abs(np.mean(shares) - mean) < 5 * deviation / np.sqrt(200) + 1e-12


def test_same_seed_same_population_on_any_threads():
    rule = acme.Hazard("V**2", share=("beta", 2.0, 2.0))
    options = {"continuous": ["V"], "division": rule, "size": 40, "islands": 4}
    one, two = (grow("0 => V : V", {"V": 1.0}, [0, 1], threads=n, **options) for n in (1, 2))
    assert np.array_equal(one.individuals, two.individuals) and np.array_equal(one.log_size, two.log_size)
    assert np.all(one["V"][:, 0] == 1.0) and np.all(one.log_size[:, 0] == 0.0)


def test_founders_may_differ():
    starts = np.linspace(0.5, 1.5, 20)
    cells = grow("0 => V : V", {"V": starts}, 1.0, continuous=["V"], size=20, islands=2)
    np.testing.assert_allclose(np.sort(cells["V"][:, -1].ravel()), np.e * starts, rtol=1e-6)
    single = grow("0 => V : V", {"V": 1.0}, 1.0, continuous=["V"], size=20, islands=1)
    assert np.isnan(single.growth_rate()[1])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"size": 21, "islands": 2}, ParameterError, "must fill"),
        ({"size": 4, "islands": 4}, ParameterError, "must fill"),
        ({"growth": "1e6"}, PropensityError, "grows more than|dies out"),
        ({"death": "1e6"}, PropensityError, "dies out"),
        ({"death": "V - 2"}, PropensityError, "rate of jumps is negative"),
        ({"max_events": 2, "growth": "5"}, PropensityError, "max_events=2"),
        ({"growth": "Q"}, ParameterError, "neither a species"),
    ],
)
def test_bad_input_is_named(change, error, words):
    options = {"continuous": ["V"], "size": 20, "islands": 2} | change
    with pytest.raises(error, match=words):
        grow("0 => V : V", {"V": 1.0}, 1.0, **options)


def test_bad_questions_are_named():
    cells = grow("0 => V : V", {"V": 1.0}, [0.0, 1.0], continuous=["V"], size=20, islands=2)
    with pytest.raises(ParameterError, match="'Q' is not a species"):
        cells["Q"]
    with pytest.raises(ParameterError, match="was not recorded"):
        cells.mean("V", 0.5)
    with pytest.raises(ParameterError, match="start before its end"):
        cells.growth_rate(start=1.0)
    with pytest.raises(PropensityError, match="leads below zero"):
        grow("0 => V : V\nM => 0 : 1", {"V": 1.0}, 5.0, continuous=["V"], size=20, islands=2)

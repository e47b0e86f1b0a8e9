"""Work that would never end, or not fit, is refused before it starts, and its cost said; against known growth."""

import time
import warnings

import numpy as np
import pytest
from scipy import stats

import acme_lib as acme
from acme_lib import models
from acme_lib.arrays import sort_once
from acme_lib.errors import LargeProblemWarning, StateSpaceError
from acme_lib.master.foresight import ARRIVED, GROWS, SETTLED, follow_mean

parse = acme.ReactionNetwork.parse
SECONDS = 20.0  # far below what these took (minutes, or for ever), far above a second, for a busy machine


@pytest.mark.parametrize(
    ("text", "start", "words"),
    [
        ("0 -> M : 1", {}, "M is made and no reaction takes it away"),
        ("0 -> M : 3\nM -> M + P : 1\nM -> 0 : 1", {"M": 1}, "P is made and no reaction takes it away"),
        ("0 -> X : 1\nX -> 2 X : 1.1\nX -> 0 : 1", {}, "grow without bound on average"),
        ("0 -> X : 1\nX -> 2 X : 1\nX -> 0 : 1", {}, "grow without bound on average"),
        ("X -> 2 X : 1.1\nX -> 0 : 1", {"X": 5}, "grow without bound on average.*even where some runs die out"),
        ("2 A -> 3 A : 1\nA -> 0 : 1", {"A": 10}, "grow without bound on average"),
        ("0 => M : 1\nM => 0 : (M > 0)", {}, "reaches to the largest counts, however large they are"),
        ("0 -> M : 1e9\nM -> 0 : 1", {}, "states and more than the 33554432 that fit"),
    ],
)
def test_no_stationary_law_is_said_at_once(text, start, words):
    begun = time.perf_counter()
    with pytest.raises(StateSpaceError, match=words) as error:
        acme.solve_stationary(parse(text), x0=start or None, progress=False)
    assert time.perf_counter() - begun < SECONDS
    assert "max_states" not in str(error.value)  # it takes no such argument


@pytest.mark.parametrize("mean", [0.01, 3.7, 400.0, 25_000.0])
def test_a_law_that_exists_is_found_wherever_it_lies(mean):
    law = acme.solve_stationary(models.birth_death(k=mean, g=1.0), progress=False)
    p = law.marginal("M")
    assert 0.5 * np.abs(p - stats.poisson.pmf(np.arange(len(p)), mean)).sum() < 1e-9
    assert law.residual < 1e-12


def test_a_large_law_says_its_cost_and_comes():
    begun = time.perf_counter()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        law = acme.solve_stationary(models.birth_death(k=9e5), progress=False)
    assert {w.category for w in heard} == {LargeProblemWarning}
    assert "states: assembling the generator needs about" in str(heard[0].message)
    assert time.perf_counter() - begun < 3 * SECONDS
    assert law.mean("M") == pytest.approx(9e5, rel=1e-9)
    assert law.fano_factor("M") == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "start", "t", "words"),
    [
        ("2 A -> 3 A : 1", {"A": 10}, 10.0, r"grow beyond .* at about t=0.2\d*, before t=10"),
        ("A -> 2 A : 1", {"A": 10}, 20.0, r"the count of A is about 4.\d*e\+09 ± 1.\d*e\+09"),
        ("A -> 2 A : 1", {"A": 10}, 40.0, "no state space holds"),
    ],
)
def test_a_projection_that_explodes_is_refused_at_once(text, start, t, words):
    begun = time.perf_counter()
    with pytest.raises(StateSpaceError, match=words):
        acme.solve_finite_state_projection(parse(text), start, t, progress=False)
    assert time.perf_counter() - begun < SECONDS


def test_what_is_foreseen_is_the_mean_and_a_spread():
    grown = follow_mean(parse("A -> 2 A : 1"), np.array([10]), 3.0)  # Yule: 10 e^3, variance 10 e^3 (e^3 - 1)
    assert grown.verdict == ARRIVED and grown.time == pytest.approx(3.0)
    assert grown.counts[0] == pytest.approx(10 * np.exp(3.0), rel=0.02)
    assert grown.spread[0] == pytest.approx(np.sqrt(10 * np.exp(3.0) * np.expm1(3.0)), rel=0.06)
    settled = follow_mean(models.two_stage(k_m=10, k_p=5, g_m=1, g_p=0.5), np.array([0, 0]))
    assert settled.verdict == SETTLED
    np.testing.assert_allclose(settled.counts, [10, 100], rtol=0.1)
    assert follow_mean(parse("0 -> M : 1"), np.array([0])).verdict == GROWS
    pulse = follow_mean(parse("0 => M : k*(t < 1)\nM -> 0 : 1", k=8.0), np.array([0]), 1.0)
    assert pulse.counts[0] == pytest.approx(8 * -np.expm1(-1.0), rel=0.02)


def test_sorting_keeps_each_value_once():
    for values in ([], [3], [2, 1, 2, 2, 0], np.arange(2_000_000)[::-1]):
        np.testing.assert_array_equal(sort_once(np.array(values, dtype=int)), sorted(set(np.array(values).tolist())))

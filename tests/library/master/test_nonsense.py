"""What means nothing is refused in words, and what is lawful but surely not meant is said."""

import warnings

import numpy as np
import pytest

import acme_lib as acme
from acme_lib import models
from acme_lib.errors import ParameterError, StateSpaceError


def small_generator():
    network = models.birth_death()
    return acme.build_generator(network, acme.StateSpace.box(network, M=20), boundary="reflecting")


@pytest.mark.parametrize(
    "ask",
    [
        lambda g: acme.find_first_passage_moments(g, "M"),
        lambda g: acme.solve_stationary(g).probability("M"),
        lambda g: acme.solve_stationary(g).conditional("M", given="M + 1"),
        lambda g: g.space.restrict("2*M"),
        lambda g: acme.find_splitting_probabilities(g, "M == 3", "M"),
    ],
)
def test_a_condition_is_true_or_false(ask):
    with pytest.raises(StateSpaceError, match="a condition must be true or false, got .*: compare, as in 'M >= 100'"):
        ask(small_generator())


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: acme.solve_stationary(5), "generator must be a Generator, got 5"),
        (lambda: acme.solve_transient(5, {}, 1.0), "generator must be a Generator, got 5"),
        (lambda: acme.solve_first_passage(5, "M > 3", {}, 1.0), "generator must be a Generator, got 5"),
        (lambda: acme.find_transient_sensitivity(5, {}, 1.0, "k"), "generator must be a Generator, got 5"),
        (lambda: acme.solve_finite_state_projection(5, {}, 1.0), "network must be a ReactionNetwork, got 5"),
        (lambda: acme.build_generator(5, 6, boundary="absorbing"), "network must be a ReactionNetwork, got 5"),
        (lambda: acme.build_generator(models.sis(), 6, boundary="absorbing"), "space must be a StateSpace, got 6"),
        (lambda: acme.compare(5), "network must be a ReactionNetwork, got 5"),
    ],
)
def test_what_is_no_generator_or_network_is_refused(ask, words):
    with pytest.raises(ParameterError, match=words):
        ask()


@pytest.mark.parametrize("keys", [[5], [-1], [1, 1], [1, 0], [[0, 1]]])
def test_positions_of_states_lie_in_their_box(keys):
    with pytest.raises(StateSpaceError, match="keys must be increasing positions in the box, from 0 to 1, got"):
        acme.StateSpace(("A",), (2,), np.array(keys))


@pytest.mark.parametrize("start", [{}, {"M": 7}])
def test_a_gene_without_a_state_is_said(start):
    with pytest.warns(acme.EmptyStartWarning, match=r"OFF \+ ON = 0, which no reaction changes.*\{'OFF': 1\}"):
        acme.simulate_ssa(models.telegraph(), start, 1.0, size=2, rng=np.random.default_rng(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        acme.simulate_ssa(models.telegraph(), {"OFF": 1}, 1.0, size=2, rng=np.random.default_rng(1))
        given = acme.ReactionNetwork.parse("A <-> B : 1, 2\nat 1 : A = 3")  # an event brings what is missing
        assert acme.simulate_ssa(given, {}, 2.0, size=2, rng=np.random.default_rng(1)).counts[:, -1].sum() == 6


def test_a_stationary_law_of_a_gene_without_a_state_is_said():
    with pytest.warns(acme.EmptyStartWarning, match=r"OFF \+ ON = 0, which no reaction changes.*\{'OFF': 1\}"):
        assert acme.solve_stationary(models.telegraph()).mean("M") == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert acme.solve_stationary(models.telegraph(), x0={"OFF": 1}).mean("M") > 1
        acme.solve_stationary(acme.ReactionNetwork.parse("0 <-> M : 3, 1"))  # nothing conserved, nothing to give


@pytest.mark.parametrize(
    ("line", "first"),
    [("at 0 : A = 50", 50), ("at -3 : A = 50", 50), ("at 0.25 : A = 50", 0), ("when t >= 0 : A = 50", 0)],
)
def test_an_event_at_the_start_happens(line, first):
    network = acme.ReactionNetwork.parse(f"{line}\nA -> B : g", g=0.5)
    ensemble = acme.simulate_ssa(network, {}, [0.0, 1.0], size=3, rng=np.random.default_rng(2))
    total = ensemble.counts.sum(axis=2)
    assert np.all(total[:, 0] == first)
    assert np.all(total[:, 1] == (0 if line.startswith("when") else 50))
    again = acme.ReactionNetwork.parse(str(network), g=0.5)  # the network's text says it
    assert again.events[0].initially is network.events[0].initially


def test_species_named_twice_are_refused():
    network = models.birth_death()
    with pytest.raises(ParameterError, match="the species 'M' is named twice"):
        acme.ReactionNetwork.build(("M", "M"), network.reactions, parameters=dict(network.parameters))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: models.sis(N=1.5), "N must be a whole number of at least 1, got 1.5"),
        (lambda: models.toggle_switch(K=-1), "K must be a positive number, got -1"),
        (lambda: models.telegraph(k_on=-0.1), "k_on must be a number of at least 0, got -0.1"),
        (lambda: models.logistic(K=0), "K must be a positive number, got 0"),
        (lambda: models.bursty_autoregulation(B=np.nan), "B must be a positive number, got nan"),
        (lambda: models.schlogl(k_2="1"), "k_2 must be a number of at least 0, got '1'"),
    ],
)
def test_models_refuse_what_means_nothing(ask, words):
    with pytest.raises(ParameterError, match=words):
        ask()


def test_results_are_short_in_print():
    network = models.two_stage()
    space = acme.StateSpace.box(network, M=30, P=150)
    closed = acme.build_generator(network, space, boundary="reflecting")
    opened = acme.build_generator(network, space, boundary="absorbing")
    shown = {
        repr(closed): "states (M=0..30, P=0..150), reflecting",
        repr(acme.solve_stationary(closed)): "StationaryDistribution on 4,681 states (M=0..30, P=0..150): mean M ",
        repr(acme.solve_transient(opened, {}, [1.0, 2.0])): "TransientDistribution at t = 1, 2 on 4,681 states",
        repr(acme.solve_finite_state_projection(network, {}, 1.0)): "ProjectedDistribution at 1 times on up to ",
        repr(acme.find_first_passage_moments(closed, "M >= 20")): "to 1,661 of 4,681 states",
        repr(acme.solve_first_passage(closed, "M >= 20", {}, 1.0)): "arrived by t = 1",
    }
    for text, part in shown.items():
        assert part in text
        assert len(text) < 160

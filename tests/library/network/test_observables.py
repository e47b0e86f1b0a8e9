"""Observables and events of a network: read, used, checked."""

import numpy as np
import pytest

import acme_lib as acme
from acme_lib.network import Event
from acme_lib.network.expression import Expression

TEXT = """
total = P + 2*D
twice = 2*total + K       # uses an observable and a parameter that is defined below
K = 2*k
pulse = 1 + sin(t)
2 P -> D : k
D -> 2 P : K/(1 + total)
0 => P : pulse*twice
"""


def test_definitions_with_species_or_time_are_observables():
    network = acme.ReactionNetwork.parse(TEXT, k=3.0)
    assert dict(network.parameters) == {"k": 3.0, "K": 6.0}
    assert list(network.observables) == ["total", "pulse", "twice"]
    assert network.observables["twice"].names == ("P", "D", "K")


def test_rates_use_observables():
    network = acme.ReactionNetwork.parse(TEXT, k=3.0)
    state, t = network.state(P=4, D=3), 0.7
    total = 4 + 2 * 3
    expected = [3 * 4 * 3 / 2, 6 / (1 + total) * 3, (1 + np.sin(t)) * (2 * total + 6)]
    np.testing.assert_allclose(network.propensities(state, t=t), expected, rtol=1e-14)
    assert network.uses_time


def test_a_rate_is_updated_when_a_species_of_its_observable_changes():
    """B is born at a rate that A sets, written out or through an observable: the same numbers come."""
    direct = acme.ReactionNetwork.parse("0 -> A : 5\nA -> 0 : 1\n0 => B : 2*A\nB -> 0 : 1")
    through = acme.ReactionNetwork.parse("x = 2*A\n0 -> A : 5\nA -> 0 : 1\n0 => B : x\nB -> 0 : 1")
    runs = [acme.simulate_ssa(n, {}, 4.0, size=5, rng=np.random.default_rng(3)).counts for n in (direct, through)]
    np.testing.assert_array_equal(*runs)


def test_observable_of_an_ensemble():
    network = acme.ReactionNetwork.parse("y = 2*A + t\n0 -> A : 5\nA -> 0 : 1")
    times = np.array([0.0, 1.0, 2.0])
    counts = np.arange(6).reshape(2, 3, 1)
    np.testing.assert_array_equal(network.observable("y", counts, times), 2 * counts[:, :, 0] + times)
    with pytest.raises(acme.ParameterError, match="'z' is not an observable: y"):
        network.observable("z", counts, times)
    with pytest.raises(acme.ParameterError, match=r"\(2, 3\); expected \(..., 1\) for A"):
        network.observable("y", counts[:, :, 0], times)


def test_constant_in_space_keeps_its_shape():
    network = acme.ReactionNetwork.parse("y = t\n0 -> A : 5")
    assert network.observable("y", np.zeros((4, 2, 1)), [1, 2]).shape == (4, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = y + A\ny = x\n0 -> A : 1", "line 1, 'x = y . A': .*circle"),
        ("A = B\n0 -> A : 1\n0 -> B : 1", "A is a species and is defined"),
        ("x = A\nx = 2*A\n0 -> A : x", "x is defined twice"),
        ("x = A + q\n0 -> A : x", "'q' is neither a species"),
    ],
)
def test_bad_observables(text, message):
    with pytest.raises(acme.AcmeError, match=message):
        acme.ReactionNetwork.parse(text)


def test_text_and_parameters_survive():
    network = acme.ReactionNetwork.parse(TEXT + "at 5 : P = 0, D = D + twice\n", k=3.0)
    again = acme.ReactionNetwork.parse(str(network), k=3.0)
    state = network.state(P=4, D=3)
    np.testing.assert_array_equal(network.propensities(state, t=2.0), again.propensities(state, t=2.0))
    assert [e.trigger.evaluate({"t": 5.0}) for e in again.events] == [1.0]
    changed = network.with_parameters(k=1.0)
    assert changed.observable("twice", [[4, 3]]) == [22.0]
    assert len(changed.events) == 1
    assert "Observable: $total = " in network._repr_html_()
    assert "Event: " in network._repr_html_()


def test_events_are_read():
    network = acme.ReactionNetwork.parse(
        "total = P + D\n0 -> P : k\n0 -> D : 1\nat 5 : P = 0, D = min(D, 2*k)\nat t >= 2*k : P = 1\n"
        "when total > 100 : P = floor(P/2)\nwhen (P == 3) : P = 4\nat 1 if k > 2 else 7 : P = 1",
        k=3,
    )
    assert [event.name for event in network.events] == [f"event_{i}" for i in range(1, 6)]
    first, second, third, _, fifth = network.events
    assert first.line == 4
    assert list(first.assignments) == ["P", "D"]
    assert [first.trigger.evaluate({"t": t}) for t in (4.9, 5, 6)] == [0, 1, 1]
    assert [second.trigger.evaluate({"t": t, "k": 3}) for t in (5.9, 6)] == [0, 1]
    assert third.trigger.names == ("P", "D")
    assert [fifth.trigger.evaluate({"t": t, "k": 3}) for t in (0.9, 1)] == [0, 1]
    with pytest.raises(TypeError):
        first.assignments["P"] = 0


def test_a_species_may_be_called_at_or_when():
    network = acme.ReactionNetwork.parse("at -> 0 : 1\nwhen + at -> at : 2\nat->when:1")
    assert network.species == ("at", "when")
    assert network.events == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("when P > 3", "line 2, 'when P > 3': no change after a colon"),
        ("at 5 :", "no change after a colon"),
        ("when P : P = 1", "'P' is neither true nor false"),
        ("at P > 3 : P = 1", "does not depend on the time t; write 'when'"),
        ("at 5 : Q = 1", r"'Q' is neither a species \(P\) nor a parameter \(k\); .* parse\(text, Q=…\)"),
        (
            "K = 2*k\nat 5 : K = 1",
            "line 3.*K is defined as 2.k and follows k at all times, so that an event cannot set it",
        ),
        ("K = P\nat 5 : K = 1", "K is defined as P and follows P at all times"),
        ("K = t\nat 5 : K = 1", "K is defined as t and follows t at all times"),
        ("at 5 : P = Q", "'Q' is neither a species"),
        ("at 5 : P = 1, P = 2", "P is changed twice"),
        ("at 5 : P > 1", "'P > 1' is not a change"),
        ("at 5 : P = import", "not an arithmetic expression"),
    ],
)
def test_bad_events(line, message):
    with pytest.raises(acme.AcmeError, match=message):
        acme.ReactionNetwork.parse(f"0 -> P : k\n{line}", k=1)


def test_events_that_set_parameters_are_read_and_shown():
    text = "K = 3\nD = K*k\n0 -> P : k\n0 => P : D/(1 + P)\nat 5 : k = 5*k, P = 0\nwhen P > 3 : K = 0, n = n + 1"
    network = acme.ReactionNetwork.parse(text, k=2, n=0)
    assert network.changing_parameters == ("k", "n", "K")
    again = acme.ReactionNetwork.parse(str(network), k=2, n=0)
    assert again == acme.ReactionNetwork.parse(str(again), k=2, n=0) and str(again) == str(network)
    assert "Event: at t &gt;= 5 : k = 5*k, P = 0." in network._repr_html_()
    assert network.with_parameters(k=4).events == network.events
    # the equations of the network hold from one event to the next, and say so
    for equations in (
        network.master_equation(),
        network.rate_equations(),
        network.fokker_planck(),
        network.langevin(),
        acme.ReactionNetwork.parse("0 -> P : k\nat 5 : k = 0", k=2).moment_equations(),
    ):
        said = "These equations hold between the events of the network: "
        assert f"{said}at t >= 5 : k = " in str(equations)
        assert f"{said}`at t >= 5 : k = " in equations._repr_markdown_()
    quiet = acme.ReactionNetwork.parse("0 -> P : k", k=2).moment_equations()
    assert "events" not in str(quiet) + quiet._repr_markdown_()
    with pytest.raises(acme.ParameterError, match="line 5.*an event sets k, so that t cannot stand in its place"):
        network.replace_parameter("k", Expression.parse("t"))


def test_the_generator_refuses_events_by_name():
    network = acme.ReactionNetwork.parse("0 -> P : 1\nat 5 : P = 0")
    with pytest.raises(acme.ParameterError, match=r"line 2, 'at 5 : P = 0': build_generator does not take.*event_1"):
        acme.build_generator(network, acme.StateSpace.box(network, P=3), boundary="reflecting")


def test_an_event_that_fires_at_the_start_says_so():
    event = Event("dose", Expression.parse("t >= 0"), {"P": Expression.parse("5")}, initially=False)
    assert str(event) == "at t >= 0 : P = 5"


def test_substitution_leaves_the_original_alone():
    expression = Expression.parse("a*exp(b) + hill(a, b, 2, 3)")
    text = str(expression.evaluate({"a": 2.0, "b": 3.0}))
    replaced = expression.substitute({"a": Expression.parse("c - 1"), "b": Expression.parse("2*a")})
    assert replaced.evaluate({"c": 4.0, "a": 0.5}) == expression.evaluate({"a": 3.0, "b": 1.0})
    assert str(expression.evaluate({"a": 2.0, "b": 3.0})) == text
    assert expression.substitute({"z": Expression.parse("1")}) is expression

"""SBML in and out: each feature and each refusal on a small document, and models of the stochastic test suite."""

import itertools
import math
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import expm

import acme_lib as acme
from tests.statistics import FALSE_POSITIVE, p_value_of_law

libsbml = pytest.importorskip("libsbml")

CORE = {
    (2, 4): "http://www.sbml.org/sbml/level2/version4",
    (3, 1): "http://www.sbml.org/sbml/level3/version1/core",
    (3, 2): "http://www.sbml.org/sbml/level3/version2/core",
}


def formula(text):
    """MathML of an infix formula, by libsbml."""
    node = libsbml.parseL3Formula(text)
    assert node is not None, libsbml.getLastParseL3Error()
    return libsbml.writeMathMLToString(node).partition("?>")[2]


def species(name, amount=0, *, only_amount=True, boundary=False, constant=False, start="initialAmount", more=""):
    return (
        f'<species id="{name}" compartment="cell" {f"{start}={chr(34)}{amount}{chr(34)}" if start else ""} {more} '
        f'hasOnlySubstanceUnits="{str(only_amount).lower()}" boundaryCondition="{str(boundary).lower()}" '
        f'constant="{str(constant).lower()}"/>'
    )


def parameter(name, value=None, *, constant=True):
    return (
        f'<parameter id="{name}" {"" if value is None else f"value={chr(34)}{value}{chr(34)}"} '
        f'constant="{str(constant).lower()}"/>'
    )


def references(side, level, kind="speciesReference"):
    constant = 'constant="true"' if level == 3 and kind == "speciesReference" else ""
    return "".join(
        f'<{kind} species="{name}" {f"stoichiometry={chr(34)}{n}{chr(34)}" if kind == "speciesReference" else ""} '
        f"{constant}/>"
        for name, n in side.items()
    )


def reaction(name, takes, gives, law, *, level=3, version=1, modifiers=(), reversible=False, fast=False, local=()):
    parts = ""
    for tag, side in (("listOfReactants", takes), ("listOfProducts", gives)):
        parts += f"<{tag}>{references(side, level)}</{tag}>" if side else ""
    if modifiers:
        both = references(dict.fromkeys(modifiers), level, "modifierSpeciesReference")
        parts += f"<listOfModifiers>{both}</listOfModifiers>"
    tag = ("listOfLocalParameters", "localParameter") if level == 3 else ("listOfParameters", "parameter")
    values = "".join(f'<{tag[1]} id="{key}" value="{value}"/>' for key, value in dict(local).items())
    values = f"<{tag[0]}>{values}</{tag[0]}>" if values else ""
    law = f"<kineticLaw>{formula(law)}{values}</kineticLaw>"
    fast = f'fast="{str(fast).lower()}"' if version == 1 or level == 2 else ""
    return f'<reaction id="{name}" reversible="{str(reversible).lower()}" {fast}>{parts}{law}</reaction>'


def rule(variable, text, kind="assignmentRule"):
    return f'<{kind} variable="{variable}">{formula(text)}</{kind}>'


def event(trigger, changes, *, name="e", level=3, initially="true", persistent="true", at_trigger="true", more=""):
    attributes = f'initialValue="{initially}" persistent="{persistent}"' if level == 3 else ""
    changes = "".join(
        f'<eventAssignment variable="{key}">{formula(value)}</eventAssignment>' for key, value in changes.items()
    )
    return (
        f'<event id="{name}" useValuesFromTriggerTime="{at_trigger}">'
        f"<trigger {attributes}>{formula(trigger)}</trigger>{more}"
        f"<listOfEventAssignments>{changes}</listOfEventAssignments></event>"
    )


ORDER = [
    "functionDefinitions",
    "unitDefinitions",
    "compartments",
    "species",
    "parameters",
    "initialAssignments",
    "rules",
    "constraints",
    "reactions",
    "events",
]


def document(*, level=3, version=1, size=1, attributes="", model="", **parts):
    """An SBML document; its compartment is the `cell`."""
    volume = "" if size is None else f'size="{size}"'
    parts.setdefault("compartments", f'<compartment id="cell" spatialDimensions="3" {volume} constant="true"/>')
    body = "".join(
        f"<listOf{key[0].upper()}{key[1:]}>{parts.pop(key)}</listOf{key[0].upper()}{key[1:]}>"
        for key in ORDER
        if key in parts
    )
    assert parts == {}
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<sbml xmlns="{CORE[level, version]}" level="{level}" version="{version}" {attributes}>'
        f'<model id="m" {model}>{body}</model></sbml>'
    )


@pytest.fixture
def read(tmp_path):
    """Write a document and read it with acme: `read(species=..., reactions=...)`."""

    def read(**parts):
        path = tmp_path / "model.xml"
        path.write_text(document(**parts), encoding="utf-8")
        return acme.read_sbml(path)

    return read


DEATH = reaction("Death", {"X": 1}, {}, "Mu*X")
MU = parameter("Mu", 0.11)
X = species("X", 100)


# --- models of the discrete stochastic models test suite (Evans, Gillespie & Wilkinson 2008), written from their
# description, with its own criterion: |Z| for the mean and |Y| for the variance, here at 4.5 and 5 standard errors.


def birth_death(t, start=100, birth=0.1, death=0.11):
    growth = math.exp((birth - death) * t)
    return start * growth, start * (birth + death) / (birth - death) * growth * (growth - 1)


def immigration_death(t, batch=1, immigration=1.0, death=0.1):
    decay = math.exp(-death * t)
    mean = batch * immigration / death * (1 - decay)
    return mean, mean + batch * (batch - 1) * immigration / (2 * death) * (1 - decay**2)


def dimerisation(t, start=100, bind=0.001, unbind=0.01):
    """Mean and variance of the free molecules, from the matrix exponential over the number of dimers."""
    dimers = np.arange(start // 2 + 1)
    free = start - 2 * dimers
    up, down = bind * free * (free - 1) / 2, unbind * dimers
    generator = np.diag(up[:-1], -1) + np.diag(down[1:], 1) - np.diag(up + down)
    law = expm(generator * t)[:, 0]
    return law @ free, law @ free**2 - (law @ free) ** 2


BIRTH = reaction("Birth", {"X": 1}, {"X": 2}, "Lambda*X")
RATES = parameter("Lambda", 0.1) + MU
SUITE = {
    "00001": ({"species": X, "parameters": RATES, "reactions": BIRTH + DEATH}, birth_death),
    "00002 local parameters": (
        {
            "species": X,
            "reactions": reaction("Birth", {"X": 1}, {"X": 2}, "k*X", local={"k": 0.1})
            + reaction("Death", {"X": 1}, {}, "k*X", local={"k": 0.11}),
        },
        birth_death,
    ),
    "00011 a volume of 2": (
        {
            "size": 2,
            "species": species("X", 100, only_amount=False),
            "parameters": RATES,
            "reactions": reaction("Birth", {"X": 1}, {"X": 2}, "Lambda*X*cell")
            + reaction("Death", {"X": 1}, {}, "Mu*X*cell"),
        },
        birth_death,
    ),
    "00020": (
        {
            "species": species("X"),
            "parameters": parameter("Alpha", 1) + parameter("Mu", 0.1),
            "reactions": reaction("Immigration", {}, {"X": 1}, "Alpha") + DEATH,
        },
        immigration_death,
    ),
    "00030": (
        {
            "species": species("P", 100) + species("P2"),
            "parameters": parameter("k1", 0.001) + parameter("k2", 0.01),
            "reactions": reaction("Dimerisation", {"P": 2}, {"P2": 1}, "k1*P*(P - 1)/2")
            + reaction("Disassociation", {"P2": 1}, {"P": 2}, "k2*P2"),
        },
        dimerisation,
    ),
    "00038 batches": (
        {
            "species": species("X"),
            "parameters": parameter("Alpha", 1) + parameter("Mu", 0.4),
            "reactions": reaction("Immigration", {}, {"X": 10}, "Alpha") + DEATH,
        },
        lambda t: immigration_death(t, batch=10, death=0.4),
    ),
}


@pytest.mark.parametrize("case", SUITE)
def test_model_of_the_stochastic_test_suite(case, read, scaled):
    parts, exact = SUITE[case]
    network, x0 = read(**parts)
    n = scaled(10_000, 100)
    times = np.array([0.0, 5.0, 20.0, 50.0])
    counts = acme.simulate_ssa(network, x0, times, size=n, rng=np.random.default_rng(11)).counts[:, :, 0]
    assert np.all(counts[:, 0] == x0[network.species[0]])
    for i, t in enumerate(times[1:], start=1):
        mean, variance = exact(t)
        assert abs(math.sqrt(n / variance) * (counts[:, i].mean() - mean)) < 4.5
        assert abs(math.sqrt(n / 2) * (counts[:, i].var(ddof=1) / variance - 1)) < 5


def test_exact_laws_above_are_those_of_the_suite():
    """Values at t = 50 that the suite publishes for its cases 00001 and 00030's rates at t = 1, to all their digits."""
    mean, variance = birth_death(50)
    np.testing.assert_allclose([mean, math.sqrt(variance)], [60.65307, 22.38677], atol=6e-6)
    mean, variance = dimerisation(1)
    np.testing.assert_allclose([mean, math.sqrt(variance)], [91.03176613, 3.862504467], atol=6e-9)


# --- what is read


@pytest.mark.parametrize(("level", "version"), CORE)
def test_levels(level, version, read):
    kind = {"level": level, "version": version}
    network, x0 = read(
        **kind,
        species=X,
        parameters=MU,
        reactions=reaction("Birth", {"X": 1}, {"X": 2}, "Lambda*X", **kind, local={"Lambda": 0.1})
        + reaction("Death", {"X": 1}, {}, "Mu*X", **kind),
    )
    assert x0 == {"X": 100}
    assert dict(network.parameters) == {"Birth_Lambda": 0.1, "Mu": 0.11}
    assert [r.equation for r in network.reactions] == ["X -> 2 X", "X -> 0"]
    np.testing.assert_allclose(network.propensities({"X": 30}), [3, 3.3])


@pytest.mark.parametrize(
    ("law", "rate"),
    [
        ("k1*P*(P - 1)/2", "k1"),
        ("P*(P - 1)*k1", "2*k1"),
        ("cell*k1*P*(P - 1)/(2*cell)", "k1"),
        ("0.5*k1*P*(P - 1)", "2*0.5*k1"),
    ],
)
def test_what_is_exactly_mass_action_becomes_mass_action(law, rate, read):
    network, _ = read(
        species=species("P", 9) + species("D"),
        parameters=parameter("k1", 0.7),
        reactions=reaction("R", {"P": 2}, {"D": 1}, law),
    )
    (only,) = network.reactions
    assert only.mass_action
    assert only.rate.evaluate({"k1": 0.7}) == pytest.approx(acme_value(rate, k1=0.7))
    assert network.propensities({"P": 9})[0] == pytest.approx(acme_value(law, k1=0.7, P=9, cell=1))


def acme_value(text, **values):
    return eval(text, {}, values)


@pytest.mark.parametrize("law", ["k*P*E/E", "k*P*E", "k*P/E", "k", "k*P^2", "k*total*P"])
def test_what_is_not_mass_action_stays_as_it_is(law, read):
    """Also where a species that may be zero stands above and below the line."""
    network, _ = read(
        species=species("P", 9) + species("E", 4),
        parameters=parameter("k", 0.7) + parameter("total", constant=False),
        rules=rule("total", "P + E"),
        reactions=reaction("R", {"P": 1}, {}, law, modifiers=["E"]),
    )
    assert not network.reactions[0].mass_action
    expected = acme_value(law.replace("^", "**"), k=0.7, P=9, E=4, total=13)
    assert network.propensities([9, 4])[0] == pytest.approx(expected)


def test_a_law_is_taken_literally(read):
    """k*P*P is not the number of pairs: it stays, and the simulation says where molecules are missing."""
    network, x0 = read(
        species=species("P", 1) + species("D"),
        parameters=parameter("k", 1),
        reactions=reaction("Pairing", {"P": 2}, {"D": 1}, "k*P*P"),
    )
    assert not network.reactions[0].mass_action
    np.testing.assert_array_equal(network.propensities([[3, 0], [1, 0]])[:, 0], [9, 1])
    with pytest.raises(acme.PropensityError, match=r"reaction 'Pairing': 2 P => D : k \* P \* P"):
        acme.simulate_ssa(network, x0, 100.0, rng=np.random.default_rng(1))


def test_concentration_and_volume(read):
    """Symbols of species mean counts over the size of the compartment; starts are counts."""
    network, x0 = read(
        size=2,
        species=species("A", 3, only_amount=False, start="initialConcentration")
        + species("B", 4, only_amount=False)
        + species("C", 5),
        parameters=parameter("k", 0.3),
        reactions=reaction("R", {"A": 1, "B": 1}, {"C": 1}, "cell*k*A*B")
        + reaction("Q", {"C": 1}, {}, "k*C*A", modifiers=["A"]),
    )
    assert x0 == {"A": 6, "B": 4, "C": 5}
    a, b, c = 6, 4, 5
    np.testing.assert_allclose(network.propensities(x0), [2 * 0.3 * (a / 2) * (b / 2), 0.3 * c * a / 2])
    assert network.reactions[0].mass_action
    np.testing.assert_allclose(network.with_parameters(cell=4.0).propensities(x0)[0], 4 * 0.3 * (a / 4) * (b / 4))


def test_functions_locals_and_shadowing(read):
    """A local parameter hides a global one; a function definition is written out, also inside another."""
    network, x0 = read(
        functionDefinitions=f'<functionDefinition id="half">{formula("lambda(k, k/2)")}</functionDefinition>'
        f'<functionDefinition id="f">{formula("lambda(x, k, half(x)*k + half(k))")}</functionDefinition>',
        species=species("A", 6),
        parameters=parameter("k", 100) + parameter("R_k", 7),
        reactions=reaction("R", {"A": 1}, {}, "f(A, k)*R_k", local={"k": 3}) + reaction("Q", {}, {"A": 1}, "k"),
    )
    np.testing.assert_allclose(network.propensities(x0), [(6 / 2 * 3 + 3 / 2) * 7, 100])
    assert dict(network.parameters) == {"R_k_": 3.0, "R_k": 7.0, "k": 100.0}


def test_assignment_rules_are_observables_and_definitions(read):
    network, x0 = read(
        size=4,
        species=X + species("y", only_amount=True) + species("z", only_amount=False, boundary=True),
        parameters=MU + parameter("total", constant=False) + parameter("k2", constant=False),
        rules=rule("y", "2*X") + rule("z", "X + time") + rule("total", "y + k2") + rule("k2", "3*Mu"),
        reactions=reaction("Death", {"X": 1}, {}, "Mu*total*z*X", modifiers=["z"]),
    )
    assert network.species == ("X",)
    assert x0 == {"X": 100}
    assert network.parameters["k2"] == pytest.approx(0.33)
    counts, t = np.array([[[10], [7]]]), np.array([1.0, 3.0])
    np.testing.assert_allclose(network.observable("y", counts, t), [[20, 14]])
    np.testing.assert_allclose(network.observable("total", counts, t), [[20.33, 14.33]])
    # the rule gives z's concentration; recorded are amounts
    np.testing.assert_allclose(network.observable("z", counts, t), [[4 * 11, 4 * 10]])
    np.testing.assert_allclose(network.propensities({"X": 10}, t=1.0), [0.11 * 20.33 * 11 * 10])


def test_initial_assignments(read):
    """In any order; of a species they give its symbol's value, here a concentration."""
    network, x0 = read(
        size=2,
        species=species("A", 1, only_amount=False) + species("B", 5),
        parameters=parameter("k") + parameter("j", 0.5),
        initialAssignments="".join(
            f'<initialAssignment symbol="{key}">{formula(text)}</initialAssignment>'
            for key, text in {"A": "k + B", "k": "2*j + time"}.items()
        ),
        reactions=reaction("R", {"A": 1, "B": 1}, {}, "k*A*B"),
    )
    assert x0 == {"A": 12, "B": 5}
    assert network.parameters["k"] == 1.0


def test_boundary_and_constant_species(read):
    """A boundary species is not consumed; what never changes is a parameter; what an event sets is a species."""
    network, x0 = read(
        size=2,
        species=species("S", 3, boundary=True)
        + species("G", 8.5, constant=True, boundary=True, only_amount=False)
        + species("E", 2, boundary=True)
        + X,
        parameters=MU,
        reactions=reaction("R", {"S": 1, "E": 1}, {"X": 2}, "Mu*S*E")
        + reaction("Q", {"X": 1}, {"S": 1}, "G*X", modifiers=["G"]),
        events=event("time >= 3", {"E": "E + 1"}),
    )
    assert network.species == ("E", "X")
    assert x0 == {"E": 2, "X": 100}
    assert [r.equation for r in network.reactions] == ["0 => 2 X", "X -> 0"]
    np.testing.assert_array_equal(network.stoichiometry, [[0, 2], [0, -1]])
    np.testing.assert_allclose(network.propensities(x0), [0.11 * 3 * 2, 8.5 / 2 * 100])


def test_a_reaction_that_changes_nothing_is_left_out(read):
    network, _ = read(
        species=X + species("B", 1, boundary=True),
        parameters=MU,
        reactions=reaction("R", {"B": 1}, {"B": 2}, "Mu*B") + DEATH,
    )
    assert [r.text.split(":")[0] for r in network.reactions] == ["reaction 'Death'"]


@pytest.mark.parametrize("level", [2, 3])
def test_events(level, read):
    network, _ = read(
        level=level,
        version=4 if level == 2 else 1,
        size=2,
        species=X + species("Y", 4, only_amount=False),
        parameters=MU,
        reactions=reaction("Death", {"X": 1}, {"Y": 1}, "Mu*X", level=level),
        events=event("time >= 22.5 && X < 7", {"X": "20", "Y": "3*Y + X"}, name="reset", level=level, initially="false")
        + event("Y > 30", {"Y": "0"}, level=level),
    )
    reset, other = network.events
    assert (reset.name, other.name) == ("reset", "e")
    assert reset.initially is (level == 2)
    assert other.initially
    assert reset.trigger.evaluate({"t": 22.5, "X": 6, "cell": 2}) == 1
    assert reset.trigger.evaluate({"t": 22.4, "X": 6, "cell": 2}) == 0
    assert reset.assignments["X"].evaluate({}) == 20
    assert reset.assignments["Y"].evaluate({"X": 5, "Y": 8, "cell": 2}) == (3 * 8 / 2 + 5) * 2
    assert [other.trigger.evaluate({"Y": y, "cell": 2}) for y in (60, 61)] == [0, 1]
    with pytest.raises(acme.ParameterError, match="event 'reset'.*does not take events"):
        network.refuse_events("a method")


def test_events_that_set_parameters(read, tmp_path):
    """Production ends at 22.5, by a parameter that the rule of another follows: the counts then decay, ever Poisson."""
    network, x0 = read(
        species=species("X", 0),
        parameters=MU + parameter("on", 1, constant=False) + parameter("k", constant=False),
        rules=rule("k", "8*on"),
        reactions=DEATH + reaction("Birth", {}, {"X": 1}, "k"),
        events=event("time >= 22.5", {"on": "0"}, name="off"),
    )
    assert network.changing_parameters == ("on",) and network.parameters["k"] == 8
    again, start = round_trip(network, x0, tmp_path / "m.xml")
    assert 'id="on" value="1.0" constant="false"' in (tmp_path / "m.xml").read_text()
    assert again.events[0].assignments["on"].text == "0" and dict(again.parameters) == dict(network.parameters)
    mean = 8 / 0.11 * -np.expm1(-22.5 * 0.11)
    for model in (network, again):
        ensemble = acme.simulate_ssa(model, start, [22.5, 27], size=2_000, rng=np.random.default_rng(1))
        assert (ensemble["on"] == 0).all()
        for i, left in enumerate([1.0, np.exp(-4.5 * 0.11)]):
            assert p_value_of_law(ensemble["X"][:, i], stats.poisson(mean * left)) > FALSE_POSITIVE


def test_a_number_of_the_text_that_an_event_sets_is_written_as_a_parameter(tmp_path):
    network = acme.ReactionNetwork.parse("k = 4\nh = 2*k\n0 -> M : h\nat 0 : k = 0, M = 7")
    again, x0 = round_trip(network, {}, tmp_path / "m.xml")
    assert dict(again.parameters) == dict(network.parameters) and again.given_parameters == ("k",)
    for model in (network, again):  # at the start, and before anything else
        ensemble = acme.simulate_ssa(model, x0, [0, 50], size=2, rng=np.random.default_rng(1))
        assert (ensemble["M"] == 7).all() and (ensemble["k"] == 0).all()


def test_an_event_that_resizes_a_compartment_keeps_its_molecules(read):
    """A law of concentrations, in the amounts: S counts molecules, and where it is set it is as a new concentration."""
    network, x0 = read(
        compartments=CHANGING_CELL,
        species=species("S", 6, only_amount=False) + species("X", 1),
        parameters=parameter("k", 3),
        reactions=reaction("Make", {}, {"X": 1}, "k*S*S*cell", modifiers=["S"]),
        events=event("time >= 1", {"cell": "4*cell"}, name="grow")
        + event("time >= 2", {"cell": "1", "S": "5"}, name="set"),
    )
    size = network.parameters["cell"]
    assert network.changing_parameters == ("cell",) and x0 == {"S": 6, "X": 1}
    ensemble = acme.simulate_ssa(network, x0, [0.5, 1.5, 2.5], size=2, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(ensemble["S"], [[6, 6, 5]] * 2)
    np.testing.assert_array_equal(ensemble["cell"], [[size, 4 * size, 1]] * 2)
    for count, volume in ((6, size), (6, 4 * size), (5, 1.0)):
        rate = network.with_parameters(cell=volume).propensities({"S": count, "X": 0})
        np.testing.assert_allclose(rate, [3 * (count / volume) ** 2 * volume])


def test_a_trigger_by_choice_and_an_event_without_effect(read):
    choice = event("piecewise(true, X > 3, false)", {"X": "0"})
    network, _ = read(
        version=2,
        species=X,
        parameters=MU,
        reactions=reaction("R", {"X": 1}, {}, "Mu*X", version=2),
        events=choice + event("X > 1", {}, name="idle"),
    )
    (only,) = network.events
    assert only.trigger.is_condition
    assert [only.trigger.evaluate({"X": x}) for x in (3, 4)] == [0, 1]


def test_a_lonely_event_may_have_what_means_nothing_alone(read):
    priority = f"<priority>{formula('1')}</priority>"
    lonely = event("X > 3", {"X": "0"}, persistent="false", at_trigger="false", more=priority)
    network, _ = read(species=X, parameters=MU, reactions=DEATH, events=lonely)
    assert len(network.events) == 1


@pytest.mark.parametrize(
    ("law", "forward", "backward"),
    [
        ("kf*A - kr*B", 2.0 * 7, 3.0 * 5),
        ("cell*(kf*A - kr*B)", 2.0 * 7, 3.0 * 5),
        ("-kr*B + kf*A", 2.0 * 7, 3.0 * 5),
        ("(A - B*kr/kf)*kf", 2.0 * 7, 3.0 * 5),
        ("kf*A^1*exp(-kr) - kr*B", 2.0 * 7 * math.exp(-3), 3.0 * 5),
        ("kf*A*E + A - kr*B*E/2", 2.0 * 7 * 4 + 7, 3.0 * 5 * 4 / 2),
    ],
)
def test_a_reversible_law_becomes_two_reactions(law, forward, backward, read):
    network, x0 = read(
        species=species("A", 7) + species("B", 5) + species("E", 4),
        parameters=parameter("kf", 2) + parameter("kr", 3),
        reactions=reaction("R", {"A": 1}, {"B": 1}, law, reversible=True, modifiers=["E"]),
    )
    np.testing.assert_array_equal(network.stoichiometry, [[-1, 1, 0], [1, -1, 0]])
    np.testing.assert_allclose(network.propensities(x0), [forward, backward])


def test_a_reversible_dimerisation(read):
    network, _ = read(
        species=species("P", 9) + species("D", 2),
        parameters=parameter("kf", 2) + parameter("kr", 3),
        reactions=reaction("R", {"P": 2}, {"D": 1}, "kf*P*(P - 1)/2 - kr*D", reversible=True),
    )
    assert [r.equation for r in network.reactions] == ["2 P -> D", "D -> 2 P"]
    np.testing.assert_allclose(network.propensities([9, 2]), [72, 6])


@pytest.mark.parametrize("law", ["v*A/(K + A)", "v*A*A", "v", "v*A*(K - 1)*exp(-K)", "v*A*(A - 1)", "v*A^(-1)*A"])
def test_a_reversible_law_that_subtracts_nothing_runs_one_way(law, read):
    """Level 2 takes reactions as reversible where nothing is said."""
    network, _ = read(
        level=2,
        version=4,
        species=species("A", 7) + species("B", 5),
        parameters=parameter("v", 2) + parameter("K", 3),
        reactions=reaction("R", {"A": 1}, {"B": 1}, law, level=2, reversible=True),
    )
    np.testing.assert_array_equal(network.stoichiometry, [[-1, 1]])


FORMULAS = {
    "plus(a, b, 3)*times(a, b)": lambda a, b: (a + b + 3) * a * b,
    "a - -b": lambda a, b: a + b,
    "a^b": lambda a, b: a**b,
    "root(3, a)": lambda a, b: a ** (1 / 3),
    "sqrt(a)": lambda a, b: math.sqrt(a),
    "log(2, a)": lambda a, b: math.log(a, 2),
    "log10(a)": lambda a, b: math.log10(a),
    "ln(a)": lambda a, b: math.log(a),
    "exp(-a)*exponentiale": lambda a, b: math.exp(1 - a),
    "abs(a - b) + floor(a) + ceil(b)": lambda a, b: abs(a - b) + math.floor(a) + math.ceil(b),
    "9 + sin(a)*cos(b)*tan(a)": lambda a, b: 9 + math.sin(a) * math.cos(b) * math.tan(a),
    "abs(sec(a) + csc(b) + cot(a))": lambda a, b: abs(1 / math.cos(a) + 1 / math.sin(b) + 1 / math.tan(a)),
    "sinh(a) + cosh(b) + tanh(a)": lambda a, b: math.sinh(a) + math.cosh(b) + math.tanh(a),
    "sech(a) + csch(b) + coth(a)": lambda a, b: 1 / math.cosh(a) + 1 / math.sinh(b) + 1 / math.tanh(a),
    "piecewise(1, a > b, 2, a == b, 3)": lambda a, b: 1 if a > b else 3,
    "piecewise(1, a < b && b < 5, 2)": lambda a, b: 1 if a < b < 5 else 2,
    "piecewise(1, a < b < 5, 2)": lambda a, b: 1 if a < b < 5 else 2,
    "piecewise(1, or(a <= b, a >= 5), 2)": lambda a, b: 1 if a <= b or a >= 5 else 2,
    "piecewise(1, xor(a < b, b < 5), 2)": lambda a, b: 1 if (a < b) != (b < 5) else 2,
    "piecewise(1, not(a != b), 2)": lambda a, b: 1 if a == b else 2,
    "piecewise(1, and(true, not(false)), 2)": lambda a, b: 1,
    "pi + avogadro/1e23": lambda a, b: math.pi + 6.02214179,
    "1.25e-7*a": lambda a, b: 1.25e-7 * a,
    "(1/3)*b": lambda a, b: b / 3,
    "3 + time": lambda a, b: 3.5,
    "plus() + times()": lambda a, b: 1,
}
FORMULAS_OF_VERSION_2 = {
    "min(a, b, 2) + max(a, b)": lambda a, b: min(a, b, 2) + max(a, b),
    "piecewise(1, implies(a < b, b < 5), 2)": lambda a, b: 1 if not a < b or b < 5 else 2,
}


@pytest.mark.parametrize("text", [*FORMULAS, *FORMULAS_OF_VERSION_2])
@pytest.mark.parametrize(("a", "b"), [(1.3, 2.4), (2.6, 1.7)])
def test_formulas(text, a, b, read):
    version = 2 if text in FORMULAS_OF_VERSION_2 else 1
    network, _ = read(
        version=version,
        species=X,
        parameters=parameter("a", a) + parameter("b", b),
        reactions=reaction("R", {}, {"X": 1}, text, version=version),
    )
    expected = {**FORMULAS, **FORMULAS_OF_VERSION_2}[text](a, b)
    assert network.propensities([0], t=0.5)[0] == pytest.approx(expected, rel=1e-13)


def test_a_long_sum(read):
    terms = "<cn>1</cn><ci>X</ci>" * 2000
    law = reaction("R", {}, {"X": 1}, "12345", modifiers=["X"])
    number = '<cn type="integer"> 12345 </cn>'
    assert number in law
    network, _ = read(species=X, reactions=law.replace(number, f"<apply><plus/>{terms}</apply>"))
    assert network.propensities([3])[0] == 2000 * 4


def test_a_formula_that_is_too_deep(read):
    with pytest.raises(acme.SBMLError, match="too deeply nested"):
        read(species=X, parameters=MU, reactions=reaction("R", {"X": 1}, {}, "exp(" * 900 + "X" + ")" * 900))


def test_names_that_mean_something_here_are_changed(read):
    network, x0 = read(
        species=species("t", 5) + species("lambda", 2),
        parameters=parameter("exp", 0.5) + parameter("t_", 3),
        reactions=reaction("R", {"t": 1}, {"lambda": 1}, "exp(t_)*t*t_")
        + reaction("Q", {"lambda": 1}, {}, "t_*lambda"),
    )
    assert network.species == ("t__", "lambda_")
    assert x0 == {"t__": 5, "lambda_": 2}
    np.testing.assert_allclose(network.propensities(x0), [math.exp(3) * 5 * 3, 6])


def test_units_of_molecules_are_taken(read):
    item = UNIT.format("molecules", "item", 0)
    network, _ = read(
        unitDefinitions=item,
        model='substanceUnits="molecules" extentUnits="item"',
        species=X,
        parameters=MU,
        reactions=DEATH,
    )
    assert network.species == ("X",)


# --- what is refused


def one_law(law, **options):
    """The part of a document that holds one reaction, X → 0."""
    return {"reactions": reaction("R", {"X": 1}, {}, law, **options)}


def edited(law, *changes):
    """One reaction with its text changed."""
    text = reaction("R", {"X": 1}, {}, law)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return {"reactions": text}


def conversion(law):
    """One reversible reaction X → Y."""
    return {"species": X + species("Y"), "reactions": reaction("R", {"X": 1}, {"Y": 1}, law, reversible=True)}


def at_start(**values):
    return "".join(
        f'<initialAssignment symbol="{key}">{formula(text)}</initialAssignment>' for key, text in values.items()
    )


LEVEL_2 = {"level": 2, "version": 4}
REFERENCE = "<speciesReference"
NAMED = (REFERENCE, '<speciesReference id="n"')
CHANGING_CELL = '<compartment id="cell" spatialDimensions="3" size="1" constant="false"/>'
FREE = MU + parameter("k", 1, constant=False)
BASE = {"species": X, "parameters": MU, "reactions": DEATH}
UNIT = (
    '<unitDefinition id="{}"><listOfUnits><unit kind="{}" exponent="1" scale="{}" multiplier="1"/></listOfUnits>'
    "</unitDefinition>"
)
DELAY = f"<delay>{formula('3')}</delay>"
PRIORITY = f"<priority>{formula('1')}</priority>"
NO_TRIGGER = event("X > 1", {"X": "2"}).replace(formula("X > 1"), "")
NO_FORMULA = event("X > 1", {"X": "2"}).replace(formula("2"), "")
POINT = '<compartment id="cell" spatialDimensions="0" constant="true"/>'
PACKAGE = 'xmlns:{0}="http://{1}" {0}:required="{2}"'
TWO = event("time > 1", {"X": "1"}, name="first")
REFUSED = {
    "algebraic rule": (
        {"rules": f"<algebraicRule>{formula('X - k')}</algebraicRule>", "parameters": FREE},
        "algebraic rule 'X - k'",
    ),
    "rate rule": ({"rules": rule("k", "1", "rateRule"), "parameters": FREE}, "rate rule for 'k'"),
    "constraint": ({"constraints": f"<constraint>{formula('X < 5')}</constraint>"}, "constraint 'number 1'"),
    "fast": (one_law("Mu*X", fast=True), "reaction 'R': fast"),
    "no law": (
        edited("Mu*X", (f"<kineticLaw>{formula('Mu*X')}</kineticLaw>", "")),
        "reaction 'R': it has no kinetic law",
    ),
    "stoichiometry": (
        {"reactions": reaction("R", {"X": 1.5}, {}, "Mu*X")},
        "reaction 'R': the stoichiometry of 'X' is 1.5",
    ),
    "no stoichiometry": (
        edited("Mu*X", ('stoichiometry="1"', "")),
        "reaction 'R': the stoichiometry of 'X' is not given",
    ),
    "stoichiometry by rule": (
        edited("Mu*X", NAMED, ('constant="true"', 'constant="false"')) | {"rules": rule("n", "2")},
        "assignment rule for 'n': a stoichiometry that is computed",
    ),
    "stoichiometry at the start": (
        edited("Mu*X", NAMED) | {"initialAssignments": at_start(n="2")},
        "initial assignment for 'n': a stoichiometry",
    ),
    "stoichiometry as a quantity": (edited("Mu*n", NAMED), "'n' is used in its formula.*stoichiometry"),
    "stoichiometry formula": (
        LEVEL_2
        | edited(
            "Mu*X",
            ('stoichiometry="1"', ""),
            ('constant="true"/>', f"><stoichiometryMath>{formula('2*Mu')}</stoichiometryMath></speciesReference>"),
        ),
        "reaction 'R': the stoichiometry of 'X' is a formula",
    ),
    "compartment": (
        {"compartments": CHANGING_CELL, "rules": rule("cell", "1 + time")},
        "assignment rule for 'cell': a compartment that changes",
    ),
    "stoichiometry event": (
        edited("Mu*X", NAMED, ('constant="true"', 'constant="false"')) | {"events": event("time > 1", {"n": "2"})},
        "event 'e': it assigns 'n', and only species, parameters and compartments may change",
    ),
    "delay of an event": ({"events": event("time > 1", {"X": "2"}, more=DELAY)}, "event 'e': a delay"),
    "priority": ({"events": TWO + event("time > 1", {"X": "2"}, more=PRIORITY)}, "event 'e': a priority"),
    "not persistent": (
        {"events": TWO + event("time > 1", {"X": "2"}, persistent="false")},
        "event 'e': a trigger that does not persist",
    ),
    "values at execution": (
        {"events": TWO + event("time > 1", {"X": "2"}, at_trigger="false")},
        "event 'e': values taken when it is executed",
    ),
    "model conversion": ({"model": 'conversionFactor="Mu"'}, "model: a conversion factor"),
    "species conversion": (
        {"species": species("X", 1, more='conversionFactor="Mu"')},
        "species 'X': a conversion factor",
    ),
    "mole": ({"model": 'substanceUnits="mole"'}, "species 'X': its amounts are in 'mole'"),
    "mole by a definition": (
        {"unitDefinitions": UNIT.format("n", "mole", 0), "model": 'substanceUnits="n"'},
        "species 'X': its amounts are in 'n'",
    ),
    "thousands": (
        {"unitDefinitions": UNIT.format("n", "item", 3), "model": 'substanceUnits="n"'},
        "species 'X': its amounts are in 'n'",
    ),
    "mole in level 2": (
        LEVEL_2 | one_law("Mu*X", level=2) | {"unitDefinitions": UNIT.format("substance", "mole", -9)},
        "species 'X': its amounts are in 'substance'",
    ),
    "extent": ({"model": 'extentUnits="mole"'}, "model: its extents of reactions are in 'mole'"),
    "half a molecule": ({"species": species("X", 0.5)}, "species 'X': it starts with 0.5 molecules"),
    "negative start": ({"species": species("X", -1)}, "species 'X': it starts with -1 molecules"),
    "no start": ({"species": species("X", start=None)}, "species 'X': it has no value at the start"),
    "no value": ({"parameters": parameter("Mu")}, "parameter 'Mu': it has no value at the start"),
    "no local value": (
        edited(
            "k*X",
            ("</kineticLaw>", '<listOfLocalParameters><localParameter id="k"/></listOfLocalParameters></kineticLaw>'),
        ),
        "reaction 'R': its local parameter 'k' has no value",
    ),
    "no size": ({"size": None, "species": species("X", 5, only_amount=False)}, "compartment 'cell': it has no value"),
    "no dimensions": (
        {"compartments": POINT, "species": species("X", 5, only_amount=False)},
        "'X' is used in its formula.*no dimensions",
    ),
    "no reaction": ({"reactions": reaction("R", {"X": 1}, {"X": 1}, "Mu*X")}, "no reaction changes a count"),
    "rate of a reaction": (
        {"reactions": DEATH + reaction("R", {"X": 1}, {}, "2*Death")},
        "reaction 'R': 'Death' is used in its formula",
    ),
    "delay": (one_law("delay(X, 1)"), "reaction 'R': 'delay' in its formula"),
    "rateOf": ({"version": 2} | one_law("rateOf(Mu)", version=2), "reaction 'R': 'rateOf' in its formula"),
    "rem": ({"version": 2} | one_law("rem(X, 2)", version=2), "reaction 'R': 'rem"),
    "factorial": (one_law("factorial(X)"), "reaction 'R': 'factorial"),
    "inverse": (one_law("arctan(X)"), "reaction 'R': 'a(rc)?tan"),
    "half a choice": (one_law("piecewise(1, X > 2)"), "reaction 'R': a piecewise formula without 'otherwise'"),
    "infinity": (one_law("infinity*X"), "reaction 'R': the number inf"),
    "not a number": (one_law("notanumber"), "reaction 'R': the number nan"),
    "reversible saturation": (
        conversion("(X - Y)/(1 + X + Y)"),
        "reaction 'R': its reversible law .* no difference of mass-action",
    ),
    "reversible from nothing": (conversion("Mu - Mu*Y"), "reaction 'R': its reversible law"),
    "reversible the wrong way": (conversion("Mu*Y - Mu*X"), "reaction 'R': its reversible law"),
    "reversible without a way": (conversion("-Mu*Y"), "reaction 'R': its reversible law"),
    "no trigger": (
        {"version": 2, "reactions": reaction("R", {"X": 1}, {}, "Mu*X", version=2), "events": NO_TRIGGER},
        "event 'e': it has no trigger",
    ),
    "no assigned formula": (
        {"version": 2, "reactions": reaction("R", {"X": 1}, {}, "Mu*X", version=2), "events": NO_FORMULA},
        "event 'e': its assignment of 'X' has no formula",
    ),
    "no rule": (
        {
            "version": 2,
            "parameters": FREE,
            "reactions": reaction("R", {"X": 1}, {}, "Mu*X", version=2),
            "rules": '<assignmentRule variable="k"/>',
        },
        "assignment rule for 'k': it has no formula",
    ),
    "no initial formula": (
        {
            "version": 2,
            "reactions": reaction("R", {"X": 1}, {}, "Mu*X", version=2),
            "initialAssignments": '<initialAssignment symbol="X"/>',
        },
        "initial assignment for 'X': it has no formula",
    ),
    "circle": (
        {"parameters": parameter("Mu") + parameter("k"), "initialAssignments": at_start(Mu="k", k="Mu")},
        "circular",
    ),
    "package": (
        {"attributes": PACKAGE.format("comp", "www.sbml.org/sbml/level3/version1/comp/version1", "true")},
        "package 'comp': the document needs this package",
    ),
    "unknown package": ({"attributes": PACKAGE.format("q", "example.org/magic/version1", "true")}, "package 'magic'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_name(case, read):
    parts, message = REFUSED[case]
    with pytest.raises(acme.SBMLError, match=message):
        read(**{**BASE, **parts})


def test_units_of_a_kinetic_law(tmp_path):
    path = tmp_path / "model.xml"
    text = document(
        level=2, version=4, species=X, parameters=MU, reactions=reaction("R", {"X": 1}, {}, "Mu*X", level=2)
    )
    text = text.replace("level2/version4", "level2").replace('version="4"', 'version="1"')
    path.write_text(text.replace("<kineticLaw", '<kineticLaw substanceUnits="item"'), encoding="utf-8")
    with pytest.raises(acme.SBMLError, match="reaction 'R': units of its own on a kinetic law"):
        acme.read_sbml(path)


def test_an_optional_package_does_not_matter(read):
    layout = PACKAGE.format("layout", "www.sbml.org/sbml/level3/version1/layout/version1", "false")
    network, _ = read(**BASE, attributes=layout)
    assert network.species == ("X",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "model.xml is not well-formed XML"),
        ("nonsense", "not well-formed XML"),
        ("<sbml><model></sbml>", "not well-formed XML"),
        ("<html/>", "is no SBML: its outermost element is 'html'"),
        ('<sbml xmlns="http://www.sbml.org/sbml/level1" level="1" version="2"/>', "SBML Level 1; Levels 2 and 3"),
        ("<sbml/>", "SBML Level None"),
        (
            document(**BASE).replace('level="3"', 'level="3"', 1).replace('species="X"', 'species="Q"'),
            r"model.xml, line \d+: not valid SBML, rule \d+: ",
        ),
        (document(**BASE).replace('<model id="m" >', "<model>").split("<model>")[0] + "</sbml>", "model"),
        (
            document(**BASE, events=event("X > 1", {"X": "1"}).replace("persistent=", "other=")),
            "not valid SBML.*persistent",
        ),
    ],
)
def test_bad_documents(text, message, tmp_path):
    path = tmp_path / "model.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(acme.SBMLError, match=message):
        acme.read_sbml(path)


def test_level_3_version_2_may_leave_everything_out(tmp_path):
    path = tmp_path / "model.xml"
    text = f'<?xml version="1.0" encoding="UTF-8"?><sbml xmlns="{CORE[3, 2]}" level="3" version="2"/>'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(acme.SBMLError, match="holds no model"):
        acme.read_sbml(path)


def test_missing_file(tmp_path):
    for path in (tmp_path / "nothing.xml", tmp_path):
        with pytest.raises(FileNotFoundError, match="no SBML file at"):
            acme.read_sbml(path)


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "libsbml", None)
    network = acme.ReactionNetwork.parse("0 -> M : 1")
    for call in (lambda: acme.read_sbml("m.xml"), lambda: acme.write_sbml(network, {}, tmp_path / "m.xml")):
        with pytest.raises(acme.MissingExtraError, match=r'pip install "\.\[sbml\]"') as caught:
            call()
        assert isinstance(caught.value, ImportError)


# --- what is written


EVERYTHING = """
total = P + 2*D
K = 2*k
2 P -> D : k
3 P -> 2 D : k/7
D -> 2 P : K/(1 + total)
0 => P : k*sin(t)**2*max(P, D, 3) + (P > 3)*2 + min(P, 2) + (k if P else 2.5e-12)
D => P : hill(D, k, 3, 2) if not (D > 2 or P == 1) else D*exp(-t)
α -> 0 : k*pi + 0.1
0 -> T1 : (P > 2) and D
0 => T1 : abs(P - D) + floor(P/3) + ceil(D/3) + sqrt(P) + log(P + 1) + cos(P)**2 + tanh(D) + hillr(P, k, 2, 3)
T1 -> T1 + P : +k
P + D <-> T1 : 1e300*1e-300, 123456789012345680
at 5 : P = 0, D = 2*D
when P > 100 and total < K : P = floor(P/2)
"""


def round_trip(network, x0, path):
    acme.write_sbml(network, x0, path)
    return acme.read_sbml(path)


def test_round_trip(tmp_path):
    k = 0.1 + 0.2  # 17 digits
    network = acme.ReactionNetwork.parse(EVERYTHING, k=k)
    again, x0 = round_trip(network, {"P": 5, "D": 2}, tmp_path / "m.xml")
    assert again.species == ("P", "D", "alpha", "T1")
    assert x0 == {"P": 5, "D": 2, "alpha": 0, "T1": 0}
    assert dict(again.parameters) == {"k": k, "K": 2 * k}
    np.testing.assert_array_equal(again.stoichiometry, network.stoichiometry)
    states = np.random.default_rng(1).integers(0, 9, (60, 4))
    for t in (0.0, 1.3):
        np.testing.assert_allclose(again.propensities(states, t=t), network.propensities(states, t=t), rtol=1e-14)
    np.testing.assert_array_equal(again.observable("total", states), network.observable("total", states))
    assert again.reactions[0].mass_action
    assert len(again.events) == 2
    for old, new in zip(network.events, again.events, strict=True):
        assert (new.name, new.initially, list(new.assignments)) == (old.name, old.initially, list(old.assignments))
        for p, d, t in itertools.product((0, 5, 101), (0, 3), (4.9, 5.0)):
            values = {"P": p, "D": d, "t": t, "K": 500.0}
            assert [e.evaluate(values) for e in new.expressions] == [e.evaluate(values) for e in old.expressions]
    third, _ = round_trip(again, x0, tmp_path / "n.xml")
    assert str(third) == str(again)


def test_what_is_written_is_valid_and_says_what_it_means(tmp_path):
    path = tmp_path / "m.xml"
    network = acme.ReactionNetwork.parse("2 P -> D : k\nD + cell -> cell : k\nα -> 0 : 1\nalpha -> 0 : 1", k=3)
    acme.write_sbml(network, [7, 0, 0, 2, 1], path)
    checked = libsbml.readSBMLFromFile(str(path))
    checked.checkConsistency()
    assert checked.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
    model = checked.getModel()
    assert (checked.getLevel(), checked.getVersion(), model.getSubstanceUnits()) == (3, 1, "item")
    assert libsbml.formulaToL3String(model.getReaction(0).getKineticLaw().getMath()) == "k * P * (P - 1) / 2"
    assert [s.getId() for s in model.getListOfSpecies()] == ["P", "D", "cell", "alpha_", "alpha"]
    assert [s.getInitialAmount() for s in model.getListOfSpecies()] == [7, 0, 0, 2, 1]
    assert model.getSpecies("alpha_").getName() == "α"
    assert model.getCompartment(0).getId() == "cell_"


def test_an_event_at_the_start_survives(read, tmp_path):
    network, x0 = read(**BASE, events=event("X > 3", {"X": "0"}, initially="false"))
    again, _ = round_trip(network, x0, tmp_path / "m.xml")
    assert again.events[0].initially is False


RATE = st.floats(1e-12, 1e12, allow_subnormal=False)
SIDE = st.dictionaries(st.sampled_from("ABC"), st.integers(1, 3), max_size=2)


@given(
    lines=st.lists(
        st.tuples(SIDE, SIDE, RATE, st.sampled_from(["->", "=>"])).filter(lambda r: r[0] != r[1]),
        min_size=1,
        max_size=4,
    ),
    seed=st.integers(0, 99),
)
def test_any_network_survives(lines, seed, tmp_path_factory):
    def side(amounts):
        return " + ".join(f"{n} {name}" for name, n in amounts.items()) or "0"

    text = "\n".join(f"{side(takes)} {arrow} {side(gives)} : {rate!r}" for takes, gives, rate, arrow in lines)
    network = acme.ReactionNetwork.parse(text)
    again, x0 = round_trip(network, {}, tmp_path_factory.mktemp("sbml") / "m.xml")
    assert again.species == network.species
    assert set(x0.values()) <= {0}
    np.testing.assert_array_equal(again.stoichiometry, network.stoichiometry)
    states = np.random.default_rng(seed).integers(0, 50, (10, len(network.species)))
    np.testing.assert_allclose(again.propensities(states), network.propensities(states), rtol=1e-14)


def test_bad_input_to_write(tmp_path):
    network = acme.ReactionNetwork.parse("0 -> M : 1")
    with pytest.raises(acme.ParameterError):
        acme.write_sbml(network, {"Q": 1}, tmp_path / "m.xml")
    with pytest.raises(acme.ParameterError, match="the state has shape"):
        acme.write_sbml(network, [[1], [2]], tmp_path / "m.xml")
    assert not (tmp_path / "m.xml").exists()


def test_numbers_have_all_their_digits(tmp_path):
    network = acme.ReactionNetwork.parse("0 => M : 0.30000000000000004 + 1.2345678901234567e-7*M + 3e-30")
    acme.write_sbml(network, {}, tmp_path / "m.xml")
    numbers = [e.text for e in ElementTree.parse(tmp_path / "m.xml").iter() if e.tag.endswith("cn")]
    assert list(map(float, numbers)) == [0.30000000000000004, 1.2345678901234567e-7, 3e-30]
    assert not any("e" in number for number in numbers)


def test_sources_and_sinks_are_recorded_like_the_others(read):
    """Suites report the species that nothing changes too: a count that stays, in the order of the file."""
    network, x0 = read(
        species=species("Source", 7, boundary=True)
        + species("X", 5)
        + species("Sink", 0, boundary=True, constant=True)
        + species("Half", 2.5, boundary=True)  # no count, and nothing uses it
        + species("Unknown", start="", boundary=True)
        + species("Used", 3, boundary=True),
        parameters=parameter("k", 0.5),
        reactions=reaction("birth", {"Source": 1}, {"X": 1}, "k*Used", modifiers=["Used"])
        + reaction("death", {"X": 1}, {"Sink": 1}, "k*X"),
    )
    assert network.species == ("Source", "X", "Sink")
    assert x0 == {"Source": 7, "X": 5, "Sink": 0}
    assert network.stoichiometry.tolist() == [[0, 1, 0], [0, -1, 0]]
    assert network.parameters["Used"] == 3.0
    ensemble = acme.simulate_ssa(network, x0, [0.0, 9.0], size=20, rng=np.random.default_rng(3))
    assert np.all(ensemble["Source"] == 7) and np.all(ensemble["Sink"] == 0)
    assert ensemble["X"][:, 1].std() > 0

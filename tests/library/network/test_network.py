"""Networks: text, expressions, propensities and the errors that teach."""

import copy
import doctest
import functools
import math
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

import acme_lib as acme
from acme_lib.errors import AcmeError, NetworkSyntaxError, ParameterError, PropensityError
from acme_lib.network import Reaction, ReactionNetwork, expression, rates, reaction_network
from acme_lib.network.conservation import find_conservation_laws
from acme_lib.network.expression import MAX_STACK, Expression
from acme_lib.network.text import read_lines

parse = ReactionNetwork.parse
TWO_STAGE = "0 -> M : k_m\nM -> 0 : g_m\nM -> M + P : k_p\nP -> 0 : g_p"


def two_stage(**changes):
    return parse(TWO_STAGE, **{"k_m": 10, "g_m": 2, "k_p": 5, "g_p": 0.5, **changes})


def by_kernel(text, **values):
    """Evaluate an expression as kernels do: by its program."""
    names = list(values)
    codes, operands = Expression.parse(text).program(names, [])
    x = np.array([*values.values(), 1.0], dtype=float)
    with np.errstate(all="ignore"):
        return rates.run_program(
            codes, operands, 0, len(codes), x, np.zeros(0), values.get("t", 0.0), np.empty(MAX_STACK)
        )


# --- text ---------------------------------------------------------------------------------------------------------


def test_species_come_in_order_of_first_appearance():
    network = two_stage()
    assert network.species == ("M", "P")
    assert network.stoichiometry.tolist() == [[1, 0], [-1, 0], [0, 1], [0, -1]]
    assert network.reactant_counts.tolist() == [[0, 0], [1, 0], [1, 0], [0, 1]]
    assert [type(reaction) for reaction in network.reactions] == [Reaction] * 4


def test_comments_blank_lines_and_spellings_of_nothing():
    network = parse("∅ -> A : k\n\nA -> : g # lost", k=1, g=2)
    assert network.stoichiometry.tolist() == [[1], [-1]]
    assert [reaction.line for reaction in network.reactions] == [1, 3]


@pytest.mark.parametrize("side", ["2 P", "2P", "2*P", "P + P", "2 * P"])
def test_spellings_of_two_molecules(side):
    assert parse(f"{side} -> D : c", c=1).reactant_counts.tolist() == [[2, 0]]


def test_a_reversible_line_gives_two_reactions():
    network = parse("A <-> B : max(k, 1), g", k=3, g=4)
    assert [reaction.equation for reaction in network.reactions] == ["A -> B", "B -> A"]
    assert network.propensities([5, 7]).tolist() == [15.0, 28.0]


def test_definitions_in_any_order():
    network = parse("K = L/2\nL = 4*a\nA -> 0 : K", a=3)
    assert dict(network.parameters) == {"a": 3.0, "L": 12.0, "K": 6.0}
    assert network.with_parameters(a=1).parameters["K"] == 2.0
    assert network.parameters["K"] == 6.0


def test_text_of_a_network_reads_back():
    network = parse("K = a/3\nA <-> B : a, K\n2 A => 0 : a*A^2 if B > 1 else 0", a=0.1)
    again = parse(str(network), a=0.1)
    states = np.indices((4, 4)).reshape(2, -1).T
    np.testing.assert_array_equal(again.propensities(states), network.propensities(states))
    assert again.species == network.species


@pytest.mark.parametrize("micro", ["µ", "μ"])
def test_the_micro_sign_and_the_greek_letter_are_one_name(micro):
    network = parse(f"0 -> {micro} : k*γ\n{micro} -> 0 : γ", k=1, γ=2)
    assert network.propensities({"μ": 3}).tolist() == [2.0, 6.0]
    assert parse("0 -> M : µ", **{micro: 2}).with_parameters(**{micro: 3}).parameters == {"μ": 3.0}


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("M -> 0 k", NetworkSyntaxError, "line 1, 'M -> 0 k': no rate"),
        ("0 -> M : 1\nM = > 0 : k", NetworkSyntaxError, "line 2"),
        ("M, 0 : k", NetworkSyntaxError, "no arrow; write a reaction as"),
        ("M -> 0 -> P : k", NetworkSyntaxError, "more than one arrow"),
        ("M <=> 0 : k, k", NetworkSyntaxError, "use <->"),
        ("M --> 0 : k", NetworkSyntaxError, "use ->"),
        ("M -> M : k", NetworkSyntaxError, "nothing changes"),
        ("A + B -> B + A : k", NetworkSyntaxError, "nothing changes"),
        ("A <-> B : k", NetworkSyntaxError, "two rates.*and has 1"),
        ("A <-> B : k,", NetworkSyntaxError, "an expression is missing"),
        ("M -> 0 :", NetworkSyntaxError, "an expression is missing"),
        ("K =\nM -> 0 : K", NetworkSyntaxError, "line 1, 'K =': an expression is missing"),
        ("1.5 M -> 0 : k", NetworkSyntaxError, "optional whole number"),
        ("M + -> 0 : k", NetworkSyntaxError, "'' is not a species"),
        ("0 M -> 0 : k", NetworkSyntaxError, "zero; leave the species out"),
        (
            "99999999999999999999 M -> 0 : k",
            NetworkSyntaxError,
            "before M must be at most 1000000, got 9999",
        ),
        ("t -> 0 : k", NetworkSyntaxError, "'t' cannot name a species: it is the time"),
        ("exp -> 0 : k", NetworkSyntaxError, "'exp' cannot name a species: it is a function"),
        ("lambda -> 0 : k", NetworkSyntaxError, "write lambda_"),
        ("M -> 0 : 2*lambda", NetworkSyntaxError, "lambda is a word of Python.*write lambda_"),
        ("pi = 3\nM -> 0 : k", NetworkSyntaxError, "'pi' cannot name a parameter"),
        ("2K = 3\nM -> 0 : k", NetworkSyntaxError, "'2K' cannot name a parameter: it is not a name"),
        ("K = 1\nK = 2\nM -> 0 : k", NetworkSyntaxError, "line 2, 'K = 2': K is defined twice"),
        ("K = L\nL = K\nM -> 0 : k", NetworkSyntaxError, "in a circle"),
        ("M = 3\nM -> 0 : k", NetworkSyntaxError, "line 1, 'M = 3': M is a species"),
        ("K = k/0\nM -> 0 : K", ParameterError, "K is not a finite number: its value is inf"),
        ("M -> 0 : q", ParameterError, r"'q' is neither a species \(M\) nor a parameter.*parse\(text, q=…\)"),
        ("M -> 0 : k*m", ParameterError, "did you mean 'M'"),
        ("M -> 0 : k/0", ParameterError, r"the rate is not finite \(inf\)"),
        ("M -> 0 : -k", PropensityError, r"the rate is negative \(-1\)"),
        ("", NetworkSyntaxError, "the network has no reactions"),
        ("K = 3", NetworkSyntaxError, "the network has no reactions"),
        (None, NetworkSyntaxError, "must be a string with one reaction a line, got None"),
    ],
)
def test_errors_show_the_line_and_how_to_mend_it(text, error, words):
    with pytest.raises(error, match=words) as caught:
        parse(text, k=1)
    assert isinstance(caught.value, AcmeError)
    assert isinstance(caught.value, ValueError)


def test_read_lines_keeps_numbers_of_lines():
    reactions, definitions, events, species = read_lines("\nK = 2\n\nA <-> B : K, K\n\nat 5 : A = 0")
    assert [line.number for line in reactions] == [4, 4]
    assert [line.number for line in definitions] == [2]
    assert [event.line for event in events] == [6]
    assert species == ["A", "B"]


def test_a_line_of_species_gives_their_order():
    network = parse("species: P, X, M\n0 -> M : k\nM -> M + P : 2\nX -> Q : 1", k=1.0)
    assert network.species == ("P", "X", "M", "Q")
    assert str(network).startswith("0 -> M") is False
    assert parse(str(network), k=1.0).species == network.species
    assert "species" not in str(two_stage())  # they stand in order of first appearance


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("species: M, M", "line 1, 'species: M, M': M is listed twice"),
        ("species: M\nspecies: M", "line 2.*M is listed twice"),
        ("species: M P", "'M P' cannot name a species"),
        ("species:", "'' cannot name a species"),
    ],
)
def test_lines_of_species_are_checked(line, message):
    with pytest.raises(NetworkSyntaxError, match=message):
        parse(f"{line}\n0 -> M : 1")


# --- parameters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, "1", None, math.nan, math.inf, 10**400, 1j, np.array(2.0)])
def test_a_parameter_is_a_finite_number(value):
    with pytest.raises(ParameterError, match="the parameter k must be a finite number"):
        parse("M -> 0 : k", k=value)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2), Fraction(2)])
def test_numbers_of_any_kind_are_parameters(value):
    assert parse("M -> 0 : k", k=value).parameters == {"k": 2.0}


@pytest.mark.parametrize(
    ("given_values", "words"),
    [
        ({"k": 1, "M": 2}, "M is a species and was given as a parameter too"),
        ({"k": 1, "j": 2}, r"the parameter j=2 stands in no rate"),
        ({"k": 1, "t": 2}, "'t' cannot name a parameter: it is the time"),
        ({"k": 1, "2x": 2}, "'2x' cannot name a parameter: it is not a name"),
        ({"k": 1, "K": 2}, "K is defined in the text and was given as a parameter too"),
    ],
)
def test_parameters_that_do_not_fit(given_values, words):
    with pytest.raises(ParameterError, match=words):
        parse("K = 2*k\nM -> 0 : K", **given_values)


def test_with_parameters():
    network = two_stage()
    changed = network.with_parameters(k_m=3)
    assert changed.parameters["k_m"] == 3.0
    assert network.parameters["k_m"] == 10.0
    assert changed.propensities([0, 0])[0] == 3.0
    with pytest.raises(ParameterError, match="did you mean 'k_m'"):
        network.with_parameters(k_mm=3)
    with pytest.raises(ParameterError, match="K is defined in the text"):
        parse("K = 2*k\nM -> 0 : K", k=1).with_parameters(K=3)


# --- expressions --------------------------------------------------------------------------------------------------

VALUES = {"x": 2.5, "y": -1.5, "z": 0.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2*x - y/2", 6.75),
        ("-x^2", -6.25),
        ("2**3**2", 512.0),
        ("+x", 2.5),
        ("x if y < 0 else z", 2.5),
        ("x if y >= 0 else z", 0.0),
        ("(x > 1) + (x > 2)", 2.0),
        ("(x > 1) - (x > 2)", 0.0),
        ("-(x > 1)", -1.0),
        ("3*(x <= 2.5)", 3.0),
        ("(x == 2.5) + (x != 2.5)", 1.0),
        ("not z", 1.0),
        ("not x", 0.0),
        ("x and y", 1.0),
        ("x and z", 0.0),
        ("z or y", 1.0),
        ("z or z", 0.0),
        ("1 if x else 2", 1.0),
        ("min(x, y, z)", -1.5),
        ("max(x, y, z)", 2.5),
        ("exp(z)", 1.0),
        ("log(x)", math.log(2.5)),
        ("sqrt(x)", math.sqrt(2.5)),
        ("abs(y)", 1.5),
        ("floor(y)", -2.0),
        ("ceil(y)", -1.0),
        ("sin(x) + cos(x) + tanh(x)", math.sin(2.5) + math.cos(2.5) + math.tanh(2.5)),
        ("pi", math.pi),
        ("mm(x, 3, 2)", 3 * 2.5 / 4.5),
        ("hill(x, 3, 2, 4)", 3 * 2.5**4 / (2.5**4 + 2**4)),
        ("hillr(x, 3, 2, 4)", 3 * 2**4 / (2.5**4 + 2**4)),
        ("hill(x + 1, 1, 1, 1)", 3.5 / 4.5),
        ("1/z", math.inf),
        ("y/z", -math.inf),
        ("z/z", math.nan),
        ("1/-z", -math.inf),
        ("log(z)", -math.inf),
        ("log(y)", math.nan),
        ("sqrt(y)", math.nan),
        ("y**0.5", math.nan),
        ("z**-1", math.inf),
        ("z**0", 1.0),
        ("max(0, log(y))", math.nan),
        ("min(1, log(y))", math.nan),
        ("log(y)/z", math.nan),
        ("exp(1000)", math.inf),
    ],
)
def test_expressions_mean_the_same_to_numpy_to_kernels_and_to_sympy(text, expected):
    tree = Expression.parse(text)
    assert tree.evaluate(VALUES) == pytest.approx(expected, rel=1e-14, nan_ok=True)
    assert by_kernel(text, **VALUES) == pytest.approx(expected, rel=1e-14, nan_ok=True)
    if math.isfinite(expected):
        # Evaluated in SymPy's exact arithmetic, where 2.5 and -1.5 are fractions.
        exact = {sympy.Symbol(name, real=True): sympy.Rational(value) for name, value in VALUES.items()}
        assert float(tree.sympy().subs(exact)) == pytest.approx(expected, rel=1e-14)


def test_expressions_take_arrays():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(Expression.parse("(x > 1)*x + t").evaluate({"x": x, "t": 1.0}), [1.0, 3.0, 4.0])


leaves = st.sampled_from(["x", "y", "z", "2", "0.5"])
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "<", "<=", "==", ">"]), inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("max({}, {})".format, inner, inner),
        st.builds("(-{})".format, inner),
        st.builds("sqrt({})".format, inner),
    ),
    max_leaves=12,
)


@given(trees)
def test_any_expression_means_the_same_to_numpy_and_to_kernels(text):
    assert Expression.parse(text).evaluate(VALUES) == pytest.approx(by_kernel(text, **VALUES), rel=1e-13, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x.y", "'x.y' is not allowed in a rate"),
        ("__import__(os)", "is not a known function"),
        ("x[0]", "not allowed"),
        ("lambda x: x", "not allowed"),
        ("'a'", "not allowed"),
        ("True", "not allowed"),
        ("1j", "not allowed"),
        ("1 < x < 2", "not allowed"),
        ("x in y", "is not one of < <= > >= == !="),
        ("x % 2", "not allowed"),
        ("exp(x=1)", "not allowed"),
        ("exp", "needs its arguments"),
        ("exp(1, 2)", r"exp takes 1 arguments and has 2"),
        ("hill(x, 1)", r"hill takes 4 arguments and has 2: hill\(X, v, K, n\)"),
        ("min(x)", "min takes two or more arguments"),
        ("hil(x, 1, 1, 1)", "did you mean 'hill'"),
        ("2x", "not an arithmetic expression"),
        ("x +", "not an arithmetic expression"),
        ("x\x00", "not an arithmetic expression"),
        ("1" + "0" * 400, "too large"),
        ("+".join("x" * 5000), "too long or too deeply nested"),
    ],
)
def test_what_is_not_arithmetic_is_refused(text, words):
    with pytest.raises(NetworkSyntaxError, match=words) as caught:
        Expression.parse(text)
    assert len(str(caught.value)) < 400


def test_a_program_fits_its_stack():
    deep = "x+(" * (MAX_STACK - 1) + "x" + ")" * (MAX_STACK - 1)
    assert by_kernel(deep, x=1.0) == MAX_STACK
    with pytest.raises(NetworkSyntaxError, match="nested more than 64 deep"):
        Expression.parse(f"x+({deep})").program(["x"], [])


def test_names_of_an_expression():
    tree = Expression.parse("k*hill(M, v, K, 2) + sin(pi*t)")
    assert tree.names == ("k", "v", "M", "K")
    assert tree.uses_time
    assert not Expression.parse("k").uses_time
    assert tree == Expression.parse(" k*hill(M, v, K, 2) + sin(pi*t) ")


def test_latex():
    assert Expression.parse("k_on/K_d").latex() == r"\frac{k_{on}}{K_{d}}"
    network = parse("2 P -> D : a + b\nD -> 0 : k/2\nD => 0 : k*(D < 5)", a=1, b=1, k=1)
    forms = [reaction.propensity_latex() for reaction in network.reactions]
    assert forms[0] == r"\left(a + b\right)\,\frac{P\,(P - 1)}{2}"
    assert forms[1] == r"\frac{k}{2}\,D"
    assert "D < 5" in forms[2]


def test_table_for_notebooks():
    table = parse("A => 0 : k*(A < 3)\nA -> 0 : k", k=1.5)._repr_html_()
    assert "A =&gt; 0" in table
    assert table.count("<tr>") == 3
    assert "k = 1.5" in table


def test_symbolic_propensity():
    reaction = parse("3 A + B -> 0 : k", k=1).reactions[0]
    a, b, k = sympy.symbols("A B k", real=True)
    assert sympy.expand(reaction.propensity() - k * b * a * (a - 1) * (a - 2) / 6) == 0


# --- propensities -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "species", "expected"),
    [
        ("0 -> A : 3", 1, lambda a: 3.0),
        ("A -> 0 : 3", 1, lambda a: 3.0 * a),
        ("A + B -> 0 : 3", 2, lambda a, b: 3.0 * a * b),
        ("2 A -> 0 : 3", 1, lambda a: 3.0 * math.comb(a, 2)),
        ("3 A -> 0 : 3", 1, lambda a: 3.0 * math.comb(a, 3)),
        ("2 A + B -> 0 : 3", 2, lambda a, b: 3.0 * math.comb(a, 2) * b),
        ("2 A + 3 B -> 0 : 3", 2, lambda a, b: 3.0 * math.comb(a, 2) * math.comb(b, 3)),
        ("A + B -> 0 : 3/(1 + A)", 2, lambda a, b: 3.0 / (1 + a) * a * b),
        ("2 A -> 0 : 3*(A > 2)", 1, lambda a: 3.0 * math.comb(a, 2) * (a > 2)),
        ("2 A => 0 : 3*A", 1, lambda a: 3.0 * a),
        ("A => 0 : 3", 1, lambda a: 3.0),
    ],
)
def test_mass_action_counts_sets_of_molecules(line, species, expected):
    states = np.indices((6,) * species).reshape(species, -1).T
    values = parse(line).propensities(states)
    np.testing.assert_allclose(values[:, 0], [expected(*map(int, state)) for state in states], rtol=1e-15)


@given(st.integers(0, 60), st.integers(1, 6))
def test_combinations_of_any_order(n, order):
    assert parse(f"{order} A -> 0 : 1").propensities([n])[0] == pytest.approx(math.comb(n, order), rel=1e-14)


@given(st.permutations(range(4)), st.integers(0, 50), st.integers(0, 50))
def test_order_of_lines_does_not_matter(order, m, p):
    lines = TWO_STAGE.splitlines()
    shuffled = parse("\n".join(lines[i] for i in order), k_m=10, g_m=2, k_p=5, g_p=0.5)
    state = {"M": m, "P": p}
    np.testing.assert_array_equal(shuffled.propensities(state), two_stage().propensities(state)[list(order)])


def test_time_enters_rates():
    network = parse("0 -> M : k*(1 + sin(t))\nM -> 0 : 1", k=2)
    assert network.uses_time
    assert not two_stage().uses_time
    assert network.propensities([3], t=0.5).tolist() == [2 * (1 + math.sin(0.5)), 3.0]


@pytest.mark.parametrize(
    ("line", "state", "words"),
    [
        ("M => 0 : 2 - M", {"M": 3}, r"line 1, 'M => 0 : 2 - M': the propensity is negative \(-1\) in the state M=3"),
        ("M => 0 : 1/M", {"M": 0}, r"the propensity is not finite \(inf\)"),
        ("M => 0 : max(0, log(M - 1))", {"M": 0}, r"the propensity is not finite \(nan\)"),
        ("M => 0 : exp(M)", {"M": 1000}, "not finite"),
    ],
)
def test_bad_propensities_are_refused(line, state, words):
    with pytest.raises(PropensityError, match=words):
        parse(line).propensities(state)


def test_missing_molecules_are_named():
    error = parse("M => 0 : 5").shortage_error(0, [0])
    assert isinstance(error, PropensityError)
    assert "line 1, 'M => 0 : 5'" in str(error)
    assert "M=0" in str(error)


def test_affected_reactions_are_exactly_those_whose_propensity_changes():
    network = parse("A -> B : 1\nB => 0 : A*B\n0 -> C : hill(A, 1, 2, 2)\nC -> 0 : 1\n2 C + B -> B : 1")
    table = network.rate_table
    state = np.array([3, 4, 5])
    before = network.propensities(state)
    for j, change in enumerate(network.stoichiometry):
        changed = np.flatnonzero(network.propensities(state + change) != before)
        listed = table.affected[table.affected_start[j] : table.affected_start[j + 1]]
        assert listed.tolist() == changed.tolist()


def test_single_propensities_agree_with_the_table_of_many():
    network = parse("0 -> A : 2\nA + B -> 0 : 3\n2 B -> A : 0.5\n3 A -> B : 0.1\nA => 0 : 4*A/(1 + B)")
    states = np.indices((5, 5)).reshape(2, -1).T
    many, table = network.propensities(states), network.rate_table
    single = [
        [rates.propensity(j, np.array([*state, 1.0]), 0.0, table, np.empty(MAX_STACK)) for j in range(5)]
        for state in states
    ]
    np.testing.assert_array_equal(many, single)


# --- states and facts ---------------------------------------------------------------------------------------------


def test_states():
    network = two_stage()
    assert network.state().tolist() == [0, 0]
    assert network.state(P=3).tolist() == [0, 3]
    assert network.state({"M": 2}, P=3).tolist() == [2, 3]
    assert network.state([1.0, 2.0]).dtype == np.int64
    assert network.propensities({"M": 1}).tolist() == network.propensities([[1, 0]])[0].tolist()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1, 2, 3], r"the state has length 3; the network has 2 species \(M, P\)"),
        ([[1, 2]], r"the state has shape \(1, 2\)"),
        ([[1], [1, 2]], "one count a species"),
        ([1, -2], "whole, non-negative"),
        ([1, 0.5], "whole, non-negative"),
        ([1, math.nan], "whole, non-negative"),
        ([1, 1e300], "at most 9e"),
        ([True, False], "whole, non-negative"),
        ({"m": 1}, "'m' is not a species"),
        ({"PP": 1}, "did you mean 'P'"),
    ],
)
def test_states_that_are_none(counts, words):
    with pytest.raises(ParameterError, match=words):
        two_stage().state(counts)


def test_a_state_comes_once():
    with pytest.raises(ParameterError, match="as a sequence and by name"):
        two_stage().state([1, 2], M=3)


@pytest.mark.parametrize("states", [[[1.7, 0]], [[-1, 0]], [[math.nan, 0]], [[1, 2, 3]], [[[1, 2]]]])
def test_tables_of_states_are_checked(states):
    with pytest.raises(ParameterError, match="counts|shape"):
        two_stage().propensities(states)


def test_facts_are_read_only():
    network = two_stage()
    for array in (network.stoichiometry, network.reactant_counts, *network.rate_table):
        assert not array.flags.writeable
    with pytest.raises(TypeError):
        network.parameters["k_m"] = 3
    with pytest.raises(AttributeError):
        network.species = ("A",)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_networks_can_be_copied_and_sent(duplicate):
    network = parse("K = a/3\nA <-> B : a, K\n2 A => 0 : a*A^2", a=0.1)
    network.propensities([1, 2])
    again = duplicate(network)
    assert again == network
    np.testing.assert_array_equal(again.propensities([4, 5]), network.propensities([4, 5]))


def test_a_network_is_equal_to_the_same_text():
    assert two_stage() == two_stage()
    assert two_stage() != two_stage(k_m=11)


def test_examples_in_the_docstrings():
    for module in (expression, rates, reaction_network):
        assert doctest.testmod(module).failed == 0


def test_no_molecules_have_no_pairs_and_no_minus_zero():
    propensities = ReactionNetwork.parse("2 S -> D : c", c=1.0).propensities({"S": 0})
    assert not np.signbit(propensities).any()


# --- conservation laws ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "laws"),
    [
        ("0 -> M : k\nM -> 0 : k", ()),
        ("D_off <-> D_on : k, k\nD_on -> D_on + M : k", ("D_off + D_on = const",)),
        ("2 S <-> D : k, k", ("S + 2 D = const",)),
        ("E + S <-> C : k, k\nC -> E + P : k", ("E + C = const", "S + C + P = const")),
        ("0 -> A + B : k", ("A - B = const",)),  # a sum without minus signs does not exist
        ("0 -> 2 A + 3 B : k\nA + B -> 0 : k", ()),
        ("A -> B : k\n2 C -> 3 D : k", ("A + B = const", "3 C + 2 D = const")),
    ],
)
def test_conservation_laws_are_found_and_shown(text, laws):
    network = acme.ReactionNetwork.parse(text, k=1)
    assert network.conservation_law_texts == laws
    assert network.conservation_laws.shape == (len(laws), len(network.species))
    assert not network.conservation_laws.flags.writeable
    for law in laws:
        assert f"Conserved: {law}." in network._repr_html_()


@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=5))
def test_conservation_laws_are_a_basis_of_all(changes):
    laws = find_conservation_laws(changes)
    assert not np.any(np.array(changes) @ laws.T)
    rank = sympy.Matrix(changes).rank()  # exact
    assert len(laws) == 4 - rank
    assert len(laws) == 0 or sympy.Matrix(laws.tolist()).rank() == len(laws)
    for law in laws:
        assert np.gcd.reduce(law) == 1
        assert law[np.flatnonzero(law)[0]] > 0


def test_conservation_laws_of_many_species():
    # More pairs of sums than are searched: any basis does then, and it is still exact.
    n = 60
    text = "\n".join(
        f"{' + '.join(f'A{i}' for i in range(n))} -> {' + '.join(f'B{i}' for i in range(n))} : k" for _ in "1"
    )
    laws = acme.ReactionNetwork.parse(text, k=1).conservation_laws
    assert laws.shape == (2 * n - 1, 2 * n)
    assert not np.any(laws @ np.repeat([-1, 1], n))


# --- Python functions as rates ----------------------------------------------------------------------------------------


def making(m, p, k):
    return k * m / (1.0 + p)


def making_in_python_only(m, p, k):
    return {"rate": k * m / (1.0 + p)}["rate"] + 0.0 * len(str(m))


FUNCTION_TEXT = "0 -> M : r\nM -> 0 : g\n0 => P : making(M, P, 3*k)\nP -> 0 : g"
RATES = {"r": 4.0, "g": 1.0, "k": 2.0}


@pytest.mark.parametrize("function", [making, njit(making), making_in_python_only, functools.partial(making)])
def test_a_function_gives_what_the_expression_gives(function):
    by_hand = acme.ReactionNetwork.parse(FUNCTION_TEXT.replace("making(M, P, 3*k)", "3*k*M/(1 + P)"), **RATES)
    network = acme.ReactionNetwork.parse(FUNCTION_TEXT, making=function, **RATES)
    states = np.random.default_rng(1).integers(0, 30, (20, 2))
    np.testing.assert_allclose(network.propensities(states), by_hand.propensities(states), rtol=1e-14)
    assert network.functions == {"making": function}
    runs = [
        acme.simulate_ssa(n, {}, [0, 1, 3], size=6, rng=np.random.default_rng(2), threads=2).counts
        for n in (network, by_hand)
    ]
    np.testing.assert_array_equal(*runs)
    changed = network.with_parameters(k=0.5).propensities([8, 1])
    np.testing.assert_allclose(changed, by_hand.with_parameters(k=0.5).propensities([8, 1]), rtol=1e-14)


@pytest.mark.jit
def test_a_function_compiles_no_kernel_anew():
    network = acme.ReactionNetwork.parse(FUNCTION_TEXT, making=making, **RATES)
    network.propensities([1, 2])
    kernels = [rates.propensities_of_states, rates.propensity, rates.run_program]
    compiled = [list(kernel.signatures) for kernel in kernels]
    other = acme.ReactionNetwork.parse("0 => M : f(M) + h()", f=lambda m: 2 * m, h=lambda: 0.5)
    assert other.propensities([4]) == [8.5]
    assert [list(kernel.signatures) for kernel in kernels] == compiled


def test_functions_take_time_and_mix_with_mass_action():
    network = acme.ReactionNetwork.parse("2 S -> D : f(S, t)*c", f=lambda s, t: s + 10 * t, c=0.5)
    assert network.uses_time
    np.testing.assert_allclose(network.propensities([4, 0], t=2.0), [24 * 0.5 * 6])
    constant = acme.ReactionNetwork.parse("K = f(2)\n0 -> A : f(K)", f=lambda x: x**2)
    assert constant.propensities([0]) == [16]
    assert constant.parameters["K"] == 4


def raising(m):
    return 1.0 / (m - 2.0)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            raising,
            r"line 1, '0 => M : f\(M\)': .*not finite \(nan\) in the state M=2, where f\(2\) raised ZeroDivision",
        ),
        (lambda m: -1.0, r"is negative \(-1\) in the state M=2"),
        (lambda m: float("inf"), r"not finite \(inf\)"),
        (lambda m: "many", r"not finite \(nan\) in the state M=2, where f\(2\) raised ValueError"),
    ],
)
def test_what_a_function_returns_is_checked(function, message):
    network = acme.ReactionNetwork.parse("0 => M : f(M)", f=function)
    with pytest.raises(acme.PropensityError, match=message):
        network.propensities([2])
    with pytest.raises(acme.PropensityError, match=message):
        acme.simulate_ssa(network, {"M": 2}, 1.0, rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("text", "given_values", "error", "message"),
    [
        (
            "0 => M : f(M, 1)",
            {"f": lambda m: m},
            acme.NetworkSyntaxError,
            "line 1.*f cannot be called with 2 arguments",
        ),
        ("0 => M : f", {"f": lambda m: m}, acme.NetworkSyntaxError, "f is a function and needs its arguments"),
        ("0 => M : f(M)", {"f": 3.0}, acme.NetworkSyntaxError, r"and yours: parse\(text, f=function\)"),
        ("0 => M : k", {"k": 1, "f": lambda m: m}, acme.ParameterError, "the function f is called in no rate"),
        (
            "0 => M : exp(M)",
            {"exp": lambda m: m},
            acme.ParameterError,
            "'exp' cannot name a function: it is a function",
        ),
        ("f => M : f(M)", {"f": lambda m: m}, acme.ParameterError, "f is a species and was given as a function too"),
        ("0 -> M : f(2)", {"f": raising}, acme.PropensityError, r"line 1, .*f\(2\) raised ZeroDivisionError"),
        ("K = f(2)\n0 -> M : K", {"f": raising}, acme.PropensityError, r"line 1, 'K = f\(2\)': f\(2\) raised"),
    ],
)
def test_functions_that_do_not_fit(text, given_values, error, message):
    with pytest.raises(error, match=message):
        acme.ReactionNetwork.parse(text, **given_values)


def test_a_function_without_hash_is_refused():
    class Rate:
        __hash__ = None

        def __call__(self, m):
            return m

    with pytest.raises(acme.ParameterError, match="cannot be hashed; wrap it"):
        acme.ReactionNetwork.parse("0 => M : f(M)", f=Rate())


# --- identity ---------------------------------------------------------------------------------------------------------


def test_equal_networks_have_equal_hashes_and_travel():
    network = acme.ReactionNetwork.parse(FUNCTION_TEXT, making=making, **RATES)
    same = acme.ReactionNetwork.parse(FUNCTION_TEXT, making=making, **RATES)
    network.propensities([1, 1])  # computes the rate table, whose addresses hold in this process only
    copies = [same, copy.copy(network), copy.deepcopy(network), pickle.loads(pickle.dumps(network))]
    for other in copies:
        assert other == network
        assert hash(other) == hash(network)
        assert "rate_table" not in vars(other)
        np.testing.assert_array_equal(other.propensities([3, 1]), network.propensities([3, 1]))
    others = [network.with_parameters(k=9), acme.ReactionNetwork.parse(FUNCTION_TEXT, making=raising_three, **RATES)]
    assert all(other != network for other in others)
    assert len({network, *copies, *others}) == 3


def raising_three(m, p, k):
    return 1.0


def test_the_table_says_the_convention_of_each_rate():
    text = "c = 2*k\nA -> 0 : k\n2 A -> B : c\n3 A -> B : c\n2 A + 2 B -> 0 : c\nA => 0 : k*A"
    shown = acme.ReactionNetwork.parse(text, k=1)._repr_html_()
    assert ">mass action<" in shown
    assert r"the distinct pairs of molecules, $\frac{A\,(A - 1)}{2}$" in shown
    assert r"the distinct triples of molecules, $\frac{A\,(A - 1)\,(A - 2)}{6}$" in shown
    assert "the distinct sets of 4 molecules" in shown
    assert "as given: the rate is the whole propensity" in shown
    assert "Defined: $c = 2 k = 2$." in shown
    assert "Parameters: k = 1." in shown


@pytest.mark.parametrize(
    ("line", "alone", "multiplied", "states"),
    [
        ("U -> 0 : g*U", "U => 0 : g*U", "U => 0 : U*(g*U)", [[3], [7]]),
        ("2 U -> 0 : g*U", "2 U => 0 : g*U", "2 U => 0 : U*(U - 1)/2*(g*U)", [[3], [7]]),
        (
            "total = 2*U\nU + 3 V -> V : g*total",
            "U + 3 V => V",
            "U + 3 V => V : U*V*(V - 1)*(V - 2)/6*(g * (2 * U))",
            [[3, 5]],
        ),
    ],
)
def test_a_rate_that_names_its_reactant_is_said_and_both_meanings_are_shown(line, alone, multiplied, states):
    with pytest.warns(acme.RateLawWarning, match=re.escape(alone)) as heard:
        network = parse(line, g=2.0)
    assert multiplied in str(heard[0].message)
    shown = parse(multiplied, g=2.0)  # what the message shows for "as it stands" is the same propensity
    np.testing.assert_allclose(network.propensities(states), shown.propensities(states), rtol=1e-14)
    network.with_parameters(g=3.0)  # said once, where the text is read
    parse(
        "U => 0 : g*U\nU -> 0 : g*V\n0 -> V : g\n0 -> U : g*U\nU -> 0 : g/(1 + U)\n2 U -> 0 : g*(U > 2)", g=1
    )  # nothing is doubled here

"""State spaces that are no boxes: reachable sets, sets of states, and what is computed on them."""

import itertools
import math

import numpy as np
import pytest

from acme_lib.errors import ParameterError, PropensityError, StateSpaceError
from acme_lib.master import (
    StateDistribution,
    StateSpace,
    build_generator,
    solve_stationary,
    solve_transient,
)
from acme_lib.network import ReactionNetwork

parse = ReactionNetwork.parse

TELEGRAPH = "off <-> on : k_on, k_off\non -> on + M : s\nM -> 0 : g"
RATES = {"k_on": 0.6, "k_off": 1.7, "s": 12.0, "g": 1.0}


def reached_by_hand(network, x0, largest):
    """Breadth-first search with a set of tuples in place of keys and a hash table."""
    found, pending = {tuple(x0)}, [tuple(x0)]
    while pending:
        state = pending.pop()
        for a, change in zip(network.propensities([state])[0], network.stoichiometry, strict=True):
            to = tuple(int(n) for n in np.add(state, change))
            if a > 0 and to not in found and all(n <= m for n, m in zip(to, largest, strict=True)):
                found.add(to)
                pending.append(to)
    return sorted(found)


@pytest.mark.parametrize(
    ("text", "x0", "largest"),
    [
        (TELEGRAPH, {"off": 1}, {"M": 9}),
        ("A <-> B : 1, 2\nB <-> C : 1, 1", {"A": 5}, {}),
        ("2 P <-> D : 1, 1\nD <-> E : 1, 1", {"P": 7}, {}),
        ("0 => P : 1\n3 P -> Q : 1\nQ -> 0 : 1", {}, {"P": 8, "Q": 2}),
        ("A -> 0 : 1\n2 A -> B : 1", {"A": 6}, {}),
        ("0 => A : hillr(B, 4, 2, 2)\n0 => B : A > 2\nA -> 0 : 1\nB -> 0 : 1", {}, {"A": 5, "B": 4}),
    ],
)
def test_reachable_states_are_those_of_a_plain_search(text, x0, largest):
    network = parse(text, **({k: v for k, v in RATES.items()} if text is TELEGRAPH else {}))
    space = StateSpace.reachable(network, x0, **largest)
    bounds = [largest.get(name, 10**6) for name in network.species]
    assert [tuple(state) for state in space.states.tolist()] == reached_by_hand(network, network.state(x0), bounds)


def test_a_gene_needs_no_box_of_both_its_states():
    network = parse(TELEGRAPH, **RATES)
    space = StateSpace.reachable(network, {"off": 1}, M=60)
    assert len(space) == 2 * 61
    assert not space.is_box
    assert str(space) == "122 states within off=0..1, on=0..1, M=0..60"
    assert repr(space) == "<StateSpace: 122 states within off=0..1, on=0..1, M=0..60>"
    assert space == StateSpace.reachable(network, {"on": 1, "M": 3}, M=60)
    assert hash(space) == hash(StateSpace.reachable(network, {"on": 1}, M=60))
    assert space != StateSpace.reachable(network, {"on": 1}, M=61)
    assert space != "space"
    assert StateSpace.reachable(network, [[1, 0, 0], [0, 0, 0]], M=60) != space  # no gene at all is a class of its own


def test_a_reachable_set_that_fills_its_box_is_the_box():
    network = parse("0 <-> M : 1, 1")
    assert StateSpace.reachable(network, {}, M=7) == StateSpace.box(network, M=7)


def test_the_search_grows_its_table(scaled):
    largest = scaled(150, 80)
    network = parse("0 <-> A : 1, 1\n0 <-> B : 1, 1")
    assert StateSpace.reachable(network, {}, A=largest, B=largest) == StateSpace.box(network, A=largest, B=largest)


def test_rates_in_time_are_taken_as_possible():
    network = parse("0 => M : max(0, t - 5)\nM -> 0 : 1\n2 M -> D : 1 + t")
    space = StateSpace.reachable(network, {}, M=3, D=1)
    assert len(space) == 8


def test_sets_of_states():
    network = parse("0 <-> A : 1, 1\nA <-> B : 1, 1")
    space = StateSpace.of_states(network, [[2, 0], [0, 1], [2, 0], [1, 1]])
    assert space.states.tolist() == [[0, 1], [1, 1], [2, 0]]
    assert space.index([[2, 0], [0, 1]]).tolist() == [2, 0]
    assert space.locate([[2, 0], [2, 1], [9, 0], [-1, 0]]).tolist() == [2, -1, -1, -1]
    assert space.point(A=1, B=1).tolist() == [0, 1, 0]
    assert space.restrict("A > 0").states.tolist() == [[1, 1], [2, 0]]
    assert space.reshape([0.2, 0.3, 0.5]).tolist() == [[0, 0.2], [0, 0.3], [0.5, 0]]
    with pytest.raises(StateSpaceError, match="A=2, B=1 is not one of the 3 states within A=0..2, B=0..1"):
        space.index([2, 1])
    with pytest.raises(StateSpaceError, match="no state is left"):
        space.restrict("A > 5")


@pytest.mark.parametrize("states", [[[0.5, 1]], [[-1, 0]], [], [[1, 2, 3]], [1, 2]])
def test_sets_that_are_none(states):
    with pytest.raises(StateSpaceError, match="whole, non-negative counts of shape"):
        StateSpace.of_states(parse("A <-> B : 1, 1"), states)


def test_searches_that_end_in_an_error():
    network = parse("0 <-> A : 1, 1\nA <-> B : 1, 1\nG <-> H : 1, 1")
    with pytest.raises(StateSpaceError, match=r"more than 100 states can be reached; nothing bounds A, B: give.*A=100"):
        StateSpace.reachable(network, {"G": 1}, max_states=100)
    with pytest.raises(StateSpaceError, match="more than 10 states can be reached; lower the largest counts"):
        StateSpace.reachable(network, {"G": 1}, max_states=10, A=5, B=5)
    with pytest.raises(StateSpaceError, match="the start has A=6, more than the largest count 5"):
        StateSpace.reachable(network, {"A": 6}, A=5, B=5)
    with pytest.raises(StateSpaceError, match="'Q' is not a species"):
        StateSpace.reachable(network, {}, Q=5)
    with pytest.raises(ParameterError, match="max_states must be a whole number"):
        StateSpace.reachable(network, {}, max_states=0)
    with pytest.raises(StateSpaceError, match="64-bit"):
        StateSpace.reachable(network, {}, A=2**40, B=2**40)
    with pytest.raises(StateSpaceError, match="64-bit"):
        StateSpace.of_states(network, [[2**40, 2**40, 0, 0]])
    with pytest.raises(PropensityError, match="negative"):
        StateSpace.reachable(parse("0 => M : 2 - M"), {"M": 3}, M=5)
    assert len(StateSpace.reachable(parse("0 => M : 2 - M"), {}, M=5)) == 3  # where it is negative is never reached
    with pytest.raises(PropensityError, match="molecules that the reaction takes are missing"):
        StateSpace.reachable(parse("M => 0 : 5"), {}, M=5)


@pytest.fixture(scope="module")
def telegraph_pair():
    """The same gene on the reachable set and on the box: two routes through the code."""
    network = parse(TELEGRAPH, **RATES)
    small = build_generator(network, StateSpace.reachable(network, {"off": 1}, M=40), boundary="reflecting")
    box = build_generator(network, StateSpace.box(network, off=1, on=1, M=40), boundary="reflecting")
    return small, box


def test_the_generator_of_a_set_is_a_part_of_the_box(telegraph_pair):
    small, box = telegraph_pair
    at = box.space.index(small.space.states)
    np.testing.assert_array_equal(small.matrix.toarray(), box.matrix.toarray()[np.ix_(at, at)])
    np.testing.assert_array_equal(small.outflow, box.outflow[at])


@pytest.mark.parametrize("boundary", ["absorbing", "reflecting"])
@pytest.mark.parametrize("seed", range(4))
def test_the_generator_of_any_set_is_its_definition(boundary, seed):
    network = parse("0 <-> P : 3, 1\n2 P <-> D : 0.7, 0.4\nD => 0 : 0.3*D*P")
    states = np.array(list(itertools.product(range(7), range(4))))
    chosen = states[np.random.default_rng(seed).random(len(states)) < 0.6]
    space = StateSpace.of_states(network, chosen)
    generator = build_generator(network, space, boundary=boundary)
    index = {tuple(state): i for i, state in enumerate(space.states.tolist())}
    expected, outflow = np.zeros((len(space), len(space))), np.zeros(len(space))
    for state, i in index.items():
        for a, change in zip(network.propensities([state])[0], network.stoichiometry, strict=True):
            to = index.get(tuple(np.add(state, change).tolist()))
            if to is None:
                outflow[i] += a
            else:
                expected[to, i] += a
            if to is not None or boundary == "absorbing":
                expected[i, i] -= a
    np.testing.assert_allclose(generator.matrix.toarray(), expected, rtol=1e-14)
    np.testing.assert_allclose(generator.outflow, outflow, rtol=1e-14)


def test_laws_on_a_set_are_those_on_the_box(telegraph_pair):
    small, box = telegraph_pair
    laws = [solve_stationary(g, x0={"off": 1}) for g in (small, box)]
    late = [solve_transient(g, {"off": 1}, [0.5, 2.0], tolerance=1e-12) for g in (small, box)]
    for a, b in (laws, late):
        for names in (("M",), ("on", "M"), ("M", "off")):
            np.testing.assert_allclose(a.marginal(*names), b.marginal(*names), atol=1e-11)
        np.testing.assert_allclose(a.mean("M"), b.mean("M"), rtol=1e-9)
        np.testing.assert_allclose(a.variance("M"), b.variance("M"), rtol=1e-9)
        np.testing.assert_allclose(a.covariance("on", "M"), b.covariance("on", "M"), rtol=1e-9)
        np.testing.assert_allclose(a.probability("M > 3 and on == 1"), b.probability("M > 3 and on == 1"), rtol=1e-9)
        np.testing.assert_allclose(a.space.reshape(a.p), b.space.reshape(b.p), atol=1e-11)


@pytest.mark.parametrize("rows", [None, 3])
@pytest.mark.parametrize("whole", [True, False])
def test_conditionals_and_moments_are_sums(rows, whole):
    rng = np.random.default_rng(5)
    network = parse("A <-> B : 1, 1\n0 <-> C : 1, 1")
    states = np.array(list(itertools.product(range(3), range(4), range(2))))
    space = StateSpace.of_states(network, states if whole else states[rng.random(24) < 0.7])
    assert space.is_box == whole
    p = rng.random((rows, len(space)) if rows else len(space))
    law = StateDistribution(space, p / p.sum(axis=-1, keepdims=True))
    a, b, c = space.states.T
    for given, mask in (({"B": 2}, b == 2), ("A + B >= 3", a + b >= 3), (c == 1, c == 1), ({"B": 1, "C": 0}, None)):
        mask = (b == 1) & (c == 0) if mask is None else mask
        part = law.conditional("A", given=given)
        for n in range(space.shape[0]):
            expected = law.p[..., mask & (a == n)].sum(axis=-1) / law.p[..., mask].sum(axis=-1)
            np.testing.assert_allclose(part[..., n], expected, rtol=1e-13)
        joint = law.conditional("C", "A", given=given)
        assert joint.shape == (*part.shape[:-1], space.shape[2], space.shape[0])
        np.testing.assert_allclose(joint.sum(axis=-2), part, rtol=1e-13)
    assert np.isnan(law.conditional("A", given={"B": 77})).all()
    np.testing.assert_allclose(law.moment(A=1, B=2), law.p @ (a * b**2), rtol=1e-13)
    np.testing.assert_allclose(law.moment(C=0), np.ones(rows) if rows else 1.0, rtol=1e-13)
    np.testing.assert_allclose(law.expectation("A*B + sqrt(C)"), law.p @ (a * b + np.sqrt(c)), rtol=1e-13)
    assert rows is not None or type(law.moment(A=1)) is float


@pytest.mark.parametrize("orders", [{}, {"A": -1}, {"A": 1.5}, {"A": True}])
def test_moments_that_are_none(orders):
    law = StateDistribution(StateSpace(("A",), (2,)), np.array([0.5, 0.5]))
    with pytest.raises(StateSpaceError, match="moment takes orders by species|the order of A must be a whole number"):
        law.moment(**orders)


def test_masks_that_are_none():
    space = StateSpace(("A",), (3,))
    for mask in ([True, False], [1, 0, 1], 3):
        with pytest.raises(StateSpaceError, match="a target must be a condition such as 'A > 3', or an array of 3"):
            space.mask(mask)
    with pytest.raises(StateSpaceError, match="names 'B', which is no species"):
        space.evaluate("B + 1")


def test_a_thin_set_in_a_vast_box():
    """Three states 10^6 apart: nothing of the size of the box is made, unless it is asked for."""
    network = parse("A <-> B : 1, 1\nB <-> C : 1, 1")
    space = StateSpace.of_states(network, np.eye(3, dtype=int) * 10**6)
    law = StateDistribution(space, np.array([0.2, 0.3, 0.5]))
    assert law.mean("A") == pytest.approx(0.5e6)
    assert law.marginal("A")[[0, -1]] == pytest.approx([0.5, 0.5])
    with pytest.raises(StateSpaceError, match="too many; ask for marginals"):
        space.reshape(law.p)


def test_sampling_of_conserved_totals_is_binomial():
    """n molecules that switch independently: the law on the reachable set is binomial, in any order of species."""
    n, a, b = 12, 0.7, 1.9
    network = parse("A <-> B : a, b", a=a, b=b)
    space = StateSpace.reachable(network, {"A": n})
    assert len(space) == n + 1
    law = solve_stationary(build_generator(network, space, boundary="reflecting"))
    q = a / (a + b)
    expected = [math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1)]
    np.testing.assert_allclose(law.marginal("B"), expected, rtol=1e-12)
    assert law.leaked == 0.0

"""Stationary laws: all methods in one loop over the same chains, weights of rare wells, relaxation times."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, sparse

from acme_lib import laws, models
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.master import (
    Generator,
    StateSpace,
    build_generator,
    elimination,
    find_relaxation,
    solve_stationary,
    stationary,
    total_variation,
)
from acme_lib.network import ReactionNetwork

parse = ReactionNetwork.parse
METHODS = stationary.METHODS

CHAINS = {
    "birth-death": ("0 <-> M : k, g", {"k": 3, "g": 1}, {"M": 30}),
    "two-stage": ("0 <-> M : k, g\nM -> M + P : b\nP -> 0 : d", {"k": 3, "g": 2, "b": 4, "d": 1}, {"M": 6, "P": 18}),
    "bursts": ("0 -> 3 M : k\n0 -> M : k\nM -> 0 : g\n2 M -> 0 : g", {"k": 0.5, "g": 1}, {"M": 40}),
    "toggle": (
        "0 => A : hillr(B, v, 2, 2)\n0 => B : hillr(A, v, 2, 2)\nA -> 0 : 1\nB -> 0 : 1",
        {"v": 6},
        {"A": 17, "B": 13},
    ),
    "ring": (
        "0 => A : hillr(C, v, 2, 2)\n0 => B : hillr(A, v, 2, 2)\n0 => C : hillr(B, v, 2, 2)\n"
        "A -> 0 : 1\nB -> 0 : 1\nC -> 0 : 1",
        {"v": 3},
        {"A": 6, "B": 7, "C": 5},
    ),
    "stiff": ("0 <-> P : k, g\n2 P <-> D : c, u", {"k": 3, "g": 1, "c": 7e4, "u": 4e4}, {"P": 12, "D": 9}),
}


def generator_of(network, **largest):
    return build_generator(network, StateSpace.box(network, **largest), boundary="reflecting")


@pytest.fixture(scope="module", params=CHAINS)
def chain(request):
    """A generator, and its law from dense linear algebra of high precision: LU of A with a row of ones, refined."""
    text, parameters, largest = CHAINS[request.param]
    generator = generator_of(parse(text, **parameters), **largest)
    a = generator.matrix.toarray()
    a[-1] = 1.0
    factors = linalg.lu_factor(a)
    p, b = np.zeros(len(a)), np.zeros(len(a))
    b[-1] = 1.0
    for _ in range(4):
        rest = b.astype(np.longdouble) - a.astype(np.longdouble) @ p
        p = p + linalg.lu_solve(factors, rest.astype(float))
    return generator, p


@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_every_method_finds_the_same_law(chain, method):
    generator, expected = chain
    law = solve_stationary(generator, method=method)
    assert law.method == method or method == "auto"
    assert law.method in METHODS
    assert law.reason
    # Where rates lie six powers of ten apart, LU loses as many digits; elimination loses none.
    stiff = -generator.matrix.diagonal().min() > 1e5 and law.method in ("lu", "iterative")
    assert total_variation(law.p, expected) < (1e-9 if stiff else 1e-10 if method == "iterative" else 1e-11)
    assert law.p.sum() == pytest.approx(1, abs=1e-13)
    assert (law.p >= 0).all()
    assert law.residual < 1e-12
    flows = np.abs(generator.matrix.diagonal() * law.p).max()
    assert law.residual == pytest.approx(np.abs(generator.matrix @ law.p).max() / flows)
    assert law.leaked == pytest.approx(generator.outflow @ law.p)


def exact_weights(network, largest):
    """The weights of a birth-death chain as fractions: nothing is rounded."""
    up, down = network.propensities(np.arange(largest + 1)[:, None]).T
    weights = [Fraction(1)]
    for n in range(largest):
        weights.append(weights[-1] * Fraction(up[n]) / Fraction(down[n + 1]))
    total = sum(weights)
    return np.array([float(w / total) for w in weights])


WELLS = {
    "rare": ("0 => n : 4 + 76*(n >= 25)\nn -> 0 : 1", 150),
    "rarer": ("0 => n : 4 + 300*(n >= 55)\nn -> 0 : 1", 420),  # a barrier of probability 1e-40 between the wells
    "two thousand years": ("0 => n : 1 + 500*(n >= 130)\nn -> 0 : 1", 640),
}


@pytest.mark.parametrize("method", ["gth", "banded"])
@pytest.mark.parametrize("name", WELLS)
def test_weights_of_wells_that_hardly_exchange(name, method):
    """Relative errors of rounding size in every state, also where the exchange is slower than rounding of any rate."""
    text, largest = WELLS[name]
    network = parse(text)
    law = solve_stationary(generator_of(network, n=largest), method=method)
    expected = exact_weights(network, largest)
    assert expected.min() < 1e-60 or name == "rare"
    normal = expected > 1e-290
    np.testing.assert_allclose(law.p[normal], expected[normal], rtol=1e-11)
    np.testing.assert_allclose(law.p[~normal], expected[~normal], atol=1e-290)


def test_wrong_weights_of_rare_wells_are_seen():
    """The residual of LU is as small as ever; flows that do not balance say that the weights are wrong."""
    network = parse(WELLS["rarer"][0])
    generator = generator_of(network, n=420)
    expected = exact_weights(network, 420)
    law = solve_stationary(generator, method="lu")
    wrong = total_variation(law.p, expected)
    assert law.residual < 1e-12
    assert wrong < 1e-9 or law.uncertainty > 0.1 * wrong
    tilted = np.where(np.arange(421) < 55, 0.5 * expected, expected)
    tilted /= tilted.sum()
    assert stationary._imbalance(generator.matrix, generator.space.states, tilted) > 0.1 * total_variation(
        tilted, expected
    )
    assert solve_stationary(generator).uncertainty < 1e-11
    assert solve_stationary(generator_of(parse("0 -> 3 n : 2\nn -> 0 : 1"), n=60)).uncertainty < 1e-12


def test_elimination_beyond_the_range_of_floats():
    """Between two wells the law falls to 1e-600: the second well keeps its weight."""
    n = 41
    up, down = np.full(n, 1e-30), np.full(n, 1.0)
    up[n // 2 :], down[n // 2 + 1 :] = 1.0, 1e-30
    up[-1], down[0] = 0.0, 0.0
    matrix = sparse.diags_array([up[:-1], -(up + down), down[1:]], offsets=[-1, 0, 1], format="csc")
    p = elimination.eliminate(matrix, np.arange(n), 1).stationary()
    weights = [Fraction(1)]
    for k in range(n - 1):
        weights.append(weights[-1] * Fraction(up[k]) / Fraction(down[k + 1]))
    expected = np.array([float(w / sum(weights)) for w in weights])
    assert expected[0] > 1e-3 and expected[-1] > 1e-3 and expected.min() == 0.0
    np.testing.assert_allclose(p[[0, -1]], expected[[0, -1]], rtol=1e-12)
    assert p.sum() == pytest.approx(1, abs=1e-14)


def test_fast_species_come_first():
    """A box of 8 by 60 has a band of 8 with the short axis fastest, and one of 60 the other way round."""
    network = parse("0 <-> A : 1, 1\n0 <-> B : 1, 1")
    for largest in ({"A": 7, "B": 59}, {"A": 59, "B": 7}):
        generator = generator_of(network, **largest)
        order, width = elimination.band_order(generator.matrix, generator.space.states)
        assert width == 8
        assert sorted(order) == list(range(480))
    states = StateSpace.reachable(parse("A <-> B : 1, 1\nB <-> C : 1, 1"), {"A": 14})
    generator = build_generator(parse("A <-> B : 1, 1\nB <-> C : 1, 1"), states, boundary="reflecting")
    assert elimination.band_order(generator.matrix, states.states)[1] <= 16


def test_choice_of_the_method(monkeypatch):
    network = parse("0 <-> A : 3, 1\n0 <-> B : 3, 1")
    assert solve_stationary(generator_of(network, A=5, B=5)).method == "gth"
    narrow = solve_stationary(generator_of(network, A=5, B=60))
    assert narrow.method == "banded" and "the band is 6 wide" in narrow.reason
    asked = []
    monkeypatch.setattr(stationary, "memory_of_machine", lambda: asked.append(1) or 3e5)
    small = solve_stationary(generator_of(network, A=15, B=60))
    assert small.method == "iterative" and "too large" in small.reason and asked
    assert small.residual < 1e-12
    band, factor = stationary.banded_cost(10**5, 316), stationary.factor_cost(10**5, 2)
    monkeypatch.undo()
    assert stationary._choose(10**5, 316, band, factor)[0] == "lu"


def test_methods_that_are_none():
    with pytest.raises(ParameterError, match="'auto', 'gth', 'banded', 'lu' or 'iterative', got 'svd'"):
        solve_stationary(generator_of(parse("0 <-> M : 1, 1"), M=5), method="svd")


@pytest.mark.parametrize("method", METHODS)
def test_a_matrix_that_is_no_generator_is_refused_by_every_method(method):
    matrix = sparse.csc_array([[-1.0, 1.0, 0.0], [2.0, -1.0, 1.0], [0.0, 1.0, -1.0]])
    with pytest.raises(StateSpaceError, match="columns of the matrix must sum to zero"):
        solve_stationary(Generator(matrix, StateSpace(("M",), (3,)), "reflecting", np.zeros(3)), method=method)


@pytest.mark.parametrize("method", METHODS)
def test_states_that_are_left_for_good(method):
    law = solve_stationary(generator_of(parse("0 => n : 2\nn => 0 : n*(n > 2)"), n=10), method=method)
    assert (law.p[:2] == 0).all()
    np.testing.assert_allclose(law.p[3:] / law.p[2:-1], 2 / np.arange(3, 11), rtol=1e-9)
    alone = solve_stationary(generator_of(parse("A -> 0 : 1"), A=4), method=method)
    assert alone.p.tolist() == [1, 0, 0, 0, 0]
    assert alone.relaxation_time == 0.0


# --- states found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "tolerance"), [(0.2, 1e-10), (40.0, 1e-6), (250.0, 1e-12)])
def test_a_law_finds_its_own_states(k, tolerance):
    law = solve_stationary(parse("0 <-> M : k, 1", k=k), tolerance=tolerance)
    exact = laws.birth_death(k, 1)
    largest = law.space.shape[0] - 1
    assert exact.sf(largest) <= tolerance
    assert exact.sf(largest - 2) > 1e-3 * tolerance  # and not many more
    assert total_variation(law.p, exact.pmf(np.arange(largest + 1))) < 2 * tolerance


def test_a_gene_finds_its_own_states():
    gene = parse("off <-> on : 0.6, 1.7\non -> on + M : 12\nM -> 0 : 1")
    law = solve_stationary(gene, x0={"off": 1})
    expected = laws.telegraph(k_on=0.6, k_off=1.7, s=12.0)
    np.testing.assert_allclose(law.marginal("M"), expected.pmf(np.arange(law.space.shape[2])), atol=1e-10)
    assert law.space.shape[:2] == (2, 2) and len(law.space) == 2 * law.space.shape[2]
    with pytest.raises(ParameterError, match="tolerance must be a number above 0 and below 1"):
        solve_stationary(gene, tolerance=0)


# --- relaxation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("largest", [60, 400])
def test_birth_and_death_relax_with_the_lifetime(largest):
    """Eigenvalues 0, -g, -2g, …; small chains by dense, large ones by sparse algebra."""
    law = solve_stationary(generator_of(parse("0 <-> M : k, g", k=2.5, g=0.25), M=largest))
    relaxation = find_relaxation(law)
    assert relaxation.time == pytest.approx(4.0, rel=1e-9)
    assert relaxation.eigenvalue == pytest.approx(-0.25, rel=1e-9)
    assert relaxation.residual < 1e-8
    assert law.relaxation_time == relaxation.time
    counts = np.arange(largest + 1)
    mode = law.p * (counts - 10)  # the slowest mode: the mean, displaced
    mode /= np.abs(mode).sum() * np.sign(mode[np.argmax(np.abs(mode))])
    np.testing.assert_allclose(relaxation.mode, mode, atol=1e-7)


def test_relaxation_is_the_gap_of_dense_algebra(chain):
    generator, _ = chain
    values = np.sort(linalg.eigvals(generator.matrix.toarray()).real)[::-1]
    time = find_relaxation(solve_stationary(generator)).time
    assert time == pytest.approx(-1 / values[1], rel=1e-6)


def test_a_driven_cycle_oscillates():
    network = parse("A -> B : 1\nB -> C : 1\nC -> A : 1")
    generator = build_generator(network, StateSpace.reachable(network, {"A": 1}), boundary="reflecting")
    relaxation = find_relaxation(solve_stationary(generator))
    assert relaxation.time == pytest.approx(1 / 1.5, rel=1e-12)
    assert abs(relaxation.eigenvalue.imag) == pytest.approx(math.sqrt(3) / 2, rel=1e-12)


def test_wells_exchange_at_the_rates_of_their_first_passages():
    """For rare exchange 1/time is the sum of the rates there and back, here from the classical sums."""
    network = parse("0 => n : 4 + 46*(n >= 22)\nn -> 0 : 1")
    largest = 110
    law = solve_stationary(generator_of(network, n=largest))
    up, down = network.propensities(np.arange(largest + 1)[:, None]).T
    p = exact_weights(network, largest)
    below, above = np.cumsum(p), np.cumsum(p[::-1])[::-1]
    low, high = 4, 50
    there = sum(below[n] / (up[n] * p[n]) for n in range(low, high))
    back = sum(above[n] / (down[n] * p[n]) for n in range(low + 1, high + 1))
    assert there > 1e4 and back > 1e4
    assert law.relaxation_time == pytest.approx(1 / (1 / there + 1 / back), rel=1e-3)
    sign = np.sign(find_relaxation(law).mode)
    assert set(sign[:10]) == {-sign[50]} and set(sign[40:60]) == {sign[50]}


@pytest.mark.jit
def test_the_toggle_switch_is_metastable():
    size = 44
    network = models.toggle_switch(a_u=size / 2, a_v=size / 2, K=size / 12, n=3)
    law = solve_stationary(generator_of(network, U=size, V=size))
    assert law.relaxation_time > 100  # the proteins live for 1
    assert law.mean("U") == pytest.approx(law.mean("V"), rel=1e-9)


# --- properties -----------------------------------------------------------------------------------------------------

rates = st.floats(1e-6, 1e6)


@given(st.lists(rates, min_size=4, max_size=12), st.lists(rates, min_size=12, max_size=12))
def test_any_birth_death_chain_is_right_to_rounding(up, down):
    n = len(up) + 1
    down = down[: n - 1]
    matrix = sparse.diags_array([up, np.zeros(n), down], offsets=[-1, 0, 1], format="csc")
    p = elimination.eliminate(matrix, np.arange(n), 1).stationary()
    weights = [Fraction(1)]
    for a, b in zip(up, down, strict=True):
        weights.append(weights[-1] * Fraction(a) / Fraction(b))
    total = sum(weights)
    np.testing.assert_allclose(p, [float(w / total) for w in weights], rtol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
@pytest.mark.parametrize("seed", range(3))
def test_elimination_solves_what_dense_algebra_solves(n, seed):
    rng = np.random.default_rng(seed)
    a, exits, b, order = rng.random((n, n)), rng.random(n), rng.random(n), rng.permutation(n)
    a[np.abs(np.subtract.outer(np.argsort(order), np.argsort(order))) > 3] = 0.0
    np.fill_diagonal(a, 0.0)
    width = min(3, n - 1)
    solver = elimination.eliminate(sparse.csc_array(a), order, width, exits)
    full = a - np.diag(a.sum(axis=0) + exits)
    np.testing.assert_allclose(full @ solver.solve(b), -b, rtol=1e-11)
    np.testing.assert_allclose(full.T @ solver.solve_transposed(b), -b, rtol=1e-11)
    factors = elimination.SparseFactors(sparse.csc_array(a), exits)
    np.testing.assert_allclose(factors.solve(b), solver.solve(b), rtol=1e-10)
    np.testing.assert_allclose(factors.solve_transposed(b), solver.solve_transposed(b), rtol=1e-10)
    assert solver.width == width
    assert elimination.eliminate(sparse.csc_array(a), order, width, np.zeros(n)) is None  # no way out

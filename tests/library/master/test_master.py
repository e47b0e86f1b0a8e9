"""The master equation: exact anchors, then error bounds, then properties."""

import doctest
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, sparse, stats

from acme_lib import laws
from acme_lib.errors import NetworkSyntaxError, ParameterError, PropensityError, StateSpaceError
from acme_lib.master import (
    Generator,
    StateDistribution,
    StateSpace,
    build_generator,
    solve_stationary,
    solve_transient,
    state_space,
    stationary,
    total_variation,
    transient,
    uniformisation,
)
from acme_lib.network import ReactionNetwork

parse = ReactionNetwork.parse


def birth_death(k=10.0, g=1.0):
    return parse("0 -> M : k\nM -> 0 : g", k=k, g=g)


def two_stage(k_m=4.0, k_p=3.0, g_m=2.0, g_p=1.0):
    text = "0 -> M : k_m\nM -> 0 : g_m\nM -> M + P : k_p\nP -> 0 : g_p"
    return parse(text, k_m=k_m, k_p=k_p, g_m=g_m, g_p=g_p)


def generator_of(network, boundary="reflecting", **largest):
    return build_generator(network, StateSpace.box(network, **largest), boundary=boundary)


def dense_generator(network, space, boundary, t=0.0):
    """Assemble A from its definition, state by state, with a dictionary in place of index arithmetic."""
    index = {tuple(state): i for i, state in enumerate(space.states.tolist())}
    a = np.zeros((len(space), len(space)))
    for state, i in index.items():
        for rate, change in zip(network.propensities([state], t)[0], network.stoichiometry, strict=True):
            to = index.get(tuple(np.add(state, change).tolist()))
            if to is not None:
                a[to, i] += rate
            if to is not None or boundary == "absorbing":
                a[i, i] -= rate
    return a


NETWORKS = {
    "birth-death": ("0 <-> M : k, g", {"k": 3, "g": 1}, {"M": 8}),
    "two-stage": ("0 <-> M : k, g\nM -> M + P : b\nP -> 0 : d", {"k": 3, "g": 2, "b": 4, "d": 1}, {"M": 4, "P": 6}),
    "dimer": ("0 <-> P : k, g\n2 P <-> D : c, u", {"k": 3, "g": 1, "c": 0.7, "u": 0.4}, {"P": 6, "D": 3}),
    "bursts": ("0 -> 3 M : k\n0 -> M : k\n0 -> M : g\nM -> 0 : g\n2 M -> 0 : g", {"k": 0.5, "g": 1}, {"M": 7}),
    "toggle": (
        "0 => A : hillr(B, v, 2, 2)\n0 => B : hillr(A, v, 2, 2)\nA -> 0 : 1\nB -> 0 : 1",
        {"v": 4},
        {"A": 5, "B": 4},
    ),
    "wide": (
        "0 -> 5 A : k\n5 A + 4 B -> 0 : k\n0 -> 4 B + A : k\nA -> 0 : 1\nB -> 0 : 1",
        {"k": 0.7},
        {"A": 5, "B": 4},
    ),
    "three": ("0 -> A : k\nA -> B : k\nB -> C : k\nC -> 0 : k", {"k": 1.5}, {"A": 3, "B": 2, "C": 4}),
}


@pytest.fixture(params=NETWORKS)
def case(request):
    text, parameters, largest = NETWORKS[request.param]
    network = parse(text, **parameters)
    return network, StateSpace.box(network, **largest)


# --- state spaces -------------------------------------------------------------------------------------------------


def test_the_last_species_runs_fastest():
    space = StateSpace.box(two_stage(), M=2, P=3)
    assert space.shape == (3, 4)
    assert len(space) == 12
    assert str(space) == "M=0..2, P=0..3"
    assert space.states[:5].tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]]
    assert not space.states.flags.writeable
    assert space == StateSpace.box(two_stage(), P=3, M=2)
    assert space != StateSpace.box(two_stage(), P=4, M=2)


def test_index_is_the_inverse_of_states():
    space = StateSpace(("A", "B", "C"), (3, 1, 4))
    assert space.index(space.states).tolist() == list(range(12))
    assert [space.index(state) for state in space.states] == list(range(12))
    assert space.index({"A": 2, "C": 3}) == 11
    assert space.index([1.0, 0.0, 2.0]) == 6
    assert isinstance(space.index((0, 0, 0)), int)


def test_point_and_reshape():
    space = StateSpace.box(two_stage(), M=2, P=3)
    for p in (space.point(M=1, P=2), space.point({"M": 1, "P": 2}), space.point([1, 2])):
        assert p.sum() == 1.0
        assert space.reshape(p)[1, 2] == 1.0
    assert space.point()[0] == 1.0
    assert space.reshape(np.zeros((5, 12))).shape == (5, 3, 4)


@pytest.mark.parametrize(
    ("largest", "words"),
    [
        ({"M": 5}, r"P has none: StateSpace.box\(network, M=5, P=…\)"),
        ({"M": 5, "P": 5, "Q": 1}, "'Q' is not a species of the network.*it has M, P"),
        ({"m": 5, "P": 5}, r"'m' is not a species.*did you mean 'M'"),
        ({"M": -1, "P": 5}, "the largest count of M must be a whole number of at least 0, got -1"),
        ({"M": 5.0, "P": 5}, "got 5.0"),
        ({"M": True, "P": 5}, "got True"),
        ({"M": 10**6, "P": 10**6}, "has 1e[+]12 states, more than 33554432; lower"),
    ],
)
def test_boxes_that_are_none(largest, words):
    with pytest.raises(StateSpaceError, match=words):
        StateSpace.box(two_stage(), **largest)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"M": 3}, "the state M=3, P=0 is not in the box M=0..2, P=0..3; enlarge"),
        ([[0, 0], [1, 4]], "the state M=1, P=4 is not in the box"),
        ([-1, 0], "M=-1, P=0 is not in the box"),
        ([0.5, 0], "M=0.5, P=0 is not in the box"),
        ([math.nan, 0], "M=nan"),
        ([1, 2, 3], r"a state has 2 counts \(M, P\)"),
        (3, "a state has 2 counts"),
        ("ab", "a state has 2 counts"),
        ({"Q": 1}, "'Q' is not a species of the state space"),
    ],
)
def test_states_outside_are_named(counts, words):
    with pytest.raises(StateSpaceError, match=words):
        StateSpace.box(two_stage(), M=2, P=3).index(counts)


def test_misuse_of_vectors():
    space = StateSpace.box(two_stage(), M=2, P=3)
    with pytest.raises(StateSpaceError, match="keep one"):
        space.point([0, 0], M=1)
    with pytest.raises(StateSpaceError, match=r"runs over the 12 states; p has shape \(11,\)"):
        space.reshape(np.zeros(11))


# --- generator ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", ["absorbing", "reflecting"])
def test_generator_is_its_definition(case, boundary):
    network, space = case
    generator = build_generator(network, space, boundary=boundary)
    expected = dense_generator(network, space, boundary)
    np.testing.assert_allclose(generator.matrix.toarray(), expected, rtol=1e-14, atol=0)
    rows, starts = generator.matrix.indices, generator.matrix.indptr
    assert all((np.diff(rows[a:b]) > 0).all() for a, b in zip(starts, starts[1:], strict=False))
    # Nothing stands twice, and no zero stands where a reaction might be read from it.
    off_diagonal = generator.matrix.nnz - len(space)
    assert off_diagonal == np.count_nonzero(expected) - np.count_nonzero(np.diag(expected))


def test_columns_account_for_all_probability(case):
    network, space = case
    reflecting = build_generator(network, space, boundary="reflecting")
    absorbing = build_generator(network, space, boundary="absorbing")
    scale = np.abs(absorbing.matrix.diagonal()).max()
    np.testing.assert_allclose(reflecting.matrix.sum(axis=0), 0, atol=1e-15 * scale)
    np.testing.assert_allclose(absorbing.matrix.sum(axis=0), -absorbing.outflow, atol=1e-15 * scale)
    np.testing.assert_array_equal(absorbing.outflow, reflecting.outflow)
    leaves = [
        sum(
            a
            for a, change in zip(network.propensities([x])[0], network.stoichiometry, strict=True)
            if np.any(x + change >= space.shape)
        )
        for x in space.states
    ]
    np.testing.assert_allclose(absorbing.outflow, leaves, rtol=1e-14)
    assert absorbing.outflow.max() > 0


def test_facts_are_read_only():
    generator = generator_of(birth_death(), M=5)
    assert not generator.outflow.flags.writeable
    assert not generator.matrix.data.flags.writeable
    with pytest.raises(AttributeError):
        generator.boundary = "absorbing"


def test_the_boundary_is_asked_for():
    network = birth_death()
    space = StateSpace.box(network, M=5)
    with pytest.raises(TypeError, match="boundary"):
        build_generator(network, space)
    with pytest.raises(ParameterError, match="'absorbing' or 'reflecting', got 'open'"):
        build_generator(network, space, boundary="open")


def test_the_space_fits_the_network():
    with pytest.raises(StateSpaceError, match="the state space has the species M and the network has M, P"):
        build_generator(two_stage(), StateSpace.box(birth_death(), M=5), boundary="reflecting")


def test_time_is_asked_for_and_used():
    network = parse("0 -> M : k\nM -> 0 : g*(1 + t)", k=2, g=3)
    space = StateSpace.box(network, M=4)
    with pytest.raises(ParameterError, match=r"line 2, 'M -> 0 : g\*\(1 \+ t\)': the rate depends on the time t"):
        build_generator(network, space, boundary="reflecting")
    at_two = build_generator(network, space, boundary="reflecting", t=2.0)
    np.testing.assert_allclose(at_two.matrix.toarray(), dense_generator(network, space, "reflecting", 2.0))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 => M : 2 - M", r"line 1, '0 => M : 2 - M': the propensity is negative \(-1\) in the state M=3"),
        ("M => 0 : 1/M", r"not finite \(inf\) in the state M=0"),
        ("M => 0 : log(M - 1)", r"not finite \(nan\) in the state M=0"),
        (
            "M => 0 : 5",
            r"line 1, 'M => 0 : 5': the propensity is not zero in the state M=0.*write '->' for mass action",
        ),
        ("2 M => 0 : 5*M", "not zero in the state M=1"),
    ],
)
def test_propensities_that_cannot_be(line, words):
    network = parse(line)
    with pytest.raises(PropensityError, match=words):
        build_generator(network, StateSpace.box(network, M=5), boundary="absorbing")


# --- stationary laws ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "g", "largest"), [(10, 1, 60), (0.3, 2, 12), (700, 2, 600)])
def test_birth_death_is_poisson(k, g, largest):
    """The reflecting chain is the truncated Poisson law exactly, state by state, down to its far tails."""
    law = solve_stationary(generator_of(birth_death(k, g), M=largest))
    expected = laws.birth_death(k, g).pmf(np.arange(largest + 1))
    expected /= expected.sum()
    assert np.abs(law.p - expected).max() < 1e-13
    np.testing.assert_allclose(law.p, expected, rtol=1e-9)
    assert law.p.sum() == pytest.approx(1, abs=1e-14)
    assert law.residual < 1e-13
    assert law.leaked == pytest.approx(k * expected[-1], rel=1e-9)


@pytest.mark.jit
@pytest.mark.parametrize("rates", [(4, 3, 2, 1), (2, 1, 1, 1), (1, 0.5, 0.3, 1)])
def test_two_stage_moments(rates):
    k_m, k_p, g_m, g_p = rates
    moments = laws.two_stage_moments(*rates)
    largest = {"M": int(moments.mean_m + 12 * math.sqrt(moments.var_m)) + 12}
    # Under plain Python a smaller box: what it cuts off is bounded by its own report, here and there.
    largest["P"] = int(moments.mean_p + 22 * math.sqrt(moments.var_p)) + 20
    law = solve_stationary(generator_of(two_stage(*rates), **largest))
    accuracy = max(1e-11, 1e3 * largest["P"] * law.leaked)
    assert accuracy < 2e-11
    assert law.mean("M") == pytest.approx(moments.mean_m, rel=accuracy)
    assert law.mean("P") == pytest.approx(moments.mean_p, rel=accuracy)
    assert law.variance("P") == pytest.approx(moments.var_p, rel=accuracy)
    assert law.fano_factor("M") == pytest.approx(1, rel=accuracy)
    assert law.fano_factor("P") == pytest.approx(1 + k_p / (g_m + g_p), rel=accuracy)
    assert law.covariance("M", "P") == pytest.approx(k_m * k_p / (g_m * (g_m + g_p)), rel=accuracy)
    assert law.covariance("P", "M") == pytest.approx(law.covariance("M", "P"), rel=1e-13)


def test_stationary_law_is_the_null_space(case):
    network, space = case
    generator = build_generator(network, space, boundary="reflecting")
    law = solve_stationary(generator)
    basis = linalg.null_space(dense_generator(network, space, "reflecting"))
    assert basis.shape[1] == 1
    expected = basis[:, 0] / basis[:, 0].sum()
    np.testing.assert_allclose(law.p, expected, atol=1e-13)
    assert (law.p > 0).all()
    assert law.residual < 1e-13
    scale = np.abs(generator.matrix.diagonal() * law.p).max()
    assert law.residual == pytest.approx(np.abs(generator.matrix @ law.p).max() / scale)
    assert law.leaked == pytest.approx(generator.outflow @ law.p)


@pytest.mark.parametrize("start", [10, 11])
def test_dimerisation_obeys_detailed_balance(start):
    """2 P <-> D : c, u keeps P + 2D; pi(d+1) u (d+1) = pi(d) c P(P-1)/2 with P = start - 2d."""
    c, u = 0.3, 2.0
    network = parse("2 P <-> D : c, u", c=c, u=u)
    law = solve_stationary(generator_of(network, P=12, D=6), x0={"P": start})
    weights = [1.0]
    for d in range(start // 2):
        weights.append(weights[-1] * c * math.comb(start - 2 * d, 2) / (u * (d + 1)))
    expected = np.zeros(7)
    expected[: len(weights)] = np.array(weights) / sum(weights)
    np.testing.assert_allclose(law.marginal("D"), expected, rtol=1e-12, atol=1e-300)
    assert law.probability(f"P + 2*D == {start}") == pytest.approx(1, abs=1e-14)
    assert law.leaked == 0.0


def test_telegraph_moments(scaled):
    """Mean and Fano factor of EQUATIONS section 1, with the promoter as two conserved species."""
    s, g, k_on, k_off = 12.0, 1.0, 0.6, 1.7
    network = parse("off <-> on : k_on, k_off\non -> on + M : s\nM -> 0 : g", s=s, g=g, k_on=k_on, k_off=k_off)
    law = solve_stationary(generator_of(network, off=1, on=1, M=60), x0={"off": 1})
    assert law.mean("on") == pytest.approx(k_on / (k_on + k_off), rel=1e-12)
    assert law.mean("M") == pytest.approx(s * k_on / (g * (k_on + k_off)), rel=1e-12)
    fano = 1 + s * k_off / ((k_on + k_off) * (k_on + k_off + g))
    assert law.fano_factor("M") == pytest.approx(fano, rel=1e-12)


def test_two_rare_wells():
    """Two wells that exchange at a rate of about 1e-11: the weights come out as far as the rounding of rates allows."""
    network = parse("0 => n : 4 + 76*(n >= 25)\nn -> 0 : 1")
    largest = 150
    up = network.propensities(np.arange(largest + 1)[:, None])
    weights = np.cumprod(np.concatenate([[1.0], up[:-1, 0] / up[1:, 1]]))
    law = solve_stationary(generator_of(network, n=largest))
    expected = weights / weights.sum()
    assert 0.1 < expected[:20].sum() < 0.9
    np.testing.assert_allclose(law.p, expected, rtol=1e-2)
    inside = slice(0, 20)
    np.testing.assert_allclose(
        law.p[inside] / law.p[inside].sum(), expected[inside] / expected[inside].sum(), rtol=1e-7
    )


def test_an_absorbing_state_takes_all():
    law = solve_stationary(generator_of(parse("A -> 0 : 1\n2 A -> A : 3"), A=6))
    assert law.p.tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert law.residual == 0.0
    assert law.mean("A") == 0.0
    assert math.isnan(law.fano_factor("A"))


def test_transient_states_have_no_probability():
    """At n = 0 and 1 the walk only rises: they are left for good."""
    law = solve_stationary(generator_of(parse("0 => n : 2\nn => 0 : n*(n > 2)"), n=10))
    assert (law.p[:2] == 0).all()
    assert (law.p[2:] > 0).all()
    ratio = law.p[3:] / law.p[2:-1]
    np.testing.assert_allclose(ratio, 2 / np.arange(3, 11), rtol=1e-12)


def test_several_closed_classes_are_counted_and_shown():
    network = parse("A <-> B : 1, 1")
    generator = generator_of(network, A=2, B=2)
    with pytest.raises(StateSpaceError, match=r"5 closed classes.*\(A=0, B=0\).*and others.*x0={…}"):
        solve_stationary(generator)
    law = solve_stationary(generator, x0=[1, 1])
    np.testing.assert_allclose(law.marginal("A"), [0.25, 0.5, 0.25], rtol=1e-13)


def test_two_fates_from_one_start():
    network = parse("N -> A : 1\nN -> B : 1")
    with pytest.raises(
        StateSpaceError, match=r"2 closed classes.*\(N=0, A=0, B=1\).*\(N=0, A=1, B=0\).*solve_transient"
    ):
        solve_stationary(generator_of(network, N=1, A=1, B=1), x0={"N": 1})


def test_no_stationary_law_of_an_absorbing_box():
    with pytest.raises(ParameterError, match=r'has no stationary law.*boundary="reflecting"'):
        solve_stationary(generator_of(birth_death(), "absorbing", M=9))


def test_a_matrix_that_is_no_generator():
    space = StateSpace(("M",), (3,))
    matrix = sparse.csc_array([[-1.0, 1.0, 0.0], [2.0, -1.0, 1.0], [0.0, 1.0, -1.0]])
    with pytest.raises(StateSpaceError, match="columns of the matrix must sum to zero"):
        solve_stationary(Generator(matrix, space, "reflecting", np.zeros(3)))


def test_leak_falls_as_the_box_grows():
    leaks = [solve_stationary(generator_of(two_stage(), M=12, P=largest)).leaked for largest in (10, 15, 20, 25, 30)]
    assert all(after < 0.5 * before for before, after in zip(leaks, leaks[1:], strict=False))


# --- distributions over states ------------------------------------------------------------------------------------


def three_species(rows=None, seed=1):
    space = StateSpace(("A", "B", "C"), (3, 4, 2))
    p = np.random.default_rng(seed).random((rows, 24) if rows else 24)
    return StateDistribution(space, p / p.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("rows", [None, 5])
def test_moments_and_marginals_are_sums_over_states(rows):
    law = three_species(rows)
    a, b, c = law.space.states.T
    assert law.mean("B") == pytest.approx(law.p @ b, rel=1e-14)
    mean_a, mean_c = law.p @ a, law.p @ c
    assert law.variance("A") == pytest.approx(law.p @ a**2 - mean_a**2, rel=1e-12)
    assert law.covariance("A", "C") == pytest.approx(law.p @ (a * c) - mean_a * mean_c, abs=1e-15)
    assert law.fano_factor("A") == pytest.approx(law.variance("A") / mean_a, rel=1e-14)
    for i in range(3):
        assert law.marginal("A")[..., i] == pytest.approx(law.p[..., a == i].sum(axis=-1), rel=1e-14)
        for j in range(2):
            joint = law.p[..., (a == i) & (c == j)].sum(axis=-1)
            assert law.marginal("A", "C")[..., i, j] == pytest.approx(joint, rel=1e-14)
            assert law.marginal("C", "A")[..., j, i] == pytest.approx(joint, rel=1e-14)
    assert law.probability("A > 0 and B + C <= 2") == pytest.approx(
        law.p[..., (a > 0) & (b + c <= 2)].sum(axis=-1), rel=1e-14
    )
    assert law.probability("1 < 2") == pytest.approx(np.ones(rows or 1), rel=1e-14)
    for value in (law.mean("A"), law.variance("A"), law.probability("A == 1"), law.fano_factor("A")):
        assert np.shape(value) == (() if rows is None else (rows,))
        assert rows is not None or type(value) is float
    assert law.marginal("C", "A", "B").shape == (*(() if rows is None else (rows,)), 2, 3, 4)
    assert not law.p.flags.writeable


def test_moments_are_of_the_probability_in_the_box():
    law = three_species()
    part = StateDistribution(law.space, 0.25 * law.p)
    for number in ("mean", "variance", "fano_factor"):
        assert getattr(part, number)("B") == pytest.approx(getattr(law, number)("B"), rel=1e-13)
    assert part.covariance("A", "B") == pytest.approx(law.covariance("A", "B"), abs=1e-15)
    assert part.probability("A >= 0") == pytest.approx(0.25, rel=1e-14)
    assert part.marginal("A").sum() == pytest.approx(0.25, rel=1e-14)


def test_species_are_named_rightly():
    law = three_species()
    with pytest.raises(StateSpaceError, match="did you mean 'A'"):
        law.mean("a")
    with pytest.raises(StateSpaceError, match="marginal takes the names of species; the space has A, B, C"):
        law.marginal()
    with pytest.raises(StateSpaceError, match="a species stands twice"):
        law.marginal("A", "A")
    with pytest.raises(StateSpaceError, match="names 'D', which is no species"):
        law.probability("D > 1")
    with pytest.raises(StateSpaceError, match="names 't', which is no species"):
        law.probability("A > t")
    with pytest.raises(NetworkSyntaxError, match="not an arithmetic expression"):
        law.probability("A >")


def test_total_variation():
    assert total_variation([1, 0], [0, 1]) == 1.0
    assert total_variation([0.5, 0.5, 0], [0.25, 0.25, 0.5]) == 0.5
    np.testing.assert_array_equal(total_variation([[1, 0], [0.5, 0.5]], [0.5, 0.5]), [0.5, 0.0])
    with pytest.raises(StateSpaceError, match="pad the shorter with zeros"):
        total_variation([1, 0], [1, 0, 0])


# --- solutions in time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", ["absorbing", "reflecting"])
def test_transient_is_the_matrix_exponential(case, boundary):
    network, space = case
    generator = build_generator(network, space, boundary=boundary)
    p0 = np.random.default_rng(3).random(len(space))
    p0 /= p0.sum()
    times = [0.0, 0.1, 1.0, 3.0]
    law = solve_transient(generator, p0, times, tolerance=1e-13)
    dense = dense_generator(network, space, boundary)
    # The integral of p comes from the exponential of a matrix twice as large.
    n = len(space)
    doubled = np.block([[dense, np.zeros((n, n))], [np.eye(n), np.zeros((n, n))]])
    for i, t in enumerate(times):
        solution = linalg.expm(t * doubled)[:, :n] @ p0
        np.testing.assert_allclose(law.p[i], solution[:n], atol=1e-12)
        assert law.leaked[i] == pytest.approx(generator.outflow @ solution[n:], abs=1e-12)
    np.testing.assert_array_equal(law.p[0], p0)
    assert law.leaked[0] == 0.0
    assert law.p.shape == (4, n)


@pytest.mark.parametrize(("n0", "t"), [(0, 0.3), (25, 0.3), (25, 2.0), (3, 15.0)])
def test_birth_death_in_time(n0, t):
    law = solve_transient(generator_of(birth_death(6, 1), "absorbing", M=60), {"M": n0}, t)
    exact = laws.birth_death_transient(6, 1, n0, t)
    error = total_variation(law.p[0], exact.pmf(np.arange(61)))
    assert error < 1e-10
    assert law.mean("M")[0] == pytest.approx(6 + (n0 - 6) * math.exp(-t), rel=1e-9)
    assert law.variance("M")[0] == pytest.approx(exact.var(), rel=1e-8)


def test_two_stage_means_in_time():
    times = np.array([0.2, 0.7, 1.5, 4.0])
    law = solve_transient(generator_of(two_stage(), "absorbing", M=22, P=60), {"M": 5, "P": 2}, times)
    mean_m, mean_p = laws.two_stage_transient_means(4, 3, 2, 1, times, m0=5, p0=2)
    assert law.leaked[-1] < 1e-8
    np.testing.assert_allclose(law.mean("M"), mean_m, rtol=1e-7)
    np.testing.assert_allclose(law.mean("P"), mean_p, rtol=1e-7)


@pytest.mark.parametrize("boundary", ["absorbing", "reflecting"])
@pytest.mark.parametrize("largest", [8, 12, 16, 24])
def test_error_bound_holds(boundary, largest):
    """Against the exact law on all counts: the bound is above the error, and for a small box not far above."""
    times = np.array([0.5, 1.0, 3.0])
    law = solve_transient(generator_of(birth_death(6, 1), boundary, M=largest), {"M": 0}, times)
    for i, t in enumerate(times):
        exact = laws.birth_death_transient(6, 1, 0, t).pmf(np.arange(100))
        padded = np.pad(law.p[i], (0, 99 - largest))
        # The largest difference in any event: all states of excess, or all states of want.
        error = max(np.maximum(exact - padded, 0).sum(), np.maximum(padded - exact, 0).sum())
        assert error <= law.error_bound[i] + 1e-14
        assert law.error_bound[i] <= 1
        assert min(law.leaked[i], 1) <= law.error_bound[i] <= law.leaked[i] + 1e-10
        if boundary == "absorbing":
            assert (law.p[i] <= exact[: largest + 1] + 1e-15).all()
            assert error == pytest.approx(law.leaked[i], abs=1e-10)
            assert law.p[i].sum() == pytest.approx(1 - law.leaked[i], abs=1e-10)
        else:
            assert law.p[i].sum() == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("boundary", ["absorbing", "reflecting"])
def test_leak_in_time_falls_as_the_box_grows(boundary):
    leaks = [
        solve_transient(generator_of(birth_death(6, 1), boundary, M=largest), {"M": 0}, 3.0).leaked[0]
        for largest in (8, 12, 16, 20, 24)
    ]
    assert all(after < 0.2 * before for before, after in zip(leaks, leaks[1:], strict=False))


def test_a_solution_can_be_continued():
    generator = generator_of(two_stage(), M=6, P=9)
    whole = solve_transient(generator, {"M": 1}, [1.0, 2.5], tolerance=1e-13)
    half = solve_transient(generator, whole.p[0], 1.5, tolerance=1e-13)
    np.testing.assert_allclose(half.p[0], whole.p[1], atol=1e-12)
    assert whole.steps > half.steps > 0


def test_long_times_reach_the_stationary_law(scaled):
    """Λt is 20,000 (in plain Python 1,300): nothing overflows, and no probability is lost."""
    generator = generator_of(birth_death(10, 1), M=30)
    t = scaled(500.0, 32.0)
    law = solve_transient(generator, {"M": 30}, t)
    assert total_variation(law.p[0], solve_stationary(generator).p) < 1e-10
    assert law.p.sum() == pytest.approx(1, abs=1e-10)
    assert law.steps > 40 * t


def test_nothing_happens_in_an_absorbing_state():
    law = solve_transient(generator_of(parse("A -> 0 : 1"), A=0), {"A": 0}, [1.0, 2.0])
    assert law.p.ravel() == pytest.approx([1.0, 1.0], abs=1e-10)
    assert law.leaked.tolist() == [0.0, 0.0]


def test_stopped_reactions_are_counted_where_nothing_else_happens():
    law = solve_transient(generator_of(parse("0 -> A : 0.25"), A=0), {"A": 0}, [1.0, 2.0])
    assert law.leaked == pytest.approx([0.25, 0.5], abs=1e-10)


@pytest.mark.parametrize("mean", [0.0, 1e-8, 0.3, 1.0, 7.7, 400.0, 1e6])
@pytest.mark.parametrize("tail", [1e-6, 1e-14])
def test_poisson_weights(mean, tail):
    weights, first, cut = uniformisation.poisson_weights(mean, tail)
    expected = stats.poisson.pmf(np.arange(first, first + len(weights)), mean)
    # SciPy's formula subtracts numbers of size mean·log(mean): at 1e6 it is good to a few 1e-9, and mpmath is asked.
    np.testing.assert_allclose(weights, expected, rtol=1e-12 if mean < 1e3 else 1e-8)
    for k in (first, first + len(weights) // 2, first + len(weights) - 1):
        with mpmath.workdps(40):
            exact = float(mpmath.exp(k * mpmath.log(mean) - mean - mpmath.loggamma(k + 1))) if mean else 1.0
        assert weights[k - first] == pytest.approx(exact, rel=1e-12)
    assert cut <= tail
    assert weights.sum() + cut == pytest.approx(1, abs=1e-14)
    assert len(weights) <= 20 + 20 * math.sqrt(mean)
    # One weight fewer at the lower end would cut too much: the range is no wider than it need be.
    assert first == 0 or stats.poisson.cdf(first, mean) > 0.49 * tail


@pytest.mark.parametrize("t", [[], -1.0, [1.0, 1.0], [2.0, 1.0], math.nan, [[1.0]], [0.0, math.inf]])
def test_times_that_are_none(t):
    with pytest.raises(ParameterError, match="t must be"):
        solve_transient(generator_of(birth_death(), M=5), {"M": 0}, t)


@pytest.mark.parametrize("tolerance", [0.0, -1e-3, 1.0, math.nan])
def test_tolerances_that_are_none(tolerance):
    with pytest.raises(ParameterError, match="tolerance must be a number above 0 and below 1"):
        solve_transient(generator_of(birth_death(), M=5), {"M": 0}, 1.0, tolerance=tolerance)


@pytest.mark.parametrize(
    ("p0", "words"),
    [
        ({"M": 6}, "M=6 is not in the box"),
        ([0], r"p0 has shape \(1,\) and the space has 6 states.*{'M': 0}"),
        ([0.5, 0.5, 0.5, 0, 0, 0], "its sum 1.5"),
        ([1.5, -0.5, 0, 0, 0, 0], "least entry is -0.5"),
        ([math.nan, 0, 0, 0, 0, 1], "probability vector"),
    ],
)
def test_starts_that_are_none(p0, words):
    with pytest.raises(StateSpaceError, match=words):
        solve_transient(generator_of(birth_death(), M=5), p0, 1.0)


# --- properties ---------------------------------------------------------------------------------------------------

rates = st.floats(0.01, 20.0)


@given(rates, rates, rates, rates, st.sampled_from(["absorbing", "reflecting"]), st.floats(0.0, 2.0))
def test_mass_and_positivity(k, g, c, u, boundary, t):
    network = parse("0 <-> P : k, g\n2 P <-> D : c, u", k=k, g=g, c=c, u=u)
    generator = generator_of(network, boundary, P=5, D=2)
    law = solve_transient(generator, {"P": 2}, t)
    assert (law.p >= 0).all()
    kept = 1 - law.leaked[0] if boundary == "absorbing" else 1
    assert law.p.sum() == pytest.approx(kept, abs=1.1e-10)
    if boundary == "reflecting":
        stationary_law = solve_stationary(generator)
        assert (stationary_law.p > 0).all()
        assert stationary_law.p.sum() == pytest.approx(1, abs=1e-14)
        assert stationary_law.residual < 1e-12


@given(st.permutations(range(4)), rates, rates)
def test_order_of_species_does_not_matter(order, k, c):
    lines = ["0 <-> P : k, 1", "2 P <-> D : c, 1", "P -> P + M : k", "M -> 0 : 2"]
    results = []
    for text in ("\n".join(lines), "\n".join(lines[i] for i in order)):
        generator = generator_of(parse(text, k=k, c=c), P=4, D=2, M=3)
        law, early = solve_stationary(generator), solve_transient(generator, {"P": 3}, 0.4)
        joint = [law.marginal("P", "D", "M").ravel(), early.marginal("P", "D", "M").ravel()]
        results.append(np.concatenate([*joint, [law.leaked, *early.leaked, law.fano_factor("M")]]))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-9, atol=1e-12)


@given(rates, rates)
def test_time_runs_at_the_scale_of_the_rates(k, g):
    """All rates doubled is the law at twice the time."""
    slow = solve_transient(generator_of(birth_death(k, g), "absorbing", M=10), {"M": 4}, 0.6)
    fast = solve_transient(generator_of(birth_death(2 * k, 2 * g), "absorbing", M=10), {"M": 4}, 0.3)
    np.testing.assert_allclose(slow.p, fast.p, atol=1e-13)
    np.testing.assert_allclose(slow.leaked, fast.leaked, atol=1e-13)


@pytest.mark.jit
def test_a_million_states_are_assembled_within_a_second():
    network = two_stage()
    space = StateSpace.box(network, M=999, P=999)
    generator_of(network, M=2, P=2)  # compiles
    import time

    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        build_generator(network, space, boundary="reflecting")
        best = min(best, time.perf_counter() - start)
    assert best < 1.0


def test_examples_in_the_docstrings():
    for module in (state_space, stationary, transient):
        assert doctest.testmod(module).failed == 0

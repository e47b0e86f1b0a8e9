"""Solutions in time: adaptive uniformisation, Krylov, rates in time, adaptive finite state projection."""

import math

import mpmath
import numpy as np
import pytest
from scipy import integrate, linalg, sparse, stats

from acme_lib import laws
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.master import (
    StateSpace,
    build_generator,
    krylov,
    solve_finite_state_projection,
    solve_transient,
    total_variation,
    uniformisation,
)
from acme_lib.master.krylov import ShiftInvert
from acme_lib.master.varying_rates import find_rate_jumps
from acme_lib.network import ReactionNetwork

parse = ReactionNetwork.parse
TWO_STAGE = "0 -> M : k_m\nM -> 0 : g_m\nM -> M + P : k_p\nP -> 0 : g_p"


def generator_of(network, boundary="absorbing", t=None, **largest):
    return build_generator(network, StateSpace.box(network, **largest), boundary=boundary, t=t)


# --- uniformisation ---------------------------------------------------------------------------------------------------


@pytest.mark.jit
def test_only_the_part_with_the_law_is_active(scaled):
    """Far from the walls of a large box, the law is right, and most blocks are never touched."""
    k, t, largest = scaled(200.0, 60.0), scaled(1.0, 0.5), scaled(20_000, 4_000)
    generator = generator_of(parse("0 <-> M : k, 1", k=k), M=largest)
    operator = uniformisation.Operator.of(generator.matrix, generator.outflow, generator.space.shape)
    result = uniformisation.propagate(operator, generator.space.point(M=100), t, 1e-10)
    assert result.active < 0.2 * largest
    assert result.steps < 0.1 * largest * t  # the rate of the whole box is above `largest`
    law = solve_transient(generator, {"M": 100}, t)
    exact = laws.birth_death_transient(k, 1, 100, t).pmf(np.arange(largest + 1))
    assert total_variation(law.p[0], exact) < law.error_bound[0] < 1e-10
    assert law.steps == result.steps


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-11])
def test_the_tolerance_bounds_the_error(tolerance):
    generator = generator_of(parse("0 <-> M : 30, 1"), M=300)
    law = solve_transient(generator, {"M": 0}, [0.1, 1.0, 4.0], tolerance=tolerance)
    for i, t in enumerate(law.times):
        exact = laws.birth_death_transient(30, 1, 0, t).pmf(np.arange(301))
        assert np.maximum(exact - law.p[i], 0).sum() <= law.error_bound[i] + 1e-13
        assert law.error_bound[i] <= tolerance


@pytest.mark.parametrize("chosen", ["diagonals", "rows"])
def test_stencil_and_rows_are_the_same(chosen):
    """A box has few diagonals; a random set of states has many, and its rates are kept by row."""
    rng = np.random.default_rng(2)
    network = parse("0 <-> A : 3, 1\nA <-> B : 2, 1\nB -> 2 A : 0.3")
    space = StateSpace.box(network, A=13, B=11)
    if chosen == "rows":
        space = space.restrict(rng.random(len(space)) < 0.7)
    generator = build_generator(network, space, boundary="absorbing")
    operator = uniformisation.Operator.of(generator.matrix, generator.outflow, space.shape)
    assert (len(operator.offsets) > 0) == (chosen == "diagonals")
    p0 = rng.random(len(space))
    p0 /= p0.sum()
    law = solve_transient(generator, p0, [0.3, 2.0], tolerance=1e-12)
    for i, t in enumerate(law.times):
        np.testing.assert_allclose(law.p[i], linalg.expm(t * generator.matrix.toarray()) @ p0, atol=1e-12)


@pytest.mark.jit
def test_blocks_left_behind_do_not_come_back(scaled):
    """A pure birth process: its law is a travelling Poisson law, and what it left is empty."""
    n = scaled(3000, 900)
    generator = generator_of(parse("0 -> M : 500"), M=n)
    t = (n - 300) / 500
    law = solve_transient(generator, {"M": 0}, t, tolerance=1e-9)
    assert total_variation(law.p[0], stats.poisson.pmf(np.arange(n + 1), 500 * t)) < 1e-8
    assert law.p[0][0] == 0.0


# --- Krylov -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stiff_gene():
    network = parse("off <-> on : a, b\non -> on + M : 40\nM -> 0 : 1", a=2e4, b=6e4)
    space = StateSpace.reachable(network, {"off": 1}, M=32)
    return build_generator(network, space, boundary="absorbing")


def test_krylov_solves_stiff_chains_with_a_bound(stiff_gene):
    times = [0.5, 1.0, 3.0]
    law = solve_transient(stiff_gene, {"off": 1}, times, method="krylov", tolerance=1e-9)
    n = len(stiff_gene.space)
    dense = stiff_gene.matrix.toarray()
    doubled = np.block([[dense, np.zeros((n, n))], [np.eye(n), np.zeros((n, n))]])
    p0 = stiff_gene.space.point(off=1)
    assert (law.p >= 0).all()
    for i, t in enumerate(times):
        solution = linalg.expm(t * doubled)[:, :n] @ p0
        error = np.abs(law.p[i] - solution[:n]).sum()
        assert error <= law.error_bound[i]
        assert law.leaked[i] == pytest.approx(stiff_gene.outflow @ solution[n:], abs=1e-9)
    assert law.error_bound[-1] - law.leaked[-1] <= 1e-9
    assert law.method == "krylov" and "asked for" in law.reason
    assert law.steps < 400


def test_stiffness_chooses_the_method():
    slow = generator_of(parse("0 <-> M : 10, 1"), M=60)
    assert solve_transient(slow, {}, 1.0).method == "uniformisation"
    fast = parse("off <-> on : a, 3*a\non -> on + M : 4\nM -> 0 : 1", a=1e9)
    generator = build_generator(fast, StateSpace.reachable(fast, {"off": 1}, M=20), boundary="reflecting")
    law = solve_transient(generator, {"off": 1}, [1.0, 2.0])
    assert law.method == "krylov"
    assert "Λt = 6e+09: about" in law.reason and "by uniformisation" in law.reason
    expected = laws.birth_death_transient(1.0, 1, 0, 2.0)  # the gene averages to a quarter
    error = total_variation(law.marginal("M")[1], expected.pmf(np.arange(21)))
    assert error < law.error_bound[1] < 1e-5  # rates of 3e9 are rounded to 5e-7, and the bound says so
    with pytest.raises(ParameterError, match="'auto', 'uniformisation' or 'krylov', got 'euler'"):
        solve_transient(slow, {}, 1.0, method="euler")


@pytest.mark.parametrize(
    "tolerance",
    [pytest.param(1e-4, marks=pytest.mark.thorough), 1e-7, pytest.param(1e-9, marks=pytest.mark.thorough)],
)
@pytest.mark.parametrize(
    ("text", "start", "largest", "t"),
    [
        ("0 -> M : 10\nM -> 0 : 1", {}, {"M": 10}, 1.0),
        ("0 -> M : 10\nM -> 0 : 1", {"M": 9}, {"M": 10}, 7.5),
        ("off <-> on : 1e5, 3e5\non -> on + M : 40\nM -> 0 : 1", {"off": 1}, {"M": 6}, 2.0),
        ("A <-> B : 300, 2\nB -> 2 B : 1.5\nB -> 0 : 0.3", {"A": 2}, {"A": 3, "B": 9}, 1.2),
        ("0 -> M : 200\nM -> 0 : 1", {}, {"M": 12}, 0.05),
    ],
)
def test_the_bound_of_krylov_is_a_bound(text, start, largest, t, tolerance):
    """Against an exponential of 40 digits: what leaves is right, and no event differs by more than the bound."""
    network = parse(text)
    generator = build_generator(network, StateSpace.reachable(network, start, **largest), boundary="absorbing")
    with mpmath.workdps(40):
        p0 = mpmath.matrix(generator.space.point(start).tolist())
        full = generator.matrix.toarray()
        np.fill_diagonal(full, 0.0)  # the diagonal anew, not rounded
        exact = mpmath.matrix(full.tolist())
        for j in range(len(full)):
            exact[j, j] = -mpmath.fsum(full[:, j]) - mpmath.mpf(float(generator.outflow[j]))
        exact = np.array([float(x) for x in mpmath.expm(exact * t) * p0])
    law = solve_transient(generator, start, t, method="krylov", tolerance=tolerance)
    missing, bound = 1.0 - exact.sum(), law.error_bound[0]
    assert bound >= missing - 1e-15
    assert bound <= missing + 2 * tolerance
    assert law.leaked[0] == pytest.approx(missing, abs=tolerance)
    difference = law.p[0] - exact
    assert max(difference[difference > 0].sum(), -difference[difference < 0].sum()) <= bound - law.leaked[0] + 1e-14


def test_what_leaves_is_what_the_referee_found():
    network = parse("0 -> M : 10\nM -> 0 : 1")
    generator = build_generator(network, StateSpace.box(network, M=10), boundary="absorbing")
    law = solve_transient(generator, {}, 1.0, method="krylov", tolerance=1e-9)
    assert law.leaked[0] == pytest.approx(0.0931744558, abs=1e-10)
    assert law.error_bound[0] >= 0.09317445580


@pytest.mark.jit
def test_the_residual_of_krylov_is_integrated_over_the_step_once():
    """Where nothing moves (one vector, h = 1) the residual is constant, and its integral is the length of the step."""
    still = ShiftInvert(sparse.csc_array((2, 2)), np.zeros(2))
    length, gamma, h = 3.0, 0.7, np.array([[1.0], [0.25]])
    basis = [np.array([1.0, 0.0]), np.array([0.0, 1.0])]
    _, _, error, _ = still._assess(basis, [0.0], h, 1, 2.0, gamma, length, False)
    assert error == pytest.approx(krylov._BOTH * 2.0 / gamma * 0.25 * length, rel=1e-12)


def test_krylov_takes_shorter_steps_where_it_must():
    """A long way through many jumps: one space of 60 vectors is not enough."""
    generator = generator_of(parse("0 -> M : 1000"), M=220)
    law = solve_transient(generator, {"M": 0}, 0.13, method="krylov", tolerance=1e-6)
    assert law.steps > 60
    assert total_variation(law.p[0], stats.poisson.pmf(np.arange(221), 130)) < 1e-6
    still = generator_of(parse("0 -> M : 1"), M=3)
    assert solve_transient(still, {"M": 2}, [0.0, 1.0], method="krylov").p[0].tolist() == [0, 0, 1, 0]


@pytest.mark.jit
def test_krylov_gives_up_rather_than_give_less():
    generator = generator_of(parse("0 <-> M : 3, 1"), M=79)
    assert ShiftInvert(generator.matrix, generator.outflow).propagate(np.eye(80)[0], 1.0, -1.0) is None


# --- rates in time ----------------------------------------------------------------------------------------------------


def poisson_mean(rate, t, points=None):
    return integrate.quad(lambda s: rate(s) * math.exp(s - t), 0, t, epsabs=1e-13, points=points, limit=200)[0]


@pytest.mark.jit
def test_a_periodic_rate_keeps_a_law_poisson():
    network = parse("0 => M : 8*(1 + 0.9*sin(3*t))\nM -> 0 : 1")
    times = [0.4, 1.0, 2.5]
    law = solve_transient(generator_of(network, t=0.0, M=50), {}, times, tolerance=1e-8)
    for i, t in enumerate(times):
        mean = poisson_mean(lambda s: 8 * (1 + 0.9 * math.sin(3 * s)), t)
        error = total_variation(law.p[i], stats.poisson.pmf(np.arange(51), mean))
        assert error <= law.error_bound[i] <= 1e-8
    assert "rates vary in time" in law.reason


@pytest.mark.jit
def test_a_decay_that_speeds_up_is_binomial():
    """Molecules lost at the rate t: exp(-t²/2) of them are left; at the start nothing happens at all."""
    law = solve_transient(generator_of(parse("M -> 0 : t"), t=0.0, M=9), {"M": 9}, 1.3, tolerance=1e-9)
    expected = stats.binom.pmf(np.arange(10), 9, math.exp(-(1.3**2) / 2))
    assert total_variation(law.p[0], expected) <= law.error_bound[0] <= 1e-9


@pytest.mark.jit
def test_a_rate_that_rises_steeply_from_nothing():
    """t⁴: the mean of two generators would have negative rates at the start."""
    law = solve_transient(generator_of(parse("0 => M : 5*t**4"), t=0.0, M=30), {}, 1.0, tolerance=1e-8)
    assert total_variation(law.p[0], stats.poisson.pmf(np.arange(31), 1.0)) <= law.error_bound[0]


@pytest.mark.jit
def test_a_short_pulse_is_not_missed():
    """0.2 % of the time: a step would walk over it; its edges are found first."""
    network = parse("0 => M : h*(t > a and t < 1.01) + 2*(t >= 4.5)\nM -> 0 : 1", h=300, a=1.0)
    assert find_rate_jumps(network, 0.0, 5.0) == pytest.approx([1.0, 1.01, 4.5], abs=1e-9)
    times = [0.9, 4.0, 5.0]
    law = solve_transient(generator_of(network, t=0.0, M=25), {}, times, tolerance=1e-8)
    means = [0.0, 300 * (math.exp(1.01 - 4) - math.exp(1 - 4)), 0.0]
    means[2] = means[1] * math.exp(-1) + 2 * (1 - math.exp(-0.5))
    for i in range(3):
        assert total_variation(law.p[i], stats.poisson.pmf(np.arange(26), means[i])) <= law.error_bound[i] + 1e-12
    assert law.error_bound[2] < 1e-7
    assert "3 jumps" in law.reason


def test_nothing_is_frozen():
    """Whatever time the generator was assembled for, the solution follows the clock; methods that would not refuse."""
    network = parse("0 => M : t\nM -> 0 : 1")
    early, late = (generator_of(network, t=t, M=12) for t in (0.0, 7.0))
    np.testing.assert_array_equal(*(solve_transient(g, {}, 0.5, tolerance=1e-6).p for g in (early, late)))
    with pytest.raises(ParameterError, match="constant in time"):
        solve_transient(early, {}, 0.5, method="krylov")


@pytest.mark.jit
def test_switches_of_periodic_conditions():
    network = parse("0 => M : k*(sin(6.283185307179586*t) > 0)\nM => 0 : M*(M > 3*t)", k=1)
    assert find_rate_jumps(network, 0.1, 2.2) == pytest.approx([0.5, 1.0, 1.5, 2.0], abs=1e-9)
    assert find_rate_jumps(parse("0 => M : k*(2 > k)", k=1), 0, 1) == []
    with pytest.raises(ParameterError, match="switches more than 10000 times"):
        find_rate_jumps(parse("0 => M : sin(1e6*t) > 0"), 0.0, 1.0)


# --- adaptive projection ----------------------------------------------------------------------------------------------


@pytest.mark.jit
def test_projection_of_birth_and_death():
    network = parse("0 <-> M : 100, 1")
    times = [0.1, 1.0, 6.0]
    result = solve_finite_state_projection(network, {"M": 0}, times, tolerance=1e-8)
    for i, t in enumerate(times):
        exact = laws.birth_death_transient(100, 1, 0, t)
        law = result.laws[i]
        counts = law.space.states[:, 0]
        assert (law.p <= exact.pmf(counts) + 1e-13).all()  # a lower bound of every state
        missing = 1 - law.p.sum()
        assert missing <= result.error_bound[i] + 1e-13
        assert np.abs(exact.pmf(np.arange(counts.max() + 1))[counts] - law.p).sum() <= result.error_bound[i] + 1e-13
        assert result.n_states[i] == len(counts)
    assert (np.diff(result.error_bound) > 0).all()
    assert result.error_bound[-1] <= 1e-8
    assert result.mean("M")[2] == pytest.approx(100 * (1 - math.exp(-6)), rel=1e-6)
    assert result.variance("M")[2] == pytest.approx(100 * (1 - math.exp(-6)), rel=1e-5)
    assert result.fano_factor("M")[2] == pytest.approx(1, rel=1e-5)
    assert result.marginal("M").shape[0] == 3
    assert result.probability("M < 100")[2] == pytest.approx(stats.poisson.cdf(99, 99.752), abs=1e-4)


@pytest.mark.jit
def test_projection_shrinks_when_the_law_does():
    """A thousand molecules die out: the space follows them down."""
    times = [0.05, 1.0, 8.0]
    result = solve_finite_state_projection(parse("M -> 0 : 1"), {"M": 1000}, times, tolerance=1e-6)
    for i, t in enumerate(times):
        exact = stats.binom.pmf(result.laws[i].space.states[:, 0], 1000, math.exp(-t))
        assert np.abs(result.laws[i].p - exact).sum() <= result.error_bound[i] + 1e-12
    assert result.n_states[2] < 20
    assert result.most_states < 300  # of 1,001


def smallest_box(network, start, t, bound, *, ratio):
    """The box with the fewest states whose leak meets a bound, over boxes grown one side at a time."""
    largest = dict.fromkeys(network.species, 3)
    while True:
        generator = build_generator(network, StateSpace.box(network, **largest), boundary="absorbing")
        law = solve_transient(generator, start, t, tolerance=bound / 100)
        if law.leaked[0] <= bound:
            break
        largest = {name: int(ratio * n) + 1 for name, n in largest.items()}
    shrunk = True
    while shrunk:  # take a state off each side as long as the bound holds
        shrunk = False
        for name in network.species:
            for less in (8, 1):
                while largest[name] > less:
                    trial = largest | {name: largest[name] - less}
                    generator = build_generator(network, StateSpace.box(network, **trial), boundary="absorbing")
                    if solve_transient(generator, start, t, tolerance=bound / 100).leaked[0] > bound:
                        break
                    largest, shrunk = trial, True
    return len(StateSpace.box(network, **largest))


@pytest.mark.jit
@pytest.mark.parametrize(
    ("text", "t"),
    [
        ("0 <-> M : 3, 1\nM -> M + P : 4\nP -> 0 : 1", 2.0),
        ("0 => A : hillr(B, 9, 2, 2)\n0 => B : hillr(A, 9, 2, 2)\nA -> 0 : 1\nB -> 0 : 1", 3.0),
        ("0 -> 4 A : 2\nA -> B : 1\nB -> 0 : 2", 2.0),
    ],
)
def test_projection_needs_no_more_than_twice_the_smallest_box(text, t):
    network, bound = parse(text), 1e-5
    result = solve_finite_state_projection(network, {}, t, tolerance=bound)
    assert result.error_bound[0] <= bound
    box = smallest_box(network, {}, t, float(result.error_bound[0]), ratio=1.3)
    assert result.most_states <= 2 * box
    assert result.n_states[0] <= 2 * box


def test_projection_uses_what_is_conserved():
    gene = parse("off <-> on : 1, 2\non -> on + M : 10\nM -> 0 : 1")
    result = solve_finite_state_projection(gene, {"off": 1}, 2.0, tolerance=1e-7)
    assert (result.laws[0].space.states[:, :2].sum(axis=1) == 1).all()
    space = StateSpace.reachable(gene, {"off": 1}, M=60)
    expected = solve_transient(build_generator(gene, space, boundary="absorbing"), {"off": 1}, 2.0)
    known = result.marginal("M")[0]
    assert np.abs(known - expected.marginal("M")[0][: len(known)]).sum() < 1e-7


@pytest.mark.jit
def test_projection_with_rates_in_time():
    network = parse("0 => M : 20*(1 + cos(t))*(t > 0.5)\nM -> 0 : 1")
    t, tolerance = 1.5, 1e-4
    result = solve_finite_state_projection(network, {}, t, tolerance=tolerance)
    mean = poisson_mean(lambda s: 20 * (1 + math.cos(s)) * (s > 0.5), t, points=[0.5])
    expected = stats.poisson.pmf(result.laws[0].space.states[:, 0], mean)
    assert np.abs(result.laws[0].p - expected).sum() <= result.error_bound[0] <= tolerance


def test_projections_that_end_in_an_error():
    network = parse("0 -> M : 100")
    with pytest.raises(StateSpaceError, match="more than 50 states are needed at t=.*raise max_states"):
        solve_finite_state_projection(network, {}, 10.0, max_states=50)
    with pytest.raises(ParameterError, match="tolerance must be a number above 0 and below 1"):
        solve_finite_state_projection(network, {}, 1.0, tolerance=0)
    with pytest.raises(ParameterError, match="increasing sequence"):
        solve_finite_state_projection(network, {}, [2.0, 1.0])


def test_projection_where_nothing_happens():
    result = solve_finite_state_projection(parse("A -> 0 : 1"), {}, [0.0, 1.0])
    assert result.n_states.tolist() == [1, 1] and result.error_bound.tolist() == [0.0, 0.0]


def test_hand_made_operator_without_rates():
    empty = uniformisation.Operator.of(sparse.csc_array((2, 2)), np.array([0.5, 0.0]), (2,))
    result = uniformisation.propagate(empty, np.array([1.0, 0.0]), 2.0, 1e-9)
    assert result.exited == 1.0 and result.p.tolist() == [1.0, 0.0]

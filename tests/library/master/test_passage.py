"""First passages, fates, fluxes and sensitivities: classical sums, closed forms, dense algebra, finite differences."""

import math

import numpy as np
import pytest
from scipy import linalg, stats

from acme_lib.errors import EquationError, ParameterError, StateSpaceError
from acme_lib.master import (
    StateSpace,
    build_generator,
    differentiate_generator,
    find_first_passage_moments,
    find_probability_fluxes,
    find_splitting_probabilities,
    find_stationary_sensitivity,
    find_transient_sensitivity,
    solve_first_passage,
    solve_stationary,
    solve_transient,
)
from acme_lib.master import elimination as elimination_room
from acme_lib.network import ReactionNetwork

parse = ReactionNetwork.parse
SCHLOEGL = "2 X -> 3 X : 0.06\n3 X -> 2 X : 0.001\n0 -> X : 25\nX -> 0 : 3.5"


def generator_of(network, boundary="reflecting", **largest):
    return build_generator(network, StateSpace.box(network, **largest), boundary=boundary)


def rates_of(network, largest):
    a = network.propensities(np.arange(largest + 1)[:, None]) @ np.where(network.stoichiometry > 0, 1, 0)
    b = network.propensities(np.arange(largest + 1)[:, None]) @ np.where(network.stoichiometry < 0, 1, 0)
    return a[:, 0], b[:, 0]


# --- first passage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0 <-> X : 5, 1", SCHLOEGL])
def test_means_and_variances_are_the_classical_sums(text):
    """Upwards by one: T(n) = 1/up + down/up T(n-1); its second moment obeys a sum of the same kind."""
    network, goal = parse(text), 25
    up, down = rates_of(network, goal)
    one, second = np.zeros(goal), np.zeros(goal)  # moments of the time from n to n + 1
    for n in range(goal):
        r = up[n] + down[n]
        before, before2 = (one[n - 1], second[n - 1]) if n else (0.0, 0.0)
        one[n] = (1 + down[n] * before) / up[n]
        second[n] = (2 / r + 2 * down[n] / r * (before + one[n]) + down[n] * (before2 + 2 * before * one[n])) / up[n]
    moments = find_first_passage_moments(generator_of(network, X=goal + 20), f"X >= {goal}")
    mean = np.cumsum(one[::-1])[::-1]
    variance = np.cumsum((second - one**2)[::-1])[::-1]
    np.testing.assert_allclose(moments.mean[:goal], mean, rtol=1e-11)
    np.testing.assert_allclose(moments.variance[:goal], variance, rtol=1e-9)
    assert (moments.mean[goal:] == 0).all() and (moments.variance[goal:] == 0).all()
    assert moments.from_start({"X": 3}) == pytest.approx((mean[3], variance[3]), rel=1e-9)
    spread = np.zeros(goal + 21)
    spread[[0, 5]] = 0.5
    expected = 0.5 * (variance[0] + mean[0] ** 2 + variance[5] + mean[5] ** 2) - (0.5 * (mean[0] + mean[5])) ** 2
    assert moments.from_start(spread) == pytest.approx((0.5 * (mean[0] + mean[5]), expected), rel=1e-9)


def test_a_time_longer_than_rounding_allows():
    """From 20 molecules to none, and to 120: means of 1e9 and 1e47 lifetimes, to eleven digits."""
    network = parse("0 <-> X : 20, 1")
    up, down = rates_of(network, 300)
    weights = np.exp(stats.poisson.logpmf(np.arange(301), 20))
    to_zero = sum(math.fsum(weights[n:]) / (down[n] * weights[n]) for n in range(1, 21))
    moments = find_first_passage_moments(generator_of(network, X=300), "X == 0")
    assert to_zero > 1e7
    assert moments.mean[20] == pytest.approx(to_zero, rel=1e-10)
    upwards = sum(math.fsum(weights[: n + 1]) / (up[n] * weights[n]) for n in range(20, 120))
    assert upwards > 1e40
    assert find_first_passage_moments(generator_of(network, X=300), "X == 120").mean[20] == pytest.approx(
        upwards, rel=1e-10
    )


@pytest.mark.parametrize("forced", [False, True])
def test_moments_in_two_dimensions_are_those_of_dense_algebra(forced, monkeypatch):
    network = parse("0 <-> M : 3, 1\nM -> M + P : 2\nP -> 0 : 0.5")
    generator = generator_of(network, M=7, P=14)
    if forced:  # the sparse factors, which large and wide chains get
        monkeypatch.setattr(
            "acme_lib.master.first_passage.factor_chain",
            lambda a, states, exits, _: elimination_room.SparseFactors(a, exits),
        )
    moments = find_first_passage_moments(generator, "P > 6 and M > 2")
    inside = ~generator.space.mask("P > 6 and M > 2")
    a = generator.matrix.toarray()[np.ix_(inside, inside)].T
    mean = np.linalg.solve(a, -np.ones(len(a)))
    np.testing.assert_allclose(moments.mean[inside], mean, rtol=1e-10)
    np.testing.assert_allclose(moments.variance[inside], np.linalg.solve(a, -2 * mean) - mean**2, rtol=1e-9)


def test_targets_that_may_be_missed_take_for_ever():
    network = parse("N -> A : 1\nN -> B : 3\nA -> C : 2")
    space = StateSpace.reachable(network, {"N": 1})
    generator = build_generator(network, space, boundary="reflecting")
    moments = find_first_passage_moments(generator, "C == 1")
    assert moments.mean[space.index({"A": 1})] == pytest.approx(0.5)
    for name in "NB":
        assert np.isinf(moments.mean[space.index({name: 1})])
        assert moments.from_start({name: 1}) == (math.inf, math.inf)
    assert find_splitting_probabilities(generator, "C == 1", "B == 1")[space.index({"N": 1})] == pytest.approx(0.25)
    never = find_splitting_probabilities(generator, "B == 1", "N == 1")
    assert never[space.index({"C": 1})] == 0.0  # neither is ever reached from there


@pytest.mark.parametrize("p", [0.5, 0.3, 0.6])
def test_the_gamblers_ruin(p):
    network = parse("0 => X : p\nX => 0 : q*(X > 0)", p=p, q=1 - p)
    n, r = 30, (1 - p) / p
    k = np.arange(n + 1)
    expected = k / n if p == 0.5 else (1 - r**k) / (1 - r**n)
    win = find_splitting_probabilities(generator_of(network, X=n), f"X == {n}", "X == 0")
    np.testing.assert_allclose(win, expected, rtol=1e-12)
    lose = find_splitting_probabilities(generator_of(network, X=n), "X == 0", f"X == {n}")
    np.testing.assert_allclose(win + lose, 1, rtol=1e-12)


def test_splitting_beside_a_boundary_that_takes():
    """From 1: down to the other at rate 1, up to the target at 1, out of the box at rate 2."""
    network = parse("0 -> X : 1\nX -> 0 : 1\n0 -> 5 X : 2")
    absorbing = find_splitting_probabilities(generator_of(network, "absorbing", X=2), "X == 2", "X == 0")
    reflecting = find_splitting_probabilities(generator_of(network, X=2), "X == 2", "X == 0")
    assert absorbing.tolist() == pytest.approx([0, 0.25, 1])
    assert reflecting.tolist() == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize("boundary", ["absorbing", "reflecting"])
def test_laws_of_first_passage_from_one_start_and_from_all(boundary):
    network = parse("0 <-> M : 3, 1\nM -> M + P : 2\nP -> 0 : 0.5")
    generator = generator_of(network, boundary, M=5, P=8)
    goal = generator.space.mask("P >= 6")
    times = [0.0, 0.5, 2.0, 6.0]
    every = solve_first_passage(generator, goal, None, times)
    inside = np.flatnonzero(~goal)
    a = generator.matrix.toarray()
    inner, into = a[np.ix_(inside, inside)], a[np.ix_(goal, inside)].sum(axis=0)
    for i, t in enumerate(times):
        arrived = into @ linalg.solve(inner, linalg.expm(t * inner) - np.eye(len(inner)))
        np.testing.assert_allclose(every.cdf[i, inside], arrived, atol=1e-10)
        np.testing.assert_allclose(every.density[i, inside], into @ linalg.expm(t * inner), atol=1e-9)
        assert (every.cdf[i, goal] == 1).all()
    for start in ({"M": 0, "P": 0}, {"M": 4, "P": 5}):
        one, at = solve_first_passage(generator, "P >= 6", start, times), generator.space.index(start)
        np.testing.assert_allclose(one.cdf, every.cdf[:, at], atol=1e-9)
        np.testing.assert_allclose(one.density, every.density[:, at], atol=1e-8)
        assert (one.error_bound <= every.error_bound + 1e-9).all()  # the latter is that of the worst start
        assert (one.error_bound[-1] > 1e-4) == (boundary == "absorbing")
    assert solve_first_passage(generator, "P >= 6", {"P": 7}, [1.0]).cdf.tolist() == [1.0]


def test_times_to_the_nth_birth_are_gamma():
    law = solve_first_passage(generator_of(parse("0 -> X : 3"), X=10), "X >= 7", {"X": 2}, [0.2, 1.0, 3.0])
    np.testing.assert_allclose(law.cdf, stats.gamma.cdf(law.times, 5, scale=1 / 3), atol=1e-10)
    np.testing.assert_allclose(law.density, stats.gamma.pdf(law.times, 5, scale=1 / 3), atol=1e-9)


def test_passages_that_are_none():
    network = parse("0 <-> X : 1, 1")
    generator = generator_of(network, X=5)
    with pytest.raises(StateSpaceError, match=r"no state of the X=0..5 is in the target 'X > 9'"):
        find_first_passage_moments(generator, "X > 9")
    with pytest.raises(StateSpaceError, match="target and other overlap, in the state X=3"):
        find_splitting_probabilities(generator, "X >= 3", "X <= 4")
    with pytest.raises(ParameterError, match='needs boundary="reflecting"'):
        find_first_passage_moments(generator_of(network, "absorbing", X=5), "X == 5")
    with pytest.raises(ParameterError, match="tolerance must be a number above 0 and below 1"):
        solve_first_passage(generator, "X == 5", {}, 1.0, tolerance=2)
    in_time = parse("0 => X : t")
    frozen = build_generator(in_time, StateSpace.box(in_time, X=3), boundary="reflecting", t=1.0)
    for refuses in (
        lambda: solve_first_passage(frozen, "X == 3", {}, 1.0),
        lambda: find_first_passage_moments(frozen, "X == 3"),
        lambda: find_splitting_probabilities(frozen, "X == 3", "X == 0"),
        lambda: find_transient_sensitivity(frozen, {}, 1.0, "k"),
    ):
        with pytest.raises(ParameterError, match="constant in time"):
            refuses()


# --- fluxes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("forward", "back"), [(2.0, 1.0), (5.0, 0.1), (1.0, 1.0)])
def test_entropy_of_a_driven_cycle(forward, back):
    network = parse("A <-> B : f, b\nB <-> C : f, b\nC <-> A : f, b", f=forward, b=back)
    generator = build_generator(network, StateSpace.reachable(network, {"A": 1}), boundary="reflecting")
    fluxes = find_probability_fluxes(generator, solve_stationary(generator))
    assert fluxes.entropy_production == pytest.approx((forward - back) * math.log(forward / back), abs=1e-13)
    assert fluxes.between("A == 1", "B == 1") == pytest.approx(forward / 3)
    assert fluxes.between("B == 1", "A == 1") == pytest.approx(back / 3)
    assert fluxes.net.sum() == pytest.approx(forward - back, abs=1e-13)
    np.testing.assert_allclose(fluxes.currents().sum(axis=0), 0, atol=1e-13)  # no species gathers
    assert fluxes.currents()[generator.space.index({"A": 1})] == pytest.approx(
        [0, (forward - back) / 6, -(forward - back) / 6]
    )


def test_no_entropy_under_detailed_balance():
    network = parse("0 <-> P : 5, 1\n2 P <-> D : 0.3, 2")
    generator = generator_of(network, P=20, D=10)
    law = solve_stationary(generator)
    fluxes = find_probability_fluxes(generator, law)
    assert fluxes.entropy_production == pytest.approx(0, abs=1e-12)
    assert np.abs(fluxes.currents()).max() < 1e-14
    assert fluxes.one_way.sum() == pytest.approx(-generator.matrix.diagonal() @ law.p, rel=1e-12)
    early = find_probability_fluxes(generator, generator.space.point(P=4))
    assert early.between("P == 4", "P == 5") == 5.0 and early.entropy_production == math.inf
    assert early.currents()[generator.space.index({"P": 4}), 0] < 0
    with pytest.raises(ParameterError, match="p has shape"):
        find_probability_fluxes(generator, np.ones((2, 3)))


def test_a_two_stage_gene_turns_in_circles():
    generator = generator_of(parse("0 <-> M : 2, 1\nM -> M + P : 3\nP -> 0 : 1"), M=12, P=40)
    law = solve_stationary(generator)
    fluxes = find_probability_fluxes(generator, law)
    assert fluxes.entropy_production == math.inf  # nothing makes a protein without mRNA, and it decays there
    balance = fluxes.net.sum(axis=1) - fluxes.net.sum(axis=0)
    np.testing.assert_allclose(balance, 0, atol=1e-13)
    m, p = generator.space.states.T
    up = (m == 2) & (p >= 6)
    assert fluxes.between(up, "M == 3") == pytest.approx(2 * law.p[up].sum())


# --- sensitivities ------------------------------------------------------------------------------------------------

HILL = "K = a*K0\n0 => M : b + v*M**n/(K**n + M**n)\nM -> 0 : g\n2 M -> M : c"
VALUES = {"a": 2.0, "K0": 2.5, "b": 2.0, "v": 7.0, "n": 2.0, "g": 1.0, "c": 0.02}


@pytest.mark.parametrize("boundary", ["absorbing", "reflecting"])
@pytest.mark.parametrize("name", VALUES)
def test_derivatives_of_the_generator_are_finite_differences(name, boundary):
    """Also by n, whose derivative is 0·log 0 without molecules, and by K0, which acts through a definition."""
    network = parse(HILL, **VALUES)
    step = 1e-4 * VALUES[name]
    up, down = (
        generator_of(network.with_parameters(**{name: VALUES[name] + s * step}), boundary, M=30) for s in (1, -1)
    )
    derivative, outflow = differentiate_generator(generator_of(network, boundary, M=30), name)
    np.testing.assert_allclose(
        derivative.toarray(), (up.matrix - down.matrix).toarray() / (2 * step), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(outflow, (up.outflow - down.outflow) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", VALUES)
def test_stationary_sensitivities_are_finite_differences(name):
    network = parse(HILL, **VALUES)
    law = solve_stationary(generator_of(network, M=60))
    change = find_stationary_sensitivity(law, name)
    step = 1e-4 * VALUES[name]
    up, down = (
        solve_stationary(generator_of(network.with_parameters(**{name: VALUES[name] + s * step}), M=60))
        for s in (1, -1)
    )
    np.testing.assert_allclose(change.dp, (up.p - down.p) / (2 * step), atol=1e-7)
    for number in ("mean", "variance"):
        slope = (getattr(up, number)("M") - getattr(down, number)("M")) / (2 * step)
        assert getattr(change, number)("M") == pytest.approx(slope, rel=1e-5)
    slope = (up.probability("M > 5") - down.probability("M > 5")) / (2 * step)
    assert change.probability("M > 5") == pytest.approx(slope, rel=1e-5)
    assert change.dp.sum() == pytest.approx(0, abs=1e-13)
    assert change.error < 1e-10


def test_sensitivities_of_a_poisson_law_are_known():
    k, g = 12.0, 2.0
    law = solve_stationary(generator_of(parse("0 <-> M : k, g", k=k, g=g), M=60))
    n = np.arange(61)
    expected = law.p * (n / k - 1 / g)  # of Poisson(k/g) by k
    np.testing.assert_allclose(find_stationary_sensitivity(law, "k").dp, expected, atol=1e-13)


@pytest.mark.parametrize("boundary", ["absorbing", "reflecting"])
@pytest.mark.parametrize("name", ["K0", "b", "g", "c"])
def test_transient_sensitivities_are_finite_differences(name, boundary):
    network, times = parse(HILL, **VALUES), [0.0, 0.4, 1.5]
    change = find_transient_sensitivity(generator_of(network, boundary, M=25), {"M": 3}, times, name)
    step = 1e-4 * VALUES[name]
    up, down = (
        solve_transient(
            generator_of(network.with_parameters(**{name: VALUES[name] + s * step}), boundary, M=25),
            {"M": 3},
            times,
            tolerance=1e-13,
        ).p
        for s in (1, -1)
    )
    np.testing.assert_allclose(change.dp, (up - down) / (2 * step), atol=1e-6)
    assert change.error < 1e-4
    assert change.mean("M").shape == (3,)
    np.testing.assert_allclose(change.variance("M")[0], 0, atol=1e-12)


def test_transient_sensitivities_of_a_poisson_law_are_known():
    k, t = 6.0, 0.8
    generator = generator_of(parse("0 <-> M : k, 1", k=k), M=50)
    change = find_transient_sensitivity(generator, {}, t, "k", tolerance=1e-11)
    mean, n = k * (1 - math.exp(-t)), np.arange(51)
    expected = stats.poisson.pmf(n, mean) * (n / mean - 1) * mean / k
    assert np.abs(change.dp[0] - expected).max() <= change.error + 1e-13
    assert change.error < 1e-9


def test_sensitivities_that_are_none():
    law = solve_stationary(generator_of(parse("0 <-> M : k, 1", k=2), M=9))
    with pytest.raises(ParameterError, match="'q' is no given parameter.*there are k"):
        find_stationary_sensitivity(law, "q")
    with pytest.raises(ParameterError, match="tolerance must be a number above 0 and below 1"):
        find_transient_sensitivity(law.generator, {}, 1.0, "k", tolerance=0)
    called = parse("0 => M : f(M)*k\nM -> 0 : 1", k=1, f=lambda m: 2.0)
    with pytest.raises(EquationError, match="a Python function has no derivative"):
        differentiate_generator(generator_of(called, M=3), "k")
    bare = solve_stationary(type(law.generator)(law.generator.matrix, law.space, "reflecting", law.generator.outflow))
    with pytest.raises(ParameterError, match="need a generator from build_generator"):
        find_stationary_sensitivity(bare, "k")

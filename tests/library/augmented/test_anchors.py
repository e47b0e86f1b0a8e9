"""Augmented master equations against exact numbers: closed forms, quadrature, discrete master equations."""

import numpy as np
import pytest
from scipy import integrate, linalg, optimize, stats

from acme_lib.augmented import (
    AugmentedSpace,
    Burst,
    Continuum,
    Death,
    Discrete,
    Drift,
    ExponentialJump,
    FixedJump,
    Fragmentation,
    GammaJump,
    Growth,
    States,
    Transition,
    UniformJump,
    build_augmented,
    estimate_grid_error,
    solve_augmented,
    solve_augmented_stationary,
    solve_growth_mode,
)
from acme_lib.augmented.resolvent import Resolvent
from acme_lib.augmented.stationary import _awake_terms
from acme_lib.errors import StateSpaceError
from acme_lib.master import StateSpace, build_generator, solve_stationary
from acme_lib.network import ReactionNetwork

parse = ReactionNetwork.parse
HILL = "r0 + r1*P^4/(K^4 + P^4)"


def self_regulated(dx, upper=8.0, r1=10.0, scheme="third", fate=None, alpha=1000.0, **axes):
    """Model (10): bursts at the Hill rate with exponential sizes, decay, no noise of the decay."""
    network = parse("P -> 0 : 1")
    space = AugmentedSpace(network, P=Continuum(upper, round(upper / dx), system_size=200), **axes)
    values = {"r0": 2.0, "r1": r1, "K": 200.0}
    further = []
    if fate:
        further, values["alpha"] = [Transition("waiting", "switched", f"alpha*({fate})")], alpha
    burst = Burst("P", HILL, ExponentialJump(40.0))
    return build_augmented(space, burst, *further, diffusion=False, scheme=scheme, **values)


def exact_stationary(x):
    """The stationary density (12) of Lin and Doering, normalised by quadrature."""

    def form(x):
        return x * np.exp(-x / 0.2) * (1 + x**4) ** 2.5

    return form(x) / integrate.quad(form, 0, 40, epsabs=1e-13, limit=200)[0]


def test_stationary_density_of_self_regulation():
    """Against averages of (12) over cells; the rate within a cell, taken at its centre, leaves an error of order 2."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    sizes, errors = [0.05, 0.025, 0.0125, 0.00625], []
    for dx in sizes:
        law = solve_augmented_stationary(self_regulated(dx), max_leak=1e-3)
        x = law.space["P"].centres[:, None] + 0.5 * dx * nodes
        errors.append(np.abs(law.p - exact_stationary(x) @ weights / 2).sum() * dx)
        assert law.residual < 1e-12 and law.mass() == pytest.approx(1.0, abs=1e-12)
    assert errors[0] < 5e-4 and errors[1] < 1e-4
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(2.2, abs=0.2)


def test_time_evolution_tends_to_the_stationary_density():
    system = self_regulated(0.05, upper=10.0)
    law = solve_augmented_stationary(system)
    solution = solve_augmented(system, system.space.density("exp(-10*(P - 2)**2)"), [1.0, 300.0])
    assert np.abs(solution.p[-1] - law.p).sum() * 0.05 < 2e-6
    assert np.abs(solution.p[0] - law.p).sum() * 0.05 > 0.2
    assert solution.balance_error < 1e-12


def test_linear_bursts_give_a_gamma_law():
    """Constant rate r0, exponential bursts of mean b, decay: Gamma(r0/γ0, b), here averaged over cells."""
    law = solve_augmented_stationary(self_regulated(0.01, upper=5.0, r1=0.0))
    exact = np.diff(stats.gamma.cdf(law.space["P"].faces, 2.0, scale=0.2)) / 0.01
    assert np.abs(law.p - exact).sum() * 0.01 < 2e-5
    assert law.mean("P") == pytest.approx(0.4, abs=1e-5)
    assert law.variance("P") == pytest.approx(0.08, rel=1e-3)


@pytest.mark.parametrize(
    ("jump", "second"),
    [
        (GammaJump(40.0, 3.0), 4 / 3),
        (FixedJump(40.0), 1.0),
        (ExponentialJump(40.0), 2.0),
        (UniformJump(20.0, 60.0), 13 / 12),
    ],
)
def test_moments_of_shot_noise(jump, second):
    """Campbell: mean r b/γ, variance r <z²>/(2γ); <z²> = second · b²."""
    space = AugmentedSpace(parse("P -> 0 : g", g=2.0), P=Continuum(5.0, 500, system_size=200))
    law = solve_augmented_stationary(build_augmented(space, Burst("P", 6.0, jump), diffusion=False))
    assert law.mean("P") == pytest.approx(6 * 0.2 / 2, rel=1e-4)
    assert law.variance("P") == pytest.approx(6 * second * 0.04 / 4, rel=2e-3)


MEAN_TIMES = {
    0.1: 4.667982, 0.35: 4.077782, 0.7: 2.411419, 0.75: 2.052378, 0.8: 1.669343, 0.85: 1.130035, 0.9: 3.319389,
    0.95: 5.388897, 1.5: 18.36807, 2.25: 22.36785,
}  # fmt: skip


def mean_waiting_times(system, points):
    """-A w = p gives the expected time spent in each cell, and its integral is the mean waiting time."""
    awake = np.broadcast_to(~system.space.frozen, system.space.shape).ravel()
    solve = Resolvent(_awake_terms(system.terms(), awake)).factor(0.0, 1.0)
    dx = system.space["P"].dx
    means = []
    for x in points:  # faces of the grid: the mean of the cells on either side
        p = 0.5 * (system.space.density(P=x - dx / 2) + system.space.density(P=x + dx / 2))
        means.append(solve(p.ravel())[: p.size][awake].sum() * dx)
    return np.array(means)


@pytest.mark.parametrize("where", ["P > 165", "P < 165"])
def test_mean_switching_times(where):
    """Through an absorbing state; in cells of 1/160 the points of the table and x_c = 0.825 are faces."""
    points = [x for x in MEAN_TIMES if (x < 0.825) == (where == "P > 165")]
    exact = [MEAN_TIMES[x] for x in points]
    states = States("waiting", frozen="switched")
    system = self_regulated(0.00625, fate=where, alpha=1e6, outcome=states)
    assert mean_waiting_times(system, points) == pytest.approx(exact, rel=1e-3)
    # The α = 1000 of Lunz et al. on their grid: a jump out of the absorbing region within 1/α delays by about 0.04.
    paper = self_regulated(0.025, fate=where, outcome=states)
    assert mean_waiting_times(paper, points) == pytest.approx(exact, abs=0.045)


def exact_tail_rate(above):
    """The decay rate of the waiting time, by shooting along the backward equation: no grid, no absorbing state.

    With W(x) the mean of φ after a jump, x φ' = H (W - φ) + λ φ and b W' = W - φ. From above φ(x_c) = 0 and W stays
    bounded; from below W(x_c) = 0 and φ stays bounded at 0.
    """

    def hill(x):
        return 2 + 10 * x**4 / (1 + x**4)

    def mismatch(rate):
        def slopes(x, y):
            phi, w = y
            return [(hill(x) * (w - phi) + rate * phi) / x, (w - phi) / 0.2]

        start, end = ((9.0, 0.825), (0.825, 1e-6))[not above]
        y0 = [1.0, 1.0] if above else [1.0, 0.0]
        phi, w = integrate.solve_ivp(slopes, (start, end), y0, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
        return phi if above else (hill(end) * (w - phi) + rate * phi) * end**1.7

    return optimize.brentq(mismatch, *((0.02, 0.1) if above else (0.1, 0.5)), xtol=1e-9)


def test_switching_in_time_decays_as_its_tail():
    """The dominant mode against shooting, and the mass that waits against the mode."""
    states = States("waiting", frozen="switched")
    for where, start in (("P < 165", 1.5), ("P > 165", 0.35)):
        system = self_regulated(0.00625, fate=where, alpha=1e6, outcome=states)
        mode = solve_growth_mode(system, max_leak=0.01)
        assert -mode.rate == pytest.approx(exact_tail_rate(where == "P < 165"), rel=1e-3)
        solution = solve_augmented(system, system.space.density(P=start), [20.0, 25.0], max_leak=1e-3)
        waiting = solution.mass(outcome="waiting")
        assert np.log(waiting[0] / waiting[1]) / 5.0 == pytest.approx(-mode.rate, rel=1e-4)
        assert waiting + solution.mass(outcome="switched") == pytest.approx([1.0, 1.0], abs=1e-10)


def selection(strength, g, cells, scheme="third"):
    network = parse("0 => X : L*X*(1 - X/O)\nX -> 0 : 1", L=strength, O=1000)
    space = AugmentedSpace(network, X=Continuum(1.0, cells, system_size=1000))
    return build_augmented(space, Growth("g*X/O"), scheme=scheme, g=g)


GROWTH_RATES = {(3, 0.5): 0.3331245, (2, 0.5): 0.2496233, (4, 0.5): 0.3748539, (3, 4): 2.6673327, (3, 0.25): 0.1665518}


@pytest.mark.parametrize(("strength", "g"), GROWTH_RATES)
def test_growth_rates_of_selection(strength, g):
    """The exact eigenvalue, computed here from the discrete birth-death process with 0 excluded, and the table."""
    n = np.arange(1, 1001)
    birth, death = strength * n * (1 - n / 1000), n.astype(float)
    # Similar to a symmetric tridiagonal matrix, as every birth-death process is.
    values = linalg.eigh_tridiagonal(
        -(birth + death) + g * n / 1000, np.sqrt(birth[:-1] * death[1:]), eigvals_only=True, select="i",
        select_range=(999, 999),
    )  # fmt: skip
    assert values[0] == pytest.approx(GROWTH_RATES[strength, g], rel=3e-7)
    mode = solve_growth_mode(selection(strength, g, 286))
    assert mode.rate == pytest.approx(values[0], rel=1e-5)
    assert mode.residual < 1e-12 and mode.mass() == pytest.approx(1.0)
    assert solve_growth_mode(selection(strength, g, 572)).rate == pytest.approx(values[0], rel=2e-6)


def test_a_growth_mode_on_a_grid_that_is_too_coarse():
    """What is missing is cells, not a connection; the scheme without negative rates needs none."""
    fine = solve_growth_mode(selection(3.0, 0.5, 80))
    with pytest.raises(StateSpaceError, match=r"too coarse for its profile \(X has 20 cells\)"):
        estimate_grid_error(fine, lambda mode: mode.rate)
    fitted = solve_growth_mode(selection(3.0, 0.5, 80, scheme="fitted"))
    estimate = estimate_grid_error(fitted, lambda mode: mode.rate)
    assert abs(fitted.rate - GROWTH_RATES[3.0, 0.5]) < 2 * estimate.error < 0.01


def test_selection_with_a_phantom_state_is_growth():
    """The form of Lunz et al.: a transition at rate -G to a phantom state, whose density is negative."""
    network = parse("0 => X : L*X*(1 - X/O)\nX -> 0 : 1", L=3.0, O=1000)
    space = AugmentedSpace(network, kind=States("cells", frozen="phantom"), X=Continuum(1.0, 143, system_size=1000))
    phantom = Transition("cells", "phantom", "-g*X/O", allow_negative=True)
    system = build_augmented(space, phantom, g=0.5)
    plain = selection(3.0, 0.5, 143)
    profile = "exp(-(X - 0.1)**2/0.0018)"
    times = [1.0, 3.0, 6.0]
    solution = solve_augmented(system, space.density(profile), times)
    growth = solve_augmented(plain, plain.space.density(profile), times)
    assert solution.mass() == pytest.approx(growth.mass(), rel=1e-6)
    assert solution.mass(kind="cells") + solution.mass(kind="phantom") == pytest.approx(np.ones(3), abs=1e-9)
    assert np.all(solution.mass(kind="phantom") < 0)
    assert solve_growth_mode(system).rate == pytest.approx(solve_growth_mode(plain).rate, rel=1e-12)
    assert growth.growth_rate()[-1] == pytest.approx(0.3331245, rel=1e-3)
    assert growth.balance_error < 1e-12


def test_normalised_evolution_does_not_overflow():
    system = selection(3.0, 4.0, 143)
    start = system.space.density("exp(-(X - 0.1)**2/0.0018)")
    short = [solve_augmented(system, start, [2.0, 4.0], normalise=n) for n in (False, True)]
    assert short[1].log_mass() == pytest.approx(short[0].log_mass(), rel=1e-9)
    far = solve_augmented(system, start, [1000.0, 1001.0], normalise=True)
    assert np.diff(far.log_mass())[0] == pytest.approx(2.6673327, rel=1e-5)
    assert far.log_mass()[0] > 2600 and far.mass() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(("k", "dx"), [(3, 0.005), (2, 0.005)])
def test_pure_fragmentation(k, dx):
    """(26): ρ = t^(2/k) exp(-a t x^k), at all times of Lunz et al.; volume to 1e-10."""
    space = AugmentedSpace(x=Continuum(2.5, round(2.5 / dx)))
    system = build_augmented(space, Fragmentation("x", "a*x**k", kernel="uniform"), a=5.0, k=float(k))

    def exact(t):
        return t ** (2 / k) * np.exp(-5.0 * t * space["x"].centres ** k)

    times = 0.5 + np.array([0.6, 2.0, 5.0, 10.0])
    solution = solve_augmented(system, space.density(exact(0.5), mass=None), times - 0.5)
    for p, t in zip(solution.p, times, strict=True):
        assert np.abs(p - exact(t)).sum() < 0.01 * np.abs(exact(t)).sum()
    volume = space.density(exact(0.5), mass=None) @ space["x"].centres * dx
    assert solution.volume("x") == pytest.approx(np.full(4, volume), rel=1e-10)
    assert np.all(np.diff(solution.mass()) > 0)


@pytest.mark.parametrize(
    ("k", "t0", "after", "upper", "cells"),
    [(2, 0.02, [0.04, 0.12, 0.4, 2.0], 14.0, 2800), (3, 0.01, [0.04, 0.12, 0.4, 2.0], 6.0, 1200)],
)
def test_growth_and_fragmentation(k, t0, after, upper, cells):
    """(28) with unit decay, and its limit (29)."""
    space = AugmentedSpace(x=Continuum(upper, cells))
    system = build_augmented(
        space, Fragmentation("x", "a*x**k", kernel="uniform"), Drift("x", "x"), Death(1.0), a=5.0, k=float(k)
    )
    x = space["x"].centres

    def exact(t):
        u = 1 - np.exp(-k * t)
        return u ** (2 / k) * np.exp(-(5.0 / k) * u * x**k)

    solution = solve_augmented(system, space.density(exact(t0), mass=None), after)
    for p, t in zip(solution.p, t0 + solution.times, strict=True):
        assert np.abs(p - exact(t)).sum() < 0.01 * exact(t).sum()
    assert solution.balance_error < 1e-12
    mode = solve_growth_mode(system)
    limit = np.exp(-(5.0 / k) * x**k)
    assert mode.rate == pytest.approx(0.0, abs=2e-3)
    assert np.abs(mode.p / mode.p.sum() - limit / limit.sum()).sum() < 0.01


@pytest.mark.parametrize(
    ("k", "growing", "first_cell"),
    [(1, False, 1), (2, False, 2), (3, False, 2), (1, True, 1), (2, True, 2), (3, True, 2)],
)
def test_fragmentation_is_of_second_order_in_number_and_density(k, growing, first_cell):
    """Slopes of errors against (26), from t = 0.5 to 1.5, and (28), from 0.1 to 1, on cells of 1/10 to 1/80.

    Both have density 1 at size 0, where B vanishes as x^k: what is not second order is the first cell for k = 1. The
    volume is exact throughout.
    """
    nodes, weights = np.polynomial.legendre.leggauss(12)
    a, begin, end = 5.0, *((0.1, 1.0) if growing else (0.5, 1.5))
    upper = {1: 30.0, 2: 7.0, 3: 4.0}[k]

    def averages(space, t):
        u = 1 - np.exp(-k * t) if growing else k * t
        x = space["x"].centres[:, None] + 0.5 * space["x"].dx * nodes
        return (u ** (2 / k) * np.exp(-(a / k) * u * x**k)) @ weights / 2

    widths, errors = 0.1 * 0.5 ** np.arange(4), []
    for dx in widths:
        space = AugmentedSpace(x=Continuum(upper, round(upper / dx), boundary=("reflecting", "outflow")))
        growth = [Drift("x", "x"), Death(1.0)] if growing else []
        system = build_augmented(space, Fragmentation("x", "a*x^k", "uniform"), *growth, a=a, k=float(k))
        start, exact = averages(space, begin), averages(space, end)
        solution = solve_augmented(system, start, end - begin, max_leak=1.0, tolerance=1e-9)
        p = solution.p[-1]
        errors.append([abs(p.sum() / exact.sum() - 1), np.abs(p - exact).sum() / exact.sum(), abs(p[0] / exact[0] - 1)])
        if not growing:
            assert solution.volume("x")[-1] == pytest.approx(start @ space["x"].centres * dx, rel=1e-11)
    number, density, first = np.polyfit(np.log(widths[1:]), np.log(errors[1:]), 1)[0]
    if (k, growing) != (3, False):  # there the number is right to 1e-5 on all grids: no slope is to be seen
        assert number > 1.9
    assert errors[-1][0] < 1.5e-3 and errors[-1][2] < 0.009
    assert density > 1.9 and first > first_cell - 0.15


def finite_lifetime(gamma, mrna, protein):
    """Model (6): mRNA made at the Hill rate, translated at γB, degraded at γ; Ω = 200, B = 40."""
    network = parse(
        "0 => M : r0 + r1*P^4/(K^4 + P^4)\nM -> M + P : gamma*B\nM -> 0 : gamma\nP -> 0 : 1",
        gamma=gamma, r0=2.0, r1=10.0, K=200.0, B=40.0,
    )  # fmt: skip
    return network, AugmentedSpace(network, M=mrna, P=protein)


def test_finite_mrna_against_the_discrete_master_equation():
    """K = 30, Δx = 0.05: ten proteins a cell, and the marginals of mRNA and protein agree with the full equation."""
    network, space = finite_lifetime(1.0, Discrete(29), Continuum(10.0, 200, system_size=200))
    law = solve_augmented_stationary(build_augmented(space), max_leak=1e-3)
    exact = solve_stationary(build_generator(network, StateSpace.box(network, M=29, P=2000), boundary="reflecting"))
    assert law.marginal("M") == pytest.approx(exact.marginal("M"), abs=5e-5)
    # Cell i holds the counts around 10 i + 5: the count on each end belongs half to either cell.
    by_count = exact.marginal("P")
    lumped = np.array([by_count[10 * i + 1 : 10 * i + 10].sum() for i in range(200)])
    lumped += 0.5 * (by_count[:-1:10] + by_count[10::10])
    assert np.abs(law.marginal("P") * 0.05 - lumped).sum() < 2e-3
    assert law.mean("P") == pytest.approx(exact.mean("P") / 200, rel=2e-3)
    assert law.variance("P") == pytest.approx(exact.variance("P") / 200**2, rel=5e-3)


def test_one_line_moves_a_species_to_the_continuum():
    """mRNA and protein discrete, or protein continuum with its noise: the same law of mRNA, moments within 1/Ω."""
    network = parse("0 -> M : 4\nM -> 0 : 2\nM -> M + P : 30\nP -> 0 : 1")
    exact = solve_stationary(build_generator(network, StateSpace.box(network, M=15, P=300), boundary="reflecting"))
    space = AugmentedSpace(network, M=Discrete(15), P=Continuum(300.0, 150))
    law = solve_augmented_stationary(build_augmented(space))
    assert law.marginal("M") == pytest.approx(exact.marginal("M"), abs=1e-12)
    assert law.mean("P") == pytest.approx(60.0, rel=1e-3)
    # Var = mean (1 + k_p/(γ_m + γ_p)) = 60 · 11 for the two-stage model.
    assert law.variance("P") == pytest.approx(660.0, rel=5e-3)
    noiseless = solve_augmented_stationary(build_augmented(space, diffusion=False))
    assert noiseless.variance("P") == pytest.approx(600.0, rel=5e-3)


def test_a_reaction_of_both_kinds_keeps_what_it_conserves():
    """Binding of a protein in the continuum to a discrete gene: linear moments of mean as in the full equation."""
    network = parse("0 -> P : 40\nP -> 0 : 1\nG + P -> C : 0.02\nC -> G + P : 1")
    space = AugmentedSpace(network, G=Discrete(1), C=Discrete(1), P=Continuum(120.0, 240))
    system = build_augmented(space)
    solution = solve_augmented(system, space.density("exp(-(P - 30)**2/50)", G=1), [5.0, 40.0])
    exact = solve_stationary(
        build_generator(network, StateSpace.box(network, G=1, C=1, P=120), boundary="reflecting"), x0={"G": 1, "P": 30}
    )
    assert solution.mean("C")[-1] == pytest.approx(exact.mean("C"), abs=2e-4)
    assert solution.mean("P")[-1] == pytest.approx(exact.mean("P"), rel=2e-3)
    assert solution.mean("C") + solution.mean("G") == pytest.approx([1.0, 1.0], abs=1e-10)


def test_two_continuum_species_with_correlated_noise():
    """U → V conversion, all linear: Poisson marginals, means 5 and 5; the covariance of the linear network is 0."""
    network = parse("0 -> U : 20\nU -> V : 1\nV -> 0 : 1")
    space = AugmentedSpace(network, U=Continuum(60.0, 120), V=Continuum(60.0, 120))
    law = solve_augmented_stationary(build_augmented(space))
    assert law.mean("U") == pytest.approx(20.0, rel=1e-3) and law.mean("V") == pytest.approx(20.0, rel=1e-3)
    assert law.variance("U") == pytest.approx(20.0, rel=0.01) and law.variance("V") == pytest.approx(20.0, rel=0.01)
    joint = law.marginal("U", "V") * 0.25
    u, v = space["U"].centres, space["V"].centres
    covariance = u @ joint @ v - law.mean("U") * law.mean("V")
    assert abs(covariance) < 0.2


def test_three_continuum_species():
    """Independent birth and death of three species: the joint law is the product of the marginals."""
    network = parse("0 <-> A : 12, 1\n0 <-> B : 10, 1\n0 <-> C : 14, 1")
    axes = {name: Continuum(36.0, 18) for name in "ABC"}
    law = solve_augmented_stationary(build_augmented(AugmentedSpace(network, **axes), scheme="fitted"), max_leak=1e-3)
    joint = law.marginal("A", "B", "C")
    product = np.einsum("i,j,k->ijk", law.marginal("A"), law.marginal("B"), law.marginal("C"))
    assert joint == pytest.approx(product, abs=1e-10 * joint.max())
    assert [law.mean(name) for name in "ABC"] == pytest.approx([12.0, 10.0, 14.0], rel=0.02)

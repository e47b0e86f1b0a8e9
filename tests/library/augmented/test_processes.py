"""Spaces, processes and the operator they make: against definitions, conservation; errors that say what to write."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from acme_lib.augmented import (
    ArbitraryJump,
    ArbitraryKernel,
    AugmentedSpace,
    BetaFraction,
    Burst,
    Continuum,
    Death,
    Diffusion,
    Discrete,
    Drift,
    ExponentialJump,
    FixedFraction,
    FixedJump,
    Fragmentation,
    GammaJump,
    Growth,
    Influx,
    PowerLawKernel,
    SelfSimilarKernel,
    States,
    Transition,
    UniformJump,
    build_augmented,
    estimate_grid_error,
    solve_augmented,
    solve_augmented_stationary,
    solve_growth_mode,
)
from acme_lib.augmented.process import Process, find_continuum
from acme_lib.errors import (
    DomainError,
    NetworkSyntaxError,
    ParameterError,
    PropensityError,
    StateSpaceError,
    TruncationWarning,
)
from acme_lib.network import ReactionNetwork
from acme_lib.processes.burst_sizes import BurstSize

parse = ReactionNetwork.parse


def one_axis(*processes, cells=17, upper=3.0, boundary="reflecting", scheme="third", **values):
    space = AugmentedSpace(x=Continuum(upper, cells, boundary=boundary))
    return build_augmented(space, *processes, scheme=scheme, **values)


def declared_and_actual(system):
    """What processes say they make of mass in each cell, and the sums of the columns of the full matrix."""
    terms = system.terms()
    if terms.n_unknowns == terms.n_cells:
        declared = terms.gain
    else:
        declared = np.array([terms.gain @ terms.extend(unit) for unit in np.eye(terms.n_cells)])
    return declared, np.asarray(system.matrix().sum(axis=0)).ravel() * terms.volume


JUMPS = [
    ExponentialJump(0.3),
    ExponentialJump("0.2 + 0.1*x"),
    GammaJump(0.4, 2.5),
    FixedJump(0.33),
    UniformJump(0.1, 0.5),
    UniformJump("0.1*x", 0.5 + 0.0),
    ArbitraryJump("exp(-z/0.3)/0.3"),
    ArbitraryJump(lambda z: 2 * stats.gamma.pdf(z, 2, scale=0.2), integral=2.0),
]


@pytest.mark.parametrize("jump", JUMPS, ids=lambda jump: f"{type(jump).__name__}")
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("boundary", ["reflecting", "outflow"])
def test_bursts_keep_the_books(jump, direction, boundary):
    system = one_axis(Burst("x", "1 + x", jump, direction=direction), boundary=boundary, scheme="fitted")
    declared, actual = declared_and_actual(system)
    assert actual == pytest.approx(declared, abs=1e-14)
    if boundary == "reflecting" and getattr(jump, "integral", 1.0) == 1.0:
        assert np.abs(declared).max() < 1e-14
    matrix = system.matrix().toarray()
    assert (matrix - np.diag(np.diag(matrix))).min() >= 0.0
    # The scheme of third order corrects exponential bursts; it keeps the same books.
    declared, actual = declared_and_actual(
        one_axis(Burst("x", "1 + x", jump, direction=direction), boundary=boundary, scheme="third")
    )
    assert actual == pytest.approx(declared, abs=1e-14)


def landing(distribution, m, h):
    """Probability to land m cells on from a uniform start in a cell, by adaptive quadrature."""
    return integrate.quad(
        lambda u: distribution.cdf((m + 1 - u) * h) - distribution.cdf((m - u) * h), 0, 1, epsabs=1e-12
    )[0]


@pytest.mark.parametrize(
    ("jump", "distribution"),
    [
        (ExponentialJump(0.3), stats.expon(scale=0.3)),
        (ExponentialJump("0.3 + 0*x"), stats.expon(scale=0.3)),  # the same by the full matrix
        (GammaJump(0.4, 2.5), stats.gamma(2.5, scale=0.16)),
        (UniformJump(0.1, 0.5), stats.uniform(0.1, 0.4)),
        (ArbitraryJump("z*exp(-z/0.2)/0.04"), stats.gamma(2, scale=0.2)),
    ],
)
def test_bursts_land_where_their_law_says(jump, distribution):
    matrix = one_axis(Burst("x", 2.0, jump), scheme="fitted").matrix().toarray()
    h = 3.0 / 17
    for m in (1, 2, 5):
        assert matrix[4 + m, 4] == pytest.approx(2.0 * landing(distribution, m, h), rel=1e-7)
    # State-dependent sizes: the mean of each column is that of its own law.
    x = (np.arange(400) + 0.5) * 0.0125
    matrix = one_axis(Burst("x", 1.0, ExponentialJump("0.02 + 0.05*x")), cells=400, upper=5.0).matrix().toarray()
    assert (x @ matrix)[50:200] == pytest.approx(0.02 + 0.05 * x[50:200], rel=1e-6)


KERNELS = [
    ("uniform", 2.0),
    ("equal", 2.0),
    (FixedFraction(0.3), 2.0),
    (PowerLawKernel(1.0), 1.5),
    (PowerLawKernel(-0.5), 3.0),
    (SelfSimilarKernel("12*u*(1 - u)"), 2.0),
    (BetaFraction(2, 5), 2.0),
    (ArbitraryKernel("12*x*(y - x)/y**3"), 2.0),
]


@pytest.mark.parametrize(("kernel", "daughters"), KERNELS, ids=lambda value: str(value)[:24])
def test_division_keeps_volume_and_number(kernel, daughters):
    system = one_axis(Fragmentation("x", "1 + x", kernel), cells=60)
    declared, actual = declared_and_actual(system)
    assert actual == pytest.approx(declared, abs=1e-13)
    x = system.space["x"].centres
    assert x @ system.matrix().toarray() == pytest.approx(np.zeros(60), abs=1e-12)
    made = actual / system.space.volume / (1 + x)
    assert made[1:] == pytest.approx(np.full(59, daughters - 1), abs=1e-11)
    assert made[0] == 0.0  # whoever is in the first cell stays there
    matrix = system.matrix().toarray()
    assert (matrix - np.diag(np.diag(matrix))).min() >= 0.0
    assert np.abs(np.tril(matrix, -1)).max() == 0.0  # nothing grows by dividing


def test_the_same_kernel_in_three_ways():
    kernels = ["uniform", SelfSimilarKernel("2 + 0*u"), ArbitraryKernel("2/y + 0*x")]
    matrices = [one_axis(Fragmentation("x", "x**2", kernel), cells=40).matrix().toarray() for kernel in kernels]
    assert matrices[1] == pytest.approx(matrices[0], abs=1e-12 * np.abs(matrices[0]).max())
    assert matrices[2] == pytest.approx(matrices[0], abs=1e-12 * np.abs(matrices[0]).max())


def test_shares_are_those_of_the_simulators():
    """A beta law of the first daughter's share, as simulators draw it, and the density of both daughters."""
    pairs = [(BetaFraction(2, 2), "12*u*(1 - u)"), (BetaFraction(1, 1), "2 + 0*u")]
    pairs += [(BetaFraction(2, 3), "12*u*(1 - u)^2 + 12*u^2*(1 - u)"), ("uniform", "2 + 0*u")]
    for share, density in pairs:
        matrices = [
            one_axis(Fragmentation("x", "x**2", kernel), cells=40).matrix().toarray()
            for kernel in (share, SelfSimilarKernel(density))
        ]
        assert matrices[1] == pytest.approx(matrices[0], abs=1e-12 * np.abs(matrices[0]).max())


def test_contents_are_partitioned_by_what_they_are_unless_a_word_says_else():
    network = parse("0 -> M : 1\n0 -> P : 1")
    axes = {"gene": States("on", "off"), "M": Discrete(5), "P": Continuum(2.0, 8), "x": Continuum(3.0, 10)}
    space = AugmentedSpace(network, **axes)

    def matrix(**options):
        return build_augmented(space, Fragmentation("x", "x", **options)).matrix().toarray()

    words = {"gene": "copied", "M": "binomial", "P": "proportional"}
    assert np.array_equal(matrix(), matrix(kernel=FixedFraction(0.5), partition=words))
    start = np.ravel_multi_index((1, 5, 5, 9), space.shape)
    here = build_augmented(space).matrix().toarray()
    for how, expected in (("equal", [0, 0, 1, 1, 0, 0]), ("reset", [2, 0, 0, 0, 0, 0]), ("copied", [0, 0, 0, 0, 0, 2])):
        landed = (matrix(partition={"M": how, "P": how}) - here)[:, start].reshape(space.shape)
        landed[1, 5, 5, 9] += 9 * 0.3 + 0.15  # the parent that is gone, at the rate x
        assert landed[0] == pytest.approx(np.zeros((6, 8, 10)))
        assert landed.sum(axis=(0, 2, 3)) / 2.85 == pytest.approx(expected, abs=1e-12)
        amount = landed.sum(axis=(0, 1, 3)) / 2.85
        mean = {"equal": 0.5 * 1.375, "reset": 0.125, "copied": 1.375}[how]  # the first cell is all that is near 0
        assert amount @ space["P"].centres == pytest.approx(2 * mean, rel=1e-12)
    with pytest.raises(ParameterError, match="gene is an abstract state"):
        matrix(partition={"gene": "binomial"})
    with pytest.raises(ParameterError, match="P is continuous and cannot be partitioned 'binomial'"):
        matrix(partition={"P": "binomial"})
    with pytest.raises(ParameterError, match="x is the size itself"):
        matrix(partition={"x": "proportional"})
    with pytest.raises(ParameterError, match='"copy" is now written "copied"'):
        matrix(partition={"P": "copy"})


@pytest.mark.parametrize("kernel", ["equal", "uniform", SelfSimilarKernel("12*u*(1 - u)")])
def test_contents_are_shared_out_at_division(kernel):
    space = AugmentedSpace(x=Continuum(3.0, 20), P=Continuum(2.0, 16), M=Discrete(5))
    divide = Fragmentation("x", "1 + x", kernel, partition={"P": "proportional", "M": "binomial"})
    system = build_augmented(space, divide)
    declared, actual = declared_and_actual(system)
    assert actual == pytest.approx(declared, abs=1e-12)
    matrix = system.matrix()
    names = {name: np.broadcast_to(space.along(name, space.coordinates(name)), space.shape) for name in "xPM"}
    assert np.abs(matrix.T @ names["x"].ravel()).max() < 1e-12
    assert np.abs(matrix.T @ names["M"].ravel()).max() < 1e-11
    # An amount is kept but for daughters that get less than half a cell of it: none for parents of much.
    large = (names["x"] > 1.5) & (names["P"] > 1.0)
    change = (matrix.T @ names["P"].ravel()).reshape(space.shape) / (1 + names["x"])
    assert np.abs(change[large]).max() < (1e-12 if kernel == "equal" else 0.01)


def test_partition_of_molecules_is_binomial():
    space = AugmentedSpace(M=Discrete(4), x=Continuum(4.0, 16))
    system = build_augmented(space, Fragmentation("x", 1.0, "equal", partition={"M": "binomial"}))
    matrix = system.matrix().toarray()
    start = np.ravel_multi_index((4, 12), space.shape)
    landed = matrix[:, start].reshape(space.shape).sum(axis=1)
    landed[4] += 1.0  # the parent that is gone
    assert landed == pytest.approx(2 * stats.binom.pmf(np.arange(5), 4, 0.5))


@given(
    st.sampled_from(["third", "central", "fitted", "upwind"]),
    st.sampled_from(["reflecting", "absorbing", "outflow"]),
    st.floats(-3, 3),
    st.floats(0, 0.5),
)
def test_drift_and_diffusion_keep_the_books(scheme, boundary, slope, noise):
    system = one_axis(
        Drift("x", "a*(x - 1.3)"), Diffusion("x", "d*(1 + x)"), boundary=boundary, scheme=scheme, a=slope, d=noise
    )
    declared, actual = declared_and_actual(system)
    assert actual == pytest.approx(declared, abs=1e-11)
    if boundary == "reflecting":
        assert np.abs(declared).max() < 1e-12
    else:
        assert declared.max() <= 0.0


def test_an_absorbing_end_is_where_the_density_vanishes():
    """Brownian motion between absorbing ends at 0 and 1: the slowest mode decays at D π²."""
    rates = []
    for cells in (50, 100):
        system = one_axis(Diffusion("x", 0.5), cells=cells, upper=1.0, boundary="absorbing", scheme="central")
        rates.append(-solve_growth_mode(system).rate)
    assert rates[1] == pytest.approx(0.5 * np.pi**2, rel=1e-3)
    assert abs(rates[1] - 0.5 * np.pi**2) < 0.3 * abs(rates[0] - 0.5 * np.pi**2)


def test_transitions_act_where_and_when_they_say():
    states = States("a", "b", frozen="dead")
    space = AugmentedSpace(kind=states, x=Continuum(2.0, 4))
    system = build_augmented(
        space, Transition("a", "b", "3*(x > 1)"), Transition("b", "dead", 0.5), Growth("2*x", states="b"), Death(1.0)
    )
    matrix = system.matrix().toarray().reshape(3, 4, 3, 4)
    x = np.array([0.25, 0.75, 1.25, 1.75])
    assert np.diag(matrix[1, :, 0, :]) == pytest.approx([0, 0, 3, 3])
    assert np.diag(matrix[0, :, 0, :]) == pytest.approx([-1, -1, -4, -4])
    assert np.diag(matrix[1, :, 1, :]) == pytest.approx(2 * x - 1.5)
    assert np.diag(matrix[2, :, 1, :]) == pytest.approx([0.5] * 4)
    assert not matrix[:, :, 2, :].any()  # what is frozen stays
    declared, actual = declared_and_actual(system)
    assert actual == pytest.approx(declared, abs=1e-14)


def test_growth_modes_against_all_eigenvalues():
    """A small niche in which cells multiply, and a spot where they would do so faster but leave at once."""
    space = AugmentedSpace(kind=States("a", "b"), x=Continuum(10.0, 100))
    niche, spot = "5*(x > 4 and x < 4.5)", "1000*(x > 9 and x < 9.2)"
    processes = [Diffusion("x", 1e-3), Growth(niche), Growth(spot, states="a")]
    processes += [Transition("a", "b", f"2*{spot}"), Transition("b", "a", "0.5")]
    for scheme in ("fitted", "third"):
        system = build_augmented(space, *processes, scheme=scheme)
        mode = solve_growth_mode(system, max_leak=1.0)
        values, vectors = np.linalg.eig(system.matrix().toarray())
        best = np.argmax(values.real)
        exact = vectors[:, best].real.reshape(space.shape)
        assert mode.rate == pytest.approx(values[best].real, rel=1e-9)
        assert mode.p == pytest.approx(exact / exact.sum() / space.volume, abs=1e-6)


@pytest.mark.parametrize(
    ("jump", "moments"),
    [
        (UniformJump(10, 30), (20, 1300 / 3, 10000)),
        (FixedJump(20), (20, 400, 8000)),
        (GammaJump(20, 2), (20, 600, 24000)),
    ],
)
def test_bursts_alone_are_a_compound_poisson_process(jump, moments):
    """Cumulants λ t <z^n>, from 60 molecules on cells of one."""
    space = AugmentedSpace(P=Continuum(6.0, 600, system_size=100))
    solution = solve_augmented(build_augmented(space, Burst("P", 3.0, jump)), space.density(P=0.605), [1.0, 2.0])
    x = 100 * space["P"].centres
    for i, t in enumerate(solution.times):
        mean = solution.mean("P")[i] * 100
        second, third = (solution.expectation("P", (x - mean) ** n)[i] for n in (2, 3))
        assert mean == pytest.approx(60.5 + 3 * t * moments[0], rel=1e-5)
        assert second == pytest.approx(3 * t * moments[1], rel=1e-3)
        assert third == pytest.approx(3 * t * moments[2], rel=3e-3)


@dataclass(frozen=True)
class Halving(Process):
    """Half of a species is lost at once: a process that the room does not have."""

    species: str
    rate: str

    def enter(self, entries, rates):
        axis, a = find_continuum(entries.space, self.species, self)
        rate = np.broadcast_to(rates.acting(), entries.space.shape)
        half = np.take(entries.index, np.arange(axis.cells) // 2, axis=a)
        entries.add(half, entries.index, rate)
        entries.add(entries.index, entries.index, -rate)


@dataclass(frozen=True)
class TriangularJump(BurstSize):
    """Sizes with density 2 (1 - z/b)/b below b."""

    largest: float | str
    of_state = ("largest",)

    @staticmethod
    def integrated_tail(z, largest):
        return np.maximum(largest - z, 0.0) ** 3 / (3 * largest**2)


def test_a_process_and_a_burst_size_of_ones_own_touch_nothing_else():
    """Mass is kept; bursts of mean b/3 against halving at the rate 2: the mean of the stationary law is b/3."""
    space = AugmentedSpace(kind=States("on", frozen="off"), x=Continuum(8.0, 800))
    system = build_augmented(
        space, Halving("x", "2"), Burst("x", "1", TriangularJump("b")), Transition("on", "off", 0.0), b=1.5
    )
    matrix = system.matrix().toarray().reshape(2, 800, 2, 800)
    assert matrix[0, :, 0].sum(axis=0) == pytest.approx(np.zeros(800), abs=1e-12)
    assert not matrix[1].any() and not matrix[:, :, 1].any()
    assert (space["x"].centres @ matrix[0, :, 0])[200] == pytest.approx(0.5 - 2.0, abs=1e-11)  # from 2.005 to 1.005
    alone = AugmentedSpace(x=Continuum(20.0, 2000))
    law = solve_augmented_stationary(build_augmented(alone, Halving("x", "2"), Burst("x", "1", TriangularJump(1.5))))
    assert law.mean("x") == pytest.approx(0.5, abs=0.01)
    assert build_augmented(alone, Burst("x", "t", TriangularJump("1 + t"))).uses_time


def test_influx_against_death_is_stationary():
    """dp/dt = s(x) - μ p: p = s/μ, and on the way 1 - exp(-μ t) of it."""
    system = one_axis(Influx("x*(3 - x)"), Death(0.5))
    x = system.space["x"].centres
    law = solve_augmented_stationary(system)
    assert law.p == pytest.approx(x * (3 - x) / 0.5, rel=1e-12)
    for method in ("implicit", "ssprk(9,3)", "adaptive"):
        solution = solve_augmented(system, 0 * x, [1.0, 3.0], method=method)
        expected = law.p * (1 - np.exp(-0.5 * solution.times[:, None]))
        assert solution.p == pytest.approx(expected, rel=2e-3 if method == "ssprk(9,3)" else 1e-5)
        assert solution.balance_error < 1e-12
        assert solution.gained == pytest.approx(solution.mass(), rel=1e-12)


def test_rates_that_are_constant_piece_by_piece():
    """A switch at t = 1 and t = 2.5: exact exponentials of each piece, and no step across a jump."""
    system = one_axis(Death("1 if t < 1 else (0 if t < b else 2)"), Drift("x", "1 - x"), b=2.5)
    start = system.space.density("exp(-(x - 1)**2)")
    solution = solve_augmented(system, start, [0.7, 1.0, 2.0, 3.0])
    assert solution.mass() == pytest.approx(np.exp([-0.7, -1.0, -1.0, -2.0]), rel=1e-9)
    assert solution.factorisations < 150
    explicit = solve_augmented(system, start, [3.0], method="ssprk(4,3)")
    assert explicit.mass()[-1] == pytest.approx(np.exp(-2.0), rel=1e-3)


def test_rates_that_vary_in_time():
    system = one_axis(Growth("1 + sin(t)", allow_negative=True), Drift("x", "1 - x"), cells=30)
    start = system.space.density("exp(-4*(x - 1)**2)")
    times = np.array([0.5, 1.5])
    exact = times + 1 - np.cos(times)
    for method in ("implicit", "adaptive"):
        solution = solve_augmented(system, start, times, method=method)
        assert solution.log_mass() == pytest.approx(exact, abs=2e-6)
    assert solution.growth_rate() == pytest.approx(1 + np.sin(times), rel=1e-9)


def test_resuming_continues_the_books():
    system = one_axis(Drift("x", "1 - x"), Diffusion("x", 0.1), Growth(0.3), cells=40)
    start = system.space.density("exp(-9*(x - 2)**2)")
    whole = solve_augmented(system, start, [0.5, 2.0], max_leak=1.0)
    first = solve_augmented(system, start, 0.5, max_leak=1.0)
    rest = solve_augmented(system, first, [2.0], max_leak=1.0)
    assert rest.times.tolist() == [2.0]
    assert rest.p[-1] == pytest.approx(whole.p[-1], abs=1e-6)
    assert rest.gained[-1] == pytest.approx(whole.gained[-1], rel=1e-7)
    with pytest.raises(ParameterError, match="0.5 or later"):
        solve_augmented(system, first, [0.4])


def test_a_condition_ends_the_solution():
    system = one_axis(Growth(0.7), Drift("x", "1 - x"))
    start = system.space.density()
    solution = solve_augmented(system, start, [1.0, 5.0, 9.0], stop="mass > 4")
    assert solution.stopped and len(solution) == 2
    assert solution.times[-1] == pytest.approx(np.log(4) / 0.7, rel=1e-6)
    assert solution.mass()[-1] == pytest.approx(4.0, rel=1e-6)
    by_function = solve_augmented(system, start, [9.0], stop=lambda t, density: density.mean("x") < 1.1)
    # dx/dt = 1 - x from a uniform start on (0, 3), in the mean.
    assert by_function.times[-1] == pytest.approx(np.log(0.5 / 0.1), rel=0.02)
    states = AugmentedSpace(fate=States("waiting", frozen="done"), x=Continuum(1.0, 4))
    waiting = build_augmented(states, Transition("waiting", "done", 2.0))
    solution = solve_augmented(waiting, states.density(), 10.0, stop="waiting < 0.25 and t > 0.1", method="adaptive")
    assert solution.times[-1] == pytest.approx(np.log(4) / 2, rel=1e-5)
    assert not solve_augmented(waiting, states.density(), 0.1, stop="done > 0.9").stopped


def test_the_grid_error_is_estimated():
    """The true error of an Ornstein-Uhlenbeck density is within a factor of two of the estimate."""
    system = one_axis(Drift("x", "-(x - 3)"), Diffusion("x", 0.05), cells=160, upper=6.0)
    x, faces = system.space["x"].centres, system.space["x"].faces
    start = np.diff(stats.norm.cdf((faces - 4.0) / 0.4)) / system.space["x"].dx
    solution = solve_augmented(system, start, [0.5, 1.0], tolerance=1e-8)
    estimate = estimate_grid_error(solution)
    for i, t in enumerate(solution.times):
        deviation = np.sqrt(0.16 * np.exp(-2 * t) + 0.05 * (1 - np.exp(-2 * t)))
        exact = np.diff(stats.norm.cdf((faces - 3 - np.exp(-t)) / deviation)) / system.space["x"].dx
        error = np.abs(solution.p[i] - exact).sum() * system.space.volume
        assert 0.5 < estimate.error[i] / error < 2.5
        assert estimate.digits[i] == pytest.approx(-np.log10(estimate.error[i]))
    assert estimate.order == pytest.approx([3.0, 3.0], abs=0.5)
    law = solve_augmented_stationary(system)
    variance = estimate_grid_error(law, lambda s: s.variance("x"))
    assert abs(law.variance("x") - 0.05) < 3 * variance.error < 1e-3
    assert len(x) % 4 == 0
    with pytest.raises(StateSpaceError, match="divide by four"):
        estimate_grid_error(solve_augmented_stationary(one_axis(Drift("x", "1 - x"), Diffusion("x", 0.1), cells=18)))


def test_moments_and_marginals():
    network = parse("0 <-> M : 1, 1\n0 <-> P : 5, 1")
    space = AugmentedSpace(network, M=Discrete(2), P=Continuum(4.0, 8, system_size=5))
    system = build_augmented(space)
    p = space.density(M=1, P=1.1) * 0.25 + space.density(M=2, P=3.1) * 0.75
    law = solve_augmented(system, p, [1e-9])
    assert law.mass() == pytest.approx([1.0])
    assert law.mean("M") == pytest.approx([1.75], abs=1e-6)
    assert law.mean("P") == pytest.approx([0.25 * 1.25 + 0.75 * 3.25], abs=1e-6)
    assert law.mean("P", M=2) == pytest.approx([3.25], abs=1e-6)
    assert law.variance("P") == pytest.approx([0.25 * 0.75 * 4.0], abs=1e-6)
    assert law.marginal("M") == pytest.approx(np.array([[0, 0.25, 0.75]]), abs=1e-6)
    assert law.marginal("P", "M").shape == (1, 8, 3)
    assert law.marginal("P", normalised=True, M=1).sum() * 0.5 == pytest.approx(1.0)
    assert law.expectation("P", np.exp(space["P"].centres)) == pytest.approx(
        [0.25 * np.exp(1.25) + 0.75 * np.exp(3.25)], rel=1e-6
    )
    with pytest.raises(ValueError, match="read-only"):
        law.p[0] = 0.0


def test_a_two_dimensional_toggle_is_bimodal_and_symmetric():
    network = parse(
        "0 => U : O*(e + a/(1 + (V/O)^3))\nU -> 0 : 1\n0 => V : O*(e + a/(1 + (U/O)^3))\nV -> 0 : 1", O=60, a=2.0, e=0.1
    )
    axes = {name: Continuum(4.0, 40, system_size=60) for name in "UV"}
    system = build_augmented(AugmentedSpace(network, **axes), scheme="fitted")
    law = solve_augmented_stationary(system)
    assert law.p == pytest.approx(law.p.T, rel=1e-7, abs=1e-12)  # symmetric under exchange
    assert law.most_negative == 0.0
    bimodal = law.marginal("U")
    low, high = np.argmax(bimodal[:12]), 12 + np.argmax(bimodal[12:])
    assert bimodal[low] > 2 * bimodal[low:high].min() < 2 * bimodal[high]


# -- errors ------------------------------------------------------------------------------------------------------------


def x_space():
    return AugmentedSpace(x=Continuum(3.0, 20))


def start_from(height):
    system = one_axis(Growth(1.0))
    return solve_augmented(system, np.full(system.space.shape, height), 1.0)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Continuum(3.0, 2), ParameterError, "from 4"),
        (lambda: Continuum(0.0, 10), ParameterError, "above lower"),
        (lambda: Continuum(3.0, 10, boundary="open"), ParameterError, "outflow"),
        (lambda: Continuum(3.0, 10, system_size=0), ParameterError, "system_size"),
        (lambda: Discrete(-1), ParameterError, "of at least 0, got -1"),
        (lambda: Discrete(3, "open"), ParameterError, "reflecting"),
        (lambda: States(frozen="a"), ParameterError, "all states are frozen"),
        (lambda: States("a", "a"), ParameterError, "twice"),
        (lambda: Continuum(3.0, 10, boundaries="open"), ParameterError, "boundary='open'"),
        (lambda: States("2x"), ParameterError, "a word"),
        (lambda: AugmentedSpace(), StateSpaceError, "at least one axis"),
        (lambda: AugmentedSpace(x=3.0), StateSpaceError, "Discrete"),
        (lambda: AugmentedSpace(parse("0 -> P : 1"), x=Continuum(3.0, 9)), StateSpaceError, "P has no axis"),
        (lambda: AugmentedSpace(parse("0 -> P : 1"), P=States("a")), StateSpaceError, "species"),
        (lambda: AugmentedSpace(parse("0 -> P : k", k=1), P=Discrete(2), k=Discrete(2)), StateSpaceError, "parameter"),
        (lambda: AugmentedSpace(a=States("u"), b=States("u")), StateSpaceError, "rename"),
        (lambda: AugmentedSpace(**{n: Continuum(1.0, 4) for n in "abcd"}), StateSpaceError, "at most three"),
        (lambda: AugmentedSpace(a=Continuum(1.0, 10**4), b=Continuum(1.0, 10**4)), StateSpaceError, "take fewer"),
        (lambda: x_space().density(x=4.0), StateSpaceError, "outside the grid"),
        (lambda: x_space().density("y"), ParameterError, "no continuum species"),
        (lambda: x_space().density("0*x"), ParameterError, "cannot be scaled"),
        (lambda: x_space().density("1/(x - x)"), ParameterError, "not finite"),
        (lambda: x_space().density(np.ones(7)), StateSpaceError, "shape"),
        (lambda: x_space().density(mass=np.nan), ParameterError, "mass must be a positive number, got nan"),
        (lambda: x_space().density(mass=-1.0), ParameterError, "mass must be a positive number, got -1"),
        (
            lambda: x_space().density("0.5 - x"),
            ParameterError,
            "the profile must be zero or more in every cell, got -2.4",
        ),
        (lambda: start_from(0.0), StateSpaceError, "the start density is zero everywhere, and no process brings"),
        (
            lambda: start_from(-1.0),
            StateSpaceError,
            "the start density is below zero, with a mass of 3 there and 0 above",
        ),
        (lambda: build_augmented(AugmentedSpace(M=Discrete(3))), StateSpaceError, "build_generator"),
        (lambda: one_axis(Drift("y", 1.0)), StateSpaceError, "no axis"),
        (lambda: one_axis(Drift("x", "k")), ParameterError, "k"),
        (lambda: one_axis(Drift("x", "x +")), NetworkSyntaxError, "rate of Drift"),
        (lambda: one_axis(Drift("x", 1.0), k=2.0), ParameterError, "stands in no process"),
        (lambda: one_axis(Drift("x", "k"), k=np.nan), ParameterError, "finite"),
        (lambda: one_axis(Growth("x - 1")), PropensityError, "negative .* at x="),
        (lambda: one_axis(Death("1/(x - 0.075)*0 + log(x - 1)")), PropensityError, "not finite"),
        (lambda: one_axis(Burst("x", "1 - x", FixedJump(1.0))), PropensityError, "negative"),
        (lambda: one_axis(Burst("x", 1.0, ExponentialJump("x - 1"))), PropensityError, "not positive"),
        (lambda: one_axis(Transition("a", "b", 1.0)), StateSpaceError, "no abstract state"),
        (lambda: one_axis(Growth(1.0, states="a")), StateSpaceError, "no abstract state"),
        (lambda: one_axis(Burst("x", 1.0, ArbitraryJump("exp(-z)/2"))), ParameterError, "integrates to 0.5"),
        (lambda: one_axis(Burst("x", 1.0, ArbitraryJump("exp(-z)*(2 - z)"))), ParameterError, "negative"),
        (lambda: one_axis(Fragmentation("x", 1.0, SelfSimilarKernel("1 + 0*u"))), ParameterError, "number: "),
        (lambda: one_axis(Fragmentation("x", 1.0, SelfSimilarKernel("4*u"))), ParameterError, "volume: "),
        (
            lambda: one_axis(Fragmentation("x", 1.0, SelfSimilarKernel("2 + u - 6*u**2 + 6*u**3 - 3*u**2 + 3*u - 1"))),
            ParameterError,
            "number: |volume: |symmetry: ",
        ),
        (
            lambda: one_axis(Fragmentation("x", 1.0, SelfSimilarKernel("2 + (2*u - 1)**3 - 0.6*(2*u - 1)"))),
            ParameterError,
            "symmetry: ",
        ),
        (lambda: one_axis(Fragmentation("x", 1.0, ArbitraryKernel("x/y**2"))), ParameterError, "number: "),
        (lambda: one_axis(Fragmentation("x", 1.0, "halves")), ParameterError, "kernel must be 'equal', 'uniform'"),
        (lambda: Fragmentation("x", 1.0, 0.3), ParameterError, r"kernel=0.3 is now written FixedFraction\(0.3\)"),
        (lambda: Burst("x", 1.0, ("gamma", 2.0, 40.0)), ParameterError, r"GammaJump\(mean=40.0, shape=2.0\)"),
        (lambda: FixedFraction(1.0), ParameterError, "above 0 and below 1"),
        (lambda: PowerLawKernel(-1.0), ParameterError, "exponent"),
        (lambda: ExponentialJump(-1.0), ParameterError, "positive"),
        (lambda: Burst("x", 1.0, 3.0), ParameterError, "ExponentialJump"),
        (lambda: Burst("x", 1.0, FixedJump(1.0), direction=2), ParameterError, "direction"),
        (lambda: Growth(None), ParameterError, "text"),
        (lambda: Fragmentation("x", 1.0, partition={"P": "half"}), ParameterError, "proportional"),
        (lambda: one_axis(Drift("x", 1.0), scheme="weno"), ParameterError, "superbee"),
    ],
)
def test_what_is_ill_posed_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_negative_rates_only_where_asked_for():
    space = AugmentedSpace(kind=States("cells", frozen="phantom"), x=Continuum(2.0, 8))
    with pytest.raises(PropensityError, match="allow_negative=True"):
        build_augmented(space, Transition("cells", "phantom", "-x"))
    build_augmented(space, Transition("cells", "phantom", "-x", allow_negative=True))
    with pytest.raises(PropensityError, match=r"line 1.*negative"):
        build_augmented(AugmentedSpace(parse("0 => x : 1 - x"), x=Continuum(2.0, 8)))


def test_a_domain_that_is_too_small():
    slow = one_axis(Drift("x", "1.0"), upper=1.0, cells=20, scheme="upwind")
    start = slow.space.density("exp(-50*(x - 0.5)**2)")
    with pytest.raises(DomainError, match=r"x ends at 1.*extend the grid"):
        solve_augmented(slow, start, 2.0)
    with pytest.warns(TruncationWarning, match="reaches the end"):
        solve_augmented(slow, start, 0.05)
    assert solve_augmented(slow, start, 2.0, max_leak=100.0).mass() == pytest.approx([1.0])
    # What leaves through an open end is counted, to the last digit.
    opened = one_axis(Drift("x", "1.0"), upper=1.0, cells=20, boundary=("reflecting", "outflow"), scheme="upwind")
    solution = solve_augmented(opened, start, [0.3, 1.0])
    assert solution.leaked == pytest.approx(1 - solution.mass(), abs=1e-12)
    assert 0.02 < solution.leaked[0] < solution.leaked[1]


def test_what_has_no_stationary_law():
    with pytest.raises(StateSpaceError, match="solve_growth_mode"):
        solve_augmented_stationary(one_axis(Growth(1.0), Drift("x", "1 - x")))
    states = AugmentedSpace(kind=States("a", "b"), x=Continuum(2.0, 8))
    with pytest.raises(StateSpaceError, match="not unique"):
        solve_augmented_stationary(build_augmented(states, Drift("x", "1 - x"), Diffusion("x", 0.1)))
    with pytest.raises(ParameterError, match="not linear"):
        solve_augmented_stationary(one_axis(Drift("x", "1 - x"), scheme="minmod"))
    with pytest.raises(ParameterError, match="no mode of its own"):
        solve_growth_mode(one_axis(Influx(1.0), Death(1.0)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"t": [2.0, 1.0]}, "increasing"),
        ({"t": -1.0}, "0 or later"),
        ({"t0": 0.5}, "starts at time 0"),
        ({"t": np.nan}, "finite"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"step": -1.0}, "step"),
        ({"poles": 0}, "poles"),
        ({"method": "rk4"}, "ssprk"),
        ({"stop": "x > 1"}, "may name"),
        ({"stop": "mass"}, "neither true nor false"),
        ({"p0": np.ones(3)}, "shape"),
        ({"p0": np.full(17, np.nan)}, "not finite"),
    ],
)
def test_what_solve_augmented_refuses(options, words):
    system = one_axis(Drift("x", "1 - x"))
    arguments = {"p0": system.space.density(), "t": 1.0, **options}
    with pytest.raises(ValueError, match=words):
        solve_augmented(system, arguments.pop("p0"), arguments.pop("t"), **arguments)


def test_an_overflow_says_how_to_go_on():
    system = one_axis(Growth(1000.0), Drift("x", "1 - x"))
    with pytest.raises(StateSpaceError, match="normalise=True"):
        solve_augmented(system, system.space.density(), 2.0)


def test_a_progress_bar_shows_the_time(capsys):
    system = one_axis(Drift("x", "1 - x"))
    solve_augmented(system, system.space.density(), [0.5, 2.0], progress=True)
    assert "2/2" in capsys.readouterr().err
    solve_augmented(system, system.space.density(), 2.0, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("scheme", ["third", "fitted"])
def test_the_order_of_axes_does_not_matter(scheme):
    """The same system with its axes in another order has the same matrix, its states renumbered."""
    network = parse("0 <-> M : 1, 2\nU -> V : 1\nM + U -> V : 0.1")
    axes = {"M": Discrete(2), "U": Continuum(2.0, 6, system_size=3), "V": Continuum(3.0, 7, system_size=2)}
    processes = [
        Burst("U", "1 + V", ExponentialJump(1.0)),
        Burst("V", "1 + U", ExponentialJump("1 + M"), direction=-1),
        Burst("V", 2.0, GammaJump(1.0, 2.0)),
        Fragmentation("U", "U", "uniform"),
        Fragmentation("V", "1 + M", "equal", partition={"M": "binomial"}),
        Drift("V", "1 - V"),
    ]
    matrices = []
    for names in (["M", "U", "V"], ["V", "M", "U"]):
        space = AugmentedSpace(network, **{name: axes[name] for name in names})
        matrix = build_augmented(space, *processes, scheme=scheme).matrix().toarray()
        order = [space.names.index(name) for name in ("M", "U", "V")]
        renumber = np.transpose(np.arange(space.size).reshape(space.shape), order).ravel()
        matrices.append(matrix[np.ix_(renumber, renumber)])
    assert matrices[1] == pytest.approx(matrices[0], abs=1e-11)

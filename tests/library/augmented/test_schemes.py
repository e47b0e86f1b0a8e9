"""Schemes and steppers of the augmented master equation: fitted orders against design orders, and limiters."""

import functools
from math import factorial

import numpy as np
import pytest
from scipy import integrate, stats

from acme_lib.augmented import (
    AugmentedSpace,
    Burst,
    Continuum,
    Diffusion,
    Drift,
    ExponentialJump,
    FluxScheme,
    LimitedScheme,
    LinearScheme,
    build_augmented,
    solve_augmented,
)
from acme_lib.augmented.explicit import Operator, find_method, stability_limit
from acme_lib.augmented.rational import Propagator, pade_fractions
from acme_lib.augmented.schemes import SCHEMES, minmod, monotonized_central, superbee, van_leer
from acme_lib.augmented.steppers import Implicit
from acme_lib.errors import ParameterError, StabilityError
from tests.marks import always


def cell_averages(axis, mean, deviation):
    """A Gaussian's averages over cells, from its distribution function."""
    return np.diff(stats.norm.cdf((axis.faces - mean) / deviation)) / axis.dx


def relaxation_error(cells, scheme, diffusion, method="implicit", t=0.5):
    """L1 error of dx = -(x - 2.5) dt + sqrt(2D) dW from a Gaussian, whose law stays Gaussian."""
    space = AugmentedSpace(x=Continuum(6.0, cells))
    noise = [Diffusion("x", diffusion)] if diffusion else []
    system = build_augmented(space, Drift("x", "-(x - 2.5)"), *noise, scheme=scheme)
    start = cell_averages(space["x"], 4.0, 0.4)
    solution = solve_augmented(system, start, t, method=method, tolerance=1e-10)
    decay = np.exp(-t)
    deviation = np.sqrt(0.4**2 * decay**2 + diffusion * (1 - decay**2))
    exact = cell_averages(space["x"], 2.5 + 1.5 * decay, deviation)
    return np.abs(solution.p[-1] - exact).sum() * space["x"].dx


def slope(sizes, errors):
    return -np.polyfit(np.log(sizes), np.log(errors), 1)[0]


@pytest.mark.parametrize(
    ("scheme", "diffusion", "order", "within"),
    [
        ("upwind", 0.0, 1, 0.12),
        ("upwind", 0.05, 1, 0.12),
        ("central", 0.0, 2, 0.1),
        ("central", 0.05, 2, 0.1),
        ("third", 0.0, 3, 0.12),
        ("third", 0.05, 3, 0.12),
        ("fitted", 0.05, 2, 0.1),
    ],
)
def test_orders_of_linear_schemes(scheme, diffusion, order, within):
    sizes = np.array([120, 240, 480])
    errors = [relaxation_error(n, scheme, diffusion) for n in sizes]
    assert slope(sizes, errors) == pytest.approx(order, abs=within)


@pytest.mark.parametrize(("scheme", "order"), [("upwind", 1), ("central", 2), ("third", 3), ("fitted", 2)])
def test_orders_with_noise_that_depends_on_the_state(scheme, order):
    """dx = -x/2 dt + sqrt(0.1) x dW (Itô) stays log-normal: D = 0.05 x² must stand inside both derivatives."""
    sizes, errors = np.array([120, 240, 480]), []
    for cells in sizes:
        space = AugmentedSpace(x=Continuum(7.0, cells))
        system = build_augmented(space, Drift("x", "-0.5*x"), Diffusion("x", "0.05*x**2"), scheme=scheme)
        start, exact = (
            np.diff(stats.lognorm.cdf(space["x"].faces, np.sqrt(variance), scale=np.exp(mean))) / space["x"].dx
            for mean, variance in [(0.6, 0.03), (0.6 - 0.55 * 0.6, 0.03 + 0.1 * 0.6)]
        )
        solution = solve_augmented(system, start, 0.6, tolerance=1e-10)
        errors.append(np.abs(solution.p[-1] - exact).sum() * space["x"].dx)
    assert slope(sizes, errors) == pytest.approx(order, abs=0.15)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("scheme", "diffusion", "order", "within"),
    [
        ("minmod", 0.0, 2, 0.25),  # limiters clip the top: between 1 and 2 there
        ("minmod", 0.05, 2, 0.12),
        ("van_leer", 0.05, 2, 0.12),
        ("mc", 0.05, 2, 0.12),
        ("superbee", 0.05, 2, 0.35),
    ],
)
def test_orders_of_limited_schemes(scheme, diffusion, order, within):
    sizes = np.array([120, 240, 480])
    errors = [relaxation_error(n, scheme, diffusion, "ssprk(4,3)") for n in sizes]
    assert slope(sizes, errors) == pytest.approx(order, abs=within)


@pytest.mark.parametrize(("scheme", "rate", "order"), [("fitted", "x/(1 + x)", 2), ("third", "1.0", 4)])
def test_orders_of_bursts(scheme, rate, order):
    """Jumps alone: after one expected burst, against the finest grid, averaged to the coarser ones."""

    def density(cells):
        space = AugmentedSpace(x=Continuum(8.0, cells, boundary=("reflecting", "outflow")))
        system = build_augmented(space, Burst("x", rate, ExponentialJump(0.5)), scheme=scheme)
        start = cell_averages(space["x"], 2.0, 0.3)
        return solve_augmented(system, start, 1.0, tolerance=1e-10).p[-1]

    sizes = np.array([64, 128, 256])
    fine = density(2048)
    errors = [np.abs(density(n) - fine.reshape(n, -1).mean(axis=1)).sum() * 8.0 / n for n in sizes]
    assert slope(sizes, errors) == pytest.approx(order, abs=0.15)


def small_system(scheme="central", rate="1 + 0.5*x"):
    space = AugmentedSpace(x=Continuum(3.0, 12))
    return build_augmented(
        space, Drift("x", "1 - x"), Diffusion("x", 0.05), Burst("x", rate, ExponentialJump(0.4)), scheme=scheme
    )


def exact_exponential(system, p, t):
    """Through eigenvalues of the full matrix: none of the code under test."""
    values, vectors = np.linalg.eig(system.matrix().toarray())
    return (vectors @ (np.exp(values * t) * np.linalg.solve(vectors, p.astype(complex)))).real


@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_orders_of_implicit_steps(poles):
    system = small_system()
    start = system.space.density("exp(-4*(x - 1.5)**2)").ravel()
    terms = system.terms()
    propagator = Propagator(terms, np.zeros((0, terms.n_unknowns)), poles)
    counts, errors = np.array([2, 4, 8]) * (4 if poles < 3 else 1), []
    for count in counts:
        p = start
        for _ in range(count):
            p, _ = propagator.step(p, 0.5 / count)
        errors.append(np.abs(p - exact_exponential(system, start, 0.5)).max())
    assert slope(counts, errors) == pytest.approx(2 * poles - 1, abs=0.45 if poles == 4 else 0.25)


@pytest.mark.parametrize("poles", range(1, 8))
def test_rational_approximations_of_the_exponential(poles):
    """Agreement with e^z near 0, |R| < 1 on the left, R(-inf) = 0."""
    pairs = pade_fractions(poles)

    def r(z):
        value = 0.0
        for pole, rho in pairs:
            if isinstance(pole, float):
                value = value + rho / (pole - z)
            else:
                value = value + 0.5 * rho / (pole - z) + 0.5 * np.conj(rho) / (np.conj(pole) - z)
        return value

    assert abs(r(0.0 + 0.0j) - 1.0) < 5e-14
    if poles <= 4:  # the first term that is missing; with more poles it drowns in rounding
        k, z = poles, 0.02 if poles < 3 else 0.1
        first = factorial(k) * factorial(k - 1) / (factorial(2 * k - 1) * factorial(2 * k)) * z ** (2 * k)
        assert abs(r(z + 0.0j) - np.exp(z)) == pytest.approx(first, rel=0.25)
    left = -np.logspace(-2, 6, 40)[:, None] + 1j * np.linspace(-1e3, 1e3, 41)
    assert np.abs(r(left)).max() < 1.0 + 1e-12
    assert abs(r(-1e12)) < 1e-8


def test_orders_with_rates_that_vary_in_time():
    system = small_system(rate="(1 + 0.5*x)*(1 + sin(3*t))")
    start = system.space.density("exp(-4*(x - 1.5)**2)").ravel()
    stepper = Implicit(system, 4, None)
    stepper.begin(0.0, 1.0)
    assert stepper.varying

    def solve(count):
        p, h = start, 1.0 / count
        for i in range(count):
            p, _ = stepper.step(p, i * h, h)
        return p

    reference, counts = solve(512), np.array([8, 16])
    errors = [np.abs(solve(n) - reference).max() for n in counts]
    assert slope(counts, errors) == pytest.approx(2.0, abs=0.1)
    # Controlled steps are extrapolated: their error is far below what the estimate of the plain rule says.
    solution = solve_augmented(system, start.reshape(system.space.shape), 1.0, poles=4, tolerance=1e-3, max_leak=1.0)
    error = np.abs(solution.p[-1].ravel() - reference).sum() * system.space.volume
    assert error < 0.1 * solution.time_error[-1] < 1e-4 < solution.time_error[-1] * 1e4


def varying_rate():
    return "(1 + 0.5*x)*(1 + sin(3*t))"


@functools.cache
def integrate_by_scipy(rate):
    """An eighth-order method of SciPy on the full matrix."""
    system = small_system("fitted", rate)
    start = system.space.density("exp(-4*(x - 1.5)**2)").ravel()
    done = integrate.solve_ivp(lambda t, p: system.matrix(t) @ p, (0, 0.25), start, "DOP853", rtol=1e-10, atol=1e-12)
    return done.y[:, -1]


@pytest.mark.parametrize(
    "method",
    always(
        3, ["euler", "ssprk(2,2)", "ssprk(5,2)", "ssprk(10,2)", "ssprk(3,3)", "ssprk(4,3)", "ssprk(9,3)", "ssprk(16,3)"]
    ),
)
@pytest.mark.parametrize("varying", [False, True])
def test_orders_of_explicit_steps(method, varying):
    system = small_system("fitted", varying_rate() if varying else "1 + 0.5*x")
    runge_kutta = find_method(method)
    start = system.space.density("exp(-4*(x - 1.5)**2)").ravel()

    def operator(t):
        return Operator(system, system.terms(t), np.zeros((2, system.terms(t).n_unknowns)))

    constant = None if varying else operator(0.0)

    def solve(count, rule=runge_kutta):
        p, h = start, 0.25 / count
        for i in range(count):
            p, *_ = rule.step(operator if varying else (lambda t: constant), p, i * h, h)
        return p

    exact = exact_exponential(system, start, 0.25) if not varying else integrate_by_scipy(varying_rate())
    counts = np.array([16, 32, 64]) if runge_kutta.order == 1 else np.array([8, 16])
    errors = [np.abs(solve(n) - exact).max() for n in counts]
    # With a whole step and many stages an error of the next order is still in sight.
    assert slope(counts, errors) == pytest.approx(runge_kutta.order, abs=0.3)


@pytest.mark.parametrize("stages", [2, 3, 5, 10])
def test_ssp_coefficients_of_second_order(stages):
    """On q' = -q a forward Euler step keeps the sign up to 1, and the method up to C = s - 1 and not much beyond."""
    method = find_method(f"ssprk({stages},2)")
    assert method.coefficient == stages - 1 and method.stages == stages

    def growth(nu):
        q, kept = 1.0, None
        low = 1.0
        for code, value in method.lines:
            if code == 0:
                q *= 1 - nu * value
                low = min(low, q)
            elif code == 1:
                kept = q
            else:
                q = value * kept + (1 - value) * q
        return low

    assert growth(method.coefficient) >= -1e-15
    assert growth(method.coefficient * 1.01) < 0


@pytest.mark.parametrize("name", ["ssprk(1,3)", "ssprk(5,3)", "ssprk(2,4)", "rk4", "ssprk(1,2)"])
def test_unknown_methods_are_named(name):
    with pytest.raises(ParameterError, match="stages"):
        find_method(name)


@pytest.mark.parametrize(
    ("limiter", "values"),
    [
        (lambda a, b: minmod(a, b, 1.0), [0.0, 1.0, 1.0, 0.0, -1.0, 1.0]),
        (lambda a, b: minmod(a, b, 2.0), [0.0, 1.0, 1.5, 0.0, -1.5, 2.0]),
        (van_leer, [0.0, 1.0, 4.0 / 3.0, 0.0, -4.0 / 3.0, 5.0 / 3.0]),
        (monotonized_central, [0.0, 1.0, 1.5, 0.0, -1.5, 2.0]),
        (superbee, [0.0, 1.0, 2.0, 0.0, -2.0, 2.0]),
    ],
)
def test_limiters_at_known_slopes(limiter, values):
    pairs = [(-1.0, 2.0), (1.0, 1.0), (1.0, 2.0), (0.0, 3.0), (-2.0, -1.0), (1.0, 5.0)]
    assert [limiter(a, b) for a, b in pairs] == pytest.approx(values)
    rng = np.random.default_rng(1)
    for a, b in rng.normal(size=(200, 2)):
        s = limiter(a, b)
        assert s == pytest.approx(limiter(b, a)) and limiter(-a, -b) == pytest.approx(-s)
        if a * b <= 0:
            assert s == 0.0
        else:  # Sweby's region: between 0 and twice the smaller, and 2nd order needs at least the smaller
            low, high = min(abs(a), abs(b)), max(abs(a), abs(b))
            assert low - 1e-12 <= abs(s) <= min(2 * low, high) + 1e-12


@pytest.mark.parametrize(
    "scheme", [LimitedScheme("minmod", 1.0), "minmod", LimitedScheme("minmod", 2.0), "van_leer", "mc", "superbee"]
)
def test_limited_schemes_make_no_new_extrema(scheme, scaled):
    """A block carried along stays between 0 and 1, keeps its mass, and its total variation does not grow."""
    space = AugmentedSpace(x=Continuum(2.0, scaled(100, 40)))
    system = build_augmented(space, Drift("x", "1"), scheme=scheme)
    start = space.density("0.4 < x and x < 0.9", mass=None)
    solution = solve_augmented(system, start, np.linspace(0.1, 0.8, 8), method="ssprk(3,3)", max_leak=1.0)
    variation = np.abs(np.diff(solution.p, axis=1)).sum(axis=1)
    assert solution.p.min() >= -1e-14 and solution.p.max() <= 1 + 1e-12
    assert np.all(np.diff(variation) <= 1e-12) and variation[0] <= 2 + 1e-12
    assert solution.balance_error < 1e-13
    assert 0 < solution.limited < 0.9


def test_third_order_overshoots_where_a_limiter_does_not():
    space = AugmentedSpace(x=Continuum(2.0, 100))
    start = space.density("0.4 < x and x < 0.9", mass=None)
    solution = solve_augmented(build_augmented(space, Drift("x", "1")), start, 0.5)
    assert solution.p.max() > 1.01 and solution.most_negative < -0.01


def lax_wendroff_like(p, v, d_faces, d_centres, dx):
    """A user's scheme in NumPy: upwind, corrected by a harmonic mean of the slopes (van Leer), no diffusion."""
    left, right = p[..., :-1], p[..., 1:]
    step = np.diff(p, axis=-1)
    before, after = step[..., :-1], step[..., 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(before * after > 0, 2 * before * after / (before + after), 0.0)
    slope = np.concatenate([np.zeros_like(p[..., :1]), slope, np.zeros_like(p[..., :1])], axis=-1)
    velocity = v[..., 1:-1]
    from_left, from_right = left + 0.5 * slope[..., :-1], right - 0.5 * slope[..., 1:]
    return np.where(velocity > 0, velocity * from_left, velocity * from_right)


def test_a_users_flux_scheme_is_the_built_in_one():
    """Twenty lines of NumPy give what the kernel gives, to rounding."""
    space = AugmentedSpace(x=Continuum(6.0, 60))
    start = cell_averages(space["x"], 4.0, 0.4)
    solutions = []
    for scheme in (FluxScheme("mine", lax_wendroff_like, 2), "van_leer"):
        system = build_augmented(space, Drift("x", "-(x - 2.5)"), scheme=scheme)
        solutions.append(solve_augmented(system, start, 0.5, method="ssprk(3,3)").p[-1])
    assert np.abs(solutions[0] - solutions[1]).max() < 1e-13


def test_a_users_linear_scheme_reaches_its_order():
    """Second-order upwind (Fromm's cousin) in a few lines, implicit, order 2 fitted."""

    def second_order_upwind(v, d_faces, d_centres, dx):
        v = v[..., 1:-1]
        c = np.zeros((4, *v.shape))
        up, down = np.maximum(v, 0.0), np.minimum(v, 0.0)
        inner = slice(1, -1)  # the end faces have no second cell upstream: first order there
        c[1], c[2] = up, down
        c[0, ..., inner] -= 0.5 * up[..., inner]
        c[1, ..., inner] += 0.5 * up[..., inner]
        c[2, ..., inner] += 0.5 * down[..., inner]
        c[3, ..., inner] -= 0.5 * down[..., inner]
        return c

    scheme = LinearScheme("second", second_order_upwind, 2)
    sizes = np.array([120, 240, 480])
    assert slope(sizes, [relaxation_error(n, scheme, 0.0) for n in sizes]) == pytest.approx(2.0, abs=0.1)


def test_stable_steps_are_sharp():
    """Von Neumann: at the limit no wave grows on a periodic grid, a little above one does."""
    n = 64
    for name, method in [
        ("third", "ssprk(4,3)"),
        ("upwind", "euler"),
        ("upwind", "ssprk(3,3)"),
        ("third", "ssprk(3,3)"),
    ]:
        scheme, rule = SCHEMES[name], find_method(method)
        c = scheme.coefficients(np.ones(n + 1), 0.0, 0.0, 1.0)[:, n // 2]
        matrix = np.zeros((n, n))
        for i in range(n):
            for m in range(4):
                matrix[i, (i - 1 + m) % n] -= c[m]
                matrix[i, (i - 2 + m) % n] += c[m]
        eigenvalues = np.linalg.eigvals(matrix)

        def growth(nu, eigenvalues=eigenvalues, rule=rule):
            q, kept = np.ones_like(eigenvalues), None
            for code, value in rule.lines:
                if code == 0:
                    q = q * (1 + nu * value * eigenvalues)
                elif code == 1:
                    kept = q
                else:
                    q = value * kept + (1 - value) * q
            return np.abs(q).max()

        assert growth(stability_limit(scheme, rule)) <= 1 + 1e-8
    assert stability_limit(SCHEMES["upwind"], find_method("euler")) == pytest.approx(1.0, abs=1e-3)


def test_a_step_above_the_bound_is_an_error():
    space = AugmentedSpace(x=Continuum(2.0, 40))
    system = build_augmented(space, Drift("x", "1"), scheme="upwind")
    start = space.density("exp(-50*(x - 0.5)**2)")
    solution = solve_augmented(system, start, 0.2, method="euler")
    assert solution.stable_step == pytest.approx(0.05, rel=1e-3)
    with pytest.raises(StabilityError, match=r"longer than 0\.0[45]"):
        solve_augmented(system, start, 0.2, method="euler", step=0.0502)
    with pytest.raises(StabilityError, match="not stable .* at any step"):
        solve_augmented(build_augmented(space, Drift("x", "1")), start, 0.2, method="euler")


def test_stiff_absorption_costs_few_implicit_steps():
    space = AugmentedSpace(x=Continuum(2.0, 60))
    system = build_augmented(space, Drift("x", "1 - x"), Diffusion("x", 0.1), Burst("x", 1000.0, ExponentialJump(1e-4)))
    solution = solve_augmented(system, space.density(x=0.5), 10.0, max_leak=1.0)
    assert solution.steps < 200
    assert solve_augmented(system, space.density(x=0.5), 0.1, method="ssprk(4,3)").stable_step < 0.002


@pytest.mark.parametrize("method", ["implicit", "adaptive"])
def test_error_control_holds_what_it_promises(method, scaled):
    system = small_system("fitted")
    start = system.space.density("exp(-4*(x - 1.5)**2)")
    exact = exact_exponential(system, start.ravel(), 1.0)
    for tolerance in (1e-3, 1e-5, 1e-7):
        solution = solve_augmented(system, start, 1.0, method=method, tolerance=tolerance, max_leak=1.0)
        error = np.abs(solution.p[-1].ravel() - exact).sum() * system.space.volume
        assert error <= max(solution.time_error[-1], 1e-12) <= 2 * tolerance

"""Fixed points, linear noise, Kramers-Moyal and Fokker-Planck against closed forms and SciPy's own solvers."""

import numpy as np
import pytest
import sympy
from scipy import integrate, linalg, optimize, stats

import acme_lib as acme
from acme_lib import models
from acme_lib.approximate import fokker_planck
from acme_lib.network.symbolic import differentiate
from tests.marks import always


def parse(text, **parameters):
    return acme.ReactionNetwork.parse(text, **parameters)


# --- fixed points -----------------------------------------------------------------------------------------------------


def test_fixed_points_of_schlogl_are_the_roots_of_its_cubic():
    k_1, k_2, k_3, k_4 = 0.03, 1e-4, 200.0, 3.5
    roots = np.sort(np.roots([-k_2 / 6, k_1 / 2, -k_4, k_3]).real)
    points = acme.find_fixed_points(models.schlogl(k_1, k_2, k_3, k_4))
    np.testing.assert_allclose(points.points[:, 0], roots, rtol=1e-9)
    np.testing.assert_allclose(points.eigenvalues[:, 0], np.polyval([-k_2 / 2, k_1, -k_4], roots), rtol=1e-7)
    assert points.stable.tolist() == [True, False, True] and points.reached == 0


def test_fixed_points_keep_conserved_sums_and_name_what_is_odd():
    network = parse("E + S <-> C : a, b\nC -> E + P : c\nP -> S : d", a=1, b=1, c=1, d=0.5)
    points = acme.find_fixed_points(network, {"E": 10, "S": 50})
    assert len(points) == 1
    e, s, c, p = points.points[0]
    assert (e + c, s + c + p) == pytest.approx((10, 50)) and e * s == pytest.approx(2 * c) and p == pytest.approx(2 * c)
    toggle = acme.find_fixed_points(models.toggle_switch())  # from the middle the rate equations stay on the ridge
    assert len(toggle) == 3 and toggle.stable.sum() == 2 and not toggle.stable[toggle.reached]
    assert acme.find_fixed_points(models.sis()).absorbing.tolist() == [True, False]
    with pytest.raises(acme.EquationError, match="not isolated"):
        acme.find_fixed_points(parse("X -> 2 X : b\nX -> 0 : b", b=1), {"X": 3})
    with pytest.raises(acme.EquationError, match="no fixed point"):
        acme.find_fixed_points(parse("0 -> X : k", k=1))


# --- linear noise -----------------------------------------------------------------------------------------------------


def two_stage():
    return models.two_stage(k_m=7, k_p=3, g_m=2, g_p=0.5)


def test_linear_noise_is_exact_for_linear_rates():
    noise = acme.solve_stationary_linear_noise(two_stage())
    m, p, cross = 3.5, 21.0, 7 * 3 / (2 * 2.5)
    np.testing.assert_allclose(noise.means, [m, p], rtol=1e-12)
    np.testing.assert_allclose(noise.covariances, [[m, cross], [cross, p * (1 + 3 / 2.5)]], rtol=1e-12)
    assert noise.trust.exact_moments and noise.trust.moments == "green"
    telegraph = acme.solve_stationary_linear_noise(models.telegraph(0.5, 2.0, 20.0, 1.0), {"OFF": 1})
    law = acme.laws.telegraph(0.5, 2.0, 20.0, 1.0)
    assert telegraph.variance("M") == pytest.approx(law.var(), rel=1e-10)
    later = acme.solve_linear_noise(two_stage(), {"P": 4}, [0.0, 1.5])
    exact = acme.solve_moments(two_stage(), {"P": 4}, [0.0, 1.5])
    np.testing.assert_allclose(later.covariances, exact.covariances, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(later.mean_shifts, 0.0, atol=1e-12)


def test_covariance_solves_the_equation_that_scipy_solves():
    network = models.dimerisation()
    noise = acme.solve_stationary_linear_noise(network)
    k, g, c, d, g_d = 20.0, 1.0, 0.1, 1.0, 0.5
    p, q = noise.means
    rates = np.array([k, g * p, c * p**2 / 2, d * q, g_d * q])
    steps = np.array([[1, 0], [-1, 0], [-2, 1], [2, -1], [0, -1]])
    np.testing.assert_allclose(rates @ steps, 0, atol=1e-9)
    jacobian = np.array([[-g - 2 * c * p, 2 * d], [c * p, -d - g_d]])
    expected = linalg.solve_continuous_lyapunov(jacobian, -np.einsum("j,ji,jk->ik", rates, steps, steps))
    np.testing.assert_allclose(noise.covariances, expected, rtol=1e-9)
    later = acme.solve_linear_noise(network, {}, [0, 60])
    np.testing.assert_allclose(later.covariances[-1], expected, rtol=1e-5)


def test_autocorrelation_and_spectrum_are_those_of_the_two_stage_model():
    g_m, g_p = 2.0, 0.5
    noise = acme.solve_stationary_linear_noise(two_stage())
    lags = np.array([0.0, 0.3, 1.0, 4.0])
    np.testing.assert_allclose(noise.autocorrelation("M", lags), np.exp(-g_m * lags), rtol=1e-10)
    c = noise.covariances
    mixed = c[1, 1] * np.exp(-g_p * lags) + c[0, 1] * 3 / (g_m - g_p) * (np.exp(-g_p * lags) - np.exp(-g_m * lags))
    np.testing.assert_allclose(noise.autocovariance(lags)[:, 1, 1], mixed, rtol=1e-10)
    omega = np.array([0.0, 0.7, 3.0])
    np.testing.assert_allclose(noise.spectrum("M", omega), 2 * g_m * 3.5 / (omega**2 + g_m**2), rtol=1e-10)
    np.testing.assert_allclose(noise.spectrum("P", omega, sided="one"), 2 * noise.spectrum("P", omega), rtol=1e-12)
    power = integrate.quad(lambda w: noise.spectrum("P", w)[0], 0, np.inf)[0]
    assert power / np.pi == pytest.approx(noise.variance("P"), rel=1e-6)  # over both sides, dω/2π
    conserved = acme.solve_stationary_linear_noise(models.telegraph(0.5, 2.0, 20.0, 1.0), {"OFF": 1})
    np.testing.assert_allclose(conserved.autocorrelation("ON", lags), np.exp(-2.5 * lags), rtol=1e-9)
    np.testing.assert_allclose(conserved.spectrum("ON", omega), 2 * 2.5 * 0.16 / (omega**2 + 2.5**2), rtol=1e-9)
    for bad in (lambda: noise.spectrum("M", omega, sided="both"), lambda: noise.autocovariance([-1.0])):
        with pytest.raises(acme.ParameterError):
            bad()


def test_every_stable_state_has_its_noise_and_multistability_is_named():
    noise = acme.solve_stationary_linear_noise(models.schlogl(), {"X": 560})
    assert noise.mean("X") == pytest.approx(566.908, abs=1e-2)
    assert [other.mean("X") for other in noise.others] == pytest.approx([85.490], abs=1e-2)
    assert "2 stable states" in noise.trust.sentence and noise.trust.verdict == "red"
    with pytest.raises(acme.EquationError, match="no fixed point is stable"):
        acme.solve_stationary_linear_noise(parse("X -> 2 X : b\nX -> 0 : d\n0 -> Y : b\nY -> 0 : d", b=2, d=1))
    with pytest.raises(acme.ParameterError, match="symmetric"):
        acme.solve_linear_noise(two_stage(), {}, 1.0, covariance=[[1, 2], [0, 1]])
    spread = acme.solve_linear_noise(two_stage(), {}, [0.0, 0.5], covariance=np.diag([1.0, 0.0]))
    assert spread.variance("M")[1] == pytest.approx(np.exp(-2) + 3.5 * (1 - np.exp(-1)), rel=1e-6)


def test_the_shift_of_the_mean_is_that_of_the_effective_rate_equations():
    network = parse("0 -> X : k\nX -> 0 : g\n2 X -> 0 : c", k=40.0, g=1.0, c=0.1)
    shift = acme.solve_linear_noise(network, {"X": 15}, [0, 50]).mean_shifts[-1, 0]
    p = acme.solve_stationary(
        acme.build_generator(network, acme.StateSpace.box(network, X=80), boundary="reflecting")
    ).mean("X")
    phi = acme.solve_stationary_linear_noise(network).mean("X")
    assert shift == pytest.approx(p - phi, rel=0.1) and abs(p - phi) > 0.02


# --- Kramers-Moyal and Fokker-Planck ----------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0.05, 0.3, 2.0, 10.0, 1e4])
def test_birth_and_death_have_a_shifted_gamma_density(k):
    """EQUATIONS.md: p(x) ∝ (k + γx)^(4k/γ - 1) e^(-2x) above -k/γ."""
    gamma = 1.7
    density = acme.solve_stationary_fokker_planck(models.birth_death(k=k * gamma, g=gamma))
    exact = stats.gamma(4 * k, loc=-k, scale=0.5)
    assert density.boundary == pytest.approx(-k, rel=1e-9)
    assert density.mass_below_zero == pytest.approx(exact.cdf(0), rel=1e-6, abs=1e-20)
    assert (density.mean(), density.variance()) == pytest.approx((k, k), rel=1e-9)
    assert density.skewness() == pytest.approx(k**-0.5, rel=1e-8)
    x = np.linspace(max(-0.9 * k, k - 5 * k**0.5), k + 6 * k**0.5, 40)
    np.testing.assert_allclose(density.cdf(x), exact.cdf(x), atol=1e-8)
    np.testing.assert_allclose(density.pdf(x), exact.pdf(x), rtol=2e-4, atol=1e-9)
    assert density.error < 1e-8
    assert density.cdf(-k - 1) == 0 and density.pdf(-k - 1) == 0


def test_schlogl_keeps_both_modes():
    network = models.schlogl()
    density = acme.solve_stationary_fokker_planck(network)
    drift = lambda x: 200 - 3.5 * x + 0.015 * x * (x - 1) - 1e-4 / 6 * x * (x - 1) * (x - 2)  # noqa: E731
    noise = lambda x: 200 + 3.5 * x + 0.015 * x * (x - 1) + 1e-4 / 6 * x * (x - 1) * (x - 2)  # noqa: E731
    inner, _ = integrate.quad(lambda x: 2 * drift(x) / noise(x), 85, 560, limit=200)
    assert density.pdf(560) / density.pdf(85) == pytest.approx(noise(85) / noise(560) * np.exp(inner), rel=1e-3)
    assert density.trust.verdict == "amber" and "2 stable" in density.trust.sentence
    p = acme.solve_stationary(
        acme.build_generator(network, acme.StateSpace.box(network, X=1000), boundary="reflecting")
    )
    assert density.mean("X") == pytest.approx(p.mean("X"), rel=1e-3)


def test_coefficients_are_the_moments_of_the_jumps():
    network = parse("0 -> 3 X : a\nX -> 0 : b\n2 X -> X : c", a=2.0, b=0.5, c=0.3)
    x = np.array([0.0, 4.0, 9.0])
    values = acme.expand_kramers_moyal(network, 4).evaluate(x)
    rates, steps = np.stack([2.0 + 0 * x, 0.5 * x, 0.15 * x * (x - 1)]), np.array([3, -1, -1])
    np.testing.assert_allclose(values, [steps**m @ rates for m in (1, 2, 3, 4)], rtol=1e-12)
    text = str(acme.expand_kramers_moyal(models.birth_death(), 3))
    assert text.splitlines()[-1] == "    - 1/6 d^3/dM^3 [(k - g*M) p]"
    assert (
        r"\frac{1}{6} \frac{\partial^{3}}{\partial M^{3}}" in acme.expand_kramers_moyal(models.birth_death(), 3).latex()
    )
    with pytest.raises(acme.EquationError, match="2 species"):
        acme.expand_kramers_moyal(two_stage())
    with pytest.raises(acme.ParameterError, match="order"):
        acme.expand_kramers_moyal(models.birth_death(), 0)


def test_densities_that_do_not_exist_are_refused():
    for network in (models.sis(), models.logistic()):
        with pytest.raises(acme.EquationError, match="no stationary density can be normalised"):
            acme.solve_stationary_fokker_planck(network)
    with pytest.raises(acme.EquationError, match="without noise"):
        acme.solve_stationary_fokker_planck(models.birth_death(), -10.0)
    with pytest.raises(acme.ParameterError, match="takes x0 in place of start: write x0=2"):
        acme.solve_stationary_fokker_planck(models.birth_death(), start=2)
    for old in ("rtol", "atol"):
        with pytest.raises(acme.ParameterError, match=f"solve_linear_noise takes tolerance in place of {old}"):
            acme.solve_linear_noise(models.birth_death(), {}, 1.0, **{old: 1e-6})
        with pytest.raises(acme.ParameterError, match=f"solve_moments takes tolerance in place of {old}"):
            acme.solve_moments(models.birth_death(), {}, 1.0, **{old: 1e-6})
    for solve in (acme.solve_linear_noise, acme.solve_moments):
        with pytest.raises(acme.ParameterError, match="tolerance must be a number above 0 and below 1, got -1"):
            solve(models.birth_death(), {}, 1.0, tolerance=-1)
        with pytest.raises(acme.ParameterError, match="t must be 0 or later: everything starts at time 0"):
            solve(models.birth_death(), {}, [-1.0, 1.0])
        later = solve(models.birth_death(k=10, g=1), {}, [1.0, 2.0])  # also the first time is some time after the start
        np.testing.assert_allclose(later.mean("M"), 10 * -np.expm1([-1.0, -2.0]), rtol=1e-6)
        assert solve(models.birth_death(k=10, g=1), {}, 3.0).times.tolist() == [3.0]

    with pytest.raises(acme.ParameterError, match="no species|not a species"):
        acme.solve_stationary_fokker_planck(models.birth_death()).mean("X")
    text = repr(acme.solve_stationary_fokker_planck(models.birth_death(k=2)))
    assert "mass below zero 0.05" in text
    assert "natural boundary" in acme.solve_stationary_fokker_planck(models.birth_death())._repr_html_()


def test_the_primitive_of_a_panel_is_exact_for_polynomials():
    x = fokker_planck._NODES
    np.testing.assert_allclose(fokker_planck._PRIMITIVE @ x**7, (x**8 - 1) / 8, atol=1e-14)


@pytest.mark.parametrize("n", always(2, [0.5, 0.8, 1, 1.5, 2, 3.3]))
def test_any_power_has_its_slope_from_nothing(n):
    """Two genes that repress each other, written with powers of a ratio: the derivative at no molecules has a value."""
    text = "0 => U : a/(1 + (V/K)^n)\n0 => V : a/(1 + (U/K)^n)\nU -> 0 : g\nV -> 0 : g"
    network = parse(text, a=9.0, K=3.0, n=n, g=1.0)
    middle = optimize.brentq(lambda u: 9.0 / (1 + (u / 3.0) ** n) - u, 0.0, 9.0, xtol=1e-14)
    points = acme.find_fixed_points(network)
    np.testing.assert_allclose(points.points[points.reached], [middle, middle], rtol=1e-9)
    slope = -9.0 * n / 3.0 * (middle / 3.0) ** (n - 1) / (1 + (middle / 3.0) ** n) ** 2
    around = acme.solve_stationary_linear_noise(network, {"U": 5, "V": 5})
    at = np.ravel(around.means)
    if abs(slope) < 1:  # the middle is stable: -1 ± slope are the eigenvalues
        np.testing.assert_allclose(at, [middle, middle], rtol=1e-9)
        total, difference = middle / (1 - slope), middle / (1 + slope)  # variances of the two modes, halved
        np.testing.assert_allclose(around.variance("U"), (total + difference) / 2, rtol=1e-8)
    jacobian, _ = network.linear_noise().evaluate([0.0, 0.0])
    expected = -9.0 * n / 3.0 * 0.0 ** (n - 1) if n >= 1 else -np.inf
    assert jacobian[0, 1] == pytest.approx(expected, rel=1e-12)
    later = acme.solve_linear_noise(network, {}, [40.0])
    assert np.all(np.isfinite(later.covariances)) and later.mean("U")[0] == pytest.approx(middle, rel=1e-5)
    assert np.isfinite(acme.solve_moments(network, {}, [5.0], closure="normal").mean("U")[0])


def test_derivatives_are_those_of_differences():
    """Powers, products, conditions and functions, by the chain rule of `differentiate`."""
    x, y, n = (sympy.Symbol(name, real=True) for name in "xyn")
    for text in [
        "(x/y)**n*exp(-x*y)",
        "sqrt(x**n + 1)/(1 + x**2)",
        "x**y",
        "sin(x*y)**3",
        "log(1 + x)**n",
        "tanh(x/y)",
    ]:
        f = sympy.sympify(text, {"x": x, "y": y, "n": n})
        f = sympy.Piecewise((f, x > y), (f**2, True))
        values = sympy.lambdify([x, y, n], [f, differentiate(f, x), differentiate(f, y)])
        for at in ([0.7, 1.3, 2.5], [2.1, 0.4, 0.5]):
            _, by_x, by_y = values(*at)
            h = 1e-6
            for i, found in ((0, by_x), (1, by_y)):
                up, down = list(at), list(at)
                up[i], down[i] = at[i] + h, at[i] - h
                assert found == pytest.approx((values(*up)[0] - values(*down)[0]) / (2 * h), rel=1e-6, abs=1e-9)

"""Moment equations: exact where they close, closures against hand-made ones and the master equation, refusals."""

import time

import numpy as np
import pytest
import sympy
from scipy import integrate, stats

import acme_lib as acme
from acme_lib import models
from acme_lib.approximate import CentralMomentEquations
from acme_lib.approximate import moments as moments_module

CLOSURES = ("normal", "log-normal", "zero-cumulant")


def parse(text, **parameters):
    return acme.ReactionNetwork.parse(text, **parameters)


def central(p, *powers):
    """A central moment of a joint law given as an array."""
    axes = np.indices(p.shape)
    means = [(p * axis).sum() for axis in axes]
    return (p * np.prod([(axis - m) ** e for axis, m, e in zip(axes, means, powers, strict=True)], axis=0)).sum()


def stationary_joint(network, *names, x0=None, **largest):
    space = acme.StateSpace.box(network, **largest)
    law = acme.solve_stationary(acme.build_generator(network, space, boundary="reflecting"), x0=x0)
    return law.marginal(*names)


# --- closed equations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_cumulants_of_a_poisson_law_are_its_mean(order):
    k = 7.5
    moments = acme.solve_stationary_moments(models.birth_death(k=k, g=1), order=order)
    expected = {2: k, 3: k, 4: k + 3 * k**2, 5: k + 10 * k**2}
    for power in range(2, order + 1):
        assert moments.central_moment(M=power) == pytest.approx(expected[power], rel=1e-9)
    assert moments.closure is None and moments.equations.closed
    assert moments.residual < 1e-12


def test_two_stage_has_its_closed_forms_and_the_skewness_of_the_master_equation():
    k_m, k_p, g_m, g_p = 4.0, 2.0, 1.0, 0.5
    network = models.two_stage(k_m, k_p, g_m, g_p)
    moments = acme.solve_stationary_moments(network, order=3)
    exact = acme.laws.two_stage_moments(k_m, k_p, g_m, g_p)
    assert moments.mean("P") == pytest.approx(k_m * k_p / (g_m * g_p), rel=1e-10)
    assert moments.fano_factor("P") == pytest.approx(1 + k_p / (g_m + g_p), rel=1e-10)
    assert moments.covariance("M", "P") == pytest.approx(k_m * k_p / (g_m * (g_m + g_p)), rel=1e-10)
    assert moments.fano_factor("M") == pytest.approx(exact.fano_m, rel=1e-10)
    p = stationary_joint(network, "M", "P", M=25, P=90)
    assert moments.skewness("P") == pytest.approx(central(p, 0, 3) / central(p, 0, 2) ** 1.5, rel=1e-7)
    assert moments.central_moment(M=1, P=2) == pytest.approx(central(p, 1, 2), rel=1e-7)


@pytest.mark.parametrize(("k_on", "k_off", "s"), [(0.05, 0.05, 40), (0.5, 5, 50), (3, 2, 8)])
def test_telegraph_moments_are_those_of_its_law(k_on, k_off, s):
    network = models.telegraph(k_on=k_on, k_off=k_off, s=s, g=1.0)
    moments = acme.solve_stationary_moments(network, {"OFF": 1}, 4)
    law = acme.laws.telegraph(k_on, k_off, s, 1.0)
    n = np.arange(400)
    p = law.pmf(n)
    third, fourth = (p @ (n - law.mean()) ** power for power in (3, 4))
    assert moments.mean("M") == pytest.approx(law.mean(), rel=1e-9)
    assert moments.variance("M") == pytest.approx(law.var(), rel=1e-8)
    assert moments.skewness("M") == pytest.approx(third / law.var() ** 1.5, rel=1e-7)
    assert moments.kurtosis("M") == pytest.approx(fourth / law.var() ** 2, rel=1e-7)
    # The gene is one of two: OFF was eliminated and comes back.
    on = k_on / (k_on + k_off)
    assert moments.mean("OFF") == pytest.approx(1 - on, rel=1e-10)
    assert moments.covariance("OFF", "ON") == pytest.approx(-on * (1 - on), rel=1e-9)
    assert moments.skewness("OFF") == pytest.approx(-moments.skewness("ON"), abs=1e-6)
    assert moments.equations.kept == (1, 2)


@pytest.mark.parametrize("order", [2, 3])
def test_moments_in_time_are_those_of_the_master_equation(order):
    network, t = models.telegraph(k_on=0.7, k_off=1.1, s=6.0, g=1.3), 0.9
    space = acme.StateSpace.box(network, OFF=1, ON=1, M=40)
    generator = acme.build_generator(network, space, boundary="absorbing")
    law = acme.solve_transient(generator, {"ON": 1, "M": 3}, [t], tolerance=1e-13)
    moments = acme.solve_moments(network, {"ON": 1, "M": 3}, [0.0, t], order)
    assert moments.mean("M")[1] == pytest.approx(law.mean("M")[0], rel=1e-7)
    assert moments.covariance("ON", "M")[1] == pytest.approx(law.covariance("ON", "M")[0], rel=1e-6)
    if order == 3:
        p = law.marginal("M")[0]
        assert moments.skewness("M")[1] == pytest.approx(central(p, 3) / central(p, 2) ** 1.5, rel=1e-6)
    else:
        assert np.isnan(moments.skewness("M")[1])  # exact equations of order 2 do not say
    assert moments.variance("M")[0] == 0 and moments.times[1] == t


def test_rates_that_depend_on_time():
    network, t = parse("0 => M : k*(1 + cos(t))\nM -> 0 : g", k=4, g=1.5), 2.0
    moments = acme.solve_moments(network, {}, t, 3)
    # From nothing the law stays Poisson; its mean solves m' = k (1 + cos t) - g m.
    exact = 4 / 1.5 * (1 - np.exp(-1.5 * t)) + 4 * (1.5 * np.cos(t) + np.sin(t) - 1.5 * np.exp(-1.5 * t)) / (1 + 1.5**2)
    assert moments.mean("M")[-1] == pytest.approx(exact, rel=1e-7)
    assert moments.skewness("M")[-1] == pytest.approx(exact**-0.5, rel=1e-6)
    with pytest.raises(acme.EquationError, match="depends on the time"):
        acme.solve_stationary_moments(network)


# --- closures ---------------------------------------------------------------------------------------------------------


def by_hand(closure, k, g, c):
    """0 -> X: k, X -> 0: g, 2 X -> 0: c by hand, in raw moments; returns the stationary mean and variance."""

    def third(m, s):  # <x^3> by the closure, of mean m and <x^2> = s
        v = s - m**2
        return (s / m) ** 3 if closure == "log-normal" else m**3 + 3 * m * v

    def slope(_, y):
        m, s = y
        x3 = third(m, s)
        pairs = (s - m) / 2
        return [
            k - g * m - 2 * c * pairs,
            k * (2 * m + 1) + g * (m - 2 * s) + c * ((-4 * x3 + 4 * s) / 2 + (4 * s - 4 * m) / 2),
        ]

    m, s = integrate.solve_ivp(slope, (0, 60), [k, k**2 + k], rtol=1e-11, atol=1e-11, method="LSODA").y[:, -1]
    return m, s - m**2


@pytest.mark.parametrize("closure", CLOSURES)
def test_closures_of_second_order_are_those_made_by_hand(closure):
    k, g, c = 20.0, 1.0, 0.3
    network = parse("0 -> X : k\nX -> 0 : g\n2 X -> 0 : c", k=k, g=g, c=c)
    moments = acme.solve_stationary_moments(network, closure=closure)
    np.testing.assert_allclose([moments.mean("X"), moments.variance("X")], by_hand(closure, k, g, c), rtol=1e-7)
    later = acme.solve_moments(network, {"X": 20}, [0, 60], closure=closure)
    assert later.mean("X")[-1] == pytest.approx(moments.mean("X"), rel=1e-6)
    p = stationary_joint(network, "X", X=60)
    assert moments.mean("X") == pytest.approx(p @ np.arange(61), rel=1e-2)


def test_the_closed_moments_are_those_of_the_law_that_is_assumed():
    """A bivariate log-normal and a bivariate normal law, their moments by independent formulas."""
    network = parse("0 -> A : k\n0 -> B : k\nA + B -> 0 : c\nA -> 0 : g\nB -> 0 : g", k=5, c=0.2, g=1)
    mean, covariance = np.array([4.0, 7.0]), np.array([[3.0, 1.2], [1.2, 5.0]])
    sigma = np.log1p(covariance / np.outer(mean, mean))
    mu = np.log(mean) - np.diag(sigma) / 2

    def raw(a, b):
        e = np.array([a, b])
        return np.exp(e @ mu + e @ sigma @ e / 2)

    expected = raw(2, 1) - mean[1] * raw(2, 0) - 2 * mean[0] * (raw(1, 1) - mean[0] * mean[1])
    for closure, value in (("log-normal", expected), ("normal", 0.0)):
        equations = CentralMomentEquations.of(network, 2, closure)
        z = np.array([4.0, 7.0, 3.0, 1.2, 5.0])
        exponents, third = equations.third_moments(z, [])
        assert third[exponents.index((2, 1))] == pytest.approx(value, rel=1e-10, abs=1e-12)
    # Of order 4: the sixth moment of a normal law, and that of a law with the cumulants 3 and 4 that are given.
    from acme_lib.approximate.central_moments import _close, _moment_symbol

    values = {_moment_symbol(["X"], (k,)): v for k, v in ((2, 2.0), (3, 0.7), (4, 12.9))}
    assert float(_close((6,), 4, "normal", [], ["X"]).subs(values)) == pytest.approx(15 * 2.0**3)
    k3, k4 = 0.7, 12.9 - 3 * 2.0**2
    sixth = 15 * 2.0**3 + 10 * k3**2 + 15 * k4 * 2.0  # with the fifth and sixth cumulants zero
    assert float(_close((6,), 4, "zero-cumulant", [], ["X"]).subs(values)) == pytest.approx(sixth)


def test_zero_cumulants_of_higher_order_come_closer():
    network = models.schlogl(k_3=300.0)  # one mode
    p = stationary_joint(network, "X", X=1000)
    exact = central(p, 2)
    errors = [
        abs(acme.solve_stationary_moments(network, order=order, closure="zero-cumulant").variance("X") / exact - 1)
        for order in (2, 3, 4)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 2e-3


def test_detailed_balance_of_dimers_is_what_a_poisson_closure_would_have():
    network = models.dimerisation(k=20, g=1, c=0.1, d=1, g_d=0)
    p = stationary_joint(network, "P", "D", P=60, D=60)
    assert central(p, 2, 0) == pytest.approx(20, rel=1e-6)
    moments = acme.solve_stationary_moments(network, order=3, closure="zero-cumulant")
    assert moments.mean("P") == pytest.approx(20, rel=1e-3)
    assert moments.mean("D") == pytest.approx(20, rel=3e-3)
    assert moments.variance("P") == pytest.approx(20, rel=2e-2)


def test_rates_that_are_no_polynomials_stand_as_taylor_polynomials():
    network = parse("0 => P : hillr(P, a, K, n)\nP -> 0 : g", a=100, K=20, n=2, g=1)
    p = stationary_joint(network, "P", P=120)
    moments = acme.solve_stationary_moments(network, closure="normal")
    assert moments.equations.taylor and not moments.equations.closed
    assert moments.mean("P") == pytest.approx(p @ np.arange(121), rel=1e-3)
    assert moments.variance("P") == pytest.approx(central(p, 2), rel=1e-2)
    started = acme.solve_moments(network, {}, [0, 20], closure="normal")  # from nothing, where powers have no slope
    assert started.mean("P")[-1] == pytest.approx(moments.mean("P"), rel=1e-5)


# --- what is refused, and said ----------------------------------------------------------------------------------------


def test_equations_that_do_not_close_ask_for_a_closure():
    with pytest.raises(acme.EquationError, match=r"order 2 are not closed: they need <dP\^3>.*closure="):
        acme.solve_stationary_moments(models.dimerisation())
    with pytest.raises(acme.ParameterError, match="closure must be None or one of 'normal'"):
        acme.solve_stationary_moments(models.dimerisation(), closure="gaussian")
    for order in (1, 2.0, True):
        with pytest.raises(acme.ParameterError, match="order must be a whole number of at least 2"):
            acme.solve_stationary_moments(models.birth_death(), order=order)
    with pytest.raises(acme.EquationError, match="more than 400"):
        acme.solve_stationary_moments(models.two_stage(), order=40)
    network = parse("0 => A : f(A)\nA -> 0 : g", f=lambda a: 5.0 / (1.0 + a), g=1)
    with pytest.raises(acme.EquationError, match="no derivative that can be written"):
        CentralMomentEquations.of(network, 2, "normal")


def test_several_stationary_solutions_are_named():
    moments = acme.solve_stationary_moments(models.schlogl(), closure="zero-cumulant", order=3)
    assert len(moments.others) == 1
    assert "2 stationary solutions" in moments.trust.sentence
    assert moments.trust.verdict == "red"
    assert abs(moments.mean("X") - moments.others[0].mean("X")) > 300


def test_moments_of_no_law_are_an_error_and_not_a_result():
    network = models.toggle_switch()
    with pytest.raises(acme.EquationError, match="no stationary solution that could be the moments of a law.*from U="):
        acme.solve_stationary_moments(network, order=4, closure="normal")
    problems = moments_module._problems(
        CentralMomentEquations.of(models.birth_death(), 4, None),
        np.array([[-1.0, -2.0, 0.0, 1.0]]),
        np.array([[-1.0]]),
        np.array([[[-2.0]]]),
    )
    assert any("mean of M falls to -1" in p for p in problems) and any(
        "variance of M falls to -2" in p for p in problems
    )
    squeezed = moments_module._problems(  # kurtosis 1.2, skewness 1: no law has them
        CentralMomentEquations.of(models.birth_death(), 4, None),
        np.array([[9.0, 1.0, 1.0, 1.2]]),
        np.array([[9.0]]),
        np.array([[[1.0]]]),
    )
    assert squeezed == ["skewness and kurtosis of M are those of no law"]
    with pytest.raises(acme.AcmeError, match="cannot be continued beyond about t="):
        acme.solve_moments(parse("2 X -> 3 X : c", c=1.0), {"X": 5}, [0, 50], closure="normal")


def test_what_is_displayed_is_what_is_computed():
    equations = CentralMomentEquations.of(models.dimerisation(), 2, "normal")
    assert str(equations).splitlines()[0] == "d/dt <P> = k + 2*d*<D> + c*<P> - g*<P> - c*<P>**2 - c*<dP^2>"
    assert "<dP^2 dD> = 0" in str(equations).splitlines()
    assert r"\langle \delta P\,\delta D \rangle" in equations._repr_markdown_()
    assert (
        "follow from conservation: OFF + ON = const" in CentralMomentEquations.of(models.telegraph(), 2, None)._note()
    )
    z, values = np.array([10.0, 5.0, 9.0, -1.0, 4.0]), models.dimerisation().parameters
    names = {s: v for s, v in zip(equations.variables, z, strict=True)} | dict.fromkeys(equations.closures, 0.0)
    shown = [
        float(rate.subs(names | {sympy.Symbol(k, real=True): v for k, v in values.items()})) for rate in equations.rates
    ]
    np.testing.assert_allclose(equations.evaluate(z, []), shown, rtol=1e-12)


def test_results_read_well():
    moments = acme.solve_stationary_moments(models.two_stage())
    assert repr(moments).startswith("Moments to order 2, closed (stationary): M 10 ± 3.16, P 100")
    assert "<table>" in moments._repr_html_() and "exact" in moments._repr_html_()
    with pytest.raises(ValueError, match="read-only"):
        moments.means[0] = 1
    for ask in (lambda: moments.mean("X"), lambda: moments.central_moment(M=3), lambda: moments.kurtosis("M")):
        with pytest.raises(acme.ParameterError):
            ask()


@pytest.mark.jit
def test_a_change_of_a_parameter_derives_nothing(monkeypatch):
    """Fast enough for a slider: the symbols are done once; here it is the derivation that must not run again."""
    acme.solve_stationary_moments(models.dimerisation(k=20), closure="log-normal")

    def fail(*_):
        raise AssertionError("derived again")

    monkeypatch.setattr(CentralMomentEquations, "of", fail)
    start = time.process_time()
    moments = acme.solve_stationary_moments(models.dimerisation(k=21), closure="log-normal")
    assert time.process_time() - start < 1.0  # 0.03 s here; the bound only catches a derivation
    assert moments.mean("P") > 13.75


def test_a_normal_law_is_what_the_normal_closure_gives():
    assert moments_module._isserlis((0, 0, 1, 1), np.array([[2.0, 0.5], [0.5, 3.0]]), {}) == pytest.approx(
        2 * 3 + 2 * 0.25
    )
    x = stats.norm(0, np.sqrt(2.0)).moment(6)
    assert moments_module._isserlis((0,) * 6, np.array([[2.0]]), {}) == pytest.approx(x)

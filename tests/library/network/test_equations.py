"""The displayed equations, evaluated, against computations that do not know them."""

import itertools
import re

import numpy as np
import pytest
import sympy
from scipy import linalg
from scipy.integrate import solve_ivp

import acme_lib as acme

parse = acme.ReactionNetwork.parse


def two_stage(k_m=3.0, k_p=2.0, g_m=1.0, g_p=0.5):
    text = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\nP -> 0 : g_p"
    return parse(text, k_m=k_m, k_p=k_p, g_m=g_m, g_p=g_p)


def telegraph(a=0.4, b=0.9, s=5.0, g=1.2):
    return parse("OFF <-> ON : a, b\nON -> ON + M : s\nM -> 0 : g", a=a, b=b, s=s, g=g)


def dimers(k=2.0, g=0.7, c=0.3, d=0.8):
    return parse("0 -> P : k\nP -> 0 : g\n2 P <-> D : c, d", k=k, g=g, c=c, d=d)


def half(x, k):
    return k * x / (1 + x)


# A network, and its propensities and changes written by hand: state and time -> [(propensity, change), …].
CASES = {
    "two-stage": (
        two_stage(),
        lambda x, t: [(3, (1, 0)), (2 * x[0], (0, 1)), (x[0], (-1, 0)), (0.5 * x[1], (0, -1))],
    ),
    "pairs": (
        dimers(),
        lambda x, t: [
            (2, (1, 0)),
            (0.7 * x[0], (-1, 0)),
            (0.3 * x[0] * (x[0] - 1) / 2, (-2, 1)),
            (0.8 * x[1], (2, -1)),
        ],
    ),
    "triples": (
        parse("3 A -> B : c\nA + B -> 0 : d", c=0.6, d=0.2),
        lambda x, t: [
            (0.6 * x[0] * (x[0] - 1) * (x[0] - 2) / 6, (-3, 1)),
            (0.2 * x[0] * x[1], (-1, -1)),
        ],
    ),
    "hill": (
        parse("0 => P : r + hill(P, v, K, n)\nP -> 0 : g\nv = 4*r", r=0.5, K=3, n=2, g=1),
        lambda x, t: [(0.5 + 2 * x[0] ** 2 / (9 + x[0] ** 2), (1,)), (x[0], (-1,))],
    ),
    "time and choice": (
        parse("0 => P : k*(1 + sin(t)) + min(P, 3, k)\nP => 0 : P if P < 4 else max(2*P, k)", k=2),
        lambda x, t: [
            (2 * (1 + np.sin(t)) + min(x[0], 2), (1,)),
            (x[0] if x[0] < 4 else 2 * x[0], (-1,)),
        ],
    ),
    "function": (
        parse("A => B : half(A, k)\nB -> A : g", half=half, k=3, g=0.5),
        lambda x, t: [(3 * x[0] / (1 + x[0]), (-1, 1)), (0.5 * x[1], (1, -1))],
    ),
}


def brute_force(reactions, shape, p, t):
    """dp/dt on a box, state by state; what leaves it is lost."""
    change = np.zeros(shape)
    for state in itertools.product(*(range(n) for n in shape)):
        for a, step in reactions(state, t):
            change[state] -= a * p[state]
            to = tuple(n + s for n, s in zip(state, step, strict=True))
            if a > 0 and all(0 <= n < size for n, size in zip(to, shape, strict=True)):
                change[to] += a * p[state]
    return change


# --- master equation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_master_equation_is_the_generator(case):
    network, reactions = CASES[case]
    shape = (7, 5)[: len(network.species)]
    p = np.random.default_rng(1).dirichlet(np.ones(np.prod(shape))).reshape(shape)
    t = 0.8
    shown = network.master_equation().evaluate(p, t)
    np.testing.assert_allclose(shown, brute_force(reactions, shape, p, t), rtol=1e-12, atol=1e-14)
    space = acme.StateSpace.box(network, **{name: n - 1 for name, n in zip(network.species, shape, strict=True)})
    generator = acme.build_generator(network, space, boundary="absorbing", t=t)
    index = tuple(np.asarray(space.states).T)
    np.testing.assert_allclose(generator.matrix @ p[index], shown[index], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", ["two-stage", "pairs", "triples"])
def test_the_equation_as_one_expression_says_the_same(case):
    network, reactions = CASES[case]
    master = network.master_equation()
    weights = np.random.default_rng(2).random((9, 9))
    here = (4, 2)
    numbers = dict(zip([sympy.Symbol(n, real=True) for n in network.species], here, strict=True))
    numbers |= {sympy.Symbol(name, real=True): value for name, value in network.parameters.items()}
    right = master.equation.rhs.subs(numbers).replace(master.probability, lambda *x: sympy.Float(weights[x[0], x[1]]))
    p = np.zeros((9, 9))
    p[:] = weights
    assert float(right) == pytest.approx(brute_force(reactions, (9, 9), p, 0.0)[here], rel=1e-12)


def test_master_equation_reads_well():
    master = two_stage().master_equation()
    assert str(master).splitlines() == [
        "d/dt p(M, P, t) = k_m*[p(M - 1, P, t) - p(M, P, t)]",
        "    + k_p*[M*p(M, P - 1, t) - M*p(M, P, t)]",
        "    + g_m*[(M + 1)*p(M + 1, P, t) - M*p(M, P, t)]",
        "    + g_p*[(P + 1)*p(M, P + 1, t) - P*p(M, P, t)]",
    ]
    shown = master._repr_markdown_()
    assert shown.startswith("$$\n\\begin{aligned}\n\\frac{\\partial}{\\partial t} p(M, P, t) ={}& k_{m}\\left[")
    assert "\\end{aligned}\n$$" in shown
    pairs = dimers().master_equation()
    assert "c*[(P + 1)*(P + 2)/2*p(P + 2, D - 1, t) - P*(P - 1)/2*p(P, D, t)]" in str(pairs)
    assert r"\frac{P \left(P - 1\right)}{2}\,p(P, D, t)" in pairs.latex()


def test_the_probability_has_a_name_of_its_own():
    assert "d/dt P(p, t)" in str(parse("p -> 0 : k", k=1).master_equation())
    assert "d/dt Pr(p, t)" in str(parse("p -> 0 : P", P=1).master_equation())


def test_signs_and_zeros_are_written_right():
    network = parse("0 => A : k - -A\n0 => A : 0*A\n0 => B: 0.5\nB => 0: B*2.5/k", k=2)
    assert str(network.master_equation()).splitlines() == [
        "d/dt p(A, B, t) = [(A + k - 1)*p(A - 1, B, t) - (k + A)*p(A, B, t)]",
        "    + [0*p(A - 1, B, t) - 0*p(A, B, t)]",
        "    + [0.5*p(A, B - 1, t) - 0.5*p(A, B, t)]",
        "    + 1/k*[(2.5*B + 2.5)*p(A, B + 1, t) - 2.5*B*p(A, B, t)]",
    ]
    p = np.random.default_rng(1).random((4, 4))
    here = brute_force(
        lambda x, t: [(2 + x[0], (1, 0)), (0, (1, 0)), (0.5, (0, 1)), (1.25 * x[1], (0, -1))], p.shape, p, 0.0
    )
    np.testing.assert_allclose(network.master_equation().evaluate(p), here, rtol=1e-12)


def test_master_equation_takes_other_parameters_and_their_consequences():
    network, _ = CASES["hill"]
    p = np.random.default_rng(1).random(8)
    other = network.with_parameters(r=0.9).master_equation().evaluate(p)
    np.testing.assert_array_equal(network.master_equation().evaluate(p, r=0.9), other)  # v = 4 r follows
    with pytest.raises(acme.ParameterError, match="expected one for each of the species P"):
        network.master_equation().evaluate(np.zeros((2, 2)))


# --- rate equations ---------------------------------------------------------------------------------------------------


def test_the_two_conventions_of_the_rate_equations():
    network = dimers(k=2, g=0.7, c=0.3, d=0.8)
    x = np.array([[3.0, 4.0], [0.0, 1.0], [9.5, 0.25]])
    p, d = x.T
    for convention, pairs in (("macroscopic", 0.3 * p**2 / 2), ("discrete", 0.3 * p * (p - 1) / 2)):
        rates = network.rate_equations(convention)
        expected = np.stack([2 - 0.7 * p - 2 * pairs + 1.6 * d, pairs - 0.8 * d], axis=-1)
        np.testing.assert_allclose(rates.evaluate(x), expected, rtol=1e-12)
    assert "- c*phi_P**2 " in str(network.rate_equations())
    assert "- c*phi_P*(phi_P - 1) " in str(network.rate_equations("discrete"))
    assert "Macroscopic convention" in network.rate_equations()._repr_markdown_()
    assert "Discrete convention" in network.rate_equations("discrete")._repr_markdown_()
    with pytest.raises(acme.ParameterError, match="'discrete' or 'macroscopic', got 'exact'"):
        network.rate_equations("exact")


@pytest.mark.parametrize("case", CASES)
def test_discrete_rate_equations_are_the_first_slope_of_the_mean(case):
    network, reactions = CASES[case]
    state, t = np.array([4, 3])[: len(network.species)], 1.3
    slope = sum(a * np.array(step) for a, step in reactions(tuple(state), t))
    np.testing.assert_allclose(network.rate_equations("discrete").evaluate(state, t), slope, rtol=1e-12, atol=1e-14)
    drift, _ = network.fokker_planck().evaluate(state, t)
    np.testing.assert_allclose(drift, slope, rtol=1e-12, atol=1e-14)


def test_rate_equations_are_integrated_and_settle():
    rates = two_stage().rate_equations()
    path = solve_ivp(rates.function(k_m=6.0), (0, 30), [0, 0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(path.y[:, -1], [6, 24], rtol=1e-5)
    np.testing.assert_allclose(rates.evaluate_jacobian([1.0, 2.0]), [[-1, 0], [2, -0.5]], rtol=1e-14)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda n: n.rate_equations().fixed_point({}), "acme.find_fixed_points(network, x0)"),
        (lambda n: n.linear_noise().solve(), "acme.solve_stationary_linear_noise(network, x0)"),
        (lambda n: n.moment_equations(2).stationary(), "acme.solve_stationary_moments(network, x0, order)"),
        (lambda n: n.moment_equations(2).start(M=1), "acme.solve_moments(network, x0, t, order)"),
        (lambda n: n.master_equation().solve(), "no attribute 'solve'"),
    ],
)
def test_equations_are_shown_here_and_solved_elsewhere(ask, answer):
    with pytest.raises(AttributeError, match=re.escape(answer)):
        ask(two_stage())


# --- moments ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
def test_moments_in_time_are_those_of_the_master_equation(order):
    network, t = telegraph(), 0.9
    space = acme.StateSpace.box(network, OFF=1, ON=1, M=30)
    generator = acme.build_generator(network, space, boundary="absorbing").matrix.toarray()
    start = np.all(space.states == [0, 1, 2], axis=1).astype(float)
    p = linalg.expm(generator * t) @ start
    assert p.sum() == pytest.approx(1, abs=1e-12)
    equations = network.moment_equations(order)
    assert equations.closed
    first = np.prod(np.array([0.0, 1.0, 2.0]) ** np.array(equations.moments), axis=1)
    path = solve_ivp(equations.function(), (0, t), first, rtol=1e-11, atol=1e-12)
    exact = [p @ np.prod(space.states ** np.array(alpha), axis=1) for alpha in equations.moments]
    np.testing.assert_allclose(path.y[:, -1], exact, rtol=1e-8, atol=1e-12)


def test_moments_in_time_with_a_rate_that_depends_on_time():
    network, t = parse("0 => M : k*(1 + cos(t))\nM -> 0 : g", k=4, g=1.5), 2.0
    equations = network.moment_equations(2)
    path = solve_ivp(equations.function(), (0, t), [0.0, 0.0], rtol=1e-11, atol=1e-12)
    mean, second = path.y[:, -1]
    # From nothing the law stays Poisson; its mean solves m' = k (1 + cos t) - g m.
    exact = 4 / 1.5 * (1 - np.exp(-1.5 * t)) + 4 * (1.5 * np.cos(t) + np.sin(t) - 1.5 * np.exp(-1.5 * t)) / (1 + 1.5**2)
    np.testing.assert_allclose([mean, second - mean**2], exact, rtol=1e-9)


def test_stationary_moments_are_roots_of_the_displayed_equations():
    k_m, k_p, g_m, g_p = 7.0, 3.0, 2.0, 0.5
    equations = two_stage().moment_equations(2)
    m, p = k_m / g_m, k_m * k_p / (g_m * g_p)
    cross, of_p = k_m * k_p / (g_m * (g_m + g_p)), p * (1 + k_p / (g_m + g_p))
    assert equations.moments == ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    moments = [m, p, m + m**2, cross + m * p, of_p + p**2]
    slopes = equations.function(k_m=k_m, k_p=k_p, g_m=g_m, g_p=g_p)(0.0, moments)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-11)


def test_equations_that_are_not_closed_say_what_they_need():
    equations = dimers().moment_equations(1)
    assert not equations.closed
    assert equations.needs == ((2, 0),)
    assert str(equations).splitlines() == [
        "d/dt <P> = k + (c - g)*<P> + 2*d*<D> - c*<P^2>",
        "d/dt <D> = -c/2*<P> - d*<D> + c/2*<P^2>",
    ]
    assert r"\langle P^{2} \rangle" in equations._repr_markdown_()
    assert "not closed" in equations._repr_markdown_()
    with pytest.raises(acme.EquationError, match=r"order 1 are not closed: they need <P\^2>"):
        equations.function()


@pytest.mark.parametrize("order", [1, 2])
def test_equations_that_are_not_closed_hold_all_the_same(order):
    """Their right-hand sides, with all moments taken from a law, are the slopes of that law's moments."""
    network, reactions = CASES["pairs"]
    shape = (12, 9)
    p = np.zeros(shape)
    p[:6, :4] = np.random.default_rng(4).dirichlet(np.ones(24)).reshape(6, 4)  # the rest of the box takes the flux
    slope = brute_force(reactions, shape, p, 0.0)
    n = np.indices(shape)
    equations = network.moment_equations(order)
    values = {
        equations.symbol(e): float(np.sum(p * n[0] ** e[0] * n[1] ** e[1]))
        for e in (*equations.moments, *equations.needs)
    }
    values |= {sympy.Symbol(name, real=True): value for name, value in network.parameters.items()}
    for alpha, right in zip(equations.moments, equations.right_hand_sides, strict=True):
        exact = np.sum(slope * n[0] ** alpha[0] * n[1] ** alpha[1])
        assert float(right.subs(values)) == pytest.approx(exact, rel=1e-10)


def test_rates_that_are_no_polynomials_are_refused_by_their_line():
    with pytest.raises(acme.EquationError, match=r"line 2, '0 => P : hill\(M, v, K, 2\)': .*not a polynomial"):
        parse("M -> 0 : g\n0 => P : hill(M, v, K, 2)", g=1, v=1, K=2).moment_equations(1)
    with pytest.raises(acme.EquationError, match="line 1, .*not a polynomial"):
        CASES["function"][0].moment_equations(1)
    # Polynomials in other words are none the less.
    equations = parse("0 => A : k*(A + 1)^2.0\nA -> 0 : k", k=1).moment_equations(1)
    assert str(equations) == "d/dt <A> = k + k*<A> + k*<A^2>"


def test_bad_questions_about_moments():
    for order in (0, 1.5, True):
        with pytest.raises(acme.ParameterError, match="order must be a whole number of at least 1, got"):
            two_stage().moment_equations(order)
    assert "closed" in two_stage().moment_equations(2)._repr_markdown_()


# --- diffusion --------------------------------------------------------------------------------------------------------


def test_birth_death_fokker_planck():
    equation = parse("0 -> M : k\nM -> 0 : g", k=10, g=1).fokker_planck()
    k, g, m = (sympy.Symbol(name, real=True) for name in ("k", "g", "M"))
    assert equation.drift == (k - g * m,)
    assert equation.diffusion == sympy.ImmutableMatrix([[k + g * m]])
    assert str(equation) == "d/dt p(M, t) = - d/dM [(k - g*M) p]\n    + 1/2 d^2/dM^2 [(k + g*M) p]"
    drift, diffusion = equation.evaluate([[4.0], [20.0]], g=2.0)
    np.testing.assert_allclose(drift, [[2.0], [-30.0]])
    np.testing.assert_allclose(diffusion, [[[18.0]], [[50.0]]])


@pytest.mark.parametrize("case", CASES)
def test_diffusion_is_what_the_jumps_make_and_what_the_noise_makes(case):
    network, reactions = CASES[case]
    state, t = np.array([4, 3])[: len(network.species)], 1.3
    jumps = sum(a * np.outer(step, step) for a, step in reactions(tuple(state), t))
    _, diffusion = network.fokker_planck().evaluate(state, t)
    np.testing.assert_allclose(diffusion, jumps, rtol=1e-12)
    drift, noise = network.langevin().evaluate(state, t)
    np.testing.assert_allclose(noise @ noise.T, jumps, rtol=1e-12)
    np.testing.assert_allclose(drift, network.rate_equations("discrete").evaluate(state, t), rtol=1e-12, atol=1e-14)
    # Mixed derivatives stand once in the display, for both orders: without one half.
    mixed = str(network.fokker_planck()).count("/dA dB") + str(network.fokker_planck()).count("d^2/dPdD")
    assert mixed == (case == "pairs")


def test_langevin_reads_well():
    assert str(dimers().langevin()).splitlines() == [
        "dP = (k - g*P - c*P*(P - 1) + 2*d*D) dt + sqrt(k)*dW_1 - sqrt(g*P)*dW_2 - 2*sqrt(c/2*P*(P - 1))*dW_3"
        " + 2*sqrt(d*D)*dW_4",
        "dD = (c/2*P*(P - 1) - d*D) dt + sqrt(c/2*P*(P - 1))*dW_3 - sqrt(d*D)*dW_4",
    ]
    assert r"\sqrt{k}\,dW_{1}" in dimers().langevin()._repr_markdown_()
    assert r"\frac{\partial^2}{\partial P\,\partial D}" in dimers().fokker_planck()._repr_markdown_()


# --- linear noise -----------------------------------------------------------------------------------------------------


def test_displayed_jacobian_and_diffusion_solve_the_displayed_equation():
    noise = dimers().linear_noise()
    # Every reaction is balanced by its reverse: independent Poisson numbers, which linear noise gets right.
    mean = np.array([2 / 0.7, 0.3 / 1.6 * (2 / 0.7) ** 2])
    covariance = np.diag(mean)
    j, d = noise.evaluate(mean)
    np.testing.assert_allclose(j @ covariance + covariance @ j.T + d, 0, atol=1e-12 * np.abs(d).max())
    # The Jacobian against differences of the rate equations.
    f, h = noise.rates.function(), 1e-6
    step = np.eye(2) * h
    slopes = np.stack([(f(0, mean + e) - f(0, mean - e)) / (2 * h) for e in step], axis=1)
    np.testing.assert_allclose(j, slopes, rtol=1e-7, atol=1e-8)
    assert str(noise).splitlines()[1] == "J = [[-g - 2*c*phi_P, 2*d], [c*phi_P, -d]]"
    assert r"\begin{pmatrix} -g - 2 c\,\phi_{P} & 2 d \\" in noise._repr_markdown_()


def test_powers_have_their_slope_at_zero():
    network = parse(
        "0 => U : hillr(V, a, K, n)\n0 => V : hillr(U, a, K, n)\nU -> 0 : g\nV -> 0 : g", a=9, K=3, n=2, g=1
    )
    j, _ = network.linear_noise().evaluate([0.0, 1.0])
    np.testing.assert_allclose(j, [[-1, -9 * 9 * 2 / 100], [0, -1]], rtol=1e-12)


def test_linear_noise_says_where_it_does_not_hold():
    with pytest.raises(acme.EquationError, match=r"line 1, 'A => B : half\(A, k\)': the derivative of this rate"):
        CASES["function"][0].linear_noise()


# --- display ----------------------------------------------------------------------------------------------------------


def test_definitions_and_functions_are_shown():
    network, _ = CASES["hill"]
    for equations in (network.master_equation(), network.rate_equations(), network.langevin()):
        assert str(equations).splitlines()[-1] == "v = 4*r"
        assert r"v ={}& 4 r" in equations.latex()
        assert repr(equations) == str(equations)
    assert "half(phi_A, k)" in str(CASES["function"][0].rate_equations())


def test_names_of_the_equations_give_way_to_those_of_the_network():
    network = parse("0 -> M : phi_M\nM -> 0 : g", phi_M=3, g=1)
    assert str(network.rate_equations()) == "d/dt varphi_M = phi_M - g*varphi_M"
    np.testing.assert_allclose(network.rate_equations().evaluate([1.0]), [2.0])


@pytest.mark.parametrize("case", CASES)
def test_latex_is_balanced(case):
    network, _ = CASES[case]
    kinds = [network.master_equation(), network.rate_equations(), network.fokker_planck(), network.langevin()]
    for equations in kinds:
        latex = equations.latex()
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\left") == latex.count(r"\right")
        assert latex.startswith("\\begin{aligned}\n")
        for row in latex.split("\n")[1:-1]:
            assert row.count("&") - row.count(r"\&") == 1 or "matrix" in row or "cases" in row


def test_equations_are_derived_once_for_all_values_of_the_parameters(monkeypatch):
    from acme_lib.network import linear_noise

    text = "0 -> A : ka\n2 A -> 0 : kb\nA -> 0 : kc"
    parse(text, ka=1, kb=2, kc=3).linear_noise().evaluate([1.5])

    def fail(*_):
        raise AssertionError("derived again")

    monkeypatch.setattr(linear_noise.LinearNoise, "of", fail)
    network = parse(text, ka=5, kb=2, kc=3)
    noise = network.linear_noise()
    assert noise.network is network and noise.rates.network is network
    monkeypatch.undo()
    fresh = linear_noise.LinearNoise.of(network)  # the same numbers as without the cache
    np.testing.assert_array_equal(noise.evaluate([1.5]), fresh.evaluate([1.5]))
    monkeypatch.setattr(linear_noise.LinearNoise, "of", fail)
    with pytest.raises(AssertionError, match="derived again"):
        parse(text.replace("2 A", "A"), ka=1, kb=2, kc=3).linear_noise()
    for order in (True, 1.0, [1]):
        network.moment_equations(1)
        with pytest.raises(acme.ParameterError, match="order must be a whole number"):
            network.moment_equations(order)


def test_equations_are_evaluated_at_time_zero_unless_told():
    network = acme.ReactionNetwork.parse("0 -> M : k*(3 + cos(t))\nM -> 0 : g", k=2.0, g=0.5)
    x, birth, death = np.array([4.0]), 2.0 * (3 + 1), 0.5 * 4
    assert network.rate_equations().evaluate(x) == pytest.approx([birth - death])
    assert network.rate_equations().evaluate_jacobian(x) == pytest.approx(np.array([[-0.5]]))
    for equation in (network.fokker_planck(), network.langevin()):
        drift, _ = equation.evaluate(x)
        assert drift == pytest.approx([birth - death])
    jacobian, diffusion = network.linear_noise().evaluate(x)
    assert (jacobian[0, 0], diffusion[0, 0]) == pytest.approx((-0.5, birth + death))
    assert network.master_equation().evaluate([1.0, 0.0])[0] == pytest.approx(-birth)

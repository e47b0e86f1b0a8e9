"""Exact laws of the cases of Lunz, Batt, Ruess & Bonnans (2021): its numbers, quadrature, dense matrices, equations."""

import mpmath
import numpy as np
import pytest
from scipy import integrate, linalg, special

from acme_lib import laws
from acme_lib.errors import ParameterError

SWITCHING = {
    0.1: 4.667982, 0.35: 4.077782, 0.7: 2.411419, 0.75: 2.052378, 0.8: 1.669343,
    0.85: 1.130035, 0.9: 3.319389, 0.95: 5.388897, 1.5: 18.36807, 2.25: 22.36785,
}  # fmt: skip


def test_self_regulation_gives_the_published_numbers():
    law = laws.self_regulation()
    np.testing.assert_allclose(law.extrema(), [0.203, 0.818, 2.103], atol=5e-4)
    assert law.cdf(0.825) == pytest.approx(0.1719, abs=5e-5)
    times = law.mean_switching_time(list(SWITCHING), 0.825)
    np.testing.assert_allclose(times, list(SWITCHING.values()), rtol=2e-6)
    assert law.mean_switching_time(0.825, 0.825) == 0.0


@pytest.mark.parametrize(
    "values", [{}, {"r0": 0.4, "b": 0.5}, {"r1": 0.0}, {"r0": 6.0, "n": 2.0, "decay": 3.0}, {"r0": 30.0, "b": 2.0}]
)
def test_self_regulation_integrates(values):
    law = laws.self_regulation(**values)
    points = [1e-3, 0.1, 1.0, 3.0, 10.0]

    def integral(f, end):
        inner = [p for p in points if p < end]
        edges = [0.0, *inner, end]
        return sum(integrate.quad(f, a, b, limit=200)[0] for a, b in zip(edges[:-1], edges[1:], strict=True))

    end = law.mean() + 60 * law.b * max(1.0, law.r0 / 10)
    assert integral(law.pdf, end) == pytest.approx(1.0, rel=1e-7)
    assert integral(lambda x: x * law.pdf(x), end) == pytest.approx(law.mean(), rel=1e-7)
    assert law.cdf(0.7) == pytest.approx(integral(law.pdf, 0.7), rel=1e-7)
    assert law.cdf([-1.0, 0.0, np.inf]) == pytest.approx([0.0, 0.0, 1.0], abs=1e-12)
    assert law.pdf(-1.0) == 0.0
    # the flux of decay is what bursts carry across: x p(x) γ0 = ∫ H p exp(-(x - y)/b) dy
    x = 0.9
    carried = integral(lambda y: law.burst_rate(y) * law.pdf(y) * np.exp(-(x - y) / law.b), x)
    assert law.decay * x * law.pdf(x) == pytest.approx(carried, rel=1e-7)


@pytest.mark.parametrize(
    "values", [(0.2155, 0.8056, 0.6214, 0.8729), (1.5, 5.0, 0.3, 0.5), (0.5, 3.0, 1.7, 0.4), (0.9, 40.0, 12.0, 0.05)]
)
def test_self_regulation_in_30_digits(values):
    """Small r0 and broken exponents, whose singularities at 0 lie in one point: by mpmath, over ln x."""
    r0, r1, n, b = map(mpmath.mpf, values)
    law = laws.self_regulation(*values)

    def weight(y):
        return mpmath.exp(r0 * y - mpmath.exp(y) / b) * (1 + mpmath.exp(n * y)) ** (r1 / n)

    def integral(f, x):
        return mpmath.quad(f, [mpmath.ninf, *(p for p in range(-160, 8, 2) if p < mpmath.log(x)), mpmath.log(x)])

    end = b * (r0 + r1 + 80)
    whole = integral(weight, end)
    for x in (1e-3, 0.5, 1.2):
        assert law.cdf(x) == pytest.approx(float(integral(weight, x) / whole), rel=1e-12)
        assert law.pdf(x) == pytest.approx(float(weight(mpmath.log(x)) / x / whole), rel=1e-12)
    assert law.mean() == pytest.approx(float(integral(lambda y: weight(y) * mpmath.exp(y), end) / whole), rel=1e-12)


@pytest.mark.parametrize(("r0", "r1", "b"), [(0.3, 300, 5.0), (30.0, 10, 2.0), (1e-6, 3, 0.1)])
def test_with_a_hill_exponent_of_one_it_is_a_mixture_of_gammas(r0, r1, b):
    """(1 + x)^r1 is a polynomial: each power makes a gamma law of its own."""
    law = laws.self_regulation(r0=r0, r1=r1, n=1.0, b=b)
    k = np.arange(r1 + 1)
    logs = special.gammaln(r1 + 1) - special.gammaln(k + 1) - special.gammaln(r1 - k + 1)
    logs += special.gammaln(r0 + k) + (r0 + k) * np.log(b)
    weights = np.exp(logs - special.logsumexp(logs))
    assert law.mean() == pytest.approx(weights @ (b * (r0 + k)), rel=1e-11)
    for x in (1e-9, 0.01 * law.mean(), 0.5 * law.mean(), law.mean(), 2.0 * law.mean()):
        assert law.cdf(x) == pytest.approx(weights @ special.gammainc(r0 + k, x / b), rel=1e-9)


def test_self_regulation_off_its_support():
    law = laws.self_regulation()
    np.testing.assert_array_equal(law.pdf([np.nan, np.inf, -1.0, 0.0]), [np.nan, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(law.cdf([np.nan, np.inf, -1.0, 0.0]), [np.nan, 1.0, 0.0, 0.0])
    assert laws.self_regulation(r0=0.5).pdf(0.0) == np.inf
    flat = laws.self_regulation(r0=1.0)
    assert flat.pdf(0.0) == pytest.approx(flat.pdf(1e-9), rel=1e-6)
    assert flat.pdf(0.0) > 0


@pytest.mark.thorough
def test_switching_times_far_out():
    """From above nothing but decay and some bursts on the way: T(x) - T(y) tends to ln(x/y); out of reach: refused."""
    law = laws.self_regulation()
    near, far, farther = law.mean_switching_time([1e9, 1e12, 1e300], 0.825)
    assert far - near == pytest.approx(3 * np.log(10), rel=1e-7)
    # where H is all of r0 + r1: (1 + H W)/v = 1/v + 12 b/v² + …
    assert farther - far == pytest.approx(288 * np.log(10), rel=1e-7)
    low, lower = law.mean_switching_time([1e-12, 1e-300], 0.825)
    assert lower == pytest.approx(low, rel=1e-11)
    with pytest.raises(ParameterError, match=r"to 1e\+06 is above 1\.8e308"):
        law.mean_switching_time(1.0, 1e6)
    with pytest.raises(ParameterError, match="too fine for 300,000 panels"):
        laws.self_regulation(r1=1e9).mean()


def test_switching_without_regulation_in_closed_form():
    """Bursts at rate r0 = γ0 make an exponential law of mean b; from 0 the mean time to c is (e^(c/b) - 1 + …)."""
    law = laws.self_regulation(r0=1.0, r1=0.0, b=0.5)
    for boundary in (0.3, 2.0, 20.0):
        # T(0) = ∫_0^c (e^(x/b)/b)(1 - …): -W(c) = (e^(c/b) - 1) b/c, and (1 + W)/v integrated in 30 digits
        w = [float(mpmath.expm1(v / 0.5) * 0.5 / v) for v in (boundary,)]
        below = mpmath.quad(lambda v: (1 - mpmath.expm1(v / 0.5) * 0.5 / v) / v, [1e-9, 0.1, 1, boundary])
        assert law.mean_switching_time(1e-9, boundary) == pytest.approx(w[0] - float(below), rel=1e-10)


def test_without_regulation_it_is_gamma():
    law = laws.self_regulation(r0=3.0, r1=0.0, b=0.5, decay=2.0)
    x = np.array([0.1, 0.7, 2.0])
    np.testing.assert_allclose(law.pdf(x), x**0.5 * np.exp(-x / 0.5) / (special.gamma(1.5) * 0.5**1.5), rtol=1e-12)
    np.testing.assert_allclose(law.cdf(x), special.gammainc(1.5, x / 0.5), rtol=1e-12)


def test_switching_time_solves_the_backward_equation():
    """-γ x T' + H (∫ T(x + z) e^(-z/b) dz/b - T) = -1, with T = 0 beyond the boundary."""
    law = laws.self_regulation(r0=1.5, r1=6.0, n=3.0, b=0.3, decay=2.0)
    boundary, h = 0.8, 1e-4

    def mean(x):
        return law.mean_switching_time(x, boundary)

    for x in (0.3, 0.6, 1.1, 1.7):
        slope = (mean(x + h) - mean(x - h)) / (2 * h)
        end = boundary if x < boundary else x + 40 * law.b
        z, w = np.polynomial.legendre.leggauss(200)
        u = x + 0.5 * (end - x) * (z + 1)
        reached = 0.5 * (end - x) * np.sum(w * mean(u) * np.exp(-(u - x) / law.b)) / law.b
        assert -law.decay * x * slope + law.burst_rate(x) * (reached - mean(x)) == pytest.approx(-1.0, abs=2e-6)


@pytest.mark.parametrize(
    ("birth_factor", "growth", "rate"),
    [
        (3.0, 0.5, 0.3331245),
        (2.0, 0.5, 0.2496233),
        (4.0, 0.5, 0.3748539),
        (3.0, 4.0, 2.6673327),
        (3.0, 0.25, 0.1665518),
    ],
)
def test_growth_rates_are_the_table_s(birth_factor, growth, rate):
    mode = laws.selected_logistic_mode(birth_factor, growth, 1000)
    assert mode.rate == pytest.approx(rate, abs=6e-8)
    assert mode.residual < 1e-12
    limit, centre, deviation = laws.selected_logistic_limit(birth_factor, growth, 1000)
    assert limit == pytest.approx(rate, rel=5e-3)
    x = mode.states / 1000
    assert mode.profile @ x == pytest.approx(centre, abs=2e-3)
    assert np.sqrt(mode.profile @ x**2 - (mode.profile @ x) ** 2) == pytest.approx(deviation, rel=0.02)


def test_growth_mode_is_that_of_the_matrix():
    rng = np.random.default_rng(4)
    birth, death, growth = rng.uniform(0.1, 3, (3, 30))
    growth -= 1.0
    up, down = birth[:-1], death[1:]
    matrix = np.diag(up, -1) + np.diag(down, 1)
    matrix += np.diag(growth - matrix.sum(axis=0))
    values, vectors = linalg.eig(matrix)
    best = np.argmax(values.real)
    mode = laws.birth_death_growth_mode(birth, death, growth, first=5)
    assert mode.rate == pytest.approx(values[best].real, rel=1e-12)
    np.testing.assert_allclose(mode.profile, (vectors[:, best] / vectors[:, best].sum()).real, atol=1e-12)
    assert mode.states[0] == 5


def residual(density, gain, t, sizes, h=1e-5):
    """Time derivative less what the equation says, relative to the largest term."""
    change = (density(sizes, t + h) - density(sizes, t - h)) / (2 * h)
    said = np.array([gain(x) for x in sizes])
    return np.abs(change - said).max() / np.abs(said).max()


@pytest.mark.parametrize("k", [2.0, 3.0, 1.5])
def test_fragmentation_solves_its_equation(k):
    a, c = 5.0, 0.7

    def density(x, t):
        return laws.fragmentation_density(x, t, a=a, k=k, c=c)

    def gain(x, t=0.6):
        born = integrate.quad(lambda y: 2 * a * y ** (k - 1) * density(y, t), x, 8.0, limit=200)[0]
        return -a * x**k * density(x, t) + born

    assert residual(density, gain, 0.6, np.array([0.05, 0.4, 0.9])) < 1e-8
    for order in (0, 1, 2):
        moment = integrate.quad(lambda x, m=order: x**m * density(x, 0.6), 0, 8.0, limit=200)[0]
        assert laws.fragmentation_moment(order, 0.6, a=a, k=k, c=c) == pytest.approx(moment, rel=1e-9)
    assert laws.fragmentation_moment(1, [0.1, 9.0], a=a, k=k) == pytest.approx(
        [laws.fragmentation_moment(1, 1.0, a=a, k=k)] * 2, rel=1e-13
    )


@pytest.mark.parametrize("k", [2.0, 3.0])
def test_growth_fragmentation_solves_its_equation(k):
    a, h = 5.0, 1e-5

    def density(x, t):
        return laws.growth_fragmentation_density(x, t, a=a, k=k)

    def gain(x, t=0.3):
        born = integrate.quad(lambda y: 2 * a * y ** (k - 1) * density(y, t), x, 8.0, limit=200)[0]
        drift = ((x + h) * density(x + h, t) - (x - h) * density(x - h, t)) / (2 * h)
        return -drift - density(x, t) - a * x**k * density(x, t) + born

    assert residual(density, gain, 0.3, np.array([0.1, 0.4, 0.9])) < 1e-7
    np.testing.assert_allclose(density(0.4, np.inf), np.exp(-a / k * 0.4**k), rtol=1e-14)


@pytest.mark.parametrize(("kernel", "t"), [("constant", 2.0), ("additive", 0.2), ("multiplicative", 0.1)])
def test_coagulation_solves_its_equation(kernel, t):
    values = {"rate": 0.8, "number": 1.3, "size": 1.2}
    rates = {
        "constant": lambda x, y: 0.8,
        "additive": lambda x, y: 0.8 * (x + y),
        "multiplicative": lambda x, y: 0.8 * x * y,
    }
    rate = rates[kernel]

    def density(x, t):
        return laws.coagulation_density(x, t, kernel=kernel, **values)

    def gain(x):
        low = 1e-9 if kernel == "multiplicative" else 0.0

        # half of all pairs, up to the half of x, twice: the singular end comes once
        def pairs(y):
            return rate(x - y, y) * density(x - y, t) * density(y, t)

        made = integrate.quad(pairs, low, 0.5 * x, limit=400)[0]
        lost = integrate.quad(lambda y: rate(x, y) * density(y, t), low, 90.0, limit=400, points=[1.0, 10.0])[0]
        return made - density(x, t) * lost

    assert residual(density, gain, t, np.array([0.3, 1.0, 3.0])) < 1e-6
    mass = integrate.quad(lambda x: x * density(x, t), 1e-12, 200, limit=400, points=[1.0, 10.0])[0]
    assert mass == pytest.approx(1.3 * 1.2**2, rel=1e-8)


def test_balanced_coagulation_solves_its_equation():
    values = {"coagulation": 0.7, "fragmentation": 1.9, "number": 1.4, "size": 0.8}

    def density(x, t):
        return laws.balanced_coagulation_density(x, t, **values)

    def gain(x, t=0.4):
        total = integrate.quad(lambda y: density(y, t), 0, 90, points=[1.0, 5.0])[0]
        larger = integrate.quad(lambda y: density(y, t), x, 90, points=[x + 1.0, x + 5.0])[0]
        made = 0.5 * 0.7 * integrate.quad(lambda y: density(x - y, t) * density(y, t), 0, x)[0]
        return made - 0.7 * density(x, t) * total - 0.5 * 1.9 * x * density(x, t) + 1.9 * larger

    assert residual(density, gain, 0.4, np.array([0.2, 0.7, 2.0])) < 1e-8
    x, y = 0.3, 1.1
    pair = density(x, np.inf) * density(y, np.inf)
    assert 0.7 * pair == pytest.approx(1.9 * density(x + y, np.inf), rel=1e-12)


def test_bad_input_is_named():
    with pytest.raises(ParameterError, match="r0 must be a positive number"):
        laws.self_regulation(r0=0.0)
    with pytest.raises(ParameterError, match="x must be concentrations above 0"):
        laws.self_regulation().mean_switching_time([0.0, 1.0], 0.8)
    with pytest.raises(ParameterError, match="birth_factor must be a number above 1"):
        laws.selected_logistic_mode(1.0, 0.5, 100)
    with pytest.raises(ParameterError, match="omega must be a whole number of at least 2"):
        laws.selected_logistic_mode(2.0, 0.5, 100.5)
    with pytest.raises(ParameterError, match="rows of one length, one rate a state"):
        laws.birth_death_growth_mode([1.0, 1.0], [1.0], [0.0, 0.0])
    with pytest.raises(ParameterError, match="must be positive and finite"):
        laws.birth_death_growth_mode([0.0, 1.0], [1.0, 1.0], [0.0, 0.0])
    with pytest.raises(ParameterError, match="x must be sizes of at least 0"):
        laws.fragmentation_density(-1.0, 1.0, a=1, k=1)
    with pytest.raises(ParameterError, match="t must be times above 0"):
        laws.fragmentation_density(1.0, 0.0, a=1, k=1)
    with pytest.raises(ParameterError, match="before gelation at t=1"):
        laws.coagulation_density(1.0, 1.5, kernel="multiplicative")
    with pytest.raises(ParameterError, match="not bounded at size 0"):
        laws.coagulation_density(0.0, 0.5, kernel="multiplicative")
    with pytest.raises(ParameterError, match="kernel must be one of 'constant'"):
        laws.coagulation_density(1.0, 0.5, kernel="product")

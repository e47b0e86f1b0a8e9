"""The models against their closed forms, and what their docstrings promise."""

import inspect
import re

import numpy as np
import pytest
from scipy import stats

import acme_lib as acme
from acme_lib import models

TWO_STATES = {("OFF", "ON"): 0.5, ("ON", "OFF"): 2.0}


def build(name):
    return models.promoter(TWO_STATES, {"ON": 20.0}) if name == "promoter" else getattr(models, name)()


def product_law(birth, death, n_states):
    """Stationary law of a birth-death process on 0 … n_states - 1, by detailed balance."""
    n = np.arange(n_states, dtype=float)
    logs = np.concatenate([[0.0], np.cumsum(np.log(birth(n[:-1])) - np.log(death(n[1:])))])
    p = np.exp(logs - logs.max())
    return p / p.sum()


def stationary_moments(network, start=None):
    moments = acme.solve_stationary_moments(network, start)
    return moments.means, moments.covariances


def stationary_law(network, largest):
    space = acme.StateSpace.box(network, **largest)
    generator = acme.build_generator(network, space, boundary="reflecting").matrix.toarray()
    generator[-1] = 1.0  # one balance follows from the others: the sum of the law stands in its place
    right = np.zeros(len(generator))
    right[-1] = 1.0
    return np.linalg.solve(generator, right)


@pytest.mark.parametrize("name", models.__all__)
def test_documentation_agrees_with_the_network(name):
    text = inspect.cleandoc(getattr(models, name).__doc__)
    network = build(name)
    assert re.search(r"\.\. \[1\] (?:[^\n]|\n   )+doi:10\.\d{4,}/\S+", text)
    assert "Use when" in text
    assert isinstance(network, acme.ReactionNetwork)
    (start,) = re.findall(r"[Ss]tart(?:s)? (?:from ``(\{[^`]+\})``|empty|with 1)", text)[:1]
    state = network.state(eval(start) if start else {})
    assert np.all(network.propensities(state) >= 0)
    block = text.split("::\n\n", 1)[1].split("\n\n", 1)[0] if "::\n" in text else ""
    if name not in ("promoter", "bursty_autoregulation"):  # families: their reactions are not listed one by one
        shown = {"".join(line.split(" with ")[0].split()) for line in block.strip().splitlines()}
        assert shown == {"".join(reaction.text.split()) for reaction in network.reactions}


def test_birth_death_and_two_stage():
    mean, covariance = stationary_moments(models.birth_death(k=7, g=2))
    np.testing.assert_allclose([mean[0], covariance[0, 0]], 3.5, rtol=1e-12)
    k_m, k_p, g_m, g_p = 3.0, 7.0, 2.0, 0.4
    mean, covariance = stationary_moments(models.two_stage(k_m, k_p, g_m, g_p))
    m, p = k_m / g_m, k_m * k_p / (g_m * g_p)
    np.testing.assert_allclose(mean, [m, p], rtol=1e-10)
    cross = k_m * k_p / (g_m * (g_m + g_p))
    np.testing.assert_allclose(covariance, [[m, cross], [cross, p * (1 + k_p / (g_m + g_p))]], rtol=1e-9)


def test_telegraph_moments():
    k_on, k_off, s, g = 0.3, 1.7, 11.0, 0.6
    mean, covariance = stationary_moments(models.telegraph(k_on, k_off, s, g), {"OFF": 1})
    np.testing.assert_allclose(mean[2], s * k_on / (g * (k_on + k_off)), rtol=1e-9)
    fano = 1 + s * k_off / ((k_on + k_off) * (k_on + k_off + g))
    np.testing.assert_allclose(covariance[2, 2] / mean[2], fano, rtol=1e-9)
    np.testing.assert_allclose(covariance[0], -covariance[1], atol=1e-10)  # what one state gains the other loses


def test_refractory_state_lowers_the_fano_factor():
    mean, covariance = stationary_moments(models.refractory(), {"OFF": 1})
    assert covariance[3, 3] / mean[3] == pytest.approx(3.309278, abs=5e-7)
    mean, covariance = stationary_moments(models.telegraph(k_on=2.0, k_off=8.0, s=40.0, g=1.0), {"OFF": 1})
    assert covariance[2, 2] / mean[2] == pytest.approx(3.909091, abs=5e-7)


def test_promoter_of_any_states():
    telegraph = stationary_moments(models.telegraph(0.5, 2.0, 20.0, 1.0), {"OFF": 1})
    for network in (
        models.promoter(TWO_STATES, {"ON": 20.0}),
        models.promoter([[0, 0.5], [2.0, 0]], [0.0, 20.0]),
    ):
        mean, covariance = stationary_moments(network, [1, 0, 0])
        np.testing.assert_allclose(mean, telegraph[0], rtol=1e-9)
        np.testing.assert_allclose(covariance, telegraph[1], rtol=1e-8)
    # A ring of three: the Fano factor from the resolvent of the switching process.
    q = np.array([[-8.0, 8.0, 0.0], [0.0, -4.0, 4.0], [4.0, 0.0, -4.0]])
    p_on = np.linalg.solve(np.vstack([q.T[:2], np.ones(3)]), [0, 0, 1])[0]
    autocovariance = p_on * np.linalg.inv(np.eye(3) - q)[0, 0] - p_on**2
    mean, covariance = stationary_moments(models.promoter(q, [40.0, 0, 0]), [1, 0, 0, 0])
    assert covariance[3, 3] / mean[3] == pytest.approx(1 + 40 / p_on * autocovariance, rel=1e-9)


@pytest.mark.parametrize(
    ("rates", "s", "message"),
    [
        ([[0, 1, 2]], [1], "a square matrix"),
        ([[0, 1], [1, 0]], [1, 2, 3], "one number for each of the 2 states"),
        (TWO_STATES, {"UP": 3}, "'UP' is none of the states OFF, ON"),
        (TWO_STATES, {"ON": 0}, "a state that transcribes"),
        ([[0, 0], [0, 0]], [1, 2], "needs a switch"),
    ],
)
def test_promoter_says_what_does_not_fit(rates, s, message):
    with pytest.raises(acme.ParameterError, match=message):
        models.promoter(rates, s)


def test_balanced_dimerisation_is_poisson_in_both():
    # Without decay of the dimer every reaction is balanced by its reverse, with pairs counted as P(P-1)/2.
    k, g, c, d = 3.0, 1.0, 0.4, 0.9
    network = models.dimerisation(k, g, c, d, g_d=0.0)
    law = np.outer(
        stats.poisson.pmf(np.arange(26), k / g), stats.poisson.pmf(np.arange(19), c * (k / g) ** 2 / (2 * d))
    )
    assert np.abs(network.master_equation().evaluate(law)[:22, :16]).max() < 1e-15 * 1e3
    assert law.max() > 0.03
    np.testing.assert_allclose(law[:22, :16].sum(), 1.0, atol=1e-9)


def test_bursts_are_geometric_and_what_is_left_out_is_small():
    network = models.bursty_autoregulation(r0=3.0, r1=0.0, B=2.5, g0=1.0)
    q = 2.5 / 3.5
    sizes = network.stoichiometry[:-1, 0]
    rates = network.propensities([7])[:-1]
    np.testing.assert_allclose(rates, 3.0 * (1 - q) * q**sizes, rtol=1e-12)
    assert q ** (sizes.max() + 1) <= 1e-12 < q ** sizes.max()
    assert rates.sum() == pytest.approx(3.0 * q, rel=1e-11)  # the size 0 is no reaction
    # Without feedback the law is negative binomial: r = rate/decay, mean burst B.
    law = stats.nbinom.pmf(np.arange(150), 3.0, 1 / 3.5)
    assert np.abs(network.master_equation().evaluate(law)).max() < 1e-12
    assert len(models.bursty_autoregulation(B=40, K=200).reactions) == 1119
    for wrong in ({"B": 0.0}, {"left_out": 0.0}):
        with pytest.raises(acme.ParameterError):
            models.bursty_autoregulation(**wrong)


def modes(p):
    inner = np.flatnonzero((p[1:-1] > p[:-2]) & (p[1:-1] > p[2:]) & (p[1:-1] > 1e-9)) + 1
    return [int(n) for n in inner]


def test_schlogl_has_two_modes():
    network = models.schlogl()
    n = np.arange(1000)
    a = network.propensities(n[:, None])
    law = product_law(
        lambda n: 0.03 * n * (n - 1) / 2 + 200, lambda n: 1e-4 * n * (n - 1) * (n - 2) / 6 + 3.5 * n, 1000
    )
    np.testing.assert_allclose(law[:-1] * (a[:-1, 0] + a[:-1, 2]), law[1:] * (a[1:, 1] + a[1:, 3]), rtol=1e-9)
    assert modes(law) == [82, 563]
    assert 82 + np.argmin(law[82:564]) == 256


def test_bursty_autoregulation_has_the_modes_it_names():
    law = stationary_law(models.bursty_autoregulation(left_out=1e-6), {"P": 110})
    lower, upper = modes(law)
    assert abs(lower - 4) <= 1
    assert abs(upper - 42) <= 1


def test_sis_and_logistic_balance_where_they_say():
    rates = models.sis().rate_equations()
    np.testing.assert_allclose(rates.evaluate([50.0]), 0.0, atol=1e-12)
    assert models.sis().propensities([100])[0] == 0
    rates = models.logistic(b=2.5, d=0.5, K=30).rate_equations()
    x = np.linspace(0, 60, 7)[:, None]
    np.testing.assert_allclose(rates.evaluate(x), 2.0 * x * (1 - x / 30), atol=1e-12)


def test_toggle_switch_has_two_stable_states():
    high, low = (acme.solve_stationary_linear_noise(models.toggle_switch(), {name: 20}) for name in "UV")
    np.testing.assert_allclose(high.means, low.means[::-1], rtol=1e-9)
    assert high.mean("U") > 3 * high.mean("V")
    points = acme.find_fixed_points(models.toggle_switch(), {"U": 6, "V": 6})
    assert not points.stable[points.reached]  # between the two


def test_autoregulation_has_the_steady_state_it_names():
    for start in ({"P": 40}, {"P": 420}):
        points = acme.find_fixed_points(models.autoregulation(), start)
        m, p = points.points[points.reached]
        hill = 2 + 10 * (p / 200) ** 4 / (1 + (p / 200) ** 4)
        np.testing.assert_allclose([m, p], [hill / 10, hill * 40], rtol=1e-9)
        assert round(p) == 467

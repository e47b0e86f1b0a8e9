"""Burst sizes: draws and weights of a grid against SciPy's laws; and that a size is one file."""

from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit
from scipy import integrate, stats

import acme_lib as acme
from acme_lib import augmented
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.processes import ArbitraryJump, ExponentialJump, FixedJump, GammaJump, UniformJump
from acme_lib.processes.burst_sizes import BurstSize, check_drawn_size, check_size, draw_size
from acme_lib.random_stream import start_stream
from tests.statistics import FALSE_POSITIVE

# Sizes beside SciPy's law of them, which this library has no part in.
SIZES = [
    (ExponentialJump(4.0), stats.expon(scale=4.0)),
    (GammaJump(4.0, 0.3), stats.gamma(0.3, scale=4.0 / 0.3)),
    (GammaJump(mean=4.0, shape=5.0), stats.gamma(5.0, scale=0.8)),
    (UniformJump(1.0, 7.0), stats.uniform(1.0, 6.0)),
    (UniformJump(0.0, 8.0), stats.uniform(0.0, 8.0)),
]


def values_of(size):
    return {name: np.array([float(getattr(size, name))]) for name in size.of_state}


def weights_by_quadrature(law, n, h):
    """The chance to end m cells on from a uniform start in a cell: an integral of distribution functions."""

    def chance(m):
        def inside(u):
            return law.cdf((m + 1) * h - u) - law.cdf(m * h - u)

        return integrate.quad(inside, 0.0, h, limit=200, epsabs=1e-12, points=[h / 2])[0] / h

    return np.array([chance(m) for m in range(n)])


@pytest.mark.parametrize(("size", "law"), SIZES)
def test_weights_are_those_of_the_law(size, law):
    n, h = 24, 0.7
    weights = size.cell_weights(n, h, **values_of(size))
    assert weights.shape == (n, 1)
    np.testing.assert_allclose(weights[:, 0], weights_by_quadrature(law, n, h), atol=1e-7)
    assert size.mean == pytest.approx(law.mean())


@pytest.mark.parametrize("size", [*(size for size, _ in SIZES), FixedJump(4.0)])
def test_weights_keep_mass_and_mean(size):
    n, h = 4000, 0.37
    weights = size.cell_weights(n, h, **values_of(size))[:, 0]
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert h * np.arange(n) @ weights == pytest.approx(size.mean, rel=1e-11)
    assert np.all(weights >= 0)


def test_a_fixed_size_reaches_two_cells():
    weights = FixedJump(4.0).cell_weights(10, 1.6, size=np.array([4.0]))[:, 0]
    np.testing.assert_allclose(weights[2:4], [0.5, 0.5], rtol=1e-12)
    assert np.all(weights[[0, 1, *range(4, 10)]] < 1e-14)


def test_a_density_of_ones_own_has_the_weights_of_its_law():
    plain = ExponentialJump(4.0).cell_weights(24, 0.7, mean=np.array([4.0]))
    own = ArbitraryJump("exp(-z/4)/4").cell_weights(24, 0.7, density=lambda z: np.exp(-z / 4) / 4)
    np.testing.assert_allclose(own, plain, atol=1e-13)
    with pytest.raises(ParameterError, match="integrates to 4 over z > 0, not to the 1"):
        ArbitraryJump("exp(-z/4)").cell_weights(24, 0.7, density=lambda z: np.exp(-z / 4))


def test_sizes_may_differ_between_starts():
    means = np.linspace(1.0, 3.0, 8)
    weights = ExponentialJump("b").cell_weights(8, 0.5, mean=means)
    for start, mean in enumerate(means):
        np.testing.assert_array_equal(
            weights[:, [start]], ExponentialJump(mean).cell_weights(8, 0.5, mean=np.array([mean]))
        )
    for size, values in [
        (ExponentialJump("b"), {"mean": means - 1.0}),
        (UniformJump("a", "b"), {"low": means, "high": means[::-1]}),
        (GammaJump("b", 2.0), {"mean": means * np.nan, "shape": np.array([2.0])}),
    ]:
        with pytest.raises(PropensityError, match="not positive everywhere"):
            size.cell_weights(8, 0.5, **values)


@njit
def fill(law, key, out):
    stream = start_stream(key, 0)
    for i in range(out.shape[0]):
        out[i], stream = draw_size(law, stream)


@pytest.mark.parametrize(("size", "law"), SIZES)
def test_draws_have_the_law(size, law, scaled):
    out = np.empty(scaled(20_000, 2_000))
    with np.errstate(all="ignore"):  # in plain Python hash arithmetic wraps around
        fill(np.array(check_drawn_size(size, "a test")), np.arange(4, dtype=np.uint64), out)
    assert stats.kstest(out, law.cdf).pvalue > FALSE_POSITIVE


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ExponentialJump(0.0), "mean of ExponentialJump must be a positive number, got 0.0"),
        (lambda: GammaJump(1.0, -2.0), "shape of GammaJump must be a positive number, got -2.0"),
        (lambda: FixedJump(True), "size of FixedJump must be a positive number, got True"),
        (lambda: FixedJump(" "), "size of FixedJump must be"),
        (lambda: UniformJump(-1.0, 2.0), "low of UniformJump must be a number of at least 0"),
        (lambda: UniformJump(2.0, 2.0), "high of UniformJump must be above low=2, got 2.0"),
        (lambda: ArbitraryJump(3.0), "density of ArbitraryJump must be text"),
        (lambda: ArbitraryJump("z", -1.0), "integral of ArbitraryJump must be a positive number"),
        (lambda: check_size(("exponential", 0.2)), r"\('exponential', 0.2\) is now written ExponentialJump\(0.2\)"),
        (lambda: check_size(("gamma", 2.0, 0.2)), r"is now written GammaJump\(mean=0.2, shape=2.0\)"),
        (lambda: check_size(["uniform", 1, 2]), r"is now written UniformJump\(1, 2\)"),
        (lambda: check_size(("fixed", 3)), r"is now written FixedJump\(3\)"),
        (lambda: check_size(("normal", 3)), "a burst size must be an object"),
        (lambda: check_size(3.0), "a burst size must be an object"),
        (lambda: augmented.Burst("P", 1.0, ("gamma", 2.0, 0.2)), r"is now written GammaJump\(mean=0.2, shape=2.0\)"),
    ],
)
def test_bad_sizes_are_named(make, words):
    with pytest.raises(ParameterError, match=words):
        make()


def test_limits_that_are_text_have_a_mean_that_is_text():
    assert UniformJump("a", 3.0).mean == "((a) + (3.0))/2"


# --- a new size -------------------------------------------------------------------------------------------------------


def test_a_size_is_one_file_and_its_export(root):
    """No simulator or solver knows a uniform burst by its name."""
    sources = (root / "acme_lib").rglob("*.py")
    known = {
        path.relative_to(root / "acme_lib").as_posix() for path in sources if "UniformJump" in path.read_text("utf-8")
    }
    assert {name for name in known if not name.endswith("__init__.py")} == {"processes/burst_sizes.py"}


@dataclass(frozen=True)
class TwoSizes(BurstSize):
    """Either of two sizes: what a later contributor may add, here without touching the library."""

    small: float
    large: float
    of_state = ("small", "large")

    @staticmethod
    def integrated_tail(z, small, large):
        return 0.5 * (np.maximum(small - z, 0.0) + np.maximum(large - z, 0.0))


def test_the_augmented_equation_takes_a_new_size():
    """Bursts at rate r, decay 1: mean r<z> and variance r<z²>/2 in the stationary state."""
    network = acme.ReactionNetwork.parse("P -> 0 : 1")
    space = augmented.AugmentedSpace(network, P=augmented.Continuum(upper=60.0, cells=600))
    system = augmented.build_augmented(space, augmented.Burst("P", 3.0, TwoSizes(1.0, 5.0)), diffusion=False)
    law = augmented.solve_augmented_stationary(system)
    assert law.mean("P") == pytest.approx(9.0, rel=2e-3)
    assert law.variance("P") == pytest.approx(3.0 * 13.0 / 2, rel=5e-3)
    with pytest.raises(ParameterError, match="simulate_jump_drift cannot draw a TwoSizes"):
        check_drawn_size(TwoSizes(1.0, 5.0), "simulate_jump_drift")

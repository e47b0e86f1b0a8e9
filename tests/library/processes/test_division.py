"""Divisions: shares against SciPy's laws, words and their defaults, and what is refused."""

import numpy as np
import pytest
from numba import njit
from scipy import integrate, stats

import acme_lib as acme
from acme_lib.errors import ParameterError
from acme_lib.processes import (
    Adder,
    ArbitraryKernel,
    BetaFraction,
    FixedFraction,
    Hazard,
    PowerLawKernel,
    SelfSimilarKernel,
    Sizer,
    Timer,
)
from acme_lib.processes.division import check_drawn_share, check_partition, check_share, draw_share
from acme_lib.random_stream import start_stream
from tests.statistics import FALSE_POSITIVE

SHARES = [(check_share("uniform"), stats.uniform()), (BetaFraction(0.7, 3.0), stats.beta(0.7, 3.0))]


@njit
def fill(law, key, out):
    stream = start_stream(key, 0)
    for i in range(out.shape[0]):
        out[i], stream = draw_share(law, stream)


@pytest.mark.parametrize(("share", "law"), SHARES)
def test_shares_are_drawn_from_their_law_compiled_and_by_numpy(share, law, scaled):
    n = scaled(20_000, 2_000)
    compiled = np.empty(n)
    with np.errstate(all="ignore"):  # in plain Python hash arithmetic wraps around
        fill(np.array(check_drawn_share(share, "a test")), np.arange(4, dtype=np.uint64), compiled)
    for u in (compiled, share.draw(n, np.random.default_rng(1))):
        assert stats.kstest(u, law.cdf).pvalue > FALSE_POSITIVE


@pytest.mark.parametrize(
    "share", [PowerLawKernel(0.0), PowerLawKernel(1.5), BetaFraction(2.0, 3.0), BetaFraction(1.0, 1.0)]
)
def test_densities_keep_number_and_volume(share):
    """κ integrates to the number of daughters, u κ to the mother."""
    assert integrate.quad(share.density, 0.0, 1.0)[0] == pytest.approx(share.daughters, rel=1e-10)
    assert integrate.quad(lambda u: u * share.density(u), 0.0, 1.0)[0] == pytest.approx(1.0, rel=1e-10)


def test_a_beta_fraction_has_the_density_of_both_daughters():
    u = np.linspace(0.05, 0.95, 19)
    law = stats.beta(2.0, 3.5)
    np.testing.assert_allclose(BetaFraction(2.0, 3.5).density(u), law.pdf(u) + law.pdf(1 - u), rtol=1e-12)


def test_words_are_classes_and_defaults_are_the_same_everywhere():
    assert Hazard("V").share == FixedFraction(0.5) == Timer(1.0).share == Sizer(1.0).share == Adder(1.0).share
    assert Hazard("V", share="uniform") == Hazard("V", share=PowerLawKernel(0.0))
    kinds = {"M": "count", "V": "continuous", "gene": "state"}
    assert check_partition({}, kinds) == {"M": "binomial", "V": "proportional", "gene": "copied"}
    assert check_partition("copied", kinds) == dict.fromkeys(kinds, "copied")
    assert check_partition({"V": "reset"}, kinds) == {"M": "binomial", "V": "reset", "gene": "copied"}


def test_a_division_does_not_change_with_the_mapping_it_was_given():
    given = {"M": "equal"}
    rule = Hazard("V", partition=given)
    given["M"] = "reset"
    assert rule.partition == {"M": "equal"}


KINDS = {"M": "count", "V": "continuous", "gene": "state"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Hazard("V", share=0.3), r"share=0.3 is now written FixedFraction\(0.3\)"),
        (lambda: Hazard("V", share=("beta", 2, 3)), r"share=\('beta', 2, 3\) is now written BetaFraction\(2, 3\)"),
        (lambda: Hazard("V", share="half"), "share must be 'equal', 'uniform', or an object"),
        (lambda: Hazard("V", share=1.5), "share must be 'equal', 'uniform', or an object"),
        (lambda: Hazard(-1.0), "rate of Hazard must be a number of at least 0, got -1.0"),
        (lambda: Hazard("V", partition={"M": "copy"}), '"copy" is now written "copied"'),
        (lambda: Adder(1.0, partition="half"), "partition must be one of .*, got 'half'"),
        (lambda: Timer(0), "period of Timer must be a positive number, got 0"),
        (lambda: Adder(-1.0), "volume of Adder must be a positive number, got -1.0"),
        (lambda: Sizer(1.0, cv=-0.1), "cv of Sizer must be a number of at least 0, got -0.1"),
        (lambda: Sizer(True), "volume of Sizer must be a positive number, got True"),
        (lambda: FixedFraction(1.0), "fraction of FixedFraction must be a number above 0 and below 1, got 1.0"),
        (lambda: BetaFraction(0.0, 1.0), "a of BetaFraction must be a positive number"),
        (lambda: BetaFraction(1.0, "x"), "b of BetaFraction must be a positive number"),
        (lambda: PowerLawKernel(-1.0), "exponent of PowerLawKernel must be a number above -1, got -1.0"),
        (lambda: check_partition({"Q": "equal"}, KINDS), "partition names 'Q', which is none of M, V, gene"),
        (lambda: check_partition({"V": "binomial"}, KINDS), "V is continuous and cannot be partitioned 'binomial'"),
        (
            lambda: check_partition({"M": "proportional"}, KINDS),
            "M is a count and cannot be partitioned 'propor",
        ),
        (lambda: check_partition("equal", {"gene": "state"}), "gene is an abstract state and cannot be partitioned"),
        (
            lambda: check_drawn_share(PowerLawKernel(2.0), "a test"),
            "a test cannot draw the daughters of PowerLaw",
        ),
        (
            lambda: check_drawn_share(SelfSimilarKernel("2"), "a test"),
            "a test cannot draw the daughters of SelfSim",
        ),
        (lambda: check_drawn_share(ArbitraryKernel("2/y"), "a test"), "a test cannot draw the daughters of Arbitrary"),
    ],
)
def test_what_is_no_division_is_named(make, words):
    with pytest.raises(ParameterError, match=words):
        make()


def test_the_public_names_are_these_classes():
    assert acme.Hazard is Hazard and acme.Timer is Timer and acme.augmented.FixedFraction is FixedFraction

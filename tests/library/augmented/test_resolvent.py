"""The linear system of implicit steps and stationary laws: LAPACK beside SciPy's wrapper, cost, and interrupts."""

import _thread
import threading
import time

import numpy as np
import pytest
from scipy.linalg import lapack

import acme_lib as acme
from acme_lib import augmented, cost
from acme_lib.augmented import resolvent
from acme_lib.errors import LargeProblemWarning


@pytest.mark.parametrize(("kind", "wrapper"), [(float, lapack.dgbtrf), (complex, lapack.zgbtrf)])
def test_factors_are_those_of_the_wrapper_of_scipy(kind, wrapper):
    rng, n, kl, ku = np.random.default_rng(1), 300, 3, 5
    band = np.asfortranarray(rng.random((2 * kl + ku + 1, n)).astype(kind))
    expected, pivots, info = wrapper(band, kl, ku)
    got = band.copy(order="F")
    places, status = resolvent._factorise(got, kl, ku)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(places, pivots)
    assert status == info == 0
    band[:, 7] = 0.0
    assert resolvent._factorise(band, kl, ku)[1] == wrapper(band, kl, ku)[2] == 8  # singular, and where


def birth_death(cells):
    network = acme.ReactionNetwork.parse("0 -> P : 10\nP -> 0 : 1")
    space = augmented.AugmentedSpace(network, P=augmented.Continuum(upper=40.0, cells=cells, system_size=1))
    return augmented.build_augmented(space)


def test_a_large_band_is_factorised_as_a_sparse_matrix(monkeypatch):
    system = birth_death(80)
    banded = augmented.solve_augmented_stationary(system)
    monkeypatch.setattr(resolvent, "_LARGEST_BAND", 100)
    monkeypatch.setattr(resolvent, "_MANY", 10)
    np.testing.assert_allclose(augmented.solve_augmented_stationary(system).p, banded.p, rtol=1e-9, atol=1e-14)


def test_the_cost_is_said_before(monkeypatch):
    system = birth_death(80)
    monkeypatch.setattr(cost, "LARGE", 50)
    with pytest.warns(LargeProblemWarning, match="80 states: elimination in a band needs about .*Ctrl-C"):
        augmented.solve_augmented_stationary(system)


def test_an_interrupt_reaches_the_factorisation():
    """A band of 300 on either side: it would take half a minute."""
    band = np.asfortranarray(np.random.default_rng(1).random((901, 100_000)))
    timer = threading.Timer(0.5, _thread.interrupt_main)
    timer.start()
    start = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            resolvent.in_background(resolvent._factorise, band, 300, 300)
        assert time.perf_counter() - start < 5.0
    finally:
        timer.cancel()

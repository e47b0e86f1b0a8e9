"""Large problems: what they cost is said beforehand, roughly right, and an interrupt is heard."""

import _thread
import os
import threading
import time
import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import splu

from acme_lib import cost, interrupt
from acme_lib.errors import LargeProblemWarning
from acme_lib.master import (
    StateSpace,
    build_generator,
    elimination,
    solve_stationary,
    solve_transient,
)
from acme_lib.network import ReactionNetwork

TWO_STAGE = "0 -> M : 10\nM -> 0 : 1\nM -> M + P : 3\nP -> 0 : 0.1"


def generator_of(boundary="reflecting", **largest):
    network = ReactionNetwork.parse(TWO_STAGE)
    return build_generator(network, StateSpace.box(network, **largest), boundary=boundary)


def peak_of(function):
    tracemalloc.start()
    try:
        kept = function()
        return tracemalloc.get_traced_memory()[1], kept
    finally:
        tracemalloc.stop()


@pytest.mark.jit
def test_memory_of_the_generator_is_as_estimated():
    generator_of(M=3, P=3)
    peak, generator = peak_of(lambda: generator_of(M=199, P=499))
    estimate = cost.generator_cost(100_000, 4).memory
    assert 0.5 < peak / estimate < 2
    assert generator.matrix.nnz < 500_000


@pytest.mark.jit
def test_memory_of_elimination_is_as_estimated():
    generator = generator_of(M=49, P=399)
    order, width = elimination.band_order(generator.matrix, generator.space.states)
    peak, _ = peak_of(lambda: elimination.eliminate(generator.matrix, order, width).stationary())
    assert 0.5 < peak / cost.banded_cost(20_000, width).memory < 2


@pytest.mark.jit
def test_memory_of_sparse_factors_is_as_estimated():
    for side in (60, 200):
        matrix = generator_of(M=side - 1, P=side - 1).matrix
        shifted = sparse.csc_array(sparse.eye_array(side**2, format="csc") - matrix)
        factors = splu(shifted, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        measured = 12 * (factors.L.nnz + factors.U.nnz)
        assert 0.33 < measured / cost.factor_cost(side**2, 2).memory < 3


def test_a_million_states_are_announced(monkeypatch):
    """The limit is lowered: what is said, and that it is said before the work, does not depend on it."""
    monkeypatch.setattr(cost, "LARGE", 500)
    with pytest.warns(
        LargeProblemWarning, match=r"600 states: assembling the generator needs about \d.* of memory and"
    ):
        generator = generator_of(M=19, P=29)
    with pytest.warns(LargeProblemWarning, match="600 states: elimination in a band needs about .*Ctrl-C"):
        solve_stationary(generator)
    with pytest.warns(LargeProblemWarning, match="600 states: a sparse factorisation needs"):
        solve_stationary(generator, method="lu")
    with pytest.warns(LargeProblemWarning, match="600 states: GMRES with an incomplete LU needs"):
        solve_stationary(generator, method="iterative")
    with pytest.warns(LargeProblemWarning, match="600 states: uniformisation needs"):
        solve_transient(generator, {}, 0.1)


def test_costs_in_words():
    shown = [str(cost.Cost("work", m, s)) for m, s in ((800, 0.01), (5e6, 60), (2e9, 600), (3e12, 1e6))]
    assert shown[0] == "work needs about 800 bytes of memory and 0.1 s"
    assert shown[1] == "work needs about 5 MB of memory and 60 s"
    assert shown[2] == "work needs about 2 GB of memory and 10 minutes"
    assert shown[3] == "work needs about 3 TB of memory and 2.8e+02 hours"
    assert cost.factor_cost(10**6, 3).memory > cost.factor_cost(10**6, 2).memory
    assert cost.memory_of_machine() > 1e8 or not hasattr(os, "sysconf")


def interrupted(function, after):
    """Seconds from an interrupt until it is raised."""
    sent = []

    def interrupt_main():
        sent.append(time.perf_counter())
        _thread.interrupt_main()

    timer = threading.Timer(after, interrupt_main)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            function()
        return time.perf_counter() - sent[0]
    finally:
        timer.cancel()


@pytest.mark.jit
@pytest.mark.parametrize("task", ["transient", "banded", "background"])
def test_an_interrupt_is_heard(task):
    """Each task alone would take a minute; on a busy machine a second may become several."""
    if task == "background":
        heard = interrupted(lambda: interrupt.in_background(time.sleep, 20), 0.3)
    else:
        generator = generator_of(M=199, P=199)
        if task == "transient":
            solve_transient(generator, {}, 0.01)
            heard = interrupted(lambda: solve_transient(generator, {}, 3000.0, method="uniformisation"), 0.5)
        else:
            order = np.random.default_rng(1).permutation(3000)  # a wide band: 3,000 places
            small = generator_of(M=29, P=99).matrix
            elimination.eliminate(generator_of(M=3, P=3).matrix, np.arange(16), 15)
            heard = interrupted(lambda: [elimination.eliminate(small, order, 2999) for _ in range(20)], 0.5)
    assert heard < 5.0


def test_what_fails_in_the_background_fails_here():
    with pytest.raises(ZeroDivisionError):
        interrupt.in_background(lambda: 1 / 0)
    assert interrupt.in_background(max, 3, 5) == 5

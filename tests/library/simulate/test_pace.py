"""What a run costs is said: memory before it starts, time after two seconds, and an interrupt ends it."""

import _thread
import threading
import time

import numpy as np
import pytest

import acme_lib as acme
from acme_lib import cost
from acme_lib.errors import LargeProblemWarning, ParameterError
from acme_lib.simulate import lineages, pace
from tests.marks import always

BIRTH_DEATH = "0 -> M : 1000\nM -> 0 : 1"
GROWTH = "A -> 2 A : 1"
BURSTS = "0 => P : 10\nP -> 0 : 1"
FAST = "G0 <-> G1 : 50, 50\nG1 -> G1 + M : 1000\nM -> 0 : 1"
TIMED = "0 => M : 1000*(2 + sin(t))\nM -> 0 : 1"
FLOW = "0 => P : 10 + sin(1000*t)\nP -> 0 : 1\nA -> 0 : 1e-15"
CELL = "0 => V : V"

# For each method a function of the end and more arguments.
METHODS = {
    "table": (acme.simulate_ssa, BIRTH_DEATH, {}, {"compile": False}),
    "compiled": (acme.simulate_ssa, BIRTH_DEATH, {}, {"compile": True}),
    "stop": (acme.simulate_ssa, BIRTH_DEATH, {}, {"stop": "M > 10**8"}),
    "thinning": (acme.simulate_ssa, TIMED, {}, {}),
    "next reaction": (acme.simulate_next_reaction, BIRTH_DEATH, {}, {}),
    "tau-leaping": (acme.simulate_tau_leap, BIRTH_DEATH, {"M": 10**6}, {}),
    "langevin": (acme.simulate_langevin, BIRTH_DEATH, {"M": 1000}, {"boundary": "reflect"}),
    "slow scale": (acme.simulate_slow_scale, FAST, {"G0": 1}, {"fast": ["G0", "G1"]}),
    "jump-drift": (
        acme.simulate_jump_drift,
        BURSTS,
        {"P": 1.0},
        {"continuous": ["P"], "bursts": {"0 => P": acme.ExponentialJump(0.2)}},
    ),
    "flow": (acme.simulate_jump_drift, FLOW, {"P": 1.0, "A": 1}, {"continuous": ["P"]}),
    "population": (
        acme.simulate_population,
        CELL,
        {"V": 1.0},
        {"continuous": ["V"], "division": acme.Hazard("V**2"), "size": 1000, "replicates": 2},
    ),
    "lineage": (acme.simulate_lineage, BIRTH_DEATH, {}, {"division": acme.Timer(1e9)}),
}
NO_PART = {"lineage", "flow"}  # steps of the flow are no events, and lineages say their cost before


def run(name, t, **more):
    simulate, text, x0, options = METHODS[name]
    network = acme.ReactionNetwork.parse(text)
    return simulate(network, x0, t, rng=np.random.default_rng(1), **{**options, **more})


@pytest.fixture
def impatient(monkeypatch):
    """Look at the pace early."""
    monkeypatch.setattr(pace, "_FIRST", 0.2)
    monkeypatch.setattr(pace, "_BETWEEN", 0.3)


@pytest.mark.jit
@pytest.mark.parametrize("name", always(4, sorted(METHODS.keys() - NO_PART)))
def test_a_run_without_end_is_announced(name, impatient):
    """The warning is an error here, and ends the run."""
    run(name, 0.01)
    with pytest.raises(LargeProblemWarning, match=r"(at this pace|more are an error).*Ctrl-C"):
        run(name, 1e12)


@pytest.mark.jit
@pytest.mark.parametrize("simulate", always(1, [acme.simulate_ssa, acme.simulate_next_reaction]))
@pytest.mark.parametrize(("text", "t"), [(GROWTH, 100), ("2 A -> 3 A : 1", 10)])
def test_an_explosion_is_seen_by_its_pace(simulate, text, t, impatient):
    network = acme.ReactionNetwork.parse(text)
    simulate(network, {"A": 10}, 1e-3, rng=np.random.default_rng(1))
    with pytest.raises(LargeProblemWarning, match="needs .* events, and more than max_events=1,000,000,000 are an"):
        simulate(network, {"A": 10}, t, rng=np.random.default_rng(1))


@pytest.mark.jit
def test_many_trajectories_are_announced_where_they_fit(impatient):
    run("table", 0.01, keep="summary")
    with pytest.raises(LargeProblemWarning, match=r"done .* of 1,000,000,000,000 trajectories .* hours more"):
        run("table", 0.01, size=10**12, keep="summary")


@pytest.mark.jit
def test_nothing_is_said_of_a_run_that_ends_soon_or_while_notebooks_are_built(impatient, monkeypatch):
    run("table", 50.0, size=100, compile=False)  # about a second
    monkeypatch.setenv("ACME_QUIET", "1")
    assert pace.Pace(_Task(10))._done


class _Task:
    options, times, network = {}, np.array([1.0]), None

    def __init__(self, size):
        self.size = size


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"population"}))
def test_what_does_not_fit_into_memory_is_refused_at_once(name):
    with pytest.raises(
        ParameterError, match=r"1,000,000,000,000 (trajectories|cells).* take .* TB of memory, and this"
    ):
        run(name, 10.0, size=10**12)


def test_populations_trees_and_summaries_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match="individuals take .* TB"):
        run("population", 10.0, size=10**13)
    network = acme.ReactionNetwork.parse("0 -> M : 1")
    with pytest.raises(ParameterError, match="a summary of .* take .* GB"):
        acme.simulate_ssa(network, {}, np.linspace(0, 1, 10**7), size=10, rng=np.random.default_rng(1), keep="summary")
    for end in ({"t": 10.0}, {"generations": 200}):
        start = time.perf_counter()
        with pytest.raises(ParameterError, match="more than max_cells=1000000 cells in generation 19"):
            acme.simulate_tree(network, {}, division=acme.Timer(1e-2), rng=np.random.default_rng(1), **end)
        assert time.perf_counter() - start < 2.0  # it would be found out after a minute


@pytest.mark.parametrize("division", [acme.Timer(1e-12), acme.Adder(1e-12), acme.Sizer(2e-12)])
@pytest.mark.parametrize("growth", ["exponential", "linear"])
def test_lineages_of_too_many_generations_are_refused(division, growth):
    network = acme.ReactionNetwork.parse("0 -> M : 1")
    rate = np.log(2.0) * (1e12 if growth == "exponential" else 1.0)
    with pytest.raises(ParameterError, match="lineages of about .*e.1[23] generations take .* of memory"):
        acme.simulate_lineage(
            network, {}, 10.0, division=division, growth=growth, growth_rate=rate, rng=np.random.default_rng(1)
        )


def test_lineages_that_take_long_are_announced(monkeypatch):
    monkeypatch.setattr(lineages, "_LONG", 0.0)
    network = acme.ReactionNetwork.parse("0 -> M : 1")
    with pytest.warns(LargeProblemWarning, match="lineages of about 5 generations take about .*Ctrl-C"):
        acme.simulate_lineage(network, {}, 5.0, division=acme.Timer(1.0), rng=np.random.default_rng(1))


def test_a_large_share_of_the_memory_is_announced(monkeypatch):
    monkeypatch.setattr(cost, "memory_of_machine", lambda: 3000)
    with pytest.warns(LargeProblemWarning, match="100 trajectories of 1 recorded times take .* 3 kB"):
        run("table", 0.001, size=100, threads=1)


@pytest.mark.jit
@pytest.mark.parametrize("name", always(5, METHODS))
def test_an_interrupt_ends_every_method(name, monkeypatch):
    """Each would run for hours; a second is enough on a quiet machine, and more is let pass on a busy one."""
    monkeypatch.setattr(pace, "_FIRST", np.inf)
    run(name, 0.01)
    limit = {"langevin": {}, "tau-leaping": {"max_steps": 10**15}}.get(name, {"max_events": 10**15})
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        _thread.interrupt_main()

    timer = threading.Timer(0.5, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(name, 1e8, **limit)
        assert time.perf_counter() - sent[0] < 5.0
    finally:
        timer.cancel()

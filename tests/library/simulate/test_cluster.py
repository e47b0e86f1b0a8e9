"""Ensembles on a real Dask cluster of several processes on this machine."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import acme_lib as acme

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, silence_logs=50
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def simulate(size=300, t=30.0, **options):
    text = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\n0 => P : r/(1 + P/K)\nP -> 0 : g_p"
    network = acme.ReactionNetwork.parse(text, k_m=5.0, k_p=3.0, g_m=1.0, g_p=0.5, r=2.0, K=10.0)
    rng = np.random.default_rng(3)
    rows = {"k_m": np.linspace(1, 9, size)}
    return acme.simulate_ssa(network, {}, np.linspace(0, t, 4), size=size, rng=rng, parameters=rows, **options)


@pytest.mark.jit
def test_a_cluster_gives_the_same_bits(client):
    np.testing.assert_array_equal(simulate(client=client).counts, simulate().counts)
    far, near = simulate(client=client, keep="summary"), simulate(keep="summary")
    for name in ("means", "covariances", "third_moments", "fourth_moments", "counts_of_bins"):
        np.testing.assert_array_equal(getattr(far, name), getattr(near, name))


@pytest.mark.jit
@pytest.mark.parametrize(
    "method", ["simulate_next_reaction", "simulate_tau_leap", "simulate_langevin", "simulate_slow_scale"]
)
@pytest.mark.thorough
def test_every_method_runs_on_a_cluster(client, method):
    network = acme.ReactionNetwork.parse("Off <-> On : 90, 60\nOn -> On + M : 9\nM -> 0 : 1")
    options = {"simulate_langevin": {"boundary": "reflect"}, "simulate_slow_scale": {"fast": ["Off", "On"]}}

    def run(**where):
        rng = np.random.default_rng(3)
        more = options.get(method, {})
        return getattr(acme, method)(network, {"Off": 1}, [0, 1, 2], size=70, rng=rng, **more, **where)

    np.testing.assert_array_equal(run(client=client).counts, run().counts)


@pytest.mark.jit
def test_lineages_on_a_cluster_are_the_same_cells(client):
    network = acme.ReactionNetwork.parse("0 => P : k*V\nP -> 0 : g", k=20.0, g=0.1, V=1.0)

    def run(**where):
        rule, rng = acme.Adder(1.0, cv=0.2), np.random.default_rng(5)
        return acme.simulate_tree(network, {}, 4.0, division=rule, growth_rate=0.8, size=3, rng=rng, **where)

    far, near = run(client=client), run()
    np.testing.assert_array_equal(far.end_counts, near.end_counts)
    np.testing.assert_array_equal(far.end_times, near.end_times)


@pytest.mark.thorough
@pytest.mark.jit
@pytest.mark.skipif(os.name == "nt", reason="kills a process by a POSIX signal")
def test_a_worker_that_is_killed_loses_nothing(client):
    expected = simulate(size=2_000, t=300.0)
    workers = client.run(os.getpid)
    victim = next(iter(workers.values()))
    killed = []

    def kill():
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not any(client.processing().values()):
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    result = simulate(size=2_000, t=300.0, client=client)
    killer.join()
    assert killed == [victim]
    np.testing.assert_array_equal(result.counts, expected.counts)


@pytest.mark.jit
def test_an_error_on_a_worker_is_raised_here(client):
    network = acme.ReactionNetwork.parse("0 -> M : k\n0 => P : k - M", k=5.0)
    with pytest.raises(acme.PropensityError, match="line 2, '0 => P : k - M': the propensity is negative"):
        acme.simulate_ssa(network, {}, [0, 50], size=10, rng=np.random.default_rng(1), client=client)

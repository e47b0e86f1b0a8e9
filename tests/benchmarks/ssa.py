"""Exact simulation of the two-stage model: reaction events per second on one core, beside the peers.

All tools simulate 1,000 trajectories to t = 100 from empty and record 101 times. The events are counted once, by acme
(the law of the process is the same for all; each tool's mean protein count is compared with the exact one). Compilation
is not in the figures; acme's first call in a fresh process is measured by itself.
"""

import statistics
import subprocess
import sys
import textwrap
import time

import numpy as np

import acme_lib as acme
from tests.benchmarks.peers import PeerProcess
from tests.benchmarks.table import Row

ROUNDS = 5
TEXT = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\nP -> 0 : g_p"
PARAMETERS = {"k_m": 10.0, "k_p": 5.0, "g_m": 1.0, "g_p": 0.1}
TIMES = np.linspace(0, 100, 101)
PEERS = [
    ("biocircuits", ["biocircuits==0.1.19", "ipython"], "peer_biocircuits.py"),
    # its C++ solver imports setuptools' distutils; newer releases of setuptools warn on every import
    ("gillespy2", ["gillespy2==1.8.3", "setuptools<81"], "peer_gillespy2.py"),
]


def exact_mean():
    """Mean protein count over the recorded times from 50 on, from the moment equations."""
    k_m, k_p, g_m, g_p = PARAMETERS.values()
    t = TIMES[50:]
    limit = k_m * k_p / (g_m * g_p)
    return np.mean(limit * (1 - (g_m * np.exp(-g_p * t) - g_p * np.exp(-g_m * t)) / (g_m - g_p)))


def run():
    """Measure acme and the peers in alternating rounds."""
    network = acme.ReactionNetwork.parse(TEXT, **PARAMETERS)
    rng = np.random.default_rng(1)

    def acme_run(threads):
        start = time.perf_counter()
        ensemble = acme.simulate_ssa(network, {}, TIMES, size=1000, rng=rng, threads=threads)
        return {
            "seconds": time.perf_counter() - start,
            "mean": float(ensemble["P"][:, 50:].mean()),
            "events": int(ensemble.events.sum()),
        }

    acme_run(1)
    peers = [PeerProcess(name, requirements, script) for name, requirements, script in PEERS]
    runs = {name: [] for name in ("acme", "acme, 2 threads", *(peer.name for peer in peers))}
    for _ in range(ROUNDS):
        runs["acme"].append(acme_run(1))
        runs["acme, 2 threads"].append(acme_run(2))
        for peer in peers:
            runs[peer.name].append(peer.measure())
    versions = {peer.name: peer.ready["version"] for peer in peers}
    for peer in peers:
        peer.close()

    events = statistics.median(one["events"] for one in runs["acme"])
    medians = {name: statistics.median(one["seconds"] for one in results) for name, results in runs.items()}
    rows = []
    for name, results in runs.items():
        # mean of 1,000 trajectories: four standard errors are 0.8 % here (Fano factor 5.5, correlation time 10)
        error = statistics.fmean(one["mean"] for one in results) / exact_mean() - 1
        if abs(error) > 0.008:
            raise AssertionError(f"{name} has a mean protein count off by {error:.2%}: not the same process")
        speed = f"{events / medians[name] / 1e6:.1f} million events/s"
        label = f"{name} {versions[name]}" if name in versions else name
        rows.append(Row("two-stage, 1,000 trajectories to t=100", label, medians[name], None, "s", speed))
    for peer in peers:
        ratio = medians[peer.name] / medians["acme"]
        rows.append(
            Row(f"speed against {peer.name}, one core each", "acme", medians["acme"], ratio, "s", "expected 3 or more")
        )
    ratio = medians["acme"] / medians["acme, 2 threads"]
    rows.append(Row("speed of 2 threads against 1", "acme", medians["acme, 2 threads"], ratio, "s"))
    first = statistics.median(first_call() for _ in range(ROUNDS))
    rows.append(Row("first call in a fresh process, disk cache warm", "acme", first, None, "s", "expected under 0.5"))
    return rows


def first_call():
    """Seconds from a parsed network to its first result, in a process that has imported acme."""
    script = f"""
        import time
        import numpy as np
        import acme_lib as acme
        acme.ReactionNetwork, acme.simulate_ssa
        start = time.perf_counter()
        network = acme.ReactionNetwork.parse({TEXT!r}, k_m=10, k_p=5, g_m=1, g_p=0.1)
        acme.simulate_ssa(network, {{}}, np.linspace(0, 100, 101), size=10, rng=np.random.default_rng(1))
        print(time.perf_counter() - start)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, capture_output=True, text=True)
    return float(done.stdout)

"""Exact simulation of three models: seconds on one core, beside five peers and a limit written in C++.

All tools simulate 1,000 trajectories to t = 100 and record 101 times; the rounds alternate. The seconds are CPU
seconds, which other work on the machine disturbs least; only the speed of two threads is of the clock. Compilation is
not in the figures, but first calls in fresh processes are measured by themselves. Each tool's mean is compared with the
exact one.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time

import numpy as np

import acme_lib as acme
from tests.benchmarks.peers import start_compiled, start_peer
from tests.benchmarks.ssa_models import MODELS, SIZE, TIMES, exact_mean, network_of
from tests.benchmarks.table import Row

ROUNDS = 5
PEERS = [
    ("biocircuits", ["biocircuits==0.1.19", "ipython"], "peer_biocircuits.py"),
    ("bioscrape", ["bioscrape==1.4.1", "setuptools<81"], "peer_bioscrape.py"),
    ("bngsim", ["bngsim==0.16"], "peer_bngsim.py"),
    ("COPASI", ["copasi-basico==0.92", "python-copasi==4.48.311"], "peer_copasi.py"),
    # its C++ solver imports setuptools' distutils; newer releases of setuptools warn on every import
    ("GillesPy2", ["gillespy2==1.8.3", "setuptools<81"], "peer_gillespy2.py"),
]
TABLE, SPECIAL, LIMIT = "acme, table-driven", "acme, specialised", "C++ limit"


class Acme:
    """Our own kernels, measured in this process as the peers are in theirs."""

    def __init__(self, compiled, threads):
        self.compiled, self.threads = compiled, threads
        self.networks = {name: network_of(model) for name, model in MODELS.items()}
        self.rng = np.random.default_rng(threads)
        for name in MODELS:
            self.simulate(name, 2)

    def simulate(self, name, size):
        """Return the ensemble of a model."""
        return acme.simulate_ssa(
            self.networks[name],
            MODELS[name]["start"],
            TIMES,
            size=size,
            rng=self.rng,
            compile=self.compiled,
            threads=self.threads,
            progress=False,
        )

    def measure(self, name):
        """Run a model once."""
        cpu, clock = time.process_time(), time.perf_counter()
        ensemble = self.simulate(name, SIZE)
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        late = ensemble.counts[:, 50:, -1].mean(axis=1)
        return {
            "seconds": cpu,
            "clock": clock,
            "mean": float(late.mean()),
            "deviation": float(late.std()),
            "events": int(ensemble.events.sum()),
        }


def run():
    """Measure acme, the peers and the limit in alternating rounds."""
    rows, tools, versions = [], {TABLE: Acme(False, 1), SPECIAL: Acme(True, 1)}, {}
    starts = {LIMIT: functools.partial(start_compiled, "limit", "limit.cpp")}
    for name, requirements, script in PEERS:
        starts[name] = functools.partial(start_peer, name.lower(), requirements, script, json.dumps(MODELS), str(SIZE))
    for name, start in starts.items():
        try:
            tools[name] = start()
            versions[name] = tools[name].ready["version"]
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            rows.append(Row("not measured", name, None, None, "", f"{error}"))
    runs = {(model, tool): [] for model in MODELS for tool in tools}
    pairs = {kind: [] for kind in (False, True)}
    one_and_two = {kind: (Acme(kind, 1), Acme(kind, 2)) for kind in pairs}
    for _ in range(ROUNDS):
        for model in MODELS:
            for name, tool in tools.items():
                runs[model, name].append(tool.measure(model))
        for kind, (one, two) in [*one_and_two.items()] * 4:
            pairs[kind].append((one.measure("two-stage")["clock"], two.measure("two-stage")["clock"]))
    for name, tool in tools.items():
        if name not in (TABLE, SPECIAL):
            tool.close()

    for model in MODELS:
        rows += _rows_of(model, {name: runs[model, name] for name in tools}, versions)
    for kind, name in ((False, TABLE), (True, SPECIAL)):
        ones, twos = zip(*pairs[kind], strict=True)
        ratio = min(ones) / min(twos)  # the least disturbed round of each
        note = "expected 1.8 or more; the shortest of the rounds, by the clock"
        rows.append(Row("speed of 2 threads against 1", name, min(twos), ratio, "s", note))
    return rows + first_calls()


def _rows_of(model, runs, versions):
    events = statistics.median(one["events"] for one in runs[TABLE])
    medians = {name: statistics.median(one["seconds"] for one in results) for name, results in runs.items()}
    deviation = statistics.median(one["deviation"] for one in runs[TABLE])
    best = min((name for name in medians if name not in (TABLE, SPECIAL, LIMIT)), key=medians.get, default=None)
    rows = []
    for name, results in runs.items():
        mean, exact = statistics.fmean(one["mean"] for one in results), exact_mean(model)
        errors = (mean - exact) / (deviation / np.sqrt(SIZE * len(results)))
        if abs(errors) > 5:
            raise AssertionError(f"{name}, {model}: mean {mean:.4g}, not {exact:.4g} ({errors:.1f} standard errors)")
        note = f"{events / medians[name] / 1e6:.1f} million events/s; mean off by {errors:+.1f} standard errors"
        ratio = medians[LIMIT] / medians[name] if LIMIT in medians else None
        label = f"{name} {versions.get(name, '')}".strip()
        rows.append(Row(f"{model}: ratio to the limit's speed", label, medians[name], ratio, "s", note))
    if best is not None:
        for name, least in ((SPECIAL, 4), (TABLE, 1.5)):
            ratio = medians[best] / medians[name]
            note = f"expected {least} or more"
            rows.append(Row(f"{model}: speed against the best peer, {best}", name, medians[name], ratio, "s", note))
    if LIMIT in medians:
        ratio = medians[LIMIT] / medians[SPECIAL]
        rows.append(Row(f"{model}: speed against C++", SPECIAL, medians[SPECIAL], ratio, "s", "expected 0.6 or more"))
    return rows


def first_calls():
    """Seconds from the text of a network to its first result, in a process that has imported acme."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for what, compiled, fresh, limit in (
            ("a never-seen network, table-driven, kernel on disk", False, False, 0.5),
            ("a never-seen network, specialised", True, True, 2.0),
            ("a network of an earlier process, specialised", True, False, 0.5),
        ):
            caches = [os.path.join(folder, str(i) if fresh else "0") for i in range(ROUNDS)]
            cpu, clock = zip(*(first_call(compiled, cache) for cache in caches), strict=True)
            median = statistics.median(cpu)
            note = f"ratio to the limit of {limit} s; by the clock {statistics.median(clock):.2g} s"
            rows.append(Row(f"first call: {what}", "acme", median, median / limit, "s", note))
    return rows


def first_call(compiled, cache):
    """CPU seconds and seconds by the clock of one first call with the kernels of the folder `cache`."""
    script = f"""
        import time
        import numpy as np
        import acme_lib as acme
        acme.ReactionNetwork, acme.simulate_ssa
        cpu, clock = time.process_time(), time.perf_counter()
        network = acme.ReactionNetwork.parse(
            "0 -> M : k_m\\nM -> M + P : k_p\\nM -> 0 : g_m\\nP -> 0 : g_p", k_m=10, k_p=5, g_m=1, g_p=0.1
        )
        rng = np.random.default_rng(1)
        acme.simulate_ssa(network, {{}}, np.linspace(0, 100, 101), size=10, rng=rng, compile={compiled})
        print(time.process_time() - cpu, time.perf_counter() - clock)
    """
    environment = {**os.environ, "ACME_CACHE_DIR": cache}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return tuple(float(number) for number in answer.split())

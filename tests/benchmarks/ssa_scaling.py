"""Cost of exact simulation against size: CPU time an event against reactions, time and memory against trajectories.

The networks of many reactions are independent births and deaths, of which each event changes the propensities of two.
The ensembles are kept as summaries, each in a process of its own whose largest resident memory is read. Exponents are
slopes of straight lines through logarithms; a plot goes to ``.benchmarks/ssa_scaling.png``.
"""

import json
import subprocess
import sys
import textwrap
import time

import numpy as np

import acme_lib as acme
from tests.benchmarks.peers import HOME
from tests.benchmarks.table import Row

REACTIONS = (2, 6, 20, 60, 200, 600, 2000)
MANY = 100  # reactions from which on the cost that grows with them is most of an event's
EVENTS = 300_000
SIZES = tuple(10**k for k in range(3, 8))
ROUNDS = 3


def run():
    """Measure, fit and draw."""
    by_tool = {"direct, table-driven": {}, "direct, specialised": {}, "next reaction": {}}
    for n in REACTIONS:
        for tool, seconds in by_tool.items():
            if tool != "direct, specialised" or n <= 40:
                seconds[n] = seconds_per_event(tool, n)
    rows = []
    for tool, seconds in by_tool.items():
        rows += [
            Row(f"{n} reactions: an event", tool, s * 1e6, s / seconds[2], "µs", "ratio to two reactions")
            for n, s in seconds.items()
        ]
        if any(n >= MANY for n in seconds):
            slope = exponent({n: s for n, s in seconds.items() if n >= MANY})
            rows.append(Row(f"exponent of the cost of an event, {MANY} reactions and more", tool, None, slope, ""))
    ensembles = {size: measure_ensemble(size) for size in SIZES}
    for size, one in ensembles.items():
        note = f"{one['megabytes']:.0f} MB at most, ratio to {SIZES[0]:,} trajectories"
        ratio = one["megabytes"] / ensembles[SIZES[0]]["megabytes"]
        rows.append(Row(f"{size:,} trajectories as a summary", "direct", one["seconds"], ratio, "s", note))
    times, memory = ({size: one[key] for size, one in ensembles.items()} for key in ("seconds", "megabytes"))
    large = {size: s for size, s in times.items() if size >= 10**5}
    rows.append(Row("exponent of the time, 10⁵ trajectories and more", "direct", None, exponent(large), ""))
    rows.append(Row("exponent of the memory", "direct", None, exponent(memory), "", "expected 0"))
    draw(by_tool, times, memory)
    return rows


def seconds_per_event(tool, n_reactions):
    """CPU seconds an event, the median of the rounds, in a stationary state of 5 molecules a species."""
    n = n_reactions // 2
    text = "\n".join(f"0 -> S{i} : k\nS{i} -> 0 : g" for i in range(n))
    network = acme.ReactionNetwork.parse(text, k=5.0, g=1.0)
    simulate, options = acme.simulate_ssa, {"compile": tool == "direct, specialised"}
    if tool == "next reaction":
        simulate, options = acme.simulate_next_reaction, {}
    rng, start = np.random.default_rng(1), np.full(n, 5)
    simulate(network, start, 0.01, rng=rng, **options)  # compiles
    results = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        ensemble = simulate(network, start, EVENTS / (10 * n), rng=rng, threads=1, progress=False, **options)
        results.append((time.process_time() - begin) / ensemble.events.sum())
    return float(np.median(results))


def measure_ensemble(size):
    """CPU seconds and largest megabytes of an ensemble in a fresh process."""
    script = f"""
        import json, resource, sys, time
        from pathlib import Path
        import numpy as np
        import acme_lib as acme
        network = acme.ReactionNetwork.parse("0 -> M : k\\nM -> 0 : g", k=10.0, g=1.0)
        def run(size):
            rng = np.random.default_rng(1)
            start = time.process_time()
            acme.simulate_ssa(network, {{}}, [0, 1], size=size, rng=rng, keep="summary", progress=False, compile=False)
            return time.process_time() - start
        run(1000)
        seconds = run({size})
        status = Path("/proc/self/status")
        if status.exists():  # what Linux reports to getrusage is at least the size of the process that started this one
            (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            megabytes = int(line.split()[1]) / 1e3
        else:
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps({{"seconds": seconds, "megabytes": megabytes}}))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def exponent(values):
    """Slope of the logarithm of the values against that of their sizes."""
    return float(np.polyfit(np.log(list(values)), np.log(list(values.values())), 1)[0])


def draw(by_tool, times, memory):
    """Write the plot."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    styles = ("o-", "s--", "^:")
    for (tool, seconds), style in zip(by_tool.items(), styles, strict=False):
        left.loglog(list(seconds), [s * 1e6 for s in seconds.values()], style, label=tool)
    left.set(xlabel="reactions", ylabel="CPU time an event (µs)")
    right.loglog(list(times), list(times.values()), "o-", label="CPU time (s)")
    right.loglog(list(memory), list(memory.values()), "s--", label="largest memory (MB)")
    right.set(xlabel="trajectories, kept as a summary")
    for axes in (left, right):
        axes.legend()
    HOME.mkdir(exist_ok=True)
    figure.savefig(HOME / "ssa_scaling.png", dpi=150)

"""What every peer's script does: it reads a model's name from each line of its input, runs, and answers with JSON.

This module needs the standard library and NumPy alone: it is imported in the peers' environments.
"""

import json
import os
import sys
import time

import numpy as np

TIMES = np.linspace(0, 100, 101)


def cpu_seconds():
    """CPU seconds of this process and of the processes that it has run."""
    used = os.times()
    return time.process_time() + used.children_user + used.children_system


def serve(version, make):
    """Answer the requests; ``make(model)`` prepares a model and returns a function of the number of trajectories.

    That function simulates and returns counts of the last species, shape (trajectory, time).
    """
    models, size = json.loads(sys.argv[1]), int(sys.argv[2])
    runs = {name: make(name, model) for name, model in models.items()}
    for run in runs.values():
        run(2)  # compiles where there is something to compile
    print(json.dumps({"version": version}), flush=True)
    for line in sys.stdin:
        start = cpu_seconds()
        last = runs[line.strip()](size)
        seconds = cpu_seconds() - start
        if np.shape(last) != (size, len(TIMES)):
            raise AssertionError(f"shape {np.shape(last)}")
        print(json.dumps({"seconds": seconds, "mean": float(np.mean(np.asarray(last)[:, 50:]))}), flush=True)

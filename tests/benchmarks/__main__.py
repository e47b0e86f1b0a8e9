"""Run one benchmark by name."""

import argparse
import importlib
import os
import sys

from tests.benchmarks.table import print_table, write_json

BENCHMARKS = {
    "ssa": "exact simulation beside five peers and a limit in C++",
    "ssa-scaling": "cost and memory of exact simulation against reactions and trajectories, with a plot",
    "acme": "the augmented master equation beside Flips, the solver of the paper; with a plot",
    "cme": "the master equation beside SciPy's solvers, its cost against states, a toggle switch, adaptive projection",
    "grading": "stock nbgrader and ours on the same submissions (ACME_SUBMISSIONS of them, 200 by default)",
    "grading-scaling": "ours against the number of submissions, 50 to 2,000: seconds and memory",
    "notebooks": "cold and warm seconds and megabytes of each chapter, redraw time of its sliders in the kernel",
    "widgets": "each slider of each chapter in JupyterLab and Chromium, from the hand to the new picture",
    "present": "each demonstration in Chromium at 1920 × 1080, from the hand to the new picture",
}


def main(arguments=None):
    """Parse the command line, run, print the table and write the rows."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", choices=BENCHMARKS, help="; ".join(f"{k}: {v}" for k, v in BENCHMARKS.items()))
    parser.add_argument("--json", metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("--skip-long", action="store_true", help="acme: leave out the longest runs of the peer")
    options = parser.parse_args(arguments)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # of linear algebra: seconds of one core, ours and the peers'
    run = importlib.import_module(f"tests.benchmarks.{options.name.replace('-', '_')}").run
    rows = run(skip_long=True) if options.skip_long and options.name == "acme" else run()
    print_table(rows)
    if options.json:
        write_json(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())

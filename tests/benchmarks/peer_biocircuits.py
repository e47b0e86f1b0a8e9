"""biocircuits on the two-stage model; runs in its own environment."""

import json
import sys
import time

import biocircuits
import numba
import numpy as np


@numba.njit
def propensities(a, population, t, k_m, k_p, g_m, g_p):
    m, p = population
    a[0] = k_m
    a[1] = k_p * m
    a[2] = g_m * m
    a[3] = g_p * p


CHANGES = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=int)
TIMES = np.linspace(0, 100, 101)
SIZE = 1000


def run(size=SIZE):
    start = time.perf_counter()
    samples = biocircuits.gillespie_ssa(
        propensities, CHANGES, np.zeros(2, dtype=int), TIMES, size=size, args=(10.0, 5.0, 1.0, 0.1)
    )
    return {"seconds": time.perf_counter() - start, "mean": float(samples[:, 50:, 1].mean())}


run(2)  # compiles
print(json.dumps({"version": biocircuits.__version__}), flush=True)
for _ in sys.stdin:
    print(json.dumps(run()), flush=True)

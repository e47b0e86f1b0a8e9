"""biocircuits; runs in its own environment."""

import biocircuits
import numba
import numpy as np
from peer import TIMES, serve


@numba.njit
def two_stage(a, population, t, c0, c1, c2, c3):
    m, p = population
    a[0] = c0
    a[1] = c1 * m
    a[2] = c2 * m
    a[3] = c3 * p


@numba.njit
def telegraph(a, population, t, c0, c1, c2, c3):
    off, on, m = population
    a[0] = c0 * off
    a[1] = c1 * on
    a[2] = c2 * on
    a[3] = c3 * m


@numba.njit
def dimerisation(a, population, t, c0, c1, c2, c3, c4):
    s, d = population
    a[0] = c0
    a[1] = c1 * s
    a[2] = c2 * s * (s - 1) / 2
    a[3] = c3 * d
    a[4] = c4 * d


PROPENSITIES = {"two-stage": two_stage, "telegraph": telegraph, "dimerisation": dimerisation}


def make(name, model):
    species = list(model["start"])
    sides = [(left, right) for _, left, right in model["reactions"]]
    changes = np.array([[right.count(s) - left.count(s) for s in species] for left, right in sides], dtype=int)
    start = np.array(list(model["start"].values()), dtype=int)
    constants = tuple(float(constant) for constant, *_ in model["reactions"])

    def run(size):
        samples = biocircuits.gillespie_ssa(PROPENSITIES[name], changes, start, TIMES, size=size, args=constants)
        return samples[:, :, -1]

    return run


serve(biocircuits.__version__, make)

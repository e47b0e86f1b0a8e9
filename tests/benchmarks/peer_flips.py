"""Flips, the solver of the paper; runs in its own environment.

It reads a case as JSON from each line, builds and solves it, and answers with CPU seconds, nodes and densities.
"""

import collections
import collections.abc
import json
import sys
import time

collections.Mapping = collections.abc.Mapping  # it predates Python 3.10
collections.Iterable = collections.abc.Iterable

import flips.flips as fl  # noqa: E402
import numpy as np  # noqa: E402


def hill(S, L, t):
    high = S["X"] ** 4
    return 2.0 + 10.0 * high / (1.0 + high)


def bursty(dx, end, t):
    """Model (10)."""
    reactions = [
        [{}, {"X": 1}, fl.burst(fl.static_rate(hill), 40.0)],
        [{"X": 1}, {}, 1.0],
    ]
    solver = fl.solver(reactions, L=200, lump=200 * dx, num_lumps=round(end / dx) + 1, diffusion=0)
    solver.set_initial_conditions("uniform")
    solver.solve(t, save=2, bar=None)
    return 200 * solver.p  # it keeps probabilities a molecule


def messengers(dx, end, t, gamma, most):
    """Model (6), from a uniform start without messengers."""

    def translate(S, L, t):
        return S["M"] * gamma * 40.0 / L

    reactions = [
        [{}, {"X": 1}, fl.static_rate(translate)],
        [{"X": 1}, {}, 1.0],
    ]
    discrete = [
        [{}, {"M": 1}, fl.static_rate(hill)],
        [{"M": 1}, {}, gamma],
    ]
    solver = fl.solver(
        reactions,
        {"M": most + 1},
        discrete,
        L=200,
        lump=200 * dx,
        num_lumps=round(end / dx) + 1,
        diffusion=0,
    )
    start = solver.get_zero_initial_conditions()
    start[:, 0] = 1.0
    solver.set_initial_conditions(start)
    solver.solve(t, save=2, bar=None)
    return 200 * solver.p.sum(axis=1)


def selection(dx, t, birth_factor, growth):
    """Fig 6: a phantom state, entered at a negative rate."""

    def birth(S, L, t):
        return birth_factor * S["X"] * (1.0 - S["X"])

    def leave(S, L, t):
        return -growth * S["X"] if S["G"] == 0 else 0.0

    reactions = [
        [{}, {"X": 1}, lambda S: fl.static_rate(birth) if S["G"] == 0 else 0],
        [{"X": 1}, {}, lambda S: 1.0 if S["G"] == 0 else 0],
    ]
    discrete = [[{}, {"G": 1}, fl.static_rate(leave)]]
    n = int(np.floor(1.0 / dx)) + 1
    solver = fl.solver(reactions, {"G": 2}, discrete, L=1000, lump=1000 * dx, num_lumps=n, diffusion=1)
    start = solver.get_zero_initial_conditions()
    x = dx * np.arange(n)
    start[:, 0] = np.exp(-0.5 * ((x - 0.1) / 0.02) ** 2)
    solver.set_initial_conditions(start)
    solver.solve(t, save=2, bar=None)
    return 1000 * solver.p[:, 0]


def growth_fragmentation(dx, end, t, a, k, start):
    """Fig 7B; the start is the density at the nodes."""

    def grow(S, L, t):
        return S["X"]

    def breaks(S, L, t):
        return a * S["X"] ** k

    reactions = [
        [{}, {"X": 1}, lambda S: fl.static_rate(grow) if S["D"] == 0 else 0],
        [
            {"X": 1},
            {"X": 2},
            lambda S: fl.fragment(fl.static_rate(breaks), lambda u: u) if S["D"] == 0 else 0,
        ],
    ]
    discrete = [[{}, {"D": 1}, 1.0]]
    solver = fl.solver(reactions, {"D": 2}, discrete, L=200, lump=200 * dx, num_lumps=round(end / dx) + 1, diffusion=0)
    values = solver.get_zero_initial_conditions()
    values[:, 0] = start
    solver.set_initial_conditions(values)
    solver.solve(t, save=2, bar=None)
    # it normalises what it is given
    return 200 * solver.p[:, 0] * np.sum(start) * dx


CASES = {
    "bursty": bursty,
    "messengers": messengers,
    "selection": selection,
    "growth-fragmentation": growth_fragmentation,
}


if __name__ == "__main__":
    from importlib.metadata import version

    print(json.dumps({"version": version("flips")}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        begin = time.process_time()
        density = CASES[request.pop("case")](**request)
        seconds = time.process_time() - begin
        nodes = request["dx"] * np.arange(len(density))
        print(
            json.dumps({"seconds": seconds, "nodes": nodes.tolist(), "density": np.asarray(density).tolist()}),
            flush=True,
        )

"""The models of the benchmark `ssa`, as plain data that every peer's script can read.

A reaction is (constant, reactants, products); the propensity is the constant times the distinct sets of reactants, so
that the constant 0.04 of ``2 S -> D`` is the 0.02 of ``0.02 S (S - 1)``.
"""

import numpy as np

import acme_lib as acme

TIMES = np.linspace(0, 100, 101)
SIZE = 1000
MODELS = {
    "two-stage": {
        "start": {"M": 0, "P": 0},
        "reactions": [(10.0, [], ["M"]), (5.0, ["M"], ["M", "P"]), (1.0, ["M"], []), (0.1, ["P"], [])],
    },
    "telegraph": {
        "start": {"OFF": 1, "ON": 0, "M": 0},
        "reactions": [(0.2, ["OFF"], ["ON"]), (0.8, ["ON"], ["OFF"]), (40.0, ["ON"], ["ON", "M"]), (1.0, ["M"], [])],
    },
    "dimerisation": {
        "start": {"S": 0, "D": 0},
        "reactions": [
            (20.0, [], ["S"]),
            (0.5, ["S"], []),
            (0.04, ["S", "S"], ["D"]),
            (0.5, ["D"], ["S", "S"]),
            (0.2, ["D"], []),
        ],
    },
}


def network_of(model):
    """Return a model as a network of ours; its start counts are ``model["start"]``."""
    lines = [
        f"{' + '.join(left) or '0'} -> {' + '.join(right) or '0'} : k{j}"
        for j, (_, left, right) in enumerate(model["reactions"])
    ]
    return acme.ReactionNetwork.parse("\n".join(lines), **{f"k{j}": r[0] for j, r in enumerate(model["reactions"])})


def exact_mean(name):
    """Mean count of the last species over the recorded times from 50 on."""
    if name == "two-stage":
        k_m, k_p, g_m, g_p = (constant for constant, *_ in MODELS[name]["reactions"])
        t = TIMES[50:]
        limit = k_m * k_p / (g_m * g_p)
        return np.mean(limit * (1 - (g_m * np.exp(-g_p * t) - g_p * np.exp(-g_m * t)) / (g_m - g_p)))
    if name == "telegraph":  # stationary to e^-50
        k_on, k_off, s, g = (constant for constant, *_ in MODELS[name]["reactions"])
        return s / g * k_on / (k_on + k_off)
    # the master equation, with 1e-12 of its probability beyond the bounds; stationary to about e^-15
    network = network_of(MODELS[name])
    return stationary_mean(network, {"S": 110, "D": 90})


def stationary_mean(network, most):
    """Mean of the last species in the stationary state on the states up to `most`."""
    space = acme.StateSpace.box(network, **most)
    law = acme.solve_stationary(acme.build_generator(network, space, boundary="reflecting"))
    return float(law.mean(network.species[-1]))

"""bioscrape; runs in its own environment."""

import importlib.metadata

import numpy as np
from bioscrape.random import py_seed_random
from bioscrape.simulator import ModelCSimInterface, SSASimulator
from bioscrape.types import Model
from peer import TIMES, serve


def make(name, model):
    reactions = []
    for constant, left, right in model["reactions"]:
        pair = len(left) == 2 and left[0] == left[1]  # its mass action of pairs is k S (S - 1)
        reactions.append((left, right, "massaction", {"k": constant / 2 if pair else constant}))
    start = {species: float(count) for species, count in model["start"].items()}
    built = Model(species=list(start), reactions=reactions, initial_condition_dict=start)
    last = built.get_species_index(list(start)[-1])
    simulator = SSASimulator()

    def run(size):
        counts = np.empty((size, len(TIMES)))
        for i in range(size):
            interface = ModelCSimInterface(built)
            interface.py_set_initial_time(0.0)
            counts[i] = simulator.py_simulate(interface, TIMES).py_get_result()[:, last]
        return counts

    return run


py_seed_random(1)
serve(importlib.metadata.version("bioscrape"), make)

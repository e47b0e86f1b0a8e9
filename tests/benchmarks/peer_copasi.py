"""COPASI's direct method, by basico; runs in its own environment."""

import basico
import COPASI
import numpy as np
from peer import TIMES, serve


def make(name, model):
    built = basico.new_model(name=name, quantity_unit="#", volume_unit="1", time_unit="s")
    for species, count in model["start"].items():
        basico.add_species(species, initial_particle_number=count, model=built)
    for j, (constant, left, right) in enumerate(model["reactions"]):
        basico.add_reaction(f"r{j}", f"{' + '.join(left)} -> {' + '.join(right)}", model=built)
        pair = len(left) == 2 and left[0] == left[1]  # its mass action of pairs is k S (S - 1)
        parameter = f"(r{j}).{'k1' if left else 'v'}"
        basico.set_reaction_parameters(parameter, value=constant / 2 if pair else constant, model=built)
    last = list(model["start"])[-1]
    seeds = iter(range(1, 10_000_000))

    def run(size):
        counts = np.empty((size, len(TIMES)))
        for i in range(size):
            options = {"method": "directMethod", "use_numbers": True, "use_seed": True, "seed": next(seeds)}
            counts[i] = basico.run_time_course(0, 100, 100, model=built, **options)[last]
        return counts

    return run


serve(COPASI.__version__, make)

"""GillesPy2's C++ solver on the two-stage model; runs in its own environment."""

import json
import sys
import time

import gillespy2
import numpy as np

SIZE = 1000


def build():
    model = gillespy2.Model(name="two_stage")
    values = {"k_m": 10.0, "k_p": 5.0, "g_m": 1.0, "g_p": 0.1}
    model.add_parameter([gillespy2.Parameter(name=name, expression=str(value)) for name, value in values.items()])
    model.add_species([gillespy2.Species(name=name, initial_value=0, mode="discrete") for name in ("M", "P")])
    model.add_reaction(
        [
            gillespy2.Reaction(name="r1", reactants={}, products={"M": 1}, rate="k_m"),
            gillespy2.Reaction(name="r2", reactants={"M": 1}, products={"M": 1, "P": 1}, rate="k_p"),
            gillespy2.Reaction(name="r3", reactants={"M": 1}, products={}, rate="g_m"),
            gillespy2.Reaction(name="r4", reactants={"P": 1}, products={}, rate="g_p"),
        ]
    )
    model.timespan(gillespy2.TimeSpan(np.linspace(0, 100, 101)))
    return model


model = build()
solver = gillespy2.SSACSolver(model)


def run(size=SIZE):
    start = time.perf_counter()
    results = solver.run(number_of_trajectories=size, seed=1)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "mean": float(np.mean([trajectory["P"][50:] for trajectory in results]))}


run(2)  # compiles
print(json.dumps({"version": gillespy2.__version__}), flush=True)
for _ in sys.stdin:
    print(json.dumps(run()), flush=True)

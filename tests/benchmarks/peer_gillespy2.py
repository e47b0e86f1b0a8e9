"""GillesPy2's C++ solver; runs in its own environment."""

import gillespy2
from peer import TIMES, serve


def make(name, model):
    built = gillespy2.Model(name=name.replace("-", "_"))
    for j, (constant, *_) in enumerate(model["reactions"]):
        built.add_parameter(gillespy2.Parameter(name=f"c{j}", expression=str(constant)))
    for species, count in model["start"].items():
        built.add_species(gillespy2.Species(name=species, initial_value=count, mode="discrete"))
    for j, (_, left, right) in enumerate(model["reactions"]):
        sides = ({species: side.count(species) for species in side} for side in (left, right))
        reactants, products = sides
        built.add_reaction(gillespy2.Reaction(name=f"r{j}", reactants=reactants, products=products, **rate(j, left)))
    built.timespan(gillespy2.TimeSpan(TIMES))
    solver = gillespy2.SSACSolver(built)
    last = list(model["start"])[-1]
    seeds = iter(range(1, 1000))

    def run(size):
        return [one[last] for one in solver.run(number_of_trajectories=size, seed=next(seeds))]

    return run


def rate(j, reactants):
    if len(reactants) == 2 and reactants[0] == reactants[1]:  # its mass action of pairs is c S (S - 1)
        s = reactants[0]
        return {"propensity_function": f"c{j}*{s}*({s} - 1)/2"}
    return {"rate": f"c{j}"}


serve(gillespy2.__version__, make)

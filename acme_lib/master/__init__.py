"""The chemical master equation: state spaces, the generator, its stationary law and its solution in time."""

from acme_lib.master.distribution import StateDistribution, total_variation
from acme_lib.master.generator import Generator, build_generator
from acme_lib.master.state_space import StateSpace
from acme_lib.master.stationary import StationaryDistribution, solve_stationary
from acme_lib.master.transient import TransientDistribution, solve_transient

__all__ = [
    "Generator",
    "StateDistribution",
    "StateSpace",
    "StationaryDistribution",
    "TransientDistribution",
    "build_generator",
    "solve_stationary",
    "solve_transient",
    "total_variation",
]

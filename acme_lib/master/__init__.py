"""The chemical master equation: state spaces, the generator, and what is solved with it."""

from acme_lib.cost import Cost
from acme_lib.master.distribution import StateDistribution, total_variation
from acme_lib.master.first_passage import (
    FirstPassageLaw,
    FirstPassageMoments,
    find_first_passage_moments,
    find_splitting_probabilities,
    solve_first_passage,
)
from acme_lib.master.flux import ProbabilityFluxes, find_probability_fluxes
from acme_lib.master.generator import Generator, build_generator
from acme_lib.master.projection import ProjectedDistribution, solve_finite_state_projection
from acme_lib.master.relaxation import Relaxation, find_relaxation
from acme_lib.master.sensitivity import (
    Sensitivity,
    differentiate_generator,
    find_stationary_sensitivity,
    find_transient_sensitivity,
)
from acme_lib.master.state_space import StateSpace
from acme_lib.master.stationary import StationaryDistribution, solve_stationary
from acme_lib.master.transient import TransientDistribution, solve_transient

__all__ = [
    "Cost",
    "FirstPassageLaw",
    "FirstPassageMoments",
    "Generator",
    "ProbabilityFluxes",
    "ProjectedDistribution",
    "Relaxation",
    "Sensitivity",
    "StateDistribution",
    "StateSpace",
    "StationaryDistribution",
    "TransientDistribution",
    "build_generator",
    "differentiate_generator",
    "find_first_passage_moments",
    "find_probability_fluxes",
    "find_relaxation",
    "find_splitting_probabilities",
    "find_stationary_sensitivity",
    "find_transient_sensitivity",
    "solve_finite_state_projection",
    "solve_first_passage",
    "solve_stationary",
    "solve_transient",
    "total_variation",
]

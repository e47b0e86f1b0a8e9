"""Approximations, each with a warning light: moments and closures, linear noise, Kramers-Moyal; methods compared."""

from acme_lib.approximate.assess import assess
from acme_lib.approximate.central_moments import CentralMomentEquations
from acme_lib.approximate.compare import compare
from acme_lib.approximate.compare_ensembles import EnsembleComparison, compare_ensembles, compare_with_exact
from acme_lib.approximate.comparison import MethodComparison, MethodResult
from acme_lib.approximate.fixed_points import FixedPoints, find_fixed_points
from acme_lib.approximate.fokker_planck import FokkerPlanckDensity, solve_stationary_fokker_planck
from acme_lib.approximate.kramers_moyal import KramersMoyalExpansion, expand_kramers_moyal
from acme_lib.approximate.linear_noise import (
    LinearNoiseInTime,
    StationaryLinearNoise,
    solve_linear_noise,
    solve_stationary_linear_noise,
)
from acme_lib.approximate.moments import Moments, solve_moments, solve_stationary_moments
from acme_lib.approximate.result import ApproximateMoments
from acme_lib.approximate.trust import Measure, Trust

__all__ = [
    "ApproximateMoments",
    "CentralMomentEquations",
    "EnsembleComparison",
    "FixedPoints",
    "FokkerPlanckDensity",
    "KramersMoyalExpansion",
    "LinearNoiseInTime",
    "Measure",
    "MethodComparison",
    "MethodResult",
    "Moments",
    "StationaryLinearNoise",
    "Trust",
    "assess",
    "compare",
    "compare_ensembles",
    "compare_with_exact",
    "expand_kramers_moyal",
    "find_fixed_points",
    "solve_linear_noise",
    "solve_moments",
    "solve_stationary_fokker_planck",
    "solve_stationary_linear_noise",
    "solve_stationary_moments",
]

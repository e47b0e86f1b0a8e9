"""Noise: estimators with standard errors."""

from acme_lib.noise.estimate import Estimate
from acme_lib.noise.estimators import coefficient_of_variation, fano_factor, squared_coefficient_of_variation

__all__ = ["Estimate", "coefficient_of_variation", "fano_factor", "squared_coefficient_of_variation"]

"""Exact laws and exact moments, in the manner of scipy.stats."""

from acme_lib.laws.compound import BurstyBirthDeath, BurstyTransient, bursty_birth_death, bursty_birth_death_transient
from acme_lib.laws.count_law import CountLaw, Tabulated, measure_distance, tabulated
from acme_lib.laws.linear_birth_death import BirthDeathTransient, birth_death, birth_death_transient
from acme_lib.laws.poisson import NegativeBinomial, Poisson, negative_binomial, poisson
from acme_lib.laws.promoters import Promoter, promoter, refractory
from acme_lib.laws.telegraph import Telegraph, telegraph
from acme_lib.laws.two_stage import (
    TwoStageMoments,
    two_stage,
    two_stage_correlations,
    two_stage_moments,
    two_stage_transient_means,
)

__all__ = [
    "BirthDeathTransient",
    "Telegraph",
    "TwoStageMoments",
    "birth_death",
    "birth_death_transient",
    "telegraph",
    "two_stage_moments",
    "two_stage_transient_means",
]

"""Exact laws and exact moments, in the manner of scipy.stats."""

from acme_lib.laws.linear_birth_death import BirthDeathTransient, birth_death, birth_death_transient
from acme_lib.laws.population_balance import (
    balanced_coagulation_density,
    coagulation_density,
    fragmentation_density,
    fragmentation_moment,
    growth_fragmentation_density,
)
from acme_lib.laws.selection import (
    GrowthMode,
    birth_death_growth_mode,
    selected_logistic_limit,
    selected_logistic_mode,
)
from acme_lib.laws.self_regulation import SelfRegulation, self_regulation
from acme_lib.laws.telegraph import Telegraph, telegraph
from acme_lib.laws.two_stage import TwoStageMoments, two_stage_moments, two_stage_transient_means

__all__ = [
    "BirthDeathTransient",
    "GrowthMode",
    "SelfRegulation",
    "Telegraph",
    "TwoStageMoments",
    "balanced_coagulation_density",
    "birth_death",
    "birth_death_growth_mode",
    "birth_death_transient",
    "coagulation_density",
    "fragmentation_density",
    "fragmentation_moment",
    "growth_fragmentation_density",
    "selected_logistic_limit",
    "selected_logistic_mode",
    "self_regulation",
    "telegraph",
    "two_stage_moments",
    "two_stage_transient_means",
]

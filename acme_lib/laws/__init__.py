"""Exact laws and exact moments, in the manner of scipy.stats."""

from acme_lib.laws.linear_birth_death import BirthDeathTransient, birth_death, birth_death_transient
from acme_lib.laws.two_stage import TwoStageMoments, two_stage_moments, two_stage_transient_means

__all__ = [
    "BirthDeathTransient",
    "TwoStageMoments",
    "birth_death",
    "birth_death_transient",
    "two_stage_moments",
    "two_stage_transient_means",
]

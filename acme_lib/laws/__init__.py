"""Exact laws and exact moments, in the manner of scipy.stats."""

from acme_lib.laws.linear_birth_death import BirthDeathTransient, birth_death, birth_death_transient
from acme_lib.laws.telegraph import Telegraph, telegraph
from acme_lib.laws.two_stage import TwoStageMoments, two_stage_moments, two_stage_transient_means

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

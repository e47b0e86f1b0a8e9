"""Exact laws and exact moments, in the manner of scipy.stats.

A law of counts (`CountLaw`) has `pmf`, `logpmf`, `cdf`, `sf`, `ppf`, `isf`, `mean`, `var`, `std`, `skewness`,
`fano_factor`, `table` and ``rvs(size, rng=rng)``; a law of times (`PhaseType`) has `pdf` in place of `pmf`.

>>> from acme_lib import laws
>>> law = laws.two_stage(k_m=10, k_p=3, g_m=1, g_p=0.1)
>>> law.mean(), float(law.ppf(0.5))
(300.0, 299.0)
"""

from acme_lib.laws.compound import BurstyBirthDeath, BurstyTransient, bursty_birth_death, bursty_birth_death_transient
from acme_lib.laws.count_law import CountLaw, Tabulated, measure_distance, tabulated
from acme_lib.laws.limits import Limit, find_limits
from acme_lib.laws.linear_birth_death import BirthDeathTransient, birth_death, birth_death_transient
from acme_lib.laws.mixtures import Mixture, mix
from acme_lib.laws.phases import PhaseType, phase_type
from acme_lib.laws.poisson import NegativeBinomial, Poisson, negative_binomial, poisson
from acme_lib.laws.population_balance import (
    balanced_coagulation_density,
    coagulation_density,
    fragmentation_density,
    fragmentation_moment,
    growth_fragmentation_density,
)
from acme_lib.laws.promoter_transient import PromoterTransient, promoter_transient, telegraph_transient
from acme_lib.laws.promoters import Promoter, promoter, refractory
from acme_lib.laws.reporters import ReporterMoments, dual_reporter_moments
from acme_lib.laws.selection import (
    BirthDeathGrowthMode,
    birth_death_growth_mode,
    selected_logistic_limit,
    selected_logistic_mode,
)
from acme_lib.laws.self_regulation import SelfRegulation, self_regulation
from acme_lib.laws.telegraph import Telegraph, telegraph
from acme_lib.laws.two_stage import (
    TwoStageCorrelations,
    TwoStageMoments,
    TwoStageProtein,
    two_stage,
    two_stage_correlations,
    two_stage_moments,
    two_stage_transient_means,
)
from acme_lib.laws.waiting_times import (
    birth_interval,
    dwell_time,
    erlang,
    exponential,
    first_passage_up,
    hypoexponential,
)

__all__ = [
    "BirthDeathGrowthMode",
    "BirthDeathTransient",
    "SelfRegulation",
    "BurstyBirthDeath",
    "BurstyTransient",
    "CountLaw",
    "Limit",
    "Mixture",
    "NegativeBinomial",
    "PhaseType",
    "Poisson",
    "Promoter",
    "PromoterTransient",
    "ReporterMoments",
    "Tabulated",
    "Telegraph",
    "TwoStageCorrelations",
    "TwoStageMoments",
    "balanced_coagulation_density",
    "TwoStageProtein",
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
    "birth_interval",
    "bursty_birth_death",
    "bursty_birth_death_transient",
    "dual_reporter_moments",
    "dwell_time",
    "erlang",
    "exponential",
    "find_limits",
    "first_passage_up",
    "hypoexponential",
    "measure_distance",
    "mix",
    "negative_binomial",
    "phase_type",
    "poisson",
    "promoter",
    "promoter_transient",
    "refractory",
    "tabulated",
    "telegraph",
    "telegraph_transient",
    "two_stage",
    "two_stage_correlations",
    "two_stage_moments",
    "two_stage_transient_means",
]

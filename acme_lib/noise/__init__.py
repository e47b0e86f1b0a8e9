"""Noise: what counts tell, and with which uncertainty."""

from acme_lib.noise.autocorrelation import Autocorrelation, autocorrelation
from acme_lib.noise.count_table import CountTable, read_counts
from acme_lib.noise.estimate import Estimate
from acme_lib.noise.estimators import (
    coefficient_of_variation,
    fano_factor,
    skewness,
    squared_coefficient_of_variation,
)
from acme_lib.noise.gene_fits import GeneFit, fit_genes
from acme_lib.noise.goodness import GoodnessOfFit, goodness_of_fit
from acme_lib.noise.myc import myc_counts
from acme_lib.noise.negative_binomial_fit import NegativeBinomialFit, best_negative_binomial, fit_negative_binomial
from acme_lib.noise.profile import Fitted
from acme_lib.noise.reporters import DualReporter, NoiseParts, decompose_covariance, decompose_dual_reporter
from acme_lib.noise.strata import StrataVariance, variance_by_strata
from acme_lib.noise.telegraph_fit import TelegraphFit, fit_telegraph
from acme_lib.noise.time_weighted import TimeWeighted, time_weighted_moments, trajectory_moments

__all__ = [
    "Autocorrelation",
    "CountTable",
    "DualReporter",
    "Estimate",
    "Fitted",
    "GeneFit",
    "GoodnessOfFit",
    "NegativeBinomialFit",
    "NoiseParts",
    "StrataVariance",
    "TelegraphFit",
    "TimeWeighted",
    "autocorrelation",
    "best_negative_binomial",
    "coefficient_of_variation",
    "decompose_covariance",
    "decompose_dual_reporter",
    "fano_factor",
    "fit_genes",
    "fit_negative_binomial",
    "fit_telegraph",
    "goodness_of_fit",
    "myc_counts",
    "read_counts",
    "skewness",
    "squared_coefficient_of_variation",
    "time_weighted_moments",
    "trajectory_moments",
    "variance_by_strata",
]

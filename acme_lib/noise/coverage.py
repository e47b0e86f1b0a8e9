r"""How often the intervals cover the truth, and how often a true law is rejected: measured, not promised.

``python -m acme_lib.noise.coverage`` prints the tables below (a quarter of an hour; ``--repetitions``, ``--seed`` and
``--tables`` change them). Samples are drawn from laws whose measures are known. Figures are per cent; at 1,000
repetitions (a half of them for reporters and bursts, a tenth for telegraph laws) their standard error is 0.7, 1 and 2.

"""

import argparse
import warnings

import numpy as np
from scipy import stats

from acme_lib.errors import CannotTellWarning
from acme_lib.laws import telegraph
from acme_lib.noise.bursts import best_negative_binomial, fit_negative_binomial, fit_telegraph
from acme_lib.noise.estimators import (
    coefficient_of_variation,
    fano_factor,
    skewness,
    squared_coefficient_of_variation,
)
from acme_lib.noise.goodness import goodness_of_fit
from acme_lib.noise.reporters import decompose_dual_reporter

MEASURES = {
    "F": (fano_factor, lambda law: law.var() / law.mean()),
    "CV2": (squared_coefficient_of_variation, lambda law: law.var() / law.mean() ** 2),
    "CV": (coefficient_of_variation, lambda law: law.std() / law.mean()),
    "skewness": (skewness, lambda law: float(law.stats("s"))),
}


def count_law(mean, fano):
    """Return the negative binomial law of a mean and a Fano factor, Poisson at 1."""
    if fano == 1:
        return stats.poisson(mean)
    return stats.nbinom(mean / (fano - 1), 1 / fano)


def cover_measures(law, n, repetitions, rng, names=tuple(MEASURES)):
    """Return, by measure, the share of intervals that cover and of those without an upper end, and the samples used.

    Parameters
    ----------
    law : scipy.stats frozen distribution
    n : int
        Samples behind each interval.
    repetitions : int
    rng : numpy.random.Generator
    names : sequence of str
        Of `MEASURES`.

    Returns
    -------
    shares : dict of str to (float, float)
    used : int
        Repetitions in which not all counts were equal.
    """
    samples = law.rvs((n, repetitions), random_state=rng)
    samples = samples[:, samples.min(axis=0) < samples.max(axis=0)]
    shares = dict.fromkeys(names, (np.nan, np.nan))
    for name in names if samples.size else ():
        measure, exact = MEASURES[name]
        truth = exact(law)
        ends = [measure(part).interval() for part in np.array_split(samples, max(samples.shape[1] // 200, 1), axis=1)]
        low, high = (np.concatenate(side) for side in zip(*ends, strict=True))
        shares[name] = (float(np.mean((low <= truth) & (truth <= high))), float(np.mean(np.isinf(high))))
    return shares, samples.shape[1]


def cover_reporters(shape, scale, n, repetitions, rng):
    """Return the shares of intervals that cover the intrinsic, extrinsic and total variance.

    The reporters are Poisson in each cell, about a mean that varies from cell to cell as a gamma law: the exact parts
    are ``shape·scale`` and ``shape·scale²``.

    Parameters
    ----------
    shape, scale : float
    n, repetitions : int
    rng : numpy.random.Generator

    Returns
    -------
    tuple of float
    """
    truth = np.array([shape * scale, shape * scale**2, shape * scale * (1 + scale)])
    covered = np.zeros(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repetitions):
            cell = rng.gamma(shape, scale, n)
            parts = decompose_dual_reporter(rng.poisson(cell), rng.poisson(cell))
            ends = np.array([part.interval() for part in (parts.intrinsic, parts.extrinsic, parts.total)])
            covered += (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return tuple((covered / repetitions).tolist())


def reject_true_law(law, n, repetitions, rng):
    """Return how often the G-test rejects at 5 %.

    Parameters
    ----------
    law : scipy.stats frozen distribution
        Negative binomial, or Poisson.
    n, repetitions : int
    rng : numpy.random.Generator

    Returns
    -------
    tuple of float
        For the law itself, and for the negative binomial law fitted to the counts: by `p_value`, and by `p_upper`.
    """
    rejected = np.zeros(3)
    for _ in range(repetitions):
        counts = law.rvs(n, random_state=rng)
        fitted = goodness_of_fit(counts, best_negative_binomial(counts), fitted_parameters=2)
        values = goodness_of_fit(counts, law).p_value, fitted.p_value, fitted.p_upper
        rejected += [value < 0.05 for value in values]
    return tuple((rejected / repetitions).tolist())


def cover_bursts(mean, burst_size, n, repetitions, rng):
    """Return the shares of profile intervals that cover mean, burst frequency and burst size.

    Parameters
    ----------
    mean, burst_size : float
    n, repetitions : int
    rng : numpy.random.Generator

    Returns
    -------
    tuple of float
    """
    truth = (mean, mean / burst_size, burst_size)
    covered = np.zeros(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CannotTellWarning)
        for _ in range(repetitions):
            fit = fit_negative_binomial(count_law(mean, 1 + burst_size).rvs(n, random_state=rng))
            fitted = (fit.mean, fit.burst_frequency, fit.burst_size)
            covered += [one.low <= value <= one.high for one, value in zip(fitted, truth, strict=True)]
    return tuple((covered / repetitions).tolist())


def cover_telegraph(k_on, k_off, s, n, repetitions, rng):
    """Return the shares of profile intervals that cover k_on, k_off and s, and of fits that bound all three.

    Parameters
    ----------
    k_on, k_off, s : float
    n, repetitions : int
    rng : numpy.random.Generator

    Returns
    -------
    tuple of float
    """
    covered = np.zeros(4)
    law = telegraph(k_on, k_off, s)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CannotTellWarning)
        for _ in range(repetitions):
            fit = fit_telegraph(law.rvs(n, rng=rng))
            pairs = zip((fit.k_on, fit.k_off, fit.s), (k_on, k_off, s), strict=True)
            covered += [*(one.low <= value <= one.high for one, value in pairs), fit.identifiable]
    return tuple((covered / repetitions).tolist())


def _per_cent(*values):
    return " ".join(f"{100 * value:6.1f}" for value in values)


def _print_measures(repetitions, rng):
    print("95 % intervals that cover / without an upper end (%)")
    print("   n   mean  Fano" + "".join(f"{name:>16}" for name in MEASURES) + "   left out")
    for n in (20, 100):
        for mean in (0.1, 1, 3, 10, 100):
            for fano in (1, 2, 6, 21):
                shares, used = cover_measures(count_law(mean, fano), n, repetitions, rng)
                columns = "".join(f"{_per_cent(a)} /{_per_cent(b)} " for a, b in shares.values())
                print(f"{n:4d} {mean:6g} {fano:5g} {columns}{_per_cent(1 - used / repetitions)}", flush=True)


def _print_reporters(repetitions, rng):
    print("95 % intervals of two reporters that cover (%): intrinsic, extrinsic, total variance")
    for n in (20, 100):
        for shape, scale in ((25, 4), (4, 5), (1, 10), (4, 0.5)):
            covered = cover_reporters(shape, scale, n, max(repetitions // 2, 1), rng)
            parts = f"intrinsic {shape * scale:4g} extrinsic {shape * scale**2:5g}"
            print(f"{n:4d} {parts}", _per_cent(*covered), flush=True)


def _print_goodness(repetitions, rng):
    print("True laws rejected at 5 % (%): the law itself; fitted to the counts, by p_value and by p_upper")
    for n in (50, 200, 1000):
        for mean, fano in ((3, 1.5), (10, 6), (100, 21)):
            rates = reject_true_law(count_law(mean, fano), n, repetitions, rng)
            print(f"{n:4d} mean {mean:3g} Fano {fano:3g}", _per_cent(*rates), flush=True)


def _print_bursts(repetitions, rng):
    print("95 % profile intervals of a negative binomial law that cover (%): mean, r, b")
    for n in (20, 100, 1000):
        for mean, burst_size in ((1, 1), (10, 1), (10, 5), (1, 5), (100, 20)):
            covered = cover_bursts(mean, burst_size, n, max(repetitions // 2, 1), rng)
            print(f"{n:4d} mean {mean:3g} b {burst_size:3g}", _per_cent(*covered), flush=True)


def _print_telegraph(repetitions, rng):
    print("95 % profile intervals of a telegraph law that cover (%): k_on, k_off, s; all bounded")
    for n in (20, 100, 1000):
        for rates in ((0.5, 0.7, 60), (1, 3, 40), (2, 30, 150)):
            covered = cover_telegraph(*rates, n, max(repetitions // 2, 1), rng)
            print(f"{n:4d} k_on, k_off, s = {rates}", _per_cent(*covered), flush=True)


TABLES = {
    "measures": _print_measures,
    "reporters": _print_reporters,
    "goodness": _print_goodness,
    "bursts": _print_bursts,
    "telegraph": _print_telegraph,
}


def print_tables(repetitions, seed, names=tuple(TABLES)):
    """Print how often intervals cover and true laws are rejected; each table has a random stream of its own."""
    for name in names:
        TABLES[name](repetitions, np.random.default_rng([seed, list(TABLES).index(name)]))
        print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m acme_lib.noise.coverage", description=print_tables.__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=tuple(TABLES))
    options = parser.parse_args()
    print_tables(options.repetitions, options.seed, options.tables)

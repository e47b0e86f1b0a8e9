r"""How often the intervals cover the truth, and how often a true law is rejected: measured, not promised.

``python -m tests.benchmarks.coverage`` prints the tables below (about five minutes; ``--repetitions``, ``--seed`` and
``--tables`` change them). Samples are drawn from laws whose measures are known. Figures are per cent; at 1,000
repetitions (a half of them for reporters and bursts, a tenth for telegraph laws) their standard error is 0.7, 1 and 2.

::

    95 % intervals that cover / without an upper end (%)
       n   mean  Fano               F             CV2              CV        skewness   left out
      20    0.1     1   97.1 / 100.0  100.0 / 100.0  100.0 / 100.0  100.0 / 100.0   13.7
      20    0.1     2   99.7 / 100.0  100.0 / 100.0  100.0 / 100.0  100.0 / 100.0   23.5
      20    0.1     6   99.8 / 100.0  100.0 / 100.0  100.0 / 100.0  100.0 / 100.0   51.1
      20    0.1    21   99.6 / 100.0  100.0 / 100.0  100.0 / 100.0  100.0 / 100.0   73.5
      20      1     1   96.2 /  40.2   95.4 /  10.0   95.4 /  10.0   99.7 /  99.9    0.0
      20      1     2   97.6 /  91.4   97.3 /  60.8   97.3 /  60.8  100.0 / 100.0    0.0
      20      1     6   98.4 / 100.0  100.0 /  99.5  100.0 /  99.5  100.0 / 100.0    0.0
      20      1    21   99.3 / 100.0  100.0 / 100.0  100.0 / 100.0  100.0 / 100.0    3.9
      20      3     1   96.6 /   0.0   96.0 /   0.0   96.0 /   0.0   98.6 /  99.6    0.0
      20      3     2   96.7 /   5.8   96.7 /   0.4   96.7 /   0.4  100.0 / 100.0    0.0
      20      3     6   98.1 /  88.6   98.0 /  56.8   98.0 /  56.8  100.0 / 100.0    0.0
      20      3    21   99.0 / 100.0  100.0 /  99.8  100.0 /  99.8  100.0 / 100.0    0.0
      20     10     1   95.6 /   0.0   96.2 /   0.0   96.2 /   0.0   98.2 /  98.6    0.0
      20     10     2   96.2 /   0.0   95.8 /   0.0   95.8 /   0.0   99.1 /  99.8    0.0
      20     10     6   96.2 /   3.6   96.5 /   0.1   96.5 /   0.1  100.0 / 100.0    0.0
      20     10    21   98.0 /  88.5   98.6 /  58.9   98.6 /  58.9  100.0 / 100.0    0.0
      20    100     1   93.8 /   0.0   94.0 /   0.0   94.0 /   0.0   97.3 /  96.4    0.0
      20    100     2   94.2 /   0.0   94.1 /   0.0   94.1 /   0.0   97.3 /  97.4    0.0
      20    100     6   96.1 /   0.0   96.3 /   0.0   96.3 /   0.0   98.1 /  99.3    0.0
      20    100    21   96.0 /   0.0   96.5 /   0.0   96.5 /   0.0   99.4 /  99.8    0.0
     100    0.1     1   97.1 /  97.4   96.7 /  69.3   96.7 /  69.3   99.7 / 100.0    0.0
     100    0.1     2   98.2 /  99.9   98.3 /  98.3   98.3 /  98.3  100.0 / 100.0    0.1
     100    0.1     6   99.2 / 100.0  100.0 / 100.0  100.0 / 100.0  100.0 / 100.0    4.0
     100    0.1    21   99.6 / 100.0  100.0 / 100.0  100.0 / 100.0  100.0 / 100.0   22.7
     100      1     1   97.1 /   0.0   95.8 /   0.0   95.8 /   0.0   98.9 /  99.2    0.0
     100      1     2   96.8 /   0.0   95.6 /   0.0   95.6 /   0.0   99.2 / 100.0    0.0
     100      1     6   97.3 /  40.8   97.7 /   6.2   97.7 /   6.2  100.0 / 100.0    0.0
     100      1    21   98.8 / 100.0   99.7 /  96.9   99.7 /  96.9  100.0 / 100.0    0.0
     100      3     1   95.3 /   0.0   95.5 /   0.0   95.5 /   0.0   98.2 /  79.0    0.0
     100      3     2   96.4 /   0.0   95.6 /   0.0   95.6 /   0.0   98.7 /  99.9    0.0
     100      3     6   96.9 /   0.0   96.9 /   0.0   96.9 /   0.0   99.6 / 100.0    0.0
     100      3    21   97.4 /  57.6   97.9 /  14.7   97.9 /  14.7  100.0 / 100.0    0.0
     100     10     1   94.8 /   0.0   95.3 /   0.0   95.3 /   0.0   97.5 /  45.3    0.0
     100     10     2   96.1 /   0.0   95.1 /   0.0   95.1 /   0.0   98.3 /  85.3    0.0
     100     10     6   95.9 /   0.0   96.2 /   0.0   96.2 /   0.0   99.7 / 100.0    0.0
     100     10    21   97.9 /   0.0   97.3 /   0.0   97.3 /   0.0   99.9 / 100.0    0.0
     100    100     1   95.1 /   0.0   95.5 /   0.0   95.5 /   0.0   96.8 /  17.2    0.0
     100    100     2   95.8 /   0.0   95.9 /   0.0   95.9 /   0.0   97.6 /  28.3    0.0
     100    100     6   94.9 /   0.0   95.1 /   0.0   95.1 /   0.0   97.9 /  62.6    0.0
     100    100    21   95.7 /   0.0   96.4 /   0.0   96.4 /   0.0   99.3 /  96.9    0.0

    95 % intervals of two reporters that cover (%): intrinsic, extrinsic, total variance
      20 intrinsic  100 extrinsic   400   96.4   95.6   95.0
      20 intrinsic   20 extrinsic   100   96.6   97.6   97.4
      20 intrinsic   10 extrinsic   100   94.6   97.6   96.8
      20 intrinsic    2 extrinsic     1   97.6   99.0   96.2
     100 intrinsic  100 extrinsic   400   96.4   94.6   95.4
     100 intrinsic   20 extrinsic   100   97.4   97.4   97.0
     100 intrinsic   10 extrinsic   100   96.8   97.6   96.6
     100 intrinsic    2 extrinsic     1   98.0   99.2   96.6

    True laws rejected at 5 % (%): the law itself; fitted to the counts, by p_value and by p_upper
      50 mean   3 Fano 1.5    4.2    7.2    1.5
      50 mean  10 Fano   6    4.7    4.5    1.1
      50 mean 100 Fano  21    5.9    5.7    2.3
     200 mean   3 Fano 1.5    5.9    5.2    1.4
     200 mean  10 Fano   6    4.8    4.9    2.6
     200 mean 100 Fano  21    4.3    4.6    3.0
    1000 mean   3 Fano 1.5    4.6    5.4    2.2
    1000 mean  10 Fano   6    4.9    4.1    2.9
    1000 mean 100 Fano  21    6.0    5.7    4.6

    95 % profile intervals of a negative binomial law that cover (%): mean, r, b
      20 mean   1 b   1   95.6   96.6   96.8
      20 mean  10 b   1   95.0   93.2   93.2
      20 mean  10 b   5   96.6   94.0   95.2
      20 mean   1 b   5   96.0   96.4   96.6
      20 mean 100 b  20   94.0   94.6   95.0
     100 mean   1 b   1   94.4   95.2   95.2
     100 mean  10 b   1   97.8   95.6   95.6
     100 mean  10 b   5   95.0   94.4   94.4
     100 mean   1 b   5   95.4   94.8   96.8
     100 mean 100 b  20   95.2   94.0   94.4
    1000 mean   1 b   1   95.4   93.4   94.8
    1000 mean  10 b   1   95.4   94.0   93.2
    1000 mean  10 b   5   92.6   95.2   96.0
    1000 mean   1 b   5   96.8   96.2   95.8
    1000 mean 100 b  20   95.8   94.8   94.2

    95 % profile intervals of a telegraph law that cover (%): k_on, k_off, s; all bounded
      20 k_on, k_off, s = (0.5, 0.7, 60)   98.2   96.4   96.8   73.2
      20 k_on, k_off, s = (1, 3, 40)   97.8   97.2   97.2    8.6
      20 k_on, k_off, s = (2, 30, 150)   96.6   96.8   96.8    3.0
     100 k_on, k_off, s = (0.5, 0.7, 60)   94.2   95.6   95.2  100.0
     100 k_on, k_off, s = (1, 3, 40)   96.2   95.2   96.2   44.4
     100 k_on, k_off, s = (2, 30, 150)   94.8   95.2   95.0    6.8
    1000 k_on, k_off, s = (0.5, 0.7, 60)   94.4   95.0   95.8  100.0
    1000 k_on, k_off, s = (1, 3, 40)   95.0   95.8   96.8  100.0
    1000 k_on, k_off, s = (2, 30, 150)   97.0   97.6   97.6   13.6
"""

import argparse
import warnings

import numpy as np
from scipy import stats

from acme_lib.errors import CannotTellWarning
from acme_lib.laws import telegraph
from acme_lib.noise import best_negative_binomial, fit_negative_binomial
from acme_lib.noise.estimators import (
    coefficient_of_variation,
    fano_factor,
    skewness,
    squared_coefficient_of_variation,
)
from acme_lib.noise.goodness import goodness_of_fit
from acme_lib.noise.reporters import decompose_dual_reporter
from acme_lib.noise.telegraph_fit import fit_telegraph

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
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.coverage", description=print_tables.__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=tuple(TABLES))
    options = parser.parse_args()
    print_tables(options.repetitions, options.seed, options.tables)

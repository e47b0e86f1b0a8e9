"""Is a random answer right? A test against the exact law, with a stated rate of false alarms.

`compare_with_law` splits the stated rate. Half is spent on states that a right answer visits with a total probability
below that half (a union bound, exact). A quarter is spent on the number of samples in rare states (its binomial law
is exact). The last quarter is spent on a G-test of the other states, pooled in neighbouring bins of at least
`MIN_EXPECTED` expected samples, where the chi-square law of G holds far into the tail. Where there are enough bins the
test has two sides: counts that were arranged, such as the quantiles of the law, fit better than random ones can. The
false alarms are measured, not trusted: ``pytest tests/library/teach/test_check.py -m slow -k false_alarms -s``.
"""

from dataclasses import dataclass

import numpy as np

ERROR_RATE = 1e-6  # false alarms of one check, if not said otherwise
MAX_BINS = 24
MIN_EXPECTED = 50
MIN_FREEDOM = 6  # of a G-test with two sides: with fewer bins a perfect fit is no miracle


@dataclass(frozen=True)
class Comparison:
    """The p-value, which is 0 where states came that the law all but excludes, and the log-likelihood of the counts.

    `regular` says that a fit which is too good is the least likely of all that was seen.
    """

    p_value: float
    log_likelihood: float
    regular: bool = False


def pool_states(law, size, max_bins=MAX_BINS, min_expected=MIN_EXPECTED):
    """Pool neighbouring states into bins of about equal probability.

    Returns
    -------
    ndarray of int, shape (n,)
        The bin of each state; every bin has at least `min_expected` expected samples of `size`, as long as there are
        two.
    """
    law = np.asarray(law, dtype=float)
    least = max(1.0 / max_bins, min_expected / max(size, 1))
    bins, current, mass = np.zeros(len(law), dtype=np.int64), 0, 0.0
    for state, probability in enumerate(law):
        if mass >= least:
            current, mass = current + 1, 0.0
        bins[state] = current
        mass += probability
    if mass < least and current > 0:
        bins[bins == current] = current - 1
    return bins


def compare_with_law(counts, law, error_rate=ERROR_RATE):
    """Test counts against a law on 0, 1, 2, ….

    Parameters
    ----------
    counts : ndarray of int, shape (size,)
    law : array_like, shape (n,)
        Probabilities of 0 … n-1.
    error_rate : float
        The rate of false alarms that the caller accepts; the caller compares `p_value` with half of it.

    Returns
    -------
    Comparison
    """
    from scipy.special import bdtr, bdtrc, chdtr, chdtrc, xlogy

    law = np.asarray(law, dtype=float)
    size = len(counts)
    inside = (counts >= 0) & (counts < len(law))
    order = np.argsort(law)
    growing = np.cumsum(law[order]) * size
    excluded = np.zeros(len(law), dtype=bool)
    excluded[order[growing <= error_rate / 2]] = True
    if not np.all(inside) or np.any(excluded[counts]):
        return Comparison(0.0, -np.inf)

    rare = np.zeros(len(law), dtype=bool)
    rare[order[growing <= MIN_EXPECTED]] = True
    many, probability = int(rare[counts].sum()), min(float(law[rare].sum()), 1.0)
    at_least = float(bdtrc(many - 1, size, probability)) if many else 1.0
    p_rare = two_sided(float(bdtr(many, size, probability)), at_least)

    usual, observed = law[~rare] / law[~rare].sum(), np.bincount(counts, minlength=len(law))[~rare]
    bins = pool_states(usual, observed.sum())
    expected = observed.sum() * np.bincount(bins, weights=usual)
    observed = np.bincount(bins, weights=observed)
    statistic = 2.0 * float(np.sum(xlogy(observed, observed / np.where(expected > 0, expected, 1.0))))
    freedom = len(expected) - 1
    statistic = max(statistic, 0.0)
    p_usual = float(chdtrc(freedom, statistic)) if freedom else 1.0
    regular = False
    if freedom >= MIN_FREEDOM:
        p_good = float(chdtr(freedom, statistic))
        regular = p_good < min(p_usual, p_rare)
        p_usual = two_sided(p_good, p_usual)
    return Comparison(min(1.0, 2.0 * min(p_rare, p_usual)), float(np.sum(np.log(law[counts]))), regular)


def two_sided(below, above):
    """Return the p-value of a test with two sides from those of its sides."""
    return min(1.0, 2.0 * min(below, above))

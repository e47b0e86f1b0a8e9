"""The statistical tests that all tests share, and their rate of false alarms."""

import numpy as np
from scipy import stats

FALSE_POSITIVE = 1e-6  # of each statistical check: seeds are fixed, so that a failure means a change, not chance


def p_value_of_cells(observed, expected):
    """Return the p-value of a G-test; neighbouring cells are pooled until each is expected to hold at least 5."""
    edges, running = [0], 0.0
    for i, value in enumerate(expected):
        running += value
        if running >= 5.0:
            edges.append(i + 1)
            running = 0.0
    assert len(edges) > 2, "fewer than two cells: too few samples to see anything"
    edges[-1] = len(expected)
    f_exp = np.add.reduceat(np.asarray(expected, dtype=float), edges[:-1])
    f_obs = np.add.reduceat(np.asarray(observed, dtype=float), edges[:-1])
    return stats.power_divergence(f_obs, f_exp * f_obs.sum() / f_exp.sum(), lambda_="log-likelihood").pvalue


def p_value_of_counts(samples, pmf):
    """Return the p-value of a G-test of counts against the probabilities of 0, 1, …; what they lack is the tail's."""
    samples = np.asarray(samples).astype(np.int64)
    tail = max(0.0, 1.0 - np.sum(pmf))
    beyond = np.count_nonzero(samples >= len(pmf))
    assert beyond == 0 or tail > 1e-12, "a sample lies outside the law's support"
    observed = np.bincount(samples[samples < len(pmf)], minlength=len(pmf))
    return p_value_of_cells([*observed, beyond], len(samples) * np.append(pmf, tail))


def p_value_of_law(samples, law):
    """Return the p-value of a G-test of counts against a law with ``pmf`` and ``ppf``."""
    return p_value_of_counts(samples, law.pmf(np.arange(max(np.max(samples), law.ppf(1.0 - 1e-9)) + 1)))

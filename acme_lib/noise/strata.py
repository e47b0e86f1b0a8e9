"""The law of total variance: noise within groups of cells, noise between them, and what pooling makes of it."""

from dataclasses import dataclass, field

import numpy as np

from acme_lib.arrays import freeze_fields
from acme_lib.checks import expected
from acme_lib.errors import ParameterError
from acme_lib.noise.samples import check_row


@dataclass(frozen=True, eq=False)
class StrataVariance:
    r"""Variance of a population by strata.

    The first three are *population* variances (divisor n), for which ``total == within + between`` holds exactly.

    Attributes
    ----------
    labels : tuple
        Of the strata, sorted.
    sizes, means, variances : ndarray, shape (stratum,)
        Cells, mean, and population variance of each. Read-only.
    within, between, total : float
        Mean of the variances, variance of the means (both weighted by size), and variance of the whole.
    within_unbiased, between_unbiased : float
        Estimates without bias of the variance within a stratum and of the variance of the strata's true means, for
        strata drawn at random with one common variance (analysis of variance). The second may be negative; NaN where a
        stratum too few leaves it undetermined.
    pooled_fano : float
        Fano factor of the whole, total/mean.
    within_fano : float
        Mean Fano factor of the strata, each weighted by its share of the molecules: within/mean.
    artefact : float
        What pooling adds to it, between/mean: ``pooled_fano == within_fano + artefact``, exactly.
    """

    labels: tuple
    sizes: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    within: float
    between: float
    total: float
    within_unbiased: float = field(repr=False)
    between_unbiased: float = field(repr=False)
    pooled_fano: float
    within_fano: float
    artefact: float

    def __post_init__(self):
        freeze_fields(self)


def variance_by_strata(samples, strata):
    r"""Split the variance of a population into a part within strata and a part between them.

    .. math:: \mathrm{Var}(n) = \langle \mathrm{Var}(n \mid z) \rangle + \mathrm{Var}(\langle n \mid z \rangle)

    Parameters
    ----------
    samples : array_like, shape (cell,)
        Counts (or other data) of each cell.
    strata : array_like, shape (cell,)
        The group of each cell: a type, a batch, a phase of the cell cycle.

    Returns
    -------
    StrataVariance
        NaN for the Fano factors where the mean is not positive.

    Raises
    ------
    ParameterError
        If shapes differ, there are no cells, or data are not finite.

    Notes
    -----
    Use when: a population may be mixed. Two groups of cells, each Poisson, with means 10 and 30 in equal shares have a
    Fano factor of 6 together, and neither bursts.

    References
    ----------
    .. [1] A. Hilfinger, J. Paulsson, PNAS 108, 12167 (2011). doi:10.1073/pnas.1018832108

    Examples
    --------
    >>> split = variance_by_strata([8, 12, 10, 28, 32, 30], ["G1", "G1", "G1", "G2", "G2", "G2"])
    >>> round(split.within, 3), split.between, round(split.total, 3)
    (2.667, 100.0, 102.667)
    >>> round(split.pooled_fano, 3), round(split.within_fano, 3), split.artefact
    (5.133, 0.133, 5.0)
    """
    x, z = check_row(samples), np.asarray(strata)
    if x.shape != z.shape:
        raise expected("strata", f"one for each of the {len(x)} samples", f"an array of shape {z.shape}")
    if z.dtype.kind == "f" and np.isnan(z).any():
        raise ParameterError(f"strata must be names, got {np.count_nonzero(np.isnan(z))} that are NaN: leave them out")
    labels, index = np.unique(z, return_inverse=True)
    n, k = len(x), len(labels)
    sizes = np.bincount(index)
    means = np.bincount(index, x) / sizes
    variances = np.bincount(index, (x - means[index]) ** 2) / sizes
    share = sizes / n
    mean = float(share @ means)
    within = float(share @ variances)
    between = float(share @ (means - mean) ** 2)
    within_unbiased = within * n / (n - k) if n > k else np.nan
    effective = (n - (sizes**2).sum() / n) / (k - 1) if k > 1 else np.nan
    between_unbiased = (between * n / (k - 1) - within_unbiased) / effective if k > 1 else np.nan
    fanos = [part / mean if mean > 0 else np.nan for part in (within + between, within, between)]
    return StrataVariance(
        tuple(labels.tolist()),
        sizes,
        means,
        variances,
        within,
        between,
        within + between,
        float(within_unbiased),
        float(between_unbiased),
        *map(float, fanos),
    )

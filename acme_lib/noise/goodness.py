"""Do counts follow a law? A G-test whose cells the law chooses, not the data."""

from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_positive, check_whole, expected
from acme_lib.errors import ParameterError
from acme_lib.noise.samples import check_counts

_FARTHEST = 10_000_000  # states searched for the end of a law


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """The outcome of a G-test.

    Attributes
    ----------
    p_value : float
        Probability, if the law is right, of counts that fit it as badly.
    p_upper : float
        The same without the degrees of freedom that fitted parameters cost. The truth lies between the two; if nothing
        was fitted, they are one.
    statistic : float
        G with Williams' correction.
    freedom : int
        Degrees of freedom: cells less one, less the fitted parameters.
    first : ndarray of int64, shape (cell,)
        The first count in each cell; a cell ends before the next begins, the last is open.
    observed, expected : ndarray, shape (cell,)
        Numbers of counts. Read-only.
    """

    p_value: float
    p_upper: float
    statistic: float
    freedom: int
    first: np.ndarray = field(repr=False)
    observed: np.ndarray = field(repr=False)
    expected: np.ndarray = field(repr=False)

    def __post_init__(self):
        freeze_fields(self)


def goodness_of_fit(counts, law, *, fitted_parameters=0, min_expected=5.0):
    r"""Test whether counts follow a law.

    .. math:: G = 2 \sum_i O_i \log\frac{O_i}{E_i}

    over cells of neighbouring counts, each wide enough to expect `min_expected`; the last holds the whole upper tail.

    Parameters
    ----------
    counts : array_like of int, shape (cell,)
        Independent.
    law : object with ``cdf``, or ``pmf``
        A law of whole numbers of at least 0: frozen, from scipy.stats, or from `acme_lib.laws`.
    fitted_parameters : int
        How many parameters of the law were fitted to *these* counts; each costs a degree of freedom.
    min_expected : float
        Expected counts in each cell.

    Returns
    -------
    GoodnessOfFit

    Raises
    ------
    ParameterError
        If the counts are too few for the test, or `law` is no law of counts.

    Notes
    -----
    G is divided by Williams' factor :math:`1 + (\sum_i 1/p_i - 1)/(6 n (k-1))`, without which it rejects too often
    where cells expect few counts [1]_. A fit to the counts themselves, not to the cells, costs less than a degree of
    freedom for each parameter [2]_: `p_value` is then a little too small, and `p_upper` too large. How often a true
    law is rejected: `tests.benchmarks.coverage`.

    Use when: a fitted law is to be believed. A large p-value says that this many counts see no difference, not that
    there is none.

    References
    ----------
    .. [1] D. A. Williams, Biometrika 63, 33 (1976). doi:10.1093/biomet/63.1.33
    .. [2] H. Chernoff, E. L. Lehmann, Ann. Math. Stat. 25, 579 (1954). doi:10.1214/aoms/1177728726

    Examples
    --------
    >>> from scipy import stats
    >>> counts = np.random.default_rng(1).poisson(4.0, 500)
    >>> goodness_of_fit(counts, stats.poisson(4.0)).p_value > 0.01
    True
    >>> goodness_of_fit(counts, stats.poisson(5.0)).p_value < 1e-6
    True
    """
    x = check_counts(counts)
    check_whole("fitted_parameters", fitted_parameters)
    check_positive(min_expected=min_expected)
    n = len(x)
    first, share = _cells_of(law, min_expected / n)
    freedom = len(first) - 1 - int(fitted_parameters)
    if freedom < 1:
        raise ParameterError(
            f"{n} counts make {len(first)} cells of {min_expected:g} expected counts under this law; with "
            f"{fitted_parameters} fitted parameters at least {fitted_parameters + 2} are needed: take more counts"
        )
    observed = np.bincount(np.searchsorted(first, x, side="right") - 1, minlength=len(first)).astype(float)
    expected = n * share
    statistic = float(stats.power_divergence(observed, expected, lambda_="log-likelihood").statistic)
    statistic = max(statistic, 0.0) / (1.0 + ((1.0 / share).sum() - 1.0) / (6.0 * n * (len(first) - 1)))
    if callable(getattr(law, "pmf", None)) and np.any(np.asarray(law.pmf(np.unique(x))) == 0):
        statistic = np.inf  # a count that the law excludes
    p_value, p_upper = (float(stats.chi2.sf(statistic, f)) for f in (freedom, len(first) - 1))
    return GoodnessOfFit(p_value, p_upper, statistic, freedom, first, observed, expected)


def _cells_of(law, least):
    """Return the first count of each cell, and its probability (at least `least`; they sum to one)."""
    cdf = _cumulative(law, least)
    first, share, before = [0], [], 0.0
    for n, value in enumerate(cdf):
        if value - before >= least and 1.0 - value >= least:
            share.append(value - before)
            first.append(n + 1)
            before = value
    share.append(1.0 - before)
    return np.array(first, dtype=np.int64), np.array(share)


def _cumulative(law, least):
    """Return P(≤ n) for n = 0, 1, … up to where less than `least` is left."""
    if not (callable(getattr(law, "cdf", None)) or callable(getattr(law, "pmf", None))):
        raise expected("law", "a law with a cdf or a pmf, such as scipy.stats.poisson(4.0)", law)
    size = 64
    while size <= _FARTHEST:
        n = np.arange(size)
        cdf = np.asarray(law.cdf(n) if hasattr(law, "cdf") else np.cumsum(law.pmf(n)), dtype=float)
        if (
            not np.all(np.isfinite(cdf))
            or np.any(cdf < -1e-9)
            or np.any(cdf > 1 + 1e-9)
            or np.any(np.diff(cdf) < -1e-9)
        ):
            raise ParameterError(
                "the law's probabilities are not finite, not between 0 and 1, or fall: it is no law of counts"
            )
        if 1.0 - cdf[-1] < least:
            return np.clip(cdf, 0.0, 1.0)
        size *= 4
    raise ParameterError(
        f"the law still has probability {1.0 - cdf[-1]:.3g} beyond {size // 4} counts: it does not sum to one"
    )

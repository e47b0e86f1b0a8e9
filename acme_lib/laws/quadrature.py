"""Averages over a parameter's law: exact for finite laws, double-exponential quadrature for continuous ones."""

import numpy as np

from acme_lib.checks import expected
from acme_lib.laws.count_law import CountLaw

_FINEST = 8  # step 1/256, some 2,300 points


def refine(parameter):
    r"""Yield points of a parameter's law, level by level: (new points, their weights, probability beyond each).

    Averages are sums over *all* points so far, divided by the sum of their weights. A finite law has one level and is
    exact. A continuous one is transformed to its probability, :math:`q = 1/(1 + e^{-\pi \sinh t})`, in which steps of t
    that are halved from level to level (double-exponential rule [1]_) converge for every law whose tails the averaged
    values do not beat.

    Parameters
    ----------
    parameter : scipy.stats frozen distribution, CountLaw, pair (values, weights) or array_like of samples

    Raises
    ------
    ParameterError
        If the law is of no kind that is known.

    References
    ----------
    .. [1] H. Takahasi, M. Mori, Publ. RIMS Kyoto Univ. 9, 721 (1974).
    """
    finite = _finite_points(parameter)
    if finite is not None:
        points, weights = finite
        yield points, weights, np.ones(len(points))
        return
    yield _double_exponential(parameter, np.arange(-9, 10) / 2.0)
    for level in range(2, _FINEST + 1):
        last = 9 * 2 ** (level - 1)
        yield _double_exponential(parameter, np.arange(-last + 1, last, 2) / 2.0**level)


def _double_exponential(parameter, t):
    y = 0.5 * np.pi * np.sinh(t)
    tail = np.exp(-np.abs(y)) / (2.0 * np.cosh(y))  # min(q, 1 - q), without cancellation
    x = np.where(y < 0, parameter.ppf(np.minimum(tail, 0.5)), parameter.isf(np.minimum(tail, 0.5)))
    lower = parameter.support()[0]
    # The smallest values of a law on the positive numbers may underflow to 0, where a law need not exist.
    x = np.where((lower == 0) & (x <= 0), 1e-250, x)
    return x, np.cosh(t) / np.cosh(y) ** 2, tail


def _finite_points(parameter):
    """Values and weights of a finite or counted law, or None."""
    if isinstance(parameter, CountLaw):
        weights = parameter.table()
        return np.flatnonzero(weights > 0).astype(float), weights[weights > 0]
    if hasattr(parameter, "pmf"):
        low, high = parameter.ppf(1e-12), parameter.isf(1e-12)
        # scipy's tails end near 1e-16: twice the width on both sides, within the support.
        width = high - low + 10
        first, last = parameter.support()
        values = np.arange(max(first, low - width), min(last, high + width) + 1)
        weights = parameter.pmf(values)
        return values, weights / weights.sum()
    if hasattr(parameter, "ppf"):
        return None
    if isinstance(parameter, tuple):
        if len(parameter) != 2:
            raise expected("a finite law", "a pair (values, weights)", parameter)
        values, weights = (np.asarray(part, dtype=float) for part in parameter)
    else:
        values = np.asarray(parameter, dtype=float)
        weights = np.ones(values.shape)
    if values.ndim != 1 or values.shape != weights.shape or len(values) == 0:
        raise expected(
            "a parameter's law",
            "a frozen distribution of scipy.stats, a law of counts, a pair (values, weights) of rows of equal length, "
            "or a row of samples",
            parameter,
        )
    if not np.all(np.isfinite(values)) or not np.all(np.isfinite(weights)) or weights.min() < 0 or weights.sum() == 0:
        raise expected("a finite law", "of finite values, with weights of at least 0 and not all 0", parameter)
    return values, weights / weights.sum()

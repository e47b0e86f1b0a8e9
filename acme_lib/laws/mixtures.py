"""Mixtures: cells, or slow states of a gene, that differ in a parameter."""

from dataclasses import dataclass

import numpy as np

from acme_lib.arrays import freeze
from acme_lib.checks import check_positive, expected
from acme_lib.distance import law_distance
from acme_lib.errors import ParameterError
from acme_lib.laws.count_law import CountLaw
from acme_lib.laws.quadrature import refine

_NEGLIGIBLE = 1e-18  # probability beyond a point of the parameter's law, from where on tables are not added up


@dataclass(frozen=True, eq=False)
class Mixture(CountLaw):
    """A law whose parameter has a law; probabilities are right to 1e-14 and `quadrature_error`.

    Attributes
    ----------
    weights : ndarray, shape (part,)
        They sum to 1.
    parts : tuple of CountLaw
    quadrature_error : float
        Change of the whole law (total variation) and of its first two moments (relative) at the last refinement; an
        upper bound where the quadrature converges. 0 for a finite mixture.
    """

    weights: np.ndarray
    parts: tuple
    quadrature_error: float
    _probabilities: np.ndarray

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`)."""
        p = self._probabilities
        if last >= len(p):
            p = np.zeros(last + 1)
            for weight, part in zip(self.weights, self.parts, strict=True):
                if weight > _NEGLIGIBLE:
                    p += weight * np.exp(part.log_table(last)[: last + 1])
        with np.errstate(divide="ignore"):
            return np.log(p)

    def mean(self):
        """Return the mean."""
        return float(self.weights @ [part.mean() for part in self.parts])

    def var(self):
        """Return the variance: the mean of the variances and the variance of the means."""
        return self.intrinsic_variance() + self.extrinsic_variance()

    def intrinsic_variance(self):
        """Return the mean of the variances."""
        return float(self.weights @ [part.var() for part in self.parts])

    def extrinsic_variance(self):
        """Return the variance of the means."""
        return float(self.weights @ self._deviations() ** 2)

    def third_cumulant(self):
        """Return the third central moment."""
        d = self._deviations()
        variances = np.array([part.var() for part in self.parts])
        return float(self.weights @ ([part.third_cumulant() for part in self.parts] + 3.0 * variances * d + d**3))

    def _deviations(self):
        means = np.array([part.mean() for part in self.parts])
        return means - self.weights @ means

    def rvs(self, size=None, *, rng):
        """Draw counts of the shape `size` with the numpy.random.Generator `rng`."""
        edges = np.cumsum(self.weights)
        which = np.minimum(np.searchsorted(edges, rng.random(size), side="right"), len(edges) - 1)
        out = np.empty(np.shape(which), dtype=np.int64)
        for i in np.unique(which):
            drawn = which == i
            out[drawn] = self.parts[i].rvs(int(np.sum(drawn)), rng=rng)
        return out[()]


def mix(law_of, parameter, *, tolerance=1e-12):
    r"""Return the law of a count whose parameter differs from cell to cell, :math:`P(n) = \int P(n \mid x)\, dF(x)`.

    Parameters
    ----------
    law_of : callable
        ``law_of(x)`` returns the `CountLaw` at the value x (a float) of the parameter.
    parameter : scipy.stats frozen distribution, CountLaw, pair (values, weights) or array_like of samples
        Law of the parameter.
    tolerance : float
        The quadrature over a continuous law is refined until the mixture changes by less, in total variation and in
        relative terms of its first two moments.

    Returns
    -------
    Mixture

    Raises
    ------
    ParameterError
        If the law of the parameter does not fit, or the refinement ends (at some 2,000 points) above the tolerance.

    Notes
    -----
    Use when: cells differ (extrinsic noise), or a gene switches so slowly that each cell has the law of one state.

    Examples
    --------
    >>> from scipy import stats
    >>> from acme_lib import laws
    >>> law = mix(laws.poisson, stats.gamma(2, scale=5))
    >>> laws.measure_distance(law, laws.negative_binomial(r=2, b=5)) < 1e-12
    True
    >>> slow = mix(laws.poisson, ([0.0, 40.0], [0.75, 0.25]))
    >>> slow.mean(), slow.fano_factor()
    (10.0, 31.0)
    """
    check_positive(tolerance=tolerance)
    parts, points, weights, sums, before, error = [], np.empty(0), np.empty(0), np.zeros(0), None, 0.0
    for new_points, new_weights, tails in refine(parameter):
        for x, weight, tail in zip(new_points, new_weights, tails, strict=True):
            part = law_of(float(x))
            if not isinstance(part, CountLaw):
                raise expected("what law_of returns", "a law of counts of acme_lib.laws", part)
            parts.append(part)
            if tail > _NEGLIGIBLE:
                sums = _add(sums, weight * part.table())
        points, weights = np.append(points, new_points), np.append(weights, new_weights)
        shares = weights / weights.sum()
        means = np.array([part.mean() for part in parts])
        mean = shares @ means
        now = sums / sums.sum(), mean, shares @ ([part.var() for part in parts] + (means - mean) ** 2)
        error = _change(now, before) if before is not None else (0.0 if len(points) == len(new_points) else np.inf)
        if before is not None and error < tolerance:
            break
        before = now
    if error >= tolerance:
        raise ParameterError(
            f"the mixture still changes by {error:.1e} at {len(points)} points of the parameter's law; a larger "
            "tolerance is possible, or a law with less heavy tails"
        )
    order = np.argsort(points, kind="stable")
    return Mixture(freeze(shares[order]), tuple(parts[i] for i in order), float(error), freeze(now[0]))


def _add(sums, table):
    if len(table) > len(sums):
        sums = np.append(sums, np.zeros(len(table) - len(sums)))
    sums[: len(table)] += table
    return sums


def _change(now, before):
    moments = [abs(a - b) / abs(a) for a, b in zip(now[1:], before[1:], strict=True) if a != 0]
    return max(law_distance(now[0], before[0]), *moments, 0.0)

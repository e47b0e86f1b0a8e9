"""The stationary density of the Fokker-Planck equation of one species."""

from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from acme_lib.approximate.fixed_points import NO_STEADY_STATE, find_fixed_points
from acme_lib.approximate.kramers_moyal import expand_kramers_moyal
from acme_lib.approximate.trust import Trust, badge, make_trust
from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_number, renamed
from acme_lib.errors import EquationError, ParameterError
from acme_lib.network import ReactionNetwork

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_PANELS = 240
_NEGLIGIBLE = 50.0  # logarithm of the share of the largest density below which nothing is integrated
_MOST_STEPS = 2000
_LEAST_EXPONENT = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class FokkerPlanckDensity:
    """A stationary density of one species.

    Attributes
    ----------
    network : ReactionNetwork
    x : ndarray, shape (node,)
        Nodes of the quadrature, increasing.
    density : ndarray, shape (node,)
        There, integrating to 1.
    weights : ndarray, shape (node,)
        ``weights @ (density * f(x))`` is the mean of f.
    boundary : float
        The natural boundary, where the diffusion vanishes; -inf where it does so nowhere below.
    mass_below_zero : float
        Probability of a negative number of molecules.
    error : float
        Largest relative change of mass, mean or variance when the quadrature is made twice as fine.
    trust : Trust
    """

    network: ReactionNetwork
    x: np.ndarray
    density: np.ndarray
    weights: np.ndarray
    boundary: float
    mass_below_zero: float
    error: float
    trust: Trust = field(kw_only=True)
    _primitive: object = field(kw_only=True)

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    @property
    def species(self):
        """The one species, as a tuple."""
        return self.network.species

    def expectation(self, f):
        """Return the mean of ``f(x)``."""
        return float(self.weights @ (self.density * f(self.x)))

    def mean(self, name=None):
        """Return the mean count."""
        self._check(name)
        return self.expectation(lambda x: x)

    def variance(self, name=None):
        """Return the variance of the count."""
        mean = self.mean(name)
        return self.expectation(lambda x: (x - mean) ** 2)

    def fano_factor(self, name=None):
        """Return variance over mean."""
        return self.variance(name) / self.mean()

    def skewness(self, name=None):
        """Return the skewness of the count."""
        mean, variance = self.mean(name), self.variance()
        return self.expectation(lambda x: (x - mean) ** 3) / variance**1.5

    def pdf(self, x):
        """Return the density at `x`, 0 beyond the boundary."""
        x = np.asarray(x, dtype=float)
        inside = (x > self.x[0]) & (x < self.x[-1])
        return np.where(inside, np.maximum(self._primitive.derivative()(x), 0.0), 0.0)

    def cdf(self, x):
        """Return the probability below `x`."""
        x = np.asarray(x, dtype=float)
        return np.where(x < self.x[0], 0.0, np.clip(self._primitive(np.clip(x, self.x[0], self.x[-1])), 0.0, 1.0))

    def pmf(self, n):
        """Return the probability of rounding to the count `n`: below zero it stays below zero."""
        n = np.asarray(n, dtype=float)
        return self.cdf(n + 0.5) - self.cdf(n - 0.5)

    def _check(self, name):
        if name is not None and name not in self.species:
            raise ParameterError(f"{name!r} is not a species of this density: {self.species[0]}")

    def __repr__(self):
        return (
            f"FokkerPlanckDensity: {self.species[0]} {self.mean():.4g} ± {self.variance() ** 0.5:.3g}, "
            f"mass below zero {self.mass_below_zero:.3g}\n{self.trust}"
        )

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td style='text-align:left'>{what}</td><td>{value:.5g}</td></tr>"
            for what, value in (
                ("mean", self.mean()),
                ("variance", self.variance()),
                ("Fano", self.fano_factor()),
                ("skewness", self.skewness()),
                ("mass below zero", self.mass_below_zero),
                ("natural boundary", self.boundary),
            )
        )
        return (
            f"<p>Fokker–Planck density of {self.species[0]}, stationary</p><table><tbody>{rows}</tbody></table>"
            f"<p>{badge(self.trust.verdict)} {self.trust.sentence}</p>"
        )


@renamed(start="x0")
def solve_stationary_fokker_planck(network, x0=None, *, convention="discrete"):
    r"""Solve the Fokker-Planck equation of one species for its stationary density.

    .. math:: p(x) \propto \frac{1}{B(x)} \exp \int^x \frac{2 A(u)}{B(u)}\,du, \qquad
              A = \sum_j s_j\,a_j, \quad B = \sum_j s_j^2\,a_j

    by quadrature, down to the natural boundary: the next zero of B below the bulk. For birth and death
    :math:`p(x) \propto (k + \gamma x)^{4k/\gamma - 1} e^{-2x}` on :math:`x > -k/\gamma`: there is probability below
    zero, which is reported and not cut off.

    Use when: to see what a diffusion makes of a law; it keeps several modes, and the skewness, but weighs rare
    switching between modes wrongly.

    Parameters
    ----------
    network : ReactionNetwork
        Of one species, rates constant in time.
    x0 : float, optional
        A count within the bulk, where there are several stretches between zeros of B. Default: the largest stable fixed
        point of the rate equations, or else the largest.
    convention : {"discrete", "macroscopic"}

    Returns
    -------
    FokkerPlanckDensity

    Raises
    ------
    EquationError
        If there are several species, a rate depends on time, or no density can be normalised (a state that is never
        left again, growth without bound).

    References
    ----------
    .. [1] H. Risken, The Fokker-Planck Equation (Springer, 1996). doi:10.1007/978-3-642-61544-3

    Examples
    --------
    >>> from acme_lib import models
    >>> density = solve_stationary_fokker_planck(models.birth_death(k=2, g=1))
    >>> round(density.mean(), 6), round(density.variance(), 6)  # as for the Poisson law
    (2.0, 2.0)
    >>> print(f"{density.mass_below_zero:.4f}")
    0.0511
    """
    network.refuse_events("solve_stationary_fokker_planck")
    network.refuse_time(NO_STEADY_STATE, EquationError)
    equation = expand_kramers_moyal(network, 2, convention=convention)
    points = find_fixed_points(network)
    if x0 is None:
        x0 = (points.points[points.stable] if points.stable.any() else points.points).max()
    low, high, boundary, exponent = _support(equation, check_number("x0", x0))
    coarse = _quadrature(equation, low, high, exponent, _PANELS)
    fine = _quadrature(equation, low, high, exponent, 2 * _PANELS)
    summaries = np.array([_summary(*part[:3]) for part in (coarse, fine)])
    # The mean by the spread: it may be zero.
    changes = np.abs(summaries[0] - summaries[1]) / np.array([np.sqrt(summaries[1][1]), summaries[1][1]])
    x, density, weights, cumulative = fine
    distinct = np.append(np.diff(x) > 0, True)  # next to the boundary they round to one
    primitive = CubicHermiteSpline(x[distinct], cumulative[distinct], density[distinct])
    below = max(0.0, float(primitive(0.0))) if x[0] < 0 else 0.0
    mean, variance = summaries[1]
    name = network.species[0]
    values = [
        ("fixed points", "", int(points.stable.sum())),
        ("copy number", name, mean),
        ("boundary distance", name, mean / np.sqrt(variance)),
        ("mass below zero", name, below),
    ]
    trust = make_trust("Fokker-Planck", values)
    return FokkerPlanckDensity(
        network, x, density, weights, boundary, below, float(changes.max()), trust=trust, _primitive=primitive
    )


def _summary(x, density, weights):
    mean = weights @ (density * x)
    return mean, weights @ (density * (x - mean) ** 2)


def _coefficients(equation, x):
    """Return drift and diffusion."""
    return equation.evaluate(x)


def _support(equation, start):
    """Return the interval that holds the mass, the natural boundary, and the exponent of the law there.

    The exponent q is that of the probability next to the boundary, (x - boundary)^q; None where the law is negligible
    before it gets there.
    """
    from scipy.optimize import brentq

    drift, diffusion = _coefficients(equation, np.array([start]))
    if not diffusion[0] > 0:
        raise EquationError(
            f"the diffusion is {diffusion[0]:.3g} at {start:g} molecules: a state without noise, where the process "
            "stays; there is no stationary density"
        )
    reach = np.sqrt(diffusion[0])
    high = _walk(equation, start, reach, np.inf)
    positions = start - 0.2 * reach * np.expm1(np.arange(1, 200) * 0.1)
    values = _coefficients(equation, positions)[1]
    stop = np.flatnonzero(~(values > 0))
    boundary = -np.inf
    if len(stop):
        k = stop[0]
        if not np.isfinite(values[k]):
            raise EquationError(f"the rates have no value at {positions[k]:.4g} molecules, below the bulk of the law")
        above = positions[k - 1] if k else start
        boundary = float(brentq(lambda u: float(_coefficients(equation, np.array([u]))[1][0]), positions[k], above))
    low = _walk(equation, start, reach, boundary)
    if low > boundary:
        return low, high, boundary, None
    drift, slope = _at_boundary(equation, boundary, start - boundary)
    exponent = 2 * drift / slope
    if not exponent > _LEAST_EXPONENT:
        raise EquationError(
            f"no stationary density can be normalised: at {boundary:.4g} molecules noise and drift both vanish, or the "
            "drift points out, so that all probability ends there"
        )
    return boundary, high, boundary, exponent


def _at_boundary(equation, boundary, length):
    """Return the drift next to the boundary, and the slope of the diffusion there."""
    away = 1e-7 * length
    drift, diffusion = (float(c[0]) for c in _coefficients(equation, np.array([boundary + away])))
    return drift, diffusion / away


def _walk(equation, start, reach, limit):
    """Return how far the density extends towards `limit`; the limit where it does not get negligible before."""
    sign = 1.0 if limit > start else -1.0
    position, log, top, length = start, 0.0, 0.0, 0.25 * reach
    b0 = _coefficients(equation, np.array([start]))[1][0]
    for _ in range(_MOST_STEPS):
        if np.isfinite(limit):
            length = min(length, abs(limit - position) / 2)
            if length < 1e-6 * abs(limit - start):
                return limit
        nodes = position + sign * length * (_NODES + 1) / 2
        position = position + sign * length
        a, b = _coefficients(equation, np.append(nodes, position))
        if not (np.all(np.isfinite(a)) and np.all(b > 0)):
            raise EquationError(
                f"the diffusion is not positive near {position:.4g} molecules, beside the bulk of the law"
            )
        log += sign * length / 2 * float(_WEIGHTS @ (2 * a[:-1] / b[:-1]))
        density = log - np.log(b[-1] / b0)
        top = max(top, density)
        if density < top - _NEGLIGIBLE:
            return position
        length *= 1.1
    raise EquationError("no stationary density can be normalised: it does not fall off")


def _quadrature(equation, low, high, exponent, panels):
    """Return nodes, density and weights."""
    natural = exponent is not None
    # x = low + L log(1 + e^y): equal steps of y are equal ratios near the boundary and equal lengths far from it.
    length = (high - low) / (panels / 4)
    top = (high - low) / length
    if natural:
        y_edges = np.linspace(-max(40.0, 40.0 / exponent), top + np.log(-np.expm1(-top)), panels + 1)
    else:
        y_edges = np.linspace(0.0, top, panels + 1)
    half = np.diff(y_edges) / 2
    y = (y_edges[:-1, None] + y_edges[1:, None]) / 2 + half[:, None] * _NODES
    away = length * (np.logaddexp(0.0, y) if natural else y)
    log_jacobian = np.log(length) - np.logaddexp(0.0, -y) if natural else np.full_like(y, np.log(length))
    a, b = (np.reshape(c, y.shape) for c in _coefficients(equation, (low + away).ravel()))
    log_b = np.log(np.maximum(b, 1e-300))
    if natural:  # next to the boundary b is a difference of like numbers
        near = away < 1e-6 * (high - low)
        slope = _at_boundary(equation, low, high - low)[1]
        # With e^y for log(1 + e^y) nothing underflows.
        log_b = np.where(
            near, np.log(slope) + np.log(length) + np.minimum(y, np.log(np.maximum(away / length, 1e-300))), log_b
        )
    force = 2 * a * np.exp(log_jacobian - log_b)
    # The potential at each node: the panels before it, and within the panel the integral of the interpolant.
    before = np.concatenate([[0.0], np.cumsum((force @ _WEIGHTS) * half)])[:-1]
    log = before[:, None] + force @ _PRIMITIVE.T * half[:, None] - log_b
    # Per unit of y, which stays finite where the density itself has a pole at the boundary.
    per_y = np.exp(log + log_jacobian - (log + log_jacobian).max())
    mass = (per_y * half[:, None]) @ _WEIGHTS
    share = per_y / mass.sum()
    cumulative = np.concatenate([[0.0], np.cumsum(mass)])[:-1, None] / mass.sum() + share @ _PRIMITIVE.T * half[:, None]
    weights = half[:, None] * _WEIGHTS * np.exp(log_jacobian)
    density = share * np.exp(-log_jacobian)
    return (low + away).ravel(), density.ravel(), weights.ravel(), np.clip(cumulative.ravel(), 0.0, 1.0)


def _primitive_matrix():
    """Return the matrix that takes values at the nodes to integrals from -1 to each node, exact for polynomials."""
    n = len(_NODES)
    to_series = np.linalg.inv(np.polynomial.legendre.legvander(_NODES, n - 1))
    integrals = np.stack(
        [np.polynomial.legendre.legval(_NODES, np.polynomial.legendre.legint(row, lbnd=-1)) for row in np.eye(n)],
        axis=1,
    )
    return integrals @ to_series


_PRIMITIVE = _primitive_matrix()

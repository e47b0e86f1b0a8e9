"""Moments in time and stationary: exact where the equations close, by a named closure where they do not."""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from acme_lib.approximate.central_moments import CentralMomentEquations
from acme_lib.approximate.fixed_points import FixedPoints, find_fixed_points, free_directions
from acme_lib.approximate.linear_noise import count_stable, integrate
from acme_lib.approximate.result import ApproximateMoments, number
from acme_lib.approximate.trust import find_switches, make_trust, measure_gaussian, solve_lyapunov
from acme_lib.checks import check_number, check_times, expected, renamed
from acme_lib.errors import AcmeError, EquationError, ParameterError
from acme_lib.network.symbolic import derive

_NEWTON_STEPS = 60
_MOST_CALLS = 2_000  # of the equations, in one continuation in time
_RELAXATIONS = 30.0  # times of the slowest mode that the continuation in time runs before the next try
_TINY = 1e-6  # molecules: where a mean starts that should start at none, if logarithms or powers need more


@dataclass(frozen=True, eq=False, repr=False)
class Moments(ApproximateMoments):
    """Moments of the counts, stationary or at several times.

    Attributes
    ----------
    equations : CentralMomentEquations
        What was solved; it displays itself. Its `exponents` are those of `central`.
    central : ndarray, shape (…, moment)
        Central moments of order 2 and more, over the species kept.
    residual : float
        Of a stationary solution, the largest slope left over, on the scale of the moment times the fastest rate; NaN of
        a solution in time.
    others : tuple of Moments
        Other stationary solutions, from other stable states of the rate equations.
    fixed_points : FixedPoints or None
    """

    equations: CentralMomentEquations = field(kw_only=True)
    central: np.ndarray = field(kw_only=True)
    residual: float = field(kw_only=True, default=np.nan)
    others: tuple = field(kw_only=True, default=())
    fixed_points: FixedPoints | None = field(kw_only=True, default=None)

    @property
    def order(self):
        """The highest order of the moments."""
        return self.equations.order

    @property
    def closure(self):
        """The name of the closure; None where the equations are closed without one."""
        return self.equations.closure

    def _what(self):
        return f"Moments to order {self.order}, " + (f"closure {self.closure}" if self.closure else "closed")

    def central_moment(self, **powers):
        """Return a central moment, such as ``central_moment(M=1, P=2)`` for ⟨δM δP²⟩.

        Raises
        ------
        ParameterError
            If its order is not among those solved for.
        """
        alpha = [0] * len(self.species)
        for name, power in powers.items():
            alpha[self.axis(name)] = power
        if any(not isinstance(p, int) or p < 0 for p in alpha) or not 1 <= sum(alpha) <= self.order:
            raise expected("powers", f"whole numbers with a sum from 1 to {self.order}", powers)
        place = {e: i for i, e in enumerate(self.equations.exponents)}
        n, total = len(self.equations.kept), 0.0
        # Each factor is a combination of the species kept; expand the product.
        factors = [self.equations.recover[i] for i, p in enumerate(alpha) for _ in range(p)]
        for chosen in itertools.product(range(n), repeat=len(factors)):
            weight = math.prod(row[k] for row, k in zip(factors, chosen, strict=True))
            if weight and len(factors) > 1:
                total = total + weight * self.central[..., place[tuple(chosen.count(i) for i in range(n))]]
        return number(np.asarray(total + np.zeros(self.means.shape[:-1])))

    def skewness(self, name):
        """Return the skewness of a species.

        At order 2 it is what the closure takes for granted; exact equations of order 2 do not say it (NaN).
        """
        if self.order >= 3:
            third = np.asarray(self.central_moment(**{name: 3}))
        elif self.closure is None:
            third = np.full(self.means.shape[:-1], np.nan)
        else:
            third = self._third(self.axis(name))
        spread = np.sqrt(np.maximum(np.asarray(self.variance(name)), 0.0))
        return number(np.divide(third, spread**3, out=np.full(np.shape(third), np.nan), where=spread > 0))

    def _third(self, i):
        eq, row = self.equations, self.equations.recover[i]
        kept = np.concatenate([self.means[..., list(eq.kept)], self.central], axis=-1)
        found = []
        for z in kept.reshape(-1, kept.shape[-1]):
            exponents, values = eq.third_moments(z, np.zeros(eq.offset.shape[1]))
            weights = [
                math.factorial(3) / math.prod(math.factorial(e) for e in alpha) * np.prod(row ** np.array(alpha))
                for alpha in exponents
            ]
            found.append(np.dot(weights, values))
        return np.reshape(found, kept.shape[:-1])

    def kurtosis(self, name):
        """Return the kurtosis of a species, 3 for a normal law; it needs order 4."""
        if self.order < 4:
            raise ParameterError(f"kurtosis needs moments of order 4; these are of order {self.order}")
        return number(np.asarray(self.central_moment(**{name: 4})) / np.asarray(self.variance(name)) ** 2)


@renamed(rtol="tolerance", atol="tolerance")
def solve_moments(network, x0, t, order=2, *, closure=None, tolerance=1e-9):
    r"""Solve the moment equations in time from a state known with certainty.

    Exact where the equations close (linear rates); else closed by `closure` [1]_, which takes for the moments above
    `order` those of

    - ``"normal"``: a normal law of the same mean and covariance;
    - ``"log-normal"``: a log-normal law of the same mean and covariance, in the species that no conservation law
      determines;
    - ``"zero-cumulant"``: the law whose cumulants above `order` are zero, the lower ones as they are (at order 2 the
      same as ``"normal"``).

    Rates that are no polynomials of the counts stand as their Taylor polynomials around the mean, of degree `order`.

    Use when: means and variances are wanted at once, and the law has one mode.

    Parameters
    ----------
    network : ReactionNetwork
        Rates may depend on the time.
    x0 : mapping or array_like, shape (species,)
        The start state. A log-normal law and a Taylor polynomial need a mean above zero: they start at 1e-6 molecules
        instead of none.
    t : float or array_like, shape (time,)
        One time, or an increasing sequence of times; the start is at time 0.
    order : int
        The highest order of the moments, at least 2.
    closure : {"normal", "log-normal", "zero-cumulant"}, optional
    tolerance : float
        Of the integrator, relative and in the units of each moment.

    Returns
    -------
    Moments

    Raises
    ------
    EquationError
        If the equations are not closed and no closure is given.
    AcmeError
        If they cannot be solved to the last time: closures may blow up.

    References
    ----------
    .. [1] D. Schnoerr, G. Sanguinetti, R. Grima, J. Chem. Phys. 143, 185101 (2015). doi:10.1063/1.4934990

    Examples
    --------
    >>> from acme_lib import models
    >>> moments = solve_moments(models.two_stage(), {}, [0, 1, 10], order=3)
    >>> moments.closure is None, round(float(moments.mean("M")[1]), 4)  # 10 (1 - 1/e)
    (True, 6.3212)
    """
    network.refuse_events("solve_moments")
    times, state = check_times(t), network.state(x0).astype(float)
    check_number("tolerance", tolerance, above=0, below=1)
    equations = derive(CentralMomentEquations, network, order, closure)
    sums = network.conservation_laws @ state
    start = np.zeros(len(equations.variables))
    start[: len(equations.kept)] = state[list(equations.kept)]
    if equations.closure == "log-normal" or equations.taylor:  # powers of zero have no slopes
        start[: len(equations.kept)] = np.maximum(start[: len(equations.kept)], _TINY)
    path = integrate(lambda now, z: equations.evaluate(z, sums, now), start, times, tolerance, "the moment equations")
    means, covariances = _unpack(equations, path, sums)
    problems = _problems(equations, path, means, covariances)
    values = measure_gaussian(
        network, means[-1], covariances[-1], n_stable=count_stable(network, x0), t=times[-1], x0=state
    )
    values += _bimodality(equations, path[-1], state)
    trust = make_trust("moment closure", values, exact_moments=equations.closed, problems=problems)
    central = path[:, len(equations.kept) :].copy()
    return Moments(network, times, means, covariances, equations=equations, central=central, trust=trust)


def solve_stationary_moments(network, x0=None, order=2, *, closure=None):
    r"""Solve for the stationary moments.

    Newton's method from the linear noise around each stable fixed point of the rate equations; where it fails or lands
    on moments of no law, the equations are followed in time and it tries again.

    Use when: means and variances are wanted while a slider moves, and the law has one mode.

    Parameters
    ----------
    network : ReactionNetwork
    x0 : mapping or array_like, shape (species,), optional
        Gives the conserved sums, and with them the stable state that comes first.
    order : int
    closure : {"normal", "log-normal", "zero-cumulant"}, optional
        See `solve_moments`.

    Returns
    -------
    Moments
        `trust` says what speaks against it; further solutions are in `others`.

    Raises
    ------
    EquationError
        If the equations are not closed and no closure is given, a rate depends on time, or no solution was found that
        could be the moments of a law (the message says what was found instead).

    References
    ----------
    .. [1] D. Schnoerr, G. Sanguinetti, R. Grima, J. Chem. Phys. 143, 185101 (2015). doi:10.1063/1.4934990

    Examples
    --------
    >>> from acme_lib import models
    >>> moments = solve_stationary_moments(models.birth_death(k=10, g=1), order=4)  # of a Poisson law
    >>> round(moments.skewness("M"), 6), round(moments.kurtosis("M"), 6)  # 1/sqrt(10) and 3 + 1/10
    (0.316228, 3.1)
    """
    network.refuse_events("solve_stationary_moments")
    equations = derive(CentralMomentEquations, network, order, closure)
    points = find_fixed_points(network, x0)
    state = points.points[0] if x0 is None else network.state(x0).astype(float)
    sums = network.conservation_laws @ state
    starts = np.flatnonzero(points.stable).tolist()
    if points.reached in starts:
        starts.remove(points.reached)
        starts.insert(0, points.reached)
    found, failures = [], []
    for i in starts or range(len(points)):
        z, residual, why = _solve_from(network, equations, points.points[i], sums)
        if why:
            failures.append(f"from {points.text(i)}: {why}")
        elif not any(np.allclose(z, other, rtol=1e-5, atol=1e-6) for other, _ in found):
            found.append((z, residual))
    if not found:
        raise EquationError(
            f"the moment equations of order {order}"
            + (f" with the closure {equations.closure!r}" if equations.closure else "")
            + f" have no stationary solution that could be the moments of a law: {'; '.join(failures)}. Take another "
            "closure or order, or solve the master equation"
        )
    several = len(found) > 1 and f"the closed equations have {len(found)} stationary solutions, of which this is one"
    results = []
    for z, residual in found:
        means, covariances = _unpack(equations, z, sums)
        values = measure_gaussian(network, means, covariances, points=points, x0=state)
        trust = make_trust(
            "moment closure",
            values + _bimodality(equations, z, state),
            exact_moments=equations.closed,
            problems=[*filter(None, [several]), *failures],
        )
        central = z[len(equations.kept) :].copy()
        results.append((means, covariances, {"central": central, "residual": residual, "trust": trust}))

    def build(index, others=()):
        means, covariances, more = results[index]
        return Moments(
            network, None, means, covariances, equations=equations, others=others, fixed_points=points, **more
        )

    return build(0, tuple(build(i) for i in range(1, len(results))))


def _solve_from(network, equations, point, sums):
    """Return the solution near a fixed point, its residual, and why it is none."""
    z, scale, rate = _first_guess(network, equations, point)
    why = ""
    for attempt in range(3):
        if attempt:
            try:
                span = _RELAXATIONS * 10.0 ** (attempt - 1) / rate
                path = integrate(
                    lambda now, z: equations.evaluate(z, sums, now),
                    z,
                    np.array([span]),
                    1e-7,
                    "they",
                    _MOST_CALLS,
                )
            except AcmeError:
                return z, np.nan, why + ", and in time they blow up"
            z = path[-1]
        solution, residual, why = _newton(equations, z, sums, scale)
        if not why:
            means, covariances = _unpack(equations, solution, sums)
            why = "; ".join(_problems(equations, solution[None], means[None], covariances[None]))
        if not why:
            return solution, residual, ""
    return z, np.nan, why


def _first_guess(network, equations, point):
    """Return means and moments of the linear noise at a fixed point, their scale, and the slowest rate."""
    basis, kept = free_directions(network), list(equations.kept)
    j, d = (basis.T @ m @ basis for m in network.linear_noise().evaluate(point))
    eigenvalues = np.linalg.eigvals(j).real
    rate = max(np.abs(eigenvalues).min(), 1e-6 * np.abs(j).max())
    stable = eigenvalues.max() < 0
    covariance = (basis @ solve_lyapunov(j, d) @ basis.T if stable else np.diag(point))[np.ix_(kept, kept)]
    spread = np.sqrt(np.maximum(np.diag(covariance), 1e-3))
    z = np.zeros(len(equations.variables))
    z[: len(kept)] = np.maximum(point[kept], 1e-3)
    scale = np.empty(len(z))
    scale[: len(kept)] = spread
    gaussian = {}
    for i, alpha in enumerate(equations.exponents, start=len(kept)):
        z[i] = _isserlis(tuple(k for k, a in enumerate(alpha) for _ in range(a)), covariance, gaussian)
        scale[i] = np.prod(spread ** np.array(alpha))
    return z, scale, rate


def _isserlis(indices, covariance, known):
    if not indices:
        return 1.0
    if len(indices) % 2:
        return 0.0
    if indices not in known:
        known[indices] = sum(
            covariance[indices[0], indices[k]] * _isserlis(indices[1:k] + indices[k + 1 :], covariance, known)
            for k in range(1, len(indices))
        )
    return known[indices]


def _newton(equations, z, sums, scale):
    """Return the root that Newton's method reaches, its relative residual, and why it reaches none."""
    step_size = 1e-6
    eye = np.eye(len(z)) * step_size
    for _ in range(_NEWTON_STEPS):
        u = z / scale
        points = np.concatenate([u[:, None], u[:, None] + eye, u[:, None] - eye], axis=1)
        slopes = equations.evaluate(points * scale[:, None], sums) / scale[:, None]
        if not np.all(np.isfinite(slopes)):
            return z, np.nan, "Newton's method leaves the states for which the equations are defined"
        f, n = slopes[:, 0], len(z)
        jacobian = (slopes[:, 1 : n + 1] - slopes[:, n + 1 :]) / (2 * step_size)
        try:
            step = np.linalg.solve(jacobian, f)
        except np.linalg.LinAlgError:
            return z, np.nan, "the equations do not determine their stationary solution"
        # At most by half of what there is of a mean: a guess below zero leads astray.
        means = slice(0, len(equations.kept))
        shrink = min(1.0, *(0.5 * u[means] / np.maximum(step[means], 1e-300))) if np.any(step[means] > 0) else 1.0
        u = u - max(shrink, 1e-3) * step
        z = u * scale
        if shrink >= 1.0 and np.abs(step).max() <= 1e-9 * (1.0 + np.abs(u).max()):
            break
    else:
        return z, np.nan, "Newton's method does not converge"
    eigenvalues = np.linalg.eigvals(jacobian)
    if eigenvalues.real.max() > 1e-7 * np.abs(jacobian).max():
        return z, np.nan, f"the solution found is not stable (eigenvalue {eigenvalues.real.max():.3g})"
    residual = np.abs(equations.evaluate(z, sums) / scale).max() / max(np.abs(jacobian).max(), 1e-300)
    return z, float(residual / (1.0 + np.abs(u).max())), ""


def _unpack(equations, z, sums):
    """Return means and covariances of all species."""
    n = len(equations.kept)
    means = z[..., :n] @ equations.recover.T + equations.offset @ sums
    place = {e: i for i, e in enumerate(equations.exponents)}
    small = np.empty((*z.shape[:-1], n, n))
    for i in range(n):
        for k in range(n):
            small[..., i, k] = z[..., n + place[tuple((i == m) + (k == m) for m in range(n))]]
    return means, equations.recover @ small @ equations.recover.T


def _problems(equations, z, means, covariances):
    """Say why moments, at one time or more, belong to no law of counts."""
    found = []
    names, size = equations.network.species, 1e-6 * (1.0 + np.abs(means).max())
    if (low := means.min(axis=0)).min() < -size:
        i = int(np.argmin(low))
        found.append(f"the mean of {names[i]} falls to {low[i]:.3g}")
    diagonal = np.diagonal(covariances, axis1=-2, axis2=-1)
    scale = 1e-6 * (1.0 + np.abs(diagonal).max())
    if (low := diagonal.min(axis=0)).min() < -scale:
        i = int(np.argmin(low))
        found.append(f"the variance of {names[i]} falls to {low[i]:.3g}")
    elif np.linalg.eigvalsh(covariances).min() < -scale:
        found.append("the covariance matrix has a negative eigenvalue")
    n = len(equations.kept)
    place = {e: i for i, e in enumerate(equations.exponents, start=n)}
    if equations.order >= 4:
        for i in range(n):
            second, third, fourth = (z[..., place[tuple(p * (i == m) for m in range(n))]] for p in (2, 3, 4))
            # Every law has kurtosis >= 1 + skewness².
            if np.any(fourth * second < (second**3 + third**2) * (1 - 1e-6) - 1e-9 * (1 + np.abs(second) ** 3)):
                found.append(f"skewness and kurtosis of {names[equations.kept[i]]} are those of no law")
    return found


def _bimodality(equations, z, state):
    """Return the bimodality coefficients (skewness² + 1)/kurtosis, 5/9 for a uniform law, as measures."""
    if equations.order < 4:
        return []
    n, values, few = len(equations.kept), [], find_switches(equations.network, state)
    place = {e: i for i, e in enumerate(equations.exponents, start=n)}
    for i in range(n):
        second, third, fourth = (z[place[tuple(p * (i == m) for m in range(n))]] for p in (2, 3, 4))
        name = equations.network.species[equations.kept[i]]
        if second > 0 and fourth > 0 and name not in few:
            values.append(("bimodality", name, float((third**2 / second**3 + 1) / (fourth / second**2))))
    return values

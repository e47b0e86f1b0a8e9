"""The linear noise approximation: stationary at every stable state, in time, its correlations and its spectrum."""

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import expm

from acme_lib.approximate.fixed_points import BESIDE_ZERO, FixedPoints, find_fixed_points, free_directions
from acme_lib.approximate.result import ApproximateMoments
from acme_lib.approximate.trust import curved_drift, is_linear, make_trust, measure_gaussian, solve_lyapunov
from acme_lib.checks import check_choice, check_number, check_times, expected, renamed
from acme_lib.errors import AcmeError, EquationError

_MOST_CALLS = 20_000  # of a right-hand side: near a blow-up an integrator would go on in ever smaller steps
SIDES = {"two": 1.0, "one": 2.0}


@dataclass(frozen=True, eq=False, repr=False)
class StationaryLinearNoise(ApproximateMoments):
    """Gaussian fluctuations around one stable fixed point.

    Attributes
    ----------
    jacobian, diffusion : ndarray, shape (species, species)
        J and D at the fixed point.
    fixed_points : FixedPoints
        All that were found, stable or not.
    others : tuple of StationaryLinearNoise
        The same around the other stable fixed points. Where there are some, the process is multistable and no one of
        them is its stationary law.
    """

    jacobian: np.ndarray = field(kw_only=True)
    diffusion: np.ndarray = field(kw_only=True)
    fixed_points: FixedPoints = field(kw_only=True)
    others: tuple = field(kw_only=True, default=())

    def autocovariance(self, lags):
        r"""Return :math:`C(\tau) = e^{J\tau} C` for lags :math:`\tau \ge 0`.

        Parameters
        ----------
        lags : array_like, shape (lag,)

        Returns
        -------
        ndarray, shape (lag, species, species)
            ``[k, i, j]`` is the covariance of species i at time t + lag k with species j at time t.
        """
        lags = np.atleast_1d(np.asarray(lags, dtype=float))
        if lags.ndim != 1 or not np.all(np.isfinite(lags)) or np.any(lags < 0):
            raise expected("lags", "finite times of at least 0", lags)
        # Conserved directions carry no covariance: what e^{Jτ} does to them is not seen.
        return expm(lags[:, None, None] * self.jacobian) @ self.covariances

    def autocorrelation(self, name, lags):
        """Return the autocorrelation of a species, 1 at lag 0, shape (lag,)."""
        i = self.axis(name)
        return self.autocovariance(lags)[:, i, i] / self.covariances[i, i]

    def spectrum(self, name, omega, *, sided="two"):
        r"""Return the power spectrum of a species.

        .. math:: S(\omega) = \int_{-\infty}^{\infty} C(\tau)\, e^{-i\omega\tau} d\tau
                  = \left[(i\omega - J)^{-1} D\, (-i\omega - J^T)^{-1}\right]_{ii}

        Parameters
        ----------
        name : str
        omega : array_like, shape (frequency,)
            Angular frequency, radians a unit of time.
        sided : {"two", "one"}
            ``"two"``: S as above, over positive and negative frequencies, with
            :math:`\int_{-\infty}^{\infty} S\,d\omega/2\pi` the variance. ``"one"``: twice that, over positive ones
            alone, with :math:`\int_0^\infty S\,d\omega/2\pi` the variance.

        Returns
        -------
        ndarray, shape (frequency,)
            Molecules squared times time.
        """
        check_choice("sided", sided, tuple(SIDES))
        omega = np.atleast_1d(np.asarray(omega, dtype=float))
        basis, i = free_directions(self.network), self.axis(name)
        j, d = basis.T @ self.jacobian @ basis, basis.T @ self.diffusion @ basis
        response = basis[i] @ np.linalg.inv(1j * omega[:, None, None] * np.eye(len(j)) - j)
        return SIDES[sided] * np.einsum("wi,ij,wj->w", response, d, response.conj()).real


@dataclass(frozen=True, eq=False, repr=False)
class LinearNoiseInTime(ApproximateMoments):
    """Gaussian fluctuations along a solution of the rate equations.

    Attributes
    ----------
    mean_shifts : ndarray, shape (time, species)
        By how much fluctuations move the means, to the next order: what the approximation leaves out.
    """

    mean_shifts: np.ndarray = field(kw_only=True)


def solve_stationary_linear_noise(network, x0=None, *, convention="macroscopic"):
    r"""Solve the linear noise approximation at every stable fixed point of the rate equations.

    .. math:: J\,C + C\,J^T + D = 0

    Exact in mean and covariance where every rate is linear [1]_ [2]_.

    Use when counts are large, the rate equations have one stable state, and an answer is wanted while a slider moves.

    Parameters
    ----------
    network : ReactionNetwork
    x0 : mapping or array_like, shape (species,), optional
        Where the rate equations start: it decides which stable state comes first, and the conserved sums.
    convention : {"macroscopic", "discrete"}
        See `ReactionNetwork.rate_equations`.

    Returns
    -------
    StationaryLinearNoise
        Around the fixed point that the rate equations reach from `x0` (if that is not stable, around the first that
        is); `others` are those around the other stable ones, and `trust` says so.

    Raises
    ------
    EquationError
        If a rate depends on time, or there is no stable fixed point.

    References
    ----------
    .. [1] N. G. van Kampen, Can. J. Phys. 39, 551 (1961). doi:10.1139/p61-056
    .. [2] J. Elf, M. Ehrenberg, Genome Res. 13, 2475 (2003). doi:10.1101/gr.1196503

    Examples
    --------
    >>> from acme_lib import models
    >>> noise = solve_stationary_linear_noise(models.two_stage(k_m=10, k_p=5, g_m=1, g_p=0.5))
    >>> round(noise.fano_factor("P"), 6)  # 1 + k_p/(g_m + g_p)
    4.333333
    """
    points = find_fixed_points(network, x0, convention=convention)
    if not points.stable.any():
        at = "; ".join(f"{points.text(i)} (eigenvalue {points.eigenvalues[i, 0]:.3g})" for i in range(len(points)))
        raise EquationError(f"no fixed point is stable, so that fluctuations grow or oscillate: {at}")
    noise, basis = network.linear_noise(convention), free_directions(network)
    exact = is_linear(network)
    order = np.flatnonzero(points.stable).tolist()
    if points.reached in order:
        order.remove(points.reached)
        order.insert(0, points.reached)
    found = []
    for i in order:
        mean = points.points[i]
        j, d = noise.evaluate(mean)
        covariance = basis @ solve_lyapunov(basis.T @ j @ basis, basis.T @ d @ basis) @ basis.T
        covariance = (covariance + covariance.T) / 2
        values = measure_gaussian(network, mean, covariance, points=points)
        trust = make_trust("linear noise", values, exact_moments=exact)
        found.append((mean.copy(), covariance, j, d, trust))

    def build(index, others=()):
        mean, covariance, j, d, trust = found[index]
        parts = {"jacobian": j, "diffusion": d, "fixed_points": points, "others": others, "trust": trust}
        return StationaryLinearNoise(network, None, mean, covariance, **parts)

    return build(0, tuple(build(i) for i in range(1, len(found))))


@renamed(rtol="tolerance", atol="tolerance")
def solve_linear_noise(network, x0, t, *, covariance=None, convention="macroscopic", tolerance=1e-8):
    r"""Solve the linear noise approximation in time.

    .. math:: \dot\phi = f(\phi), \qquad \dot C = J C + C J^T + D

    Parameters
    ----------
    network : ReactionNetwork
        Rates may depend on the time.
    x0 : mapping or array_like, shape (species,)
        The start, known with certainty unless `covariance` is given.
    t : float or array_like, shape (time,)
        One time, or an increasing sequence of times; the start is at time 0.
    covariance : array_like, shape (species, species), optional
        Of the start.
    convention : {"macroscopic", "discrete"}
    tolerance : float
        Of the integrator, relative and in molecules.

    Returns
    -------
    LinearNoiseInTime

    Raises
    ------
    AcmeError
        If the equations cannot be continued to the last time.

    References
    ----------
    .. [1] N. G. van Kampen, Can. J. Phys. 39, 551 (1961). doi:10.1139/p61-056

    Examples
    --------
    >>> from acme_lib import models
    >>> noise = solve_linear_noise(models.birth_death(k=10, g=1), {"M": 0}, [0, 1])
    >>> bool(abs(noise.fano_factor("M")[1] - 1) < 1e-6)  # from nothing the law stays Poisson
    True
    """
    network.refuse_events("solve_linear_noise")
    times, start = check_times(t), network.state(x0).astype(float)
    check_number("tolerance", tolerance, above=0, below=1)
    n = len(network.species)
    c0 = np.zeros((n, n)) if covariance is None else np.asarray(covariance, dtype=float)
    if c0.shape != (n, n) or not np.allclose(c0, c0.T) or np.linalg.eigvalsh(c0).min() < -1e-9 * max(1, abs(c0).max()):
        raise expected("covariance", f"a symmetric matrix of shape ({n}, {n}) without negative eigenvalues", covariance)

    means, covariances, shifts = follow(network, start, times, c0, convention, tolerance)
    n_stable = count_stable(network, x0)
    values = measure_gaussian(
        network, means[-1], covariances[-1], n_stable=n_stable, t=times[-1], x0=start, shift=shifts[-1]
    )
    trust = make_trust("linear noise", values, exact_moments=is_linear(network))
    return LinearNoiseInTime(network, times, means, covariances, mean_shifts=shifts, trust=trust)


def follow(network, start, times, covariance, convention="macroscopic", tolerance=1e-8):
    """Return means, covariances and the shift of the means to the next order, at all times."""
    noise, n = network.linear_noise(convention), len(start)

    def slope(now, y):
        mean, c, shift = y[:n], y[n:-n].reshape(n, n), y[-n:]
        j, d = noise.evaluate(mean, now)
        if not np.all(np.isfinite(j)):  # at 0 the slope of a root is infinite
            j, _ = noise.evaluate(np.maximum(mean, BESIDE_ZERO), now)
        growth = j @ shift + curved_drift(network, mean, c, now)
        return np.concatenate([noise.rates.evaluate(mean, now), (j @ c + c @ j.T + d).ravel(), growth])

    y = np.concatenate([start, covariance.ravel(), np.zeros(n)])
    y = integrate(slope, y, times, tolerance, "the linear noise approximation")
    covariances = y[:, n:-n].reshape(-1, n, n)
    return y[:, :n].copy(), (covariances + covariances.swapaxes(1, 2)) / 2, y[:, -n:].copy()


def count_stable(network, x0):
    """Return how many stable fixed points there are; 1 where the question has no answer, as with rates in time."""
    try:
        return max(1, int(find_fixed_points(network, x0).stable.sum()))
    except EquationError:
        return 1


def integrate(slope, start, times, tolerance, what, most=_MOST_CALLS):
    """Return the solution of an ordinary differential equation from time 0 on, at some times, shape (time, n)."""
    from scipy.integrate import solve_ivp

    if times[-1] == 0.0:
        return start[None].copy()
    calls, last = 0, 0.0

    def counted(now, y):
        nonlocal calls, last
        calls, last = calls + 1, now
        value = slope(now, y)
        if calls > most or not np.all(np.isfinite(value)):
            raise _Stopped
        return value

    try:
        with np.errstate(all="ignore"):
            found = solve_ivp(counted, (0.0, times[-1]), start, "LSODA", times, rtol=tolerance, atol=tolerance)
        finished = found.success and np.all(np.isfinite(found.y))
    except _Stopped:
        finished = False
    if not finished:
        raise AcmeError(
            f"{what} cannot be continued beyond about t={last:.4g}: the solution grows without bound or leaves the "
            "states for which the rates are defined"
        )
    return found.y.T


class _Stopped(Exception):
    """The integrator does not get on."""

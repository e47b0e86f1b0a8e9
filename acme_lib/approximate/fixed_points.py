"""All the fixed points of the rate equations that a search finds, with their stability."""

from dataclasses import dataclass, field

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import null_space

from acme_lib.arrays import freeze_fields
from acme_lib.errors import EquationError
from acme_lib.network import ReactionNetwork

_STARTS = 96
_DECADES = 3.0  # over which the starts are spread, around the scale of each species
_ROUNDS = 80
NO_STEADY_STATE = "so that there is no steady state"
_MOST = 24  # more points than this are no points but a line of them
_SAME = 1e-6
BESIDE_ZERO = 1e-6  # molecules
_MOST_DOUBLINGS = 60  # of the time span, on the way to a steady state


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Fixed points of the rate equations with the conserved sums of one start.

    Attributes
    ----------
    network : ReactionNetwork
    points : ndarray, shape (point, species)
        In molecules, sorted by the first species, then the second, …. Read-only.
    eigenvalues : ndarray of complex, shape (point, direction)
        Of the Jacobian, without the conserved directions; the largest real part first.
    stable : ndarray of bool, shape (point,)
        Whether all real parts are negative.
    absorbing : ndarray of bool, shape (point,)
        Whether no reaction happens there at all: a state in which the process ends.
    reached : int or None
        Which of the points the rate equations run to from the start; None where they run to none.
    searched : int
        Starts of the search. A point with a small basin can be missed.
    """

    network: ReactionNetwork = field(repr=False)
    points: np.ndarray
    eigenvalues: np.ndarray = field(repr=False)
    stable: np.ndarray
    absorbing: np.ndarray
    reached: int | None
    searched: int = field(repr=False)

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    def __len__(self):
        return len(self.points)

    def text(self, index):
        """Return a point as text, such as ``U=18.7, V=1.34``."""
        return ", ".join(f"{name}={x:.4g}" for name, x in zip(self.network.species, self.points[index], strict=True))


def find_fixed_points(network, x0=None, *, convention="macroscopic"):
    r"""Find the states at which the rate equations stand still, stable or not.

    .. math:: \sum_j s_j\,a_j(\phi) = 0, \qquad v \cdot \phi = v \cdot x_0 \text{ for every conservation law } v

    Newton's method from 96 starts, spread evenly over six decades around the scale of each species, all at once, and
    the rate equations in time from `x0`. A root below zero is no fixed point.

    Use when the question is how many stable states there are: any method that knows one of them only is then in doubt.

    Parameters
    ----------
    network : ReactionNetwork
    x0 : mapping or array_like, shape (species,), optional
        Where the rate equations start; needed where a conservation law holds. Default: all zero.
    convention : {"macroscopic", "discrete"}
        See `ReactionNetwork.rate_equations`.

    Returns
    -------
    FixedPoints

    Raises
    ------
    EquationError
        If a rate depends on time, there is no fixed point, or they are not isolated.

    Examples
    --------
    >>> from acme_lib import models
    >>> points = find_fixed_points(models.schlogl())
    >>> points.points.round(1).ravel().tolist(), points.stable.tolist()
    ([85.5, 247.6, 566.9], [True, False, True])
    """
    network.refuse_events("find_fixed_points")
    network.refuse_time(NO_STEADY_STATE, EquationError)
    rates, start = network.rate_equations(convention), start_amounts(network, x0)
    reached = _follow_to_rest(rates, start)
    found = _search(network, rates, start, reached)
    if reached is not None and not _is_in(reached, found):
        found = np.vstack([found, reached])
    if not len(found):
        raise EquationError("the rate equations have no fixed point that a search from many starts could find")
    if len(found) > _MOST:
        raise EquationError("the fixed points are not isolated: they lie on a line or a surface, where nothing returns")
    found = found[np.lexsort(np.round(found, 9).T[::-1])]
    basis = free_directions(network)
    jacobians = basis.T @ rates.evaluate_jacobian(found) @ basis
    eigenvalues = np.linalg.eigvals(jacobians) + 0j
    eigenvalues = np.take_along_axis(eigenvalues, np.argsort(-eigenvalues.real, axis=1), axis=1)
    stable = np.all(eigenvalues.real < -1e-12 * np.abs(jacobians).max(axis=(1, 2))[:, None], axis=1)
    place = None if reached is None else int(np.argmin(np.abs(found - reached).sum(axis=1)))
    absorbing = np.abs(rates.evaluate_fluxes(found)).max(axis=1) <= 1e-12
    return FixedPoints(network, found, eigenvalues, stable, absorbing, place, _STARTS)


def start_amounts(network, x0):
    """Return the start as floats, shape (species,); it may be left out where no conservation law needs it."""
    if x0 is None:
        if len(network.conservation_laws):
            raise EquationError(
                f"the start decides the conserved sum ({', '.join(network.conservation_law_texts)}): give one, "
                f"for example x0={{{network.species[int(np.argmax(network.conservation_laws[0]))]!r}: 1}}"
            )
        return np.zeros(len(network.species))
    return network.state(x0).astype(float)


def _follow_to_rest(rates, start):
    """Return the steady state that the rate equations reach from a start, shape (species,); None where they reach none.

    They are integrated over longer and longer times, and Newton's method ends the way; both keep the conserved sums.
    """
    f, laws = rates.function(), rates.network.conservation_laws

    def jacobian(_, x):
        slopes = rates.evaluate_jacobian(x)
        # At 0 the slope of a root is infinite: take that of a place beside it, where the way goes on.
        return slopes if np.all(np.isfinite(slopes)) else rates.evaluate_jacobian(np.maximum(x, BESIDE_ZERO))

    x, span = start, 1.0
    for _ in range(_MOST_DOUBLINGS):
        if np.abs(f(0.0, x)).max() <= 1e-6 * np.abs(rates.evaluate_fluxes(x)).sum():
            break
        path = solve_ivp(f, (0.0, span), x, method="BDF", jac=jacobian, rtol=1e-8, atol=1e-8)
        if not path.success or not np.all(np.isfinite(path.y[:, -1])):
            break
        x, span = path.y[:, -1], 2 * span
    for _ in range(50):
        residual = np.concatenate([f(0.0, x), laws @ (x - start)])
        step = np.linalg.lstsq(np.vstack([jacobian(0.0, x), laws]), residual)[0]
        x = x - step
        if np.abs(step).max() <= 1e-13 * max(1.0, np.abs(x).max()):
            break
    rests = np.abs(f(0.0, x)).max() <= 1e-9 * np.abs(rates.evaluate_fluxes(x)).sum()
    return x if rests else None


def free_directions(network):
    """Return an orthonormal basis of the directions that no conservation law forbids, shape (species, direction)."""
    laws = network.conservation_laws
    return null_space(laws) if len(laws) else np.eye(len(network.species))


def _is_in(point, found):
    return any(np.all(np.abs(point - other) <= _SAME * (1.0 + np.abs(other))) for other in found)


def _search(network, rates, start, reached):
    """Return the distinct roots that Newton's method finds, shape (point, species)."""
    laws, basis, n = network.conservation_laws, free_directions(network), len(start)
    scale = np.maximum(1.0, start if reached is None else np.maximum(start, reached))
    # Multiples of roots of primes, modulo one, fill a cube evenly in any number of dimensions.
    irrational = np.sqrt([q for q in range(2, 40 * n + 5) if all(q % d for d in range(2, int(q**0.5) + 1))][:n])
    cube = np.arange(1, _STARTS + 1)[:, None] * irrational % 1.0
    x = scale * 10.0 ** (_DECADES * (2.0 * cube - 1.0))
    x[0] = scale
    for _ in range(30):  # towards the conserved sums
        for law in laws:
            if law.min() >= 0:
                x[:, law > 0] *= ((law @ start) / (x @ law))[:, None]
    done = np.zeros((0, n))
    for _ in range(_ROUNDS):
        residual = np.concatenate([rates.evaluate(x) @ basis, (x - start) @ laws.T], axis=1)
        jacobian = np.concatenate(
            [basis.T @ rates.evaluate_jacobian(x), np.broadcast_to(laws, (len(x), *laws.shape))], 1
        )
        finite = np.isfinite(residual).all(axis=1) & np.isfinite(jacobian).all(axis=(1, 2))
        x, residual, jacobian = x[finite], residual[finite], jacobian[finite]
        if not len(x):
            break
        try:
            step = np.linalg.solve(jacobian, residual[..., None])[..., 0]
        except np.linalg.LinAlgError:  # one of them is singular
            step = (np.linalg.pinv(jacobian) @ residual[..., None])[..., 0]
        ready = np.all(np.abs(step) <= 1e-11 * (1.0 + np.abs(x)), axis=1)
        done = np.vstack([done, (x - step)[ready]])
        # Below zero rates mean nothing: a step goes nine tenths of the way there at most.
        x = np.maximum(x - step, 0.1 * x)[~ready]
    distinct = np.zeros((0, n))
    for point in done:
        point = np.where(np.abs(point) < 1e-9, 0.0, point)
        small = np.abs(rates.evaluate(point)).max() <= 1e-9 * np.abs(rates.evaluate_fluxes(point)).sum() + 1e-12
        if small and point.min() >= 0.0 and not _is_in(point, distinct):
            distinct = np.vstack([distinct, point])
    return distinct

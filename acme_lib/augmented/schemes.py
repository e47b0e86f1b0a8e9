"""Fluxes between cells: linear schemes as coefficients, limiters as pure functions.

A conservative scheme says what crosses the face between two cells,

    J = v p - ∂(D p)/∂x,

and the density of cell i changes by (J_left - J_right)/dx. A **linear** scheme gives J as a combination of the four
cells about the face; built-in schemes and a user's own are of one kind (`LinearScheme`). A **limited** scheme
(`LimitedScheme`, Kurganov & Tadmor [1]_) rebuilds the density within each cell with a slope that a limiter tames, and
takes each face's value from upstream: second order where the solution is smooth, without new extrema where it is not.
A **flux** scheme (`FluxScheme`) is a user's own function of the densities.

References
----------
.. [1] A. Kurganov, E. Tadmor, J. Comput. Phys. 160, 241 (2000). doi:10.1006/jcph.2000.6459
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from acme_lib.checks import check_choice, check_number, expected


@dataclass(frozen=True)
class LinearScheme:
    """A scheme whose fluxes are linear in the densities.

    Attributes
    ----------
    name : str
    coefficients : callable
        ``coefficients(v, d_faces, d_centres, dx)`` for one axis, which is the last one of all arrays: the velocity and
        the diffusion coefficient at the n + 1 faces, the latter also at the n centres (both 0 without diffusion). It
        returns an array of shape (4, ..., n - 1): the flux through face f, between cells f - 1 and f, is
        ``sum(c[m] * p[f - 2 + m] for m in range(4))``. Where cells f - 2 or f + 1 do not exist, their entry must be 0.
    order : int
        The order of accuracy on smooth densities.

    Examples
    --------
    A scheme of one's own: second order, from two cells upstream, implicit steps included.

    >>> def two_cells_upstream(v, d_faces, d_centres, dx):
    ...     v = v[..., 1:-1]  # the faces between cells
    ...     forward, backward = np.maximum(v, 0.0), np.minimum(v, 0.0)
    ...     c = np.zeros((4, *v.shape))
    ...     c[1], c[2] = forward, backward
    ...     c[0, ..., 1:] -= 0.5 * forward[..., 1:]  # the first face has no second cell to the left,
    ...     c[1, ..., 1:] += 0.5 * forward[..., 1:]
    ...     c[2, ..., :-1] += 0.5 * backward[..., :-1]  # and the last none to the right
    ...     c[3, ..., :-1] -= 0.5 * backward[..., :-1]
    ...     return c
    >>> from acme_lib.augmented import AugmentedSpace, Continuum, Drift, build_augmented, solve_augmented
    >>> space = AugmentedSpace(x=Continuum(upper=4.0, cells=200))
    >>> system = build_augmented(space, Drift("x", "-x"), scheme=LinearScheme("mine", two_cells_upstream, 2))
    >>> solution = solve_augmented(system, space.density("exp(-20*(x - 2)**2)"), 0.5)
    >>> round(float(solution.mean("x")[-1]), 3)  # 2 exp(-1/2)
    1.213
    """

    name: str
    coefficients: Callable
    order: int


@dataclass(frozen=True)
class LimitedScheme:
    """Kurganov–Tadmor with a limiter; solved in time by explicit steps, since it is not linear.

    Attributes
    ----------
    limiter : {"minmod", "van_leer", "mc", "superbee"}
    theta : float
        Of minmod: from 1 (most diffusive) to 2 (sharpest).
    """

    limiter: str = "minmod"
    theta: float = 1.5
    order = 2

    def __post_init__(self):
        """Check the values."""
        check_choice("limiter", self.limiter, LIMITERS)
        check_number("theta", self.theta, least=1, most=2)


@dataclass(frozen=True)
class FluxScheme:
    """A user's own scheme, not linear in the densities; solved in time by explicit steps.

    Attributes
    ----------
    name : str
    flux : callable
        ``flux(p, v, d_faces, d_centres, dx)``: the flux at the n - 1 faces between cells; the axis is the last.
    order : int

    Examples
    --------
    >>> def upstream_with_a_limited_slope(p, v, d_faces, d_centres, dx):
    ...     step = np.diff(p, axis=-1)
    ...     a, b = step[..., :-1], step[..., 1:]
    ...     inner = np.where(a * b > 0, np.sign(a) * np.minimum(np.abs(a), np.abs(b)), 0.0)  # minmod
    ...     slope = np.concatenate([np.zeros_like(p[..., :1]), inner, np.zeros_like(p[..., :1])], axis=-1)
    ...     left, right = (p + 0.5 * slope)[..., :-1], (p - 0.5 * slope)[..., 1:]
    ...     return np.where(v[..., 1:-1] > 0, left, right) * v[..., 1:-1]
    >>> from acme_lib.augmented import AugmentedSpace, Continuum, Drift, build_augmented, solve_augmented
    >>> space = AugmentedSpace(x=Continuum(upper=4.0, cells=100))
    >>> mine = FluxScheme("mine", upstream_with_a_limited_slope, 2)
    >>> solution = solve_augmented(build_augmented(space, Drift("x", "-x"), scheme=mine), space.density("x < 2"), 0.5)
    >>> bool(solution.p.min() >= 0)  # no undershoot at the edge
    True
    """

    name: str
    flux: Callable
    order: int


def _empty(v, d_centres):
    shape = np.broadcast_shapes(v[..., 1:].shape, np.shape(d_centres) if np.ndim(d_centres) else ())
    return np.zeros((4, *shape[:-1], shape[-1] - 1))


def _add_central_diffusion(c, d_centres, dx):
    """Add the flux -(q_right - q_left)/dx of q = D p, the natural form of Itô's diffusion; second order."""
    if np.ndim(d_centres):
        c[1] += d_centres[..., :-1] / dx
        c[2] -= d_centres[..., 1:] / dx


def upwind(v, d_faces, d_centres, dx):
    """First order, from upstream: positive, diffusive."""
    c, v = _empty(v, d_centres), v[..., 1:-1]
    c[1] = np.maximum(v, 0.0)
    c[2] = np.minimum(v, 0.0)
    _add_central_diffusion(c, d_centres, dx)
    return c


def central(v, d_faces, d_centres, dx):
    """Second order, the mean of both cells: oscillates where drift rules and the density is not smooth."""
    c, v = _empty(v, d_centres), v[..., 1:-1]
    c[1] = c[2] = 0.5 * v
    _add_central_diffusion(c, d_centres, dx)
    return c


def third(v, d_faces, d_centres, dx):
    """Third order, biased upstream, with fourth-order diffusion: the most digits on a smooth density."""
    c, v = _empty(v, d_centres), v[..., 1:-1]
    effective = v
    if np.ndim(d_centres):
        # ∂(D p) = D' p + D p': D' from its values at faces and centres, p' from cell averages.
        d = d_faces[..., 1:-1]
        near = d_centres[..., 1:] - d_centres[..., :-1]
        far = d_faces[..., 2:] - d_faces[..., :-2]
        effective = v - (8.0 * near - far) / (6.0 * dx)
        steep = d / dx
        c[1] += steep
        c[2] -= steep
        inner = steep[..., 1:-1] / 12.0
        c[0, ..., 1:-1] -= inner
        c[1, ..., 1:-1] += 3.0 * inner
        c[2, ..., 1:-1] -= 3.0 * inner
        c[3, ..., 1:-1] += inner
    # Where the cell further upstream does not exist, the one further downstream stands in.
    forward = effective > 0
    forward[..., 0], forward[..., -1] = False, True
    up = np.where(forward, effective, 0.0) / 6.0
    down = np.where(forward, 0.0, effective) / 6.0
    c[0] -= up
    c[1] += 5.0 * up + 2.0 * down
    c[2] += 2.0 * up + 5.0 * down
    c[3] -= down
    return c


def fitted(v, d_faces, d_centres, dx):
    """Exponentially fitted [1]_: positive at any step, second order where diffusion is resolved, else upwind.

    Between two cells the flux is that of the stationary profile with constant v/D.

    .. [1] D. L. Scharfetter, H. K. Gummel, IEEE Trans. Electron Devices 16, 64 (1969). doi:10.1109/T-ED.1969.16566
    """
    if not np.ndim(d_centres):
        return upwind(v, d_faces, d_centres, dx)
    c, v = _empty(v, d_centres), v[..., 1:-1]
    d = d_faces[..., 1:-1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        peclet = v * dx / d
        none = ~(np.abs(peclet) < 700.0)
        peclet = np.where(none, 0.0, peclet)
        right = np.where(np.abs(peclet) < 1e-5, 1.0 - 0.5 * peclet, peclet / np.expm1(np.where(peclet, peclet, 1.0)))
        left = right + peclet
    c[1] = np.where(none, np.maximum(v, 0.0), left * d_centres[..., :-1] / dx)
    c[2] = np.where(none, np.minimum(v, 0.0), -right * d_centres[..., 1:] / dx)
    return c


UPWIND = LinearScheme("upwind", upwind, 1)
CENTRAL = LinearScheme("central", central, 2)
THIRD = LinearScheme("third", third, 3)
FITTED = LinearScheme("fitted", fitted, 2)
_MINMOD, _VAN_LEER, _MC, _SUPERBEE = range(4)
LIMITERS = {"minmod": _MINMOD, "van_leer": _VAN_LEER, "mc": _MC, "superbee": _SUPERBEE}
SCHEMES = {scheme.name: scheme for scheme in (UPWIND, CENTRAL, THIRD, FITTED)}


def find_scheme(scheme):
    """Return the scheme with a name, or the scheme itself."""
    if isinstance(scheme, LinearScheme | LimitedScheme | FluxScheme):
        return scheme
    if scheme in SCHEMES:
        return SCHEMES[scheme]
    if scheme in LIMITERS:
        return LimitedScheme(scheme)
    names = ", ".join(map(repr, [*SCHEMES, *LIMITERS]))
    raise expected("scheme", f"one of {names}, or a LinearScheme, LimitedScheme or FluxScheme", scheme)


@njit(cache=True, nogil=True, error_model="numpy")
def minmod(a, b, theta=1.0):
    """Slope from the differences to the left and right neighbour: the least of θa, (a + b)/2, θb, or 0."""
    if a * b <= 0.0:
        return 0.0
    if a > 0.0:
        return min(theta * a, 0.5 * (a + b), theta * b)
    return max(theta * a, 0.5 * (a + b), theta * b)


@njit(cache=True, nogil=True, error_model="numpy")
def van_leer(a, b):
    """Slope: the harmonic mean of both differences, or 0."""
    return 2.0 * a * b / (a + b) if a * b > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def monotonized_central(a, b):
    """Slope: the central difference, held to twice the smaller of both, or 0."""
    return minmod(a, b, 2.0)


@njit(cache=True, nogil=True, error_model="numpy")
def superbee(a, b):
    """Slope: the sharpest that makes no new extremum; it turns smooth hills into blocks."""
    if a * b <= 0.0:
        return 0.0
    sign = 1.0 if a > 0.0 else -1.0
    a, b = abs(a), abs(b)
    return sign * max(min(2.0 * a, b), min(a, 2.0 * b))


@njit(cache=True, nogil=True, error_model="numpy")
def limited_slope(a, b, limiter, theta):
    """Return the slope of the limiter with a number (`LIMITERS`)."""
    if limiter == _MINMOD:
        return minmod(a, b, theta)
    if limiter == _VAN_LEER:
        return van_leer(a, b)
    if limiter == _MC:
        return monotonized_central(a, b)
    return superbee(a, b)

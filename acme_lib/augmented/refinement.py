"""How many digits of a solution to believe: the same problem on coarser grids, and Richardson's extrapolation."""

from dataclasses import dataclass

import numpy as np

from acme_lib.augmented.solution import AugmentedSolution
from acme_lib.augmented.stationary import (
    GrowthMode,
    StationaryDensity,
    solve_augmented_stationary,
    solve_growth_mode,
)
from acme_lib.augmented.transient import solve_augmented
from acme_lib.errors import ParameterError, StateSpaceError


@dataclass(frozen=True, eq=False)
class GridError:
    """An estimate of what the grid makes wrong.

    Attributes
    ----------
    error : float or ndarray, shape (time,)
        Of the density in L1, relative to its mass; or of a quantity, absolute.
    order : float or ndarray
        The order of convergence that the three grids show. Where it is far from the scheme's, the density is not yet
        resolved, and the estimate is no more than a hint.
    digits : float or ndarray
        How many decimal digits of the density or the quantity the grid allows.
    """

    error: float | np.ndarray
    order: float | np.ndarray
    digits: float | np.ndarray


def estimate_grid_error(solution, quantity=None):
    r"""Estimate the error of a solution by solving again with a half and a quarter of the cells.

    With differences :math:`d_1 = |u_h - u_{2h}|` and :math:`d_2 = |u_{2h} - u_{4h}|` the observed order is
    :math:`q = \log_2 d_2/d_1`, and what is left at the finest grid about :math:`d_1/(2^q - 1)` (Richardson [1]_). The
    order is taken as at least 1/2 and at most the scheme's.

    Parameters
    ----------
    solution : AugmentedSolution, StationaryDensity or GrowthMode
        On a grid whose numbers of cells divide by four. A solution that was stopped by a condition, or resumed, has no
        such estimate.
    quantity : callable, optional
        A number (or one for each time) of a solution, such as ``lambda s: s.mean("P")``; by default the density.

    Returns
    -------
    GridError

    Notes
    -----
    Use when: a number goes into a figure or a text. The cost is about that of the solution for one continuum species,
    a third of it for two.

    References
    ----------
    .. [1] L. F. Richardson, Phil. Trans. R. Soc. A 210, 307 (1911). doi:10.1098/rsta.1911.0009

    Examples
    --------
    >>> from acme_lib.augmented import AugmentedSpace, Burst, Continuum, ExponentialJump, build_augmented
    >>> from acme_lib.network import ReactionNetwork
    >>> space = AugmentedSpace(ReactionNetwork.parse("P -> 0 : 1"), P=Continuum(upper=6.0, cells=240, system_size=200))
    >>> system = build_augmented(space, Burst("P", 3.0, ExponentialJump(40.0)), diffusion=False)
    >>> law = solve_augmented_stationary(system)
    >>> estimate = estimate_grid_error(law, lambda law: law.variance("P"))
    >>> bool(abs(law.variance("P") - 0.12) < 2 * estimate.error < 1e-3)  # Gamma(3, 0.2)
    True
    """
    coarse, coarser = _coarser(solution, 2), _coarser(solution, 4)
    if quantity is None:
        space = solution.space
        middle = space.coarsen(solution.p, 2)
        first = _distance(middle, coarse.p, coarse)
        second = _distance(coarse.space.coarsen(coarse.p, 2), coarser.p, coarser)
        size = np.ones_like(first)
    else:
        values = [np.asarray(quantity(s), dtype=float) for s in (solution, coarse, coarser)]
        first, second = np.abs(values[0] - values[1]), np.abs(values[1] - values[2])
        size = np.abs(values[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.log2(second / first)
        used = np.clip(np.nan_to_num(order, nan=0.5), 0.5, solution.system.scheme.order)
        error = np.maximum(first / (2.0**used - 1.0), np.finfo(float).eps * size)
        digits = np.maximum(np.log10(size / error), 0.0)
    return GridError(*(_plain(value) for value in (error, order, digits)))


def _plain(value):
    return float(value) if np.ndim(value) == 0 else value


def _distance(p, q, solution):
    """Return the L1 distance of densities on one grid, relative to the mass of the second."""
    axes = tuple(range(q.ndim - len(solution.space.shape), q.ndim))
    return np.abs(p - q).sum(axis=axes) / np.abs(q).sum(axis=axes)


def _coarser(solution, factor):
    """Return the same problem solved with fewer cells."""
    space = solution.space
    for name in space.continuum:
        if space[name].cells % factor or space[name].cells // factor < 4:
            raise StateSpaceError(
                f"the estimate needs numbers of cells that divide by four, at least 16; {name} has {space[name].cells}"
            )
    system = solution.system.refined(1.0 / factor)
    if isinstance(solution, StationaryDensity):
        return solve_augmented_stationary(system, t=solution.time, max_leak=1.0)
    if isinstance(solution, GrowthMode):
        return solve_growth_mode(system, t=solution.time, max_leak=1.0)
    if not isinstance(solution, AugmentedSolution) or solution.p0 is None or solution.stopped:
        raise ParameterError(
            "the estimate is made for a solution from its start to its end, a stationary density or a growth mode"
        )
    return solve_augmented(system, space.coarsen(solution.p0, factor), solution.times, max_leak=1.0, **solution.options)

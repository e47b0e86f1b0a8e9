"""Stationary profiles and dominant growth modes, found directly."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csgraph

from acme_lib.augmented.resolvent import Resolvent
from acme_lib.augmented.solution import AugmentedDensity
from acme_lib.augmented.truncation import judge_leak
from acme_lib.errors import ParameterError, StateSpaceError

_MAX_SOLVES = 200
_MAX_SHIFTS = 60


@dataclass(frozen=True, eq=False)
class StationaryDensity(AugmentedDensity):
    """A stationary density of mass 1 (or, with an influx, of the mass that it sustains).

    Attributes
    ----------
    residual : float
        ``max |A p|`` over the largest flow out of a single cell.
    leaked : float
        Mass per unit of time that crosses, or would cross, an end of the space.
    most_negative : float
        The least density over the largest; a scheme of high order may undershoot where the density is not resolved.
    time : float
        At which the rates were taken.
    """

    residual: float
    leaked: float
    most_negative: float
    time: float


@dataclass(frozen=True, eq=False)
class GrowthMode(AugmentedDensity):
    """The dominant mode of a population: its growth rate, and the profile of mass 1 that grows with it.

    Attributes
    ----------
    rate : float
        The largest eigenvalue, in 1/time; negative where the population dies out or is absorbed.
    residual : float
        ``max |A p - rate p|`` over the largest flow out of a single cell.
    leaked, most_negative, time : float
        As in `StationaryDensity`.
    """

    rate: float
    residual: float
    leaked: float
    most_negative: float
    time: float


def solve_augmented_stationary(system, *, t=0.0, max_leak=None):
    """Find the stationary density of a system directly, by inverse iteration on one factorisation.

    Parameters
    ----------
    system : AugmentedSystem
        With a linear scheme. With an `Influx`, A p + s = 0 is solved; otherwise A p = 0 with mass 1.
    t : float
        Time at which rates that depend on time are taken.
    max_leak : float, optional
        Leak that is let pass, relative to the rate at which mass crosses the space. By default more than 5 % is an
        error and more than 0.001 % a warning.

    Returns
    -------
    StationaryDensity

    Raises
    ------
    StateSpaceError
        If there is no stationary density: mass is made or lost, or the space falls into parts.
    DomainError
        If the solution reaches the end of the space.

    Notes
    -----
    Use when: the long run is wanted and not the way there; it costs about as much as one implicit step.
    """
    terms = _linear_terms(system, t)
    n = terms.n_cells
    resolvent = Resolvent(terms)
    scale = max(terms.stiffness, 1e-300)
    if np.any(terms.source):
        u = resolvent.factor(0.0, 1.0)(terms.source)
        mass = float(u[:n].sum() * system.space.volume)
        if not mass > 0:
            raise StateSpaceError("no stationary density: the influx is not balanced by death or outflow")
        rate = 0.0
    else:
        largest = float(np.max(np.abs(terms.gain)) / system.space.volume)
        if largest > 1e-9 * scale:
            raise StateSpaceError(
                f"there is no stationary law: mass is made or lost (at a rate of up to {largest:.3g}); "
                "ask for solve_growth_mode(system), or close the ends of the space"
            )
        _one_closed_class(system, terms)
        u = _inverse_iteration(resolvent, terms, 1e-13 * scale)
        rate = 0.0
    p = u[:n]
    residual = _residual(terms, u, rate)
    if not residual < 1e-6:
        raise StateSpaceError(f"no stationary density was found (relative residual {residual:.1e})")
    leaked = float(terms.leak @ u)
    judge_leak(system, float(terms.stop @ u) / _turnover(system, terms, u), max_leak)
    return StationaryDensity(system, p.reshape(system.space.shape).copy(), residual, leaked, _negative(p), float(t))


def solve_growth_mode(system, *, t=0.0, tolerance=1e-12, max_leak=None):
    """Find the dominant mode of a population: A p = λ p with the largest λ, over the states that are not frozen.

    The density of a population tends to ``exp(λ t) p``. For a first passage, where a frozen state absorbs, λ is minus
    the rate at which the waiting time's tail decays.

    Parameters
    ----------
    system : AugmentedSystem
        With a linear scheme and without influx.
    t : float
        Time at which rates that depend on time are taken.
    tolerance : float
        Change of the profile in the last iteration, in L1.
    max_leak : float, optional
        As in `solve_augmented_stationary`.

    Returns
    -------
    GrowthMode

    Notes
    -----
    Inverse iteration with shifts from above: the resolvent of a system of rates at a shift above λ has no negative
    entry, so that the iterates tend to the one positive mode; a shift that lies below shows by its signs.
    """
    terms = _linear_terms(system, t)
    if np.any(terms.source):
        raise ParameterError(
            "with an Influx the population tends to no mode of its own: ask for the stationary density"
        )
    n = terms.n_cells
    awake = np.broadcast_to(~system.space.frozen, system.space.shape).ravel()
    # No mass can grow faster than in the best of its cells: what is made there, and what comes from phantom states.
    made = terms.gain[:n] / terms.volume - terms.matrix_sums(~awake)[:n]
    terms = _awake_terms(terms, awake)
    sums = terms.matrix_sums(awake)
    resolvent = Resolvent(terms)
    floor = 1e-11 * max(terms.stiffness, 1e-300)
    high = float(np.max(made[awake])) + 1e3 * floor
    shift = high
    p = np.where(awake, 1.0, 0.0)
    p /= p.sum()
    for _ in range(_MAX_SHIFTS):
        solve = resolvent.factor(shift, 1.0)
        distance, good = np.inf, p
        for _ in range(8):
            before, previous = distance, p
            new = np.where(awake, solve(p)[:n], 0.0)
            growth = new.sum()
            if growth <= 0 or -np.minimum(new, 0.0).sum() > 0.05 * growth:
                break
            p = new / growth
            distance = np.abs(p - previous).sum()
            if distance < tolerance or distance > 0.5 * before:
                break
        if growth <= 0 or -np.minimum(new, 0.0).sum() > 0.05 * growth:
            p, shift = good, 0.5 * (shift + high)  # below the eigenvalue the resolvent has negative entries
            continue
        rate, high = shift - 1.0 / growth, shift
        if (distance < tolerance and _residual(terms, terms.extend(p), rate) < 1e-10) or shift - rate <= floor:
            break
        shift = rate + max(0.1 * abs(shift - rate), floor)  # nearer
    u = terms.extend(p)
    rate = float(sums @ u / p.sum())
    residual = _residual(terms, u, rate)
    if not residual < 1e-6:
        raise StateSpaceError(f"no dominant mode was found (relative residual {residual:.1e}): {_why(system, terms)}")
    scale = p.sum() * system.space.volume
    u, p = u / scale, p / scale
    leaked = float(terms.leak @ u)
    judge_leak(system, float(terms.stop @ u) / max(_turnover(system, terms, u), abs(rate)), max_leak)
    return GrowthMode(system, p.reshape(system.space.shape).copy(), rate, residual, leaked, _negative(p), float(t))


def _why(system, terms):
    """Say what keeps a dominant mode from being found; only a scheme of high order has negative rates between cells."""
    between = terms.matrix[: terms.n_cells, : terms.n_cells].tocoo()
    if np.all(between.data[between.row != between.col] >= 0):
        return "the space may fall into parts"
    cells = ", ".join(f"{name} has {system.space[name].cells} cells" for name in system.space.continuum)
    return f"the grid may be too coarse for its profile ({cells}): take more, or build with scheme='fitted'"


def _linear_terms(system, t):
    if not system.is_linear:
        raise ParameterError(
            f"the scheme {system.scheme} is not linear in the densities: build the system with scheme='third' or "
            "'fitted', or solve in time until nothing changes"
        )
    return system.terms(t)


def _awake_terms(terms, awake):
    """Return the terms without what happens to frozen states."""
    asleep = ~np.append(awake, np.ones(terms.n_unknowns - terms.n_cells, dtype=bool))
    keep = ~(asleep[terms.rows] | asleep[terms.columns])
    # A frozen cell empties at a rate of its own, so that no mode lives there.
    frozen = np.flatnonzero(asleep)
    rows, columns = np.append(terms.rows[keep], frozen), np.append(terms.columns[keep], frozen)
    values = np.append(terms.values[keep], np.full(len(frozen), -max(terms.stiffness, 1.0)))
    return replace(terms, rows=rows, columns=columns, values=values)


def _one_closed_class(system, terms):
    """Refuse a system whose states fall into several closed classes."""
    matrix = terms.matrix
    count, label = csgraph.connected_components(matrix, directed=True, connection="strong")
    if count == 1:
        return
    entries = matrix.tocoo()
    closed = np.ones(count, dtype=bool)
    closed[label[entries.col[label[entries.row] != label[entries.col]]]] = False
    # An auxiliary unknown that leads nowhere holds no mass.
    holds = np.zeros(count, dtype=bool)
    holds[label[: terms.n_cells]] = True
    if np.count_nonzero(closed & holds) > 1:
        raise StateSpaceError(
            "the stationary law is not unique: the space falls into parts between which nothing leads (states that "
            "nothing leaves, or something that is conserved); solve in time from a start instead"
        )


def _inverse_iteration(resolvent, terms, shift):
    n = terms.n_cells
    solve = resolvent.factor(shift, 1.0)
    p = np.ones(n) / n
    for _ in range(_MAX_SOLVES):
        u = solve(p)
        total = u[:n].sum()
        u /= total
        done = np.abs(u[:n] - p).sum() <= 1e-13
        p = u[:n]
        if done:
            break
    return u / (p.sum() * terms.volume)


def _residual(terms, u, rate):
    """Return max |A p - rate p| over the largest flow out of a cell."""
    n = terms.n_cells
    change = terms.matrix[:n] @ u + terms.source - rate * u[:n]
    flow = np.max(np.abs(terms.matrix.diagonal()[:n] * u[:n]))
    return float(np.max(np.abs(change)) / flow) if flow > 0 else 0.0


def _turnover(system, terms, u):
    """Return the mean rate at which mass moves, to which a leak is compared."""
    n = terms.n_cells
    flow = np.abs(terms.matrix.diagonal()[:n]) @ np.abs(u[:n]) / max(np.abs(u[:n]).sum(), 1e-300)
    longest = max(system.space.shape[system.space.axis(name)] for name in system.space.continuum)
    return float(flow) / longest


def _negative(p):
    return float(min(np.min(p), 0.0) / np.max(np.abs(p), initial=1e-300))

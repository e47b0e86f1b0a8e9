"""Binary processes: sizes that coagulate, and fragment, by conservative finite volumes of the mass.

The unknown is the mass density g(x) = x n(x): coagulation carries mass to larger sizes and fragmentation to smaller
ones, so that both are fluxes through the faces of cells, and what leaves a cell enters its neighbour.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_choice, check_number, check_times, check_whole, expected, renamed
from acme_lib.errors import NetworkSyntaxError, ParameterError
from acme_lib.network.expression import Expression, suggest

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, eq=False)
class CoagulationSolution:
    """Size distributions in time; all arrays are read-only.

    Attributes
    ----------
    times : ndarray, shape (time,)
    edges : ndarray, shape (cell + 1,)
        Sizes.
    mass_density : ndarray, shape (time, cell)
        Averages of x n(x) over cells.
    leaked : ndarray, shape (time,)
        Mass that has crossed the largest size, or would have, up to each time.
    balance_error : float
        Largest change of the mass (with what left) beside the mass at the start.
    steps : int
        Evaluations of the fluxes.
    most_negative : float
        The least value of the mass density over the largest.
    """

    times: np.ndarray
    edges: np.ndarray = field(repr=False)
    mass_density: np.ndarray = field(repr=False)
    leaked: np.ndarray = field(repr=False)
    balance_error: float
    steps: int
    most_negative: float

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    @property
    def sizes(self):
        """Centres of the cells, shape (cell,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def number_density(self):
        """Number a unit of size, shape (time, cell)."""
        return self.mass_density / self.sizes

    def moment(self, order):
        """Return the integral of x^order n(x) at each time; order 0 is the number, 1 the mass."""
        widths = np.diff(self.edges)
        if order == 1:
            return self.mass_density @ widths
        return self.mass_density @ (widths * self.sizes ** (order - 1.0))


def geometric_sizes(smallest, largest, cells):
    """Return edges of cells that grow by a constant factor, the first from 0 to `smallest`.

    Parameters
    ----------
    smallest, largest : float
    cells : int

    Returns
    -------
    ndarray, shape (cells + 1,)

    Examples
    --------
    >>> geometric_sizes(1.0, 8.0, 4)
    array([0., 1., 2., 4., 8.])
    """
    check_number("smallest", smallest, above=0)
    check_number("largest", largest, above=smallest)
    check_whole("cells", cells, 3)
    return np.concatenate([[0.0], np.geomspace(smallest, largest, cells)])


@renamed(start="p0", rtol="tolerance")
def solve_coagulation(
    p0,
    t,
    *,
    edges,
    kernel,
    breakage=None,
    fragments="uniform",
    boundary="reflecting",
    tolerance=1e-7,
    **parameters,
):
    r"""Solve Smoluchowski's equation of coagulation, with fragmentation where it is given.

    .. math::

        \partial_t n = \tfrac12 \int_0^x K(x-y, y)\, n(x-y)\, n(y)\, dy - n \int_0^\infty K(x, y)\, n(y)\, dy
            - B(x)\, n + \int_x^\infty b(y, x)\, n(y)\, dy

    It is solved as the conservation law of the mass density :math:`g = x n` [1]_,

    .. math::

        \partial_t g = -\partial_x J, \qquad J(x) = \int_0^x \int_{x-u}^\infty K(u, v)\, g(u) \frac{g(v)}{v}\, dv\, du
            - \int_x^\infty m(x/y)\, B(y)\, g(y)\, dy,

    where m(s) is the part of a parent's mass in fragments below the part s of its size. The error is of second order in
    the ratio of neighbouring sizes; steps in time are error-controlled. The mass is kept to rounding.

    Use when: individuals meet in pairs: droplets, aggregates, fused cells; a binary process, which the linear augmented
    master equation leaves out.

    Parameters
    ----------
    p0 : callable or array_like, shape (cell,)
        Number density n(x) at the start: a function of an array of sizes, or its averages over cells.
    t : float or array_like, shape (time,)
        Increasing times from 0 on; the result holds exactly these.
    edges : array_like, shape (cell + 1,)
        Increasing sizes from 0 on; see `geometric_sizes`.
    kernel : str or callable
        K(x, y): ``"1"`` (constant), ``"x + y"`` (additive), ``"x*y"`` (multiplicative), or any symmetric rate in `x`,
        `y` and parameters.
    breakage : str or callable, optional
        B(x), such as ``"a*x**2"``.
    fragments : {"uniform"} or callable
        Two uniform fragments, m(s) = s²; or m as a function of an array, from m(0) = 0 to m(1) = 1.
    boundary : {"reflecting", "outflow"}
        What would grow beyond the largest size stays below it, and is reported as leaked; or leaves.
    tolerance : float
        Relative error of the steps in time, from 1e-13 to 1e-2.
    **parameters : float
        Values of the names in `kernel` and `breakage`.

    Returns
    -------
    CoagulationSolution

    Raises
    ------
    ParameterError
        If an argument does not fit; also if coagulation alone is asked for beyond gelation, the time at which the
        multiplicative kernel puts mass into an infinite cluster: from there on the equation above is no longer right.

    References
    ----------
    .. [1] F. Filbet, P. Laurençot, SIAM J. Sci. Comput. 25, 2004 (2004). doi:10.1137/S1064827503429132

    Examples
    --------
    >>> import numpy as np
    >>> edges = geometric_sizes(1e-3, 60.0, 200)
    >>> solution = solve_coagulation(lambda x: np.exp(-x), [0.0, 2.0], edges=edges, kernel="1")
    >>> print(f"{solution.moment(0)[-1]:.3f}, {solution.moment(1)[-1] - solution.moment(1)[0]:.0e}")
    0.500, 0e+00
    """
    from scipy.integrate import solve_ivp

    edges = _check_edges(edges)
    times = check_times(t)
    check_choice("boundary", boundary, ("reflecting", "outflow"))
    check_number("tolerance", tolerance, least=1e-13, most=1e-2)
    widths, centres = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    used = set()
    rates = _evaluate(kernel, ("x", "y"), parameters, used, "kernel")(centres[:, None], centres[None, :])
    if not np.all(np.isfinite(rates) & (rates >= 0)) or not np.allclose(rates, rates.T, rtol=1e-12):
        raise ParameterError(f"the kernel {kernel!r} is a finite rate of zero or more that is the same for (y, x)")
    broken = np.zeros((len(widths), len(widths)))
    if breakage is not None:
        broken = _breakage_fluxes(_evaluate(breakage, ("x",), parameters, used, "breakage"), _below(fragments), edges)
    for name in parameters:
        if name not in used:
            raise ParameterError(f"the parameter {name} stands in no rate{suggest(name, used)}; remove it or use it")
    g = _mass_averages(p0, edges)
    if breakage is None:
        _refuse_gelation(rates, centres, g @ (widths * centres), times[-1])
    cell, part = _partners(edges, centres)
    outflow = boundary == "outflow"
    flux = np.empty(len(widths) + 1)
    scratch = np.empty(len(widths) + 1)

    def slope(_, y):
        _fluxes(y[:-1], widths, centres, rates, cell, part, broken, scratch, flux)
        crossing = flux[-1]
        if not outflow:
            flux[-1] = 0.0
        return np.append(-np.diff(flux) / widths, crossing)

    solved = solve_ivp(
        slope,
        (0.0, times[-1] or tolerance),  # an interval of no length is none
        np.append(g, 0.0),
        method="RK45",
        t_eval=times,
        rtol=tolerance,
        atol=tolerance * g.max() * 1e-4,
    )
    if not solved.success:
        raise ParameterError(f"the steps in time failed ({solved.message}); are the rates bounded on these sizes?")
    density, leaked = solved.y[:-1].T.copy(), solved.y[-1].copy()
    mass, before = density @ widths + (leaked if outflow else 0.0), g @ widths
    return CoagulationSolution(
        times,
        edges,
        density,
        leaked,
        float(np.abs(mass / before - 1.0).max()),
        int(solved.nfev),
        float(density.min() / density.max()),
    )


def _check_edges(edges):
    edges = np.array(edges, dtype=float)
    if (
        edges.ndim != 1
        or len(edges) < 4
        or edges[0] != 0.0
        or not np.all(np.isfinite(edges) & (np.diff(edges, prepend=-1) > 0))
    ):
        raise expected("edges", "four or more increasing sizes from 0 on", edges)
    return edges


def _evaluate(rate, names, parameters, used, what):
    """Return a rate as a function of arrays; collects the parameters that it uses."""
    if callable(rate):
        return lambda *values: (
            np.asarray(rate(*values), dtype=float) * np.ones(np.broadcast_shapes(*map(np.shape, values)))
        )
    try:
        expression = Expression.parse(rate)
    except (NetworkSyntaxError, AttributeError) as error:
        raise expected(what, "text, such as 'x + y', or a function", rate, str(error)) from None
    for name in expression.names:
        if name not in names and name not in parameters:
            raise ParameterError(
                f"{what}={rate!r} names {name!r}{suggest(name, [*names, *parameters])}; give it a value: {name}=…"
            )
    if expression.uses_time:
        raise ParameterError(f"{what}={rate!r} depends on the time; rates of coagulation are constant in time")
    used.update(name for name in expression.names if name not in names)

    def function(*values):
        given = {name: parameters[name] for name in expression.names if name in parameters}
        given |= {name: value for name, value in zip(names, values, strict=True) if name in expression.names}
        return np.broadcast_to(expression.evaluate(given), np.broadcast_shapes(*map(np.shape, values))).astype(float)

    return function


def _below(fragments):
    if isinstance(fragments, str) and fragments == "uniform":
        return np.square
    if not isinstance(fragments, Callable):
        raise expected("fragments", "'uniform' or a function m(s), the mass in smaller fragments", fragments)
    s = np.linspace(0.0, 1.0, 101)
    m = np.asarray(fragments(s), dtype=float)
    if m.shape != s.shape or abs(m[0]) > 1e-9 or abs(m[-1] - 1.0) > 1e-9 or np.any(np.diff(m) < -1e-12):
        raise ParameterError(
            "fragments(s) is the part of the parent's mass in fragments below s times its size: it rises from 0 at s=0 "
            f"to 1 at s=1; it gave {m[0] if m.ndim else m!r} … {m[-1] if m.ndim else m!r}"
        )
    return fragments


def _breakage_fluxes(rate, below, edges):
    """Return the mass that fragments carry down through face i for each mass in cell j, shape (cell, cell).

    Row i is the upper face of cell i; averages over the parent's cell.
    """
    low, high = edges[:-1], edges[1:]
    y = 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * _NODES
    rates = rate(y)
    if not np.all(np.isfinite(rates) & (rates >= 0)):
        raise ParameterError("the rate of breakage is finite and zero or more")
    weights = 0.5 * rates * _WEIGHTS
    table = np.zeros((len(low), len(low)))
    for i in range(len(low) - 1):
        table[i, i + 1 :] = (below(edges[i + 1] / y[i + 1 :]) * weights[i + 1 :]).sum(axis=1)
    return table


def _mass_averages(p0, edges):
    low, high = edges[:-1], edges[1:]
    if callable(p0):
        x = 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * _NODES
        g = 0.5 * (np.asarray(p0(x), dtype=float) * x) @ _WEIGHTS
    else:
        g = np.array(p0, dtype=float)
        if g.shape != low.shape:
            raise expected("p0", f"a function, or one average for each of {len(low)} cells", g)
        g *= 0.5 * (low + high)
    if not np.all(np.isfinite(g) & (g >= 0)) or not g.any():
        raise expected("p0", "a number density that is finite, zero or more, and not zero everywhere", g)
    return g


def _refuse_gelation(rates, centres, second_moment, end):
    """Refuse times beyond the gelation of a multiplicative kernel."""
    ratio = rates / np.outer(centres, centres)
    if np.ptp(ratio) <= 1e-9 * ratio.max() and ratio.max() > 0.0:
        gelation = 1.0 / (ratio.max() * second_moment)
        if end >= gelation:
            raise ParameterError(
                f"the multiplicative kernel gels at t={gelation:.6g}: from there on mass is in an infinite cluster, "
                f"which no size distribution holds: end before it, got t={end:g}"
            )


def _partners(edges, centres):
    """Return, for the upper face i and a particle of size x_k ≤ it, where partners begin that carry it across.

    Returns
    -------
    cell : ndarray of int64, shape (cell, cell)
        The cell that holds ``edges[i + 1] - centres[k]``.
    part : ndarray, shape (cell, cell)
        The number in this cell that is beyond it, for each mass density there.
    """
    n = len(centres)
    gap = np.maximum(edges[1:, None] - centres[None, :], 0.0)
    cell = np.clip(np.searchsorted(edges, gap, side="right") - 1, 0, n - 1)
    # the mass density is constant in the cell, and so is the number density: both to second order
    part = (edges[cell + 1] - gap) / centres[cell]
    return cell.astype(np.int64), part


@njit(cache=True, nogil=True)
def _fluxes(g, widths, centres, rates, cell, part, broken, tail, flux):
    """Fill `flux` with the mass that crosses each face, upwards; `tail` is scratch space."""
    n = g.shape[0]
    flux[:] = 0.0
    for k in range(n):
        tail[n] = 0.0
        for j in range(n - 1, -1, -1):
            tail[j] = tail[j + 1] + rates[k, j] * g[j] * widths[j] / centres[j]
        mass = g[k] * widths[k]
        for i in range(k, n):
            a = cell[i, k]
            flux[i + 1] += mass * (tail[a + 1] + rates[k, a] * g[a] * part[i, k])
    for i in range(n - 1):
        down = 0.0
        for j in range(i + 1, n):
            down += broken[i, j] * g[j] * widths[j]
        flux[i + 1] -= down

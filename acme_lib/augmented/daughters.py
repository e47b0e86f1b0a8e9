"""How many daughters of a parent in one cell fall to another, for each kind of share.

A daughter is shared between the two centres next to her size, by hat functions: number and volume are kept. Below the
first centre there is none to share with: she counts as one of its size, so that the number is right and the volume too
large. What is too much is taken back at the parent: so many of the parent's own cell count one cell less (`excess`).
Every parent then has as many daughters as the kernel says, of together her size. Only a parent in the first cell stays
as she is. With rates B that vanish at size 0, or densities that do, the number of individuals is of second order in
the width of the cells; else of first order.
"""

import numpy as np
from scipy import integrate

from acme_lib.errors import ParameterError
from acme_lib.network.expression import Expression
from acme_lib.processes import ArbitraryKernel, FixedFraction, SelfSimilarKernel

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_TOLERATED = 1e-6


def power_law_shares(m, n):
    """Return how u^m is shared between cells, widths in cells.

    The first cell gets its exact integral, at the expense of the second.

    Returns
    -------
    inside : ndarray, shape (n,)
        What a cell gets from parents in larger cells.
    own : ndarray, shape (n,)
        What it gets from parents at its own centre.
    excess : float
        Volume that daughters below the first centre have too much, the same from every parent; in cells.
    """
    centre = np.arange(n) + 0.5
    nodes = 0.5 * (1.0 + _NODES)
    own = np.empty(n)
    own[1:] = ((centre[1:, None] - 1.0 + nodes) ** m * nodes) @ _WEIGHTS * 0.5
    falling = ((centre[:, None] + nodes) ** m * (1.0 - nodes)) @ _WEIGHTS * 0.5
    # Closed forms below the first centre, where the power may be singular.
    own[0] = 0.5 ** (m + 1.0) / (m + 1.0)
    excess = 0.5 ** (m + 2.0) / ((m + 1.0) * (m + 2.0))
    inside = own + falling
    moved = 1.0 / (m + 1.0) - inside[0]
    inside[0] += moved
    inside[1] -= moved
    own[1] -= moved
    return inside, own, excess - moved


def fragment_matrix(kernel, n, h, parameters):
    """Return how many daughters of a parent in one cell fall to another, [to, from], keeping number and volume."""
    if isinstance(kernel, FixedFraction):
        matrix = fraction_matrix(kernel.fraction, n) + fraction_matrix(1.0 - kernel.fraction, n)
        return _keep_volume(matrix)
    x = np.arange(n) + 0.5  # sizes in cells
    daughters = _daughters_by_size(kernel, h, parameters, x)

    def between(low, high, here):
        """Return sizes between two limits at the nodes of a quadrature, and the number of daughters at each."""
        high = np.minimum(high, x[here])
        v = low + 0.5 * (high - low)[:, None] * (1.0 + _NODES)
        return v, daughters(x[here][:, None], v) * _WEIGHTS * 0.5 * (high - low)[:, None]

    matrix = np.zeros((n, n))
    matrix[0] = between(0.0, 0.5, np.arange(n))[1].sum(axis=1)
    exact = matrix[0] + between(0.5, 1.0, np.arange(n))[1].sum(axis=1)  # of the first cell
    for lower in range(n - 1):  # sizes between two neighbouring centres
        here = np.arange(lower + 1, n)
        v, amount = between(lower + 0.5, lower + 1.5, here)
        upper = v - (lower + 0.5)
        matrix[lower, here] += (amount * (1.0 - upper)).sum(axis=1)
        matrix[lower + 1, here] += (amount * upper).sum(axis=1)
    if not np.all(np.isfinite(matrix)):
        raise ParameterError(f"the density of {type(kernel).__name__} is not finite on the grid")
    # Quadrature errs where the density is rough; the number must not.
    scale = kernel.daughters / matrix.sum(axis=0)
    matrix *= scale
    moved = np.minimum(exact * scale - matrix[0], _excess(matrix))
    matrix[0] += moved
    matrix[1] -= moved
    return _keep_volume(matrix)


def fraction_matrix(u, n):
    """Return to which cells one daughter of the fraction u falls, [to, from]; the volume of small ones is too large.

    A parent is spread over her cell, and so is the daughter over u times its width (where that stays below the parent's
    centre): a density that is the same everywhere stays so.
    """
    x = np.arange(n) + 0.5
    half = 0.5 * np.minimum(u, 2.0 * (1.0 - u) * x)
    low, high = u * x - half, u * x + half
    middle = np.clip(np.ceil(low - 0.5) + 0.5, low, high)  # a centre, where the shares bend
    matrix, columns = np.zeros((n, n)), np.arange(n)
    for start, end in ((low, middle), (middle, high)):
        size = 0.5 * (start + end) - 0.5  # from the first centre
        cell = np.maximum(np.floor(size), 0.0)
        above = np.maximum(size - cell, 0.0)
        amount, cell = (end - start) / (2.0 * half), cell.astype(int)
        np.add.at(matrix, (cell, columns), amount * (1.0 - above))
        np.add.at(matrix, (np.minimum(cell + 1, n - 1), columns), amount * above)
    return matrix


def _excess(matrix):
    """Return the volume of each parent's daughters beyond her own, in cells."""
    x = np.arange(len(matrix)) + 0.5
    return x @ matrix - x


def take_back(matrix):
    """Return how many of each parent's own cell count one cell less, so that the volume is kept; none for the first."""
    excess = np.maximum(_excess(matrix), 0.0)
    excess[0] = 0.0
    return excess


def _keep_volume(matrix):
    """Return a matrix of daughters with the volume of each parent kept."""
    x = np.arange(len(matrix)) + 0.5
    short = _excess(matrix) < 0.0  # by rounding, or a quadrature that errs: there the number gives way
    matrix[:, short] *= (x / (x @ matrix))[short]
    excess = take_back(matrix)
    parents = np.arange(1, len(matrix))
    matrix[parents, parents] -= excess[1:]
    matrix[parents - 1, parents] += excess[1:]
    matrix[:, 0] = 0.0
    matrix[0, 0] = 1.0
    return matrix


def _daughters_by_size(kernel, h, parameters, x):
    """Return the density of daughters of size v from a parent of size y, in cells, as a function of arrays."""
    if isinstance(kernel, ArbitraryKernel):
        plain = _function(kernel.density, ("y", "x"), parameters, "ArbitraryKernel")
        _check_arbitrary(kernel, plain, h * x[[len(x) // 8, len(x) // 2, len(x) - 1]])
        return lambda y, v: plain(h * y, h * v) * h
    density = density_of_fraction(kernel, parameters)
    return lambda y, v: density(v / y) / y


def density_of_fraction(kernel, parameters):
    """Return κ(u) of a kernel that is the same for every parent, as a function of arrays, checked."""
    if not isinstance(kernel, SelfSimilarKernel):
        return kernel.density
    density = _function(kernel.density, ("u",), parameters, "SelfSimilarKernel")
    _check_self_similar(kernel, density)
    return density


def _function(density, names, parameters, what):
    if callable(density):
        return density
    expression = Expression.parse(density)
    for name in expression.names:
        if name not in names and name not in parameters:
            raise ParameterError(
                f"{what} {density!r} is a function of {', '.join(names)} and parameters; not of {name}"
            )

    def function(*values):
        given = {name: parameters[name] for name in expression.names if name in parameters}
        shape = np.broadcast_shapes(*(np.shape(value) for value in values))
        return np.broadcast_to(expression.evaluate({**given, **dict(zip(names, values, strict=True))}), shape)

    return function


def _check_self_similar(kernel, density):
    def integral(f):
        return integrate.quad(lambda u: float(f(np.asarray(u))), 0.0, 1.0, limit=200)[0]

    _complain(
        kernel,
        integral(density),
        integral(lambda u: u * density(u)),
        1.0,
        "κ(u)",
        lambda u: (density(u), density(1.0 - u)),
        np.array([0.11, 0.23, 0.37]),
    )


def _check_arbitrary(kernel, density, parents):
    for y in parents:

        def integral(f, y=y):
            return integrate.quad(lambda x: float(f(np.asarray(x))), 0.0, y, limit=200)[0]

        _complain(
            kernel,
            integral(lambda x, y=y: density(y, x)),
            integral(lambda x, y=y: x * density(y, x)),
            y,
            f"b(y, x)/B(y) at y={y:g}",
            lambda x, y=y: (density(y, x), density(y, y - x)),
            y * np.array([0.11, 0.23, 0.37]),
        )


def _complain(kernel, number, volume, size, what, pair, at):
    name = type(kernel).__name__
    if not abs(number - kernel.daughters) <= _TOLERATED * kernel.daughters:
        raise ParameterError(
            f"number: {what} of {name} integrates to {number:.9g}, not to daughters={kernel.daughters:g}; scale it, or "
            "say how many daughters there are"
        )
    if not abs(volume - size) <= _TOLERATED * size:
        raise ParameterError(
            f"volume: the sizes of the daughters, size × {what} of {name}, integrate to {volume:.9g}, not to the "
            f"parent's {size:g}; division keeps the volume"
        )
    if kernel.daughters == 2.0:
        here, other = pair(at)
        if not np.allclose(here, other, rtol=1e-6, atol=1e-9 * np.max(np.abs(here))):
            raise ParameterError(
                f"symmetry: {what} of {name} differs between a daughter and the other one, which has the rest of the "
                f"size ({np.ravel(here)[0]:.6g} and {np.ravel(other)[0]:.6g}); with two daughters both are made at once"
            )

"""How many daughters of a parent in one cell fall to another, for each kind of share."""

import numpy as np
from scipy import integrate

from acme_lib.errors import ParameterError
from acme_lib.network.expression import Expression
from acme_lib.processes import ArbitraryKernel, FixedFraction, SelfSimilarKernel

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_TOLERATED = 1e-6


def power_law_hats(m, n):
    """Return the integrals of u^m over the rising and the falling half of the hat of each cell, widths in cells.

    The hat of cell i is 1 at its centre and 0 at the neighbours' centres; below the first centre it falls to 0 at size
    0, so that a daughter of size v counts v/x_0 individuals of size x_0: volume is kept everywhere, and number too,
    except for daughters smaller than half a cell.

    Returns
    -------
    rising, falling : ndarray, shape (n,)
    """
    centre = np.arange(n) + 0.5
    left = np.maximum(centre - 1.0, 0.0)
    width = centre - left
    nodes = 0.5 * (1.0 + _NODES)
    rising = ((left[:, None] + width[:, None] * nodes) ** m * nodes) @ _WEIGHTS * 0.5 * width
    falling = ((centre[:, None] + nodes) ** m * (1.0 - nodes)) @ _WEIGHTS * 0.5
    # Closed form for the first, where the power may be singular.
    rising[0] = centre[0] ** (m + 1.0) / (m + 2.0)
    return rising, falling


def fragment_matrix(kernel, n, h, parameters):
    """Return how many daughters of a parent in one cell fall to another, [to, from], keeping number and volume."""
    x = np.arange(n) + 0.5  # sizes in cells
    matrix = np.zeros((n, n))
    if isinstance(kernel, FixedFraction):
        for u in (kernel.fraction, 1.0 - kernel.fraction):
            share_sizes(matrix, u * x, np.ones(n))
        return matrix
    daughters = _daughters_by_size(kernel, h, parameters, x)
    parents = np.arange(n)
    for piece in range(n + 1):  # sizes between two neighbouring centres
        low = max(piece - 0.5, 0.0)
        here = parents[piece - 1 if piece else 0 :] if piece else parents
        here = here[x[here] > low]
        if not len(here):
            break
        high = np.minimum(piece + 0.5, x[here])
        v = low + 0.5 * (high - low)[:, None] * (1.0 + _NODES)
        amount = daughters(x[here][:, None], v) * _WEIGHTS * 0.5 * (high - low)[:, None]
        if piece == 0:
            matrix[0, here] += (amount * (v / 0.5)).sum(axis=1)
        else:
            upper = v - low
            matrix[piece - 1, here] += (amount * (1.0 - upper)).sum(axis=1)
            if piece < n:
                matrix[piece, here] += (amount * upper).sum(axis=1)
    if not np.all(np.isfinite(matrix)):
        raise ParameterError(f"the density of {type(kernel).__name__} is not finite on the grid")
    # Quadrature errs where the density is rough; volume must not: each parent's daughters are scaled to its size.
    volume = x @ matrix
    return matrix * (x / volume)


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


def share_sizes(matrix, sizes, amount):
    """Share individuals of some sizes (one a column, in cells) between the two nearest cells, keeping volume."""
    columns = np.arange(len(sizes))
    low = np.floor(sizes - 0.5).astype(int)
    part = sizes - 0.5 - low
    first = low < 0
    np.add.at(matrix, (np.maximum(low, 0), columns), np.where(first, amount * sizes / 0.5, amount * (1.0 - part)))
    np.add.at(matrix, (np.minimum(low + 1, len(matrix) - 1), columns), np.where(first, 0.0, amount * part))


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

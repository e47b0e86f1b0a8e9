"""Division that shares out the parent's contents among the daughters."""

import numpy as np
from scipy import sparse, stats

from acme_lib.augmented.axes import Continuum
from acme_lib.augmented.daughters import density_of_fraction, fraction_matrix, take_back
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.processes import ArbitraryKernel, FixedFraction


def add_shared(entries, kernel, name, rate, shared, parameters):
    """Add a division whose daughters of fraction u get shares of the parent's contents.

    The kernel becomes a sum over fractions u: exactly for a fixed fraction, else by quadrature with a node for each
    cell. For one u, sizes and contents go to the daughters independently of each other, so that the matrix is the
    Kronecker product of one matrix an axis.

    Parameters
    ----------
    entries : Entries
    kernel : Share
    name : str
        The axis of sizes.
    rate : ndarray, shape of the space
    shared : mapping of str to {"proportional", "binomial", "equal", "reset"}
        By axis; others are copied.
    parameters : dict of str to float
        Of a kernel that is text.
    """
    space = entries.space
    for key, how in shared.items():
        if isinstance(space[key], Continuum) and space[key].lower != 0.0:
            raise StateSpaceError(f"{key} is partitioned {how!r}: its grid must start at 0, got {space[key].lower:g}")
    cells, a = space[name].cells, space.axis(name)
    fractions, weights = _fractions(kernel, cells, parameters)
    total, sizes = 0, np.zeros((cells, cells))
    for u, w in zip(fractions, weights, strict=True):
        product, matrix = sparse.eye_array(1), fraction_matrix(u, cells)
        sizes += w * matrix
        for other in space.names:
            if other == name:
                factor = matrix
            elif other in shared:
                factor = _share_contents(space[other], shared[other], u)
            else:
                factor = sparse.eye_array(space[other].size)
            product = sparse.kron(product, sparse.csr_array(factor), format="csr")
        total = total + w * product
    rate = np.where(space.along(name, np.arange(cells) > 0), rate, 0.0)  # a parent in the first cell stays as she is
    landed = (total @ sparse.diags_array(rate.ravel())).tocoo()
    entries.add(landed.row, landed.col, landed.data)
    entries.add(entries.index, entries.index, -rate)
    made = np.asarray(total.sum(axis=0)).ravel().reshape(space.shape)
    entries.gain[0] += (made - 1.0) * rate
    # What daughters below the first centre have too much of volume; contents go with it, so that none are lost.
    index, flow = np.moveaxis(entries.index, a, -1)[..., 1:], take_back(sizes)[1:] * np.moveaxis(rate, a, -1)[..., 1:]
    entries.add(index, index, -flow)
    entries.add(np.moveaxis(entries.index, a, -1)[..., :-1], index, flow)


def _fractions(kernel, cells, parameters):
    """Return fractions u and how many daughters have each."""
    if isinstance(kernel, FixedFraction):
        return np.array([kernel.fraction, 1.0 - kernel.fraction]), np.ones(2)
    if isinstance(kernel, ArbitraryKernel):
        raise ParameterError(
            "an ArbitraryKernel cannot share out contents: give a kernel of the fraction u, such as SelfSimilarKernel"
        )
    nodes, weights = np.polynomial.legendre.leggauss(max(24, cells))
    u, weights = 0.5 * (1.0 + nodes), 0.5 * weights
    amount = weights * density_of_fraction(kernel, parameters)(u)
    # The quadrature keeps number and volume: a + b u with a, b from both conditions.
    basis = np.array([amount, amount * u])
    a, b = np.linalg.solve(
        [[basis[0].sum(), basis[1].sum()], [(basis[0] * u).sum(), (basis[1] * u).sum()]], [kernel.daughters, 1.0]
    )
    return u, amount * (a + b * u)


def _share_contents(axis, how, u):
    """Return where the content of an axis goes in a daughter of fraction u, [to, from]."""
    part = {"equal": 0.5, "reset": 0.0}.get(how, u)
    n = axis.size
    if isinstance(axis, Continuum):
        return _share_amount(part, n)
    counts = np.arange(n)
    if how == "equal":  # an odd molecule goes to either daughter
        return 0.5 * ((counts[:, None] == counts // 2) + 1.0 * (counts[:, None] == (counts + 1) // 2))
    return stats.binom.pmf(counts[:, None], counts[None, :], part)


def _share_amount(part, n):
    """Return where an amount x goes as part · x, [to, from]: shared between two cells, keeping number and mean."""
    matrix = np.zeros((n, n))
    position = np.maximum(part * (np.arange(n) + 0.5) - 0.5, 0.0)
    low = np.minimum(position.astype(int), n - 2)
    above = position - low
    columns = np.arange(n)
    matrix[low, columns] = 1.0 - above
    matrix[low + 1, columns] += above
    return matrix

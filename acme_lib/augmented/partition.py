"""Division that shares out the parent's contents among the daughters."""

import numpy as np
from scipy import sparse, stats

from acme_lib.augmented import processes as pr
from acme_lib.augmented.kernels import share_sizes, similar_density
from acme_lib.augmented.space import Continuum, Discrete
from acme_lib.errors import ParameterError, StateSpaceError


def add_partitioned(assembly, process, name, rate, shared):
    """Add a `Fragmentation` whose daughters of fraction u get shares of the parent's contents.

    The kernel becomes a sum over fractions u: exactly for a fixed fraction, else by quadrature with a node for each
    cell. For one u, sizes and contents go to the daughters independently of each other, so that the matrix is the
    Kronecker product of one matrix an axis.

    Parameters
    ----------
    assembly : the assembly of the operator
    process : Fragmentation
    name : str
        The axis of sizes.
    rate : ndarray, shape of the space
    shared : mapping of str to {"proportional", "binomial"}
    """
    space = assembly.space
    for key, how in shared.items():
        axis = space[key]
        if how == "proportional" and not (isinstance(axis, Continuum) and axis.lower == 0.0):
            raise StateSpaceError(f"{key} is partitioned in proportion: its axis must be a Continuum from 0")
        if how == "binomial" and not isinstance(axis, Discrete):
            raise StateSpaceError(f"{key} is partitioned binomially: its axis must be Discrete (a count)")
    fractions, weights = _fractions(process.kernel, space[name].cells, assembly.system.parameters)
    total = 0
    for u, w in zip(fractions, weights, strict=True):
        product = sparse.eye_array(1)
        for other in space.names:
            n = space[other].size
            if other == name:
                matrix = np.zeros((n, n))
                share_sizes(matrix, u * (np.arange(n) + 0.5), np.ones(n))
            elif shared.get(other) == "proportional":
                matrix = _share_contents(u, n)
            elif shared.get(other) == "binomial":
                counts = np.arange(n)
                matrix = stats.binom.pmf(counts[:, None], counts[None, :], u)
            else:
                matrix = sparse.eye_array(n)
            product = sparse.kron(product, sparse.csr_array(matrix), format="csr")
        total = total + w * product
    entries = (total @ sparse.diags_array(rate.ravel())).tocoo()
    assembly.add(entries.row, entries.col, entries.data)
    assembly.add(assembly.index, assembly.index, -rate)
    made = np.asarray(total.sum(axis=0)).ravel().reshape(space.shape)
    assembly.gain[0] += (made - 1.0) * rate


def _fractions(kernel, cells, parameters):
    """Return fractions u and how many daughters have each."""
    if isinstance(kernel, pr.FixedFraction):
        return np.array([kernel.fraction, 1.0 - kernel.fraction]), np.ones(2)
    if isinstance(kernel, pr.ArbitraryKernel):
        raise ParameterError(
            "an ArbitraryKernel cannot share out contents: give a kernel of the fraction u, such as SelfSimilarKernel"
        )
    nodes, weights = np.polynomial.legendre.leggauss(max(24, cells))
    u, weights = 0.5 * (1.0 + nodes), 0.5 * weights
    if isinstance(kernel, pr.PowerLawKernel):
        amount = weights * (kernel.exponent + 2.0) * u**kernel.exponent
    else:
        amount = weights * similar_density(kernel, parameters)(u)
    # The quadrature keeps number and volume: a + b u with a, b from both conditions.
    basis = np.array([amount, amount * u])
    a, b = np.linalg.solve(
        [[basis[0].sum(), basis[1].sum()], [(basis[0] * u).sum(), (basis[1] * u).sum()]], [kernel.daughters, 1.0]
    )
    return u, amount * (a + b * u)


def _share_contents(u, n):
    """Return where a content of x goes as u x, [to, from]: shared between two cells, keeping number and mean."""
    matrix = np.zeros((n, n))
    position = np.maximum(u * (np.arange(n) + 0.5) - 0.5, 0.0)
    low = np.minimum(position.astype(int), n - 2)
    part = position - low
    columns = np.arange(n)
    matrix[low, columns] = 1.0 - part
    matrix[low + 1, columns] += part
    return matrix

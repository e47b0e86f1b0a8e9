"""The slowest relaxation of a chain to its stationary law, and solutions beside that law."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs, splu

from acme_lib.arrays import freeze
from acme_lib.errors import StateSpaceError
from acme_lib.interrupt import in_background

_DENSE = 200  # states up to which all eigenvalues are computed
_MODES = 6


@dataclass(frozen=True, eq=False)
class Relaxation:
    """The slowest mode of a chain: ``p(t) - p(∞)`` falls as exp(-t/time) in the end, along `mode`.

    Attributes
    ----------
    time : float
        Minus 1 over the real part of the eigenvalue; 0 for a chain of one state.
    eigenvalue : complex
        Of the generator, 1/time; an imaginary part is an oscillation that dies out.
    mode : ndarray, shape (n_states,)
        Its eigenvector, of sum 0; in a metastable chain its sign tells the wells apart.
    residual : float
        ``|A v - λ v|`` over ``|λ v|``, largest entries.
    """

    time: float
    eigenvalue: complex
    mode: np.ndarray
    residual: float


class Complement:
    """Solves A y = -b with Σ y = 0 for b of sum 0, with one sparse LU: the most probable state is pinned.

    Parameters
    ----------
    matrix : scipy.sparse.csc_array, shape (n, n)
        An irreducible generator.
    p : ndarray, shape (n,)
        Its stationary law.
    """

    def __init__(self, matrix, p):
        self.p = p
        self.free = np.delete(np.arange(len(p)), np.argmax(p))
        inner = sparse.csc_array(-matrix[self.free][:, self.free])
        self.factors = in_background(
            splu, inner, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )

    def solve(self, b):
        """Return y."""
        y = np.zeros(b.shape, dtype=np.result_type(b, float))
        y[self.free] = self.factors.solve(np.ascontiguousarray(b[self.free]))
        return y - np.multiply.outer(self.p, y.sum(axis=0)) if y.ndim > 1 else y - self.p * y.sum()


def find_relaxation(law):
    r"""Find the slowest relaxation of the process to its stationary law.

    .. math:: p(t) \to p_\infty + c\,v\,e^{\lambda t}, \qquad A v = \lambda v

    with the eigenvalue that is nearest to the imaginary axis, 0 aside. It is found as the largest eigenvalue of the
    inverse of A beside the stationary law.

    Parameters
    ----------
    law : StationaryDistribution
        From `solve_stationary`.

    Returns
    -------
    Relaxation

    Notes
    -----
    Use when: it is to be known how long the process takes to forget its start. With two wells that exchange rarely the
    time is 1/(rate there + rate back).

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator, solve_stationary
    >>> network = ReactionNetwork.parse("0 <-> M : k, g", k=10, g=0.5)
    >>> law = solve_stationary(build_generator(network, StateSpace.box(network, M=60), boundary="reflecting"))
    >>> round(find_relaxation(law).time, 6)
    2.0
    """
    matrix, p = law.generator.matrix, law.p
    members = np.flatnonzero(p > 0)
    mode = np.zeros(len(p))
    if len(members) == 1:
        return Relaxation(0.0, complex(-np.inf), mode, 0.0)
    inner = sparse.csc_array(matrix[members][:, members])
    complement = Complement(inner, p[members])
    n = len(members)
    # Scaled by √p on both sides: symmetric under detailed balance, and never far from it, so that eigenvalues are not
    # at the mercy of rounding, as those of the matrix itself are where p spans many powers of ten.
    root = np.sqrt(p[members])
    if n <= _DENSE:
        scaled = complement.solve(np.diag(root) - np.outer(p[members], root)) / root[:, None]
        values, vectors = np.linalg.eig(scaled)
    else:

        def apply(u):
            b = root * np.ravel(u)
            return complement.solve(b - p[members] * b.sum()) / root

        start = root * (np.arange(n) - n / 2)
        try:
            values, vectors = eigs(LinearOperator((n, n), matvec=apply, dtype=float), k=_MODES, which="LM", v0=start)
        except ArpackNoConvergence as error:
            values, vectors = error.eigenvalues, error.eigenvectors
            if not len(values):
                raise StateSpaceError("no slowest relaxation was found: ARPACK did not converge") from error
    vectors = root[:, None] * vectors
    values = np.where(values == 0, np.nan, values)
    slowest = int(np.nanargmin(np.abs((1 / values).real)))
    eigenvalue = complex(-1 / values[slowest])
    vector = vectors[:, slowest]
    rest = np.max(np.abs(inner @ vector - eigenvalue * vector)) / np.max(np.abs(eigenvalue * vector))
    turned = vector * np.exp(-1j * np.angle(vector[np.argmax(np.abs(vector))]))
    mode[members] = turned.real / np.abs(turned.real).sum()
    freeze(mode)
    return Relaxation(-1 / eigenvalue.real, eigenvalue, mode, float(rest))

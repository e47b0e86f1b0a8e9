"""The stationary law of a master equation."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.master.distribution import StateDistribution

_SHIFT = 1e-14  # of the largest rate: far below every rate that matters, above the rounding of the diagonal
_MAX_SOLVES = 50
_TOLERATED_RESIDUAL = 1e-8


@dataclass(frozen=True, eq=False)
class StationaryDistribution(StateDistribution):
    """The stationary law on a box, with its evidence.

    Attributes
    ----------
    space : StateSpace
    p : ndarray, shape (n_states,)
        Sums to 1.
    residual : float
        ``max |A p|`` over the largest flow of probability out of a single state, ``max |A_ii| p_i``.
    leaked : float
        ``outflow · p`` in 1/time: the rate of the reactions that the boundary stopped. It is to be small against the
        rates that matter; if it is not, the box is too small.
    """

    residual: float
    leaked: float


def solve_stationary(generator, *, x0=None):
    r"""Solve :math:`A p = 0`, :math:`\sum_i p_i = 1`.

    Inverse iteration with a sparse LU factorisation of :math:`\epsilon I - A`, whose inverse has no negative entry:
    from a positive start, every iterate is a probability vector, and each solve shrinks the distance to the stationary
    law by :math:`\epsilon` over the spectral gap. States outside the closed class have probability zero.

    Parameters
    ----------
    generator : Generator
        With ``boundary="reflecting"``.
    x0 : mapping of str to int, or array_like, optional
        A start state. Give it where something is conserved (a promoter is on or off; ``A <-> B`` keeps A + B), so that
        the box falls into parts between which no reaction leads: the law is the one that the process started in `x0`
        tends to.

    Returns
    -------
    StationaryDistribution
        With `p`, `residual` and `leaked`, and `mean`, `fano_factor`, `marginal`, … by species name.

    Raises
    ------
    ParameterError
        If the boundary is absorbing.
    StateSpaceError
        If the stationary law is not unique, or the matrix is no generator.

    Notes
    -----
    Use when: the law itself is wanted, to all digits, on up to some 10⁵ states of two or three species.

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator
    >>> network = ReactionNetwork.parse("0 <-> M : k, g", k=10, g=1)
    >>> law = solve_stationary(build_generator(network, StateSpace.box(network, M=60), boundary="reflecting"))
    >>> round(law.mean("M"), 9), round(law.fano_factor("M"), 9)
    (10.0, 1.0)
    """
    if generator.boundary != "reflecting":
        raise ParameterError(
            "an absorbing box has no stationary law: all probability leaves in the end; "
            'build the generator with boundary="reflecting"'
        )
    matrix, space = generator.matrix, generator.space
    members = _closed_class(matrix, space, x0)
    p = np.zeros(len(space))
    p[members] = _solve_irreducible(matrix[members][:, members])
    exits = -matrix.diagonal()
    flow = np.max(exits * p)
    residual = float(np.max(np.abs(matrix @ p)) / flow) if flow > 0 else 0.0
    if not residual < _TOLERATED_RESIDUAL:
        raise StateSpaceError(
            f"no stationary law was found (relative residual {residual:.1e}); the columns of the matrix must sum to "
            "zero, and its rates span less than about twelve orders of magnitude"
        )
    return StationaryDistribution(space, p, residual, float(generator.outflow @ p))


def _closed_class(matrix, space, x0):
    """Return the states of the one closed class (that the process can enter but not leave)."""
    _, label = csgraph.connected_components(matrix, directed=True, connection="strong")
    entries = matrix.tocoo()
    closed = np.ones(label.max() + 1, dtype=bool)
    closed[label[entries.col[label[entries.row] != label[entries.col]]]] = False
    if x0 is not None:
        reached = csgraph.breadth_first_order(matrix.T.tocsr(), space.index(x0), return_predecessors=False)
        in_reach = np.zeros(len(closed), dtype=bool)
        in_reach[label[reached]] = True
        closed &= in_reach
    classes = np.flatnonzero(closed)
    if len(classes) > 1:
        examples = []
        for which in classes[:4]:
            state = space.states[np.flatnonzero(label == which)[-1]]
            examples.append("(" + ", ".join(f"{s}={n}" for s, n in zip(space.species, state, strict=True)) + ")")
        more = " and others" if len(classes) > len(examples) else ""
        mend = (
            "the process started in x0 may end in any of them: solve in time instead, with solve_transient"
            if x0 is not None
            else "something is conserved, or the process can be caught; give the start: solve_stationary(…, x0={…})"
        )
        raise StateSpaceError(
            f"the stationary law is not unique: the box falls into {len(classes)} closed classes of states, with "
            f"{', '.join(examples)}{more} in different ones; {mend}"
        )
    return np.flatnonzero(label == classes[0])


def _solve_irreducible(matrix):
    n = matrix.shape[0]
    p = np.full(n, 1.0 / n)
    if n == 1:
        return p
    shift = _SHIFT * np.max(np.abs(matrix.diagonal()))
    # Diagonal pivots keep all signs: no subtraction of like numbers off the diagonal, hence no negative probability.
    factors = splu(
        sparse.csc_array(sparse.eye_array(n) * shift - matrix),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    for _ in range(_MAX_SOLVES):
        previous, p = p, factors.solve(p)
        p /= p.sum()
        if np.all(np.abs(p - previous) <= 1e-12 * p):  # relative to each, so that far tails are right too
            break
    return p

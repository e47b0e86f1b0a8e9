"""The stationary law of a master equation."""

import contextlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import LinearOperator, gmres, spilu, splu

from acme_lib.arrays import sort_once
from acme_lib.checks import check_choice, check_number
from acme_lib.cost import announce, banded_cost, factor_cost, memory_of_machine, product_cost
from acme_lib.errors import ParameterError, PropensityError, StateSpaceError
from acme_lib.interrupt import in_background
from acme_lib.master.distribution import StateDistribution
from acme_lib.master.elimination import band_order, eliminate
from acme_lib.master.foresight import GROWS, SETTLED, follow_mean
from acme_lib.master.generator import Generator, build_generator, check_generator
from acme_lib.master.relaxation import find_relaxation
from acme_lib.master.state_space import MAX_STATES, StateSpace
from acme_lib.network.reaction_network import ReactionNetwork
from acme_lib.progress import ProgressBar

METHODS = ("gth", "banded", "lu", "iterative")

_SHIFT = 1e-14  # of the largest rate: far below every rate that matters, above the rounding of the diagonal
_MAX_SOLVES = 50
_TOLERATED_RESIDUAL = 1e-8
_SMALL_CHAIN = 200  # states up to which the whole matrix is a small one
_ENOUGH = 1e-14  # residual at which the iteration ends
_RESTART, _MAX_RESTARTS = 50, 60
_MANY = 100_000  # states from which a box is not searched state by state
_MOST_ENLARGEMENTS = 16  # by a factor of about 2,000 in all
_INSTEAD = (
    "solve in time with solve_finite_state_projection, approximate with solve_stationary_linear_noise, or simulate"
)


@dataclass(frozen=True, eq=False, repr=False)
class StationaryDistribution(StateDistribution):
    """The stationary law on a state space, with its evidence.

    Attributes
    ----------
    space : StateSpace
    p : ndarray, shape (n_states,)
        Sums to 1.
    residual : float
        ``max |A p|`` over the largest flow of probability out of a single state, ``max |A_ii| p_i``.
    leaked : float
        ``outflow · p`` in 1/time: the rate of the reactions that the boundary stopped. It is to be small against the
        rates that matter; if it is not, the space is too small.
    method : str
    reason : str
        Why this method.
    uncertainty : float
        Probability that lies on the wrong side of a count: the flows up and down across each count of each species
        must be equal, and their relative difference is taken times the mass of the smaller side. Where wells exchange
        so rarely that their weights are lost in rounding, this shows it, and no residual does. A sign, not a bound:
        where a count does not part the wells, their weights are wrong by more.
    """

    residual: float
    leaked: float
    method: str = ""
    reason: str = ""
    uncertainty: float = 0.0
    generator: Generator | None = field(default=None, repr=False)

    @cached_property
    def relaxation_time(self):
        """The slowest relaxation time: long against the times that matter, the law is metastable, not yet reached."""
        return find_relaxation(self).time


def solve_stationary(system, *, x0=None, method="auto", tolerance=1e-10, progress=None):
    r"""Solve :math:`A p = 0`, :math:`\sum_i p_i = 1`.

    Parameters
    ----------
    system : Generator, or ReactionNetwork
        A generator with ``boundary="reflecting"``. For a network the states are found too: the largest counts grow and
        shrink until less than `tolerance` of the law is at them.
    x0 : mapping of str to int, or array_like, optional
        A start state. Give it where something is conserved (a promoter is on or off; ``A <-> B`` keeps A + B), so that
        the space falls into parts between which no reaction leads: the law is the one that the process started in `x0`
        tends to.
    method : {"auto", "gth", "banded", "lu", "iterative"}
        See the notes. ``"auto"`` weighs the width of the band and the memory of this machine; the result says why.
    tolerance : float
        For a network: probability that may lie at the largest counts kept.
    progress : bool, optional
        A progress bar; by default one appears when the work takes more than five seconds.

    Returns
    -------
    StationaryDistribution
        With `p`, `residual`, `leaked`, `method`, `reason`, and `mean`, `fano_factor`, `marginal`, … by species name;
        `relaxation_time` is computed when asked for.

    Raises
    ------
    ParameterError
        If the boundary is absorbing, or the method is none.
    StateSpaceError
        If the stationary law is not unique, or the matrix is no generator.

    Notes
    -----
    ============== =================================================================================================
    method         what it does
    ============== =================================================================================================
    ``gth``        leaves out state after state without a subtraction [1]_ (the whole matrix: for small chains)
    ``banded``     the same within a band, fast species first; every probability right in relative terms
    ``lu``         sparse LU of :math:`\epsilon I - A`, whose inverse has no negative entry, and inverse iteration:
                   from a positive start every iterate is a probability vector, and none is the zero vector
    ``iterative``  GMRES [2]_ with an incomplete LU as preconditioner: for millions of states, three species and more
    ============== =================================================================================================

    ``gth`` and ``banded`` get the weights of wells right that hardly ever exchange; ``lu`` as long as the exchange is
    faster than about 1e-13 of the fastest rate (see `uncertainty`);
    ``iterative`` aims at a small residual, and says nothing on far tails.
    States outside the closed class have probability zero.

    Use when: the law itself is wanted, to all digits, on up to some million states of two or three species.

    References
    ----------
    .. [1] W. K. Grassmann, M. I. Taksar, D. P. Heyman, Oper. Res. 33, 1107 (1985). doi:10.1287/opre.33.5.1107
    .. [2] Y. Saad, M. H. Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986). doi:10.1137/0907058

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator
    >>> network = ReactionNetwork.parse("0 <-> M : k, g", k=10, g=1)
    >>> law = solve_stationary(build_generator(network, StateSpace.box(network, M=60), boundary="reflecting"))
    >>> round(law.mean("M"), 9), round(law.fano_factor("M"), 9)
    (10.0, 1.0)
    >>> law = solve_stationary(network)
    >>> str(law.space), law.leaked < 1e-8
    ('M=0..37', True)
    """
    check_choice("method", method, ("auto", *METHODS))
    if isinstance(system, ReactionNetwork):
        return _on_states_found(system, x0, method, tolerance, progress)
    generator = check_generator(system)
    if generator.boundary != "reflecting":
        raise ParameterError(
            "an absorbing box has no stationary law: all probability leaves in the end; "
            'build the generator with boundary="reflecting"'
        )
    matrix, space = generator.matrix, generator.space
    members = closed_class(matrix, space, x0)
    p = np.zeros(len(space))
    whole = len(members) == len(space)
    states = space.states if whole else space.states[members]
    part, method, reason = _solve_irreducible(
        matrix if whole else sparse.csc_array(matrix[members][:, members]), states, method, progress
    )
    p[members] = part
    exits = -matrix.diagonal()
    flow = np.max(exits * p)
    residual = float(np.max(np.abs(matrix @ p)) / flow) if flow > 0 else 0.0
    if not residual < _TOLERATED_RESIDUAL:
        raise StateSpaceError(
            f"no stationary law was found by method {method!r} (relative residual {residual:.1e}); the columns of the "
            "matrix must sum to zero, and its rates span less than about twelve orders of magnitude for the methods "
            "'lu' and 'iterative'"
        )
    uncertainty = _imbalance(matrix, space.states, p)
    return StationaryDistribution(
        space, p, residual, float(generator.outflow @ p), method, reason, uncertainty, generator
    )


def _imbalance(matrix, states, p):
    """Return the largest relative difference of flows up and down across a count, times the mass of a side."""
    entries = matrix.tocoo()
    flow = entries.data * p[entries.col]
    worst = 0.0
    for counts in states.T:
        change = counts[entries.row] - counts[entries.col]
        n = int(counts.max()) + 1
        across = np.zeros((2, n))  # up and down, between each count and the next; sums of positive terms
        for jump in sort_once(change):
            here = change == jump
            low = np.minimum(counts[entries.row[here]], counts[entries.col[here]])
            for step in range(abs(int(jump))):
                across[int(jump < 0)] += np.bincount(low + step, flow[here], minlength=n)
        below = np.cumsum(np.bincount(counts, p, minlength=n))
        side = np.minimum(below, np.maximum(1.0 - below, 0.0))
        total = across.sum(axis=0)
        share = np.divide(np.abs(across[0] - across[1]), total, out=np.zeros(n), where=total > 1e-290)
        worst = max(worst, float(np.max(share * side)))
    return worst


def closed_class(matrix, space, x0=None):
    """Return the states of the one closed class (that the process can enter but not leave)."""
    n_classes, label = csgraph.connected_components(matrix, directed=True, connection="strong")
    if n_classes == 1:
        return np.arange(len(space))
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
        fix = (
            "the process started in x0 may end in any of them: solve in time instead, with solve_transient"
            if x0 is not None
            else "something is conserved, or the process can be caught; give the start: solve_stationary(…, x0={…})"
        )
        raise StateSpaceError(
            f"the stationary law is not unique: the box falls into {len(classes)} closed classes of states, with "
            f"{', '.join(examples)}{more} in different ones; {fix}"
        )
    return np.flatnonzero(label == classes[0])


def _solve_irreducible(matrix, states, method, progress):
    """Return the law of an irreducible chain, the method and why."""
    n = matrix.shape[0]
    if n == 1:
        return np.ones(1), method if method != "auto" else "gth", "one state"
    order, width = np.arange(n), n - 1
    reason = "asked for"
    if method == "banded" or (method == "auto" and n > _SMALL_CHAIN):
        order, width = band_order(matrix, states)
    band, factor = banded_cost(n, width), factor_cost(n, states.shape[1])
    if method == "auto":
        method, reason = _choose(n, width, band, factor)
    if method in ("gth", "banded"):
        announce(band, n)
        with ProgressBar(progress, n, unit="state") as bar:
            return eliminate(matrix, order, width, step=bar.update).stationary(), method, reason
    if method == "lu":
        announce(factor, n)
        return _by_factors(matrix), method, reason
    announce(product_cost("GMRES with an incomplete LU", n, 12 * matrix.nnz, 60, _RESTART + 10), n)
    return _by_iteration(matrix, progress), method, reason


def _choose(n, width, band, factor):
    room = (memory_of_machine() or 8e9) / 3
    if n <= _SMALL_CHAIN:
        return "gth", f"{n} states: a small chain"
    if band.memory < room and band.seconds < 1.5 * factor.seconds:
        return "banded", f"the band is {width} wide: {band}"
    if factor.memory < room and factor.seconds < 60:
        return "lu", f"the band is {width} wide, too wide: {factor}"
    return "iterative", f"direct methods are too large: {factor}"


def _by_factors(matrix):
    n = matrix.shape[0]
    p = np.full(n, 1.0 / n)
    shift = _SHIFT * np.max(np.abs(matrix.diagonal()))
    # Diagonal pivots keep all signs: no subtraction of like numbers off the diagonal, hence no negative probability.
    shifted = sparse.csc_array(sparse.eye_array(n, format="csc") * shift - matrix)
    factors = in_background(
        splu, shifted, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    for _ in range(_MAX_SOLVES):
        previous, p = p, factors.solve(p)
        p /= p.sum()
        if np.all(np.abs(p - previous) <= 1e-12 * p):  # relative to each, so that far tails are right too
            break
    return p


def _by_iteration(matrix, progress):
    """Correct p by GMRES until A p is nothing; the singular matrix needs no pinned state, as A p is in its range."""
    n = matrix.shape[0]
    exits = -matrix.diagonal()
    shifted = sparse.csc_array(sparse.eye_array(n, format="csc") * (1e-10 * exits.max()) - matrix)
    incomplete = in_background(
        spilu,
        shifted,
        drop_tol=1e-3,
        fill_factor=10,
        permc_spec="COLAMD",
        diag_pivot_thresh=0.0,
        drop_rule="basic,area",
        options={"SymmetricMode": True},
    )
    product = LinearOperator((n, n), matvec=lambda u: -(matrix @ incomplete.solve(u)), dtype=float)
    p = incomplete.solve(np.full(n, 1.0 / n))
    p = np.maximum(p, 0.0)
    p = p / p.sum() if 0.0 < p.sum() < np.inf else np.full(n, 1.0 / n)
    best, smallest, vectors = p, np.inf, min(_RESTART, n - 1)
    with ProgressBar(progress, None, unit="product") as bar:
        for _ in range(_MAX_RESTARTS):
            rest = matrix @ p
            residual = np.max(np.abs(rest)) / np.max(exits * p)
            if residual < smallest:
                best, smallest = p, residual
            else:  # no better, or broken down with all that rounding leaves exhausted: again, more carefully
                p, vectors = best, vectors // 2
                rest = matrix @ p
            if smallest < _ENOUGH or vectors < 2:
                break
            u, _ = gmres(
                product,
                rest,
                rtol=1e-6,
                restart=vectors,
                maxiter=1,
                callback=lambda _: bar.update(1),
                callback_type="pr_norm",
            )
            p = np.maximum(p + incomplete.solve(u), 0.0)
            total = p.sum()
            p = p / total if 0.0 < total < np.inf else np.full(n, np.nan)
    return best


def _on_states_found(network, x0, method, tolerance, progress):
    """Solve on larger and larger counts until almost nothing lies at the largest ones, then on no more than needed."""
    check_number("tolerance", tolerance, above=0, below=1)
    network.refuse_time("and a stationary law takes rates as constant in time")
    start = network.state({} if x0 is None else x0)
    network.warn_of_empty_sums(start[None])
    bounded = np.zeros(len(network.species), dtype=bool)
    for law in network.conservation_laws:
        if (law >= 0).all():
            bounded |= law > 0
    free = np.flatnonzero(~bounded)
    ahead = _foresee(network, start, free)
    largest = {network.species[i]: int(max(15, 2 * start[i], ahead[i])) for i in free}
    for _ in range(_MOST_ENLARGEMENTS):
        law = _on_largest(network, start, largest, method, progress)
        needed = {network.species[i]: _needed(law.marginal(network.species[i]), tolerance / len(free)) for i in free}
        grown = {name: int(1.6 * n) + 8 for name, n in largest.items() if needed[name] > 0.9 * n}
        if not grown:
            break
        largest |= grown
    else:
        edge = ", ".join(f"{name}={largest[name]}" for name in grown)
        raise StateSpaceError(
            f"no stationary law was found: it reaches to the largest counts, however large they are ({edge} at last). "
            f"It may not exist, or have a tail too long for a state space; {_INSTEAD}"
        )
    trimmed = {name: max(needed[name], int(start[network.species.index(name)])) for name in largest}
    return law if trimmed == largest else _on_largest(network, start, trimmed, method, progress)


def _foresee(network, start, free):
    """Return up to where the law will reach at least, by the drift; refuse what only grows."""
    for i in free:
        changes = network.stoichiometry[:, i]
        if changes.min() >= 0 and np.any(network.propensities(start)[changes > 0] > 0):
            raise StateSpaceError(
                f"there is no stationary law: {network.species[i]} is made and no reaction takes it away; {_INSTEAD}"
            )
    seen = follow_mean(network, start)
    if seen.verdict == GROWS:
        at = ", ".join(f"{name}={n:.3g}" for name, n in zip(network.species, seen.counts, strict=True))
        raise StateSpaceError(
            f"no stationary law is reached from this start: counts grow without bound on average ({at} at "
            f"t={seen.time:.3g}), even where some runs die out; {_INSTEAD}"
        )
    return (
        np.ceil(1.15 * (seen.counts + 8.0 * np.sqrt(seen.counts))) if seen.verdict == SETTLED else np.zeros(len(start))
    )


def _on_largest(network, start, largest, method, progress):
    box = np.prod([n + 1.0 for n in largest.values()])
    if box > MAX_STATES:
        counts = ", ".join(f"{name} to {n}" for name, n in largest.items())
        raise StateSpaceError(
            f"the stationary law needs {counts}, {box:.3g} states and more than the {MAX_STATES} that fit; {_INSTEAD}"
        )
    generator = None
    if box > _MANY and len(largest) == len(network.species):  # nothing is conserved: no need to search
        with contextlib.suppress(PropensityError):  # a rate that turns negative ends the range: see what is reached
            generator = build_generator(network, StateSpace.box(network, **largest), boundary="reflecting")
    if generator is None:
        space = StateSpace.reachable(network, start, max_states=MAX_STATES, **largest)
        generator = build_generator(network, space, boundary="reflecting")
    return solve_stationary(generator, x0=start, method=method, progress=progress)


def _needed(marginal, tolerance):
    """Return the least count with less than `tolerance` beyond it."""
    beyond = np.cumsum(marginal[::-1])[::-1]
    return min(int(np.count_nonzero(beyond >= tolerance)), len(marginal) - 1)

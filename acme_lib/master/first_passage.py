"""When a target is reached for the first time, and which of two is reached first."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_number, check_times
from acme_lib.cost import announce, product_cost
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.master.elimination import factor_chain
from acme_lib.master.generator import check_generator
from acme_lib.master.state_space import StateSpace
from acme_lib.master.transient import check_start
from acme_lib.master.uniformisation import Operator, propagate
from acme_lib.progress import ProgressBar


@dataclass(frozen=True, eq=False, repr=False)
class FirstPassageMoments:
    """Mean and variance of the time until a target is first reached, from every state.

    Attributes
    ----------
    space : StateSpace
    target : ndarray of bool, shape (n_states,)
    mean, variance : ndarray, shape (n_states,)
        0 in the target; infinite where it is not reached with certainty.
    """

    space: StateSpace
    target: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    def __repr__(self):
        """Return the states and the size of the target."""
        return f"FirstPassageMoments to {self.target.sum():,} of {len(self.space):,} states ({self.space})"

    def from_start(self, p0):
        """Return mean and variance from a start (counts by name, or a probability vector)."""
        p0 = check_start(self.space, p0)
        held = p0 > 0
        mean = float(p0[held] @ self.mean[held])
        if not np.isfinite(mean):
            return mean, mean
        second = float(p0[held] @ (self.variance[held] + self.mean[held] ** 2))
        return mean, second - mean**2 if held.sum() > 1 else float(self.variance[held][0])


@dataclass(frozen=True, eq=False, repr=False)
class FirstPassageLaw:
    """The law of the time until a target is first reached.

    Attributes
    ----------
    space : StateSpace
    target : ndarray of bool, shape (n_states,)
    times : ndarray, shape (n_times,)
    cdf, density : ndarray, shape (n_times,), or (n_times, n_states) for all starts at once
        Probability that the target was reached by each time, and its derivative (1/time).
    error_bound : ndarray, shape (n_times,)
        By how much `cdf` may be too low: what left an absorbing boundary, and what the method cut.
    steps : int
        Products of matrix and vector.
    """

    space: StateSpace
    target: np.ndarray
    times: np.ndarray
    cdf: np.ndarray
    density: np.ndarray
    error_bound: np.ndarray
    steps: int

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    def __repr__(self):
        """Return the states, the size of the target and how much has arrived."""
        arrived = f"; {self.cdf[-1]:.4g} arrived by t = {self.times[-1]:g}" if self.cdf.ndim == 1 else ""
        return f"FirstPassageLaw to {self.target.sum():,} of {len(self.space):,} states ({self.space}){arrived}"


def find_first_passage_moments(generator, target, *, progress=None):
    r"""Find mean and variance of the first-passage time to a target from every state at once.

    .. math:: A_r^T \tau = -1, \qquad (A_r^T \sigma^2)(x) = -\sum_y A_{yx}\,(\tau(y) - \tau(x))^2

    with the generator :math:`A_r` among the states outside the target, where :math:`\tau = 0` [1]_. (The second is
    :math:`A_r^T m_2 = -2\tau` for the second moment, less the square of the mean.) In a band both are solved without a
    subtraction: rare events come out right in relative terms.

    Parameters
    ----------
    generator : Generator
        With ``boundary="reflecting"``: what leaves an absorbing box never arrives, and the mean is infinite.
    target : str or ndarray of bool, shape (n_states,)
        A condition such as ``"P > 100"``, or a mask.
    progress : bool, optional

    Returns
    -------
    FirstPassageMoments

    Raises
    ------
    ParameterError
        If the boundary is absorbing.
    StateSpaceError
        If no state is in the target.

    Notes
    -----
    Use when: the waiting time to a threshold or between two wells is asked for, from one start or from all.

    References
    ----------
    .. [1] C. W. Gardiner, Stochastic Methods, 4th ed. (Springer, 2009).

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator
    >>> network = ReactionNetwork.parse("0 -> M : k", k=2)
    >>> generator = build_generator(network, StateSpace.box(network, M=10), boundary="reflecting")
    >>> times = find_first_passage_moments(generator, "M >= 4")
    >>> times.mean[:5], times.variance[:5]
    (array([2. , 1.5, 1. , 0.5, 0. ]), array([1.  , 0.75, 0.5 , 0.25, 0.  ]))
    """
    check_generator(generator).refuse_time("find_first_passage_moments")
    _refuse_absorbing(generator, "the mean of a first-passage time")
    matrix, space = generator.matrix, generator.space
    goal = _target(space, target)
    reach = _can_reach(matrix, goal, ~goal)
    certain = ~goal & reach & ~_can_reach(matrix, ~goal & ~reach, ~goal)
    mean, variance = np.where(goal, 0.0, np.inf), np.where(goal, 0.0, np.inf)
    inside = np.flatnonzero(certain)
    if len(inside):
        inner = sparse.csc_array(matrix[inside][:, inside])
        into = np.asarray(matrix[np.flatnonzero(goal)][:, inside].sum(axis=0)).ravel()
        factors = factor_chain(inner, space.states[inside], into, progress)
        mean[inside] = factors.solve_transposed(np.ones(len(inside)))
        # The variance itself obeys an equation without a difference of like numbers: its source is the jumps of τ.
        variance[inside] = factors.solve_transposed(_jumps(inner, into, mean[inside]))
    return FirstPassageMoments(space, goal.copy(), mean, variance)


def _jumps(inner, into, mean):
    """Return Σ_to rate (τ(to) - τ(from))² for each state, the target having τ = 0."""
    entries = inner.tocoo()
    apart = entries.row != entries.col
    jump = mean[entries.row[apart]] - mean[entries.col[apart]]
    return np.bincount(entries.col[apart], entries.data[apart] * jump**2, len(mean)) + into * mean**2


def find_splitting_probabilities(generator, target, other, *, progress=None):
    r"""Find the probability that a target is reached before another, from every state at once.

    .. math:: A_r^T h = -k, \qquad h = 1 \text{ in the target, } 0 \text{ in the other}

    with k the rates into the target, and :math:`A_r` the generator among the remaining states.

    Parameters
    ----------
    generator : Generator
        What leaves an absorbing boundary reaches neither.
    target, other : str or ndarray of bool, shape (n_states,)
        Conditions or masks that no state fulfils both.
    progress : bool, optional

    Returns
    -------
    ndarray, shape (n_states,)

    Raises
    ------
    StateSpaceError
        If a target is empty, or they overlap.

    Notes
    -----
    Use when: the fate of a cell is asked for, such as which state of a switch it ends in.

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator
    >>> network = ReactionNetwork.parse("0 => M : 1\nM => 0 : M > 0")
    >>> generator = build_generator(network, StateSpace.box(network, M=4), boundary="reflecting")
    >>> find_splitting_probabilities(generator, "M == 4", "M == 0")
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    check_generator(generator).refuse_time("find_splitting_probabilities")
    matrix, space = generator.matrix, generator.space
    goal, avoid = _target(space, target), _target(space, other)
    if np.any(goal & avoid):
        state = ", ".join(f"{s}={n}" for s, n in zip(space.species, space.states[np.argmax(goal & avoid)], strict=True))
        raise StateSpaceError(f"target and other overlap, in the state {state} for example; no state may be in both")
    free = ~goal & ~avoid
    lost = generator.outflow if generator.boundary == "absorbing" else np.zeros(len(space))
    inside = np.flatnonzero(free & _can_reach(matrix, goal, free))
    h = goal.astype(float)
    if len(inside):
        inner = sparse.csc_array(matrix[inside][:, inside])
        into = np.asarray(matrix[np.flatnonzero(goal)][:, inside].sum(axis=0)).ravel()
        # Everything that leaves for elsewhere: the other target, states from which the target is out of reach, nowhere.
        elsewhere = np.ones(len(space), dtype=bool)
        elsewhere[inside] = False
        elsewhere &= ~goal
        away = np.asarray(matrix[np.flatnonzero(elsewhere)][:, inside].sum(axis=0)).ravel() + lost[inside]
        h[inside] = factor_chain(inner, space.states[inside], into + away, progress).solve_transposed(into)
    return np.minimum(h, 1.0)


def solve_first_passage(generator, target, p0, t, *, tolerance=1e-10, progress=None):
    r"""Solve for the law of the time until a target is first reached.

    With p(t) the probability of not having reached it, and k the rates into it,

    .. math:: f(t) = k \cdot p(t), \qquad F(t) = \int_0^t k \cdot p(s)\,ds .

    Parameters
    ----------
    generator : Generator
    target : str or ndarray of bool, shape (n_states,)
        A condition such as ``"P > 100"``, or a mask.
    p0 : ndarray of shape (n_states,), mapping of str to int, or None
        The start; None for all states at once, by the backward equation.
    t : float or array_like, shape (n_times,)
        Times, increasing, not negative.
    tolerance : float
        Probability that the method may cut.
    progress : bool, optional

    Returns
    -------
    FirstPassageLaw

    Raises
    ------
    ParameterError, StateSpaceError
        If something does not fit.

    Notes
    -----
    Use when: the whole law of a waiting time is asked for; for its mean, `find_first_passage_moments` is faster.

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator
    >>> network = ReactionNetwork.parse("0 -> M : k", k=1)
    >>> generator = build_generator(network, StateSpace.box(network, M=5), boundary="reflecting")
    >>> solve_first_passage(generator, "M >= 1", {"M": 0}, [1.0, 2.0]).cdf.round(6)  # 1 - exp(-t)
    array([0.632121, 0.864665])
    """
    times = check_times(t)
    check_number("tolerance", tolerance, above=0, below=1)
    check_generator(generator).refuse_time("solve_first_passage")
    matrix, space = generator.matrix, generator.space
    goal = _target(space, target)
    inside = np.flatnonzero(~goal)
    inner = sparse.csc_array(matrix[inside][:, inside])
    into = np.asarray(matrix[np.flatnonzero(goal)][:, inside].sum(axis=0)).ravel()
    largest = float(-inner.diagonal().min()) if len(inside) else 0.0
    announce(product_cost("the first-passage law", len(space), matrix.nnz, largest * times[-1], 8), len(space))
    if p0 is None:
        return _from_all(generator, goal, inside, inner, into, times, tolerance, progress)
    p0 = check_start(space, p0)
    v, reached = p0[inside], float(p0[goal].sum())
    cdf, density, error = np.full(len(times), reached), np.zeros(len(times)), np.zeros(len(times))
    steps, before, cut, span = 0, 0.0, 0.0, float(times[-1]) or 1.0
    if len(inside):
        operator = Operator.of(inner, into, _shape(space, inside))
        with ProgressBar(progress, None, unit="product") as bar:
            for i, until in enumerate(times):
                result = propagate(operator, v, until - before, tolerance * (until - before) / span, bar.update)
                v, before = result.p, until
                reached, cut, steps = reached + result.exited, cut + result.cut, steps + result.steps
                cdf[i], density[i] = reached, into @ v
                error[i] = max(cut, 1.0 - v.sum() - reached)  # what is neither here nor there
    return FirstPassageLaw(space, goal.copy(), times, np.minimum(cdf, 1.0), density, error, steps)


def _from_all(generator, goal, inside, inner, into, times, tolerance, progress):
    """Carry the probability of not having arrived, from each state, through the backward equation."""
    space = generator.space
    cdf, density = np.ones((len(times), len(space))), np.zeros((len(times), len(space)))
    error, steps, before, cut, span = np.zeros(len(times)), 0, 0.0, 0.0, float(times[-1]) or 1.0
    if len(inside):
        backward = sparse.csc_array(inner.T)
        # An absorbing boundary takes away what never arrives: it belongs to those that have not arrived.
        lost = generator.outflow[inside] if generator.boundary == "absorbing" else np.zeros(len(inside))
        # Arrival itself, F' = Aᵀ F + k, as one more state that holds 1 and feeds k into the others.
        n = len(inside)
        extended = sparse.csc_array(sparse.block_array([[backward, into[:, None]], [None, np.zeros((1, 1))]]))
        operator = Operator.of(extended, np.zeros(n + 1), (n + 1,))
        f = np.append(np.zeros(n), 1.0)
        with ProgressBar(progress, None, unit="product") as bar:
            for i, until in enumerate(times):
                result = propagate(operator, f, until - before, tolerance * (until - before) / span, bar.update)
                f, before = np.append(result.p[:n], 1.0), until
                cut, steps = cut + result.cut, steps + result.steps
                cdf[i, inside] = np.minimum(f[:n], 1.0)
                density[i, inside] = np.maximum(backward @ f[:n] + into, 0.0)
                error[i] = cut
        if lost.any():
            error = error + _gone(backward, lost, times, tolerance)
    return FirstPassageLaw(space, goal.copy(), times, cdf, density, error, steps)


def _gone(backward, lost, times, tolerance):
    """Return the largest probability, over the starts, of having left by each time before arriving."""
    n = len(lost)
    extended = sparse.csc_array(sparse.block_array([[backward, lost[:, None]], [None, np.zeros((1, 1))]]))
    operator = Operator.of(extended, np.zeros(n + 1), (n + 1,))
    f, before, out = np.append(np.zeros(n), 1.0), 0.0, []
    for until in times:
        result = propagate(operator, f, until - before, tolerance)
        f, before = np.append(result.p[:n], 1.0), until
        out.append(f[:n].max() + result.cut)
    return np.array(out)


def _target(space, target):
    goal = np.array(space.mask(target))
    if not goal.any():
        raise StateSpaceError(f"no state of the {space} is in the target {target!r}; enlarge the space or correct it")
    return goal


def _can_reach(matrix, goal, through):
    """Return from which states a goal can be reached by states of `through` alone."""
    n = len(goal)
    edges = matrix.tocoo()
    used = (edges.data > 0) & through[edges.col] & (through[edges.row] | goal[edges.row])
    at = np.flatnonzero(goal)
    # Backwards, from one more vertex that stands before the goal.
    rows, columns = np.append(edges.row[used], np.full(len(at), n)), np.append(edges.col[used], at)
    graph = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n + 1, n + 1))
    found = csgraph.breadth_first_order(graph, n, return_predecessors=False)
    reach = np.zeros(n + 1, dtype=bool)
    reach[found] = True
    return reach[:n]


def _refuse_absorbing(generator, what):
    if generator.boundary != "reflecting":
        raise ParameterError(
            f'{what} needs boundary="reflecting": what has left an absorbing box never arrives; for its law up to a '
            "time, solve_first_passage takes both"
        )


def _shape(space, inside):
    return space.shape if len(inside) == len(space) else (len(inside), min(len(inside), space.shape[-1]))

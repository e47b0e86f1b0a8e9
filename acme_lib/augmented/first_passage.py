"""First passages: when a continuum species crosses a threshold, from every start at once."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from acme_lib.arrays import freeze_fields
from acme_lib.augmented.axes import Continuum
from acme_lib.augmented.rational import Propagator
from acme_lib.augmented.resolvent import Resolvent
from acme_lib.augmented.space import AugmentedSpace
from acme_lib.augmented.system import AugmentedSystem, build_augmented
from acme_lib.checks import check_choice, check_number, expected, renamed
from acme_lib.errors import ParameterError, StateSpaceError

_FIRST_STEPS = 400  # of the time axis, of equal length; then a step is twice as long after each block
_BLOCK = 60
_SHORTEST = 3e-5  # first step, over the last time
_SPAN = 12.0  # of the time axis by default, in lifetimes of the slowest decay


@dataclass(frozen=True, eq=False)
class AugmentedFirstPassage:
    """The law of a first-passage time from every start: arrays end with the axes of `space`, the starts.

    Attributes
    ----------
    system : AugmentedSystem
        On the side of the threshold where the starts lie; what crosses leaves.
    times : ndarray, shape (time,)
    survival : ndarray, shape (time, *space.shape)
        Probability that the threshold is not crossed up to each time.
    density : ndarray, shape (time, *space.shape)
        Of the passage time. A flow that carries a start across without any jump is a peak that the grid widens.
    mean, std : ndarray, shape space.shape
        Of the passage time, over all times.
    decay_rate : float
        The survival decays as exp(-decay_rate t), from every start.
    """

    system: AugmentedSystem
    times: np.ndarray
    survival: np.ndarray
    density: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    decay_rate: float

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    @property
    def space(self):
        """The space of the starts."""
        return self.system.space

    def quantile(self, q):
        """Return the time by which a share `q` has crossed, of each start; beyond the last time by the decay rate."""
        check_number("q", q, above=0, below=1)
        flat = self.survival.reshape(len(self.times), -1)
        found = np.empty(flat.shape[1])
        for i, survival in enumerate(flat.T):
            last = np.argmax(survival <= 1.0 - q)
            if survival[last] > 1.0 - q:
                found[i] = self.times[-1] + np.log(survival[-1] / (1.0 - q)) / self.decay_rate
                continue
            s0, s1 = survival[last - 1], survival[last]
            part = (s0 - (1.0 - q)) / (s0 - s1)
            found[i] = self.times[last - 1] + part * (self.times[last] - self.times[last - 1])
        return found.reshape(self.mean.shape)

    def mode(self):
        """Return the time of the largest density, of each start."""
        return self.times[np.argmax(self.density, axis=0)]


@renamed(t="end")
def solve_augmented_first_passage(
    space,
    species,
    threshold,
    *processes,
    side,
    end=None,
    diffusion=True,
    scheme="third",
    poles=3,
    **parameters,
):
    r"""Find the law of the time at which a continuum species first crosses a threshold, from every start at once.

    The survival S obeys the backward equation, with the operator A of the side where the starts lie,

    .. math:: \partial_t S = A^T S, \qquad S(0) = 1, \qquad -A^T T = 1,

    and so does its mean T; the threshold is an open end. One solution holds the laws of all starts. A frozen state that
    absorbs at a finite rate, as `Transition` makes one, tends to it as that rate grows.

    Use when: a waiting time of any network is asked for: switching between modes, a threshold of a protein, a lysis
    time. `simulate_jump_drift` and `simulate_ssa` sample it with ``stop=``.

    Parameters
    ----------
    space : AugmentedSpace
        Its grid of `species` gives the width of cells; they are adjusted so that the threshold is the end of one.
    species : str
        A continuum axis.
    threshold : float
        In units of x.
    *processes, diffusion, scheme, **parameters
        As in `build_augmented`.
    side : {"below", "above"}
        Where the starts lie.
    end : float, optional
        Last time of the law; by default 12 lifetimes of the slowest decay.
    poles : int
        Of the rational approximation in time.

    Returns
    -------
    AugmentedFirstPassage

    Raises
    ------
    ParameterError, StateSpaceError
        If an argument does not fit, or the threshold is never crossed.

    Examples
    --------
    >>> from acme_lib.augmented import AugmentedSpace, Burst, Continuum, ExponentialJump
    >>> from acme_lib.network import ReactionNetwork
    >>> network = ReactionNetwork.parse("P -> 0 : 1")
    >>> space = AugmentedSpace(network, P=Continuum(upper=4.0, cells=400, system_size=100))
    >>> burst = Burst("P", 5.0, ExponentialJump(20.0))
    >>> passage = solve_augmented_first_passage(space, "P", 1.0, burst, side="below", diffusion=False)
    >>> print(f"{passage.mean[0]:.2f}")
    1.97
    """
    part = _one_side(space, species, threshold, side, diffusion)
    system = build_augmented(part, *processes, diffusion=diffusion, scheme=scheme, **parameters)
    if system.uses_time or not system.is_linear:
        raise ParameterError(
            "first passages are found for rates that are constant in time, with a linear scheme such as 'third'"
        )
    terms = system.terms()
    if np.any(terms.source):
        raise ParameterError("a first passage is a question to one individual: leave the Influx out")
    # Transposed, the elimination of the auxiliary unknowns has the same form: rows and columns change places.
    adjoint = dataclasses.replace(terms, rows=terms.columns, columns=terms.rows)
    n, shape = terms.n_cells, part.shape
    try:
        solve = Resolvent(adjoint).factor(0.0, 1.0)
        mean = solve(np.ones(n))[:n]
        square = 2.0 * solve(mean)[:n]
    except StateSpaceError:
        mean = square = np.full(n, np.inf)
    if not np.all(np.isfinite(mean)) or mean.min() < -1e-9 * np.abs(mean).max() or mean.max() * terms.stiffness > 1e13:
        raise StateSpaceError(
            f"the threshold {threshold:g} of {species} is not crossed from every start: nothing leads there, or the "
            "scheme does not resolve it; take more cells or scheme='fitted'"
        )
    decay = _decay_rate(solve, mean)
    times, steps = _time_axis(_SPAN / decay if end is None else check_number("end", end, above=0))
    propagator = Propagator(adjoint, np.zeros((0, terms.n_unknowns)), poles)
    survival = np.empty((len(times), n))
    survival[0] = 1.0
    for k, h in enumerate(steps):
        survival[k + 1], _ = propagator.step(survival[k], h)
    density = -_apply(adjoint, survival.T).T
    return AugmentedFirstPassage(
        system,
        times,
        survival.reshape(-1, *shape),
        density.reshape(-1, *shape),
        mean.reshape(shape),
        np.sqrt(np.maximum(square - mean**2, 0.0)).reshape(shape),
        decay,
    )


def _one_side(space, species, threshold, side, diffusion):
    """Return the space on one side of the threshold, with an open end there."""
    if not isinstance(space, AugmentedSpace):
        raise expected("space", "an AugmentedSpace", space, error=StateSpaceError)
    axis = space[species]
    if not isinstance(axis, Continuum):
        raise expected("species", f"a continuum axis ({', '.join(space.continuum)})", species)
    check_choice("side", side, ("below", "above"))
    check_number("threshold", threshold, above=axis.lower, below=axis.upper)
    open_end = "absorbing" if diffusion else "outflow"
    low, high = (axis.lower, float(threshold)) if side == "below" else (float(threshold), axis.upper)
    ends = (axis.boundary[0], open_end) if side == "below" else (open_end, axis.boundary[1])
    cells = max(4, round((high - low) / axis.dx))
    axes = dict(space.axes)
    axes[species] = Continuum(high, cells, axis.system_size, low, ends)
    return AugmentedSpace(space.network, **axes)


def _decay_rate(solve, mean):
    """Return the slowest decay rate of the survival, by inverse iteration."""
    u, n = mean / mean.max(), len(mean)
    for _ in range(500):
        new = solve(u)[:n]
        growth = new.sum() / u.sum()
        new /= new.max()
        if np.abs(new - u).max() < 1e-12:
            break
        u = new
    return float(1.0 / growth)


def _apply(terms, p):
    """Return A p for densities, shape (n_cells, m); the order of the auxiliary unknowns does not matter."""
    n = terms.n_cells
    matrix = sparse.csc_array(terms.matrix)
    change = matrix[:n, :n] @ p
    if terms.n_unknowns > n:
        sums = splu(sparse.csc_array(sparse.eye_array(terms.n_unknowns - n) - matrix[n:, n:]))
        change += matrix[:n, n:] @ sums.solve(matrix[n:, :n] @ p)
    return change


def _time_axis(end):
    """Return times from 0 to `end`, fine at first, and the steps between them, many of which are equal."""
    h = _SHORTEST * end
    steps = [h] * _FIRST_STEPS
    left = end - h * _FIRST_STEPS
    while left > 0.0:
        h *= 2.0
        count = int(min(_BLOCK, np.ceil(left / h - 1e-9)))
        if count < _BLOCK:
            h = left / count
        steps += [h] * count
        left -= h * count
        if count < _BLOCK:
            break
    return np.concatenate([[0.0], np.cumsum(steps)]), steps

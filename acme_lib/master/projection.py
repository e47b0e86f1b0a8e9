"""Adaptive finite state projection: the states are found while the law moves."""

from dataclasses import dataclass, field

import numpy as np

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_number, check_times, check_whole, expected
from acme_lib.errors import StateSpaceError
from acme_lib.master.distribution import StateDistribution
from acme_lib.master.generator import build_generator
from acme_lib.master.state_space import StateSpace
from acme_lib.master.uniformisation import Operator, propagate
from acme_lib.master.varying_rates import TimeDependent
from acme_lib.network.rates import propensities_of_states
from acme_lib.network.reaction_network import ReactionNetwork
from acme_lib.progress import ProgressBar

# How the tolerance of a stretch of time is spent: on what leaks, on states that are dropped, on the sums in time.
_LEAK, _DROP, _SUM = 0.7, 0.2, 0.1
_JUMPS = 20.0  # of the first stretch
_MOST_ROUNDS = 6
_WORTH = 0.05  # share of the states that must be superfluous before they are dropped


@dataclass(frozen=True, eq=False)
class ProjectedDistribution:
    """The law of a network at several times, each on the states that it needs.

    Attributes
    ----------
    times : ndarray, shape (n_times,)
    laws : tuple of StateDistribution
        One for each time, on a space of its own, with `mean`, `marginal`, `probability`, …; ``p`` is a lower bound of
        each state's probability.
    error_bound : ndarray, shape (n_times,)
        Probability that has left, been dropped or cut up to each time: no event has a probability that differs by more.
    n_states : ndarray of int, shape (n_times,)
        States of each law.
    most_states : int
        States of the largest space on the way.
    steps : int
        Products of matrix and vector.
    spaces : int
        State spaces tried.
    """

    times: np.ndarray
    laws: tuple[StateDistribution, ...] = field(repr=False)
    error_bound: np.ndarray
    n_states: np.ndarray
    most_states: int
    steps: int
    spaces: int

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    def mean(self, name):
        """Return the mean count of a species, shape (n_times,)."""
        return np.array([law.mean(name) for law in self.laws])

    def variance(self, name):
        """Return the variance of the count of a species, shape (n_times,)."""
        return np.array([law.variance(name) for law in self.laws])

    def fano_factor(self, name):
        """Return variance over mean of the count of a species, shape (n_times,)."""
        return np.array([law.fano_factor(name) for law in self.laws])

    def probability(self, condition):
        """Return the probability of the states in which a condition holds, shape (n_times,)."""
        return np.array([law.probability(condition) for law in self.laws])

    def marginal(self, name):
        """Return the probabilities of the counts of a species, shape (n_times, largest count + 1)."""
        rows = [law.marginal(name) for law in self.laws]
        out = np.zeros((len(rows), max(map(len, rows))))
        for i, row in enumerate(rows):
            out[i, : len(row)] = row
        return out


def solve_finite_state_projection(network, x0, t, *, tolerance=1e-6, max_states=2**20, progress=None):
    r"""Solve the master equation in time on states that come and go with the law.

    With an absorbing boundary around any set of states, the probability that has left it bounds the error of what is
    kept [1]_. Time is cut into stretches. If too much leaves in one, the states beyond the leak join, and it is done
    again; states that hold next to nothing are dropped after it, and what they held is counted.

    Parameters
    ----------
    network : ReactionNetwork
        Rates may vary in time.
    x0 : mapping of str to int, or array_like
        The counts at time 0; species left out of a mapping are 0.
    t : float or array_like, shape (n_times,)
        Times, increasing, not negative.
    tolerance : float
        Largest error at the last time; earlier ones get their share.
    max_states : int
        An error ends the search beyond it.
    progress : bool, optional
        A progress bar; by default one appears when the work takes more than five seconds.

    Returns
    -------
    ProjectedDistribution

    Raises
    ------
    ParameterError
        If times or the tolerance do not fit.
    StateSpaceError
        If more than `max_states` states are needed.

    Notes
    -----
    Use when: no box is known beforehand, or a box would be far larger than the law; three species and more.

    References
    ----------
    .. [1] B. Munsky, M. Khammash, J. Chem. Phys. 124, 044104 (2006). doi:10.1063/1.2145882

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> network = ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=100, g=1)
    >>> law = solve_finite_state_projection(network, {"M": 0}, [0.1, 10], tolerance=1e-8)
    >>> law.mean("M").round(4), bool(law.error_bound[-1] <= 1e-8), bool(law.n_states[0] < 50)
    (array([ 9.5163, 99.9955]), True, True)
    """
    times = check_times(t)
    check_number("tolerance", tolerance, above=0, below=1)
    if not isinstance(network, ReactionNetwork):
        raise expected("network", "a ReactionNetwork", network, "see ReactionNetwork.parse")
    network.refuse_events("solve_finite_state_projection")
    check_whole("max_states", max_states, 1)
    last = float(times[-1]) or 1.0
    walk = _Walk(network, network.state(x0), last, tolerance, max_states)
    laws, bounds = [], []
    with ProgressBar(progress, None, unit="product") as bar:
        for until in times:
            walk.go(float(until), bar.update)
            laws.append(StateDistribution(walk.space, walk.p))
            bounds.append(min(walk.error, 1.0))
    n_states = np.array([len(law.space) for law in laws])
    return ProjectedDistribution(times, tuple(laws), np.array(bounds), n_states, walk.most, walk.steps, walk.spaces)


class _Walk:
    """The law and its states at the time reached so far."""

    def __init__(self, network, start, last, tolerance, max_states):
        self.network, self.last, self.tolerance, self.max_states = network, last, tolerance, max_states
        self.in_time = np.array([reaction.rate.uses_time for reaction in network.reactions])
        self.space = StateSpace.of_states(network, start[None, :])
        self.p = np.ones(1)
        self.now, self.length, self.error = 0.0, None, 0.0
        self.most, self.steps, self.spaces = 1, 0, 0

    def go(self, until, step):
        """Advance to a time."""
        self.p = self.p.copy()
        while self.now < until:
            if self.length is None:
                rates = self._propensities(self.space.states)
                self.length = min(self.last, _JUMPS / max(float(rates.sum()), 1e-300))
            h = min(self.length, until - self.now)
            rounds, reached = self._advance(h, step)
            if not reached:
                self.length = h / 2
                continue
            self.now = until if h == until - self.now else self.now + h
            if rounds <= 1 and h == self.length:
                self.length *= 2.0
            elif rounds > 3:
                self.length = h / 1.5

    def _advance(self, h, step):
        """Advance by `h` on more and more states; return the number of rounds and whether the leak was small enough."""
        share = self.tolerance * h / self.last
        space, p = self.space, self.p
        if len(space) == 1:
            space, p = self._grown(space, p, np.ones(1, dtype=bool), 2)
        for rounds in range(_MOST_ROUNDS):
            generator = build_generator(self.network, space, boundary="absorbing", t=self.now)
            self.spaces += 1
            self.most = max(self.most, len(space))
            result = self._propagate(generator, p, h, _SUM * share, step)
            self.steps += result.steps
            leak = p.sum() - result.p.sum()
            if result.exited <= _LEAK * share:
                # `cut` holds the lost mass once in p and once in `exited`; the mass itself says what is missing now.
                self.error += max(result.exited + result.cut, leak)
                self._settle(space, result.p, _DROP * share)
                return rounds, True
            # Where probability leaves, more than a small part of what may: the states beyond join.
            flow = generator.outflow * np.maximum(result.p, p) * h
            order = np.argsort(flow)
            small = np.cumsum(flow[order]) <= 0.1 * _LEAK * share
            leaking = np.zeros(len(space), dtype=bool)
            leaking[order[~small]] = True
            leaking &= flow > 0
            if not leaking.any():
                leaking = generator.outflow > 0
            space, p = self._grown(space, p, leaking, 2 + rounds)
        return _MOST_ROUNDS, False

    def _propagate(self, generator, p, h, tolerance, step):
        if self.in_time.any():
            # the tolerance of the stretch is one for the whole time here
            stepper = TimeDependent(generator, self.last, tolerance * self.last / h)
            return stepper.propagate(p, self.now, self.now + h, step)
        operator = Operator.of(generator.matrix, generator.outflow, generator.space.shape)
        return propagate(operator, p, h, tolerance, step)

    def _settle(self, space, p, budget):
        """Keep the law, without states that hold less than `budget` together, if they are many."""
        order = np.argsort(p)
        n_drop = int(np.searchsorted(np.cumsum(p[order]), budget, side="right"))
        if n_drop > _WORTH * len(p) and n_drop < len(p):
            dropped = order[:n_drop]
            self.error += float(p[dropped].sum())
            keep = np.ones(len(p), dtype=bool)
            keep[dropped] = False
            smaller = space.restrict(keep)
            space, p = smaller, p[keep]
        self.space, self.p = space, p

    def _propensities(self, states):
        """Return which reactions can happen: their propensities, and 1 for a rate in time whose molecules are there."""
        rates = np.empty((len(states), len(self.network.reactions)))
        propensities_of_states(states, self.now, self.network.rate_table, rates)
        if self.in_time.any():
            there = np.all(states[:, None, :] >= self.network.reactant_counts, axis=2)
            rates[:, self.in_time] = np.where(there[:, self.in_time], np.maximum(rates[:, self.in_time], 1.0), 0.0)
        return rates

    def _grown(self, space, p, from_states, layers):
        """Return a space with what can be reached from some states in a number of reactions, and `p` on it."""
        found = [space.states]
        front = space.states[from_states]
        n_found = len(space)
        for _ in range(layers):
            rates = self._propensities(front)
            state, reaction = np.nonzero(rates > 0)
            front = front[state] + self.network.stoichiometry[reaction]
            front = np.unique(front[(front >= 0).all(axis=1)], axis=0)
            front = front[space.locate(front) < 0]
            if not len(front):
                break
            found.append(front)
            n_found += len(front)
        larger = StateSpace.of_states(self.network, np.concatenate(found))
        if len(larger) > self.max_states:
            raise StateSpaceError(
                f"more than {self.max_states} states are needed at t={self.now:g} for an error of {self.tolerance:g}; "
                "raise max_states or the tolerance, or ask for earlier times"
            )
        wider = np.zeros(len(larger))
        wider[larger.index(space.states)] = p
        return larger, wider

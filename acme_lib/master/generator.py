"""The generator of the chemical master equation on a state space."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import sparse

from acme_lib.arrays import freeze
from acme_lib.checks import check_choice, expected
from acme_lib.cost import announce, generator_cost
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.master.state_space import StateSpace
from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import mass_action, special_propensity
from acme_lib.network.reaction_network import ReactionNetwork
from acme_lib.network.status import BAD_PROPENSITY, DONE, NEGATIVE_COUNT

BOUNDARIES = ("absorbing", "reflecting")

# What the kernel reports, and where a reaction leads from a state.
INSIDE, BEYOND, BELOW = range(3)


@dataclass(frozen=True, eq=False, repr=False)
class Generator:
    """The matrix A of dp/dt = A p, and what it leaves out.

    Attributes
    ----------
    matrix : scipy.sparse.csc_array, shape (n_states, n_states)
        ``matrix[to, from]`` in 1/time; the diagonal holds minus the rate of leaving.
    space : StateSpace
    boundary : {"absorbing", "reflecting"}
    outflow : ndarray, shape (n_states,)
        Rate of the reactions that lead from each state out of the space. They remove probability from an absorbing one
        (columns sum to ``-outflow``) and do not happen in a reflecting one (columns sum to zero).
    network : ReactionNetwork, optional
        What it was assembled from: sensitivities and rates in time need it.
    t : float, optional
        The time at which rates that depend on time were taken.
    """

    matrix: sparse.csc_array
    space: StateSpace
    boundary: str
    outflow: np.ndarray
    network: ReactionNetwork | None = None
    t: float | None = None

    def __repr__(self):
        """Return the states, the entries and the boundary."""
        return f"Generator of {self.matrix.nnz:,} entries on {len(self.space):,} states ({self.space}), {self.boundary}"

    def refuse_time(self, what):
        """Raise the error that `what` does not take rates that vary in time, rather than freeze them."""
        if self.network is not None:
            self.network.refuse_time(
                f"and {what} takes rates as constant in time; solve_transient and solve_finite_state_projection take it"
            )


def check_generator(generator):
    """Return a `Generator`, and nothing else that could be solved."""
    if not isinstance(generator, Generator):
        raise expected("generator", "a Generator", generator, "see build_generator(network, space, boundary=…)")
    return generator


def build_generator(network, space, *, boundary, t=None):
    r"""Assemble the generator of the chemical master equation on a state space.

    .. math:: \frac{dp(x)}{dt} = \sum_j a_j(x - s_j)\,p(x - s_j) - \sum_j a_j(x)\,p(x)

    with propensities :math:`a_j` and changes :math:`s_j`; as a matrix, ``dp/dt = A @ p`` with ``A[to, from]``.

    Parameters
    ----------
    network : ReactionNetwork
    space : StateSpace
        Over the network's species, in its order.
    boundary : {"absorbing", "reflecting"}
        What becomes of a reaction that would leave the space. ``"absorbing"``: its probability leaves and is counted
        (finite state projection [1]_: the error of a solution in time is then known). ``"reflecting"``: the reaction
        does not happen, and probability is conserved (needed for a stationary law).
    t : float, optional
        The time at which rates that depend on time are taken.

    Returns
    -------
    Generator

    Raises
    ------
    ParameterError
        If `boundary` is neither, or a rate depends on time and `t` is missing.
    StateSpaceError
        If the space is not one of the network's species.
    PropensityError
        If a propensity is negative or not finite, or a reaction would make a count negative.

    References
    ----------
    .. [1] B. Munsky, M. Khammash, J. Chem. Phys. 124, 044104 (2006). doi:10.1063/1.2145882
    """
    if not isinstance(network, ReactionNetwork):
        raise expected("network", "a ReactionNetwork", network, "see ReactionNetwork.parse")
    if not isinstance(space, StateSpace):
        raise expected("space", "a StateSpace", space, "see StateSpace.box(network, …)")
    check_choice("boundary", boundary, BOUNDARIES)
    if space.species != network.species:
        raise StateSpaceError(
            f"the state space has the species {', '.join(space.species)} and the network has "
            f"{', '.join(network.species)}; build it from this network: StateSpace.box(network, …)"
        )
    network.refuse_events("build_generator")
    if network.uses_time and t is None:
        reaction = next(reaction for reaction in network.reactions if reaction.rate.uses_time)
        raise ParameterError(
            f"line {reaction.line}, {reaction.text!r}: the rate depends on the time t; pass the time at which the "
            "generator is wanted, as in build_generator(…, t=0.0)"
        )
    # Reactions that make the same change share a matrix entry. The changes come in lexicographic order, and so do the
    # states of a box: the entries of a column come sorted, first those of the changes that lead to a smaller index.
    changes, direction_of = np.unique(network.stoichiometry, axis=0, return_inverse=True)
    leading = changes[np.arange(len(changes)), np.argmax(changes != 0, axis=1)]
    n_below = np.count_nonzero(leading < 0)
    strides = np.cumprod([1, *space.shape[:0:-1]], dtype=np.int64)[::-1]
    n_states, n_directions = len(space), len(changes)
    capacity = n_states * (n_directions + 1)
    announce(generator_cost(n_states, n_directions), n_states)
    index_type = np.int32 if capacity < 2**31 else np.int64
    data, rows = np.empty(capacity), np.empty(capacity, dtype=index_type)
    starts, outflow = np.zeros(n_states + 1, dtype=index_type), np.zeros(n_states)
    with np.errstate(all="ignore"):  # in plain Python NumPy would warn of what is refused below
        status, state, reaction, value = _fill_generator(
            n_states,
            np.empty(0, dtype=np.int64) if space.is_box else space.keys,
            strides,
            np.array(space.shape),
            changes,
            changes @ strides,
            direction_of.ravel(),
            n_below,
            boundary == "absorbing",
            0.0 if t is None else float(t),
            network.rate_table,
            data,
            rows,
            starts,
            outflow,
        )
    if status == BAD_PROPENSITY:
        raise network.propensity_error(reaction, value, space.states[state])
    if status == NEGATIVE_COUNT:
        raise network.shortage_error(reaction, space.states[state])
    n_entries = starts[-1]
    matrix = sparse.csc_array((data[:n_entries], rows[:n_entries], starts), shape=(n_states, n_states))
    matrix.has_canonical_format = True
    freeze(matrix.data, outflow)
    return Generator(matrix, space, boundary, outflow, network, t if network.uses_time else None)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_generator(
    n_states,
    keys,
    strides,
    shape,
    changes,
    offsets,
    direction_of,
    n_below,
    absorbing,
    t,
    table,
    data,
    rows,
    starts,
    outflow,
):
    """Fill the columns of the generator; return (status, state, reaction, propensity)."""
    special = table.special
    n_species = len(shape)
    n_directions = len(offsets)
    is_box = len(keys) == 0
    counts = np.zeros(n_species, dtype=np.int64)
    places = np.zeros(n_directions, dtype=np.int64)  # keys and targets both increase: one walk along finds them all
    stack = np.empty(MAX_STACK)
    x = np.ones(n_species + 1)
    rates = np.empty(n_directions)
    leads = np.empty(n_directions, dtype=np.int64)
    end = 0
    for s in range(n_states):
        rest = s if is_box else keys[s]
        key = rest
        for i in range(n_species):
            counts[i] = rest // strides[i]
            rest -= counts[i] * strides[i]
            x[i] = counts[i]
        for d in range(n_directions):
            rates[d] = 0.0
            leads[d] = INSIDE
            for i in range(n_species):
                n = counts[i] + changes[d, i]
                if n < 0:
                    leads[d] = BELOW
                    break
                if n >= shape[i]:
                    leads[d] = BEYOND
            if leads[d] == INSIDE:
                if is_box:
                    places[d] = s + offsets[d]
                else:
                    while places[d] < n_states and keys[places[d]] < key + offsets[d]:
                        places[d] += 1
                    if places[d] == n_states or keys[places[d]] != key + offsets[d]:
                        leads[d] = BEYOND
        for j in range(len(direction_of)):
            a = special_propensity(j, x, t, table, stack) if special[j] else mass_action(j, x, table)
            if not (a >= 0.0 and a < np.inf):
                return BAD_PROPENSITY, s, j, a
            if a > 0.0:
                if leads[direction_of[j]] == BELOW:
                    return NEGATIVE_COUNT, s, j, a
                rates[direction_of[j]] += a
        leaving = 0.0
        for d in range(n_directions):
            if leads[d] == BEYOND:
                outflow[s] += rates[d]
            else:
                leaving += rates[d]
        for d in range(n_directions + 1):
            if d == n_below:  # the diagonal, in its place between the smaller indices and the larger
                data[end] = -(leaving + outflow[s]) if absorbing else -leaving
                rows[end] = s
                end += 1
            if d < n_directions and rates[d] > 0.0 and leads[d] == INSIDE:
                data[end] = rates[d]
                rows[end] = places[d]
                end += 1
        starts[s + 1] = end
    return DONE, 0, 0, 0.0

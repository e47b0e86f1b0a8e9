"""Gillespie's direct method."""

import numpy as np
from numba import njit

from acme_lib.errors import ParameterError, PropensityError
from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import propensity, special_propensity
from acme_lib.network.reaction_network import located
from acme_lib.simulate.ensemble import Ensemble
from acme_lib.simulate.random_stream import draw_key, next_exponential, next_uniform, start_stream
from acme_lib.simulate.threads import run_in_threads

# What a kernel reports: how the last trajectory of its range ended.
DONE, BAD_PROPENSITY, NEGATIVE_COUNT, EVENT_LIMIT, STOPPED = range(5)
_CHECK_EVERY = 4096  # events between two looks at the stop flag


def simulate_ssa(network, x0, t, *, size=1, rng, threads=None, max_events=1_000_000_000):
    r"""Simulate an ensemble exactly, by Gillespie's direct method [1]_.

    In state :math:`x` the waiting time to the next event is exponential with rate :math:`a_0(x) = \sum_j a_j(x)`, and
    the event is reaction :math:`j` with probability :math:`a_j(x)/a_0(x)`.

    Use when the network is small (up to some hundreds of reactions) and every event matters. The cost is proportional
    to the number of events.

    Parameters
    ----------
    network : ReactionNetwork
    x0 : mapping of str to int, array_like of int, shape (species,) or (size, species)
        Start counts; species left out of a mapping start at 0. One row a trajectory is allowed.
    t : array_like, shape (time,)
        Times at which the counts are recorded, increasing; the simulation starts at ``t[0]``. A number means the two
        times 0 and t.
    size : int
        Number of trajectories.
    rng : numpy.random.Generator
        Where the randomness comes from. The same seed gives the same counts, whatever the number of threads.
    threads : int, optional
        Default: all cores that this process may use.
    max_events : int
        A trajectory that needs more events is an error, not an endless run.

    Returns
    -------
    Ensemble
        ``counts[trajectory, time, species]``; ``ensemble["M"]`` by name.

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type.
    PropensityError
        If a propensity turns negative or not finite, a reaction would make a count negative, or a trajectory exceeds
        `max_events`; the message shows the line and the state.

    References
    ----------
    .. [1] D. T. Gillespie, J. Phys. Chem. 81, 2340 (1977). doi:10.1021/j100540a008

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=10, g=1)
    >>> rng = np.random.default_rng(1)
    >>> acme.simulate_ssa(network, {"M": 0}, np.linspace(0, 5, 11), size=3, rng=rng).counts.shape
    (3, 11, 1)
    """
    size = _check_whole("size", size, 1)
    max_events = _check_whole("max_events", max_events, 1)
    times = check_times(t)
    starts = check_starts(network, x0, size)
    if not isinstance(rng, np.random.Generator):
        raise ParameterError(f"rng is a numpy.random.Generator; {rng!r} came: write rng=np.random.default_rng(seed)")
    if network.uses_time:
        line = next(r for r in network.reactions if r.rate.uses_time)
        raise located(
            ParameterError("this rate depends on the time t, and the direct method takes rates as constant in time"),
            line.line,
            line.text,
        )
    key = draw_key(rng)
    table = network.rate_table.arrays
    counts = np.empty((size, len(times), len(network.species)), dtype=np.int64)
    events = np.zeros(size, dtype=np.int64)

    def run(low, high, stop):
        return _direct_method(low, high, starts, times, table, key, max_events, counts, events, stop)

    for status, trajectory, reaction, value, state in run_in_threads(run, size, threads):
        if status not in (DONE, STOPPED):
            raise _explain(network, status, trajectory, reaction, value, state, max_events)
    return Ensemble(times, counts, network.species, network, events, tuple(int(word) for word in key))


def check_times(t):
    """Return times as an increasing float array; a number t means the times 0 and t."""
    try:
        times = np.array([0.0, t] if np.ndim(t) == 0 else t, dtype=float)
    except (TypeError, ValueError):
        raise ParameterError(f"t is a time or an increasing sequence of times; {t!r} came") from None
    if times.ndim != 1 or len(times) == 0 or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
        raise ParameterError(
            f"t is an increasing sequence of finite times, such as np.linspace(0, 10, 101); {t!r} came"
        )
    return times


def check_starts(network, x0, size):
    """Return the start counts as an int64 array of shape (size, species)."""
    if np.ndim(x0) == 2 and not isinstance(x0, dict):
        if len(x0) != size:
            raise ParameterError(f"x0 has {len(x0)} rows and size is {size}; give one row a trajectory, or one state")
        return np.array([network.state(row) for row in x0])
    return np.tile(network.state(x0), (size, 1))


def _check_whole(name, value, least):
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name} is a whole number of at least {least}; {value!r} came")
    return int(value)


def _explain(network, status, trajectory, reaction, value, state, max_events):
    if status == BAD_PROPENSITY:
        return network.propensity_error(reaction, value, state)
    at = ", ".join(f"{name}={n:.0f}" for name, n in zip(network.species, state, strict=False))
    if status == EVENT_LIMIT:
        return PropensityError(
            f"trajectory {trajectory} needs more than max_events={max_events} events; it stood at t={value:g} with "
            f"{at}. Does the network grow without bound? Otherwise ask for a shorter time or raise max_events"
        )
    line = network.reactions[reaction]
    return located(
        PropensityError(
            f"the reaction fired in the state {at}, where its molecules are missing; its propensity must be 0 there: "
            "multiply the rate by the count, or write '->' for mass action"
        ),
        line.line,
        line.text,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _direct_method(low, high, starts, times, table, key, max_events, counts, events, stop):
    """Simulate trajectories low … high-1 into `counts` and `events`.

    Returns a status (see above), and of the trajectory that failed its index, the reaction, a value and the state.
    """
    scale, shift, first, second, special = table[0], table[1], table[2], table[3], table[4]
    change_start, change_species, change_count = table[8], table[9], table[10]
    affected_start, affected = table[15], table[16]
    n_reactions = scale.shape[0]
    n_species = starts.shape[1]
    n_times = times.shape[0]
    x = np.ones(n_species + 1)  # floats hold counts exactly up to 2**53
    a = np.empty(n_reactions)
    cumulative = np.empty(n_reactions)
    stack = np.empty(MAX_STACK)
    for trajectory in range(low, high):
        stream = start_stream(key, trajectory)
        for i in range(n_species):
            x[i] = starts[trajectory, i]
        now = times[0]
        for j in range(n_reactions):
            a[j] = propensity(j, x, now, table, stack)
            if not (a[j] >= 0.0 and a[j] < np.inf):
                return BAD_PROPENSITY, trajectory, j, a[j], x
        fired = 0
        recorded = 0
        while True:
            total = 0.0
            for j in range(n_reactions):
                total += a[j]
                cumulative[j] = total
            if total > 0.0:
                waiting, stream = next_exponential(stream)
                now += waiting / total
            else:
                now = np.inf  # nothing can happen any more
            if times[recorded] < now:
                while recorded < n_times and times[recorded] < now:
                    for i in range(n_species):
                        counts[trajectory, recorded, i] = np.int64(x[i])
                    recorded += 1
                if recorded == n_times:
                    break
            u, stream = next_uniform(stream)
            target = u * total
            chosen = 0
            for j in range(n_reactions - 1):  # counting has no branch to mispredict
                chosen += cumulative[j] <= target
            while a[chosen] == 0.0:  # rounding carried the search past the last reaction that can fire
                chosen -= 1
            for i in range(change_start[chosen], change_start[chosen + 1]):
                s = change_species[i]
                x[s] += change_count[i]
                if x[s] < 0.0:
                    x[s] -= change_count[i]
                    return NEGATIVE_COUNT, trajectory, chosen, now, x
            for i in range(affected_start[chosen], affected_start[chosen + 1]):
                j = affected[i]
                if special[j]:
                    value = special_propensity(j, x, now, table, stack)
                else:
                    value = scale[j] * x[first[j]] * (x[second[j]] - shift[j])
                if not (value >= 0.0 and value < np.inf):
                    return BAD_PROPENSITY, trajectory, j, value, x
                a[j] = value
            fired += 1
            if fired % _CHECK_EVERY == 0 and stop[0] != 0:
                return STOPPED, trajectory, 0, now, x
            if fired > max_events:
                return EVENT_LIMIT, trajectory, 0, now, x
        events[trajectory] = fired
    return DONE, high, 0, 0.0, x

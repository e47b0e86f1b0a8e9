"""Gillespie's direct method."""

import numpy as np
from numba import njit

from acme_lib.errors import ParameterError
from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import propensity, special_propensity, with_row
from acme_lib.network.reaction_network import located
from acme_lib.simulate.random_stream import next_exponential, next_uniform, start_stream
from acme_lib.simulate.run import available_threads, run_task
from acme_lib.simulate.specialise import KernelChoice
from acme_lib.simulate.task import (
    BAD_PROPENSITY,
    DONE,
    EVENT_LIMIT,
    NEGATIVE_COUNT,
    STOPPED,
    Part,
    check_whole,
    make_task,
)

_CHECK_EVERY = 4096  # events between two looks at the stop flag


def simulate_ssa(
    network,
    x0,
    t,
    *,
    size=1,
    rng,
    parameters=None,
    keep="counts",
    threads=None,
    client=None,
    progress=None,
    max_events=1_000_000_000,
    compile=None,
):
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
    parameters : mapping of str to array_like, shape (size,), or callable, optional
        Parameters that differ between trajectories (extrinsic noise), one number each; or a sampler
        ``parameters(rng, size)`` that returns such a mapping.
    keep : {"counts", "summary"}
        Return all counts, or moments and histograms only (`EnsembleSummary`): then memory does not grow with `size`.
    threads : int, optional
        Default: all cores that this process may use.
    client : distributed.Client, optional
        Simulate on this Dask cluster; the same seed gives the same result as here, bit for bit.
    progress : bool, optional
        A progress bar; by default one appears when a run takes more than five seconds.
    max_events : int
        A trajectory that needs more events is an error, not an endless run.
    compile : bool, optional
        Whether to compile a kernel for this network alone (`acme_lib.simulate.specialise`), two to three times as fast
        as the one that serves all networks, and the same counts bit for bit. It takes about a second, once for each
        network, whatever its parameters. By default this is done where a run is measured to be long enough; a single
        long trajectory cannot be measured in advance: ask for it.

    Returns
    -------
    Ensemble or EnsembleSummary
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
    max_events = check_whole("max_events", max_events, 1)
    if compile not in (None, True, False):
        raise ParameterError(f"compile is True, False or None; {compile!r} came")
    task = make_task(_run_range, network, x0, t, size=size, rng=rng, parameters=parameters, max_events=max_events)
    if network.uses_time:
        line = next(r for r in network.reactions if r.rate.uses_time)
        raise located(
            ParameterError("this rate depends on the time t, and the direct method takes rates as constant in time"),
            line.line,
            line.text,
        )
    lanes = sum(client.nthreads().values()) if client else threads or available_threads()
    task.options["choice"] = KernelChoice(network, compile, task.size, max(lanes, 1))
    return run_task(task, keep=keep, threads=threads, client=client, progress=progress)


def _run_range(task, low, high, stop):
    counts = np.empty((high - low, len(task.times), len(task.network.species)), dtype=np.int64)
    events = np.zeros(high - low, dtype=np.int64)
    table, scale, values = task.rates_of(low, high)
    limit = task.options["max_events"]
    starts = task.starts_of(low, high)
    times, key = task.times.copy(), task.key.copy()  # from another process they come read-only, another type to numba
    choice = task.options["choice"]
    kernel = choice.kernel(high - low)
    done = 0
    if kernel is not None:
        done = kernel(low, starts, times, scale, values, table[13].copy(), key, limit, counts, events, stop)
    if done < high - low:
        start = choice.clock()
        if len(scale) > 1:
            scale, values = scale[done:], values[done:]
        rest = starts[done:], times, table, scale, values, key, limit, counts[done:], events[done:], stop
        task.check(_direct_method(low + done, *rest))
        choice.ran(high - low - done, start)
    return Part(low, high, counts, events)


@njit(cache=True, nogil=True, error_model="numpy")
def _direct_method(low, starts, times, table, scale_rows, value_rows, key, max_events, counts, events, stop):
    """Simulate the trajectories low, low + 1, … into `counts` and `events`; returns an outcome, see `Task.check`."""
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
    for row in range(counts.shape[0]):
        trajectory = low + row
        stream = start_stream(key, trajectory)
        for i in range(n_species):
            x[i] = starts[row, i]
        if row == 0 or scale_rows.shape[0] > 1:
            scale = scale_rows[row]
            rates = with_row(table, scale, value_rows[row])
        now = times[0]
        for j in range(n_reactions):
            a[j] = propensity(j, x, now, rates, stack)
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
                        counts[row, recorded, i] = np.int64(x[i])
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
                    value = special_propensity(j, x, now, rates, stack)
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
        events[row] = fired
    return DONE, 0, 0, 0.0, x

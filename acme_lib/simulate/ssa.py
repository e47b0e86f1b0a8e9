"""Gillespie's direct method."""

import numpy as np
from numba import njit

from acme_lib.checks import check_whole, expected
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import mass_action, special_propensity, with_row
from acme_lib.network.status import BAD_PROPENSITY, DONE, EVENT_LIMIT, NEGATIVE_COUNT, STOPPED
from acme_lib.random_stream import next_exponential, next_uniform, start_stream
from acme_lib.simulate.run import available_threads, run_task
from acme_lib.simulate.ssa_compiled import KernelChoice
from acme_lib.simulate.ssa_general import general_options, needs_general_method, run_general_range
from acme_lib.simulate.steps import (
    add_up,
    choose_reaction,
    fill_propensities,
    fire_reaction,
    is_rate,
    must_stop,
    record_before,
)
from acme_lib.simulate.task import Part, make_task

_CHECK_EVERY = 4096  # events between two looks at the stop flag
_TREE_FROM = 128  # reactions: below, adding up all propensities is faster than keeping a tree of partial sums


def simulate_ssa(
    network,
    x0,
    t,
    *,
    size=1,
    rng,
    parameters=None,
    stop=None,
    keep="counts",
    threads=None,
    client=None,
    progress=None,
    max_events=1_000_000_000,
    compile=None,
):
    r"""Simulate an ensemble exactly, by Gillespie's direct method [1]_, and by thinning [2]_ where rates vary in time.

    In state :math:`x` the waiting time to the next event is exponential with rate :math:`a_0(x) = \sum_j a_j(x)`, and
    the event is reaction :math:`j` with probability :math:`a_j(x)/a_0(x)`.

    Rates may depend on the time ``t``, in jumps too: candidates come at a rate that bounds the true one, and each is
    kept with the probability true/bound; nothing is discretised. Events of the network happen when their trigger turns
    from false to true, at times that are known exactly; one that is true from the start has not turned true. A
    parameter that an event sets has the new value in that trajectory alone, until an event sets it again.

    Use when every event matters. The cost is proportional to the number of events, and an event costs little more when
    the network has thousands of reactions: from 128 reactions on, the next one is found in a tree of partial sums.

    Parameters
    ----------
    network : ReactionNetwork
    x0 : mapping of str to int, array_like of int, shape (species,) or (size, species)
        Start counts; species left out of a mapping start at 0. One row a trajectory is allowed.
    t : array_like, shape (time,)
        Times at which the counts are recorded, increasing; a number is one time. The simulation starts at time 0, and
        the start is recorded where 0 is among the times.
    size : int
        Number of trajectories.
    rng : numpy.random.Generator
        Where the randomness comes from. The same seed gives the same counts, whatever the number of threads.
    parameters : mapping of str to array_like, shape (size,), or callable, optional
        Parameters that differ between trajectories (extrinsic noise), one number each; or a sampler
        ``parameters(rng, size)`` that returns such a mapping.
    stop : str, optional
        A condition on species, parameters and the time, such as ``"P >= 100"``. A trajectory ends as soon as it holds,
        and keeps that state at all later times; ``ensemble.stop_times`` says when, and ``ensemble.censored`` which
        trajectories never met it.
    keep : {"counts", "summary", "events"}
        Return all counts; or moments and histograms only (`EnsembleSummary`), so that memory does not grow with `size`;
        or every single event from time 0 to the last time (`EventRecord`), for waiting times.
    threads : int, optional
        Default: all cores that this process may use.
    client : distributed.Client, optional
        Simulate on this Dask cluster; the same seed gives the same result as here, bit for bit.
    progress : bool, optional
        A progress bar; by default one appears when a run takes more than five seconds.
    max_events : int
        A trajectory that needs more events is an error, not an endless run.
    compile : bool, optional
        Whether to compile a kernel for this network alone (`acme_lib.simulate.ssa_compiled`), two to three times as
        fast as the one that serves all networks, and the same counts bit for bit. It takes a second, once for each
        network, whatever its parameters. By default this is done where a run is measured to be long enough; a single
        long trajectory cannot be measured in advance: ask for it.

    Returns
    -------
    Ensemble, EnsembleSummary or EventRecord
        ``counts[trajectory, time, species]``; ``ensemble["M"]`` by name. ``ensemble.extra["event_firings"]``, shape
        (trajectory, event), counts how often each event of the network happened; a parameter that events set is had by
        its name at all times, such as ``ensemble["k"]``.

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type, a condition is not linear in the time, or an event gives a count
        that is not whole or negative.
    PropensityError
        If a propensity turns negative or not finite, a reaction would make a count negative, or a trajectory exceeds
        `max_events`; the message shows the line and the state.

    References
    ----------
    .. [1] D. T. Gillespie, J. Phys. Chem. 81, 2340 (1977). doi:10.1021/j100540a008
    .. [2] P. A. W. Lewis & G. S. Shedler, Nav. Res. Logist. Q. 26, 403 (1979). doi:10.1002/nav.3800260304

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=10, g=1)
    >>> rng = np.random.default_rng(1)
    >>> acme.simulate_ssa(network, {"M": 0}, np.linspace(0, 5, 11), size=3, rng=rng).counts.shape
    (3, 11, 1)
    """
    if compile not in (None, True, False):
        raise expected("compile", "True, False or None", compile)
    options = {"max_events": check_whole("max_events", max_events, 1)}
    run_range = _run_range
    if isinstance(network, ReactionNetwork) and needs_general_method(network, stop, keep):
        options |= general_options(network, stop, keep)
        run_range = run_general_range
    task = make_task(run_range, network, x0, t, size=size, rng=rng, parameters=parameters, **options)
    if run_range is _run_range:
        lanes = sum(client.nthreads().values()) if client else threads or available_threads()
        task.options["choice"] = KernelChoice(network, compile, task.size, max(lanes, 1))
    return run_task(task, keep=keep, threads=threads, client=client, progress=progress)


def _run_range(task, low, high, stop):
    counts = np.empty((high - low, len(task.times), len(task.network.species)), dtype=np.int64)
    events = np.zeros(high - low, dtype=np.int64)
    starts, times, table, scale, values, key = task.arguments_of(low, high)
    limit = task.options["max_events"]
    choice = task.options["choice"]
    kernel = choice.kernel(high - low)
    done = 0
    if kernel is not None:
        done = kernel(low, starts, times, scale, values, table.operands.copy(), key, limit, counts, events, stop)
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
    special, affected_start, affected = table.special, table.affected_start, table.affected
    change_start, change_species, change_count = table.change_start, table.change_species, table.change_count
    n_reactions = table.scale.shape[0]
    n_species = starts.shape[1]
    n_times = times.shape[0]
    x = np.ones(n_species + 1)  # floats hold counts exactly up to 2**53
    a = np.empty(n_reactions)
    cumulative = np.empty(n_reactions)
    leaves = 0
    if n_reactions >= _TREE_FROM:
        leaves = 1
        while leaves < n_reactions:
            leaves *= 2
    tree = np.zeros(2 * leaves)  # node i is the sum of its children 2i and 2i + 1; reaction j is the leaf leaves + j
    stack = np.empty(MAX_STACK)
    for row in range(counts.shape[0]):
        trajectory = low + row
        stream = start_stream(key, trajectory)
        for i in range(n_species):
            x[i] = starts[row, i]
        if row == 0 or scale_rows.shape[0] > 1:
            rates = with_row(table, scale_rows[row], value_rows[row])
        now = 0.0
        bad = fill_propensities(a, x, now, rates, stack)
        if bad >= 0:
            return BAD_PROPENSITY, trajectory, bad, a[bad], x
        if leaves > 0:
            tree[leaves : leaves + n_reactions] = a
            for i in range(leaves - 1, 0, -1):
                tree[i] = tree[2 * i] + tree[2 * i + 1]
        fired = 0
        recorded = 0
        while True:
            total = tree[1] if leaves > 0 else add_up(a, cumulative)
            if total > 0.0:
                waiting, stream = next_exponential(stream)
                now += waiting / total
            else:
                now = np.inf  # nothing can happen any more
            if times[recorded] < now:
                recorded = record_before(now, recorded, times, x, counts, row)
                if recorded == n_times:
                    break
            u, stream = next_uniform(stream)
            target = u * total
            if leaves > 0:
                chosen = _descend(tree, leaves, target)
            else:
                chosen = choose_reaction(target, a, cumulative)
            if not fire_reaction(chosen, x, change_start, change_species, change_count):
                return NEGATIVE_COUNT, trajectory, chosen, now, x
            for i in range(affected_start[chosen], affected_start[chosen + 1]):
                j = affected[i]
                value = special_propensity(j, x, now, rates, stack) if special[j] else mass_action(j, x, rates)
                if not is_rate(value):
                    return BAD_PROPENSITY, trajectory, j, value, x
                if leaves > 0 and value != a[j]:
                    _ascend(tree, leaves + j, value)
                a[j] = value
            fired += 1
            if fired % _CHECK_EVERY == 0 and must_stop(stop, row, fired, now, times[n_times - 1]):
                return STOPPED, trajectory, 0, now, x
            if fired > max_events:
                return EVENT_LIMIT, trajectory, 0, now, x
        events[row] = fired
    return DONE, 0, 0, 0.0, x


@njit(cache=True, nogil=True)
def _ascend(tree, i, value):
    """Put `value` into leaf `i` and add up anew on the way to the root: no rounding error stays behind."""
    tree[i] = value
    while i > 1:
        i >>= 1
        tree[i] = tree[2 * i] + tree[2 * i + 1]


@njit(cache=True, nogil=True)
def _descend(tree, leaves, target):
    """Return the reaction in whose share of the total `target` lies; never one that cannot fire."""
    i = 1
    while i < leaves:
        i *= 2
        if target >= tree[i] and tree[i + 1] > 0.0:
            target -= tree[i]
            i += 1
    return i - leaves

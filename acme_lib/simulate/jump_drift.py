"""Jump-drift paths: between random events the state follows a deterministic flow (piecewise-deterministic processes).

`flow.py` integrates from event to event, `jump_process.py` says what flows and what jumps. Flow and hazard are general:
no bound of the rates is needed, and none can be wrong.
"""

from dataclasses import replace

import numpy as np
from numba import njit

from acme_lib.checks import check_whole, renamed
from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import with_row
from acme_lib.network.status import BAD_PROPENSITY, DONE, EVENT_LIMIT, NEGATIVE_COUNT, STOPPED
from acme_lib.random_stream import next_uniform, start_stream
from acme_lib.simulate.daughters import divide
from acme_lib.simulate.flow import BAD, CONDITION, EVENT, HALTED, REACHED, WORK_ROWS, advance, holds
from acme_lib.simulate.jump_process import DIVISION, JumpProcess, jump
from acme_lib.simulate.run import run_task
from acme_lib.simulate.steps import must_stop
from acme_lib.simulate.task import Part

_CHECK_EVERY = 1024  # events between two looks at the stop flag


@renamed(rtol="tolerance")
def simulate_jump_drift(
    network,
    x0,
    t,
    *,
    continuous,
    bursts=None,
    division=None,
    stop=None,
    size=1,
    rng,
    parameters=None,
    threads=None,
    client=None,
    progress=None,
    tolerance=1e-6,
    max_events=1_000_000_000,
):
    r"""Simulate jump-drift paths: continuous species flow, all else happens in random jumps.

    A reaction that changes continuous species only is a *drift*: it moves them by
    :math:`\dot x = \sum_i e_i r_i(x, m, t)`. Every other reaction, and every one that is listed in `bursts`, is a
    *jump* at the rate :math:`f_j(x, m, t)`, with the number of events until time t of the hazard
    :math:`\int_0^t \sum_j f_j\, ds`: the next event is where it has grown by an exponential number of mean 1 [1]_.

    Use for proteins made in bursts, genes that switch while a concentration decays, and cells that grow and divide:
    an independent check of the augmented master equation, and of its limit where intrinsic noise of many molecules is
    left out. Rates may depend on the time. `simulate_population` adds growth, death and both daughters.

    Parameters
    ----------
    network : ReactionNetwork
        Rates may use continuous species like any others. A mass action of two equal molecules counts pairs, also of a
        continuous species: for concentrations write the whole rate with ``=>``.
    x0 : mapping of str to float, or array_like, shape (species,) or (size, species)
        Starts; real numbers for continuous species, counts for the others.
    t : float or array_like, shape (time,)
        Times that are recorded; paths start at time 0.
    continuous : sequence of str
        The species that flow.
    bursts : mapping of str to burst sizes of `acme_lib.processes`, optional
        Reactions of continuous species, such as ``"0 => P"``, whose changes are multiplied by a random size, such as
        ``ExponentialJump(0.2)``.
    division : Hazard, optional
        Divisions, of which one daughter is followed, either with probability 1/2.
    stop : str, optional
        A condition that ends a path, such as ``"P >= 0.825"``: a first passage by a jump or by the flow. It is looked
        at after each jump and each step of the flow, within which the crossing is found to the step's own tolerance.
    size : int
        Number of paths.
    rng : numpy.random.Generator
        The same seed gives the same paths, whatever the number of threads.
    parameters, threads, client, progress
        As for `simulate_ssa`.
    tolerance : float
        Relative, of the flow and the hazard, for each step; far below any sampling error.
    max_events : int
        A path that needs more is an error.

    Returns
    -------
    Ensemble
        Its counts are real numbers; ``ensemble.events`` are the jumps of each path, `stop_times` the first passages.

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type.
    PropensityError
        If a rate of jumps becomes negative or not finite, or a jump would make a species negative.

    References
    ----------
    .. [1] M. H. A. Davis, J. R. Stat. Soc. B 46, 353 (1984). doi:10.1111/j.2517-6161.1984.tb01308.x

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 => P : r0 + r1*P**4/(1 + P**4)\nP -> 0 : 1", r0=2, r1=10)
    >>> paths = acme.simulate_jump_drift(
    ...     network, {"P": 1.0}, 40, continuous=["P"], bursts={"0 => P": acme.ExponentialJump(0.2)}, size=1000,
    ...     rng=np.random.default_rng(1),
    ... )
    >>> bool(abs(paths["P"][:, -1].mean() - 1.919) < 0.06)  # the exact mean
    True
    """
    process = JumpProcess.build(
        "simulate_jump_drift", network, continuous, bursts=bursts, division=division, stop=stop, tolerance=tolerance
    )
    task = process.task(_run_range, x0, t, size=size, rng=rng, parameters=parameters)
    task.options.update(max_events=check_whole("max_events", max_events, 1), stops=stop is not None)
    ensemble = run_task(task, threads=threads, client=client, progress=progress)
    # the caller's network: that of the task has a reaction for divisions
    extra = dict(ensemble.extra) if stop is not None else {}
    return replace(ensemble, network=network, extra=extra)


def _run_range(task, low, high, stop):
    process = task.options["process"]
    counts = np.empty((high - low, len(task.times), len(task.network.species)))
    events = np.zeros(high - low, dtype=np.int64)
    stop_times = np.full(high - low, np.nan)
    arguments, limit = task.arguments_of(low, high), task.options["max_events"]
    outcome = _paths(low, *arguments, process.arrays(), limit, counts, events, stop_times, stop)
    process.check(task, outcome)
    return Part(low, high, counts, events, {"stop_times": stop_times})


@njit(cache=True, nogil=True, error_model="numpy")
def _paths(low, starts, times, table, scale_rows, value_rows, key, jumps, max_events, counts, events, stop_times, stop):
    """Simulate the paths low, low + 1, …; fills the last arrays but one, returns an outcome."""
    role, law, partition, flow = jumps.role, jumps.law, jumps.partition, jumps.flow
    n_species = starts.shape[1]
    n_times = times.shape[0]
    x = np.ones(n_species + 1)
    sister = np.ones(n_species + 1)
    work = np.empty((WORK_ROWS, n_species + 1))
    stack = np.empty(MAX_STACK)
    for row in range(counts.shape[0]):
        path = low + row
        stream = start_stream(key, path)
        x[:n_species] = starts[row]
        if row == 0 or scale_rows.shape[0] > 1:
            rates = with_row(table, scale_rows[row], value_rows[row])
        now = 0.0
        step = 1e-3 * times[-1]
        fired = 0
        recorded = 0
        stopped = holds(flow, x, rates.parameters, now, stack)
        while recorded < n_times:
            what, j = REACHED, 0
            if not stopped and now < times[recorded]:
                until = times[recorded]
                what, now, step, j, stream = advance(x, now, until, step, rates, flow, work, stack, stream, stop)
            if what == BAD:
                return BAD_PROPENSITY, path, j, now, x
            if what == HALTED:
                return STOPPED, path, 0, now, x
            if what == REACHED:
                counts[row, recorded] = x[:n_species]
                recorded += 1
                continue
            if what == EVENT:
                if role[j] == DIVISION:
                    stream = divide(x, sister, law[j], partition, stream)
                    u, stream = next_uniform(stream)
                    if u < 0.5:
                        x[:n_species] = sister[:n_species]
                else:
                    stream = jump(x, j, jumps, rates, stream)
                for i in range(n_species):
                    if x[i] < 0.0:
                        return NEGATIVE_COUNT, path, j, now, x
                fired += 1
                if fired % _CHECK_EVERY == 0 and must_stop(stop, row, fired, now, times[-1]):
                    return STOPPED, path, 0, now, x
                if fired > max_events:
                    return EVENT_LIMIT, path, 0, now, x
            stopped = what == CONDITION or holds(flow, x, rates.parameters, now, stack)
            if stopped:
                stop_times[row] = now
        if stopped and np.isnan(stop_times[row]):
            stop_times[row] = 0.0
        events[row] = fired
    return DONE, 0, 0, 0.0, x

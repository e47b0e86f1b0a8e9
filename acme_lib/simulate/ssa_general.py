"""Exact simulation with rates that depend on the time, events, stop conditions, and records of all that happens.

Rates that depend on the time are thinned [1]_: candidates come at a constant rate that bounds the true one over a
window of time, and each is kept with the probability true/bound [2]_. The bounds are rigorous
(`acme_lib.network.bounds`).

References
----------
.. [1] P. A. W. Lewis & G. S. Shedler, Naval Research Logistics Quarterly 26, 403 (1979). doi:10.1002/nav.3800260304
.. [2] M. Voliotis, P. Thomas, R. Grima & C. G. Bowsher, PLOS Computational Biology 12, e1004923 (2016).
   doi:10.1371/journal.pcbi.1004923
"""

import numpy as np
from numba import njit

from acme_lib.errors import ParameterError, PropensityError
from acme_lib.network.bounds import bound_program
from acme_lib.network.expression import MAX_STACK, TIME
from acme_lib.network.rates import count_sets, mass_action, special_propensity, with_row
from acme_lib.network.status import (
    BAD_ASSIGNMENT,
    BAD_CONSTANT,
    BAD_PROPENSITY,
    DONE,
    EVENT_LIMIT,
    EVENT_LOOP,
    LOOSE_BOUND,
    NEGATIVE_COUNT,
    RECORD_FULL,
    STOPPED,
    UNBOUNDED,
)
from acme_lib.network.text import located
from acme_lib.random_stream import next_exponential, next_uniform, start_stream
from acme_lib.simulate.conditions import (
    evaluate_assignments,
    follow_parameters,
    lay_out_conditions,
    look_at_condition,
    parse_stop,
)
from acme_lib.simulate.record import PartRecord
from acme_lib.simulate.steps import (
    add_up,
    choose_reaction,
    fill_propensities,
    fire_reaction,
    is_rate,
    must_stop,
    record_before,
)
from acme_lib.simulate.task import Part

_FIRST_ROOM = 4096  # events of a range, before its record is given more room
_CHECK_EVERY = 4096  # candidates between two looks at the stop flag
_CASCADE = 1000  # rounds of events at one moment
_WASTE = 2.0  # candidates in a window that a loose bound may cost


def needs_general_method(network, stop, keep):
    """Whether the direct method does not do."""
    return network.uses_time or bool(network.events) or stop is not None or keep == "events"


def general_options(network, stop, keep):
    """Return what `run_general_range` needs as `Task.options`, besides ``max_events``."""
    if stop is not None:
        if keep == "summary":
            raise ParameterError('keep="summary" keeps no stop times; use keep="counts" with a stop condition')
        stop = parse_stop(network, stop)
    table = network.rate_table
    programs = zip(table.program_start[:-1], table.program_start[1:], strict=True)
    timed = np.flatnonzero([bool(np.any(table.codes[a:b] == TIME)) for a, b in programs]).astype(np.int64)
    conditions = lay_out_conditions(network, stop)
    return {"conditions": conditions, "timed": timed, "stops": stop is not None, "record": keep == "events"}


def run_general_range(task, low, high, stop):
    """Simulate a range of trajectories; see `Task.run_range`.

    ``task.options["time_rows"]``, shape (size, time), gives each trajectory times of its own, of which the first is its
    start; they may repeat at the end. A trajectory that goes on another, such as a daughter's, then takes over from it
    whether each condition held, ``task.options["held"]``, shape (size, condition), and what `changing_parameters` were,
    ``task.options["changed"]``, shape (size, parameter).
    """
    rows, options = high - low, task.options
    conditions = options["conditions"]
    time_rows, begins = options.get("time_rows"), np.zeros(1)
    if time_rows is None:
        time_rows = task.times[None, :].copy()
    else:
        time_rows = time_rows[low:high].copy()
        begins = time_rows[:, 0].copy()
    laid = conditions.table
    held = np.repeat(laid.initially[None, :], rows, axis=0)
    table, scale, values = task.rates_of(low, high)
    changed = np.repeat(values[:, laid.changing], rows // len(values), axis=0)
    if "held" in options:
        held, changed = options["held"][low:high].copy(), options["changed"][low:high].copy()
    counts = np.empty((rows, time_rows.shape[1], len(task.network.species)), dtype=np.int64)
    values_seen = np.empty((rows, time_rows.shape[1], len(laid.changing)))
    fired = np.zeros(rows, dtype=np.int64)
    stop_times = np.full(rows, np.nan)
    n_events = len(laid.assignment_start) - 1
    firings = np.zeros((rows, n_events), dtype=np.int64)
    starts = task.starts_of(low, high)
    kept = PartRecord.empty(starts, _FIRST_ROOM if options["record"] else 0)
    status, first_row = RECORD_FULL, 0
    while status == RECORD_FULL:
        *outcome, now = _general_method(
            low,
            starts,
            begins,
            time_rows,
            table,
            scale,
            values,
            task.key,
            options["max_events"],
            options["timed"],
            laid,
            options["record"],
            held,
            changed,
            counts,
            values_seen,
            fired,
            stop_times,
            firings,
            kept.times,
            kept.reactions,
            kept.jumps,
            kept.offsets,
            kept.jump_offsets,
            first_row,
            stop,
        )
        status, first_row = outcome[0], outcome[1] - low
        if status == RECORD_FULL:
            kept = kept.with_room(4 * len(kept.times))
    _check(task, outcome, now)
    extra = {"stop_times": stop_times} if options["stops"] else {}
    if n_events:
        extra["event_firings"] = firings
    if "held" in options:
        extra |= {"held": held, "parameter_values": values_seen}
    elif len(laid.changing) and not options["record"]:
        extra["parameter_values"] = values_seen
    return Part(low, high, counts, fired, extra, kept.trimmed() if options["record"] else None)


def _check(task, outcome, now):
    """Raise what `_general_method` reports."""
    status, trajectory, which, value, state = outcome
    if status <= STOPPED and status != BAD_PROPENSITY:
        return task.check(outcome)
    network = task.network
    if task.parameters:
        network = network.with_parameters(**{name: v[trajectory] for name, v in task.parameters.items()})
    at = ", ".join(f"{name}={n:.0f}" for name, n in zip(network.species, state, strict=False))
    at = f"t={now:g} in the state {at}"
    if status == BAD_PROPENSITY:
        raise network.propensity_error(which, value, state, now if network.uses_time or network.events else None)
    if status == UNBOUNDED:
        line = network.reactions[which]
        error = PropensityError(
            f"the rate has no finite bound just after {at}; a rate may jump, but may not grow without limit: change "
            "it, for example with min(…, highest)"
        )
        raise located(error, line.line, line.text)
    if status == LOOSE_BOUND:
        line = network.reactions[which]
        raise RuntimeError(f"the bound of the rate in {line.text!r} does not hold at {at}: please report this")
    if status == BAD_ASSIGNMENT:
        conditions = task.options["conditions"].table
        event = network.events[int(np.searchsorted(conditions.assignment_start, which, side="right")) - 1]
        name = [*network.species, *network.parameters][conditions.assignment_target[which]]
        rule = "a parameter is a finite number"
        if name in network.species:
            rule = "a count is whole, zero or more, and at most 9e15: write for example "
            rule += f"floor({event.assignments[name].text}) or max(0, …)"
        error = ParameterError(f"the event gives {name} the value {value:g} at {at}; {rule}")
        raise located(error, event.line, event.text)
    if status == BAD_CONSTANT:
        if which >= 0:
            line = network.reactions[which]
            error = PropensityError(
                f"an event makes this rate {value:g} at {at}; a rate is a finite number of at least 0: change the event"
            )
            raise located(error, line.line, line.text)
        name = list(network.parameters)[-1 - which]
        line = next(d for d in network.definitions if d.name == name)
        error = ParameterError(f"an event makes {name} {value:g} at {at}, which is no finite number: change the event")
        raise located(error, line.number, line.text)
    raise ParameterError(  # EVENT_LOOP
        f"events set each other off without end at {at}; make one of the triggers stay true, or false, "
        f"after the assignments: {'; '.join(event.text or event.name for event in network.events)}"
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _general_method(
    low,
    starts,
    begins,
    time_rows,
    table,
    scale_rows,
    value_rows,
    key,
    max_events,
    timed,
    conditions,
    record,
    held,
    changed,
    counts,
    values_seen,
    fired,
    stop_times,
    firings,
    kept_times,
    kept_reactions,
    kept_jumps,
    kept_start,
    jump_start,
    first_row,
    stop,
):
    """Simulate the trajectories low + first_row, …; returns an outcome (see `_check`) and the time that it concerns.

    The parameters that events set begin as in `changed`, and change in their places in `scale_rows` and `value_rows`.
    Fills `counts`, `values_seen` (of the parameters that change), `fired`, `stop_times` and `firings`, puts into `held`
    what it ends with for what it began with, and where `record` fills the arrays of a `PartRecord`. With the status
    `RECORD_FULL` the trajectory of the outcome did not fit into the record, and those before it are done.
    """
    special, affected_start, affected = table.special, table.affected_start, table.affected
    change_start, change_species, change_count = table.change_start, table.change_species, table.change_count
    # each array by itself: handing over the whole table of conditions costs more than the call
    codes, operands, start = conditions.codes, conditions.operands, conditions.program_start
    truth, crossing_start, crossings = (
        conditions.truth_program,
        conditions.crossing_start,
        conditions.crossing_programs,
    )
    watcher_start, watchers, changing = conditions.watcher_start, conditions.watchers, conditions.changing
    assignment_start, assignment_target = conditions.assignment_start, conditions.assignment_target
    assignment_program = conditions.assignment_program
    n_reactions = table.scale.shape[0]
    n_species = starts.shape[1]
    n_times = time_rows.shape[1]
    n_conditions = truth.shape[0]
    n_events = assignment_start.shape[0] - 1
    stops = n_conditions > n_events
    is_timed = np.zeros(n_reactions, dtype=np.bool_)
    for j in timed:
        is_timed[j] = True
    x = np.ones(n_species + 1)  # floats hold counts exactly up to 2**53
    bound = np.empty(n_reactions)  # of each propensity over the window; itself where it does not depend on the time
    cumulative = np.empty(n_reactions)
    stack = np.empty(MAX_STACK)
    stack_high = np.empty(MAX_STACK)
    holds = np.zeros(n_conditions, dtype=np.bool_)
    change = np.full(n_conditions, np.inf)
    pending = np.zeros(n_events, dtype=np.bool_)
    values = np.empty(assignment_target.shape[0])
    n_kept = kept_start[first_row]
    n_jumps = jump_start[first_row]
    steps = 0
    status = DONE
    trajectory = low
    which = 0
    value = 0.0
    now = 0.0
    scale, parameters = scale_rows[0], value_rows[0]
    rates = with_row(table, scale, parameters)
    for row in range(first_row, counts.shape[0]):
        trajectory = low + row
        stream = start_stream(key, trajectory)
        for i in range(n_species):
            x[i] = starts[row, i]
        if scale_rows.shape[0] > 1:
            scale, parameters = scale_rows[row], value_rows[row]
            rates = with_row(table, scale, parameters)
        if changing.shape[0] > 0:  # what the trajectory before has changed
            for i in range(changing.shape[0]):
                parameters[changing[i]] = changed[row, i]
            follow_parameters(x, parameters, scale, table.shift, conditions, stack)
        times = time_rows[row if time_rows.shape[0] > 1 else 0]
        now = begins[row if begins.shape[0] > 1 else 0]
        end = times[n_times - 1]
        recorded = 0
        values_recorded = 0
        fired[row] = 0  # a trajectory may be run again, with more room for its record
        firings[row] = 0
        stop_times[row] = np.nan
        width = end - now
        window_end = np.inf
        stale = True  # propensities are to be computed, and a window of time is to be opened
        rounds = 0
        n_pending = 0
        horizon = np.inf  # when a condition may change next
        for k in range(n_conditions):
            holds[k], change[k] = look_at_condition(
                k, x, parameters, now, codes, operands, start, truth, crossing_start, crossings, stack
            )
            horizon = min(horizon, change[k])
            if k < n_events:
                pending[k] = holds[k] and not held[row, k]
                n_pending += pending[k]
        while True:
            steps += 1
            if steps % _CHECK_EVERY == 0 and must_stop(stop, row, fired[row], now, end):
                status = STOPPED
                break
            if stops and holds[n_events]:
                stop_times[row] = now
                break
            if n_pending > 0:
                rounds += 1
                if rounds > _CASCADE:
                    status = EVENT_LOOP
                    break
                # the values of all come from the state before the first
                for k in range(n_events):
                    if pending[k]:
                        which = evaluate_assignments(
                            k,
                            x,
                            parameters,
                            now,
                            codes,
                            operands,
                            start,
                            assignment_start,
                            assignment_target,
                            assignment_program,
                            stack,
                            values,
                        )
                        if which >= 0:
                            value = values[which]
                            status = BAD_ASSIGNMENT
                            break
                if status != DONE:
                    break
                values_recorded = _record_values(now, values_recorded, times, parameters, changing, values_seen, row)
                sets_parameters = False
                for k in range(n_events):
                    if pending[k]:
                        firings[row, k] += 1
                        if record:
                            if n_kept == kept_times.shape[0] or n_jumps == kept_jumps.shape[0]:
                                status = RECORD_FULL
                                break
                            kept_times[n_kept] = now
                            kept_reactions[n_kept] = n_reactions + k
                            n_kept += 1
                            kept_jumps[n_jumps] = 0
                        for i in range(assignment_start[k], assignment_start[k + 1]):
                            s = assignment_target[i]
                            if s >= n_species:
                                parameters[s - n_species] = values[i]
                                sets_parameters = True
                                continue
                            if record:
                                kept_jumps[n_jumps, s] = np.int64(values[i] - x[s])
                            x[s] = values[i]
                        n_jumps += record
                        pending[k] = False
                n_pending = 0
                if status != DONE:
                    break
                if sets_parameters:
                    status, which, value = follow_parameters(x, parameters, scale, table.shift, conditions, stack)
                    if status != DONE:
                        break
                horizon = np.inf
                for k in range(n_conditions):
                    before = holds[k]
                    holds[k], change[k] = look_at_condition(
                        k, x, parameters, now, codes, operands, start, truth, crossing_start, crossings, stack
                    )
                    horizon = min(horizon, change[k])
                    if k < n_events and holds[k] and not before:
                        pending[k] = True
                        n_pending += 1
                stale = True
                continue
            rounds = 0
            if now >= end:
                break
            if stale:
                bad = fill_propensities(bound, x, now, rates, stack)
                if bad >= 0:
                    status = BAD_PROPENSITY
                    which = bad
                    value = bound[bad]
                    break
                stale = False
                window_end = now
            if timed.shape[0] > 0 and window_end <= now:
                status, which, value, width, window_end = _open_window(
                    x, now, min(horizon, end), width, rates, timed, bound, stack, stack_high
                )
                if status != DONE:
                    break
            limit = min(horizon, end)
            if timed.shape[0] > 0:
                limit = min(limit, window_end)
            total = add_up(bound, cumulative)
            candidate = np.inf
            if total > 0.0:
                waiting, stream = next_exponential(stream)
                candidate = now + waiting / total
            at_limit = not candidate < limit
            if at_limit:
                candidate = limit
            recorded = record_before(candidate, recorded, times, x, counts, row)
            now = candidate
            if at_limit:
                if now == window_end and now < horizon:
                    width *= 2.0  # nothing happened in the whole window
                if now == horizon:
                    horizon = np.inf
                    for k in range(n_conditions):
                        before = holds[k]
                        if change[k] <= now:
                            holds[k], change[k] = look_at_condition(
                                k, x, parameters, now, codes, operands, start, truth, crossing_start, crossings, stack
                            )
                        horizon = min(horizon, change[k])
                        if k < n_events and holds[k] and not before:
                            pending[k] = True
                            n_pending += 1
                continue
            u, stream = next_uniform(stream)
            chosen = choose_reaction(u * total, bound, cumulative)
            if is_timed[chosen]:
                value = special_propensity(chosen, x, now, rates, stack)
                which = chosen
                if not is_rate(value):
                    status = BAD_PROPENSITY
                    break
                if value > bound[chosen] * (1.0 + 1e-9):
                    status = LOOSE_BOUND
                    break
                u, stream = next_uniform(stream)
                if not u * bound[chosen] < value:
                    continue
            if not fire_reaction(chosen, x, change_start, change_species, change_count):
                status = NEGATIVE_COUNT
                which = chosen
                break
            for i in range(affected_start[chosen], affected_start[chosen + 1]):
                j = affected[i]
                if is_timed[j]:
                    window_end = now  # its bound is to be found anew
                    continue
                value = special_propensity(j, x, now, rates, stack) if special[j] else mass_action(j, x, rates)
                if not is_rate(value):
                    status = BAD_PROPENSITY
                    which = j
                    break
                bound[j] = value
            if status != DONE:
                break
            fired[row] += 1
            if record:
                if n_kept == kept_times.shape[0]:
                    status = RECORD_FULL
                    break
                kept_times[n_kept] = now
                kept_reactions[n_kept] = chosen
                n_kept += 1
            if fired[row] > max_events:
                status = EVENT_LIMIT
                value = now
                break
            if watcher_start[chosen] < watcher_start[chosen + 1]:
                for i in range(watcher_start[chosen], watcher_start[chosen + 1]):
                    k = watchers[i]
                    before = holds[k]
                    holds[k], change[k] = look_at_condition(
                        k, x, parameters, now, codes, operands, start, truth, crossing_start, crossings, stack
                    )
                    if k < n_events and holds[k] and not before:
                        pending[k] = True
                        n_pending += 1
                horizon = np.inf
                for k in range(n_conditions):
                    horizon = min(horizon, change[k])
        if status != DONE:
            break
        kept_start[row + 1] = n_kept
        jump_start[row + 1] = n_jumps
        record_before(np.inf, recorded, times, x, counts, row)
        _record_values(np.inf, values_recorded, times, parameters, changing, values_seen, row)
        held[row] = holds
    return status, trajectory, which, value, x, now


@njit(cache=True, nogil=True, error_model="numpy")
def _record_values(until, recorded, times, parameters, changing, values_seen, row):
    """Write the parameters that change into ``values_seen[row]`` at all times before `until`, as `record_before`."""
    while changing.shape[0] > 0 and recorded < times.shape[0] and times[recorded] < until:
        for i in range(changing.shape[0]):
            values_seen[row, recorded, i] = parameters[changing[i]]
        recorded += 1
    return recorded


@njit(cache=True, nogil=True, error_model="numpy")
def _open_window(x, now, latest, width, rates, timed, bound, low, high):
    """Fill `bound` for the rates that depend on the time, over a window from `now` up to `latest` at most.

    A bound is good if it is at most twice the present value, or costs at most a candidate or two. Returns a status, the
    reaction and value that it concerns, the width to try next and the window's end.
    """
    start, codes, operands, parameters = rates.program_start, rates.codes, rates.operands, rates.parameters
    for j in timed:
        bound[j] = 0.0
    present = bound.sum()  # of the rates that are constant
    constant = present
    for j in timed:
        value = special_propensity(j, x, now, rates, low)
        if not is_rate(value):
            return BAD_PROPENSITY, j, value, width, now
        present += value
    while True:
        window_end = min(now + width, latest)
        total = constant
        worst = 0
        for j in timed:
            factor = count_sets(j, x, rates.scale, rates.reactant_start, rates.reactant_species, rates.reactant_count)
            bound[j] = 0.0
            if factor > 0.0:
                _, upper = bound_program(
                    codes, operands, start[j], start[j + 1], x, parameters, now, window_end, low, high
                )
                bound[j] = max(0.0, factor * upper)
                if not bound[j] < np.inf:
                    worst = j
            total += bound[j]
        if total < np.inf and (total <= 2.0 * present or total * (window_end - now) <= _WASTE):
            return DONE, 0, 0.0, width, window_end
        width = 0.5 * (window_end - now)
        if not now < now + width < window_end:  # no shorter window can be told from this one
            return UNBOUNDED, worst, 0.0, width, now

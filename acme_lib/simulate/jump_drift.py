"""Jump-drift paths: between random events the state follows a deterministic flow (piecewise-deterministic processes).

A trajectory is integrated with its cumulative hazard by the error-controlled pair of Dormand and Prince; the next event
is where the hazard has grown by an exponential number, found on the dense output. The flow and the hazard are general:
no bound of the rates is needed, and none can be wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numba import njit
from scipy.integrate import RK45

from acme_lib.errors import NetworkSyntaxError, ParameterError, PropensityError
from acme_lib.network import Reaction, ReactionNetwork
from acme_lib.network.expression import MAX_STACK, Expression, suggest
from acme_lib.network.rates import propensity, run_program, special_propensity, with_row
from acme_lib.network.text import located
from acme_lib.random_stream import (
    draw_key,
    next_exponential,
    next_normal,
    next_uniform,
    start_stream,
)
from acme_lib.simulate.conditions import parse_stop
from acme_lib.simulate.run import run_task
from acme_lib.simulate.task import (
    BAD_PROPENSITY,
    DONE,
    EVENT_LIMIT,
    NEGATIVE_COUNT,
    STOPPED,
    Part,
    Task,
    check_parameters,
    check_times,
    check_whole,
)

# What an event does.
REACTION, BURST, DIVISION, GROWTH, DEATH = range(5)
# Laws of burst sizes and of the share of a daughter.
FIXED, EXPONENTIAL, GAMMA, UNIFORM, BETA = range(5)
# What a daughter gets of a species.
BINOMIAL, PROPORTIONAL, EQUAL, COPY, RESET, EQUAL_COUNTS = range(6)
# How an advance ended.
REACHED, EVENT, CONDITION, BAD = range(4)

_PARTITIONS = {"binomial": BINOMIAL, "proportional": PROPORTIONAL, "equal": EQUAL, "copy": COPY, "reset": RESET}
_A, _B, _C, _E, _P = (np.ascontiguousarray(getattr(RK45, name), dtype=float) for name in "ABCEP")
_CHECK_EVERY = 1024  # events between two looks at the stop flag


@dataclass(frozen=True)
class Hazard:
    """A cell divides at a rate that depends on its state.

    Attributes
    ----------
    rate : str
        Divisions per unit of time, an expression of species, parameters and `t`, such as ``"a*V**3"``.
    share : str, float or tuple
        The part of the first daughter; the second gets the rest. ``"uniform"``: any part alike; ``"equal"``: one half;
        a number such as 0.3; or ``("beta", a, b)``.
    partition : mapping of str to str
        What daughters get, by species: ``"binomial"``, each molecule by chance and in proportion to the share (discrete
        species by default); ``"proportional"``, the share itself (continuous species by default, such as a volume);
        ``"equal"``, halves whatever the share; ``"copy"``, all, as a concentration; ``"reset"``, nothing, as an age.
    """

    rate: str
    share: str | float | tuple = "equal"
    partition: Mapping[str, str] = field(default_factory=dict)

    @property
    def share_law(self):
        """The law of the share as a code and two numbers."""
        if isinstance(self.share, str) and self.share in ("uniform", "equal"):
            return (UNIFORM, 0.0, 1.0) if self.share == "uniform" else (FIXED, 0.5, 0.0)
        if isinstance(self.share, float) and 0.0 < self.share < 1.0:
            return FIXED, self.share, 0.0
        if isinstance(self.share, tuple) and len(self.share) == 3 and self.share[0] == "beta":
            if all(_is_number(value) and value > 0 for value in self.share[1:]):
                return BETA, float(self.share[1]), float(self.share[2])
        raise ParameterError(
            'share is "uniform", "equal", a number between 0 and 1, or ("beta", a, b) with positive numbers; '
            f"{self.share!r} came"
        )


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
    rtol=1e-6,
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
    t : array_like, shape (time,)
        Times that are recorded; a number means the two times 0 and t.
    continuous : sequence of str
        The species that flow.
    bursts : mapping of str to tuple, optional
        Reactions, such as ``"0 => P"``, whose changes are multiplied by a random size: ``("exponential", mean)``,
        ``("gamma", shape, mean)``, ``("uniform", low, high)`` or ``("fixed", size)``.
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
    rtol : float
        Relative tolerance of the flow and the hazard, for each step; far below any sampling error.
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
    ...     network, {"P": 1.0}, 40, continuous=["P"], bursts={"0 => P": ("exponential", 0.2)}, size=4000,
    ...     rng=np.random.default_rng(1),
    ... )
    >>> bool(abs(paths["P"][:, -1].mean() - 1.919) < 0.06)  # the exact mean
    True
    """
    process = JumpDrift.build(network, continuous, bursts=bursts, division=division, stop=stop, rtol=rtol)
    task = process.task(_run_range, x0, t, size=size, rng=rng, parameters=parameters)
    task.options["max_events"] = check_whole("max_events", max_events, 1)
    ensemble = run_task(task, threads=threads, client=client, progress=progress)
    # the caller's network: that of the task has a reaction for divisions
    extra = dict(ensemble.extra) if stop is not None else {}
    return replace(ensemble, network=network, extra=extra)


@dataclass(frozen=True)
class JumpDrift:
    """A network split into a flow and jumps, as a kernel reads it.

    Attributes
    ----------
    network : ReactionNetwork
        With divisions, growth and death as further reactions, which change nothing by themselves.
    continuous : ndarray of bool, shape (species,)
    drift, jumps : ndarray of int64
        Reactions of each kind.
    role : ndarray of int64, shape (reaction,)
        What a jump does.
    law : ndarray, shape (reaction, 3)
        Law of the burst size of a reaction, and of the share of a daughter: its code and two numbers.
    partition : ndarray of int64, shape (species,)
    stop : Expression or None
    rtol : float
    """

    network: ReactionNetwork
    continuous: np.ndarray
    drift: np.ndarray
    jumps: np.ndarray
    role: np.ndarray
    law: np.ndarray
    partition: np.ndarray
    stop: Expression | None
    rtol: float

    @classmethod
    def build(cls, network, continuous, *, bursts=None, division=None, growth=None, death=None, stop=None, rtol=1e-6):
        """Check what a caller gave and split the network."""
        if not isinstance(network, ReactionNetwork):
            raise ParameterError(f"network is a ReactionNetwork; {network!r} came: see ReactionNetwork.parse")
        network.refuse_events("a jump-drift process")
        names = (continuous,) if isinstance(continuous, str) else tuple(continuous)
        for name in names:
            if name not in network.species:
                raise ParameterError(
                    f"{name!r} is not a species of the network{suggest(str(name), network.species)}; continuous lists "
                    f"some of {', '.join(network.species)}"
                )
        flows = np.isin(network.species, names)
        if not _is_number(rtol) or not 1e-13 <= rtol <= 1e-2:
            raise ParameterError(f"rtol is a tolerance from 1e-13 to 1e-2; {rtol!r} came")
        sizes = _burst_laws(network, bursts)
        drift, jumps = [], []
        for j, change in enumerate(network.stoichiometry):
            only_flow = np.all(flows[change != 0])
            (drift if only_flow and j not in sizes else jumps).append(j)
        n = len(network.reactions)
        law = np.zeros((n + 3, 3))
        role = np.zeros(n + 3, dtype=np.int64)
        for j, values in sizes.items():
            role[j], law[j] = BURST, values
        partition = np.where(flows, PROPORTIONAL, BINOMIAL)
        added = []
        if division is not None:
            if not isinstance(division, Hazard):
                raise ParameterError(f'division is a Hazard, such as Hazard("a*V**3"); {division!r} came')
            law[n] = division.share_law
            _fill_partition(network, division.partition, partition, flows)
        for what, kind, rate in (
            ("division", DIVISION, division and division.rate),
            ("growth", GROWTH, growth),
            ("death", DEATH, death),
        ):
            if rate is not None:
                role[n + len(added)] = kind
                added.append(_channel(network, what, rate))
        condition = None if stop is None else parse_stop(network, stop)
        given = {name: network.parameters[name] for name in network.given_parameters}
        whole = network
        if added:
            whole = ReactionNetwork.build(
                network.species, (*network.reactions, *added), network.definitions, given, (), network.functions
            )
            jumps += range(n, n + len(added))
        return cls(
            whole,
            flows,
            np.array(drift, dtype=np.int64),
            np.array(jumps, dtype=np.int64),
            role,
            law,
            partition.astype(np.int64),
            condition,
            float(rtol),
        )

    def task(self, run_range, x0, t, *, size, rng, parameters=None):
        """Lay a simulation out as a `Task`; draws the key from `rng`."""
        if not isinstance(rng, np.random.Generator):
            raise ParameterError(
                f"rng is a numpy.random.Generator; {rng!r} came: write rng=np.random.default_rng(seed)"
            )
        size = check_whole("size", size, 1)
        times = check_times(t)
        starts = check_real_starts(self.network, x0, size, self.continuous)
        key = draw_key(rng)
        rows = check_parameters(self.network, parameters, size, rng)
        return Task(self.network, run_range, starts, times, size, key, rows, {"process": self})

    def arrays(self):
        """Return what kernels take: plain arrays, fresh and contiguous."""
        codes, operands = np.zeros(0, dtype=np.int64), np.zeros(0)
        if self.stop is not None:
            codes, operands = self.stop.program(self.network.species, list(self.network.parameters))
        return (
            self.drift.copy(),
            self.jumps.copy(),
            self.role.copy(),
            self.law.copy(),
            self.partition.copy(),
            codes,
            operands,
            np.array([self.rtol, 1e-3 * self.rtol]),
            # without a flow the hazard stands still between jumps, and nothing is to be integrated
            np.array([len(self.drift) == 0 and not self.network.uses_time and not self._stop_uses_time]),
        )

    @property
    def _stop_uses_time(self):
        return self.stop is not None and self.stop.uses_time

    def check(self, task, outcome):
        """Raise what a kernel reports; see `Task.check`."""
        status, path, j, value, x = outcome
        if status in (DONE, STOPPED):
            return
        at = ", ".join(f"{name}={v:.6g}" for name, v in zip(self.network.species, x, strict=False))
        if status == EVENT_LIMIT:
            raise PropensityError(
                f"path {path} needs more than max_events={task.options['max_events']} jumps; it stood at t={value:g} "
                f"with {at}. Do its rates grow without bound? Otherwise ask for a shorter time or raise max_events"
            )
        reaction = self.network.reactions[j]
        if status == BAD_PROPENSITY:
            what = "negative" if value < 0 else "not finite"
            kind = "rate of jumps" if j in self.jumps else "drift"
            message = f"the {kind} is {what} ({value:g}) at {at}; a rate of jumps is zero or more in every state"
        else:
            message = f"a jump leads below zero, to {at}; multiply the rate by what it takes, or write '->'"
        raise located(PropensityError(message), reaction.line, reaction.text)


def _is_number(value):
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value)


def _burst_laws(network, bursts):
    """Return the law of the size by reaction."""
    if bursts is None:
        return {}
    if not isinstance(bursts, Mapping):
        raise ParameterError(f'bursts maps reactions to sizes, as {{"0 => P": ("exponential", 0.2)}}; {bursts!r} came')
    equations = ["".join(reaction.equation.split()) for reaction in network.reactions]
    found = {}
    for text, size in bursts.items():
        here = [j for j, equation in enumerate(equations) if equation == "".join(str(text).split())]
        if not here:
            known = ", ".join(repr(reaction.equation) for reaction in network.reactions)
            raise ParameterError(f"bursts names {text!r}, which is no reaction of the network; it has {known}")
        for j in here:
            found[j] = _burst_law(size)
    return found


def _burst_law(size):
    kind, *values = size if isinstance(size, tuple | list) and len(size) else (None,)
    numbers = [float(value) for value in values if _is_number(value)]
    if len(numbers) == len(values):
        if kind == "exponential" and len(values) == 1 and numbers[0] > 0:
            return EXPONENTIAL, numbers[0], 0.0
        if kind == "gamma" and len(values) == 2 and min(numbers) > 0:
            return GAMMA, numbers[0], numbers[1] / numbers[0]
        if kind == "uniform" and len(values) == 2 and numbers[0] < numbers[1]:
            return UNIFORM, numbers[0], numbers[1]
        if kind == "fixed" and len(values) == 1:
            return FIXED, numbers[0], 0.0
    raise ParameterError(
        'a burst size is ("exponential", mean), ("gamma", shape, mean), ("uniform", low, high) or ("fixed", size); '
        f"{size!r} came"
    )


def _fill_partition(network, chosen, partition, flows):
    for name, how in chosen.items():
        if name not in network.species:
            near, known = suggest(str(name), network.species), ", ".join(network.species)
            raise ParameterError(
                f"partition names {name!r}, which is not a species of the network{near}; it has {known}"
            )
        i = network.species.index(name)
        if how not in _PARTITIONS or (how == "proportional") > flows[i] or (how == "binomial" and flows[i]):
            fit = "proportional" if flows[i] else "binomial"
            raise ParameterError(f'{name} is partitioned "{fit}", "equal", "copy" or "reset" at division; {how!r} came')
        partition[i] = EQUAL_COUNTS if how == "equal" and not flows[i] else _PARTITIONS[how]


def _channel(network, what, rate):
    """Return a reaction that changes nothing, whose rate is that of a division, growth or death."""
    try:
        expression = Expression.parse(str(rate), network.functions)
    except NetworkSyntaxError as error:
        raise NetworkSyntaxError(f"{what}={rate!r}: {error}") from None
    known = [*network.species, *network.parameters, *network.observables]
    for name in expression.names:
        if name not in known:
            raise ParameterError(
                f"{what}={rate!r}: {name!r} is neither a species, a parameter nor an observable of the network"
                f"{suggest(name, known)}; it has {', '.join(known)}"
            )
    empty = MappingProxyType({})
    return Reaction(empty, empty, expression.substitute(network.observables), False, 0, f"{what}={rate!r}")


def check_real_starts(network, x0, size, continuous):
    """Return starts as floats, one row for all or one for each; those of discrete species are counts."""
    if isinstance(x0, Mapping):
        for name in x0:
            if name not in network.species:
                near, known = suggest(str(name), network.species), ", ".join(network.species)
                raise ParameterError(f"{name!r} is not a species of the network{near}; it has {known}")
        columns = [np.asarray(x0.get(name, 0.0)) for name in network.species]
        if any(column.shape not in ((), (size,)) for column in columns):
            raise ParameterError(f"x0 gives one number a species, or one for each of {size} paths")
        rows = np.stack([np.broadcast_to(c, (size,) if any(d.ndim for d in columns) else (1,)) for c in columns], 1)
    else:
        rows = np.atleast_2d(np.asarray(x0))
        if rows.ndim != 2 or rows.shape[1] != len(network.species) or len(rows) not in (1, size):
            raise ParameterError(
                f"x0 has shape {np.shape(x0)}; give ({len(network.species)},) or ({size}, {len(network.species)}) for "
                f"{', '.join(network.species)}"
            )
    if rows.dtype.kind not in "iuf" or not np.all(np.isfinite(rows)) or np.any(rows < 0):
        raise ParameterError(f"starts are finite numbers of zero or more; {x0!r} came")
    rows = np.ascontiguousarray(rows, dtype=float)
    if np.any(rows[:, ~continuous] != np.floor(rows[:, ~continuous])):
        raise ParameterError(f"starts of discrete species are whole numbers; {x0!r} came")
    return rows


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
def _paths(
    low, starts, times, table, scale_rows, value_rows, key, process, max_events, counts, events, stop_times, stop
):
    """Simulate the paths low, low + 1, …; fills the last arrays but one, returns an outcome."""
    role, law, partition, codes, operands = process[2], process[3], process[4], process[5], process[6]
    n_species = starts.shape[1]
    n_times = times.shape[0]
    x = np.ones(n_species + 1)
    sister = np.ones(n_species + 1)
    work = np.empty((9, n_species + 1))
    stack = np.empty(MAX_STACK)
    for row in range(counts.shape[0]):
        path = low + row
        stream = start_stream(key, path)
        x[:n_species] = starts[row]
        if row == 0 or scale_rows.shape[0] > 1:
            rates = with_row(table, scale_rows[row], value_rows[row])
        now = times[0]
        step = 1e-3 * (times[-1] - now)
        fired = 0
        recorded = 0
        stopped = holds(codes, operands, x, value_rows[row if value_rows.shape[0] > 1 else 0], now, stack)
        while recorded < n_times:
            what, j = REACHED, 0
            if not stopped and now < times[recorded]:
                what, now, step, j, stream = advance(x, now, times[recorded], step, rates, process, work, stack, stream)
            if what == BAD:
                return BAD_PROPENSITY, path, j, now, x
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
                    stream = jump(x, j, role, law, rates, stream)
                for i in range(n_species):
                    if x[i] < 0.0:
                        return NEGATIVE_COUNT, path, j, now, x
                fired += 1
                if fired % _CHECK_EVERY == 0 and stop[0] != 0:
                    return STOPPED, path, 0, now, x
                if fired > max_events:
                    return EVENT_LIMIT, path, 0, now, x
            stopped = what == CONDITION or holds(codes, operands, x, rates[14], now, stack)
            if stopped:
                stop_times[row] = now
        if stopped and np.isnan(stop_times[row]):
            stop_times[row] = times[0]
        events[row] = fired
    return DONE, 0, 0, 0.0, x


@njit(cache=True, nogil=True, error_model="numpy")
def holds(codes, operands, x, parameters, now, stack):
    """Whether the condition holds; an empty program never does."""
    n = codes.shape[0]
    return n > 0 and run_program(codes, operands, 0, n, x, parameters, now, stack) != 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def advance(x, now, until, step, rates, process, work, stack, stream):
    """Follow the flow from `now` to the next event, or to `until`, or to where the condition begins to hold.

    Returns how it ended, the time, the next step, the event (for a bad rate: the reaction, and its value as the time)
    and the stream; `x` is the state there. Tomorrow's hazard does not depend on yesterday's: each call may draw anew.
    """
    drift, jumps, codes, operands, tolerance = process[0], process[1], process[5], process[6], process[7]
    n = x.shape[0] - 1
    new, probe = work[7], work[8]
    left, stream = next_exponential(stream)
    bad, value = flow(x, now, rates, drift, jumps, stack, work[0])
    if bad >= 0:
        return BAD, value, step, bad, stream
    if process[8][0]:
        waiting = left / work[0, n] if work[0, n] > 0.0 else np.inf
        if waiting >= until - now:
            return REACHED, until, step, 0, stream
        chosen, stream = _choose(x, now, rates, jumps, work[0, n], stack, stream)
        return EVENT, now + waiting, step, chosen, stream
    while True:
        last = step >= until - now
        h = until - now if last else step
        for s in range(1, 7):
            for i in range(n):
                total = 0.0
                for q in range(s):
                    total += (_A[s, q] if s < 6 else _B[q]) * work[q, i]
                new[i] = x[i] + h * total
            new[n] = 1.0
            bad, value = flow(new, now + (_C[s] if s < 6 else 1.0) * h, rates, drift, jumps, stack, work[s])
            if bad >= 0:
                break
        if bad >= 0:  # a trial state outside of what the rates allow, unless the step is as short as can be
            if h <= 1e-12 * max(1.0, abs(now)):
                return BAD, value, step, bad, stream
            step = 0.1 * h
            continue
        grown = 0.0
        for q in range(6):
            grown += h * _B[q] * work[q, n]
        error = 0.0
        for i in range(n + 1):
            part = 0.0
            for q in range(7):
                part += _E[q] * work[q, i]
            scale = 1.0 + grown if i == n else max(abs(x[i]), abs(new[i])) + tolerance[1] / tolerance[0]
            error = max(error, abs(h * part) / (tolerance[0] * scale))
        if error > 1.0 and h > 1e-13 * max(1.0, abs(now)):
            step = h * max(0.2, 0.9 * error**-0.2)
            continue
        if not last or error > 1e-4:
            step = h * (5.0 if error < 1e-4 else min(5.0, 0.9 * error**-0.2))
        end, what = 1.0, REACHED
        if grown >= left:
            end, what = _hazard_root(work, h, left), EVENT
            _dense(x, work, h, end, new)
        if holds(codes, operands, new, rates[14], now + end * h, stack):
            a, b = 0.0, end
            for _ in range(60):
                middle = 0.5 * (a + b)
                _dense(x, work, h, middle, probe)
                if holds(codes, operands, probe, rates[14], now + middle * h, stack):
                    b = middle
                else:
                    a = middle
            end, what = b, CONDITION
            _dense(x, work, h, end, new)
        x[:n] = new[:n]
        now = until if last and what == REACHED else now + end * h
        if what == REACHED and now < until:
            left -= grown
            work[0] = work[6]
            continue
        if what != EVENT:
            return what, now, step, 0, stream
        total = 0.0
        for i in range(jumps.shape[0]):
            total += propensity(jumps[i], x, now, rates, stack)
        chosen, stream = _choose(x, now, rates, jumps, total, stack, stream)
        return EVENT, now, step, chosen, stream


@njit(cache=True, nogil=True, error_model="numpy")
def _choose(x, now, rates, jumps, total, stack, stream):
    """Return the jump that happens, each in proportion to its rate."""
    u, stream = next_uniform(stream)
    target = u * total
    chosen = jumps[0]
    for i in range(jumps.shape[0]):
        a = propensity(jumps[i], x, now, rates, stack)
        if a > 0.0:
            chosen = jumps[i]
            if target < a:
                break
            target -= a
    return chosen, stream


@njit(cache=True, nogil=True, error_model="numpy")
def flow(x, now, rates, drift, jumps, stack, out):
    """Fill `out` with the velocity of each species and, last, the total rate of jumps.

    Returns a reaction with a bad rate, or -1, and that rate.
    """
    scale, shift, first, second, special = rates[0], rates[1], rates[2], rates[3], rates[4]  # faster than `propensity`
    change_start, change_species, change_count = rates[8], rates[9], rates[10]
    n = out.shape[0] - 1
    out[:] = 0.0
    for d in range(drift.shape[0]):
        j = drift[d]
        if special[j]:
            a = special_propensity(j, x, now, rates, stack)
        else:
            a = scale[j] * x[first[j]] * (x[second[j]] - shift[j])
        if not abs(a) < np.inf:
            return j, a
        for i in range(change_start[j], change_start[j + 1]):
            out[change_species[i]] += change_count[i] * a
    for d in range(jumps.shape[0]):
        j = jumps[d]
        if special[j]:
            a = special_propensity(j, x, now, rates, stack)
        else:
            a = scale[j] * x[first[j]] * (x[second[j]] - shift[j])
        if not (a >= 0.0 and a < np.inf):
            return j, a
        out[n] += a
    return -1, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _dense(x, work, h, s, out):
    """Fill `out` with the state at the part `s` of the step h."""
    for i in range(x.shape[0] - 1):
        total = 0.0
        for q in range(7):
            total += s * (_P[q, 0] + s * (_P[q, 1] + s * (_P[q, 2] + s * _P[q, 3]))) * work[q, i]
        out[i] = x[i] + h * total
    out[x.shape[0] - 1] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _hazard_root(work, h, target):
    """Return the part of the step at which the hazard has grown by `target`."""
    n = work.shape[1] - 1
    c0 = c1 = c2 = c3 = 0.0
    for q in range(7):
        c0 += _P[q, 0] * work[q, n]
        c1 += _P[q, 1] * work[q, n]
        c2 += _P[q, 2] * work[q, n]
        c3 += _P[q, 3] * work[q, n]
    low, high, s = 0.0, 1.0, 0.5
    for _ in range(100):  # Newton's steps, and halves where they lead outside
        value = h * s * (c0 + s * (c1 + s * (c2 + s * c3))) - target
        if value > 0.0:
            high = s
        else:
            low = s
        slope = h * (c0 + s * (2.0 * c1 + s * (3.0 * c2 + s * 4.0 * c3)))
        s_new = s - value / slope if slope > 0.0 else -1.0
        if not low < s_new < high:
            s_new = 0.5 * (low + high)
        if abs(s_new - s) < 1e-14:
            return s_new
        s = s_new
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def jump(x, j, role, law, rates, stream):
    """Change the state by reaction `j`; a burst multiplies the change by a random size."""
    change_start, change_species, change_count = rates[8], rates[9], rates[10]
    size = 1.0
    if role[j] == BURST:
        size, stream = draw(law[j], stream)
    for i in range(change_start[j], change_start[j + 1]):
        x[change_species[i]] += change_count[i] * size
    return stream


@njit(cache=True, nogil=True, error_model="numpy")
def draw(law, stream):
    """Draw from a law, its code and two numbers."""
    code, a, b = law[0], law[1], law[2]
    if code == FIXED:
        return a, stream
    if code == EXPONENTIAL:
        value, stream = next_exponential(stream)
        return a * value, stream
    if code == GAMMA:
        value, stream = next_gamma(a, stream)
        return b * value, stream
    if code == UNIFORM:
        value, stream = next_uniform(stream)
        return a + (b - a) * value, stream
    first, stream = next_gamma(a, stream)
    second, stream = next_gamma(b, stream)
    return first / (first + second), stream


@njit(cache=True, nogil=True, error_model="numpy")
def next_gamma(shape, stream):
    """Return a gamma number of scale 1, by Marsaglia & Tsang (2000, doi:10.1145/358407.358414)."""
    boost = 1.0
    if shape < 1.0:
        u, stream = next_uniform(stream)
        boost = (1.0 - u) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        z, stream = next_normal(stream)
        v = (1.0 + c * z) ** 3
        u, stream = next_uniform(stream)
        if v > 0.0 and np.log(1.0 - u) < 0.5 * z * z + d - d * v + d * np.log(v):
            return boost * d * v, stream


@njit(cache=True, nogil=True, error_model="numpy")
def divide(x, sister, law, partition, stream):
    """Turn `x` into the first daughter and `sister` into the second."""
    share, stream = draw(law, stream)
    for i in range(partition.shape[0]):
        how = partition[i]
        whole = x[i]
        if how == BINOMIAL:
            first = 0.0
            for _ in range(np.int64(whole)):
                u, stream = next_uniform(stream)
                if u < share:
                    first += 1.0
            x[i], sister[i] = first, whole - first
        elif how == PROPORTIONAL:
            x[i], sister[i] = share * whole, (1.0 - share) * whole
        elif how == EQUAL:
            x[i] = sister[i] = 0.5 * whole
        elif how == EQUAL_COUNTS:  # a molecule that is left over goes to either
            u, stream = next_uniform(stream)
            x[i] = np.floor(0.5 * whole + (0.5 if u < 0.5 else 0.0))
            sister[i] = whole - x[i]
        elif how == RESET:
            x[i] = sister[i] = 0.0
        else:
            sister[i] = whole
    return stream

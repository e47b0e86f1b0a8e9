"""A population of individuals that change inside, divide, grow in number and die: agent-based, of a fixed size.

Individuals are independent of each other, so that each is a jump-drift path (`jump_process.py`) that branches. When the
population has grown or shrunk it is drawn back to its size, and the factor is kept as the logarithm of a weight: the
numbers never overflow, and the growth rate is the slope of that logarithm.
"""

from dataclasses import dataclass, field

import numpy as np
from numba import njit

from acme_lib.arrays import freeze
from acme_lib.checks import check_times, check_whole, renamed
from acme_lib.cost import check_memory
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import MAX_STACK, suggest
from acme_lib.network.rates import with_row
from acme_lib.network.status import BAD_PROPENSITY, CROWDED, DONE, EVENT_LIMIT, NEGATIVE_COUNT, STOPPED
from acme_lib.random_stream import next_uniform, start_stream
from acme_lib.simulate.daughters import divide
from acme_lib.simulate.flow import BAD, EVENT, HALTED, WORK_ROWS, advance
from acme_lib.simulate.jump_process import DEATH, DIVISION, GROWTH, JumpProcess, jump
from acme_lib.simulate.run import run_task
from acme_lib.simulate.steps import must_stop
from acme_lib.simulate.task import Part

_CHECK_EVERY = 1024  # events between two looks at the stop flag
_ROOM = 8  # times the size: what may live between two drawings
_GROWTH = 0.4  # of the logarithm of the number, between two drawings


@dataclass(frozen=True)
class Population:
    """Populations at chosen times: replicates, each an independent sample of one growing population.

    Attributes
    ----------
    times : ndarray, shape (time,)
    individuals : ndarray, shape (replicate, time, individual, species)
    log_size : ndarray, shape (replicate, time)
        Logarithm of the number of descendants an individual at the start has on average; minus infinity where all died.
    network : ReactionNetwork
    seed : tuple of int
    """

    times: np.ndarray
    individuals: np.ndarray = field(repr=False)
    log_size: np.ndarray = field(repr=False)
    network: ReactionNetwork = field(repr=False)
    seed: tuple[int, ...] = field(repr=False)

    def __post_init__(self):
        freeze(self.times, self.individuals, self.log_size)

    def __getitem__(self, name):
        species = self.network.species
        if name not in species:
            raise ParameterError(
                f"{name!r} is not a species of this population{suggest(str(name), species)}: {', '.join(species)}"
            )
        return self.individuals[..., species.index(name)]

    def __repr__(self):
        replicates, times, size, _ = self.individuals.shape
        return f"Population of {replicates} × {size} individuals at {times} times of {', '.join(self.network.species)}"

    def growth_rate(self, start=None, end=None):
        """Return the growth rate of the number of individuals between two times, and its standard error.

        It is the mean over replicates of the slope of `log_size`; of a replicate of N individuals it has a bias of the
        order of 1/N. Start after the profile has settled.

        Parameters
        ----------
        start, end : float, optional
            Recorded times; by default the start of the simulation, at time 0, and the last recorded time.

        Returns
        -------
        value, stderr : float
        """
        at, low = (0.0, 0.0) if start is None else (self.times[self._time(start)], self.log_size[:, self._time(start)])
        j = len(self.times) - 1 if end is None else self._time(end)
        if not at < self.times[j]:
            raise ParameterError(f"the growth rate needs a start before its end, got {at:g} and {self.times[j]:g}")
        return _mean_of_replicates((self.log_size[:, j] - low) / (self.times[j] - at))

    def size(self, time):
        """Return the number of individuals for each at the start, and its standard error."""
        return _mean_of_replicates(np.exp(self.log_size[:, self._time(time)]))

    def mean(self, function, time):
        """Return the mean of a function of the individuals, or of a species, and its standard error over replicates.

        Parameters
        ----------
        function : str or callable
            A species, or ``function(population_at_time)`` of a mapping of species to arrays.
        time : float

        Returns
        -------
        value, stderr : float
        """
        k = self._time(time)
        if callable(function):
            values = function({name: self[name][:, k] for name in self.network.species})
        else:
            values = self[function][:, k]
        means = np.asarray(values, dtype=float).mean(axis=1)
        return _mean_of_replicates(means, np.exp(self.log_size[:, k] - self.log_size[:, k].max()))

    def profile(self, name, edges, time):
        """Return the density of a species over individuals in bins, and its standard error over replicates.

        Parameters
        ----------
        name : str
        edges : array_like, shape (bin + 1,)
        time : float

        Returns
        -------
        density, stderr : ndarray, shape (bin,)
        """
        k, edges = self._time(time), np.asarray(edges, dtype=float)
        values = self[name][:, k]
        rows = np.array([np.histogram(row, edges)[0] for row in values]) / (values.shape[1] * np.diff(edges))
        return _mean_of_replicates(rows, np.exp(self.log_size[:, k] - self.log_size[:, k].max()))

    def _time(self, time):
        k = int(np.argmin(np.abs(self.times - time)))
        if not abs(self.times[k] - time) <= 1e-9 * max(1.0, abs(time)):
            raise ParameterError(f"t={time!r} was not recorded; the times are {self.times}")
        return k


def _mean_of_replicates(rows, weights=None):
    """Return a weighted mean over the first axis and its standard error."""
    n = len(rows)
    weights = np.ones(n) if weights is None else weights
    shares = (weights / weights.sum()).reshape((n,) + (1,) * (rows.ndim - 1))
    mean = (shares * rows).sum(axis=0)
    if n < 2:
        return mean, np.full_like(mean, np.nan)
    error = np.sqrt(n / (n - 1) * (shares**2 * (rows - mean) ** 2).sum(axis=0))
    return (float(mean), float(error)) if rows.ndim == 1 else (mean, error)


@renamed(islands="replicates", rtol="tolerance")
def simulate_population(
    network,
    x0,
    t,
    *,
    continuous=(),
    bursts=None,
    division=None,
    growth=None,
    death=None,
    size=10_000,
    replicates=20,
    rng,
    threads=None,
    client=None,
    progress=None,
    tolerance=1e-6,
    max_events=1_000_000_000,
):
    r"""Simulate a population whose individuals change inside, divide, multiply and die, each by its own state.

    The number density :math:`q(x, t)` of a large population obeys the augmented master equation

    .. math::

        \partial_t q = L q + \bigl(G(x) - \mu(x)\bigr) q - B q + \int b(y, x)\, q(y)\, dy

    with the generator L of the network inside, growth G, death μ and divisions at the rate B. This is its stochastic
    counterpart: every individual is simulated exactly as by `simulate_jump_drift`, divisions keep both daughters.
    The population is drawn back to its size without favour whenever it has grown or shrunk by about a third, and the
    factor is kept in `Population.log_size`.

    Use to check a solver of selection, growth and division, and where no equation can be solved: many species inside
    each cell. `simulate_tree` gives every cell with its relatives, and divisions by volume, at the price of memory that
    grows with the population.

    Parameters
    ----------
    network : ReactionNetwork
        What happens inside an individual. A volume is a continuous species, such as ``0 => V : g*V``, and rates may use
        it: ``0 => M : k*V``.
    x0 : mapping of str to float or array_like, or array_like, shape (species,) or (size, species)
        One state, or one for each individual.
    t : float or array_like, shape (time,)
        Times that are recorded; the population starts at time 0.
    continuous, bursts, tolerance, threads, client, progress
        As in `simulate_jump_drift`.
    division : Hazard, optional
        Both daughters stay.
    growth : str, optional
        Rate at which an individual makes another like itself, such as ``"0.5*X"``.
    death : str, optional
        Rate at which it is lost.
    size : int
        Individuals, of all replicates.
    replicates : int
        Independent populations that share them; standard errors come from their spread. Each needs hundreds.
    rng : numpy.random.Generator
        The same seed gives the same population, whatever the number of threads.
    max_events : int
        A replicate that needs more is an error.

    Returns
    -------
    Population

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type, or the replicates are too many or too few.
    PropensityError
        As `simulate_jump_drift`; and if all individuals of a replicate die.

    Examples
    --------
    Cells that grow and divide uniformly, at a rate that rises with their volume: their number grows as their volume.

    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 => V : V")
    >>> rule = acme.Hazard("V**2", share="uniform")
    >>> rng = np.random.default_rng(1)
    >>> cells = acme.simulate_population(network, {"V": 1.0}, [0, 4, 8], continuous=["V"], division=rule, size=4000, rng=rng)
    >>> rate, error = cells.growth_rate(start=4)
    >>> bool(abs(rate - 1.0) < 5 * error < 0.1)
    True
    """  # noqa: E501
    size, replicates = check_whole("size", size, 2), check_whole("replicates", replicates, 1)
    if size % replicates or size // replicates < 2:
        raise ParameterError(
            f"size={size} individuals must fill replicates={replicates} alike, with two or more in each"
        )
    values = check_times(t).size * len(network.species) if isinstance(network, ReactionNetwork) else 0
    check_memory(8 * size * (values + 2), f"{size:,} individuals", "ask for fewer individuals or times")
    process = JumpProcess.build(
        "simulate_population", network, continuous, bursts=bursts, division=division, growth=growth, death=death,
        tolerance=tolerance,
    )  # fmt: skip
    task = process.task(_run_range, x0, t, size=size, rng=rng)
    starts = np.broadcast_to(task.starts, (size, task.starts.shape[1])) if len(task.starts) == 1 else task.starts
    options = {**task.options, "max_events": check_whole("max_events", max_events, 1), "founders": starts}
    # of a task with a row a replicate: what is cut into ranges are replicates
    task = type(task)(task.network, _run_range, task.starts[:1], task.times, replicates, task.key, {}, options)
    result = run_task(task, threads=threads, client=client, progress=progress)
    return Population(result.times, result.counts, result.extra["log_size"].copy(), network, result.seed)


def _run_range(task, low, high, stop):
    process, founders = task.options["process"], task.options["founders"]
    n = len(founders) // task.size
    individuals = np.empty((high - low, len(task.times), n, len(task.network.species)))
    log_size = np.empty((high - low, len(task.times)))
    events = np.zeros(high - low, dtype=np.int64)
    table, scale, values = task.rates_of(low, high)
    first = founders[low * n : high * n].reshape(high - low, n, -1).copy()
    outcome = _replicates(
        low, first, task.times.copy(), table, scale, values, task.key.copy(), process.arrays(),
        task.options["max_events"], individuals, log_size, events, stop,
    )  # fmt: skip
    if outcome[0] == CROWDED:
        raise PropensityError(
            f"the population grows more than {_ROOM} times within a moment at t={outcome[3]:g}, or dies out; bounded "
            "rates of division and growth do not do this: look at them, or take larger replicates"
        )
    process.check(task, outcome)
    return Part(low, high, individuals, events, {"log_size": log_size})


@njit(cache=True, nogil=True, error_model="numpy")
def _replicates(
    low, founders, times, table, scale_rows, value_rows, key, jumps, max_events, individuals, log_size, events, stop
):
    """Simulate the replicates low, low + 1, …; returns an outcome."""
    role, law, partition, flow = jumps.role, jumps.law, jumps.partition, jumps.flow
    n = founders.shape[1]
    n_species = founders.shape[2]
    rates = with_row(table, scale_rows[0], value_rows[0])
    room = _ROOM * n
    living = np.empty((n, n_species))
    later = np.empty((room, n_species))  # those that live at the end of an interval, from the front
    waiting = np.empty((room, n_species))  # newborn that are to be simulated, with their times
    born = np.empty(room)
    x = np.ones(n_species + 1)
    sister = np.ones(n_species + 1)
    work = np.empty((WORK_ROWS, n_species + 1))
    stack = np.empty(MAX_STACK)
    order = np.empty(room, dtype=np.int64)
    for row in range(founders.shape[0]):
        stream = start_stream(key, low + row)
        living[:, :] = founders[row]
        total, fired = 0.0, 0
        now = 0.0
        interval = 1e-12 * times[-1]  # doubled while little happens in it
        step = interval
        for k in range(times.shape[0]):
            while now < times[k]:
                end = times[k] if interval >= times[k] - now else now + interval
                n_later = 0
                for i in range(n):
                    n_waiting = 1
                    waiting[0] = living[i]
                    born[0] = now
                    while n_waiting > 0:
                        n_waiting -= 1
                        x[:n_species] = waiting[n_waiting]
                        at = born[n_waiting]
                        alive = True
                        while alive and at < end:
                            what, at, step, j, stream = advance(
                                x, at, end, step, rates, flow, work, stack, stream, stop
                            )
                            if what == BAD:
                                return BAD_PROPENSITY, low + row, j, at, x
                            if what == HALTED:
                                return STOPPED, low + row, 0, at, x
                            if what != EVENT:
                                break
                            fired += 1
                            if fired % _CHECK_EVERY == 0 and must_stop(stop, row, fired, now, times[-1]):
                                return STOPPED, low + row, 0, at, x
                            if fired > max_events:
                                return EVENT_LIMIT, low + row, 0, at, x
                            if role[j] == DEATH:
                                alive = False
                            elif role[j] == GROWTH or role[j] == DIVISION:
                                if role[j] == GROWTH:
                                    sister[:n_species] = x[:n_species]
                                else:
                                    stream = divide(x, sister, law[j], partition, stream)
                                if n_waiting == room:
                                    return CROWDED, low + row, j, at, x
                                waiting[n_waiting] = sister[:n_species]
                                born[n_waiting] = at
                                n_waiting += 1
                            else:
                                stream = jump(x, j, jumps, rates, stream)
                                for s in range(n_species):
                                    if x[s] < 0.0:
                                        return NEGATIVE_COUNT, low + row, j, at, x
                        if alive:
                            if n_later == room:
                                return CROWDED, low + row, 0, end, x
                            later[n_later] = x[:n_species]
                            n_later += 1
                if n_later == 0:
                    return CROWDED, low + row, 0, end, x
                if must_stop(stop, row, fired, end, times[-1]):
                    return STOPPED, low + row, 0, end, x
                factor = np.log(n_later / n)
                total += factor
                stream = _draw_back(later, n_later, living, order, stream)
                # the next interval follows from this one: it looks at the past only, and favours nobody
                change = max(abs(factor), 0.05 * _GROWTH)
                interval *= min(2.0, max(0.2, _GROWTH / change))
                now = end
            individuals[row, k] = living
            log_size[row, k] = total
        events[row] = fired
    return DONE, 0, 0, 0.0, x


@njit(cache=True, nogil=True)
def _draw_back(later, n_later, living, order, stream):
    """Fill `living` from the first rows of `later`: each is taken equally often on average, and nearly so in fact."""
    n = living.shape[0]
    copies = n // n_later
    at = 0
    for i in range(n_later):
        order[i] = i
        for _ in range(copies):
            living[at] = later[i]
            at += 1
    for i in range(n - at):  # the rest without replacement
        u, stream = next_uniform(stream)
        pick = i + np.int64(u * (n_later - i))
        order[i], order[pick] = order[pick], order[i]
        living[at] = later[order[i]]
        at += 1
    return stream

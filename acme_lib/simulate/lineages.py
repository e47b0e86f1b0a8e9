"""Growing and dividing cells: single lineages and whole trees.

Between divisions a cell is a trajectory like any other, whose volume is a known function of time; a generation of cells
is simulated at once. At division the molecules are partitioned between two daughters.
"""

import warnings

import numpy as np

from acme_lib.checks import check_choice, check_number, check_rng, check_times, check_whole, expected
from acme_lib.cost import check_memory, say_time
from acme_lib.errors import LargeProblemWarning, ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import Expression
from acme_lib.network.text import located
from acme_lib.processes.division import Adder, Sizer, Timer, check_division, check_drawn_share, check_partition
from acme_lib.random_stream import draw_key
from acme_lib.simulate.cells import CellTable, LineageEnsemble
from acme_lib.simulate.daughters import divide_counts
from acme_lib.simulate.run import run_task
from acme_lib.simulate.ssa_general import general_options, run_general_range
from acme_lib.simulate.task import Task, check_parameters, check_starts

_CELL = 100  # bytes of a cell that is kept, without its counts
_GENERATION_SECONDS, _CELL_SECONDS = 5e-4, 5e-6  # of a lineage, beside its events
_LONG = 600.0  # seconds of which nothing is said
_REDRAWS = 1000  # of a division volume that is below the volume at birth
_RULES = (Timer, Sizer, Adder)


def simulate_lineage(
    network,
    x0,
    t,
    *,
    division,
    growth_rate=None,
    growth="exponential",
    volume="V",
    birth_volume=None,
    size=1,
    rng,
    parameters=None,
    threads=None,
    client=None,
    max_events=1_000_000_000,
    **before,
):
    r"""Simulate lineages of growing and dividing cells exactly, following one daughter at each division.

    The volume of a cell born at :math:`t_b` is :math:`V(t) = V_b e^{g (t - t_b)}`, or :math:`V_b + g (t - t_b)`.
    At division the first daughter gets the share of the volume that `division` says, and each molecule with this
    probability, independently of the others, unless its `partition` says otherwise. Which daughter is followed is drawn
    at random, each with probability 1/2.

    Events of the network happen once in a line of descent: a daughter takes over what an event in her mother has set.

    Use for what a mother machine sees; `simulate_tree` keeps both daughters, as a growing population does.

    Parameters
    ----------
    network : ReactionNetwork
        Rates may use the volume by its name, such as ``0 => M : k*V``; its parameter `volume` then has the place of it,
        and the value of it is the volume of the first cells, unless `birth_volume` gives another.
    x0 : mapping of str to int, array_like of int, shape (species,) or (size, species)
        Counts of the first cells, which are new-born.
    t : float or array_like, shape (time,)
        Times at which counts and volumes are recorded; cells are born at time 0.
    division : Timer, Sizer or Adder
        When a cell divides, which part of it each daughter is, and what she gets of the molecules.
    growth_rate : float, optional
        The g above. A `Timer` takes ln 2/period by default, at which a volume that grows exponentially keeps its size.
    growth : {"exponential", "linear"}
    volume : str
        Name of the volume in the rates.
    birth_volume : float or array_like, shape (size,), optional
        Of the first cells; by default the network's parameter of that name, else the mean volume at birth that the
        division rule leads to (1 for a `Timer`).
    size : int
        Number of lineages.
    rng : numpy.random.Generator
        The same seed gives the same cells, whatever the number of threads.
    parameters : mapping of str to array_like, shape (size,), or callable, optional
        Parameters that differ between lineages and that daughters inherit; see `simulate_ssa`.
    threads, client, max_events
        As for `simulate_ssa`; `max_events` is for each cell.

    Returns
    -------
    LineageEnsemble

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type.

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 => P : k*V", k=20, V=1)
    >>> rule = acme.Adder(1.0, cv=0.1)
    >>> rng = np.random.default_rng(1)
    >>> acme.simulate_lineage(network, {}, [0, 5, 9], division=rule, growth_rate=0.7, size=4, rng=rng).counts.shape
    (4, 3, 1)
    """
    _refuse_before("simulate_lineage", division, before)
    times = check_times(t)
    colony = _Colony(
        "simulate_lineage", network, x0, division, growth_rate, growth, volume, birth_volume, size, rng, parameters,
        threads, client, max_events,
    )  # fmt: skip
    colony.say_cost(times[-1])
    counts = np.empty((colony.size, len(times), len(network.species)), dtype=np.int64)
    volumes = np.empty((colony.size, len(times)))
    cells = colony.founders()
    while len(cells["founder"]):
        cells = colony.grow(cells, times[-1], times)
        for row, founder in enumerate(cells["founder"]):
            inside = (times >= cells["birth_time"][row]) & (times < cells["end_time"][row])
            inside |= (times == cells["end_time"][row]) & ~cells["divided"][row]
            counts[founder, inside] = cells["counts"][row, 1 : 1 + inside.sum()]
            volumes[founder, inside] = colony.volume_of(cells, row, times[inside])
        cells = colony.divide(cells, both=False)
    return LineageEnsemble(times, counts, volumes, colony.table())


def simulate_tree(
    network,
    x0,
    t=None,
    *,
    generations=None,
    division,
    growth_rate=None,
    growth="exponential",
    volume="V",
    birth_volume=None,
    size=1,
    rng,
    parameters=None,
    threads=None,
    client=None,
    max_events=1_000_000_000,
    max_cells=1_000_000,
    **before,
):
    r"""Simulate whole trees of growing and dividing cells exactly, up to a time or for a number of generations.

    Use where both daughters matter: for correlations between relatives, and for a population in which cells that divide
    early have more descendants than a single lineage would show.

    Parameters
    ----------
    network, x0, division, growth_rate, growth, volume, birth_volume, size, rng, parameters, threads, client, max_events
        As for `simulate_lineage`; `size` trees are grown.
    t : float, optional
        The end of the simulation, which begins at time 0; the cells that live then have it as their end.
    generations : int, optional
        Instead of `t`: all cells up to this generation are simulated until they divide, ``2**(generations + 1) - 1`` a tree.
    max_cells : int
        More cells are an error, not a full memory.

    Returns
    -------
    CellTable

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type, or there are too many cells.

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 -> P : k", k=20)
    >>> acme.simulate_tree(network, {}, generations=3, division=acme.Timer(1.0), rng=np.random.default_rng(1))
    CellTable of 15 cells from 1 (generations 0 … 3; 15 divided)
    """  # noqa: E501
    _refuse_before("simulate_tree", division, before)
    if (t is None) == (generations is None):
        raise ParameterError("give either t, the end of the simulation, or generations")
    end = np.inf if t is None else check_number("t, the end,", t, least=0)
    last = None if generations is None else check_whole("generations", generations, 0)
    max_cells = check_whole("max_cells", max_cells, 1)
    colony = _Colony(
        "simulate_tree", network, x0, division, growth_rate, growth, volume, birth_volume, size, rng, parameters,
        threads, client, max_events,
    )  # fmt: skip
    if t is None or (isinstance(division, Timer) and division.cv == 0):  # how many there will be is known
        first = (max_cells // colony.size + 1).bit_length() - 1  # generation with which there are too many
        if first <= (last if t is None else end // division.period):
            raise _too_many_cells(max_cells, first)
    cells, generation = colony.founders(), 0
    while len(cells["founder"]):
        if colony.n_cells + len(cells["founder"]) > max_cells:
            raise _too_many_cells(max_cells, generation)
        cells = colony.grow(cells, end)
        if generation == last:
            colony.divide(cells, both=True)
            break
        cells = colony.divide(cells, both=True)
        generation += 1
    return colony.table()


def _too_many_cells(max_cells, generation):
    return ParameterError(
        f"more than max_cells={max_cells} cells in generation {generation}; simulate a shorter time or fewer "
        "generations, or raise max_cells"
    )


def _refuse_before(who, division, before):
    """Refuse arguments that now belong to the division, and those of other simulators."""
    for name, value in before.items():
        if name in ("bursts", "continuous"):
            raise ParameterError(f"{who} takes no {name}: use simulate_jump_drift or simulate_population")
        if name not in ("share", "partition"):
            raise TypeError(f"{who}() got an unexpected keyword argument {name!r}")
        value = f"FixedFraction({value!r})" if name == "share" else repr(value).replace("'copy'", "'copied'")
        rule = type(division).__name__ if isinstance(division, _RULES) else "Adder"
        raise ParameterError(f"{who}: {name} is now part of the division: write division={rule}(…, {name}={value})")


class _Colony:
    """The cells of a simulation, generation by generation.

    A generation is a dictionary of arrays, a cell a row.
    """

    def __init__(
        self, who, network, x0, division, growth_rate, growth, volume, birth_volume, size, rng, parameters, threads,
        client, max_events,
    ):  # fmt: skip
        if not isinstance(network, ReactionNetwork):
            raise expected("network", "a ReactionNetwork", network, "see ReactionNetwork.parse")
        check_division(division, _RULES, who)
        check_drawn_share(division.share, who)
        check_choice("growth", growth, ("exponential", "linear"))
        check_rng(rng)
        if growth_rate is None:
            if not isinstance(division, Timer) or growth != "exponential":
                raise ParameterError(
                    "growth_rate is missing; only a Timer with exponential growth has a rate of its own"
                )
            growth_rate = np.log(2.0) / division.period
        self.size = check_whole("size", size, 1)
        check_memory((_CELL + 32 * len(network.species)) * self.size, f"{self.size:,} cells", "ask for fewer")
        self.growth_rate = check_number("growth_rate", growth_rate, above=0)
        self.network, self.division, self.growth = network, division, growth
        self.partition = tuple(check_partition(division.partition, dict.fromkeys(network.species, "count")).values())
        self.starts = np.broadcast_to(check_starts(network, x0, self.size), (self.size, len(network.species))).copy()
        self.birth_volumes = self._first_volumes(volume, birth_volume)
        self.rng, self.threads, self.client = rng, threads, client
        key = draw_key(rng)
        self.seed = tuple(int(word) for word in key)
        self.rows = check_parameters(network, parameters, self.size, rng)
        if volume in self.rows:
            raise ParameterError(f"{volume} is the volume and cannot be a parameter by lineage; give birth_volume")
        self.grown, self.birth_names = _with_volume(network, volume, self.growth_rate, growth)
        self.options = {
            "max_events": check_whole("max_events", max_events, 1),
            **general_options(self.grown, None, "counts"),
        }
        self.done = []
        self.n_cells = 0

    def _first_volumes(self, volume, birth_volume):
        if birth_volume is None:
            if volume in self.network.parameters:
                birth_volume = self.network.parameters[volume]
            elif isinstance(self.division, Timer):
                birth_volume = 1.0
            else:
                birth_volume = self.division.volume * (0.5 if isinstance(self.division, Sizer) else 1.0)
        volumes = np.asarray(birth_volume, dtype=float)
        if volumes.shape not in ((), (self.size,)) or not np.all((volumes > 0) & np.isfinite(volumes)):
            raise ParameterError(
                f"birth_volume must be a positive number, or one for each of {self.size} cells, got {birth_volume!r}"
            )
        return np.broadcast_to(volumes, (self.size,)).copy()

    def say_cost(self, end):
        """Refuse or announce what lineages to a time cost, by their mean number of generations."""
        rule = self.division
        if isinstance(rule, Timer):
            life = rule.period
        elif self.growth == "exponential":
            life = np.log(2.0) / self.growth_rate
        else:
            life = rule.volume * (0.5 if isinstance(rule, Sizer) else 1.0) / self.growth_rate
        generations = end / life
        cells = f"lineages of about {generations:.2g} generations"
        per_cell = _CELL + 32 * len(self.network.species)
        check_memory(per_cell * generations * self.size, cells, "ask for fewer, or a shorter time")
        seconds = generations * (_GENERATION_SECONDS + _CELL_SECONDS * self.size)
        if seconds > _LONG:
            warnings.warn(
                f"{cells} take about {say_time(seconds)}; interrupt (Ctrl-C) to stop", LargeProblemWarning, stacklevel=3
            )

    def founders(self):
        """Return generation 0."""
        changing, parameters = self.grown.changing_parameters, {**self.grown.parameters, **self.rows}
        changed = [np.broadcast_to(parameters[name], self.size) for name in changing]
        return {
            "parent": np.full(self.size, -1, dtype=np.int64),
            "founder": np.arange(self.size),
            "generation": np.zeros(self.size, dtype=np.int64),
            "birth_time": np.zeros(self.size),
            "birth_volume": self.birth_volumes,
            "birth_counts": self.starts,
            "held": np.repeat(self.options["conditions"].table.initially[None, :], self.size, axis=0),
            "changed": np.array(changed, dtype=float).reshape(len(changing), self.size).T.copy(),
        }

    def grow(self, cells, end, times=None):
        """Simulate a generation until its cells divide or the simulation ends; `times` are recorded on the way."""
        n = len(cells["founder"])
        birth = cells["birth_time"]
        division_time = birth + self._lifetimes(cells["birth_volume"])
        divided = division_time <= end
        end_time = np.where(divided, division_time, end)
        # each cell's own times: its birth, the times to be recorded while it lives, and its end, as often as needed
        rows = np.repeat(end_time[:, None], 2, axis=1)
        if times is not None:
            low, high = np.searchsorted(times, birth), np.searchsorted(times, end_time)
            rows = np.repeat(end_time[:, None], 2 + (high - low).max(), axis=1)
            for i in range(n):
                rows[i, 1 : 1 + high[i] - low[i]] = times[low[i] : high[i]]
        rows[:, 0] = birth
        parameters = {name: values[cells["founder"]] for name, values in self.rows.items()}
        if self.birth_names:
            parameters |= dict(zip(self.birth_names, (cells["birth_volume"], birth), strict=True))
        key = draw_key(self.rng)
        # an event that has happened in the mother does not happen again in her daughters, who keep what it set
        options = {**self.options, "time_rows": rows, "held": cells["held"], "changed": cells["changed"]}
        task = Task(
            self.grown,
            run_general_range,
            cells["birth_counts"],
            np.arange(float(rows.shape[1])),
            n,
            key,
            parameters,
            options,
        )
        ensemble = run_task(task, threads=self.threads, client=self.client, progress=False)
        return cells | {
            "end_time": end_time,
            "divided": divided,
            "end_volume": self._grown(cells["birth_volume"], end_time - birth),
            "end_counts": ensemble.counts[:, -1],
            "counts": ensemble.counts,
            "held": ensemble.extra["held"],
            "changed": ensemble.extra["parameter_values"][:, -1],
        }

    def volume_of(self, cells, row, times):
        """Return the volume of a cell at times."""
        return self._grown(cells["birth_volume"][row], times - cells["birth_time"][row])

    def divide(self, cells, both):
        """Keep a generation, and return the next one: both daughters of each cell that divided, or either."""
        self.done.append({name: values for name, values in cells.items() if name not in ("counts", "held", "changed")})
        mothers = np.flatnonzero(cells["divided"])
        counts = cells["end_counts"][mothers]
        shares = self.division.share.draw(len(mothers), self.rng)
        first, second = divide_counts(counts, shares, self.partition, self.rng)
        if both:
            which, shares = np.repeat(mothers, 2), np.repeat(shares, 2)
            is_first = np.tile([True, False], len(mothers))
            birth_counts = np.stack([first, second], axis=1).reshape(-1, counts.shape[1])
        else:
            which = mothers
            is_first = self.rng.random(len(mothers)) < 0.5
            birth_counts = np.where(is_first[:, None], first, second)
        share = np.where(is_first, shares, 1.0 - shares)
        parent = self.n_cells + which
        self.n_cells += len(cells["founder"])
        return {
            "parent": parent,
            "founder": cells["founder"][which],
            "generation": cells["generation"][which] + 1,
            "birth_time": cells["end_time"][which],
            "birth_volume": cells["end_volume"][which] * share,
            "birth_counts": birth_counts,
            "held": cells["held"][which],
            "changed": cells["changed"][which],
        }

    def table(self):
        """Return all cells."""

        def joined(name):
            return np.concatenate([cells[name] for cells in self.done])

        return CellTable(
            self.network,
            joined("parent"),
            joined("founder"),
            joined("generation"),
            joined("birth_time"),
            joined("end_time"),
            joined("divided"),
            joined("birth_volume"),
            joined("end_volume"),
            joined("birth_counts"),
            joined("end_counts"),
            self.seed,
        )

    def _lifetimes(self, birth_volumes):
        if isinstance(self.division, Timer):
            return self._draw(self.division.period, len(birth_volumes))
        targets = self._draw(self.division.volume, len(birth_volumes))
        if isinstance(self.division, Adder):
            targets += birth_volumes
        for _ in range(_REDRAWS):
            small = np.flatnonzero(targets <= birth_volumes)
            if len(small) == 0:
                break
            targets[small] = self._draw(self.division.volume, len(small))
        else:
            raise ParameterError(
                f"a cell is born with the volume {birth_volumes[small[0]]:g}, larger than the volume at division "
                f"{self.division.volume:g}; begin with smaller cells or take an Adder"
            )
        if self.growth == "exponential":
            return np.log(targets / birth_volumes) / self.growth_rate
        return (targets - birth_volumes) / self.growth_rate

    def _draw(self, mean, n):
        cv = self.division.cv
        return self.rng.gamma(1 / cv**2, mean * cv**2, n) if cv > 0 else np.full(n, float(mean))

    def _grown(self, volumes, ages):
        if self.growth == "exponential":
            return volumes * np.exp(self.growth_rate * ages)
        return volumes + self.growth_rate * ages


def _with_volume(network, volume, growth_rate, growth):
    """Return the network with the volume as a function of time, and the names of volume and time of birth in it.

    Where no rate uses the volume, the network stays as it is and there are no names.
    """
    for definition in network.definitions:
        if volume in definition.value.names and definition.name not in network.observables:
            error = ParameterError(
                f"{definition.name} is a constant, and the volume {volume} grows; put the expression into the rates"
            )
            raise located(error, definition.number, definition.text)
    network.refuse_change(volume, "it cannot be the volume, which grows with the cell")
    expressions = [reaction.rate for reaction in network.reactions]
    expressions += [expression for event in network.events for expression in event.expressions]
    if not any(volume in expression.names for expression in expressions):
        return network, ()
    taken = {*network.species, *network.parameters, *network.observables}
    names = []
    for ending in ("birth", "time"):
        name = f"{volume}_{ending}"
        while name in taken:
            name += "_"
        names.append(name)
    age = f"{growth_rate!r}*(t - {names[1]})"
    grown = Expression.parse(f"{names[0]}*exp({age})" if growth == "exponential" else f"{names[0]} + {age}")
    return network.replace_parameter(volume, grown, **{names[0]: 1.0, names[1]: 0.0}), tuple(names)

"""What is to be simulated, as plain data: it can be cut into ranges of trajectories and sent to another process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from acme_lib.checks import check_rng, check_times, check_whole, expected
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import suggest
from acme_lib.network.status import BAD_PROPENSITY, DONE, EVENT_LIMIT, NEGATIVE_COUNT, STOPPED
from acme_lib.network.text import located
from acme_lib.random_stream import draw_key
from acme_lib.simulate.record import PartRecord


@dataclass(frozen=True)
class Task:
    """An ensemble to simulate.

    Attributes
    ----------
    network : ReactionNetwork
    run_range : callable
        ``run_range(task, low, high, stop)`` simulates trajectories low … high-1 and returns a `Part`; a function of a
        module, so that it can be sent by name. It releases the GIL, notes in ``stop`` how far it is (`new_flag` of
        `pace.py`), and returns soon after ``stop[0]`` becomes 1.
    starts : ndarray, shape (1 or size, species)
    times : ndarray, shape (time,)
        At which the state is recorded; everything starts at time 0.
    size : int
    key : ndarray of uint64, shape (4,)
        Of the random streams; trajectory i has stream i.
    parameters : mapping of str to ndarray, shape (size,)
        Parameters that differ between trajectories.
    options : mapping
        What the method needs besides.
    """

    network: ReactionNetwork
    run_range: Callable
    starts: np.ndarray
    times: np.ndarray
    size: int
    key: np.ndarray
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    options: Mapping = field(default_factory=dict)

    def starts_of(self, low, high):
        """Return the start states of a range, shape (high - low, species)."""
        # always fresh and contiguous: kernels are compiled once, for one kind of array
        return np.repeat(self.starts, high - low, axis=0) if len(self.starts) == 1 else self.starts[low:high].copy()

    def rates_of(self, low, high):
        """Return what a kernel needs of the rates of a range.

        Returns
        -------
        table : RateTable
        scale : ndarray, shape (1 or high - low, reaction)
            One row a trajectory where parameters differ, else one for all; replaces ``table.scale``.
        values : ndarray, shape (1 or high - low, parameter)
            Likewise; replaces ``table.parameters``.
        """
        table = self.network.rate_table
        if not self.parameters:
            return table, table.scale[None, :].copy(), table.parameters[None, :].copy()
        rows = {name: values[low:high] for name, values in self.parameters.items()}
        scale, values = self.network.rate_rows(rows, high - low)
        return table, scale, values

    def arguments_of(self, low, high):
        """Return what every kernel begins with: ``starts, times, table, scale, values, key``."""
        table, scale, values = self.rates_of(low, high)
        # from another process times and key come read-only, which is another type to numba
        return self.starts_of(low, high), self.times.copy(), table, scale, values, self.key.copy()

    def check(self, outcome):
        """Raise what a kernel reports.

        `outcome` is its status (`acme_lib.network.status`), trajectory, reaction, value and state.
        """
        status, trajectory, reaction, value, state = outcome
        if status in (DONE, STOPPED):
            return
        network = self.network
        if self.parameters:
            network = network.with_parameters(**{name: v[trajectory] for name, v in self.parameters.items()})
        if status == BAD_PROPENSITY:
            raise network.propensity_error(reaction, value, state)
        if status == NEGATIVE_COUNT:
            raise network.shortage_error(reaction, state)
        if status != EVENT_LIMIT:
            raise RuntimeError(f"a kernel ended with the unknown status {status}: please report this")
        # kernels keep an entry 1 behind the counts, so that the state may be longer than the species
        at = ", ".join(f"{name}={n:.0f}" for name, n in zip(network.species, state, strict=False))
        name = "max_events" if "max_events" in self.options else "max_steps"
        limit, what = self.options[name], name.removeprefix("max_")
        raise PropensityError(
            f"trajectory {trajectory} needs more than {name}={limit} {what}; it stood at t={value:g} with {at}. "
            f"Does the network grow without bound? Otherwise ask for a shorter time or raise {name}"
        )


@dataclass(frozen=True)
class Part:
    """Trajectories low … high-1 of a task.

    Attributes
    ----------
    low, high : int
    counts : ndarray, shape (high - low, time, species)
    events : ndarray of int64, shape (high - low,)
        Reactions that fired.
    extra : mapping of str to ndarray
        Further results of a method, a row a trajectory.
    record : PartRecord or None
        Every event of the range, where they are kept.
    """

    low: int
    high: int
    counts: np.ndarray
    events: np.ndarray
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    record: PartRecord | None = None


def make_task(run_range, network, x0, t, *, size, rng, parameters=None, **options):
    """Validate what a caller gave and lay it out as a `Task`; draws the key from `rng`."""
    if not isinstance(network, ReactionNetwork):
        raise expected("network", "a ReactionNetwork", network, "see ReactionNetwork.parse")
    size = check_whole("size", size, 1)
    times = check_times(t)
    starts = check_starts(network, x0, size)
    network.warn_of_empty_sums(starts)
    key = draw_key(check_rng(rng))
    rows = check_parameters(network, parameters, size, rng)
    return Task(network, run_range, starts, times, size, key, rows, options)


def refuse_time(network, method):
    """Raise an error that shows the first event, or the first rate that depends on the time: `method` takes neither."""
    network.refuse_events(method)
    if network.uses_time:
        line = next(r for r in network.reactions if r.rate.uses_time)
        raise located(
            ParameterError(f"this rate depends on the time t, and {method} takes rates as constant in time"),
            line.line,
            line.text,
        )


def check_starts(network, x0, size):
    """Return the start counts as an int64 array with one row for all trajectories, or one for each."""
    if np.ndim(x0) == 2 and not isinstance(x0, Mapping):
        if len(x0) != size:
            raise ParameterError(f"x0 has {len(x0)} rows and size is {size}; give one row a trajectory, or one state")
        return np.array([network.state(row) for row in x0])
    return network.state(x0)[None, :]


def check_parameters(network, parameters, size, rng):
    """Return parameters that differ between trajectories, each as an array of `size` finite numbers.

    A callable is a sampler: ``parameters(rng, size)`` returns the mapping.
    """
    if parameters is None:
        return {}
    if callable(parameters):
        parameters = parameters(rng, size)
    if not isinstance(parameters, Mapping):
        raise expected(
            "parameters",
            "a mapping of names to one number a trajectory, or a function (rng, size) that returns such a mapping",
            parameters,
        )
    rows = {}
    for name, values in parameters.items():
        if name not in network.given_parameters:
            near = suggest(str(name), network.given_parameters)
            known = ", ".join(network.given_parameters) or "none"
            raise ParameterError(f"{name!r} is not a parameter of the network{near}; it has {known}")
        row = np.asarray(values, dtype=float)
        if row.shape != (size,) or not np.all(np.isfinite(row)):
            came = f"shape {row.shape}" if row.shape != (size,) else "numbers that are not finite"
            raise ParameterError(
                f"the parameter {name} must be one finite number for each of {size} trajectories, shape ({size},), "
                f"got {came}"
            )
        rows[name] = row
    if rows:
        network.rate_rows(rows, size)  # refuses negative rates before the run
    return rows

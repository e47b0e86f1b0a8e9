"""The result of a simulation: an ensemble of trajectories that knows its species, times and network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from acme_lib.arrays import freeze, freeze_fields
from acme_lib.errors import ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import suggest
from acme_lib.simulate.stop_summary import need_stop_times, summarise_stops
from acme_lib.simulate.storage import Result, to_dataset, to_table


@dataclass(frozen=True)
class Ensemble(Result):
    """Trajectories of a network at chosen times.

    Attributes
    ----------
    times : ndarray, shape (time,)
        In the network's unit of time.
    counts : ndarray of int64, shape (trajectory, time, species)
        Molecules; floats from `simulate_langevin`. Read-only.
    network : ReactionNetwork
    events : ndarray of int64, shape (trajectory,)
        Reactions that fired up to the last time.
    seed : tuple of int
        The key of the random streams, as drawn from the generator.
    parameters : mapping of str to ndarray, shape (trajectory,)
        Parameters that differ between trajectories.
    extra : mapping of str to ndarray
        Further results of a method, a row a trajectory.

    Examples
    --------
    ``ensemble["P"]`` is the array of protein counts, shape (trajectory, time). An observable of the network, such as
    the variable of an assignment rule in SBML, is had by its name in the same way, and so is a parameter that events
    set.
    """

    times: np.ndarray
    counts: np.ndarray = field(repr=False)
    network: ReactionNetwork = field(repr=False)
    events: np.ndarray = field(repr=False)
    seed: tuple[int, ...] = field(repr=False)
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    extra: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        freeze_fields(self)
        freeze(*self.parameters.values(), *self.extra.values())

    @property
    def species(self):
        """Names of the species, in the order of the last axis of `counts`."""
        return self.network.species

    @property
    def stop_times(self):
        """When each trajectory met the stop condition, shape (trajectory,); not a number where it did not."""
        return need_stop_times(self.extra.get("stop_times"))

    @property
    def censored(self):
        """Whether each trajectory ended without meeting the stop condition, shape (trajectory,)."""
        return np.isnan(self.stop_times)

    def summarise_stops(self):
        """Return the `StopSummary` of the stop times."""
        return summarise_stops(self.stop_times, self.times[-1])

    def __getitem__(self, name):
        if name in self.network.observables:
            rows = {parameter: values[:, None] for parameter, values in self.parameters.items()}
            rows |= {parameter: self[parameter] for parameter in self.network.changing_parameters}
            return self.network.observable(name, self.counts, self.times, parameters=rows)
        if name in self.network.changing_parameters:
            return self.extra["parameter_values"][:, :, self.network.changing_parameters.index(name)]
        if name not in self.species:
            known = [*self.species, *self.network.observables, *self.network.changing_parameters]
            raise ParameterError(
                f"{name!r} is not a species of this ensemble{suggest(str(name), known)}: {', '.join(known)}"
            )
        return self.counts[:, :, self.species.index(name)]

    def __len__(self):
        return len(self.counts)

    def __repr__(self):
        span = f"t = {self.times[0]:g} … {self.times[-1]:g}"
        return f"Ensemble of {len(self)} trajectories at {len(self.times)} times ({span}) of {', '.join(self.species)}"

    def to_pandas(self):
        """Return a `pandas.DataFrame`: a row for each trajectory and time, a column for each species and observable."""
        index = {"trajectory": np.repeat(np.arange(len(self)), len(self.times)), "time": np.tile(self.times, len(self))}
        return to_table({name: self[name].ravel() for name in self._names()}, index)

    def to_xarray(self):
        """Return an `xarray.Dataset`: a variable for each species and observable, over trajectory and time."""
        variables = {name: (("trajectory", "time"), self[name]) for name in self._names()}
        rows = {name: ("trajectory", values) for name, values in self.parameters.items()}
        return to_dataset(variables, {"time": self.times, **rows}, network=self.network, seed=self.seed)

    def _names(self):
        return [*self.species, *self.network.observables]

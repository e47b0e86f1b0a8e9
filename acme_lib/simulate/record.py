"""Every event of an ensemble: when which reaction fired."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from acme_lib.arrays import freeze, freeze_fields
from acme_lib.checks import expected
from acme_lib.errors import ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.simulate.stop_summary import need_stop_times, summarise_stops
from acme_lib.simulate.storage import Result, to_table

MAX_RECORDED = 100_000_000  # events of an ensemble: 1.2 GB


@dataclass(frozen=True)
class PartRecord:
    """The events of a range of trajectories; the attributes are those of `EventRecord`."""

    starts: np.ndarray
    times: np.ndarray
    reactions: np.ndarray
    jumps: np.ndarray
    offsets: np.ndarray
    jump_offsets: np.ndarray

    @classmethod
    def empty(cls, starts, room):
        """Return a record with room for so many events, to be filled by a kernel."""
        rows, n_species = starts.shape
        return cls(
            starts,
            np.empty(room),
            np.empty(room, dtype=np.int32),
            np.empty((-(-room // 16), n_species), dtype=np.int64),
            np.zeros(rows + 1, dtype=np.int64),
            np.zeros(rows + 1, dtype=np.int64),
        )

    def with_room(self, room):
        """Return the same record with room for more events."""
        if room > 4 * MAX_RECORDED:
            raise _too_many_events()
        longer = PartRecord.empty(self.starts, room)
        for name in ("times", "reactions", "jumps"):
            array = getattr(self, name)
            getattr(longer, name)[: len(array)] = array
        longer.offsets[:] = self.offsets
        longer.jump_offsets[:] = self.jump_offsets
        return longer

    def trimmed(self):
        """Return a copy without the room that was not used."""
        n_events, n_jumps = self.offsets[-1], self.jump_offsets[-1]
        return replace(
            self,
            times=self.times[:n_events].copy(),
            reactions=self.reactions[:n_events].copy(),
            jumps=self.jumps[:n_jumps].copy(),
        )


@dataclass(frozen=True)
class EventRecord(Result):
    """Every event of every trajectory.

    The events of trajectory i are those from ``offsets[i]`` up to ``offsets[i+1]``; see `times_of`, `reactions_of` and
    `states_of`.

    Attributes
    ----------
    network : ReactionNetwork
    start, end : float
        Times between which the trajectories were simulated.
    starts : ndarray of int64, shape (trajectory, species)
        Counts at the start.
    offsets : ndarray of int64, shape (trajectory + 1,)
    times : ndarray, shape (event,)
    reactions : ndarray of int32, shape (event,)
        Index of the reaction; with R reactions, R + k is event k of the network.
    jumps : ndarray of int64, shape (firing, species)
        The change that each firing of an event of the network made, in order.
    jump_offsets : ndarray of int64, shape (trajectory + 1,)
        Likewise.
    seed : tuple of int
    parameters : mapping of str to ndarray, shape (trajectory,)
        Parameters that differ between trajectories.
    extra : mapping of str to ndarray
        Further results, a row a trajectory.
    """

    network: ReactionNetwork = field(repr=False)
    start: float
    end: float
    starts: np.ndarray = field(repr=False)
    offsets: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    reactions: np.ndarray = field(repr=False)
    jumps: np.ndarray = field(repr=False)
    jump_offsets: np.ndarray = field(repr=False)
    seed: tuple[int, ...] = field(repr=False)
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    extra: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)
        freeze(*self.parameters.values(), *self.extra.values())

    def __len__(self):
        return len(self.starts)

    def __repr__(self):
        span = f"t = {self.start:g} … {self.end:g}"
        species = ", ".join(self.network.species)
        return f"EventRecord of {len(self.times)} events in {len(self)} trajectories ({span}) of {species}"

    @property
    def species(self):
        """Names of the species."""
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
        return summarise_stops(self.stop_times, self.end)

    def times_of(self, trajectory):
        """Return the times of the events of a trajectory, shape (event,)."""
        return self.times[self._slice(trajectory)]

    def reactions_of(self, trajectory):
        """Return the reactions of the events of a trajectory, shape (event,)."""
        return self.reactions[self._slice(trajectory)]

    def states_of(self, trajectory):
        """Return the counts at the start and after each event of a trajectory, shape (event + 1, species)."""
        reactions = self.reactions_of(trajectory)
        n_reactions = len(self.network.reactions)
        states = np.empty((len(reactions) + 1, len(self.species)), dtype=np.int64)
        states[0] = self.starts[trajectory]
        is_jump = reactions >= n_reactions
        states[1:] = self.network.stoichiometry[np.where(is_jump, 0, reactions)]
        first = self.jump_offsets[trajectory % len(self)]
        states[1:][is_jump] = self.jumps[first : first + is_jump.sum()]
        return states.cumsum(axis=0)

    def state_at(self, t):
        """Return the counts at a time.

        Parameters
        ----------
        t : float or array_like, shape (time,)
            Between `start` and `end`. At the moment of an event it is the state after it; where a trajectory has
            stopped it is the state in which it did.

        Returns
        -------
        ndarray of int64, shape (trajectory, species) or (trajectory, time, species)
        """
        times = np.atleast_1d(np.asarray(t, dtype=float))
        if times.ndim != 1 or not np.all((times >= self.start) & (times <= self.end)):
            raise expected("t", f"between {self.start:g} and {self.end:g}, the times of the record", t)
        counts = np.empty((len(self), len(times), len(self.species)), dtype=np.int64)
        for i in range(len(self)):
            counts[i] = self.states_of(i)[np.searchsorted(self.times_of(i), times, side="right")]
        return counts[:, 0] if np.ndim(t) == 0 else counts

    def waiting_times(self, reaction, *, since=None, first=None):
        """Return times from one firing to the next, of all trajectories one behind the other.

        Parameters
        ----------
        reaction : int or str
            A reaction by its index, or by its equation as in the text, such as ``"0 -> M"``.
        since : int or str, optional
            The wait starts when this reaction fires; by default `reaction` itself. The time that a gene stays on is
            ``waiting_times("ON -> OFF", since="OFF -> ON")``.
        first : int, optional
            Only the first so many of each trajectory. All the waits that fit into a fixed time are too short on
            average, because long ones do not fit; the first few, where every trajectory has so many, are not.

        Returns
        -------
        ndarray, shape (wait,)

        Raises
        ------
        ParameterError
            If a reaction is unknown or ambiguous, or a trajectory has fewer than `first` waits.
        """
        ends = self._index(reaction)
        begins = ends if since is None else self._index(since)
        waits = []
        for i in range(len(self)):
            times, reactions = self.times_of(i), self.reactions_of(i)
            after, before = times[reactions == ends], times[reactions == begins]
            following = np.searchsorted(after, before, side="right")
            seen = following < len(after)
            waits.append(after[following[seen]] - before[seen])
            if first is not None and len(waits[-1]) < first:
                raise ParameterError(
                    f"trajectory {i} has {len(waits[-1])} such waits, fewer than first={first}; simulate longer"
                )
        return np.concatenate([w if first is None else w[:first] for w in waits])

    def to_pandas(self):
        """Return a `pandas.DataFrame`: a row for each event, with its reaction and the counts after it."""
        trajectories = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        states = np.concatenate([self.states_of(i)[1:] for i in range(len(self))])
        columns = {"reaction": self.reactions, **{name: states[:, i] for i, name in enumerate(self.species)}}
        return to_table(columns, {"trajectory": trajectories, "time": self.times})

    def _slice(self, trajectory):
        if not -len(self) <= trajectory < len(self):
            raise IndexError(f"trajectory {trajectory} of {len(self)}")
        trajectory = trajectory % len(self)
        return slice(int(self.offsets[trajectory]), int(self.offsets[trajectory + 1]))

    def _index(self, reaction):
        equations = [r.equation for r in self.network.reactions]
        if isinstance(reaction, str):
            text = " ".join(reaction.split())
            found = [j for j, equation in enumerate(equations) if equation == text]
            if len(found) == 1:
                return found[0]
            what = "is the equation of several reactions: give its index" if found else "is not a reaction"
            raise ParameterError(f"{reaction!r} {what}; the network has {', '.join(equations)}")
        if isinstance(reaction, bool) or not isinstance(reaction, int | np.integer):
            raise expected("a reaction", "an index or an equation such as '0 -> M'", reaction)
        if not 0 <= reaction < len(equations) + len(self.network.events):
            raise ParameterError(f"there is no reaction {reaction}; the network has {len(equations)}")
        return int(reaction)


def _too_many_events():
    return ParameterError(
        f"more than {MAX_RECORDED} events would be kept; take fewer trajectories or a shorter time, or keep='counts'"
    )


class RecordBuilder:
    """Joins parts into an `EventRecord`."""

    def __init__(self, task):
        if not task.options.get("record"):
            raise ParameterError('this method keeps no record of events; use keep="counts"')
        self.task = task
        self.parts = []
        self.n_events = 0

    def add(self, part):
        """Add the next part."""
        self.parts.append(part)
        self.n_events += len(part.record.times)
        if self.n_events > MAX_RECORDED:
            raise _too_many_events()

    def result(self):
        """Return the joined record."""
        task, records = self.task, [part.record for part in self.parts]
        extra = {name: np.concatenate([part.extra[name] for part in self.parts]) for name in self.parts[0].extra}
        return EventRecord(
            task.network,
            0.0,
            float(task.times[-1]),
            np.concatenate([record.starts for record in records]),
            _join_offsets([record.offsets for record in records]),
            np.concatenate([record.times for record in records]),
            np.concatenate([record.reactions for record in records]),
            np.concatenate([record.jumps for record in records]),
            _join_offsets([record.jump_offsets for record in records]),
            tuple(int(word) for word in task.key),
            dict(task.parameters),
            extra,
        )


def _join_offsets(parts):
    before = np.cumsum([0, *(part[-1] for part in parts)])
    return np.concatenate([*(part[:-1] + n for part, n in zip(parts, before[:-1], strict=True)), before[-1:]])

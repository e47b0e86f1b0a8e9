"""The states over which a master equation is solved: boxes, reachable sets, any set of states."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from acme_lib.arrays import freeze
from acme_lib.checks import check_whole, expected, shorten
from acme_lib.errors import StateSpaceError
from acme_lib.master.reachable import MAX_KEY, count_limits, find_reachable
from acme_lib.network.expression import Expression, suggest

MAX_STATES = 2**25  # the generator of more states would need several gigabytes


@dataclass(frozen=True, eq=False)
class StateSpace:
    """A set of states: a box (all counts from 0 to a largest count of each species), or some of the states of a box.

    Build it with `StateSpace.box`, `StateSpace.reachable` or `StateSpace.of_states`. States come in lexicographic
    order: **the last species runs fastest**, as in a C-ordered array of the box's `shape`.

    Attributes
    ----------
    species : tuple of str
        In the order of the network.
    shape : tuple of int
        Of the box, or of the box around the states: the largest count of each species and 1 for the count 0.
    keys : ndarray of int64, shape (n_states,), or None
        The position of each state in the box, increasing; None if the space is the whole box.

    Use when: for a box, the counts stay in a range that can be guessed, and few species are involved, because a box
    grows as the product of its sides. For a reachable set, something is conserved (a gene is on or off). To have the
    states found while the law moves, see `solve_finite_state_projection`.

    References
    ----------
    .. [1] B. Munsky, M. Khammash, J. Chem. Phys. 124, 044104 (2006). doi:10.1063/1.2145882
    """

    species: tuple[str, ...]
    shape: tuple[int, ...]
    keys: np.ndarray | None = None

    def __post_init__(self):
        """Refuse what does not fit in memory."""
        volume = int(np.prod(self.shape, dtype=object))
        if self.keys is None and volume > MAX_STATES:
            raise StateSpaceError(
                f"a box of shape {' × '.join(map(str, self.shape))} has {volume:.3g} states, more than {MAX_STATES}; "
                "lower the largest counts, or keep only the states that matter: StateSpace.reachable where something "
                "is conserved, solve_finite_state_projection where the law moves"
            )
        if volume > MAX_KEY:
            raise StateSpaceError(
                f"the box around the states has {volume:.3g} states, more than 64-bit numbers can count"
            )
        if self.keys is not None:
            keys = np.asarray(self.keys)
            if keys.ndim != 1 or len(keys) and (keys[0] < 0 or keys[-1] >= volume or np.any(np.diff(keys) <= 0)):
                what = f"increasing positions in the box, from 0 to {volume - 1}"
                raise expected("keys", what, self.keys, error=StateSpaceError)
            object.__setattr__(self, "keys", freeze(np.ascontiguousarray(self.keys, dtype=np.int64)))

    def __eq__(self, other):
        """Spaces are equal if they hold the same states of the same species in the same order."""
        if not isinstance(other, StateSpace):
            return NotImplemented
        if self.species != other.species or self.shape != other.shape or (self.keys is None) != (other.keys is None):
            return False
        return self.keys is None or np.array_equal(self.keys, other.keys)

    def __hash__(self):
        """Equal spaces have equal hashes."""
        return hash((self.species, self.shape, len(self)))

    @property
    def is_box(self):
        """Whether the space is a whole box."""
        return self.keys is None

    @cached_property
    def states(self):
        """The states, int64 of shape (n_states, n_species), read-only; row ``i`` is the state with index ``i``."""
        if self.keys is None:
            states = np.indices(self.shape, dtype=np.int64).reshape(len(self.shape), -1).T
        else:
            states = np.stack(np.unravel_index(self.keys, self.shape), axis=1)
        return freeze(np.ascontiguousarray(states, dtype=np.int64))

    @property
    def strides(self):
        """What a molecule more of each species adds to a position in the box, shape (n_species,)."""
        return np.cumprod([1, *self.shape[:0:-1]], dtype=np.int64)[::-1]

    @classmethod
    def box(cls, network, /, **largest):
        r"""Return the box of a network's states.

        Parameters
        ----------
        network : ReactionNetwork
        **largest : int
            The largest count kept of each species, itself included; every species is given.

        Raises
        ------
        StateSpaceError
            If a species is missing or unknown, a count is not whole or negative, or the box is too large.

        Examples
        --------
        >>> from acme_lib.network import ReactionNetwork
        >>> network = ReactionNetwork.parse("0 <-> M : k, g\nM -> M + P : b\nP -> 0 : g", k=2, g=1, b=3)
        >>> space = StateSpace.box(network, M=19, P=99)
        >>> space.shape, len(space)
        ((20, 100), 2000)
        """
        for name, count in largest.items():
            _check_largest(network, name, count)
        missing = [name for name in network.species if name not in largest]
        if missing:
            usage = ", ".join(f"{name}={largest.get(name, '…')}" for name in network.species)
            raise StateSpaceError(
                f"a box needs the largest count of every species, and {', '.join(missing)} has none: "
                f"StateSpace.box(network, {usage})"
            )
        return cls(network.species, tuple(int(largest[name]) + 1 for name in network.species))

    @classmethod
    def reachable(cls, network, x0, /, *, max_states=2**20, **largest):
        r"""Return the states that reactions can lead to from a start.

        Conservation laws come out by themselves: a gene that is on or off has two states here, not the four of a box.

        Parameters
        ----------
        network : ReactionNetwork
        x0 : mapping of str to int, or array_like, shape (n_species,) or (n, n_species)
            The start, or several; species left out of a mapping are 0.
        max_states : int
            The search ends with an error beyond it.
        **largest : int
            The largest count kept of a species: needed for those that can grow without bound, and only for them.

        Raises
        ------
        StateSpaceError
            If more than `max_states` states are reached, or the start lies beyond `largest`.
        PropensityError
            If a propensity is negative or not finite, or a reaction would make a count negative.

        Notes
        -----
        A reaction is possible where its propensity is not zero. One whose rate depends on the time counts as possible
        wherever its molecules are there.

        Examples
        --------
        >>> from acme_lib.network import ReactionNetwork
        >>> gene = ReactionNetwork.parse("off <-> on : 1, 2\non -> on + M : 10\nM -> 0 : 1")
        >>> len(StateSpace.reachable(gene, {"off": 1}, M=60)), len(StateSpace.box(gene, off=1, on=1, M=60))
        (122, 244)
        """
        several = not isinstance(x0, Mapping) and np.ndim(x0) == 2
        starts = np.array([network.state(x) for x in x0] if several else [network.state(x0)])
        for name, count in largest.items():
            _check_largest(network, name, count)
        max_states = check_whole("max_states", max_states, 1)
        limits, free = count_limits(network, starts, largest)
        for x in starts:
            if np.any(x > limits):
                i = int(np.argmax(x > limits))
                raise StateSpaceError(
                    f"the start has {network.species[i]}={x[i]}, more than the largest count {limits[i]}; raise it"
                )
        keys, radix = find_reachable(network, starts, limits, free, max_states)
        return cls._of_table(network.species, np.stack(np.unravel_index(keys, radix), axis=1))

    @classmethod
    def of_states(cls, network, states):
        """Return the space of given states, in lexicographic order and each once.

        Parameters
        ----------
        network : ReactionNetwork
        states : array_like of int, shape (n_states, n_species)
        """
        table = np.asarray(states)
        whole = table.ndim == 2 and table.dtype.kind in "iu" and table.shape[1] == len(network.species)
        if not whole or not len(table) or table.min() < 0:
            what = f"whole, non-negative counts of shape (n, {len(network.species)}) for {', '.join(network.species)}"
            raise expected("states", what, states, error=StateSpaceError)
        return cls._of_table(network.species, table)

    @classmethod
    def _of_table(cls, species, table):
        shape = tuple(int(n) + 1 for n in table.max(axis=0))
        if int(np.prod(shape, dtype=object)) > MAX_KEY:
            return cls(species, shape, np.zeros(0, dtype=np.int64))  # which says why not
        keys = np.unique(np.ravel_multi_index(tuple(table.T), shape))
        return cls(species, shape, None if len(keys) == int(np.prod(shape, dtype=object)) else keys)

    def restrict(self, mask):
        """Return the space of the states that a mask (shape (n_states,)) or a condition (str) picks."""
        mask = self.mask(mask)
        if not mask.any():
            raise StateSpaceError("no state is left: the condition holds in none")
        return self._of_table(self.species, self.states[mask])

    def __len__(self):
        """Return the number of states."""
        return int(np.prod(self.shape, dtype=object)) if self.keys is None else len(self.keys)

    def __str__(self):
        """Return the space as text, such as ``M=0..59, P=0..599``."""
        box = ", ".join(f"{name}=0..{n - 1}" for name, n in zip(self.species, self.shape, strict=True))
        return box if self.keys is None else f"{len(self)} states within {box}"

    def __repr__(self):
        """Return the text with its kind."""
        return f"<StateSpace: {self}>"

    def axis(self, name):
        """Return the position of a species, by name, in `species` and `shape`."""
        if name not in self.species:
            raise StateSpaceError(
                f"{name!r} is not a species of the state space{suggest(str(name), self.species)}; "
                f"it has {', '.join(self.species)}"
            )
        return self.species.index(name)

    def index(self, counts):
        """Return the index of a state, or of many.

        Parameters
        ----------
        counts : mapping of str to int, or array_like of int, shape (n_species,) or (n, n_species)
            Molecule counts; species left out of a mapping are 0.

        Returns
        -------
        int, or ndarray of int64 of shape (n,)

        Raises
        ------
        StateSpaceError
            If a state lies outside the box, or is no state of it.
        """
        if isinstance(counts, Mapping):
            vector = np.zeros(len(self.species))
            for name, count in counts.items():
                vector[self.axis(name)] = count
            counts = vector
        table = np.asarray(counts)
        if table.ndim not in (1, 2) or table.shape[-1] != len(self.species) or table.dtype.kind not in "iuf":
            raise StateSpaceError(
                f"a state has {len(self.species)} counts ({', '.join(self.species)}), and many states are numbers of "
                f"shape (n, {len(self.species)}); got {shorten(counts)}"
            )
        rows = np.atleast_2d(table)
        indices = self.locate(rows)
        outside = np.flatnonzero(indices < 0)
        if len(outside):
            state = ", ".join(f"{name}={n:g}" for name, n in zip(self.species, rows[outside[0]], strict=True))
            if self.keys is None:
                fix = f"is not in the box {self}; enlarge the box or correct the state"
            else:
                fix = f"is not one of the {self}; add it, or correct the state"
            raise StateSpaceError(f"the state {state} {fix}")
        return int(indices[0]) if table.ndim == 1 else indices

    def locate(self, states):
        """Return the index of each of many states, shape (n, n_species), and -1 for those that are not in the space."""
        rows = np.asarray(states)
        inside = ((rows >= 0) & (rows < self.shape) & (rows == np.floor(rows))).all(axis=1)
        found = np.full(len(rows), -1, dtype=np.int64)
        positions = np.ravel_multi_index(tuple(rows[inside].astype(np.int64).T), self.shape)
        if self.keys is not None:
            at = np.minimum(np.searchsorted(self.keys, positions), len(self.keys) - 1)
            positions = np.where(self.keys[at] == positions, at, -1)
        found[inside] = positions
        return found

    def mask(self, condition):
        """Return in which states a condition holds.

        Parameters
        ----------
        condition : str, or array_like of bool, shape (n_states,)
            A comparison of counts, such as ``"P > 100"`` or ``"M == 0 and P <= 3"``; a mask is only checked.

        Returns
        -------
        ndarray of bool, shape (n_states,)

        Raises
        ------
        NetworkSyntaxError, StateSpaceError
            If the condition cannot be read, or names what is no species.
        """
        if isinstance(condition, str):
            if not Expression.parse(condition).is_condition:
                raise expected(
                    "a condition",
                    "true or false",
                    condition,
                    "compare, as in 'M >= 100' or 'M == 0'",
                    error=StateSpaceError,
                )
            return self.evaluate(condition, "condition") != 0
        mask = np.asarray(condition)
        if mask.dtype != bool or mask.shape != (len(self),):
            what = f"a condition such as '{self.species[0]} > 3', or an array of {len(self)} truth values"
            raise expected("a target", what, condition, error=StateSpaceError)
        return mask

    def evaluate(self, text, what="expression"):
        """Return the value of an expression of counts, such as ``"M*P"``, in each state: shape (n_states,)."""
        expression = Expression.parse(text)
        columns = dict(zip(self.species, self.states.T, strict=True))
        for name in (*expression.names, *(["t"] if expression.uses_time else [])):
            if name not in columns:
                raise StateSpaceError(
                    f"the {what} {text!r} names {name!r}, which is no species{suggest(name, columns)}; "
                    f"the space has {', '.join(columns)}"
                )
        return np.broadcast_to(expression.evaluate(columns), len(self))

    def point(self, counts=None, /, **by_name):
        """Return the probability vector that puts all mass on one state.

        Parameters
        ----------
        counts : mapping or array_like, optional
        **by_name : int
            Counts by name; species left out are 0.

        Returns
        -------
        ndarray, shape (n_states,)
        """
        if counts is not None and by_name:
            raise StateSpaceError(f"a state was given both at once and by name ({', '.join(by_name)}); keep one")
        p = np.zeros(len(self))
        p[self.index(by_name if counts is None else counts)] = 1.0
        return p

    def reshape(self, p):
        """Return `p`, whose last axis runs over states, with one axis a species in its place.

        For a box it is a view if possible; for other spaces the states of the box around that are missing get 0.
        """
        p = np.asarray(p)
        if p.ndim == 0 or p.shape[-1] != len(self):
            raise StateSpaceError(f"the last axis of p runs over the {len(self)} states; p has shape {p.shape}")
        if self.keys is not None:
            volume = int(np.prod(self.shape, dtype=object))
            if volume > MAX_STATES:
                raise StateSpaceError(f"the box around the {self} has {volume:.3g} states, too many; ask for marginals")
            full = np.zeros((*p.shape[:-1], volume))
            full[..., self.keys] = p
            p = full
        return p.reshape(*p.shape[:-1], *self.shape)


def _check_largest(network, name, count):
    if name not in network.species:
        raise StateSpaceError(
            f"{name!r} is not a species of the network{suggest(name, network.species)}; "
            f"it has {', '.join(network.species)}"
        )
    check_whole(f"the largest count of {name}", count, error=StateSpaceError)

"""The states over which a master equation is solved."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from acme_lib.errors import StateSpaceError
from acme_lib.network.expression import suggest

MAX_STATES = 2**25  # the generator of more states would need several gigabytes


@dataclass(frozen=True)
class StateSpace:
    """All states of a box: every combination of counts from 0 to a largest count of each species.

    Build it with `StateSpace.box`. **The last species runs fastest**: neighbouring indices differ by one molecule of
    it, as in a C-ordered array of the box's `shape`.

    Attributes
    ----------
    species : tuple of str
        In the order of the network.
    shape : tuple of int
        Number of counts kept of each species: its largest count and 0.
    states : ndarray of int64, shape (n_states, n_species)
        Read-only; row ``i`` is the state with index ``i``.

    Use when: the counts stay in a range that can be guessed, and few species are involved; a box grows as the product
    of its sides.

    References
    ----------
    .. [1] B. Munsky, M. Khammash, J. Chem. Phys. 124, 044104 (2006). doi:10.1063/1.2145882
    """

    species: tuple[str, ...]
    shape: tuple[int, ...]
    states: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        """List the states."""
        n_states = int(np.prod(self.shape, dtype=object))
        if n_states > MAX_STATES:
            raise StateSpaceError(
                f"a box of shape {' × '.join(map(str, self.shape))} has {n_states:.3g} states, more than {MAX_STATES}; "
                "lower the largest counts"
            )
        states = np.ascontiguousarray(np.indices(self.shape, dtype=np.int64).reshape(len(self.shape), -1).T)
        states.flags.writeable = False
        object.__setattr__(self, "states", states)

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
            if name not in network.species:
                raise StateSpaceError(
                    f"{name!r} is not a species of the network{suggest(name, network.species)}; "
                    f"it has {', '.join(network.species)}"
                )
            if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
                raise StateSpaceError(f"the largest count of {name} is a whole number of at least 0; {count!r} came")
        missing = [name for name in network.species if name not in largest]
        if missing:
            usage = ", ".join(f"{name}={largest.get(name, '…')}" for name in network.species)
            raise StateSpaceError(
                f"a box needs the largest count of every species, and {', '.join(missing)} came without: "
                f"StateSpace.box(network, {usage})"
            )
        return cls(network.species, tuple(int(largest[name]) + 1 for name in network.species))

    def __len__(self):
        """Return the number of states."""
        return len(self.states)

    def __str__(self):
        """Return the box as text, such as ``M=0..59, P=0..599``."""
        return ", ".join(f"{name}=0..{n - 1}" for name, n in zip(self.species, self.shape, strict=True))

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
                f"a state has {len(self.species)} counts ({', '.join(self.species)}); "
                f"numbers of shape (n, {len(self.species)}) are many states; {counts!r} came"
            )
        rows = np.atleast_2d(table)
        inside = (rows >= 0) & (rows < self.shape) & (rows == np.floor(rows))
        outside = np.flatnonzero(~inside.all(axis=1))
        if len(outside):
            state = ", ".join(f"{name}={n:g}" for name, n in zip(self.species, rows[outside[0]], strict=True))
            raise StateSpaceError(f"the state {state} is not in the box {self}; enlarge the box or correct the state")
        indices = np.ravel_multi_index(tuple(rows.astype(np.int64).T), self.shape)
        return int(indices[0]) if table.ndim == 1 else indices

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
            raise StateSpaceError(f"a state came both at once and by name ({', '.join(by_name)}); keep one")
        p = np.zeros(len(self))
        p[self.index(by_name if counts is None else counts)] = 1.0
        return p

    def reshape(self, p):
        """Return `p`, whose last axis runs over states, with one axis a species in its place (a view if possible)."""
        p = np.asarray(p)
        if p.ndim == 0 or p.shape[-1] != len(self):
            raise StateSpaceError(f"the last axis of p runs over the {len(self)} states; p has shape {p.shape}")
        return p.reshape(*p.shape[:-1], *self.shape)

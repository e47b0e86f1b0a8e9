"""The space of an augmented master equation: discrete states times continuum species on uniform grids."""

from functools import cached_property

import numpy as np

from acme_lib.augmented.axes import MAX_UNKNOWNS, Continuum, Discrete, States
from acme_lib.checks import check_number, expected
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import Expression, is_name, suggest, why_no_name


class AugmentedSpace:
    r"""Discrete states times continuum species.

    Densities are arrays with one axis a discrete species or set of abstract states, in the order given, then one axis a
    continuum species; they are per unit of x of every continuum species (cell averages), and sums of counts.

    Parameters
    ----------
    network : ReactionNetwork or None
        None where no reaction takes part, as in growth and fragmentation of sizes.
    **axes : Discrete, Continuum or States
        One for each species of the network, and any further quantity (a size) or set of abstract states.

    Attributes
    ----------
    discrete, continuum : tuple of str
        Names of the discrete axes (species and abstract states) and of the continuum axes, in the order of the array.
    shape : tuple of int

    Raises
    ------
    StateSpaceError
        If a species of the network has no axis, or the space is too large.

    Examples
    --------
    >>> network = ReactionNetwork.parse("0 -> M : k\nM -> 0 : g\nM -> M + P : b\nP -> 0 : d", k=1, g=10, b=90, d=1)
    >>> space = AugmentedSpace(network, M=Discrete(5), P=Continuum(upper=4.0, cells=80, system_size=50))
    >>> space.shape
    (6, 80)
    """

    def __init__(self, network=None, /, **axes):
        if network is not None and not isinstance(network, ReactionNetwork):
            raise expected("network", "a ReactionNetwork, or None", network, error=StateSpaceError)
        species = network.species if network is not None else ()
        for name, axis in axes.items():
            if not isinstance(axis, Discrete | Continuum | States):
                raise expected(name, "a Discrete, a Continuum or States", axis, error=StateSpaceError)
            if not is_name(name):
                raise StateSpaceError(f"{name!r} cannot name an axis: it is {why_no_name(name)}")
            if name in species and isinstance(axis, States):
                raise StateSpaceError(f"{name} is a species of the network: give Discrete(…) or Continuum(…)")
            if network is not None and name not in species and name in network.parameters:
                raise StateSpaceError(f"{name} is a parameter of the network and cannot name an axis too; rename one")
        for name in species:
            if name not in axes:
                raise StateSpaceError(
                    f"the species {name} has no axis{suggest(name, axes)}; give {name}=Discrete(largest) or "
                    f"{name}=Continuum(upper, cells, system_size)"
                )
        if not axes:
            raise StateSpaceError("a space has at least one axis, such as x=Continuum(upper=4.0, cells=200)")
        names = [name for axis in axes.values() if isinstance(axis, States) for name in axis.names]
        clash = [name for name in names if names.count(name) > 1 or name in axes]
        if clash:
            raise StateSpaceError(f"the state {clash[0]} has the name of another state or axis; rename one")
        self.network = network
        self.axes = dict(axes)
        self.discrete = tuple(name for name, axis in axes.items() if not isinstance(axis, Continuum))
        self.continuum = tuple(name for name, axis in axes.items() if isinstance(axis, Continuum))
        if len(self.continuum) > 3:
            raise StateSpaceError(
                f"at most three axes can be Continuum, got {', '.join(self.continuum)}: make some discrete"
            )
        self.names = self.discrete + self.continuum
        self.shape = tuple(axes[name].size for name in self.names)
        self.size = int(np.prod(self.shape, dtype=float))
        if self.size > MAX_UNKNOWNS:
            raise StateSpaceError(
                f"the space has {self.size:.3g} cells (shape {self.shape}), more than {MAX_UNKNOWNS}: take fewer"
            )

    def __repr__(self):
        axes = ", ".join(f"{name}={axis!r}" for name, axis in self.axes.items())
        return f"AugmentedSpace({'network' if self.network is not None else 'None'}, {axes})"

    def __getitem__(self, name):
        """Return the axis with a name."""
        return self.axes[self._known(name)]

    def _known(self, name):
        if name not in self.axes:
            raise StateSpaceError(
                f"{name!r} is no axis of the space{suggest(str(name), self.axes)}; it has {', '.join(self.names)}"
            )
        return name

    def axis(self, name):
        """Return the index of the axis with a name."""
        return self.names.index(self._known(name))

    @cached_property
    def abstract(self):
        """Names of the axes of abstract states."""
        return tuple(name for name in self.discrete if isinstance(self.axes[name], States))

    @property
    def volume(self):
        """Volume of a cell: the product of the widths dx."""
        return float(np.prod([self.axes[name].dx for name in self.continuum]))

    @cached_property
    def frozen(self):
        """Whether a state is frozen, an array of booleans that broadcasts to `shape`."""
        frozen = np.zeros((1,) * len(self.shape), dtype=bool)
        for name in self.abstract:
            states = self.axes[name]
            frozen = frozen | self.along(name, np.array([state in states.frozen for state in states.names]))
        return frozen

    def along(self, name, values):
        """Return a vector as an array that broadcasts along the axis `name`."""
        return np.reshape(values, [-1 if other == name else 1 for other in self.names])

    def coordinates(self, name):
        """Return the values of an axis: centres x of cells, counts, or indices of states, shape (size,)."""
        axis = self[name]
        return axis.centres if isinstance(axis, Continuum) else np.arange(axis.size, dtype=float)

    def environment(self, faces=None):
        """Return what the names of axes stand for in a rate: molecules, counts and indices, as broadcasting arrays.

        Parameters
        ----------
        faces : str, optional
            The continuum axis that is taken at the faces of cells instead of their centres.
        """
        values = {}
        for name in self.names:
            axis = self.axes[name]
            if isinstance(axis, Continuum):
                x = (axis.faces if name == faces else axis.centres) * axis.system_size
            else:
                x = np.arange(axis.size, dtype=float)
            values[name] = self.along(name, x)
        return values

    def state_mask(self, states):
        """Return where the abstract states are among `states` (names), an array that broadcasts to `shape`."""
        mask = np.ones((1,) * len(self.shape), dtype=bool)
        left = dict.fromkeys((states,) if isinstance(states, str) else states)
        for name in self.abstract:
            members = [state in left for state in self.axes[name].names]
            if any(members):
                mask = mask & self.along(name, np.array(members))
                for state in self.axes[name].names:
                    left.pop(state, None)
        if left:
            known = [state for name in self.abstract for state in self.axes[name].names]
            raise StateSpaceError(
                f"{next(iter(left))!r} is no abstract state{suggest(str(next(iter(left))), known)}; "
                f"the space has {', '.join(known) or 'none: give an axis such as fate=States(…)'}"
            )
        return mask

    def select(self, array, **values):
        """Return the part of an array with given counts or states, such as ``select(p, fate="waiting", M=0)``."""
        array = np.asarray(array)
        lead = array.ndim - len(self.shape)
        index = [slice(None)] * array.ndim
        for name, value in values.items():
            index[lead + self.axis(name)] = self._index(name, value)
        return array[tuple(index)]

    def _index(self, name, value):
        axis = self[name]
        if isinstance(axis, States):
            if value not in axis.names:
                raise StateSpaceError(f"{value!r} is no state of {name}; it has {', '.join(axis.names)}")
            return axis.names.index(value)
        if isinstance(axis, Discrete):
            if value != int(value) or not 0 <= value <= axis.largest:
                raise StateSpaceError(f"{name}={value!r} lies outside the counts 0 … {axis.largest}")
            return int(value)
        if not axis.lower <= value <= axis.upper:
            raise StateSpaceError(f"{name}={value!r} lies outside the grid from {axis.lower:g} to {axis.upper:g}")
        return min(int((value - axis.lower) / axis.dx), axis.cells - 1)

    def density(self, profile=None, *, mass=1.0, **where):
        """Return a density to start from.

        Parameters
        ----------
        profile : str, callable or ndarray, optional
            The form over the continuum, up to a factor: an expression in the names of the continuum species **in units
            of x**, a function of arrays of x, or an array. By default uniform.
        mass : float or None
            What the density integrates to; None keeps the profile's own mass.
        **where : int, str or float
            The count or the state of each discrete axis, by default 0 and the first state; for a continuum axis the
            value x of a point: all mass in its cell.

        Returns
        -------
        ndarray, shape `shape`

        Examples
        --------
        >>> space = AugmentedSpace(x=Continuum(upper=2.0, cells=4))
        >>> space.density("x")
        array([0.125, 0.375, 0.625, 0.875])
        """
        p = np.zeros(self.shape)
        index = [self._index(name, where.pop(name, self._first(name))) for name in self.discrete]
        points = {name: self._index(name, where.pop(name)) for name in self.continuum if name in where}
        if where:
            self._known(next(iter(where)))
        x = np.meshgrid(*[self.axes[name].centres for name in self.continuum], indexing="ij", sparse=True)
        shape = self.shape[len(self.discrete) :]
        if profile is None:
            values = np.ones(shape)
        elif isinstance(profile, str):
            expression = Expression.parse(profile)
            for name in expression.names:
                if name not in self.continuum:
                    raise ParameterError(
                        f"the profile {profile!r} names {name!r}, which is no continuum species"
                        f"{suggest(name, self.continuum)}: {', '.join(self.continuum)}"
                    )
            values = expression.evaluate(dict(zip(self.continuum, x, strict=True)))
        else:
            values = np.asarray(profile(*x) if callable(profile) else profile, dtype=float)
        try:
            values = np.broadcast_to(values, shape).copy()
        except ValueError:
            raise StateSpaceError(f"the profile has shape {np.shape(values)}; the cells have shape {shape}") from None
        if not np.all(np.isfinite(values)):
            raise ParameterError("the profile is not finite in every cell")
        if values.min() < 0:
            raise expected("the profile", "zero or more in every cell", float(values.min()))
        for i, name in enumerate(self.continuum):
            if name in points:
                keep = np.zeros(self.axes[name].cells)
                keep[points[name]] = 1.0
                values *= keep.reshape([-1 if j == i else 1 for j in range(len(shape))])
        total = values.sum() * self.volume
        if mass is not None:
            mass = check_number("mass", mass, above=0)
            if not total > 0:
                raise ParameterError(f"the profile has the mass {total:g}, which cannot be scaled to {mass:g}")
            values *= mass / total
        p[tuple(index)] = values
        return p

    def _first(self, name):
        axis = self.axes[name]
        return axis.names[0] if isinstance(axis, States) else 0

    def refined(self, factor=2):
        """Return the space with `factor` times as many cells on every continuum axis."""
        axes = {n: axis.refined(factor) if isinstance(axis, Continuum) else axis for n, axis in self.axes.items()}
        return AugmentedSpace(self.network, **axes)

    def coarsen(self, array, factor=2):
        """Return the averages of a density on this space over `factor` neighbouring cells on every continuum axis."""
        array = np.asarray(array)
        lead = array.ndim - len(self.shape)
        shape = list(array.shape[: lead + len(self.discrete)])
        for name in self.continuum:
            shape += [self.axes[name].cells // factor, factor]
        array = array.reshape(shape)
        return array.mean(axis=tuple(range(lead + len(self.discrete) + 1, array.ndim, 2)))

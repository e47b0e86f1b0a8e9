"""Solutions of augmented master equations: densities with the numbers drawn from them, and their evidence."""

from dataclasses import dataclass, field

import numpy as np

from acme_lib.arrays import freeze_fields
from acme_lib.augmented.axes import Continuum
from acme_lib.augmented.system import AugmentedSystem
from acme_lib.checks import expected


def _number(array):
    return float(array) if np.ndim(array) == 0 else array


@dataclass(frozen=True, eq=False)
class AugmentedDensity:
    """A density over an `AugmentedSpace`, or one for each time, along a first axis.

    Moments are those of the states that are not frozen, divided by their mass; name the state to look at another:
    ``mean("P", fate="switched")``.

    Attributes
    ----------
    system : AugmentedSystem
    p : ndarray, shape ``space.shape`` or ``(time, *space.shape)``
        Read-only; per unit of x of each continuum species, summed over nothing.
    """

    system: AugmentedSystem
    p: np.ndarray

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    @property
    def space(self):
        """The space of the system."""
        return self.system.space

    @property
    def _lead(self):
        return self.p.ndim - len(self.space.shape)

    def _part(self, where):
        """Return p with what is not asked for set to zero."""
        if not where:
            return np.where(self.space.frozen, 0.0, self.p)
        keep = np.ones((1,) * len(self.space.shape), dtype=bool)
        for name, value in where.items():
            mask = np.zeros(self.space[name].size, dtype=bool)
            mask[self.space._index(name, value)] = True
            keep = keep & self.space.along(name, mask)
        return np.where(keep, self.p, 0.0)

    def mass(self, **where):
        """Return the mass (of individuals, or of probability), such as ``mass(fate="waiting")``.

        Without a state, that of all states that are not frozen.
        """
        axes = tuple(range(self._lead, self.p.ndim))
        return _number(self._part(where).sum(axis=axes) * self.space.volume)

    def marginal(self, *names, normalised=False, **where):
        """Return the density or the probabilities of some axes, the others summed and integrated.

        Parameters
        ----------
        *names : str
        normalised : bool
            Divide by the mass.
        **where
            Counts or states of other axes, as in `mass`.

        Returns
        -------
        ndarray, shape (..., size of each name), per unit of x of each continuum name; in the order given
        """
        space = self.space
        if not names or len(set(names)) < len(names):
            raise expected("axes of marginal", f"some of {', '.join(space.names)}, each once", names)
        axes = [space.axis(name) for name in names]
        summed = tuple(self._lead + i for i in range(len(space.shape)) if i not in axes)
        width = np.prod([space[n].dx for n in space.continuum if n not in names])
        joint = self._part(where).sum(axis=summed) * width
        joint = np.transpose(joint, (*range(self._lead), *(self._lead + np.argsort(np.argsort(axes)))))
        if normalised:
            joint = joint / np.reshape(self.mass(**where), np.shape(self.mass(**where)) + (1,) * len(names))
        return joint

    def moment(self, name, order=1, **where):
        """Return the mean of a power of a coordinate: x of a continuum species, a count, the index of a state."""
        return self.expectation(name, self.space.coordinates(name) ** order, **where)

    def expectation(self, name, values, **where):
        """Return the mean of values given on an axis."""
        marginal = self.marginal(name, **where)
        return _number(marginal @ values / marginal.sum(axis=-1))

    def mean(self, name, **where):
        """Return the mean of x (continuum) or of the count (discrete)."""
        return self.moment(name, 1, **where)

    def variance(self, name, **where):
        """Return the variance of x or of the count."""
        centre = np.asarray(self.mean(name, **where))
        marginal = self.marginal(name, **where)
        squares = (self.space.coordinates(name) - centre[..., None]) ** 2
        return _number((marginal * squares).sum(axis=-1) / marginal.sum(axis=-1))

    def volume(self, name, **where):
        """Return the total of a size: the integral of x times the density."""
        width = self.space[name].dx if isinstance(self.space[name], Continuum) else 1.0
        return _number(self.marginal(name, **where) @ self.space.coordinates(name) * width)


@dataclass(frozen=True, eq=False)
class AugmentedSolution(AugmentedDensity):
    """A solution in time.

    Attributes
    ----------
    times : ndarray, shape (time,)
        With a stop condition, those reached; the last is where it was met.
    p : ndarray, shape ``(time, *space.shape)``
        Where `log_scale` is not zero, divided by its exponential.
    log_scale : ndarray, shape (time,)
        Logarithm of what p was divided by in a normalised evolution: the number of individuals is
        ``mass() * exp(log_scale)``.
    leaked : ndarray, shape (time,)
        Mass that has crossed an end of the space up to each time (or would have, at a reflecting end).
    gained : ndarray, shape (time,)
        Mass that growth, division, influx have made, less what death and open ends took; in units of the scaled p.
    balance_error : float
        Largest difference, over all steps, of the change of mass and what processes made, relative to the mass.
    time_error : ndarray, shape (time,)
        Estimated L1 error of the steps in time up to each time (not of the grid); NaN with fixed steps.
    steps, factorisations : int
    method : str
    stable_step : float
        Longest step at which explicit steps of this scheme are stable; NaN for implicit steps.
    limited : float
        Share of slopes that the limiter held back, averaged over evaluations; NaN for linear schemes.
    stopped : bool
        Whether the stop condition was met.
    most_negative : float
        The least value of p over its largest, at saved times.
    p0 : ndarray or None
        The density it started from; None where it was resumed.
    options : dict
        How it was solved.
    """

    times: np.ndarray
    log_scale: np.ndarray
    leaked: np.ndarray
    gained: np.ndarray
    time_error: np.ndarray
    balance_error: float
    steps: int
    factorisations: int
    method: str
    stable_step: float
    limited: float
    stopped: bool
    most_negative: float
    p0: np.ndarray | None = field(default=None, repr=False)
    options: dict = field(default_factory=dict, repr=False)

    def __len__(self):
        return len(self.times)

    def growth_rate(self):
        """Return d log(mass)/dt at each time: of the states that are not frozen, from the operator itself."""
        rates = []
        for time, p in zip(self.times, self.p, strict=True):
            rates.append(mass_rate(self.system, p, time) / AugmentedDensity(self.system, p.copy()).mass())
        return np.array(rates)

    def log_mass(self, **where):
        """Return the logarithm of the mass, which does not overflow."""
        return np.log(self.mass(**where)) + self.log_scale


def mass_rate(system, p, t):
    """Return the rate of change of the mass that is not in frozen states, of one density."""
    terms = system.terms(t)
    awake = np.broadcast_to(~system.space.frozen, system.space.shape).ravel()
    change = terms.matrix_sums(awake) @ terms.extend(p.ravel()) + terms.source[awake].sum()
    return float(change * system.space.volume)

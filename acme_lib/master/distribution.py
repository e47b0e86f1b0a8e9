"""Probabilities over a state space, and the numbers drawn from them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_whole
from acme_lib.distance import law_distance
from acme_lib.errors import StateSpaceError
from acme_lib.master.state_space import StateSpace


@dataclass(frozen=True, eq=False)
class StateDistribution:
    """Probabilities over the states of a `StateSpace`, one row or one for each time.

    Moments are those of the probability that is *in* the box: sums are divided by its mass, which is 1 unless an
    absorbing boundary let some leave. `marginal` and `probability` are not divided, so that with an absorbing boundary
    they are lower bounds.

    Attributes
    ----------
    space : StateSpace
    p : ndarray, shape (n_states,) or (n_times, n_states)
        Read-only. Every number below is then a float or an array of shape (n_times,).
    """

    space: StateSpace
    p: np.ndarray

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    def marginal(self, *names):
        """Return the (joint) probabilities of the counts of some species.

        Parameters
        ----------
        *names : str
            One species or more.

        Returns
        -------
        ndarray, shape (..., largest count + 1), one axis a name in the order given
        """
        if not names:
            raise StateSpaceError(f"marginal takes the names of species; the space has {', '.join(self.space.species)}")
        axes = [self.space.axis(name) for name in names]
        if len(set(axes)) < len(axes):
            raise StateSpaceError(f"a species stands twice in marginal({', '.join(map(repr, names))}); name each once")
        if not self.space.is_box:
            return self._gathered(axes)
        lead = self.p.ndim - 1
        summed = tuple(lead + i for i in range(len(self.space.shape)) if i not in axes)
        joint = self.space.reshape(self.p).sum(axis=summed)
        order = np.argsort(np.argsort(axes))
        return np.transpose(joint, (*range(lead), *(lead + order)))

    def mean(self, name):
        """Return the mean count of a species."""
        marginal, counts = self._marginal_and_counts(name)
        return _number(marginal @ counts / marginal.sum(axis=-1))

    def variance(self, name):
        """Return the variance of the count of a species."""
        return self.covariance(name, name)

    def fano_factor(self, name):
        """Return variance over mean of the count of a species (1 for a Poisson law; NaN where the mean is 0)."""
        mean, variance = np.asarray(self.mean(name)), np.asarray(self.variance(name))
        return _number(np.divide(variance, mean, out=np.full(mean.shape, np.nan), where=mean > 0))

    def covariance(self, first, second):
        """Return the covariance of the counts of two species."""
        x = self._deviation(first)
        if first == second:
            marginal = self.marginal(first)
            return _number((marginal * x**2).sum(axis=-1) / marginal.sum(axis=-1))
        joint = self.marginal(first, second)
        products = np.einsum("...i,...ij,...j->...", x, joint, self._deviation(second))
        return _number(products / joint.sum(axis=(-2, -1)))

    def probability(self, condition):
        """Return the probability of the states in which a condition holds.

        Parameters
        ----------
        condition : str
            A comparison of counts, such as ``"P > 100"`` or ``"M == 0 and P <= 3"``.

        Raises
        ------
        NetworkSyntaxError, StateSpaceError
            If the condition cannot be read, or names what is no species.
        """
        return _number(self.p[..., self.space.mask(condition)].sum(axis=-1))

    def expectation(self, expression):
        """Return the mean of an expression of counts, such as ``"M*P"`` or ``"P**3"``."""
        values = self.space.evaluate(expression)
        return _number(self.p @ values / self.p.sum(axis=-1))

    def moment(self, **orders):
        """Return a moment, such as the mean of M P² for ``moment(M=1, P=2)``."""
        axes = {self.space.axis(name): order for name, order in orders.items()}
        if not axes:
            raise StateSpaceError("moment takes orders by species, as in moment(M=1, P=2)")
        for name, order in orders.items():
            check_whole(f"the order of {name}", order, error=StateSpaceError)
        values = np.prod([self.space.states[:, axis].astype(float) ** n for axis, n in axes.items()], axis=0)
        return _number(self.p @ values / self.p.sum(axis=-1))

    def conditional(self, *names, given):
        """Return the (joint) law of the counts of some species, given a condition.

        Parameters
        ----------
        *names : str
            One species or more.
        given : str, mapping of str to int, or array_like of bool, shape (n_states,)
            A condition such as ``"P > 100"``, counts such as ``{"M": 3}``, or a mask.

        Returns
        -------
        ndarray, shape (..., largest count + 1), one axis a name in the order given
            Sums to 1 (NaN where the condition has probability 0).

        Examples
        --------
        >>> from acme_lib.master import StateSpace
        >>> law = StateDistribution(StateSpace(("A", "B"), (2, 2)), np.array([0.1, 0.3, 0.2, 0.4]))
        >>> law.conditional("A", given={"B": 1}).round(4), law.conditional("A", given="A + B >= 1").round(4)
        (array([0.4286, 0.5714]), array([0.3333, 0.6667]))
        """
        if isinstance(given, Mapping):
            columns = {name: self.space.states[:, self.space.axis(name)] for name in given}
            mask = np.all([columns[name] == count for name, count in given.items()], axis=0)
            mask = np.broadcast_to(mask, len(self.space))
        else:
            mask = self.space.mask(given)
        part = StateDistribution(self.space, self.p * mask).marginal(*names)
        total = np.asarray(self.p[..., mask].sum(axis=-1)).reshape(self.p.shape[:-1] + (1,) * len(names))
        return np.divide(part, total, out=np.full(part.shape, np.nan), where=total > 0)

    def _gathered(self, axes):
        """Return marginal sums over the listed states, axis by axis in the order given."""
        shape = tuple(self.space.shape[axis] for axis in axes)
        places = np.ravel_multi_index(tuple(self.space.states[:, axis] for axis in axes), shape)
        size = int(np.prod(shape))
        rows = np.atleast_2d(self.p)
        sums = np.array([np.bincount(places, weights=row, minlength=size) for row in rows])
        return sums.reshape(*self.p.shape[:-1], *shape)

    def _marginal_and_counts(self, name):
        return self.marginal(name), np.arange(self.space.shape[self.space.axis(name)])

    def _deviation(self, name):
        """Return the counts less their mean, shape (..., largest count + 1)."""
        _, counts = self._marginal_and_counts(name)
        return counts - np.asarray(self.mean(name))[..., None]


def _number(array):
    return float(array) if np.ndim(array) == 0 else array


def total_variation(p, q):
    r"""Return the total-variation distance of two laws.

    .. math:: d(p, q) = \tfrac12 \sum_i |p_i - q_i|

    For probability vectors this is the largest difference that any event's probability can have.

    Parameters
    ----------
    p, q : array_like, broadcastable
        The last axis runs over states.

    Returns
    -------
    float, or ndarray over the leading axes

    Raises
    ------
    StateSpaceError
        If the last axes differ.
    """
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    if p.ndim == 0 or q.ndim == 0 or p.shape[-1] != q.shape[-1]:
        raise StateSpaceError(
            f"the last axes must run over the same states, got shapes {p.shape} and {q.shape}: "
            "pad the shorter with zeros"
        )
    return _number(law_distance(p, q))

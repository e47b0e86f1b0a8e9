"""Probabilities over the states of a box, and the numbers drawn from them."""

from dataclasses import dataclass

import numpy as np

from acme_lib.errors import StateSpaceError
from acme_lib.master.state_space import StateSpace
from acme_lib.network.expression import Expression, suggest


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
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

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
            raise StateSpaceError(f"a species came twice in marginal({', '.join(map(repr, names))}); name each once")
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
        expression = Expression.parse(condition)
        columns = dict(zip(self.space.species, self.space.states.T, strict=True))
        for name in (*expression.names, *(["t"] if expression.uses_time else [])):
            if name not in columns:
                raise StateSpaceError(
                    f"the condition {condition!r} names {name!r}, which is no species{suggest(name, columns)}; "
                    f"the space has {', '.join(columns)}"
                )
        holds = np.broadcast_to(expression.evaluate(columns) != 0, len(self.space))
        return _number(self.p[..., holds].sum(axis=-1))

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
            f"the last axes run over the same states; shapes {p.shape} and {q.shape} came: pad the shorter with zeros"
        )
    return _number(0.5 * np.abs(p - q).sum(axis=-1))

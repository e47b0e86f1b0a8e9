"""Flows of probability between states, and the entropy that they produce."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from acme_lib.errors import ParameterError
from acme_lib.master.state_space import StateSpace


@dataclass(frozen=True, eq=False)
class ProbabilityFluxes:
    """Probability that flows between states under a law.

    Attributes
    ----------
    space : StateSpace
    one_way : scipy.sparse.csc_array, shape (n_states, n_states)
        ``one_way[to, from]``, in 1/time.
    net : scipy.sparse.csc_array, shape (n_states, n_states)
        One way less the other way, where it is positive.
    entropy_production : float
        Per unit of time, in units of Boltzmann's constant; infinite if a flow has no way back.
    """

    space: StateSpace
    one_way: sparse.csc_array
    net: sparse.csc_array
    entropy_production: float

    def between(self, origin, target):
        """Return the flow per unit of time from states to states, each a condition (str) or a mask."""
        origin, target = self.space.mask(origin), self.space.mask(target)
        return float((self.one_way[np.flatnonzero(target)][:, np.flatnonzero(origin)]).sum())

    def currents(self):
        """Return the net current at each state, shape (n_states, n_species): molecules per unit of time.

        Half of each net flow counts at the state it leaves and half at the one it comes to.
        """
        entries = self.net.tocoo()
        step = self.space.states[entries.row] - self.space.states[entries.col]
        out = np.zeros(self.space.states.shape)
        for i in range(out.shape[1]):
            carried = 0.5 * entries.data * step[:, i]
            out[:, i] = np.bincount(entries.row, carried, len(out)) + np.bincount(entries.col, carried, len(out))
        return out


def find_probability_fluxes(generator, p):
    r"""Find the flows of probability between states and the rate of entropy production.

    .. math:: J_{yx} = A_{yx}\,p_x, \qquad
       \sigma = \tfrac12 \sum_{x \ne y} (J_{yx} - J_{xy}) \ln\frac{J_{yx}}{J_{xy}} \ge 0

    It is zero where every flow has its like in return: detailed balance [1]_.

    Parameters
    ----------
    generator : Generator
    p : StationaryDistribution, or array_like of shape (n_states,)

    Returns
    -------
    ProbabilityFluxes

    Raises
    ------
    ParameterError
        If `p` does not fit the generator.

    Notes
    -----
    Reactions that make the same change of the same state are one flow here; if they are driven differently, the entropy
    is a lower bound of what they produce apart.

    Use when: it is to be seen whether, and where, a system is held out of equilibrium.

    References
    ----------
    .. [1] J. Schnakenberg, Rev. Mod. Phys. 48, 571 (1976). doi:10.1103/RevModPhys.48.571

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator, solve_stationary
    >>> network = ReactionNetwork.parse("A <-> B : 2, 1\nB <-> C : 2, 1\nC <-> A : 2, 1")
    >>> generator = build_generator(network, StateSpace.reachable(network, {"A": 1}), boundary="reflecting")
    >>> fluxes = find_probability_fluxes(generator, solve_stationary(generator))
    >>> round(fluxes.entropy_production, 6), round(fluxes.between("A == 1", "B == 1"), 6)  # ln 2, 2/3
    (0.693147, 0.666667)
    """
    values = np.asarray(getattr(p, "p", p), dtype=float)
    if values.shape != (len(generator.space),):
        raise ParameterError(
            f"p has shape {values.shape} and the generator {len(generator.space)} states; give one law, such as a row "
            "of a solution in time"
        )
    off = generator.matrix - sparse.diags_array(generator.matrix.diagonal(), format="csc")
    one_way = sparse.csc_array(off @ sparse.diags_array(values, format="csc"))
    one_way.eliminate_zeros()
    net = sparse.csc_array(one_way - one_way.T)
    net.data = np.where(net.data > 0, net.data, 0.0)
    net.eliminate_zeros()
    return ProbabilityFluxes(generator.space, one_way, net, _entropy(one_way))


def _entropy(one_way):
    """Return ½ Σ (J - J') ln(J/J') over the entries that have a partner, infinite if one has none."""
    forward = one_way.tocoo()
    pattern = sparse.csc_array((np.ones(one_way.nnz), one_way.indices, one_way.indptr), shape=one_way.shape)
    if (pattern + pattern.T != 2 * pattern).nnz:
        return float("inf")
    back = sparse.csc_array(one_way.T).tocoo()
    order, order_back = np.lexsort((forward.row, forward.col)), np.lexsort((back.row, back.col))
    there, return_ = forward.data[order], back.data[order_back]
    return float(0.5 * np.sum((there - return_) * np.log(there / return_)))

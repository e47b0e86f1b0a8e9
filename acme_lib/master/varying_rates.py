r"""Rates that vary in time: exponential steps of fourth order, their error controlled.

A step is two exponentials of means of the generator at the two Gauss points [1]_,

.. math:: e^{h(\alpha_2 A_1 + \alpha_1 A_2)}\, e^{h(\alpha_1 A_1 + \alpha_2 A_2)}, \qquad
   \alpha_{1,2} = \tfrac14 \pm \tfrac{\sqrt 3}{6},

each of them by uniformisation: probabilities stay probabilities, and the length of a step is set by how fast the rates
change, not by how fast reactions are. Each step is done once whole and once in halves, and the difference estimates
its error; as the exact evolution lengthens no vector, the errors of the steps only add. Times at which a rate jumps are
found beforehand, by interval arithmetic that cannot miss one, and steps end there.

References
----------
.. [1] S. Blanes, P. C. Moan, Appl. Numer. Math. 56, 1519 (2006). doi:10.1016/j.apnum.2005.11.004
"""

import ast

import numpy as np
from scipy import sparse

from acme_lib.errors import ParameterError
from acme_lib.master.generator import build_generator
from acme_lib.master.uniformisation import Operator, Propagation, propagate
from acme_lib.network.bounds import bound_program
from acme_lib.network.expression import MAX_STACK, Expression

_ALPHA = 0.25 + np.sqrt(3) / 6, 0.25 - np.sqrt(3) / 6
_GAUSS = 0.5 - np.sqrt(3) / 6, 0.5 + np.sqrt(3) / 6
_MOST_SWITCHES = 10_000
_SHORTEST = 1e-12  # of the whole time


class TimeDependent:
    """Carries probability vectors through times in which the rates of a network change."""

    def __init__(self, generator, last, tolerance):
        self.network, self.space, self.boundary = generator.network, generator.space, generator.boundary
        self.last, self.tolerance = last, tolerance
        self.switches = find_rate_jumps(self.network, 0.0, last)
        self.length = last / 16
        self.error = 0.0

    def propagate(self, p, start, stop, step=None):
        """Carry `p` from `start` to `stop`; the estimated errors of the steps are in `cut`."""
        edges = [start, *(t for t in self.switches if start < t < stop), stop]
        exited, cut, steps, most = 0.0, 0.0, 0, 0
        for a, b in zip(edges[:-1], edges[1:], strict=True):
            t = a
            while t < b:
                h = min(self.length, b - t)
                share = self.tolerance * h / self.last
                whole = self._step(p, t, h, share / 20, step)
                first = self._step(p, t, h / 2, share / 20, step)
                second = self._step(first.p, t + h / 2, h / 2, share / 20, step)
                steps += whole.steps + first.steps + second.steps
                error = float(np.abs(whole.p - second.p).sum()) / 15
                allowed = 0.75 * share
                factor = 0.9 * (allowed / max(error, 1e-300)) ** 0.25
                if error > allowed and h > _SHORTEST * self.last:
                    self.length = h * max(0.1, factor)
                    continue
                if h == self.length or factor < 1:  # a step cut short by an edge says little on the next one
                    self.length = h * min(4.0, max(0.2, factor))
                p = second.p
                exited += first.exited + second.exited
                cut += error + first.cut + second.cut
                most = max(most, first.active, second.active)
                t = b if h == b - t else t + h
        return Propagation(p, exited, cut, steps, most)

    def _step(self, p, t, h, tolerance, step):
        one, two = (build_generator(self.network, self.space, boundary=self.boundary, t=t + c * h) for c in _GAUSS)
        cut, steps, exited, most = 0.0, 0, 0.0, 0
        for a, b in (_ALPHA, _ALPHA[::-1]):
            matrix, outflow = _mean(one, two, 2 * a, 2 * b)
            part = propagate(Operator.of(matrix, outflow, self.space.shape), p, h / 2, tolerance / 2, step)
            p, cut, steps, exited = part.p, cut + part.cut, steps + part.steps, exited + part.exited
            most = max(most, part.active)
        return Propagation(p, exited, cut, steps, most)


def _mean(one, two, a, b):
    """Return a generator ``a A1 + b A2`` (a + b = 1); where a rate would turn negative it is 0."""
    matrix = sparse.csc_array(a * one.matrix + b * two.matrix)
    outflow = np.maximum(a * one.outflow + b * two.outflow, 0.0)
    off = matrix - sparse.diags_array(matrix.diagonal(), format="csc")
    off.data = np.maximum(off.data, 0.0)
    leaving = off.sum(axis=0) + (outflow if one.boundary == "absorbing" else 0.0)
    return sparse.csc_array(off - sparse.diags_array(leaving, format="csc")), outflow


def find_rate_jumps(network, start, stop):
    """Find the times at which a comparison of the time in a rate may change, such as 5 in ``k*(t > 5)``.

    Parameters
    ----------
    network : ReactionNetwork
    start, stop : float

    Returns
    -------
    list of float
        Increasing, to a relative 1e-12 of the interval; comparisons that also name species are left to the control of
        the steps.
    """
    found = set()
    names, values = list(network.parameters), np.array(list(network.parameters.values()), dtype=float)
    scratch = np.empty(MAX_STACK), np.empty(MAX_STACK)
    for reaction in network.reactions:
        if not reaction.rate.uses_time:
            continue
        for node in ast.walk(reaction.rate.tree):
            if not isinstance(node, ast.Compare):
                continue
            part = Expression(ast.unparse(node), node, reaction.rate.functions)
            if not part.uses_time or any(name in network.species for name in part.names):
                continue
            codes, operands = part.program(network.species, names)
            state = np.ones(len(network.species) + 1)
            pending = [(start, stop)]
            while pending:
                a, b = pending.pop()
                low, high = bound_program(codes, operands, 0, len(codes), state, values, a, b, *scratch)
                if low == high:
                    continue
                middle = 0.5 * (a + b)
                if b - a <= _SHORTEST * (stop - start) or not a < middle < b:
                    found.add(b)
                    if len(found) > _MOST_SWITCHES:
                        raise ParameterError(
                            f"line {reaction.line}, {reaction.text!r}: the rate switches more than {_MOST_SWITCHES} "
                            f"times up to t={stop:g}; solve for shorter times, one after the other"
                        )
                else:
                    pending += [(middle, b), (a, middle)]
    merged = []
    for t in sorted(found):
        if not merged or t - merged[-1] > 4 * _SHORTEST * (stop - start):
            merged.append(t)
    return merged

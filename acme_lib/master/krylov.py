r"""The exponential of a stiff generator from the Krylov space of :math:`(I - \gamma A)^{-1}`.

The error does not depend on how fast the fastest reaction is [1]_. With the basis V, the projected matrix H and
:math:`S = (I - H^{-1})/\gamma`, the solution is :math:`p(s) = \beta V u(s)`, :math:`u(s) = e^{S s} e_1`, and it obeys
:math:`p' = A p + r` with

.. math:: r(s) = \frac{\beta}{\gamma} h_{m+1,m}\,\big(e_m^T H^{-1} u(s)\big)\,(I - \gamma A) v_{m+1} .

The exact evolution lengthens no vector (in the sum of absolute values), so that :math:`\int_0^t |r(s)|_1 ds` bounds the
error e of p. What leaves the space, :math:`\int_0^t k \cdot p\,ds` with the rates k out of it, is integrated exactly;
as :math:`\int_0^t k \cdot e\,ds = -\sum_i e_i(t) - \int_0^t \sum_i r_i\,ds`, its error is at most twice that bound.
What the solutions with the factors miss by rounding is measured and added to r.

References
----------
.. [1] J. van den Eshof, M. Hochbruck, SIAM J. Sci. Comput. 27, 1438 (2006). doi:10.1137/040605461
"""

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from acme_lib.interrupt import in_background
from acme_lib.master.uniformisation import Propagation

_MOST_VECTORS = 60
_MOST_STEPS = 300  # a law that needs more is not stiff: uniformisation is better
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)
_DOUBLINGS = 20
_POLE = 0.1  # of the step
_BOTH = 3.0  # bounds of the residual: one for the law, two for what leaves


class ShiftInvert:
    """Carries probability vectors through time steps; factors are kept for steps of the same length."""

    def __init__(self, matrix, outflow):
        self.matrix, self.outflow = matrix, outflow
        self.step, self.factors = None, None

    def propagate(self, p, duration, tolerance, step=None):
        """Carry `p` through `duration` (see `acme_lib.master.uniformisation.propagate`), in halves where need be."""
        if duration == 0.0:
            return Propagation(np.array(p), 0.0, 0.0, 0, np.count_nonzero(p))
        done, length = 0.0, duration
        exited, bound, steps = 0.0, 0.0, 0
        while done < duration:
            result = self._one_step(p, length, tolerance * length / duration, step)
            if result is None:
                length /= 4.0
                if duration / length > _MOST_STEPS:
                    return None
                continue
            p, gone, error, used = result
            done = duration if done + length >= duration * (1 - 1e-12) else done + length
            exited, bound, steps = exited + gone, bound + error, steps + used
        return Propagation(p, exited, bound, steps, len(p))

    def _one_step(self, p, length, tolerance, step):
        gamma = _POLE * length
        n = len(p)
        if self.step != length:
            inner = sparse.csc_array(sparse.eye_array(n, format="csc") - gamma * self.matrix)
            self.factors = in_background(
                splu, inner, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
            self.step = length
        beta = float(np.linalg.norm(p))
        if beta == 0.0:
            return np.array(p), 0.0, 0.0, 0
        basis, missed = [p / beta], []
        h = np.zeros((_MOST_VECTORS + 1, _MOST_VECTORS))
        for m in range(1, _MOST_VECTORS + 1):
            w = self.factors.solve(basis[-1])
            missed.append(float(np.abs(basis[-1] - w + gamma * (self.matrix @ w)).sum()))
            for _ in range(2):  # twice is enough
                overlap = np.array([v @ w for v in basis])
                w -= sum(c * v for c, v in zip(overlap, basis, strict=True))
                h[:m, m - 1] += overlap
            h[m, m - 1] = np.linalg.norm(w)
            if step is not None:
                step(1)
            closed = h[m, m - 1] < 1e-14 * np.abs(h[:m, :m]).max()
            if not closed:
                basis.append(w / h[m, m - 1])
            if closed or m % 10 == 0:
                found = self._assess(basis, missed, h, m, beta, gamma, length, closed)
                if found is not None and found[2] <= tolerance:  # rounding cannot be helped, only counted
                    return found[0], found[1], found[2] + found[3], m
            if closed:
                return None
        return None

    def _assess(self, basis, missed, h, m, beta, gamma, length, closed):
        """Return p, the integral of ``outflow · p`` and bounds of the error and of rounding, from m vectors."""
        inverse = np.linalg.inv(h[:m, :m])
        s = (np.eye(m) - inverse) / gamma
        if np.max(np.linalg.eigvals(s).real) > 1.0 / length:  # a spurious mode that grows
            return None
        # Quadrature of |r| and of u on intervals that double in length, from one in which the fastest modes die: the
        # exponentials of the next interval are the squares of those of the one before.
        interval = length * 2.0**-_DOUBLINGS
        at_nodes = [linalg.expm(s * (interval / 2 * (node + 1))) for node in _NODES]
        across = linalg.expm(s * interval)
        u, residual = np.eye(m)[0], np.zeros(m)
        for k in range(_DOUBLINGS + 1):
            for at_node, weight in zip(at_nodes, _NODE_WEIGHTS, strict=True):
                residual += weight * interval / 2 * np.abs(inverse @ (at_node @ u))
            u = across @ u
            if k > 0:  # the first two intervals are of one length
                interval *= 2
                at_nodes = [e @ e for e in at_nodes]
                across = across @ across
        # All those squarings would have lost as many bits; one more row and column give the integral of u.
        widened = np.zeros((m + 1, m + 1))
        widened[:m, :m], widened[0, m] = s * length, length
        whole = linalg.expm(widened)
        u, spent = whole[:m, 0], whole[:m, m]
        rounding, error = _BOTH * beta / gamma * float(residual @ missed), 0.0
        if not closed:
            v = basis[m]
            norm = float(np.abs(v - gamma * (self.matrix @ v)).sum())
            error += _BOTH * beta / gamma * h[m, m - 1] * residual[m - 1] * norm
        block = np.array(basis[:m])
        p = beta * (u @ block)
        negative = -float(p[p < 0].sum())  # rounding and the error itself; it is set to 0 and counted
        exited = max(0.0, beta * float(self.outflow @ (spent @ block)))
        return np.maximum(p, 0.0), exited, error, rounding + negative

r"""exp(h A) p by a rational approximation: an implicit step of high order, stable for any h.

The subdiagonal Padé approximant [1]_ of :math:`e^z` with denominator of degree k has order 2k - 1 and vanishes at
infinity (L-stable: fast modes are damped, whatever their rate). In partial fractions,

.. math:: R(hA)\,p = \sum_j \rho_j\, (z_j - hA)^{-1} p,

each pole costs one factorisation, which serves all steps of equal h; poles come in conjugate pairs, of which one is
computed. Integrals over the step of any linear functional of p come with it, exact to rounding.

References
----------
.. [1] E. Hairer, G. Wanner, Solving Ordinary Differential Equations II (Springer, 1996).
   doi:10.1007/978-3-642-05221-7
"""

import functools
from math import factorial

import numpy as np

from acme_lib.augmented.resolvent import Resolvent


@functools.cache
def pade_fractions(k):
    """Return the poles z_j and residues ρ_j (doubled for a pair) of the approximant with k poles."""
    n = 2 * k - 1
    denominator = [
        (-1) ** j * factorial(n - j) * factorial(k) / (factorial(n) * factorial(j) * factorial(k - j))
        for j in range(k + 1)
    ]
    numerator = [
        factorial(n - j) * factorial(k - 1) / (factorial(n) * factorial(j) * factorial(k - 1 - j)) for j in range(k)
    ]
    denominator, numerator = np.polynomial.Polynomial(denominator), np.polynomial.Polynomial(numerator)
    slope = denominator.deriv()
    poles = denominator.roots().astype(complex)
    for _ in range(3):  # Newton: to the last digit
        poles = poles - denominator(poles) / slope(poles)
    pairs = []
    for pole in poles:
        if abs(pole.imag) < 1e-9:
            pairs.append((float(pole.real), float((-numerator(pole) / slope(pole)).real)))
        elif pole.imag > 0:
            pairs.append((complex(pole), complex(-2.0 * numerator(pole) / slope(pole))))
    # R(0) = 1 keeps the mass: remove what rounding left.
    excess = sum((rho / z).real for z, rho in pairs) - 1.0
    z, rho = pairs[-1]
    pairs[-1] = z, rho - (excess * z if isinstance(z, float) else excess * abs(z) ** 2 / z.conjugate())
    return tuple(pairs)


class Propagator:
    """Steps p(t) → p(t + h) of dp/dt = A p + s with constant A; keeps the factorisations of the steps it has met."""

    def __init__(self, terms, functionals, poles, keep=8):
        """Take `Terms`, linear functionals of shape (m, unknowns) to integrate, and the number of poles."""
        self.resolvent = Resolvent(terms)
        self.terms, self.functionals, self.fractions = terms, functionals, pade_fractions(poles)
        self.has_source = bool(np.any(terms.source))
        self._factors, self._keep = {}, keep
        self.factorisations = 0

    def _solvers(self, h):
        key = float(f"{h:.12e}")
        if key not in self._factors:
            while len(self._factors) >= self._keep:
                del self._factors[next(iter(self._factors))]
            self._factors[key] = [self.resolvent.factor(z, h) for z, _ in self.fractions]
            self.factorisations += len(self.fractions)
        return self._factors[key]

    def step(self, p, h):
        """Return p after a step h, and the integrals of the functionals over it."""
        new = np.zeros(self.terms.n_cells)
        integrals = np.zeros(len(self.functionals))
        for (z, rho), solve in zip(self.fractions, self._solvers(h), strict=True):
            u = solve(p + (h / z) * self.terms.source if self.has_source else p)
            new += (rho * u[: self.terms.n_cells]).real
            integrals += ((rho * h / z) * (self.functionals @ u)).real
        return new, integrals

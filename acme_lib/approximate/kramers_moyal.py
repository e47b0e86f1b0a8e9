"""The Kramers-Moyal expansion of one species."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from acme_lib.checks import check_whole
from acme_lib.errors import EquationError
from acme_lib.network import ReactionNetwork
from acme_lib.network.symbolic import Equations, derive, fresh_name, numeric, propensity_expressions, symbol


@dataclass(frozen=True, eq=False, repr=False)
class KramersMoyalExpansion(Equations):
    r"""The master equation of one species as a series of derivatives.

    .. math:: \frac{\partial p}{\partial t} = \sum_{m \ge 1} \frac{(-1)^m}{m!}
              \frac{\partial^m}{\partial x^m} \left[\alpha_m(x)\, p\right], \qquad \alpha_m = \sum_j s_j^m\, a_j

    Stopped at order 2 it is the Fokker-Planck equation; stopped anywhere beyond, it makes densities negative
    (Pawula [1]_), so that higher orders measure what is left out rather than correct it.

    Attributes
    ----------
    network : ReactionNetwork
        Of one species.
    order : int
    convention : {"discrete", "macroscopic"}
    coefficients : tuple of sympy.Expr
        :math:`\alpha_1, \alpha_2, …`

    References
    ----------
    .. [1] R. F. Pawula, Phys. Rev. 162, 186 (1967). doi:10.1103/PhysRev.162.186
    """

    network: ReactionNetwork
    order: int
    convention: str
    coefficients: tuple[sympy.Expr, ...]

    @classmethod
    def of(cls, network, order, convention):
        """Derive the coefficients of a network."""
        order = check_whole("order", order, 1)
        if len(network.species) != 1:
            raise EquationError(
                f"the network has {len(network.species)} species ({', '.join(network.species)}), and this expansion is "
                "of one; drift and diffusion of several are those of network.fokker_planck()"
            )
        fluxes = propensity_expressions(network, convention)
        steps = network.stoichiometry[:, 0].tolist()
        coefficients = tuple(
            sympy.Add(*(s**m * a for s, a in zip(steps, fluxes, strict=True))) for m in range(1, order + 1)
        )
        return cls(network, int(order), convention, coefficients)

    @cached_property
    def _numeric(self):
        return numeric(self.network, [symbol(self.network.species[0])], self.coefficients)

    def evaluate(self, x, t=0.0):
        """Return the coefficients at `x`, shape (order, …)."""
        return self._numeric(np.asarray(x, dtype=float)[None], t, self.network.parameters)

    def _rows(self, printer):
        name = fresh_name(["p", "P", "Pr"], self.network)
        x = symbol(self.network.species[0])
        lines = []
        for m, coefficient in enumerate(self.coefficients, start=1):
            sign, factor = "-" if m % 2 else "+", int(sympy.factorial(m))
            power = "" if m == 1 else f"^{{{m}}}" if printer.is_latex else f"^{m}"
            if printer.is_latex:
                d = rf"\frac{{\partial{power}}}{{\partial {printer(x)}{power}}}"
                d = d if factor == 1 else rf"\frac{{1}}{{{factor}}} {d}"
                lines.append(rf"{sign} {d} \left[\left({printer.sum([coefficient])}\right)\, {name}\right]")
            else:
                half = "" if factor == 1 else f"1/{factor} "
                lines.append(f"{sign} {half}d{power}/d{x}{power} [({printer.sum([coefficient])}) {name}]")
        left = rf"\frac{{\partial}}{{\partial t}} {name}" if printer.is_latex else f"d/dt {name}"
        return [(left, lines)]

    def _note(self):
        return "Counts are real numbers here." + (" The rest of the series is cut off." if self.order else "")


def expand_kramers_moyal(network, order=2, *, convention="discrete"):
    r"""Derive the Kramers-Moyal coefficients of a one-species network, :math:`\alpha_m(x) = \sum_j s_j^m\,a_j(x)`.

    For several species `ReactionNetwork.fokker_planck` has the drift vector and the diffusion matrix.

    Use when the question is what a Fokker-Planck equation leaves out: :math:`\alpha_3` is the third moment of jumps.

    Parameters
    ----------
    network : ReactionNetwork
        Of one species.
    order : int
        At least 1.
    convention : {"discrete", "macroscopic"}
        See `ReactionNetwork.rate_equations`.

    Returns
    -------
    KramersMoyalExpansion

    References
    ----------
    .. [1] H. Risken, The Fokker-Planck Equation (Springer, 1996). doi:10.1007/978-3-642-61544-3

    Examples
    --------
    >>> from acme_lib import models
    >>> expand_kramers_moyal(models.birth_death(k=10, g=1), 3).evaluate([4.0]).ravel().tolist()
    [6.0, 14.0, 6.0]
    """
    return derive(KramersMoyalExpansion, network, order, convention)

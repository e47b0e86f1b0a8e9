"""The chemical master equation of a network, flux by flux."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from acme_lib.errors import ParameterError
from acme_lib.network.symbolic import (
    TIME,
    Equations,
    fresh_name,
    numeric,
    propensity_expressions,
    symbol,
    values_of,
)


@dataclass(frozen=True)
class Flux:
    """What one reaction brings to a state and takes from it.

    Attributes
    ----------
    gain : sympy.Expr
        The propensity in the state from which the reaction leads here.
    source : tuple of sympy.Expr
        That state.
    loss : sympy.Expr
        The propensity here.
    """

    gain: sympy.Expr
    source: tuple[sympy.Expr, ...]
    loss: sympy.Expr


@dataclass(frozen=True, eq=False, repr=False)
class MasterEquation(Equations):
    r"""The chemical master equation, one gain and one loss for each reaction.

    .. math:: \frac{\partial p(x,t)}{\partial t} = \sum_j \left[a_j(x-s_j)\,p(x-s_j,t) - a_j(x)\,p(x,t)\right]

    Get it from `ReactionNetwork.master_equation`.

    Attributes
    ----------
    network : ReactionNetwork
    probability : sympy function
        p, a function of the counts and the time.
    fluxes : tuple of Flux
        One a reaction.

    References
    ----------
    .. [1] D. T. Gillespie, Physica A 188, 404 (1992). doi:10.1016/0378-4371(92)90283-V
    """

    network: object
    probability: object
    fluxes: tuple[Flux, ...]

    @classmethod
    def of(cls, network):
        """Derive the master equation of a network."""
        species = [symbol(name) for name in network.species]
        fluxes = []
        for a, change in zip(propensity_expressions(network, "discrete"), network.stoichiometry.tolist(), strict=True):
            source = tuple(n - s for n, s in zip(species, change, strict=True))
            gain = a.subs(dict(zip(species, source, strict=True)), simultaneous=True)
            fluxes.append(Flux(gain, source, a))
        return cls(network, sympy.Function(fresh_name(["p", "P", "Pr", "p"], network)), tuple(fluxes))

    @property
    def equation(self):
        """The whole equation as a ``sympy.Eq``."""
        here = self.probability(*self._species, TIME)
        right = [flux.gain * self.probability(*flux.source, TIME) - flux.loss * here for flux in self.fluxes]
        return sympy.Eq(sympy.Derivative(here, TIME), sympy.Add(*right), evaluate=False)

    @property
    def _species(self):
        return [symbol(name) for name in self.network.species]

    @cached_property
    def _numeric(self):
        expressions = [e for flux in self.fluxes for e in (flux.gain, flux.loss)]
        return numeric(self.network, self._species, expressions)

    def evaluate(self, p, t=0.0, **parameters):
        """Evaluate the right-hand side on a box of states; no probability comes from outside the box.

        Parameters
        ----------
        p : array_like, one axis a species
            ``p[n_1, n_2, …]``, the probability of the counts n_1, n_2, ….
        t : float
        **parameters : float
            Values other than the network's.

        Returns
        -------
        ndarray, shape of `p`
            dp/dt.
        """
        p = np.asarray(p, dtype=float)
        if p.ndim != len(self.network.species):
            raise ParameterError(
                f"p has {p.ndim} axes; expected one for each of the species {', '.join(self.network.species)}"
            )
        states = np.indices(p.shape)
        values = self._numeric(states, t, values_of(self.network, parameters))
        change = np.zeros(p.shape)
        for j, flux in enumerate(self.fluxes):
            shift = [int(source - n) for source, n in zip(flux.source, self._species, strict=True)]
            source = states + np.reshape(shift, (-1, *[1] * p.ndim))
            inside = np.all((source >= 0) & (source < np.reshape(p.shape, (-1, *[1] * p.ndim))), axis=0)
            change[inside] += values[2 * j][inside] * p[tuple(source[:, inside])]
            change -= values[2 * j + 1] * p
        return change

    def _rows(self, printer):
        def p(state):
            arguments = ", ".join([*(printer(n) for n in state), "t"])
            return f"{self.probability.__name__}({arguments})"

        dot = r"\," if printer.is_latex else "*"

        def times(factor, state):
            sign, text = printer.term(factor)
            return sign, p(state) if factor in (1, -1) else f"{text}{dot}{p(state)}"

        here = p(self._species)
        lines = []
        for flux in self.fluxes:
            # What does not depend on the state stands before the bracket; numbers stay within, as in P (P - 1)/2.
            constant, _ = flux.loss.as_independent(*self._species, TIME, as_Add=False)
            constant = constant.as_coeff_Mul()[1]
            sign, loss = times(flux.loss / constant, self._species)
            opposite = "+" if sign == "-" else "-"
            inner = printer.join([times(flux.gain / constant, flux.source), (opposite, loss)])
            bracket = rf"\left[{inner}\right]" if printer.is_latex else f"[{inner}]"
            lines.append(
                f"+ {'' if constant == 1 else printer.factor(constant) + ('' if printer.is_latex else '*')}{bracket}"
            )
        lines[0] = lines[0][2:]
        left = rf"\frac{{\partial}}{{\partial t}} {here}" if printer.is_latex else f"d/dt {here}"
        return [(left, lines)]

    def _note(self):
        return (
            f"One bracket a reaction: gain minus loss. ${self.probability.__name__} = 0$ where a count is negative. "
            "Mass action counts distinct sets of molecules: $n(n-1)/2$ pairs."
        )

"""The rate equations of a network."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from acme_lib.errors import EquationError
from acme_lib.network.symbolic import (
    TIME,
    Equations,
    Printer,
    convention_note,
    differentiate,
    fresh_name,
    net_drift,
    numeric,
    propensity_expressions,
    symbol,
    values_of,
)
from acme_lib.network.text import located


@dataclass(frozen=True, eq=False, repr=False)
class RateEquations(Equations):
    r"""The rate equations: what the counts would do without noise, :math:`d\phi/dt = \sum_j s_j\,a_j(\phi)`.

    Get them from `ReactionNetwork.rate_equations`, which says what the two conventions are.

    Attributes
    ----------
    network : ReactionNetwork
    convention : {"macroscopic", "discrete"}
    variables : tuple of sympy.Symbol
        One φ a species, in molecules.
    fluxes : tuple of sympy.Expr
        The propensities of the reactions at φ.
    """

    SOLVED_BY = {"fixed_point": "acme.find_fixed_points(network, x0)"}

    network: object
    convention: str
    variables: tuple[sympy.Symbol, ...]
    fluxes: tuple[sympy.Expr, ...]

    @classmethod
    def of(cls, network, convention="macroscopic"):
        """Derive the rate equations of a network."""
        variables = tuple(
            symbol(fresh_name([f"phi_{name}", f"varphi_{name}", f"phi_{name}"], network)) for name in network.species
        )
        return cls(network, convention, variables, propensity_expressions(network, convention, variables))

    @property
    def drift(self):
        """dφ/dt as expressions, one a species."""
        return net_drift(self.network, self.fluxes)

    @cached_property
    def jacobian(self):
        """Derivatives of `drift`: ``jacobian[i, k]`` is that of dφ_i/dt by φ_k.

        Raises
        ------
        EquationError
            If a rate has no derivative that SymPy can write, such as that of a Python function.
        """
        for reaction, a in zip(self.network.reactions, self.fluxes, strict=True):
            if any(a.diff(variable).has(sympy.Derivative, sympy.Subs) for variable in self.variables):
                raise located(
                    EquationError("the derivative of this rate cannot be written; give it as a smooth expression"),
                    reaction.line,
                    reaction.text,
                )
        return sympy.ImmutableMatrix(
            [[sympy.powsimp(differentiate(rate, variable)) for variable in self.variables] for rate in self.drift]
        )

    @cached_property
    def _numeric(self):
        return numeric(self.network, self.variables, self.drift)

    @cached_property
    def _numeric_jacobian(self):
        return numeric(self.network, self.variables, list(self.jacobian))

    def function(self, **parameters):
        """Return ``f(t, x)``, the right-hand side as ``scipy.integrate.solve_ivp`` takes it."""
        values = values_of(self.network, parameters)
        return lambda t, x: self._numeric(x, t, values)

    def evaluate(self, x, t=0.0, **parameters):
        """Return dφ/dt at `x`, shape (…, species)."""
        x = np.moveaxis(np.asarray(x, dtype=float), -1, 0)
        return np.moveaxis(self._numeric(x, t, values_of(self.network, parameters)), 0, -1)

    def evaluate_jacobian(self, x, t=0.0, **parameters):
        """Return the Jacobian at `x`, shape (…, species): an array of shape (…, species, species)."""
        x, n = np.moveaxis(np.asarray(x, dtype=float), -1, 0), len(self.variables)
        values = np.moveaxis(self._numeric_jacobian(x, t, values_of(self.network, parameters)), 0, -1)
        return values.reshape(*values.shape[:-1], n, n)

    def evaluate_fluxes(self, x, t=0.0, **parameters):
        """Return the propensities at `x`, shape (…, species): an array of shape (…, reaction)."""
        x = np.moveaxis(np.asarray(x, dtype=float), -1, 0)
        values = numeric(self.network, self.variables, self.fluxes)(x, t, values_of(self.network, parameters))
        return np.moveaxis(values, 0, -1)

    def _printer(self, latex):
        return Printer(latex, [*self.variables, TIME], phi_names(self))

    def _rows(self, printer):
        for i, variable in enumerate(self.variables):
            terms = [int(s) * a for s, a in zip(self.network.stoichiometry[:, i], self.fluxes, strict=True)]
            name = printer(variable)
            yield rf"\frac{{d {name}}}{{dt}}" if printer.is_latex else f"d/dt {name}", [printer.sum(terms)]

    def _note(self):
        return f"$\\phi$ in molecules. {convention_note(self.network, self.convention, 'phi')}"


def phi_names(rates):
    """Return the LaTeX of the variables φ."""
    pairs = zip(rates.variables, rates.network.species, strict=True)
    return {variable: rf"\phi_{{{sympy.latex(symbol(name))}}}" for variable, name in pairs}

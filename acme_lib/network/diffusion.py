"""The diffusion approximations of a network: Fokker-Planck and chemical Langevin equation."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from acme_lib.network.symbolic import (
    Equations,
    convention_note,
    diffusion_matrix,
    fresh_name,
    net_drift,
    numeric,
    propensity_expressions,
    symbol,
    values_of,
)


@dataclass(frozen=True, eq=False, repr=False)
class FokkerPlanckEquation(Equations):
    r"""The Kramers-Moyal expansion of the master equation to second order.

    .. math:: \frac{\partial p}{\partial t} = -\sum_i \frac{\partial}{\partial x_i} A_i\,p
              + \frac12 \sum_{ik} \frac{\partial^2}{\partial x_i \partial x_k} B_{ik}\,p,
              \qquad A = \sum_j s_j\,a_j, \quad B = \sum_j s_j s_j^T a_j

    Counts become real numbers here, and the law may leak below zero. Get it from `ReactionNetwork.fokker_planck`.

    Attributes
    ----------
    network : ReactionNetwork
    convention : {"discrete", "macroscopic"}
    fluxes : tuple of sympy.Expr
        The propensities.

    References
    ----------
    .. [1] D. T. Gillespie, J. Chem. Phys. 113, 297 (2000). doi:10.1063/1.481811
    """

    network: object
    convention: str
    fluxes: tuple[sympy.Expr, ...]

    @classmethod
    def of(cls, network, convention="discrete"):
        """Derive the Fokker-Planck equation of a network."""
        return cls(network, convention, propensity_expressions(network, convention))

    @property
    def drift(self):
        """A, one expression a species."""
        return net_drift(self.network, self.fluxes)

    @property
    def diffusion(self):
        """B, shape (species, species)."""
        return diffusion_matrix(self.network, self.fluxes)

    @cached_property
    def _numeric(self):
        species = [symbol(name) for name in self.network.species]
        return numeric(self.network, species, [*self.drift, *self.diffusion])

    def evaluate(self, x, t=0.0, **parameters):
        """Evaluate the coefficients.

        Parameters
        ----------
        x : array_like, shape (…, species)
        t : float
        **parameters : float

        Returns
        -------
        drift : ndarray, shape (…, species)
        diffusion : ndarray, shape (…, species, species)
        """
        x = np.moveaxis(np.asarray(x, dtype=float), -1, 0)
        n = len(self.network.species)
        values = np.moveaxis(self._numeric(x, t, values_of(self.network, parameters)), 0, -1)
        return values[..., :n], values[..., n:].reshape(*values.shape[:-1], n, n)

    def _rows(self, printer):
        name = fresh_name(["p", "P", "Pr", "p"], self.network)
        species = [symbol(s) for s in self.network.species]
        changes = self.network.stoichiometry.tolist()
        bracket = (r"\left[\left({}\right)\, " + name + r"\right]") if printer.is_latex else "[({}) " + name + "]"
        lines = []

        def add(sign, operator, terms):
            if text := [term for term in terms if term != 0]:
                lines.append(f"{sign} {operator} {bracket.format(printer.sum(text))}")

        for i, x in enumerate(species):
            d = rf"\frac{{\partial}}{{\partial {printer(x)}}}" if printer.is_latex else f"d/d{x}"
            add("-", d, [s[i] * a for s, a in zip(changes, self.fluxes, strict=True)])
        for i, x in enumerate(species):
            for k in range(i, len(species)):
                y, half = species[k], i == k
                if printer.is_latex:
                    below = rf"\partial {printer(x)}^2" if half else rf"\partial {printer(x)}\,\partial {printer(y)}"
                    d = (r"\frac{1}{2} " if half else "") + rf"\frac{{\partial^2}}{{{below}}}"
                else:
                    d = f"1/2 d^2/d{x}^2" if half else f"d^2/d{x}d{y}"
                add("+", d, [s[i] * s[k] * a for s, a in zip(changes, self.fluxes, strict=True)])
        arguments = ", ".join([*(printer(x) for x in species), "t"])
        left = (
            rf"\frac{{\partial}}{{\partial t}} {name}({arguments})" if printer.is_latex else f"d/dt {name}({arguments})"
        )
        return [(left, lines)]

    def _note(self):
        return f"Counts are real numbers here. {convention_note(self.network, self.convention, 'n')}"


@dataclass(frozen=True, eq=False, repr=False)
class LangevinEquation(Equations):
    r"""The chemical Langevin equation, with one Wiener process for each reaction.

    .. math:: dx = \sum_j s_j \left[a_j(x)\,dt + \sqrt{a_j(x)}\,dW_j\right] \qquad \text{(Itô)}

    Use when every reaction fires many times before its propensity changes much. It has the law of the Fokker-Planck
    equation of the same network. Get it from `ReactionNetwork.langevin`.

    Attributes
    ----------
    network : ReactionNetwork
    convention : {"discrete", "macroscopic"}
    fluxes : tuple of sympy.Expr
        The propensities.

    References
    ----------
    .. [1] D. T. Gillespie, J. Chem. Phys. 113, 297 (2000). doi:10.1063/1.481811
    """

    network: object
    convention: str
    fluxes: tuple[sympy.Expr, ...]

    @classmethod
    def of(cls, network, convention="discrete"):
        """Derive the Langevin equation of a network."""
        return cls(network, convention, propensity_expressions(network, convention))

    @property
    def drift(self):
        """One expression a species."""
        return net_drift(self.network, self.fluxes)

    @property
    def noise(self):
        """What multiplies the Wiener processes, shape (species, reaction)."""
        columns = self.network.stoichiometry.T.tolist()
        return sympy.ImmutableMatrix(
            [[s * sympy.sqrt(a) for s, a in zip(column, self.fluxes, strict=True)] for column in columns]
        )

    @cached_property
    def _numeric(self):
        species = [symbol(name) for name in self.network.species]
        return numeric(self.network, species, [*self.drift, *self.noise])

    def evaluate(self, x, t=0.0, **parameters):
        """Evaluate the coefficients.

        Parameters
        ----------
        x : array_like, shape (…, species)
        t : float
        **parameters : float

        Returns
        -------
        drift : ndarray, shape (…, species)
        noise : ndarray, shape (…, species, reaction)
            NaN where a propensity is negative.
        """
        x = np.moveaxis(np.asarray(x, dtype=float), -1, 0)
        n, m = len(self.network.species), len(self.network.reactions)
        values = np.moveaxis(self._numeric(x, t, values_of(self.network, parameters)), 0, -1)
        return values[..., :n], values[..., n:].reshape(*values.shape[:-1], n, m)

    def _rows(self, printer):
        for i, name in enumerate(self.network.species):
            changes = self.network.stoichiometry[:, i].tolist()
            drift = printer.sum([s * a for s, a in zip(changes, self.fluxes, strict=True)])
            noises = []
            for j, (s, a) in enumerate(zip(changes, self.fluxes, strict=True), start=1):
                if s and a != 0:
                    size = "" if abs(s) == 1 else f"{abs(s)}" + (r"\," if printer.is_latex else "*")
                    root = (
                        rf"\sqrt{{{printer.sum([a])}}}\,dW_{{{j}}}"
                        if printer.is_latex
                        else f"sqrt({printer.sum([a])})*dW_{j}"
                    )
                    noises.append(("-" if s < 0 else "+", size + root))
            d = rf"\left({drift}\right) \, dt" if printer.is_latex else f"({drift}) dt"
            yield f"d{printer(symbol(name))}", [printer.join([("+", d), *noises])]

    def _note(self):
        return (
            "Itô; $W_j$ are independent Wiener processes, one a reaction, numbered in the order of the reactions. "
            f"{convention_note(self.network, self.convention, 'n')}"
        )

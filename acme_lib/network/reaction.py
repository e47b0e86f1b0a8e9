"""One reaction of a network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from acme_lib.network.expression import Expression


@dataclass(frozen=True)
class Reaction:
    """One reaction channel.

    Attributes
    ----------
    reactants, products : mapping of str to int
        Molecules taken and given.
    rate : Expression
        The rate constant when `mass_action`, else the whole propensity.
    mass_action : bool
        Whether the rate multiplies the number of distinct sets of reactant molecules.
    line : int
        Line of the text that it came from.
    text : str
    """

    reactants: Mapping[str, int]
    products: Mapping[str, int]
    rate: Expression
    mass_action: bool
    line: int
    text: str

    def __hash__(self):
        """Equal reactions have equal hashes; read-only mappings have none of their own."""
        sides = frozenset(self.reactants.items()), frozenset(self.products.items())
        return hash((*sides, self.rate, self.mass_action, self.line))

    @property
    def equation(self):
        """The reaction as text, such as ``2 P -> D``."""
        return f"{side_text(self.reactants)} {'->' if self.mass_action else '=>'} {side_text(self.products)}"

    def propensity(self):
        """Return the propensity as a SymPy expression of species, parameters and `t`."""
        import sympy

        a = self.rate.sympy()
        if self.mass_action:
            for name, count in self.reactants.items():
                n = sympy.Symbol(name, real=True)
                # One division at the end: SymPy would write (P - 1)/2 as P/2 - 1/2.
                a *= sympy.prod([n - k for k in range(count)]) / sympy.factorial(count)
        return a

    def propensity_latex(self):
        """Return the propensity in LaTeX, rate constant first."""
        if not self.mass_action:
            return self.rate.latex()
        factor = self.rate.latex()
        if not isinstance(self.rate.sympy(), _atoms()):
            factor = rf"\left({factor}\right)"
        return r"\,".join([factor, *self._sets_latex()])

    def convention(self):
        """Return in words, with LaTeX, how the rate is meant."""
        if not self.mass_action:
            return "as given: the rate is the whole propensity"
        order = sum(self.reactants.values())
        if order < 2:
            return "mass action"
        sets = {2: "pairs of", 3: "triples of"}.get(order, f"sets of {order}")
        counted = r"\,".join(self._sets_latex())
        return f"mass action: constant times the distinct {sets} molecules, ${counted}$"

    def _sets_latex(self):
        for name, count in self.reactants.items():
            n = Expression.parse(name).latex()
            product = r"\,".join([n, *(rf"({n} - {k})" for k in range(1, count))])
            yield product if count == 1 else rf"\frac{{{product}}}{{{_factorial(count)}}}"


def _atoms():
    import sympy

    return sympy.Symbol | sympy.Number | sympy.Mul | sympy.Pow


def _factorial(n):
    return int(np.prod(np.arange(1, n + 1)))


def side_text(amounts):
    """Return one side of a reaction as text, such as ``2 P + M``."""
    return " + ".join(name if n == 1 else f"{n} {name}" for name, n in amounts.items()) or "0"

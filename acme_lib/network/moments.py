"""Moment equations of a network: exact, and saying whether they are closed."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import sympy

from acme_lib.checks import check_whole
from acme_lib.errors import EquationError
from acme_lib.network.symbolic import (
    TIME,
    Equations,
    Printer,
    numeric,
    propensity_expressions,
    symbol,
    values_of,
)
from acme_lib.network.text import located


@dataclass(frozen=True, eq=False, repr=False)
class MomentEquations(Equations):
    r"""Equations for the raw moments up to an order, exact for propensities that are polynomials of the counts.

    .. math:: \frac{d\langle x^\alpha\rangle}{dt}
              = \sum_j \left\langle a_j(x)\left[(x+s_j)^\alpha - x^\alpha\right]\right\rangle

    Get them from `ReactionNetwork.moment_equations`.

    Attributes
    ----------
    network : ReactionNetwork
    order : int
    moments : tuple of tuple of int
        The exponents α of each moment, in the order of the equations: ``(1, 0)`` is the mean of the first species.
    rates : tuple of dict
        Of each equation, the coefficients by exponents; those of order 0 are the constant.
    needs : tuple of tuple of int
        Moments of higher order on the right-hand sides. Where there are some, the equations are not closed.

    References
    ----------
    .. [1] C. S. Gillespie, IET Syst. Biol. 3, 52 (2009). doi:10.1049/iet-syb:20070031
    """

    SOLVED_BY = {
        "stationary": "acme.solve_stationary_moments(network, x0, order)",
        "start": "acme.solve_moments(network, x0, t, order)",
        "mean_and_covariance": "acme.solve_moments(network, x0, t, order)",
    }

    network: object
    order: int
    moments: tuple[tuple[int, ...], ...]
    rates: tuple[dict, ...]
    needs: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, network, order):
        """Derive the moment equations of a network."""
        order = check_whole("order", order, 1)
        species = [symbol(name) for name in network.species]
        propensities = [
            _polynomial(a, species, reaction)
            for reaction, a in zip(network.reactions, propensity_expressions(network, "discrete"), strict=True)
        ]
        moments = tuple(_exponents(len(species), order))
        rates = []
        for alpha in moments:
            total = sympy.Poly(0, *species)
            for a, change in zip(propensities, network.stoichiometry.tolist(), strict=True):
                after = sympy.prod((n + s) ** e for n, s, e in zip(species, change, alpha, strict=True))
                before = sympy.prod(n**e for n, e in zip(species, alpha, strict=True))
                total += a * sympy.Poly(after - before, *species)
            found = {exponents: sympy.factor_terms(c) for exponents, c in total.as_dict().items() if c != 0}
            rates.append(dict(sorted(found.items(), key=lambda item: _rank(item[0]))))
        higher = {exponents for rate in rates for exponents in rate if sum(exponents) > order}
        return cls(network, order, moments, tuple(rates), tuple(sorted(higher, key=_rank)))

    @property
    def closed(self):
        """Whether no moment of a higher order is needed."""
        return not self.needs

    def symbol(self, exponents):
        """Return the symbol of a moment, such as ``<M^2 P>``; the moment of order 0 is the number 1."""
        if not any(exponents):
            return sympy.Integer(1)
        return sympy.Symbol(f"<{self._monomial(exponents, False)}>", real=True)

    def _monomial(self, exponents, latex):
        powers = [
            (sympy.latex(symbol(name)) if latex else name, e)
            for name, e in zip(self.network.species, exponents, strict=True)
            if e
        ]
        raised = "{}^{{{}}}" if latex else "{}^{}"
        return (r"\," if latex else " ").join(x if e == 1 else raised.format(x, e) for x, e in powers)

    @property
    def right_hand_sides(self):
        """One expression a moment, linear in the symbols of the moments."""
        return tuple(sympy.Add(*(c * self.symbol(e) for e, c in rate.items())) for rate in self.rates)

    @cached_property
    def _numeric(self):
        return numeric(self.network, [self.symbol(e) for e in self.moments], self.right_hand_sides)

    def function(self, **parameters):
        """Return ``f(t, moments)``, the right-hand side as ``scipy.integrate.solve_ivp`` takes it.

        Raises
        ------
        EquationError
            If the equations are not closed.
        """
        self._demand_closed()
        values = values_of(self.network, parameters)
        return lambda t, moments: self._numeric(moments, t, values)

    def _demand_closed(self):
        if not self.closed:
            needed = ", ".join(str(self.symbol(exponents)) for exponents in self.needs)
            raise EquationError(
                f"the moment equations of order {self.order} are not closed: they need {needed}. "
                "Close them by an assumption, or solve the master equation"
            )

    def _printer(self, latex):
        names = {self.symbol(e): rf"\langle {self._monomial(e, True)} \rangle" for e in (*self.moments, *self.needs)}
        return Printer(latex, [*names, TIME], names)

    def _rows(self, printer):
        for exponents, rate in zip(self.moments, self.rates, strict=True):
            name = printer(self.symbol(exponents))
            left = rf"\frac{{d}}{{dt}} {name}" if printer.is_latex else f"d/dt {name}"
            yield left, [printer.sum(c * self.symbol(e) for e, c in rate.items())]

    def _note(self):
        if self.closed:
            return "Exact and closed: no higher moment is needed."
        printer = self._printer(True)
        needed = ", ".join(f"${printer(self.symbol(exponents))}$" for exponents in self.needs)
        return f"Exact, but not closed: higher moments are needed, {needed}."


def _polynomial(expression, species, reaction):
    # x**2.0, as text may have it, is x**2.
    expression = expression.replace(
        lambda e: e.is_Pow and e.exp.is_Float and float(e.exp).is_integer(), lambda e: e.base ** int(e.exp)
    )
    try:
        return sympy.Poly(expression, *species)
    except sympy.PolynomialError:
        raise located(
            EquationError(
                "this rate is not a polynomial of the counts, so that the moment equations have no finite form; "
                "solve the master equation, or approximate the rate by a polynomial"
            ),
            reaction.line,
            reaction.text,
        ) from None


def _exponents(n_species, order):
    """Yield all exponents of order 1 to `order`, means first, species in their order."""
    for degree in range(1, order + 1):
        for chosen in itertools.combinations_with_replacement(range(n_species), degree):
            yield tuple(chosen.count(i) for i in range(n_species))


def _rank(exponents):
    return sum(exponents), [-e for e in exponents]

"""Equations of the mean and the central moments of a network, closed by an assumption where they are not closed."""

import itertools
import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import sympy

from acme_lib.arrays import freeze
from acme_lib.checks import check_whole, expected
from acme_lib.errors import EquationError
from acme_lib.network.symbolic import TIME, Equations, Printer, fresh_name, numeric, propensity_expressions, symbol

CLOSURES = ("normal", "log-normal", "zero-cumulant")
_MOST_MOMENTS = 400


@dataclass(frozen=True, eq=False, repr=False)
class CentralMomentEquations(Equations):
    r"""Equations of the means :math:`\mu` and of the central moments :math:`M_\alpha = \langle y^\alpha\rangle`.

    .. math:: \dot\mu = \sum_j s_j \langle a_j(\mu + y) \rangle, \qquad
              \dot M_\alpha = \sum_j \left\langle a_j(\mu + y)\left[(y + s_j)^\alpha - y^\alpha\right]\right\rangle
              - \sum_i \alpha_i \dot\mu_i M_{\alpha - e_i}, \qquad y = x - \mu

    Species that a conservation law determines are replaced by the others. Rates that are polynomials of the counts
    stand exactly; others stand as their Taylor polynomial around the mean, of the degree of the moments.

    Attributes
    ----------
    network : ReactionNetwork
    order : int
    closure : {"normal", "log-normal", "zero-cumulant"} or None
    kept : tuple of int
        Places of the species that stay.
    recover : ndarray, shape (species, kept), and ``offset``, shape (species, law)
        ``x = recover @ x[kept] + offset @ sums`` for the sums of the conservation laws.
    exponents : tuple of tuple of int
        α of the central moments, over the species kept, after the means.
    rates : tuple of sympy.Expr
        Of the means, then of the moments.
    closures : mapping of sympy.Symbol to sympy.Expr
        What stands for the moments of higher order.
    taylor : bool
        Whether a rate is no polynomial.
    """

    network: object
    order: int
    closure: str | None
    kept: tuple[int, ...]
    recover: np.ndarray
    offset: np.ndarray
    exponents: tuple[tuple[int, ...], ...]
    rates: tuple[sympy.Expr, ...]
    closures: dict = field(repr=False)
    taylor: bool

    @classmethod
    def of(cls, network, order, closure):
        """Derive the equations of a network."""
        order = check_whole("order", order, 2)
        if closure is not None and closure not in CLOSURES:
            raise expected("closure", f"None or one of {', '.join(map(repr, CLOSURES))}", closure)
        kept, recover, offset = _eliminate(network)
        n = len(kept)
        count = math.comb(n + order, order)
        if count > _MOST_MOMENTS:
            raise EquationError(
                f"{n} species have {count} moments up to order {order}, more than {_MOST_MOMENTS}; lower the order"
            )
        names = [network.species[i] for i in kept]
        means = [sympy.Symbol(f"<{name}>", real=True) for name in names]
        sums = sums_of(network)
        full = dict(
            zip([symbol(name) for name in network.species], _combine(recover, offset, means, sums), strict=True)
        )
        zero = (0,) * n
        moments = {zero: sympy.Integer(1)} | {_unit(n, i): sympy.Integer(0) for i in range(n)}
        exponents = tuple(_of_degrees(n, 2, order))
        moments |= {alpha: _moment_symbol(names, alpha) for alpha in exponents}
        higher = {}

        def moment(alpha):
            if alpha not in moments:
                moments[alpha] = higher.setdefault(alpha, _moment_symbol(names, alpha))
            return moments[alpha]

        expansions, taylor = [], False
        for a in propensity_expressions(network, "discrete"):
            degree = _degree(a, [symbol(name) for name in network.species])
            taylor = taylor or degree is None
            expansions.append(_expand(a.xreplace(full), means, order if degree is None else degree))
        changes = network.stoichiometry[:, list(kept)].tolist()
        slopes = [
            sympy.Add(
                *(s[i] * c * moment(b) for e, s in zip(expansions, changes, strict=True) if s[i] for b, c in e.items())
            )
            for i in range(n)
        ]
        rates = list(slopes)
        for alpha in exponents:
            terms = [-alpha[i] * slopes[i] * moment(_minus(alpha, _unit(n, i))) for i in range(n) if alpha[i]]
            for e, s in zip(expansions, changes, strict=True):
                for gamma in itertools.product(*(range(a + 1) for a in alpha)):
                    weight = math.prod(math.comb(a, g) * k ** (a - g) for a, g, k in zip(alpha, gamma, s, strict=True))
                    if gamma != alpha and weight:
                        terms += [weight * c * moment(_plus(b, gamma)) for b, c in e.items()]
            rates.append(sympy.Add(*terms))
        rates = [sympy.expand(rate) if len(exponents) < 40 else rate for rate in rates]
        used = set().union(*(rate.free_symbols for rate in rates))
        higher = {alpha: s for alpha, s in higher.items() if s in used}
        if higher and closure is None:
            needed = ", ".join(str(s) for s in higher.values())
            raise EquationError(
                f"the moment equations of order {order} are not closed: they need {needed}. Close them by an "
                f"assumption (closure={', '.join(map(repr, CLOSURES))}), or solve the master equation"
            )
        closures = {s: _close(alpha, order, closure, means, names) for alpha, s in higher.items()}
        return cls(network, int(order), closure if higher else None, kept, recover, offset, exponents, tuple(rates),
                   closures, taylor)  # fmt: skip

    @property
    def closed(self):
        """Whether the equations are exact: no moment was closed, and no rate was approximated."""
        return not self.closures and not self.taylor

    @cached_property
    def variables(self):
        """Symbols of the means and the moments."""
        names = [self.network.species[i] for i in self.kept]
        means = [sympy.Symbol(f"<{name}>", real=True) for name in names]
        return (*means, *(_moment_symbol(names, alpha) for alpha in self.exponents))

    @cached_property
    def _numeric(self):
        rates = [rate.xreplace(self.closures) for rate in self.rates]
        return numeric(self.network, [*self.variables, *sums_of(self.network)], rates)

    @cached_property
    def _numeric_third(self):
        names = [self.network.species[i] for i in self.kept]
        means, n = self.variables[: len(names)], len(names)
        thirds = list(_of_degrees(n, 3, 3))
        values = [_close(alpha, 2, self.closure, means, names) for alpha in thirds]
        return thirds, numeric(self.network, [*self.variables, *sums_of(self.network)], values)

    def evaluate(self, z, sums, t=0.0):
        """Return the slopes of means and moments.

        Parameters
        ----------
        z : ndarray, shape (variable, …)
        sums : ndarray, shape (law,)
            The conserved sums.
        t : float
        """
        z = np.asarray(z, dtype=float)
        constant = np.broadcast_to(np.reshape(sums, (-1, *[1] * (z.ndim - 1))), (len(sums), *z.shape[1:]))
        return self._numeric(np.concatenate([z, constant]), t, self.network.parameters)

    def third_moments(self, z, sums):
        """Return exponents and values of the third central moments that the closure of order 2 takes for granted."""
        exponents, f = self._numeric_third
        return exponents, f(np.concatenate([z, sums]), 0.0, self.network.parameters)

    def _printer(self, latex):
        names = {}
        for name, mean in zip([self.network.species[i] for i in self.kept], self.variables, strict=False):
            names[mean] = rf"\langle {sympy.latex(symbol(name))} \rangle"
        kept = [sympy.latex(symbol(self.network.species[i])) for i in self.kept]
        for s in (*self.variables[len(self.kept) :], *self.closures):
            alpha = _exponents_of(s, [self.network.species[i] for i in self.kept])
            powers = (rf"\delta {x}" + (f"^{{{e}}}" if e > 1 else "") for x, e in zip(kept, alpha, strict=True) if e)
            names[s] = r"\langle " + r"\,".join(powers) + r" \rangle"
        return Printer(latex, [*names, TIME], names)

    def _rows(self, printer):
        for variable, rate in zip(self.variables, self.rates, strict=True):
            name = printer(variable)
            left = rf"\frac{{d}}{{dt}} {name}" if printer.is_latex else f"d/dt {name}"
            yield left, [printer.sum([rate])]
        for s, value in self.closures.items():
            yield printer(s), [printer.sum([value])]

    def _note(self):
        notes = [r"$\delta x$ is the deviation of x from its mean."]
        gone = [name for i, name in enumerate(self.network.species) if i not in self.kept]
        if gone:
            notes.append(
                f"{', '.join(gone)} follow from conservation: {', '.join(self.network.conservation_law_texts)}."
            )
        if self.taylor:
            notes.append(f"Rates that are no polynomials stand as their Taylor polynomials of degree {self.order}.")
        notes.append(f"Closure: {self.closure}." if self.closures else "Closed without an assumption.")
        return " ".join(notes)


def sums_of(network):
    """Return the symbols of the conserved sums."""
    return [
        symbol(fresh_name([f"total_{k + 1}", f"T_{k + 1}"], network)) for k in range(len(network.conservation_laws))
    ]


def _eliminate(network):
    """Return which species stay, and how the others follow from them and from the sums."""
    laws, n = network.conservation_laws, len(network.species)
    reduced, gone = sympy.Matrix(laws.tolist()).rref() if len(laws) else (None, ())
    kept = tuple(i for i in range(n) if i not in gone)
    recover, offset = np.zeros((n, len(kept))), np.zeros((n, len(laws)))
    recover[kept, range(len(kept))] = 1.0
    if len(laws):
        columns = sympy.Matrix(laws[:, list(gone)].tolist()).inv()
        offset[list(gone)] = np.array(columns.tolist(), dtype=float)
        recover[list(gone)] = -np.array(reduced[:, list(kept)].tolist(), dtype=float)
    freeze(recover, offset)
    return kept, recover, offset


def _combine(recover, offset, means, sums):
    for row, more in zip(recover, offset, strict=True):
        yield sympy.Add(*(sympy.nsimplify(c) * m for c, m in zip([*row, *more], [*means, *sums], strict=True) if c))


def _degree(a, species):
    """Return the degree of a polynomial, None of what is none."""
    whole = a.replace(
        lambda e: e.is_Pow and e.exp.is_Float and float(e.exp).is_integer(), lambda e: e.base ** int(e.exp)
    )
    try:
        return sympy.Poly(whole, *species).total_degree()
    except sympy.PolynomialError:
        return None


def _expand(a, means, degree):
    """Return the coefficients of the Taylor polynomial around the means, by exponents."""
    n = len(means)
    coefficients = {}
    for beta in [(0,) * n, *_of_degrees(n, 1, degree)]:
        value = a
        for variable, times in zip(means, beta, strict=True):
            if times:
                value = sympy.diff(value, variable, times)
        if value.has(sympy.Derivative, sympy.Subs):
            raise EquationError(
                "a rate has no derivative that can be written, so that its mean cannot be expanded; give it as a "
                "smooth expression"
            )
        if value != 0:
            coefficients[beta] = value / math.prod(math.factorial(b) for b in beta)
    return coefficients


def _close(alpha, order, closure, means, names):
    """Return what the closure puts for the central moment α."""
    n = len(means)

    def known(beta):
        degree = sum(beta)
        if degree == 0:
            return sympy.Integer(1)
        return sympy.Integer(0) if degree == 1 else _moment_symbol(names, beta)

    if closure == "log-normal":
        terms = []
        for gamma in itertools.product(*(range(a + 1) for a in alpha)):
            sign = (-1) ** (sum(alpha) - sum(gamma)) * math.prod(map(math.comb, alpha, gamma))
            factor = sympy.Integer(sign)
            for i in range(n):
                for k in range(i, n):
                    power = gamma[i] * (gamma[i] - 1) // 2 if i == k else gamma[i] * gamma[k]
                    if power:
                        pair = _plus(_unit(n, i), _unit(n, k))
                        factor *= (1 + known(pair) / (means[i] * means[k])) ** power
            terms.append(factor)
        return sympy.prod(m**a for m, a in zip(means, alpha, strict=True)) * sympy.Add(*terms)

    largest = 2 if closure == "normal" else order
    cumulants, closed = {}, {}

    def moment(beta):
        if sum(beta) <= largest:
            return known(beta)
        if beta not in closed:
            closed[beta] = sympy.Add(*_parts(beta, cumulant, moment))
        return closed[beta]

    def cumulant(beta):
        if sum(beta) > largest or sum(beta) < 2:
            return sympy.Integer(0)
        if beta not in cumulants:
            rest = sympy.Add(*(term for term in _parts(beta, cumulant, known, proper=True)))
            cumulants[beta] = sympy.expand(known(beta) - rest)
        return cumulants[beta]

    return sympy.expand(moment(alpha))


def _parts(alpha, cumulant, moment, proper=False):
    """Yield the terms of <y^α> = Σ C(α - e, β - e) κ_β <y^(α - β)> over β that hold e, the first species of α."""
    first = next(i for i, a in enumerate(alpha) if a)
    for beta in itertools.product(*(range(1 if i == first else 0, a + 1) for i, a in enumerate(alpha))):
        if proper and beta == alpha:
            continue
        weight = math.prod(
            math.comb(a - (i == first), b - (i == first)) for i, (a, b) in enumerate(zip(alpha, beta, strict=True))
        )
        if sum(beta) >= 2 and sum(alpha) - sum(beta) != 1:
            yield weight * cumulant(beta) * moment(_minus(alpha, beta))


def _moment_symbol(names, alpha):
    powers = (f"d{name}" + (f"^{a}" if a > 1 else "") for name, a in zip(names, alpha, strict=True) if a)
    return sympy.Symbol(f"<{' '.join(powers)}>", real=True)


def _exponents_of(moment, names):
    found = dict.fromkeys(names, 0)
    for power in str(moment)[1:-1].split(" "):
        name, _, exponent = power[1:].partition("^")
        found[name] = int(exponent or 1)
    return tuple(found.values())


def _of_degrees(n, low, high):
    for degree in range(low, high + 1):
        for chosen in itertools.combinations_with_replacement(range(n), degree):
            yield tuple(chosen.count(i) for i in range(n))


def _unit(n, i):
    return tuple(int(k == i) for k in range(n))


def _plus(a, b):
    return tuple(map(sum, zip(a, b, strict=True)))


def _minus(a, b):
    return tuple(x - y for x, y in zip(a, b, strict=True))

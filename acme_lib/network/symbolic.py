"""What the equations of a network share: symbols, display, and numbers from the expressions that are displayed."""

import copy
import functools
from types import MappingProxyType

import numpy as np
import sympy
from sympy.core.function import AppliedUndef

from acme_lib.checks import check_choice
from acme_lib.errors import EquationError

TIME = sympy.Symbol("t", real=True)
CONVENTIONS = ("discrete", "macroscopic")


def symbol(name):
    """Return the symbol of a species or parameter."""
    return sympy.Symbol(name, real=True)


def fresh_name(wanted, network):
    """Return the first of the names `wanted` that the network does not use itself."""
    taken = {*network.species, *network.parameters, *network.functions}
    return next((name for name in wanted if name not in taken), wanted[-1] + "_")


def propensity_expressions(network, convention, variables=None):
    """Return the propensities as expressions of `variables` (default: the symbols of the species).

    In the discrete convention mass action counts sets of molecules, ``n(n-1)/2`` pairs; in the macroscopic one it has
    the powers that this tends to for large n, ``n**2/2``. A propensity given as it is stays as it is.
    """
    check_choice("convention", convention, CONVENTIONS)
    species = [symbol(name) for name in network.species]
    expressions = []
    for reaction in network.reactions:
        a = reaction.propensity()
        if reaction.mass_action and convention == "macroscopic":
            a = reaction.rate.sympy()
            for name, count in reaction.reactants.items():
                a *= symbol(name) ** count / sympy.factorial(count)
        expressions.append(a if variables is None else a.subs(dict(zip(species, variables, strict=True))))
    return tuple(expressions)


def net_drift(network, fluxes):
    """Return Σ_j s_j a_j, one expression a species."""
    columns = network.stoichiometry.T.tolist()
    return tuple(sympy.Add(*(s * a for s, a in zip(column, fluxes, strict=True))) for column in columns)


def differentiate(expression, variable):
    """Return the derivative of an expression by a symbol, with a value at 0 wherever there is one.

    SymPy writes that of a power u^n as n u^n u'/u, which is 0/0 where u is 0; here it is n u^(n-1) u'.
    """
    if not expression.has(variable):
        return sympy.Integer(0)
    if isinstance(expression, sympy.Add):
        return sympy.Add(*(differentiate(part, variable) for part in expression.args))
    if isinstance(expression, sympy.Mul):
        return sympy.Add(
            *(
                sympy.Mul(*expression.args[:i], differentiate(part, variable), *expression.args[i + 1 :])
                for i, part in enumerate(expression.args)
            )
        )
    if isinstance(expression, sympy.Pow) and not expression.exp.has(variable):
        power = expression.exp * expression.base ** (expression.exp - 1)
        return power * differentiate(expression.base, variable)
    if isinstance(expression, sympy.Piecewise):
        return sympy.Piecewise(*((differentiate(part, variable), condition) for part, condition in expression.args))
    if isinstance(expression, sympy.Function) and not isinstance(expression, AppliedUndef | sympy.Abs):
        return sympy.Add(
            *(expression.fdiff(i) * differentiate(part, variable) for i, part in enumerate(expression.args, start=1))
        )
    return expression.diff(variable)


def diffusion_matrix(network, fluxes):
    """Return Σ_j s_j s_jᵀ a_j."""
    changes = network.stoichiometry.tolist()
    n = range(len(network.species))
    return sympy.ImmutableMatrix(
        [[sympy.Add(*(s[i] * s[k] * a for s, a in zip(changes, fluxes, strict=True))) for k in n] for i in n]
    )


def convention_note(network, convention, letter):
    """Say which convention mass action has, where it matters."""
    x = rf"\{letter}" if letter == "phi" else letter
    if all(max(r.reactants.values(), default=0) < 2 or not r.mass_action for r in network.reactions):
        return ""
    if convention == "macroscopic":
        return (
            f"Macroscopic convention: two molecules of one kind meet at $c\\,{x}^2/2$, the limit for large counts "
            f"of the discrete $c\\,{x}({x}-1)/2$."
        )
    return f"Discrete convention: two molecules of one kind meet at $c\\,{x}({x}-1)/2$."


def values_of(network, changes):
    """Return the values of all parameters, defined ones included, after some changes."""
    return (network.with_parameters(**changes) if changes else network).parameters


def numeric(network, variables, expressions):
    """Turn expressions into one function ``f(x, t, parameters)`` of arrays.

    `x` has shape (variable, …), the result (expression, …).
    """
    parameters = tuple(symbol(name) for name in network.parameters)
    functions = tuple(network.functions.items())
    compiled = _compile((*variables, TIME, *parameters), tuple(expressions), functions)

    def function(x, t, parameters):
        x = np.asarray(x, dtype=float)
        with np.errstate(all="ignore"):  # every branch of a condition is computed, also where it is not taken
            values = compiled(*x, t, *parameters.values())
        return np.array([np.broadcast_to(np.asarray(value, dtype=float), x.shape[1:]) for value in values])

    return function


@functools.lru_cache(maxsize=512)
def _compile(arguments, expressions, functions):
    def extreme(function):  # NumPy's own refuses to mix numbers and arrays
        return lambda values, axis=0: functools.reduce(function, values)

    own = {name: np.vectorize(function, otypes=[float]) for name, function in functions}
    own |= {"amin": extreme(np.minimum), "amax": extreme(np.maximum)}
    try:
        return sympy.lambdify(arguments, list(expressions), modules=[own, "numpy"], cse=True)
    except RecursionError:
        raise EquationError(
            "these expressions are too long to compile; take fewer reactions or a lower order"
        ) from None


class _Structure:
    """A network without the values of its parameters: equal for networks that have the same equations."""

    def __init__(self, network):
        self.network = network
        self.key = (network.species, network.reactions, tuple(network.parameters), tuple(network.functions.items()))

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return self.key == other.key


@functools.lru_cache(maxsize=256, typed=True)  # an order of 1.0 is refused, where one of 1 is in the cache or not
def _derive(kind, structure, *options):
    return kind.of(structure.network, *options)


def derive(kind, network, *options):
    """Return ``kind.of(network, *options)``, derived once for all values of the parameters."""
    try:
        return _derive(kind, _Structure(network), *options).rebind(network)
    except TypeError:  # what has no hash is no valid option either
        return kind.of(network, *options)


class Printer:
    """Writes expressions as LaTeX or as text, constants before variables."""

    def __init__(self, latex, variables, names=MappingProxyType({})):
        self.is_latex = latex
        self.variables = variables
        self.names = dict(names)

    def __call__(self, expression):
        """Write an expression."""
        if self.is_latex:
            return sympy.latex(expression, symbol_names=self.names, full_prec=False)
        return sympy.sstr(expression, full_prec=False)

    def factor(self, expression):
        """Write an expression that is multiplied to something."""
        if isinstance(expression, sympy.Add | sympy.Piecewise):
            plain = isinstance(expression, sympy.Piecewise) or any(
                part.is_Number for part in expression.args
            )  # P + 1 as everyone writes it
            text = self(expression) if plain else self.sum([expression])
            return rf"\left({text}\right)" if self.is_latex else f"({text})"
        return self(expression)

    def term(self, expression):
        """Write a term as (sign, text), constants first."""
        if expression == 0:
            return "+", "0"
        sign = "+"
        if not isinstance(expression, sympy.Add) and expression.could_extract_minus_sign():
            sign, expression = "-", -expression
        constant, rest = expression.as_independent(*self.variables, as_Add=False)
        if rest == 1 or constant == 1 or (constant.is_Rational and constant.p == 1):
            return sign, self.factor(constant if rest == 1 else expression)
        return sign, (r"\," if self.is_latex else "*").join([self.factor(constant), self.factor(rest)])

    def sum(self, expressions):
        """Write a sum in the given order; within one of its terms, constants come first and minus signs last."""
        return self.join(self.term(part) for e in expressions if e != 0 for part in self._parts(e))

    def _parts(self, expression):
        def place(part):
            return part.has(*self.variables), part.could_extract_minus_sign(), part.sort_key()

        return sorted(sympy.Add.make_args(expression), key=place)

    @staticmethod
    def join(terms):
        """Join (sign, text) pairs."""
        text = ""
        for sign, term in terms:
            text += f" {sign} {term}" if text else (f"-{term}" if sign == "-" else term)
        return text or "0"

    def matrix(self, rows):
        """Write a matrix of texts."""
        if self.is_latex:
            return r"\begin{pmatrix} " + r" \\ ".join(" & ".join(row) for row in rows) + r" \end{pmatrix}"
        return f"[{', '.join('[' + ', '.join(row) + ']' for row in rows)}]"


class Equations:
    """Equations of a network that show themselves: LaTeX in a notebook, text in `print`.

    A subclass has `network` and gives ``_rows(printer)``, pairs of a left side and the lines of a right side, and
    ``_note()``, what to know while reading them. They are displayed and evaluated; `acme_lib.approximate` solves them.
    """

    SOLVED_BY = MappingProxyType({})  # methods that solved once, and what to write now

    def __getattr__(self, name):
        """Say what solves the equations, for names of methods that did."""
        if name in type(self).SOLVED_BY:
            raise AttributeError(
                f"{type(self).__name__} shows its equations and does not solve them: write {self.SOLVED_BY[name]}"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def rebind(self, network):
        """Return the same equations for a network that differs in the values of its parameters alone."""
        other = copy.copy(self)
        object.__setattr__(other, "network", network)
        return other

    def _printer(self, latex):
        return Printer(latex, [symbol(name) for name in self.network.species] + [TIME])

    def latex(self):
        """Return the equations in LaTeX: an ``aligned`` block, without dollar signs."""
        lines = []
        for left, right in [*self._rows(self._printer(True)), *self._definitions(True)]:
            lines.append(rf"{left} ={{}}& {right[0]}")
            lines += [rf"&{{}}{line}" for line in right[1:]]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _definitions(self, latex):
        for d in self.network.definitions:
            if latex:
                yield sympy.latex(symbol(d.name)), [d.value.latex()]
            else:
                yield d.name, [d.value.text]

    def _repr_markdown_(self):
        return "\n\n".join(filter(None, [f"$$\n{self.latex()}\n$$", self._note().rstrip(), self._events("`{}`")]))

    def _events(self, form):
        """Say what interrupts the equations, each event in the form given; an empty string without events."""
        events = "; ".join(form.format(event) for event in self.network.events)
        return f"These equations hold between the events of the network: {events}." if events else ""

    def __str__(self):
        """Return the equations as text."""
        rows = [*self._rows(self._printer(False)), *self._definitions(False)]
        lines = [f"{left} = " + "\n    ".join(right) for left, right in rows]
        return "\n".join(filter(None, [*lines, self._events("{}")]))

    __repr__ = __str__

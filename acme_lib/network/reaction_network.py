"""Reaction networks: species, reactions, parameters, and the propensities they define."""

import copyreg
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from types import MappingProxyType

import numpy as np

from acme_lib.errors import NetworkSyntaxError, ParameterError, PropensityError
from acme_lib.network.expression import Expression, is_name, normal_name, suggest, why_no_name
from acme_lib.network.rates import build_rate_table, propensities_of_states
from acme_lib.network.text import located, read_lines

MAX_COUNT = 2**53  # kernels hold counts as floats, which are whole up to here


def _read_only(mapping):
    return MappingProxyType(mapping)


# Read-only mappings cannot be pickled by themselves; with this, networks travel to other processes and can be copied.
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))


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

    @property
    def equation(self):
        """The reaction as text, such as ``2 P -> D``."""
        return f"{_side(self.reactants)} {'->' if self.mass_action else '=>'} {_side(self.products)}"

    def propensity(self):
        """Return the propensity as a SymPy expression of species, parameters and `t`."""
        import sympy

        a = self.rate.sympy()
        if self.mass_action:
            for name, count in self.reactants.items():
                n = sympy.Symbol(name, real=True)
                for k in range(count):
                    a *= (n - k) / sympy.Integer(k + 1)
        return a

    def propensity_latex(self):
        """Return the propensity in LaTeX, rate constant first."""
        if not self.mass_action:
            return self.rate.latex()
        factor = self.rate.latex()
        if not isinstance(self.rate.sympy(), _atoms()):
            factor = rf"\left({factor}\right)"
        pieces = [factor]
        for name, count in self.reactants.items():
            n = Expression.parse(name).latex()
            falling = [n, *(rf"({n} - {k})" for k in range(1, count))]
            product = r"\,".join(falling)
            pieces.append(product if count == 1 else rf"\frac{{{product}}}{{{_factorial(count)}}}")
        return r"\,".join(pieces)


def _atoms():
    import sympy

    return sympy.Symbol | sympy.Number | sympy.Mul | sympy.Pow


def _factorial(n):
    return int(np.prod(np.arange(1, n + 1)))


def _side(amounts):
    return " + ".join(name if n == 1 else f"{n} {name}" for name, n in amounts.items()) or "0"


@dataclass(frozen=True)
class ReactionNetwork:
    r"""A reaction network with named species, reactions and parameters.

    Build one from text with `ReactionNetwork.parse`. ``->`` is mass action: the rate is a constant, and the propensity
    is that constant times the number of distinct sets of reactant molecules,

    .. math:: a_j(x) = c_j \prod_i \binom{x_i}{\nu_{ij}},

    so that ``2 P -> D : c`` has propensity :math:`c\,P(P-1)/2` [1]_. (Other tools write :math:`c\,P(P-1)` or
    :math:`c\,P^2`; their constant is then half of this one.) ``=>`` gives the whole propensity.

    Attributes
    ----------
    species : tuple of str
        In order of first appearance; the order of every state vector.
    reactions : tuple of Reaction
    parameters : mapping of str to float
        Values given and values defined in the text.

    References
    ----------
    .. [1] D. T. Gillespie, J. Phys. Chem. 81, 2340 (1977). doi:10.1021/j100540a008
    """

    species: tuple[str, ...]
    reactions: tuple[Reaction, ...]
    parameters: Mapping[str, float]
    definitions: tuple = field(default=(), repr=False)

    @classmethod
    def parse(cls, text, /, **parameters):
        r"""Read a network from text.

        Parameters
        ----------
        text : str
            One reaction a line: ``reactants -> products : rate``, with ``0`` for nothing, ``#`` for comments, ``->``
            for mass action, ``=>`` for a rate that is the whole propensity, ``A <-> B : k_f, k_b`` for both directions
            of a mass-action reaction. A line ``K = k_off/k_on`` defines a parameter from others. Rates are arithmetic
            (``+ - * / **``, comparisons, ``a if condition else b``, functions such as ``exp``, ``min``, ``hill``).
        **parameters : float
            A value for each name in the rates that is no species.

        Returns
        -------
        ReactionNetwork

        Raises
        ------
        NetworkSyntaxError, ParameterError, PropensityError
            Each shows the line and says how to mend it.

        Examples
        --------
        >>> network = ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=10, g=1)
        >>> network.species
        ('M',)
        """
        lines, definitions = read_lines(text)
        species = tuple(dict.fromkeys(name for line in lines for name in [*line.reactants, *line.products]))
        reactions = tuple(
            Reaction(
                MappingProxyType(line.reactants),
                MappingProxyType(line.products),
                line.rate,
                line.mass_action,
                line.number,
                line.text,
            )
            for line in lines
        )
        return cls._build(species, reactions, tuple(definitions), parameters)

    @classmethod
    def _build(cls, species, reactions, definitions, given):
        values = _check_given(given, species, definitions)
        known = [*values, *(d.name for d in definitions)]
        used = set()
        for item in [*reactions, *definitions]:
            number, expression = (item.line, item.rate) if isinstance(item, Reaction) else (item.number, item.value)
            allowed = [*known, *species] if isinstance(item, Reaction) else known
            for name in expression.names:
                if name not in allowed:
                    raise located(_unknown_name(name, species, known, item), number, item.text)
            used.update(expression.names)
        for name in values:
            if name not in used:
                raise ParameterError(
                    f"the parameter {name}={values[name]:g} stands in no rate{suggest(name, used - set(values))}; "
                    "remove it or use it"
                )
        network = cls(
            species,
            reactions,
            MappingProxyType({n: float(v) for n, v in _define(values, definitions, species).items()}),
            definitions,
        )
        _check_constants(network)
        return network

    def with_parameters(self, **changes):
        """Return the same network with some parameters changed; nothing is compiled anew.

        Raises
        ------
        ParameterError
            If a name is not one of the given parameters.
        """
        given = {name: self.parameters[name] for name in self.given_parameters}
        changes = {normal_name(name): value for name, value in changes.items()}
        for name in changes:
            if name not in given:
                what = "is defined in the text" if name in self.parameters else f"is no parameter{suggest(name, given)}"
                raise ParameterError(f"{name} {what}; the parameters to change are {', '.join(given) or 'none'}")
        return self._build(self.species, self.reactions, self.definitions, {**given, **changes})

    @cached_property
    def reactant_counts(self):
        """Molecules that each reaction takes, shape (reaction, species)."""
        return self._matrix(lambda reaction: reaction.reactants)

    @cached_property
    def stoichiometry(self):
        """Net change of each species in each reaction, shape (reaction, species)."""
        return self._matrix(lambda reaction: reaction.products, self.reactant_counts)

    def _matrix(self, side, minus=0):
        counts = np.array([[side(r).get(name, 0) for name in self.species] for r in self.reactions], dtype=np.int64)
        counts -= minus
        counts.flags.writeable = False
        return counts

    @property
    def uses_time(self):
        """Whether a rate depends on the time `t`."""
        return any(reaction.rate.uses_time for reaction in self.reactions)

    @cached_property
    def rate_table(self):
        """The network as the arrays that compiled kernels read (`acme_lib.network.rates.RateTable`)."""
        names, values = list(self.parameters), list(self.parameters.values())
        constants, factors = [], []
        for reaction in self.reactions:
            constant = self._constant_rate(reaction)
            constants.append(1.0 if constant is None else constant)
            factors.append(reaction.rate if constant is None else None)
        reactants = np.array([r.mass_action for r in self.reactions])[:, None] * self.reactant_counts
        return build_rate_table(constants, reactants, self.stoichiometry, factors, self.species, names, values)

    @cached_property
    def given_parameters(self):
        """Names of the parameters that were given, without those that the text defines."""
        defined = {d.name for d in self.definitions}
        return tuple(name for name in self.parameters if name not in defined)

    def rate_rows(self, rows, size):
        """Return scale and parameters of the rate table for many sets of parameters at once.

        Parameters
        ----------
        rows : mapping of str to ndarray, shape (size,)
            Given parameters that differ between the sets; the others keep their value.
        size : int

        Returns
        -------
        scale : ndarray, shape (size, reaction)
        values : ndarray, shape (size, parameter)

        Raises
        ------
        ParameterError, PropensityError
            If a set gives a rate that is not finite or negative; the message shows the line.
        """
        given = {name: rows.get(name, self.parameters[name]) for name in self.given_parameters}
        parameters = _define(given, self.definitions, self.species)
        values = np.empty((size, len(self.parameters)))
        for i, name in enumerate(self.parameters):
            values[:, i] = parameters[name]
        table = self.rate_table
        scale = np.ones((size, len(self.reactions)))
        for j, reaction in enumerate(self.reactions):
            if self._constant_rate(reaction) is not None:
                rates = np.broadcast_to(reaction.rate.evaluate(parameters), (size,))
                _check_constant(reaction, rates)
                scale[:, j] = rates * (0.5 if table.shift[j] else 1.0)  # a pair counts once: see RateTable
        return scale, values

    def _constant_rate(self, reaction):
        """Return the rate as a number, or None where it depends on the state or the time."""
        if reaction.rate.uses_time or any(name in self.species for name in reaction.rate.names):
            return None
        return float(reaction.rate.evaluate(self.parameters))

    def state(self, counts=None, /, **by_name):
        """Return a state vector from counts by name, a mapping or a sequence; species left out by name are 0.

        Returns
        -------
        ndarray of int64, shape (species,)

        Raises
        ------
        ParameterError
            For unknown species, a wrong length, or counts that are not whole and non-negative.
        """
        if counts is None or isinstance(counts, Mapping):
            named = {**(counts or {}), **by_name}
            for name in named:
                if name not in self.species:
                    raise ParameterError(
                        f"{name!r} is not a species of the network{suggest(name, self.species)}; "
                        f"it has {', '.join(self.species)}"
                    )
            values = [named.get(name, 0) for name in self.species]
        else:
            if by_name:
                raise ParameterError(f"a state came both as a sequence and by name ({', '.join(by_name)}); keep one")
            values = counts
        try:
            vector = np.asarray(values)
        except ValueError:  # rows of unequal length
            raise ParameterError(f"a state is one count a species; {values!r} came") from None
        if vector.shape != (len(self.species),):
            shape = f"length {vector.size}" if vector.ndim == 1 else f"shape {vector.shape}"
            raise ParameterError(
                f"the state has {shape}; the network has {len(self.species)} species ({', '.join(self.species)})"
            )
        return _counts(vector, values)

    def propensities(self, states, t=0.0):
        """Evaluate all propensities.

        Parameters
        ----------
        states : array_like of int, shape (species,) or (n, species), or mapping
            Molecule counts.
        t : float
            Time, for rates that depend on it.

        Returns
        -------
        ndarray, shape (reaction,) or (n, reaction)
            In events per unit of time.

        Raises
        ------
        PropensityError
            If one is negative or not finite; the message shows the line and the state.
        """
        single = isinstance(states, Mapping) or np.ndim(states) < 2
        table = np.atleast_2d(self.state(states)) if single else np.asarray(states)
        if table.ndim != 2 or table.shape[1] != len(self.species):
            raise ParameterError(
                f"states have shape {table.shape}; expected (n, {len(self.species)}) for {', '.join(self.species)}"
            )
        table = np.ascontiguousarray(_counts(table, states))
        values = np.empty((len(table), len(self.reactions)))
        with np.errstate(all="ignore"):  # in plain Python NumPy would warn of what is refused below
            propensities_of_states(table, float(t), self.rate_table.arrays, values)
        bad = np.argwhere(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            s, j = bad[0]
            raise self.propensity_error(j, values[s, j], table[s])
        values += 0.0  # the pairs of no molecule, 0 · (0 - 1), would show as -0.0
        return values[0] if single else values

    def propensity_error(self, j, value, state):
        """Return the error that says that reaction `j` has a bad propensity in `state`."""
        reaction = self.reactions[j]
        at = ", ".join(f"{name}={int(n)}" for name, n in zip(self.species, state, strict=False))
        what = "negative" if value < 0 else "not finite"
        return located(
            PropensityError(
                f"the propensity is {what} ({value:g}) in the state {at}; a propensity is a rate of events, "
                "zero or more in every state: change the rate or its parameters, for example with max(0, …)"
            ),
            reaction.line,
            reaction.text,
        )

    def shortage_error(self, j, state):
        """Return the error that says that reaction `j` may fire in `state` although its molecules are missing there."""
        reaction = self.reactions[j]
        at = ", ".join(f"{name}={int(n)}" for name, n in zip(self.species, state, strict=False))
        return located(
            PropensityError(
                f"the propensity is not zero in the state {at}, where molecules that the reaction takes are missing; "
                "multiply the rate by their count, or write '->' for mass action"
            ),
            reaction.line,
            reaction.text,
        )

    def __str__(self):
        """Return text that `parse` reads: definitions, reactions, and the values as a comment."""
        lines = [f"{reaction.equation} : {reaction.rate.text}" for reaction in self.reactions]
        lines = [f"{d.name} = {d.value.text}" for d in self.definitions] + lines
        return "\n".join([*lines, "# " + ", ".join(f"{k}={v:g}" for k, v in self.parameters.items())])

    def _repr_html_(self):
        rows = []
        for reaction in self.reactions:
            convention = "mass action" if reaction.mass_action else "as given"
            cells = (html.escape(reaction.equation), f"${reaction.propensity_latex()}$", convention)
            rows.append("<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>")
        head = "".join(f'<th style="text-align:left">{name}</th>' for name in ("reaction", "propensity", "rate law"))
        values = ", ".join(f"{html.escape(name)} = {value:g}" for name, value in self.parameters.items())
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
            f"<p>Species: {html.escape(', '.join(self.species))}. Parameters: {values or 'none'}.</p>"
        )


def _counts(array, came):
    """Return whole, non-negative counts as int64."""
    whole = array.dtype.kind in "iuf" and np.all(np.isfinite(array)) and np.all(array == np.floor(array))
    if not whole or np.any(array < 0) or np.any(array > MAX_COUNT):
        raise ParameterError(f"a state holds whole, non-negative counts of at most {MAX_COUNT:.0e}; {came!r} came")
    return array.astype(np.int64)


def _check_given(given, species, definitions):
    defined = {d.name for d in definitions}
    values = {}
    for name, value in given.items():
        name = normal_name(name)
        if name in species:
            raise ParameterError(
                f"{name} is a species and came as a parameter too; rename one, or give a start count in x0"
            )
        if not is_name(name):
            raise ParameterError(f"{name!r} cannot name a parameter: it is {why_no_name(name)}")
        if name in defined:
            raise ParameterError(f"{name} is defined in the text and came as a parameter too; keep one of the two")
        values[name] = _finite(value)
        if values[name] is None:
            raise ParameterError(f"the parameter {name} is a finite number; {value!r} came")
    return values


def _finite(value):
    """Return a real number as a finite float, or None."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if np.isfinite(number) else None


def _unknown_name(name, species, known, item):
    if name in species:
        return ParameterError(f"{name} is a species; a definition may use parameters only: put it into the rate")
    near = suggest(name, [*species, *known])
    kinds = f"a species ({', '.join(species)}) nor a parameter ({', '.join(known) or 'none given'})"
    return ParameterError(f"{name!r} is neither {kinds}{near}; correct it or give it a value: parse(text, {name}=…)")


def _define(values, definitions, species):
    """Evaluate definitions in the order in which they need each other."""
    values = dict(values)
    waiting = {d.name: d for d in definitions}
    for d in definitions:
        if d.name in species:
            error = NetworkSyntaxError(f"{d.name} is a species and is defined as a parameter too; rename one")
            raise located(error, d.number, d.text)
    if len(waiting) < len(definitions):
        twice = next(d for i, d in enumerate(definitions) if d.name in {e.name for e in definitions[:i]})
        raise located(NetworkSyntaxError(f"{twice.name} is defined twice; keep one"), twice.number, twice.text)
    while waiting:
        ready = [d for d in waiting.values() if all(name in values for name in d.value.names)]
        if not ready:
            stuck = next(iter(waiting.values()))
            raise located(
                NetworkSyntaxError("the definitions need each other in a circle; break it with a number"),
                stuck.number,
                stuck.text,
            )
        for d in ready:
            value = d.value.evaluate(values) if not d.value.uses_time else np.nan
            if not np.all(np.isfinite(value)):
                reason = "it uses the time t; put t into the rate" if d.value.uses_time else f"its value is {value}"
                raise located(ParameterError(f"{d.name} is not a finite number: {reason}"), d.number, d.text)
            values[d.name] = value
            del waiting[d.name]
    return values


def _check_constants(network):
    for reaction in network.reactions:
        value = network._constant_rate(reaction)
        if value is not None:
            _check_constant(reaction, np.atleast_1d(value))


def _check_constant(reaction, values):
    """Refuse a constant rate, given for one or many sets of parameters, that is negative or not finite."""
    bad = values[~(np.isfinite(values) & (values >= 0))]
    if len(bad) == 0:
        return
    if np.isfinite(bad[0]):
        error = PropensityError(
            f"the rate is negative ({bad[0]:g}), and so would be the propensity; a rate is zero or more: "
            "change its parameters"
        )
    else:
        error = ParameterError(f"the rate is not finite ({bad[0]}); change its parameters")
    raise located(error, reaction.line, reaction.text)

"""Reaction networks: species, reactions, parameters, and the propensities they define."""

import copyreg
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from acme_lib.arrays import freeze
from acme_lib.checks import expected
from acme_lib.errors import EmptyStartWarning, ParameterError, PropensityError
from acme_lib.network.checks import (
    check_constant,
    check_constants,
    check_event,
    check_functions,
    check_given,
    evaluate_definitions,
    substitute_event,
    unknown_name,
    warn_of_doubled_reactants,
)
from acme_lib.network.conservation import conservation_law_text, find_conservation_laws
from acme_lib.network.event import Event
from acme_lib.network.expression import Expression, normal_name, suggest
from acme_lib.network.network_table import network_table
from acme_lib.network.rates import build_rate_table, propensities_of_states
from acme_lib.network.reaction import Reaction
from acme_lib.network.text import located, read_lines

MAX_COUNT = 2**53  # kernels hold counts as floats, which are whole up to here


def _read_only(mapping):
    return MappingProxyType(mapping)


# Read-only mappings cannot be pickled by themselves; with this, networks travel to other processes and can be copied.
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))


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
        In order of first appearance, unless the text has a line of species; the order of every state vector.
    reactions : tuple of Reaction
    parameters : mapping of str to float
        Values given and values defined in the text.
    definitions : tuple
        The lines of the text that define a parameter or an observable.
    observables : mapping of str to Expression
        Quantities defined in the text from species or the time, in terms of species, parameters and `t` alone.
    events : tuple of Event
    functions : mapping of str to callable
        The Python functions that the rates call.

    References
    ----------
    .. [1] D. T. Gillespie, J. Phys. Chem. 81, 2340 (1977). doi:10.1021/j100540a008
    """

    species: tuple[str, ...]
    reactions: tuple[Reaction, ...]
    parameters: Mapping[str, float]
    definitions: tuple = field(default=(), repr=False)
    observables: Mapping[str, Expression] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    events: tuple[Event, ...] = field(default=(), repr=False)
    functions: Mapping = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def __hash__(self):
        """Equal networks have equal hashes."""
        return hash((self.species, self.reactions, frozenset(self.parameters.items()), self.definitions))

    def __getstate__(self):
        """Leave out what is computed on demand: the addresses of compiled functions hold in one process only."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def parse(cls, text, /, **parameters):
        r"""Read a network from text, one reaction or definition a line.

        ============================  ==================================================================================
        line                          meaning
        ============================  ==================================================================================
        ``M -> M + P : k``            mass action: the propensity is `k` times the number of distinct sets of reactant
                                      molecules, here :math:`k\,M`
        ``2 P -> D : c``              the sets are pairs: propensity :math:`c\,P(P-1)/2`; likewise ``3 P -> T : c``
                                      has :math:`c\,P(P-1)(P-2)/6`
        ``0 => P : v/(1 + P/K)``      the rate is the whole propensity, and nothing is multiplied to it
        ``A <-> B : k_f, k_b``        both directions, mass action
        ``0 => M : k*(1 + sin(t))``   a rate that depends on the time `t`
        ``K = k_off/k_on``            a parameter that is a function of others; it follows when they change
        ``total = P + 2*D``           an observable: a quantity of species or the time, which rates may use
        ``when P > 100 : P = 0``      an event; several changes are separated by commas; ``at 5 : P = 0`` at time 5,
                                      and ``at 0 : P = 9`` at the start
        ``at 20 : k = 0``             an event may set a parameter too, to a value or from what is: ``k = 5*k``; it
                                      keeps that value, and what is defined from it follows
        ``0 => P : rate(M, P, t)``    a Python or numba function, given as ``parse(text, rate=function)``
        ``species: M, P``             the order of the species; by default they come in order of first appearance
        ``# words``                   a comment
        ============================  ==================================================================================

        A side of a reaction is ``0`` for nothing, or species with whole numbers before them. Rates are arithmetic:
        ``+ - * / **``, comparisons, ``a if condition else b``, and the functions ``exp``, ``log``, ``sqrt``, ``abs``,
        ``floor``, ``ceil``, ``sin``, ``cos``, ``tanh``, ``min``, ``max``, ``mm(X, v, K)``, ``hill(X, v, K, n)`` and
        ``hillr(X, v, K, n)``.

        A function takes numbers (counts come as floats) and returns one, zero or more, the same for the same numbers.
        numba compiles it where it can; what numba cannot compile runs as Python, slower by a factor of a hundred. In
        the displayed equations it stands by its name alone: what can be written as an expression is better written so.

        Parameters
        ----------
        text : str
        **parameters : float or callable
            A value for each name in the rates that is no species, and a function for each name that is called.

        Returns
        -------
        ReactionNetwork

        Raises
        ------
        NetworkSyntaxError, ParameterError, PropensityError
            Each shows the line and says how to fix it.

        Warns
        -----
        RateLawWarning
            If a rate of mass action names its own reactant, as in ``U -> 0 : g*U``, whose propensity is g·U².

        Examples
        --------
        >>> network = ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=10, g=1)
        >>> network.species
        ('M',)
        """
        functions = {name: value for name, value in parameters.items() if callable(value)}
        parameters = {name: value for name, value in parameters.items() if name not in functions}
        lines, definitions, events, species = read_lines(text, functions)
        species = tuple(species)
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
        check_functions(functions, species, lines, definitions, events)
        network = cls.build(species, reactions, tuple(definitions), parameters, tuple(events), functions)
        warn_of_doubled_reactants(network)
        return network

    @classmethod
    def build(cls, species, reactions, definitions=(), parameters=None, events=(), functions=MappingProxyType({})):
        """Return a network from its parts, checked as `parse` checks text.

        Parameters
        ----------
        species : tuple of str
        reactions : tuple of Reaction
        definitions : tuple of DefinitionLine
            Their right-hand sides, the rates and the events may name each definition.
        parameters : mapping of str to float
            A value for each other name, and no more.
        events : tuple of Event
        functions : mapping of str to callable
            The Python functions that the expressions call.
        """
        twice = [name for i, name in enumerate(species) if name in species[:i]]
        if twice:
            raise ParameterError(f"the species {twice[0]!r} is named twice; name each once")
        given = parameters or {}
        values = check_given(given, species, definitions)
        known = [*values, *(d.name for d in definitions)]
        used = set()
        for item in [*reactions, *definitions]:
            number, expression = (item.line, item.rate) if isinstance(item, Reaction) else (item.number, item.value)
            for name in expression.names:
                if name not in known and name not in species:
                    raise located(unknown_name(name, species, known), number, item.text)
            used.update(expression.names)
        for event in events:
            used.update(check_event(event, species, values, definitions))
        for name in values:
            if name not in used:
                raise ParameterError(
                    f"the parameter {name}={values[name]:g} stands in no rate{suggest(name, used - set(values))}; "
                    "remove it or use it"
                )
        defined, observables = evaluate_definitions(values, definitions, species)
        reactions = tuple(replace(reaction, rate=reaction.rate.substitute(observables)) for reaction in reactions)
        network = cls(
            species,
            reactions,
            MappingProxyType({name: float(value) for name, value in defined.items()}),
            definitions,
            MappingProxyType(observables),
            tuple(substitute_event(event, observables) for event in events),
            MappingProxyType(dict(functions)),
        )
        check_constants(network)
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
        return self.build(
            self.species, self.reactions, self.definitions, {**given, **changes}, self.events, self.functions
        )

    def replace_parameter(self, name, value, **parameters):
        """Return the network with an expression in the place of a parameter, such as one that varies in time.

        Parameters
        ----------
        name : str
            A given parameter.
        value : Expression
            Of parameters, species and the time.
        **parameters : float
            Values of the names in `value` that are new.
        """
        self.refuse_change(name, f"{value.text} cannot stand in its place")
        swap = {name: value}
        given = {p: v for p, v in self.parameters.items() if p in self.given_parameters and p != name}
        return self.build(
            self.species,
            tuple(replace(reaction, rate=reaction.rate.substitute(swap)) for reaction in self.reactions),
            tuple(replace(d, value=d.value.substitute(swap)) for d in self.definitions),
            {**given, **parameters},
            tuple(substitute_event(event, swap) for event in self.events),
            self.functions,
        )

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
        return freeze(counts)

    @cached_property
    def conservation_laws(self):
        """Sums of counts that no reaction changes: a basis, shape (law, species), without minus signs where possible.

        `conservation_law_texts` says them in words.
        """
        return freeze(find_conservation_laws(self.stoichiometry))

    @property
    def conservation_law_texts(self):
        """The conservation laws as text, such as ``D_off + D_on = const``."""
        return tuple(conservation_law_text(law, self.species) for law in self.conservation_laws)

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

    @cached_property
    def changing_parameters(self):
        """Names of the parameters that events set, in the order of `parameters`."""
        changed = {name for event in self.events for name in event.assignments}
        return tuple(name for name in self.parameters if name in changed)

    def warn_of_empty_sums(self, starts):
        """Warn where a sum of counts that nothing changes is 0 in every start, such as a gene without any state.

        Parameters
        ----------
        starts : ndarray of int, shape (n, species)
        """
        set_by_events = {name for event in self.events for name in event.assignments}
        for law, text in zip(self.conservation_laws, self.conservation_law_texts, strict=True):
            names = [self.species[i] for i in np.flatnonzero(law)]
            needed = any(name in reaction.reactants for reaction in self.reactions for name in names)
            if needed and law.min() >= 0 and not set_by_events & set(names) and not np.any(starts @ law):
                warnings.warn(
                    f"the start has {text.replace('const', '0')}, which no reaction changes: what needs "
                    f"{' or '.join(names)} never happens. Start with some, for example {{{names[0]!r}: 1}}",
                    EmptyStartWarning,
                    stacklevel=4,
                )

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
        parameters, _ = evaluate_definitions(given, self.definitions, self.species)
        values = np.empty((size, len(self.parameters)))
        for i, name in enumerate(self.parameters):
            values[:, i] = parameters[name]
        table = self.rate_table
        scale = np.ones((size, len(self.reactions)))
        for j, reaction in enumerate(self.reactions):
            if self._constant_rate(reaction) is not None:
                rates = np.broadcast_to(reaction.rate.evaluate(parameters), (size,))
                check_constant(reaction, rates)
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
                raise ParameterError(f"a state was given as a sequence and by name ({', '.join(by_name)}); keep one")
            values = counts
        try:
            vector = np.asarray(values)
        except ValueError:  # rows of unequal length
            raise expected("a state", "one count a species", values) from None
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
            propensities_of_states(table, float(t), self.rate_table, values)
        bad = np.argwhere(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            s, j = bad[0]
            raise self.propensity_error(j, values[s, j], table[s])
        values += 0.0  # the pairs of no molecule, 0 · (0 - 1), would show as -0.0
        return values[0] if single else values

    def master_equation(self):
        """Derive the chemical master equation (`acme_lib.network.master_equation.MasterEquation`)."""
        from acme_lib.network.master_equation import MasterEquation

        return MasterEquation.of(self)

    def rate_equations(self, convention="macroscopic"):
        r"""Derive the rate equations (`acme_lib.network.rate_equations.RateEquations`).

        Parameters
        ----------
        convention : {"macroscopic", "discrete"}
            ``"macroscopic"``: the limit of large counts, in which ``2 P -> D : c`` runs at :math:`c\,\phi^2/2`.
            ``"discrete"``: the mean put into the propensity itself, :math:`c\,\phi(\phi-1)/2`. Either way
            :math:`\phi` is in molecules; for concentrations divide by the volume.
        """
        from acme_lib.network.rate_equations import RateEquations
        from acme_lib.network.symbolic import derive

        return derive(RateEquations, self, convention)

    def moment_equations(self, order=2):
        """Derive the equations of the raw moments up to `order` (`acme_lib.network.moments.MomentEquations`).

        Raises
        ------
        EquationError
            If a rate is not a polynomial of the counts; the message shows the line.
        """
        from acme_lib.network.moments import MomentEquations
        from acme_lib.network.symbolic import derive

        return derive(MomentEquations, self, order)

    def fokker_planck(self, convention="discrete"):
        """Derive the Fokker-Planck equation (`acme_lib.network.diffusion.FokkerPlanckEquation`)."""
        from acme_lib.network.diffusion import FokkerPlanckEquation
        from acme_lib.network.symbolic import derive

        return derive(FokkerPlanckEquation, self, convention)

    def langevin(self, convention="discrete"):
        """Derive the chemical Langevin equation (`acme_lib.network.diffusion.LangevinEquation`)."""
        from acme_lib.network.diffusion import LangevinEquation
        from acme_lib.network.symbolic import derive

        return derive(LangevinEquation, self, convention)

    def linear_noise(self, convention="macroscopic"):
        """Derive the linear noise approximation (`acme_lib.network.linear_noise.LinearNoise`).

        Raises
        ------
        EquationError
            If a rate has no derivative that can be written; the message shows the line.
        """
        from acme_lib.network.linear_noise import LinearNoise
        from acme_lib.network.symbolic import derive

        return derive(LinearNoise, self, convention)

    def propensity_error(self, j, value, state, t=None):
        """Return the error that says that reaction `j` has a bad propensity in `state`, at time `t` where given."""
        reaction = self.reactions[j]
        at = ", ".join(f"{name}={int(n)}" for name, n in zip(self.species, state, strict=False))
        at += "" if t is None else f" at t={t:g}"
        what = "negative" if value < 0 else "not finite"
        return located(
            PropensityError(
                f"the propensity is {what} ({value:g}) in the state {at}{self._why(reaction, state)}; a propensity is "
                "a rate of events, zero or more in every state: change the rate or its parameters, for example with "
                "max(0, …)"
            ),
            reaction.line,
            reaction.text,
        )

    def _why(self, reaction, state):
        """Return what a Python function raised in `state`, which compiled code cannot say; or an empty string."""
        if reaction.rate.functions and not reaction.rate.uses_time:
            try:
                reaction.rate.evaluate({**self.parameters, **dict(zip(self.species, state, strict=False))})
            except PropensityError as error:
                return f", where {error}"
        return ""

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

    def observable(self, name, counts, t=0.0, *, parameters=None):
        """Return the value of an observable.

        Parameters
        ----------
        name : str
        counts : array_like, shape (..., species)
        t : array_like
            Times; of a shape that fits ``counts.shape[:-1]``, such as (time,) for an ensemble's counts.
        parameters : mapping of str to array_like, optional
            Other values of parameters, given ones or `changing_parameters`, such as one a trajectory; of a shape that
            fits likewise.

        Returns
        -------
        ndarray, shape ``counts.shape[:-1]``
        """
        if name not in self.observables:
            known = ", ".join(self.observables) or "none"
            raise ParameterError(f"{name!r} is not an observable{suggest(str(name), self.observables)}: {known}")
        counts = np.asarray(counts, dtype=float)
        if counts.ndim == 0 or counts.shape[-1] != len(self.species):
            raise ParameterError(
                f"counts have shape {counts.shape}; expected (..., {len(self.species)}) for {', '.join(self.species)}"
            )
        values = dict(self.parameters)
        if parameters:
            given = {name: self.parameters[name] for name in self.given_parameters} | dict(parameters)
            following = [d for d in self.definitions if d.name not in parameters]
            values, _ = evaluate_definitions(given, following, self.species)
        values |= {**{s: counts[..., i] for i, s in enumerate(self.species)}, "t": t}
        return np.broadcast_to(self.observables[name].evaluate(values), counts.shape[:-1]).copy()

    def refuse_time(self, why, error=ParameterError):
        """Raise the error that shows the first rate that depends on the time `t` and says why none may."""
        for reaction in self.reactions:
            if reaction.rate.uses_time:
                raise located(error(f"this rate depends on the time t, {why}"), reaction.line, reaction.text)

    def refuse_change(self, name, why):
        """Raise the error that an event sets the parameter `name`, if one does, and so `why`."""
        for event in self.events:
            if name in event.assignments:
                raise located(ParameterError(f"an event sets {name}, so that {why}"), event.line, event.text)

    def refuse_events(self, what):
        """Raise the error that `what` does not take events, if the network has one."""
        if self.events:
            event = self.events[0]
            error = ParameterError(
                f"{what} does not take events, and the network has {len(self.events)} ({event.name} first); "
                "leave the events out"
            )
            raise located(error, event.line, event.text)

    def __str__(self):
        """Return text that `parse` reads: definitions, reactions, events, and the values as a comment.

        Where the species stand in another order than that of first appearance, a line of its own keeps it.
        """
        lines = [f"{reaction.equation} : {reaction.rate.text}" for reaction in self.reactions]
        lines = [f"{d.name} = {d.value.text}" for d in self.definitions] + lines
        lines += map(str, self.events)
        appearing = dict.fromkeys(name for r in self.reactions for name in [*r.reactants, *r.products])
        if tuple(appearing) != self.species:
            lines.insert(0, f"species: {', '.join(self.species)}")
        return "\n".join([*lines, "# " + ", ".join(f"{k}={v:g}" for k, v in self.parameters.items())])

    def _repr_html_(self):
        return network_table(self)


def _counts(array, came):
    """Return whole, non-negative counts as int64."""
    whole = array.dtype.kind in "iuf" and np.all(np.isfinite(array)) and np.all(array == np.floor(array))
    if not whole or np.any(array < 0) or np.any(array > MAX_COUNT):
        raise expected("a state", f"whole, non-negative counts of at most {MAX_COUNT:.0e}", came)
    return array.astype(np.int64)

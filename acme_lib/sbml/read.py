"""Reading SBML: a document becomes a `ReactionNetwork` and its initial state."""

import ast
from dataclasses import dataclass
from types import MappingProxyType

from acme_lib.errors import SBMLError
from acme_lib.network import Event, Reaction, ReactionNetwork
from acme_lib.network.expression import is_name
from acme_lib.network.reaction_network import MAX_COUNT
from acme_lib.network.text import DefinitionLine
from acme_lib.sbml.document import load_document, read_stoichiometry, refusal
from acme_lib.sbml.formula import binary, constant, name, read_formula, to_expression
from acme_lib.sbml.mass_action import find_constant, split_reversible, subtracts


def read_sbml(path):
    r"""Read a network and its initial state from an SBML file of Level 2 or 3.

    A kinetic law is taken literally as the propensity, as in the SBML discrete stochastic models test suite [1]_: a law
    ``k*P*(P - 1)/2`` of ``2 P -> D`` counts pairs, and a law ``k*P*P`` is that propensity too, also with one molecule,
    where the simulation then says that a molecule is missing. Where a law is exactly mass action the reaction becomes
    a mass-action reaction of the same propensity, which is simulated faster.

    Use when a model comes from another tool, or from a collection such as BioModels, and counts molecules.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    network : ReactionNetwork
        Names are the identifiers, with ``_`` behind what cannot be a name here (such as ``t`` or ``exp``). A local
        parameter ``k`` of the reaction ``R`` is called ``R_k``.
    x0 : dict of str to int
        Molecules of each species at the start.

    Raises
    ------
    SBMLError
        If the document is not valid or uses what is not supported; the message names the element.
    FileNotFoundError
        If there is no such file.
    MissingExtraError
        If python-libsbml is not installed: ``pip install ".[sbml]"`` in the repository.

    Notes
    -----
    Counts are always molecules. The symbol of a species means its concentration unless ``hasOnlySubstanceUnits`` is
    true, and is written as count over compartment size, where the compartment is a parameter. Amounts without a
    declared unit are molecules; other units, such as mole, are refused.

    - A constant species, or a boundary species that no rule or event changes, becomes a parameter (its amount) where a
      formula uses it; where none does, such as a source or a sink, it is a species whose count stays.
    - The variable of an assignment rule becomes a definition of the network: an observable if its value changes. For a
      species it is its amount.
    - Initial assignments are evaluated once, at t = 0.
    - A reversible law is split into two reactions where it is a difference of mass-action terms. It is one reaction
      where it subtracts nothing, and refused otherwise.
    - Events assign species, parameters and sizes of compartments, without delay; a compartment that changes its size
      keeps its molecules. Where there are several, priorities, triggers that do not persist and values
      taken at execution are refused: alone, an event means the same without them.
    - Refused are also rate rules, algebraic rules, constraints, fast reactions, stoichiometries that are computed or
      not whole, compartments that follow a rule, conversion factors, required packages of Level 3, and the functions
      delay, rateOf, factorial, quotient, rem and the inverse trigonometric ones.
    - A reaction that changes no count is left out, and so is a parameter that nothing uses.

    References
    ----------
    .. [1] T. W. Evans, C. S. Gillespie, D. J. Wilkinson, Bioinformatics 24, 285 (2008).
       doi:10.1093/bioinformatics/btm566

    Examples
    --------
    ``network, x0 = acme.read_sbml("model.xml")``, then ``acme.simulate_ssa(network, x0, 50, size=1000, rng=rng)``.
    """
    document = load_document(path)  # the model lives no longer than its document
    try:
        return _read_model(document.getModel())
    except RecursionError:
        raise SBMLError("a formula is too deeply nested to be read; define its parts by assignment rules") from None


def _read_model(model):
    symbols = _read_symbols(model)
    definitions = tuple(_read_rule(model, rule, symbols) for rule in _items(model.getListOfRules()))
    species = tuple(symbols.names[s.getId()] for s in _items(model.getListOfSpecies()) if s.getId() in symbols.counted)
    changing = {*species, *(d.name for d in definitions)}
    reactions, local_values = [], {}
    for reaction in _items(model.getListOfReactions()):
        reactions += _read_reaction(reaction, symbols, changing, local_values)
    if not reactions:
        raise refusal("model", "no reaction changes a count of molecules", "add a reaction")
    events = tuple(_read_events(model, symbols))
    values = _Values(model, symbols, local_values)
    expressions = [r.rate for r in reactions] + [d.value for d in definitions]
    expressions += [expression for event in events for expression in event.expressions]
    defined = {d.name for d in definitions}
    names = [n for e in expressions for n in e.names] + [n for event in events for n in event.assignments]
    used = dict.fromkeys(n for n in names if n not in species and n not in defined)
    parameters = {n: values[n] for n in used}
    still = {n for n in _constant_species(model, symbols) if n not in used and values.is_count(n)}
    recorded = tuple(symbols.names[s.getId()] for s in _items(model.getListOfSpecies()))
    recorded = tuple(n for n in recorded if n in species or n in still)
    network = ReactionNetwork.build(recorded, tuple(reactions), definitions, parameters, events)
    return network, {n: _whole(n, values[n]) for n in recorded}


def _constant_species(model, symbols):
    """Return the names of the species that nothing changes: no reaction, no event and no rule."""
    ruled = {rule.getVariable() for rule in _items(model.getListOfRules())}
    found = (s.getId() for s in _items(model.getListOfSpecies()))
    return [symbols.names[s] for s in found if s not in symbols.counted and s not in ruled]


@dataclass(frozen=True)
class _Symbols:
    """What identifiers mean.

    Attributes
    ----------
    names : dict of str to str
        The name here of each compartment, species and parameter.
    trees : dict of str to ast.expr or str
        What stands for an identifier in a formula; a text says why it may not stand there.
    functions : dict of str to libsbml.ASTNode
    counted : set of str
        The species that are state, rather than parameters or observables.
    volumes : dict of str to str
        The compartment, by name, of each species whose symbol means a concentration.
    """

    names: dict
    trees: dict
    functions: dict
    counted: set
    volumes: dict


def _items(collection):
    return [collection.get(i) for i in range(collection.size())]


def _unique_name(wanted, taken):
    while not is_name(wanted) or wanted in taken:
        wanted += "_"
    return wanted


def _read_symbols(model):
    names, trees, volumes = {}, {}, {}
    identifiers = _identifiers(model)
    for collection in (model.getListOfSpecies(), model.getListOfParameters(), model.getListOfCompartments()):
        for item in _items(collection):
            # Identifiers are unique; only what had to be changed may meet another one.
            others = {*names.values(), *identifiers} - {item.getId()}
            names[item.getId()] = _unique_name(item.getId(), others)
            trees[item.getId()] = name(names[item.getId()])
    for species in _items(model.getListOfSpecies()):
        if not species.getHasOnlySubstanceUnits():
            compartment = model.getCompartment(species.getCompartment())
            if compartment.getSpatialDimensionsAsDouble() == 0:
                reason = f"it is a concentration, and its compartment {compartment.getId()!r} has no dimensions"
                trees[species.getId()] = reason
            else:
                volumes[species.getId()] = names[compartment.getId()]
                trees[species.getId()] = binary(trees[species.getId()], ast.Div, name(names[compartment.getId()]))
    for reaction in _items(model.getListOfReactions()):
        trees[reaction.getId()] = "it is a reaction, and the rate of a reaction is not supported as a quantity"
        for reference in [*_items(reaction.getListOfReactants()), *_items(reaction.getListOfProducts())]:
            if reference.getIdAttribute():
                trees[reference.getIdAttribute()] = "it is a stoichiometry"
    functions = {f.getId(): f.getMath() for f in _items(model.getListOfFunctionDefinitions()) if f.isSetMath()}
    return _Symbols(names, trees, functions, _counted_species(model), volumes)


def _identifiers(model):
    lists = (model.getListOfSpecies(), model.getListOfParameters(), model.getListOfCompartments())
    return {item.getId() for collection in lists for item in _items(collection)}


def _counted_species(model):
    """Return the species that are state: all but those of rules and those that nothing may change."""
    ruled = {rule.getVariable() for rule in _items(model.getListOfRules())}
    assigned = {a.getVariable() for e in _items(model.getListOfEvents()) for a in _items(e.getListOfEventAssignments())}
    return {
        s.getId()
        for s in _items(model.getListOfSpecies())
        if s.getId() not in ruled and not s.getConstant() and (not s.getBoundaryCondition() or s.getId() in assigned)
    }


def _formula(node, symbols, where, local=()):
    return read_formula(node, {**symbols.trees, **dict(local)}, symbols.functions, where)


def _as_amount(tree, identifier, symbols, sizes=MappingProxyType({})):
    """Return the amount that makes the symbol of a species, or another symbol, take the value `tree`.

    `sizes` are formulas of the compartments, by name, that change at the same moment.
    """
    volume = symbols.volumes.get(identifier)
    return tree if volume is None else binary(tree, ast.Mult, sizes.get(volume, name(volume)))


def _read_rule(model, rule, symbols):
    variable = rule.getVariable()
    where = f"assignment rule for {variable!r}"
    value = to_expression(_as_amount(_formula(rule.getMath(), symbols, where), variable, symbols))
    target = symbols.names[variable]
    return DefinitionLine(rule.getLine(), f"{where}: {target} = {value.text}", target, value)


def _read_reaction(reaction, symbols, changing, local_values):
    """Return the channels of a reaction: one, two where it is reversible, none where it changes no count."""
    identifier = reaction.getId()
    where = f"reaction {identifier!r}"
    law = reaction.getKineticLaw()
    local = {}
    parameters = law.getListOfLocalParameters() if reaction.getLevel() > 2 else law.getListOfParameters()
    for parameter in _items(parameters):
        taken = {*symbols.names.values(), *local_values}
        key = _unique_name(f"{identifier}_{parameter.getId()}", taken)
        if not parameter.isSetValue():
            raise refusal(where, f"its local parameter {parameter.getId()!r} has no value", "give it one")
        local_values[key] = parameter.getValue()
        local[parameter.getId()] = name(key)
    tree = _formula(law.getMath(), symbols, where, local)
    reactants = _read_side(reaction.getListOfReactants(), symbols)
    products = _read_side(reaction.getListOfProducts(), symbols)
    if reactants == products:
        return []
    directions = [(reactants, products, tree)]
    if reaction.getReversible() and subtracts(tree, changing):
        laws = split_reversible(tree, reactants, products, changing)
        if laws is None:
            raise refusal(
                where,
                f"its reversible law {ast.unparse(tree)!r} is no difference of mass-action terms of its reactants and "
                "its products, so that the two directions cannot be told apart",
                "write one irreversible reaction for each direction",
            )
        directions = [(reactants, products, laws[0]), (products, reactants, laws[1])]
    return [_channel(where, reaction.getLine(), *direction, changing) for direction in directions]


def _channel(where, line, reactants, products, tree, changing):
    factor = find_constant(tree, reactants, changing)
    rate = to_expression(tree if factor is None else factor)
    sides = MappingProxyType(reactants), MappingProxyType(products)
    channel = Reaction(*sides, rate, factor is not None, line, "")
    return Reaction(*sides, rate, factor is not None, line, f"{where}: {channel.equation} : {rate.text}")


def _read_side(references, symbols):
    """Return the molecules of one side; what is no state is not taken or given."""
    side = {}
    for reference in _items(references):
        species = reference.getSpecies()
        boundary = reference.getModel().getSpecies(species).getBoundaryCondition()
        number = int(read_stoichiometry(reference))
        if species in symbols.counted and not boundary and number > 0:
            side[symbols.names[species]] = side.get(symbols.names[species], 0) + number
    return side


def _read_events(model, symbols):
    """Yield the events that assign something."""
    events = [event for event in _items(model.getListOfEvents()) if event.getNumEventAssignments()]
    for i, event in enumerate(events):
        title = event.getIdAttribute() or f"event_{i + 1}"
        where = f"event {title!r}"
        _refuse_event(event, where, alone=len(events) == 1)
        trigger = to_expression(_formula(event.getTrigger().getMath(), symbols, where))
        if not trigger.is_condition:
            trigger = to_expression(ast.Compare(trigger.tree, [ast.NotEq()], [constant(0)]))
        trees = {}
        for assignment in _items(event.getListOfEventAssignments()):
            variable = assignment.getVariable()
            sizes = (model.getParameter(variable), model.getCompartment(variable))
            if variable not in symbols.counted and not any(sizes):
                raise refusal(
                    where,
                    f"it assigns {variable!r}, and only species, parameters and compartments may change",
                    "leave it out",
                )
            if not assignment.isSetMath():
                raise refusal(where, f"its assignment of {variable!r} has no formula", "give it one")
            trees[variable] = _formula(assignment.getMath(), symbols, where)
        sizes = {symbols.names[key]: tree for key, tree in trees.items() if model.getCompartment(key)}
        amounts = {key: _as_amount(tree, key, symbols, sizes) for key, tree in trees.items()}
        changes = {symbols.names[key]: to_expression(tree) for key, tree in amounts.items()}
        initially = event.getTrigger().getInitialValue() if event.getLevel() > 2 else True
        draft = Event(title, trigger, changes, initially, event.getLine())
        yield Event(title, trigger, changes, initially, event.getLine(), f"{where}: {draft}")


def _refuse_event(event, where, alone):
    if event.isSetDelay():
        raise refusal(where, "a delay is not supported", "put the delay into the trigger where it is one on the time")
    if not event.isSetTrigger() or not event.getTrigger().isSetMath():
        raise refusal(where, "it has no trigger", "give it one")
    if alone:
        return
    if event.isSetPriority():
        raise refusal(where, "a priority among several events is not supported", "remove it, or make one event of them")
    if event.getLevel() > 2 and not event.getTrigger().getPersistent():
        raise refusal(
            where, "a trigger that does not persist, among several events, is not supported", "make it persistent"
        )
    if not event.getUseValuesFromTriggerTime():
        raise refusal(
            where,
            "values taken when it is executed, among several events, are not supported",
            "set useValuesFromTriggerTime",
        )


class _Values:
    """Values at t = 0 of compartments, parameters and species (their amounts), by name; computed on demand."""

    def __init__(self, model, symbols, local_values):
        self.values = dict(local_values)
        self.formulas = {}
        self.labels = {}
        self.waiting = []
        for kind, collection in (
            ("compartment", model.getListOfCompartments()),
            ("parameter", model.getListOfParameters()),
            ("species", model.getListOfSpecies()),
        ):
            for item in _items(collection):
                key = symbols.names[item.getId()]
                self.labels[key] = f"{kind} {item.getId()!r}"
                self._read_attributes(kind, item, key, symbols)
        for kind, collection in (
            ("initial assignment", model.getListOfInitialAssignments()),
            ("assignment rule", model.getListOfRules()),
        ):
            for item in _items(collection):
                target = item.getSymbol() if kind == "initial assignment" else item.getVariable()
                where = f"{kind} for {target!r}"
                if target not in symbols.names:
                    raise refusal(where, "a stoichiometry that is computed is not supported", "write a whole number")
                if not item.isSetMath():
                    raise refusal(where, "it has no formula", "give it one")
                tree = _as_amount(_formula(item.getMath(), symbols, where), target, symbols)
                self.formulas[symbols.names[target]] = to_expression(tree)

    def _read_attributes(self, kind, item, key, symbols):
        if kind == "compartment" and item.isSetSize():
            self.values[key] = item.getSize()
        elif kind == "parameter" and item.isSetValue():
            self.values[key] = item.getValue()
        elif kind == "species" and item.isSetInitialAmount():
            self.values[key] = item.getInitialAmount()
        elif kind == "species" and item.isSetInitialConcentration():
            volume = name(symbols.names[item.getCompartment()])
            self.formulas[key] = to_expression(binary(constant(item.getInitialConcentration()), ast.Mult, volume))

    def is_count(self, key):
        """Whether a species has a value at the start, and it is a whole number of molecules."""
        if key not in self.formulas and key not in self.values:
            return False
        return 0 <= self[key] <= MAX_COUNT and self[key] == round(self[key])

    def __getitem__(self, key):
        if key not in self.formulas:
            if key not in self.values:
                raise refusal(self.labels[key], "it has no value at the start", "give it one")
            return self.values[key]
        if key in self.waiting:
            raise refusal(self.labels[key], "its value at the start needs itself in a circle", "give it a number")
        self.waiting.append(key)
        formula = self.formulas[key]
        value = float(formula.evaluate({"t": 0.0, **{n: self[n] for n in formula.names}}))
        self.waiting.pop()
        self.values[key] = value
        del self.formulas[key]
        return value


def _whole(species, amount):
    """Return an amount as a whole count."""
    count = round(amount) if abs(amount) <= MAX_COUNT else -1
    if count < 0 or abs(amount - count) > 1e-9 * max(1.0, count):
        raise refusal(
            f"species {species!r}",
            f"it starts with {amount:g} molecules, which is no count",
            "give a whole, non-negative initial amount (a concentration is multiplied by the compartment's size)",
        )
    return count

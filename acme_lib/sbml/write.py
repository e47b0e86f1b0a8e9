"""Writing SBML: a `ReactionNetwork` and its initial state become a document of Level 3 Version 1."""

import ast
import unicodedata
import xml.etree.ElementTree as ElementTree
from decimal import Decimal
from math import factorial
from pathlib import Path

from acme_lib.network.expression import Expression
from acme_lib.sbml.document import check_validity, import_libsbml, refusal
from acme_lib.sbml.formula import binary, constant, name

_CORE = "http://www.sbml.org/sbml/level3/version1/core"
_MATHML = "http://www.w3.org/1998/Math/MathML"
_OPERATORS = {
    ast.Add: "plus",
    ast.Sub: "minus",
    ast.Mult: "times",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.Lt: "lt",
    ast.LtE: "leq",
    ast.Eq: "eq",
    ast.NotEq: "neq",
    ast.And: "and",
    ast.Or: "or",
}
_FUNCTIONS = {"log": "ln", "sqrt": "root", "ceil": "ceiling"}  # by other names in MathML


def write_sbml(network, x0, path):
    """Write a network and its initial state as SBML Level 3 Version 1.

    Counts are amounts in the unit 'item' (``hasOnlySubstanceUnits`` is true), and each kinetic law is the whole
    propensity, so that ``2 P -> D : k`` has the law ``k*P*(P - 1)/2``. Read back with `read_sbml`, the network has the
    same propensities.

    Use when the model goes to another tool.

    Parameters
    ----------
    network : ReactionNetwork
        Definitions and observables become assignment rules, events become events.
    x0 : mapping of str to int or array_like, shape (species,)
        Molecules at the start; species left out of a mapping start at 0.
    path : str or Path
        The file; an existing one is replaced.

    Raises
    ------
    ParameterError
        If `x0` is no state of the network.
    SBMLError
        If a rate is not an expression.
    MissingExtraError
        If python-libsbml, which checks the document, is not installed: ``pip install ".[sbml]"`` in the repository.

    Notes
    -----
    A name with letters beyond ASCII, such as ``α``, gets an identifier such as ``alpha`` and stays as the ``name``.
    """
    libsbml = import_libsbml()
    state = network.state(x0)
    root = _document(network, state)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    path = Path(path)
    check_validity(libsbml.readSBMLFromString(text.decode("utf-8")), path.name)
    path.write_bytes(text)


def _document(network, state):
    # a number that stands in the text, and that an event sets, is a parameter with a value and no rule
    definitions = [d for d in network.definitions if d.name not in network.changing_parameters]
    defined = [d.name for d in definitions]
    parameters = [key for key in network.parameters if key not in defined]
    ids = _identifiers([*network.species, *parameters, *defined])
    compartment, *reaction_ids = _new_identifiers(
        ["cell", *(f"reaction_{j + 1}" for j in range(len(network.reactions)))], ids.values()
    )
    event_ids = _new_identifiers([event.name for event in network.events], [*ids.values(), compartment, *reaction_ids])
    root = ElementTree.Element("sbml", xmlns=_CORE, level="3", version="1")
    model = _add(root, "model", substanceUnits="item", extentUnits="item")
    _add(_add(model, "listOfCompartments"), "compartment", id=compartment, size="1", constant="true")
    species_list = _add(model, "listOfSpecies")
    for key, count in zip(network.species, state, strict=True):
        _add(
            species_list,
            "species",
            **_names(key, ids),
            compartment=compartment,
            initialAmount=str(count),
            hasOnlySubstanceUnits="true",
            boundaryCondition="false",
            constant="false",
        )
    if parameters or defined:
        parameter_list = _add(model, "listOfParameters")
        for key in parameters:
            still = str(key not in network.changing_parameters).lower()
            _add(parameter_list, "parameter", **_names(key, ids), value=repr(network.parameters[key]), constant=still)
        for key in defined:
            _add(parameter_list, "parameter", **_names(key, ids), constant="false")
    if defined:
        rules = _add(model, "listOfRules")
        for definition in definitions:
            rule = _add(rules, "assignmentRule", variable=ids[definition.name])
            _add_formula(rule, definition.value.tree, ids)
    reactions = _add(model, "listOfReactions")
    for reaction, identifier in zip(network.reactions, reaction_ids, strict=True):
        _add_reaction(reactions, reaction, identifier, network.species, ids)
    if network.events:
        events = _add(model, "listOfEvents")
        for event, identifier in zip(network.events, event_ids, strict=True):
            _add_event(events, event, identifier, ids)
    return root


def _add(parent, tag, **attributes):
    return ElementTree.SubElement(parent, tag, attributes)


def _names(key, ids):
    return {"id": ids[key]} if ids[key] == key else {"id": ids[key], "name": key}


def _identifiers(keys):
    """Return an identifier of SBML, ASCII alone, for each name."""
    plain = [key for key in keys if key.isascii()]
    others = [key for key in keys if not key.isascii()]
    return dict(zip(plain, plain, strict=True)) | dict(
        zip(others, _new_identifiers(map(_to_ascii, others), plain), strict=True)
    )


def _new_identifiers(wanted, taken):
    taken, found = set(taken), []
    for key in wanted:
        while key in taken:
            key += "_"
        taken.add(key)
        found.append(key)
    return found


def _to_ascii(key):
    """Return ``alpha`` for ``α`` and so on."""
    return "".join(c if c.isascii() else unicodedata.name(c, "x").split(" ")[-1].lower() for c in key).replace("-", "_")


def _add_reaction(parent, reaction, identifier, species, ids):
    if not isinstance(reaction.rate, Expression):
        raise refusal(
            f"line {reaction.line}, {reaction.text!r}",
            "its rate is no formula, and SBML holds formulas alone",
            "write the rate as text",
        )
    element = _add(parent, "reaction", id=identifier, reversible="false", fast="false")
    for tag, side in (("listOfReactants", reaction.reactants), ("listOfProducts", reaction.products)):
        if side:
            references = _add(element, tag)
            for key, count in side.items():
                _add(references, "speciesReference", species=ids[key], stoichiometry=str(count), constant="true")
    law = _propensity_tree(reaction)
    modifiers = [
        key
        for key in species
        if key in reaction.rate.names and key not in reaction.reactants and key not in reaction.products
    ]
    if modifiers:
        references = _add(element, "listOfModifiers")
        for key in modifiers:
            _add(references, "modifierSpeciesReference", species=ids[key])
    _add_formula(_add(element, "kineticLaw"), law, ids)


def _propensity_tree(reaction):
    """Return the whole propensity as a tree."""
    tree = reaction.rate.tree
    if not reaction.mass_action:
        return tree
    for key, count in reaction.reactants.items():
        tree = binary(tree, ast.Mult, name(key))
        for k in range(1, count):
            tree = binary(tree, ast.Mult, binary(name(key), ast.Sub, constant(k)))
        if count > 1:
            tree = binary(tree, ast.Div, constant(factorial(count)))
    return tree


def _add_event(parent, event, identifier, ids):
    element = _add(parent, "event", id=identifier, useValuesFromTriggerTime="true")
    trigger = _add(element, "trigger", initialValue=str(event.initially).lower(), persistent="true")
    _add_formula(trigger, event.trigger.tree, ids, truth=True)
    assignments = _add(element, "listOfEventAssignments")
    for key, value in event.assignments.items():
        _add_formula(_add(assignments, "eventAssignment", variable=ids[key]), value.tree, ids)


def _add_formula(parent, tree, ids, truth=False):
    math = _add(parent, "math", xmlns=_MATHML)
    math.append(_to_mathml(tree, ids, truth))


def _to_mathml(tree, ids, truth=False):
    """Return a tree as MathML; SBML keeps numbers and truth values apart, and `truth` says which is wanted."""
    is_truth = Expression("", tree).is_condition
    if truth and not is_truth:
        return _apply("neq", _to_mathml(tree, ids), _number(0))
    if is_truth and not truth:
        return _piecewise(_number(1), _to_mathml(tree, ids, True), _number(0))
    if isinstance(tree, ast.Constant):
        return _number(tree.value)
    if isinstance(tree, ast.Name):
        return _symbol(tree.id, ids)
    if isinstance(tree, ast.BinOp):
        return _apply(_OPERATORS[type(tree.op)], _to_mathml(tree.left, ids), _to_mathml(tree.right, ids))
    if isinstance(tree, ast.UnaryOp):
        operand = _to_mathml(tree.operand, ids, truth=is_truth)
        if isinstance(tree.op, ast.UAdd):
            return operand
        return _apply("not" if is_truth else "minus", operand)
    if isinstance(tree, ast.IfExp):
        return _piecewise(_to_mathml(tree.body, ids), _to_mathml(tree.test, ids, True), _to_mathml(tree.orelse, ids))
    if isinstance(tree, ast.Compare):
        left, right = tree.left, tree.comparators[0]
        return _apply(_OPERATORS[type(tree.ops[0])], _to_mathml(left, ids), _to_mathml(right, ids))
    if isinstance(tree, ast.BoolOp):
        return _apply(_OPERATORS[type(tree.op)], *(_to_mathml(value, ids, True) for value in tree.values))
    if tree.func.id in ("min", "max"):
        return _extreme(tree, ids)
    function = _FUNCTIONS.get(tree.func.id, tree.func.id)
    return _apply(function, _to_mathml(tree.args[0], ids))


def _extreme(tree, ids):
    """Return min or max as choices: MathML of Level 3 Version 1 has neither."""
    first, *rest = tree.args
    for other in rest:
        operator = ast.LtE if tree.func.id == "min" else ast.Lt
        pair = [first, other] if tree.func.id == "min" else [other, first]
        first = ast.IfExp(ast.Compare(pair[0], [operator()], [pair[1]]), first, other)
    return _to_mathml(first, ids)


def _element(tag, text=None):
    element = ElementTree.Element(tag)
    element.text = text
    return element


def _apply(operator, *arguments):
    element = _element("apply")
    element.append(_element(operator))
    element.extend(arguments)
    return element


def _piecewise(value, condition, otherwise):
    element = _element("piecewise")
    piece, rest = _add(element, "piece"), _add(element, "otherwise")
    piece.extend([value, condition])
    rest.append(otherwise)
    return element


def _symbol(key, ids):
    if key == "pi":
        return _element("pi")
    if key != "t":
        return _element("ci", ids[key])
    element = _element("csymbol", "t")
    element.attrib.update(encoding="text", definitionURL="http://www.sbml.org/sbml/symbols/time")
    return element


def _number(value):
    """Return a number with all its digits: without an exponent, which readers multiply in and so round."""
    if isinstance(value, int) and abs(value) < 2**31:
        element = _element("cn", str(value))
        element.set("type", "integer")
        return element
    return _element("cn", format(Decimal(repr(float(value))), "f"))

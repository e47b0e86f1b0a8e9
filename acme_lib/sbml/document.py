"""SBML documents: loaded, checked by libsbml, and refused by name where they ask for what is not supported."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from acme_lib.errors import SBMLError
from acme_lib.extras import import_extra

# MathML of Level 3 Version 2 in a document of Version 1: the same mathematics, so nothing to refuse.
_EXTENDED_MATH = "l3v2extendedmath"


def import_libsbml():
    """Return the package libsbml, or raise `MissingExtraError`."""
    return import_extra("libsbml")


def refusal(where, what, fix):
    """Return the error that says what the element `where` asks for and how to do without."""
    return SBMLError(f"{where}: {what}; {fix}")


def load_document(path):
    """Return the libsbml document of a file, valid and within what is supported.

    Raises
    ------
    SBMLError, FileNotFoundError, MissingExtraError
    """
    libsbml = import_libsbml()
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no SBML file at {str(path)!r}")
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise SBMLError(f"{path.name} is not well-formed XML: {error}") from None
    if root.tag.rpartition("}")[2] != "sbml":
        raise SBMLError(f"{path.name} is no SBML: its outermost element is {root.tag.rpartition('}')[2]!r}, not 'sbml'")
    if root.get("level") not in ("2", "3"):
        raise SBMLError(
            f"{path.name} is SBML Level {root.get('level')}; Levels 2 and 3 are read: "
            "convert it, for example with libsbml's setLevelAndVersion(2, 4)"
        )
    _refuse_packages(root)
    document = libsbml.readSBMLFromFile(str(path))
    check_validity(document, path.name)
    if document.getModel() is None:
        raise SBMLError(f"{path.name} holds no model")
    _refuse_unsupported(document.getModel())
    return document


def check_validity(document, name):
    """Raise `SBMLError` where libsbml finds an error; what concerns units or good practice alone is left out."""
    libsbml = import_libsbml()
    for category in (
        libsbml.LIBSBML_CAT_UNITS_CONSISTENCY,
        libsbml.LIBSBML_CAT_SBO_CONSISTENCY,
        libsbml.LIBSBML_CAT_MODELING_PRACTICE,
    ):
        document.setConsistencyChecks(category, False)
    if not document.getNumErrors(libsbml.LIBSBML_SEV_ERROR):
        document.checkConsistency()
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    errors = [error for error in errors if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        message = " ".join(errors[0].getMessage().split())
        raise SBMLError(
            f"{name}, line {errors[0].getLine()}: not valid SBML, rule {errors[0].getErrorId()}: {message}{more}"
        )


def _refuse_packages(root):
    for key, value in root.attrib.items():
        namespace, _, name = key[1:].partition("}")
        if name == "required" and value in ("true", "1") and _EXTENDED_MATH not in namespace:
            package = next((part for part in namespace.split("/")[::-1] if not part.startswith("version")), namespace)
            raise refusal(
                f"package {package!r}",
                "the document needs this package of SBML Level 3 for its mathematics, and no package is supported",
                "export the model as SBML core (a 'comp' model: flattened)",
            )


def _refuse_unsupported(model):
    for i in range(model.getNumConstraints()):
        name = model.getConstraint(i).getIdAttribute() or f"number {i + 1}"
        raise refusal(f"constraint {name!r}", "constraints are not supported", "remove it, and check results for it")
    for i in range(model.getNumRules()):
        _refuse_rule(model, model.getRule(i))
    for i in range(model.getNumSpecies()):
        _refuse_species(model, model.getSpecies(i))
    _check_unit(model, "model", "extents of reactions", model.getExtentUnits() if model.getLevel() > 2 else "")
    if model.isSetConversionFactor():
        raise refusal("model", "a conversion factor is not supported", "write it into the kinetic laws")
    for i in range(model.getNumReactions()):
        _refuse_reaction(model.getReaction(i))


def _refuse_rule(model, rule):
    variable = rule.getVariable()
    if rule.isAlgebraic():
        name = rule.getIdAttribute() or rule.getFormula()
        raise refusal(f"algebraic rule {name!r}", "algebraic rules are not supported", "solve it for one variable")
    if rule.isRate():
        raise refusal(
            f"rate rule for {variable!r}",
            "rate rules are differential equations, and only jumps are simulated",
            "write it as a reaction, or as an assignment rule in the time",
        )
    _refuse_variable(model, variable, "assignment rule")
    if not rule.isSetMath():
        raise refusal(f"assignment rule for {variable!r}", "it has no formula", "give it one")


def _refuse_variable(model, variable, what):
    if model.getCompartment(variable) is not None:
        raise refusal(f"{what} for {variable!r}", "a compartment that changes is not supported", "give it one size")
    if model.getSpecies(variable) is None and model.getParameter(variable) is None:
        raise refusal(
            f"{what} for {variable!r}",
            "a stoichiometry that is computed is not supported",
            "write it as a whole number",
        )


def _refuse_species(model, species):
    where = f"species {species.getId()!r}"
    if species.isSetConversionFactor():
        raise refusal(where, "a conversion factor is not supported", "write it into the kinetic laws")
    if model.getLevel() == 2:
        unit = species.getSubstanceUnits() or "substance"
    else:
        unit = species.getSubstanceUnits() or model.getSubstanceUnits()
    _check_unit(model, where, "amounts", unit)


def _check_unit(model, where, what, unit):
    """Refuse a declared unit that is no count of molecules."""
    definition = model.getUnitDefinition(unit) if unit else None
    if definition is not None:
        units = [definition.getUnit(i) for i in range(definition.getNumUnits())]
        count = all(u.isDimensionless() or (u.isItem() and u.getExponentAsDouble() == 1) for u in units) and all(
            u.getScale() == 0 and u.getMultiplier() == 1 for u in units
        )
        if count:
            return
    elif unit in ("", "substance", "item", "dimensionless"):
        return
    raise refusal(
        where, f"its {what} are in {unit!r}, which is no count of molecules", "give amounts in the unit 'item'"
    )


def _refuse_reaction(reaction):
    where = f"reaction {reaction.getId()!r}"
    if reaction.getLevel() < 3 or reaction.getVersion() < 2:
        if reaction.isSetFast() and reaction.getFast():
            raise refusal(where, "fast reactions are not supported", "give it a large rate, or eliminate it")
    law = reaction.getKineticLaw()
    if law is None or not law.isSetMath():
        raise refusal(where, "it has no kinetic law", "give it one")
    if law.isSetTimeUnits() or law.isSetSubstanceUnits():
        raise refusal(where, "units of its own on a kinetic law are not supported", "use the units of the model")
    for side in (reaction.getListOfReactants(), reaction.getListOfProducts()):
        for i in range(side.size()):
            _refuse_stoichiometry(where, side.get(i))


def _refuse_stoichiometry(where, reference):
    species = reference.getSpecies()
    if reference.isSetStoichiometryMath() and not reference.getStoichiometryMath().getMath().isNumber():
        raise refusal(
            where, f"the stoichiometry of {species!r} is a formula, which is not supported", "write a whole number"
        )
    if reference.getLevel() > 2 and not reference.isSetStoichiometry():
        raise refusal(where, f"the stoichiometry of {species!r} is not given", "write a whole number")
    number = read_stoichiometry(reference)
    if not (number >= 0 and number == int(number)):
        raise refusal(
            where, f"the stoichiometry of {species!r} is {number:g}, and molecules are whole", "write a whole number"
        )


def read_stoichiometry(reference):
    """Return the stoichiometry of a species reference as a number."""
    if reference.isSetStoichiometryMath():
        return reference.getStoichiometryMath().getMath().getValue()
    return reference.getStoichiometry() / (reference.getDenominator() if reference.getLevel() == 1 else 1)

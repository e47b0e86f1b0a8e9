"""What a network is checked for when it is built, and the values that its definitions give."""

import math
import warnings
from dataclasses import replace
from numbers import Real

import numpy as np

from acme_lib.checks import expected
from acme_lib.errors import NetworkSyntaxError, ParameterError, PropensityError, RateLawWarning
from acme_lib.network.expression import FUNCTIONS, is_name, normal_name, suggest, why_no_name
from acme_lib.network.text import located


def check_functions(functions, species, lines, definitions, events):
    """Refuse Python functions that cannot be named, called or hashed, or that nothing calls."""
    expressions = [*(line.rate for line in lines), *(d.value for d in definitions)]
    for event in events:
        expressions += [event.trigger, *event.assignments.values()]
    called = {name for expression in expressions for name, _ in expression.functions}
    for name, function in functions.items():
        if name in FUNCTIONS or not is_name(name):
            raise ParameterError(f"{name!r} cannot name a function: it is {why_no_name(name)}; rename yours")
        if name in species:
            raise ParameterError(f"{name} is a species and was given as a function too; rename one")
        if name not in called:
            raise ParameterError(f"the function {name} is called in no rate; call it as in '0 => M : {name}(M)'")
        try:
            hash(function)
        except TypeError:
            raise ParameterError(f"the function {name} cannot be hashed; wrap it: {name}=lambda *x: f(*x)") from None


def check_given(given, species, definitions):
    """Return the given parameters as floats; refuse what cannot be a parameter."""
    defined = {d.name for d in definitions}
    values = {}
    for name, value in given.items():
        name = normal_name(name)
        if name in species:
            raise ParameterError(
                f"{name} is a species and was given as a parameter too; rename one, or give a start count in x0"
            )
        if not is_name(name):
            raise ParameterError(f"{name!r} cannot name a parameter: it is {why_no_name(name)}")
        if name in defined:
            raise ParameterError(f"{name} is defined in the text and was given as a parameter too; keep one of the two")
        values[name] = _finite(value)
        if values[name] is None:
            raise expected(f"the parameter {name}", "a finite number", value)
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


def check_event(event, species, values, definitions):
    """Check the names in an event and return those that it uses or changes."""
    defined = {d.name: d.value for d in definitions}
    known = [*values, *defined]
    for name in event.assignments:
        value = defined.get(name)
        if value is not None and (value.names or value.uses_time):
            from_what = ", ".join([*value.names, *["t"] * value.uses_time])
            error = ParameterError(
                f"{name} is defined as {value.text} and follows {from_what} at all times, so that an event cannot set "
                "it; change what it follows, or give it a value of its own"
            )
            raise located(error, event.line, event.text)
    names = [*event.assignments, *(name for expression in event.expressions for name in expression.names)]
    for name in names:
        if name not in known and name not in species:
            raise located(unknown_name(name, species, known), event.line, event.text)
    return names


def substitute_event(event, observables):
    """Return the event with observables written out."""
    changes = {name: value.substitute(observables) for name, value in event.assignments.items()}
    return replace(event, trigger=event.trigger.substitute(observables), assignments=changes)


def unknown_name(name, species, known):
    """Return the error for a name that is neither a species nor a parameter."""
    near = suggest(name, [*species, *known])
    kinds = f"a species ({', '.join(species)}) nor a parameter ({', '.join(known) or 'none given'})"
    return ParameterError(f"{name!r} is neither {kinds}{near}; correct it or give it a value: parse(text, {name}=…)")


def evaluate_definitions(values, definitions, species):
    """Return the parameters' values and the observables; definitions may stand in any order."""
    values, observables = dict(values), {}
    waiting = {d.name: d for d in definitions}
    for d in definitions:
        if d.name in species:
            error = NetworkSyntaxError(f"{d.name} is a species and is defined as a parameter too; rename one")
            raise located(error, d.number, d.text)
    if len(waiting) < len(definitions):
        twice = next(d for i, d in enumerate(definitions) if d.name in {e.name for e in definitions[:i]})
        raise located(NetworkSyntaxError(f"{twice.name} is defined twice; keep one"), twice.number, twice.text)
    while waiting:
        ready = [d for d in waiting.values() if not any(name in waiting for name in d.value.names)]
        if not ready:
            stuck = next(iter(waiting.values()))
            raise located(
                NetworkSyntaxError("the definitions need each other in a circle; break it with a number"),
                stuck.number,
                stuck.text,
            )
        for d in ready:
            del waiting[d.name]
            if d.value.uses_time or any(name in species or name in observables for name in d.value.names):
                observables[d.name] = d.value.substitute(observables)
                continue
            try:
                value = d.value.evaluate(values)
            except PropensityError as error:  # a function raised
                raise located(error, d.number, d.text) from error
            if not np.all(np.isfinite(value)):
                raise located(
                    ParameterError(f"{d.name} is not a finite number: its value is {value}"), d.number, d.text
                )
            values[d.name] = value
    return values, observables


def warn_of_doubled_reactants(network):
    """Warn of mass action whose rate grows from 0 with a reactant: the propensity is multiplied by its count again.

    A factor that is not 0 without the reactant, as in ``D -> 0 : k/(1 + D)``, or a condition, is surely meant.
    """
    for reaction in network.reactions:
        doubled = [name for name in reaction.reactants if reaction.mass_action and _grows_with(reaction, name, network)]
        if doubled:
            sets = "*".join(_sets_text(name, count) for name, count in reaction.reactants.items())
            whole = f"{reaction.equation.replace('->', '=>')} : {sets}*({reaction.rate.text})"
            warnings.warn(
                f"line {reaction.line}, {reaction.text!r}: '->' multiplies the rate by the reactants, and this rate "
                f"names {' and '.join(doubled)} too. Leave {'it' if len(doubled) == 1 else 'them'} out of the rate, or "
                f"write the whole propensity after '=>': '{reaction.equation.replace('->', '=>')} : "
                f"{reaction.rate.text}' if that is all of it, '{whole}' if it is to be multiplied",
                RateLawWarning,
                stacklevel=4,
            )


def _grows_with(reaction, name, network):
    """Tell whether a rate is 0 without a species, and not 0 with a little of it."""
    if name not in reaction.rate.names:
        return False
    values = {**network.parameters, **dict.fromkeys(network.species, 1.7), "t": 1.0}
    try:
        none, little = (reaction.rate.evaluate({**values, name: amount}) for amount in (0.0, 1e-3))
    except PropensityError:  # a function of Python that does not take such numbers
        return False
    return none == 0.0 and little != 0.0


def _sets_text(name, count):
    """Return the number of sets of molecules as text, such as ``P*(P - 1)/2``."""
    factors = "*".join([name, *(f"({name} - {k})" for k in range(1, count))])
    return factors if count == 1 else f"{factors}/{math.factorial(count)}"


def check_constants(network):
    """Refuse constant rates that are negative or not finite."""
    for reaction in network.reactions:
        try:
            value = network._constant_rate(reaction)
        except PropensityError as error:  # a function raised
            raise located(error, reaction.line, reaction.text) from error
        if value is not None:
            check_constant(reaction, np.atleast_1d(value))


def check_constant(reaction, values):
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

"""The text of a reaction network: one reaction a line."""

import re
from dataclasses import dataclass

from acme_lib.checks import expected
from acme_lib.errors import NetworkSyntaxError
from acme_lib.network.event import Event
from acme_lib.network.expression import Expression, is_name, normal_name, why_no_name

_ARROW = re.compile(r"<-->|<->|-->|->|<=>|==>|=>")
_TERM = re.compile(r"(?:(\d+)\s*\*?\s*)?([^\W\d]\w*)\Z")
# `at` and `when` may also name a species: what follows them in a reaction or definition is a sign, never an expression.
_EVENT = re.compile(r"(at|when)\s*(?=\(|(?<=\s)(?:[\w.]|-(?![->])))")
_SPECIES = re.compile(r"species\s*:")
_EMPTY = ("0", "∅", "")
MAX_MOLECULES = 10**6  # of one species in one reaction: far more is a slip, and would overflow
_USAGE = "write a reaction as 'M -> M + P : k_p', with 0 for nothing"


@dataclass(frozen=True)
class ReactionLine:
    """One direction of one line: what it takes, what it gives, its rate and how the rate is meant."""

    number: int
    text: str
    reactants: dict[str, int]
    products: dict[str, int]
    rate: Expression
    mass_action: bool


@dataclass(frozen=True)
class DefinitionLine:
    """A line ``name = expression`` that defines a parameter from others, or an observable from species."""

    number: int
    text: str
    name: str
    value: Expression


def located(error, number, text):
    """Return `error` with the line it concerns written into its message."""
    return type(error)(f"line {number}, {text!r}: {error}")


def read_lines(text, functions=None):
    """Read the text of a network.

    Parameters
    ----------
    text : str
        One reaction, definition or event a line; ``#`` starts a comment. A line ``species: M, P`` gives the order.
    functions : mapping of str to callable, optional
        Python functions that the rates may call.

    Returns
    -------
    reactions : list of ReactionLine
        A reversible line gives two.
    definitions : list of DefinitionLine
    events : list of Event
    species : list of str
        In the order of the text's line of species, those that it leaves out in the order of first appearance.

    Raises
    ------
    NetworkSyntaxError
        The message shows the line, its number and how to fix it.
    """
    if not isinstance(text, str):
        raise expected("the text of a network", "a string with one reaction a line", text, error=NetworkSyntaxError)
    reactions, definitions, events, species = [], [], [], []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        try:
            if _SPECIES.match(line) and not _ARROW.search(line):
                species += _read_species(line, species)
            elif _EVENT.match(line):
                events.append(_read_event(line, number, f"event_{len(events) + 1}", functions))
            elif _ARROW.search(line.split(":", 1)[0]):
                reactions += _read_reaction(line, number, functions)
            elif "=" in line:
                definitions.append(_read_definition(line, number, functions))
            else:
                raise NetworkSyntaxError(f"no arrow; {_USAGE}")
        except NetworkSyntaxError as error:
            raise located(error, number, line) from None
    if not reactions:
        raise NetworkSyntaxError(f"the network has no reactions; {_USAGE}")
    appearing = [name for line in reactions for name in [*line.reactants, *line.products]]
    return reactions, definitions, events, list(dict.fromkeys([*species, *appearing]))


def _read_species(line, before):
    names = [normal_name(name.strip()) for name in line.partition(":")[2].split(",")]
    for name in names:
        if not is_name(name):
            raise NetworkSyntaxError(f"{name!r} cannot name a species: it is {why_no_name(name)}")
        if (names + before).count(name) > 1:
            raise NetworkSyntaxError(f"{name} is listed twice; keep one")
    return names


def _read_reaction(line, number, functions):
    sides, colon, rates = line.partition(":")
    if not colon:
        raise NetworkSyntaxError(f"no rate; put it after a colon: {line + ' : k'!r}")
    arrows = _ARROW.findall(sides)
    if len(arrows) > 1:
        raise NetworkSyntaxError("more than one arrow; write one reaction a line")
    left, right = (_read_side(side) for side in _ARROW.split(sides))
    arrow = arrows[0]
    if arrow in ("<=>", "==>", "-->", "<-->"):
        short = {"<=>": "<-> (mass action both ways)", "==>": "=>", "-->": "->", "<-->": "<->"}[arrow]
        raise NetworkSyntaxError(f"the arrow {arrow} is not known; use {short}")
    if left == right:
        raise NetworkSyntaxError("both sides are the same, so that nothing changes; remove the line")
    if arrow == "<->":
        parts = _split_at_commas(rates)
        if len(parts) != 2:
            raise NetworkSyntaxError(
                f"a reversible reaction takes two rates, forward and backward, as in 'A <-> B : k_f, k_b', and has "
                f"{len(parts)}"
            )
        forward, backward = (Expression.parse(part, functions) for part in parts)
        return [
            ReactionLine(number, line, left, right, forward, True),
            ReactionLine(number, line, right, left, backward, True),
        ]
    return [ReactionLine(number, line, left, right, Expression.parse(rates, functions), arrow == "->")]


def _split_at_commas(text):
    depth, parts = 0, [""]
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _read_side(text):
    side = {}
    if text.strip() in _EMPTY:
        return side
    for term in text.split("+"):
        match = _TERM.match(term.strip())
        if not match:
            raise NetworkSyntaxError(f"{term.strip()!r} is not a species with an optional whole number; {_USAGE}")
        count, name = int(match[1] or 1), normal_name(match[2])
        if not is_name(name):
            raise NetworkSyntaxError(f"{name!r} cannot name a species: it is {why_no_name(name)}")
        if count == 0:
            raise NetworkSyntaxError(f"the number before {name} is zero; leave the species out")
        if count > MAX_MOLECULES:
            raise expected(f"the number before {name}", f"at most {MAX_MOLECULES}", count, error=NetworkSyntaxError)
        side[name] = side.get(name, 0) + count
    return side


def _read_definition(line, number, functions):
    name, _, value = line.partition("=")
    name = normal_name(name.strip())
    if not is_name(name):
        raise NetworkSyntaxError(
            f"{name!r} cannot name a parameter: it is {why_no_name(name)}; define one as 'K = k_off/k_on'"
        )
    return DefinitionLine(number, line, name, Expression.parse(value, functions))


def _read_event(line, number, name, functions):
    usage = "write an event as 'when P > 100 : P = 0, D = D + 1' or, at a time, 'at 5 : P = 0'"
    start = _EVENT.match(line)
    condition, colon, changes = line[start.end() :].partition(":")
    if not colon or not changes.strip():
        raise NetworkSyntaxError(f"no change after a colon; {usage}")
    trigger = Expression.parse(condition, functions)
    if not trigger.is_condition:
        if start[1] == "when":
            raise NetworkSyntaxError(f"{trigger.text!r} is neither true nor false; {usage}")
        trigger = Expression.parse(
            f"t >= ({trigger.text})" if " if " in trigger.text else f"t >= {trigger.text}", functions
        )
    elif start[1] == "at" and not trigger.uses_time:
        raise NetworkSyntaxError(f"{trigger.text!r} does not depend on the time t; write 'when' for 'at'")
    assignments = {}
    for change in _split_at_commas(changes):
        target, equals, value = change.partition("=")
        target = normal_name(target.strip())
        if not equals or not is_name(target):
            raise NetworkSyntaxError(f"{change.strip()!r} is not a change of a count or a parameter; {usage}")
        if target in assignments:
            raise NetworkSyntaxError(f"{target} is changed twice; keep one")
        assignments[target] = Expression.parse(value, functions)
    return Event(name, trigger, assignments, initially=start[1] == "when", line=number, text=line)

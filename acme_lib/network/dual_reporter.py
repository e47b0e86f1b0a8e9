"""Dual reporters: two copies of a network in one cell."""

from dataclasses import replace
from types import MappingProxyType

from acme_lib.checks import expected
from acme_lib.errors import ParameterError
from acme_lib.network.expression import Expression, is_name, suggest
from acme_lib.network.reaction_network import ReactionNetwork
from acme_lib.network.text import located


def dual_reporter(network, *, shared=(), names=("X", "Y")):
    r"""Put two copies of a network into one cell, where they share all parameters and, if wanted, some species.

    Two identical reporters in one cell differ by what is random in each copy alone, and vary together by what they
    share [1]_: with counts X and Y of a species in the copies, its extrinsic variance is Cov(X, Y) and its intrinsic
    variance is Var X - Cov(X, Y). What differs from cell to cell comes from parameters by trajectory (the
    ``parameters=`` of `simulate_ssa`), from shared species, or both.

    Parameters
    ----------
    network : ReactionNetwork
    shared : sequence of str
        Species that exist once and act on both copies, such as a polymerase. A reaction (or event) in which only shared
        species stand happens once.
    names : pair of str
        A species ``M`` becomes ``M_X`` and ``M_Y``.

    Returns
    -------
    ReactionNetwork
        Species: the shared ones, those of the first copy, those of the second.

    Raises
    ------
    ParameterError
        If a shared species is unknown, a new name is taken or no name, or an event of each copy would set a parameter.

    References
    ----------
    .. [1] P. S. Swain, M. B. Elowitz & E. D. Siggia, Proc. Natl. Acad. Sci. USA 99, 12795 (2002).
       doi:10.1073/pnas.162041399

    Examples
    --------
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=10, g=1)
    >>> acme.dual_reporter(network).species
    ('M_X', 'M_Y')
    """
    shared = (shared,) if isinstance(shared, str) else tuple(shared)
    for name in shared:
        if name not in network.species:
            near = suggest(str(name), network.species)
            known = ", ".join(network.species)
            raise ParameterError(f"the shared species {name!r} is not in the network{near}; it has {known}")
    names = tuple(names)
    if len(names) != 2 or names[0] == names[1]:
        raise expected("names", "two different endings, such as ('X', 'Y')", names)
    own = [name for name in network.species if name not in shared]
    renamings = [{name: f"{name}_{ending}" for name in own} for ending in names]
    taken = {*shared, *network.parameters, *network.observables}
    for renaming in renamings:
        for old, new in renaming.items():
            if not is_name(new) or new in taken:
                what = "is taken already" if new in taken else "is no name"
                raise ParameterError(f"the copy of {old} would be {new!r}, which {what}; choose other names=")
            taken.add(new)
    species = (*shared, *(new for renaming in renamings for new in renaming.values()))
    reactions, events = [], []
    for reaction in network.reactions:
        stands_in = {*reaction.reactants, *reaction.products, *reaction.rate.names}
        copies = renamings if stands_in & set(own) else [{}]
        reactions += [_rename_reaction(reaction, renaming) for renaming in copies]
    for event in network.events:
        stands_in = {*event.assignments, *(name for expression in event.expressions for name in expression.names)}
        if stands_in & set(own):
            for name in event.assignments:
                if name not in network.species and {*event.trigger.names, *event.assignments[name].names} & set(own):
                    error = ParameterError(
                        f"each copy would set the parameter {name}, which both share; let the event depend on shared "
                        "species, parameters and the time alone"
                    )
                    raise located(error, event.line, event.text)
            events += [_rename_event(event, *copy) for copy in zip(renamings, names, strict=True)]
        else:
            events.append(event)
    # Observables stand in the rates already; a parameter that only an unused one needed goes with it.
    definitions = tuple(d for d in network.definitions if d.name not in network.observables)
    expressions = [r.rate for r in reactions] + [d.value for d in definitions]
    used = {name for e in [*expressions, *(e for event in events for e in event.expressions)] for name in e.names}
    used.update(name for event in events for name in event.assignments)
    given = {name: network.parameters[name] for name in network.given_parameters if name in used}
    return ReactionNetwork.build(species, tuple(reactions), definitions, given, tuple(events), network.functions)


def _renamed(expression, renaming):
    return expression.substitute({old: Expression.parse(new) for old, new in renaming.items()})


def _rename_reaction(reaction, renaming):
    copy = replace(
        reaction,
        reactants=MappingProxyType({renaming.get(name, name): n for name, n in reaction.reactants.items()}),
        products=MappingProxyType({renaming.get(name, name): n for name, n in reaction.products.items()}),
        rate=_renamed(reaction.rate, renaming),
    )
    return replace(copy, text=f"{copy.equation} : {copy.rate.text}")


def _rename_event(event, renaming, ending):
    copy = replace(
        event,
        name=f"{event.name}_{ending}",
        trigger=_renamed(event.trigger, renaming),
        assignments={renaming.get(name, name): _renamed(value, renaming) for name, value in event.assignments.items()},
    )
    return replace(copy, text=str(copy))

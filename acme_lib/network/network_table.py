"""A network as it shows itself in a notebook."""

import html

from acme_lib.network.expression import Expression


def network_table(network):
    """Return the reactions of a network as a table, and what else there is to know of it as notes."""
    rows = []
    for reaction in network.reactions:
        cells = (html.escape(reaction.equation), f"${reaction.propensity_latex()}$", reaction.convention())
        rows.append("<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>")
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in ("reaction", "propensity", "rate law"))
    values = [f"{html.escape(name)} = {network.parameters[name]:g}" for name in network.given_parameters]
    notes = [
        f"Species: {html.escape(', '.join(network.species))}. Parameters: {', '.join(values) or 'none'}.",
        *(
            f"Defined: ${Expression.parse(d.name).latex()} = {d.value.latex()} = {network.parameters[d.name]:g}$."
            for d in network.definitions
            if d.name in network.parameters
        ),
        *(
            f"Observable: ${Expression.parse(name).latex()} = {value.latex()}$."
            for name, value in network.observables.items()
        ),
        *(f"Conserved: {html.escape(text)}." for text in network.conservation_law_texts),
        *(f"Event: {html.escape(str(event))}." for event in network.events),
    ]
    if network.functions:
        notes.append(f"Python functions: {html.escape(', '.join(network.functions))}.")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table><p>{'<br>'.join(notes)}</p>"

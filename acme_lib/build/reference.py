"""The pages of the library's reference: each public name once, with its docstring, in the room where it lives."""

import importlib
import re

ROOMS = {
    "network": "Reaction networks",
    "models": "Models of the field",
    "sbml": "SBML",
    "processes": "Bursts and divisions",
    "simulate": "Simulation",
    "master": "The master equation",
    "augmented": "The augmented master equation",
    "approximate": "Approximations",
    "laws": "Exact laws",
    "noise": "Noise in data",
    "plot": "Figures",
    "cases": "Case studies",
    "teach": "Teaching",
    "errors": "Errors and warnings",
}


def public_names():
    """Return for each room its public names: those of the room, and those of ``acme_lib`` that come from it.

    Returns
    -------
    dict of str to dict of str to object
        By room, then by the name to be imported, the object; each object stands once.
    """
    acme_lib = importlib.import_module(__name__.partition(".")[0])  # its names are what is described
    seen, rooms = set(), {room: {} for room in ROOMS}
    short = {id(getattr(acme_lib, name)): name for name in acme_lib.__all__ if name not in ROOMS}
    for room in ROOMS:
        module = importlib.import_module(f"acme_lib.{room}")
        lent = [name for name, home in acme_lib._HOME_OF.items() if home.split(".")[1] == room]
        for name in sorted({*getattr(module, "__all__", ()), *lent}, key=str.lower):
            thing = getattr(module, name) if name in dir(module) else getattr(acme_lib, name)
            if id(thing) not in seen:
                seen.add(id(thing))
                short_name = short.get(id(thing))
                rooms[room][f"acme_lib.{short_name}" if short_name else f"acme_lib.{room}.{name}"] = thing
    return rooms


def write_reference(folder):
    """Write a page for each room, and the page that leads to them.

    Returns
    -------
    list of str
        Names of the pages, without ending.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = ["The library", "===========", "", "``import acme_lib as acme``; what it does, by room.", ""]
    pages = []
    for room, names in public_names().items():
        title = f"{ROOMS[room]}: acme.{room}"
        page = [f".. _room-{room}:", "", title, "=" * len(title), ""]
        page += [f".. automodule:: acme_lib.{room}", "   :no-members:", "   :no-index:", ""]
        page += [".. list-table::", "   :widths: 30 70", ""]
        for name, thing in names.items():
            first = " ".join(((thing.__doc__ if callable(thing) else "") or "").strip().split("\n\n")[0].split())
            first = re.sub(r" *\[\d+\]_", "", first)  # what it cites stands below
            page += [f"   * - :py:obj:`{name.rpartition('.')[2]} <{name}>`", f"     - {first}"]
        page += [""]
        for name, thing in names.items():
            page += ["----", "", *_entry(name, thing), ""]
        (folder / f"{room}.rst").write_text("\n".join(page), encoding="utf-8")
        index += [f"- :ref:`{ROOMS[room]} <room-{room}>`: {_first_sentence(room)}"]
        pages.append(room)
    index += ["", ".. toctree::", "   :hidden:", "", *(f"   {room}" for room in pages), ""]
    (folder / "index.rst").write_text("\n".join(index), encoding="utf-8")
    return ["index", *pages]


def _entry(name, thing):
    if isinstance(thing, type):
        members = (
            [] if issubclass(thing, Exception) else ["   :members:", "   :inherited-members: VBox, Mapping, object"]
        )
        return [f".. autoclass:: {name}", *members]
    if callable(thing):
        return [f".. autofunction:: {name}"]
    return [f".. autodata:: {name}", "   :no-value:"]


def _first_sentence(room):
    text = (importlib.import_module(f"acme_lib.{room}").__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split()).partition(". ")[0].rstrip(".:") + "."

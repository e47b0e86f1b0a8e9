"""Results to and from files and tables. Files hold arrays and text, nothing that runs when it is read."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace

import numpy as np

from acme_lib.checks import expected
from acme_lib.errors import ParameterError
from acme_lib.extras import import_extra
from acme_lib.files import whole_file
from acme_lib.network import ReactionNetwork

_FORMAT = "acme-result-2"
_UNORDERED = "acme-result-1"  # before a network's text kept the order of its species
_ARRAY, _ARRAYS, _WORDS, _NUMBER, _NETWORK, _RESULT = "array", "arrays", "words", "number", "network", "result"


class Result:
    """What can be saved to a file and read again: a dataclass of arrays, numbers, networks and other results."""

    def save(self, path):
        """Write the result to a ``.npz`` file, without pickle, whole or not at all; `load` of its class reads it.

        Raises
        ------
        ParameterError
            If the network has Python functions as rates: a file holds no code.
        """
        arrays = {}
        about = {"format": _FORMAT, **_describe(self, "", arrays)}
        with whole_file(path) as file:
            np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)

    @classmethod
    def load(cls, path, *, species=None):
        """Read a result that `save` wrote, with its network, parameters and seed.

        Parameters
        ----------
        path : str or Path
        species : sequence of str, optional
            For a file of an old version, which did not keep the order of the species: their names, in the order of the
            columns.

        Raises
        ------
        ParameterError
            If the file is not such a file, holds another kind of result, is damaged, or does not say which species its
            columns are.
        """
        # opened here, since numpy.load leaves a damaged file open
        try:
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                arrays = {name: file[name] for name in file.files if name != "about"}
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise ParameterError(
                f"{path} is not a file that {cls.__name__}.save wrote, or it is damaged ({error})"
            ) from None
        if not isinstance(about, dict) or about.get("format") not in (_FORMAT, _UNORDERED):
            raise ParameterError(f"{path} has another format than {_FORMAT}; it was written by another version")
        if about["kind"] != cls.__name__:
            kind = about["kind"]
            raise ParameterError(f"{path} holds a result of the kind {kind}; read it by {kind}.load")
        if about["format"] == _FORMAT and species is not None:
            raise ParameterError(f"{path} says which species its columns are; leave species out")

        def read_network(kept):
            return _read_network(kept, path, species, ordered=about["format"] == _FORMAT)

        return _rebuild(cls, about, "", arrays, read_network)


def _describe(result, prefix, arrays):
    """Return the kind of a result and of its fields as plain data; put its arrays into `arrays`."""
    about = {}
    for field in fields(result):
        value = getattr(result, field.name)
        where = prefix + field.name
        if isinstance(value, np.ndarray):
            arrays[where] = value
            about[field.name] = {"is": _ARRAY}
        elif isinstance(value, Mapping):
            arrays |= {f"{where} {name}": array for name, array in value.items()}
            about[field.name] = {"is": _ARRAYS, "names": list(value)}
        elif isinstance(value, tuple):
            about[field.name] = {"is": _WORDS, "words": [str(word) for word in value]}
        elif isinstance(value, int | float | np.number):
            about[field.name] = {"is": _NUMBER, "value": value.item() if isinstance(value, np.number) else value}
        elif isinstance(value, ReactionNetwork):
            about[field.name] = {"is": _NETWORK, **_describe_network(value)}
        else:
            about[field.name] = {"is": _RESULT, **_describe(value, f"{where}.", arrays)}
    return {"kind": type(result).__name__, "fields": about}


def _describe_network(network):
    if network.functions:
        names = ", ".join(network.functions)
        raise ParameterError(
            f"the network's rates call the Python functions {names}, and a file holds no code; "
            "save the arrays by numpy.save, or write the rates as expressions"
        )
    values = {name: network.parameters[name] for name in network.given_parameters}
    return {
        "text": str(network),
        "parameters": values,
        "initially": [event.initially for event in network.events],  # the text has no word for it
    }


def _read_network(kept, path, species, ordered):
    """Return a network from what `_describe_network` returned; one of an old version needs the order of its species."""
    network = ReactionNetwork.parse(kept["text"], **kept["parameters"])
    if not ordered and len(network.species) > 1:
        if species is None:
            raise ParameterError(
                f"{path} was written by an old version, which did not keep the order of the species: name them in the "
                f"order of its columns, species={list(network.species)!r} where the network came from "
                "ReactionNetwork.parse, else in the order of the network that was simulated"
            )
        if sorted(species) != sorted(network.species):
            raise expected("species", f"the names {', '.join(network.species)} in the order of the columns", species)
    changes = {"species": tuple(species or network.species)}
    if "initially" in kept:
        events = zip(network.events, kept["initially"], strict=True)
        changes["events"] = tuple(replace(event, initially=initially) for event, initially in events)
    return replace(network, **changes)


def _rebuild(cls, about, prefix, arrays, read_network):
    """Build a result of the class from what `_describe` returned."""
    values = {}
    for field in fields(cls):
        if field.name not in about["fields"] and field.default is not MISSING:  # newer than the file
            continue
        kept, where = about["fields"][field.name], prefix + field.name
        if kept["is"] == _ARRAY:
            values[field.name] = arrays[where]
        elif kept["is"] == _ARRAYS:
            values[field.name] = {name: arrays[f"{where} {name}"] for name in kept["names"]}
        elif kept["is"] == _WORDS:
            values[field.name] = tuple(int(word) for word in kept["words"])
        elif kept["is"] == _NUMBER:
            values[field.name] = kept["value"]
        elif kept["is"] == _NETWORK:
            values[field.name] = read_network(kept)
        else:  # a result within a result: its class is the type of the field, never a name in the file
            values[field.name] = _rebuild(field.type, kept, f"{where}.", arrays, read_network)
    return cls(**values)


def to_table(columns, index):
    """Return a `pandas.DataFrame`; `columns` and `index` map names to arrays of one length.

    Raises
    ------
    ImportError
        If pandas is missing; the message says how to get it.
    """
    pandas = import_extra("pandas")
    levels = pandas.MultiIndex.from_arrays(list(index.values()), names=list(index)) if len(index) > 1 else None
    if levels is None:
        ((name, values),) = index.items()
        levels = pandas.Index(values, name=name)
    return pandas.DataFrame(columns, levels)


def to_dataset(variables, coordinates, **about):
    """Return an `xarray.Dataset`; needs xarray as `to_table` needs pandas."""
    about = {name: [str(word) for word in value] if name == "seed" else str(value) for name, value in about.items()}
    return import_extra("xarray").Dataset(variables, coordinates, about)

"""Ensembles to and from files and tables. Files hold arrays and text, nothing that runs when it is read."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np

from acme_lib.errors import ParameterError
from acme_lib.network import ReactionNetwork

_FORMAT = "acme-ensemble-1"


def save_ensemble(ensemble, path):
    """Write an ensemble to a ``.npz`` file, whole or not at all.

    Parameters
    ----------
    ensemble : Ensemble
    path : path

    Raises
    ------
    ParameterError
        If the network has Python functions as rates: code is not stored.
    """
    network = ensemble.network
    if network.functions:
        names = ", ".join(network.functions)
        raise ParameterError(
            f"the network's rates call the Python functions {names}, and a file holds no code; "
            "save ensemble.counts by numpy.save, or write the rates as expressions"
        )
    about = {
        "format": _FORMAT,
        "network": str(network),
        "parameters": {name: network.parameters[name] for name in network.given_parameters},
        "seed": [str(word) for word in ensemble.seed],
    }
    arrays = {"times": ensemble.times, "counts": ensemble.counts, "events": ensemble.events}
    arrays |= {f"parameter {name}": values for name, values in ensemble.parameters.items()}
    arrays |= {f"extra {name}": values for name, values in ensemble.extra.items()}
    path = Path(path)
    unfinished = path.with_name(path.name + ".part")
    try:
        with open(unfinished, "wb") as file:
            np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_ensemble(path, make):
    """Read a file that `save_ensemble` wrote; `make` builds the result from its fields."""
    # opened here, since numpy.load leaves a damaged file open
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            arrays = {name: file[name] for name in file.files if name != "about"}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ParameterError(f"{path} is not a file that Ensemble.save wrote, or it is damaged ({error})") from None
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise ParameterError(f"{path} has another format than {_FORMAT}; it was written by another version")
    network = ReactionNetwork.parse(about["network"], **about["parameters"])
    seed = tuple(int(word) for word in about["seed"])

    def named(kind):
        return {name.removeprefix(kind): values for name, values in arrays.items() if name.startswith(kind)}

    fields = arrays["times"], arrays["counts"], network, arrays["events"], seed, named("parameter "), named("extra ")
    return make(*fields)


def to_pandas(ensemble):
    """Return a table with a row for each trajectory and time, a column for each species; needs pandas."""
    pandas = _import("pandas")
    index = pandas.MultiIndex.from_product([range(len(ensemble)), ensemble.times], names=["trajectory", "time"])
    return pandas.DataFrame(ensemble.counts.reshape(-1, len(ensemble.species)), index, list(ensemble.species))


def to_xarray(ensemble):
    """Return a Dataset with a variable for each species over trajectory and time; needs xarray."""
    xarray = _import("xarray")
    variables = {name: (("trajectory", "time"), ensemble[name]) for name in ensemble.species}
    rows = {name: ("trajectory", values) for name, values in ensemble.parameters.items()}
    about = {"network": str(ensemble.network), "seed": [str(word) for word in ensemble.seed]}
    return xarray.Dataset(variables, {"time": ensemble.times, **rows}, about)


def _import(name):
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(f'this needs {name}: install it with pip install "acme-course[data]"') from None

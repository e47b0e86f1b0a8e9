"""Arrays that nobody changes by mistake, and those that other objects hold."""

import numpy as np


def freeze(*values):
    """Make arrays read-only, and return them: facts are shared between results and threads.

    What is no array is passed by. One value is returned as itself, several as a tuple.
    """
    for value in values:
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return values[0] if len(values) == 1 else values


def freeze_fields(facts):
    """Make all arrays of a dataclass read-only; for its ``__post_init__``."""
    freeze(*vars(facts).values())


def sort_once(values):
    """Return the values of a one-dimensional array in increasing order, each once.

    NumPy's ``unique`` hashes whole numbers since 2.3, which takes minutes for a million in a row.
    """
    values = np.sort(values)
    return values[np.append(True, values[1:] != values[:-1])] if len(values) else values


_TABLES = ("DataFrame", "Index", "RangeIndex", "Series")


def unwrap(value):
    """Return the tuple in a named tuple, the array in a Series, a frame or an index of pandas; else None."""
    kind = type(value)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return tuple(tuple.__iter__(value))
    if kind.__module__.split(".")[0] == "pandas" and kind.__name__ in _TABLES:
        array = value.to_numpy()
        return array if type(array) is np.ndarray else None
    return None

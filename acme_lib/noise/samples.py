"""What is asked of samples and levels, once for all estimators and fits."""

import numpy as np

from acme_lib.checks import check_number, expected
from acme_lib.errors import ParameterError

MOST = 2**53  # the largest count that a float number holds


def as_numbers(samples, name="samples"):
    """Return samples as an array of numbers; what is empty, text or ragged is none."""
    try:
        x = np.asarray(samples)
    except ValueError:
        x = np.asarray("ragged")
    if x.dtype.kind not in "iufb":
        raise expected(name, "an array of numbers", samples)
    return x


def check_row(samples, name="samples", least=1):
    """Return samples as a row of finite float numbers, `least` at least."""
    x = as_numbers(samples, name)
    if x.ndim != 1:
        raise expected(name, "a row of numbers, one-dimensional", f"an array of shape {x.shape}")
    if len(x) < least:
        raise expected(name, f"{least} numbers or more", f"{len(x)}")
    unfit = np.count_nonzero(~np.isfinite(x))
    if unfit:
        raise ParameterError(f"{name} must be finite, got {unfit} of {len(x)} that are not: leave them out")
    return x.astype(float)


def check_counts(counts, what="counts", least=2):
    """Return counts as a one-dimensional array of int64.

    Raises
    ------
    ParameterError
        If they are not whole, not negative numbers in one dimension, or fewer than `least`.
    """
    x = as_numbers(counts, what)
    if x.ndim != 1:
        raise expected(what, "one-dimensional, one number from each cell", f"an array of shape {x.shape}")
    if len(x) < least:
        raise expected(what, f"from {least} cells or more", f"{len(x)}")
    wrong = ~(np.isfinite(x) & (x >= 0) & (x <= MOST) & (np.floor(x) == x))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ParameterError(
            f"{what} must be whole numbers from 0 to 2**53, got {x[first]!s} at place {first} ({int(wrong.sum())} such "
            "in all)"
        )
    return x.astype(np.int64)


def check_level(level):
    """Return the level of an interval, a probability between 0 and 1."""
    return check_number("level", level, above=0, below=1)

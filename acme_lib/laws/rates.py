"""What every law asks of its parameters."""

from numbers import Real

import numpy as np

from acme_lib.errors import ParameterError


def check_not_negative(**values):
    """Raise `ParameterError` unless every value is a finite number of at least 0."""
    for name, value in values.items():
        if not isinstance(value, Real) or not np.isfinite(value) or value < 0:
            raise ParameterError(f"{name} is a finite number of at least 0; {value!r} came")


def check_positive(**values):
    """Raise `ParameterError` unless every value is a finite number above 0: without loss nothing becomes stationary."""
    for name, value in values.items():
        if not isinstance(value, Real) or not np.isfinite(value) or value <= 0:
            raise ParameterError(f"{name} is a finite number above 0; {value!r} came")

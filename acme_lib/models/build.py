"""A model of the field from its text, with values that it makes sense for."""

from acme_lib.checks import check_number, check_whole
from acme_lib.network import ReactionNetwork


def build_model(text, *, positive=(), whole=(), **values):
    """Return the network of a model.

    Parameters
    ----------
    text : str
    positive, whole : sequence of str
        Parameters that are above 0 (a capacity, a constant of half saturation), and those that are whole numbers of at
        least 1 (individuals). All others are at least 0.
    **values : float

    Raises
    ------
    ParameterError
        If a value is none of these.
    """
    for name, value in values.items():
        if name in whole:
            check_whole(name, value, 1)
        elif name in positive:
            check_number(name, value, above=0)
        else:
            check_number(name, value, least=0)
    return ReactionNetwork.parse(text, **values)

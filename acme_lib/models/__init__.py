"""Models of the field, ready to simulate: each function returns a `ReactionNetwork` and names its source.

Rates are in 1/time, counts in molecules; ``network.with_parameters(…)`` changes a value later without compiling.

>>> from acme_lib import models
>>> print(models.birth_death(k=10, g=1))
0 -> M : k
M -> 0 : g
# k=10, g=1
"""

from acme_lib.models.expression import birth_death, dimerisation, two_stage
from acme_lib.models.populations import logistic, schlogl, sis
from acme_lib.models.promoters import promoter, refractory, telegraph
from acme_lib.models.regulation import autoregulation, bursty_autoregulation, toggle_switch

__all__ = [
    "autoregulation",
    "birth_death",
    "bursty_autoregulation",
    "dimerisation",
    "logistic",
    "promoter",
    "refractory",
    "schlogl",
    "sis",
    "telegraph",
    "toggle_switch",
    "two_stage",
]

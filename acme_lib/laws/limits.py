"""The limits in which the laws become simpler, each with its distance from the law it stands for."""

from dataclasses import dataclass

import numpy as np

from acme_lib.checks import expected
from acme_lib.laws.count_law import CountLaw, measure_distance
from acme_lib.laws.mixtures import mix
from acme_lib.laws.poisson import NegativeBinomial, Poisson
from acme_lib.laws.promoters import Promoter
from acme_lib.laws.telegraph import Telegraph
from acme_lib.laws.two_stage import TwoStageProtein


@dataclass(frozen=True)
class Limit:
    """A simpler law that another becomes in a limit.

    Attributes
    ----------
    name : str
    law : CountLaw
    distance : float
        Total variation from the exact law, between 0 and 1.
    """

    name: str
    law: CountLaw
    distance: float


def find_limits(law):
    r"""Return the limits of a law, the nearest first.

    ===================  ==========================================================  ==============================
    name                 limit                                                       law
    ===================  ==========================================================  ==============================
    ``fast switching``   the promoter forgets before a molecule is lost              Poisson of the mean
    ``slow switching``   the promoter keeps its state for many lifetimes             Poisson of each state, mixed
    ``burst``            k_off ≫ γ, k_on; or, for protein, g_m ≫ g_p                 negative binomial, b = s/k_off
                                                                                     or k_p/g_m
    ===================  ==========================================================  ==============================

    Parameters
    ----------
    law : Telegraph, Promoter or TwoStageProtein

    Returns
    -------
    tuple of Limit
        By rising distance. A promoter of many states has a burst limit if one state alone transcribes: its bursts come
        as often as that state is entered, and are as large as a stay makes them; a time off with more than one
        step makes them more regular, which shows in the distance.

    Raises
    ------
    ParameterError
        If the law has no limits here.

    Notes
    -----
    Use when: a fit with fewer parameters is tempting, and the question is what it costs.

    Examples
    --------
    >>> from acme_lib import laws
    >>> for limit in find_limits(laws.telegraph(k_on=2, k_off=200, s=1000)):
    ...     print(f"{limit.name}: {limit.distance:.4f}")
    burst: 0.0042
    fast switching: 0.4104
    slow switching: 0.9720
    """
    if isinstance(law, TwoStageProtein):
        limits = {"burst": law.negative_binomial_limit()}
    elif isinstance(law, Telegraph):
        both = law.k_on + law.k_off
        limits = _of_promoter(law.mean(), [0.0, law.s], [law.k_off / both, law.k_on / both])
        if law.k_off > 0:
            limits["burst"] = NegativeBinomial(law.k_on, law.s / law.k_off)
    elif isinstance(law, Promoter):
        limits = _of_promoter(law.mean(), law.s, law.occupancy)
        active = np.flatnonzero(law.s * law.occupancy)
        leaving = law.switching[active].sum()
        if len(active) == 1 and leaving > 0:
            entries = law.occupancy[active[0]] * leaving
            # A stay of no length: bursts come as often as the time between two stays allows.
            away = (1.0 - law.occupancy[active[0]]) / entries
            limits["burst"] = NegativeBinomial(float(1.0 / away), float(law.s[active[0]] / leaving))
    else:
        raise expected("law", "a telegraph, promoter or two-stage law (no other has limits here)", law)
    found = [Limit(name, limit, measure_distance(law, limit)) for name, limit in limits.items()]
    return tuple(sorted(found, key=lambda limit: limit.distance))


def _of_promoter(mean, s, occupancy):
    return {"fast switching": Poisson(float(mean)), "slow switching": mix(Poisson, (s, occupancy))}

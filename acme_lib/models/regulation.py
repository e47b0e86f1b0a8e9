"""Genes that regulate themselves or each other."""

import math

from acme_lib.checks import check_number
from acme_lib.models.build import build_model


def autoregulation(r0=2.0, r1=10.0, n=4, K=200.0, B=40.0, g=10.0, g0=1.0):  # noqa: N803 (the names of the source)
    r"""Protein that activates its own gene, with mRNA of finite life [1]_.

    ::

        0 => M     : r0 + hill(P, r1, K, n)
        M -> M + P : g*B
        M -> 0     : g
        P -> 0     : g0

    As ``g/g0`` grows, proteins come in geometric bursts of mean B: `bursty_autoregulation`. At the default values the
    rate equations have one steady state, at 467 proteins, while the law of the protein has two modes: the bursts make
    the lower one.

    Use when feedback is the question, and what noise does that rate equations do not see.

    Parameters
    ----------
    r0, r1 : float
        Transcription without and by activation, molecules/time.
    n : float
        Steepness of the activation (Hill).
    K : float
        Protein at half activation, molecules. In the source's units K is the volume, and P/K the concentration.
    B : float
        Proteins made by one mRNA, on average.
    g, g0 : float
        Decay of one mRNA and of one protein, 1/time.

    Returns
    -------
    ReactionNetwork
        Species M, P; start from ``{"P": 40}`` for the lower mode and ``{"P": 420}`` for the upper one.

    References
    ----------
    .. [1] D. Lunz, G. Batt, J. Ruess, J. F. Bonnans, PLOS Comput. Biol. 17, e1009214 (2021).
       doi:10.1371/journal.pcbi.1009214
    """
    text = "0 => M : r0 + hill(P, r1, K, n)\nM -> M + P : g*B\nM -> 0 : g\nP -> 0 : g0"
    return build_model(text, positive=("K",), r0=r0, r1=r1, n=n, K=K, B=B, g=g, g0=g0)


def bursty_autoregulation(r0=2.0, r1=10.0, n=4, K=20.0, B=4.0, g0=1.0, left_out=1e-12):  # noqa: N803 (see above)
    r"""Protein that activates its own gene and comes in geometric bursts [1]_ [2]_.

    ::

        q = B/(1 + B)
        0 => 1 P : (r0 + hill(P, r1, K, n))*(1 - q)*q**1
        0 => 2 P : (r0 + hill(P, r1, K, n))*(1 - q)*q**2
        …
        P -> 0   : g0

    Bursts come at the Hill rate and bring 0, 1, 2, … proteins with probability ``(1 - q) q^b``, of mean B. Each size is
    a reaction of its own (the size 0 is none), up to the smallest at which bursts of larger sizes have together a
    probability of at most `left_out`; those are left out. That makes about ``27.6 (B + 1/2)`` reactions for 1e-12: 124
    at the default values, and 1,119 at the source's B = 40, K = 200.

    Use when the master equation is to be solved without the mRNA. To simulate many trajectories, `autoregulation` with
    a large ``g`` has four reactions instead.

    Parameters
    ----------
    r0, r1 : float
        Bursts without and by activation, 1/time.
    n : float
        Steepness of the activation (Hill).
    K : float
        Protein at half activation, molecules.
    B : float
        Mean size of a burst, molecules. The sizes that are there follow from the value given here: after
        ``with_parameters(B=…)`` with a larger value more is left out.
    g0 : float
        Decay of one protein, 1/time.
    left_out : float
        At most this probability of a burst is left out.

    Returns
    -------
    ReactionNetwork
        Species P; start from ``{"P": 4}`` for the lower mode and ``{"P": 42}`` for the upper one.

    References
    ----------
    .. [1] N. Friedman, L. Cai, X. S. Xie, Phys. Rev. Lett. 97, 168302 (2006). doi:10.1103/PhysRevLett.97.168302
    .. [2] D. Lunz, G. Batt, J. Ruess, J. F. Bonnans, PLOS Comput. Biol. 17, e1009214 (2021).
       doi:10.1371/journal.pcbi.1009214
    """
    check_number("B", B, above=0)
    check_number("left_out", left_out, above=0, below=1)
    # The least with q^(largest + 1) <= left_out.
    largest = max(1, math.ceil(math.log(left_out) / -math.log1p(1 / B)) - 1)
    sizes = range(1, largest + 1)
    lines = ["q = B/(1 + B)", *(f"0 => {b} P : (r0 + hill(P, r1, K, n))*(1 - q)*q**{b}" for b in sizes), "P -> 0 : g0"]
    return build_model("\n".join(lines), positive=("K",), r0=r0, r1=r1, n=n, K=K, B=B, g0=g0)


def toggle_switch(a_u=20.0, a_v=20.0, K=5.0, n=2, g=1.0):  # noqa: N803 (see above)
    r"""Two genes that repress each other [1]_.

    ::

        0 => U : hillr(V, a_u, K, n)
        0 => V : hillr(U, a_v, K, n)
        U -> 0 : g
        V -> 0 : g

    Use when two stable states and the switching between them are the question.

    Parameters
    ----------
    a_u, a_v : float
        Largest production of U and V, molecules/time.
    K : float
        Repressor at half repression, molecules.
    n : float
        Steepness of the repression (Hill).
    g : float
        Decay of one protein, 1/time.

    Returns
    -------
    ReactionNetwork
        Species U, V; start from ``{"U": 20}`` or ``{"V": 20}`` for one or the other stable state.

    References
    ----------
    .. [1] T. S. Gardner, C. R. Cantor, J. J. Collins, Nature 403, 339 (2000). doi:10.1038/35002131
    """
    text = "0 => U : hillr(V, a_u, K, n)\n0 => V : hillr(U, a_v, K, n)\nU -> 0 : g\nV -> 0 : g"
    return build_model(text, positive=("K",), a_u=a_u, a_v=a_v, K=K, n=n, g=g)

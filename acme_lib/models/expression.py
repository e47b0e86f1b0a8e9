"""Expression without regulation: birth and death, mRNA and protein, dimers."""

from acme_lib.models.build import build_model


def birth_death(k=10.0, g=1.0):
    r"""Molecules that are made at a constant rate and decay one by one.

    ::

        0 -> M : k
        M -> 0 : g

    The stationary law is Poisson with mean ``k/g``.

    Use when a formula is to be checked before anything else: every law of this model is known.

    Parameters
    ----------
    k : float
        Production, molecules/time.
    g : float
        Decay of one molecule, 1/time.

    Returns
    -------
    ReactionNetwork
        Species M; starts empty by default, ``{"M": 0}``.

    References
    ----------
    .. [1] D. T. Gillespie, J. Phys. Chem. 81, 2340 (1977). doi:10.1021/j100540a008
    """
    return build_model("0 -> M : k\nM -> 0 : g", k=k, g=g)


def two_stage(k_m=10.0, k_p=5.0, g_m=1.0, g_p=0.5):
    r"""mRNA, and protein made from it [1]_.

    ::

        0 -> M     : k_m
        M -> M + P : k_p
        M -> 0     : g_m
        P -> 0     : g_p

    Means ``k_m/g_m`` and ``k_m k_p/(g_m g_p)``; Fano factors 1 and ``1 + k_p/(g_m + g_p)``. The protein is negative
    binomial only as ``g_m/g_p`` grows without bound [2]_.

    Use when a constantly active gene is enough; for a gene that switches take `telegraph`.

    Parameters
    ----------
    k_m : float
        Transcription, molecules/time.
    k_p : float
        Translation of one mRNA, molecules/time.
    g_m, g_p : float
        Decay of one mRNA and of one protein, 1/time.

    Returns
    -------
    ReactionNetwork
        Species M, P; starts empty by default.

    References
    ----------
    .. [1] M. Thattai, A. van Oudenaarden, PNAS 98, 8614 (2001). doi:10.1073/pnas.151588598
    .. [2] V. Shahrezaei, P. S. Swain, PNAS 105, 17256 (2008). doi:10.1073/pnas.0803850105
    """
    text = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\nP -> 0 : g_p"
    return build_model(text, k_m=k_m, k_p=k_p, g_m=g_m, g_p=g_p)


def dimerisation(k=20.0, g=1.0, c=0.1, d=1.0, g_d=0.5):
    r"""Protein whose pairs bind.

    ::

        0 -> P    : k
        P -> 0    : g
        2 P <-> D : c, d
        D -> 0    : g_d

    Mass action counts pairs: the propensity of binding is ``c P (P - 1)/2`` [1]_. A constant from a tool that writes
    ``c P (P - 1)`` or ``c P^2`` has to be doubled here.

    With ``g_d=0`` every reaction is balanced by its reverse, and P and D are independent Poisson numbers with means
    ``k/g`` and ``c (k/g)^2/(2 d)``.

    Use when a rate is not linear and the conventions matter.

    Parameters
    ----------
    k : float
        Production, molecules/time.
    g, g_d : float
        Decay of a monomer and of a dimer, 1/time.
    c : float
        Binding of one pair, 1/time.
    d : float
        Falling apart of one dimer, 1/time.

    Returns
    -------
    ReactionNetwork
        Species P, D; starts empty by default.

    References
    ----------
    .. [1] D. T. Gillespie, J. Phys. Chem. 81, 2340 (1977). doi:10.1021/j100540a008
    """
    text = "0 -> P : k\nP -> 0 : g\n2 P <-> D : c, d\nD -> 0 : g_d"
    return build_model(text, k=k, g=g, c=c, d=d, g_d=g_d)

"""Populations: growth with a limit, infection, and a chemical system with two stable states."""

from acme_lib.models.build import build_model


def logistic(b=2.0, d=1.0, K=50.0):  # noqa: N803 (the capacity of the field)
    r"""Stochastic logistic growth [1]_.

    ::

        X -> 2 X  : b
        X -> 0    : d
        2 X -> X  : c      with c = 2*(b - d)/K

    The rate equation (macroscopic convention) is ``dx/dt = (b - d) x (1 - x/K)``. The state without any is absorbing:
    every population dies out in the end.

    Use when extinction and the law before it are the question.

    Parameters
    ----------
    b, d : float
        Birth and death of one individual, 1/time, b larger than d.
    K : float
        Capacity, individuals.

    Returns
    -------
    ReactionNetwork
        Species X; start from ``{"X": 50}``, the capacity. From ``{"X": 0}`` nothing happens.

    References
    ----------
    .. [1] I. Nasell, J. Theor. Biol. 211, 11 (2001). doi:10.1006/jtbi.2001.2328
    """
    text = "c = 2*(b - d)/K\nX -> 2 X : b\nX -> 0 : d\n2 X -> X : c"
    return build_model(text, positive=("K",), b=b, d=d, K=K)


def sis(beta=2.0, g=1.0, N=100):  # noqa: N803 (the population of the field)
    r"""Infection without immunity in N individuals, I of them infected [1]_.

    ::

        0 => I : beta*I*(N - I)/N
        I -> 0 : g

    The rate is the whole propensity; it is zero at ``I = N``, beyond which no trajectory goes. ``I = 0`` is absorbing.

    Use when extinction in a bounded population is the question; the state space ``0 … N`` is exact.

    Parameters
    ----------
    beta : float
        Contacts that infect, of one infected among healthy, 1/time.
    g : float
        Recovery of one infected, 1/time.
    N : int
        Individuals.

    Returns
    -------
    ReactionNetwork
        Species I; start from ``{"I": 50}``, where infection and recovery balance.

    References
    ----------
    .. [1] G. H. Weiss, M. Dishon, Math. Biosci. 11, 261 (1971). doi:10.1016/0025-5564(71)90087-3
    """
    return build_model("0 => I : beta*I*(N - I)/N\nI -> 0 : g", whole=("N",), beta=beta, g=g, N=N)


def schlogl(k_1=0.03, k_2=1e-4, k_3=200.0, k_4=3.5):
    r"""Schlögl's reactions [1]_, with two stable states [2]_.

    ::

        2 X -> 3 X : k_1
        3 X -> 2 X : k_2
        0 -> X     : k_3
        X -> 0     : k_4

    The feeding species of the original are constant and part of ``k_1`` and ``k_3``. Mass action counts sets: the
    propensities are ``k_1 X (X - 1)/2`` and ``k_2 X (X - 1)(X - 2)/6``. Only neighbouring counts exchange, so that the
    stationary law is a product of ratios.

    Use when a method has to get rare switching between two modes right.

    Parameters
    ----------
    k_1, k_2, k_3, k_4 : float
        Rates of the reactions, in the order above; 1/time, of k_3 molecules/time.

    Returns
    -------
    ReactionNetwork
        Species X; start from ``{"X": 82}`` and ``{"X": 563}``, the two modes; the valley is at 256.

    References
    ----------
    .. [1] F. Schlögl, Z. Phys. 253, 147 (1972). doi:10.1007/BF01379769
    .. [2] M. Vellela, H. Qian, J. R. Soc. Interface 6, 925 (2009). doi:10.1098/rsif.2008.0476
    """
    text = "2 X -> 3 X : k_1\n3 X -> 2 X : k_2\n0 -> X : k_3\nX -> 0 : k_4"
    return build_model(text, k_1=k_1, k_2=k_2, k_3=k_3, k_4=k_4)

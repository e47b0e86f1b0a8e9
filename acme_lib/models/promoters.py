"""Promoters that switch. Their states are species with one copy: start with 1 in one state and 0 in the others."""

from collections.abc import Mapping

import numpy as np

from acme_lib.checks import expected
from acme_lib.errors import ParameterError
from acme_lib.models.build import build_model


def telegraph(k_on=0.5, k_off=2.0, s=20.0, g=1.0):
    r"""Gene that switches on and off, and its mRNA [1]_.

    ::

        OFF <-> ON   : k_on, k_off
        ON -> ON + M : s
        M -> 0       : g

    With ``a = k_on/g``, ``b = k_off/g``: M is a Poisson number whose mean is ``s/g`` times a Beta(a, b) number. Its
    mean is ``s k_on/(g (k_on + k_off))``, its Fano factor ``1 + s k_off/((k_on + k_off)(k_on + k_off + g))``.

    Use when mRNA comes in bursts (k_off much faster than g) or in two modes (k_on and k_off both slower than g).

    Parameters
    ----------
    k_on, k_off : float
        Switching, 1/time.
    s : float
        Transcription while on, molecules/time.
    g : float
        Decay of one mRNA, 1/time.

    Returns
    -------
    ReactionNetwork
        Species OFF, ON, M, with OFF + ON conserved; start from ``{"OFF": 1}``.

    References
    ----------
    .. [1] J. Peccoud, B. Ycart, Theor. Popul. Biol. 48, 222 (1995). doi:10.1006/tpbi.1995.1027
    """
    text = "OFF <-> ON : k_on, k_off\nON -> ON + M : s\nM -> 0 : g"
    return build_model(text, k_on=k_on, k_off=k_off, s=s, g=g)


def refractory(k_off=8.0, k_r=4.0, k_on=4.0, s=40.0, g=1.0):
    r"""Gene that has to wait before it can switch on again [1]_.

    ::

        ON -> R      : k_off
        R -> OFF     : k_r
        OFF -> ON    : k_on
        ON -> ON + M : s
        M -> 0       : g

    Two steps make the time off more regular than one: at the default values, where each step of the off time lasts
    1/4 on average, the Fano factor of M is 3.309278; a two-state gene with off time 1/2 has 3.909091.

    Use when measured off times have a peak away from zero.

    Parameters
    ----------
    k_off, k_r, k_on : float
        Switching, 1/time: leaving ON, ending the wait, entering ON.
    s : float
        Transcription while on, molecules/time.
    g : float
        Decay of one mRNA, 1/time.

    Returns
    -------
    ReactionNetwork
        Species ON, R, OFF, M, with ON + R + OFF conserved; start from ``{"OFF": 1}``.

    References
    ----------
    .. [1] D. M. Suter et al., Science 332, 472 (2011). doi:10.1126/science.1198817
    """
    text = "ON -> R : k_off\nR -> OFF : k_r\nOFF -> ON : k_on\nON -> ON + M : s\nM -> 0 : g"
    return build_model(text, k_off=k_off, k_r=k_r, k_on=k_on, s=s, g=g)


def promoter(rates, s, g=1.0):
    r"""Gene with any number of states, each with its own rate of transcription [1]_.

    For states A, B, … the reactions are ``A -> B : k_A_B`` for every rate that is not zero, ``A -> A + M : s_A`` for
    every state that transcribes, and ``M -> 0 : g``.

    Use when two or three states do not do: several activators, looping, steps of remodelling.

    Parameters
    ----------
    rates : mapping of (str, str) to float, or array_like, shape (state, state)
        Rate of each switch (from, to), 1/time. In a matrix ``rates[i, k]`` leads from state i to state k, the states
        are called G0, G1, …, and the diagonal is not read.
    s : mapping of str to float, or array_like, shape (state,)
        Transcription in each state, molecules/time; states left out of a mapping do not transcribe.
    g : float
        Decay of one mRNA, 1/time.

    Returns
    -------
    ReactionNetwork
        The states as species, in the order of appearance, and M; the sum of the states is conserved. Start with 1 in
        one of them.

    Raises
    ------
    ParameterError
        If states do not fit, or nothing switches or transcribes.

    References
    ----------
    .. [1] A. Sanchez, J. Kondev, PNAS 105, 5081 (2008). doi:10.1073/pnas.0707904105

    Examples
    --------
    >>> network = promoter({("OFF", "ON"): 0.5, ("ON", "OFF"): 2.0}, {"ON": 20.0})
    >>> network.conservation_law_texts
    ('OFF + ON = const',)
    """
    if not isinstance(rates, Mapping):
        rates = _rates_of_matrix(rates)
    states = tuple(dict.fromkeys(state for pair in rates for state in pair))
    if not isinstance(s, Mapping):
        if np.shape(s) != (len(states),):
            raise expected("s", f"one number for each of the {len(states)} states", s)
        s = dict(zip(states, s, strict=True))
    for state in s:
        if state not in states:
            raise ParameterError(f"{state!r} is none of the states {', '.join(states)}")
    switches = {pair: float(rate) for pair, rate in rates.items() if rate != 0}
    making = {state: float(rate) for state, rate in s.items() if rate != 0}
    if not switches or not making:
        raise ParameterError("a promoter needs a switch and a state that transcribes, with rates that are not zero")
    lines = [f"{a} -> {b} : k_{a}_{b}" for a, b in switches] + [f"{a} -> {a} + M : s_{a}" for a in making]
    values = {f"k_{a}_{b}": rate for (a, b), rate in switches.items()} | {f"s_{a}": r for a, r in making.items()}
    return build_model("\n".join([*lines, "M -> 0 : g"]), **values, g=g)


def _rates_of_matrix(matrix):
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise expected("rates", "a square matrix over two states or more", matrix)
    n = len(matrix)
    # In the order of first appearance the states are G0, G1, … also where some rates are zero.
    return {(f"G{i}", f"G{k}"): matrix[i, k] for i in range(n) for k in range(n) if i != k}

"""Waits that have a law of phases: chains of steps, births of a promoter, stays in its states, first passages."""

import numpy as np

from acme_lib.checks import check_not_negative, check_positive, check_whole, expected
from acme_lib.errors import ParameterError
from acme_lib.laws.phases import MOST_PHASES, build_phase_type
from acme_lib.laws.promoters import as_switching, promoter, stationary_occupancy


def exponential(rate):
    r"""Return the law of a wait for one event at a constant rate, :math:`f(t) = k e^{-kt}`.

    Parameters
    ----------
    rate : float
        1/time, above 0.

    Returns
    -------
    PhaseType

    Raises
    ------
    ParameterError
        If the rate does not fit.

    Examples
    --------
    >>> exponential(4.0).mean()
    0.25
    """
    return hypoexponential([rate])


def erlang(steps, rate):
    """Return the law of a wait for `steps` events in a row, each at the same rate.

    Parameters
    ----------
    steps : int
        From 1 to 5,000.
    rate : float
        Of each step, 1/time, above 0.

    Returns
    -------
    PhaseType

    Raises
    ------
    ParameterError
        If a value does not fit.

    Examples
    --------
    >>> law = erlang(4, rate=2.0)
    >>> law.mean(), law.squared_cv()
    (2.0, 0.25)
    """
    return hypoexponential([rate] * check_whole("steps", steps, 1, MOST_PHASES))


def hypoexponential(rates):
    """Return the law of a wait for one event after another, at the given rates.

    Parameters
    ----------
    rates : array_like, shape (step,)
        1/time, above 0; equal ones are no special case.

    Returns
    -------
    PhaseType

    Raises
    ------
    ParameterError
        If a rate does not fit.

    Examples
    --------
    >>> round(hypoexponential([1.0, 2.0, 4.0]).mean(), 10)
    1.75
    """
    rates = list(rates)
    size = check_whole("the number of steps", len(rates), 1, MOST_PHASES)
    for rate in rates:
        check_positive(rate=rate)
    matrix = np.zeros((size, size))
    matrix[np.arange(size - 1), np.arange(1, size)] = rates[:-1]
    exits = np.zeros(size)
    exits[-1] = rates[-1]
    return build_phase_type(np.eye(size)[0], matrix, exits)


def birth_interval(rates, s):
    r"""Return the law of the time between two mRNA births of a promoter.

    A birth finds the promoter in state i with probability :math:`\propto \pi_i s_i`; from there the wait is
    phase-type with :math:`T = Q - S`.

    Parameters
    ----------
    rates, s
        As in `promoter`: rates of switching and of synthesis in each state.

    Returns
    -------
    PhaseType
        For a telegraph gene the phases are its states; ``birth_interval([[0, k_on], [k_off, 0]], [0, s])``.

    Raises
    ------
    ParameterError
        If rates do not fit.

    Notes
    -----
    Use when: single births are seen (MS2, PP7), and bursts are to be told from a constant rate: the squared CV of the
    wait is 1 for a constant rate and above 1 for a telegraph gene.

    Examples
    --------
    >>> law = birth_interval([[0, 1.0], [3.0, 0]], [0, 20.0])
    >>> round(law.mean(), 10), round(law.squared_cv(), 10)
    (0.2, 8.5)
    """
    law = promoter(rates, s)
    weights = law.occupancy * law.s
    if weights.sum() == 0:
        raise ParameterError("no state that is visited transcribes: there are no births")
    kept = np.flatnonzero(law.occupancy > 0)
    return build_phase_type((weights / weights.sum())[kept], law.switching[np.ix_(kept, kept)], law.s[kept])


def dwell_time(rates, inside):
    r"""Return the law of the time a promoter stays in a set of states, once it has entered it.

    Parameters
    ----------
    rates
        As in `promoter`.
    inside : sequence of str or int
        Names (of a mapping) or numbers (of a matrix) of the states of the set.

    Returns
    -------
    PhaseType
        Over these states in their order; entered in proportion to the stationary flow into each.

    Raises
    ------
    ParameterError
        If states do not fit, or the set is never entered or never left.

    Notes
    -----
    Use when: on and off times are measured: one state has an exponential law, a chain of states a peak away from 0.

    Examples
    --------
    >>> cycle = {("ON", "R"): 8.0, ("R", "OFF"): 4.0, ("OFF", "ON"): 4.0}
    >>> off = dwell_time(cycle, ["R", "OFF"])
    >>> off.mean(), off.squared_cv()
    (0.5, 0.5)
    """
    switching, states = as_switching(rates)
    numbers = [states.index(one) if one in states else one for one in inside]
    if not numbers or any(
        isinstance(i, str | bool) or not isinstance(i, int | np.integer) or not 0 <= i < len(states) for i in numbers
    ):
        raise expected("inside", f"some of the states {', '.join(states)}", list(inside))
    numbers = sorted(set(numbers))
    outside = np.setdiff1d(np.arange(len(states)), numbers)
    entering = stationary_occupancy(switching)[outside] @ switching[np.ix_(outside, numbers)]
    if entering.sum() == 0:
        raise ParameterError("the set of states is never entered from outside")
    exits = switching[np.ix_(numbers, outside)].sum(axis=1)
    return build_phase_type(entering / entering.sum(), switching[np.ix_(numbers, numbers)], exits)


def first_passage_up(k, g, n0, level):
    r"""Return the law of the time at which birth and death first reach `level` molecules from `n0` below it.

    Only the counts below the level take part, so that the law is phase-type without any truncation.

    Parameters
    ----------
    k, g : float
        Production (molecules/time, above 0) and loss of each molecule (1/time).
    n0, level : int
        ``n0 < level``.

    Returns
    -------
    PhaseType
        The mean is :math:`\sum_{n=n_0}^{L-1} \sum_{j=0}^{n} \frac{1}{k} \frac{n!}{j!} (g/k)^{n-j}`.

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: a simulated or solved threshold-crossing time is to be checked. The phases are a dense matrix of the
    counts below the level, 5,000 at most; a mean that no number holds (level 200 at k = g) is refused.

    Examples
    --------
    >>> first_passage_up(k=2.0, g=1.0, n0=0, level=2).mean()
    1.25
    """
    check_positive(k=k)
    check_not_negative(g=g)
    check_whole("level", level, 1, MOST_PHASES)
    check_whole("n0", n0, 0, level - 1)
    rates = np.diag(np.full(level - 1, float(k)), 1) + np.diag(g * np.arange(1.0, level), -1)
    exits = np.zeros(level)
    exits[-1] = k
    return build_phase_type(np.eye(level)[n0], rates, exits)

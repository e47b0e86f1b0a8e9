"""The exact laws of births at a constant rate and decays of each molecule, and those that misconceptions give."""

import numpy as np


def birth_death_law(births, deaths, start, t):
    """Return the law at time `t` of a birth–death chain, from the exponential of its generator.

    Parameters
    ----------
    births, deaths : array_like, shape (n,)
        Rates out of the states 0 … n-1. Births out of the last state are left out, so choose n where the law has died
        away.
    start : int or array_like, shape (n,)
        The state, or its law, at time 0.
    t : float

    Returns
    -------
    ndarray, shape (n,)
    """
    return birth_death_path(births, deaths, start, t, 1)[1]


def birth_death_path(births, deaths, start, t, steps):
    """Return the laws of `birth_death_law` at the times 0, t/steps, …, t, shape (steps + 1, n)."""
    from scipy.linalg import expm

    births, deaths = np.array(births, dtype=float), np.array(deaths, dtype=float)
    births[-1] = deaths[0] = 0.0
    generator = np.diag(births[:-1], -1) + np.diag(deaths[1:], 1) - np.diag(births + deaths)
    law = np.array(start, dtype=float)
    if law.ndim == 0:
        law = np.zeros(len(births))
        law[int(start)] = 1.0
    step, laws = expm(t / steps * generator), [law]
    for _ in range(steps):
        law = np.clip(step @ laws[-1], 0.0, None)
        laws.append(law / law.sum())
    return np.array(laws)


def birth_death_laws(k, gamma, start, t):
    """Return the law at time `t` of births at `k` and decays at `gamma` per molecule, and those of misconceptions.

    Returns
    -------
    law : ndarray, shape (n,)
    slips : dict of str to ndarray, shape (n,)
    """
    # Births alone, a misconception, lead to more; a long time tells them from the law without that.
    n = np.arange(count_states(max(k, gamma * min(k * t, 100.0)), gamma, start, t))
    (births, deaths), mistaken = birth_death_rates(k, gamma, n)
    law = birth_death_law(births, deaths, start, t)
    slips = {
        "stationary-too-early": poisson_law(n, k / gamma),
        "overshoot": _one_more_event(law, births, deaths),
        **{slip: birth_death_law(*rates, start, t) for slip, rates in mistaken.items()},
    }
    if start:
        slips["starts-elsewhere"] = birth_death_law(births, deaths, 0, t)
        slips["deterministic-poisson"] = poisson_law(n, law @ n)
    else:
        slips["starts-elsewhere"] = birth_death_law(births, deaths, 1, t)
    return law, slips


def count_states(k, gamma, start, t):
    """Return how many states hold the law of births at `k` and decays at `gamma` per molecule, up to time `t`."""
    center = max(start, min(k / gamma, start + k * t))
    return int(center + 12 * np.sqrt(center) + 30)


def birth_death_rates(k, gamma, n):
    """Return the rates of births and of decays in the states `n`, and those that misconceptions take for them."""
    births, deaths = np.full(len(n), float(k)), gamma * np.asarray(n, dtype=float)
    total = births + deaths
    slips = {
        "time-for-rate": (births / total**2, deaths / total**2),
        "total-missing": (births / total, deaths / total),
        "death-not-per-molecule": (births, np.where(n > 0, float(gamma), 0.0)),
        "no-death": (births, 0.0 * deaths),
        "uniform-choice": (np.where(n > 0, total / 2, total), np.where(n > 0, total / 2, 0.0)),
        "log-base": (births * np.log(10), deaths * np.log(10)),
    }
    return (births, deaths), slips


def poisson_law(n, mean):
    """Return the probabilities of the counts `n` under a Poisson law."""
    from scipy.special import gammaln

    return np.exp(n * np.log(mean) - mean - gammaln(n + 1.0))


def _one_more_event(law, births, deaths):
    up = law * births / (births + deaths)
    after = np.zeros_like(law)
    after[1:] += up[:-1]
    after[:-1] += (law - up)[1:]
    return after

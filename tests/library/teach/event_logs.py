"""Simulations of births and decays with a log of all events, and logs that are invented: to measure the check with.

Right ones differ in approach. All are vectorised, so that thousands of runs cost minutes; a log is an array with rows
(cell, time, count after the event).
"""

import numpy as np


def table_of(cells, times, kinds, n0, size):
    """Put events in order and return the counts at the end and the log."""
    order = np.lexsort((times, cells))
    cells, times, kinds = cells[order], times[order], kinds[order]
    counts = n0 + np.bincount(cells, weights=kinds, minlength=size).astype(int)
    first = np.searchsorted(cells, cells)
    total = np.cumsum(kinds)
    after = n0 + total - (total - kinds)[first] if len(cells) else total
    return counts, np.column_stack([cells, times, after])


def direct(k, gamma, n0, t, size, rng, *, births=None, deaths=None, wait=None, is_birth=None):
    """The direct method, all cells side by side; or one with other rates, waits or choices."""
    births, deaths = births or (lambda n: np.full(len(n), float(k))), deaths or (lambda n: gamma * n)
    wait = wait or (lambda total: rng.exponential(1 / total))
    is_birth = is_birth or (lambda up, total, waited: rng.random(len(total)) * total < up)
    n, now, running, rows = np.full(size, n0), np.zeros(size), np.arange(size), []
    while len(running):
        up, down = births(n[running]), deaths(n[running])
        waited = wait(up + down)
        now[running] += waited
        inside = now[running] <= t
        running, up, total, waited = running[inside], up[inside], (up + down)[inside], waited[inside]
        kind = np.where(is_birth(up, total, waited) | (n[running] == 0), 1, -1)
        n[running] += kind
        rows.append(np.column_stack([running, now[running], n[running]]))
    table = np.concatenate(rows)
    return n, table[np.argsort(table[:, 0], kind="stable")]


def by_molecules(k, gamma, n0, t, size, rng, *, lifetimes=None):
    """Molecules one by one: births uniform in time, exponential lifetimes; no step of the algorithm at all."""
    number = rng.poisson(k * t, size)
    cells = np.concatenate([np.repeat(np.arange(size), n0), np.repeat(np.arange(size), number)])
    born = np.concatenate([np.zeros(n0 * size), rng.uniform(0, t, number.sum())])
    lived = rng.exponential(1 / gamma, len(born)) if lifetimes is None else lifetimes(len(born))
    dies = born + lived <= t
    new = born > 0
    kinds = np.concatenate([np.ones(new.sum(), dtype=int), -np.ones(dies.sum(), dtype=int)])
    return table_of(
        np.concatenate([cells[new], cells[dies]]), np.concatenate([born[new], (born + lived)[dies]]), kinds, n0, size
    )


def next_reaction(k, gamma, n0, t, size, rng):
    """The next-reaction method: unit-rate Poisson processes of births and of decays, on clocks of their own."""
    n, now, rows = np.full(size, n0), np.zeros(size), []
    left = rng.exponential(size=(2, size))  # until each fires, on its clock
    running = np.arange(size)
    while len(running):
        rate = np.stack([np.full(len(running), float(k)), gamma * n[running]])
        with np.errstate(divide="ignore"):
            wait = left[:, running] / rate
        which, waited = np.argmin(wait, axis=0), np.min(wait, axis=0)
        inside = now[running] + waited <= t
        running, rate, which, waited = running[inside], rate[:, inside], which[inside], waited[inside]
        now[running] += waited
        left[:, running] -= rate * waited
        left[which, running] = rng.exponential(size=len(running))
        n[running] += np.where(which == 0, 1, -1)
        rows.append(np.column_stack([running, now[running], n[running]]))
    table = np.concatenate(rows)
    return n, table[np.argsort(table[:, 0], kind="stable")]


def first_reaction(k, gamma, n0, t, size, rng):
    """The first-reaction method, one cell after the other in plain Python."""
    counts, events = [], []
    for cell in range(size):
        n, now = n0, 0.0
        while True:
            birth, death = rng.exponential(1 / k), rng.exponential(1 / (gamma * n)) if n else np.inf
            now += min(birth, death)
            if now > t:
                break
            n += 1 if birth < death else -1
            events.append((cell, now, n))
        counts.append(n)
    return counts, events


RIGHT = {"direct": direct, "molecules": by_molecules, "next reaction": next_reaction, "first reaction": first_reaction}


# Invented logs ----------------------------------------------------------------------------------------------


def uniform_times(k, gamma, n0, t, size, rng):
    """The right number of births and decays of every cell, and so the right law at t; decays at uniform times."""
    counts, table = by_molecules(k, gamma, n0, t, size, rng)
    cells = table[:, 0].astype(int)
    kinds = np.diff(table[:, 2], prepend=n0)
    first = np.searchsorted(cells, np.unique(cells))
    kinds[first] = table[first, 2] - n0
    times = np.where(kinds > 0, table[:, 1], rng.uniform(0, t, len(kinds)))
    return table_of(cells, times, _without_debt(cells, times, kinds.astype(int), n0), n0, size)


def _without_debt(cells, times, kinds, n0):
    """Return the kinds of the events, in their order, such that no decay comes before there is a molecule."""
    order = np.lexsort((times, cells))
    held = {}
    sequence = kinds[order].copy()
    debts = np.zeros(cells.max() + 1, dtype=int)
    for i, cell in enumerate(cells[order]):
        n = held.get(cell, n0)
        if sequence[i] < 0 and n == 0:  # a birth first, and this decay when there is one
            sequence[i] = 1
            debts[cell] += 1
        elif sequence[i] > 0 and debts[cell] and n > 0:
            sequence[i] = -1
            debts[cell] -= 1
        held[cell] = n + sequence[i]
    kinds = kinds.copy()
    kinds[order] = sequence
    return kinds


def shortest_way(k, gamma, n0, t, size, rng):
    """The law at t, and no more events than it takes to get there, at uniform times."""
    alive = np.exp(-gamma * t)
    ends = rng.binomial(n0, alive, size) + rng.poisson(k / gamma * (1 - alive), size)
    steps = np.abs(ends - n0)
    kinds = np.repeat(np.sign(ends - n0), steps)
    return table_of(np.repeat(np.arange(size), steps), rng.uniform(0, t, steps.sum()), kinds, n0, size)


def mean_field(k, gamma, n0, t, size, rng):
    """Decays at the rate of the mean count, whatever the cell holds."""
    grid = np.linspace(0, t, 400)
    mean = k / gamma + (n0 - k / gamma) * np.exp(-gamma * grid)
    lost = gamma * np.concatenate([[0], np.cumsum((mean[1:] + mean[:-1]) / 2 * np.diff(grid))])
    born, dead = rng.poisson(k * t, size), rng.poisson(lost[-1], size)
    dead = np.minimum(dead, n0 + born)
    cells = np.concatenate([np.repeat(np.arange(size), born), np.repeat(np.arange(size), dead)])
    times = np.concatenate([rng.uniform(0, t, born.sum()), np.interp(rng.uniform(0, lost[-1], dead.sum()), lost, grid)])
    kinds = np.concatenate([np.ones(born.sum(), dtype=int), -np.ones(dead.sum(), dtype=int)])
    return table_of(cells, times, _without_debt(cells, times, kinds, n0), n0, size)


def quantile_waits(block, within=False):
    """The direct method with shuffled quantiles of the exponential law for waits, `block` of them at a time.

    With `within` each is drawn from its stratum of the law, in place of its middle.
    """

    def simulate(k, gamma, n0, t, size, rng):
        quantiles = -np.log1p(-(np.arange(block) + 0.5) / block)
        blocks = range(60 * size // block + 1)
        if within:
            pool = [-np.log1p(-(rng.permutation(block) + rng.random(block)) / block) for _ in blocks]
        else:
            pool = [rng.permutation(quantiles) for _ in blocks]
        pool = np.concatenate(pool)
        counts, rows, taken = np.empty(size, dtype=int), [], 0
        choice = rng.random(len(pool))
        for cell in range(size):
            n, now = n0, 0.0
            while True:
                total = k + gamma * n
                now += pool[taken] / total
                taken += 1
                if now > t:
                    break
                n += 1 if choice[taken] * total < k else -1
                rows.append((cell, now, n))
            counts[cell] = n
        return counts, np.array(rows)

    return simulate


def quantile_births(k, gamma, n0, t, size, rng):
    """By molecules, with the quantiles of the Poisson law for the numbers of births, shuffled."""
    from scipy.stats import poisson

    class Arranged:
        def poisson(self, mean, size):
            return rng.permutation(poisson.ppf((np.arange(size) + 0.5) / size, mean).astype(int))

        def __getattr__(self, name):
            return getattr(rng, name)

    return by_molecules(k, gamma, n0, t, size, Arranged())


def quantile_ends(k, gamma, n0, t, size, rng):
    """Counts at t that are shuffled quantiles of their law, from an empty cell; the way to them is drawn exactly."""
    from scipy.stats import poisson

    alive = np.exp(-gamma * t)
    ends = rng.permutation(poisson.ppf((np.arange(size) + 0.5) / size, k / gamma * (1 - alive)).astype(int))
    gone = rng.poisson(k * t - k / gamma * (1 - alive), size)  # those that were born and died
    born_alive = t + np.log(rng.uniform(alive, 1, ends.sum())) / gamma
    born, lived = rng.uniform(0, t, 40 * size), rng.exponential(1 / gamma, 40 * size)
    died = np.flatnonzero(born + lived <= t)[: gone.sum()]
    cells = np.concatenate(
        [np.repeat(np.arange(size), ends), np.repeat(np.arange(size), gone), np.repeat(np.arange(size), gone)]
    )
    times = np.concatenate([born_alive, born[died], (born + lived)[died]])
    kinds = np.concatenate([np.ones(ends.sum() + gone.sum(), dtype=int), -np.ones(gone.sum(), dtype=int)])
    return table_of(cells, times, kinds, n0, size)


INVENTED = {
    "uniform times": uniform_times,
    "shortest way": shortest_way,
    "mean field": mean_field,
    "all quantile waits": quantile_waits(20_000),
    "1000 quantile waits": quantile_waits(1000),
    "100 quantile waits": quantile_waits(100),
    "20 quantile waits": quantile_waits(20),
    "1000 stratified waits": quantile_waits(1000, within=True),
    "100 stratified waits": quantile_waits(100, within=True),
    "20 stratified waits": quantile_waits(20, within=True),
    "5 stratified waits": quantile_waits(5, within=True),
    "quantile births": quantile_births,
    "quantile ends": quantile_ends,
}

"""Right and wrong answers to the exercises of chapter 1, to test the checks with.

Every right answer must pass all cells of its function; every wrong one must fail exactly the cells listed, and where a
misconception is listed (a key of the catalogue) the message must name it.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.stats

CELLS = {
    "propensities": ("propensities_simple", "propensities_pairs"),
    "mean_waiting_time": ("mean_waiting_time_check",),
    "reaction_probabilities": ("reaction_probabilities_check",),
    "ssa_step": ("ssa_step_time", "ssa_step_reaction"),
    "time_average": ("time_average_mean", "time_average_fano"),
    "birth_death_ensemble": ("ensemble_from_empty", "ensemble_from_n0"),
    "dimerisation_generator": ("generator_reflecting", "generator_absorbing"),
    "stationary_law": ("stationary_promoter", "stationary_counts"),
}


@dataclass(frozen=True)
class Wrong:
    """A wrong answer: the cells that it fails, and the misconception that each of their messages must name."""

    exercise: str
    function: object
    fails: tuple
    slip: str | None = None


RIGHT, WRONG = [], []


def right(exercise):
    """Register a right answer."""

    def register(function):
        RIGHT.append((exercise, function))
        return function

    return register


def wrong(exercise, *fails, slip=None):
    """Register a wrong answer that fails these cells (all of the exercise's where none is given)."""

    def register(function):
        WRONG.append(Wrong(exercise, function, fails or CELLS[exercise], slip))
        return function

    return register


# 1 propensities -----------------------------------------------------------------------------------

SIMPLE, PAIRS = CELLS["propensities"]


@right("propensities")
def propensities_list(counts, rates):
    a, b = counts
    return [rates[0], rates[1] * a, rates[2] * a * (a - 1) / 2, rates[3] * a * b]


@right("propensities")
def propensities_comb(counts, rates):
    a, b = (int(n) for n in counts)
    return np.array(rates) * np.array([1, a, math.comb(a, 2), a * b])


@right("propensities")
def propensities_table(counts, rates):
    values = np.empty(4)
    for j, reactants in enumerate([(0, 0), (1, 0), (2, 0), (1, 1)]):
        values[j] = rates[j]
        for n, taken in zip(counts, reactants, strict=True):
            for i in range(taken):
                values[j] *= (n - i) / (i + 1)
    return values


@right("propensities")
def propensities_that_change_their_input(counts, rates):
    rates *= np.array([1.0, counts[0], 0.5 * counts[0] * (counts[0] - 1), counts[0] * counts[1]])
    counts[:] = -1
    return tuple(rates)


def _propensities(pairs, zeroth=lambda a: 1, both=lambda a, b: a * b):
    def propensities(counts, rates):
        a, b = counts
        return np.array([rates[0] * zeroth(a), rates[1] * a, rates[2] * pairs(a), rates[3] * both(a, b)])

    return propensities


def _right_pairs(a):
    return a * (a - 1) / 2


wrong("propensities", PAIRS, slip="pairs-squared")(_propensities(lambda a: a**2))
wrong("propensities", PAIRS, slip="pairs-ordered")(_propensities(lambda a: a * (a - 1)))
wrong("propensities", PAIRS, slip="pairs-squared-half")(_propensities(lambda a: a**2 / 2))
wrong("propensities", PAIRS, slip="pairs-linear")(_propensities(lambda a: a))
wrong("propensities", PAIRS)(_propensities(lambda a: a * (a + 1) / 2))
wrong("propensities", SIMPLE, slip="zeroth-times-count")(_propensities(_right_pairs, zeroth=lambda a: a))
wrong("propensities", SIMPLE, slip="sum-of-reactants")(_propensities(_right_pairs, both=lambda a, b: a + b))
wrong("propensities", SIMPLE)(_propensities(_right_pairs, both=lambda a, b: a * b / 2))


@wrong("propensities", slip=None)
def propensities_total(counts, rates):
    return np.sum(propensities_list(counts, rates))


@wrong("propensities")
def propensities_without_counts(counts, rates):
    return rates


@wrong("propensities", SIMPLE, PAIRS)
def propensities_species_swapped(counts, rates):
    return propensities_list(counts[::-1], rates)


@wrong("propensities", SIMPLE, PAIRS)
def propensities_cut_to_integers(counts, rates):
    values = np.zeros(4, dtype=int)
    values[:] = 0.999 * np.array(propensities_list(counts, rates))
    return values


# 2 waiting ----------------------------------------------------------------------------------------


@right("mean_waiting_time")
def wait_sum(propensities):
    total = sum(propensities)
    return 1 / total if total else math.inf


@right("mean_waiting_time")
def wait_numpy(propensities):
    return np.float64(1.0) / np.sum(propensities)  # a warning, and inf, where nothing can happen


@right("mean_waiting_time")
def wait_scipy(propensities):
    total = np.sum(propensities)
    return scipy.stats.expon(scale=1 / total).mean() if total > 0 else float("inf")


def _wait(formula):
    def mean_waiting_time(propensities):
        return float(formula(propensities)) if propensities.sum() > 0 else np.inf

    return mean_waiting_time


wrong("mean_waiting_time", slip="rate-for-time")(_wait(np.sum))
wrong("mean_waiting_time", slip="fastest-only")(_wait(lambda a: 1 / a.max()))
wrong("mean_waiting_time", slip="sum-of-waits")(_wait(lambda a: np.sum(1 / a[a > 0])))
wrong("mean_waiting_time", slip="mean-rate")(_wait(lambda a: 1 / a.mean()))
wrong("mean_waiting_time", slip="median-wait")(_wait(lambda a: np.log(2) / a.sum()))
wrong("mean_waiting_time")(_wait(lambda a: np.mean(1 / a[a > 0])))
wrong("mean_waiting_time")(_wait(lambda a: 1 / a[0]))
wrong("mean_waiting_time")(_wait(lambda a: 1 / a.sum() ** 2))


@wrong("mean_waiting_time")
def wait_zero_when_nothing_happens(propensities):
    total = propensities.sum()
    return 1 / total if total > 0 else 0.0


@wrong("mean_waiting_time")
def wait_printed(propensities):
    print(1 / np.sum(propensities))


# 3 choosing ---------------------------------------------------------------------------------------


@right("reaction_probabilities")
def probabilities_loop(propensities):
    total = sum(propensities)
    return [a / total for a in propensities]


@right("reaction_probabilities")
def probabilities_numpy(propensities):
    return np.divide(propensities, np.sum(propensities))


@right("reaction_probabilities")
def probabilities_differences(propensities):
    return np.diff(np.cumsum(np.r_[0.0, propensities]) / np.sum(propensities))


wrong("reaction_probabilities", slip="not-normalised")(lambda a: a)
wrong("reaction_probabilities", slip="not-normalised")(lambda a: 100 * a / a.sum())
wrong("reaction_probabilities", slip="not-normalised")(lambda a: a / a.max())
wrong("reaction_probabilities", slip="all-equal")(lambda a: np.full(len(a), 1 / len(a)))
wrong("reaction_probabilities", slip="winner-takes-all")(lambda a: 1.0 * (a == a.max()))
wrong("reaction_probabilities", slip="cumulative")(lambda a: np.cumsum(a) / a.sum())
wrong("reaction_probabilities", slip="squared-weights")(lambda a: a / np.linalg.norm(a))
wrong("reaction_probabilities")(lambda a: np.exp(a) / np.exp(a).sum())
wrong("reaction_probabilities")(lambda a: (1 / (a + 1e-12)) / np.sum(1 / (a + 1e-12)))
wrong("reaction_probabilities")(lambda a: int(np.argmax(a)))
wrong("reaction_probabilities")(lambda a: a[a > 1.0] / a.sum() if len(a) < 4 else a.reshape(-1, 1) / a.sum())


# 4 one step ---------------------------------------------------------------------------------------

TIME, REACTION = CELLS["ssa_step"]


@right("ssa_step")
def step_loop(propensities, u1, u2):
    total = sum(propensities)
    tau = math.log(1 / u1) / total
    mark, passed = u2 * total, 0.0
    for j, a in enumerate(propensities):
        passed += a
        if passed > mark:
            return tau, j


@right("ssa_step")
def step_argmax_of_comparison(propensities, u1, u2):
    a = np.asarray(propensities)
    return [-np.log(u1) / a.sum(), np.argmax(np.cumsum(a) > u2 * a.sum())]


@right("ssa_step")
def step_scipy(propensities, u1, u2):
    total = np.sum(propensities)
    return scipy.stats.expon.isf(u1, scale=1 / total), np.count_nonzero(np.cumsum(propensities) <= u2 * total)


@right("ssa_step")
def step_whole_float(propensities, u1, u2):
    tau, j = step_loop(propensities, u1, u2)
    return tau, float(j)


def _step(time=lambda a, u1, u2: -np.log(u1) / a.sum(), reaction=lambda a, u1, u2: step_loop(a, u1, u2)[1]):
    def ssa_step(propensities, u1, u2):
        return float(time(propensities, u1, u2)), int(reaction(propensities, u1, u2))

    return ssa_step


wrong("ssa_step", TIME, slip="log-base")(_step(time=lambda a, u1, u2: -np.log10(u1) / a.sum()))
wrong("ssa_step", TIME)(_step(time=lambda a, u1, u2: -np.log2(u1) / a.sum()))
wrong("ssa_step", TIME, slip="total-missing")(_step(time=lambda a, u1, u2: -np.log(u1)))
wrong("ssa_step", TIME, slip="complement")(_step(time=lambda a, u1, u2: -np.log1p(-min(u1, 0.999)) / a.sum()))
wrong("ssa_step", TIME, slip="rate-for-time")(_step(time=lambda a, u1, u2: -np.log(u1) * a.sum()))
wrong("ssa_step", TIME)(_step(time=lambda a, u1, u2: u1 / a.sum()))
wrong("ssa_step", TIME, slip="negative-wait")(_step(time=lambda a, u1, u2: np.log(u1) / a.sum()))
wrong("ssa_step", TIME, slip="own-random-numbers")(
    _step(time=lambda a, u1, u2: np.random.default_rng().exponential(1 / a.sum()))
)
wrong("ssa_step", TIME)(_step(time=lambda a, u1, u2: -np.log(u1) / a[step_loop(a, u1, u2)[1]]))
wrong("ssa_step", TIME)(_step(time=lambda a, u1, u2: -np.log(u1) / a.max()))
wrong("ssa_step", TIME)(_step(time=lambda a, u1, u2: 1 / a.sum()))
wrong("ssa_step", REACTION, slip="counting-from-one")(_step(reaction=lambda a, u1, u2: step_loop(a, u1, u2)[1] + 1))
wrong("ssa_step", REACTION, slip="last-below")(_step(reaction=lambda a, u1, u2: step_loop(a, u1, u2)[1] - 1))
wrong("ssa_step", REACTION)(_step(reaction=lambda a, u1, u2: np.searchsorted(np.cumsum(a), u2)))
wrong("ssa_step", REACTION, slip="zero-propensity-fires")(
    _step(reaction=lambda a, u1, u2: np.searchsorted(np.cumsum(a), u2 * a.sum(), side="left"))
)
wrong("ssa_step", REACTION, slip="winner-takes-all")(_step(reaction=lambda a, u1, u2: np.argmax(a)))
wrong("ssa_step", REACTION)(_step(reaction=lambda a, u1, u2: int(u2 * len(a))))


@wrong("ssa_step")
def step_numbers_exchanged(propensities, u1, u2):
    return step_loop(propensities, max(u2, 1e-9), min(u1, 0.999999))


@wrong("ssa_step")
def step_parts_exchanged(propensities, u1, u2):
    return step_loop(propensities, u1, u2)[::-1]


@wrong("ssa_step")
def step_own_random_numbers(propensities, u1, u2):
    return step_loop(propensities, 0.001 + 0.1 * np.random.default_rng().random(), 0.0)


# 5 averages ---------------------------------------------------------------------------------------

MEAN, FANO = CELLS["time_average"]


@right("time_average")
def average_loop(times, counts, t_end):
    first = second = 0.0
    edges = [*times, t_end]
    for i, n in enumerate(counts):
        first += n * (edges[i + 1] - edges[i])
        second += n**2 * (edges[i + 1] - edges[i])
    mean = first / t_end
    return mean, (second / t_end - mean**2) / mean


@right("time_average")
def average_numpy(times, counts, t_end):
    weights = np.diff(times, append=t_end)
    mean = np.average(counts, weights=weights)
    return mean, np.average((counts - mean) ** 2, weights=weights) / mean


@right("time_average")
def average_of_law(times, counts, t_end):
    law = np.bincount(counts, weights=np.diff(np.r_[times, t_end]))
    variable = scipy.stats.rv_discrete(values=(np.arange(len(law)), law / law.sum()))
    return variable.mean(), variable.var() / variable.mean()


def _average(mean=None, fano=None):
    def time_average(times, counts, t_end):
        m, f = average_numpy(times, counts, t_end)
        variance = f * m
        durations = np.diff(times, append=t_end)
        given = {"t": times, "n": counts, "T": t_end, "m": m, "v": variance, "w": durations}
        return float(mean(**given)) if mean else m, float(fano(**given)) if fano else f

    return time_average


wrong("time_average", slip="event-weighted")(lambda times, counts, t_end: (counts.mean(), counts.var() / counts.mean()))
wrong("time_average", MEAN, slip="last-interval")(_average(mean=lambda t, n, **_: np.sum(np.diff(t) * n[:-1]) / t[-1]))
wrong("time_average", MEAN, slip="not-divided-by-time")(_average(mean=lambda n, w, **_: np.sum(n * w)))
wrong("time_average", MEAN)(_average(mean=lambda t, n, **_: np.sum(np.diff(t) * n[1:]) / t[-1]))
wrong("time_average", MEAN, slip="trapezoid")(_average(mean=lambda t, n, T, **_: np.trapezoid(n, t) / T))
wrong("time_average", MEAN)(_average(mean=lambda n, w, T, **_: np.sum(n * np.roll(w, 1)) / T))
wrong("time_average", FANO, slip="cv-squared-for-fano")(_average(fano=lambda m, v, **_: v / m**2))
wrong("time_average", FANO, slip="cv-for-fano")(_average(fano=lambda m, v, **_: np.sqrt(v) / m))
wrong("time_average", FANO, slip="variance-for-fano")(_average(fano=lambda v, **_: v))
wrong("time_average", FANO, slip="event-weighted")(_average(fano=lambda n, **_: n.var() / n.mean()))
wrong("time_average", FANO, slip="second-moment")(_average(fano=lambda n, w, m, T, **_: np.sum(n**2 * w) / T / m))
wrong("time_average", FANO)(_average(fano=lambda m, v, **_: m / v))
wrong("time_average", FANO)(_average(fano=lambda n, m, **_: n.var(ddof=1) / m))


@wrong("time_average")
def average_as_one_number(times, counts, t_end):
    return average_numpy(times, counts, t_end)[0]


# 6 the ensemble -----------------------------------------------------------------------------------

EMPTY, FROM_N0 = CELLS["birth_death_ensemble"]


@right("birth_death_ensemble")
def ensemble_vectorised(k, gamma, n0, t, size, rng):
    n, now, rows = np.full(size, n0), np.zeros(size), []
    running = np.arange(size)
    while len(running):
        total = k + gamma * n[running]
        now[running] += rng.exponential(1 / total)
        running, total = running[now[running] <= t], total[now[running] <= t]
        n[running] += np.where(rng.random(len(running)) * total < k, 1, -1)
        rows.append(np.column_stack([running, now[running], n[running]]))
    return n, np.concatenate(rows)  # cells are mixed


@right("birth_death_ensemble")
def ensemble_first_reaction(k, gamma, n0, t, size, rng):
    result, log = [], []
    for cell in range(size):
        n, now = n0, 0.0
        while True:
            birth = rng.exponential(1 / k)
            death = rng.exponential(1 / (gamma * n)) if n else math.inf
            now += min(birth, death)
            if now > t:
                break
            n += 1 if birth < death else -1
            log.append([cell, now, n])
        result.append(n)
    return result, log


@right("birth_death_ensemble")
def ensemble_inverse_transform(k, gamma, n0, t, size, rng):
    counts = np.zeros(size)  # of float: whole numbers all the same
    log = np.empty((0, 3))
    for cell in range(size):
        n, now, rows = n0, 0.0, []
        while True:
            tau, reaction = step_loop([k, gamma * n], 1 - rng.random(), rng.random())
            if now + tau > t:
                break
            now, n = now + tau, n + (1, -1)[reaction]
            rows.append((cell, now, n))
        counts[cell] = n
        log = np.vstack([log, *rows]) if rows else log
    return [counts, log]


@right("birth_death_ensemble")
def ensemble_next_reaction(k, gamma, n0, t, size, rng):
    counts, log = np.empty(size, dtype=int), []
    for cell in range(size):
        n, now = n0, 0.0
        birth, death = rng.exponential(), rng.exponential()  # what is left on the clock of each reaction
        while True:
            until_birth, until_death = birth / k, death / (gamma * n) if n else math.inf
            wait = min(until_birth, until_death)
            if now + wait > t:
                break
            now += wait
            birth, death = birth - k * wait, death - gamma * n * wait
            if until_birth < until_death:
                n, birth = n + 1, rng.exponential()
            else:
                n, death = n - 1, rng.exponential()
            log.append((cell, now, n))
        counts[cell] = n
    return counts, tuple(log)


@right("birth_death_ensemble")
def ensemble_by_molecules(k, gamma, n0, t, size, rng):
    counts, log = np.empty(size, dtype=int), []
    for cell in range(size):
        born = np.concatenate([np.zeros(n0), rng.uniform(0, t, rng.poisson(k * t))])
        dead = born + rng.exponential(1 / gamma, len(born))
        events = sorted([(time, 1) for time in born[n0:]] + [(time, -1) for time in dead if time <= t])
        n = n0
        for time, change in events:
            n += change
            log.append((cell, time, n))
        counts[cell] = n
    return counts, np.array(log)


def _ensemble(
    wait=None, is_birth=None, births=None, deaths=None, start=None, overshoot=False, row=None, late=False, one=False
):
    def birth_death_ensemble(k, gamma, n0, t, size, rng):
        counts, log = np.empty(size, dtype=int), []
        for cell in range(size):
            n, now = n0 if start is None else start, 0.0
            while True:
                b = k if births is None else births(k, n)
                d = gamma * n if deaths is None else deaths(gamma, n)
                total = b + d
                number = rng.random()
                tau = wait(rng, total) if wait else rng.exponential(1 / total)
                if one:
                    tau = -np.log(1 - number) / total
                now += tau
                if now > t and not overshoot:
                    break
                birth = is_birth(rng, b, d) if is_birth else number * total < b
                before, n = n, max(n + (1 if birth else -1), 0)
                if now <= t or late:
                    log.append((cell, now, n) if row is None else row(cell, now, tau, before, n))
                if now > t:
                    break
            counts[cell] = n
        return counts, np.array(log)

    return birth_death_ensemble


def _relogged(change):
    """A right simulation whose answer is changed."""

    def birth_death_ensemble(k, gamma, n0, t, size, rng):
        return change(*ensemble_vectorised(k, gamma, n0, t, size, rng), n0)

    return birth_death_ensemble


wrong("birth_death_ensemble", slip="overshoot")(_ensemble(overshoot=True))
wrong("birth_death_ensemble", slip="overshoot")(_ensemble(overshoot=True, late=True))
wrong("birth_death_ensemble", slip="time-for-rate")(_ensemble(wait=lambda rng, total: rng.exponential(total)))
wrong("birth_death_ensemble", slip="total-missing")(_ensemble(wait=lambda rng, total: rng.exponential()))
wrong("birth_death_ensemble", slip="uniform-wait")(_ensemble(wait=lambda rng, total: rng.uniform(0, 2 / total)))
wrong("birth_death_ensemble", slip="cells-alike")(_ensemble(wait=lambda rng, total: 1 / total))
wrong("birth_death_ensemble", slip="log-base")(_ensemble(wait=lambda rng, total: -np.log10(1 - rng.random()) / total))
wrong("birth_death_ensemble", slip="one-number-for-both")(_ensemble(one=True))
wrong("birth_death_ensemble", FROM_N0, slip="starts-elsewhere")(_ensemble(start=0))
wrong("birth_death_ensemble", slip="starts-elsewhere")(_ensemble(start=5))
wrong("birth_death_ensemble")(_ensemble(is_birth=lambda rng, b, d: b > d))
wrong("birth_death_ensemble", slip="uniform-choice")(_ensemble(is_birth=lambda rng, b, d: d == 0 or rng.random() < 0.5))
wrong("birth_death_ensemble", slip="death-not-per-molecule")(_ensemble(deaths=lambda gamma, n: gamma * (n > 0)))
wrong("birth_death_ensemble", slip="no-death")(_ensemble(deaths=lambda gamma, n: 0.0))
wrong("birth_death_ensemble")(_ensemble(births=lambda k, n: k * max(n, 1)))
wrong("birth_death_ensemble", slip="waits-for-times")(_ensemble(row=lambda cell, now, tau, before, n: (cell, tau, n)))
wrong("birth_death_ensemble", slip="count-before")(_ensemble(row=lambda cell, now, tau, before, n: (cell, now, before)))
wrong("birth_death_ensemble", slip="change-for-count")(
    _ensemble(row=lambda cell, now, tau, before, n: (cell, now, n - before))
)
wrong("birth_death_ensemble")(_ensemble(row=lambda cell, now, tau, before, n: (cell + 1, now, n)))
wrong("birth_death_ensemble")(_ensemble(row=lambda cell, now, tau, before, n: (now, cell, n)))
wrong("birth_death_ensemble")(_relogged(lambda counts, log, n0: counts))
wrong("birth_death_ensemble")(_relogged(lambda counts, log, n0: (log, counts)))
wrong("birth_death_ensemble")(_relogged(lambda counts, log, n0: (counts, log[: len(log) // 2])))
wrong("birth_death_ensemble")(_relogged(lambda counts, log, n0: (counts, log[::-1])))
wrong("birth_death_ensemble")(_relogged(lambda counts, log, n0: (counts, log.T)))
wrong("birth_death_ensemble", slip="start-logged")(
    _relogged(
        lambda counts, log, n0: (
            counts,
            np.vstack([np.column_stack([np.arange(len(counts)), 0 * counts, 0 * counts + n0]), log]),
        )
    )
)


@wrong("birth_death_ensemble", slip="cell-not-reset")
def ensemble_time_goes_on(k, gamma, n0, t, size, rng):
    counts, log, now = np.full(size, n0), [], 0.0
    for cell in range(size):
        n = n0
        while True:
            total = k + gamma * n
            now += rng.exponential(1 / total)
            if now > t:
                break
            n += 1 if rng.random() * total < k else -1
            log.append((cell, now, n))
        counts[cell] = n
    return counts, np.array(log)


@wrong("birth_death_ensemble", slip="cell-not-reset")
def ensemble_count_goes_on(k, gamma, n0, t, size, rng):
    counts, log, n = np.full(size, n0), [], n0
    for cell in range(size):
        now = 0.0
        while True:
            total = k + gamma * n
            now += rng.exponential(1 / total)
            if now > t:
                break
            n += 1 if rng.random() * total < k else -1
            log.append((cell, now, n))
        counts[cell] = n
    return counts, np.array(log)


@wrong("birth_death_ensemble", slip="cells-alike")
def ensemble_fixed_steps(k, gamma, n0, t, size, rng):
    n, log, steps = np.full(size, n0), [], 200
    for step in range(steps if t else 0):
        number = rng.random(size) * steps / t
        change = np.where(number < k, 1, np.where(number < k + gamma * n, -1, 0))
        n = n + change
        moved = np.flatnonzero(change)
        log.append(np.column_stack([moved, np.full(len(moved), (step + 1) * t / steps), n[moved]]))
    return n, np.concatenate(log) if log else np.empty((0, 3))


@wrong("birth_death_ensemble", slip="cells-alike")
def ensemble_of_copies(k, gamma, n0, t, size, rng):
    counts, log = ensemble_vectorised(k, gamma, n0, t, 5, rng)
    copies = [log + [5 * i, 0, 0] for i in range(size // 5)]
    return np.tile(counts, size // 5), np.concatenate(copies)


@wrong("birth_death_ensemble", slip="too-regular")
def ensemble_with_stratified_waits(k, gamma, n0, t, size, rng):
    strata = iter(())
    counts, log = np.empty(size, dtype=int), []
    for cell in range(size):
        n, now = n0, 0.0
        while True:
            number = next(strata, None)
            if number is None:
                strata = iter((rng.permutation(500) + rng.random(500)) / 500)
                number = next(strata)
            total = k + gamma * n
            now -= np.log1p(-number) / total
            if now > t:
                break
            n += 1 if rng.random() * total < k else -1
            log.append((cell, now, n))
        counts[cell] = n
    return counts, np.array(log)


@wrong("birth_death_ensemble")
def ensemble_from_the_law(k, gamma, n0, t, size, rng):
    alive = math.exp(-gamma * t)
    counts = rng.binomial(n0, alive, size) + rng.poisson(k / gamma * (1 - alive), size)
    log = []
    for cell, end in enumerate(counts):
        times = np.sort(rng.uniform(0, t, abs(end - n0)))
        log += [(cell, time, n0 + (i + 1) * np.sign(end - n0)) for i, time in enumerate(times)]
    return counts, np.array(log)


@wrong("birth_death_ensemble")
def ensemble_stationary(k, gamma, n0, t, size, rng):
    return rng.poisson(k / gamma, size), np.empty((0, 3))


@wrong("birth_death_ensemble", slip="returns-times")
def ensemble_of_times(k, gamma, n0, t, size, rng):
    return rng.exponential(1 / (k + gamma * n0), size), []


@wrong("birth_death_ensemble", slip="global-generator")
def ensemble_global_generator(k, gamma, n0, t, size, rng):
    return ensemble_vectorised(k, gamma, n0, t, size, np.random.default_rng())


@wrong("birth_death_ensemble", slip="fixed-seed")
def ensemble_fixed_seed(k, gamma, n0, t, size, rng):
    return ensemble_vectorised(k, gamma, n0, t, size, np.random.default_rng(1))


@wrong("birth_death_ensemble", slip="fixed-seed")
def ensemble_of_rearranged_cells(k, gamma, n0, t, size, rng):
    counts, log = ensemble_vectorised(k, gamma, n0, t, size, np.random.default_rng(1))
    place = rng.permutation(size)
    moved = np.empty_like(counts)
    moved[place] = counts
    return moved, np.column_stack([place[log[:, 0].astype(int)], log[:, 1:]])


# 7 the generator ----------------------------------------------------------------------------------

REFLECTING, ABSORBING = CELLS["dimerisation_generator"]


@right("dimerisation_generator")
def generator_loop(k, gamma, c, n_max, boundary):
    A = np.zeros((n_max + 1, n_max + 1))
    for start in range(n_max + 1):
        for change, rate in ((1, k), (-1, gamma * start), (-2, c * math.comb(start, 2))):
            end = start + change
            if end > n_max and boundary == "reflecting":
                continue
            A[start, start] -= rate
            if 0 <= end <= n_max:
                A[end, start] += rate
    return A


@right("dimerisation_generator")
def generator_of_columns(k, gamma, c, n_max, boundary):
    wide = np.zeros((n_max + 2, n_max + 1))
    for n in range(n_max + 1):
        wide[n + 1, n] = k
        if n >= 1:
            wide[n - 1, n] = gamma * n
        if n >= 2:
            wide[n - 2, n] = c * n * (n - 1) / 2
    if boundary == "reflecting":
        wide[-1] = 0
    return wide[:-1] - np.diag(wide.sum(axis=0))


@right("dimerisation_generator")
def generator_sparse(k, gamma, c, n_max, boundary):
    n = np.arange(n_max + 1.0)
    pairs = c * n * (n - 1) / 2
    out = k + gamma * n + pairs
    out[-1] -= k * (boundary == "reflecting")
    diagonals = [np.full(n_max + 1, k), -out, gamma * n, pairs]
    return scipy.sparse.spdiags(diagonals, [-1, 0, 1, 2], n_max + 1, n_max + 1).toarray()


@right("dimerisation_generator")
def generator_from_stoichiometry(k, gamma, c, n_max, boundary):
    size = n_max + 1
    n = np.arange(size)
    A = np.zeros((size, size))
    for change, rates in {1: np.full(size, k), -1: gamma * n, -2: 0.5 * c * n * (n - 1)}.items():
        rates = np.where((n == n_max) & (change > 0) & (boundary == "reflecting"), 0.0, rates)
        A += (np.eye(size, k=-change) - np.eye(size)) * rates
    return A.tolist()


def _diagonal(A):
    return np.diag(np.diag(A))


def _generator(change=lambda A, *_: A, pairs=lambda n: n * (n - 1) / 2, loss=2, decays=lambda n: n, wraps=False):
    def dimerisation_generator(k, gamma, c, n_max, boundary):
        A = np.zeros((n_max + 1, n_max + 1))
        for n in range(n_max + 1):
            for end, rate in ((n + 1, k), (n - 1, gamma * decays(n) * (n > 0)), (n - loss, c * pairs(n) * (n > 1))):
                if end > n_max and wraps:
                    A[0, n] += k
                if end <= n_max or boundary == "absorbing" or wraps:
                    A[n, n] -= rate
                if 0 <= end <= n_max:
                    A[end, n] += rate
        return change(A, k, gamma, c, n_max, boundary)

    return dimerisation_generator


wrong("dimerisation_generator", slip="transposed")(_generator(lambda A, *_: A.T))
wrong("dimerisation_generator", slip="no-diagonal")(_generator(lambda A, *_: A - _diagonal(A)))
wrong("dimerisation_generator", slip="positive-diagonal")(_generator(lambda A, *_: A - 2 * _diagonal(A)))
wrong("dimerisation_generator", slip="truncation-off-by-one")(
    lambda k, gamma, c, n_max, boundary: generator_loop(k, gamma, c, n_max - 1, boundary)
)
wrong("dimerisation_generator", slip="truncation-off-by-one")(
    lambda k, gamma, c, n_max, boundary: generator_loop(k, gamma, c, n_max + 1, boundary)
)
wrong("dimerisation_generator", REFLECTING, slip="leaks")(
    lambda k, gamma, c, n_max, boundary: generator_loop(k, gamma, c, n_max, "absorbing")
)
wrong("dimerisation_generator", ABSORBING, slip="does-not-leak")(
    lambda k, gamma, c, n_max, boundary: generator_loop(k, gamma, c, n_max, "reflecting")
)
wrong("dimerisation_generator", slip="pairs-squared")(_generator(pairs=lambda n: n**2))
wrong("dimerisation_generator", slip="pairs-ordered")(_generator(pairs=lambda n: n * (n - 1)))
wrong("dimerisation_generator", slip="pairs-squared-half")(_generator(pairs=lambda n: n**2 / 2))
wrong("dimerisation_generator", slip="pairs-linear")(_generator(pairs=lambda n: n))
wrong("dimerisation_generator", slip="pair-removes-one")(_generator(loss=1))
wrong("dimerisation_generator", slip="constant-death")(_generator(decays=lambda n: 1))
wrong("dimerisation_generator")(_generator(decays=lambda n: n - 1))
wrong("dimerisation_generator")(_generator(wraps=True))
wrong("dimerisation_generator")(_generator(loss=0))
wrong("dimerisation_generator")(_generator(pairs=lambda n: 0))
wrong("dimerisation_generator")(_generator(lambda A, *_: -A))
wrong("dimerisation_generator")(_generator(lambda A, *_: np.eye(len(A)) + 0.01 * A))
wrong("dimerisation_generator")(lambda k, gamma, c, n_max, boundary: generator_loop(k, 2 * gamma, c, n_max, boundary))
wrong("dimerisation_generator")(lambda k, gamma, c, n_max, boundary: scipy.sparse.eye(n_max + 1).tocsr())


@wrong("dimerisation_generator")
def generator_whose_index_wraps(k, gamma, c, n_max, boundary):
    """The square for pairs: one molecule then reacts, to the state -1, which Python takes for the last."""
    A = generator_loop(k, gamma, 0.0, n_max, boundary)
    for n in range(n_max + 1):
        A[n - 2, n] += c * n**2 / 2
        A[n, n] -= c * n**2 / 2
    return A


# 8 the stationary law -----------------------------------------------------------------------------

PROMOTER, COUNTS = CELLS["stationary_law"]


@right("stationary_law")
def stationary_null_space(A):
    p = scipy.linalg.null_space(A)[:, 0]
    return p / p.sum()


@right("stationary_law")
def stationary_eigenvector(A):
    values, vectors = np.linalg.eig(A)
    p = vectors[:, np.argmin(np.abs(values))].real
    return p / p.sum()


@right("stationary_law")
def stationary_least_squares(A):
    n = len(A)
    return np.linalg.lstsq(np.vstack([A, np.ones(n)]), np.r_[np.zeros(n), 1.0])[0]


@right("stationary_law")
def stationary_long_time(A):
    return scipy.linalg.expm(1e4 * A)[:, 0]


@right("stationary_law")
def stationary_power_iteration(A):
    step = np.eye(len(A)) + A / (1.1 * np.abs(np.diag(A)).max())
    p = np.full(len(A), 1 / len(A))
    for _ in range(20_000):
        p = step @ p
    return p / p.sum()


wrong("stationary_law", slip="left-vector")(lambda A: stationary_least_squares(A.T))
wrong("stationary_law", slip="squared-weights")(lambda A: np.abs(scipy.linalg.null_space(A)[:, 0]))
wrong("stationary_law", slip="wrong-sign")(lambda A: -np.abs(scipy.linalg.null_space(A)[:, 0]))
wrong("stationary_law", slip="wrong-sign")(lambda A: -stationary_null_space(A))
wrong("stationary_law", slip="zero-vector")(lambda A: np.linalg.solve(A - 1e-3 * np.eye(len(A)), np.zeros(len(A))))
wrong("stationary_law", slip="not-normalised")(lambda A: stationary_null_space(A) / stationary_null_space(A)[0])
wrong("stationary_law")(lambda A: scipy.linalg.expm(0.05 * A)[:, 0])
wrong("stationary_law")(lambda A: np.linalg.eig(A)[1][:, np.argmax(np.abs(np.linalg.eig(A)[0]))].real)
wrong("stationary_law")(lambda A: stationary_null_space(A).astype(complex))
wrong("stationary_law")(lambda A: stationary_null_space(A)[:, None])
wrong("stationary_law")(lambda A: (1 / np.diag(A)) / np.sum(1 / np.diag(A)))


@wrong("stationary_law")
def stationary_assumes_poisson(A):
    p = scipy.stats.poisson(A[1, 0]).pmf(np.arange(len(A)))
    return p


@wrong("stationary_law", PROMOTER)
def stationary_assumes_detailed_balance(A):
    p = np.ones(len(A))
    for n in range(1, len(A)):
        p[n] = p[n - 1] * A[n, n - 1] / A[n - 1, n] if A[n - 1, n] else p[n - 1]
    return p / p.sum()

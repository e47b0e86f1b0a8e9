"""The check of a log of events: is it one, do its events happen when they should, and how often does it err?"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2, poisson

from acme_lib.teach.check import CheckFailed, birth_death_laws, check_ensemble, check_seeding
from acme_lib.teach.check_birth_death import birth_death_rates, count_states, poisson_law
from acme_lib.teach.check_events import Log, _test_clock, compare_with_rates, expect_exposure, find_fault
from acme_lib.teach.check_laws import compare_with_law
from acme_lib.teach.check_slips import SLIPS

_spec = importlib.util.spec_from_file_location("event_logs", Path(__file__).with_name("event_logs.py"))
logs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(logs)

SIZE = 3000
CELLS = {"empty": (12.0, 1.0, 0, 0.44), "from n0": (3.0, 1.0, 24, 0.38)}  # in the middle of what the exercise draws
# What gives itself away only where there are bins enough.
ONLY_FROM_EMPTY = ("quantile births", "quantile ends")


def drawn(kind, rng):
    """Parameters as the hidden checks of chapter 1 draw them."""
    if kind == "empty":
        return rng.uniform(10, 13), 1.0, 0, rng.uniform(0.42, 0.46)
    return rng.uniform(2, 4), 1.0, int(rng.integers(20, 29)), rng.uniform(0.33, 0.45)


def named(k, gamma, n0, t, size=SIZE):
    return {"k": k, "gamma": gamma, "n0": n0, "t": t, "size": size, "rng": np.random.default_rng(1)}


def failure_of(simulate, cell, seed=1, size=SIZE, **options):
    answer = simulate(*cell, size, np.random.default_rng(seed))
    with pytest.raises(CheckFailed) as failure:
        check_ensemble(lambda *arguments: answer, named(*cell, size), **options)
    return failure.value


# Is it a log? -----------------------------------------------------------------------------------------------

COUNTS = np.array([4, 3, 2])  # three cells that start with 3
TABLE = np.array([[0, 0.2, 4], [2, 0.1, 4], [0, 0.5, 5], [2, 0.3, 3], [0, 0.7, 4], [2, 0.9, 2]])


def changed(*changes):
    table = TABLE.copy()
    for row, column, value in changes:
        table[row, column] = value
    return table


def test_a_log_of_mixed_cells_has_no_fault():
    assert find_fault(COUNTS, TABLE, 3, 1.0) is None
    log = Log.of(TABLE, 3, 3, 1.0)
    assert log.cells.tolist() == [0, 0, 0, 2, 2, 2]
    assert log.kinds.tolist() == [1, 1, -1, 1, -1, -1]
    assert log.waits == pytest.approx([0.2, 0.3, 0.2, 0.1, 0.2, 0.6])


@pytest.mark.parametrize("empty", [np.empty(0), np.empty((0, 3)), np.empty((3, 0))])
def test_where_nothing_happened_any_empty_log_is_right(empty):
    assert find_fault(np.array([3, 3]), empty, 3, 1.0) is None
    assert "last event" in find_fault(np.array([3, 4]), empty, 3, 1.0).text
    check_ensemble(lambda *arguments: ([3, 3], empty), named(2.0, 1.0, 3, 0.0, 2))
    check_ensemble(lambda *arguments: ([3, 3], []), named(2.0, 1.0, 3, 0.0, 2))


FAULTS = {
    "flat": (TABLE.ravel(), "one row for each event", None),
    "exchanged": (TABLE[:5].T, "exchanged", None),
    "nan": (changed((1, 1, np.nan)), "not finite", None),
    "no cell": (changed((1, 0, 3)), "first column", None),
    "cell before the first": (changed((1, 0, -1)), "first column", None),
    "part of a cell": (changed((1, 0, 0.5)), "first column", None),
    "part of a count": (changed((1, 2, 0.5)), "third column", None),
    "change": (np.column_stack([TABLE[:, :2], [1, 1, 1, -1, -1, -1]]), "third column", "change-for-count"),
    "start": (np.vstack([[0, 0.0, 3], TABLE]), "at the very start", "start-logged"),
    "before the start": (changed((0, 1, -0.2)), "before the start", None),
    "waits": (changed((2, 1, 0.1), (4, 1, 0.05)), "do not increase", "waits-for-times"),
    "late": (changed((4, 1, 1.1)), "after t", "overshoot"),
    "all late": (changed((1, 1, 1.1), (3, 1, 1.2), (5, 1, 1.3)), "after t", None),
    "before": (changed((0, 2, 3), (1, 2, 3), (2, 2, 4), (3, 2, 4), (4, 2, 5), (5, 2, 3)), "start", "count-before"),
    "elsewhere": (changed(*((i, 2, TABLE[i, 2] + 5) for i in range(6))), "start", "starts-elsewhere"),
    "jump": (changed((4, 2, 7)), "change by one", None),
    "other count": (TABLE[[0, 1, 2, 3, 4]], "last event", None),
}


@pytest.mark.parametrize(("table", "says", "slip"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_log_is_told_so(table, says, slip):
    fault = find_fault(COUNTS, table, 3, 1.0)
    assert says in fault.text
    assert fault.slip == slip
    assert not any(letter.isdigit() for letter in fault.text)  # it may stand under a hidden check


def test_cells_that_go_on_and_cells_that_keep_step():
    goes_on = np.array([[0, 0.5, 1], [1, 0.9, 1], [1, 1.3, 2], [1, 1.6, 3]])
    assert find_fault(np.array([1, 3]), goes_on, 0, 1.0).slip == "cell-not-reset"
    counts_on = np.array([[0, 0.5, 4], [0, 0.6, 5], [1, 0.4, 6], [2, 0.3, 7]])
    assert find_fault(np.array([5, 6, 7]), counts_on, 3, 1.0).slip == "cell-not-reset"
    step = np.column_stack([np.arange(100), np.repeat([0.1, 0.2], 50), np.full(100, 4)])
    assert find_fault(np.full(100, 4), step, 3, 1.0).slip == "cells-alike"
    alone = step.copy()
    alone[:, 1] += np.arange(100) * 1e-9
    assert find_fault(np.full(100, 4), alone, 3, 1.0) is None
    assert find_fault(np.array([3, 4]), np.array([[1, 1.0 + 1e-15, 4]]), 3, 1.0) is None  # rounding


def test_one_event_too_many_in_the_counts_alone():
    assert find_fault(COUNTS + [1, -1, 1], TABLE, 3, 1.0).slip == "overshoot"
    assert find_fault(np.array([7, 7]), np.empty((0, 3)), 3, 1.0).slip == "starts-elsewhere"


# Do the events happen when they should? ---------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_the_clocks_are_expected_to_show_the_integrals_of_the_rates(cell):
    k, gamma, n0, t = cell
    n = np.arange(count_states(*cell))
    births, deaths = birth_death_rates(k, gamma, n)[0]
    expected = expect_exposure(births, deaths, n0, t, SIZE)
    assert expected.of("births") == pytest.approx(k * t * SIZE, rel=1e-9)
    # gamma times the integral of the mean, k/gamma + (n0 - k/gamma) exp(-gamma t)
    area = k / gamma * t + (n0 - k / gamma) * (1 - np.exp(-gamma * t)) / gamma
    assert expected.of("decays") == pytest.approx(gamma * area * SIZE, rel=1e-4)
    assert expected.of("waits") == pytest.approx(expected.of("births") + expected.of("decays"))
    # and by slices of time and states: the events of 50 ensembles, simulated in another way, at five standard errors
    rng, runs = np.random.default_rng(5), 50
    seen = {"births": np.zeros((4, 2)), "decays": np.zeros((4, 2))}
    for _ in range(runs):
        log = Log.of(logs.by_molecules(k, gamma, n0, t, SIZE, rng)[1], n0, SIZE, t)
        part = np.minimum((log.times / t * 4).astype(int), 3)
        high = (log.after - log.kinds >= expected.borders[part]).astype(int)
        for name, sign in (("births", 1), ("decays", -1)):
            np.add.at(seen[name], (part[log.kinds == sign], high[log.kinds == sign]), 1 / runs)
    for name, number in seen.items():
        error = np.sqrt(expected.parts[name] / runs)
        assert np.all(np.abs(number - expected.parts[name]) <= 5 * 2 * error + 1e-9)


def test_a_clock_by_hand():
    """One cell, two events: the clock of births shows 2·0.5 and 2·0.8, that of decays 1·0.5 + 2·0.3."""
    log = Log.of(np.array([[0, 0.5, 2], [0, 0.8, 1]]), 1, 1, 1.0)
    births, deaths = np.full(4, 2.0), np.arange(4.0)
    found = compare_with_rates(log, births, deaths)
    # log of 2 (the birth) and of 2 (the decay of one of two), minus 2·1 for births and 0.5 + 0.6 + 0.2 for decays
    assert found.log_likelihood == pytest.approx(2 * np.log(2) - 2 - 1.3)
    # The clocks end at 2, 1.3 and 3.3; none is far from the number of its events, 1, 1 and 2.
    assert found.p_value == 1.0
    never = compare_with_rates(log, births, np.zeros(4))
    assert never.p_value == 0
    assert never.worst == "decays"


def test_the_number_of_events_is_poisson():
    positions = np.arange(1, 400) / 4.0  # four events a unit of the clock
    p, name, regular = _test_clock("births", positions, 20.0)[0]
    assert p == pytest.approx(2 * poisson.sf(79, 20.0))
    assert (name, regular) == ("births", False)
    p = _test_clock("births", positions[:5], 20.0)[0][0]
    assert p == pytest.approx(2 * poisson.cdf(5, 20.0))


def test_bins_of_waits_have_a_chi_square_law():
    rng = np.random.default_rng(3)
    positions = np.cumsum(rng.exponential(size=500))
    tests = _test_clock("births", positions, 420.0)
    many = int(420 - 7 * np.sqrt(420))
    uniform = 1 - np.exp(-np.diff(positions[:many], prepend=0))
    bins = many // 20
    observed = np.histogram(uniform, bins, range=(0, 1))[0]
    statistic = np.sum((observed - many / bins) ** 2 / (many / bins))
    assert any(p == pytest.approx(chi2.sf(statistic, bins - 1)) for p, _, _ in tests)


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("simulate", logs.RIGHT.values(), ids=logs.RIGHT)
def test_right_simulations_pass(simulate, cell):
    for seed in (1, 2):
        answer = simulate(*cell, SIZE, np.random.default_rng(seed))
        check_ensemble(lambda *arguments, given=answer: given, named(*cell))


def test_a_large_and_a_small_number_of_cells():
    for size in (1, 3, 40, 20_000):
        answer = logs.direct(*CELLS["from n0"], size, np.random.default_rng(4))
        check_ensemble(lambda *arguments, given=answer: given, named(*CELLS["from n0"], size))


WRONG_RATES = ("time-for-rate", "total-missing", "death-not-per-molecule", "no-death", "uniform-choice", "log-base")


def with_rates(slip):
    def simulate(k, gamma, n0, t, size, rng):
        wrong = [birth_death_rates(k, gamma, np.arange(1000))[1][slip][i] for i in (0, 1)]
        return logs.direct(
            k, gamma, n0, t, size, rng, births=lambda n: wrong[0][n], deaths=lambda n: np.minimum(wrong[1][n], n * 1e9)
        )

    return simulate


def one_number(k, gamma, n0, t, size, rng):
    return logs.direct(
        k, gamma, n0, t, size, rng, is_birth=lambda up, total, waited: 1 - np.exp(-waited * total) < up / total
    )


def uniform_waits(k, gamma, n0, t, size, rng):
    return logs.direct(k, gamma, n0, t, size, rng, wait=lambda total: rng.uniform(0, 2 / total))


MISTAKEN = {slip: with_rates(slip) for slip in WRONG_RATES} | {
    "one-number-for-both": one_number,
    "uniform-wait": uniform_waits,
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("slip", MISTAKEN)
def test_a_misconception_is_named(slip, cell):
    failure = failure_of(MISTAKEN[slip], cell)
    assert failure.slips == (slip,)
    assert SLIPS[slip].name in " ".join(str(failure).split())


@pytest.mark.parametrize("invention", logs.INVENTED)
def test_an_invented_log_is_found(invention):
    for kind, cell in CELLS.items():
        if kind == "empty" or invention not in ONLY_FROM_EMPTY:
            failure = failure_of(logs.INVENTED[invention], cell)
            if "stratified" in invention or invention in ONLY_FROM_EMPTY:
                assert failure.slips == ("too-regular",)


def test_a_flood_of_events_is_refused_before_it_is_judged():
    many = 1_000_000
    table = np.column_stack([np.zeros(many), np.linspace(1e-6, 0.4, many), 1 + np.arange(many)])
    with pytest.raises(CheckFailed, match="many times"):
        check_ensemble(lambda *arguments: ([many, 0], table), named(12.0, 1.0, 0, 0.44, 2))


def test_what_comes_is_judged_by_its_parts():
    arguments = named(2.0, 1.0, 3, 0.5, 2)
    for answer, says in (
        (np.array([3, 3]), "separated by a comma"),
        (([3, 3], [], []), "separated by a comma"),
        (([3, 3, 3], []), "shape (2,)"),
        (([3, 3], None), "the log"),
        (([3, 3], "text"), "the log"),
        (([3, 3], [[0, 0.1, 4], [0, 0.2]]), "equally long"),
        (([3, 3.5], []), "whole"),
        (([3, np.inf], []), "not finite"),
    ):
        with pytest.raises(CheckFailed) as failure:
            check_ensemble(lambda *given, answer=answer: answer, arguments)
        assert says in " ".join(str(failure.value).split()).lower()


def test_seeding_looks_at_all_parts():
    cell = named(*CELLS["from n0"], 200)

    def simulate(k, gamma, n0, t, size, rng):
        return logs.direct(k, gamma, n0, t, size, rng)

    check_seeding(simulate, cell)
    check_seeding(lambda *given: list(simulate(*given)), cell)

    def shuffled(*given):
        counts, table = simulate(*given[:-1], np.random.default_rng(7))
        place = given[-1].permutation(len(counts))
        moved = np.empty_like(counts)
        moved[place] = counts
        return moved, np.column_stack([place[table[:, 0].astype(int)], table[:, 1:]])

    with pytest.raises(CheckFailed, match="mostly the same numbers"):
        check_seeding(shuffled, cell)
    with pytest.raises(CheckFailed, match="two different answers"):
        check_seeding(lambda *given: simulate(*given[:-1], np.random.default_rng()), cell)


# How often does it err? -------------------------------------------------------------------------------------


def p_value(cell, table, expected):
    """The p-values of the three parts of `check_ensemble`, each over its part of the error rate; the smallest."""
    k, gamma, n0, t = cell
    log = Log.of(table, n0, SIZE, t)
    n = np.arange(max(count_states(*cell), log.after.max() + 2))
    events = compare_with_rates(log, *birth_death_rates(k, gamma, n)[0], expected=expected).p_value
    born = np.bincount(log.cells[log.kinds > 0], minlength=SIZE)
    return events, born


def count_alarms(rates, runs, seed):
    """Runs of right simulations, in all ways of doing it, and the alarms of the whole check at stated rates."""
    rng, alarms = np.random.default_rng(seed), np.zeros(len(rates), dtype=int)
    known = []
    for cell in CELLS.values():
        k, gamma, n0, t = cell
        n = np.arange(count_states(*cell))
        law = birth_death_laws(k, gamma, n0, t)[0]
        exposure = expect_exposure(*birth_death_rates(k, gamma, n)[0], n0, t, SIZE)
        known.append((cell, exposure, law, poisson_law(np.arange(len(n)), k * t)))
    ways = [logs.direct, logs.by_molecules, logs.next_reaction]
    for run in range(runs):
        cell, exposure, law, births = known[run % 2]
        counts, table = ways[run % 3](*cell, SIZE, rng)
        events, born = p_value(cell, table, exposure)
        for i, rate in enumerate(rates):
            alarms[i] += (
                events < rate / 2
                or compare_with_law(born, births, rate / 4).p_value < rate / 8
                or compare_with_law(counts, law, rate / 4).p_value < rate / 8
            )
    return alarms


@pytest.mark.thorough
def test_false_alarms_are_as_rare_as_stated():
    """5 % stated, 300 runs: at most 15 expected; 32 would come less than once in 10,000 such tests."""
    assert count_alarms([0.05], 300, seed=8)[0] <= 32


@pytest.mark.slow
def test_false_alarms_of_the_whole_check(capsys):
    rates, runs = np.array([1e-1, 1e-2, 1e-3]), 12_000
    alarms = count_alarms(rates, runs, seed=9)
    with capsys.disabled():
        print(f"\n{runs} runs, stated {rates}: {alarms} alarms = {np.round(alarms / runs / rates, 2)} of the stated")
    assert np.all(alarms <= rates * runs + 4 * np.sqrt(rates * runs))


@pytest.mark.slow
def test_false_alarms_of_a_clock_in_the_far_tail(capsys):
    """What is approximate: the laws of bins and windows. Each test of many clocks, beyond 1e-3 and beyond 1e-4."""
    rng, runs = np.random.default_rng(10), 60_000
    for end in (2000.0, 12_000.0):
        alarms = np.zeros((2, 20))
        for _ in range(runs // 4 if end > 5000 else runs):
            positions = np.cumsum(rng.exponential(size=int(end + 6 * np.sqrt(end))))
            p = np.array([test[0] for test in _test_clock("births", positions, end)])
            alarms[:, : len(p)] += p < np.array([[1e-3], [1e-4]])
        many = runs // 4 if end > 5000 else runs
        with capsys.disabled():
            print(f"\nclock to {end:g}, {len(p)} tests, {many} runs: beyond 1e-3 {alarms[0, : len(p)] / many / 1e-3}")
            print(
                f"beyond 1e-4 {alarms[1, : len(p)] / many / 1e-4}; on average {alarms[1].sum() / len(p) / many / 1e-4}"
            )
        expected = many * np.array([[1e-3], [1e-4]])
        assert np.all(alarms <= 1.5 * expected + 4 * np.sqrt(expected) + 3)


@pytest.mark.slow
def test_power_against_misconceptions_and_inventions(capsys):
    """No misconception is missed in 60 runs; of what is invented, at most one in twenty (a cell checks twice)."""
    rng, missed = np.random.default_rng(11), {}
    for name, simulate in (MISTAKEN | logs.INVENTED).items():
        for kind in CELLS:
            if kind != "empty" and name in ONLY_FROM_EMPTY:
                continue
            for _ in range(60):
                cell = drawn(kind, rng)
                answer = simulate(*cell, SIZE, rng)
                try:
                    check_ensemble(lambda *given, answer=answer: answer, named(*cell))
                    missed[name, kind] = missed.get((name, kind), 0) + 1
                except CheckFailed:
                    missed.setdefault((name, kind), 0)
    some = {key: number for key, number in missed.items() if number}
    with capsys.disabled():
        print(f"\nmissed, of 60 runs of each of {len(missed)} kinds: {some or 'none'}")
    assert not any(number for (name, _), number in missed.items() if name in MISTAKEN)
    assert max(missed.values()) <= 3

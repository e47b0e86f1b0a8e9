"""Checks of random answers against their exact law: counts, and samples of a continuous law."""

import numpy as np

from acme_lib.teach.check_compare import name_of
from acme_lib.teach.check_door import NotPlain, as_numbers, show
from acme_lib.teach.check_laws import ERROR_RATE, compare_with_law
from acme_lib.teach.check_run import known_slips, only_shown, run_check, say
from acme_lib.teach.check_words import Finding

REGULAR = ("too-regular",)


def check_law(function, arguments, law, *, size, slips=None, error_rate=ERROR_RATE, what=""):
    """Check a random answer, `size` counts, against the exact law.

    A right answer fails with a probability of at most about `error_rate` (`acme_lib.teach.check_laws` says how this
    is held). The cell chooses `size` and the arguments such that the listed misconceptions are detected;
    ``tests/library/teach/test_check.py`` measures how often.

    Parameters
    ----------
    function, arguments, what
        As in `check_values`; a Generator among the arguments stands for a fresh seed.
    law : array_like, shape (n,)
        Probabilities of the counts 0 … n-1.
    size : int
        How many counts are asked for.
    slips : dict, optional
        Misconceptions and the laws, shape (n,), that they give. One is named when the answer contradicts `law` and
        agrees with it.
    error_rate : float
        The accepted rate of false alarms of this check.

    Raises
    ------
    CheckFailed
        Not raised at once inside `hidden_checks`.
    """
    slips = known_slips(slips)
    law = np.asarray(law, dtype=float)

    def judge(answer):
        counts = read_counts(answer, size)
        return counts if isinstance(counts, Finding) else judge_law(counts, law, lambda: slips, error_rate, error_rate)

    run_check(function, arguments, judge, what)


def check_samples(function, arguments, law, *, size, slips=None, error_rate=ERROR_RATE, what=""):
    """Check a random answer, `size` independent numbers, against a continuous law.

    Parameters
    ----------
    function, arguments, what
        As in `check_law`.
    law : array_like of float, or tuple
        The numbers that cut the law into bins of equal probability, in increasing order; or these and the law, an
        object with ``cdf``: then half of `error_rate` goes to a Kolmogorov–Smirnov test.
    size : int
    slips : dict, optional
        Misconceptions and the probabilities of these bins that they give.
    error_rate : float

    Raises
    ------
    CheckFailed
        Not raised at once inside `hidden_checks`.
    """
    slips = known_slips(slips)
    edges, exact = law if isinstance(law, tuple) else (law, None)
    edges = np.asarray(edges, dtype=float)
    share = error_rate if exact is None else error_rate / 2

    def judge(answer):
        numbers = _read_numbers(answer, size, "numbers")
        if isinstance(numbers, Finding):
            return numbers
        bins = np.searchsorted(edges, numbers, side="right")
        equal = np.full(len(edges) + 1, 1 / (len(edges) + 1))
        finding = judge_law(bins, equal, lambda: slips, share, error_rate, of="numbers")
        if finding is None and len(np.unique(numbers)) < 0.99 * size:
            return Finding("many of the numbers are exactly equal, and numbers of a continuous law never are")
        if finding is None and exact is not None:
            from scipy.stats import kstest

            if kstest(numbers, exact.cdf).pvalue < share:
                return Finding(f"the numbers do not follow the law that they should {say_rate(error_rate)}")
        return finding

    run_check(function, arguments, judge, what)


def _read_numbers(answer, size, of):
    """Return as many finite numbers as are expected, or a finding."""
    try:
        numbers = as_numbers(answer)
    except NotPlain as problem:
        return Finding(say(problem))
    if numbers.shape != (size,):
        came = only_shown(f"{name_of(numbers)} came; ")
        return Finding(f"{came}expected is an array of {of} of shape ({only_shown(str(size)) or 'size'},)")
    if not np.all(np.isfinite(numbers)):
        return Finding("there are values that are not finite (nan or inf)")
    return numbers


def read_counts(answer, size):
    """Return the counts, or a finding."""
    counts = _read_numbers(answer, size, "counts")
    if isinstance(counts, Finding):
        return counts
    if np.any(counts < 0) or np.any(counts != np.floor(counts)):
        return Finding(
            "the values are not all whole and non-negative", f"Your answer: {show(answer, 3)}", ("returns-times",)
        )
    return counts.astype(np.int64)


def judge_law(counts, law, slips, share, error_rate, of="counts"):
    """Return what is wrong with the law of the counts, if anything; `share` is this test's of the error rate.

    `slips` is a function, since the laws of misconceptions take time and are rarely needed.
    """
    fit = compare_with_law(counts, law, share)
    if fit.p_value >= share / 2:
        return None
    if fit.regular:
        return Finding(
            f"the {of} follow their law more closely than random ones do {say_rate(error_rate)}", "", REGULAR
        )
    fits = {key: compare_with_law(counts, slip_law, error_rate) for key, slip_law in slips().items()}
    fits = {key: fit.log_likelihood for key, fit in fits.items() if fit.p_value > 1e-4}
    found = (max(fits, key=fits.get),) if fits else ()
    if not found and len(np.unique(counts)) == 1 and law.max() < 0.5:
        found = ("fixed-seed" if abs(counts[0] - law @ np.arange(len(law))) > 1 else "mean-rounded",)
    states = np.arange(len(law))
    mean = law @ states
    if of != "counts":
        return Finding(f"the {of} do not follow the law that they should {say_rate(error_rate)}", "", found)
    details = (
        f"Of {len(counts)} trajectories: mean {counts.mean():.4g}, variance {counts.var():.4g}\n"
        f"The exact law:      mean {mean:.4g}, variance {law @ (states - mean) ** 2:.4g}"
    )
    return Finding(f"the counts do not follow the law that they should {say_rate(error_rate)}", details, found)


def say_rate(error_rate):
    """Say how often a right answer fails, as every message of a statistical check does."""
    return f"(a right answer is taken for a wrong one once in {1 / error_rate:,.0f} times)"

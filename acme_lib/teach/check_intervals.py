"""Checks of an interval: that it holds the truth as often as it should, and is as wide as the data say."""

import numpy as np

from acme_lib.teach.check_compare import compare, match_slips
from acme_lib.teach.check_door import fresh_rng, show
from acme_lib.teach.check_laws import ERROR_RATE
from acme_lib.teach.check_random import say_rate
from acme_lib.teach.check_run import ask, known_slips, run_check
from acme_lib.teach.check_words import Finding

WIDTHS, WIDTH_FACTOR = 50, 2.0  # how many right intervals are made, and how unlike their widths may be


def check_coverage(
    function,
    data,
    arguments,
    *,
    between,
    samples=1000,
    example=None,
    slips=None,
    reference=None,
    error_rate=ERROR_RATE,
    what="",
):
    """Check how often an interval holds the truth, in data sets drawn anew.

    Parameters
    ----------
    function : callable
        The learner's: from data an interval, (low, high).
    data : callable
        Of a Generator and the `arguments`: the arguments of `function`, as a dict, and the truth.
    arguments : dict
        What the data are drawn with.
    between : tuple of float
        The least and the largest coverage that are right. A coverage at its border fails with `error_rate`.
    samples : int
        How many data sets are drawn.
    example : dict, optional
        The arguments of `function` for one data set.
    slips : dict, optional
        Misconceptions and the intervals that they give for `example`.
    reference : callable, optional
        A right function. An interval that ignores the data can hold the truth as often as it should, if it is wide and
        is now and then thrown away: its typical width must lie within a factor of `WIDTH_FACTOR` of this one's.
    error_rate : float
    what : str

    Raises
    ------
    CheckFailed
        Not raised at once inside `hidden_checks`.
    """
    from scipy.special import bdtr, bdtrc

    slips = known_slips(slips)
    draws = [data(rng, **arguments) for rng in fresh_rng().spawn(samples)]
    first = draws[0][0] if example is None else example

    def judge(answer):
        held, widths, problem = 0, [], compare(answer, (0.0, 0.0), 0.0, 1e308, ("low", "high"))
        found = () if problem else match_slips(function, answer, slips, (np.nan, np.nan), 1e-6, 1e-9)
        for given, truth in () if problem else draws:
            interval, finding = ask(function, given)
            if finding is not None:
                return finding
            problem = compare(interval, (0.0, 0.0), 0.0, 1e308, ("low", "high"))
            if problem:
                break
            low, high = (float(end) for end in interval)
            if low > high:
                return Finding("the lower end of the interval lies above its upper end", "", found)
            held += low <= truth <= high
            widths.append(high - low)
        if problem:
            return Finding(problem, f"Your answer: {show(answer)}", found)
        few = bdtr(held, samples, between[0]) < error_rate / 2
        if not few and (held == 0 or bdtrc(held - 1, samples, between[1]) >= error_rate / 2):
            return None if reference is None else _judge_widths(widths, reference, draws)
        often = "often: it is wider than it needs to be"
        general = f"the interval holds the truth too {'rarely' if few else often} {say_rate(error_rate)}"
        details = f"It held the truth in {held} of {samples} data sets; its mean width is {np.mean(widths):.4g}"
        return Finding(general, details, found)

    run_check(function, first, judge, what)


def _judge_widths(widths, reference, draws):
    """Return what is wrong with the widths of intervals that hold the truth as often as they should, if anything."""
    right = [np.diff([float(end) for end in reference(*given.values())])[0] for given, _ in draws[:WIDTHS]]
    factor = np.median(widths) / np.median(right)
    if 1 / WIDTH_FACTOR <= factor <= WIDTH_FACTOR:
        return None
    than = "wider" if factor > 1 else "narrower"
    return Finding(
        f"the interval holds the truth as often as it should, but is much {than} than one that follows from the data"
    )

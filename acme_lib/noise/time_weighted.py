r"""Moments over time, from one long trajectory: each state counts for as long as it lasts.

.. math:: \langle n \rangle_T = \frac1T \int_0^T n(t)\,dt

A trajectory remembers itself, so that its samples are not independent and n - 1 of them are not n - 1 degrees of
freedom. The record is cut into windows much longer than its memory; windows are nearly independent, and the errors come
from them.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from acme_lib.checks import check_number, expected, is_number
from acme_lib.errors import ParameterError, ShortRecordWarning
from acme_lib.noise.estimate import Estimate
from acme_lib.noise.intervals import log_student_interval, student_interval
from acme_lib.noise.samples import check_row

WINDOWS = 20
_ENOUGH = 100  # effective samples, so that a window is at least ten correlation times long
_EVEN = 10  # equal waits in a row, before a record is taken for a sampled one


@dataclass(frozen=True)
class TimeWeighted:
    """Moments of one trajectory over time.

    Attributes
    ----------
    mean, variance, fano : Estimate
        Their `n` is the number of windows. The variance has the variance of the mean added, which a time average of
        squared deviations from its own mean is short of.
    duration : float
    correlation_time : float
        Integral of the autocorrelation, estimated from the error of the mean: ``duration · stderr² / (2 variance)``.
    effective_samples : float
        Independent samples that would give the mean the same error: ``variance/stderr²``.
    """

    mean: Estimate
    variance: Estimate
    fano: Estimate
    duration: float
    correlation_time: float
    effective_samples: float


def time_weighted_moments(times, counts, end, *, start=None):
    """Estimate mean, variance and Fano factor over time from the events of one trajectory.

    Parameters
    ----------
    times : array_like, shape (event,)
        When each state is entered, increasing.
    counts : array_like, shape (event,)
        ``counts[i]`` lasts from ``times[i]`` to ``times[i + 1]``, the last one to `end`.
    end : float
        When the record ends.
    start : float, optional
        Leave out what comes before, such as the relaxation from the first state.

    Returns
    -------
    TimeWeighted

    Raises
    ------
    ParameterError
        If shapes do not fit, counts are negative, times fall, or times are evenly spaced (a sampled trajectory, for
        `trajectory_moments`, or the times of an ensemble, for `fano_factor`).

    Warns
    -----
    ShortRecordWarning
        If the record holds fewer than 100 effective samples: the errors are then too small.

    Notes
    -----
    The plain average of ``counts`` weights a state by how often it is entered, not by how long it lasts; where states
    of many molecules are left faster, it is too large (for birth and death of mean 10 it is 10.5, and the variance is
    off too).

    Use when: a simulator or an experiment records every change of one cell.

    Examples
    --------
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     result = time_weighted_moments([0.0, 1.0, 4.0], [2, 3, 1], end=8.0)
    >>> result.mean.value  # (2·1 + 3·3 + 1·4)/8
    1.875
    """
    times, counts = check_row(times, "times"), _check_record(counts)
    if len(times) != len(counts):
        raise expected("counts", f"one at each of the {len(times)} times", f"{len(counts)}")
    if np.any(np.diff(times) < 0):
        raise expected("times", "a record whose times do not fall", times.tolist())
    check_number("end", end, above=times[-1])
    waits = np.diff(times)
    if len(waits) >= _EVEN and np.ptp(waits) <= 1e-9 * waits.max():
        raise ParameterError(
            f"the times are evenly spaced, {waits[0]:g} apart, as events never are: for one trajectory sampled at them "
            "use trajectory_moments(counts, dt), for an ensemble at one time fano_factor(counts[:, i])"
        )
    if start is not None:
        check_number("start", start, least=times[0], below=end)
        first = int(np.searchsorted(times, start, side="right")) - 1
        times, counts = np.append(start, times[first + 1 :]), counts[first:]
    return _moments_over_time(times, counts, float(end))


def trajectory_moments(counts, dt):
    """Estimate mean, variance and Fano factor over time from one trajectory, sampled at equal steps.

    Parameters
    ----------
    counts : array_like, shape (time,)
        One trajectory, such as ``ensemble["P"][0]``.
    dt : float
        Time from one sample to the next.

    Returns
    -------
    TimeWeighted

    Raises
    ------
    ParameterError
        If an ensemble comes, a count is negative, or `dt` is no single time, or there are fewer than 40 samples.

    Warns
    -----
    ShortRecordWarning
        If the record holds fewer than 100 effective samples: the errors are then too small.

    Notes
    -----
    Use when: one cell was followed for a long time, with a camera at equal intervals.
    """
    if np.ndim(counts) == 2:
        trajectories, length = np.shape(counts)
        raise ParameterError(
            f"counts must be one trajectory, got {trajectories} trajectories at {length} times: give counts[i], or "
            "estimate over the ensemble at one time with fano_factor(counts[:, i])"
        )
    counts = _check_record(counts, 2 * WINDOWS)
    if not (is_number(dt) and dt > 0):
        raise expected(
            "dt", "the one time between samples", dt, "for events with times of their own use time_weighted_moments"
        )
    return _moments_over_time(dt * np.arange(len(counts)), counts, float(dt * len(counts)))


def _moments_over_time(times, counts, end):
    duration = end - times[0]
    edges = np.linspace(times[0], end, WINDOWS + 1)
    lasts = np.diff(np.append(times, end))
    center = float(counts @ lasts / duration)  # deviations keep their digits where counts are large
    knots = np.append(times, end)
    integrals = [
        np.diff(np.interp(edges, knots, np.append(0.0, np.cumsum((counts - center) ** k * lasts)))) for k in (1, 2)
    ]
    first, second = (
        values / np.diff(edges) for values in integrals
    )  # a window's mean of the deviation, and of its square
    stderr = float(first.std(ddof=1) / np.sqrt(WINDOWS))
    mean = Estimate(center, stderr, WINDOWS, lambda level: student_interval(center, stderr, WINDOWS - 1, level))

    def moments(m1, m2):
        v = m2 - m1**2 + stderr**2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.array([v, v / (center + m1)])

    whole = moments(first.mean(), second.mean())
    without = moments(*((values.sum() - values) / (WINDOWS - 1) for values in (first, second)))
    errors = np.sqrt((WINDOWS - 1) ** 2 / WINDOWS * without.var(axis=1, ddof=1))
    variance, fano = (_positive_estimate(float(v), float(e)) for v, e in zip(whole, errors, strict=True))
    effective = variance.value / stderr**2 if stderr > 0 else np.nan
    if not effective >= _ENOUGH:
        words = (
            f"the record is worth about {effective:.0f} independent samples, and its errors are too small; for "
            f"errors to trust it should be at least {_ENOUGH / effective:.1f} times as long"
            if np.isfinite(effective)
            else "nothing changed in this record: its noise cannot be told"
        )
        warnings.warn(words, ShortRecordWarning, stacklevel=3)
    return TimeWeighted(mean, variance, fano, float(duration), float(duration / (2 * effective)), float(effective))


def _positive_estimate(value, stderr):
    return Estimate(value, stderr, WINDOWS, lambda level: log_student_interval(value, stderr, WINDOWS - 1, level))


def _check_record(counts, least=1):
    """Return the counts of one trajectory: numbers of at least 0."""
    x = check_row(counts, "counts", least)
    if negative := np.count_nonzero(x < 0):
        raise ParameterError(f"counts must be at least 0, got {negative} of {len(x)} below it")
    return x

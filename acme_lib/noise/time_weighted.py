r"""Moments over time, from one long trajectory: each state counts for as long as it lasts.

.. math:: \langle n \rangle_T = \frac1T \int_0^T n(t)\,dt

A trajectory remembers itself, so that its samples are not independent and n - 1 of them are not n - 1 degrees of
freedom. The record is cut into windows much longer than its memory; windows are nearly independent, and the errors come
from them.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from acme_lib.errors import ParameterError, ShortRecordWarning
from acme_lib.noise.estimate import Estimate
from acme_lib.noise.intervals import log_student_interval, student_interval

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
        If shapes do not fit, times fall, or times are evenly spaced (a sampled trajectory, for `trajectory_moments`, or
        the times of an ensemble, for `fano_factor`).

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
    times, counts = _vector(times, "times"), _vector(counts, "counts")
    if len(times) != len(counts):
        raise ParameterError(f"each count begins at a time: {len(times)} times and {len(counts)} counts came")
    if np.any(np.diff(times) < 0):
        raise ParameterError("the times of a record do not decrease; those given do")
    if not np.isfinite(end) or end <= times[-1]:
        raise ParameterError(f"the record ends after its last event at {times[-1]:g}; the end {end!r} came")
    waits = np.diff(times)
    if len(waits) >= _EVEN and np.ptp(waits) <= 1e-9 * waits.max():
        raise ParameterError(
            f"the times are evenly spaced, {waits[0]:g} apart, as events never are: for one trajectory sampled at them "
            "use trajectory_moments(counts, dt), for an ensemble at one time fano_factor(counts[:, i])"
        )
    if start is not None:
        if not times[0] <= start < end:
            raise ParameterError(f"start lies within the record, {times[0]:g} to {end:g}; {start!r} came")
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
        If an ensemble comes, or `dt` is no single time, or there are fewer than 40 samples.

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
            f"an array of {trajectories} trajectories at {length} times came; give one trajectory, counts[i], or "
            "estimate over the ensemble at one time with fano_factor(counts[:, i])"
        )
    counts = _vector(counts, "counts")
    if np.ndim(dt) or not np.isfinite(dt) or dt <= 0:
        raise ParameterError(
            f"dt is the one time between samples, above 0; {dt!r} came (for events with times of their own use "
            "time_weighted_moments)"
        )
    if len(counts) < 2 * WINDOWS:
        raise ParameterError(f"at least {2 * WINDOWS} samples are needed; {len(counts)} came")
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


def _vector(values, name):
    x = np.asarray(values)
    if x.ndim != 1 or x.dtype.kind not in "iufb" or len(x) == 0:
        raise ParameterError(
            f"{name} are one-dimensional numbers of one trajectory; shape {x.shape}, type {x.dtype} came (for an "
            "ensemble at one time use fano_factor)"
        )
    if not np.all(np.isfinite(x)):
        raise ParameterError(f"{name} are finite; {np.count_nonzero(~np.isfinite(x))} are not")
    return x.astype(float)

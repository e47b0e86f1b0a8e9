"""When trajectories met a stop condition: first-passage times, and those that were not seen."""

from dataclasses import dataclass

import numpy as np

from acme_lib.errors import ParameterError


@dataclass(frozen=True)
class StopSummary:
    """First-passage times of an ensemble, from the start of each trajectory to its stop.

    Attributes
    ----------
    size : int
        Trajectories.
    censored : int
        Trajectories that had not stopped when the simulation ended; their times are unknown, and longer than all that
        was simulated.
    mean, stderr : float
        Of the time to the stop, and its standard error. Not a number where a trajectory is censored: the mean of the
        others would be too short.
    end : float
        When the simulation ended.
    """

    size: int
    censored: int
    mean: float
    stderr: float
    end: float

    @property
    def fraction_censored(self):
        """The part of the trajectories that had not stopped."""
        return self.censored / self.size

    def __str__(self):
        if self.censored:
            return (
                f"{self.size - self.censored} of {self.size} trajectories stopped; {self.censored} "
                f"({self.fraction_censored:.2%}) had not by t={self.end:g}, so that the mean is unknown: "
                "simulate longer"
            )
        return f"all {self.size} trajectories stopped, after {self.mean:.6g} ± {self.stderr:.2g} on average"


def summarise_stops(stop_times, end):
    """Return the `StopSummary` of stop times (not a number where censored) of trajectories from time 0 to `end`."""
    censored = int(np.isnan(stop_times).sum())
    size = len(stop_times)
    mean = stderr = np.nan
    if not censored:
        mean = float(stop_times.mean())
        stderr = float(stop_times.std(ddof=1) / np.sqrt(size)) if size > 1 else np.nan
    return StopSummary(size, censored, mean, stderr, float(end))


def need_stop_times(stop_times):
    """Return the stop times, or refuse where there was no stop condition."""
    if stop_times is None:
        raise ParameterError("this run had no stop condition; give one, such as stop='P >= 100'")
    return stop_times

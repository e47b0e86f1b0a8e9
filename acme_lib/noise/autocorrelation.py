"""How long counts remember: the autocorrelation of trajectories, with errors."""

from dataclasses import dataclass

import numpy as np

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_number, check_positive, expected
from acme_lib.errors import ParameterError
from acme_lib.noise.estimate import Estimate
from acme_lib.noise.intervals import student_interval
from acme_lib.noise.samples import as_numbers

_BLOCKS = 20


@dataclass(frozen=True, eq=False)
class Autocorrelation:
    """Autocorrelation of a stationary process.

    Attributes
    ----------
    lags : ndarray, shape (lag,)
        Read-only; 0 first.
    correlation : Estimate
        Arrays of shape (lag,); 1 ± 0 at lag 0. Its `n` is the number of blocks behind the errors.
    covariance : ndarray, shape (lag,)
        Autocovariance. Read-only.
    mean : float
    """

    lags: np.ndarray
    correlation: Estimate
    covariance: np.ndarray
    mean: float

    def __post_init__(self):
        freeze_fields(self)


def autocorrelation(counts, dt, max_lag=None):
    r"""Estimate the autocorrelation of one stationary trajectory, or of many.

    .. math:: R(\tau) = \frac{\langle \delta n(t)\,\delta n(t+\tau) \rangle}{\langle \delta n^2 \rangle}, \qquad
              \delta n = n - \langle n \rangle

    Parameters
    ----------
    counts : array_like, shape (time,) or (trajectory, time)
        Sampled at equal steps, after relaxation. The mean is one for all trajectories and times.
    dt : float
        Time from one sample to the next.
    max_lag : float, optional
        Longest lag, at most half the record (a tenth of it, if not given).

    Returns
    -------
    Autocorrelation

    Raises
    ------
    ParameterError
        If the shape does not fit, the record is too short for the lag or for its errors, or nothing changes.

    Notes
    -----
    Errors are those of a jackknife over 20 blocks or more: trajectories, or (of few trajectories) stretches of time,
    which must be much longer than the memory. Errors of neighbouring lags are strongly correlated. The variance of the
    estimated mean is added to the covariance, which is short of it.

    Exact for comparison: birth and death at γ per molecule, :math:`e^{-\gamma\tau}`; the protein of the two-stage model
    :math:`(w_m e^{-\gamma_m\tau} + w_p e^{-\gamma_p\tau})/F` with :math:`F = 1 + k_p/(\gamma_m + \gamma_p)`,
    :math:`w_m = -k_p\gamma_p/(\gamma_m^2 - \gamma_p^2)` and :math:`w_p = F - w_m`.

    Use when: asking how long a cell stays unusual.

    References
    ----------
    .. [1] M. B. Priestley, Spectral Analysis and Time Series, Academic Press (1981), chapter 5.

    Examples
    --------
    >>> result = autocorrelation(np.tile([0, 1, 2, 1], 100), dt=0.5, max_lag=2.0)
    >>> [round(value, 2) + 0.0 for value in result.correlation.value.tolist()]
    [1.0, 0.0, -1.0, 0.0, 1.0]
    """
    x = as_numbers(counts, "counts")
    if x.ndim not in (1, 2):
        raise expected("counts", "of shape (time,) or (trajectory, time)", f"an array of shape {x.shape}")
    if not np.all(np.isfinite(x)):
        raise ParameterError(f"counts must be finite, got {np.count_nonzero(~np.isfinite(x))} that are not")
    check_positive(dt=dt)
    x = np.atleast_2d(x).astype(float)
    trajectories, length = x.shape
    if max_lag is None:
        max_lag = 0.1 * length * dt
    check_number("max_lag", max_lag, least=0, most=0.5 * length * dt)  # half the record
    steps = int(np.floor(max_lag / dt + 1e-9))
    stretches = -(-_BLOCKS // trajectories)  # of each trajectory
    if length - steps < 2 * stretches:
        raise ParameterError(
            f"{trajectories} trajectories of {length} samples are too few for errors at a lag of {steps} steps: take "
            "longer or more trajectories, or a shorter lag"
        )
    mean = float(x.mean())
    x = x - mean
    if not np.any(x):
        raise ParameterError("nothing changes in these trajectories: there is no autocorrelation")
    sums = _block_sums(x, steps, stretches)
    blocks = len(sums)
    whole = _covariance(sums.sum(axis=0))
    without = np.array([_covariance(sums.sum(axis=0) - one) for one in sums])
    means = sums[:, 0, 1] / sums[:, 0, 3]
    covariance = whole + means.var(ddof=1) / blocks
    shift = covariance[0] - whole[0]
    correlation = covariance / covariance[0]
    replicas = (without + shift) / (without[:, :1] + shift)
    stderr = np.sqrt((blocks - 1) ** 2 / blocks * replicas.var(axis=0, ddof=1))
    stderr[0] = 0.0
    estimate = Estimate(
        correlation, stderr, blocks, lambda level: student_interval(correlation, stderr, blocks - 1, level)
    )
    return Autocorrelation(dt * np.arange(steps + 1), estimate, covariance, mean)


def _block_sums(x, steps, stretches):
    """Return sums of products, heads, tails and numbers of pairs: shape (block, lag, 4)."""
    trajectories, length = x.shape
    sums = np.empty((trajectories, stretches, steps + 1, 4))
    for lag in range(steps + 1):
        head, tail = x[:, : length - lag], x[:, lag:]
        edges = np.linspace(0, length - lag, stretches + 1).astype(int)
        for i, values in enumerate((head * tail, head, tail)):
            sums[:, :, lag, i] = np.add.reduceat(values, edges[:-1], axis=1)
        sums[:, :, lag, 3] = np.diff(edges)
    return sums.reshape(-1, steps + 1, 4)


def _covariance(sums):
    product, head, tail, pairs = sums.T
    mean = head[0] / pairs[0]
    return (product - mean * (head + tail)) / pairs + mean**2

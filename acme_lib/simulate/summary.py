"""Summaries of an ensemble that are built while it runs, so that memory does not grow with the ensemble."""

from dataclasses import dataclass, field

import numpy as np

from acme_lib.arrays import freeze_fields
from acme_lib.errors import ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import suggest
from acme_lib.simulate.storage import Result, to_dataset

_BINS = 2048  # of a histogram; where counts exceed it, bins become two, four, … counts wide


@dataclass(frozen=True)
class EnsembleSummary(Result):
    """Moments of species and observables, and histograms of species, of an ensemble over time.

    A quantity is a species or, after them, an observable of the network.

    Attributes
    ----------
    times : ndarray, shape (time,)
    size : int
        Trajectories.
    network : ReactionNetwork
    means : ndarray, shape (time, quantity)
    covariances : ndarray, shape (time, quantity, quantity)
        Unbiased (n - 1).
    third_moments : ndarray, shape (time, quantity)
        Central; the mean of (x - mean)³.
    fourth_moments : ndarray, shape (time, quantity)
        Central; from which standard errors of variances follow.
    counts_of_bins : ndarray of int64, shape (time, species, bin)
        Trajectories in each bin of a histogram.
    bin_widths : ndarray of int64, shape (species,)
        Counts that a bin of a species covers; 1 where it is a count.
    events : int
        Reactions that fired in the whole ensemble.
    seed : tuple of int
    """

    times: np.ndarray
    size: int
    network: ReactionNetwork = field(repr=False)
    means: np.ndarray = field(repr=False)
    covariances: np.ndarray = field(repr=False)
    third_moments: np.ndarray = field(repr=False)
    fourth_moments: np.ndarray = field(repr=False)
    counts_of_bins: np.ndarray = field(repr=False)
    bin_widths: np.ndarray = field(repr=False)
    events: int
    seed: tuple[int, ...] = field(repr=False)

    def __post_init__(self):
        freeze_fields(self)

    @property
    def species(self):
        """Names of the species."""
        return self.network.species

    def mean(self, name):
        """Return the mean over trajectories, shape (time,)."""
        return self.means[:, self._index(name)]

    def variance(self, name):
        """Return the unbiased variance over trajectories, shape (time,)."""
        i = self._index(name)
        return self.covariances[:, i, i]

    def covariance(self, first, second):
        """Return the unbiased covariance of two species, shape (time,)."""
        return self.covariances[:, self._index(first), self._index(second)]

    def fano_factor(self, name):
        """Return variance over mean, shape (time,); not a number where the mean is 0."""
        mean, variance = self.mean(name), self.variance(name)
        return np.divide(variance, mean, out=np.full_like(mean, np.nan), where=mean > 0)

    def skewness(self, name):
        """Return the third central moment over the 3/2 power of the (biased) variance, shape (time,)."""
        i = self._index(name)
        variance = self.variance(name) * (self.size - 1) / self.size
        third = self.third_moments[:, i]
        return np.divide(third, variance**1.5, out=np.full_like(third, np.nan), where=variance > 0)

    def histogram(self, name):
        """Return the histogram of a species over time.

        Returns
        -------
        edges : ndarray, shape (bin + 1,)
            Bin b holds the counts edges[b] … edges[b+1] - 1.
        trajectories : ndarray of int64, shape (time, bin)
        """
        i = self._index(name)
        if i >= len(self.species):
            raise ParameterError(
                f"{name} is an observable, of which a summary keeps moments only; "
                'with keep="counts" its values are ensemble[name]'
            )
        bins = self.counts_of_bins[:, i]
        used = int(np.flatnonzero(bins.any(axis=0)).max()) + 1
        return np.arange(used + 1) * self.bin_widths[i], bins[:, :used]

    def to_xarray(self):
        """Return an `xarray.Dataset`: mean, covariance and higher central moments over time and quantity."""
        means = (("time", "quantity"), self.means)
        variables = {"mean": means, "covariance": (("time", "quantity", "other"), self.covariances)}
        variables["third_moment"] = (("time", "quantity"), self.third_moments)
        variables["fourth_moment"] = (("time", "quantity"), self.fourth_moments)
        names = self._names()
        coordinates = {"time": self.times, "quantity": names, "other": names}
        return to_dataset(variables, coordinates, network=self.network, seed=self.seed, size=self.size)

    def _names(self):
        return [*self.species, *self.network.observables]

    def _index(self, name):
        known = self._names()
        if name not in known:
            near = suggest(str(name), known)
            raise ParameterError(f"{name!r} is not a species of this summary{near}; it has {', '.join(known)}")
        return known.index(name)


@dataclass(frozen=True)
class PartSummary:
    """What is kept of a `Part`: its size, central moments and histograms."""

    size: int
    events: int
    means: np.ndarray
    products: np.ndarray
    thirds: np.ndarray
    fourths: np.ndarray
    bins: np.ndarray
    widths: np.ndarray


def summarise_part(task, part):
    """Reduce a part to a `PartSummary`; sums run in a fixed order, so that the same part gives the same bits."""
    counts = part.counts
    values = _with_observables(task, part)
    means = values.mean(axis=0)
    away = values - means
    products = np.einsum("nti,ntj->tij", away, away)
    top = counts.max(axis=(0, 1), initial=0)
    widths = np.ones(counts.shape[2], dtype=np.int64)
    while np.any(top // widths >= _BINS):
        widths[top // widths >= _BINS] *= 2
    bins = np.zeros((*counts.shape[1:], _BINS), dtype=np.int64)
    for i, width in enumerate(widths):
        for k in range(counts.shape[1]):
            bins[k, i] = np.bincount((counts[:, k, i] // width).astype(np.int64), minlength=_BINS)
    used = int(np.flatnonzero(bins.any(axis=(0, 1))).max()) + 1
    return PartSummary(
        len(counts),
        int(part.events.sum()),
        means,
        products,
        (away**3).sum(axis=0),
        (away**4).sum(axis=0),
        bins[:, :, :used],
        widths,
    )


def _with_observables(task, part):
    """Return the counts of a part with the observables behind them, shape (row, time, quantity)."""
    network = task.network
    if not network.observables:
        return part.counts
    rows = {name: values[part.low : part.high, None] for name, values in task.parameters.items()}
    rows |= {name: part.extra["parameter_values"][:, :, i] for i, name in enumerate(network.changing_parameters)}
    more = [network.observable(name, part.counts, task.times, parameters=rows) for name in network.observables]
    return np.concatenate([part.counts, np.stack(more, axis=-1)], axis=-1)


class SummaryBuilder:
    """Joins part summaries in order: the update of Chan, Golub & LeVeque (1983), extended to fourth moments."""

    def __init__(self, task):
        self.task = task
        self.total = None
        self.bins = np.zeros((len(task.times), len(task.network.species), _BINS), dtype=np.int64)

    def add(self, part):
        """Join the summary of the next part."""
        self._add_bins(part.bins, part.widths)
        if self.total is None:
            self.total = part
            return
        a, b = self.total, part
        n = a.size + b.size
        d = b.means - a.means
        qa, qb = np.einsum("tii->ti", a.products), np.einsum("tii->ti", b.products)
        products = a.products + b.products + np.einsum("ti,tj->tij", d, d) * (a.size * b.size / n)
        thirds = a.thirds + b.thirds + d**3 * (a.size * b.size * (a.size - b.size) / n**2)
        thirds += 3 * d * (a.size * qb - b.size * qa) / n
        fourths = a.fourths + b.fourths
        fourths += d**4 * (a.size * b.size * (a.size**2 - a.size * b.size + b.size**2) / n**3)
        fourths += 6 * d**2 * (a.size**2 * qb + b.size**2 * qa) / n**2
        fourths += 4 * d * (a.size * b.thirds - b.size * a.thirds) / n
        means = a.means + d * (b.size / n)
        self.total = PartSummary(n, a.events + b.events, means, products, thirds, fourths, a.bins, self.total.widths)

    def _add_bins(self, bins, widths):
        if self.total is None:
            self.widths = widths.copy()
        for i in range(len(widths)):
            while self.widths[i] < widths[i]:
                self.bins[:, i] = _fold(self.bins[:, i])
                self.widths[i] *= 2
            new = np.zeros((bins.shape[0], _BINS), dtype=np.int64)
            new[:, : bins.shape[2]] = bins[:, i]
            width = widths[i]
            while width < self.widths[i]:
                new = _fold(new)
                width *= 2
            self.bins[:, i] += new

    def result(self):
        """Return the summary of all parts."""
        total, task = self.total, self.task
        used = int(np.flatnonzero(self.bins.any(axis=(0, 1))).max()) + 1
        with np.errstate(invalid="ignore", divide="ignore"):  # one trajectory has no variance: not a number
            covariances = total.products / np.float64(total.size - 1)
        return EnsembleSummary(
            task.times,
            total.size,
            task.network,
            total.means,
            covariances,
            total.thirds / total.size,
            total.fourths / total.size,
            self.bins[:, :, :used].copy(),
            self.widths,
            total.events,
            tuple(int(word) for word in task.key),
        )


def _fold(bins):
    """Make bins twice as wide."""
    folded = np.zeros_like(bins)
    folded[:, : _BINS // 2] = bins.reshape(len(bins), -1, 2).sum(axis=2)
    return folded

"""What every approximation by moments returns: means and covariances by name, and how far to trust them."""

import html
from dataclasses import dataclass, field

import numpy as np

from acme_lib.approximate.trust import Trust, badge
from acme_lib.arrays import freeze_fields
from acme_lib.errors import ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import suggest


@dataclass(frozen=True, eq=False, repr=False)
class ApproximateMoments:
    """Means and covariances, stationary or at several times.

    Attributes
    ----------
    network : ReactionNetwork
    times : ndarray, shape (time,), or None
        None for a stationary result; every number below is then a float.
    means : ndarray, shape (…, species)
    covariances : ndarray, shape (…, species, species)
        Read-only, all of them.
    trust : Trust
        Whether to believe them; of a solution in time, at its last time.
    """

    network: ReactionNetwork
    times: np.ndarray | None
    means: np.ndarray
    covariances: np.ndarray
    trust: Trust = field(kw_only=True)

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    @property
    def species(self):
        """Names of the species, in the order of the last axis of `means`."""
        return self.network.species

    def axis(self, name):
        """Return the place of a species."""
        if name not in self.species:
            raise ParameterError(
                f"{name!r} is not a species of this result{suggest(str(name), self.species)}: {', '.join(self.species)}"
            )
        return self.species.index(name)

    def mean(self, name):
        """Return the mean count of a species."""
        return number(self.means[..., self.axis(name)])

    def covariance(self, first, second):
        """Return the covariance of the counts of two species."""
        return number(self.covariances[..., self.axis(first), self.axis(second)])

    def variance(self, name):
        """Return the variance of the count of a species."""
        return self.covariance(name, name)

    def fano_factor(self, name):
        """Return variance over mean of the count of a species; NaN where the mean is not positive."""
        mean, variance = np.asarray(self.mean(name)), np.asarray(self.variance(name))
        return number(np.divide(variance, mean, out=np.full(mean.shape, np.nan), where=mean > 0))

    def skewness(self, name):
        """Return the skewness of the count of a species; 0 here, because the law is taken for a Gaussian."""
        return number(np.zeros(np.shape(self.mean(name))))

    def _what(self):
        return type(self).__name__

    def _last(self, value):
        return float(np.ravel(value)[-1])

    def __repr__(self):
        """Return means and standard deviations, and the light."""
        shown = ", ".join(
            f"{name} {self._last(self.mean(name)):.4g} ± {max(self._last(self.variance(name)), 0.0) ** 0.5:.3g}"
            for name in self.species
        )
        at = "stationary" if self.times is None else f"t = {self.times[-1]:g}"
        return f"{self._what()} ({at}): {shown}\n{self.trust}"

    def _repr_html_(self):
        head = "".join(f"<th>{c}</th>" for c in ("", "mean", "variance", "Fano", "skewness"))
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td>"
            + "".join(
                f"<td>{self._last(f(name)):.5g}</td>"
                for f in (self.mean, self.variance, self.fano_factor, self.skewness)
            )
            + "</tr>"
            for name in self.species
        )
        at = "stationary" if self.times is None else f"at t = {self.times[-1]:g}"
        return (
            f"<p>{html.escape(self._what())}, {at}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<p>{badge(self.trust.verdict)} {html.escape(self.trust.sentence)}</p>"
        )


def number(array):
    """Return a float where the array holds one number."""
    return float(array) if np.ndim(array) == 0 else np.array(array)

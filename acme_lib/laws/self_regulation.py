"""Bursty expression of a protein that regulates its own gene: stationary law and mean switching times."""

from dataclasses import dataclass
from functools import cached_property
from math import exp, log, log1p

import numpy as np
from scipy.special import logsumexp

from acme_lib.checks import check_not_negative, check_positive, expected
from acme_lib.errors import ParameterError

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)  # of a panel
_TAIL = 45.0  # how far the exponent falls before an integral is cut: e^-45 of its largest part
_MOST_PANELS = 300_000


def self_regulation(r0=2.0, r1=10.0, n=4.0, b=0.2, decay=1.0):
    r"""Return the law of a protein made in bursts whose rate rises with the protein itself.

    Bursts come at the rate :math:`H(x) = r_0 + r_1 x^n/(1 + x^n)`, their sizes are exponential with mean :math:`b`, and
    between them :math:`\dot x = -\gamma_0 x`. The stationary density is [1]_, [2]_

    .. math:: p(x) = c\, x^{r_0/\gamma_0 - 1}\, e^{-x/b}\, (1 + x^n)^{r_1/(n \gamma_0)} .

    Parameters
    ----------
    r0, r1 : float
        Smallest burst rate, and what regulation adds to it; 1/time.
    n : float
        Hill exponent.
    b : float
        Mean burst size, in units of the concentration at which regulation is half.
    decay : float
        The :math:`\gamma_0` above, 1/time.

    Returns
    -------
    SelfRegulation

    Raises
    ------
    ParameterError
        If a value does not fit, or (later) the density is too sharp or too wide for 300,000 panels.

    Notes
    -----
    Use when: a solver or a simulation of bursty feedback must be checked, or a switching time is wanted at once. The
    defaults are bistable. Densities, probabilities and times are right to 1e-10 of themselves, in both tails, for any
    exponent and any ratio of rates: integrals run over ln x, in panels that follow each scale of the integrand.

    References
    ----------
    .. [1] N. Friedman, L. Cai, X. S. Xie, Phys. Rev. Lett. 97, 168302 (2006). doi:10.1103/PhysRevLett.97.168302
    .. [2] Y. T. Lin, C. R. Doering, Phys. Rev. E 93, 022409 (2016). doi:10.1103/PhysRevE.93.022409

    Examples
    --------
    >>> law = self_regulation()
    >>> low, valley, high = law.extrema()
    >>> print(f"{low:.3f} {valley:.3f} {high:.3f}")
    0.203 0.818 2.103
    >>> print(f"{law.mean_switching_time(1.5, 0.825):.4f}")
    18.3681
    """
    check_positive(r0=r0, n=n, b=b, decay=decay)
    check_not_negative(r1=r1)
    return SelfRegulation(float(r0), float(r1), float(n), float(b), float(decay))


@dataclass(frozen=True)
class SelfRegulation:
    """Stationary law and switching times of `self_regulation`.

    Attributes
    ----------
    r0, r1, n, b, decay : float
    """

    r0: float
    r1: float
    n: float
    b: float
    decay: float

    def burst_rate(self, x):
        """Return H(x)."""
        x = np.asarray(x, dtype=float)
        with np.errstate(divide="ignore", over="ignore"):
            return (self.r0 + self.r1 / (1.0 + np.exp(-self.n * np.log(x))))[()]

    def logpdf(self, x):
        """Return the logarithm of the stationary density, minus infinity where it is zero."""
        x = np.asarray(x, dtype=float)
        inside = (x > 0.0) & np.isfinite(x)
        y = np.log(np.where(inside, x, 1.0))
        power = self.r0 / self.decay - 1.0  # of x near 0
        at_0 = -self.r1 / self.decay / self.n * log(2.0) - self._log_norm if power == 0.0 else -np.inf * np.sign(power)
        outside = np.where(np.isnan(x), np.nan, np.where(x == 0.0, at_0, -np.inf))
        return np.where(inside, self._exponent(y) - y - self._log_norm, outside)[()]

    def pdf(self, x):
        """Return the stationary density; infinite at 0 where r0 is below the decay rate."""
        return np.exp(self.logpdf(x))

    def cdf(self, x):
        """Return the probability of at most x."""
        return self._probability(x, self._log_below, 0.0, 1.0)

    def _probability(self, x, of_logs, below, above):
        x = np.asarray(x, dtype=float)
        inside = (x > 0.0) & np.isfinite(x)
        found = np.exp(of_logs(np.log(np.where(inside, x, 1.0)).ravel()) - self._log_norm).reshape(x.shape)
        outside = np.where(np.isnan(x), np.nan, np.where(x > 0.0, above, below))
        return np.where(inside, np.minimum(found, 1.0), outside)[()]

    def mean(self):
        """Return the mean concentration."""
        y, weights = self._nodes(self._edges[:-1], self._edges[1:])
        return float(np.exp(logsumexp(self._exponent(y) + y, b=weights) - self._log_norm))

    def extrema(self):
        """Return where the density is extremal at x > 0, in increasing order: modes and the minima between them."""
        y = self._nodes(self._edges[:-1], self._edges[1:])[0].ravel()
        slope = self._slope(y)
        changes = np.flatnonzero(np.sign(slope[1:]) != np.sign(slope[:-1]))
        low, high = y[changes], y[changes + 1]
        for _ in range(60):
            middle = 0.5 * (low + high)
            left = np.sign(self._slope(middle)) == np.sign(self._slope(low))
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        return np.exp(0.5 * (low + high))

    def mean_switching_time(self, x, boundary):
        r"""Return the mean time to cross `boundary`, from concentrations on either side of it.

        With time in units of the lifetime and :math:`\varphi(x) = x/b - r_0 \ln x - (r_1/n) \ln(1 + x^n)`: from above

        .. math::

            T(x) = \int_{x_c}^x \frac{1 + H W}{v}\, dv, \qquad W(x) = \int_x^\infty e^{\varphi(x) - \varphi(u)}
            \frac{du}{u},

        from below :math:`T(x) = -W(x_c) - \int_x^{x_c} (1 + H W)/v\, dv` with
        :math:`W(x) = -\int_0^x e^{\varphi(x) - \varphi(u)} du/u`.

        Parameters
        ----------
        x : array_like
            Positive. At the boundary itself the answer is that from above, 0.
        boundary : float

        Returns
        -------
        ndarray of the shape of `x`, or float

        Raises
        ------
        ParameterError
            If a concentration does not fit, or no number holds a time.
        """
        check_positive(boundary=boundary)
        x = np.asarray(x, dtype=float)
        if not np.all((x > 0) & np.isfinite(x)):
            raise expected("x", "concentrations above 0 and finite", x)
        starts, place = np.unique(x, return_inverse=True)
        y, crossing = np.log(starts), float(np.log(boundary))
        times = np.empty(len(y))
        above = starts >= boundary
        with np.errstate(over="ignore"):
            times[above] = self._integral(crossing, y[above], self._w_above)
            # from the boundary down: the integral changes its sign
            down = self._integral(crossing, y[~above][::-1], self._w_below)[::-1]
            times[~above] = down - (self._w_below(np.array([crossing]))[0] if len(down) else 0.0)
        if not np.all(np.isfinite(times)):
            raise ParameterError(f"a mean time from {x.min():g} … {x.max():g} to {boundary:g} is above 1.8e308")
        return (times / self.decay)[place].reshape(x.shape)[()]

    def _integral(self, start, ends, w):
        """Return the integral of 1 + H W over y = ln x from `start` to each of `ends`, which lead away from it."""
        if len(ends) == 0:
            return np.empty(0)
        low, high = sorted((start, ends[-1]))
        inner = self._panels(low, high)
        stops = np.unique(np.concatenate([[start], ends, inner]))
        total = np.empty(len(stops))
        total[0] = 0.0
        for first in range(0, len(stops) - 1, 20_000):  # in parts: each node asks for a panel of its own
            part = stops[first : first + 20_001]
            y, weights = self._nodes(part[:-1], part[1:])
            values = 1.0 + self.burst_rate(np.exp(y)) / self.decay * w(y.ravel()).reshape(y.shape)
            total[first + 1 : first + len(part)] = total[first] + np.cumsum((values * weights).sum(axis=1))
        return total[np.searchsorted(stops, ends)] - total[np.searchsorted(stops, start)]

    def _w_above(self, y):
        w = np.exp(self._log_above(y) - self._exponent(y))
        far = y > self._edges[-1]  # where the exponents themselves hold no digits any more
        w[far] = np.exp(self._tails(y[far], 0.0))
        return w

    def _w_below(self, y):
        return -np.exp(self._log_below(y) - self._exponent(y))

    # All integrals run over y = ln x, where the density times x is e^exponent.

    def _exponent(self, y):
        """Return ln(x^(r0/γ0) e^(-x/b) (1 + x^n)^(r1/n γ0)), less a constant."""
        with np.errstate(over="ignore"):
            return self._power(y) - np.exp(y) / self.b

    def _power(self, y):
        """Return the same without the exponential: what grows as powers of x."""
        more = self.r1 / self.decay
        # Above x = 1 the power of x is taken out, and everywhere 2^(r1/n γ0): no digits are lost for any n.
        rise = np.maximum(y, 0.0) + np.log1p(0.5 * np.expm1(-self.n * np.abs(y))) / self.n
        return self.r0 / self.decay * y + more * rise

    def _slope(self, y):
        """Return x times the slope of the logarithm of the density."""
        x = np.exp(y)
        return self.r0 / self.decay - 1.0 - x / self.b + (self.burst_rate(x) - self.r0) / self.decay

    def _width(self, y):
        """Return the width of a panel that begins at y: a part of each scale on which the integrand changes there."""
        widths = [1.0]
        hill = _TAIL / self.n  # from -hill to hill regulation sets in
        if y <= self._last:
            widths = [4.0 * self.decay / (self.r0 + self.r1 / (1.0 + exp(min(-self.n * y - 1.5, 700.0))))]
            if y > log(self.b) - _TAIL:
                widths += [1.0, log1p(0.5 * self.b * exp(-y))]  # half a mean burst
            else:
                widths += [max(log(self.b) - _TAIL - y, 1.0)]
        if y < hill:
            widths += [1.5 / self.n if y > -hill else max(-hill - y, 1.5 / self.n)]
        return max(min(widths), 1e-12)

    def _panels(self, low, high):
        """Return the edges of panels from `low` to `high`."""
        edges = [low]
        while edges[-1] < high:
            edges.append(min(edges[-1] + self._width(edges[-1]), high))
            if len(edges) > _MOST_PANELS:
                raise ParameterError(f"the density of {self} is too fine for {_MOST_PANELS:,} panels")
        return np.array(edges)

    @cached_property
    def _last(self):
        """Where the density has fallen to nothing beside its largest value (ln x)."""
        y = log(self.b * ((self.r0 + self.r1) / self.decay + 1.0))
        top = np.max(self._exponent(y + np.linspace(-50.0, 0.0, 2001)))
        while self._exponent(y) > top - _TAIL:
            y += 0.1
        return float(y)

    @cached_property
    def _edges(self):
        # Below the first edge all but the power of x is constant, or less than e^-50 is left.
        regulated = (log(self.n * self.decay / self.r1) - 42.0) / self.n if self.r1 > 0 else np.inf
        constant = min(log(self.b) - 42.0, regulated)
        little = min(log(0.5 * self.b), 0.0) - 50.0 * self.decay / self.r0
        return self._panels(max(constant, little), self._last)

    def _nodes(self, low, high):
        """Return Gauss nodes and weights between each `low` and `high`, arrays of shape (panel, node)."""
        half = 0.5 * (high - low)[:, None]
        return 0.5 * (low + high)[:, None] + half * _NODES, half * _WEIGHTS

    def _log_integrals(self, low, high):
        """Return the logarithm of the integral of e^exponent between each `low` and `high`, at most a panel apart."""
        y, weights = self._nodes(low, high)
        exponents = self._exponent(y)
        most = exponents.max(axis=1)
        with np.errstate(divide="ignore"):
            return most + np.log((np.exp(exponents - most[:, None]) * weights).sum(axis=1))

    @cached_property
    def _panel_logs(self):
        return self._log_integrals(self._edges[:-1], self._edges[1:])

    @cached_property
    def _up_to(self):
        return np.logaddexp.accumulate(np.append(self._starts(self._edges[:1]), self._panel_logs))

    @cached_property
    def _beyond(self):
        after = self._tails(self._edges[-1:])
        return np.logaddexp.accumulate(np.append(after, self._panel_logs[::-1]))[::-1]

    def _log_below(self, y):
        """Return ln ∫ e^exponent from -∞ to y."""
        edges = self._edges
        inside = np.clip(y, edges[0], edges[-1])
        i = np.clip(np.searchsorted(edges, inside, side="right") - 1, 0, len(edges) - 2)
        found = np.logaddexp(self._up_to[i], self._log_integrals(edges[i], inside))
        near_0 = y < edges[0]
        found[near_0] = self._starts(y[near_0])
        return found

    def _log_above(self, y):
        """Return ln ∫ e^exponent from y to ∞."""
        edges = self._edges
        inside = np.clip(y, edges[0], edges[-1])
        i = np.clip(np.searchsorted(edges, inside, side="right") - 1, 0, len(edges) - 2)
        found = np.logaddexp(self._beyond[i + 1], self._log_integrals(inside, edges[i + 1]))
        far = y > edges[-1]
        found[far] = self._tails(y[far])
        return found

    def _starts(self, y):
        """Return ln ∫ e^exponent from -∞ to each y below the edges, over steps of the power of x."""
        a = self.r0 / self.decay

        def step(y, s):
            return self._exponent(y - s / a) - self._exponent(y), 1.0 / a

        return self._over_steps(y, step)

    def _tails(self, y, start=None):
        """Return ln ∫ e^exponent from each y beyond the edges to ∞, over steps of the burst's exponential.

        Instead of the exponent at y the number `start` may be taken.
        """

        def step(y, s):
            # Slower than e^-s by what the power of x still gives: s is stretched by as much.
            bursts = np.exp(y) / self.b
            fall = np.maximum(bursts - (self.r0 + self.r1) / self.decay, 1.0)
            return self._power(y + np.log1p(s / fall)) - self._power(y) - bursts / fall * s, 1.0 / (fall + s)

        return self._over_steps(y, step, start)

    def _over_steps(self, y, step, start=None):
        """Return ln ∫ e^exponent(y(s)) |dy/ds| ds for s from 0 to 100, where the integrand is some e^-s."""
        s, weights = (part.ravel() for part in self._nodes(np.arange(0.0, 100.0), np.arange(1.0, 101.0)))
        out = np.empty(len(y))
        for first in range(0, len(y), 2_000):
            part = slice(first, first + 2_000)
            change, slope = step(y[part][:, None], s[None, :])
            out[part] = np.log((np.exp(change) * slope) @ weights)
        return out + (self._exponent(y) if start is None else start)

    @cached_property
    def _log_norm(self):
        return float(np.logaddexp(self._up_to[-1], self._beyond[-1]))

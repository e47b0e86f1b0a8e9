"""Bursty expression of a protein that regulates its own gene: stationary law and mean switching times."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.special import roots_jacobi, roots_legendre

from acme_lib.checks import check_not_negative, check_positive
from acme_lib.errors import ParameterError

_NODES = 16  # Gauss nodes of a panel
_TAIL = 45.0  # how far the exponent falls before an integral is cut: e^-45 of its largest part


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
        If a value does not fit.

    Notes
    -----
    Use when: a solver or a simulation of bursty feedback must be checked, or a switching time is wanted at once. The
    defaults are bistable.

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


@cache
def _legendre_rule():
    return roots_legendre(_NODES)


@cache
def _jacobi_rule(power):
    return roots_jacobi(80, 0.0, power)


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
        high = x**self.n
        with np.errstate(invalid="ignore"):
            return (self.r0 + self.r1 * np.where(np.isinf(high), 1.0, high / (1.0 + high)))[()]

    def logpdf(self, x):
        """Return the logarithm of the stationary density, minus infinity where it is zero."""
        x = np.asarray(x, dtype=float)
        return (self._exponent(x) - self._log_norm)[()]

    def pdf(self, x):
        """Return the stationary density; infinite at 0 where r0 is below the decay rate."""
        return np.exp(self.logpdf(x))

    def cdf(self, x):
        """Return the probability of at most x."""
        x = np.asarray(x, dtype=float)
        flat = np.clip(np.nan_to_num(x.ravel(), posinf=self._end), 0.0, self._end)
        return np.array([self._mass(at) for at in flat]).reshape(x.shape)[()]

    def mean(self):
        """Return the mean concentration."""
        u, weights = self._nodes(self._end)
        return float(np.sum(weights * u))

    def extrema(self):
        """Return where the density is extremal at x > 0, in increasing order: modes and the minima between them."""
        a = self.r0 / self.decay - 1.0
        x = np.linspace(0.0, self._end, 20_001)[1:]
        slope = self._slope(x, a)
        found = []
        for i in np.flatnonzero(np.sign(slope[1:]) != np.sign(slope[:-1])):
            low, high = x[i], x[i + 1]
            for _ in range(60):
                middle = 0.5 * (low + high)
                if np.sign(self._slope(middle, a)) == np.sign(self._slope(low, a)):
                    low = middle
                else:
                    high = middle
            found.append(0.5 * (low + high))
        return np.array(found)

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
        """
        check_positive(boundary=boundary)
        x = np.asarray(x, dtype=float)
        if not np.all((x > 0) & np.isfinite(x)):
            raise ParameterError(f"concentrations to start from are positive and finite; {x!r} came")
        starts, place = np.unique(x, return_inverse=True)
        times = np.empty(len(starts))
        above = starts >= boundary
        times[above] = self._integral(boundary, starts[above], self._w_above)
        below = starts[~above]
        if len(below):
            # from the boundary down: the integral changes its sign
            times[~above] = (
                -self._w_below(np.array([boundary]))[0] + self._integral(boundary, below[::-1], self._w_below)[::-1]
            )
        return (times / self.decay)[place].reshape(x.shape)[()]

    def _integral(self, start, ends, w):
        """Return the integral of (1 + H W)/v from `start` to each of `ends`, which lead away from it."""
        nodes, weights = _legendre_rule()
        total, results = 0.0, []
        for end in ends:
            panels = max(1, int(np.ceil(abs(end - start) / (0.5 * self.b))))
            edges = np.linspace(start, end, panels + 1)
            half = 0.5 * np.diff(edges)
            v = (0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * nodes).ravel()
            values = (1.0 + self.burst_rate(v) / self.decay * w(v)) / v
            total += float(np.sum(values.reshape(panels, -1) @ weights * half))
            results.append(total)
            start = end
        return np.array(results)

    def _w_above(self, x):
        end = max(self._end, float(x.max(initial=0.0)) + _TAIL * self.b)
        nodes, weights = _legendre_rule()
        panels = int(np.ceil((end - x.min()) / (0.5 * self.b)))
        # panels of all starts are alike in width relative to what is left
        share = np.linspace(0.0, 1.0, panels + 1)
        half = 0.5 * np.diff(share)
        s = (0.5 * (share[1:] + share[:-1])[:, None] + half[:, None] * nodes).ravel()
        ds = (half[:, None] * weights).ravel()
        u = x[:, None] + (end - x[:, None]) * s
        values = np.exp(self._exponent(u) + np.log(u) - (self._exponent(x) + np.log(x))[:, None]) / u
        return (values @ ds) * (end - x)

    def _w_below(self, x):
        # u^(r0 - 1) is the weight of a Gauss-Jacobi rule: what is left of the integrand is smooth
        a = self.r0 / self.decay
        nodes, weights = _jacobi_rule(a - 1.0)
        u = 0.5 * x[:, None] * (nodes + 1.0)
        smooth = self._smooth(u) - self._smooth(x)[:, None]
        # x^-a from e^phi(x), (x/2)^a from the weight: the power of x cancels
        return -np.exp(smooth) @ weights * 0.5**a

    def _smooth(self, x):
        """Return -x/b + (r1/n γ0) ln(1 + x^n), without overflow."""
        with np.errstate(divide="ignore"):
            return -x / self.b + self.r1 / (self.n * self.decay) * np.logaddexp(0.0, self.n * np.log(x))

    def _exponent(self, x):
        a = self.r0 / self.decay - 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            power = a * np.log(x) if a != 0.0 else np.zeros_like(x)
            return np.where(x < 0.0, -np.inf, power + self._smooth(np.maximum(x, 0.0)))

    def _slope(self, x, a):
        """Return x times the slope of the logarithm of the density."""
        return a - x / self.b + (self.burst_rate(x) - self.r0) / self.decay

    @cached_property
    def _end(self):
        """Where the density has fallen to nothing beside its largest value."""
        x = self.b * (self.r0 + self.r1) / self.decay + self.b
        top = np.max(self._exponent(np.linspace(0.0, x, 2001)[1:]))
        while self._exponent(np.array(x)) > top - _TAIL:
            x *= 1.1
        return float(x)

    def _nodes(self, end):
        """Return nodes on 0 … end, and weights with the normalised density in them."""
        a = self.r0 / self.decay
        first = min(0.5 * self.b, end)
        nodes, weights = roots_jacobi(40, 0.0, a - 1.0)
        u = [0.5 * first * (nodes + 1.0)]
        w = [weights * (0.5 * first) ** a * np.exp(self._smooth(u[0]) - self._shift)]
        if end > first:
            panels = int(np.ceil((end - first) / (0.5 * self.b)))
            edges = np.linspace(first, end, panels + 1)
            legendre, legendre_weights = roots_legendre(_NODES)
            half = 0.5 * np.diff(edges)[:, None]
            at = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * legendre).ravel()
            u.append(at)
            w.append((half * legendre_weights).ravel() * np.exp(self._exponent(at) - self._shift))
        return np.concatenate(u), np.concatenate(w) / np.exp(self._log_norm - self._shift)

    def _mass(self, end):
        return float(self._nodes(end)[1].sum()) if end > 0.0 else 0.0

    @cached_property
    def _shift(self):
        """A typical value of the exponent: sums neither overflow nor vanish."""
        return float(np.max(self._exponent(np.linspace(0.0, self._end, 2001)[1:])))

    @cached_property
    def _log_norm(self):
        probe = SelfRegulation(self.r0, self.r1, self.n, self.b, self.decay)
        probe.__dict__["_log_norm"] = self._shift  # weights without a norm
        return self._shift + float(np.log(probe._nodes(self._end)[1].sum()))

r"""Burst parameters from counts, by maximum likelihood with profile intervals.

An interval holds the values whose profile likelihood (the others at their best for it) is close to the maximum,
:math:`2(\ell_{max} - \ell(\theta)) \le q`. It needs no symmetry, and where the data do not bound a parameter its end is
0 or infinity. For many cells q is the quantile of chi-square of one degree of freedom, 3.84 at 95 %; here it is the
square of Student's for n - 1, which at n = 20 is 4.38 and there brings coverage nearer to its level. Coverage as
measured: `tests.benchmarks.coverage`.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy import optimize, stats
from scipy.special import gammaln, stdtrit, xlogy

from acme_lib.errors import CannotTellWarning, ParameterError
from acme_lib.laws.telegraph import Telegraph, reach_of, telegraph_logpmf
from acme_lib.noise.estimate import Estimate
from acme_lib.noise.estimators import fano_factor

_LOG_RANGE = 18.0  # of r: e^-18 … e^18; beyond it a negative binomial law of any data at hand is a Poisson law
_NOT_BETTER = 1e-6  # in log-likelihood: a limit that is as good as this is the maximum


@dataclass(frozen=True)
class Fitted:
    """A fitted parameter: its maximum-likelihood `value` and the profile interval from `low` to `high`."""

    value: float
    low: float
    high: float

    def __repr__(self):
        """Return such as ``3.1 (2.4 … 4.2)``."""
        return f"{self.value:.3g} ({self.low:.3g} … {self.high:.3g})"


@dataclass(frozen=True)
class NegativeBinomialFit:
    """A negative binomial law fitted to counts.

    Attributes
    ----------
    mean : Fitted
    burst_frequency : Fitted
        r, bursts in one lifetime of the molecule, k_on/γ. Infinite for a Poisson law, NaN where nothing was seen.
    burst_size : Fitted
        b, molecules a burst on average, s/k_off. 0 for a Poisson law, NaN where nothing was seen.
    n : int
        Cells.
    log_likelihood : float
    level : float
        Of the intervals.
    cannot_tell : str
        What the data cannot tell, and what they do; empty if all parameters are bounded.
    """

    mean: Fitted
    burst_frequency: Fitted
    burst_size: Fitted
    n: int
    log_likelihood: float = field(repr=False)
    level: float = field(repr=False)
    cannot_tell: str = ""

    @property
    def identifiable(self):
        """Whether burst size and burst frequency are both bounded by the data."""
        return not self.cannot_tell

    @property
    def law(self):
        """The fitted law (scipy.stats)."""
        r, mean = self.burst_frequency.value, self.mean.value
        return stats.nbinom(r, r / (r + mean)) if np.isfinite(r) else stats.poisson(mean)


@dataclass(frozen=True)
class TelegraphFit:
    """A telegraph law fitted to counts; rates in units of the molecule's loss γ.

    Attributes
    ----------
    mean, k_on, k_off, s, burst_size : Fitted
        ``burst_size`` is s/k_off. `k_off` and `s` are infinite where the negative binomial limit is the best law; all
        but the mean are NaN where a Poisson law is.
    n : int
        Cells.
    log_likelihood : float
    level : float
        Of the intervals.
    cannot_tell : str
        What the data cannot tell, and what they do; empty if all parameters are bounded.
    """

    mean: Fitted
    k_on: Fitted
    k_off: Fitted
    s: Fitted
    burst_size: Fitted
    n: int
    log_likelihood: float = field(repr=False)
    level: float = field(repr=False)
    cannot_tell: str = ""

    @property
    def identifiable(self):
        """Whether the three rates are all bounded by the data."""
        return not self.cannot_tell

    @property
    def law(self):
        """The fitted law, or the limit that fits best: telegraph, negative binomial or Poisson."""
        if np.isfinite(self.k_off.value):
            return Telegraph(self.k_on.value, self.k_off.value, self.s.value)
        if np.isfinite(self.k_on.value):
            return stats.nbinom(self.k_on.value, 1.0 / (1.0 + self.burst_size.value))
        return stats.poisson(self.mean.value)


def check_counts(counts, what="counts", least=2):
    """Return counts as a one-dimensional array of int64.

    Raises
    ------
    ParameterError
        If they are not whole, not negative numbers in one dimension, or fewer than `least`.
    """
    x = np.asarray(counts)
    if x.ndim != 1 or x.dtype.kind not in "iufb":
        raise ParameterError(
            f"{what} are one-dimensional numbers, one from each cell; an array of shape {x.shape} and type {x.dtype} "
            "came"
        )
    if len(x) < least:
        raise ParameterError(f"{what} of {least} cells or more are needed; {len(x)} came")
    wrong = ~(np.isfinite(x) & (x >= 0) & (np.floor(x) == x))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ParameterError(
            f"{what} are whole numbers of at least 0; number {first} is {x[first]!s} ({int(wrong.sum())} such in all)"
        )
    return x.astype(np.int64)


def _check_level(level):
    if not 0.0 < level < 1.0:
        raise ParameterError(f"the level is a probability between 0 and 1, such as 0.95; {level!r} came")


# --- negative binomial ------------------------------------------------------------------------------------------------


def fit_negative_binomial(counts, *, level=0.95):
    r"""Fit a negative binomial law: how often a gene bursts, and how many molecules a burst makes.

    .. math:: P(n) = \frac{\Gamma(r+n)}{\Gamma(r)\,n!} \left(\frac{b}{1+b}\right)^n (1+b)^{-r}, \qquad
              \mu = rb,\quad F = 1 + b

    Parameters
    ----------
    counts : array_like of int, shape (cell,)
        One count from each cell, independent.
    level : float
        Of the profile intervals.

    Returns
    -------
    NegativeBinomialFit

    Raises
    ------
    ParameterError
        If the counts are not whole numbers of at least 0, or fewer than two.

    Warns
    -----
    CannotTellWarning
        If the data are no noisier than a Poisson law may be (then b may be 0 and r infinite; the mean is all they
        tell), or all counts are zero.

    Notes
    -----
    The maximum is found by a bracketed root, and is unique: it is a Poisson law if and only if the population variance
    does not exceed the mean [1]_.

    Use when: bursts are short and rare, k_off well above k_on and γ. It is *not* the law of slow switching, whose
    counts have two modes: see `fit_telegraph`.

    References
    ----------
    .. [1] F. J. Anscombe, Biometrika 37, 358 (1950). doi:10.1093/biomet/37.3-4.358
    .. [2] A. Raj, C. S. Peskin, D. Tranchina, D. Y. Vargas, S. Tyagi, PLOS Biol. 4, e309 (2006).
       doi:10.1371/journal.pbio.0040309

    Examples
    --------
    >>> counts = np.random.default_rng(1).negative_binomial(2.0, 1 / (1 + 5.0), 1000)
    >>> fit = fit_negative_binomial(counts)
    >>> fit.burst_size.low < 5.0 < fit.burst_size.high
    True
    >>> round(fit.burst_frequency.value, 2), round(fit.burst_size.value, 1)
    (2.14, 4.8)
    """
    _check_level(level)
    likelihood = _NegativeBinomialLikelihood(check_counts(counts))
    fit = _fit_negative_binomial(likelihood, level)
    if fit.cannot_tell:
        warnings.warn(fit.cannot_tell, CannotTellWarning, stacklevel=2)
    return fit


def best_negative_binomial(x):
    """Return the negative binomial law of largest likelihood (Poisson at its limit) of checked counts, not all 0."""
    likelihood = _NegativeBinomialLikelihood(x)
    log_r, mean = likelihood.best_log_r(), likelihood.mean
    if log_r == _LOG_RANGE:
        return stats.poisson(mean)
    return stats.nbinom(np.exp(log_r), 1.0 / (1.0 + mean * np.exp(-log_r)))


def _fit_negative_binomial(likelihood, level):
    n, mean = likelihood.n, likelihood.mean
    unknown = Fitted(np.nan, 0.0, np.inf)
    if mean == 0:
        words = "all counts are zero: the data bound neither burst size nor burst frequency, nor the mean from above"
        return NegativeBinomialFit(Fitted(0.0, 0.0, np.inf), unknown, unknown, n, 0.0, level, words)
    drop = _drop(n, level)
    log_r = likelihood.best_log_r()
    best = likelihood.at(log_r, mean)

    def of_frequency(u):
        return likelihood.at(u, mean)

    def of_size(u):
        return likelihood.best_at_size(u)

    def of_mean(u):
        return likelihood.best_at_mean(u)

    low, high = _profile_ends(of_frequency, log_r, best, drop, -_LOG_RANGE, _LOG_RANGE)
    poisson_fits = best - likelihood.poisson < drop
    r = Fitted(float(np.exp(log_r)), low, high)
    log_b = np.log(mean) - log_r
    b_low, b_high = _profile_ends(of_size, log_b, best, drop, np.log(mean) - _LOG_RANGE, 30.0)
    b = Fitted(float(np.exp(log_b)), b_low, b_high)
    if best - likelihood.poisson < _NOT_BETTER:
        r, b = Fitted(np.inf, low, np.inf), Fitted(0.0, 0.0, b_high)
    mu = Fitted(mean, *_profile_ends(of_mean, np.log(mean), best, drop, np.log(mean) - 30, np.log(mean) + 30))
    words = ""
    if poisson_fits:
        words = (
            f"a Poisson law fits these {n} counts nearly as well: they tell the mean, and that a burst makes at most "
            f"{b.high:.3g} molecules, but not burst size and burst frequency apart"
        )
    return NegativeBinomialFit(mu, r, b, n, float(best), level, words)


class _NegativeBinomialLikelihood:
    """The log-likelihood of counts, written so that it loses no digits as r grows."""

    def __init__(self, x):
        self.n = len(x)
        self.mean = float(x.mean())
        # Γ(r+x)/Γ(r) is a product over j < x; cells with a count above j share its factor.
        above = self.n - np.cumsum(np.bincount(x))
        self.j = np.arange(len(above), dtype=float)[above > 0]
        self.above = above[above > 0].astype(float)
        self.total = float(x.sum())
        self.constant = float(gammaln(x + 1.0).sum())
        self.overdispersed = float(x.var()) > self.mean * (1 + 1e-12)
        self.poisson = float(xlogy(self.total, self.mean) - self.n * self.mean - self.constant)

    def at(self, log_r, mean):
        r = np.exp(log_r)
        # The first form keeps its digits at large r, the second at small r.
        near = np.log1p(np.maximum((self.j - mean) / (r + mean), -0.5))
        product = self.above @ np.where(r + self.j < 0.5 * (r + mean), np.log((r + self.j) / (r + mean)), near)
        return float(product + self.total * np.log(mean) - self.n * r * np.log1p(mean / r) - self.constant)

    def best_log_r(self):
        if not self.overdispersed:
            return _LOG_RANGE

        # The slope in r at the mean of the data has one root [Anscombe]; times r, so that it stays visible at large r.
        def slope(u):
            r = np.exp(u)
            return float(r * (self.above @ (1.0 / (r + self.j)) - self.n * np.log1p(self.mean / r)))

        if slope(_LOG_RANGE) >= 0:
            return _LOG_RANGE
        return float(optimize.brentq(slope, -_LOG_RANGE, _LOG_RANGE, xtol=1e-12))

    def best_at_size(self, log_b):
        b = np.exp(log_b)

        def slope(u):
            return float(self.above @ (1.0 / (np.exp(u) + self.j)) - self.n * np.log1p(b))

        # Σ 1/(r+j) lies between total/(r + max) and total/r.
        middle = np.log(self.total / (self.n * np.log1p(b)))
        log_r = optimize.brentq(slope, np.log(self.above[0] / (self.n * np.log1p(b))) - 1e-9, middle + 1e-9, xtol=1e-12)
        return self.at(log_r, np.exp(log_r) * b)

    def best_at_mean(self, log_mean):
        mean = np.exp(log_mean)
        grid = np.linspace(-_LOG_RANGE, _LOG_RANGE, 37)
        values = [self.at(u, mean) for u in grid]
        i = int(np.argmax(values))
        bounds = (grid[max(i - 1, 0)], grid[min(i + 1, 36)])
        found = optimize.minimize_scalar(lambda u: -self.at(u, mean), bounds=bounds, method="bounded")
        return max(values[i], -float(found.fun))


def _drop(n, level):
    """Return how far a profile log-likelihood falls from its maximum to the ends of the interval."""
    return 0.5 * float(stdtrit(n - 1, 0.5 + 0.5 * level)) ** 2


def _profile_ends(profile, start, best, drop, lowest, highest):
    """Return exp of where `profile` (of a logarithm) falls by `drop` below `best`, or 0 and infinity."""
    return tuple(_profile_end(profile, start, best, drop, limit) for limit in (lowest, highest))


def _profile_end(profile, start, best, drop, limit):
    def excess(u):
        return np.sqrt(max(best - profile(u), 0.0)) - np.sqrt(drop)  # nearly straight: few values find its root

    side = 1.0 if limit > start else -1.0
    inside, step = start, 0.1
    while True:
        outside = inside + side * step
        if side * (limit - outside) <= 0:
            outside = limit
        if excess(outside) > 0:
            break
        if outside == limit:
            return np.inf if side > 0 else 0.0
        inside, step = outside, 2.0 * step
    return float(np.exp(optimize.brentq(excess, inside, outside, xtol=1e-4)))


# --- telegraph --------------------------------------------------------------------------------------------------------

_LOWEST_RATE, _HIGHEST_ON, _HIGHEST_OFF = np.log(1e-4), np.log(1e4), np.log(1e5)
_MOST_STATES = 100_000  # a law that reaches farther, and far beyond the counts, is no candidate


def fit_telegraph(counts, *, level=0.95):
    r"""Fit a telegraph law: the switching and synthesis rates of a promoter, in units of the mRNA's loss γ.

    Parameters
    ----------
    counts : array_like of int, shape (cell,)
        One count from each cell, independent and stationary.
    level : float
        Of the profile intervals.

    Returns
    -------
    TelegraphFit

    Raises
    ------
    ParameterError
        If the counts are not whole numbers of at least 0, or fewer than two.

    Warns
    -----
    CannotTellWarning
        If a simpler law fits within the level: negative binomial (only k_on and the burst size s/k_off are told),
        Poisson (only the mean) or a Poisson law in some of the cells (only the fraction of time on, and s); or all
        counts are zero.

    Notes
    -----
    The likelihood is maximised from several starts: the limits above, the moments' own solution [1]_ and a grid; no
    random numbers. A fit takes about a twentieth of a second. Thousands of cells may be needed to tell k_off from s.

    Use when: switching may be slow, so that counts may have two modes.

    References
    ----------
    .. [1] J. Peccoud, B. Ycart, Theor. Popul. Biol. 48, 222 (1995). doi:10.1006/tpbi.1995.1027
    """
    _check_level(level)
    fit = _fit_telegraph(check_counts(counts), level)
    if fit.cannot_tell:
        warnings.warn(fit.cannot_tell, CannotTellWarning, stacklevel=2)
    return fit


def _fit_telegraph(x, level):
    simple = _fit_negative_binomial(_NegativeBinomialLikelihood(x), level)
    n, mean = len(x), float(x.mean())
    unknown = Fitted(np.nan, 0.0, np.inf)
    if mean == 0:
        words = "all counts are zero: the data bound no rate, nor the mean from above"
        return TelegraphFit(simple.mean, unknown, unknown, unknown, unknown, n, 0.0, level, words)
    drop = _drop(n, level)
    likelihood = _TelegraphLikelihood(x)
    point, best = likelihood.maximise(simple)
    limits = {
        "Poisson": likelihood.poisson,
        "negative binomial": simple.log_likelihood,
        "zero-inflated Poisson": likelihood.zero_inflated_poisson(),
    }
    best = max(best, *limits.values())
    fits = {name: best - value < drop for name, value in limits.items()}

    # Which ends are open follows from the limit that fits: it is reached along them.
    open_low = {"k_on", "k_off", "burst_size"} if fits["Poisson"] else set()
    open_high = {"k_on", "k_off", "s", "burst_size"} if fits["Poisson"] else set()
    if fits["negative binomial"]:
        open_high |= {"k_off", "s"}
    if fits["zero-inflated Poisson"]:
        open_low |= {"k_on", "k_off"}
    intervals = {
        name: _profile_telegraph(likelihood, name, point, best, drop, (name in open_low, name in open_high))
        for name in _COORDINATES
    }
    rates = dict(zip(("k_on", "k_off", "s"), np.exp(_rates_of("mean", point)), strict=True))
    values = {**rates, "mean": float(np.exp(point[0])), "burst_size": rates["s"] / rates["k_off"]}
    if best - limits["Poisson"] < _NOT_BETTER:
        values.update(k_on=np.nan, k_off=np.nan, s=np.nan, burst_size=np.nan, mean=mean)
    elif best - limits["negative binomial"] < _NOT_BETTER:
        values.update(
            k_on=simple.burst_frequency.value, k_off=np.inf, s=np.inf, burst_size=simple.burst_size.value, mean=mean
        )
    fitted = {name: Fitted(float(values[name]), *intervals[name]) for name in values}
    if fits["Poisson"]:
        words = f"a Poisson law fits these {n} counts nearly as well: they tell the mean, but none of k_on, k_off and s"
    elif fits["negative binomial"]:
        words = (
            f"a negative binomial law fits these {n} counts nearly as well: they tell the burst frequency k_on/γ and "
            "the burst size s/k_off, but not s and k_off apart"
        )
    elif fits["zero-inflated Poisson"]:
        words = (
            f"a Poisson law in some cells and none in the others fits these {n} counts nearly as well: they tell "
            "s/γ and the fraction of time on, k_on/(k_on + k_off), but not k_on and k_off apart"
        )
    else:
        open_ended = [k for k in ("k_on", "k_off", "s") if not (fitted[k].low > 0 and fitted[k].high < np.inf)]
        words = f"these {n} counts leave {', '.join(open_ended)} without a bound" if open_ended else ""
    return TelegraphFit(**fitted, n=n, log_likelihood=float(best), level=level, cannot_tell=words)


# For each quantity the logarithms that describe the law: the quantity itself first, two others after it.
_COORDINATES = {
    "mean": ("mean", "k_on", "k_off"),
    "k_on": ("k_on", "mean", "k_off"),
    "k_off": ("k_off", "mean", "k_on"),
    "s": ("s", "k_on", "k_off"),
    "burst_size": ("burst_size", "k_on", "k_off"),
}


def _rates_of(quantity, logs):
    """Return log k_on, log k_off, log s from the coordinates of `quantity`."""
    of = dict(zip(_COORDINATES[quantity], logs, strict=True))
    if "s" in of:
        s = of["s"]
    elif "burst_size" in of:
        s = of["burst_size"] + of["k_off"]
    else:
        s = of["mean"] + np.logaddexp(of["k_on"], of["k_off"]) - of["k_on"]
    return of["k_on"], of["k_off"], s


def _coordinates_of(quantity, point):
    """Return the coordinates of `quantity` from those of the mean."""
    k_on, k_off, s = _rates_of("mean", point)
    of = {"mean": point[0], "k_on": k_on, "k_off": k_off, "s": s, "burst_size": s - k_off}
    return np.array([of[name] for name in _COORDINATES[quantity]])


def _profile_telegraph(likelihood, quantity, point, best, drop, limits):
    """Return the interval of a quantity; `limits` say that the likelihood reaches 0 or infinity within `drop`."""
    start = _coordinates_of(quantity, point)
    bounds = [likelihood.bounds[name] for name in _COORDINATES[quantity]]

    def ends(limit):
        known = {start[0]: (start[1:], best)}  # for each value asked: the best of the others, and the likelihood there

        def profile(u):
            if u not in known:
                nearest = min(known, key=lambda v: abs(v - u))
                known[u] = _climb(
                    lambda free: likelihood(quantity, np.array([u, *free])), known[nearest][0], bounds[1:]
                )
            return known[u][1]

        return _profile_end(profile, start[0], best, drop, limit)

    low, high = bounds[0]
    low, high = min(low, start[0] - 1.0), max(high, start[0] + 1.0)
    return (0.0 if limits[0] else ends(low)), (np.inf if limits[1] else ends(high))


class _TelegraphLikelihood:
    """The log-likelihood of counts as a function of logarithms of rates."""

    def __init__(self, x):
        self.x = x
        self.values, weights = np.unique(x, return_counts=True)
        self.weights = weights.astype(float)
        self.n = len(x)
        log_mean = np.log(x.mean())
        self.poisson = float((xlogy(x, x.mean()) - x.mean() - gammaln(x + 1.0)).sum())
        self.bounds = {
            "mean": (log_mean - 6.0, log_mean + 6.0),
            "k_on": (_LOWEST_RATE, _HIGHEST_ON),
            "k_off": (_LOWEST_RATE, _HIGHEST_OFF),
            "s": (log_mean - 2.0, log_mean + 16.0),
            "burst_size": (log_mean - 16.0, log_mean + 16.0),
        }

    def __call__(self, quantity, logs):
        k_on, k_off, s = np.exp(_rates_of(quantity, logs))
        last = int(self.values[-1])
        if reach_of(k_on, k_off, s) > _MOST_STATES + 20 * last:
            return -1e12
        return float(self.weights @ telegraph_logpmf(k_on, k_off, s, last)[self.values])

    def zero_inflated_poisson(self):
        """Return the maximum over laws that are Poisson in a fraction of the cells, and 0 in the others."""
        zeros = float(self.weights[0]) if self.values[0] == 0 else 0.0
        positive = self.n - zeros
        mean = float(self.values @ self.weights) / positive  # of the positive counts
        if mean <= 1.0:
            return self.poisson
        s = optimize.brentq(lambda s: s / -np.expm1(-s) - mean, 1e-9, mean + 1.0)
        fraction = min(positive / (self.n * -np.expm1(-s)), 1.0)
        if fraction == 1.0:
            return self.poisson
        above = self.values > 0
        counted = self.values[above]
        terms = np.log(fraction) - s + counted * np.log(s) - gammaln(counted + 1.0)
        return float(self.weights[above] @ terms + xlogy(zeros, 1.0 - fraction + fraction * np.exp(-s)))

    def maximise(self, simple):
        """Return the best logarithms of (mean, k_on, k_off) and the log-likelihood there."""
        log_mean = np.log(self.x.mean())
        bounds = [self.bounds[name] for name in ("mean", "k_on", "k_off")]
        r = simple.burst_frequency.value
        starts = [(np.log(a), np.log(b)) for a in (0.1, 1.0, 6.0) for b in (0.1, 1.0, 10.0, 100.0)]
        if np.isfinite(r):
            starts += [(np.log(r), np.log(max(100.0, 30.0 * r)))]
        starts += self.start_from_moments()
        starts = np.clip(starts, [b[0] + 1e-3 for b in bounds[1:]], [b[1] - 1e-3 for b in bounds[1:]])
        ranked = sorted(starts, key=lambda start: -self("mean", [log_mean, *start]))
        found = [_climb(lambda logs: self("mean", logs), [log_mean, *start], bounds) for start in ranked[:4]]
        return max(found, key=lambda one: one[1])

    def start_from_moments(self):
        """Peccoud and Ycart's solution of the first three factorial moments, where it is one."""
        x = self.x.astype(float)
        m1, m2, m3 = x.mean(), (x * (x - 1)).mean(), (x * (x - 1) * (x - 2)).mean()
        if min(m1, m2) <= 0:
            return []
        r1, r2, r3 = m1, m2 / m1, m3 / m2
        below = r1 * r2 - 2 * r1 * r3 + r2 * r3
        other = r1 - 2 * r2 + r3
        if below == 0 or other == 0 or r1 * r3 == 0:
            return []
        k_on = 2 * r1 * (r3 - r2) / below
        k_off = 2 * (r2 - r1) * (r1 - r3) * (r3 - r2) / (below * other)
        return [(np.log(k_on), np.log(k_off))] if min(k_on, k_off) > 0 else []


def _climb(f, start, bounds):
    """Return where `f` is largest near `start`, and its value there: Newton's method on differences.

    Bends are taken as downward, so that a step leads uphill also where `f` is not concave. With two or three
    coordinates a general optimiser would spend most of its time on itself.
    """
    low, high = np.array(bounds, dtype=float).T
    point = np.clip(np.asarray(start, dtype=float), low, high)
    value = f(point)
    for _ in range(100):
        slope, curve = _differences(f, point, value)
        held = ((point <= low) & (slope < 0)) | ((point >= high) & (slope > 0))
        free = np.flatnonzero(~held)
        if len(free) == 0:
            break
        bends, axes = np.linalg.eigh(curve[np.ix_(free, free)])
        step = np.zeros(len(point))
        step[free] = axes @ ((axes.T @ slope[free]) / np.maximum(np.abs(bends), 1e-6))
        step *= min(1.0, 1.5 / max(np.abs(step).max(), 1e-300))
        for _ in range(12):
            ahead = np.clip(point + step, low, high)
            found = f(ahead)
            if found > value:
                break
            step = 0.3 * step
        else:
            break
        point, gain, value = ahead, found - value, found
        if gain < 1e-8:
            break
    return point, value


def _differences(f, point, value, width=1e-3):
    """Return slopes and second derivatives of `f` by central differences."""
    n = len(point)
    shifts = width * np.eye(n)
    up, down = (np.array([f(point + side * shift) for shift in shifts]) for side in (1, -1))
    curve = np.diag((up + down - 2 * value) / width**2)
    for i in range(n):
        for k in range(i):
            corner = f(point + shifts[i] + shifts[k])
            curve[i, k] = curve[k, i] = (corner - up[i] - up[k] + value) / width**2
    return (up - down) / (2 * width), curve


# --- many genes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GeneFit:
    """A gene's row: its name, its noise and the law fitted to its counts.

    Attributes
    ----------
    gene : str
    n : int
        Cells.
    mean : float
    fano : Estimate or None
        None where all counts are zero.
    fit : NegativeBinomialFit or TelegraphFit
    """

    gene: str
    n: int
    mean: float
    fano: Estimate | None
    fit: NegativeBinomialFit | TelegraphFit


_LAWS = {"negative_binomial": fit_negative_binomial, "telegraph": fit_telegraph}


def fit_genes(table, *, law="negative_binomial", level=0.95):
    """Fit a law to each gene of a table.

    Parameters
    ----------
    table : CountTable or mapping of str to array_like of int
        A gene's name and its counts, one from each cell; see `read_counts`.
    law : {"negative_binomial", "telegraph"}
    level : float
        Of the profile intervals.

    Returns
    -------
    tuple of GeneFit
        In the order of the table.

    Raises
    ------
    ParameterError
        If the law is unknown, or the counts of a gene do not fit; the message names it.

    Warns
    -----
    CannotTellWarning
        Once, with the number of genes concerned; ``row.fit.cannot_tell`` says what, gene by gene.

    Examples
    --------
    >>> rows = fit_genes({"lacZ": [0, 7, 1, 12, 0, 3, 30, 2, 5, 9], "recA": [12, 0, 3, 25, 1, 9, 4, 0, 17, 6]})
    >>> [row.gene for row in rows if row.fit.identifiable]
    ['lacZ', 'recA']
    """
    if law not in _LAWS:
        raise ParameterError(f"law is one of {', '.join(map(repr, _LAWS))}; {law!r} came")
    rows = []
    for gene, counts in table.items():
        x = check_counts(counts, what=f"counts of {gene}")
        fano = fano_factor(x) if x.any() else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CannotTellWarning)
            rows.append(GeneFit(gene, len(x), float(x.mean()), fano, _LAWS[law](x, level=level)))
    vague = [row.gene for row in rows if not row.fit.identifiable]
    if vague:
        shown = ", ".join(vague[:5]) + (", …" if len(vague) > 5 else "")
        words = f"the counts of {len(vague)} of {len(rows)} genes cannot tell all parameters: {shown}"
        words += "; row.fit.cannot_tell says what"
        warnings.warn(words, CannotTellWarning, stacklevel=2)
    return tuple(rows)

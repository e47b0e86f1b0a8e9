"""A telegraph law fitted to counts: the switching and synthesis rates of a promoter."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from scipy.special import gammaln, xlogy

from acme_lib.checks import expected
from acme_lib.errors import CannotTellWarning
from acme_lib.laws.count_law import state_cost
from acme_lib.laws.telegraph import Telegraph, reach_of, telegraph_logpmf
from acme_lib.noise.negative_binomial_fit import NegativeBinomialLikelihood, find_negative_binomial
from acme_lib.noise.profile import NOT_BETTER, CountsFit, Fitted, drop_of, profile_end, say_open_ends
from acme_lib.noise.samples import check_counts, check_level

_LOWEST_RATE, _HIGHEST_ON, _HIGHEST_OFF = np.log(1e-4), np.log(1e4), np.log(1e5)
_LARGEST = 1_000_000  # count: a fit takes minutes
_MOST_STATES = 100_000  # a law that reaches farther, and far beyond the counts, is no candidate


@dataclass(frozen=True)
class TelegraphFit(CountsFit):
    """A telegraph law fitted to counts; rates in units of the molecule's loss γ.

    Attributes
    ----------
    mean, k_on, k_off, s, burst_size : Fitted
        ``burst_size`` is s/k_off. `k_off` and `s` are infinite where the negative binomial limit is the best law; all
        but the mean are NaN where a Poisson law is.
    n, log_likelihood, level, cannot_tell
        As in `CountsFit`.
    """

    mean: Fitted
    k_on: Fitted
    k_off: Fitted
    s: Fitted
    burst_size: Fitted

    @property
    def law(self):
        """The fitted law, or the limit that fits best: telegraph, negative binomial or Poisson."""
        if np.isfinite(self.k_off.value):
            return Telegraph(self.k_on.value, self.k_off.value, self.s.value)
        if np.isfinite(self.k_on.value):
            return stats.nbinom(self.k_on.value, 1.0 / (1.0 + self.burst_size.value))
        return stats.poisson(self.mean.value)


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
        If the counts are not whole numbers from 0 to 1,000,000, or fewer than two.

    Warns
    -----
    CannotTellWarning
        If a simpler law fits within the level: negative binomial (only k_on and the burst size s/k_off are told),
        Poisson (only the mean) or a Poisson law in some of the cells (only the fraction of time on, and s); or all
        counts are zero.

    Notes
    -----
    The likelihood is maximised from several starts: the limits above, the moments' own solution [1]_ and a grid; no
    random numbers. A fit takes about a twentieth of a second, and some 20 s with counts of 10^5. Thousands of cells may
    be needed to tell k_off from s.

    Use when: switching may be slow, so that counts may have two modes.

    References
    ----------
    .. [1] J. Peccoud, B. Ycart, Theor. Popul. Biol. 48, 222 (1995). doi:10.1006/tpbi.1995.1027
    """
    check_level(level)
    x = check_counts(counts)
    if x.max() > _LARGEST:
        raise expected(
            "the largest of the counts", f"at most {_LARGEST:,} for a telegraph law", x.max(), "fit_negative_binomial"
        )
    state_cost(3e-4 * x.max(), f"a telegraph law of counts to {x.max():,} takes")
    fit = _fit_telegraph(x, level)
    if fit.cannot_tell:
        warnings.warn(fit.cannot_tell, CannotTellWarning, stacklevel=2)
    return fit


def _fit_telegraph(x, level):
    simple = find_negative_binomial(NegativeBinomialLikelihood(x), level)
    n, mean = len(x), float(x.mean())
    unknown = Fitted(np.nan, 0.0, np.inf)
    if mean == 0:
        words = "all counts are zero: the data bound no rate, nor the mean from above"
        return TelegraphFit(
            simple.mean, unknown, unknown, unknown, unknown, n=n, log_likelihood=0.0, level=level, cannot_tell=words
        )
    drop = drop_of(n, level)
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
    if best - limits["Poisson"] < NOT_BETTER:
        values.update(k_on=np.nan, k_off=np.nan, s=np.nan, burst_size=np.nan, mean=mean)
    elif best - limits["negative binomial"] < NOT_BETTER:
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
        words = say_open_ends(fitted, n)
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

        return profile_end(profile, start[0], best, drop, limit)

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

r"""The warning light of an approximation: numbers, thresholds, a verdict and plain words.

What the light promises was measured against the master equation on a spread of models
(`tests/library/approximate/test_trust.py`): green, the numbers in question are right within 5 %, and the total
variation of a law is below 0.06; red, expect more than 15 %, or a law that is wrong to the eye; amber, between.
"""

import html
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from acme_lib.approximate.fixed_points import free_directions

VERDICTS = ("green", "amber", "red")
SIGNS = {"green": "●", "amber": "▲", "red": "■"}
COLORS = {"green": "#009E73", "amber": "#B37A00", "red": "#C2410C"}

# What each method takes for granted, by measure: (amber, red), and whether the measure is about the moments or the law.
# A measure that grows with the error has amber < red; one that shrinks with it has amber > red.
_GAUSSIAN = {
    "fixed points": (1.5, 1.5, "both"),
    "absorbing states": (0.5, 0.5, "both"),
    "mean shift": (0.05, 0.15, "moments"),
    "spread shift": (0.05, 0.15, "moments"),
    "slope change": (0.25, 1.0, "both"),
    "boundary distance": (3.5, 2.0, "law"),
    "copy number": (5.0, 2.0, "law"),
    "time-scale ratio": (0.3, 0.8, "law"),
    "bimodality": (0.5, 5 / 9, "law"),
}
THRESHOLDS = {
    "linear noise": _GAUSSIAN,
    # A closure keeps what shifts the mean; what it leaves out goes as the square of that.
    "moment closure": {
        **_GAUSSIAN,
        "mean shift": (0.15, 0.4, "moments"),
        "spread shift": (0.2, 0.5, "moments"),
        "slope change": (0.25, 0.5, "both"),
    },
    "rate equations": {key: _GAUSSIAN[key] for key in ("fixed points", "absorbing states", "mean shift")},
    # Diffusions keep the skewness, and all fixed points, though not how long they last.
    "Langevin": {
        "fixed points": (1.5, 9.5, "both"),
        "boundary distance": (3.5, 2.0, "law"),
        "copy number": (10.0, 3.0, "law"),
        "at zero": (0.005, 0.05, "both"),
        "switch": (0.5, 0.5, "both"),
    },
    "Fokker-Planck": {
        "fixed points": (1.5, 9.5, "both"),
        "mass below zero": (0.1, 0.3, "both"),
        "copy number": (0.5, 0.1, "law"),
    },
}
_WORDS = {
    "fixed points": "the rate equations have {value:.0f} stable states, and the method knows one of them at a time",
    "absorbing states": "there is a state without any reaction, in which the process ends: this is no law for ever",
    "mean shift": "fluctuations move the mean of {of} by {percent} of it",
    "spread shift": "fluctuations change the standard deviation of {of} by {percent}",
    "slope change": "what drives {of} back to the mean changes by {percent} over one standard deviation",
    "boundary distance": "the mean of {of} is only {value:.2g} standard deviations above zero, where a law must end",
    "copy number": "there are only {value:.2g} molecules of {of} on average",
    "time-scale ratio": "a switch with few states is slow for {of} (its time over that of {of}: {value:.2g}), so that "
    "the law is a mixture",
    "bimodality": "skewness and kurtosis of {of} hint at two modes (coefficient {value:.2g}; a uniform law has 0.56)",
    "at zero": "{value:.1%} of the states of {of} are within half a molecule of zero, where the equation means nothing",
    "mass below zero": "{value:.1%} of the probability lies below zero",
    "switch": "{of} has few states, which a diffusion turns into a continuum",
}


@dataclass(frozen=True)
class Measure:
    """One number behind a verdict.

    Attributes
    ----------
    name : str
    of : str
        The species it is about, where there is one.
    value : float
    amber, red : float
        Where the verdict changes.
    about : {"moments", "law", "both"}
    verdict : {"green", "amber", "red"}
    """

    name: str
    of: str
    value: float
    amber: float
    red: float
    about: str

    @property
    def verdict(self):
        """The light of this number alone."""
        sign = 1.0 if self.red >= self.amber else -1.0
        if not np.isfinite(self.value) or sign * self.value > sign * self.red:
            return "red"
        return "amber" if sign * self.value > sign * self.amber else "green"

    @property
    def words(self):
        """What the number means."""
        percent = f"about {self.value:.0%}" if self.value <= 1 else "more than 100%"
        return _WORDS[self.name].format(of=self.of or "the counts", value=self.value, percent=percent)


@dataclass(frozen=True)
class Trust:
    """Whether to believe an approximation.

    Attributes
    ----------
    method : str
    measures : tuple of Measure
    exact_moments : bool
        Whether mean and covariance are exact by a theorem (every propensity is linear).
    problems : tuple of str
        What makes the result red whatever the numbers say, such as a negative variance.
    """

    method: str
    measures: tuple[Measure, ...] = field(repr=False)
    exact_moments: bool = False
    problems: tuple[str, ...] = ()

    @property
    def moments(self):
        """The light for mean and covariance."""
        if self.problems:
            return "red"
        return "green" if self.exact_moments else self._worst(("moments", "both"))

    @property
    def law(self):
        """The light for the law drawn from them; None for a method that gives none."""
        if self.method == "rate equations":
            return None
        return "red" if self.problems else self._worst(("law", "both"))

    @property
    def verdict(self):
        """The worse of the two."""
        return max(filter(None, (self.moments, self.law)), key=VERDICTS.index)

    def _worst(self, about):
        lights = [m.verdict for m in self.measures if m.about in about]
        return max(lights, key=VERDICTS.index, default="green")

    def __getitem__(self, name):
        """Return the value of a measure, the worst where it is there for several species."""
        values = [m for m in self.measures if m.name == name]
        if not values:
            raise KeyError(
                f"{name!r} is none of the measures {', '.join(dict.fromkeys(m.name for m in self.measures))}"
            )
        return max(values, key=lambda m: m.value if m.red >= m.amber else -m.value).value

    @property
    def sentence(self):
        """The verdict in words."""
        bad = [m for m in self.measures if m.verdict != "green" and not (self.exact_moments and m.about == "moments")]
        bad.sort(key=lambda m: -VERDICTS.index(m.verdict))
        worst = {}
        for m in bad:
            worst.setdefault(m.name, m)
        what = "the mean" if self.method == "rate equations" else "mean and variance"
        if self.exact_moments:
            head = f"{what[0].upper()}{what[1:]} are exact: every rate is linear"
            head = head.replace("mean are", "mean is")
        else:
            head = {
                "green": f"Nothing speaks against {what}",
                "amber": f"Read {what} with care",
                "red": f"Do not trust {what}",
            }[self.moments]
        if self.law is not None:
            joint = " and " if self.moments == "green" and self.law == "green" else "; "
            head += (
                joint
                + {
                    "green": "the law drawn from them"
                    if joint == " and " and not self.exact_moments
                    else "the law is sound",
                    "amber": "read the law with care",
                    "red": "do not trust the law",
                }[self.law]
            )
        reasons = [*self.problems, *(m.words for m in worst.values())]
        return head + (": " + "; ".join(reasons[:3]) if reasons else "") + "."

    def __str__(self):
        """Return the light and the sentence."""
        return f"{SIGNS[self.verdict]} {self.verdict}. {self.sentence}"

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(m.name)}</td><td>{html.escape(m.of)}</td>"
            f"<td>{m.value:.3g}</td><td>{m.amber:.3g}</td><td>{m.red:.3g}</td><td>{badge(m.verdict)}</td></tr>"
            for m in self.measures
        )
        head = "".join(f"<th>{name}</th>" for name in ("measure", "species", "value", "amber at", "red at", "light"))
        return (
            f"<p>{badge(self.verdict)} <b>{html.escape(self.method)}</b>: {html.escape(self.sentence)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def with_problem(self, *problems):
        """Return the same light with a problem that makes it red."""
        return replace(self, problems=(*self.problems, *problems))


def badge(verdict):
    """Return a verdict in HTML: sign, word and colour, so that no one of them is needed."""
    return f'<span style="color:{COLORS[verdict]};white-space:nowrap">{SIGNS[verdict]} {verdict}</span>'


def make_trust(method, values, *, exact_moments=False, problems=()):
    """Build a `Trust` from numbers.

    Parameters
    ----------
    method : str
        A key of `THRESHOLDS`.
    values : iterable of (str, str, float)
        Name of the measure, species, value. Measures that the method has no threshold for are left out.
    """
    limits = THRESHOLDS[method]
    measures = tuple(Measure(name, of, float(x), *limits[name]) for name, of, x in values if name in limits)
    return Trust(method, measures, bool(exact_moments), tuple(problems))


def measure_gaussian(network, mean, covariance, *, points=None, n_stable=1, t=0.0, x0=None, shift=None):
    """Return the measures at a mean and a covariance, as (name, species, value).

    Parameters
    ----------
    network : ReactionNetwork
    mean : ndarray, shape (species,)
    covariance : ndarray, shape (species, species)
    points : FixedPoints, optional
        For a stationary result: tells the stable states and those that are never left.
    n_stable : int
        Stable fixed points of the rate equations, where no `points` are given.
    t : float
        For rates that depend on time.
    x0 : ndarray, shape (species,), optional
        Gives the conserved sums; default: the mean.
    shift : ndarray, shape (species,), optional
        Of the mean by fluctuations; by default that of a stationary law, from the balance of the rates.
    """
    few = find_switches(network, mean if x0 is None else x0)
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    values = [("fixed points", "", n_stable if points is None else max(1, points.stable.sum()))]
    if points is not None:
        values.append(("absorbing states", "", points.absorbing.sum()))
    for i, name in enumerate(network.species):
        if name in few:
            values.append(("switch", name, 1.0))
            continue
        values.append(("copy number", name, mean[i]))
        values.append(("boundary distance", name, mean[i] / spread[i] if spread[i] > 0 else np.inf))
    if shift is None:
        values += _shifts(network, mean, covariance, t)
    else:
        values += [
            ("mean shift", name, abs(shift[i]) / mean[i])
            for i, name in enumerate(network.species)
            if mean[i] > 0 and name not in few
        ]
    values += _slow_switches(network, mean, covariance, few, t)
    return [(name, of, float(np.clip(value, -1e12, 1e12))) for name, of, value in values]


def is_linear(network):
    """Tell whether every propensity is linear in the counts: mean and covariance are then exact everywhere."""
    rates = network.rate_equations()
    # The discrete convention: 2 P -> 0 is not linear in either.
    return all(not a.diff(v).free_symbols & set(rates.variables) for a in rates.fluxes for v in rates.variables)


def find_switches(network, x0, *, most=3):
    """Return the species that a conservation law keeps at `most` molecules or fewer, such as states of a gene."""
    few = set()
    for law in network.conservation_laws:
        if law.min() >= 0:
            few |= {network.species[i] for i in np.flatnonzero(law) if law @ x0 / law[i] <= most + 1e-9}
    return few


def solve_lyapunov(j, d):
    """Return C of J C + C Jᵀ + D = 0."""
    return solve_continuous_lyapunov(j, -d)


def _shifts(network, mean, covariance, t):
    """Estimate what the linear noise approximation leaves out to the next order: of means and standard deviations.

    The mean of the drift over a Gaussian law, taken at two points a direction, less the drift at its mean, divided by
    the slope; and the covariance where the mean then is. For second-order rates the first is the effective rate
    equation [1]_.

    .. [1] R. Grima, J. Chem. Phys. 133, 035101 (2010). doi:10.1063/1.3454685
    """
    noise, basis = network.linear_noise(), free_directions(network)
    few = np.array([name in find_switches(network, mean) for name in network.species])
    j, d = noise.evaluate(mean, t)
    drift = curved_drift(network, mean, covariance, t)
    try:
        shift = -basis @ np.linalg.solve(basis.T @ j @ basis, basis.T @ drift)
        moved = np.maximum(mean + shift, 0.0)
        j2, d2 = (basis.T @ m @ basis for m in noise.evaluate(moved, t))
        if np.linalg.eigvals(j2).real.max() >= 0:
            raise np.linalg.LinAlgError
        before = np.diag(basis @ solve_lyapunov(basis.T @ j @ basis, basis.T @ d @ basis) @ basis.T)
        after = np.diag(basis @ solve_lyapunov(j2, d2) @ basis.T)
    except (np.linalg.LinAlgError, ValueError):
        return [("mean shift", "", np.inf), ("spread shift", "", np.inf)]
    values = [("slope change", "", _slope_change(network, mean, covariance, t))]
    for i, name in enumerate(network.species):
        if mean[i] > 0 and not few[i]:
            values.append(("mean shift", name, abs(shift[i]) / mean[i]))
            if before[i] > 1e-12 and after[i] > 0:
                values.append(("spread shift", name, abs(np.sqrt(after[i] / before[i]) - 1)))
    return values


def _slope_change(network, mean, covariance, t):
    """Return by how much the Jacobian changes over a standard deviation, relative to itself; the worst direction."""
    if is_linear(network):
        return 0.0
    rates, basis = network.rate_equations(), free_directions(network)
    up, down = _one_deviation_away(network, mean, covariance)
    change = basis.T @ (rates.evaluate_jacobian(up, t) - rates.evaluate_jacobian(down, t)) @ basis / 2
    j = basis.T @ rates.evaluate_jacobian(mean, t) @ basis
    # In units of the standard deviations, so that rare species do not weigh more than others.
    lengths, directions = np.linalg.eigh(basis.T @ covariance @ basis)
    root = directions * np.sqrt(np.maximum(lengths, 1e-12 * np.abs(lengths).max()))
    relative = np.linalg.solve(root, np.linalg.solve(j, change @ root))
    return float(np.linalg.norm(relative, 2, axis=(1, 2)).max()) if np.all(np.isfinite(relative)) else np.inf


def _one_deviation_away(network, mean, covariance):
    """Return the points one standard deviation up and down each principal direction, shape (2, direction, species)."""
    lengths, directions = np.linalg.eigh((covariance + covariance.T) / 2)
    arms = (directions * np.sqrt(np.maximum(lengths, 0.0))).T
    points = np.stack([mean + arms, mean - arms])
    rates = network.rate_equations()
    # A polynomial has a meaning below zero, others need not have one.
    return points if all(a.is_polynomial(*rates.variables) for a in rates.fluxes) else np.maximum(points, 0.0)


def curved_drift(network, mean, covariance, t=0.0):
    """Return the mean of the drift over a Gaussian law less the macroscopic drift at its mean, shape (species,).

    Over two points a direction, one standard deviation away: exact for rates of second order, and for others at the
    scale of the fluctuations rather than at a point.
    """
    if is_linear(network):
        return np.zeros(len(mean))
    exact = network.rate_equations("discrete")
    points = _one_deviation_away(network, mean, covariance).reshape(-1, len(mean))
    at_mean = exact.evaluate(mean, t)
    with np.errstate(all="ignore"):
        curved = 0.5 * (exact.evaluate(points, t) - at_mean).sum(axis=0)
    return curved + at_mean - network.rate_equations().evaluate(mean, t)


def _slow_switches(network, mean, covariance, few, t):
    """Return for each species the time of the switches over its own, where switches make a quarter of its variance."""
    if not few:
        return []
    is_switch = np.array([name in few for name in network.species])
    noise, basis = network.linear_noise(), free_directions(network)
    j, _ = noise.evaluate(mean, t)
    own = np.linalg.eigvals(j[np.ix_(is_switch, is_switch)])
    rates = np.abs(own.real[np.abs(own) > 1e-12 * np.abs(j).max()])
    if not len(rates):
        return []
    slow = 1.0 / rates.min()
    changes = network.stoichiometry
    of_switch = np.any(changes[:, is_switch] != 0, axis=1)
    fluxes = noise.rates.evaluate_fluxes(mean, t) * of_switch
    d = np.einsum("j,ji,jk->ik", fluxes, changes, changes)
    try:
        made = np.diag(basis @ solve_lyapunov(basis.T @ j @ basis, basis.T @ d @ basis) @ basis.T)
    except (np.linalg.LinAlgError, ValueError):
        return []
    values = []
    for i, name in enumerate(network.species):
        if not is_switch[i] and covariance[i, i] > 0 and made[i] > 0.25 * covariance[i, i]:
            values.append(("time-scale ratio", name, abs(j[i, i]) * slow))
    return values

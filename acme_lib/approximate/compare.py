"""All the methods side by side on one network, and where they part."""

import math
import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr

from acme_lib.approximate.assess import assess
from acme_lib.approximate.comparison import MASTER, SAMPLED, SSA, MethodComparison, MethodResult
from acme_lib.approximate.fixed_points import find_fixed_points
from acme_lib.approximate.fokker_planck import solve_stationary_fokker_planck
from acme_lib.approximate.linear_noise import solve_linear_noise, solve_stationary_linear_noise
from acme_lib.approximate.moments import solve_moments, solve_stationary_moments
from acme_lib.approximate.trust import find_switches, is_linear
from acme_lib.checks import expected
from acme_lib.errors import AcmeError, EquationError, ParameterError, StateSpaceError
from acme_lib.master import StateSpace, build_generator, solve_stationary, solve_transient
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import suggest
from acme_lib.simulate import simulate_langevin, simulate_ssa, solve_rate_equations

METHODS = (MASTER, SSA, "rate equations", "linear noise", "moments", "normal closure", "log-normal closure",
           "zero-cumulant closure", "Langevin", "Fokker-Planck")  # fmt: skip
_RELAXATIONS = 12.0  # times of the slowest mode after which a simulation counts as stationary
_TAIL = 1e-10  # probability at the edge of a box
_GROWTH = 1.5
_QUICK = 0.5  # seconds: what is faster is timed on a second call


def compare(network, x0=None, t=None, *, species=None, methods=None, size=2000, rng=None, max_states=100_000):
    r"""Run several methods side by side on one network.

    The master equation (on a box that grows until the probability at its edges is below 1e-10), the SSA, the rate
    equations, the linear noise approximation, moment equations (closed ones as they are, others with each closure, of
    order 2 and for zero cumulants 3), the chemical Langevin equation, and for one species the Fokker-Planck equation.

    Methods that give no more than moments are given the law of their assumption: a log-normal one for that closure,
    else a Gaussian one. A simulation counts as stationary after twelve times of the slowest mode around a stable state;
    from one mode of a bistable network it has then not seen the other.

    Use when: to choose a method for a network, or to see what an approximation costs.

    Parameters
    ----------
    network : ReactionNetwork
    x0 : mapping or array_like, shape (species,), optional
        The start state. Default: all zero, where no conservation law holds.
    t : float, optional
        The time of the comparison; by default the stationary law is compared.
    species : sequence of str, optional
        Which to compare. Default: all but those that a conservation law keeps at three molecules or fewer.
    methods : sequence of str, optional
        Of ``"master equation"``, ``"SSA"``, ``"rate equations"``, ``"linear noise"``, ``"moments"``, ``"normal
        closure"``, ``"log-normal closure"``, ``"zero-cumulant closure"``, ``"Langevin"``, ``"Fokker-Planck"``. Default:
        all that apply.
    size : int
        Trajectories of SSA and Langevin.
    rng : numpy.random.Generator
        For SSA and Langevin; needed unless neither is asked for.
    max_states : int
        The largest box of the master equation.

    Returns
    -------
    MethodComparison
        It shows itself as a table; `acme_lib.plot.draw_comparison` draws it. A method that fails has the reason in its
        row.

    Raises
    ------
    ParameterError
        If an argument does not fit.

    Examples
    --------
    >>> from acme_lib import models
    >>> seen = compare(models.birth_death(k=2, g=1), methods=["master equation", "linear noise", "Fokker-Planck"])
    >>> seen.distance("Fokker-Planck", "M") < 0.02 < 0.07 < seen.distance("linear noise", "M")
    True
    """
    if not isinstance(network, ReactionNetwork):
        raise expected("network", "a ReactionNetwork", network, "see ReactionNetwork.parse")
    network.refuse_events("compare")
    if x0 is None and len(network.conservation_laws):
        raise ParameterError(
            f"the start decides the conserved sum ({', '.join(network.conservation_law_texts)}): give x0"
        )
    state = network.state(x0)
    if t is not None and not (isinstance(t, int | float | np.number) and 0 < t < np.inf):
        raise expected("t", "a time above 0, or None for the stationary law", t)
    linear = _is_linear(network)
    if methods is None:
        left_out = {"normal closure", "log-normal closure", "zero-cumulant closure"} if linear else {"moments"}
        if len(network.species) > 1 or t is not None:
            left_out.add("Fokker-Planck")
        methods = [m for m in METHODS if m not in left_out]
    for method in methods:
        if method not in METHODS:
            raise ParameterError(
                f"{method!r} is no method{suggest(str(method), METHODS)}; there are {', '.join(METHODS)}"
            )
    if any(m in SAMPLED for m in methods) and not isinstance(rng, np.random.Generator):
        raise ParameterError(
            "SSA and Langevin sample: pass rng=numpy.random.default_rng(seed), or leave them out of methods"
        )
    few = find_switches(network, state)
    names = tuple(name for name in network.species if name not in few) if species is None else tuple(species)
    for name in names:
        if name not in network.species:
            raise ParameterError(
                f"{name!r} is not a species of the network{suggest(str(name), network.species)}; "
                f"it has {', '.join(network.species)}"
            )
    question = _Question(network, x0, state, t, names, size, rng, max_states, order=3 if linear else 2)
    rows = tuple(_run(method, question) for method in dict.fromkeys(methods))
    worked = [row.method for row in rows if not row.failure and not (row.method == SSA and row.note)]
    reference = next((m for m in (MASTER, SSA) if m in worked), None)
    return MethodComparison(network, names, None if t is None else float(t), rows, reference, size)


def _is_linear(network):
    try:
        return is_linear(network)
    except EquationError:
        return False


@dataclass(frozen=True, eq=False)
class _Question:
    network: ReactionNetwork
    x0: object
    state: np.ndarray
    t: float | None
    names: tuple
    size: int
    rng: object
    max_states: int
    order: int

    @cached_property
    def horizon(self):
        """The time to simulate to."""
        if self.t is not None:
            return float(self.t)
        points = find_fixed_points(self.network, self.x0)
        rates = -points.eigenvalues[points.stable].real
        if not rates.size:
            raise EquationError(
                "there is no stable state, so that nothing says when a simulation is stationary; give t"
            )
        slowest = 1.0 / float(rates.min())
        if points.reached is None:
            return _RELAXATIONS * slowest
        # The way there may be long: past a state that nearly is a fixed point, for instance.
        times = np.append(0.0, np.geomspace(1e-2, 1e4, 200) * slowest)
        target = points.points[points.reached]
        away = np.abs(solve_rate_equations(self.network, self.state, times).amounts - target) > 0.02 * (1.0 + target)
        late = np.flatnonzero(away.any(axis=1))
        return (times[late[-1]] if len(late) else 0.0) + _RELAXATIONS * slowest


def _run(method, question):
    n = len(question.names)
    try:
        if method in SAMPLED:  # compiles what is not compiled yet
            _solve(method, replace(question, size=1, rng=np.random.default_rng(0)))
        start = time.perf_counter()
        result = _solve(method, question)
        seconds = time.perf_counter() - start
        if seconds < _QUICK and method not in SAMPLED:
            start = time.perf_counter()
            result = _solve(method, question)
            seconds = time.perf_counter() - start
        parts = _summarise(method, result, question)
        return MethodResult(
            method, result, *parts, seconds, _light(method, result, question), note=_note(method, question)
        )
    except AcmeError as error:
        nothing = [np.full(n, np.nan) for _ in range(3)]
        return MethodResult(
            method, None, *nothing, np.zeros(n), (None,) * n, math.nan, None, " ".join(str(error).split())
        )


def _solve(method, q):
    times = None if q.t is None else np.array([0.0, q.t])
    if method == MASTER:
        return _solve_master(q)
    if method == SSA:
        return simulate_ssa(q.network, q.state, [0.0, q.horizon], size=q.size, rng=q.rng, progress=False)
    if method == "Langevin":
        times = [0.0, q.horizon]
        return simulate_langevin(q.network, q.state, times, boundary="reflect", size=q.size, rng=q.rng, progress=False)
    if method == "rate equations":
        return solve_rate_equations(q.network, q.state, [0.0, q.horizon])
    if method == "linear noise":
        if times is None:
            return solve_stationary_linear_noise(q.network, q.x0)
        return solve_linear_noise(q.network, q.state, times)
    if method == "Fokker-Planck":
        if times is not None:
            raise EquationError("the Fokker-Planck equation is solved for its stationary density only")
        return solve_stationary_fokker_planck(q.network)
    closure = None if method == "moments" else method.removesuffix(" closure")
    order = 3 if closure == "zero-cumulant" else q.order
    if times is None:
        return solve_stationary_moments(q.network, q.x0, order, closure=closure)
    return solve_moments(q.network, q.state, times, order, closure=closure)


def _light(method, result, q):
    if method in (MASTER, SSA):
        return None
    trust = assess(result)
    if q.t is None and method in ("rate equations", "Langevin") and find_fixed_points(q.network, q.x0).absorbing.any():
        trust = trust.with_problem("there is a state without any reaction, in which the process ends")
    return trust


def _note(method, q):
    """Say where a simulation is not the stationary law that is asked for."""
    if method not in SAMPLED or q.t is not None:
        return ""
    stable = int(find_fixed_points(q.network, q.x0).stable.sum())
    if stable < 2:
        return ""
    return (
        f"it ran for {q.horizon:.3g} from one state, too short to see how {stable} stable states share the probability"
    )


def _summarise(method, result, q):
    """Return means, variances, skewness, standard errors and laws, by species."""
    if method in SAMPLED:
        columns = [result[name][:, -1] for name in q.names]
        means = np.array([x.mean() for x in columns])
        variances = np.array([x.var(ddof=1) for x in columns])
        third = np.array([((x - x.mean()) ** 3).mean() for x in columns])
        laws = tuple(np.bincount(np.rint(x).astype(np.int64)) / len(x) for x in columns)
        return means, variances, _skewness(third, variances), np.sqrt(variances / q.size), laws
    zero = np.zeros(len(q.names))
    if method == MASTER:
        laws = tuple(np.atleast_2d(result.marginal(name))[-1].copy() for name in q.names)
        means, variances, third = np.array([_moments_of(p) for p in laws]).T
        return means.copy(), variances.copy(), _skewness(third, variances), zero, laws
    if method == "rate equations":
        means = np.array([result[name][-1] for name in q.names])
        return means, np.full(len(q.names), np.nan), np.full(len(q.names), np.nan), zero, (None,) * len(q.names)
    last = [[np.ravel(f(name))[-1] for name in q.names] for f in (result.mean, result.variance, result.skewness)]
    means, variances, skewness = (np.array(row, dtype=float) for row in last)
    if method == "Fokker-Planck":
        laws = (result.pmf(np.arange(int(result.x[-1]) + 2)),)
    else:
        law = _log_normal_law if method == "log-normal closure" else _gaussian_law
        laws = tuple(map(law, means, variances))
    return means, variances, skewness, zero, laws


def _moments_of(p):
    n, mass = np.arange(len(p)), p.sum()
    mean = p @ n / mass
    return mean, p @ (n - mean) ** 2 / mass, p @ (n - mean) ** 3 / mass


def _skewness(third, variance):
    return np.divide(third, variance**1.5, out=np.full(len(third), np.nan), where=variance > 0)


def _gaussian_law(mean, variance):
    spread = math.sqrt(max(variance, 1e-12))
    edges = np.arange(max(1, math.ceil(mean + 9 * spread)) + 2) - 0.5
    return np.diff(ndtr((edges - mean) / spread))


def _log_normal_law(mean, variance):
    if mean <= 0 or variance <= 0:
        return None
    width = math.sqrt(math.log1p(variance / mean**2))
    center = math.log(mean) - width**2 / 2
    edges = np.arange(math.ceil(min(math.exp(center + 8 * width), mean + 50 * math.sqrt(variance))) + 2) - 0.5
    with np.errstate(divide="ignore"):
        return np.diff(ndtr((np.log(np.maximum(edges, 0.0)) - center) / width))


def _solve_master(q):
    """Solve the master equation on a box that grows until nothing is left at its edges."""
    sizes, fixed = _first_box(q)
    while True:
        count = math.prod(n + 1 for n in sizes.values())
        if count > q.max_states:
            box = " × ".join(str(n + 1) for n in sizes.values())
            raise StateSpaceError(f"a box of {box} = {count:.3g} states is larger than max_states = {q.max_states}")
        space = StateSpace.box(q.network, **sizes)
        if q.t is None:
            generator = build_generator(q.network, space, boundary="reflecting")
            law = solve_stationary(
                generator, x0=None if q.x0 is None else dict(zip(space.species, q.state, strict=True))
            )
        else:
            generator = build_generator(q.network, space, boundary="absorbing")
            law = solve_transient(generator, space.point(q.state), [q.t])
        grown = False
        for name in sizes:
            edge = np.atleast_2d(law.marginal(name))[-1]
            if name not in fixed and edge[-max(1, len(edge) // 50) :].sum() > _TAIL:
                sizes[name], grown = math.ceil(_GROWTH * sizes[name]) + 5, True
        if not grown:
            return law


def _first_box(q):
    """Return a largest count for each species, and the species whose range ends there for good."""
    network, state = q.network, q.state
    sizes = {name: int(2 * n + 20) for name, n in zip(network.species, state, strict=True)}
    try:
        noise = solve_stationary_linear_noise(network, q.x0)
        for around in (noise, *noise.others):
            for name in sizes:
                spread = math.sqrt(max(around.variance(name), around.mean(name)))
                most = min(around.mean(name) + 7 * spread, 4 * around.mean(name) + 100)  # the box grows where it has to
                sizes[name] = max(sizes[name], math.ceil(most))
    except AcmeError:
        pass  # the box grows from the start state instead
    fixed = set()
    for law in network.conservation_laws:
        if law.min() >= 0:
            for i in np.flatnonzero(law):
                name, most = network.species[i], int(law @ state // law[i])
                sizes[name] = min(sizes[name], most) if name in fixed else most
                fixed.add(name)
    for i, name in enumerate(network.species):  # a rate that turns negative ends the range, as in N - I
        line = np.repeat(state[None], sizes[name] + 1, axis=0)
        line[:, i] = np.arange(sizes[name] + 1)
        rates = network.rate_equations("discrete").evaluate_fluxes(line.astype(float))
        bad = np.flatnonzero((rates < 0).any(axis=1) & (line[:, i] > state[i]))
        if len(bad):
            sizes[name] = int(bad[0]) - 1
            fixed.add(name)
    return sizes, fixed

"""The solution of an augmented master equation in time."""

import ast

import numpy as np

from acme_lib.augmented.explicit import Operator, find_method, stability_limit
from acme_lib.augmented.rational import Propagator
from acme_lib.augmented.solution import AugmentedDensity, AugmentedSolution
from acme_lib.augmented.system import AugmentedSystem
from acme_lib.augmented.truncation import judge_leak
from acme_lib.errors import ParameterError, StabilityError, StateSpaceError
from acme_lib.network.expression import Expression, suggest
from acme_lib.progress import ProgressBar

_LOOK = "{l_bar}{bar}| t: {n:.3g}/{total:.3g} [{elapsed}<{remaining}]"  # of the progress bar
_SMALLEST_STEP = 2.0**-40  # of the interval between two saved times
_LEAST_SHARE = 0.01  # of the tolerance that any step may use
_ROUNDING = 1e-13  # of the mass: no difference between steps below it means anything


def solve_augmented(
    system,
    start,
    t,
    *,
    t0=0.0,
    method="auto",
    tolerance=1e-6,
    step=None,
    poles=None,
    stop=None,
    normalise=False,
    breaks=(),
    max_leak=None,
    progress=None,
):
    r"""Solve :math:`dp/dt = A(t) p + s(t)` from a density.

    Parameters
    ----------
    system : AugmentedSystem
    start : ndarray of the space's shape, or AugmentedSolution
        A density (``space.density(…)``), or a solution, which is resumed at its last time.
    t : float or array_like
        Times at which the density is saved, increasing.
    t0 : float
        Time of `start`.
    method : str
        ``"implicit"``: rational approximations of the exponential, of high order and stable for any step, with error
        control (rates that vary in time: exponential midpoint with extrapolation, order 4). ``"adaptive"``: explicit,
        third order, with error control. ``"euler"``, ``"ssprk(s,2)"``, ``"ssprk(s,3)"``: explicit with equal steps
        between saved times. ``"auto"``: implicit for linear schemes, else ssprk(4,3).
    tolerance : float
        L1 error that steps in time may make altogether, relative to the mass. Steps of a conservative system do not
        magnify earlier errors, so that `time_error` bounds what they amount to.
    step : float, optional
        Longest step; by default the longest stable one, for explicit methods.
    poles : int, optional
        Of the rational approximation, whose order is ``2 poles - 1``. By default 5 along one continuum axis, else 3.
    stop : str or callable, optional
        A condition that ends the solution, such as ``"waiting < 0.01"`` or ``"mass > 100 and t > 1"``: names are `t`,
        `mass`, the abstract states (their mass) and ``mean_P`` of each species P; or a function of (t, density).
    normalise : bool
        Keep the mass of what is not frozen at 1 and its logarithm apart: large times then do not overflow.
    breaks : sequence of float
        Times at which rates jump. Those in comparisons of the time with a number (``k if t < 5 else 0``) are found by
        themselves; between them, rates that depend on time only so are constant.
    max_leak : float, optional
        Share of the mass that may reach an end of the space; more is an error. By default more than 5 % is an error
        and more than 0.001 % a warning.
    progress : bool, optional
        A progress bar; by default one appears when the solution takes more than five seconds.

    Returns
    -------
    AugmentedSolution

    Notes
    -----
    Use when: the way is wanted, not only the end (`solve_augmented_stationary`, `solve_growth_mode`). Implicit steps
    are the choice for one continuum species and for whatever is stiff; ``"ssprk(4,3)"`` wins where rates are mild,
    the time is short, or two species make factorisations dear.

    Raises
    ------
    StabilityError
        If `step` is longer than the scheme stays stable for.
    DomainError
        If the solution reaches an end of the space.

    Examples
    --------
    >>> from acme_lib.augmented import AugmentedSpace, Continuum, Drift, build_augmented
    >>> space = AugmentedSpace(x=Continuum(upper=4.0, cells=200))
    >>> system = build_augmented(space, Drift("x", "-0.5*x"))
    >>> solution = solve_augmented(system, space.density("exp(-20*(x - 2)**2)"), [1.0, 2.0])
    >>> solution.mean("x").round(4)
    array([1.2131, 0.7358])
    """
    if not isinstance(system, AugmentedSystem):
        raise ParameterError(f"solve_augmented takes a system from build_augmented; {system!r} came")
    state = _State.resume(system, start, t0)
    times = _check_times(t, state.time)
    if not 0.0 < tolerance < 1.0:
        raise ParameterError(f"the tolerance is a number between 0 and 1, such as 1e-6; {tolerance!r} came")
    stepper = _choose(system, method, step, poles)
    condition = _Condition.of(system, stop)
    options = {"t0": t0, "method": method, "tolerance": tolerance, "step": step, "poles": poles}
    options |= {"normalise": normalise, "breaks": tuple(breaks)}
    given = None if isinstance(start, AugmentedSolution) else state.p.reshape(system.space.shape).copy()
    if normalise and any(type(process).__name__ == "Influx" for process in system.processes):
        raise ParameterError("with an Influx the equation has a scale of its own: leave normalise out")
    before = state.weight(system) * np.exp(min(state.log_scale, 700.0))
    run = _Run(system, stepper, tolerance, times[-1] - state.time, condition, normalise)
    jumps = _find_breaks(system, state.time, times[-1], breaks)
    saved = []
    # What overflows is refused in words.
    with (
        ProgressBar(progress, times[-1] - state.time, bar_format=_LOOK) as run.bar,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        for until in times:
            for end in [*(b for b in jumps if state.time < b < until), until]:
                run.advance(state, end)
                if run.stopped:
                    break
            saved.append(state.copy())
            if run.stopped:
                break
    last = saved[-1]
    weight = max(last.weight(system), before * np.exp(-last.log_scale), 1e-300)
    judge_leak(system, last.stopped / weight, max_leak)
    p = np.array([s.p.reshape(system.space.shape) for s in saved])
    return AugmentedSolution(
        system,
        p,
        times=np.array([s.time for s in saved]),
        log_scale=np.array([s.log_scale for s in saved]),
        leaked=np.array([s.leaked for s in saved]),
        gained=np.array([s.gained for s in saved]),
        time_error=np.array([s.error for s in saved]),
        balance_error=run.balance_error,
        steps=run.steps,
        factorisations=stepper.factorisations,
        method=stepper.name,
        stable_step=stepper.stable_step,
        limited=stepper.limited,
        stopped=run.stopped,
        most_negative=float(min(p.min(), 0.0) / max(np.abs(p).max(), 1e-300)),
        start=given,
        options=options,
    )


class _State:
    """A density on its way, with what has been counted."""

    def __init__(self, p, time, log_scale=0.0, leaked=0.0, gained=0.0, error=0.0):
        self.p, self.time, self.log_scale = p, time, log_scale
        self.leaked, self.gained, self.error = leaked, gained, error
        self.stopped = 0.0

    def copy(self):
        other = _State(self.p.copy(), self.time, self.log_scale, self.leaked, self.gained, self.error)
        other.stopped = self.stopped
        return other

    def weight(self, system):
        return float(np.abs(self.p).sum() * system.space.volume)

    @classmethod
    def resume(cls, system, start, t0):
        if isinstance(start, AugmentedSolution):
            if start.space.shape != system.space.shape:
                raise StateSpaceError(
                    f"the solution to resume has the shape {start.space.shape} and the space {system.space.shape}"
                )
            s = start
            last = s.p[-1].ravel().copy(), float(s.times[-1]), float(s.log_scale[-1]), float(s.leaked[-1])
            return cls(*last, float(s.gained[-1]), float(s.time_error[-1]))
        p = np.array(start.p if isinstance(start, AugmentedDensity) else start, dtype=float)
        if p.shape != system.space.shape:
            raise StateSpaceError(
                f"the density has the shape {p.shape} and the space {system.space.shape} "
                f"({', '.join(system.space.names)}): make it with space.density(…)"
            )
        if not np.all(np.isfinite(p)):
            raise StateSpaceError("the density to start from is not finite everywhere")
        return cls(p.ravel(), float(t0))


class _Implicit:
    """Steps by rational approximations; of a constant operator, or of that at the middle of the step."""

    limited = stable_step = np.nan

    def __init__(self, system, poles, longest):
        poles = (5 if len(system.space.continuum) == 1 else 3) if poles is None else poles
        self.system, self.poles = system, poles
        self.longest = np.inf if longest is None else longest
        self.name = f"implicit, order {2 * poles - 1}"
        self.varying = _varies(system)
        self.order = 2 if self.varying else 2 * poles - 1
        if self.varying:
            self.name = "implicit, exponential midpoint extrapolated to order 4"
        self.constant = None
        self.made = 0

    @property
    def factorisations(self):
        return self.made + (self.constant.factorisations if self.constant else 0)

    def begin(self, low, high):
        """Take the rates of an interval in which they do not jump."""
        if not self.varying and (self.constant is None or self.system.uses_time):
            self.made = self.factorisations
            self.constant = self._propagator(0.5 * (low + high))

    def _propagator(self, t):
        terms = self.system.terms(t)
        n = terms.n_unknowns
        functionals = np.array([terms.leak, terms.stop, terms.gain]).reshape(3, n)
        return Propagator(terms, functionals, self.poles)

    def step(self, p, t, h):
        if not self.varying:
            source = self.constant.terms.source.sum() * self.constant.terms.volume * h
            p, integrals = self.constant.step(p, h)
            return p, integrals + np.array([0.0, 0.0, source])
        propagator = self._propagator(t + 0.5 * h)
        self.made += len(propagator.fractions)
        source = propagator.terms.source.sum() * propagator.terms.volume * h
        p, integrals = propagator.step(p, h)
        return p, integrals + np.array([0.0, 0.0, source])


class _Explicit:
    """Runge–Kutta steps of a scheme of any kind."""

    factorisations = 0

    def __init__(self, system, method, longest, controlled):
        self.system, self.method = system, find_method(method)
        self.order, self.controlled = self.method.order, controlled
        self.name = f"adaptive {self.method.name}" if controlled else self.method.name
        self.given = longest
        self.constant = None
        self.evaluations = np.zeros(2)
        self.stable_step = np.inf

    @property
    def limited(self):
        held, slopes = self.evaluations
        return held / slopes if slopes else np.nan

    def begin(self, low, high):
        terms = self.system.terms(0.5 * (low + high))
        stable = stable_step(self.system, self.method, terms)
        if self.system.uses_time:
            for t in np.linspace(low, high, 9):
                stable = min(stable, stable_step(self.system, self.method, self.system.terms(t)))
        self.stable_step = min(self.stable_step, stable)
        if stable == 0.0:
            raise StabilityError(
                f"{self.method.name} is not stable with the scheme {_name(self.system.scheme)} at any step: take a "
                "method of order 3, such as 'ssprk(4,3)', the scheme 'upwind', or method='implicit'"
            )
        if self.given is not None and self.given > stable * (1 + 1e-9):
            raise StabilityError(
                f"the step {self.given:g} is longer than {stable:.6g}, up to which {self.method.name} is stable with "
                f"the scheme {_name(self.system.scheme)} and these rates; shorten it, leave it out, or take "
                "method='implicit'"
            )
        self.longest = stable if self.given is None else self.given
        if not _varies(self.system):
            self.constant = self._operator(0.5 * (low + high), terms)

    def _operator(self, t, terms=None):
        terms = self.system.terms(t) if terms is None else terms
        return Operator(self.system, terms, np.array([terms.leak, terms.stop, terms.gain]))

    def step(self, p, t, h):
        constant = self.constant
        operator_at = self._operator if constant is None else lambda t: constant
        p, integrals, counts = self.method.step(operator_at, p, t, h)
        self.evaluations += counts
        return p, integrals


def stable_step(system, method, terms):
    """Return the longest step at which a `RungeKutta` is stable (for limited schemes: keeps the density positive)."""
    return stability_limit(system.scheme, method) / max(terms.stiffness, 1e-300)


def _name(scheme):
    return getattr(scheme, "name", None) or scheme.limiter


def _choose(system, method, step, poles):
    if step is not None and not (isinstance(step, int | float) and step > 0):
        raise ParameterError(f"step is the longest step in time, positive; {step!r} came")
    if poles is not None and not (isinstance(poles, int) and 1 <= poles <= 9):
        raise ParameterError(f"poles is a whole number from 1 to 9; {poles!r} came")
    if method == "auto":
        method = "implicit" if system.is_linear else "ssprk(4,3)"
    if method == "implicit":
        if not system.is_linear:
            raise ParameterError(
                f"implicit steps need a linear scheme; {_name(system.scheme)} is not: take an explicit method, or "
                "build the system with scheme='third' or 'fitted'"
            )
        return _Implicit(system, poles, step)
    if method == "adaptive":
        return _Explicit(system, "ssprk(4,3)", step, True)
    return _Explicit(system, method, step, False)


class _Run:
    """Advances a state; error control by comparing a step with two of half the length."""

    def __init__(self, system, stepper, tolerance, horizon, condition, normalise):
        self.system, self.stepper, self.tolerance = system, stepper, tolerance
        self.horizon = max(horizon, 1e-300)
        self.condition, self.normalise = condition, normalise
        self.awake = np.broadcast_to(~system.space.frozen, system.space.shape).ravel()
        self.steps, self.balance_error, self.stopped = 0, 0.0, False
        self.guess = self.bar = None

    def advance(self, state, until):
        """Advance `state` to a time, or to where the condition is met."""
        if until <= state.time:
            return
        if self.condition is not None and self.condition(state):
            self.stopped = True
            return
        self.stepper.begin(state.time, until)
        controlled = getattr(self.stepper, "controlled", True)
        if controlled:
            self._advance_controlled(state, until)
        else:
            self._advance_equal(state, until)

    def _advance_equal(self, state, until):
        start, span = state.time, until - state.time
        count = int(np.ceil(span / self.stepper.longest * (1 - 1e-12)))
        state.error = np.nan
        for i in range(max(count, 1)):
            low = start + span * (i / max(count, 1))
            high = start + span * ((i + 1) / max(count, 1))
            before = state.copy()
            p, integrals = self.stepper.step(state.p, low, high - low)
            self._take(state, p, integrals, high, 0.0)
            self.bar.update(high - low)
            if self._met(before, state):
                return

    def _advance_controlled(self, state, until):
        start, span = state.time, until - state.time
        limit = min(self.stepper.longest, span)
        guess = min(self.guess if self.guess else span / 8.0, limit)
        level = max(0, int(np.ceil(np.log2(span / guess) - 1e-9)))
        position = 0
        order = self.stepper.order
        whole = None
        while position < 2**level:
            h = span / 2**level
            t = start + position * h
            if whole is None:
                whole = self.stepper.step(state.p, t, h)
            first = self.stepper.step(state.p, t, 0.5 * h)
            second = self.stepper.step(first[0], t + 0.5 * h, 0.5 * h)
            difference = second[0] - whole[0]
            factor = 2.0**order - 1.0
            scale = self.system.space.volume
            error = np.abs(difference).sum() * scale / factor
            weight = max(np.abs(second[0]).sum() * scale, 1e-300)
            allowed = weight * max(self.tolerance * max(h / self.horizon, _LEAST_SHARE), _ROUNDING)
            if not np.isfinite(error):
                raise StateSpaceError(
                    f"the solution is not finite at t={t:g}: its mass overflows, or a rate grows without bound; say "
                    "normalise=True, so that the scale of a growing population is kept apart"
                )
            if error > allowed and 2.0 ** -(level + 1) > _SMALLEST_STEP:
                level, position, whole = level + 1, 2 * position, first
                continue
            p = second[0]
            integrals = first[1] + second[1]
            if order == 2:  # the midpoint rule is symmetric: extrapolation gains two orders
                p = p + difference / 3.0
                integrals = integrals + (integrals - whole[1]) / 3.0
            before = state.copy()
            self._take(state, p, integrals, until if position + 1 == 2**level else t + h, error)
            whole = None
            self.bar.update(h)
            if self._met(before, state):
                return
            position += 1
            if error * 2.0 ** (order + 1) < 0.5 * allowed and level > 0 and position % 2 == 0 and 2 * h <= limit:
                level, position = level - 1, position // 2
        self.guess = span / 2**level * (2.0 if level == 0 else 1.0)

    def _take(self, state, p, integrals, time, error):
        volume = self.system.space.volume
        change = (p.sum() - state.p.sum()) * volume
        weight = max(np.abs(p).sum() * volume, np.abs(state.p).sum() * volume, 1e-300)
        if not np.isfinite(weight):
            raise StateSpaceError(
                f"the solution overflows at t={time:g}; say normalise=True, so that its scale is kept apart"
            )
        self.balance_error = max(self.balance_error, abs(change - integrals[2]) / weight)
        self.steps += 1
        state.p, state.time = p, float(time)
        state.leaked += integrals[0]
        state.stopped += integrals[1]
        state.gained += integrals[2]
        state.error += error
        if self.normalise:
            mass = float(p[self.awake].sum() * volume)
            if not mass > 0:
                raise StateSpaceError(f"nothing is left to normalise at t={time:g}")
            state.p = p / mass
            state.log_scale += np.log(mass)
            for name in ("leaked", "stopped", "gained", "error"):
                setattr(state, name, getattr(state, name) / mass)

    def _met(self, before, state):
        """Whether the condition is met by now; then find where, and set `state` to it."""
        if self.condition is None or not self.condition(state):
            return False
        low, high = 0.0, 1.0
        span = state.time - before.time
        found = None
        for _ in range(24):
            middle = 0.5 * (low + high)
            p, integrals = self.stepper.step(before.p, before.time, middle * span)
            trial = before.copy()
            self._take(trial, p, integrals, before.time + middle * span, 0.0)
            if self.condition(trial):
                high, found = middle, trial
            else:
                low = middle
        if found is not None:
            for name, value in vars(found).items():
                setattr(state, name, value)
        self.stopped = True
        return True


class _Condition:
    """A stop condition as a function of the state."""

    def __init__(self, system, text, expression, function):
        self.system, self.text, self.expression, self.function = system, text, expression, function

    @classmethod
    def of(cls, system, stop):
        if stop is None:
            return None
        if callable(stop):
            return cls(system, None, None, stop)
        space = system.space
        expression = Expression.parse(stop)
        states = [state for name in space.abstract for state in space[name].names]
        means = [f"mean_{name}" for name in space.names if name not in space.abstract]
        known = ["mass", *states, *means, *system.parameters]
        for name in expression.names:
            if name not in known:
                raise ParameterError(
                    f"stop={stop!r} names {name!r}{suggest(name, known)}; it may name t, {', '.join(known)}"
                )
        if not expression.is_condition:
            raise ParameterError(f"stop={stop!r} is neither true nor false; write a comparison, such as 'mass > 100'")
        return cls(system, stop, expression, None)

    def __call__(self, state):
        density = AugmentedDensity(self.system, state.p.reshape(self.system.space.shape).copy())
        if self.function is not None:
            return bool(self.function(state.time, density))
        values = {"t": state.time}
        scale = np.exp(min(state.log_scale, 700.0))
        for name in self.expression.names:
            if name == "mass":
                values[name] = density.mass() * scale
            elif name.startswith("mean_") and name[5:] in self.system.space.axes:
                values[name] = density.mean(name[5:])
            elif name in self.system.parameters:
                values[name] = self.system.parameters[name]
            else:
                axis = next(a for a in self.system.space.abstract if name in self.system.space[a].names)
                values[name] = density.mass(**{axis: name}) * scale
        return bool(self.expression.evaluate(values))


def _check_times(t, t0):
    times = np.atleast_1d(np.array(t, dtype=float))
    if times.ndim != 1 or not len(times) or not np.all(np.isfinite(times)):
        raise ParameterError(f"t is a finite number, or a sequence of them; {t!r} came")
    if times[0] < t0 or np.any(np.diff(times) <= 0):
        raise ParameterError(f"times increase and start at t0={t0:g} or later; {t!r} came")
    return times


def _time_comparisons(expression):
    """Yield the comparisons of an expression that involve the time."""
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Compare) and any(
            isinstance(part, ast.Name) and part.id == "t" for part in ast.walk(node)
        ):
            yield node


def _varies(system):
    """Whether some rate varies in time otherwise than by jumps at known times."""
    if not system.uses_time:
        return False
    return any(
        expression.uses_time and not _is_piecewise_constant(expression, system.parameters)
        for expression in system.expressions
    )


def _is_piecewise_constant(expression, parameters):
    inside = {id(part) for node in _time_comparisons(expression) for part in ast.walk(node)}
    outside = any(
        isinstance(node, ast.Name) and node.id == "t" and id(node) not in inside for node in ast.walk(expression.tree)
    )
    return not outside and all(
        _crossing(node, parameters, expression) is not None for node in _time_comparisons(expression)
    )


def _crossing(node, parameters, expression):
    """Return when a comparison that is linear in the time changes, or None where that is not known."""
    tree = ast.BinOp(node.left, ast.Sub(), node.comparators[0])
    difference = Expression(ast.unparse(tree), tree, expression.functions)
    if any(name not in parameters for name in difference.names):
        return None
    values = {name: parameters[name] for name in difference.names}
    f0, f1, f3 = (float(difference.evaluate({**values, "t": t})) for t in (0.0, 1.0, 3.0))
    slope = f1 - f0
    if slope == 0 or not abs(f3 - f0 - 3 * slope) <= 1e-9 * (abs(f0) + abs(slope)):
        return None
    return -f0 / slope


def _find_breaks(system, low, high, given):
    found = [float(b) for b in given]
    for expression in system.expressions:
        for node in _time_comparisons(expression):
            at = _crossing(node, system.parameters, expression)
            if at is not None:
                found.append(at)
    return sorted({b for b in found if low < b < high})

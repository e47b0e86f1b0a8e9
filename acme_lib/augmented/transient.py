"""The solution of an augmented master equation in time."""

import functools

import numpy as np

from acme_lib.augmented.breaks import find_breaks
from acme_lib.augmented.solution import AugmentedDensity, AugmentedSolution
from acme_lib.augmented.steppers import choose_stepper
from acme_lib.augmented.stop_condition import StopCondition
from acme_lib.augmented.system import AugmentedSystem
from acme_lib.augmented.truncation import judge_leak
from acme_lib.checks import check_number, check_times, expected, renamed
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.progress import ProgressBar

_LOOK = "{l_bar}{bar}| t: {n:.3g}/{total:.3g} [{elapsed}<{remaining}]"  # of the progress bar
_SMALLEST_STEP = 2.0**-40  # of the interval between two saved times
_LEAST_SHARE = 0.01  # of the tolerance that any step may use
_UNDERSHOOT = 0.05  # of the mass: schemes of high order leave values below zero
_ROUNDING = 1e-13  # of the mass: no difference between steps below it means anything


def _starts_at_zero(function):
    """Refuse a start at another time, which was possible before, and say what to write; a decorator."""

    @functools.wraps(function)
    def checked(*arguments, **options):
        if "t0" in options:
            raise ParameterError(
                f"{function.__name__} starts at time 0 and takes no t0: give the times since the start, and write "
                f"t + {options['t0']!r} for t in rates that depend on the time"
            )
        return function(*arguments, **options)

    return checked


@_starts_at_zero
@renamed(start="p0")
def solve_augmented(
    system,
    p0,
    t,
    *,
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
    p0 : ndarray of the space's shape, or AugmentedSolution
        A density (``space.density(…)``) at time 0, or a solution, which is resumed at its last time.
    t : float or array_like
        Times from 0 on at which the density is saved, increasing; the result holds exactly these.
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
        raise expected("system", "an AugmentedSystem from build_augmented", system)
    times = check_times(t)
    state = _State.resume(system, p0)
    if times[0] < state.time:
        raise expected("t", f"{state.time:g} or later, where the solution that is resumed ends", t)
    check_number("tolerance", tolerance, above=0, below=1)
    stepper = choose_stepper(system, method, step, poles)
    condition = StopCondition.of(system, stop)
    options = {"method": method, "tolerance": tolerance, "step": step, "poles": poles}
    options |= {"normalise": normalise, "breaks": tuple(breaks)}
    given = None if isinstance(p0, AugmentedSolution) else state.p.reshape(system.space.shape).copy()
    if normalise and any(process.is_source for process in system.processes):
        raise ParameterError("with an Influx the equation has a scale of its own: leave normalise out")
    before = state.weight(system) * np.exp(min(state.log_scale, 700.0))
    run = _Run(system, stepper, tolerance, times[-1] - state.time, condition, normalise)
    jumps = find_breaks(system, state.time, times[-1], breaks)
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
        p0=given,
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
    def resume(cls, system, p0):
        if isinstance(p0, AugmentedSolution):
            if p0.space.shape != system.space.shape:
                raise StateSpaceError(
                    f"the solution to resume has the shape {p0.space.shape} and the space {system.space.shape}"
                )
            s = p0
            last = s.p[-1].ravel().copy(), float(s.times[-1]), float(s.log_scale[-1]), float(s.leaked[-1])
            return cls(*last, float(s.gained[-1]), float(s.time_error[-1]))
        p = np.array(p0.p if isinstance(p0, AugmentedDensity) else p0, dtype=float)
        if p.shape != system.space.shape:
            raise StateSpaceError(
                f"the density has the shape {p.shape} and the space {system.space.shape} "
                f"({', '.join(system.space.names)}): make it with space.density(…)"
            )
        if not np.all(np.isfinite(p)):
            raise StateSpaceError("the density to start from is not finite everywhere")
        below, above = -p[p < 0].sum() * system.space.volume, p[p > 0].sum() * system.space.volume
        if below > _UNDERSHOOT * above:
            raise StateSpaceError(
                f"the start density is below zero, with a mass of {below:.3g} there and {above:.3g} above: "
                "a density is zero or more"
            )
        if above == 0 and not any(process.is_source for process in system.processes):
            raise StateSpaceError(
                "the start density is zero everywhere, and no process brings anything: make one with space.density(…)"
            )
        return cls(p.ravel(), 0.0)


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

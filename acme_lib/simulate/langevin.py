"""The chemical Langevin equation."""

from dataclasses import replace

import numpy as np
from numba import njit

from acme_lib.checks import check_choice, check_number, renamed
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.network.expression import MAX_STACK
from acme_lib.network.rates import mass_action, special_propensity, with_row
from acme_lib.network.status import BAD_PROPENSITY, BELOW_ZERO, DONE, STOPPED
from acme_lib.random_stream import next_normal, start_stream
from acme_lib.simulate.rate_equations import rate_jacobian, solve_rate_equations
from acme_lib.simulate.run import run_task
from acme_lib.simulate.steps import change_state, must_stop
from acme_lib.simulate.task import Part, make_task

_BOUNDARIES = ("reflect", "clip", "raise")
_SCHEMES = ("euler-maruyama", "weak-trapezoidal")
_REFLECT, _CLIP, _RAISE = range(3)
_SHARE = 0.05  # of the shortest time scale: the step where the caller gives none
_MOST_STEPS = 2**53  # that a float counts exactly
_CHECK_EVERY = 1024  # steps between two looks at the stop flag


@renamed(at_zero="boundary")
def simulate_langevin(
    network,
    x0,
    t,
    *,
    boundary,
    dt=None,
    scheme="euler-maruyama",
    size=1,
    rng,
    parameters=None,
    keep="counts",
    threads=None,
    client=None,
    progress=None,
):
    r"""Simulate an ensemble of the chemical Langevin equation [1]_.

    .. math:: dX = \sum_j \nu_j\, a_j(X, t)\,dt + \sum_j \nu_j \sqrt{a_j(X, t)}\,dW_j.

    The state is real, not whole, and every reaction has a noise of its own. For linear propensities the mean and the
    covariance are those of the exact process; higher moments, and everything where counts are small, are not. The cost
    does not depend on how many molecules there are.

    The equation has no meaning of its own beyond zero, where a square root would turn imaginary; a numerical step gets
    there all the same. What happens then is yours to choose:

    - ``boundary="reflect"``: a count x < 0 becomes -x. The density near zero keeps a smooth shape and the noise stays
      alive, but molecules are made: the mean is too high, by the most where many trajectories are near zero.
    - ``boundary="clip"``: a count x < 0 becomes 0. Fewer molecules are made than by reflection, and the mean is less
      biased, still upwards; in exchange a lump of probability sits at 0.
    - ``boundary="raise"``: an error stops the run. No bias at all, but a run that ends has shown only that zero was not
      reached. For results that are to be trusted as a diffusion.

    Propensities that are negative between whole counts (n(n-1)/2 below 1) are taken as 0.

    Use when all counts stay large (hundreds) and many events make exact simulation dear, or to see what a diffusion
    approximation leaves out. `simulate_tau_leap` keeps counts whole at a similar cost.

    Parameters
    ----------
    network, x0, t, size, rng, parameters, keep, threads, client, progress
        As in `simulate_ssa`. Rates may depend on the time.
    boundary : {"reflect", "clip", "raise"}
        See above; there is no default, because each answer is wrong somewhere.
    dt : float, optional
        The longest step; steps are shortened to end at the times recorded. Default: 1/20 of the shortest time scale
        :math:`1/\rho`, where :math:`\rho` is the largest spectral radius of the Jacobian of the rate equations along
        their solution at time 0 and the times `t` (for the network's own parameters and the first start state).
    scheme : {"euler-maruyama", "weak-trapezoidal"}
        Moments are wrong by a multiple of dt, or of dt² at twice the cost [2]_.

    Returns
    -------
    Ensemble or EnsembleSummary
        ``ensemble.counts`` are floats; ``ensemble.events`` are 0, and ``ensemble.extra["steps"]``, shape (trajectory,),
        are the steps.

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type.
    PropensityError
        If a propensity is not finite, or a count falls below zero and ``boundary="raise"``.

    References
    ----------
    .. [1] D. T. Gillespie, J. Chem. Phys. 113, 297 (2000). doi:10.1063/1.481811
    .. [2] D. F. Anderson, J. C. Mattingly, Commun. Math. Sci. 9, 301 (2011). doi:10.4310/CMS.2011.v9.n1.a15

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=1000, g=1)
    >>> rng = np.random.default_rng(1)
    >>> ensemble = acme.simulate_langevin(network, {"M": 1000}, 10, boundary="raise", size=500, rng=rng)
    >>> bool(abs(ensemble["M"][:, -1].mean() - 1000) < 10)
    True
    """
    check_choice("boundary", boundary, _BOUNDARIES)
    check_choice("scheme", scheme, _SCHEMES)
    if dt is not None:
        dt = check_number("dt", dt, above=0)
    options = {"boundary": _BOUNDARIES.index(boundary), "trapezoidal": scheme == "weak-trapezoidal"}
    network.refuse_events("simulate_langevin")
    task = make_task(_run_range, network, x0, t, size=size, rng=rng, parameters=parameters, **options)
    longest = _suggest_step(task) if dt is None else dt
    spans = np.diff(task.times, prepend=0.0)
    with np.errstate(over="ignore"):
        steps = np.ceil(spans / longest * (1 - 1e-12))
    if not steps.sum() <= _MOST_STEPS:
        source = "the shortest time scale of the rate equations asks for" if dt is None else "dt is"
        raise ParameterError(
            f"{source} a step of {longest:g}, and t={task.times[-1]:g} is {steps.sum():g} of them, more than can be "
            f"counted ({_MOST_STEPS:.0e}); give a longer dt"
        )
    steps = np.where(spans > 0.0, np.maximum(steps, 1), 0).astype(np.int64)
    task = replace(task, options={**options, "steps": steps})
    return run_task(task, keep=keep, threads=threads, client=client, progress=progress)


def _suggest_step(task):
    """Return a share of the shortest time scale of the rate equations, by the rule in `simulate_langevin`."""
    times = np.unique([0.0, *task.times])
    solution = solve_rate_equations(task.network, task.starts[0], times, tolerance=1e-4)
    jacobians = [rate_jacobian(task.network, x, now) for now, x in zip(times, solution.amounts, strict=True)]
    if not np.all(np.isfinite(jacobians)):
        raise ParameterError(
            "the rates have no finite slope along the rate equations, so that no step follows; give dt"
        )
    radius = np.abs(np.linalg.eigvals(jacobians)).max()
    return _SHARE / radius if radius > 0.0 else np.inf


def _run_range(task, low, high, stop):
    counts = np.empty((high - low, len(task.times), len(task.network.species)))
    steps, boundary, trapezoidal = task.options["steps"], task.options["boundary"], task.options["trapezoidal"]
    outcome = _langevin(low, *task.arguments_of(low, high), steps.copy(), boundary, trapezoidal, counts, stop)
    status, trajectory, _, now, x = outcome
    if status == BELOW_ZERO:
        at = ", ".join(f"{name}={n:g}" for name, n in zip(task.network.species, x, strict=False))
        raise PropensityError(
            f'trajectory {trajectory} fell below zero at t={now:g}: {at}; with boundary="raise" that is an error: '
            'choose "reflect" or "clip" and read about their bias, or simulate with simulate_ssa'
        )
    task.check(outcome)
    taken = np.full(high - low, steps.sum())
    return Part(low, high, counts, np.zeros(high - low, dtype=np.int64), {"steps": taken})


@njit(cache=True, nogil=True, error_model="numpy")
def _langevin(low, starts, times, table, scale_rows, value_rows, key, steps, boundary, trapezoidal, counts, stop):
    """Simulate the trajectories low, low + 1, … into `counts`; returns an outcome, see `Task.check`."""
    special = table.special
    n_reactions = special.shape[0]
    n_species = starts.shape[1]
    n_stages = 2 if trapezoidal else 1
    x = np.ones(n_species + 1)
    a = np.empty(n_reactions)
    stack = np.empty(MAX_STACK)
    taken = 0
    for row in range(counts.shape[0]):
        trajectory = low + row
        stream = start_stream(key, trajectory)
        for i in range(n_species):
            x[i] = starts[row, i]
        if row == 0 or scale_rows.shape[0] > 1:
            rates = with_row(table, scale_rows[row], value_rows[row])
        for k in range(steps.shape[0]):
            start = times[k - 1] if k > 0 else 0.0
            h = (times[k] - start) / (steps[k] * n_stages)
            for stage in range(steps[k] * n_stages):
                now = start + stage * h
                for j in range(n_reactions):
                    value = special_propensity(j, x, now, rates, stack) if special[j] else mass_action(j, x, rates)
                    if not abs(value) < np.inf:
                        return BAD_PROPENSITY, trajectory, j, value, x
                    # the second stage of the weak trapezoidal scheme goes on with twice the new less the old
                    a[j] = max(value, 0.0) if stage % n_stages == 0 else 2.0 * max(value, 0.0) - a[j]
                for j in range(n_reactions):
                    extent = a[j] * h
                    if extent > 0.0:  # a negative one, of a second stage, drifts back without noise
                        noise, stream = next_normal(stream)
                        extent += np.sqrt(extent) * noise
                    change_state(j, extent, x, rates)
                if _stay_above(x, n_species, boundary):
                    return BELOW_ZERO, trajectory, 0, now, x
                taken += 1
                if taken % _CHECK_EVERY == 0 and must_stop(stop, row, taken, now, times[-1]):
                    return STOPPED, trajectory, 0, now, x
            for i in range(n_species):
                counts[row, k, i] = x[i]
    return DONE, 0, 0, 0.0, x


@njit(cache=True, nogil=True)
def _stay_above(x, n_species, boundary):
    """Correct counts below zero by the rule `boundary`; returns whether one is left."""
    for i in range(n_species):
        if x[i] < 0.0:
            if boundary == _RAISE:
                return True
            x[i] = -x[i] if boundary == _REFLECT else 0.0
    return False

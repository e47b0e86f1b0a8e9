"""The rate equations: what the mean would do if there were no fluctuations."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_choice, check_number, check_times, expected, renamed
from acme_lib.errors import AcmeError, ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import MAX_STACK, suggest
from acme_lib.network.rates import propensity, run_program
from acme_lib.simulate.storage import Result, to_dataset, to_table

_METHODS = ("LSODA", "BDF", "Radau", "RK45", "DOP853")
_IMPLICIT = ("LSODA", "BDF", "Radau")
_STALL_AFTER, _STALL = 2000, 1e-12  # evaluations that get on less than this share of the time: a blow-up
_STEP = np.finfo(float).eps ** (1 / 3)  # of central differences, relative


@dataclass(frozen=True)
class RateEquationSolution(Result):
    """A solution of the rate equations.

    Attributes
    ----------
    times : ndarray, shape (time,)
    amounts : ndarray, shape (time, species)
        Molecules, as real numbers. Read-only.
    network : ReactionNetwork
    evaluations : int
        Of the right-hand side.
    start : ndarray, shape (species,)
        The amounts at time 0.

    Examples
    --------
    ``solution["P"]`` is the amount of protein, shape (time,).
    """

    times: np.ndarray
    amounts: np.ndarray = field(repr=False)
    network: ReactionNetwork = field(repr=False)
    evaluations: int
    start: np.ndarray = field(default=None, repr=False)

    def __post_init__(self):
        if self.start is None:  # in files of an older version: the first row was the start
            object.__setattr__(self, "start", self.amounts[0].copy())
        freeze_fields(self)

    @property
    def species(self):
        """Names of the species, in the order of the last axis of `amounts`."""
        return self.network.species

    def __getitem__(self, name):
        if name in self.network.observables:
            return self.network.observable(name, self.amounts, self.times)
        if name not in self.species:
            known = [*self.species, *self.network.observables]
            raise ParameterError(
                f"{name!r} is not a species of this solution{suggest(str(name), known)}: {', '.join(known)}"
            )
        return self.amounts[:, self.species.index(name)]

    def to_pandas(self):
        """Return a `pandas.DataFrame`: a row for each time, a column for each species and observable."""
        return to_table({name: self[name] for name in self._names()}, {"time": self.times})

    def to_xarray(self):
        """Return an `xarray.Dataset`: a variable for each species and observable, over time."""
        return to_dataset({n: ("time", self[n]) for n in self._names()}, {"time": self.times}, network=self.network)

    def _names(self):
        return [*self.species, *self.network.observables]


@renamed(rtol="tolerance", atol="tolerance")
def solve_rate_equations(network, x0, t, *, discrete=False, tolerance=1e-8, method="LSODA", max_step=np.inf):
    r"""Solve the deterministic rate equations.

    .. math:: \frac{d\varphi}{dt} = \sum_j \nu_j\, a_j(\varphi, t).

    For linear propensities :math:`\varphi` is the mean of the stochastic process; else it is the limit of large
    systems, and the difference is an effect of noise. Mass action is taken in its macroscopic form by default,

    .. math:: a_j(\varphi) = c_j \prod_i \frac{\varphi_i^{\nu_{ij}}}{\nu_{ij}!},

    so that ``2 P -> D : c`` goes at :math:`c\,\varphi^2/2`, with the same :math:`c` as in a simulation. Rates given
    with ``=>`` are taken as they stand, also where they depend on the time.

    Use when counts are large, for a first look at a network, and beside a simulation to see what noise changes.

    Parameters
    ----------
    network : ReactionNetwork
    x0 : mapping of str to float or array_like, shape (species,)
        Start amounts, zero or more, not necessarily whole; species left out of a mapping start at 0.
    t : array_like, shape (time,)
        Times of the solution, increasing; a number is one time. It starts at time 0, which is among the results where
        `t` lists it.
    discrete : bool
        Evaluate mass action with :math:`\binom{\varphi_i}{\nu_{ij}}` instead, as the propensities of a simulation do:
        :math:`c\,\varphi(\varphi-1)/2`. The two differ where counts are small.
    tolerance : float
        Of the integrator's local error: relative, and in molecules.
    method : {"LSODA", "BDF", "Radau", "RK45", "DOP853"}
        Of `scipy.integrate.solve_ivp`; LSODA turns to a stiff method by itself [1]_.
    max_step : float
        The longest step; give it where a rate changes suddenly at a time, such as a pulse that would be stepped over.

    Returns
    -------
    RateEquationSolution
        ``solution.amounts[time, species]``; ``solution["P"]`` by name.

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or type.
    PropensityError
        If a reaction takes what is not there, so that an amount falls below zero.
    AcmeError
        If the solution cannot be continued to the last time, for instance because it grows without bound.

    References
    ----------
    .. [1] L. R. Petzold, SIAM J. Sci. Stat. Comput. 4, 136 (1983). doi:10.1137/0904010

    Examples
    --------
    >>> import acme_lib as acme
    >>> network = acme.ReactionNetwork.parse("2 P -> 0 : c", c=2.0)
    >>> solution = acme.solve_rate_equations(network, {"P": 10}, [0, 1])  # 1/(1/10 + c t)
    >>> print(f"{solution['P'][-1]:.6f}")
    0.476190
    """
    from scipy.integrate import solve_ivp

    if not isinstance(network, ReactionNetwork):
        raise expected("network", "a ReactionNetwork", network, "see ReactionNetwork.parse")
    check_choice("method", method, _METHODS)
    check_number("tolerance", tolerance, above=0)
    times = check_times(t)
    network.refuse_events("solve_rate_equations")
    start = _check_amounts(network, x0)
    changes = network.stoichiometry.T.astype(float)

    evaluations, passed = 0, 0.0

    def velocity(now, x):
        nonlocal evaluations, passed
        evaluations += 1
        if evaluations % _STALL_AFTER == 0:  # near a time of blow-up LSODA would go on in ever smaller steps
            if now - passed <= _STALL * times[-1]:
                raise _Stalled(now)
            passed = now
        return changes @ real_propensities(network, x, now, discrete)

    def jacobian(now, x):
        return rate_jacobian(network, x, now, discrete)

    if times[-1] == 0.0:
        return RateEquationSolution(times, start[None, :].copy(), network, 0, start)
    options = {"rtol": tolerance, "atol": tolerance, "max_step": max_step}
    if method in _IMPLICIT:
        options["jac"] = jacobian
    message, last = "its values are not finite", times[-1]
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # what goes wrong is raised below
        warnings.simplefilter("ignore")
        try:
            found = solve_ivp(velocity, (0.0, times[-1]), start, method, times, **options)
            amounts = found.y.T.copy()
            if not found.success:
                message, last = found.message, found.t[-1] if len(found.t) else 0.0
        except _Stalled as stalled:
            amounts, message, last = np.full(1, np.inf), "its steps shrink to nothing", stalled.args[0]
    if len(amounts) < len(times) or not np.all(np.isfinite(amounts)):
        raise AcmeError(
            f"the rate equations could not be solved beyond about t={last:g} ({message}); does the network grow "
            "without bound, or does a rate divide by zero?"
        )
    _refuse_below_zero(network, times, amounts, discrete, 1e3 * tolerance * max(1.0, amounts.max()))
    return RateEquationSolution(times, amounts, network, evaluations, start)


def _refuse_below_zero(network, times, amounts, discrete, slack):
    """Refuse amounts below zero where a reaction takes what is not there, as the simulators of counts do."""
    for k, i in np.argwhere(amounts < -slack)[:1]:
        x = np.maximum(amounts[k], 0.0)
        taking = (network.stoichiometry[:, i] < 0) & (real_propensities(network, x, times[k], discrete) > 0.0)
        for j in np.flatnonzero(taking)[:1]:
            raise network.shortage_error(j, x)


class _Stalled(Exception):
    """The integrator does not get on."""


def real_propensities(network, x, t, discrete):
    """Return the propensities at real amounts, shape (reaction,); see `solve_rate_equations`."""
    a = np.empty(len(network.reactions))
    _propensities_at(np.append(np.asarray(x, dtype=float), 1.0), float(t), discrete, network.rate_table, a)
    return a


def rate_jacobian(network, x, t, discrete=False):
    """Return the Jacobian of the rate equations by differences, shape (species, species).

    Mass action up to second order is a quadratic function, of which central differences are exact but for rounding.
    """
    x = np.asarray(x, dtype=float)
    columns = np.empty((len(x), len(x)))
    for i in range(len(x)):
        step = _STEP * max(1.0, abs(x[i]))
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] = max(x[i] - step, min(x[i], 0.0))  # rates need not be defined below zero
        with np.errstate(invalid="ignore"):  # where rates are not finite, their slopes are not either
            difference = real_propensities(network, up, t, discrete) - real_propensities(network, down, t, discrete)
            columns[:, i] = network.stoichiometry.T @ (difference / (up[i] - down[i]))
    return columns


@njit(cache=True, nogil=True, error_model="numpy")
def _propensities_at(x, t, discrete, table, out):
    """Fill `out` with the propensities at real amounts `x`, which holds 1 behind them."""
    reactant_start, reactant_species, reactant_count = (
        table.reactant_start,
        table.reactant_species,
        table.reactant_count,
    )
    start, codes, operands, parameters = table.program_start, table.codes, table.operands, table.parameters
    stack = np.empty(MAX_STACK)
    for j in range(out.shape[0]):
        if discrete:
            out[j] = propensity(j, x, t, table, stack)
            continue
        a = table.scale[j] * (1.0 + table.shift[j])  # the table counts a pair once already: see RateTable
        for i in range(reactant_start[j], reactant_start[j + 1]):
            for k in range(reactant_count[i]):
                a *= x[reactant_species[i]] / (k + 1.0)
        if start[j] != start[j + 1]:
            a *= run_program(codes, operands, start[j], start[j + 1], x, parameters, t, stack)
        out[j] = a


def _check_amounts(network, x0):
    """Return start amounts as floats, in the order of the network's species."""
    if isinstance(x0, Mapping):
        network.state(dict.fromkeys(x0, 0))  # refuses unknown names
        x0 = [x0.get(name, 0.0) for name in network.species]
    try:
        amounts = np.array(x0, dtype=float)
    except (TypeError, ValueError):
        raise expected("x0", "one amount a species", x0) from None
    if amounts.shape != (len(network.species),):
        known = ", ".join(network.species)
        raise ParameterError(f"x0 has shape {amounts.shape}; the network has {len(network.species)} species ({known})")
    if not np.all(np.isfinite(amounts)) or np.any(amounts < 0):
        raise expected("x0", "finite amounts of at least 0", x0)
    return amounts

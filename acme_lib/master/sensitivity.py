"""How laws change with parameters."""

from dataclasses import dataclass

import numpy as np
import sympy
from scipy import sparse

from acme_lib.arrays import freeze_fields
from acme_lib.checks import check_number, check_times
from acme_lib.errors import EquationError, ParameterError
from acme_lib.master.generator import check_generator
from acme_lib.master.relaxation import Complement
from acme_lib.master.state_space import StateSpace
from acme_lib.master.transient import check_start
from acme_lib.master.uniformisation import Operator, propagate
from acme_lib.network.expression import suggest
from acme_lib.network.symbolic import numeric, propensity_expressions, symbol
from acme_lib.progress import ProgressBar

_DIFFERENCE = 1e-5  # relative change of a parameter, where a derivative has no value in a state


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Derivatives of a law by one parameter.

    Attributes
    ----------
    space : StateSpace
    parameter : str
    p, dp : ndarray, shape (n_states,) or (n_times, n_states)
        The law and its derivative.
    error : float
        Of the largest event's derivative: the residual of a stationary one; what a transient one has cut. What a
        boundary changes is not in it.
    """

    space: StateSpace
    parameter: str
    p: np.ndarray
    dp: np.ndarray
    error: float

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)

    def expectation(self, expression):
        """Return the derivative of the mean of an expression of counts, such as ``"M*P"`` (for one with unit mass)."""
        values = self.dp @ self.space.evaluate(expression)
        return float(values) if values.ndim == 0 else values

    def mean(self, name):
        """Return the derivative of the mean count of a species."""
        self.space.axis(name)
        return self.expectation(name)

    def variance(self, name):
        """Return the derivative of the variance of the count of a species."""
        mean = self.p @ self.space.evaluate(name)
        values = self.expectation(f"{name}**2") - 2 * mean * self.mean(name)
        return float(values) if np.ndim(values) == 0 else values

    def probability(self, condition):
        """Return the derivative of the probability of the states in which a condition holds."""
        values = self.dp[..., self.space.mask(condition)].sum(axis=-1)
        return float(values) if values.ndim == 0 else values


def differentiate_generator(generator, parameter):
    """Return the derivative of a generator's matrix by a given parameter, and of its outflow.

    Parameters
    ----------
    generator : Generator
        From `build_generator`.
    parameter : str
        A given parameter; those that the text defines follow it.

    Returns
    -------
    matrix : scipy.sparse.csc_array, shape (n_states, n_states)
    outflow : ndarray, shape (n_states,)

    Raises
    ------
    ParameterError
        If the network has no such parameter.
    EquationError
        If a rate is a Python function, which has no derivative that can be written.
    """
    network, space = generator.network, generator.space
    if network is None:
        raise ParameterError("sensitivities need a generator from build_generator: they differentiate its rates")
    if parameter not in network.given_parameters:
        raise ParameterError(
            f"{parameter!r} is no given parameter{suggest(str(parameter), network.given_parameters)}; "
            f"there are {', '.join(network.given_parameters) or 'none'}"
        )
    n = len(space)
    rates = _differentiated_rates(network, parameter, space.states, 0.0 if generator.t is None else generator.t)
    rows, columns, data, outflow = [], [], [], np.zeros(n)
    for change, rate in zip(network.stoichiometry, rates, strict=True):
        from_ = np.flatnonzero(rate)
        to = space.locate(space.states[from_] + change)
        inside = to >= 0
        outflow[from_[~inside]] += rate[from_[~inside]]
        stays = from_ if generator.boundary == "absorbing" else from_[inside]
        rows += [to[inside], stays]
        columns += [from_[inside], stays]
        data += [rate[from_[inside]], -rate[stays]]
    entries = np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csc_array(entries, shape=(n, n)), outflow


def _differentiated_rates(network, parameter, states, t):
    """Return the derivatives of the propensities, shape (reaction, state)."""
    swap = {symbol(d.name): d.value.sympy() for d in reversed(network.definitions) if d.name in network.parameters}
    expressions = []
    for reaction, a in zip(network.reactions, propensity_expressions(network, "discrete"), strict=True):
        if reaction.rate.functions:
            raise EquationError(
                f"line {reaction.line}, {reaction.text!r}: a Python function has no derivative that can be written; "
                "write the rate as an expression"
            )
        for _ in range(len(swap)):  # a definition may name others
            a = a.xreplace(swap)
        expressions.append(sympy.diff(a, symbol(parameter)).replace(sympy.Derivative, lambda *_: sympy.Integer(0)))
    x = [symbol(name) for name in network.species]
    rates = np.array(numeric(network, x, expressions)(states.T, t, network.parameters))
    bad = ~np.isfinite(rates)  # such as 0**n · log(0), by the Hill coefficient n
    if bad.any():
        value = network.parameters[parameter]
        step = _DIFFERENCE * (abs(value) or 1.0)
        at = np.flatnonzero(bad.any(axis=0))
        up, down = (
            network.with_parameters(**{parameter: value + s * step}).propensities(states[at], t).T for s in (1, -1)
        )
        difference = (up - down) / (2 * step)
        rates[:, at] = np.where(bad[:, at], difference, rates[:, at])
    return rates


def find_stationary_sensitivity(law, parameter):
    r"""Find the derivative of a stationary law by a parameter.

    .. math:: A\,\partial_\theta p = -(\partial_\theta A)\,p, \qquad \sum_i \partial_\theta p_i = 0

    Parameters
    ----------
    law : StationaryDistribution
        From `solve_stationary`, with the generator from `build_generator`.
    parameter : str

    Returns
    -------
    Sensitivity

    Raises
    ------
    ParameterError, EquationError
        If the parameter is none, or a rate has no derivative.

    Notes
    -----
    Use when: it is asked which parameter a measurement determines, or an optimum is sought by slopes.

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator, solve_stationary
    >>> network = ReactionNetwork.parse("0 <-> M : k, g", k=10, g=2)
    >>> law = solve_stationary(build_generator(network, StateSpace.box(network, M=60), boundary="reflecting"))
    >>> change = find_stationary_sensitivity(law, "g")
    >>> round(change.mean("M"), 9), round(change.variance("M"), 9)  # -k/g²
    (-2.5, -2.5)
    """
    derivative, _ = differentiate_generator(law.generator, parameter)
    members = np.flatnonzero(law.p > 0)
    source = (derivative @ law.p)[members]
    inner = sparse.csc_array(law.generator.matrix[members][:, members])
    dp = np.zeros(len(law.p))
    error = 0.0
    if len(members) > 1:
        complement = Complement(inner, law.p[members])
        part = complement.solve(source)
        rest = inner @ part + source
        part = part + complement.solve(rest - law.p[members] * rest.sum())  # one refinement
        rest = inner @ part + source
        error = float(np.abs(rest).max() / max(np.abs(inner.diagonal() * part).max(), 1e-300))
        dp[members] = part
    return Sensitivity(law.space, parameter, law.p.copy(), dp, error)


def find_transient_sensitivity(generator, p0, t, parameter, *, tolerance=1e-8, progress=None):
    r"""Find the derivative of a law in time by a parameter.

    .. math:: \frac{d}{dt}\,\partial_\theta p = A\,\partial_\theta p + (\partial_\theta A)\,p

    The positive and the negative entries of :math:`\partial_\theta A` feed two vectors of their own, so that
    uniformisation never subtracts; their difference is the answer.

    Parameters
    ----------
    generator : Generator
        Of rates that do not vary in time.
    p0 : ndarray of shape (n_states,), or mapping of str to int
    t : float or array_like, shape (n_times,)
    parameter : str
    tolerance : float
        Of the derivatives, against their largest possible size, time times the largest derivative of a rate.
    progress : bool, optional

    Returns
    -------
    Sensitivity
        ``dp[time, state]``.

    Raises
    ------
    ParameterError, EquationError
        If times, the tolerance or the parameter do not fit, or a rate has no derivative.

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator
    >>> network = ReactionNetwork.parse("0 <-> M : k, g", k=10, g=1)
    >>> generator = build_generator(network, StateSpace.box(network, M=60), boundary="absorbing")
    >>> change = find_transient_sensitivity(generator, {"M": 0}, [0.5, 1.0], "k")
    >>> change.mean("M").round(6)  # (1 - exp(-t))/g
    array([0.393469, 0.632121])
    """
    times = check_times(t)
    check_number("tolerance", tolerance, above=0, below=1)
    check_generator(generator).refuse_time("find_transient_sensitivity")
    p = check_start(generator.space, p0)
    n = len(p)
    derivative, _ = differentiate_generator(generator, parameter)
    span = float(times[-1]) or 1.0
    columns = np.abs(derivative).sum(axis=0)
    scale = 1.0 / (span * float(columns.max())) if columns.max() > 0 else 1.0
    gain, loss = derivative.copy(), derivative.copy()
    gain.data, loss.data = scale * np.maximum(gain.data, 0.0), scale * np.maximum(-loss.data, 0.0)
    a = generator.matrix
    system = sparse.csc_array(sparse.block_array([[a, None, None], [gain, a, None], [loss, None, a]]))
    operator = Operator.of(system, np.zeros(3 * n), generator.space.shape)
    v = np.concatenate([p, np.zeros(2 * n)])
    law, change, cut, before = np.empty((len(times), n)), np.empty((len(times), n)), 0.0, 0.0
    with ProgressBar(progress, None, unit="product") as bar:
        for i, until in enumerate(times):
            result = propagate(operator, v, until - before, tolerance * (until - before) / span, bar.update)
            v, before, cut = result.p, until, cut + result.cut
            law[i], change[i] = v[:n], (v[n : 2 * n] - v[2 * n :]) / scale
    return Sensitivity(generator.space, parameter, law, change, 3 * cut / scale)

"""The solution of a master equation in time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from acme_lib.checks import check_choice, check_number, check_times
from acme_lib.cost import announce, factor_cost, memory_of_machine, product_cost
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.master.distribution import StateDistribution
from acme_lib.master.generator import check_generator
from acme_lib.master.krylov import ShiftInvert
from acme_lib.master.uniformisation import Operator, propagate
from acme_lib.master.varying_rates import TimeDependent
from acme_lib.progress import ProgressBar

METHODS = ("uniformisation", "krylov")

_ROUNDING = 1.2e-16
_KRYLOV_SOLVES = 60  # of one step, each about a tenth of the time of the factorisation
_PRODUCT_SECONDS = 4e-10  # an entry of the matrix, in the stencil


@dataclass(frozen=True, eq=False, repr=False)
class TransientDistribution(StateDistribution):
    """Probabilities over a state space at several times, with their error.

    Attributes
    ----------
    space : StateSpace
    p : ndarray, shape (n_times, n_states)
    times : ndarray, shape (n_times,)
    leaked : ndarray, shape (n_times,)
        The integral of ``outflow · p`` up to each time. With an absorbing boundary it is the probability that has left
        the space, 1 less the mass of `p`; with a reflecting one it is the expected number of reactions that the
        boundary has stopped.
    error_bound : ndarray, shape (n_times,)
        No event of the unbounded process has a probability that differs by more from its probability under `p`. With
        rates that vary in time, the part of it that comes from the steps is an estimate.
    steps : int
        Products of matrix and vector (uniformisation), or solutions with the factors (Krylov).
    method : str
    reason : str
        Why this method.
    """

    times: np.ndarray
    leaked: np.ndarray
    error_bound: np.ndarray
    steps: int
    method: str = "uniformisation"
    reason: str = ""


def solve_transient(generator, p0, t, *, tolerance=1e-10, method="auto", progress=None):
    r"""Solve :math:`dp/dt = A p` from :math:`p(0) = p_0`.

    Parameters
    ----------
    generator : Generator
        If rates of its network vary in time, they do so in the solution, which starts at time 0: nothing is frozen.
    p0 : ndarray of shape (n_states,), or mapping of str to int
        A probability vector (``space.point(M=3)``), or the counts of a start state; species left out are 0.
    t : float or array_like, shape (n_times,)
        Times, increasing, not negative, in the units of the rates.
    tolerance : float
        Probability that the numerical method may lose or misplace, over all times together.
    method : {"auto", "uniformisation", "krylov"}
        See the notes; the result says which and why.
    progress : bool, optional
        A progress bar; by default one appears when the work takes more than five seconds.

    Returns
    -------
    TransientDistribution
        ``p[time, state]``, also where `t` is one number.

    Raises
    ------
    ParameterError
        If times, the tolerance or the method do not fit.
    StateSpaceError
        If `p0` is no probability vector on the space.

    Notes
    -----
    **Uniformisation** [1]_ [2]_: with :math:`\Lambda` above the rates of leaving and :math:`P = I + A/\Lambda`,

    .. math:: p(t) = \sum_{k \ge 0} e^{-\Lambda t} \frac{(\Lambda t)^k}{k!} P^k p_0 .

    No entry of `P` is negative, so that nothing cancels and no probability turns negative. The work is about Λt
    products of matrix and vector, over the part of the states where the law is, with Λ of that part.

    **Krylov** (:math:`(I - \gamma A)^{-1}` and its powers [3]_): one sparse factorisation for each length of step and
    some tens of solutions, however fast the fastest reactions are. Its error is bounded by the integral of the
    residual. It is chosen where Λt is so large that this is cheaper.

    **Rates in time**: steps of fourth order, their length controlled, that end where a rate jumps.

    What the boundary takes away, :math:`\int_0^t \text{outflow} \cdot p\, ds`, is summed in the same pass. Up to the
    first reaction that leaves the space, the true and the bounded process are one; hence it bounds the error of
    truncation (with an absorbing boundary it equals it [4]_).

    Use when: laws at given times are wanted with a certain error.

    References
    ----------
    .. [1] A. Jensen, Skand. Aktuarie.tidskr. 36, 87 (1953).
    .. [2] F. Didier, T. A. Henzinger, M. Mateescu, V. Wolf, IEEE HIBI 2009, 118. doi:10.1109/HiBi.2009.23
    .. [3] J. van den Eshof, M. Hochbruck, SIAM J. Sci. Comput. 27, 1438 (2006). doi:10.1137/040605461
    .. [4] B. Munsky, M. Khammash, J. Chem. Phys. 124, 044104 (2006). doi:10.1063/1.2145882

    Examples
    --------
    >>> from acme_lib.network import ReactionNetwork
    >>> from acme_lib.master import StateSpace, build_generator
    >>> network = ReactionNetwork.parse("0 <-> M : k, g", k=10, g=1)
    >>> generator = build_generator(network, StateSpace.box(network, M=60), boundary="absorbing")
    >>> law = solve_transient(generator, {"M": 0}, [0.5, 1.0])
    >>> law.mean("M").round(6)
    array([3.934693, 6.321206])
    """
    times = check_times(t)
    check_number("tolerance", tolerance, above=0, below=1)
    check_choice("method", method, ("auto", *METHODS))
    space = check_generator(generator).space
    v = check_start(space, p0)
    in_time = generator.network is not None and generator.network.uses_time
    if in_time and method == "krylov":
        raise ParameterError("the method 'krylov' needs rates that are constant in time; leave the method out")
    p = np.empty((len(times), len(space)))
    leaked, error = np.empty(len(times)), np.empty(len(times))
    lost, cut, steps, before = 0.0, 0.0, 0, 0.0
    span = float(times[-1]) or 1.0
    largest = float(-generator.matrix.diagonal().min())
    chosen, reason, advance = _prepare(generator, times, tolerance, method, in_time, span)
    with ProgressBar(progress, None, unit="product") as bar:
        for i, until in enumerate(times):
            share = tolerance * (until - before) / span
            result = advance(v, before, until, share, bar.update)
            if result is None:
                raise ParameterError(
                    f"the tolerance {tolerance:g} was not reached by method 'krylov', whose rounding is larger; "
                    "use method='uniformisation', or a larger tolerance"
                )
            # The diagonal is rounded: each state keeps or loses that much of its rate.
            rounding = _ROUNDING * largest * (until - before)
            lost, cut, steps = lost + result.exited, cut + result.cut + rounding, steps + result.steps
            v = p[i] = result.p
            leaked[i], error[i], before = lost, lost + cut, until
    return TransientDistribution(space, p, times, leaked, np.minimum(error, 1.0), steps, chosen, reason)


def _prepare(generator, times, tolerance, method, in_time, span):
    """Return the method, why, and the function that carries p from one time to the next."""
    n, entries = len(generator.space), generator.matrix.nnz
    if in_time:
        stepper = TimeDependent(generator, span, tolerance)
        announce(product_cost("one step in time", n, 3 * entries, 1000, 20), n)
        return (
            "uniformisation",
            f"rates vary in time: steps of fourth order, with {len(stepper.switches)} jumps of rates on the way",
            lambda p, a, b, share, step: stepper.propagate(p, a, b, step),
        )
    largest = float(-generator.matrix.diagonal().min())
    products = largest * times[-1]
    factor = factor_cost(n, len(generator.space.species))
    lengths = len(np.unique(np.round(np.diff(times, prepend=0.0) / span, 12)))
    seconds_u = products * entries * _PRODUCT_SECONDS
    seconds_k = factor.seconds * (lengths + len(times) * _KRYLOV_SOLVES / 10) + 0.3 * len(times)
    what = f"Λt = {products:.3g}"
    if method == "auto":
        fits = factor.memory < (memory_of_machine() or 8e9) / 3
        method = "krylov" if seconds_u > 3 * seconds_k and fits and tolerance >= 1e-11 else "uniformisation"
        other = "Krylov" if method == "uniformisation" else "uniformisation"
        pair = (seconds_u, seconds_k) if method == "uniformisation" else (seconds_k, seconds_u)
        what += f": about {pair[0]:.2g} s, against {pair[1]:.2g} s by {other}"
    else:
        what += ": asked for"
    if method == "krylov":
        announce(factor, n)
        solver = ShiftInvert(generator.matrix, generator.outflow)
        return method, what, lambda p, a, b, share, step: solver.propagate(p, b - a, share, step)
    announce(product_cost("uniformisation", n, entries, products / 2, 6 + len(times)), n)
    operator = Operator.of(generator.matrix, generator.outflow, generator.space.shape)
    return method, what, lambda p, a, b, share, step: propagate(operator, p, b - a, share, step)


def check_start(space, p0):
    """Return a start (counts by name, or a probability vector) as a probability vector of its own."""
    if isinstance(p0, Mapping):
        return space.point(p0)
    p = np.array(p0, dtype=float)
    if p.shape != (len(space),):
        raise StateSpaceError(
            f"p0 has shape {p.shape} and the space has {len(space)} states; give a probability for each, or the counts "
            f"of the start state by name: {{{space.species[0]!r}: 0}}"
        )
    if not np.all(p >= 0) or not abs(p.sum() - 1) < 1e-9:
        raise StateSpaceError(
            f"p0 is a probability vector: no entry negative, sum 1; its least entry is {p.min():g} and its sum "
            f"{p.sum():.12g}"
        )
    return p

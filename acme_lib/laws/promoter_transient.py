"""The law of mRNA in time, from a promoter with any number of states, by its generating function on a circle."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from acme_lib.arrays import freeze
from acme_lib.checks import check_not_negative, check_positive, check_whole, expected
from acme_lib.laws.count_law import CountLaw, check_top, state_cost
from acme_lib.laws.linear_birth_death import BirthDeathTransient, add_survivors
from acme_lib.laws.promoters import Promoter, promoter, transition_matrix


@dataclass(frozen=True, eq=False)
class PromoterTransient(CountLaw):
    """Law of mRNA at a time, rates in units of the mRNA's loss; probabilities are right to 1e-12, absolute.

    Attributes
    ----------
    stationary : Promoter
        Where it ends.
    start : ndarray, shape (state,)
        Probability of each state at time 0.
    n0 : int
        Molecules at time 0.
    t : float
        Time, in lifetimes of the mRNA.
    """

    stationary: Promoter
    start: np.ndarray
    n0: int
    t: float

    def log_table(self, last=0):
        """Return the log-probabilities of 0, 1, … (see `CountLaw`); those below the rounding error may be -inf."""
        most = self.stationary.s.max() * -np.expm1(-self.t)
        reach = most + 12.0 * np.sqrt(most) + 60.0
        check_top(max((self.n0 + reach) * 4.0 * len(self.start), last))
        size = 2 ** int(np.ceil(np.log2(reach + 2)))
        u = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size) - 1.0
        made = np.maximum(np.fft.irfft(self._carry(u) @ self.start, size)[: int(reach) + 1], 0.0)
        p = add_survivors(made, self.n0, self.t)
        with np.errstate(divide="ignore"):
            return np.log(np.append(p, np.zeros(max(last + 1 - len(p), 0))) / p.sum())

    def _carry(self, u):
        """Return the generating functions of what was made, from each state, at 1 + u: shape (point, state)."""
        q, s = self.stationary.switching, self.stationary.s
        values = np.ones((len(u), len(s)), dtype=complex)
        fastest, largest = q.sum(axis=1).max(), s.max()
        # What was made earlier is gone: from there on back the promoter alone matters.
        end = min(self.t, 45.0 + np.log1p(largest))
        steps = end * max(4.0, fastest) + largest
        each = 2e-8 * len(u) * (5 + 3 * len(s) ** 2)  # seconds
        state_cost(steps * each, f"some {steps:.2g} steps of a promoter at {len(u):,} points take")
        tau, generator = 0.0, q - np.diag(q.sum(axis=1))
        while tau < end:  # in parts, so that it can be interrupted
            tau = _carry(generator, s, tau, end, max(1, int(0.3 / each)), u, values)
        return values @ transition_matrix(q, self.t - end).T

    @cached_property
    def _cumulants(self):
        """The first three of L, the Poisson mean that the history leaves of what was made since the start.

        L is linear in s: its fluctuations are those for s less a constant, which is chosen so that their mean is 0.
        """
        since = min(self.t, 700.0)  # e^-700 of what came before is left
        start = self.start @ transition_matrix(self.stationary.switching, self.t - since)
        s = self.stationary.s
        mean = self._moments(s, start, since)[1]
        centre = mean / -np.expm1(-since) if since > 0 else 0.0
        _, shift, second, third = self._moments(s - centre, start, since)
        return float(mean), float(second - shift**2), float(third - 3.0 * shift * second + 2.0 * shift**3)

    def _moments(self, s, start, t):
        """E[L^k], k = 0 … 3, by d/dt f_k = (Q^T - k) f_k + k S f_{k-1} in doubled steps.

        The blocks that carry f_k to itself are e^-kt times probabilities: restored after each doubling, so that
        rounding does not add up over the events of a stiff promoter.
        """
        q, size = self.stationary.switching, len(s)
        fastest = q.sum(axis=1).max() + 3.0
        doublings = max(0, int(np.ceil(np.log2(max(fastest * t, 1.0)))))
        step = t / 2.0**doublings
        system = np.kron(np.eye(4), q.T - np.diag(q.sum(axis=1))) - np.kron(np.diag(np.arange(4.0)), np.eye(size))
        system += np.kron(np.diag(np.arange(1.0, 4.0), -1), np.diag(s))
        matrix = one = np.eye(4 * size)
        system = (system + fastest * one) * step
        for k in range(24, 0, -1):
            matrix = one + (system @ matrix) / k
        matrix *= np.exp(-fastest * step)
        for doubling in range(doublings + 1):
            if doubling > 0:
                matrix, step = matrix @ matrix, 2.0 * step
            block = matrix[:size, :size] / matrix[:size, :size].sum(axis=0)
            for k in range(4):
                matrix[k * size : (k + 1) * size, k * size : (k + 1) * size] = np.exp(-k * step) * block
        return (matrix[:, :size] @ start).reshape(4, size).sum(axis=1)

    @property
    def _survivors(self):
        return BirthDeathTransient(self.n0, self.t, 0.0)

    def mean(self):
        """Return the mean."""
        return self._survivors.mean() + self._cumulants[0]

    def var(self):
        """Return the variance."""
        return float(self._survivors.var() + self._cumulants[0] + self._cumulants[1])

    def third_cumulant(self):
        """Return the third central moment."""
        mean, variance, third = self._cumulants
        return float(self._survivors.third_cumulant() + third + 3.0 * variance + mean)


@njit(cache=True, nogil=True)
def _carry(generator, s, tau, end, most, u, values):
    """Carry `values` (point, state) from `tau` on by dv/dtau = (Q + S u e^-tau) v, in `most` steps at most.

    In a step from tau, with x = e^-tau and y = 1 - e^-delta, (1 - y) dv/dy = (Q + S u x (1 - y)) v has the series
    (k+1) c_{k+1} = k c_k + Q c_k + S u x (c_k - c_{k-1}). The time that is reached is returned.
    """
    size = len(s)
    fastest = 0.0
    for i in range(size):
        fastest = max(fastest, -generator[i, i])
    largest = s.max()
    before = np.empty(size, dtype=np.complex128)
    term = np.empty(size, dtype=np.complex128)
    following = np.empty(size, dtype=np.complex128)
    for _ in range(most):
        if tau >= end:
            break
        x = np.exp(-tau)
        y = min(0.25, 1.0 / (fastest + largest * x + 1e-300))
        delta = -np.log1p(-y)
        if tau + delta >= end:
            y = -np.expm1(-(end - tau))
            tau = end
        else:
            tau += delta
        for point in range(len(u)):
            for i in range(size):
                before[i] = 0.0
                term[i] = values[point, i]
            for k in range(40):
                least = 0.0
                for i in range(size):
                    total = k * term[i] + s[i] * x * u[point] * (term[i] - y * before[i])
                    for j in range(size):
                        total += generator[i, j] * term[j]
                    following[i] = total * y / (k + 1.0)
                    least = max(least, abs(following[i]))
                for i in range(size):
                    before[i] = term[i]
                    term[i] = following[i]
                    values[point, i] += term[i]
                if least < 1e-18:
                    break
    return tau


def promoter_transient(rates, s, g, t, *, start, n0=0):
    r"""Return the law of mRNA at time `t` from a promoter with any number of states.

    With :math:`v_i` the generating function at the end, started in state i without molecules,

    .. math::

        \frac{dv}{d\tau} = \left(Q + S\,(z - 1)\,e^{-g\tau}\right) v, \qquad
        G(z, t) = p_0 \cdot v(t)\, \left(1 + (z - 1) e^{-gt}\right)^{n_0},

    solved by power series at points on the unit circle; a Fourier transform gives the probabilities.

    Parameters
    ----------
    rates, s, g
        As in `promoter`.
    t : float
        Time, not negative.
    start : str or array_like, shape (state,)
        Name of the state at time 0, or the probability of each.
    n0 : int
        Molecules at time 0.

    Returns
    -------
    PromoterTransient

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: a simulator or solver in time is to be checked where a gene switches. Probabilities are right to 1e-12 in
    absolute terms. Time grows with the counts within reach times the events of one lifetime.

    Examples
    --------
    >>> law = promoter_transient({("OFF", "ON"): 1.0, ("ON", "OFF"): 3.0}, {"ON": 20.0}, g=1.0, t=0.5, start="OFF")
    >>> round(law.mean(), 6), round(float(law.pmf(0)), 6)
    (1.182021, 0.684655)
    """
    check_not_negative(t=t)
    check_whole("n0", n0)
    stationary = promoter(rates, s, g)
    states = stationary.states
    if isinstance(start, str):
        if start not in states:
            raise expected("start", f"one of the states {', '.join(states)}", start)
        start = np.eye(len(states))[states.index(start)]
    start = np.array(start, dtype=float)
    if start.shape != (len(states),) or not np.all(start >= 0) or abs(start.sum() - 1.0) > 1e-9:
        raise expected("start", f"a probability for each of the {len(states)} states, with the sum 1", start.tolist())
    check_not_negative(**{"g t": g * t})
    return PromoterTransient(stationary, freeze(start / start.sum()), int(n0), float(g * t))


def telegraph_transient(k_on, k_off, s, g, t, *, start="OFF", n0=0):
    """Return the law of mRNA at time `t` from a gene that switches on and off, started in one state.

    Parameters
    ----------
    k_on, k_off, s, g : float
        As in `telegraph`.
    t : float
        Time, not negative.
    start : {"OFF", "ON"} or array_like, shape (2,)
        State at time 0, or the probabilities of OFF and ON.
    n0 : int
        Molecules at time 0.

    Returns
    -------
    PromoterTransient

    Raises
    ------
    ParameterError
        If a value does not fit.

    Notes
    -----
    Use when: a gene is induced, and the approach to the stationary law is watched. See `promoter_transient`.

    Examples
    --------
    >>> law = telegraph_transient(k_on=1, k_off=3, s=20, g=1, t=20.0)
    >>> round(law.mean(), 6), round(law.fano_factor(), 6)
    (5.0, 4.0)
    """
    check_positive(k_on=k_on)
    check_not_negative(k_off=k_off, s=s)
    return promoter_transient({("OFF", "ON"): k_on, ("ON", "OFF"): k_off}, {"ON": s}, g, t, start=start, n0=n0)

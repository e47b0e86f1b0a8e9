"""The law of mRNA in time, from a promoter with any number of states, by its generating function on a circle."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from scipy.linalg import expm

from acme_lib.checks import check_not_negative, check_positive, check_whole
from acme_lib.errors import ParameterError
from acme_lib.laws.count_law import CountLaw, check_top
from acme_lib.laws.promoters import Promoter, promoter


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
        top = max(self.n0 + int(most + 12.0 * np.sqrt(most)) + 60, last)
        check_top(top * 4 * len(self.start))
        size = 2 ** int(np.ceil(np.log2(top + 2)))
        u = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size) - 1.0
        q = self.stationary.switching
        values = np.ones((len(u), len(self.start)), dtype=complex)
        _carry(q - np.diag(q.sum(axis=1)), self.stationary.s, self.t, u, values)
        on_circle = (values @ self.start) * (1.0 + u * np.exp(-self.t)) ** self.n0
        p = np.maximum(np.fft.irfft(on_circle, size)[: top + 1], 0.0)
        with np.errstate(divide="ignore"):
            return np.log(p / p.sum())

    @cached_property
    def _factorial_moments(self):
        """E[1], E[m], E[m(m-1)], E[m(m-1)(m-2)]: d/dt f_k = (Q^T - k) f_k + k S f_{k-1}."""
        size = len(self.start)
        q = self.stationary.switching
        generator = (q - np.diag(q.sum(axis=1))).T
        system = np.kron(np.eye(4), generator) - np.kron(np.diag(np.arange(4.0)), np.eye(size))
        system += np.kron(np.diag(np.arange(1.0, 4.0), -1), np.diag(self.stationary.s))
        n0 = float(self.n0)
        first = np.kron([1.0, n0, n0 * (n0 - 1.0), n0 * (n0 - 1.0) * (n0 - 2.0)], self.start)
        return (expm(system * self.t) @ first).reshape(4, size).sum(axis=1)

    def mean(self):
        """Return the mean."""
        return float(self._factorial_moments[1])

    def var(self):
        """Return the variance."""
        _, first, second, _ = self._factorial_moments
        return float(second + first - first**2)

    def third_cumulant(self):
        """Return the third central moment."""
        _, first, second, third = self._factorial_moments
        return float(third - 3.0 * first * second + 2.0 * first**3 + 3.0 * (second - first**2) + first)


@njit(cache=True, nogil=True)
def _carry(generator, s, t, u, values):
    """Carry `values` (point, state) over the time t by dv/dtau = (Q + S u e^-tau) v.

    In a step from tau, with x = e^-tau and y = 1 - e^-delta, (1 - y) dv/dy = (Q + S u x (1 - y)) v has the series
    (k+1) c_{k+1} = k c_k + Q c_k + S u x (c_k - c_{k-1}).
    """
    size = len(s)
    fastest = 0.0
    for i in range(size):
        fastest = max(fastest, -generator[i, i])
    largest = s.max()
    tau = 0.0
    before = np.empty(size, dtype=np.complex128)
    term = np.empty(size, dtype=np.complex128)
    following = np.empty(size, dtype=np.complex128)
    while tau < t:
        x = np.exp(-tau)
        y = min(0.25, 1.0 / (fastest + largest * x + 1e-300))
        delta = -np.log1p(-y)
        if tau + delta >= t:
            y = -np.expm1(-(t - tau))
            tau = t
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
            raise ParameterError(f"start is one of the states {', '.join(states)}; {start!r} came")
        start = np.eye(len(states))[states.index(start)]
    start = np.array(start, dtype=float)
    if start.shape != (len(states),) or not np.all(start >= 0) or abs(start.sum() - 1.0) > 1e-9:
        raise ParameterError(f"start holds a probability for each of the {len(states)} states, with the sum 1")
    start /= start.sum()
    start.flags.writeable = False
    return PromoterTransient(stationary, start, int(n0), float(g * t))


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

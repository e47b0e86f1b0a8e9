"""Rates as data: the arrays from which every compiled kernel reads a network.

The propensity of reaction j in state x is

    a_j(x) = c_j · w_j(x, t) · Π_i binom(x_i, ν_ij)

with the rate constant c_j, reactant multiplicities ν_ij (mass action counts distinct sets of molecules, so that
``2 P -> D`` has c P (P-1)/2) and an optional factor w_j, given as a postfix program (`acme_lib.network.expression`).
Nothing here depends on a particular network, so that a kernel compiled once serves all.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from acme_lib.network import expression as ex

# Forms of the mass-action factor, the common ones written out.
ORDER_ZERO, ORDER_ONE, ORDER_TWO_UNLIKE, ORDER_TWO_ALIKE, GENERAL = range(5)


@dataclass(frozen=True)
class RateTable:
    """The propensities and changes of R reactions among S species, as read-only arrays.

    Attributes
    ----------
    constants : ndarray of float64, shape (R,)
    forms, first, second : ndarray of int64, shape (R,)
        The form of the mass-action factor and the species it reads (unused where a form needs fewer).
    reactant_start, reactant_species, reactant_count : ndarray of int64
        Reaction j consumes ``reactant_species[reactant_start[j]:reactant_start[j+1]]``.
    change_start, change_species, change_count : ndarray of int64
        Its net changes, in the same layout.
    program_start, codes, operands : ndarray
        Its factor w_j; an empty program means 1.
    parameters : ndarray of float64
        Values that the programs read.
    affected_start, affected : ndarray of int64
        The reactions whose propensity changes when reaction j fires.
    """

    constants: np.ndarray
    forms: np.ndarray
    first: np.ndarray
    second: np.ndarray
    reactant_start: np.ndarray
    reactant_species: np.ndarray
    reactant_count: np.ndarray
    change_start: np.ndarray
    change_species: np.ndarray
    change_count: np.ndarray
    program_start: np.ndarray
    codes: np.ndarray
    operands: np.ndarray
    parameters: np.ndarray
    affected_start: np.ndarray
    affected: np.ndarray

    def __post_init__(self):
        for value in vars(self).values():
            value.flags.writeable = False

    @property
    def arrays(self):
        """All arrays in the order in which kernels take them."""
        return tuple(vars(self).values())


def build_rate_table(constants, reactants, stoichiometry, factors, species, parameter_names, parameters):
    """Lay a network out as a `RateTable`.

    Parameters
    ----------
    constants : ndarray, shape (R,)
    reactants, stoichiometry : ndarray of int, shape (R, S)
        Multiplicities in the mass-action factor, and net changes.
    factors : sequence of Expression or None, length R
    species, parameter_names : sequence of str
    parameters : ndarray
        Values of `parameter_names`.
    """
    n_reactions = len(constants)
    reactant_start, reactant_species, reactant_count = _compress(reactants)
    change_start, change_species, change_count = _compress(stoichiometry)
    forms = np.zeros(n_reactions, dtype=np.int64)
    first = np.zeros(n_reactions, dtype=np.int64)
    second = np.zeros(n_reactions, dtype=np.int64)
    codes, operands, lengths = [], [], []
    for j in range(n_reactions):
        which = np.flatnonzero(reactants[j])
        counts = reactants[j, which]
        forms[j] = _form(counts)
        if len(which):
            first[j], second[j] = which[0], which[-1]
        if factors[j] is None:
            lengths.append(0)
        else:
            code, operand = factors[j].program(species, parameter_names)
            codes.append(code)
            operands.append(operand)
            lengths.append(len(code))
    reads = reactants > 0
    for j, factor in enumerate(factors):
        if factor is not None:
            reads[j] |= np.isin(species, factor.names)
    changes = stoichiometry != 0
    affected_start, affected, _ = _compress((changes.astype(int) @ reads.T.astype(int)) > 0)
    return RateTable(
        np.array(constants, dtype=np.float64),
        forms,
        first,
        second,
        reactant_start,
        reactant_species,
        reactant_count,
        change_start,
        change_species,
        change_count,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([np.zeros(0, dtype=np.int64), *codes]),
        np.concatenate([np.zeros(0), *operands]),
        np.array(parameters, dtype=np.float64),
        affected_start,
        affected,
    )


def _form(counts):
    order = int(counts.sum())
    if order == 0:
        return ORDER_ZERO
    if order == 1:
        return ORDER_ONE
    if order == 2:
        return ORDER_TWO_UNLIKE if len(counts) == 2 else ORDER_TWO_ALIKE
    return GENERAL


def _compress(matrix):
    rows, columns = np.nonzero(matrix)
    start = np.searchsorted(rows, np.arange(len(matrix) + 1))
    values = np.asarray(matrix)[rows, columns]
    return start.astype(np.int64), columns.astype(np.int64), values.astype(np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def run_program(codes, operands, start, stop, x, parameters, t, stack):
    """Interpret one postfix program; `stack` is scratch space of length `MAX_STACK`."""
    top = -1
    for i in range(start, stop):
        code = codes[i]
        if code == ex.CONSTANT:
            top += 1
            stack[top] = operands[i]
        elif code == ex.SPECIES:
            top += 1
            stack[top] = x[int(operands[i])]
        elif code == ex.PARAMETER:
            top += 1
            stack[top] = parameters[int(operands[i])]
        elif code == ex.TIME:
            top += 1
            stack[top] = t
        elif code == ex.NEGATE:
            stack[top] = -stack[top]
        elif code == ex.NOT:
            stack[top] = 0.0 if stack[top] != 0.0 else 1.0
        elif code >= ex.EXP:
            stack[top] = _apply_function(code, stack[top])
        elif code == ex.SELECT:
            top -= 2
            stack[top] = stack[top + 1] if stack[top] != 0.0 else stack[top + 2]
        else:
            top -= 1
            stack[top] = _apply_operator(code, stack[top], stack[top + 1])
    return stack[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _apply_operator(code, a, b):
    if code == ex.ADD:
        return a + b
    if code == ex.SUBTRACT:
        return a - b
    if code == ex.MULTIPLY:
        return a * b
    if code == ex.DIVIDE:
        if b == 0.0:  # as compiled: NumPy's answer, also in plain Python
            return np.nan if a == 0.0 else np.copysign(np.inf, a)
        return a / b
    if code == ex.POWER:
        if a < 0.0 and b != np.floor(b):
            return np.nan
        if a == 0.0 and b < 0.0:
            return np.inf
        return a**b
    if code == ex.MINIMUM:
        return min(a, b)
    if code == ex.MAXIMUM:
        return max(a, b)
    if code == ex.LESS:
        return 1.0 if a < b else 0.0
    if code == ex.LESS_EQUAL:
        return 1.0 if a <= b else 0.0
    if code == ex.EQUAL:
        return 1.0 if a == b else 0.0
    if code == ex.NOT_EQUAL:
        return 1.0 if a != b else 0.0
    if code == ex.AND:
        return 1.0 if a != 0.0 and b != 0.0 else 0.0
    return 1.0 if a != 0.0 or b != 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _apply_function(code, a):
    if code == ex.EXP:
        return np.exp(a)
    if code == ex.LOG:
        if a == 0.0:
            return -np.inf
        return np.log(a) if a > 0.0 else np.nan
    if code == ex.SQRT:
        return np.sqrt(a) if a >= 0.0 else np.nan
    if code == ex.ABS:
        return abs(a)
    if code == ex.FLOOR:
        return np.floor(a)
    if code == ex.CEIL:
        return np.ceil(a)
    if code == ex.SIN:
        return np.sin(a)
    if code == ex.COS:
        return np.cos(a)
    return np.tanh(a)


@njit(cache=True, nogil=True, error_model="numpy")
def propensity(j, x, t, table, stack):
    """Return the propensity of reaction `j` in state `x` at time `t`; `table` is `RateTable.arrays`."""
    (constants, forms, first, second, r_start, r_species, r_count, _, _, _, p_start, codes, operands, values, _, _) = table
    form = forms[j]
    if form == ORDER_ONE:
        a = constants[j] * x[first[j]]
    elif form == ORDER_ZERO:
        a = constants[j]
    elif form == ORDER_TWO_UNLIKE:
        a = constants[j] * x[first[j]] * x[second[j]]
    elif form == ORDER_TWO_ALIKE:
        n = x[first[j]]
        a = constants[j] * 0.5 * n * (n - 1)
    else:
        a = constants[j]
        for i in range(r_start[j], r_start[j + 1]):
            n = x[r_species[i]]
            for k in range(r_count[i]):
                a *= (n - k) / (k + 1.0)
    if p_start[j] != p_start[j + 1]:
        a *= run_program(codes, operands, p_start[j], p_start[j + 1], x, values, t, stack)
    return a


@njit(cache=True, nogil=True, error_model="numpy")
def propensities_of_states(states, t, table, out):
    """Fill ``out[state, reaction]`` with the propensities of many states."""
    stack = np.empty(ex.MAX_STACK)
    for s in range(states.shape[0]):
        for j in range(out.shape[1]):
            out[s, j] = propensity(j, states[s], t, table, stack)

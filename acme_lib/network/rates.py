"""Rates as data: the arrays from which every compiled kernel reads a network.

The propensity of reaction j in state x is

    a_j(x) = c_j · w_j(x, t) · Π_i binom(x_i, ν_ij)

with the rate constant c_j, reactant multiplicities ν_ij (mass action counts distinct sets of molecules, so that
``2 P -> D`` has c P (P-1)/2) and an optional factor w_j, given as a postfix program (`acme_lib.network.expression`).
Nothing here depends on a particular network, so that a kernel compiled once serves all. Up to two reactant molecules
the mass-action factor is one product without branches: with an extra entry ``x[S] = 1`` behind the S species,

    a_j = scale_j · x[first_j] · (x[second_j] - shift_j),

where a missing reactant reads the extra entry and ``2 P`` reads P twice with shift 1 and half the constant.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from acme_lib.arrays import freeze
from acme_lib.network import expression as ex
from acme_lib.network.functions import FIRST_ADDRESS, call_function


class RateTable(NamedTuple):
    """The propensities and changes of R reactions among S species, as read-only arrays.

    Kernels take it as it is and read its fields by name, which costs nothing; `with_row` puts the constants and
    parameters of one trajectory in their places.

    Attributes
    ----------
    scale, shift : ndarray of float64, shape (R,)
    first, second : ndarray of int64, shape (R,)
        The mass-action factor with its constant; species index S stands for the extra entry 1.
    special : ndarray of bool, shape (R,)
        Whether the propensity needs more: three or more reactant molecules, or a program.
    reactant_start, reactant_species, reactant_count : ndarray of int64
        Special reaction j multiplies ``binom(x, count)`` over the entries from ``reactant_start[j]`` up to
        ``reactant_start[j+1]``.
    change_start, change_species, change_count : ndarray of int64
        Net changes of each reaction, in the same layout.
    program_start, codes, operands : ndarray
        Its factor w_j; an empty program means 1.
    parameters : ndarray of float64
        Values that the programs read.
    affected_start, affected : ndarray of int64
        The reactions whose propensity changes when reaction j fires.
    """

    scale: np.ndarray
    shift: np.ndarray
    first: np.ndarray
    second: np.ndarray
    special: np.ndarray
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
    n_reactions, n_species = reactants.shape
    scale = np.array(constants, dtype=np.float64)
    shift = np.zeros(n_reactions)
    first = np.full(n_reactions, n_species)
    second = np.full(n_reactions, n_species)
    special = np.array([factor is not None for factor in factors]) | (reactants.sum(axis=1) > 2)
    for j in np.flatnonzero(~special):
        molecules = np.repeat(np.arange(n_species), reactants[j])
        if len(molecules) > 0:
            first[j] = molecules[0]
        if len(molecules) > 1:
            second[j] = molecules[1]
            if first[j] == second[j]:
                shift[j] = 1.0
                scale[j] *= 0.5
    reactant_start, reactant_species, reactant_count = _compress(reactants)
    change_start, change_species, change_count = _compress(stoichiometry)
    reads = reactants > 0
    codes, operands, lengths = [np.zeros(0, dtype=np.int64)], [np.zeros(0)], [0]
    for j, factor in enumerate(factors):
        if factor is not None:
            reads[j] |= np.isin(species, factor.names)
            code, operand = factor.program(species, parameter_names)
            codes.append(code)
            operands.append(operand)
        lengths.append(0 if factor is None else len(code))
    affected_start, affected, _ = _compress(((stoichiometry != 0).astype(int) @ reads.T.astype(int)) > 0)
    table = RateTable(
        scale=scale,
        shift=shift,
        first=first,
        second=second,
        special=special,
        reactant_start=reactant_start,
        reactant_species=reactant_species,
        reactant_count=reactant_count,
        change_start=change_start,
        change_species=change_species,
        change_count=change_count,
        program_start=np.cumsum(lengths),
        codes=np.concatenate(codes),
        operands=np.concatenate(operands),
        parameters=np.array(parameters, dtype=np.float64),
        affected_start=affected_start,
        affected=affected,
    )
    freeze(*table)  # networks share them between threads
    return table


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
        elif code >= FIRST_ADDRESS:
            top -= int(operands[i]) - 1
            stack[top] = call_function(code, stack, top)
        elif code >= ex.EXP:
            stack[top] = apply_function(code, stack[top])
        elif code == ex.SELECT:
            top -= 2
            stack[top] = stack[top + 1] if stack[top] != 0.0 else stack[top + 2]
        else:
            top -= 1
            stack[top] = apply_operator(code, stack[top], stack[top + 1])
    return stack[0]


@njit(cache=True, nogil=True, error_model="numpy")
def apply_operator(code, a, b):
    """Return what the instruction `code` of two values makes of them."""
    if code == ex.ADD:
        return a + b
    if code == ex.SUBTRACT:
        return a - b
    if code == ex.MULTIPLY:
        return a * b
    if code == ex.DIVIDE:
        if b == 0.0:  # as compiled: NumPy's answer, also in plain Python
            if a == 0.0 or np.isnan(a):
                return np.nan
            return np.inf if (a > 0.0) == (np.copysign(1.0, b) > 0.0) else -np.inf
        return a / b
    if code == ex.POWER:
        if a < 0.0 and b != np.floor(b):
            return np.nan
        if a == 0.0 and b < 0.0:
            return np.inf
        return a**b
    if code == ex.MINIMUM or code == ex.MAXIMUM:
        if np.isnan(a) or np.isnan(b):  # max(0, log(-1)) must not pass for 0
            return np.nan
        return min(a, b) if code == ex.MINIMUM else max(a, b)
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
def apply_function(code, a):
    """Return what the instruction `code`, a function of one value, makes of it."""
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


@njit(cache=True, nogil=True)
def with_row(table, scale, parameters):
    """Return a `RateTable` with the scale and parameters of one trajectory in their places."""
    return RateTable(
        scale,
        table.shift,
        table.first,
        table.second,
        table.special,
        table.reactant_start,
        table.reactant_species,
        table.reactant_count,
        table.change_start,
        table.change_species,
        table.change_count,
        table.program_start,
        table.codes,
        table.operands,
        parameters,
        table.affected_start,
        table.affected,
    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def count_few(j, x, scale, first, second, shift):
    """Return the constant of reaction `j` times the number of sets of its reactant molecules, up to two.

    The arrays are fields of a `RateTable`, as those of `count_sets`.
    """
    return scale[j] * x[first[j]] * (x[second[j]] - shift[j])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def mass_action(j, x, table):
    """Return the propensity of reaction `j` where it is not special: up to two reactant molecules and no program."""
    return count_few(j, x, table.scale, table.first, table.second, table.shift)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def count_sets(j, x, scale, start, species, count):
    """Return the constant of reaction `j` times the number of distinct sets of its reactant molecules, however many.

    The arrays are fields of a `RateTable`, read by the caller before its loops: reading one counts a reference to it.
    """
    a = scale[j]
    for i in range(start[j], start[j + 1]):
        n = x[species[i]]
        for k in range(count[i]):
            a *= (n - k) / (k + 1.0)
    return a


@njit(cache=True, nogil=True, error_model="numpy")
def special_propensity(j, x, t, table, stack):
    """Return the propensity of reaction `j` by the general formula; see `propensity`."""
    scale, start, species, count = table.scale, table.reactant_start, table.reactant_species, table.reactant_count
    program, codes, operands, parameters = table.program_start, table.codes, table.operands, table.parameters
    a = count_sets(j, x, scale, start, species, count)
    if program[j] != program[j + 1]:
        a *= run_program(codes, operands, program[j], program[j + 1], x, parameters, t, stack)
    return a


@njit(cache=True, nogil=True, error_model="numpy")
def propensity(j, x, t, table, stack):
    """Return the propensity of reaction `j`.

    `x` holds the S counts as floats and 1 behind them; `table` is a `RateTable`; `stack` has `MAX_STACK` entries.
    A call hands over the whole table; a loop over events or states saves the call where the reaction is not special,
    ``special_propensity(…) if special[j] else mass_action(j, x, table)`` with ``special = table.special`` before the
    loop. (Put in place with ``inline="always"``, this function would count a reference to each array in each turn.)
    """
    return special_propensity(j, x, t, table, stack) if table.special[j] else mass_action(j, x, table)


@njit(cache=True, nogil=True, error_model="numpy")
def propensities_of_states(states, t, table, out):
    """Fill ``out[state, reaction]`` with the propensities of many states, shape (n, species)."""
    n_species = states.shape[1]
    stack = np.empty(ex.MAX_STACK)
    x = np.ones(n_species + 1)
    special = table.special
    for s in range(states.shape[0]):
        for i in range(n_species):
            x[i] = states[s, i]
        for j in range(out.shape[1]):
            out[s, j] = special_propensity(j, x, t, table, stack) if special[j] else mass_action(j, x, table)

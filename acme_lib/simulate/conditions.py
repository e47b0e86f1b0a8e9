"""Conditions that are watched during a simulation, and what events do: the triggers, and what ends a trajectory.

Between two reactions the state stands still, so that a condition changes only where the time crosses one of its
comparisons. Those comparisons are linear in the time: from ``c0 + c1·t < 0`` the crossing -c0/c1 is known exactly, and
none is ever missed, however short it lasts or however long nothing else happens.

An event may set parameters. Each trajectory has its own, and `follow_parameters` brings after them what is defined from
them and the constants of mass action: rates stay data, and nothing is compiled.
"""

import ast
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from acme_lib.arrays import freeze
from acme_lib.checks import expected
from acme_lib.errors import NetworkSyntaxError, ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import Expression, suggest
from acme_lib.network.rates import run_program
from acme_lib.network.reaction_network import MAX_COUNT
from acme_lib.network.status import BAD_CONSTANT, DONE
from acme_lib.network.text import located


class ConditionTable(NamedTuple):
    """Events and the stop condition of a network as kernels read them, by field; the stop condition comes last.

    Attributes
    ----------
    codes, operands, program_start : ndarray
        All programs, one behind the other.
    truth_program : ndarray of int64, shape (condition,)
    crossing_start, crossing_programs : ndarray
        Condition k may change at the times -c0/c1 of the pairs (c0, c1) from ``crossing_start[k]`` up to
        ``crossing_start[k+1]``.
    initially : ndarray of bool, shape (condition,)
        What each condition is taken to be before the start.
    watcher_start, watchers : ndarray of int64
        The conditions that may change when reaction j fires.
    assignment_start, assignment_target, assignment_program : ndarray of int64
        The assignments of event k, likewise; there are as many events as `assignment_start` has entries, less one. A
        target below the number of species S is a species, and S + i is parameter i.
    changing : ndarray of int64
        The parameters that events set.
    defined, defined_program : ndarray of int64
        The parameters that are defined from those, in an order in which each stands behind what it needs.
    constant, constant_program : ndarray of int64
        The reactions whose rate constants depend on either.
    """

    codes: np.ndarray
    operands: np.ndarray
    program_start: np.ndarray
    truth_program: np.ndarray
    crossing_start: np.ndarray
    crossing_programs: np.ndarray
    initially: np.ndarray
    watcher_start: np.ndarray
    watchers: np.ndarray
    assignment_start: np.ndarray
    assignment_target: np.ndarray
    assignment_program: np.ndarray
    changing: np.ndarray
    defined: np.ndarray
    defined_program: np.ndarray
    constant: np.ndarray
    constant_program: np.ndarray


@dataclass(frozen=True)
class Conditions:
    """Events and the stop condition of a network, laid out.

    Attributes
    ----------
    network : ReactionNetwork
    stop : Expression or None
    table : ConditionTable
        Read-only arrays.
    """

    network: ReactionNetwork
    stop: Expression | None
    table: ConditionTable

    def __reduce__(self):
        """Travel as what they are made from: programs may hold addresses, which hold in one process only."""
        return lay_out_conditions, (self.network, self.stop)


def parse_stop(network, stop):
    """Return the condition `stop` of a network as an `Expression` of species, parameters and `t`."""
    if isinstance(stop, str):
        try:
            stop = Expression.parse(stop, network.functions)
        except NetworkSyntaxError as error:
            raise NetworkSyntaxError(f"stop={stop!r}: {error}") from None
    if not isinstance(stop, Expression):
        raise expected("stop", "a condition, such as 'P >= 100'", stop)
    known = [*network.species, *network.parameters, *network.observables]
    for name in stop.names:
        if name not in known:
            raise ParameterError(
                f"stop={stop.text!r}: {name!r} is neither a species, a parameter nor an observable of the network"
                f"{suggest(name, known)}; it has {', '.join(known)}"
            )
    if not stop.is_condition:
        raise ParameterError(f"stop={stop.text!r} is neither true nor false; write a comparison, such as 'P >= 100'")
    return stop.substitute(network.observables)


def lay_out_conditions(network, stop=None):
    """Lay the events of a network and a stop condition (`Expression`) out as `Conditions`."""
    programs = _Programs(network)
    conditions = [event.trigger for event in network.events] + ([] if stop is None else [stop])
    truth_program = [programs.add(condition.tree, condition) for condition in conditions]
    crossings, crossing_start, reads = [], [0], []
    for i, condition in enumerate(conditions):
        try:
            pairs = _crossings(condition.tree)
        except _NotLinearError as error:
            message = ParameterError(
                f"the comparison {ast.unparse(error.args[0])!r} is not linear in the time t, so that its crossings are "
                "not known exactly; compare t itself with < <= > >=, as in 't >= 5'"
            )
            if i < len(network.events):
                event = network.events[i]
                raise located(message, event.line, event.text) from None
            raise ParameterError(f"stop={condition.text!r}: {message}") from None
        crossings += [(programs.add(c0, condition), programs.add(c1, condition)) for c0, c1 in pairs]
        crossing_start.append(len(crossings))
        reads.append([name in condition.names for name in network.species])
    reads = np.array(reads, dtype=bool).reshape(len(conditions), len(network.species))
    reaction, watcher = np.nonzero((network.stoichiometry != 0).astype(int) @ reads.T.astype(int))
    targets = [*network.species, *network.parameters]
    assignment_start, assigned, values = [0], [], []
    for event in network.events:
        for name, value in event.assignments.items():
            assigned.append(targets.index(name))
            values.append(programs.add(value.tree, value))
        assignment_start.append(len(assigned))
    changed, definitions = set(network.changing_parameters), {d.name: d.value for d in network.definitions}
    defined, constant = [], []
    for i, name in enumerate(network.parameters):  # defined ones stand behind what they need
        if name in definitions and changed & set(definitions[name].names):
            changed.add(name)
            defined.append((i, programs.add(definitions[name].tree, definitions[name])))
    start = network.rate_table.program_start
    for j, rate in enumerate(line.rate for line in network.reactions):
        if start[j] == start[j + 1] and changed & set(rate.names):
            constant.append((j, programs.add(rate.tree, rate)))

    def whole(sequence):
        return np.array(sequence, dtype=np.int64)

    table = ConditionTable(
        *programs.arrays(),
        whole(truth_program),
        whole(crossing_start),
        whole(crossings).reshape(-1, 2),
        np.array([event.initially for event in network.events] + [False] * (stop is not None), dtype=bool),
        whole(np.searchsorted(reaction, np.arange(len(network.reactions) + 1))),
        whole(watcher),
        whole(assignment_start),
        whole(assigned),
        whole(values),
        whole([list(network.parameters).index(name) for name in network.changing_parameters]),
        *whole(defined).reshape(-1, 2).T.copy(),
        *whole(constant).reshape(-1, 2).T.copy(),
    )
    freeze(*table)  # ranges share them between threads
    return Conditions(network, stop, table)


class _Programs:
    """Collects the programs of syntax trees."""

    def __init__(self, network):
        self.names = network.species, tuple(network.parameters)
        self.codes, self.operands, self.start = [np.zeros(0, dtype=np.int64)], [np.zeros(0)], [0]

    def add(self, tree, whole):
        """Add a tree that is (a part of) the expression `whole`; return the index of its program."""
        codes, operands = Expression(ast.unparse(tree), tree, whole.functions).program(*self.names)
        self.codes.append(codes)
        self.operands.append(operands)
        self.start.append(self.start[-1] + len(codes))
        return len(self.start) - 2

    def arrays(self):
        return np.concatenate(self.codes), np.concatenate(self.operands), np.array(self.start, dtype=np.int64)


class _NotLinearError(Exception):
    """A comparison, the argument, is not linear in the time."""


def _uses_time(tree):
    return any(isinstance(node, ast.Name) and node.id == "t" for node in ast.walk(tree))


def _crossings(tree):
    """Return (c0, c1) for each comparison ``c0 + c1·t < 0`` of a condition that depends on the time."""
    if not _uses_time(tree):
        return []
    if isinstance(tree, ast.BoolOp):
        return [pair for part in tree.values for pair in _crossings(part)]
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return _crossings(tree.operand)
    if not isinstance(tree, ast.Compare) or not isinstance(tree.ops[0], ast.Lt | ast.LtE):
        raise _NotLinearError(tree)
    c0, c1 = _in_powers_of_time(ast.BinOp(tree.left, ast.Sub(), tree.comparators[0]), tree)
    return [(c0, c1)]


def _in_powers_of_time(node, whole):
    """Return the syntax trees of c0 and c1 in ``c0 + c1·t``; `whole` is the comparison that an error shows."""
    zero, one = ast.Constant(0), ast.Constant(1)
    if not _uses_time(node):
        return node, zero
    if isinstance(node, ast.Name):
        return zero, one
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return tuple(ast.UnaryOp(node.op, c) for c in _in_powers_of_time(node.operand, whole))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        left, right = _in_powers_of_time(node.left, whole), _in_powers_of_time(node.right, whole)
        return tuple(ast.BinOp(a, node.op, b) for a, b in zip(left, right, strict=True))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div) and not _uses_time(node.right):
        return tuple(ast.BinOp(c, node.op, node.right) for c in _in_powers_of_time(node.left, whole))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and not _uses_time(node.left):
        return tuple(ast.BinOp(node.left, node.op, c) for c in _in_powers_of_time(node.right, whole))
    raise _NotLinearError(whole)


@njit(cache=True, nogil=True, error_model="numpy")
def look_at_condition(
    k, x, parameters, now, codes, operands, start, truth_program, crossing_start, crossing_programs, stack
):
    """Return whether condition `k` holds from `now` on, and the next time at which it may change.

    The arrays are those of `ConditionTable`.
    """
    change = np.inf
    for i in range(crossing_start[k], crossing_start[k + 1]):
        p, q = crossing_programs[i, 0], crossing_programs[i, 1]
        c1 = run_program(codes, operands, start[q], start[q + 1], x, parameters, now, stack)
        if c1 != 0.0:
            at = -run_program(codes, operands, start[p], start[p + 1], x, parameters, now, stack) / c1
            if now < at < change:
                change = at
    # Between now and the next change the truth is one and the same: in the middle no rounding can hide it.
    between = now + (0.5 * (change - now) if change < np.inf else max(1.0, abs(now)))
    p = truth_program[k]
    return run_program(codes, operands, start[p], start[p + 1], x, parameters, between, stack) != 0.0, change


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_assignments(
    k, x, parameters, now, codes, operands, start, first_assignment, target, program, stack, values
):
    """Fill ``values[i]`` with each assignment i of event `k`; return the first that no count or parameter is, or -1.

    The arrays are those of `ConditionTable`.
    """
    for i in range(first_assignment[k], first_assignment[k + 1]):
        p = program[i]
        values[i] = run_program(codes, operands, start[p], start[p + 1], x, parameters, now, stack)
        is_count = 0.0 <= values[i] <= MAX_COUNT and values[i] == np.floor(values[i])
        is_parameter = target[i] >= x.shape[0] - 1 and abs(values[i]) < np.inf
        if not (is_count or is_parameter):
            return i
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def follow_parameters(x, parameters, scale, shift, conditions, stack):
    """Compute anew what depends on parameters that an event has set, in the rates of one trajectory.

    `shift` is that of the `RateTable`. Returns DONE; or BAD_CONSTANT, the reaction whose constant is no rate, or -1 - i
    for the defined parameter i that is not finite, and the value.
    """
    codes, operands, start = conditions.codes, conditions.operands, conditions.program_start
    for i in range(conditions.defined.shape[0]):
        which, p = conditions.defined[i], conditions.defined_program[i]
        value = run_program(codes, operands, start[p], start[p + 1], x, parameters, 0.0, stack)
        if not abs(value) < np.inf:
            return BAD_CONSTANT, -1 - which, value
        parameters[which] = value
    for i in range(conditions.constant.shape[0]):
        which, p = conditions.constant[i], conditions.constant_program[i]
        value = run_program(codes, operands, start[p], start[p + 1], x, parameters, 0.0, stack)
        if not 0.0 <= value < np.inf:
            return BAD_CONSTANT, which, value
        scale[which] = value * (0.5 if shift[which] != 0.0 else 1.0)  # a pair counts once: see RateTable
    return DONE, 0, 0.0

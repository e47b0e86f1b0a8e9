"""Rates that depend on time: where they jump, and whether they do anything else."""

import ast

from acme_lib.network.expression import Expression


def _time_comparisons(expression):
    """Yield the comparisons of an expression that involve the time."""
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Compare) and any(
            isinstance(part, ast.Name) and part.id == "t" for part in ast.walk(node)
        ):
            yield node


def varies(system):
    """Whether some rate varies in time otherwise than by jumps at known times."""
    if not system.uses_time:
        return False
    return any(
        expression.uses_time and not _is_piecewise_constant(expression, system.parameters)
        for expression in system.expressions
    )


def _is_piecewise_constant(expression, parameters):
    inside = {id(part) for node in _time_comparisons(expression) for part in ast.walk(node)}
    outside = any(
        isinstance(node, ast.Name) and node.id == "t" and id(node) not in inside for node in ast.walk(expression.tree)
    )
    return not outside and all(
        _crossing(node, parameters, expression) is not None for node in _time_comparisons(expression)
    )


def _crossing(node, parameters, expression):
    """Return when a comparison that is linear in the time changes, or None where that is not known."""
    tree = ast.BinOp(node.left, ast.Sub(), node.comparators[0])
    difference = Expression(ast.unparse(tree), tree, expression.functions)
    if any(name not in parameters for name in difference.names):
        return None
    values = {name: parameters[name] for name in difference.names}
    f0, f1, f3 = (float(difference.evaluate({**values, "t": t})) for t in (0.0, 1.0, 3.0))
    slope = f1 - f0
    if slope == 0 or not abs(f3 - f0 - 3 * slope) <= 1e-9 * (abs(f0) + abs(slope)):
        return None
    return -f0 / slope


def find_breaks(system, low, high, given):
    """Return the times between two others at which rates jump: those given, and those of comparisons."""
    found = [float(b) for b in given]
    for expression in system.expressions:
        for node in _time_comparisons(expression):
            at = _crossing(node, system.parameters, expression)
            if at is not None:
                found.append(at)
    return sorted({b for b in found if low < b < high})

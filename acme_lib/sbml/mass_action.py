"""Mass action, recognised in the syntax tree of a kinetic law."""

import ast
from math import factorial

from acme_lib.sbml.formula import binary, constant


def find_constant(law, reactants, changing):
    r"""Return the constant of a law that is exactly mass action, or None.

    A law is mass action if it equals :math:`c \prod_i \binom{x_i}{\nu_i}` with a factor :math:`c` free of what changes.

    Parameters
    ----------
    law : ast.expr
    reactants : mapping of str to int
    changing : set of str
        Names of species and observables.
    """
    above, below = _factors(law)
    above, below = _cancel(above, below, changing)
    missing = 1
    for species, count in reactants.items():
        for k in range(count):
            at = next((i for i, factor in enumerate(above) if _is_falling(factor, species, k)), None)
            if at is None:
                return None
            del above[at]
        at = next((i for i, factor in enumerate(below) if _is_number(factor, factorial(count))), None)
        if count > 1 and at is not None:
            del below[at]
        else:
            missing *= factorial(count)
    if any(_names(factor) & changing for factor in [*above, *below]):
        return None
    if missing > 1:
        above.insert(0, constant(missing))
    return _product(above, below)


def split_reversible(law, reactants, products, changing):
    """Return the forward and the backward law of a difference of mass-action terms, or None.

    Parameters
    ----------
    law : ast.expr
    reactants, products : mapping of str to int
    changing : set of str
        Names of species and observables.
    """
    forward, backward = [], []
    for sign, above, below in _terms(law):
        side, takes = (forward, reactants) if sign > 0 else (backward, products)
        held = [_falling_species(factor) for factor in above]
        rest = [factor for factor, species in zip(above, held, strict=True) if species is None]
        if any(_names(factor) & changing for factor in [*rest, *below]) or not set(takes) <= set(held):
            return None
        side.append(_product(*_cancel(above, below, changing)))
    if not forward or not backward:
        return None
    return _sum(forward), _sum(backward)


def subtracts(law, changing):
    """Tell whether the sign of a law may change, by its form: it subtracts what changes, but not as in x (x - 1)."""
    changes = bool(_names(law) & changing)
    if _falling_species(law) is not None or isinstance(law, ast.Compare):
        return False
    if isinstance(law, ast.Call) and not changes:  # exp(-k) is a constant like another
        return False
    if isinstance(law, ast.BinOp) and isinstance(law.op, ast.Sub):
        return changes
    if isinstance(law, ast.BinOp) and isinstance(law.op, ast.Pow):
        return subtracts(law.left, changing)
    if isinstance(law, ast.UnaryOp) and isinstance(law.op, ast.USub):
        return True
    return any(subtracts(child, changing) for child in ast.iter_child_nodes(law))


def _names(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _is_number(tree, value):
    return isinstance(tree, ast.Constant) and tree.value == value


def _falling_species(tree):
    """Return the name x of a factor ``x`` or ``x - 1``, ``x - 2``, …; None for others."""
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Sub) and isinstance(tree.left, ast.Name):
        if isinstance(tree.right, ast.Constant) and tree.right.value in range(1, 10):
            return tree.left.id
    return None


def _is_falling(tree, species, k):
    if _falling_species(tree) != species:
        return False
    return isinstance(tree, ast.Name) if k == 0 else isinstance(tree, ast.BinOp) and _is_number(tree.right, k)


def _repeats(tree):
    """Return n of a power ``x**n`` with a small whole n, else None."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Pow) and isinstance(tree.right, ast.Constant):
        if tree.right.value in range(1, 10):
            return int(tree.right.value)
    return None


def _factors(tree):
    """Return the factors above and below the line of a product."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult | ast.Div):
        (left_above, left_below), (right_above, right_below) = _factors(tree.left), _factors(tree.right)
        if isinstance(tree.op, ast.Div):
            right_above, right_below = right_below, right_above
        return [*left_above, *right_above], [*left_below, *right_below]
    if _repeats(tree):
        above, below = _factors(tree.left)
        return above * _repeats(tree), below * _repeats(tree)
    return [tree], []


def _cancel(above, below, changing):
    """Drop what stands above and below the line; what changes may be zero and stays."""
    above, below = list(above), list(below)
    for factor in list(above):
        same = next((other for other in below if ast.dump(other) == ast.dump(factor)), None)
        if same is not None and not _names(factor) & changing:
            above.remove(factor)
            below.remove(same)
    return above, below


def _product(above, below):
    tree = None
    for factor in above:
        tree = factor if tree is None else binary(tree, ast.Mult, factor)
    tree = constant(1) if tree is None else tree
    for factor in below:
        tree = binary(tree, ast.Div, factor)
    return tree


def _sum(trees):
    total = trees[0]
    for tree in trees[1:]:
        total = binary(total, ast.Add, tree)
    return total


def _terms(tree):
    """Return the terms of an expanded sum as (sign, factors above, factors below); x - 1 stays one factor."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return [(-sign, above, below) for sign, above, below in _terms(tree.operand)]
    if isinstance(tree, ast.BinOp) and _falling_species(tree) is None:
        if isinstance(tree.op, ast.Add):
            return _terms(tree.left) + _terms(tree.right)
        if isinstance(tree.op, ast.Sub):
            return _terms(tree.left) + [(-sign, above, below) for sign, above, below in _terms(tree.right)]
        if isinstance(tree.op, ast.Mult):
            return [
                (s1 * s2, above1 + above2, below1 + below2)
                for s1, above1, below1 in _terms(tree.left)
                for s2, above2, below2 in _terms(tree.right)
            ]
        if isinstance(tree.op, ast.Div):
            above2, below2 = _factors(tree.right)
            return [(sign, above + below2, below + above2) for sign, above, below in _terms(tree.left)]
        if _repeats(tree):
            above, below = _factors(tree)
            return [(1, above, below)]
    return [(1, [tree], [])]

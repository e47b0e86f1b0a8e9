"""Expressions of rates as SymPy has them, for what is displayed and differentiated."""

import ast

# What SymPy, which is slow to import and therefore handed in, calls the functions.
_NAMES = {name: name for name in ("exp", "log", "sqrt", "floor", "sin", "cos", "tanh")}
_NAMES |= {"abs": "Abs", "min": "Min", "max": "Max", "ceil": "ceiling"}


def is_truth(node):
    """Tell whether a syntax tree is true or false by its form: a comparison, or some joined by and, or, not."""
    is_not = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return is_not or isinstance(node, ast.Compare | ast.BoolOp)


def to_sympy(node, sympy):
    """Return a syntax tree of arithmetic as an expression of the module `sympy`; every name is a real symbol."""
    if is_truth(node):  # SymPy keeps numbers and truth values apart; here, as in the kernels, true counts as 1
        return sympy.Piecewise((1, _condition(node, sympy)), (0, True))

    if isinstance(node, ast.Constant):
        return sympy.Integer(node.value) if isinstance(node.value, int) else sympy.Float(node.value)
    if isinstance(node, ast.Name):
        return sympy.pi if node.id == "pi" else sympy.Symbol(node.id, real=True)
    if isinstance(node, ast.BinOp):
        left, right = to_sympy(node.left, sympy), to_sympy(node.right, sympy)
        return {
            ast.Add: lambda: left + right,
            ast.Sub: lambda: left - right,
            ast.Mult: lambda: left * right,
            ast.Div: lambda: left / right,
            ast.Pow: lambda: left**right,
        }[type(node.op)]()
    if isinstance(node, ast.UnaryOp):
        value = to_sympy(node.operand, sympy)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.IfExp):
        return sympy.Piecewise(
            (to_sympy(node.body, sympy), _condition(node.test, sympy)), (to_sympy(node.orelse, sympy), True)
        )
    arguments = [to_sympy(argument, sympy) for argument in node.args]
    name = node.func.id
    if name not in _NAMES:  # a Python function: SymPy knows no more than its name
        return sympy.Function(name, real=True)(*arguments)
    return getattr(sympy, _NAMES[name])(*arguments)


def _condition(node, sympy):
    if isinstance(node, ast.Compare):
        relation = {ast.Lt: sympy.Lt, ast.LtE: sympy.Le, ast.Eq: sympy.Eq, ast.NotEq: sympy.Ne}[type(node.ops[0])]
        return relation(to_sympy(node.left, sympy), to_sympy(node.comparators[0], sympy))
    if isinstance(node, ast.BoolOp):
        join = sympy.And if isinstance(node.op, ast.And) else sympy.Or
        return join(*(_condition(value, sympy) for value in node.values))
    if is_truth(node):
        return sympy.Not(_condition(node.operand, sympy))
    return sympy.Ne(to_sympy(node, sympy), 0)

"""Formulas: MathML, as libsbml reads it, becomes the syntax tree of an `Expression`."""

import ast
from functools import reduce

from acme_lib.network.expression import Expression
from acme_lib.sbml.document import import_libsbml, refusal

_AVOGADRO = 6.02214179e23  # the value that SBML Level 3 fixes


def constant(value):
    """Return the tree of a number."""
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def name(text):
    """Return the tree of a name."""
    return ast.Name(text, ast.Load())


def binary(left, operator, right):
    """Return the tree of ``left operator right``, where `operator` is a class such as `ast.Mult`."""
    return ast.BinOp(left, operator(), right)


def to_expression(tree):
    """Return a tree as an `Expression`."""
    return Expression.parse(ast.unparse(tree))


def read_formula(node, symbols, functions, where):
    """Return the syntax tree of a formula.

    Parameters
    ----------
    node : libsbml.ASTNode
    symbols : mapping of str to ast.expr or str
        What stands for each identifier; a text is the reason why it may not be used.
    functions : mapping of str to libsbml.ASTNode
        The lambda of each function definition; calls are written out.
    where : str
        The element, to begin a message.
    """
    libsbml = import_libsbml()

    def read(child):
        return read_formula(child, symbols, functions, where)

    kind = node.getType()
    if node.isNumber():
        return _read_number(node, libsbml, where)
    if kind == libsbml.AST_NAME:
        return _look_up(node.getName(), symbols, where)
    if kind == libsbml.AST_NAME_TIME:
        return name("t")
    if kind in (libsbml.AST_CONSTANT_TRUE, libsbml.AST_CONSTANT_FALSE):
        return _truth(kind == libsbml.AST_CONSTANT_TRUE)
    constants = {
        libsbml.AST_NAME_AVOGADRO: constant(_AVOGADRO),
        libsbml.AST_CONSTANT_PI: name("pi"),
        libsbml.AST_CONSTANT_E: _call("exp", constant(1)),
    }
    if kind in constants:
        return constants[kind]
    if kind == libsbml.AST_FUNCTION and node.getName() in functions:
        return _write_out(node, [read(child) for child in _children(node)], functions, where)
    arguments = [read(child) for child in _operands(node, libsbml)]
    build = _builders(libsbml).get(kind)
    tree = build(*arguments) if build else None
    if tree is None:
        raise refusal(where, f"{_describe(node, libsbml)} is not supported", "write the formula without it")
    return tree


def _children(node):
    return [node.getChild(i) for i in range(node.getNumChildren())]


def _operands(node, libsbml):
    """Return the arguments; those of a sum or a product of many, which libsbml nests in pairs, in one row."""
    kind = node.getType()
    if kind not in (libsbml.AST_PLUS, libsbml.AST_TIMES):
        return _children(node)
    waiting, row = [node], []
    while waiting:
        last = waiting.pop()
        if last.getType() == kind and last.getNumChildren() > 0:
            waiting += _children(last)
        else:
            row.append(last)
    return row[::-1] if node.getNumChildren() else []


def _describe(node, libsbml):
    if node.getType() == libsbml.AST_FUNCTION_PIECEWISE:
        return "a piecewise formula without 'otherwise'"
    text = node.getName() or libsbml.formulaToL3String(node) or "a formula"
    return f"{text!r} in its formula"


def _read_number(node, libsbml, where):
    if node.isInteger():
        return constant(node.getInteger())
    if node.isRational():
        return binary(constant(node.getNumerator()), ast.Div, constant(node.getDenominator()))
    if node.getType() == libsbml.AST_REAL_E:
        value = float(f"{node.getMantissa()!r}e{node.getExponent()}")
    else:
        value = node.getReal()
    if not abs(value) < float("inf"):
        raise refusal(where, f"the number {value} is not supported", "write a finite number")
    return constant(value)


def _look_up(identifier, symbols, where):
    found = symbols.get(identifier, "it is no species, parameter or compartment")
    if isinstance(found, str):
        raise refusal(where, f"{identifier!r} is used in its formula and may not be: {found}", "write it without")
    return found


def _write_out(node, arguments, functions, where):
    """Replace a call by the body of its function definition."""
    definition = functions[node.getName()]
    *formals, body = _children(definition)
    where = f"{where}, function {node.getName()!r}"
    if len(formals) != len(arguments):
        raise refusal(where, f"it takes {len(formals)} arguments and has {len(arguments)}", "correct the call")
    symbols = {formal.getName(): argument for formal, argument in zip(formals, arguments, strict=True)}
    return read_formula(body, symbols, functions, where)


def _call(function, *arguments):
    return ast.Call(name(function), list(arguments), [])


def _truth(value):
    return ast.Compare(constant(0), [ast.Eq()], [constant(0 if value else 1)])


def _fold(operator, empty):
    def build(*arguments):
        if len(arguments) > 100:  # a long sum in halves, so that its tree is not deep
            middle = len(arguments) // 2
            return binary(build(*arguments[:middle]), operator, build(*arguments[middle:]))
        return reduce(lambda left, right: binary(left, operator, right), arguments) if arguments else constant(empty)

    return build


def _minus(left, right=None):
    return ast.UnaryOp(ast.USub(), left) if right is None else binary(left, ast.Sub, right)


def _join(operator, empty):
    def build(*arguments):
        if len(arguments) < 2:
            return arguments[0] if arguments else _truth(empty)
        return ast.BoolOp(operator(), list(arguments))

    return build


def _xor(*arguments):
    def either(left, right):
        not_both = ast.UnaryOp(ast.Not(), ast.BoolOp(ast.And(), [left, right]))
        return ast.BoolOp(ast.And(), [ast.BoolOp(ast.Or(), [left, right]), not_both])

    return reduce(either, arguments) if arguments else _truth(False)


def _compare(operator):
    def build(*arguments):
        pairs = [
            ast.Compare(left, [operator()], [right]) for left, right in zip(arguments, arguments[1:], strict=False)
        ]
        return _join(ast.And, True)(*pairs)

    return build


def _piecewise(*arguments):
    """Return nested choices from value, condition, value, condition, …, otherwise; None without the last."""
    if len(arguments) % 2 == 0:
        return None
    tree = arguments[-1]
    for i in range(len(arguments) - 3, -1, -2):
        tree = ast.IfExp(arguments[i + 1], arguments[i], tree)
    return tree


def _exponential(sign):
    """Return a builder of (exp(x) ± exp(-x)) / 2."""

    def build(x):
        minus = _call("exp", ast.UnaryOp(ast.USub(), x))
        return binary(binary(_call("exp", x), sign, minus), ast.Div, constant(2))

    return build


def _inverse(build):
    return lambda x: binary(constant(1), ast.Div, build(x))


def _tan(x):
    return binary(_call("sin", x), ast.Div, _call("cos", x))


def _one(function):
    return lambda x: _call(function, x)


def _builders(libsbml):
    """Return what makes a tree from the trees of the arguments, by the kind of MathML element."""
    sinh, cosh = _exponential(ast.Sub), _exponential(ast.Add)
    return {
        libsbml.AST_PLUS: _fold(ast.Add, 0),
        libsbml.AST_TIMES: _fold(ast.Mult, 1),
        libsbml.AST_MINUS: _minus,
        libsbml.AST_DIVIDE: lambda a, b: binary(a, ast.Div, b),
        libsbml.AST_POWER: lambda a, b: binary(a, ast.Pow, b),
        libsbml.AST_FUNCTION_POWER: lambda a, b: binary(a, ast.Pow, b),
        libsbml.AST_FUNCTION_ROOT: lambda *a: (
            _call("sqrt", a[-1]) if len(a) == 1 else binary(a[1], ast.Pow, binary(constant(1), ast.Div, a[0]))
        ),
        libsbml.AST_FUNCTION_LN: _one("log"),
        libsbml.AST_FUNCTION_LOG: lambda *a: binary(
            _call("log", a[-1]), ast.Div, _call("log", a[0] if len(a) == 2 else constant(10))
        ),
        libsbml.AST_FUNCTION_EXP: _one("exp"),
        libsbml.AST_FUNCTION_ABS: _one("abs"),
        libsbml.AST_FUNCTION_FLOOR: _one("floor"),
        libsbml.AST_FUNCTION_CEILING: _one("ceil"),
        libsbml.AST_FUNCTION_SIN: _one("sin"),
        libsbml.AST_FUNCTION_COS: _one("cos"),
        libsbml.AST_FUNCTION_TAN: _tan,
        libsbml.AST_FUNCTION_SEC: _inverse(_one("cos")),
        libsbml.AST_FUNCTION_CSC: _inverse(_one("sin")),
        libsbml.AST_FUNCTION_COT: _inverse(_tan),
        libsbml.AST_FUNCTION_SINH: sinh,
        libsbml.AST_FUNCTION_COSH: cosh,
        libsbml.AST_FUNCTION_TANH: _one("tanh"),
        libsbml.AST_FUNCTION_SECH: _inverse(cosh),
        libsbml.AST_FUNCTION_CSCH: _inverse(sinh),
        libsbml.AST_FUNCTION_COTH: _inverse(_one("tanh")),
        libsbml.AST_FUNCTION_MIN: lambda *a: _call("min", *a) if len(a) > 1 else a[0],
        libsbml.AST_FUNCTION_MAX: lambda *a: _call("max", *a) if len(a) > 1 else a[0],
        libsbml.AST_FUNCTION_PIECEWISE: _piecewise,
        libsbml.AST_LOGICAL_AND: _join(ast.And, True),
        libsbml.AST_LOGICAL_OR: _join(ast.Or, False),
        libsbml.AST_LOGICAL_XOR: _xor,
        libsbml.AST_LOGICAL_NOT: lambda a: ast.UnaryOp(ast.Not(), a),
        libsbml.AST_LOGICAL_IMPLIES: lambda a, b: ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not(), a), b]),
        libsbml.AST_RELATIONAL_EQ: _compare(ast.Eq),
        libsbml.AST_RELATIONAL_NEQ: _compare(ast.NotEq),
        libsbml.AST_RELATIONAL_LT: _compare(ast.Lt),
        libsbml.AST_RELATIONAL_LEQ: _compare(ast.LtE),
        libsbml.AST_RELATIONAL_GT: _compare(ast.Gt),
        libsbml.AST_RELATIONAL_GEQ: _compare(ast.GtE),
    }

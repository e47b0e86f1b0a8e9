"""Arithmetic expressions of rate laws: read once, then used as data.

An expression is parsed by Python's own parser into a syntax tree, of which only arithmetic is let through; nothing is
ever ``eval``-ed. One tree serves every use: `Expression.evaluate` (NumPy), `Expression.program` (a postfix program that
a compiled kernel interprets, so that a new rate law needs no compilation) and `Expression.sympy` (what is displayed).
"""

import ast
import copy
import difflib
import functools
import keyword
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from acme_lib.errors import NetworkSyntaxError, PropensityError
from acme_lib.network.functions import FIRST_ADDRESS, accepts, address_of
from acme_lib.network.to_sympy import is_truth, to_sympy

# The instructions of a program. An operand is an index (SPECIES, PARAMETER) or a number (CONSTANT), else unused.
# Codes from FIRST_ADDRESS on call the function at that address; their operand is the number of arguments.
(
    CONSTANT,
    SPECIES,
    PARAMETER,
    TIME,
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    POWER,
    NEGATE,
    MINIMUM,
    MAXIMUM,
    LESS,
    LESS_EQUAL,
    EQUAL,
    NOT_EQUAL,
    AND,
    OR,
    NOT,
    SELECT,
    EXP,
    LOG,
    SQRT,
    ABS,
    FLOOR,
    CEIL,
    SIN,
    COS,
    TANH,
) = range(29)

_GRAMMAR = ("and", "or", "not", "if", "else")
MAX_STACK = 64  # the values that a program may keep at once: scratch space of the kernels

_BINARY = {ast.Add: ADD, ast.Sub: SUBTRACT, ast.Mult: MULTIPLY, ast.Div: DIVIDE, ast.Pow: POWER}
_COMPARE = {ast.Lt: LESS, ast.LtE: LESS_EQUAL, ast.Eq: EQUAL, ast.NotEq: NOT_EQUAL}
_ONE_ARGUMENT = {
    "exp": EXP,
    "log": LOG,
    "sqrt": SQRT,
    "abs": ABS,
    "floor": FLOOR,
    "ceil": CEIL,
    "sin": SIN,
    "cos": COS,
    "tanh": TANH,
}
# Rate laws by name, written out in terms of their arguments.
_NAMED_LAWS = {
    "mm": (("X", "v", "K"), "v*X/(X + K)"),
    "hill": (("X", "v", "K", "n"), "v*X**n/(X**n + K**n)"),
    "hillr": (("X", "v", "K", "n"), "v*K**n/(X**n + K**n)"),
}
FUNCTIONS = sorted([*_ONE_ARGUMENT, *_NAMED_LAWS, "min", "max"])
CONSTANTS = {"pi": float(np.pi)}
RESERVED = {"t": "the time", **{name: "a function" for name in FUNCTIONS}, "pi": "the number 3.14159…"}

# One entry an instruction: how many values it takes, and what it does to them (NumPy, elementwise).
_MEANING = {
    ADD: (2, np.add),
    SUBTRACT: (2, np.subtract),
    MULTIPLY: (2, np.multiply),
    DIVIDE: (2, np.divide),
    POWER: (2, np.power),
    NEGATE: (1, np.negative),
    MINIMUM: (2, np.minimum),
    MAXIMUM: (2, np.maximum),
    LESS: (2, np.less),
    LESS_EQUAL: (2, np.less_equal),
    EQUAL: (2, np.equal),
    NOT_EQUAL: (2, np.not_equal),
    AND: (2, np.logical_and),
    OR: (2, np.logical_or),
    NOT: (1, np.logical_not),
    SELECT: (3, np.where),
    EXP: (1, np.exp),
    LOG: (1, np.log),
    SQRT: (1, np.sqrt),
    ABS: (1, np.abs),
    FLOOR: (1, np.floor),
    CEIL: (1, np.ceil),
    SIN: (1, np.sin),
    COS: (1, np.cos),
    TANH: (1, np.tanh),
}


def suggest(name, known):
    """Return ``" (did you mean 'x'?)"`` for the known name nearest to `name`, or an empty string."""
    other_case = [candidate for candidate in known if candidate.casefold() == name.casefold()]
    near = other_case or difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


@dataclass(frozen=True)
class Expression:
    """An arithmetic expression in named quantities, with `t` for the time.

    Build it with `Expression.parse`. `names` are the free names in order of appearance, without `t`; `functions` are
    the (name, function) pairs of the Python functions that it calls.
    """

    text: str
    tree: ast.expr = field(repr=False, compare=False)
    functions: tuple = field(default=(), repr=False)

    @classmethod
    def parse(cls, text, functions=None):
        """Read `text`; ``**`` and ``^`` are both powers. `functions` maps names that may be called to functions.

        Raises
        ------
        NetworkSyntaxError
            If the text is not arithmetic; the message says where.
        """
        source, functions = text.strip(), functions or {}
        if not source:
            raise NetworkSyntaxError("an expression is missing; write for example 'M -> 0 : k' or 'K = 2*k'")
        try:
            tree = _allow(ast.parse(source.replace("^", "**"), mode="eval").body, functions)
        except NetworkSyntaxError:
            raise
        except (RecursionError, MemoryError):
            raise NetworkSyntaxError(
                f"the expression {_shorten(source)!r} is too long or too deeply nested; define its parts by name"
            ) from None
        except (SyntaxError, ValueError) as error:
            raise NetworkSyntaxError(
                f"{_shorten(source)!r} is not an arithmetic expression ({_reason(source, error)}); "
                "write for example k*M/(K + M)"
            ) from None
        calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call)}
        return cls(source, tree, tuple((name, f) for name, f in functions.items() if name in calls))

    @cached_property
    def names(self):
        """Free names in order of appearance, without the time `t`, constants and functions."""
        found = {}
        _collect_names(self.tree, found)
        return tuple(name for name in found if name != "t" and name not in CONSTANTS)

    @cached_property
    def uses_time(self):
        """Whether the time `t` occurs."""
        found = {}
        _collect_names(self.tree, found)
        return "t" in found

    @property
    def is_condition(self):
        """Whether it is true or false by form: a comparison, or one joined by ``and``, ``or``, ``not``."""
        return is_truth(self.tree)

    def substitute(self, replacements):
        """Return the expression with names replaced by expressions.

        Parameters
        ----------
        replacements : mapping of str to Expression
        """
        if not any(name in replacements for name in self.names):
            return self
        trees = {name: expression.tree for name, expression in replacements.items()}
        tree = _Substitute(trees).visit(copy.deepcopy(self.tree))
        called = dict(self.functions)
        for name in self.names:
            if name in replacements:
                called |= dict(replacements[name].functions)
        return Expression(ast.unparse(tree), tree, tuple(called.items()))

    def program(self, species, parameters):
        """Compile to a postfix program over state, parameters and time.

        Parameters
        ----------
        species, parameters : sequence of str
            The names, in the order of the state and parameter vectors.

        Returns
        -------
        codes : ndarray of int64, shape (n,)
        operands : ndarray of float64, shape (n,)
            Index of the species or parameter, or the constant.
        """
        index = {name: (PARAMETER, i) for i, name in enumerate(parameters)}
        index |= {name: (SPECIES, i) for i, name in enumerate(species)}
        index |= {name: (CONSTANT, value) for name, value in CONSTANTS.items()}
        index["t"] = (TIME, 0)
        index |= {("call", name): functools.partial(address_of, function) for name, function in self.functions}
        return self._program(index)

    def _program(self, index):
        instructions = []
        _emit(self.tree, index, instructions)
        codes, operands = zip(*instructions, strict=True)
        growth = [1 if code <= TIME else 1 - count_arguments(code, operand) for code, operand in instructions]
        if np.cumsum(growth).max() > MAX_STACK:
            raise NetworkSyntaxError(
                f"{_shorten(self.text)!r} is nested more than {MAX_STACK} deep; define its parts by name"
            )
        return np.array(codes, dtype=np.int64), np.array(operands, dtype=np.float64)

    def evaluate(self, values):
        """Evaluate on numbers or broadcasting arrays.

        Parameters
        ----------
        values : mapping of str to array_like
            A value for each name in `names`, and for `t` where it occurs.

        Returns
        -------
        ndarray or float
        """
        names = [name for name in values if name != "t"]
        index = {name: (CONSTANT, value) for name, value in CONSTANTS.items()} | {"t": (TIME, 0)}
        index |= {name: (PARAMETER, i) for i, name in enumerate(names)}
        # Python itself calls the functions here: nothing to compile, and their exceptions can be shown.
        index |= {("call", name): lambda _, i=i: FIRST_ADDRESS + i for i, (name, _) in enumerate(self.functions)}
        codes, operands = self._program(index)
        stack = []
        with np.errstate(all="ignore"):
            for code, operand in zip(codes, operands, strict=True):
                if code == CONSTANT:
                    stack.append(operand)
                elif code == PARAMETER:
                    stack.append(np.asarray(values[names[int(operand)]], dtype=float))
                elif code == TIME:
                    stack.append(np.asarray(values["t"], dtype=float))
                else:
                    count = count_arguments(code, operand)
                    arguments = stack[len(stack) - count :]
                    del stack[len(stack) - count :]
                    if code >= FIRST_ADDRESS:
                        stack.append(_call(*self.functions[code - FIRST_ADDRESS], arguments))
                        continue
                    meaning = _MEANING[code][1]
                    # True and False count as 1 and 0, as in the kernels: NumPy would add truth values as "or".
                    stack.append(np.asarray(meaning(*arguments), dtype=float))
        return np.asarray(stack[0], dtype=float)[()]

    def sympy(self):
        """Return the expression as a SymPy expression; every name is a symbol."""
        import sympy

        return to_sympy(self.tree, sympy)

    def latex(self):
        """Return the expression in LaTeX."""
        import sympy

        return sympy.latex(self.sympy(), order="none")


def count_arguments(code, operand=0):
    """Return how many values an instruction takes."""
    return int(operand) if code >= FIRST_ADDRESS else _MEANING[code][0]


def _call(name, function, arguments):
    def call(*values):
        values = [float(value) for value in values]
        try:
            return float(function(*values))
        except Exception as error:
            shown = ", ".join(f"{value:g}" for value in values)
            raise PropensityError(f"{name}({shown}) raised {type(error).__name__}: {error}") from error

    return np.vectorize(call, otypes=[float])(*arguments) if arguments else np.asarray(call())


def _reason(source, error):
    words = [word for word in re.findall(r"[^\W\d]\w*", source) if keyword.iskeyword(word) and word not in _GRAMMAR]
    if words:
        return f"{words[0]} is a word of Python and cannot name a quantity: write {words[0]}_"
    return getattr(error, "msg", None) or str(error)


def _shorten(text):
    return text if len(text) <= 60 else f"{text[:57]}…"


def _allow(node, functions):
    """Return the tree with named rate laws written out; refuse everything that is not arithmetic."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        try:
            float(node.value)
        except OverflowError:
            raise NetworkSyntaxError("a number is too large: it exceeds 1.8e308") from None
        return node
    if isinstance(node, ast.Name):
        if node.id in FUNCTIONS or node.id in functions:
            raise NetworkSyntaxError(f"{node.id} is a function and needs its arguments, as in {node.id}(…)")
        return node
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return ast.BinOp(_allow(node.left, functions), node.op, _allow(node.right, functions))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd | ast.Not):
        return ast.UnaryOp(node.op, _allow(node.operand, functions))
    if isinstance(node, ast.IfExp):
        return ast.IfExp(_allow(node.test, functions), _allow(node.body, functions), _allow(node.orelse, functions))
    if isinstance(node, ast.BoolOp):
        return ast.BoolOp(node.op, [_allow(value, functions) for value in node.values])
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _allow_comparison(node, functions)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _allow_call(node, functions)
    raise NetworkSyntaxError(
        f"{ast.unparse(node)!r} is not allowed in a rate; use numbers, names, + - * / **, comparisons, "
        f"'a if condition else b' and the functions {', '.join(FUNCTIONS)}"
    )


def _allow_comparison(node, functions):
    left, right = _allow(node.left, functions), _allow(node.comparators[0], functions)
    operator = node.ops[0]
    if isinstance(operator, ast.Gt | ast.GtE):  # a > b is b < a: one instruction each less
        return ast.Compare(right, [ast.Lt() if isinstance(operator, ast.Gt) else ast.LtE()], [left])
    if type(operator) not in _COMPARE:
        raise NetworkSyntaxError(f"the comparison in {ast.unparse(node)!r} is not one of < <= > >= == !=")
    return ast.Compare(left, [operator], [right])


def _allow_call(node, functions):
    name = node.func.id
    arguments = [_allow(argument, functions) for argument in node.args]
    if name in functions:
        if not accepts(functions[name], len(arguments)):
            raise NetworkSyntaxError(f"the function {name} cannot be called with {len(arguments)} arguments")
        return ast.Call(node.func, arguments, [])
    if name not in FUNCTIONS:
        raise NetworkSyntaxError(
            f"{name} is not a known function{suggest(name, [*FUNCTIONS, *functions])}; the functions are "
            f"{', '.join(FUNCTIONS)}, and yours: parse(text, {name}=function)"
        )
    if name in _NAMED_LAWS:
        formals, law = _NAMED_LAWS[name]
        _expect_arguments(name, arguments, len(formals), f"{name}({', '.join(formals)}) is {law}")
        return _Substitute(dict(zip(formals, arguments, strict=True))).visit(ast.parse(law, mode="eval").body)
    if name in ("min", "max"):
        if len(arguments) < 2:
            raise NetworkSyntaxError(f"{name} takes two or more arguments and has {len(arguments)}")
    else:
        _expect_arguments(name, arguments, 1, f"{name}(x)")
    return ast.Call(node.func, arguments, [])


def _expect_arguments(name, arguments, count, usage):
    if len(arguments) != count:
        raise NetworkSyntaxError(f"{name} takes {count} arguments and has {len(arguments)}: {usage}")


class _Substitute(ast.NodeTransformer):
    def __init__(self, replacements):
        self.replacements = replacements

    def visit_Name(self, node):  # noqa: N802 (the name that ast.NodeTransformer calls)
        return self.replacements.get(node.id, node)


def _collect_names(tree, found):
    if isinstance(tree, ast.Name):
        found[tree.id] = True
    elif isinstance(tree, ast.Call):
        for argument in tree.args:
            _collect_names(argument, found)
    else:
        for child in ast.iter_child_nodes(tree):
            _collect_names(child, found)


def _emit(node, index, out):
    if isinstance(node, ast.Constant):
        out.append((CONSTANT, float(node.value)))
    elif isinstance(node, ast.Name):
        out.append(index[node.id])
    elif isinstance(node, ast.BinOp):
        _emit(node.left, index, out)
        _emit(node.right, index, out)
        out.append((_BINARY[type(node.op)], 0))
    elif isinstance(node, ast.UnaryOp):
        _emit(node.operand, index, out)
        if not isinstance(node.op, ast.UAdd):
            out.append((NOT if isinstance(node.op, ast.Not) else NEGATE, 0))
    elif isinstance(node, ast.IfExp):
        for part in (node.test, node.body, node.orelse):
            _emit(part, index, out)
        out.append((SELECT, 0))
    elif isinstance(node, ast.Compare):
        _emit(node.left, index, out)
        _emit(node.comparators[0], index, out)
        out.append((_COMPARE[type(node.ops[0])], 0))
    elif isinstance(node, ast.Call) and ("call", node.func.id) in index:
        for argument in node.args:
            _emit(argument, index, out)
        out.append((index["call", node.func.id](len(node.args)), len(node.args)))
    else:  # a call or a Boolean operation: fold the arguments from the left
        if isinstance(node, ast.BoolOp):
            arguments, code = node.values, AND if isinstance(node.op, ast.And) else OR
        elif node.func.id in _ONE_ARGUMENT:
            arguments, code = node.args, _ONE_ARGUMENT[node.func.id]
        else:
            arguments, code = node.args, MINIMUM if node.func.id == "min" else MAXIMUM
        _emit(arguments[0], index, out)
        if len(arguments) == 1:
            out.append((code, 0))
        for argument in arguments[1:]:
            _emit(argument, index, out)
            out.append((code, 0))


_IDENTIFIER = re.compile(r"[^\W\d]\w*\Z")


def is_name(text):
    """Tell whether `text` can name a species or a parameter."""
    return bool(_IDENTIFIER.match(text)) and text not in RESERVED and not keyword.iskeyword(text)


def why_no_name(text):
    """Return what a text that is no name is instead, to complete "… is …"."""
    if keyword.iskeyword(text):
        return f"a word of Python; write {text}_"
    return RESERVED.get(text, "not a name, which is a letter followed by letters, digits and _")


def normal_name(text):
    """Return the name as Python's parser spells it: ``µ`` (the sign on a keyboard) and ``μ`` (the letter) are one."""
    return unicodedata.normalize("NFKC", text)

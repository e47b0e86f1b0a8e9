"""The variants of the exercises as a student writes them: the text of an answer cell for each.

The cell holds the variant and what it needs of its module (imports, helpers), and nothing else of it.
"""

import ast
import copy
import runpy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_name("exercise_variants.py")
# A right answer to `mean_waiting_time` that is compiled.
COMPILED = """\
import numba
import numpy as np


@numba.njit
def _total(x):
    s = 0.0
    for v in x:
        s += v
    return s


def mean_waiting_time(propensities):
    t = _total(propensities)
    return 1.0 / t if t > 0 else np.inf
"""


@dataclass(frozen=True)
class Variant:
    """An answer to an exercise, right or wrong.

    Attributes
    ----------
    exercise : str
    source : str
        The text of the answer cell.
    function : callable
        The same, from the module itself.
    fails : tuple of str
        The test cells whose points it loses; empty where it is right.
    """

    exercise: str
    source: str
    function: object
    fails: tuple = ()


@cache
def read_variants():
    """Return the right variants, the wrong ones, and the test cells of each exercise."""
    module = runpy.run_path(str(PATH))
    text = PATH.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.encode().split(b"\n")
    homes = _find_homes(tree)
    found = {"right": [], "wrong": []}
    for kind, answer in _registrations(tree):
        found[kind].append(_slice(lines, homes, answer))
    right = [Variant(e, _give(e, *code), f) for (e, f), code in zip(module["RIGHT"], found["right"], strict=True)]
    wrong = [
        Variant(w.exercise, _give(w.exercise, *code), w.function, tuple(w.fails))
        for w, code in zip(module["WRONG"], found["wrong"], strict=True)
    ]
    return tuple(right), tuple(wrong), module["CELLS"]


def _find_homes(tree):
    """Return the statements of the module that bind each of its names (`scipy` is bound by several imports)."""
    homes = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [(name.asname or name.name).split(".")[0] for name in node.names]
        elif isinstance(node, ast.Assign):
            names = [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
        else:
            continue
        for name in names:
            homes.setdefault(name, []).append(node)
    return homes


def _registrations(tree):
    """Yield ``right`` or ``wrong`` and the definition, or the expression, of each variant in the module's order."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if (kind := _kind(decorator)) is not None:
                    yield kind, node
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if (kind := _kind(node.value.func)) is not None:
                yield kind, node.value.args[0]


def _kind(call):
    name = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
    return name if name in ("right", "wrong") else None


def _slice(lines, homes, answer):
    """Return the statements that an answer needs, and the expression that is the function."""
    needed, waiting = [], [answer]
    while waiting:
        node = waiting.pop()
        for name in {n.id for n in ast.walk(_bare(node)) if isinstance(n, ast.Name)}:
            fresh = [home for home in homes.get(name, ()) if home not in needed and home is not answer]
            needed += fresh
            waiting += fresh
    if isinstance(answer, ast.FunctionDef):
        needed.append(answer)
        expression = answer.name
    else:
        expression = _segment(lines, answer)
    needed.sort(key=lambda node: node.lineno)
    return [_text(lines, node) for node in needed], expression


def _bare(node):
    """Return a definition without the decorators that register it."""
    if not isinstance(node, ast.FunctionDef):
        return node
    bare = copy.copy(node)
    bare.decorator_list = [d for d in node.decorator_list if _kind(d) is None]
    return bare


def _text(lines, node):
    decorators = _bare(node).decorator_list if isinstance(node, ast.FunctionDef) else []
    return "\n".join([*(f"@{_segment(lines, d)}" for d in decorators), _segment(lines, node)])


def _segment(lines, node):
    """As `ast.get_source_segment`, which splits the whole file each time."""
    part = lines[node.lineno - 1 : node.end_lineno]
    part[-1] = part[-1][: node.end_col_offset]
    part[0] = part[0][node.col_offset :]
    return b"\n".join(part).decode()


def _give(exercise, statements, expression):
    imports = [part for part in statements if part.startswith(("import ", "from "))]
    rest = [part for part in statements if part not in imports]
    return "\n\n\n".join(["\n".join(imports), *rest, f"{exercise} = {expression}"]).lstrip()

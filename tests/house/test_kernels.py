"""What kernels may not do: reach a table by a bare index, or write the mass-action form again."""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "acme_lib"
ROOMS = ("network", "simulate", "master", "processes")
TABLES = {"table", "rates", "rate_table", "conditions"}  # what kernels call a RateTable or a ConditionTable
HOME = LIBRARY / "network" / "rates.py"  # where the form stands


def kernels_of(path):
    """Return the functions of a file that numba compiles."""
    tree = ast.parse(path if isinstance(path, str) else path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [f for f in functions if any("njit" in ast.unparse(decorator) for decorator in f.decorator_list)]


def bare_indices(kernel):
    """Return where a kernel reaches a table by a number or a slice of numbers."""

    def is_number(node):
        if isinstance(node, ast.Slice):
            return all(part is None or is_number(part) for part in (node.lower, node.upper))
        if isinstance(node, ast.UnaryOp):
            return is_number(node.operand)
        return isinstance(node, ast.Constant) and isinstance(node.value, int)

    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(kernel)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in TABLES
        and is_number(node.slice)
    ]


def mass_action_forms(kernel):
    """Return where a kernel writes ``… * (x[…] - shift…)``, whatever the arrays are called."""

    def reads(node):
        """The entry's array, and whether its index is itself an entry: ``x[first[j]]``."""
        return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Subscript)

    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(kernel)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult)
        and isinstance(node.right, ast.BinOp)
        and isinstance(node.right.op, ast.Sub)
        and reads(node.right.left)
        and isinstance(node.right.right, ast.Subscript)
    ]


FILES = sorted(path for room in ROOMS for path in (LIBRARY / room).rglob("*.py") if kernels_of(path))


def test_kernels_are_found():
    names = {path.name for path in FILES}
    assert {"rates.py", "ssa.py", "next_reaction.py", "tau_leap.py", "langevin.py", "generator.py"} <= names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_tables_are_read_by_field(path):
    assert [found for kernel in kernels_of(path) for found in bare_indices(kernel)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_mass_action_is_written_once(path):
    forms = [found for kernel in kernels_of(path) for found in mass_action_forms(kernel)]
    assert len(forms) == (1 if path == HOME else 0), forms


SEEDED = """
@njit(cache=True)
def kernel(j, x, table, rates):
    scale, shift, first, second = table[0], table[1], rates[2:4][0], table.second
    return scale[j] * x[first[j]] * (x[second[j]] - shift[j])

@njit
def sound(j, x, table, row):
    return table.scale[j] * (x[j] - row[0]) * x[table.first[j]]
"""


def test_a_breach_is_found():
    breach, sound = kernels_of(SEEDED)
    assert len(bare_indices(breach)) == 3
    assert len(mass_action_forms(breach)) == 1
    assert bare_indices(sound) == mass_action_forms(sound) == []


def test_each_status_has_one_number():
    """Statuses stand in `acme_lib.network.status`; nobody else gives one of these names a number."""
    from acme_lib.network import status

    named = {name: value for name, value in vars(status).items() if name.isupper()}
    assert len(set(named.values())) == len(named) >= 15
    for path in LIBRARY.rglob("*.py"):
        if path.name == "status.py":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            names = [
                leaf.id.lstrip("_") for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)
            ]
            for name in names:
                assert name not in named or name == "BELOW_ZERO", f"{path.name} gives {name} a number of its own"

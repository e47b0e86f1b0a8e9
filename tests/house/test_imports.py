"""The walls: which room of acme_lib may import which, and what the import of the whole costs."""

import ast
import graphlib
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"network", "processes", "models", "sbml", "simulate", "master", "augmented", "laws", "noise", "approximate"}
# Single files that any room may use: they know nothing of the course.
TOOLS = {
    "errors",
    "checks",
    "arrays",
    "distance",
    "elimination",
    "cost",
    "files",
    "interrupt",
    "kernel_cache",
    "progress",
    "random_stream",
    "extras",
    "limits",
}
SCIENCE = TOOLS | ROOMS

# What each room may import from acme_lib. The package itself (`acme_lib/__init__.py`) only lends names: it is the
# door through which a notebook enters, and no room may enter by it.
MAY_IMPORT = {
    "errors": set(),
    "checks": {"errors"},
    "arrays": set(),
    "distance": set(),
    "elimination": set(),
    "cost": {"errors"},
    "files": set(),
    "interrupt": set(),
    "kernel_cache": set(),
    "progress": {"kernel_cache"},
    "random_stream": set(),
    "extras": {"errors"},
    "limits": set(),
    "network": TOOLS,
    "processes": TOOLS | {"network"},
    "models": TOOLS | {"network"},
    "sbml": TOOLS | {"network"},
    "simulate": TOOLS | {"network", "processes"},
    "master": TOOLS | {"network"},
    "augmented": TOOLS | {"network", "processes"},
    "approximate": TOOLS | {"network", "simulate", "master"},
    "laws": TOOLS,
    "noise": TOOLS | {"laws"},
    "plot": SCIENCE,
    "cases": SCIENCE | {"plot"},
    "teach": SCIENCE | {"plot"},
    # The grader knows nothing of how exercises are built, nor of reports; what builds asks it about the course.
    "grade": TOOLS | {"teach"},
    "build": TOOLS | {"teach", "grade", "cases"},  # the book has their gallery
    "report": TOOLS | {"plot", "teach", "grade", "build"},
    "cli": SCIENCE | {"plot", "teach", "grade", "report", "build"},
}
MAY_DRAW = {"plot", "teach", "cli"}
DRAWING = {"matplotlib", "ipywidgets", "IPython"}
# One name of IPython translates a cell as Jupyter would (magics, `!`) and displays nothing: submissions are so read.
DRAWS_NOTHING = {("grade", "IPython.core.inputtransformer2.TransformerManager")}
MODULES = sorted((ROOT / "acme_lib").rglob("*.py"))


def imported_names(source, package):
    """Absolute dotted names that a module imports, also inside functions and through `importlib.import_module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from acme_lib import plot` imports acme_lib.plot; `from acme_lib.plot import show` stays in that room.
            yield from (f"{stem}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            if node.args and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def room_of(path):
    return path.relative_to(ROOT / "acme_lib").parts[0].removesuffix(".py")


def breaches(room, source, package):
    """What a source in `room` imports that it may not."""
    found = []
    for name in imported_names(source, package):
        top, _, rest = name.partition(".")
        if top == "acme_lib":
            target = rest.split(".")[0]
            if target != room and target not in MAY_IMPORT[room] and target != "__version__":
                found.append(name)
        elif top in DRAWING and room not in MAY_DRAW and (room, name) not in DRAWS_NOTHING:
            found.append(name)
    return found


def package_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1])


def test_imports_point_one_way():
    for path in MODULES:
        room = room_of(path)
        source = path.read_text(encoding="utf-8")
        if room == "__init__":
            # but for the folder of the kernels, which must be known before numba is there
            assert [name for name in imported_names(source, "acme_lib") if name.startswith("acme_lib")] == [
                "acme_lib.kernel_cache"
            ], "acme_lib/__init__.py loads its rooms when a name is first used, never before"
            continue
        assert room in MAY_IMPORT, f"{room} is a new room: give it its line in MAY_IMPORT"
        assert breaches(room, source, package_of(path)) == [], path


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("network", "from acme_lib.simulate import simulate_ssa"),
        ("simulate", "def f():\n    from acme_lib import master"),
        ("master", "from ..simulate.exact import step"),
        ("models", "import acme_lib.laws"),
        ("laws", "import acme_lib.noise"),
        ("noise", "import importlib\nimportlib.import_module('acme_lib.network')"),
        ("plot", "from ..teach import Slider"),
        ("plot", "import acme_lib.cases"),
        ("cases", "import matplotlib.pyplot as plt"),
        ("teach", "import acme_lib.cli"),
        ("teach", "from acme_lib.build import release"),
        ("grade", "from acme_lib.simulate import simulate_ssa"),
        ("grade", "import matplotlib.pyplot as plt"),
        ("grade", "from IPython.display import display"),
        ("grade", "import IPython"),
        ("teach", "import acme_lib.grade.boundary.jupyter"),
        ("noise", "from IPython.core.inputtransformer2 import TransformerManager"),
        ("grade", "from acme_lib.build.exercises import build_assignments"),
        ("build", "from acme_lib.report.marks import read_marks"),
        ("master", "import matplotlib.pyplot as plt"),
        ("simulate", "def f():\n    from IPython.display import display"),
        ("network", "import acme_lib"),
    ],
)
def test_a_breach_is_seen(room, source):
    assert breaches(room, source, f"acme_lib.{room}")


def test_what_is_allowed_is_not_a_breach():
    source = (
        "from acme_lib.network import Reaction\nfrom .streams import spawn\nfrom . import streams\nimport numpy as np"
    )
    assert breaches("simulate", source, "acme_lib.simulate") == []


def read_tree(folder):
    """The sources of a package, by dotted name; a package is named after its folder."""
    sources = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return sources


def home_of(name, sources, packages):
    """The module that a dotted name comes from: where a package only lends a name, the module that lends it."""
    parts = name.split(".")
    while parts and ".".join(parts) not in sources:
        parts.pop()
    module, rest = ".".join(parts), name.split(".")[len(parts) :]
    if module in packages and rest:
        lent = find_lender(rest[0], module, sources)
        return home_of(lent, sources, packages) if lent else module
    return module


def find_lender(name, package, sources):
    """The dotted name behind a name of a package: imported in its `__init__`, or named in a table of homes there."""
    for node in ast.walk(ast.parse(sources[package])):
        if isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return f"{stem}.{alias.name}"
        elif isinstance(node, ast.Dict):  # {"home": ["name", ...]}
            for key, value in zip(node.keys, node.values, strict=True):
                names = [item.value for item in ast.walk(value) if isinstance(item, ast.Constant)]
                if isinstance(key, ast.Constant) and isinstance(key.value, str) and name in names:
                    home = key.value if key.value.startswith("acme_lib") else f"{package}{key.value}"
                    return f"{home}.{name}" if home in sources else None
    return None


def only_lends(source):
    """Whether an `__init__` defines nothing of its own."""
    defined = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return set(defined) <= {"__getattr__", "__dir__"}


def find_circle(sources):
    """A circle of imports between modules, those inside functions too; None where there is none."""
    packages = {name.rpartition(".")[0] for name in sources} & set(sources)
    graph = {}
    for module, source in sources.items():
        package = module if module in packages else module.rpartition(".")[0]
        names = [name for name in imported_names(source, package) if name.split(".")[0] == "acme_lib"]
        homes = {home_of(name, sources, packages) for name in names}
        # What a package's `__init__` lends is resolved where it is used; that it lends it makes no circle.
        graph[module] = set() if only_lends(source) and module in packages else homes - {module, ""}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return None


def test_no_two_files_import_each_other():
    """Nor more than two in a ring: what cannot be understood alone is not two modules."""
    assert find_circle(read_tree(ROOT / "acme_lib")) is None


@pytest.mark.parametrize(
    "sources",
    [
        {"a": "from acme_lib.b import x", "b": "def f():\n    from acme_lib.a import y"},
        {
            "a": "import acme_lib.b",
            "b": "import acme_lib.c",
            "c": "import importlib\nimportlib.import_module('acme_lib.a')",
        },
        {
            "a": "from acme_lib.room import name",
            "room": "from .b import name",
            "room.b": "def f():\n    import acme_lib.a",
        },
        {
            "a": "from acme_lib.room import name",
            "room": "_HOMES = {'acme_lib.room.b': ['name']}",
            "room.b": "def f():\n    from .. import a",
        },
        {"room": "", "room.a": "from . import b", "room.b": "from .a import x"},
        {"room": "from acme_lib.room.b import x\n\ndef f():\n    pass", "room.b": "from acme_lib.room import f"},
    ],
)
def test_a_circle_is_found(sources):
    tree = {"acme_lib": "", **{f"acme_lib.{name}": source for name, source in sources.items()}}
    assert find_circle(tree) is not None
    del tree["acme_lib.room.b" if "room.b" in sources else "acme_lib.b"]
    assert find_circle(tree) is None


def test_a_circle_between_real_files_is_found():
    tree = read_tree(ROOT / "acme_lib")
    tree["acme_lib.grade.record"] += "\n\ndef f():\n    from acme_lib.grade.batch import grade_assignment\n"
    assert {"acme_lib.grade.record", "acme_lib.grade.batch"} <= set(find_circle(tree))


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def seconds_to_import(module):
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    return float(run_python(code))


def test_import_is_fast():
    """At most the time of numba's own import and 0.3 s; runs alternate, so that a busy machine slows both."""
    runs = [(seconds_to_import("numba"), seconds_to_import("acme_lib")) for _ in range(4)][1:]
    numba, acme = (statistics.median(times) for times in zip(*runs, strict=True))
    assert acme <= numba + 0.3, f"import acme_lib takes {acme:.2f} s, import numba {numba:.2f} s"


def test_import_leaves_heavy_packages_alone():
    code = "import sys, acme_lib; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(run_python(code).split())
    assert "acme_lib" in loaded
    assert loaded & {"matplotlib", "ipywidgets", "IPython", "sympy", "nbgrader", "scipy"} == set()


def test_simulation_leaves_heavy_packages_alone():
    """A simulation in a batch job must not pay for what draws and teaches."""
    code = "import sys, acme_lib; acme_lib.simulate_ssa; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    loaded = set(run_python(code).split())
    assert loaded & {"matplotlib", "ipywidgets", "nbgrader"} == set()


def test_every_public_name_resolves():
    import acme_lib

    missing = {}
    for name in acme_lib.__all__:
        try:
            getattr(acme_lib, name)
        except (ImportError, AttributeError) as error:
            missing[name] = str(error)
    assert missing == {}
    assert set(acme_lib.__all__) <= set(dir(acme_lib))


def test_the_command_resolves():
    from importlib.metadata import entry_points

    (command,) = entry_points(group="console_scripts", name="acme")
    assert callable(command.load())

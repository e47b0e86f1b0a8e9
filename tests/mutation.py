"""Change lines of the library at random and see whether a test notices.

``python -m tests.mutation --seed 1 --count 20`` prints one line a mutant, and ends with 0 if each was caught. Each is
one operator, comparison, number or truth value of one line, in one module. It is made in a copy of the repository: this
one is never touched. The tests of the module's room run first, thorough ones too, and, if they all pass, those of other
rooms. What fails must pass again without the mutant; otherwise it fails of itself, and the mutant is not caught by it.

A mutant that survives is a line without a test, or a line that means the same (a first guess, the size of a buffer):
look at each.
"""

import argparse
import ast
import copy
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.MatMult: ast.Add,
}  # fmt: skip
# Where the tests of a room lie, if not in tests/library/ROOM.
PLACES = {
    "grade": ["tests/grading"],
    "report": ["tests/grading"],
    "build": ["tests/grading", "tests/library/test_cli.py"],
    "teach": ["tests/library/teach", "tests/grading/test_exercises.py"],
}


@dataclass(frozen=True)
class Mutant:
    """A piece of a module (lines from 1, columns in bytes) and what stands there instead."""

    path: Path  # from the root of the repository
    line: int
    start: int
    end_line: int
    end: int
    before: str
    after: str

    def apply(self, folder):
        """Write the mutant into a copy of the repository."""
        lines = (folder / self.path).read_bytes().split(b"\n")
        head, tail = lines[self.line - 1][: self.start], lines[self.end_line - 1][self.end :]
        lines[self.line - 1 : self.end_line] = [head + self.after.encode() + tail]
        (folder / self.path).write_bytes(b"\n".join(lines))

    def __str__(self):
        return f"{self.path}:{self.line}  {' '.join(self.before.split())}  ->  {self.after}"


def find_mutants(path, text):
    """Return all mutants of a module, but for its annotations, decorators and texts."""
    found = []

    def visit(node):
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                        visit(child)
        for changed in _changes(node):
            after = ast.unparse(changed)
            after = after if isinstance(changed, ast.stmt) else f"({after})"
            place = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
            found.append(Mutant(path, *place, ast.get_source_segment(text, node), after))

    visit(ast.parse(text))
    return found


def _changes(node):
    """Yield the node with one thing changed."""
    if isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            changed = copy.copy(node)
            changed.ops = [SWAPS[type(operator)]() if k == i else one for k, one in enumerate(node.ops)]
            yield changed
    elif isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign) and type(node.op) in SWAPS:
        if not any(_is_text(getattr(node, side, None)) for side in ("left", "right")):
            changed = copy.copy(node)
            changed.op = SWAPS[type(node.op)]()
            yield changed
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)


def _is_text(node):
    """Whether an operand makes `%` a format and `/` a path."""
    return isinstance(node, ast.JoinedStr) or isinstance(node, ast.Constant) and isinstance(node.value, str)


def draw(seed, count, files):
    """Return one mutant, on a line at random, in each of `count` modules at random."""
    rng, drawn = random.Random(seed), []
    for file in rng.sample(files, len(files)):
        mutants = find_mutants(file.relative_to(ROOT), file.read_text(encoding="utf-8"))
        if mutants and len(drawn) < count:
            line = rng.choice(sorted({mutant.line for mutant in mutants}))
            drawn.append(rng.choice([mutant for mutant in mutants if mutant.line == line]))
    return drawn


def find_tests(path):
    """Return what pytest is to run for a module: first its room's tests and its examples, then those of other rooms.

    Files that name the module come first.
    """
    room = path.parts[1].removesuffix(".py")
    here = [ROOT / place for place in PLACES.get(room, [f"tests/library/{room}", f"tests/library/test_{room}.py"])]
    here = {file for place in here for file in ([place] if place.suffix else place.rglob("test_*.py")) if file.exists()}
    if any(file.is_relative_to(ROOT / "tests/library") for file in here) or not here:
        others = set((ROOT / "tests/library").rglob("test_*.py")) - here
    else:
        others = set((ROOT / "tests").rglob("test_*.py")) - here
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    # A test that does not exist would keep pytest from running all others.
    told = ">>> " in (ROOT / path).read_text(encoding="utf-8")
    examples = [f"tests/house/test_examples.py::test_docstring_examples[{name}]"] if told else []
    return [*examples, *_first_named(here, path.stem)], _first_named(others, path.stem)


def _first_named(files, stem):
    """Sort files of tests: those with the name of a module in them come first."""
    ordered = sorted(files, key=lambda file: (not re.search(rf"\b{stem}\b", file.read_text(encoding="utf-8")), file))
    return [str(file.relative_to(ROOT)) for file in ordered]


def run_tests(folder, arguments, seconds):
    """Run pytest in the copy; return whether all passed (5: there is none), and one line about it."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *arguments]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        said = process.communicate(timeout=seconds)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        return False, f"no end after {seconds:g} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    failed = re.findall(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", said, re.MULTILINE)
    return process.returncode in (0, 5), failed[0] if failed else said.strip().splitlines()[-1]


def try_mutant(mutant, folder, seconds):
    """Return how a mutant ends, ``caught`` or ``survived``, and by what."""
    kernels = "numba" in (folder / mutant.path).read_text(encoding="utf-8")
    here, others = find_tests(mutant.path)
    for tests in ([*here, "-m", "not slow and not soak and not attacks and not validity"], others):
        shutil.rmtree(folder / ".pytest_cache", ignore_errors=True)
        _forget(folder, kernels)
        mutant.apply(folder)
        try:
            passed, said = run_tests(folder, tests, seconds)
        finally:
            shutil.copy(ROOT / mutant.path, folder / mutant.path)
            _forget(folder, kernels)
        if passed:
            continue
        if run_tests(folder, ["-n", "0", "--last-failed", "--last-failed-no-failures=none"], seconds)[0]:
            return "caught", said
        return "unclear", f"fails without the mutant too: {said}"
    return "survived", "all tests pass"


def _forget(folder, kernels):
    """Delete compiled kernels: numba looks at the file of a kernel, not at those it calls."""
    if kernels:
        for file in (folder / "acme_lib").rglob("*.nb[ic]"):
            file.unlink()


def main(arguments=None):
    """Draw, try, and print one line a mutant; the exit status says whether all were caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same lines")
    parser.add_argument("--count", type=int, default=20, help="mutants, each in a module of its own")
    parser.add_argument("--timeout", type=float, default=1200, help="seconds after which tests that run on have failed")
    parser.add_argument("--under", default="acme_lib", help="a folder or file of the library to draw from")
    parser.add_argument("--list", action="store_true", help="only show what would be changed")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started ends, and the copy goes
    place = ROOT / options.under
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    mutants = draw(options.seed, options.count, files)
    ends = []
    with tempfile.TemporaryDirectory(prefix="acme-mutation-") as made:
        folder = Path(made, "acme")
        if not options.list:
            hidden = shutil.ignore_patterns(".venv", ".*_cache", "__pycache__", "test-artifacts")
            shutil.copytree(ROOT, folder, ignore=hidden)
        for number, mutant in enumerate(mutants, 1):
            print(f"{number:2} of {len(mutants)}  {mutant}", flush=True)
            if not options.list:
                start = time.monotonic()
                end, said = try_mutant(mutant, folder, options.timeout)
                ends.append(end)
                print(f"          {end} after {time.monotonic() - start:.0f} s: {said}", flush=True)
    if ends:
        print(", ".join(f"{ends.count(end)} {end}" for end in ("caught", "survived", "unclear")))
    return int(any(end != "caught" for end in ends))


if __name__ == "__main__":
    sys.exit(main())

"""Jupyter's own language, on the far side: what a notebook understands beyond Python, harmless in the sandbox.

A cell that is Python is run as it stands. One that is not is translated by IPython's own transformer, so that what
runs in JupyterLab runs here: ``name?``, ``%timeit``, ``files = !ls``, ``>>>`` prompts, an indented cell, ``await``.
What such lines ask of the machine is not done: there is no shell here, and a figure has nobody to see it.
"""

import ast
import asyncio
import builtins
import sys
import time
import types

_RUNS_ITS_BODY = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "debug"})


def compile_cell(source, path):
    """Return the code of a cell and, apart, of its last expression (None where the cell ends otherwise)."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    last = None
    tree = compile(source, path, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = compile(ast.Expression(tree.body.pop().value), path, "eval", flags, dont_inherit=True)
    return compile(tree, path, "exec", flags, dont_inherit=True), last


def translate(source):
    """Return a cell in Python: as it stands where it is Python, else as IPython would run it."""
    if is_python(source):
        return source
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def is_python(source):
    """Whether a cell is Python as it stands (``await`` outside functions included)."""
    try:
        compile(source, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def join_pieces(pieces):
    """Put together what **Split cell** took apart; pieces that stand for themselves stay alone, in their order."""
    joined = []
    for piece in pieces:
        if joined and _goes_on(joined[-1], piece):
            joined[-1] = f"{joined[-1]}\n{piece}"
        else:
            joined.append(piece)
    return joined


def _goes_on(before, piece):
    lines = [line for line in piece.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    both = is_python(f"{before}\n{piece}")
    return both and bool(lines) and (lines[0][0] in " \t" or not is_python(piece) or not is_python(before))


def run_code(code, space):
    """Run code, and what it awaits; return the value of an expression."""
    value = eval(code, space)
    if isinstance(value, types.CoroutineType) and code.co_flags & 0x80:  # CO_COROUTINE: an `await` outside functions
        return asyncio.run(value)
    return value


class _Lines(list):
    """What a command of the shell gave: nothing."""

    s = l = n = p = ""  # noqa: E741 (IPython's names)


class _Timing:
    """The result of ``%timeit -o``: of one run."""

    def __init__(self, seconds):
        self.loops = self.repeat = 1
        self.best = self.worst = self.average = seconds
        self.stdev, self.compile_time = 0.0, 0.0
        self.timings = self.all_runs = [seconds]


class Shell:
    """What ``get_ipython()`` gives: IPython's usual methods, without effect beyond the student's own code."""

    def __init__(self, space):
        self.user_ns = space

    def run_line_magic(self, name, line, _stack_depth=1):
        """Run a statement that is timed; leave out everything else."""
        if name in ("time", "timeit", "prun"):
            return self._run(name, line)
        return None

    def run_cell_magic(self, name, line, cell):
        """Run the body of a cell that is timed or whose output is caught; leave out everything else."""
        if name in _RUNS_ITS_BODY:
            return self._run(name, cell)
        return None

    def run_cell(self, source, *_, **__):
        """Run a cell."""
        return self._run("time", source)

    def system(self, command):
        """Run no command."""

    def getoutput(self, command, *_, **__):
        """Run no command."""
        return _Lines()

    def _run(self, name, source):
        asks, value = False, None
        words = source.split(" ")
        if name == "timeit" and "\n" not in source:
            while words and words[0].startswith("-"):  # -n 10, -n10, -o, -q
                option = words.pop(0)
                asks = asks or "o" in option
                if option in ("-n", "-r", "-p", "-t", "-c") and words:
                    words.pop(0)
            source = " ".join(words)
        start = time.perf_counter()
        code, last = compile_cell(translate(source.strip() or "pass"), f"<{name}>")
        run_code(code, self.user_ns)
        if last is not None:
            value = run_code(last, self.user_ns)
        if name == "timeit":
            return _Timing(time.perf_counter() - start) if asks else None
        return value

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing()


class _Nothing:
    """A part of the shell that is not here: it may be called, and has parts (matplotlib calls ``events.register``)."""

    def __call__(self, *_, **__):
        return None

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def install(space):
    """Give a student's cells what a notebook gives: ``get_ipython``, ``display``, ``In``, ``Out`` and ``exit``."""
    shell = Shell(space)

    def get_ipython():
        return shell

    def display(*objects, **_):
        for item in objects:
            print(item)

    builtins.get_ipython, builtins.display = get_ipython, display
    builtins.In, builtins.Out = [""], {}
    if "IPython" in sys.modules:
        sys.modules["IPython"].get_ipython = get_ipython

"""The judge: the instructor's test cells, run on the trusted side, with stand-ins for what the student wrote.

A cell of the rebuilt notebook is run where it belongs: answers in the sandbox; the instructor's open cells (imports,
helpers) on both sides; test cells here, and only here. In a test cell a name that the student was asked to define is a
`StandIn` or, where it is a variable, its plain value; every other name is what the instructor made it, so that a
student cannot shadow what a test stands on.

A process that dies costs the question that killed it: for the next cell a fresh one is filled with the answers again.
"""

import ast
import builtins
import contextlib
import dis
import hashlib
import io
import math
import signal
import sys
import threading
import time
import traceback
import types
import warnings
from dataclasses import dataclass, field, replace

import nbformat
import numpy as np

from acme_lib.errors import GradingError
from acme_lib.grade.boundary.stand_in import NoAnswer, RemoteDoor, StandIn, refuse_non_finite
from acme_lib.grade.source_notebook import bound_names, grade_id, is_graded, is_solution
from acme_lib.teach.check_door import NotPlain, TookTooLong, time_limit, use_door
from acme_lib.teach.check_run import CheckBroken, CheckFailed, is_hidden
from acme_lib.teach.question import find_personal

MAX_OUTPUT = 10_000
MAX_PROCESSES = 24  # that one notebook may use up
OWN_SHARE = 0.2  # of a notebook's time, for the cells that the student added
TEST_SECONDS = 60.0  # of processor time on this side, for one test cell


@dataclass(frozen=True)
class Outcome:
    """How one graded cell ended.

    Attributes
    ----------
    score : float or None
        None where a person has to grade.
    points : float
    message : str
        What the learner reads; empty where all is well.
    slips : tuple of str
        Misconceptions that were found.
    limit : str
        ``"late"``, ``"ended"``, ``"too large"`` or ``"malformed"`` where no usable answer came, else empty.
    broken : bool
        Whether the check itself could not be run.
    look : str
        Why a person has to look at this score; empty where nobody has to.
    """

    score: float | None
    points: float
    message: str = ""
    slips: tuple = ()
    limit: str = ""
    broken: bool = False
    look: str = ""


@dataclass(frozen=True)
class Judgement:
    """A judged notebook, with what is needed to judge it again in the same way.

    Attributes
    ----------
    notebook : NotebookNode
        With the outputs of the test cells.
    outcomes : dict of str to Outcome
        By the id of the cell.
    seed : int
        All random numbers follow from it.
    seconds, cpu_seconds : float
        On the wall; of the student's processes.
    memory : int
        The most that one of them used, in bytes.
    """

    notebook: nbformat.NotebookNode = field(repr=False)
    outcomes: dict
    seed: int
    seconds: float
    cpu_seconds: float
    memory: int

    @property
    def scores(self):
        """The score of each graded cell."""
        return {name: outcome.score for name, outcome in self.outcomes.items()}


def judge_notebook(notebook, master, sandbox, *, seed, only=None):
    """Judge a rebuilt notebook.

    Parameters
    ----------
    notebook : NotebookNode
        From `acme_lib.grade.submission.rebuild`; its outputs are replaced.
    master : Master
    sandbox : Sandbox
    seed : int
        Hidden parameters and the seeds of Generators follow from it.
    only : collection of str, optional
        Ids of the test cells to run; the others have no outcome.

    Returns
    -------
    Judgement
    """
    start = time.monotonic()
    student = _Student(sandbox, seed)
    space = {"__name__": "__main__", "__builtins__": builtins}
    outcomes, doubts = {}, _Doubts(notebook)
    has_own = False
    try:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            name = grade_id(cell)
            if name is not None and is_graded(cell) and (is_solution(cell) or cell.cell_type != "code"):
                outcomes[name] = doubts.judge_words(_leave_to_person(cell, master), name)
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            if name is not None and is_graded(cell) and not is_solution(cell):
                if only is None or name in only:
                    outcomes[name] = doubts.judge(_run_test(cell, master, student, space, seed), cell)
            elif is_solution(cell):
                doubts.answer = name
                unwritten = cell.source.strip() == master.cells[name].source.strip()
                _run_answer(cell, student, bound_names(cell.source) if unwritten and has_own else ())
            elif _is_own(cell):
                has_own = True
                if not student.run_own(_file_name(cell.get("id", "cell")), cell):
                    doubts.all = "a cell that the student added did not come to its end"
            else:
                _run_open(cell, student, space)
    finally:
        student.close()
    seconds = time.monotonic() - start
    return Judgement(notebook, outcomes, seed, seconds, student.cpu_seconds, student.memory)


def _is_own(cell):
    return bool(cell.metadata.get("acme", {}).get("own")) and grade_id(cell) is None


class _Doubts:
    """Which scores a person has to look at: a question loses no points in silence for what could not be placed."""

    def __init__(self, notebook):
        facts = notebook.metadata.get("acme", {})
        self._unplaced, self._foreign = set(facts.get("unplaced", ())), facts.get("foreign", "")
        self.answer, self.all = None, ""

    def judge(self, outcome, cell):
        if outcome.look or outcome.score is None or outcome.score >= outcome.points:
            return outcome
        look = self.all
        if self.answer in self._unplaced:
            look = f"cell '{self.answer}' is missing, there more than once, or could not be read"
        elif self._foreign and find_personal(cell.source) is not None:
            look = self._foreign
        return replace(outcome, look=look)

    def judge_words(self, outcome, name):
        return replace(outcome, score=None) if name in self._unplaced else outcome


def _leave_to_person(cell, master):
    from nbgrader.utils import compute_checksum

    points = master.points[grade_id(cell)]
    untouched = is_solution(cell) and cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
    return Outcome(0.0 if untouched else None, points)


class _Side:
    """A process of a submission, and another one when it is gone."""

    def __init__(self, seed):
        self._seed = seed
        self._far = None
        self._done = 0  # how many cells it has run
        self.fresh = True  # it has answered no question before the present one
        self.cpu_seconds, self.memory = 0.0, 0

    def ready(self, cells, admit):
        """Return the process, with all these cells run in it; `admit` makes one, or raises `NoAnswer`."""
        if self._far is None or self._far.ended:
            self.close()
            self._far, self.fresh = admit(self._seed), True
        for cell in cells[self._done :]:
            self._far.run_cell(*cell)
            self._done += 1
        return self._far

    def add(self):
        """Take note of a cell that was run besides."""
        self._done += 1

    def close(self):
        if self._far is not None:
            self._far.end()
            self.cpu_seconds += self._far.usage.get("seconds") or 0.0
            self.memory = max(self.memory, self._far.usage.get("memory") or 0)
            self._far, self._done = None, 0


class _Student:
    """The two processes of a submission: one answers what the learner may see, the other one hidden checks.

    What a hidden check asks can therefore not be remembered and told in the output of a visible one.
    """

    def __init__(self, sandbox, seed):
        self._sandbox = sandbox
        self._visible = _Side(draw(seed, "process", 0))
        self._hidden = _Side(draw(seed, "process", 1))
        self._cells = []  # (name, code, unless) that did not end the process
        self._own_seconds = OWN_SHARE * sandbox.limits.notebook_seconds
        self._started = 0
        self._last = time.monotonic() + sandbox.limits.notebook_seconds
        self.fault = None  # the GradingError of this machine, which no test may take for an answer
        self._hidden_lines = "", frozenset()  # of the test cell that is being run: its file, and lines
        self.trouble = None  # the NoAnswer of the cell that is being run
        self.lent = {}  # what the test's namespace holds of the student's, by its name

    @property
    def cpu_seconds(self):
        return self._visible.cpu_seconds + self._hidden.cpu_seconds

    @property
    def memory(self):
        return max(self._visible.memory, self._hidden.memory)

    @property
    def seconds_left(self):
        return max(self._last - time.monotonic(), 0.0)

    def begin_cell(self, file="", hidden_lines=frozenset()):
        self.trouble = None
        self._hidden_lines = file, hidden_lines
        self._visible.fresh = self._hidden.fresh = False

    def _is_hidden(self):
        """Whether the call that is being made comes from a hidden check, through whatever functions."""
        file, hidden = self._hidden_lines
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename == file and frame.f_lineno in hidden:
                return True
            frame = frame.f_back
        return is_hidden()

    def close(self):
        self._visible.close()
        self._hidden.close()

    def _admit(self, seed):
        left = self.seconds_left
        if left <= 0 or self._started >= MAX_PROCESSES:
            raise NoAnswer("the time for the whole notebook is used up", "late")
        self._started += 1
        return self._sandbox.admit(seed=seed, seconds=left)

    def run_cell(self, name, code, unless=()):
        reply = self._ask(self._visible, lambda far: far.run_cell(name, code, unless))
        self._cells.append((name, code, unless))
        self._visible.add()
        return reply

    def run_own(self, name, cell):
        """Run a cell that the student added; return whether it came to an end, with or without an error."""
        if self._own_seconds <= 0:
            cell.outputs = [_error("NoAnswer", "The time for cells that were added is used up: not run.")]
            return False
        start = time.monotonic()
        _run_answer(cell, self)
        self._own_seconds -= time.monotonic() - start
        return self.trouble is None

    def call(self, name, *arguments, **named):
        side = self._hidden if self._is_hidden() else self._visible
        return self._ask(side, lambda far: far.call(name, *arguments, **named))

    def find_kinds(self, names):
        return self._ask(self._visible, lambda far: far.find_kinds(names))

    def fetch(self, name):
        return self._ask(self._visible, lambda far: far.fetch(name))

    def _ask(self, side, ask):
        if self.trouble is not None:
            raise self.trouble
        try:
            try:
                return ask(side.ready(self._cells, self._admit))
            except NoAnswer as trouble:
                if trouble.reason != "ended" or side.fresh:
                    raise
            return ask(side.ready(self._cells, self._admit))  # what an earlier question left may have ended it
        except NoAnswer as trouble:
            self.trouble = trouble
            raise
        except GradingError as fault:
            self.fault = fault
            raise


def draw(seed, name, count):
    """Return 128 bits that follow from a seed, a name and a number."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}:{count}".encode()).digest()[:16], "little")


def _run_answer(cell, student, unless=()):
    student.begin_cell()
    name = grade_id(cell) or cell.get("id", "cell")
    code = cell.metadata.get("acme", {}).get("pieces") or cell.source
    try:
        reply = student.run_cell(_file_name(name), code, sorted(unless))
    except NotPlain as trouble:
        cell.outputs = [_error("NoAnswer", str(trouble))]
        return
    if reply.printed:
        cell.outputs.append(_printed(reply.printed))
    if reply.error:
        lines = filter(None, [f"{reply.error}: {reply.error_text}", reply.where])
        cell.outputs.append(_error(reply.error, "\n".join(lines)))


def _run_open(cell, student, space):
    """Run a cell of the instructor that is no test: imports and helpers, known to both sides."""
    student.begin_cell()
    with contextlib.suppress(NotPlain):
        student.run_cell(_file_name(cell.get("id", "cell")), cell.source)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        exec(compile(cell.source, "<open cell>", "exec", dont_inherit=True), space)


def _file_name(name):
    return "".join(c if c.isalnum() else "_" for c in str(name))[:60] or "cell"


def _run_test(cell, master, student, space, seed):
    name, points = grade_id(cell), master.points[grade_id(cell)]
    student.begin_cell(f"<{name}>", _hidden_lines(cell.source))
    draws = iter(range(2**62))
    door = RemoteDoor(student.call, lambda: draw(seed, name, next(draws)))
    output, shown, broken, look = io.StringIO(), None, False, ""
    try:
        code, last = _compile(cell.source, name)
        with (
            _bounded(student.seconds_left),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            use_door(door),
        ):
            warnings.simplefilter("ignore")
            np.random.seed(draw(seed, name, "global") % 2**32)  # noqa: NPY002 (what a test may use)
            _lend(code, last, master, student, space, not cell.metadata.get("acme", {}).get("non_finite"))
            exec(code, space)
            shown = eval(last, space) if last is not None else None
        score, message, slips = _partial(shown, points)
        look = message and "the check gave a score outside its range"
    except TookTooLong:
        score, message, slips = 0.0, f"✗ {_ENDLESS}", ()
        look = "the check did not come to its end with what this answer gave"
        student.close()  # whatever was being asked
        student.trouble = NoAnswer(_ENDLESS, "late")
    except CheckBroken as failure:
        score, message, slips, broken = None, str(failure), (), True
    except CheckFailed as failure:
        score, message, slips = 0.0, str(failure), failure.slips
    except Exception as error:
        score, message, slips = 0.0, _explain(error, cell), ()
    if student.fault is not None:
        raise student.fault
    printed = output.getvalue()[:MAX_OUTPUT]
    if printed:
        cell.outputs.append(_printed(printed))
    if message:
        cell.outputs.append(_error("CheckFailed", message[:MAX_OUTPUT]))
        # what was found, apart from the message: that may hold words of the student
        cell.metadata.setdefault("acme", {})["slips"] = list(slips)
    elif score != points:
        cell.outputs.append(nbformat.v4.new_output("execute_result", {"text/plain": repr(score)}, execution_count=None))
    limit = student.trouble.reason if student.trouble is not None and score != points else ""
    return Outcome(score, points, message, slips, limit, broken, look)


_ENDLESS = "The check did not come to its end with what your function gave: was a number much too large?"


@contextlib.contextmanager
def _bounded(seconds_left):
    """Raise `TookTooLong` where a test computes for long with what a student's function gave: `x ** x`, say.

    In the main thread a signal does it, which also ends the arithmetic of whole numbers; elsewhere it comes between two
    steps of Python. What neither can end, a loop inside one function of C, ends with its worker
    (`acme_lib.grade.pool`).
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGPROF"):
        with time_limit(seconds_left + TEST_SECONDS):
            yield
        return

    def stop(*_):
        raise TookTooLong

    before = signal.signal(signal.SIGPROF, stop)
    # Again after a while, where a bare `except` has swallowed it. What waits for the student counts nothing.
    signal.setitimer(signal.ITIMER_PROF, TEST_SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def _compile(source, name):
    """Compile a test cell; its last expression, if there is one, apart (its value is partial credit for nbgrader)."""
    tree = ast.parse(source)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = compile(ast.Expression(tree.body.pop().value), f"<{name}>", "eval", dont_inherit=True)
    return compile(tree, f"<{name}>", "exec", dont_inherit=True), last


_LOADS = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")


def _names_in(code):
    """Return the global names that a cell looks up and has not itself bound by then."""
    found, bound = set(), set()
    for step in dis.get_instructions(code):
        if step.opname in ("STORE_NAME", "STORE_GLOBAL"):
            bound.add(step.argval)
        elif step.opname in _LOADS and step.argval not in bound:
            found.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= {name for name in _names_in(constant) if name not in bound}
    return found


def _lend(code, last, master, student, space, finite):
    """Put stand-ins and values for what the exercise asks for, and no other name, into the test's namespace."""
    names = _names_in(code) | (_names_in(last) if last is not None else set())
    lent = student.lent
    for name in [n for n, value in lent.items() if space.get(n) is value or n in master.asked]:
        space.pop(name, None)
    lent.clear()
    wanted = [n for n in sorted(names) if n in master.asked or (n in master.given and n not in space)]
    if not wanted:
        return
    try:
        kinds = student.find_kinds(wanted)
    except NoAnswer:
        kinds = dict.fromkeys(wanted, "function")  # each call then says why nothing comes
    for name in wanted:
        kind = kinds[name]
        if kind == "function":
            space[name] = lent[name] = StandIn(name, student.call, finite=finite)
        elif kind == "data":
            reply = student.fetch(name)
            if reply.error is None:
                if finite:
                    refuse_non_finite(reply.value)
                space[name] = lent[name] = reply.value


def _partial(shown, points):
    if type(shown) not in (int, float) and not isinstance(shown, np.floating | np.integer):
        return points, "", ()
    shown = float(shown)
    rounding = 1e-6 * max(points, 1.0)  # of a sum of parts
    if math.isfinite(shown) and -rounding <= shown <= points + rounding:
        return min(max(shown, 0.0), points), "", ()
    return 0.0, "✗ The check gave a score outside its range. Please tell your teacher.", ()


def _hidden_lines(source):
    lines, inside = set(), False
    for number, line in enumerate(source.split("\n"), start=1):
        inside = inside or "BEGIN HIDDEN TESTS" in line
        if inside:
            lines.add(number)
        if "END HIDDEN TESTS" in line:
            inside = False
    return lines


def _explain(error, cell):
    """Say what a plain test (an ``assert``, a call that fails) found; of a hidden one, only that it failed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == f"<{grade_id(cell)}>"]
    hidden = _hidden_lines(cell.source)
    before = not frames and isinstance(error, NotPlain)  # a variable that is asked for has no usable value
    if not before and (not frames or any(frame.lineno in hidden for frame in frames)):
        why = f"{str(error)[:1].upper()}{str(error)[1:]}.\n" if isinstance(error, NoAnswer) else ""
        return f"✗ A hidden check fails, on values that are not shown.\n{why}Try your function on cases of your own."
    if isinstance(error, NotPlain):
        return f"✗ {str(error)[:1].upper()}{str(error)[1:]}."
    line = cell.source.split("\n")[frames[0].lineno - 1].strip()
    if isinstance(error, NameError) and getattr(error, "name", None):
        return f"✗ {error.name} is not defined.\nIs the cell above filled in, and does it run without an error?"
    text = str(error).strip()[:500]
    kind = (
        "This check fails" if isinstance(error, AssertionError) else f"This check stopped with {type(error).__name__}"
    )
    return "\n".join([f"✗ {kind}{f': {text}' if text else ''}", f"in: {line}"])


def _error(name, text):
    return nbformat.v4.new_output("error", ename=name, evalue=text.split("\n")[0], traceback=text.split("\n"))


def _printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)

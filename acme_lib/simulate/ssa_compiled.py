"""The direct method written out for one network: its counts and propensities as local variables, compiled and cached.

`write_source` turns a network into the source of a kernel. It takes the random numbers of `simulate_ssa`'s table-driven
kernel in the same order and adds and multiplies in the same order, so that it gives the same counts, bit for bit; what
it cannot finish (a bad propensity, missing molecules, too many events, an interrupt) it leaves to that kernel, which
knows what to report. Rate constants, parameters and the numbers in expressions stay arrays: only the *structure* of a
network is compiled, and a parameter changes without compiling anew.

The source is made from the arrays of a `RateTable` alone: indices and numbers of instructions, never a name or a text
that a user wrote. `load_kernel` keeps it, under a name that is a hash of itself, in a folder where numba puts the
compiled code beside it; the next process loads it in a fraction of the time. The folder is the user's cache folder, or
the one that the environment variable ``ACME_CACHE_DIR`` names.
"""

import atexit
import functools
import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np
import platformdirs

from acme_lib import __version__, random_stream
from acme_lib.errors import ParameterError
from acme_lib.files import whole_file
from acme_lib.network import expression as ex
from acme_lib.network import rates
from acme_lib.simulate import steps

_MOST_REACTIONS = 30  # beyond, all propensities are hardly cheaper than a look-up of those that changed
_MOST_INSTRUCTIONS = 400  # of all expressions together: a bound of the time to compile
_SECONDS_TO_LOAD = 0.05
_MOST_KEPT = 500  # kernels on the disk, of some 100 kB each
_INFIX = {ex.ADD: "+", ex.SUBTRACT: "-", ex.MULTIPLY: "*"}
_SLOW = {ex.POWER, ex.EXP, ex.LOG, ex.SIN, ex.COS, ex.TANH}  # dearer than a mispredicted branch

# Too many events and a stop are one condition in this order: asked one after the other, an event takes a fifth longer.
_KERNEL = """\
# The kernel of one reaction network, written by acme; it may be deleted, and acme writes it again.
# {stamp}
import numpy as np
from numba import njit

from acme_lib.network.rates import apply_function, apply_operator
from acme_lib.random_stream import next_exponential, next_uniform, start_stream
from acme_lib.simulate.steps import must_stop

{tables}

@njit(cache=True, nogil=True, error_model="numpy")
def simulate(low, starts, times, scale_rows, value_rows, operands, key, max_events, counts, events, stop):
    n_times = times.shape[0]
    for row in range(counts.shape[0]):
        stream = start_stream(key, low + row)
        rates = row if scale_rows.shape[0] > 1 else 0
{load}
        now = 0.0
        fired = 0
        recorded = 0
        next_time = times[0]
        chosen = {unset}
        while True:
{propensities}
            if not ({valid}):
                return row
            if {last} > 0.0:
                waiting, stream = next_exponential(stream)
                now += waiting / {last}
            else:
                now = np.inf
            if next_time < now:
                while recorded < n_times and times[recorded] < now:
{record}
                    recorded += 1
                if recorded == n_times:
                    break
                next_time = times[recorded]
            u, stream = next_uniform(stream)
            target = u * {last}
            chosen = {chosen}
{change}
{missing}
            fired += 1
            if fired > max_events or (fired % 4096 == 0 and must_stop(stop, row, fired, now, times[n_times - 1])):
                return row
        events[row] = fired
    return counts.shape[0]
"""


def why_not(network):
    """Return why a network has no specialised kernel, or an empty string."""
    table = network.rate_table
    if network.functions:
        return "its rates call Python functions"
    if network.uses_time:
        return "a rate depends on the time t"
    if len(table.scale) > _MOST_REACTIONS:
        return f"it has {len(table.scale)} reactions, and the limit is {_MOST_REACTIONS}"
    if len(table.codes) > _MOST_INSTRUCTIONS:
        return f"its rates have {len(table.codes)} operations, and the limit is {_MOST_INSTRUCTIONS}"
    return ""


def write_source(network):
    """Return the source of the kernel of a network for which `why_not` has no objection."""
    table = network.rate_table
    n_reactions, n_species = network.stoichiometry.shape
    reactions, species = range(n_reactions), range(n_species)
    takes = network.reactant_counts
    changes = network.stoichiometry
    slow = [j for j in reactions if _SLOW.intersection(_codes(table, j).tolist())]

    load = [f"c{j} = scale_rows[rates, {j}]" for j in reactions]
    load += [f"p{i} = value_rows[rates, {i}]" for i in _used(table, ex.PARAMETER)]
    load += [f"q{i} = operands[{i}]" for i in np.flatnonzero(table.codes == ex.CONSTANT)]
    load += [f"s{i} = np.float64(starts[row, {i}])" for i in species]
    load += [f"a{j} = 0.0" for j in slow]

    propensities = []
    for j in reactions:
        lines = _propensity(table, j, n_species)
        if j in slow:
            lines = [f"if STALE_{j}[chosen]:", *(f"    {line}" for line in lines)]
        propensities += lines
    propensities += ["t0 = a0", *(f"t{j} = t{j - 1} + a{j}" for j in reactions[1:])]
    last = f"t{n_reactions - 1}"

    # Mass action is never negative. A sum that is not finite is left to the other kernel to judge.
    valid = [f"{last} < np.inf", *(f"a{j} >= 0.0" for j in reactions if len(_codes(table, j)))]
    # Mass action fires only where its molecules are; a rate that is the whole propensity may not.
    short = {i for j in reactions if not network.reactions[j].mass_action for i in species if changes[j, i] < 0}
    short |= {i for j in reactions for i in species if takes[j, i] + changes[j, i] < 0}

    tables = [_column(f"CHANGE_{i}", changes[:, i]) for i in species if np.any(changes[:, i])]
    for j in slow:
        stale = [j in table.affected[table.affected_start[k] : table.affected_start[k + 1]] for k in reactions]
        tables.append(_column(f"STALE_{j}", [*stale, True], "bool_"))
    moved = [f"s{i} += CHANGE_{i}[chosen]" for i in species if np.any(changes[:, i])]
    return _KERNEL.format(
        stamp=_stamp(),
        tables="\n".join(tables) + "\n",
        load=_indent(2, load),
        unset=f"np.uint64({n_reactions})",
        propensities=_indent(3, propensities),
        valid=" and ".join(valid),
        last=last,
        record=_indent(5, [f"counts[row, recorded, {i}] = np.int64(s{i})" for i in species]),
        # Counting has no branch to mispredict; unsigned, an index needs no look at its sign. The target is less than
        # the sum, since u is at most 1 - 2**-53, and so the chosen propensity is not zero. (Only sums below 1e-307
        # could round otherwise, and at such a rate no time in floating point is long enough for an event.)
        chosen=" + ".join([f"np.uint64(t{j} <= target)" for j in reactions[:-1]]) or "np.uint64(0)",
        change=_indent(3, moved),
        missing=_indent(3, [f"if s{i} < 0.0:\n                return row" for i in sorted(short)]),
    )


def _indent(depth, lines):
    return "\n".join(f"{'    ' * depth}{line}" for line in lines)


def _column(name, values, kind="float64"):
    return f"{name} = np.array({[int(value) for value in values]}, dtype=np.{kind})"


def _codes(table, j):
    return table.codes[table.program_start[j] : table.program_start[j + 1]]


def _used(table, code):
    return sorted({int(i) for i in table.operands[table.codes == code]})


def _propensity(table, j, n_species):
    """Return the lines that compute ``a{j}``, factor by factor in the order of `rates.propensity`.

    They are `rates.mass_action` and `rates.special_propensity` specialised to one reaction: a factor 1 and a shift 0
    are left out, which changes no bit.
    """
    if not table.special[j]:
        factors = [f"c{j}", *(f"s{i}" for i in (table.first[j],) if i < n_species)]
        if table.second[j] < n_species:
            factors.append(f"(s{table.second[j]} - 1.0)" if table.shift[j] else f"s{table.second[j]}")
        return [f"a{j} = {' * '.join(factors)}"]
    factors = [f"c{j}"]
    for i in range(table.reactant_start[j], table.reactant_start[j + 1]):
        n = f"s{table.reactant_species[i]}"
        factors.append(n)
        factors += [f"(({n} - {k}.0) / {k + 1}.0)" for k in range(1, table.reactant_count[i])]
    lines, value = _program(table, j)
    return [*lines, f"a{j} = {' * '.join([*factors, *value])}"]


def _program(table, j):
    """Return the lines of a postfix program, an operation each, and the name of its value (none if it is empty)."""
    lines, stack = [], []
    for i in range(table.program_start[j], table.program_start[j + 1]):
        code, operand = int(table.codes[i]), int(table.operands[i]) if table.codes[i] != ex.CONSTANT else i
        if code in (ex.CONSTANT, ex.SPECIES, ex.PARAMETER):
            stack.append(f"{ {ex.CONSTANT: 'q', ex.SPECIES: 's', ex.PARAMETER: 'p'}[code] }{operand}")
            continue
        count = ex.count_arguments(code)
        values = stack[len(stack) - count :]
        del stack[len(stack) - count :]
        if code in _INFIX:
            text = f"{values[0]} {_INFIX[code]} {values[1]}"
        elif code == ex.NEGATE:
            text = f"-{values[0]}"
        elif code == ex.NOT:
            text = f"0.0 if {values[0]} != 0.0 else 1.0"
        elif code == ex.SELECT:
            text = f"{values[1]} if {values[0]} != 0.0 else {values[2]}"
        elif count == 1:
            text = f"apply_function({code}, {values[0]})"
        else:
            text = f"apply_operator({code}, {values[0]}, {values[1]})"
        lines.append(f"v{i} = {text}")
        stack.append(f"v{i}")
    return lines, stack


@functools.cache
def _stamp():
    """Return what compiled code depends on besides its source: where that changes, so do the source and its file."""
    inlined = hashlib.sha256(
        b"".join(Path(module.__file__).read_bytes() for module in (ex, rates, random_stream, steps))
    )
    machine = f"{platform.system()} {platform.machine()} {llvmlite.binding.get_host_cpu_name()}"
    versions = f"acme {__version__}, numba {numba.__version__}, {sys.implementation.cache_tag}"
    return f"{versions}, {machine}, {inlined.hexdigest()[:16]}"


# What the kernel is compiled for, so that this happens when it is loaded and not in the middle of a run.
_SIGNATURE = (
    "i8(i8, i8[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[::1], u8[::1], i8, i8[:, :, ::1], i8[::1], i8[::1])"
)

_LOADED = {}
_LOADING = threading.Lock()


def load_kernel(network):
    """Return the compiled kernel of a network: from this process, else from the disk, else compiled and kept there.

    Raises
    ------
    OSError, RuntimeError
        If it, or numba's files, can be written nowhere.
    """
    source = write_source(network)
    with _LOADING:
        if source not in _LOADED:
            try:
                kernel = _import(_write(_cache_folder(), source))
            except (OSError, RuntimeError):  # not writable, or numba can write its own files nowhere near
                kernel = _import(_write(_temporary_folder(), source))
            _LOADED[source] = kernel
    return _LOADED[source]


def _cache_folder():
    given = os.environ.get("ACME_CACHE_DIR")
    return Path(given or platformdirs.user_cache_dir("acme-course", appauthor=False)) / "kernels"


@functools.cache
def _temporary_folder():
    folder = tempfile.mkdtemp(prefix="acme-kernels-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _path(folder, source):
    return folder / f"kernel_{hashlib.sha256(source.encode()).hexdigest()[:32]}.py"


def _write(folder, source):
    """Write a source where it is missing, whole or not at all, and return its path."""
    path = _path(folder, source)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() == source.encode():
        os.utime(path, (time.time(), 0))  # when it was last used: see _prune
        return path
    _prune(folder)
    with whole_file(path) as file:
        file.write(source.encode())
        file.flush()
        # numba compares the time of the file: two processes that write it at once must leave the same one
        os.utime(file.fileno(), (time.time(), 0))
    return path


def _prune(folder):
    """Delete the kernels that were not used for longest, where the folder is full; another process may do so too."""
    used = {}
    for path in folder.glob("kernel_*.py"):
        try:
            used[path] = path.stat().st_atime
        except FileNotFoundError:
            continue
    for path in sorted(used, key=used.get)[: max(0, len(used) - _MOST_KEPT + 1)]:
        for file in (path, *(folder / "__pycache__").glob(f"{path.stem}.*")):
            file.unlink(missing_ok=True)


def _import(path):
    name = f"acme_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where numba looks for the module of a function that it loads
    spec.loader.exec_module(module)
    if not numba.config.DISABLE_JIT:
        module.simulate.compile(_SIGNATURE)
    return module.simulate


def _is_on_disk(source):
    path = _path(_cache_folder(), source)
    return any((path.parent / "__pycache__").glob(f"{path.stem}.simulate-*.nbi"))


def _seconds_to_compile(source):
    return 0.3 + 0.005 * source.count("\n")  # a straight line through networks of 2 to 30 reactions


class KernelChoice:
    """Decides for the ranges of one task, in one process, which kernel runs them; the counts do not depend on it.

    Parameters
    ----------
    network : ReactionNetwork
    wanted : bool or None
        The specialised kernel always or never; with None, as soon as the table-driven one is measured to need so long
        for what remains that loading or compiling the other pays. One thread then does that while the others go on.
    size : int
        Trajectories of the task.
    lanes : int
        How many ranges run at once.
    """

    def __init__(self, network, wanted, size, lanes):
        objection = why_not(network)
        if wanted and objection:
            raise ParameterError(f"compile=True is not possible for this network: {objection}; leave it out")
        self._given = network, wanted, size, lanes
        self._network, self._size, self._lanes = network, size, lanes
        self._wanted = False if objection or (wanted is None and numba.config.DISABLE_JIT) else wanted
        self._kernel = None
        self._source = None
        self._deciding = threading.Lock()
        self._started = 0
        self._warm = False
        self._measured = 0
        self._seconds = 0.0

    def __reduce__(self):
        """Another process decides for itself."""
        return KernelChoice, self._given

    def kernel(self, trajectories):
        """Return the specialised kernel for a range of so many trajectories, or None for the table-driven one."""
        self._started += trajectories
        if self._kernel is None and self._wanted is not False and self._deciding.acquire(blocking=bool(self._wanted)):
            try:
                if self._kernel is None and (self._wanted or self._pays()):
                    self._kernel = load_kernel(self._network)
            except (OSError, RuntimeError):
                if self._wanted:
                    raise
                self._wanted = False
            finally:
                self._deciding.release()
        return self._kernel

    def clock(self):
        """Return when a table-driven range starts; hand it to `ran`. None until the kernel itself is loaded."""
        return time.thread_time() if self._warm else None

    def ran(self, trajectories, start):
        """Note that a table-driven range ended."""
        self._warm = True
        if start is not None:
            self._seconds += time.thread_time() - start
            self._measured += trajectories

    def _pays(self):
        if not (_LOADED or self._measured):
            return False
        if self._source is None:
            self._source = write_source(self._network)
        source = self._source
        if source in _LOADED:
            return True
        if not self._measured:
            return False
        # half of what remains is saved, and that should be twice the cost
        remaining = self._seconds / self._measured * max(self._size - self._started, 0) / self._lanes
        return remaining > 4 * (_SECONDS_TO_LOAD if _is_on_disk(source) else _seconds_to_compile(source))

"""The check of the installation: is all in place, and what to do where it is not, in words."""

import html
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

_PROJECT = "acme-course"
_REINSTALL = "run `uv sync` in the folder of the course (or update the environment from environment.yml), then restart"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    name : str
    sound : bool
    words : str
        What was found, without numbers that differ between machines.
    fix : str
        What to do when it is not sound.
    detail : str
        Versions and times; left out of the report, given by `Report.details`.
    """

    name: str
    sound: bool
    words: str
    fix: str
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """What `check_installation` found; `sound` is True when nothing has to be fixed."""

    findings: tuple[Finding, ...]

    @property
    def sound(self):
        """Whether every line is sound."""
        return all(finding.sound for finding in self.findings)

    @property
    def verdict(self):
        """The report in one sentence."""
        bad = [finding.name for finding in self.findings if not finding.sound]
        return (
            "Everything is installed. You can begin."
            if not bad
            else f"To be fixed: {', '.join(bad)}. The lines say how."
        )

    def __str__(self):  # noqa: D105 (the class says it)
        lines = []
        for finding in self.findings:
            lines.append(f"{'✔' if finding.sound else '✘'} {finding.name}: {finding.words}")
            if not finding.sound:
                lines.append(f"    What to do: {finding.fix}")
        return "\n".join([*lines, self.verdict])

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self), "text/html": self.html()}

    def html(self):
        """Return the report as an HTML table."""
        rows = []
        for finding in self.findings:
            words = html.escape(finding.words, quote=False)
            if not finding.sound:
                words += f"<br><strong>What to do:</strong> {html.escape(finding.fix, quote=False)}"
            mark = "✔ OK" if finding.sound else "✘ <strong>to fix</strong>"
            left = 'style="text-align: left"'
            rows.append(f"<tr><td {left}>{mark}</td><td {left}>{finding.name}</td><td {left}>{words}</td></tr>")
        return f"<table><tbody>{''.join(rows)}</tbody></table><p><strong>{self.verdict}</strong></p>"

    def details(self):
        """Print versions and times: what to send along when you ask for help."""
        for finding in self.findings:
            print(f"{'ok  ' if finding.sound else 'FIX '} {finding.name}: {finding.detail or finding.words}")


def check_installation():
    """Check Python, the packages, the compiled kernels, a simulation, the sliders, the threads and the disk.

    Returns
    -------
    Report
        Shown as a table; ``.sound`` is True when nothing has to be fixed.
    """
    return Report(tuple(_guarded(name, check) for name, check in CHECKS.items()))


def _guarded(name, check):
    try:
        return Finding(name, *check())
    except Exception as error:  # a broken package must give a line of the report, not a traceback
        words = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding(name, False, words, f"{_REINSTALL} the kernel; if it stays, send this line along", words)


def _check_python():
    bounds = SpecifierSet(metadata.metadata(_PROJECT).get("Requires-Python", ""))
    version = ".".join(str(part) for part in sys.version_info[:3])
    sound = bounds.contains(version, prereleases=True)
    words = "its version is one that the course supports" if sound else f"version {version} is outside {bounds}"
    return sound, words, f"install a Python {bounds} and {_REINSTALL} the kernel", f"{version} ({bounds})"


def _check_packages():
    wrong, found = [], []
    for text in metadata.requires(_PROJECT) or []:
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate({"extra": "course"}):
            continue
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        found.append(f"{need.name} {version}")
        if not need.specifier.contains(version, prereleases=True):
            wrong.append(f"{need.name} {version} is outside {need.specifier}")
    words = "; ".join(wrong) or "all are present, in versions that the course supports"
    return not wrong, words, f"{_REINSTALL} the kernel", ", ".join(found)


def _network():
    from acme_lib.network import ReactionNetwork

    return ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=10.0, g=1.0)


def _simulate(size, seed):
    from acme_lib.simulate import simulate_ssa

    return simulate_ssa(_network(), {"M": 0}, [0.0, 1.0, 8.0], size=size, rng=np.random.default_rng(seed))


def _check_kernels():
    import numba

    if numba.config.DISABLE_JIT:
        words = "the compiler is switched off (NUMBA_DISABLE_JIT is set): every simulation runs a hundred times slower"
        return False, words, "unset the variable NUMBA_DISABLE_JIT, then restart the kernel", words
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        _simulate(200, 1)
        seconds.append(time.perf_counter() - start)
    detail = f"first call {seconds[0]:.2f} s, second {seconds[1]:.4f} s; kept in {_cache_folder()}"
    if seconds[1] >= 1.0:
        words = f"a small simulation took {seconds[1]:.1f} s"
        return False, words, "close programs that keep the processor busy, then run this cell again", detail
    if not any(_cache_folder().glob("*.nbi")):
        words = "the simulators compile, but are not kept on disk: every start of a notebook compiles them anew"
        return False, words, "set NUMBA_CACHE_DIR to a folder of your own, then restart the kernel", detail
    return True, "the simulators compile, run at full speed and are kept on disk", "", detail


def _check_simulation():
    samples = _simulate(1000, 2)["M"]
    worst = 0.0
    for column, exact in [(1, 10 * (1 - np.exp(-1.0))), (2, 10 * (1 - np.exp(-8.0)))]:
        # The law is Poisson: its variance is its mean.
        worst = max(worst, abs(samples[:, column].mean() - exact) / np.sqrt(exact / len(samples)))
    sound = worst < 5
    words = "a simulated mean agrees with the exact one within its uncertainty"
    if not sound:
        words = f"a simulated mean is {worst:.1f} standard errors from the exact one"
    fix = f"do not trust results from this installation: {_REINSTALL} the kernel, and report it if it stays"
    return sound, words, fix, f"{worst:.2f} standard errors from the exact mean (seed fixed)"


def _check_sliders():
    missing = [name for name in ("ipywidgets", "jupyterlab_widgets") if not _installed(name)]
    folders = [Path(sys.prefix, "share", "jupyter", "labextensions"), *_lab_folders()]
    if not missing and not any((folder / "@jupyter-widgets" / "jupyterlab-manager").is_dir() for folder in folders):
        missing = ["JupyterLab's extension @jupyter-widgets/jupyterlab-manager"]
    words = "the browser part of the sliders is installed" if not missing else f"{' and '.join(missing)} not found"
    fix = f"{_REINSTALL} JupyterLab and reload the page in the browser"
    return not missing, words, fix, f"ipywidgets {metadata.version('ipywidgets') if not missing else 'missing'}"


def _installed(name):
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _lab_folders():
    from jupyter_core.paths import jupyter_path

    return [Path(folder) for folder in jupyter_path("labextensions")]


def _check_threads():
    from acme_lib.simulate import simulate_ssa
    from acme_lib.simulate.run import available_threads

    runs = [
        simulate_ssa(_network(), {"M": 0}, 1.0, size=200, rng=np.random.default_rng(3), threads=threads).counts
        for threads in (1, max(2, available_threads()))
    ]
    sound = np.array_equal(*runs)
    words = "one thread and many give the same counts" if sound else "one thread and many give different counts"
    fix = f"do not trust results from this installation: {_REINSTALL} the kernel, and report it if it stays"
    return sound, words, fix, f"{available_threads()} of {os.cpu_count()} cores may be used"


def _check_disk():
    places = {"the current folder": Path.cwd(), "the compiler's cache": _cache_folder()}
    blocked = [f"{what} ({place})" for what, place in places.items() if not _writable(place)]
    words = "your work and the compiled code can be saved" if not blocked else f"cannot write {', '.join(blocked)}"
    fix = (
        "free some disk space, or move the course to a folder of your own; for the compiler's cache set "
        "NUMBA_CACHE_DIR to such a folder. Then restart"
    )
    return not blocked, words, fix, ", ".join(f"{what}: {place}" for what, place in places.items())


def _cache_folder():
    from acme_lib.simulate import ssa

    # The dispatcher of a compiled function knows where numba keeps it; plain Python keeps nothing.
    stats = getattr(ssa._direct_method, "stats", None)
    return Path(stats.cache_path) if stats is not None else Path.cwd()


def _writable(folder):
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="acme-") as file:
            file.write(b"x")
    except OSError:
        return False
    return True


CHECKS = {
    "Python": _check_python,
    "packages": _check_packages,
    "compiler": _check_kernels,
    "simulation": _check_simulation,
    "sliders": _check_sliders,
    "threads": _check_threads,
    "disk": _check_disk,
}

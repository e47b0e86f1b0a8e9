"""Peers: each is installed from PyPI into an environment of its own and measured by a script that runs there.

A program reads the name of a case from each line of its input and answers with a line of JSON, so that rounds of
several tools alternate; before, it says in a first line what version it is.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[2] / ".benchmarks"


class PeerProcess:
    """A program that measures."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.ready = self._answer()

    def _answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self.name} ended without an answer (exit code {self.process.wait()})")

    def measure(self, case):
        """Run a case once and return what the program reports, with the key ``seconds``."""
        self.process.stdin.write(f"{case}\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait(timeout=60)


def start_peer(name, requirements, script, *arguments):
    """Start a peer's script in its own environment, which is made where it is missing."""
    python = _environment(name, requirements)
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment |= {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # GillesPy2 calls its build tool by the interpreter behind the environment, which does not see its packages
    environment["PYTHONPATH"] = str(next((HOME / name).glob("[Ll]ib*/**/site-packages")))
    return PeerProcess(name, [python, Path(__file__).parent / script, *arguments], environment)


def start_compiled(name, source):
    """Compile a C++ file of this folder for this machine and start it."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise RuntimeError("no C++ compiler found (g++, clang++ or the environment variable CXX)")
    HOME.mkdir(exist_ok=True)
    program = HOME / name
    flags = ["-O3", "-march=native", "-std=c++17"]
    subprocess.run([compiler, *flags, "-o", program, Path(__file__).parent / source], check=True)
    return PeerProcess(name, [program])


def _environment(name, requirements):
    """Create the environment where it is missing and return its Python."""
    folder = HOME / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    uv = shutil.which("uv")
    if uv is None:
        raise RuntimeError("uv is needed to install the peers; install it with: pip install uv")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run([uv, "venv", "--clear", "--quiet", "--python", version, folder], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *requirements], check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python

"""The library's tests reach its lines; kernels are measured as plain Python, because compiled code has no lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST_PERCENT = 95.0
GRADING = ("batch", "boundary", "bundles", "copying", "exports", "judge", "late", "release", "statistics")
FILES = ["tests/library", *(f"tests/grading/test_{name}.py" for name in GRADING)]


def as_ranges(lines):
    """[1, 2, 3, 7] -> "1-3, 7"."""
    ranges = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def test_line_coverage(tmp_path):
    # Not the names that a parallel run gives its processes: this is a run of its own, in one process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"NUMBA_DISABLE_JIT": "1", "COVERAGE_FILE": str(tmp_path / "coverage")}
    report = tmp_path / "coverage.json"

    def python(*arguments):
        return subprocess.run(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200
        )

    left_out = "not jit and not slow and not browser and not attacks"
    pytest_run = ["-m", "pytest", *FILES, "-q", "-n", "0", "-p", "no:cacheprovider", "-m", left_out]
    tests = python("coverage", "run", "--source=acme_lib", *pytest_run)
    assert tests.returncode == 0, tests.stdout[-6000:] + tests.stderr[-2000:]
    written = python("coverage", "json", "-q", "-o", str(report))
    assert written.returncode == 0, written.stderr

    result = json.loads(report.read_text(encoding="utf-8"))
    percent = result["totals"]["percent_covered"]
    missing = "\n".join(
        f"  {name}: {as_ranges(of_file['missing_lines'])}"
        for name, of_file in result["files"].items()
        if of_file["missing_lines"]
    )
    assert result["totals"]["num_statements"] > 0
    assert percent >= LEAST_PERCENT, (
        f"{percent:.1f} % of the lines are covered, {LEAST_PERCENT} % are asked:\n{missing}"
    )


def test_ranges():
    assert as_ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"

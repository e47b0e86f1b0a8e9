"""Ours against the number of submissions (``ACME_COUNTS``): a straight line, and memory that does not grow."""

import os
import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks.grading import grade, make_course
from tests.benchmarks.table import Row

COUNTS = tuple(int(n) for n in os.environ.get("ACME_COUNTS", "50 200 800 2000").split())


def run():
    """Measure seconds and memory."""
    rows, seconds = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for count in COUNTS:
            batch = grade(make_course(Path(scratch).resolve() / str(count), None, count))
            seconds.append(batch.seconds)
            each = batch.seconds / count
            rows.append(Row(f"{count} submissions", "each", each, each / (seconds[0] / COUNTS[0]), "s", ""))
            for name, memory in {"writer": batch.writer_memory, "worker": batch.worker_memory}.items():
                rows.append(Row(f"{count} submissions", f"memory, {name}", memory / 1e6, memory / 1e9, "MB", ""))
    slope = np.polyfit(np.log(COUNTS), np.log(seconds), 1)[0]
    return [*rows, Row("slope of seconds against submissions, on a log scale", "", slope, slope, "", "a line has 1")]

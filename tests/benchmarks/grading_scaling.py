"""Ours against the number of submissions: a straight line, and memory that does not grow."""

import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks.grading import grade, make_course
from tests.benchmarks.table import Row

COUNTS = (50, 200, 800, 2000)


def run():
    """Measure seconds and memory."""
    rows, seconds = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for count in COUNTS:
            taken, memory, *_ = grade(make_course(Path(scratch).resolve() / str(count), None, count))
            seconds.append(taken)
            rows.append(
                Row(f"{count} submissions", "each", taken / count, taken / count / (seconds[0] / COUNTS[0]), "s", "")
            )
            rows.append(Row(f"{count} submissions", "memory of the writer", memory / 1e6, memory / 1e9, "MB", ""))
    slope = np.polyfit(np.log(COUNTS), np.log(seconds), 1)[0]
    return [*rows, Row("slope of seconds against submissions, on a log scale", "", slope, slope, "", "a line has 1")]

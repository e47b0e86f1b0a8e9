"""Rows of a benchmark, and how they are shown."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measurement: `median_s` in `unit`, and its `ratio` (what it is a ratio of stands in `case`)."""

    case: str
    tool: str
    median_s: float | None
    ratio: float | None
    unit: str
    note: str = ""


def print_table(rows):
    """Print rows as an aligned table."""
    cells = [("case", "tool", "median", "unit", "ratio", "note")]
    cells += [(r.case, r.tool, _number(r.median_s), r.unit, _number(r.ratio), r.note) for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def write_json(rows, path):
    """Write rows as a JSON list."""
    Path(path).write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def _number(value):
    return "" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"

"""Of many like cases, some run always; the others are `thorough`, which `.ci/run` and `.ci/weekly` run."""

import pytest


def always(n, cases):
    """Return the cases of a parametrised test: `n` of them, spread over all, run always, and the others where asked."""
    cases = list(cases)
    kept = {round(i * (len(cases) - 1) / max(1, n - 1)) for i in range(n)}
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    marks = [() if i in kept else pytest.mark.thorough for i in range(len(rows))]
    return [pytest.param(*row, marks=mark) for row, mark in zip(rows, marks, strict=True)]

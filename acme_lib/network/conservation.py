"""Conservation laws: sums of counts that no reaction changes.

They are the integer vectors v with ``stoichiometry @ v = 0``, found by exact elimination with whole numbers.
"""

from math import gcd

import numpy as np

_MOST_ROWS = 2000  # the search for sums without minus signs can grow exponentially; then any basis has to do


def find_conservation_laws(stoichiometry):
    """Find a basis of the conservation laws, without minus signs where possible.

    Parameters
    ----------
    stoichiometry : array_like of int, shape (reaction, species)

    Returns
    -------
    ndarray of int64, shape (law, species)
        Independent rows, coprime within each; short sums come first.
    """
    changes = [[int(value) for value in row] for row in np.asarray(stoichiometry)]
    n_species = np.asarray(stoichiometry).shape[1]
    candidates = sorted(_non_negative(changes, n_species), key=lambda v: (sum(x != 0 for x in v), [-x for x in v]))
    laws, reduced = [], []
    for vector in [*candidates, *_basis(changes, n_species)]:
        rest = _reduce(vector, reduced)
        if any(rest):
            laws.append(vector)
            reduced.append(rest)
    return np.array(laws, dtype=np.int64).reshape(-1, n_species)


def _non_negative(changes, n_species):
    """Return the non-negative laws of smallest support, by Farkas' elimination of one reaction after the other."""
    rows = [
        ([change[i] for change in changes], [int(i == k) for k in range(n_species)]) for i in range(n_species)
    ]  # (net change in each reaction, the sum itself)
    for j in range(len(changes)):
        kept = [row for row in rows if row[0][j] == 0]
        rising = [row for row in rows if row[0][j] > 0]
        falling = [row for row in rows if row[0][j] < 0]
        if len(kept) + len(rising) * len(falling) > _MOST_ROWS:
            return []
        for up in rising:
            for down in falling:
                a, b = -down[0][j], up[0][j]
                both = [[a * x + b * y for x, y in zip(up[k], down[k], strict=True)] for k in (0, 1)]
                divisor = gcd(*both[1])
                kept.append(tuple([x // divisor for x in part] for part in both))
        # Only sums whose species contain no other sum's: the rest are combinations of those.
        supports = [frozenset(i for i, x in enumerate(law) if x) for _, law in kept]
        smallest = {s for s in supports if not any(other < s for other in supports)}
        rows = []
        for row, support in zip(kept, supports, strict=True):
            if support in smallest:
                rows.append(row)
                smallest.discard(support)
    return [law for _, law in rows]


def _basis(changes, n_species):
    """Return an integer basis of all laws, by elimination without fractions."""
    rows, pivots = [], []
    for change in changes:
        row = _reduce(change, rows)
        if any(row):
            rows.append(row)
    for i, row in enumerate(rows):  # below the diagonal it is clear already; clear above it
        pivots.append(_pivot(row))
        rows[:i] = [_eliminate(other, row) for other in rows[:i]]
    basis = []
    for free in [i for i in range(n_species) if i not in pivots]:
        common = 1
        for row, pivot in zip(rows, pivots, strict=True):
            common *= abs(row[pivot])
        vector = [0] * n_species
        vector[free] = common
        for row, pivot in zip(rows, pivots, strict=True):
            vector[pivot] = -row[free] * common // row[pivot]
        vector = _coprime(vector)
        basis.append(vector if vector[_pivot(vector)] > 0 else [-x for x in vector])
    return basis


def _pivot(row):
    return next(i for i, x in enumerate(row) if x)


def _eliminate(row, by):
    """Return a multiple of `row` less a multiple of `by`, with 0 where `by` has its first entry."""
    i = _pivot(by)
    return _coprime([by[i] * x - row[i] * y for x, y in zip(row, by, strict=True)]) if row[i] else row


def _reduce(row, rows):
    for by in rows:
        row = _eliminate(row, by)
    return row


def _coprime(row):
    divisor = gcd(*row) or 1
    return [x // divisor for x in row]


def conservation_law_text(law, species):
    """Return a law as text, such as ``D_off + D_on = const``."""
    text = ""
    for count, name in zip(law, species, strict=True):
        if count:
            sign = (" - " if count < 0 else " + ") if text else ("-" if count < 0 else "")
            text += sign + (name if abs(count) == 1 else f"{abs(count)} {name}")
    return f"{text} = const"

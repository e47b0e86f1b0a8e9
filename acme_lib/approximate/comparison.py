"""What a comparison of methods found: a row a method, a table, and how far the laws lie apart."""

import html
import math
from dataclasses import dataclass, field

import numpy as np

from acme_lib.approximate.trust import Trust, badge
from acme_lib.arrays import freeze, freeze_fields
from acme_lib.distance import law_distance, law_distance_by_chance
from acme_lib.errors import ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import suggest

MASTER, SSA = "master equation", "SSA"
SAMPLED = (SSA, "Langevin")


@dataclass(frozen=True, eq=False)
class MethodResult:
    """What one method says about some species.

    Attributes
    ----------
    method : str
    result : object
        The method's own result; None where it failed.
    means, variances, skewness : ndarray, shape (species,)
        NaN where the method says nothing.
    stderr : ndarray, shape (species,)
        Of the means; 0 where nothing was sampled.
    laws : tuple of ndarray or None
        For each species the probabilities of the counts 0, 1, …; None where the method gives no law.
    seconds : float
        Of a second call where the first took less than half a second, so that derivation and compilation are not in it.
    trust : Trust or None
        None for what is exact.
    failure : str
        Why there is no result, in words; empty where there is one.
    note : str
        What to know of a result that is exact in itself.
    """

    method: str
    result: object = field(repr=False)
    means: np.ndarray
    variances: np.ndarray
    skewness: np.ndarray = field(repr=False)
    stderr: np.ndarray = field(repr=False)
    laws: tuple = field(repr=False)
    seconds: float
    trust: Trust | None = field(repr=False)
    failure: str = ""
    note: str = ""

    def __post_init__(self):
        """Make the arrays read-only."""
        freeze_fields(self)
        freeze(*self.laws)


@dataclass(frozen=True, eq=False, repr=False)
class MethodComparison:
    """Several methods on one network.

    Attributes
    ----------
    network : ReactionNetwork
    species : tuple of str
        Those compared.
    t : float or None
        The time; None for the stationary law.
    rows : tuple of MethodResult
    reference : str or None
        The method that the others are held against: the master equation, or else the SSA where it has no note.
    samples : int
        Trajectories of the sampled methods.
    """

    network: ReactionNetwork
    species: tuple[str, ...]
    t: float | None
    rows: tuple[MethodResult, ...]
    reference: str | None
    samples: int

    def __getitem__(self, method):
        """Return the row of a method."""
        for row in self.rows:
            if row.method == method:
                return row
        known = ", ".join(row.method for row in self.rows)
        raise ParameterError(f"{method!r} is not among the methods compared{suggest(str(method), known)}: {known}")

    def axis(self, name):
        """Return the place of a species."""
        if name not in self.species:
            raise ParameterError(f"{name!r} is not among the species compared: {', '.join(self.species)}")
        return self.species.index(name)

    def distance(self, method, name):
        """Return the total variation between the law of a method and that of the reference; NaN where one is missing.

        Of a continuous law, whole counts have the probability of rounding to them; what lies below zero is wrong.
        """
        i = self.axis(name)
        if self.reference is None or method == self.reference:
            return math.nan
        p, q = self[method].laws[i], self[self.reference].laws[i]
        if p is None or q is None:
            return math.nan
        return float(law_distance(p, q) + 0.5 * abs(q.sum() - p.sum()))

    def distance_by_chance(self, method, name):
        """Return the distance that a sample of the reference's own law shows on average; 0 where nothing is sampled."""
        sampled = [m for m in {method, self.reference} if m in SAMPLED]
        p = self[self.reference].laws[self.axis(name)] if self.reference else None
        if not sampled or p is None or method == self.reference:
            return 0.0
        return float(law_distance_by_chance(p, [self.samples] * len(sampled)))

    def table(self):
        """Return the numbers as a list of dicts, one a method and species."""
        found = []
        for name in self.species:
            i = self.axis(name)
            for row in self.rows:
                mean, variance = float(row.means[i]), float(row.variances[i])
                found.append(
                    {
                        "species": name,
                        "method": row.method,
                        "mean": mean,
                        "mean_stderr": float(row.stderr[i]),
                        "variance": variance,
                        "fano": variance / mean if mean > 0 else math.nan,
                        "skewness": float(row.skewness[i]),
                        "distance": self.distance(row.method, name),
                        "distance_by_chance": self.distance_by_chance(row.method, name),
                        "seconds": row.seconds,
                        "trust": "exact"
                        if row.trust is None and not row.failure
                        else getattr(row.trust, "verdict", ""),
                        "words": row.failure or row.note or getattr(row.trust, "sentence", ""),
                    }
                )
        return found

    def to_pandas(self):
        """Return the table as a `pandas.DataFrame`."""
        import pandas

        return pandas.DataFrame(self.table())

    def _at(self):
        return "stationary" if self.t is None else f"at t = {self.t:g}"

    def __repr__(self):
        lines = [f"{self._at()}; distances are from the {self.reference}"]
        for row in self.table():
            numbers = "  ".join(f"{key} {row[key]:.4g}" for key in ("mean", "variance", "skewness", "distance"))
            lines.append(f"{row['species']:>6}  {row['method']:<22} {numbers}  {row['seconds']:.2g} s  {row['trust']}")
        return "\n".join(lines)

    def _repr_html_(self):
        columns = ("mean", "variance", "Fano", "skewness", "distance", "seconds", "trust")
        head = "<th></th>" + "".join(f"<th>{c}</th>" for c in columns)
        body, notes = [], []
        for name in self.species:
            body.append(f'<tr><th colspan="8" style="text-align:left">{html.escape(name)}</th></tr>')
            for row in (r for r in self.table() if r["species"] == name):
                body.append("<tr>" + "".join(_cells(row)) + "</tr>")
        for row in self.rows:
            words = (
                row.failure or row.note or (row.trust.sentence if row.trust and row.trust.verdict != "green" else "")
            )
            if words:
                notes.append(f"<li>{html.escape(row.method)}: {html.escape(words)}</li>")
        chance = max((r["distance_by_chance"] for r in self.table()), default=0.0)
        caption = f"{self._at()}. The distance is the total variation from the {self.reference}"
        if chance > 0:
            caption += f"; sampling alone makes up to {chance:.2g} of it"
        return (
            f"<table><caption style='text-align:left'>{html.escape(caption[0].upper() + caption[1:])}.</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table><ul>{''.join(notes)}</ul>"
        )


def _cells(row):
    yield f'<td style="text-align:left">{html.escape(row["method"])}</td>'
    if math.isnan(row["mean"]):
        yield '<td colspan="7" style="text-align:left">no result, see below</td>'
        return
    error = f" ± {row['mean_stderr']:.1g}" if row["mean_stderr"] else ""
    yield f"<td>{row['mean']:.4g}{error}</td>"
    for key in ("variance", "fano", "skewness", "distance"):
        yield f"<td>{'–' if math.isnan(row[key]) else format(row[key], '.3g')}</td>"
    yield f"<td>{row['seconds']:.2g}</td>"
    yield f"<td>{badge(row['trust']) if row['trust'] != 'exact' else 'exact'}</td>"

"""Laws fitted to the counts of many genes, a row for each."""

import warnings
from dataclasses import dataclass

from acme_lib.checks import check_choice
from acme_lib.errors import CannotTellWarning
from acme_lib.noise.estimate import Estimate
from acme_lib.noise.estimators import fano_factor
from acme_lib.noise.negative_binomial_fit import NegativeBinomialFit, fit_negative_binomial
from acme_lib.noise.samples import check_counts
from acme_lib.noise.telegraph_fit import TelegraphFit, fit_telegraph


@dataclass(frozen=True)
class GeneFit:
    """A gene's row: its name, its noise and the law fitted to its counts.

    Attributes
    ----------
    gene : str
    n : int
        Cells.
    mean : float
    fano : Estimate or None
        None where all counts are zero.
    fit : NegativeBinomialFit or TelegraphFit
    """

    gene: str
    n: int
    mean: float
    fano: Estimate | None
    fit: NegativeBinomialFit | TelegraphFit


_LAWS = {"negative_binomial": fit_negative_binomial, "telegraph": fit_telegraph}


def fit_genes(table, *, law="negative_binomial", level=0.95):
    """Fit a law to each gene of a table.

    Parameters
    ----------
    table : CountTable or mapping of str to array_like of int
        A gene's name and its counts, one from each cell; see `read_counts`.
    law : {"negative_binomial", "telegraph"}
    level : float
        Of the profile intervals.

    Returns
    -------
    tuple of GeneFit
        In the order of the table.

    Raises
    ------
    ParameterError
        If the law is unknown, or the counts of a gene do not fit; the message names it.

    Warns
    -----
    CannotTellWarning
        Once, with the number of genes concerned; ``row.fit.cannot_tell`` says what, gene by gene.

    Examples
    --------
    >>> rows = fit_genes({"lacZ": [0, 7, 1, 12, 0, 3, 30, 2, 5, 9], "recA": [12, 0, 3, 25, 1, 9, 4, 0, 17, 6]})
    >>> [row.gene for row in rows if row.fit.identifiable]
    ['lacZ', 'recA']
    """
    check_choice("law", law, _LAWS)
    rows = []
    for gene, counts in table.items():
        x = check_counts(counts, what=f"counts of {gene}")
        fano = fano_factor(x) if x.any() else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CannotTellWarning)
            rows.append(GeneFit(gene, len(x), float(x.mean()), fano, _LAWS[law](x, level=level)))
    vague = [row.gene for row in rows if not row.fit.identifiable]
    if vague:
        shown = ", ".join(vague[:5]) + (", …" if len(vague) > 5 else "")
        words = f"the counts of {len(vague)} of {len(rows)} genes cannot tell all parameters: {shown}"
        words += "; row.fit.cannot_tell says what"
        warnings.warn(words, CannotTellWarning, stacklevel=2)
    return tuple(rows)

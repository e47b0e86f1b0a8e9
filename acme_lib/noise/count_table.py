"""Counts from a file: a plain CSV, a column a gene, a line a cell."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from acme_lib.errors import CountsFileError

_MISSING = {"", "na", "nan", "null", "none"}


@dataclass(frozen=True, eq=False)
class CountTable(Mapping):
    """Counts by gene: ``table["lacZ"]`` is a read-only array of the gene's counts, one from each cell.

    Attributes
    ----------
    columns : dict of str to ndarray of int64
    missing : dict of str to int
        Values left out, by gene.
    """

    columns: dict = field(repr=False)
    missing: dict = field(repr=False)

    @property
    def genes(self):
        """Names of the genes, in the order of the file."""
        return tuple(self.columns)

    def __getitem__(self, gene):
        return self.columns[gene]

    def __iter__(self):
        return iter(self.columns)

    def __len__(self):
        return len(self.columns)

    def __repr__(self):
        """Return how many genes there are, and their first names."""
        shown = ", ".join(self.genes[:4]) + (", …" if len(self) > 4 else "")
        return f"CountTable of {len(self)} genes: {shown}"


def read_counts(path, *, missing="refuse"):
    """Read counts from a plain CSV: names of genes in the first line, then a line a cell.

    Parameters
    ----------
    path : str or path
        A file in UTF-8, separated by commas.
    missing : {"refuse", "drop"}
        What to do with an empty field or NA: refuse the file, or leave that cell out of that gene alone (columns may
        then differ in length). A missing value is never read as 0.

    Returns
    -------
    CountTable

    Raises
    ------
    CountsFileError
        Where the file is empty, has no names, a line is longer or shorter than the first, or a value is not a whole
        number of at least 0; the message names the line and the column. ``3.0`` and ``1e3`` are whole numbers, ``3.5``
        is not.
    OSError
        If the file cannot be opened.
    """
    if missing not in ("refuse", "drop"):
        raise CountsFileError(f'missing is "refuse" or "drop"; {missing!r} came')
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, row) for row in reader]
    except UnicodeDecodeError as error:
        raise CountsFileError(f"{path} is not a text in UTF-8 ({error.reason}); save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise CountsFileError(f"{path} is not a plain CSV: {error}") from None
    while lines and not lines[-1][1]:
        lines.pop()  # empty lines at the end hold no cell
    if not lines:
        raise CountsFileError(f"{path} is empty; its first line names the genes, each further line holds a cell")
    genes = _names(lines[0][1], path)
    columns = {gene: [] for gene in genes}
    left_out = dict.fromkeys(genes, 0)
    for number, row in lines[1:]:
        if not row and len(genes) == 1:
            row = [""]
        if len(row) != len(genes):
            raise CountsFileError(
                f"{path}, line {number}: {len(row)} values came; the first line names {len(genes)} genes"
            )
        for gene, text in zip(genes, row, strict=True):
            if text.strip().lower() in _MISSING:
                if missing == "refuse":
                    raise CountsFileError(
                        f"{path}, line {number}, column {gene}: the value is missing; fill it in, or leave "
                        'such cells out of their gene with missing="drop"'
                    )
                left_out[gene] += 1
            else:
                columns[gene].append(_count(text, f"{path}, line {number}, column {gene}"))
    if len(lines) == 1:
        raise CountsFileError(f"{path} names {len(genes)} genes, but no line of counts follows")
    arrays = {gene: np.array(values, dtype=np.int64) for gene, values in columns.items()}
    for array in arrays.values():
        array.flags.writeable = False
    return CountTable(arrays, left_out)


def _names(row, path):
    names = [text.strip() for text in row]
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise CountsFileError(
            f"{path}, line 1: no comma, but other separators: {names[0]!r}; save it separated by commas"
        )
    if all(_is_number(name) for name in names):
        raise CountsFileError(f"{path}, line 1: the first line names the genes; {', '.join(names[:5])} came")
    for i, name in enumerate(names):
        if not name:
            raise CountsFileError(f"{path}, line 1: column {i + 1} has no name")
        if name in names[:i]:
            raise CountsFileError(f"{path}, line 1: two columns are called {name!r}; give each gene a name of its own")
    return names


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _count(text, where):
    try:
        value = int(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            raise CountsFileError(f"{where}: a count is a whole number; {text.strip()!r} came") from None
        if not number.is_integer():  # NaN and infinity are not, either
            raise CountsFileError(
                f"{where}: a count is a whole number; {text.strip()!r} came (normalised values are no counts)"
            ) from None
        value = int(number)
    if not 0 <= value < 2**62:
        raise CountsFileError(f"{where}: a count is at least 0, and not beyond 2**62; {text.strip()!r} came")
    return value

"""Counts from a file: a table with a column for each gene and a line for each cell, or the other way round."""

import csv
import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from acme_lib.arrays import freeze
from acme_lib.checks import check_choice, expected
from acme_lib.errors import CountsFileError

_MISSING = {"", "na", "nan", "null", "none"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)  # no 1_01, which Python takes
_OF_CELLS = {"", "unnamed: 0", "cell", "cells", "cell_id", "cell id", "cellid", "index", "barcode", "barcodes", "id"}
_OF_GENES = {"gene", "genes", "gene_id", "gene id", "geneid", "gene_name", "gene name", "symbol", "gene_symbol"}


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


def read_counts(path, *, genes="columns", index=None, missing="refuse"):
    """Read a table of counts: names in the first line, then whole numbers.

    Parameters
    ----------
    path : str or path
        A text in UTF-8, separated by commas (CSV) or tabs (TSV), plain or compressed (gzip).
    genes : {"columns", "rows"}
        A column for each gene and a line for each cell; or a line for each gene, its name first, and a column for each
        cell.
    index : bool, optional
        Whether the first column names the cells instead of holding counts (``genes="columns"``). Without, it is
        recognised: the first line leaves it without a name (pandas writes so) or is one field short (R writes so), or
        the column holds names. Where that cannot be told, as where a column counts 0, 1, 2, …, the file is refused
        until you say.
    missing : {"refuse", "drop"}
        What to do with an empty field or NA: refuse the file, or leave that cell out of that gene alone (columns may
        then differ in length). A missing value is never read as 0.

    Returns
    -------
    CountTable

    Raises
    ------
    CountsFileError
        Where the file is empty, has no names, seems to lie on its side, a line is longer or shorter than the first, or
        a value is not a whole number of at least 0; the message names the line and the column. ``3.0`` and ``1e3`` are
        whole numbers, ``3.5`` and ``1_000`` are not.
    ParameterError
        If an option is none of its choices.
    OSError
        If the file cannot be opened.
    """
    check_choice("genes", genes, ("columns", "rows"))
    check_choice("missing", missing, ("refuse", "drop"))
    if index not in (None, True, False):
        raise expected("index", "True, False or None", index)
    (_, header), *lines = _read_lines(path)
    names = [text.strip() for text in header]
    if not lines:
        raise CountsFileError(f"{path} names {len(names)} columns, but no line of counts follows")
    if len(names) == 1:
        lines = [(number, row or [""]) for number, row in lines]
    short = all(len(row) == len(names) + 1 for _, row in lines)
    if short:
        names = ["", *names]
    for number, row in lines:
        if len(row) != len(names):
            raise CountsFileError(
                f"{path}, line {number}: as many values as names were expected, {len(names)}, got {len(row)}"
            )
    if genes == "rows":
        columns, fields = _by_row(path, names, lines)
    else:
        first = int(_has_index(path, names, lines) if index is None else index)
        columns = _check_names(path, names[first:], "column", first)
        fields = [[(number, row[first + i]) for number, row in lines] for i in range(len(columns))]
    counts, left_out = {}, {}
    for gene, values in zip(columns, fields, strict=True):
        found = [
            _count(text, f"{path}, line {number}, {'gene' if genes == 'rows' else 'column'} {gene}", missing)
            for number, text in values
        ]
        kept = [value for value in found if value is not None]
        counts[gene], left_out[gene] = freeze(np.array(kept, dtype=np.int64)), len(found) - len(kept)
    return CountTable(counts, left_out)


def _read_lines(path):
    """Return the lines of a file as (number, fields), without empty ones at its end."""
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rt", encoding="utf-8-sig", newline="") as file:
            tabs = "\t" in file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter="\t" if tabs else ",")
            lines = [(reader.line_num, row) for row in reader]
    except UnicodeDecodeError as error:
        raise CountsFileError(f"{path} is not a text in UTF-8 ({error.reason}); save it as CSV in UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CountsFileError(f"{path} is no complete gzip file: {error}") from None
    except csv.Error as error:
        raise CountsFileError(f"{path} is not a plain CSV: {error}") from None
    while lines and not lines[-1][1]:
        lines.pop()  # empty lines at the end hold no cell
    if not lines:
        raise CountsFileError(f"{path} is empty: a first line of names was expected, and lines of counts")
    if len(lines[0][1]) == 1 and ";" in lines[0][1][0]:
        raise CountsFileError(
            f"{path}, line 1: commas or tabs were expected between names, got {lines[0][1][0]!r}: save it so"
        )
    return lines


def _has_index(path, names, lines):
    """Whether the first column names cells; refuse a table that seems to lie on its side, or where it is not clear."""
    column = [row[0].strip() for _, row in lines]
    numbers = [_is_number(text) for text in column]
    named = not any(numbers) and not any(text.lower() in _MISSING for text in column)
    word = names[0].lower()
    aside = 'if each line is a gene and each column a cell, write genes="rows"'
    if len(names) > 1 and named and (word in _OF_GENES or all(map(_is_number, names[1:]))):
        raise CountsFileError(f"{path}: names of genes were expected in the first line, got {_some(names)}: {aside}")
    if all(map(_is_number, names)) or (len(names) > 1 and all(map(_is_number, names[1:]))):
        raise CountsFileError(
            f"{path}, line 1: names of genes were expected, got {_some(names)}: add a line of names; {aside}"
        )
    if len(names) == 1:
        return False
    distinct = len(set(column)) == len(column)
    if word in ("", "unnamed: 0") or (distinct and (word in _OF_CELLS or (named and len(column) > 1))):
        return True
    if len(column) >= 5 and column in ([str(i) for i in range(n, n + len(column))] for n in (0, 1)):
        raise CountsFileError(
            f"{path}: column {names[0]} counts {', '.join(column[:3])}, …: write index=True if it numbers the cells, "
            "index=False if it is a gene"
        )
    return False


def _by_row(path, names, lines):
    """Return the names of the genes and the fields of each, where a line is a gene."""
    if len(names) < 2:
        raise CountsFileError(f"{path}: a gene's name and its counts were expected in each line, got one field")
    if names[0].lower() not in _OF_GENES | {"", "unnamed: 0"} and all(map(_is_number, names[1:])):
        raise CountsFileError(f"{path}, line 1: names of the cells were expected, got {_some(names)}")
    genes = _check_names(path, [row[0].strip() for _, row in lines], "line", 1)
    return genes, [[(number, text) for text in row[1:]] for number, row in lines]


def _check_names(path, names, what, first):
    seen = set()
    for i, name in enumerate(names):
        if not name:
            raise CountsFileError(f"{path}: {what} {i + 1 + first} has no name")
        if name in seen:
            raise CountsFileError(f"{path}: two {what}s are called {name!r}; give each gene a name of its own")
        seen.add(name)
    return names


def _some(names):
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _is_number(text):
    return _NUMBER.fullmatch(text.strip()) is not None or text.strip().lower() in ("inf", "-inf")


def _count(text, where, missing):
    """Return a count, or None for a missing one that is left out."""
    text = text.strip()
    if text.lower() in _MISSING:
        if missing == "refuse":
            raise CountsFileError(
                f'{where}: the value is missing; fill it in, or leave such cells out of their gene with missing="drop"'
            )
        return None
    if not _NUMBER.fullmatch(text) or not (whole := float(text)).is_integer():
        hint = " (normalised values are no counts)" if _is_number(text) and "." in text else ""
        raise CountsFileError(f"{where}: a count must be a whole number, got {text!r}{hint}")
    value = int(text) if text.lstrip("+-").isdigit() else int(whole)
    if not 0 <= value < 2**62:
        raise CountsFileError(f"{where}: a count must be at least 0 and below 2**62, got {text!r}")
    return value

"""Counts against a law, and counts from a file."""

import gzip

import numpy as np
import pytest
from scipy import stats

from acme_lib.errors import CountsFileError, ParameterError
from acme_lib.laws import telegraph
from acme_lib.noise import CountTable, fit_genes, goodness_of_fit, read_counts
from tests.benchmarks import coverage
from tests.statistics import FALSE_POSITIVE

# --- goodness of fit --------------------------------------------------------------------------------------------------


def test_cells_come_from_the_law():
    law = stats.poisson(4.0)
    samples = [law.rvs(200, random_state=seed) for seed in (71, 72)]
    one, two = (goodness_of_fit(x, law) for x in samples)
    np.testing.assert_array_equal(one.first, two.first)
    np.testing.assert_array_equal(one.expected, two.expected)
    assert one.expected.min() >= 5.0
    assert one.expected.sum() == pytest.approx(200)
    assert one.observed.sum() == 200
    for i, first in enumerate(one.first):
        last = one.first[i + 1] - 1 if i + 1 < len(one.first) else 10**6
        assert one.expected[i] == pytest.approx(200 * (law.cdf(last) - law.cdf(first - 1)))
        assert one.observed[i] == np.count_nonzero((samples[0] >= first) & (samples[0] <= last))
    assert one.freedom == len(one.first) - 1


def test_statistic_by_hand():
    law = stats.binom(2, 0.5)
    result = goodness_of_fit([0] * 10 + [1] * 25 + [2] * 5, law)
    g = 2 * (10 * np.log(10 / 10) + 25 * np.log(25 / 20) + 5 * np.log(5 / 10))
    williams = 1 + (4 + 2 + 4 - 1) / (6 * 40 * 2)
    assert result.statistic == pytest.approx(g / williams)
    assert result.p_value == pytest.approx(stats.chi2.sf(g / williams, 2))


@pytest.mark.parametrize("law", [stats.nbinom(6.0, 2 / 3), stats.nbinom(2.0, 1 / 6)], ids=["Fano 1.5", "Fano 6"])
def test_a_true_law_is_rejected_as_often_as_said(law, scaled):
    """Rejections at 5 % are binomial: at `FALSE_POSITIVE` within the quantiles of the rates that were measured.

    Those are 4 to 6 % for the law itself. For a fitted law 5 % lies between those of `p_upper` and `p_value`.
    """
    n = scaled(1000, 200)
    itself, fitted, upper = (
        round(rate * n) for rate in coverage.reject_true_law(law, 200, n, np.random.default_rng(73))
    )
    assert stats.binom.ppf(FALSE_POSITIVE / 2, n, 0.04) <= itself <= stats.binom.isf(FALSE_POSITIVE / 2, n, 0.06)
    assert stats.binom.ppf(FALSE_POSITIVE, n, 0.05) <= fitted
    assert upper <= min(stats.binom.isf(FALSE_POSITIVE, n, 0.05), fitted)


def test_fitted_parameters_cost_degrees_of_freedom():
    counts = stats.poisson(4.0).rvs(200, random_state=74)
    plain, fitted = (goodness_of_fit(counts, stats.poisson(counts.mean()), fitted_parameters=k) for k in (0, 1))
    assert fitted.freedom == plain.freedom - 1
    assert fitted.statistic == plain.statistic
    assert fitted.p_value < plain.p_value
    assert plain.p_value == plain.p_upper == fitted.p_upper


class OnlyProbabilities:
    def pmf(self, n):
        return stats.poisson(4.0).pmf(n)


def test_any_law_with_a_pmf_or_a_cdf():
    counts = stats.poisson(4.0).rvs(300, random_state=75)
    assert goodness_of_fit(counts, OnlyProbabilities()).p_value == pytest.approx(
        goodness_of_fit(counts, stats.poisson(4.0)).p_value, rel=1e-9
    )
    switching = telegraph(0.5, 0.7, 60, 1)
    assert goodness_of_fit(switching.rvs(500, rng=np.random.default_rng(76)), switching).p_value > FALSE_POSITIVE
    far = stats.nbinom(0.5, 0.0005)  # its cells reach beyond the first 64 states
    assert goodness_of_fit(far.rvs(300, random_state=77), far).p_value > FALSE_POSITIVE


def test_wrong_laws_are_seen():
    counts = stats.nbinom(2.0, 1 / 3).rvs(500, random_state=78)
    assert goodness_of_fit(counts, stats.poisson(4.0)).p_value < 1e-6
    assert goodness_of_fit([0, 1, 2, 3] * 20, stats.binom(2, 0.5)).p_value == 0.0  # three of two


class Broken:
    def __init__(self, values):
        self.values = values

    def cdf(self, n):
        return np.resize(self.values, len(n))


@pytest.mark.parametrize(
    ("counts", "law", "options", "message"),
    [
        ([1, 2, 3], stats.poisson(2.0), {}, "take more counts"),
        ([1, 2] * 10, stats.poisson(2.0), {"fitted_parameters": 9}, "at least 11 are needed"),
        ([1, 2] * 10, stats.poisson(2.0), {"fitted_parameters": -1}, "fitted_parameters"),
        ([1, 2] * 10, stats.poisson(2.0), {"fitted_parameters": True}, "fitted_parameters"),
        ([1, 2] * 10, stats.poisson(2.0), {"min_expected": 0}, "min_expected"),
        ([1, 2] * 10, "poisson", {}, "a cdf or a pmf.*got 'poisson'"),
        ([1, 2] * 10, Broken([0.5, np.nan]), {}, "no law of counts"),
        ([1, 2] * 10, Broken([0.5, 0.4]), {}, "no law of counts"),
        ([1, 2] * 10, Broken([0.5]), {}, "does not sum to one"),
        ([1, 2.5] * 10, stats.poisson(2.0), {}, "whole numbers"),
    ],
)
def test_no_test(counts, law, options, message):
    with pytest.raises(ParameterError, match=message):
        goodness_of_fit(counts, law, **options)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "counts.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_a_column_a_gene(write):
    table = read_counts(write('lacZ, recA ,"gene, third"\n1,0,3\n 2 ,5,1e3\n0,1,4.0\n\n\n'))
    assert table.genes == ("lacZ", "recA", "gene, third")
    assert [table[gene].tolist() for gene in table] == [[1, 2, 0], [0, 5, 1], [3, 1000, 4]]
    assert table["lacZ"].dtype == np.int64
    assert not table["lacZ"].flags.writeable
    assert len(table) == 3
    assert repr(table) == "CountTable of 3 genes: lacZ, recA, gene, third"
    assert isinstance(table, CountTable)
    assert [row.gene for row in fit_genes({g: [0, 9, 0, 20, 1, 40, 0, 2] for g in table})] == list(table)


def test_windows_files_with_a_byte_order_mark(write):
    table = read_counts(write("a,b\r\n1,2\r\n3,4\r\n", encoding="utf-8-sig"))
    assert (table["a"].tolist(), table["b"].tolist()) == ([1, 3], [2, 4])


def test_missing_values(write):
    path = write("a,b\n1,2\n,3\nNA,4\n5,nan\n")
    with pytest.raises(CountsFileError, match='line 3, column a: the value is missing.*missing="drop"'):
        read_counts(path)
    table = read_counts(path, missing="drop")
    assert (table["a"].tolist(), table["b"].tolist()) == ([1, 5], [2, 3, 4])
    assert table.missing == {"a": 2, "b": 1}
    with pytest.raises(ParameterError, match="missing must be 'refuse' or 'drop', got 'zero'"):
        read_counts(path, missing="zero")


def test_an_empty_line_is_a_missing_value_of_a_single_gene(write):
    path = write("a\n1\n\n2\n")
    with pytest.raises(CountsFileError, match="line 3, column a: the value is missing"):
        read_counts(path)
    assert read_counts(path, missing="drop")["a"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "no line of counts follows"),
        ("a,b\n1,2\n3\n", "line 3: as many values as names were expected, 2, got 1"),
        ("a,b\n1,2\n3,4,5\n", "line 3: .* 2, got 3"),
        ("a,b\n1,2\n\n3,4\n", "line 3: .* 2, got 0"),
        ("a,b\n1,2.5\n", "line 2, column b: a count must be a whole number, got '2.5' .normalised"),
        ("a,b\n1,x\n", "line 2, column b: a count must be a whole number, got 'x'"),
        ("a,b\n1,inf\n", "line 2, column b: a count must be a whole number, got 'inf'"),
        ("a,b\n-1,2\n", "line 2, column a: a count must be at least 0"),
        ("a,b\n1,99999999999999999999\n", "line 2, column b: .* below 2..62"),
        ("1,2\n3,4\n", "line 1: names of genes were expected, got 1, 2: .*genes=.rows"),
        ("a,a\n3,4\n", "two columns are called 'a'"),
        ("a,\n3,4\n", "column 2 has no name"),
        ("a;b\n3;4\n", "commas or tabs were expected"),
        ('a,b\n"1\n2",3\n', r"line 3, column a: a count must be a whole number, got '1\\n2'"),
    ],
)
def test_files_that_cannot_be_read(write, text, message):
    with pytest.raises(CountsFileError, match=message):
        read_counts(write(text))


def test_files_that_are_no_text(write, tmp_path):
    with pytest.raises(CountsFileError, match="not a text in UTF-8"):
        read_counts(write("é,b\n1,2\n", encoding="latin-1"))
    with pytest.raises(FileNotFoundError):
        read_counts(tmp_path / "nowhere.csv")
    with pytest.raises(CountsFileError, match="not a plain CSV"):
        read_counts(write("a,b\n1," + "2" * 200_000 + "\n"))


@pytest.mark.parametrize(
    "text",
    [
        "cell,Actb,Gapdh\nAAAC-1,3,0\nAAAG-1,1,7\n",  # names of cells
        ",Actb,Gapdh\n0,3,0\n1,1,7\n",  # pandas' default index
        "Unnamed: 0,Actb,Gapdh\n0,3,0\n1,1,7\n",  # the same, read and written once more
        "cell,Actb,Gapdh\n0,3,0\n1,1,7\n",
        "Actb,Gapdh\nAAAC-1,3,0\nAAAG-1,1,7\n",  # R's write.table
        "Actb\tGapdh\n3\t0\n1\t7\n",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_commonest_files_are_recognised(tmp_path, text, packed):
    path = tmp_path / ("counts.csv.gz" if packed else "counts.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    table = read_counts(path)
    assert {gene: table[gene].tolist() for gene in table} == {"Actb": [3, 1], "Gapdh": [0, 7]}


@pytest.mark.parametrize("corner", ["gene", "", "Unnamed: 0", "symbol"])
@pytest.mark.parametrize("cells", ["0,1", "AAAC-1,AAAG-1"])
def test_a_table_on_its_side(write, corner, cells):
    """Refused with what to write, never transposed in silence; names of cells alone do not tell, and are genes then."""
    path = write(f"{corner},{cells}\nActb,3,1\nGapdh,0,7\n")
    if corner in ("gene", "symbol") or cells == "0,1":
        with pytest.raises(CountsFileError, match='if each line is a gene and each column a cell, write genes="rows"'):
            read_counts(path)
    table = read_counts(path, genes="rows")
    assert {gene: table[gene].tolist() for gene in table} == {"Actb": [3, 1], "Gapdh": [0, 7]}


def test_a_column_that_counts_up_is_refused_until_it_is_said_what_it_is(write):
    path = write("lacZ,recA\n0,5\n1,5\n2,6\n3,8\n4,8\n")
    with pytest.raises(CountsFileError, match="column lacZ counts 0, 1, 2, …: write index=True"):
        read_counts(path)
    assert list(read_counts(path, index=True)) == ["recA"]
    assert read_counts(path, index=False)["lacZ"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ParameterError, match="index must be True, False or None"):
        read_counts(path, index="yes")


def test_rows_that_name_no_gene(write):
    for text, message in [
        ("Actb,3,1\nGapdh,0,7\n", "names of the cells were expected, got Actb, 3, 1"),
        ("gene,A,B\nActb,3,1\nActb,0,7\n", "two lines are called 'Actb'"),
        ("gene,A,B\nActb,3,1\n,0,7\n", "line 3 has no name"),
        ("gene,A,B\nActb,3,x\n", "line 2, gene Actb: a count must be a whole number, got 'x'"),
        ("gene\nActb\n", "a gene's name and its counts were expected"),
    ]:
        with pytest.raises(CountsFileError, match=message):
            read_counts(write(text), genes="rows")
    with pytest.raises(ParameterError, match="genes must be 'columns' or 'rows'"):
        read_counts(write("a\n1\n"), genes="lines")
    left = read_counts(write("gene,A,B\nActb,3,\n"), genes="rows", missing="drop")
    assert (left["Actb"].tolist(), left.missing) == ([3], {"Actb": 1})


@pytest.mark.parametrize("text", ["1_01", "0x1f", "\u0663", "1e", "--1", "1 0"])
def test_what_is_no_number_in_other_programs_is_none_here(write, text):
    with pytest.raises(CountsFileError, match="a count must be a whole number"):
        read_counts(write(f"a,b\n1,{text}\n"))


def test_a_cut_archive_is_named(tmp_path):
    path = tmp_path / "counts.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-20])
    with pytest.raises(CountsFileError, match="no complete gzip file"):
        read_counts(path)

"""Counts against a law, and counts from a file."""

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
        ([1, 2] * 10, "poisson", {}, "a cdf or a pmf.*str came"),
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
    with pytest.raises(CountsFileError, match='"refuse" or "drop"'):
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
        ("a,b\n1,2\n3\n", "line 3: 1 values came; the first line names 2"),
        ("a,b\n1,2\n3,4,5\n", "line 3: 3 values came"),
        ("a,b\n1,2\n\n3,4\n", "line 3: 0 values came"),
        ("a,b\n1,2.5\n", "line 2, column b: a count is a whole number; '2.5' came .normalised"),
        ("a,b\n1,x\n", "line 2, column b: a count is a whole number; 'x' came"),
        ("a,b\n1,inf\n", "line 2, column b: a count is a whole number; 'inf'"),
        ("a,b\n-1,2\n", "line 2, column a: a count is at least 0"),
        ("a,b\n1,99999999999999999999\n", "line 2, column b: .* not beyond"),
        ("1,2\n3,4\n", "line 1: the first line names the genes; 1, 2 came"),
        ("a,a\n3,4\n", "two columns are called 'a'"),
        ("a,\n3,4\n", "column 2 has no name"),
        ("a;b\n3;4\n", "no comma, but other separators"),
        ('a,b\n"1\n2",3\n', r"line 3, column a: a count is a whole number; '1\\n2' came"),
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

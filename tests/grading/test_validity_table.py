"""The page of what the validity tests found says what they kept, and nothing that was kept for another text."""

import json

import pytest

from tests.grading.exercises import all_exercises
from tests.grading.validity_table import at_most, keep, recall, write_page


def row_of(page, name):
    (line,) = [line for line in page.split("\n") if line.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_page_says_what_was_found(tmp_path):
    exercise = all_exercises()[0]
    question = next(iter(exercise.questions))
    keep(exercise.name, question, "right", folder=tmp_path, variants=5, draws=3000, failed=0, longest=0.126)
    names = {"pairs-squared": {"pairs-squared": 27, "no name": 2}, "leaks": {"leaks": 10, "pairs-squared": 1}}
    keep(exercise.name, question, "wrong", folder=tmp_path, variants=9, draws=400, escaped=3, names=names)
    keep(exercise.name, "", "engine", folder=tmp_path, draws=20, failed=1, mean=2.34, longest=2.9)
    page = write_page(tmp_path)
    # 37 of 40 messages name it, one names another; 3/3000 = 0.001 is the rule of three
    assert row_of(page, question) == ["5", "3,000", "0 (below 0.001)", "9", "400", "3", "92.5 %", "1", "0.13 s"]
    # of 20, with one failure: the bound solves (1-p)^20 + 20 p (1-p)^19 = 0.05
    assert row_of(page, exercise.name.partition("/")[0]) == ["20", "1 (below 0.2)", "2.3 s", "2.9 s"]
    for other in all_exercises()[1:]:
        for name in other.questions:
            assert set(row_of(page, name)) == {"–"}


def test_what_was_found_with_another_text_is_not_said(tmp_path):
    name = all_exercises()[0].name
    keep(name, "f", "right", folder=tmp_path, draws=1)
    assert recall(name, "f", "right", folder=tmp_path) == {"draws": 1}
    (file,) = tmp_path.iterdir()
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"version": "0"}), "utf-8")
    assert recall(name, "f", "right", folder=tmp_path) is None
    assert recall(name, "g", "right", folder=tmp_path) is None


@pytest.mark.parametrize(("failures", "draws"), [(0, 100), (1, 20), (7, 50)])
def test_the_bound_is_where_so_few_failures_have_five_per_cent(failures, draws):
    from scipy.stats import binom

    assert binom.cdf(failures, draws, at_most(failures, draws)) == pytest.approx(0.05)


def test_nothing_is_known_where_all_fail():
    assert at_most(3, 3) == 1.0

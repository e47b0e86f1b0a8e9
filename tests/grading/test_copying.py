"""The report of similar answers: what disguises a copy, what does not count, and a page that shows both."""

import csv
import io
import json
import random
import runpy
import zipfile
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from traitlets.config import Config

from acme_lib.cli import main
from acme_lib.errors import GradebookError
from acme_lib.report.copying import (
    COMMON_COUNT,
    LENGTH,
    Answer,
    collect_answers,
    find_pairs,
    read_tokens,
    write_copy_page,
    write_pairs_csv,
)

GRADEBOOKS = runpy.run_path(str(Path(__file__).with_name("gradebooks.py")))
opened, fill, write_config = GRADEBOOKS["opened"], GRADEBOOKS["fill"], GRADEBOOKS["write_config"]


ONE = '''\
def simulate(k, gamma, n0, t_end, rng):
    """One trajectory."""
    times, counts = [0.0], [n0]
    while True:
        birth, death = k, gamma * counts[-1]
        wait = rng.exponential(1 / (birth + death))
        if times[-1] + wait > t_end:
            return np.array(times), np.array(counts)
        step = 1 if rng.random() < birth / (birth + death) else -1
        times.append(times[-1] + wait)
        counts.append(counts[-1] + step)


def average(times, counts, t_end):
    lengths = np.diff(np.append(times, t_end))
    mean = np.sum(counts * lengths) / t_end
    square = np.sum(counts**2 * lengths) / t_end
    return mean, (square - mean**2) / mean
'''
RENAMED = """\
# entirely my own work
def run(a, b, start, stop, source):
    ts, ns = [0], [start]          # the start
    while True:
        up, down = a, b * ns[-1]
        dt = source.exponential(2 / (up + down))
        if ts[-2] + dt > stop:
            return np.array(ts), np.array(ns)
        change = 7 if source.random() < up / (up + down) else -9
        ts.append(ts[-1] + dt)
        ns.append(ns[-1] + change)
def moments(ts, ns, stop):
    "says something else"
    d = np.diff(np.append(ts, stop))
    m = np.sum(ns * d) / stop
    q = np.sum(ns**2 * d) / stop
    return m, (q - m**2) / m
"""
OTHER = """\
def simulate(k, gamma, n0, t_end, rng):
    n, t = n0, 0.0
    path = np.zeros((0, 2))
    for _ in range(10**6):
        a = np.array([k, n * gamma])
        t = t - np.log(1 - rng.uniform()) / a.sum()
        path = np.vstack([path, [t, n]])
        n += (1, -1)[int(rng.uniform() * a.sum() > a[0])]
        if t >= t_end:
            break
    return path.T


def average(times, counts, t_end):
    weights = np.concatenate([times[1:], [t_end]]) - times
    first, second = (np.average(counts**power, weights=weights) for power in (1, 2))
    return first, second / first - first
"""
GIVEN = [Answer("simulate", "def simulate(k, gamma, n0, t_end, rng):\n    raise NotImplementedError()\n")]


def compare(first, second, release=GIVEN, **options):
    return find_pairs({"one": [Answer("q", first)], "two": [Answer("q", second)]}, release, **options)


def halves(source):
    cut = source.rindex("\ndef ")
    return source[:cut], source[cut:]


def test_a_copy_under_other_names_is_found():
    (pair,) = compare(ONE, RENAMED).pairs
    assert pair.similarity > 0.95
    assert compare(ONE, ONE).pairs[0].parts == (1, 1)


def test_a_copy_in_another_order_is_found():
    simulate, average = halves(ONE)
    (pair,) = compare(ONE, average + "\n\n" + simulate).pairs
    assert pair.similarity > 0.85  # the passages over the seam differ
    cells = {
        "one": [Answer("first", simulate), Answer("second", average)],
        "two": [Answer("first", halves(RENAMED)[1]), Answer("second", halves(RENAMED)[0])],
    }
    (pair,) = find_pairs(cells, GIVEN).pairs
    assert pair.similarity > 0.95
    assert [(match.first.question, match.second.question) for match in pair.matches] == [
        ("first", "second"),
        ("second", "first"),
    ]


def test_honest_answers_are_not_listed():
    report = compare(ONE, OTHER)
    assert report.pairs == ()
    assert (report.students, report.compared) == (2, 1)


def test_a_copy_of_a_part_is_found():
    report = compare(ONE, halves(ONE)[0] + halves(OTHER)[1], threshold=0.4)
    (pair,) = report.pairs
    assert 0.5 < pair.similarity < 0.85
    ((match,),) = (pair.matches,)
    (span,) = match.first_spans
    copied = ONE[slice(*span)]
    assert copied.startswith("k, gamma, n0")
    assert "counts.append(counts[-1] + step)" in copied
    assert "square" not in copied


def test_what_was_given_does_not_count():
    """The release, whether in this cell or in another, is nobody's own."""
    report = compare(ONE, ONE, release=[Answer("example", RENAMED)])
    assert report.pairs == ()
    assert len(report.similarities) == 0


def test_what_many_have_does_not_count():
    """An idiom of the class is no sign of copying, the copy of a whole answer still is."""
    idiom, own = halves(ONE)[0], halves(ONE)[1]
    answers = {f"s{i:02d}": [Answer("q", idiom)] for i in range(COMMON_COUNT + 5)}
    assert find_pairs(answers, []).pairs == ()
    few = dict(list(answers.items())[:COMMON_COUNT])
    assert len(find_pairs(few, []).pairs) == COMMON_COUNT * (COMMON_COUNT - 1) // 2
    answers["s03"] = [Answer("q", idiom), Answer("r", own)]
    answers["s07"] = [Answer("q", idiom), Answer("r", own)]
    (pair,) = find_pairs(answers, []).pairs
    assert (pair.first, pair.second) == ("s03", "s07")
    assert [match.first.question for match in pair.matches] == ["r"]


def test_the_similarity_by_hand():
    """Of n tokens in a row there are n - LENGTH + 1 passages; sequences without repetition share what they share."""
    words = [f"w{i}" for i in range(100)]
    first, second = " ".join(words[:60]), " ".join(words[20:100])
    report = find_pairs({"one": [Answer("t", first, False)], "two": [Answer("t", second, False)]}, [], threshold=0.1)
    (pair,) = report.pairs
    shared, sizes = 40 - LENGTH + 1, (60 - LENGTH + 1, 80 - LENGTH + 1)
    assert pair.shared == shared
    assert pair.parts == pytest.approx((shared / sizes[0], shared / sizes[1]))
    assert pair.similarity == pytest.approx(2 * shared / sum(sizes))
    np.testing.assert_allclose(report.similarities, [pair.similarity])
    (match,) = pair.matches
    assert [first[a:b].split() for a, b in match.first_spans] == [words[20:60]]
    assert [second[a:b].split() for a, b in match.second_spans] == [words[20:60]]


def test_the_order_of_students_does_not_matter():
    rng = random.Random(2)
    answers = {"a": [Answer("q", ONE)], "b": [Answer("q", RENAMED)], "c": [Answer("q", OTHER)], "d": [Answer("q", ONE)]}
    names = list(answers)
    rng.shuffle(names)
    once = write_pairs_csv(find_pairs(answers, GIVEN))
    assert once == write_pairs_csv(find_pairs({name: answers[name] for name in names}, GIVEN))


@pytest.mark.parametrize(
    ("source", "tokens"),
    [
        ("x = 'a' \"b\"  # why", "V = S"),
        ("np.sum(a)", "V . sum ( V )"),
        ("import numpy as np", "import numpy as np"),
        ("range(len(x))", "range ( len ( V ) )"),
        ("f'{x} and {y}'", "S V S V S"),
        ("def f(:\n  return ' unfinished", "def V ( : return S"),
        ("\x00\ud800 = 1e5", None),
        ("", ""),
    ],
)
def test_tokens(source, tokens):
    found = read_tokens(source)
    assert tokens is None or " ".join(token for token, _, _ in found) == tokens
    assert all(0 <= start < end <= len(source) for _, start, end in found)


def test_a_threshold_without_sense_is_refused():
    for threshold in (0, -1, 1.5, float("nan")):
        with pytest.raises(GradebookError, match="above 0 and at most 1"):
            compare(ONE, ONE, threshold=threshold)


def test_classes_of_nobody_and_of_empty_answers():
    for answers in ({}, {"one": []}, {"one": [], "two": [Answer("q", "")]}):
        report = find_pairs(answers, GIVEN)
        assert report.pairs == ()
        assert "hint, not a proof" in write_copy_page(report)


# files ---------------------------------------------------------------------------------------------


def test_the_page_and_the_file():
    hostile = "</pre><script>alert(1)</script>"
    answers = {hostile: [Answer("q", ONE + f"# {hostile}\n")], "=cmd()": [Answer("q", RENAMED)]}
    report = replace(find_pairs(answers, GIVEN, assignment="homework"), unread=(hostile,))
    page = write_copy_page(report)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    assert "A hint, not a proof." in page
    assert page.count("<mark>") >= 2
    marked = page[page.index("<mark>") : page.index("</mark>")]
    assert "rng.exponential" in marked or "source.exponential" in marked
    (row,) = csv.DictReader(io.StringIO(write_pairs_csv(report)))
    assert row["first"] == hostile
    assert row["second"] == "'=cmd()"
    assert float(row["similarity"]) > 0.9
    assert row["lines"] == "q 1-18 ~ q 2-17"


STUB = "# YOUR CODE HERE\nraise NotImplementedError()"  # as nbgrader releases an answer
WORDS = "YOUR ANSWER HERE"


def make(cells):
    """Make a notebook of cells by name; the name of a cell of text begins with "text"."""
    made = nbformat.v4.new_notebook()
    for name, source in cells.items():
        cell = nbformat.v4.new_markdown_cell(source) if name[:4] == "text" else nbformat.v4.new_code_cell(source)
        solution = not name.endswith("check")
        role = {"grade": name[:4] == "text", "points": 1, "locked": not solution, "task": False, "schema_version": 3}
        cell.metadata["nbgrader"] = {"grade_id": name, "solution": solution, **role}
        made.cells.append(cell)
    return made


def notebook(**cells):
    return nbformat.writes(make(cells))


@pytest.fixture
def course(tmp_path):
    essay = " ".join(f"The mean of a product number {i} is not the product." for i in range(30))
    given = {"code": STUB, "text": WORDS, "one_check": RENAMED}
    right = "### BEGIN SOLUTION\nreturn 42\n### END SOLUTION"
    files = {
        "source/homework": notebook(**given | {"code": right, "text": "Because."}),
        "submitted/ada/homework": notebook(**given | {"code": ONE, "text": essay}),
        "submitted/bob/homework": notebook(**given | {"text": essay.upper()}),
        "submitted/cyd/homework": notebook(**given | {"code": RENAMED}),
        "submitted/dan/homework": notebook(**given),
        "submitted/eve/homework": "{no json",
        "submitted/gus/homework": json.dumps({"cells": 3}),
        "submitted/stranger/homework": notebook(**given | {"code": ONE}),
    }
    for folder, text in files.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "sheet.ipynb").write_text(text, encoding="utf-8")
    (tmp_path / "submitted/fay/homework").mkdir(parents=True)
    (tmp_path / "submitted/fay/homework/sheet.ipynb").symlink_to(tmp_path / "submitted/ada/homework/sheet.ipynb")
    write_config(tmp_path)
    return tmp_path


def test_submissions_are_read(course):
    config = Config(CourseDirectory={"root": str(course)})
    students = ["ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "../stranger"]
    answers, release, unread = collect_answers(students, "homework", config)
    assert {name: [answer.question for answer in given] for name, given in answers.items()} == {
        "ada": ["code", "text"],
        "bob": ["text"],
        "cyd": ["code"],
        "dan": [],
    }
    assert unread == ("eve", "fay", "gus")
    assert [answer.question for answer in release] == ["code", "text", "one_check"]
    with pytest.raises(GradebookError, match="holds no notebook with cells"):
        collect_answers(students, "homewrok", config)


def test_the_command(course, monkeypatch, capsys):
    with opened(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        fill(gradebook, students={name: {} for name in ("ada", "bob", "cyd", "dan", "eve")})
    monkeypatch.chdir(course)
    # cyd's answer is what the release shows in its check, so that only the two texts are alike
    assert main(["copying", "homework", "--threshold", "0.4", "--output", "page.html"]) == 0
    assert "1 pairs to look at, of 6. This is a hint, not a proof." in capsys.readouterr().out
    (row,) = csv.DictReader(io.StringIO((course / "page.csv").read_text("utf-8")))
    assert (row["first"], row["second"]) == ("ada", "bob")
    page = (course / "page.html").read_text("utf-8")
    assert "Not read" in page
    assert "eve" in page
    assert main(["copying", "homework", "--threshold", "2"]) == 1
    assert "threshold" in capsys.readouterr().err


def hide(how, given):
    """Hand in a copy of `ONE` in a way in which a person sees it and a simple reader does not."""
    copied = make(given | {"code": RENAMED})
    answer = copied.cells[0]
    if how == "a decoy before it":
        decoy = make({"code": OTHER}).cells[0]
        copied.cells.insert(0, decoy)
    elif how == "a cell of its own":
        answer.source = STUB
        copied.cells.insert(0, nbformat.v4.new_code_cell(RENAMED))
    elif how == "much beside it":
        own = "\n".join(
            f"def helper_{i}(x):\n    return [x ** {i} for _ in range(x) if {'not ' * i}x]" for i in range(60)
        )
        copied.cells.append(nbformat.v4.new_code_cell(own))
    elif how == "a long comment before it":
        answer.source = "# mine\n" * 5_000 + answer.source
    elif how == "no metadata":
        content = json.loads(nbformat.writes(copied))
        content["cells"][0]["metadata"] = []
        return json.dumps(content)
    return nbformat.writes(copied)


@pytest.mark.parametrize(
    "how",
    [
        "plain",
        "a decoy before it",
        "a cell of its own",
        "much beside it",
        "a long comment before it",
        "no metadata",
        "zip",
    ],
)
def test_a_copy_is_found_wherever_it_stands(course, how):
    """What is graded is what is compared."""
    given = {"code": STUB, "text": WORDS, "one_check": "assert simulate"}
    (course / "source/homework/sheet.ipynb").write_text(
        notebook(**given | {"code": "### BEGIN SOLUTION\n### END SOLUTION"})
    )
    place = course / "submitted/cyd/homework/sheet.ipynb"
    place.write_text(hide(how, given), encoding="utf-8")
    if how == "zip":
        with zipfile.ZipFile(place.with_name("mine.zip"), "w") as archive:
            archive.write(place, "sheet.ipynb")
        place.unlink()
    answers, release, unread = collect_answers(
        ["ada", "cyd"], "homework", Config(CourseDirectory={"root": str(course)})
    )
    assert unread == ()
    answers["ada"] = [answer for answer in answers["ada"] if answer.code]
    (pair,) = find_pairs(answers, release).pairs
    assert pair.similarity > 0.9

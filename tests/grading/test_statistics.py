"""The statistics page: its numbers against other sources, its words, and that nothing in it can run."""

import html
import html.parser
import json
import re
import runpy
import textwrap
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from traitlets.config import Config

from acme_lib.cli import main
from acme_lib.report.marks import Marks, Question, Student, open_gradebook, read_marks
from acme_lib.report.misconceptions import Misconceptions, find_misconceptions
from acme_lib.report.pages import escape, write_names, write_page, write_table
from acme_lib.report.questions import unite_cells
from acme_lib.report.statistics import correlate, find_statistics, write_statistics
from acme_lib.teach.check import NOT_WRITTEN, CheckFailed, check_values, hidden_checks
from acme_lib.teach.check_slips import SLIPS, announce, find_slips

GRADEBOOKS = runpy.run_path(str(Path(__file__).with_name("gradebooks.py")))
opened, fill, write_config = GRADEBOOKS["opened"], GRADEBOOKS["fill"], GRADEBOOKS["write_config"]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE grade; --",
    "\u202eevil",
    "a\x1b[2J",
]


def make_marks(scores, points=None, ungraded=None, names=None):
    scores = np.asarray(scores, dtype=float)
    points = points or [1.0] * scores.shape[1]
    questions = tuple(Question("sheet", f"q{i}", value, False) for i, value in enumerate(points, start=1))
    names = names or [f"s{i:02d}" for i in range(len(scores))]
    ungraded = np.zeros(scores.shape, bool) if ungraded is None else np.asarray(ungraded)
    return Marks("homework", tuple(map(Student, names)), questions, scores, ungraded, np.zeros(len(scores)))


# numbers -------------------------------------------------------------------------------------------


OUTLINE = [
    ("sheet", "q1", "1 Propensities"),
    ("sheet", "q2", "1 Propensities"),
    ("sheet", "q3", "2 How long?"),
    ("sheet", "q4", ""),
]


def test_questions_are_counted_not_check_cells():
    """Two checks under one heading are one question; the number of the heading is that of the table."""
    scores = [[2, 0, 1, 1], [1, 2, 3, 0], [np.nan] * 4]
    ungraded = [[False, True, False, False], [False] * 4, [False] * 4]
    marks, groups = unite_cells(make_marks(scores, [2.0, 2.0, 4.0, 1.0], ungraded), OUTLINE)
    assert [(one.name, one.max_score) for one in marks.questions] == [("Propensities", 4), ("How long?", 4), ("q4", 1)]
    np.testing.assert_array_equal(marks.scores, [[2, 1, 1], [3, 3, 0], [np.nan] * 3])
    np.testing.assert_array_equal(marks.ungraded, [[True, False, False], [False] * 3, [False] * 3])
    assert groups["sheet", "q1"] == groups["sheet", "q2"] == ("sheet", "Propensities")
    assert groups["sheet", "q4"] == ("sheet", "q4")
    np.testing.assert_array_equal(marks.totals, make_marks(scores, [2.0, 2.0, 4.0, 1.0]).totals)


def test_of_one_student_a_question_of_two_checks_counts_once(tmp_path):
    marks = make_marks([[0, 0, 0, 0], [0, 0, 0, 0]])
    slip = sorted(SLIPS)[0]
    texts = {"s00": [" ".join(announce(slip))] * 2 + [NOT_WRITTEN, "odd"], "s01": [NOT_WRITTEN, NOT_WRITTEN, "odd", ""]}
    for student, messages in texts.items():
        cells = [
            {
                "metadata": {"nbgrader": {"grade_id": f"q{number}"}},
                "outputs": [{"output_type": "error", "ename": "CheckFailed", "evalue": text, "traceback": []}],
            }
            for number, text in enumerate(messages, start=1)
            if text
        ]
        path = tmp_path / "autograded" / student / "homework" / "sheet.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"cells": cells}))
    united, groups = unite_cells(marks, OUTLINE)
    found = find_misconceptions(united, Config(CourseDirectory={"root": str(tmp_path)}), groups)
    assert found.slips["sheet", "Propensities"] == {slip: 1}
    assert found.unwritten == {("sheet", "Propensities"): 1, ("sheet", "How long?"): 1}
    assert found.unexplained == {("sheet", "How long?"): 1, ("sheet", "q4"): 1}


def test_a_blank_hand_in_is_marked(tmp_path):
    """It counts with no points, and the page says how many there are, who, and what mean and median are without."""
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    with opened(url) as book:
        students = {name: {"scores": {"one": 4, "two": two}} for name, two in {"ada": 4, "bob": 0, "eve": 6}.items()}
        fill(book)
        for cell in ("one", "two"):
            book.add_solution_cell(f"{cell}_answer", "sheet", "homework")
        book.add_student("out")
        for student, facts in (students | {"nil": {"scores": {}}}).items():
            book.add_student(student)
            book.add_submission("homework", student)
            for cell in ("one", "two"):
                grade = book.find_grade(cell, "sheet", "homework", student)
                grade.auto_score, grade.needs_manual_grade = facts["scores"].get(cell, 0), False
        for student, blank in {"ada": (), "bob": ("two",), "eve": (), "nil": ("one", "two")}.items():
            for cell in ("one", "two"):
                comment = book.find_comment(f"{cell}_answer", "sheet", "homework", student)
                comment.auto_comment = "No response." if cell in blank else None
        book.db.commit()
        marks = read_marks(book, "homework")
    assert marks.blank == ("nil",)
    found = find_statistics(marks)
    assert sorted(found.totals) == [0, 4, 8, 10] and sorted(found.written) == [4, 8, 10]
    page = write_statistics(found)
    assert "1 handed in the notebook as they got it" in page
    assert "without them the median is 8 and the mean 7.333 points" in page
    assert "Handed in without any answer (1)" in page


def test_a_small_class_by_hand():
    """Five students, one without a submission; all values worked out on paper."""
    scores = [[2, 0, 1], [2, 2, 3], [0, 0, 0], [2, 2, 2], [np.nan] * 3]
    found = find_statistics(make_marks(scores, [2.0, 2.0, 4.0]))
    assert (found.submitted, found.missing, found.max_score) == (4, ("s04",), 8)
    np.testing.assert_array_equal(found.totals, [3, 7, 0, 6])
    assert [question.difficulty for question in found.questions] == [0.75, 0.5, 0.375]
    # the first question against the others, (2, 2, 0, 2) against (1, 5, 0, 4): r = 5/√(3·17)
    assert found.questions[0].discrimination == pytest.approx(5 / np.sqrt(3 * 17))
    # the last against the first two, (1, 3, 0, 2) against (2, 4, 0, 4): r = 7/√(5·11)
    assert found.questions[2].discrimination == pytest.approx(7 / np.sqrt(5 * 11))


def test_the_interval_is_that_of_fisher():
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(2, 25))
    r, low, high = correlate(one, other)
    assert r == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert (low, high) == pytest.approx(
        [np.tanh(np.arctanh(r) + s * stats.norm.ppf(0.975) / np.sqrt(22)) for s in (-1, 1)]
    )


def test_where_no_correlation_is_defined():
    assert np.isnan(correlate([1.0, 1, 1, 1, 1], [1.0, 2, 3, 4, 5])).all()
    assert np.isnan(correlate([1.0, 2, 3], [1.0, 2, 4])).all()
    assert correlate(np.arange(5.0), 2 * np.arange(5.0)) == (1, 1, 1)
    found = find_statistics(make_marks([[1, 0], [1, 1], [1, 0], [1, 1], [1, 1]]))
    assert np.isnan(found.questions[0].discrimination)
    assert "Everyone was right: 1 (q1)" in write_statistics(found)


def test_the_rest_leaves_out_what_is_not_graded():
    """The second question still waits for one student: the rest of the others does without it."""
    scores = np.array([[0, 1, 0], [1, 0, 2], [1, 5, 1], [0, 3, 1], [1, 2, 2.0]])
    ungraded = np.zeros(scores.shape, bool)
    ungraded[2, 1] = True
    found = find_statistics(make_marks(scores, [1.0, 5.0, 2.0], ungraded))
    assert found.questions[0].discrimination == pytest.approx(np.corrcoef(scores[:, 0], scores[:, 2])[0, 1])
    kept = [0, 1, 3, 4]
    expected = np.corrcoef(scores[kept, 1], scores[kept][:, [0, 2]].sum(axis=1))[0, 1]
    assert found.questions[1].discrimination == pytest.approx(expected)
    assert (found.questions[1].graded, found.questions[1].ungraded) == (4, 1)
    assert found.questions[1].difficulty == pytest.approx((1 + 0 + 3 + 2) / 4 / 5)
    assert found.ungraded == ("s02",)
    np.testing.assert_array_equal(found.totals, scores.sum(axis=1)[kept])
    np.testing.assert_array_equal(found.settled, scores[:, [0, 2]].sum(axis=1))
    assert found.settled_max == 3


def test_grades_so_far_where_everybody_waits():
    scores = np.array([[0, 2, 0], [1, 1, 0], [1, 2, 0.0]])
    ungraded = np.zeros(scores.shape, bool)
    ungraded[:, 2] = True
    page = write_statistics(find_statistics(make_marks(scores, [1.0, 2.0, 4.0], ungraded)))
    assert "Grades so far" in read_page(page).text
    assert "points of 3 students; a line marks the median, 2. " in page
    ungraded[:] = True
    assert "Grades" not in read_page(write_statistics(find_statistics(make_marks(scores, ungraded=ungraded)))).text


@pytest.mark.slow
@pytest.mark.parametrize("size", [20, 40, 100])
def test_the_interval_covers(size):
    """Right-or-wrong questions of a Rasch-like class: the interval covers the value of a very large class.

    600 classes: a true coverage of 95 % is measured within 92.4 to 97.6 % (3 standard errors); questions that nearly
    everyone gets right are allowed 90 %.
    """
    rng = np.random.default_rng(8)
    hardness = np.linspace(-3, 1.5, 15)

    def draw(n):
        ability = rng.normal(size=(n, 1))
        return (rng.random((n, 15)) < 1 / (1 + np.exp(hardness - 1.3 * ability))).astype(float)

    large = draw(400_000)
    true = [np.corrcoef(large[:, j], np.delete(large, j, axis=1).sum(axis=1))[0, 1] for j in range(15)]
    covered, defined = np.zeros(15), np.zeros(15)
    for _ in range(600):
        for j, question in enumerate(find_statistics(make_marks(draw(size))).questions):
            if not np.isnan(question.discrimination):
                defined[j] += 1
                covered[j] += question.low <= true[j] <= question.high
    assert np.all(covered / defined > 0.90), covered / defined
    assert 0.93 < covered.sum() / defined.sum() < 0.97


# misconceptions ------------------------------------------------------------------------------------


def test_every_misconception_is_found_again_in_its_message():
    for key in SLIPS:
        assert find_slips("✗ A check fails\n" + "\n".join(announce(key))) == (key,)


def test_misconceptions_are_found_in_real_messages():
    def squared(n):
        return n * n

    slips = {"pairs-squared": 16, "pairs-ordered": 12}
    with pytest.raises(CheckFailed) as shown:
        check_values(squared, {"n": 4}, 6, slips=slips)
    with pytest.raises(CheckFailed) as hidden, hidden_checks():
        check_values(squared, {"n": 4}, 6, slips=slips)
    assert find_slips(str(shown.value)) == find_slips(str(hidden.value)) == ("pairs-squared",)
    assert find_slips("This looks like: ordered pairs.") == ()  # a name alone, without what the catalogue says of it


def test_a_text_that_a_student_chose_names_no_misconception(tmp_path):
    """Neither in the message of a check nor, where the grader has noted what was found, anywhere else."""
    words = " ".join(announce("leaks"))

    def repeats(n):
        raise ValueError(f"{words} {NOT_WRITTEN}\n\n{words}")

    with pytest.raises(CheckFailed) as shown:
        check_values(repeats, {"n": 4}, 6)
    assert words in " ".join(str(shown.value).split()) and find_slips(str(shown.value)) == ()
    plain = f"✗ This check stopped with ValueError: x\n\n{words}\n{NOT_WRITTEN}\nin: assert f(1) == 2"
    marks = make_marks([[0, 0, 0, 0]])
    cells = [
        {
            "metadata": {"nbgrader": {"grade_id": name}, "acme": {"slips": noted}},
            "outputs": [error("✗") | {"traceback": text.split("\n")}],
        }
        for name, text, noted in [
            ("q1", str(shown.value), []),
            ("q2", plain, []),
            ("q3", plain, ["pairs-squared", "no misconception"]),
        ]
    ]
    path = tmp_path / "autograded" / "s00" / "homework" / "sheet.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"cells": cells}))
    found = find_misconceptions(marks, Config(CourseDirectory={"root": str(tmp_path)}))
    assert +sum(found.slips.values(), Counter()) == {"pairs-squared": 1}
    assert found.unwritten == {}
    assert found.unexplained == {("sheet", "q1"): 1, ("sheet", "q2"): 1}


def error(text, name="CheckFailed"):
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": []}


def notebook(**cells):
    return json.dumps(
        {
            "cells": [
                {"metadata": {"nbgrader": {"grade_id": name}}, "outputs": outputs} for name, outputs in cells.items()
            ]
        }
    )


@pytest.fixture
def course(tmp_path):
    """A course whose students have autograded notebooks of every kind."""
    leaks, pairs = ("\n".join(announce(key)) for key in ("leaks", "pairs-squared"))
    unwritten = "\n".join(textwrap.wrap(NOT_WRITTEN, 82))
    autograded = {
        "ada": notebook(one=[error(leaks)], two=[error(leaks + "\n" + pairs)]),
        "bob": notebook(one=[error(leaks), error(pairs)], other=[error(pairs)]),  # the first error of a cell counts
        "cyd": notebook(one=[{**error("✗"), "traceback": unwritten.split("\n")}], two=[error("✗ wrong")]),
        "dan": notebook(one=[error(leaks, "ValueError"), {"output_type": "stream", "text": leaks}], two=[]),
        "eve": "{no json",
        "fay": None,
        "gus": json.dumps({"cells": [{"metadata": None}]}),
        **dict.fromkeys(HOSTILE[:1] + HOSTILE[3:], None),
    }
    with opened(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        fill(
            gradebook, students={name: {"scores": {"one": 4 * (name < "c")}} for name in autograded} | {HOSTILE[1]: {}}
        )
        for name in ("ada", HOSTILE[3]):
            gradebook.find_grade("two", "sheet", "homework", name).needs_manual_grade = True
        gradebook.db.commit()
    for name, text in autograded.items():
        if text is not None:
            folder = tmp_path / "autograded" / name / "homework"
            folder.mkdir(parents=True)
            (folder / "sheet.ipynb").write_text(text, encoding="utf-8")
    write_config(tmp_path)
    return tmp_path


def test_misconceptions_of_a_class(course):
    with open_gradebook(f"sqlite:///{course / 'gradebook.db'}", "acme") as gradebook:
        marks = read_marks(gradebook, "homework")
    found = find_misconceptions(marks, Config(CourseDirectory={"root": str(course)}))
    assert found.slips[("sheet", "one")] == Counter({"leaks": 2})
    assert found.slips[("sheet", "two")] == Counter({"leaks": 1, "pairs-squared": 1})
    assert ("sheet", "other") not in found.slips
    assert found.unwritten == Counter({("sheet", "one"): 1})
    assert found.unexplained == Counter({("sheet", "two"): 1})
    assert sorted(found.unread) == sorted(["eve", "fay", "gus", *HOSTILE[3:]])


# the page ------------------------------------------------------------------------------------------


class Reader(html.parser.HTMLParser):
    """What a browser would make of a page: its tags, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(page)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)


ALLOWED = set("html head meta title style body h1 h2 p wbr bdi ul li dl dt dd div figure img figcaption".split())
ALLOWED |= set("table caption thead tbody tr th td".split())


def read_page(page):
    """Check that a page stands alone and runs nothing; return what can be read of it."""
    reader = Reader(page)
    assert {tag for tag, _ in reader.tags} <= ALLOWED
    for tag, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "action", "srcset")]
        if tag == "img":
            assert attributes["src"].startswith("data:image/png;base64,")
            assert len(attributes["alt"]) > 60
    assert "http:" not in page
    assert "https:" not in page
    policy = next(a["content"] for tag, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    return reader


def test_the_page_says_it_all():
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 3, size=(30, 4)).astype(float)
    scores[:3] = np.nan
    ungraded = np.zeros(scores.shape, bool)
    ungraded[7, 3] = True
    marks = make_marks(scores, [2.0] * 4, ungraded)
    known = Misconceptions(
        {("sheet", "q2"): Counter({"pairs-squared": 7, "pairs-ordered": 2})},
        Counter({("sheet", "q1"): 5}),
        Counter({("sheet", "q3"): 4}),
        ("s09",),
    )
    page = write_statistics(find_statistics(marks, known))
    text = read_page(page).text
    for words in (
        "27 of 30 students",
        "26 of 27",
        "the square for the number of pairs 2 (q2) 7 26 %",
        "4 further failed checks",
        "q4 (1)",
        "Handed nothing in (3): s00 s01 s02",
        "Students who wait: s07",
        "not counted here: 1. s09",
    ):
        assert words in text, words
    assert f"{np.median(np.delete(scores, 7, axis=0)[3:].sum(axis=1)):.4g} points" in text
    assert page == write_statistics(find_statistics(marks, known))  # the same bytes, figures included


def test_a_page_of_a_hostile_class(course, monkeypatch, capsys):
    monkeypatch.chdir(course)
    assert main(["statistics", "homework", "--output", "page.html"]) == 0
    page = (course / "page.html").read_text("utf-8")
    text = read_page(page).text
    assert HOSTILE[1] in text
    assert r"\x202eevil" in text
    assert r"a\x1b[2J" in text
    assert not re.search("[\u202a-\u202e\x1b]", page)
    assert "probability leaks through a reflecting boundary" in text


def test_pages_of_empty_classes():
    nobody = write_statistics(find_statistics(make_marks(np.full((2, 2), np.nan))))
    assert "Handed nothing in (2)" in read_page(nobody).text
    one = write_statistics(find_statistics(make_marks([[1.0, 0.0]])))
    text = read_page(one).text
    assert "Nothing: all work is handed in and graded." in text
    assert "Nobody was right: 2 (" in text
    zero = write_statistics(find_statistics(make_marks([[0.0, 0.0]] * 5)))
    read_page(zero)


def test_what_points_the_wrong_way_is_remarked():
    good = np.arange(40) % 2
    scores = np.column_stack([good, good, good, 1 - good]).astype(float)
    assert "does worse elsewhere" in write_statistics(find_statistics(make_marks(scores)))


@pytest.mark.parametrize("text", HOSTILE)
def test_everything_is_escaped(text):
    page = write_page(text, [write_table(text, ["A", text], [[text, text]]), write_names([text])])
    reader = read_page(page)
    assert " ".join(reader.text.split()).count(html.unescape(escape(text))) == 7  # each place once


@pytest.mark.browser
def test_in_a_browser_nothing_runs_and_nothing_is_cut(course, monkeypatch, browser):
    monkeypatch.chdir(course)
    assert main(["statistics", "homework", "--output", "page.html"]) == 0
    problems = []
    for width in (1280, 400):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda message: problems.append(message.text))
        page.on("dialog", lambda dialog: (problems.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: problems.append(request.url) if request.url[:4] == "http" else None)
        page.goto((course / "page.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        page.close()
    assert problems == []

"""The page that a student gets back: it finds what is missing, says what is open, and runs nothing."""

import re
from html.parser import HTMLParser

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter

from acme_lib.grade.course import load_course
from acme_lib.report.feedback import find_state, summarise, write_feedback
from acme_lib.report.formulas import TextWithFormulas, draw_formula
from acme_lib.report.rubric import ShowRubric
from acme_lib.teach import passed
from acme_lib.teach.check_slips import SLIPS, announce
from tests.grading.exercises import ROOT, texts
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, cell, hand_in, make_course, source_notebook, submit

GRADES = {"notebook": "p", "score": 5.5, "max_score": 10, "late_penalty": 0}
ACTIVE = "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1))"


class Reader(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self._text, self._styled = [], [], False
        self.feed(page)
        self.text = " ".join("".join(self._text).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._styled = tag == "style"

    def handle_endtag(self, tag):
        self._styled = False
        self._text.append(" ")

    def handle_data(self, data):
        self._text.append("" if self._styled else data)


def graded(scores, messages=None, comments=None, waits=()):
    """A graded notebook of the small assignment."""
    notebook = source_notebook()
    for found in notebook.cells:
        role = found.metadata.get("nbgrader")
        name = role and role["grade_id"]
        if name in scores:
            role.update(score=scores[name], waits=name in waits)
        if name in (comments or {}):
            role["comment"] = comments[name]
        if name in (messages or {}):
            lines = messages[name].split("\n")
            found.outputs = [nbformat.v4.new_output("error", ename="CheckFailed", evalue=lines[0], traceback=lines)]
    return notebook


def read(page):
    """Read a page after seeing that it loads and runs nothing."""
    reader = Reader(page)
    for tag, attributes in reader.tags:
        assert tag not in ("script", "iframe", "object", "embed", "form", "link", "base")
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("src", "data:image/").startswith("data:image/")
    policy = next(a["content"] for tag, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    return reader


def test_what_came_of_each_question():
    slip = "\n".join(["✗ the mean of 1 and 3", *announce("pairs-squared"), "Your answer: 1"])
    scores = {"double_test": 1.5, "mean_test": 0, "words": 0}
    notebook = graded(scores, {"mean_test": slip}, {"words": "**Why**?"}, waits=["words"])
    asked = [found for found in notebook.cells if "score" in found.metadata.get("nbgrader", {})]
    states = {found.metadata.nbgrader.grade_id: find_state(found) for found in asked}
    assert states == {"double_test": "partly", "mean_test": "wrong", "words": "waits"}
    page = write_feedback(notebook, GRADES)
    text = read(page).text
    assert "Feedback: Small" in text
    assert "Points 5.5 of 10 Still open 2 points, which your teacher has still to grade" in text
    assert "◐ double_test 1.5 / 4 in part" in text
    assert f"✗ mean_test 0 / 4 {SLIPS['pairs-squared'].name}" in text
    assert "… words – / 2 your teacher has still to read this · your teacher wrote a comment" in text
    assert "Your teacher wrote Why ?" in text
    links = {a["href"][1:] for tag, a in read(page).tags if "href" in a}
    assert links <= {a["id"] for _, a in read(page).tags if "id" in a}
    assert len(links) == 4


def test_a_penalty_is_named_and_no_sum_is_below_zero():
    page = write_feedback(
        graded({"double_test": 4, "mean_test": 0, "words": 0}), GRADES | {"score": -1, "late_penalty": 5}
    )
    assert "Points 0 of 10 Late 5 points were taken off for handing in late" in read(page).text


def test_what_is_handed_in_stays_text():
    """Even where another step than `TakeAnswers` took the answers."""
    notebook = graded({"double_test": 0, "mean_test": 0, "words": 1}, {"mean_test": f"✗ \x1b[31m{ACTIVE}"})
    by_name = {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}
    by_name["double"].source = f"'''{ACTIVE}'''"
    by_name["double"].outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"\x1b[2J\u202e{ACTIVE}")]
    by_name["words"].source = ACTIVE
    page = write_feedback(notebook, GRADES)
    text = read(page).text
    assert text.count("alert(1)</script>") == 4  # in the code, the output, the message and its summary
    assert text.count("< script>alert(1)< /script>") == 1  # in the answer in words
    assert not re.search("[\u202a-\u202e\x1b]", page)


@pytest.mark.parametrize(
    ("message", "summary"),
    [
        ("✗ double of 3\nThe value is not right.\n\nCalled with:\n  x = 3", "double of 3: The value is not right."),
        ("✗ A hidden check fails.\nTry more.", "A hidden check fails."),
        ("✗ a check\n" + "x " * 200, "a check"),
        ("", ""),
    ],
)
def test_a_message_in_one_line(message, summary):
    assert summarise(message) == summary


def drawn(page):
    """The formulas of a page: the source of each drawing, in order."""
    return [a["aria-label"] for tag, a in read(page).tags if tag == "svg" and a.get("class") == "formula"]


def test_formulas_of_teacher_and_student_are_drawn():
    notebook = graded({"double_test": 4, "mean_test": 4, "words": 2}, comments={"words": "Say $n^2$."})
    notebook.cells.insert(1, cell("markdown", "At $\\gamma$:\n\n$$\\begin{aligned}a &= b\\\\ c &= d\\end{aligned}$$"))
    by_name = {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}
    by_name["words"].source = r"$\frac{d\langle n\rangle}{dt} = k$, $\frac12$ and $a<b$, but \\begin{x}"
    page = write_feedback(notebook, GRADES)
    fraction = r"\frac{d\langle n\rangle}{dt} = k"
    assert drawn(page) == [r"\gamma", "a = b", "c = d", fraction, r"\frac12", "a< b", "n^2"]


@pytest.mark.parametrize(
    "source",
    [
        r"\begin{pmatrix}1\end{pmatrix}",
        r"\hspace{1000000}",
        r"\hspace{-9}",
        r"\includegraphics{x}",
        "{" * 500 + "}" * 500,
        "x" * 700,
        "\u6f22",
        r"\text{<script>alert(1)</script>}\unknown",
    ],
    ids=lambda source: source[:12],
)
def test_what_is_no_formula_stays_as_it_was_typed(source):
    notebook = graded({"double_test": 4, "mean_test": 4, "words": 2}, comments={"words": f"See ${source}$."})
    page = write_feedback(notebook, GRADES)
    assert drawn(page) == []
    assert f"See ${source}$ ." in read(page).text


def test_a_flood_of_formulas_costs_no_more_than_the_budget():
    drawings = TextWithFormulas()
    pages = [drawings.inline_math(r"\mathrm{x}" * 50) for _ in range(100)]
    assert 30 <= sum("<svg" in page for page in pages) <= 40
    assert "<svg" not in pages[-1]


def test_a_drawing_holds_nothing_but_numbers_and_its_source_as_text():
    source = r"\"onload=alert(1) x<b>'"
    found = draw_formula(source)
    (name, attributes), (path, outline) = Reader(found).tags
    assert (name, path) == ("svg", "path")
    assert set(attributes) == {"class", "role", "aria-label", "viewbox", "style"} and set(outline) == {"d"}
    assert attributes["aria-label"] == source
    assert re.fullmatch(r"[MLQCZ \d-]+", outline["d"]) and re.fullmatch(r"[a-z\d.:;-]+", attributes["style"])


def test_nothing_of_a_formula_is_drawn_elsewhere_on_the_page():
    assert re.search(r"M-\d{3,}", draw_formula(r"a\hspace{-9}b+c+d+e+f+g+h+i+j+k+l+m+n+o+p"))  # far left of its box
    assert "svg.formula { overflow: hidden;" in write_feedback(graded({"words": 2}), GRADES)


def test_a_drawing_stands_on_the_line():
    """An index hangs below the line and a power stands above it; a fraction does both."""

    def measure(source, display=False):
        style = dict(part.split(":") for part in Reader(draw_formula(source, display)).tags[0][1]["style"].split(";"))
        height, drop = (float(style[name].removesuffix("em")) for name in ("height", "vertical-align"))
        return height + drop, drop

    above, below = measure("n")
    assert measure("n^2")[0] > above + 0.2 and measure("n^2")[1] == pytest.approx(below, abs=0.03)
    assert measure("n_2")[1] < below - 0.1 and measure("n_2")[0] == pytest.approx(above, abs=0.03)
    assert measure(r"\frac{a}{b}")[0] > above + 0.2 and measure(r"\frac{a}{b}")[1] < below - 0.2
    assert measure(r"\frac{a}{b}", True)[1] < measure(r"\frac{a}{b}")[1] - 0.2  # on a line of its own


def test_the_model_answer_stands_where_the_course_wants_it():
    notebook = graded({"double_test": 4, "mean_test": 4, "words": 1})
    notebook.cells[-1].metadata.nbgrader["rubric"] = "**One point each:** $k$."
    page = write_feedback(notebook, GRADES)
    assert "The model answer One point each: ." in read(page).text
    assert drawn(page) == ["k"]


def graded_assignment(path, lost=()):
    """A notebook that learners get, as it is after the grading: all points, but for the checks named."""
    notebook = nbformat.read(ROOT / "exercises" / path.parent.name / f"{path.stem}.ipynb", as_version=4)
    for found in notebook.cells:
        role = found.metadata.get("nbgrader", {})
        if role.get("grade"):
            role["score"] = 0 if role["grade_id"] in lost else role["points"]
    return notebook


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.parent.name)
def test_a_question_that_is_right_says_what_it_establishes(path):
    """Below its last check, and only when no check of it has lost points."""
    questions = passed.read_exercises()[int(path.parent.name[:2])].questions
    text = Reader(write_feedback(graded_assignment(path), GRADES)).text
    places = []
    for question in questions:
        start = text.index(f"Question {question.number} is done {question.says}")
        places.append(start)
        assert start > max(text.rindex(f"Check {name.partition('/')[2]} ") for name in question.checks)
    assert places == sorted(places)
    lost = {question.checks[-1].partition("/")[2] for question in questions[1::2]}
    text = Reader(write_feedback(graded_assignment(path, lost), GRADES)).text
    done = re.findall(r"Question (\d+) is done", text)
    assert done == [question.number for question in questions[::2]]


def test_formulas_of_what_is_established_are_drawn(monkeypatch):
    (path, *_) = texts()
    first = passed.read_exercises()[int(path.parent.name[:2])].questions[0]
    question = passed.Question("1", "a", first.checks, r"The noise is $\frac{\sigma^2}{\mu}$, and **no** more.")
    monkeypatch.setattr("acme_lib.report.feedback.read_exercises", lambda: {1: passed.Exercises("x", (question,))})
    lost = {name.partition("/")[2] for name in first.checks}
    page, without = (write_feedback(graded_assignment(path, names), GRADES) for names in ((), lost))
    assert "Question 1 is done The noise is , and no more." in read(page).text
    assert [one for one in drawn(page) if one not in drawn(without)] == [r"\frac{\sigma^2}{\mu}"]


def test_formgrader_shows_the_model_answer_below_the_answer(tmp_path):
    """As formgrader makes its page of a submission, with the configuration of the course."""
    course = make_course(tmp_path)
    config, _ = load_course(course)
    asked = {"submission_id": "x", "assignment_id": ASSIGNMENT, "notebook_id": NOTEBOOK}
    for resources, expected in ((asked, 1), ({}, 0), (asked | {"assignment_id": "gone"}, 0)):
        notebook, _ = ShowRubric(config=config).preprocess(hand_in(words="Mine."), dict(resources))
        sources = [found.source for found in notebook.cells]
        assert len(sources) == len(hand_in().cells) + expected
        assert sum("Model answer of `words`" in source for source in sources) == expected
        if expected:
            below = sources[sources.index("Mine.") + 1]
            assert below.endswith("> The answer in words.") and "nbgrader" not in notebook.cells[-1].metadata
    page, _ = HTMLExporter(config=config).from_notebook_node(hand_in(words="Mine."), resources=asked)
    assert "(not part of the submission)" in page and "<blockquote>" in page


def test_headings_that_stand_in_code_and_pictures_that_are_missing():
    notebook = graded({"double_test": 4, "mean_test": 4, "words": 2})
    notebook.cells.insert(1, cell("markdown", "## 1 `mean` (4 points)\n\n```\n# not a heading\n```"))
    notebook.cells.append(cell("markdown", "![a](attachment:gone.png) $a<b$"))
    text = read(write_feedback(notebook, GRADES)).text
    assert "1 mean ✓ double_test 4 / 4 right" in text
    assert "![a](attachment:gone.png)" in text


@pytest.mark.nbgrader
def test_the_model_answer_comes_with_a_grade_by_hand(course):
    """Not before it; not for an answer that was left empty; not where the course holds it back."""
    from nbgrader.api import Gradebook

    from acme_lib.grade.batch import grade_assignment
    from acme_lib.grade.course import load_course
    from acme_lib.report.feedback import ReadGrades

    stub = nbformat.read(course / "exercises" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    (empty,) = [c.source for c in stub.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "words"]
    for student, words in {"graded": "Because.", "waits": "Because.", "empty": empty}.items():
        submit(course, student, hand_in(words=words))
    grade_assignment(course, ASSIGNMENT, jobs=1)
    config, coursedir = load_course(course)
    with Gradebook(coursedir.db_url) as book:
        grade = book.find_grade("words", NOTEBOOK, ASSIGNMENT, "graded")
        grade.manual_score, grade.needs_manual_grade = 1.0, False
        book.db.commit()
    shown = {}
    for student in ("graded", "waits", "empty"):
        for rubric in (True, False):
            config.ReadGrades.rubric = rubric
            notebook = nbformat.read(course / "autograded" / student / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
            names = {"student": student, "assignment": ASSIGNMENT, "notebook": NOTEBOOK, "db_url": coursedir.db_url}
            notebook, resources = ReadGrades(config=config).preprocess(notebook, {"nbgrader": names})
            shown[student, rubric] = "The answer in words." in write_feedback(notebook, resources["nbgrader"])
    assert [one for one, is_shown in shown.items() if is_shown] == [("graded", True)]

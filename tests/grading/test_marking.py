"""`acme mark`: one question across all students, by ticks, by two markers; what of it becomes nbgrader's grade."""

import asyncio
import inspect
import json
import shutil
from fractions import Fraction

import nbformat
import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from acme_lib.cli import main
from acme_lib.errors import GradebookError
from acme_lib.grade.book import register_assignment
from acme_lib.grade.course import load_course
from acme_lib.grade.source_notebook import is_graded, is_solution, load_master
from acme_lib.report.marking import SETTLED, Mark, check_marker, find_markings, weighted_kappa
from acme_lib.report.marking_page import Desk, make_application
from acme_lib.report.marks import read_marks
from acme_lib.report.rubric import read_lines
from tests.grading.gradebooks import opened
from tests.grading.small_course import ASSIGNMENT, NOTEBOOK, ROOT, cell, hand_in, make_course, submit

RUBRIC = """\
**Model answer (one point each; the second item two).**

1. It grows: $a<b$,
   as was seen.
2. (First point) It ends. (Second point) It began."""
WHY = cell("markdown", RUBRIC, "why", points=3, solution=True)
ACTIVE = "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) $a<b$"
STUDENTS = {"ada": "Because **it** grows.", "bob": "No idea.", "eve": ACTIVE, "zoe": "Ends."}


def answer(course, student, text):
    """Write a graded notebook, as the batch leaves it."""
    notebook = hand_in(words=text)
    notebook.cells += [cell("markdown", "## 2 Why (3 points)"), cell("markdown", text, "why", points=3, solution=True)]
    path = course / "autograded" / student / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def make_marking_course(folder):
    """Make a course in which four have handed in, graded but for what is graded by hand."""
    course = make_course(folder, extra=(cell("markdown", "## 2 Why (3 points)"), WHY))
    with opened(f"sqlite:///{course / 'gradebook.db'}") as book:
        master = load_master(course / "solutions" / ASSIGNMENT / f"{NOTEBOOK}.ipynb")
        register_assignment(book, [master], ASSIGNMENT)
        for student, text in STUDENTS.items():
            answer(course, student, text)
            book.update_or_create_student(student, first_name=student.title())
            book.add_submission(ASSIGNMENT, student)
            for name in ("double_test", "mean_test"):
                grade = book.find_grade(name, NOTEBOOK, ASSIGNMENT, student)
                grade.auto_score, grade.needs_manual_grade = 4.0, False
        book.db.commit()
    return course


@pytest.fixture
def course(tmp_path):
    return make_marking_course(tmp_path / "course")


@pytest.fixture
def questions(course):
    """The two questions that a person grades: `words`, by number, and `why`, by ticks."""
    with opened(f"sqlite:///{course / 'gradebook.db'}") as book:
        yield find_markings(book, load_course(course)[1], ASSIGNMENT)


def grade_of(question, student):
    question.gradebook.db.expire_all()
    grade = question.gradebook.find_grade(question.name, NOTEBOOK, ASSIGNMENT, student)
    comment = question.gradebook.find_comment(question.name, NOTEBOOK, ASSIGNMENT, student)
    return grade.manual_score, grade.extra_credit, grade.needs_manual_grade, comment.manual_comment


@pytest.mark.parametrize("path", sorted(ROOT.glob("solutions/*/*.ipynb")), ids=lambda path: path.stem)
def test_every_rubric_of_the_course_has_lines(path):
    """They add up to the points of the question, or `read_lines` gives none."""
    by_hand = [c for c in nbformat.read(path, as_version=4).cells if is_graded(c) and is_solution(c)]
    for found in by_hand:
        points = found.metadata.nbgrader.points
        lines = read_lines(found.source, points)
        assert len(lines) >= 4 and sum(line.points for line in lines) == points
        words = "".join(line.text for line in lines)
        assert len(words) > 0.8 * len(found.source)  # nothing of an item is lost


@pytest.mark.parametrize(
    ("source", "points", "lines"),
    [
        (RUBRIC, 3, [("It grows: $a<b$, as was seen.", 1), ("It ends.", 1), ("It began.", 1)]),
        (RUBRIC, 4, []),  # does not add up
        ("**Half a point each.**\n\n1. Up.\n2. Down.\n\nAfterword.", 1, [("Up.", 0.5), ("Down.", 0.5)]),
        ("1. Up.\n2. Down.", 2, []),  # nothing says what they are worth
        ("One point each, in words.", 1, []),
    ],
)
def test_lines_of_a_rubric(source, points, lines):
    assert [(line.text, line.points) for line in read_lines(source, points)] == lines


def test_ticks_become_the_grade_and_the_comment(questions):
    words, why = questions
    assert (words.name, words.lines, why.name, len(why.lines)) == ("words", (), "why", 3)
    assert grade_of(why, "ada") == (None, None, True, None)
    why.change("Kim", "ada", {"tick": 0, "on": True})
    why.change("Kim", "ada", {"tick": 2, "on": True})
    mark = why.change("Kim", "ada", {"comment": " Say **why**. ", "was": ""})
    assert (mark.points, mark.ticks, mark.comment) == (2.0, (0, 2), "Say **why**.")
    assert grade_of(why, "ada") == (2.0, None, False, "Say **why**.")
    why.change("Kim", "ada", {"tick": 2, "on": False})
    assert grade_of(why, "ada")[0] == 1.0
    why.change("Kim", "bob", {"all": False})  # no points are a mark, too
    assert grade_of(why, "bob") == (0.0, None, False, None)
    words.change("Kim", "bob", {"points": 1.5})
    marks = read_marks(why.gradebook, ASSIGNMENT)
    by_name = {question.name: column for column, question in enumerate(marks.questions)}
    rows = {student.id: row for row, student in enumerate(marks.students)}
    assert marks.scores[rows["bob"], by_name["words"]] == 1.5 and not marks.ungraded[rows["bob"]].any()
    assert marks.ungraded[rows["ada"], by_name["words"]] and not marks.ungraded[rows["ada"], by_name["why"]]
    why.change("Kim", "ada", {"clear": True})
    assert grade_of(why, "ada") == (None, None, True, "")


class Asked:
    """A request to one of nbgrader's own handlers, as formgrader's page makes it."""

    def __init__(self, gradebook, data):
        self.gradebook, self.data, self.said = gradebook, data, None

    def get_json_body(self):
        return self.data

    def write(self, said):
        self.said = said


def test_the_gradebook_is_as_formgrader_would_write_it(questions):
    """The handlers behind formgrader's fields write one student, we another: all columns are alike."""
    from nbgrader.server_extensions.formgrader.apihandlers import CommentHandler, GradeHandler

    why, book = questions[1], questions[1].gradebook
    grade, comment = why._find_grade("ada")
    for handler, found, data in (
        (GradeHandler, grade, {"manual_score": 2.0, "extra_credit": None}),
        (CommentHandler, comment, {"manual_comment": "Say why."}),
    ):
        inspect.unwrap(handler.put)(Asked(book, data), found.id)  # who may is asked around it
    why.change("Kim", "bob", {"tick": 0, "on": True})
    why.change("Kim", "bob", {"tick": 1, "on": True})
    why.change("Kim", "bob", {"comment": "Say why."})
    book.db.expire_all()
    facts = [[one.to_dict() for one in why._find_grade(student)] for student in ("ada", "bob")]
    for student in facts:
        for one in student:
            del one["id"], one["student"]
    assert facts[0] == facts[1]
    assert facts[0][0]["manual_score"] == 2.0


def test_two_markers_and_what_they_settle(questions):
    why = questions[1]
    for student, ticks in {"ada": (0, 1), "bob": (), "zoe": (2,)}.items():
        why.change("Kim", student, {"all": False})
        for tick in ticks:
            why.change("Kim", student, {"tick": tick, "on": True})
    why.change("Kim", "ada", {"comment": "Good."})
    why.change("Lee", "ada", {"all": True})
    assert grade_of(why, "ada") == (2.0, None, True, "Good.")  # Kim's stays, and waits
    why.change("Lee", "bob", {"all": False})
    assert grade_of(why, "bob") == (0.0, None, False, None)
    why.change("Lee", "zoe", {"tick": 0, "on": True})  # another line, equal points
    assert grade_of(why, "zoe")[::2] == (1.0, False)

    (found,), differ = why.compare(why.read_marks())
    assert (found.markers, found.count) == (("Kim", "Lee"), 3)
    # Kim gave 2, 0, 1 and Lee 3, 0, 1: squares of the differences 1, 0, 0; of all nine pairs 1 4 1, 9 0 1, 4 1 0
    assert found.equal == pytest.approx(2 / 3)
    assert found.difference == pytest.approx(-1 / 3)
    assert found.kappa == pytest.approx(float(1 - Fraction(1, 3) / Fraction(21, 9)))
    assert found.lines == ((1, 2, 1), (1, 1, 0), (1, 1, 2))
    assert set(differ) == {"ada"}

    why.change("Kim", "ada", {"as": "Lee"})
    assert grade_of(why, "ada") == (3.0, None, False, "")  # Lee wrote no comment
    assert why.read_marks()[SETTLED]["ada"].points == 3.0
    why.change("Kim", "ada", {"settle": 2.5})
    assert grade_of(why, "ada") == (2.5, None, False, "Good.")  # points between the two: both comments stay
    why.change("Kim", "ada", {"settle": None})
    assert grade_of(why, "ada")[2] is True
    (same,), _ = why.compare(why.read_marks())
    assert same == found  # what is settled does not make two markers agree


def test_kappa_against_a_table_counted_by_hand():
    """Ten answers: 0/0 twice, 1/1 three times, 2/2 twice, 1/2 twice, 0/2 once."""
    first, second = [0] * 3 + [1] * 5 + [2] * 2, [0, 0, 2, 1, 1, 1, 2, 2, 2, 2]
    # weights 1 and 4: seen (2·1 + 1·4)/10; by chance from the margins 3 5 2 and 2 3 5:
    # 0-1 and 1-0, 1-2 and 2-1: 3·3 + 5·2 + 5·5 + 2·3 = 50; 0-2 and 2-0: 3·5 + 2·2 = 19
    assert weighted_kappa(first, second) == pytest.approx(1 - (6 / 10) / ((50 + 4 * 19) / 100))
    assert weighted_kappa([1, 1], [1, 1]) is None and weighted_kappa([], []) is None
    assert weighted_kappa([0, 2], [2, 0]) == pytest.approx(-1)


def test_a_mark_is_of_the_answer_that_was_read(course, questions):
    why = questions[1]
    why.change("Kim", "ada", {"all": True})
    answer(course, "ada", "Another answer altogether.")
    marks = why.read_marks()
    assert why.fresh(marks, "ada") == {} and why.find_outcome(marks, "ada") == ""
    why.change("Kim", "ada", {"tick": 0, "on": True})  # begins anew
    assert why.read_marks()["Kim"]["ada"].ticks == (0,)


def test_a_comment_that_was_changed_elsewhere_is_not_lost(questions):
    why = questions[1]
    why.change("Kim", "ada", {"comment": "First.", "was": ""})
    with pytest.raises(GradebookError, match=r"changed elsewhere; it now says: First\."):
        why.change("Kim", "ada", {"comment": "Second.", "was": ""})
    why.change("Kim", "ada", {"tick": 1, "on": True})
    assert why.read_marks()["Kim"]["ada"] == Mark(1.0, (1,), "First.", why._hash("ada"))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"tick": 3, "on": True},
        {"tick": -1, "on": True},
        {"tick": [1]},
        {"points": 1},
        {"settle": 4},
        {"settle": float("nan")},
        {"settle": True},
        {"as": "Nobody"},
        {"as": [1]},
        {"comment": "x" * 10_001},
    ],
)
def test_what_is_no_change_is_refused(questions, change):
    with pytest.raises(GradebookError):
        questions[1].change("Kim", "ada", change)
    assert grade_of(questions[1], "ada") == (None, None, True, None)


def test_nothing_is_kept_where_the_gradebook_cannot_be_written(questions, monkeypatch):
    from sqlalchemy.exc import OperationalError

    why = questions[1]
    why.change("Kim", "ada", {"tick": 0, "on": True})
    before = why.read_marks()

    def locked():
        raise OperationalError("commit", {}, Exception("database is locked"))

    monkeypatch.setattr(why.gradebook.db, "commit", locked)
    with pytest.raises(GradebookError, match="could not be written"):
        why.change("Kim", "ada", {"tick": 1, "on": True})
    monkeypatch.undo()
    assert why.read_marks() == before and grade_of(why, "ada")[0] == 1.0


def visit(questions, *requests, host=None, marker="Kim"):
    """Ask the server; returns status and body of each request (path, change, token)."""

    async def run():
        socket, port = bind_unused_port(address="127.0.0.1")
        server = HTTPServer(make_application(Desk(tuple(questions), marker), "secret"))
        server.add_sockets([socket])
        client, found = AsyncHTTPClient(), []
        for path, change, token in requests:
            headers = {"Authorization": f"token {token}"} | ({"Host": host} if host else {})
            options = {"method": "POST", "body": change} if change is not None else {}
            reply = await client.fetch(
                f"http://127.0.0.1:{port}/{path}", headers=headers, raise_error=False, request_timeout=120, **options
            )
            found.append((reply.code, reply.body.decode(), reply.headers))
        server.stop()
        client.close()
        return found

    return asyncio.run(run())


def test_only_who_has_the_token_gets_anything(questions):
    key = next(iter(questions[1].find_students()))
    paths = ["api/1/overview", f"api/1/answer/{key}", f"api/1/name/{key}", "api/1/agreement", "?token=no", ""]
    for code, body, _ in visit(questions, *[(path, None, "wrong") for path in paths], ("api/1/mark/" + key, "{}", "")):
        assert code == 403 and "token" in body
    assert visit(questions, ("api/1/overview", None, "secret"), host="evil.example")[0][0] == 403
    (page, script, other) = visit(
        questions, ("?token=secret", None, ""), ("secret/marking.js", None, ""), ("no/marking.js", None, "")
    )
    assert (page[0], script[0], other[0]) == (200, 200, 404)
    assert "script-src 'self';" in page[2]["Content-Security-Policy"]


def test_the_page_knows_no_names_and_runs_nothing_of_a_student(questions):
    why = questions[1]
    keys = {student: key for key, student in why.find_students().items()}
    eve, overview, name, ada = visit(
        questions,
        (f"api/1/answer/{keys['eve']}", None, "secret"),
        ("api/1/overview", None, "secret"),
        (f"api/1/name/{keys['eve']}", None, "secret"),
        (f"api/1/answer/{keys['ada']}", None, "secret"),
    )
    assert not any(student in overview[1] for student in STUDENTS)
    assert json.loads(name[1]) == {"name": "Eve (eve)"}
    html = json.loads(eve[1])["answer"]
    assert "<script" not in html and "<img" not in html and "href" not in html
    assert '<svg class="formula" role="img" aria-label="a&lt; b"' in html and "alert(1)" in html
    assert "<strong>it</strong>" in json.loads(ada[1])["answer"]
    shown = json.loads(overview[1])
    assert [line["points"] for line in shown["lines"]] == [1, 1, 1] and "<svg" in shown["lines"][0]["html"]
    assert shown["title"] == "2 Why" and len(shown["students"]) == 4


def test_no_traceback_reaches_the_page(questions, monkeypatch, caplog):
    key = next(iter(questions[1].find_students()))
    bodies = ["{", "[]", "{}", '{"tick": 9}', '{"settle": NaN}']
    for code, body, _ in visit(questions, *[(f"api/1/mark/{key}", body, "secret") for body in bodies]):
        assert code == 400 and set(json.loads(body)) == {"error"} and "Traceback" not in body
    for path in (f"api/9/answer/{key}", "api/1/answer/123456789abc", "api/1/marks", "api/1/answer/", "api/1/x/" + key):
        assert visit(questions, (path, None, "secret"))[0][0] == 404
    monkeypatch.setattr(questions[1], "read_marks", lambda: 1 / 0)
    ((code, body, _),) = visit(questions, ("api/1/overview", None, "secret"))
    assert code == 500 and "division" not in body and "terminal" in json.loads(body)["error"]
    assert "ZeroDivisionError" in caplog.text  # it stands on the terminal


def test_marks_that_cannot_be_read_are_named(questions):
    why = questions[1]
    why.change("Kim", "ada", {"all": True})
    (path,) = why._folder.glob("*.json")
    path.write_text('{"marker": "Kim"}', encoding="utf-8")
    with pytest.raises(GradebookError, match=r"Kim\.json cannot be read as marks"):
        why.read_marks()


@pytest.mark.nbgrader
def test_a_mark_stays_when_another_question_is_graded_again(released, tmp_path):
    """And the audit still agrees; a settled mark is in the feedback as any grade by hand."""
    from acme_lib.grade.audit import recompute
    from acme_lib.grade.batch import grade_assignment
    from acme_lib.report.feedback import ReadGrades, write_feedback

    course = shutil.copytree(released, tmp_path / "course")
    submit(course, "ada", hand_in(words="Because."))
    grade_assignment(course, ASSIGNMENT, jobs=1)
    config, coursedir = load_course(course)
    with opened(coursedir.db_url) as book:
        (words,) = find_markings(book, coursedir, ASSIGNMENT)
        words.change("Kim", "ada", {"points": 1.5})
        words.change("Kim", "ada", {"comment": "Say **why**."})
    grade_assignment(course, ASSIGNMENT, students=["ada"], questions=["double_test"], jobs=1)
    (audited,) = recompute(course, ASSIGNMENT)
    assert not audited.differences
    with opened(coursedir.db_url) as book:
        (words,) = find_markings(book, coursedir, ASSIGNMENT)
        assert grade_of(words, "ada") == (1.5, None, False, "Say **why**.")
        assert words.fresh(words.read_marks(), "ada")["Kim"].points == 1.5
    notebook = nbformat.read(course / "autograded" / "ada" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    names = {"student": "ada", "assignment": ASSIGNMENT, "notebook": NOTEBOOK, "db_url": coursedir.db_url}
    notebook, resources = ReadGrades(config=config).preprocess(notebook, {"nbgrader": names})
    page = write_feedback(notebook, resources["nbgrader"])
    assert "1.5 / 2" in page and "Say <strong>why</strong>." in page


def test_names_of_markers():
    assert check_marker(" Zoë ") == "Zoë"
    for name in ("", " ", "a\nb", "x" * 61):
        with pytest.raises(GradebookError, match="--marker must be"):
            check_marker(name)


def test_a_question_that_nobody_grades_by_hand_is_refused(course, monkeypatch, capsys):
    monkeypatch.chdir(course)
    assert main(["mark", ASSIGNMENT, "double_test"]) == 1
    assert "by hand: words, why" in capsys.readouterr().err
    assert main(["mark", "nothing"]) == 1
    assert "has no question that a person grades" in capsys.readouterr().err

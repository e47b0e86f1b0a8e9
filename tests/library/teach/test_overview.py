"""A learner's own progress: what is remembered of passed checks, when nothing is, and the page that shows it."""

from html.parser import HTMLParser

import pytest

from acme_lib.teach import forget_record, my_progress
from acme_lib.teach import record as records
from acme_lib.teach.check import all_right
from acme_lib.teach.overview import HEADINGS
from acme_lib.teach.passed import read_exercises
from acme_lib.teach.record import read_record, remember, remember_passed

EXERCISES = read_exercises()
PART = next(q for exercises in EXERCISES.values() for q in exercises.questions if len(q.checks) == 2)
CHAPTER = next(number for number, exercises in EXERCISES.items() if PART in exercises.questions)


IS_AUTOMATIC = records._is_automatic


@pytest.fixture(autouse=True)
def record(tmp_path, monkeypatch):
    """A learner's record of its own for each test, which is taken for a learner."""
    monkeypatch.setenv("ACME_RECORD", str(tmp_path / "learner" / "predictions.json"))
    monkeypatch.delenv("ACME_QUIET", raising=False)
    monkeypatch.setattr(records, "_is_automatic", lambda: False)
    return tmp_path / "learner" / "predictions.json"


@pytest.fixture
def notebook(monkeypatch):
    """A kernel of its own, as far as a check sees."""
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr("acme_lib.teach.passed._done", set())


def row(chapter=CHAPTER):
    return next(c for c in my_progress().chapters if c.predictions.chapter == chapter).cells()


def test_a_question_is_passed_when_all_its_checks_are():
    count = len(EXERCISES[CHAPTER].questions)
    assert row()[2] == f"0 of {count}"
    assert "all questions" in row()[3]
    remember_passed(PART.checks[1])
    assert row()[2] == f"0 of {count}"
    assert f"{PART.number} (in part)" in row()[3]
    remember_passed(PART.checks[0])
    assert row()[2] == f"1 of {count}"
    assert f" {PART.number}," not in row()[3]


def test_when_all_is_done_nothing_is_open():
    for exercises in EXERCISES.values():
        for question in exercises.questions:
            for check in question.checks:
                remember_passed(check)
    remember("0/coin", "x", right=False)
    assert row(0) == ("0 Welcome", "1 of 1 (0 right at the first attempt)", "–", "nothing")
    assert [chapter.cells()[3].split("; ")[-1] for chapter in my_progress().chapters[1:]] == [
        f"{chapter.predictions.asked} predictions" for chapter in my_progress().chapters[1:]
    ]


def test_predictions_and_exercises_of_all_chapters_have_a_row():
    chapters = [chapter.predictions.chapter for chapter in my_progress().chapters]
    assert chapters == sorted(chapters)
    assert {0, *EXERCISES} <= set(chapters)


class Table(HTMLParser):
    """Which tags there are, and the texts of the cells, row by row."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.caption = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes).get("scope")))
        self.rows += [[]] if tag == "tr" else []

    def handle_data(self, data):
        if self.tags[-1][0] in ("th", "td"):
            self.rows[-1].append(data)
        elif self.tags[-1][0] == "caption":
            self.caption += data


def test_the_page_is_a_table_with_headings_of_rows_and_columns():
    remember_passed(PART.checks[0])
    page = my_progress()
    table = Table(page.html())
    assert table.caption == "How far you are"
    assert tuple(table.rows[0]) == HEADINGS
    assert [tuple(cells) for cells in table.rows[1:]] == [chapter.cells() for chapter in page.chapters]
    assert table.tags.count(("th", "col")) == len(HEADINGS)
    assert table.tags.count(("th", "row")) == len(page.chapters)
    bundle = page._repr_mimebundle_()
    for cells in table.rows:
        assert all(cell in bundle["text/plain"] for cell in cells)


def test_a_path_is_shown_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("ACME_RECORD", str(tmp_path / "<script>" / "a & b.json"))
    remember_passed(PART.checks[0])
    page = my_progress().html()
    assert "script" not in {tag for tag, _ in Table(page).tags}
    assert "&lt;script&gt;" in page and "a &amp; b.json" in page


@pytest.mark.parametrize(
    "content", [b"", b"not JSON", b"[1, 2]", b"3", b"\xff\xfe\x00", b"[" * 100_000], ids=lambda content: content[:5]
)
def test_a_damaged_record_is_said_and_kept_and_stops_nothing(record, content):
    record.parent.mkdir()
    record.write_bytes(content)
    assert "cannot be read" in str(my_progress())
    assert "cannot be read" in my_progress().html()
    remember_passed(PART.checks[0])
    assert "cannot be read" not in str(my_progress())
    assert list(read_record()) == [PART.checks[0]]
    assert record.with_suffix(".damaged").read_bytes() == content


def test_a_record_that_cannot_be_written_stops_nothing(record):
    record.parent.write_text("a file where the folder should be", "utf-8")
    remember_passed(PART.checks[0])
    assert "all questions" in row()[3]


def test_a_learner_may_delete_the_record(record, capsys):
    record.parent.mkdir()
    record.write_text("damaged")
    remember_passed(PART.checks[0])
    assert str(record) in str(my_progress())
    forget_record()
    assert str(record) in capsys.readouterr().out
    assert list(record.parent.iterdir()) == []
    assert "all questions" in row()[3]
    forget_record()
    assert capsys.readouterr().out == "There is no record.\n"


def test_the_day_of_the_first_pass_stays(record):
    remember_passed(PART.checks[0])
    before = record.read_text("utf-8")
    record.write_text(before.replace("20", "19", 1), "utf-8")
    remember_passed(PART.checks[0])
    assert record.read_text("utf-8") == before.replace("20", "19", 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NBGRADER_EXECUTION", "autograde"),
        ("PYTEST_CURRENT_TEST", "a (call)"),
        ("ACME_QUIET", "1"),
        ("ACME_RECORD", ""),
    ],
)
def test_nothing_is_remembered_while_notebooks_are_graded_tested_or_built(record, monkeypatch, notebook, name, value):
    monkeypatch.setattr(records, "_is_automatic", IS_AUTOMATIC)
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # of this test
    monkeypatch.setenv(name, value)
    all_right(2, PART.checks[0])
    assert not record.parent.exists()


def test_nothing_of_a_learner_is_shown_while_notebooks_are_built(monkeypatch):
    remember_passed(PART.checks[0])
    monkeypatch.setenv("ACME_QUIET", "1")
    assert "all questions" in row()[3]
    assert "without a record" in str(my_progress())


def test_the_last_check_of_a_question_says_what_was_established(record, notebook, capsys):
    for check in reversed(PART.checks):
        all_right(2, check)
    first, *said = capsys.readouterr().out.split("✔ right, 2 of 2 points\n")[1:]
    assert first == ""
    assert " ".join(said[0].split()) == f"Question {PART.number} is done. {PART.says}"
    assert set(read_record()) == set(PART.checks)


def test_a_notebook_newer_than_the_library_is_told_its_points(record, notebook, capsys):
    all_right(2, "01_chemical_master_equation/not_yet_known")
    assert capsys.readouterr().out == "✔ right, 2 of 2 points\n"
    assert not record.exists()


def test_a_grader_that_holds_the_answers_elsewhere_says_and_remembers_nothing(record, notebook, capsys):
    from acme_lib.teach.check import use_door

    with use_door(object()):
        all_right(2, PART.checks[0])
    assert capsys.readouterr().out == ""
    assert not record.exists()

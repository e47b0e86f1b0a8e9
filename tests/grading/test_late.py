"""Late policies: exact points, time zones, extensions, and what nbgrader writes into its gradebook."""

import runpy
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from nbgrader.preprocessors import AssignLatePenalties
from traitlets import TraitError
from traitlets.config import Config

from acme_lib.cli import main
from acme_lib.errors import GradebookError
from acme_lib.grade.late import Extension, LatePolicy, assign_penalties, find_penalty, read_extensions

GRADEBOOKS = runpy.run_path(str(Path(__file__).with_name("gradebooks.py")))
opened, fill, write_config = GRADEBOOKS["opened"], GRADEBOOKS["fill"], GRADEBOOKS["write_config"]
HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "terms", "lost"),
    [
        (0, {"rate": 10}, 0),
        (1e-6, {"rate": 10}, 4),  # a day that has begun
        (DAY, {"rate": 10}, 4),
        (DAY + 1, {"rate": 10}, 8),
        (DAY / 2, {"rate": 10, "started": False}, 2),
        (3 * HOUR, {"rate": 2, "per": "hour"}, 2.4),
        (3 * HOUR, {"rate": 2, "per": "hour", "unit": "points"}, 6),
        (15 * 60, {"rate": 10, "grace": 15}, 0),
        (15 * 60 + 1, {"rate": 10, "grace": 15}, 4),
        (DAY + 15 * 60, {"rate": 10, "grace": 15}, 4),
        (30 * DAY, {"rate": 10, "cap": 25}, 10),
        (30 * DAY, {"rate": 1, "unit": "points", "cap": 3}, 3),
        (30 * DAY, {"rate": 10}, 30),  # never more than was reached
        (DAY, {"rate": 0}, 0),
    ],
)
def test_penalty(seconds, terms, lost):
    assert find_penalty(seconds, score=30, max_score=40, **terms) == pytest.approx(lost, abs=1e-12)


def csv_file(folder, *lines):
    path = folder / "extensions.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_extensions_are_read(tmp_path):
    path = csv_file(
        tmp_path,
        "\ufeffstudent,assignment,until,days,hours,reason",
        "ada,one,2026-03-28 23:59,,,",
        "ada,two,2026-07-01T12:00+09:00,,,",
        "bob,one,2026-03-01T00:00:00Z,,,",
        'eve,one,,2,12,"ill, says the doctor"',
    )
    extensions = read_extensions(path, timezone="Europe/Zurich")
    assert extensions == {
        ("ada", "one"): Extension(until=datetime(2026, 3, 28, 22, 59)),  # winter: UTC+1
        ("ada", "two"): Extension(until=datetime(2026, 7, 1, 3, 0)),
        ("bob", "one"): Extension(until=datetime(2026, 3, 1)),
        ("eve", "one"): Extension(by=timedelta(days=2, hours=12)),
    }
    summer = csv_file(tmp_path, "student,assignment,until", "ada,one,2026-03-29 23:59")
    assert read_extensions(summer, timezone="Europe/Zurich")["ada", "one"].until == datetime(2026, 3, 29, 21, 59)


@pytest.mark.parametrize(
    ("clock", "utc"),
    [
        ("2026-10-25 02:30", datetime(2026, 10, 25, 1, 30)),  # shown twice: the later one
        ("2026-10-25 01:59", datetime(2026, 10, 24, 23, 59)),
        ("2026-03-29 02:30", datetime(2026, 3, 29, 1, 30)),  # never shown: the later reading
        ("2026-03-29 03:00", datetime(2026, 3, 29, 1, 0)),
    ],
)
def test_when_the_clocks_change(tmp_path, clock, utc):
    path = csv_file(tmp_path, "student,assignment,until", f"ada,one,{clock}")
    assert read_extensions(path, timezone="Europe/Zurich")["ada", "one"].until == utc


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["student,days", "ada,1"], "expected the columns student, assignment and until"),
        ([""], "got nothing"),
        (["student,assignment,days", "ada,,1"], "line 2: a student or an assignment is missing"),
        (["student,assignment,days", "ada,one,1", "ada,one,2"], "line 3: 'ada' has an extension of 'one' already"),
        (["student,assignment,days,until", "ada,one,1,2026-03-01"], "either until, or days"),
        (["student,assignment,days", "ada,one,"], "either until, or days"),
        (["student,assignment,days", "ada,one,two"], "days 'two' cannot be read"),
        (["student,assignment,days", "ada,one,nan"], "days 'nan' cannot be read"),
        (["student,assignment,days", "ada,one,1e99"], "cannot be read"),
        (["student,assignment,days", "ada,one,-1"], "cannot be negative"),
        (["student,assignment,until", "ada,one,28.3.2026"], "until '28.3.2026' cannot be read"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, message):
    with pytest.raises(GradebookError, match=message):
        read_extensions(csv_file(tmp_path, *lines))


def test_a_missing_file_and_a_wrong_zone_are_named(tmp_path):
    with pytest.raises(GradebookError, match="cannot be read"):
        read_extensions(tmp_path / "none.csv")
    with pytest.raises(GradebookError, match="'Zurich' is no time zone"):
        read_extensions(csv_file(tmp_path, "student,assignment,days"), timezone="Zurich")


def config_of(folder, **policy):
    return Config(
        CourseDirectory={"root": str(folder), "db_url": f"sqlite:///{folder / 'gradebook.db'}", "course_id": "acme"},
        AssignLatePenalties={"plugin_class": "acme_lib.grade.late.LatePolicy"},
        LatePolicy=policy,
    )


def run_nbgrader(config, student, notebook="sheet", assignment="homework"):
    """Ask nbgrader's own preprocessor for the penalty of a notebook."""
    resources = {"notebook": notebook, "assignment": assignment, "student": student}
    resources["db_url"] = config.CourseDirectory.db_url
    AssignLatePenalties(config=config).preprocess(nbformat.v4.new_notebook(), {"nbgrader": resources})


DUE = datetime(2026, 3, 28, 22, 59)  # 23:59 in Zurich, on the eve of summer time


@pytest.fixture
def course(tmp_path):
    """Four students of an assignment of two notebooks (10 and 30 points), handed in after it was due."""
    students = {
        name: {"scores": {"one": 4, "two": 6, "text": 20}, "timestamp": DUE + late}
        for name, late in {
            "punctual": timedelta(0),
            "minutes": timedelta(minutes=10),
            "hours": timedelta(hours=23),
            "days": timedelta(days=2, seconds=1),
        }.items()
    }
    with opened(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        fill(gradebook, cells={"sheet": {"one": 4, "two": 6}, "essay": {"text": 30}}, students=students, duedate=DUE)
    return tmp_path


def penalties(course):
    with opened(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {
                notebook.name: notebook.late_submission_penalty for notebook in submission.notebooks
            }
            for submission in gradebook.assignment_submissions("homework")
        }


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_nbgrader_asks_the_policy(course):
    config = config_of(course, rate=10, grace=15)
    for student in ("punctual", "minutes", "hours", "days"):
        for notebook in ("sheet", "essay"):
            run_nbgrader(config, student, notebook)
    assert penalties(course) == {
        "punctual": {"sheet": None, "essay": None},
        "minutes": {"sheet": 0, "essay": 0},  # within the grace
        "hours": {"sheet": 1, "essay": 3},
        "days": {"sheet": 2, "essay": 6},  # 2 days and a second, less 15 minutes: the second day
    }


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_points_are_those_of_the_assignment(course):
    config = config_of(course, rate=2, unit="points", cap=5)
    for notebook in ("sheet", "essay"):
        run_nbgrader(config, "days", notebook)
    assert penalties(course)["days"] == {"sheet": 1.25, "essay": 3.75}  # 3 days, 6 points, at most 5 in all


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_an_extension_counts_once(course):
    """It is read from the file; noted in the gradebook; and not added again to what is noted there."""
    csv_file(course, "student,assignment,until", "days,homework,2026-03-30 23:59", "hours,other,2030-01-01")
    config = config_of(course, rate=10, extensions="extensions.csv", timezone="Europe/Zurich")
    for _ in range(2):
        for student in ("hours", "days"):
            run_nbgrader(config, student)
    # 23:59 two clock days later is 47 hours later: one hour and one second late
    assert penalties(course)["days"]["sheet"] == 1
    assert penalties(course)["hours"]["sheet"] == 1
    with opened(config.CourseDirectory.db_url) as gradebook:
        assert gradebook.find_submission("homework", "days").extension == timedelta(hours=47)
        assert gradebook.find_submission("homework", "days").total_seconds_late == HOUR + 1


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_an_extension_can_be_made_shorter_and_taken_back(course):
    config = config_of(course, rate=10, extensions="extensions.csv")
    for days, lost in {"3": 0, "1": 8, "0.5": 8, "0": 12}.items():  # of 40 points, for each day that has begun
        csv_file(course, "student,assignment,days", f"days,homework,{days}")
        with opened(config.CourseDirectory.db_url) as gradebook:
            assign_penalties(gradebook, "homework", LatePolicy(config=config))
            assert gradebook.find_submission("homework", "days").extension == timedelta(days=float(days))
        assert sum(value or 0 for value in penalties(course)["days"].values()) == lost


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_penalties_are_found_again_after_points_by_hand(course):
    with opened(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        policy = LatePolicy(config=config_of(course, rate=50))
        late = assign_penalties(gradebook, "homework", policy)
        assert [(one.student, one.seconds, one.penalty) for one in late] == [
            ("days", 2 * DAY + 1, 30),  # 150 %, but no more than the points that there are
            ("hours", 23 * HOUR, 20),
            ("minutes", 600, 20),
        ]
        gradebook.find_grade("text", "essay", "homework", "days").manual_score = 30
        gradebook.grant_extension("homework", "minutes", hours=1)
        late = assign_penalties(gradebook, "homework", policy)
        assert [(one.student, one.penalty) for one in late] == [("days", 40), ("hours", 20)]
    assert penalties(course)["minutes"] == {"sheet": None, "essay": None}


def test_terms_of_one_assignment():
    policy = LatePolicy(rate=10, cap=30, assignments={"homework": {"rate": 5, "per": "hour"}})
    assert policy.terms("other")["rate"] == 10
    assert policy.terms("homework") == {
        "rate": 5, "per": "hour", "unit": "percent", "started": True, "grace": 0, "cap": 30
    }  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"rate": -1}, "LatePolicy.rate must be a finite number"),
        ({"grace": float("inf")}, "LatePolicy.grace"),
        ({"cap": float("nan")}, "LatePolicy.cap"),
        ({"assignments": {"homework": {"rates": 1}}}, "has no rates"),
    ],
)
def test_terms_without_sense_are_refused(policy, message):
    with pytest.raises(GradebookError, match=message):
        LatePolicy(**policy).terms("homework")


def test_a_policy_without_a_gradebook_says_so():
    with pytest.raises(GradebookError, match="asks AssignLatePenalties"):
        LatePolicy(rate=10).late_submission_penalty("ada", 5, 100)


def test_terms_of_another_type_are_refused():
    with pytest.raises(TraitError):
        LatePolicy(assignments={"homework": {"per": "week"}}).terms("homework")


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_an_extension_that_cannot_be_is_refused(course):
    with opened(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        csv_file(course, "student,assignment,days", "dasy,homework,1")
        policy = LatePolicy(config=config_of(course, extensions="extensions.csv"))
        with pytest.raises(GradebookError, match="'dasy'"):
            assign_penalties(gradebook, "homework", policy)
        csv_file(course, "student,assignment,until", "days,homework,2026-03-27")
        with pytest.raises(GradebookError, match="'days' of 'homework' ends before it is due"):
            assign_penalties(gradebook, "homework", policy)
        with pytest.raises(GradebookError, match="no assignment 'homewrok'"):
            assign_penalties(gradebook, "homewrok", policy)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_the_command(course, monkeypatch, capsys):
    write_config(
        course, "c.AssignLatePenalties.plugin_class = 'acme_lib.grade.late.LatePolicy'", "c.LatePolicy.rate = 10"
    )
    monkeypatch.chdir(course)
    assert main(["late", "homework"]) == 0
    assert "days" in capsys.readouterr().out
    assert penalties(course)["days"] == {"sheet": 3, "essay": 9}
    assert main(["late", "homewrok"]) == 1
    assert "no assignment 'homewrok'" in capsys.readouterr().err
    assert main(["late", "homework", "--db", f"sqlite:///{course / 'none.db'}"]) == 1
    assert "none.db" in capsys.readouterr().err
    assert not (course / "none.db").exists()

"""What an instructor does with the gradebook of a finished assignment, as commands of `acme`."""

import argparse
import sys
from pathlib import Path

from acme_lib.checks import readable


def add_commands(commands):
    """Add the commands to those of `acme`."""
    gradebook = argparse.ArgumentParser(add_help=False)
    gradebook.add_argument("--db", metavar="URL", help="the gradebook; default: that of nbgrader_config.py")
    assignment = argparse.ArgumentParser(add_help=False, parents=[gradebook])
    assignment.add_argument("assignment", help="its name, which is that of its folder")
    moodle = argparse.ArgumentParser(add_help=False)
    moodle.add_argument("--match", metavar="COLUMN", help="the roster's column that holds the gradebook's ids")

    def add(name, act, parents, **options):
        command = commands.add_parser(name, parents=parents, **options)
        command.set_defaults(run=lambda options: _with_gradebook(options, act), extra="grade")
        return command

    collect = commands.add_parser("collect", help="take an LMS's zip of all submissions into submitted/")
    collect.add_argument("file", type=Path, help="the zip that Moodle or Canvas gives out for an assignment")
    collect.add_argument("assignment", help="its folder in solutions/")
    collect.add_argument(
        "--roster",
        type=Path,
        metavar="FILE",
        help="Moodle's grading worksheet (names and times), Canvas's gradebook export (names)",
    )
    collect.add_argument("--match", metavar="COLUMN", help="the roster's column that holds the students' ids")
    collect.set_defaults(run=collect_files, extra="grade")

    mark = add("mark", mark_by_hand, [assignment], help="mark one question by hand across all students, on a page")
    mark.add_argument("question", nargs="?", help="the id of its cell; default: the first that a person grades")
    mark.add_argument("--marker", default="teacher", metavar="NAME", help="keeps the ticks of two markers apart")
    mark.add_argument("--port", type=int, default=0, metavar="N", help="default: one that is free")
    mark.add_argument("--no-browser", action="store_true", help="only print the address of the page")

    add("late", update_penalties, [assignment], help="recompute the penalties of late submissions")

    export = add(
        "export", export_grades, [gradebook, moodle], help="write grades in the form that Canvas or Moodle import"
    )
    export.add_argument("platform", choices=["canvas", "moodle", "worksheet"], help="worksheet: of a Moodle assignment")
    export.add_argument("assignments", nargs="+", metavar="assignment")
    export.add_argument("--roster", type=Path, metavar="FILE", help="the platform's own export, with its ids")
    export.add_argument("--output", type=Path, metavar="FILE", help="default: reports/PLATFORM.csv")
    export.add_argument("--column", help="name or number of the assignment in Canvas")
    export.add_argument("--identifier", default="Username", help="what Moodle knows students by (default Username)")
    export.add_argument("--missing", choices=["blank", "zero"], default="blank", help="for no submission (blank)")
    export.add_argument("--scale", action="store_true", help="scale the points to the platform's maximum")

    bundles = add("feedback", bundle_feedback, [assignment, moodle], help="pack the feedback pages, student by student")
    bundles.add_argument(
        "--output", type=Path, metavar="PATH", help="a folder in reports/; with --worksheet, a zip file"
    )
    bundles.add_argument("--worksheet", type=Path, metavar="FILE", help="Moodle's, for one zip file that Moodle takes")

    statistics = add(
        "statistics", show_statistics, [assignment], help="write a page: grades, questions, misconceptions"
    )
    statistics.add_argument("--output", type=Path, metavar="FILE", help="default: reports/statistics-ASSIGNMENT.html")

    copying = add("copying", show_copying, [assignment], help="write a page and a CSV file of answers that are alike")
    copying.add_argument(
        "--output", type=Path, metavar="FILE", help="default: reports/copying-ASSIGNMENT.html, and .csv"
    )
    copying.add_argument("--threshold", type=float, default=0.5, help="the least similarity listed (default 0.5)")


def _with_gradebook(options, act):
    """Call `act` with the options, the course's configuration and its gradebook; 1 when an error is the user's."""
    from acme_lib.errors import AcmeError
    from acme_lib.grade.course import load_course
    from acme_lib.report.marks import open_gradebook

    try:
        config, course = load_course(options.root)
        with open_gradebook(options.db or course.db_url, course.course_id) as gradebook:
            return act(options, config, gradebook)
    except (AcmeError, OSError) as error:
        print(f"acme {options.command}: {readable(error)}", file=sys.stderr)
        return 1


def _output(options, name):
    """Return where a command writes: as asked, else into the course's folder of reports."""
    return options.output or options.root / "reports" / name


def collect_files(options):
    """Take the submissions, tell the gradebook the names, and print what is odd; 1 when somebody is left out."""
    from nbgrader.api import Gradebook

    from acme_lib.errors import AcmeError
    from acme_lib.files import write_whole
    from acme_lib.grade.course import load_course, programs_of_this_python, source_folder
    from acme_lib.grade.late import LatePolicy
    from acme_lib.report.collect import collect_submissions, find_people, find_times, list_receipts
    from acme_lib.report.exports import read_roster, write_csv

    try:
        config, course = load_course(options.root)
        notebooks = sorted(path.stem for path in source_folder(course, options.assignment).glob("*.ipynb"))
        if not notebooks:
            raise AcmeError(f"there is no assignment {options.assignment!r} in {course.source_directory}/")
        people, times, unread = None, {}, []
        if options.roster:
            roster, zone = read_roster(options.roster), LatePolicy(config=config).timezone
            column, people = find_people(roster, options.match)
            print(f"students are known by the column {column!r} of {options.roster}")
            times, unread = find_times(roster, zone)
            if times:
                print(f"times of submission are read as times of the zone {zone} (c.LatePolicy.timezone)")
        collected = collect_submissions(options.file, options.assignment, course, notebooks, people=people, times=times)
        if people:
            with programs_of_this_python(), Gradebook(course.db_url, course.course_id) as gradebook:
                for student, about in people.values():
                    gradebook.update_or_create_student(student, **{key: text for key, text in about.items() if text})
    except (AcmeError, OSError) as error:
        print(f"acme collect: {readable(error)}", file=sys.stderr)
        return 1
    print("\n".join([*collected.describe(), *(f"  {readable(one)}" for one in unread)]))
    receipts = write_csv(*list_receipts(options.assignment, course))
    path = write_whole(options.root / "reports" / f"receipts-{options.assignment}.csv", receipts)
    print(f"{path}: the SHA-256 of each file in {course.submitted_directory}/, to compare with a student's receipt")
    return 1 if collected.unknown else 0


def mark_by_hand(options, config, gradebook):
    """Serve the page on which one question is marked, until Ctrl-C."""
    from nbgrader.coursedir import CourseDirectory

    from acme_lib.errors import GradebookError
    from acme_lib.report.marking import check_marker, find_markings
    from acme_lib.report.marking_page import Desk, serve

    questions = find_markings(gradebook, CourseDirectory(config=config), options.assignment)
    names = [question.name for question in questions]
    if options.question not in (None, *names):
        known = ", ".join(names)
        raise GradebookError(f"no person grades {options.question!r} of {options.assignment}; by hand: {known}")
    first = names.index(options.question) if options.question else 0
    serve(Desk(questions, check_marker(options.marker), first), port=options.port, browser=not options.no_browser)
    return 0


def update_penalties(options, config, gradebook):
    """Print who is late, and what it costs."""
    from acme_lib.grade.late import LatePolicy, assign_penalties

    late = assign_penalties(gradebook, options.assignment, LatePolicy(config=config))
    for one in late:
        print(f"'{readable(one.student)}': {one.seconds / 3600:.2f} hours late, {one.penalty:g} points lost")
    print(f"{options.assignment}: {len(late)} late submissions")
    return 0


def export_grades(options, config, gradebook):
    """Write the file and name who is not in it; 1 when a grade is missing."""
    from acme_lib.errors import GradebookError
    from acme_lib.files import write_whole
    from acme_lib.report.exports import export_canvas, export_moodle, export_worksheet, read_roster
    from acme_lib.report.marks import read_marks

    marks = [read_marks(gradebook, name) for name in options.assignments]
    roster = read_roster(options.roster) if options.roster else None
    common = {"match": options.match, "missing": "0" if options.missing == "zero" else ""}
    if options.platform == "moodle":
        scale = 100.0 if options.scale else None
        export = export_moodle(marks, roster=roster, identifier=options.identifier, scale=scale, **common)
    elif roster is None or len(marks) > 1:
        raise GradebookError(f"{options.platform} takes one assignment, and as --roster a file from the platform")
    elif options.platform == "canvas":
        export = export_canvas(marks[0], roster, column=options.column, scale=options.scale, **common)
    else:
        export = export_worksheet(marks[0], roster, scale=options.scale, **common)
    path = write_whole(_output(options, f"{options.platform}.csv"), export.text)
    print("\n".join([f"{path}: {export.describe()[0]}", *export.describe()[1:]]))
    return 0 if export.complete else 1


def bundle_feedback(options, config, gradebook):
    """Write the zip files and name who gets none; 1 when a page is missing."""
    from acme_lib.report.bundles import collect_feedback, write_bundles, write_moodle_bundle
    from acme_lib.report.exports import match_students, read_roster
    from acme_lib.report.marks import read_marks

    marks = read_marks(gradebook, options.assignment)
    feedback = collect_feedback(marks, config)
    if options.worksheet:
        worksheet = read_roster(options.worksheet)
        rows = match_students(marks, worksheet, match=options.match)
        path = _output(options, f"feedback-{options.assignment}.zip")
        packed = write_moodle_bundle(feedback, rows, path, worksheet=worksheet.path)
        left_out = sorted(set(feedback.pages) - set(packed))
    else:
        path = _output(options, f"feedback-{options.assignment}")
        packed, left_out = write_bundles(feedback, path), []
    print(f"{path}: feedback for {len(packed)} students")
    for purpose, who in {
        "without a feedback page (run nbgrader generate_feedback)": feedback.missing,
        "not in Moodle's worksheet": left_out,
    }.items():
        if who:
            names = ", ".join(f"'{readable(one)}'" for one in who)
            print(f"{len(who)} {purpose}: {names}")
    return 1 if feedback.missing or left_out else 0


def show_statistics(options, config, gradebook):
    """Write the page."""
    from acme_lib.files import write_whole
    from acme_lib.report.marks import read_marks
    from acme_lib.report.misconceptions import find_misconceptions
    from acme_lib.report.questions import find_outline, unite_cells
    from acme_lib.report.statistics import find_statistics, write_statistics

    course = config.CourseDirectory
    source = course.get("source_directory", "source")
    outline = find_outline(options.root, options.assignment, source=source)
    order = [(notebook, cell) for notebook, cell, _ in outline]
    marks, groups = unite_cells(read_marks(gradebook, options.assignment, order=order), outline)
    page = write_statistics(find_statistics(marks, find_misconceptions(marks, config, groups)))
    print(write_whole(_output(options, f"statistics-{options.assignment}.html"), page))
    return 0


def show_copying(options, config, gradebook):
    """Write the page and the file."""
    from dataclasses import replace

    from acme_lib.files import write_whole
    from acme_lib.report.copying import collect_answers, find_pairs, write_copy_page, write_pairs_csv

    students = [student.id for student in gradebook.students]
    answers, release, unread = collect_answers(students, options.assignment, config)
    report = find_pairs(answers, release, assignment=options.assignment, threshold=options.threshold)
    path = _output(options, f"copying-{options.assignment}.html")
    print(write_whole(path, write_copy_page(replace(report, unread=unread))))
    print(write_whole(path.with_suffix(".csv"), write_pairs_csv(report)))
    print(f"{len(report.pairs)} pairs to look at, of {report.compared}. This is a hint, not a proof.")
    return 0

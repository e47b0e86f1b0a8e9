"""The command `acme`: open the course, check the installation, build chapters and book, grade, audit, release."""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from acme_lib.checks import readable
from acme_lib.errors import MissingExtraError
from acme_lib.extras import explain, how_to_install, import_extra
from acme_lib.kernel_cache import is_writable

RELEASE = """\
Write the archive that learners get, searched for every line of an answer.

With --for ROSTER, write instead notebooks in which questions that allow it have numbers of each student's own:
reports/personal/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb. Give each student the folder of their id (the other exercises are
in the archive), and collect their work into submitted/STUDENT/ASSIGNMENT/ under the same ids.

The numbers follow from the id and from a key, which is made at first use in personal.json beside the gradebook. Keep a
copy of that file, and show it to nobody: without it no personal question can be graded. For a new course, remove it.
The roster is a file that `acme collect` takes, or any CSV file with --match COLUMN.
"""


def main(arguments=None):
    """Run the command; the return value is its exit status."""
    parser = argparse.ArgumentParser(prog="acme", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    lab = commands.add_parser("lab", help="open the course in JupyterLab; further arguments are passed on to it")
    lab.set_defaults(run=open_lab, extra="course")

    check = commands.add_parser("check", help="check the installation, and say what to do where something is wrong")
    check.set_defaults(run=print_check, extra="course")

    present = commands.add_parser("present", help="show the demonstration of a chapter to a class, in the browser")
    present.add_argument("chapter", type=int, help="its number")
    present.add_argument("--port", type=int, help="of the page on this machine (default: 8765, or a free one)")
    present.add_argument("--no-browser", action="store_true", help="only print the address")
    present.set_defaults(run=present_chapter, extra="course")

    receipt = commands.add_parser("receipt", help="write a receipt (SHA-256, time) for a file that you hand in")
    receipt.add_argument("file", type=Path, help="the notebook, saved and exactly as you hand it in")
    receipt.set_defaults(run=print_receipt, extra="course")

    if _has_room("build"):
        _add_build(commands)
    if _has_room("grade"):
        _add_grade(commands)
    if _has_room("report"):
        from acme_lib.report.commands import add_commands

        add_commands(commands)

    options, options.rest = parser.parse_known_args(arguments)
    if options.rest and options.command != "lab":
        parser.error(f"{options.command} does not know {' '.join(options.rest)}")
    for stream in (sys.stdout, sys.stderr):  # a name may have letters that a terminal does not know
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options.root = None
    if options.command not in ("check", "receipt"):
        options.root = find_root()
        print(f"acme {options.command}: the course in {options.root}", file=sys.stderr)
    try:
        return options.run(options)
    except MissingExtraError as error:
        raise SystemExit(f"acme {options.command}: {error}") from None
    except ModuleNotFoundError as error:
        if explain(error) is error:
            raise
        how = how_to_install(options.extra)
        raise SystemExit(f"acme {options.command}: this needs {error.name}, which is not installed: {how}") from None


def _has_room(name):
    """Whether this copy of the library has a room: that of the learners has neither grader nor solutions."""
    return importlib.util.find_spec(f"acme_lib.{name}") is not None


def _add_build(commands):
    build = commands.add_parser("build", help="execute the chapters and release the exercises from their text sources")
    build.add_argument("sources", nargs="*", type=Path, help="text sources of chapters (.md); default: everything")
    build.add_argument("--check", action="store_true", help="only compare each notebook with its text source")
    build.add_argument("--timeout", type=int, default=300, metavar="SECONDS", help="for one cell (default 300)")
    build.set_defaults(run=build_all, extra="grade")

    slides = commands.add_parser("slides", help="write the slides of a chapter: one HTML file that needs no network")
    slides.add_argument("chapter", help="its number, or all")
    slides.add_argument("--output", type=Path, metavar="PATH", help="a file, or a folder; default: reports/slides")
    slides.set_defaults(run=write_slides, extra="book")

    book = commands.add_parser("book", help="build the open book: a web site whose figures move without a kernel")
    book.add_argument("--output", type=Path, metavar="DIR", help="folder of the site (default: build/site)")
    book.set_defaults(run=build_site, extra="book")

    release = commands.add_parser(
        "release",
        help="write the archive for learners, and check that no answer is in it",
        description=RELEASE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    release.add_argument("--output", type=Path, metavar="PATH", help="default: reports/acme.zip, or reports/personal")
    own = release.add_argument_group("numbers of each student's own")
    own.add_argument(
        "--for", dest="roster", type=Path, metavar="ROSTER", help="write a notebook for every student in this CSV file"
    )
    own.add_argument("--match", metavar="COLUMN", help="the column that holds the ids; as for acme collect")
    own.add_argument("--assignment", action="append", metavar="NAME", help="only this one (repeatable)")
    release.set_defaults(run=release_course, extra="grade")


def _add_grade(commands):
    grade = commands.add_parser("grade", help="grade what was handed in, in a sandbox and on all cores")
    grade.add_argument("assignment", help="its folder in solutions/, such as 01_chemical_master_equation")
    grade.add_argument(
        "--student", action="append", metavar="ID", help="only this student, changed or not (repeatable)"
    )
    grade.add_argument("--question", action="append", metavar="CELL", help="only the tests of this cell (repeatable)")
    grade.add_argument(
        "--all", action="store_true", help="also submissions that have not changed since the last grading"
    )
    grade.add_argument("--jobs", type=int, metavar="N", help="number of processes (default: one per core)")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="grade on the workers of this Dask scheduler")
    grade.add_argument("--seed", type=int, help="seed of the run (default: a fresh one)")
    grade.set_defaults(run=grade_all, extra="grade")

    audit = commands.add_parser("audit", help="recompute grades from their audit records, and compare")
    audit.add_argument("assignment", help="its folder in solutions/")
    audit.add_argument("--student", action="append", metavar="ID", help="only this student (repeatable)")
    audit.set_defaults(run=audit_grades, extra="grade")


def find_root():
    """Return the folder of the course, for every command by one rule.

    It is the nearest folder, from the working directory upwards, that holds ``nbgrader_config.py`` or a folder
    ``course``; where there is none, the folder in which this library lies.

    Raises
    ------
    SystemExit
        If that holds neither.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (folder / "nbgrader_config.py").is_file() or (folder / "course").is_dir():
            return folder
    raise SystemExit(
        "acme: no course here or above (a folder with nbgrader_config.py or course/); change into its folder, try again"
    )


def open_lab(options):
    """Open JupyterLab on the welcome page."""
    import_extra("jupyterlab")
    command = [sys.executable, "-m", "jupyterlab", *(options.rest or ["course/00_welcome.ipynb"])]
    if not is_writable(options.root):
        words = f"acme lab: {options.root} cannot be written to: copy it to a folder of yours to keep what you change"
        print(words, flush=True)
    if is_writable(Path.home()):
        return subprocess.call(command, cwd=options.root)
    print("acme lab: your home cannot be written to: settings and your record last until JupyterLab ends", flush=True)
    with tempfile.TemporaryDirectory(prefix="acme-home-") as home:
        return subprocess.call(command, cwd=options.root, env=os.environ | {"HOME": home})


def present_chapter(options):
    """Show the demonstration of a chapter until it is interrupted."""
    from acme_lib.teach.present import present

    return present(options.root, options.chapter, port=options.port, browser=not options.no_browser)


def print_check(options):
    """Print the check of the installation; 1 when something is wrong with it."""
    from acme_lib.teach import check_installation

    report = check_installation()
    print(report)
    return 0 if report.sound else 1


def print_receipt(options):
    """Write the receipt of a file and print it; 1 when the file cannot be read, or nothing written beside it."""
    from acme_lib.teach.receipt import write_receipt

    try:
        path, text = write_receipt(options.file)
    except OSError as error:
        print(f"acme receipt: {readable(error)}", file=sys.stderr)
        return 1
    print(f"{text}written to {readable(path)}: keep it, and hand in the file without saving it again")
    return 0


def grade_all(options):
    """Grade an assignment and print the summary; 1 when a submission has no grade."""
    from acme_lib.errors import GradingError
    from acme_lib.grade.batch import grade_assignment

    try:
        summary = grade_assignment(
            options.root,
            options.assignment,
            students=options.student,
            questions=options.question,
            everything=options.all,
            jobs=options.jobs,
            scheduler=options.scheduler,
            seed=options.seed,
            progress=sys.stderr.isatty(),
            apart=True,
        )
    except GradingError as error:
        raise SystemExit(f"acme grade: {readable(error)}") from None
    print(summary)
    return 1 if summary.failed else 0


def audit_grades(options):
    """Recompute each grade and print where it differs; 1 when one does."""
    from acme_lib.errors import GradingError
    from acme_lib.grade.audit import recompute

    count, differ = 0, 0
    try:
        for one in recompute(options.root, options.assignment, options.student):
            count, differ = count + 1, differ + bool(one.differences)
            if one.differences:
                lines = [*one.differences, *one.remarks]
                lines = [f"{one.student}/{one.notebook}: differs", *(f"  {line}" for line in lines)]
                print(*map(readable, lines), sep="\n")
    except GradingError as error:
        raise SystemExit(f"acme audit: {readable(error)}") from None
    print(f"{count - differ} of {count} grades are the same when recomputed")
    return 1 if differ else 0


def build_all(options):
    """Build or compare chapters and, where none is named, the exercises; 1 when one fails or is out of step."""
    from acme_lib.build.chapters import build_chapter, compare_chapter, find_texts

    for source in options.sources:
        if source.suffix != ".md" or not source.is_file():
            raise SystemExit(f"acme build: {source} is no text source; expected an existing file NN_name.md")
        if (options.root / "solutions").resolve() in source.resolve().parents:
            raise SystemExit(
                f"acme build: {source} belongs to an exercise; `acme build` without a name builds them all"
            )
    failed = 0 if options.sources else build_exercises(options.root, options.check)
    sources = options.sources or find_texts(options.root)
    if not sources:
        raise SystemExit("acme build: no text sources; name them, or put NN_name.md into course/")
    for source in sources:
        problems = compare_chapter(source) if options.check else build_chapter(source, options.timeout)
        failed += bool(problems)
        for problem in problems:
            print(f"{source.with_suffix('.ipynb').name}: {problem}", file=sys.stderr)
        if not problems:
            print(f"{source.with_suffix('.ipynb').name}: {'in step with its text' if options.check else 'built'}")
    return 1 if failed else 0


def build_exercises(root, check):
    """Build `solutions/` and `exercises/` from their text sources, or compare; return how many are out of step."""
    from acme_lib.build.exercises import build_assignments, compare_assignments

    root = root.resolve()
    if not (root / "solutions").is_dir():
        return 0
    if not check:
        for path in build_assignments(root):
            print(f"{path.relative_to(root).as_posix()}: built")
        return 0
    same = compare_assignments(root)
    for name, in_step in same.items():
        if in_step:
            print(f"{name}: in step with its text")
        else:
            print(f"{name}: differs from its text: run `acme build`", file=sys.stderr)
    return len(same) - sum(same.values())


def write_slides(options):
    """Write the slides of one chapter, or of all."""
    import platformdirs

    from acme_lib.build.slides import make_slides
    from acme_lib.files import write_whole

    found = {int(path.name[:2]): path for path in sorted((options.root / "course").glob("[0-9][0-9]_*.ipynb"))}
    found.pop(0, None)  # the welcome page is for one reader
    wanted = list(found) if options.chapter == "all" else [int(options.chapter)] if options.chapter.isdecimal() else []
    if not wanted or not set(wanted) <= set(found):
        known = ", ".join(map(str, found)) or "none"
        raise SystemExit(
            f"acme slides: no chapter {options.chapter!r} in {options.root / 'course'}; those there: {known}"
        )
    output = options.output or options.root / "reports" / "slides"
    cache = platformdirs.user_cache_path("acme-course", appauthor=False) / "figures"
    for number in wanted:
        path = output if output.suffix == ".html" else output / f"{found[number].stem}.html"
        if len(wanted) > 1 and path == output:
            raise SystemExit("acme slides: the slides of all chapters need a folder, not one file")
        write_whole(path, make_slides(found[number], cache=cache))
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)


def build_site(options):
    """Build the open book; 1 when a page or a link in it is wrong."""
    from acme_lib.build.book import BookError, build_book

    try:
        book = build_book(options.root, options.output or options.root / "build" / "site")
    except BookError as error:
        print(f"acme book: {error}", file=sys.stderr)
        return 1
    print(book)
    return 0


def release_course(options):
    """Write the archive for the learners; 1 when something is out of step, or an answer would be in it."""
    if options.roster:
        return release_personal(options)
    from acme_lib.build.chapters import compare_chapter, find_texts
    from acme_lib.build.release import make_release
    from acme_lib.errors import ReleaseError

    output = options.output or options.root / "reports" / "acme.zip"
    texts = find_texts(options.root)
    problems = [f"{text.name}: {problem}" for text in texts for problem in compare_chapter(text)]
    if problems:
        print("acme release: " + "\n".join(problems), file=sys.stderr)
        return 1
    try:
        release = make_release(options.root, output)
    except ReleaseError as error:
        print(f"acme release: {error}", file=sys.stderr)
        return 1
    print(f"{release.path}: {len(release.files)} files; searched each for {release.secrets} lines of answers: none")
    return 0


def release_personal(options):
    """Write the notebooks of all students in a roster; 1 when one cannot be made."""
    from acme_lib.build.personal import make_personal_release
    from acme_lib.errors import AcmeError
    from acme_lib.report.collect import find_ids
    from acme_lib.report.exports import read_roster

    folder = options.output or options.root / "reports" / "personal"
    try:
        column, students = find_ids(read_roster(options.roster), options.match)
        written = make_personal_release(options.root, students, folder, assignments=options.assignment or ())
    except (AcmeError, OSError) as error:
        print(f"acme release: {readable(error)}", file=sys.stderr)
        return 1
    print(f"students are known by the column {column!r} of {options.roster}")
    print(
        f"{folder}: {len(written)} notebooks for {len(students)} students; the key is in {options.root}/personal.json"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

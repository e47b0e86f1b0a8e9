"""The command `acme`: open the course, check the installation, build the chapters, grade, audit, release."""

import argparse
import subprocess
import sys
from pathlib import Path


def main(arguments=None):
    """Run the command; the return value is its exit status."""
    parser = argparse.ArgumentParser(prog="acme", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    lab = commands.add_parser("lab", help="open the course in JupyterLab; what follows is passed on to it")
    lab.set_defaults(run=lambda options: open_lab(options.rest))

    check = commands.add_parser("check", help="say whether the installation is sound, and what to do if not")
    check.set_defaults(run=lambda options: print_check())

    build = commands.add_parser("build", help="execute chapters, and release exercises, from their text sources")
    build.add_argument("sources", nargs="*", type=Path, help="text sources of chapters (.md); default: everything")
    build.add_argument("--check", action="store_true", help="only compare each notebook with its text source")
    build.add_argument("--timeout", type=int, default=300, metavar="SECONDS", help="for one cell (default 300)")
    build.set_defaults(run=lambda options: build_all(options.sources, options.check, options.timeout))

    grade = commands.add_parser("grade", help="grade what was handed in, in a sandbox and on all cores")
    grade.add_argument("assignment", help="its folder in solutions/, such as 01_chemical_master_equation")
    grade.add_argument("--student", action="append", metavar="ID", help="this one only, changed or not (repeatable)")
    grade.add_argument("--question", action="append", metavar="CELL", help="the tests of this cell only (repeatable)")
    grade.add_argument("--all", action="store_true", help="also what has not changed since it was graded")
    grade.add_argument("--jobs", type=int, metavar="N", help="processes (default: one for each core)")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="grade on the workers of this Dask scheduler")
    grade.add_argument("--seed", type=int, help="of the run (default: fresh)")
    grade.set_defaults(run=grade_all)

    audit = commands.add_parser("audit", help="make grades again from their audit records, and compare")
    audit.add_argument("assignment", help="its folder in solutions/")
    audit.add_argument("--student", action="append", metavar="ID", help="this one only (repeatable)")
    audit.set_defaults(run=audit_grades)

    release = commands.add_parser("release", help="make the archive that learners get, without any answer")
    release.add_argument("--output", type=Path, default=Path("acme.zip"), metavar="FILE", help="default: acme.zip")
    release.set_defaults(run=lambda options: release_course(options.output))

    from acme_lib.report.commands import add_commands

    add_commands(commands, course_folder)

    options, options.rest = parser.parse_known_args(arguments)
    if options.rest and options.command != "lab":
        parser.error(f"{options.command} does not know {' '.join(options.rest)}")
    return options.run(options)


def course_folder():
    """Return the folder of the chapters: `course` here or above, else beside the library.

    Raises
    ------
    SystemExit
        If there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (folder / "course").is_dir():
            return folder / "course"
    raise SystemExit("acme: no folder `course` here or above; change into the folder of the course and try again")


def open_lab(options):
    """Open JupyterLab on the welcome page."""
    course = course_folder()
    command = [sys.executable, "-m", "jupyterlab", *(options or ["course/00_welcome.ipynb"])]
    return subprocess.call(command, cwd=course.parent)


def print_check():
    """Print the check of the installation; 1 when something has to be mended."""
    from acme_lib.teach import check_installation

    report = check_installation()
    print(report)
    return 0 if report.sound else 1


def grade_all(options):
    """Grade an assignment and print the summary; 1 when a submission has no grade."""
    from acme_lib.errors import GradingError
    from acme_lib.grade.batch import grade_assignment

    root = _course_root()
    try:
        summary = grade_assignment(
            root,
            options.assignment,
            students=options.student,
            questions=options.question,
            everything=options.all,
            jobs=options.jobs,
            scheduler=options.scheduler,
            seed=options.seed,
            progress=sys.stderr.isatty(),
        )
    except GradingError as error:
        raise SystemExit(f"acme grade: {error}") from None
    print(summary)
    return 1 if summary.failed else 0


def audit_grades(options):
    """Print what became of each grade when it was made again; 1 when one differs."""
    from acme_lib.errors import GradingError
    from acme_lib.grade.audit import recompute

    count, differ = 0, 0
    try:
        for again in recompute(_course_root(), options.assignment, options.student):
            count, differ = count + 1, differ + bool(again.differences)
            if again.differences:
                lines = [*again.differences, *again.remarks]
                print(f"{again.student}/{again.notebook}: differs", *(f"  {line}" for line in lines), sep="\n")
    except GradingError as error:
        raise SystemExit(f"acme audit: {error}") from None
    print(f"{count - differ} of {count} grades are the same when made again")
    return 1 if differ else 0


def _course_root():
    return Path.cwd() if Path("nbgrader_config.py").is_file() else course_folder().parent


def build_all(sources, check, timeout):
    """Build or compare chapters and, where none is named, the exercises; 1 when one fails or is out of step."""
    from acme_lib.build.chapters import build_chapter, compare_chapter

    failed = 0 if sources else build_exercises(course_folder().parent, check)
    sources = sources or sorted(course_folder().glob("[0-9][0-9]_*.md"))
    if not sources:
        raise SystemExit("acme build: no text sources; name them, or put NN_name.md into course/")
    for source in sources:
        if source.suffix != ".md" or not source.is_file():
            raise SystemExit(f"acme build: {source} is no text source; expected an existing file NN_name.md")
        problems = compare_chapter(source) if check else build_chapter(source, timeout)
        failed += bool(problems)
        for problem in problems:
            print(f"{source.with_suffix('.ipynb').name}: {problem}", file=sys.stderr)
        if not problems:
            print(f"{source.with_suffix('.ipynb').name}: {'in step with its text' if check else 'built'}")
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


def release_course(output):
    """Write the archive for the learners; 1 when something is out of step, or an answer would be in it."""
    from acme_lib.build.chapters import compare_chapter
    from acme_lib.build.release import make_release
    from acme_lib.errors import ReleaseError

    course = course_folder()
    chapters = sorted(course.glob("[0-9][0-9]_*.md"))
    problems = [f"{chapter.name}: {problem}" for chapter in chapters for problem in compare_chapter(chapter)]
    if problems:
        print("acme release: " + "\n".join(problems), file=sys.stderr)
        return 1
    try:
        release = make_release(course.parent, output)
    except ReleaseError as error:
        print(f"acme release: {error}", file=sys.stderr)
        return 1
    print(f"{release.path}: {len(release.files)} files; searched each for {release.secrets} lines of answers: none")
    return 0


if __name__ == "__main__":
    sys.exit(main())

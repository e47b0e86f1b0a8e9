"""Our grading inside nbgrader's own ``autograde``, from the command line and from the formgrader page.

`nbgrader_config.py` of the course names these classes; nbgrader then works as its handbook says. Each notebook goes
through `SubmissionExporter` (reads a file that may be anything), `TakeAnswers` (in place of the steps that sanitise)
and `JudgeNotebook` (in place of the step that executes). The gradebook, formgrader and feedback are nbgrader's.
"""

import logging
import os
import secrets
import stat
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import parse_utc

from acme_lib.checks import readable
from acme_lib.errors import GradingError
from acme_lib.grade.book import register_assignment
from acme_lib.grade.boundary.sandbox import shared_sandbox
from acme_lib.grade.course import GradingOptions, find_data, find_master
from acme_lib.grade.judge import judge_notebook
from acme_lib.grade.personal import read_personal_file
from acme_lib.grade.record import audit_record, grading_key, write_audit
from acme_lib.grade.submission import read_submission, rebuild
from acme_lib.grade.submitted_file import is_behind_link
from acme_lib.grade.timestamp import read_timestamp

MAX_FOLDER_FILES = 1_000
MAX_FOLDER_BYTES = 200 * 2**20


def find_strange_file(folder):
    """Return what in a submitted folder should not be copied, in words; empty where all is well."""
    if is_behind_link(folder):
        return "the folder is a symbolic link"
    files = size = 0
    for directory, names, file_names in os.walk(folder):
        for name in [*names, *file_names]:
            path = os.path.join(directory, name)
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                return f"{readable(name)} is a symbolic link"
            if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                return f"{readable(name)} is no ordinary file"
            files, size = files + 1, size + found.st_size
            if files > MAX_FOLDER_FILES or size > MAX_FOLDER_BYTES:
                return f"more than {MAX_FOLDER_FILES} files or {MAX_FOLDER_BYTES >> 20} MB"
    return ""


def take_no_strange_files(converter):
    """Keep nbgrader from copying a submission's links, devices or floods of files.

    nbgrader copies all that lies beside a notebook before anything of ours is asked, and goes on when its
    ``pre_convert_hook`` fails. What is copied is not needed (answers are read from the submitted file itself), so that
    such a submission is graded like any other, and the log says what was left where it is. Nor does it read a time
    stamp that is a link or no time.
    """
    original, coursedir = converter.init_assignment, converter.coursedir

    def init_assignment(assignment, student):
        folder = coursedir.format_path(coursedir.submitted_directory, student, assignment)
        problem, ignore = find_strange_file(folder), coursedir.ignore
        if problem:
            converter.log.warning("%s: %s; nothing but its notebooks is looked at", readable(folder), problem)
            coursedir.ignore = [*ignore, "*", ".*"]
        try:
            original(assignment, student)
        finally:
            coursedir.ignore = ignore

    def get_existing_timestamp(folder):
        text, problem = read_timestamp(folder)
        if problem:
            converter.log.warning("%s: %s; a person has to say whether this is late", readable(folder), problem)
        return parse_utc(text) if text else None

    converter.init_assignment = init_assignment
    coursedir.get_existing_timestamp = get_existing_timestamp


class ReadableLog(logging.Filter):
    """Keep what a student named (files, cells) from speaking to the terminal on which nbgrader's log is read."""

    def filter(self, record):
        """Make a record readable, and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(readable(one) if isinstance(one, str | Path) else one for one in record.args)
        record.msg, record.args = "\n".join(map(readable, record.getMessage().split("\n"))), ()
        if record.exc_info and not record.exc_text:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = "\n".join(map(readable, text.split("\n")))
        return True


class SubmissionExporter(NotebookExporter):
    """Read a notebook that may be anything; `TakeAnswers` reads the file itself and needs its place only."""

    def __init__(self, config=None, **kwargs):
        super().__init__(config=config, **kwargs)
        if hasattr(self.parent, "init_assignment"):
            take_no_strange_files(self.parent)
        if not any(isinstance(one, ReadableLog) for one in self.log.filters):
            self.log.addFilter(ReadableLog())

    def from_filename(self, filename, resources=None, **kwargs):
        """Convert a file; never fails for what is in it."""
        resources = dict(resources or {})
        resources.setdefault("metadata", {})
        path = Path(filename)
        resources["metadata"].update(name=path.stem, path=str(path.parent))
        resources["acme_path"] = str(path)
        if getattr(self.parent, "_sanitizing", True):
            return self.from_notebook_node(nbformat.v4.new_notebook(), resources=resources, **kwargs)
        return self.from_notebook_node(nbformat.read(path, as_version=4), resources=resources, **kwargs)


def _coursedir(step):
    while step is not None and not hasattr(step, "coursedir"):
        step = step.parent
    if step is None:
        raise GradingError("this step works inside nbgrader's autograde only")
    return step.coursedir


class TakeAnswers(NbGraderPreprocessor):
    """Replace what was submitted by the instructor's notebook with the student's answers in it."""

    def preprocess(self, nb, resources):
        """Return the rebuilt notebook."""
        coursedir, names = _coursedir(self), resources["nbgrader"]
        assignment, student = names["assignment"], names["student"]
        master, folder = find_master(coursedir, assignment, names["notebook"], self.config, student=student)
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            register_assignment(gradebook, [master], names["assignment"])
        submission = read_submission(resources["acme_path"], master)
        for remark in submission.remarks:
            self.log.warning("%s: %s", readable(names["student"]), readable(remark))
        if submission.foreign:
            self.log.warning("%s: %s", readable(student), submission.foreign)
        if submission.unreadable:
            self.log.error("%s: %s", readable(names["student"]), readable(submission.unreadable))
        destination = coursedir.format_path(coursedir.autograded_directory, names["student"], names["assignment"])
        remove_foreign_files(destination, folder, coursedir)
        return rebuild(master, submission), resources


def remove_foreign_files(destination, source, coursedir):
    """Leave of an autograded folder only notebooks, the time stamp and the instructor's own files."""
    from nbgrader.utils import find_all_files

    own = {os.path.relpath(path, source) for path in find_all_files(str(source), coursedir.ignore)}
    for directory, _, names in os.walk(destination):
        for name in names:
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, destination)
            if relative not in own and relative != "timestamp.txt" and not relative.endswith(".ipynb"):
                os.chmod(path, 0o600, follow_symlinks=False) if not os.path.islink(path) else None
                os.remove(path)


class JudgeNotebook(NbGraderPreprocessor):
    """Run answers in the sandbox and test cells here, and write what came of it into the outputs."""

    def preprocess(self, nb, resources):
        """Return the judged notebook."""
        coursedir, names = _coursedir(self), resources["nbgrader"]
        assignment, student = names["assignment"], names["student"]
        master, folder = find_master(coursedir, assignment, names["notebook"], self.config, student=student)
        options = GradingOptions(config=self.config)
        sandbox = shared_sandbox(
            forbidden=master.forbidden,
            limits=options.limits,
            data=find_data(folder),
            course=coursedir.root,
            require=options.require,
        )
        judgement = judge_notebook(nb, master, sandbox, seed=secrets.randbits(63))
        record = audit_record(judgement, master, sandbox, nb.metadata.get("acme", {}).get("submission", ""))
        source = (folder / f"{master.name}.ipynb").read_text("utf-8")
        secret = read_personal_file(coursedir.root).secret(assignment, student)
        key = grading_key(source, options.limits, options.require, secret)
        record["foreign"] = nb.metadata.get("acme", {}).get("foreign", "")
        record.update(assignment=names["assignment"], student=names["student"], key=key)
        write_audit(coursedir, names["student"], names["assignment"], master.name, record)
        resources["acme"] = {
            "broken": [name for name, outcome in judgement.outcomes.items() if outcome.broken],
            "look": [name for name, outcome in judgement.outcomes.items() if outcome.look],
            "unreadable": nb.metadata.get("acme", {}).get("unreadable", ""),
        }
        return nb, resources


class FlagForPerson(NbGraderPreprocessor):
    """Let a person look at what was not read, or not checked (after nbgrader has saved the scores)."""

    def preprocess(self, nb, resources):
        """Set the flags in the gradebook."""
        names, judged = resources["nbgrader"], resources.get("acme", {})
        if judged.get("unreadable") or judged.get("broken") or judged.get("look"):
            with Gradebook(names["db_url"]) as gradebook:
                found = gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
                for grade in found.grades:
                    if grade.name in judged["broken"]:
                        grade.auto_score = None
                    if judged["unreadable"] or grade.auto_score is None or grade.name in judged["look"]:
                        grade.needs_manual_grade = True
                gradebook.db.commit()
        return nb, resources


__all__ = [
    "FlagForPerson",
    "JudgeNotebook",
    "SubmissionExporter",
    "TakeAnswers",
]

"""The page of `acme mark`: served to this machine alone, to who knows the token in its address.

Nothing of a submission is part of the page but as text, formulas that were drawn, and pictures; the page's policy lets
no script run but ours. Whatever goes wrong is said in words; how it came about stands on the terminal.
"""

import asyncio
import base64
import contextlib
import hmac
import json
import re
import secrets
import webbrowser
from dataclasses import asdict, dataclass
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from acme_lib.errors import AcmeError, GradebookError
from acme_lib.grade.course import source_folder
from acme_lib.report import formulas
from acme_lib.report.feedback import CODE_STYLE, render_text, write_code, write_text
from acme_lib.report.marking import SETTLED, Marking
from acme_lib.report.pages import escape

HOST = "127.0.0.1"
_FILES = {"marking.js": "text/javascript", "marking.css": "text/css"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Desk:
    """What is marked here: the questions, who marks, and the one that is opened first."""

    questions: tuple
    marker: str
    first: int = 0


def _write_cell(cell, path):
    """Return a cell of a student's notebook as HTML."""
    if cell.cell_type == "markdown":
        return f'<div class="text">{write_text(cell, path)}</div>'
    pictures = [output.get("data", {}).get("image/png") for output in cell.get("outputs", ())]
    drawn = [f'<img alt="figure of this cell" src="data:image/png;base64,{_pure(one)}">' for one in pictures if one]
    return "".join([write_code(cell.source) if cell.cell_type == "code" else "", *drawn])


def _pure(picture):
    return base64.b64encode(base64.b64decode("".join(picture))).decode("ascii")


def _number(value):
    return round(value, 2)


def show_overview(desk, question):
    """Return what is the same for all students, and the state of each."""
    marks, grades, students = question.read_marks(), question.read_grades(), []
    for key, student in question.find_students().items():
        mine = question.fresh(marks, student).get(desk.marker)
        score, _, waits = grades.get(student, (None, "", False))
        state, points = "open", None
        if mine:
            state, points = "marked", mine.points
        elif student in marks.get(desk.marker, {}):
            state = "changed"
        elif question.find_outcome(marks, student) == "" and (score is not None or not waits):
            state = "elsewhere" if score is not None else "empty"
        students.append({"key": key, "state": state, "points": points})
    lines = [{"html": render_text(line.text), "points": line.points} for line in question.lines]
    cell = question.model
    return {
        "questions": [one.title for one in desk.questions],
        "marker": desk.marker,
        "markers": len(set(marks) - {SETTLED}),
        "assignment": question.assignment,
        "title": question.title,
        "points": question.points,
        "lines": lines,
        "model": render_text(cell.source) if cell.cell_type == "markdown" else write_code(cell.source),
        "students": students,
        "comments": question.find_comments(marks, grades),
    }


def show_answer(desk, question, student):
    """Return one student's answer, and the marker's own mark of it."""
    path = str(source_folder(question.coursedir, question.assignment))
    cells = question.read_answer(student)
    marks = question.read_marks()
    mine, outcome = question.fresh(marks, student).get(desk.marker), question.find_outcome(marks, student)
    score, comment, _ = question.read_grades().get(student, (None, "", False))
    elsewhere = None
    if outcome is not None and score is not None and score != (outcome.points if outcome else None):
        elsewhere = f"{_number(score):g} points" + (f", “{comment}”" if comment else "")
    return {
        "question": "".join(_write_cell(cell, path) for cell in cells[:-1]),
        "answer": _write_cell(cells[-1], path) if cells else "<p>This submission could not be read.</p>",
        "mark": asdict(mine) if mine else None,
        "changed": not mine and student in marks.get(desk.marker, {}),
        "elsewhere": elsewhere,
    }


def show_agreement(desk, question):
    """Return how far markers agree, and where they do not."""
    marks = question.read_marks()
    agreements, differ = question.compare(marks)
    keys = {student: key for key, student in question.find_students().items()}
    listed = [
        {
            "key": keys[student],
            "marks": {who: mark.points for who, mark in found.items() if who != SETTLED},
            "comments": {who: mark.comment for who, mark in found.items() if who != SETTLED and mark.comment},
            "settled": found[SETTLED].points if SETTLED in found else None,
        }
        for student, found in differ.items()
    ]
    return {"agreements": [asdict(one) for one in agreements], "differ": sorted(listed, key=lambda one: one["key"])}


class _Handler(RequestHandler):
    def initialize(self, desk, token):
        self.desk, self.token = desk, token

    def set_default_headers(self):
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def prepare(self):
        given = self.request.headers.get("Authorization", "").removeprefix("token ")
        if not self.request.path.startswith("/api/"):
            given = self.get_query_argument("token", self.request.path.split("/")[1])
        if self.request.host_name != HOST or not hmac.compare_digest(given.encode(), self.token.encode()):
            raise HTTPError(403)  # another name for this machine is somebody else's page

    def write_error(self, status_code, **options):
        error = options.get("exc_info", (None, None))[1]
        words = {403: "This address needs the token that acme mark printed.", 404: "There is nothing here."}
        said = str(error) if isinstance(error, AcmeError) else words.get(status_code, "")
        if isinstance(error, AcmeError):
            self.set_status(400)
        self.finish({"error": said or "Something went wrong; the terminal of acme mark says what."})

    def log_exception(self, kind, error, trace):
        if not isinstance(error, AcmeError):
            super().log_exception(kind, error, trace)


class _Start(_Handler):
    def get(self):
        page = Path(__file__).with_name("marking.html").read_text("utf-8")
        style = f"{formulas.STYLE}\n{CODE_STYLE}"
        self.finish(page.replace("{{style}}", style).replace("{{token}}", escape(self.token)))


class _File(_Handler):
    def get(self, name):
        self.set_header("Content-Type", f"{_FILES[name]}; charset=utf-8")
        self.finish(Path(__file__).with_name(name).read_text("utf-8"))


class _Api(_Handler):
    def _find(self, number, key):
        if int(number) >= len(self.desk.questions):
            raise HTTPError(404)
        question: Marking = self.desk.questions[int(number)]
        student = question.find_students().get(key) if key else None
        if key and student is None:
            raise HTTPError(404)
        return question, student

    def get(self, number, what, key):
        question, student = self._find(number, key)
        if what == "answer" and student:
            return self.finish(show_answer(self.desk, question, student))
        if what == "name" and student:
            found = question.gradebook.find_student(student)
            name = " ".join(filter(None, [found.first_name, found.last_name]))
            return self.finish({"name": f"{name} ({student})" if name else student})
        shown = {"overview": show_overview, "agreement": show_agreement}.get(what)
        if shown is None:
            raise HTTPError(404)
        return self.finish(shown(self.desk, question))

    def post(self, number, what, key):
        question, student = self._find(number, key)
        if what != "mark" or not student:
            raise HTTPError(404)
        try:
            change = json.loads(self.request.body)
        except ValueError:
            change = None
        if not isinstance(change, dict):
            raise GradebookError("a change must be an object of JSON")
        mark = question.change(self.desk.marker, student, change)
        self.finish({"mark": asdict(mark) if mark else None})


class _Nothing(_Handler):
    def prepare(self):
        raise HTTPError(404)


def make_application(desk, token):
    """Return the application of tornado that serves the page."""
    options = {"desk": desk, "token": token}
    return Application(
        [
            ("/", _Start, options),
            (rf"/{re.escape(token)}/({'|'.join(map(re.escape, _FILES))})", _File, options),
            (r"/api/(\d{1,4})/([a-z]+)/?([0-9a-f]*)", _Api, options),
        ],
        default_handler_class=_Nothing,
        default_handler_args=options,
        log_function=lambda handler: None,
    )


def serve(desk, *, port=0, browser=True):
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    desk : Desk
    port : int
        0 takes one that is free.
    browser : bool
        Whether to open the page in the browser.
    """
    token = secrets.token_urlsafe(24)

    async def run():
        server = HTTPServer(make_application(desk, token), max_buffer_size=2**20)
        sockets = bind_sockets(port, HOST)
        server.add_sockets(sockets)
        address = f"http://{HOST}:{sockets[0].getsockname()[1]}/?token={token}&question={desk.first}"
        print(f"marking as {desk.marker}: {address}\nCtrl-C ends it; everything is saved as you mark", flush=True)
        if browser:
            webbrowser.open(address)
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())

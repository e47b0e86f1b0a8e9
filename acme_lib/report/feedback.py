"""The feedback page of a student: nbgrader's ``generate_feedback`` writes it with this exporter.

On top stands what came of each question, with what was found where points are missing; below it the notebook, where a
check that passed is one line and one that failed shows its message. A question of which nothing is missing says what it
establishes, as it did in the notebook. The page is one file that loads and runs nothing.
"""

import re

from nbconvert.exporters import Exporter
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import MarkdownWithMath
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import GetGrades
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from traitlets import Bool, default

from acme_lib.grade.harmless import neutralise
from acme_lib.grade.source_notebook import grade_id, is_graded, is_solution
from acme_lib.report import formulas
from acme_lib.report.misconceptions import is_unwritten, read_slips
from acme_lib.report.pages import escape, write_facts, write_page
from acme_lib.report.questions import find_headings
from acme_lib.report.rubric import find_rubrics
from acme_lib.teach.check_slips import SLIPS
from acme_lib.teach.passed import read_exercises

# What became of a question: the sign, and the words, which also say it without colour.
_STATES = {
    "right": ("✓", "right"),
    "partly": ("◐", "in part"),
    "wrong": ("✗", "not right"),
    "waits": ("…", "your teacher has still to read this"),
}

_STYLE = """
table.marks { width: 100%; } table.marks td.n, table.marks th.n { padding-right: 1.2rem; }
table.marks td:last-child { width: 38%; } @media (min-width: 48rem) { table.marks wbr { display: none; } }
@media (max-width: 32rem) { table.marks td:first-child, table.marks th:first-child { display: none; } }
.right { color: #00624a; } .partly, .wrong { color: #9c3400; } .waits { color: #444; }
b.sign { padding-right: 0.4rem; }
.part { border: 1px solid #bbccdd; border-radius: 4px; margin: 1rem 0; padding: 0 0.8rem 0.4rem; }
.part > header { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0 -0.8rem 0.4rem; padding: 0.3rem 0.8rem; }
.part > header { background: #f3f6f9; } .part > header > :last-child { margin-left: auto; }
.part { color: inherit; } .part.wrong, .part.partly { border-color: #d55e00; border-left-width: 5px; }
.part:target { outline: 3px solid #0072b2; } pre code .sd { color: #555; }
pre.message { background: #fff6ee; font-size: 0.95rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.label { color: #444; font-size: 0.9rem; margin: 0.4rem 0 0; }
.text { overflow-wrap: anywhere; } .text img { max-width: 100%; } .text table { display: block; overflow-x: auto; }
.text h1, .text h2, .text h3 { margin-top: 2rem; }
blockquote.comment { margin: 0.4rem 0; padding: 0.2rem 0.9rem; border-left: 4px solid #0072b2; background: #f3f6f9; }
.done { margin: 1rem 0; padding: 0.1rem 0.9rem 0.4rem; border-left: 4px solid #00624a; background: #f0f7f4; }
.done p { margin: 0.3rem 0; }
pre code { font-size: inherit; }
@media print { .part { break-inside: avoid; } }
""".strip()

_CHECK = re.compile(r'^all_right\([\d.]+, "([^"\n]+)"\)$', re.MULTILINE)  # how a check cell ends

_FORMATTER = HtmlFormatter(style="xcode", nowrap=True, nobackground=True)
CODE_STYLE = _FORMATTER.get_style_defs("pre")


class ReadGrades(GetGrades):
    """Put scores and comments from the gradebook into the notebook, and what a person has still to grade."""

    rubric = Bool(True, help="whether a student reads the model answer of what a person has graded").tag(config=True)

    def preprocess(self, nb, resources):
        """Return the notebook, with the model answers of what a person has graded, unless the course holds them back.

        An answer that was left empty has its 0 points from the machine: its model answer is not shown, so that it
        cannot be handed in afterwards.
        """
        nb, resources = super().preprocess(nb, resources)
        if self.rubric:
            rubrics = find_rubrics(CourseDirectory(config=self.config), self.assignment_id, self.notebook_id)
            for cell in nb.cells:
                role = cell.metadata.get("nbgrader", {})
                if (found := rubrics.get(grade_id(cell))) and role.get("by_person") and not role.get("waits"):
                    cell.metadata.nbgrader["rubric"] = found.source
        return nb, resources

    def _get_score(self, cell, resources):
        super()._get_score(cell, resources)
        role = cell.metadata.nbgrader
        grade = self.gradebook.find_grade(role["grade_id"], self.notebook_id, self.assignment_id, self.student_id)
        role["waits"], role["by_person"] = bool(grade.needs_manual_grade), grade.manual_score is not None


class FeedbackExporter(Exporter):
    """Write a graded notebook as a page for its student (``c.GenerateFeedback.exporter_class``)."""

    output_mimetype = "text/html"

    @default("file_extension")
    def _file_extension_default(self):
        return ".html"

    def from_notebook_node(self, nb, resources=None, **kwargs):
        """Return the page and the resources."""
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        return write_feedback(nb, resources["nbgrader"], path=resources["metadata"].get("path", "")), resources


def write_feedback(notebook, grades, *, path=""):
    """Write the page of a graded notebook.

    Parameters
    ----------
    notebook : NotebookNode
        Without hidden tests; in the ``nbgrader`` metadata of its cells the score, the points, the comment, whether a
        person has still to grade it, and the model answer where it is to be shown (`ReadGrades`).
    grades : dict
        ``notebook``, ``score`` (after the penalty), ``max_score`` and ``late_penalty``.
    path : str
        Folder of the pictures that the instructor's text names.

    Returns
    -------
    str
    """
    headings = find_headings(notebook.cells)
    title = next((heading for heading in headings if heading), grades["notebook"])
    asked = [(cell, heading) for cell, heading in zip(notebook.cells, headings, strict=True) if _has_points(cell)]
    parts = [_write_sum(grades, [cell for cell, _ in asked])]
    if asked:
        parts.append(_write_marks(asked))
    established = find_established(notebook.cells)
    for cell in notebook.cells:
        parts.append(_write_cell(cell, path))
        if question := established.get(grade_id(cell)):
            parts.append(_write_established(question))
    return write_page(f"Feedback: {title}", parts, style=f"{_STYLE}\n{formulas.STYLE}\n{CODE_STYLE}")


def _has_points(cell):
    return is_graded(cell) or bool(cell.metadata.get("nbgrader", {}).get("task"))


def find_state(cell):
    """Return ``"right"``, ``"partly"``, ``"wrong"`` or ``"waits"`` for a cell with points."""
    role = cell.metadata.nbgrader
    if role.get("waits"):
        return "waits"
    score, points = float(role.get("score") or 0), float(role.get("points") or 0)
    return "right" if score >= points else "partly" if score > 0 else "wrong"


def find_established(cells):
    """Find the questions that say what they establish, since none of their checks lost a point.

    Parameters
    ----------
    cells : sequence of NotebookNode
        Of a graded notebook.

    Returns
    -------
    dict of str to Question
        By the id of the last check of the question in the notebook.
    """
    checks = {}  # by the name that the library knows: the id here, which an instructor may have changed
    for cell in cells:
        named = _CHECK.search(cell.source) if is_graded(cell) and cell.cell_type == "code" else None
        if named and find_state(cell) == "right":
            checks[named[1]] = grade_id(cell)
    found = {}
    for exercises in read_exercises().values():
        for question in exercises.questions:
            if question.says and checks.keys() >= set(question.checks):
                last = max(question.checks, key=list(checks).index)
                found[checks[last]] = question
    return found


def find_message(cell):
    """Return the message of a failed check, or an empty text."""
    errors = [output for output in cell.get("outputs", ()) if output.output_type == "error"]
    return "\n\n".join(strip_ansi("\n".join(error.traceback) or str(error.evalue)) for error in errors)


def summarise(message, slips=()):
    r"""Say in one line what a failed check found: its misconceptions, or else what failed.

    >>> summarise("✗ double of 3\nThe value is not right.")
    'double of 3: The value is not right.'
    """
    if is_unwritten(message):
        return "not written yet"
    if slips:
        return "; ".join(SLIPS[slip].name for slip in slips)
    first, _, rest = message.removeprefix("✗").strip().partition("\n")
    second = "" if first.endswith((".", "?", "!")) else " ".join(rest.split("\n\n")[0].split())
    return ": ".join(filter(None, [first, second if len(second) <= 150 else ""]))


def _number(value):
    return f"{round(float(value or 0), 2):g}"


def _write_sum(grades, asked):
    score, penalty = max(float(grades["score"]), 0.0), float(grades.get("late_penalty") or 0)
    facts = {"Points": f"{_number(score)} of {_number(grades['max_score'])}"}
    if penalty:
        facts["Late"] = f"{_number(penalty)} points were taken off for handing in late"
    waiting = sum(float(cell.metadata.nbgrader.get("points") or 0) for cell in asked if find_state(cell) == "waits")
    if waiting:
        facts["Still open"] = f"{_number(waiting)} points, which your teacher has still to grade"
    return write_facts(facts)


def _write_marks(asked):
    rows, last = [], None
    for cell, heading in asked:
        state, role = find_state(cell), cell.metadata.nbgrader
        sign, words = _STATES[state]
        message = find_message(cell)
        found = (summarise(message, read_slips(cell, message)) or words) if state in ("wrong", "partly") else words
        remark = f"{escape(found)}{' · your teacher wrote a comment' if role.get('comment') else ''}"
        name = escape(role["grade_id"]).replace("_", "_<wbr>")
        rows.append(
            f"<tr><td>{escape(heading) if heading != last else ''}</td>"
            f'<td><b class="sign {state}" aria-hidden="true">{sign}</b><a href="#{_anchor(cell)}">{name}</a></td>'
            f'<td class="n">{_points(cell)}</td><td class="{state}">{remark}</td></tr>'
        )
        last = heading
    head = '<tr><th scope="col">Question</th><th scope="col">Check</th><th scope="col" class="n">Points</th>'
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Points"><table class="marks">'
        f'<thead>{head}<th scope="col">Result</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _points(cell):
    role = cell.metadata.nbgrader
    got = "–" if find_state(cell) == "waits" else _number(role.get("score"))
    return f"{got} / {_number(role.get('points'))}"


def _anchor(cell):
    return "".join(c if c.isalnum() else f"-{ord(c):x}-" for c in f"q {grade_id(cell)}")


def _write_cell(cell, path):
    if not cell.source.strip() and not cell.get("outputs"):
        return ""
    if _has_points(cell) or is_solution(cell):
        return _write_part(cell, path)
    if cell.cell_type == "markdown":
        return f'<div class="text">{write_text(cell, path)}</div>'
    return write_code(cell.source) if cell.cell_type == "code" else ""


def _write_part(cell, path):
    """Write an answer or a check, framed and with a header."""
    graded, answer = _has_points(cell), is_solution(cell)
    state = find_state(cell) if graded else ""
    name = escape(grade_id(cell) or "")
    kind = "Your answer" if answer else "Check" if cell.cell_type == "code" else "Task"
    header = f"<b>{kind}</b> <code>{name}</code>"
    if graded:
        sign, words = _STATES[state]
        header += f' <b class="{state}">{sign} {words}</b><span>{_points(cell)} points · <a href="#top">top</a></span>'
    parts = [f"<header>{header}</header>"]
    if cell.cell_type == "markdown":
        parts.append(f'<div class="text">{write_text(cell, path)}</div>')
    elif answer:
        parts += [write_code(cell.source), _write_outputs(cell, "While it was run")]
    else:
        parts.append(_write_outputs(cell, "It printed"))
        parts.append(f"<details><summary>The code of this check</summary>{write_code(cell.source)}</details>")
    if comment := cell.metadata.nbgrader.get("comment"):
        words = render_text(comment)
        parts.append(f'<p class="label">Your teacher wrote</p><blockquote class="comment">{words}</blockquote>')
    if rubric := cell.metadata.nbgrader.get("rubric"):
        text = render_text(rubric) if cell.cell_type == "markdown" else write_code(rubric)
        parts.append(f'<details><summary>The model answer</summary><div class="text">{text}</div></details>')
    identity = f' id="{_anchor(cell)}"' if graded else ""
    return f'<section class="part {state}"{identity}>{"".join(parts)}</section>'


def _write_established(question):
    words = f'<div class="text">{render_text(question.says)}</div>'
    return f'<div class="done"><p class="label">Question {escape(question.number)} is done</p>{words}</div>'


def _write_outputs(cell, label):
    printed = "".join(output.text for output in cell.get("outputs", ()) if output.output_type == "stream")
    parts = []
    if message := find_message(cell):
        parts.append(f'<pre class="message" tabindex="0">{escape(message)}</pre>')
    if printed.strip():
        parts.append(f'<p class="label">{label}</p><pre tabindex="0">{escape(strip_ansi(printed))}</pre>')
    return "".join(parts)


def write_code(source):
    """Return Python as HTML, in the colours of `CODE_STYLE`."""
    return f'<pre tabindex="0"><code>{highlight(source, PythonLexer(stripnl=False), _FORMATTER)}</code></pre>'


def write_text(cell, path):
    """Return the text of a Markdown cell as HTML that can do nothing; `path` is where pictures of its own lie."""
    # What a student wrote was made harmless when it was taken; here once more, in case another step took it.
    source = neutralise(cell.source) if is_solution(cell) else cell.source
    return render_text(source, cell.get("attachments", {}), path)


def render_text(source, attachments=(), path=""):
    """Return Markdown of the course's own, or made harmless, as HTML with its formulas drawn."""
    renderer = formulas.TextWithFormulas(
        escape=False, attachments=dict(attachments), embed_images=bool(path), path=path, exclude_anchor_links=True
    )
    try:
        return MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # a picture that is missing, say
        return f"<pre>{escape(source)}</pre>"

"""Answers that resemble each other more than those of the class: a hint where to look, never a proof.

The method is that of MOSS [1]_ and of the tools after it: passages of `LENGTH` tokens are compared as sets, so that
neither the order of functions nor names, comments, numbers and layout matter. Passages that stand in the release, or in
many submissions, do not count: an exercise has few short answers, and honest ones agree in their idioms. Pygments reads
the code (also code with errors in it) and a sparse product of SciPy compares all pairs at once. (copydetect, the known
Python tool, drops no common passages, and is not on conda-forge, from which the course's environment is made.)

References
----------
.. [1] S. Schleimer, D. S. Wilkerson, A. Aiken, Winnowing: local algorithms for document fingerprinting, SIGMOD 2003,
   doi:10.1145/872757.872770. Here every passage is kept: submissions are short.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from nbgrader.coursedir import CourseDirectory
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String, Whitespace
from pygments.token import Text as Blank
from scipy import sparse

from acme_lib.errors import GradebookError, GradingError
from acme_lib.grade.course import find_master, source_folder
from acme_lib.grade.source_notebook import grade_id, is_solution
from acme_lib.grade.submission import read_submission
from acme_lib.plot import FILL, Picture, png, subplots
from acme_lib.report.exports import write_csv
from acme_lib.report.pages import escape, write_facts, write_names, write_page, write_table

LENGTH = 12  # tokens of a passage: about one and a half lines
LEAST = 20  # passages that two submissions must share to be listed
COMMON = 0.1  # a passage in more than this part of the class (and in more than COMMON_COUNT) is an idiom
COMMON_COUNT = 10
_LARGEST = 200_000  # characters of one answer, all that is graded
_MANY_TOKENS = 20_000
_LEXER = PythonLexer(ensurenl=False, stripnl=False)


@dataclass(frozen=True)
class Answer:
    """What a student wrote into one cell; text is not code.

    `besides` is what stands beside the one cell that was released for it, in a cell that was added or doubled: of that
    only what others have too counts, so that it cannot water an answer down.
    """

    question: str
    source: str = field(repr=False)
    code: bool = True
    besides: bool = False


@dataclass(frozen=True)
class Match:
    """Passages that two students share: where they stand, as (start, end) in the answers."""

    first: Answer
    second: Answer
    first_spans: tuple
    second_spans: tuple


@dataclass(frozen=True)
class Pair:
    """Two submissions.

    Attributes
    ----------
    first, second : str
        Students.
    shared : int
        Passages that both have.
    first_part, second_part : float
        Their part of all that each wrote, without idioms and the release.
    matches : tuple of Match
    """

    first: str
    second: str
    shared: int
    first_part: float
    second_part: float
    matches: tuple = field(repr=False)

    @property
    def similarity(self):
        """Twice the shared passages over those of both (Dice's coefficient): 1 when all are shared."""
        return 2 / (1 / self.first_part + 1 / self.second_part)

    @property
    def parts(self):
        """Both parts."""
        return self.first_part, self.second_part


@dataclass(frozen=True)
class CopyReport:
    """All pairs of an assignment; `similarities` are those of every pair that shares `LEAST` passages or more."""

    assignment: str
    students: int
    pairs: tuple
    similarities: np.ndarray
    threshold: float
    unread: tuple = ()

    @property
    def compared(self):
        """The number of pairs."""
        return self.students * (self.students - 1) // 2


def read_tokens(source, *, code=True):
    """Cut an answer into tokens without what is easily changed.

    Of code: names become one token (except attributes, built-ins and imported modules), as do numbers and strings;
    comments, docstrings and layout vanish. Of text: its words.

    Returns
    -------
    list of (str, int, int)
        Token, start and end in `source`.

    Examples
    --------
    >>> [token for token, _, _ in read_tokens("tau = -np.log(u) / 2.0  # wait")]
    ['V', '=', '-', 'V', '.', 'log', '(', 'V', ')', '/', 'N']
    """
    source = source[:_LARGEST]
    tokens, previous = [], ""
    for start, kind, value in _LEXER.get_tokens_unprocessed(source) if code else _read_words(source):
        if kind in Comment or kind in Blank or kind in Whitespace or kind in String.Doc or not value.strip():
            continue
        end = start + len(value)
        if kind in String:
            if previous == ":":  # a docstring of any kind (and a value in a dict, which is left out everywhere)
                continue
            if previous == "S":
                tokens[-1] = ("S", tokens[-1][1], end)
                continue
            value = "S"
        elif kind in Number:
            value = "N"
        elif kind in Name and previous != "." and kind not in Name.Builtin and kind not in Name.Namespace:
            value = "V"
        tokens.append((value, start, end))
        previous = value
        if len(tokens) == _MANY_TOKENS:
            break
    return tokens


def _read_words(source):
    place = 0
    for word in source.split():
        place = source.index(word, place)
        yield place, Keyword, word.casefold()
        place += len(word)


def find_pairs(answers, release, *, assignment="", threshold=0.5, many=50):
    """Compare all submissions of an assignment.

    Parameters
    ----------
    answers : dict of str to sequence of Answer
        By student.
    release : sequence of Answer
        What the students were given.
    assignment : str
    threshold : float
        The least similarity of a pair that is listed.
    many : int
        The most pairs that are listed, the most similar first.

    Returns
    -------
    CopyReport
    """
    if not 0 < threshold <= 1:
        raise GradebookError(f"threshold must be above 0 and at most 1 (a part of the code), got {threshold}")
    students = sorted(answers)
    given = {passage for answer in release for passage, _, _ in _find_passages(answer)}
    columns, rows, beside = {}, [], []
    for student in students:
        found, aside = set(), set()
        for answer in answers[student]:
            (aside if answer.besides else found).update(passage for passage, _, _ in _find_passages(answer))
        rows.append(sorted(columns.setdefault(passage, len(columns)) for passage in (found | aside) - given))
        beside.append({columns[passage] for passage in aside - found - given})
    spread = Counter(column for row in rows for column in row)
    most = _limit(len(students))
    rows = [
        [column for column in row if spread[column] <= most and (spread[column] > 1 or column not in aside)]
        for row, aside in zip(rows, beside, strict=True)
    ]
    places = np.cumsum([0, *map(len, rows)])
    entries = np.fromiter((column for row in rows for column in row), dtype=np.int64, count=places[-1])
    table = sparse.csr_array((np.ones(len(entries), dtype=np.int64), entries, places), (len(rows), len(columns) or 1))
    shared = sparse.triu(table @ table.T, k=1).tocoo()
    sizes = np.diff(places)
    enough = shared.data >= LEAST
    one, other, count = shared.row[enough], shared.col[enough], shared.data[enough]
    similarity = 2 * count / (sizes[one] + sizes[other])
    order = np.lexsort((other, one, -count, -similarity))
    passages = {column: passage for passage, column in columns.items()}
    pairs = []
    for index in order[:many]:
        if similarity[index] < threshold:
            break
        i, j = one[index], other[index]
        both = {passages[column] for column in set(rows[i]) & set(rows[j])}
        pairs.append(
            Pair(
                students[i],
                students[j],
                int(count[index]),
                float(count[index] / sizes[i]),
                float(count[index] / sizes[j]),
                _find_matches(answers[students[i]], answers[students[j]], both),
            )
        )
    return CopyReport(assignment, len(students), tuple(pairs), np.sort(similarity), threshold)


def _limit(students):
    """Return in how many submissions a passage may stand that still counts."""
    return max(COMMON_COUNT, math.ceil(COMMON * students))


def _find_passages(answer):
    """Yield every run of `LENGTH` tokens, with its start and end."""
    tokens = read_tokens(answer.source, code=answer.code)
    for index in range(len(tokens) - LENGTH + 1):
        run = tokens[index : index + LENGTH]
        yield tuple(token for token, _, _ in run), run[0][1], run[-1][2]


def _find_matches(first, second, both):
    """Return, for each answer of the first, the answer of the second with which it shares most."""
    matches = []
    others = [(answer, list(_find_passages(answer))) for answer in second]
    for answer in first:
        mine = [item for item in _find_passages(answer) if item[0] in both]
        if not mine:
            continue
        own = {passage for passage, _, _ in mine}
        partner, theirs = max(others, key=lambda other: len(own & {passage for passage, _, _ in other[1]}))
        theirs = [item for item in theirs if item[0] in own]
        if theirs:
            matches.append(Match(answer, partner, _join(mine), _join(theirs)))
    return tuple(matches)


def _join(items):
    """Join overlapping spans."""
    joined = []
    for _, start, end in sorted(items, key=lambda item: item[1:]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def collect_answers(students, assignment, config):
    """Read the submissions of an assignment as the grader reads them, and what the students were given.

    Parameters
    ----------
    students : sequence of str
    assignment : str
    config : traitlets.config.Config
        Of the course.

    Returns
    -------
    answers : dict of str to list of Answer
        The cells that the release asks to be written, if they were changed at all, and code in cells of the student's
        own; from an archive too, and whatever an editor made of the notebook.
    release : list of Answer
    unread : tuple of str
        Students whose notebook is missing or cannot be read.
    """
    course = CourseDirectory(config=config)
    notebooks = sorted(source_folder(course, assignment).glob("*.ipynb"))
    try:
        masters = [find_master(course, assignment, path.stem, config)[0] for path in notebooks]
    except GradingError as error:
        raise GradebookError(str(error)) from None
    release = [
        Answer(name or "", cell.source, cell.cell_type == "code")
        for master in masters
        for name, cell in ((grade_id(cell), cell) for cell in master.notebook.cells)
        if cell.cell_type == "code" or is_solution(cell)
    ]
    if not any(is_solution(cell) for master in masters for cell in master.notebook.cells):
        raise GradebookError(f"{source_folder(course, assignment)} holds no notebook with cells to be written")
    answers, unread = {}, []
    for student in students:
        if Path(student).name != student:
            continue
        place = Path(course.format_path(course.submitted_directory, student, assignment))
        if not place.is_dir():
            continue
        read = [(master, read_submission(place / f"{master.name}.ipynb", master)) for master in masters]
        if any(submission.unreadable for _, submission in read):
            unread.append(student)
        else:
            answers[student] = [answer for one in read for answer in _find_answers(*one)]
    return answers, release, tuple(unread)


def _find_answers(master, submission):
    for name, source in submission.answers.items():
        if source.strip() != master.cells[name].source.strip():
            yield Answer(name, source, master.cells[name].cell_type == "code", name in submission.pieces)
    for place, source in submission.own:
        yield Answer(f"added after {place}" if place else "added", source, besides=True)


def write_pairs_csv(report):
    """Return the pairs as CSV: students, similarity, and the lines that are alike in each answer."""
    columns = ("first", "second", "similarity", "part of first", "part of second", "shared passages", "lines")
    rows = []
    for pair in report.pairs:
        lines = "; ".join(
            f"{one.first.question} {_lines(one.first.source, one.first_spans)} ~ "
            f"{one.second.question} {_lines(one.second.source, one.second_spans)}"
            for one in pair.matches
        )
        numbers = [f"{value:.3f}" for value in (pair.similarity, *pair.parts)]
        rows.append(dict(zip(columns, [pair.first, pair.second, *numbers, str(pair.shared), lines], strict=True)))
    return write_csv(columns, rows)


def _lines(source, spans):
    return ", ".join(f"{source[:start].count(chr(10)) + 1}-{source[:end].count(chr(10)) + 1}" for start, end in spans)


def write_copy_page(report):
    """Return the report as a page for the instructor, an HTML file that stands alone."""
    parts = [
        '<p class="note"><strong>A hint, not a proof.</strong> Alike answers also come from working together where '
        "that is allowed, from one book or tutor, or from a question with one natural answer. Read both; ask both.</p>",
        write_facts(
            {
                "Submissions": report.students,
                "Pairs compared": f"{report.compared:,}",
                "Pairs listed": f"{len(report.pairs)} (similarity {report.threshold:.0%} or more)",
            }
        ),
        f"<p>Similarity is the part of the passages of two submissions, {LENGTH} tokens each, that both have. Names, "
        "numbers, comments, layout and order do not count, nor do passages of the released text, nor those that stand "
        f"in more than {_limit(report.students)} submissions.</p>",
    ]
    if len(report.similarities):
        parts += ["<h2>All pairs</h2>", _draw_similarities(report).html()]
    if report.pairs:
        rows = [
            [
                number,
                pair.first,
                pair.second,
                f"{pair.similarity:.0%}",
                f"{pair.first_part:.0%}",
                f"{pair.second_part:.0%}",
            ]
            + [pair.shared]
            for number, pair in enumerate(report.pairs, start=1)
        ]
        columns = ["No.#", "First", "Second", "Similarity#", "Of the first#", "Of the second#", "Passages#"]
        parts += ["<h2>Pairs</h2>", write_table("The most similar pairs", columns, rows)]
        parts += ["<h2>Side by side</h2>"]
        parts += [_write_pair(number, pair) for number, pair in enumerate(report.pairs, start=1)]
    if report.unread:
        parts += [
            f"<h2>Not read</h2><p>Missing or broken notebooks ({len(report.unread)}):</p>",
            write_names(report.unread),
        ]
    return write_page(f"Similar answers in {report.assignment}", parts)


def _draw_similarities(report):
    counts, edges = np.histogram(report.similarities, np.linspace(0, 1, 21))
    figure, axes = subplots(size=(6.4, 3.2))
    bars = axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=FILL, edgecolor="#0072B2", linewidth=0.8)
    axes.bar_label(bars, [f"{count:,}" if count else "" for count in counts], fontsize=10, padding=1)
    axes.axvline(report.threshold, color="#D55E00", linestyle="--")
    axes.set(xlabel="similarity", ylabel="pairs", xlim=(0, 1), yscale="symlog", ylim=(0, 2 * counts.max()))
    ticks = [0, *(10**power for power in range(len(str(counts.max()))))]
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    words = ", ".join(f"{count} from {low:.2f}" for count, low in zip(counts, edges, strict=False) if count)
    return Picture(
        png(figure),
        f"Histogram of the similarity of {len(report.similarities)} pairs, a line at {report.threshold:.2f}. {words}.",
        f"Pairs that share at least {LEAST} passages, on a logarithmic scale. A pair far to the right of all others is "
        "worth a look; a broad hill that reaches there speaks of the question, not of the students.",
        round(100 * figure.get_size_inches()[0]),
    )


def _write_pair(number, pair):
    matches = []
    for match in pair.matches:
        sides = [
            f"<div><p><bdi>{escape(student)}</bdi>: {escape(answer.question)}</p>"
            f"<pre>{_mark(answer.source, spans)}</pre></div>"
            for student, answer, spans in (
                (pair.first, match.first, match.first_spans),
                (pair.second, match.second, match.second_spans),
            )
        ]
        matches.append(f'<div class="pair">{"".join(sides)}</div>')
    heading = f"{number}: <bdi>{escape(pair.first)}</bdi> and <bdi>{escape(pair.second)}</bdi>, {pair.similarity:.0%}"
    return f"<details><summary>{heading}</summary>{''.join(matches)}</details>"


def _mark(source, spans):
    pieces, place = [], 0
    for start, end in spans:
        pieces += [escape(source[place:start]), "<mark>", escape(source[start:end]), "</mark>"]
        place = end
    return "".join([*pieces, escape(source[place:])])

"""How an assignment went: grades, how hard each question was and whether it tells students apart, misconceptions."""

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy import stats

from acme_lib.plot import FILL, Picture, png, subplots
from acme_lib.report.misconceptions import Misconceptions
from acme_lib.report.pages import escape, write_facts, write_names, write_page, write_table
from acme_lib.teach.check_slips import SLIPS

_BLUE, _ORANGE = "#0072B2", "#D55E00"
_MANY = 12  # misconceptions in the figure; the table has all


@dataclass(frozen=True)
class QuestionStatistics:
    """One question, over the students whose answer is graded.

    Attributes
    ----------
    question : Question
    graded, ungraded : int
        Answers.
    difficulty : float
        Mean of the points over their maximum; nan without answers. (The field's name: a hard question has a low value.)
    discrimination, low, high : float
        Correlation of the points with those of all other questions together, and its 95 % interval; nan where either
        is the same for all students, or there are fewer than four.
    unwritten, unexplained : int
        Students whose function was not written, and whose check failed in no known way.
    slips : dict of str to int
        Students by misconception, the most frequent first.
    """

    question: object
    graded: int
    ungraded: int
    difficulty: float
    discrimination: float
    low: float
    high: float
    unwritten: int
    unexplained: int
    slips: dict


@dataclass(frozen=True)
class Statistics:
    """One assignment.

    Attributes
    ----------
    assignment : str
    max_score : float
    totals : ndarray
        Points, after penalties, of the students whose work is graded as a whole.
    settled : ndarray
        Points of all who handed something in, in the questions that are graded for every one of them.
    settled_max : float
        What these questions give at most.
    questions : tuple of QuestionStatistics
    submitted : int
    missing, ungraded, unread : tuple of str
        Students who handed nothing in, who wait for a grade, and whose messages cannot be read.
    blank : tuple of str
        Students who handed in the notebooks as they got them; they are in `totals`, with no points.
    written : ndarray
        `totals` without theirs.
    """

    assignment: str
    max_score: float
    totals: np.ndarray
    settled: np.ndarray
    settled_max: float
    questions: tuple
    submitted: int
    missing: tuple
    ungraded: tuple
    unread: tuple
    blank: tuple
    written: np.ndarray


def find_statistics(marks, misconceptions=None):
    """Compute the statistics of an assignment.

    Parameters
    ----------
    marks : Marks
    misconceptions : Misconceptions, optional

    Returns
    -------
    Statistics

    Notes
    -----
    The discrimination is the corrected item–total correlation: the rest of the test leaves the question out, since it
    would otherwise correlate with itself. To the rest belong the questions that are graded for every submission. The
    interval is Fisher's, tanh(artanh r ± 1.96/√(n−3)); ``tests/grading/test_statistics.py`` measures that it covers
    for questions of right and wrong (91 to 98 % at 20 to 100 students; bootstrap intervals cover down to 70 %).
    """
    known = misconceptions or Misconceptions()
    present = np.flatnonzero(marks.submitted)
    scores, ungraded = marks.scores[present], marks.ungraded[present]
    settled = ~ungraded.any(axis=0)
    questions = []
    for column, question in enumerate(marks.questions):
        graded = ~ungraded[:, column]
        points = scores[graded, column]
        others = settled.copy()
        others[column] = False
        rest = scores[graded][:, others].sum(axis=1)
        fraction = points.mean() / question.max_score if len(points) and question.max_score else np.nan
        key = (question.notebook, question.name)
        slips = known.slips.get(key, Counter())
        questions.append(
            QuestionStatistics(
                question,
                int(graded.sum()),
                int((~graded).sum()),
                float(fraction),
                *correlate(points, rest),
                known.unwritten[key],
                known.unexplained[key],
                dict(sorted(slips.items(), key=lambda item: (-item[1], item[0]))),
            )
        )
    whole = ~ungraded.any(axis=1)
    ids = [student.id for student in marks.students]
    return Statistics(
        marks.assignment,
        marks.max_score,
        marks.totals[present[whole]],
        scores[:, settled].sum(axis=1),
        sum(
            question.max_score for question, known_to_all in zip(marks.questions, settled, strict=True) if known_to_all
        ),
        tuple(questions),
        len(present),
        tuple(one for one, handed_in in zip(ids, marks.submitted, strict=True) if not handed_in),
        tuple(ids[index] for index in present[~whole]),
        known.unread,
        marks.blank,
        marks.totals[present[whole & ~np.isin(np.array(ids, dtype=object)[present], marks.blank)]],
    )


def correlate(one, other):
    """Return Pearson's correlation and its 95 % interval after Fisher; three nan where it is not defined."""
    if len(one) < 4 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan, np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        result = stats.pearsonr(one, other)
    if abs(result.statistic) > 1 - 1e-12:
        return (float(np.sign(result.statistic)),) * 3
    interval = result.confidence_interval(0.95)
    return float(result.statistic), float(interval.low), float(interval.high)


def write_statistics(statistics):
    """Write the page for the instructor.

    Parameters
    ----------
    statistics : Statistics

    Returns
    -------
    str
        An HTML file that needs no other file and no network.
    """
    totals, points = statistics.totals, statistics.max_score
    students = statistics.submitted + len(statistics.missing)
    facts = {"Handed in": f"{statistics.submitted} of {students} students", "Points": f"{points:g}"}
    if len(totals):
        low, middle, high = np.quantile(totals, [0.25, 0.5, 0.75])
        facts["Graded as a whole"] = f"{len(totals)} of {statistics.submitted}"
        facts["Median"] = (
            f"{middle:.4g} points ({_percent(middle / points)}); half of the class from {low:.4g} to {high:.4g}"
        )
        facts["Mean"] = f"{totals.mean():.4g} points ({_percent(totals.mean() / points)})"
        if len(totals) > 1:
            facts["Standard deviation"] = f"{totals.std(ddof=1):.3g} points"
    if statistics.blank:
        facts["Blank"] = f"{len(statistics.blank)} handed in the notebook as they got it, and count with no points"
        if len(statistics.written):
            facts["Blank"] += (
                f"; without them the median is {np.median(statistics.written):.4g} and the mean "
                f"{statistics.written.mean():.4g} points"
            )
    parts = [write_facts(facts)]
    if len(totals):
        caption = "Points after penalties for lateness, of the students whose work is graded as a whole."
        parts += ["<h2>Grades</h2>", draw_grades(totals, points, caption).html()]
    elif len(statistics.settled) and statistics.settled_max:
        caption = "Points so far, before penalties, without the questions that wait for a grade by hand."
        parts += ["<h2>Grades so far</h2>", draw_grades(statistics.settled, statistics.settled_max, caption).html()]
    if statistics.submitted:
        parts += ["<h2>Questions</h2>", draw_questions(statistics).html(), _write_questions(statistics)]
        parts += ["<h2>Misconceptions</h2>", *_write_misconceptions(statistics)]
    parts += ["<h2>Still open</h2>", *_write_open(statistics)]
    return write_page(f"How {statistics.assignment} went", parts)


def draw_grades(totals, points, caption):
    """Draw the distribution of grades out of `points`; return a `Picture`."""
    edges = np.linspace(0.0, max(points, totals.max()), 11)
    counts, _ = np.histogram(totals, edges)
    middle = float(np.median(totals))
    figure, axes = subplots(size=(6.4, 3.4))
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=FILL, edgecolor=_BLUE, linewidth=0.8)
    axes.axvline(middle, color=_ORANGE, linestyle="--")
    axes.annotate(
        f"median {middle:.4g} ", (middle, 1.0), xycoords=("data", "axes fraction"), color=_ORANGE,
        ha="right" if middle > edges[5] else "left", va="top", fontsize=12,
    )  # fmt: skip
    axes.set(xlabel=f"points (of {points:g})", ylabel="students", xlim=(0, edges[-1]), ylim=(0, 1.15 * counts.max()))
    axes.yaxis.get_major_locator().set_params(integer=True)
    words = ", ".join(
        f"{count} from {low:.3g} to {high:.3g}"
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
        if count
    )
    return _picture(
        figure,
        alt=f"Histogram of the points of {len(totals)} students; a line marks the median, {middle:.4g}. {words}.",
        caption=caption,
    )


def draw_questions(statistics):
    """Draw difficulty and discrimination of each question; return a `Picture`."""
    questions = statistics.questions
    places = np.arange(1, len(questions) + 1)
    figure, (left, right) = subplots(1, 2, size=(6.4, 1.5 + 0.34 * len(questions)), sharey=True)
    left.plot([question.difficulty for question in questions], places, "o", color=_BLUE)
    left.set(xlabel="mean of the points\n(fraction of the maximum)", ylabel="question", xlim=(-0.03, 1.03))
    left.set_yticks(places)
    left.set_ylim(len(questions) + 0.6, 0.4)
    for place, question in zip(places, questions, strict=True):
        right.plot([question.low, question.high], [place, place], "-", color=_BLUE, linewidth=1.6)
        right.plot([question.discrimination], [place], "o", color=_BLUE)
    right.axvline(0, color="black", linewidth=1)
    right.set(xlabel="correlation with all\nother questions", xlim=(-1.05, 1.05))
    for axes in (left, right):
        axes.grid(axis="y", color="#DDE4EA", linewidth=0.8)
    words = "; ".join(
        f"{place}: mean {_decimal(question.difficulty)}, correlation {_decimal(question.discrimination)}"
        for place, question in zip(places, questions, strict=True)
    )
    return _picture(
        figure,
        alt=f"Two panels with a dot for each question: mean of the points, and correlation with its interval. {words}.",
        caption=(
            "Left: a low mean is a hard question. Right: a question that tells students apart correlates with the rest "
            "of the assignment; bars are 95 % intervals. One near 0, or below, may be misleading, or ask for something "
            "else. Numbers as in the table."
        ),
    )


def draw_misconceptions(statistics):
    """Draw how many students had the most frequent misconceptions; return a `Picture`."""
    found = _list_misconceptions(statistics)[:_MANY]
    places = np.arange(len(found), dtype=float)
    figure, axes = subplots(size=(6.4, 0.9 + 0.56 * len(found)))
    axes.barh(places, [count for _, _, count in found], 0.34, color=FILL, edgecolor=_BLUE, linewidth=0.8)
    for place, (number, slip, count) in zip(places, found, strict=True):
        axes.annotate(f"{number}: {SLIPS[slip].name}", (0, place - 0.22), va="bottom", ha="left", fontsize=12)
        axes.annotate(f" {count}", (count, place), va="center", ha="left", fontsize=12)
    axes.set(xlabel="students", xlim=(0, 1.08 * max(count for _, _, count in found)), ylim=(len(found) - 0.6, -0.75))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    words = "; ".join(f"question {number}, {SLIPS[slip].name}: {count}" for number, slip, count in found)
    return _picture(
        figure,
        alt=f"Bars of the number of students with each misconception. {words}.",
        caption="The most frequent misconceptions, each after the number of its question.",
    )


def _picture(figure, *, alt, caption):
    return Picture(png(figure), alt, caption, round(100 * figure.get_size_inches()[0]))


def _list_misconceptions(statistics):
    found = [
        (number, slip, count)
        for number, question in enumerate(statistics.questions, start=1)
        for slip, count in question.slips.items()
    ]
    return sorted(found, key=lambda item: (-item[2], item[0], item[1]))


def _write_questions(statistics):
    several = len({question.question.notebook for question in statistics.questions}) > 1
    rows, remarks = [], {}
    for number, one in enumerate(statistics.questions, start=1):
        name = f"{one.question.notebook}: {one.question.name}" if several else one.question.name
        interval = "" if np.isnan(one.low) else f" ({_decimal(one.low)} to {_decimal(one.high)})"
        rows.append(
            [number, name, f"{one.question.max_score:g}", one.graded, _percent(one.difficulty)]
            + [_decimal(one.discrimination) + interval, one.unwritten or "", one.ungraded or ""]
        )
        if remark := _remark(one):
            remarks.setdefault(remark, []).append(f"{number} ({escape(name)})")
    table = write_table(
        "Each question: mean of its points, and correlation with the points of all others",
        ["No.#", "Question", "Points#", "Graded#", "Mean#", "Correlation#", "Not written#", "To grade#"],
        rows,
    )
    items = "".join(f"<li>{remark.capitalize()}: {', '.join(names)}</li>" for remark, names in remarks.items())
    return f"{table}\n<p>Worth a look:</p><ul>{items}</ul>" if remarks else table


def _remark(one):
    if one.graded and one.difficulty == 1:
        return "everyone was right"
    if one.graded and one.difficulty == 0:
        return "nobody was right"
    if one.high < 0:
        return "whoever is right here does worse elsewhere (is the question, or its check, wrong?)"
    if one.discrimination < 0.1:
        return "hardly tells students apart"
    return ""


def _write_misconceptions(statistics):
    found = _list_misconceptions(statistics)
    if not found:
        parts = ["<p>The checks named no misconception.</p>"]
    else:
        questions = statistics.questions
        rows = [
            [
                SLIPS[slip].name,
                f"{number} ({questions[number - 1].question.name})",
                count,
                _percent(count / statistics.submitted),
            ]
            for number, slip, count in found
        ]
        table = write_table(
            "All misconceptions that the checks named", ["Misconception", "Question", "Students#", "Of all#"], rows
        )
        parts = [draw_misconceptions(statistics).html(), table]
    other = sum(question.unexplained for question in statistics.questions)
    if other:
        parts.append(f"<p>{other} further failed checks were wrong in no known way.</p>")
    if statistics.unread:
        parts.append(f"<p>Without an autograded notebook, and so not counted here: {len(statistics.unread)}.</p>")
        parts.append(write_names(statistics.unread))
    return parts


def _write_open(statistics):
    parts = []
    if statistics.ungraded:
        waiting = [
            f"{escape(question.question.name)} ({question.ungraded})"
            for question in statistics.questions
            if question.ungraded
        ]
        parts.append(f"<p>To be graded by hand: {', '.join(waiting)}. Students who wait:</p>")
        parts.append(write_names(statistics.ungraded))
    if statistics.blank:
        parts.append(f"<p>Handed in without any answer ({len(statistics.blank)}):</p>")
        parts.append(write_names(statistics.blank))
    if statistics.missing:
        parts.append(f"<p>Handed nothing in ({len(statistics.missing)}):</p>")
        parts.append(write_names(statistics.missing))
    return parts or ["<p>Nothing: all work is handed in and graded.</p>"]


def _percent(fraction):
    return "" if np.isnan(fraction) else f"{100 * fraction:.0f} %"


def _decimal(value):
    return "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")

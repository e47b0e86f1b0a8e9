"""The learner's own progress on one page: what is predicted, passed and still open, chapter by chapter."""

import html
from dataclasses import dataclass

from acme_lib.teach.passed import read_exercises
from acme_lib.teach.questions import list_chapters
from acme_lib.teach.record import PredictionCount, is_damaged, my_predictions, read_record, record_path

HEADINGS = ("Chapter", "Predictions made", "Questions passed", "Still open")


@dataclass(frozen=True)
class ChapterProgress:
    """How far a learner is with one chapter.

    Attributes
    ----------
    title : str
    predictions : PredictionCount
    questions : dict of str to tuple of int
        By the number of a question: its checks that are passed, and all of them.
    """

    title: str
    predictions: PredictionCount
    questions: dict

    def cells(self):
        """Return what stands in the row of the chapter."""
        asked, made, right = self.predictions.asked, self.predictions.made, self.predictions.right
        first = f" ({right} right at the first attempt)" if made else ""
        passed = sum(done == all_ for done, all_ in self.questions.values())
        return (
            f"{self.predictions.chapter} {self.title[:1].upper()}{self.title[1:]}",
            f"{made} of {asked}{first}" if asked else "–",
            f"{passed} of {len(self.questions)}" if self.questions else "–",
            self._open(asked - made) or "nothing",
        )

    def _open(self, predictions):
        parts = [f"{predictions} prediction{'s' if predictions > 1 else ''}"] if predictions else []
        left = {number: done for number, (done, all_) in self.questions.items() if done < all_}
        if left and len(left) == len(self.questions) and not any(left.values()):
            parts.append("all questions")
        elif left:
            names = ", ".join(f"{number}{' (in part)' if done else ''}" for number, done in left.items())
            parts.append(f"question{'s' if len(left) > 1 else ''} {names}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Progress:
    """How far a learner is; shown as a table."""

    chapters: tuple[ChapterProgress, ...]
    notes: tuple[str, ...]

    def __str__(self):  # noqa: D105 (the class says it)
        rows = [HEADINGS, *(chapter.cells() for chapter in self.chapters)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, "", *self.notes])

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self), "text/html": self.html()}

    def html(self):
        """Return the page as HTML."""
        left = ' style="text-align: left"'
        head = "".join(f'<th scope="col"{left}>{heading}</th>' for heading in HEADINGS)
        rows = []
        for chapter in self.chapters:
            first, *rest = (html.escape(cell, quote=False) for cell in chapter.cells())
            row = f'<th scope="row"{left}>{first}</th>' + "".join(f"<td{left}>{cell}</td>" for cell in rest)
            rows.append(f"<tr>{row}</tr>")
        notes = "".join(f"<p>{html.escape(note, quote=False)}</p>" for note in self.notes)
        return (
            f"<table><caption{left}>How far you are</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{notes}"
        )


def my_progress():
    """Show what the learner has predicted and passed, and what is still open, by chapter.

    A question counts as passed when each of its checks was, once, in a notebook or by Validate.

    Returns
    -------
    Progress
        Shown as a table. The record stays on this machine; `acme_lib.teach.forget_record` deletes it.
    """
    exercises, record, chapters = read_exercises(), read_record(), list_chapters()
    rows = []
    for number in sorted({*chapters, *exercises}):
        found, questions = exercises.get(number), {}
        for question in found.questions if found else ():
            done, all_ = questions.get(question.number, (0, 0))  # one heading may ask for two functions
            done += sum(check in record for check in question.checks)
            questions[question.number] = done, all_ + len(question.checks)
        rows.append(ChapterProgress(found.title if found else chapters[number], my_predictions(number), questions))
    return Progress(tuple(rows), tuple(_notes()))


def _notes():
    path = record_path()
    if path is None:
        yield "This page was made without a record. Run the cell to see how far you are."
        return
    if is_damaged():
        yield f"The record in {path} cannot be read, and counts as empty. With the next answer a new one begins."
    yield f"This is remembered on this computer alone, in {path}; acme.teach.forget_record() deletes it."

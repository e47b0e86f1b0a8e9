"""Predict, then run: the learner commits to an answer before a simulation, and learns why a wrong one is wrong.

Questions, answers and reasons stand in ``predictions/NN_chapter.md`` beside this file, so that neither the code of a
chapter nor its plain export says which answer is right. One question reads::

    ## coin

    You toss a coin twice. How often does it show two heads?

    - [ ] one time in two
      That is how often the two tosses show the same side.
    - [x] one time in four
      Each toss halves the number.
"""

import html

import ipywidgets

from acme_lib.errors import ParameterError
from acme_lib.teach.questions import read_questions
from acme_lib.teach.record import read_record, remember
from acme_lib.teach.still import BUTTON, WIDTH, LivingBox

# In a page made by nbconvert: hide the cells tagged `result` that follow, until the answer is opened.
_ASKED = ".jp-Cell:has(.acme-answer:not([open]))"
_BETWEEN = " + .jp-Cell:not(:has(.acme-answer))"
_FOLD = (
    "<style>"
    + ", ".join(f"{_ASKED}{_BETWEEN * cells} + .celltag_result .jp-Cell-outputWrapper" for cells in range(7))
    + " { display: none }</style>"
)


def predict(chapter, name):
    """Ask for a prediction.

    Parameters
    ----------
    chapter : int
        Number of the chapter, whose predictions stand in ``acme_lib/teach/predictions/NN_….md``.
    name : str
        Heading of the question in that file.

    Returns
    -------
    Prediction
        Display it as the last expression of a cell. The answer is remembered for the learner (`my_predictions`).

    Raises
    ------
    ParameterError
        If there is no such question, or it lacks its answer or a reason.

    Examples
    --------
    >>> predict(0, "coin").feedback("about 1 time in 3")[0]
    False
    """
    questions = read_questions(chapter)
    if name not in questions:
        known = ", ".join(map(repr, questions)) or "none"
        raise ParameterError(f"chapter {chapter} has no prediction {name!r}; it has {known}")
    return Prediction(**questions[name], key=f"{chapter}/{name}")


class Prediction(LivingBox):
    """A question with options, of which the learner commits to one; made by `predict`.

    Where no kernel runs, the question and its options are shown with the answer folded.

    Parameters
    ----------
    question : str
        May hold ``$…$`` and HTML.
    options : sequence of str
        At least two, plain text.
    answer : str
        The option that is right.
    because : mapping of str to str
        For each option, why it is right or what mistake leads to it. May hold ``$…$``.
    key : str, optional
        Name in the learner's record; without it nothing is remembered.
    """

    def __init__(self, question, options, *, answer, because, key=None):
        options = list(options)
        if not isinstance(question, str) or not question.strip():
            raise ParameterError(f"question must be a text, got {question!r}")
        if len(options) < 2 or len(set(options)) < len(options):
            raise ParameterError(f"options must be two or more different texts, got {options}")
        if answer not in options:
            raise ParameterError(f"answer must be one of the options {options}, got {answer!r}")
        missing = [option for option in options if not str(because.get(option, "")).strip()]
        surplus = [option for option in because if option not in options]
        if missing or surplus:
            raise ParameterError(
                f"because= gives each option its reason; without one: {missing or 'none'}, unknown: {surplus or 'none'}"
            )
        self.question, self.options, self.answer = " ".join(question.split()), options, answer
        self.because = {option: " ".join(because[option].split()) for option in options}
        self.key, self.made = key, None
        self.choice = ipywidgets.RadioButtons(
            options=options, value=None, layout={"width": "auto", "max_width": WIDTH}, style={"description_width": "0"}
        )
        self.commit = ipywidgets.Button(
            description="This is my prediction", button_style="primary", disabled=True, layout=BUTTON
        )
        self.reply = ipywidgets.HTMLMath(layout={"max_width": WIDTH})
        self.choice.observe(self._on_choice, names="value")
        self.commit.on_click(self._on_commit)
        super().__init__(
            [
                ipywidgets.HTMLMath(f"<strong>Predict:</strong> {self.question}", layout={"max_width": WIDTH}),
                self.choice,
                self.commit,
                self.reply,
            ]
        )
        before = read_record().get(key, {}).get("last") if key else None
        if before in options:
            self.choice.value = before
            self._show(before)

    def feedback(self, option):
        """Return whether an option is right, and why.

        Returns
        -------
        right : bool
        reason : str
        """
        if option not in self.because:
            raise ParameterError(f"option must be one of {self.options}, got {option!r}")
        return option == self.answer, self.because[option]

    def _on_choice(self, change):
        self.commit.disabled = change["new"] is None
        self.reply.value = ""

    def _on_commit(self, _):
        if self.choice.value is None:
            return
        self._show(self.choice.value)
        if self.key:
            remember(self.key, self.choice.value, right=self.choice.value == self.answer)
        self._renew_still()

    def _show(self, option):
        self.made = option
        self.reply.value = f'<div role="status" aria-live="polite">{self.verdict(self.made)}</div>'

    def verdict(self, option):
        """Return what a learner reads who has chosen this option, as HTML."""
        right, reason = self.feedback(option)
        verdict = "✔ Right." if right else "✘ Not quite."
        after = "" if right else " Choose again, or run on and let the numbers decide."
        return (
            f'<div style="border-left: 4px solid {"#009E73" if right else "#D55E00"}; padding-left: 0.7em">'
            f"<strong>{verdict}</strong> {reason}{after}</div>"
        )

    def still_text(self):
        """Return the question and its options."""
        return "\n".join([self.question, *(f"( ) {option}" for option in self.options)])

    def still_html(self):
        """Return the question with its options, the answer and all reasons folded away."""
        items = "".join(f"<li>{html.escape(option, quote=False)}</li>" for option in self.options)
        made = ""
        if self.made:
            chosen = html.escape(self.made, quote=False)
            made = f"<p>Your prediction: <strong>{chosen}</strong></p>{self.verdict(self.made)}"
        return (
            f"{_FOLD}<p><strong>Predict:</strong> {self.question}</p><ul>{items}</ul>{made}"
            f"{self.answer_html()}<p>▶ <em>Run this cell to choose.</em></p>"
        )

    def answer_html(self):
        """Return the right option and the reasons of all, folded away."""
        reasons = "".join(
            f"<li>{'✔' if option == self.answer else '✘'} <strong>{html.escape(option, quote=False)}</strong> "
            f"{reason}</li>"
            for option, reason in self.because.items()
        )
        return (
            '<details class="acme-answer"><summary>Commit to one, then open the answer</summary>'
            f"<ul>{reasons}</ul></details>"
        )

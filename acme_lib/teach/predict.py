"""Predict, then run: the learner commits to an answer before a simulation, and learns why a wrong one is wrong."""

import html

import ipywidgets

from acme_lib.errors import ParameterError

_WIDTH = "840px"
_BUTTON = {"width": "max-content", "align_self": "flex-start"}


def predict(question, options, *, answer, because):
    """Ask for a prediction.

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

    Returns
    -------
    Prediction
        Display it as the last expression of a cell.

    Raises
    ------
    ParameterError
        If an option lacks its reason, or the answer is none of the options.

    Examples
    --------
    >>> asked = predict("2 + 2 = ?", ["4", "5"], answer="4", because={"4": "Count.", "5": "One too many."})
    >>> asked.feedback("5")[0]
    False
    """
    return Prediction(question, options, answer=answer, because=because)


class Prediction(ipywidgets.VBox):
    """A question with options, of which the learner commits to one; made by `predict`.

    Where no kernel runs, the question and its options are shown with the answer folded.
    """

    def __init__(self, question, options, *, answer, because):
        options = list(options)
        if not isinstance(question, str) or not question.strip():
            raise ParameterError("a prediction needs a question; none came")
        if len(options) < 2 or len(set(options)) < len(options):
            raise ParameterError(f"a prediction needs two or more different options; {options} came")
        if answer not in options:
            raise ParameterError(f"the answer {answer!r} is none of the options {options}")
        missing = [option for option in options if not str(because.get(option, "")).strip()]
        surplus = [option for option in because if option not in options]
        if missing or surplus:
            raise ParameterError(
                f"because= gives each option its reason; without one: {missing or 'none'}, unknown: {surplus or 'none'}"
            )
        self.question, self.options, self.answer = " ".join(question.split()), options, answer
        self.because = {option: " ".join(because[option].split()) for option in options}
        self.choice = ipywidgets.RadioButtons(
            options=options, value=None, layout={"width": "auto", "max_width": _WIDTH}, style={"description_width": "0"}
        )
        self.commit = ipywidgets.Button(
            description="This is my prediction", button_style="primary", disabled=True, layout=_BUTTON
        )
        self.reply = ipywidgets.HTMLMath(layout={"max_width": _WIDTH})
        self.choice.observe(self._on_choice, names="value")
        self.commit.on_click(self._on_commit)
        super().__init__(
            [
                ipywidgets.HTMLMath(f"<strong>Predict:</strong> {self.question}", layout={"max_width": _WIDTH}),
                self.choice,
                self.commit,
                self.reply,
            ]
        )

    def feedback(self, option):
        """Return whether an option is right, and why.

        Returns
        -------
        right : bool
        reason : str
        """
        if option not in self.because:
            raise ParameterError(f"{option!r} is none of the options {self.options}")
        return option == self.answer, self.because[option]

    def _on_choice(self, change):
        self.commit.disabled = change["new"] is None
        self.reply.value = ""

    def _on_commit(self, _):
        if self.choice.value is None:
            return
        right, reason = self.feedback(self.choice.value)
        verdict = "✔ Right." if right else "✘ Not so."
        after = "" if right else " Choose again, or run on and let the numbers decide."
        self.reply.value = (
            f'<div role="status" aria-live="polite" style="border-left: 4px solid {"#009E73" if right else "#D55E00"}; '
            f'padding-left: 0.7em"><strong>{verdict}</strong> {reason}{after}</div>'
        )

    def _repr_mimebundle_(self, **kwargs):
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = "\n".join([self.question, *(f"( ) {option}" for option in self.options)])
        bundle["text/html"] = self.html()
        return bundle

    def html(self):
        """Return the question with its options, the answer and all reasons folded away."""
        items = "".join(f"<li>{html.escape(option, quote=False)}</li>" for option in self.options)
        reasons = "".join(
            f"<li>{'✔' if option == self.answer else '✘'} <strong>{html.escape(option, quote=False)}</strong> "
            f"{reason}</li>"
            for option, reason in self.because.items()
        )
        return (
            f"<p><strong>Predict:</strong> {self.question}</p><ul>{items}</ul>"
            f"<details><summary>Commit to one, then open the answer</summary><ul>{reasons}</ul></details>"
        )

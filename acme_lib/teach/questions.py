"""The questions of the predictions, read from ``acme_lib/teach/predictions/NN_….md``."""

import re
from importlib import resources

from acme_lib.errors import ParameterError

_OPTION = re.compile(r"^- \[([ x])\] (.+)$")


def read_questions(chapter):
    """Return the predictions of a chapter: for each name its question, options, answer and reasons."""
    folder = resources.files("acme_lib.teach") / "predictions"
    texts = [path.read_text("utf-8") for path in folder.iterdir() if re.match(rf"0*{chapter:d}_.*\.md$", path.name)]
    parts = re.split(r"^## +(.+)$", "\n".join(texts), flags=re.MULTILINE)[1:]
    return {name.strip(): _parse(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _parse(text):
    question, options, answers, because = [], [], [], {}
    for line in text.splitlines():
        option = _OPTION.match(line)
        if option:
            options.append(option[2].strip())
            because[options[-1]] = ""
            if option[1] == "x":
                answers.append(options[-1])
        elif options:
            because[options[-1]] = f"{because[options[-1]]} {line.strip()}".strip()
        else:
            question.append(line)
    if len(answers) != 1:
        raise ParameterError(f"a prediction marks one option with [x], got {len(answers)}: {text.strip()[:60]!r}")
    return {"question": "\n".join(question), "options": options, "answer": answers[0], "because": because}

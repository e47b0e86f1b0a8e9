"""The questions of the chapters' predictions, as they stand in ``predictions/NN_chapter.md``."""

import re
from importlib import resources

from acme_lib.errors import ParameterError

_OPTION = re.compile(r"^- \[([ x])\] (.+)$")


def list_chapters():
    """Return number and name of all chapters with predictions."""
    return {int(path.name[:2]): path.name[3:-3].replace("_", " ") for path in _files()}


def read_questions(chapter):
    """Return the predictions of a chapter: for each name its question, options, answer and reasons."""
    texts = [path.read_text("utf-8") for path in _files() if int(path.name[:2]) == chapter]
    parts = re.split(r"^## +(.+)$", "\n".join(texts), flags=re.MULTILINE)[1:]
    return {name.strip(): parse_question(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _files():
    folder = resources.files("acme_lib.teach") / "predictions"
    return sorted(
        (path for path in folder.iterdir() if re.match(r"\d\d_.*\.md$", path.name)), key=lambda path: path.name
    )


def parse_question(text):
    """Return one question: its text, options, right answer and reasons."""
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

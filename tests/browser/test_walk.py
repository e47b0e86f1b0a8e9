"""A learner who makes mistakes: in each chapter one wrong answer typed, its message read, the answer mended.

``uv run pytest -n 0 -m slow tests/browser/test_walk.py`` repeats it. Where `ACME_WALK` names a folder, such as
``ACME_WALK=solutions``, the pictures and the page `WALK.md` are written there.
"""

import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from acme_lib.teach.check_slips import RIGHT, SLIPS, find_slips
from acme_lib.teach.passed import read_exercises
from tests.grading.exercises import all_exercises

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 150_000  # bytes of a picture

# The question, and what the learner takes for right. Code and message come from the assignment.
STEPS = {
    1: ("propensities", "pairs-squared"),
    2: ("fano_and_cv2", "population-variance"),
    3: ("split_covariance", "difference-not-halved"),
    4: ("protein_law", "lifetimes-exchanged"),
    5: ("moment_rates", "mean-square-for-square-mean"),
}

HEAD = """\
# A learner who makes mistakes

In each chapter one question, in JupyterLab: a wrong answer is typed and its check run, the message is read, the answer
mended. The pictures, and this page, are written by
`ACME_WALK=solutions uv run pytest -n 0 -m slow tests/browser/test_walk.py`, which also compares what the learner reads
with what the question is to say.
"""
WRONG_SHOWS = "with a wrong answer; below it the check fails with this message and shows what it was called with"


def exercise_of(chapter):
    return next(e for e in all_exercises() if e.name.startswith(f"{chapter:02}_"))


def question_of(exercise, name):
    checks = {f"{exercise.name.partition('/')[0]}/{check}" for check in exercise.questions[name]}
    return next(q for q in read_exercises()[int(exercise.name[:2])].questions if checks == set(q.checks))


def write_step(chapter):
    """Return what the page says of a chapter."""
    name, key = STEPS[chapter]
    exercise = exercise_of(chapter)
    question, slip = question_of(exercise, name), SLIPS[key]
    says = " ".join(slip.text.split())
    return f"""\
## Chapter {chapter}, question {question.number}: {question.title}

A learner has the idea of *{slip.name}*. The check recognises it by the value that it gives, and says:

> {says}

![The answer cell of `{name}` {WRONG_SHOWS}](images/{chapter:02}_wrong.png)

Mended, the checks pass, and the question says what it establishes:

![The answer cell of `{name}`, mended, and below it its checks: all are right](images/{chapter:02}_mended.png)
"""


def index_of(page, name):
    cells = page.notebook()["cells"]
    return next(i for i, c in enumerate(cells) if c["metadata"].get("nbgrader", {}).get("grade_id") == name)


def run_cell(page, index):
    """Run one cell as a learner does; return its locator when it has run."""
    cell = page.scroll_to_cell(index)
    page.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    return cell


def type_answer(page, index, source):
    editor = page.scroll_to_cell(index).locator(".cm-content").first
    editor.click()
    editor.press("ControlOrMeta+a")
    page.page.keyboard.insert_text(source)
    editor.press("Escape")
    assert "".join(page.notebook()["cells"][index]["source"]) == source
    run_cell(page, index)


def picture_of(page, first, last):
    """Draw the cells from one to another as they stand on the screen."""
    page.scroll_to_cell(first)
    page.page.mouse.move(5, 5)
    page.page.wait_for_timeout(1_000)
    boxes = [
        page.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{i}"]').bounding_box()
        for i in (first, last)
    ]
    top, bottom = boxes[0]["y"], boxes[1]["y"] + boxes[1]["height"]
    assert bottom < page.page.viewport_size["height"], "a part is out of sight"
    area = {"x": boxes[0]["x"], "y": top, "width": boxes[0]["width"], "height": bottom - top}
    image = Image.open(io.BytesIO(page.page.screenshot(clip=area))).convert("RGB")
    packed = io.BytesIO()
    image.quantize(48).save(packed, "PNG", optimize=True)
    assert len(packed.getvalue()) < LARGEST
    return packed.getvalue()


@pytest.fixture(scope="module")
def pictures():
    """Pictures by name; written with the page, where that is asked for and none is missing."""
    found = {}
    yield found
    if folder := os.environ.get("ACME_WALK"):
        assert len(found) == 2 * len(STEPS), "the page needs all chapters"
        (Path(folder) / "images").mkdir(exist_ok=True)
        for name, content in found.items():
            (Path(folder) / "images" / name).write_bytes(content)
        (Path(folder) / "WALK.md").write_text("\n".join([HEAD, *map(write_step, STEPS)]), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("chapter", STEPS)
def test_a_wrong_answer_is_typed_its_message_read_and_mended(page, pictures, chapter):
    name, key = STEPS[chapter]
    exercise = exercise_of(chapter)
    wrong = next(v for v in exercise.wrong if (v.exercise, v.key) == (name, key))
    right = next(v for v in exercise.right if v.exercise == name)
    page.page.set_viewport_size({"width": 1000, "height": 1700})
    page.open(f"lab/tree/exercises/{exercise.name}.ipynb")
    page.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    answer, *checks = (index_of(page, cell) for cell in (name, *exercise.questions[name]))
    sources = page.notebook()["cells"][:answer]
    run_cell(page, next(i for i, c in enumerate(sources) if c["cell_type"] == "code"))  # the imports

    type_answer(page, answer, wrong.source)
    fails = [check for check, id_ in zip(checks, exercise.questions[name], strict=True) if id_ in wrong.fails]
    for check in checks:
        said = run_cell(page, check).locator(".jp-OutputArea-output").all_inner_texts()
        message = " ".join(" ".join(said).split())
        if check not in fails:
            assert RIGHT in message and "✗" not in message
            continue
        assert "✗" in message and RIGHT not in message
        assert find_slips("\n".join(said)) == (key,)
        assert " ".join(SLIPS[key].text.split()) in message
        assert "Traceback" not in message
        break
    pictures[f"{chapter:02}_wrong.png"] = picture_of(page, answer, check)

    type_answer(page, answer, right.source)
    question = question_of(exercise, name)
    for check in checks:
        message = " ".join(run_cell(page, check).locator(".jp-OutputArea-output").first.inner_text().split())
        assert RIGHT in message and "✗" not in message
        assert ("is done" in message) is (check == checks[-1])
    assert f"Question {question.number} is done. {question.says}" in message
    pictures[f"{chapter:02}_mended.png"] = picture_of(page, answer, checks[-1])
    assert page.console_errors == []


def test_the_page_says_what_the_checks_say_today():
    text = (ROOT / "solutions" / "WALK.md").read_text("utf-8")
    assert text == "\n".join([HEAD, *map(write_step, STEPS)])
    shown = re.findall(r"\]\((images/[^)]+\.png)\)", text)
    assert len(shown) == 2 * len(STEPS)
    for picture in shown:
        assert (ROOT / "solutions" / picture).stat().st_size < LARGEST

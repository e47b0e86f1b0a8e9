"""The open book: figures and predictions that work without a kernel, pages for all that there is, code that runs."""

import ast
import base64
import gzip
import itertools
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

import acme_lib as acme
from acme_lib import cli
from acme_lib.build.book import check_site, write_sources
from acme_lib.build.mathml import FormulaError, formula, typeset
from acme_lib.build.playable import figure_html, play_cell, prediction_html
from acme_lib.build.reference import public_names
from acme_lib.build.release import find_secrets
from acme_lib.teach import Prediction, explore, slider
from tests.marks import always

ROOT = Path(__file__).resolve().parents[2]
HOWTO = sorted((ROOT / "course" / "book" / "howto").glob("*.md"))


def small_figure(fails=lambda a, b: False):
    """A vertical line at a·b, and the sentence that says so."""
    figure, axes = acme.plot.subplots(size=(4.0, 2.0))
    line = axes.axvline(0.0)
    axes.set(xlim=(0, 40), ylim=(0, 1), xlabel="x")

    def redraw(a, b):
        if fails(a, b):
            raise ValueError("no such state")
        line.set_xdata([a * b, a * b])
        return f"The product is {a * b:g}."

    shown = explore(
        figure,
        redraw,
        a=slider(1, 4, 2, label="a"),
        b=slider(0.0, 10.0, 5.0, step=0.5, label="b & more"),
        question="Where is the line for $a = 2$?",
        alt="A line.",
        caption="It moves.",
    )
    return shown, axes


def unpack(frames):
    return json.loads(gzip.decompress(base64.b64decode(frames)))


def sliders_of(page):
    """Words of each slider's positions, and which of them it starts at."""
    return [
        (words.split("|"), int(start))
        for start, words in re.findall(r'<input type="range"[^>]* value="(\d+)" data-words="([^"]*)"', page)
    ]


def x_of_line(found, parts):
    """Where the picture has its line, in points: the last path in what shows data."""
    text = "".join(found["parts"][part] for part in parts[1:])
    return float(re.findall(r'd="M ([\d.]+)', text)[0])


def test_a_figure_has_a_picture_for_each_combination_of_its_sliders():
    shown, axes = small_figure()
    page, frames = figure_html(shown, "small")
    found = unpack(frames)
    (a, start_a), (b, start_b) = sliders_of(page)
    assert 'data-grid="all"' in page
    assert a == ["1", "2", "3", "4"]
    assert b == [f"{x:.1f}" for x in np.arange(0, 10.01, 0.5)]
    assert (a[start_a], b[start_b]) == ("2", "5.0")
    assert len(found["frames"]) == 4 * 21
    left, right = (72 * 4.0 * x for x in axes.get_position().intervalx)
    for (first, second), (parts, text) in zip(itertools.product(a, b), found["frames"], strict=True):
        product = int(first) * float(second)
        assert text == f"The product is {product:g}."
        assert x_of_line(found, parts) == pytest.approx(left + (right - left) * product / 40, abs=0.06)
    assert len(found["parts"]) < 2 * 4 * 21  # what does not change stands once


def test_what_is_seen_before_a_script_runs():
    page, _ = figure_html(small_figure()[0], "small")
    assert "<strong>Find out:</strong> Where is the line for <math" in page
    assert "The product is 10." in page
    assert 'role="img" aria-label="A line. The product is 10."' in page
    assert 'class="acme-controls" hidden' in page
    assert "b &amp; more" in page
    assert page.count("<path") > 5


def test_sliders_move_one_at_a_time_where_all_combinations_are_too_many():
    page, frames = figure_html(small_figure()[0], "small", most=20)
    found, sliders = unpack(frames), sliders_of(page)
    assert 'data-grid="one"' in page
    assert len(found["frames"]) == sum(len(words) for words, _ in sliders) <= 20
    (a, start_a), (b, start_b) = sliders
    assert (a[start_a], b[start_b]) == ("2", "5.0")
    assert (b[0], b[-1]) == ("0.0", "10.0")
    expected = [*(int(x) * 5.0 for x in a), *(2 * float(x) for x in b)]
    assert [text for _, text in found["frames"]] == [f"The product is {x:g}." for x in expected]


def test_the_budget_is_kept():
    _, all_frames = figure_html(small_figure()[0], "small")
    budget = len(all_frames) * 9 // 10
    page, frames = figure_html(small_figure()[0], "small", budget=budget)
    assert budget // 2 < len(frames) <= budget
    assert 4 < len(unpack(frames)["frames"]) < 4 * 21
    assert len(sliders_of(page)) == 2
    with pytest.raises(acme.ParameterError, match="budget must be at least .* bytes for this figure, got 500"):
        figure_html(small_figure()[0], "small", budget=500)


def test_where_a_figure_fails_the_sentence_says_so():
    page, frames = figure_html(small_figure(lambda a, b: a == 4)[0], "small")
    found = unpack(frames)["frames"]
    assert [bool(parts) for parts, _ in found] == [True] * 63 + [False] * 21
    assert found[-1][1] == "No picture for these values (ValueError: no such state). Move a slider back."


def test_a_cell_is_played_alone(tmp_path):
    cell = """
import acme_lib as acme
figure, axes = acme.plot.subplots(size=(3.0, 2.0))
(line,) = axes.plot([0, 1], [0, 1])
def redraw(k):
    line.set_ydata([0, k])
    return f"It is {k}."
acme.teach.explore(figure, redraw, k=acme.teach.slider(1, 3, 1, label="k"), question="Q?", alt="A.", caption="C.")
"""
    inside = play_cell(cell)
    beside = play_cell(cell, folder=tmp_path / "figures", address="../figures/")
    (script,) = (tmp_path / "figures").iterdir()
    assert f'data-frames="../figures/{script.name}"' in beside
    (frames,) = re.findall(r'class="acme-frames">([\w+/=]+)<', inside)
    assert script.read_text() == f'(window.acmeFrames ??= {{}})["{script.stem}"] = "{frames}";\n'
    assert f'id="{script.stem}"' in inside
    assert [text for _, text in unpack(frames)["frames"]] == ["It is 1.", "It is 2.", "It is 3."]
    kept = tmp_path / "kept"
    assert play_cell(cell, cache=kept) == inside
    assert len(list(kept.iterdir())) == 1
    assert play_cell(cell, cache=kept) == inside
    assert play_cell("n = 1") is play_cell("%matplotlib inline") is play_cell("print(1)") is None


def test_a_prediction_shows_no_answer_before_it_is_made():
    prediction = Prediction(
        "What is $2 + 2$?", ["<3", "4"], answer="4", because={"<3": "Count $1$.", "4": "Yes."}, key="1/sum"
    )
    page = prediction_html(prediction, "sum")
    assert 'data-key="1/sum"' in page
    seen = re.sub(r"<template.*?</template>|<details.*?</details>", "", page, flags=re.DOTALL)
    assert "&lt;3" in seen and "Predict:" in seen and "<math" in seen
    assert not re.search(r"Right|Not quite|Count|Yes|✔|✘", seen)
    right, wrong = (re.search(f'<template data-option="{i}">(.*?)</template>', page, re.DOTALL)[1] for i in (1, 0))
    assert "✔ Right." in right and "Yes." in right
    assert "✘ Not quite." in wrong and "Count <math" in wrong


# Formulas


def texts():
    for path in [*(ROOT / "course").glob("**/*.ipynb"), *(ROOT / "exercises").glob("*/*.ipynb")]:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                yield re.sub(r"```.*?```|`[^`\n]*`", "", cell.source, flags=re.DOTALL)
    for path in (ROOT / "acme_lib" / "teach" / "predictions").glob("*.md"):
        yield path.read_text("utf-8")


def test_every_formula_of_the_course_can_be_typeset():
    count = sum(typeset(text).count("<math") for text in texts())
    assert count > 1000


def test_a_formula_is_real_maths():
    assert re.fullmatch(r"<math.*<mfrac>.*1.*2.*</mfrac>.*</math>", formula(r"\frac12"), re.DOTALL)
    assert re.search(r"</munder>\s*<mi>x</mi>\s*</munder>", formula(r"\underbrace{k}_x")), "the word is not below"
    assert typeset("costs \\$5, $x$ <code>$y$</code>").count("<math") == 1
    with pytest.raises(FormulaError, match="nonsense"):
        formula(r"\nonsense")


# Pages


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The sources of the book, with neither figures nor executed pages."""
    folder = tmp_path_factory.mktemp("book") / "sources"
    write_sources(ROOT, folder, folder.parent / "kept", play=lambda source, **where: None, draw=False)
    return folder


def listed(sources):
    """The pages that the first page leads to."""
    cells = nbformat.read(sources / "index.ipynb", as_version=4).cells
    trees = [cell.source for cell in cells if cell.source.startswith("```{toctree}")]
    return {line for tree in trees for line in tree.splitlines()[4:-1]}


def test_every_chapter_exercise_and_page_is_in_the_book(sources):
    pages = listed(sources)
    texts = [*ROOT.glob("course/[0-9][0-9]_*.md"), *ROOT.glob("course/projects/*.ipynb")]
    chapters = {path.relative_to(ROOT).with_suffix("").as_posix() for path in texts}
    exercises = {f"exercises/{path.parent.name}/{path.stem}" for path in (ROOT / "solutions").glob("*/*.md")}
    assert chapters and exercises and HOWTO
    assert chapters | exercises | {f"howto/{path.stem}" for path in HOWTO} <= pages
    assert {"guide", "gallery", "reference/index", "misconceptions", "validity", "attacks", "benchmarks"} <= pages
    assert {page for page in pages if not list(sources.glob(f"{page}.*"))} == set()


def test_every_public_name_is_in_the_reference(sources):
    pages = "\n".join(path.read_text("utf-8") for path in (sources / "reference").glob("*.rst"))
    described = re.findall(r"^\.\. auto(?:class|function|data):: acme_lib\.([\w.]+)$", pages, flags=re.MULTILINE)
    assert len(described) == len(set(described))
    things = {id(resolve(name)) for name in described}
    for room in [*acme._ROOMS, "processes"]:
        module = __import__(f"acme_lib.{room}", fromlist=["x"])
        assert {name for name in getattr(module, "__all__", []) if id(getattr(module, name)) not in things} == set()
    assert {n for n in acme.__all__ if n not in acme._ROOMS and id(getattr(acme, n)) not in things} == set()


def resolve(name):
    thing = acme
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


def test_the_guide_names_what_there_is():
    known = {name.removeprefix("acme_lib.") for names in public_names().values() for name in names}
    named = re.findall(
        r"\{py:obj\}`(?:[^`<]*<)?(?:acme|acme_lib)\.([\w.]+)", (HOWTO[0].parents[1] / "guide.md").read_text()
    )
    assert len(named) > 60
    assert {name for name in named if name not in known and name.rpartition(".")[0] not in known} == set()


def test_no_page_holds_an_answer(sources):
    """Every line of every solution is looked for, as in the learners' archive; the text of a chapter may teach it."""
    secrets = {secret.text for secret in find_secrets(ROOT)}
    assert len(secrets) > 100
    pages = [path for path in sources.rglob("*") if path.suffix in (".md", ".rst")]
    lines = {line.strip() for path in pages for line in path.read_text("utf-8").splitlines()}
    assert secrets & lines == set()
    assert "In the answer" not in (sources / "misconceptions.md").read_text("utf-8")


@pytest.mark.parametrize("path", always(2, HOWTO), ids=lambda path: path.stem)
def test_the_code_of_a_how_to_page_runs(path, monkeypatch, capsys):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *what, **options: shown.append(what))
    names = {"__name__": path.stem}
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(cells) >= 3
    for cell in cells:
        exec(compile(ast.parse(cell), path.name, "exec"), names)
    assert capsys.readouterr().out.strip()


def test_the_command_leaves_a_folder_alone_that_holds_something_else(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (tmp_path / "thesis.tex").write_text("x")
    assert cli.main(["book", "--output", str(tmp_path)]) == 1
    assert "holds something else than a book" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# Links


def site(folder, body, other="<p id='there'>x</p>"):
    (folder / "a.html").write_text(f"<!doctype html><body>{body}")
    (folder / "b.html").write_text(f"<!doctype html><body>{other}")
    return check_site(folder)


@pytest.mark.parametrize(
    "body", ["<a href='b.html#there'>x</a>", "<a href='#'>x</a>", "<a href='https://doi.org/1'>x</a>"]
)
def test_a_good_link_is_none_that_is_wrong(tmp_path, body):
    assert site(tmp_path, body) == []


@pytest.mark.parametrize(
    "body",
    [
        "<a href='c.html'>x</a>",
        "<a href='b.html#here'>x</a>",
        "<a href='#here'>x</a>",
        "<img src='c.png'>",
        "<script src='https://cdn.example.org/x.js'></script>",
        "<link rel=stylesheet href='//example.org/x.css'>",
        "<figure data-frames='c.js'></figure>",
    ],
)
def test_a_link_that_leads_nowhere_or_out_of_the_book_is_seen(tmp_path, body):
    assert len(site(tmp_path, body)) >= 1

"""Sliders redraw, predictions explain, and the self-check says in words what is broken."""

import asyncio
import io
import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import acme_lib as acme
from acme_lib.errors import ParameterError
from acme_lib.teach import check_installation, explore, my_predictions, predict, slider
from acme_lib.teach import selfcheck as check_module
from acme_lib.teach.prediction import Prediction
from acme_lib.teach.questions import parse_question, read_questions
from acme_lib.teach.widgets import live_figures

PREDICTIONS = list((Path(acme.__file__).parent / "teach" / "predictions").glob("*.md"))
WIDGET = "application/vnd.jupyter.widget-view+json"


def make(k=0.5, redraw=None, **words):
    figure, axes = acme.plot.subplots(size=(4, 2))
    (line,) = axes.plot([0, 1, 2], [0, 0, 0])
    axes.set(ylim=(0, 1), title="old", xlabel="old")

    def move_line(k):
        line.set_ydata([0, k, k / 2])
        return f"k is {k:.2f}."

    words = {"question": "How high?", "alt": "A line.", "caption": "It moves.", **words}
    return explore(figure, redraw or move_line, k=slider(0.0, 1.0, k, label="k"), **words), axes


def pixels(figure):
    return bytes(figure.picture.value)


# Sliders


def test_each_move_changes_picture_and_text():
    figure, _ = make()
    pictures = {pixels(figure)}
    for value in (0.1, 0.7, 0.9):
        figure.move(k=value)
        assert figure.text == f"k is {value:.2f}."
        assert f"k is {value:.2f}." in figure.answer.value
        pictures.add(pixels(figure))
    assert len(pictures) == 4
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_kept_background_gives_the_picture_of_a_fresh_figure():
    moved, _ = make(k=0.2)
    moved.move(k=0.9)
    moved.move(k=0.6)
    fresh, _ = make(k=0.6)
    assert pixels(moved) == pixels(fresh)


def test_a_still_made_while_a_slider_moves_leaves_the_axes_in_the_picture():
    """JupyterLab runs callbacks of sliders in another thread than cells: one figure, drawn for two screens at once."""
    figure, axes = make()
    draw, stills = figure.figure.canvas.draw, []

    def draw_while_a_still_is_made():
        draw()
        if not stills:
            stills.append(threading.Thread(target=figure.still_html))
            stills[0].start()
            stills[0].join(timeout=0.3)  # it either draws now, or waits for its turn

    axes.set_title("new")  # so that the background is drawn anew
    figure.figure.canvas.draw = draw_while_a_still_is_made
    figure.move(k=0.7)
    stills[0].join(timeout=30)
    fresh, fresh_axes = make(0.7)
    fresh_axes.set_title("new")
    fresh.move(k=0.1)
    fresh.move(k=0.7)
    assert pixels(figure) == pixels(fresh)


@pytest.mark.parametrize("change", [{"ylim": (0, 3)}, {"title": "new"}, {"xlabel": "new"}, {"yscale": "symlog"}])
def test_background_follows_what_it_depends_on(change):
    def picture(changed_at):
        figure, axes = make(k=0.5)
        redraw = figure.redraw
        figure.redraw = lambda k: (axes.set(**change), redraw(k))[1] if k in changed_at else redraw(k)
        figure.move(k=0.7)
        figure.move(k=0.8)
        return pixels(figure)

    assert picture({0.7, 0.8}) == picture({0.8}) != picture(set())


@pytest.fixture
def shown(monkeypatch):
    """Collects the MIME bundles that are displayed; those of an update carry the mark ``update``."""
    import IPython.display

    found = []

    class Handle:
        display_id = "1"

        def update(self, bundle, raw):
            found.append({**bundle, "update": True})

    monkeypatch.setattr(IPython.display, "display", lambda bundle, **_: found.append(bundle) or Handle())
    return found


def test_what_is_displayed_is_a_still_and_then_the_widget(shown):
    figure, _ = make(alt='A "line" & more.')
    figure._ipython_display_()
    still, live = shown
    assert live == {WIDGET: {"model_id": figure.model_id, "version_major": 2, "version_minor": 0}}
    assert set(still) == {"text/html", "text/plain"}
    assert 'alt="A &quot;line&quot; &amp; more. k is 0.50."' in still["text/html"]
    assert "How high?" in still["text/html"]
    assert "Run this cell to move the sliders" in still["text/html"]
    assert "data:image/png;base64," in still["text/html"]
    assert "k is 0.50." in still["text/plain"]


def test_the_still_follows_the_sliders_once_they_rest(shown):
    figure, _ = make()

    async def drag():
        figure._ipython_display_()
        for value in (0.6, 0.7, 0.25):
            figure.move(k=value)
        assert len(shown) == 2, "while the slider moves nothing but its picture is sent"
        await asyncio.sleep(1.0)

    asyncio.run(drag())
    (last,) = shown[2:]
    assert last["update"]
    assert "k is 0.25." in last["text/html"]
    assert "k is 0.25." in figure.picture.tooltip


def test_a_picture_at_rest_is_drawn_for_dense_screens(shown):
    figure, _ = make()
    size = Image.open(io.BytesIO(pixels(figure))).size
    figure._ipython_display_()
    assert Image.open(io.BytesIO(pixels(figure))).size == (2 * size[0], 2 * size[1])
    assert Image.open(io.BytesIO(pixels(figure))).convert("RGB").getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize(("height", "top"), [(0.09, 0.1), (0.12, 0.15), (0.35, 0.4), (0.98, 1.5), (70.0, 80.0)])
def test_axes_without_limits_follow_the_lines(height, top):
    figure, axes = acme.plot.subplots(size=(4, 2))
    (line,) = axes.plot([0, 1, 2], [0, 0, 0])
    axes.axvline(1)

    def redraw(k):
        line.set_ydata([0, k * height, 0])
        return "moved"

    explore(figure, redraw, question="q", alt="a", caption="c", k=slider(0.0, 2.0, 1.0, label="k"))
    assert axes.get_ylim() == pytest.approx((0, top))


def test_picture_has_what_the_front_end_needs_to_write_its_description():
    figure, _ = make()
    state = figure.picture.get_state()
    assert state["description"] == "", "without it the front end cannot show an image that has a tooltip"
    assert state["tooltip"].startswith("A line.")


def test_button_goes_back_to_the_start():
    figure, _ = make()
    before = pixels(figure)
    figure.move(k=0.9)
    figure.reset.click()
    assert figure.values == {"k": 0.5}
    assert pixels(figure) == before


def test_error_while_moving_keeps_the_picture_and_says_so():
    def fragile(k):
        if k > 0.8:
            raise ZeroDivisionError("k is too large <here>")
        return f"k is {k}"

    figure, _ = make(redraw=fragile)
    before = pixels(figure)
    figure.move(k=0.9)
    assert "k is too large &lt;here&gt;" in figure.answer.value
    assert isinstance(figure.error, ZeroDivisionError)
    assert pixels(figure) == before
    figure.move(k=0.5)
    assert figure.error is None
    assert "k is 0.5" in figure.answer.value


def test_error_that_shows_only_in_drawing_keeps_the_picture():
    figure, axes = make()
    before, redraw = pixels(figure), figure.redraw
    figure.redraw = lambda k: (axes.lines[0].set_ydata([0, 1]) if k > 0.8 else None, redraw(k) if k <= 0.8 else "")[1]
    figure.move(k=0.9)
    assert "No picture for these values" in figure.answer.value
    assert pixels(figure) == before


def test_error_at_the_start_is_an_error():
    with pytest.raises(TypeError):
        make(redraw=lambda wrong_name: "")


def test_redraw_is_measured_and_leaves_the_sliders_alone():
    figure, _ = make()
    seconds = figure.redraw_seconds()
    assert len(seconds) >= 10
    assert np.all(seconds > 0)
    assert figure.values == {"k": 0.5}
    assert len(figure.redraw_seconds([{"k": 0.1}, {"k": 0.1}, {"k": 0.2}])) == 2, "a move that changes nothing is none"


@pytest.mark.jit
def test_redraw_within_a_tenth_of_a_second():
    figure, _ = make()
    assert np.median(figure.redraw_seconds()) < 0.1


def test_sliders_redraw_while_they_move():
    for control in (
        slider(0, 9, 3, label="n"),
        slider(0.0, 1.0, 0.5, label="x"),
        slider(0.01, 100.0, 1.0, label="y", log=True),
    ):
        assert control.continuous_update
        assert control.value == pytest.approx({"n": 3, "x": 0.5, "y": 1.0}[control.description])


def test_figures_of_a_process_are_listed_in_order():
    first, second = make()[0], make()[0]
    listed = live_figures()
    assert listed.index(first) < listed.index(second)


@pytest.mark.parametrize(
    "arguments",
    [{"low": 0, "high": 9, "start": 10}, {"low": 3, "high": 3, "start": 3}, {"low": 0, "high": 1, "start": -1}],
)
def test_slider_outside_its_range_is_refused(arguments):
    with pytest.raises(ParameterError, match="cannot start at"):
        slider(**arguments, label="k")


@pytest.mark.parametrize(
    ("low", "step", "digits"), [(0.25, 0.25, 2), (0.5, 0.5, 1), (0.0, 0.125, 3), (0.1, 0.1, 1), (0.0, 5, 0)]
)
def test_a_slider_shows_its_values_in_full(low, step, digits):
    """A step of 0.25 once read 0.3 at 0.25 and 0.8 at 0.75."""
    control = slider(low, 40.0, low, label="x", step=step)
    assert control.readout_format == f".{digits}f"
    for k in range(9):
        value = low + k * step
        assert float(format(value, control.readout_format)) == pytest.approx(value, rel=1e-12)


def test_logarithmic_slider_from_zero_is_refused():
    with pytest.raises(ParameterError, match="positive"):
        slider(0.0, 1.0, 0.5, label="k", log=True)


@pytest.mark.parametrize("missing", ["question", "alt", "caption"])
def test_slider_figure_without_words_is_refused(missing):
    with pytest.raises(ParameterError, match=f"{missing} must be a sentence"):
        make(**{missing: " "})


def test_figure_without_sliders_is_refused():
    figure, _ = acme.plot.subplots()
    with pytest.raises(ParameterError, match="a slider for each parameter"):
        explore(figure, lambda: "", question="q", alt="a", caption="c")


# Predictions


@pytest.fixture(autouse=True)
def record(tmp_path, monkeypatch):
    """A learner's record of its own for each test."""
    monkeypatch.setenv("ACME_RECORD", str(tmp_path / "learner" / "predictions.json"))
    return tmp_path / "learner" / "predictions.json"


def ask(key=None):
    return Prediction(
        "Which $n$?",
        ["1 < 2", "two"],
        answer="two",
        because={"1 < 2": "You counted the states.", "two": "There are two."},
        key=key,
    )


def commit(asked, option):
    asked.choice.value = option
    asked.commit.click()
    return asked.reply.value


def test_each_option_gets_its_own_reason():
    asked = ask()
    wrong = commit(asked, "1 < 2")
    assert "Not quite" in wrong
    assert "You counted the states." in wrong
    assert "There are two." not in wrong, "a wrong answer does not give the right one away"
    right = commit(asked, "two")
    assert "Right" in right
    assert "There are two." in right


def test_nothing_is_chosen_and_nothing_said_before_the_learner_commits():
    asked = ask()
    assert asked.choice.value is None
    assert asked.commit.disabled
    asked.commit.click()
    assert asked.reply.value == ""
    asked.choice.value = "two"
    assert not asked.commit.disabled
    assert asked.reply.value == ""
    asked.commit.click()
    asked.choice.value = "1 < 2"
    assert asked.reply.value == "", "an old verdict does not stand beside a new choice"


def test_without_a_kernel_the_answer_is_folded():
    open_part, folded = ask().still()["text/html"].split("<details")
    assert "<li>1 &lt; 2</li>" in open_part
    assert "There are two." not in open_part
    assert re.search("✔ <strong>two</strong> There are two.", folded)
    assert re.search("✘ <strong>1 &lt; 2</strong> You counted the states.", folded)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", ["a", "b"], "a", {"a": "x", "b": "y"}), "question must be a text"),
        (("q", ["a"], "a", {"a": "x"}), "two or more"),
        (("q", ["a", "a"], "a", {"a": "x"}), "different"),
        (("q", ["a", "b"], "c", {"a": "x", "b": "y"}), "one of the options"),
        (("q", ["a", "b"], "a", {"a": "x"}), r"without one: \['b'\]"),
        (("q", ["a", "b"], "a", {"a": "x", "b": "y", "c": "z"}), r"unknown: \['c'\]"),
    ],
)
def test_prediction_that_cannot_teach_is_refused(arguments, message):
    question, options, answer, because = arguments
    with pytest.raises(ParameterError, match=message):
        Prediction(question, options, answer=answer, because=because)


def test_feedback_on_what_is_no_option_is_refused():
    with pytest.raises(ParameterError, match="must be one of"):
        ask().feedback("three")


def test_a_prediction_is_remembered_and_its_first_choice_counts(record):
    commit(ask("9/states"), "1 < 2")
    again = ask("9/states")
    assert again.choice.value == "1 < 2"
    assert "You counted the states." in again.reply.value
    commit(again, "two")
    entry = json.loads(record.read_text("utf-8"))["9/states"]
    assert (entry["first"], entry["last"], entry["right"]) == ("1 < 2", "two", False)
    record.unlink()
    assert ask("9/states").choice.value is None, "a learner may delete the record"


@pytest.mark.parametrize(
    ("low", "high", "start"), [(1.0, 50.0, 8.0), (0.02, 1.0, 1.0), (0.25, 8.0, 1.0), (20, 3000, 300)]
)
def test_a_logarithmic_slider_starts_where_it_is_told(low, high, start):
    """A page rounds what a slider holds to whole steps from its lower end."""
    control = slider(low, high, start, label="x", log=True, step=0.05)
    steps = round((np.log10(control.value) - control.min) / control.step)
    assert 10 ** (control.min + steps * control.step) == pytest.approx(start, rel=1e-9)
    assert control.value == pytest.approx(start, rel=1e-9)
    assert low <= 10**control.min * (1 + 1e-9) < low * 10**0.05
    assert high * 10**-0.05 < 10**control.max * (1 - 1e-9) <= high


def test_predictions_of_a_chapter_are_counted():
    assert str(my_predictions(1)).startswith("You have made none of the 6 predictions")
    right, wrong = predict(1, "snapshot"), predict(1, "overdue")
    commit(right, right.answer)
    commit(wrong, next(option for option in wrong.options if option != wrong.answer))
    count = my_predictions(1)
    assert (count.asked, count.made, count.right) == (6, 2, 1)
    assert my_predictions(0).made == 0


@pytest.mark.parametrize("text", ["not JSON", "[1, 2]", '{"1/snapshot": 3}'])
def test_a_record_that_cannot_be_read_stops_nothing(record, text):
    record.parent.mkdir()
    record.write_text(text, "utf-8")
    asked = predict(1, "snapshot")
    commit(asked, asked.answer)
    assert my_predictions(1).right == 1


def test_where_nothing_is_to_be_remembered_nothing_is_written(record, monkeypatch):
    monkeypatch.setenv("ACME_RECORD", "")
    commit(ask("9/states"), "two")
    assert not record.exists()


def test_what_was_predicted_stands_in_the_still(shown):
    asked = ask()
    asked._ipython_display_()
    commit(asked, "two")
    assert "Your prediction: <strong>two</strong>" in shown[-1]["text/html"]


@pytest.mark.parametrize("chapter", sorted(int(path.name[:2]) for path in PREDICTIONS))
def test_each_question_of_the_course_can_be_asked(chapter):
    names = read_questions(chapter)
    assert names
    for name in names:
        assert len(predict(chapter, name).options) >= 2


def test_a_question_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ParameterError, match="'snapshot', 'four molecules'"):
        predict(1, "snapshots")


def test_a_question_with_two_answers_is_refused():
    with pytest.raises(ParameterError, match=r"marks one option with \[x\], got 2"):
        parse_question("Which?\n\n- [x] a\n  first\n- [x] b\n  second\n")


# The check of the installation


def find(name):
    """The line of the report on one thing."""
    return check_module._guarded(name, check_module.CHECKS[name])


@pytest.mark.jit
def test_sound_installation_is_sound(capsys):
    report = check_installation()
    assert report.sound, str(report)
    assert "Everything is installed" in str(report)
    report.details()
    assert "ipywidgets" in capsys.readouterr().out


def test_report_holds_no_number_that_differs_between_machines():
    numbers = [finding.words for finding in check_installation().findings if re.search(r"\d", finding.words)]
    assert numbers == []


def test_unsupported_python_is_reported(monkeypatch):
    monkeypatch.setattr(check_module.sys, "version_info", (3, 9, 1, "final", 0))
    finding = find("Python")
    assert not finding.sound
    assert "3.9.1 is outside" in finding.words
    assert "install a Python" in finding.fix


def test_missing_and_old_packages_are_reported(monkeypatch):
    real = check_module.metadata.version

    def version(name):
        if name == "scipy":
            raise check_module.metadata.PackageNotFoundError(name)
        return "0.1" if name == "numpy" else real(name)

    monkeypatch.setattr(check_module.metadata, "version", version)
    finding = find("packages")
    report = check_module.Report((finding,))
    assert not finding.sound
    assert "scipy is missing" in finding.words
    assert "numpy 0.1 is outside" in finding.words
    assert "What to do:" in str(report)
    assert "To be fixed: packages" in report.verdict
    assert "✘ <strong>to fix</strong>" in report.html()


def test_wrong_simulation_is_reported(monkeypatch):
    real = check_module._simulate

    class Shifted:
        def __init__(self, ensemble):
            self.ensemble = ensemble

        def __getitem__(self, name):
            return self.ensemble[name] + 1

    monkeypatch.setattr(check_module, "_simulate", lambda size, seed: Shifted(real(size, seed)))
    finding = find("simulation")
    assert not finding.sound
    assert "standard errors from the exact" in finding.words


def test_threads_that_disagree_are_reported(monkeypatch):
    import acme_lib.simulate

    real = acme_lib.simulate.simulate_ssa

    def simulate(*args, rng, threads=None, **options):
        return real(*args, rng=np.random.default_rng(threads), threads=threads, **options)

    monkeypatch.setattr(acme_lib.simulate, "simulate_ssa", simulate)
    finding = find("threads")
    assert not finding.sound
    assert "different counts" in finding.words


def test_switched_off_compiler_is_reported(monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    finding = find("compiler")
    assert not finding.sound
    assert "NUMBA_DISABLE_JIT" in finding.fix


@pytest.mark.jit
def test_compiler_that_keeps_nothing_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(check_module, "_cache_folder", lambda: tmp_path)
    finding = find("compiler")
    assert not finding.sound
    assert "not kept on disk" in finding.words


def test_slow_compiler_is_reported(monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    monkeypatch.setattr(check_module, "_simulate", lambda size, seed: None)
    clock = iter([0.0, 9.0, 10.0, 12.5])
    monkeypatch.setattr(check_module.time, "perf_counter", lambda: next(clock))
    sound, words, fix, _ = check_module._check_kernels()
    assert not sound
    assert "2.5 s" in words
    assert "close programs" in fix


@pytest.mark.parametrize("name", ["ipywidgets", "jupyterlab_widgets"])
def test_missing_sliders_are_reported(monkeypatch, name):
    monkeypatch.setattr(check_module, "_installed", lambda package: package != name)
    finding = find("sliders")
    assert not finding.sound
    assert name in finding.words


def test_missing_browser_part_of_the_sliders_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(check_module.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(check_module, "_lab_folders", lambda: [])
    finding = find("sliders")
    assert not finding.sound
    assert "jupyterlab-manager" in finding.words
    assert "reload the page" in finding.fix


def test_unwritable_folder_is_reported(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setattr(check_module, "_cache_folder", lambda: blocked)
    finding = find("disk")
    assert not finding.sound
    assert str(blocked) in finding.words
    assert "NUMBA_CACHE_DIR" in finding.fix


def test_check_that_breaks_is_a_line_and_not_a_traceback(monkeypatch):
    def broken():
        raise ImportError("DLL load failed")

    monkeypatch.setitem(check_module.CHECKS, "simulation", broken)
    finding = find("simulation")
    assert not finding.sound
    assert "DLL load failed" in finding.words
    assert "uv sync" in finding.fix


def test_folder_that_can_be_written_is_left_as_it_was(tmp_path):
    assert check_module._writable(tmp_path / "new")
    assert list(Path(tmp_path / "new").iterdir()) == []


def test_unknown_name_is_an_error_that_lists_the_names():
    import acme_lib.teach

    with pytest.raises(AttributeError, match="check_installation"):
        acme_lib.teach.chek_installation  # noqa: B018
    assert {"predict", "explore", "check_installation"} <= set(dir(acme_lib.teach))

"""The demonstrations of the chapters: their files, their pictures, and the answers of their server."""

import http.client
import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from acme_lib.errors import ParameterError
from acme_lib.teach import demo as module
from acme_lib.teach.demo import Demo, list_demos, parse_demo, read_demo
from acme_lib.teach.present import HOST, Handler, Server
from tests.marks import always

COURSE = Path(__file__).resolve().parents[3] / "course"
FILE = 'figure = "regimes"\nidea = "An idea."\nplay = "k_off"\n[presets]\n"a" = {mean = 3}\n"b" = {mean = 9}\n'


def make(chapter):
    return Demo(chapter, COURSE / f"{list_demos()[chapter]}.ipynb")


def test_each_demonstration_belongs_to_a_chapter_and_says_one_thing():
    demos = list_demos()
    assert list(demos) == list(range(1, len(demos) + 1))
    assert len(demos) >= 9
    for chapter, name in demos.items():
        assert (COURSE / f"{name}.ipynb").is_file()
        demo = read_demo(chapter)
        assert re.fullmatch(r"[A-Z][^.]{20,70}\.", demo["idea"]), "one sentence, which stands on one line"
        assert all(len(name) <= 32 for name in demo["presets"])


@pytest.mark.parametrize("chapter", always(2, list_demos()))
def test_each_setting_draws_a_picture_that_holds_its_curve(chapter):
    demo = make(chapter)
    pictures = set()
    for preset in demo.facts["presets"]:
        text, pixels = demo.draw(0, preset["at"], 640, 360, 20)
        assert pixels.shape == (360, 640, 4)
        assert any(character.isdigit() for character in text)
        pictures.add(pixels.tobytes())
        axes, follow = demo.panels[0].axes, read_demo(chapter)["follow"]
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        tops = []
        for line in axes.lines:
            x, y = (np.asarray(values, dtype=float) for values in line.get_data(orig=False))
            if line.get_transform() == axes.transData:
                seen = y[(x >= left) & (x <= right) & np.isfinite(y)]
                tops.append(seen.max(initial=-np.inf))
                if "y" in follow:
                    assert seen.min(initial=0) >= low - 1e-12
                    assert seen.max(initial=0) <= high
        assert not follow or max(tops) > 0.35 * high, "the curve lies at the bottom of the picture"
    assert len(pictures) == len(demo.facts["presets"])
    start = [slider["start"] for slider in demo.facts["sliders"]]
    assert all(0 <= at < len(slider["texts"]) for at, slider in zip(start, demo.facts["sliders"], strict=True))


def test_two_sides_do_not_disturb_each_other():
    demo = make(4)
    first, second, *_ = (preset["at"] for preset in demo.facts["presets"])
    alone = demo.draw(0, first, 500, 300, 18)[1].copy()
    demo.draw(1, second, 400, 300, 18)
    demo.draw(0, second, 500, 300, 18)
    np.testing.assert_array_equal(demo.draw(0, first, 500, 300, 18)[1], alone)


@pytest.mark.parametrize("letters", [18, 40])
def test_the_legend_is_as_wide_as_it_may_be(letters):
    pixels = make(4).draw_legend(900, letters)
    assert pixels.shape[1] == 900
    inked = (pixels[..., :3] < 200).any(axis=2)
    assert inked.any()
    assert not inked[:, [0, -1]].any() and not inked[[0, -1]].any(), "it is cut"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FILE.replace('idea = "An idea."\n', ""), "needs idea"),
        (FILE.replace("play", "plays", 1), "needs play"),
        (f"speed = 3\n{FILE}", "has no speed"),
        (f'follow = "up"\n{FILE}', "follow must be"),
        (FILE.replace('"b" = {mean = 9}\n', ""), "presets must be two to nine"),
    ],
)
def test_a_file_that_says_too_little_or_too_much_is_refused(text, message):
    with pytest.raises(ParameterError, match=message):
        parse_demo(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FILE.replace("regimes", "regime"), "no function 'regime'"),
        (FILE.replace("k_off", "koff"), "no slider 'koff'; it has k_on, k_off, mean"),
        (FILE.replace("mean = 9", "middle = 9"), "no slider 'middle'"),
        (FILE.replace("mean = 9", "mean = 900"), "mean must be from 2 to 30, got 900"),
    ],
)
def test_a_file_that_does_not_fit_its_chapter_is_refused(monkeypatch, text, message):
    monkeypatch.setattr(module, "read_demo", lambda chapter: parse_demo(text))
    with pytest.raises(ParameterError, match=message):
        make(4)


def test_a_chapter_without_demonstration_is_refused():
    with pytest.raises(ParameterError, match="chapter must be one that has a demonstration"):
        read_demo(0)


class OnePixel:
    """A demonstration that fails at place 13."""

    facts = {"idea": "It answers."}

    def draw(self, panel, at, width, height, letters):
        if at == [13]:
            raise ZeroDivisionError("unlucky")
        return f"side {panel} at {at}", np.full((height, width, 4), 7, dtype=np.uint8)


@pytest.fixture
def ask():
    class WithOnePixel(Handler):
        demo = OnePixel()

    with Server((HOST, 0), WithOnePixel) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        connection = http.client.HTTPConnection(*server.server_address, timeout=20)

        def ask(path, body=None):
            connection.request("POST" if body else "GET", path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

        yield ask
        connection.close()
        server.shutdown()


def test_the_server_answers_and_refuses(ask, capsys):
    status, page = ask("/")
    assert status == 200
    assert page.startswith(b"<!DOCTYPE html>")
    assert json.loads(ask("/demo")[1]) == OnePixel.facts
    assert ask("/elsewhere")[0] == 404
    asked = {"panel": 1, "at": [2], "width": 5, "height": 4, "letters": 10}
    status, answer = ask("/draw", json.dumps(asked))
    size = int.from_bytes(answer[:4], "little")
    facts = json.loads(answer[4 : 4 + size])
    assert (status, facts["text"], facts["width"], facts["height"]) == (200, "side 1 at [2]", 5, 4)
    assert answer[4 + size :] == bytes([7]) * 80
    for wrong in ("no JSON", "[]", "{}", json.dumps({**asked, "width": 10**9}), json.dumps({**asked, "at": "x"})):
        assert ask("/draw", wrong)[0] == 400, wrong
    status, answer = ask("/draw", json.dumps({**asked, "at": [13]}))
    assert status == 200
    assert b'"failed": true' in answer
    assert b"Traceback" not in answer
    assert "no picture at [13]: ZeroDivisionError: unlucky" in capsys.readouterr().err

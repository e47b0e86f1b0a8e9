"""The slides of the chapters in a real browser: none is cut, none shows an answer too early, none needs a network."""

from pathlib import Path

import pytest

from acme_lib.build.slides import make_slides
from tests.browser.test_access import find_faults

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "course").glob("[0-9][0-9]_*.ipynb"))[1:]
LATER = "section.now .later, section.now .later-reasons .reasons"
# What stands outside of a slide, with everything shown, in pixels of the slide; and its smallest letters.
MEASURE = """
() => {
    const slide = document.querySelector('section.now'), body = slide.querySelector('.body').getBoundingClientRect();
    const scale = document.getElementById('deck').getBoundingClientRect().width / 1600, outside = [], letters = [];
    for (const element of slide.querySelectorAll('.content *')) {
        const words = `${element.tagName} ${element.textContent.slice(0, 40)}`;
        if (element.parentElement.closest('svg, math') || element.matches('script, style, template')) continue;
        if (element.closest('details:not([open])') && !element.closest('summary')) continue;
        const box = element.getBoundingClientRect();
        if (!box.width || !box.height) continue;
        const over = Math.max(
            box.bottom - body.bottom, box.right - body.right, body.top - box.top, body.left - box.left);
        if (over > 2 * scale) outside.push(`${words} by ${Math.round(over / scale)}`);
        if (element.matches('pre, table, p, li, div') && element.scrollWidth > element.clientWidth + 2)
            outside.push(`${words} is wider by ${element.scrollWidth - element.clientWidth}`);
        if ([...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
            letters.push([parseFloat(getComputedStyle(element).fontSize) * (element.currentCSSZoom ?? 1), words]);
    }
    letters.sort((a, b) => a[0] - b[0]);
    return {outside, letters: letters[0] ?? [99, '']};
}
"""


def write_slides(chapter, folder):
    page = folder / f"{chapter.stem}.html"
    page.write_text(make_slides(chapter, cache=folder, budget=60_000), encoding="utf-8")
    return page


def open_slides(browser, path, width=1280, height=720):
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    page.set_default_timeout(120_000)
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-arranged]")
    return page, problems


@pytest.mark.parametrize(
    "chapter",
    [pytest.param(path, marks=() if i == 0 else pytest.mark.slow, id=path.stem[:2]) for i, path in enumerate(CHAPTERS)],
)
def test_every_slide_fits_and_answers_come_later(chapter, browser, tmp_path):
    path = write_slides(chapter, tmp_path)
    page, problems = open_slides(browser, path)
    number = int(page.get_attribute("body", "data-arranged"))
    assert number >= 25
    questions, small = 0, []
    for i in range(1, number + 1):
        page.evaluate("i => { location.hash = `#${i}`; }", i)
        page.wait_for_function("at => document.getElementById('place').innerText === at", arg=f"{i} / {number}")
        if page.locator("section.now .asks").count():
            questions += 1
            assert page.locator("section.now .asks li").first.is_visible()
            assert page.locator("section.now .reasons").first.is_hidden(), "the answer stands below the question"
        while page.locator(LATER).count():
            page.keyboard.press("PageDown")
        found = page.evaluate(MEASURE)
        assert found["outside"] == [], f"slide {i} of {number}"
        for folded in page.locator("section.now details").all():
            folded.locator("summary").click()
            page.wait_for_timeout(50)
            assert page.evaluate(MEASURE)["outside"] == [], f"slide {i} of {number}, unfolded"
            folded.locator("summary").click()
        if i % 5 == 1:
            assert find_faults(page, ["section.now", "#bar"]) == []
        small.append((found["letters"][0], i, found["letters"][1]))
    assert questions >= 3
    assert min(small)[0] >= 15, min(small)
    text = page.evaluate("() => [...document.querySelectorAll('section')].map(s => s.textContent).join(' ')")
    assert "(stored result)" not in text
    assert "Run this cell" not in text
    assert problems == []
    page.context.close()


def test_a_figure_moves_on_a_slide_without_a_kernel(browser, tmp_path):
    page, problems = open_slides(browser, write_slides(CHAPTERS[0], tmp_path))
    number = page.evaluate(
        "() => 1 + [...document.querySelectorAll('section')].findIndex(s => s.querySelector('.acme-playable'))"
    )
    assert number > 1
    page.goto(page.url.split("#")[0] + f"#{number}")
    slider = page.locator("section.now input[type=range]").first
    slider.wait_for(state="visible")
    picture, said = page.locator("section.now svg"), page.locator("section.now .acme-says")
    before = picture.screenshot(), said.inner_text()
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("said => document.querySelector('section.now .acme-says').innerText !== said", arg=before[1])
    assert picture.screenshot() != before[0]
    assert page.locator("#place").inner_text().startswith(f"{number} /"), "the arrow moved the slider, not the slides"
    page.keyboard.press("PageDown")
    assert problems == []
    page.context.close()

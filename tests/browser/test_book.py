"""The whole book, built and read in a real browser without a network: on a laptop, a phone, in the dark, by keyboard.

Pictures of what was seen are left in ``test-artifacts/book/``.
"""

import time

import pytest

from acme_lib.build.book import build_book
from tests.browser.conftest import ARTIFACTS, ROOT
from tests.browser.test_access import find_faults

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 720}
CHAPTER = "course/01_chemical_master_equation.html"
LARGEST_SITE, LARGEST_FIGURE = 60e6, 2.1e6  # bytes


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The site, built as `acme book` builds it; what an earlier build kept of the same text is taken again."""
    return build_book(ROOT, tmp_path_factory.mktemp("site") / "book")


@pytest.fixture
def read(browser, book):
    """Open a page of the book; at the end, nothing was asked for outside of its folder, and no script failed."""
    opened, wrong = [], []

    def open_page(name, viewport=LAPTOP, **options):
        context = browser.new_context(viewport=viewport, offline=True, **options)
        opened.append(context)
        page = context.new_page()
        inside = book.folder.as_uri()
        page.on("request", lambda r: None if r.url.startswith((inside, "data:", "blob:")) else wrong.append(r.url))
        page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto(f"{inside}/{name}")
        return page

    yield open_page
    for context in opened:
        context.close()
    assert wrong == []


def keep(page, name, **options):
    folder = ARTIFACTS / "book"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", **options)


def drawn(figure):
    return figure.locator(".acme-picture svg").evaluate("svg => svg.innerHTML")


def wait_for_change(page, figure, before):
    page.wait_for_function(
        "([figure, before]) => figure.querySelector('.acme-picture svg').innerHTML !== before",
        arg=[figure.element_handle(), before],
    )


def test_the_book_keeps_its_budgets(book):
    print(book)
    assert book.size < LARGEST_SITE
    assert len(book.figures) > 30
    assert max(book.figures.values()) < LARGEST_FIGURE


def test_a_figure_moves_by_keyboard_alone(read):
    page = read("index.html")
    figure = page.locator(".acme-playable").first
    before, said = drawn(figure), figure.locator(".acme-says").inner_text()
    slider = page.get_by_label("time on (transcript lifetimes)")
    slider.focus()
    value = slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    wait_for_change(page, figure, before)
    assert slider.get_attribute("aria-valuetext") != value
    assert figure.locator(".acme-says").inner_text() != said
    assert figure.locator(".acme-says").get_attribute("aria-live") == "polite"
    label = figure.locator(".acme-picture svg").get_attribute("aria-label")
    assert label.endswith(figure.locator(".acme-says").inner_text())
    page.keyboard.press("End")
    page.wait_for_function("text => !document.querySelector('.acme-says').textContent.includes(text)", arg=said)
    keep(page, "first-page-moved")
    figure.get_by_role("button", name="Back to the start").click()
    page.wait_for_function("before => document.querySelector('.acme-picture svg').innerHTML === before", arg=before)


def test_every_figure_of_every_chapter_moves_and_says_what_it_shows(read, book):
    for path in sorted((book.folder / "course").glob("[0-9]*.html")):
        page = read(f"course/{path.name}")
        for figure in page.locator(".acme-playable").all():
            figure.scroll_into_view_if_needed()
            page.wait_for_function("id => window.acmeFrames?.[id]", arg=figure.get_attribute("id"))
            for slider in figure.locator("input").all():
                before, said = drawn(figure), figure.locator(".acme-says").inner_text()
                slider.focus()
                page.keyboard.press("End" if slider.input_value() != slider.get_attribute("max") else "Home")
                page.wait_for_timeout(30)
                assert (drawn(figure), figure.locator(".acme-says").inner_text()) != (before, said), (path.name, said)
        page.close()


def test_the_time_until_a_figure_moves(read):
    start = time.perf_counter()
    page = read(CHAPTER)
    figure = page.locator(".acme-playable").first
    before = drawn(figure)
    figure.locator("input").first.focus()
    page.keyboard.press("ArrowRight")
    wait_for_change(page, figure, before)
    took = time.perf_counter() - start
    print(f"from opening the chapter to the first moved picture: {took:.2f} s")
    assert took < 10


def test_a_result_unfolds_when_its_prediction_is_made_and_stays_so(read):
    page = read(CHAPTER)
    form = page.locator("form.acme-predict").first
    folds = page.locator("div.cell.tag_result details")
    assert folds.count() > 5
    assert all(not fold.evaluate("fold => fold.open") for fold in folds.all())
    assert form.locator("details").count() == 0
    button = form.get_by_role("button", name="This is my prediction")
    assert button.is_disabled()
    form.locator("input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert form.locator(".acme-reply").inner_text().startswith(("✔ Right.", "✘ Not quite."))
    opened = [fold.evaluate("fold => fold.open") for fold in folds.all()]
    assert opened[0] and not opened[-1]
    form.scroll_into_view_if_needed()
    keep(page, "prediction")
    page.reload()
    form = page.locator("form.acme-predict").first
    assert form.locator(".acme-reply").inner_text() != ""
    assert form.locator("input").first.is_checked()
    assert page.locator("div.cell.tag_result details").first.evaluate("fold => fold.open")


def test_without_scripts_a_figure_stands_still_and_an_answer_is_folded(read):
    page = read(CHAPTER, java_script_enabled=False)
    figure = page.locator(".acme-playable").first
    assert figure.locator(".acme-picture path").count() > 5
    assert not figure.locator("input").first.is_visible()
    assert page.locator("form.acme-predict details").count() > 3
    assert not page.locator("form.acme-predict details li").first.is_visible()


@pytest.mark.parametrize(
    "name", ["index.html", CHAPTER, "howto/toggle_switch.html", "guide.html", "reference/simulate.html"]
)
def test_a_phone_shows_each_page_without_scrolling_sideways(read, name):
    page = read(name, PHONE, has_touch=True, is_mobile=True)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    keep(page, f"phone-{name.rpartition('/')[2].removesuffix('.html')}")


def test_a_figure_moves_under_a_finger(read):
    page = read("index.html", PHONE, has_touch=True, is_mobile=True)
    figure = page.locator(".acme-playable").first
    before, slider = drawn(figure), figure.locator("input").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box["height"] >= 24
    page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    wait_for_change(page, figure, before)
    figure.scroll_into_view_if_needed()
    keep(page, "phone-figure-moved")


def test_in_the_dark_text_and_figures_are_light(read):
    page = read(CHAPTER, color_scheme="dark")
    assert sum(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")) < 150
    figure = page.locator(".acme-playable").first
    figure.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert "invert" in figure.locator("svg").evaluate("svg => getComputedStyle(svg).filter")
    keep(page, "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["index.html", CHAPTER, "howto/toggle_switch.html", "guide.html", "reference/simulate.html"]
)
def test_a_page_is_open_to_everyone(browser, book, name, scheme):
    page = browser.new_page(viewport=LAPTOP, color_scheme=scheme)
    page.goto(f"{book.folder.as_uri()}/{name}")
    for figure in page.locator(".acme-playable").all():
        figure.scroll_into_view_if_needed()
    assert find_faults(page, ["article"]) == []
    page.close()


def test_the_book_can_be_searched(read):
    page = read("search.html?q=toggle")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li").count() >= 2
    keep(page, "search")


def test_formulas_are_typeset_with_the_font_of_the_book(read):
    page = read(CHAPTER)
    assert page.locator("math").count() > 50
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"acme formulas\"'))")
    place = page.locator("div.math math").nth(1)
    place.scroll_into_view_if_needed()
    keep(page, "formulas")

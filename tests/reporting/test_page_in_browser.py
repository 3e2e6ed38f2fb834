"""The committed page as a reader's browser shows it: headless Chromium, where one is installed."""

import json
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from stages.readme import models
from tests.conftest import ROOT

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Chromium's own sandbox does not start as root, in containers say; the page is ours.
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """The page, opened from disk. Whatever it complains of or asks a network for is a failure."""
    page = browser.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if outside(request.url) else None)
    page.goto((ROOT / "report/index.html").as_uri())
    yield page
    page.close()
    assert faults == []


def outside(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:"))


def table(page: Page, name: str) -> list[list[str]]:
    rows = page.locator(f"#table-{name} tbody tr").all()
    return [row.locator("td").all_inner_texts() for row in rows]


def test_every_picture_is_shown_and_described(page: Page) -> None:
    pictures = page.locator("img").all()
    assert len(pictures) > 10
    for picture in pictures:
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
        assert len(picture.get_attribute("alt") or "") > 20


def test_the_tables_say_what_the_json_says(page: Page) -> None:
    files = [json.loads((ROOT / f"metrics/{name}.json").read_text()) for name in models()]
    results = table(page, "results")
    assert [row[1].split()[0] for row in results] == [f"{f['accuracy']:.2%}" for f in files]
    assert [row[2].split()[0] for row in results] == [f"{f['f1_macro']:.2%}" for f in files]
    assert [int(row[4].split()[0]) for row in results] == [f["errors"] for f in files]
    assert [row[3] for row in table(page, "calibration")] == [f"{f['ece']:.4f}" for f in files]
    assert [row[1] for row in table(page, "price")] == [f"{f['parameters']:,}" for f in files]
    comparison = json.loads((ROOT / "metrics/comparison.json").read_text())
    pairs = [
        [pair["only_better_right"], pair["only_worse_right"]] for pair in comparison["mcnemar"]
    ]
    assert [[int(cell) for cell in row[2:4]] for row in table(page, "differences")] == pairs


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    ink, paper = (
        sum(map(int, page.evaluate(f"getComputedStyle(document.body).{what}")[4:-1].split(",")))
        for what in ("color", "backgroundColor")
    )
    assert abs(ink - paper) > 400  # of 765
    assert (paper < ink) == (scheme == "dark")


def test_it_prints_black_on_white(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_every_link_in_the_contents_leads_somewhere(page: Page) -> None:
    links = page.locator("nav a").all()
    assert len(links) > 10
    for link in links:
        target = link.get_attribute("href") or ""
        assert page.locator(f"h2{target}").inner_text() == link.inner_text()

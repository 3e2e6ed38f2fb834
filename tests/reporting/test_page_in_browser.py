"""The page as a reader's browser shows it, made from the committed metrics."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

import stages.report
from mnist.params import load_params
from mnist.reporting.results import read_results
from tests.conftest import ROOT

SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 740},
}
# Pairs of texts of a figure of which one is printed over the other, and texts beyond its edges.
COLLISIONS = """() => [...document.querySelectorAll("figure > div > svg")].flatMap((svg) => {
  const edges = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim());
  const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]);
  const beyond = boxes.filter(([, box]) => box.left < edges.left - 1 || box.right > edges.right + 1
    || box.top < edges.top - 1 || box.bottom > edges.bottom + 1);
  const over = boxes.flatMap(([text, a], i) => boxes.slice(0, i).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3).map(([other]) => [text, other]));
  return [...beyond, ...over].map((found) => [svg.closest("figure").id, ...found]);
})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with metrics/ and report/."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "metrics", folder / "metrics")
    shutil.copy(ROOT / "params.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stages.report.main()
        yield folder


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    """The page, opened from disk. Messages on the console and network requests are failures."""
    page = browser.new_page(viewport=SIZES["desktop"])
    faults: list[str] = []
    page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if outside(request.url) else None)
    page.goto((folder / "report/index.html").as_uri())
    yield page
    page.close()
    assert faults == []


def outside(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:"))


@pytest.fixture(scope="module")
def wrong(folder: Path) -> np.ndarray:
    """bool (models, images): which images the committed seed of each model misclassifies."""
    results = read_results(folder / "metrics", load_params(folder / "params.yaml"))
    return np.array([~result.correct for result in results.models])


def test_it_is_one_small_file_whose_links_lead_somewhere(page: Page, folder: Path) -> None:
    text = (folder / "report/index.html").read_text()
    assert len(text.encode()) < 2.5e6
    assert "../docs/experiments.md" in text  # what was seen on the test split
    for address in re.findall(r'href="(\.\./[^"]*)"', text):
        assert (ROOT / address.removeprefix("../")).exists()
    for link in page.locator("nav a").all():
        assert page.locator(link.get_attribute("href") or "-").count() == 1


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "dark"), ("phone", "light")])
def test_axe_finds_no_fault(page: Page, size: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size(SIZES[size])
    # The cards are all alike, so that a few are enough.
    page.evaluate(
        "document.querySelectorAll('.cards li:nth-child(n+9)').forEach((li) => li.remove())"
    )
    page.evaluate("document.querySelectorAll('details').forEach((details) => details.open = true)")
    results = Axe().run(page, options={"resultTypes": ["violations"]})
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_every_screen(page: Page, size: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size(SIZES[size])
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert page.evaluate(COLLISIONS) == []


def test_the_errors_are_filtered_from_the_keyboard(page: Page, wrong: np.ndarray) -> None:
    cards, total = page.locator(".cards li:visible"), wrong.any(axis=0).sum()
    assert cards.count() == total
    page.locator("#by-model").focus()
    page.keyboard.type("all models")
    assert cards.count() == wrong.all(axis=0).sum()
    page.keyboard.press("Tab")
    page.keyboard.type(cards.last.get_attribute("data-true") or "")
    read = cards.last.locator("dd.wrong").first.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.type(read)
    assert 0 < cards.count() < wrong.all(axis=0).sum()
    for card in cards.all():
        assert card.locator(f"dd.wrong[data-predicted='{read}']").count() > 0
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Enter")
    assert cards.count() == total
    page.get_by_label("doubtful label").press("Space")
    assert 0 < cards.count() < total
    expect(page.locator("#errors-shown")).to_contain_text(f"{cards.count()} of ")
    assert cards.locator(".votes:visible").count() == cards.count()
    assert cards.first.locator("dd[data-model]").count() == len(wrong)


def test_without_javascript_tables_and_pictures_are_there(
    browser: Browser, folder: Path, wrong: np.ndarray
) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((folder / "report/index.html").as_uri())
    assert page.locator(".cards li:visible").count() == wrong.any(axis=0).sum()
    expect(page.locator(".filters")).to_be_hidden()
    page.locator("summary").first.click()
    expect(page.locator("#table-pairs")).to_be_visible()
    page.close()


def test_it_prints_black_on_white_on_a_few_pages(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for selector in ("nav", "#canvas", ".filters", "summary"):
        expect(page.locator(selector).first).to_be_hidden()
    expect(page.locator("#table-pairs")).to_be_visible()  # what is folded on the screen

"""The page as a reader's browser shows it, made anew from the committed metrics."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

import stages.report
from tests.conftest import ROOT

SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1440, "height": 900},
    "phone": {"width": 360, "height": 740},
}


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


def comparison(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics/comparison.json").read_text())


def shown(page: Page, selector: str) -> list[str]:
    return [text for text in page.locator(selector).all_inner_texts() if text]


# --- what it says


def test_the_tables_hold_what_the_json_holds(page: Page, folder: Path) -> None:
    found = comparison(folder)
    errors = [found["seeds"][name]["mean_error"] for name in found["ranking"]]
    cells = shown(page, "#table-leaderboard tbody tr td:nth-child(2)")
    assert cells == [f"{error:.2%}" for error in errors]
    pairs = [f"{100 * pair['difference']:.2f}" for pair in found["pairs"]]
    assert shown(page, "#table-differences tbody tr td:nth-child(3)") == pairs
    for sentence in found["verdict"]:
        assert page.get_by_text(sentence, exact=True).count() == 1


def test_it_is_one_small_file_that_loads_nothing(page: Page, folder: Path) -> None:
    text = (folder / "report/index.html").read_text()
    assert len(text) < 4e6
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(address.startswith(("data:", "#", "../metrics/")) for address in addresses)
    for address in addresses:
        assert not address.startswith("../") or (folder / "report" / address).exists()


def test_the_links_in_the_contents_lead_to_their_headings(page: Page) -> None:
    for link in page.locator("nav a").all():
        assert page.locator(f"h2{link.get_attribute('href')}").count() == 1


def test_every_chart_has_a_text_that_says_what_it_shows(page: Page) -> None:
    charts = page.locator("main figure [role=img], header figure [role=img]").all()
    assert len(charts) >= 12
    labels = [chart.get_attribute("aria-label") or "" for chart in charts]
    assert all(len(label) > 20 for label in labels)
    assert len(set(labels)) == len(labels)


# --- the leaderboard


def test_a_click_on_a_heading_sorts_by_its_figures(page: Page, folder: Path) -> None:
    costs = comparison(folder)["cost"]
    rows = page.locator("#table-leaderboard tbody tr")

    def order() -> list[str | None]:
        return [row.get_attribute("data-model") for row in rows.all()]

    head = page.locator("#table-leaderboard th", has=page.get_by_role("button", name="Parameters"))
    cheapest_first = sorted(costs, key=lambda name: costs[name]["parameters"])
    head.get_by_role("button").click()
    assert order() == cheapest_first
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    assert order() == cheapest_first[::-1]
    assert page.locator("#table-leaderboard [aria-sort]").count() == 1
    page.get_by_role("button", name="Lab", exact=True).click()
    assert order()[-1] == "frcnn"  # has no figure, so it comes last


def test_the_axis_of_the_scatter_can_be_chosen(page: Page) -> None:
    assert page.locator(".axes figure:visible").count() == 1
    expect(page.locator("#cost_train_tflop")).to_be_visible()
    page.get_by_label("latency").check()
    expect(page.locator("#cost_latency_ms")).to_be_visible()
    assert page.locator(".axes figure:visible").count() == 1


def test_a_row_lights_up_its_model_in_the_scatter(page: Page) -> None:
    page.locator("#table-leaderboard tr[data-model=vit] th").hover()

    def opacity(name: str) -> float:
        mark = page.locator(f"#cost_train_tflop .m-{name}").first
        return float(mark.evaluate("mark => getComputedStyle(mark).opacity"))

    assert (opacity("vit"), opacity("cnn")) == (1, 0.2)


# --- the error browser


def test_the_errors_are_filtered_by_what_was_read_as_what(page: Page, folder: Path) -> None:
    cards = page.locator(".cards li:visible")
    total = comparison(folder)["wrong_by_any"]
    assert cards.count() == total
    # The last row has several cells, so both classes matter.
    cell = page.locator(".matrix button[data-model=vit]").last
    count, actual, predicted = (
        cell.inner_text(),
        cell.get_attribute("data-true"),
        cell.get_attribute("data-predicted"),
    )
    cell.click()
    assert cards.count() == int(count)
    expect(page.locator("#errors-shown")).to_have_text(f"{count} of {total} images")
    for card in cards.all():
        assert card.get_attribute("data-true") == actual
        answer = card.locator("dd[data-model=vit]")
        assert answer.get_attribute("data-predicted") == predicted
    page.get_by_role("button", name="Show all").click()
    assert cards.count() == total
    page.locator("#by-model").select_option("all")
    assert cards.count() == len(comparison(folder)["wrong_by_all"])
    page.get_by_label("doubtful label").check()
    assert 0 < cards.count() < len(comparison(folder)["wrong_by_all"])


# --- everyone can read it


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_no_fault(page: Page, size: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size(SIZES[size])
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size(SIZES["phone"])
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= SIZES["phone"]["width"]
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_without_javascript_tables_and_pictures_are_there(browser: Browser, folder: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((folder / "report/index.html").as_uri())
    assert page.locator(".cards li:visible").count() == comparison(folder)["wrong_by_any"]
    assert page.locator("#table-leaderboard tbody tr:visible").count() == 5
    expect(page.locator(".filters")).to_be_hidden()
    page.get_by_label("latency").check()
    expect(page.locator("#cost_latency_ms")).to_be_visible()
    page.close()


def test_it_prints_black_on_white_on_a_few_pages(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for selector in ("nav", "#canvas", ".filters"):
        expect(page.locator(selector)).to_be_hidden()

"""The committed page as a reader's browser shows it: headless Chromium, where one is installed."""

import base64
import json
import shutil
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from mnist.pipeline import models
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mnist.recognition.pictures import to_mnist
from tests.conftest import ROOT
from tests.recognition.test_pictures import smooth

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
expect.set_options(timeout=20_000)  # the page answers in a tenth of a second, a busy machine later
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


def pixels_of(model: dict) -> np.ndarray:
    compressed = base64.b64decode(model["check"]["pixels"])
    return np.frombuffer(zlib.decompress(compressed), dtype=np.uint8).reshape(-1, 784)


@pytest.mark.parametrize("name", ["cnn", "vit"])
def test_the_page_computes_what_pytorch_computes(page: Page, name: str) -> None:
    examples = json.loads((ROOT / f"metrics/examples/{name}.json").read_text())["page"]
    digits = pixels_of(examples)
    assert len(digits) == 200
    answers = page.evaluate(
        """([name, digits]) => {
            const model = MODELS.find((model) => model.name === name);
            return digits.map((pixels) => classify(model, pixels));
        }""",
        [name, digits.tolist()],
    )
    np.testing.assert_allclose(answers, examples["check"]["rounded"], atol=1e-4)
    exact = np.array(examples["check"]["exact"])
    moved = np.abs(answers - exact).max()
    said = page.get_by_text("moves a probability by").inner_text()
    assert moved <= float(said.split(" by ")[1].split()[0]) * 1.1 < 0.05
    assert (np.argmax(answers, axis=1) == exact.argmax(axis=1)).all()


@pytest.mark.parametrize("i", range(8))
def test_the_page_prepares_ink_as_python_does(page: Page, i: int) -> None:
    ink = np.pad(smooth(i), ((5 * i, 0), (0, 30))).astype(np.float32)
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    height, width = ink.shape
    ours = page.evaluate("([ink, w, h]) => Array.from(prepare(ink, w, h))", [
        ink.flatten().tolist(), width, height
    ])  # fmt: skip
    theirs = to_mnist(ink, box)
    assert np.abs(np.reshape(ours, (28, 28)) - theirs.astype(int)).max() <= 1


def draw(page: Page, *strokes: list[tuple[float, float]]) -> None:
    """Draw lines on the canvas, in shares of its side."""
    box = page.locator("#canvas").bounding_box()
    assert box
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=5)
        page.mouse.up()


SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]
ONE = [(0.5, 0.2), (0.5, 0.8)]
ZERO = [(0.5 + 0.2 * np.sin(a), 0.5 - 0.3 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 25)]


@pytest.mark.parametrize(("stroke", "digit"), [(SEVEN, 7), (ONE, 1), (ZERO, 0)])
def test_a_drawn_digit_is_read(page: Page, stroke: list[tuple[float, float]], digit: int) -> None:
    page.locator("#canvas").scroll_into_view_if_needed()
    expect(page.locator("#verdict")).to_have_text("Draw a digit from 0 to 9.")
    draw(page, stroke)
    expect(page.locator("#verdict")).to_have_text(f"It is a {digit}.")
    best = page.locator(".bar.best span").all_inner_texts()
    assert best == [str(digit)] * 2  # by the CNN and by the ViT
    sum_of_pixels = "seen.getContext('2d').getImageData(0, 0, 28, 28).data.reduce((a, b) => a + b)"
    # more than twenty white pixels, and no transparent one
    assert page.evaluate(sum_of_pixels) > 255 * (28 * 28 + 3 * 20)


def test_strokes_can_be_taken_back(page: Page) -> None:
    page.locator("#canvas").scroll_into_view_if_needed()
    draw(page, ONE, [(0.2, 0.5), (0.8, 0.5)])
    page.locator("#undo").click()
    expect(page.locator("#verdict")).to_have_text("It is a 1.")
    page.locator("#clear").click()
    expect(page.locator("#verdict")).to_have_text("Draw a digit from 0 to 9.")


def test_a_finger_draws_and_does_not_scroll(browser: Browser) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 400, "height": 700})
    page = context.new_page()
    page.goto((ROOT / "report/index.html").as_uri())
    assert page.locator("#canvas").evaluate("c => getComputedStyle(c).touchAction") == "none"
    page.locator("#canvas").scroll_into_view_if_needed()
    page.locator("#canvas").tap()
    expect(page.locator("#verdict")).not_to_have_text("Draw a digit from 0 to 9.")
    context.close()


def test_the_page_stays_small() -> None:
    assert (ROOT / "report/index.html").stat().st_size < 4_000_000

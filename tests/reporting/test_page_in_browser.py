"""The page as a reader's browser shows it: headless Chromium, where one is installed.

The page is made from synthetic results and two small models, trained for a few steps.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect, sync_playwright
from torch import Tensor, nn

import stages.report
from mnist.evaluation.web_export import export_weights
from mnist.models import registry
from mnist.models.inference import predict_logits, to_input
from mnist.recognition.pictures import to_mnist
from mnist.reporting import results
from tests.digits import as_tensors
from tests.reporting.synthetic import make_params, write_json, write_metrics

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
expect.set_options(timeout=20_000)  # the page needs a tenth of a second, a busy machine more
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

MODELS = {"cnn": "CNN", "vit": "Vision Transformer"}
PROMPT = "Draw a digit from 0 to 9."


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    """A small CNN and a small ViT, trained just enough to tell digits apart."""
    params = make_params(tuple(MODELS))
    shapes = {"cnn": {"widths": [4, 8, 8, 16]}, "vit": {"dim": 20, "depth": 2, "mlp_dim": 24}}
    changes = {name: getattr(params, name).model_copy(update=s) for name, s in shapes.items()}
    torch.set_num_threads(1)  # for networks as small as these
    torch.manual_seed(0)
    made = {n: registry.build(n, params.model_copy(update=changes)) for n in MODELS}
    images, labels = as_tensors(slice(300, 1200))
    for network in made.values():
        optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
        for _ in range(50):
            batch = torch.randint(len(images), (32,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(to_input(images[batch])), labels[batch]).backward()
            optimizer.step()
        network.eval()
    return made


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, networks: dict[str, nn.Module]
) -> Iterator[Path]:
    """A folder with metrics/ and report/ as if the data were MNIST."""
    folder = tmp_path_factory.mktemp("page")
    labels = np.resize(np.arange(10), 10_000).tolist()
    metrics = write_metrics(folder / "metrics", tuple(MODELS), labels)
    for name, network in networks.items():
        path = metrics / f"examples/{name}.json"
        page = export_weights(network, as_tensors(slice(300))[0])
        write_json(path, json.loads(path.read_text()) | {"page": page})
    # JSON is YAML.
    write_json(folder / "params.yaml", make_params(tuple(MODELS)).model_dump())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(results, "is_mnist", lambda labels: True)
        stages.report.main()
    yield folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Chromium's own sandbox does not start as root, as in a container; the page is ours.
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    """The page, opened from disk. Messages on the console and network requests are failures."""
    page = browser.new_page()
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


def probabilities(network: nn.Module, images: Tensor) -> np.ndarray:
    return predict_logits(network, images, 200).softmax(dim=1).numpy()


def test_every_picture_is_shown_and_described(page: Page) -> None:
    pictures = page.locator("img").all()
    assert len(pictures) > 10
    for picture in pictures:
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
        assert len(picture.get_attribute("alt") or "") > 20


def test_the_tables_hold_what_the_json_holds(page: Page, folder: Path) -> None:
    def table(name: str) -> list[list[str]]:
        rows = page.locator(f"#table-{name} tbody tr").all()
        return [row.locator("td").all_inner_texts() for row in rows]

    files = [json.loads((folder / f"metrics/test/{name}.json").read_text()) for name in MODELS]
    assert [row[1].split()[0] for row in table("results")] == [
        f"{file['accuracy']:.2%}" for file in files
    ]
    assert [int(row[4].split()[0]) for row in table("results")] == [f["errors"] for f in files]
    assert [row[6] for row in table("calibration")] == [f"{file['ece']:.4f}" for file in files]
    comparison = json.loads((folder / "metrics/comparison.json").read_text())
    pairs = [
        [pair["only_better_correct"], pair["only_worse_correct"]] for pair in comparison["mcnemar"]
    ]
    assert [[int(cell) for cell in row[2:4]] for row in table("differences")] == pairs


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


def test_it_prints_black_on_white_without_the_canvas(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for hidden in ("nav", "#draw", "#canvas", "#verdict"):
        assert not page.locator(hidden).is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_every_link_in_the_contents_leads_to_its_heading(page: Page) -> None:
    links = page.locator("nav a").all()
    assert len(links) > 10
    for link in links:
        target = link.get_attribute("href") or ""
        assert page.locator(f"h2{target}").inner_text() == link.inner_text()


@pytest.mark.parametrize("name", list(MODELS))
def test_the_page_computes_what_pytorch_computes(
    page: Page, folder: Path, networks: dict[str, nn.Module], name: str
) -> None:
    images = as_tensors(slice(50))[0]  # of those that the page was exported with
    computed = page.evaluate(
        """([title, images]) => {
            const model = MODELS.find((model) => model.title === title);
            return images.map((pixels) => classify(model, pixels));
        }""",
        [MODELS[name], images.flatten(1).tolist()],
    )
    expected = probabilities(networks[name], images)
    assert len(set(expected.argmax(axis=1))) > 5
    examples = json.loads((folder / f"metrics/examples/{name}.json").read_text())
    np.testing.assert_allclose(computed, examples["page"]["check"]["rounded"][:50], atol=1e-4)
    rounding = page.get_by_text("rounded to 8 bits").inner_text().split(" by ")[1].split()[0]
    assert np.abs(computed - expected).max() <= 1.1 * float(rounding) < 0.2


def ink_of(i: int) -> np.ndarray:
    """A digit as somebody might draw it, ink 0..1, with more room on some sides than on others."""
    image = as_tensors(slice(i, i + 1))[0][0].numpy() / 255
    return np.pad(image.repeat(5, 0).repeat(5, 1), ((5 * i, 0), (0, 30))).astype(np.float32)


@pytest.mark.parametrize("i", range(8))
def test_the_page_prepares_ink_as_python_does(page: Page, i: int) -> None:
    ink = ink_of(i)
    height, width = ink.shape
    prepared = page.evaluate(
        "([ink, w, h]) => Array.from(prepare(ink, w, h))", [ink.flatten().tolist(), width, height]
    )
    expected = to_mnist(ink, box_of(ink)).astype(int)
    assert np.abs(np.reshape(prepared, (28, 28)) - expected).max() <= 1


def box_of(ink: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def draw(page: Page, *strokes: list[tuple[float, float]]) -> None:
    """Draw lines on the canvas; points are fractions of its side."""
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    assert box
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=5)
        page.mouse.up()


def red_channel(page: Page, canvas: str) -> np.ndarray:
    """The canvas of that id as uint8 (H, W)."""
    pixels = page.evaluate(
        f"""() => {{
            const canvas = document.getElementById("{canvas}");
            const {{ data }} = canvas.getContext("2d").getImageData(
                0, 0, canvas.width, canvas.height);
            return Array.from(data.filter((_, i) => i % 4 === 0));
        }}"""
    )
    side = int(len(pixels) ** 0.5)
    return np.array(pixels, dtype=np.uint8).reshape(side, side)


SMALL_SEVEN = [(0.1, 0.1), (0.3, 0.1), (0.2, 0.4)]
ONE = [(0.5, 0.2), (0.5, 0.8)]


@pytest.mark.parametrize("stroke", [SMALL_SEVEN, ONE])
def test_a_drawn_digit_is_prepared_and_classified(
    page: Page, networks: dict[str, nn.Module], stroke: list[tuple[float, float]]
) -> None:
    expect(page.locator("#verdict")).to_have_text(PROMPT)
    draw(page, stroke)
    expect(page.locator("#verdict")).not_to_have_text(PROMPT)
    page.evaluate("() => new Promise(requestAnimationFrame)")  # the last point is in, too
    ink = 1 - red_channel(page, "canvas").astype(np.float32) / 255  # dark on white
    seen = red_channel(page, "seen")
    assert np.abs(seen - to_mnist(ink, box_of(ink)).astype(int)).max() <= 1
    predicted = []
    for network, section in zip(
        networks.values(), page.locator("#predictions section").all(), strict=True
    ):
        expected = probabilities(network, torch.from_numpy(seen)[None])[0]
        shown = [float(text.split()[0]) for text in section.locator(".bar b").all_inner_texts()]
        np.testing.assert_allclose(shown, 100 * expected, atol=20)
        best = section.locator(".bar.best span").all_inner_texts()
        assert best == [str(np.argmax(shown))]
        predicted += best
    text = page.locator("#verdict").inner_text()
    if predicted[0] == predicted[1]:
        assert text == f"It is a {predicted[0]}."
    else:
        said = [f"{title} {digit}" for title, digit in zip(MODELS.values(), predicted, strict=True)]
        assert text == f"The models disagree: {', '.join(said)}."


def test_strokes_can_be_taken_back(page: Page) -> None:
    picture = "document.getElementById('canvas').toDataURL()"
    empty = page.evaluate(picture)
    draw(page, ONE)
    one = page.evaluate(picture)
    draw(page, [(0.2, 0.5), (0.8, 0.5)])
    assert page.evaluate(picture) != one
    page.locator("#undo").click()
    assert page.evaluate(picture) == one
    page.locator("#clear").click()
    assert page.evaluate(picture) == empty
    expect(page.locator("#verdict")).to_have_text(PROMPT)


def test_a_finger_draws_and_does_not_scroll(browser: Browser, folder: Path) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 400, "height": 700})
    page = context.new_page()
    page.goto((folder / "report/index.html").as_uri())
    assert page.locator("#canvas").evaluate("c => getComputedStyle(c).touchAction") == "none"
    page.locator("#canvas").scroll_into_view_if_needed()
    page.locator("#canvas").tap()
    expect(page.locator("#verdict")).not_to_have_text(PROMPT)
    context.close()

"""The canvas as a reader's browser shows it, with the committed CNN."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser, Page, expect
from scipy.special import softmax

from mnist.evaluation.page_weights import export_weights
from mnist.reporting.canvas import JS, make_canvas
from mnist.reporting.results import Results
from tests.conftest import ROOT
from tests.digits import as_tensors
from tests.evaluation.test_page_weights import make_cnn
from tests.reporting import synthetic
from tests.reporting.handwriting import DOT, ROUND, Stroke, X, arc, place

PROMPT = "Draw a digit from 0 to 9"
UNLIKE = "Unlike the training digits"
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Canvas</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>{% include "page.css" %}</style></head>
<body><main>{% include "draw.html.j2" %}</main></body></html>"""


def committed_cnn(folder: Path) -> Results:
    """Results of the committed CNN alone, as far as the canvas needs them."""
    results = synthetic.read(folder, ["cnn"])
    table = np.loadtxt(ROOT / "metrics/predictions/cnn.csv", delimiter=",", skiprows=1)
    examples, details = (
        json.loads((ROOT / f"metrics/{kind}/cnn.json").read_text(encoding="utf-8"))
        for kind in ("examples", "details")
    )
    labels, predicted = table[:, :2].astype(int).T
    known = {"labels": labels, "predicted": predicted, "probabilities": table[:, 2:]}
    cnn = replace(results.models[0], examples=examples, details=details, **known)
    return replace(results, is_mnist=True, models=(cnn,))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return committed_cnn(tmp_path_factory.mktemp("canvas"))


@pytest.fixture(scope="module")
def made(results: Results) -> dict[str, Any]:
    made = make_canvas(results)
    assert made
    return made


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, made: dict[str, Any], results: Results
) -> str:
    templates = Environment(loader=FileSystemLoader(JS.parent), autoescape=True)
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(templates.from_string(PAGE).render(canvas=made, results=results))
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The canvas, opened from disk. Messages on the console and requests are failures."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    faults: list[str] = []
    page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url))
    # The answer is announced after 25 ms of quiet instead of 500, which every test waits for.
    page.add_init_script("const wait = setTimeout; setTimeout = (f, ms) => wait(f, ms / 20);")
    page.goto(address)
    yield page
    page.close()
    assert [fault for fault in faults if not fault.startswith(("file:", "data:", "blob:"))] == []


def draw(page: Page, strokes: list[Stroke]) -> None:
    """Draw with the mouse; points are fractions of the canvas's side."""
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    assert box
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def verdict(page: Page) -> str:
    """What is read once nothing changes any more."""
    expect(page.locator("#announcement")).not_to_be_empty()
    return page.locator("#verdict").inner_text()


def opacity(page: Page, canvas: str) -> np.ndarray:
    """Of the first canvas that matches, reduced to 28 pixels a side: uint8 (28, 28)."""
    values = page.locator(canvas).first.evaluate(
        """(canvas) => {
            const copy = new OffscreenCanvas(28, 28).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0, 28, 28);
            return Array.from(copy.getImageData(0, 0, 28, 28).data);
        }"""
    )
    return np.array(values, dtype=np.uint8).reshape(28, 28, 4)[..., 3]


# Asks the page's network for the probabilities of digits, lists of 784 grey values.
CLASSIFY = """const classify = (model, digits) => new Promise((resolve) => {
    const code = document.getElementById("network").textContent;
    const worker = new Worker(URL.createObjectURL(new Blob([code])));
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage({ model });
    worker.postMessage({ digits });
})"""


def test_the_page_computes_what_pytorch_computes(page: Page) -> None:
    images, _ = as_tensors(slice(50))
    exported = export_weights(make_cnn(), images)
    page.add_script_tag(content=CLASSIFY)
    arguments = [exported | {"temperature": 0.5}, images.flatten(1).tolist()]
    computed = page.evaluate("([model, digits]) => classify(model, digits)", arguments)
    expected = np.array(exported["check"]["rounded"]) ** 2
    expected /= expected.sum(axis=1, keepdims=True)
    assert len(set(expected.argmax(axis=1))) > 2
    np.testing.assert_allclose(computed, expected, atol=1e-3)


def test_a_digit_is_scaled_and_centred_wherever_it_is_drawn(page: Page) -> None:
    draw(page, ROUND[8])
    verdict(page)
    large = opacity(page, "#seen canvas").astype(float)
    for axis in (0, 1):
        assert np.ptp(np.flatnonzero((large > 0).any(axis=1))) in (19, 20, 21)
        centre = (large.sum(axis=1 - axis) @ (np.arange(28) + 0.5)) / large.sum()
        assert centre == pytest.approx(14.5, abs=0.3)
    for x, y, scale in ((0.85, 0.15, 0.1), (0.75, 0.7, 0.5)):
        page.locator("#clear").click()
        draw(page, place(ROUND[8], x, y, scale))
        assert verdict(page) == "8"
        assert np.abs(opacity(page, "#seen canvas") - large).mean() < 5


def test_marks_are_read_from_left_to_right_and_no_digit_is_unlike_digits(page: Page) -> None:
    right_first = [*place(ROUND[5], 0.7, 0.5, 0.7), *place(ROUND[4], 0.3, 0.5, 0.7)]
    no_digit = [*place(X, 0.7, 0.5, 0.7), *place(ROUND[7], 0.3, 0.5, 0.7)]
    for strokes, read in ((right_first, "45"), (no_digit, "7?"), (X, UNLIKE)):
        draw(page, strokes)
        assert verdict(page) == read
        marks = 1 if read == UNLIKE else 2
        assert page.locator("#seen canvas").count() == marks
        assert page.locator("#answers li").count() == (3 if marks == 1 else 2)
        page.locator("#clear").click()


def test_strokes_can_be_taken_back(page: Page) -> None:
    draw(page, ROUND[1])
    assert verdict(page) == "1"
    one = opacity(page, "#canvas")
    draw(page, [[(0.2, 0.5), (0.8, 0.5)]])
    verdict(page)
    assert (opacity(page, "#canvas") != one).any()
    page.locator("#undo").click()
    assert verdict(page) == "1"
    np.testing.assert_array_equal(opacity(page, "#canvas"), one)
    page.locator("#clear").click()
    expect(page.locator("#verdict")).to_have_text(PROMPT)
    assert not opacity(page, "#canvas").any()
    expect(page.locator("#announcement")).to_be_empty()


def test_one_finger_draws_and_a_second_does_not(browser: Browser, address: str) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    canvas = page.locator("#canvas")
    assert canvas.evaluate("c => getComputedStyle(c).touchAction") == "none"
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    fingers = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": i}
            for i, (x, y) in enumerate(points)
        ]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (0.3, 0.2))
    touch("touchMove", (0.3, 0.5))
    touch("touchStart", (0.3, 0.5), (0.8, 0.2))
    touch("touchMove", (0.3, 0.8), (0.8, 0.8))
    touch("touchEnd")
    assert verdict(page) == "1"
    assert opacity(page, "#canvas")[:, :14].any()
    assert not opacity(page, "#canvas")[:, 14:].any()
    context.close()


def test_samples_are_read_by_keyboard(page: Page, made: dict[str, Any]) -> None:
    for name, pixels, note in made["samples"]:
        page.get_by_role("button", name=name, exact=True).press("Enter")
        read = verdict(page)
        assert note in page.locator("#detail").inner_text()
        if name.startswith("an easy "):
            assert read == name[-1]
        expected = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(28, 28)
        np.testing.assert_array_equal(opacity(page, "#seen canvas"), expected)
        assert opacity(page, "#canvas").any()
        page.locator("#undo").press("Enter")
        expect(page.locator("#verdict")).to_have_text(PROMPT)
    page.get_by_role("button", name=made["samples"][0][0]).press("Enter")
    verdict(page)
    draw(page, ROUND[1])  # takes the sample's place
    assert verdict(page) == "1"


def test_the_ink_changes_with_the_colours_of_the_page(page: Page) -> None:
    red = """() => {
        const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        copy.drawImage(document.getElementById("canvas"), -300, -300);
        const [red, , , opacity] = copy.getImageData(0, 0, 1, 1).data;
        return opacity === 255 && (%s);
    }"""
    draw(page, ROUND[1])
    page.wait_for_function(red % "red < 60")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(red % "red > 200")


def test_strokes_are_split_into_digits_and_judged_by_the_limit(page: Page) -> None:
    for name in ("strokes", "reading"):
        page.add_script_tag(path=str(JS / f"{name}.js"))
    gap = [arc(0.48, 0.36, 0.3, 0.3, 0, -360), [(0.65, 0.3), (0.64, 0.82)]]  # in a 9
    neighbours = [*place(ROUND[1], 0.4, 0.5, 1), *place(ROUND[1], 0.6, 0.5, 1)]
    slip = [*ROUND[8], *place(DOT, 0.9, 0.9, 1)]  # of the pen: left out
    for strokes, digits in ((ROUND[4], 1), (gap, 1), (neighbours, 2), (slip, 1)):
        assert page.evaluate("strokes => splitDigits(strokes).length", strokes) == digits
    for limit, unlike in ((0.89, False), (0.91, True)):
        assert page.evaluate("l => read([0.06, 0.9, 0.04], l).unlike", limit) is unlike


def test_the_largest_change_by_rounded_weights_is_stated(
    made: dict[str, Any], results: Results
) -> None:
    (cnn,) = results.models
    check, temperature = cnn.examples["page"]["check"], cnn.details["temperature"]
    with np.errstate(divide="ignore"):
        exact, rounded = (
            softmax(np.log(check[kind]) / temperature, axis=1) for kind in ("exact", "rounded")
        )
    assert float(made["rounding"]) == pytest.approx(np.abs(exact - rounded).max(), rel=0.05)
    assert json.loads(made["model"])["temperature"] == temperature

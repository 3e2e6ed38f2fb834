"""The canvas as a reader's browser shows it, with the committed models of the page."""

import base64
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser, Page, expect

from mnist.params import load_params
from mnist.reporting import drawing
from mnist.reporting.drawing import Drawing, make_drawing
from mnist.reporting.results import read_results
from tests.conftest import ROOT
from tests.reporting.handwriting import (
    ANGULAR,
    DOT,
    HANDS,
    LETTERS,
    ROUND,
    SCRIBBLE,
    Stroke,
    arc,
    place,
)

PROMPT = "Draw a digit from 0 to 9."
UNLIKE = "Unlike the training digits."
FOUND = "AEKMRTWX"  # letters that are told from digits; an H is read as a 4
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Canvas</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>{% include "page.css" %}</style></head>
<body><main>{% include "draw.html.j2" %}</main></body></html>"""


@pytest.fixture(scope="module")
def made() -> Drawing:
    made = make_drawing(read_results(ROOT / "metrics", load_params(ROOT / "params.yaml")))
    assert made
    return made


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, made: Drawing) -> str:
    templates = Environment(loader=FileSystemLoader(drawing.JS.parent), autoescape=True)
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(templates.from_string(PAGE).render(drawing=made, colours={}, cost_charts=[]))
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The canvas, opened from disk. Messages on the console and requests are failures."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    faults: list[str] = []
    page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url))
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


def pixels(page: Page, canvas: str) -> np.ndarray:
    """The first canvas that matches, reduced to 28 pixels a side: uint8 (28, 28, 4)."""
    values = page.locator(canvas).first.evaluate(
        """(canvas) => {
            const copy = new OffscreenCanvas(28, 28).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0, 28, 28);
            return Array.from(copy.getImageData(0, 0, 28, 28).data);
        }"""
    )
    return np.array(values, dtype=np.uint8).reshape(28, 28, 4)


def test_the_page_computes_what_pytorch_computes(page: Page, made: Drawing) -> None:
    checks = [model.examples["page"]["check"] for model in made.models]
    digits = np.frombuffer(zlib.decompress(base64.b64decode(checks[0]["pixels"])), np.uint8)
    computed = page.evaluate(
        """(digits) => new Promise((resolve) => {
            const text = (id) => document.getElementById(id).textContent;
            const worker = new Worker(URL.createObjectURL(new Blob([text("network")])));
            worker.onmessage = ({ data }) => resolve(data.answers);
            worker.postMessage({ models: text("weights") });
            worker.postMessage({ digits });
        })""",
        digits.reshape(-1, 784)[:50].tolist(),
    )
    for i, model in enumerate(made.models):
        expected = np.array(checks[i]["rounded"])[:50] ** (1 / model.details["temperature"])
        expected /= expected.sum(axis=1, keepdims=True)
        assert len(set(expected.argmax(axis=1))) > 5
        answers = [digit[i] for digit in computed]
        probabilities = [answer["probabilities"] for answer in answers]
        np.testing.assert_allclose(probabilities, expected, atol=1e-3)
        remoteness = [answer["remoteness"] for answer in answers]
        np.testing.assert_allclose(
            remoteness, checks[i].get("remoteness", [0] * 50)[:50], rtol=0.01
        )


def test_drawn_digits_are_read(page: Page) -> None:
    wrong = []
    for hand, digits in HANDS.items():
        for digit, strokes in digits.items():
            draw(page, strokes)
            read = verdict(page)
            if read != f"{'An' if digit == 8 else 'A'} {digit}.":
                wrong.append((hand, digit, read))
            page.locator("#clear").click()
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize(("x", "y", "scale"), [(0.85, 0.15, 0.1), (0.75, 0.7, 0.5)])
def test_a_tiny_digit_away_from_the_centre_keeps_its_shape(
    page: Page, x: float, y: float, scale: float
) -> None:
    draw(page, ROUND[8])
    verdict(page)
    large = pixels(page, "#seen canvas").astype(int)
    page.locator("#clear").click()
    draw(page, place(ROUND[8], x, y, scale))
    assert verdict(page) == "An 8."
    assert np.abs(pixels(page, "#seen canvas") - large)[..., 0].mean() < 5


@pytest.mark.parametrize(
    ("left", "right", "read"),
    [
        (ROUND[4], ANGULAR[5], "A 45."),
        (ROUND[1], ROUND[8], "An 18."),
        (ANGULAR[7], LETTERS["X"], "7?."),
    ],
)
def test_digits_side_by_side_are_read_from_left_to_right(
    page: Page, left: list[Stroke], right: list[Stroke], read: str
) -> None:
    draw(page, place(right, 0.7, 0.5, 0.7))
    draw(page, place(left, 0.3, 0.5, 0.7))
    assert verdict(page) == read
    assert page.locator("#seen canvas").count() == 2
    for answers in page.locator("#answers ol").all():
        assert answers.locator("li").count() == 2


@pytest.mark.parametrize(
    "strokes",
    [SCRIBBLE, DOT, *(LETTERS[letter] for letter in FOUND)],
    ids=["scribble", "dot", *FOUND],
)
def test_what_is_no_digit_is_called_unlike_the_digits(page: Page, strokes: list[Stroke]) -> None:
    draw(page, strokes)
    assert verdict(page) == UNLIKE
    assert "At best, " in page.locator("#detail").inner_text()


def test_the_bars_show_the_three_most_likely_digits(page: Page, made: Drawing) -> None:
    draw(page, ROUND[7])
    verdict(page)
    panels = page.locator("#answers section").all()
    assert [panel.locator("h3").inner_text() for panel in panels] == [m.title for m in made.models]
    for panel in panels:
        rows = panel.locator("li").all()
        assert len(rows) == 3
        assert rows[0].inner_text().split() == ["7", ">", "99%"]
        widths = [row.locator("i").evaluate("bar => bar.clientWidth") for row in rows]
        assert widths[0] > 50 > 5 > widths[1] >= widths[2]


def test_strokes_can_be_taken_back(page: Page) -> None:
    empty = pixels(page, "#canvas")
    draw(page, ROUND[1])
    one = pixels(page, "#canvas")
    draw(page, [[(0.2, 0.5), (0.8, 0.5)]])
    assert (pixels(page, "#canvas") != one).any()
    page.locator("#undo").click()
    np.testing.assert_array_equal(pixels(page, "#canvas"), one)
    assert verdict(page) == "A 1."
    page.locator("#clear").click()
    np.testing.assert_array_equal(pixels(page, "#canvas"), empty)
    expect(page.locator("#verdict")).to_have_text(PROMPT)
    expect(page.locator("#announcement")).to_be_empty()


def test_the_right_button_draws_nothing(page: Page) -> None:
    page.locator("#canvas").click(button="right")
    assert not pixels(page, "#canvas").any()
    page.locator("#canvas").click()
    assert pixels(page, "#canvas").any()


def test_one_finger_draws_and_a_second_does_not(browser: Browser, address: str) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(address)
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
    assert verdict(page) == "A 1."
    assert pixels(page, "#canvas")[:, :14].any()
    assert not pixels(page, "#canvas")[:, 14:].any()
    touch("touchStart", (0.8, 0.2))  # the first finger after it is lifted
    touch("touchMove", (0.8, 0.8))
    touch("touchEnd")
    assert pixels(page, "#canvas")[:, 14:].any()
    context.close()


def test_samples_are_read_by_keyboard(page: Page, made: Drawing) -> None:
    for sample in made.samples:
        button = page.get_by_role("button", name=sample.name, exact=True)
        button.press("Enter")
        read = verdict(page)
        assert sample.note in page.locator("#detail").inner_text()
        if sample.name.startswith("an easy "):
            assert read.split()[-1] == f"{sample.name[-1]}."
        expected = np.frombuffer(base64.b64decode(sample.pixels), np.uint8).reshape(28, 28)
        np.testing.assert_array_equal(pixels(page, "#seen canvas")[..., 0], expected)
        assert pixels(page, "#canvas").any()
        page.locator("#undo").press("Enter")
        expect(page.locator("#verdict")).to_have_text(PROMPT)
    page.get_by_role("button", name="no digit").press("Enter")
    assert verdict(page) == UNLIKE
    draw(page, ROUND[7])
    page.get_by_role("button", name=made.samples[0].name).press("Enter")
    draw(page, ROUND[1])  # takes the sample's place
    assert verdict(page) == "A 1."
    assert page.locator("#detail").inner_text() == "Both agree."


def test_the_answer_is_announced_when_the_pen_rests(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.clock.install(time="2026-01-01T00:00:00")
    page.goto(address)
    page.clock.pause_at("2026-01-01T01:00:00")
    draw(page, ROUND[1])
    page.clock.run_for(20)  # a frame, so that the strokes are read
    expect(page.locator("#verdict")).to_have_text("A 1.")
    page.clock.run_for(470)
    expect(page.locator("#announcement")).to_be_empty()
    page.clock.run_for(500)
    expect(page.locator("#announcement")).to_have_text("A 1. Both agree.")
    page.close()


def test_answers_are_beside_the_canvas_and_under_it_on_a_phone(page: Page) -> None:
    draw(page, ROUND[7])
    verdict(page)

    def edges(selector: str) -> dict[str, float]:
        return page.locator(selector).evaluate("e => e.getBoundingClientRect().toJSON()")

    for width, height in ((1440, 900), (700, 500)):
        page.set_viewport_size({"width": width, "height": height})
        page.locator("#draw").evaluate("e => e.scrollIntoView()")
        canvas = edges("#canvas")
        for answer in ("#verdict", "#answers"):
            assert edges(answer)["left"] > canvas["right"]
            assert edges(answer)["bottom"] < canvas["bottom"] < height
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#canvas").evaluate("e => e.scrollIntoView()")
    assert edges("#verdict")["top"] > edges("#canvas")["bottom"]
    assert edges("#answers")["bottom"] < 844
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_ink_changes_with_the_colours_of_the_page(page: Page) -> None:
    draw(page, ROUND[1])
    assert pixels(page, "#canvas")[14, 14, 0] < 60
    page.emulate_media(color_scheme="dark")
    expect(page.locator("#canvas")).to_have_css("color", "rgb(230, 232, 235)")
    assert pixels(page, "#canvas")[14, 14, 0] > 200


@pytest.fixture
def functions(browser: Browser) -> Iterator[Page]:
    """An empty page with the functions of the scripts that show nothing."""
    page = browser.new_page()
    for name in ("strokes", "reading"):
        page.add_script_tag(path=str(drawing.JS / f"{name}.js"))
    yield page
    page.close()


@pytest.mark.parametrize(
    ("strokes", "digits"),
    [
        (ROUND[4], 1),  # the second stroke crosses the first
        ([arc(0.48, 0.36, 0.3, 0.3, 0, -360), [(0.65, 0.3), (0.64, 0.82)]], 1),  # a 9 with a gap
        ([*place(ROUND[1], 0.4, 0.5, 1), *place(ROUND[1], 0.6, 0.5, 1)], 2),
        ([*ROUND[8], *place(DOT, 0.9, 0.9, 1)], 1),  # a slip of the pen is left out
    ],
)
def test_strokes_are_split_into_digits(functions: Page, strokes: list[Stroke], digits: int) -> None:
    assert functions.evaluate("strokes => splitDigits(strokes).length", strokes) == digits


def test_numbers_that_begin_with_a_vowel_have_an(functions: Page) -> None:
    expected = {
        "a": [0, 7, 10, 17, 28, 110, 180, 1100, 1800],
        "an": [8, 11, 18, 80, 89, 800, 11000],
    }
    for article, numbers in expected.items():
        for number in numbers:
            assert functions.evaluate("withArticle", str(number)) == f"{article} {number}"


def said(functions: Page, *digits: list[int], **settings: Any) -> tuple[str, str]:
    """Headline and detail where model i reads digits[i] from left to right."""
    titles = ["CNN", "ViT", "MLP"][: len(digits)]
    models = [{"title": title, "least_confidence": 0.5} for title in titles]
    confident = settings.pop("confident", [0.9] * len(digits))
    remoteness = settings.pop("remoteness", 0)
    rows = [
        [
            {
                "probabilities": [c if k == digit else (1 - c) / 9 for k in range(10)],
                "remoteness": remoteness,
            }
            for digit, c in zip(mark, confident, strict=True)
        ]
        for mark in zip(*digits, strict=True)
    ]
    return tuple(
        functions.evaluate(
            """([rows, settings]) => {
                const readings = rows.map((row) => read(Array(784).fill(51), row, settings));
                return [headline(readings, settings.models), detail(readings, settings.models)];
            }""",
            [rows, {"models": models} | settings],
        )
    )


def test_words_say_who_agrees(functions: Page) -> None:
    assert said(functions, [7]) == ("A 7.", "")
    assert said(functions, [8], [8]) == ("An 8.", "Both agree.")
    assert said(functions, [4, 7], [4, 7], [4, 7]) == ("A 47.", "All three agree.")
    assert said(functions, [7], [1], confident=[0.9, 0.8]) == (
        "Perhaps a 7.",
        "The CNN says 7, the ViT 1.",
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"ink": [0.0, 0.1]},
        {"ink": [0.3, 0.4]},
        {"longest_outline": -1},
        {"confident": [0.4, 0.4]},
        {"remoteness": 1.1},
    ],
)
def test_each_limit_makes_a_mark_unlike_the_digits(functions: Page, limits: dict[str, Any]) -> None:
    assert said(functions, [4], [4], **limits) == (UNLIKE, "At best, a 4.")
    within = {"ink": [0.1, 0.3], "longest_outline": 1, "confident": [0.9, 0.4], "remoteness": 0.9}
    assert said(functions, [4], [4], **within) == ("A 4.", "Both agree.")

"""`python -m tests.pictures` takes the README's pictures anew: docs/draw.png and docs/seen.png.

Each PNG holds a hash of what it was made from; tests/test_docs.py compares.
"""

import hashlib
import json
import subprocess
import sys

from PIL import Image, PngImagePlugin
from playwright.sync_api import sync_playwright

from mnist.params import load_params
from tests.conftest import ROOT
from tests.reporting.conftest import CHROMIUM, FLAGS
from tests.reporting.handwriting import ANGULAR

DOCS = ROOT / "docs"
PAGE = ROOT / "report/index.html"
SOURCES = {
    "draw.png": ("mnist/reporting/draw.*", "mnist/reporting/js/*.js", "mnist/reporting/page.css"),
    "seen.png": ("mnist/recognition/*.py", "docs/note.jpg"),
}
INPUTS = "inputs"  # the key in the PNG


def inputs(name: str) -> str:
    """Return the hash of what a picture is made from: these files, and the models' weights."""
    paths = sorted(path for pattern in SOURCES[name] for path in ROOT.glob(pattern))
    models = load_params(ROOT / "params.yaml").models
    examples = [json.loads((ROOT / f"metrics/examples/{m}.json").read_text()) for m in models]
    parts = [path.read_bytes() for path in paths]
    parts += [example["weights_sha256"].encode() for example in examples]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def mark(name: str) -> None:
    """Write the hash into the picture, in as many colours as a screen shot needs."""
    image = Image.open(DOCS / name).convert("RGB").quantize(128)
    text = PngImagePlugin.PngInfo()
    text.add_text(INPUTS, inputs(name))
    image.save(DOCS / name, pnginfo=text, optimize=True)


def take_draw() -> None:
    """Draw a 7 on the page's canvas and take a picture of it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 960, "height": 900})
        page.goto(PAGE.as_uri())
        page.locator("#canvas").scroll_into_view_if_needed()
        box = page.locator("#canvas").bounding_box()
        assert box
        for stroke in ANGULAR[7]:
            points = [
                (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke
            ]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point, steps=5)
            page.mouse.up()
        page.wait_for_function("document.getElementById('announcement').textContent")
        page.locator(".screen:has(#canvas)").screenshot(path=DOCS / "draw.png")
        browser.close()


def take_seen() -> None:
    """Read docs/note.jpg with every model and draw what they saw."""
    command = [sys.executable, "-m", "mnist", "predict", "docs/note.jpg", "--show", "docs/seen.png"]
    subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    take_draw()
    take_seen()
    for picture in SOURCES:
        mark(picture)

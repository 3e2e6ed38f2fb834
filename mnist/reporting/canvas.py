"""What the page's canvas needs: the CNN, which runs in the page, and samples to try it on."""

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.results import ModelResult, Results, calibrate

JS = Path(__file__).parent / "js"
SIDE = 28
EASY = 3  # samples that the network is sure of


@dataclass(frozen=True)
class Sample:
    """A test digit on a button."""

    name: str
    pixels: str
    """base64 of its 784 grey values"""
    note: str
    """what is known of it"""


@dataclass(frozen=True)
class Canvas:
    """The variables of draw.html.j2."""

    title: str
    samples: Sequence[Sample]
    model: str
    """JSON: the layers of the network, its temperature and its least confidence"""
    network: str
    """the script of the Worker that runs the network"""
    script: str
    rounding: str
    """by how much the weights' 8 bits move a probability at most"""
    checked: int
    """on how many test digits"""


def make_canvas(results: Results) -> Canvas | None:
    """Prepare the canvas; None where the data are not MNIST or no model can run in a page."""
    result = next((r for r in results.models if "page" in r.examples), None)
    if not results.is_mnist or result is None:
        return None
    page, temperature = result.examples["page"], result.details["temperature"]
    model = {key: page[key] for key in ("mean", "std", "layers")}
    model |= {"temperature": temperature, "least_confidence": result.details["least_confidence"]}
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in JS.glob("*.js")}
    exact, rounded = (np.array(page["check"][kind]) for kind in ("exact", "rounded"))
    change = calibrate(exact, temperature) - calibrate(rounded, temperature)
    return Canvas(
        title=result.title,
        samples=[*_easy(result), *_hard(result)],
        model=json.dumps(model, separators=(",", ":")),
        network=scripts["network"],
        script="\n".join(scripts[name] for name in ("strokes", "reading", "draw")),
        rounding=f"{np.abs(change).max():.2g}",
        checked=len(exact),
    )


def _easy(result: ModelResult) -> list[Sample]:
    """Of different classes, the digits that the network is most sure of, and right."""
    pixels = zlib.decompress(base64.b64decode(result.examples["page"]["check"]["pixels"]))
    images = np.frombuffer(pixels, np.uint8).reshape(-1, SIDE * SIDE)
    labels = result.labels[: len(images)]
    sure = result.calibrated[range(len(images)), labels]
    order = np.argsort(-sure, kind="stable")
    _, first = np.unique(labels[order], return_index=True)  # the best digit of each class
    chosen = sorted(order[np.sort(first)[:EASY]], key=lambda i: labels[i])
    return [
        Sample(f"an easy {labels[i]}", base64.b64encode(images[i]).decode(), "") for i in chosen
    ]


def _hard(result: ModelResult) -> list[Sample]:
    """Of the digits with a good label, the one that the network misses most surely."""
    pixels = {int(error["index"]): error["pixels"] for error in result.examples["misclassified"]}
    good = [i for i in pixels if i not in CORRECTED and i not in AMBIGUOUS]
    worst = sorted(good, key=lambda i: float(result.calibrated[i].max()))[-1:]
    return [
        Sample(f"a hard {result.labels[i]}", pixels[i], f"Its label is {result.labels[i]}.")
        for i in worst
    ]

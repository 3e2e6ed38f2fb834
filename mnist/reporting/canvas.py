"""What the page's canvas needs: the CNN, which runs in the page, and samples to try it on."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.results import ModelResult, Results, calibrate

JS = Path(__file__).parent / "js"
SIDE = 28
EASY = 3  # samples that the network is sure of
Sample = tuple[str, str, str]
"""The name of a test digit, base64 of its 784 grey values, and what is known of it."""


def make_canvas(results: Results) -> dict[str, Any] | None:
    """Return the variables of draw.html.j2; None without MNIST or a model that a page can run."""
    result = next((r for r in results.models if "page" in r.examples), None)
    if not results.is_mnist or result is None:
        return None
    page, temperature = result.examples["page"], result.details["temperature"]
    model = {key: page[key] for key in ("mean", "std", "layers")}
    model |= {"temperature": temperature, "least_confidence": result.details["least_confidence"]}
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in JS.glob("*.js")}
    exact, rounded = (np.array(page["check"][kind]) for kind in ("exact", "rounded"))
    change = calibrate(exact, temperature) - calibrate(rounded, temperature)
    return {
        "title": result.title,
        "samples": [*_easy(result), *_hard(result)],
        "model": json.dumps(model, separators=(",", ":")),
        "network": scripts["network"],  # of the Worker that runs it
        "script": "\n".join(scripts[name] for name in ("strokes", "reading", "draw")),
        "rounding": f"{np.abs(change).max():.2g}",  # what 8 bits change of a probability at most
        "checked": len(exact),  # test digits
    }


def _easy(result: ModelResult) -> list[Sample]:
    """Of different classes, the digits that the network is most sure of, and right."""
    pixels = zlib.decompress(base64.b64decode(result.examples["page"]["check"]["pixels"]))
    images = np.frombuffer(pixels, np.uint8).reshape(-1, SIDE * SIDE)
    labels = result.labels[: len(images)]
    sure = result.calibrated[range(len(images)), labels]
    order = np.argsort(-sure, kind="stable")
    _, first = np.unique(labels[order], return_index=True)  # the best digit of each class
    chosen = sorted(order[np.sort(first)[:EASY]], key=lambda i: labels[i])
    return [(f"an easy {labels[i]}", base64.b64encode(images[i]).decode(), "") for i in chosen]


def _hard(result: ModelResult) -> list[Sample]:
    """Of the digits with a good label, the one that the network misses most surely."""
    pixels = {int(error["index"]): error["pixels"] for error in result.examples["misclassified"]}
    good = [i for i in pixels if i not in CORRECTED and i not in AMBIGUOUS]
    worst = sorted(good, key=lambda i: float(result.calibrated[i].max()))[-1:]
    labels = result.labels
    return [(f"a hard {labels[i]}", pixels[i], f"Its label is {labels[i]}.") for i in worst]

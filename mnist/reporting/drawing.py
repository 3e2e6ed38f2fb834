"""What the page's canvas needs: the models that run in the page, and samples to try them on."""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.results import ModelResult, Results

JS = Path(__file__).parent / "js"
EASY = 3  # samples that every model is sure of
LIMITS = ("ink", "longest_outline")  # of the pixels, so the same for all models


@dataclass(frozen=True)
class Sample:
    """A test digit on a button."""

    name: str
    pixels: str
    """base64 of its 784 grey values"""
    note: str
    """what is known of it"""


@dataclass(frozen=True)
class Drawing:
    """The variables of draw.html.j2."""

    models: Sequence[ModelResult]
    samples: Sequence[Sample]
    settings: str
    """JSON: title and least confidence of each model, and limits of the pixels"""
    weights: str
    """JSON: the layers of each model"""
    network: str
    """the script of the Worker that runs the models"""
    script: str
    rounding: str
    """by how much the weights' 8 bits move a probability at most"""
    checked: int
    """on how many test digits"""


def make_drawing(results: Results) -> Drawing | None:
    """Prepare the canvas; None where the data are not MNIST or no model can run in a page."""
    models = [r for r in results.models if "page" in r.examples]
    if not results.is_mnist or not models:
        return None
    pages = {r.name: r.examples["page"] for r in models}
    details = models[0].details
    settings = {key: details[key] for key in LIMITS if key in details} | {
        "models": [
            {"title": r.title, "least_confidence": r.details.get("least_confidence", 0)}
            for r in models
        ]
    }
    weights = [
        {key: value for key, value in pages[r.name].items() if key != "check"}
        | {"temperature": r.details["temperature"]}
        for r in models
    ]
    return Drawing(
        models=models,
        samples=[*_easy(results, models), *_hard(results, models)],
        settings=_json(settings),
        weights=_json(weights),
        network=(JS / "network.js").read_text(encoding="utf-8"),
        script="\n".join(
            (JS / f"{name}.js").read_text(encoding="utf-8")
            for name in ("strokes", "reading", "draw")
        ),
        rounding=f"{max(_rounding(pages[r.name]['check'], r) for r in models):.2g}",
        checked=len(pages[models[0].name]["check"]["exact"]),
    )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _rounding(check: Mapping[str, Any], result: ModelResult) -> float:
    """The largest change of a calibrated probability by rounded weights."""
    exact, rounded = (
        np.array(check[kind]) ** (1 / result.details["temperature"])
        for kind in ("exact", "rounded")
    )
    change = exact / exact.sum(axis=1, keepdims=True) - rounded / rounded.sum(axis=1, keepdims=True)
    return float(np.abs(change).max())


def _easy(results: Results, models: Sequence[ModelResult]) -> list[Sample]:
    """Of different classes, the digits that the models are most sure of, and right."""
    images = np.frombuffer(
        zlib.decompress(base64.b64decode(models[0].examples["page"]["check"]["pixels"])), np.uint8
    ).reshape(-1, 28 * 28)
    labels = results.labels[: len(images)]
    sure = np.min([r.calibrated[range(len(images)), labels] for r in models], axis=0)
    order = np.argsort(-sure, kind="stable")
    _, first = np.unique(labels[order], return_index=True)  # the best digit of each class
    chosen = order[np.sort(first)[:EASY]]
    return [
        Sample(f"an easy {labels[i]}", _text(images[i]), f"Its label is {labels[i]}.")
        for i in sorted(chosen, key=lambda i: labels[i])
    ]


def _hard(results: Results, models: Sequence[ModelResult]) -> list[Sample]:
    """A digit with a good label and one with a wrong one; the models miss both, and surely."""
    pixels = {
        int(error["index"]): str(error["pixels"])
        for result in results.models
        for error in result.examples["misclassified"]
    }

    def difficulty(i: int) -> tuple[int, float]:
        misses = sum(not r.correct[i] for r in models)
        return misses, min(float(r.calibrated[i].max()) for r in models)

    clear = [i for i in pixels if i not in CORRECTED and i not in AMBIGUOUS]
    samples = []
    for i in sorted(clear, key=difficulty)[-1:]:
        predicted = int(np.bincount([r.predicted[i] for r in models]).argmax())
        name = f"{_with_article(results.labels[i])} like {_with_article(predicted)}"
        samples.append(Sample(name, pixels[i], f"Its label is {results.labels[i]}."))
    for i in sorted(set(pixels) & set(CORRECTED), key=difficulty)[-1:]:
        votes, label = CORRECTED[i], results.labels[i]
        note = (
            f"Its label is {label}, but {votes.other} of 5 people see {_with_article(votes.digit)}."
        )
        samples.append(Sample("a wrong label", pixels[i], note))
    return samples


def _with_article(digit: int) -> str:
    return f"an {digit}" if digit == 8 else f"a {digit}"


def _text(image: np.ndarray) -> str:
    return base64.b64encode(image.tobytes()).decode()

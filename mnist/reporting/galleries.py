"""The report's charts that show images."""

import base64
import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mnist.reporting.charts import (
    INK,
    SMALL,
    SOFT,
    WRONG,
    Chart,
    new_panel,
    text_width,
    to_svg,
)
from mnist.reporting.results import ModelResult, Results


def error_gallery(results: Results, max_count: int) -> Chart | None:
    """Show images that some model misclassifies, with every model's prediction; None without."""
    pixels = {e["index"]: e["pixels"] for r in results.models for e in r.examples["misclassified"]}
    errors = np.sum([~result.correct for result in results.models], axis=0)
    chosen = sorted(pixels, key=lambda i: (-errors[i], i))[:max_count]
    if not chosen:
        return None
    is_short = max(map(len, results.classes)) <= 2
    lines = 1 if is_short else len(results.models)
    panels = []
    for i in chosen:
        predicted = [results.class_name(r.predicted[i]) for r in results.models]
        texts = [" ".join(predicted)] if is_short else predicted
        title = results.class_name(results.labels[i])
        width = max(78, *map(text_width, (title, *texts)))
        figure, axes = new_panel(width, 76 + 14 * lines, top=20, bottom=14 * lines)
        show(axes, pixels[i])
        axes.set_title(title, loc="center", pad=5)
        for line, text in enumerate(texts):
            place: Any = {"xycoords": "axes fraction", "textcoords": "offset points"}
            axes.annotate(text, (0.5, 0), (0, -11 - 14 * line), ha="center", fontsize=SMALL,
                          color=SOFT, **place)  # fmt: skip
        panels.append(to_svg(figure, f"errors-{i}"))
    titles = ", ".join(result.title for result in results.models)
    by_all = int((errors == len(results.models)).sum())
    return Chart(
        "errors",
        f"{int((errors > 0).sum())} images are misclassified by some model, {by_all} by all.",
        f"Above each image its true class, below it the prediction of each model ({titles}; "
        "-: nothing found). The images that most models misclassify come first.",
        tuple(panels),
    )


def attention_maps(results: Results, result: ModelResult) -> Chart:
    """Show images under the contribution of each of their patches."""
    panels = []
    examples = result.examples["attention"]
    most = max(max(example["attention"]) for example in examples)
    for number, example in enumerate(examples):
        actual, predicted = (results.class_name(example[key]) for key in ("actual", "predicted"))
        title = actual if actual == predicted else f"{actual} → {predicted}"
        width = max(78, text_width(title))
        figure, axes = new_panel(width, 78 + 20, top=20)
        extent = show(axes, example["pixels"])
        side = math.isqrt(len(example["attention"]))
        patches = np.zeros((side, side, 4))
        patches[..., :3] = [int(WRONG[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        patches[..., 3] = 0.8 * np.reshape(example["attention"], (side, side)) / most
        axes.imshow(patches, extent=extent, interpolation="none")
        colour = INK if actual == predicted else WRONG
        axes.set_title(title, loc="center", pad=5, fontsize=SMALL, color=colour)
        panels.append(to_svg(figure, f"attention-{number}"))
    maps = np.array([example["attention"] for example in examples])
    top = np.sort(maps, axis=1)[:, -maps.shape[1] // 4 :].sum(axis=1).mean()
    return Chart(
        f"attention_{result.name}",
        f"A quarter of the patches makes up {top:.0%} of the attention, on average.",
        "The redder a patch, the more it contributes to the prediction. Misclassified images come "
        "last (true → predicted class).",
        tuple(panels),
        heading=f"Attention rollout: {result.title}",
    )


def show(axes: Axes, pixels: str, black: int = 255) -> tuple[float, float, float, float]:
    """Show a square image, base64 of its bytes, without axes; returns its extent."""
    values = np.frombuffer(base64.b64decode(pixels), dtype=np.uint8)
    side = math.isqrt(values.size)
    extent = (0.0, float(side), float(side), 0.0)
    image = values.reshape(side, side)
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=black, extent=extent, interpolation="none")
    axes.axis("off")
    return extent

"""The report's charts that show images."""

import base64
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mnist.reporting.charts import Chart, new_figure, new_panels, to_svg
from mnist.reporting.results import ModelResult, Results


def error_gallery(results: Results, max_count: int) -> Chart:
    """Show images that some model misclassifies, with every model's prediction."""
    pixels = {e["index"]: e["pixels"] for r in results.models for e in r.examples["misclassified"]}
    errors = np.sum([~result.correct for result in results.models], axis=0)
    chosen = sorted(pixels, key=lambda i: (-errors[i], i))[:max_count]
    is_short = max(map(len, results.classes)) <= 2
    height = 1.3 if is_short else 1.3 + 0.12 * len(results.models)
    figure, panels = new_panels(len(chosen), 10, 0.9, height)
    for axes, i in zip(panels, chosen, strict=True):
        _show(axes, pixels[i])
        predicted = [results.class_name(r.predicted[i]) for r in results.models]
        text = (" " if is_short else "\n").join(predicted)
        axes.set_title(f"{i} is {results.class_name(results.labels[i])}\n{text}", fontsize=7)
    titles = ", ".join(result.title for result in results.models)
    return Chart(
        "errors",
        "Misclassified images",
        f"Position in the test split and true class, then the prediction of each model ({titles}; "
        "-: nothing found). The images that most models misclassify come first.",
        to_svg(figure),
    )


def robustness(results: Results) -> Chart:
    """Show accuracy by corruption and model, with an example of the corruption beside each row."""
    models = results.models
    kinds = [*models[0].robustness, "mean of all"]
    rates = [result.robustness | {"mean of all": result.mean_corrupted} for result in models]
    table = np.array([[100 * of_model[kind] for of_model in rates] for kind in kinds])
    figure, axes = new_figure(7.5, 0.5 * len(kinds) + 1)
    axes.imshow(table, cmap="Blues_r", vmin=0, vmax=130, aspect="auto")
    for (i, j), rate in np.ndenumerate(table):
        colour = "white" if rate < 60 else "black"
        axes.text(j, i, f"{rate:.1f}", ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(range(len(models)), [r.title for r in models], rotation=20, ha="right")
    axes.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
    axes.tick_params(axis="y", pad=44, length=0)
    axes.grid(False)
    for row, kind in enumerate(kinds[:-1]):
        # left of the table: left edge, lower edge, width and height as fractions of the table's
        place = (-0.095, 1 - (row + 0.96) / len(kinds), 0.085, 0.92 / len(kinds))
        _show(axes.inset_axes(place), models[0].examples["corruptions"][kind])
    description = (
        f"Accuracy in % on {models[0].corrupted_images:,} test images, clean (none) and corrupted "
        f"in {len(kinds) - 2} ways; the pictures show one of them."
    )
    if results.is_mnist:
        description += (
            " The kinds of corruption are those of MNIST-C, the strengths are our own, so these "
            "figures do not compare with those published for MNIST-C."
        )
    return Chart("robustness", "Robustness", description, to_svg(figure))


def attention_maps(results: Results, result: ModelResult) -> Chart:
    """Show images under the contribution of each of their patches."""
    examples = result.examples["attention"]
    figure, panels = new_panels(len(examples), 10, 0.9, 1.15)
    for axes, example in zip(panels, examples, strict=True):
        extent = _show(axes, example["pixels"])
        side = math.isqrt(len(example["attention"]))
        patches = np.reshape(example["attention"], (side, side))
        axes.imshow(patches, cmap="Reds", alpha=0.55, extent=extent, interpolation="bilinear")
        actual, predicted = (results.class_name(example[key]) for key in ("actual", "predicted"))
        arrow = "→" if max(map(len, results.classes)) <= 2 else "\n→"
        axes.set_title(f"{actual} {arrow} {predicted}", fontsize=8)
    return Chart(
        f"attention_{result.name}",
        f"Attention: {result.title}",
        "Attention rollout: the redder a patch, the more it contributes to the prediction. Above "
        "correct predictions, below errors (actual → predicted).",
        to_svg(figure),
    )


def scenes(results: Results, result: ModelResult) -> Chart:
    """Show scenes with the true boxes and those that a detector found."""
    examples = result.examples["scenes"]
    figure, panels = new_panels(len(examples), 6, 1.5, 1.75)
    colour = result.style.colour
    for axes, scene in zip(panels, examples, strict=True):
        _show(axes, scene["pixels"])
        for *box, _ in scene["true"]:
            axes.add_patch(_rectangle(box, linestyle=":", color="grey"))
        for *box, label, _ in scene["found"]:
            axes.add_patch(_rectangle(box, linestyle="-", color=colour))
            name = results.class_name(label)
            axes.text(box[0], box[1], name, color=colour, fontsize=8, va="bottom")
        truth = " ".join(results.class_name(label) for *_, label in scene["true"])
        axes.set_title(f"{truth}: {scene['mistakes']} wrong", fontsize=8)
    return Chart(
        f"scenes_{result.name}",
        f"Scenes: {result.title}",
        "Scenes of test images. Dotted: the true boxes; in colour: the boxes found and their "
        "classes. Above the first scenes, below those with the most mistakes. A detector finds "
        "how many objects there are, and where, in one pass; Accuracy against cost shows what it "
        "costs to classify a single centred image with it.",
        to_svg(figure),
    )


def _show(axes: Axes, pixels: str) -> tuple[float, float, float, float]:
    """Show a square image, base64 of its bytes, without axes; returns its extent."""
    values = np.frombuffer(base64.b64decode(pixels), dtype=np.uint8)
    side = math.isqrt(values.size)
    extent = (0.0, float(side), float(side), 0.0)
    image = values.reshape(side, side)
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=extent)
    axes.axis("off")
    return extent


def _rectangle(box: Sequence[float], linestyle: str, color: str) -> Rectangle:
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    return Rectangle((left, top), *size, fill=False, linestyle=linestyle, color=color)

"""What shows images: scenes with boxes, corrupted images, every error."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from PIL import Image

from mnist.reporting.charts import WIDTH, WRONG, Chart, new_figure, to_svg
from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.results import Results


def to_array(pixels: str) -> np.ndarray:
    """Return a square image, base64 of its bytes, as uint8 (side, side)."""
    values = np.frombuffer(base64.b64decode(pixels), dtype=np.uint8)
    side = math.isqrt(values.size)
    return values.reshape(side, side)


def scenes(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Show scenes with what a detector found; None without a detector."""
    result = next((r for r in results.models if "scenes" in r.examples), None)
    if result is None:
        return None
    shown = result.examples["scenes"]
    found = [box[-1] for scene in shown for box in scene["true"]]
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure, grid = new_figure((WIDTH // columns + 20) * rows, rows, columns, squeeze=False)
    for axes, scene in zip_longest(grid.flat, shown):
        axes.axis("off")
        if scene:
            _draw_scene(axes, scene, result.style.colour, results.classes)
    return Chart(
        "scenes",
        f"{result.title} finds {sum(found)} of {len(found)} objects in these scenes.",
        "The first six of all scenes, then those with the most mistakes. Boxes found "
        "right in the model's colour; red: wrong; red and dashed: missed. Committed seed.",
        to_svg(figure, "scenes"),
    )


def _draw_scene(axes: Axes, scene: Mapping[str, Any], colour: str, classes: Sequence[str]) -> None:
    image = to_array(scene["pixels"])
    # Grey, so that the boxes stand out; the background, too, so that scenes do not run together.
    axes.imshow(image, cmap="gray_r", vmin=-40, vmax=510, extent=(0, len(image), len(image), 0))
    missed = [box for *box, _, is_found in scene["true"] if not is_found]
    boxes = [(box, WRONG, "--", "") for box in missed]
    for *box, label, _, is_right in scene["found"]:
        boxes.append((box, colour if is_right else WRONG, "-", classes[label]))
    for (left, top, right, bottom), edge, line, text in boxes:
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False,
                                 edgecolor=edge, linestyle=line, linewidth=1.8))  # fmt: skip
        axes.text(left + 1, top + 1, text, color=edge, va="top", fontsize=12, fontweight="bold",
                  clip_on=True)  # fmt: skip


def corruptions(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Show accuracy by corruption and model, with an example of each corruption."""
    models, kinds = results.models, list(results.models[0].robustness)
    accuracy = np.array([[r.robustness[kind].mean() for r in models] for kind in kinds])
    figure, (left, right) = new_figure(
        60 + 25 * len(kinds), 1, 2, width_ratios=[1, 11], sharey=True
    )
    errors = np.broadcast_to(to_rgba(WRONG), (*accuracy.shape, 4)).copy()
    errors[..., 3] = 0.75 * (1 - accuracy)  # opacity suits a dark page, too
    right.imshow(errors, aspect="auto", interpolation="none")
    for (i, j), rate in np.ndenumerate(accuracy):
        right.text(j, i, f"{100 * rate:.1f}", ha="center", va="center")
    right.grid(False)
    right.xaxis.tick_top()
    right.set_xticks(range(len(models)), [r.title.replace(" ", "\n") for r in models], fontsize=12)
    right.tick_params(labelleft=False)
    digits = np.vstack([to_array(models[0].examples["corruptions"][kind]) for kind in kinds])
    left.imshow(digits, cmap="gray_r", aspect="auto", interpolation="none", vmin=0, vmax=255,
                extent=(0, 1, len(kinds) - 0.5, -0.5))  # fmt: skip
    left.set(xticks=[])
    left.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in ("clean", *kinds[1:])])
    mean = accuracy.mean(axis=1)
    worst = kinds[mean.argmin()].replace("_", " ")
    return Chart(
        "corruptions",
        f"The models read images with {worst} worst: {mean.min():.0%} on average.",
        f"Accuracy in % on {comparison['corrupted']['images']:,} test images, committed seed; the "
        "redder, the more errors. Kinds and strengths are those of MNIST-C (Mu & Gilmer, 2019).",
        to_svg(figure, "corruptions"),
    )


def missed_images(results: Results, count: int) -> list[dict[str, Any]]:
    """Collect up to `count` of the images in metrics/examples, the most often missed first.

    Each has its `index`, how many models misclassify it (`wrong`), its `picture`, and what people
    saw where they rejected the label (`label_error`; empty if nothing is known).
    """
    pixels = {e["index"]: e["pixels"] for r in results.models for e in r.examples["misclassified"]}
    votes = {**CORRECTED, **AMBIGUOUS} if results.is_mnist else {}
    wrong = {i: sum(not r.correct[i] for r in results.models) for i in sorted(pixels)}
    return [
        {
            "index": i,
            "wrong": wrong[i],
            "picture": to_png(pixels[i]),
            "label_error": str(votes.get(i, "")),
        }
        for i in sorted(wrong, key=lambda i: -wrong[i])[:count]
    ]


def to_png(pixels: str) -> str:
    """Turn the bytes of a square image, as base64, into a PNG as a data URI, dark on white."""
    file = io.BytesIO()
    Image.fromarray(255 - to_array(pixels)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

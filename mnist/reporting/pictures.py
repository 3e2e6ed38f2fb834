"""The charts that show images: scenes with boxes, and images under attention."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mnist.reporting.charts import WIDTH, WRONG, Chart, new_figure, to_svg
from mnist.reporting.results import Results

# In metrics/examples the first scenes come before those with the most mistakes.
FIRST_SCENES = 6


def to_array(pixels: str) -> np.ndarray:
    """Return a square image, base64 of its bytes, as uint8 (side, side)."""
    values = np.frombuffer(base64.b64decode(pixels), dtype=np.uint8)
    side = math.isqrt(values.size)
    return values.reshape(side, side)


def first_scenes(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Show the first scenes with what a detector found; None without a detector."""
    rule = "The first of all scenes, whatever was found."
    return _scenes(results, "first_scenes", rule, slice(None, FIRST_SCENES))


def worst_scenes(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Show the scenes with the most mistakes of a detector; None without a detector."""
    rule = "Of all other scenes, those with the most mistakes."
    return _scenes(results, "worst_scenes", rule, slice(FIRST_SCENES, None))


def _scenes(results: Results, name: str, rule: str, part: slice) -> Chart | None:
    result = next((r for r in results.models if "scenes" in r.examples), None)
    scenes = result.examples["scenes"][part] if result else []
    if result is None or not scenes:
        return None
    found = [bool(box[-1]) for scene in scenes for box in scene["true"]]
    wrong = sum(not box[-1] for scene in scenes for box in scene["found"])
    figure, grid = new_grid(len(scenes), columns=3)
    for axes, scene in zip(grid, scenes, strict=False):
        _draw_scene(axes, scene, result.style.colour, results.classes)
    return Chart(
        name,
        f"In these {len(scenes)} scenes {result.title} finds {sum(found)} of {len(found)} objects; "
        f"{wrong} boxes are wrong.",
        f"{rule} Boxes found right in the model's colour; red: wrong; red and dashed: missed. "
        "Committed seed.",
        to_svg(figure, name),
    )


def _draw_scene(axes: Axes, scene: Mapping[str, Any], colour: str, classes: Sequence[str]) -> None:
    image = to_array(scene["pixels"])
    # Grey, so that the boxes stand out.
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=510, extent=(0, len(image), len(image), 0))
    missed = [box for *box, _, is_found in scene["true"] if not is_found]
    boxes = [(box, WRONG, "--", "") for box in missed]
    for *box, label, _, is_right in scene["found"]:
        boxes.append((box, colour if is_right else WRONG, "-", classes[label]))
    for (left, top, right, bottom), edge, line, text in boxes:
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False,
                                 edgecolor=edge, linestyle=line, linewidth=1.8))  # fmt: skip
        axes.text(left + 1, top + 1, text, color=edge, va="top", fontsize=12, fontweight="bold")
    wrong = sum(not box[-1] for box in scene["found"])
    counts = ((wrong, "wrong"), (len(missed), "missed"))
    axes.set_title(", ".join(f"{n} {what}" for n, what in counts if n) or "all right")


def attention(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Show images under the contribution of each of their patches; None without attention."""
    result = next((r for r in results.models if "attention" in r.examples), None)
    if result is None:
        return None
    examples = result.examples["attention"]
    maps = np.array([example["attention"] for example in examples])
    side = math.isqrt(maps.shape[1])
    figure, grid = new_grid(len(examples), columns=5)
    for axes, example, patches in zip(grid, examples, maps, strict=False):
        image = to_array(example["pixels"])
        extent = (0, len(image), len(image), 0)
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=extent, interpolation="none")
        red = np.broadcast_to(to_rgba(WRONG), (side, side, 4)).copy()
        red[..., 3] = 0.8 * patches.reshape(side, side) / maps.max()
        axes.imshow(red, extent=extent, interpolation="none")
        names = dict.fromkeys(results.class_name(example[key]) for key in ("actual", "predicted"))
        axes.set_title(" → ".join(names))
    quarter = np.sort(maps, axis=1)[:, -maps.shape[1] // 4 :].sum(axis=1).mean()
    return Chart(
        "attention",
        f"A quarter of the patches makes up {quarter:.0%} of the attention, on average.",
        f"The redder a patch, the more it contributes to the prediction of {result.title}. "
        "Misclassified images come last (true → predicted class). Committed seed.",
        to_svg(figure, "attention"),
    )


def new_grid(count: int, columns: int) -> tuple[Figure, Sequence[Axes]]:
    """Make a figure of so many pictures, each with a title above it."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure, grid = new_figure((WIDTH // columns + 20) * rows, rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    return figure, grid.flat

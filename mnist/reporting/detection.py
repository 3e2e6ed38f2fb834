"""The report's charts of a detector."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mnist.reporting.charts import (
    IN_ROW,
    INK,
    LARGE,
    LINE,
    MEDIUM,
    PAPER,
    SMALL,
    SOFT,
    WIDTH,
    WRONG,
    Chart,
    new_panel,
    text_width,
    to_svg,
)
from mnist.reporting.galleries import show
from mnist.reporting.results import ModelResult, Results

Box = Sequence[float]
"""left, top, right, bottom"""


def precision(results: Results, result: ModelResult) -> Chart:
    """Plot a detector's mean average precision of each class beside the width of its boxes."""
    scores = sorted(
        ((float(p), int(label)) for label, p in result.details["map_per_digit"].items())
    )
    boxes = [box for scene in result.examples["scenes"] for box in scene["true"]]
    widths = {label: [b[2] - b[0] for b in boxes if b[4] == label] for _, label in scores}
    names = [results.class_name(label) for _, label in scores]
    left = 14 + max(text_width(name, LARGE) for name in names)
    figure, axes = new_panel(WIDTH, 74 + 24 * len(names), left, 120, 24, 44)
    lowest = min(p for p, _ in scores)
    for y, (p, label) in enumerate(scores):
        axes.plot(p, y, result.style.marker, color=result.style.colour, markersize=9)
        median = f"{np.median(widths[label]):.0f} px" if widths[label] else "-"
        axes.annotate(
            f"{p:.3f}", (1, y), (54, 0), ha="right", va="center", fontsize=MEDIUM, **IN_ROW
        )
        axes.annotate(
            median, (1, y), (116, 0), ha="right", va="center", fontsize=MEDIUM, color=SOFT, **IN_ROW
        )
    for text, x in (("mAP", 54), ("width", 116)):
        axes.annotate(
            text, (1, -1), (x, 0), ha="right", va="center", fontsize=MEDIUM, color=SOFT, **IN_ROW
        )
    axes.set(xlim=(lowest - 0.1 * (1.001 - lowest), 1), ylim=(len(names) - 0.5, -0.6))
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelsize=LARGE, labelcolor=INK)
    axes.tick_params(axis="x", labelsize=MEDIUM)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("mAP over overlaps of 0.5 to 0.95", fontsize=LARGE)
    all_widths = [box[2] - box[0] for box in boxes]
    alt = f"The lowest mAP is that of class {names[0]}, {lowest:.3f}"
    description = ""
    if widths[scores[0][1]]:
        narrow, usual = np.median(widths[scores[0][1]]).round(), np.median(all_widths).round()
        alt += f"; its boxes are {narrow:.0f} px wide, those of all {usual:.0f} px (medians)"
        description = (
            " The same shift costs a narrow box more overlap: by one pixel a box of "
            f"{narrow:.0f} px falls to {(narrow - 1) / (narrow + 1):.2f}, one of {usual:.0f} px to "
            f"{(usual - 1) / (usual + 1):.2f}."
        )
    metrics = result.metrics
    return Chart(
        f"precision_{result.name}",
        f"{alt}.",
        f"COCO's mAP; of all classes {metrics['map']:.3f}, at an overlap of 0.5 "
        f"{metrics['map_50']:.3f}, at 0.75 {metrics['map_75']:.3f}. Width: the median of the true "
        "boxes in the scenes that are shown." + description,
        (to_svg(figure, f"precision-{result.name}"),),
        heading=f"Mean average precision: {result.title}",
    )


def scenes(results: Results, result: ModelResult) -> Chart:
    """Show scenes with the boxes that a detector found, right or wrong, and those it missed."""
    panels, objects, found_right, found_wrong = [], 0, 0, 0
    for number, scene in enumerate(result.examples["scenes"]):
        missed = [box for *box, _, is_found in scene["true"] if not is_found]
        wrong = [box for *box, _, _, is_right in scene["found"] if not is_right]
        figure, axes = new_panel(136, 136 + 20, top=20)
        _, size, _, _ = show(axes, scene["pixels"], black=510)  # grey, so that the boxes stand out
        axes.add_patch(Rectangle((0, 0), size, size, fill=False, edgecolor=LINE, linewidth=1))
        for box in missed:
            _draw_box(axes, box, WRONG, "", dashed=True)
        for *box, label, _, is_right in scene["found"]:
            colour = result.style.colour if is_right else WRONG
            _draw_box(axes, box, colour, results.class_name(label))
        counts = ((len(wrong), "wrong"), (len(missed), "missed"))
        parts = [f"{count} {what}" for count, what in counts if count]
        axes.set_title(
            ", ".join(parts) or "all right", loc="center", pad=6, fontsize=SMALL,
            color=INK if parts else SOFT, fontweight="bold" if parts else "normal",
        )  # fmt: skip
        panels.append(to_svg(figure, f"scenes-{result.name}-{number}"))
        objects += len(scene["true"])
        found_right += len(scene["true"]) - len(missed)
        found_wrong += len(wrong)
    return Chart(
        f"scenes_{result.name}",
        f"In these scenes {result.title} finds {found_right} of {objects} objects and "
        f"{found_wrong} boxes are wrong; half of the scenes are those with the most mistakes.",
        "Scenes of test images. In the model's colour: boxes found right, with their classes; red: "
        "wrong boxes; red and dashed: objects missed. A box is right if it overlaps an object of "
        "its class by 0.5 (IoU). The first half are the first scenes, the others those with "
        "the most mistakes. A detector finds how many objects there are, and where, in one pass.",
        tuple(panels),
        white_tiles=True,
        heading=f"Detection in scenes: {result.title}",
    )


def _draw_box(axes: Axes, box: Box, colour: str, text: str, dashed: bool = False) -> None:
    left, top, right, bottom = box
    axes.add_patch(
        Rectangle(
            (left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=1.8,
            linestyle=(0, (3, 2)) if dashed else "-",
        )
    )  # fmt: skip
    if text:  # above the box, or inside where there is no room
        place = (left, top - 1) if top > 7 else (left + 1.5, top + 7)
        axes.text(*place, text, color=colour, fontsize=SMALL, fontweight="bold",
                  bbox={"facecolor": PAPER, "alpha": 0.75, "linewidth": 0, "pad": 0.5})  # fmt: skip

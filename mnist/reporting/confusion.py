"""The errors by true and predicted class."""

import numpy as np
from matplotlib.patches import Rectangle

from mnist.reporting.charts import (
    LINE,
    SMALL,
    Chart,
    new_panel,
    text_width,
    to_svg,
)
from mnist.reporting.results import Results


def confusion_counts(results: Results) -> dict[str, np.ndarray]:
    """Count each model's errors by true and predicted class.

    Returns:
        By model, int (classes, classes), and a column more where a detector found nothing in some
        image. Correct predictions are not counted.
    """
    classes = len(results.classes)
    counts = {}
    for result in results.models:
        found_nothing = bool((result.predicted < 0).any())
        counts[result.name] = np.zeros((classes, classes + found_nothing), dtype=int)
        wrong = ~result.correct
        # -1 is the last column
        np.add.at(counts[result.name], (result.labels[wrong], result.predicted[wrong]), 1)
    return counts


def confusion(results: Results) -> Chart:
    """Draw the errors of each model by true and predicted class, on one scale."""
    counts = confusion_counts(results)
    most = max(1, *(table.max() for table in counts.values()))
    cell, names = 14, results.classes
    is_short = max(map(len, names)) <= 2
    left = 18 + max(map(text_width, names))
    panels = []
    for result in results.models:
        table = counts[result.name]
        columns = [*names, "none"][: table.shape[1]]
        rows, wide = table.shape
        level = is_short and wide == rows  # whether the names below stand upright
        bottom = 16 + (14 if level else max(map(text_width, columns)))
        figure, axes = new_panel(
            left + cell * wide + 2, 20 + bottom + cell * rows, left, 2, 20, bottom
        )
        axes.set(xlim=(0, wide), ylim=(rows, 0))
        figure.text(
            0, 0.985, f"{result.title}: {table.sum()}", va="top", fontsize=SMALL, fontweight="bold"
        )
        for i, j in np.ndindex(table.shape):
            if i == j:
                axes.add_patch(Rectangle((j, i), 1, 1, facecolor=LINE, alpha=0.5, linewidth=0))
            elif table[i, j]:
                shade = 0.12 + 0.5 * table[i, j] / most
                axes.add_patch(
                    Rectangle((j, i), 1, 1, facecolor=result.style.colour, alpha=shade, linewidth=0)
                )
                axes.text(
                    j + 0.5, i + 0.52, str(table[i, j]), ha="center", va="center", fontsize=SMALL
                )
        axes.set_xticks(np.arange(wide) + 0.5, columns)
        if not level:
            axes.tick_params(axis="x", labelrotation=90)
            for text in axes.get_xticklabels():
                text.set(rotation_mode="anchor", ha="right", va="center")
        axes.set_yticks(np.arange(rows) + 0.5, names)
        axes.tick_params(length=0, pad=3)
        axes.set_xlabel("predicted", fontsize=SMALL, labelpad=1)
        axes.set_ylabel("true", fontsize=SMALL, labelpad=1)
        axes.grid(False)
        for spine in axes.spines.values():
            spine.set_visible(True)
        panels.append(to_svg(figure, f"confusion-{result.name}"))
    total = np.sum([table[:, : len(names)] for table in counts.values()], axis=0)
    actual, predicted = np.unravel_index(total.argmax(), total.shape)
    return Chart(
        "confusion",
        f"The most frequent error is {names[actual]} read as {names[predicted]}: {total.max()} "
        "times by all models together.",
        "Number of test images by true and predicted class, without the correct ones; the shades "
        "are on one scale. Beside each name: the number of errors.",
        tuple(panels),
    )

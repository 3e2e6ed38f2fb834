"""A picture with what the models saw in it."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from mnist.files import new_file
from mnist.models import registry
from mnist.recognition.recognize import Reading

COLOR = "tab:orange"  # of a detector's boxes


def annotate(readings: Sequence[tuple[str, Reading]], classes: Sequence[str], path: Path) -> None:
    """Draw each picture with the detector's boxes, and the 28x28 pixels of each digit beside it.

    `readings` are the name of each picture and what was read in it; the suffix of `path` decides
    the format of the drawing.
    """
    columns = max(len(reading.images) for _, reading in readings)
    figure = Figure(figsize=(4 + 1.6 * columns, 3.4 * len(readings)), layout="constrained")
    widths = [3, *[1.2] * columns]
    rows = figure.subplots(len(readings), 1 + columns, squeeze=False, width_ratios=widths)
    for axes in rows.flat:
        axes.axis("off")
    for row, (name, reading) in zip(rows, readings, strict=True):
        row[0].imshow(reading.picture, cmap="gray", vmin=0, vmax=1)
        row[0].set_title(Path(name).name, fontsize=9)
        lines: list[list[str]] = [[] for _ in reading.images]
        for model, digits in reading.digits.items():
            for i, digit in enumerate(digits):
                text = f"{classes[digit.digit]} {digit.confidence:.0%}"
                if registry.detects(model):
                    left, top, right, bottom = (edge * reading.reduced for edge in digit.box)
                    edges = ([left, right, right, left, left], [top, top, bottom, bottom, top])
                    row[0].plot(*edges, color=COLOR, lw=2)
                    row[0].text(left, top, text, color=COLOR, fontsize=9, va="bottom")
                else:
                    lines[i].append(f"{model}: {text}")
        for axes, image, texts in zip(row[1:], reading.images, lines, strict=False):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_title("\n".join(texts), fontsize=7)
    with new_file(path) as partial:
        figure.savefig(partial, format=path.suffix.lstrip("."), dpi=110)

"""A drawing of what the models saw in a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mnist.atomic_io import new_file
from mnist.recognition.recognize import Reading
from mnist.reporting.style import style


def draw(readings: Sequence[tuple[str, Reading]], classes: Sequence[str], path: Path) -> None:
    """Draw each picture with the detector's boxes, and the 28x28 pixels of each digit beside it.

    Args:
        readings: the name of each picture and what was read in it.
        classes: the name of each class.
        path: of the drawing; its suffix decides the format.
    """
    columns = max(len(reading.images) for _, reading in readings)
    figure = Figure(figsize=(4 + 1.6 * columns, 3.4 * len(readings)), layout="constrained")
    rows = figure.subplots(
        len(readings), 1 + columns, squeeze=False, width_ratios=[3, *[1.2] * columns]
    )
    for axes in rows.flat:
        axes.axis("off")
    for row, (name, reading) in zip(rows, readings, strict=True):
        row[0].imshow(reading.picture, cmap="gray", vmin=0, vmax=1)
        row[0].set_title(Path(name).name, fontsize=9)
        for model, digits in reading.found.items():
            color = style(model).colour
            for found in digits:
                left, top, right, bottom = found.box
                size = (right - left, bottom - top)
                row[0].add_patch(Rectangle((left, top), *size, fill=False, color=color, lw=2))
                label = f"{classes[found.digit]} {found.score:.0%}"
                row[0].text(left, top, label, color=color, fontsize=9, va="bottom")
        for i, image in enumerate(reading.images):
            row[1 + i].imshow(image, cmap="gray", vmin=0, vmax=255)
            lines = []
            for model in reading.probabilities:
                digit, probability = reading.digits(model)[i]
                lines.append(f"{style(model).title}: {classes[digit]} {probability:.0%}")
            row[1 + i].set_title("\n".join(lines), fontsize=7)
    with new_file(path) as partial:
        figure.savefig(partial, format=path.suffix.lstrip("."), dpi=110)

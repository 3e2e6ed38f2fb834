"""A picture of what the models saw in a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mnist.atomic_io import new_file
from mnist.recognition.recognize import Reading
from mnist.reporting.results import TITLES


def draw(readings: Sequence[tuple[str, Reading]], path: Path) -> None:
    """Draw each picture with the detector's boxes, and the 28x28 pixels of each digit beside it.

    Args:
        readings: the name of a picture, and what was read in it.
    """
    widest = max(len(reading.images) for _, reading in readings)
    figure = Figure(figsize=(4 + 1.6 * widest, 3.4 * len(readings)), layout="constrained")
    rows = figure.subplots(
        len(readings), 1 + widest, squeeze=False, width_ratios=[3, *[1.2] * widest]
    )
    for axes in rows.flat:
        axes.axis("off")
    for row, (name, reading) in zip(rows, readings, strict=True):
        row[0].imshow(reading.picture, cmap="gray", vmin=0, vmax=1)
        row[0].set_title(Path(name).name, fontsize=9)
        for found in (f for of_model in reading.found.values() for f in of_model):
            left, top, right, bottom = found.box
            size = (right - left, bottom - top)
            box = Rectangle((left, top), *size, fill=False, color="#d55e00", linewidth=2)
            row[0].add_patch(box)
            label = f"{found.digit} {found.score:.0%}"
            row[0].text(left, top, label, color="#d55e00", fontsize=9, va="bottom")
        for i, image in enumerate(reading.images):
            row[1 + i].imshow(image, cmap="gray", vmin=0, vmax=255)
            said = [
                f"{TITLES.get(model, model)}: {shares[i].argmax()} {shares[i].max():.0%}"
                for model, shares in reading.probabilities.items()
            ]
            row[1 + i].set_title("\n".join(said), fontsize=7)
    with new_file(path) as partial:
        figure.savefig(partial, format=path.suffix.lstrip("."), dpi=110)

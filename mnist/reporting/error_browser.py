"""Every image that some model misclassifies."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from mnist.reporting.galleries import to_array
from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.results import Results


@dataclass(frozen=True)
class MissedImage:
    """An image of the test split that at least one model misclassifies."""

    index: int
    wrong: int  # how many models misclassify it
    picture: str  # a PNG as a data URI, dark on white
    label_error: str  # what people saw where they rejected the label; empty if nothing is known


def missed_images(results: Results, count: int) -> list[MissedImage]:
    """Collect up to `count` of the images in metrics/examples, the most often missed first."""
    pixels = {e["index"]: e["pixels"] for r in results.models for e in r.examples["misclassified"]}
    votes = {**CORRECTED, **AMBIGUOUS} if results.is_mnist else {}
    wrong = {i: sum(not r.correct[i] for r in results.models) for i in sorted(pixels)}
    return [
        MissedImage(i, wrong[i], to_png(pixels[i]), str(votes.get(i, "")))
        for i in sorted(wrong, key=lambda i: -wrong[i])[:count]
    ]


def to_png(pixels: str) -> str:
    """Turn the bytes of a square image, as base64, into a PNG as a data URI, dark on white."""
    file = io.BytesIO()
    Image.fromarray(255 - to_array(pixels)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

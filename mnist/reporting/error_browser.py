"""Every image that some model misclassifies, with the prediction of each model."""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.results import Results


@dataclass(frozen=True)
class Prediction:
    """What one model predicts for an image."""

    name: str
    title: str
    predicted: int
    """-1 where a detector found nothing"""
    class_name: str
    confidence: float
    """after temperature scaling, 0..1"""
    is_wrong: bool


@dataclass(frozen=True)
class MissedImage:
    """An image of the test split that at least one model misclassifies."""

    index: int
    actual: int
    class_name: str
    picture: str
    """a PNG as a data URI, dark on white"""
    predictions: tuple[Prediction, ...]
    label_error: str
    """what people saw where they rejected the label; empty if nothing is known"""

    @property
    def wrong(self) -> int:
        """How many models misclassify the image."""
        return sum(prediction.is_wrong for prediction in self.predictions)


def missed_images(results: Results) -> list[MissedImage]:
    """Collect the images whose pixels are in metrics/examples, the most often missed first."""
    pixels = {e["index"]: e["pixels"] for r in results.models for e in r.examples["misclassified"]}
    confidence = {r.name: r.calibrated.max(axis=1) for r in results.models}
    votes = {**CORRECTED, **AMBIGUOUS} if results.is_mnist else {}
    images = []
    for i in sorted(pixels):
        predictions = tuple(
            Prediction(
                r.name,
                r.title,
                int(r.predicted[i]),
                results.class_name(r.predicted[i], "nothing"),
                float(confidence[r.name][i]),
                not r.correct[i],
            )
            for r in results.models
        )
        label = int(results.labels[i])
        images.append(
            MissedImage(
                i,
                label,
                results.class_name(label),
                to_png(pixels[i]),
                predictions,
                str(votes.get(i, "")),
            )
        )
    return sorted(images, key=lambda image: -image.wrong)


def to_png(pixels: str) -> str:
    """Turn the bytes of a square image, as base64, into a PNG as a data URI, dark on white."""
    values = 255 - np.frombuffer(base64.b64decode(pixels), dtype=np.uint8)
    side = math.isqrt(values.size)
    file = io.BytesIO()
    Image.fromarray(values.reshape(side, side)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

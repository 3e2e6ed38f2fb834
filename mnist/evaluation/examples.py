"""What the report shows of single digits: examples with their pixels."""

import base64
from typing import Any

import numpy as np
from torch import Tensor

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.predictions import Predictions
from mnist.evaluation.robustness import choose_digits
from mnist.params import EvaluateParams


def describe(
    images: Tensor,
    labels: np.ndarray,
    predictions: Predictions,
    settings: EvaluateParams,
) -> dict[str, Any]:
    """Collect the examples that the report shows of a model, from uint8 digits (N, 28, 28).

    Returns:
        `misclassified`, and `corruptions`: one digit clean and under each corruption, as base64.
    """
    pixels = images.cpu().numpy()
    seed = settings.corruption_seed
    digit = pixels[choose_digits(1, labels, seed)]
    corrupted = {"none": to_base64(digit[0])}
    corrupted |= {kind: to_base64(corrupt(digit, kind, seed)[0]) for kind in CORRUPTIONS}
    return {
        "misclassified": misclassified(pixels, labels, predictions, settings.examples),
        "corruptions": corrupted,
    }


def to_base64(image: np.ndarray) -> str:
    """Return the bytes of a uint8 image, row by row, as text."""
    return base64.b64encode(image.tobytes()).decode()


def misclassified(
    images: np.ndarray, labels: np.ndarray, predictions: Predictions, max_count: int
) -> list[dict[str, Any]]:
    """Describe up to `max_count` errors among uint8 images (N, 28, 28), most confident first."""
    predicted, confidence = predictions.predicted, predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(labels != predicted)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:max_count]
    return [
        {
            "index": i,
            "actual": int(labels[i]),
            "predicted": int(predicted[i]),
            "pixels": to_base64(images[i]),
            "probability": round(float(confidence[i]), 4),
        }
        for i in wrong.tolist()
    ]

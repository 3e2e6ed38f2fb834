"""What the report shows of single digits: examples with their pixels."""

import base64
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.predict import Predictions
from mnist.evaluation.robustness import choose_digits
from mnist.models.inference import to_input
from mnist.params import EvaluateParams


def describe(
    model: nn.Module,
    images: Tensor,
    labels: np.ndarray,
    predictions: Predictions,
    settings: EvaluateParams,
) -> dict[str, Any]:
    """Collect the examples that the report shows of `model`.

    Args:
        images: uint8 test digits (N, 28, 28); labels: (N,).

    Returns:
        `misclassified`; `corruptions`, one digit clean and under each corruption, as base64; and
        of a Vision Transformer `attention`.
    """
    pixels = images.cpu().numpy()
    seed = settings.corruption_seed
    digit = pixels[choose_digits(1, labels, seed)]
    corrupted = {"none": to_base64(digit[0])}
    corrupted |= {kind: to_base64(corrupt(digit, kind, seed)[0]) for kind in CORRUPTIONS}
    examples: dict[str, Any] = {
        "misclassified": misclassified(pixels, labels, predictions, settings.examples),
        "corruptions": corrupted,
    }
    if hasattr(model, "rollout"):
        examples["attention"] = attention_examples(model, images, labels, predictions.predicted)
    return examples


def to_base64(image: np.ndarray) -> str:
    """Return the bytes of a uint8 image, row by row, as text."""
    return base64.b64encode(image.tobytes()).decode()


def misclassified(
    images: np.ndarray, labels: np.ndarray, predictions: Predictions, max_count: int
) -> list[dict[str, object]]:
    """Describe up to `max_count` errors, those made with the greatest confidence first.

    Args:
        images: uint8 (N, 28, 28); they are kept as base64 of their 784 bytes.
    """
    predicted, confidence = predictions.predicted, predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(labels != predicted)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:max_count]
    return [
        {
            "index": int(i),
            "actual": int(labels[i]),
            "predicted": int(predicted[i]),
            "probability": round(float(confidence[i]), 4),
            "pixels": to_base64(images[i]),
        }
        for i in wrong
    ]


@torch.no_grad()
def attention_examples(
    model: Any, images: torch.Tensor, labels: np.ndarray, predicted: np.ndarray
) -> list[dict[str, object]]:
    """Describe where the Vision Transformer attends: a correct digit per class, and ten errors.

    Args:
        images: uint8 (N, 28, 28).

    Returns:
        As `misclassified`, with the contribution of each patch, row by row, in `attention`.
    """
    correct, wrong = np.flatnonzero(labels == predicted), np.flatnonzero(labels != predicted)
    _, first = np.unique(labels[correct], return_index=True)
    chosen = np.concatenate([correct[first], wrong[:10]]).tolist()
    contributions = model.rollout(to_input(images[chosen])).cpu().numpy()
    return [
        {
            "index": i,
            "actual": int(labels[i]),
            "predicted": int(predicted[i]),
            "pixels": to_base64(images[i].cpu().numpy()),
            "attention": [round(float(value), 4) for value in row],
        }
        for i, row in zip(chosen, contributions, strict=True)
    ]

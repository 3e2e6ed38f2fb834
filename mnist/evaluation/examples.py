"""What the report shows of single digits: examples with their pixels."""

import base64
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.predictions import Predictions
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
    """Collect the examples that the report shows of `model`, from uint8 digits (N, 28, 28).

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
        examples["attention"] = attention_examples(model, pixels, labels, predictions.predicted)
    return examples


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
        _example(i, images, labels, predicted) | {"probability": round(float(confidence[i]), 4)}
        for i in wrong.tolist()
    ]


@torch.no_grad()
def attention_examples(
    model: Any, images: np.ndarray, labels: np.ndarray, predicted: np.ndarray
) -> list[dict[str, Any]]:
    """Describe where the Vision Transformer attends: a correct digit per class, and ten errors.

    `attention` has the contribution of each patch, row by row.
    """
    correct, wrong = np.flatnonzero(labels == predicted), np.flatnonzero(labels != predicted)
    _, first = np.unique(labels[correct], return_index=True)
    chosen = np.concatenate([correct[first], wrong[:10]])
    inputs = to_input(torch.from_numpy(images[chosen])).to(next(model.parameters()).device)
    contributions = model.rollout(inputs).cpu().double().numpy().round(4)
    return [
        _example(i, images, labels, predicted) | {"attention": row.tolist()}
        for i, row in zip(chosen.tolist(), contributions, strict=True)
    ]


def _example(
    i: int, images: np.ndarray, labels: np.ndarray, predicted: np.ndarray
) -> dict[str, Any]:
    return {
        "index": i,
        "actual": int(labels[i]),
        "predicted": int(predicted[i]),
        "pixels": to_base64(images[i]),
    }

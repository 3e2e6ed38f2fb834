"""What a model predicts for images, whatever the model is, and what a prediction costs."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist.models.inference import classify_digits, predict_logits, to_input


@dataclass(frozen=True)
class Predictions:
    """For N images."""

    logits: np.ndarray
    """float64 (N, classes); all 0 where a detector found nothing"""
    predicted: np.ndarray
    """(N,) classes; -1 where a detector found nothing"""

    @property
    def probabilities(self) -> np.ndarray:
        """float64 (N, classes)"""
        return softmax(self.logits, axis=1)


def predict(model: nn.Module, images: Tensor, batch_size: int) -> Predictions:
    """Classify uint8 images (N, 28, 28) with a classifier or a detector."""
    if hasattr(model, "classify"):  # a detector
        logits, found = classify_digits(model, images, batch_size)
        predicted = logits.argmax(dim=1).where(found, -1)
    else:
        logits = predict_logits(model, images, batch_size)
        predicted = logits.argmax(dim=1)
    return Predictions(logits.cpu().double().numpy(), predicted.cpu().numpy())


def predictions_csv(labels: np.ndarray, predictions: Predictions) -> str:
    """Write one row per digit: true class (N,), predicted class, probability of each class."""
    probabilities = predictions.probabilities
    classes = range(probabilities.shape[1])
    lines = ["actual,predicted," + ",".join(f"p{digit}" for digit in classes)]
    for actual, predicted, row in zip(labels, predictions.predicted, probabilities, strict=True):
        lines.append(f"{actual},{predicted}," + ",".join(f"{p:.6f}" for p in row))
    return "\n".join(lines) + "\n"


def count_flops(model: nn.Module, images: Tensor) -> int:
    """Count the floating-point operations of classifying uint8 images (N, 28, 28).

    Convolutions and matrix products, attention included, count; a multiplication and an addition
    are two operations. `model` is in inference mode.
    """
    classify = getattr(model, "classify", model)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        classify(to_input(images))
    return counter.get_total_flops()

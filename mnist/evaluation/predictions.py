"""What a model predicts for images, whatever the model is."""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from torch import Tensor, nn

from mnist.models.inference import classify_digits, predict_logits


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

"""What a model answers to test digits, asked in the same way whatever the model is."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from mnist.models.frcnn import DigitDetector, classify_digits
from mnist.models.inference import predict_logits
from mnist.params import Evaluate


@dataclass(frozen=True)
class Predictions:
    """To N digits."""

    logits: np.ndarray
    """(N, 10); all 0 where a detector found nothing"""
    predicted: np.ndarray
    """(N,) digits; -1 where a detector found nothing"""

    @property
    def probabilities(self) -> np.ndarray:
        """(N, 10)"""
        return softmax(self.logits, axis=1)


def predict(model: nn.Module, images: torch.Tensor, settings: Evaluate) -> Predictions:
    """Ask `model` which digits the uint8 images (N, 28, 28) show."""
    if isinstance(model, DigitDetector):
        logits, found = classify_digits(model, images, settings.scenes_batch_size)
        predicted = logits.argmax(dim=1).where(found, -1)
    else:
        logits = predict_logits(model, images, settings.batch_size)
        predicted = logits.argmax(dim=1)
    return Predictions(logits.cpu().double().numpy(), predicted.cpu().numpy())

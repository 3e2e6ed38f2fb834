"""Handwritten digits that are not MNIST's: the UCI digits that ship with scikit-learn.

1,797 digits by 13 people who wrote none of the training digits, reduced to 8x8 grey values
(Alpaydin & Kaynak, 1998). They are enlarged, then their ink is evened and cut out as in a user's
picture; nothing is tuned on them.
"""

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

from mnist.evaluation.predictions import predict
from mnist.recognition.pictures import even_ink, to_mnist


def uci_accuracy(model: nn.Module, batch_size: int, device: torch.device) -> dict[str, float]:
    """Return the number of UCI digits and the accuracy of `model` on them, 0..1."""
    images, labels = load_uci_digits()
    predicted = predict(model, torch.from_numpy(images).to(device), batch_size).predicted
    return {"digits": len(labels), "accuracy": float((predicted == labels).mean())}


def load_uci_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images (1797, 28, 28), prepared as MNIST's, and their labels (1797,)."""
    digits = load_digits()
    images = []
    for grey in digits.images.astype(np.float32) / 16:
        picture = Image.fromarray(grey).resize((64, 64), Image.Resampling.BICUBIC)
        # Grey for want of pixels: without this, strokes would be paler than any of MNIST's.
        ink, strokes = even_ink(np.asarray(picture).clip(0, 1))
        rows, columns = np.nonzero(strokes)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        images.append(to_mnist(ink, box))
    return np.stack(images), digits.target

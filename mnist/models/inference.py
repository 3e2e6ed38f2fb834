"""Running a trained model over many images."""

from typing import Any

import torch
from torch import Tensor, nn

# Mean and standard deviation of MNIST's training pixels in 0..1.
PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081
SCORE_THRESHOLD = 0.5  # boxes below it count in the mAP, but are not shown or counted as mistakes


def to_input(images: Tensor) -> Tensor:
    """Turn uint8 images (N, H, W) into the input of every model: float (N, 1, H, W) in 0..1."""
    return images.unsqueeze(1).float().div_(255)


@torch.inference_mode()
def predict_logits(model: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    """Classify uint8 images (N, 28, 28); returns logits (N, classes) on the images' device.

    The model is put into inference mode and left there.
    """
    model.eval()
    batches = images.split(batch_size)
    return torch.cat([model(to_input(batch)) for batch in batches])


def classify_digits(model: Any, images: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
    """Run a detector's `classify` over uint8 images (N, 28, 28).

    Returns:
        Logits (N, classes), and bool (N,): whether anything was found. The model is put into
        inference mode and left there.
    """
    model.eval()
    batches = [model.classify(to_input(batch)) for batch in images.split(batch_size)]
    logits, found = zip(*batches, strict=True)
    return torch.cat(logits), torch.cat(found)

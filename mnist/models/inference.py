"""Running a trained model over many images."""

import torch
from torch import Tensor, nn


def to_input(images: Tensor) -> Tensor:
    """Turn uint8 images (N, H, W) into what every model takes: float (N, 1, H, W) in 0..1."""
    return images.unsqueeze(1).float().div_(255)


@torch.inference_mode()
def predict_logits(model: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    """Classify uint8 images (N, 28, 28); returns logits (N, classes) on the images' device.

    The model is put into inference mode and left there.
    """
    model.eval()
    batches = images.split(batch_size)
    return torch.cat([model(to_input(batch)) for batch in batches])

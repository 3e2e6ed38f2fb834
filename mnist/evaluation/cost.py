"""What a model costs to keep and to run."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist.models.inference import to_input


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_flops(model: nn.Module, images: Tensor) -> int:
    """Count the floating-point operations of classifying uint8 images (N, 28, 28).

    Convolutions and matrix products, attention included, count; a multiplication and an addition
    are two operations. `model` is in inference mode.
    """
    classify = getattr(model, "classify", model)  # a detector has a method for single digits
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        classify(to_input(images))
    return counter.get_total_flops()

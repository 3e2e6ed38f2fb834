"""What a model costs to keep and to run."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_flops(model: Callable[[Tensor], object], image: Tensor) -> int:
    """Count the floating-point operations of one forward pass of `image` (1, 1, H, W).

    Args:
        model: or what else takes the image, in inference mode.

    A multiplication and an addition are two. Convolutions, matrix products and attention count.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops()

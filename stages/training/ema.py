"""Averaged weights: the mean over the last steps is better than the last step's weights.

An exponential moving average (Polyak & Juditsky, 1992, as used by Tarvainen & Valpola, 2017).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of `model` whose weights and buffers follow it at every `update_parameters`.

    Early on the average reaches back over a tenth of the steps so far, not over 1 / (1 - decay):
    the random initial weights are soon forgotten.
    """

    @torch.no_grad()
    def update(average: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        if average[0].is_floating_point():
            torch._foreach_lerp_(list(average), list(current), 1 - keep)
        else:  # batch normalisation's count of batches
            torch._foreach_copy_(list(average), list(current))

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)

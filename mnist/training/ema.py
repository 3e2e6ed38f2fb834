"""Averaged weights: the mean over the last steps is better than the last step's weights.

An exponential moving average (Polyak & Juditsky, 1992, as used by Tarvainen & Valpola, 2017).
"""

from copy import deepcopy

import torch
from torch import nn


class Average(nn.Module):
    """A copy of `model` whose weights and buffers follow it at every `update`.

    Early on the average reaches back over a tenth of the updates so far, not over 1 / (1 - decay):
    the random initial weights are soon forgotten.

    Args:
        decay: share of the average that an update keeps, 0..1.
    """

    updates: torch.Tensor

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = deepcopy(model)
        self.decay = decay
        # On the CPU wherever the model is: a GPU would have to be waited for to tell it.
        self.register_buffer("updates", torch.tensor(0))

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        done = int(self.updates)
        keep = min(self.decay, (1 + done) / (10 + done)) if done else 0.0
        average, current = self.module.state_dict(), model.state_dict()
        floats = [name for name, values in average.items() if values.is_floating_point()]
        torch._foreach_lerp_([average[n] for n in floats], [current[n] for n in floats], 1 - keep)
        for name in average.keys() - floats:  # batch normalisation's count of batches
            average[name].copy_(current[name])
        self.updates += 1

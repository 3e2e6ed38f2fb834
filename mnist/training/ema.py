"""Exponential moving average of the weights.

While the learning rate is high, it classifies better than the last step's weights. At the end of
the CNN's training, when the rate is almost 0, no difference was seen (docs/experiments.md).

Polyak & Juditsky (1992), as used by Tarvainen & Valpola (2017).
"""

from copy import deepcopy
from typing import Any

import torch
from torch import nn


class EMA:
    """A copy of `model`, in `module`, whose weights and buffers follow it at every `update`.

    The first update copies the weights. After n updates, the next keeps
    `min(decay, (1 + n) / (10 + n))` of the average, so the first steps' weights are soon forgotten,
    also in short trainings.

    `torch.optim.swa_utils.AveragedModel` could do this with a `multi_avg_fn`, but it would wait for
    the GPU at every step, to read the number of updates.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = deepcopy(model)
        self.decay = decay
        self.updates = 0
        # They stay the same tensors in all of a training, so they are collected once.
        average, current = self.module.state_dict(), model.state_dict()
        floats = [name for name, values in average.items() if values.is_floating_point()]
        counts = average.keys() - floats  # batch normalisation's numbers of batches
        self.floats = [average[n] for n in floats], [current[n] for n in floats]
        self.counts = [average[n] for n in counts], [current[n] for n in counts]

    @torch.no_grad()
    def update(self) -> None:
        done = self.updates
        keep = min(self.decay, (1 + done) / (10 + done)) if done else 0.0
        torch._foreach_lerp_(*self.floats, 1 - keep)
        if self.counts[0]:
            torch._foreach_copy_(*self.counts)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        return {"module": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.updates = state["updates"]

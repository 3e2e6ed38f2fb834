"""The plainest training there is: the same few images until the model knows them by heart."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from mnist.models.inference import to_input
from tests.digits import as_tensors


def overfits(build: Callable[[int], nn.Module], lr: float, steps: int) -> bool:
    """Train on 32 digits for at most `steps` steps, or until the loss falls below 0.1.

    CPUs round differently, and after some steps that changes a training visibly. So there are three
    seeds, of which one is enough, and `steps` should be three times what is usual.

    Args:
        build: takes a seed.
    """
    images, labels = as_tensors(slice(32))
    for seed in range(3):
        model = build(seed).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr)
        for _ in range(steps):
            loss = F.cross_entropy(model(to_input(images)), labels)
            if loss < 0.1:
                return True
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return False

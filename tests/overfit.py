"""The plainest training there is: the same few images until they are learnt by heart."""

import torch
from torch import nn
from torch.nn import functional as F

from mnist.models.inference import to_input
from tests.digits import as_tensors


def loss_after_overfitting(model: nn.Module, lr: float, steps: int, enough: float) -> float:
    """Train on 32 digits for at most `steps` steps, or until the loss falls below `enough`."""
    images, labels = as_tensors(slice(32))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    model.train()
    for _ in range(steps):
        loss = F.cross_entropy(model(to_input(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < enough:
            break
    return loss.item()

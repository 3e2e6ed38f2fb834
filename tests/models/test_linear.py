"""The portable linear layer computes what PyTorch's does."""

import pytest
import torch
from torch import nn

from mnist.models.linear import Linear


@pytest.mark.parametrize("shape", [(6, 5), (1, 5), (3, 4, 5), (1, 1, 5)])
def test_it_is_the_linear_layer_of_pytorch(shape: tuple[int, ...]) -> None:
    ours, theirs = Linear(5, 7), nn.Linear(5, 7)
    theirs.load_state_dict(ours.state_dict())
    results = []
    inputs = torch.randn(shape)
    for layer in (ours, theirs):
        x = inputs.clone().requires_grad_()
        outputs = layer(x)
        (outputs * torch.arange(7.0)).sum().backward()
        results.append([outputs, x.grad, layer.weight.grad, layer.bias.grad])
    torch.testing.assert_close(*results)

"""Averaged weights follow the formula, forget the start, and do not touch the model."""

from typing import Any

import pytest
import torch
from torch import nn

from mnist.training.ema import Average


def test_it_is_the_moving_average_of_the_weights() -> None:
    model = nn.Linear(1, 1, bias=False)
    average: Any = Average(model, decay=0.5)
    expected = None
    for count, weight in enumerate([3.0, 5.0, 11.0, 2.0]):
        with torch.no_grad():
            model.weight.fill_(weight)
        average.update(model)
        # the first update copies; then a tenth of the steps so far are kept, at most `decay`
        keep = 0.0 if expected is None else min(0.5, (1 + count) / (10 + count))
        expected = weight if expected is None else keep * expected + (1 - keep) * weight
        assert average.module.weight.item() == pytest.approx(expected)
    assert model.weight.item() == 2.0


def test_the_start_is_soon_forgotten() -> None:
    model = nn.Linear(1, 1, bias=False)
    average: Any = Average(model, decay=0.999)
    for step in range(100):
        with torch.no_grad():
            model.weight.fill_(1000.0 if step < 3 else 1.0)
        average.update(model)
    assert average.module.weight.item() == pytest.approx(1.0, abs=0.1)


def test_normalisation_statistics_are_averaged_too() -> None:
    model = nn.BatchNorm1d(2)
    average: Any = Average(model, decay=0.9)
    for _ in range(5):
        model(torch.randn(16, 2) + 7)
        average.update(model)
    assert average.module.running_mean.min() > 0.5
    assert average.module.num_batches_tracked == 5

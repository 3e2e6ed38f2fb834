"""The average follows its formula, forgets the initial weights, and leaves the model as it is."""

from typing import Any

import pytest
import torch
from torch import nn

from mnist.training.ema import EMA


def test_it_is_the_moving_average_of_the_weights() -> None:
    model = nn.Linear(1, 1, bias=False)
    ema: Any = EMA(model, decay=0.3)
    expected = None
    for count, weight in enumerate([3.0, 5.0, 11.0, 2.0, 7.0, -1.0]):
        with torch.no_grad():
            model.weight.fill_(weight)
        ema.update()
        # the first update copies; then a tenth and more is kept, at most `decay`
        keep = 0.0 if expected is None else min(0.3, (1 + count) / (10 + count))
        expected = weight if expected is None else keep * expected + (1 - keep) * weight
        assert ema.module.weight.item() == pytest.approx(expected)
    assert model.weight.item() == -1.0


def test_the_statistics_of_batch_normalisation_are_averaged_too() -> None:
    model = nn.BatchNorm1d(2)
    ema: Any = EMA(model, decay=0.1)
    model.load_state_dict({"running_mean": torch.tensor([10.0, 20.0])}, strict=False)
    ema.update()
    statistics = {"running_mean": torch.tensor([20.0, 0.0]), "num_batches_tracked": torch.tensor(7)}
    model.load_state_dict(statistics, strict=False)
    ema.update()
    torch.testing.assert_close(ema.module.running_mean, torch.tensor([19.0, 2.0]))
    assert ema.module.num_batches_tracked == 7  # an integer: the latest

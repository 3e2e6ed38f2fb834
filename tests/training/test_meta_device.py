"""Classifiers train on PyTorch's `meta` device, whose tensors have shapes but no numbers.

A GPU is fast while nobody waits for it. On `meta`, reading a number (`.item()`, `if tensor`) raises
an error, as does an operation on tensors of two devices. So this shows without a GPU that steps
neither wait for it nor leave a tensor on the CPU. Faster R-CNN chooses boxes by their scores, which
needs numbers.
"""

import contextlib
from typing import Any

import pytest
import torch
from torch import nn

from mnist.params import TrainingParams
from mnist.training import loop
from tests.small_models import MODELS, small_case

META = torch.device("meta")
STEPS = 3  # before the first validation, which reads the loss


class StepsDone(Exception):
    pass


def unfused(model: nn.Module, recipe: TrainingParams) -> torch.optim.Optimizer:
    """The optimizer of the recipe; PyTorch has its fused form for real devices only."""
    optimizer = loop_optimizer(model, recipe)
    for group in optimizer.param_groups:
        group["fused"] = False
    return optimizer


loop_optimizer = loop.make_optimizer


@pytest.mark.parametrize("name", [name for name in MODELS if name != "frcnn"])
def test_a_training_step_reads_no_number_and_stays_on_its_device(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "make_optimizer", unfused)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # nor that
    model, task, recipe = small_case(name, device=META, epochs=8)
    batch, seen = task.batch, []

    def stopping_batch(step: int) -> Any:
        if step == STEPS:
            raise StepsDone
        seen.append(batch(step))
        return seen[-1]

    monkeypatch.setattr(task, "batch", stopping_batch)
    with pytest.raises(StepsDone):
        loop.train(model, task, recipe)
    seen.append(batch(task.steps_per_epoch))  # hard images: chosen by the losses so far
    assert {tensor.device for parts in seen for tensor in parts} == {META}

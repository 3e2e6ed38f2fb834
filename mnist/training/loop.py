"""The training loop that all models use, in plain PyTorch.

What is learnt, and from which batches, is a `Task`: see classification.py and detection.py.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LambdaLR

from mnist.params import TrainingParams
from mnist.training import distributed
from mnist.training.checkpoint import Checkpoint
from mnist.training.cuda_graph import GraphedStep
from mnist.training.curve import CurveRow, LearningCurve, Progress, validation_steps
from mnist.training.ema import EMA
from mnist.training.randomness import derive_seed


class Task(Protocol):
    """What a model learns: batches, a loss and a validation."""

    seed: int
    batch_size: int
    """images, or scenes, per step, over all processes"""
    steps_per_epoch: int
    is_static: bool
    """whether all batches have the same shapes and `loss` waits for no GPU"""

    def batch(self, step: int) -> Any:
        """Return this process's part of the batch of `step`; steps come in order."""

    def loss(self, model: Any, batch: Any) -> Tensor:
        """Return the loss to minimise, a mean over `batch`."""

    def validate(self, model: Any) -> tuple[float, float, int]:
        """Return loss and accuracy on the validation images, and their number."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the next batches depend on besides seed and step."""

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass
class TrainResult:
    """A trained model, in inference mode, and how the training went."""

    model: nn.Module
    samples: int
    """images, or scenes, seen in training; one that is seen twice counts twice"""
    curve: list[CurveRow]


def train(
    model: nn.Module,
    task: Task,
    recipe: TrainingParams,
    precision: torch.dtype = torch.float32,
    checkpoint: Checkpoint | None = None,
    curve_file: Path | None = None,
) -> TrainResult:
    """Train `model`, on the device it is on, and return it with averaged weights.

    Args:
        recipe: the hyperparameters, as in a model's section of params.yaml; `epochs` counts the
            images seen, in units of the training set, and may be a fraction.
        precision: of matrix products and convolutions; the weights stay float32.
        checkpoint: where a killed training is continued from, to end with the same bits.
        curve_file: where each row of the learning curve is written as soon as it is known.

    Raises:
        UserError: the loss is no longer a number.
    """
    device = next(model.parameters()).device
    # channels_last is the memory layout in which convolutions are fastest.
    model = model.to(memory_format=torch.channels_last).train()
    ddp_model = DistributedDataParallel(model) if distributed.world_size() > 1 else model
    ema = EMA(model, recipe.ema_decay)
    optimizer = make_optimizer(model, recipe)
    steps = max(1, round(recipe.epochs * task.steps_per_epoch))
    scheduler = LambdaLR(optimizer, lambda step: one_cycle(step, steps, recipe.warmup))
    curve = LearningCurve(curve_file)
    state: dict[str, Any] = {
        "model": model, "ema": ema, "optimizer": optimizer, "scheduler": scheduler,
        "task": task, "curve": curve,
    }  # fmt: skip
    start = checkpoint.load(state) if checkpoint else 0
    progress = Progress(start, steps, task.batch_size)
    validations = validation_steps(steps, recipe.epochs)

    def take_step(batch: Any) -> Tensor:
        optimizer.zero_grad()
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            loss = task.loss(ddp_model, batch)
        loss.backward()
        optimizer.step()
        return loss.detach()

    if device.type == "cuda" and task.is_static and ddp_model is model:
        take_step = GraphedStep(take_step)

    for step in range(start, steps):
        torch.manual_seed(derive_seed(task.seed, distributed.rank(), "step", step))  # dropout
        loss = take_step(task.batch(step))
        scheduler.step()
        ema.update()
        progress.update(step + 1, loss)
        curve.add_step(loss)

        if step + 1 in validations:
            row = curve.add_row((step + 1) / task.steps_per_epoch, task.validate(ema.module))
            progress.log(row)
        if checkpoint and checkpoint.is_due():
            checkpoint.save(state, step + 1)
    progress.bar.close()
    return TrainResult(ema.module.eval(), steps * task.batch_size, curve.rows)


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """Return the learning rate at `step` of `steps` as a fraction of its peak.

    The one-cycle schedule (Smith & Topin, 2017): linear from 0.1 to 1 over the first `warmup` of
    the steps, then half a cosine down to 0.001.
    """
    peak = warmup * steps
    if step < peak:
        return 0.1 + 0.9 * step / peak
    done = (step - peak) / (steps - peak)
    return 0.001 + 0.999 * (1 + math.cos(math.pi * done)) / 2


def make_optimizer(model: nn.Module, recipe: TrainingParams) -> torch.optim.Optimizer:
    """Build AdamW (Loshchilov & Hutter, 2019) or SGD with Nesterov momentum.

    The head, or a detector's second stage, learns at `recipe.head_lr`, if that is set. Weight decay
    applies to parameters of two or more dimensions, such as kernels and matrices: biases and the
    scales of normalisation layers do not overfit.
    """
    on_gpu = next(model.parameters()).is_cuda
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            in_head = name.startswith(("head.", "crop_heads."))
            lr = recipe.head_lr if in_head and recipe.head_lr is not None else recipe.lr
            weight_decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            groups[lr, weight_decay].append(parameter)
    settings = [
        # A CUDA graph reads the learning rate from the GPU's memory.
        {"params": p, "lr": torch.tensor(lr, device="cuda") if on_gpu else lr, "weight_decay": wd}
        for (lr, wd), p in groups.items()
    ]
    # fused: one pass over the memory of all parameters of a group
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(settings, fused=True, capturable=on_gpu)
    return torch.optim.SGD(settings, lr=recipe.lr, momentum=0.9, nesterov=True, fused=True)

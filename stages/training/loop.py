"""The training loop that all classifiers share: plain PyTorch, everything in sight.

The data are tensors on the device from start to end. A DataLoader with workers would spend more
time on moving 28x28 images between processes than a step takes.
"""

import math
import time
from collections import defaultdict
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from stages.data.augmentation import random_affine
from stages.models.inference import predict_logits, to_input
from stages.params import Recipe
from stages.system.errors import UserError
from stages.training.ema import averaged
from stages.training.schedule import one_cycle

STEPS_BETWEEN_READINGS = 20  # reading the loss makes the device wait, so not at every step
STEPS_BETWEEN_AVERAGES = 4  # weights change little in 4 steps, and averaging reads them all


@dataclass(frozen=True)
class EpochScore:
    """One row of the learning curve. The losses are means over images, in nats."""

    epoch: float
    train_loss: float
    val_loss: float
    val_accuracy: float


@dataclass
class Trained:
    """What comes out of a training."""

    model: nn.Module
    curve: list[EpochScore] = field(default_factory=list)
    samples: int = 0
    seconds: float = 0.0


def train(
    model: nn.Module,
    training: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    recipe: Recipe,
    seed: int,
    head_lr: float | None = None,
) -> Trained:
    """Train `model` and return it with averaged weights, ready for inference.

    Args:
        model: maps float images (N, 1, 28, 28) in 0..1 to logits (N, classes).
        training: uint8 images (N, 28, 28) and int64 labels (N,), on the device to train on.
        validation: likewise; read for the curve only, never to choose the weights.
        recipe: the hyperparameters, as in a model's section of params.yaml; `epochs` may be a
            fraction.
        seed: of the order and the augmentation.
        head_lr: learning rate of `model.head` where it differs from the recipe's `lr`.

    Raises:
        UserError: the loss is no longer a number.
    """
    images, labels = training
    # channels_last is the memory layout in which convolutions run fastest on most hardware.
    model = model.to(images.device).to(memory_format=torch.channels_last)
    average = averaged(model, recipe.ema_decay**STEPS_BETWEEN_AVERAGES)
    optimizer = make_optimizer(model, recipe, head_lr)

    batch_size = min(recipe.batch_size, len(images))
    steps_per_epoch = len(images) // batch_size  # the images left over wait for the next shuffle
    steps = max(1, round(recipe.epochs * steps_per_epoch))
    schedule = LambdaLR(optimizer, lambda step: one_cycle(step, steps, recipe.warmup))

    generator = torch.Generator().manual_seed(seed)
    result = Trained(average.module)
    progress = tqdm(total=steps * batch_size, unit="img", unit_scale=True, smoothing=0.05)
    step = 0
    while step < steps:
        started = time.perf_counter()
        model.train()
        order = torch.randperm(len(images), generator=generator)
        batches = order[: steps_per_epoch * batch_size].view(-1, batch_size)[: steps - step]
        loss_sum = torch.zeros((), device=images.device)
        for batch in batches.to(images.device):
            inputs = random_affine(to_input(images[batch]), recipe.augmentation, generator)
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            logits = model(inputs)
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            loss_sum += loss.detach()
            step += 1
            if step % STEPS_BETWEEN_AVERAGES == 0 or step == steps:
                average.update_parameters(model)
            if step % STEPS_BETWEEN_READINGS == 0 or step == steps:
                _report(progress, step * batch_size, loss.item(), step, steps_per_epoch, schedule)
            schedule.step()
        train_loss = loss_sum.item() / len(batches)
        result.seconds += time.perf_counter() - started
        score = _score(average.module, validation, step / steps_per_epoch, train_loss)
        result.curve.append(score)
        progress.write(
            f"epoch {score.epoch:g}: training loss {score.train_loss:.4f}, "
            f"validation loss {score.val_loss:.4f}, accuracy {score.val_accuracy:.2%}"
        )
    progress.close()
    result.samples = steps * batch_size
    return result


def make_optimizer(
    model: nn.Module, recipe: Recipe, head_lr: float | None = None
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, 2019) or SGD with Nesterov momentum.

    Weight decay pulls at the kernels and matrices only: biases and the scales of normalisation
    layers do not overfit.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            lr = recipe.lr
            if head_lr is not None and name.startswith("head."):
                lr = head_lr
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            groups[lr, decay].append(parameter)
    settings = [
        {"params": parameters, "lr": lr, "weight_decay": decay}
        for (lr, decay), parameters in groups.items()
    ]
    # fused: all parameters of a group in one pass over memory
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(settings, fused=True)
    return torch.optim.SGD(settings, lr=recipe.lr, momentum=0.9, nesterov=True, fused=True)


def _score(
    model: nn.Module, validation: tuple[Tensor, Tensor], epoch: float, train_loss: float
) -> EpochScore:
    images, labels = validation
    logits = predict_logits(model, images, batch_size=500)
    accuracy = (logits.argmax(dim=1) == labels).double().mean().item()
    return EpochScore(epoch, train_loss, F.cross_entropy(logits, labels).item(), accuracy)


def _report(
    progress: tqdm, images: int, loss: float, step: int, steps_per_epoch: int, schedule: LambdaLR
) -> None:
    progress.update(images - progress.n)
    progress.set_postfix(loss=f"{loss:.4f}", refresh=False)
    if not math.isfinite(loss):
        progress.close()
        epoch = step / steps_per_epoch
        raise UserError(
            f"the loss became {loss} at step {step} (epoch {epoch:.2f}), learning rate "
            f"{schedule.get_last_lr()[0]:.3g}: the training diverged. Lower lr or raise warmup."
        )

"""The training loop that all models share: plain PyTorch, everything in sight.

What is learnt, and from which batches, is a `Task`: classification.py and detection.py.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from mnist.errors import UserError
from mnist.params import Training
from mnist.training.checkpoint import Checkpoints, State, rng_states, set_rng_states
from mnist.training.distributed import ALONE, Processes
from mnist.training.ema import Average
from mnist.training.schedule import one_cycle

STEPS_BETWEEN_READINGS = 20  # reading the loss makes the device wait, so not at every step
STEPS_BETWEEN_AVERAGES = 4  # weights change little in 4 steps, and averaging reads them all


@dataclass(frozen=True)
class EpochScore:
    """One row of the learning curve. The training loss is the mean over the steps."""

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


class Task(Protocol):
    """What a model is to learn, and how well it has."""

    batch_size: int
    """images a step"""
    steps_per_epoch: int

    def epoch(self, generator: torch.Generator, share: slice = slice(None)) -> Iterator[Any]:
        """Yield this process's share of the batches of one epoch.

        The draws from `generator`, order and distortion, are the same whatever the share.
        """

    def loss(self, model: Any, batch: Any) -> Tensor:
        """Return what to descend on, a mean over `batch`."""

    def score(self, model: Any) -> tuple[float, float]:
        """Return loss and accuracy on the validation split."""


def train(
    model: nn.Module,
    task: Task,
    recipe: Training,
    seed: int,
    device: torch.device,
    *,
    head_lr: float | None = None,
    precision: torch.dtype = torch.float32,
    processes: Processes = ALONE,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Train `model` on `device` and return it with averaged weights, ready for inference.

    Args:
        recipe: the hyperparameters, as in a model's section of params.yaml; `epochs` may be a
            fraction.
        seed: of what `task` draws.
        head_lr: learning rate of `model.head` where it differs from the recipe's `lr`.
        precision: of matrix products and convolutions; the weights stay float32.
        processes: that share each batch.
        checkpoints: where a training that was killed is taken up, to end with the same bits as one
            that was not.

    Raises:
        UserError: the loss is no longer a number.
    """
    # channels_last is the memory layout in which convolutions run fastest on most hardware.
    model = model.to(device).to(memory_format=torch.channels_last)
    stepping = processes.wrap(model)
    average = Average(model, recipe.ema_decay**STEPS_BETWEEN_AVERAGES)
    optimizer = make_optimizer(model, recipe, head_lr)
    steps = max(1, round(recipe.epochs * task.steps_per_epoch))
    schedule = LambdaLR(optimizer, lambda step: one_cycle(step, steps, recipe.warmup))
    parts: dict[str, Any] = {
        "model": model,
        "average": average,
        "optimizer": optimizer,
        "schedule": schedule,
    }

    generator = torch.Generator().manual_seed(seed)
    epoch_start = generator.get_state()
    result = Trained(average.module, samples=steps * task.batch_size)
    # `first`: the step at which the epoch began. `loss_sum`: of the epoch so far.
    step, first, loss_sum = 0, 0, torch.zeros((), device=device)

    if state := checkpoints and checkpoints.latest():
        for name, part in parts.items():
            part.load_state_dict(state[name])
        generator.set_state(state["epoch_start"])
        step, first, loss_sum = state["step"], state["first"], state["loss_sum"].to(device)
        result.curve = [EpochScore(**score) for score in state["curve"]]
        result.seconds = state["seconds"]
        set_rng_states(state["rng"], device)

    def save() -> None:
        if checkpoints and _is_finite(model, loss_sum):
            state: State = {name: part.state_dict() for name, part in parts.items()}
            state |= {"epoch_start": epoch_start, "step": step, "first": first}
            state |= {"loss_sum": loss_sum, "curve": [asdict(score) for score in result.curve]}
            state |= {"seconds": result.seconds, "rng": rng_states(device)}
            checkpoints.save(step, state)

    progress = tqdm(
        total=result.samples,
        initial=step * task.batch_size,
        unit="img",
        unit_scale=True,
        smoothing=0.05,
        disable=processes.rank > 0,
    )
    say = progress.write if processes.rank == 0 else lambda _: None
    if step:
        say(f"going on from step {step} of {steps}, where the last run was stopped")
    while first < steps:
        started = time.perf_counter()
        model.train()
        epoch_start = generator.get_state()
        batches = task.epoch(generator, processes.share(task.batch_size))
        # An epoch that was stopped is drawn again, and what was done of it passed over.
        for batch in islice(batches, step - first, steps - first):
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                loss = task.loss(stepping, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            loss_sum += loss.detach()
            step += 1
            if step % STEPS_BETWEEN_AVERAGES == 0 or step == steps:
                average.update(model)
            if step % STEPS_BETWEEN_READINGS == 0 or step == steps:
                progress.update(step * task.batch_size - progress.n)
                _report(progress, loss.item(), step, step / task.steps_per_epoch, schedule)
            schedule.step()
            if checkpoints and checkpoints.due():
                result.seconds += time.perf_counter() - started
                save()
                started = time.perf_counter()
        train_loss = processes.mean(loss_sum).item() / (step - first)
        result.seconds += time.perf_counter() - started
        score = EpochScore(step / task.steps_per_epoch, train_loss, *task.score(average.module))
        result.curve.append(score)
        say(
            f"epoch {score.epoch:g}: training loss {score.train_loss:.4f}, "
            f"validation loss {score.val_loss:.4f}, accuracy {score.val_accuracy:.2%}"
        )
        first, loss_sum, epoch_start = step, torch.zeros_like(loss_sum), generator.get_state()
        save()
    progress.close()
    average.module.eval()
    return result


def make_optimizer(
    model: nn.Module, recipe: Training, head_lr: float | None = None
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


def _report(progress: tqdm, loss: float, step: int, epoch: float, schedule: LambdaLR) -> None:
    progress.set_postfix(loss=f"{loss:.4f}", refresh=False)
    if not math.isfinite(loss):
        progress.close()
        raise UserError(
            f"the loss became {loss} at step {step} (epoch {epoch:.2f}), learning rate "
            f"{schedule.get_last_lr()[0]:.3g}: the training diverged. Lower lr or raise warmup."
        )


def _is_finite(model: nn.Module, loss: Tensor) -> bool:
    """Whether a state is worth keeping: what has diverged stays so."""
    return all(bool(values.isfinite().all()) for values in (loss, *model.parameters()))

"""Time the training and the inference of all models of params.yaml, into metrics/benchmark.json.

It takes some minutes, in which nothing else should run. Each model trains for some seconds, in turn
with the others, and classifies test digits. Medians over the rounds count: a shared machine is fast
in one second and slow in the next.
"""

import argparse
import os
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils._python_dispatch import TorchDispatchMode

from mnist.data.arrays import load_arrays
from mnist.device import cpu_name, set_up
from mnist.evaluation.predict import predict
from mnist.files import round_numbers, write_json
from mnist.models import registry
from mnist.params import Params, load_params
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from mnist.training.ema import EMA
from mnist.training.loop import make_optimizer, one_cycle
from mnist.training.randomness import derive_seed

ARRAYS, RESULT = Path("data/mnist"), Path("metrics/benchmark.json")
BATCHES = 10  # to classify in a round
Split = tuple[Tensor, Tensor]


def main(_: argparse.Namespace) -> None:
    params = load_params()
    device = set_up(params)
    training, test = (load_arrays(ARRAYS / f"{split}.npz", device) for split in ("train", "test"))
    figures = {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "portable": params.portable,
        "torch": torch.__version__,
        "models": measure(params, training, test[0]),
    }
    write_json(RESULT, round_numbers(figures))


def measure(
    params: Params, training: Split, digits: Tensor, rounds: int = 5, seconds: float = 6
) -> dict[str, dict[str, float]]:
    """Return the figures of each model of `params`, which trains for about `seconds` a round.

    Args:
        training: uint8 images (N, 28, 28) and int64 labels (N,).
        digits: uint8 images (N, 28, 28) to classify, on the same device.
    """
    cases = {name: Case(name, params, training, digits) for name in params.models}
    # The first steps also warm up.
    steps = {name: max(1, round(seconds / case.step_seconds(4))) for name, case in cases.items()}
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", flush=True)
        for name, case in cases.items():
            case.steps.append(case.step_seconds(steps[name]))
            case.batches.append(case.digit_seconds(case.inference_batch))
            case.singles.append(case.digit_seconds(1))
    return {name: case.figures() for name, case in cases.items()}


class Case:
    """Model `name` of params.yaml, from random weights, and the seconds that were measured."""

    def __init__(self, name: str, params: Params, training: Split, digits: Tensor) -> None:
        detects, evaluate = registry.detects(name), params.evaluate
        recipe = getattr(params, name)
        task: Any = Detection if detects else Classification
        self.task = task(training, training, recipe, params.seed)
        self.recipe_steps = max(1, round(recipe.epochs * self.task.steps_per_epoch))  # as `train`
        self.precision = getattr(torch, params.precision)
        model = registry.build(name, params).to(digits.device)
        self.model = model.to(memory_format=torch.channels_last)
        self.ema = EMA(self.model, recipe.ema_decay)
        self.optimizer = make_optimizer(self.model, recipe)
        self.scheduler = LambdaLR(
            self.optimizer, lambda step: one_cycle(step, self.recipe_steps, recipe.warmup)
        )
        self.done = 0  # steps
        self.digits = digits
        self.inference_batch = evaluate.scenes_batch_size if detects else evaluate.batch_size
        self.steps: list[float] = []
        self.batches: list[float] = []  # per digit, in batches
        self.singles: list[float] = []  # per digit, one by one

    def step(self) -> None:
        """Take the next training step, as `train` does."""
        torch.manual_seed(derive_seed(self.task.seed, 0, "step", self.done))
        batch = self.task.batch(self.done)
        kind, low = self.digits.device.type, self.precision != torch.float32
        with torch.autocast(kind, self.precision, enabled=low):
            loss = self.task.loss(self.model, batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.ema.update(self.model)
        self.done += 1

    def step_seconds(self, steps: int) -> float:
        """Take some steps and return the seconds of one."""
        self.model.train()
        start = perf_counter()
        for _ in range(steps):
            self.step()
        if self.digits.is_cuda:
            torch.cuda.synchronize()
        return (perf_counter() - start) / steps

    def digit_seconds(self, batch_size: int) -> float:
        """Classify some batches and return the seconds of a digit."""
        digits = self.digits[: BATCHES * batch_size]
        predict(self.model, digits[:batch_size], batch_size)  # warms up
        start = perf_counter()
        predict(self.model, digits, batch_size)
        return (perf_counter() - start) / len(digits)

    def figures(self) -> dict[str, float]:
        """Return the figures of metrics/benchmark.json."""
        step = median(self.steps)
        self.model.train()
        with Operations() as operations:
            self.step()
        return {
            "step_seconds": step,
            "steps": self.recipe_steps,
            "train_seconds": self.recipe_steps * step,
            "train_images_per_second": self.task.batch_size / step,
            "latency_ms": 1000 * median(self.singles),
            "infer_images_per_second": 1 / median(self.batches),
            "operations_per_step": operations.count,
        }


class Operations(TorchDispatchMode):
    """Counts PyTorch's operations in a `with` block; a GPU has to be told of each."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))

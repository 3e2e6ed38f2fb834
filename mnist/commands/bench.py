"""Time the training and the inference of all models of params.yaml, into metrics/benchmark.json.

It takes some minutes, in which nothing else should run. In each round, each model takes some steps
of its training and classifies validation digits. Medians over the rounds count: a shared machine is
fast in one second and slow in the next.
"""

import argparse
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mnist.data.arrays import load_arrays
from mnist.device import cpu_name, set_up
from mnist.evaluation.predictions import predict
from mnist.files import round_numbers, write_json
from mnist.models import registry
from mnist.params import Params, load_params
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from mnist.training.loop import train
from mnist.training.run import ARRAYS, METRICS

ROUNDS = 5
STEPS, BATCHES = 20, 10  # of training, and to classify, in a round
WARM_UP = 5  # steps; in them, a GPU's graph is recorded, too


def main(_: argparse.Namespace) -> None:
    params = load_params()
    device = set_up(params)
    training, others = (load_arrays(ARRAYS / f"{x}.npz", device) for x in ("train", "validation"))
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in params.models}
    for number in range(1, ROUNDS + 1):
        for name in params.models:
            print(f"round {number} of {ROUNDS}: {name}", flush=True)
            rounds[name].append(measure(name, params, training, others[0]))
    figures = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else cpu_name(),
        "threads": torch.get_num_threads(),
        "portable": params.portable,
        "torch": torch.__version__,
        "models": {
            name: {key: median(figures[key] for figures in measured) for key in measured[0]}
            for name, measured in rounds.items()
        },
    }
    write_json(METRICS / "benchmark.json", round_numbers(figures))


def measure(
    name: str, params: Params, training: tuple[Tensor, Tensor], digits: Tensor
) -> dict[str, float]:
    """Train model `name` for some steps, from random weights, and let it classify `digits`.

    Images are uint8 (N, 28, 28) and labels int64 (N,), on the same device.
    """
    detects, recipe = registry.detects(name), getattr(params, name)
    base: Any = Detection if detects else Classification
    operations = Operations()

    class Timed(base):
        """The task of the stage. Of its steps, the first warm up, and one of these is counted."""

        def batch(self, step: int) -> Any:
            if step == 1:
                operations.__enter__()
            if step == 2:
                operations.__exit__(None, None, None)
            if step == WARM_UP:
                self.start = now()
            return super().batch(step)

        def validate(self, _: nn.Module) -> tuple[float, float, int]:
            return 0.0, 0.0, 1

    task = Timed(training, training, recipe, params.seed)
    # Few steps: at the learning rates of the recipe, they could diverge.
    slow = {"lr": 1e-6, "head_lr": recipe.head_lr and 1e-7}
    short = recipe.model_copy(update=slow | {"epochs": (WARM_UP + STEPS) / task.steps_per_epoch})
    model = registry.build(name, params).to(digits.device)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # the progress bar
        train(model, task, short, getattr(torch, params.precision))
    seconds = (now() - task.start) / STEPS
    steps = max(1, round(recipe.epochs * task.steps_per_epoch))  # of the stage
    batch_size = params.evaluate.scenes_batch_size if detects else params.evaluate.batch_size
    return {
        "step_seconds": seconds,
        "steps": steps,
        "train_seconds": steps * seconds,
        "train_images_per_second": task.batch_size / seconds,
        "latency_ms": 1000 * digit_seconds(model, digits, 1),
        "infer_images_per_second": 1 / digit_seconds(model, digits, batch_size),
        "operations_per_step": operations.count,
    }


def now() -> float:
    """Return the seconds on the clock when the device has done all that it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return perf_counter()


def digit_seconds(model: nn.Module, digits: Tensor, batch_size: int) -> float:
    """Classify some batches and return the seconds of a digit."""
    predict(model, digits[:batch_size], batch_size)  # warms up
    digits = digits[: BATCHES * batch_size]
    start = now()
    predict(model, digits, batch_size)
    return (now() - start) / len(digits)


class Operations(TorchDispatchMode):
    """Counts PyTorch's operations in a `with` block; a GPU has to be told of each."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))

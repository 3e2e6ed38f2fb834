"""Training and inference of one model, as its stage does them, in pieces short enough to time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import torch
from torch import Tensor

from mnist.data.scenes import scene_count
from mnist.evaluation.predictions import predict
from mnist.models import registry
from mnist.params import Params
from mnist.training import run
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from mnist.training.loop import TrainResult, train

Split = tuple[Tensor, Tensor]
SCENES = 500  # of an epoch of the detector that is timed


@contextmanager
def suppress_output() -> Iterator[None]:
    """Hide the progress of a training: a benchmark runs many short ones."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


class BenchmarkCase:
    """Model `name` of params.yaml with random weights, and what it learns from.

    Args:
        training: uint8 images (N, 28, 28) and int64 labels (N,), on `device`.
    """

    def __init__(self, name: str, params: Params, training: Split, device: torch.device) -> None:
        self.recipe = getattr(params, name)
        self.precision = getattr(torch, params.precision)
        self.model = registry.build(name, params).to(device)
        # A detector makes the scenes of an epoch at once, so whole epochs are timed, short ones.
        whole_epochs = registry.task(name) == "detection"
        if whole_epochs:
            digits = SCENES * len(training[0]) // scene_count(len(training[0]), self.recipe.scenes)
            training = (training[0][:digits], training[1][:digits])
        validation = (training[0][:10], training[1][:10])  # takes no time
        task = Detection if whole_epochs else Classification
        self.task = task(training, validation, self.recipe, params.seed)
        self.min_steps = self.task.steps_per_epoch if whole_epochs else 1

    def train(self, epochs: float) -> TrainResult:
        """Train from where the weights are now, with a whole learning-rate schedule."""
        self.task.epoch = -1  # so that making the epoch's order or scenes is timed too
        recipe = self.recipe.model_copy(update={"epochs": epochs})
        with suppress_output():
            return train(self.model, self.task, recipe, self.precision)

    def training_rate(self, images: int) -> float:
        """Train on about `images` images, or scenes, and return how many are done per second."""
        whole = self.min_steps
        steps = whole * max(1, images // self.task.batch_size // whole)
        result = self.train(steps / self.task.steps_per_epoch)
        return result.samples / result.seconds

    def inference_rate(self, images: Tensor, batch_size: int) -> float:
        """Classify uint8 images (N, 28, 28) and return how many are done per second."""
        start = time.perf_counter()
        predict(self.model, images, batch_size)
        return len(images) / (time.perf_counter() - start)

    def training_flops(self) -> float:
        """Return the floating-point operations of a training step, per image of its batch."""
        return run.training_flops(self.model, self.task)

"""One model's training and inference, as its stage does them, in pieces small enough to time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist.models.frcnn import DigitDetector, classify_digits
from mnist.models.fine_tuned import NETWORKS, FineTunedNetwork
from mnist.models.inference import predict_logits
from mnist.models.registry import MODELS
from mnist.params import Params, Training
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from mnist.training.loop import Task, train

Split = tuple[Tensor, Tensor]
SCENES = 500  # Faster R-CNN makes the scenes of an epoch at once; an epoch of so many is timed


def build(name: str, params: Params) -> nn.Module:
    """Build the network of params.yaml; its weights, which cost no time, are random."""
    section: Any = getattr(params, name)
    arguments = section.architecture()
    if name == "frcnn":
        arguments["backbone"] = params.cnn.architecture()
    if name in NETWORKS:
        arguments["network"] = name
    model = MODELS[name](**arguments)
    if isinstance(model, FineTunedNetwork):
        model.freeze(section.frozen_blocks)
    return model


@contextmanager
def suppress_output() -> Iterator[None]:
    """Keep the training's progress off the terminal: it is of many short trainings here."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


@dataclass
class BenchmarkCase:
    """A model with what it learns from; an image of Faster R-CNN is a scene in training.

    `whole_epochs`: trained in no smaller portions.
    """

    model: nn.Module
    task: Task
    recipe: Training
    head_lr: float | None
    device: torch.device
    whole_epochs: bool

    @classmethod
    def of(
        cls,
        name: str,
        params: Params,
        training: Split,
        device: torch.device,
        validation: Split | None = None,
    ) -> "BenchmarkCase":
        """Prepare what the stage of model `name` does; without `validation`, to be timed."""
        section = getattr(params, name)
        to_score = validation or (training[0][:10], training[1][:10])
        task: Task
        if name == "frcnn":
            if validation is None:
                most = SCENES * len(training[0]) // section.scenes.scenes(len(training[0]))
                training = (training[0][:most], training[1][:most])
            task = Detection(training, to_score, section)
        else:
            task = Classification(training, to_score, section)
        head_lr = getattr(section, "head_lr", None)
        whole_epochs = name == "frcnn" and validation is None
        return cls(build(name, params), task, section, head_lr, device, whole_epochs)

    def train(self, images: int) -> float:
        """Train on so many images, in whole batches, and return the images per second.

        Of Faster R-CNN, in whole epochs, since the scenes of one are made at once.
        """
        whole = self.task.steps_per_epoch if self.whole_epochs else 1
        steps = whole * max(1, images // self.task.batch_size // whole)
        epochs = steps / self.task.steps_per_epoch
        recipe = self.recipe.model_copy(update={"epochs": epochs})
        with suppress_output():
            trained = train(self.model, self.task, recipe, 0, self.device, head_lr=self.head_lr)
        return trained.samples / trained.seconds

    def infer(self, images: Tensor, batch_size: int) -> float:
        """Classify uint8 images (N, 28, 28), and return the images per second."""
        start = time.perf_counter()
        if isinstance(self.model, DigitDetector):
            answers, _ = classify_digits(self.model, images, batch_size)
        else:
            answers = predict_logits(self.model, images, batch_size)
        answers.cpu()  # waits for the device
        return len(images) / (time.perf_counter() - start)

    def training_flops(self) -> float:
        """Floating-point operations of a step, forward and backward, for each of its images."""
        self.model.to(self.device).train()
        batch = next(self.task.epoch(torch.Generator().manual_seed(0)))
        with FlopCounterMode(display=False) as counter:
            self.task.loss(self.model, batch).backward()
        self.model.zero_grad()
        return counter.get_total_flops() / self.task.batch_size

"""Learning to find digits in scenes and to say which they are."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist.data.scenes import make_scenes
from mnist.models.frcnn import DigitDetector, classify_digits, targets
from mnist.models.inference import to_input
from mnist.params import FasterRCNN

Batch = tuple[Tensor, list[dict[str, Tensor]]]


class Detection:
    """A `Task`: the four losses of Faster R-CNN, on scenes that are made anew for every epoch.

    Args:
        training: uint8 images (N, 28, 28) and int64 labels (N,) that the scenes are made of.
        validation: likewise; read for the curve only, each digit alone in a scene.
    """

    def __init__(
        self, training: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], recipe: FasterRCNN
    ) -> None:
        self.device = training[0].device
        self.images, self.labels = training[0].cpu(), training[1].cpu()
        self.validation = validation
        self.recipe = recipe
        scenes = recipe.scenes.scenes(len(self.images))
        self.batch_size = max(1, min(recipe.batch_size, scenes))
        self.steps_per_epoch = scenes // self.batch_size

    def epoch(self, generator: torch.Generator, share: slice = slice(None)) -> Iterator[Batch]:
        """Yield float scenes (batch, 1, side, side) in 0..1 and what they hold."""
        rotate, shear = self.recipe.rotate, self.recipe.shear
        scenes = make_scenes(
            self.images, self.labels, self.recipe.scenes, generator, rotate=rotate, shear=shear
        )
        scenes = scenes.to(self.device)
        contents = scenes.digits()
        for step in range(self.steps_per_epoch):
            batch = slice(step * self.batch_size, (step + 1) * self.batch_size)
            yield to_input(scenes.images[batch][share]), targets(contents[batch][share])

    def loss(self, model: DigitDetector, batch: Batch) -> Tensor:
        scenes, contents = batch
        losses = model(list(scenes), contents)
        return torch.stack(list(losses.values())).sum()

    def score(self, model: DigitDetector) -> tuple[float, float]:
        images, labels = self.validation
        logits, found = classify_digits(model, images, batch_size=100)
        accuracy = ((logits.argmax(dim=1) == labels) & found).cpu().double().mean().item()
        return F.cross_entropy(logits, labels).item(), accuracy

"""Learning to find digits in scenes and to classify them."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist.data.scenes import make_scenes, scene_count
from mnist.models.frcnn import DigitDetector, targets
from mnist.models.inference import classify_digits, to_input
from mnist.params import FasterRCNNParams
from mnist.training import distributed
from mnist.training.randomness import generator_for

Split = tuple[Tensor, Tensor]
Batch = tuple[Tensor, list[dict[str, Tensor]]]


class Detection:
    """A `Task`: the losses of Faster R-CNN, on scenes that are made anew for every epoch.

    Args:
        training: uint8 images (N, 28, 28) and int64 labels (N,) that the scenes are made of.
        validation: likewise; used for the learning curve only, each digit alone in a scene.
    """

    is_static = False  # the number of boxes differs

    def __init__(
        self, training: Split, validation: Split, recipe: FasterRCNNParams, seed: int
    ) -> None:
        self.device = training[0].device
        self.images, self.labels = training[0].cpu(), training[1].cpu()
        self.validation = validation
        self.recipe, self.seed = recipe, seed
        scenes = scene_count(len(self.images), recipe.scenes)
        self.batch_size = min(recipe.batch_size, scenes)
        self.steps_per_epoch = scenes // self.batch_size
        self.shard = distributed.shard(self.batch_size)
        self.epoch = -1

    def batch(self, step: int) -> Batch:
        """Return float scenes (batch, 1, side, side) in 0..1 and their boxes and labels."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self.epoch:
            self.epoch = epoch
            self.scenes = make_scenes(
                self.images,
                self.labels,
                self.recipe.scenes,
                generator_for(self.seed, "scenes", epoch),
                rotate=self.recipe.rotate,
                shear=self.recipe.shear,
            ).to(self.device)
            self.targets = targets(self.scenes.digits())
        chosen = slice(position * self.batch_size, (position + 1) * self.batch_size)
        return to_input(self.scenes.images[chosen][self.shard]), self.targets[chosen][self.shard]

    def loss(self, model: DigitDetector, batch: Batch) -> Tensor:
        scenes, contents = batch
        return torch.stack(list(model(scenes, contents).values())).sum()

    def validate(self, model: DigitDetector) -> tuple[float, float, int]:
        images, labels = self.validation
        logits, found = classify_digits(model, images, batch_size=100)
        accuracy = ((logits.argmax(dim=1) == labels) & found).cpu().double().mean().item()
        return F.cross_entropy(logits, labels).item(), accuracy, len(labels)

    def state_dict(self) -> dict[str, Any]:
        return {}  # a batch depends on seed and step alone

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass

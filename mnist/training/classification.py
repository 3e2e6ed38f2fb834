"""Learning which digit an image shows.

The data are tensors on the device from start to end. A DataLoader with workers would spend more
time on moving 28x28 images between processes than a step takes.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist.data.augmentation import distort
from mnist.models.inference import predict_logits, to_input
from mnist.params import Recipe


class Classification:
    """A `Task`: cross-entropy on augmented images.

    Args:
        training: uint8 images (N, 28, 28) and int64 labels (N,), on the device to train on.
        validation: likewise; read for the curve only, never to choose the weights.
    """

    def __init__(
        self, training: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], recipe: Recipe
    ) -> None:
        self.images, self.labels = training
        self.validation = validation
        self.augmentation, self.label_smoothing = recipe.augmentation, recipe.label_smoothing
        self.batch_size = min(recipe.batch_size, len(self.images))
        # The images left over wait for the next shuffle.
        self.steps_per_epoch = len(self.images) // self.batch_size

    def epoch(
        self, generator: torch.Generator, share: slice = slice(None)
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield float images (batch, 1, 28, 28) in 0..1 and their labels (batch,)."""
        order = torch.randperm(len(self.images), generator=generator).to(self.images.device)
        for step in range(self.steps_per_epoch):
            batch = order[step * self.batch_size :][: self.batch_size]
            inputs = distort(to_input(self.images[batch]), self.augmentation, generator, share)
            yield inputs.contiguous(memory_format=torch.channels_last), self.labels[batch[share]]

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, labels = batch
        return F.cross_entropy(model(inputs), labels, label_smoothing=self.label_smoothing)

    def score(self, model: nn.Module) -> tuple[float, float]:
        images, labels = self.validation
        logits = predict_logits(model, images, batch_size=500)
        accuracy = (logits.argmax(dim=1) == labels).cpu().double().mean().item()
        return F.cross_entropy(logits, labels).item(), accuracy

"""Learning which class an image shows.

The data are tensors on the device from start to end. A DataLoader with workers would spend more
time on moving 28x28 images between processes than a step takes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist.data.augmentation import random_affine, warp
from mnist.models.inference import predict_logits, to_input
from mnist.params import ClassifierParams
from mnist.training import distributed
from mnist.training.randomness import generator_for
from mnist.training.validation import validation_subset

Split = tuple[Tensor, Tensor]


class Classification:
    """A `Task`: cross-entropy on augmented images.

    Args:
        training: uint8 images (N, 28, 28) and int64 labels (N,), on the device to train on.
        validation: likewise; used for the learning curve only, never to choose the weights.
        seed: of the order of the images and their augmentation.
    """

    def __init__(
        self, training: Split, validation: Split, recipe: ClassifierParams, seed: int
    ) -> None:
        self.images, self.labels = training
        self.validation, self.subset = validation, validation_subset(*validation)
        self.recipe, self.seed = recipe, seed
        self.batch_size = min(recipe.batch_size, len(self.images))
        # The images left over wait for the next epoch's order.
        self.steps_per_epoch = len(self.images) // self.batch_size
        self.shard = distributed.shard(self.batch_size)
        self.epoch, self.order = -1, torch.empty(0)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return float images (batch, 1, 28, 28) in 0..1 and their labels (batch,)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self.epoch:
            generator = generator_for(self.seed, "order", epoch)
            order = torch.randperm(len(self.images), generator=generator)
            self.epoch, self.order = epoch, order.to(self.images.device)
        chosen = self.order[position * self.batch_size :][: self.batch_size][self.shard]
        generator = generator_for(self.seed, "augmentation", step)
        side = self.images.shape[-1]
        matrices = random_affine(self.batch_size, side, self.recipe.augmentation, generator)
        inputs = warp(to_input(self.images[chosen]), matrices[self.shard])
        return inputs.contiguous(memory_format=torch.channels_last), self.labels[chosen]

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, labels = batch
        return F.cross_entropy(model(inputs), labels, label_smoothing=self.recipe.label_smoothing)

    def validate(self, model: nn.Module, *, whole: bool) -> tuple[float, float, int]:
        images, labels = self.validation if whole else self.subset
        logits = predict_logits(model, images, batch_size=200)
        accuracy = (logits.argmax(dim=1) == labels).cpu().double().mean().item()
        return F.cross_entropy(logits, labels).item(), accuracy, len(labels)

"""Learning which class an image shows.

The data are tensors on the device from start to end. A DataLoader with workers would spend more
time on moving 28x28 images between processes than a step takes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist.data.augmentation import random_affine, warp
from mnist.models.inference import predict_logits, to_input
from mnist.params import ClassifierParams
from mnist.training import distributed
from mnist.training.randomness import generator_for

HARD_SHARE = 0.25  # of the training images
Split = tuple[Tensor, Tensor]
Batch = tuple[Tensor, Tensor]


class Classification:
    """A `Task`: cross-entropy on augmented images, the hard ones more often.

    The first epoch uses every image. With `recipe.hard_example_mining`, each later one uses the
    quarter of the images that had the highest losses so far, and as many others, drawn at random.
    Most digits are learnt after one epoch, so time is better spent on the rest (Loshchilov &
    Hutter, 2016, choose batches by the latest losses likewise).

    `steps_per_epoch` and `recipe.epochs` count images seen, in units of the training set: a later
    epoch with mining counts as half of one.

    Args:
        training: uint8 images (N, 28, 28) and int64 labels (N,), on the device to train on.
        validation: likewise; used for the learning curve only, never to choose the weights.
    """

    is_static = True

    def __init__(
        self, training: Split, validation: Split, recipe: ClassifierParams, seed: int
    ) -> None:
        self.images, self.labels = training
        self.validation = validation
        self.recipe, self.seed = recipe, seed
        count = len(self.images)
        self.batch_size = min(recipe.batch_size, count)
        self.steps_per_epoch = count // self.batch_size  # those left over wait for a later epoch
        self.shard = distributed.shard(self.batch_size)
        self.hard = max(round(HARD_SHARE * count), (self.batch_size + 1) // 2)
        later = min(2 * self.hard, count) if recipe.hard_example_mining else count
        self.later_steps = later // self.batch_size
        # The latest loss of every image. An image that was not seen yet counts as hard.
        self.losses = torch.full((count,), torch.inf, device=self.images.device)
        self.epoch = -1

    def batch(self, step: int) -> Batch:
        """Return the indices (batch,) of the images of all processes, in the order of their ranks.

        And the matrices (shard, 2, 3) that distort this process's images.
        """
        epoch, position = 0, step
        if step >= self.steps_per_epoch:
            later, position = divmod(step - self.steps_per_epoch, self.later_steps)
            epoch = 1 + later
        if epoch != self.epoch:
            self._begin(epoch, self._order(epoch))
        return self.order[position], self.matrices[position]

    def _begin(self, epoch: int, order: Tensor) -> None:
        """Lay all batches of an epoch out on the device, so that a step copies nothing to it."""
        self.epoch, self.order = epoch, order
        first = 0 if epoch == 0 else self.steps_per_epoch + (epoch - 1) * self.later_steps
        limits = self.recipe.augmentation.model_dump(exclude={"interpolation"})
        matrices = [
            random_affine(
                self.batch_size,
                self.images.shape[-1],
                generator_for(self.seed, "augmentation", step),
                **limits,
            )[self.shard]
            for step in range(first, first + len(order))
        ]
        self.matrices = torch.stack(matrices).to(self.images.device)

    def _order(self, epoch: int) -> Tensor:
        """Choose and shuffle the images of an epoch; returns their indices (steps, batch)."""
        chosen = self._choose(epoch)
        steps = len(chosen) // self.batch_size
        return chosen[: steps * self.batch_size].view(steps, self.batch_size)

    def _choose(self, epoch: int) -> Tensor:
        generator = generator_for(self.seed, "order", epoch)
        count, device = len(self.images), self.images.device
        if epoch == 0 or not self.recipe.hard_example_mining:
            return torch.randperm(count, generator=generator).to(device)
        ranked = self.losses.argsort(descending=True, stable=True)
        hard, rest = ranked[: self.hard], ranked[self.hard :]
        others = rest[torch.randperm(len(rest), generator=generator)[: self.hard].to(device)]
        chosen = torch.cat([hard, others])
        return chosen[torch.randperm(len(chosen), generator=generator).to(device)]

    def inputs(self, chosen: Tensor, matrices: Tensor) -> Tensor:
        """Distort images `chosen` by `matrices`: float (n, 1, 28, 28) in 0..1."""
        images = to_input(self.images[chosen])
        warped = warp(images, matrices, self.recipe.augmentation.interpolation)
        return warped.contiguous(memory_format=torch.channels_last)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        chosen, matrices = batch
        own = chosen[self.shard]
        losses = F.cross_entropy(
            model(self.inputs(own, matrices)),
            self.labels[own],
            label_smoothing=self.recipe.label_smoothing,
            reduction="none",
        )
        self.losses[chosen] = distributed.gather(losses.detach())
        return losses.mean()

    def validate(self, model: nn.Module) -> tuple[float, float, int]:
        images, labels = self.validation
        logits = predict_logits(model, images, batch_size=200)
        accuracy = (logits.argmax(dim=1) == labels).cpu().double().mean().item()
        return F.cross_entropy(logits, labels).item(), accuracy, len(labels)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the next batches depend on the losses so far."""
        return {"losses": self.losses, "epoch": self.epoch, "order": self.order}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.losses = state["losses"]
        self._begin(state["epoch"], state["order"])

"""The baseline: the same networks, trained as tutorials do it.

torchvision's MNIST gives PIL images one by one, torchvision's transforms distort them, and a
DataLoader with its defaults collects batches. The network keeps PyTorch's memory layout, all its
layers are trained, and its weights are not averaged. Sizes, batches and optimizer are those of
params.yaml. Faster R-CNN has no baseline: there is no usual way to train one on digits.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import v2 as transforms

from mnist.models import registry
from mnist.models.fine_tuned import FineTunedNetwork
from mnist.params import AugmentationParams, Params
from mnist.training.loop import make_optimizer

TO_TENSOR = (transforms.PILToTensor(), transforms.ToDtype(torch.float32, scale=True))


class BaselineTraining:
    """The tutorial's training of the classifier `name`.

    Args:
        folder: holds the four IDX files where torchvision looks for them, in MNIST/raw.
    """

    def __init__(self, name: str, params: Params, folder: Path, device: torch.device) -> None:
        section = getattr(params, name)
        self.device = device
        self.model = registry.build(name, params).requires_grad_(True).to(device)
        dataset = MNIST(folder, transform=_transform(self.model, section.augmentation))
        self.optimizer = make_optimizer(self.model, section)
        self.batch_size = section.batch_size
        self.loader = DataLoader(dataset, self.batch_size, shuffle=True)
        self.batches = self._endless()

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self.loader

    def training_rate(self, images: int) -> float:
        """Train on about `images` images and return how many are done per second."""
        steps = max(1, images // self.batch_size)
        self.model.train()
        start = time.perf_counter()
        for _ in range(steps):
            inputs, labels = (part.to(self.device) for part in next(self.batches))
            loss = F.cross_entropy(self.model(inputs), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()  # tutorials print it
        return steps * self.batch_size / (time.perf_counter() - start)


def _transform(model: nn.Module, limits: AugmentationParams) -> transforms.Compose:
    distortion = transforms.RandomAffine(
        limits.rotate,
        translate=(limits.translate / 28, limits.translate / 28),
        scale=(1 - limits.scale, 1 + limits.scale),
        shear=math.degrees(math.atan(limits.shear)),
        interpolation=transforms.InterpolationMode(limits.interpolation),
    )
    if not isinstance(model, FineTunedNetwork):
        return transforms.Compose([distortion, *TO_TENSOR])
    resize = [transforms.Resize(model.input_size), transforms.Grayscale(3)]
    return transforms.Compose([distortion, *resize, *TO_TENSOR])  # the network normalises

"""The baseline: the same networks, trained as tutorials do it.

torchvision's MNIST gives PIL images one by one, torchvision's transforms distort them, and a
DataLoader with its defaults collects batches. The network keeps PyTorch's memory layout, all its
layers are trained, and its weights are not averaged. Sizes, batches and optimizer are those of
params.yaml.

Faster R-CNN is torchvision's own over our backbone: its heads are larger, and there is no second
look at the boxes. The scenes are made before training.
"""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.transforms import v2 as transforms

from mnist.data.scenes import make_scenes
from mnist.models import cnn, registry
from mnist.models.fine_tuned import FineTunedNetwork
from mnist.models.frcnn import targets
from mnist.models.inference import PIXEL_MEAN, PIXEL_STD, to_input
from mnist.params import AugmentationParams, Params
from mnist.training.loop import make_optimizer

SCENES = 1000
TO_TENSOR = (transforms.PILToTensor(), transforms.ToDtype(torch.float32, scale=True))


class BaselineTraining:
    """The tutorial's training of model `name`.

    Args:
        folder: holds the four IDX files where torchvision looks for them, in MNIST/raw.
    """

    def __init__(self, name: str, params: Params, folder: Path, device: torch.device) -> None:
        section = getattr(params, name)
        self.device = device
        self.loss: Callable[[nn.Module, Any], Tensor]
        dataset: Any
        collate: Any = None
        if registry.task(name) == "detection":
            model: nn.Module = torchvision_detector(params)
            dataset = _scenes(MNIST(folder), params)
            collate = lambda scenes: tuple(zip(*scenes, strict=True))  # noqa: E731
            self.loss = self._detection_loss
        else:
            model = registry.build(name, params).requires_grad_(True)
            dataset = MNIST(folder, transform=_transform(model, section.augmentation))
            self.loss = self._classification_loss
        self.model = model.to(device)
        self.optimizer = make_optimizer(model, section)
        self.batch_size = section.batch_size
        self.loader = DataLoader(dataset, self.batch_size, shuffle=True, collate_fn=collate)
        self.batches = self._endless()

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self.loader

    def training_rate(self, images: int) -> float:
        """Train on about `images` images, or scenes, and return how many are done per second."""
        steps = max(1, images // self.batch_size)
        self.model.train()
        start = time.perf_counter()
        for _ in range(steps):
            loss = self.loss(self.model, next(self.batches))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()  # tutorials print it
        return steps * self.batch_size / (time.perf_counter() - start)

    def _classification_loss(self, model: nn.Module, batch: Any) -> Tensor:
        images, labels = (part.to(self.device) for part in batch)
        return F.cross_entropy(model(images), labels)

    def _detection_loss(self, model: nn.Module, batch: Any) -> Tensor:
        images, contents = batch
        contents = [{k: v.to(self.device) for k, v in scene.items()} for scene in contents]
        losses = model([image.to(self.device) for image in images], contents)
        return torch.stack(list(losses.values())).sum()


def _scenes(digits: MNIST, params: Params) -> list[Any]:
    """Make scenes (1, side, side) with their targets: enough of them to time."""
    generator = torch.Generator().manual_seed(0)
    scenes = make_scenes(digits.data, digits.targets, params.frcnn.scenes, generator, number=SCENES)
    return list(zip(to_input(scenes.images), targets(scenes.digits()), strict=True))


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


def torchvision_detector(params: Params) -> FasterRCNN:
    """Build torchvision's Faster R-CNN over our backbone; only what must fit digits is set."""
    features: Any = cnn.build(params).features
    features.out_channels = params.cnn.widths[-1]
    section = params.frcnn
    return FasterRCNN(
        features,
        num_classes=1 + len(params.data.classes),
        min_size=section.scenes.side,
        max_size=section.scenes.side,
        image_mean=[PIXEL_MEAN],
        image_std=[PIXEL_STD],
        rpn_anchor_generator=AnchorGenerator(
            (tuple(section.anchor_sizes),), (tuple(section.aspect_ratios),)
        ),
    )

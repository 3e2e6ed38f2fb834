"""The baseline: the same networks, trained as tutorials do it.

torchvision's MNIST gives PIL images one by one, torchvision's transforms distort them, and a
DataLoader with its defaults collects batches. The network keeps PyTorch's memory layout, all its
layers are trained, and its weights are not averaged. Sizes, batches and optimizer are those of
params.yaml.

Faster R-CNN is torchvision's own over our backbone, with its larger second stage, on scenes that
are made before training.
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
from mnist.errors import UserError
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
        interpolation=transforms.InterpolationMode.BILINEAR,
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


class TutorialCNN(nn.Module):
    """The two convolutions that PyTorch's own MNIST example trains; (N, 1, 28, 28) to (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Flatten(),
            nn.Linear(9216, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def seconds_to_accuracy(
    goal: float, folder: Path, test: tuple[Tensor, Tensor], device: torch.device, epochs: int = 20
) -> tuple[float, int]:
    """Train the tutorial's CNN, by Adadelta in batches of 64, to an accuracy on the test split.

    Args:
        goal: accuracy, 0..1.
        test: float images (N, 1, 28, 28), normalised, and labels (N,).
        epochs: at most.

    Returns:
        Seconds of training, without the tests, and epochs.

    Raises:
        UserError: it did not get there.
    """
    torch.manual_seed(1)
    normalise = transforms.Normalize([PIXEL_MEAN], [PIXEL_STD])
    dataset = MNIST(folder, transform=transforms.Compose([*TO_TENSOR, normalise]))
    loader = DataLoader(dataset, batch_size=64, shuffle=True)
    model = TutorialCNN().to(device)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    seconds = 0.0
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(images.to(device)), labels.to(device)).backward()
            optimizer.step()
        scheduler.step()
        seconds += time.perf_counter() - start
        model.eval()
        with torch.inference_mode():
            predicted = torch.cat([model(batch).argmax(dim=1) for batch in test[0].split(1000)])
        if (predicted == test[1]).float().mean().item() >= goal:
            return seconds, epoch
    raise UserError(f"the tutorial's CNN does not get to {goal:.0%} in {epochs} epochs.")

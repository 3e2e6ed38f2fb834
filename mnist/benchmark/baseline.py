"""The same networks, trained as tutorials do it: what our recipe is held against.

torchvision's MNIST gives PIL images one by one; PIL turns, shifts and slants them; a DataLoader
with its defaults collects batches; the network keeps PyTorch's memory layout, is trained whole, and
its weights are not averaged. Sizes, batches and optimizer are those of params.yaml.

Faster R-CNN is our backbone under torchvision's detector with torchvision's own, larger second
stage, on scenes made beforehand.
"""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import MNIST
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.transforms import v2 as transforms

from mnist.benchmark.case import build
from mnist.data.scenes import make_scenes
from mnist.errors import UserError
from mnist.models.cnn import CNN, PIXEL_MEAN, PIXEL_STD
from mnist.models.fine_tuned import IMAGENET_MEAN, IMAGENET_STD, FineTunedNetwork
from mnist.params import Params
from mnist.training.loop import make_optimizer


class Scenes(Dataset):
    """Scenes of digits with their boxes, one by one."""

    def __init__(self, digits: MNIST, params: Params) -> None:
        generator = torch.Generator().manual_seed(0)
        scenes = make_scenes(digits.data, digits.targets, params.frcnn.scenes, generator)
        self.images, self.contents = scenes.images, scenes.digits()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, dict[str, Tensor]]:
        boxes, labels = self.contents[i]
        return self.images[i][None] / 255, {"boxes": boxes, "labels": labels + 1}


class BaselineTraining:
    """The tutorial's training of model `name`.

    Args:
        folder: holds the four IDX files where torchvision looks for them, in MNIST/raw.
    """

    def __init__(self, name: str, params: Params, folder: Path, device: torch.device) -> None:
        section = getattr(params, name)
        self.device = device
        self.loss: Callable[[nn.Module, Any], Tensor]
        if name == "frcnn":
            model: nn.Module = _torchvisions_detector(params)
            dataset: Dataset = Scenes(MNIST(folder), params)
            collate: Any = lambda scenes: tuple(zip(*scenes, strict=True))  # noqa: E731
            self.loss = self._detection_loss
        else:
            model = build(name, params).requires_grad_(True)
            dataset = MNIST(folder, transform=_transform(model, section.augmentation))
            collate, self.loss = None, self._classification_loss
        self.model = model.to(device)
        self.optimizer = make_optimizer(model, section)
        self.loader = DataLoader(dataset, section.batch_size, shuffle=True, collate_fn=collate)
        self.batches = self._endless()

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self.loader

    def train(self, images: int) -> float:
        """Train on so many images, at least a batch, and return the images per second."""
        steps = max(1, images // (self.loader.batch_size or 1))
        self.model.train()
        start = time.perf_counter()
        for _ in range(steps):
            loss = self.loss(self.model, next(self.batches))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()  # tutorials print it
        return steps * (self.loader.batch_size or 1) / (time.perf_counter() - start)

    def _classification_loss(self, model: nn.Module, batch: Any) -> Tensor:
        images, labels = (part.to(self.device) for part in batch)
        return F.cross_entropy(model(images), labels)

    def _detection_loss(self, model: nn.Module, batch: Any) -> Tensor:
        images, contents = batch
        targets = [{k: v.to(self.device) for k, v in c.items()} for c in contents]
        losses = model([image.to(self.device) for image in images], targets)
        return torch.stack(list(losses.values())).sum()


def _transform(model: nn.Module, limits: Any) -> transforms.Compose:
    distortion = transforms.RandomAffine(
        limits.rotate,
        translate=(limits.translate / 28, limits.translate / 28),
        scale=(1 - limits.scale, 1 + limits.scale),
        shear=math.degrees(math.atan(limits.shear)),
        interpolation=transforms.InterpolationMode.BILINEAR,
    )
    to_tensor = [transforms.PILToTensor(), transforms.ToDtype(torch.float32, scale=True)]
    if not isinstance(model, FineTunedNetwork):
        return transforms.Compose([distortion, *to_tensor])
    resize = [transforms.Resize(model.input_size), transforms.Grayscale(3)]
    normalise = transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    # The network normalises by itself; a tutorial's would not, and it costs as good as nothing.
    model.register_buffer("mean", torch.zeros(3, 1, 1), persistent=False)
    model.register_buffer("std", torch.ones(3, 1, 1), persistent=False)
    return transforms.Compose([distortion, *resize, *to_tensor, normalise])


def _torchvisions_detector(params: Params) -> FasterRCNN:
    """Our backbone under torchvision's Faster R-CNN; only sizes that must fit digits are set."""
    features: Any = CNN(**params.cnn.architecture()).features
    features.out_channels = params.cnn.widths[-1]
    section = params.frcnn
    anchors = AnchorGenerator((tuple(section.anchor_sizes),), (tuple(section.aspect_ratios),))
    side = section.scenes.side
    return FasterRCNN(
        features,
        num_classes=11,
        min_size=side,
        max_size=side,
        image_mean=[PIXEL_MEAN],
        image_std=[PIXEL_STD],
        rpn_anchor_generator=anchors,
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


def tutorial_seconds_to(
    goal: float, folder: Path, test: tuple[Tensor, Tensor], device: torch.device, most: int = 20
) -> tuple[float, int]:
    """Train the tutorial's CNN, by Adadelta in batches of 64, until it reads enough test digits.

    Args:
        goal: share of the test digits, 0..1.
        test: float images (N, 1, 28, 28), normalised, and labels (N,).
        most: epochs before it gives up.

    Returns:
        Seconds of training, tests not counted, and epochs.

    Raises:
        UserError: it did not get there.
    """
    torch.manual_seed(1)
    to_tensor = [transforms.PILToTensor(), transforms.ToDtype(torch.float32, scale=True)]
    transform = transforms.Compose([*to_tensor, transforms.Normalize([PIXEL_MEAN], [PIXEL_STD])])
    loader = DataLoader(MNIST(folder, transform=transform), batch_size=64, shuffle=True)
    model = TutorialCNN().to(device)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    seconds = 0.0
    for epoch in range(1, most + 1):
        start = time.perf_counter()
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(images.to(device)), labels.to(device)).backward()
            optimizer.step()
        schedule.step()
        seconds += time.perf_counter() - start
        model.eval()
        with torch.inference_mode():
            answers = torch.cat([model(batch).argmax(dim=1) for batch in test[0].split(1000)])
        if (answers == test[1]).float().mean().item() >= goal:
            return seconds, epoch
    raise UserError(f"the tutorial's CNN does not get to {goal:.0%} in {most} epochs.")

"""Train every model for a few steps and print the SHA-256 of its weights as JSON.

`python -m tests.portability.steps [--all]` is a program, because the libraries choose their kernels
once in a process. The batches are made by integer arithmetic and not augmented, because the
emulator qemu 7.2 cannot run `grid_sample`. `--all` hashes the augmentation and scenes too.

Beside the SHA-256 stands that of the model's settings in params.yaml: other settings give other
weights.
"""

import hashlib
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn

from mnist.data.augmentation import random_affine, warp
from mnist.data.scenes import make_scenes
from mnist.device import set_up
from mnist.models import registry
from mnist.models.frcnn import targets
from mnist.models.inference import to_input
from mnist.params import Params, load_params
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from mnist.training.loop import train

STEPS = 3
# Small, so that an emulator, some 100 times slower than the CPU, takes a minute or two.
BATCH_SIZES = {"cnn": 16, "frcnn": 2, "vgg16": 2, "alexnet": 4, "vit": 16}
BATCH_SIZE = 4  # of other models


def hash_of(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of names and contents."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def images_of(step: int, count: int, side: int = 28) -> Tensor:
    """Draw uint8 images (count, side, side): a bright square on noise, by integer arithmetic."""
    pixels = torch.arange(count * side * side).view(count, side, side)
    noise = (pixels * 1103515245 + 12345 * (step + 1)) // 65536 % 64
    for i, (left, top, size) in enumerate(squares_of(step, count, side)):
        noise[i, top : top + size, left : left + size] += 160
    return noise.byte()


def squares_of(step: int, count: int, side: int) -> list[tuple[int, int, int]]:
    """Return left, top and size of the square in each image."""
    numbers = [step * count + i for i in range(count)]
    return [(3 + n * 7 % (side - 24), 3 + n * 5 % (side - 24), 12 + n * 3 % 9) for n in numbers]


class StoredImages(Classification):
    """The task of a classifier, on images that nothing distorts."""

    def __init__(self, recipe: Any, batch_size: int) -> None:
        self.recipe, self.batch_size = recipe, batch_size
        self.seed, self.steps_per_epoch = 1, STEPS
        self.losses = torch.zeros(batch_size)
        self.labels, self.shard = torch.arange(batch_size) % 10, slice(None)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        self.images = images_of(step, self.batch_size)
        return torch.arange(self.batch_size), torch.empty(0)

    def inputs(self, chosen: Tensor, _: Tensor) -> Tensor:
        return to_input(self.images[chosen]).contiguous(memory_format=torch.channels_last)

    def validate(self, model: nn.Module) -> tuple[float, float, int]:
        return 0.0, 0.0, 1


class StoredScenes(Detection):
    """The task of a detector, on scenes of one square."""

    def __init__(self, recipe: Any, batch_size: int) -> None:
        self.recipe, self.batch_size = recipe, batch_size
        self.seed, self.steps_per_epoch = 1, STEPS

    def batch(self, step: int) -> Any:
        side = self.recipe.scenes.side
        squares = squares_of(step, self.batch_size, side)
        boxes = [torch.tensor([[x, y, x + s, y + s]]).float() for x, y, s in squares]
        labels = [torch.tensor([i % 10]) for i in range(self.batch_size)]
        contents = targets(list(zip(boxes, labels, strict=True)))
        return to_input(images_of(step, self.batch_size, side)), contents

    def validate(self, model: nn.Module) -> tuple[float, float, int]:
        return 0.0, 0.0, 1


def train_steps(name: str, params: Params) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Train model `name` for `STEPS` steps.

    Returns:
        What params.yaml says of the model, and its weights with their moving average.
    """
    recipe = getattr(params, name).model_copy(update={"epochs": 1.0})
    stored = StoredScenes if registry.detects(name) else StoredImages
    torch.manual_seed(1)
    model = registry.build(name, params)
    task = stored(recipe, BATCH_SIZES.get(name, BATCH_SIZE))
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        averaged = train(model, task, recipe).model
    weights = {f"model.{key}": value for key, value in model.state_dict().items()}
    weights |= {f"ema.{key}": value for key, value in averaged.state_dict().items()}
    return {"architecture": model.architecture, "recipe": recipe.model_dump()}, weights


def augment(params: Params) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Distort images and make scenes, as the trainings do; returns as `train_steps` does."""
    generator = torch.Generator().manual_seed(1)
    images, labels = images_of(0, 32), torch.arange(32) % 10
    limits, recipe = params.cnn.augmentation, params.frcnn
    strength = limits.model_dump(exclude={"interpolation"})
    matrices = random_affine(32, 28, generator, **strength)
    warped = [warp(to_input(images), matrices, kind) for kind in ("bilinear", "bicubic")]
    distortion: dict[str, Any] = {"rotate": recipe.rotate, "shear": recipe.shear}
    scenes = make_scenes(images, labels, recipe.scenes, generator, **distortion)
    settings = limits.model_dump() | recipe.scenes.model_dump() | distortion
    return settings, {
        "bilinear": warped[0],
        "bicubic": warped[1],
        "scenes": scenes.images,
        "boxes": scenes.boxes,
    }


def main() -> None:
    params = load_params()
    set_up(params)
    torch.set_num_threads(2)
    runs = {name: train_steps(name, params) for name in params.models}
    if "--all" in sys.argv:
        runs["augmentation"] = augment(params)
    result = {}
    for name, (settings, tensors) in runs.items():
        text = json.dumps(settings, sort_keys=True)
        result[name] = {
            "settings": hashlib.sha256(text.encode()).hexdigest(),
            "weights": hash_of(tensors),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""The committed models and recipes, shrunk until a training takes a fraction of a second."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import yaml
from torch import nn
from torch.nn import functional as F

from mnist.models import fine_tuned, registry
from mnist.models.inference import to_input
from mnist.models.registry import MODELS
from mnist.params import Params, TrainingParams
from mnist.training.checkpoint import Checkpoint
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from mnist.training.loop import Task, TrainResult, train
from tests.conftest import ROOT
from tests.digits import as_tensors

SHORT = {"epochs": 1.6, "batch_size": 16, "ema_decay": 0.9}
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"widths": [8, 8, 16, 16]},
    "frcnn": {"hidden": 32, "proposals": 10, "batch_size": 4},
    "vgg16": {"input_size": 16},
    "alexnet": {"input_size": 31},
    "vit": {"dim": 20, "heads": 2, "depth": 1, "mlp_dim": 32, "dropout": 0.1},
}
IMAGES = {"cnn": 160, "frcnn": 100, "vgg16": 96, "alexnet": 96, "vit": 160}
CPU = torch.device("cpu")


def narrow(network: Callable[[], Any]) -> Callable[[], Any]:
    """Return what builds `network` with an eighth of the channels of its convolutions."""

    def build() -> SimpleNamespace:
        layers, channels = [], 3
        for layer in network().features:
            if isinstance(layer, nn.Conv2d):
                shape: Any = (layer.kernel_size, layer.stride, layer.padding)
                layer = nn.Conv2d(channels, layer.out_channels // 8, *shape)
                channels = layer.out_channels
            layers.append(layer)
        return SimpleNamespace(features=nn.Sequential(*layers))

    return build


@contextmanager
def narrow_networks() -> Iterator[None]:
    """Let VGG16 and AlexNet be narrow during the block."""
    networks = {key: narrow(network) for key, network in fine_tuned.NETWORKS.items()}
    with mock.patch.dict(fine_tuned.NETWORKS, networks):
        yield


def small_params(**changes: dict[str, Any]) -> Params:
    """Return the committed parameters, shrunk; `changes` are keys of a model's section."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name in MODELS:
        params[name] |= SHORT | SMALL[name] | changes.get(name, {})
    return Params.model_validate(params)


def small_model(name: str, params: Params, seed: int = 0) -> Any:
    """Build model `name` from `seed`; VGG16 and AlexNet are narrow."""
    torch.manual_seed(seed)
    with narrow_networks():
        return registry.build(name, params)


def small_case(
    name: str, seed: int = 0, device: torch.device = CPU, **changes: Any
) -> tuple[nn.Module, Task, TrainingParams]:
    """Build model `name` with its task and its recipe, in which `changes` are made."""
    params = small_params(**{name: changes})
    recipe = getattr(params, name)
    training, validation = (
        (images.to(device), labels.to(device))
        for images, labels in (as_tensors(slice(IMAGES[name])), as_tensors(slice(300, 340)))
    )
    make_task = Detection if registry.detects(name) else Classification
    task: Task = make_task(training, validation, recipe, seed)
    return small_model(name, params, seed).to(device), task, recipe


def train_small(
    name: str, checkpoint: Checkpoint | None = None, seed: int = 0, **changes: Any
) -> TrainResult:
    torch.set_num_threads(1)
    model, task, recipe = small_case(name, seed, **changes)
    return train(model, task, recipe, checkpoint=checkpoint)


def fingerprint(result: TrainResult) -> str:
    """Return the SHA-256 of all that a training leaves: weights and curve, to the bit."""
    digest = hashlib.sha256(repr(result.curve).encode())
    for name, values in result.model.state_dict().items():
        digest.update(name.encode() + values.contiguous().numpy().tobytes())
    return digest.hexdigest()


def overfits(build: Callable[[int], nn.Module], lr: float, steps: int) -> bool:
    """Train on the same 32 digits until the loss falls below 0.1, for at most `steps` steps.

    CPUs round differently, and after some steps that changes a training visibly. So there are three
    seeds, of which one is enough, and `steps` should be three times what is usual.

    Args:
        build: takes a seed.
    """
    images, labels = as_tensors(slice(32))
    for seed in range(3):
        model = build(seed).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr)
        for _ in range(steps):
            loss = F.cross_entropy(model(to_input(images)), labels)
            if loss < 0.1:
                return True
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return False

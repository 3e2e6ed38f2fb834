"""The models by name: where each is defined and what it learns.

The table decides nothing itself and imports a model's module only when it is asked for, so adding
a model changes no other.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import nn

from mnist.errors import UserError
from mnist.models.weights_io import from_architecture, load_weights, read_architecture
from mnist.params import Params

Task = Literal["classification", "detection"]


class Entry(NamedTuple):
    """A module with `build(params)`, the class of its network, and the task it is trained for."""

    module: str
    network: str
    task: Task


MODELS = {
    "cnn": Entry("mnist.models.cnn", "CNN", "classification"),
    "frcnn": Entry("mnist.models.frcnn", "DigitDetector", "detection"),
    "vgg16": Entry("mnist.models.vgg16", "FineTunedNetwork", "classification"),
    "alexnet": Entry("mnist.models.alexnet", "FineTunedNetwork", "classification"),
    "vit": Entry("mnist.models.vit", "ViT", "classification"),
}


def task(name: str) -> Task:
    """Return what model `name` learns. Raises UserError when the name is not known."""
    return _entry(name).task


def build(name: str, params: Params) -> Any:
    """Build model `name` as params.yaml describes it, with random weights.

    Raises:
        UserError: the name is not known.
    """
    return import_module(_entry(name).module).build(params)


def load(name: str, path: Path) -> nn.Module:
    """Build model `name` as it was trained and load its weights, ready for inference.

    Raises:
        UserError: the name is not known, or the file is missing, damaged or of another model.
    """
    entry = _entry(name)
    network: type[nn.Module] = getattr(import_module(entry.module), entry.network)
    try:
        model = from_architecture(network, read_architecture(path))
    except TypeError as error:
        raise UserError(f"{path} is not a {name}: {error}; retrain it with `dvc repro`.") from None
    load_weights(path, model)
    return model.eval()


def _entry(name: str) -> Entry:
    if name not in MODELS:
        raise UserError(f"there is no model {name!r}; known are {', '.join(MODELS)}.")
    return MODELS[name]

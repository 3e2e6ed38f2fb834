"""The models by name: where each is defined, and whether it detects or classifies.

The table decides nothing itself and imports a model's module only when it is asked for, so adding
a model changes no other.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from mnist.errors import UserError
from mnist.models import weights_io
from mnist.params import Params


class Entry(NamedTuple):
    """A module with `build(params)`, and the class of its network."""

    module: str
    network: str
    detects: bool = False


MODELS = {
    "cnn": Entry("mnist.models.cnn", "CNN"),
    "frcnn": Entry("mnist.models.frcnn", "DigitDetector", detects=True),
    "vgg16": Entry("mnist.models.vgg16", "FineTunedNetwork"),
    "alexnet": Entry("mnist.models.alexnet", "FineTunedNetwork"),
    "vit": Entry("mnist.models.vit", "ViT"),
}


def detects(name: str) -> bool:
    """Whether model `name` is a detector. Raises UserError when the name is not known."""
    return _entry(name).detects


def build(name: str, params: Params) -> Any:
    """Build model `name` as params.yaml describes it, with random weights.

    Raises:
        UserError: the name is not known.
    """
    return import_module(_entry(name).module).build(params)


def load(name: str, path: Path) -> Any:
    """Build model `name` as it was trained and load its weights, ready for inference.

    Raises:
        UserError: the name is not known, or the file is missing, damaged or of another model.
    """
    entry = _entry(name)
    return weights_io.load(path, getattr(import_module(entry.module), entry.network))


def _entry(name: str) -> Entry:
    if name not in MODELS:
        raise UserError(f"there is no model {name!r}; known are {', '.join(MODELS)}.")
    return MODELS[name]

"""The models by name. Model `x` is defined in mnist/models/x.py, which is imported when needed."""

from importlib import import_module
from pathlib import Path
from typing import Any

from mnist.models import weights_io
from mnist.params import Params

# The class of each model's network. Its module has `build(params)` too.
MODELS = {
    "cnn": "CNN",
    "frcnn": "DigitDetector",
    "vgg16": "FineTunedNetwork",
    "alexnet": "FineTunedNetwork",
    "vit": "ViT",
}
DETECTORS = {"frcnn"}


def detects(name: str) -> bool:
    """Whether model `name` is a detector; the others are classifiers."""
    return name in DETECTORS


def build(name: str, params: Params) -> Any:
    """Build model `name` as params.yaml describes it, with random weights."""
    return import_module(f"mnist.models.{name}").build(params)


def load(name: str, path: Path) -> Any:
    """Build model `name` as it was trained and load its weights, ready for inference.

    Raises:
        UserError: the file is missing, damaged or of another model.
    """
    return weights_io.load(path, getattr(import_module(f"mnist.models.{name}"), MODELS[name]))

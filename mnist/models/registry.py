"""The models by name: what turns a weights file back into the network that wrote it."""

from pathlib import Path

from torch import nn

from mnist.errors import UserError
from mnist.models.cnn import CNN
from mnist.models.frcnn import DigitDetector
from mnist.models.fine_tuned import FineTunedNetwork
from mnist.models.vit import ViT
from mnist.models.weights_io import load_weights, read_architecture

MODELS: dict[str, type[nn.Module]] = {
    "cnn": CNN,
    "frcnn": DigitDetector,
    "vgg16": FineTunedNetwork,
    "alexnet": FineTunedNetwork,
    "vit": ViT,
}


def load(name: str, path: Path) -> nn.Module:
    """Build model `name` as it was trained and load its weights, ready for inference.

    Raises:
        UserError: the name is not known, or the file is missing, damaged or of another model.
    """
    if name not in MODELS:
        raise UserError(f"there is no model {name!r}; known are {', '.join(MODELS)}.")
    try:
        model = MODELS[name](**read_architecture(path))
    except TypeError as error:
        raise UserError(f"{path} is not a {name}: {error}; retrain it with `dvc repro`.") from None
    load_weights(path, model)
    return model.eval()

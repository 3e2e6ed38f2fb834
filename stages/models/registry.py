"""The models by name: what turns a weights file back into the network that wrote it."""

from pathlib import Path

from torch import nn

from stages.models.cnn import CNN
from stages.models.faster_rcnn import DigitDetector
from stages.models.files import load_weights, read_architecture
from stages.models.transfer import Transfer
from stages.models.vit import ViT
from stages.system.errors import UserError

MODELS: dict[str, type[nn.Module]] = {
    "cnn": CNN,
    "frcnn": DigitDetector,
    "vgg16": Transfer,
    "alexnet": Transfer,
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

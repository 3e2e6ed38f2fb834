"""Fine-tuning starts from a backbone with ImageNet weights."""

from pathlib import Path

from mnist.data import backbones
from mnist.errors import SourceError, UserError
from mnist.models.fine_tuned import FineTunedNetwork


def load_imagenet_weights(model: FineTunedNetwork, network: str, path: Path) -> None:
    """Put the ImageNet weights of `network` ("vgg16" or "alexnet") into `model.backbone`.

    Raises:
        UserError: the file is missing, or its numbers are not the published ones.
    """
    try:
        model.backbone.load_state_dict(backbones.read(path, network))
    except (SourceError, RuntimeError) as error:
        raise UserError(f"{error}; run `dvc repro -f fetch_weights`.") from None

"""Fine-tuning: an ImageNet backbone learns digits, slowly, under a new head that learns fast."""

from pathlib import Path

import torch

from mnist.data import weights
from mnist.data.sources import SourceError
from mnist.device import set_up
from mnist.errors import UserError
from mnist.models.fine_tuned import Transfer
from mnist.params import Params
from mnist.params import Transfer as TransferSection
from mnist.training.classification import Classification
from mnist.training.run import train_and_write


def finetune(network: str, section: TransferSection, params: Params, backbone: Path) -> None:
    """Do the work of stage finetune_<network>.

    Args:
        backbone: file of the ImageNet weights; not read where `section.weights` is "none".

    Raises:
        UserError: the file is missing, or its numbers are not the published ones.
    """
    device = set_up(params.runtime)
    torch.manual_seed(params.seed)
    architecture = {"network": network} | section.architecture()
    model = Transfer(**architecture)
    if section.weights == "imagenet":
        try:
            model.backbone.load_state_dict(weights.read(backbone, network))
        except (SourceError, RuntimeError) as error:
            raise UserError(f"{error}; run `dvc repro -f fetch_weights`.") from None
        model.freeze(section.frozen_blocks)
    train_and_write(
        network,
        model,
        architecture,
        Classification,
        section,
        params,
        device,
        head_lr=section.head_lr,
        facts={"pretrained": int(section.weights == "imagenet")},
    )

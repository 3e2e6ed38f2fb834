"""Fine-tuning: an ImageNet trunk learns digits, slowly, under a new head that learns fast."""

from pathlib import Path

import torch

from stages.data import weights
from stages.data.sources import SourceError
from stages.models.transfer import Transfer
from stages.params import Params
from stages.params import Transfer as TransferSection
from stages.system.errors import UserError
from stages.system.machine import set_up
from stages.training.classification import Classification
from stages.training.stage import train_and_write


def finetune(network: str, section: TransferSection, params: Params, trunk: Path) -> None:
    """Do the work of stage finetune_<network>.

    Args:
        trunk: file of the ImageNet weights; not read where `section.weights` is "none".

    Raises:
        UserError: the file is missing, or its numbers are not the published ones.
    """
    device = set_up(params.runtime)
    torch.manual_seed(params.seed)
    architecture = {"network": network} | section.architecture()
    model = Transfer(**architecture)
    if section.weights == "imagenet":
        try:
            model.trunk.load_state_dict(weights.read(trunk, network))
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

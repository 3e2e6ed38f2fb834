"""Stage `train_vit`: the Vision Transformer, trained from scratch."""

import torch

from stages.models.vit import ViT
from stages.params import load_params
from stages.system.errors import run
from stages.system.machine import set_up
from stages.training.classification import Classification
from stages.training.compilation import compile_if_possible
from stages.training.stage import train_and_write


def main() -> None:
    params = load_params()
    device = set_up(params.runtime)
    torch.manual_seed(params.seed)
    architecture = params.vit.architecture()
    model = ViT(**architecture)
    if params.runtime.compile:
        compile_if_possible(model, device)
    train_and_write("vit", model, architecture, Classification, params.vit, params, device)


if __name__ == "__main__":
    run(main)
